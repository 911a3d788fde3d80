// SPDX-License-Identifier: MIT OR Apache-2.0
//! Notes in Markdown: what is taken from them, and that an export gives the same notes again.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

mod found;

use aura_import::export::{DiskFolder, Exported, notes};
use aura_vault::record::Kind;
use found::{Found, bytes, shape};
use proptest::prelude::*;
use serde_json::json;

const TRIP: &[u8] = b"---\ntitle: The trip\ntags: [travel, 'two words']\naliases: Journey\n\
    created: 2024-05-01T10:00:00Z\nrating: 5\nnested: {a: [1, 2]}\n---\n\
    \nSaw ![[map.png|300]] and [the plan](docs/plan%20b.pdf), see [[People/Anna|her]] #Travel #summer/2024\n";

fn vault() -> Vec<(&'static str, &'static [u8])> {
    vec![
        ("Travel/Trip.md", TRIP),
        ("Travel/docs/plan b.pdf", b"%PDF"),
        ("img/map.png", b"png"),
        ("other/map.png", b"another"),
        ("People/Anna.md", b"# Anna B.\r\nWords\r\n"),
        ("2024-05-02.md", b"Slept."),
        ("latin.md", b"caf\xE9"),
        ("wide.md", b"\xFF\xFEh\0i\0"),
        ("binary.md", b"\x00\x01\x02\xFF"),
        ("broken.md", b"---\na: [\n---\nText"),
        (".obsidian/app.json", b"{}"),
        (".obsidian/plugins/x/main.js", b"x"),
        ("loose.txt", b"plain words"),
    ]
}

#[test]
fn notes_and_what_they_name() {
    let found = Found::in_memory(&vault());
    let trip = found.draft("Travel/Trip.md");
    assert_eq!(trip.kind, Kind::Note);
    assert_eq!(trip.fields["name"], "The trip");
    assert_eq!(trip.fields["keywords"], json!(["travel", "two words", "summer/2024"]));
    assert_eq!(trip.fields["alternateName"], json!(["Journey"]));
    assert_eq!(trip.fields["mentions"], json!(["People/Anna"]));
    assert_eq!(trip.fields["extra"]["frontMatter"]["nested"], json!({"a": [1, 2]}));
    assert_eq!(trip.time_ms, Some(1_714_557_600_000));
    assert!(trip.fields["text"].as_str().unwrap().starts_with("\nSaw"));
    assert_eq!(bytes(trip, "map.png"), b"png", "the shortest path of that name");
    assert_eq!(bytes(trip, "plan b.pdf"), b"%PDF");

    assert_eq!(found.draft("People/Anna.md").fields["name"], "Anna B.");
    assert_eq!(found.draft("People/Anna.md").fields["text"], "# Anna B.\nWords\n");
    assert_eq!(found.draft("2024-05-02.md").time_ms, Some(1_714_608_000_000));
    assert_eq!(found.draft("latin.md").fields["text"], "caf\u{e9}");
    assert_eq!(found.draft("latin.md").time_ms, Some(1_000), "the file's own time");
    assert_eq!(found.draft("wide.md").fields["text"], "hi");
    assert_eq!(found.draft("broken.md").fields["extra"]["frontMatterText"], "a: [\n");
    assert_eq!(found.draft("broken.md").fields["text"], "Text");
    assert_eq!(found.draft("loose.txt").kind, Kind::File);
    assert_eq!(found.draft("loose.txt").fields["text"], "plain words");
    assert_eq!(bytes(found.draft("other/map.png"), "map.png"), b"another");
    assert_eq!(found.failed.len(), 1);
    assert_eq!(found.failed[0].0, "binary.md");
    assert_eq!(found.skipped.len(), 1);
    assert_eq!(found.skipped[0].0, ".obsidian");
    assert_eq!(found.drafts.len(), 8);
    assert_eq!(found.shape(), Found::in_memory(&vault()).shape(), "every import sees the same");
}

fn exported(found: &Found) -> Vec<Exported> {
    found.drafts.iter().filter(|draft| draft.kind == Kind::Note).map(exported_one).collect()
}

fn exported_one(draft: &aura_import::draft::Draft) -> Exported {
    Exported {
        id: "id".to_owned(),
        kind: draft.kind,
        category: draft.category,
        fields: draft.fields.clone(),
        attachments: draft.attachments.clone(),
        source: Some(draft.source.to_owned()),
        source_id: draft.source_id.clone(),
        time_ms: draft.time_ms,
    }
}

