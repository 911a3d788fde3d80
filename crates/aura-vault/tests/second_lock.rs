// SPDX-License-Identifier: MIT OR Apache-2.0
//! The second lock: what is behind it is there when it is open, and nowhere when it is shut.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic is a failed test")]

mod support;

use aura_crypto::kdf::Argon2Params;
use aura_protocol::id::RecordId;
use aura_vault::gate::{GateError, Session};
use aura_vault::intake::{Outcome, TakeError};
use aura_vault::open::OpenError;
use aura_vault::record::{Category, Draft, Kind};
use aura_vault::search::Typing;
use aura_vault::vault::{Credential, SecondStanding, Unlocked, Vault, VaultError};
use proptest::prelude::*;
use serde_json::json;
use support::{Bench, PASSWORD, fields, note, owner, password};

const SECOND: &str = "a second one for what is nobody's business";
const OTHER: &str = "and another second one, chosen later on";

fn finding(id: &str, text: &str) -> Draft {
    Draft {
        kind: Kind::Observation,
        category: Category::Health,
        fields: fields(json!({"name": "Finding", "text": text})),
        ..note(id, "", "")
    }
}

fn login(id: &str, name: &str) -> Draft {
    Draft {
        kind: Kind::Login,
        category: Category::Credentials,
        fields: fields(json!({"name": name, "login": {"username": "nora", "password": "hidden"}})),
        ..note(id, "", "")
    }
}

fn hits(session: &Session, query: &str) -> Vec<RecordId> {
    let found = session.search(query, Typing::Done, 50).unwrap();
    found.iter().map(|found| found.id).collect()
}

fn is_shut(error: &GateError) -> bool {
    matches!(error, GateError::Vault(OpenError::SecondLock))
}

fn events(session: &Session, action: &str) -> u64 {
    let mut count = 0;
    session
        .audit(&mut |logged| {
            if logged.event.action.as_str() == action {
                count += logged.event.count;
            }
        })
        .unwrap();
    count
}

fn reopen(bench: &Bench, vault: Vault<Unlocked>) -> Vault<Unlocked> {
    let (locked, finished) = vault.lock();
    finished.unwrap();
    drop(locked);
    bench.unlock()
}

#[test]
fn what_is_behind_it_is_there_when_it_is_open_and_nowhere_when_it_is_shut() {
    let bench = Bench::new();
    let (vault, _) = bench.create_with(Some(SECOND));
    assert_eq!(vault.second(), SecondStanding::Open);
    let session = owner(&vault);
    let plain = session.add(&note("a", "Walk", "the common word")).unwrap();
    let health = session.add(&finding("b", "the common word, and pulse")).unwrap();
    let secret = session.add(&login("c", "Bank common")).unwrap();
    let gone = session.add(&finding("d", "deleted")).unwrap();
    session.remove(gone).unwrap();
    session.edit(health, &fields(json!({"text": "the common word, edited"})), &[]).unwrap();
    let before = session.status().unwrap();
    assert!(before.state_hash.is_some() && before.shut.is_empty() && before.waiting == 0);
    assert_eq!(hits(&session, "common").len(), 3);
    drop(session);

    vault.lock_second().unwrap();
    assert_eq!(vault.second(), SecondStanding::Shut);
    let session = owner(&vault);
    assert_eq!(hits(&session, "common"), [plain]);
    assert!(hits(&session, "category:health").is_empty());
    assert_eq!(session.get(health).unwrap(), None);
    for id in [health, secret, gone] {
        assert!(session.history(id).is_err() && session.undo(id).is_err());
        assert!(session.edit(id, &fields(json!({"text": "x"})), &[]).is_err());
        assert!(session.remove(id).is_err());
    }
    assert!(session.trash(None, 10).unwrap().is_empty());
    let exported = session.export_page(None, 100).unwrap();
    assert_eq!(exported.iter().map(|record| record.id).collect::<Vec<_>>(), [plain]);
    let shut = session.status().unwrap();
    assert_eq!((shut.state_hash, shut.records, shut.waiting), (None, 1, 5));
    assert_eq!(shut.shut, [Category::Health, Category::Credentials]);
    assert_eq!(shut.by_category, [(Category::Notes, 1)]);
    assert!(is_shut(&session.add(&finding("e", "not taken")).unwrap_err()));
    let (run, mut importer) = session.importer().unwrap();
    assert!(matches!(importer.take(&finding("f", "skipped")), Err(TakeError::SecondLock)));
    assert!(matches!(importer.take(&note("g", "New", "taken")), Ok(Outcome::New(_))));
    importer.finish(run, &json!({})).unwrap();
    drop(session);

    let vault = reopen(&bench, vault);
    assert_eq!(vault.second(), SecondStanding::Shut);
    vault.unlock_second(SECOND).unwrap();
    let session = owner(&vault);
    assert_eq!(session.get(health).unwrap().unwrap().fields["text"], "the common word, edited");
    assert_eq!(session.history(health).unwrap().len(), 2);
    assert_eq!(session.trash(None, 10).unwrap().len(), 1);
    assert_eq!(hits(&session, "common").len(), 3);
    let after = session.status().unwrap();
    let hash_of = |status: &aura_vault::gate::Status, category| {
        status.category_hashes.iter().find(|(known, _)| *known == category).unwrap().1.clone()
    };
    for category in [Category::Health, Category::Credentials] {
        assert_eq!(hash_of(&after, category), hash_of(&before, category));
    }
    session.undo(health).unwrap();
    assert!(session.verify(&mut |_| {}).unwrap().is_ok());
    assert_eq!((events(&session, "unlock-second"), events(&session, "lock-second")), (2, 1));
}

