// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a place can do: one request or a few, tried once, on the threads that networks are used from.

use async_trait::async_trait;
use aura_protocol::store::StoreError;

use super::super::files::{Done, Put};
use super::fault::Fault;

/// Names in one listing, at most; more are refused, not cut.
pub(super) const LISTED_MAX: usize = 100_000;

/// What is said of a listing that has more.
pub(super) fn too_many() -> StoreError {
    Fault::Server("it lists more than a store has").into()
}

/// Something in a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Item {
    /// Below what was listed.
    pub(super) path: String,
    pub(super) is_directory: bool,
    pub(super) mark: Option<String>,
}

/// A place. Paths have `/` between names, none before them.
#[async_trait]
pub(super) trait Remote: Send + Sync + 'static {
    /// Fails where the place's own directory is not there.
    async fn is_there(&self) -> Result<(), StoreError>;

    /// What is in a directory, in any order; nothing if there is no such directory.
    async fn list(&self, directory: &str) -> Result<Vec<Item>, StoreError>;

    /// Every file below a directory in as few requests as it takes; `None` where that is one for each directory.
    async fn list_all(&self, directory: &str) -> Result<Option<Vec<Item>>, StoreError>;

    /// A file's bytes.
    async fn read(&self, path: &str, most: usize) -> Result<Option<Vec<u8>>, StoreError>;

    /// Whether there is such a file.
    async fn has(&self, path: &str) -> Result<bool, StoreError>;

    /// Puts a file there, by way of `beside` where that is needed for it to be there whole or not at all.
    async fn write(
        &self,
        path: &str,
        beside: &str,
        (bytes, put): (&[u8], Put),
    ) -> Result<Done, StoreError>;

    /// Removes a file, if it is there.
    async fn remove(&self, path: &str) -> Result<(), StoreError>;
}
