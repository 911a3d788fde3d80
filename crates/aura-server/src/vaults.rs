// SPDX-License-Identifier: MIT OR Apache-2.0
//! The vaults of a server: one store each, opened when somebody asks and shut when others need the room.

mod folder;

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aura_protocol::auth::login::Setup;
use aura_protocol::entry::Entry;
use aura_protocol::head::Head;
use aura_protocol::id::{ChunkName, CollectionId, DeviceId, Hash, Incarnation, VaultId};
use aura_protocol::signed::Signed;
use aura_protocol::store::{Access, BlindStore, Receipt, StoreError};
use aura_store::local::cost;
use aura_store::portable::Portable;
use pollster::block_on;

pub(crate) use self::folder::{FolderHosting, folder, is_removed, sweep};
use crate::access::{AccessLog, Leaves};
use crate::bell::News;
use crate::listing::Listing;
use crate::quota::{Cost, Used};
use crate::secrets::LogKey;

/// The time in milliseconds since 1970.
pub(crate) type Now = fn() -> i64;

/// What one node tells another, or hears of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(not(feature = "postgres"), allow(dead_code, reason = "a folder has no other nodes"))]
pub(crate) enum Heard {
    /// A vault has another head.
    Heads(VaultId),
    /// Who may ask for a vault may be another thing.
    Devices(VaultId),
    /// It may be anything.
    Anything,
}

/// Beside whom somebody works on vaults.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Company {
    /// Others who serve.
    Others,
    /// Nobody.
    Nobody,
}

/// A place among those who work on vaults, until it is dropped.
pub(crate) trait Held: Send + Sync + core::fmt::Debug {
    /// Fails where it is lost.
    fn check(&self) -> Result<(), StoreError>;
}

