// SPDX-License-Identifier: MIT OR Apache-2.0
//! One conversation: a record of its own, and one for each message that says something.

use std::sync::Arc;

use aura_vault::record::{Fields, Kind};
use serde_json::{Value, json};

use super::super::instant::iso_ms;
use super::super::report::Report;
use super::super::thread::{Node, order};
use super::{SOURCE, rest, text};
use crate::draft::{Attachment, Draft, Stop};

const KNOWN: [&str; 6] =
    ["uuid", "name", "summary", "created_at", "chat_messages", "current_leaf_message_uuid"];
const KNOWN_OF_MESSAGE: [&str; 9] = [
    "uuid",
    "sender",
    "text",
    "content",
    "created_at",
    "attachments",
    "files",
    "index",
    "parent_message_uuid",
];

/// Hands on the conversation and its messages, in the order of reading.
pub(super) fn read(value: &Value, at: &str, report: &mut Report<'_>) -> Result<(), Stop> {
    let Some(messages) = value.get("chat_messages").and_then(Value::as_array) else {
        return report.failed(at, "its messages (`chat_messages`) are not a list");
    };
    let Some(id) = text(value, "uuid") else {
        return report.failed(at, "it is a conversation without an id (`uuid`)");
    };
    let nodes = nodes(messages);
    let created_ms = text(value, "created_at").and_then(iso_ms);
    let earliest_ms = nodes.iter().filter_map(|node| node.time_ms).min();
    report.draft(conversation(value, id, created_ms.or(earliest_ms)))?;
    let placed = order(&nodes, text(value, "current_leaf_message_uuid"));
    for (position, place) in placed.iter().enumerate() {
        let Some(message) = messages.get(place.node) else { continue };
        let Some(uuid) = text(message, "uuid") else {
            let number = place.node + 1;
            report.failed(format_args!("{at}, message {number}"), "it has no id (`uuid`)")?;
            continue;
        };
        let mut draft = message_draft(message, id, uuid);
        if is_silent(&draft) {
            report.skipped(format_args!("{at}, message {uuid}"), "the message is empty")?;
            continue;
        }
        draft.time_ms = nodes.get(place.node).and_then(|node| node.time_ms).or(created_ms);
        draft.fields.insert("position".to_owned(), position.into());
        draft.fields.insert("branch".to_owned(), place.is_branch.into());
        report.draft(draft)?;
    }
    Ok(())
}

/// Without `parent_message_uuid` (older exports) every message follows the one before it.
fn nodes(messages: &[Value]) -> Vec<Node<'_>> {
    let mut before = None;
    let mut nodes = Vec::with_capacity(messages.len());
    for (rank, message) in messages.iter().enumerate() {
        let id = text(message, "uuid").unwrap_or_default();
        let parent = text(message, "parent_message_uuid").or(before);
        let time_ms = text(message, "created_at").and_then(iso_ms);
        nodes.push(Node { id, parent, rank, time_ms });
        before = Some(id);
    }
    nodes
}

fn conversation(value: &Value, id: &str, time_ms: Option<i64>) -> Draft {
    let mut fields = Fields::new();
    fields.insert("identifier".to_owned(), id.into());
    for (member, field) in [("name", "name"), ("summary", "description")] {
        if let Some(words) = text(value, member) {
            fields.insert(field.to_owned(), words.into());
        }
    }
    let extra = rest(value, &KNOWN);
    if !extra.is_empty() {
        fields.insert("extra".to_owned(), extra.into());
    }
    Draft {
        kind: Kind::Conversation,
        category: Kind::Conversation.category(),
        source: SOURCE,
        source_id: Some(id.to_owned()),
        time_ms,
        fields,
        attachments: Vec::new(),
    }
}

fn message_draft(message: &Value, id: &str, uuid: &str) -> Draft {
    let spoken = spoken(message);
    let author = match text(message, "sender") {
        Some("human") => "user",
        Some(other) => other,
        None => "unknown",
    };
    let mut fields = Fields::new();
    fields.insert("text".to_owned(), spoken.text.into());
    fields.insert("conversation".to_owned(), id.into());
    fields.insert("author".to_owned(), author.into());
    fields.insert("hidden".to_owned(), false.into());
    if !spoken.thinking.is_empty() {
        fields.insert("thinking".to_owned(), spoken.thinking.into());
    }
    let (attachments, listed) = files(message);
    if !listed.is_empty() {
        fields.insert("attachments".to_owned(), listed.into());
    }
    let mut extra = rest(message, &KNOWN_OF_MESSAGE);
    if !spoken.rest.is_empty() {
        extra.insert("content".to_owned(), spoken.rest.into());
    }
    if !extra.is_empty() {
        fields.insert("extra".to_owned(), extra.into());
    }
    Draft {
        kind: Kind::Message,
        category: Kind::Message.category(),
        source: SOURCE,
        source_id: Some(format!("{id}/{uuid}")),
        time_ms: None,
        fields,
        attachments,
    }
}

fn is_silent(draft: &Draft) -> bool {
    draft.fields.get("text").and_then(Value::as_str).is_none_or(str::is_empty)
        && !draft.fields.contains_key("thinking")
        && !draft.fields.contains_key("attachments")
        && draft.fields.get("extra").is_none_or(|extra| extra.get("content").is_none())
}

#[derive(Default)]
struct Spoken {
    text: String,
    thinking: String,
    /// What tools were asked and answered, as it was.
    rest: Vec<Value>,
}

/// `content` says it better than `text`, where it says anything.
fn spoken(message: &Value) -> Spoken {
    let mut spoken = Spoken::default();
    for block in message.get("content").and_then(Value::as_array).into_iter().flatten() {
        match block.get("type").and_then(Value::as_str) {
            Some("text") => {
                say(&mut spoken.text, text(block, "text"));
                if block.get("citations").and_then(Value::as_array).is_some_and(|c| !c.is_empty()) {
                    spoken
                        .rest
                        .push(json!({ "type": "citations", "citations": block.get("citations") }));
                }
            }
            Some("thinking") => say(&mut spoken.thinking, text(block, "thinking")),
            Some("token_budget") => {}
            _ => spoken.rest.push(block.clone()),
        }
    }
    if spoken.text.is_empty() && spoken.rest.is_empty() {
        say(&mut spoken.text, text(message, "text"));
    }
    spoken
}

fn say(all: &mut String, words: Option<&str>) {
    let Some(words) = words else { return };
    if !all.is_empty() {
        all.push_str("\n\n");
    }
    all.push_str(words);
}

/// Text that was taken out of a file is attached; other files are not in the export.
fn files(message: &Value) -> (Vec<Attachment>, Vec<Value>) {
    let mut attachments = Vec::new();
    let mut listed: Vec<Value> = Vec::new();
    for member in ["attachments", "files", "files_v2"] {
        for file in message.get(member).and_then(Value::as_array).into_iter().flatten() {
            let name = text(file, "file_name").unwrap_or("unnamed");
            let name = name.rsplit(['/', '\\']).next().unwrap_or(name);
            if listed.iter().any(|known| known.get("name").and_then(Value::as_str) == Some(name)) {
                continue;
            }
            match text(file, "extracted_content") {
                Some(content) => {
                    attachments.push(Attachment {
                        name: name.to_owned(),
                        media_type: "text/plain".to_owned(),
                        content: Arc::new(content.as_bytes().to_vec()),
                    });
                    listed
                        .push(json!({ "name": name, "form": "the text that was read out of it" }));
                }
                None => listed.push(json!({ "name": name, "missing": "not in the export" })),
            }
        }
    }
    (attachments, listed)
}
