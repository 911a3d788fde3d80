// SPDX-License-Identifier: MIT OR Apache-2.0
//! What goes with a snapshot, as a person is told before it does. Source: spec/snapshot.md, rule SNP-10.

use super::scope::Scope;
use crate::db::Row;
use crate::op::{Carried, Dot};
use crate::state::Touch;

/// What goes with a snapshot.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Going {
    /// Records of which nothing stays.
    pub records: u64,
    /// Those of them that are not in the trash: where not everything can be compared, the snapshot says that they were
    /// deleted by what was let go of elsewhere.
    pub live: u64,
    /// Changes, those of such records included.
    pub changes: u64,
}

impl Going {
    /// What goes of a record: by what is left of it, whatever ops stay that say nothing.
    pub(super) fn add(
        &mut self,
        (row, is_plain): (&Row, bool),
        carried: &[Carried],
        scope: &Scope<'_>,
    ) {
        let stays = |dot: &Dot| carried.iter().any(|carried| carried.dot == *dot);
        let is_going = |touch: &&Touch| scope.covers(&touch.dot) && !stays(&touch.dot);
        let going = row.state.touches().iter().filter(is_going).count();
        if going == 0 && is_plain {
            return;
        }
        let left = scope.left(row, carried);
        let is_lost = |(path, _): &(&str, &str)| left.value(path).is_none();
        let lost = row.state.values().filter(is_lost).count();
        let changes = if going == 0 { lost } else { going };
        let is_whole = changes > 0 && left.values().next().is_none();
        let is_live = row.state.is_live() && (is_whole || !left.is_live());
        self.changes = self.changes.saturating_add(changes as u64);
        self.records = self.records.saturating_add(u64::from(is_whole || is_live));
        self.live = self.live.saturating_add(u64::from(is_live));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic is a failed test")]

    use core::slice::from_ref as one;
    use std::collections::BTreeMap;

    use aura_protocol::authority::Snapshot;
    use aura_protocol::head::Position;
    use aura_protocol::id::{CollectionId, DeviceId, FeedId, Hash, Incarnation, RecordId};

    use super::*;
    use crate::op::{Change, Op};
    use crate::open::covered::Covered;
    use crate::record::Category;
    use crate::state::State;

    const RECORD: RecordId = RecordId([3; 16]);
    /// Of the feed so much is covered.
    const COVERED: u64 = 5;

    fn feed() -> FeedId {
        let (collection, device) = (CollectionId([1; 16]), DeviceId([2; 16]));
        FeedId { collection, device, incarnation: Incarnation([4; 8]) }
    }

    fn op(number: u64, seen: &[u64], fields: Option<(&str, Option<&str>)>) -> Carried {
        let dot = |number| {
            let FeedId { device, incarnation, .. } = feed();
            Dot { device, incarnation, number, index: 0 }
        };
        let seen = seen.iter().map(|number| dot(*number)).collect();
        let change = match fields {
            None => Change::Delete { record: RECORD, seen },
            Some((path, value)) => {
                let fields = [(path.to_owned(), value.map(str::to_owned))].into();
                Change::Write { record: RECORD, kind: 5, fields, seen }
            }
        };
        let op = Op { clock: number << 16, author: String::new(), change };
        Carried { dot: dot(number), is_named: false, replaced: Vec::new(), op }
    }

    fn going(known: &[Carried], is_plain: bool, carried: &[Carried]) -> (u64, u64, u64) {
        let at = Position { number: COVERED, hash: Hash([9; 32]) };
        let covered: BTreeMap<_, _> = [(feed(), at)].into();
        let base = Snapshot { id: Hash([8; 32]), feed: feed(), range: (6, 6), covered };
        let others = (Covered::default(), Covered::default());
        let scope = Scope::new(&base, Category::Notes, others);
        let state = State::replay(known);
        let row = Row { id: RECORD, category: Category::Notes, time_ms: 0, state };
        let mut going = Going::default();
        going.add((&row, is_plain), carried, &scope);
        (going.records, going.live, going.changes)
    }

    /// SNP-10: what goes of a record is counted by what is left of it.
    #[test]
    fn snp_10_what_goes_is_counted_by_what_is_left() {
        let made = op(1, &[], Some(("a", Some("1"))));
        let deleted = op(2, &[1], None);
        let in_trash = [made.clone(), deleted.clone()];
        assert_eq!(going(&in_trash, true, &[]), (1, 0, 2), "the trash");
        assert_eq!(going(&in_trash, true, &in_trash), (0, 0, 0));
        assert_eq!(going(one(&made), true, one(&made)), (0, 0, 0));
        assert_eq!(going(one(&made), false, &[]), (1, 1, 1));
        // An op that came later, and says nothing, hides nothing.
        let again = op(9, &[1, 2], None);
        assert_eq!(going(&[made.clone(), deleted, again], false, &[]), (1, 0, 2));
        let emptied = op(9, &[1], Some(("a", None)));
        assert_eq!(going(&[made.clone(), emptied], false, &[]), (1, 1, 1));
        let other = op(9, &[], Some(("b", Some("2"))));
        assert_eq!(going(&[made.clone(), other], false, &[]), (0, 0, 1));
        // Every op is carried, and nothing that it says counts any more.
        let replaced = vec!["a".to_owned()];
        let bent = Carried { is_named: true, replaced, ..made.clone() };
        assert_eq!(going(one(&made), false, &[bent]), (1, 1, 1));
        let bent = Carried { is_named: true, ..made.clone() };
        assert_eq!(going(&[made], false, &[bent]), (1, 1, 0), "deleted by nobody");
        // A record that never said anything.
        let nothing = op(1, &[], None);
        assert_eq!(going(one(&nothing), false, one(&nothing)), (0, 0, 0));
    }
}
