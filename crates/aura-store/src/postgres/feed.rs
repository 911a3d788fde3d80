// SPDX-License-Identifier: MIT OR Apache-2.0
//! Feeds and their entries as rows.
//!
//! Every row carries the hash that its entry had when it was taken; reading computes it again.
//! Source: spec/store.md, rules STO-5 to STO-8, STO-25 and STO-29.

use aura_protocol::entry::Entry;
use aura_protocol::head::Position;
use aura_protocol::id::{CollectionId, DeviceId, FeedId, Hash, Incarnation};
use aura_protocol::limits::{READ_BYTES_MAX, READ_ENTRIES_MAX};
use aura_protocol::store::StoreError;
use postgres::Row;

use super::moment::{Moment, Values, bytes, hash, number, stored};
use crate::rows::{Life, Sums};

/// A feed's row; its id is its key.
pub(super) type FeedRow = crate::rows::FeedRow<()>;

/// The feed's row, if it has one.
pub(super) fn find(moment: &Moment<'_>, feed: &FeedId) -> Result<Option<FeedRow>, StoreError> {
    let sql = "SELECT collection, device, incarnation, kept, kept_hash, held, held_hash,
                   floor, floor_hash FROM feeds
               WHERE vault = $1 AND device = $2 AND incarnation = $3 AND collection = $4";
    let [device, incarnation, collection] = key(feed);
    let rows = moment.query(sql, &[&moment.key(), &device, &incarnation, &collection])?;
    rows.first().map(feed_row).transpose()
}

/// The parts of a feed's key, in their order.
pub(super) fn key(feed: &FeedId) -> [&[u8]; 3] {
    [&feed.device.0, &feed.incarnation.0, &feed.collection.0]
}

/// The feed's row; made if it has none.
pub(super) fn find_or_make(moment: &Moment<'_>, feed: &FeedId) -> Result<FeedRow, StoreError> {
    if let Some(row) = find(moment, feed)? {
        return Ok(row);
    }
    let sql = "INSERT INTO feeds
               (vault, device, incarnation, collection, kept, kept_hash, held, held_hash,
                   floor, floor_hash)
               VALUES ($1, $2, $3, $4, 0, $5, 0, $5, 0, $5)";
    let [device, incarnation, collection] = key(feed);
    let none = &Position::NONE.hash.0[..];
    moment.execute(sql, &[&moment.key(), &device, &incarnation, &collection, &none])?;
    let none = Position::NONE;
    Ok(FeedRow { key: (), feed: *feed, kept: none, held: none, floor: none })
}

/// Every feed of one incarnation.
pub(super) fn of_life(
    moment: &Moment<'_>,
    (device, incarnation): Life,
) -> Result<Vec<FeedRow>, StoreError> {
    let sql = "SELECT collection, device, incarnation, kept, kept_hash, held, held_hash,
                   floor, floor_hash FROM feeds
               WHERE vault = $1 AND device = $2 AND incarnation = $3";
    let (device, incarnation) = (&device.0[..], &incarnation.0[..]);
    let rows = moment.query(sql, &[&moment.key(), &device, &incarnation])?;
    rows.iter().map(feed_row).collect()
}

/// Every authority feed, ascending.
pub(super) fn of_authority(moment: &Moment<'_>) -> Result<Vec<FeedRow>, StoreError> {
    let sql = "SELECT collection, device, incarnation, kept, kept_hash, held, held_hash,
                   floor, floor_hash FROM feeds
               WHERE vault = $1 AND collection = $2 ORDER BY device, incarnation";
    let authority = &CollectionId::AUTHORITY.0[..];
    moment.query(sql, &[&moment.key(), &authority])?.iter().map(feed_row).collect()
}

fn feed_row(row: &Row) -> Result<FeedRow, StoreError> {
    let found = || {
        let feed = FeedId {
            collection: CollectionId::from_slice(bytes(row, 0)?)?,
            device: DeviceId::from_slice(bytes(row, 1)?)?,
            incarnation: Incarnation::from_slice(bytes(row, 2)?)?,
        };
        let kept = Position { number: number(row, 3)?, hash: hash(row, 4)? };
        let held = Position { number: number(row, 5)?, hash: hash(row, 6)? };
        let floor = Position { number: number(row, 7)?, hash: hash(row, 8)? };
        Some(FeedRow { key: (), feed, kept, held, floor })
    };
    found().ok_or(StoreError::Damaged("a row of the table of feeds"))
}

