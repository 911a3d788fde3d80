// SPDX-License-Identifier: MIT OR Apache-2.0
//! The project's own vectors: one case a file, made by a test, judged by it, kept in `vectors/`.
//!
//! With `AURA_WRITE_VECTORS=1` the files are written anew; without it they must be what would be
//! written, no more and no fewer. A reader of another make needs the files and `spec/` alone.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::{Value, json};

/// What the implementation makes of an input: a value, or why it refuses.
pub type Judgement = Result<Value, String>;

/// A case: its file's name begins with the rule it shows.
pub struct Case {
    what: &'static str,
    name: &'static str,
    note: &'static str,
    input: Value,
    is_accepted: bool,
}

impl Case {
    /// An input of this kind that must be accepted.
    pub fn accepted(what: &'static str, name: &'static str, note: &'static str) -> Self {
        Self { what, name, note, input: Value::Null, is_accepted: true }
    }

    /// An input of this kind that must be refused.
    pub fn refused(what: &'static str, name: &'static str, note: &'static str) -> Self {
        Self { is_accepted: false, ..Self::accepted(what, name, note) }
    }

    /// With this input.
    #[must_use]
    pub fn of(self, input: Value) -> Self {
        Self { input, ..self }
    }

    fn to_json(&self, judge: fn(&str, &Value) -> Judgement) -> Value {
        let judgement = judge(self.what, &self.input);
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

/// The cases are judged as they say, and are what this folder of `vectors/` holds.
pub fn kept(folder: &str, cases: &[Case], judge: fn(&str, &Value) -> Judgement) {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../vectors").join(folder);
    let made: BTreeMap<String, Value> =
        cases.iter().map(|case| (format!("{}.json", case.name), case.to_json(judge))).collect();
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
