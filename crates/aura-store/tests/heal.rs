// SPDX-License-Identifier: MIT OR Apache-2.0
//! What rotted on one device comes back from another store, and what rotted there is named.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic is a failed test")]

use aura_protocol::entry::Entry;
use aura_protocol::id::{ChunkName, CollectionId};
use aura_protocol::signed::Signed;
use aura_protocol::store::{Access, BlindStore, LocalLog, StoreError};
use aura_store::heal::heal;
use aura_store::local::{Damage, LocalStore};
use aura_store::replicate::{Finding, Mark, Moved, Side, replicate};
use aura_store::transfer::{ChunkMark, transfer};
use aura_testkit::author::{Author, chunk};
use aura_testkit::conformance::{MAIL, NOTES};
use aura_testkit::hostile::insider::{Answer, Insider};
use aura_testkit::seed::Seed;
use pollster::block_on;
use rusqlite::Connection;
use tempfile::TempDir;

/// A device's store that can rot.
struct Rotting {
    store: LocalStore,
    folder: TempDir,
}

impl Rotting {
    fn new(author: &Author) -> Self {
        let folder = TempDir::new().unwrap();
        let store = LocalStore::create(folder.path(), author.vault(), Box::new(|| 0)).unwrap();
        Self { store, folder }
    }

    fn rot(&self, collection: CollectionId, number: u64) {
        let connection = Connection::open(self.folder.path().join("store.db")).unwrap();
        let sql = "UPDATE entries SET body = zeroblob(length(body)) WHERE number = ?1
                   AND feed = (SELECT id FROM feeds WHERE collection = ?2)";
        let number = i64::try_from(number).unwrap();
        assert_eq!(connection.execute(sql, (number, &collection.0[..])).unwrap(), 1);
    }

    /// Both rows of a statement.
    fn rot_statement(&self, number: i64) {
        self.rot(CollectionId::AUTHORITY, number.unsigned_abs());
        let connection = Connection::open(self.folder.path().join("store.db")).unwrap();
        let sql = "UPDATE copies SET body = zeroblob(length(body)) WHERE number = ?1";
        assert_eq!(connection.execute(sql, [number]).unwrap(), 1);
    }

    /// The same store, opened anew: nothing is known but what is on the disk.
    fn reopened(self) -> Self {
        let Self { store, folder } = self;
        drop(store);
        let store = LocalStore::open(folder.path(), Box::new(|| 0)).unwrap();
        Self { store, folder }
    }

    fn rot_chunk(&self, name: ChunkName) {
        let hex = name.to_string();
        let path = self.folder.path().join("chunks").join(&hex[..2]).join(&hex);
        std::fs::write(path, b"rotten").unwrap();
    }
}

struct Scene {
    author: Author,
    access: Access,
    local: Rotting,
    remote: Rotting,
    head: Signed<aura_protocol::head::Head>,
    entries: Vec<Entry>,
    chunk: ChunkName,
}

/// Two stores that have the same: statements, notes, mail, and a chunk.
fn scene() -> Scene {
    let mut seed = Seed::new(1);
    let (mut author, genesis) = Author::founder(&mut seed);
    let (_, add) = author.pair(&mut seed);
    let mut entries = vec![genesis, add];
    entries.extend((0..6).map(|_| author.entry(NOTES, seed.bytes(70))));
    let (sealed, added) = chunk(&mut seed, 400);
    entries.push(author.entry_with(MAIL, seed.bytes(70), vec![added.clone()]));
    let (local, remote) = (Rotting::new(&author), Rotting::new(&author));
    local.store.put_chunk(added.name, &sealed).unwrap();
    let head = author.head();
    local.store.append(&entries, &head).unwrap();
    let access = Access::Vault(author.vault());
    let done = block_on(replicate(&local.store, &remote.store, &access, &Mark::new()));
    assert!(done.findings.is_empty() && done.stopped.is_none(), "{done:?}");
    let mut mark = ChunkMark::default();
    block_on(transfer(&local.store, &remote.store, &access, &mut mark, u64::MAX));
    Scene { author, access, local, remote, head, entries, chunk: added.name }
}

