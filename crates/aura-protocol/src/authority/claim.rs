// SPDX-License-Identifier: MIT OR Apache-2.0
//! What an authority statement can claim, and how each claim is written.
//!
//! All types are in the format from its first version, also those whose feature comes later, so that an
//! older device recognises what it must not ignore. Lists are ascending and name each member once, so
//! that no two readers can take a different one of two. Source: spec/authority.md, rules AUT-4, AUT-15, AUT-19.

use crate::codec::{CodecError, Decode, Encode, Reader, Writer};
use crate::head::Position;
use crate::id::{CollectionId, DeviceId, EpochId, FeedId, GrantId, Hash, Incarnation, SlotId};
use crate::limits::HEAD_FEEDS_MAX;

/// Length of an X-Wing public key in bytes.
pub const KEM_KEY_BYTES: usize = 1216;

/// The public half of an identity, which follows from the root key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdentityKeys {
    /// Ed25519 verifying key.
    pub sign: [u8; 32],
    /// X-Wing public key.
    pub kem: Box<[u8; KEM_KEY_BYTES]>,
}

/// A device's public keys, each for one use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceKeys {
    /// Ed25519 key that signs heads and statements.
    pub sign: [u8; 32],
    /// X-Wing key to which root keys are wrapped.
    pub kem: Box<[u8; KEM_KEY_BYTES]>,
    /// Ed25519 key with which a locked device moves sealed bytes.
    pub transport: [u8; 32],
    /// Ed25519 key that signs the device's log checkpoints.
    pub log: [u8; 32],
    /// Ed25519 key that cosigns others' checkpoints.
    pub witness: [u8; 32],
}

impl DeviceKeys {
    /// The device's id.
    pub fn id(&self) -> DeviceId {
        DeviceId::of_key(&self.sign)
    }

    /// Whether each of its signing keys is another one.
    pub fn are_separate(&self) -> bool {
        let keys = [self.sign, self.transport, self.log, self.witness];
        keys.iter().enumerate().all(|(at, key)| !keys.iter().skip(at + 1).any(|k| k == key))
    }
}

/// What kind of secret opens a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SlotKind {
    /// A password stretched with these parameters, and the secret key.
    Password(PasswordParams),
    /// A printed recovery code.
    Recovery,
}

/// Argon2id parameters and salt; floor and ceiling are the reader's to check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PasswordParams {
    /// Memory in KiB.
    pub memory_kib: u32,
    /// Passes.
    pub passes: u32,
    /// Lanes.
    pub lanes: u32,
    /// Salt.
    pub salt: [u8; 16],
}

/// A slot's public keys, both derived from its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlotKeys {
    /// Ed25519 verifying key.
    pub sign: [u8; 32],
    /// X-Wing public key to which root keys are wrapped.
    pub kem: Box<[u8; KEM_KEY_BYTES]>,
}

/// A second lock: what epoch keys of the collections behind it are sealed to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecondLock {
    /// Which one: counts from 1, one more whenever the second factor is changed.
    pub lock: EpochId,
    /// The root generation from whose second-lock base its keys follow.
    pub generation: EpochId,
    /// How the second password is stretched.
    pub params: PasswordParams,
    /// Its public keys.
    pub keys: SlotKeys,
}

/// Whom a root key is wrapped to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recipient {
    /// A key slot.
    Slot(SlotId),
    /// A device.
    Device(DeviceId),
}

