// SPDX-License-Identifier: MIT OR Apache-2.0
//! A person's way through a vault: make, add, find, edit, undo, import, shut, open, lose views.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic is a failed test")]

mod support;

use std::io::Read as _;
use std::sync::Arc;

use aura_crypto::kdf::Argon2Params;
use aura_vault::audit::Action;
use aura_vault::gate::GateError;
use aura_vault::intake::Outcome;
use aura_vault::record::{Attachment, Content, Kind};
use aura_vault::search::Typing;
use aura_vault::vault::{Credential, VaultError};
use serde_json::json;
use support::{Bench, PASSWORD, fields, note, owner, password};

#[test]
fn what_is_added_is_found_edited_undone_and_still_there_tomorrow() {
    let bench = Bench::new();
    let (vault, kit) = bench.create();
    let session = owner(&vault);
    let id = session.add(&note("a", "Lisbon flat", "The flat in Graça has a view")).unwrap();
    let found = session.search("graca", Typing::Done, 10).unwrap();
    assert_eq!(found.iter().map(|found| found.id).collect::<Vec<_>>(), [id]);
    assert_eq!(found[0].title, "Lisbon flat");

    let edited =
        session.edit(id, &fields(json!({"text": "It was sold", "keywords": {"home": true}})), &[]);
    assert_eq!(edited.unwrap().fields["text"], "It was sold");
    assert!(session.search("graca", Typing::Done, 10).unwrap().is_empty());
    assert_eq!(session.search("tag:home sold", Typing::Done, 10).unwrap().len(), 1);
    let undone = session.undo(id).unwrap().unwrap();
    assert_eq!(undone.fields["text"], "The flat in Graça has a view");
    assert_eq!(undone.fields.get("keywords"), None);
    let history = session.history(id).unwrap();
    assert_eq!(history.len(), 3);

    session.remove(id).unwrap();
    assert_eq!(session.get(id).unwrap(), None);
    assert!(session.search("lisbon", Typing::Done, 10).unwrap().is_empty());
    assert_eq!(session.trash(None, 10).unwrap().len(), 1);
    assert_eq!(session.undo(id).unwrap().unwrap().title, "Lisbon flat");
    let before = session.status().unwrap();
    assert_eq!(before.records, 1);
    drop(session);
    let (locked, finished) = vault.lock();
    finished.unwrap();

    // Wrong secrets are all alike; both right ones open.
    let (locked, error) =
        locked.unlock(&password("wrong"), bench.environment()).map(drop).unwrap_err();
    assert!(matches!(error, VaultError::Secret));
    let recovery = Credential::Recovery(kit.recovery_code.clone());
    let vault = locked.unlock(&recovery, bench.environment()).map_err(|(_, e)| e).unwrap();
    let session = owner(&vault);
    assert_eq!(session.get(id).unwrap().unwrap().title, "Lisbon flat");
    assert_eq!(session.search("graca", Typing::Done, 10).unwrap().len(), 1);
    assert_eq!(session.status().unwrap().state_hash, before.state_hash);
    let verdict = session.verify_audit().unwrap();
    assert!(verdict.is_ok, "{verdict:?}");
    let mut actions = Vec::new();
    session.audit(&mut |logged| actions.push(logged.event.action.as_str())).unwrap();
    for action in ["create", "write", "delete", "lock", "failed-unlock", "unlock"] {
        assert!(actions.contains(&action), "{action} in {actions:?}");
    }
}

