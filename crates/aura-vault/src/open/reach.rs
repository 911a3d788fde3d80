// SPDX-License-Identifier: MIT OR Apache-2.0
//! How far the feeds of each device count here.
//!
//! A store keeps what any listed device wrote. A vault applies it, and takes keys from it, only if that
//! device is confirmed, and of one that has ended what the last accepted head names and no more: so that every
//! device comes to the same, whatever it met first. Source: spec/authority.md, rules AUT-7, AUT-8, AUT-18;
//! spec/replicate.md, rule REP-15.

use std::collections::{BTreeMap, BTreeSet};

use aura_protocol::authority::{Roster, Standing};
use aura_protocol::head::{Head, Position};
use aura_protocol::id::{CollectionId, DeviceId, FeedId, Incarnation};
use aura_protocol::signed::Signed;

type Life = (DeviceId, Incarnation);

/// How far a feed counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// All of it.
    Whole,
    /// Not yet: its device is not confirmed.
    Waiting,
    /// Up to this number: its device was revoked, or its incarnation closed.
    Upto(u64),
    /// The same, but the head that says up to where is not here: no further than it was applied.
    Ended,
}

impl Reach {
    /// The last number of a feed that counts, of which so many are there and so many were applied.
    pub(crate) fn upto(self, kept: u64, applied: u64) -> u64 {
        match self {
            Self::Whole => kept,
            Self::Waiting => 0,
            Self::Upto(last) => last.min(kept),
            Self::Ended => applied.min(kept),
        }
    }

    /// Whether so much was applied that does not count any more.
    pub(crate) fn is_passed(self, applied: u64) -> bool {
        matches!(self, Self::Upto(last) if applied > last)
    }
}

/// How far the feeds of an incarnation count.
#[derive(Debug)]
enum Extent {
    Whole,
    Waiting,
    Upto(BTreeMap<CollectionId, u64>),
    Ended,
}

/// How far each incarnation counts.
#[derive(Debug)]
pub(crate) struct Reaches {
    own: Option<DeviceId>,
    listed: BTreeSet<DeviceId>,
    others: BTreeMap<Life, Extent>,
}

impl Reaches {
    /// What follows from the roster and the newest heads, for the device that this is, if it is one.
    pub(crate) fn new(roster: &Roster, heads: &[Signed<Head>], own: Option<DeviceId>) -> Self {
        let of_head = |signed: &Signed<Head>| {
            let head = signed.claim().ok()?;
            let position = Position { number: head.number, hash: signed.hash() };
            let life = (head.device, head.incarnation);
            let extent = match roster.standing(head.device, head.incarnation, position) {
                Standing::Accepted if has_ended(roster, life) => Extent::Upto(
                    head.feeds.iter().map(|(id, position)| (*id, position.number)).collect(),
                ),
                Standing::Accepted => Extent::Whole,
                Standing::Quarantined => Extent::Waiting,
                Standing::Late if is_accepted_in_part(roster, life) => Extent::Ended,
                Standing::Late | Standing::Unlisted => Extent::Upto(BTreeMap::new()),
            };
            Some((life, extent))
        };
        let listed = roster.devices().keys().copied().collect();
        Self { own, listed, others: heads.iter().filter_map(of_head).collect() }
    }

    /// How far a feed counts. What this device writes always does, here, in each of its lives.
    pub(crate) fn of(&self, feed: FeedId) -> Reach {
        if self.own == Some(feed.device) {
            return Reach::Whole;
        }
        match self.others.get(&(feed.device, feed.incarnation)) {
            Some(Extent::Whole) => Reach::Whole,
            Some(Extent::Upto(last)) => {
                Reach::Upto(last.get(&feed.collection).copied().unwrap_or_default())
            }
            Some(Extent::Ended) => Reach::Ended,
            // Who was listed by what does not count any more.
            None if !self.listed.contains(&feed.device) => Reach::Upto(0),
            Some(Extent::Waiting) | None => Reach::Waiting,
        }
    }
}

/// Whether an incarnation was closed, or its device revoked.
fn has_ended(roster: &Roster, (device, incarnation): Life) -> bool {
    roster
        .device(device)
        .is_some_and(|device| device.revoked.is_some() || device.closed.contains_key(&incarnation))
}

