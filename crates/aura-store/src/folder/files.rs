// SPDX-License-Identifier: MIT OR Apache-2.0
//! Files as a folder store uses them, wherever they are: few verbs, whole objects, everything bounded.
//!
//! Paths are relative to the folder and made of the layout's names alone, so that a folder that is copied from a
//! disk to a bucket is the same store. A place that does not answer is an error, and never an absent file.
//! Source: spec/folder.md, rules FLD-1 and FLD-12.

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use aura_protocol::store::StoreError;

/// What a write does where the name is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Put {
    /// Leaves what is there.
    IfAbsent,
    /// Puts this in its place.
    Anew,
}

/// What became of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Done {
    Written,
    /// Something has the name already, and stays.
    Taken,
}

/// A file in a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Listed {
    pub(super) path: PathBuf,
    /// What tells its present bytes from others, where a listing says so.
    pub(super) mark: Option<String>,
}

/// Whether a name can stand at one level of a tree.
pub(super) type Fits = fn(&str) -> bool;

/// A directory of files somewhere.
#[async_trait]
pub(super) trait Files: Send + Sync {
    /// Fails where the directory itself is not there: a disk that was pulled out is not an empty one.
    async fn is_there(&self) -> Result<(), StoreError>;

    /// Names of what is in a directory, ascending; none if there is no such directory.
    async fn names(&self, directory: &Path) -> Result<Vec<String>, StoreError>;

    /// The files as many levels below a directory as there are shapes, each part of whose path fits; ascending.
    async fn tree(&self, directory: &Path, shapes: &[Fits]) -> Result<Vec<Listed>, StoreError>;

    /// Whether there is such a directory.
    async fn has_directory(&self, directory: &Path) -> Result<bool, StoreError>;

    /// A file's bytes; nothing if there is none. One of more than `most` bytes is damaged.
    async fn read(&self, path: &Path, most: usize) -> Result<Option<Vec<u8>>, StoreError>;

    /// Whether there is such a file.
    async fn has(&self, path: &Path) -> Result<bool, StoreError>;

    /// Puts a file there whole or not at all, by way of one in `beside` where that is needed.
    async fn write(
        &self,
        path: &Path,
        beside: &Path,
        (bytes, put): (&[u8], Put),
    ) -> Result<Done, StoreError>;

    /// Removes a file, if it is there.
    async fn remove(&self, path: &Path) -> Result<(), StoreError>;

    /// How often it is worth looking for news, in milliseconds.
    fn look_ms(&self) -> u64;
}

/// FLD-8: a file that cannot be read as one counts as not there.
pub(super) fn unless_damaged(
    read: Result<Option<Vec<u8>>, StoreError>,
) -> Result<Option<Vec<u8>>, StoreError> {
    match read {
        Err(StoreError::Io(_) | StoreError::Damaged(_)) => Ok(None),
        other => other,
    }
}
