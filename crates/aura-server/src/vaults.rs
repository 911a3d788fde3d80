// SPDX-License-Identifier: MIT OR Apache-2.0
//! The vaults of a server: one local store each, opened when somebody asks and shut when others need the
//! room.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aura_protocol::entry::Entry;
use aura_protocol::head::Head;
use aura_protocol::id::{ChunkName, CollectionId, DeviceId, Hash, Incarnation, VaultId};
use aura_protocol::signed::Signed;
use aura_protocol::store::{Access, BlindStore, LocalLog, Receipt, StoreError};
use aura_store::local::{LocalStore, OpenError, cost};
use pollster::block_on;

use crate::access::AccessLog;
use crate::bell::News;
use crate::listing::Listing;
use crate::quota::{Cost, Used};

/// How names of what was taken away begin.
const REMOVED: &str = "removed-";

/// The time in milliseconds since 1970.
pub(crate) type Now = fn() -> i64;

/// One vault's store, open.
#[derive(Debug)]
pub(crate) struct Hosted {
    store: LocalStore,
    /// What it costs.
    used: Used,
    /// What was asked in its name; nothing where that file cannot be used.
    log: Option<AccessLog>,
    /// Who may ask; judged again after each push that brings authority entries.
    listing: Mutex<Option<Arc<Listing>>>,
    /// Up to which of its authority entries each incarnation was heard.
    heard: Mutex<BTreeMap<(DeviceId, Incarnation), u64>>,
}

impl Hosted {
    fn open(folder: &Path, vault: VaultId, now_ms: Now) -> Result<Self, StoreError> {
        let store = LocalStore::hosted(folder, vault, Box::new(now_ms)).map_err(opened)?;
        let log = AccessLog::open(folder, vault, now_ms);
        let used = Used::new(store.cost_bytes()?);
        let log =
            log.inspect_err(|error| tracing::error!(%error, "an access log is not kept")).ok();
        Ok(Self { store, used, log, listing: Mutex::default(), heard: Mutex::default() })
    }

    /// The store itself, for what only reads.
    pub(crate) fn store(&self) -> &LocalStore {
        &self.store
    }

    /// Bytes that it costs.
    pub(crate) fn used(&self) -> u64 {
        self.used.bytes()
    }

    /// Its access log.
    pub(crate) fn log(&self) -> Option<&AccessLog> {
        self.log.as_ref()
    }

    /// Counts what is kept, anew.
    fn measure(&self, listing: &Listing) -> Result<Cost, StoreError> {
        let bytes = self.store.cost_bytes()?;
        Ok(Cost { bytes, waiting: self.store.cost_of(&listing.waiting())? })
    }

    /// Who may ask, as `settle` has it of what the store's own entries come to.
    pub(crate) fn listing<E: From<StoreError>>(
        &self,
        settle: impl FnOnce(Option<Listing>) -> Result<Listing, E>,
    ) -> Result<Arc<Listing>, E> {
        // Held until it is settled: a push that makes it old waits to say so.
        let mut kept = lock(&self.listing);
        if let Some(listing) = kept.as_ref() {
            return Ok(Arc::clone(listing));
        }
        let listing = Arc::new(settle(self.judged()?)?);
        *kept = Some(Arc::clone(&listing));
        Ok(listing)
    }

