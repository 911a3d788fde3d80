// SPDX-License-Identifier: MIT OR Apache-2.0
//! Importing notes, beside what others do with them: SQLite's FTS5, plain and inside SQLCipher.
//!
//! `cargo bench -p aura-vault --bench peers -- NOTES.jsonl [COUNT] [ROUNDS]` runs each in turn, every time in
//! a process and a folder of its own, reading the corpus included. All write durably: the peers with
//! `synchronous=FULL`, a write-ahead log, a cache of 64 MiB and 1,000 rows a transaction. Prints notes a
//! second of wall clock and of processor time (without what reading the corpus took), the memory peak, and the
//! vault's ratios to each peer.
#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::cast_precision_loss, missing_docs)]

mod ground;

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use aura_vault::gate::Principal;
use rusqlite::{Connection, params};
use zeroize::Zeroizing;

use ground::{cpu, load, memory_mib, notes};

const CONTENDERS: [&str; 3] = ["vault", "sqlcipher-fts5", "sqlite-fts5"];
const SCHEMA: &str = "
    CREATE TABLE item (id INTEGER PRIMARY KEY, title TEXT, body TEXT);
    CREATE VIRTUAL TABLE fts USING fts5 (title, body, content='item', content_rowid='id');
";
const KEY: &str = "x'2dd29ca851e7b56e4697b0e1f08507293d761a05ce4d1b628663f411a8086d99'";

/// Wall seconds, processor seconds, MiB at the peak.
#[derive(Clone, Copy)]
struct Figures([f64; 3]);

fn main() {
    let arguments: Vec<String> =
        std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let path = arguments.iter().find(|path| Path::new(path).is_file()).map(String::as_str);
    let mut numbers = arguments.iter().filter_map(|number| number.parse::<usize>().ok());
    let (count, rounds) = (numbers.next().unwrap_or(10_000), numbers.next().unwrap_or(3));
    match arguments.iter().find_map(|argument| argument.strip_prefix("--as=")) {
        Some(name) => alone(name, path, count),
        None => compare(path, count, rounds),
    }
}

/// Runs one of them in this process and prints its figures.
fn alone(name: &str, path: Option<&str>, count: usize) {
    let dir = tempfile::tempdir().unwrap();
    let ((start, before), reading) = match name {
        "vault" => {
            let vault =
                ground::vault(&dir.path().join("vault"), &Zeroizing::new("bench".to_owned()));
            let session = vault.session(Principal::Owner);
            let began = (Instant::now(), cpu());
            let (_, reading) = load(&session, notes(path, count));
            (began, reading)
        }
        name => {
            let connection = Connection::open(dir.path().join("peer.db")).unwrap();
            if name == "sqlcipher-fts5" {
                connection.pragma_update(None, "key", KEY).unwrap();
            }
            connection.pragma_update(None, "journal_mode", "WAL").unwrap();
            connection.pragma_update(None, "synchronous", "FULL").unwrap();
            connection.pragma_update(None, "cache_size", -65_536).unwrap();
            connection.execute_batch(SCHEMA).unwrap();
            let began = (Instant::now(), cpu());
            (began, fill(&connection, path, count))
        }
    };
    let (wall, used) = (start.elapsed(), cpu().saturating_sub(before + reading));
    println!("{} {} {}", wall.as_secs_f64(), used.as_secs_f64(), memory_mib("VmHWM"));
}

/// Fills a peer. Returns how long reading the corpus took.
fn fill(connection: &Connection, path: Option<&str>, count: usize) -> Duration {
    let mut notes = notes(path, count).zip(1i64..);
    let (mut reading, mut is_done) = (Duration::ZERO, false);
    while !is_done {
        connection.execute_batch("BEGIN").unwrap();
        let mut item = connection.prepare_cached("INSERT INTO item VALUES (?1, ?2, ?3)").unwrap();
        let sql = "INSERT INTO fts (rowid, title, body) VALUES (?1, ?2, ?3)";
        let mut text = connection.prepare_cached(sql).unwrap();
        for _ in 0..1000 {
            let start = Instant::now();
            let next = notes.next();
            reading += start.elapsed();
            let Some((note, id)) = next else {
                is_done = true;
                break;
            };
            item.execute(params![id, note.title, note.body]).unwrap();
            text.execute(params![id, note.title, note.body]).unwrap();
        }
        connection.execute_batch("COMMIT").unwrap();
    }
    reading
}

/// Runs each in turn, several times, and prints what came of it.
fn compare(path: Option<&str>, count: usize, rounds: usize) {
    let mut figures: Vec<[Figures; 3]> = Vec::new();
    for _ in 0..rounds {
        figures.push(CONTENDERS.map(|name| child(name, path, count)));
    }
    for (at, name) in CONTENDERS.into_iter().enumerate() {
        let each = |part: usize| spread(figures.iter().map(|round| round[at].0[part]).collect());
        let (wall, used, peak) = (each(0), each(1), each(2));
        println!(
            "{name}: {:.0}/s wall, {:.0}/CPU s, {:.2} s wall, {:.2} CPU s, peak {:.0} MiB",
            count as f64 / wall.1,
            count as f64 / used.1,
            wall.1,
            used.1,
            peak.2,
        );
    }
    for (at, name) in CONTENDERS.into_iter().enumerate().skip(1) {
        let ratio = |part: usize| {
            spread(figures.iter().map(|round| round[at].0[part] / round[0].0[part]).collect())
        };
        for (what, (least, median, most)) in [("wall", ratio(0)), ("CPU", ratio(1))] {
            println!(
                "vault against {name}, {what}: {median:.2} times as fast ({least:.2} to {most:.2}, \
                 {rounds} rounds)"
            );
        }
    }
}

fn child(name: &str, path: Option<&str>, count: usize) -> Figures {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.arg(format!("--as={name}")).args(path).arg(count.to_string());
    // As the program starts its daemon.
    command.env("MIMALLOC_ARENA_MAX_OBJECT_SIZE", "1024");
    let output = command.output().unwrap();
    assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    let said = String::from_utf8(output.stdout).unwrap();
    let numbers: Vec<f64> = said.split_whitespace().map(|word| word.parse().unwrap()).collect();
    Figures(numbers.try_into().unwrap())
}

/// Least, median, most.
fn spread(mut values: Vec<f64>) -> (f64, f64, f64) {
    values.sort_unstable_by(f64::total_cmp);
    (values[0], values[values.len() / 2], values[values.len() - 1])
}
