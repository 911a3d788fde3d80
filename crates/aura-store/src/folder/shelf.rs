// SPDX-License-Identifier: MIT OR Apache-2.0
//! Chunks of vaults that are in a database, as files: in a directory that every node sees, or in a bucket.
//!
//! `VAULT/PLACE`, where both are ids: names say nothing. Nothing is listed, and nothing is written twice.
//! Source: spec/store.md, rule STO-44.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use aura_protocol::id::VaultId;
use aura_protocol::limits::CHUNK_BYTES_MAX;
use aura_protocol::store::StoreError;
use pollster::block_on;

use super::disk::Disk;
#[cfg(any(feature = "s3", feature = "webdav", feature = "sftp"))]
use super::far::{self, Far, Secret};
use super::files::{Done, Files, Put};
use crate::shelf::{Place, Shelf};

/// A shelf of files.
pub struct FolderShelf {
    files: Arc<dyn Files>,
}

impl core::fmt::Debug for FolderShelf {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("FolderShelf").finish_non_exhaustive()
    }
}

impl FolderShelf {
    /// The shelf in a directory, which must exist.
    ///
    /// # Errors
    /// When it is not there.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        Ok(Self { files: Arc::new(Disk::open(folder)?) })
    }

    /// The shelf in a place that is reached over a network. Nothing is sent yet.
    ///
    /// # Errors
    /// When no connection can be prepared, or the certificate's file cannot be read.
    #[cfg(any(feature = "s3", feature = "webdav", feature = "sftp"))]
    pub fn far(place: &Far, secret: Option<&Secret>) -> Result<Self, StoreError> {
        Ok(Self { files: far::open(place, secret)? })
    }
}

fn at(vault: VaultId, place: Place) -> PathBuf {
    Path::new(&vault.to_string()).join(place.to_string())
}

impl Shelf for FolderShelf {
    fn put(&self, vault: VaultId, place: Place, sealed: &[u8]) -> Result<(), StoreError> {
        let path = at(vault, place);
        match block_on(self.files.write(&path, Path::new("new"), (sealed, Put::IfAbsent)))? {
            Done::Written => Ok(()),
            // A place is used once: it was kept, and the answer got lost.
            Done::Taken => match self.read(vault, place)? {
                Some(present) if present == sealed => Ok(()),
                _ => Err(StoreError::Damaged("something stands in the place of a new chunk")),
            },
        }
    }

    fn read(&self, vault: VaultId, place: Place) -> Result<Option<Vec<u8>>, StoreError> {
        block_on(self.files.read(&at(vault, place), CHUNK_BYTES_MAX))
    }

    fn remove(&self, vault: VaultId, place: Place) -> Result<(), StoreError> {
        block_on(self.files.remove(&at(vault, place)))
    }
}
