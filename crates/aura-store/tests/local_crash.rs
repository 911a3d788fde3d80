// SPDX-License-Identifier: MIT OR Apache-2.0
//! Power cuts, torn writes, rot, failing calls and kills: what was acknowledged is there, nothing is
//! there by half, or an error names the file (F-01, F-02, F-04, F-05, F-06, F-08).
//!
//! A power cut is simulated on images of the files: between two syncs any subset of the sectors that
//! were written may have reached the disk. Failing calls and kills at the Nth call are real, made by
//! `strace` around a child that runs this same binary.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "tests")]

mod workload;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use aura_store::local::OpenError;
use aura_testkit::seed::Seed;
use rusqlite::Connection;
use workload::{Step, create, open, scratch, steps, steps_in, take};

/// The database's page size, in bytes.
const PAGE: usize = 4096;

/// The files of a store at one moment.
#[derive(Clone)]
struct Image {
    database: Vec<u8>,
    log: Vec<u8>,
}

fn image(folder: &Path) -> Image {
    let read = |name: &str| fs::read(folder.join(name)).unwrap_or_default();
    Image { database: read("store.db"), log: read("store.db-wal") }
}

/// Opens an image beside the true chunks and says how many steps it has.
fn steps_of(image: &Image, chunks: &Path, steps: &[Step]) -> Result<usize, OpenError> {
    let folder = scratch();
    fs::write(folder.path().join("store.db"), &image.database).unwrap();
    fs::write(folder.path().join("store.db-wal"), &image.log).unwrap();
    fs::write(folder.path().join("store.reserve"), b"").unwrap();
    copy_chunks(chunks, &folder.path().join("chunks"));
    let store = open(folder.path())?;
    let count = steps_in(&store, steps);
    // It goes on from where it is.
    if let Some(next) = steps.get(count) {
        take(&store, next).unwrap();
        assert_eq!(steps_in(&store, steps), count + 1);
    }
    Ok(count)
}

fn copy_chunks(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let (from, to) = (entry.as_ref().unwrap().path(), to.join(entry.unwrap().file_name()));
        if from.is_dir() {
            copy_chunks(&from, &to);
        } else {
            fs::copy(from, to).unwrap();
        }
    }
}

/// An image in which only some sectors of what changed from `before` to `after` were written.
fn torn(before: &[u8], after: &[u8], sector: usize, seed: &mut Seed) -> Vec<u8> {
    let mut bytes = after.to_vec();
    let garbage = seed.array::<1>()[0];
    for (at, block) in bytes.chunks_mut(sector).enumerate() {
        let old = before.get(at * sector..).unwrap_or_default();
        let old = &old[..old.len().min(block.len())];
        if seed.below(2) == 0 || old == block {
            continue;
        }
        // What was never written before may hold anything.
        block.fill(garbage);
        block[..old.len()].copy_from_slice(old);
    }
    bytes
}

/// Faults F-01, F-02: between two commits the log's new tail is cut, torn or filled with anything.
#[test]
fn f_01_f_02_a_power_cut_between_commits() {
    let (vault, steps) = steps(9);
    let folder = scratch();
    let store = create(folder.path(), vault);
    let chunks = folder.path().join("chunks");
    let mut before = image(folder.path());
    let mut seed = Seed::new(1);
    for (acked, step) in steps.iter().enumerate() {
        take(&store, step).unwrap();
        let after = image(folder.path());
        assert_eq!(before.database, after.database, "no copying back in this test");
        let tail = before.log.len()..after.log.len();
        for cut in tail.clone().step_by(4096).chain([tail.end - 1, tail.start + 13]) {
            let log = after.log[..cut].to_vec();
            let cut = Image { log, ..before.clone() };
            assert_eq!(steps_of(&cut, &chunks, &steps).unwrap(), acked);
        }
        for sector in [512, 4096].repeat(6) {
            let log = torn(&before.log, &after.log, sector, &mut seed);
            let count = steps_of(&Image { log, ..before.clone() }, &chunks, &steps).unwrap();
            assert!(count == acked || count == acked + 1, "{count} of {acked}");
        }
        assert_eq!(steps_of(&after, &chunks, &steps).unwrap(), acked + 1);
        before = after;
    }
}

