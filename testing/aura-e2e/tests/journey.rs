// SPDX-License-Identifier: MIT OR Apache-2.0
//! A person's way with the real program, from an empty folder to a vault elsewhere with the same state.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic is a failed test")]

use std::fs;
use std::path::Path;

use aura_e2e::Person;
use serde_json::{Value, json};

#[test]
fn add_find_change_delete_take_back() {
    let nora = Person::new();
    let id = nora.adds("Lisbon flat", "Fourth floor, view of Graça").unwrap();
    let hits = nora.lists(["search", "graca"]);
    assert_eq!(hits.len(), 1);
    for field in ["id", "kind", "category", "title", "snippet", "score", "time", "source"] {
        assert!(hits[0].get(field).is_some(), "{field}");
    }
    assert_eq!(hits[0]["id"], json!(id));

    let changed = nora.asks(["edit", &id, "text=Sold in March"]);
    assert_eq!(changed["fields"]["text"], "Sold in March");
    assert_eq!(nora.lists(["search", "graca"]), Vec::<Value>::new());
    let history = nora.lists(["history", &id]);
    assert_eq!(history.len(), 2);
    assert_eq!(history[1]["changes"][0], json!({"field": "text", "value": "Sold in March"}));
    nora.does(["undo", &id]);
    assert_eq!(nora.asks(["get", &id])["fields"]["text"], "Fourth floor, view of Graça");

    nora.does(["rm", &id]);
    assert_eq!(nora.types(["get", &id]).code, 1);
    assert_eq!(nora.lists(["trash"])[0]["id"], json!(id));
    assert_eq!(nora.asks(["status"])["records"], 0);
    nora.does(["undo", &id]);
    assert_eq!(nora.lists(["search", "graca"]).len(), 1);
    assert_eq!(nora.lists(["trash"]), Vec::<Value>::new());
}

#[test]
fn attachments_come_out_as_they_went_in() {
    let nora = Person::new();
    let bytes: Vec<u8> = (0..700_000u32).flat_map(u32::to_le_bytes).collect();
    fs::write(nora.path("plan.bin"), &bytes).unwrap();
    let added = nora.asks(["add", "note", "--title", "Plan", "--file", "plan.bin"]);
    let id = added["id"].as_str().unwrap();
    assert_eq!(added["attachments"][0]["size"], 2_800_000);
    nora.does(["get", id, "--attachment", "plan.bin", "--out", "again.bin"]);
    assert_eq!(fs::read(nora.path("again.bin")).unwrap(), bytes);
    // What is there is never overwritten.
    let again = nora.types(["get", id, "--attachment", "plan.bin", "--out", "again.bin"]);
    assert_eq!(again.code, 1);
}

/// An export, as people have them: notes with a file, mails, contacts, events.
fn life(nora: &Person) {
    let notes = nora.path("life/Notes");
    fs::create_dir_all(&notes).unwrap();
    fs::write(notes.join("Flat.md"), "---\ntags: [home]\n---\n# Flat\n![[plan.png]] in Lisbon\n")
        .unwrap();
    fs::write(notes.join("plan.png"), b"\x89PNG\r\n\x1a\n-not really-").unwrap();
    let mails: String = (0..20)
        .map(|n| {
            format!(
                "From ada@example.org Thu Jan  1 00:00:00 2026\nFrom: Ada <ada@example.org>\n\
                 To: Lin <lin@example.org>\nSubject: Letter {n}\nMessage-ID: <{n}@example.org>\n\
                 Date: Thu, 1 Jan 2026 00:00:00 +0000\n\nAbout the flat, number {n}.\n\n"
            )
        })
        .collect();
    fs::write(nora.path("life/mail.mbox"), mails).unwrap();
    let card = "BEGIN:VCARD\r\nVERSION:4.0\r\nUID:ada\r\nFN:Ada Example\r\nEMAIL:ada@example.org\r\nEND:VCARD\r\n";
    fs::write(nora.path("life/contacts.vcf"), card).unwrap();
    let event = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//x//EN\r\nBEGIN:VEVENT\r\nUID:1\r\n\
                 DTSTAMP:20260101T000000Z\r\nDTSTART:20260301T100000Z\r\nDTEND:20260301T110000Z\r\n\
                 SUMMARY:Notary\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";
    fs::write(nora.path("life/calendar.ics"), event).unwrap();
}

