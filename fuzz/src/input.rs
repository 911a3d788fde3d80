// SPDX-License-Identifier: MIT OR Apache-2.0
//! Taking an input apart, and the invariant that most parsers have in common.

use core::fmt::Debug;

use aura_protocol::codec::{Decode, Encode};

/// The first byte and what follows it; an input without one is the choice 0 of nothing.
pub fn chosen(input: &[u8]) -> (u8, &[u8]) {
    input.split_first().map_or((0, input), |(choice, rest)| (*choice, rest))
}

/// The first `N` bytes, filled up with zeros, and what follows them.
pub fn first<const N: usize>(bytes: &[u8]) -> ([u8; N], &[u8]) {
    let (head, rest) = bytes.split_at(bytes.len().min(N));
    let mut filled = [0; N];
    filled[..head.len()].copy_from_slice(head);
    (filled, rest)
}

/// What decodes has one encoding: the bytes that it came from.
pub fn comes_back<T: Decode + Encode>(bytes: &[u8], max: usize) -> Option<T> {
    let value = T::from_bytes(bytes, max).ok()?;
    assert_eq!(value.to_bytes(), bytes, "two encodings of one value");
    Some(value)
}

/// What decodes from a form that never leaves the device may have been written otherwise, but what is
/// written back means the same.
pub fn means_the_same<T: Decode + Encode + PartialEq + Debug>(bytes: &[u8]) -> Option<T> {
    let value = T::from_bytes(bytes, bytes.len()).ok()?;
    let written = value.to_bytes();
    assert_eq!(T::from_bytes(&written, written.len()).as_ref(), Ok(&value));
    Some(value)
}

/// Bytes as the text that most of them are.
pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
