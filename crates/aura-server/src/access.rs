// SPDX-License-Identifier: MIT OR Apache-2.0
//! A vault's access log: what was asked in its name, as a Merkle log that the server signs and only its devices read.
//!
//! Writes, proofs and refusals stand there one by one, reads and polls as counts for a device and a minute. The log
//! stands where the vault's store does and is durable before a checkpoint names it.
//! Source: spec/access-log.md, rules ACL-1 to ACL-9.

mod file;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use aura_protocol::codec::Encode as _;
use aura_protocol::id::{DeviceId, Hash, VaultId};
use aura_protocol::log::{
    AccessEvent, AccessKind, Checkpoint, Frontier, TILE_HEIGHT, TILE_WIDTH, TileKind, TilePath,
    access_log, sealed_note,
};
use aura_protocol::store::StoreError;

pub(crate) use self::file::{FILE, FileLeaves};

use crate::secrets::LogKey;

/// Leaves whose text is kept: the newest ones. Hashes are kept of all.
pub(crate) const TEXTS_KEPT: u64 = 1 << 16;
/// A log has so many leaves at most. What comes later is not logged, and devices say that it is silent.
pub(crate) const LEAVES_MAX: u64 = 1 << 24;
/// So many refusals of a minute stand one by one, the others as one count: nobody fills a log by being refused.
const REFUSALS_EACH: u64 = 8;
/// A minute.
const MINUTE_MS: u64 = 60_000;
/// The largest encoded frontier.
pub(crate) const FRONTIER_BYTES_MAX: usize = 4 << 10;

/// A leaf's hash, and its text where that is kept.
pub(crate) type Leaf = (Hash, Option<Vec<u8>>);

/// Where a log's leaves are.
pub(crate) trait Leaves: Send + core::fmt::Debug {
    /// Makes this the first leaf, if there is none.
    fn begin(&mut self, leaf: Vec<u8>) -> Result<(), StoreError>;

    /// Appends leaves, all or none. A log that is full takes none.
    fn append(&mut self, leaves: &[Vec<u8>]) -> Result<(), StoreError>;

    /// Appends leaves of another log, of which the texts may be gone.
    fn take_over(&mut self, leaves: &[Leaf]) -> Result<(), StoreError>;

    /// What the log comes to, durably.
    fn settle(&mut self) -> Result<Frontier, StoreError>;

    /// Hashes or texts of a tile, as many as there are.
    fn tile(&self, path: TilePath) -> Result<Vec<Vec<u8>>, StoreError>;
}

/// A log that is open.
#[derive(Debug)]
pub(crate) struct AccessLog {
    vault: VaultId,
    now_ms: fn() -> i64,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    leaves: Box<dyn Leaves>,
    /// Since this minute began.
    minute: u64,
    counts: BTreeMap<(Option<DeviceId>, AccessKind), u64>,
    refusals: u64,
}

impl AccessLog {
    /// Opens the log in a vault's folder, or begins one.
    pub(crate) fn open(
        folder: &Path,
        vault: VaultId,
        now_ms: fn() -> i64,
    ) -> Result<Self, StoreError> {
        Ok(Self::of(Box::new(FileLeaves::open(folder)?), vault, now_ms))
    }

