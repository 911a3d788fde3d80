// SPDX-License-Identifier: MIT OR Apache-2.0
//! What rotted on one device comes back from another store, and what rotted there is named.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic is a failed test")]

use aura_protocol::entry::Entry;
use aura_protocol::id::{ChunkName, CollectionId};
use aura_protocol::signed::Signed;
use aura_protocol::store::{Access, BlindStore, LocalLog};
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

    // A rotten statement: nobody knows whose heads count, and it is said why.
    let entry = author.entry(NOTES, vec![1; 60]);
    let head = author.head();
    let Scene { local, remote, .. } = scene();
    drop(block_on(remote.store.push(&access, &head, std::slice::from_ref(&entry))).unwrap());
    local.rot(CollectionId::AUTHORITY, 1);
    let folder = local.folder;
    drop(local.store);
    let local = LocalStore::open(folder.path(), Box::new(|| 0)).unwrap();
    let done = block_on(replicate(&local, &remote.store, &access, &Mark::new()));
    let feed = author.feed(CollectionId::AUTHORITY);
    let damaged = Finding::Damaged { feed, number: 1, at: Side::Local };
    assert!(done.stopped.is_none() && done.findings == [damaged], "{done:?}");
    local.verify().unwrap();
    assert_eq!(block_on(heal(&local, &remote.store, &access)).entries, 1);
    let done = block_on(replicate(&local, &remote.store, &access, &Mark::new()));
    assert_eq!((done.pulled.heads, done.findings), (1, vec![]));
}
