// SPDX-License-Identifier: MIT OR Apache-2.0
//! A vault in a database as one that can be moved. Source: spec/store.md, rule STO-46.

use aura_protocol::id::ChunkName;
use aura_protocol::store::StoreError;

use super::moment::{bytes, number};
use super::{PostgresStore, chunk, feed, head};
use crate::claim::Claimed;
use crate::portable::{Portable, Row, Take};

/// What of a vault is rows that are carried; chunks stay, since their bytes may.
const TABLES: [&str; 5] = [
    "DELETE FROM entries WHERE vault = $1",
    "DELETE FROM names WHERE vault = $1",
    "DELETE FROM heads WHERE vault = $1",
    "DELETE FROM pins WHERE vault = $1",
    "DELETE FROM feeds WHERE vault = $1",
];

impl Portable for PostgresStore {
    fn each(&self, take: Take<'_>) -> Result<(), StoreError> {
        self.reading(|moment| {
            for row in feed::all(moment)? {
                let feed::FeedRow { feed, kept, held, floor, .. } = row;
                take(Row::Feed { feed, kept, held, floor })?;
                feed::each(moment, &row, &mut |entry| take(Row::Entry(entry)))?;
            }
            head::each(moment, &mut |stored| take(Row::Head(stored)))
        })
    }

    fn fill(&self, from: &dyn Portable) -> Result<(), StoreError> {
        self.writing(|moment| {
            for sql in TABLES {
                moment.execute(sql, &[&moment.key()])?;
            }
            let mut last = None;
            from.each(&mut |row| match row {
                Row::Feed { feed, kept, held, floor } => {
                    let mut row = feed::find_or_make(&moment, &feed)?;
                    (row.kept, row.held, row.floor) = (kept, held, floor);
                    feed::update(&moment, &row)?;
                    last = Some(row);
                    Ok(())
                }
                Row::Entry(entry) => {
                    let row = last.filter(|row| row.feed == entry.header().feed);
                    let row = row.ok_or(StoreError::Refused("an entry without its feed"))?;
                    feed::write(&moment, &row, &entry, entry.hash())
                }
                Row::Head(stored) => head::keep_pinned(&moment, &stored),
            })?;
            moment.change_authority()?;
            moment.commit()
        })
    }

    fn chunk_sizes(&self) -> Result<Vec<(ChunkName, u64)>, StoreError> {
        const ROW: StoreError = StoreError::Damaged("a row of the table of chunks");
        let sql = "SELECT name, size_bytes FROM chunks WHERE vault = $1 ORDER BY name";
        let rows = self.reading(|moment| moment.query(sql, &[&moment.key()]))?;
        let one = |row| Some((bytes(row, 0).and_then(ChunkName::from_slice)?, number(row, 1)?));
        rows.iter().map(|row| one(row).ok_or(ROW)).collect()
    }

    fn sealed(&self, name: ChunkName) -> Result<Vec<u8>, StoreError> {
        let named = self.reading(|moment| chunk::named(moment, name))?;
        self.look_at_chunk(name, &Claimed::of(&named))
    }

    fn keep_sealed(&self, name: ChunkName, sealed: &[u8]) -> Result<(), StoreError> {
        let claimed = Claimed::of(&self.reading(|moment| chunk::named(moment, name))?);
        if claimed.is_none() {
            return Err(StoreError::Absent);
        }
        claimed.admit(sealed)?;
        self.put_chunk(name, sealed, &claimed)
    }
}
