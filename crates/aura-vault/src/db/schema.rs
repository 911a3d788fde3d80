// SPDX-License-Identifier: MIT OR Apache-2.0
//! Opening the database file, and its tables.
//!
//! `cipher_version` is asked for first: a SQLite that cannot encrypt would ignore the key.

use std::path::Path;

use aura_crypto::key::DatabaseKey;
use rusqlite::{Connection, OptionalExtension};
use zeroize::Zeroizing;

use super::DbError;

const VERSION: i64 = 5;

/// How much memory and file a connection may take for speed.
#[derive(Clone, Copy)]
pub(super) struct Room {
    cache_kib: i64,
    /// Pages of the write-ahead log, after which it is copied back.
    log_pages: i64,
}

/// For reading, and for a write now and then.
pub(super) const AT_REST: Room = Room { cache_kib: 8 << 10, log_pages: 500 };
/// For many writes.
pub(super) const LOADING: Room = Room { cache_kib: 16 << 10, log_pages: 4000 };

impl Room {
    pub(super) fn set(self, connection: &Connection) -> Result<(), DbError> {
        connection.pragma_update(None, "cache_size", -self.cache_kib)?;
        connection
            .pragma_update_and_check(None, "wal_autocheckpoint", self.log_pages, |_| Ok(()))?;
        Ok(())
    }
}
/// Half as many seals, codes and writes as with pages of 4 KiB, SQLCipher's default.
const PAGE_BYTES: i64 = 8192;
const BUSY_MS: u64 = 10_000;

const TABLES: &str = "
    CREATE TABLE record (
        row INTEGER PRIMARY KEY,
        id BLOB NOT NULL UNIQUE,
        category INTEGER NOT NULL,
        live INTEGER NOT NULL,
        time INTEGER NOT NULL,
        origin BLOB,
        content BLOB,
        state BLOB NOT NULL
    ) STRICT;
    CREATE TABLE origin (
        run INTEGER NOT NULL,
        half INTEGER NOT NULL,
        record INTEGER NOT NULL,
        PRIMARY KEY (run, half, record)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX record_deleted ON record (id) WHERE live = 0;
    CREATE TABLE feed (id BLOB PRIMARY KEY, number INTEGER NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE fact (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE local (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE spent (grant BLOB PRIMARY KEY, records INTEGER NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE tally (category INTEGER PRIMARY KEY, count INTEGER NOT NULL, sum BLOB NOT NULL)
        STRICT;
";

/// Whether the database was there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opened {
    /// It was there.
    Existing,
    /// It was made, empty.
    New,
}

/// A connection for writing and one for reading, to a database that is made where there is none.
pub(super) fn open(
    path: &Path,
    key: &DatabaseKey,
) -> Result<(Connection, Connection, Opened), DbError> {
    let writer = connect(path, key)?;
    let opened = migrate(&writer)?;
    let reader = connect(path, key)?;
    reader.pragma_update(None, "query_only", true)?;
    Ok((writer, reader, opened))
}

/// A connection with the key set and proven.
fn connect(path: &Path, key: &DatabaseKey) -> Result<Connection, DbError> {
    let connection = Connection::open(path)?;
    let version: Option<String> =
        connection.query_row("PRAGMA cipher_version", [], |row| row.get(0)).optional()?;
    if version.is_none() {
        return Err(DbError::NotEncrypting);
    }
    let hex: Zeroizing<String> =
        Zeroizing::new(key.dangerous_bytes().iter().map(|byte| format!("{byte:02x}")).collect());
    let literal = Zeroizing::new(format!("x'{}'", hex.as_str()));
    // What fails is reported as an error, not written to whatever standard error is.
    connection.pragma_update(None, "cipher_log_level", "NONE")?;
    connection.pragma_update(None, "key", literal.as_str())?;
    // Today's processors have instructions for SHA-256 and none for SHA-512, SQLCipher's default.
    connection.pragma_update(None, "cipher_hmac_algorithm", "HMAC_SHA256")?;
    connection.pragma_update(None, "cipher_page_size", PAGE_BYTES)?;
    connection.busy_timeout(std::time::Duration::from_millis(BUSY_MS))?;
    // Reads the first page: fails here, not later, when the key or the file is wrong.
    connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.pragma_update(None, "secure_delete", true)?;
    AT_REST.set(&connection)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    Ok(connection)
}

/// Makes the tables where there are none. A database of another version is of no use: it is a view.
fn migrate(connection: &Connection) -> Result<Opened, DbError> {
    let version: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    match version {
        VERSION => Ok(Opened::Existing),
        0 => {
            connection.execute_batch(&format!(
                "BEGIN; {TABLES} PRAGMA user_version = {VERSION}; COMMIT;"
            ))?;
            Ok(Opened::New)
        }
        _ => Err(DbError::Damaged),
    }
}

/// Removes the database and what stands beside it.
pub(super) fn remove(path: &Path) -> Result<(), DbError> {
    for suffix in ["", "-wal", "-shm"] {
        let mut file = path.as_os_str().to_owned();
        file.push(suffix);
        match std::fs::remove_file(file) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(DbError::Io(error));
            }
            _ => {}
        }
    }
    Ok(())
}
