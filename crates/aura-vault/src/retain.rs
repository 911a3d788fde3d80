// SPDX-License-Identifier: MIT OR Apache-2.0
//! Which ops of a record a snapshot carries, and which ones nobody needs any more.
//!
//! A pure function of a record's ops. Whatever a value, a conflict, or the record's being there depends on stays,
//! and so does what an import compares with; of what was replaced or deleted stays what is not old enough.
//! Source: spec/snapshot.md, rules SNP-4 to SNP-6.

use std::collections::{BTreeMap, BTreeSet};

use crate::clock::{Clock, physical_ms};
use crate::op::{Carried, Change, Dot};
use crate::state::State;

/// What old values of one record may come to; beyond it the oldest go first.
const HISTORY_BYTES_MAX: usize = 64 << 20;

/// From when on what was replaced or deleted is kept, in milliseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Records that were deleted after this.
    pub deleted_after_ms: i64,
    /// Values that were replaced after this; none if all are kept.
    pub replaced_after_ms: Option<i64>,
    /// Of a record that was changed after this, everything.
    pub changed_after_ms: i64,
}

/// Says which ops an earlier snapshot let go of.
pub(crate) type IsGone<'a> = &'a dyn Fn(&Dot) -> bool;

/// The ops that stay, of all that a record has. `is_gone` says which ops an earlier snapshot let go of.
pub(crate) fn retain(
    ops: Vec<Carried>,
    retention: &Retention,
    is_gone: IsGone<'_>,
) -> Vec<Carried> {
    let state = State::replay(&ops);
    let changed_ms = physical_ms(state.modified());
    let known: BTreeSet<Dot> = ops.iter().map(|carried| carried.dot).collect();
    if !state.is_live() && changed_ms < retention.deleted_after_ms {
        // What is named by it may come yet, and is deleted by it only as long as that is said.
        let is_awaiting = ops.iter().any(|carried| is_awaiting(carried, (&known, is_gone)));
        return if is_awaiting { ops } else { Vec::new() };
    }
    if !state.is_live() || changed_ms >= retention.changed_after_ms {
        return ops;
    }
    let stays = stays(&ops, &state, (&known, is_gone));
    let old = old(&ops, &stays, retention);
    let (mut kept, dead): (Vec<_>, Vec<_>) = ops
        .into_iter()
        .partition(|carried| stays.contains(&carried.dot) || !old.contains(&carried.dot));
    let kept_dots: BTreeSet<Dot> = kept.iter().map(|carried| carried.dot).collect();
    for carried in &mut kept {
        carried.suffer(&dead);
        carried.forget(&|dot| !kept_dots.contains(dot) && (known.contains(dot) || is_gone(dot)));
    }
    kept
}

