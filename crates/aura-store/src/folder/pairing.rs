// SPDX-License-Identifier: MIT OR Apache-2.0
//! The box of a pairing in a folder: a file for each message, beside the vault's.
//!
//! Anybody who has the folder can read, add and remove them; they open under the code alone, and each stays as it was put.
//! Source: spec/pairing.md, rules PAI-11 and PAI-13.

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use aura_protocol::id::{PairingBox, VaultId};
use aura_protocol::limits::PAIRING_MESSAGE_BYTES_MAX;
use aura_protocol::pairing::Step;
use aura_protocol::store::StoreError;

use super::FolderStore;
use super::files::{Done, Put};
use crate::layout::{BoxFile, FolderLayout};
use crate::mailbox::{Mailbox, Posted};

/// So long after its end a box is nobody's any more, whatever clocks say.
const STALE_MS: u64 = 60 * 60 * 1000;

/// A box in a vault's folder.
#[derive(Debug)]
pub struct FolderBox {
    store: Arc<FolderStore>,
    vault: VaultId,
    place: PairingBox,
    until_ms: u64,
}

impl FolderBox {
    /// The box that a device makes which shows a code.
    pub fn new(store: Arc<FolderStore>, vault: VaultId, place: PairingBox, until_ms: u64) -> Self {
        Self { store, vault, place, until_ms }
    }

    /// The box that a device looks for at which a code was typed: in whichever vault of the folder it is.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub async fn find(
        store: &Arc<FolderStore>,
        place: PairingBox,
    ) -> Result<Option<Self>, StoreError> {
        for vault in store.vaults().await? {
            let names = store.files.names(&FolderLayout::inside(vault).boxes()).await?;
            let mut files = names.iter().filter_map(|name| BoxFile::parse(name));
            let is_offer = |file: &BoxFile| file.place == place && file.step == Step::Offer;
            if let Some(BoxFile { until_ms, .. }) = files.find(is_offer) {
                return Ok(Some(Self::new(Arc::clone(store), vault, place, until_ms)));
            }
        }
        Ok(None)
    }

    fn path(&self, step: Step) -> PathBuf {
        let file = BoxFile { until_ms: self.until_ms, place: self.place, step };
        FolderLayout::inside(self.vault).boxes().join(file.name())
    }
}

#[async_trait]
impl Mailbox for FolderBox {
    async fn put(&self, step: Step, sealed: &[u8]) -> Result<Posted, StoreError> {
        let (path, beside) = (self.path(step), FolderLayout::inside(self.vault).new_files());
        match self.store.files.write(&path, &beside, (sealed, Put::IfAbsent)).await? {
            Done::Written => Ok(Posted::There),
            // Asked again, after an answer that was lost.
            Done::Taken if self.take(step).await?.as_deref() == Some(sealed) => Ok(Posted::There),
            Done::Taken => Ok(Posted::Taken),
        }
    }

    async fn take(&self, step: Step) -> Result<Option<Vec<u8>>, StoreError> {
        self.store.files.read(&self.path(step), PAIRING_MESSAGE_BYTES_MAX).await
    }

    async fn is_open(&self) -> Result<bool, StoreError> {
        self.store.files.has(&self.path(Step::Offer)).await
    }

    async fn close(&self) -> Result<(), StoreError> {
        for step in Step::ALL {
            self.store.files.remove(&self.path(step)).await?;
        }
        let boxes = FolderLayout::inside(self.vault).boxes();
        let now_ms = u64::try_from((self.store.now_ms)()).unwrap_or_default();
        for name in self.store.files.names(&boxes).await? {
            let file = BoxFile::parse(&name);
            if file.is_some_and(|file| file.until_ms.saturating_add(STALE_MS) < now_ms) {
                self.store.files.remove(&boxes.join(name)).await?;
            }
        }
        Ok(())
    }

