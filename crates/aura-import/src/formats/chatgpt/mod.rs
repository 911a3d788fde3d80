// SPDX-License-Identifier: MIT OR Apache-2.0
//! A ChatGPT export to conversations and messages, one conversation at a time.
//!
//! Both layouts: one `conversations.json`, or parts `conversations-000.json` … with a manifest.
//! Edited and repeated messages are kept as branches, hidden ones are marked. Files that a message
//! refers to are attached if the export holds them, and named as missing if not. What no message refers
//! to comes in as a file, but for what the service says about itself and the account.

mod content;
mod conversation;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader};
use std::sync::Arc;

use super::ending::{file_name, media_type};
use super::file;
use super::json_stream::JsonStream;
use super::report::Report;
use crate::draft::{Attachment, Sink, Stop};
use crate::tree::{Tree, TreeContent};

/// Largest conversation that is read, in bytes.
const CONVERSATION_BYTES_MAX: usize = 32 << 20;

/// What stands in an export besides conversations and the person's own files.
const ACCOUNT_FILES: &[&str] = &[
    "chat.html",
    "export_manifest.json",
    "message_feedback.json",
    "model_comparisons.json",
    "shared_conversations.json",
    "shopping.json",
    "user.json",
    "user_settings.json",
];

/// Whether this is the beginning of a file of conversations.
pub(crate) fn recognise(first: &[u8], _path: &str) -> bool {
    let text = String::from_utf8_lossy(first);
    let start = text.trim_start_matches('\u{feff}').trim_start();
    let is_json = start.starts_with('[') || start.starts_with('{');
    let says = |word: &str| text.contains(word);
    let is_tree = says("\"mapping\"") && (says("\"title\"") || says("\"create_time\""));
    let is_late = says("\"current_node\"") || says("\"default_model_slug\"");
    is_json && (is_tree || (is_late && says("\"create_time\"")))
}

/// Reads one file of conversations; files that they refer to are not at hand.
///
/// # Errors
/// Only when the sink stops.
#[cfg(test)]
pub(crate) fn read(place: &str, input: &mut dyn BufRead, sink: &mut dyn Sink) -> Result<(), Stop> {
    read_file(Report::new(place, sink), input, &mut Assets::default())
}

/// Reads the claimed files of an export; every file of the tree may be attached.
///
/// # Errors
/// Only when the sink stops.
pub(crate) fn read_tree(
    tree: &Arc<dyn Tree>,
    paths: &[String],
    sink: &mut dyn Sink,
) -> Result<(), Stop> {
    let mut assets = Assets::of(tree);
    let mut rest = Vec::new();
    for path in paths {
        let mut report = Report::new(path, sink);
        let mut input = match tree.open(path) {
            Ok(opened) => BufReader::with_capacity(64 << 10, opened),
            Err(error) => {
                report.broken_input(&error)?;
                continue;
            }
        };
        match input.fill_buf() {
            Ok(first) if recognise(first, path) || is_conversations(path) => {}
            Ok(_) => {
                rest.push(path);
                continue;
            }
            Err(error) => {
                report.broken_input(&error)?;
                continue;
            }
        }
        read_file(report, &mut input, &mut assets)?;
    }
    let mut left = Vec::new();
    for path in rest.into_iter().filter(|path| !assets.used.contains(path.as_str())) {
        if is_about_account(path) {
            Report::new(path, sink)
                .skipped("", "it is about the account, or says again what was read")?;
        } else {
            left.push(path.clone());
        }
    }
    file::read_tree(tree, &left, sink)
}

/// Whether the service wrote the file itself, and not the person: settings, ratings, a list of files,
/// and a web page of the same conversations.
fn is_about_account(path: &str) -> bool {
    ACCOUNT_FILES.contains(&file_name(path))
}

fn is_conversations(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.starts_with("conversations") && name.rsplit('.').next() == Some("json")
}

fn read_file(
    mut report: Report<'_>,
    input: &mut dyn BufRead,
    assets: &mut Assets,
) -> Result<(), Stop> {
    let mut stream = JsonStream::new(input, &[], CONVERSATION_BYTES_MAX);
    let mut is_any = false;
    loop {
        let element = match stream.next() {
            Ok(Some(element)) => element,
            Ok(None) => break,
            Err(error) => return report.broken_input(&error),
        };
        is_any = true;
        report.progress = stream.progress();
        let at = format!("line {}, conversation {}", element.line, element.index + 1);
        match element.value {
            Ok(value) => conversation::read(&value, &at, assets, &mut report)?,
            Err(fault) => report.failed(at, fault.reason())?,
        }
    }
    if is_any { Ok(()) } else { report.skipped("", "there is no conversation in it") }
}

/// The files of an export that messages refer to.
#[derive(Default)]
pub(super) struct Assets {
    tree: Option<Arc<dyn Tree>>,
    paths: BTreeMap<String, String>,
    used: BTreeSet<String>,
}

impl Assets {
    fn of(tree: &Arc<dyn Tree>) -> Self {
        let mut paths = BTreeMap::new();
        for entry in tree.entries() {
            let name = entry.path.rsplit('/').next().unwrap_or(&entry.path);
            if let Some(id) = asset_id(name) {
                paths.entry(id.to_owned()).or_insert_with(|| entry.path.clone());
            }
        }
        Self { tree: Some(tree.clone()), paths, used: BTreeSet::new() }
    }

    /// The file with this id as an attachment; `name` is what the message calls it.
    fn attachment(&mut self, id: &str, name: Option<&str>) -> Option<Attachment> {
        let tree = self.tree.as_ref()?;
        let path = self.paths.get(asset_id(id)?)?;
        self.used.insert(path.clone());
        let name = match name {
            Some(name) => name.rsplit(['/', '\\']).next().unwrap_or(name).to_owned(),
            None => path.rsplit('/').next().unwrap_or(path).to_owned(),
        };
        Some(Attachment {
            media_type: media_type(path).to_owned(),
            name,
            content: Arc::new(TreeContent { tree: tree.clone(), path: path.clone() }),
        })
    }
}

/// `file-AbC` of `file-AbC-photo.png`, `file_00a` of `file_00a.webp`.
fn asset_id(name: &str) -> Option<&str> {
    let rest = name.strip_prefix("file-").or_else(|| name.strip_prefix("file_"))?;
    let length = rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(rest.len());
    if length == 0 {
        return None;
    }
    name.get(.."file-".len() + length)
}

#[cfg(test)]
mod tests;
