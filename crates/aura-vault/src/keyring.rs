// SPDX-License-Identifier: MIT OR Apache-2.0
//! Every key of an open vault, and what each collection is for.
//!
//! The keyring is a set, not a file: each (collection, epoch) → key is an op in the root collection,
//! sealed under the keyring key, so that two devices that rotate at once lose nothing. The file is a
//! cache of it, together with the keys of this device's own views, which are random, belong to no
//! format and may be lost: the views are then built again.
//! Source: spec/keyring.md, rules KRG-1 to KRG-11.

mod second;

use std::collections::BTreeMap;

use aura_crypto::aead::{self, Context, Hedge, OpenError};
use aura_crypto::entropy::Entropy;
use aura_crypto::hpke::RecipientError;
use aura_crypto::kdf;
use aura_crypto::key::{
    CollectionKey, DatabaseKey, DeviceFileKey, HedgeKey, KeyringKey, RootKey, SearchKey,
    SecondFileKey, SecondLockBase, SecretKey,
};
use aura_crypto::slot::SecondLockSecrets;
use aura_crypto::tree;
use aura_protocol::authority::SecondLock;
use aura_protocol::codec::{CodecError, Decode, Encode, Reader, Writer};
use aura_protocol::id::{CollectionId, EpochId, FeedId, SlotId, VaultId};
use aura_protocol::label::Label;
use zeroize::Zeroizing;

use self::second::Seconds;
use crate::op::Change;
use crate::record::Category;

const COLLECTIONS_MAX: usize = 65_536;

/// What a collection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Purpose {
    /// The records of a category.
    Category(Category),
    /// The audit log.
    Audit,
}

impl Purpose {
    /// The number in a `Name` op.
    pub fn code(self) -> u8 {
        match self {
            Self::Category(category) => category.code(),
            Self::Audit => 0,
        }
    }

    /// The purpose with this number, if this version knows it.
    pub fn from_code(code: u8) -> Option<Self> {
        match code {
            0 => Some(Self::Audit),
            code => Category::from_code(code).map(Self::Category),
        }
    }
}

/// Keys that follow from the root key.
pub struct RootKeys {
    /// The root key itself, for wrapping it to a further slot.
    pub root: RootKey,
    /// Its generation.
    pub generation: EpochId,
    keyring: KeyringKey,
    hedge: HedgeKey,
    device_file: DeviceFileKey,
}

impl RootKeys {
    /// Derives what follows from a vault's root key (KRG-1).
    pub fn derive(root: RootKey, vault: VaultId, generation: EpochId) -> Self {
        Self {
            keyring: tree::keyring_key(&root, &vault, generation),
            hedge: tree::hedge_key(&root, &vault, generation),
            device_file: tree::device_file_key(&root, &vault, generation),
            root,
            generation,
        }
    }

    /// The key that seals `device.key`.
    pub fn device_file(&self) -> &DeviceFileKey {
        &self.device_file
    }

    /// Half of what opens the second lock, if these are the root keys that it hangs from.
    pub fn second_base(&self, vault: VaultId, lock: &SecondLock) -> Option<SecondLockBase> {
        let is_own = lock.generation == self.generation;
        is_own.then(|| tree::second_lock_base(&self.root, &vault, self.generation))
    }

    /// A hedge key of its own for the search index, which seals in threads of its own.
    pub fn search_hedge(&self) -> HedgeKey {
        kdf::derive(&self.hedge, Label::SearchHedge, &[])
    }
}

/// Keys of this device's own views.
pub struct ViewKeys {
    /// Opens the database.
    pub database: DatabaseKey,
    /// Opens the search index.
    pub search: SearchKey,
}

impl ViewKeys {
    /// New random ones.
    pub fn generate(entropy: &mut dyn Entropy) -> Self {
        Self { database: DatabaseKey::generate(entropy), search: SearchKey::generate(entropy) }
    }

    /// A second copy of the database key, for the database to keep.
    pub fn database_key(&self) -> DatabaseKey {
        DatabaseKey::from_bytes(Zeroizing::new(*self.database.dangerous_bytes()))
    }

    /// A second copy of the search key, for the index to keep.
    pub fn search_key(&self) -> SearchKey {
        SearchKey::from_bytes(Zeroizing::new(*self.search.dangerous_bytes()))
    }

