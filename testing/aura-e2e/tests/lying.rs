// SPDX-License-Identifier: MIT OR Apache-2.0
//! A disk that says it has written and has not (F-03): any mixture of older and newer files of the vault
//! opens, shows one moment's state and no other, and says so if it went back.
//!
//! Such a disk loses what came last, of each file by itself. The folder is copied after every change,
//! and put together again from copies of different moments.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic is a failed test")]

use std::fs;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;

use aura_e2e::Person;

/// Changes, each followed by a copy.
const MOMENTS: usize = 6;

fn copy(from: &Path, to: &Path) {
    fs::DirBuilder::new().mode(0o700).recursive(true).create(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let kind = entry.file_type().unwrap();
        let target = to.join(entry.file_name());
        if kind.is_dir() {
            copy(&entry.path(), &target);
        } else if kind.is_file() {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// A vault's folder and state after each change.
struct Past {
    nora: Person,
    states: Vec<String>,
}

impl Past {
    fn new() -> Self {
        let nora = Person::new();
        let mut states = Vec::new();
        for moment in 0..MOMENTS {
            let id = nora.adds(&format!("note {moment}"), &format!("word{moment}")).unwrap();
            if moment % 2 == 1 {
                nora.does(["edit", &id, "keywords=[\"changed\"]"]);
            }
            states.push(nora.state());
            copy(&nora.home(), &nora.path(&format!("copy/{moment}")));
        }
        nora.kills_daemon();
        Self { nora, states }
    }

    /// Puts the folder together: the log of one moment, and what is made from it of another.
    fn mix(&self, log: usize, views: usize) {
        let home = self.nora.home();
        self.nora.kills_daemon();
        fs::remove_dir_all(&home).unwrap();
        copy(&self.nora.path(&format!("copy/{log}")), &home);
        fs::remove_dir_all(home.join("views")).unwrap();
        copy(&self.nora.path(&format!("copy/{views}/views")), &home.join("views"));
    }
}

/// The log decides; what is made from it follows, whether it was ahead or behind.
#[test]
fn f_03_views_of_another_moment_than_the_log() {
    let past = Past::new();
    for log in 0..MOMENTS {
        for views in [0, MOMENTS / 2, MOMENTS - 1] {
            past.mix(log, views);
            let nora = &past.nora;
            let at = format!("log of {log}, views of {views}");
            assert_eq!(nora.state(), past.states[log], "{at}");
            for moment in 0..MOMENTS {
                let hits = nora.lists(["search", &format!("word{moment}")]).len();
                assert_eq!(hits, usize::from(moment <= log), "{at}: word{moment}");
            }
            let verdict = nora.asks(["verify"]);
            assert_eq!(verdict["ok"], true, "{at}: {verdict}");
            let events = nora.lists(["audit", "show"]);
            let is_said = events.iter().any(|event| event["action"] == "anomaly");
            assert_eq!(is_said, views > log, "{at}");
            // It goes on from there.
            nora.adds("after", "afterwards").unwrap();
            assert_eq!(nora.lists(["search", "afterwards"]).len(), 1, "{at}");
            assert_eq!(nora.asks(["verify"])["ok"], true, "{at}");
        }
    }
}

/// The log's own files of different moments: a state that was, whole, or a refusal that names it.
#[test]
fn f_03_a_log_that_lost_what_came_last_of_one_file() {
    let past = Past::new();
    let nora = &past.nora;
    for database in 0..MOMENTS {
        for wal in [0, database.saturating_sub(1), (database + 1).min(MOMENTS - 1), MOMENTS - 1] {
            past.mix(database, database);
            // What was seen is written by the minute, so it would tell of this or not by chance; it has tests
            // of its own.
            drop(fs::remove_file(nora.home().join("seen")));
            let name = "store/store.db-wal";
            let from = nora.path(&format!("copy/{wal}")).join(name);
            drop(fs::remove_file(nora.home().join(name)));
            if from.exists() {
                fs::copy(from, nora.home().join(name)).unwrap();
            }
            let at = format!("database of {database}, its log of {wal}");
            let done = nora.types(["--json", "status"]);
            if done.code != 0 {
                assert!(!done.err.is_empty(), "{at}: {done:?}");
                continue;
            }
            let state = done.json()["state_hash"].as_str().unwrap().to_owned();
            assert!(past.states.contains(&state), "{at}: a state that never was");
            assert_eq!(nora.asks(["verify"])["ok"], true, "{at}");
        }
    }
}
