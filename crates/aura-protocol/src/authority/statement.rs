// SPDX-License-Identifier: MIT OR Apache-2.0
//! What an authority entry says: statements, each with the signatures that it needs.
//!
//! All types are in the format from its first version, also those whose feature comes later, so that an
//! older device recognises what it must not ignore. Source: spec/authority.md, rules AUT-1 to AUT-4.

use crate::codec::{CodecError, Decode, Encode, Extra, Reader, Writer};
pub use crate::head::Position;
use crate::id::{
    CollectionId, DeviceId, EpochId, FeedId, GrantId, Hash, Incarnation, SlotId, VaultId,
};
use crate::label::Label;
use crate::limits::{
    FORMAT_VERSION, HEAD_FEEDS_MAX, STATEMENT_BYTES_MAX, STATEMENT_SIGNATURES_MAX, STATEMENTS_MAX,
};
use crate::signed::{Signature, SignedError, verify};

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
}

impl Claim {
    fn code(&self) -> u64 {
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
        }
    }
}

/// A claim, in which vault and when it was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// The vault; `None` in a genesis, which makes it.
    pub vault: Option<VaultId>,
    /// What is claimed.
    pub claim: Claim,
    /// The maker's hybrid logical clock.
    pub clock: u64,
    /// Members from a newer version.
    pub extra: Extra,
}

/// A statement as made: its bytes and the signatures over them, each with the key it claims.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedStatement {
    /// The statement's encoding.
    pub payload: Vec<u8>,
    /// (verifying key, signature).
    pub signatures: Vec<([u8; 32], Signature)>,
}

impl SignedStatement {
    /// SHA-256 of the whole signed statement; of a genesis, the vault's id (AUT-2).
    pub fn hash(&self) -> Hash {
        Hash::of(&[&self.to_bytes()])
    }

    /// The statement, unchecked.
    ///
    /// # Errors
    /// When the payload does not decode.
    pub fn claim(&self) -> Result<Statement, SignedError> {
        Statement::from_bytes(&self.payload, STATEMENT_BYTES_MAX).map_err(SignedError::Payload)
    }

    /// The label under which this statement is signed.
    pub fn label(claim: &Claim) -> Label {
        match claim {
            Claim::Genesis { .. } => Label::SigGenesis,
            _ => Label::SigStatement,
        }
    }

    /// The statement and the keys that signed it, every signature checked (AUT-3).
    ///
    /// # Errors
    /// When a signature is not its key's, there is none, or the payload does not decode.
    pub fn verify(&self) -> Result<(Statement, Vec<[u8; 32]>), SignedError> {
        let statement = self.claim()?;
        let label = Self::label(&statement.claim);
        if self.signatures.is_empty() {
            return Err(SignedError::Signature);
        }
        for (key, signature) in &self.signatures {
            verify(key, label, &self.payload, signature)?;
        }
        Ok((statement, self.signatures.iter().map(|(key, _)| *key).collect()))
    }
}

impl Encode for SignedStatement {
    fn encode(&self, writer: &mut Writer) {
        writer.array(2).bytes(&self.payload).array(self.signatures.len());
        for (key, signature) in &self.signatures {
            writer.array(2).bytes(key).bytes(&signature.0);
        }
    }
}

impl Decode for SignedStatement {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        reader.tuple(2, |r| {
            let payload = r.bytes()?.to_vec();
            let signatures = r.array(STATEMENT_SIGNATURES_MAX, |r| {
                r.tuple(2, |r| Ok((r.bytes_exact()?, Signature(r.bytes_exact()?))))
            })?;
            Ok(Self { payload, signatures })
        })
    }
}

/// The body of an authority entry.
pub fn encode_body(statements: &[SignedStatement]) -> Vec<u8> {
    let mut writer = Writer::new();
    writer.array(statements.len());
    statements.iter().for_each(|statement| statement.encode(&mut writer));
    writer.into_bytes()
}

/// The statements in the body of an authority entry.
///
/// # Errors
/// When the body does not decode.
pub fn decode_body(body: &[u8]) -> Result<Vec<SignedStatement>, CodecError> {
    let mut reader = Reader::new(body);
    let statements = reader.array(STATEMENTS_MAX, SignedStatement::decode)?;
    reader.finish()?;
    Ok(statements)
}

impl Encode for Statement {
    fn encode(&self, writer: &mut Writer) {
        let fixed: usize = if self.vault.is_some() { 5 } else { 4 };
        writer.map(fixed.saturating_add(self.extra.len()));
        writer.uint(1).uint(FORMAT_VERSION);
        if let Some(vault) = &self.vault {
            writer.uint(2).bytes(&vault.0);
        }
        writer.uint(3).uint(self.claim.code());
        writer.uint(4);
        encode_claim(&self.claim, writer);
        writer.uint(5).uint(self.clock);
        self.extra.encode(writer);
    }
}

impl Decode for Statement {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        let (mut statement, extra) = reader.map(|map| {
            if map.required(1, Reader::uint)? != FORMAT_VERSION {
                return Err(CodecError::Bounds);
            }
            let vault = map.optional(2, |r| r.bytes_exact().map(VaultId))?;
            let code = map.required(3, Reader::uint)?;
            let claim = map.required(4, |r| decode_claim(code, r))?;
            let clock = map.required(5, Reader::uint)?;
            // AUT-1: only a genesis, which makes the vault's id, does without it.
            if vault.is_none() != matches!(claim, Claim::Genesis { .. }) {
                return Err(CodecError::MissingKey(2));
            }
            Ok(Self { vault, claim, clock, extra: Extra::default() })
        })?;
        statement.extra = extra;
        Ok(statement)
    }
}

fn encode_claim(claim: &Claim, w: &mut Writer) {
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
    }
}

fn decode_claim(code: u64, r: &mut Reader<'_>) -> Result<Claim, CodecError> {
    Ok(match code {
        1 => r.tuple(4, |r| {
            Ok(Claim::Genesis {
                identity: decode_identity(r)?,
                generation: EpochId::decode(r)?,
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
            Ok(Claim::Identity { generation: EpochId::decode(r)?, keys: decode_identity(r)? })
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
            let generation = EpochId::decode(r)?;
            Ok(Claim::Wrap { recipient, generation, sealed: r.bytes()?.to_vec() })
        })?,
        11 => r.tuple(2, |r| {
            Ok(Claim::Epoch {
                collection: CollectionId(r.bytes_exact()?),
                epoch: EpochId::decode(r)?,
            })
        })?,
        12 => r.tuple(4, |r| {
            let feed = FeedId::decode(r)?;
            let range = (r.uint()?, r.uint()?);
            let covered = r.array(HEAD_FEEDS_MAX, |r| {
                r.tuple(3, |r| Ok((FeedId::decode(r)?, Position::decode_from(r)?)))
            })?;
            Ok(Claim::Base { feed, range, covered })
        })?,
        13 => r.tuple(6, |r| {
            Ok(Claim::Grant {
                grant: GrantId(r.bytes_exact()?),
                sign: r.bytes_exact()?,
                kem: kem_key(r)?,
                collections: r.array(HEAD_FEEDS_MAX, |r| r.bytes_exact().map(CollectionId))?,
                until_ms: r.int()?,
                sealed: r.bytes()?.to_vec(),
            })
        })?,
        14 => Claim::Ungrant(GrantId(r.bytes_exact()?)),
        15 => r.tuple(2, |r| Ok(Claim::Floor { security: r.uint()?, protocol: r.uint()? }))?,
        // AUT-4: a statement of an unknown type is critical.
        _ => return Err(CodecError::Bounds),
    })
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
