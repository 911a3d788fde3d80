// SPDX-License-Identifier: MIT OR Apache-2.0
//! Real exports through the real program: in, in again, out, and in elsewhere with the same state; and
//! what others make of what comes out.
//!
//! `AURA_DATA` names a folder of real exports; without it a made one stands in. `AURA_PYTHON` names a
//! Python with the packages of `readers/`; `cargo xtask test` makes one.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a panic is a failed test, and a skipped test says so"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use aura_e2e::{Done, Person};
use serde_json::{Value, json};

/// The parts of a ledger that add up to what was read.
const PARTS: [&str; 5] = ["new", "merged", "unchanged", "skipped", "failed"];

/// What may fail there, because nobody could read it: the beginning of the reason, and of the places.
const BROKEN: [(&str, &[&str]); 4] = [
    // Neither a time nor a word of what it is about.
    ("VEVENT: it has no start (DTSTART)", &[]),
    ("VEVENT: the file ends in the middle of it", &["calendar/calcard/148.ics"]),
    // `BEGIN:VCARD` and `END:VCARD`, or a number that is empty.
    ("VCARD: it names nobody", &[]),
    ("it is not valid JSON", &["obsidian-importer/keep/broken-json-note.json"]),
];

fn data() -> Option<PathBuf> {
    let data = env::var_os("AURA_DATA").map(PathBuf::from);
    if data.is_none() {
        println!("skipped: AURA_DATA is not set");
    }
    data
}

fn number(ledger: &Value, name: &str) -> u64 {
    ledger[name].as_u64().unwrap_or_else(|| panic!("{name}: {ledger}"))
}

/// Imports a path; its ledger, which adds up.
fn import(person: &Person, path: &Path) -> Value {
    let done = person.types(["--json", "import", path.to_str().unwrap()]);
    assert!(matches!(done.code, 0 | 7), "{}: {done:?}", path.display());
    let ledger = done.json();
    let sum: u64 = PARTS.iter().map(|name| number(&ledger, name)).sum();
    assert_eq!(number(&ledger, "read"), sum, "{}: {ledger}", path.display());
    assert_eq!(done.code == 7, number(&ledger, "failed") > 0, "{ledger}");
    ledger
}

/// Imports it again, which changes nothing.
fn import_again(person: &Person, path: &Path, first: &Value) {
    let state = person.state();
    let again = import(person, path);
    assert_eq!((number(&again, "new"), number(&again, "merged")), (0, 0), "{again}");
    for name in ["read", "skipped", "failed"] {
        assert_eq!(again[name], first[name], "{name}: {again}");
    }
    assert_eq!(person.state(), state, "{}", path.display());
}

fn only_broken_input_failed(ledger: &Value) {
    for reason in ledger["reasons"].as_array().unwrap() {
        if reason["outcome"] != "failed" {
            continue;
        }
        let text = reason["reason"].as_str().unwrap();
        let known = BROKEN.iter().find(|(start, _)| text.starts_with(start));
        let places = known.unwrap_or_else(|| panic!("{reason}")).1;
        for place in reason["places"].as_array().unwrap() {
            let place = place.as_str().unwrap();
            let is_known = places.is_empty() || places.iter().any(|known| place.contains(known));
            assert!(is_known, "{place}: {text}");
        }
    }
}

/// Folders of one source each: those that hold files.
fn sources(root: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() {
            let holds_file = |folder: &Path| {
                fs::read_dir(folder).unwrap().any(|entry| entry.unwrap().path().is_file())
            };
            if holds_file(&entry) { found.push(entry) } else { found.extend(sources(&entry)) }
        }
    }
    found.sort();
    found
}

#[test]
fn every_source_comes_in_once() {
    let Some(root) = data() else { return };
    let nora = Person::new();
    let mut total: BTreeMap<&str, u64> = BTreeMap::new();
    for source in sources(&root) {
        let ledger = import(&nora, &source);
        assert!(number(&ledger, "read") > 0, "{}", source.display());
        for name in PARTS {
            *total.entry(name).or_default() += number(&ledger, name);
        }
        import_again(&nora, &source, &ledger);
    }
    println!("source by source: {total:?}");
}

