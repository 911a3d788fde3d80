// SPDX-License-Identifier: MIT OR Apache-2.0
//! Directories below a vault's own: made one by one, and never reached through a link.

use std::path::Path;

use aura_protocol::store::StoreError;

use crate::durable;
use crate::layout::FolderLayout;
use crate::local::io_failed;

/// What is said when a link stands where a directory should.
pub(super) const LINK: &str = "a link stands where a directory should";

/// Makes a directory and those between it and the vault's.
pub(super) fn directories(layout: &FolderLayout, path: &Path) -> Result<(), StoreError> {
    let below = path.strip_prefix(layout.root()).unwrap_or(path);
    let mut made = layout.root().to_path_buf();
    for part in below {
        made.push(part);
        durable::directory(&made).map_err(io_failed)?;
    }
    Ok(())
}

/// Whether nothing between the vault's directory and this one is a link.
pub(super) fn is_plain(layout: &FolderLayout, path: &Path) -> bool {
    let below = path.strip_prefix(layout.root()).unwrap_or(path);
    let mut at = layout.root().to_path_buf();
    std::iter::once(None).chain(below.iter().map(Some)).all(|part| {
        at.extend(part);
        std::fs::symlink_metadata(&at).map_or(true, |meta| meta.is_dir())
    })
}
