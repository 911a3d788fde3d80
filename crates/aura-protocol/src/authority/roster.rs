// SPDX-License-Identifier: MIT OR Apache-2.0
//! The device list and slot table that follow from a vault's statements, taken in causal order.
//!
//! A statement that lacks a signature it needs changes nothing; the vault keeps it and says so. How
//! concurrent statements are ordered is the caller's business.
//! Source: spec/authority.md, rules AUT-5 to AUT-14.

use std::collections::{BTreeMap, BTreeSet};

use super::statement::{
    Claim, DeviceKeys, IdentityKeys, Position, Recipient, SignedStatement, SlotKeys, SlotKind,
    Statement,
};
use crate::id::{CollectionId, DeviceId, EpochId, GrantId, Hash, Incarnation, SlotId, VaultId};
use crate::limits::DEVICES_MAX;
use crate::signed::SignedError;

/// Why a statement does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AuthorityError {
    /// A signature is wrong or the payload does not decode.
    #[error("the statement does not verify")]
    Signed(#[source] SignedError),
    /// It belongs to another vault.
    #[error("expected a statement of this vault")]
    Vault,
    /// It is not signed by those who may say this.
    #[error("expected the signature of a listed, confirmed device or of the identity")]
    Signer,
    /// A new device or slot did not sign for itself.
    #[error("expected the new key's own signature")]
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
    /// Too many devices.
    #[error("expected at most {DEVICES_MAX} devices")]
    Bounds,
}

/// A device that was ever listed.
#[derive(Debug, Clone)]
pub struct Device {
    /// Its public keys.
    pub keys: DeviceKeys,
    /// Its place in the order of listing, from 0.
    pub order: usize,
    /// Whether its quarantine has ended.
    pub is_confirmed: bool,
    /// Whether it no longer holds up forgetting.
    pub is_retired: bool,
    /// If revoked, the last accepted head of each incarnation.
    pub revoked: Option<BTreeMap<Incarnation, Position>>,
    /// Closed incarnations and their last accepted heads.
    pub closed: BTreeMap<Incarnation, Position>,
}

/// A key slot.
#[derive(Debug, Clone)]
pub struct Slot {
    /// What opens it.
    pub kind: SlotKind,
    /// Its public keys.
    pub keys: SlotKeys,
}