#[test]
fn all_at_once_and_elsewhere_again() {
    let Some(root) = data() else { return };
    let nora = Person::new();
    let ledger = import(&nora, &root);
    only_broken_input_failed(&ledger);
    println!("all at once: {:?}", PARTS.map(|name| (name, number(&ledger, name))));
    import_again(&nora, &root, &ledger);

    let archive = nora.path("archive.aura");
    nora.asks(["export", "--archive", archive.to_str().unwrap()]);
    let lin = Person::new();
    let taken = import(&lin, &archive);
    assert_eq!(taken["new"], nora.asks(["status"])["records"]);
    assert_eq!(lin.state(), nora.state());
    import_again(&lin, &archive, &taken);
    assert_eq!(lin.asks(["verify"])["ok"], true);
    // The vault elsewhere still knows what came from where.
    import_again(&lin, &root, &ledger);
}

#[test]
fn out_in_standard_forms_and_elsewhere_again() {
    let Some(root) = data() else { return };
    let nora = Person::new();
    import(&nora, &root);
    standard_forms(&nora);
}

/// What an export in standard forms brings into an empty vault, and how far that is the same.
fn standard_forms(nora: &Person) {
    let out = nora.path("out");
    let written = nora.asks(["export", "--all", out.to_str().unwrap()]);
    assert_eq!(written["failed"], json!([]), "{written}");
    others_accept(&out, &written);

    let mika = Person::new();
    let ledger = import(&mika, &out);
    assert_eq!(ledger["failed"], 0, "{ledger}");
    import_again(&mika, &out, &ledger);
    let (before, after) = (records(nora, "before.aura"), records(&mika, "after.aura"));
    for (kind, whole) in &before {
        let back = after.get(kind).unwrap_or_else(|| panic!("no {kind} came back"));
        // What JSON Lines hold is all that there is; iCalendar and the others hold what they can.
        let same = whole.intersection(back).count();
        println!("{kind}: {} went out, {} came back, {same} as they were", whole.len(), back.len());
        if is_own(kind) {
            assert_eq!(whole, back, "{kind}");
        }
        assert!(back.len() * 200 >= whole.len() * 199, "{kind}");
    }
    where_it_came_from(nora, &out, &before);
}

/// An own export changes next to nothing where it came from. What has no id but its place comes as new.
fn where_it_came_from(nora: &Person, out: &Path, before: &BTreeMap<String, BTreeSet<String>>) {
    let ledger = import(nora, out);
    println!("where it came from: {:?}", PARTS.map(|name| (name, number(&ledger, name))));
    let after = records(nora, "again.aura");
    for (kind, most) in [("event", 2), ("task", 2), ("email", 4), ("note", 2), ("contact", 25)] {
        let (Some(before), Some(after)) = (before.get(kind), after.get(kind)) else { continue };
        let changed = before.difference(after).count();
        println!("{kind}: {changed} of {} changed", before.len());
        assert!(changed * 100 <= before.len() * most, "{kind}: {changed}");
    }
}

/// Whether a kind goes out as JSON Lines.
fn is_own(kind: &str) -> bool {
    !["event", "task", "contact", "email", "note", "login"].contains(&kind)
}

/// What the records of each kind say, without ids; of those that go out as lines, where they came from
/// as well.
fn records(person: &Person, name: &str) -> BTreeMap<String, BTreeSet<String>> {
    let path = person.path(name);
    person.asks(["export", "--archive", path.to_str().unwrap()]);
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for line in fs::read_to_string(path).unwrap().lines() {
        let mut line: Value = serde_json::from_str(line).unwrap();
        let Some(record) = line["record"].as_object_mut() else { continue };
        let kind = record["kind"].as_str().unwrap().to_owned();
        let members: &[&str] = if is_own(&kind) {
            &["category", "time_ms", "fields", "source", "source_id"]
        } else {
            &["category", "time_ms", "fields"]
        };
        let said: Vec<Value> =
            members.iter().map(|name| record.remove(*name).unwrap_or_default()).collect();
        found.entry(kind).or_default().insert(json!(said).to_string());
    }
    found
}

/// Other people's programs read the export, and find as many records as were written.
fn others_accept(out: &Path, written: &Value) {
    let Some(python) = env::var_os("AURA_PYTHON") else {
        println!("skipped: AURA_PYTHON is not set; `cargo xtask test` sets it");
        return;
    };
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let done = Done::of(
        &Command::new(python).arg(root.join("readers/read_export.py")).arg(out).output().unwrap(),
    );
    assert_eq!(done.code, 0, "{}{}", done.out, done.err);
    let found = done.json();
    println!("others read: {found}");
    assert_eq!(found["records"], written["records"], "{found}");
    if out.join("calendar.ics").exists() {
        assert!(number(&found, "offsets") > 0, "{found}");
    }
    if out.join("observation.jsonl").exists() {
        assert_eq!(found["fhir"], found["observation"], "{found}");
    }
    // A calendar may hold pictures of its own besides.
    assert!(number(&found, "attachments") >= number(written, "attachments"), "{found}");
    // What came in as a rule that nobody can follow goes out as one.
    let odd = found["odd"].as_u64().unwrap_or(0);
    assert!(odd * 100 <= number(&found, "records"), "{}{}", done.out, done.err);
}

