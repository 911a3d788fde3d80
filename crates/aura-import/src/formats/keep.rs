// SPDX-License-Identifier: MIT OR Apache-2.0
//! Google Keep notes: one JSON file each, its attachments beside it.
//!
//! A note has no id; the moment of its making together with its file's name stands for one. Lists
//! become Markdown check lists (how deep a line stood is not in the export).

use std::collections::BTreeSet;
use std::io::Read;
use std::sync::Arc;

use aura_vault::record::{Fields, Kind};
use serde_json::Value;

use super::file;
use super::instant::micros_ms;
use super::report::Report;
use crate::draft::{Attachment, Draft, Sink, Stop};
use crate::tree::Tree;

/// Largest note that is read, in bytes.
const NOTE_BYTES_MAX: u64 = 16 << 20;

const KNOWN: [&str; 8] = [
    "title",
    "textContent",
    "listContent",
    "labels",
    "attachments",
    "createdTimestampUsec",
    "isTrashed",
    "textContentHtml",
];

/// Whether this is the beginning of a note.
pub(crate) fn recognise(first: &[u8], _path: &str) -> bool {
    let text = String::from_utf8_lossy(first);
    let says = |word: &str| text.contains(word);
    text.trim_start_matches('\u{feff}').trim_start().starts_with('{')
        && [
            "\"textContent\"",
            "\"listContent\"",
            "\"createdTimestampUsec\"",
            "\"isTrashed\"",
            "\"isPinned\"",
            "\"userEditedTimestampUsec\"",
        ]
        .iter()
        .filter(|word| says(word))
        .count()
            >= 2
}

/// Reads the claimed notes.
///
/// # Errors
/// Only when the sink stops.
pub(crate) fn read_tree(
    tree: &Arc<dyn Tree>,
    paths: &[String],
    sink: &mut dyn Sink,
) -> Result<(), Stop> {
    let mut used = BTreeSet::new();
    for path in paths {
        read_note(tree, path, sink, &mut used)?;
    }
    Ok(())
}

/// Reads one note; `used` collects the paths of its attachments.
///
/// # Errors
/// Only when the sink stops.
pub(crate) fn read_note(
    tree: &Arc<dyn Tree>,
    path: &str,
    sink: &mut dyn Sink,
    used: &mut BTreeSet<String>,
) -> Result<(), Stop> {
    let mut report = Report::new(path, sink);
    let mut bytes = Vec::new();
    let read = tree.open(path).and_then(|input| {
        input.take(NOTE_BYTES_MAX + 1).read_to_end(&mut bytes).map(|read| read as u64)
    });
    report.progress = match read {
        Ok(read) if read > NOTE_BYTES_MAX => {
            return report.failed("", "the note is larger than this program reads (16 MiB)");
        }
        Ok(read) => read,
        Err(error) => return report.broken_input(&error),
    };
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&bytes);
    let Ok(Value::Object(note)) = serde_json::from_slice::<Value>(bytes) else {
        return report.failed("", "it is not valid JSON");
    };
    let mut attachments = Vec::new();
    let mut missing = Vec::new();
    for meant in note.get("attachments").and_then(Value::as_array).into_iter().flatten() {
        let Some(name) = meant.get("filePath").and_then(Value::as_str) else { continue };
        match beside(tree, path, name) {
            Some(found) => {
                attachments.push(attachment(tree, &found, meant));
                used.insert(found);
            }
            None => missing.push(Value::from(name)),
        }
    }
    if note.get("isTrashed").and_then(Value::as_bool) == Some(true) {
        return report.skipped("", "it was in the trash");
    }
    let mut draft = draft(&note, path, attachments);
    if !missing.is_empty() {
        draft.fields.insert("missingAttachments".to_owned(), missing.into());
    }
    report.draft(draft)
}

fn draft(note: &Fields, path: &str, attachments: Vec<Attachment>) -> Draft {
    let mut fields = Fields::new();
    let title = note.get("title").and_then(Value::as_str).filter(|title| !title.is_empty());
    if let Some(title) = title {
        fields.insert("name".to_owned(), title.into());
    }
    fields.insert("text".to_owned(), text(note).into());
    let labels: Vec<Value> = note
        .get("labels")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|label| label.get("name").cloned())
        .collect();
    if !labels.is_empty() {
        fields.insert("keywords".to_owned(), labels.into());
    }
    let extra: Fields = note
        .iter()
        .filter(|(name, value)| {
            !KNOWN.contains(&name.as_str()) && !value.is_null() && **value != Value::Bool(false)
        })
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    if !extra.is_empty() {
        fields.insert("extra".to_owned(), extra.into());
    }
    let time = |name: &str| note.get(name).and_then(micros_ms);
    let created = note.get("createdTimestampUsec").map(|value| match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    });
    let name = path.rsplit('/').next().unwrap_or(path);
    Draft {
        kind: Kind::Note,
        category: Kind::Note.category(),
        source: "keep",
        source_id: created.map(|created| format!("{created}/{name}")),
        time_ms: time("createdTimestampUsec").or_else(|| time("userEditedTimestampUsec")),
        fields,
        attachments,
    }
}

fn text(note: &Fields) -> String {
    let mut text = note.get("textContent").and_then(Value::as_str).unwrap_or_default().to_owned();
    for line in note.get("listContent").and_then(Value::as_array).into_iter().flatten() {
        let is_done = line.get("isChecked").and_then(Value::as_bool) == Some(true);
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(if is_done { "- [x] " } else { "- [ ] " });
        text.push_str(line.get("text").and_then(Value::as_str).unwrap_or_default());
    }
    text
}

/// A file beside the note; its ending may differ from what the note says.
fn beside(tree: &Arc<dyn Tree>, note: &str, name: &str) -> Option<String> {
    let name = name.rsplit(['/', '\\']).next()?;
    let wanted = match note.rsplit_once('/') {
        Some((folder, _)) => format!("{folder}/{name}"),
        None => name.to_owned(),
    };
    let entries = tree.entries();
    let from = entries.partition_point(|entry| entry.path.as_str() < wanted.as_str());
    if let Some(entry) = entries.get(from).filter(|entry| entry.path == wanted) {
        return Some(entry.path.clone());
    }
    let stem = format!("{}.", wanted.rsplit_once('.')?.0);
    let from = entries.partition_point(|entry| entry.path.as_str() < stem.as_str());
    let entry = entries.get(from).filter(|entry| entry.path.starts_with(&stem))?;
    (entry.path.rsplit('.').next() != Some("json")).then(|| entry.path.clone())
}

fn attachment(tree: &Arc<dyn Tree>, path: &str, meant: &Value) -> Attachment {
    let mut attachment = file::attachment(tree, path);
    let declared = meant.get("mimetype").and_then(Value::as_str);
    if let Some(declared) = declared.filter(|_| attachment.media_type == "application/octet-stream")
    {
        attachment.media_type = declared.to_owned();
    }
    attachment
}

#[cfg(test)]
#[path = "keep_tests.rs"]
mod tests;
