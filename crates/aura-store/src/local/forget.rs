// SPDX-License-Identifier: MIT OR Apache-2.0
//! Letting go of what a snapshot covers, once every device has adopted it.
//!
//! The proof is in the statements that the store has (`crate::floor`). Chunks go before the entries that name them: cut
//! short, it is done again. Source: spec/store.md, rules STO-28 to STO-30.

use std::collections::BTreeSet;

use aura_protocol::head::Position;
use aura_protocol::id::{ChunkName, Hash};
use aura_protocol::store::StoreError;
use rusqlite::{Connection, params};

use super::fault::failed;
use super::feed::{self, FeedRow, stored};
use super::{LocalStore, Writer, chunk, fault};
use crate::floor;

impl LocalStore {
    pub(super) fn let_go(&self, base: Hash) -> Result<u64, StoreError> {
        let mut writer = self.writer();
        writer.devices(self.vault)?;
        let result = self.let_go_held(&mut writer, base);
        if let Err(error) = &result {
            writer.has_failed |= fault::is_fatal(error);
        }
        result
    }

    fn let_go_held(&self, writer: &mut Writer, base: Hash) -> Result<u64, StoreError> {
        let Some(devices) = &writer.devices else { return Err(StoreError::Unproven) };
        let base = devices.base(base).ok_or(StoreError::Unproven)?.clone();
        floor::prove(&writer.connection, devices, &base)?;
        let doomed = floor::doomed(&writer.connection, &base)?;
        if doomed.is_empty() {
            return Ok(0);
        }
        for name in named_only_by(&writer.connection, &doomed)? {
            chunk::remove(&self.layout.chunks(), name)?;
        }
        let transaction = writer.connection.transaction().map_err(failed)?;
        let mut gone = 0u64;
        for (mut row, upto) in doomed {
            gone = gone.saturating_add(feed::let_go(&transaction, &mut row, upto)?);
        }
        transaction.commit().map_err(failed)?;
        shrink(&writer.connection);
        Ok(gone)
    }
}

/// The chunks that no entry names but those that go.
pub(super) fn named_only_by(
    connection: &Connection,
    doomed: &[(FeedRow, Position)],
) -> Result<BTreeSet<ChunkName>, StoreError> {
    const NAME: StoreError = StoreError::Damaged("a row of the table of chunk names");
    let mut names = BTreeSet::new();
    let sql = "SELECT DISTINCT name FROM names WHERE feed = ?1 AND number <= ?2";
    let mut of_doomed = connection.prepare_cached(sql).map_err(failed)?;
    for (row, at) in doomed {
        let mut found = of_doomed.query(params![row.key, stored(at.number)?]).map_err(failed)?;
        while let Some(found) = found.next().map_err(failed)? {
            let name = found.get_ref(0).map_err(failed)?.as_blob().map_err(|_| NAME)?;
            names.insert(ChunkName::from_slice(name).ok_or(NAME)?);
        }
    }
    let sql = "SELECT feed, number FROM names WHERE name = ?1";
    let mut naming = connection.prepare_cached(sql).map_err(failed)?;
    let mut unnamed = BTreeSet::new();
    for name in names {
        let mut found = naming.query([&name.0[..]]).map_err(failed)?;
        let mut stays = false;
        while let Some(found) = found.next().map_err(failed)? {
            let (feed, number): (i64, i64) =
                (found.get(0).map_err(failed)?, found.get(1).map_err(failed)?);
            let goes = doomed.iter().any(|(row, at)| {
                row.key == feed && u64::try_from(number).is_ok_and(|number| number <= at.number)
            });
            stays |= !goes;
        }
        if !stays {
            unnamed.insert(name);
        }
    }
    Ok(unnamed)
}

/// Gives room back to the disk where much of the file is free. Best effort: what stays is used again.
fn shrink(connection: &Connection) {
    let count = |pragma: &str| {
        connection.query_row(&format!("PRAGMA {pragma}"), [], |row| row.get::<_, i64>(0))
    };
    let (Ok(free), Ok(pages)) = (count("freelist_count"), count("page_count")) else { return };
    if free > 256 && free > pages / 2 {
        drop(connection.execute_batch("VACUUM"));
        drop(connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())));
    }
}
