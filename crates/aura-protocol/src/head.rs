// SPDX-License-Identifier: MIT OR Apache-2.0
//! A head: a device's signed statement of all its feeds and of every other device's head it has seen.
//!
//! One signature covers everything a device has written so far; `seen` makes a fork of the history
//! visible to whoever meets both branches. Heads carry no key material.
//! Source: spec/head.md, rules HED-1 to HED-6.

use crate::codec::{CodecError, Decode, Encode, Extra, Reader, Writer, version};
use crate::entry::nonempty;
use crate::id::{CollectionId, DeviceId, FeedId, Hash, Incarnation, VaultId};
use crate::label::Label;
use crate::limits::{DEVICES_MAX, FORMAT_VERSION, HEAD_BYTES_MAX, HEAD_FEEDS_MAX, NOTE_BYTES_MAX};
use crate::signed::Signable;

/// How far a feed or a head has come: the number of its last member and that member's hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The last number; 0 for none.
    pub number: u64,
    /// The hash of what has that number; zero for none.
    pub hash: Hash,
}

impl Position {
    /// Nothing yet.
    pub const NONE: Self = Self { number: 0, hash: Hash([0; 32]) };

    pub(crate) fn encode_into(&self, writer: &mut Writer) {
        writer.uint(self.number).bytes(&self.hash.0);
    }

    pub(crate) fn decode_from(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        let position = Self { number: reader.uint()?, hash: Hash(reader.bytes_exact()?) };
        // HED-4: number 0 and hash zero both mean "none", so neither stands alone.
        match (position.number == 0, position.hash == Self::NONE.hash) {
            (true, true) | (false, false) => Ok(position),
            _ => Err(CodecError::Bounds),
        }
    }
}

/// What a device knows of another device's head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Whose.
    pub device: DeviceId,
    /// In which life.
    pub incarnation: Incarnation,
    /// The newest head whose entries this device holds.
    pub held: Position,
    /// The newest head whose entries it has opened and applied.
    pub applied: Position,
}

/// A cosignature of another device's checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cosignature {
    /// Whose log.
    pub device: DeviceId,
    /// In which life.
    pub incarnation: Incarnation,
    /// The signed-note line (C2SP tlog-cosignature).
    pub line: Vec<u8>,
}

/// A device's statement of where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// The vault.
    pub vault: VaultId,
    /// Who says it.
    pub device: DeviceId,
    /// In which life.
    pub incarnation: Incarnation,
    /// Counts from 1 within the incarnation.
    pub number: u64,
    /// The hash of the last head that was published before; zero for none.
    pub previous: Hash,
    /// Where each of its own feeds stands, by collection, ascending.
    pub feeds: Vec<(CollectionId, Position)>,
    /// What it has seen of others, ascending by device and incarnation.
    pub seen: Vec<Seen>,
    /// Collections that it keeps but cannot apply at present, ascending.
    pub waiting: Vec<CollectionId>,
    /// The newest checkpoint of its own audit log, as a signed note; empty for none.
    pub checkpoint: Vec<u8>,
    /// Its cosignatures of others' checkpoints, ascending by device and incarnation.
    pub cosignatures: Vec<Cosignature>,
    /// Its hybrid logical clock.
    pub clock: u64,
    /// Members from a newer version.
    pub extra: Extra,
}

impl Head {
    /// Where its feed of `collection` stands.
    pub fn position(&self, collection: CollectionId) -> Position {
        self.feeds
            .binary_search_by(|(id, _)| id.cmp(&collection))
            .ok()
            .and_then(|at| self.feeds.get(at))
            .map_or(Position::NONE, |(_, position)| *position)
    }

    /// HED-2: counted from 1, and the first follows nothing.
    fn has_place(&self) -> bool {
        self.number > 1 || self.number == 1 && self.previous == Position::NONE.hash
    }

    /// HED-3: every list ascending, each member once.
    fn is_ascending(&self) -> bool {
        self.feeds.is_sorted_by(|a, b| a.0 < b.0)
            && self.waiting.is_sorted_by(|a, b| a < b)
            && self.seen.is_sorted_by(|a, b| (a.device, a.incarnation) < (b.device, b.incarnation))
            && self
                .cosignatures
                .is_sorted_by(|a, b| (a.device, a.incarnation) < (b.device, b.incarnation))
    }

    /// HED-5: no feed without an entry, nothing applied that is not held, and nothing seen of itself.
    fn is_plausible(&self) -> bool {
        self.feeds.iter().all(|(_, position)| position.number > 0)
            && self.seen.iter().all(|seen| {
                seen.applied.number <= seen.held.number
                    && (seen.device, seen.incarnation) != (self.device, self.incarnation)
            })
    }

    /// The feed that its entries of `collection` form.
    pub fn feed(&self, collection: CollectionId) -> FeedId {
        FeedId { collection, device: self.device, incarnation: self.incarnation }
    }
}

