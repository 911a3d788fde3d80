// SPDX-License-Identifier: MIT OR Apache-2.0
//! Conversations with assistants in the two export forms that people hold most.
//!
//! One conversation has a second branch: a question that was asked again in other words.

use std::path::Path;
use std::{fs, io};

use serde_json::{Map, Value, json};

use super::Tally;
use super::date::At;
use super::talk::{self, Talk};

/// Writes the folders `chatgpt` and `claude` below `folder`.
pub(super) fn write(folder: &Path, tally: &mut Tally) -> io::Result<()> {
    let branching: Vec<Value> =
        talk::CHATGPT.iter().enumerate().map(|(index, talk)| tree(index, talk, tally)).collect();
    let linear: Vec<Value> =
        talk::CLAUDE.iter().enumerate().map(|(index, talk)| list(index, talk, tally)).collect();
    for (name, conversations) in [("chatgpt", branching), ("claude", linear)] {
        tally.add("conversation", conversations.len());
        fs::create_dir_all(folder.join(name))?;
        let text = serde_json::to_vec_pretty(&conversations)?;
        fs::write(folder.join(name).join("conversations.json"), text)?;
    }
    Ok(())
}

fn node(id: &str, parent: Option<&str>, message: &Value) -> Value {
    json!({"id": id, "parent": parent, "children": [], "message": message})
}

fn said(id: &str, turn: usize, at: At, text: &str) -> Value {
    let (role, metadata) = if turn.is_multiple_of(2) {
        ("user", json!({}))
    } else {
        ("assistant", json!({"model_slug": "sample-model"}))
    };
    json!({
        "id": id, "author": {"role": role, "name": null, "metadata": {}}, "create_time": at.unix(),
        "update_time": null, "content": {"content_type": "text", "parts": [text]},
        "status": "finished_successfully", "end_turn": true, "weight": 1.0, "recipient": "all",
        "channel": null, "metadata": metadata,
    })
}

fn tree(index: usize, talk: &Talk, tally: &mut Tally) -> Value {
    let (title, start, turns) = *talk;
    let mut nodes = vec![node("root", None, &Value::Null)];
    let mut last = "root".to_owned();
    let mut at = start;
    for (turn, text) in turns.iter().enumerate() {
        let id = format!("gpt-{index:02}-{turn:02}");
        at = at.plus_minutes(2);
        nodes.push(node(&id, Some(&last), &said(&id, turn, at, text)));
        last = id;
    }
    tally.add("message", turns.len());
    if index == 0 {
        let text = "Compare three flats in Lisbon for two people who work at home. Be brief.";
        let answer = "Quiet first, light second, lift third: Graça, Campo de Ourique, Alvalade.";
        nodes.push(node("gpt-00-a", Some("root"), &said("gpt-00-a", 0, start, text)));
        nodes.push(node("gpt-00-b", Some("gpt-00-a"), &said("gpt-00-b", 1, start, answer)));
        tally.add("message", 2);
    }
    json!({
        "id": format!("gpt-{index:02}"), "conversation_id": format!("gpt-{index:02}"),
        "title": title, "create_time": start.unix(), "update_time": at.unix(),
        "current_node": last, "mapping": mapping(nodes), "moderation_results": [],
        "is_archived": false, "default_model_slug": "sample-model",
    })
}

/// The nodes by id, each with the list of its children.
fn mapping(nodes: Vec<Value>) -> Map<String, Value> {
    let edges: Vec<(Value, Value)> = nodes
        .iter()
        .map(|node| {
            let field = |name: &str| node.get(name).cloned().unwrap_or_default();
            (field("parent"), field("id"))
        })
        .collect();
    let mut mapping = Map::new();
    for mut node in nodes {
        let id = node.get("id").and_then(Value::as_str).unwrap_or_default().to_owned();
        let children: Vec<Value> =
            edges.iter().filter(|edge| edge.0 == *id).map(|edge| edge.1.clone()).collect();
        if let Some(fields) = node.as_object_mut() {
            fields.insert("children".to_owned(), Value::Array(children));
        }
        mapping.insert(id, node);
    }
    mapping
}

fn list(index: usize, talk: &Talk, tally: &mut Tally) -> Value {
    let (title, start, turns) = *talk;
    let mut messages = Vec::new();
    let mut at = start;
    for (turn, text) in turns.iter().enumerate() {
        at = at.plus_minutes(3);
        let sender = if turn.is_multiple_of(2) { "human" } else { "assistant" };
        messages.push(json!({
            "uuid": uuid(index, turn + 1), "sender": sender, "text": text,
            "content": [{"type": "text", "text": text, "citations": []}],
            "created_at": at.iso(), "updated_at": at.iso(), "attachments": [], "files": [],
        }));
    }
    tally.add("message", turns.len());
    json!({
        "uuid": uuid(index, 0), "name": title, "summary": "", "created_at": start.iso(),
        "updated_at": at.iso(), "account": {"uuid": uuid(99, 0)}, "chat_messages": messages,
    })
}

fn uuid(conversation: usize, message: usize) -> String {
    format!("00000000-0000-4000-9000-{conversation:06}{message:06}")
}
