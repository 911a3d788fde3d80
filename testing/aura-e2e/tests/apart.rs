// SPDX-License-Identifier: MIT OR Apache-2.0
//! Devices that are apart for weeks, with a whole life in the vault and a server between them that is restarted,
//! killed and away meanwhile: in the end both have everything.
//!
//! The weeks are shown to the programs by libfaketime; where that is not installed the test says that it is skipped.
//! `AURA_DATA` names a folder of real exports; without it there are a few notes.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a panic is a failed test, and a skipped test says so"
)]

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use aura_e2e::Person;
use aura_e2e::clock::Clock;
use aura_e2e::host::{Host, adds_server, joins, meet};
use serde_json::json;

/// Days from one look at the devices to the next.
const WEEK: u32 = 7;

/// A life in the vault, and an account at the server.
fn settled(host: &Host) -> Person {
    let nora = Person::new();
    if let Some(data) = env::var_os("AURA_DATA") {
        let done = nora.types(["--json", "import", data.to_str().unwrap()]);
        assert!(matches!(done.code, 0 | 7), "{done:?}");
        println!("imported: {}", done.json()["new"]);
    } else {
        println!("without AURA_DATA: three notes");
        (0..3).for_each(|at| drop(nora.adds(&format!("Note {at}"), "a text").unwrap()));
    }
    let added = adds_server(&nora, host, "nora");
    assert_eq!(added.code, 0, "{added:?}");
    nora.does(["sync"]);
    nora
}

/// The person shuts the device, and opens it so many days from now.
fn wakes(person: &mut Person, clock: &Clock, days: u32) {
    person.does(["lock", "--stop"]);
    person.clock = Some(clock.after(days));
    person.does(["unlock"]);
}

/// The day so many days from now, as a record says it.
fn day(ahead: u32) -> String {
    let days = format!("+{ahead} days");
    let said = Command::new("date").args(["-u", "-d", &days, "+%Y-%m-%d"]).output().unwrap();
    String::from_utf8(said.stdout).unwrap().trim().to_owned()
}

/// Six weeks: the phone lies in a drawer but for one afternoon without a network, the laptop is used, killed and
/// restarted, and the server is restarted, killed and away.
#[test]
fn six_weeks_apart() {
    let Some(clock) = Clock::find() else {
        println!("skipped: libfaketime is not installed");
        return;
    };
    let mut host = Host::new();
    let mut nora = settled(&host);
    let shared = nora.adds("Shared", "as it was").unwrap();
    let doomed = nora.adds("Doomed", "as it was").unwrap();
    let mut phone = joins(&nora, &host);
    phone.does(["lock", "--stop"]);
    let begun = nora.asks(["status"])["records"].as_u64().unwrap();

    let mut written = 0;
    for week in 1..=6 {
        let days = week * WEEK;
        wakes(&mut nora, &clock, days);
        if host.process().is_some() {
            host.is_killed();
        }
        let is_away = week == 3;
        if !is_away {
            host.clock = Some(clock.after(days));
            host.starts();
        }
        for at in 0..5 {
            nora.adds(&format!("Week {week} {at}"), &format!("word{week}x{at}")).unwrap();
            written += 1;
        }
        fs::write(nora.path("blob.bin"), vec![u8::try_from(week).unwrap(); 700_000]).unwrap();
        nora.does(["add", "note", "--title", "Blob", "--file", "blob.bin"]);
        written += 1;
        nora.does(["edit", &shared, &format!("name=Week {week}")]);
        if week == 2 {
            nora.does(["rm", &doomed]);
        }
        if is_away {
            // The afternoon of the phone: a field of its own, one that both change, and one that was deleted elsewhere.
            assert_eq!(nora.types(["sync"]).code, 6, "the server is away");
            phone.clock = Some(clock.after(days));
            phone.does(["edit", &shared, "text=from the train"]);
            phone.does(["edit", &doomed, "text=still needed"]);
            phone.adds("Train", "wombatword").unwrap();
            written += 1;
            phone.does(["lock", "--stop"]);
        } else if week % 2 == 0 {
            nora.kills_daemon();
        } else {
            nora.does(["sync"]);
        }
    }

    wakes(&mut phone, &clock, 6 * WEEK);
    meet(&phone, &nora);
    assert_eq!(phone.state(), nora.state());
    for person in [&nora, &phone] {
        let record = person.asks(["get", &shared]);
        assert_eq!(record["fields"]["name"], "Week 6", "{record}");
        assert_eq!(record["fields"]["text"], "from the train", "{record}");
        // The test may have begun before midnight.
        let modified = record["modified"].as_str().unwrap();
        let is_shown = [41, 42].into_iter().any(|ahead| modified.starts_with(&day(ahead)));
        assert!(is_shown, "{modified}");
        assert!(!person.lists(["search", "wombatword"]).is_empty());
        assert!(!person.lists(["search", "word6x4"]).is_empty());
        let status = person.asks(["status"]);
        let is_back = person.tries(["get", &doomed]).code == 0;
        let kept = begun + written - u64::from(!is_back);
        assert_eq!(status["records"], json!(kept), "{status}");
        assert_eq!(status["warnings"], json!([]), "{status}");
        assert_eq!(person.asks(["verify"])["ok"], true);
        let synced = person.asks(["sync"]);
        assert_eq!(synced["stores"][0]["findings"], json!([]), "{synced}");
    }
}

/// REP-27, fault F-25: a folder that lost a single piece of an attachment shows the same heads as before. Within a week a
/// device that has the piece brings it again.
#[test]
fn a_lost_piece_is_brought_again_within_a_week() {
    fn pieces(folder: &Path) -> Vec<PathBuf> {
        let mut found = Vec::new();
        for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if entry.is_dir() {
                found.extend(pieces(&entry));
            } else if entry.components().any(|part| part.as_os_str() == "chunks") {
                found.push(entry);
            }
        }
        found
    }
    let Some(clock) = Clock::find() else {
        println!("skipped: libfaketime is not installed");
        return;
    };
    let mut nora = Person::new();
    let folder = tempfile::tempdir().unwrap();
    fs::write(nora.path("blob.bin"), vec![7; 300_000]).unwrap();
    nora.does(["add", "note", "--title", "Blob", "--file", "blob.bin"]);
    nora.does(["store", "add", folder.path().to_str().unwrap()]);
    nora.does(["sync"]);
    let whole = pieces(folder.path());
    assert_eq!(whole.len(), 1);
    fs::remove_file(&whole[0]).unwrap();
    wakes(&mut nora, &clock, 3);
    nora.does(["sync"]);
    assert_eq!(pieces(folder.path()), Vec::<PathBuf>::new(), "not each time");
    wakes(&mut nora, &clock, 8);
    nora.does(["sync"]);
    assert_eq!(pieces(folder.path()), whole);
}
