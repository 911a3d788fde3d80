// SPDX-License-Identifier: MIT OR Apache-2.0
//! A store in the hands of a device that the vault lists: what it shows is signed, and chained without a flaw.
//!
//! [`Mallory`](super::Mallory) has no keys that count; whoever owns a listed device has. Its feeds may have no
//! end, and its answers may hold what nobody asked for. What is pushed to it, it says it has.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};

use async_trait::async_trait;
use aura_protocol::entry::Entry;
use aura_protocol::head::{Head, Position};
use aura_protocol::id::{ChunkName, CollectionId, DeviceId, FeedId, Hash, Incarnation};
use aura_protocol::signed::Signed;
use aura_protocol::store::{Access, BlindStore, Heads, Receipt, StoreError, StoredHead};

use crate::author::Author;

/// Entries of a feed without end, before it ends after all: a reader without a bound should fail, not hang.
const ENDLESS: usize = 40_000;

/// How it answers a read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// With what was asked for.
    Honest,
    /// With the whole feed, however much was asked for.
    Whole,
    /// With what was asked for, and another feed's entries after it.
    Foreign,
    /// Without the first that was asked for.
    Later,
    /// With an error: it keeps the entry, and it is damaged.
    Damaged,
    /// With an error: the file that it is in is damaged.
    Broken,
}

/// The store.
#[derive(Debug)]
pub struct Insider {
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    heads: Vec<StoredHead>,
    /// Heads that it has and does not show.
    older: Vec<StoredHead>,
    feeds: BTreeMap<FeedId, Vec<Entry>>,
    endless: BTreeMap<FeedId, Author>,
    answer: Answer,
    reads: Vec<FeedId>,
    served: usize,
}

impl Default for Insider {
    fn default() -> Self {
        let inner = Inner {
            heads: Vec::new(),
            older: Vec::new(),
            feeds: BTreeMap::new(),
            endless: BTreeMap::new(),
            answer: Answer::Honest,
            reads: Vec::new(),
            served: 0,
        };
        Self { inner: Mutex::new(inner) }
    }
}

impl Insider {
    /// Has a head that it gives to whoever asks for it, and does not show.
    pub fn has(&self, head: &Signed<Head>) {
        let stored = stored(head);
        self.inner().older.push(stored);
    }

    /// Shows a head, and has these entries of its feeds, whether or not they are all.
    pub fn show(&self, head: &Signed<Head>, entries: &[Entry]) {
        let mut inner = self.inner();
        inner.heads.push(stored(head));
        for entry in entries {
            inner.feeds.entry(entry.header().feed).or_default().push(entry.clone());
        }
    }

    /// Writes this feed of the author's on for as long as anybody reads.
    pub fn write_on(&self, author: &Author, collection: CollectionId) {
        self.inner().endless.insert(author.feed(collection), author.clone());
    }

    /// Answers reads like this from now on.
    pub fn answer(&self, answer: Answer) {
        self.inner().answer = answer;
    }

    /// The feeds that were read, in order.
    pub fn reads(&self) -> Vec<FeedId> {
        self.inner().reads.clone()
    }

    /// How many entries were answered.
    pub fn served(&self) -> usize {
        self.inner().served
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap()
    }
}

fn stored(head: &Signed<Head>) -> StoredHead {
    let claim = head.claim().unwrap();
    StoredHead {
        device: claim.device,
        incarnation: claim.incarnation,
        position: Position { number: claim.number, hash: head.hash() },
        head: head.clone(),
    }
}

impl Inner {
    /// Makes the feed long enough.
    fn reach(&mut self, feed: &FeedId, length: usize) {
        let Some(author) = self.endless.get_mut(feed) else { return };
        let held = self.feeds.entry(*feed).or_default();
        while held.len() < length.min(ENDLESS) {
            held.push(author.entry(feed.collection, vec![6; 20]));
        }
    }

    fn read(&self, feed: &FeedId, after: usize, limit: usize) -> Result<Vec<Entry>, StoreError> {
        let held = self.feeds.get(feed).ok_or(StoreError::Absent)?;
        let rest = held.get(after..).unwrap_or_default();
        let number = after as u64 + 1;
        let others = self.feeds.iter().filter(|(other, _)| *other != feed);
        Ok(match self.answer {
            Answer::Honest => rest.iter().take(limit).cloned().collect(),
            Answer::Whole => rest.to_vec(),
            Answer::Foreign => {
                let others = others.flat_map(|(_, held)| held);
                rest.iter().chain(others).take(limit).cloned().collect()
            }
            Answer::Later => rest.iter().skip(1).take(limit).cloned().collect(),
            Answer::Broken => return Err(StoreError::Damaged("a file of this feed")),
            Answer::Damaged => return Err(StoreError::DamagedEntry { feed: *feed, number }),
        })
    }
}

#[async_trait]
impl BlindStore for Insider {
    async fn heads(
        &self,
        _: &Access,
        known: &[(DeviceId, Incarnation, Position)],
    ) -> Result<Heads, StoreError> {
        Ok(Heads::answer(self.inner().heads.clone(), known))
    }

    async fn push(&self, _: &Access, _: &Signed<Head>, _: &[Entry]) -> Result<Receipt, StoreError> {
        Ok(Receipt { missing: Vec::new() })
    }

    async fn read(
        &self,
        _: &Access,
        feed: FeedId,
        after: u64,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        let mut inner = self.inner();
        let after = usize::try_from(after).unwrap_or(usize::MAX);
        inner.reads.push(feed);
        inner.reach(&feed, after.saturating_add(limit));
        let entries = inner.read(&feed, after, limit)?;
        inner.served += entries.len();
        Ok(entries)
    }

    async fn head(
        &self,
        _: &Access,
        (device, incarnation): (DeviceId, Incarnation),
        at: Position,
    ) -> Result<Signed<Head>, StoreError> {
        let inner = self.inner();
        let found = inner.heads.iter().chain(&inner.older).find(|stored| {
            (stored.device, stored.incarnation, stored.position) == (device, incarnation, at)
        });
        found.map(|stored| stored.head.clone()).ok_or(StoreError::Absent)
    }

    async fn put(&self, _: &Access, _: ChunkName, _: &[u8]) -> Result<(), StoreError> {
        Ok(())
    }

    async fn chunk(&self, _: &Access, _: ChunkName) -> Result<Vec<u8>, StoreError> {
        Err(StoreError::Absent)
    }

    async fn has(&self, _: &Access, names: &[ChunkName]) -> Result<Vec<bool>, StoreError> {
        Ok(vec![false; names.len()])
    }

    async fn forget(&self, _: &Access, _: Hash) -> Result<u64, StoreError> {
        Err(StoreError::Unproven)
    }

    async fn watch(
        &self,
        access: &Access,
        known: &[(DeviceId, Incarnation, Position)],
        _: u64,
    ) -> Result<Vec<StoredHead>, StoreError> {
        Ok(self.heads(access, known).await?.news)
    }
}
