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

#[test]
fn it_judges_every_vector_as_this_implementation_does() {
    let Some(mut check) = script("check_vectors.py") else { return };
    check.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../vectors"));
    let done = Done::of(&check.output().expect("Python runs"));
    println!("{}", done.out.trim());
    assert_eq!(done.code, 0, "{done:?}");
}
