// SPDX-License-Identifier: MIT OR Apache-2.0
//! A log that shows one entry otherwise than it is.

use std::sync::atomic::{AtomicBool, Ordering};

use aura_protocol::entry::{ChunkAdded, Entry, EntryHeader};
use aura_protocol::head::{Head, Position};
use aura_protocol::id::{ChunkName, DeviceId, FeedId, Hash, Incarnation};
use aura_protocol::signed::Signed;
use aura_protocol::store::{LocalLog, StoreError};
use aura_store::local::LocalStore;

/// What it does to the entry.
#[derive(Debug, Clone, Copy)]
pub enum Harm {
    /// This byte of its body is another.
    Byte(usize),
    /// Its header says something else.
    Header(fn(&mut EntryHeader)),
    /// Its feed cannot be read, once.
    Fails,
    /// It is not there, nor is what comes after it in its feed.
    Gone,
}

/// The log.
pub struct Altered {
    pub inner: LocalStore,
    place: (FeedId, u64),
    harm: Harm,
    has_begun: AtomicBool,
}

impl Altered {
    /// A log that shows everything as it is, until it begins.
    pub fn new(inner: LocalStore, place: (FeedId, u64), harm: Harm) -> Self {
        Self { inner, place, harm, has_begun: AtomicBool::new(false) }
    }

    pub fn begin(&self) {
        self.has_begun.store(true, Ordering::SeqCst);
    }

    pub fn end(&self) {
        self.has_begun.store(false, Ordering::SeqCst);
    }

    /// The entry as it is shown, if it is.
    fn alter(&self, entry: Entry) -> Option<Entry> {
        let (feed, number) = self.place;
        let header = entry.header();
        if !self.has_begun.load(Ordering::SeqCst) || header.feed != feed || header.number < number {
            return Some(entry);
        }
        match self.harm {
            Harm::Gone => None,
            Harm::Fails => Some(entry),
            _ if header.number > number => Some(entry),
            Harm::Header(change) => {
                let mut header = header.clone();
                change(&mut header);
                Some(Entry::new(header, entry.body().to_vec()))
            }
            Harm::Byte(at) => {
                let mut body = entry.body().to_vec();
                body[at] ^= 1;
                Some(Entry::from_parts(entry.header_bytes().to_vec(), body).unwrap())
            }
        }
    }
}

impl LocalLog for Altered {
    fn append(&self, entries: &[Entry], head: &Signed<Head>) -> Result<(), StoreError> {
        self.inner.append(entries, head)
    }

    fn read(&self, feed: FeedId, after: u64, limit: usize) -> Result<Vec<Entry>, StoreError> {
        if matches!(self.harm, Harm::Fails)
            && feed == self.place.0
            && self.has_begun.swap(false, Ordering::SeqCst)
        {
            return Err(StoreError::Io(std::io::Error::other("a failing disk")));
        }
        let read = LocalLog::read(&self.inner, feed, after, limit)?;
        Ok(read.into_iter().filter_map(|entry| self.alter(entry)).collect())
    }

    fn entry(&self, feed: FeedId, number: u64) -> Result<Entry, StoreError> {
        self.alter(LocalLog::entry(&self.inner, feed, number)?).ok_or(StoreError::Absent)
    }

    fn feeds(&self) -> Result<Vec<(FeedId, Position)>, StoreError> {
        self.inner.feeds()
    }

    fn floor(&self, feed: FeedId) -> Result<Position, StoreError> {
        self.inner.floor(feed)
    }

    fn forget(&self, base: Hash) -> Result<u64, StoreError> {
        LocalLog::forget(&self.inner, base)
    }

    fn claims(&self, name: ChunkName) -> Result<Vec<ChunkAdded>, StoreError> {
        self.inner.claims(name)
    }

    fn heads(&self) -> Result<Vec<Signed<Head>>, StoreError> {
        LocalLog::heads(&self.inner)
    }

    fn rotten_heads(&self) -> Result<Vec<(DeviceId, Incarnation)>, StoreError> {
        self.inner.rotten_heads()
    }

    fn put_chunk(&self, name: ChunkName, sealed: &[u8]) -> Result<(), StoreError> {
        self.inner.put_chunk(name, sealed)
    }

    fn chunk(&self, name: ChunkName) -> Result<Vec<u8>, StoreError> {
        LocalLog::chunk(&self.inner, name)
    }

    fn chunks(&self) -> Result<Vec<(ChunkName, u64)>, StoreError> {
        self.inner.chunks()
    }

    fn sweep_chunks(&self, names: &[ChunkName]) -> Result<(), StoreError> {
        self.inner.sweep_chunks(names)
    }

    fn give_way(&self, common: &[(FeedId, u64)]) -> Result<(), StoreError> {
        self.inner.give_way(common)
    }

    fn size_bytes(&self) -> Result<(u64, u64), StoreError> {
        self.inner.size_bytes()
    }
}
