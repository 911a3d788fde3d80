// SPDX-License-Identifier: MIT OR Apache-2.0
//! Records as the log alone makes them, in a database of their own beside the vault's.
//!
//! In memory they would take as much as the vault has. The database is sealed under a key that is never
//! written down and goes when it is dropped; what a crash leaves can be read by nobody, and is removed
//! when the vault is opened next. Source: spec/vault-directory.md, rules DIR-7, DIR-10.

use std::collections::VecDeque;

use aura_protocol::id::RecordId;

use crate::db::{Applicable, Db, DbError, Row, Which};
use crate::open::{Open, OpenError, Side};
use crate::views::Views;

/// Rows that are in memory at one time.
const ROWS: usize = 64;

/// The log's records.
pub(super) struct Rebuilt {
    db: Db,
}

impl Rebuilt {
    /// None yet, beside the database that they will be compared with.
    pub(super) fn begin(open: &Open, db: &Db) -> Result<Self, OpenError> {
        let mut entropy = open.fresh_entropy();
        Ok(Self { db: db.beside(entropy.as_mut())? })
    }

    /// Takes in entries that were opened.
    pub(super) fn apply(&self, entries: Vec<Applicable>) -> Result<(), OpenError> {
        self.db.apply(entries)?;
        Ok(())
    }

    /// Adopts the snapshots that the views have adopted.
    pub(super) fn adopt(
        &self,
        open: &Open,
        (views, side): (&Views, Side),
    ) -> Result<(), OpenError> {
        open.adopt_beside(views, &self.db, side)
    }

    /// The log's records, in the order of their ids.
    pub(super) fn rows(&self) -> Rows<'_> {
        Rows::new(&self.db)
    }
}

impl Drop for Rebuilt {
    fn drop(&mut self) {
        // What stays behind is removed when the vault is opened next.
        drop(self.db.discard());
    }
}

/// A database's records in the order of their ids, some at a time.
pub(super) struct Rows<'a> {
    db: &'a Db,
    after: Option<RecordId>,
    page: VecDeque<Row>,
    is_done: bool,
}

impl<'a> Rows<'a> {
    pub(super) fn new(db: &'a Db) -> Self {
        Self { db, after: None, page: VecDeque::new(), is_done: false }
    }

    fn fill(&mut self) -> Result<(), DbError> {
        if self.page.is_empty() && !self.is_done {
            self.page = self.db.page(Which::All, self.after, ROWS)?.into();
            self.is_done = self.page.is_empty();
            self.after = self.page.back().map(|row| row.id).or(self.after);
        }
        Ok(())
    }

    /// The id of the next record.
    pub(super) fn peek(&mut self) -> Result<Option<RecordId>, DbError> {
        self.fill()?;
        Ok(self.page.front().map(|row| row.id))
    }

    /// The next record.
    pub(super) fn next(&mut self) -> Result<Option<Row>, DbError> {
        self.fill()?;
        Ok(self.page.pop_front())
    }
}
