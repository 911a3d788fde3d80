// SPDX-License-Identifier: MIT OR Apache-2.0
//! The encrypted database: records as their ops have made them, a view that the log can build again.
//!
//! SQLCipher 4 with a random raw key. Each feed's applied position is kept in the same transaction as
//! what it applied, so a crash loses nothing and repeats nothing. No fsync of its own: what the last
//! moments lost is applied again from the log. The schema is in `schema`, its connections in `pair`,
//! sums in `tally`, where records came from in `origins`, how ops become rows in `turn`,
//! and snapshots in `adopt`.
//! Source: docs/decisions/0003-views.md.

mod origins;
mod pair;
mod schema;
mod tally;
mod turn;
mod adopt;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use aura_crypto::entropy::Entropy;
use aura_crypto::key::DatabaseKey;
use aura_protocol::codec::{Decode, Encode};
use aura_protocol::id::{FeedId, GrantId, RecordId};
use rusqlite::{Connection, OptionalExtension, params};

use crate::op::{Dot, Op};
use crate::record::{Category, Kind};
use crate::state::State;

pub use adopt::{Adopted, Part};
use pair::{Pair, Writing};
pub use schema::Opened;
pub use tally::Tally;
use turn::{LOAD, Turn, advance, load, newest};

/// The database that a check fills, beside the vault's own.
const BESIDE: &str = "check.db";
const STATE_BYTES_MAX: usize = 64 << 20;

/// Why the database did not do what it was asked. It can be built again from the log.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DbError {
    /// Its file could not be removed.
    #[error("the vault's database file could not be removed")]
    Io(#[source] std::io::Error),
    /// SQLite failed.
    #[error("the vault's database could not be read or written")]
    Sqlite(#[from] rusqlite::Error),
    /// The linked SQLite cannot encrypt.
    #[error("this build's SQLite cannot encrypt; the vault was not opened")]
    NotEncrypting,
    /// Its content is not what it should be.
    #[error("the vault's database is damaged; it can be built again with `aura verify --rebuild`")]
    Damaged,
}

impl DbError {
    /// Whether the file itself is of no use, so that building it again is the way out.
    pub fn is_damage(&self) -> bool {
        use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
        match self {
            Self::Damaged => true,
            Self::Sqlite(error) => {
                matches!(error.sqlite_error_code(), Some(DatabaseCorrupt | NotADatabase))
            }
            Self::NotEncrypting | Self::Io(_) => false,
        }
    }

    /// Whether the disk is full.
    pub fn is_full(&self) -> bool {
        match self {
            Self::Sqlite(error) => error.sqlite_error_code() == Some(rusqlite::ErrorCode::DiskFull),
            _ => false,
        }
    }
}

/// A record as stored.
#[derive(Debug, Clone)]
pub struct Row {
    /// Its id.
    pub id: RecordId,
    /// Its category.
    pub category: Category,
    /// When it happened, or was made, in milliseconds since 1970.
    pub time_ms: i64,
    /// Its state.
    pub state: State,
}

/// What applying an entry changed.
pub struct Applied {
    /// Each record that changed, once, as it is now.
    pub rows: Vec<Row>,
}

/// Where a record came from: what makes an import safe to run again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The record that was made of it.
    pub record: RecordId,
    /// What the import last read there.
    pub content: Vec<u8>,
}

/// The database, with one connection for writing and one for reading.
pub struct Db {
    path: PathBuf,
    key: DatabaseKey,
    pair: Pair,
    /// Which runs of origins there are.
    runs: Mutex<Vec<i64>>,
}

impl Db {
    /// Opens the database, or makes a new one.
    ///
    /// # Errors
    /// When it is damaged, of another key, or cannot be read or written.
    pub fn open(path: &Path, key: DatabaseKey) -> Result<(Self, Opened), DbError> {
        let (writer, reader, opened) = schema::open(path, &key)?;
        let runs = Mutex::new(origins::runs(&reader)?);
        let pair = Pair::new(writer, reader);
        Ok((Self { path: path.to_owned(), key, pair, runs }, opened))
    }

