// SPDX-License-Identifier: MIT OR Apache-2.0
//! Whether what a snapshot says of a record is what is here of it.
//!
//! Mostly the state alone tells: whoever compares reads old ops back from the log only where it does not. Source:
//! spec/snapshot.md, rule SNP-7.

use std::collections::{BTreeMap, BTreeSet};

use super::{Act, State};
use crate::op::{Carried, Change, Dot};

/// A record's kind, its newest ops, and the current writes of its fields, those in conflict too. States that differ in
/// none of them show the same, and the next op makes the same of them.
#[derive(Debug, PartialEq, Eq)]
pub struct Current<'a> {
    kind: u8,
    newest: BTreeSet<Dot>,
    writes: BTreeMap<&'a str, BTreeSet<Written<'a>>>,
}

/// By which op, and what; nothing where the field was removed.
type Written<'a> = (Option<Dot>, Option<&'a str>);

impl State {
    /// What this state shows, and on what that depends.
    pub fn current(&self) -> Current<'_> {
        let dot = |at: u32| self.touches.get(at as usize).map(|touch| touch.dot);
        let newest = self.touches.iter().filter(|touch| !touch.is_named);
        let fields = self.fields.iter().map(|(path, writes)| {
            let writes = writes.iter().map(|write| (dot(write.touch), write.value.as_deref()));
            (path, writes.collect::<BTreeSet<_>>())
        });
        Current {
            kind: self.kind_code(),
            newest: newest.map(|touch| touch.dot).collect(),
            writes: fields.filter(|(_, writes)| !writes.is_empty()).collect(),
        }
    }

    /// What its ops have named that is not here and of which this is true, with the paths on which it is replaced: what
    /// comes is changed by that.
    pub fn awaits(&self, is_open: &dyn Fn(&Dot) -> bool) -> BTreeMap<Dot, BTreeSet<&str>> {
        let mut awaited: BTreeMap<Dot, BTreeSet<&str>> = BTreeMap::new();
        for (dot, paths) in self.awaited.iter().filter(|(dot, _)| is_open(dot)) {
            awaited.entry(*dot).or_default().extend(paths.iter().map(String::as_str));
        }
        awaited
    }

    /// Whether it is plain from this state alone that what is carried is what is here: it comes to the same, by ops that
    /// stand so in the log.
    pub fn is_plainly(&self, carried: &[Carried]) -> bool {
        let (said, any) = (State::replay(carried), &|_: &Dot| true);
        self.current() == said.current()
            && self.awaits(any) == said.awaits(any)
            && carried.iter().all(|carried| self.shows(carried))
    }

    /// Whether it is plain from this state alone that an op stands so in the log: all that it says is current.
    fn shows(&self, carried: &Carried) -> bool {
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
        // Of what was named something may have been replaced: what it wrote is not all here.
        let is_all = act == Act::Delete || !touch.is_named;
        (touch.act, touch.kind, touch.clock) == (act, code, carried.op.clock)
            && is_all
            && touch.author == carried.op.author
            && fields.into_iter().flatten().all(is_current)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::panic, reason = "a panic is a failed test")]

    use aura_protocol::id::{DeviceId, Incarnation, RecordId};

    use super::*;
    use crate::op::Op;

    const RECORD: RecordId = RecordId([9; 16]);

    fn carried(number: u64, change: Change) -> Carried {
        let dot =
            Dot { device: DeviceId([1; 16]), incarnation: Incarnation([1; 8]), number, index: 0 };
        let op = Op { clock: number, author: String::new(), change };
        Carried { dot, is_named: false, replaced: Vec::new(), op }
    }

    fn write(number: u64, text: &str, seen: &[&Carried]) -> Carried {
        let fields = [("text", text), ("of", text)];
        let fields =
            fields.into_iter().map(|(path, value)| (path.to_owned(), Some(value.to_owned())));
        let seen = seen.iter().map(|carried| carried.dot).collect();
        carried(number, Change::Write { record: RECORD, kind: 1, fields: fields.collect(), seen })
    }

    fn texts(carried: &mut Carried) -> &mut BTreeMap<String, Option<String>> {
        match &mut carried.op.change {
            Change::Write { fields, .. } => fields,
            other => panic!("{other:?}"),
        }
    }

    fn forget_seen(carried: &mut Carried) {
        match &mut carried.op.change {
            Change::Write { seen, .. } => seen.clear(),
            other => panic!("{other:?}"),
        }
    }

    /// What nobody here has.
    fn later_than_all() -> Carried {
        write(9, "to come", &[])
    }

    /// SNP-7: of what is plain nothing is read back; so nothing may be plain that differs anywhere.
    #[test]
    fn snp_7_nothing_is_plain_that_says_something_else() {
        let one = write(1, "one", &[]);
        let delete = carried(2, Change::Delete { record: RECORD, seen: vec![one.dot] });
        let two = write(3, "two", &[]);
        let (live, both) = (State::replay([&one]), State::replay([&one, &two]));
        let dead = State::replay([&one, &delete]);
        let with = |carried: &Carried, change: &dyn Fn(&mut Carried)| {
            let mut changed = carried.clone();
            change(&mut changed);
            changed
        };
        assert!(live.is_plainly(std::slice::from_ref(&one)));
        assert!(both.is_plainly(&[one.clone(), two.clone()]), "a conflict");
        assert!(
            !dead.is_plainly(&[one.clone(), delete.clone()]),
            "what was named may have said more"
        );
        // A delete says no more than that, also where another one names it.
        let again = carried(4, Change::Delete { record: RECORD, seen: vec![delete.dot] });
        assert!(State::replay([&delete, &again]).is_plainly(&[delete.clone(), again]));
        let gone = State::replay([&delete]);
        assert!(gone.is_plainly(std::slice::from_ref(&delete)));
        assert!(State::default().is_plainly(&[]));
        let changes: [&dyn Fn(&mut Carried); 9] = [
            &|it| it.dot.index += 1,
            &|it| it.op.clock = 9,
            &|it| it.op.author.push('x'),
            &|it| match &mut it.op.change {
                Change::Write { kind, .. } => *kind = 2,
                other => panic!("{other:?}"),
            },
            &|it| it.is_named = !it.is_named,
            &|it| it.replaced.push("text".to_owned()),
            &|it| drop(texts(it).remove("of")),
            &|it| drop(texts(it).insert("of".to_owned(), None)),
            &|it| drop(texts(it).insert("more".to_owned(), None)),
        ];
        for (at, change) in changes.into_iter().enumerate() {
            let changed = with(&one, change);
            assert!(!live.is_plainly(std::slice::from_ref(&changed)), "{at}");
            assert!(!both.is_plainly(&[changed.clone(), two.clone()]), "{at}");
            assert!(!dead.is_plainly(&[changed, delete.clone()]), "{at}");
        }
        for change in &changes[..3] {
            assert!(!gone.is_plainly(&[with(&delete, change)]));
        }
        for less in [vec![], vec![one.clone()], vec![two.clone()]] {
            assert!(!both.is_plainly(&less));
        }
        assert!(!live.is_plainly(&[one.clone(), two.clone()]));
        // Nor what names less of what may still come.
        let open = write(5, "open", &[&later_than_all()]);
        let (waiting, said) = (State::replay([&open]), with(&open, &|it| forget_seen(it)));
        assert!(waiting.is_plainly(core::slice::from_ref(&open)));
        assert!(!waiting.is_plainly(&[said]));
        let paths = waiting.awaits(&|dot| dot.number == 9).into_values().next().unwrap_or_default();
        assert_eq!(paths.into_iter().collect::<Vec<_>>(), ["of", "text"]);
        assert!(waiting.awaits(&|dot| dot.number != 9).is_empty());
        // Nor is an old value that is said to have been what the current one is.
        let (later, forged) = (write(4, "later", &[&one]), write(1, "later", &[]));
        assert!(!State::replay([&one, &later]).is_plainly(&[forged, later]));
        // Nor is a value that another op wrote, and that is said to have been replaced in this one.
        let said = with(&one, &|it| {
            drop(texts(it).insert("more".to_owned(), Some("2".to_owned())));
            it.replaced.push("more".to_owned());
        });
        let other = with(&two, &|it| {
            *texts(it) = [("more".to_owned(), Some("2".to_owned()))].into();
        });
        assert!(State::replay([&one, &other]).is_plainly(&[one.clone(), other.clone()]));
        assert!(!State::replay([&one, &other]).is_plainly(&[said, other]));
        // What it was before does not stand in the state: that is not plain.
        let later = write(4, "later", &[&one]);
        let edited = State::replay([&one, &later]);
        assert!(!edited.is_plainly(&[one, later.clone()]));
        let alone = with(&later, &|it| forget_seen(it));
        assert!(edited.is_plainly(&[alone]));
    }
}
