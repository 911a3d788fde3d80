// SPDX-License-Identifier: MIT OR Apache-2.0
//! Sealed chunks of attachments: one file each.
//!
//! Files and not rows, because they are large, never change, and go one by one. The directory is the
//! truth about which there are; the entries' headers say what each must be. A chunk that no entry names
//! yet is the vault's own, on its way in. Source: spec/store.md, rules STO-10, STO-11 and STO-22.

use std::fs;

use aura_protocol::id::{ChunkName, CollectionId, Hash};
use aura_protocol::limits::CHUNK_BYTES_MAX;
use aura_protocol::store::StoreError;
use rusqlite::{Connection, params};

use super::fault::{failed, io_failed};
use crate::durable;
use crate::layout::ChunkLayout;

/// A chunk as a shown entry names it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Named {
    pub(super) collection: CollectionId,
    pub(super) hash: Hash,
    pub(super) size_bytes: u64,
}

/// Under which collections a chunk is named by shown entries.
pub(super) fn named(connection: &Connection, name: ChunkName) -> Result<Vec<Named>, StoreError> {
    const ROW: StoreError = StoreError::Damaged("a row of the table of chunk names");
    let sql = "SELECT feeds.collection, names.hash, names.size_bytes FROM names
               JOIN feeds ON feeds.id = names.feed
               WHERE names.name = ?1 AND names.number <= feeds.kept";
    let mut statement = connection.prepare_cached(sql).map_err(failed)?;
    let rows = statement
        .query_map(params![&name.0[..]], |row| {
            Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, Vec<u8>>(1)?, row.get::<_, i64>(2)?))
        })
        .map_err(failed)?;
    rows.map(|row| {
        let (collection, hash, size) = row.map_err(failed)?;
        Ok(Named {
            collection: CollectionId::from_slice(&collection).ok_or(ROW)?,
            hash: Hash::from_slice(&hash).ok_or(ROW)?,
            size_bytes: u64::try_from(size).map_err(|_| ROW)?,
        })
    })
    .collect()
}

/// Makes the directories and removes what an interrupted write left.
pub(super) fn prepare(layout: &ChunkLayout) -> Result<(), StoreError> {
    durable::directory(layout.root()).map_err(io_failed)?;
    let new = layout.new_files();
    durable::directory(&new).map_err(io_failed)?;
    for name in durable::names(&new).map_err(io_failed)? {
        fs::remove_file(new.join(name)).map_err(io_failed)?;
    }
    Ok(())
}

/// Keeps a chunk. One that is there already is left alone; a rotten one is written again if the sound
/// bytes are known by their hash.
pub(super) fn put(
    layout: &ChunkLayout,
    name: ChunkName,
    sealed: &[u8],
    expected: Option<Hash>,
) -> Result<(), StoreError> {
    if sealed.len() > CHUNK_BYTES_MAX {
        return Err(StoreError::Refused("a chunk that is too large"));
    }
    // Megabytes are not hashed for nothing: a new chunk has neither a name nor a twin yet.
    if expected.is_some_and(|expected| expected != Hash::of(&[sealed])) {
        return Err(StoreError::Refused("a chunk that is not what its entry names"));
    }
    let path = layout.chunk(name);
    let present = match durable::read(&path, CHUNK_BYTES_MAX as u64) {
        Err(error) if error.kind() == std::io::ErrorKind::InvalidData && expected.is_some() => None,
        other => other.map_err(io_failed)?,
    };
    match (present, expected) {
        (Some(present), _) if present == sealed => {
            // Its name may not have become durable when it was written.
            return durable::sync_directory(&layout.shelf(name)).map_err(io_failed);
        }
        (Some(_), None) => return Err(StoreError::Fork),
        (Some(_), Some(_)) | (None, _) => {}
    }
    durable::directory(&layout.shelf(name)).map_err(io_failed)?;
    durable::write(&path, &layout.new_files(), sealed).map_err(io_failed)
}

/// A chunk, checked against what names it.
pub(super) fn read(
    layout: &ChunkLayout,
    name: ChunkName,
    expected: Option<Hash>,
) -> Result<Vec<u8>, StoreError> {
    const ROTTEN: StoreError = StoreError::Damaged("a chunk is not what its entry names");
    let bytes = match durable::read(&layout.chunk(name), CHUNK_BYTES_MAX as u64) {
        Err(error) if error.kind() == std::io::ErrorKind::InvalidData => return Err(ROTTEN),
        other => other.map_err(io_failed)?.ok_or(StoreError::Absent)?,
    };
    if expected.is_some_and(|expected| expected != Hash::of(&[&bytes])) {
        return Err(ROTTEN);
    }
    Ok(bytes)
}

/// Names and sizes of all chunks, ascending.
pub(super) fn all(layout: &ChunkLayout) -> Result<Vec<(ChunkName, u64)>, StoreError> {
    let mut chunks = Vec::new();
    for shelf in durable::names(layout.root()).map_err(io_failed)? {
        if shelf.len() != 2 {
            continue;
        }
        for file in durable::names(&layout.root().join(&shelf)).map_err(io_failed)? {
            let Some(name) = ChunkName::parse(&file).filter(|name| name.to_string() == file) else {
                continue;
            };
            if let Some(size) = durable::size_bytes(&layout.chunk(name)).map_err(io_failed)? {
                chunks.push((name, size));
            }
        }
    }
    Ok(chunks)
}

/// Removes a chunk's file.
pub(super) fn remove(layout: &ChunkLayout, name: ChunkName) -> Result<(), StoreError> {
    match fs::remove_file(layout.chunk(name)) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(io_failed(error)),
        _ => Ok(()),
    }
}

/// Whether any entry, shown or staged, names this chunk.
pub(super) fn named_by_any(connection: &Connection, name: ChunkName) -> Result<bool, StoreError> {
    let sql = "SELECT EXISTS (SELECT 1 FROM names WHERE name = ?1)";
    let mut statement = connection.prepare_cached(sql).map_err(failed)?;
    statement.query_row(params![&name.0[..]], |row| row.get(0)).map_err(failed)
}