    /// What the store's own authority entries come to; nothing without a genesis, or where they cannot be read.
    fn judged(&self) -> Result<Option<Listing>, StoreError> {
        let feeds = LocalLog::feeds(&self.store)?;
        match self.store.devices() {
            Ok(devices) => Ok(devices.roster().map(|roster| Listing::of(roster, &feeds))),
            Err(StoreError::DamagedEntry { .. } | StoreError::Damaged(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Takes a push, within the quota.
    pub(crate) fn push(
        &self,
        head: &Signed<Head>,
        entries: &[Entry],
        (quota, listing): (u64, &Listing),
    ) -> Result<(Receipt, News), StoreError> {
        let room = self.used.room(cost(head, entries, listing), quota, || self.measure(listing))?;
        let access = Access::Vault(self.store.vault());
        let receipt = block_on(self.store.push(&access, head, entries))?;
        room.keep();
        let is_changed =
            receipt.missing.is_empty() && (self.has_news_of_devices(head) || is_out(head, listing));
        if is_changed {
            *lock(&self.listing) = None;
            self.used.doubt();
        }
        Ok((receipt, if is_changed { News::Devices } else { News::Heads }))
    }

    /// Whether a head that is shown now names an authority entry that was not heard before. A head that cannot be
    /// read is not shown.
    fn has_news_of_devices(&self, head: &Signed<Head>) -> bool {
        let Ok(head) = head.claim() else { return false };
        let number = head.position(CollectionId::AUTHORITY).number;
        let mut heard = lock(&self.heard);
        let last = heard.entry((head.device, head.incarnation)).or_default();
        let is_new = number > *last;
        *last = number.max(*last);
        is_new
    }

    /// Lets go of what a snapshot covers. What it cost is counted anew.
    pub(crate) fn forget(&self, base: Hash) -> Result<u64, StoreError> {
        let access = Access::Vault(self.store.vault());
        let gone = block_on(BlindStore::forget(&self.store, &access, base))?;
        if gone > 0 {
            self.used.doubt();
        }
        Ok(gone)
    }

    /// Takes a chunk, within the quota.
    pub(crate) fn put(
        &self,
        (name, sealed): (ChunkName, &[u8]),
        (quota, listing): (u64, &Listing),
    ) -> Result<(), StoreError> {
        let access = Access::Vault(self.store.vault());
        if block_on(self.store.has(&access, &[name]))?.first() == Some(&true) {
            return block_on(self.store.put(&access, name, sealed));
        }
        // Whoever named it has paid for it, where they wait.
        let cost = Cost { bytes: cost::chunk(sealed.len() as u64), waiting: 0 };
        let room = self.used.room(cost, quota, || self.measure(listing))?;
        block_on(self.store.put(&access, name, sealed))?;
        room.keep();
        Ok(())
    }
}

/// Whether a head is of a device that is out: it may be the last one that is accepted, by which others are judged.
fn is_out(head: &Signed<Head>, listing: &Listing) -> bool {
    head.claim().is_ok_and(|head| listing.member(head.device).is_none())
}

/// What a push costs. Of a device that is not confirmed the chunks count as well that it names.
fn cost(head: &Signed<Head>, entries: &[Entry], listing: &Listing) -> Cost {
    let claim = head.claim().ok();
    let seen = claim.as_ref().map_or(0, |head| head.seen.len());
    let bytes = entries.iter().map(cost::entry).fold(cost::head(head, seen), u64::saturating_add);
    if claim.is_some_and(|head| listing.is_confirmed(head.device)) {
        return Cost { bytes, waiting: 0 };
    }
    let chunks = entries.iter().flat_map(|entry| &entry.header().added);
    let chunks = chunks.map(|chunk| cost::chunk(chunk.size_bytes));
    Cost { bytes, waiting: chunks.fold(bytes, u64::saturating_add) }
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

/// A place for an open store: found by everybody at once, opened by the first.
#[derive(Debug, Default)]
struct Place {
    hosted: Mutex<Option<Arc<Hosted>>>,
    /// When it was asked for last, in asks.
    asked: AtomicU64,
}

/// Every vault of a server.
#[derive(Debug)]
pub(crate) struct Vaults {
    root: PathBuf,
    now_ms: Now,
    open_max: usize,
    asks: AtomicU64,
    places: Mutex<HashMap<VaultId, Arc<Place>>>,
}

impl Vaults {
    /// The vaults in a folder, of which so many are held open.
    pub(crate) fn new(root: PathBuf, open_max: usize, now_ms: Now) -> Self {
        Self { root, now_ms, open_max, asks: AtomicU64::new(0), places: Mutex::default() }
    }

    /// The store of a vault; made, if this is its first time.
    pub(crate) fn hosted(&self, vault: VaultId) -> Result<Arc<Hosted>, StoreError> {
        let place = self.place(vault);
        let mut hosted = lock(&place.hosted);
        if let Some(hosted) = hosted.as_ref() {
            return Ok(Arc::clone(hosted));
        }
        let opened = Arc::new(Hosted::open(&self.folder(vault), vault, self.now_ms)?);
        *hosted = Some(Arc::clone(&opened));
        Ok(opened)
    }

    /// Takes a vault and everything that is kept for it off the disk.
    pub(crate) fn remove(&self, vault: VaultId) -> Result<(), StoreError> {
        let place = self.place(vault);
        let mut hosted = lock(&place.hosted);
        *hosted = None;
        take_away(&self.root, vault).map_err(StoreError::Io)
    }

    /// Shuts the stores of vaults that have no account any more.
    pub(crate) fn keep(&self, has_account: impl Fn(VaultId) -> bool) {
        let open: Vec<VaultId> = lock(&self.places).keys().copied().collect();
        for vault in open.into_iter().filter(|vault| !has_account(*vault)) {
            let gone = lock(&self.places).remove(&vault);
            drop(gone);
        }
    }

    /// How many are open.
    pub(crate) fn open_count(&self) -> usize {
        lock(&self.places).len()
    }

    fn folder(&self, vault: VaultId) -> PathBuf {
        folder(&self.root, vault)
    }

    fn place(&self, vault: VaultId) -> Arc<Place> {
        let mut places = lock(&self.places);
        let ask = self.asks.fetch_add(1, Ordering::Relaxed);
        if let Some(place) = places.get(&vault) {
            place.asked.store(ask, Ordering::Relaxed);
            return Arc::clone(place);
        }
        let mut idle = Vec::new();
        while places.len().saturating_sub(idle.len()) >= self.open_max {
            let found = places.iter().filter(|(_, place)| is_idle(place));
            let oldest = found.min_by_key(|(_, place)| place.asked.load(Ordering::Relaxed));
            let Some((vault, place)) = oldest else { break };
            idle.push((*vault, Arc::clone(place)));
        }
        let place = Arc::new(Place::default());
        place.asked.store(ask, Ordering::Relaxed);
        places.insert(vault, Arc::clone(&place));
        drop(places);
        idle.into_iter().for_each(|(vault, place)| self.shut(vault, &place));
        place
    }

    /// Shuts a store, which takes a while, and keeps nobody from the others. Its place stays until it is shut:
    /// whoever asks for it meanwhile waits there, and opens it anew.
    fn shut(&self, vault: VaultId, place: &Arc<Place>) {
        {
            let mut hosted = lock(&place.hosted);
            if hosted.as_ref().is_some_and(|hosted| Arc::strong_count(hosted) > 1) {
                return;
            }
            *hosted = None;
        }
        let mut places = lock(&self.places);
        // This one, and the one that is looked at: nobody else has it.
        let is_unused =
            |found: &Arc<Place>| Arc::ptr_eq(found, place) && Arc::strong_count(found) == 2;
        if places.get(&vault).is_some_and(is_unused) {
            places.remove(&vault);
        }
    }
}

/// Whether nobody uses a place, nor what is in it.
fn is_idle(place: &Arc<Place>) -> bool {
    Arc::strong_count(place) == 1
        && lock(&place.hosted).as_ref().is_none_or(|hosted| Arc::strong_count(hosted) == 1)
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

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]

    use super::*;

    /// A store that is being shut is waited for by who asks for it, not found in use.
    #[test]
    fn stores_are_shut_and_opened_by_many_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let vaults = Vaults::new(folder.path().to_owned(), 1, || 1);
        std::thread::scope(|scope| {
            for thread in 0..4_u8 {
                let vaults = &vaults;
                scope.spawn(move || {
                    for round in 0..30_u8 {
                        vaults.hosted(VaultId([(thread ^ round) % 3; 32])).unwrap();
                    }
                });
            }
        });
        drop(vaults.hosted(VaultId([9; 32])).unwrap());
        assert_eq!(vaults.open_count(), 1);
    }

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
