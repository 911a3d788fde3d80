// SPDX-License-Identifier: MIT OR Apache-2.0
//! Aura's own archive: every record with its id, its origin and its files, in one file of JSON Lines.
//!
//! Importing it into an empty vault gives the same state hash. It is not encrypted. A first line says
//! what it is; each record is a line, followed by the pieces of its files; a last line says how many
//! there were, so that an archive that was cut off is known. A file that is damaged in the vault is
//! named in its record's line and has no pieces: one bad file does not keep the rest from leaving.
//! Source: spec/archive.md.

mod shape;

mod lines;

mod take;

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Read as _, Seek as _, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::Arc;

use aura_protocol::id::BlobId;
use aura_vault::blob::fingerprint;
use aura_vault::gate::{AttachmentInfo, Record, Session};
use aura_vault::record::Content as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

pub(crate) use self::take::{Receive, read};

use self::lines::{Line, Lines, PieceContent};
use self::shape::{BEGINNING, End, Entry, FORMAT, FileEntry, Header, PIECE_BYTES};
use crate::exit::{Exit, Failure};
use crate::moment::{now_ms, rfc3339};
use crate::outlet::SealedContent;
use crate::view::{Export, Lost};

/// More than a last line takes.
const END_BYTES_MAX: u64 = 64 << 10;

/// The size of the archive at this path, if it is one.
pub(crate) fn recognise(path: &Path) -> Option<u64> {
    let mut file = File::open(path).ok()?;
    let found = file.metadata().ok().filter(std::fs::Metadata::is_file)?;
    let mut beginning = [0; BEGINNING.len()];
    file.read_exact(&mut beginning).ok()?;
    (beginning == BEGINNING.as_bytes()).then_some(found.len())
}

/// The categories that an archive says it lacks; nothing if its end cannot be read.
pub(crate) fn missing(path: &Path) -> Option<Vec<String>> {
    let mut file = File::open(path).ok()?;
    let size = file.metadata().ok()?.len();
    file.seek(SeekFrom::Start(size.saturating_sub(END_BYTES_MAX))).ok()?;
    let mut ending = Vec::new();
    file.take(END_BYTES_MAX).read_to_end(&mut ending).ok()?;
    let last = ending.trim_ascii_end().rsplit(|byte| *byte == b'\n').next()?;
    let last: serde_json::Value = serde_json::from_slice(last).ok()?;
    let end: End = serde_json::from_value(last.get("end")?.clone()).ok()?;
    Some(end.missing)
}

/// A source of all records.
pub(crate) type EachRecord<'a> =
    dyn FnMut(&mut dyn FnMut(Record) -> Result<(), Failure>) -> Result<(), Failure> + 'a;

/// Writes an archive into a new file and makes it durable (ARC-7).
pub(crate) fn write(
    path: &Path,
    each: &mut EachRecord<'_>,
    session: &Arc<Session>,
) -> Result<Export, Failure> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    let file = options.open(path).map_err(|error| unwritten(&error))?;
    let mut out = BufWriter::with_capacity(256 << 10, file);
    let status = session.status()?;
    let mut end = End {
        records: 0,
        attachments: 0,
        state_hash: status.open_hash,
        missing: status.shut.iter().map(ToString::to_string).collect(),
    };
    let header = Header { aura_archive: FORMAT, time: rfc3339(now_ms()) };
    line(&mut out, &header).map_err(|error| unwritten(&error))?;
    let mut failed = Vec::new();
    each(&mut |record| {
        let files = record.attachments.len();
        let lost = write_record(&mut out, session, &record).map_err(|error| unwritten(&error))?;
        end.records = end.records.saturating_add(1);
        end.attachments = end.attachments.saturating_add(files.saturating_sub(lost.len()) as u64);
        failed.extend(lost.into_values().map(|reason| Lost { id: record.id.to_string(), reason }));
        Ok(())
    })?;
    // ARC-5: no end that is not true.
    if session.status()?.open_hash != end.state_hash {
        return Err(Failure::new(Exit::Failed, "The vault was changed while it was exported.")
            .safe("The last archive, if there is one, is as it was.")
            .next("Run it again."));
    }
    let finish = |mut out: BufWriter<File>| {
        line(&mut out, &serde_json::json!({ "end": end }))?;
        let file = out.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.sync_all()?;
        Ok(file.metadata()?.len())
    };
    let bytes = finish(out).map_err(|error: io::Error| unwritten(&error))?;
    Ok(Export {
        records: end.records,
        attachments: end.attachments,
        files: 1,
        bytes,
        state_hash: end.state_hash,
        failed,
        missing: end.missing,
        ..Export::default()
    })
}

fn unwritten(error: &io::Error) -> Failure {
    let failure = Failure::file("The archive could not be written", error);
    failure.safe("The vault, and the last archive if there is one, are as they were.")
}

fn line(out: &mut impl Write, value: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *out, value)?;
    out.write_all(b"\n")
}

/// Files of a record that could not be read, and why.
type Damage = BTreeMap<BlobId, String>;