    /// The bytes of the file with the keys of the views behind this second lock (KRG-9).
    pub fn to_second_file(
        &self,
        key: &SecondFileKey,
        place: (VaultId, EpochId),
        hedge: &mut Hedge<'_>,
    ) -> Vec<u8> {
        let mut w = Writer::new();
        w.map(2).uint(1).bytes(self.database.dangerous_bytes());
        w.uint(2).bytes(self.search.dangerous_bytes());
        let plain = Zeroizing::new(w.into_bytes());
        aead::seal(key, &second_views_context(place), hedge, &plain)
    }

    /// The keys in such a file.
    ///
    /// # Errors
    /// When the file is not one of this vault and lock.
    pub fn from_second_file(
        key: &SecondFileKey,
        place: (VaultId, EpochId),
        sealed: &[u8],
    ) -> Result<Self, OpenError> {
        let plain = aead::open(key, &second_views_context(place), sealed)?;
        let mut reader = Reader::new(&plain);
        let (views, _) = reader.map(read_views).map_err(|_| OpenError)?;
        reader.finish().map_err(|_| OpenError)?;
        Ok(views)
    }
}

fn second_views_context((vault, lock): (VaultId, EpochId)) -> Context {
    Context::new(Label::SecondViews)
        .bytes(&vault.0)
        .uint(u64::from(lock.counter))
        .bytes(&lock.nonce.0)
}

/// Every key of an open vault.
pub struct Keyring {
    vault: VaultId,
    /// Those of the newest generation that is open.
    roots: RootKeys,
    /// Those of the generations before.
    older: BTreeMap<EpochId, RootKeys>,
    /// Secret keys, by the generation they came with and their slot.
    secret_keys: BTreeMap<(EpochId, SlotId), SecretKey>,
    keys: BTreeMap<(CollectionId, EpochId), CollectionKey>,
    seconds: Seconds,
    names: BTreeMap<CollectionId, Purpose>,
    applied: BTreeMap<FeedId, u64>,
}

impl core::fmt::Debug for Keyring {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Keyring(redacted)")
    }
}

impl Keyring {
    /// A keyring with no collection but the root collection.
    pub fn new(vault: VaultId, roots: RootKeys) -> Self {
        let mut keys = BTreeMap::new();
        let root = tree::root_collection_key(&roots.root, &vault, roots.generation);
        keys.insert((CollectionId::ROOT, roots.generation), root);
        Self {
            vault,
            roots,
            older: BTreeMap::new(),
            secret_keys: BTreeMap::new(),
            keys,
            seconds: Seconds::default(),
            names: BTreeMap::new(),
            applied: BTreeMap::new(),
        }
    }

    /// Whose it is.
    pub fn vault(&self) -> VaultId {
        self.vault
    }

    /// The newest root key and what follows from it.
    pub fn roots(&self) -> &RootKeys {
        &self.roots
    }

    /// The root keys of every generation that is open, the newest one first.
    pub fn generations(&self) -> impl Iterator<Item = &RootKeys> {
        core::iter::once(&self.roots).chain(self.older.values().rev())
    }

    /// Whether the root key of this generation is here.
    pub fn has_generation(&self, generation: EpochId) -> bool {
        self.roots.generation == generation || self.older.contains_key(&generation)
    }

    /// Takes in the root keys of a further generation (KRG-1).
    pub fn add_roots(&mut self, roots: RootKeys) {
        let generation = roots.generation;
        if self.has_generation(generation) {
            return;
        }
        let key = tree::root_collection_key(&roots.root, &self.vault, generation);
        self.keys.insert((CollectionId::ROOT, generation), key);
        let older = if generation > self.roots.generation {
            core::mem::replace(&mut self.roots, roots)
        } else {
            roots
        };
        self.older.insert(older.generation, older);
    }

    /// Half of what opens a second lock, if the root key that it hangs from is here.
    pub fn second_base(&self, lock: &SecondLock) -> Option<SecondLockBase> {
        self.generations().find_map(|roots| roots.second_base(self.vault, lock))
    }

    /// The secret keys that were handed on (KRG-11), that of the newest generation first.
    pub fn secret_keys(&self) -> impl Iterator<Item = &SecretKey> {
        self.secret_keys.values().rev()
    }

