// SPDX-License-Identifier: MIT OR Apache-2.0
//! The notes of vaults that are to be taken away, in the accounts' file. Other programs work on it too.

use aura_protocol::id::VaultId;
use rusqlite::{Transaction, params};

use super::{AccountError, Accounts};
use crate::accounts::{Closing, TURN_SECONDS};

/// What version 3 has beside the tables of version 2.
pub(super) const CLOSING: &str = "
CREATE TABLE closing (vault BLOB PRIMARY KEY, until_s INTEGER NOT NULL) STRICT, WITHOUT ROWID;
";
/// How many are told at once.
const TOLD_MAX: u32 = 64;

/// Notes it.
pub(super) fn note(transaction: &Transaction<'_>, vault: VaultId) -> Result<(), AccountError> {
    let sql = "INSERT OR REPLACE INTO closing (vault, until_s) VALUES (?1, 0)";
    transaction.execute(sql, [&vault.0[..]])?;
    Ok(())
}

/// Whether it is noted.
pub(super) fn is_noted(
    transaction: &Transaction<'_>,
    vault: VaultId,
) -> Result<bool, AccountError> {
    let sql = "SELECT EXISTS (SELECT 1 FROM closing WHERE vault = ?1)";
    Ok(transaction.query_row(sql, [&vault.0[..]], |row| row.get(0))?)
}

impl Closing for Accounts {
    fn closing(&self) -> Result<Vec<VaultId>, AccountError> {
        let sql = "WITH time AS (SELECT CAST(strftime('%s', 'now') AS INTEGER) AS now_s)
            SELECT vault FROM closing, time
            WHERE until_s NOT BETWEEN now_s + 1 AND now_s + ?1 ORDER BY vault LIMIT ?2";
        let reader = self.reader();
        let mut statement = reader.prepare_cached(sql)?;
        let rows = statement.query_map([TURN_SECONDS, TOLD_MAX], |row| Ok(VaultId(row.get(0)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    fn take_turn(&self, vault: VaultId) -> Result<bool, AccountError> {
        // A time that lies farther ahead than a turn lasts is of a clock that was wrong.
        let sql = "WITH time AS (SELECT CAST(strftime('%s', 'now') AS INTEGER) AS now_s)
            UPDATE closing SET until_s = now_s + ?2 FROM time
            WHERE vault = ?1 AND until_s NOT BETWEEN now_s + 1 AND now_s + ?2";
        Ok(self.writer().execute(sql, params![&vault.0[..], TURN_SECONDS])? > 0)
    }

    fn give_back(&self, vault: VaultId) -> Result<(), AccountError> {
        self.writer().execute("UPDATE closing SET until_s = 0 WHERE vault = ?1", [&vault.0[..]])?;
        Ok(())
    }

    fn forget_closed(&self, vault: VaultId) -> Result<(), AccountError> {
        self.writer().execute("DELETE FROM closing WHERE vault = ?1", [&vault.0[..]])?;
        Ok(())
    }
}
