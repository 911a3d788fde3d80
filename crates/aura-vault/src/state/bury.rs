// SPDX-License-Identifier: MIT OR Apache-2.0
//! Ops that a snapshot carries, and ops that it does not.
//!
//! What a dead op did to those that stay remains: it had seen them, it replaced their fields. So a device that
//! had it and one that never did come to the same. Source: spec/snapshot.md, rules SNP-2 and SNP-3.

use std::collections::BTreeSet;

use aura_protocol::id::RecordId;

use super::fields::{FieldList, FieldWrites};
use super::{Act, State};
use crate::op::{Carried, Change, Dot, Op};

/// Who writes on behalf of an import.
const IMPORT: &str = "import:";

impl State {
    /// A record's state, as ops in their places make it.
    pub fn replay<'a>(ops: impl IntoIterator<Item = &'a Carried>) -> Self {
        let mut state = Self::default();
        for carried in ops {
            state.take_carried(carried.clone());
        }
        state
    }

    /// What imports alone made of a record (OPS-19). What others did to it is left out, also where ops of theirs are gone
    /// and only what they did is said.
    pub fn imported<'a>(ops: impl IntoIterator<Item = &'a Carried>) -> Self {
        let mut state = Self::default();
        for carried in ops {
            if carried.op.author.starts_with(IMPORT) {
                state.take(carried.dot, carried.op.clone());
            }
        }
        state
    }

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
        // What is awaited says something that this does not; and of what was named something may have been replaced.
        let is_sole = self.awaited.is_empty() && !touch.is_named;
        is_sole.then(|| Carried {
            dot: touch.dot,
            is_named: touch.is_named,
            replaced: Vec::new(),
            op,
        })
    }

    /// Whether an op is among those that made this state.
    pub fn has(&self, dot: &Dot) -> bool {
        self.touches.iter().any(|touch| touch.dot == *dot)
    }

    /// Ops that a current value or the record's being there depends on: newest ones, and those with a current write.
    pub fn needed(&self) -> Vec<Dot> {
        let has_write: BTreeSet<u32> = self
            .fields
            .iter()
            .flat_map(|(_, writes)| writes.iter().map(|write| write.touch))
            .collect();
        let touches = (0u32..).zip(&self.touches);
        let needed = touches.filter(|(at, touch)| !touch.is_named || has_write.contains(at));
        needed.map(|(_, touch)| touch.dot).collect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic is a failed test")]

    use aura_protocol::id::{DeviceId, Incarnation};

    use super::*;

    const RECORD: RecordId = RecordId([9; 16]);

    fn dot(number: u64) -> Dot {
        Dot { device: DeviceId([1; 16]), incarnation: Incarnation([1; 8]), number, index: 0 }
    }

    fn write(number: u64, fields: &[(&str, &str)], seen: &[u64]) -> Carried {
        let fields =
            fields.iter().map(|(path, value)| ((*path).to_owned(), Some((*value).to_owned())));
        let seen = seen.iter().copied().map(dot).collect();
        let change = Change::Write { record: RECORD, kind: 1, fields: fields.collect(), seen };
        let op = Op { clock: number, author: String::new(), change };
        Carried { dot: dot(number), is_named: false, replaced: Vec::new(), op }
    }

    /// SNP-2: what ops that are not carried did to one changes the state, once, and says so.
    #[test]
    fn snp_2_what_was_done_to_a_carried_op_is_done_to_the_state() {
        let first = write(1, &[("a", "1"), ("b", "1")], &[]);
        let marked = |is_named, replaced: &[&str]| {
            let replaced = replaced.iter().map(|path| (*path).to_owned()).collect();
            Carried { is_named, replaced, ..first.clone() }
        };
        let known = State::replay([&first]);
        let mut same = known.clone();
        assert!(!same.take_carried(marked(false, &[])));
        assert_eq!(same, known);
        let mut named = known.clone();
        assert!(named.take_carried(marked(true, &[])));
        assert!(!named.is_live() && known.is_live(), "it is the newest no more");
        assert!(!named.take_carried(marked(true, &[])), "it was so already");
        assert!(!named.take_carried(marked(false, &[])), "and stays so");
        assert!(!named.is_live());
        let mut replaced = known;
        assert!(replaced.take_carried(marked(false, &["a", "no such"])));
        assert_eq!(replaced.values().collect::<Vec<_>>(), [("b", "1")]);
        assert!(!replaced.take_carried(marked(false, &["a"])));
    }

    /// SNP-3: what a dead op did stays done, what stays keeps its writes, and none is awaited that is dead.
    #[test]
    fn snp_3_dead_ops_are_let_go_of_with_their_writes() {
        let ops = [
            write(1, &[("a", "1"), ("b", "1")], &[]),
            write(2, &[("b", "2")], &[1]),
            write(3, &[("b", "3")], &[2, 7]),
        ];
        let mut known = State::replay(&ops);
        let values = |state: &State| {
            let values = state.values().map(|(path, value)| format!("{path}={value}"));
            values.collect::<Vec<_>>()
        };
        assert!(!known.bury(&|_| false));
        assert!(known.bury(&|dot| dot.number == 2));
        assert!(!known.has(&dot(2)) && known.has(&dot(1)) && known.has(&dot(3)));
        assert_eq!(values(&known), ["a=1", "b=3"]);
        // One more of the same fields: the paths that have no writes are not in the way.
        assert!(known.bury(&|dot| dot.number == 1));
        assert_eq!(values(&known), ["b=3"]);
        assert_eq!(known.sole_op(RECORD), None, "what it awaits is not said by its op alone");
        assert!(known.bury(&|dot| dot.number == 7), "it waits no more");
        assert!(!known.bury(&|dot| dot.number == 7));
        let sole = known.sole_op(RECORD).unwrap();
        assert_eq!((sole.dot, sole.op.clock), (dot(3), 3));
        assert_eq!(State::replay([&sole]).current(), known.current());
    }
}
