// SPDX-License-Identifier: MIT OR Apache-2.0
//! Keys, statements, entries and heads to test with: the same bytes in every run.

use aura_protocol::authority::{
    Claim, DeviceKeys, IdentityKeys, KEM_KEY_BYTES, PasswordParams, Position, Roster, SecondLock,
    SignedStatement, SlotKeys, SlotKind, Statement,
};
use aura_protocol::codec::{Encode, Extra};
use aura_protocol::entry::{ChunkAdded, EntryHeader};
use aura_protocol::head::{Cosignature, Head, Seen};
use aura_protocol::id::{
    ChunkName, CollectionId, DeviceId, EpochId, FeedId, Hash, Incarnation, Nonce16, SlotId, VaultId,
};
use aura_protocol::label::Label;
use aura_protocol::signed::{Signature, message};
use ed25519_dalek::{Signer, SigningKey};

/// Seeds of the people on stage. A device's other keys have the seeds that follow.
pub(crate) const IDENTITY: u8 = 1;
pub(crate) const IDENTITY_TWO: u8 = 2;
pub(crate) const STRANGER: u8 = 9;
pub(crate) const LAPTOP: u8 = 10;
pub(crate) const PHONE: u8 = 20;
pub(crate) const TABLET: u8 = 30;
pub(crate) const RECOVERY: u8 = 40;
pub(crate) const PASSWORD: u8 = 41;
pub(crate) const SECOND: u8 = 42;
pub(crate) const SECOND_TWO: u8 = 43;

pub(crate) const INCARNATION: Incarnation = Incarnation([7; 8]);

pub(crate) fn public(seed: u8) -> [u8; 32] {
    SigningKey::from_bytes(&[seed; 32]).verifying_key().to_bytes()
}

pub(crate) fn sign_raw(seed: u8, bytes: &[u8]) -> Signature {
    Signature(SigningKey::from_bytes(&[seed; 32]).sign(bytes).to_bytes())
}

pub(crate) fn sign(seed: u8, label: Label, payload: &[u8]) -> Signature {
    sign_raw(seed, &message(label, payload))
}

pub(crate) fn kem(seed: u8) -> Box<[u8; KEM_KEY_BYTES]> {
    Box::new([seed; KEM_KEY_BYTES])
}

pub(crate) fn device_keys(seed: u8) -> DeviceKeys {
    DeviceKeys {
        sign: public(seed),
        kem: kem(seed),
        transport: public(seed + 1),
        log: public(seed + 2),
        witness: public(seed + 3),
    }
}

pub(crate) fn device(seed: u8) -> DeviceId {
    device_keys(seed).id()
}

pub(crate) fn identity_keys(seed: u8) -> IdentityKeys {
    IdentityKeys { sign: public(seed), kem: kem(seed) }
}

pub(crate) fn epoch(counter: u32, nonce: u8) -> EpochId {
    EpochId { counter, nonce: Nonce16([nonce; 16]) }
}

pub(crate) fn at(number: u64) -> Position {
    Position { number, hash: Hash([number.to_be_bytes()[7]; 32]) }
}

pub(crate) fn signed(statement: &Statement, by: &[u8]) -> SignedStatement {
    let payload = statement.to_bytes();
    let label = SignedStatement::label(&statement.claim);
    let signatures = by.iter().map(|seed| (public(*seed), sign(*seed, label, &payload))).collect();
    SignedStatement { payload, signatures }
}

pub(crate) fn genesis_claim() -> Claim {
    Claim::Genesis {
        identity: identity_keys(IDENTITY),
        generation: epoch(1, 1),
        device: device_keys(LAPTOP),
        nonce: [5; 16],
    }
}

pub(crate) fn genesis() -> SignedStatement {
    let statement =
        Statement { vault: None, claim: genesis_claim(), clock: 1, extra: Extra::default() };
    signed(&statement, &[IDENTITY, LAPTOP])
}

pub(crate) fn vault() -> VaultId {
    VaultId(genesis().hash().0)
}

/// A vault of one device, the laptop.
pub(crate) fn roster() -> Roster {
    Roster::begin(&genesis()).unwrap()
}

pub(crate) fn statement(claim: Claim, clock: u64) -> Statement {
    Statement { vault: Some(vault()), claim, clock, extra: Extra::default() }
}

/// A claim in the sample vault, signed by the keys of these seeds.
pub(crate) fn said(claim: Claim, by: &[u8]) -> SignedStatement {
    said_at(2, claim, by)
}

pub(crate) fn said_at(clock: u64, claim: Claim, by: &[u8]) -> SignedStatement {
    signed(&statement(claim, clock), by)
}

pub(crate) fn slot(seed: u8, kind: SlotKind) -> Claim {
    let keys = SlotKeys { sign: public(seed), kem: kem(seed) };
    Claim::Slot { slot: SlotId([seed; 16]), kind, keys }
}

