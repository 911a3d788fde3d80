// SPDX-License-Identifier: MIT OR Apache-2.0
//! `verify` finds what is damaged and says where; `rebuild` makes the views say what the log says.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic is a failed test")]

mod support;

use std::path::Path;
use std::sync::Arc;

use aura_protocol::head::Position;
use aura_protocol::id::{CollectionId, FeedId, RecordId};
use aura_protocol::store::{Access, LocalLog};
use aura_store::local::LocalStore;
use aura_store::replicate::{Mark, replicate};
use aura_vault::home::Home;
use aura_vault::record::Attachment;
use aura_vault::search::Typing;
use aura_vault::vault::{Unlocked, Vault, VaultError};
use serde_json::json;
use support::altered::{Altered, Harm};
use support::pair::Device;
use support::{Bench, PASSWORD, START_MS, fields, note, owner, password};

fn flip(path: &Path, at: usize) {
    let mut bytes = std::fs::read(path).unwrap();
    bytes[at] ^= 1;
    std::fs::write(path, bytes).unwrap();
}

fn filled(bench: &Bench) -> Option<String> {
    let (vault, _) = bench.create();
    let session = owner(&vault);
    for n in 0..20 {
        let mut draft = note(&n.to_string(), &format!("Note {n}"), "some text");
        if n == 3 {
            draft.attachments.push(Attachment {
                name: "photo.png".to_owned(),
                media_type: "image/png".to_owned(),
                content: Arc::new(vec![3; 50_000]),
            });
        }
        session.add(&draft).unwrap();
    }
    let report = session.verify(&mut |_| {}).unwrap();
    assert!(report.is_ok(), "{report:?}");
    assert!(report.checked > 40);
    let hash = session.status().unwrap().state_hash;
    drop(session);
    vault.lock().1.unwrap();
    hash
}

