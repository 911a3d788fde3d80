// SPDX-License-Identifier: MIT OR Apache-2.0
//! A Bitwarden JSON export to credentials, one item at a time.
//!
//! The fields of an item stay what they are; folders and collections come in by name. An encrypted
//! export is not opened here and says so. Places are told by number, never by name: a ledger may be
//! shown and logged. A zip with attachments has `data.json` and a folder for each item. What else lies
//! beside an export comes in as files.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader};
use std::sync::Arc;

use aura_vault::record::{Fields, Kind};
use serde_json::Value;

use super::file;
use super::instant::iso_ms;
use super::json_stream::{Fault, JsonStream};
use super::report::Report;
use crate::draft::{Attachment, Draft, Sink, Stop};
use crate::tree::Tree;

/// Largest item that is read, in bytes.
const ITEM_BYTES_MAX: usize = 4 << 20;
/// Most folders and collections whose names are kept.
const FOLDERS_MAX: usize = 100_000;

const MEMBERS: &[&str] = &["encrypted", "passwordProtected", "folders", "collections", "items"];

/// Members of an item that have a place of their own.
const KNOWN: [&str; 5] = ["id", "folderId", "organizationId", "collectionIds", "key"];

/// Whether this is the beginning of an export.
pub(crate) fn recognise(first: &[u8], _path: &str) -> bool {
    let text = String::from_utf8_lossy(first);
    let start = text.trim_start_matches('\u{feff}').trim_start();
    let says = |word: &str| text.contains(word);
    start.starts_with('{')
        && says("\"encrypted\"")
        && MEMBERS.iter().skip(1).any(|member| says(&format!("\"{member}\"")))
}

/// Reads one JSON file; attachments are not at hand.
///
/// # Errors
/// Only when the sink stops.
#[cfg(test)]
pub(crate) fn read(place: &str, input: &mut dyn BufRead, sink: &mut dyn Sink) -> Result<(), Stop> {
    Reader::new(Report::new(place, sink), None).read(input)
}

/// Reads the claimed files of a zip with attachments.
///
/// # Errors
/// Only when the sink stops.
pub(crate) fn read_tree(
    tree: &Arc<dyn Tree>,
    paths: &[String],
    sink: &mut dyn Sink,
) -> Result<(), Stop> {
    let mut used = BTreeSet::new();
    let mut rest = Vec::new();
    for path in paths {
        if !is_json(path) {
            rest.push(path);
            continue;
        }
        let mut report = Report::new(path, sink);
        let mut input = match tree.open(path) {
            Ok(opened) => BufReader::with_capacity(64 << 10, opened),
            Err(error) => {
                report.broken_input(&error)?;
                continue;
            }
        };
        match input.fill_buf() {
            Ok(first) if recognise(first, path) => {}
            Ok(_) => {
                rest.push(path);
                continue;
            }
            Err(error) => {
                report.broken_input(&error)?;
                continue;
            }
        }
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        let mut reader = Reader::new(report, Some(Beside { tree, folder }));
        reader.read(&mut input)?;
        used.append(&mut reader.used);
    }
    let left = rest.into_iter().filter(|path| !used.contains(*path)).cloned();
    file::read_tree(tree, &left.collect::<Vec<_>>(), sink)
}

fn is_json(path: &str) -> bool {
    !path.contains("attachments/") && path.to_ascii_lowercase().ends_with(".json")
}

/// Where the attachments of an export lie.
struct Beside<'a> {
    tree: &'a Arc<dyn Tree>,
    /// The folder of the export in its tree; empty for the root.
    folder: &'a str,
}

struct Reader<'a> {
    report: Report<'a>,
    beside: Option<Beside<'a>>,
    /// Attachments that have come in with their item.
    used: BTreeSet<String>,
    folders: BTreeMap<String, String>,
    is_encrypted: bool,
    is_password_protected: bool,
}

impl<'a> Reader<'a> {
    fn new(report: Report<'a>, beside: Option<Beside<'a>>) -> Self {
        Self {
            report,
            beside,
            used: BTreeSet::new(),
            folders: BTreeMap::new(),
            is_encrypted: false,
            is_password_protected: false,
        }
    }

