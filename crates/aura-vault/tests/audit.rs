// SPDX-License-Identifier: MIT OR Apache-2.0
//! Whatever is changed in the files that hold the audit log, opening the vault or verifying the log says so, and names
//! the first entry that fails.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic is a failed test")]

mod support;

use std::fs;
use std::path::Path;

use aura_protocol::log::Frontier;
use aura_vault::audit::Event;
use aura_vault::feed::{Batch, Commit};
use aura_vault::gate::{AuditVerdict, Exported};
use aura_vault::keyring::Purpose;
use aura_vault::op::{Change, Op};
use aura_vault::vault::{Unlocked, Vault};
use rusqlite::{Connection, params};
use support::forged::{Robbed, stolen};
use support::{Bench, PASSWORD, START_MS, note, owner, password};

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

/// A vault with some history, shut, a copy of it, and which feed holds its log.
struct Scene {
    bench: Bench,
    feed: i64,
    entries: i64,
}

impl Scene {
    fn new() -> Self {
        let bench = Bench::new();
        let (mut vault, _) = bench.create();
        for n in 0..3 {
            owner(&vault).add(&note(&n.to_string(), "Title", "text")).unwrap();
            vault.lock().1.unwrap();
            vault = bench.unlock();
        }
        vault.lock().1.unwrap();
        copy(&bench.home(), &bench.dir.path().join("whole"));
        let mut scene = Self { bench, feed: 0, entries: 0 };
        let feeds: Vec<(i64, i64)> = scene
            .store()
            .prepare("SELECT id, kept FROM feeds ORDER BY id")
            .unwrap()
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
            .unwrap()
            .map(Result::unwrap)
            .collect();
        // From outside nobody can tell which feed is the log's: it is the one whose damage the log tells.
        let is_log = |(feed, kept): &&(i64, i64)| {
            let verdict = scene.after(|store| {
                let spoil = "UPDATE entries SET body = zeroblob(length(body)) WHERE feed = ?1 AND number = ?2";
                store.execute(spoil, params![feed, kept - 1]).unwrap();
            });
            verdict.is_ok_and(|verdict| !verdict.is_ok)
        };
        let logs: Vec<_> = feeds.iter().filter(is_log).copied().collect();
        let [(feed, entries)] = logs[..] else { panic!("{logs:?} of {feeds:?}") };
        (scene.feed, scene.entries) = (feed, entries);
        assert!(entries >= 5, "{entries}");
        scene
    }

    fn store(&self) -> Connection {
        Connection::open(self.bench.home().join("store/store.db")).unwrap()
    }

    /// What the log comes to after a change, or why the vault does not open.
    fn after(&self, change: impl FnOnce(&Connection)) -> Result<AuditVerdict, String> {
        let home = self.bench.home();
        fs::remove_dir_all(&home).unwrap();
        copy(&self.bench.dir.path().join("whole"), &home);
        let store = self.store();
        change(&store);
        drop(store);
        let locked = self.bench.load();
        let opened = locked.unlock(&password(PASSWORD), self.bench.environment());
        let vault: Vault<Unlocked> = opened.map_err(|(_, error)| error.to_string())?;
        let verdict = owner(&vault).verify_audit().map_err(|error| error.to_string());
        says_its_own_root(&vault);
        verdict
    }

    /// Changes a byte of a column of an entry.
    fn flip(&self, number: i64, column: &str, at: usize) -> Result<AuditVerdict, String> {
        self.after(|store| {
            let read = format!("SELECT {column} FROM entries WHERE feed = ?1 AND number = ?2");
            let place = params![self.feed, number];
            let mut bytes: Vec<u8> = store.query_row(&read, place, |row| row.get(0)).unwrap();
            let at = at % bytes.len();
            bytes[at] ^= 1;
            let write = format!("UPDATE entries SET {column} = ?3 WHERE feed = ?1 AND number = ?2");
            store.execute(&write, params![self.feed, number, bytes]).unwrap();
        })
    }
}

/// The root of a verdict is that of the log that the device writes now, of whichever incarnation.
fn says_its_own_root(vault: &Vault<Unlocked>) {
    let (mut own, mut root) = (None, Frontier::new());
    let verdict = owner(vault).export_audit(&mut |piece| match piece {
        Exported::Begin { device, incarnation, .. } => own = Some((device, incarnation)),
        Exported::Event(logged, _) if own == Some((logged.device, logged.incarnation)) => {
            root.push(logged.leaf);
        }
        _ => {}
    });
    let verdict = verdict.unwrap();
    // What cannot be read of it is missing here as well.
    assert_eq!(verdict.root, root.root());
}

fn says(verdict: &Result<AuditVerdict, String>, what: &str) -> bool {
    verdict.as_ref().is_ok_and(|verdict| {
        !verdict.is_ok && verdict.first_bad.as_ref().is_some_and(|bad| bad.contains(what))
    })
}

/// Attack LOG-02: a byte of any entry of the log changes in the store, at several places of each.
#[test]
fn log_02_a_changed_entry_of_the_log_is_named() {
    let scene = Scene::new();
    let verdict = scene.after(|_| {}).unwrap();
    assert!(verdict.is_ok, "{verdict:?}");
    for number in 1..=scene.entries {
        for (column, places) in [("header", &[0, 90][..]), ("body", &[0, 1000]), ("hash", &[7])] {
            for at in places {
                let verdict = scene.flip(number, column, *at);
                let named = format!("entry {number} cannot be used");
                assert!(says(&verdict, &named), "{number} {column} {at}: {verdict:?}");
            }
        }
    }
}

