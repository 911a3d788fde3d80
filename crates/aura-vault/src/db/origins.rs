// SPDX-License-Identifier: MIT OR Apache-2.0
//! Finding records by where they came from.
//!
//! Keys of origins are hashes, so one index of them all would change in nearly every page with every
//! commit of an import. They stand in runs instead: what one large commit adds is a run of its own, in
//! order, written once; what small commits add shares the first. Runs that have become many are joined
//! into one after an import, and few before one that asks for many origins. A place in a run names half of the key and the record's row; the row says
//! whether it is that origin still.

use std::collections::BinaryHeap;

use core::cmp::Reverse;

use rusqlite::{Connection, params};

use super::DbError;

/// The run of what few commits add.
const FIRST: i64 = 0;
/// A commit that adds more than this gets a run of its own.
const SMALL: usize = 256;
/// More runs than this are joined after an import: each is looked into for each question.
pub(super) const RUNS_MAX: usize = 64;

/// The half of an origin's key by which it is found.
pub(super) fn half(key: &[u8; 16]) -> i64 {
    key.first_chunk().map_or(0, |half| i64::from_be_bytes(*half))
}

/// Which runs there are.
pub(super) fn runs(connection: &Connection) -> Result<Vec<i64>, DbError> {
    let mut statement = connection.prepare_cached("SELECT min(run) FROM origin WHERE run > ?1")?;
    let mut runs: Vec<i64> = Vec::new();
    let mut last = -1;
    while let Some(run) = statement.query_row([last], |row| row.get::<_, Option<i64>>(0))? {
        runs.push(run);
        last = run;
    }
    Ok(runs)
}

/// Rows of records that may have this origin.
pub(super) fn find(
    connection: &Connection,
    runs: &[i64],
    key: &[u8; 16],
) -> Result<Vec<i64>, DbError> {
    let sql = "SELECT record FROM origin WHERE run = ?1 AND half = ?2";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = Vec::new();
    for run in runs {
        let mut found = statement.query(params![run, half(key)])?;
        while let Some(row) = found.next()? {
            rows.push(row.get(0)?);
        }
    }
    Ok(rows)
}

/// What one commit adds: halves of keys, and rows.
#[derive(Default)]
pub(super) struct Added(Vec<(i64, i64)>);

impl Added {
    /// One more.
    pub(super) fn push(&mut self, key: &[u8; 16], row: i64) {
        self.0.push((half(key), row));
    }

    /// Writes them, in order.
    pub(super) fn save(mut self, connection: &Connection) -> Result<(), DbError> {
        if self.0.is_empty() {
            return Ok(());
        }
        self.0.sort_unstable();
        let run = if self.0.len() > SMALL { next(connection)? } else { FIRST };
        let sql = "INSERT OR IGNORE INTO origin (run, half, record) VALUES (?1, ?2, ?3)";
        let mut statement = connection.prepare_cached(sql)?;
        for (half, row) in self.0 {
            statement.execute([run, half, row])?;
        }
        Ok(())
    }
}

fn next(connection: &Connection) -> Result<i64, DbError> {
    let sql = "SELECT coalesce(max(run), ?1) + 1 FROM origin";
    Ok(connection.prepare_cached(sql)?.query_row([FIRST], |row| row.get(0))?)
}

/// Joins runs if there are more than `most`. The caller's transaction makes it all or nothing.
pub(super) fn join(connection: &Connection, most: usize) -> Result<(), DbError> {
    let runs = runs(connection)?;
    if runs.len() <= most {
        return Ok(());
    }
    let joined = next(connection)?;
    let sql = "SELECT half, record FROM origin WHERE run = ?1";
    let mut statements =
        runs.iter().map(|_| connection.prepare(sql)).collect::<Result<Vec<_>, _>>()?;
    let mut open = statements
        .iter_mut()
        .zip(&runs)
        .map(|(statement, run)| statement.query([*run]))
        .collect::<Result<Vec<_>, _>>()?;
    let mut heads = BinaryHeap::new();
    for (at, rows) in open.iter_mut().enumerate() {
        heads.extend(head(rows)?.map(|place| Reverse((place, at))));
    }
    let sql = "INSERT OR IGNORE INTO origin (run, half, record) VALUES (?1, ?2, ?3)";
    let mut insert = connection.prepare(sql)?;
    while let Some(Reverse(((half, row), at))) = heads.pop() {
        insert.execute([joined, half, row])?;
        if let Some(rows) = open.get_mut(at) {
            heads.extend(head(rows)?.map(|place| Reverse((place, at))));
        }
    }
    drop(open);
    connection.execute("DELETE FROM origin WHERE run <> ?1", [joined])?;
    Ok(())
}

/// The next place of a run.
fn head(rows: &mut rusqlite::Rows<'_>) -> Result<Option<(i64, i64)>, DbError> {
    match rows.next()? {
        Some(row) => Ok(Some((row.get(0)?, row.get(1)?))),
        None => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: u64) -> [u8; 16] {
        let mut key = [7; 16];
        key[..8].copy_from_slice(&number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
        key
    }

    #[test]
    fn what_many_commits_added_is_found_before_and_after_joining() {
        const EACH: u64 = 300;
        let connection = Connection::open_in_memory().unwrap();
        connection
            .execute_batch(
                "CREATE TABLE origin (run INTEGER, half INTEGER, record INTEGER,
                 PRIMARY KEY (run, half, record)) WITHOUT ROWID",
            )
            .unwrap();
        let commits = 19;
        for commit in 0..commits {
            let mut added = Added::default();
            // Every second commit is a small one.
            let count = if commit % 2 == 0 { EACH } else { 3 };
            (0..count).for_each(|n| added.push(&key(commit * EACH + n), n.cast_signed()));
            added.save(&connection).unwrap();
        }
        let is_found = |commit: u64, n: u64| {
            let runs = runs(&connection).unwrap();
            find(&connection, &runs, &key(commit * EACH + n)).unwrap() == [n.cast_signed()]
        };
        assert_eq!(runs(&connection).unwrap().len(), 11);
        join(&connection, 11).unwrap();
        assert_eq!(runs(&connection).unwrap().len(), 11, "few are left as they are");
        for _ in 0..2 {
            assert!((0..commits).all(|commit| is_found(commit, 0) && is_found(commit, 2)));
            assert!(is_found(commits - 1, EACH - 1) && !is_found(1, 5));
            join(&connection, 1).unwrap();
        }
        assert_eq!(runs(&connection).unwrap().len(), 1);
    }
}