/// Writes a record and its files, but for those that are damaged: these are returned.
fn write_record(
    out: &mut BufWriter<File>,
    session: &Arc<Session>,
    record: &Record,
) -> io::Result<Damage> {
    let mut lost = Damage::new();
    if record.attachments.is_empty() {
        line(out, &serde_json::json!({ "record": entry(record, &lost) }))?;
        return Ok(lost);
    }
    let start = out.stream_position()?;
    while let Some((id, reason)) = write_files(out, session, record, &lost)? {
        // That a file is damaged is known only once it was read, and the record's line says how many
        // pieces follow: so the record is written again, without any that is.
        if lost.is_empty() {
            lost = damaged(session, record);
        }
        lost.insert(id, reason);
        out.seek(SeekFrom::Start(start))?;
        out.get_mut().set_len(start)?;
    }
    Ok(lost)
}

fn entry(record: &Record, lost: &Damage) -> Entry {
    let file = |info: &AttachmentInfo| FileEntry {
        id: info.id.to_string(),
        name: info.name.clone(),
        media_type: info.media_type.clone(),
        size: info.size,
        sha256: info.sha256.clone(),
    };
    let (bad, good): (Vec<_>, Vec<_>) =
        record.attachments.iter().partition(|info| lost.contains_key(&info.id));
    Entry {
        id: record.id.to_string(),
        kind: record.kind.to_string(),
        category: record.category.to_string(),
        time_ms: record.has_own_time.then_some(record.time_ms),
        source: record.source.clone(),
        source_id: record.source_id.clone(),
        content: record.content.clone(),
        attachments: good.into_iter().map(file).collect(),
        lost: bad.into_iter().map(file).collect(),
        fields: record.fields.clone(),
    }
}

/// Writes a record's line and its files. Returns the first file that could not be read.
fn write_files(
    out: &mut impl Write,
    session: &Arc<Session>,
    record: &Record,
    lost: &Damage,
) -> io::Result<Option<(BlobId, String)>> {
    line(out, &serde_json::json!({ "record": entry(record, lost) }))?;
    for info in record.attachments.iter().filter(|info| !lost.contains_key(&info.id)) {
        let mut write =
            |piece: &[u8]| line(out, &serde_json::json!({ "piece": STANDARD.encode(piece) }));
        if let Err(error) = each_piece(session, record, info, &mut write)? {
            return Ok(Some((info.id, reason(info, &error))));
        }
    }
    Ok(None)
}

/// Every file of a record that cannot be read.
fn damaged(session: &Arc<Session>, record: &Record) -> Damage {
    let mut lost = Damage::new();
    for info in &record.attachments {
        if let Ok(Err(error)) = each_piece(session, record, info, &mut |_| Ok(())) {
            lost.insert(info.id, reason(info, &error));
        }
    }
    lost
}

fn reason(info: &AttachmentInfo, error: &io::Error) -> String {
    format!("its file {} could not be read: {error}", info.name)
}

/// Hands on a file in pieces. The inner result says whether it could be read, the outer one whether
/// its pieces were taken.
fn each_piece(
    session: &Arc<Session>,
    record: &Record,
    info: &AttachmentInfo,
    take: &mut dyn FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<io::Result<()>> {
    let sealed = SealedContent::new(session, record.id, info);
    let mut content = match sealed.open() {
        Ok(content) => content,
        Err(error) => return Ok(Err(error)),
    };
    loop {
        let mut piece = Vec::with_capacity(PIECE_BYTES);
        match content.by_ref().take(PIECE_BYTES as u64).read_to_end(&mut piece) {
            Ok(0) => return Ok(Ok(())),
            Ok(_) => take(&piece)?,
            Err(error) => return Ok(Err(error)),
        }
    }
}

/// Reads an archive back: everything must be there, and every file must have its hash.
pub(crate) fn check(path: &Path, export: &Export) -> Result<(), Failure> {
    let bad = || {
        Failure::new(Exit::Failed, "The archive does not read back as it was written.")
            .safe("The vault, and the last archive if there is one, are as they were.")
            .next("Check the disk, and export to another one.")
    };
    let mut lines = Lines::open(path).map_err(|_| bad())?;
    let (mut records, mut attachments) = (0u64, 0u64);
    loop {
        match lines.next().map_err(|_| bad())? {
            Line::Record(entry) => {
                records = records.saturating_add(1);
                for file in &entry.attachments {
                    let content = PieceContent::new(path, &lines, file.size);
                    let print = content.open().and_then(fingerprint).map_err(|_| bad())?;
                    if print.sha256 != file.sha256 || print.size != file.size {
                        return Err(bad());
                    }
                    lines.skip_pieces(file.size).map_err(|_| bad())?;
                    attachments = attachments.saturating_add(1);
                }
            }
            Line::End(end) => {
                let counts = (end.records, end.attachments) == (records, attachments);
                let is_same = end.records == export.records && end.state_hash == export.state_hash;
                return if counts && is_same { Ok(()) } else { Err(bad()) };
            }
        }
    }
}
