// SPDX-License-Identifier: MIT OR Apache-2.0
//! The device list and slot table that follow from a vault's statements, taken in causal order.
//!
//! A statement that lacks a signature it needs changes nothing; the vault keeps it and says so. In which
//! order a whole vault's statements are taken is in `judge`.
//! Source: spec/authority.md, rules AUT-5 to AUT-20 and AUT-26.

use std::collections::{BTreeMap, BTreeSet};

use super::claim::{Claim, DeviceKeys, IdentityKeys, Recipient, SecondLock, SlotKeys, SlotKind};
use super::device::{Device, Standing};
use super::snapshot::Snapshot;
use super::statement::{SignedStatement, Statement};
use crate::head::Position;
use crate::id::{
    CollectionId, DeviceId, EpochId, FeedId, GrantId, Hash, Incarnation, SlotId, VaultId,
};
use crate::limits::{DEVICES_MAX, QUARANTINED_MAX};
use crate::signed::SignedError;

/// Why a statement does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AuthorityError {
    /// A signature is wrong or the payload does not decode.
    #[error("the statement does not verify")]
    Signed(#[source] SignedError),
    /// Somebody with authority says what only a newer version understands: read on, but do not write.
    #[error("expected a statement that this version knows; a newer one made it")]
    Newer,
    /// It belongs to another vault.
    #[error("expected a statement of this vault")]
    Vault,
    /// It is not signed by those who may say this.
    #[error("expected the signature of a listed, confirmed device or of the identity")]
    Signer,
    /// Its device said it after it had been revoked: nothing that anybody has to see to.
    #[error("expected a statement from before its device was revoked")]
    Ended,
    /// A new device or slot did not sign for itself, or uses one key for two purposes.
    #[error("expected the new key's own signature, and a key for each purpose")]
    Reverse,
    /// A genesis where there is one, or none where there must be one.
    #[error("expected exactly one genesis, first")]
    Genesis,
    /// It speaks of a device, slot or grant that is not listed, or lists one twice.
    #[error("expected a device, slot or grant in another state")]
    State,
    /// A value that only rises would fall.
    #[error("expected a value that does not fall")]
    Monotone,
    /// Too many devices, or too many that wait to be confirmed.
    #[error("expected at most {DEVICES_MAX} devices, {QUARANTINED_MAX} of them unconfirmed")]
    Bounds,
}

/// A key slot.
#[derive(Debug, Clone)]
pub struct Slot {
    /// What opens it.
    pub kind: SlotKind,
    /// Its public keys.
    pub keys: SlotKeys,
    /// The device that made it.
    pub made_by: Option<DeviceId>,
}

/// A statement whose signatures hold.
#[derive(Debug, Clone)]
pub(super) struct Checked {
    pub(super) statement: Statement,
    /// Whose signatures it has.
    pub(super) signers: Vec<[u8; 32]>,
    /// The hash of its payload.
    pub(super) payload: Hash,
}

impl Checked {
    pub(super) fn of(signed: &SignedStatement) -> Result<Self, SignedError> {
        let (statement, signers) = signed.verify()?;
        Ok(Self { statement, signers, payload: Hash::of(&[&signed.payload]) })
    }
}

/// What a vault's statements come to.
#[derive(Debug, Clone)]
pub struct Roster {
    vault: VaultId,
    generation: EpochId,
    identities: BTreeMap<EpochId, IdentityKeys>,
    devices: BTreeMap<DeviceId, Device>,
    slots: BTreeMap<SlotId, Slot>,
    seconds: BTreeMap<EpochId, SecondLock>,
    wraps: Vec<(Recipient, EpochId, Vec<u8>)>,
    epochs: BTreeMap<CollectionId, BTreeSet<EpochId>>,
    /// Who started an epoch: of several that say so, the one that was listed first.
    makers: BTreeMap<(CollectionId, EpochId), DeviceId>,
    /// Which device made a second lock.
    lock_makers: BTreeMap<EpochId, DeviceId>,
    grants: BTreeSet<GrantId>,
    bases: Vec<Snapshot>,
    /// Who has adopted which, and the hash of its last entry.
    adopters: BTreeSet<(Hash, DeviceId, Hash)>,
    floor: (u64, u64),
    /// Slots and grants that ended; none comes back.
    ended: (BTreeMap<SlotId, Slot>, BTreeSet<GrantId>),
    /// Payloads that counted once.
    taken: BTreeSet<Hash>,
}