/// Puts an entry after the last one held.
pub(super) fn insert(
    moment: &Moment<'_>,
    row: &mut FeedRow,
    entry: &Entry,
    hash: Hash,
) -> Result<(), StoreError> {
    write(moment, row, entry, hash)?;
    row.held = Position { number: entry.header().number, hash };
    Ok(())
}

/// Writes an entry, also over a rotten one, and what it says of chunks.
pub(super) fn write(
    moment: &Moment<'_>,
    row: &FeedRow,
    entry: &Entry,
    hash: Hash,
) -> Result<(), StoreError> {
    let number = stored(entry.header().number)?;
    let [device, incarnation, collection] = key(&row.feed);
    let sql = "INSERT INTO entries
               (vault, device, incarnation, collection, number, hash, header, body)
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
               ON CONFLICT (vault, device, incarnation, collection, number)
               DO UPDATE SET hash = excluded.hash, header = excluded.header, body = excluded.body";
    let (hash, header, body) = (&hash.0[..], entry.header_bytes(), entry.body());
    moment.execute(
        sql,
        &[&moment.key(), &device, &incarnation, &collection, &number, &hash, &header, &body],
    )?;
    let added = &entry.header().added;
    if added.is_empty() {
        return Ok(());
    }
    let names: Vec<&[u8]> = added.iter().map(|chunk| &chunk.name.0[..]).collect();
    let hashes: Vec<&[u8]> = added.iter().map(|chunk| &chunk.hash.0[..]).collect();
    let sizes: Result<Vec<i64>, _> = added.iter().map(|chunk| stored(chunk.size_bytes)).collect();
    let sizes = sizes?;
    let sql = "INSERT INTO names
               (vault, device, incarnation, collection, number, name, hash, size_bytes)
               SELECT $1::bytea, $2::bytea, $3::bytea, $4::bytea, $5::bigint, added.* FROM
               unnest($6::bytea[], $7::bytea[], $8::bigint[]) AS added
               ON CONFLICT DO NOTHING";
    moment.execute(
        sql,
        &[&moment.key(), &device, &incarnation, &collection, &number, &names, &hashes, &sizes],
    )
}

/// Writes how far the feed is shown and held, and up to where it was let go of.
pub(super) fn update(moment: &Moment<'_>, row: &FeedRow) -> Result<(), StoreError> {
    let sql = "UPDATE feeds SET kept = $5, kept_hash = $6, held = $7, held_hash = $8,
                   floor = $9, floor_hash = $10
               WHERE vault = $1 AND device = $2 AND incarnation = $3 AND collection = $4";
    let [device, incarnation, collection] = key(&row.feed);
    let FeedRow { kept, held, floor, .. } = row;
    let (kept, kept_hash) = (stored(kept.number)?, &kept.hash.0[..]);
    let (held, held_hash) = (stored(held.number)?, &held.hash.0[..]);
    let (floor, floor_hash) = (stored(floor.number)?, &floor.hash.0[..]);
    let values: Values<'_> = &[
        &moment.key(),
        &device,
        &incarnation,
        &collection,
        &kept,
        &kept_hash,
        &held,
        &held_hash,
        &floor,
        &floor_hash,
    ];
    moment.execute(sql, values)
}

/// Forgets what is staged from `from` on.
pub(super) fn unstage(moment: &Moment<'_>, row: &mut FeedRow, from: u64) -> Result<(), StoreError> {
    let from = from.max(row.kept.number.saturating_add(1));
    let [device, incarnation, collection] = key(&row.feed);
    let first = stored(from)?;
    for sql in [
        "DELETE FROM entries WHERE vault = $1 AND device = $2 AND incarnation = $3
         AND collection = $4 AND number >= $5",
        "DELETE FROM names WHERE vault = $1 AND device = $2 AND incarnation = $3
         AND collection = $4 AND number >= $5",
    ] {
        moment.execute(sql, &[&moment.key(), &device, &incarnation, &collection, &first])?;
    }
    row.held = match from.saturating_sub(1) {
        last if last <= row.kept.number => row.kept,
        last => Position {
            number: last,
            hash: hash_at(moment, row, last)?.unwrap_or(Position::NONE.hash),
        },
    };
    update(moment, row)
}