    /// The log with these leaves; begun, if it has none.
    pub(crate) fn of(leaves: Box<dyn Leaves>, vault: VaultId, now_ms: fn() -> i64) -> Self {
        let inner = Inner { leaves, minute: 0, counts: BTreeMap::new(), refusals: 0 };
        let log = Self { vault, now_ms, inner: Mutex::new(inner) };
        let (time_ms, kind) = (log.now(), AccessKind::Began);
        let began = AccessEvent { time_ms, kind, device: None, count: 1 };
        if let Err(error) = log.inner().leaves.begin(began.to_bytes()) {
            tracing::error!(%error, "an access log could not be begun");
        }
        log
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> u64 {
        u64::try_from((self.now_ms)()).unwrap_or_default()
    }

    /// Notes something that stands for itself (ACL-2).
    pub(crate) fn note(&self, kind: AccessKind, device: Option<DeviceId>, count: u64) {
        let time_ms = self.now();
        let mut inner = self.inner();
        let mut events = inner.turn(time_ms);
        let is_refusal = matches!(kind, AccessKind::Refused | AccessKind::Unproved);
        inner.refusals = inner.refusals.saturating_add(u64::from(is_refusal));
        if is_refusal && inner.refusals > REFUSALS_EACH {
            inner.count(kind, None);
        } else {
            events.push(AccessEvent { time_ms, kind, device, count });
        }
        inner.append(&events);
    }

    /// Counts what stands as a count for its minute (ACL-3).
    pub(crate) fn count(&self, kind: AccessKind, device: Option<DeviceId>) {
        let time_ms = self.now();
        let mut inner = self.inner();
        let events = inner.turn(time_ms);
        inner.count(kind, device);
        inner.append(&events);
    }

    /// What the log comes to now, signed, and durable before (ACL-6). Minutes that are over are in it.
    pub(crate) fn checkpoint(&self, key: &LogKey) -> Result<Option<String>, StoreError> {
        let mut inner = self.inner();
        let events = inner.turn(self.now());
        inner.append(&events);
        let signer = access_log(self.vault, key.public());
        let frontier = inner.leaves.settle()?;
        let (size, root) = (frontier.size(), frontier.root());
        drop(inner);
        let checkpoint = Checkpoint { origin: signer.name.clone(), size, root };
        let signature = key.sign(checkpoint.to_text().as_bytes());
        Ok(signature.map(|signature| sealed_note(&checkpoint, &signer, &signature)))
    }

    /// The key's text, as C2SP tools take it.
    pub(crate) fn key(&self, key: &LogKey) -> String {
        format!("{}\n", access_log(self.vault, key.public()).to_text())
    }

    /// A tile, if the log has all of it (ACL-4, ACL-5).
    pub(crate) fn tile(&self, path: TilePath) -> Result<Option<Vec<u8>>, StoreError> {
        let found = self.inner().leaves.tile(path)?;
        let is_whole = found.len() as u64 == path.width;
        let mut bytes = Vec::new();
        for one in found {
            if path.kind == TileKind::Entries {
                bytes.extend(u16::try_from(one.len()).unwrap_or_default().to_be_bytes());
            }
            bytes.extend(one);
        }
        Ok(is_whole.then_some(bytes))
    }
}

impl Drop for AccessLog {
    /// What was counted of this minute is not lost with the store's being shut.
    fn drop(&mut self) {
        let inner = self.inner.get_mut().unwrap_or_else(PoisonError::into_inner);
        let events = inner.turn(u64::MAX);
        inner.append(&events);
        // Whoever asks next sees whether it was.
        inner.leaves.settle().map(drop).ok();
    }
}

impl Inner {
    /// Begins another minute if it is one: what was counted in the one before.
    fn turn(&mut self, now_ms: u64) -> Vec<AccessEvent> {
        let minute = now_ms / MINUTE_MS;
        if minute == self.minute {
            return Vec::new();
        }
        let time_ms = self.minute.saturating_mul(MINUTE_MS);
        (self.minute, self.refusals) = (minute, 0);
        let counts = std::mem::take(&mut self.counts).into_iter();
        counts.map(|((device, kind), count)| AccessEvent { time_ms, kind, device, count }).collect()
    }

    fn count(&mut self, kind: AccessKind, device: Option<DeviceId>) {
        let count = self.counts.entry((device, kind)).or_default();
        *count = count.saturating_add(1);
    }