/// Whether what has ended an incarnation names a head of it.
fn is_accepted_in_part(roster: &Roster, (device, incarnation): Life) -> bool {
    roster.device(device).is_some_and(|device| {
        let last = device.revoked.as_ref().map(|last| last.get(&incarnation));
        !matches!(last, Some(None))
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic is a failed test")]

    use aura_protocol::authority::decode_body;
    use aura_protocol::entry::Entry;
    use aura_testkit::author::Author;
    use aura_testkit::seed::Seed;

    use super::*;

    const NOTES: CollectionId = CollectionId([7; 16]);

    fn judged(author: &Author, said: &[Entry]) -> Roster {
        let said = said.iter().flat_map(|entry| decode_body(entry.body()).unwrap());
        Roster::judge(author.vault(), &said.collect::<Vec<_>>()).unwrap().0
    }

    fn at(head: &Signed<Head>) -> Position {
        Position { number: head.claim().unwrap().number, hash: head.hash() }
    }

    /// AUT-7, AUT-8, AUT-18, REP-15.
    #[test]
    fn a_feed_counts_as_far_as_its_device_does() {
        let mut seed = Seed::new(1);
        let (mut author, genesis) = Author::founder(&mut seed);
        let (mut phone, add) = author.pair(&mut seed);
        let (mut guest, join) = author.joiner(&mut seed);
        let mut stranger = Author::stranger(&mut seed, author.vault());
        for author in [&mut author, &mut phone, &mut guest, &mut stranger] {
            author.entry(NOTES, vec![1]);
        }
        let early = phone.head();
        phone.entry(NOTES, vec![2]);
        let heads = [author.head(), phone.head(), guest.head(), stranger.head()];
        let mut said = vec![genesis, add, join];
        let of = |said: &[Entry], heads: &[Signed<Head>], feed| {
            Reaches::new(&judged(&author, said), heads, None).of(feed)
        };
        let [own, theirs] = [&author, &phone].map(|author| author.feed(NOTES));
        assert_eq!([own, theirs].map(|feed| of(&said, &heads, feed)), [Reach::Whole; 2]);
        assert_eq!(of(&said, &heads, guest.feed(NOTES)), Reach::Waiting);
        assert_eq!(of(&said, &heads, stranger.feed(NOTES)), Reach::Upto(0));
        // Without a head: who is listed is waited for.
        assert_eq!(of(&said, &[], theirs), Reach::Waiting);
        assert_eq!(of(&said, &[], stranger.feed(NOTES)), Reach::Upto(0));

        let revoked = |last: Vec<Position>| {
            let last = last.into_iter().map(|at| (phone.incarnation(), at)).collect();
            [said.clone(), vec![author.clone().revoke(phone.device(), last)]].concat()
        };
        let mail = FeedId { collection: CollectionId([8; 16]), ..theirs };
        let newest = revoked(vec![at(&heads[1])]);
        assert_eq!(of(&newest, &heads, theirs), Reach::Upto(2));
        assert_eq!(of(&newest, &heads, mail), Reach::Upto(0));
        assert_eq!(of(&newest, std::slice::from_ref(&early), theirs), Reach::Upto(1), "so far");
        // The head that says up to where is not here.
        assert_eq!(of(&revoked(vec![at(&early)]), &heads, theirs), Reach::Ended);
        // No head of it counts.
        assert_eq!(of(&revoked(Vec::new()), &heads, theirs), Reach::Upto(0));
        // What this device has written itself counts here, whatever the others say.
        let roster = judged(&author, &revoked(Vec::new()));
        let reaches = Reaches::new(&roster, &heads, Some(phone.device()));
        assert_eq!(reaches.of(theirs), Reach::Whole);
        said.truncate(1);
        assert_eq!(of(&said, &[], theirs), Reach::Upto(0), "nobody lists it any more");
    }

    #[test]
    fn a_reach_is_a_number() {
        for (reach, upto, passed) in [
            (Reach::Whole, 9, false),
            (Reach::Waiting, 0, false),
            (Reach::Upto(5), 5, true),
            (Reach::Upto(6), 6, false),
            (Reach::Upto(20), 9, false),
            (Reach::Ended, 6, false),
        ] {
            assert_eq!((reach.upto(9, 6), reach.is_passed(6)), (upto, passed), "{reach:?}");
        }
        assert_eq!(Reach::Ended.upto(3, 6), 3);
    }
}
