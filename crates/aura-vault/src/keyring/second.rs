// SPDX-License-Identifier: MIT OR Apache-2.0
//! Keys of the collections behind the second lock: sealed as their ops have them, and in the clear only
//! while the lock is open.
//!
//! A collection is behind the lock as soon as there is one such op of it (KRG-7). Keys stay sealed to
//! every lock that they were ever sealed to; the one in force opens them.
//! Source: spec/keyring.md, rules KRG-7 to KRG-10.

use std::collections::{BTreeMap, BTreeSet};

use aura_crypto::entropy::Entropy;
use aura_crypto::hpke::{RecipientError, SecondLockKemSecret};
use aura_crypto::key::CollectionKey;
use aura_crypto::slot;
use aura_protocol::authority::SecondLock;
use aura_protocol::codec::{CodecError, Decode, Encode, Reader, Writer};
use aura_protocol::id::{CollectionId, EpochId, VaultId};

use super::COLLECTIONS_MAX;
use crate::op::Change;

/// An epoch of a collection.
type Place = (CollectionId, EpochId);

/// What is behind the second lock.
#[derive(Default)]
pub(super) struct Seconds {
    /// By place, then by the lock to which the key is sealed.
    sealed: BTreeMap<Place, BTreeMap<EpochId, Vec<u8>>>,
    /// The keys, while the lock is open.
    open: Option<BTreeMap<Place, CollectionKey>>,
}

impl Seconds {
    /// Takes in an op; the first one of a place and lock stays (KRG-3).
    pub(super) fn insert(&mut self, place: Place, lock: EpochId, sealed: &[u8]) {
        self.sealed.entry(place).or_default().entry(lock).or_insert_with(|| sealed.to_vec());
    }

    pub(super) fn is_open(&self) -> bool {
        self.open.is_some()
    }

    pub(super) fn covers(&self, collection: CollectionId) -> bool {
        self.epochs(collection).next().is_some()
    }

    /// Every collection that is behind the lock, ascending.
    pub(super) fn collections(&self) -> Vec<CollectionId> {
        let all: BTreeSet<_> = self.sealed.keys().map(|(collection, _)| *collection).collect();
        all.into_iter().collect()
    }

    /// The epochs of a collection whose keys are sealed to a second lock.
    pub(super) fn epochs(&self, collection: CollectionId) -> impl Iterator<Item = EpochId> {
        let from = (collection, EpochId::CLEAR);
        let of_collection =
            self.sealed.range(from..).take_while(move |((id, _), _)| *id == collection);
        of_collection.map(|((_, epoch), _)| *epoch)
    }

    pub(super) fn key(&self, place: Place) -> Option<&CollectionKey> {
        self.open.as_ref()?.get(&place)
    }

    /// Opens what is sealed to this lock. What does not open counts for nothing.
    pub(super) fn open(&mut self, vault: VaultId, lock: EpochId, secret: &SecondLockKemSecret) {
        let opened = self.sealed.iter().filter_map(|((collection, epoch), sealed)| {
            let sealed = sealed.get(&lock)?;
            let place = (&vault, collection, *epoch);
            let key = slot::unwrap_from_second_lock(secret, place, sealed).ok()?;
            Some(((*collection, *epoch), key))
        });
        self.open = Some(opened.collect());
    }

    /// Wipes the keys.
    pub(super) fn shut(&mut self) {
        self.open = None;
    }

    /// A new epoch, with its key sealed to this lock; kept in the clear only if the lock is open.
    pub(super) fn start_epoch(
        &mut self,
        vault: VaultId,
        place: Place,
        lock: &SecondLock,
        entropy: &mut dyn Entropy,
    ) -> Result<Change, RecipientError> {
        let key = CollectionKey::generate(entropy);
        let change = self.seal(vault, (place, &key), lock, entropy)?;
        if let Some(open) = &mut self.open {
            open.insert(place, key);
        }
        Ok(change)
    }

    /// Every key once more, sealed to the next lock (KRG-10). Nothing while the lock is shut.
    pub(super) fn reseal(
        &mut self,
        vault: VaultId,
        next: &SecondLock,
        entropy: &mut dyn Entropy,
    ) -> Result<Vec<Change>, RecipientError> {
        let open = self.open.take().unwrap_or_default();
        let sealed = open.iter().map(|(place, key)| self.seal(vault, (*place, key), next, entropy));
        let sealed = sealed.collect();
        self.open = Some(open);
        sealed
    }

    fn seal(
        &mut self,
        vault: VaultId,
        ((collection, epoch), key): (Place, &CollectionKey),
        lock: &SecondLock,
        entropy: &mut dyn Entropy,
    ) -> Result<Change, RecipientError> {
        let at = (&vault, &collection, epoch);
        let sealed = slot::wrap_to_second_lock(key, &lock.keys.kem, at, entropy)?;
        self.insert((collection, epoch), lock.lock, &sealed);
        Ok(Change::SecondKey { collection, epoch, lock: lock.lock, sealed })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.sealed.is_empty()
    }

    /// Member 6 of the cache.
    pub(super) fn encode(&self, w: &mut Writer) {
        w.array(self.sealed.values().map(BTreeMap::len).sum());
        for ((collection, epoch), locks) in &self.sealed {
            for (lock, sealed) in locks {
                w.array(4).bytes(&collection.0);
                epoch.encode(w);
                lock.encode(w);
                w.bytes(sealed);
            }
        }
    }

    pub(super) fn decode(r: &mut Reader<'_>) -> Result<Self, CodecError> {
        let mut seconds = Self::default();
        r.array(COLLECTIONS_MAX, |r| {
            r.tuple(4, |r| {
                let place = (CollectionId(r.bytes_exact()?), EpochId::decode(r)?);
                let lock = EpochId::decode(r)?;
                seconds.insert(place, lock, r.bytes()?);
                Ok(())
            })
        })?;
        Ok(seconds)
    }

    /// Takes in what a cache knows.
    pub(super) fn extend(&mut self, other: Self) {
        for (place, locks) in other.sealed {
            self.sealed.entry(place).or_default().extend(locks);
        }
    }
}