    /// Appends leaves. A log that cannot be written keeps nobody from the vault; devices see that it is silent.
    fn append(&mut self, events: &[AccessEvent]) {
        if events.is_empty() {
            return;
        }
        let leaves: Vec<_> = events.iter().map(AccessEvent::to_bytes).collect();
        if let Err(error) = self.leaves.append(&leaves) {
            tracing::error!(%error, "an access log could not be written");
        }
    }
}

const _: () = assert!(1 << TILE_HEIGHT == TILE_WIDTH);

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]

    use aura_protocol::codec::Decode as _;
    use aura_protocol::log::open_note;

    use super::*;

    const VAULT: VaultId = VaultId([7; 32]);

    fn events(log: &AccessLog, size: u64) -> Vec<AccessEvent> {
        let path = TilePath { kind: TileKind::Entries, number: 0, width: size };
        let bytes = log.tile(path).unwrap().unwrap();
        let (mut rest, mut events) = (bytes.as_slice(), Vec::new());
        while let Some((length, after)) = rest.split_first_chunk::<2>() {
            let (leaf, after) = after.split_at(usize::from(u16::from_be_bytes(*length)));
            events.push(AccessEvent::from_bytes(leaf, 64).unwrap());
            rest = after;
        }
        events
    }

    fn kinds(log: &AccessLog, size: u64) -> Vec<(AccessKind, u64)> {
        events(log, size).iter().map(|event| (event.kind, event.count)).collect()
    }

    /// ACL-6, ACL-9: what a checkpoint names is there when the log is opened again, and it goes on from there.
    #[test]
    fn acl_6_a_log_goes_on_where_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let key = LogKey::load(folder.path()).unwrap();
        let signer = access_log(VAULT, key.public());
        let log = AccessLog::open(folder.path(), VAULT, || 1_000).unwrap();
        for _ in 0..300 {
            log.note(AccessKind::Written, Some(DeviceId([1; 16])), 2);
        }
        let note = log.checkpoint(&key).unwrap().unwrap();
        let first = open_note(note.as_bytes(), &signer).unwrap();
        assert_eq!(first.size, 301);
        drop(log);
        let key = LogKey::load(folder.path()).unwrap();
        let log = AccessLog::open(folder.path(), VAULT, || 1_000).unwrap();
        let again = open_note(log.checkpoint(&key).unwrap().unwrap().as_bytes(), &signer).unwrap();
        assert_eq!(again, first);
        // Tiles come to the same root, by leaves and by whole tiles.
        let tile = |level, number, width| {
            let path = TilePath { kind: TileKind::Hashes(level), number, width };
            log.tile(path).unwrap()
        };
        let mut leaves = Frontier::new();
        for hash in [tile(0, 0, 256).unwrap(), tile(0, 1, 45).unwrap()].concat().chunks(32) {
            leaves.push(Hash::from_slice(hash).unwrap());
        }
        assert_eq!(leaves.root(), first.root);
        let mut whole = Frontier::new();
        assert!(whole.push_subtree(8, Hash::from_slice(&tile(1, 0, 1).unwrap()).unwrap()));
        for hash in tile(0, 1, 45).unwrap().chunks(32) {
            whole.push(Hash::from_slice(hash).unwrap());
        }
        assert_eq!(whole.root(), first.root);
        assert_eq!((tile(0, 1, 46), tile(1, 0, 2), tile(2, 0, 1)), (None, None, None));
    }

    /// ACL-3: reads and polls are counts of a minute, and are not lost when the store is shut.
    #[test]
    fn acl_3_polls_are_counts() {
        let folder = tempfile::tempdir().unwrap();
        let log = AccessLog::open(folder.path(), VAULT, || 1_000).unwrap();
        let device = Some(DeviceId([1; 16]));
        for _ in 0..5 {
            log.count(AccessKind::Polled, device);
        }
        log.count(AccessKind::Read, device);
        log.note(AccessKind::Written, device, 1);
        assert_eq!(kinds(&log, 2), [(AccessKind::Began, 1), (AccessKind::Written, 1)]);
        drop(log);
        let log = AccessLog::open(folder.path(), VAULT, || 61_000).unwrap();
        let last = [(AccessKind::Read, 1), (AccessKind::Polled, 5)];
        assert_eq!(kinds(&log, 4)[2..], last);
    }

    /// ACL-2, attacks AVL-03, LOG-09: whoever is refused again and again does not fill the log.
    #[test]
    fn acl_2_many_refusals_are_one_leaf() {
        let folder = tempfile::tempdir().unwrap();
        let log = AccessLog::open(folder.path(), VAULT, || 1_000).unwrap();
        for _ in 0..1_000 {
            log.note(AccessKind::Unproved, None, 1);
        }
        drop(log);
        let log = AccessLog::open(folder.path(), VAULT, || 61_000).unwrap();
        let kinds = kinds(&log, 10);
        assert_eq!(kinds.last(), Some(&(AccessKind::Unproved, 992)));
    }
}