/// What a statement claims.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// A vault begins. Its id is the hash of this signed statement.
    Genesis {
        /// The first identity.
        identity: IdentityKeys,
        /// The first root generation.
        generation: EpochId,
        /// The first device.
        device: DeviceKeys,
        /// Makes every vault's genesis different.
        nonce: [u8; 16],
    },
    /// A device is listed.
    Add(DeviceKeys),
    /// A new device's quarantine ends.
    Confirm(DeviceId),
    /// A device is no longer listed; what it wrote beyond these heads does not count.
    Revoke {
        /// Which device.
        device: DeviceId,
        /// The last accepted head of each of its incarnations.
        last: Vec<(Incarnation, Position)>,
    },
    /// One incarnation ends.
    Close {
        /// Which device.
        device: DeviceId,
        /// Which of its incarnations.
        incarnation: Incarnation,
        /// Its last accepted head.
        last: Position,
    },
    /// A silent device no longer holds up forgetting.
    Retire(DeviceId),
    /// The keys of a new root generation.
    Identity {
        /// The new generation.
        generation: EpochId,
        /// Its keys.
        keys: IdentityKeys,
    },
    /// A way to open the root key.
    Slot {
        /// Its id.
        slot: SlotId,
        /// What opens it.
        kind: SlotKind,
        /// Its public keys.
        keys: SlotKeys,
    },
    /// A slot is no longer to be wrapped to.
    Unslot(SlotId),
    /// A root key, sealed to a slot or device.
    Wrap {
        /// To whom.
        recipient: Recipient,
        /// Which root generation.
        generation: EpochId,
        /// The sealed root key.
        sealed: Vec<u8>,
    },
    /// A collection starts an epoch.
    Epoch {
        /// Which collection.
        collection: CollectionId,
        /// The new epoch.
        epoch: EpochId,
    },
    /// A snapshot of a collection stands in a feed.
    Base {
        /// The snapshot's feed.
        feed: FeedId,
        /// First and last entry of the snapshot.
        range: (u64, u64),
        /// What it covers.
        covered: Vec<(FeedId, Position)>,
    },
    /// Consent's public stub: what a store may serve to whom.
    Grant {
        /// Its id.
        grant: GrantId,
        /// The grantee's Ed25519 key.
        sign: [u8; 32],
        /// The grantee's X-Wing key.
        kem: Box<[u8; KEM_KEY_BYTES]>,
        /// Which collections.
        collections: Vec<CollectionId>,
        /// Until when, in milliseconds since 1970.
        until_ms: i64,
        /// The share key, sealed to the grantee.
        sealed: Vec<u8>,
    },
    /// A grant ends early.
    Ungrant(GrantId),
    /// The least security level and protocol version that the person accepts; only ever rise.
    Floor {
        /// Security level.
        security: u64,
        /// Protocol version.
        protocol: u64,
    },
    /// A second lock, or the next one in its place.
    Second(SecondLock),
    /// The device that says so has adopted a snapshot.
    Adopt {
        /// The snapshot's name: the hash of the payload of its `base`.
        base: Hash,
        /// The hash of its last entry, as this device has it.
        last: Hash,
    },
}

impl Claim {
    /// The number that stands for the type of this claim.
    pub fn code(&self) -> u64 {
        match self {
            Self::Genesis { .. } => 1,
            Self::Add(_) => 2,
            Self::Confirm(_) => 3,
            Self::Revoke { .. } => 4,
            Self::Close { .. } => 5,
            Self::Retire(_) => 6,
            Self::Identity { .. } => 7,
            Self::Slot { .. } => 8,
            Self::Unslot(_) => 9,
            Self::Wrap { .. } => 10,
            Self::Epoch { .. } => 11,
            Self::Base { .. } => 12,
            Self::Grant { .. } => 13,
            Self::Ungrant(_) => 14,
            Self::Floor { .. } => 15,
            Self::Second(_) => 16,
            Self::Adopt { .. } => 17,
        }
    }
}

pub(super) fn encode_claim(claim: &Claim, w: &mut Writer) {
    match claim {
        Claim::Genesis { identity, generation, device, nonce } => {
            w.array(4);
            encode_identity(identity, w);
            generation.encode(w);
            encode_device(device, w);
            w.bytes(nonce);
        }
        Claim::Add(keys) => encode_device(keys, w),
        Claim::Confirm(device) | Claim::Retire(device) => {
            w.bytes(&device.0);
        }
        Claim::Revoke { device, last } => {
            w.array(2).bytes(&device.0).array(last.len());
            for (incarnation, position) in last {
                w.array(3).bytes(&incarnation.0);
                position.encode_into(w);
            }
        }
        Claim::Close { device, incarnation, last } => {
            w.array(4).bytes(&device.0).bytes(&incarnation.0);
            last.encode_into(w);
        }
        Claim::Identity { generation, keys } => {
            w.array(2);
            generation.encode(w);
            encode_identity(keys, w);
        }
        Claim::Slot { slot, kind, keys } => {
            w.array(4).bytes(&slot.0);
            encode_slot_kind(kind, w);
            w.bytes(&keys.sign).bytes(&keys.kem[..]);
        }
        Claim::Unslot(slot) => {
            w.bytes(&slot.0);
        }
        Claim::Wrap { recipient, generation, sealed } => {
            w.array(4);
            match recipient {
                Recipient::Slot(slot) => w.uint(1).bytes(&slot.0),
                Recipient::Device(device) => w.uint(2).bytes(&device.0),
            };
            generation.encode(w);
            w.bytes(sealed);
        }
        Claim::Epoch { collection, epoch } => {
            w.array(2).bytes(&collection.0);
            epoch.encode(w);
        }
        Claim::Base { feed, range, covered } => {
            w.array(4);
            feed.encode(w);
            w.uint(range.0).uint(range.1).array(covered.len());
            for (feed, position) in covered {
                w.array(3);
                feed.encode(w);
                position.encode_into(w);
            }
        }
        Claim::Grant { grant, sign, kem, collections, until_ms, sealed } => {
            w.array(6).bytes(&grant.0).bytes(sign).bytes(&kem[..]).array(collections.len());
            collections.iter().for_each(|collection| {
                w.bytes(&collection.0);
            });
            w.int(*until_ms).bytes(sealed);
        }
        Claim::Ungrant(grant) => {
            w.bytes(&grant.0);
        }
        Claim::Floor { security, protocol } => {
            w.array(2).uint(*security).uint(*protocol);
        }
        Claim::Second(second) => {
            w.array(5);
            second.lock.encode(w);
            second.generation.encode(w);
            encode_slot_kind(&SlotKind::Password(second.params), w);
            w.bytes(&second.keys.sign).bytes(&second.keys.kem[..]);
        }
        Claim::Adopt { base, last } => {
            w.array(2).bytes(&base.0).bytes(&last.0);
        }
    }
}