#[test]
fn an_import_runs_again_without_a_change_and_keeps_what_the_person_edited() {
    let bench = Bench::new();
    let (vault, _) = bench.create();
    let session = owner(&vault);
    let import = |drafts: &[aura_vault::record::Draft]| {
        let (run, mut importer) = session.importer().unwrap();
        let outcomes: Vec<Outcome> =
            drafts.iter().map(|draft| importer.take(draft).unwrap()).collect();
        importer.finish(run, &json!({"read": drafts.len()})).unwrap();
        outcomes
    };
    let mut with_file = note("c", "Receipt", "see the file");
    with_file.attachments.push(Attachment {
        name: "receipt.pdf".to_owned(),
        media_type: "application/pdf".to_owned(),
        content: Arc::new(vec![7u8; 100_000]),
    });
    let first = [note("a", "One", "first text"), note("b", "Two", "second"), with_file.clone()];
    let outcomes = import(&first);
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Outcome::New(_))));
    let hash = session.status().unwrap().state_hash;
    assert!(import(&first).iter().all(|outcome| matches!(outcome, Outcome::Unchanged(_))));
    assert_eq!(session.status().unwrap().state_hash, hash);

    let Outcome::New(a) = outcomes[0] else { panic!() };
    let Outcome::New(c) = outcomes[2] else { panic!() };
    session.edit(a, &fields(json!({"name": "One, by hand"})), &[]).unwrap();
    let mut changed = note("a", "One", "text from the source");
    changed.fields.insert("extra".into(), json!({"new": 1}));
    assert!(matches!(import(&[changed])[0], Outcome::Merged(_)));
    let record = session.get(a).unwrap().unwrap();
    assert_eq!(record.title, "One, by hand");
    assert_eq!(record.fields["text"], "text from the source");
    assert_eq!(record.fields["extra"], json!({"new": 1}));

    let record = session.get(c).unwrap().unwrap();
    let [file] = record.attachments.as_slice() else { panic!("one attachment") };
    let mut bytes = Vec::new();
    session.attachment(c, file.id, &mut bytes).unwrap();
    assert_eq!(bytes, vec![7u8; 100_000]);
    assert_eq!(session.imports().unwrap().len(), 3);
    assert_eq!(session.search("has:attachment", Typing::Done, 10).unwrap().len(), 1);
}

#[test]
fn f_09_views_are_built_again_from_the_log() {
    let bench = Bench::new();
    let (vault, _) = bench.create();
    let session = owner(&vault);
    let ids: Vec<_> = (0..50)
        .map(|n| session.add(&note(&n.to_string(), &format!("Note {n}"), "common")).unwrap())
        .collect();
    session.remove(ids[7]).unwrap();
    let before = session.status().unwrap();
    drop(session);
    let (locked, finished) = vault.lock();
    finished.unwrap();
    drop(locked);
    std::fs::remove_dir_all(bench.home().join("views")).unwrap();
    let vault = bench.unlock();
    let session = owner(&vault);
    let after = session.status().unwrap();
    assert_eq!(after.state_hash, before.state_hash);
    assert_eq!(session.search("common", Typing::Done, 100).unwrap().len(), 49);
    drop((session, vault));

    // A lost keyring cache means new view keys: the same way out.
    std::fs::remove_file(bench.home().join("keyring")).unwrap();
    let vault = bench.unlock();
    assert_eq!(owner(&vault).status().unwrap().state_hash, before.state_hash);
    assert!(owner(&vault).verify_audit().unwrap().is_ok);
}

#[test]
fn a_vault_that_was_dropped_without_locking_loses_nothing() {
    let bench = Bench::new();
    let (vault, _) = bench.create();
    let id = owner(&vault).add(&note("a", "Kept", "by the log")).unwrap();
    drop(vault);
    let vault = bench.unlock();
    assert_eq!(owner(&vault).get(id).unwrap().unwrap().title, "Kept");
    assert_eq!(owner(&vault).search("log", Typing::Done, 10).unwrap().len(), 1);
}

#[test]
fn bad_requests_are_refused_by_name() {
    let bench = Bench::new();
    let (vault, _) = bench.create();
    let session = owner(&vault);
    let empty = aura_vault::record::Draft { fields: fields(json!({})), ..note("x", "", "") };
    assert!(matches!(session.add(&empty), Err(GateError::Take(_))));
    let absent = aura_protocol::id::RecordId([9; 16]);
    assert!(matches!(
        session.edit(absent, &fields(json!({"a": 1})), &[]),
        Err(GateError::NoRecord)
    ));
    let huge = "x".repeat(9 << 20);
    assert!(matches!(session.add(&note("y", "huge", &huge)), Err(GateError::TooLarge)));
    let system = vault.session(aura_vault::gate::Principal::System);
    assert!(matches!(system.get(absent), Err(GateError::Refused(_))));
    assert_eq!(Kind::parse("note"), Some(Kind::Note));
}

