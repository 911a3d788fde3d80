// SPDX-License-Identifier: MIT OR Apache-2.0
//! FRK-01: a store that came back as an older copy is told from one that is whole, and harms nothing.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic is a failed test")]

mod support;

use std::fs;
use std::path::Path;

use aura_protocol::codec::{Decode as _, Encode as _, Reader, Writer};
use aura_protocol::head::Head;
use aura_protocol::id::{CollectionId, VaultId};
use aura_protocol::signed::Signed;
use aura_testkit::author::Author;
use aura_testkit::seed::Seed;
use aura_vault::search::Typing;
use aura_vault::vault::{Unlocked, Vault};
use support::{Bench, START_MS, note, owner};

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let place = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &place);
        } else {
            fs::copy(entry.path(), place).unwrap();
        }
    }
}

fn put_back(bench: &Bench, part: &str) {
    let (kept, place) = (bench.dir.path().join("kept").join(part), bench.home().join(part));
    if place.is_dir() {
        fs::remove_dir_all(&place).unwrap();
        copy(&kept, &place);
    } else {
        fs::copy(kept, place).unwrap();
    }
}

fn add(vault: &Vault<Unlocked>, names: &[&str]) {
    let session = owner(vault);
    for name in names {
        session.add(&note(name, name, "some text")).unwrap();
    }
}

/// A vault with three records, a copy of it, and then two records more.
fn grown() -> Bench {
    let bench = Bench::new();
    let (vault, _) = bench.create();
    add(&vault, &["a", "b", "c"]);
    vault.lock().1.unwrap();
    copy(&bench.home(), &bench.dir.path().join("kept"));
    let vault = bench.unlock();
    add(&vault, &["d", "e"]);
    vault.lock().1.unwrap();
    bench
}

fn problems(vault: &Vault<Unlocked>) -> Vec<String> {
    owner(vault).verify(&mut |_| {}).unwrap().problems
}

fn found(vault: &Vault<Unlocked>) -> usize {
    let session = owner(vault);
    let found = session.search("text", Typing::Done, 100).unwrap().len();
    assert_eq!(session.status().unwrap().records, found as u64);
    found
}

#[test]
fn frk_01_an_older_store_is_told_and_the_views_follow_it() {
    for parts in [&["store"][..], &["store", "views"], &["store", "views", "keyring"]] {
        let bench = grown();
        parts.iter().for_each(|part| put_back(&bench, part));
        // It stays told until somebody says that it was on purpose; what is written meanwhile counts.
        for records in [3, 4, 5] {
            let vault = bench.unlock();
            assert_eq!(found(&vault), records, "{parts:?}");
            let missing = owner(&vault).status().unwrap().missing;
            assert_eq!(missing.len(), 1, "{missing:?}");
            assert!(missing[0].entries >= 2, "{missing:?}");
            let problems = problems(&vault);
            assert_eq!(problems.len(), 1, "{problems:?}");
            assert!(problems[0].contains("older copy"), "{problems:?}");
            add(&vault, &[&format!("after {records}")]);
            vault.lock().1.unwrap();
        }
        fs::remove_file(bench.home().join("seen")).unwrap();
        let vault = bench.unlock();
        assert_eq!(found(&vault), 6);
        assert_eq!(problems(&vault), Vec::<String>::new());
    }
}

#[test]
fn frk_01_what_was_written_after_going_back_is_no_clone_of_what_is_missing() {
    let bench = grown();
    let newer = bench.dir.path().join("newer");
    copy(&bench.home().join("store"), &newer);
    put_back(&bench, "store");
    let vault = bench.unlock();
    add(&vault, &["x", "y", "z"]);
    let incarnation = bench.home().join("device.key");
    assert_ne!(
        fs::read(&incarnation).unwrap(),
        fs::read(bench.dir.path().join("kept/device.key")).unwrap()
    );
    vault.lock().1.unwrap();
    // The newer store is found after all: now it is the other one that lacks something.
    fs::remove_dir_all(bench.home().join("store")).unwrap();
    copy(&newer, &bench.home().join("store"));
    let vault = bench.unlock();
    assert_eq!(found(&vault), 5);
    let missing = owner(&vault).status().unwrap().missing;
    assert_eq!(missing.len(), 1, "{missing:?}");
}

