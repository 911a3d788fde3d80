// SPDX-License-Identifier: MIT OR Apache-2.0
//! Aura's own archive: every record with its id, its origin and its files, in one file of JSON Lines.
//!
//! Importing it into an empty vault gives the same state hash. It is not encrypted. A first line says
//! what it is; each record is a line, followed by the pieces of its files; a last line says how many
//! there were, so that an archive that was cut off is known. Source: spec/archive.md.

mod shape;

mod lines;

mod take;

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Read as _, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::Arc;

use aura_vault::blob::fingerprint;
use aura_vault::gate::{Record, Session};
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
use crate::view::Export;

/// The size of the archive at this path, if it is one.
pub(crate) fn recognise(path: &Path) -> Option<u64> {
    let mut file = File::open(path).ok()?;
    let found = file.metadata().ok().filter(std::fs::Metadata::is_file)?;
    let mut beginning = [0; BEGINNING.len()];
    file.read_exact(&mut beginning).ok()?;
    (beginning == BEGINNING.as_bytes()).then_some(found.len())
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
    let mut end = End { records: 0, attachments: 0, state_hash: session.status()?.state_hash };
    let header = Header { aura_archive: FORMAT, time: rfc3339(now_ms()) };
    line(&mut out, &header).map_err(|error| unwritten(&error))?;
    each(&mut |record| {
        end.records = end.records.saturating_add(1);
        end.attachments = end.attachments.saturating_add(record.attachments.len() as u64);
        write_record(&mut out, session, record).map_err(|error| unwritten(&error))
    })?;
    // ARC-5: no end that is not true.
    if session.status()?.state_hash != end.state_hash {
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

fn write_record(out: &mut impl Write, session: &Arc<Session>, record: Record) -> io::Result<()> {
    let files = record.attachments.iter().map(|info| FileEntry {
        id: info.id.to_string(),
        name: info.name.clone(),
        media_type: info.media_type.clone(),
        size: info.size,
        sha256: info.sha256.clone(),
    });
    let entry = Entry {
        id: record.id.to_string(),
        kind: record.kind.to_string(),
        category: record.category.to_string(),
        time_ms: record.has_own_time.then_some(record.time_ms),
        source: record.source,
        source_id: record.source_id,
        content: record.content,
        attachments: files.collect(),
        fields: record.fields,
    };
    line(out, &serde_json::json!({ "record": entry }))?;
    for info in &record.attachments {
        let sealed = SealedContent::new(session, record.id, info);
        let mut content = sealed.open()?;
        loop {
            let mut piece = Vec::with_capacity(PIECE_BYTES);
            content.by_ref().take(PIECE_BYTES as u64).read_to_end(&mut piece)?;
            if piece.is_empty() {
                break;
            }
            line(out, &serde_json::json!({ "piece": STANDARD.encode(&piece) }))?;
        }
    }
    Ok(())
}

/// Reads an archive back: everything must be there, and every file must have its hash.
pub(crate) fn check(path: &Path, export: &Export) -> Result<(), Failure> {
    let bad = || {
        Failure::new(Exit::Failed, "The archive does not read back as it was written.")
            .safe("The vault, and the last archive if there is one, are as they were.")
            .next("Check the disk, and export to another one.")
    };
    let mut lines = Lines::open(path).map_err(|_| bad())?;
    let mut found = End { records: 0, attachments: 0, state_hash: String::new() };
    loop {
        match lines.next().map_err(|_| bad())? {
            Line::Record(entry) => {
                found.records = found.records.saturating_add(1);
                for file in &entry.attachments {
                    let content = PieceContent::new(path, &lines, file.size);
                    let print = content.open().and_then(fingerprint).map_err(|_| bad())?;
                    if print.sha256 != file.sha256 || print.size != file.size {
                        return Err(bad());
                    }
                    lines.skip_pieces(file.size).map_err(|_| bad())?;
                    found.attachments = found.attachments.saturating_add(1);
                }
            }
            Line::End(end) => {
                let counts = (end.records, end.attachments) == (found.records, found.attachments);
                let is_same = end.records == export.records && end.state_hash == export.state_hash;
                return if counts && is_same { Ok(()) } else { Err(bad()) };
            }
        }
    }
}
