// SPDX-License-Identifier: MIT OR Apache-2.0
//! A store in a folder, in which anybody may put anything: names of files, and runs of entries.
//!
//! Their modules are the store's own and not public: they are built here once more.
#![no_main]
#![allow(dead_code, reason = "only what reads is called")]

#[path = "../../crates/aura-store/src/layout.rs"]
mod layout;

#[path = "../../crates/aura-store/src/folder/run.rs"]
mod run;

use aura_fuzz::input::{chosen, text};
use aura_protocol::head::Position;
use aura_protocol::id::Hash;

use crate::layout::{BoxFile, FolderLayout};

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let (choice, bytes) = chosen(input);
    match choice % 2 {
        0 => run(bytes),
        _ => name(&text(bytes)),
    }
});

/// A run has one encoding, and its entries link.
fn run(bytes: &[u8]) {
    let Ok(entries) = run::decode(bytes) else { return };
    assert_eq!(run::encode(&entries), bytes);
    let links = entries.windows(2).all(|pair| {
        let (before, after) = (&pair[0], &pair[1]);
        after.header().previous == before.hash() && after.header().feed == before.header().feed
    });
    assert!(links, "a run that does not link");
    assert_eq!(run::split(&entries).concat(), entries);
}

/// A name has one form and leads nowhere else.
fn name(name: &str) {
    if let Some(file) = BoxFile::parse(name) {
        assert_eq!(file.name(), name);
        assert!(!name.contains(['/', '\\', '.']));
    }
    if let Some(position) = FolderLayout::parse_head(name) {
        assert_eq!(FolderLayout::head_name(&position), name);
    }
    if let Some((first, last)) = FolderLayout::parse_run(name) {
        assert!(1 <= first && first <= last && !name.contains(['/', '\\', '.']));
        let position = Position { number: last, hash: Hash([0; 32]) };
        let made = FolderLayout::run_name(first, &position);
        assert_eq!(made.len(), name.len());
        assert_eq!(made.get(..34), name.get(..34));
    }
}