    fn read(&mut self, input: &mut dyn BufRead) -> Result<(), Stop> {
        let mut stream = JsonStream::new(input, MEMBERS, ITEM_BYTES_MAX);
        loop {
            let element = match stream.next() {
                Ok(Some(element)) => element,
                Ok(None) => break,
                Err(error) => return self.report.broken_input(&error),
            };
            self.report.progress = stream.progress();
            let at = format!("item {}", element.index + 1);
            match (element.member.as_deref(), element.value) {
                (Some("encrypted"), Ok(value)) => self.is_encrypted = value == true,
                (Some("passwordProtected"), Ok(value)) => {
                    self.is_password_protected = value == true;
                }
                (Some("folders" | "collections"), Ok(value)) => self.folder(&value),
                (Some("items"), Ok(value)) if !self.is_encrypted => self.item(&value, &at)?,
                (Some("items"), Err(fault)) if !self.is_encrypted => {
                    self.report.failed(at, fault.reason())?;
                }
                (_, Err(Fault::Unasked)) | (Some(_), Ok(_)) => {}
                (_, Err(fault)) => self.report.failed("", fault.reason())?,
                (None, Ok(_)) => self.report.failed("", "it is not a Bitwarden export")?,
            }
        }
        if !self.is_encrypted {
            return Ok(());
        }
        let reason = if self.is_password_protected {
            "the export is encrypted with a password; export it again as plain .json, import that, \
             and delete the file"
        } else {
            "the export is encrypted for its own account and can be opened nowhere else; export it \
             again as plain .json, import that, and delete the file"
        };
        self.report.skipped("", reason)
    }

    fn folder(&mut self, value: &Value) {
        let text = |member: &str| value.get(member).and_then(Value::as_str);
        if let (Some(id), Some(name)) = (text("id"), text("name"))
            && self.folders.len() < FOLDERS_MAX
        {
            self.folders.insert(id.to_owned(), name.to_owned());
        }
    }

    fn item(&mut self, value: &Value, at: &str) -> Result<(), Stop> {
        let Value::Object(item) = value else {
            return self.report.failed(at, "it is not an item");
        };
        if !item.get("name").is_some_and(Value::is_string) || !item.contains_key("type") {
            return self.report.failed(at, "it has no name or no type");
        }
        let id = item.get("id").and_then(Value::as_str);
        let attachments = self.attachments(id);
        if item.get("deletedDate").is_some_and(|date| !date.is_null()) {
            return self.report.skipped(at, "it was in the trash");
        }
        let mut fields: Fields = item
            .iter()
            .filter(|(name, _)| !KNOWN.contains(&name.as_str()))
            .filter_map(|(name, value)| Some((name.clone(), without_nothing(value)?)))
            .collect();
        if let Some(folder) = item.get("folderId").and_then(Value::as_str) {
            fields.insert("folder".to_owned(), self.folder_name(folder).into());
        }
        let collections: Vec<Value> = item
            .get("collectionIds")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .map(|id| self.folder_name(id).into())
            .collect();
        if !collections.is_empty() {
            fields.insert("collections".to_owned(), collections.into());
        }
        let time = item.get("creationDate").or_else(|| item.get("revisionDate"));
        self.report.draft(Draft {
            kind: Kind::Login,
            category: Kind::Login.category(),
            source: "bitwarden",
            source_id: id.map(str::to_owned),
            time_ms: time.and_then(Value::as_str).and_then(iso_ms),
            fields,
            attachments,
        })
    }

    fn folder_name(&self, id: &str) -> String {
        self.folders.get(id).cloned().unwrap_or_else(|| id.to_owned())
    }

    /// The files under `attachments/ID/` beside the export.
    fn attachments(&mut self, id: Option<&str>) -> Vec<Attachment> {
        let (Some(beside), Some(id)) = (&self.beside, id.filter(|id| !id.is_empty())) else {
            return Vec::new();
        };
        let slash = if beside.folder.is_empty() { "" } else { "/" };
        let folder = format!("{}{slash}attachments/{id}/", beside.folder);
        let entries = beside.tree.entries();
        let first = entries.partition_point(|entry| entry.path.as_str() < folder.as_str());
        let mut attachments = Vec::new();
        for entry in entries.iter().skip(first) {
            if !entry.path.starts_with(&folder) {
                break;
            }
            self.used.insert(entry.path.clone());
            attachments.push(file::attachment(beside.tree, &entry.path));
        }
        attachments
    }
}

/// The value without members that are null or empty; `None` if nothing is left.
fn without_nothing(value: &Value) -> Option<Value> {
    match value {
        Value::Null => None,
        Value::Array(values) => {
            let values: Vec<Value> = values.iter().filter_map(without_nothing).collect();
            (!values.is_empty()).then(|| values.into())
        }
        Value::Object(members) => {
            let members: Fields = members
                .iter()
                .filter_map(|(name, value)| Some((name.clone(), without_nothing(value)?)))
                .collect();
            (!members.is_empty()).then(|| members.into())
        }
        _ => Some(value.clone()),
    }
}

#[cfg(test)]
#[path = "bitwarden_tests.rs"]
mod tests;