    /// An op that hands the secret key of a new slot on to the vault's other devices (KRG-11).
    pub fn hand_on(
        &self,
        slot: SlotId,
        secret_key: &SecretKey,
        entropy: &mut dyn Entropy,
    ) -> Change {
        let mut hedge = Hedge::new(&self.roots.hedge, entropy);
        let context = self.secret_key_context(slot, self.roots.generation);
        let bytes = secret_key.dangerous_bytes();
        let sealed = aead::seal(&self.roots.keyring, &context, &mut hedge, bytes);
        Change::SecretKey { slot, sealed }
    }

    /// What makes salts unrepeatable.
    pub fn hedge<'a>(&'a self, entropy: &'a mut dyn Entropy) -> Hedge<'a> {
        Hedge::new(&self.roots.hedge, entropy)
    }

    /// As [`Keyring::hedge`], for what is too large to hash first.
    pub fn hedge_key(&self) -> &HedgeKey {
        &self.roots.hedge
    }

    /// The key of an epoch. None of a collection that is shut, those of older epochs included (KRG-8).
    pub fn key(&self, collection: CollectionId, epoch: EpochId) -> Option<&CollectionKey> {
        if self.is_shut(collection) {
            return None;
        }
        self.seconds.key((collection, epoch)).or_else(|| self.keys.get(&(collection, epoch)))
    }

    /// Whether a collection is behind the second lock.
    pub fn is_second_locked(&self, collection: CollectionId) -> bool {
        self.seconds.covers(collection)
    }

    /// Whether a collection is behind the second lock, and that is shut.
    pub fn is_shut(&self, collection: CollectionId) -> bool {
        !self.seconds.is_open() && self.seconds.covers(collection)
    }

    /// Whether the second lock is open.
    pub fn is_second_open(&self) -> bool {
        self.seconds.is_open()
    }

    /// Collections that are behind the second lock, ascending.
    pub fn second_locked(&self) -> Vec<CollectionId> {
        self.seconds.collections()
    }

    /// Collections that wait because the second lock is shut, ascending.
    pub fn waiting(&self) -> Vec<CollectionId> {
        if self.seconds.is_open() { Vec::new() } else { self.seconds.collections() }
    }

    /// Opens what is behind the second lock with its secrets, which were compared with the listed keys.
    pub fn open_second(&mut self, lock: EpochId, secrets: &SecondLockSecrets) {
        self.seconds.open(self.vault, lock, &secrets.kem);
    }

    /// Wipes the keys behind the second lock.
    pub fn shut_second(&mut self) {
        self.seconds.shut();
    }

    /// An op for a new epoch behind the second lock, and the keyring with its key in it (KRG-7).
    ///
    /// # Errors
    /// When the lock's public key is none.
    pub fn start_second_epoch(
        &mut self,
        place: (CollectionId, EpochId),
        lock: &SecondLock,
        entropy: &mut dyn Entropy,
    ) -> Result<Change, RecipientError> {
        self.seconds.start_epoch(self.vault, place, lock, entropy)
    }

    /// Ops that seal every key behind the second lock to the next one (KRG-10).
    ///
    /// # Errors
    /// When the lock's public key is none.
    pub fn reseal_second(
        &mut self,
        next: &SecondLock,
        entropy: &mut dyn Entropy,
    ) -> Result<Vec<Change>, RecipientError> {
        self.seconds.reseal(self.vault, next, entropy)
    }

    /// The epoch that writers of a collection use: the newest for which there is a key (KRG-5); of a
    /// second-locked one the newest whose key is sealed to a second lock (KRG-8).
    pub fn epoch(&self, collection: CollectionId) -> Option<EpochId> {
        if let Some(newest) = self.seconds.epochs(collection).max() {
            return Some(newest);
        }
        let range = (collection, EpochId::CLEAR);
        let of_collection = self.keys.range(range..).take_while(|((id, _), _)| *id == collection);
        of_collection.map(|((_, epoch), _)| *epoch).max()
    }

    /// The collection that this device writes for a purpose (KRG-4).
    pub fn collection(&self, purpose: Purpose) -> Option<CollectionId> {
        // One that was only named keeps nobody from writing.
        let mut with_epoch = self.collections(purpose).filter(|id| self.epoch(*id).is_some());
        with_epoch.next().or_else(|| self.collections(purpose).next())
    }

