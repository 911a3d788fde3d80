// SPDX-License-Identifier: MIT OR Apache-2.0
//! How a question and an answer begin, and how long each may be: known from their first two bytes.
//! Source: spec/peer.md, rules PEE-5 and PEE-6.

use crate::limits::{
    CHUNK_BYTES_MAX, ENTRY_BODY_BYTES_MAX, ENTRY_HEADER_BYTES_MAX, HAS_NAMES_MAX, HEAD_BYTES_MAX,
    HEADS_BYTES_MAX, KNOWN_REQUEST_BYTES_MAX, PUSH_BYTES_MAX, READ_BYTES_MAX,
    SMALL_REQUEST_BYTES_MAX,
};

/// What stands around bytes, in bytes and more.
const AROUND: usize = 64 << 10;
/// The largest refusal.
pub const REFUSAL_BYTES_MAX: usize = 1 << 10;
/// The longest that one watch waits, in milliseconds.
pub const WATCH_MS_MAX: u64 = 10 * 60 * 1000;
/// An array of two.
const PAIR: u8 = 0x82;

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Heads beside those known.
    Heads,
    /// To take a head and entries.
    Push,
    /// Entries of a feed.
    Read,
    /// Which chunks are there.
    Has,
    /// A chunk.
    Chunk,
    /// To take a chunk.
    Put,
    /// One head by its place.
    Head,
    /// Heads beside those known, as soon as there are some.
    Watch,
}

impl Kind {
    /// Every kind.
    pub const ALL: &'static [Self] = &[
        Self::Heads,
        Self::Push,
        Self::Read,
        Self::Has,
        Self::Chunk,
        Self::Put,
        Self::Head,
        Self::Watch,
    ];

    /// The number by which it goes; each is one byte.
    const fn number(self) -> u8 {
        match self {
            Self::Heads => 1,
            Self::Push => 2,
            Self::Read => 3,
            Self::Has => 4,
            Self::Chunk => 5,
            Self::Put => 6,
            Self::Head => 7,
            Self::Watch => 8,
        }
    }

    /// The first two bytes of a question of this kind.
    pub const fn begin(self) -> [u8; 2] {
        [PAIR, self.number()]
    }

    /// The kind of the question that begins so.
    pub fn of_beginning([pair, number]: [u8; 2]) -> Option<Self> {
        let known = Self::ALL.iter().find(|kind| kind.number() == number);
        known.copied().filter(|_| pair == PAIR)
    }

    /// The most bytes that follow the beginning of a question.
    pub const fn ask_bytes_max(self) -> usize {
        match self {
            Self::Heads | Self::Watch | Self::Has => KNOWN_REQUEST_BYTES_MAX,
            Self::Push => PUSH_BYTES_MAX,
            Self::Put => CHUNK_BYTES_MAX + AROUND,
            Self::Read | Self::Chunk | Self::Head => SMALL_REQUEST_BYTES_MAX,
        }
    }

    /// The most bytes that follow the beginning of its answer.
    pub const fn answer_bytes_max(self) -> usize {
        match self {
            Self::Heads | Self::Watch => HEADS_BYTES_MAX,
            // At most as many feeds as a head names.
            Self::Push => HEAD_BYTES_MAX,
            Self::Read => READ_BYTES_MAX + ENTRY_BODY_BYTES_MAX + ENTRY_HEADER_BYTES_MAX + AROUND,
            Self::Has => 2 * HAS_NAMES_MAX,
            Self::Chunk => CHUNK_BYTES_MAX + AROUND,
            Self::Put => REFUSAL_BYTES_MAX,
            Self::Head => HEAD_BYTES_MAX + AROUND,
        }
    }
}

/// Whether what was asked for was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The answer follows.
    Done,
    /// Why not follows.
    Refused,
}

impl Outcome {
    /// The first two bytes of an answer.
    pub const fn begin(self) -> [u8; 2] {
        match self {
            Self::Done => [PAIR, 0],
            Self::Refused => [PAIR, 1],
        }
    }

    /// What the answer that begins so is.
    pub fn of_beginning(bytes: [u8; 2]) -> Option<Self> {
        [Self::Done, Self::Refused].into_iter().find(|outcome| outcome.begin() == bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// PEE-5: two bytes say what it is; all others say nothing.
    #[test]
    fn pee_5_beginnings_come_back() {
        for kind in Kind::ALL {
            assert_eq!(Kind::of_beginning(kind.begin()), Some(*kind));
        }
        for outcome in [Outcome::Done, Outcome::Refused] {
            assert_eq!(Outcome::of_beginning(outcome.begin()), Some(outcome));
        }
        for wrong in [[0x82, 0], [0x82, 9], [0x81, 1], [0x9f, 1], [0, 0], [0x82, 0x18]] {
            assert_eq!(Kind::of_beginning(wrong), None, "{wrong:?}");
        }
        for wrong in [[0x82, 2], [0x83, 0], [0xff, 0xff]] {
            assert_eq!(Outcome::of_beginning(wrong), None, "{wrong:?}");
        }
    }
}
