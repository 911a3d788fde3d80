// SPDX-License-Identifier: MIT OR Apache-2.0
//! Conversations linear and branched, projects, memories, and what is none of them.

use std::fs;

use aura_vault::record::Kind;
use serde_json::{Value, json};

use super::super::collect::{Collect, bytes, data_files};
use super::*;

fn seen(text: &str) -> Collect {
    let mut sink = Collect::default();
    read("c.json", &mut text.as_bytes(), &mut sink).unwrap();
    sink
}

fn linear() -> Value {
    json!({
        "uuid": "c1", "name": "N", "summary": "", "created_at": "2026-01-31T10:00:00.000000Z",
        "updated_at": "2026-01-31T11:00:00+00:00", "account": {"uuid": "a"}, "is_starred": true,
        "chat_messages": [
            {"uuid": "m1", "sender": "human", "text": "hello", "content": [], "created_at": "2026-01-31T10:00:01Z",
             "attachments": [{"file_name": "a.txt", "extracted_content": "inside"}], "files": [{"file_name": "a.txt"}, {"file_name": "b.png"}]},
            {"uuid": "m2", "sender": "assistant", "text": "derived", "created_at": "2026-01-31T10:00:02Z", "content": [
                {"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "one", "citations": []},
                {"type": "tool_use", "name": "web", "input": {}}, {"type": "token_budget"}, {"type": "text", "text": "two"}]},
            {"uuid": "m3", "sender": "assistant", "text": "", "content": []},
        ],
    })
}

#[test]
fn a_linear_conversation() {
    let sink = seen(&json!([linear()]).to_string());
    let head = &sink.drafts[0];
    assert_eq!((head.kind, head.time_ms), (Kind::Conversation, Some(1_769_853_600_000)));
    assert_eq!(head.fields["extra"]["is_starred"], true);
    assert!(!head.fields.contains_key("description"));
    let (one, two) = (&sink.drafts[1], &sink.drafts[2]);
    assert_eq!(one.source_id.as_deref(), Some("c1/m1"));
    assert_eq!((&one.fields["author"], &one.fields["text"]), (&json!("user"), &json!("hello")));
    assert_eq!(bytes(&one.attachments[0]), b"inside");
    assert_eq!(one.fields["attachments"].as_array().unwrap().len(), 2);
    assert_eq!(one.fields["attachments"][1]["missing"], "not in the export");
    assert_eq!(
        (&two.fields["text"], &two.fields["thinking"]),
        (&json!("one\n\ntwo"), &json!("hm"))
    );
    assert_eq!(two.fields["extra"]["content"].as_array().unwrap().len(), 1);
    assert_eq!((&two.fields["branch"], &two.fields["position"]), (&json!(false), &json!(1)));
    assert_eq!(sink.skipped.len(), 1);
}

#[test]
fn a_branched_conversation_and_json_lines() {
    let mut value = linear();
    value["chat_messages"] = json!([
        {"uuid": "q", "sender": "human", "text": "q", "parent_message_uuid": "0"},
        {"uuid": "old", "sender": "assistant", "text": "old", "parent_message_uuid": "q"},
        {"uuid": "new", "sender": "assistant", "text": "new", "parent_message_uuid": "q"},
    ]);
    value["current_leaf_message_uuid"] = json!("new");
    let sink = seen(&format!("{value}\n{}\n", linear()));
    let told: Vec<_> = sink.drafts[1..4]
        .iter()
        .map(|d| (d.fields["text"].as_str().unwrap(), d.fields["branch"] == true))
        .collect();
    assert_eq!(told, [("q", false), ("old", true), ("new", false)]);
    assert_eq!(sink.drafts.len(), 4 + 3);
}

#[test]
fn projects_and_their_documents() {
    let value = json!([{
        "uuid": "p", "name": "House", "description": "d", "prompt_template": "be brief", "created_at": "2026-01-31T10:00:00Z",
        "creator": {"uuid": "a"}, "docs": [{"uuid": "d1", "filename": "plan.md", "content": "# Plan", "created_at": "2026-01-31T10:00:00Z"}, {"content": ""}],
    }]);
    assert!(recognise(value.to_string().as_bytes(), "x"));
    let sink = seen(&value.to_string());
    assert_eq!(sink.drafts[0].fields["text"], "be brief");
    assert_eq!(sink.drafts[1].source_id.as_deref(), Some("p/d1"));
    assert_eq!(
        (&sink.drafts[1].fields["name"], &sink.drafts[1].fields["project"]),
        (&json!("plan.md"), &json!("House"))
    );
    assert!(sink.drafts.iter().all(|d| d.kind == Kind::Note));
    assert_eq!(sink.skipped.len(), 1);
}

#[test]
fn memories_come_in_unreviewed() {
    let value = json!([{"conversations_memory": "**Work context**\n\nBuilds boats.\nOf wood.\n\n# Home\nHas a cat.\n\n\nNo dog.", "project_memories": {"p1": "Uses Rust."}, "account_uuid": "a"}]);
    assert!(recognise(value.to_string().as_bytes(), "x"));
    let sink = seen(&value.to_string());
    let told: Vec<_> = sink
        .drafts
        .iter()
        .map(|d| {
            (d.fields["text"].as_str().unwrap(), d.fields.get("topic").and_then(Value::as_str))
        })
        .collect();
    assert_eq!(
        told,
        [
            ("Builds boats.\nOf wood.", Some("Work context")),
            ("Has a cat.", Some("Home")),
            ("No dog.", Some("Home")),
            ("Uses Rust.", None)
        ]
    );
    for draft in &sink.drafts {
        assert_eq!(
            (draft.kind, &draft.fields["status"], &draft.fields["lineage"]),
            (Kind::Memory, &json!("unreviewed"), &json!("model_inference"))
        );
    }
    assert_eq!(sink.drafts[3].fields["project"], "p1");
}

#[test]
fn what_is_none_of_them() {
    let sink = seen(&json!([{"uuid": "u", "full_name": "A", "email_address": "a@b"}, 3, {"chat_messages": 1}, {"chat_messages": []}]).to_string());
    assert_eq!((sink.skipped.len(), sink.failed.len()), (1, 3));
    assert_eq!(seen("[]").skipped.len(), 1);
    assert!(recognise(json!([linear()]).to_string().as_bytes(), "x"));
    assert!(!recognise(b"[{\"mapping\":{}}]", "x"));
}

#[test]
fn real_exports_are_accounted_for_and_read_alike_twice() {
    let Some(files) = data_files("packages/chat/chat-history", "json") else { return };
    let path = files.iter().find(|path| path.to_string_lossy().contains("claude")).unwrap();
    let text = fs::read_to_string(path).unwrap();
    assert!(recognise(text.as_bytes(), "x"));
    let (one, two) = (seen(&text), seen(&text));
    assert_eq!(one.essence(), two.essence());
    assert_eq!((one.drafts.len(), one.failed.len()), (3, 0));
}

proptest::proptest! {
    #[test]
    fn any_members_are_read_to_their_end(text in "(\\[|\\{|\\}|\\]|:|,|\"(uuid|chat_messages|content|type|docs|text)\"|1| ){0,30}") {
        seen(&text);
    }
}
