// SPDX-License-Identifier: MIT OR Apache-2.0
//! A blind store whose line is bad: calls fail before they arrive, or their answers are lost.
//!
//! The second is the harder one: the caller cannot know whether the store did what it was asked, and
//! must be able to ask again. Answers may also be shorter than asked for, which every store may do.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use aura_protocol::entry::Entry;
use aura_protocol::head::{Head, Position};
use aura_protocol::id::{ChunkName, DeviceId, FeedId, Hash, Incarnation};
use aura_protocol::signed::Signed;
use aura_protocol::store::{
    Access, BlindStore, Ends, Heads, Receipt, Signers, StoreError, StoredHead,
};

use crate::seed::Seed;

/// What happens to one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// It never arrives.
    Lost,
    /// It is done, and the answer is lost.
    Unanswered,
}

/// A store behind a bad line.
#[derive(Debug)]
pub struct FaultyStore<S> {
    inner: S,
    seed: Mutex<Seed>,
    one_in: AtomicU64,
}

impl<S> FaultyStore<S> {
    /// Lets about one in `one_in` calls fail, the same ones for the same seed; 0 for none.
    pub fn new(inner: S, seed: Seed, one_in: u64) -> Self {
        Self { inner, seed: Mutex::new(seed), one_in: AtomicU64::new(one_in) }
    }

    /// From now on about one in so many calls fails; 0 for none.
    pub fn set_one_in(&self, one_in: u64) {
        self.one_in.store(one_in, Ordering::Relaxed);
    }

    fn one_in(&self) -> u64 {
        self.one_in.load(Ordering::Relaxed)
    }

    /// The store itself.
    pub fn inner(&self) -> &S {
        &self.inner
    }

    fn fault(&self) -> Fault {
        let mut seed = self.seed.lock().unwrap();
        if self.one_in() == 0 || seed.below(self.one_in()) != 0 {
            return Fault::None;
        }
        *seed.choice(&[Fault::Lost, Fault::Unanswered])
    }

    fn before(fault: Fault) -> Result<(), StoreError> {
        if fault == Fault::Lost { Err(injected()) } else { Ok(()) }
    }

    fn after<T>(fault: Fault, answer: Result<T, StoreError>) -> Result<T, StoreError> {
        if fault == Fault::Unanswered { Err(injected()) } else { answer }
    }
}

/// The error that an injected fault is told as.
pub fn injected() -> StoreError {
    StoreError::Io(std::io::Error::other("injected"))
}

/// Whether an error is one that was injected.
pub fn is_injected(error: &StoreError) -> bool {
    matches!(error, StoreError::Io(error) if error.to_string() == "injected")
}

#[async_trait]
impl<S: BlindStore> BlindStore for FaultyStore<S> {
    async fn heads(
        &self,
        access: &Access,
        known: &[(DeviceId, Incarnation, Position)],
    ) -> Result<Heads, StoreError> {
        let fault = self.fault();
        Self::before(fault)?;
        Self::after(fault, self.inner.heads(access, known).await)
    }

    async fn push(
        &self,
        access: &Access,
        head: &Signed<Head>,
        entries: &[Entry],
    ) -> Result<Receipt, StoreError> {
        let fault = self.fault();
        Self::before(fault)?;
        Self::after(fault, self.inner.push(access, head, entries).await)
    }

    async fn read(
        &self,
        access: &Access,
        feed: FeedId,
        after: u64,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        let fault = self.fault();
        Self::before(fault)?;
        let mut entries = Self::after(fault, self.inner.read(access, feed, after, limit).await)?;
        if self.one_in() > 0 && entries.len() > 1 {
            let keep = self.seed.lock().unwrap().below(entries.len() as u64);
            entries.truncate(usize::try_from(keep).unwrap() + 1);
        }
        Ok(entries)
    }

    async fn put(&self, access: &Access, name: ChunkName, sealed: &[u8]) -> Result<(), StoreError> {
        let fault = self.fault();
        Self::before(fault)?;
        Self::after(fault, self.inner.put(access, name, sealed).await)
    }

    async fn chunk(&self, access: &Access, name: ChunkName) -> Result<Vec<u8>, StoreError> {
        let fault = self.fault();
        Self::before(fault)?;
        Self::after(fault, self.inner.chunk(access, name).await)
    }

    async fn has(&self, access: &Access, names: &[ChunkName]) -> Result<Vec<bool>, StoreError> {
        let fault = self.fault();
        Self::before(fault)?;
        Self::after(fault, self.inner.has(access, names).await)
    }

    async fn head(
        &self,
        access: &Access,
        life: (DeviceId, Incarnation),
        at: Position,
    ) -> Result<Signed<Head>, StoreError> {
        let fault = self.fault();
        Self::before(fault)?;
        Self::after(fault, self.inner.head(access, life, at).await)
    }

    async fn ends(&self, access: &Access) -> Result<Ends, StoreError> {
        self.inner.ends(access).await
    }

    fn learn(&self, signers: &Signers) {
        self.inner.learn(signers);
    }

    async fn forget(&self, access: &Access, base: Hash) -> Result<u64, StoreError> {
        let fault = self.fault();
        Self::before(fault)?;
        Self::after(fault, self.inner.forget(access, base).await)
    }

    async fn watch(
        &self,
        access: &Access,
        known: &[(DeviceId, Incarnation, Position)],
        wait_ms: u64,
    ) -> Result<Vec<StoredHead>, StoreError> {
        let fault = self.fault();
        Self::before(fault)?;
        Self::after(fault, self.inner.watch(access, known, wait_ms).await)
    }
}