#[test]
fn wrong_second_passwords_are_counted_apart_and_all_alike() {
    let bench = Bench::new();
    let (vault, kit) = bench.create_with(Some(SECOND));
    vault.lock_second().unwrap();
    for wrong in ["wrong", "", PASSWORD] {
        let error = vault.unlock_second(wrong).unwrap_err();
        assert_eq!(error.to_string(), "that does not open the second lock");
        assert_eq!(vault.second(), SecondStanding::Shut);
    }
    assert!(matches!(vault.unlock_second(SECOND), Err(VaultError::TooSoon(_))));
    assert_eq!(events(&owner(&vault), "failed-unlock-second"), 3);
    assert_eq!(events(&owner(&vault), "failed-unlock"), 0);
    bench.clock.0.fetch_add(60_000, std::sync::atomic::Ordering::Relaxed);
    vault.unlock_second(SECOND).unwrap();
    vault.lock_second().unwrap();
    assert!(matches!(vault.unlock_second("again"), Err(VaultError::SecondSecret)), "from zero");
    // The first lock's tries are its own, and the printed code opens that one alone.
    let (locked, finished) = vault.lock();
    finished.unwrap();
    let recovery = Credential::Recovery(kit.recovery_code.clone());
    let vault = locked.unlock(&recovery, bench.environment()).map_err(|(_, e)| e).unwrap();
    assert_eq!(vault.second(), SecondStanding::Shut);
    assert!(vault.unlock_second(&kit.recovery_code).is_err());
}

#[test]
fn a_rebuild_while_it_is_shut_leaves_what_waits_for_later() {
    let bench = Bench::new();
    let (vault, _) = bench.create_with(Some(SECOND));
    let session = owner(&vault);
    session.add(&note("a", "Plain", "common")).unwrap();
    for n in 0..20 {
        session.add(&finding(&n.to_string(), "common pulse")).unwrap();
    }
    let before = session.status().unwrap().state_hash;
    drop(session);
    vault.lock_second().unwrap();
    let session = owner(&vault);
    session.rebuild().unwrap();
    let report = session.verify(&mut |_| {}).unwrap();
    assert!(report.is_ok(), "{report:?}");
    assert_eq!(report.waiting, 20);
    drop(session);
    let (locked, finished) = vault.lock();
    finished.unwrap();
    drop(locked);
    // Views and the keys of those behind the lock are gone altogether.
    std::fs::remove_dir_all(bench.home().join("views")).unwrap();
    std::fs::remove_file(bench.home().join("second")).unwrap();
    let vault = bench.unlock();
    assert_eq!(owner(&vault).status().unwrap().waiting, 20);
    assert!(owner(&vault).status().unwrap().quarantined.is_empty());
    vault.unlock_second(SECOND).unwrap();
    let session = owner(&vault);
    assert_eq!(session.status().unwrap().state_hash, before);
    assert_eq!(hits(&session, "pulse").len(), 20);
    let report = session.verify(&mut |_| {}).unwrap();
    assert!(report.is_ok() && report.waiting == 0, "{report:?}");
    session.rebuild().unwrap();
    assert_eq!(session.status().unwrap().state_hash, before);
}

