// SPDX-License-Identifier: MIT OR Apache-2.0
//! Files of a directory on this device, or mounted on it. No link below it is followed (FLD-7).

use std::io;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use aura_protocol::store::StoreError;

use super::files::{Done, Files, Fits, Listed, Put};
use crate::durable;
use crate::local::io_failed;

/// What is said when a link stands where a directory should.
const LINK: &str = "a link stands where a directory should";
const NO_FILE: &str = "something that is no file of the store's has the name of one";
/// How often a watch looks: nothing tells it when a tool brings a file.
const LOOK_MS: u64 = 1_000;

/// A directory.
pub(super) struct Disk(PathBuf);

impl Disk {
    /// The directory, which must exist.
    pub(super) fn open(folder: &Path) -> Result<Self, StoreError> {
        match std::fs::metadata(folder) {
            Ok(meta) if meta.is_dir() => Ok(Self(folder.to_path_buf())),
            Ok(_) => Err(StoreError::Absent),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(StoreError::Absent),
            Err(error) => Err(io_failed(error)),
        }
    }

    /// Where a path is, unless a link stands on the way to its last part.
    fn at(&self, path: &Path) -> Result<PathBuf, StoreError> {
        let mut at = self.0.clone();
        let is_plain = path.parent().into_iter().flatten().all(|part| {
            at.push(part);
            std::fs::symlink_metadata(&at).map_or(true, |meta| meta.is_dir())
        });
        if is_plain { Ok(self.0.join(path)) } else { Err(StoreError::Damaged(LINK)) }
    }

    fn directory(&self, path: &Path) -> Result<PathBuf, StoreError> {
        let at = self.at(path)?;
        let is_plain = std::fs::symlink_metadata(&at).map_or(true, |meta| meta.is_dir());
        if is_plain || path.as_os_str().is_empty() {
            Ok(at)
        } else {
            Err(StoreError::Damaged(LINK))
        }
    }

    /// Makes a directory and those between it and the store's.
    fn make(&self, path: &Path) -> Result<(), StoreError> {
        let mut made = self.0.clone();
        for part in path {
            made.push(part);
            durable::directory(&made).map_err(io_failed)?;
        }
        Ok(())
    }

    fn walk(
        &self,
        directory: &Path,
        shapes: &[Fits],
        found: &mut Vec<Listed>,
    ) -> Result<(), StoreError> {
        let Some((fits, below)) = shapes.split_first() else { return Ok(()) };
        let names = durable::names(&self.directory(directory)?).map_err(io_failed)?;
        for name in names.iter().filter(|name| fits(name)) {
            let path = directory.join(name);
            if below.is_empty() {
                found.push(Listed { path, mark: None });
            } else {
                self.walk(&path, below, found)?;
            }
        }
        Ok(())
    }
}

#[async_trait]
impl Files for Disk {
    async fn is_there(&self) -> Result<(), StoreError> {
        if self.0.is_dir() { Ok(()) } else { Err(StoreError::Absent) }
    }

    async fn names(&self, directory: &Path) -> Result<Vec<String>, StoreError> {
        durable::names(&self.directory(directory)?).map_err(io_failed)
    }

    async fn tree(&self, directory: &Path, shapes: &[Fits]) -> Result<Vec<Listed>, StoreError> {
        let mut found = Vec::new();
        self.walk(directory, shapes, &mut found)?;
        Ok(found)
    }

    async fn has_directory(&self, directory: &Path) -> Result<bool, StoreError> {
        Ok(self.directory(directory).is_ok_and(|path| path.is_dir()))
    }

    async fn read(&self, path: &Path, most: usize) -> Result<Option<Vec<u8>>, StoreError> {
        durable::read(&self.at(path)?, most as u64).map_err(unfit)
    }

    async fn has(&self, path: &Path) -> Result<bool, StoreError> {
        Ok(durable::size_bytes(&self.at(path)?).map_err(unfit)?.is_some())
    }

    async fn write(
        &self,
        path: &Path,
        beside: &Path,
        (bytes, put): (&[u8], Put),
    ) -> Result<Done, StoreError> {
        let to = self.at(path)?;
        if put == Put::IfAbsent && durable::size_bytes(&to).map_err(unfit)?.is_some() {
            return Ok(Done::Taken);
        }
        self.make(beside)?;
        self.make(path.parent().unwrap_or(path))?;
        durable::write(&to, &self.0.join(beside), bytes).map_err(io_failed)?;
        Ok(Done::Written)
    }

    async fn remove(&self, path: &Path) -> Result<(), StoreError> {
        match std::fs::remove_file(self.at(path)?) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(io_failed(error)),
            _ => Ok(()),
        }
    }

    fn look_ms(&self) -> u64 {
        LOOK_MS
    }
}

fn unfit(error: io::Error) -> StoreError {
    match error.kind() {
        io::ErrorKind::InvalidData => StoreError::Damaged(NO_FILE),
        _ => io_failed(error),
    }
}
