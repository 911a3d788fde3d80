// SPDX-License-Identifier: MIT OR Apache-2.0
//! One change, and the body of an entry: a batch of changes.
//!
//! A write names every earlier op of the record that its writer had seen, so that a causal successor
//! always wins and only concurrent writes are ordered by clock. How changes come together is in
//! `crate::state`; bodies are sealed by `crate::feed`.
//! Source: spec/ops.md, rules OPS-4 to OPS-7. What a snapshot says is in `carry`. Encoding deterministic CBOR.

mod carry;

use std::collections::BTreeMap;

use aura_protocol::codec::{CodecError, Decode, Encode, Reader, Writer};
use aura_protocol::id::{CollectionId, DeviceId, EpochId, Incarnation, RecordId, SlotId};
use aura_protocol::limits::{ENTRY_BODY_BYTES_MAX, ENTRY_OPS_MAX, ENTRY_PAD_BYTES_MIN};

use crate::clock::Clock;

pub use carry::{Carried, Carry};

/// Fields of this many bytes are tried for compression, one record at a time. Below, it costs more
/// time than all the rest of sealing and saves a few dozen bytes.
const COMPRESS_BYTES_MIN: usize = 1024;
const COMPRESS_LEVEL: i32 = 1;
const FIELDS_MAX: usize = 65_536;
const SEEN_MAX: usize = 65_536;
const BODY_VERSION: u64 = 1;
/// What all compressed fields of one entry may come to, in bytes.
const UNPACKED_BYTES_MAX: usize = 4 * ENTRY_BODY_BYTES_MAX;

/// Where an op stands: its feed within the collection, its entry's number, its index in the entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Dot {
    /// Who wrote it.
    pub device: DeviceId,
    /// In which life of the device.
    pub incarnation: Incarnation,
    /// The entry.
    pub number: u64,
    /// The op within the entry, from 0.
    pub index: u32,
}

/// Whether compressing is allowed: never for what stands behind the second lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// Record by record, where it helps.
    PerRecord,
    /// Not at all.
    None,
}

/// What an op does; each counts in one kind of collection (OPS-6).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Writes fields of a record: path to canonical JSON text, `None` to remove the field.
    Write {
        /// The record.
        record: RecordId,
        /// Its kind's code.
        kind: u8,
        /// What is written.
        fields: BTreeMap<String, Option<String>>,
        /// Every current op of the record that the writer had seen.
        seen: Vec<Dot>,
    },
    /// Deletes a record.
    Delete {
        /// The record.
        record: RecordId,
        /// Every op of the record that the writer had seen; others keep it alive.
        seen: Vec<Dot>,
    },
    /// A key of the keyring, sealed under the keyring key. In the root collection only.
    Key {
        /// Which collection it opens.
        collection: CollectionId,
        /// Which epoch of it.
        epoch: EpochId,
        /// The sealed key.
        sealed: Vec<u8>,
    },
    /// The same for a collection behind the second lock, sealed to that. In the root collection only.
    SecondKey {
        /// Which collection it opens.
        collection: CollectionId,
        /// Which epoch of it.
        epoch: EpochId,
        /// To which second lock it is sealed.
        lock: EpochId,
        /// The sealed key.
        sealed: Vec<u8>,
    },
    /// What a collection is for: the category's code, or 0 for the audit log. Root collection only.
    Name {
        /// The collection.
        collection: CollectionId,
        /// The category's code.
        category: u8,
    },
    /// An audit event's encoding. In the audit collection only.
    Event(Vec<u8>),
    /// A fact about the vault itself: a name and canonical JSON. Root collection only.
    Fact {
        /// Which fact: `import/<run>` …
        name: String,
        /// Its value.
        value: String,
    },
    /// The secret key that a password slot was made with, sealed under the keyring key. Root collection only.
    SecretKey {
        /// The slot.
        slot: SlotId,
        /// The sealed secret key.
        sealed: Vec<u8>,
    },
    /// What a snapshot says of a record. In a category's collection.
    Carry(Carry),
    /// An op of a type that this version does not know, kept as it is (OPS-7).
    Unknown(Vec<u8>),
}

