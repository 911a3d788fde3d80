// SPDX-License-Identifier: MIT OR Apache-2.0
//! The same writes again and again, and the check that a store has exactly the first so many of them.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a part of several tests, each of which uses a part of it"
)]

use std::path::{Path, PathBuf};

use aura_protocol::entry::Entry;
use aura_protocol::head::Head;
use aura_protocol::id::{ChunkName, CollectionId, VaultId};
use aura_protocol::signed::Signed;
use aura_protocol::store::{LocalLog, StoreError};
use aura_store::local::{LocalStore, OpenError};
use aura_testkit::author::{Author, chunk};
use aura_testkit::conformance::{MAIL, NOTES};
use aura_testkit::seed::Seed;
use tempfile::TempDir;

/// One append, and a chunk that is put before it.
pub struct Step {
    pub head: Signed<Head>,
    pub entries: Vec<Entry>,
    pub chunk: Option<(ChunkName, Vec<u8>)>,
}

pub fn steps(count: usize) -> (VaultId, Vec<Step>) {
    let mut seed = Seed::new(77);
    let (mut author, genesis) = Author::founder(&mut seed);
    let head = author.head();
    let mut steps = vec![Step { head, entries: vec![genesis], chunk: None }];
    for at in 1..count {
        let sizes: &[usize] = [&[300][..], &[9000, 120], &[70_000], &[1, 0, 4096]][at % 4];
        let mut entries = Vec::new();
        for size in sizes {
            entries.push(author.entry(NOTES, seed.bytes(*size)));
        }
        let put = (at % 3 == 0).then(|| chunk(&mut seed, 5000 + at));
        if let Some((_, added)) = &put {
            entries.push(author.entry_with(MAIL, seed.bytes(50), vec![added.clone()]));
        }
        let chunk = put.map(|(sealed, added)| (added.name, sealed));
        steps.push(Step { head: author.head(), entries, chunk });
    }
    (author.vault(), steps)
}

pub fn take(store: &LocalStore, step: &Step) -> Result<(), StoreError> {
    if let Some((name, sealed)) = &step.chunk {
        store.put_chunk(*name, sealed)?;
    }
    store.append(&step.entries, &step.head)
}

pub fn open(folder: &Path) -> Result<LocalStore, OpenError> {
    LocalStore::open(folder, Box::new(|| 1_000))
}

pub fn create(folder: &Path, vault: VaultId) -> LocalStore {
    LocalStore::create(folder, vault, Box::new(|| 1_000)).unwrap()
}

/// How many steps a store has; panics unless it has all of each and nothing else.
pub fn steps_in(store: &LocalStore, steps: &[Step]) -> usize {
    let heads = store.heads().unwrap();
    assert!(heads.len() <= 1);
    let count = heads.first().map_or(0, |head| {
        steps.iter().position(|step| step.head == *head).expect("a head of these steps") + 1
    });
    let of = |collection: CollectionId| -> Vec<&Entry> {
        let entries = steps[..count].iter().flat_map(|step| &step.entries);
        entries.filter(|entry| entry.header().feed.collection == collection).collect()
    };
    let feeds = store.feeds().unwrap();
    for (feed, position) in &feeds {
        let expected = of(feed.collection);
        assert_eq!(position.number, expected.len() as u64);
        assert_eq!(position.hash, expected.last().unwrap().hash());
        let mut after = 0;
        while after < position.number {
            for entry in store.read(*feed, after, 100).unwrap() {
                let at = usize::try_from(after).unwrap();
                assert_eq!(&entry, expected[at]);
                after += 1;
            }
        }
    }
    let written = [CollectionId::AUTHORITY, NOTES, MAIL];
    assert_eq!(feeds.len(), written.iter().filter(|id| !of(**id).is_empty()).count());
    for step in &steps[..count] {
        if let Some((name, sealed)) = &step.chunk {
            assert_eq!(&store.chunk(*name).unwrap(), sealed);
        }
    }
    assert_eq!(store.verify().unwrap(), []);
    count
}

/// A folder in memory where there is one: images are many, and their own durability does not matter.
pub fn scratch() -> TempDir {
    let memory = PathBuf::from("/dev/shm");
    if memory.is_dir() { TempDir::new_in(memory).unwrap() } else { TempDir::new().unwrap() }
}
