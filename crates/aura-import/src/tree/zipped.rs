// SPDX-License-Identifier: MIT OR Apache-2.0
//! A zip archive. The directory is read by the `zip` crate, the files straight from the disk.
//!
//! Stored and deflated files can be read; others, and those with a password, are refused by name.

use std::fs::File;
use std::io::{self, BufReader, Cursor, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use flate2::read::DeflateDecoder;
use zip::read::{ZipArchive, ZipFile};
use zip::{CompressionMethod, ExtraField};

use super::bound::Bounded;
use super::name::safe_path;
use super::{
    BOMB, ENTRIES_MAX, ENTRY_BYTES_MAX, EXPANSION_FREE_BYTES, EXPANSION_MAX, Entry, Refusal,
    Refusals, TOO_MANY, Tree, TreeError, Weight, position,
};

/// Compressed files up to this size are read from the disk in one piece.
const IN_MEMORY_BYTES_MAX: u64 = 256 << 10;

/// What is needed to read one file.
#[derive(Debug, Clone, Copy)]
struct Place {
    start: u64,
    compressed: u64,
    crc: u32,
    is_deflated: bool,
}

pub(super) struct ZipTree {
    path: PathBuf,
    label: String,
    file: Mutex<File>,
    entries: Vec<Entry>,
    /// In the order of `entries`.
    places: Vec<Place>,
    refused: Vec<Refusal>,
}

impl ZipTree {
    pub(super) fn open(path: &Path, label: String) -> Result<Self, TreeError> {
        let file = File::open(path)?;
        let size = file.metadata()?.len();
        let mut archive = ZipArchive::new(BufReader::new(file)).map_err(|_| TreeError::Damaged)?;
        let mut listing = Listing {
            found: Vec::with_capacity(archive.len().min(ENTRIES_MAX)),
            refused: Refusals::default(),
            budget: size.saturating_mul(EXPANSION_MAX).saturating_add(EXPANSION_FREE_BYTES),
        };
        for index in 0..archive.len() {
            if listing.found.len() >= ENTRIES_MAX {
                listing.refused.add(Weight::Failed, &label, TOO_MANY);
                break;
            }
            listing.see(&mut archive, index);
        }
        if archive.has_duplicate_names() {
            let reason = "it holds several files of the same name; only the last of each was read";
            listing.refused.add(Weight::Failed, &label, reason);
        }
        listing.found.sort_by(|a, b| a.0.path.cmp(&b.0.path));
        let mut entries: Vec<Entry> = Vec::with_capacity(listing.found.len());
        let mut places = Vec::with_capacity(listing.found.len());
        for (entry, place) in listing.found {
            if entries.last().is_some_and(|last| last.path == entry.path) {
                let reason = "another file of the archive has the same name; this one was not read";
                listing.refused.add(Weight::Failed, &entry.path, reason);
                continue;
            }
            entries.push(entry);
            places.push(place);
        }
        let refused = listing.refused.finish(&label);
        Ok(Self {
            path: path.to_owned(),
            label,
            file: Mutex::new(File::open(path)?),
            entries,
            places,
            refused,
        })
    }

    /// The compressed bytes of a file.
    fn raw(&self, place: Place) -> io::Result<Box<dyn Read + Send>> {
        if place.compressed <= IN_MEMORY_BYTES_MAX {
            let mut bytes = Vec::with_capacity(usize::try_from(place.compressed).unwrap_or(0));
            let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
            file.seek(SeekFrom::Start(place.start))?;
            (&mut *file).take(place.compressed).read_to_end(&mut bytes)?;
            return Ok(Box::new(Cursor::new(bytes)));
        }
        let mut file = File::open(&self.path)?;
        file.seek(SeekFrom::Start(place.start))?;
        Ok(Box::new(BufReader::with_capacity(64 << 10, file.take(place.compressed))))
    }
}

impl Tree for ZipTree {
    fn label(&self) -> &str {
        &self.label
    }

    fn entries(&self) -> &[Entry] {
        &self.entries
    }

    fn open(&self, path: &str) -> io::Result<Box<dyn Read + Send + '_>> {
        let at = position(&self.entries, path)?;
        let (Some(entry), Some(place)) = (self.entries.get(at), self.places.get(at)) else {
            return Err(io::ErrorKind::NotFound.into());
        };
        let raw = self.raw(*place)?;
        Ok(if place.is_deflated {
            Box::new(Bounded::new(DeflateDecoder::new(raw), entry.size, Some(place.crc)))
        } else {
            Box::new(Bounded::new(raw, entry.size, Some(place.crc)))
        })
    }

    fn refused(&self) -> &[Refusal] {
        &self.refused
    }
}

