// SPDX-License-Identifier: MIT OR Apache-2.0
//! Replicating over bad lines and through stores that other programs fill: everything arrives, once.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic is a failed test")]

use aura_protocol::entry::Entry;
use aura_protocol::head::{Head, Position};
use aura_protocol::id::{CollectionId, FeedId, VaultId};
use aura_protocol::limits::READ_BYTES_MAX;
use aura_protocol::signed::Signed;
use aura_protocol::store::{Access, BlindStore, LocalLog, StoreError};
use aura_store::folder::FolderStore;
use aura_store::local::LocalStore;
use aura_store::replicate::{Mark, Moved, Replicated, Side, replicate};
use aura_store::transfer::{ChunkMark, transfer};
use aura_testkit::author::{Author, chunk};
use aura_testkit::conformance::{MAIL, NOTES};
use aura_testkit::fault::{FaultyStore, is_injected};
use aura_testkit::seed::Seed;
use pollster::block_on;
use proptest::prelude::*;
use tempfile::TempDir;

/// A device with a store of its own.
struct Device {
    author: Author,
    store: LocalStore,
    mark: Mark,
    chunks: ChunkMark,
    _folder: TempDir,
}

impl Device {
    fn new(author: Author) -> Self {
        let folder = TempDir::new().unwrap();
        let store = LocalStore::create(folder.path(), author.vault(), Box::new(|| 0)).unwrap();
        Self { author, store, mark: Mark::new(), chunks: ChunkMark::default(), _folder: folder }
    }

    fn write(&mut self, collection: CollectionId, bodies: Vec<Vec<u8>>) {
        let entries: Vec<_> =
            bodies.into_iter().map(|body| self.author.entry(collection, body)).collect();
        self.append(&entries);
    }

    fn append(&mut self, entries: &[Entry]) {
        for head in LocalLog::heads(&self.store).unwrap() {
            if head.claim().unwrap().device != self.author.device() {
                self.author.see(&head);
            }
        }
        let head: Signed<Head> = self.author.head();
        self.store.append(entries, &head).unwrap();
    }

    fn sync(&mut self, remote: &dyn BlindStore) -> Replicated {
        let access = Access::Vault(self.author.vault());
        let done = block_on(replicate(&self.store, remote, &access, &self.mark));
        self.mark.clone_from(&done.mark);
        done
    }

    fn feeds(&self) -> Vec<(FeedId, Position)> {
        self.store.feeds().unwrap()
    }
}

/// So many devices of one vault; the first lists the others, who know nothing yet.
fn devices(seed: &mut Seed, count: usize) -> Vec<Device> {
    let (mut founder, genesis) = Author::founder(seed);
    let mut entries = vec![genesis];
    let mut others = Vec::new();
    for _ in 1..count {
        let (other, add) = founder.pair(seed);
        entries.push(add);
        others.push(Device::new(other));
    }
    let mut first = Device::new(founder);
    first.append(&entries);
    others.insert(0, first);
    others
}

/// REP-4, REP-5: a device that knows nothing gets everything, and what each has written reaches the others.
#[test]
fn rep_04_everything_arrives_in_an_order_in_which_it_can_be_checked() {
    let folder = TempDir::new().unwrap();
    let remote = FolderStore::open(folder.path(), Box::new(|| 0)).unwrap();
    let mut devices = devices(&mut Seed::new(1), 3);
    for round in 0..3u8 {
        for device in &mut devices {
            let done = device.sync(&remote);
            assert!(done.stopped.is_none() && done.findings.is_empty(), "{done:?}");
            // A device that nobody has told it of may not write: the first sync tells it.
            device.write(NOTES, vec![vec![round; 70], vec![round; 80]]);
            device.sync(&remote);
        }
    }
    for device in &mut devices {
        device.sync(&remote);
    }
    let feeds = devices[0].feeds();
    // The authority feed, and notes of three devices.
    assert_eq!(feeds.len(), 4);
    for device in &mut devices {
        assert_eq!(device.feeds(), feeds);
        let idle = device.sync(&remote);
        assert_eq!((idle.pulled, idle.pushed), (Moved::default(), Moved::default()));
        assert!(idle.findings.is_empty(), "{:?}", idle.findings);
    }
}

/// REP-4: the statement that lists a device may come with a head whose clock is later, since clocks are wrong:
/// one run brings both all the same.
#[test]
fn rep_04_what_is_refused_is_offered_again_after_what_it_rests_on() {
    let mut all = devices(&mut Seed::new(1), 3);
    all[0].author.set_clock(1 << 50);
    all[0].write(NOTES, vec![vec![1; 70]]);
    let (first, others) = all.split_at_mut(1);
    let (second, third) = others.split_at_mut(1);
    second[0].sync(&first[0].store);
    second[0].author.set_clock(5);
    second[0].write(NOTES, vec![vec![2; 70]]);
    let done = third[0].sync(&second[0].store);
    assert!(done.findings.is_empty(), "{done:?}");
    assert_eq!(done.pulled.heads, 2);
}

