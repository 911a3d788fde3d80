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
use crate::claim::{Claimed, Named};
use crate::durable;
use crate::layout::ChunkLayout;

/// Under which collections a chunk is named by shown entries.
pub(super) fn named(connection: &Connection, name: ChunkName) -> Result<Vec<Named>, StoreError> {
    const ROW: StoreError = StoreError::Damaged("a row of the table of chunk names");
    let sql = "SELECT DISTINCT feeds.collection, names.hash, names.size_bytes FROM names
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

/// Keeps a chunk. One that is there already and sound is left alone, whoever else claims its name; a rotten
/// one is written again if the sound bytes are known by their hash (STO-10). `within` is what the caller's
/// access extends to of what is `claimed`.
pub(super) fn put(
    layout: &ChunkLayout,
    name: ChunkName,
    sealed: &[u8],
    (within, claimed): (&Claimed, &Claimed),
) -> Result<(), StoreError> {
    within.admit(sealed)?;
    let path = layout.chunk(name);
    let present = match durable::read(&path, CHUNK_BYTES_MAX as u64) {
        Err(error) if error.kind() == std::io::ErrorKind::InvalidData && !claimed.is_none() => None,
        other => other.map_err(io_failed)?,
    };
    match present {
        Some(present) if present == sealed => {
            // Its name may not have become durable when it was written.
            return durable::sync_directory(&layout.shelf(name)).map_err(io_failed);
        }
        Some(present) if claimed.is_none() || claimed.has(&present) => {
            return Err(StoreError::Fork);
        }
        Some(_) | None => {}
    }
    durable::directory(&layout.shelf(name)).map_err(io_failed)?;
    durable::write(&path, &layout.new_files(), sealed).map_err(io_failed)
}

/// A chunk, checked against what names it: one that fits any of the entries is sound, and which of them it
/// fits is for their readers to see.
pub(super) fn read(
    layout: &ChunkLayout,
    name: ChunkName,
    claimed: &Claimed,
) -> Result<Vec<u8>, StoreError> {
    const ROTTEN: StoreError = StoreError::Damaged("a chunk is not what its entry names");
    let bytes = match durable::read(&layout.chunk(name), CHUNK_BYTES_MAX as u64) {
        Err(error) if error.kind() == std::io::ErrorKind::InvalidData => return Err(ROTTEN),
        other => other.map_err(io_failed)?.ok_or(StoreError::Absent)?,
    };
    if claimed.is_none() || claimed.has(&bytes) { Ok(bytes) } else { Err(ROTTEN) }
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
