// SPDX-License-Identifier: MIT OR Apache-2.0
//! Adopting a snapshot: what it carries is taken in, what it covers and does not carry is let go of.
//!
//! Record by record in the order of their ids, in as many transactions as the snapshot has parts. Cut short, it is
//! done again from its beginning: what was adopted before changes nothing. Source: spec/snapshot.md, rules
//! SNP-2 and SNP-3.

use std::collections::BTreeSet;

use aura_protocol::codec::Encode as _;
use aura_protocol::id::RecordId;
use rusqlite::params;

use super::turn::{LOAD, load};
use super::{Db, DbError, Row, Tally, origins, read_row};
use crate::op::{Carried, Dot};
use crate::record::Category;
use crate::state::State;
use crate::view;

/// Records between two of a snapshot's that are looked at together.
const PAGE: i64 = 256;

/// A part of a snapshot: what it says of the records after one, up to another.
pub struct Part<'a> {
    /// The category of its collection.
    pub category: Category,
    /// After which record; none for the first.
    pub after: Option<RecordId>,
    /// Up to which one; none for all that are left.
    pub upto: Option<RecordId>,
    /// What is left of each, ascending.
    pub records: Vec<(RecordId, Vec<Carried>)>,
    /// Whether it covers an op.
    pub is_covered: &'a dyn Fn(&Dot) -> bool,
    /// Whether an earlier snapshot let go of an op, if it is not there.
    pub is_gone: &'a dyn Fn(&Dot) -> bool,
}

/// Told of a record, its row if it has one, and what a snapshot carries of it.
type Each<'a> = &'a mut dyn FnMut(RecordId, Option<Row>, &[Carried]) -> Result<(), DbError>;

/// Told of a record's row, whether it is plain, and what a snapshot carries of it.
type EachRow<'a> = &'a mut dyn FnMut((&Row, bool), &[Carried]);

/// What became of a record.
#[derive(Debug)]
pub enum Adopted {
    /// It is so now.
    Changed(Row),
    /// It is not there any more.
    Gone(RecordId),
}

impl Part<'_> {
    /// A record's state as it will be; whether it changes.
    pub(crate) fn adopt(&self, known: &State, carried: &[Carried]) -> (State, bool) {
        let stays: BTreeSet<Dot> = carried.iter().map(|carried| carried.dot).collect();
        let mut state = known.clone();
        let mut is_changed = state.bury(&|dot| (self.is_covered)(dot) && !stays.contains(dot));
        for carried in carried {
            // Another snapshot covers it and does not carry it: it stays dead.
            if (self.is_gone)(&carried.dot) && !known.has(&carried.dot) {
                continue;
            }
            is_changed |= state.take_carried(carried.clone());
        }
        (state, is_changed)
    }
}

impl Db {
    /// The records of a part's category that it does not name, and those that it does: each with its row.
    fn each_of(&self, part: &Part<'_>, each: Each<'_>) -> Result<(), DbError> {
        let mut after = part.after;
        let mut named = part.records.iter().peekable();
        loop {
            let rows = self.between(part.category, after, part.upto)?;
            let last = rows.last().map(|row| row.id);
            for row in rows {
                while let Some((id, carried)) = named.next_if(|(id, _)| *id < row.id) {
                    // It may be there in another category.
                    each(*id, self.record(*id)?, carried)?;
                }
                let carried = named.next_if(|(id, _)| *id == row.id);
                let id = row.id;
                each(
                    id,
                    Some(row),
                    carried.map(|(_, carried)| carried.as_slice()).unwrap_or_default(),
                )?;
            }
            match last {
                Some(last) => after = Some(last),
                None => break,
            }
        }
        for (id, carried) in named {
            each(*id, self.record(*id)?, carried)?;
        }
        Ok(())
    }

    /// Records of a category after one, up to another, some at a time.
    pub(crate) fn between(
        &self,
        category: Category,
        after: Option<RecordId>,
        upto: Option<RecordId>,
    ) -> Result<Vec<Row>, DbError> {
        let connection = self.reader();
        let sql = "SELECT id, category, time, state FROM record
                   WHERE id > ?1 AND id <= ?2 AND category = ?3 ORDER BY id LIMIT ?4";
        let mut statement = connection.prepare_cached(sql)?;
        let after = after.map(|id| id.0.to_vec()).unwrap_or_default();
        let upto = upto.map_or([0xff; 16], |id| id.0);
        let mut found = statement.query(params![after, &upto[..], category.code(), PAGE])?;
        let mut rows = Vec::new();
        while let Some(row) = found.next()? {
            rows.push(read_row(row)?);
        }
        Ok(rows)
    }