impl Roster {
    /// The roster that a genesis begins. Its vault id is the genesis' hash (AUT-5).
    ///
    /// # Errors
    /// When it is no genesis, or not signed by the identity and the first device it names.
    pub fn begin(genesis: &SignedStatement) -> Result<Self, AuthorityError> {
        let (statement, signers) = genesis.verify().map_err(AuthorityError::Signed)?;
        let Claim::Genesis { identity, generation, device, .. } = statement.claim else {
            return Err(AuthorityError::Genesis);
        };
        // These two and nobody else: with a third signature it would be another vault's genesis.
        let is_by_both = signers.contains(&identity.sign) && signers.contains(&device.sign);
        if !is_by_both || signers.len() != 2 {
            return Err(AuthorityError::Signer);
        }
        let Hash(vault) = genesis.hash();
        let mut roster = Self {
            vault: VaultId(vault),
            generation,
            identities: BTreeMap::from([(generation, identity)]),
            devices: BTreeMap::new(),
            slots: BTreeMap::new(),
            seconds: BTreeMap::new(),
            wraps: Vec::new(),
            epochs: BTreeMap::new(),
            makers: BTreeMap::new(),
            lock_makers: BTreeMap::new(),
            grants: BTreeSet::new(),
            bases: Vec::new(),
            adopters: BTreeSet::new(),
            floor: (0, 0),
            ended: (BTreeMap::new(), BTreeSet::new()),
            taken: BTreeSet::new(),
        };
        roster.list(device, Quarantine::Over)?;
        Ok(roster)
    }

    /// The vault.
    pub fn vault(&self) -> VaultId {
        self.vault
    }

    /// The newest root generation and its identity keys.
    pub fn identity(&self) -> (EpochId, Option<&IdentityKeys>) {
        (self.generation, self.identities.get(&self.generation))
    }

    /// Every device that was ever listed.
    pub fn devices(&self) -> &BTreeMap<DeviceId, Device> {
        &self.devices
    }

    /// The device with this id, if it was ever listed.
    pub fn device(&self, id: DeviceId) -> Option<&Device> {
        self.devices.get(&id)
    }

    /// The slots that open the vault.
    pub fn slots(&self) -> &BTreeMap<SlotId, Slot> {
        &self.slots
    }

    /// The slots that were removed. They open nothing any more; what was wrapped to them stays in the log.
    pub fn ended_slots(&self) -> &BTreeMap<SlotId, Slot> {
        &self.ended.0
    }

    /// The identity keys of a root generation, if it is listed.
    pub fn identity_of(&self, generation: EpochId) -> Option<&IdentityKeys> {
        self.identities.get(&generation)
    }

    /// The second lock that is in force, if the person has made one.
    pub fn second_lock(&self) -> Option<&SecondLock> {
        self.seconds.values().next_back()
    }

    /// Sealed root keys: to whom, which generation, sealed bytes; oldest first.
    pub fn wraps(&self) -> &[(Recipient, EpochId, Vec<u8>)] {
        &self.wraps
    }

    /// The epoch that writers of this collection use.
    pub fn epoch(&self, collection: CollectionId) -> Option<EpochId> {
        self.epochs.get(&collection).and_then(BTreeSet::last).copied()
    }

    /// Every collection and its epochs.
    pub fn epochs(&self) -> &BTreeMap<CollectionId, BTreeSet<EpochId>> {
        &self.epochs
    }

    /// The device that started an epoch: its key op says which key that is (KRG-3).
    pub fn maker(&self, collection: CollectionId, epoch: EpochId) -> Option<DeviceId> {
        self.makers.get(&(collection, epoch)).copied()
    }

