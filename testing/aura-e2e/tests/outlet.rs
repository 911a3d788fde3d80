// SPDX-License-Identifier: MIT OR Apache-2.0
//! Exports that are killed, or run out of room: the last good one stays, and nothing readable is left
//! about (F-34).
//!
//! Rounds: 10, or as many as `AURA_CRASH_ROUNDS` says.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic is a failed test")]

use std::env;
use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use aura_e2e::{Done, Person, program};
use serde_json::{Value, json};

const BIG: u32 = 3 << 20;

/// Notes, mails, and a file of 3 MiB.
fn life(nora: &Person) {
    let notes = nora.path("life");
    fs::create_dir_all(&notes).unwrap();
    for number in 0..300 {
        fs::write(notes.join(format!("{number}.md")), format!("note {number}\n").repeat(20))
            .unwrap();
    }
    let mail = |number| {
        format!(
            "From a@example.org Thu Jan  1 00:00:00 2026\nFrom: a@example.org\n\
             Subject: {number}\nMessage-ID: <{number}@example.org>\n\nwords\n\n"
        )
    };
    fs::write(notes.join("mail.mbox"), (0..300).map(mail).collect::<String>()).unwrap();
    nora.does(["import", "life"]);
    let bytes: Vec<u8> = (0..BIG / 4).flat_map(u32::to_le_bytes).collect();
    fs::write(nora.path("big"), bytes).unwrap();
    nora.does(["add", "file", "--title", "big", "--file", "big"]);
}

/// How many records an export says that it has; every one of its files is what the manifest says.
fn whole(export: &Path) -> u64 {
    let manifest: Value =
        serde_json::from_slice(&fs::read(export.join("manifest.json")).unwrap()).unwrap();
    assert_eq!(manifest["failed"], json!([]));
    for file in manifest["files"].as_array().unwrap() {
        let size = fs::metadata(export.join(file["path"].as_str().unwrap())).unwrap().len();
        assert_eq!(file["size"], size, "{file}");
    }
    manifest["records"].as_u64().unwrap()
}

/// What lies beside the exports and is none.
fn left(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    names.filter_map(|name| name.into_string().ok()).filter(|name| name.starts_with('.')).collect()
}

#[test]
fn f_34_killed_while_it_exports() {
    let rounds: u32 =
        env::var("AURA_CRASH_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(10);
    let nora = Person::new();
    life(&nora);
    let folder = nora.path("exports");
    fs::create_dir(&folder).unwrap();
    let (all, archive) = (folder.join("all"), folder.join("life.aura"));
    let to = [
        ["--json", "export", "--all", all.to_str().unwrap()],
        ["--json", "export", "--archive", archive.to_str().unwrap()],
    ];
    let start = Instant::now();
    to.iter().for_each(|args| drop(nora.does(args)));
    let usual = start.elapsed() / 2;
    let mut records = whole(&all);
    for round in 0..rounds {
        nora.adds(&format!("round {round}"), "one more").unwrap();
        let export = nora.starts(to[usize::from(round % 2 == 1)]);
        // Over the whole length of an export, and a little beyond.
        thread::sleep(usual * (round * 7 % 11) / 9 + Duration::from_millis(3));
        nora.kills_daemon();
        let done = Done::of(&export.wait_with_output().unwrap());
        let found = whole(&all);
        let now = nora.asks(["status"])["records"].as_u64().unwrap();
        if round % 2 == 0 && done.code == 0 {
            assert_eq!(found, now, "acknowledged and not there");
        }
        assert!(found == records || found == now, "round {round}: {found}");
        records = found;
        let text = fs::read_to_string(&archive).unwrap();
        assert!(text.lines().last().unwrap().starts_with("{\"end\":"), "round {round}");
    }
    to.iter().for_each(|args| drop(nora.does(args)));
    assert_eq!(whole(&all), nora.asks(["status"])["records"].as_u64().unwrap());
    assert_eq!(left(&folder), Vec::<String>::new());
}

#[test]
fn f_34_no_room_for_an_export() {
    let nora = Person::new();
    life(&nora);
    let folder = nora.path("exports");
    fs::create_dir(&folder).unwrap();
    let (all, archive) = (folder.join("all"), folder.join("life.aura"));
    nora.does(["export", "--all", all.to_str().unwrap()]);
    nora.does(["export", "--archive", archive.to_str().unwrap()]);
    let before = (whole(&all), fs::read(&archive).unwrap());
    nora.adds("one more", "text").unwrap();
    nora.does(["lock", "--stop"]);

    // No file may become larger than 2 MiB, which the vault's own are not.
    let limited = "trap '' XFSZ; ulimit -f 4096; exec \"$0\" \"$@\"";
    let mut daemon = Command::new("dash");
    daemon.args(["-c", limited]).arg(program()).arg("--home").arg(nora.home()).arg("daemon");
    daemon.env("AURA_COST", "least").stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
    let mut daemon = daemon.spawn().unwrap();
    while nora.daemon().is_none() {
        assert!(daemon.try_wait().unwrap().is_none(), "the daemon ended");
        thread::sleep(Duration::from_millis(10));
    }
    for args in [
        ["export", "--all", all.to_str().unwrap()],
        ["export", "--archive", archive.to_str().unwrap()],
    ] {
        let done = nora.types(args);
        assert!(done.code != 0 && done.code != 7, "{done:?}");
        assert!(done.err.contains("as they were"), "{done:?}");
    }
    assert_eq!((whole(&all), fs::read(&archive).unwrap()), before);
    assert_eq!(left(&folder), Vec::<String>::new());
    // Reading and writing go on.
    nora.adds("still", "here").unwrap();
    nora.does(["lock", "--stop"]);
    daemon.wait().unwrap();
    nora.does(["export", "--all", all.to_str().unwrap()]);
    assert_eq!(whole(&all), before.0 + 2);
}