    /// Every collection of a purpose, ascending.
    pub fn collections(&self, purpose: Purpose) -> impl Iterator<Item = CollectionId> {
        let of_purpose = self.names.iter().filter(move |(_, named)| **named == purpose);
        of_purpose.map(|(id, _)| *id)
    }

    /// What a collection is for, if it is known.
    pub fn purpose(&self, collection: CollectionId) -> Option<Purpose> {
        self.names.get(&collection).copied()
    }

    /// Up to which entry each root feed has been taken in.
    pub fn applied(&self, feed: FeedId) -> u64 {
        self.applied.get(&feed).copied().unwrap_or_default()
    }

    /// Notes that a root feed has been taken in up to this entry.
    pub fn set_applied(&mut self, feed: FeedId, number: u64) {
        self.applied.insert(feed, number);
    }

    /// A key op for a new epoch, and the keyring with that key in it (KRG-2).
    pub fn start_epoch(
        &mut self,
        collection: CollectionId,
        epoch: EpochId,
        entropy: &mut dyn Entropy,
    ) -> Change {
        let key = CollectionKey::generate(entropy);
        let mut hedge = Hedge::new(&self.roots.hedge, entropy);
        let context = self.key_context(collection, epoch);
        let sealed = aead::seal(&self.roots.keyring, &context, &mut hedge, key.dangerous_bytes());
        self.keys.insert((collection, epoch), key);
        Change::Key { collection, epoch, sealed }
    }

    /// Takes in an op of the root collection, of the newest generation's time.
    ///
    /// # Errors
    /// As [`Keyring::apply_in`].
    pub fn apply(&mut self, change: &Change) -> Result<(), OpenError> {
        self.apply_in(self.roots.generation, change)
    }