#[test]
fn damage_behind_it_is_found_and_built_again() {
    let bench = Bench::new();
    let (vault, _) = bench.create_with(Some(SECOND));
    owner(&vault).add(&finding("a", "pulse")).unwrap();
    let before = owner(&vault).status().unwrap().state_hash;
    let vault = reopen(&bench, vault);
    let views = bench.home().join("views");
    std::fs::write(views.join("second.db"), [7; 9000]).unwrap();
    for file in std::fs::read_dir(views.join("second-index")).unwrap().map(Result::unwrap) {
        std::fs::write(file.path(), b"nothing").unwrap();
    }
    vault.unlock_second(SECOND).unwrap();
    assert_eq!(owner(&vault).status().unwrap().state_hash, before);
    assert_eq!(hits(&owner(&vault), "pulse").len(), 1);
}

#[test]
fn one_can_be_made_later_and_what_there_was_goes_behind_it() {
    let bench = Bench::new();
    let (mut vault, _) = bench.create();
    assert_eq!(vault.second(), SecondStanding::Absent);
    assert!(matches!(vault.unlock_second(SECOND), Err(VaultError::NoSecond)));
    let session = owner(&vault);
    let early = session.add(&finding("a", "early pulse")).unwrap();
    session.add(&note("b", "Plain", "pulse of the city")).unwrap();
    let before = session.status().unwrap();
    drop(session);
    // A copy of the views as they were, for later.
    let (views, copy) = (bench.home().join("views"), bench.dir.path().join("copy"));
    let vault_2 = reopen(&bench, vault);
    vault = vault_2;
    copy_folder(&views, &copy);

    let set = |vault: &mut Vault<Unlocked>, first: &str, second: &str| {
        vault.set_second(&password(first), second, Argon2Params::FLOOR)
    };
    assert!(matches!(set(&mut vault, "wrong", SECOND), Err(VaultError::Secret)));
    assert!(matches!(set(&mut vault, PASSWORD, PASSWORD), Err(VaultError::SamePassword)));
    assert_eq!(vault.second(), SecondStanding::Absent);
    set(&mut vault, PASSWORD, SECOND).unwrap();
    assert!(matches!(set(&mut vault, PASSWORD, OTHER), Err(VaultError::SecondExists)));
    let session = owner(&vault);
    assert_eq!(session.status().unwrap().state_hash, before.state_hash);
    let late = session.add(&finding("c", "late pulse")).unwrap();
    session.edit(early, &fields(json!({"text": "early pulse, edited"})), &[]).unwrap();
    assert_eq!(hits(&session, "pulse").len(), 3);
    let full = session.status().unwrap().state_hash;
    drop(session);
    vault.lock_second().unwrap();
    assert_eq!(hits(&owner(&vault), "pulse").len(), 1);
    assert_eq!(owner(&vault).get(early).unwrap(), None);

    // As after a crash before the views followed: the first database still knows the record.
    let (locked, finished) = vault.lock();
    finished.unwrap();
    drop(locked);
    std::fs::remove_dir_all(&views).unwrap();
    copy_folder(&copy, &views);
    let vault = bench.unlock();
    assert_eq!(hits(&owner(&vault), "pulse").len(), 1);
    assert_eq!(owner(&vault).get(early).unwrap(), None);
    vault.unlock_second(SECOND).unwrap();
    assert_eq!(owner(&vault).status().unwrap().state_hash, full);
    assert!(owner(&vault).get(late).unwrap().is_some());
    assert!(owner(&vault).verify(&mut |_| {}).unwrap().is_ok());
}

fn copy_folder(from: &std::path::Path, to: &std::path::Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let place = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_folder(&entry.path(), &place);
        } else {
            std::fs::copy(entry.path(), place).unwrap();
        }
    }
}

