// SPDX-License-Identifier: MIT OR Apache-2.0
//! The local store as a log: one transaction per append, clear errors at its door, damage named.

mod workload;

use aura_protocol::head::Position;
use aura_protocol::id::{ChunkName, CollectionId, VaultId};
use aura_protocol::store::{self, Access, LocalLog, StoreError};
use aura_store::local::{Damage, LocalStore, OpenError};
use aura_testkit::author::Author;
use aura_testkit::conformance::{MAIL, NOTES};
use aura_testkit::seed::Seed;
use pollster::block_on;
use rusqlite::Connection;
use tempfile::TempDir;
use workload::{create, open, steps, steps_in, take};

#[test]
fn what_was_appended_is_there_after_opening_again() {
    let folder = TempDir::new().unwrap();
    let (vault, steps) = steps(9);
    let store = create(folder.path(), vault);
    assert_eq!(store.vault(), vault);
    for (count, step) in steps.iter().enumerate() {
        assert_eq!(steps_in(&store, &steps), count);
        take(&store, step).unwrap();
        take(&store, step).unwrap();
    }
    drop(store);
    let store = open(folder.path()).unwrap();
    assert_eq!((store.vault(), steps_in(&store, &steps)), (vault, 9));
    let (entries, chunks) = store.size_bytes().unwrap();
    assert!(entries > 70_000 && chunks > 5000);
}

#[test]
fn an_append_is_whole_or_nothing() {
    let folder = TempDir::new().unwrap();
    let (vault, steps) = steps(6);
    let store = create(folder.path(), vault);
    take(&store, &steps[0]).unwrap();
    // Step 1 is missing.
    let gap = store.append(&steps[5].entries, &steps[5].head);
    assert!(matches!(gap, Err(StoreError::Gap { expected: 1, .. })), "{gap:?}");
    let part = store.append(&steps[1].entries, &steps[2].head);
    assert!(matches!(part, Err(StoreError::Gap { expected: 3, .. })), "{part:?}");
    let part = store.append(&[], &steps[1].head);
    assert!(matches!(part, Err(StoreError::Gap { expected: 1, .. })), "{part:?}");
    assert_eq!(steps_in(&store, &steps), 1);
    for step in &steps[1..] {
        take(&store, step).unwrap();
    }
    assert_eq!(steps_in(&store, &steps), 6);
}

#[test]
fn single_entries_feeds_and_absence() {
    let folder = TempDir::new().unwrap();
    let (vault, steps) = steps(4);
    let store = create(folder.path(), vault);
    assert!(store.feeds().unwrap().is_empty() && store.heads().unwrap().is_empty());
    steps.iter().for_each(|step| take(&store, step).unwrap());
    let entry = &steps[2].entries[0];
    let feed = entry.header().feed;
    assert_eq!(&store.entry(feed, entry.header().number).unwrap(), entry);
    for number in [0, 999, u64::MAX] {
        assert!(matches!(store.entry(feed, number), Err(StoreError::Absent)));
    }
    let nowhere = aura_protocol::id::FeedId { collection: CollectionId([9; 16]), ..feed };
    assert!(matches!(store.read(nowhere, 0, 1), Err(StoreError::Absent)));
    let feeds = store.feeds().unwrap();
    assert!(feeds.is_sorted_by_key(|(feed, _)| *feed));
    let collections: Vec<_> = feeds.iter().map(|(feed, _)| feed.collection).collect();
    assert_eq!(collections, [CollectionId::AUTHORITY, NOTES, MAIL]);
    assert_eq!(store.heads().unwrap(), [steps[3].head.clone()]);
}

