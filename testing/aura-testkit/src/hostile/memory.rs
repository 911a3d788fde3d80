// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a store without scruples keeps: everything, unchecked, in memory. A clone is a snapshot.

use std::collections::BTreeMap;
use std::sync::Arc;

use aura_protocol::entry::Entry;
use aura_protocol::head::{Head, Position};
use aura_protocol::id::{ChunkName, DeviceId, FeedId, Incarnation};
use aura_protocol::signed::Signed;
use aura_protocol::store::{Receipt, StoredHead};

/// Entries, heads and chunks of one vault.
#[derive(Debug, Clone, Default)]
pub(super) struct Memory {
    heads: BTreeMap<(DeviceId, Incarnation), Signed<Head>>,
    feeds: BTreeMap<FeedId, BTreeMap<u64, Arc<Entry>>>,
    chunks: BTreeMap<ChunkName, Arc<Vec<u8>>>,
}

impl Memory {
    /// Takes what it is given; shows the head if its entries are there.
    pub(super) fn push(&mut self, head: &Signed<Head>, entries: &[Entry]) -> Receipt {
        for entry in entries {
            let feed = self.feeds.entry(entry.header().feed).or_default();
            feed.insert(entry.header().number, Arc::new(entry.clone()));
        }
        let claim = head.claim().unwrap();
        let missing: Vec<_> = claim
            .feeds
            .iter()
            .map(|(collection, position)| (claim.feed(*collection), position.number))
            .filter_map(|(feed, number)| {
                let reach = self.reach(&feed);
                (reach < number).then_some((feed, reach))
            })
            .collect();
        if missing.is_empty() {
            let newest = self.heads.get(&(claim.device, claim.incarnation));
            if newest.is_none_or(|newest| newest.claim().unwrap().number <= claim.number) {
                self.heads.insert((claim.device, claim.incarnation), head.clone());
            }
        }
        Receipt { missing }
    }

    /// How far a feed goes without a gap.
    fn reach(&self, feed: &FeedId) -> u64 {
        let held = self.feeds.get(feed).into_iter().flat_map(BTreeMap::keys);
        (1..).zip(held).take_while(|(expected, number)| expected == *number).count() as u64
    }

    /// The newest heads.
    pub(super) fn heads(&self) -> Vec<StoredHead> {
        let stored = |((device, incarnation), head): (&(DeviceId, Incarnation), &Signed<Head>)| {
            let number = head.claim().unwrap().number;
            let position = Position { number, hash: head.hash() };
            let (device, incarnation, head) = (*device, *incarnation, head.clone());
            StoredHead { device, incarnation, position, head }
        };
        self.heads.iter().map(stored).collect()
    }

    /// Entries of a feed, if there are any.
    pub(super) fn read(&self, feed: &FeedId, after: u64, limit: usize) -> Option<Vec<Entry>> {
        let held = self.feeds.get(feed)?;
        let after = held.iter().filter(|(number, _)| **number > after);
        Some(after.map(|(_, entry)| Entry::clone(entry)).take(limit).collect())
    }

    /// The feeds that it has.
    pub(super) fn feeds(&self) -> Vec<FeedId> {
        self.feeds.keys().copied().collect()
    }

    /// Keeps a chunk.
    pub(super) fn put(&mut self, name: ChunkName, sealed: &[u8]) {
        self.chunks.insert(name, Arc::new(sealed.to_vec()));
    }

    /// A chunk.
    pub(super) fn chunk(&self, name: ChunkName) -> Option<Vec<u8>> {
        self.chunks.get(&name).map(|chunk| chunk.to_vec())
    }

    /// The chunks that it has.
    pub(super) fn chunks(&self) -> Vec<ChunkName> {
        self.chunks.keys().copied().collect()
    }
}
