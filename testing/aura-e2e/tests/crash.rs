// SPDX-License-Identifier: MIT OR Apache-2.0
//! `kill -9` at random moments: what was acknowledged is there and findable, and everything verifies.
//!
//! Rounds: 10, or as many as `AURA_CRASH_ROUNDS` says. The seed is printed; `AURA_CRASH_SEED` repeats a
//! run as far as scheduling lets it.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic is a failed test")]

use std::collections::BTreeMap;
use std::env;
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::ops::Range;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use aura_e2e::{Done, Person};
use aura_testkit::seed::Seed;

const NOTES: u64 = 1500;
/// Rounds of imports before another vault is begun.
const ROUNDS_A_VAULT: usize = 20;

fn number(name: &str) -> Option<u64> {
    env::var(name).ok()?.parse().ok()
}

/// Rounds to run, and where moments come from.
struct Fate(Seed);

impl Fate {
    fn new() -> (Self, u64) {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let seed = number("AURA_CRASH_SEED").unwrap_or(since.as_secs());
        // The test runner shows it when a test fails.
        writeln!(std::io::stderr(), "AURA_CRASH_SEED={seed}").ok();
        (Self(Seed::new(seed)), number("AURA_CRASH_ROUNDS").unwrap_or(10))
    }

    fn moment(&mut self, max_ms: u64) -> Duration {
        Duration::from_micros(self.0.below(max_ms * 1000))
    }
}

fn assert_whole(nora: &Person) {
    let verdict = nora.asks(["verify"]);
    assert_eq!(verdict["ok"], true, "{verdict}");
}

/// What a record was last acknowledged to say, and what may or may not have been written since.
struct Known {
    text: String,
    perhaps: Option<String>,
    round: u64,
}

impl Known {
    /// What was acknowledged is there, in the record and in the index.
    fn check(&mut self, nora: &Person, id: &str) {
        let record = nora.asks(["get", id]);
        let found = record["fields"]["text"].as_str().unwrap().to_owned();
        let is_known = found == self.text || self.perhaps.as_ref() == Some(&found);
        assert!(is_known, "{id}: {found} is neither {} nor {:?}", self.text, self.perhaps);
        let hits = nora.lists(["search", &found]);
        assert!(hits.iter().any(|hit| hit["id"] == id), "{id}: {found} is not found");
        (self.text, self.perhaps) = (found, None);
    }
}

#[test]
fn killed_while_it_adds_and_edits() {
    let nora = Person::new();
    let (mut fate, rounds) = Fate::new();
    let mut known: BTreeMap<String, Known> = BTreeMap::new();
    for round in 0..rounds {
        let moment = fate.moment(120);
        thread::scope(|scope| {
            let killer = scope.spawn(|| {
                thread::sleep(moment);
                nora.kills_daemon();
            });
            let mut step = 0;
            while !killer.is_finished() {
                step += 1;
                let text = format!("word{round}x{step}");
                if step % 7 == 6 {
                    // The index is committed and both logs are copied back: the kill may come then, too.
                    nora.types(["lock"]);
                } else if step % 3 == 0
                    && let Some((id, last)) = known.iter_mut().next_back()
                {
                    let done = nora.types(["edit", id, &format!("text={text}")]);
                    let (text, perhaps) = match done.code {
                        0 => (text, None),
                        _ => (last.text.clone(), Some(text)),
                    };
                    *last = Known { text, perhaps, round };
                } else if let Some(id) = nora.adds(&format!("title {round} {step}"), &text) {
                    known.insert(id, Known { text, perhaps: None, round });
                }
            }
        });
        assert_whole(&nora);
        for (id, known) in known.iter_mut().filter(|(_, known)| known.round == round) {
            known.check(&nora, id);
        }
    }
    for (id, known) in &mut known {
        known.check(&nora, id);
    }
}

/// Notes of a round, as a file of JSON Lines.
fn notes(nora: &Person, round: u64) -> PathBuf {
    let mut lines = String::new();
    for note in 0..NOTES {
        writeln!(
            lines,
            "{{\"kind\":\"note\",\"id\":\"{round}-{note}\",\"time\":\"2026-01-01T00:00:00Z\",\
             \"fields\":{{\"name\":\"Note {note}\",\"text\":\"word{round}x{note} of many\"}}}}"
        )
        .unwrap();
    }
    let file = nora.path(&format!("{round}.jsonl"));
    fs::write(&file, lines).unwrap();
    file
}

