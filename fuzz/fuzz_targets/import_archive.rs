// SPDX-License-Identifier: MIT OR Apache-2.0
//! Archives: what their lists of files say, and what comes out of them.
#![no_main]

use std::io::Read as _;
use std::path::Path;

use aura_fuzz::input::chosen;
use aura_fuzz::ledger::Ledger;
use aura_fuzz::scratch;
use aura_import::tree::{
    self, DEPTH_MAX, EXPANSION_FREE_BYTES, EXPANSION_MAX, PATH_BYTES_MAX, Tree,
};
use aura_import::{read, survey_tree};

const BLOCK: usize = 512;
/// Bytes that are read of each file: what expands further is a matter of time, not of parsing.
const READ_BYTES_MAX: u64 = 1 << 20;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let (choice, bytes) = chosen(input);
    let mut bytes = bytes.to_vec();
    // Where the checksums of a tar are made right, what lies behind them is reached.
    if choice % 2 == 1 {
        mend_tar(&mut bytes);
    }
    let place = scratch::file(&bytes);
    if let Ok(tree) = tree::open(&place) {
        list(tree.as_ref(), bytes.len() as u64);
        if content(tree.as_ref()) {
            import(tree.as_ref().entries().iter().map(|entry| entry.size).sum(), &place);
        }
    }
});

/// Names lead nowhere else, each stands once, and all sizes together are within what may expand.
fn list(tree: &dyn Tree, archive_bytes: u64) {
    let entries = tree.entries();
    assert!(entries.is_sorted_by(|a, b| a.path < b.path), "a name twice, or not in order");
    let mut sum = 0_u64;
    for entry in entries {
        let parts = entry.path.split('/');
        assert!(entry.path.len() <= PATH_BYTES_MAX && parts.clone().count() <= DEPTH_MAX);
        assert!(parts.clone().all(|part| !matches!(part, "" | "." | "..")), "{:?}", entry.path);
        assert!(!entry.path.contains(|c: char| c.is_control() || c == '\\'), "{:?}", entry.path);
        sum = sum.saturating_add(entry.size);
    }
    assert!(sum <= archive_bytes.saturating_mul(EXPANSION_MAX) + EXPANSION_FREE_BYTES, "a bomb");
    for refusal in tree.refused() {
        assert!(!refusal.place.contains(char::is_control));
        assert!(!refusal.reason.is_empty());
    }
}

/// Files have as many bytes as the list says, or an error. Says whether they are few enough to import.
fn content(tree: &dyn Tree) -> bool {
    let mut left = READ_BYTES_MAX;
    for entry in tree.entries().iter().take(64) {
        let Ok(mut opened) = tree.open(&entry.path) else { continue };
        let mut read = Vec::new();
        let outcome = opened.by_ref().take(READ_BYTES_MAX).read_to_end(&mut read);
        assert!(read.len() as u64 <= entry.size, "longer than the list says");
        if outcome.is_ok() && (read.len() as u64) < READ_BYTES_MAX {
            assert_eq!(read.len() as u64, entry.size, "shorter than the list says");
        }
        left = left.saturating_sub(entry.size);
    }
    left > READ_BYTES_MAX / 2 && tree.entries().len() <= 64
}

fn import(bytes: u64, place: &Path) {
    let Ok(tree) = tree::open(place) else { return };
    let refused = tree.refused().len();
    let survey = survey_tree(tree);
    // Names and times cost as well.
    let mut ledger = Ledger::new(bytes + (64 << 10));
    read(&survey, &mut ledger).expect("nobody stops");
    assert!(ledger.told.len() >= refused, "a refusal that nobody tells of");
}

/// Makes the checksum of each header right, going from header to header as their sizes say.
fn mend_tar(bytes: &mut [u8]) {
    let mut at = 0_usize;
    while let Some(block) = bytes.get_mut(at..).and_then(|rest| rest.get_mut(..BLOCK)) {
        block[148..156].fill(b' ');
        let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
        block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        let digits = block[124..135].iter().take_while(|byte| matches!(byte, b'0'..=b'7'));
        let size = digits.fold(0_usize, |size, digit| size * 8 + usize::from(digit - b'0'));
        at += BLOCK + size.min(bytes.len()).next_multiple_of(BLOCK);
    }
}