    /// The device that made a collection: of those that started epochs of it, the one that was listed first.
    pub fn collection_maker(&self, collection: CollectionId) -> Option<DeviceId> {
        let from = (collection, EpochId::CLEAR);
        let of_collection = self.makers.range(from..).take_while(|((id, _), _)| *id == collection);
        of_collection.map(|(_, maker)| *maker).min_by_key(|maker| self.order(*maker))
    }

    /// The device that made a second lock.
    pub fn lock_maker(&self, lock: EpochId) -> Option<DeviceId> {
        self.lock_makers.get(&lock).copied()
    }

    /// A device's place in the order of listing.
    pub(super) fn order(&self, device: DeviceId) -> usize {
        self.device(device).map_or(usize::MAX, |device| device.order)
    }

    /// Every snapshot, also those that a later one says that it covers, in the order in which they count.
    pub fn snapshots(&self) -> &[Snapshot] {
        &self.bases
    }

    /// Whether any snapshot, also one that a later one has covered, covers a feed right up to here.
    pub fn has_covered(&self, feed: FeedId, at: Position) -> bool {
        at.number > 0 && self.bases.iter().any(|base| base.covers(feed) == at)
    }

    /// Whether a device has said that it adopted a snapshot whose last entry has this hash. Its author has, by making it.
    pub fn has_adopted(&self, device: DeviceId, base: &Snapshot, last: Hash) -> bool {
        device == base.feed.device || self.adopters.contains(&(base.id, device, last))
    }

    /// The snapshots that a device has said it adopted, whoever made them, also such as do not count any more.
    pub fn adopted_by(&self, device: DeviceId) -> impl Iterator<Item = Hash> {
        self.adopters.iter().filter(move |(_, by, _)| *by == device).map(|(base, ..)| *base)
    }

    /// The least (security level, protocol version) that the person accepts.
    pub fn floor(&self) -> (u64, u64) {
        self.floor
    }

    /// What a head of this device is worth.
    pub fn standing(&self, device: DeviceId, incarnation: Incarnation, head: Position) -> Standing {
        self.device(device).map_or(Standing::Unlisted, |device| device.standing(incarnation, head))
    }

    /// Takes the next statement. One that was taken already changes nothing (AUT-13).
    ///
    /// # Errors
    /// When it does not count; the roster is then as it was.
    pub fn apply(&mut self, signed: &SignedStatement) -> Result<(), AuthorityError> {
        match Checked::of(signed) {
            Err(SignedError::Payload(error)) if error.is_newer() => Err(self.newer(signed)),
            checked => self.take(&checked.map_err(AuthorityError::Signed)?),
        }
    }

    /// A revoke that a device said before it was revoked itself: it goes on to count (AUT-24).
    pub(super) fn take_earlier(&mut self, checked: &Checked) -> Result<(), AuthorityError> {
        let Checked { statement, signers, payload } = checked;
        let Claim::Revoke { device, last } = &statement.claim else {
            return Err(AuthorityError::State);
        };
        self.revoke(*device, last.clone(), signers)?;
        self.taken.insert(*payload);
        Ok(())
    }

    /// The same for a statement whose signatures have been checked.
    pub(super) fn take(&mut self, checked: &Checked) -> Result<(), AuthorityError> {
        let Checked { statement, signers, payload } = checked;
        // AUT-6: a statement counts in its own vault only.
        match (statement.vault, &statement.claim) {
            (_, Claim::Genesis { .. }) => return Err(AuthorityError::Genesis),
            (Some(vault), _) if vault == self.vault => {}
            _ => return Err(AuthorityError::Vault),
        }
        if !self.taken.contains(payload) {
            self.admit(statement.clone(), signers, *payload)?;
            self.taken.insert(*payload);
        }
        Ok(())
    }

