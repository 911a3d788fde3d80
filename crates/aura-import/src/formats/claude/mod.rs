// SPDX-License-Identifier: MIT OR Apache-2.0
//! A Claude export to conversations, messages, project notes and memories, one element at a time.
//!
//! `conversations.json`, `projects.json` and `memories.json` are told apart by what their elements
//! hold, so that names do not matter; an array and JSON Lines read alike. What the assistant noted
//! about the person comes in as unreviewed memory: the person has not said it.

mod conversation;
mod project;

use std::io::{BufRead, BufReader};
use std::sync::Arc;

use serde_json::Value;

use super::json_stream::JsonStream;
use super::report::Report;
use crate::draft::{Sink, Stop};
use crate::tree::Tree;

/// Largest conversation or project that is read, in bytes.
const ELEMENT_BYTES_MAX: usize = 32 << 20;

const SOURCE: &str = "claude";

/// Whether this is the beginning of one of the export's files.
pub(crate) fn recognise(first: &[u8], _path: &str) -> bool {
    let text = String::from_utf8_lossy(first);
    let start = text.trim_start_matches('\u{feff}').trim_start();
    let is_json = start.starts_with('[') || start.starts_with('{');
    let says = |word: &str| text.contains(word);
    let is_conversation = says("\"chat_messages\"")
        || (says("\"uuid\"") && says("\"summary\"") && says("\"created_at\""));
    let is_project = says("\"uuid\"") && (says("\"prompt_template\"") || says("\"docs\""));
    let is_memory = says("\"conversations_memory\"") || says("\"project_memories\"");
    let is_account = says("\"uuid\"") && says("\"full_name\"") && says("\"email_address\"");
    is_json && (is_conversation || is_project || is_memory || is_account)
}

/// Reads one file of the export.
///
/// # Errors
/// Only when the sink stops.
pub(crate) fn read(place: &str, input: &mut dyn BufRead, sink: &mut dyn Sink) -> Result<(), Stop> {
    let mut report = Report::new(place, sink);
    let mut stream = JsonStream::new(input, &[], ELEMENT_BYTES_MAX);
    let mut is_any = false;
    loop {
        let element = match stream.next() {
            Ok(Some(element)) => element,
            Ok(None) => break,
            Err(error) => return report.broken_input(&error),
        };
        is_any = true;
        report.progress = stream.progress();
        let at = format!("line {}, element {}", element.line, element.index + 1);
        match element.value {
            Ok(value) => one(&value, &at, &mut report)?,
            Err(fault) => report.failed(at, fault.reason())?,
        }
    }
    if is_any { Ok(()) } else { report.skipped("", "there is nothing in it") }
}

/// Reads the claimed files of an export.
///
/// # Errors
/// Only when the sink stops.
pub(crate) fn read_tree(
    tree: &Arc<dyn Tree>,
    paths: &[String],
    sink: &mut dyn Sink,
) -> Result<(), Stop> {
    for path in paths {
        match tree.open(path) {
            Ok(opened) => read(path, &mut BufReader::with_capacity(64 << 10, opened), sink)?,
            Err(error) => Report::new(path, sink).broken_input(&error)?,
        }
    }
    Ok(())
}

fn one(value: &Value, at: &str, report: &mut Report<'_>) -> Result<(), Stop> {
    let has = |member: &str| value.get(member).is_some();
    if has("chat_messages") {
        conversation::read(value, at, report)
    } else if has("conversations_memory") || has("project_memories") {
        project::read_memories(value, at, report)
    } else if has("prompt_template") || has("docs") {
        project::read(value, at, report)
    } else if has("full_name") || has("email_address") {
        report.skipped(at, "it describes the account at the service, and no record")
    } else {
        report.failed(at, "it is neither a conversation nor a project nor a memory")
    }
}

/// A member that is a string with something in it.
fn text<'a>(value: &'a Value, member: &str) -> Option<&'a str> {
    value.get(member).and_then(Value::as_str).filter(|text| !text.trim().is_empty())
}

/// What says something and has no place of its own.
fn rest(value: &Value, known: &[&str]) -> aura_vault::record::Fields {
    let members = value.as_object().into_iter().flatten();
    members
        .filter(|(name, value)| !known.contains(&name.as_str()) && !is_nothing(value))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(values) => values.is_empty(),
        Value::Object(members) => members.is_empty(),
        _ => false,
    }
}

#[cfg(test)]
mod tests;
