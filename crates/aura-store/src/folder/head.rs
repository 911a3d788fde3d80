// SPDX-License-Identifier: MIT OR Apache-2.0
//! Heads as files, one each, named by number and hash. Source: spec/folder.md, rules FLD-3, FLD-11 and FLD-21.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use aura_protocol::codec::{Decode, Encode};
use aura_protocol::head::{Head, Position};
use aura_protocol::id::{DeviceId, Incarnation, VaultId};
use aura_protocol::limits::{HEAD_BYTES_MAX, LIVES_MAX, SHOWN_HEADS_BYTES_MAX};
use aura_protocol::signed::Signed;
use aura_protocol::store::{Signers, StoreError, StoredHead};

use super::files::{Done, Files, Fits, Listed, Put, unless_damaged};
use crate::layout::FolderLayout;
use crate::wait::lock;

/// Largest file of a head: payload, signature and their frame.
const HEAD_FILE_BYTES_MAX: usize = HEAD_BYTES_MAX + 128;
/// Newest heads of an incarnation that always stay.
const NEW_HEADS: usize = 16;

/// Heads of one number that are shown of an incarnation: two are evidence, and anybody may add more.
const EVIDENCE_MAX: usize = 4;
/// Heads that are remembered, so that they are not read again while a listing shows them unchanged, and their bytes.
const KEPT_MAX: usize = 4096;
const KEPT_BYTES_MAX: usize = SHOWN_HEADS_BYTES_MAX;
/// `DEVICE/INCARNATION/NUMBER-HASH`.
const SHAPES: [Fits; 3] = [
    |name| DeviceId::parse(name).is_some_and(|device| device.to_string() == name),
    |name| Incarnation::parse(name).is_some_and(|life| life.to_string() == name),
    |name| FolderLayout::parse_head(name).is_some(),
];

/// What is known of a file of a head while it has these bytes.
#[derive(Clone)]
enum Seen {
    /// Sound, and signed by its device.
    Signed(Signed<Head>),
    /// Sound, of a device whose key is not known.
    Unknown(Signed<Head>),
    /// Not signed by its device (FLD-21).
    Forged,
}

/// Heads by their file and what marks its bytes, and the size of all.
#[derive(Default)]
struct Remembered {
    by_file: BTreeMap<(PathBuf, String), Seen>,
    size_bytes: usize,
}

/// What is remembered of heads, and who signs what.
#[derive(Default)]
pub(super) struct Kept {
    seen: Mutex<Remembered>,
    signers: Mutex<Arc<Signers>>,
}

impl Kept {
    /// FLD-21: from now on heads of these devices count only if they have signed them.
    pub(super) fn learn(&self, signers: &Signers) {
        let mut known = lock(&self.signers);
        if **known != *signers {
            *known = Arc::new(signers.clone());
        }
    }

    fn find(&self, listed: &Listed) -> Option<Seen> {
        let key = (listed.path.clone(), listed.mark.clone()?);
        lock(&self.seen).by_file.get(&key).cloned()
    }

    fn keep(&self, listed: &Listed, seen: &Seen) {
        let Some(mark) = listed.mark.clone() else { return };
        let mut kept = lock(&self.seen);
        let more = seen.size_bytes();
        let is_large = kept.size_bytes.saturating_add(more) > KEPT_BYTES_MAX;
        if kept.by_file.len() >= KEPT_MAX || is_large {
            *kept = Remembered::default();
        }
        let before = kept.by_file.insert((listed.path.clone(), mark), seen.clone());
        let before = before.map_or(0, |before| before.size_bytes());
        kept.size_bytes = kept.size_bytes.saturating_sub(before).saturating_add(more);
    }
}

impl Seen {
    /// Whether a head is its device's, as far as that is known.
    fn of(head: Signed<Head>, signer: Option<&[u8; 32]>) -> Self {
        match signer {
            None => Self::Unknown(head),
            Some(key) if head.is_signed_by(key) => Self::Signed(head),
            Some(_) => Self::Forged,
        }
    }

    fn size_bytes(&self) -> usize {
        match self {
            Self::Signed(head) | Self::Unknown(head) => head.payload().len(),
            Self::Forged => 0,
        }
    }

    fn head(self) -> Option<Signed<Head>> {
        match self {
            Self::Signed(head) | Self::Unknown(head) => Some(head),
            Self::Forged => None,
        }
    }
}

/// What a look at the heads comes to.
#[derive(Default)]
struct Shown {
    heads: Vec<StoredHead>,
    bytes: usize,
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

    /// FLD-11: heads long overtaken go, unless a newest head names them. By its name a file may say anything: only what
    /// stands below the head that was written is overtaken.
    async fn prune(&self, head: &Head, folder: &Path) -> Result<(), StoreError> {
        let names = self.files.names(folder).await?;
        let places = names.iter().filter_map(|name| FolderLayout::parse_head(name));
        let mut places: Vec<Position> =
            places.filter(|place| place.number <= head.number).collect();
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
        let is_overtaken =
            |place: &&Position| place.number < head.number && !named.contains(*place);
        for place in old.iter().filter(is_overtaken) {
            self.files.remove(&folder.join(FolderLayout::head_name(place))).await?;
        }
        Ok(())
    }

    /// The newest sound heads of every incarnation; two of one number are both shown, as evidence. Of devices that are
    /// not known as many as all heads of a vault may be: anybody can make one up.
    pub(super) async fn newest(&self) -> Result<Vec<StoredHead>, StoreError> {
        let listed = self.files.tree(&FolderLayout::inside(self.vault).heads(), &SHAPES).await?;
        let signers = Arc::clone(&lock(&self.kept.signers));
        let is_known = |of_life: &&[Listed]| {
            let device = of_life.first().and_then(|listed| place(&listed.path));
            device.is_some_and(|(device, ..)| signers.contains_key(&device))
        };
        let lives = listed.chunk_by(|a, b| a.path.parent() == b.path.parent());
        let (known, others): (Vec<_>, Vec<_>) = lives.partition(is_known);
        let mut shown = Shown::default();
        for of_life in known {
            self.newest_of(of_life, &signers, &mut shown).await?;
        }
        for of_life in others {
            if shown.heads.len() >= LIVES_MAX || shown.bytes >= SHOWN_HEADS_BYTES_MAX {
                break;
            }
            self.newest_of(of_life, &signers, &mut shown).await?;
        }
        Ok(shown.heads)
    }

    async fn newest_of(
        &self,
        of_life: &[Listed],
        signers: &Signers,
        shown: &mut Shown,
    ) -> Result<(), StoreError> {
        let (mut last, before) = (0, shown.heads.len());
        for listed in of_life.iter().rev() {
            let Some((device, incarnation, position)) = place(&listed.path) else { continue };
            if position.number < last || shown.heads.len() >= before.saturating_add(EVIDENCE_MAX) {
                break;
            }
            let signer = signers.get(&device);
            let seen = match self.kept.find(listed) {
                Some(Seen::Unknown(head)) if signer.is_some() => Some(Seen::of(head, signer)),
                Some(seen) => Some(seen),
                None => {
                    let head = self.sound(&listed.path, (device, incarnation), position).await?;
                    head.map(|head| Seen::of(head, signer))
                }
            };
            // A file that is not what its name says, or that its device has not signed, is passed over: an older head
            // may be sound.
            let Some(seen) = seen else { continue };
            self.kept.keep(listed, &seen);
            if let Some(head) = seen.head() {
                last = position.number;
                shown.bytes = shown.bytes.saturating_add(head.payload().len());
                shown.heads.push(StoredHead { device, incarnation, position, head });
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