/// A change, when and by whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Op {
    /// The writer's hybrid logical clock.
    pub clock: Clock,
    /// On whose behalf: empty for the owner, else a principal (`import:3`, `assistant:…`).
    pub author: String,
    /// What it does.
    pub change: Change,
}

impl Op {
    /// The ops that it names.
    pub fn seen(&self) -> &[Dot] {
        match &self.change {
            Change::Write { seen, .. } | Change::Delete { seen, .. } => seen,
            _ => &[],
        }
    }

    /// The record that it writes or deletes.
    pub fn record(&self) -> Option<RecordId> {
        match &self.change {
            Change::Write { record, .. } | Change::Delete { record, .. } => Some(*record),
            _ => None,
        }
    }
}

/// Encodes the ops of one entry (OPS-4).
pub fn encode_body(ops: &[Op], compression: Compression) -> Vec<u8> {
    let mut feeds: Vec<(DeviceId, Incarnation)> = ops
        .iter()
        .flat_map(|op| {
            let carried = match &op.change {
                Change::Carry(carry) => Some(carry.dots()),
                _ => None,
            };
            op.seen().iter().chain(carried.into_iter().flatten())
        })
        .map(|dot| (dot.device, dot.incarnation))
        .collect();
    feeds.sort_unstable();
    feeds.dedup();
    let bytes = ops.iter().map(|op| op.change.about_bytes()).fold(0, usize::saturating_add);
    // With room for the padding that sealing adds, so that the body is not copied for it.
    let room = bytes.saturating_add(bytes / 8).saturating_add(ENTRY_PAD_BYTES_MIN);
    let mut writer = Writer::with_capacity(room);
    writer.map(3).uint(1).uint(BODY_VERSION).uint(2).array(feeds.len());
    for (device, incarnation) in &feeds {
        writer.array(2).bytes(&device.0).bytes(&incarnation.0);
    }
    writer.uint(3).array(ops.len());
    let mut packer = Packer::new(compression);
    ops.iter().for_each(|op| encode_op(op, &feeds, &mut packer, &mut writer));
    writer.into_bytes()
}

impl Change {
    /// How many bytes an op's encoding takes at most, about, before it is compressed.
    pub(crate) fn about_bytes(&self) -> usize {
        const OP_BYTES: usize = 128;
        let inner = match self {
            Change::Write { fields, seen, .. } => {
                plain_bytes(fields).saturating_add(seen.len().saturating_mul(16))
            }
            Change::Delete { seen, .. } => seen.len().saturating_mul(16),
            Change::Event(bytes) | Change::Unknown(bytes) => bytes.len(),
            Change::Key { sealed, .. }
            | Change::SecondKey { sealed, .. }
            | Change::SecretKey { sealed, .. } => sealed.len(),
            Change::Fact { name, value } => name.len().saturating_add(value.len()),
            Change::Name { .. } => 0,
            Change::Carry(carry) => {
                let of = |carried: &Carried| carried.op.change.about_bytes();
                carry.ops.iter().map(of).fold(0, usize::saturating_add)
            }
        };
        inner.saturating_add(OP_BYTES)
    }
}

/// How many bytes a map of fields takes at most, uncompressed.
fn plain_bytes(fields: &BTreeMap<String, Option<String>>) -> usize {
    const LEADS: usize = 18;
    let of = |(path, value): (&String, &Option<String>)| {
        path.len().saturating_add(value.as_ref().map_or(0, String::len)).saturating_add(LEADS)
    };
    fields.iter().map(of).fold(LEADS, usize::saturating_add)
}

