// SPDX-License-Identifier: MIT OR Apache-2.0
//! Taking in drafts that share an origin, and imports that run side by side.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic is a failed test")]

mod support;

use aura_vault::gate::GateError;
use aura_vault::intake::Outcome;
use aura_vault::record::{Category, Draft, Kind};
use serde_json::json;
use support::{Bench, note, owner};

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

/// F-33: what was not written is told with what comes after it, and by the end at the latest.
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