#[test]
fn wrong_secrets_are_answered_more_and_more_slowly() {
    let bench = Bench::new();
    drop(bench.create());
    let mut locked = bench.load();
    for _ in 0..3 {
        let (back, error) =
            locked.unlock(&password("guess"), bench.environment()).map(drop).unwrap_err();
        assert!(matches!(error, VaultError::Secret));
        locked = back;
    }
    let (locked, error) =
        locked.unlock(&password(PASSWORD), bench.environment()).map(drop).unwrap_err();
    assert!(matches!(error, VaultError::TooSoon(_)));
    bench.clock.0.fetch_add(2_000, std::sync::atomic::Ordering::Relaxed);
    assert!(locked.unlock(&password(PASSWORD), bench.environment()).is_ok());
}

/// Content that is not as long as it says.
struct Changing(u64);

impl Content for Changing {
    fn open(&self) -> std::io::Result<Box<dyn std::io::Read + '_>> {
        Ok(Box::new(std::io::repeat(b'x').take(5000)))
    }

    fn size_bytes(&self) -> Option<u64> {
        Some(self.0)
    }
}

/// Ends with an error after so many bytes.
struct Breaking(usize);

impl std::io::Read for Breaking {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.0.min(buffer.len());
        self.0 -= count;
        if count == 0 { Err(std::io::ErrorKind::StorageFull.into()) } else { Ok(count) }
    }
}

struct Broken;

impl Content for Broken {
    fn open(&self) -> std::io::Result<Box<dyn std::io::Read + '_>> {
        Ok(Box::new(Breaking(9 << 20)))
    }

    fn size_bytes(&self) -> Option<u64> {
        Some(12 << 20)
    }
}

/// Fault F-34: an attachment that cannot be read to its end leaves nothing behind.
#[test]
fn f_34_a_file_that_breaks_off_leaves_no_chunks() {
    let bench = Bench::new();
    let (vault, _) = bench.create();
    let attachment = Attachment {
        name: "broken".to_owned(),
        media_type: "application/octet-stream".to_owned(),
        content: Arc::new(Broken),
    };
    let mut draft = note("a", "Broken", "off");
    draft.attachments.push(attachment);
    assert!(owner(&vault).add(&draft).is_err());
    assert_eq!(vault.log().chunks().unwrap(), []);
    assert!(owner(&vault).add(&note("b", "Whole", "still works")).is_ok());
}

/// Fault F-34: neither does one whose record the log does not take.
#[test]
fn f_34_an_attachment_of_a_record_that_is_not_taken_leaves_no_chunks() {
    let bench = Bench::new();
    let (vault, _) = bench.create();
    let store = rusqlite::Connection::open(bench.home().join("store/store.db")).unwrap();
    let stop =
        "CREATE TRIGGER stop BEFORE INSERT ON entries BEGIN SELECT RAISE(ABORT, 'full'); END";
    store.execute_batch(stop).unwrap();
    let (name, media_type) = ("x".to_owned(), "text/plain".to_owned());
    let mut draft = note("a", "Full", "disk");
    draft.attachments.push(Attachment { name, media_type, content: Arc::new(Changing(5000)) });
    assert!(owner(&vault).add(&draft).is_err());
    assert_eq!(vault.log().chunks().unwrap(), []);
}

#[test]
fn a_file_that_changes_while_it_is_added_is_refused() {
    let bench = Bench::new();
    let (vault, _) = bench.create();
    let session = owner(&vault);
    for (size, is_taken) in [(4999, false), (5001, false), (0, false), (5000, true)] {
        let mut draft = note("changing", "changing", "text");
        let (name, media_type) = ("x".to_owned(), "text/plain".to_owned());
        draft.attachments.push(Attachment { name, media_type, content: Arc::new(Changing(size)) });
        assert_eq!(session.add(&draft).is_ok(), is_taken, "{size}");
        assert_eq!(session.status().unwrap().records, u64::from(is_taken));
    }
    assert!(session.verify(&mut |_| {}).unwrap().is_ok());
}

