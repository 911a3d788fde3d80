// SPDX-License-Identifier: MIT OR Apache-2.0
//! Exports as large as people have them, made here: how fast they come in, and in how much memory.
//!
//! Run by hand with an optimised program: `AURA_BIN=… cargo nextest run -p aura-e2e --run-ignored only
//! --no-capture`. `AURA_LARGE_MIB` is the size of the ChatGPT export, `AURA_LARGE_MAILS` how many mails.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a panic is a failed test, and a measurement is told"
)]

use std::env;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;
use std::time::Instant;

use aura_e2e::Person;
use serde_json::{Value, json};

/// Most memory that the daemon may have had while it took an export in.
const PEAK_MIB_MAX: u64 = 200;

fn number(name: &str, otherwise: u64) -> u64 {
    env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

/// The most memory that the daemon ever had, in MiB.
fn peak_mib(person: &Person) -> u64 {
    let pid = person.daemon().unwrap().as_raw_nonzero();
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
}

fn words(seed: u64, count: u64) -> String {
    const WORDS: [&str; 16] = [
        "harbour", "letter", "window", "river", "copper", "morning", "kitchen", "signal", "garden",
        "winter", "station", "mirror", "bridge", "paper", "lantern", "orchard",
    ];
    let mut text = String::new();
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    for _ in 0..count {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let pick = (state >> 40) as usize;
        write!(text, "{}{} ", WORDS[pick % 16], pick / 16 % 5000).unwrap();
    }
    text
}

fn conversation(number: u64) -> Value {
    let mut mapping = serde_json::Map::new();
    let id = |turn: u64| format!("{number:08x}-{turn:04x}");
    for turn in 0..20 {
        let role = if turn % 2 == 0 { "user" } else { "assistant" };
        let parent = (turn > 0).then(|| id(turn - 1));
        let children: Vec<String> = if turn < 19 { vec![id(turn + 1)] } else { Vec::new() };
        let message = json!({"id": id(turn), "author": {"role": role},
            "create_time": 1_700_000_000 + number * 100 + turn,
            "content": {"content_type": "text", "parts": [words(number * 32 + turn, 200)]},
            "metadata": {}});
        let node =
            json!({"id": id(turn), "parent": parent, "children": children, "message": message});
        mapping.insert(id(turn), node);
    }
    json!({"title": format!("Talk {number}"), "create_time": 1_700_000_000 + number,
        "conversation_id": format!("c{number:08x}"), "current_node": id(19), "mapping": mapping})
}

/// Writes conversations until the file has this size; returns how many.
fn conversations(path: &Path, bytes: u64) -> u64 {
    let mut out = BufWriter::new(File::create(path).unwrap());
    let (mut written, mut count) = (1u64, 0u64);
    out.write_all(b"[").unwrap();
    while written < bytes {
        let text = conversation(count).to_string();
        if count > 0 {
            out.write_all(b",").unwrap();
        }
        out.write_all(text.as_bytes()).unwrap();
        written += text.len() as u64 + 1;
        count += 1;
    }
    out.write_all(b"]").unwrap();
    out.flush().unwrap();
    count
}

fn mails(path: &Path, count: u64) {
    let mut out = BufWriter::new(File::create(path).unwrap());
    for number in 0..count {
        write!(
            out,
            "From a@example.org Thu Jan  1 00:00:00 2026\nFrom: A{} <a{}@example.org>\n\
             To: B <b@example.org>\nSubject: {}\nMessage-ID: <{number}@example.org>\n\
             Date: Thu, 1 Jan 2026 00:00:00 +0000\nMIME-Version: 1.0\n\
             Content-Type: text/plain; charset=utf-8\n\n{}\n\n",
            number % 500,
            number % 500,
            words(number, 4),
            words(number + (1 << 40), 150),
        )
        .unwrap();
    }
    out.flush().unwrap();
}

/// Imports a file; what came in, and how it went.
fn import(person: &Person, path: &Path, expected: u64) {
    let size = fs::metadata(path).unwrap().len();
    let start = Instant::now();
    let ledger = person.asks(["import", path.to_str().unwrap()]);
    let seconds = start.elapsed().as_secs().max(1);
    let peak = peak_mib(person);
    println!(
        "{expected} records of {} MiB in {seconds} s: {} a second, {peak} MiB of memory at most",
        size >> 20,
        expected / seconds
    );
    assert_eq!((&ledger["new"], &ledger["failed"]), (&json!(expected), &json!(0)), "{ledger}");
    assert!(peak < PEAK_MIB_MAX, "{peak} MiB");
    assert_eq!(person.asks(["verify"])["ok"], true);
}

#[test]
#[ignore = "takes minutes and gigabytes"]
fn a_chatgpt_export_of_a_gigabyte() {
    let nora = Person::new();
    let path = nora.path("conversations.json");
    let count = conversations(&path, number("AURA_LARGE_MIB", 1024) << 20);
    import(&nora, &path, count * 21);
}

#[test]
#[ignore = "takes minutes"]
fn a_hundred_thousand_mails() {
    let nora = Person::new();
    let path = nora.path("mail.mbox");
    let count = number("AURA_LARGE_MAILS", 100_000);
    mails(&path, count);
    import(&nora, &path, count);
}
