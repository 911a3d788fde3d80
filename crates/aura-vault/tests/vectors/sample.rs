// SPDX-License-Identifier: MIT OR Apache-2.0
//! Ids, keys and bytes that the cases are made of; keys and randomness are the same in every run.

use std::collections::BTreeMap;

use aura_crypto::entropy::Entropy;
use aura_crypto::key::{FromKeyBytes, RootKey};
use aura_protocol::codec::Writer;
use aura_protocol::id::{CollectionId, DeviceId, EpochId, Incarnation, Nonce16, RecordId, VaultId};
use aura_vault::keyring::RootKeys;
use aura_vault::op::{Change, Compression, Dot, Op, encode_body};
use serde_json::{Value, json};

pub(crate) const VAULT: VaultId = VaultId([0x11; 32]);
pub(crate) const GENERATION: EpochId = EpochId { counter: 1, nonce: Nonce16([0x33; 16]) };
pub(crate) const LAPTOP: DeviceId = DeviceId([0xd0; 16]);
pub(crate) const PHONE: DeviceId = DeviceId([0xd1; 16]);
pub(crate) const LIFE: Incarnation = Incarnation([0x1c; 8]);
pub(crate) const COLLECTION: CollectionId = CollectionId([0x22; 16]);
pub(crate) const RECORD: RecordId =
    RecordId([0x01, 0x9a, 0, 0, 0, 0, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa]);
pub(crate) const CLOCK: u64 = 0x019a_0000_0000_0000;

/// Counts up.
#[derive(Default)]
pub(crate) struct Counter(u8);

impl Entropy for Counter {
    fn fill(&mut self, bytes: &mut [u8]) {
        for byte in bytes {
            self.0 = self.0.wrapping_add(1);
            *byte = self.0;
        }
    }
}

pub(crate) fn filled<K: FromKeyBytes>(with: u8) -> K {
    K::from_fill(&mut |bytes: &mut [u8]| bytes.fill(with))
}

pub(crate) fn root() -> RootKey {
    filled(0x44)
}

pub(crate) fn roots() -> RootKeys {
    RootKeys::derive(root(), VAULT, GENERATION)
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) fn unhex(text: &str) -> Vec<u8> {
    let byte = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
    (0..text.len()).step_by(2).map(byte).collect()
}

/// Root key, vault and generation as inputs say them.
pub(crate) fn opened_by() -> Value {
    json!({
        "root": hex(root().dangerous_bytes()),
        "vault": VAULT.to_string(),
        "generation": epoch_json(GENERATION),
    })
}

pub(crate) fn epoch_json(epoch: EpochId) -> Value {
    json!([epoch.counter, hex(&epoch.nonce.0)])
}

/// An input with one member more, or another.
pub(crate) fn with(mut input: Value, name: &str, value: Value) -> Value {
    input[name] = value;
    input
}

pub(crate) fn cbor(write: impl FnOnce(&mut Writer)) -> Vec<u8> {
    let mut writer = Writer::new();
    write(&mut writer);
    writer.into_bytes()
}

pub(crate) fn dot(device: DeviceId, number: u64, index: u32) -> Dot {
    Dot { device, incarnation: LIFE, number, index }
}

pub(crate) fn op(clock: u64, change: Change) -> Op {
    Op { clock, author: String::new(), change }
}

pub(crate) fn write(fields: &[(&str, Option<&str>)], seen: &[Dot]) -> Change {
    let own = |text: &str| text.to_owned();
    let fields: BTreeMap<_, _> =
        fields.iter().map(|(path, text)| (own(path), text.map(own))).collect();
    Change::Write { record: RECORD, kind: 5, fields, seen: seen.to_vec() }
}

pub(crate) fn delete(seen: &[Dot]) -> Change {
    Change::Delete { record: RECORD, seen: seen.to_vec() }
}

pub(crate) fn body(ops: &[Op]) -> Vec<u8> {
    encode_body(ops, Compression::None)
}
