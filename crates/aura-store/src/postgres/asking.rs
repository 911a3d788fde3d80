// SPDX-License-Identifier: MIT OR Apache-2.0
//! A connection for tables that are not the vaults' own: those of a server that keeps its accounts beside them.

use aura_protocol::store::StoreError;
use postgres::types::ToSql;
use postgres::{Row, Statement};

use super::Database;
use super::fault::failed;
use super::pool::Line;

/// A connection that nobody else uses meanwhile.
pub struct Asking<'a>(&'a mut Line);

impl core::fmt::Debug for Asking<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Asking").finish_non_exhaustive()
    }
}

impl Asking<'_> {
    /// The rows that a statement gives.
    ///
    /// # Errors
    /// When the database fails.
    pub fn query(
        &mut self,
        sql: &'static str,
        values: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, StoreError> {
        let statement = self.prepare(sql)?;
        self.0.client.query(&statement, values).map_err(failed)
    }

    /// How many rows a statement has changed.
    ///
    /// # Errors
    /// When the database fails.
    pub fn change(
        &mut self,
        sql: &'static str,
        values: &[&(dyn ToSql + Sync)],
    ) -> Result<u64, StoreError> {
        let statement = self.prepare(sql)?;
        self.0.client.execute(&statement, values).map_err(failed)
    }

    /// Once for each connection.
    fn prepare(&mut self, sql: &'static str) -> Result<Statement, StoreError> {
        if let Some(statement) = self.0.statements.get(sql) {
            return Ok(statement.clone());
        }
        let statement = self.0.client.prepare(sql).map_err(failed)?;
        self.0.statements.insert(sql, statement.clone());
        Ok(statement)
    }

    fn say(&mut self, sql: &'static str) -> Result<(), StoreError> {
        self.0.client.batch_execute(sql).map_err(failed)
    }
}

impl Database {
    /// Asks for something, statement by statement.
    ///
    /// # Errors
    /// Those of the work, or when no connection is to be had.
    pub fn ask<T, E: From<StoreError>>(
        &self,
        work: impl FnOnce(&mut Asking<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        self.pool.with(|line| Ok(work(&mut Asking(line))))?
    }

    /// Does something in one transaction: all of it, or, where the work fails, nothing.
    ///
    /// # Errors
    /// As [`ask`](Self::ask).
    pub fn ask_in_one<T, E: From<StoreError>>(
        &self,
        work: impl FnOnce(&mut Asking<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        self.ask(|asking| {
            asking.say("BEGIN ISOLATION LEVEL READ COMMITTED")?;
            match work(asking) {
                Ok(done) => asking.say("COMMIT").map(|()| done).map_err(E::from),
                Err(error) => {
                    // Of a connection that broke the database undoes it by itself.
                    asking.say("ROLLBACK").ok();
                    Err(error)
                }
            }
        })
    }
}
