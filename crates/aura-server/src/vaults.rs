// SPDX-License-Identifier: MIT OR Apache-2.0
//! The vaults of a server: one local store each, opened when somebody asks and shut when others need the
//! room.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aura_protocol::entry::Entry;
use aura_protocol::head::Head;
use aura_protocol::id::{ChunkName, CollectionId, VaultId};
use aura_protocol::signed::Signed;
use aura_protocol::store::{Access, BlindStore as _, LocalLog, Receipt, StoreError};
use aura_store::devices::Devices;
use aura_store::local::{LocalStore, OpenError};
use pollster::block_on;

/// The time in milliseconds since 1970.
pub(crate) type Now = fn() -> i64;

/// One vault's store, open.
#[derive(Debug)]
pub(crate) struct Hosted {
    store: LocalStore,
    /// Bytes that it keeps, not less than there are.
    used: AtomicU64,
    /// Of the authority entries that are shown; read again after each push that brings some.
    devices: Mutex<Option<Arc<Devices>>>,
}

impl Hosted {
    fn open(folder: &Path, vault: VaultId, now_ms: Now) -> Result<Self, StoreError> {
        let store = LocalStore::hosted(folder, vault, Box::new(now_ms)).map_err(opened)?;
        let hosted = Self { store, used: AtomicU64::new(0), devices: Mutex::default() };
        hosted.measure()?;
        Ok(hosted)
    }

    /// The store itself, for what only reads.
    pub(crate) fn store(&self) -> &LocalStore {
        &self.store
    }

    /// Counts what is kept, anew.
    fn measure(&self) -> Result<u64, StoreError> {
        let (entries, chunks) = self.store.size_bytes()?;
        let used = entries.saturating_add(chunks);
        self.used.store(used, Ordering::Relaxed);
        Ok(used)
    }

    /// Bytes that are kept.
    pub(crate) fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    /// HTP-13: room for so many bytes more. What was counted twice is counted anew before it is refused.
    fn make_room(&self, bytes: u64, quota: u64) -> Result<(), StoreError> {
        let fits = |used: u64| quota == 0 || used.saturating_add(bytes) <= quota;
        if fits(self.used()) || fits(self.measure()?) { Ok(()) } else { Err(StoreError::Full) }
    }

    /// Which devices the vault lists.
    pub(crate) fn devices(&self) -> Result<Arc<Devices>, StoreError> {
        let mut kept = lock(&self.devices);
        if let Some(devices) = kept.as_ref() {
            return Ok(Arc::clone(devices));
        }
        let devices = Arc::new(self.store.devices()?);
        *kept = Some(Arc::clone(&devices));
        Ok(devices)
    }

    /// Takes a push.
    pub(crate) fn push(
        &self,
        head: &Signed<Head>,
        entries: &[Entry],
        quota: u64,
    ) -> Result<Receipt, StoreError> {
        let size = |entry: &Entry| (entry.header_bytes().len() + entry.body().len()) as u64;
        let bytes = entries.iter().map(size).fold(head.payload().len() as u64, u64::saturating_add);
        self.make_room(bytes, quota)?;
        let access = Access::Vault(self.store.vault());
        let receipt = block_on(self.store.push(&access, head, entries))?;
        self.used.fetch_add(bytes, Ordering::Relaxed);
        // What is staged may come to be shown by a later push, so each that completes a head counts.
        if receipt.missing.is_empty() && has_authority(head) {
            *lock(&self.devices) = None;
        }
        Ok(receipt)
    }

    /// Takes a chunk.
    pub(crate) fn put(&self, name: ChunkName, sealed: &[u8], quota: u64) -> Result<(), StoreError> {
        let access = Access::Vault(self.store.vault());
        if block_on(self.store.has(&access, &[name]))?.first() == Some(&true) {
            return block_on(self.store.put(&access, name, sealed));
        }
        let bytes = sealed.len() as u64;
        self.make_room(bytes, quota)?;
        block_on(self.store.put(&access, name, sealed))?;
        self.used.fetch_add(bytes, Ordering::Relaxed);
        Ok(())
    }
}

/// Whether a device has said something of authority. One that has stays in doubt.
fn has_authority(head: &Signed<Head>) -> bool {
    head.claim().is_ok_and(|head| head.position(CollectionId::AUTHORITY).number > 0)
}

/// What the operator may know of a store that does not open is in the log; a client learns that it is damaged.
fn opened(error: OpenError) -> StoreError {
    match error {
        OpenError::Absent => StoreError::Absent,
        OpenError::Full => StoreError::Full,
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
        match fs::remove_dir_all(self.folder(vault)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(StoreError::Io(error))
            }
            _ => Ok(()),
        }
    }

    /// Shuts a vault's store, so that it is opened anew: its files may have been taken away meanwhile.
    pub(crate) fn shut(&self, vault: VaultId) {
        let place = self.place(vault);
        *lock(&place.hosted) = None;
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
        while places.len() >= self.open_max {
            // Shut here, under the lock: nobody can open it anew before it is shut.
            let idle = places.iter().filter(|(_, place)| is_idle(place));
            let oldest = idle.min_by_key(|(_, place)| place.asked.load(Ordering::Relaxed));
            let Some(vault) = oldest.map(|(vault, _)| *vault) else { break };
            places.remove(&vault);
        }
        let place = Arc::new(Place::default());
        place.asked.store(ask, Ordering::Relaxed);
        places.insert(vault, Arc::clone(&place));
        place
    }
}

/// Whether nobody uses a place, nor what is in it.
fn is_idle(place: &Arc<Place>) -> bool {
    Arc::strong_count(place) == 1
        && lock(&place.hosted).as_ref().is_none_or(|hosted| Arc::strong_count(hosted) == 1)
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