fn chunk_file(bench: &Bench) -> std::path::PathBuf {
    let mut stack = vec![bench.home().join("store").join("chunks")];
    while let Some(path) = stack.pop() {
        if path.is_file() && path.metadata().unwrap().len() > 40_000 {
            return path;
        }
        if path.is_dir() {
            stack.extend(std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
        }
    }
    panic!("no chunk")
}

#[test]
fn f_11_a_damaged_or_missing_chunk_is_named_and_the_rest_goes_on() {
    let bench = Bench::new();
    filled(&bench);
    let chunk = chunk_file(&bench);
    flip(&chunk, 30_000);
    let vault = bench.unlock();
    let report = owner(&vault).verify(&mut |_| {}).unwrap();
    assert_eq!(report.problems.len(), 1, "{report:?}");
    assert!(report.problems[0].contains("attachment"));
    assert_eq!(owner(&vault).search("text", Typing::Done, 100).unwrap().len(), 20);
    drop(vault);
    std::fs::remove_file(chunk).unwrap();
    let vault = bench.unlock();
    let report = owner(&vault).verify(&mut |_| {}).unwrap();
    assert!(
        report.problems.iter().any(|problem| problem.contains("chunk is missing")),
        "{report:?}"
    );
}

#[test]
fn f_08_a_damaged_database_page_is_built_again() {
    let bench = Bench::new();
    let hash = filled(&bench);
    let database = bench.home().join("views").join("records.db");
    let len = std::fs::metadata(&database).unwrap().len();
    for at in (0..len).step_by(4096) {
        flip(&database, usize::try_from(at).unwrap() + 100);
    }
    let vault = bench.unlock();
    assert_eq!(owner(&vault).status().unwrap().state_hash, hash);
    assert!(owner(&vault).verify(&mut |_| {}).unwrap().is_ok());
}

#[test]
fn f_08_a_database_that_opens_but_is_damaged_inside_is_found_and_built_again() {
    let bench = Bench::new();
    let hash = filled(&bench);
    let database = bench.home().join("views").join("records.db");
    let len = usize::try_from(std::fs::metadata(&database).unwrap().len()).unwrap();
    for at in [5000, 9000, 13_000, len - 2000] {
        flip(&database, at);
    }
    let vault = bench.unlock();
    let session = owner(&vault);
    // What unlocking has not met, a check finds.
    match session.verify(&mut |_| {}) {
        Ok(report) if report.is_ok() => {}
        _ => session.rebuild().unwrap(),
    }
    assert_eq!(session.status().unwrap().state_hash, hash);
    assert!(session.verify(&mut |_| {}).unwrap().is_ok());
}

#[test]
fn f_08_every_damaged_index_file_is_survived() {
    let bench = Bench::new();
    filled(&bench);
    let index = bench.home().join("views").join("index");
    let files: Vec<_> =
        std::fs::read_dir(&index).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(files.len() > 3);
    for file in files {
        let Ok(metadata) = file.metadata() else { continue };
        if metadata.len() < 100 {
            continue;
        }
        flip(&file, usize::try_from(metadata.len()).unwrap() / 2);
        let vault = bench.unlock();
        let session = owner(&vault);
        // Whatever the damage did, a rebuild ends it.
        session.rebuild().unwrap_or_else(|error| panic!("{}: {error:?}", file.display()));
        assert_eq!(session.search("text", Typing::Done, 100).unwrap().len(), 20);
        drop(session);
        vault.lock().1.unwrap();
    }
}

#[test]
fn rebuild_changes_nothing_that_a_person_can_see() {
    let bench = Bench::new();
    let hash = filled(&bench);
    let vault = bench.unlock();
    let session = owner(&vault);
    session.rebuild().unwrap();
    let mut actions = Vec::new();
    session.audit(&mut |logged| actions.push(logged.event.action.as_str())).unwrap();
    assert!(actions.contains(&"rebuild"), "it is on the record: {actions:?}");
    assert_eq!(session.status().unwrap().state_hash, hash);
    assert_eq!(session.search("text", Typing::Done, 100).unwrap().len(), 20);
    assert!(session.verify(&mut |_| {}).unwrap().is_ok());
}

#[test]
fn a_check_removes_what_it_wrote_and_what_an_earlier_one_left() {
    let bench = Bench::new();
    filled(&bench);
    let views = bench.home().join("views");
    std::fs::write(views.join("check.db"), "left by a crash").unwrap();
    std::fs::write(views.join("check.db-wal"), "left by a crash").unwrap();
    let left = || {
        let files = std::fs::read_dir(&views).unwrap().map(|entry| entry.unwrap().file_name());
        files.filter(|name| name.to_string_lossy().starts_with("check.db")).count()
    };
    let vault = bench.unlock();
    assert_eq!(left(), 0, "removed when the vault is opened");
    assert!(owner(&vault).verify(&mut |_| {}).unwrap().is_ok());
    assert_eq!(left(), 0, "removed when the check is done");
}

/// The open vault, if it opens at all.
fn try_unlock(bench: &Bench) -> Option<Vault<Unlocked>> {
    let store = LocalStore::open(&Home::new(&bench.home()).store(), Box::new(|| START_MS)).ok()?;
    let vault = Vault::load(&bench.home(), Arc::new(store)).ok()?;
    vault.unlock(&password(PASSWORD), bench.environment()).ok()
}

/// Attack LOG-01.
#[test]
fn lost_audit_events_are_told_until_somebody_has_seen_to_it() {
    // Which of the feeds is the audit log's, nobody can tell from outside: each is tried.
    let mut told = 0;
    for feed in 1..=4 {
        let bench = Bench::new();
        let (vault, _) = bench.create();
        owner(&vault).add(&note("a", "A", "text")).unwrap();
        // As a crash leaves it, so that what locking remembers of the log is not there.
        drop(vault);
        let store = rusqlite::Connection::open(bench.home().join("store/store.db")).unwrap();
        let spoil = "UPDATE entries SET body = zeroblob(length(body)) WHERE feed = ?1 AND number = \
                     (SELECT max(number) FROM entries WHERE feed = ?1)";
        store.execute(spoil, [feed]).unwrap();
        drop(store);
        let is_lost = |vault: &Vault<_>| owner(vault).status().unwrap().is_audit_lost;
        let Some(vault) = try_unlock(&bench).filter(is_lost) else { continue };
        told += 1;
        let problems = owner(&vault).verify(&mut |_| {}).unwrap().problems;
        assert!(problems.iter().any(|problem| problem.contains("were lost")), "{problems:?}");
        vault.lock().1.unwrap();
        let vault = bench.unlock();
        assert!(is_lost(&vault), "also the next time");
        owner(&vault).rebuild().unwrap();
        assert!(!is_lost(&vault));
    }
    assert_eq!(told, 1);
}

/// Fault F-08: whichever entry of the store is damaged, the vault opens and shows the rest, unless its genesis or its
/// keys are what is damaged; and a check says so.
#[test]
fn f_08_a_damaged_entry_of_any_feed_is_stepped_over() {
    let mut opened = 0;
    for row in 1..=20 {
        let bench = Bench::new();
        let (vault, _) = bench.create();
        owner(&vault).add(&note("a", "A", "text")).unwrap();
        owner(&vault).add(&note("b", "B", "text")).unwrap();
        vault.lock().1.unwrap();
        let store = rusqlite::Connection::open(bench.home().join("store/store.db")).unwrap();
        let spoil = "UPDATE entries SET body = zeroblob(length(body)) WHERE rowid = \
                     (SELECT rowid FROM entries ORDER BY feed, number LIMIT 1 OFFSET ?1)";
        if store.execute(spoil, [row - 1]).unwrap() == 0 {
            break;
        }
        // The second row of a statement, too.
        let also = "UPDATE copies SET body = zeroblob(length(body)) WHERE EXISTS (SELECT 1 FROM \
                    entries AS e WHERE e.feed = copies.feed AND e.number = copies.number \
                    AND e.body = zeroblob(length(e.body)))";
        store.execute(also, []).unwrap();
        drop(store);
        let Some(vault) = try_unlock(&bench) else { continue };
        opened += 1;
        let problems = owner(&vault).verify(&mut |_| {}).unwrap().problems;
        // The audit log names its own once more.
        let of_feeds = problems.iter().filter(|problem| problem.starts_with("feed "));
        let of_damage = of_feeds.filter(|problem| problem.ends_with("is damaged"));
        assert_eq!(of_damage.count(), 1, "{row}: {problems:?}");
        let is_unlinked = |problem: &String| problem.ends_with("does not follow");
        assert!(!problems.iter().any(is_unlinked), "{row}: {problems:?}");
        owner(&vault).add(&note("c", "C", "it goes on")).unwrap();
    }
    assert!(opened > 4);
}

/// Three notes, and a change of the first: where they are, and the ids.
fn four_entries(bench: &Bench) -> (FeedId, Vec<RecordId>) {
    let (vault, _) = bench.create();
    let session = owner(&vault);
    let ids: Vec<_> =
        (0..3).map(|n| session.add(&note(&format!("n{n}"), "a", "text")).unwrap()).collect();
    session.edit(ids[0], &fields(json!({"text": "another"})), &[]).unwrap();
    drop(session);
    vault.lock().1.unwrap();
    let usual = [CollectionId::AUTHORITY, CollectionId::ROOT];
    // The audit log has more.
    let is_of_notes =
        |(feed, at): &(FeedId, Position)| !usual.contains(&feed.collection) && at.number == 4;
    let feeds = LocalLog::feeds(&own_store(bench)).unwrap();
    (feeds.into_iter().find(is_of_notes).unwrap().0, ids)
}

fn own_store(bench: &Bench) -> LocalStore {
    LocalStore::open(&Home::new(&bench.home()).store(), Box::new(|| START_MS)).unwrap()
}

/// The vault over a log that will show something else there.
fn over(bench: &Bench, place: (FeedId, u64), harm: Harm) -> (Arc<Altered>, Vault<Unlocked>) {
    let log = Arc::new(Altered::new(own_store(bench), place, harm));
    let vault = Vault::load(&bench.home(), Arc::clone(&log) as Arc<dyn LocalLog>).unwrap();
    let opened = vault.unlock(&password(PASSWORD), bench.environment());
    (log, opened.map_err(|(_, error)| error).unwrap())
}

fn problems(vault: &Vault<Unlocked>) -> Vec<String> {
    owner(vault).verify(&mut |_| {}).unwrap().problems
}

/// Attacks INT-05, INT-11: whatever a log shows of an entry that it did not have: it does not open, what follows it does not
/// follow, a feed ends otherwise, or something is missing.
#[test]
fn a_log_that_shows_something_else_is_found_out() {
    let bench = Bench::new();
    let (feed, ids) = four_entries(&bench);
    let name = format!("feed {} of device {}", feed.collection, feed.device);
    let lost = |n: usize| format!("record {} is not in the log", ids[n]);
    let unlinked = |number| format!("{name}: entry {number} does not follow");
    for (number, harm, told) in [
        (1, Harm::Header(|header| header.previous.0[0] ^= 1), vec![unlinked(1), unlinked(2)]),
        (
            3,
            Harm::Header(|header| header.epoch.counter += 7),
            vec![unlinked(4), format!("{name}: entry 3: there is no key"), lost(2)],
        ),
        (1, Harm::Byte(9), vec![unlinked(2), format!("{name}: entry 1: it")]),
        (2, Harm::Byte(9), vec![unlinked(3), lost(1)]),
        (3, Harm::Byte(9), vec![unlinked(4), lost(2)]),
        (
            4,
            Harm::Byte(9),
            vec![
                format!("{name}: its last entry has another hash"),
                format!("record {} differs from the log", ids[0]),
            ],
        ),
        (1, Harm::Gone, vec![format!("{name}: entry 1 is missing"), lost(0), lost(1), lost(2)]),
        (3, Harm::Gone, vec![format!("{name}: entry 3 is missing"), lost(2)]),
    ] {
        let (log, vault) = over(&bench, (feed, number), harm);
        assert_eq!(problems(&vault), Vec::<String>::new());
        log.begin();
        let found = problems(&vault);
        for told in told {
            assert!(found.iter().any(|text| text.starts_with(&told)), "{told}: {found:?}");
        }
        let hash = "the database's state hash is not the log's".to_owned();
        assert!(found.contains(&hash), "{found:?}");
        // A record that the log lacks does not make the others look missing.
        let is_wrong = |text: &&String| text.ends_with("but not in the database");
        assert_eq!(found.iter().find(is_wrong), None);
    }
}

/// Views that were made when the log showed less are not what it says.
#[test]
fn views_that_lack_something_are_found_out() {
    let bench = Bench::new();
    let (feed, ids) = four_entries(&bench);
    for (number, told) in [
        (3, format!("record {} is in the log, but not in the database", ids[2])),
        (4, format!("record {} differs from the log", ids[0])),
    ] {
        let (log, mut vault) = over(&bench, (feed, number), Harm::Byte(9));
        log.begin();
        owner(&vault).rebuild().unwrap();
        log.end();
        let found = problems(&vault);
        assert!(found.contains(&told), "{told}: {found:?}");
        assert_eq!(found.len(), 2, "and the hash: {found:?}");
        // It is whole again: what was set aside is read once more.
        vault.try_again().unwrap();
        assert_eq!(problems(&vault), Vec::<String>::new());
    }
}

/// A disk that fails is told, and no reason to throw the views away.
#[test]
fn a_log_that_fails_once_is_read_again() {
    let bench = Bench::new();
    let (mut laptop, kit) = Device::first(&bench, None);
    let path = bench.dir.path().join("server");
    let server = LocalStore::create(&path, laptop.vault.id(), Box::new(|| START_MS)).unwrap();
    laptop.sync(&server);
    let mut phone = Device::join(&bench, "phone", (laptop.vault.id(), &kit), &server);
    phone.sync(&server);
    laptop.sync(&server);
    let known = laptop.store.feeds().unwrap();
    phone.session().add(&note("a", "Otter", "from the phone")).unwrap();
    phone.sync(&server);
    drop((laptop.vault.lock(), laptop.store));
    // The first entry of the phone's in its notes.
    let is_new = |feed: &FeedId| known.iter().all(|(known, _)| known != feed);
    let feeds = phone.store.feeds().unwrap();
    let feed = feeds.into_iter().map(|(feed, _)| feed).find(is_new).unwrap();
    let (log, mut vault) = over(&bench, (feed, 1), Harm::Fails);
    let access = Access::Vault(vault.id());
    let done = pollster::block_on(replicate(&log.inner, &server, &access, &Mark::new()));
    assert!(done.stopped.is_none(), "{done:?}");
    log.begin();
    assert!(vault.take_in().is_err());
    assert_eq!(owner(&vault).search("otter", Typing::Done, 9).unwrap().len(), 0);
    vault.take_in().unwrap();
    assert_eq!(owner(&vault).search("otter", Typing::Done, 9).unwrap().len(), 1);
    assert_eq!(problems(&vault), Vec::<String>::new());
}

/// Fault F-08: the device's own head rotted. To begin at 1 again would fork it; so this is told.
#[test]
fn f_08_an_own_head_that_rotted_is_named_and_not_begun_anew() {
    let bench = Bench::new();
    filled(&bench);
    let store = rusqlite::Connection::open(bench.home().join("store/store.db")).unwrap();
    assert_eq!(store.execute("UPDATE heads SET payload = x'a0'", []).unwrap(), 1);
    drop(store);
    let refused = bench.load().unlock(&password(PASSWORD), bench.environment());
    let (_, error) = refused.map(drop).unwrap_err();
    assert!(matches!(error, VaultError::Damaged("store")), "{error:?}");
}

/// What the index had not committed is not there twice when it was built again.
#[test]
fn rebuilding_right_after_a_change_finds_everything_once() {
    let bench = Bench::new();
    let (vault, _) = bench.create();
    let session = owner(&vault);
    session.add(&note("a", "Fresh", "just added")).unwrap();
    session.rebuild().unwrap();
    assert_eq!(session.search("fresh", Typing::Done, 9).unwrap().len(), 1);
}
