// SPDX-License-Identifier: MIT OR Apache-2.0
//! Up to where two stores have the same of an incarnation that forked.
//!
//! The other store's word is not taken: what it has beyond that point leads, entry by entry, to the head that
//! the device signed. Source: spec/replicate.md, rule REP-22.

use std::collections::BTreeSet;

use aura_protocol::head::{Head, Position};
use aura_protocol::id::{FeedId, Hash};
use aura_protocol::limits::READ_ENTRIES_MAX;
use aura_protocol::store::{Access, BlindStore, StoreError};

use super::{Side, Stopped};

const ASTRAY: StoreError = StoreError::Refused("entries that do not lead to what their head names");

/// The last number of each feed of `heads` that both stores have alike: of the head that is here, and of the one
/// that the other store shows, whose signatures have been checked.
///
/// # Errors
/// When a store cannot be read, or the other one's entries do not lead to its head.
pub async fn common(
    local: &dyn BlindStore,
    remote: &dyn BlindStore,
    access: &Access,
    [ours, theirs]: [&Head; 2],
) -> Result<Vec<(FeedId, u64)>, (Side, StoreError)> {
    let feeds: BTreeSet<_> =
        ours.feeds.iter().chain(&theirs.feeds).map(|(collection, _)| *collection).collect();
    let mut common = Vec::new();
    for collection in feeds {
        let feed = ours.feed(collection);
        let (here, there) = (ours.position(collection), theirs.position(collection));
        let stores = Stores { local, remote, access, feed };
        let alike = stores.alike(here.number.min(there.number)).await?;
        stores.lead(alike, there).await?;
        common.push((feed, alike));
    }
    Ok(common)
}

struct Stores<'a> {
    local: &'a dyn BlindStore,
    remote: &'a dyn BlindStore,
    access: &'a Access,
    feed: FeedId,
}

impl Stores<'_> {
    /// The highest number up to this one at which both have the same entry: each names the one before it, so
    /// that all before it are the same as well.
    async fn alike(&self, most: u64) -> Result<u64, Stopped> {
        let (mut same, mut other) = (0, most.saturating_add(1));
        while other.saturating_sub(same) > 1 {
            let middle = same.saturating_add(other.saturating_sub(same) / 2);
            let here = self.hash(self.local, middle).await.map_err(|e| (Side::Local, e))?;
            let there = self.hash(self.remote, middle).await.map_err(|e| (Side::Remote, e))?;
            // Every device has adopted what covers an entry that was let go of: it was the same everywhere.
            let is_same = here.is_none() || there.is_none() || here == there;
            if is_same { same = middle } else { other = middle }
        }
        Ok(same)
    }

    /// The hash of an entry; none of one that was let go of.
    async fn hash(&self, store: &dyn BlindStore, number: u64) -> Result<Option<Hash>, StoreError> {
        let read = store.read(self.access, self.feed, number.saturating_sub(1), 1).await;
        let read = match read {
            Err(StoreError::Forgotten { upto, .. }) if number <= upto => return Ok(None),
            read => read?,
        };
        let entry = read.first().filter(|entry| entry.header().number == number);
        entry.map(|entry| Some(entry.hash())).ok_or(StoreError::Absent)
    }

    /// That what the other store has after this number leads to where its head stands.
    async fn lead(&self, alike: u64, head: Position) -> Result<(), Stopped> {
        let mut last = (alike, Some(Hash([0; 32])));
        if alike > 0 {
            let hash = self.hash(self.local, alike).await;
            last.1 = hash.map_err(|error| (Side::Local, error))?;
        }
        while last.0 < head.number {
            let read = self.remote.read(self.access, self.feed, last.0, READ_ENTRIES_MAX);
            let read = read.await.map_err(|error| (Side::Remote, error))?;
            if read.is_empty() {
                return Err((Side::Remote, ASTRAY));
            }
            for entry in read.iter().filter(|entry| entry.header().number <= head.number) {
                let is_next = entry.header().feed == self.feed;
                let before = last.1.unwrap_or(entry.header().previous);
                if !is_next || !entry.follows(last.0, &before) {
                    return Err((Side::Remote, ASTRAY));
                }
                last = (entry.header().number, Some(entry.hash()));
            }
        }
        if last.0 == head.number && last.1.is_some_and(|hash| hash != head.hash) {
            return Err((Side::Remote, ASTRAY));
        }
        Ok(())
    }
}
