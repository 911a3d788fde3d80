// SPDX-License-Identifier: MIT OR Apache-2.0
//! The second lock through the real program: made, shut, opened, changed, and silent while it is shut.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic is a failed test")]

use std::fs;
use std::thread::sleep;
use std::time::Duration;

use aura_e2e::{Done, PASSWORD, Person, SECOND};
use serde_json::{Value, json};

/// Only in what is behind the second lock.
const WORDS: [&str; 4] = ["ocelottitle", "ocelottext", "ocelotbank", "ocelotfile"];

fn assert_silent(done: &Done) {
    for word in WORDS {
        assert!(!done.out.contains(word) && !done.err.contains(word), "{word} in {done:?}");
    }
}

/// With the second password at hand.
fn second<'a>(args: &[&'a str]) -> Vec<&'a str> {
    [&["--second-password-file", "second"], args].concat()
}

/// Some of everything: two records behind the second lock, one with a file, and one in front of it.
fn fill(nora: &Person) -> (String, String) {
    fs::write(nora.path("ocelotfile.txt"), "ocelottext ".repeat(2000)).unwrap();
    let args = ["add", "observation", "--title", "ocelottitle common", "--text", "ocelottext"];
    let health = nora.asks([&args[..], &["--file", "ocelotfile.txt"]].concat());
    let login = nora.asks(["add", "login", "--title", "ocelotbank common"]);
    nora.adds("Plain", "common").unwrap();
    let id = |record: &Value| record["id"].as_str().unwrap().to_owned();
    (id(&health), id(&login))
}

/// An export that lacks what is behind the lock does not take the place of one that has it.
#[test]
fn a_poorer_export_never_replaces_a_fuller_one() {
    let nora = Person::with_second_lock();
    fill(&nora);
    let shapes = [("--all", "out", "out/manifest.json"), ("--archive", "out.aura", "out.aura")];
    for (shape, to, _) in shapes {
        nora.does(["export", shape, to]);
    }
    nora.does(["lock", "--second"]);
    for (shape, to, file) in shapes {
        let before = fs::read(nora.path(file)).unwrap();
        let refused = nora.types(["export", shape, to]);
        assert_eq!(refused.code, 3, "{refused:?}");
        assert!(refused.err.contains("health and credentials"), "{refused:?}");
        assert!(refused.err.contains("aura unlock --second"), "{refused:?}");
        assert_eq!(fs::read(nora.path(file)).unwrap(), before);
        // In another place it is said what is missing, and the same may be written there again.
        let other = format!("other-{to}");
        for _ in 0..2 {
            assert_eq!(nora.types(["export", shape, &other]).code, 7);
        }
    }
}

#[test]
fn while_it_is_shut_nothing_speaks_of_what_is_behind_it() {
    let nora = Person::with_second_lock();
    let (health, login) = fill(&nora);
    let before = nora.asks(["status"]);
    assert_eq!((&before["second_lock"], &before["second_lock_open"]), (&json!(true), &json!(true)));
    assert_eq!(before["by_category"], json!({"credentials": 1, "health": 1, "notes": 1}));
    assert_eq!(nora.lists(["search", "common"]).len(), 3);

    assert_eq!(nora.asks(["lock", "--second"]), json!({"second_locked": true}));
    let shut = nora.asks(["status"]);
    assert_eq!((&shut["locked"], &shut["second_lock_open"]), (&json!(false), &json!(false)));
    assert_eq!(shut["by_category"], json!({"credentials": null, "health": null, "notes": 1}));
    assert_eq!((&shut["state_hash"], &shut["waiting"]), (&Value::Null, &json!(2)));
    assert_eq!(shut["category_hashes"]["health"], Value::Null);
    for (args, code) in [
        (vec!["search", "common"], 0),
        (vec!["search", "ocelot"], 0),
        (vec!["search", "category:health"], 0),
        (vec!["--json", "search", "common"], 0),
        (vec!["get", &health], 1),
        (vec!["history", &login], 1),
        (vec!["edit", &health, "text=x"], 1),
        (vec!["rm", &login], 1),
        (vec!["undo", &health], 1),
        (vec!["trash"], 0),
        (vec!["add", "observation", "--title", "new"], 3),
        (vec!["add", "note", "--category", "health", "--title", "new"], 3),
        (vec!["status"], 0),
        (vec!["audit", "show"], 0),
        (vec!["--json", "audit", "show"], 0),
        (vec!["audit", "verify"], 0),
        (vec!["verify"], 0),
        (vec!["verify", "--rebuild"], 0),
        (vec!["export", "--all", "out"], 7),
        (vec!["export", "--archive", "out.jsonl"], 7),
    ] {
        let done = nora.types(&args);
        assert_eq!(done.code, code, "{args:?}: {done:?}");
        assert_silent(&done);
    }
    assert_eq!(nora.lists(["search", "common"]).len(), 1);
    let told = nora.types(["add", "observation", "--title", "new"]);
    assert!(told.err.contains("aura unlock --second"), "{told:?}");
    let exported = fs::read_to_string(nora.path("out.jsonl")).unwrap();
    assert!(WORDS.iter().all(|word| !exported.contains(word)));
    assert!(exported.contains("\"missing\":[\"health\",\"credentials\"]"), "{exported}");
    let manifest: Value =
        serde_json::from_slice(&fs::read(nora.path("out/manifest.json")).unwrap()).unwrap();
    assert_eq!(manifest["missing"], json!(["health", "credentials"]));

    assert_eq!(nora.asks(second(&["unlock", "--second"]))["second_locked"], false);
    let after = nora.asks(["status"]);
    assert_eq!(after["state_hash"], before["state_hash"]);
    assert_eq!(nora.lists(["search", "common"]).len(), 3);
    nora.does(["get", &health, "--attachment", "ocelotfile.txt", "--out", "again.txt"]);
    assert_eq!(fs::read(nora.path("again.txt")).unwrap().len(), 22_000);
    nora.does(["verify"]);
}