/// REP-5: an answer's bounds are kept, and a feed larger than one answer arrives whole.
#[test]
fn rep_05_large_feeds_go_in_bounded_batches() {
    let mut seed = Seed::new(1);
    let mut both = devices(&mut seed, 2);
    let large = (0..5).map(|_| seed.bytes(READ_BYTES_MAX / 2 - 1000)).collect();
    both[0].write(MAIL, large);
    both[0].write(NOTES, (0..3000_u32).map(|n| n.to_be_bytes().to_vec()).collect());
    let (first, second) = both.split_at_mut(1);
    let done = second[0].sync(&first[0].store);
    assert!(done.stopped.is_none() && done.findings.is_empty(), "{done:?}");
    assert_eq!(done.pulled.entries, 2 + 5 + 3000);
    assert_eq!(second[0].feeds(), first[0].feeds());
}

/// REP-13, fault F-30: a budget ends a transfer, and the next one goes on where it was.
#[test]
fn rep_13_chunks_arrive_within_their_budget() {
    let mut seed = Seed::new(1);
    let mut both = devices(&mut seed, 2);
    let mut all = Vec::new();
    for _ in 0..6 {
        let (sealed, added) = chunk(&mut seed, 5000);
        let entry = both[0].author.entry_with(NOTES, vec![1; 50], vec![added.clone()]);
        both[0].store.put_chunk(added.name, &sealed).unwrap();
        both[0].append(&[entry]);
        all.push((added.name, sealed));
    }
    let (first, second) = both.split_at_mut(1);
    second[0].sync(&first[0].store);
    let access = Access::Vault(first[0].author.vault());
    let Device { store, chunks, .. } = &mut second[0];
    let mut runs = 0;
    loop {
        let done = block_on(transfer(store, &first[0].store, &access, chunks, 8000));
        assert!(done.stopped.is_none() && done.findings.is_empty(), "{done:?}");
        assert!(done.bytes < 8000 + 5000, "{done:?}");
        runs += 1;
        if !done.has_more {
            break;
        }
    }
    // Two chunks of 5,000 bytes each time.
    assert_eq!(runs, 3);
    for (name, sealed) in all {
        assert_eq!(LocalLog::chunk(store, name).unwrap(), sealed);
    }
    let idle = block_on(transfer(store, &first[0].store, &access, chunks, 8000));
    assert_eq!((idle.pulled, idle.pushed, idle.bytes), (0, 0, 0));
}

/// STO-12: another vault's store is told, and nothing goes there.
/// Attack KEY-11.
#[test]
fn another_vaults_store_stops_it() {
    let mut own = devices(&mut Seed::new(1), 1);
    let other = devices(&mut Seed::new(2), 1);
    assert_ne!(own[0].author.vault(), VaultId([0; 32]));
    let done = own[0].sync(&other[0].store);
    assert!(matches!(done.stopped, Some((Side::Remote, StoreError::Absent))), "{done:?}");
    assert_eq!(other[0].feeds().len(), 1);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// A line that loses one call in three, and answers: what is tried long enough arrives, and nothing twice.
    /// Faults F-13, F-14, F-30.
    #[test]
    fn over_a_bad_line_everything_arrives(
        seed in 0..1000_u64,
        writes in prop::collection::vec((0..3_usize, 1..4_usize), 1..8),
    ) {
        let folder = TempDir::new().unwrap();
        let remote = FolderStore::open(folder.path(), Box::new(|| 0)).unwrap();
        let mut devices = devices(&mut Seed::new(seed), 3);
        devices.iter_mut().for_each(|device| drop(device.sync(&remote)));
        let remote = FaultyStore::new(remote, Seed::new(seed), 3);
        for (at, count) in writes {
            devices[at].write(MAIL, vec![vec![7; 90]; count]);
            let done = devices[at].sync(&remote);
            let is_fault = |(side, error): &(Side, StoreError)| {
                *side == Side::Remote && is_injected(error)
            };
            prop_assert!(done.stopped.as_ref().is_none_or(is_fault), "{:?}", done);
        }
        for _ in 0..40 {
            devices.iter_mut().for_each(|device| drop(device.sync(&remote)));
        }
        let feeds = devices[0].feeds();
        for device in &mut devices {
            prop_assert_eq!(device.feeds(), feeds.clone());
            let idle = device.sync(remote.inner());
            prop_assert_eq!((idle.pulled, idle.pushed), (Moved::default(), Moved::default()));
            prop_assert!(idle.findings.is_empty(), "{:?}", idle.findings);
        }
    }
}