fn assert_adds_up(ledger: &Value) {
    let number = |name: &str| ledger[name].as_u64().unwrap_or_else(|| panic!("{name}: {ledger}"));
    let parts = ["new", "merged", "unchanged", "skipped", "failed"].map(number);
    assert_eq!(number("read"), parts.iter().sum::<u64>(), "{ledger}");
    assert!(ledger["reasons"].is_array());
}

#[test]
fn an_import_adds_up_and_again_changes_nothing() {
    let nora = Person::new();
    life(&nora);
    let ledger = nora.asks(["import", "life"]);
    assert_adds_up(&ledger);
    assert_eq!(ledger["run"], 1);
    assert_eq!(ledger["new"], ledger["read"], "{ledger}");
    assert!(ledger["new"].as_u64().unwrap() >= 23, "{ledger}");
    let state = nora.state();
    assert_eq!(nora.lists(["search", "flat category:mail", "--limit", "50"]).len(), 20);
    let again = nora.asks(["import", "life"]);
    assert_adds_up(&again);
    assert_eq!(again["unchanged"], ledger["new"], "{again}");
    assert_eq!(nora.state(), state);
    assert_eq!(nora.lists(["import", "ls"]).len(), 2);
    assert_eq!(nora.asks(["import", "show", "1"]), ledger);
    assert_eq!(nora.types(["import", "show", "9"]).code, 1);
    assert_eq!(nora.types(["import", "nowhere"]).code, 1);
}

/// ARC-9.
#[test]
fn the_archive_is_the_same_vault_elsewhere() {
    let nora = Person::new();
    life(&nora);
    nora.does(["import", "life"]);
    let id = nora.adds("Own", "with a file").unwrap();
    nora.does(["edit", &id, "keywords.own=true"]);
    let gone = nora.adds("Gone", "deleted before").unwrap();
    nora.does(["rm", &gone]);
    let archive = nora.path("archive.aura");
    let written = nora.asks(["export", "--archive", archive.to_str().unwrap()]);
    assert_eq!(
        (written["verified"].clone(), written["attachments"].clone()),
        (json!(true), json!(1))
    );
    assert_eq!(written["state_hash"].as_str().unwrap(), nora.state());

    let other = Person::new();
    let ledger = other.asks(["import", archive.to_str().unwrap()]);
    assert_adds_up(&ledger);
    assert_eq!(other.state(), nora.state());
    assert_eq!(ledger["by_category"], nora.asks(["status"])["by_category"]);
    assert_eq!(other.asks(["get", &id])["fields"], nora.asks(["get", &id])["fields"]);
    let again = other.asks(["import", archive.to_str().unwrap()]);
    assert_eq!((&again["unchanged"], &again["by_category"]), (&again["read"], &json!({})));
    assert!(other.asks(["verify"])["ok"].as_bool().unwrap());
    // And a foreign import there still knows what came from where.
    let foreign = other.asks(["import", nora.path("life").to_str().unwrap()]);
    assert_eq!(foreign["unchanged"], foreign["read"], "{foreign}");

    // An archive that was cut off says so, and what is whole is taken.
    let bytes = fs::read(&archive).unwrap();
    let cut = nora.path("cut.aura");
    fs::write(&cut, &bytes[..bytes.len() * 2 / 3]).unwrap();
    let third = Person::new();
    let done = third.types(["--json", "import", cut.to_str().unwrap()]);
    assert_eq!(done.code, 7, "{done:?}");
    assert_adds_up(&done.json());
}

/// Damages the first piece of an attachment in the vault's folder.
fn damage_chunk(person: &Person) {
    let is_chunk = |path: &Path| path.starts_with(person.home().join("store/chunks"));
    let (path, mut bytes) = person.files().into_iter().find(|(path, _)| is_chunk(path)).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(path, bytes).unwrap();
}