#[test]
fn chunks_may_come_before_their_entry_and_go_only_without_one() {
    let folder = TempDir::new().unwrap();
    let (vault, steps) = steps(4);
    let store = create(folder.path(), vault);
    let (name, sealed) = steps[3].chunk.clone().unwrap();
    let orphan = ChunkName([1; 16]);
    store.put_chunk(name, &sealed).unwrap();
    store.put_chunk(orphan, &sealed).unwrap();
    store.put_chunk(orphan, &sealed).unwrap();
    assert!(matches!(store.put_chunk(orphan, b"other"), Err(StoreError::Fork)));
    assert_eq!(store.chunk(orphan).unwrap(), sealed);
    steps.iter().for_each(|step| take(&store, step).unwrap());
    let size = sealed.len() as u64;
    let mut both = vec![(name, size), (orphan, size)];
    both.sort_unstable();
    assert_eq!(store.chunks().unwrap(), both);
    store.sweep_chunks(&[name, orphan, ChunkName([2; 16])]).unwrap();
    assert_eq!(store.chunks().unwrap(), [(name, size)]);
    assert!(matches!(store.put_chunk(name, b"other"), Err(StoreError::Refused(_))));
    let large = vec![0; aura_protocol::limits::CHUNK_BYTES_MAX + 1];
    assert!(matches!(store.put_chunk(orphan, &large), Err(StoreError::Refused(_))));
}

/// Fault F-31: the second to open is told so; when the first is gone, it may.
#[test]
fn f_31_one_process_at_a_time() {
    let folder = TempDir::new().unwrap();
    let store = create(folder.path(), VaultId([1; 32]));
    assert!(matches!(open(folder.path()), Err(OpenError::Busy)));
    let again = LocalStore::create(folder.path(), VaultId([1; 32]), Box::new(|| 0));
    assert!(matches!(again, Err(OpenError::Busy)));
    drop(store);
    open(folder.path()).unwrap();
}

#[test]
fn a_store_is_neither_invented_nor_replaced() {
    let folder = TempDir::new().unwrap();
    assert!(matches!(open(folder.path()), Err(OpenError::Absent)));
    assert!(matches!(open(&folder.path().join("no/such")), Err(OpenError::Absent)));
    drop(create(folder.path(), VaultId([1; 32])));
    let again = LocalStore::create(folder.path(), VaultId([2; 32]), Box::new(|| 0));
    assert!(matches!(again, Err(OpenError::Present)));
    assert_eq!(open(folder.path()).unwrap().vault(), VaultId([1; 32]));
}

/// Fault F-26.
#[test]
fn other_versions_and_other_files_are_refused_by_name() {
    let folder = TempDir::new().unwrap();
    drop(create(folder.path(), VaultId([1; 32])));
    let file = folder.path().join("store.db");
    Connection::open(&file).unwrap().pragma_update(None, "user_version", 3).unwrap();
    let newer = open(folder.path()).unwrap_err();
    assert!(matches!(newer, OpenError::Newer { found: 3, known: 2 }));
    assert!(newer.to_string().contains("newer version"));
    Connection::open(&file).unwrap().pragma_update(None, "application_id", 5).unwrap();
    assert!(matches!(open(folder.path()), Err(OpenError::Foreign)));
    let junk = vec![0x5a; 50_000];
    std::fs::write(&file, &junk).unwrap();
    let damaged = open(folder.path()).unwrap_err();
    assert!(matches!(damaged, OpenError::Damaged("store.db")), "{damaged:?}");
    assert!(damaged.to_string().contains("store.db"));
    assert_eq!(std::fs::read(&file).unwrap(), junk, "left as it was");
}

/// STO-23, fault F-26: what an earlier version kept is there afterwards, and goes on.
#[test]
fn an_earlier_version_is_brought_to_this_one() {
    let folder = TempDir::new().unwrap();
    let mut seed = Seed::new(4);
    let (mut author, genesis) = Author::founder(&mut seed);
    let store = create(folder.path(), author.vault());
    store.append(&[genesis], &author.head()).unwrap();
    let feeds = store.feeds().unwrap();
    drop(store);
    let first = "ALTER TABLE feeds DROP COLUMN floor; ALTER TABLE feeds DROP COLUMN floor_hash;
                 PRAGMA user_version = 1";
    let database = folder.path().join("store.db");
    Connection::open(&database).unwrap().execute_batch(first).unwrap();
    let store = open(folder.path()).unwrap();
    assert_eq!(store.feeds().unwrap(), feeds);
    assert_eq!(store.floor(feeds[0].0).unwrap().number, 0);
    let entry = author.entry(NOTES, vec![7; 9]);
    store.append(&[entry], &author.head()).unwrap();
    assert_eq!(store.feeds().unwrap().len(), 2);
    assert_eq!(store.verify().unwrap(), []);
}

