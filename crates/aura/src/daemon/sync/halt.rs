// SPDX-License-Identifier: MIT OR Apache-2.0
//! A store that stops being one when it is told to: so a round ends at its next call, not at its end.
//!
//! Calls of stores block until they are done, and each is bounded: a batch of entries, or one chunk.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use aura_protocol::entry::Entry;
use aura_protocol::head::{Head, Position};
use aura_protocol::id::{ChunkName, DeviceId, FeedId, Hash, Incarnation};
use aura_protocol::signed::Signed;
use aura_protocol::store::{
    Access, BlindStore, Ends, Heads, Receipt, Signers, StoreError, StoredHead,
};

type Known = [(DeviceId, Incarnation, Position)];

/// Whether what goes on is to end.
#[derive(Debug, Default)]
pub(crate) struct Halt(AtomicBool);

impl Halt {
    pub(crate) fn is_set(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }

    pub(crate) fn set(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    pub(crate) fn clear(&self) {
        self.0.store(false, Ordering::SeqCst);
    }
}

/// A store until `halt` is set.
pub(super) struct Until<'a> {
    pub(super) store: Arc<dyn BlindStore>,
    pub(super) halt: &'a Halt,
}

impl Until<'_> {
    fn go_on(&self) -> Result<&dyn BlindStore, StoreError> {
        if self.halt.is_set() {
            return Err(StoreError::Io(io::Error::new(io::ErrorKind::Interrupted, "it was ended")));
        }
        Ok(self.store.as_ref())
    }
}

#[async_trait]
impl BlindStore for Until<'_> {
    async fn heads(&self, access: &Access, known: &Known) -> Result<Heads, StoreError> {
        self.go_on()?.heads(access, known).await
    }

    async fn push(
        &self,
        access: &Access,
        head: &Signed<Head>,
        entries: &[Entry],
    ) -> Result<Receipt, StoreError> {
        self.go_on()?.push(access, head, entries).await
    }

    async fn read(
        &self,
        access: &Access,
        feed: FeedId,
        after: u64,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        self.go_on()?.read(access, feed, after, limit).await
    }

    async fn put(&self, access: &Access, name: ChunkName, sealed: &[u8]) -> Result<(), StoreError> {
        self.go_on()?.put(access, name, sealed).await
    }

    async fn chunk(&self, access: &Access, name: ChunkName) -> Result<Vec<u8>, StoreError> {
        self.go_on()?.chunk(access, name).await
    }

    async fn has(&self, access: &Access, names: &[ChunkName]) -> Result<Vec<bool>, StoreError> {
        self.go_on()?.has(access, names).await
    }

    async fn head(
        &self,
        access: &Access,
        life: (DeviceId, Incarnation),
        at: Position,
    ) -> Result<Signed<Head>, StoreError> {
        self.go_on()?.head(access, life, at).await
    }

    async fn ends(&self, access: &Access) -> Result<Ends, StoreError> {
        self.go_on()?.ends(access).await
    }

    fn learn(&self, signers: &Signers) {
        self.store.learn(signers);
    }

    async fn forget(&self, access: &Access, base: Hash) -> Result<u64, StoreError> {
        self.go_on()?.forget(access, base).await
    }

    async fn watch(
        &self,
        access: &Access,
        known: &Known,
        wait_ms: u64,
    ) -> Result<Vec<StoredHead>, StoreError> {
        self.go_on()?.watch(access, known, wait_ms).await
    }
}
