// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a record's ops come to, in whatever order they arrive.
//!
//! Every op names the newest ops that its writer had seen and the writes that it replaces. So the state
//! keeps which ops touched the record, the writes of each field that no later write replaced, and what
//! was named before it arrived. Devices with the same ops have the same state. Values that were
//! replaced stay in the log, which is where a record's history is read. Source: spec/ops.md, rules OPS-11 to OPS-17.

mod fields;
mod bury;
mod shown;

use std::collections::BTreeMap;

use aura_protocol::codec::{CodecError, Decode, Encode, Reader, Writer};
use aura_protocol::id::{DeviceId, Incarnation, RecordId};
use aura_protocol::label::Label;
use sha2::{Digest, Sha256};

use crate::clock::Clock;
use crate::json;
use crate::op::{Change, Dot, Op};
use crate::record::{Fields, Kind};
use fields::{FieldList, FieldWrite, FieldWrites};

/// Members of this prefix speak about a record and are not part of its standard form (REC-3).
pub const META_PREFIX: &str = "aura:";
/// Prefix of attachments: one field each.
pub const BLOB_PREFIX: &str = "aura:blobs/";
const TOUCHES_MAX: usize = 1 << 20;

/// One op that touched the record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Touch {
    /// Which op.
    pub dot: Dot,
    /// When, by its writer's clock.
    pub clock: Clock,
    /// On whose behalf; empty for the owner.
    pub author: String,
    /// Whether it writes or deletes.
    pub act: Act,
    /// The code of the kind that it writes; 0 of a delete.
    pub kind: u8,
    /// Whether a later op had seen it.
    pub is_named: bool,
}

/// Whether an op writes or deletes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// It writes fields.
    Write,
    /// It deletes the record.
    Delete,
}

/// A record, as its ops have made it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct State {
    touches: Vec<Touch>,
    fields: FieldList,
    /// Ops that were named but have not arrived, with the paths on which the naming op replaces them.
    awaited: Vec<(Dot, Vec<String>)>,
}

impl State {
    /// The record's kind, if this version knows it (OPS-15).
    pub fn kind(&self) -> Option<Kind> {
        Kind::from_code(self.kind_code())
    }

    fn kind_code(&self) -> u8 {
        self.touches.iter().map(|touch| touch.kind).max().unwrap_or_default()
    }

    /// The ops that touched the record, in the order in which they arrived here.
    pub fn touches(&self) -> &[Touch] {
        &self.touches
    }