#[test]
fn its_password_can_be_changed_and_the_old_one_opens_nothing_any_more() {
    let bench = Bench::new();
    let (mut vault, _) = bench.create_with(Some(SECOND));
    let id = owner(&vault).add(&finding("a", "pulse")).unwrap();
    let before = owner(&vault).status().unwrap().state_hash;
    vault.lock_second().unwrap();
    let change = |vault: &mut Vault<Unlocked>, from: &str, to: &str| {
        vault.change_second(from, to, Argon2Params::FLOOR)
    };
    assert!(matches!(change(&mut vault, OTHER, SECOND), Err(VaultError::SecondSecret)));
    change(&mut vault, SECOND, OTHER).unwrap();
    owner(&vault).add(&finding("b", "pulse, later")).unwrap();
    let vault = reopen(&bench, vault);
    assert!(matches!(vault.unlock_second(SECOND), Err(VaultError::SecondSecret)));
    vault.unlock_second(OTHER).unwrap();
    assert!(owner(&vault).get(id).unwrap().is_some());
    assert_eq!(hits(&owner(&vault), "pulse").len(), 2);
    assert_ne!(owner(&vault).status().unwrap().state_hash, before);
    // Without the cache of the keyring and the file of the lock: everything is in the log.
    let (locked, finished) = vault.lock();
    finished.unwrap();
    drop(locked);
    for file in ["second", "keyring"] {
        std::fs::remove_file(bench.home().join(file)).unwrap();
    }
    let vault = bench.unlock();
    vault.unlock_second(OTHER).unwrap();
    assert_eq!(hits(&owner(&vault), "pulse").len(), 2);
    assert!(owner(&vault).verify(&mut |_| {}).unwrap().is_ok());
}

/// DIR-12: the password is changed as soon as the log says so. What the file is for is built again without.
#[test]
fn a_changed_password_counts_though_the_file_of_the_lock_cannot_be_written() {
    let bench = Bench::new();
    let (mut vault, _) = bench.create_with(Some(SECOND));
    owner(&vault).add(&finding("a", "pulse")).unwrap();
    // Where the new file would be written before it takes its place.
    let in_the_way = bench.home().join("second.new");
    std::fs::create_dir(&in_the_way).unwrap();
    vault.change_second(SECOND, OTHER, Argon2Params::FLOOR).unwrap();
    // The old one would open the views with the old password.
    assert!(!bench.home().join("second").exists());
    owner(&vault).add(&finding("b", "pulse, later")).unwrap();
    let vault = reopen(&bench, vault);
    assert!(matches!(vault.unlock_second(SECOND), Err(VaultError::SecondSecret)));
    assert!(matches!(vault.unlock_second(OTHER), Err(VaultError::Io("second", _))));
    std::fs::remove_dir(&in_the_way).unwrap();
    vault.unlock_second(OTHER).unwrap();
    assert_eq!(hits(&owner(&vault), "pulse").len(), 2);
    assert!(bench.home().join("second").exists());
    assert!(owner(&vault).verify(&mut |_| {}).unwrap().is_ok());
}

/// DIR-12: the log may have taken a change that failed to come back, so the old file must not come back either.
#[test]
fn a_change_that_fails_half_way_leaves_no_file_for_the_old_password() {
    let bench = Bench::new();
    let (mut vault, _) = bench.create_with(Some(SECOND));
    owner(&vault).add(&finding("a", "pulse")).unwrap();
    let store = rusqlite::Connection::open(bench.home().join("store/store.db")).unwrap();
    let stop =
        "CREATE TRIGGER stop BEFORE INSERT ON entries BEGIN SELECT RAISE(ABORT, 'full'); END";
    store.execute_batch(stop).unwrap();
    let changed = vault.change_second(SECOND, OTHER, Argon2Params::FLOOR);
    assert!(matches!(changed, Err(VaultError::Open(OpenError::Feed(_)))), "{changed:?}");
    assert!(!bench.home().join("second").exists());
    store.execute_batch("DROP TRIGGER stop").unwrap();
    drop((store, vault));
    let vault = bench.unlock();
    assert!(matches!(vault.unlock_second(OTHER), Err(VaultError::SecondSecret)));
    vault.unlock_second(SECOND).unwrap();
    assert_eq!(hits(&owner(&vault), "pulse").len(), 1);
    assert!(bench.home().join("second").exists());
    assert!(owner(&vault).verify(&mut |_| {}).unwrap().is_ok());
}

