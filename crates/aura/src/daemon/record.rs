// SPDX-License-Identifier: MIT OR Apache-2.0
//! Single records: add, read, change, delete, take back, and what was done to them.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Read, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use aura_protocol::id::{BlobId, RecordId};
use aura_vault::gate::{self, GateError, PAGE_MAX, Session};
use aura_vault::record::{Attachment, Category, Content, Draft, Fields, Kind};
use aura_vault::state::Act;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::reply::Reply;
use crate::exit::{Exit, Failure};
use crate::moment::rfc3339;
use crate::view;
use crate::wire::NewRecord;

/// Of an attachment, in one message.
const PIECE_BYTES: usize = 256 << 10;

/// A file of the person's, read when the vault wants it.
struct FileContent(PathBuf);

impl Content for FileContent {
    fn open(&self) -> io::Result<Box<dyn Read + '_>> {
        Ok(Box::new(File::open(&self.0)?))
    }

    fn size_bytes(&self) -> Option<u64> {
        // What a system makes up as it is read says that it is empty.
        let metadata = self.0.metadata().ok().filter(fs::Metadata::is_file)?;
        (metadata.len() > 0).then_some(metadata.len())
    }
}

/// Adds a record.
pub(super) fn add(session: &Session, new: NewRecord) -> Result<view::Record, Failure> {
    let kind = Kind::parse(&new.kind).ok_or_else(|| {
        let known: Vec<&str> = Kind::ALL.iter().map(|kind| kind.as_str()).collect();
        let what = "There is no such kind of record.";
        Failure::usage(what, format!("Choose one of {}.", known.join(", ")))
    })?;
    let category = match &new.category {
        None => kind.category(),
        Some(word) => Category::parse(word).ok_or_else(|| {
            let known: Vec<&str> = Category::ALL.iter().map(|category| category.as_str()).collect();
            Failure::usage(
                "There is no such category.",
                format!("Choose one of {}.", known.join(", ")),
            )
        })?,
    };
    let fields = with_start(kind, new.time_ms, new.fields)?;
    let attachments = new.files.iter().map(|path| attach(path)).collect::<Result<_, _>>()?;
    let draft = Draft {
        kind,
        category,
        source: "aura",
        source_id: None,
        time_ms: new.time_ms,
        fields,
        attachments,
    };
    let id = session.add(&draft)?;
    find(session, id)
}

/// An event begins at some time: other programs refuse one that does not (RFC 5545, 3.6.1).
fn with_start(kind: Kind, time_ms: Option<i64>, mut fields: Fields) -> Result<Fields, Failure> {
    if kind != Kind::Event || fields.contains_key("start") {
        return Ok(fields);
    }
    let Some(time_ms) = time_ms else {
        return Err(Failure::usage(
            "An event needs a time.",
            "Say when: --time 2026-12-01T09:30Z, or start=2026-12-01T09:30:00.",
        ));
    };
    // JSCalendar has local times and a zone (RFC 8984, 1.4.4).
    let start = rfc3339(time_ms).get(..19).unwrap_or_default().to_owned();
    fields.insert("start".to_owned(), start.into());
    fields.entry("timeZone").or_insert_with(|| "Etc/UTC".into());
    Ok(fields)
}