/// Whether there is an entry with one of these numbers.
pub(super) fn has_any(
    moment: &Moment<'_>,
    row: &FeedRow,
    (from, to): (u64, u64),
) -> Result<bool, StoreError> {
    let sql = "SELECT 1::bigint FROM entries WHERE vault = $1 AND device = $2 AND incarnation = $3
               AND collection = $4 AND number >= $5 AND number <= $6 LIMIT 1";
    let [device, incarnation, collection] = key(&row.feed);
    let (from, to) = (stored(from)?, stored(to)?);
    let values: Values<'_> = &[&moment.key(), &device, &incarnation, &collection, &from, &to];
    Ok(!moment.query(sql, values)?.is_empty())
}

/// Lets go of the entries up to this one; how many there were.
pub(super) fn let_go(
    moment: &Moment<'_>,
    row: &mut FeedRow,
    upto: Position,
) -> Result<u64, StoreError> {
    let [device, incarnation, collection] = key(&row.feed);
    let last = stored(upto.number)?;
    let values: Values<'_> = &[&moment.key(), &device, &incarnation, &collection, &last];
    let sql = "DELETE FROM names WHERE vault = $1 AND device = $2 AND incarnation = $3
               AND collection = $4 AND number <= $5";
    moment.execute(sql, values)?;
    let sql = "WITH gone AS (DELETE FROM entries WHERE vault = $1 AND device = $2
                   AND incarnation = $3 AND collection = $4 AND number <= $5 RETURNING 1)
               SELECT count(*) FROM gone";
    let gone = moment.query(sql, values)?.first().and_then(|row| number(row, 0)).unwrap_or(0);
    row.floor = upto;
    update(moment, row)?;
    Ok(gone)
}

/// The hash that the entry with this number had when it was taken.
pub(super) fn hash_at(
    moment: &Moment<'_>,
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
    let sql = "SELECT hash FROM entries WHERE vault = $1 AND device = $2 AND incarnation = $3
               AND collection = $4 AND number = $5";
    let [device, incarnation, collection] = key(&row.feed);
    let number = stored(number)?;
    let rows = moment.query(sql, &[&moment.key(), &device, &incarnation, &collection, &number])?;
    Ok(rows.first().and_then(|row| hash(row, 0)))
}

/// Bytes of authority entries, shown and staged.
pub(super) fn authority_bytes(moment: &Moment<'_>, device: DeviceId) -> Result<Sums, StoreError> {
    let sql = "SELECT device = $2, sum(octet_length(header) + octet_length(body))::bigint
               FROM entries WHERE vault = $1 AND collection = $3 GROUP BY device";
    let (device, authority) = (&device.0[..], &CollectionId::AUTHORITY.0[..]);
    Ok(sums(&moment.query(sql, &[&moment.key(), &device, &authority])?))
}

/// Adds up rows of (whether it is the device's own, a number).
pub(super) fn sums(rows: &[Row]) -> Sums {
    let mut sums = Sums::default();
    for row in rows {
        let (is_own, count) = (row.try_get(0).unwrap_or(true), number(row, 1).unwrap_or(u64::MAX));
        sums.of_device = sums.of_device.saturating_add(if is_own { count } else { 0 });
        sums.of_all = sums.of_all.saturating_add(count);
    }
    sums
}