/// What a vault's statements come to.
#[derive(Debug, Clone)]
pub struct Roster {
    vault: VaultId,
    generation: EpochId,
    identities: BTreeMap<EpochId, IdentityKeys>,
    devices: BTreeMap<DeviceId, Device>,
    slots: BTreeMap<SlotId, Slot>,
    wraps: Vec<(Recipient, EpochId, Vec<u8>)>,
    epochs: BTreeMap<CollectionId, BTreeSet<EpochId>>,
    grants: BTreeSet<GrantId>,
    floor: (u64, u64),
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
        if !signers.contains(&identity.sign) || !signers.contains(&device.sign) {
            return Err(AuthorityError::Signer);
        }
        let Hash(vault) = genesis.hash();
        let mut roster = Self {
            vault: VaultId(vault),
            generation,
            identities: BTreeMap::from([(generation, identity)]),
            devices: BTreeMap::new(),
            slots: BTreeMap::new(),
            wraps: Vec::new(),
            epochs: BTreeMap::new(),
            grants: BTreeSet::new(),
            floor: (0, 0),
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

    /// The least (security level, protocol version) that the person accepts.
    pub fn floor(&self) -> (u64, u64) {
        self.floor
    }

    /// Takes the next statement.
    ///
    /// # Errors
    /// When it does not count; the roster is then as it was.
    pub fn apply(&mut self, signed: &SignedStatement) -> Result<(), AuthorityError> {
        let (statement, signers) = signed.verify().map_err(AuthorityError::Signed)?;
        self.admit(statement, &signers)
    }

    fn admit(&mut self, statement: Statement, signers: &[[u8; 32]]) -> Result<(), AuthorityError> {
        // AUT-6: a statement counts in its own vault only.
        match (statement.vault, &statement.claim) {
            (_, Claim::Genesis { .. }) => return Err(AuthorityError::Genesis),
            (Some(vault), _) if vault == self.vault => {}
            _ => return Err(AuthorityError::Vault),
        }
        match statement.claim {
            Claim::Genesis { .. } => Err(AuthorityError::Genesis),
            Claim::Add(keys) => self.add(keys, signers),
            Claim::Confirm(device) => self.confirm(device, signers),
            claim => {
                self.require_device(signers)?;
                self.settle(claim, signers)
            }
        }
    }

    /// Claims that any listed, confirmed device may make (AUT-9).
    fn settle(&mut self, claim: Claim, signers: &[[u8; 32]]) -> Result<(), AuthorityError> {
        match claim {
            Claim::Genesis { .. } | Claim::Add(_) | Claim::Confirm(_) => {
                return Err(AuthorityError::State);
            }
            Claim::Revoke { device, last } => {
                let device = self.listed(device)?;
                if device.revoked.is_some() {
                    return Err(AuthorityError::State);
                }
                device.revoked = Some(last.into_iter().collect());
            }
            Claim::Close { device, incarnation, last } => {
                self.listed(device)?.closed.entry(incarnation).or_insert(last);
            }
            Claim::Retire(device) => self.listed(device)?.is_retired = true,
            Claim::Identity { generation, keys } => {
                // AUT-10: a root generation only ever rises.
                if generation <= self.generation {
                    return Err(AuthorityError::Monotone);
                }
                self.identities.insert(generation, keys);
                self.generation = generation;
            }
            Claim::Slot { slot, kind, keys } => {
                // AUT-11: a slot proves that its maker holds its secret.
                if !signers.contains(&keys.sign) {
                    return Err(AuthorityError::Reverse);
                }
                if self.slots.contains_key(&slot) {
                    return Err(AuthorityError::State);
                }
                self.slots.insert(slot, Slot { kind, keys });
            }
            Claim::Unslot(slot) => {
                self.slots.remove(&slot).ok_or(AuthorityError::State)?;
            }
            Claim::Wrap { recipient, generation, sealed } => {
                self.wraps.push((recipient, generation, sealed));
            }
            Claim::Epoch { collection, epoch } => {
                self.epochs.entry(collection).or_default().insert(epoch);
            }
            Claim::Base { .. } => {}
            Claim::Grant { grant, .. } => {
                self.grants.insert(grant);
            }
            Claim::Ungrant(grant) => {
                if !self.grants.remove(&grant) {
                    return Err(AuthorityError::State);
                }
            }
            Claim::Floor { security, protocol } => {
                // AUT-12, FRK-12: the floor only ever rises.
                if security < self.floor.0 || protocol < self.floor.1 {
                    return Err(AuthorityError::Monotone);
                }
                self.floor = (security, protocol);
            }
        }
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
        self.list(keys, quarantine)
    }

    /// AUT-8: a listed device or a recovery slot ends a quarantine, never the device itself.
    fn confirm(&mut self, id: DeviceId, signers: &[[u8; 32]]) -> Result<(), AuthorityError> {
        let is_by_recovery = self
            .slots
            .values()
            .any(|slot| slot.kind == SlotKind::Recovery && signers.contains(&slot.keys.sign));
        if !is_by_recovery {
            self.require_device(signers)?;
        }
        self.listed(id)?.is_confirmed = true;
        Ok(())
    }

    fn list(&mut self, keys: DeviceKeys, quarantine: Quarantine) -> Result<(), AuthorityError> {
        let (id, order) = (keys.id(), self.devices.len());
        if order >= DEVICES_MAX {
            return Err(AuthorityError::Bounds);
        }
        if self.devices.contains_key(&id) {
            return Err(AuthorityError::State);
        }
        let is_confirmed = matches!(quarantine, Quarantine::Over);
        let device = Device {
            keys,
            order,
            is_confirmed,
            is_retired: false,
            revoked: None,
            closed: BTreeMap::new(),
        };
        self.devices.insert(id, device);
        Ok(())
    }

    fn listed(&mut self, id: DeviceId) -> Result<&mut Device, AuthorityError> {
        self.devices.get_mut(&id).ok_or(AuthorityError::State)
    }

    fn require_device(&self, signers: &[[u8; 32]]) -> Result<(), AuthorityError> {
        if self.is_by_device(signers) { Ok(()) } else { Err(AuthorityError::Signer) }
    }

    fn is_by_device(&self, signers: &[[u8; 32]]) -> bool {
        signers.iter().any(|key| {
            self.device(DeviceId::of_key(key)).is_some_and(|device| {
                device.keys.sign == *key && device.is_confirmed && device.revoked.is_none()
            })
        })
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