/// Attacks LOG-01, LOG-02: entries are taken out, put in another one's place or doubled, the log ends earlier, or its
/// signed head is another.
#[test]
fn log_01_entries_that_are_missing_or_elsewhere_are_told() {
    let scene = Scene::new();
    let (feed, last) = (scene.feed, scene.entries);
    for number in 1..=last {
        let named = format!("entry {number} cannot be used");
        let gone = scene.after(|store| {
            let delete = "DELETE FROM entries WHERE feed = ?1 AND number = ?2";
            store.execute(delete, params![feed, number]).unwrap();
        });
        assert!(says(&gone, &named), "gone {number}: {gone:?}");
        let other = if number == last { 1 } else { number + 1 };
        let moved = scene.after(|store| {
            let put = "UPDATE entries SET (hash, header, body) = (SELECT hash, header, body FROM entries \
                       WHERE feed = ?1 AND number = ?3) WHERE feed = ?1 AND number = ?2";
            store.execute(put, params![feed, number, other]).unwrap();
        });
        assert!(says(&moved, &named), "moved {number}: {moved:?}");
        let swapped = scene.after(|store| {
            let renumber = "UPDATE entries SET number = ?3 WHERE feed = ?1 AND number = ?2";
            for (from, to) in [(number, -1), (other, number), (-1, other)] {
                store.execute(renumber, params![feed, from, to]).unwrap();
            }
        });
        let first = format!("entry {} cannot be used", number.min(other));
        assert!(says(&swapped, &first), "swapped {number}: {swapped:?}");
        let cut = scene.after(|store| {
            let delete = "DELETE FROM entries WHERE feed = ?1 AND number >= ?2";
            store.execute(delete, params![feed, number]).unwrap();
            let end = "UPDATE feeds SET kept = ?2, held = ?2, (kept_hash, held_hash) = (SELECT hash, hash FROM \
                       entries WHERE feed = ?1 AND number = ?2) WHERE id = ?1";
            if number > 1 {
                store.execute(end, params![feed, number - 1]).unwrap();
            }
        });
        // The signed head goes on: opened, the vault is an older copy, and goes on in a log of its own.
        let ends = if number > 1 { "the checkpoint covers" } else { &named };
        assert!(says(&cut, ends), "cut {number}: {cut:?}");
    }
    for column in ["payload", "signature"] {
        let head = scene.after(|store| {
            let read = format!("SELECT {column} FROM heads ORDER BY number DESC LIMIT 1");
            let mut bytes: Vec<u8> = store.query_row(&read, [], |row| row.get(0)).unwrap();
            let at = bytes.len() / 2;
            bytes[at] ^= 1;
            let write = format!(
                "UPDATE heads SET {column} = ?1 WHERE number = (SELECT max(number) FROM heads)"
            );
            store.execute(&write, params![bytes]).unwrap();
        });
        assert_eq!(head.unwrap_err(), "the vault's file `store` is damaged", "{column}");
    }
}

/// AEX-4: an event that this version does not know is in an export as its bytes, in its place; and a log whose signed
/// checkpoint says nothing of it does not verify.
#[test]
fn an_event_of_another_version_is_exported_as_it_is() {
    let (Robbed { mut laptop, bench, .. }, mut thief, phone, _) = stolen();
    // Of an action that there is not.
    let unknown = b"\xa7\x01\x00\x02\x65owner\x03\x18\x63\x04\x00\x05\x80\x06\x01\x07\x60".to_vec();
    assert!(Event::parse(&unknown).is_err());
    let collection = thief.keyring.collection(Purpose::Audit).unwrap();
    let clock = thief.pen.tick(START_MS + 200 * 86_400_000);
    let change = Change::Event(unknown.clone());
    let ops = vec![Op { clock, author: String::new(), change }];
    let batch = Batch { collection, ops, added: Vec::new(), dropped: Vec::new() };
    let mut entropy = bench.environment().entropy.as_ref()();
    thief.write(&Commit { batches: vec![batch], ..Commit::default() }, entropy.as_mut());
    laptop.sync(thief.store.as_ref());
    let (mut known, mut found, mut heads) = (0, Vec::new(), 0);
    let verdict = laptop.session().export_audit(&mut |piece| match piece {
        Exported::Event(logged, encoded) => {
            assert_eq!(logged.leaf, Event::leaf(encoded));
            known += u64::from(logged.device == phone);
        }
        Exported::Unknown((device, _, number), encoded, leaf) => {
            found.push((device, number, encoded.to_vec(), leaf));
        }
        Exported::Head(_) => heads += 1,
        Exported::Begin { .. } | Exported::Statement(_) => {}
    });
    let verdict = verdict.unwrap();
    assert_eq!(found, [(phone, known, unknown.clone(), Event::leaf(&unknown))]);
    assert!(heads >= 2, "{heads}");
    let bad = verdict.first_bad.unwrap();
    assert!(!verdict.is_ok && bad.contains(&phone.to_string()), "{bad}");
}
