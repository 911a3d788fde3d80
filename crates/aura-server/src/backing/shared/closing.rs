// SPDX-License-Identifier: MIT OR Apache-2.0
//! The notes of vaults that are to be taken away, where every node finds them. Time is the database's own.

use aura_protocol::id::VaultId;

use super::accounts::SharedAccounts;
use crate::accounts::{AccountError, Closing, TURN_SECONDS};

impl Closing for SharedAccounts {
    fn closing(&self) -> Result<Vec<VaultId>, AccountError> {
        let sql = "SELECT vault FROM closing WHERE until <= clock_timestamp()
                   ORDER BY vault LIMIT 64";
        let rows = self.0.ask::<_, AccountError>(|asking| Ok(asking.query(sql, &[])?))?;
        let vault = |at: &[u8]| VaultId::from_slice(at);
        Ok(rows.iter().filter_map(|row| row.try_get(0).ok().and_then(vault)).collect())
    }

    fn take_turn(&self, vault: VaultId) -> Result<bool, AccountError> {
        let sql = "UPDATE closing SET until = clock_timestamp() + $2 * interval '1 second'
                   WHERE vault = $1 AND until <= clock_timestamp()";
        let seconds = f64::from(TURN_SECONDS);
        self.0.ask(|asking| Ok(asking.change(sql, &[&&vault.0[..], &seconds])? > 0))
    }

    fn give_back(&self, vault: VaultId) -> Result<(), AccountError> {
        let sql = "UPDATE closing SET until = '-infinity' WHERE vault = $1";
        self.0.ask(|asking| Ok(asking.change(sql, &[&&vault.0[..]]).map(drop)?))
    }

    fn forget_closed(&self, vault: VaultId) -> Result<(), AccountError> {
        let sql = "DELETE FROM closing WHERE vault = $1";
        self.0.ask(|asking| Ok(asking.change(sql, &[&&vault.0[..]]).map(drop)?))
    }
}
