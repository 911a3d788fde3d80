// SPDX-License-Identifier: MIT OR Apache-2.0
//! An export that was cut into several archives is read as one, whatever order they are given in.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

mod found;

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use aura_import::{read, survey_all};
use aura_vault::record::Kind;
use found::Found;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

const NOTE: &[u8] = b"{\"textContent\":\"n\",\"isTrashed\":false,\"isPinned\":false,\
    \"attachments\":[{\"filePath\":\"p.png\"}]}";
const CARD: &[u8] = b"BEGIN:VCARD\nVERSION:3.0\nFN:Ann\nEND:VCARD\n";

fn zip(path: &Path, files: &[(&str, &[u8])]) -> PathBuf {
    let mut writer = ZipWriter::new(File::create(path).unwrap());
    for (name, bytes) in files {
        writer.start_file(*name, SimpleFileOptions::default()).unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap();
    path.to_owned()
}

/// A note in one part, its picture in the other, a page in both, and a file that differs.
fn parts(folder: &Path) -> [PathBuf; 2] {
    let first: &[(&str, &[u8])] = &[
        ("Takeout/Keep/N.json", NOTE),
        ("Takeout/archive_browser.html", b"<!DOCTYPE html>"),
        ("Takeout/Contacts/All.vcf", CARD),
    ];
    let other = String::from_utf8(CARD.to_vec()).unwrap().replace("Ann", "Bea");
    let second: &[(&str, &[u8])] = &[
        ("Takeout/Keep/p.png", b"png"),
        ("Takeout/archive_browser.html", b"<!DOCTYPE html>"),
        ("Takeout/Contacts/All.vcf", other.as_bytes()),
    ];
    [
        zip(&folder.join("takeout-20260131T101500Z-001.zip"), first),
        zip(&folder.join("takeout-20260131T101500Z-002.zip"), second),
    ]
}

/// What is found, with how many things were told apart.
fn found(paths: &[PathBuf]) -> (Found, usize) {
    let given = survey_all(paths).map_err(|(_, error)| error).unwrap();
    let mut found = Found::default();
    for one in &given {
        found.progress = 0;
        read(&one.survey, &mut found).unwrap();
    }
    (found, given.len())
}

#[test]
fn a_note_finds_its_picture_in_another_part() {
    let home = tempfile::tempdir().unwrap();
    let [first, second] = parts(home.path());
    let folder = home.path().to_owned();
    for paths in [vec![first.clone(), second.clone()], vec![second, first], vec![folder]] {
        let (found, given) = found(&paths);
        assert_eq!(given, 1);
        let notes: Vec<_> = found.drafts.iter().filter(|draft| draft.kind == Kind::Note).collect();
        assert_eq!((notes.len(), notes[0].attachments.len()), (1, 1));
        // Two files of one name that differ are both read; what both parts have is told.
        let contacts = found.drafts.iter().filter(|draft| draft.kind == Kind::Contact).count();
        assert_eq!((contacts, found.drafts.len()), (2, 3));
        assert!(found.failed.is_empty(), "{:?}", found.failed);
        assert_eq!(found.skipped.len(), 2, "{:?}", found.skipped);
    }
}

#[test]
fn what_is_no_part_stays_apart() {
    let home = tempfile::tempdir().unwrap();
    let [first, _] = parts(home.path());
    let other =
        zip(&home.path().join("takeout-20250101T000000Z-001.zip"), &[("Takeout/a.vcf", CARD)]);
    let notes = zip(&home.path().join("notes-002.zip"), &[("a.md", b"# A")]);
    assert_eq!(found(&[first.clone(), other.clone(), notes]).1, 3);
    // In a folder, what is no part is read as the folder's own.
    fs::write(home.path().join("b.md"), "# B").unwrap();
    let (found, given) = found(&[home.path().to_owned()]);
    assert_eq!(given, 3);
    assert!(found.drafts.iter().any(|draft| draft.fields.get("name").is_some_and(|n| n == "B")));
}
