// SPDX-License-Identifier: MIT OR Apache-2.0
//! A local store as one that can be moved. Source: spec/store.md, rule STO-46.

use aura_protocol::id::ChunkName;
use aura_protocol::store::{LocalLog as _, StoreError};
use rusqlite::params;

use super::chunk::{self, all};
use super::fault::failed;
use super::{LocalStore, feed, head};
use crate::claim::Claimed;
use crate::portable::{Portable, Row, Take};

const TABLES: [&str; 6] = ["entries", "copies", "names", "heads", "pins", "feeds"];

impl Portable for LocalStore {
    fn each(&self, take: Take<'_>) -> Result<(), StoreError> {
        let mut reader = self.reader();
        let moment = reader.transaction().map_err(failed)?;
        for row in feed::all(&moment)? {
            let feed::FeedRow { feed, kept, held, floor, .. } = row;
            take(Row::Feed { feed, kept, held, floor })?;
            feed::each(&moment, &row, &mut |entry| take(Row::Entry(entry)))?;
        }
        head::each(&moment, &mut |stored| take(Row::Head(stored)))
    }

    fn fill(&self, from: &dyn Portable) -> Result<(), StoreError> {
        let mut writer = self.writer();
        let transaction = writer.connection.transaction().map_err(failed)?;
        for table in TABLES {
            transaction.execute(&format!("DELETE FROM {table}"), params![]).map_err(failed)?;
        }
        let mut last = None;
        from.each(&mut |row| match row {
            Row::Feed { feed, kept, held, floor } => {
                let mut row = feed::find_or_make(&transaction, &feed)?;
                (row.kept, row.held, row.floor) = (kept, held, floor);
                feed::update(&transaction, &row)?;
                last = Some(row);
                Ok(())
            }
            Row::Entry(entry) => {
                let mut row = last.filter(|row| row.feed == entry.header().feed);
                let row = row.as_mut().ok_or(StoreError::Refused("an entry without its feed"))?;
                feed::insert(&transaction, row, &entry, entry.hash())
            }
            Row::Head(stored) => head::keep_pinned(&transaction, &stored),
        })?;
        transaction.commit().map_err(failed)?;
        writer.devices = None;
        Ok(())
    }

    fn chunk_sizes(&self) -> Result<Vec<(ChunkName, u64)>, StoreError> {
        let mut named = Vec::new();
        for (name, size) in all(&self.layout.chunks())? {
            // What no entry names nobody can ask for.
            if !self.claims(name)?.is_empty() {
                named.push((name, size));
            }
        }
        named.sort_unstable();
        Ok(named)
    }

    fn sealed(&self, name: ChunkName) -> Result<Vec<u8>, StoreError> {
        chunk::read(&self.layout.chunks(), name, &self.claimed(name)?)
    }

    fn keep_sealed(&self, name: ChunkName, sealed: &[u8]) -> Result<(), StoreError> {
        let claimed = Claimed::of(&chunk::named(&self.reader(), name)?);
        if claimed.is_none() {
            return Err(StoreError::Absent);
        }
        self.put_claimed(name, sealed, (&claimed, &claimed))
    }
}