/// STO-9: old heads go, but not those that a newest head names.
#[test]
fn old_heads_go_unless_they_are_named() {
    let folder = TempDir::new().unwrap();
    let mut seed = Seed::new(3);
    let (mut author, genesis) = Author::founder(&mut seed);
    let store = create(folder.path(), author.vault());
    let (mut other, add) = author.pair(&mut seed);
    let first = author.head();
    store.append(&[genesis, add], &first).unwrap();
    other.see(&first);
    let theirs = other.head();
    store.append(&[], &theirs).unwrap();
    let count = || {
        let connection = Connection::open(folder.path().join("store.db")).unwrap();
        let sql = "SELECT count(*) FROM heads";
        connection.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap()
    };
    for number in 0..5u8 {
        let entry = author.entry(NOTES, vec![number; 30]);
        store.append(&[entry], &author.head()).unwrap();
    }
    assert_eq!(count(), 3, "the newest two, and the one that is named");
    let newest = author.head();
    store.append(&[], &newest).unwrap();
    other.see(&newest);
    store.append(&[], &other.head()).unwrap();
    store.append(&[], &author.head()).unwrap();
    assert_eq!(count(), 3, "the name moved on");
    assert_eq!(store.heads().unwrap().len(), 2);
}

/// Fault F-08: a rotten entry is named, never handed on; the others are read; it is healed by the true one.
#[test]
fn f_08_a_rotten_entry_is_named_and_healed() {
    let folder = TempDir::new().unwrap();
    let (vault, steps) = steps(8);
    let store = create(folder.path(), vault);
    steps.iter().for_each(|step| take(&store, step).unwrap());
    let notes: Vec<_> = steps
        .iter()
        .flat_map(|step| &step.entries)
        .filter(|entry| entry.header().feed.collection == NOTES)
        .collect();
    let feed = notes[0].header().feed;
    let all = notes.len() as u64;
    let sql = |sql: &str| {
        let connection = Connection::open(folder.path().join("store.db")).unwrap();
        assert_eq!(connection.execute(sql, []).unwrap(), 1, "{sql}");
    };
    for what in ["body = zeroblob(length(body))", "hash = zeroblob(32)", "header = x'a0'"] {
        for number in [1, 3, all] {
            sql(&format!(
                "UPDATE entries SET {what} WHERE number = {number} AND feed =
                 (SELECT id FROM feeds WHERE collection = x'{NOTES}')"
            ));
            let is_named = |result: &StoreError| {
                matches!(result, StoreError::DamagedEntry { feed: f, number: n }
                    if *f == feed && *n == number)
            };
            assert!(is_named(&store.entry(feed, number).unwrap_err()));
            assert_eq!(store.verify().unwrap(), [Damage::Entry(feed, number)]);
            if number > 1 {
                let before = store.read(feed, 0, 100).unwrap();
                assert_eq!(before.len() as u64, number - 1);
            }
            assert!(is_named(&store.read(feed, number - 1, 100).unwrap_err()));
            let after = store.read(feed, number, 100).unwrap();
            assert_eq!(after.len() as u64, all - number);

            // Another entry is not taken in its place.
            let at = usize::try_from(number - 1).unwrap();
            let access = Access::Vault(vault);
            let mut header = notes[at].header().clone();
            header.epoch.counter += 1;
            let other = aura_protocol::entry::Entry::new(header, notes[at].body().to_vec());
            let head = &steps[7].head;
            let forged = block_on(store::BlindStore::push(&store, &access, head, &[other]));
            assert!(matches!(forged, Err(StoreError::Fork)), "{what} {number} {forged:?}");
            store.heal(notes[at]).unwrap();
            assert_eq!(steps_in(&store, &steps), 8);
        }
    }
}