/// Faults F-01, F-02: while the log is copied back, any subset of the database's sectors is new; afterwards,
/// any subset of the log's restart.
#[test]
fn f_01_f_02_a_power_cut_while_copying_back() {
    let (vault, steps) = steps(13);
    let folder = scratch();
    let store = create(folder.path(), vault);
    let chunks = folder.path().join("chunks");
    let mut seed = Seed::new(2);
    let mut count = 0;
    for round in steps.chunks(4) {
        for step in round {
            take(&store, step).unwrap();
            count += 1;
        }
        let before = image(folder.path());
        let copy = Connection::open(folder.path().join("store.db")).unwrap();
        copy.query_row("PRAGMA wal_checkpoint(RESTART)", [], |_| Ok(())).unwrap();
        let after = image(folder.path());
        assert_ne!(before.database, after.database);
        for sector in [512, 4096].repeat(8) {
            let database = torn(&before.database, &after.database, sector, &mut seed);
            // The file may have grown without any of its new sectors, or not yet have grown.
            let keep = if seed.below(2) == 0 { database.len() } else { before.database.len() };
            let database = database[..keep.min(database.len())].to_vec();
            let cut = Image { database, log: before.log.clone() };
            assert_eq!(steps_of(&cut, &chunks, &steps).unwrap(), count);
        }
        // The next write begins the log anew over the old frames.
        let Some(next) = steps.get(count) else { break };
        take(&store, next).unwrap();
        let begun = image(folder.path());
        for sector in [512, 4096].repeat(8) {
            let log = torn(&after.log, &begun.log, sector, &mut seed);
            let cut = Image { database: after.database.clone(), log };
            let found = steps_of(&cut, &chunks, &steps).unwrap();
            assert!(found == count || found == count + 1, "{found} of {count}");
        }
        assert_eq!(steps_of(&begun, &chunks, &steps).unwrap(), count + 1);
    }
}

/// Faults F-02, F-08: rot in the log ends it there: a whole prefix of the steps, never a wrong byte.
#[test]
fn f_08_rot_in_the_log_leaves_a_prefix() {
    let (vault, steps) = steps(8);
    let folder = scratch();
    let store = create(folder.path(), vault);
    steps.iter().for_each(|step| take(&store, step).unwrap());
    let whole = image(folder.path());
    let chunks = folder.path().join("chunks");
    let mut seed = Seed::new(3);
    let mut lost = 0;
    for _ in 0..60 {
        let mut image = whole.clone();
        let at = usize::try_from(seed.below(image.log.len() as u64)).unwrap();
        image.log[at] ^= 1 << seed.below(8);
        match steps_of(&image, &chunks, &steps) {
            Ok(count) => lost += usize::from(count < steps.len()),
            Err(error) => assert!(matches!(error, OpenError::Damaged(_)), "{error:?}"),
        }
    }
    assert!(lost > 10, "rot was noticed {lost} times");
}

/// Fault F-08: a flipped bit in any page of the database: named, or of no consequence; never a wrong byte.
#[test]
fn f_08_rot_in_the_database_is_named() {
    let (vault, steps) = steps(8);
    let folder = scratch();
    let store = create(folder.path(), vault);
    steps.iter().for_each(|step| take(&store, step).unwrap());
    drop(store);
    let whole = image(folder.path());
    assert!(whole.log.is_empty());
    let mut seed = Seed::new(4);
    let (mut named, pages) = (0, whole.database.len() / PAGE);
    for at in 0..pages * 6 {
        let mut database = whole.database.clone();
        let within = usize::try_from(seed.below(PAGE as u64)).unwrap();
        // The first bytes of a page say the most: hit them often.
        let within = if at % 3 == 0 { within % 100 } else { within };
        database[(at / 6) * PAGE + within] ^= 1 << seed.below(8);
        named +=
            usize::from(is_named_or_harmless(&database, &folder.path().join("chunks"), &steps));
    }
    assert!(named > pages, "rot was named {named} times in {pages} pages");
}

fn is_named_or_harmless(database: &[u8], chunks: &Path, steps: &[Step]) -> bool {
    use aura_protocol::store::{LocalLog, StoreError};
    let folder = scratch();
    fs::write(folder.path().join("store.db"), database).unwrap();
    fs::write(folder.path().join("store.reserve"), b"").unwrap();
    copy_chunks(chunks, &folder.path().join("chunks"));
    let store = match open(folder.path()) {
        Ok(store) => store,
        Err(
            OpenError::Damaged(_)
            | OpenError::Foreign
            | OpenError::Newer { .. }
            | OpenError::Store(_),
        ) => return true,
        Err(error) => panic!("{error:?}"),
    };
    let mut is_named = store.verify().is_err();
    for entry in steps.iter().flat_map(|step| &step.entries) {
        match store.entry(entry.header().feed, entry.header().number) {
            Ok(found) => assert_eq!(&found, entry),
            Err(StoreError::Io(error)) => panic!("{error:?}"),
            Err(_) => is_named = true,
        }
    }
    match LocalLog::heads(&store) {
        Ok(heads) if heads.iter().any(|head| *head == steps[7].head) => {}
        _ => is_named = true,
    }
    is_named || store.verify().is_ok_and(|damages| !damages.is_empty())
}