#[test]
fn an_export_reads_back_as_the_same_notes() {
    let mut files = vault();
    files.retain(|(path, _)| !path.starts_with("broken"));
    let found = Found::in_memory(&files);
    let home = tempfile::tempdir().unwrap();
    let mut folder = DiskFolder::new(home.path()).unwrap();
    let outcome = notes::write(&mut exported(&found).into_iter(), &mut folder);
    assert_eq!(outcome.failed, vec![]);
    assert_eq!((outcome.records, outcome.attachments), (5, 2));
    let again = Found::at(home.path());
    assert_eq!(again.failed, vec![]);
    // What identifies a note is its place, but for those of an own export, which say what it was.
    let notes = |found: &Found| {
        let notes = found.drafts.iter().filter(|draft| draft.kind == Kind::Note);
        let mut shapes: Vec<_> = notes.map(shape).collect();
        shapes.sort_by_key(|shape| shape["sourceId"].to_string());
        shapes
    };
    for (before, after) in notes(&found).iter().zip(notes(&again)) {
        assert_eq!(*before, after);
    }
    assert_eq!(notes(&found).len(), notes(&again).len());
    assert_eq!(again.drafts.len(), 5, "every attachment found its note again");
}

#[cfg(unix)]
#[test]
fn an_export_is_for_its_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let home = tempfile::tempdir().unwrap();
    let root = home.path().join("out");
    let mut folder = DiskFolder::new(&root).unwrap();
    notes::write(&mut exported(&Found::in_memory(&vault())).into_iter(), &mut folder);
    let mode = |path: &str| root.join(path).metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("Travel"), mode("Travel/Trip.md")), (0o700, 0o600));
}

proptest! {
    /// Attack IMP-04.
    #[test]
    fn any_bytes_are_a_note_or_a_reason(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let found = Found::in_memory(&[("a.md", &bytes)]);
        prop_assert_eq!(found.drafts.len() + found.failed.len(), 1);
    }

    #[test]
    fn any_front_matter_is_read_or_kept(yaml in "[a-c:\\-\\[\\]{}&*!|> '\"\n0-9#]{0,120}") {
        let text = format!("---\n{yaml}\n---\ntext");
        let found = Found::in_memory(&[("a.md", text.as_bytes())]);
        prop_assert_eq!(found.drafts.len(), 1);
    }

    #[test]
    fn any_note_comes_back(
        name in "\\PC{1,40}",
        text in "[a-z #\\[\\]()\n]{0,200}",
        tags in proptest::collection::vec("\\PC{1,20}", 0..4),
    ) {
        let fields = json!({"name": name.trim(), "text": text, "keywords": tags});
        let record = Exported {
            id: "id".to_owned(),
            kind: Kind::Note,
            category: Kind::Note.category(),
            fields: fields.as_object().unwrap().clone(),
            attachments: Vec::new(),
            source: None,
            source_id: None,
            time_ms: Some(1_700_000_000_123),
        };
        prop_assume!(!name.trim().is_empty());
        let home = tempfile::tempdir().unwrap();
        let mut folder = DiskFolder::new(home.path()).unwrap();
        let outcome = notes::write(&mut [record].into_iter(), &mut folder);
        prop_assert_eq!(outcome.failed, vec![]);
        let found = Found::at(home.path());
        prop_assert_eq!(found.drafts.len(), 1);
        prop_assert_eq!(&found.drafts[0].fields["text"], &json!(text));
        prop_assert_eq!(&found.drafts[0].fields["name"], &json!(name.trim()));
        prop_assert_eq!(found.drafts[0].time_ms, Some(1_700_000_000_123));
    }
}

/// An exported note says which note it is; a copy of its file is another one.
#[test]
fn an_own_id_counts_in_the_file_that_it_was_written_to() {
    let note = "---\naura-id: Vault/Day.md\naura-file: Day.md\n---\ntext\n".as_bytes();
    let found = Found::in_memory(&[("x/Day.md", note), ("x/Copy.md", note)]);
    let mut ids: Vec<_> = found.drafts.iter().map(|draft| draft.source_id.clone()).collect();
    ids.sort();
    assert_eq!(ids.len(), 2);
    assert_eq!(ids.iter().filter(|id| id.as_deref() == Some("Vault/Day.md")).count(), 1);
}
