// SPDX-License-Identifier: MIT OR Apache-2.0
//! Feeds and their entries as rows.
//!
//! Every row carries the hash that its entry had when it was taken; reading computes it again, so that
//! a rotten row is named and never handed on (F-08). Source: spec/store.md, rules STO-5 to STO-8.

use aura_protocol::entry::Entry;
use aura_protocol::head::Position;
use aura_protocol::id::{CollectionId, DeviceId, FeedId, Hash, Incarnation};
use aura_protocol::limits::{READ_BYTES_MAX, READ_ENTRIES_MAX};
use aura_protocol::store::StoreError;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::copy;
use super::fault::failed;
use crate::rows::Sums;

/// A feed's row, by its number in the table.
pub(super) type FeedRow = crate::rows::FeedRow<i64>;

const COLUMNS: &str = "id, collection, device, incarnation, kept, kept_hash, held, held_hash,
    floor, floor_hash";

/// The feed's row, if it has one.
pub(super) fn find(connection: &Connection, feed: &FeedId) -> Result<Option<FeedRow>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM feeds WHERE device = ?1 AND incarnation = ?2 AND collection = ?3"
    );
    let keys = (&feed.device.0[..], &feed.incarnation.0[..], &feed.collection.0[..]);
    let mut statement = connection.prepare_cached(&sql).map_err(failed)?;
    let row = statement.query_row(keys, |row| Ok(feed_row(row))).optional().map_err(failed)?;
    row.transpose()
}

/// The feed's row; made if it has none.
pub(super) fn find_or_make(connection: &Connection, feed: &FeedId) -> Result<FeedRow, StoreError> {
    if let Some(row) = find(connection, feed)? {
        return Ok(row);
    }
    let (none, zero) = (0i64, &Hash([0; 32]).0[..]);
    let values =
        params![&feed.collection.0[..], &feed.device.0[..], &feed.incarnation.0[..], none, zero];
    let sql =
        "INSERT INTO feeds (collection, device, incarnation, kept, kept_hash, held, held_hash)
               VALUES (?1, ?2, ?3, ?4, ?5, ?4, ?5)";
    connection.prepare_cached(sql).and_then(|mut s| s.execute(values)).map_err(failed)?;
    let id = connection.last_insert_rowid();
    let none = Position::NONE;
    Ok(FeedRow { key: id, feed: *feed, kept: none, held: none, floor: none })
}

/// Every feed of one incarnation.
pub(super) fn of_incarnation(
    connection: &Connection,
    device: DeviceId,
    incarnation: Incarnation,
) -> Result<Vec<FeedRow>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM feeds WHERE device = ?1 AND incarnation = ?2");
    let mut statement = connection.prepare_cached(&sql).map_err(failed)?;
    let rows = statement
        .query_map((&device.0[..], &incarnation.0[..]), |row| Ok(feed_row(row)))
        .map_err(failed)?;
    rows.map(|row| row.map_err(failed).and_then(|row| row)).collect()
}

/// Every feed.
pub(super) fn all(connection: &Connection) -> Result<Vec<FeedRow>, StoreError> {
    let mut statement =
        connection.prepare_cached(&format!("SELECT {COLUMNS} FROM feeds")).map_err(failed)?;
    let rows = statement.query_map([], |row| Ok(feed_row(row))).map_err(failed)?;
    let rows: Result<Vec<FeedRow>, StoreError> =
        rows.map(|row| row.map_err(failed).and_then(|row| row)).collect();
    let mut rows = rows?;
    rows.sort_unstable_by_key(|row| row.feed);
    Ok(rows)
}

fn feed_row(row: &Row<'_>) -> Result<FeedRow, StoreError> {
    const ROW: StoreError = StoreError::Damaged("a row of the table of feeds");
    let id = |at: usize| row.get_ref(at).map_err(failed)?.as_blob().map_err(|_| ROW);
    let position = |at: usize| -> Result<Position, StoreError> {
        let number = row.get_ref(at).map_err(failed)?.as_i64().map_err(|_| ROW)?;
        let hash = row.get_ref(at + 1).map_err(failed)?.as_blob().map_err(|_| ROW)?;
        let number = u64::try_from(number).map_err(|_| ROW)?;
        Ok(Position { number, hash: Hash::from_slice(hash).ok_or(ROW)? })
    };
    let feed = FeedId {
        collection: CollectionId::from_slice(id(1)?).ok_or(ROW)?,
        device: DeviceId::from_slice(id(2)?).ok_or(ROW)?,
        incarnation: Incarnation::from_slice(id(3)?).ok_or(ROW)?,
    };
    let number = row.get_ref(0).map_err(failed)?.as_i64().map_err(|_| ROW)?;
    let (kept, held, floor) = (position(4)?, position(6)?, position(8)?);
    Ok(FeedRow { key: number, feed, kept, held, floor })
}