    /// Takes in an op of the root collection, whose entry names this generation (KRG-1). An op that is not the
    /// keyring's changes nothing.
    ///
    /// # Errors
    /// When a key does not open: it was not sealed by this vault, for this place.
    pub fn apply_in(&mut self, generation: EpochId, change: &Change) -> Result<(), OpenError> {
        let roots = self.generations().find(|roots| roots.generation == generation);
        let roots = roots.ok_or(OpenError)?;
        match change {
            Change::Key { collection, epoch, sealed } => {
                let context = self.key_context(*collection, *epoch);
                let opened = aead::open(&roots.keyring, &context, sealed)?;
                let key = CollectionKey::from_slice(&opened).ok_or(OpenError)?;
                // The first key of a place stays: a second one would be a fork (KRG-3).
                self.keys.entry((*collection, *epoch)).or_insert(key);
            }
            Change::SecretKey { slot, sealed } => {
                let context = self.secret_key_context(*slot, generation);
                let opened = aead::open(&roots.keyring, &context, sealed)?;
                let key = SecretKey::from_slice(&opened).ok_or(OpenError)?;
                self.secret_keys.entry((generation, *slot)).or_insert(key);
            }
            Change::SecondKey { collection, epoch, lock, sealed } => {
                self.seconds.insert((*collection, *epoch), *lock, sealed);
            }
            Change::Name { collection, category } => {
                if let Some(purpose) = Purpose::from_code(*category) {
                    self.names.entry(*collection).or_insert(purpose);
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn key_context(&self, collection: CollectionId, epoch: EpochId) -> Context {
        Context::new(Label::KeyringKey)
            .bytes(&self.vault.0)
            .bytes(&collection.0)
            .uint(u64::from(epoch.counter))
            .bytes(&epoch.nonce.0)
    }

    fn secret_key_context(&self, slot: SlotId, generation: EpochId) -> Context {
        Context::new(Label::SecretKey)
            .bytes(&self.vault.0)
            .bytes(&slot.0)
            .uint(u64::from(generation.counter))
            .bytes(&generation.nonce.0)
    }

    fn file_context(&self, generation: EpochId) -> Context {
        Context::new(Label::KeyringFile)
            .bytes(&self.vault.0)
            .uint(u64::from(generation.counter))
            .bytes(&generation.nonce.0)
    }

    /// The cache file's bytes (KRG-6).
    pub fn to_file(&self, views: &ViewKeys, entropy: &mut dyn Entropy) -> Vec<u8> {
        let mut w = Writer::new();
        let has_seconds = !self.seconds.is_empty();
        w.map(if has_seconds { 6 } else { 5 }).uint(1).bytes(views.database.dangerous_bytes());
        w.uint(2).bytes(views.search.dangerous_bytes());
        w.uint(3).array(self.keys.len());
        for ((collection, epoch), key) in &self.keys {
            w.array(3).bytes(&collection.0);
            epoch.encode(&mut w);
            w.bytes(key.dangerous_bytes());
        }
        w.uint(4).array(self.names.len());
        for (collection, purpose) in &self.names {
            w.array(2).bytes(&collection.0).uint(u64::from(purpose.code()));
        }
        w.uint(5).array(self.applied.len());
        for (feed, number) in &self.applied {
            w.array(2);
            feed.encode(&mut w);
            w.uint(*number);
        }
        if has_seconds {
            w.uint(6);
            self.seconds.encode(&mut w);
        }
        let plain = Zeroizing::new(w.into_bytes());
        let mut hedge = Hedge::new(&self.roots.hedge, entropy);
        aead::seal(
            &self.roots.keyring,
            &self.file_context(self.roots.generation),
            &mut hedge,
            &plain,
        )
    }

    /// Takes in a cache file, of whichever generation that is open. On failure the keyring is as it was: the cache is then of no use.
    ///
    /// # Errors
    /// When the file is not one of this vault and root generation.
    pub fn load_file(&mut self, sealed: &[u8]) -> Result<ViewKeys, OpenError> {
        let open = |roots: &RootKeys| {
            aead::open(&roots.keyring, &self.file_context(roots.generation), sealed).ok()
        };
        let plain = self.generations().find_map(open).ok_or(OpenError)?;
        let mut reader = Reader::new(&plain);
        let ((views, keys, names, applied, seconds), _) =
            reader.map(read_cache).map_err(|_| OpenError)?;
        reader.finish().map_err(|_| OpenError)?;
        self.keys.extend(keys);
        self.names.extend(names);
        self.applied.extend(applied);
        self.seconds.extend(seconds);
        Ok(views)
    }
}

type Cache = (
    ViewKeys,
    Vec<((CollectionId, EpochId), CollectionKey)>,
    Vec<(CollectionId, Purpose)>,
    Vec<(FeedId, u64)>,
    Seconds,
);

fn read_cache(map: &mut aura_protocol::codec::MapReader<'_, '_>) -> Result<Cache, CodecError> {
    let views = read_views(map)?;
    let keys = map.required(3, |r| {
        r.array(COLLECTIONS_MAX, |r| {
            r.tuple(3, |r| {
                let place = (CollectionId(r.bytes_exact()?), EpochId::decode(r)?);
                Ok((place, CollectionKey::from_slice(r.bytes()?).ok_or(CodecError::Bounds)?))
            })
        })
    })?;
    let names = map.required(4, |r| {
        r.array(COLLECTIONS_MAX, |r| {
            r.tuple(2, |r| {
                let collection = CollectionId(r.bytes_exact()?);
                let code = u8::try_from(r.uint()?).map_err(|_| CodecError::Bounds)?;
                Ok((collection, Purpose::from_code(code).ok_or(CodecError::Bounds)?))
            })
        })
    })?;
    let applied = map.required(5, |r| {
        r.array(COLLECTIONS_MAX, |r| r.tuple(2, |r| Ok((FeedId::decode(r)?, r.uint()?))))
    })?;
    let seconds = map.optional(6, Seconds::decode)?.unwrap_or_default();
    Ok((views, keys, names, applied, seconds))
}

fn read_views(map: &mut aura_protocol::codec::MapReader<'_, '_>) -> Result<ViewKeys, CodecError> {
    Ok(ViewKeys {
        database: map
            .required(1, |r| DatabaseKey::from_slice(r.bytes()?).ok_or(CodecError::Bounds))?,
        search: map.required(2, |r| SearchKey::from_slice(r.bytes()?).ok_or(CodecError::Bounds))?,
    })
}

#[cfg(test)]
mod tests;
