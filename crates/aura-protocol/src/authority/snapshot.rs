// SPDX-License-Identifier: MIT OR Apache-2.0
//! Snapshots that a vault's devices have said to be whole: what each covers, and where it stands.
//!
//! A base covers entries of one collection. What it covers may be let go of once every device has adopted it;
//! its own entries carry what is left. Of the bases of a collection those count that no other one covers.
//! Source: spec/authority.md, rules AUT-14 and AUT-26; spec/snapshot.md.

use std::collections::BTreeMap;

use crate::head::Position;
use crate::id::{CollectionId, FeedId, Hash};
use crate::limits::BASES_MAX;

/// A snapshot of a collection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// The hash of the statement's payload: its name.
    pub id: Hash,
    /// The feed in which it stands.
    pub feed: FeedId,
    /// Its first and last entry there. Entries that belong to no snapshot may stand between them.
    pub range: (u64, u64),
    /// What it covers: up to which entry of each feed.
    pub covered: BTreeMap<FeedId, Position>,
}

impl Snapshot {
    /// The base that a statement says, if it may say that (AUT-26).
    pub(super) fn new(
        id: Hash,
        feed: FeedId,
        range: (u64, u64),
        covered: &[(FeedId, Position)],
    ) -> Option<Self> {
        let collection = feed.collection;
        if collection == CollectionId::AUTHORITY || collection == CollectionId::ROOT {
            return None;
        }
        let is_within =
            |(of, at): &(FeedId, Position)| of.collection == collection && at.number > 0;
        if !covered.iter().all(is_within) {
            return None;
        }
        let covered: BTreeMap<_, _> = covered.iter().copied().collect();
        // Otherwise something of its own feed would be neither covered nor after it.
        let own = covered.get(&feed).map_or(0, |at| at.number);
        (own.checked_add(1) == Some(range.0)).then_some(Self { id, feed, range, covered })
    }

    /// Whether there is room for it beside those that its device has made of its collection.
    pub(super) fn has_room(&self, known: &[Self]) -> bool {
        let of = |base: &Self| (base.feed.device, base.feed.collection);
        known.iter().filter(|base| of(base) == of(self)).count() < BASES_MAX
    }

    /// Up to where it covers a feed.
    pub fn covers(&self, feed: FeedId) -> Position {
        self.covered.get(&feed).copied().unwrap_or(Position::NONE)
    }

    /// Whether it covers another one and whatever that one covers, so that nobody needs that one any more.
    pub fn supersedes(&self, other: &Self) -> bool {
        let is_behind = |(feed, at): (&FeedId, &Position)| at.number <= self.covers(*feed).number;
        self.covers(other.feed).number >= other.range.1 && other.covered.iter().all(is_behind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{DeviceId, Incarnation};

    fn feed(collection: u8, device: u8) -> FeedId {
        FeedId {
            collection: CollectionId([collection; 16]),
            device: DeviceId([device; 16]),
            incarnation: Incarnation([1; 8]),
        }
    }

    fn at(number: u64) -> Position {
        Position { number, hash: Hash([7; 32]) }
    }

    fn base(of: FeedId, range: (u64, u64), covered: &[(FeedId, Position)]) -> Option<Snapshot> {
        Snapshot::new(Hash([0; 32]), of, range, covered)
    }

    #[test]
    fn a_base_is_of_one_collection_and_begins_where_it_ends_covering() {
        let (own, other) = (feed(5, 1), feed(5, 2));
        assert!(base(own, (1, 3), &[]).is_some());
        assert!(base(own, (1, 3), &[(other, at(9))]).is_some());
        assert!(base(own, (5, 6), &[(own, at(4)), (other, at(9))]).is_some());
        for (why, of, range, covered) in [
            ("a gap before it", own, (6, 6), vec![(own, at(4))]),
            ("it covers itself", own, (5, 6), vec![(own, at(5))]),
            ("nothing of its own feed is covered", own, (2, 2), vec![(other, at(4))]),
            ("another collection", own, (1, 2), vec![(feed(6, 2), at(4))]),
            ("a place that covers nothing", own, (1, 2), vec![(other, Position::NONE)]),
        ] {
            assert!(base(of, range, &covered).is_none(), "{why}");
        }
        for collection in [CollectionId::AUTHORITY, CollectionId::ROOT] {
            let of = FeedId { collection, ..own };
            assert!(base(of, (1, 1), &[]).is_none(), "never what the vault says about itself");
        }
    }

    /// AUT-26, attack AVL-05: a device that makes snapshots without end has nobody look at all of them.
    #[test]
    fn aut_26_a_device_has_so_many_bases_of_a_collection() {
        let known = vec![base(feed(5, 1), (1, 3), &[]).unwrap(); BASES_MAX];
        assert!(!base(feed(5, 1), (1, 3), &[]).unwrap().has_room(&known));
        assert!(base(feed(5, 1), (1, 3), &[]).unwrap().has_room(&known[1..]));
        for other in [feed(5, 2), feed(6, 1)] {
            assert!(base(other, (1, 3), &[]).unwrap().has_room(&known));
        }
    }

    #[test]
    fn a_later_base_takes_the_place_of_what_it_covers_and_of_nothing_else() {
        let (own, other) = (feed(5, 1), feed(5, 2));
        let first = base(own, (1, 3), &[(other, at(9))]).unwrap();
        let next = |range, covered: &[(FeedId, Position)]| base(own, range, covered).unwrap();
        assert!(next((5, 6), &[(own, at(4)), (other, at(9))]).supersedes(&first));
        assert!(!next((4, 6), &[(own, at(3)), (other, at(8))]).supersedes(&first));
        assert!(!next((3, 6), &[(own, at(2)), (other, at(9))]).supersedes(&first));
        assert!(!first.supersedes(&first.clone()));
    }
}