/// Fault F-08: a rotten chunk is named, not handed on, and replaced by the true one.
#[test]
fn f_08_a_rotten_chunk_is_named_and_healed() {
    let folder = TempDir::new().unwrap();
    let (vault, steps) = steps(4);
    let store = create(folder.path(), vault);
    steps.iter().for_each(|step| take(&store, step).unwrap());
    let (name, sealed) = steps[3].chunk.clone().unwrap();
    let hex = name.to_string();
    let path = folder.path().join("chunks").join(&hex[..2]).join(&hex);
    for rotten in [b"short".to_vec(), vec![0; 5003], vec![0; 5 << 20]] {
        std::fs::write(&path, rotten).unwrap();
        assert!(matches!(store.chunk(name), Err(StoreError::Damaged(_))));
        assert_eq!(store.verify().unwrap(), [Damage::Chunk(name)]);
        store.put_chunk(name, &sealed).unwrap();
        assert_eq!(store.chunk(name).unwrap(), sealed);
    }
    #[cfg(unix)]
    {
        std::fs::remove_file(&path).unwrap();
        std::fs::write(folder.path().join("elsewhere"), &sealed).unwrap();
        std::os::unix::fs::symlink(folder.path().join("elsewhere"), &path).unwrap();
        assert!(store.chunk(name).is_err(), "no link is followed");
    }
}

/// Fault F-08: a rotten head is told to the vault, and left out until it is pushed again.
#[test]
fn f_08_a_rotten_head_is_named_and_healed() {
    let folder = TempDir::new().unwrap();
    let (vault, steps) = steps(3);
    let store = create(folder.path(), vault);
    steps.iter().for_each(|step| take(&store, step).unwrap());
    let connection = Connection::open(folder.path().join("store.db")).unwrap();
    connection.execute("UPDATE heads SET payload = x'a0'", []).unwrap();
    let newest = steps[2].head.claim().unwrap();
    assert_eq!(store.rotten_heads().unwrap(), [(newest.device, newest.incarnation)]);
    assert_eq!(LocalLog::heads(&store).unwrap(), []);
    let access = Access::Vault(vault);
    assert!(block_on(store::BlindStore::heads(&store, &access, &[])).unwrap().news.is_empty());
    assert!(matches!(store.verify().unwrap()[..], [Damage::Head(..)]));
    store.append(&[], &steps[2].head).unwrap();
    assert_eq!(steps_in(&store, &steps), 3);
}

/// Fault F-08: one rotten head says nothing about the others.
#[test]
fn f_08_a_rotten_head_is_stepped_over_and_the_others_are_read() {
    let folder = TempDir::new().unwrap();
    let mut seed = Seed::new(3);
    let (mut author, genesis) = Author::founder(&mut seed);
    let store = create(folder.path(), author.vault());
    let (mut other, add) = author.pair(&mut seed);
    let first = author.head();
    store.append(&[genesis, add], &first).unwrap();
    let second = other.head();
    store.append(&[], &second).unwrap();
    let connection = Connection::open(folder.path().join("store.db")).unwrap();
    let rot = "UPDATE heads SET signature = x'00' WHERE device = ?1";
    assert_eq!(connection.execute(rot, [&other.device().0[..]]).unwrap(), 1);
    assert_eq!(store.heads().unwrap(), [first]);
    assert_eq!(store.rotten_heads().unwrap(), [(other.device(), other.incarnation())]);
    store.append(&[], &second).unwrap();
    assert_eq!((store.heads().unwrap().len(), store.rotten_heads().unwrap()), (2, vec![]));
}

