// SPDX-License-Identifier: MIT OR Apache-2.0
//! A second row for each authority entry.
//!
//! Whose heads count follows from all statements together, and the one that rotted may be a revoke: nothing may be
//! guessed in its place, so that without it nobody could write. They are few and small, so they are kept twice, in
//! two tables. Source: spec/store.md, rule STO-31.

use aura_protocol::entry::Entry;
use aura_protocol::id::{CollectionId, FeedId, Hash};
use aura_protocol::store::StoreError;
use rusqlite::{Connection, params};

use super::fault::failed;

/// Whether entries of this feed are kept twice.
pub(super) fn is_kept(feed: &FeedId) -> bool {
    feed.collection == CollectionId::AUTHORITY
}

/// Keeps the second row of an entry.
pub(super) fn keep(
    connection: &Connection,
    feed: i64,
    number: i64,
    entry: &Entry,
) -> Result<(), StoreError> {
    let sql = "INSERT OR REPLACE INTO copies (feed, number, hash, header, body)
               VALUES (?1, ?2, ?3, ?4, ?5)";
    let hash = entry.hash();
    let values = params![feed, number, &hash.0[..], entry.header_bytes(), entry.body()];
    connection.prepare_cached(sql).and_then(|mut s| s.execute(values)).map_err(failed)?;
    Ok(())
}

/// The second row's entry, if it is what was taken.
pub(super) fn at(
    connection: &Connection,
    feed: i64,
    place: (&FeedId, u64),
) -> Result<Option<(Entry, Hash)>, StoreError> {
    let Ok(number) = i64::try_from(place.1) else { return Ok(None) };
    let sql = "SELECT hash, header, body FROM copies WHERE feed = ?1 AND number = ?2";
    let mut statement = connection.prepare_cached(sql).map_err(failed)?;
    let mut rows = statement.query(params![feed, number]).map_err(failed)?;
    let row = match rows.next().map_err(failed) {
        Ok(Some(row)) => row,
        Ok(None) | Err(StoreError::Damaged(_)) => return Ok(None),
        Err(error) => return Err(error),
    };
    let sound = || {
        let hash = Hash::from_slice(row.get_ref(0).ok()?.as_blob().ok()?)?;
        let header = row.get_ref(1).ok()?.as_blob().ok()?;
        let body = row.get_ref(2).ok()?.as_blob().ok()?;
        let entry = Entry::from_parts(header.to_vec(), body.to_vec()).ok()?;
        let found = entry.header();
        let is_in_place = (&found.feed, found.number) == place && entry.hash() == hash;
        is_in_place.then_some((entry, hash))
    };
    Ok(sound())
}
