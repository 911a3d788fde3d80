// SPDX-License-Identifier: MIT OR Apache-2.0
//! The local store as the vault's log.

use std::collections::BTreeSet;

use aura_protocol::entry::{ChunkAdded, Entry};
use aura_protocol::head::{Head, Position};
use aura_protocol::id::{ChunkName, DeviceId, FeedId, Hash, Incarnation};
use aura_protocol::signed::Signed;
use aura_protocol::store::{LocalLog, StoreError};

use super::{Completeness, Damage, LocalStore, chunk, fault, feed, head};
use crate::claim::{Claimed, Named};
use crate::durable;
use crate::local::fault::io_failed;

impl LocalLog for LocalStore {
    fn append(&self, entries: &[Entry], head: &Signed<Head>) -> Result<(), StoreError> {
        self.take(head, entries, Completeness::Required).map(drop)
    }

    fn read(&self, feed: FeedId, after: u64, limit: usize) -> Result<Vec<Entry>, StoreError> {
        self.read_shown(&feed, after, limit)
    }

    fn entry(&self, feed: FeedId, number: u64) -> Result<Entry, StoreError> {
        let after = number.checked_sub(1).ok_or(StoreError::Absent)?;
        self.read_shown(&feed, after, 1)?.pop().ok_or(StoreError::Absent)
    }

    fn feeds(&self) -> Result<Vec<(FeedId, Position)>, StoreError> {
        let rows = feed::all(&self.reader())?;
        let shown = rows.into_iter().filter(|row| row.kept.number > 0);
        Ok(shown.map(|row| (row.feed, row.kept)).collect())
    }

    fn floor(&self, feed: FeedId) -> Result<Position, StoreError> {
        Ok(feed::find(&self.reader(), &feed)?.map_or(Position::NONE, |row| row.floor))
    }

    fn forget(&self, base: Hash) -> Result<u64, StoreError> {
        self.let_go(base)
    }

    fn claims(&self, name: ChunkName) -> Result<Vec<ChunkAdded>, StoreError> {
        let named = chunk::named(&self.reader(), name)?;
        let claim = |named: &Named| (named.hash, named.size_bytes);
        let claims: BTreeSet<_> = named.iter().map(claim).collect();
        let claims = claims.into_iter();
        Ok(claims.map(|(hash, size_bytes)| ChunkAdded { name, hash, size_bytes }).collect())
    }

    fn heads(&self) -> Result<Vec<Signed<Head>>, StoreError> {
        Ok(self.shown_heads()?.into_iter().map(|stored| stored.head).collect())
    }

    fn rotten_heads(&self) -> Result<Vec<(DeviceId, Incarnation)>, StoreError> {
        let (_, rotten) = head::all_newest(&self.reader())?;
        Ok(rotten)
    }

    fn put_chunk(&self, name: ChunkName, sealed: &[u8]) -> Result<(), StoreError> {
        let claimed = self.claimed(name)?;
        self.put_claimed(name, sealed, (&claimed, &claimed))
    }

    fn chunk(&self, name: ChunkName) -> Result<Vec<u8>, StoreError> {
        self.read_claimed(name, &self.claimed(name)?)
    }

    fn chunks(&self) -> Result<Vec<(ChunkName, u64)>, StoreError> {
        chunk::all(&self.layout.chunks())
    }

    fn sweep_chunks(&self, names: &[ChunkName]) -> Result<(), StoreError> {
        // Under the writer's lock: no entry may come to name a chunk while it goes.
        let writer = self.writer();
        for name in names {
            if chunk::named_by_any(&writer.connection, *name)? {
                continue;
            }
            chunk::remove(&self.layout.chunks(), *name)?;
        }
        Ok(())
    }

    fn give_way(&self, common: &[(FeedId, u64)]) -> Result<(), StoreError> {
        let mut writer = self.writer();
        let result = writer.give_way(common);
        if let Err(error) = &result {
            writer.has_failed |= fault::is_fatal(error);
        }
        result
    }

    fn size_bytes(&self) -> Result<(u64, u64), StoreError> {
        // What was written last stands in the log beside the database for a while.
        let mut sealed = 0u64;
        for file in [self.layout.database(), self.layout.database_log()] {
            let size = durable::size_bytes(&file).map_err(io_failed)?;
            sealed = sealed.saturating_add(size.unwrap_or_default());
        }
        let chunks = chunk::all(&self.layout.chunks())?;
        let bytes = chunks.iter().fold(0u64, |sum, (_, size)| sum.saturating_add(*size));
        Ok((sealed, bytes))
    }
}

impl LocalStore {
    pub(super) fn put_claimed(
        &self,
        name: ChunkName,
        sealed: &[u8],
        (within, claimed): (&Claimed, &Claimed),
    ) -> Result<(), StoreError> {
        chunk::put(&self.layout.chunks(), name, sealed, (within, claimed))?;
        self.forget_damage(&Damage::Chunk(name));
        Ok(())
    }

    pub(super) fn read_claimed(
        &self,
        name: ChunkName,
        claimed: &Claimed,
    ) -> Result<Vec<u8>, StoreError> {
        let read = chunk::read(&self.layout.chunks(), name, claimed);
        if let Err(StoreError::Damaged(_)) = &read {
            self.note_damage(Damage::Chunk(name));
        }
        read
    }

    /// What a chunk must be, as the shown entries name it.
    pub(super) fn claimed(&self, name: ChunkName) -> Result<Claimed, StoreError> {
        Ok(Claimed::of(&chunk::named(&self.reader(), name)?))
    }
}
