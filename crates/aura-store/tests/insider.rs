// SPDX-License-Identifier: MIT OR Apache-2.0
//! A listed device that turned hostile: its signatures verify, and still it harms nobody's entries and chunks
//! but its own. Cases carry the ids of the attacks.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic is a failed test")]

use std::collections::BTreeSet;

use aura_protocol::entry::{ChunkAdded, Entry};
use aura_protocol::head::{Head, Position};
use aura_protocol::id::{ChunkName, CollectionId, Hash};
use aura_protocol::limits::ENTRY_CHUNKS_MAX;
use aura_protocol::signed::Signed;
use aura_protocol::store::{Access, BlindStore, LocalLog, StoreError};
use aura_store::local::LocalStore;
use aura_store::replicate::{Budget, Finding, Mark, Replicated, Side, replicate_within};
use aura_store::transfer::{ChunkMark, transfer};
use aura_testkit::author::{Author, chunk};
use aura_testkit::conformance::{MAIL, NOTES};
use aura_testkit::hostile::Mallory;
use aura_testkit::hostile::insider::{Answer, Insider};
use aura_testkit::seed::Seed;
use pollster::block_on;
use tempfile::TempDir;

/// An honest device with its store, and a hostile one that the vault lists.
struct Scene {
    seed: Seed,
    access: Access,
    honest: Author,
    insider: Author,
    local: LocalStore,
    folder: TempDir,
}

impl Scene {
    fn new() -> Self {
        let mut seed = Seed::new(1);
        let (mut honest, genesis) = Author::founder(&mut seed);
        let (insider, add) = honest.pair(&mut seed);
        let folder = TempDir::new().unwrap();
        let local = LocalStore::create(folder.path(), honest.vault(), Box::new(|| 0)).unwrap();
        local.append(&[genesis, add], &honest.head()).unwrap();
        let access = Access::Vault(honest.vault());
        Self { seed, access, honest, insider, local, folder }
    }

    /// The insider writes an entry that names this chunk.
    fn insider_names(&mut self, added: ChunkAdded) {
        let entry = self.insider.entry_with(MAIL, vec![6; 60], vec![added]);
        self.push_insider(&[entry]);
    }

    fn push_insider(&mut self, entries: &[Entry]) {
        let head = self.insider.head();
        let receipt = block_on(self.local.push(&self.access, &head, entries)).unwrap();
        assert!(receipt.missing.is_empty());
    }

    /// The honest device writes an entry that names this chunk.
    fn honest_names(&mut self, added: ChunkAdded) {
        let entry = self.honest.entry_with(NOTES, vec![1; 60], vec![added]);
        self.local.append(&[entry], &self.honest.head()).unwrap();
    }

    fn sync(&self, remote: &Insider, budget: Budget) -> Replicated {
        let (local, access) = (&self.local, &self.access);
        block_on(replicate_within(local, remote, access, &Mark::new(), budget))
    }

    /// A third device, listed here, and what it has written elsewhere.
    fn third(&mut self) -> (Author, Signed<Head>, Vec<Entry>) {
        let (mut third, add) = self.honest.pair(&mut self.seed);
        self.local.append(&[add], &self.honest.head()).unwrap();
        let entries = vec![third.entry(NOTES, vec![3; 60]), third.entry(MAIL, vec![3; 60])];
        let head = third.head();
        (third, head, entries)
    }

    fn length(&self, author: &Author, collection: CollectionId) -> u64 {
        let feeds = self.local.feeds().unwrap();
        let found = feeds.iter().find(|(feed, _)| *feed == author.feed(collection));
        found.map_or(0, |(_, position)| position.number)
    }

    fn put(&self, added: &ChunkAdded, sealed: &[u8]) -> Result<(), StoreError> {
        block_on(self.local.put(&self.access, added.name, sealed))
    }
}

/// What else the insider may say of a chunk: another hash, another size, or both.
fn claims(seed: &mut Seed, added: &ChunkAdded) -> Vec<(Vec<u8>, ChunkAdded)> {
    let size = usize::try_from(added.size_bytes).unwrap();
    let made = [size, size - 1, size + 1].map(|size| {
        let (sealed, other) = chunk(seed, size);
        (sealed, ChunkAdded { name: added.name, ..other })
    });
    let unknown = ChunkAdded { hash: Hash([7; 32]), ..added.clone() };
    made.into_iter().chain([(vec![7; size], unknown)]).collect()
}