/// DIR-9: whoever sits at an open vault guesses no faster than at a shut one.
#[test]
fn wrong_secrets_in_an_open_vault_are_counted_too() {
    let bench = Bench::new();
    let (mut vault, _) = bench.create();
    let wait = |ms| bench.clock.0.fetch_add(ms, std::sync::atomic::Ordering::Relaxed);
    let (cost, next) = (Argon2Params::FLOOR, "a password of next year");
    let guess = password("guess");
    assert!(matches!(vault.change_password(&guess, next, cost), Err(VaultError::Secret)));
    assert!(matches!(vault.renew_recovery_code(&guess), Err(VaultError::Secret)));
    assert!(matches!(vault.set_second(&guess, next, cost), Err(VaultError::Secret)));
    let too_soon = vault.change_password(&password(PASSWORD), next, cost);
    assert!(matches!(too_soon, Err(VaultError::TooSoon(_))));
    wait(2_000);
    vault.change_password(&password(PASSWORD), next, cost).unwrap();
    let mut refused = 0;
    let session = owner(&vault);
    session
        .audit(&mut |event| {
            if event.event.action == Action::FailedUnlock {
                refused += event.event.count;
            }
        })
        .unwrap();
    assert_eq!(refused, 3);
    drop(session);
    // They are on the record once, and forgotten.
    let (locked, finished) = vault.lock();
    finished.unwrap();
    assert!(locked.unlock(&password(next), bench.environment()).is_ok());
}

