// SPDX-License-Identifier: MIT OR Apache-2.0
//! The local store as a blind store, for whoever replicates with this device.
//!
//! Its calls do their work before they first yield: an asynchronous server gives them a thread that may
//! block. Only `watch` waits, and needs no runtime for it.

use async_trait::async_trait;

use aura_protocol::entry::Entry;
use aura_protocol::head::{Head, Position};
use aura_protocol::id::{ChunkName, DeviceId, FeedId, Hash, Incarnation};
use aura_protocol::signed::Signed;
use aura_protocol::store::{Access, BlindStore, Ends, Heads, Receipt, StoreError, StoredHead};

use super::{Completeness, LocalStore, chunk, head};
use crate::access;
use crate::claim::{Claimed, Named};
use crate::durable;
use crate::local::fault::io_failed;
use crate::wait;

type Known = [(DeviceId, Incarnation, Position)];

#[async_trait]
impl BlindStore for LocalStore {
    async fn heads(&self, access: &Access, known: &Known) -> Result<Heads, StoreError> {
        self.admit_access(access)?;
        self.compare(known)
    }

    async fn push(
        &self,
        access: &Access,
        head: &Signed<Head>,
        entries: &[Entry],
    ) -> Result<Receipt, StoreError> {
        self.admit_access(access)?;
        let shown = |feed: &FeedId| Ok(self.shown(feed)?.number);
        access::admit_writes((access, (self.now_ms)()), head, entries, shown)?;
        self.take(head, entries, Completeness::Awaited)
    }

    async fn read(
        &self,
        access: &Access,
        feed: FeedId,
        after: u64,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        self.admit_access(access)?;
        if !access.allows(feed.collection, (self.now_ms)()) {
            return Err(StoreError::Forbidden);
        }
        self.read_shown(&feed, after, limit)
    }

    async fn put(&self, access: &Access, name: ChunkName, sealed: &[u8]) -> Result<(), StoreError> {
        let within = Claimed::of(&self.named_within(access, name)?);
        // What is there may be what an entry beyond this access names.
        let claimed = self.claimed(name)?;
        self.put_claimed(name, sealed, (&within, &claimed))
    }

    async fn chunk(&self, access: &Access, name: ChunkName) -> Result<Vec<u8>, StoreError> {
        let within = self.named_within(access, name)?;
        self.read_claimed(name, &Claimed::of(&within))
    }

    async fn has(&self, access: &Access, names: &[ChunkName]) -> Result<Vec<bool>, StoreError> {
        self.admit_access(access)?;
        let has = |name: &ChunkName| match self.named_within(access, *name) {
            Err(StoreError::Forbidden | StoreError::Absent) => Ok(false),
            Err(error) => Err(error),
            Ok(within) => {
                let size = durable::size_bytes(&self.layout.chunks().chunk(*name));
                let size = size.map_err(io_failed)?;
                Ok(within.iter().any(|named| size == Some(named.size_bytes)))
            }
        };
        names.iter().map(has).collect()
    }

    async fn head(
        &self,
        access: &Access,
        (device, incarnation): (DeviceId, Incarnation),
        at: Position,
    ) -> Result<Signed<Head>, StoreError> {
        self.admit_access(access)?;
        let found = head::at(&self.reader(), device, incarnation, at)?;
        found.map(|stored| stored.head).ok_or(StoreError::Absent)
    }

    async fn ends(&self, access: &Access) -> Result<Ends, StoreError> {
        self.admit_access(access)?;
        self.said()?.ends(&*self.reader())
    }

    async fn forget(&self, access: &Access, base: Hash) -> Result<u64, StoreError> {
        self.admit_access(access)?;
        // Of the vault, not of some of its collections.
        match access {
            Access::Vault(_) => self.let_go(base),
            Access::Collections { .. } => Err(StoreError::Forbidden),
        }
    }

    async fn watch(
        &self,
        access: &Access,
        known: &Known,
        wait_ms: u64,
    ) -> Result<Vec<StoredHead>, StoreError> {
        let deadline = wait::deadline(wait_ms);
        loop {
            let rung = self.bell.rung();
            self.admit_access(access)?;
            let news = self.compare(known)?.news;
            if !news.is_empty() || std::time::Instant::now() >= deadline {
                return Ok(news);
            }
            self.bell.wait(rung, deadline).await;
        }
    }
}

impl LocalStore {
    fn admit_access(&self, access: &Access) -> Result<(), StoreError> {
        access::admit(access, self.vault, (self.now_ms)())
    }

    /// What entries that the access extends to say of a chunk; never nothing.
    fn named_within(&self, access: &Access, name: ChunkName) -> Result<Vec<Named>, StoreError> {
        self.admit_access(access)?;
        access::within((access, (self.now_ms)()), chunk::named(&self.reader(), name)?)
    }
}