#[test]
fn nothing_of_it_is_readable_on_the_disk() {
    let nora = Person::with_second_lock();
    let (health, _) = fill(&nora);
    nora.does(["edit", &health, "text=ocelottext again"]);
    nora.does(["search", "ocelottext"]);
    nora.does(["lock", "--second"]);
    nora.types(["search", "ocelottext"]);
    nora.does(second(&["unlock", "--second"]));
    nora.does(["lock", "--stop"]);
    let files = nora.files();
    assert!(files.iter().any(|(path, _)| path.ends_with("views/second.db")));
    for (path, bytes) in files {
        for word in WORDS.iter().chain(&[PASSWORD, SECOND]) {
            let is_there = bytes.windows(word.len()).any(|window| window == word.as_bytes());
            assert!(!is_there, "{word} in {}", path.display());
        }
    }
}

#[test]
fn wrong_second_passwords_are_counted_and_wait() {
    let nora = Person::with_second_lock();
    fill(&nora);
    nora.does(["lock"]);
    fs::write(nora.path("wrong"), "not this one").unwrap();
    let tries = || nora.types(["--second-password-file", "wrong", "unlock", "--second"]);
    let mut told: Vec<Done> = Vec::new();
    // Each wait is twice the last: soon one is longer than a try takes.
    while told.len() < 8 && !told.last().is_some_and(|done| done.err.contains("too many")) {
        told.push(tries());
    }
    let refused = told.pop().unwrap();
    assert!(refused.code == 3 && refused.err.contains("too many"), "{refused:?}");
    assert!(told.len() >= 3 && told.iter().all(|done| done.code == 3), "{told:?}");
    assert!(told.iter().all(|done| done.err == told[0].err), "{told:?}");
    assert_eq!(nora.asks(["status"])["wait_ms"], 0);
    let failed = nora.lists(["audit", "show"]);
    let failed = failed.iter().filter(|event| event["action"] == "failed-unlock-second");
    assert_eq!(failed.count(), told.len());
    // The first lock is not slower for it, and the recovery code does not open the second.
    nora.does(["lock"]);
    let kit = fs::read_to_string(nora.path("kit.txt")).unwrap();
    let code = kit.lines().skip_while(|line| !line.starts_with("Recovery")).nth(1).unwrap();
    fs::write(nora.path("code"), code.trim()).unwrap();
    let recovered = nora.tries(["--password-file", "code", "unlock", "--recovery"]);
    assert_eq!(recovered.code, 0, "{recovered:?}");
    assert_eq!(nora.asks(["status"])["second_lock_open"], false);
    let opens = |_| {
        sleep(Duration::from_millis(500));
        nora.types(second(&["unlock", "--second"])).code == 0
    };
    assert!((0..120).any(opens), "the wait ends");
}