/// Fault F-05: a full database refuses the write whole, still reads, and goes on when there is room.
#[test]
fn f_05_a_full_database_keeps_what_it_has() {
    let (vault, steps) = steps(12);
    for limit_kib in (60..420).step_by(6) {
        let folder = workload::scratch();
        let store = create(folder.path(), vault);
        store.limit_database(limit_kib << 10).unwrap();
        let mut count = 0;
        for step in &steps {
            match take(&store, step) {
                Ok(()) => count += 1,
                Err(error) => {
                    assert!(matches!(error, StoreError::Full), "{error:?}");
                    break;
                }
            }
        }
        assert!(count < 12 || limit_kib > 200, "the limit was meant to be met");
        assert_eq!(steps_in(&store, &steps), count);
        store.limit_database(u64::MAX).unwrap();
        steps[count..].iter().for_each(|step| take(&store, step).unwrap());
        drop(store);
        assert_eq!(steps_in(&open(folder.path()).unwrap(), &steps), 12);
    }
}

/// Fault F-05: the reserve is set aside, given back on request, and set aside again.
#[test]
fn f_05_room_is_kept_in_reserve() {
    let folder = TempDir::new().unwrap();
    let store = create(folder.path(), VaultId([1; 32]));
    let reserve = folder.path().join("store.reserve");
    assert_eq!(std::fs::metadata(&reserve).unwrap().len(), 1 << 20);
    store.free_reserve().unwrap();
    store.free_reserve().unwrap();
    assert!(!reserve.exists());
    drop(store);
    drop(open(folder.path()).unwrap());
    assert!(reserve.exists());
}

/// Threads that write and read one store: every append is whole to every reader.
#[test]
fn readers_see_whole_appends() {
    let folder = TempDir::new().unwrap();
    let mut seed = Seed::new(5);
    let (mut author, genesis) = Author::founder(&mut seed);
    let store = create(folder.path(), author.vault());
    store.append(&[genesis], &author.head()).unwrap();
    let feed = author.feed(NOTES);
    std::thread::scope(|scope| {
        let reader = || {
            let mut last = 0;
            while last < 200 {
                let to = store.feeds().unwrap();
                let position = to.iter().find(|(f, _)| *f == feed).map(|(_, p)| *p);
                let position = position.unwrap_or(Position::NONE);
                assert!(position.number >= last && position.number % 2 == 0);
                if position.number > last {
                    let read = store.read(feed, last, 500).unwrap();
                    assert!(read.len() as u64 >= position.number - last);
                }
                last = position.number;
            }
        };
        scope.spawn(reader);
        scope.spawn(reader);
        for number in 0..100u8 {
            let entries =
                [author.entry(NOTES, vec![number; 400]), author.entry(NOTES, vec![1; 40])];
            store.append(&entries, &author.head()).unwrap();
        }
    });
}

#[test]
fn f_08_a_file_that_is_no_database_costs_nothing_of_what_stands_beside_it() {
    let folder = TempDir::new().unwrap();
    let (vault, steps) = steps(5);
    let store = create(folder.path(), vault);
    steps.iter().for_each(|step| take(&store, step).unwrap());
    // As a power cut leaves it: the newest commits are in the log beside the database.
    let copy = TempDir::new().unwrap();
    let log = std::fs::read(folder.path().join("store.db-wal")).unwrap();
    let database = std::fs::read(folder.path().join("store.db")).unwrap();
    drop(store);
    std::fs::write(copy.path().join("store.db-wal"), log).unwrap();
    std::fs::write(copy.path().join("store.db"), vec![7; database.len()]).unwrap();
    let refused = open(copy.path()).map(drop).unwrap_err();
    assert!(matches!(refused, OpenError::Damaged("store.db")), "{refused:?}");
    std::fs::write(copy.path().join("store.db"), database).unwrap();
    let store = open(copy.path()).unwrap();
    let last = store.feeds().unwrap().into_iter().map(|(_, position)| position.number).sum::<u64>();
    assert!(last >= 5, "{last} entries are there");
}