/// The number as SQLite keeps it.
pub(super) fn stored(number: u64) -> Result<i64, StoreError> {
    i64::try_from(number).map_err(|_| StoreError::Refused("a number beyond 2^63"))
}

/// Puts an entry after the last one held. The caller has checked that it follows.
pub(super) fn insert(
    connection: &Connection,
    row: &mut FeedRow,
    entry: &Entry,
    hash: Hash,
) -> Result<(), StoreError> {
    let number = stored(entry.header().number)?;
    let sql = "INSERT INTO entries (feed, number, hash, header, body) VALUES (?1, ?2, ?3, ?4, ?5)";
    let values = params![row.key, number, &hash.0[..], entry.header_bytes(), entry.body()];
    connection.prepare_cached(sql).and_then(|mut s| s.execute(values)).map_err(failed)?;
    if copy::is_kept(&row.feed) {
        copy::keep(connection, row.key, number, entry)?;
    }
    name_chunks(connection, row, entry)?;
    row.held = Position { number: entry.header().number, hash };
    Ok(())
}

fn name_chunks(connection: &Connection, row: &FeedRow, entry: &Entry) -> Result<(), StoreError> {
    let number = stored(entry.header().number)?;
    let sql = "INSERT OR REPLACE INTO names (name, feed, number, hash, size_bytes)
               VALUES (?1, ?2, ?3, ?4, ?5)";
    for chunk in &entry.header().added {
        let size = stored(chunk.size_bytes)?;
        let values = params![&chunk.name.0[..], row.key, number, &chunk.hash.0[..], size];
        connection.prepare_cached(sql).and_then(|mut s| s.execute(values)).map_err(failed)?;
    }
    Ok(())
}

/// Writes a sound entry over the row of a rotten one.
pub(super) fn replace(
    connection: &Connection,
    row: &FeedRow,
    entry: &Entry,
) -> Result<(), StoreError> {
    let number = stored(entry.header().number)?;
    let sql = "INSERT OR REPLACE INTO entries (feed, number, hash, header, body)
               VALUES (?1, ?2, ?3, ?4, ?5)";
    let hash = entry.hash();
    let values = params![row.key, number, &hash.0[..], entry.header_bytes(), entry.body()];
    connection.prepare_cached(sql).and_then(|mut s| s.execute(values)).map_err(failed)?;
    if copy::is_kept(&row.feed) {
        copy::keep(connection, row.key, number, entry)?;
    }
    name_chunks(connection, row, entry)
}

/// Bytes of the authority entries of a device and of all devices, shown and staged.
pub(super) fn authority_bytes(
    connection: &Connection,
    device: DeviceId,
) -> Result<Sums, StoreError> {
    let sql = "SELECT feeds.device = ?1, sum(length(entries.header) + length(entries.body))
               FROM feeds JOIN entries ON entries.feed = feeds.id
               WHERE feeds.collection = ?2 GROUP BY feeds.device";
    let mut statement = connection.prepare_cached(sql).map_err(failed)?;
    let values = (&device.0[..], &CollectionId::AUTHORITY.0[..]);
    let mut rows = statement.query(values).map_err(failed)?;
    let mut sums = Sums::default();
    while let Some(row) = rows.next().map_err(failed)? {
        let is_own: bool = row.get(0).map_err(failed)?;
        let bytes: i64 = row.get(1).map_err(failed)?;
        let bytes = u64::try_from(bytes).unwrap_or(0);
        sums.of_device = sums.of_device.saturating_add(if is_own { bytes } else { 0 });
        sums.of_all = sums.of_all.saturating_add(bytes);
    }
    Ok(sums)
}

/// Writes how far the feed is shown and held.
pub(super) fn update(connection: &Connection, row: &FeedRow) -> Result<(), StoreError> {
    let sql = "UPDATE feeds SET kept = ?2, kept_hash = ?3, held = ?4, held_hash = ?5,
               floor = ?6, floor_hash = ?7 WHERE id = ?1";
    let (kept, held) = (stored(row.kept.number)?, stored(row.held.number)?);
    let values = params![
        row.key,
        kept,
        &row.kept.hash.0[..],
        held,
        &row.held.hash.0[..],
        stored(row.floor.number)?,
        &row.floor.hash.0[..]
    ];
    connection.prepare_cached(sql).and_then(|mut s| s.execute(values)).map_err(failed)?;
    Ok(())
}

