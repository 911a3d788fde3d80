// SPDX-License-Identifier: MIT OR Apache-2.0
//! A life of one device that was lived twice: up to where both stores have the same, and letting go of the rest.
#![allow(clippy::unwrap_used, reason = "a panic is a failed test")]

use aura_protocol::entry::Entry;
use aura_protocol::head::{Head, Position};
use aura_protocol::id::{CollectionId, Hash};
use aura_protocol::store::{Access, LocalLog, StoreError};
use aura_store::local::LocalStore;
use aura_store::replicate::{Finding, Mark, Side, common, replicate};
use aura_testkit::author::Author;
use aura_testkit::conformance::{MAIL, NOTES};
use aura_testkit::seed::Seed;
use pollster::block_on;
use tempfile::TempDir;

struct Scene {
    access: Access,
    here: (TempDir, LocalStore),
    there: (TempDir, LocalStore),
    ours: Head,
    theirs: Head,
}

fn store(author: &Author, writes: &[(&[Entry], &Author)]) -> (TempDir, LocalStore) {
    let folder = TempDir::new().unwrap();
    let store = LocalStore::create(folder.path(), author.vault(), Box::new(|| 0)).unwrap();
    for (entries, at) in writes {
        store.append(entries, &(*at).clone().head()).unwrap();
    }
    (folder, store)
}

/// Seven notes in both; then two here, and forty others and a mail there.
fn scene() -> Scene {
    let mut seed = Seed::new(3);
    let (mut author, genesis) = Author::founder(&mut seed);
    let mut shared = vec![genesis];
    shared.extend((0..7).map(|n| author.entry(NOTES, vec![n; 60])));
    let (mut one, mut other) = (author.clone(), author.clone());
    // The head of what both have is behind them.
    let before = author.clone();
    drop((one.head(), other.head()));
    let here: Vec<_> = (0..2).map(|_| one.entry(NOTES, vec![1; 50])).collect();
    let mut there: Vec<_> = (0..40).map(|_| other.entry(NOTES, vec![2; 50])).collect();
    there.push(other.entry(MAIL, vec![3; 50]));
    let ours = one.clone().head().claim().unwrap();
    let theirs = other.clone().head().claim().unwrap();
    let access = Access::Vault(author.vault());
    let here = store(&author, &[(&shared, &before), (&here, &one)]);
    let there = store(&author, &[(&shared, &before), (&there, &other)]);
    Scene { access, here, there, ours, theirs }
}

impl Scene {
    fn common(&self, theirs: &Head) -> Result<Vec<(CollectionId, u64)>, (Side, StoreError)> {
        let (local, remote) = (&self.here.1, &self.there.1);
        let found = block_on(common(local, remote, &self.access, [&self.ours, theirs]))?;
        Ok(found.into_iter().map(|(feed, number)| (feed.collection, number)).collect())
    }
}

/// REP-22, attack FRK-03.
#[test]
fn a_fork_is_told_with_its_evidence_and_gives_way_to_what_the_other_store_has() {
    let scene = scene();
    let (local, remote) = (&scene.here.1, &scene.there.1);
    let done = block_on(replicate(local, remote, &scene.access, &Mark::new()));
    let is_fork = |finding: &Finding| matches!(finding, Finding::Forked { .. });
    assert!(done.findings.iter().any(is_fork), "{done:?}");
    // The other way round it is the same.
    let done = block_on(replicate(remote, local, &scene.access, &Mark::new()));
    assert!(done.findings.iter().any(is_fork), "{done:?}");

    let mut found = scene.common(&scene.theirs).unwrap();
    found.sort_unstable();
    let mut expected = vec![(CollectionId::AUTHORITY, 1), (NOTES, 7), (MAIL, 0)];
    expected.sort_unstable();
    assert_eq!(found, expected);
    let feeds = block_on(common(local, remote, &scene.access, [&scene.ours, &scene.theirs]));
    local.give_way(&feeds.unwrap()).unwrap();
    assert!(LocalLog::heads(local).unwrap().is_empty());
    assert_eq!(local.read(scene.ours.feed(NOTES), 0, 99).unwrap().len(), 7);
    let done = block_on(replicate(local, remote, &scene.access, &Mark::new()));
    assert!(done.findings.is_empty() && done.stopped.is_none(), "{done:?}");
    assert_eq!(local.read(scene.ours.feed(NOTES), 0, 99).unwrap().len(), 47);
    assert!(local.verify().unwrap().is_empty());
}

/// REP-22: nothing is let go of for entries that do not lead to what the device has signed.
#[test]
fn a_store_that_has_not_what_its_head_names_makes_nobody_give_way() {
    let scene = scene();
    let at = |number: u64, hash: Hash| {
        let mut head = scene.theirs.clone();
        for (collection, position) in &mut head.feeds {
            if *collection == NOTES {
                *position = Position { number, hash };
            }
        }
        head
    };
    let sound = scene.theirs.position(NOTES);
    for head in [
        at(sound.number, Hash([9; 32])),
        at(sound.number + 1, sound.hash),
        at(sound.number - 1, sound.hash),
        at(7, Hash([9; 32])),
    ] {
        let found = scene.common(&head);
        assert!(matches!(found, Err((Side::Remote, StoreError::Refused(_)))), "{found:?}");
    }
}
