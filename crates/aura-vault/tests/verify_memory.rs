// SPDX-License-Identifier: MIT OR Apache-2.0
//! F-37: what `verify` needs of memory does not grow with the vault.
//!
//! The vault is filled here and checked by a process of its own, whose peak the kernel tells.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic is a failed test")]
#![cfg(target_os = "linux")]

mod support;

use std::path::Path;
use std::process::Command;

use support::{Bench, fields, load, note, owner, password};

const HOME: &str = "AURA_TEST_HOME";
/// Bytes of a record that are not searched for, so that filling is quick.
const FILL: usize = 16 << 10;
/// What a check may need beside what opening took: caches of both databases and a page of rows.
const GROWTH_KIB_MAX: u64 = 40 << 10;

fn fill(bench: &Bench, records: usize) {
    let (vault, _) = bench.create();
    let session = owner(&vault);
    let (run, mut importer) = session.importer().unwrap();
    for n in 0..records {
        let mut draft = note(&n.to_string(), "A note", "short");
        draft.fields = fields(serde_json::json!({"name": "A note", "extra": "x".repeat(FILL)}));
        importer.take(&draft).unwrap();
    }
    importer.finish(run, &serde_json::Value::Null).unwrap();
    drop(session);
    vault.lock().1.unwrap();
}

fn kib(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(name)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Checks the vault that the environment names; run by the test below, in a process of its own.
#[test]
fn child() {
    let Some(home) = std::env::var_os(HOME) else { return };
    let bench = Bench::new();
    let vault = load(Path::new(&home)).unlock(&password(support::PASSWORD), bench.environment());
    let vault = vault.map_err(|(_, error)| error).unwrap();
    let session = owner(&vault);
    // From here on the peak counts anew.
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
    let before = kib("VmRSS:");
    assert!(session.verify(&mut |_| {}).unwrap().is_ok());
    println!("grew by {} KiB", kib("VmHWM:").saturating_sub(before));
}

#[test]
fn f_37_a_check_needs_no_more_memory_for_more_records() {
    if std::fs::write("/proc/self/clear_refs", "5").is_err() {
        println!("skipped: the kernel does not tell the peak anew");
        return;
    }
    let bench = Bench::new();
    // About 96 MB of records.
    fill(&bench, 6000);
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--nocapture"])
        .env(HOME, bench.home())
        .output()
        .unwrap();
    let out = String::from_utf8_lossy(&child.stdout);
    assert!(child.status.success(), "{out}");
    let grew = out.lines().find_map(|line| line.split("grew by ").nth(1)).unwrap();
    println!("{grew}");
    let grew: u64 = grew.split(' ').next().unwrap().parse().unwrap();
    assert!(grew < GROWTH_KIB_MAX, "{grew} KiB");
}