/// Attacks INT-09, AVL-05: an entry that names a chunk of another under another hash or size, before or after that
/// one's entry came, neither keeps the chunk out, nor makes it rotten, nor puts other bytes in its place.
#[test]
fn int_09_a_foreign_name_for_a_chunk_takes_nothing_from_it() {
    for at in 0..4 {
        for insider_is_first in [true, false] {
            for is_put_ahead in [true, false] {
                let mut scene = Scene::new();
                let (sealed, added) = chunk(&mut scene.seed, 900);
                let (other, claim) = claims(&mut scene.seed, &added).remove(at);
                if is_put_ahead {
                    scene.local.put_chunk(added.name, &sealed).unwrap();
                }
                if insider_is_first {
                    scene.insider_names(claim.clone());
                    scene.honest_names(added.clone());
                } else {
                    scene.honest_names(added.clone());
                    scene.insider_names(claim.clone());
                }
                scene.put(&added, &sealed).unwrap();
                let stranger = scene.put(&claim, &other);
                assert!(matches!(stranger, Err(StoreError::Fork | StoreError::Refused(_))));
                let ahead = scene.local.put_chunk(added.name, &other);
                assert!(matches!(ahead, Err(StoreError::Fork | StoreError::Refused(_))));
                assert_eq!(LocalLog::chunk(&scene.local, added.name).unwrap(), sealed);
                let read = block_on(BlindStore::chunk(&scene.local, &scene.access, added.name));
                assert_eq!(read.unwrap(), sealed);
                let has = block_on(scene.local.has(&scene.access, &[added.name])).unwrap();
                assert_eq!(has, [true]);
                assert_eq!(scene.local.verify().unwrap(), []);
            }
        }
    }
}

/// STO-10, fault F-08: a rotten chunk is healed by what any of its names fits, and by nothing else.
#[test]
fn sto_10_a_rotten_chunk_with_two_names_is_healed_by_sound_bytes_only() {
    let mut scene = Scene::new();
    let (sealed, added) = chunk(&mut scene.seed, 900);
    let (_, claim) = claims(&mut scene.seed, &added).remove(1);
    scene.insider_names(claim);
    scene.honest_names(added.clone());
    scene.put(&added, &sealed).unwrap();
    let hex = added.name.to_string();
    let path = scene.folder.path().join("chunks").join(&hex[..2]).join(&hex);
    std::fs::write(&path, vec![0; 900]).unwrap();
    assert!(matches!(scene.put(&added, &[1; 900]), Err(StoreError::Refused(_))));
    assert!(matches!(LocalLog::chunk(&scene.local, added.name), Err(StoreError::Damaged(_))));
    scene.put(&added, &sealed).unwrap();
    assert_eq!(LocalLog::chunk(&scene.local, added.name).unwrap(), sealed);
}

/// STO-12: an access that extends to one of a chunk's names reads and writes what that one says.
#[test]
fn sto_12_an_access_is_to_what_its_own_collections_name() {
    let mut scene = Scene::new();
    let (sealed, added) = chunk(&mut scene.seed, 900);
    let (other, claim) = claims(&mut scene.seed, &added).remove(0);
    scene.insider_names(claim.clone());
    scene.honest_names(added.clone());
    let vault = scene.honest.vault();
    let to = |collection| Access::Collections { vault, collections: vec![collection], until_ms: 9 };
    let put = |access: &Access, sealed| block_on(scene.local.put(access, added.name, sealed));
    assert!(matches!(put(&to(MAIL), &sealed), Err(StoreError::Refused(_))));
    assert!(matches!(put(&to(NOTES), &other), Err(StoreError::Refused(_))));
    put(&to(NOTES), &sealed).unwrap();
    assert!(matches!(put(&to(MAIL), &other), Err(StoreError::Fork)), "what is sound stays");
    let read = |access: &Access| block_on(BlindStore::chunk(&scene.local, access, added.name));
    assert_eq!(read(&to(NOTES)).unwrap(), sealed);
    assert!(read(&to(MAIL)).is_err());
}