    /// AUT-4: a statement of an unknown type matters if, and only if, who signed it may make claims here.
    pub(super) fn newer(&self, signed: &SignedStatement) -> AuthorityError {
        let signers: Vec<[u8; 32]> = signed.signatures.iter().map(|(key, _)| *key).collect();
        match (signed.vault() == Some(self.vault), self.is_by_device(&signers)) {
            (false, _) => AuthorityError::Vault,
            (true, false) => AuthorityError::Signer,
            (true, true) => AuthorityError::Newer,
        }
    }

    fn admit(
        &mut self,
        statement: Statement,
        signers: &[[u8; 32]],
        payload: Hash,
    ) -> Result<(), AuthorityError> {
        match statement.claim {
            Claim::Genesis { .. } => Err(AuthorityError::Genesis),
            Claim::Add(keys) => self.add(keys, signers),
            Claim::Confirm(device) => self.confirm(device, signers),
            claim => {
                self.require_device(signers)?;
                self.settle(claim, signers, payload)
            }
        }
    }

    /// Claims that take a listed, confirmed, unrevoked device (AUT-9).
    fn settle(
        &mut self,
        claim: Claim,
        signers: &[[u8; 32]],
        payload: Hash,
    ) -> Result<(), AuthorityError> {
        match claim {
            Claim::Genesis { .. } | Claim::Add(_) | Claim::Confirm(_) => {
                return Err(AuthorityError::State);
            }
            Claim::Revoke { device, last } => return self.revoke(device, last, signers),
            Claim::Close { device, incarnation, last } => {
                // AUT-18: the first close stands.
                let closed = &mut self.listed(device)?.closed;
                if *closed.entry(incarnation).or_insert(last) != last {
                    return Err(AuthorityError::State);
                }
            }
            Claim::Retire(device) => self.listed(device)?.is_retired = true,
            Claim::Identity { generation, keys } => return self.rotate(generation, &keys),
            Claim::Slot { slot, kind, keys } => return self.open_slot(slot, kind, keys, signers),
            Claim::Unslot(slot) => {
                let ended = self.slots.remove(&slot).ok_or(AuthorityError::State)?;
                self.ended.0.insert(slot, ended);
            }
            Claim::Wrap { recipient, generation, sealed } => {
                self.wraps.push((recipient, generation, sealed));
            }
            Claim::Epoch { collection, epoch } => {
                self.epochs.entry(collection).or_default().insert(epoch);
                if let Some(maker) = self.first_signer(signers) {
                    let known = self.maker(collection, epoch);
                    if known.is_none_or(|known| self.order(maker) < self.order(known)) {
                        self.makers.insert((collection, epoch), maker);
                    }
                }
            }
            Claim::Base { feed, range, covered } => {
                // AUT-14: a device speaks for its own snapshots only.
                let is_own = self.device(feed.device).is_some_and(|device| {
                    device.is_active() && signers.contains(&device.keys.sign)
                });
                if !is_own {
                    return Err(AuthorityError::Signer);
                }
                let base = Snapshot::new(payload, feed, range, &covered)
                    .filter(|base| base.has_room(&self.bases));
                self.bases.push(base.ok_or(AuthorityError::State)?);
            }
            Claim::Grant { grant, .. } => {
                // AUT-17.
                if self.ended.1.contains(&grant) || !self.grants.insert(grant) {
                    return Err(AuthorityError::State);
                }
            }
            Claim::Ungrant(grant) => {
                if !self.grants.remove(&grant) {
                    return Err(AuthorityError::State);
                }
                self.ended.1.insert(grant);
            }
            Claim::Floor { security, protocol } => {
                // AUT-12, FRK-12: the floor only ever rises.
                if security < self.floor.0 || protocol < self.floor.1 {
                    return Err(AuthorityError::Monotone);
                }
                self.floor = (security, protocol);
            }
            Claim::Second(second) => return self.lock_second(second, signers),
            Claim::Adopt { base, last } => {
                // AUT-27: a device speaks for itself; before the `base` came, too.
                let device = self.first_signer(signers).ok_or(AuthorityError::Signer)?;
                self.adopters.insert((base, device, last));
            }
        }
        Ok(())
    }

