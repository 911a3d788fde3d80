// SPDX-License-Identifier: MIT OR Apache-2.0
//! The fixture list of the format: linear, edited, two roots, hidden, pictures, parts, and worse.

#![allow(clippy::needless_pass_by_value, reason = "the callers read better")]

use std::fs;
use std::path::Path;

use aura_vault::record::Kind;
use serde_json::{Value, json};

use super::super::collect::{Collect, bytes, data_files};
use super::*;

fn seen(value: &Value) -> Collect {
    let mut sink = Collect::default();
    read("conversations.json", &mut value.to_string().as_bytes(), &mut sink).unwrap();
    sink
}

fn message(role: &str, text: &str, time: f64) -> Value {
    json!({
        "author": {"role": role, "name": null}, "create_time": time, "weight": 1.0,
        "content": {"content_type": "text", "parts": [text]}, "metadata": {"model_slug": "m"},
    })
}

fn node(parent: Option<&str>, children: &[&str], message: Option<Value>) -> Value {
    json!({"parent": parent, "children": children, "message": message})
}

fn conversation(current: &str, mapping: Value) -> Value {
    json!({
        "title": "T", "create_time": 1000.5, "update_time": null, "current_node": current,
        "conversation_id": "c1", "mapping": mapping, "gizmo_id": "g", "safe_urls": [],
    })
}

fn edited() -> Value {
    conversation(
        "b2",
        json!({
            "root": node(None, &["a1", "b1"], None),
            "a1": node(Some("root"), &["a2"], Some(message("user", "first try", 1001.0))),
            "a2": node(Some("a1"), &[], Some(message("assistant", "old answer", 1002.0))),
            "b1": node(Some("root"), &["b2"], Some(message("user", "second try", 1003.0))),
            "b2": node(Some("b1"), &[], Some(message("assistant", "new answer", 0.0))),
        }),
    )
}

#[test]
fn an_edited_conversation_keeps_its_branch() {
    let sink = seen(&json!([edited()]));
    assert!(sink.failed.is_empty() && sink.skipped.is_empty());
    let head = &sink.drafts[0];
    assert_eq!((head.kind, head.source_id.as_deref()), (Kind::Conversation, Some("c1")));
    assert_eq!(head.time_ms, Some(1_000_500));
    assert_eq!(head.fields["name"], "T");
    assert_eq!(head.fields["extra"], json!({"gizmo_id": "g"}));
    let told: Vec<_> = sink.drafts[1..]
        .iter()
        .map(|d| (d.source_id.clone().unwrap(), d.fields["branch"] == true, d.time_ms.unwrap()))
        .collect();
    assert_eq!(
        told,
        [
            ("c1/a1".to_owned(), true, 1_001_000),
            ("c1/a2".to_owned(), true, 1_002_000),
            ("c1/b1".to_owned(), false, 1_003_000),
            // Its own time is missing: the message before it lends one.
            ("c1/b2".to_owned(), false, 1_003_000),
        ]
    );
    let last = &sink.drafts[4].fields;
    assert_eq!(
        (&last["author"], &last["text"], &last["conversation"]),
        (&json!("assistant"), &json!("new answer"), &json!("c1"))
    );
    assert_eq!((&last["hidden"], &last["model"]), (&json!(false), &json!("m")));
}

#[test]
fn two_roots_null_title_hidden_and_no_content() {
    let mut hidden = message("system", "secret prompt", 1.0);
    hidden["weight"] = json!(0.0);
    let mut flagged = message("user", "profile", 2.0);
    flagged["metadata"] = json!({"is_visually_hidden_from_conversation": true});
    let mut value = conversation(
        "x",
        json!({
            "r1": node(None, &[], Some(hidden)),
            "r2": node(None, &["x"], Some(flagged)),
            "x": node(Some("r2"), &[], Some(json!({"author": {"role": "tool"}, "create_time": null}))),
            "lost": node(Some("gone"), &[], Some(message("user", "orphan", 3.0))),
        }),
    );
    value["title"] = Value::Null;
    value["create_time"] = Value::Null;
    let sink = seen(&json!([value]));
    assert!(!sink.drafts[0].fields.contains_key("name"));
    assert_eq!(sink.drafts[0].time_ms, Some(1_000), "the earliest message lends its time");
    let mut hidden: Vec<_> = sink.drafts[1..]
        .iter()
        .map(|d| (d.fields["text"].as_str().unwrap(), d.fields["hidden"] == true))
        .collect();
    hidden.sort_unstable();
    assert_eq!(hidden, [("orphan", false), ("profile", true), ("secret prompt", true)]);
    assert_eq!(sink.skipped.len(), 1, "the message without content");
}

