// SPDX-License-Identifier: MIT OR Apache-2.0
//! Records of any kind as JSON Lines: one object a line, with attachments named beside it.

use std::io::Write;

use aura_vault::record::Fields;
use serde_json::Value;

use super::name::{Names, safe_part};
use super::{Exported, Folder, Outcome, copy_content};
use crate::formats::ending::ATTACHED;
use crate::stamp::timestamp;

/// Writes records into `<stem>.jsonl`, their attachments into `<stem>.attachments/`.
///
/// Every line has `id`, `kind`, `category`, `fields`, and where they are known `source`, `sourceId`,
/// `time` and `attachments` (`name`, `mediaType`, `path`).
pub fn write(
    stem: &str,
    records: &mut dyn Iterator<Item = Exported>,
    folder: &mut dyn Folder,
) -> std::io::Result<Outcome> {
    let mut outcome = Outcome::default();
    let mut names = Names::default();
    let mut out = folder.create(&format!("{}.jsonl", safe_part(stem)))?;
    for record in records {
        let mut listed = Vec::new();
        for attachment in &record.attachments {
            let wish = format!("{}{ATTACHED}/{}", safe_part(stem), safe_part(&attachment.name));
            let path = names.free_file(&wish);
            match copy_content(attachment, &path, folder) {
                Ok(()) => {
                    outcome.attachments = outcome.attachments.saturating_add(1);
                    let mut member = Fields::new();
                    member.insert("name".to_owned(), attachment.name.as_str().into());
                    member.insert("mediaType".to_owned(), attachment.media_type.as_str().into());
                    member.insert("path".to_owned(), path.into());
                    listed.push(Value::Object(member));
                }
                Err(reason) => outcome.failed.push((record.id.clone(), reason)),
            }
        }
        let line = Value::Object(line(record, listed)).to_string();
        out.write_all(line.as_bytes())?;
        out.write_all(b"\n")?;
        outcome.records = outcome.records.saturating_add(1);
    }
    out.flush()?;
    Ok(outcome)
}

fn line(record: Exported, attachments: Vec<Value>) -> Fields {
    let mut line = Fields::new();
    line.insert("id".to_owned(), record.id.into());
    line.insert("kind".to_owned(), record.kind.as_str().into());
    line.insert("category".to_owned(), record.category.as_str().into());
    line.insert("fields".to_owned(), Value::Object(record.fields));
    let known = [
        ("source", record.source),
        ("sourceId", record.source_id),
        ("time", record.time_ms.map(timestamp)),
    ];
    for (name, value) in known {
        if let Some(value) = value {
            line.insert(name.to_owned(), value.into());
        }
    }
    if !attachments.is_empty() {
        line.insert("attachments".to_owned(), attachments.into());
    }
    line
}
