// SPDX-License-Identifier: MIT OR Apache-2.0
//! Where sealed chunks are kept that are too many for a database: objects that never change, each in a place of its
//! own.
//!
//! A shelf keeps bytes and judges nothing. Which bytes belong to which chunk the database says, and what reads them
//! compares. Source: spec/store.md, rule STO-44.

use core::fmt;

use aura_protocol::id::VaultId;
use aura_protocol::store::StoreError;

/// Where one object is, among those of its vault. Never used again.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Place(pub [u8; 16]);

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Keeps sealed chunks of any number of vaults, for all nodes. Its calls may block.
pub trait Shelf: Send + Sync {
    /// Keeps these bytes in a place where nothing is, durably.
    ///
    /// # Errors
    /// When they cannot be kept.
    fn put(&self, vault: VaultId, place: Place, sealed: &[u8]) -> Result<(), StoreError>;

    /// What is in a place; `None` for nothing.
    ///
    /// # Errors
    /// When it cannot be read, or is larger than a chunk.
    fn read(&self, vault: VaultId, place: Place) -> Result<Option<Vec<u8>>, StoreError>;

    /// Takes away what is in a place, if anything is.
    ///
    /// # Errors
    /// When it may be there still.
    fn remove(&self, vault: VaultId, place: Place) -> Result<(), StoreError>;
}