    fn pause_ms(&self) -> u64 {
        // A look at a place over a network is a request that somebody may pay for.
        self.store.files.look_ms().min(3_000)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use pollster::block_on;

    use super::*;

    const VAULT: VaultId = VaultId([1; 32]);
    const PLACE: PairingBox = PairingBox([2; 16]);
    const NOW_MS: i64 = 1_760_000_000_000;

    fn store(folder: &Path) -> Arc<FolderStore> {
        for vault in [VAULT, VaultId([9; 32])] {
            std::fs::create_dir_all(folder.join(vault.to_string()).join("heads")).unwrap();
        }
        Arc::new(FolderStore::open(folder, Box::new(|| NOW_MS)).unwrap())
    }

    fn until(minutes: i64) -> u64 {
        u64::try_from(NOW_MS + minutes * 60_000).unwrap()
    }

    /// PAI-11, PAI-13: found by its id alone; one message a step, and the first one stays; gone when it is taken away.
    #[test]
    fn pai_13_a_box_in_a_folder() {
        let dir = tempfile::tempdir().unwrap();
        let store = store(dir.path());
        let find = |place| block_on(FolderBox::find(&store, place)).unwrap();
        assert!(find(PLACE).is_none());
        let own = FolderBox::new(Arc::clone(&store), VAULT, PLACE, until(10));
        assert!(!block_on(own.is_open()).unwrap());
        let put = |of: &FolderBox, step, bytes: &[u8]| block_on(of.put(step, bytes)).unwrap();
        assert_eq!(put(&own, Step::Offer, b"offer"), Posted::There);
        let other = find(PLACE).unwrap();
        assert_eq!(block_on(other.take(Step::Offer)).unwrap().unwrap(), b"offer");
        assert_eq!(block_on(other.take(Step::Grant)).unwrap(), None);
        assert_eq!(put(&other, Step::Answer, b"answer"), Posted::There);
        assert_eq!(put(&other, Step::Answer, b"answer"), Posted::There, "asked again");
        assert_eq!(put(&other, Step::Answer, b"another"), Posted::Taken);
        assert_eq!(block_on(own.take(Step::Answer)).unwrap().unwrap(), b"answer");
        assert!(find(PairingBox([3; 16])).is_none());
        block_on(own.close()).unwrap();
        assert!(find(PLACE).is_none() && !block_on(other.is_open()).unwrap());
        assert!(
            std::fs::read_dir(dir.path().join(VAULT.to_string()).join("pair"))
                .unwrap()
                .next()
                .is_none()
        );
    }

    /// PAI-4, PAI-13, FLD-2: what is too large, or no box's, is not read; what was left an hour ago goes, and nothing else.
    #[test]
    fn pai_13_strays_are_passed_over_and_old_ones_go() {
        let dir = tempfile::tempdir().unwrap();
        let store = store(dir.path());
        let of = |place, minutes| FolderBox::new(Arc::clone(&store), VAULT, place, until(minutes));
        let (own, old, recent) =
            (of(PLACE, 10), of(PairingBox([3; 16]), -61), of(PairingBox([4; 16]), -59));
        for each in [&own, &old, &recent] {
            block_on(each.put(Step::Offer, b"offer")).unwrap();
        }
        let boxes = dir.path().join(VAULT.to_string()).join("pair");
        let name = own.path(Step::Offer).file_name().unwrap().to_str().unwrap().to_owned();
        let large = boxes.join(name.replace("-1", "-2"));
        std::fs::write(&large, vec![0; PAIRING_MESSAGE_BYTES_MAX + 1]).unwrap();
        assert!(block_on(own.take(Step::Answer)).is_err());
        for stray in ["note.txt", &format!("{name}.sync-conflict"), &format!("{name}0")] {
            std::fs::write(boxes.join(stray), "mine").unwrap();
        }
        block_on(own.close()).unwrap();
        let mut left: Vec<_> =
            std::fs::read_dir(&boxes).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left.len(), 4, "{left:?}");
        assert!(block_on(recent.is_open()).unwrap() && !block_on(old.is_open()).unwrap());
    }
}
