// SPDX-License-Identifier: MIT OR Apache-2.0
//! One conversation: a record of its own, and one for each message that says something.

use aura_vault::record::{Fields, Kind};
use serde_json::{Map, Value, json};

use super::super::instant::seconds_ms;
use super::super::report::Report;
use super::super::thread::{Node, Placed, order};
use super::{Assets, content};
use crate::draft::{Draft, Stop};

const SOURCE: &str = "chatgpt";

/// Members of a conversation that have a place of their own.
const KNOWN: [&str; 6] =
    ["id", "conversation_id", "title", "create_time", "mapping", "current_node"];
/// Members of a message that have a place of their own.
const KNOWN_OF_MESSAGE: [&str; 5] = ["id", "author", "create_time", "content", "weight"];

/// Hands on the conversation and its messages, in the order of reading.
pub(super) fn read(
    value: &Value,
    at: &str,
    assets: &mut Assets,
    report: &mut Report<'_>,
) -> Result<(), Stop> {
    let Some(mapping) = value.get("mapping").and_then(Value::as_object) else {
        return report.failed(at, "it is not a conversation: it has no messages (`mapping`)");
    };
    let text = |member: &str| value.get(member).and_then(Value::as_str);
    let first_node = mapping.keys().min().map(String::as_str);
    let Some(id) = text("conversation_id").or(text("id")).or(first_node) else {
        return report.failed(at, "it is a conversation without an id and without messages");
    };
    let ids: Vec<&String> = mapping.keys().collect();
    let nodes: Vec<Node<'_>> = mapping.iter().map(|(id, entry)| node(id, entry, mapping)).collect();
    let placed = order(&nodes, text("current_node"));
    let created_ms = value.get("create_time").and_then(seconds_ms);
    let earliest_ms = nodes.iter().filter_map(|node| node.time_ms).min();
    report.draft(conversation(value, id, created_ms.or(earliest_ms)))?;

    let mut times = vec![created_ms; nodes.len()];
    for (position, place) in placed.iter().enumerate() {
        let Some(entry) = ids.get(place.node).and_then(|id| mapping.get(*id)) else { continue };
        let own_ms = nodes.get(place.node).and_then(|node| node.time_ms);
        let time_ms = own_ms
            .or_else(|| place.parent.and_then(|parent| times.get(parent).copied().flatten()))
            .or(created_ms);
        if let Some(slot) = times.get_mut(place.node) {
            *slot = time_ms;
        }
        let Some(message) = entry.get("message").filter(|message| !message.is_null()) else {
            continue;
        };
        let node_id = ids.get(place.node).map(|id| id.as_str()).unwrap_or_default();
        let mut draft = Message { id, node_id, place, position, told: message }.draft(assets);
        let is_silent = draft.fields.get("text").and_then(Value::as_str).is_none_or(str::is_empty)
            && !draft.fields.contains_key("attachments")
            && draft.attachments.is_empty()
            && draft.fields.get("extra").is_none_or(|extra| extra.get("content").is_none());
        if is_silent {
            report.skipped(format_args!("{at}, message {node_id}"), "the message is empty")?;
            continue;
        }
        draft.time_ms = time_ms;
        report.draft(draft)?;
    }
    Ok(())
}

fn node<'a>(id: &'a str, entry: &'a Value, mapping: &'a Map<String, Value>) -> Node<'a> {
    let parent = entry.get("parent").and_then(Value::as_str);
    let siblings = parent
        .and_then(|parent| mapping.get(parent)?.get("children")?.as_array())
        .and_then(|children| children.iter().position(|child| child.as_str() == Some(id)));
    let time = entry.get("message").and_then(|message| message.get("create_time"));
    Node { id, parent, rank: siblings.unwrap_or(usize::MAX), time_ms: time.and_then(seconds_ms) }
}