impl Held for () {
    fn check(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

/// A folder's lock, which nothing takes away.
impl Held for File {
    fn check(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

/// A vault's store, as a server needs it.
pub(crate) trait VaultStore: BlindStore + Portable + core::fmt::Debug {
    /// Whose it is.
    fn vault(&self) -> VaultId;

    /// A number that is another one when another node may have changed who is listed.
    fn version(&self) -> Result<i64, StoreError>;

    /// What its own authority entries come to; nothing without a genesis, or where they cannot be read.
    fn judged(&self) -> Result<Option<Listing>, StoreError>;

    /// What all of it costs now.
    fn cost_bytes(&self) -> Result<u64, StoreError>;

    /// What these devices' own entries cost, with the chunks that they name, there or not.
    fn cost_of(&self, devices: &[DeviceId]) -> Result<u64, StoreError>;
}

/// Where the vaults are.
pub(crate) trait Hosting: Send + Sync + core::fmt::Debug {
    /// The store of a vault; made, if this is its first time.
    fn open(&self, vault: VaultId) -> Result<Box<dyn VaultStore>, StoreError>;

    /// Its access log; nothing where that cannot be used. The store is opened first.
    fn log(&self, vault: VaultId) -> Option<AccessLog>;

    /// The leaves of that log.
    fn leaves(&self, vault: VaultId) -> Option<Box<dyn Leaves>>;

    /// Takes away a vault and everything that is kept for it.
    fn remove(&self, vault: VaultId) -> Result<(), StoreError>;

    /// Whether other nodes work on the same vaults.
    fn is_shared(&self) -> bool {
        false
    }

    /// Has somebody told what nodes tell each other.
    fn listen(&self, _ear: Box<dyn Fn(Heard) + Send + Sync>) {}

    /// Tells other nodes that who may ask for a vault is another thing.
    fn tell(&self, _vault: VaultId) -> Result<(), StoreError> {
        Ok(())
    }

    /// Takes away what was left by what was cut short.
    fn sweep(&self) -> Result<(), StoreError> {
        Ok(())
    }

    /// A place among those who work there, until it is dropped; nothing while somebody works there in another way. A
    /// folder is held by its own lock.
    fn hold(&self, _company: Company) -> Result<Option<Box<dyn Held>>, StoreError> {
        Ok(Some(Box::new(())))
    }

    /// Refuses keys that are not those of the other nodes; the first one's are those of all.
    fn agree(&self, setup: &Setup, log: &LogKey) -> Result<(), Disagreement> {
        self.compare(setup, log)
    }

    /// The same, and nothing is changed by it.
    fn compare(&self, _setup: &Setup, _log: &LogKey) -> Result<(), Disagreement> {
        Ok(())
    }
}

/// Why a node may not work beside the others.
#[derive(Debug, thiserror::Error)]
#[cfg_attr(not(feature = "postgres"), allow(dead_code, reason = "a folder has no other nodes"))]
pub(crate) enum Disagreement {
    /// It has another key.
    #[error("another {0} than the other nodes")]
    Key(&'static str),
    /// Nobody knows.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// One vault's store, open.
#[derive(Debug)]
pub(crate) struct Hosted {
    store: Box<dyn VaultStore>,
    /// What it costs.
    used: Used,
    /// What was asked in its name; nothing where that file cannot be used.
    log: Option<AccessLog>,
    /// Who may ask; judged again after each push that brings authority entries.
    listing: Mutex<Option<(i64, Arc<Listing>)>>,
    /// Up to which of its authority entries each incarnation was heard.
    heard: Mutex<BTreeMap<(DeviceId, Incarnation), u64>>,
}

impl Hosted {
    fn open(hosting: &dyn Hosting, vault: VaultId) -> Result<Self, StoreError> {
        let store = hosting.open(vault)?;
        let used = Used::new(store.cost_bytes()?);
        let log = hosting.log(vault);
        Ok(Self { store, used, log, listing: Mutex::default(), heard: Mutex::default() })
    }

    /// The store itself, for what only reads.
    pub(crate) fn store(&self) -> &dyn VaultStore {
        &*self.store
    }

    /// Another node may have taken something: it is counted anew, now and then.
    pub(crate) fn doubt_used(&self) {
        self.used.grow_old();
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
        // Looked at before it is judged: what changes in between is judged again.
        let version = self.store.version()?;
        if let Some((at, listing)) = kept.as_ref()
            && *at == version
        {
            return Ok(Arc::clone(listing));
        }
        let listing = Arc::new(settle(self.store.judged()?)?);
        *kept = Some((version, Arc::clone(&listing)));
        Ok(listing)
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
        let gone = block_on(self.store.forget(&access, base))?;
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
    hosting: Arc<dyn Hosting>,
    open_max: usize,
    asks: AtomicU64,
    places: Mutex<HashMap<VaultId, Arc<Place>>>,
}

impl Vaults {
    /// The vaults that are hosted there, of which so many are held open.
    pub(crate) fn new(hosting: Arc<dyn Hosting>, open_max: usize) -> Self {
        Self { hosting, open_max, asks: AtomicU64::new(0), places: Mutex::default() }
    }

    /// The store of a vault; made, if this is its first time.
    pub(crate) fn hosted(&self, vault: VaultId) -> Result<Arc<Hosted>, StoreError> {
        let place = self.place(vault);
        let mut hosted = lock(&place.hosted);
        if let Some(hosted) = hosted.as_ref() {
            return Ok(Arc::clone(hosted));
        }
        let opened = Arc::new(Hosted::open(&*self.hosting, vault)?);
        *hosted = Some(Arc::clone(&opened));
        Ok(opened)
    }

    /// Where they are.
    pub(crate) fn hosting(&self) -> &dyn Hosting {
        &*self.hosting
    }

    /// What another node took is counted with the next push.
    pub(crate) fn doubt(&self, vault: VaultId) {
        let place = lock(&self.places).get(&vault).map(Arc::clone);
        if let Some(place) = place
            && let Ok(hosted) = place.hosted.try_lock()
            && let Some(hosted) = hosted.as_ref()
        {
            hosted.doubt_used();
        }
    }

    /// Takes a vault away, and everything that is kept for it.
    pub(crate) fn remove(&self, vault: VaultId) -> Result<(), StoreError> {
        let place = self.place(vault);
        let mut hosted = lock(&place.hosted);
        *hosted = None;
        self.hosting.remove(vault)
    }

    /// Shuts the stores of vaults that have no account any more.
    pub(crate) fn keep(&self, has_account: impl Fn(VaultId) -> bool) {
        let open: Vec<VaultId> = lock(&self.places).keys().copied().collect();
        for vault in open.into_iter().filter(|vault| !has_account(*vault)) {
            let gone = lock(&self.places).remove(&vault);
            drop(gone);
        }
    }

    /// Shuts all that nobody uses.
    pub(crate) fn shut_all(&self) {
        let all = std::mem::take(&mut *lock(&self.places));
        drop(all);
    }

    /// How many are open.
    pub(crate) fn open_count(&self) -> usize {
        lock(&self.places).len()
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
        let vaults = Vaults::new(Arc::new(FolderHosting::new(folder.path().to_owned(), || 1)), 1);
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
}