const CHILD: &str = "AURA_STORE_CHILD";
const CHILD_STEPS: usize = 9;

/// Not a test: what the tests below run in a process of its own. Says after each step whether it was
/// acknowledged; after a failure, reads everything back and tries the same step once more.
#[test]
fn child() {
    let Some(folder) = std::env::var_os(CHILD) else { return };
    let folder = Path::new(&folder);
    let (_, steps) = steps(CHILD_STEPS);
    let Ok(store) = open(folder) else { return };
    let from = steps_in(&store, &steps);
    let mut has_failed = false;
    for (at, step) in steps.iter().enumerate().skip(from) {
        if let Err(error) = take(&store, step) {
            println!("\nfailed {at} {error:?}");
            assert!(!has_failed, "a fault comes once");
            has_failed = true;
            // F-05: reading still works, and shows nothing of what failed.
            assert_eq!(steps_in(&store, &steps), at);
            if take(&store, step).is_err() {
                return;
            }
        }
        println!("\nacked {}", at + 1);
    }
    println!("\ndone");
}

struct Outcome {
    acked: usize,
    has_failed: bool,
    is_done: bool,
}

/// Runs the child, `with` around it, on a fresh store that has the first step.
fn run_child(with: &[String], folder: &Path) -> Outcome {
    begin(folder);
    run_child_on(with, folder)
}

/// A fresh store that has the first step.
fn begin(folder: &Path) {
    let (vault, steps) = steps(CHILD_STEPS);
    let store = create(folder, vault);
    take(&store, &steps[0]).unwrap();
}

/// Runs the child, `with` around it, on the store that is there.
fn run_child_on(with: &[String], folder: &Path) -> Outcome {
    let program = std::env::current_exe().unwrap();
    let mut words: Vec<&str> = with.iter().map(String::as_str).collect();
    words.push(program.to_str().unwrap());
    words.extend(["--exact", "child", "--nocapture", "--test-threads=1"]);
    let output = Command::new(words[0])
        .args(&words[1..])
        .env(CHILD, folder)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let said_so = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!said_so.contains("panicked"), "{said}\n{said_so}");
    let acked = said.lines().rev().find_map(|line| line.strip_prefix("acked "));
    Outcome {
        acked: acked.map_or(1, |count| count.parse().unwrap()),
        has_failed: said.contains("\nfailed "),
        is_done: said.contains("\ndone"),
    }
}

/// After the child: all that was acknowledged, at most one step more, and it goes on.
fn check(folder: &Path, outcome: &Outcome) {
    let (_, steps) = steps(CHILD_STEPS);
    let store = open(folder).unwrap();
    let count = steps_in(&store, &steps);
    assert!(count == outcome.acked || count == outcome.acked + 1, "{count}, {}", outcome.acked);
    steps[count..].iter().for_each(|step| take(&store, step).unwrap());
    assert_eq!(steps_in(&store, &steps), CHILD_STEPS);
}

fn strace(calls: &str, effect: &str, when: usize) -> Option<Vec<String>> {
    let is_there = Command::new("strace").arg("-V").stdout(Stdio::null()).status();
    if !is_there.is_ok_and(|status| status.success()) {
        println!("skipped: strace is not installed");
        return None;
    }
    let inject = format!("inject={calls}:{effect}:when={when}");
    let trace = format!("trace={calls}");
    let words = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", &trace, "-e", &inject];
    Some(words.map(str::to_owned).to_vec())
}

