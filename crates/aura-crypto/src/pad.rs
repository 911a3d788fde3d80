// SPDX-License-Identifier: MIT OR Apache-2.0
//! Padding inside what is sealed, so that lengths say little.
//!
//! Every entry body, whatever its collection, grows to the larger of 4096 bytes and its Padmé
//! length; 0x80 marks where the padding begins, zeros follow (ISO/IEC 7816-4). What still leaks is
//! the size class: 225 of them up to 1 MiB. Source: spec/padding.md, rules PAD-1 to PAD-4.

use aura_protocol::limits::ENTRY_PAD_BYTES_MIN;

const MARK: u8 = 0x80;

/// The Padmé length of `len` bytes (PAD-1): at most 11.6 % more, and O(log log) bits of it leak.
pub fn padme_len(len: usize) -> usize {
    if len < 2 {
        return len;
    }
    let exponent = len.ilog2();
    let kept = exponent.ilog2().saturating_add(1);
    let cleared = exponent.saturating_sub(kept);
    let mask = (1usize << cleared).saturating_sub(1);
    // Beyond the last size class there is nothing to round up to.
    len.checked_add(mask).map_or(len, |up| up & !mask)
}

/// How long `len` bytes become: the mark is always there (PAD-2).
pub fn padded_len(len: usize) -> usize {
    padme_len(len.saturating_add(1)).max(ENTRY_PAD_BYTES_MIN)
}

/// Pads an entry's body.
pub fn pad_entry(mut body: Vec<u8>) -> Vec<u8> {
    let padded = padded_len(body.len());
    body.reserve_exact(padded.saturating_sub(body.len()));
    body.push(MARK);
    body.resize(padded, 0);
    body
}

/// The body inside a padded one. Nothing where the padding is not what [`pad_entry`] writes (PAD-3).
pub fn unpad(padded: &[u8]) -> Option<&[u8]> {
    let mark = padded.iter().rposition(|&byte| byte != 0)?;
    let (body, rest) = padded.split_at_checked(mark)?;
    (rest.first() == Some(&MARK) && padded_len(body.len()) == padded.len()).then_some(body)
}