/// Forgets what is staged from `number` on.
pub(super) fn unstage(
    connection: &Connection,
    row: &mut FeedRow,
    number: u64,
) -> Result<(), StoreError> {
    let from = number.max(row.kept.number.saturating_add(1));
    for table in ["entries", "names", "copies"] {
        let sql = format!("DELETE FROM {table} WHERE feed = ?1 AND number >= ?2");
        connection.execute(&sql, params![row.key, stored(from)?]).map_err(failed)?;
    }
    row.held = match from.saturating_sub(1) {
        last if last <= row.kept.number => row.kept,
        last => Position {
            number: last,
            hash: hash_at(connection, row, last)?.unwrap_or(Hash([0; 32])),
        },
    };
    update(connection, row)
}

/// Forgets everything that stands after this number, shown or staged.
pub(super) fn shorten(
    connection: &Connection,
    row: &mut FeedRow,
    number: u64,
) -> Result<(), StoreError> {
    if number < row.kept.number {
        let hash = if number == 0 { None } else { hash_at(connection, row, number)? };
        row.kept = Position { number, hash: hash.unwrap_or(Hash([0; 32])) };
    }
    unstage(connection, row, 0)
}

/// Whether there is an entry with one of these numbers.
pub(super) fn has_any(
    connection: &Connection,
    row: &FeedRow,
    (from, to): (u64, u64),
) -> Result<bool, StoreError> {
    let sql = "SELECT EXISTS
        (SELECT 1 FROM entries WHERE feed = ?1 AND number >= ?2 AND number <= ?3)";
    let mut statement = connection.prepare_cached(sql).map_err(failed)?;
    let values = params![row.key, stored(from)?, stored(to)?];
    statement.query_row(values, |row| row.get(0)).map_err(failed)
}

/// Lets go of the entries up to this one; how many there were.
pub(super) fn let_go(
    connection: &Connection,
    row: &mut FeedRow,
    upto: Position,
) -> Result<u64, StoreError> {
    let mut gone = 0;
    for table in ["names", "entries"] {
        let sql = format!("DELETE FROM {table} WHERE feed = ?1 AND number <= ?2");
        let values = params![row.key, stored(upto.number)?];
        gone = connection.execute(&sql, values).map_err(failed)?;
    }
    row.floor = upto;
    update(connection, row)?;
    Ok(gone as u64)
}

/// The hash that the entry with this number had when it was taken.
pub(super) fn hash_at(
    connection: &Connection,
    row: &FeedRow,
    number: u64,
) -> Result<Option<Hash>, StoreError> {
    if number == row.kept.number {
        return Ok(Some(row.kept.hash));
    }
    if number == row.held.number {
        return Ok(Some(row.held.hash));
    }
    if number == row.floor.number {
        return Ok(Some(row.floor.hash));
    }
    let sql = "SELECT hash FROM entries WHERE feed = ?1 AND number = ?2";
    let mut statement = connection.prepare_cached(sql).map_err(failed)?;
    let hash: Option<Vec<u8>> = statement
        .query_row(params![row.key, stored(number)?], |row| row.get(0))
        .optional()
        .map_err(failed)?;
    Ok(hash.as_deref().and_then(Hash::from_slice))
}

/// Shown entries above `after`, in order, within the bounds of one answer. Ends early before a rotten
/// entry; starts with an error if the first is rotten.
pub(super) fn read(
    connection: &Connection,
    row: &FeedRow,
    after: u64,
    limit: usize,
) -> Result<Vec<Entry>, StoreError> {
    let mut entries = Vec::new();
    let mut bytes = 0usize;
    let result = scan(connection, row, (after, row.kept.number), limit, &mut |entry| {
        bytes = bytes.saturating_add(entry.header_bytes().len()).saturating_add(entry.body().len());
        entries.push(entry);
        bytes < READ_BYTES_MAX
    });
    match result {
        Err(StoreError::DamagedEntry { .. }) if !entries.is_empty() => Ok(entries),
        Err(error) => Err(error),
        Ok(()) => Ok(entries),
    }
}

/// Hands over entries in `(after, to]`, each checked against its hash and the one before it, until
/// `take` has enough. A statement that rotted comes from its second row.
pub(super) fn scan(
    connection: &Connection,
    feed: &FeedRow,
    (after, to): (u64, u64),
    limit: usize,
    take: &mut dyn FnMut(Entry) -> bool,
) -> Result<(), StoreError> {
    let mut walk = Walk { connection, feed, last: None, after, left: limit.min(READ_ENTRIES_MAX) };
    loop {
        let damaged = match walk.run(to, take) {
            Err(StoreError::DamagedEntry { number, .. }) if copy::is_kept(&feed.feed) => number,
            other => return other,
        };
        let second = copy::at(connection, feed.key, (&feed.feed, damaged))?;
        let Some((entry, hash)) = second.filter(|(entry, _)| walk.links(entry)) else {
            return Err(StoreError::DamagedEntry { feed: feed.feed, number: damaged });
        };
        walk.step(hash);
        if !take(entry) || walk.left == 0 {
            return Ok(());
        }
    }
}