fn encode_op(op: &Op, feeds: &[(DeviceId, Incarnation)], packer: &mut Packer, w: &mut Writer) {
    let start = |w: &mut Writer, code: u64| {
        w.array(4).uint(code).uint(op.clock).text(&op.author);
    };
    match &op.change {
        Change::Write { record, kind, fields, seen } => {
            start(w, 1);
            w.array(4).bytes(&record.0).uint(u64::from(*kind));
            encode_fields(fields, packer, w);
            encode_dots(seen, feeds, w);
        }
        Change::Delete { record, seen } => {
            start(w, 2);
            w.array(2).bytes(&record.0);
            encode_dots(seen, feeds, w);
        }
        Change::Key { collection, epoch, sealed } => {
            start(w, 3);
            w.array(3).bytes(&collection.0);
            epoch.encode(w);
            w.bytes(sealed);
        }
        Change::Name { collection, category } => {
            start(w, 4);
            w.array(2).bytes(&collection.0).uint(u64::from(*category));
        }
        Change::Event(event) => {
            start(w, 5);
            w.bytes(event);
        }
        Change::Fact { name, value } => {
            start(w, 6);
            w.array(2).text(name).text(value);
        }
        Change::SecondKey { collection, epoch, lock, sealed } => {
            start(w, 7);
            w.array(4).bytes(&collection.0);
            epoch.encode(w);
            lock.encode(w);
            w.bytes(sealed);
        }
        Change::SecretKey { slot, sealed } => {
            start(w, 8);
            w.array(2).bytes(&slot.0).bytes(sealed);
        }
        Change::Carry(carry) => {
            start(w, 9);
            carry.encode(feeds, packer, w);
        }
        Change::Unknown(encoded) => {
            w.raw(encoded);
        }
    }
}

fn encode_dots(dots: &[Dot], feeds: &[(DeviceId, Incarnation)], w: &mut Writer) {
    w.array(dots.len());
    dots.iter().for_each(|dot| encode_dot(dot, feeds, w));
}

fn encode_dot(dot: &Dot, feeds: &[(DeviceId, Incarnation)], w: &mut Writer) {
    let feed = feeds.binary_search(&(dot.device, dot.incarnation)).unwrap_or_default();
    w.array(3).uint(feed as u64).uint(dot.number).uint(u64::from(dot.index));
}