/// Shown entries above `after`, in order, within the bounds of one answer (STO-8).
pub(super) fn read(
    moment: &Moment<'_>,
    row: &FeedRow,
    after: u64,
    limit: usize,
) -> Result<Vec<Entry>, StoreError> {
    let mut entries = Vec::new();
    let mut bytes = 0usize;
    let result = scan(moment, row, (after, row.kept.number), limit, &mut |entry| {
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

/// Hands over entries in `(after, to]`, each checked against its hash and the one before it.
pub(super) fn scan(
    moment: &Moment<'_>,
    feed: &FeedRow,
    (after, to): (u64, u64),
    limit: usize,
    take: &mut dyn FnMut(Entry) -> bool,
) -> Result<(), StoreError> {
    let limit = limit.min(READ_ENTRIES_MAX);
    let (mut at, mut left, mut last) = (after, limit, None);
    while at < to && left > 0 {
        let rows = some(moment, feed, (at, to), left)?;
        if rows.is_empty() && last.is_some() {
            return Ok(());
        }
        let count = rows.len().max(1);
        for place in 0..count {
            let number = at.saturating_add(1);
            let found = rows.get(place).and_then(|row| sound(row, feed, number));
            let linked =
                found.filter(|(entry, _)| last.is_none_or(|last| entry.header().previous == last));
            let Some((entry, hash)) = linked else {
                return Err(StoreError::DamagedEntry { feed: feed.feed, number });
            };
            (at, last) = (number, Some(hash));
            if !take(entry) {
                return Ok(());
            }
        }
        left = left.saturating_sub(count);
    }
    Ok(())
}

/// Every feed, ascending.
pub(super) fn all(moment: &Moment<'_>) -> Result<Vec<FeedRow>, StoreError> {
    let sql = "SELECT collection, device, incarnation, kept, kept_hash, held, held_hash,
                   floor, floor_hash FROM feeds WHERE vault = $1";
    let rows = moment.query(sql, &[&moment.key()])?;
    let mut rows = rows.iter().map(feed_row).collect::<Result<Vec<_>, _>>()?;
    rows.sort_unstable_by_key(|row| row.feed);
    Ok(rows)
}

/// Hands over every entry, shown or staged, in order; each as it was taken.
pub(super) fn each(
    moment: &Moment<'_>,
    feed: &FeedRow,
    take: &mut dyn FnMut(Entry) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    const END: u64 = i64::MAX.unsigned_abs();
    let mut after = 0;
    loop {
        let rows = some(moment, feed, (after, END), READ_ENTRIES_MAX)?;
        if rows.is_empty() {
            return Ok(());
        }
        for row in &rows {
            let number = number(row, 0).unwrap_or(0);
            let damaged = StoreError::DamagedEntry { feed: feed.feed, number };
            let (entry, _) = sound(row, feed, number).ok_or(damaged)?;
            after = number;
            take(entry)?;
        }
    }
}

/// As many of the next rows as fit into one answer, and at least one: a client of this database has a whole
/// answer in its memory.
fn some(
    moment: &Moment<'_>,
    feed: &FeedRow,
    (after, to): (u64, u64),
    limit: usize,
) -> Result<Vec<Row>, StoreError> {
    let [device, incarnation, collection] = key(&feed.feed);
    let (after, to) = (i64::try_from(after).unwrap_or(i64::MAX), stored(to)?);
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let sql = "SELECT (octet_length(header) + octet_length(body))::bigint FROM entries
               WHERE vault = $1 AND device = $2 AND incarnation = $3 AND collection = $4
               AND number > $5 AND number <= $6 ORDER BY number LIMIT $7";
    let sizes = moment
        .query(sql, &[&moment.key(), &device, &incarnation, &collection, &after, &to, &limit])?;
    let mut bytes = 0u64;
    let fits = |row: &&Row| {
        let is_first = bytes == 0;
        bytes = bytes.saturating_add(number(row, 0).unwrap_or(u64::MAX));
        is_first || bytes <= READ_BYTES_MAX as u64
    };
    let limit = i64::try_from(sizes.iter().take_while(fits).count()).unwrap_or(i64::MAX);
    let sql = "SELECT number, hash, header, body FROM entries
               WHERE vault = $1 AND device = $2 AND incarnation = $3 AND collection = $4
               AND number > $5 AND number <= $6 ORDER BY number LIMIT $7";
    moment.query(sql, &[&moment.key(), &device, &incarnation, &collection, &after, &to, &limit])
}

/// The row's entry, if it is what was taken.
fn sound(row: &Row, feed: &FeedRow, expected: u64) -> Option<(Entry, Hash)> {
    let (found, hash) = (number(row, 0)?, hash(row, 1)?);
    let entry = Entry::from_parts(bytes(row, 2)?.to_vec(), bytes(row, 3)?.to_vec()).ok()?;
    let is_in_place = found == expected
        && entry.header().number == expected
        && entry.header().feed == feed.feed
        && entry.hash() == hash;
    is_in_place.then_some((entry, hash))
}
