// SPDX-License-Identifier: MIT OR Apache-2.0
//! Vaults in a folder of the server's own: a local store each, its access log beside it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use aura_protocol::id::{DeviceId, VaultId};
use aura_protocol::store::{LocalLog, StoreError};
use aura_store::local::{LocalStore, OpenError};

use super::{Hosting, Now, VaultStore};
use crate::access::{AccessLog, FileLeaves, Leaves};
use crate::listing::Listing;

/// How names of what was taken away begin.
const REMOVED: &str = "removed-";

/// The vaults in a folder.
#[derive(Debug)]
pub(crate) struct FolderHosting {
    root: PathBuf,
    now_ms: Now,
}

impl FolderHosting {
    pub(crate) fn new(root: PathBuf, now_ms: Now) -> Self {
        Self { root, now_ms }
    }
}

impl Hosting for FolderHosting {
    fn open(&self, vault: VaultId) -> Result<Box<dyn VaultStore>, StoreError> {
        let folder = folder(&self.root, vault);
        let store = LocalStore::hosted(&folder, vault, Box::new(self.now_ms)).map_err(opened)?;
        Ok(Box::new(store))
    }

    fn log(&self, vault: VaultId) -> Option<AccessLog> {
        let log = AccessLog::open(&folder(&self.root, vault), vault, self.now_ms);
        log.inspect_err(|error| tracing::error!(%error, "an access log is not kept")).ok()
    }

    fn leaves(&self, vault: VaultId) -> Option<Box<dyn Leaves>> {
        let leaves = FileLeaves::open(&folder(&self.root, vault)).ok()?;
        Some(Box::new(leaves))
    }

    fn remove(&self, vault: VaultId) -> Result<(), StoreError> {
        take_away(&self.root, vault).map_err(StoreError::Io)
    }
}

impl VaultStore for LocalStore {
    fn vault(&self) -> VaultId {
        Self::vault(self)
    }

    fn version(&self) -> Result<i64, StoreError> {
        // One process has it open, and says so itself when something changes.
        Ok(0)
    }

    fn judged(&self) -> Result<Option<Listing>, StoreError> {
        let feeds = LocalLog::feeds(self)?;
        match self.devices() {
            Ok(devices) => Ok(devices.roster().map(|roster| Listing::of(roster, &feeds))),
            Err(StoreError::DamagedEntry { .. } | StoreError::Damaged(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn cost_bytes(&self) -> Result<u64, StoreError> {
        Self::cost_bytes(self)
    }

    fn cost_of(&self, devices: &[DeviceId]) -> Result<u64, StoreError> {
        Self::cost_of(self, devices)
    }
}

/// What the operator may know of a store that does not open is in the log; a client learns that it is damaged.
fn opened(error: OpenError) -> StoreError {
    match error {
        OpenError::Absent => StoreError::Absent,
        OpenError::Full => StoreError::Full,
        OpenError::Busy => StoreError::Io(io::ErrorKind::WouldBlock.into()),
        OpenError::Io(error) => StoreError::Io(error),
        OpenError::Store(error) => error,
        OpenError::Newer { .. } => StoreError::Damaged("a newer version wrote it"),
        OpenError::Damaged(what) => StoreError::Damaged(what),
        _ => StoreError::Damaged("store.db"),
    }
}

/// Takes a vault's files away: first out of their place in one step, so that nothing is found there by half.
pub(crate) fn take_away(root: &Path, vault: VaultId) -> io::Result<()> {
    let mut bytes = [0; 8];
    crate::secrets::fill(&mut bytes)?;
    let gone = root.join(format!("{REMOVED}{}", u64::from_be_bytes(bytes)));
    match fs::rename(folder(root, vault), &gone) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
        Ok(()) => fs::remove_dir_all(gone),
    }
}

/// Whether this is the name of what is being taken away.
pub(crate) fn is_removed(name: &str) -> bool {
    name.starts_with(REMOVED)
}

/// Goes on with what was taken away by half when the server ended.
pub(crate) fn sweep(root: &Path) -> io::Result<()> {
    let found = match fs::read_dir(root) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        found => found?,
    };
    for entry in found {
        let entry = entry?;
        let is_folder = entry.file_type()?.is_dir();
        if is_folder && entry.file_name().to_str().is_some_and(is_removed) {
            fs::remove_dir_all(entry.path())?;
        }
    }
    Ok(())
}

/// Where a vault is kept: under the first two digits of its id.
pub(crate) fn folder(root: &Path, vault: VaultId) -> PathBuf {
    let id = vault.to_string();
    let (first, _) = id.split_at(2);
    root.join(first).join(&id)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]

    use super::*;

    /// What is taken away by half is gone on with; what only has such a name is left alone.
    #[test]
    fn a_sweep_takes_what_was_taken_away_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        sweep(&root.join("nothing")).unwrap();
        for name in ["removed-7/chunks/aa", "aa/vault"] {
            fs::create_dir_all(root.join(name)).unwrap();
        }
        fs::write(root.join("removed-7/chunks/aa/chunk"), "sealed").unwrap();
        fs::write(root.join("removed-notes.txt"), "a stray file").unwrap();
        sweep(root).unwrap();
        assert!(!root.join("removed-7").exists() && root.join("aa/vault").exists());
        assert!(root.join("removed-notes.txt").exists());
        let vault = VaultId([7; 32]);
        fs::create_dir_all(super::folder(root, vault).join("chunks")).unwrap();
        take_away(root, vault).unwrap();
        take_away(root, vault).unwrap();
        assert!(!super::folder(root, vault).exists());
    }
}