pub(super) fn decode_claim(code: u64, r: &mut Reader<'_>) -> Result<Claim, CodecError> {
    Ok(match code {
        1 => r.tuple(4, |r| {
            Ok(Claim::Genesis {
                identity: decode_identity(r)?,
                generation: keyed_epoch(r)?,
                device: decode_device(r)?,
                nonce: r.bytes_exact()?,
            })
        })?,
        2 => Claim::Add(decode_device(r)?),
        3 => Claim::Confirm(DeviceId(r.bytes_exact()?)),
        4 => r.tuple(2, |r| {
            let device = DeviceId(r.bytes_exact()?);
            let last = r.array(HEAD_FEEDS_MAX, |r| {
                r.tuple(3, |r| Ok((Incarnation(r.bytes_exact()?), Position::decode_from(r)?)))
            })?;
            ascending(&last, |(incarnation, _)| *incarnation)?;
            Ok(Claim::Revoke { device, last })
        })?,
        5 => r.tuple(4, |r| {
            Ok(Claim::Close {
                device: DeviceId(r.bytes_exact()?),
                incarnation: Incarnation(r.bytes_exact()?),
                last: Position::decode_from(r)?,
            })
        })?,
        6 => Claim::Retire(DeviceId(r.bytes_exact()?)),
        7 => r.tuple(2, |r| {
            Ok(Claim::Identity { generation: keyed_epoch(r)?, keys: decode_identity(r)? })
        })?,
        8 => r.tuple(4, |r| {
            let slot = SlotId(r.bytes_exact()?);
            let kind = decode_slot_kind(r)?;
            let keys = SlotKeys { sign: r.bytes_exact()?, kem: kem_key(r)? };
            Ok(Claim::Slot { slot, kind, keys })
        })?,
        9 => Claim::Unslot(SlotId(r.bytes_exact()?)),
        10 => r.tuple(4, |r| {
            let recipient = match r.uint()? {
                1 => Recipient::Slot(SlotId(r.bytes_exact()?)),
                2 => Recipient::Device(DeviceId(r.bytes_exact()?)),
                _ => return Err(CodecError::Bounds),
            };
            let generation = keyed_epoch(r)?;
            Ok(Claim::Wrap { recipient, generation, sealed: r.bytes()?.to_vec() })
        })?,
        11 => r.tuple(2, |r| {
            let collection = CollectionId(r.bytes_exact()?);
            // The authority collection is clear and stays so.
            if collection == CollectionId::AUTHORITY {
                return Err(CodecError::Bounds);
            }
            Ok(Claim::Epoch { collection, epoch: keyed_epoch(r)? })
        })?,
        12 => r.tuple(4, |r| {
            let feed = FeedId::decode(r)?;
            let range = (r.uint()?, r.uint()?);
            let covered = r.array(HEAD_FEEDS_MAX, |r| {
                r.tuple(3, |r| Ok((FeedId::decode(r)?, Position::decode_from(r)?)))
            })?;
            ascending(&covered, |(feed, _)| *feed)?;
            if range.0 == 0 || range.0 > range.1 {
                return Err(CodecError::Bounds);
            }
            Ok(Claim::Base { feed, range, covered })
        })?,
        13 => r.tuple(6, |r| {
            let (grant, sign, kem) = (GrantId(r.bytes_exact()?), r.bytes_exact()?, kem_key(r)?);
            let collections = r.array(HEAD_FEEDS_MAX, |r| r.bytes_exact().map(CollectionId))?;
            ascending(&collections, |collection| *collection)?;
            // What a vault says about itself is granted to nobody.
            if collections
                .iter()
                .any(|id| [CollectionId::AUTHORITY, CollectionId::ROOT].contains(id))
            {
                return Err(CodecError::Bounds);
            }
            let (until_ms, sealed) = (r.int()?, r.bytes()?.to_vec());
            Ok(Claim::Grant { grant, sign, kem, collections, until_ms, sealed })
        })?,
        14 => Claim::Ungrant(GrantId(r.bytes_exact()?)),
        15 => r.tuple(2, |r| Ok(Claim::Floor { security: r.uint()?, protocol: r.uint()? }))?,
        16 => r.tuple(5, |r| {
            let (lock, generation, params) = (keyed_epoch(r)?, keyed_epoch(r)?, decode_factor(r)?);
            let keys = SlotKeys { sign: r.bytes_exact()?, kem: kem_key(r)? };
            Ok(Claim::Second(SecondLock { lock, generation, params, keys }))
        })?,
        17 => r.tuple(2, |r| {
            Ok(Claim::Adopt { base: Hash(r.bytes_exact()?), last: Hash(r.bytes_exact()?) })
        })?,
        // AUT-4: a statement of an unknown type is critical.
        unknown => return Err(CodecError::UnknownType(unknown)),
    })
}