fn attach(path: &Path) -> Result<Attachment, Failure> {
    let found = fs::metadata(path);
    let found =
        found.map_err(|error| Failure::file("A file to attach could not be read", &error))?;
    if !found.is_file() {
        return Err(Failure::usage("What is to be attached is no file.", "Name a file."));
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    Ok(Attachment {
        name,
        media_type: "application/octet-stream".to_owned(),
        content: Arc::new(FileContent(path.to_owned())),
    })
}

/// Reads one.
pub(super) fn get(session: &Session, id: &str) -> Result<view::Record, Failure> {
    find(session, parse(id)?)
}

fn find(session: &Session, id: RecordId) -> Result<view::Record, Failure> {
    match session.get(id)? {
        Some(record) => Ok(show(record)),
        None => Err(session.absent().into()),
    }
}

/// Writes an attachment into a new file.
pub(super) fn attachment(
    session: &Session,
    (id, blob): (&str, &str),
    to: &Path,
) -> Result<view::Attachment, Failure> {
    let id = parse(id)?;
    let blob = BlobId::parse(blob).ok_or(Failure::from(GateError::NoAttachment))?;
    let failed = |error: &io::Error| Failure::file("The file could not be written", error);
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    let mut file = options.open(to).map_err(|error| failed(&error))?;
    let written = session.attachment(id, blob, &mut file).map_err(Failure::from).and_then(|info| {
        file.flush().and_then(|()| file.sync_all()).map_err(|error| failed(&error))?;
        Ok(info)
    });
    if written.is_err() {
        drop(fs::remove_file(to));
    }
    written.map(show_attachment)
}

/// Hands on an attachment's bytes as they are opened: they are on no disk on their way.
pub(super) fn download(
    session: &Session,
    (id, blob): (&str, &str),
    reply: &mut Reply,
) -> Result<view::Attachment, Failure> {
    let id = parse(id)?;
    let blob = BlobId::parse(blob).ok_or(Failure::from(GateError::NoAttachment))?;
    let mut out = BufWriter::with_capacity(PIECE_BYTES, Pieces(reply));
    let info = session.attachment(id, blob, &mut out)?;
    out.flush().map_err(|error| Failure::file("The attachment could not be handed on", &error))?;
    drop(out);
    Ok(show_attachment(info))
}

/// Bytes as items of Base64.
struct Pieces<'a>(&'a mut Reply);

impl Write for Pieces<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let gone = |_| io::Error::from(io::ErrorKind::BrokenPipe);
        self.0.item(&STANDARD.encode(bytes)).map_err(gone)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Changes fields.
pub(super) fn edit(
    session: &Session,
    id: &str,
    set: &Fields,
    remove: &[String],
) -> Result<view::Record, Failure> {
    Ok(show(session.edit(parse(id)?, set, remove)?))
}

/// Deletes one.
pub(super) fn remove(session: &Session, id: &str) -> Result<view::Record, Failure> {
    let id = parse(id)?;
    let record = find(session, id)?;
    session.remove(id)?;
    Ok(view::Record { deleted: true, ..record })
}

/// Takes back what was done last.
pub(super) fn undo(session: &Session, id: &str) -> Result<Option<view::Record>, Failure> {
    Ok(session.undo(parse(id)?)?.map(show))
}

/// What was done to one, oldest first.
pub(super) fn history(session: &Session, id: &str, reply: &mut Reply) -> Result<Value, Failure> {
    for version in session.history(parse(id)?)? {
        let changes = version.changes.into_iter();
        reply.item(&view::Version {
            time: rfc3339(version.time_ms),
            author: if version.author.is_empty() { "owner".to_owned() } else { version.author },
            act: match version.act {
                Act::Write => "write".to_owned(),
                Act::Delete => "delete".to_owned(),
            },
            changes: changes.map(|(field, value)| view::Change { field, value }).collect(),
        })?;
    }
    Ok(Value::Null)
}

/// What was deleted.
pub(super) fn trash(session: &Session, limit: usize, reply: &mut Reply) -> Result<Value, Failure> {
    let mut after = None;
    let mut left = limit;
    while left > 0 {
        let page = session.trash(after, left.min(PAGE_MAX))?;
        let Some(last) = page.last() else { break };
        after = Some(last.id);
        left = left.saturating_sub(page.len());
        for record in page {
            reply.item(&show(record))?;
        }
    }
    Ok(Value::Null)
}

/// The record that this text names.
pub(super) fn parse(id: &str) -> Result<RecordId, Failure> {
    RecordId::parse(id.trim()).ok_or_else(|| {
        Failure::new(Exit::Usage, "That is not a record's id.")
            .safe("Nothing was changed.")
            .next("An id has 32 hexadecimal digits; `aura search` shows them.")
    })
}

/// A record as commands show it.
pub(super) fn show(record: gate::Record) -> view::Record {
    view::Record {
        id: record.id.to_string(),
        kind: record.kind.to_string(),
        category: record.category.to_string(),
        title: record.title,
        time: rfc3339(record.time_ms),
        modified: rfc3339(record.modified_ms),
        source: record.source,
        source_id: record.source_id,
        deleted: record.is_deleted,
        conflicts: record.conflicts,
        attachments: record.attachments.into_iter().map(show_attachment).collect(),
        fields: record.fields,
    }
}

fn show_attachment(info: gate::AttachmentInfo) -> view::Attachment {
    view::Attachment {
        id: info.id.to_string(),
        name: info.name,
        media_type: info.media_type,
        size: info.size,
        sha256: info.sha256,
    }
}