#[test]
fn frk_01_another_history_of_the_same_length_is_told() {
    let bench = grown();
    let seen = fs::read(bench.home().join("seen")).unwrap();
    put_back(&bench, "store");
    put_back(&bench, "seen");
    let vault = bench.unlock();
    add(&vault, &["other d", "other e", "other f", "other g"]);
    vault.lock().1.unwrap();
    assert_eq!(problems(&bench.unlock()), Vec::<String>::new());
    fs::write(bench.home().join("seen"), seen).unwrap();
    let vault = bench.unlock();
    assert_eq!(owner(&vault).status().unwrap().missing.len(), 1);
    assert_eq!(found(&vault), 7);
}

#[test]
fn a_mark_that_is_late_or_gone_or_made_up_says_nothing() {
    let bench = grown();
    let seen = bench.home().join("seen");
    let newest = fs::read(&seen).unwrap();
    let mut forged = newest.clone();
    *forged.last_mut().unwrap() ^= 1;
    // Late, gone, damaged, and signed by nobody.
    let kept = fs::read(bench.dir.path().join("kept/seen")).unwrap();
    for bytes in [Some(kept), None, Some(b"garbage".to_vec()), Some(forged.clone())] {
        match bytes {
            Some(bytes) => fs::write(&seen, bytes).unwrap(),
            None => fs::remove_file(&seen).unwrap(),
        }
        let vault = bench.unlock();
        assert_eq!(problems(&vault), Vec::<String>::new());
        assert_eq!(found(&vault), 5);
        vault.lock().1.unwrap();
        assert_ne!(fs::read(&seen).unwrap(), newest, "written anew, with what is newer");
    }
    put_back(&bench, "store");
    fs::write(&seen, forged).unwrap();
    assert_eq!(owner(&bench.unlock()).status().unwrap().missing, Vec::new());
}

/// Attack PHY-05: the mark stands outside everything that is sealed, so only what the device signed moves its clock.
/// Another vault's mark that lies in this one's folder, from a device that this one does not list.
#[test]
fn frk_01_the_head_of_another_vault_is_no_evidence() {
    let bench = Bench::new();
    let (vault, _) = bench.create();
    let id = vault.id();
    vault.lock().1.unwrap();
    let mut seed = Seed::new(7);
    for (of, told) in [(id, 1), (VaultId([9; 32]), 0)] {
        let mut author = Author::stranger(&mut seed, of);
        author.entry(CollectionId([1; 16]), b"anything".to_vec());
        let mut w = Writer::new();
        w.array(1);
        author.head().encode(&mut w);
        fs::write(bench.home().join("seen"), w.into_bytes()).unwrap();
        let vault = bench.unlock();
        assert_eq!(owner(&vault).status().unwrap().missing.len(), told);
        vault.lock().1.unwrap();
    }
}

#[test]
fn phy_05_a_made_up_mark_does_not_move_the_clock() {
    let bench = grown();
    let seen = bench.home().join("seen");
    let bytes = fs::read(&seen).unwrap();
    let mut reader = Reader::new(&bytes);
    let heads = reader.array(2, Signed::<Head>::decode).unwrap();
    let signed = heads.first().unwrap();
    let head = Head { clock: u64::MAX, ..signed.claim().unwrap() };
    let mut w = Writer::new();
    w.array(1);
    Signed::<Head>::new(head.to_bytes(), *signed.signature()).encode(&mut w);
    fs::write(&seen, w.into_bytes()).unwrap();
    let session = owner(&bench.unlock());
    let id = session.add(&note("f", "f", "some text")).unwrap();
    let modified_ms = session.get(id).unwrap().unwrap().modified_ms;
    assert!((START_MS..START_MS + 60_000).contains(&modified_ms), "{modified_ms}");
}

#[test]
fn the_mark_is_written_once_a_minute_while_the_vault_is_open() {
    let bench = Bench::new();
    let (vault, _) = bench.create();
    let seen = || fs::read(bench.home().join("seen")).ok();
    let pass = |ms| bench.clock.0.fetch_add(ms, std::sync::atomic::Ordering::Relaxed);
    owner(&vault).tick().unwrap();
    let first = seen().unwrap();
    add(&vault, &["a"]);
    owner(&vault).tick().unwrap();
    assert_eq!(seen().unwrap(), first);
    pass(60_000);
    owner(&vault).tick().unwrap();
    assert_ne!(seen().unwrap(), first);
}
