// SPDX-License-Identifier: MIT OR Apache-2.0
//! The local store's tables, and how its database is opened.
//!
//! WAL with `synchronous=FULL`: what a commit returned from survives a power cut. `kept` is how far a
//! feed is shown; entries from there to `held` are staged until a head that names them is complete.
//! A newer version's file is refused, not guessed at.
//! Source: spec/store.md, rules STO-23, STO-24, STO-25, STO-26 and STO-27.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use aura_protocol::id::VaultId;
use rusqlite::{Connection, OpenFlags, OptionalExtension};

use super::OpenError;
use crate::layout::LocalLayout;

/// How every SQLite file begins.
const HEADER: &[u8; 16] = b"SQLite format 3\0";
/// "Aura" in ASCII.
const APPLICATION_ID: i64 = 0x4175_7261;
/// The newest version of the tables that this code knows.
const SCHEMA_VERSION: i64 = 2;
/// A small edit rewrites half a dozen pages and is padded to 4 KiB; larger pages would read large
/// entries faster and make the file larger.
const PAGE_BYTES: u32 = 4 << 10;
/// After so many pages the WAL is copied back.
const CHECKPOINT_PAGES: u32 = 4096;
/// A WAL file is cut back to this size, in bytes.
const WAL_BYTES_MAX: u32 = 64 << 20;
/// The cache of each connection of a store that is one of many, in KiB.
const SMALL_CACHE_KIB: i64 = 256;
/// How long a statement waits for another connection of this process.
const BUSY_MS: u32 = 10_000;

const TABLES: &str = "
CREATE TABLE vault (id BLOB NOT NULL) STRICT;
CREATE TABLE feeds (
    id INTEGER PRIMARY KEY,
    collection BLOB NOT NULL, device BLOB NOT NULL, incarnation BLOB NOT NULL,
    kept INTEGER NOT NULL, kept_hash BLOB NOT NULL,
    held INTEGER NOT NULL, held_hash BLOB NOT NULL,
    floor INTEGER NOT NULL DEFAULT 0, floor_hash BLOB NOT NULL 
        DEFAULT x'0000000000000000000000000000000000000000000000000000000000000000',
    UNIQUE (device, incarnation, collection)
) STRICT;
CREATE TABLE entries (
    feed INTEGER NOT NULL, number INTEGER NOT NULL,
    hash BLOB NOT NULL, header BLOB NOT NULL, body BLOB NOT NULL,
    PRIMARY KEY (feed, number)
) STRICT;
CREATE TABLE names (
    name BLOB NOT NULL, feed INTEGER NOT NULL, number INTEGER NOT NULL,
    hash BLOB NOT NULL, size_bytes INTEGER NOT NULL,
    PRIMARY KEY (name, feed, number)
) STRICT, WITHOUT ROWID;
CREATE TABLE heads (
    device BLOB NOT NULL, incarnation BLOB NOT NULL, number INTEGER NOT NULL,
    hash BLOB NOT NULL, payload BLOB NOT NULL, signature BLOB NOT NULL,
    PRIMARY KEY (device, incarnation, number)
) STRICT;
CREATE TABLE pins (
    by_device BLOB NOT NULL, by_incarnation BLOB NOT NULL,
    device BLOB NOT NULL, incarnation BLOB NOT NULL, number INTEGER NOT NULL,
    PRIMARY KEY (by_device, by_incarnation, device, incarnation, number)
) STRICT, WITHOUT ROWID;
CREATE INDEX pinned ON pins (device, incarnation, number);
";

/// Version 1 had no floors, since it let go of nothing.
const FLOORS: &str = "
ALTER TABLE feeds ADD COLUMN floor INTEGER NOT NULL DEFAULT 0;
ALTER TABLE feeds ADD COLUMN floor_hash BLOB NOT NULL
    DEFAULT x'0000000000000000000000000000000000000000000000000000000000000000';
";

/// Of the authority entries, once more; what is there already goes with it. Version 1 had no table of them.
const COPIES: &str = "
CREATE TABLE IF NOT EXISTS copies (
    feed INTEGER NOT NULL, number INTEGER NOT NULL,
    hash BLOB NOT NULL, header BLOB NOT NULL, body BLOB NOT NULL,
    PRIMARY KEY (feed, number)
) STRICT;
INSERT OR IGNORE INTO copies
    SELECT entries.feed, entries.number, entries.hash, entries.header, entries.body
    FROM entries JOIN feeds ON feeds.id = entries.feed WHERE feeds.collection = zeroblob(16);
";

/// Whether a database may be made where there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Presence {
    Required,
    Created,
}