#[test]
fn a_damaged_attachment_does_not_keep_the_rest_from_leaving() {
    let nora = Person::new();
    life(&nora);
    nora.does(["import", "life"]);
    let records = nora.asks(["status"])["records"].clone();
    damage_chunk(&nora);
    let archive = nora.path("archive.aura");
    let done = nora.types(["--json", "export", "--archive", archive.to_str().unwrap()]);
    assert_eq!(done.code, 7, "{done:?}");
    let written = done.json();
    assert_eq!((&written["records"], &written["attachments"]), (&records, &json!(0)));
    let failed = written["failed"].as_array().unwrap();
    assert_eq!(failed.len(), 1, "{written}");
    assert!(failed[0]["reason"].as_str().unwrap().contains("could not be read"), "{written}");

    // Every record arrives elsewhere, and what is missing is said there as well.
    let other = Person::new();
    let done = other.types(["--json", "import", archive.to_str().unwrap()]);
    assert_eq!(done.code, 7, "{done:?}");
    let ledger = done.json();
    assert_adds_up(&ledger);
    assert_eq!((&ledger["new"], &ledger["failed"]), (&records, &json!(1)));
    assert_eq!(other.asks(["status"])["records"], records);
    assert!(ledger["reasons"].to_string().contains("damaged already"), "{ledger}");
}

/// ARC-5: an archive that somebody changed is told, though every line of it can be read.
#[test]
fn an_archive_that_was_changed_is_told() {
    let nora = Person::new();
    nora.adds("Flat", "in Lisbon").unwrap();
    fs::write(nora.path("plan.txt"), "a plan").unwrap();
    nora.does(["add", "file", "--title", "Plan", "--file", "plan.txt"]);
    let archive = nora.path("life.aura");
    nora.does(["export", "--archive", archive.to_str().unwrap()]);
    let text = fs::read_to_string(&archive).unwrap();
    for (from, to, code) in
        [("Flat", "Flut", 7), ("plan.txt", "plun.txt", 7), ("in Lisbon", "in Lisbon", 0)]
    {
        let other = Person::new();
        let changed = other.path("changed.aura");
        fs::write(&changed, text.replace(from, to)).unwrap();
        let done = other.types(["import", changed.to_str().unwrap()]);
        assert_eq!(done.code, code, "{done:?}");
        let is_told = done.out.contains("changed after it was written");
        assert_eq!(is_told, code == 7, "{done:?}");
    }
}

/// Of several records that are deleted, those before the one that cannot be are told of.
#[test]
fn what_was_deleted_before_an_error_is_told() {
    let nora = Person::new();
    let (first, second) = (nora.adds("a", "a").unwrap(), nora.adds("b", "b").unwrap());
    let done = nora.types(["rm", &first, &second, "1234"]);
    assert_ne!(done.code, 0);
    assert!(done.err.contains("The 2 records before it are in the trash"), "{done:?}");
    assert!(!done.err.contains("Nothing was changed"), "{done:?}");
    assert_eq!(nora.lists(["trash"]).len(), 2);
}

/// What an event lacks, other calendars refuse.
#[test]
fn an_event_that_is_added_has_a_start_and_is_exported_with_it() {
    let nora = Person::new();
    let refused = nora.types(["add", "event", "--title", "Dentist"]);
    assert_eq!(refused.code, 2, "{refused:?}");
    assert!(refused.err.contains("--time"), "{refused:?}");
    nora.does(["add", "event", "--title", "Dentist", "--time", "2026-12-01T09:30Z"]);
    nora.does(["export", "--all", nora.path("out").to_str().unwrap()]);
    let calendar = fs::read_to_string(nora.path("out/calendar.ics")).unwrap();
    assert!(
        calendar.contains("DTSTART:20261201T093000Z") || calendar.contains("DTSTART;"),
        "{calendar}"
    );
}

#[test]
fn exports_are_whole_and_never_half() {
    let nora = Person::new();
    life(&nora);
    nora.does(["import", "life"]);
    let out = nora.path("out");
    let written = nora.asks(["export", "--all", out.to_str().unwrap()]);
    assert_eq!(written["records"], nora.asks(["status"])["records"]);
    assert_eq!(written["failed"], json!([]));
    let manifest: Value =
        serde_json::from_slice(&fs::read(out.join("manifest.json")).unwrap()).unwrap();
    assert_eq!(manifest["state_hash"].as_str().unwrap(), nora.state());
    assert!(
        fs::read_to_string(out.join("mail.mbox")).unwrap().matches("\nSubject: Letter").count()
            >= 19
    );
    assert!(fs::read_to_string(out.join("contacts.vcf")).unwrap().contains("Ada Example"));
    assert!(fs::read_to_string(out.join("calendar.ics")).unwrap().contains("Notary"));

    // An earlier export is replaced, anything else is not touched.
    nora.adds("One more", "text").unwrap();
    nora.does(["export", "--all", out.to_str().unwrap()]);
    assert!(out.join("notes/One more.md").exists());
    let other = nora.path("precious");
    fs::create_dir(&other).unwrap();
    fs::write(other.join("file"), "mine").unwrap();
    assert_eq!(nora.types(["export", "--all", other.to_str().unwrap()]).code, 2);
    assert_eq!(fs::read_to_string(other.join("file")).unwrap(), "mine");
    let left: Vec<_> =
        fs::read_dir(nora.path("")).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().ends_with(".part")), "{left:?}");
}

