// SPDX-License-Identifier: MIT OR Apache-2.0
//! How heads stand to each other, from what they say of their feeds alone.
//!
//! No signature is checked here: a store that takes a head does that. Source: spec/replicate.md, rules REP-2
//! and REP-3; spec/store.md, rule STO-7.

use std::collections::BTreeMap;

use aura_protocol::head::{Head, Position};
use aura_protocol::id::{DeviceId, Incarnation};
use aura_protocol::signed::Signed;
use aura_protocol::store::StoredHead;

use super::finding::Finding;

/// Whose head, in which life.
pub(super) type Life = (DeviceId, Incarnation);

/// A head that a store has told, decoded.
#[derive(Debug, Clone)]
pub(super) struct Told {
    pub(super) head: Head,
    pub(super) signed: Signed<Head>,
}

impl Told {
    /// What a store told; `None` if it is no head. What stands beside it is not looked at.
    pub(super) fn new(stored: StoredHead) -> Option<Self> {
        Some(Self { head: stored.head.claim().ok()?, signed: stored.head })
    }

    pub(super) fn life(&self) -> Life {
        (self.head.device, self.head.incarnation)
    }

    pub(super) fn position(&self) -> Position {
        Position { number: self.head.number, hash: self.signed.hash() }
    }
}

/// How one head stands to another of the same incarnation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Relation {
    Same,
    /// The first extends the second.
    Ahead,
    /// The second extends the first.
    Behind,
    /// Neither does.
    Apart,
}

/// How `a` stands to `b` (REP-3).
pub(super) fn relation(a: &Told, b: &Told) -> Relation {
    if a.position() == b.position() {
        Relation::Same
    } else if extends(&a.head, &b.head) {
        Relation::Ahead
    } else if extends(&b.head, &a.head) {
        Relation::Behind
    } else {
        Relation::Apart
    }
}

fn extends(later: &Head, earlier: &Head) -> bool {
    let goes_on = earlier.feeds.iter().all(|(collection, before)| {
        let position = later.position(*collection);
        position.number > before.number || position == *before
    });
    later.number > earlier.number && goes_on
}

/// Heads by incarnation; of several of one, the last.
pub(super) fn by_life(heads: Vec<StoredHead>, findings: &mut Vec<Finding>) -> BTreeMap<Life, Told> {
    let mut told = BTreeMap::new();
    for stored in heads {
        match Told::new(stored) {
            Some(head) => drop(told.insert(head.life(), head)),
            None => findings.push(Finding::Malformed),
        }
    }
    told
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic is a failed test")]

    use aura_protocol::id::CollectionId;
    use aura_testkit::author::Author;
    use aura_testkit::seed::Seed;

    use super::*;

    const NOTES: CollectionId = CollectionId([1; 16]);
    const MAIL: CollectionId = CollectionId([2; 16]);

    fn told(author: &mut Author) -> Told {
        let signed = author.head();
        Told { head: signed.claim().unwrap(), signed }
    }

    #[test]
    fn a_head_extends_those_before_it_and_none_of_a_clone() {
        let (mut author, _) = Author::founder(&mut Seed::new(1));
        author.entry(NOTES, vec![1]);
        let first = told(&mut author);
        let mut clone = author.clone();
        author.entry(NOTES, vec![2]);
        let second = told(&mut author);
        assert_eq!(relation(&first, &first), Relation::Same);
        assert_eq!(relation(&second, &first), Relation::Ahead);
        assert_eq!(relation(&first, &second), Relation::Behind);
        // The same number with other entries, with entries elsewhere, and a higher one that lacks a feed.
        clone.entry(NOTES, vec![3]);
        assert_eq!(relation(&second, &told(&mut clone)), Relation::Apart);
        clone.entry(MAIL, vec![3]);
        assert_eq!(relation(&second, &told(&mut clone)), Relation::Apart);
        let mut bare = first.clone();
        bare.head.number = 9;
        bare.head.feeds.clear();
        bare.signed = author.sign(&bare.head);
        assert_eq!(relation(&bare, &second), Relation::Apart);
        // Nothing new but its number: it extends all the same.
        let later = told(&mut author);
        assert_eq!(relation(&later, &second), Relation::Ahead);
    }
}