impl Signable for Head {
    const LABEL: Label = Label::SigHead;
    const BYTES_MAX: usize = HEAD_BYTES_MAX;
}

impl Encode for Head {
    fn encode(&self, writer: &mut Writer) {
        let lists = [
            !self.seen.is_empty(),
            !self.waiting.is_empty(),
            !self.checkpoint.is_empty(),
            !self.cosignatures.is_empty(),
        ];
        let present = lists.iter().filter(|present| **present).count();
        writer.map(present.saturating_add(8).saturating_add(self.extra.len()));
        writer.uint(1).uint(FORMAT_VERSION);
        writer.uint(2).bytes(&self.vault.0);
        writer.uint(3).bytes(&self.device.0);
        writer.uint(4).bytes(&self.incarnation.0);
        writer.uint(5).uint(self.number);
        writer.uint(6).bytes(&self.previous.0);
        writer.uint(7).array(self.feeds.len());
        for (collection, position) in &self.feeds {
            writer.array(3).bytes(&collection.0);
            position.encode_into(writer);
        }
        if !self.seen.is_empty() {
            writer.uint(8).array(self.seen.len());
            for seen in &self.seen {
                writer.array(6).bytes(&seen.device.0).bytes(&seen.incarnation.0);
                seen.held.encode_into(writer);
                seen.applied.encode_into(writer);
            }
        }
        if !self.waiting.is_empty() {
            writer.uint(9).array(self.waiting.len());
            self.waiting.iter().for_each(|collection| {
                writer.bytes(&collection.0);
            });
        }
        if !self.checkpoint.is_empty() {
            writer.uint(10).bytes(&self.checkpoint);
        }
        if !self.cosignatures.is_empty() {
            writer.uint(11).array(self.cosignatures.len());
            for cosignature in &self.cosignatures {
                writer.array(3).bytes(&cosignature.device.0).bytes(&cosignature.incarnation.0);
                writer.bytes(&cosignature.line);
            }
        }
        writer.uint(12).uint(self.clock);
        self.extra.encode(writer);
    }
}

impl Decode for Head {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        let (mut head, extra) = reader.map(|map| {
            // HED-1: one version, no older or newer one.
            map.required(1, version)?;
            Ok(Self {
                vault: map.required(2, |r| r.bytes_exact().map(VaultId))?,
                device: map.required(3, |r| r.bytes_exact().map(DeviceId))?,
                incarnation: map.required(4, |r| r.bytes_exact().map(Incarnation))?,
                number: map.required(5, Reader::uint)?,
                previous: map.required(6, |r| r.bytes_exact().map(Hash))?,
                feeds: map.required(7, |r| r.array(HEAD_FEEDS_MAX, own_feed))?,
                seen: map
                    .optional(8, |r| nonempty(r.array(DEVICES_MAX, seen)?))?
                    .unwrap_or_default(),
                waiting: map
                    .optional(9, |r| {
                        nonempty(r.array(HEAD_FEEDS_MAX, |r| r.bytes_exact().map(CollectionId))?)
                    })?
                    .unwrap_or_default(),
                checkpoint: map.optional(10, note)?.unwrap_or_default(),
                cosignatures: map
                    .optional(11, |r| nonempty(r.array(DEVICES_MAX, cosignature)?))?
                    .unwrap_or_default(),
                clock: map.required(12, Reader::uint)?,
                extra: Extra::default(),
            })
        })?;
        if head.has_place() && head.is_ascending() && head.is_plausible() {
            head.extra = extra;
            Ok(head)
        } else {
            Err(CodecError::Bounds)
        }
    }
}

fn own_feed(reader: &mut Reader<'_>) -> Result<(CollectionId, Position), CodecError> {
    reader.tuple(3, |r| Ok((CollectionId(r.bytes_exact()?), Position::decode_from(r)?)))
}

fn seen(reader: &mut Reader<'_>) -> Result<Seen, CodecError> {
    reader.tuple(6, |r| {
        Ok(Seen {
            device: DeviceId(r.bytes_exact()?),
            incarnation: Incarnation(r.bytes_exact()?),
            held: Position::decode_from(r)?,
            applied: Position::decode_from(r)?,
        })
    })
}

fn cosignature(reader: &mut Reader<'_>) -> Result<Cosignature, CodecError> {
    reader.tuple(3, |r| {
        Ok(Cosignature {
            device: DeviceId(r.bytes_exact()?),
            incarnation: Incarnation(r.bytes_exact()?),
            line: note(r)?,
        })
    })
}

/// HED-6: a note has a largest size, and an absent one is written as no member at all.
fn note(reader: &mut Reader<'_>) -> Result<Vec<u8>, CodecError> {
    match reader.bytes()? {
        bytes if bytes.is_empty() || bytes.len() > NOTE_BYTES_MAX => Err(CodecError::Bounds),
        bytes => Ok(bytes.to_vec()),
    }
}
