// SPDX-License-Identifier: MIT OR Apache-2.0
//! An access log in a file beside its vault's store.

use std::path::Path;

use aura_protocol::codec::{Decode as _, Encode as _};
use aura_protocol::id::Hash;
use aura_protocol::log::{Frontier, TILE_WIDTH, TileKind, TilePath, leaf_hash};
use aura_protocol::store::StoreError;
use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use super::{FRONTIER_BYTES_MAX, LEAVES_MAX, Leaf, Leaves, TEXTS_KEPT};

/// The file beside the vault's store.
pub(crate) const FILE: &str = "access.db";

const TABLES: &str = "
CREATE TABLE IF NOT EXISTS hashes (
    level INTEGER NOT NULL, number INTEGER NOT NULL, hash BLOB NOT NULL, PRIMARY KEY (level, number)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS leaves (number INTEGER PRIMARY KEY, leaf BLOB NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS edge (id INTEGER PRIMARY KEY, frontier BLOB NOT NULL) STRICT;
PRAGMA user_version = 1;
";

/// The leaves in a file.
#[derive(Debug)]
pub(crate) struct FileLeaves {
    connection: Connection,
    frontier: Frontier,
}

impl FileLeaves {
    /// Opens the file in a vault's folder, or makes it.
    pub(crate) fn open(folder: &Path) -> Result<Self, StoreError> {
        let open = || {
            let connection = Connection::open(folder.join(FILE))?;
            connection.busy_timeout(std::time::Duration::from_secs(10))?;
            connection.query_row("PRAGMA journal_mode=WAL", [], |_| Ok(()))?;
            // Made durable with each checkpoint, not with each leaf.
            connection.pragma_update(None, "synchronous", "NORMAL")?;
            connection.pragma_update(None, "cache_size", -128)?;
            connection.pragma_update(None, "trusted_schema", false)?;
            connection.execute_batch(TABLES)?;
            let sql = "SELECT frontier FROM edge WHERE id = 0";
            let kept = connection.query_row(sql, [], |row| row.get::<_, Vec<u8>>(0)).optional()?;
            let kept = kept.map(|bytes| Frontier::from_bytes(&bytes, FRONTIER_BYTES_MAX));
            let broken = |_| rusqlite::Error::InvalidQuery;
            let frontier = kept.transpose().map_err(broken)?.unwrap_or_default();
            Ok(Self { connection, frontier })
        };
        open().map_err(failed)
    }

    fn try_append<'a>(
        &mut self,
        leaves: impl Iterator<Item = (Hash, Option<&'a [u8]>)>,
    ) -> rusqlite::Result<()> {
        let transaction = self.connection.transaction()?;
        for (hash, leaf) in leaves {
            let number = self.frontier.size();
            if let Some(leaf) = leaf {
                transaction
                    .prepare_cached("INSERT INTO leaves (number, leaf) VALUES (?1, ?2)")?
                    .execute(params![stored(number), leaf])?;
            }
            self.frontier.push(hash);
            keep(&transaction, (0, number), hash)?;
            if number.is_multiple_of(TILE_WIDTH) {
                let old = number.saturating_sub(TEXTS_KEPT);
                transaction.execute("DELETE FROM leaves WHERE number < ?1", [stored(old)])?;
            }
        }
        put_edge(&transaction, &self.frontier)?;
        transaction.commit()
    }

    fn append_all<'a>(
        &mut self,
        leaves: impl Iterator<Item = (Hash, Option<&'a [u8]>)>,
    ) -> Result<(), StoreError> {
        let before = self.frontier.clone();
        self.try_append(leaves).map_err(|error| {
            self.frontier = before;
            failed(error)
        })
    }

    /// One commit that is on the disk when it returns, and with it all that came before.
    fn keep_edge(&mut self) -> rusqlite::Result<()> {
        self.connection.pragma_update(None, "synchronous", "FULL")?;
        let kept = self.connection.transaction().and_then(|transaction| {
            put_edge(&transaction, &self.frontier)?;
            transaction.commit()
        });
        self.connection.pragma_update(None, "synchronous", "NORMAL")?;
        kept
    }

    fn found(&self, path: TilePath) -> rusqlite::Result<Vec<Vec<u8>>> {
        let from = path.number.checked_mul(TILE_WIDTH).and_then(|from| i64::try_from(from).ok());
        let Some(from) = from else { return Ok(Vec::new()) };
        let to = from.saturating_add(i64::try_from(path.width).unwrap_or_default());
        let (sql, level) = match path.kind {
            TileKind::Hashes(level) => (
                "SELECT hash FROM hashes WHERE level = ?1 AND number >= ?2 AND number < ?3 ORDER BY number",
                level,
            ),
            TileKind::Entries => (
                "SELECT leaf FROM leaves WHERE ?1 = 0 AND number >= ?2 AND number < ?3 ORDER BY number",
                0,
            ),
        };
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement.query_map(params![level, from, to], |row| row.get(0))?;
        rows.collect()
    }
}

impl Leaves for FileLeaves {
    fn begin(&mut self, leaf: Vec<u8>) -> Result<(), StoreError> {
        if self.frontier.size() > 0 { Ok(()) } else { self.append(&[leaf]) }
    }

    fn append(&mut self, leaves: &[Vec<u8>]) -> Result<(), StoreError> {
        let room = LEAVES_MAX.saturating_sub(self.frontier.size());
        if room < leaves.len() as u64 {
            return Ok(());
        }
        let leaves = leaves.iter().map(|leaf| (leaf_hash(leaf), Some(leaf.as_slice())));
        self.append_all(leaves)
    }

    fn take_over(&mut self, leaves: &[Leaf]) -> Result<(), StoreError> {
        self.append_all(leaves.iter().map(|(hash, leaf)| (*hash, leaf.as_deref())))
    }

    fn settle(&mut self) -> Result<Frontier, StoreError> {
        self.keep_edge().map_err(failed)?;
        Ok(self.frontier.clone())
    }

    fn tile(&self, path: TilePath) -> Result<Vec<Vec<u8>>, StoreError> {
        self.found(path).map_err(failed)
    }
}

fn failed(error: rusqlite::Error) -> StoreError {
    StoreError::Database(Box::new(error))
}

fn put_edge(transaction: &Transaction<'_>, frontier: &Frontier) -> rusqlite::Result<()> {
    let sql = "INSERT OR REPLACE INTO edge (id, frontier) VALUES (0, ?1)";
    transaction.prepare_cached(sql)?.execute([frontier.to_bytes()]).map(drop)
}

/// Keeps a hash, and those of the whole tiles that it completes.
fn keep(
    transaction: &Transaction<'_>,
    (mut level, mut number): (u32, u64),
    mut hash: Hash,
) -> rusqlite::Result<()> {
    loop {
        transaction
            .prepare_cached("INSERT INTO hashes (level, number, hash) VALUES (?1, ?2, ?3)")?
            .execute(params![level, stored(number), &hash.0[..]])?;
        if !number.saturating_add(1).is_multiple_of(TILE_WIDTH) {
            return Ok(());
        }
        let from = number.saturating_sub(TILE_WIDTH - 1);
        let sql = "SELECT hash FROM hashes WHERE level = ?1 AND number >= ?2 ORDER BY number";
        let mut statement = transaction.prepare_cached(sql)?;
        let mut tile = Frontier::new();
        for row in statement.query_map(params![level, stored(from)], |row| row.get(0))? {
            tile.push(Hash(row?));
        }
        (level, number, hash) = (level + 1, number / TILE_WIDTH, tile.root());
    }
}

/// As SQLite keeps it; a log is never so long.
fn stored(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