/// A head of this author that says that its notes go on and on.
fn beyond(author: &mut Author) -> Signed<Head> {
    let mut claim = author.head().claim().unwrap();
    claim.feeds = vec![(NOTES, Position { number: 1 << 40, hash: Hash([7; 32]) })];
    author.sign(&claim)
}

/// REP-18, attacks AVL-04, AVL-05: a feed without end under a signed head ends the run neither for the others nor never.
#[test]
fn avl_05_a_head_that_never_completes_costs_its_budget_and_no_more() {
    let mut scene = Scene::new();
    let (third, head, entries) = scene.third();
    let remote = Insider::default();
    scene.insider.set_clock(0);
    remote.write_on(&scene.insider.clone(), NOTES);
    remote.show(&beyond(&mut scene.insider), &[]);
    remote.show(&head, &entries);
    let default = Budget::default();
    for (budget, served) in [
        (Budget { head_entries: 2000, ..default }, 2048),
        (Budget { head_bytes: 250_000, ..default }, 2048),
    ] {
        let before = remote.served();
        let done = scene.sync(&remote, budget);
        assert!(done.stopped.is_none(), "{done:?}");
        let device = scene.insider.device();
        let is_told = |finding: &Finding| matches!(finding, Finding::Unfinished { device: d, .. } if *d == device);
        assert!(done.findings.iter().any(is_told), "{done:?}");
        assert!(remote.served() - before <= served + 2, "{}", remote.served());
        assert_eq!(scene.length(&third, NOTES), 1, "the others arrive");
        assert_eq!(scene.length(&scene.insider, NOTES), 0, "what is not whole is not shown");
    }
}

/// REP-18, attack AVL-05: nothing is asked for in the name of a head that does not verify.
#[test]
fn avl_05_a_head_is_checked_before_its_entries_are_asked_for() {
    let mut scene = Scene::new();
    scene.push_insider(&[]);
    let remote = Insider::default();
    // In the name of a listed device, in a life that is known and in a new one; and of one that nobody lists.
    let stranger = Author::stranger(&mut scene.seed, scene.honest.vault());
    for mut named in [scene.insider.clone(), scene.insider.reborn(&mut scene.seed)] {
        remote.write_on(&named, NOTES);
        remote.show(&stranger.sign(&beyond(&mut named).claim().unwrap()), &[]);
    }
    let mut nobody = stranger.reborn(&mut scene.seed);
    remote.write_on(&nobody, NOTES);
    remote.show(&beyond(&mut nobody), &[]);
    let done = scene.sync(&remote, Budget::default());
    assert!(done.stopped.is_none(), "{done:?}");
    let refused = |finding: &&Finding| matches!(finding, Finding::Refused { .. });
    assert_eq!(done.findings.iter().filter(refused).count(), 3, "{done:?}");
    assert_eq!(remote.reads(), []);
}

/// REP-18, attack AVL-05: devices that list themselves and are not listed by it cost their statements, within a budget.
#[test]
fn avl_05_strangers_are_heard_within_a_budget() {
    let mut scene = Scene::new();
    let remote = Insider::default();
    let crowd = Author::stranger(&mut scene.seed, scene.honest.vault());
    for _ in 0..40 {
        let (mut one, join) = crowd.joiner(&mut scene.seed);
        let notes = one.entry(NOTES, vec![6; 60]);
        remote.show(&one.head(), &[join, notes]);
    }
    // One that the identity lists is among them.
    let (mut joiner, join) = scene.honest.joiner(&mut scene.seed);
    joiner.set_clock(0);
    let notes = joiner.entry(NOTES, vec![1; 60]);
    remote.show(&joiner.head(), &[join, notes]);
    let budget = Budget { stranger_bytes: 640 << 10, ..Budget::default() };
    let done = scene.sync(&remote, budget);
    assert!(done.stopped.is_none(), "{done:?}");
    assert_eq!(scene.length(&joiner, NOTES), 1);
    let notes = remote.reads().iter().filter(|feed| feed.collection == NOTES).count();
    let statements = remote.reads().len() - notes;
    assert_eq!((notes, statements), (1, 10), "the joiner's notes, and no stranger's");
}

