// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a snapshot says of one record: the ops that are left of it, each in its own place.
//!
//! An op that is left out is dead. What it did to those that stay is said beside them: whether it had
//! seen them, and which of their fields it replaced. Source: spec/snapshot.md, rules SNP-1 and SNP-2.

use aura_protocol::codec::{CodecError, Reader, Writer};
use aura_protocol::id::{DeviceId, Incarnation, RecordId};

use super::{
    Change, Dot, FIELDS_MAX, Op, Packer, SEEN_MAX, decode_dot, decode_op, encode_dot, encode_op,
};

/// The ops that are left of a record. The records of a snapshot ascend, so that each says which ones there are
/// not between it and the one before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Carry {
    /// The record before, with nothing between; none for the first one.
    pub after: Option<RecordId>,
    /// The record, or none for the end: nothing comes after.
    pub record: Option<RecordId>,
    /// What is left of it.
    pub ops: Vec<Carried>,
}

/// An op that stays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Carried {
    /// Where it stood first.
    pub dot: Dot,
    /// Whether an op that does not stay had seen it.
    pub is_named: bool,
    /// Which of its fields ops that do not stay have replaced, ascending.
    pub replaced: Vec<String>,
    /// The op: a write or a delete. It names none that does not stay.
    pub op: Op,
}

impl Carried {
    /// Whether this is what is left of an op: all that it writes, and it names nothing that the whole one does not (SNP-7).
    pub fn is_left_of(&self, whole: &Self) -> bool {
        let (own, other) = (&self.op, &whole.op);
        let is_same_change = match (&own.change, &other.change) {
            (
                Change::Write { record, kind, fields, .. },
                Change::Write { record: of, kind: known, fields: all, .. },
            ) => (record, kind, fields) == (of, known, all),
            (Change::Delete { record, .. }, Change::Delete { record: of, .. }) => record == of,
            _ => false,
        };
        self.dot == whole.dot
            && own.clock == other.clock
            && own.author == other.author
            && is_same_change
            && own.seen().iter().all(|dot| other.seen().contains(dot))
    }
}

impl Carry {
    pub(super) fn dots(&self) -> impl Iterator<Item = &Dot> {
        self.ops.iter().flat_map(|carried| core::iter::once(&carried.dot).chain(carried.op.seen()))
    }

    pub(super) fn encode(
        &self,
        feeds: &[(DeviceId, Incarnation)],
        packer: &mut Packer,
        w: &mut Writer,
    ) {
        w.array(3);
        for record in [self.after, self.record] {
            match record {
                Some(record) => w.bytes(&record.0),
                None => w.null(),
            };
        }
        w.array(self.ops.len());
        for carried in &self.ops {
            w.array(4);
            encode_dot(&carried.dot, feeds, w);
            w.boolean(carried.is_named).array(carried.replaced.len());
            carried.replaced.iter().for_each(|path| {
                w.text(path);
            });
            encode_op(&carried.op, feeds, packer, w);
        }
    }

    pub(super) fn decode(
        r: &mut Reader<'_>,
        feeds: &[(DeviceId, Incarnation)],
        budget: &mut usize,
    ) -> Result<Self, CodecError> {
        let record = |r: &mut Reader<'_>| {
            if r.null() { Ok(None) } else { Ok(Some(RecordId(r.bytes_exact()?))) }
        };
        r.tuple(3, |r| {
            let (after, record) = (record(r)?, record(r)?);
            let ops = r.array(SEEN_MAX, |r| {
                r.tuple(4, |r| {
                    let dot = decode_dot(r, feeds)?;
                    let is_named = r.boolean()?;
                    let replaced = r.array(FIELDS_MAX, |r| r.text().map(str::to_owned))?;
                    let op = decode_op(r, feeds, budget)?;
                    match &op.change {
                        Change::Write { record: of, .. } | Change::Delete { record: of, .. }
                            if Some(*of) == record => {}
                        _ => return Err(CodecError::Bounds),
                    }
                    Ok(Carried { dot, is_named, replaced, op })
                })
            })?;
            // A place in the order has one meaning: on, or more of the same record, or the end.
            let is_ordered = match (after, record) {
                (_, None) => ops.is_empty(),
                (after, Some(record)) => after.is_none_or(|after| after <= record),
            };
            if is_ordered { Ok(Self { after, record, ops }) } else { Err(CodecError::Bounds) }
        })
    }
}
