// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a store sees: which calls come in which order, how large they and their answers are, and every byte that
//! it is given.
//!
//! Two recorders write to one [`Transcript`]: one around a blind store, one around the log that a vault writes to.
//! The oracles ORACLE and SHAPE compare [`Call`]s; CONF looks for markers in the bytes.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use aura_protocol::codec::Encode as _;
use aura_protocol::entry::{ChunkAdded, Entry};
use aura_protocol::head::{Head, Position};
use aura_protocol::id::{ChunkName, DeviceId, FeedId, Hash, Incarnation};
use aura_protocol::signed::Signed;
use aura_protocol::store::{
    Access, BlindStore, Heads, LocalLog, Receipt, Signers, StoreError, StoredHead,
};

type Known = [(DeviceId, Incarnation, Position)];

/// One call, without its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// Which one.
    pub on: &'static str,
    /// Bytes, or members, that came with it.
    pub asked: usize,
    /// Bytes, or members, of the answer; or what kind of error it was.
    pub answered: Result<usize, String>,
}

#[derive(Debug, Default)]
struct Inner {
    calls: Vec<Call>,
    given: Vec<u8>,
}

/// What was recorded since it was last taken.
#[derive(Debug, Clone, Default)]
pub struct Transcript(Arc<Mutex<Inner>>);

impl Transcript {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// The calls so far, which are forgotten.
    pub fn take_calls(&self) -> Vec<Call> {
        std::mem::take(&mut self.0.lock().unwrap().calls)
    }

    /// The bytes so far, which are forgotten.
    pub fn take_given(&self) -> Vec<u8> {
        std::mem::take(&mut self.0.lock().unwrap().given)
    }

    fn record<T>(
        &self,
        (on, given): (&'static str, Vec<u8>),
        answer: &Result<T, StoreError>,
        size: impl FnOnce(&T) -> usize,
    ) {
        let answered = match answer {
            Ok(answer) => Ok(size(answer)),
            Err(error) => Err(kind(error)),
        };
        let mut inner = self.0.lock().unwrap();
        inner.calls.push(Call { on, asked: given.len(), answered });
        inner.given.extend(given);
    }
}

/// An error without the numbers in it.
fn kind(error: &StoreError) -> String {
    error.to_string().chars().filter(|c| !c.is_ascii_digit()).collect()
}

fn pushed(head: &Signed<Head>, entries: &[Entry]) -> Vec<u8> {
    entries.iter().fold(head.to_bytes(), |bytes, entry| [bytes, entry.to_bytes()].concat())
}

fn known(known: &Known) -> Vec<u8> {
    let one = |(device, incarnation, at): &(DeviceId, Incarnation, Position)| {
        [&device.0[..], &incarnation.0, &at.number.to_be_bytes(), &at.hash.0].concat()
    };
    known.iter().flat_map(one).collect()
}

fn place(feed: &FeedId, number: u64) -> Vec<u8> {
    [&feed.to_bytes()[..], &number.to_be_bytes()].concat()
}

fn names(names: &[ChunkName]) -> Vec<u8> {
    names.iter().flat_map(|name| name.0).collect()
}

#[expect(clippy::ptr_arg, reason = "it is what the answers are")]
fn entries(entries: &Vec<Entry>) -> usize {
    entries.iter().map(|entry| entry.to_bytes().len()).sum()
}

fn stored(heads: &[StoredHead]) -> usize {
    heads.iter().map(|head| head.head.to_bytes().len()).sum()
}

/// A blind store whose calls are recorded.
pub struct RecordedStore<'a> {
    inner: &'a dyn BlindStore,
    transcript: Transcript,
}

impl<'a> RecordedStore<'a> {
    /// Records what this store sees.
    pub fn new(inner: &'a dyn BlindStore, transcript: &Transcript) -> Self {
        Self { inner, transcript: transcript.clone() }
    }
}

#[async_trait]
impl BlindStore for RecordedStore<'_> {
    async fn heads(&self, access: &Access, caller: &Known) -> Result<Heads, StoreError> {
        let answer = self.inner.heads(access, caller).await;
        let size = |heads: &Heads| stored(&heads.news) + heads.absent.len();
        self.transcript.record(("heads", known(caller)), &answer, size);
        answer
    }

    async fn push(
        &self,
        access: &Access,
        head: &Signed<Head>,
        entries: &[Entry],
    ) -> Result<Receipt, StoreError> {
        let answer = self.inner.push(access, head, entries).await;
        let size = |receipt: &Receipt| receipt.missing.len();
        self.transcript.record(("push", pushed(head, entries)), &answer, size);
        answer
    }

    async fn read(
        &self,
        access: &Access,
        feed: FeedId,
        after: u64,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        let answer = self.inner.read(access, feed, after, limit).await;
        self.transcript.record(("read", place(&feed, after)), &answer, entries);
        answer
    }

    async fn put(&self, access: &Access, name: ChunkName, sealed: &[u8]) -> Result<(), StoreError> {
        let answer = self.inner.put(access, name, sealed).await;
        let given = [&name.0[..], sealed].concat();
        self.transcript.record(("put", given), &answer, |()| 0);
        answer
    }

    async fn chunk(&self, access: &Access, name: ChunkName) -> Result<Vec<u8>, StoreError> {
        let answer = self.inner.chunk(access, name).await;
        self.transcript.record(("chunk", name.0.to_vec()), &answer, Vec::len);
        answer
    }

    async fn has(&self, access: &Access, asked: &[ChunkName]) -> Result<Vec<bool>, StoreError> {
        let answer = self.inner.has(access, asked).await;
        self.transcript.record(("has", names(asked)), &answer, Vec::len);
        answer
    }

    fn learn(&self, signers: &Signers) {
        self.inner.learn(signers);
    }

    async fn forget(&self, access: &Access, base: Hash) -> Result<u64, StoreError> {
        let answer = self.inner.forget(access, base).await;
        self.transcript.record(("forget", base.0.to_vec()), &answer, |_| 0);
        answer
    }

    async fn watch(
        &self,
        access: &Access,
        caller: &Known,
        wait_ms: u64,
    ) -> Result<Vec<StoredHead>, StoreError> {
        let answer = self.inner.watch(access, caller, wait_ms).await;
        self.transcript.record(("watch", known(caller)), &answer, |heads| stored(heads));
        answer
    }
}

