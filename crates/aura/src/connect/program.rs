// SPDX-License-Identifier: MIT OR Apache-2.0
//! Where this program is, as a client will still find it after the next upgrade.
//!
//! What packages install often lies in a folder with the version in its name, behind a link on the path. A client that
//! was told of the folder would start nothing after an upgrade.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

/// This program.
pub(crate) fn path() -> PathBuf {
    let exact = env::current_exe().unwrap_or_else(|_| PathBuf::from("aura"));
    let folders = env::var_os("PATH").unwrap_or_default();
    lasting(&exact, &folders).unwrap_or(exact)
}

/// The first of its name on the path, if that is this very program.
fn lasting(exact: &Path, folders: &OsStr) -> Option<PathBuf> {
    let name = exact.file_name()?;
    let exact = fs::canonicalize(exact).ok()?;
    let folders = env::split_paths(folders).filter(|folder| folder.is_absolute());
    let first = folders.map(|folder| folder.join(name)).find(|path| path.exists())?;
    (fs::canonicalize(&first).ok()? == exact).then_some(first)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic is a failed test")]

    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_link_on_the_path_outlasts_the_folder_of_a_version() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for name in ["1.0", "bin", "other"] {
            fs::create_dir(at(name)).unwrap();
        }
        let exact = at("1.0").join("aura");
        fs::write(&exact, "one").unwrap();
        symlink(&exact, at("bin").join("aura")).unwrap();
        fs::write(at("other").join("aura"), "another").unwrap();
        let of = |folders: &[PathBuf]| lasting(&exact, &env::join_paths(folders).unwrap());
        assert_eq!(of(&[at("none"), at("bin")]), Some(at("bin").join("aura")));
        // Another program of the same name comes first: the path leads to that one.
        assert_eq!(of(&[at("other"), at("bin")]), None);
        assert_eq!(of(&[PathBuf::from("bin"), at("none")]), None);
    }
}
