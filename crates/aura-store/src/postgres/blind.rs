// SPDX-License-Identifier: MIT OR Apache-2.0
//! A vault in PostgreSQL as a blind store.

use async_trait::async_trait;

use aura_protocol::entry::Entry;
use aura_protocol::head::{Head, Position};
use aura_protocol::id::{ChunkName, DeviceId, FeedId, Hash, Incarnation};
use aura_protocol::signed::Signed;
use aura_protocol::store::{Access, BlindStore, Ends, Heads, Receipt, StoreError, StoredHead};

use super::{PostgresStore, chunk, feed, head};
use crate::claim::{Claimed, Named};
use crate::{access, wait};

type Known = [(DeviceId, Incarnation, Position)];

#[async_trait]
impl BlindStore for PostgresStore {
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
        let shown = |feed: &FeedId| {
            let row = self.reading(|moment| feed::find(moment, feed))?;
            Ok(row.map_or(0, |row| row.kept.number))
        };
        access::admit_writes((access, self.now_ms()), head, entries, shown)?;
        self.take(head, entries)
    }

    async fn read(
        &self,
        access: &Access,
        feed: FeedId,
        after: u64,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        self.admit_access(access)?;
        if !access.allows(feed.collection, self.now_ms()) {
            return Err(StoreError::Forbidden);
        }
        self.reading(|moment| match feed::find(moment, &feed)? {
            Some(row) if after < row.floor.number => {
                Err(StoreError::Forgotten { feed, upto: row.floor.number })
            }
            Some(row) if row.kept.number > 0 => feed::read(moment, &row, after, limit),
            _ => Err(StoreError::Absent),
        })
    }

    async fn put(&self, access: &Access, name: ChunkName, sealed: &[u8]) -> Result<(), StoreError> {
        let (named, within) = self.named_within(access, name)?;
        Claimed::of(&within).admit(sealed)?;
        // What is there may be what an entry beyond this access names.
        self.put_chunk(name, sealed, &Claimed::of(&named))
    }

    async fn chunk(&self, access: &Access, name: ChunkName) -> Result<Vec<u8>, StoreError> {
        let (_, within) = self.named_within(access, name)?;
        self.read_chunk(name, &Claimed::of(&within))
    }

    async fn has(&self, access: &Access, names: &[ChunkName]) -> Result<Vec<bool>, StoreError> {
        self.admit_access(access)?;
        let has = |name: &ChunkName| match self.named_within(access, *name) {
            Err(StoreError::Forbidden | StoreError::Absent) => Ok(false),
            Err(error) => Err(error),
            Ok((_, within)) => {
                let kept = self.reading(|moment| chunk::find(moment, *name))?;
                let size = kept.map(|kept| kept.size_bytes);
                Ok(within.iter().any(|named| size == Some(named.size_bytes)))
            }
        };
        names.iter().map(has).collect()
    }

    async fn head(
        &self,
        access: &Access,
        life: (DeviceId, Incarnation),
        at: Position,
    ) -> Result<Signed<Head>, StoreError> {
        self.admit_access(access)?;
        let found = self.reading(|moment| head::at(moment, life, at))?;
        found.map(|stored| stored.head).ok_or(StoreError::Absent)
    }

    async fn ends(&self, access: &Access) -> Result<Ends, StoreError> {
        self.admit_access(access)?;
        self.reading(|moment| self.said(moment)?.ends(moment))
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
            let patience = wait::deadline(self.database.listening.patience_ms());
            self.bell.wait(rung, deadline.min(patience)).await;
        }
    }
}

impl PostgresStore {
    fn now_ms(&self) -> i64 {
        (self.database.now_ms)()
    }

    fn admit_access(&self, access: &Access) -> Result<(), StoreError> {
        access::admit(access, self.vault, self.now_ms())
    }

    /// What shown entries say of a chunk, and those of them that the access extends to; neither is nothing.
    fn named_within(
        &self,
        access: &Access,
        name: ChunkName,
    ) -> Result<(Vec<Named>, Vec<Named>), StoreError> {
        self.admit_access(access)?;
        let named = self.reading(|moment| chunk::named(moment, name))?;
        let within = access::within((access, self.now_ms()), named.clone())?;
        Ok((named, within))
    }
}