    /// What a next op that writes these paths must name: the newest ops, and the writes it replaces
    /// (OPS-12). A delete writes no paths.
    pub fn seen<'a>(&self, paths: impl IntoIterator<Item = &'a str>) -> Vec<Dot> {
        let newest = self.touches.iter().filter(|touch| !touch.is_named).map(|touch| touch.dot);
        let replaced = paths.into_iter().filter_map(|path| self.fields.get(path)).flatten();
        let replaced = replaced
            .filter_map(|write| self.touches.get(write.touch as usize))
            .map(|touch| touch.dot);
        let mut seen: Vec<Dot> = newest.chain(replaced).collect();
        seen.sort_unstable();
        seen.dedup();
        seen
    }

    /// Whether the record exists: not all of its newest ops are deletes (OPS-14).
    pub fn is_live(&self) -> bool {
        self.touches.iter().any(|touch| touch.act == Act::Write && !touch.is_named)
    }

    /// As [`State::take`], of an op that is still needed.
    pub fn apply(&mut self, dot: Dot, op: &Op) -> bool {
        self.take(dot, op.clone())
    }

    /// Takes an op in; one that was taken before changes nothing (OPS-11). Says whether it was new.
    pub fn take(&mut self, dot: Dot, op: Op) -> bool {
        if self.touches.iter().any(|touch| touch.dot == dot) {
            return false;
        }
        let Op { clock, author, change } = op;
        let (act, kind, seen, written) = match change {
            Change::Write { kind, fields, seen, .. } => (Act::Write, kind, seen, fields),
            Change::Delete { seen, .. } => (Act::Delete, 0, seen, BTreeMap::new()),
            _ => return false,
        };
        if !seen.is_empty() {
            let paths: Vec<String> = written.keys().cloned().collect();
            seen.iter().for_each(|named| self.supersede(*named, &paths));
        }
        let touch = u32::try_from(self.touches.len()).unwrap_or(u32::MAX);
        let (is_named, replaced) = self.arrive(dot);
        self.touches.push(Touch { dot, clock, author, act, kind, is_named });
        let mut current = written;
        replaced.iter().for_each(|path| drop(current.remove(path)));
        self.fields.add(touch, current);
        true
    }

    /// An op that writes these paths had seen the op at `named`.
    fn supersede(&mut self, named: Dot, paths: &[String]) {
        let Some(at) = self.touches.iter().position(|touch| touch.dot == named) else {
            self.awaited.push((named, paths.to_vec()));
            return;
        };
        if let Some(touch) = self.touches.get_mut(at) {
            touch.is_named = true;
        }
        for path in paths {
            if let Some(writes) = self.fields.writes_mut(path) {
                writes.retain(|write| write.touch as usize != at);
            }
        }
    }

    /// What was said about this op before it arrived: whether it was named, which paths are replaced.
    fn arrive(&mut self, dot: Dot) -> (bool, Vec<String>) {
        let mut is_named = false;
        let mut replaced = Vec::new();
        self.awaited.retain(|(named, paths)| {
            if *named == dot {
                is_named = true;
                replaced.extend(paths.iter().cloned());
            }
            *named != dot
        });
        (is_named, replaced)
    }

    /// Path and canonical text of every field that has a value, ascending by path.
    pub fn values(&self) -> impl Iterator<Item = (&str, &str)> {
        self.fields.iter().filter_map(|(path, writes)| {
            let write = writes.get(winner(&self.touches, writes)?)?;
            write.value.as_deref().map(|value| (path, value))
        })
    }

    /// The canonical text at a path.
    pub fn value(&self, path: &str) -> Option<&str> {
        let writes = self.fields.get(path)?;
        writes.get(winner(&self.touches, writes)?)?.value.as_deref()
    }

    /// Whether a path has been written, also when its value was removed.
    pub fn has_path(&self, path: &str) -> bool {
        self.fields.get(path).is_some()
    }

    /// The record's standard form, of a state that is needed no more: texts are not copied.
    pub fn into_fields(self) -> Fields {
        let Self { touches, fields, .. } = self;
        let told = fields.into_iter().filter(|(path, _)| !path.starts_with(META_PREFIX));
        json::unflatten(told.filter_map(|(path, mut writes)| {
            let at = winner(&touches, &writes)?;
            Some((path, writes.swap_remove(at).value?))
        }))
    }

    /// Paths on which two devices wrote different values at the same time.
    pub fn conflicts(&self) -> Vec<&str> {
        let differ = |writes: &[FieldWrite]| {
            writes
                .split_first()
                .is_some_and(|(first, rest)| rest.iter().any(|w| w.value != first.value))
        };
        let paths = self.fields.iter().filter(|(_, writes)| differ(writes));
        paths.map(|(path, _)| path).collect()
    }

    /// When the record was last written, by its writer's clock.
    pub fn modified(&self) -> Clock {
        self.touches.iter().map(|touch| touch.clock).max().unwrap_or_default()
    }

    /// The record's leaf in the state hash: its id and values, without clocks, history, authors,
    /// devices or the way to attachments' bytes (OPS-16).
    pub fn leaf(&self, id: RecordId) -> [u8; 32] {
        // Gathered first: hashing dozens of small pieces costs more than copying them.
        let mut said = Vec::with_capacity(self.about_bytes());
        said.extend_from_slice(Label::StateLeaf.as_str().as_bytes());
        said.push(0);
        said.extend_from_slice(&id.0);
        said.push(self.kind_code());
        let mut part = |text: &str| {
            said.extend_from_slice(&(text.len() as u64).to_be_bytes());
            said.extend_from_slice(text.as_bytes());
        };
        for (path, value) in self.values() {
            part(path);
            if path.starts_with(BLOB_PREFIX) {
                part(&crate::blob::BlobRef::public_text(value));
            } else {
                part(value);
            }
        }
        Sha256::digest(&said).into()
    }
}

/// Of concurrent writes the one with the highest clock, then device, wins (OPS-13). Returns where it is.
fn winner(touches: &[Touch], writes: &[FieldWrite]) -> Option<usize> {
    let (at, _) = writes.iter().enumerate().max_by_key(|(_, write)| {
        touches.get(write.touch as usize).map(|touch| (touch.clock, touch.dot))
    })?;
    Some(at)
}

