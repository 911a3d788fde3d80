// SPDX-License-Identifier: MIT OR Apache-2.0
//! A word that only the person knows is in no file of the vault, and in nothing that the daemon says.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic is a failed test")]

use std::fs;

use aura_e2e::{Done, PASSWORD, Person};

/// In every place where content can be: each a different one, so that a leak names itself.
const WORDS: [&str; 8] = [
    "canarytitle",
    "canarytext",
    "canaryquery",
    "canaryfile",
    "canarybytes",
    "canarymail",
    "canarytag",
    "canaryedit",
];

fn has(bytes: &[u8], word: &[u8]) -> bool {
    bytes.windows(word.len()).any(|window| window.eq_ignore_ascii_case(word))
}

fn utf16(word: &str) -> Vec<u8> {
    word.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

fn assert_nowhere(nora: &Person, when: &str) {
    let files = nora.files();
    assert!(files.len() > 8, "{when}");
    let password = [PASSWORD, "canyon"];
    for (path, bytes) in files {
        for word in WORDS.iter().chain(&password) {
            let is_there = has(&bytes, word.as_bytes()) || has(&bytes, &utf16(word));
            assert!(!is_there, "{when}: {word} in {}", path.display());
        }
    }
}

/// Attacks TRF-08, SID-03, GRT-11.
#[test]
fn nothing_readable_reaches_the_disk_or_the_log() {
    let nora = Person::new();
    nora.does(["lock", "--stop"]);
    let daemon = nora.watches_daemon();
    fs::write(nora.path("canaryfile.txt"), "canarybytes ".repeat(20_000)).unwrap();
    let long = "canarytext and more ".repeat(5000);
    let args = ["--json", "add", "note", "--title", "canarytitle", "--text", &long];
    let added =
        nora.does([&args[..], &["--file", "canaryfile.txt", "keywords.canarytag=true"]].concat());
    let id = added.json()["id"].as_str().unwrap().to_owned();
    let mail = "From a@example.org Thu Jan  1 00:00:00 2026\nFrom: a@example.org\nSubject: canarymail\n\
                Message-ID: <1@example.org>\n\ncanarymail canarymail\n\n";
    fs::write(nora.path("mail.mbox"), mail.repeat(3)).unwrap();
    nora.types(["import", "mail.mbox"]);
    nora.does(["search", "canaryquery canarytext"]);
    nora.does(["edit", &id, "text=canaryedit"]);
    nora.does(["rm", &id]);
    nora.does(["undo", &id]);
    nora.types(["get", "canaryquery"]);
    nora.types(["search", "after:canaryquery"]);
    assert_nowhere(&nora, "while it is open");
    nora.does(["verify", "--rebuild"]);
    nora.does(["lock"]);
    assert_nowhere(&nora, "when it is locked");
    nora.does(["lock", "--stop"]);
    let said = Done::of(&daemon.wait_with_output().unwrap());
    assert_eq!((said.code, said.out.as_str(), said.err.as_str()), (0, "", ""));
    assert_nowhere(&nora, "when the daemon has ended");
}

/// Attacks TRF-08, SID-03, GRT-11.
#[test]
fn errors_do_not_repeat_what_was_in_records() {
    let nora = Person::new();
    let id = nora.adds("canarytitle", "canarytext").unwrap();
    for args in [
        vec!["edit", &id, "canaryedit"],
        vec!["get", &id, "--attachment", "x", "--out", "y"],
        vec!["add", "event", "--time", "never", "--text", "canarytext"],
        vec!["search", "category:canaryquery"],
    ] {
        let done = nora.types(&args);
        assert_ne!(done.code, 0, "{args:?}");
        let said = done.err.replace("`canaryedit`", "");
        assert!(!WORDS.iter().any(|word| said.contains(word)), "{args:?}: {done:?}");
    }
}