#[test]
fn what_was_done_is_on_the_record() {
    let nora = Person::new();
    nora.adds("a", "b").unwrap();
    nora.does(["lock"]);
    let bad = nora.path("bad");
    fs::write(&bad, "wrong").unwrap();
    assert_eq!(nora.tries(["--password-file", "bad", "unlock"]).code, 3);
    nora.does(["search", "b"]);
    let events = nora.lists(["audit", "show"]);
    let actions: Vec<&str> = events.iter().map(|e| e["action"].as_str().unwrap()).collect();
    for action in ["create", "write", "lock", "failed-unlock", "unlock", "search"] {
        assert!(actions.contains(&action), "{action} in {actions:?}");
    }
    let verdict = nora.asks(["audit", "verify"]);
    assert_eq!((verdict["ok"].clone(), verdict["first_bad"].clone()), (json!(true), Value::Null));
    assert!(verdict["size"].as_u64().unwrap() >= 6 && verdict["root"].is_string());
    nora.does(["audit", "export", "log.jsonl"]);
    assert!(fs::read_to_string(nora.path("log.jsonl")).unwrap().lines().count() >= 7);
    assert_eq!(
        nora.lists(["audit", "show", "--since", "1s", "--who", "nobody"]),
        Vec::<Value>::new()
    );
}

fn recovery_code(nora: &Person, kit: &str) -> String {
    let kit = fs::read_to_string(nora.path(kit)).unwrap();
    let line = kit.lines().skip_while(|line| !line.starts_with("Recovery code")).nth(1);
    line.unwrap().trim().to_owned()
}

#[test]
fn the_password_changes_and_the_recovery_code_opens() {
    let nora = Person::new();
    fs::write(nora.path("new"), "another ripple velvet octave harbor lantern").unwrap();
    nora.does(["passwd", "--new-password-file", "new"]);
    nora.does(["lock"]);
    assert_eq!(nora.types(["unlock"]).code, 3);
    assert_eq!(nora.tries(["--password-file", "new", "unlock"]).code, 0);
    nora.does(["lock"]);
    fs::write(nora.path("code"), recovery_code(&nora, "kit.txt")).unwrap();
    assert_eq!(nora.tries(["--password-file", "code", "unlock", "--recovery"]).code, 0);
    let slots = nora.lists(["slot", "ls"]);
    assert_eq!(slots.len(), 2, "{slots:?}");
    // A new kit, after which the old code is worth nothing.
    assert_eq!(nora.tries(["--password-file", "new", "kit", "second.txt"]).code, 0);
    nora.does(["lock"]);
    assert_eq!(nora.tries(["--password-file", "code", "unlock", "--recovery"]).code, 3);
    fs::write(nora.path("code"), recovery_code(&nora, "second.txt")).unwrap();
    assert_eq!(nora.tries(["--password-file", "code", "unlock", "--recovery"]).code, 0);
}

/// Fault F-10.
#[test]
fn lost_keys_are_named_and_the_kit_makes_up_for_them() {
    let nora = Person::new();
    let id = nora.adds("Lisbon", "tram").unwrap();
    nora.does(["lock", "--stop"]);
    fs::write(nora.path("code"), recovery_code(&nora, "kit.txt")).unwrap();
    for file in ["secret.key", "device.key"] {
        let path = nora.home().join(file);
        let kept = fs::read(&path).unwrap();
        fs::remove_file(&path).unwrap();
        let done = nora.types(["unlock"]);
        assert_eq!(done.code, 5, "{done:?}");
        for words in [file, "missing", "unharmed", "aura unlock --recovery"] {
            assert!(done.err.contains(words), "{words}: {done:?}");
        }
        if file == "secret.key" {
            fs::write(&path, kept).unwrap();
        }
    }
    assert_eq!(nora.tries(["--password-file", "code", "unlock", "--recovery"]).code, 0);
    nora.does(["edit", &id, "text=bus"]);
    assert!(nora.asks(["verify"])["ok"].as_bool().unwrap());
    let devices = nora.asks(["status"])["devices"].clone();
    let own: Vec<_> =
        devices.as_array().unwrap().iter().filter(|device| device["this"] == true).collect();
    assert_eq!((devices.as_array().unwrap().len(), own.len()), (2, 1), "{devices}");
    nora.does(["lock", "--stop"]);
    assert_eq!(nora.asks(["get", &id])["fields"]["text"], "bus");
}

