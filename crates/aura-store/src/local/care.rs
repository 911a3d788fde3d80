// SPDX-License-Identifier: MIT OR Apache-2.0
//! Looking after a local store: a reserve for a full disk, and a check of everything it keeps.

use std::collections::BTreeSet;
use std::fs;
use std::io;

use aura_protocol::entry::Entry;
use aura_protocol::id::{ChunkName, DeviceId, FeedId, Incarnation};
use aura_protocol::store::StoreError;
use rusqlite::params;

use super::fault::{failed, io_failed};
use super::{LocalStore, chunk, copy, feed, head};
use crate::admit;
use crate::durable;
use crate::layout::LocalLayout;
use crate::wait::lock;

/// Room kept for the last writes on a full disk, in bytes.
const RESERVE_BYTES: usize = 1 << 20;

/// As many pages as SQLite can count.
const PAGES_MAX: i64 = 4_294_967_294;

/// Damages that are remembered: more are found again.
const DAMAGES_MAX: usize = 65_536;

/// Something that the store keeps and that is not what it was when it was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Damage {
    /// The database's own structure; other damage may be a consequence.
    Structure,
    /// An entry.
    Entry(FeedId, u64),
    /// The newest head of an incarnation.
    Head(DeviceId, Incarnation),
    /// A chunk's file.
    Chunk(ChunkName),
}

/// Sets room aside. A disk that has none left is no reason not to open.
pub(super) fn make_reserve(layout: &LocalLayout) {
    let path = layout.reserve();
    if matches!(durable::size_bytes(&path), Ok(None)) {
        // Not zeros: some file systems store those in no space at all.
        let bytes: Vec<u8> = (1..=250).cycle().take(RESERVE_BYTES).collect();
        durable::write(&path, layout.root(), &bytes).ok();
    }
}