/// REP-4: what was refused is not offered again for heads that list nobody.
#[test]
fn rep_04_a_stranger_is_heard_once_unless_new_statements_come() {
    let mut scene = Scene::new();
    let (third, head, entries) = scene.third();
    let remote = Insider::default();
    let crowd = Author::stranger(&mut scene.seed, scene.honest.vault());
    let (mut stranger, join) = crowd.joiner(&mut scene.seed);
    stranger.set_clock(0);
    remote.show(&stranger.head(), &[join]);
    remote.show(&head, &entries);
    let done = scene.sync(&remote, Budget::default());
    assert!(done.stopped.is_none() && done.findings.len() == 1, "{done:?}");
    assert_eq!(scene.length(&third, NOTES), 1);
    let feed = stranger.feed(CollectionId::AUTHORITY);
    assert_eq!(remote.reads().iter().filter(|read| **read == feed).count(), 1);
}

/// REP-4, attack AVL-05: what is refused is not offered again without end, and what is right arrives in the end.
#[test]
fn avl_05_refused_heads_are_offered_again_so_often_and_no_more() {
    const CHAIN: usize = 20;
    let mut scene = Scene::new();
    let remote = Insider::default();
    // Each device is listed by the next, and clocks are such that each comes before its own listing.
    let mut last = scene.insider.clone();
    for at in 0..CHAIN {
        let (next, add) = last.pair(&mut scene.seed);
        last.set_clock((CHAIN - at) as u64);
        remote.show(&last.head(), &[add]);
        last = next;
    }
    let mut runs = 0;
    while LocalLog::heads(&scene.local).unwrap().len() <= CHAIN {
        let before = LocalLog::heads(&scene.local).unwrap().len();
        let done = scene.sync(&remote, Budget::default());
        assert!(done.stopped.is_none(), "{done:?}");
        assert!(done.pulled.heads <= 16, "rounds without a bound");
        assert!(LocalLog::heads(&scene.local).unwrap().len() > before);
        runs += 1;
    }
    assert_eq!(runs, 2);
}

/// REP-19, attack AVL-05: an answer with more than was asked for, or with something else, is cut and named.
#[test]
fn avl_05_what_was_not_asked_for_is_not_looked_at() {
    for (answer, count, bytes) in [
        (Answer::Whole, 1500, 50),
        (Answer::Whole, 5, 3 << 20),
        (Answer::Foreign, 5, 50),
        (Answer::Later, 5, 50),
    ] {
        let mut scene = Scene::new();
        let (mut third, _, mut entries) = scene.third();
        entries.extend((0..count).map(|_| third.entry(NOTES, vec![3; bytes])));
        let head = third.head();
        let remote = Insider::default();
        remote.show(&head, &entries);
        remote.answer(answer);
        let done = scene.sync(&remote, Budget::default());
        assert!(done.stopped.is_none(), "{done:?}");
        let is_told = |finding: &Finding| matches!(finding, Finding::Unasked(feed) if *feed == third.feed(NOTES));
        assert!(done.findings.iter().any(is_told), "{answer:?}: {:?}", done.findings);
        let arrives = answer != Answer::Later;
        assert_eq!(scene.length(&third, NOTES), if arrives { count + 1 } else { 0 });
        assert_eq!(done.pulled.entries, if arrives { count + 2 } else { 0 });
    }
}

/// REP-9: an entry that is damaged where it is kept is named, and stops nothing else.
#[test]
fn rep_09_a_damaged_entry_of_the_other_store_is_named() {
    let mut scene = Scene::new();
    let (third, head, entries) = scene.third();
    let remote = Insider::default();
    remote.show(&head, &entries);
    let feed = third.feed(NOTES);
    let damaged = Finding::Damaged { feed, number: 1, at: Side::Remote };
    for answer in [Answer::Damaged, Answer::Broken] {
        remote.answer(answer);
        let done = scene.sync(&remote, Budget::default());
        assert!(done.stopped.is_none() && done.findings.contains(&damaged), "{done:?}");
    }
    remote.answer(Answer::Honest);
    assert!(scene.sync(&remote, Budget::default()).findings.is_empty());
}

