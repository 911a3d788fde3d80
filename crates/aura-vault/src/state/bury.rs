// SPDX-License-Identifier: MIT OR Apache-2.0
//! Ops that a snapshot carries, and ops that it does not.
//!
//! What a dead op did to those that stay remains: it had seen them, it replaced their fields. So a device that
//! had it and one that never did come to the same. Source: spec/snapshot.md, rules SNP-2 and SNP-3.

use aura_protocol::id::RecordId;

use super::fields::{FieldList, FieldWrites};
use super::{Act, State};
use crate::op::{Carried, Change, Dot, Op};

impl State {
    /// Takes an op that a snapshot carries, with what dead ones did to it. Says whether anything changed.
    pub fn take_carried(&mut self, carried: Carried) -> bool {
        let Carried { dot, is_named, replaced, op } = carried;
        let mut is_changed = self.take(dot, op);
        let Some(at) = self.touches.iter().position(|touch| touch.dot == dot) else {
            return is_changed;
        };
        if let Some(touch) = self.touches.get_mut(at) {
            is_changed |= is_named && !touch.is_named;
            touch.is_named |= is_named;
        }
        for path in &replaced {
            if let Some(writes) = self.fields.writes_mut(path) {
                let before = writes.len();
                writes.retain(|write| write.touch as usize != at);
                is_changed |= writes.len() != before;
            }
        }
        is_changed
    }

    /// Lets go of dead ops, and no longer waits for any. Says whether anything changed.
    pub fn bury(&mut self, is_dead: &dyn Fn(&Dot) -> bool) -> bool {
        let before = (self.touches.len(), self.awaited.len());
        self.awaited.retain(|(dot, _)| !is_dead(dot));
        if self.touches.iter().any(|touch| is_dead(&touch.dot)) {
            let mut places = Vec::with_capacity(self.touches.len());
            let mut next = 0u32;
            for touch in &self.touches {
                let stays = !is_dead(&touch.dot);
                places.push(stays.then_some(next));
                next = next.saturating_add(u32::from(stays));
            }
            self.touches.retain(|touch| !is_dead(&touch.dot));
            let fields = core::mem::take(&mut self.fields).into_iter();
            let moved = fields.filter_map(|(path, writes)| {
                let stay = writes.into_iter().filter_map(|mut write| {
                    write.touch = places.get(write.touch as usize).copied().flatten()?;
                    Some(write)
                });
                let writes: FieldWrites = stay.collect();
                (!writes.is_empty()).then_some((path, writes))
            });
            // The paths still ascend.
            self.fields = FieldList::from_sorted(moved.collect()).unwrap_or_default();
        }
        before != (self.touches.len(), self.awaited.len())
    }

    /// The op of a record that has no other, as far as it counts: no op names any that is needed.
    pub fn sole_op(&self, record: RecordId) -> Option<Carried> {
        let [touch] = self.touches.as_slice() else { return None };
        let change = match touch.act {
            Act::Write => Change::Write {
                record,
                kind: touch.kind,
                fields: self
                    .fields
                    .iter()
                    .filter_map(|(path, writes)| {
                        let write = writes.iter().find(|write| write.touch == 0)?;
                        Some((path.to_owned(), write.value.clone()))
                    })
                    .collect(),
                seen: Vec::new(),
            },
            Act::Delete => Change::Delete { record, seen: Vec::new() },
        };
        let op = Op { clock: touch.clock, author: touch.author.clone(), change };
        // What is awaited says something that this does not.
        let is_sole = self.awaited.is_empty();
        is_sole.then(|| Carried {
            dot: touch.dot,
            is_named: touch.is_named,
            replaced: Vec::new(),
            op,
        })
    }

    /// Whether it is plain from this state alone that an op stands so in the log: all that it says is current.
    pub fn shows(&self, carried: &Carried) -> bool {
        let found = (0u32..).zip(&self.touches).find(|(_, touch)| touch.dot == carried.dot);
        let Some((at, touch)) = found else { return false };
        let (act, code, fields) = match &carried.op.change {
            Change::Write { kind, fields, .. } => (Act::Write, *kind, Some(fields)),
            Change::Delete { .. } => (Act::Delete, 0, None),
            _ => return false,
        };
        let is_current = |(path, value): (&String, &Option<String>)| {
            let writes = self.fields.get(path).into_iter().flatten();
            writes.into_iter().any(|write| write.touch == at && write.value == *value)
        };
        (touch.act, touch.kind, touch.clock) == (act, code, carried.op.clock)
            && touch.author == carried.op.author
            && fields.into_iter().flatten().all(is_current)
    }

    /// Whether an op is among those that made this state.
    pub fn has(&self, dot: &Dot) -> bool {
        self.touches.iter().any(|touch| touch.dot == *dot)
    }

    /// Ops that a current value or the record's being there depends on: newest ones, and those with a current write.
    pub fn needed(&self) -> Vec<Dot> {
        let has_write: std::collections::BTreeSet<u32> = self
            .fields
            .iter()
            .flat_map(|(_, writes)| writes.iter().map(|write| write.touch))
            .collect();
        let touches = (0u32..).zip(&self.touches);
        let needed = touches.filter(|(at, touch)| !touch.is_named || has_write.contains(at));
        needed.map(|(_, touch)| touch.dot).collect()
    }
}
