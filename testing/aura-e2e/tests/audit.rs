// SPDX-License-Identifier: MIT OR Apache-2.0
//! The audit log in a file: a stranger's verifier, written from `spec/` alone, finds every change of it; and what
//! people and other programs are given of it.
//!
//! `AURA_PYTHON` names a Python with the verifier's packages; `cargo xtask test` makes one.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic is a failed test")]
#![allow(clippy::print_stdout, reason = "a test that is skipped says so")]

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use aura_e2e::{Done, Person, program};
use serde_json::{Value, json};
use tempfile::TempDir;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn python() -> Option<Command> {
    let python = std::env::var_os("AURA_PYTHON");
    if python.is_none() {
        println!("skipped: AURA_PYTHON is not set; `cargo xtask test` sets it");
    }
    python.map(Command::new)
}

/// What the verifier says of an export (AEX-1 to AEX-8).
fn judged(export: &Path, options: &[&str]) -> Done {
    let mut command = python().unwrap();
    command.arg(root().join("spec/reader/audit_verify.py")).arg(export).args(options);
    Done::of(&command.output().unwrap())
}

fn exports(person: &Person, name: &str) -> PathBuf {
    let file = person.path(name);
    person.does(["audit", "export", file.to_str().unwrap()]);
    file
}

/// An assistant asks, one tool after the other, and hangs up.
fn asks(person: &Person, calls: &[(&str, Value)]) {
    let mut command = Command::new(program());
    command.arg("--home").arg(person.home()).args(["mcp", "--as", "claude"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    let (mut input, mut output) =
        (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
    let mut ask = |id: usize, method: &str, params: Value| {
        let ask = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params });
        writeln!(input, "{ask}").unwrap();
        let mut line = String::new();
        assert!(output.read_line(&mut line).unwrap() > 0, "it hung up");
        if id == 0 {
            writeln!(input, r#"{{"jsonrpc":"2.0","method":"notifications/initialized"}}"#).unwrap();
        }
    };
    let client = json!({ "name": "by hand", "version": "1" });
    let hello =
        json!({ "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": client });
    ask(0, "initialize", hello);
    for (at, (tool, arguments)) in calls.iter().enumerate() {
        ask(at + 1, "tools/call", json!({ "name": tool, "arguments": arguments }));
    }
    drop(input);
    child.wait().unwrap();
}

/// Somebody who imported notes, searched, and let an assistant in, which was refused first.
fn nora() -> Person {
    let nora = Person::new();
    let notes = nora.path("Notes");
    fs::create_dir(&notes).unwrap();
    for n in 0..3 {
        fs::write(notes.join(format!("{n}.md")), format!("# Note {n}\n\nalbatross {n}\n")).unwrap();
    }
    nora.does(["import", notes.to_str().unwrap()]);
    nora.does(["search", "albatross"]);
    nora.does(["connect", "claude"]);
    let find = ("aura_search", json!({ "query": "albatross" }));
    asks(&nora, std::slice::from_ref(&find));
    nora.does(["grant", "add", "claude", "--category", "notes"]);
    asks(&nora, &[find, ("aura_get", json!({ "id": "00".repeat(16) }))]);
    nora
}

/// A code of the kit, into a file of another person's.
fn hand_over(from: &Person, section: &str, to: &Person, name: &str) {
    let kit = fs::read_to_string(from.path("kit.txt")).unwrap();
    let code = kit.lines().skip_while(|line| !line.starts_with(section)).nth(1).unwrap();
    fs::write(to.path(name), code.trim()).unwrap();
}

/// Another device, by the password, which waits.
fn joins(from: &Person, folder: &str) -> (Person, String) {
    let person = Person::without_vault();
    hand_over(from, "Secret key", &person, "secret-key");
    let joined = person.asks(["join", folder, "--secret-key-file", "secret-key"]);
    (person, joined["device"].as_str().unwrap().to_owned())
}

/// AEX-1, AEX-2, AEX-4, AEX-7, AEX-8; attacks LOG-01, LOG-02, LOG-08: every byte of every event, every field, lines taken out, doubled, swapped, cut off or
/// of another vault, older checkpoints: each is found, and the event named where one can be.
#[test]
fn log_02_whatever_is_changed_in_an_export_is_found() {
    if python().is_none() {
        return;
    }
    let carrier = TempDir::new().unwrap();
    let folder = carrier.path().to_str().unwrap();
    let nora = nora();
    nora.does(["store", "add", folder]);
    nora.does(["sync"]);
    let phone = Person::without_vault();
    hand_over(&nora, "Recovery code", &phone, "code");
    hand_over(&nora, "Secret key", &phone, "secret-key");
    let join = ["--password-file", "code", "join", folder, "--recovery"];
    let joined = phone.tries([&join[..], &["--secret-key-file", "secret-key"]].concat());
    assert_eq!(joined.code, 0, "{joined:?}");
    phone.does(["search", "albatross"]);
    for person in [&phone, &nora] {
        person.does(["sync"]);
    }
    let earlier = exports(&nora, "earlier.jsonl");
    nora.does(["lock"]);
    nora.does(["search", "albatross"]);
    // Each has seen the other go on.
    for (one, other) in [(&nora, &phone), (&phone, &nora)] {
        one.adds("of one device", "on another").unwrap();
        one.does(["sync"]);
        other.does(["sync"]);
    }
    let later = exports(&nora, "later.jsonl");
    let stranger = Person::new();
    let other = exports(&stranger, "other.jsonl");
    let whole = judged(&later, &["--earlier", earlier.to_str().unwrap()]);
    assert_eq!(whole.code, 0, "{whole:?}");

    let mut tamper = python().unwrap();
    tamper
        .arg(root().join("testing/aura-e2e/clients/audit_tamper.py"))
        .arg(root().join("spec/reader"))
        .args([&later, &earlier, &other]);
    let done = Done::of(&tamper.output().unwrap());
    assert_eq!(done.code, 0, "{done:?}");
    let found = done.json();
    println!("{found}");
    assert_eq!((&found["missed_in_all"], &found["logs"]), (&json!(0), &json!(2)), "{found:#}");
    assert!(found["events"].as_u64().unwrap() >= 15, "{found:#}");
    assert_eq!(found["tried"]["log put back"], 2, "{found:#}");
    // Each kind of change was tried at all.
    assert_eq!(found["tried"].as_object().unwrap().len(), 33, "{found:#}");
}

/// AEX-3, AEX-5, AEX-6: exports of every device verify, whatever became of devices, codes and locks, and a waiting device
/// is told as one; and the vault or an earlier export can be held against them.
#[test]
fn an_export_verifies_whatever_became_of_the_devices() {
    if python().is_none() {
        return;
    }
    let carrier = TempDir::new().unwrap();
    let folder = carrier.path().to_str().unwrap();
    let nora = nora();
    let vault = nora.asks(["status"])["vault_id"].as_str().unwrap().to_owned();
    nora.does(["store", "add", folder]);
    nora.does(["sync"]);
    let (phone, phone_id) = joins(&nora, folder);
    phone.does(["search", "albatross"]);
    phone.does(["sync"]);
    nora.does(["sync"]);
    let waits = judged(&exports(&nora, "waits.jsonl"), &["--vault", &vault]);
    assert!(waits.code == 0 && waits.out.contains("was never confirmed"), "{waits:?}");
    nora.does(["device", "confirm", &phone_id]);
    fs::write(nora.path("second-2"), "another meadow for later days").unwrap();
    nora.does(["--second-password-file", "second-2", "second", "set"]);
    nora.does(["kit", "kit-2.txt"]);
    for person in [&nora, &phone, &nora] {
        person.does(["sync"]);
    }
    let mut earlier = None;
    for person in [&nora, &phone] {
        let export = exports(person, "both.jsonl");
        let judged = judged(&export, &["--vault", &vault]);
        assert!(judged.code == 0 && !judged.out.contains("note:"), "{judged:?}");
        assert_eq!(judged.out.matches("\nlog ").count() + 1, 2, "{judged:?}");
        earlier.get_or_insert(export);
    }
    let earlier = earlier.unwrap();
    nora.does(["device", "revoke", &phone_id[..8], "--kit", "kit-3.txt"]);
    phone.does(["search", "albatross"]);
    phone.types(["sync"]);
    nora.does(["sync"]);
    let last = exports(&nora, "last.jsonl");
    let options = ["--vault", &vault, "--earlier", earlier.to_str().unwrap()];
    let judged_last = judged(&last, &options);
    assert_eq!(judged_last.code, 0, "{judged_last:?}");
    assert_eq!(judged(&last, &["--vault", &"00".repeat(32)]).code, 1);
    // What a file says does not steer the terminal that the verdict is read on.
    let told = fs::read_to_string(&last).unwrap();
    let (before, _) = told.trim_end().rsplit_once('\n').unwrap();
    let lies =
        r#"{"verdict":{"first_bad":"\u001b[2K\rok: all is well","ok":false,"root":"","size":0}}"#;
    let steering = nora.path("steering.jsonl");
    fs::write(&steering, format!("{before}\n{lies}\n")).unwrap();
    let told = judged(&steering, &[]);
    assert!(told.code == 1 && told.out.contains("AEX-7"), "{told:?}");
    assert!(!told.out.contains(['\u{1b}', '\r']), "{told:?}");
    let turned = judged(&earlier, &["--earlier", last.to_str().unwrap()]);
    assert!(turned.code == 1 && turned.out.contains("AEX-8"), "{turned:?}");
    assert_eq!(judged(&nora.path("nothing"), &[]).code, 2);
    // What is sealed to somebody, and what a password is stretched with, is not in it.
    let text = fs::read_to_string(&last).unwrap();
    let statements = text.lines().filter(|line| line.starts_with("{\"statement\""));
    let kinds = "a5010102582";
    for line in statements.skip(1) {
        let kind = line.find(kinds).and_then(|at| line.get(at + kinds.len() + 65..)?.get(..4));
        let carried = ["0302", "0303", "0304", "0305", "0307", "0308", "0309", "0310"];
        assert!(kind.is_some_and(|kind| carried.contains(&kind)), "{kind:?}");
    }
}

/// AEX-8, attack LOG-01: a vault that was put back to an older copy goes on in a log of its own. Its export verifies, and is
/// not what an export of before goes on to.
#[test]
fn log_01_a_vault_that_was_put_back_is_told_by_an_earlier_export() {
    if python().is_none() {
        return;
    }
    let nora = nora();
    nora.does(["lock", "--stop"]);
    let store = nora.home().join("store/store.db");
    let older = fs::read(&store).unwrap();
    nora.adds("newer", "text").unwrap();
    let before = exports(&nora, "before.jsonl");
    nora.does(["lock", "--stop"]);
    fs::write(&store, older).unwrap();
    let after = exports(&nora, "after.jsonl");
    let whole = judged(&after, &[]);
    assert!(whole.code == 0 && whole.out.matches("log ").count() >= 2, "{whole:?}");
    // The root that is said is that of the log that goes on.
    let text = fs::read_to_string(&after).unwrap();
    let begin: Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    let log = format!("/{}: ", begin["incarnation"].as_str().unwrap());
    let line = whole.out.lines().find(|line| line.contains(&log)).unwrap();
    assert!(whole.out.trim_end().ends_with(line.split("root ").nth(1).unwrap()), "{whole:?}");
    let told = judged(&after, &["--earlier", before.to_str().unwrap()]);
    assert!(told.code == 1 && told.out.contains("is missing, and what came after it"), "{told:?}");
}

/// The verifier judges the cases that others judge: encodings, signatures, statements, heads, notes, trees, events.
#[test]
fn the_verifier_judges_every_vector_as_this_implementation_does() {
    let Some(mut command) = python() else { return };
    command
        .arg(root().join("testing/aura-e2e/clients/audit_vectors.py"))
        .args([root().join("spec/reader"), root().join("vectors")]);
    let done = Done::of(&command.output().unwrap());
    assert_eq!(done.code, 0, "{done:?}");
    let found = done.json();
    println!("{found}");
    assert_eq!(found["wrong"], json!([]), "{found:#}");
    assert_eq!(found["judged"].as_object().unwrap().len(), 8, "{found:#}");
    assert!(found["judged"]["statements"].as_u64().unwrap() >= 30, "{found:#}");
}

#[test]
fn what_was_not_done_is_proved() {
    let nora = nora();
    let done = nora.does(["audit", "show", "--who", "claude", "--category", "notes"]);
    assert!(done.out.contains("assistant:claude") && done.out.contains(" shown, of "), "{done:?}");
    let by_name = nora.lists(["audit", "show", "--who", "claude"]);
    assert_eq!(by_name, nora.lists(["audit", "show", "--who", "assistant:claude"]));
    assert!(by_name.len() >= 4, "{by_name:?}");
    let newest = nora.does(["audit", "show", "--who", "claude", "--limit", "2"]);
    assert!(newest.out.contains("\n2 events shown, of "), "{newest:?}");

    let asked = ["audit", "show", "--since", "30d", "--who", "claude", "--category", "health"];
    let none = nora.does(asked);
    let size = nora.asks(["audit", "verify"])["size"].as_u64().unwrap();
    assert!(none.out.starts_with("No event: since ") && none.out.contains("by claude, in health"));
    let (_, proved) = none.out.split_once("The log verifies: ").unwrap();
    let proved: u64 = proved.split(' ').next().unwrap().parse().unwrap();
    assert!(proved > 10 && proved <= size && none.out.contains("none missing"), "{none:?}");
    assert!(!none.out.contains("in no event at all"), "{none:?}");
    let json = nora.types([&["--json"], &asked[..]].concat());
    assert!(json.code == 0 && json.out.is_empty() && json.err.contains("verifies"), "{json:?}");
    let misspelt = nora.does(["audit", "show", "--who", "cluade"]);
    assert!(misspelt.out.contains("cluade is in no event at all"), "{misspelt:?}");
    let refused = nora.types(["audit", "show", "--category", "helth"]);
    assert!(refused.code == 2 && refused.err.contains("health"), "{refused:?}");
}

/// Attack LOG-02: "no event" is not said of a log that does not verify.
#[test]
fn log_02_nothing_is_proved_by_a_log_that_does_not_verify() {
    let nora = nora();
    nora.does(["lock", "--stop"]);
    let whole = fs::read(nora.home().join("store/store.db")).unwrap();
    let store = rusqlite::Connection::open(nora.home().join("store/store.db")).unwrap();
    let feeds: i64 = store.query_row("SELECT max(id) FROM feeds", [], |row| row.get(0)).unwrap();
    drop(store);
    let mut told = 0;
    for feed in 1..=feeds {
        fs::write(nora.home().join("store/store.db"), &whole).unwrap();
        let store = rusqlite::Connection::open(nora.home().join("store/store.db")).unwrap();
        let spoil =
            "UPDATE entries SET body = zeroblob(length(body)) WHERE feed = ?1 AND number = 4";
        store.execute(spoil, [feed]).unwrap();
        drop(store);
        let shown = nora.types(["audit", "show", "--who", "nobody"]);
        let verified = nora.types(["--json", "audit", "verify"]);
        assert_eq!(shown.code == 5, verified.code == 5, "{shown:?}");
        if shown.code == 5 {
            told += 1;
            assert!(shown.out.contains("does not verify: log of device"), "{shown:?}");
            assert!(shown.out.contains("entry 4 cannot be used"), "{shown:?}");
            assert!(!shown.out.contains("none missing"), "{shown:?}");
            let export = nora.types(["audit", "export", "damaged.jsonl"]);
            assert!(export.code == 5 && export.err.contains("entry 4"), "{export:?}");
        }
        nora.types(["lock", "--stop"]);
    }
    assert_eq!(told, 1);
}

#[test]
fn counts_stand_in_a_table() {
    let nora = nora();
    let rows = nora.lists(["audit", "show", "--by", "who"]);
    let events: u64 = rows.iter().map(|row| row["events"].as_u64().unwrap()).sum();
    assert_eq!(rows[0]["key"], "owner");
    let claude = rows.iter().find(|row| row["key"] == "assistant:claude").unwrap();
    assert!(claude["refused"].as_u64().unwrap() >= 2 && events >= 9, "{rows:?}");
    let days = nora.does(["audit", "show", "--by", "day"]);
    assert!(days.out.contains('#') && days.out.contains(" events counted, of "), "{days:?}");
    assert!(days.out.lines().all(|line| line.chars().count() <= 80), "{days:?}");
    let notes = nora.lists(["audit", "show", "--by", "category", "--who", "claude"]);
    assert!(notes.iter().any(|row| row["key"] == "notes"), "{notes:?}");
    assert_eq!(nora.types(["audit", "show", "--by", "day", "--limit", "3"]).code, 2);
    let none = nora.does(["audit", "show", "--by", "day", "--category", "health"]);
    assert!(none.out.contains("none missing"), "{none:?}");
}

#[test]
fn other_programs_get_a_table_or_the_open_schema() {
    let nora = nora();
    let refused = nora.types(["audit", "export", "part.jsonl", "--who", "claude"]);
    assert!(refused.code == 2 && refused.err.contains("cannot be verified"), "{refused:?}");
    assert!(!nora.path("part.jsonl").exists());
    let export = |format: &str, filters: &[&str]| {
        let name = format!("log.{format}{}", filters.len());
        nora.does([&["audit", "export", &name, "--format", format], filters].concat());
        assert_eq!(fs::metadata(nora.path(&name)).unwrap().mode() & 0o777, 0o600);
        fs::read_to_string(nora.path(&name)).unwrap()
    };
    let of_claude = nora.lists(["audit", "show", "--who", "claude", "--category", "notes"]);
    let filters = ["--who", "claude", "--category", "notes", "--since", "1h"];
    let csv = export("csv", &filters);
    let rows: Vec<&str> = csv.split_terminator("\r\n").collect();
    assert!(rows[0].starts_with("time,device,incarnation,number,who,action,outcome,"), "{csv}");
    assert_eq!(rows.len() - 1, of_claude.len(), "{csv}");
    for (row, event) in rows[1..].iter().zip(&of_claude) {
        let cells: Vec<&str> = row.split(',').collect();
        assert_eq!((cells.len(), cells[4]), (11, "assistant:claude"));
        assert_eq!(json!(cells[10]), event["hash"]);
    }
    assert!(export("csv", &[]).lines().count() > rows.len());
    let ocsf = export("ocsf", &filters);
    let vault = nora.asks(["status"])["vault_id"].clone();
    let events: Vec<Value> = ocsf.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(events.len(), of_claude.len());
    for (event, shown) in events.iter().zip(&of_claude) {
        assert_eq!((&event["class_uid"], &event["unmapped"]["vault"]), (&json!(6005), &vault));
        assert_eq!(event["metadata"]["uid"], shown["hash"]);
        assert_eq!(event["metadata"]["sequence"], shown["number"]);
    }
    let again = nora.types(["audit", "export", "log.csv0", "--format", "csv"]);
    assert_eq!(again.code, 1, "an existing file stays: {again:?}");
    // Where there is no room, no half of a log is left.
    let mut full = Command::new("sh");
    full.args(["-c", "trap '' XFSZ; ulimit -f 4; exec \"$0\" \"$@\""]).arg(program());
    full.arg("--home").arg(nora.home()).args(["audit", "export"]).arg(nora.path("full.jsonl"));
    let full = Done::of(&full.output().unwrap());
    assert!(full.code == 1 && full.err.contains("could not be written"), "{full:?}");
    assert!(!nora.path("full.jsonl").exists());
}