    /// The records of which it is not plain that a part carries what is here, with what it carries of each. Of an honest
    /// snapshot those that were changed again since, or of which old values stay, for a device that has what it covers.
    /// Each record that there is is handed to `each`, and whether it is plain.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn doubtful(
        &self,
        part: &Part<'_>,
        each: EachRow<'_>,
    ) -> Result<Vec<(Row, Vec<Carried>)>, DbError> {
        let mut doubtful = Vec::new();
        self.each_of(part, &mut |id, row, carried| {
            let row = row.filter(|row| row.category == part.category);
            let none = || Row { id, category: part.category, time_ms: 0, state: State::default() };
            let row = row.unwrap_or_else(none);
            let is_plain = row.state.is_plainly(carried);
            each((&row, is_plain), carried);
            if !is_plain {
                doubtful.push((row, carried.to_vec()));
            }
            Ok(())
        })?;
        Ok(doubtful)
    }

    /// Adopts a part of a snapshot, in one transaction. What changed of it.
    ///
    /// # Errors
    /// When the database cannot be read or written; it is then as it was.
    pub fn adopt(&self, part: &Part<'_>) -> Result<Vec<Adopted>, DbError> {
        let mut changes: Vec<(Option<Row>, Row)> = Vec::new();
        self.each_of(part, &mut |id, row, carried| {
            let known = match row {
                // Of several categories the lowest code is the record's (OPS-15).
                Some(row) if row.category.code() < part.category.code() => return Ok(()),
                Some(row) if row.category == part.category => Some(row),
                Some(_) if carried.is_empty() => return Ok(()),
                other => other,
            };
            let of_category = known.as_ref().filter(|row| row.category == part.category);
            let state = of_category.map(|row| row.state.clone()).unwrap_or_default();
            let (state, is_changed) = part.adopt(&state, carried);
            if is_changed {
                let time_ms = view::time_ms(&state, id);
                changes.push((known, Row { id, category: part.category, time_ms, state }));
            }
            Ok(())
        })?;
        let mut connection = self.writer();
        let tx = connection.transaction()?;
        let mut adopted = Vec::with_capacity(changes.len());
        {
            let mut tally = Tally::load(&tx)?;
            let mut added = origins::Added::default();
            let mut delete = tx.prepare_cached("DELETE FROM record WHERE id = ?1")?;
            let mut insert = tx.prepare_cached(
                "INSERT INTO record (id, category, live, time, origin, content, state)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
                 ON CONFLICT (id) DO UPDATE
                 SET category = ?2, live = ?3, time = ?4, origin = ?5, content = ?6, state = ?7",
            )?;
            let mut row_of = tx.prepare_cached("SELECT row FROM record WHERE id = ?1")?;
            let mut again = tx.prepare_cached(LOAD)?;
            for (known, row) in changes {
                // Nobody else writes to this database: it is as it was read, or not there.
                debug_assert_eq!(load(&mut again, row.id)?.is_some(), known.is_some());
                if let Some(known) = known.as_ref().filter(|known| known.state.is_live()) {
                    tally.remove(known.category, &known.state.leaf(row.id));
                }
                if row.state.touches().is_empty() {
                    delete.execute([row.id.0.as_slice()])?;
                    adopted.push(Adopted::Gone(row.id));
                    continue;
                }
                let is_live = row.state.is_live();
                if is_live {
                    tally.add(row.category, &row.state.leaf(row.id));
                }
                let (origin, content) = view::origin(&row.state).unzip();
                insert.execute(params![
                    row.id.0.as_slice(),
                    row.category.code(),
                    is_live,
                    row.time_ms,
                    origin.as_ref().map(<[u8; 16]>::as_slice),
                    content,
                    row.state.to_bytes(),
                ])?;
                let came_from = known.as_ref().and_then(|row| Some(view::origin(&row.state)?.0));
                if let Some(origin) = origin.filter(|origin| came_from != Some(*origin)) {
                    added.push(&origin, row_of.query_row([row.id.0.as_slice()], |row| row.get(0))?);
                }
                adopted.push(Adopted::Changed(row));
            }
            tally.save(&tx)?;
            added.save(&tx)?;
        }
        tx.commit()?;
        *super::lock(&self.runs) = origins::runs(&connection)?;
        Ok(adopted)
    }

    /// What was remembered under names that begin so, ascending.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn recall_all(&self, prefix: &str) -> Result<Vec<(String, Vec<u8>)>, DbError> {
        let connection = self.reader();
        let sql =
            "SELECT name, value FROM local WHERE substr(name, 1, length(?1)) = ?1 ORDER BY name";
        let mut statement = connection.prepare_cached(sql)?;
        let found = statement.query_map([prefix], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(found.collect::<Result<_, _>>()?)
    }
}