#[test]
fn code_thoughts_unknown_types_and_pictures() {
    let with = |content: Value| {
        let value = conversation(
            "n",
            json!({"n": node(None, &[], Some(json!({"author": {"role": "assistant"}, "content": content})))}),
        );
        seen(&json!([value])).drafts.pop().unwrap().fields
    };
    assert_eq!(
        with(json!({"content_type": "code", "language": "python", "text": "x = 1"}))["text"],
        "```python\nx = 1\n```"
    );
    assert_eq!(
        with(json!({"content_type": "thoughts", "thoughts": [{"summary": "s", "content": "c"}]}))["text"],
        "s\n\nc"
    );
    let unknown = with(json!({"content_type": "from_the_future", "blob": [1]}));
    assert_eq!(unknown["extra"]["content"][0]["blob"], json!([1]));
    let picture = with(
        json!({"content_type": "multimodal_text", "parts": [null, "look", {"content_type": "image_asset_pointer", "asset_pointer": "file-service://file-AbC"}]}),
    );
    assert_eq!(picture["text"], "look");
    assert_eq!(
        picture["attachments"],
        json!([{"id": "file-AbC", "name": null, "missing": "not in the export"}])
    );
}

#[test]
fn three_parts_a_manifest_and_pictures_that_are_there() {
    let folder = tempfile::tempdir().unwrap();
    let put = |name: &str, content: &[u8]| {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    };
    for part in 0..3 {
        let mut value = edited();
        value["conversation_id"] = json!(format!("c{part}"));
        value["mapping"]["b2"]["message"]["content"] = json!({"content_type": "multimodal_text", "parts": [
            {"asset_pointer": "sediment://file_00aa"}, {"asset_pointer": "file-service://file-Zz9"}]});
        put(&format!("conversations-00{part}.json"), json!([value]).to_string().as_bytes());
    }
    put("export_manifest.json", b"{\"files\":[]}");
    put("file-Zz9-photo of me.png", b"png");
    put("abc/image/file_00aa.webp", b"webp");
    put("file-unused.txt", b"text");
    let tree = crate::tree::open(folder.path()).unwrap();
    let paths: Vec<String> = tree.entries().iter().map(|entry| entry.path.clone()).collect();
    let mut sink = Collect::default();
    read_tree(&tree, &paths, &mut Loose(&mut sink)).unwrap();
    assert_eq!(sink.drafts.len(), 16);
    // What the person sent and no message names any more.
    let (unused, messages) = sink.drafts.split_last().unwrap();
    assert_eq!((unused.kind, &unused.fields["name"]), (Kind::File, &json!("file-unused.txt")));
    let last = messages.last().unwrap();
    let files: Vec<_> = last.attachments.iter().map(|a| (a.name.as_str(), bytes(a))).collect();
    assert_eq!(
        files,
        [("file_00aa.webp", b"webp".to_vec()), ("file-Zz9-photo of me.png", b"png".to_vec())]
    );
    let left: Vec<_> = sink.skipped.iter().map(|(place, _)| place.as_str()).collect();
    assert_eq!(left, ["export_manifest.json"]);
}

/// Progress starts over with every file.
struct Loose<'a>(&'a mut Collect);

impl Sink for Loose<'_> {
    fn take(&mut self, finding: crate::draft::Finding, _: u64) -> Result<(), Stop> {
        self.0.take(finding, 0)
    }
}

#[test]
fn files_that_are_no_conversations() {
    let sink = seen(&json!({"user": "x"}));
    assert_eq!((sink.drafts.len(), sink.failed.len()), (0, 1));
    let mixed = seen(&json!([12, edited(), {"mapping": {}}]));
    assert_eq!((mixed.drafts.len(), mixed.failed.len()), (5, 2));
    let mut cut = Collect::default();
    let text = json!([edited()]).to_string();
    read("c", &mut &text.as_bytes()[..text.len() - 1], &mut cut).unwrap();
    assert_eq!((cut.drafts.len(), cut.failed.len()), (5, 1));
    assert!(recognise(json!([edited()]).to_string().as_bytes(), "x"));
    assert!(!recognise(b"[{\"uuid\":\"1\",\"chat_messages\":[]}]", "conversations.json"));
}

#[test]
fn real_exports_are_accounted_for_and_read_alike_twice() {
    let Some(files) = data_files("packages/chat", "json") else { return };
    let mut conversations = 0;
    for path in files.iter().filter(|path| is_chatgpt(path)) {
        let text = fs::read(path).unwrap();
        assert!(recognise(&text[..text.len().min(4096)], "x"), "{}", path.display());
        let value: Value = serde_json::from_slice(&text).unwrap();
        let (one, two) = (seen(&value), seen(&value));
        assert_eq!(one.essence(), two.essence());
        let meant: usize = value
            .as_array()
            .unwrap()
            .iter()
            .map(|c| {
                1 + c["mapping"]
                    .as_object()
                    .unwrap()
                    .values()
                    .filter(|n| !n["message"].is_null())
                    .count()
            })
            .sum();
        println!(
            "{}: read {} = {} drafts + {} skipped + {} failed",
            path.display(),
            one.count(),
            one.drafts.len(),
            one.skipped.len(),
            one.failed.len()
        );
        assert_eq!(one.count(), meant);
        assert!(one.failed.is_empty());
        conversations += value.as_array().unwrap().len();
    }
    assert!(conversations > 90);
}

fn is_chatgpt(path: &Path) -> bool {
    path.file_name().unwrap().to_string_lossy().starts_with("chatgpt")
}

proptest::proptest! {
    #[test]
    fn any_json_is_read_to_its_end(text in "[\\[\\]{}:,\"a1]{0,40}") {
        let mut sink = Collect::default();
        read("c", &mut text.as_bytes(), &mut sink).unwrap();
    }
}
