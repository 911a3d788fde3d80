// SPDX-License-Identifier: MIT OR Apache-2.0
//! The vault's own vectors: one case a file, made here, judged here, kept in `vectors/`.
//!
//! With `AURA_WRITE_VECTORS=1` the files are written anew; without it they must be what would be
//! written, no more and no fewer. A reader of another make needs the files and `spec/` alone.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a panic is a failed test"
)]

mod sample;

mod judge;

mod attachment;
mod audit;
mod directory;
mod keyring;
mod ops;
mod record;

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::{Value, json};

/// A case: its file's name begins with the rule it shows.
pub(crate) struct Case {
    name: &'static str,
    note: &'static str,
    what: &'static str,
    input: Value,
    is_accepted: bool,
}

impl Case {
    pub(crate) fn accepted(what: &'static str, name: &'static str, note: &'static str) -> Self {
        Self { name, note, what, input: Value::Null, is_accepted: true }
    }

    pub(crate) fn refused(what: &'static str, name: &'static str, note: &'static str) -> Self {
        Self { is_accepted: false, ..Self::accepted(what, name, note) }
    }

    pub(crate) fn of(self, input: Value) -> Self {
        Self { input, ..self }
    }

    fn to_json(&self) -> Value {
        let judgement = judge::judge(self.what, &self.input);
        assert_eq!(judgement.is_ok(), self.is_accepted, "{}: {judgement:?}", self.name);
        let (key, value) = match judgement {
            Ok(value) => ("value", value),
            Err(error) => ("error", Value::String(error)),
        };
        json!({
            "rule": self.name.split_once('_').unwrap().0,
            "note": self.note,
            "what": self.what,
            "input": self.input,
            "accepted": self.is_accepted,
            key: value,
        })
    }
}

fn kept(folder: &str, cases: &[Case]) {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../vectors").join(folder);
    let made: BTreeMap<String, Value> =
        cases.iter().map(|case| (format!("{}.json", case.name), case.to_json())).collect();
    assert_eq!(made.len(), cases.len(), "two cases have one name");
    if std::env::var_os("AURA_WRITE_VECTORS").is_some() {
        std::fs::create_dir_all(&folder).unwrap();
        for (name, value) in &made {
            let text = format!("{}\n", serde_json::to_string_pretty(value).unwrap());
            std::fs::write(folder.join(name), text).unwrap();
        }
    }
    let mut found = BTreeMap::new();
    for file in std::fs::read_dir(&folder).unwrap() {
        let path = file.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let value: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        found.insert(name, value);
    }
    for (name, value) in &made {
        assert_eq!(found.get(name), Some(value), "{name}");
    }
    let strays: Vec<_> = found.keys().filter(|name| !made.contains_key(*name)).collect();
    assert!(strays.is_empty(), "made by no case: {strays:?}");
}

#[test]
fn directory_vectors_are_kept() {
    kept("vault-directory", &directory::cases());
}

#[test]
fn ops_vectors_are_kept() {
    kept("ops", &ops::cases());
}

#[test]
fn record_vectors_are_kept() {
    kept("record", &record::cases());
}

#[test]
fn attachment_vectors_are_kept() {
    kept("attachment", &attachment::cases());
}

#[test]
fn keyring_vectors_are_kept() {
    kept("keyring", &keyring::cases());
}

#[test]
fn audit_event_vectors_are_kept() {
    kept("audit-events", &audit::cases());
}