/// The second lock with this counter, whose keys are of this seed.
pub(crate) fn second(counter: u32, seed: u8) -> SecondLock {
    SecondLock {
        lock: epoch(counter, seed),
        generation: epoch(1, 1),
        params: PasswordParams { memory_kib: 262_144, passes: 3, lanes: 4, salt: [6; 16] },
        keys: SlotKeys { sign: public(seed), kem: kem(seed) },
    }
}

pub(crate) fn password_slot() -> Claim {
    let params = PasswordParams { memory_kib: 262_144, passes: 3, lanes: 4, salt: [3; 16] };
    slot(PASSWORD, SlotKind::Password(params))
}

/// The sample vault with a recovery slot and a phone that a password let in: quarantined.
pub(crate) fn roster_with_guest() -> Roster {
    let mut roster = roster();
    roster.apply(&said(slot(RECOVERY, SlotKind::Recovery), &[LAPTOP, RECOVERY])).unwrap();
    roster.apply(&said(Claim::Add(device_keys(PHONE)), &[PHONE, IDENTITY])).unwrap();
    roster
}

pub(crate) fn feed(collection: CollectionId) -> FeedId {
    FeedId { collection, device: device(LAPTOP), incarnation: INCARNATION }
}

pub(crate) fn header() -> EntryHeader {
    EntryHeader {
        vault: vault(),
        feed: feed(CollectionId([9; 16])),
        epoch: epoch(1, 4),
        number: 2,
        previous: Hash([6; 32]),
        body_bytes: 3,
        added: vec![
            ChunkAdded { name: ChunkName([1; 16]), hash: Hash([2; 32]), size_bytes: 100 },
            ChunkAdded { name: ChunkName([2; 16]), hash: Hash([3; 32]), size_bytes: 200 },
        ],
        dropped: vec![ChunkName([3; 16]), ChunkName([4; 16])],
        extra: Extra::default(),
    }
}

pub(crate) fn head() -> Head {
    let seen = |seed, held, applied| Seen {
        device: DeviceId([seed; 16]),
        incarnation: INCARNATION,
        held: at(held),
        applied: at(applied),
    };
    let cosignature = |seed| Cosignature {
        device: DeviceId([seed; 16]),
        incarnation: INCARNATION,
        line: b"a line".to_vec(),
    };
    Head {
        vault: vault(),
        device: device(LAPTOP),
        incarnation: INCARNATION,
        number: 3,
        previous: Hash([8; 32]),
        feeds: vec![(CollectionId::AUTHORITY, at(1)), (CollectionId([9; 16]), at(2))],
        seen: vec![seen(2, 4, 3), seen(3, 5, 0)],
        waiting: vec![CollectionId([1; 16]), CollectionId([2; 16])],
        checkpoint: b"a note".to_vec(),
        cosignatures: vec![cosignature(2), cosignature(3)],
        clock: 77,
        extra: Extra::default(),
    }
}

/// The bytes of a map with one member changed: `key` gets `value`, or goes when there is none.
/// Members are (key, encoded value) of a map whose keys are below 24.
pub(crate) fn with_member(encoded: &[u8], key: u64, value: Option<&[u8]>) -> Vec<u8> {
    use aura_protocol::codec::{Reader, Writer};
    let mut reader = Reader::new(encoded.get(1..).unwrap());
    let mut members = Vec::new();
    while !reader.rest().is_empty() {
        let found = reader.uint().unwrap();
        members.push((found, reader.any().unwrap().to_vec()));
    }
    members.retain(|(found, _)| *found != key);
    members.extend(value.map(|value| (key, value.to_vec())));
    members.sort();
    let mut writer = Writer::new();
    writer.map(members.len());
    for (key, value) in &members {
        writer.uint(*key).raw(value);
    }
    writer.into_bytes()
}

/// The encoding of whatever `write` writes.
pub(crate) fn cbor(write: impl FnOnce(&mut aura_protocol::codec::Writer)) -> Vec<u8> {
    let mut writer = aura_protocol::codec::Writer::new();
    write(&mut writer);
    writer.into_bytes()
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) fn unhex(text: &str) -> Vec<u8> {
    let digit = |c: char| u8::try_from(c.to_digit(16).unwrap()).unwrap();
    let digits: Vec<u8> = text.chars().map(digit).collect();
    assert!(digits.len().is_multiple_of(2));
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

/// A file of the published vectors that the project does not carry, if their folder is named.
pub(crate) fn published(path: &str) -> Option<serde_json::Value> {
    let Some(folder) = std::env::var_os("AURA_VECTORS") else {
        println!("skipped: AURA_VECTORS is not set ({path})");
        return None;
    };
    let text = std::fs::read_to_string(std::path::Path::new(&folder).join(path)).unwrap();
    Some(serde_json::from_str(&text).unwrap())
}
