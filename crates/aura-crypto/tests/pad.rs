// SPDX-License-Identifier: MIT OR Apache-2.0
//! Padding from the outside (spec/padding.md).
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::cast_possible_truncation,
    reason = "a test that cannot go on says so"
)]

use aura_crypto::pad::{pad_entry, padded_len, padme_len, unpad};
use proptest::prelude::*;

proptest! {
    /// PAD-1: never shorter, at most an eighth longer, and settled: a Padmé length is its own.
    #[test]
    fn padme_is_tight_and_idempotent(len in 0usize..1 << 40) {
        let padded = padme_len(len);
        prop_assert!(padded >= len && padded - len <= len / 8);
        prop_assert_eq!(padme_len(padded), padded);
    }

    /// PAD-2, PAD-3: padding comes off again, and there is one padded form for each body.
    #[test]
    fn padding_comes_off(body in proptest::collection::vec(any::<u8>(), 0..9000)) {
        let padded = pad_entry(body.clone());
        prop_assert_eq!(padded.len(), padded_len(body.len()));
        prop_assert_eq!(unpad(&padded), Some(body.as_slice()));
        let longer = [padded.as_slice(), &[0]].concat();
        prop_assert_eq!(unpad(&longer), None);
        prop_assert_eq!(unpad(&padded[..padded.len() - 1]), None);
    }
}

/// PAD-1: few size classes: 225 up to 1 MiB from 4 KiB down to one.
#[test]
fn size_classes_are_few() {
    let mut classes: Vec<usize> = (0..1 << 20).map(padded_len).collect();
    classes.dedup();
    assert!(classes.len() < 226, "{}", classes.len());
    assert_eq!(classes[0], 4096);
    assert_eq!(padme_len(usize::MAX), usize::MAX);
}