#[test]
fn one_password_for_both_is_refused() {
    let bench = Bench::new();
    let made = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        bench.create_with(Some(PASSWORD));
    }));
    assert!(made.is_err() && !bench.home().join("aura-vault").exists());

    // Also where the first one is not typed, or the second one comes later.
    let bench = Bench::new();
    let (mut vault, kit) = bench.create();
    let recovery = Credential::Recovery(kit.recovery_code.clone());
    let same = vault.set_second(&recovery, PASSWORD, Argon2Params::FLOOR);
    assert!(matches!(same, Err(VaultError::SamePassword)));
    vault.set_second(&recovery, SECOND, Argon2Params::FLOOR).unwrap();
    vault.lock_second().unwrap();
    let same = vault.change_second(SECOND, PASSWORD, Argon2Params::FLOOR);
    assert!(matches!(same, Err(VaultError::SamePassword)));
    vault.unlock_second(SECOND).unwrap();
}

/// Tries side by side are answered one after the other: nobody gets more of them, or a lock opened twice.
#[test]
fn tries_at_the_same_time_are_no_more_tries() {
    let bench = Bench::new();
    let (vault, _) = bench.create_with(Some(SECOND));
    vault.lock_second().unwrap();
    let all = |password: &str| -> Vec<Result<(), VaultError>> {
        std::thread::scope(|scope| {
            let tries: Vec<_> =
                (0..6).map(|_| scope.spawn(|| vault.unlock_second(password))).collect();
            tries.into_iter().map(|one| one.join().unwrap()).collect()
        })
    };
    let wrong = all("wrong");
    let counted = wrong.iter().filter(|one| matches!(one, Err(VaultError::SecondSecret))).count();
    let waits = wrong.iter().filter(|one| matches!(one, Err(VaultError::TooSoon(_)))).count();
    assert_eq!((counted, waits), (3, 3), "{wrong:?}");
    assert_eq!(events(&owner(&vault), "failed-unlock-second"), 3);
    bench.clock.0.fetch_add(60_000, std::sync::atomic::Ordering::Relaxed);
    assert!(all(SECOND).iter().all(Result::is_ok));
    assert_eq!(events(&owner(&vault), "unlock-second"), 2);
    owner(&vault).add(&finding("a", "pulse")).unwrap();
}

/// KRG-8: heads name the collections that wait, so that nobody takes what is held for applied.
#[test]
fn heads_name_what_waits() {
    let bench = Bench::new();
    let (vault, _) = bench.create_with(Some(SECOND));
    let waiting = |vault: &Vault<Unlocked>| {
        let heads = vault.log().heads().unwrap();
        heads[0].claim().unwrap().waiting.len()
    };
    owner(&vault).add(&finding("a", "pulse")).unwrap();
    assert_eq!(waiting(&vault), 0);
    vault.lock_second().unwrap();
    assert_eq!(waiting(&vault), 2);
    owner(&vault).add(&note("b", "Plain", "text")).unwrap();
    assert_eq!(waiting(&vault), 2);
    vault.unlock_second(SECOND).unwrap();
    assert_eq!(waiting(&vault), 0);
}

/// Both indexes are searched as one: the same order and scores as where there is only one.
#[test]
fn hits_of_both_sides_are_ranked_as_in_one_index() {
    let (both, one) = (Bench::new(), Bench::new());
    let ((two, _), (single, _)) = (both.create_with(Some(SECOND)), one.create());
    let mut found = Vec::new();
    for vault in [&two, &single] {
        let session = owner(vault);
        for n in 0..12u32 {
            let text = format!("pulse {}", "filler ".repeat((n % 5) as usize));
            let mut draft = if n % 3 == 0 {
                finding(&n.to_string(), &text)
            } else {
                note(&n.to_string(), "Day", &text)
            };
            drop(draft.fields.insert("number".to_owned(), json!(n)));
            draft.time_ms = Some(support::START_MS - i64::from(n) * 86_400_000 * 40);
            if n == 7 {
                drop(draft.fields.insert("text".to_owned(), json!("pulse pulse rare")));
            }
            session.add(&draft).unwrap();
        }
        let order = |query: &str| -> Vec<(i64, u32)> {
            let found = session.search(query, Typing::Done, 8).unwrap();
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small")]
            let rough = |score: f32| (score * 1000.0).round() as u32;
            found.iter().map(|hit| (hit.time_ms, rough(hit.score))).collect()
        };
        found.push([order("pulse"), order("rare pulse"), order("day pulse"), order("kind:note")]);
    }
    assert_eq!(found[0], found[1]);
    assert!(found[0].iter().all(|order| !order.is_empty()));
    let all = owner(&two).search("category:health OR category:notes", Typing::Done, 50).unwrap();
    assert_eq!(all.len(), 12);
    assert!(all.is_sorted_by(|a, b| a.time_ms >= b.time_ms));
}

