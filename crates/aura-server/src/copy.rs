// SPDX-License-Identifier: MIT OR Apache-2.0
//! A copy of a SQLite database as of one moment, whole or not at all.

use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, Result, ffi};

/// Copies a database into an empty one, while others may write to it.
///
/// # Errors
/// When it cannot be read or written, or somebody has it for themselves for longer than the source's connection waits.
pub(crate) fn copy_whole(from: &Connection, to: &mut Connection) -> Result<()> {
    // In one step: a copy in several begins again whenever somebody writes in between.
    match Backup::new(from, to)?.step(-1)? {
        StepResult::Done => Ok(()),
        // Whoever takes this for an end has half a copy.
        _ => Err(rusqlite::Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_BUSY), None)),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]

    use super::*;

    /// What somebody else has for themselves is not copied, and that is told.
    #[test]
    fn a_database_that_is_held_is_not_copied_by_half() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.db");
        let held = Connection::open(&path).unwrap();
        held.execute_batch("CREATE TABLE told (what TEXT); INSERT INTO told VALUES ('x')").unwrap();
        held.execute_batch("BEGIN EXCLUSIVE; UPDATE told SET what = 'y'").unwrap();
        let from = Connection::open(&path).unwrap();
        from.busy_timeout(std::time::Duration::ZERO).unwrap();
        let mut to = Connection::open(folder.path().join("copy.db")).unwrap();
        let failed = copy_whole(&from, &mut to).unwrap_err();
        assert_eq!(failed.sqlite_error_code(), Some(rusqlite::ErrorCode::DatabaseBusy));
        held.execute_batch("COMMIT").unwrap();
        copy_whole(&from, &mut to).unwrap();
        let what: String = to.query_row("SELECT what FROM told", [], |row| row.get(0)).unwrap();
        assert_eq!(what, "y");
    }
}