/// A life of every kind, small and odd.
fn made_life(nora: &Person) {
    let put = |name: &str, text: &str| {
        let path = nora.path("life").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    put(
        "mail.mbox",
        "From a@example.org Thu Jan  1 00:00:00 2026\nFrom: =?utf-8?q?J=C3=BCrg?= <a@example.org>\n\
         To: \"Lin, the second\" <lin@example.org>\nSubject: =?utf-8?b?0J/RgNC40LLQtdGC?=\n\
         Message-ID: <1@example.org>\nDate: Thu, 1 Jan 2026 00:00:00 +0530\nMIME-Version: 1.0\n\
         Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/plain; charset=utf-8\n\n\
         Straße\n>From here\n--b\nContent-Type: image/png\nContent-Disposition: attachment; \
         filename*=utf-8''%C3%A4.png\nContent-Transfer-Encoding: base64\n\niVBORw0KGgo=\n--b--\n\n\
         From b@example.org Thu Jan  1 00:00:00 2026\nFrom: b@example.org\nSubject: no id, no date\n\n\
         short\n\n",
    );
    put(
        "calendar.ics",
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//x//EN\r\nBEGIN:VEVENT\r\nUID:1\r\n\
         DTSTAMP:20260101T000000Z\r\nDTSTART;TZID=Europe/Zurich:20260301T100000\r\n\
         DTEND;TZID=Europe/Zurich:20260301T110000\r\nRRULE:FREQ=WEEKLY;COUNT=4\r\n\
         EXDATE;TZID=Europe/Zurich:20260308T100000\r\nSUMMARY:Notary\\, office\r\nBEGIN:VALARM\r\n\
         ACTION:DISPLAY\r\nTRIGGER:-PT15M\r\nDESCRIPTION:x\r\nEND:VALARM\r\nEND:VEVENT\r\n\
         BEGIN:VEVENT\r\nUID:1\r\nDTSTAMP:20260101T000000Z\r\nRECURRENCE-ID:20260315T090000Z\r\n\
         DTSTART;TZID=Europe/Zurich:20260315T140000\r\nSUMMARY:Notary\\, later\r\nEND:VEVENT\r\n\
         BEGIN:VEVENT\r\nUID:2\r\nDTSTAMP:20260101T000000Z\r\nDTSTART;VALUE=DATE:20260401\r\n\
         SUMMARY:All day\r\nEND:VEVENT\r\nBEGIN:VEVENT\r\nUID:4\r\nDTSTAMP:20260101T000000Z\r\n\
         DTSTART;TZID=Europe/Lisbon:20260115T100000\r\nSUMMARY:Winter\r\nEND:VEVENT\r\nBEGIN:VEVENT\r\n\
         UID:5\r\nDTSTAMP:20260101T000000Z\r\nDTSTART;TZID=Europe/Lisbon:20260715T100000\r\n\
         SUMMARY:Summer\r\nEND:VEVENT\r\nBEGIN:VEVENT\r\nUID:6\r\nDTSTAMP:20260101T000000Z\r\n\
         DTSTART;TZID=Atlantis/Port:20260715T100000\r\nSUMMARY:Nowhere\r\nEND:VEVENT\r\nBEGIN:VTODO\r\nUID:3\r\nDTSTAMP:20260101T000000Z\r\n\
         DUE:20260501T100000Z\r\nSUMMARY:Pay\r\nSTATUS:NEEDS-ACTION\r\nEND:VTODO\r\nEND:VCALENDAR\r\n",
    );
    put(
        "people.vcf",
        "BEGIN:VCARD\r\nVERSION:3.0\r\nN:Sánchez;Ana;María;;\r\nFN:Ana María Sánchez\r\n\
         EMAIL;TYPE=work:ana@example.org\r\nTEL;TYPE=CELL:+41 44 000 00 00\r\n\
         ADR;TYPE=HOME:;;Main St 1;Town;;8000;Switzerland\r\n\
         PHOTO;ENCODING=b;TYPE=PNG:iVBORw0KGgo=\r\nEND:VCARD\r\n\
         BEGIN:VCARD\r\nVERSION:3.0\r\nBDAY:1970-07-14\r\nEND:VCARD\r\n",
    );
    put(
        "Notes/a.md",
        "---\ntitle: \"Yes: no\"\ntags: [home, \"2026\"]\naliases: [on]\nown: {a: [1, null]}\n---\n\
         # Flat\n---\n![[plan.png]]\n",
    );
    put("Notes/plan.png", "\u{89}PNG");
    put("Notes/b.md", "no front matter");
    put(
        "logins/export.json",
        &json!({"encrypted": false, "folders": [{"id": "f", "name": "Home/Net"}], "items": [
            {"id": "1", "type": 1, "name": "Bank", "folderId": "f", "favorite": true, "notes": null,
             "login": {"username": "u", "password": "p\"<&", "totp": "JBSWY3DPEHPK3PXP",
                "uris": [{"uri": "https://example.org", "match": null}]},
             "fields": [{"name": "pin", "value": "0000", "type": 1}]},
            {"id": "2", "type": 2, "name": "Safe", "secureNote": {"type": 0}, "notes": "left 3"},
            {"id": "3", "type": 3, "name": "Card", "card": {"number": "4111", "expYear": "2030"}}]})
        .to_string(),
    );
    put(
        "chat/conversations.json",
        &json!([{"title": "Talk", "create_time": 1, "conversation_id": "c", "current_node": "m",
            "mapping": {"m": {"id": "m", "parent": null, "children": [], "message": {"id": "m",
                "author": {"role": "user"}, "create_time": 2,
                "content": {"content_type": "text", "parts": ["Grüezi\u{2028}x"]}, "metadata": {}}}}}])
        .to_string(),
    );
    put(
        "bank.csv",
        "date,amount,currency,payee,reference\n2026-01-31,-12.50,CHF,\"Baker, the\",r1\n",
    );
    put(
        "health.jsonl",
        &json!({"kind": "observation", "id": "h1", "time": "2026-01-31T08:00:00Z", "fields": {
            "resourceType": "Observation", "status": "final",
            "code": {"coding": [{"system": "http://loinc.org", "code": "29463-7"}], "text": "Weight"},
            "effectiveDateTime": "2026-01-31T08:00:00Z", "valueQuantity": {"value": 61.5, "unit": "kg",
                "system": "http://unitsofmeasure.org", "code": "kg"}}})
        .to_string(),
    );
    put("plan.pdf", "%PDF-1.4 not really");
}

#[test]
fn a_made_life_goes_out_and_others_read_it() {
    let nora = Person::new();
    made_life(&nora);
    let ledger = import(&nora, &nora.path("life"));
    assert_eq!((&ledger["failed"], &ledger["skipped"]), (&json!(0), &json!(0)), "{ledger}");
    import_again(&nora, &nora.path("life"), &ledger);
    standard_forms(&nora);
}

#[test]
fn what_is_added_by_hand_is_what_others_read() {
    let nora = Person::new();
    for kind in ["observation", "event", "contact", "email", "note", "login", "task"] {
        let mut args = vec!["add", kind, "--title", "Pulse", "--text", "seventy"];
        if kind == "event" {
            args.extend(["start=2026-07-15T10:00:00", "timeZone=Europe/Lisbon"]);
        }
        nora.does(args);
    }
    let out = nora.path("out");
    let written = nora.asks(["export", "--all", out.to_str().unwrap()]);
    assert_eq!((&written["failed"], &written["records"]), (&json!([]), &json!(7)), "{written}");
    others_accept(&out, &written);
}

/// Nothing that goes out in standard forms comes back changed, in ten years of every kind.
#[test]
fn an_own_export_changes_nothing_where_it_came_from() {
    let nora = Person::without_vault();
    let mut demo = nora.command(["demo", "--keep"]);
    let done = Done::of(&demo.env("TMPDIR", nora.path("")).output().unwrap());
    assert_eq!(done.code, 0, "{done:?}");
    let kept = |entry: &fs::DirEntry| entry.file_name().to_string_lossy().starts_with("aura-demo-");
    let mut found = fs::read_dir(nora.path("")).unwrap().map(Result::unwrap);
    let life = found.find(kept).expect("the demo keeps its folder").path().join("life");

    let lin = Person::new();
    let ledger = import(&lin, &life);
    let out = lin.path("out");
    let written = lin.asks(["export", "--all", out.to_str().unwrap()]);
    assert_eq!(written["failed"], json!([]), "{written}");
    others_accept(&out, &written);
    let state = lin.state();
    let back = import(&lin, &out);
    assert_eq!((&back["new"], &back["merged"]), (&json!(0), &json!(0)), "{back}");
    assert_eq!((&back["unchanged"], lin.state()), (&ledger["new"], state), "{back}");
}