/// REP-20, attack AVL-05: names of chunks that are nowhere keep no other device's chunks from coming, and what is
/// remembered of them stays within a bound.
#[test]
fn avl_05_chunks_that_are_nowhere_starve_only_their_own_device() {
    let mut scene = Scene::new();
    for _ in 0..5 {
        let named = (0..ENTRY_CHUNKS_MAX).map(|_| ChunkAdded {
            name: ChunkName(scene.seed.array()),
            hash: Hash([7; 32]),
            size_bytes: 9,
        });
        let named = named.collect();
        let entry = scene.insider.entry_with(NOTES, vec![6; 60], named);
        scene.push_insider(&[entry]);
    }
    // Others' feeds stand on either side of the hostile one's, in whatever order they are seen to.
    let mut wanted = Vec::new();
    for _ in 0..6 {
        let (mut other, add) = scene.honest.pair(&mut scene.seed);
        scene.local.append(&[add], &scene.honest.head()).unwrap();
        let (sealed, added) = chunk(&mut scene.seed, 500);
        let entry = other.entry_with(NOTES, vec![1; 60], vec![added.clone()]);
        scene.local.append(&[entry], &other.head()).unwrap();
        wanted.push((added, sealed));
    }
    let remote = Mallory::new(Seed::new(2));
    for (added, sealed) in &wanted {
        block_on(remote.put(&scene.access, added.name, sealed)).unwrap();
    }
    let mut mark = ChunkMark::default();
    for _ in 0..2 {
        let done = block_on(transfer(&scene.local, &remote, &scene.access, &mut mark, u64::MAX));
        assert!(done.stopped.is_none() && done.findings.is_empty() && !done.has_more, "{done:?}");
        for (added, sealed) in &wanted {
            assert_eq!(&LocalLog::chunk(&scene.local, added.name).unwrap(), sealed);
        }
        let remembered: usize = mark.wanted.values().map(BTreeSet::len).sum();
        assert_eq!(remembered, 65_536 / 8, "the share of one device of eight");
    }
}

/// REP-20: what did not fit into a device's share is asked for when there is room again.
#[test]
fn rep_20_what_was_left_out_comes_when_there_is_room() {
    let mut scene = Scene::new();
    let remote = Mallory::new(Seed::new(2));
    let mut chunks = Vec::new();
    for _ in 0..4 {
        let named: Vec<_> = (0..ENTRY_CHUNKS_MAX).map(|_| chunk(&mut scene.seed, 2)).collect();
        let added = named.iter().map(|(_, added)| added.clone()).collect();
        let entry = scene.insider.entry_with(NOTES, vec![6; 60], added);
        scene.push_insider(&[entry]);
        chunks.push(named);
    }
    let mut mark = ChunkMark::default();
    let mut run = || block_on(transfer(&scene.local, &remote, &scene.access, &mut mark, u64::MAX));
    assert_eq!(run().pulled, 0);
    // The last of all, beyond the share, and those that made it full.
    let (sealed, last) = &chunks[3][7];
    block_on(remote.put(&scene.access, last.name, sealed)).unwrap();
    run();
    assert!(LocalLog::chunk(&scene.local, last.name).is_err());
    for (sealed, added) in chunks.iter().take(3).flatten().step_by(4096) {
        block_on(remote.put(&scene.access, added.name, sealed)).unwrap();
    }
    run();
    run();
    assert_eq!(&LocalLog::chunk(&scene.local, last.name).unwrap(), sealed);
}

/// REP-6, attacks AVL-04, AVL-05: a head that names what never was accuses a store so often and no more, and hides nothing
/// that another head names.
#[test]
fn avl_05_heads_that_name_anything_do_not_flood() {
    let mut scene = Scene::new();
    let (mut third, _, entries) = scene.third();
    let nobody = Author::stranger(&mut scene.seed, scene.honest.vault());
    let mut see = |author: &mut Author, count| {
        for _ in 0..count {
            author.see(&nobody.reborn(&mut scene.seed).head());
        }
        author.head()
    };
    let remote = Insider::default();
    let flood = see(&mut scene.insider, 300);
    remote.show(&flood, &[]);
    remote.show(&see(&mut third, 1), &entries);
    let done = scene.sync(&remote, Budget::default());
    let told_by = |author: &Author| {
        let device = author.device();
        let is_by = move |finding: &&Finding| matches!(finding, Finding::Withheld { by, .. } if *by == device);
        done.findings.iter().filter(is_by).count()
    };
    assert_eq!((told_by(&scene.insider), told_by(&third)), (64, 1), "{:?}", done.findings);
}