/// Ops that something depends on.
fn stays(
    ops: &[Carried],
    state: &State,
    (known, is_gone): (&BTreeSet<Dot>, IsGone<'_>),
) -> BTreeSet<Dot> {
    let mut stays: BTreeSet<Dot> = state.needed().into_iter().collect();
    // What an import compares with when it is run again (OPS-19).
    stays.extend(State::imported(ops).needed());
    // The kind is the greatest of any write (OPS-15).
    let kind = |carried: &&Carried| match &carried.op.change {
        Change::Write { kind, .. } => Some((*kind, carried.op.clock, carried.dot)),
        _ => None,
    };
    stays.extend(ops.iter().max_by_key(kind).map(|carried| carried.dot));
    // One that names what has not come yet says something about it.
    let awaiting = ops.iter().filter(|carried| is_awaiting(carried, (known, is_gone)));
    stays.extend(awaiting.map(|carried| carried.dot));
    stays
}

/// Whether an op names one that has not come, nor was let go of.
fn is_awaiting(carried: &Carried, (known, is_gone): (&BTreeSet<Dot>, IsGone<'_>)) -> bool {
    carried.op.seen().iter().any(|dot| !known.contains(dot) && !is_gone(dot))
}

/// SNP-5: of the others those that were replaced too long ago, or are too much.
fn old(ops: &[Carried], stays: &BTreeSet<Dot>, retention: &Retention) -> BTreeSet<Dot> {
    let mut replaced: BTreeMap<Dot, Clock> = BTreeMap::new();
    for carried in ops {
        for dot in carried.op.seen() {
            let clock = replaced.entry(*dot).or_insert(carried.op.clock);
            *clock = carried.op.clock.min(*clock);
        }
    }
    let when = |carried: &Carried| replaced.get(&carried.dot).copied().unwrap_or_default();
    let mut others: Vec<&Carried> =
        ops.iter().filter(|carried| !stays.contains(&carried.dot)).collect();
    others.sort_by_key(|carried| core::cmp::Reverse((when(carried), carried.dot)));
    let mut bytes = 0usize;
    let is_old = |carried: &&Carried| {
        bytes = bytes.saturating_add(carried.op.change.about_bytes());
        let is_before = |after_ms| physical_ms(when(carried)) < after_ms;
        bytes > HISTORY_BYTES_MAX || retention.replaced_after_ms.is_some_and(is_before)
    };
    others.into_iter().filter(is_old).map(|carried| carried.dot).collect()
}

impl Carried {
    /// What dead ops have done to it.
    fn suffer(&mut self, dead: &[Self]) {
        for op in dead.iter().map(|carried| &carried.op).filter(|op| op.seen().contains(&self.dot))
        {
            self.is_named = true;
            if let (Change::Write { fields, .. }, Change::Write { fields: own, .. }) =
                (&op.change, &self.op.change)
            {
                self.replaced.extend(fields.keys().filter(|path| own.contains_key(*path)).cloned());
            }
        }
        self.replaced.sort_unstable();
        self.replaced.dedup();
    }

    /// Names dead ops no more.
    fn forget(&mut self, is_dead: &dyn Fn(&Dot) -> bool) {
        if let Change::Write { seen, .. } | Change::Delete { seen, .. } = &mut self.op.change {
            seen.retain(|dot| !is_dead(dot));
        }
    }
}

#[cfg(test)]
mod tests {
    use aura_protocol::id::{DeviceId, Incarnation, RecordId};
    use proptest::prelude::*;

    use super::*;
    use crate::op::Op;

    const RECORD: RecordId = RecordId([9; 16]);
    const DAY: u64 = 86_400_000;

    fn dot(device: u8, number: u64) -> Dot {
        Dot { device: DeviceId([device; 16]), incarnation: Incarnation([1; 8]), number, index: 0 }
    }

    fn clock(day: u64) -> Clock {
        (day * DAY) << 16
    }

    /// SNP-4, SNP-6: a delete that names what has not come yet stays, however old it is: what comes would be live.
    #[test]
    fn snp_4_a_delete_of_what_has_not_come_stays() {
        let delete = |seen: Vec<Dot>| {
            let op = Op {
                clock: clock(1),
                author: String::new(),
                change: Change::Delete { record: RECORD, seen },
            };
            Carried { dot: dot(1, 1), is_named: false, replaced: Vec::new(), op }
        };
        let year = i64::try_from(365 * DAY).unwrap_or_default();
        let retention = Retention {
            deleted_after_ms: year,
            replaced_after_ms: Some(year),
            changed_after_ms: year,
        };
        let (unknown, no) = (dot(2, 1), &|_: &Dot| false);
        assert_eq!(retain(vec![delete(Vec::new())], &retention, no), []);
        let waiting = vec![delete(vec![unknown])];
        assert_eq!(retain(waiting.clone(), &retention, no), waiting);
        assert_eq!(retain(waiting, &retention, &|dot| *dot == unknown), []);
    }

    /// What one device does next: which device, when, the paths it writes or `None` to delete, and whether it has
    /// taken in what the others have done by then.
    type Step = (u8, Option<Vec<u8>>, bool, bool);

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let paths = prop::option::weighted(0.85, prop::collection::vec(0u8..4, 1..3));
        prop::collection::vec((1u8..4, paths, any::<bool>(), prop::bool::weighted(0.2)), 1..24)
    }

    /// Each device's ops, as it had seen those of others.
    fn lived(steps: &[Step]) -> Vec<Carried> {
        let mut all: Vec<Carried> = Vec::new();
        let mut knows: BTreeMap<u8, BTreeSet<Dot>> = BTreeMap::new();
        let mut numbers: BTreeMap<u8, u64> = BTreeMap::new();
        for (day, (device, paths, takes_in, is_import)) in (0u64..).zip(steps) {
            let known = knows.entry(*device).or_default();
            if *takes_in {
                known.extend(all.iter().map(|carried| carried.dot));
            }
            let own = State::replay(all.iter().filter(|carried| known.contains(&carried.dot)));
            let change = match paths {
                Some(paths) => {
                    let fields: BTreeMap<_, _> = paths
                        .iter()
                        .map(|path| {
                            let is_removed = *is_import && day % 3 == 1;
                            (format!("p{path}"), (!is_removed).then(|| format!("\"{day}\"")))
                        })
                        .collect();
                    let seen = own.seen(fields.keys().map(String::as_str));
                    Change::Write { record: RECORD, kind: 1 + u8::from(day % 5 == 4), fields, seen }
                }
                None => Change::Delete { record: RECORD, seen: own.seen([]) },
            };
            let author = if *is_import { "import:1".to_owned() } else { String::new() };
            let number = numbers.entry(*device).or_default();
            *number += 1;
            let dot = dot(*device, *number);
            known.insert(dot);
            let op = Op { clock: clock(day), author, change };
            all.push(Carried { dot, is_named: false, replaced: Vec::new(), op });
        }
        all
    }

    fn values(state: &State) -> Vec<(String, String)> {
        state.values().map(|(path, value)| (path.to_owned(), value.to_owned())).collect()
    }

    fn same(a: &State, b: &State) -> Result<(), TestCaseError> {
        prop_assert_eq!(values(a), values(b));
        prop_assert_eq!(a.is_live(), b.is_live());
        prop_assert_eq!(a.conflicts(), b.conflicts());
        if a.is_live() {
            prop_assert_eq!(a.leaf(RECORD), b.leaf(RECORD));
        }
        Ok(())
    }

    fn retention(day: i64) -> Retention {
        let ms = day * DAY.cast_signed();
        Retention { deleted_after_ms: ms, replaced_after_ms: Some(ms), changed_after_ms: i64::MAX }
    }

    proptest! {
        /// However a record was changed, a device that has its snapshot and one that had everything and adopts the
        /// snapshot show the same, and go on showing the same whatever any of them does next.
        #[test]
        fn what_stays_comes_to_the_same_and_goes_on_so(
            steps in steps(), covered in 1usize..24, day in 0i64..24, second in 0usize..24,
        ) {
            let ops = lived(&steps);
            let (before, later) = ops.split_at(covered.min(ops.len()));
            let known: BTreeSet<Dot> = before.iter().map(|carried| carried.dot).collect();
            let kept = retain(before.to_vec(), &retention(day), &|_| false);
            let stays: BTreeSet<Dot> = kept.iter().map(|carried| carried.dot).collect();
            let is_dead = |dot: &Dot| known.contains(dot) && !stays.contains(dot);
            let whole = State::replay(before);
            let mut fresh = State::replay(&kept);
            if whole.is_live() {
                same(&whole, &fresh)?;
                // What an import compares with, too (OPS-19).
                prop_assert_eq!(values(&State::imported(before)), values(&State::imported(&kept)));
            }
            // One that had everything lets go of the dead, then the rest comes, or the other way round.
            let mut first = whole.clone();
            first.bury(&is_dead);
            kept.iter().for_each(|carried| { first.take_carried(carried.clone()); });
            same(&first, &fresh)?;
            let mut last = State::replay(&ops);
            for carried in later {
                first.take_carried(carried.clone());
                fresh.take_carried(carried.clone());
            }
            last.bury(&is_dead);
            kept.iter().for_each(|carried| { last.take_carried(carried.clone()); });
            same(&first, &fresh)?;
            same(&first, &last)?;
            // A second snapshot upon the first.
            let mut all = kept.clone();
            all.extend(later.iter().cloned());
            let upto = second.min(later.len()) + kept.len();
            let again = retain(all[..upto].to_vec(), &retention(day + 5), &is_dead);
            let rest = &all[upto..];
            let mut from_snapshot = State::replay(&again);
            let covered: BTreeSet<Dot> = all[..upto].iter().map(|carried| carried.dot).chain(known).collect();
            let stays: BTreeSet<Dot> = again.iter().map(|carried| carried.dot).collect();
            rest.iter().for_each(|carried| { from_snapshot.take_carried(carried.clone()); });
            first.bury(&|dot| covered.contains(dot) && !stays.contains(dot));
            again.iter().for_each(|carried| { first.take_carried(carried.clone()); });
            same(&first, &from_snapshot)?;
            if whole.is_live() && State::replay(&all[..upto]).is_live() {
                let everything: Vec<_> = before.iter().chain(&all[kept.len()..upto]).collect();
                let imported = State::imported(everything);
                prop_assert_eq!(values(&imported), values(&State::imported(&again)));
            }
        }
    }

    fn op(dot: Dot, day: u64, seen: &[Dot], value: Option<&str>) -> Carried {
        let seen = seen.to_vec();
        let change = match value {
            Some(value) => Change::Write {
                record: RECORD,
                kind: 1,
                fields: BTreeMap::from([("p".to_owned(), Some(value.to_owned()))]),
                seen,
            },
            None => Change::Delete { record: RECORD, seen },
        };
        let op = Op { clock: clock(day), author: String::new(), change };
        Carried { dot, is_named: false, replaced: Vec::new(), op }
    }

    fn dots(ops: &[Carried]) -> Vec<Dot> {
        ops.iter().map(|carried| carried.dot).collect()
    }

    #[test]
    fn a_value_is_old_by_when_it_was_replaced_and_not_by_when_it_was_written() {
        let (a, b, c) = (dot(1, 1), dot(1, 2), dot(1, 3));
        let ops =
            [op(a, 0, &[], Some("1")), op(b, 50, &[a], Some("2")), op(c, 90, &[b], Some("3"))];
        assert_eq!(dots(&retain(ops.to_vec(), &retention(60), &|_| false)), [b, c]);
        assert_eq!(dots(&retain(ops.to_vec(), &retention(91), &|_| false)), [c]);
        let everything = Retention { replaced_after_ms: None, ..retention(99) };
        assert_eq!(dots(&retain(ops.to_vec(), &everything, &|_| false)), [a, b, c]);
        let lately = Retention { changed_after_ms: 90 * DAY.cast_signed(), ..retention(99) };
        assert_eq!(dots(&retain(ops.to_vec(), &lately, &|_| false)), [a, b, c]);
    }

    #[test]
    fn a_deleted_record_goes_as_a_whole_once_it_was_long_ago() {
        let (a, b) = (dot(1, 1), dot(1, 2));
        let ops = [op(a, 0, &[], Some("1")), op(b, 50, &[a], None)];
        assert_eq!(dots(&retain(ops.to_vec(), &retention(50), &|_| false)), [a, b]);
        assert_eq!(dots(&retain(ops.to_vec(), &retention(51), &|_| false)), []);
    }

    #[test]
    fn what_is_too_much_goes_oldest_first() {
        let long = "x".repeat(HISTORY_BYTES_MAX / 2);
        let dots_of: Vec<Dot> = (1..=4).map(|number| dot(1, number)).collect();
        let ops: Vec<Carried> = (0..4usize)
            .map(|at| {
                let seen = &dots_of[at.saturating_sub(1)..at];
                op(dots_of[at], at as u64, seen, Some(&long))
            })
            .collect();
        let all = Retention { replaced_after_ms: None, ..retention(99) };
        assert_eq!(dots(&retain(ops, &all, &|_| false)), dots_of[2..]);
    }
}
