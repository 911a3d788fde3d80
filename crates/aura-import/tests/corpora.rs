// SPDX-License-Identifier: MIT OR Apache-2.0
//! Real mail and notes: nothing panics, every import sees the same, and little fails.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a test")]

mod found;

use std::path::PathBuf;
use std::time::Instant;

use found::Found;

fn folder(name: &str) -> Option<PathBuf> {
    let Some(root) = std::env::var_os("AURA_DATA") else {
        println!("skipped: AURA_DATA is not set");
        return None;
    };
    Some(PathBuf::from(root).join(name))
}

fn check(name: &str, least: usize) {
    let Some(path) = folder(name) else { return };
    let start = Instant::now();
    let found = Found::at(&path);
    let elapsed = start.elapsed();
    println!(
        "{name}: {} drafts, {} skipped, {} failed in {elapsed:?}",
        found.drafts.len(),
        found.skipped.len(),
        found.failed.len()
    );
    for (place, reason) in found.failed.iter().take(20) {
        println!("  failed: {place}: {reason}");
    }
    assert!(found.drafts.len() >= least);
    assert!(found.failed.len() * 20 <= found.drafts.len(), "at most one in twenty fails");
    assert_eq!(found.shape(), Found::at(&path).shape());
}

#[test]
fn real_mail() {
    check("packages/mail", 100);
}

#[test]
fn real_notes() {
    check("packages/notes", 1);
}
