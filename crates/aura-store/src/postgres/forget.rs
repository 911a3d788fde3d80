// SPDX-License-Identifier: MIT OR Apache-2.0
//! Letting go of what a snapshot covers, and of a whole vault.
//!
//! Entries and the rows of chunks go in one transaction; what chunks had on the shelf is taken away after it, now or
//! with a later sweep. Source: spec/store.md, rules STO-28 to STO-30 and STO-44.

use aura_protocol::id::{Hash, VaultId};
use aura_protocol::store::StoreError;

use super::fault::failed;
use super::moment::bytes;
use super::{Database, PostgresStore, chunk};
use crate::floor;
use crate::rows::Rows as _;
use crate::shelf::Place;

/// The tables with rows of vaults.
const TABLES: [&str; 7] = [
    "DELETE FROM entries WHERE vault = $1",
    "DELETE FROM names WHERE vault = $1",
    "DELETE FROM heads WHERE vault = $1",
    "DELETE FROM pins WHERE vault = $1",
    "DELETE FROM feeds WHERE vault = $1",
    "DELETE FROM chunks WHERE vault = $1",
    "DELETE FROM vaults WHERE id = $1",
];

impl PostgresStore {
    pub(super) fn let_go(&self, base: Hash) -> Result<u64, StoreError> {
        let (gone, places) = self.writing(|moment| {
            let devices = self.listed(&moment)?;
            let base = devices.base(base).ok_or(StoreError::Unproven)?;
            floor::prove(&moment, &devices, base)?;
            let doomed = floor::doomed(&moment, base)?;
            let places = chunk::let_go(&moment, &moment.named_only_by(&doomed)?)?;
            let mut gone = 0u64;
            for (mut row, upto) in doomed {
                gone = gone.saturating_add(moment.let_go(&mut row, upto)?);
            }
            moment.commit().map(|()| (gone, places))
        })?;
        // What stays is swept later.
        places.into_iter().for_each(|place| drop(self.sweep_place(place)));
        Ok(gone)
    }
}

impl Database {
    /// Removes everything that is kept for a vault.
    ///
    /// # Errors
    /// When the database cannot be written; then everything is there. What is on the shelf may stay there until it is
    /// swept.
    pub fn remove(&self, vault: VaultId) -> Result<(), StoreError> {
        let places = self.writing(vault, |moment| {
            let sql = "INSERT INTO places (vault, place, until_ms)
                       SELECT vault, place, 0 FROM chunks
                       WHERE vault = $1 AND place IS NOT NULL ON CONFLICT DO NOTHING";
            moment.execute(sql, &[&moment.key()])?;
            for sql in TABLES {
                moment.execute(sql, &[&moment.key()])?;
            }
            let sql = "SELECT place FROM places WHERE vault = $1 AND until_ms = 0";
            let rows = moment.query(sql, &[&moment.key()])?;
            let places: Vec<_> = rows.iter().filter_map(|row| chunk::place(row, 0)).collect();
            moment.commit().map(|()| places)
        })?;
        places.into_iter().for_each(|place| drop(self.sweep_place(vault, place)));
        Ok(())
    }

    /// Takes away from the shelf what was left there by what was cut short. How much it was; whoever finds many asks
    /// again.
    ///
    /// # Errors
    /// When database or shelf cannot be asked. What can be taken away is all the same.
    pub fn sweep(&self) -> Result<usize, StoreError> {
        let overdue = self.pool.with(|line| {
            let most = chunk::swept_at_once();
            let rows = line.client.query(chunk::OVERDUE, &[&most]).map_err(failed)?;
            let found = rows.iter().filter_map(|row| {
                Some((bytes(row, 0).and_then(VaultId::from_slice)?, chunk::place(row, 1)?))
            });
            Ok(found.collect::<Vec<_>>())
        })?;
        let mut swept = Ok(overdue.len());
        for (vault, place) in &overdue {
            swept = self.sweep_place(*vault, *place).and(swept);
        }
        swept
    }

    /// Takes away what is in a place that no row has, and then the place. A place of a chunk that was on its way for too
    /// long is taken from the list first, so that it cannot get a row any more.
    pub(super) fn sweep_place(&self, vault: VaultId, place: Place) -> Result<(), StoreError> {
        let Some(shelf) = &self.shelf else { return Ok(()) };
        let was_listed = self.pool.with(|line| {
            let sql = "UPDATE places SET until_ms = 0 WHERE vault = $1 AND place = $2";
            let keys: [&[u8]; 2] = [&vault.0, &place.0];
            let changed = line.client.execute(sql, &[&keys[0], &keys[1]]).map_err(failed)?;
            Ok(changed > 0)
        })?;
        if !was_listed {
            return Ok(());
        }
        shelf.remove(vault, place)?;
        self.pool.with(|line| {
            let sql = "DELETE FROM places WHERE vault = $1 AND place = $2 AND until_ms = 0";
            let keys: [&[u8]; 2] = [&vault.0, &place.0];
            line.client.execute(sql, &[&keys[0], &keys[1]]).map(drop).map_err(failed)
        })
    }
}