/// REP-21, fault F-08: with equal heads there is nothing to replicate; what a check has found is healed all the same,
/// neighbours, the first and the last of a feed, statements and chunks.
#[test]
fn f_08_what_rotted_here_is_healed_from_the_other_store() {
    let Scene { access, local, remote, chunk, .. } = scene();
    for number in [1, 3, 4, 6] {
        local.rot(NOTES, number);
    }
    local.rot(CollectionId::AUTHORITY, 2);
    local.rot_chunk(chunk);
    assert_eq!(local.store.damaged(), []);
    assert_eq!(local.store.verify().unwrap().len(), 6);
    assert_eq!(local.store.damaged().len(), 6);
    let done = block_on(replicate(&local.store, &remote.store, &access, &Mark::new()));
    assert_eq!((done.pulled, done.pushed), (Moved::default(), Moved::default()));
    let healed = block_on(heal(&local.store, &remote.store, &access));
    assert!(healed.findings.is_empty() && healed.stopped.is_none(), "{healed:?}");
    assert_eq!((healed.entries, healed.chunks), (5, 1));
    assert_eq!((local.store.damaged(), local.store.verify().unwrap()), (vec![], vec![]));
    let again = block_on(heal(&local.store, &remote.store, &access));
    assert_eq!((again.entries, again.chunks), (0, 0));
}

/// REP-21, fault F-08: what reading met is known without a check, and exactly that is asked for.
#[test]
fn f_08_exactly_what_is_damaged_is_asked_for() {
    let Scene { author, access, local, head, entries, .. } = scene();
    let feed = author.feed(NOTES);
    local.rot(NOTES, 3);
    assert_eq!(LocalLog::read(&local.store, feed, 0, 9).unwrap().len(), 2);
    assert!(LocalLog::read(&local.store, feed, 2, 9).is_err());
    assert_eq!(local.store.damaged(), [Damage::Entry(feed, 3)]);
    let remote = Insider::default();
    remote.show(&head, &entries);
    for answer in [Answer::Later, Answer::Damaged, Answer::Broken] {
        remote.answer(answer);
        let healed = block_on(heal(&local.store, &remote, &access));
        assert_eq!((healed.entries, healed.findings.len()), (0, 1), "{answer:?}");
        assert_eq!(local.store.damaged(), [Damage::Entry(feed, 3)]);
    }
    remote.answer(Answer::Honest);
    let healed = block_on(heal(&local.store, &remote, &access));
    assert_eq!((healed.entries, healed.findings.len()), (1, 0));
    assert_eq!(remote.reads(), [feed; 4]);
    assert_eq!((remote.served(), local.store.verify().unwrap()), (2, vec![]));
}

/// Attack INT-05: another entry is not taken in the place of a damaged one.
#[test]
fn int_05_only_the_true_entry_heals() {
    let Scene { author, access, local, head, entries, .. } = scene();
    let feed = author.feed(NOTES);
    local.rot(NOTES, 3);
    local.store.verify().unwrap();
    let mut forged = entries;
    let third = forged.iter_mut().filter(|entry| entry.header().feed == feed).nth(2).unwrap();
    *third = Entry::new(third.header().clone(), b"another body".to_vec());
    let remote = Insider::default();
    remote.show(&head, &forged);
    let healed = block_on(heal(&local.store, &remote, &access));
    assert_eq!(healed.entries, 0);
    let is_told = |finding: &Finding| matches!(finding, Finding::Refused { by: Side::Local, .. });
    assert!(healed.findings.iter().any(is_told), "{healed:?}");
    assert_eq!(local.store.verify().unwrap(), [Damage::Entry(feed, 3)]);
}

/// REP-9, fault F-08: what rotted in the other store is named, and nothing else stops for it.
#[test]
fn rep_09_what_rotted_in_the_other_store_is_named() {
    let Scene { mut author, access, remote, .. } = scene();
    let mut reborn = author.reborn(&mut Seed::new(3));
    let entry = reborn.entry(MAIL, vec![1; 60]);
    remote.store.append(&[entry], &reborn.head()).unwrap();
    remote.rot(NOTES, 2);
    let fresh = Rotting::new(&author);
    let done = block_on(replicate(&fresh.store, &remote.store, &access, &Mark::new()));
    assert!(done.stopped.is_none(), "{done:?}");
    let damaged = Finding::Damaged { feed: author.feed(NOTES), number: 2, at: Side::Remote };
    assert!(done.findings.contains(&damaged), "{done:?}");

    // A rotten statement: nobody knows whose heads count, it is said why, and nobody is accused.
    let entry = author.entry(NOTES, vec![1; 60]);
    let head = author.head();
    let Scene { local, remote, .. } = scene();
    drop(block_on(remote.store.push(&access, &head, std::slice::from_ref(&entry))).unwrap());
    local.rot_statement(1);
    remote.rot_statement(1);
    let local = local.reopened();
    let done = block_on(replicate(&local.store, &remote.store, &access, &Mark::new()));
    let feed = author.feed(CollectionId::AUTHORITY);
    let damaged = Finding::Damaged { feed, number: 1, at: Side::Local };
    assert!(done.stopped.is_none() && done.findings == [damaged], "{done:?}");
    assert_eq!(local.store.damaged(), [Damage::Entry(feed, 1)]);
    assert_eq!(LocalLog::read(&local.store, author.feed(NOTES), 0, 9).unwrap().len(), 6);
    assert_eq!(LocalLog::heads(&local.store).unwrap().len(), 1);
}

