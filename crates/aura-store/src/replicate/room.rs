// SPDX-License-Identifier: MIT OR Apache-2.0
//! What of an answer was asked for, and fits.
//!
//! A store that lies may answer with more than it was asked for, with other numbers, or with another feed's
//! entries: nothing of that is looked at. Source: spec/store.md, rule STO-8; spec/replicate.md, rule REP-19.

use aura_protocol::entry::Entry;
use aura_protocol::id::FeedId;
use aura_protocol::limits::READ_BYTES_MAX;

/// What is left of a batch.
#[derive(Debug, Clone, Copy)]
pub(super) struct Room {
    pub(super) entries: usize,
    /// The entry that reaches it still fits.
    pub(super) bytes: u64,
}

impl Room {
    pub(super) fn is_full(&self) -> bool {
        self.entries == 0 || self.bytes == 0
    }

    /// The entries that follow number `after` of the feed, one by one, and fit; and whether the answer had
    /// any that nobody asked for. One that the head does not cover, though its feed has it, is left out and is
    /// no lie; nor is one for which the feeds before it left no room.
    pub(super) fn take(
        &mut self,
        answer: Vec<Entry>,
        feed: &FeedId,
        (after, upto): (u64, u64),
    ) -> (Vec<Entry>, bool) {
        let is_too_long = answer.len() > self.entries;
        let mut bytes = 0u64;
        let mut fitting = Vec::new();
        for (entry, number) in answer.into_iter().zip(after.saturating_add(1)..) {
            let is_next = entry.header().feed == *feed && entry.header().number == number;
            if !is_next || bytes >= READ_BYTES_MAX as u64 {
                return (fitting, true);
            }
            if number > upto || self.is_full() {
                break;
            }
            self.entries = self.entries.saturating_sub(1);
            self.bytes = self.bytes.saturating_sub(size_bytes(&entry));
            bytes = bytes.saturating_add(size_bytes(&entry));
            fitting.push(entry);
        }
        (fitting, is_too_long)
    }
}

/// An entry's size on the way, in bytes.
pub(super) fn size_bytes(entry: &Entry) -> u64 {
    (entry.header_bytes().len() as u64).saturating_add(entry.body().len() as u64)
}
