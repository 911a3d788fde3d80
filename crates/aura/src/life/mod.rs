// SPDX-License-Identifier: MIT OR Apache-2.0
//! A sample life as foreign export files, for `aura demo` to import like anybody's own.
//!
//! Ten years of one made-up person: Nora Velbrück, an acoustician who leaves Berlin for Paris and
//! Paris for a flat in Lisbon. Everything follows from one fixed seed, so two runs are equal byte
//! for byte. Names are invented, domains and telephone numbers are reserved for such use.

use std::collections::BTreeMap;
use std::path::Path;
use std::{fs, io};

mod date;
mod agenda;
mod people;
mod random;
mod calendar;
mod charset;
mod talk;
mod chat;
mod fact;
mod letter;
mod login;
mod paper;
mod post;
mod mail;
mod note_home;
mod note_world;
mod note;
mod stream;

use random::Dice;

const SEED: u64 = 0x0a11_fe20_1620_2600;

/// What was written, by the word of each kind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Summary {
    /// How many records of each kind an import should find.
    pub(crate) by_kind: BTreeMap<&'static str, usize>,
}

impl Summary {
    /// How many records there are in all.
    pub(crate) fn total(&self) -> usize {
        self.by_kind.values().sum()
    }

    fn add(&mut self, kind: &'static str, count: usize) {
        *self.by_kind.entry(kind).or_default() += count;
    }
}

/// The summary while it is being counted.
type Tally = Summary;

/// Writes the sample life into `folder`, which is made when it is missing.
///
/// # Errors
/// When a file or folder cannot be written; what has been written until then stays.
pub(crate) fn write(folder: &Path) -> io::Result<Summary> {
    fs::create_dir_all(folder)?;
    let mut tally = Tally::default();
    let mut dice = Dice::new(SEED);
    note::write(folder, &mut dice, &mut tally)?;
    mail::write(folder, &mut dice, &mut tally)?;
    calendar::write(folder, &mut dice, &mut tally)?;
    let (cards, count) = people::cards();
    fs::write(folder.join("contacts.vcf"), cards)?;
    tally.add("contact", count);
    chat::write(folder, &mut tally)?;
    login::write(folder, &mut dice, &mut tally)?;
    stream::write(folder, &mut dice, &mut tally)?;
    Ok(tally)
}

/// Five searches that show the sample life, and the product, from different sides.
pub(crate) fn searches() -> &'static [&'static str] {
    &[
        "lisbon flat",
        "lisbon flat after:2025-03 category:mail",
        "ferritin",
        "Umzug Rechnung",
        "京都",
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    const KINDS: [&str; 15] = [
        "bookmark",
        "contact",
        "conversation",
        "email",
        "event",
        "file",
        "login",
        "memory",
        "message",
        "note",
        "observation",
        "person",
        "place",
        "task",
        "transaction",
    ];

    fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
        let mut found = BTreeMap::new();
        let mut open = vec![folder.to_owned()];
        while let Some(path) = open.pop() {
            for entry in fs::read_dir(path).unwrap().map(Result::unwrap) {
                if entry.file_type().unwrap().is_dir() {
                    open.push(entry.path());
                } else {
                    let name = entry.path().strip_prefix(folder).unwrap().display().to_string();
                    found.insert(name, fs::read(entry.path()).unwrap());
                }
            }
        }
        found
    }

    fn extension(name: &str) -> &str {
        name.rsplit('.').next().unwrap()
    }

    fn written(name: &str) -> (Summary, BTreeMap<String, Vec<u8>>) {
        let folder = std::env::temp_dir().join(format!("life-{name}-{}", std::process::id()));
        let summary = write(&folder).unwrap();
        let found = files(&folder);
        fs::remove_dir_all(&folder).unwrap();
        (summary, found)
    }

    #[test]
    fn two_runs_are_equal() {
        assert_eq!(written("first"), written("second"));
    }

    #[test]
    fn about_two_thousand_records_of_every_kind() {
        let (summary, found) = written("count");
        assert!((1_850..=2_250).contains(&summary.total()), "{summary:?}");
        assert_eq!(summary.by_kind.keys().copied().collect::<Vec<_>>(), KINDS);
        let count = |name: &str, mark: &str| {
            String::from_utf8_lossy(&found[name])
                .split('\n')
                .filter(|line| line.starts_with(mark))
                .count()
        };
        assert_eq!(count("mail.mbox", "From "), summary.by_kind["email"]);
        assert_eq!(count("calendar.ics", "BEGIN:VEVENT"), summary.by_kind["event"] + 1);
        assert_eq!(count("calendar.ics", "BEGIN:VTODO"), summary.by_kind["task"]);
        assert_eq!(count("contacts.vcf", "BEGIN:VCARD"), summary.by_kind["contact"]);
        assert_eq!(count("health.jsonl", "{"), summary.by_kind["observation"]);
        let notes = found.keys().filter(|name| extension(name) == "md").count();
        assert_eq!(notes, summary.by_kind["note"]);
    }

    #[test]
    fn every_json_file_is_json() {
        for (name, bytes) in written("json").1 {
            if extension(&name) == "json" {
                serde_json::from_slice::<serde_json::Value>(&bytes).unwrap();
            } else if extension(&name) == "jsonl" {
                for line in bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
                    let row: serde_json::Value = serde_json::from_slice(line).unwrap();
                    assert!(row["kind"].is_string() && row["id"].is_string());
                    assert!(row["time"].is_string() && row["fields"].is_object());
                }
            }
        }
    }

    #[test]
    fn the_flat_is_found_in_many_places() {
        let found = written("flat").1;
        let holds = |name: &str| {
            String::from_utf8_lossy(&found[name]).to_lowercase().contains("lisbon flat")
        };
        for name in ["mail.mbox", "calendar.ics", "memories.jsonl", "finance.jsonl"] {
            assert!(holds(name), "{name}");
        }
        assert!(holds("Notes/Home/Lisbon flat – decision.md"));
        assert!(holds("chatgpt/conversations.json") && holds("claude/conversations.json"));
        assert_eq!(searches().len(), 5);
    }
}
