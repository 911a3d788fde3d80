// SPDX-License-Identifier: MIT OR Apache-2.0
//! One head and the entries that it names, from one store to another, in bounded batches.
//!
//! What the taking store says is missing drives it, so that an interrupted run goes on where it ended and a
//! run that was not needed moves nothing. Source: spec/replicate.md, rules REP-4 and REP-5.

use aura_protocol::entry::Entry;
use aura_protocol::head::Head;
use aura_protocol::id::FeedId;
use aura_protocol::limits::{READ_BYTES_MAX, READ_ENTRIES_MAX};
use aura_protocol::store::{Access, BlindStore, StoreError};

use super::compare::Told;

/// How often an answer may bring a push no further: the first guess of what is missing may be wrong.
const STANDSTILLS_MAX: usize = 4;

/// What went from one store to the other.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Moved {
    /// Heads that are shown now and were not before.
    pub heads: u64,
    /// Entries.
    pub entries: u64,
    /// Their bytes, headers included.
    pub bytes: u64,
}

/// Why a head did not arrive.
pub(super) enum Halt {
    /// The store that gives failed.
    From(StoreError),
    /// The store that takes failed or refused.
    To(StoreError),
    /// The store that gives has a feed up to here only.
    Incomplete(FeedId, u64),
}

/// From where to where, and under which access.
pub(super) struct Carrier<'a> {
    pub(super) from: &'a dyn BlindStore,
    pub(super) to: &'a dyn BlindStore,
    pub(super) access: &'a Access,
}

impl Carrier<'_> {
    /// Carries a head to a store that has this head of its incarnation, or none.
    pub(super) async fn carry(
        &self,
        told: &Told,
        there: Option<&Head>,
        moved: &mut Moved,
    ) -> Result<(), Halt> {
        let mut lacking = lacking(&told.head, there);
        let mut left = u64::MAX;
        let mut standstills = 0;
        loop {
            let batch = self.batch(&told.head, &lacking).await?;
            let missing = match self.to.push(self.access, &told.signed, &batch).await {
                Ok(receipt) => receipt.missing,
                // It has less of this feed than its head said, or forgot what it had staged.
                Err(StoreError::Gap { feed, expected }) => vec![(feed, expected.saturating_sub(1))],
                Err(error) => return Err(Halt::To(error)),
            };
            moved.entries = moved.entries.saturating_add(batch.len() as u64);
            moved.bytes = moved.bytes.saturating_add(batch.iter().map(size_bytes).sum());
            if missing.is_empty() {
                moved.heads = moved.heads.saturating_add(1);
                return Ok(());
            }
            lacking = within(&told.head, missing);
            let now_left = entries_left(&told.head, &lacking);
            if now_left >= left {
                standstills += 1;
            }
            if standstills > STANDSTILLS_MAX || lacking.is_empty() {
                let why = StoreError::Refused("a store that takes entries and does not keep them");
                return Err(Halt::To(why));
            }
            left = now_left;
        }
    }

    /// What follows in the feeds that lack something, as much as one answer may hold.
    async fn batch(&self, head: &Head, lacking: &[(FeedId, u64)]) -> Result<Vec<Entry>, Halt> {
        let mut batch = Vec::new();
        let mut room_bytes = READ_BYTES_MAX as u64;
        for (feed, after) in lacking {
            let room = READ_ENTRIES_MAX.saturating_sub(batch.len());
            if room == 0 || room_bytes == 0 {
                break;
            }
            let mut entries = match self.from.read(self.access, *feed, *after, room).await {
                Ok(entries) => entries,
                Err(StoreError::Absent | StoreError::DamagedEntry { .. }) => Vec::new(),
                Err(error) => return Err(Halt::From(error)),
            };
            let upto = head.position(feed.collection).number;
            entries.retain(|entry| entry.header().number <= upto);
            if entries.is_empty() {
                return Err(Halt::Incomplete(*feed, *after));
            }
            let bytes = entries.iter().map(size_bytes).sum();
            room_bytes = room_bytes.saturating_sub(bytes);
            batch.append(&mut entries);
        }
        Ok(batch)
    }
}

/// The feeds in which a head is beyond another one, each with the last number that is there.
fn lacking(head: &Head, there: Option<&Head>) -> Vec<(FeedId, u64)> {
    let of_feed = |(collection, position): &(_, aura_protocol::head::Position)| {
        let after = there.map_or(0, |there| there.position(*collection).number);
        (position.number > after).then_some((head.feed(*collection), after))
    };
    head.feeds.iter().filter_map(of_feed).collect()
}

/// What a store says is missing, as far as the head names it.
fn within(head: &Head, missing: Vec<(FeedId, u64)>) -> Vec<(FeedId, u64)> {
    let is_named = |(feed, after): &(FeedId, u64)| {
        *feed == head.feed(feed.collection) && *after < head.position(feed.collection).number
    };
    missing.into_iter().filter(is_named).collect()
}

fn entries_left(head: &Head, lacking: &[(FeedId, u64)]) -> u64 {
    let of_feed = |(feed, after): &(FeedId, u64)| {
        head.position(feed.collection).number.saturating_sub(*after)
    };
    lacking.iter().map(of_feed).fold(0, u64::saturating_add)
}

fn size_bytes(entry: &Entry) -> u64 {
    (entry.header_bytes().len() as u64).saturating_add(entry.body().len() as u64)
}