/// A log whose calls are recorded.
pub struct RecordedLog {
    inner: Arc<dyn LocalLog>,
    transcript: Transcript,
}

impl RecordedLog {
    /// Records what this log sees.
    pub fn new(inner: Arc<dyn LocalLog>, transcript: &Transcript) -> Self {
        Self { inner, transcript: transcript.clone() }
    }

    fn record<T>(
        &self,
        call: (&'static str, Vec<u8>),
        answer: Result<T, StoreError>,
        size: impl FnOnce(&T) -> usize,
    ) -> Result<T, StoreError> {
        self.transcript.record(call, &answer, size);
        answer
    }
}

impl LocalLog for RecordedLog {
    fn append(&self, entries: &[Entry], head: &Signed<Head>) -> Result<(), StoreError> {
        let answer = self.inner.append(entries, head);
        self.record(("append", pushed(head, entries)), answer, |()| 0)
    }

    fn read(&self, feed: FeedId, after: u64, limit: usize) -> Result<Vec<Entry>, StoreError> {
        self.record(("read", place(&feed, after)), self.inner.read(feed, after, limit), entries)
    }

    fn entry(&self, feed: FeedId, number: u64) -> Result<Entry, StoreError> {
        let answer = self.inner.entry(feed, number);
        self.record(("entry", place(&feed, number)), answer, |entry| entry.to_bytes().len())
    }

    fn feeds(&self) -> Result<Vec<(FeedId, Position)>, StoreError> {
        self.record(("feeds", Vec::new()), self.inner.feeds(), Vec::len)
    }

    fn floor(&self, feed: FeedId) -> Result<Position, StoreError> {
        self.record(("floor", place(&feed, 0)), self.inner.floor(feed), |_| 0)
    }

    fn forget(&self, base: Hash) -> Result<u64, StoreError> {
        self.record(("forget", base.0.to_vec()), self.inner.forget(base), |_| 0)
    }

    fn claims(&self, name: ChunkName) -> Result<Vec<ChunkAdded>, StoreError> {
        self.record(("claims", name.0.to_vec()), self.inner.claims(name), Vec::len)
    }

    fn heads(&self) -> Result<Vec<Signed<Head>>, StoreError> {
        let size = |heads: &Vec<Signed<Head>>| heads.iter().map(|head| head.to_bytes().len()).sum();
        self.record(("heads", Vec::new()), self.inner.heads(), size)
    }

    fn rotten_heads(&self) -> Result<Vec<(DeviceId, Incarnation)>, StoreError> {
        self.record(("rotten heads", Vec::new()), self.inner.rotten_heads(), Vec::len)
    }

    fn put_chunk(&self, name: ChunkName, sealed: &[u8]) -> Result<(), StoreError> {
        let given = [&name.0[..], sealed].concat();
        self.record(("put chunk", given), self.inner.put_chunk(name, sealed), |()| 0)
    }

    fn chunk(&self, name: ChunkName) -> Result<Vec<u8>, StoreError> {
        self.record(("chunk", name.0.to_vec()), self.inner.chunk(name), Vec::len)
    }

    fn chunks(&self) -> Result<Vec<(ChunkName, u64)>, StoreError> {
        self.record(("chunks", Vec::new()), self.inner.chunks(), Vec::len)
    }

    fn sweep_chunks(&self, swept: &[ChunkName]) -> Result<(), StoreError> {
        self.record(("sweep chunks", names(swept)), self.inner.sweep_chunks(swept), |()| 0)
    }

    fn give_way(&self, common: &[(FeedId, u64)]) -> Result<(), StoreError> {
        let given = common.iter().flat_map(|(feed, number)| place(feed, *number)).collect();
        self.record(("give way", given), self.inner.give_way(common), |()| 0)
    }

    fn size_bytes(&self) -> Result<(u64, u64), StoreError> {
        self.record(("size", Vec::new()), self.inner.size_bytes(), |_| 0)
    }
}