/// Compresses one record's fields at a time, with one working memory for all of an entry.
struct Packer(Option<zstd::bulk::Compressor<'static>>);

impl Packer {
    fn new(compression: Compression) -> Self {
        match compression {
            Compression::PerRecord => Self(zstd::bulk::Compressor::new(COMPRESS_LEVEL).ok()),
            Compression::None => Self(None),
        }
    }

    /// The compressed bytes, where that is worth it.
    fn pack(&mut self, plain: &[u8]) -> Option<Vec<u8>> {
        if plain.len() < COMPRESS_BYTES_MIN {
            return None;
        }
        let packed = self.0.as_mut()?.compress(plain).ok()?;
        (packed.len() < plain.len().saturating_sub(plain.len() >> 4)).then_some(packed)
    }
}

/// A map of fields, plain or, where that is shorter, as compressed bytes (OPS-5).
fn encode_fields(fields: &BTreeMap<String, Option<String>>, packer: &mut Packer, w: &mut Writer) {
    let room = plain_bytes(fields);
    if packer.0.is_none() || room < COMPRESS_BYTES_MIN {
        return encode_plain(fields, w);
    }
    let mut plain = Writer::with_capacity(room);
    encode_plain(fields, &mut plain);
    let plain = plain.into_bytes();
    match packer.pack(&plain) {
        Some(packed) => w.bytes(&packed),
        None => w.raw(&plain),
    };
}

fn encode_plain(fields: &BTreeMap<String, Option<String>>, w: &mut Writer) {
    let mut ordered: Vec<_> = fields.iter().collect();
    ordered.sort_unstable_by_key(|(path, _)| (path.len(), *path));
    w.map(ordered.len());
    for (path, value) in ordered {
        w.text(path);
        match value {
            Some(value) => w.text(value),
            None => w.null(),
        };
    }
}

/// Decodes the ops of one entry. An op of an unknown type is kept and does not spoil the others.
///
/// # Errors
/// When the body is not what [`encode_body`] writes.
pub fn decode_body(body: &[u8]) -> Result<Vec<Op>, CodecError> {
    let mut reader = Reader::new(body);
    let (ops, _) = reader.map(|map| {
        if map.required(1, Reader::uint)? != BODY_VERSION {
            return Err(CodecError::Bounds);
        }
        let feeds = map.required(2, |r| {
            r.array(SEEN_MAX, |r| {
                r.tuple(2, |r| Ok((DeviceId(r.bytes_exact()?), Incarnation(r.bytes_exact()?))))
            })
        })?;
        let mut budget = UNPACKED_BYTES_MAX;
        map.required(3, |r| r.array(ENTRY_OPS_MAX, |r| decode_op(r, &feeds, &mut budget)))
    })?;
    reader.finish()?;
    Ok(ops)
}

fn decode_op(
    r: &mut Reader<'_>,
    feeds: &[(DeviceId, Incarnation)],
    budget: &mut usize,
) -> Result<Op, CodecError> {
    let encoded = r.any()?;
    let mut inner = Reader::new(encoded);
    inner.tuple(4, |r| {
        let code = r.uint()?;
        let clock = r.uint()?;
        let author = r.text()?.to_owned();
        let change = match code {
            1 => r.tuple(4, |r| {
                Ok(Change::Write {
                    record: RecordId(r.bytes_exact()?),
                    kind: u8::try_from(r.uint()?).map_err(|_| CodecError::Bounds)?,
                    fields: decode_fields(r, budget)?,
                    seen: decode_dots(r, feeds)?,
                })
            })?,
            2 => r.tuple(2, |r| {
                let record = RecordId(r.bytes_exact()?);
                Ok(Change::Delete { record, seen: decode_dots(r, feeds)? })
            })?,
            3 => r.tuple(3, |r| {
                Ok(Change::Key {
                    collection: CollectionId(r.bytes_exact()?),
                    epoch: EpochId::decode(r)?,
                    sealed: r.bytes()?.to_vec(),
                })
            })?,
            4 => r.tuple(2, |r| {
                Ok(Change::Name {
                    collection: CollectionId(r.bytes_exact()?),
                    category: u8::try_from(r.uint()?).map_err(|_| CodecError::Bounds)?,
                })
            })?,
            5 => Change::Event(r.bytes()?.to_vec()),
            6 => r.tuple(2, |r| {
                Ok(Change::Fact { name: r.text()?.to_owned(), value: r.text()?.to_owned() })
            })?,
            7 => r.tuple(4, |r| {
                Ok(Change::SecondKey {
                    collection: CollectionId(r.bytes_exact()?),
                    epoch: EpochId::decode(r)?,
                    lock: EpochId::decode(r)?,
                    sealed: r.bytes()?.to_vec(),
                })
            })?,
            8 => r.tuple(2, |r| {
                Ok(Change::SecretKey {
                    slot: SlotId(r.bytes_exact()?),
                    sealed: r.bytes()?.to_vec(),
                })
            })?,
            9 => Change::Carry(Carry::decode(r, feeds, budget)?),
            _ => {
                r.any()?;
                Change::Unknown(encoded.to_vec())
            }
        };
        Ok(Op { clock, author, change })
    })
}

fn decode_dots(
    r: &mut Reader<'_>,
    feeds: &[(DeviceId, Incarnation)],
) -> Result<Vec<Dot>, CodecError> {
    r.array(SEEN_MAX, |r| decode_dot(r, feeds))
}

fn decode_dot(r: &mut Reader<'_>, feeds: &[(DeviceId, Incarnation)]) -> Result<Dot, CodecError> {
    r.tuple(3, |r| {
        let at = usize::try_from(r.uint()?).map_err(|_| CodecError::Bounds)?;
        let (device, incarnation) = *feeds.get(at).ok_or(CodecError::Bounds)?;
        let number = r.uint()?;
        let index = u32::try_from(r.uint()?).map_err(|_| CodecError::Bounds)?;
        Ok(Dot { device, incarnation, number, index })
    })
}

fn decode_fields(
    r: &mut Reader<'_>,
    budget: &mut usize,
) -> Result<BTreeMap<String, Option<String>>, CodecError> {
    let fields = |r: &mut Reader<'_>| {
        r.text_map(FIELDS_MAX, |r, path| {
            let value = if r.null() { None } else { Some(r.text()?.to_owned()) };
            Ok((path.to_owned(), value))
        })
    };
    // A map stands here, or the bytes of a compressed one.
    let Ok(packed) = r.clone().bytes() else {
        return Ok(fields(r)?.into_iter().collect());
    };
    r.bytes()?;
    let plain =
        zstd::bulk::decompress(packed, ENTRY_BODY_BYTES_MAX).map_err(|_| CodecError::Bounds)?;
    *budget = budget.checked_sub(plain.len()).ok_or(CodecError::Bounds)?;
    let mut inner = Reader::new(&plain);
    let decoded = fields(&mut inner)?;
    inner.finish()?;
    Ok(decoded.into_iter().collect())
}
