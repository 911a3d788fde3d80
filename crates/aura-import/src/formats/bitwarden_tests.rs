// SPDX-License-Identifier: MIT OR Apache-2.0
//! Items of every type, folders by name, and exports that cannot be opened.

use std::fs;

use aura_vault::record::{Category, Kind};
use serde_json::json;

use super::super::collect::{Collect, bytes, data_files};
use super::*;

fn seen(text: &str) -> Collect {
    let mut sink = Collect::default();
    read("b.json", &mut text.as_bytes(), &mut sink).unwrap();
    sink
}

fn export() -> Value {
    json!({"encrypted": false, "folders": [{"id": "f", "name": "Home/Net"}], "items": [
        {"id": "1", "folderId": "f", "organizationId": null, "type": 1, "name": "Mail", "notes": null, "favorite": true,
         "creationDate": "2026-01-31T10:00:00.000Z", "fields": [{"name": "pin", "value": "1", "type": 1, "linkedId": null}],
         "login": {"uris": [{"match": null, "uri": "https://a.example"}], "username": "u", "password": "p", "totp": null},
         "passwordHistory": null},
        {"id": "2", "type": 2, "name": "Note", "notes": "n", "secureNote": {"type": 0}},
        {"id": "3", "type": 3, "name": "Card", "card": {"number": "4"}},
        {"id": "4", "type": 4, "name": "Me", "identity": {"firstName": "A"}},
        {"id": "5", "type": 99, "name": "New", "newThing": {"x": 1}},
        {"id": "6", "type": 1, "name": "Old", "deletedDate": "2026-01-01T00:00:00Z"},
        {"id": "7", "name": "secret-name"}, 12,
    ]})
}

#[test]
fn items_of_every_type() {
    let sink = seen(&export().to_string());
    assert_eq!((sink.drafts.len(), sink.skipped.len(), sink.failed.len()), (5, 1, 2));
    for draft in &sink.drafts {
        assert_eq!((draft.kind, draft.category), (Kind::Login, Category::Credentials));
    }
    let login = &sink.drafts[0];
    assert_eq!(login.source_id.as_deref(), Some("1"));
    assert_eq!(login.time_ms, Some(1_769_853_600_000));
    assert_eq!(login.fields["folder"], "Home/Net");
    assert_eq!(
        login.fields["login"],
        json!({"uris": [{"uri": "https://a.example"}], "username": "u", "password": "p"})
    );
    assert_eq!(login.fields["fields"][0]["value"], "1");
    assert!(!login.fields.contains_key("notes"));
    assert_eq!(sink.drafts[4].fields["newThing"]["x"], 1, "an unknown type is kept");
    assert!(
        sink.failed
            .iter()
            .all(|(place, reason)| !place.contains("secret") && !reason.contains("secret"))
    );
}

#[test]
fn encrypted_exports_say_so() {
    let account = seen(
        "{\"encrypted\":true,\"encKeyValidation_DO_NOT_EDIT\":\"2.x\",\"folders\":[],\"items\":[{\"id\":\"1\"}]}",
    );
    let password =
        seen("{\"encrypted\":true,\"passwordProtected\":true,\"salt\":\"s\",\"data\":\"2.x\"}");
    for sink in [&account, &password] {
        assert_eq!((sink.drafts.len(), sink.skipped.len(), sink.failed.len()), (0, 1, 0));
    }
    assert!(account.skipped[0].1.contains("account") && password.skipped[0].1.contains("password"));
    assert!(recognise(b"{\"encrypted\": true, \"passwordProtected\": true", "x"));
    assert!(recognise(export().to_string().as_bytes(), "x"));
    assert!(!recognise(b"{\"items\": []}", "x.json"));
}

#[test]
fn a_zip_with_attachments() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("attachments/2")).unwrap();
    fs::write(folder.path().join("attachments/2/key.txt"), b"k").unwrap();
    fs::write(folder.path().join("data.json"), export().to_string()).unwrap();
    let tree = crate::tree::open(folder.path()).unwrap();
    let paths: Vec<String> = tree.entries().iter().map(|entry| entry.path.clone()).collect();
    let mut sink = Collect::default();
    read_tree(&tree, &paths, &mut sink).unwrap();
    assert_eq!(bytes(&sink.drafts[1].attachments[0]), b"k");
    assert!(sink.drafts[0].attachments.is_empty());
}

#[test]
fn an_unpacked_zip_and_what_lies_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    let put = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    };
    put("bw/data.json", export().to_string().as_bytes());
    put("bw/attachments/2/key.txt", b"k");
    put("bw/attachments/gone/left.txt", b"l");
    put("bw/other.json", b"{}");
    put("bw/old.kdbx", b"\x03\xd9");
    let tree = crate::tree::open(folder.path()).unwrap();
    let paths: Vec<String> = tree.entries().iter().map(|entry| entry.path.clone()).collect();
    let mut sink = Collect::default();
    read_tree(&tree, &paths, &mut Loose(&mut sink)).unwrap();
    assert_eq!(bytes(&sink.drafts[1].attachments[0]), b"k");
    let files: Vec<&str> = sink
        .drafts
        .iter()
        .filter(|draft| draft.kind == Kind::File)
        .map(|draft| draft.fields["name"].as_str().unwrap())
        .collect();
    assert_eq!(files, ["left.txt", "old.kdbx", "other.json"]);
    assert!(sink.failed.iter().all(|(place, _)| place.starts_with("bw/data.json, item")));
}

/// Progress starts over with every file.
struct Loose<'a>(&'a mut Collect);

impl Sink for Loose<'_> {
    fn take(&mut self, finding: crate::draft::Finding, _: u64) -> Result<(), Stop> {
        self.0.take(finding, 0)
    }
}

#[test]
fn a_made_export_is_accounted_for_and_read_alike_twice() {
    let Some(files) = data_files("authored/passwords", "json") else { return };
    for path in files {
        let text = fs::read_to_string(path).unwrap();
        assert!(recognise(&text.as_bytes()[..text.len().min(4096)], "x"));
        let items =
            serde_json::from_str::<Value>(&text).unwrap()["items"].as_array().unwrap().len();
        let (one, two) = (seen(&text), seen(&text));
        assert_eq!(one.essence(), two.essence());
        assert_eq!(one.count(), items);
        assert!(one.failed.is_empty());
        println!(
            "read {items} = {} drafts + {} skipped + 0 failed",
            one.drafts.len(),
            one.skipped.len()
        );
    }
}

proptest::proptest! {
    #[test]
    fn any_members_are_read_to_their_end(text in "\\{(\\[|\\{|\\}|\\]|:|,|\"(items|folders|encrypted|id|name)\"|1|true| ){0,30}") {
        seen(&text);
    }
}