    /// AUT-18: the first revoke stands, unless a recovery slot co-signs a later one.
    fn revoke(
        &mut self,
        device: DeviceId,
        last: Vec<(Incarnation, Position)>,
        signers: &[[u8; 32]],
    ) -> Result<(), AuthorityError> {
        let is_by_recovery = self.is_by_any_recovery(signers);
        let revoked_by = self.first_signer(signers);
        let device = self.listed(device)?;
        if device.revoked.is_some() && (device.is_revoked_by_recovery || !is_by_recovery) {
            return Err(AuthorityError::State);
        }
        device.revoked = Some(last.into_iter().collect());
        device.is_revoked_by_recovery = is_by_recovery;
        device.revoked_by = revoked_by;
        Ok(())
    }

    /// AUT-10: the newest root generation only ever rises. One that was started at the same time as the
    /// newest is remembered, so that the order in which the two come makes no difference.
    fn rotate(&mut self, generation: EpochId, keys: &IdentityKeys) -> Result<(), AuthorityError> {
        if generation.counter < self.generation.counter {
            return Err(AuthorityError::Monotone);
        }
        if self.identities.entry(generation).or_insert_with(|| keys.clone()) != keys {
            return Err(AuthorityError::State);
        }
        self.generation = self.generation.max(generation);
        Ok(())
    }

    fn open_slot(
        &mut self,
        slot: SlotId,
        kind: SlotKind,
        keys: SlotKeys,
        signers: &[[u8; 32]],
    ) -> Result<(), AuthorityError> {
        // AUT-11: a slot proves that its maker holds its secret.
        if !signers.contains(&keys.sign) {
            return Err(AuthorityError::Reverse);
        }
        // AUT-17: a slot that was removed, after a password leaked perhaps, never comes back.
        if self.slots.contains_key(&slot) || self.ended.0.contains_key(&slot) {
            return Err(AuthorityError::State);
        }
        let made_by = self.first_signer(signers);
        self.slots.insert(slot, Slot { kind, keys, made_by });
        Ok(())
    }

    /// AUT-19, AUT-20: a second lock proves that its maker holds its secret, and only who opens the one
    /// in force, or holds the recovery code, puts another in its place.
    fn lock_second(
        &mut self,
        second: SecondLock,
        signers: &[[u8; 32]],
    ) -> Result<(), AuthorityError> {
        if !signers.contains(&second.keys.sign) {
            return Err(AuthorityError::Reverse);
        }
        let counter = self.second_lock().map_or(0, |second| second.lock.counter);
        if counter.checked_add(1) != Some(second.lock.counter) {
            return Err(AuthorityError::Monotone);
        }
        if !self.identities.contains_key(&second.generation) {
            return Err(AuthorityError::State);
        }
        let may_replace = self.second_lock().is_none()
            || self.is_by_second(signers)
            || self.is_by_recovery(signers);
        if !may_replace {
            return Err(AuthorityError::Signer);
        }
        if let Some(maker) = self.first_signer(signers) {
            self.lock_makers.insert(second.lock, maker);
        }
        self.seconds.insert(second.lock, second);
        Ok(())
    }

    /// AUT-7: the new device signs, and a listed device or the identity signs.
    fn add(&mut self, keys: DeviceKeys, signers: &[[u8; 32]]) -> Result<(), AuthorityError> {
        if !signers.contains(&keys.sign) {
            return Err(AuthorityError::Reverse);
        }
        let quarantine = match (self.is_by_device(signers), self.is_by_identity(signers)) {
            (true, _) => Quarantine::Over,
            (false, true) => Quarantine::Begins,
            (false, false) => return Err(AuthorityError::Signer),
        };
        let (id, by) = (keys.id(), self.first_signer(signers));
        self.list(keys, quarantine)?;
        self.listed(id)?.let_in_by = by;
        Ok(())
    }