/// The same from the first rows alone, for whoever looks for damage.
pub(super) fn scan_rows(
    connection: &Connection,
    feed: &FeedRow,
    (after, to): (u64, u64),
    take: &mut dyn FnMut(Entry) -> bool,
) -> Result<(), StoreError> {
    Walk { connection, feed, last: None, after, left: READ_ENTRIES_MAX }.run(to, take)
}

/// A way along the entries of a feed.
struct Walk<'a> {
    connection: &'a Connection,
    feed: &'a FeedRow,
    /// The hash of the entry before, once there was one.
    last: Option<Hash>,
    after: u64,
    left: usize,
}

impl Walk<'_> {
    fn links(&self, entry: &Entry) -> bool {
        self.last.is_none_or(|last| entry.header().previous == last)
    }

    fn step(&mut self, hash: Hash) {
        self.last = Some(hash);
        self.after = self.after.saturating_add(1);
        self.left = self.left.saturating_sub(1);
    }

    fn run(&mut self, to: u64, take: &mut dyn FnMut(Entry) -> bool) -> Result<(), StoreError> {
        let sql = "SELECT number, hash, header, body FROM entries
                   WHERE feed = ?1 AND number > ?2 AND number <= ?3 ORDER BY number LIMIT ?4";
        let limit = i64::try_from(self.left).unwrap_or(i64::MAX);
        let after = i64::try_from(self.after).unwrap_or(i64::MAX);
        let mut statement = self.connection.prepare_cached(sql).map_err(failed)?;
        let mut rows =
            statement.query(params![self.feed.key, after, stored(to)?, limit]).map_err(failed)?;
        loop {
            let number = self.after.saturating_add(1);
            let damaged = StoreError::DamagedEntry { feed: self.feed.feed, number };
            let row = match rows.next() {
                Ok(Some(row)) => row,
                Ok(None) if self.last.is_none() && number <= to && self.left > 0 => {
                    return Err(damaged);
                }
                Ok(None) => return Ok(()),
                Err(error) => match failed(error) {
                    StoreError::Damaged(_) => return Err(damaged),
                    other => return Err(other),
                },
            };
            let found = sound(row, self.feed, number).filter(|(entry, _)| self.links(entry));
            let Some((entry, hash)) = found else { return Err(damaged) };
            self.step(hash);
            if !take(entry) {
                return Ok(());
            }
        }
    }
}

/// Hands over every entry, shown or staged, in order; each as it was taken.
pub(super) fn each(
    connection: &Connection,
    feed: &FeedRow,
    take: &mut dyn FnMut(Entry) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let sql = "SELECT number, hash, header, body FROM entries WHERE feed = ?1 ORDER BY number";
    let mut statement = connection.prepare_cached(sql).map_err(failed)?;
    let mut rows = statement.query(params![feed.key]).map_err(failed)?;
    while let Some(row) = rows.next().map_err(failed)? {
        let number = row.get_ref(0).ok().and_then(|number| number.as_i64().ok());
        let number = number.and_then(|number| u64::try_from(number).ok()).unwrap_or(0);
        let found = match sound(row, feed, number) {
            None if copy::is_kept(&feed.feed) => {
                copy::at(connection, feed.key, (&feed.feed, number))?
            }
            found => found,
        };
        let damaged = StoreError::DamagedEntry { feed: feed.feed, number };
        take(found.ok_or(damaged)?.0)?;
    }
    Ok(())
}

/// The row's entry, if it is what was taken.
fn sound(row: &Row<'_>, feed: &FeedRow, number: u64) -> Option<(Entry, Hash)> {
    let found = u64::try_from(row.get_ref(0).ok()?.as_i64().ok()?).ok()?;
    let hash = Hash::from_slice(row.get_ref(1).ok()?.as_blob().ok()?)?;
    let header = row.get_ref(2).ok()?.as_blob().ok()?;
    let body = row.get_ref(3).ok()?.as_blob().ok()?;
    let entry = Entry::from_parts(header.to_vec(), body.to_vec()).ok()?;
    let is_in_place = found == number
        && entry.header().number == number
        && entry.header().feed == feed.feed
        && entry.hash() == hash;
    is_in_place.then_some((entry, hash))
}
