// SPDX-License-Identifier: MIT OR Apache-2.0
//! Taking an archive's records into a vault, under the ids that they had (ARC-8).

use std::path::Path;
use std::sync::Arc;

use aura_import::draft::Stop;
use aura_protocol::id::{BlobId, Hash, RecordId};
use aura_vault::blob::BlobRef;
use aura_vault::db::Tally;
use aura_vault::intake::{Importer, Outcome, Restored, TakeError};
use aura_vault::record::{Attachment, Category, Kind};

use super::lines::{Line, Lines, PieceContent};
use super::shape::{Entry, FileEntry};
use crate::exit::{Exit, Failure};

/// Who takes an archive's records and counts what became of them.
pub(crate) trait Receive {
    /// What takes records in.
    fn importer(&mut self) -> &mut Importer;

    /// A record of this category was taken in; so many bytes have been read.
    fn took(&mut self, category: Category, outcome: &Outcome, progress: u64) -> Result<(), Stop>;

    /// A record could not be taken in; others can.
    fn failed(&mut self, place: &str, reason: &str);

    /// A record waits for the second lock, which is shut; so many bytes have been read.
    fn waits(&mut self, progress: u64) -> Result<(), Stop>;

    /// Nothing more can be taken in.
    fn broke(&mut self, failure: Failure);
}

/// Hands every record of an archive to the receiver.
pub(crate) fn read(path: &Path, receive: &mut dyn Receive) -> Result<(), Stop> {
    let mut lines = match Lines::open(path) {
        Ok(lines) => lines,
        Err(error) => {
            receive.broke(damaged(&error));
            return Err(Stop);
        }
    };
    let mut count = 0u64;
    let mut tally = Tally::default();
    // Of records that cannot be read nothing more is known.
    let mut is_whole = true;
    loop {
        let entry = match lines.next() {
            Ok(Line::Record(entry)) => entry,
            Ok(Line::End(end)) => {
                if end.records != count {
                    receive.failed("the last line", "the archive has lost records");
                } else if is_whole && Hash(tally.state_hash()).to_string() != end.state_hash {
                    let reason = "the archive was changed after it was written: its records do not \
                                  come to the state hash that it ends with";
                    receive.failed("the last line", reason);
                }
                return Ok(());
            }
            Err(error) => {
                receive.failed(&format!("after record {count}"), &format!("{error}"));
                return Ok(());
            }
        };
        count = count.saturating_add(1);
        let Some((restored, sizes)) = restored(path, &entry, &mut lines) else {
            receive.failed(&format!("record {count}"), "it is no record of this version");
            is_whole = false;
            continue;
        };
        tally.add(restored.category, &restored.leaf(said(&entry)));
        if sizes.is_err() {
            receive.failed(&format!("record {count}"), "the archive was cut off");
            return Ok(());
        }
        for _ in &entry.lost {
            let reason = "a file of it was damaged already when the archive was written";
            receive.failed(&format!("record {count}"), reason);
        }
        match receive.importer().restore(&restored) {
            Ok(outcome) => receive.took(restored.category, &outcome, lines.at())?,
            Err(TakeError::SecondLock) => receive.waits(lines.at())?,
            Err(error) if error.is_fatal() => {
                receive.broke(error.into());
                return Err(Stop);
            }
            Err(error) => receive.failed(&format!("record {count}"), &error.to_string()),
        }
    }
}

/// The files that a record names, those without bytes included.
fn said(entry: &Entry) -> Vec<(BlobId, BlobRef)> {
    let files = entry.attachments.iter().chain(&entry.lost);
    let said = |file: &FileEntry| {
        let field = BlobRef::without_key(&file.name, &file.media_type, file.size, &file.sha256);
        Some((BlobId::parse(&file.id)?, field))
    };
    files.filter_map(said).collect()
}

fn damaged(error: &std::io::Error) -> Failure {
    Failure::new(Exit::Failed, format!("The archive could not be read: {error}."))
        .safe("Nothing of it was imported.")
        .next("Use another copy of it, or a newer version of Aura.")
}

fn restored(
    path: &Path,
    entry: &Entry,
    lines: &mut Lines,
) -> Option<(Restored, std::io::Result<()>)> {
    let mut passed = Ok(());
    let mut attachments = Vec::new();
    let mut are_ids = true;
    for file in &entry.attachments {
        let content = PieceContent::new(path, lines, file.size);
        passed = passed.and_then(|()| lines.skip_pieces(file.size));
        let Some(id) = BlobId::parse(&file.id) else {
            are_ids = false;
            continue;
        };
        let attachment = Attachment {
            name: file.name.clone(),
            media_type: file.media_type.clone(),
            content: Arc::new(content),
        };
        attachments.push((id, attachment, file.sha256.clone()));
    }
    let restored = Restored {
        id: RecordId::parse(&entry.id)?,
        kind: Kind::parse(&entry.kind)?,
        category: Category::parse(&entry.category)?,
        time_ms: entry.time_ms,
        fields: entry.fields.clone(),
        source: entry.source.clone(),
        source_id: entry.source_id.clone(),
        content: entry.content.clone(),
        attachments,
    };
    are_ids.then_some((restored, passed))
}