/// STO-31, fault F-08: one rotten row of a statement stops nobody, is named by a check, and is made again of the
/// other row.
#[test]
fn f_08_a_statement_is_kept_twice() {
    for table in ["entries", "copies"] {
        for what in ["body = zeroblob(length(body))", "hash = zeroblob(32)", "header = x'a0'"] {
            let Scene { mut author, access, local, .. } = scene();
            let connection = Connection::open(local.folder.path().join("store.db")).unwrap();
            let authority = "feed = (SELECT id FROM feeds WHERE collection = zeroblob(16))";
            for number in [1, 2] {
                let sql =
                    format!("UPDATE {table} SET {what} WHERE number = {number} AND {authority}");
                assert_eq!(connection.execute(&sql, []).unwrap(), 1);
            }
            let local = local.reopened();
            let feed = author.feed(CollectionId::AUTHORITY);
            assert_eq!(LocalLog::read(&local.store, feed, 0, 9).unwrap().len(), 2);
            let entry = author.entry(NOTES, vec![1; 60]);
            local.store.append(&[entry], &author.head()).unwrap();
            let damages = [Damage::Entry(feed, 1), Damage::Entry(feed, 2)];
            assert_eq!(local.store.verify().unwrap(), damages);
            let healed = block_on(heal(&local.store, &Insider::default(), &access));
            assert_eq!((healed.entries, healed.findings.len()), (2, 0));
            assert_eq!((local.store.damaged(), local.store.verify().unwrap()), (vec![], vec![]));
        }
    }
}

/// STO-31, fault F-26: a store that an older program made keeps its statements twice from the next opening on.
#[test]
fn sto_31_an_older_store_gets_its_second_rows() {
    let Scene { author, local, .. } = scene();
    let connection = Connection::open(local.folder.path().join("store.db")).unwrap();
    let first = "DROP TABLE copies; ALTER TABLE feeds DROP COLUMN floor;
        ALTER TABLE feeds DROP COLUMN floor_hash; PRAGMA user_version = 1";
    connection.execute_batch(first).unwrap();
    let local = local.reopened();
    local.rot(CollectionId::AUTHORITY, 1);
    let feed = author.feed(CollectionId::AUTHORITY);
    assert_eq!(LocalLog::read(&local.store, feed, 0, 9).unwrap().len(), 2);
}

/// STO-25, REP-24, fault F-08: a statement that rotted in both rows is healed by whoever pushes, with any head, and
/// by nothing but itself.
#[test]
fn f_08_a_push_heals_a_rotten_statement() {
    for number in [1, 2] {
        let Scene { mut author, access, local, remote, entries, .. } = scene();
        remote.rot_statement(number);
        let remote = remote.reopened();
        let mut reborn = author.reborn(&mut Seed::new(3));
        let note = reborn.entry(NOTES, vec![1; 60]);
        let head = reborn.head();
        let at = usize::try_from(number - 1).unwrap();
        let mut header = entries[at].header().clone();
        header.epoch.counter += 1;
        let forged = Entry::new(header, entries[at].body().to_vec());
        for batch in [vec![note.clone()], vec![forged, note.clone()]] {
            let answer = block_on(remote.store.push(&access, &head, &batch));
            let is_named = |error: &StoreError| {
                let at = u64::try_from(number).unwrap();
                matches!(error, StoreError::DamagedEntry { number, .. } if *number == at)
            };
            assert!(answer.as_ref().is_err_and(is_named), "{answer:?}");
            assert_eq!(remote.store.damaged().len(), 1);
        }
        let batch = [entries[at].clone(), note];
        let receipt = block_on(remote.store.push(&access, &head, &batch)).unwrap();
        assert!(receipt.missing.is_empty());
        assert_eq!((remote.store.damaged(), remote.store.verify().unwrap()), (vec![], vec![]));

        // A device that has it gives it by itself.
        remote.rot_statement(number);
        let remote = remote.reopened();
        let entry = author.entry(NOTES, vec![1; 60]);
        local.store.append(&[entry], &author.head()).unwrap();
        let done = block_on(replicate(&local.store, &remote.store, &access, &Mark::new()));
        assert!(done.findings.is_empty() && done.stopped.is_none(), "{done:?}");
        assert_eq!((done.pushed.heads, remote.store.verify().unwrap()), (1, vec![]));
    }
}