struct Listing {
    found: Vec<(Entry, Place)>,
    refused: Refusals,
    /// Bytes that may still come out of the archive.
    budget: u64,
}

impl Listing {
    fn see(&mut self, archive: &mut ZipArchive<BufReader<File>>, index: usize) {
        let Ok(file) = archive.by_index_raw(index) else {
            let name = archive.name_for_index(index).and_then(Result::ok).unwrap_or_default();
            self.refused.add(Weight::Failed, &name, "the archive is damaged at this file");
            return;
        };
        if file.is_dir() {
            return;
        }
        let Ok(name) = file.name() else {
            let shown = String::from_utf8_lossy(file.name_raw()).into_owned();
            self.refused.add(Weight::Failed, &shown, "its name can't be read as text");
            return;
        };
        if file.is_symlink() {
            let reason = "it is a link to another place; links are not followed";
            self.refused.add(Weight::Skipped, &name, reason);
            return;
        }
        let path = match safe_path(&name) {
            Ok(path) => path,
            Err(reason) => return self.refused.add(Weight::Failed, &name, reason),
        };
        let is_deflated = match file.compression() {
            CompressionMethod::Stored => false,
            CompressionMethod::Deflated => true,
            _ => {
                let reason = "it is compressed in a way this program doesn't know; unpack the \
                              archive and import the folder";
                return self.refused.add(Weight::Failed, &name, reason);
            }
        };
        if file.encrypted() {
            let reason = "it is locked with a password; unpack the archive and import the folder";
            return self.refused.add(Weight::Failed, &name, reason);
        }
        let (size, compressed) = (file.size(), file.compressed_size());
        if let Err(reason) = self.spend(size, compressed) {
            return self.refused.add(Weight::Failed, &name, reason);
        }
        let Some(start) = file.data_start() else {
            return self.refused.add(Weight::Failed, &name, "the archive is damaged at this file");
        };
        let place = Place { start, compressed, crc: file.crc32(), is_deflated };
        let modified_ms = exact_ms(&file).or_else(|| file.last_modified().and_then(dos_ms));
        self.found.push((Entry { path, size, modified_ms }, place));
    }

    /// Takes the size of a file from what may come out of the archive.
    fn spend(&mut self, size: u64, compressed: u64) -> Result<(), &'static str> {
        let allowed = compressed.saturating_mul(EXPANSION_MAX).max(EXPANSION_FREE_BYTES);
        if size > allowed.min(ENTRY_BYTES_MAX) {
            return Err(BOMB);
        }
        self.budget = self.budget.checked_sub(size).ok_or(BOMB)?;
        Ok(())
    }
}

/// The time with a zone, which most programs write beside the one without.
fn exact_ms(file: &ZipFile<'_, BufReader<File>>) -> Option<i64> {
    file.extra_data_fields().find_map(|field| match field {
        ExtraField::ExtendedTimestamp(times) => {
            times.mod_time().map(|seconds| i64::from(seconds) * 1000)
        }
        _ => None,
    })
}

fn dos_ms(time: zip::DateTime) -> Option<i64> {
    let time = mail_parser::DateTime {
        year: time.year(),
        month: time.month(),
        day: time.day(),
        hour: time.hour(),
        minute: time.minute(),
        second: time.second(),
        tz_before_gmt: false,
        tz_hour: 0,
        tz_minute: 0,
    };
    // 1980-01-01 stands for "no time" in this format.
    let seconds = time.to_timestamp();
    (time.is_valid() && seconds > 315_532_800).then(|| seconds.saturating_mul(1000))
}
