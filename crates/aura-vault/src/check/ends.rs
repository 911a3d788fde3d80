// SPDX-License-Identifier: MIT OR Apache-2.0
//! Whether heads are signed by listed devices, and every feed ends where its device's head says.

use std::collections::BTreeMap;

use aura_protocol::authority::Roster;
use aura_protocol::head::{Head, Position};
use aura_protocol::id::{DeviceId, FeedId};
use aura_protocol::signed::Signed;

use super::report::{Report, name};

/// Looks at the heads, and at where the feeds end.
pub(super) fn check_ends(
    roster: &Roster,
    (feeds, heads): (&[(FeedId, Position)], Vec<Signed<Head>>),
    report: &mut Report,
) {
    let mut claimed: BTreeMap<FeedId, Position> = BTreeMap::new();
    for signed in heads {
        report.checked = report.checked.saturating_add(1);
        let device = signed.claim().ok().and_then(|claim| roster.device(claim.device));
        let Some(device) = device else {
            report.problem("a head is not by a listed device".to_owned());
            continue;
        };
        match signed.verify(&device.keys.sign) {
            Ok(head) => {
                claimed.extend(head.feeds.iter().map(|(id, position)| (head.feed(*id), *position)));
            }
            Err(error) => {
                report.problem(format!("the head of device {}: {error}", device.keys.id()));
            }
        }
    }
    for (feed, position) in feeds {
        match claimed.remove(feed) {
            Some(head) if head == *position => {}
            // Of a device that was revoked, more may have come than is accepted.
            Some(head) if head.number < position.number && has_ended(roster, feed.device) => {}
            Some(head) => report.problem(format!(
                "{} ends at entry {}, but its device signed {}",
                name(feed),
                position.number,
                head.number
            )),
            None if has_ended(roster, feed.device) => {}
            None => report.problem(format!("{} is named by no head", name(feed))),
        }
    }
    for feed in claimed.into_keys() {
        report.problem(format!("{} is named by a head, but missing", name(&feed)));
    }
}

/// Whether a device was revoked, a life of it closed, or it was listed by what does not count any more.
fn has_ended(roster: &Roster, device: DeviceId) -> bool {
    let device = roster.device(device);
    device.is_none_or(|device| device.revoked.is_some() || !device.closed.is_empty())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic is a failed test")]

    use aura_protocol::authority::decode_body;
    use aura_protocol::entry::Entry;
    use aura_protocol::id::{CollectionId, Hash};
    use aura_protocol::signed::Signature;
    use aura_testkit::author::Author;
    use aura_testkit::seed::Seed;

    use super::*;

    const NOTES: CollectionId = CollectionId([7; 16]);

    /// A device with two notes, and another one; what both have said.
    struct Scene {
        seed: Seed,
        author: Author,
        other: Author,
        said: Vec<Entry>,
    }

    impl Scene {
        fn new() -> Self {
            let mut seed = Seed::new(1);
            let (mut author, genesis) = Author::founder(&mut seed);
            let (mut other, add) = author.pair(&mut seed);
            for author in [&mut author, &mut other] {
                author.entry(NOTES, vec![1]);
                author.entry(NOTES, vec![2]);
            }
            Self { seed, author, other, said: vec![genesis, add] }
        }

        fn roster(&self) -> Roster {
            let said = self.said.iter().flat_map(|entry| decode_body(entry.body()).unwrap());
            Roster::judge(self.author.vault(), &said.collect::<Vec<_>>()).unwrap().0
        }

        /// The problems with these heads, where the other device's notes end here.
        fn problems(&self, heads: Vec<Signed<Head>>, at: Option<Position>) -> Vec<String> {
            let mut feeds = vec![
                (
                    self.author.feed(CollectionId::AUTHORITY),
                    self.author.position(CollectionId::AUTHORITY),
                ),
                (self.author.feed(NOTES), self.author.position(NOTES)),
            ];
            feeds.extend(at.map(|at| (self.other.feed(NOTES), at)));
            let mut report = Report::default();
            let count = heads.len() as u64;
            check_ends(&self.roster(), (&feeds, heads), &mut report);
            assert_eq!(report.checked, count);
            report.problems
        }
    }

    fn is_one(problems: &[String], what: &str) {
        assert!(problems.len() == 1 && problems[0].contains(what), "{what}: {problems:?}");
    }

    #[test]
    fn a_feed_ends_where_its_head_says() {
        let mut scene = Scene::new();
        let (own, theirs) = (scene.author.head(), scene.other.head());
        let heads = || vec![own.clone(), theirs.clone()];
        let at = scene.other.position(NOTES);
        assert_eq!(scene.problems(heads(), Some(at)), Vec::<String>::new());
        for wrong in [
            Position { number: 1, ..at },
            Position { number: 3, ..at },
            Position { hash: Hash([9; 32]), ..at },
        ] {
            let told = scene.problems(heads(), Some(wrong));
            is_one(&told, &format!("ends at entry {}, but its device signed 2", wrong.number));
            is_one(&told, &format!("feed {NOTES} of device {}", scene.other.device()));
        }
        is_one(&scene.problems(heads(), None), "is named by a head, but missing");
        is_one(&scene.problems(vec![own.clone()], Some(at)), "is named by no head");
        let stranger = Author::stranger(&mut scene.seed, scene.author.vault()).head();
        let told = scene.problems(vec![own.clone(), theirs.clone(), stranger], Some(at));
        is_one(&told, "a head is not by a listed device");
        let forged = Signed::new(theirs.payload().to_vec(), Signature([1; 64]));
        let told = scene.problems(vec![own.clone(), forged], None);
        is_one(&told, &format!("the head of device {}", scene.other.device()));
    }

    #[test]
    fn of_a_device_that_was_revoked_more_may_be_here() {
        let mut scene = Scene::new();
        let (own, theirs) = (scene.author.head(), scene.other.head());
        let revoke = scene.author.revoke(scene.other.device(), Vec::new());
        scene.said.push(revoke);
        let newer = scene.author.head();
        let heads = || vec![newer.clone(), theirs.clone()];
        let at = scene.other.position(NOTES);
        assert_eq!(scene.problems(heads(), Some(at)), Vec::<String>::new());
        let more = Position { number: 3, hash: Hash([9; 32]) };
        assert_eq!(scene.problems(heads(), Some(more)), Vec::<String>::new());
        assert_eq!(scene.problems(vec![newer.clone()], Some(at)), Vec::<String>::new());
        for wrong in [Position { number: 1, ..at }, Position { hash: Hash([9; 32]), ..at }] {
            is_one(&scene.problems(heads(), Some(wrong)), "but its device signed 2");
        }
        // Of one that nobody lists any more, nothing is missed.
        scene.said.truncate(1);
        assert_eq!(scene.problems(vec![newer], Some(at)), Vec::<String>::new());
        assert_ne!(own, theirs);
    }
}