#[test]
fn an_older_copy_of_the_store_is_told_when_the_vault_is_opened() {
    let nora = Person::new();
    nora.adds("kept", "text").unwrap();
    nora.does(["lock", "--stop"]);
    let store = nora.home().join("store/store.db");
    let older = fs::read(&store).unwrap();
    nora.adds("newer", "text").unwrap();
    nora.does(["lock", "--stop"]);
    fs::write(&store, older).unwrap();

    let done = nora.types(["unlock"]);
    assert_eq!(done.code, 0, "{done:?}");
    for words in ["older copy", "delete the file `seen`"] {
        assert!(done.err.contains(words), "{done:?}");
    }
    let status = nora.asks(["status"]);
    assert_eq!((&status["records"], status["warnings"].as_array().unwrap().len()), (&json!(1), 1));
    assert!(nora.does(["status"]).out.contains("warning   This is an older copy"));
    assert_eq!(nora.types(["verify"]).code, 5);
    // On purpose, then.
    nora.does(["lock", "--stop"]);
    fs::remove_file(nora.home().join("seen")).unwrap();
    assert_eq!(nora.asks(["status"])["warnings"], json!([]));
    nora.does(["verify"]);
}

#[test]
fn words_are_left_out_as_they_are_typed() {
    let nora = Person::new();
    nora.adds("Flat", "lisbon tram").unwrap();
    nora.adds("Stay", "lisbon hotel").unwrap();
    let titles = |args: &[&str]| -> Vec<String> {
        let hits = nora.lists(args);
        hits.iter().map(|hit| hit["title"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(titles(&["search", "lisbon", "-hotel"]), ["Flat"]);
    assert_eq!(titles(&["search", "lisbon", "-tram", "--limit", "5"]), ["Stay"]);
    assert_eq!(titles(&["search", "lisbon -hotel"]), ["Flat"]);
    let help = nora.tries(["search", "-h"]);
    assert!(help.code == 0 && help.out.contains("Usage"), "{help:?}");
}

#[test]
fn an_exported_audit_log_has_the_events_that_its_verdict_is_about() {
    let nora = Person::new();
    nora.adds("Lisbon", "tram").unwrap();
    nora.does(["search", "lisbon"]);
    let file = nora.path("audit.jsonl");
    nora.does(["audit", "export", file.to_str().unwrap()]);
    let text = fs::read_to_string(file).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let (last, before) = lines.split_last().unwrap();
    let events: Vec<_> = before.iter().filter(|line| line.get("number").is_some()).collect();
    assert_eq!(last["verdict"]["size"], events.len());
    assert_eq!(last["verdict"]["ok"], true);
    // That it was read is in it.
    assert!(events.iter().any(|event| event["action"] == "read-audit"), "{events:?}");
}

#[test]
fn batches_completions_and_pages() {
    let nora = Person::new();
    nora.adds("Lisbon", "tram").unwrap();
    fs::write(nora.path("queries"), "lisbon\n\nnothing\ntram\n").unwrap();
    let hits = nora.lists(["search", "--batch", "queries"]);
    let lines: Vec<u64> = hits.iter().map(|hit| hit["line"].as_u64().unwrap()).collect();
    assert_eq!(lines, [1, 4]);
    for shell in ["bash", "zsh", "fish"] {
        assert!(nora.tries(["completions", shell]).out.contains("import"), "{shell}");
    }
    assert!(nora.tries(["man"]).out.contains(".TH"));
    nora.tries(["man", "pages"]);
    assert!(nora.path("pages/aura-search.1").exists());
    assert!(!nora.path("pages/aura-daemon.1").exists());
    let help = nora.tries(["--help"]);
    assert_eq!(help.code, 0);
    assert!(help.out.lines().all(|line| line.chars().count() <= 80));
}