#[test]
fn canary_no_plaintext_in_any_file() {
    let bench = Bench::new();
    let (vault, _) = bench.create();
    let canary = "XKANARIENVOGEL7421";
    let mut draft = note(canary, canary, &format!("{canary} and more"));
    draft.attachments.push(Attachment {
        name: canary.to_owned(),
        media_type: "text/plain".to_owned(),
        content: Arc::new(canary.repeat(2000).into_bytes()),
    });
    let (run, mut importer) = owner(&vault).importer().unwrap();
    importer.take(&draft).unwrap();
    importer.finish(run, &json!({"label": canary})).unwrap();
    assert_eq!(owner(&vault).search(canary, Typing::Done, 10).unwrap().len(), 1);
    let (_locked, finished) = vault.lock();
    finished.unwrap();
    let mut stack = vec![bench.home()];
    let mut files = 0;
    while let Some(path) = stack.pop() {
        if path.is_dir() {
            stack.extend(std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
            continue;
        }
        files += 1;
        let bytes = std::fs::read(&path).unwrap();
        let lower = canary.to_lowercase();
        for marker in [canary.as_bytes(), lower.as_bytes(), PASSWORD.as_bytes()] {
            assert!(!bytes.windows(marker.len()).any(|window| window == marker), "{path:?}");
        }
    }
    assert!(files > 8, "{files} files were looked at");
}

#[test]
fn f_23_a_changed_password_and_a_new_recovery_code_replace_the_old_ones() {
    let bench = Bench::new();
    let (mut vault, kit) = bench.create();
    let cost = Argon2Params::FLOOR;
    let wrong = vault.change_password(&password("wrong"), "new password", cost).unwrap_err();
    assert!(matches!(wrong, VaultError::Secret));
    vault.change_password(&password(PASSWORD), "new password", cost).unwrap();
    let code = vault.renew_recovery_code(&password("new password")).unwrap();
    assert_eq!(vault.slots().len(), 2);
    drop(vault);
    let mut locked = bench.load();
    let gone = [password(PASSWORD), Credential::Recovery(kit.recovery_code.clone())];
    for credential in gone {
        let (back, error) = locked.unlock(&credential, bench.environment()).map(drop).unwrap_err();
        assert!(matches!(error, VaultError::Secret));
        locked = back;
    }
    let vault = locked.unlock(&password("new password"), bench.environment());
    let (locked, finished) = vault.map_err(|(_, e)| e).unwrap().lock();
    finished.unwrap();
    assert!(locked.unlock(&Credential::Recovery(code), bench.environment()).is_ok());
}

#[test]
fn a_mail_in_two_mailboxes_is_one_mail_in_both() {
    let bench = Bench::new();
    let (vault, _) = bench.create();
    let session = owner(&vault);
    let mail = |mailbox: &str| aura_vault::record::Draft {
        kind: Kind::Email,
        category: Kind::Email.category(),
        fields: fields(json!({"subject": "Hello", "mailboxIds": {mailbox: true}})),
        ..note("message-1", "", "")
    };
    let import = || {
        let (run, mut importer) = session.importer().unwrap();
        let outcomes = ["Inbox", "Archive"].map(|mailbox| importer.take(&mail(mailbox)).unwrap());
        importer.finish(run, &json!({})).unwrap();
        outcomes
    };
    let [first, second] = import();
    let Outcome::New(id) = first else { panic!("{first:?}") };
    assert_eq!(second, Outcome::Merged(id));
    assert!(import().iter().all(|outcome| *outcome == Outcome::Unchanged(id)));
    let record = session.get(id).unwrap().unwrap();
    assert_eq!(record.fields["mailboxIds"], json!({"Inbox": true, "Archive": true}));
}

/// Attack IMP-06.
#[test]
fn two_different_things_under_one_id_are_both_kept_and_found_again() {
    let bench = Bench::new();
    let (vault, _) = bench.create();
    let session = owner(&vault);
    let import = || {
        let (run, mut importer) = session.importer().unwrap();
        let drafts = [note("same", "One", "first"), note("same", "Two", "second")];
        let outcomes = drafts.map(|draft| importer.take(&draft).unwrap());
        importer.finish(run, &json!({})).unwrap();
        outcomes
    };
    assert!(import().iter().all(|outcome| matches!(outcome, Outcome::New(_))));
    let hash = session.status().unwrap().state_hash;
    assert!(import().iter().all(|outcome| matches!(outcome, Outcome::Unchanged(_))));
    assert_eq!(session.status().unwrap().state_hash, hash);
}

/// Fault F-10.
#[test]
fn without_device_key_the_recovery_code_makes_a_new_device_and_nothing_is_lost() {
    let bench = Bench::new();
    let (vault, kit) = bench.create();
    let session = owner(&vault);
    let id = session.add(&note("a", "Lisbon flat", "view")).unwrap();
    let hash = session.status().unwrap().state_hash;
    drop(session);
    vault.lock().1.unwrap();
    std::fs::remove_file(bench.home().join("device.key")).unwrap();
    std::fs::remove_file(bench.home().join("transport.key")).unwrap();

    // The password opens the root key, but whoever has it alone does not become a device.
    let (locked, error) =
        bench.load().unlock(&password(PASSWORD), bench.environment()).map(drop).unwrap_err();
    assert!(matches!(error, VaultError::Missing("device.key")), "{error}");
    assert_eq!(locked.roster().devices().len(), 1);

    let recovery = Credential::Recovery(kit.recovery_code.clone());
    let mut vault = locked.unlock(&recovery, bench.environment()).map_err(|(_, e)| e).unwrap();
    let devices = vault.roster().devices();
    assert_eq!(devices.len(), 2);
    assert!(devices.values().all(aura_protocol::authority::Device::is_active));
    let session = owner(&vault);
    assert_eq!(session.status().unwrap().state_hash, hash);
    session.edit(id, &fields(json!({"text": "written by the new device"})), &[]).unwrap();
    assert_eq!(session.history(id).unwrap().len(), 2);
    let report = session.verify(&mut |_| {}).unwrap();
    assert!(report.is_ok(), "{report:?}");
    drop(session);
    // A new kit takes away the slot that confirmed the device; it stays confirmed, in any order of feeds.
    vault.renew_recovery_code(&password(PASSWORD)).unwrap();
    vault.lock().1.unwrap();
    for _ in 0..2 {
        let vault = bench.unlock();
        let session = owner(&vault);
        let record = session.get(id).unwrap().unwrap();
        assert_eq!(record.fields["text"], "written by the new device");
        let report = session.verify(&mut |_| {}).unwrap();
        assert!(report.is_ok(), "{report:?}");
        drop(session);
        vault.lock().1.unwrap();
    }
}

#[test]
fn a_missing_secret_key_is_told_from_a_wrong_password() {
    let bench = Bench::new();
    let (vault, kit) = bench.create();
    vault.lock().1.unwrap();
    std::fs::remove_file(bench.home().join("secret.key")).unwrap();
    let (locked, error) =
        bench.load().unlock(&password(PASSWORD), bench.environment()).map(drop).unwrap_err();
    assert!(matches!(error, VaultError::Missing("secret.key")), "{error}");
    let recovery = Credential::Recovery(kit.recovery_code.clone());
    locked.unlock(&recovery, bench.environment()).map_err(|(_, e)| e).unwrap();
}
