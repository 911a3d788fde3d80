// SPDX-License-Identifier: MIT OR Apache-2.0
//! Taking in drafts that share an origin, and imports that run side by side.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic is a failed test")]

mod support;

use aura_protocol::id::RecordId;
use aura_vault::compact::Resolve;
use aura_vault::gate::GateError;
use aura_vault::intake::{Outcome, Restored};
use aura_vault::record::{Category, Draft, Kind};
use serde_json::json;
use support::snapshots::{pass_days, retention};
use support::{Bench, fields, note, owner};

/// OPS-19: two things under one id are both kept, and each of them once, however often it comes.
#[test]
fn what_is_told_apart_is_told_apart_once() {
    let bench = Bench::new();
    let (vault, _) = bench.create();
    let session = owner(&vault);
    let (one, other) = (note("same", "One", "first"), note("same", "Other", "second"));
    for _ in 0..2 {
        let (run, mut importer) = session.importer().unwrap();
        for draft in [&one, &other, &other, &one, &other] {
            importer.take(draft).unwrap();
        }
        importer.finish(run, &json!({})).unwrap();
        assert_eq!(session.status().unwrap().records, 2);
    }
}

/// OPS-19: of a text that the person changed twice, long ago, only the last one is kept. The import knows all the same
/// that it was the person's, however often old texts have gone.
#[test]
fn what_the_person_changed_stays_when_old_texts_have_gone() {
    let bench = Bench::new();
    let (vault, _) = bench.create();
    let session = owner(&vault);
    let read = |title: &str| {
        let (run, mut importer) = session.importer().unwrap();
        let outcome = importer.take(&note("same", title, "of the source")).unwrap();
        importer.finish(run, &json!({})).unwrap();
        outcome
    };
    let Outcome::New(id) = read("One") else { panic!("it is new") };
    let edit = |text: &str| session.edit(id, &fields(json!({ "text": text })), &[]).unwrap();
    ["once", "twice"].into_iter().for_each(|text| drop(edit(text)));
    for title in ["Other", "One more", "The last"] {
        pass_days(&bench, 60);
        session.compact(&retention(&bench), Resolve::Act).unwrap();
        vault.let_go().unwrap();
        assert!(session.history(id).unwrap().len() <= 3, "an old text or name is gone");
        assert!(matches!(read(title), Outcome::Merged(_)));
        let record = session.get(id).unwrap().unwrap();
        assert_eq!(
            (&record.fields["name"], &record.fields["text"]),
            (&json!(title), &json!("twice"))
        );
    }
}

/// Fault F-33: what was not written is told with what comes after it, and by the end at the latest.
#[test]
fn a_load_that_is_not_written_fails_the_import() {
    let bench = Bench::new();
    let (vault, _) = bench.create_with(Some("the second one"));
    let session = owner(&vault);
    let health =
        Draft { kind: Kind::Observation, category: Category::Health, ..note("h", "H", "pulse") };
    // The lock is shut when the draft waits already.
    let begin = || {
        vault.unlock_second("the second one").unwrap();
        let (run, mut importer) = session.importer().unwrap();
        assert!(matches!(importer.take(&health).unwrap(), Outcome::New(_)));
        vault.lock_second().unwrap();
        (run, importer)
    };
    let (run, importer) = begin();
    assert!(importer.finish(run, &json!({})).is_err());
    let (_, mut importer) = begin();
    let text = "word ".repeat(300_000);
    let failed =
        (0..6).find_map(|id| importer.take(&note(&id.to_string(), "Large", &text)).err()).unwrap();
    assert!(failed.is_fatal());
    drop(importer);
    assert!(session.imports().unwrap().is_empty());
    vault.unlock_second("the second one").unwrap();
    let (run, mut importer) = session.importer().unwrap();
    assert!(matches!(importer.take(&health).unwrap(), Outcome::New(_)));
    importer.finish(run, &json!({})).unwrap();
    assert!(session.verify(&mut |_| {}).unwrap().is_ok());
}

/// Two imports would not see each other's drafts: what both have would be there twice.
#[test]
fn one_import_runs_at_a_time() {
    let bench = Bench::new();
    let (vault, _) = bench.create();
    let session = owner(&vault);
    let (first, mut importer) = session.importer().unwrap();
    assert!(matches!(importer.take(&note("a", "A", "text")).unwrap(), Outcome::New(_)));
    assert!(matches!(owner(&vault).importer(), Err(GateError::Importing)));
    importer.finish(first, &json!({})).unwrap();
    let (second, mut importer) = session.importer().unwrap();
    assert_eq!(second, first + 1);
    assert!(matches!(importer.take(&note("a", "A", "text")).unwrap(), Outcome::Unchanged(_)));
    // One that was stopped is in nobody's way.
    drop(importer);
    assert!(session.importer().is_ok());
    assert_eq!(session.status().unwrap().records, 1);
}

/// OPS-18: of many drafts each is found again by its origin, also when the vault's origins have been read
/// beforehand: what is new is new, what was there is there once.
#[test]
fn many_drafts_are_found_again() {
    const MANY: usize = 1500;
    let bench = Bench::new();
    let (vault, _) = bench.create();
    let session = owner(&vault);
    let import = |from: usize, changed: usize| {
        let (run, mut importer) = session.importer().unwrap();
        let mut outcomes = [0; 3];
        for number in from..from + MANY {
            let text = if number == changed { "other words" } else { "words" };
            let outcome = importer.take(&note(&number.to_string(), "Note", text)).unwrap();
            outcomes[match outcome {
                Outcome::New(_) => 0,
                Outcome::Merged(_) => 1,
                Outcome::Unchanged(_) => 2,
            }] += 1;
        }
        importer.finish(run, &json!({})).unwrap();
        outcomes
    };
    assert_eq!(import(0, usize::MAX), [MANY, 0, 0]);
    assert_eq!(import(0, MANY - 1), [0, 1, MANY - 1]);
    assert_eq!(import(100, MANY - 1), [100, 0, MANY - 100]);
    assert_eq!(session.status().unwrap().records, MANY as u64 + 100);
    assert!(session.verify(&mut |_| {}).unwrap().is_ok());
}

/// The last lines of an archive may be of origins that a draft after it has, too.
#[test]
fn restored_origins_are_known_to_the_same_run() {
    let bench = Bench::new();
    let (vault, _) = bench.create();
    let session = owner(&vault);
    let (run, mut importer) = session.importer().unwrap();
    for number in 0..1200 {
        importer.take(&note(&number.to_string(), "Note", "words")).unwrap();
    }
    let draft = note("restored", "Note", "words");
    importer.restore(&restored(&draft)).unwrap();
    assert!(matches!(importer.take(&draft).unwrap(), Outcome::Merged(_) | Outcome::Unchanged(_)));
    importer.finish(run, &json!({})).unwrap();
    assert_eq!(session.status().unwrap().records, 1201);
}

fn restored(draft: &Draft) -> Restored {
    Restored {
        id: RecordId([7; 16]),
        kind: draft.kind,
        category: draft.category,
        time_ms: draft.time_ms,
        fields: draft.fields.clone(),
        source: Some(draft.source.to_owned()),
        source_id: draft.source_id.clone(),
        content: Some("0".repeat(32)),
        attachments: Vec::new(),
    }
}