impl State {
    /// How many bytes its encoding takes, about.
    fn about_bytes(&self) -> usize {
        let written =
            |write: &FieldWrite| write.value.as_ref().map_or(0, String::len).saturating_add(8);
        let of = |(path, writes): (&str, &FieldWrites)| {
            let values = writes.iter().map(written).fold(8, usize::saturating_add);
            path.len().saturating_add(values)
        };
        let touches = self.touches.len().saturating_mul(80);
        self.fields.iter().map(of).fold(touches, usize::saturating_add)
    }
}

impl Encode for State {
    fn to_bytes(&self) -> Vec<u8> {
        let mut writer = Writer::with_capacity(self.about_bytes());
        self.encode(&mut writer);
        writer.into_bytes()
    }

    /// The local database's form; not part of any format that leaves the device.
    fn encode(&self, w: &mut Writer) {
        w.array(3).array(self.touches.len());
        for touch in &self.touches {
            w.array(6);
            encode_dot(&touch.dot, w);
            w.uint(touch.clock).text(&touch.author).uint(u64::from(touch.kind));
            w.boolean(touch.act == Act::Delete).boolean(touch.is_named);
        }
        w.array(self.fields.len());
        for (path, writes) in self.fields.iter() {
            w.array(writes.len().saturating_mul(2).saturating_add(1)).text(path);
            for write in writes {
                w.uint(u64::from(write.touch));
                match &write.value {
                    Some(value) => w.text(value),
                    None => w.null(),
                };
            }
        }
        w.array(self.awaited.len());
        for (dot, paths) in &self.awaited {
            w.array(2);
            encode_dot(dot, w);
            w.array(paths.len());
            paths.iter().for_each(|path| {
                w.text(path);
            });
        }
    }
}

fn encode_dot(dot: &Dot, w: &mut Writer) {
    let mut bytes = [0u8; 24];
    bytes
        .iter_mut()
        .zip(dot.device.0.iter().chain(&dot.incarnation.0))
        .for_each(|(to, from)| *to = *from);
    w.array(3).bytes(&bytes).uint(dot.number).uint(u64::from(dot.index));
}

fn decode_dot(r: &mut Reader<'_>) -> Result<Dot, CodecError> {
    r.tuple(3, |r| {
        let bytes: [u8; 24] = r.bytes_exact()?;
        let (device, incarnation) = bytes.split_at(16);
        Ok(Dot {
            device: DeviceId::from_slice(device).ok_or(CodecError::Bounds)?,
            incarnation: Incarnation::from_slice(incarnation).ok_or(CodecError::Bounds)?,
            number: r.uint()?,
            index: u32::try_from(r.uint()?).map_err(|_| CodecError::Bounds)?,
        })
    })
}

impl Decode for State {
    fn decode(r: &mut Reader<'_>) -> Result<Self, CodecError> {
        r.tuple(3, |r| {
            let touches = r.array(TOUCHES_MAX, |r| {
                r.tuple(6, |r| {
                    Ok(Touch {
                        dot: decode_dot(r)?,
                        clock: r.uint()?,
                        author: r.text()?.to_owned(),
                        kind: u8::try_from(r.uint()?).map_err(|_| CodecError::Bounds)?,
                        act: if r.boolean()? { Act::Delete } else { Act::Write },
                        is_named: r.boolean()?,
                    })
                })
            })?;
            let fields = r.array(TOUCHES_MAX, decode_field)?;
            let fields = FieldList::from_sorted(fields).ok_or(CodecError::Bounds)?;
            let awaited = r.array(TOUCHES_MAX, |r| {
                r.tuple(2, |r| {
                    let dot = decode_dot(r)?;
                    Ok((dot, r.array(TOUCHES_MAX, |r| r.text().map(str::to_owned))?))
                })
            })?;
            Ok(Self { touches, fields, awaited })
        })
    }
}

fn decode_field(r: &mut Reader<'_>) -> Result<(String, FieldWrites), CodecError> {
    let mut path = None;
    let mut touch = None;
    let mut writes = FieldWrites::new();
    r.array(TOUCHES_MAX, |r| {
        if path.is_none() {
            path = Some(r.text()?.to_owned());
        } else if let Some(touch) = touch.take() {
            let value = if r.null() { None } else { Some(r.text()?.to_owned()) };
            writes.push(FieldWrite { touch, value });
        } else {
            touch = Some(u32::try_from(r.uint()?).map_err(|_| CodecError::Bounds)?);
        }
        Ok(())
    })?;
    Ok((path.ok_or(CodecError::Bounds)?, writes))
}
