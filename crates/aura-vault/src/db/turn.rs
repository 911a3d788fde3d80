// SPDX-License-Identifier: MIT OR Apache-2.0
//! One transaction that brings the database further: entries' ops become rows.
//!
//! Rows that are certainly new are not looked for; statements are prepared once.

use aura_protocol::codec::Encode;
use aura_protocol::id::RecordId;
use rusqlite::{CachedStatement, Connection, Statement, Transaction, params};

use super::origins::Added;
use super::tally::Tally;
use super::{Applicable, DbError, Row, read_row};
use crate::audit::Event;
use crate::op::{Change, Dot, Op};
use crate::record::Category;
use crate::state::State;
use crate::view;

/// A record's row by its id.
pub(super) const LOAD: &str = "SELECT id, category, time, state FROM record WHERE id = ?1";

/// The record with this id, by the statement [`LOAD`].
pub(super) fn load(statement: &mut Statement<'_>, id: RecordId) -> Result<Option<Row>, DbError> {
    let mut found = statement.query([id.0.as_slice()])?;
    match found.next()? {
        None => Ok(None),
        Some(row) => read_row(row).map(Some),
    }
}

/// Moves the feed's applied position to this entry; `false` if it stood there or further already.
pub(super) fn advance(tx: &Transaction<'_>, entry: &Applicable) -> Result<bool, DbError> {
    let mut statement = tx.prepare_cached(
        "INSERT INTO feed (id, number) VALUES (?1, ?2)
         ON CONFLICT (id) DO UPDATE SET number = ?2 WHERE number < ?2",
    )?;
    let number = i64::try_from(entry.number).map_err(|_| DbError::Damaged)?;
    Ok(statement.execute(params![entry.feed.to_bytes(), number])? == 1)
}

/// Of rows in the order in which they came about, each record's last one.
pub(super) fn newest(rows: Vec<Row>) -> Vec<Row> {
    let mut seen = std::collections::HashSet::with_capacity(rows.len());
    let mut newest: Vec<Row> = rows.into_iter().rev().filter(|row| seen.insert(row.id)).collect();
    newest.reverse();
    newest
}

/// One transaction's statements, prepared once, and its sums.
pub(super) struct Turn<'a> {
    connection: &'a Connection,
    load: CachedStatement<'a>,
    insert: CachedStatement<'a>,
    update: CachedStatement<'a>,
    /// The highest id: what is above it is new, and is not looked for.
    highest: Option<RecordId>,
    tally: Tally,
    added: Added,
}

impl<'a> Turn<'a> {
    /// The statements and sums of a transaction that begins.
    pub(super) fn begin(connection: &'a Connection) -> Result<Self, DbError> {
        let highest: Option<Vec<u8>> = connection
            .prepare_cached("SELECT max(id) FROM record")?
            .query_row([], |row| row.get(0))?;
        Ok(Self {
            connection,
            highest: highest.as_deref().and_then(RecordId::from_slice),
            load: connection.prepare_cached(LOAD)?,
            insert: connection.prepare_cached(
                "INSERT INTO record (id, category, live, time, origin, content, state)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            )?,
            update: connection.prepare_cached(
                "UPDATE record
                 SET category = ?2, live = ?3, time = ?4, origin = ?5, content = ?6, state = ?7
                 WHERE id = ?1",
            )?,
            tally: Tally::load(connection)?,
            added: Added::default(),
        })
    }

    /// Writes what the ops came to besides their records.
    pub(super) fn finish(self) -> Result<(), DbError> {
        self.tally.save(self.connection)?;
        self.added.save(self.connection)
    }

    /// Applies one op. The row as it is then, if it has changed.
    pub(super) fn apply(
        &mut self,
        (dot, op): (Dot, Op),
        category: Option<Category>,
    ) -> Result<Option<Row>, DbError> {
        let (id, category) = match (&op.change, category) {
            (Change::Write { record, .. } | Change::Delete { record, .. }, Some(category)) => {
                (*record, category)
            }
            (Change::Fact { name, value }, None) => {
                self.connection
                    .prepare_cached("INSERT OR REPLACE INTO fact (name, value) VALUES (?1, ?2)")?
                    .execute([name, value])?;
                return Ok(None);
            }
            (Change::Event(encoded), None) => {
                self.spend(encoded)?;
                return Ok(None);
            }
            _ => return Ok(None),
        };
        let is_above = self.highest.is_none_or(|highest| highest < id);
        let known = if is_above { None } else { load(&mut self.load, id)? };
        let before =
            known.as_ref().map(|row| (row.category, row.state.is_live(), row.state.leaf(id)));
        let came_from = known.as_ref().and_then(|row| Some(view::origin(&row.state)?.0));
        // Places of different collections look alike, so their ops are never mixed. Of several
        // categories the lowest code is the record's, in whatever order they come (OPS-15).
        let mut row = match known {
            Some(row) if row.category.code() < category.code() => return Ok(None),
            Some(row) if row.category == category => row,
            _ => Row { id, category, time_ms: 0, state: State::default() },
        };
        if !row.state.take(dot, op) {
            return Ok(None);
        }
        row.time_ms = view::time_ms(&row.state, id);
        if let Some((category, true, leaf)) = before {
            self.tally.remove(category, &leaf);
        }
        let is_live = row.state.is_live();
        if is_live {
            self.tally.add(row.category, &row.state.leaf(id));
        }
        let (origin, content) = view::origin(&row.state).unzip();
        let is_new = before.is_none();
        let save = if is_new { &mut self.insert } else { &mut self.update };
        save.execute(params![
            row.id.0.as_slice(),
            row.category.code(),
            is_live,
            row.time_ms,
            origin.as_ref().map(<[u8; 16]>::as_slice),
            content,
            row.state.to_bytes(),
        ])?;
        self.highest = self.highest.max(Some(id));
        if let Some(origin) = origin.filter(|origin| came_from != Some(*origin)) {
            let at = if is_new { self.connection.last_insert_rowid() } else { self.row_of(id)? };
            self.added.push(&origin, at);
        }
        Ok(Some(row))
    }

    /// Counts what was used up of a grant, on any device.
    fn spend(&self, encoded: &[u8]) -> Result<(), DbError> {
        let Ok(event) = Event::parse(encoded) else { return Ok(()) };
        let Some(grant) = event.spent() else { return Ok(()) };
        // More than fits is more than any limit.
        let count = i64::try_from(event.count).unwrap_or(i64::MAX);
        self.connection
            .prepare_cached(
                "INSERT INTO spent (grant, records) VALUES (?1, ?2) ON CONFLICT (grant)
                 DO UPDATE SET records = CASE WHEN records > 9223372036854775807 - ?2
                     THEN 9223372036854775807 ELSE records + ?2 END",
            )?
            .execute(params![grant.0.as_slice(), count])?;
        Ok(())
    }

    fn row_of(&self, id: RecordId) -> Result<i64, DbError> {
        let mut statement =
            self.connection.prepare_cached("SELECT row FROM record WHERE id = ?1")?;
        Ok(statement.query_row([id.0.as_slice()], |row| row.get(0))?)
    }
}