    /// AUT-8: a listed device, a recovery slot or the second lock ends a quarantine, never the device
    /// itself.
    fn confirm(&mut self, id: DeviceId, signers: &[[u8; 32]]) -> Result<(), AuthorityError> {
        if !self.may_confirm(signers) {
            return Err(AuthorityError::Signer);
        }
        let by = self.first_signer(signers);
        let device = self.listed(id)?;
        if device.revoked.is_some() {
            return Err(AuthorityError::State);
        }
        device.is_confirmed = true;
        device.let_in_by = device.let_in_by.or(by);
        Ok(())
    }

    fn list(&mut self, keys: DeviceKeys, quarantine: Quarantine) -> Result<(), AuthorityError> {
        let (id, order) = (keys.id(), self.devices.len());
        if order >= DEVICES_MAX {
            return Err(AuthorityError::Bounds);
        }
        // AUT-22: whoever stole a password fills no table with devices of its own.
        let is_waiting = |device: &&Device| !device.is_confirmed && device.revoked.is_none();
        let begins = matches!(quarantine, Quarantine::Begins);
        if begins && self.devices.values().filter(is_waiting).count() >= QUARANTINED_MAX {
            return Err(AuthorityError::Bounds);
        }
        // AUT-7: no key serves two purposes.
        if !keys.are_separate() {
            return Err(AuthorityError::Reverse);
        }
        // AUT-17: a device that was listed once is never listed anew.
        if self.devices.contains_key(&id) {
            return Err(AuthorityError::State);
        }
        let device = Device {
            keys,
            order,
            is_confirmed: !begins,
            let_in_by: None,
            is_retired: false,
            revoked: None,
            is_revoked_by_recovery: false,
            revoked_by: None,
            closed: BTreeMap::new(),
        };
        self.devices.insert(id, device);
        Ok(())
    }

    fn listed(&mut self, id: DeviceId) -> Result<&mut Device, AuthorityError> {
        self.devices.get_mut(&id).ok_or(AuthorityError::State)
    }

    pub(super) fn may_confirm(&self, signers: &[[u8; 32]]) -> bool {
        self.is_by_recovery(signers) || self.is_by_second(signers) || self.is_by_device(signers)
    }

    fn require_device(&self, signers: &[[u8; 32]]) -> Result<(), AuthorityError> {
        if self.is_by_device(signers) { Ok(()) } else { Err(AuthorityError::Signer) }
    }

    pub(super) fn is_by_device(&self, signers: &[[u8; 32]]) -> bool {
        signers.iter().any(|key| {
            self.device(DeviceId::of_key(key))
                .is_some_and(|device| device.keys.sign == *key && device.is_active())
        })
    }

    /// Of the devices that signed, the one that was listed first.
    pub(super) fn first_signer(&self, signers: &[[u8; 32]]) -> Option<DeviceId> {
        let listed = signers.iter().filter_map(|key| self.device(DeviceId::of_key(key)));
        listed.min_by_key(|device| device.order).map(|device| device.keys.id())
    }

    pub(super) fn is_by_recovery(&self, signers: &[[u8; 32]]) -> bool {
        self.slots
            .values()
            .any(|slot| slot.kind == SlotKind::Recovery && signers.contains(&slot.keys.sign))
    }

    /// The same for a slot that may have been removed since: with the revoke all slots are replaced (AUT-18).
    pub(super) fn is_by_any_recovery(&self, signers: &[[u8; 32]]) -> bool {
        let mut slots = self.slots.values().chain(self.ended.0.values());
        slots.any(|slot| slot.kind == SlotKind::Recovery && signers.contains(&slot.keys.sign))
    }

    fn is_by_second(&self, signers: &[[u8; 32]]) -> bool {
        self.second_lock().is_some_and(|second| signers.contains(&second.keys.sign))
    }

    fn is_by_identity(&self, signers: &[[u8; 32]]) -> bool {
        self.identity().1.is_some_and(|identity| signers.contains(&identity.sign))
    }
}

/// Whether a device must be confirmed before its entries count.
#[derive(Clone, Copy)]
enum Quarantine {
    Begins,
    Over,
}