#[test]
fn killed_while_it_imports() {
    let (mut fate, rounds) = Fate::new();
    for first in (0..rounds).step_by(ROUNDS_A_VAULT) {
        let last = rounds.min(first + ROUNDS_A_VAULT as u64);
        import_and_kill(first..last, &mut fate);
    }
}

/// Rounds in one vault, each verified; what verifying costs grows with every round.
fn import_and_kill(rounds: Range<u64>, fate: &mut Fate) {
    let nora = Person::new();
    // One that nobody disturbs tells how long they take here.
    let path = notes(&nora, u64::MAX);
    let start = Instant::now();
    nora.does(["import", path.to_str().unwrap()]);
    let usual_ms = u64::try_from(start.elapsed().as_millis()).unwrap();
    let mut expected = NOTES;
    for round in rounds {
        let file = notes(&nora, round);
        let path = file.to_str().unwrap();
        nora.does(["unlock"]);
        let import = nora.starts(["--json", "import", path]);
        thread::sleep(fate.moment(usual_ms + usual_ms / 8 + 1));
        nora.kills_daemon();
        let done = Done::of(&import.wait_with_output().unwrap());
        if done.code == 0 {
            assert_eq!(done.json()["new"], NOTES, "{done:?}");
            assert_eq!(nora.asks(["status"])["records"], expected + NOTES, "acknowledged and gone");
        } else {
            assert_eq!(done.code, 6, "{done:?}");
        }
        // What came in before the kill is whole, as it is.
        assert_whole(&nora);
        let so_far = nora.asks(["status"])["records"].as_u64().unwrap() - expected;
        // Running it again goes on where it stopped: nothing twice, nothing missing.
        let again = nora.asks(["import", path]);
        assert_eq!(again["unchanged"], so_far, "round {round}: {again}");
        assert_eq!(again["new"], NOTES - so_far, "round {round}: {again}");
        expected += NOTES;
        assert_eq!(nora.asks(["status"])["records"], expected, "round {round}");
        let picks: Vec<u64> = (0..6).map(|_| fate.0.below(NOTES)).collect();
        let edges = [0, NOTES - 1, so_far.saturating_sub(1), so_far.min(NOTES - 1)];
        for note in picks.into_iter().chain(edges) {
            let word = format!("word{round}x{note}");
            assert_eq!(nora.lists(["search", &word]).len(), 1, "round {round}: {word}");
        }
    }
    assert_whole(&nora);
}

/// Fault F-23 of the second lock: a kill leaves no lock or one, the old second password or the new one, and
/// everything that was there.
#[test]
fn killed_while_the_second_lock_is_made_or_changed() {
    let nora = Person::new();
    let (mut fate, rounds) = Fate::new();
    nora.does(["add", "observation", "--title", "Pulse", "--text", "seventy"]);
    nora.adds("Plain", "text").unwrap();
    let state = nora.state();
    let mut kill_during = |args: &[&str]| {
        let moment = fate.moment(2500);
        let child = nora.starts(args);
        thread::sleep(moment);
        nora.kills_daemon();
        drop(child.wait_with_output());
    };
    let set = ["--second-password-file", "second", "second", "set"];
    for _ in 0..rounds {
        kill_during(&set);
        nora.does(["unlock"]);
        if nora.asks(["status"])["second_lock"] == true {
            break;
        }
        assert_eq!(nora.state(), state);
    }
    if nora.asks(["status"])["second_lock"] == false {
        nora.does(set);
    }
    let passwords = ["second", "second-2"];
    fs::write(nora.path("second-2"), "another second password").unwrap();
    let mut at = 0;
    for _ in 0..rounds {
        let (old, new) = (passwords[at % 2], passwords[(at + 1) % 2]);
        let change = ["second", "passwd", "--new-password-file", new];
        kill_during(&[&["--second-password-file", old][..], &change].concat());
        if nora.types(["--second-password-file", old, "unlock", "--second"]).code != 0 {
            nora.does(["--second-password-file", new, "unlock", "--second"]);
            at += 1;
        }
        assert_eq!(nora.state(), state);
        assert_eq!(nora.lists(["search", "seventy"]).len(), 1);
    }
    assert_whole(&nora);
}
