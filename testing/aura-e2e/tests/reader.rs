// SPDX-License-Identifier: MIT OR Apache-2.0
//! A stranger's reader, written from `spec/` alone, opens a vault that the program has made.
//!
//! `AURA_PYTHON` names a Python with the reader's packages; `cargo xtask test` makes one.
#![allow(clippy::print_stdout, reason = "a test that is skipped says so")]

use std::fs;
use std::path::Path;
use std::process::Command;

use aura_e2e::{Done, Person};
use serde_json::Value;

fn reader() -> Option<Command> {
    script("aura_reader.py")
}

fn script(name: &str) -> Option<Command> {
    let Some(python) = std::env::var_os("AURA_PYTHON") else {
        println!("skipped: AURA_PYTHON is not set; `cargo xtask test` sets it");
        return None;
    };
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut command = Command::new(python);
    command.arg(root.join("spec/reader").join(name));
    Some(command)
}

#[test]
fn a_program_written_from_the_specification_reads_the_vault() {
    let Some(mut list) = reader() else { return };
    let person = Person::new();
    let notes = person.path("Notes");
    fs::create_dir(&notes).unwrap();
    for n in 0..30 {
        let text =
            format!("---\ntags: [t{n}]\n---\n# Note {n}\n\n{}\n", "Straße, 東京. ".repeat(n));
        fs::write(notes.join(format!("{n}.md")), text).unwrap();
    }
    person.does(["import", notes.to_str().unwrap()]);
    let id = person.does(["add", "note", "--title", "By hand", "--json"]).json();
    let id = id["id"].as_str().unwrap().to_owned();
    person.does(["edit", &id, "text=changed"]);
    let gone = person.does(["add", "note", "--title", "Gone", "--json"]).json();
    person.does(["rm", gone["id"].as_str().unwrap()]);
    let status = person.does(["status", "--json"]).json();
    person.does(["lock"]);

    let password = person.path("password");
    let read = |command: &mut Command, what: &str| {
        command.arg(person.home()).arg("--password-file").arg(&password).arg(what);
        Done::of(&command.output().expect("Python runs"))
    };
    let listed = read(&mut list, "--list");
    assert_eq!(listed.code, 0, "{listed:?}");
    let records: Vec<Value> = listed.lines();
    assert_eq!(records.len(), 31);
    let by_hand = records.iter().find(|record| record["id"] == id.as_str()).expect("it is listed");
    assert_eq!(by_hand["fields"]["text"], "changed");
    let mut hash = reader().expect("it was there before");
    let hash = read(&mut hash, "--state-hash");
    assert_eq!(hash.out.trim(), status["state_hash"].as_str().unwrap());
    let mut audit = reader().expect("it was there before");
    assert_eq!(read(&mut audit, "--audit").code, 0);

    fs::write(&password, "not this one").unwrap();
    let mut wrong = reader().expect("it was there before");
    assert_eq!(read(&mut wrong, "--list").code, 3);
}

/// SNP-1 to SNP-3: a vault that let go of what was deleted and replaced reads as it does to the program.
#[test]
fn it_reads_a_vault_that_let_go() {
    if reader().is_none() {
        return;
    }
    let person = Person::new();
    let titles: Vec<String> = (0..12).map(|n| format!("Note {n}")).collect();
    let ids: Vec<String> =
        titles.iter().map(|title| person.adds(title, "first").unwrap()).collect();
    ids[..4].iter().for_each(|id| drop(person.does(["rm", id])));
    person.does(["edit", &ids[5], "text=second"]);
    let compacted = ["compact", "--deleted-before", "0", "--replaced-before", "0", "--now"];
    person.does(compacted);
    // What came since names what was carried.
    person.does(["edit", &ids[6], "text=after it"]);
    person.adds("Later", "after it").unwrap();
    person.does(["verify"]);
    let status = person.asks(["status"]);
    person.does(["lock", "--stop"]);
    let read = |what: &str| {
        let mut command = reader().expect("it was there before");
        command.arg(person.home()).arg("--password-file").arg(person.path("password")).arg(what);
        Done::of(&command.output().expect("Python runs"))
    };
    let verified = read("--verify").json();
    assert_eq!(verified["faults"], 0, "{verified}");
    let listed = read("--list");
    assert_eq!(listed.lines().len(), 9, "{listed:?}");
    assert!(!listed.out.contains("Note 2") && listed.out.contains("Note 11"), "{listed:?}");
    assert_eq!(read("--state-hash").out.trim(), status["state_hash"].as_str().unwrap());
}

#[test]
fn it_judges_every_vector_as_this_implementation_does() {
    let Some(mut check) = script("check_vectors.py") else { return };
    check.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../vectors"));
    let done = Done::of(&check.output().expect("Python runs"));
    println!("{}", done.out.trim());
    assert_eq!(done.code, 0, "{done:?}");
}

/// The same behind the second lock: with the second password everything, without it the rest and a count.
#[test]
fn the_second_lock_opens_for_it_with_the_second_password_only() {
    if reader().is_none() {
        return;
    }
    let person = Person::with_second_lock();
    person.does(["add", "note", "--title", "Plain"]);
    person.does(["add", "observation", "--title", "Pulse", "--text", "seventy"]);
    let login = person.asks(["add", "login", "--title", "Bank"]);
    person.does(["edit", login["id"].as_str().unwrap(), "name=Other bank"]);
    let changed = ["second", "passwd", "--new-password-file", "password-2"];
    fs::write(person.path("password-2"), "another one, for later").unwrap();
    person.does([&["--second-password-file", "second"][..], &changed].concat());
    person.does(["add", "observation", "--title", "Pulse, later"]);
    let status = person.asks(["status"]);
    person.does(["lock"]);
    let read = |second: Option<&str>, what: &str| {
        let mut command = reader().expect("it was there before");
        command.arg(person.home()).arg("--password-file").arg(person.path("password")).arg(what);
        if let Some(second) = second {
            command.arg("--second-password-file").arg(person.path(second));
        }
        Done::of(&command.output().expect("Python runs"))
    };
    let whole = read(Some("password-2"), "--state-hash");
    assert_eq!((whole.code, whole.out.trim()), (0, status["state_hash"].as_str().unwrap()));
    assert_eq!(read(Some("password-2"), "--list").lines().len(), 4);
    assert_eq!(read(Some("second"), "--list").code, 3, "the old second password");
    let shut = read(None, "--state-hash");
    assert_eq!((shut.code, shut.out.trim()), (0, "null"));
    let listed = read(None, "--list");
    assert_eq!(listed.lines().len(), 1);
    assert!(listed.err.contains("waiting: 4 entries"), "{listed:?}");
    let verified = read(None, "--verify").json();
    assert_eq!((&verified["waiting"], &verified["faults"]), (&4.into(), &0.into()));
}
