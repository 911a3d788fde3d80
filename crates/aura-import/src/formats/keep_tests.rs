// SPDX-License-Identifier: MIT OR Apache-2.0
//! Notes with text, lists, labels and files; trashed and broken ones.

use std::fs;

use serde_json::json;

use super::super::collect::{Collect, bytes, data_files};
use super::*;

fn seen(folder: &std::path::Path) -> Collect {
    let tree = crate::tree::open(folder).unwrap();
    let paths: Vec<String> = tree
        .entries()
        .iter()
        .map(|entry| entry.path.clone())
        .filter(|path| path.rsplit('.').next() == Some("json"))
        .collect();
    let mut all = Collect::default();
    for path in &paths {
        let mut sink = Collect::default();
        read_tree(&tree, std::slice::from_ref(path), &mut sink).unwrap();
        all.drafts.append(&mut sink.drafts);
        all.skipped.append(&mut sink.skipped);
        all.failed.append(&mut sink.failed);
    }
    all
}

#[test]
fn text_lists_labels_files_trash_and_broken() {
    let folder = tempfile::tempdir().unwrap();
    let put = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    put("a.json", &json!({"title": "T", "textContent": "x", "labels": [{"name": "l"}], "isPinned": true, "isTrashed": false,
        "createdTimestampUsec": 1_690_859_060_579_000_i64, "attachments": [{"filePath": "p.jpeg", "mimetype": "image/jpeg"}, {"filePath": "gone.png"}]}).to_string());
    put("p.jpg", "picture");
    put("b.json", &json!({"title": "", "listContent": [{"text": "one", "isChecked": true}, {"text": "two", "isChecked": false}], "isTrashed": false, "createdTimestampUsec": "1690859060579000"}).to_string());
    put("c.json", &json!({"textContent": "old", "isTrashed": true}).to_string());
    put("d.json", "{\"textContent\":");
    let sink = seen(folder.path());
    assert_eq!((sink.drafts.len(), sink.skipped.len(), sink.failed.len()), (2, 1, 1));
    let (one, two) = (&sink.drafts[0], &sink.drafts[1]);
    assert_eq!((one.kind, one.time_ms), (Kind::Note, Some(1_690_859_060_579)));
    assert_eq!(one.source_id.as_deref(), Some("1690859060579000/a.json"));
    assert_eq!((&one.fields["name"], &one.fields["keywords"]), (&json!("T"), &json!(["l"])));
    assert_eq!(one.fields["missingAttachments"], json!(["gone.png"]));
    assert_eq!(one.fields["extra"], json!({"isPinned": true}));
    assert_eq!(bytes(&one.attachments[0]), b"picture");
    assert_eq!(two.fields["text"], "- [x] one\n- [ ] two");
    assert!(!two.fields.contains_key("name"));
    assert!(recognise(b"{\"color\":\"DEFAULT\",\"isTrashed\":false,\"isPinned\":false", "x"));
    assert!(!recognise(b"{\"title\":\"x\"}", "Keep/x.json"));
}

#[test]
fn real_notes_are_accounted_for_and_read_alike_twice() {
    let Some(files) = data_files("shared-only/notes/obsidian-importer/keep", "json") else {
        return;
    };
    let folder = files[0].parent().unwrap();
    let (one, two) = (seen(folder), seen(folder));
    assert_eq!(one.essence(), two.essence());
    assert_eq!(one.count(), files.len());
    assert_eq!((one.skipped.len(), one.failed.len()), (1, 1), "{:?}", one.failed);
}