/// AUT-15: every list of a claim is strictly ascending.
fn ascending<T, K: Ord>(list: &[T], key: impl Fn(&T) -> K) -> Result<(), CodecError> {
    if list.is_sorted_by(|a, b| key(a) < key(b)) { Ok(()) } else { Err(CodecError::Bounds) }
}

/// An epoch or generation that has a key: never [`EpochId::CLEAR`].
fn keyed_epoch(r: &mut Reader<'_>) -> Result<EpochId, CodecError> {
    let epoch = EpochId::decode(r)?;
    if epoch == EpochId::CLEAR { Err(CodecError::Bounds) } else { Ok(epoch) }
}

fn kem_key(r: &mut Reader<'_>) -> Result<Box<[u8; KEM_KEY_BYTES]>, CodecError> {
    r.bytes_exact().map(Box::new)
}

fn encode_identity(keys: &IdentityKeys, w: &mut Writer) {
    w.array(2).bytes(&keys.sign).bytes(&keys.kem[..]);
}

fn decode_identity(r: &mut Reader<'_>) -> Result<IdentityKeys, CodecError> {
    r.tuple(2, |r| Ok(IdentityKeys { sign: r.bytes_exact()?, kem: kem_key(r)? }))
}

fn encode_device(keys: &DeviceKeys, w: &mut Writer) {
    w.array(5).bytes(&keys.sign).bytes(&keys.kem[..]);
    w.bytes(&keys.transport).bytes(&keys.log).bytes(&keys.witness);
}

fn decode_device(r: &mut Reader<'_>) -> Result<DeviceKeys, CodecError> {
    r.tuple(5, |r| {
        Ok(DeviceKeys {
            sign: r.bytes_exact()?,
            kem: kem_key(r)?,
            transport: r.bytes_exact()?,
            log: r.bytes_exact()?,
            witness: r.bytes_exact()?,
        })
    })
}

fn encode_slot_kind(kind: &SlotKind, w: &mut Writer) {
    match kind {
        SlotKind::Password(params) => {
            w.array(5).uint(1).uint(u64::from(params.memory_kib)).uint(u64::from(params.passes));
            w.uint(u64::from(params.lanes)).bytes(&params.salt);
        }
        SlotKind::Recovery => {
            w.array(5).uint(2).uint(0).uint(0).uint(0).bytes(&[0; 16]);
        }
    }
}

/// AUT-19: what a second lock is opened with. Another factor than a password is of a newer version.
fn decode_factor(r: &mut Reader<'_>) -> Result<PasswordParams, CodecError> {
    let code = r.clone().tuple(5, |r| {
        let code = r.uint()?;
        (0..4).try_for_each(|_| r.any().map(drop))?;
        Ok(code)
    })?;
    match (code, decode_slot_kind(r)) {
        (1, Ok(SlotKind::Password(params))) => Ok(params),
        (1, _) => Err(CodecError::Bounds),
        (other, _) => Err(CodecError::UnknownType(other)),
    }
}

fn decode_slot_kind(r: &mut Reader<'_>) -> Result<SlotKind, CodecError> {
    let small = |r: &mut Reader<'_>| u32::try_from(r.uint()?).map_err(|_| CodecError::Bounds);
    r.tuple(5, |r| {
        let code = r.uint()?;
        let (memory_kib, passes, lanes) = (small(r)?, small(r)?, small(r)?);
        let salt: [u8; 16] = r.bytes_exact()?;
        match (code, memory_kib, passes, lanes) {
            (1, ..) => Ok(SlotKind::Password(PasswordParams { memory_kib, passes, lanes, salt })),
            (2, 0, 0, 0) if salt == [0; 16] => Ok(SlotKind::Recovery),
            _ => Err(CodecError::Bounds),
        }
    })
}