#[test]
fn an_import_says_what_waits_and_takes_it_in_when_it_is_open() {
    let nora = Person::with_second_lock();
    let items: Vec<Value> = (0..5)
        .map(|n| json!({"id": format!("ocelot{n}"), "type": 1, "name": "ocelotbank", "login": {"username": "nora"}}))
        .collect();
    let logins = json!({"encrypted": false, "folders": [], "items": items});
    fs::write(nora.path("logins.json"), logins.to_string()).unwrap();
    fs::write(nora.path("people.vcf"), "BEGIN:VCARD\r\nVERSION:4.0\r\nFN:Ada\r\nEND:VCARD\r\n")
        .unwrap();
    nora.does(["lock", "--second"]);
    let done = nora.types(["--json", "import", "logins.json", "people.vcf"]);
    assert_eq!(done.code, 7, "{done:?}");
    assert_silent(&done);
    let ledger = done.json();
    assert_eq!(
        (&ledger["new"], &ledger["skipped"], &ledger["second_lock"]),
        (&json!(1), &json!(5), &json!(5))
    );
    let reason = &ledger["reasons"][0];
    assert!(reason["reason"].as_str().unwrap().contains("second lock"), "{ledger}");
    assert_eq!((&reason["count"], &reason["places"]), (&json!(5), &json!([])));
    let told = nora.types(["import", "show"]);
    assert!(told.out.contains("aura unlock --second"), "{told:?}");
    assert_silent(&told);

    let again = nora.does(second(&["--json", "import", "logins.json", "people.vcf"])).json();
    assert_eq!(
        (&again["new"], &again["unchanged"], &again["skipped"]),
        (&json!(5), &json!(1), &json!(0))
    );
    nora.does(["export", "--archive", "all.jsonl"]);
    let state = nora.state();

    // The archive comes back to the same state in another vault with a second lock, once that is open.
    let ada = Person::with_second_lock();
    fs::copy(nora.path("all.jsonl"), ada.path("all.jsonl")).unwrap();
    ada.does(["lock", "--second"]);
    let shut = ada.types(["--json", "import", "all.jsonl"]);
    assert_eq!((shut.code, &shut.json()["second_lock"]), (7, &json!(5)));
    ada.does(second(&["import", "all.jsonl"]));
    assert_eq!(ada.state(), state);
}

#[test]
fn it_shuts_itself_sooner_than_the_vault() {
    let nora = Person::with_second_lock();
    fill(&nora);
    nora.does(["lock", "--stop"]);
    let short = [&["--second-idle", "1s"], &second(&["unlock", "--second"])[..]].concat();
    nora.does(short);
    assert_eq!(nora.asks(["status"])["second_idle_lock_seconds"], 1);
    let mut is_open = true;
    for _ in 0..100 {
        sleep(Duration::from_millis(100));
        // What is not behind the lock does not keep it open.
        nora.does(["search", "Plain"]);
        is_open = nora.asks(["status"])["second_lock_open"] == true;
        if !is_open {
            break;
        }
    }
    assert!(!is_open, "still open");
    assert_eq!(nora.asks(["status"])["locked"], false);
    assert_eq!(nora.lists(["search", "common"]).len(), 1);
}

#[test]
fn it_can_be_made_later_and_its_password_changed() {
    let nora = Person::new();
    let (health, _) = fill(&nora);
    assert_eq!(nora.asks(["status"])["second_lock"], false);
    let none = nora.types(second(&["unlock", "--second"]));
    assert_eq!(none.code, 2, "{none:?}");
    let before = nora.state();
    fs::copy(nora.path("password"), nora.path("same")).unwrap();
    let same = nora.types(["--second-password-file", "same", "second", "set"]);
    assert_eq!(same.code, 2, "{same:?}");
    let set = nora.does(second(&["second", "set"]));
    assert!(set.out.contains("still in the log"), "{set:?}");
    assert_eq!(nora.state(), before);
    nora.does(["lock", "--second"]);
    assert_eq!(nora.lists(["search", "common"]).len(), 1);
    assert_eq!(nora.types(["get", &health]).code, 1);
    assert_eq!(nora.types(second(&["second", "set"])).code, 2);

    fs::write(nora.path("later"), "a later second password").unwrap();
    nora.does(second(&["second", "passwd", "--new-password-file", "later"]));
    nora.does(["lock", "--stop"]);
    assert_eq!(nora.types(second(&["search", "common"])).code, 3, "the old one");
    let found = nora.lists(["--second-password-file", "later", "search", "common"]);
    assert_eq!(found.len(), 3);
    assert_eq!(nora.state(), before);
    nora.does(["verify", "--rebuild"]);
    assert_eq!(nora.state(), before);
    let events = nora.lists(["audit", "show"]);
    let has = |action: &str| events.iter().any(|event| event["action"] == action);
    assert!(has("rotate") && has("unlock-second") && has("lock-second"));
}