/// Gives the room back to the disk.
pub(super) fn free_reserve(layout: &LocalLayout) -> io::Result<()> {
    match fs::remove_file(layout.reserve()) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

impl LocalStore {
    /// Gives back the room that was set aside, so that a delete still fits on a full disk (F-05). It is
    /// set aside again when the store is opened next.
    ///
    /// # Errors
    /// When the file cannot be removed.
    pub fn free_reserve(&self) -> Result<(), StoreError> {
        free_reserve(&self.layout).map_err(io_failed)
    }

    /// Lets the database grow to so many bytes at most: an append beyond them is refused as
    /// [`StoreError::Full`] and changes nothing.
    ///
    /// # Errors
    /// When the limit cannot be set.
    pub fn limit_database(&self, bytes: u64) -> Result<(), StoreError> {
        let writer = self.writer();
        let page = |row: &rusqlite::Row<'_>| row.get::<_, i64>(0);
        let page_bytes =
            writer.connection.query_row("PRAGMA page_size", [], page).map_err(failed)?;
        let pages = bytes.checked_div(u64::try_from(page_bytes).unwrap_or(1)).unwrap_or(0);
        // SQLite takes 0 for a question.
        let pages = i64::try_from(pages).unwrap_or(i64::MAX).clamp(1, PAGES_MAX);
        let sql = format!("PRAGMA max_page_count = {pages}");
        writer.connection.query_row(&sql, [], page).map(drop).map_err(failed)
    }

    /// Puts a true entry in the place of a damaged one. What the rest of its feed says about that place
    /// decides which entry is true.
    ///
    /// # Errors
    /// When the feed or the place does not exist, or another entry belongs there.
    pub fn heal(&self, entry: &Entry) -> Result<(), StoreError> {
        let mut writer = self.writer();
        let transaction = writer.connection.transaction().map_err(failed)?;
        let row = feed::find(&transaction, &entry.header().feed)?.ok_or(StoreError::Absent)?;
        let number = entry.header().number;
        if number > row.kept.number || number <= row.floor.number {
            return Err(StoreError::Absent);
        }
        admit::heal(&*transaction, &row, entry)?;
        transaction.commit().map_err(failed)?;
        writer.devices = None;
        drop(writer);
        self.forget_damage(&Damage::Entry(entry.header().feed, entry.header().number));
        Ok(())
    }

    /// What was found to be damaged since the store was opened, by a check or by reading, and not healed since;
    /// ascending.
    pub fn damaged(&self) -> Vec<Damage> {
        lock(&self.damages).iter().copied().collect()
    }

    pub(super) fn note_damage(&self, damage: Damage) {
        let mut damages = lock(&self.damages);
        if damages.len() < DAMAGES_MAX {
            damages.insert(damage);
        }
    }

    pub(super) fn forget_damage(&self, damage: &Damage) {
        lock(&self.damages).remove(damage);
    }

    /// Reads everything and says what is damaged (F-08). Nothing is changed.
    ///
    /// # Errors
    /// When it cannot be read for another reason than damage.
    pub fn verify(&self) -> Result<Vec<Damage>, StoreError> {
        let mut damages = Vec::new();
        if !self.is_structure_sound()? {
            damages.push(Damage::Structure);
        }
        let reader = self.reader();
        for row in feed::all(&reader)? {
            verify_feed(&reader, &row, &mut damages)?;
        }
        verify_heads(&reader, &mut damages)?;
        lock(&self.sound).retain(|(device, incarnation), _| {
            !damages.contains(&Damage::Head(*device, *incarnation))
        });
        drop(reader);
        for (name, _) in chunk::all(&self.layout.chunks())? {
            match chunk::read(&self.layout.chunks(), name, &self.claimed(name)?) {
                Err(StoreError::Damaged(_)) => damages.push(Damage::Chunk(name)),
                other => drop(other?),
            }
        }
        damages.iter().for_each(|damage| self.note_damage(*damage));
        Ok(damages)
    }

    fn is_structure_sound(&self) -> Result<bool, StoreError> {
        let reader = self.reader();
        let answer = reader.query_row("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0));
        match answer.map_err(failed) {
            Ok(answer) => Ok(answer == "ok"),
            Err(StoreError::Damaged(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// Every entry of a feed, the shown ones.
fn verify_feed(
    reader: &rusqlite::Connection,
    row: &feed::FeedRow,
    damages: &mut Vec<Damage>,
) -> Result<(), StoreError> {
    let mut after = row.floor.number;
    while after < row.kept.number {
        let mut last = after;
        let range = (after, row.kept.number);
        let result = feed::scan_rows(reader, row, range, &mut |entry| {
            last = entry.header().number;
            true
        });
        match result {
            Err(StoreError::DamagedEntry { feed, number }) => {
                damages.push(Damage::Entry(feed, number));
                last = number;
            }
            other => other?,
        }
        after = last.max(after.saturating_add(1));
    }
    if copy::is_kept(&row.feed) {
        for number in 1..=row.kept.number {
            let damage = Damage::Entry(row.feed, number);
            let is_sound = copy::at(reader, row.key, (&row.feed, number))?.is_some();
            if !is_sound && !damages.contains(&damage) {
                damages.push(damage);
            }
        }
    }
    Ok(())
}

/// The newest head of every incarnation that has entries.
fn verify_heads(
    reader: &rusqlite::Connection,
    damages: &mut Vec<Damage>,
) -> Result<(), StoreError> {
    let (newest, _) = head::all_newest(reader)?;
    let sound: BTreeSet<_> =
        newest.iter().map(|stored| (stored.device, stored.incarnation)).collect();
    let sql = "SELECT DISTINCT device, incarnation FROM feeds WHERE kept > 0";
    let mut statement = reader.prepare_cached(sql).map_err(failed)?;
    let mut rows = statement.query(params![]).map_err(failed)?;
    while let Some(row) = rows.next().map_err(failed)? {
        let (device, incarnation): (Vec<u8>, Vec<u8>) =
            (row.get(0).map_err(failed)?, row.get(1).map_err(failed)?);
        let ids = DeviceId::from_slice(&device).zip(Incarnation::from_slice(&incarnation));
        match ids {
            Some((device, incarnation)) if !sound.contains(&(device, incarnation)) => {
                damages.push(Damage::Head(device, incarnation));
            }
            Some(_) => {}
            None => damages.push(Damage::Structure),
        }
    }
    Ok(())
}
