// SPDX-License-Identifier: MIT OR Apache-2.0
//! Records back to standard formats: what was taken in can be taken out, with every attachment.
//!
//! An export never stops at one bad record; it says at the end what it could not write and why.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use aura_vault::record::{Category, Fields, Kind};
use serde_json::Value;

use crate::draft::Attachment;
use crate::formats::origin::Origin;

mod content_line;
mod name;
mod time_zone;

pub mod calendar;
pub mod contacts;
pub mod json_lines;
pub mod logins;
pub mod mail;
pub mod notes;

/// A record on its way out.
pub struct Exported {
    /// The record's own id in the vault.
    pub id: String,
    /// The schema of `fields`.
    pub kind: Kind,
    /// The category it belongs to.
    pub category: Category,
    /// Its fields.
    pub fields: Fields,
    /// Its files.
    pub attachments: Vec<Attachment>,
    /// Which format it came from, if it was imported.
    pub source: Option<String>,
    /// What identifies it in that source.
    pub source_id: Option<String>,
    /// When it happened, in milliseconds since 1970 (UTC).
    pub time_ms: Option<i64>,
}

/// Where an export writes its files.
pub trait Folder {
    /// Starts a new file. `path` is relative and separated by `/`.
    ///
    /// # Errors
    /// When the file is there already or can't be made.
    fn create(&mut self, path: &str) -> io::Result<Box<dyn Write>>;
}

/// A folder on this computer, readable by its owner only.
///
/// It keeps the first error of the disk: writers go on after a record that has no form, but an export to a
/// disk that is full must not pass for one with a few records missing (F-34).
pub struct DiskFolder {
    root: PathBuf,
    fault: Arc<OnceLock<io::ErrorKind>>,
}

impl DiskFolder {
    /// Exports into `root`, which is made if it is not there.
    ///
    /// # Errors
    /// When it can't be made.
    pub fn new(root: &Path) -> io::Result<Self> {
        make_private(root)?;
        Ok(Self { root: root.to_owned(), fault: Arc::default() })
    }

    /// Tells the first error of the disk, if there was one.
    ///
    /// # Errors
    /// That error.
    pub fn check(&self) -> io::Result<()> {
        self.fault.get().map_or(Ok(()), |kind| Err((*kind).into()))
    }

    fn noted<T>(fault: &OnceLock<io::ErrorKind>, result: io::Result<T>) -> io::Result<T> {
        if let Err(error) = &result
            && error.kind() != io::ErrorKind::Interrupted
        {
            // Only the first is kept.
            let _ = fault.set(error.kind());
        }
        result
    }
}

/// A file of such a folder.
struct DiskFile {
    file: File,
    fault: Arc<OnceLock<io::ErrorKind>>,
}

impl Write for DiskFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        DiskFolder::noted(&self.fault, self.file.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Folder for DiskFolder {
    fn create(&mut self, path: &str) -> io::Result<Box<dyn Write>> {
        let mut place = self.root.clone();
        for part in path.split('/') {
            // The writers make safe names; this is the last door.
            if part.is_empty() || part == "." || part == ".." || part.contains(['\\', '\0']) {
                return Err(io::ErrorKind::InvalidInput.into());
            }
            place.push(part);
        }
        let made = place.parent().map_or(Ok(()), make_private);
        let file = Self::noted(&self.fault, made.and_then(|()| create_private(&place)))?;
        let file = DiskFile { file, fault: Arc::clone(&self.fault) };
        Ok(Box::new(BufWriter::with_capacity(64 << 10, file)))
    }
}

fn make_private(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

fn create_private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// What an export did.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Records written.
    pub records: u64,
    /// Attachments written.
    pub attachments: u64,
    /// What could not be written: the record's id, and why.
    pub failed: Vec<(String, String)>,
}

impl Outcome {
    /// Adds another outcome to this one.
    pub fn add(&mut self, other: Outcome) {
        self.records = self.records.saturating_add(other.records);
        self.attachments = self.attachments.saturating_add(other.attachments);
        self.failed.extend(other.failed);
    }
}

/// What a calendar or a card does not say of a record, and what it says only because it must have a UID.
fn own_origin(fields: &Fields, record: &Exported, source: &str) -> Origin {
    let mut origin = Origin::default();
    if let Some(Value::Object(extra)) = fields.get("extra") {
        origin.extra.clone_from(extra);
    }
    if !fields.contains_key("uid") && record.source.as_deref() == Some(source) {
        origin.source_id.clone_from(&record.source_id);
        origin.uid = Some(record.id.clone());
        origin.added.push("UID");
    }
    origin
}

/// Copies an attachment into a new file; the error is a reason for the person.
fn copy_content(
    attachment: &Attachment,
    path: &str,
    folder: &mut dyn Folder,
) -> Result<(), String> {
    let mut copy = || {
        let mut source = attachment.content.open()?;
        let mut out = folder.create(path)?;
        io::copy(&mut source, &mut out)?;
        out.flush()
    };
    copy().map_err(|error| format!("one of its files could not be written: {error}"))
}
