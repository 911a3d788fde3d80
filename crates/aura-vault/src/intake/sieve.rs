// SPDX-License-Identifier: MIT OR Apache-2.0
//! Tells without the database of most origins that the vault has never met.
//!
//! A first import asks for as many origins as it has drafts, and the answer is no each time. Keys are
//! hashes, so one bit for each, at the place that the key names, is a filter; one in sixteen of those
//! that are not there passes it, and is looked for as before.

use crate::open::{Open, OpenError};

/// Questions that the database answers, before all that it knows is read: an import of a few drafts
/// into a large vault is not worth it.
const ASKED_MIN: u32 = 1000;
const BITS_PER_KEY: u64 = 16;
/// 16 MiB: enough for eight million records, and a worse filter beyond.
const BITS_MAX: u64 = 1 << 27;

/// What the vault may have.
#[derive(Default)]
pub(super) struct Sieve {
    asked: u32,
    /// A power of two of bits; none until they have been read.
    words: Vec<u64>,
    /// Whether the second lock was open when they were.
    is_second_open: bool,
    /// Whether the run has written origins that are not among them.
    is_blind: bool,
}

impl Sieve {
    /// Whether the vault may have met this origin before. `false` is certain.
    pub(super) fn may_have(&mut self, open: &Open, key: &[u8; 16]) -> Result<bool, OpenError> {
        self.asked = self.asked.saturating_add(1);
        if self.is_blind || self.asked < ASKED_MIN {
            return Ok(true);
        }
        // What is behind a lock that has been opened since is known now.
        let is_second_open = open.second().is_some();
        if self.words.is_empty() || is_second_open != self.is_second_open {
            self.is_second_open = is_second_open;
            self.fill(open)?;
        }
        let (word, bit) = self.place(half(key));
        Ok(self.words.get(word).is_none_or(|bits| bits & bit != 0))
    }

    /// Lets everything pass from now on: records come in that nobody asks about.
    pub(super) fn let_pass(&mut self) {
        self.is_blind = true;
    }

    fn add_half(&mut self, half: u64) {
        let (word, bit) = self.place(half);
        if let Some(bits) = self.words.get_mut(word) {
            *bits |= bit;
        }
    }

    fn fill(&mut self, open: &Open) -> Result<(), OpenError> {
        let bits = open.records_max()?.saturating_mul(BITS_PER_KEY).clamp(64, BITS_MAX);
        let words = usize::try_from(bits.next_power_of_two() / 64).unwrap_or(1);
        self.words = vec![0; words];
        open.each_origin(&mut |half| self.add_half(half))?;
        Ok(())
    }

    /// The word and the bit in it that stand for a key.
    fn place(&self, half: u64) -> (usize, u64) {
        let bits = (self.words.len() as u64).saturating_mul(64);
        let at = half.checked_rem(bits).unwrap_or_default();
        (usize::try_from(at / 64).unwrap_or(usize::MAX), 1 << (at % 64))
    }
}

fn half(key: &[u8; 16]) -> u64 {
    key.first_chunk().map_or(0, |half| u64::from_be_bytes(*half))
}