#[derive(Debug, Clone)]
enum Step {
    AddFinding(u8),
    AddNote(u8),
    Edit(u8),
    Remove(u8),
    Shut,
    Open,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => any::<u8>().prop_map(Step::AddFinding),
        2 => any::<u8>().prop_map(Step::AddNote),
        2 => any::<u8>().prop_map(Step::Edit),
        1 => any::<u8>().prop_map(Step::Remove),
        1 => Just(Step::Shut),
        1 => Just(Step::Open),
    ];
    proptest::collection::vec(step, 5..25)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(6))]

    /// However it is shut and opened in between: once it is open, everything that was acknowledged is
    /// there, and it is what the log says.
    #[test]
    fn opening_it_always_comes_to_the_same_state(steps in steps()) {
        let bench = Bench::new();
        let (vault, _) = bench.create_with(Some(SECOND));
        let mut live: Vec<RecordId> = Vec::new();
        for (n, step) in steps.into_iter().enumerate() {
            let session = owner(&vault);
            let is_open = vault.second() == SecondStanding::Open;
            let pick = |at: u8| live.get(usize::from(at) % live.len().max(1)).copied();
            match step {
                Step::AddFinding(word) => match session.add(&finding(&n.to_string(), &format!("w{word}"))) {
                    Ok(id) => { prop_assert!(is_open); live.push(id); }
                    Err(error) => prop_assert!(!is_open && is_shut(&error)),
                },
                Step::AddNote(word) => live.push(session.add(&note(&n.to_string(), "N", &format!("w{word}"))).unwrap()),
                Step::Edit(at) => if let Some(id) = pick(at) {
                    let edited = session.edit(id, &fields(json!({"text": format!("e{n}")})), &[]);
                    prop_assert!(edited.is_ok() || !is_open);
                },
                Step::Remove(at) => if let Some(id) = pick(at) {
                    match session.remove(id) {
                        Ok(()) => live.retain(|known| *known != id),
                        Err(_) => prop_assert!(!is_open),
                    }
                },
                Step::Shut => { drop(session); vault.lock_second().unwrap(); }
                Step::Open => { drop(session); vault.unlock_second(SECOND).unwrap(); }
            }
        }
        vault.unlock_second(SECOND).unwrap();
        let session = owner(&vault);
        let status = session.status().unwrap();
        prop_assert_eq!(status.records, live.len() as u64);
        prop_assert!(live.iter().all(|id| session.get(*id).unwrap().is_some()));
        session.rebuild().unwrap();
        prop_assert_eq!(session.status().unwrap().state_hash, status.state_hash);
        let report = session.verify(&mut |_| {}).unwrap();
        prop_assert!(report.is_ok());
    }
}

/// OPS-18: what is behind a lock that is opened while an import runs is known from then on.
#[test]
fn a_lock_opened_during_an_import_shows_what_is_there_already() {
    let bench = Bench::new();
    let (vault, _) = bench.create_with(Some(SECOND));
    let session = owner(&vault);
    let health = |number: usize| Draft {
        kind: Kind::Observation,
        category: Category::Health,
        ..note(&format!("h{number}"), "Pulse", "61")
    };
    vault.unlock_second(SECOND).unwrap();
    let (run, mut importer) = session.importer().unwrap();
    for number in 0..20 {
        importer.take(&health(number)).unwrap();
    }
    importer.finish(run, &json!({})).unwrap();
    vault.lock_second().unwrap();
    let (run, mut importer) = session.importer().unwrap();
    for number in 0..1100 {
        importer.take(&note(&number.to_string(), "Note", "words")).unwrap();
    }
    vault.unlock_second(SECOND).unwrap();
    for number in 0..20 {
        assert!(matches!(importer.take(&health(number)).unwrap(), Outcome::Unchanged(_)));
    }
    importer.finish(run, &json!({})).unwrap();
}