    /// Removes a database file that is of no use.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub fn remove(path: &Path) -> Result<(), DbError> {
        schema::remove(path)
    }

    /// An empty database beside this one, in the place of what an earlier one left, under a key that is
    /// written nowhere: a crash leaves nothing that anybody can read.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn beside(&self, entropy: &mut dyn Entropy) -> Result<Self, DbError> {
        let path = self.path.with_file_name(BESIDE);
        schema::remove(&path)?;
        let (db, _) = Self::open(&path, DatabaseKey::generate(entropy))?;
        // Nobody reads it after a crash, and nobody has the key to what is left on the disk.
        db.writer().execute_batch("PRAGMA synchronous = OFF; PRAGMA secure_delete = OFF")?;
        Ok(db)
    }

    /// Removes what a check that was cut short left beside the database at this path.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub fn sweep(path: &Path) -> Result<(), DbError> {
        schema::remove(&path.with_file_name(BESIDE))
    }

    /// Removes the database's own file; what is in memory is of no use then.
    ///
    /// # Errors
    /// When the file cannot be removed.
    pub fn discard(&self) -> Result<(), DbError> {
        self.pair.replace(|| {
            schema::remove(&self.path)?;
            Ok((Connection::open_in_memory()?, Connection::open_in_memory()?))
        })
    }

    fn reader(&self) -> MutexGuard<'_, Connection> {
        self.pair.reader()
    }

    fn writer(&self) -> Writing<'_> {
        self.pair.writer()
    }

    /// Up to which entry each feed has been applied.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn applied(&self, feed: FeedId) -> Result<u64, DbError> {
        let connection = self.reader();
        let mut statement = connection.prepare_cached("SELECT number FROM feed WHERE id = ?1")?;
        let number: Option<i64> =
            statement.query_row([feed.to_bytes()], |row| row.get(0)).optional()?;
        Ok(number.and_then(|number| u64::try_from(number).ok()).unwrap_or_default())
    }

    /// Up to which entry each feed has been applied, of all that ever were.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn feeds(&self) -> Result<BTreeMap<FeedId, u64>, DbError> {
        let connection = self.reader();
        let mut statement = connection.prepare_cached("SELECT id, number FROM feed")?;
        let mut found = statement.query([])?;
        let mut feeds = BTreeMap::new();
        while let Some(row) = found.next()? {
            let id = row.get_ref(0)?.as_blob().map_err(|_| DbError::Damaged)?;
            let id = FeedId::from_bytes(id, id.len()).map_err(|_| DbError::Damaged)?;
            let number = u64::try_from(row.get::<_, i64>(1)?).map_err(|_| DbError::Damaged)?;
            feeds.insert(id, number);
        }
        Ok(feeds)
    }

    /// Applies entries, in one transaction. Those that were applied before change nothing.
    ///
    /// # Errors
    /// When the database cannot be read or written; it is then as it was.
    pub fn apply(&self, entries: impl IntoIterator<Item = Applicable>) -> Result<Applied, DbError> {
        let mut connection = self.writer();
        let tx = connection.transaction()?;
        let mut turn = Turn::begin(&tx)?;
        let mut rows: Vec<Row> = Vec::new();
        for entry in entries {
            if !advance(&tx, &entry)? {
                continue;
            }
            for (index, op) in (0u32..).zip(entry.ops) {
                let dot = Dot {
                    device: entry.feed.device,
                    incarnation: entry.feed.incarnation,
                    number: entry.number,
                    index,
                };
                rows.extend(turn.apply((dot, op), entry.category)?);
            }
        }
        turn.finish()?;
        tx.commit()?;
        *lock(&self.runs) = origins::runs(&connection)?;
        Ok(Applied { rows: newest(rows) })
    }

    /// A record, deleted or not.
    ///
    /// # Errors
    /// When the database cannot be read or the row is damaged.
    pub fn record(&self, id: RecordId) -> Result<Option<Row>, DbError> {
        load(&mut *self.reader().prepare_cached(LOAD)?, id)
    }

    /// Records in the order of their ids, after one, at most `limit` of them, deleted ones or not.
    ///
    /// # Errors
    /// When the database cannot be read or a row is damaged.
    pub fn page(
        &self,
        which: Which,
        after: Option<RecordId>,
        limit: usize,
    ) -> Result<Vec<Row>, DbError> {
        let connection = self.reader();
        let sql = match which {
            Which::Live => {
                "SELECT id, category, time, state FROM record WHERE id > ?1 AND live = 1 ORDER BY id LIMIT ?2"
            }
            Which::Deleted => {
                "SELECT id, category, time, state FROM record WHERE id > ?1 AND live = 0 ORDER BY id LIMIT ?2"
            }
            Which::All => {
                "SELECT id, category, time, state FROM record WHERE id > ?1 ORDER BY id LIMIT ?2"
            }
        };
        let mut statement = connection.prepare_cached(sql)?;
        let after = after.map(|id| id.0.to_vec()).unwrap_or_default();
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut found = statement.query(params![after, limit])?;
        let mut rows = Vec::new();
        while let Some(row) = found.next()? {
            rows.push(read_row(row)?);
        }
        Ok(rows)
    }

    /// Where a record came from.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn origin(&self, key: &[u8; 16]) -> Result<Option<Origin>, DbError> {
        let connection = self.reader();
        let runs = lock(&self.runs).clone();
        let sql = "SELECT id, content, live FROM record WHERE row = ?1 AND origin = ?2";
        let mut best: Option<(bool, Origin)> = None;
        for row in origins::find(&connection, &runs, key)? {
            let mut statement = connection.prepare_cached(sql)?;
            let mut found = statement.query(params![row, key.as_slice()])?;
            let Some(row) = found.next()? else { continue };
            let bytes = |at: usize| row.get_ref(at)?.as_blob().map_err(|_| DbError::Damaged);
            let record = RecordId::from_slice(bytes(0)?).ok_or(DbError::Damaged)?;
            let is_live: bool = row.get(2)?;
            let is_better =
                best.as_ref().is_none_or(|(live, held)| (!is_live, record) < (!live, held.record));
            if is_better {
                best = Some((is_live, Origin { record, content: bytes(1)?.to_vec() }));
            }
        }
        Ok(best.map(|(_, origin)| origin))
    }

    /// Calls `each` with half of the key of every origin that is known, in no useful order.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn each_origin(&self, each: &mut dyn FnMut(u64)) -> Result<(), DbError> {
        let connection = self.reader();
        let mut statement = connection.prepare_cached("SELECT half FROM origin")?;
        let mut found = statement.query([])?;
        while let Some(row) = found.next()? {
            each(row.get::<_, i64>(0)?.cast_unsigned());
        }
        Ok(())
    }

    /// No fewer than how many records there are, deleted ones included: without counting.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn records_max(&self) -> Result<u64, DbError> {
        let last: Option<i64> =
            self.reader().query_row("SELECT max(row) FROM record", [], |row| row.get(0))?;
        Ok(last.and_then(|row| u64::try_from(row).ok()).unwrap_or_default())
    }

    /// Counts and sums by category.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn tally(&self) -> Result<Tally, DbError> {
        Tally::load(&self.reader())
    }

    /// Remembers something about this device's views that is not in the log.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn remember(&self, name: &str, value: &[u8]) -> Result<(), DbError> {
        self.writer()
            .prepare_cached("INSERT OR REPLACE INTO local (name, value) VALUES (?1, ?2)")?
            .execute(params![name, value])?;
        Ok(())
    }

    /// What was remembered under this name.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn recall(&self, name: &str) -> Result<Option<Vec<u8>>, DbError> {
        let connection = self.reader();
        let mut statement = connection.prepare_cached("SELECT value FROM local WHERE name = ?1")?;
        Ok(statement.query_row([name], |row| row.get(0)).optional()?)
    }

    /// A fact about the vault, as canonical JSON.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn fact(&self, name: &str) -> Result<Option<String>, DbError> {
        let connection = self.reader();
        let mut statement = connection.prepare_cached("SELECT value FROM fact WHERE name = ?1")?;
        Ok(statement.query_row([name], |row| row.get(0)).optional()?)
    }

    /// How many records were shown under a grant, on all devices that were heard of.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn spent(&self, grant: GrantId) -> Result<u64, DbError> {
        let connection = self.reader();
        let mut statement =
            connection.prepare_cached("SELECT records FROM spent WHERE grant = ?1")?;
        let found: Option<i64> =
            statement.query_row([grant.0.as_slice()], |row| row.get(0)).optional()?;
        Ok(found.and_then(|records| u64::try_from(records).ok()).unwrap_or_default())
    }

    /// Every fact whose name begins so, ascending by name.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn facts(&self, prefix: &str) -> Result<Vec<(String, String)>, DbError> {
        let connection = self.reader();
        let mut statement = connection.prepare_cached(
            "SELECT name, value FROM fact WHERE substr(name, 1, length(?1)) = ?1 ORDER BY name",
        )?;
        let facts = statement.query_map([prefix], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(facts.collect::<Result<_, _>>()?)
    }

    /// Makes room for writing a lot: more cache, and the write-ahead log copied back less often.
    pub fn begin_load(&self) {
        self.set_room(schema::LOADING);
    }

    /// Goes back to what a vault at rest takes.
    pub fn end_load(&self) {
        // Best effort as well: what is not joined now is found all the same.
        drop(self.join_origins(origins::RUNS_MAX));
        self.set_room(schema::AT_REST);
        drop(self.writer().execute_batch("PRAGMA shrink_memory"));
    }

    /// Joins the runs of origins, where there are more than `most`: each is looked into for each question.
    ///
    /// # Errors
    /// When the database cannot be read or written; it is then as it was.
    pub fn join_origins(&self, most: usize) -> Result<(), DbError> {
        if lock(&self.runs).len() <= most {
            return Ok(());
        }
        let mut connection = self.writer();
        let tx = connection.transaction()?;
        origins::join(&tx, most)?;
        tx.commit()?;
        *lock(&self.runs) = origins::runs(&connection)?;
        Ok(())
    }

    fn set_room(&self, room: schema::Room) {
        // Best effort: it changes how fast things are, and nothing else.
        drop(room.set(&self.writer()));
    }

    /// Lets go of memory that caching took.
    pub fn release_memory(&self) {
        // Best effort: what stays cached is bounded anyway.
        drop(self.writer().execute_batch("PRAGMA shrink_memory"));
        drop(self.reader().execute_batch("PRAGMA shrink_memory"));
    }

    /// Throws the file away and begins an empty one, so that the log can be applied from its beginning:
    /// also where the file is too damaged to be emptied.
    ///
    /// # Errors
    /// When the file cannot be removed or made; what is in memory is of no use then.
    pub fn recreate(&self) -> Result<(), DbError> {
        self.pair.replace(|| {
            schema::remove(&self.path)?;
            let (writer, reader, _) = schema::open(&self.path, &self.key)?;
            Ok((writer, reader))
        })?;
        lock(&self.runs).clear();
        Ok(())
    }

    /// Makes what was applied last, and empties the write-ahead log.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn checkpoint(&self) -> Result<(), DbError> {
        self.writer().query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
        Ok(())
    }

    /// Reads every page and checks its code.
    ///
    /// # Errors
    /// When the database is damaged.
    pub fn verify(&self) -> Result<(), DbError> {
        let connection = self.reader();
        let mut statement = connection.prepare("PRAGMA cipher_integrity_check")?;
        let mut found = statement.query([])?;
        if found.next()?.is_some() {
            return Err(DbError::Damaged);
        }
        let verdict: String =
            connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
        if verdict == "ok" { Ok(()) } else { Err(DbError::Damaged) }
    }
}

/// Which records a page has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// Those that exist.
    Live,
    /// Those that were deleted.
    Deleted,
    /// Both.
    All,
}

/// An entry that was opened.
pub struct Applicable {
    /// Its feed.
    pub feed: FeedId,
    /// Its number.
    pub number: u64,
    /// The category of its collection; `None` for the root and audit collections.
    pub category: Option<Category>,
    /// Its ops.
    pub ops: Vec<Op>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn read_row(row: &rusqlite::Row<'_>) -> Result<Row, DbError> {
    let bytes = |at: usize| row.get_ref(at)?.as_blob().map_err(|_| DbError::Damaged);
    let category: u8 = row.get(1)?;
    Ok(Row {
        id: RecordId::from_slice(bytes(0)?).ok_or(DbError::Damaged)?,
        category: Category::from_code(category).ok_or(DbError::Damaged)?,
        time_ms: row.get(2)?,
        state: State::from_bytes(bytes(3)?, STATE_BYTES_MAX).map_err(|_| DbError::Damaged)?,
    })
}

impl Row {
    /// Its kind; a kind that this version does not know is shown as a file.
    pub fn kind(&self) -> Kind {
        self.state.kind().unwrap_or(Kind::File)
    }
}