/// The connection that writes.
pub(super) fn writer(path: &Path, presence: Presence) -> Result<Connection, OpenError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let flags = match presence {
        Presence::Required => flags,
        Presence::Created => flags | OpenFlags::SQLITE_OPEN_CREATE,
    };
    check_header(path)?;
    let mut connection =
        Connection::open_with_flags(path, flags).map_err(OpenError::from_sqlite)?;
    settings(&connection).map_err(OpenError::from_sqlite)?;
    migrate(&mut connection)?;
    Ok(connection)
}

/// Refuses a file that is no database before SQLite sees it: SQLite takes the log beside such a file
/// for a left-over and removes it, and with it what was committed last (F-08).
fn check_header(path: &Path) -> Result<(), OpenError> {
    let mut header = [0; HEADER.len()];
    let read = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        file => file.and_then(|mut file| file.read(&mut header)).map_err(OpenError::Io)?,
    };
    if read == 0 || header == *HEADER {
        return Ok(());
    }
    Err(OpenError::Damaged(LocalLayout::DATABASE))
}

/// A connection that reads beside it.
pub(super) fn reader(path: &Path) -> Result<Connection, OpenError> {
    let connection = writer(path, Presence::Required)?;
    connection.pragma_update(None, "query_only", true).map_err(OpenError::from_sqlite)?;
    Ok(connection)
}

/// A server has many of these open at once.
pub(super) fn be_small(connection: &Connection) -> Result<(), OpenError> {
    connection.pragma_update(None, "cache_size", -SMALL_CACHE_KIB).map_err(OpenError::from_sqlite)
}

fn settings(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(std::time::Duration::from_millis(u64::from(BUSY_MS)))?;
    connection.set_prepared_statement_cache_capacity(64);
    // Takes effect only in a file that has no page yet.
    connection.pragma_update(None, "page_size", PAGE_BYTES)?;
    connection.query_row("PRAGMA journal_mode=WAL", [], |_| Ok(()))?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "fullfsync", true)?;
    connection.pragma_update(None, "checkpoint_fullfsync", true)?;
    connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
    connection.pragma_update(None, "journal_size_limit", WAL_BYTES_MAX)?;
    connection.pragma_update(None, "cell_size_check", true)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.pragma_update(None, "foreign_keys", false)
}

/// Makes the tables in one transaction.
pub(super) fn create(connection: &mut Connection, vault: VaultId) -> Result<(), OpenError> {
    let make = |connection: &mut Connection| {
        let transaction = connection.transaction()?;
        transaction.execute_batch(TABLES)?;
        transaction.execute_batch(COPIES)?;
        transaction.execute("INSERT INTO vault (id) VALUES (?1)", [&vault.0[..]])?;
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", SCHEMA_VERSION)?;
        transaction.commit()?;
        // So that no loss of the log can make it look as if there had never been a store.
        connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
    };
    make(connection).map_err(OpenError::from_sqlite)
}

/// Brings the tables of an earlier version to this one, in one transaction: forward only.
fn migrate(connection: &mut Connection) -> Result<(), OpenError> {
    let version: i64 = connection
        .query_row("PRAGMA user_version", [], |row| row.get(0))
        .map_err(OpenError::from_sqlite)?;
    let application: i64 = connection
        .query_row("PRAGMA application_id", [], |row| row.get(0))
        .map_err(OpenError::from_sqlite)?;
    if (application, version) != (APPLICATION_ID, 1) {
        return Ok(());
    }
    let to_second = |connection: &mut Connection| {
        let transaction = connection.transaction()?;
        transaction.execute_batch(FLOORS)?;
        transaction.execute_batch(COPIES)?;
        transaction.pragma_update(None, "user_version", 2)?;
        transaction.commit()
    };
    to_second(connection).map_err(OpenError::from_sqlite)
}

/// Whose store this is; `None` if its making was interrupted.
pub(super) fn vault(connection: &Connection) -> Result<Option<VaultId>, OpenError> {
    let number = |pragma: &str| {
        connection
            .query_row(&format!("PRAGMA {pragma}"), [], |row| row.get::<_, i64>(0))
            .map_err(OpenError::from_sqlite)
    };
    match (number("application_id")?, number("user_version")?) {
        (0, 0) => {
            let tables = connection
                .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, i64>(0))
                .map_err(OpenError::from_sqlite)?;
            return if tables == 0 { Ok(None) } else { Err(OpenError::Foreign) };
        }
        (APPLICATION_ID, SCHEMA_VERSION) => {}
        (APPLICATION_ID, found) if found > SCHEMA_VERSION => {
            return Err(OpenError::Newer { found, known: SCHEMA_VERSION });
        }
        _ => return Err(OpenError::Foreign),
    }
    let id: Option<Vec<u8>> = connection
        .query_row("SELECT id FROM vault", [], |row| row.get(0))
        .optional()
        .map_err(OpenError::from_sqlite)?;
    match id.as_deref().and_then(VaultId::from_slice) {
        Some(vault) => Ok(Some(vault)),
        None => Err(OpenError::Damaged(LocalLayout::DATABASE)),
    }
}
