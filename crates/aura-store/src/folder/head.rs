// SPDX-License-Identifier: MIT OR Apache-2.0
//! Heads as files, one each, named by number and hash. Source: spec/folder.md, rules FLD-3 and FLD-11.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use aura_protocol::codec::{Decode, Encode};
use aura_protocol::head::{Head, Position};
use aura_protocol::id::{DeviceId, Incarnation, VaultId};
use aura_protocol::limits::HEAD_BYTES_MAX;
use aura_protocol::signed::Signed;
use aura_protocol::store::{StoreError, StoredHead};

use super::files::{Done, Files, Fits, Listed, Put, unless_damaged};
use crate::layout::FolderLayout;
use crate::wait::lock;

/// Largest file of a head: payload, signature and their frame.
const HEAD_FILE_BYTES_MAX: usize = HEAD_BYTES_MAX + 128;
/// Newest heads of an incarnation that always stay.
const NEW_HEADS: usize = 16;

/// Heads that are remembered, so that they are not read again while a listing shows them unchanged.
const KEPT_MAX: usize = 4096;
/// `DEVICE/INCARNATION/NUMBER-HASH`.
const SHAPES: [Fits; 3] = [
    |name| DeviceId::parse(name).is_some_and(|device| device.to_string() == name),
    |name| Incarnation::parse(name).is_some_and(|life| life.to_string() == name),
    |name| FolderLayout::parse_head(name).is_some(),
];

/// Sound heads by their file and what marks its bytes.
#[derive(Default)]
pub(super) struct Kept(Mutex<BTreeMap<(PathBuf, String), Signed<Head>>>);

impl Kept {
    fn find(&self, listed: &Listed) -> Option<Signed<Head>> {
        let key = (listed.path.clone(), listed.mark.clone()?);
        lock(&self.0).get(&key).cloned()
    }

    fn keep(&self, listed: &Listed, head: &Signed<Head>) {
        let Some(mark) = listed.mark.clone() else { return };
        let mut kept = lock(&self.0);
        if kept.len() >= KEPT_MAX {
            kept.clear();
        }
        kept.insert((listed.path.clone(), mark), head.clone());
    }
}

/// Files, and what is remembered of their heads.
#[derive(Clone, Copy)]
pub(super) struct HeadFiles<'a> {
    pub(super) files: &'a dyn Files,
    pub(super) kept: &'a Kept,
    pub(super) vault: VaultId,
}

impl HeadFiles<'_> {
    /// Adds a head; one that is there already is left alone.
    pub(super) async fn write(&self, claim: &Head, head: &Signed<Head>) -> Result<(), StoreError> {
        let layout = FolderLayout::inside(self.vault);
        let position = Position { number: claim.number, hash: head.hash() };
        let folder = layout.heads_of(claim.device, claim.incarnation);
        let path = folder.join(FolderLayout::head_name(&position));
        let (bytes, beside) = (head.to_bytes(), layout.new_files());
        if self.files.write(&path, &beside, (&bytes, Put::IfAbsent)).await? == Done::Taken {
            let read = self.files.read(&path, HEAD_FILE_BYTES_MAX).await;
            if unless_damaged(read)?.as_deref() == Some(&bytes) {
                return Ok(());
            }
            self.files.write(&path, &beside, (&bytes, Put::Anew)).await?;
        }
        self.prune(claim, &folder).await
    }

    /// FLD-11: heads long overtaken go, unless a newest head names them.
    async fn prune(&self, head: &Head, folder: &Path) -> Result<(), StoreError> {
        let names = self.files.names(folder).await?;
        let mut places: Vec<Position> =
            names.iter().filter_map(|name| FolderLayout::parse_head(name)).collect();
        places.sort_unstable_by_key(|place| std::cmp::Reverse(place.number));
        let Some(old) = places.get(NEW_HEADS..).filter(|old| !old.is_empty()) else {
            return Ok(());
        };
        let newest = self.newest().await?;
        let named: Vec<Position> = newest
            .iter()
            .filter_map(|stored| stored.head.claim().ok())
            .flat_map(|head| head.seen)
            .filter(|seen| (seen.device, seen.incarnation) == (head.device, head.incarnation))
            .flat_map(|seen| [seen.held, seen.applied])
            .collect();
        for place in old.iter().filter(|place| !named.contains(place)) {
            self.files.remove(&folder.join(FolderLayout::head_name(place))).await?;
        }
        Ok(())
    }

    /// The newest sound heads of every incarnation; two of one number are both shown, as evidence.
    pub(super) async fn newest(&self) -> Result<Vec<StoredHead>, StoreError> {
        let listed = self.files.tree(&FolderLayout::inside(self.vault).heads(), &SHAPES).await?;
        let mut heads = Vec::new();
        for of_life in listed.chunk_by(|a, b| a.path.parent() == b.path.parent()) {
            self.newest_of(of_life, &mut heads).await?;
        }
        Ok(heads)
    }

    async fn newest_of(
        &self,
        of_life: &[Listed],
        heads: &mut Vec<StoredHead>,
    ) -> Result<(), StoreError> {
        let mut last = 0;
        for listed in of_life.iter().rev() {
            let Some((device, incarnation, position)) = place(&listed.path) else { continue };
            if position.number < last {
                break;
            }
            let head = match self.kept.find(listed) {
                Some(head) => Some(head),
                None => self.sound(&listed.path, (device, incarnation), position).await?,
            };
            // A file that is not what its name says is passed over: an older head may be sound.
            if let Some(head) = head {
                self.kept.keep(listed, &head);
                last = position.number;
                heads.push(StoredHead { device, incarnation, position, head });
            }
        }
        Ok(())
    }

    /// One head by its place, if it is there and sound.
    pub(super) async fn read(
        &self,
        life: (DeviceId, Incarnation),
        at: Position,
    ) -> Result<Option<Signed<Head>>, StoreError> {
        let folder = FolderLayout::inside(self.vault).heads_of(life.0, life.1);
        self.sound(&folder.join(FolderLayout::head_name(&at)), life, at).await
    }

    /// The head in a file, if it is what its place says.
    async fn sound(
        &self,
        path: &Path,
        (device, incarnation): (DeviceId, Incarnation),
        at: Position,
    ) -> Result<Option<Signed<Head>>, StoreError> {
        let bytes = unless_damaged(self.files.read(path, HEAD_FILE_BYTES_MAX).await)?;
        let head =
            bytes.and_then(|bytes| Signed::<Head>::from_bytes(&bytes, HEAD_FILE_BYTES_MAX).ok());
        let is_in_place = |head: &Signed<Head>| {
            head.claim().is_ok_and(|claim| {
                (claim.vault, claim.device, claim.incarnation) == (self.vault, device, incarnation)
                    && (claim.number, head.hash()) == (at.number, at.hash)
            })
        };
        Ok(head.filter(is_in_place))
    }
}

/// What a head's path says of it.
fn place(path: &Path) -> Option<(DeviceId, Incarnation, Position)> {
    let mut parts = path.iter().rev().map(|part| part.to_str().unwrap_or_default());
    let position = FolderLayout::parse_head(parts.next()?)?;
    let incarnation = Incarnation::parse(parts.next()?)?;
    Some((DeviceId::parse(parts.next()?)?, incarnation, position))
}