fn conversation(value: &Value, id: &str, time_ms: Option<i64>) -> Draft {
    let mut fields = Fields::new();
    fields.insert("identifier".to_owned(), id.into());
    if let Some(title) = value.get("title").and_then(Value::as_str) {
        fields.insert("name".to_owned(), title.into());
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

/// What is not null and has no place of its own.
fn rest(value: &Value, known: &[&str]) -> Fields {
    let members = value.as_object().into_iter().flatten();
    members
        .filter(|(name, value)| !known.contains(&name.as_str()) && !is_nothing(value))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(values) => values.is_empty(),
        Value::Object(members) => members.is_empty(),
        _ => false,
    }
}

struct Message<'a> {
    id: &'a str,
    node_id: &'a str,
    place: &'a Placed,
    position: usize,
    told: &'a Value,
}

impl Message<'_> {
    fn draft(&self, assets: &mut Assets) -> Draft {
        let metadata = self.told.get("metadata").unwrap_or(&Value::Null);
        let spoken = match self.told.get("content") {
            Some(content) => content::read(content, metadata),
            None => content::Spoken::default(),
        };
        let mut fields = Fields::new();
        fields.insert("text".to_owned(), spoken.text.into());
        fields.insert("conversation".to_owned(), self.id.into());
        fields.insert("author".to_owned(), self.role().into());
        fields.insert("position".to_owned(), self.position.into());
        fields.insert("branch".to_owned(), self.place.is_branch.into());
        fields.insert("hidden".to_owned(), self.is_hidden(metadata).into());
        if let Some(model) = metadata.get("model_slug").and_then(Value::as_str) {
            fields.insert("model".to_owned(), model.into());
        }
        let (attachments, listed) = files(&spoken.pointers, metadata, assets);
        if !listed.is_empty() {
            fields.insert("attachments".to_owned(), listed.into());
        }
        let mut extra = rest(self.told, &KNOWN_OF_MESSAGE);
        if let Some(content) = self.told.get("content").and_then(|c| c.get("content_type"))
            && content != "text"
        {
            extra.insert("contentType".to_owned(), content.clone());
        }
        if !spoken.rest.is_empty() {
            extra.insert("content".to_owned(), spoken.rest.into());
        }
        fields.insert("extra".to_owned(), extra.into());
        Draft {
            kind: Kind::Message,
            category: Kind::Message.category(),
            source: SOURCE,
            source_id: Some(format!("{}/{}", self.id, self.node_id)),
            time_ms: None,
            fields,
            attachments,
        }
    }

    fn role(&self) -> &str {
        let author = self.told.get("author");
        author.and_then(|author| author.get("role")?.as_str()).unwrap_or("unknown")
    }

    fn is_hidden(&self, metadata: &Value) -> bool {
        let is_weightless = self.told.get("weight").and_then(Value::as_f64) == Some(0.0);
        let flag = metadata.get("is_visually_hidden_from_conversation").and_then(Value::as_bool);
        is_weightless || flag == Some(true)
    }
}

/// The attachments that the export holds, and a list of all that were meant.
fn files(
    pointers: &[String],
    metadata: &Value,
    assets: &mut Assets,
) -> (Vec<crate::draft::Attachment>, Vec<Value>) {
    let mut meant: Vec<(String, Option<String>)> = Vec::new();
    for file in metadata.get("attachments").and_then(Value::as_array).into_iter().flatten() {
        let text = |member: &str| file.get(member).and_then(Value::as_str).map(str::to_owned);
        if let Some(id) = text("id") {
            meant.push((id, text("name")));
        }
    }
    for pointer in pointers {
        let id = pointer.split_once("://").map_or(pointer.as_str(), |(_, id)| id).to_owned();
        if !meant.iter().any(|(known, _)| *known == id) {
            meant.push((id, None));
        }
    }
    let mut attachments = Vec::new();
    let mut listed = Vec::new();
    for (id, name) in meant {
        match assets.attachment(&id, name.as_deref()) {
            Some(attachment) => {
                listed.push(json!({ "id": id, "name": attachment.name }));
                attachments.push(attachment);
            }
            None => listed.push(json!({ "id": id, "name": name, "missing": "not in the export" })),
        }
    }
    (attachments, listed)
}
