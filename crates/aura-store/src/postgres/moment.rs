// SPDX-License-Identifier: MIT OR Apache-2.0
//! One vault's rows in one transaction.
//!
//! Who writes locks the vault's row first, so that the writers of a vault come one after the other, whichever nodes they
//! are on; who reads sees one moment. Source: spec/store.md, rule STO-42.

use std::cell::RefCell;

use aura_protocol::id::{Hash, VaultId};
use aura_protocol::store::StoreError;
use postgres::types::ToSql;
use postgres::{IsolationLevel, Row, Transaction};

use super::fault::failed;
use super::pool::{Line, Statements};

/// How often a vault may be removed while somebody waits to write to it.
const ROWS_MAX: usize = 8;

/// What a statement is given.
pub(super) type Values<'a> = &'a [&'a (dyn ToSql + Sync)];

/// A transaction over one vault.
pub(super) struct Moment<'a> {
    pub(super) vault: VaultId,
    transaction: RefCell<Transaction<'a>>,
    statements: RefCell<&'a mut Statements>,
}

impl<'a> Moment<'a> {
    /// For who only reads.
    pub(super) fn reading(line: &'a mut Line, vault: VaultId) -> Result<Self, StoreError> {
        let Line { client, statements } = line;
        let transaction =
            client.build_transaction().isolation_level(IsolationLevel::RepeatableRead);
        let transaction = transaction.read_only(true).start().map_err(failed)?;
        Ok(Self { vault, transaction: transaction.into(), statements: statements.into() })
    }

    /// For who writes; makes the vault's row if it has none. Its number begins anywhere, so that what a node knows of
    /// a vault that was removed is never taken for what it knows of one that came again.
    pub(super) fn writing(line: &'a mut Line, vault: VaultId) -> Result<Self, StoreError> {
        let Line { client, statements } = line;
        let transaction = client.build_transaction().isolation_level(IsolationLevel::ReadCommitted);
        let transaction = transaction.start().map_err(failed)?;
        let moment = Self { vault, transaction: transaction.into(), statements: statements.into() };
        for _ in 0..ROWS_MAX {
            let sql = "INSERT INTO vaults (id, authority) VALUES ($1, floor(random() * 4503599627370496)::bigint)
                 ON CONFLICT DO NOTHING";
            moment.execute(sql, &[&moment.key()])?;
            let sql = "SELECT id FROM vaults WHERE id = $1 FOR UPDATE";
            // Without a row there is no lock: while this was waited for, the vault was removed.
            if !moment.query(sql, &[&moment.key()])?.is_empty() {
                return Ok(moment);
            }
        }
        Err(StoreError::SlowDown(1))
    }

    /// How often what the statements come to has changed; `None` for a vault that has nothing.
    pub(super) fn authority(&self) -> Result<Option<i64>, StoreError> {
        let rows = self.query("SELECT authority FROM vaults WHERE id = $1", &[&self.key()])?;
        rows.first().map(|row| row.try_get(0).map_err(failed)).transpose()
    }

    /// Tells all nodes that what the statements come to is another thing now.
    pub(super) fn change_authority(&self) -> Result<(), StoreError> {
        let sql = "UPDATE vaults SET authority = authority + 1 WHERE id = $1";
        self.execute(sql, &[&self.key()])
    }

    pub(super) fn key(&self) -> &[u8] {
        &self.vault.0
    }

    pub(super) fn query(
        &self,
        sql: &'static str,
        values: Values<'_>,
    ) -> Result<Vec<Row>, StoreError> {
        let mut transaction = self.transaction.borrow_mut();
        let mut statements = self.statements.borrow_mut();
        let statement = if let Some(statement) = statements.get(sql) {
            statement.clone()
        } else {
            let statement = transaction.prepare(sql).map_err(failed)?;
            statements.insert(sql, statement.clone());
            statement
        };
        transaction.query(&statement, values).map_err(failed)
    }

    pub(super) fn execute(&self, sql: &'static str, values: Values<'_>) -> Result<(), StoreError> {
        self.query(sql, values).map(drop)
    }

    pub(super) fn commit(self) -> Result<(), StoreError> {
        self.transaction.into_inner().commit().map_err(failed)
    }
}

/// A number as the database keeps it.
pub(super) fn stored(number: u64) -> Result<i64, StoreError> {
    i64::try_from(number).map_err(|_| StoreError::Refused("a number beyond 2^63"))
}

/// A column with an id or a hash, if it is one.
pub(super) fn bytes(row: &Row, at: usize) -> Option<&[u8]> {
    row.try_get(at).ok()
}

/// A column with a number, if it is one.
pub(super) fn number(row: &Row, at: usize) -> Option<u64> {
    u64::try_from(row.try_get::<_, i64>(at).ok()?).ok()
}

/// A column with a hash, if it is one.
pub(super) fn hash(row: &Row, at: usize) -> Option<Hash> {
    Hash::from_slice(bytes(row, at)?)
}
