// SPDX-License-Identifier: MIT OR Apache-2.0
//! Passphrases that Aura proposes: six words, 66 bits, from a list written for this project.
//!
//! 2048 English words of four to eight letters, no two with the same first four. The list matters
//! only to who proposes; a passphrase is a password like any other, so the list may change.
//! Source: spec/key-slots.md, rule SLT-16.

use zeroize::Zeroizing;

use crate::entropy::Entropy;

/// Words of a proposed passphrase.
pub const PASSPHRASE_WORDS: usize = 6;

const WORDS: &str = include_str!("words.txt");
const LIST_BITS: u32 = 11;

/// A new passphrase: words with single spaces between them.
pub fn passphrase(entropy: &mut dyn Entropy) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(64));
    for count in 0..PASSPHRASE_WORDS {
        let mut bytes = Zeroizing::new([0; 2]);
        entropy.fill(bytes.as_mut_slice());
        // The list has a power of two of words, so the low bits choose without bias.
        let index = u16::from_le_bytes(*bytes) & ((1u16 << LIST_BITS).wrapping_sub(1));
        if count > 0 {
            text.push(' ');
        }
        text.push_str(WORDS.lines().nth(usize::from(index)).unwrap_or_default());
    }
    text
}