/// Faults F-04, F-06, F-05: the Nth writing call of each kind fails once.
#[test]
fn f_04_f_05_f_06_each_writing_call_fails_once() {
    let kinds = [
        ("pwrite64", "error=EIO"),
        ("pwrite64", "error=ENOSPC"),
        ("fsync", "error=EIO"),
        ("ftruncate", "error=EIO"),
        ("rename", "error=EIO"),
        ("mkdir", "error=ENOSPC"),
    ];
    for (calls, effect) in kinds {
        let mut failures = 0;
        // A full disk is swept more coarsely; it has tests of its own.
        for when in (1..).step_by(if effect == "error=ENOSPC" { 3 } else { 1 }) {
            let folder = scratch();
            let Some(with) = strace(calls, effect, when) else { return };
            let outcome = run_child(&with, folder.path());
            failures += usize::from(outcome.has_failed);
            check(folder.path(), &outcome);
            // Past the last such call nothing is hit any more.
            if outcome.is_done && !outcome.has_failed && when > 12 || when > 60 {
                break;
            }
        }
        println!("{calls} {effect}: {failures} failures were told");
        assert!(failures > 0 || calls == "ftruncate", "{calls} {effect}");
        assert!(calls != "pwrite64" || failures > 15, "{calls} {effect}");
    }
}

/// Fault F-01: nothing is acknowledged before the log is synced, and no chunk before its file and directory.
#[test]
fn f_01_every_append_is_synced() {
    let (folder, calls) = (scratch(), scratch());
    let record = calls.path().join("calls");
    let Some(_) = strace("fsync", "error=EIO", 1) else { return };
    let words = ["strace", "-f", "-qq", "-y", "-e", "trace=fsync,fdatasync", "-o"];
    let mut with = words.map(str::to_owned).to_vec();
    with.push(record.to_str().unwrap().to_owned());
    let outcome = run_child(&with, folder.path());
    assert!(outcome.is_done);
    let record = fs::read_to_string(record).unwrap();
    let synced = |part: &str| record.lines().filter(|line| line.contains(part)).count();
    let (_, steps) = steps(CHILD_STEPS);
    let chunks = steps.iter().filter(|step| step.chunk.is_some()).count();
    assert!(synced("store.db-wal>") >= CHILD_STEPS - 1, "{record}");
    assert_eq!(synced("/chunks/new/"), chunks, "{record}");
    assert!(synced("/chunks/") >= chunks * 2, "{record}");
}

/// Fault F-01: killed at the Nth writing call.
#[test]
fn f_01_killed_at_each_writing_call() {
    for calls in ["pwrite64", "fsync", "rename"] {
        for when in 1.. {
            let folder = scratch();
            let Some(with) = strace(calls, "signal=KILL", when) else { return };
            let outcome = run_child(&with, folder.path());
            check(folder.path(), &outcome);
            if outcome.is_done || when > 60 {
                break;
            }
        }
    }
}

/// STO-23, fault F-26: killed at the Nth writing call, while a store of the first version is brought to this one and then
/// written to.
#[test]
fn f_26_killed_while_it_is_brought_to_this_version() {
    const FIRST: &str = "DROP TABLE copies; ALTER TABLE feeds DROP COLUMN floor;
        ALTER TABLE feeds DROP COLUMN floor_hash; PRAGMA user_version = 1";
    for calls in ["pwrite64", "fsync"] {
        for when in 1.. {
            let folder = scratch();
            let Some(with) = strace(calls, "signal=KILL", when) else { return };
            begin(folder.path());
            let database = Connection::open(folder.path().join("store.db")).unwrap();
            database.execute_batch(FIRST).unwrap();
            drop(database);
            let outcome = run_child_on(&with, folder.path());
            check(folder.path(), &outcome);
            if outcome.is_done || when > 60 {
                break;
            }
        }
    }
}

/// Fault F-05: no file may grow beyond a size; every size is tried.
#[cfg(unix)]
#[test]
fn f_05_no_file_grows_beyond_a_size() {
    let mut failures = 0;
    for blocks in (40..400).step_by(9) {
        let folder = scratch();
        // A file limit is in blocks of 512 bytes; without the signal the write itself fails.
        let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$@\"");
        let with = ["sh", "-c", &script, "sh"].map(str::to_owned);
        let outcome = run_child(&with, folder.path());
        failures += usize::from(outcome.has_failed);
        check(folder.path(), &outcome);
    }
    assert!(failures > 10, "{failures} failures were told");
}

/// Fault F-01: killed at any time, again and again.
#[test]
fn f_01_killed_at_any_time() {
    let mut seed = Seed::new(6);
    for _ in 0..12 {
        let folder = scratch();
        let after = format!("0.{:03}", seed.below(120) + 5);
        let with = ["timeout", "-s", "KILL", &after].map(str::to_owned);
        let outcome = run_child(&with, folder.path());
        check(folder.path(), &outcome);
    }
}
