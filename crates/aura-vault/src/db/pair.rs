// SPDX-License-Identifier: MIT OR Apache-2.0
//! The database's two connections, and the moment that the reading one keeps between writes.
//!
//! A read takes and gives back two locks of the file, which costs a quarter of getting a record. So the
//! reading connection stays in its transaction until somebody writes: a write ends it first, and while
//! one is under way reads keep nothing. Hence a read sees every write that returned before it began,
//! and no read that is over keeps the write-ahead log from being copied back.

use core::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard};

use rusqlite::Connection;

use super::{DbError, lock};

/// One connection for writing and one for reading.
pub(super) struct Pair {
    writer: Mutex<Connection>,
    reader: Mutex<Connection>,
    /// Writes that are under way or wait for one.
    writes: AtomicUsize,
}

impl Pair {
    pub(super) fn new(writer: Connection, reader: Connection) -> Self {
        Self { writer: Mutex::new(writer), reader: Mutex::new(reader), writes: AtomicUsize::new(0) }
    }

    /// The reading connection.
    pub(super) fn reader(&self) -> MutexGuard<'_, Connection> {
        let reader = lock(&self.reader);
        if self.writes.load(Ordering::SeqCst) == 0 && reader.is_autocommit() {
            // Where it fails, each read takes the locks for itself, as any other.
            drop(reader.prepare_cached("BEGIN").and_then(|mut begin| begin.execute([])));
        }
        reader
    }

    /// The writing connection; reads keep nothing until it is given back.
    pub(super) fn writer(&self) -> Writing<'_> {
        self.writes.fetch_add(1, Ordering::SeqCst);
        let writing = Writing { connection: lock(&self.writer), writes: &self.writes };
        // Whoever reads from here on has seen that a write is under way.
        end(&lock(&self.reader));
        writing
    }

    /// Puts other connections in their place, made when nothing holds the file any more.
    pub(super) fn replace(
        &self,
        mut connect: impl FnMut() -> Result<(Connection, Connection), DbError>,
    ) -> Result<(), DbError> {
        let mut writer = self.writer();
        let mut reader = lock(&self.reader);
        *writer = Connection::open_in_memory()?;
        *reader = Connection::open_in_memory()?;
        (*writer, *reader) = connect()?;
        Ok(())
    }
}

/// Ends what the reading connection keeps.
fn end(reader: &Connection) {
    if !reader.is_autocommit() {
        // It has written nothing that could fail to be written.
        drop(reader.prepare_cached("COMMIT").and_then(|mut commit| commit.execute([])));
    }
}

/// The writing connection, while somebody writes.
pub(super) struct Writing<'a> {
    connection: MutexGuard<'a, Connection>,
    writes: &'a AtomicUsize,
}

impl Deref for Writing<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.connection
    }
}

impl DerefMut for Writing<'_> {
    fn deref_mut(&mut self) -> &mut Connection {
        &mut self.connection
    }
}

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        self.writes.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(path: &std::path::Path) -> Pair {
        let open = || {
            let connection = Connection::open(path).unwrap();
            connection.pragma_update(None, "journal_mode", "WAL").unwrap();
            connection
        };
        let pair = Pair::new(open(), open());
        pair.writer().execute_batch("CREATE TABLE t (n INTEGER)").unwrap();
        pair
    }

    fn count(pair: &Pair) -> i64 {
        pair.reader().query_row("SELECT count(*) FROM t", [], |row| row.get(0)).unwrap()
    }

    #[test]
    fn a_read_keeps_its_moment_until_a_write_and_sees_every_write_before_it() {
        let dir = tempfile::tempdir().unwrap();
        let pair = pair(&dir.path().join("db"));
        for n in 0..50 {
            assert_eq!(count(&pair), n);
            assert!(!lock(&pair.reader).is_autocommit(), "it keeps nothing");
            pair.writer().execute("INSERT INTO t VALUES (1)", []).unwrap();
        }
        let writer = pair.writer();
        assert_eq!(count(&pair), 50);
        assert!(lock(&pair.reader).is_autocommit(), "it keeps a moment while somebody writes");
        drop(writer);
    }

    #[test]
    fn reads_between_writes_do_not_keep_the_log_from_being_copied_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("db");
        let pair = pair(&path);
        pair.writer().pragma_update(None, "wal_autocheckpoint", 20).unwrap();
        for n in 0..500 {
            assert_eq!(count(&pair), n);
            pair.writer().execute("INSERT INTO t VALUES (1)", []).unwrap();
        }
        // Each write is a page or two; without copying back it would be some 500.
        let log = std::fs::metadata(dir.path().join("db-wal")).unwrap().len();
        assert!(log < 100 * 4096, "{log} bytes");
        let (busy, _): (i64, i64) = pair
            .writer()
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| Ok((row.get(0)?, row.get(1)?)))
            .unwrap();
        assert_eq!(busy, 0);
    }
}
