// SPDX-License-Identifier: MIT OR Apache-2.0
//! Attacks on the files of the index: INT-01 (swapped), INT-05 (flipped), INT-06 (cut, extended),
//! an interrupted commit, a wrong key; and that no plaintext is in any of them.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic is a failed test")]

mod search_fixture;

use std::fs;
use std::path::{Path, PathBuf};

use aura_vault::record::Kind;
use aura_vault::search::{Document, Hit, Index, Query, Scope, SearchError, Typing};
use search_fixture::{id, keys, small};

const CANARY: &str = "zanzibarcanary";

const QUERIES: [&str; 6] =
    [CANARY, "word1 word2", "\"common text\"", "category:notes", "from:anna", "wor*"];

/// An index with two commits and a deletion, so that every sort of file is there.
fn fill(dir: &Path, vault: u8) {
    let index = Index::create(dir, keys(vault), small()).unwrap();
    for number in 0..700 {
        let body = format!("common text {CANARY}{number} word{} word{}", number % 7, number % 400);
        let mut document = Document::new(id(number), Kind::Note, 0).with_text(CANARY, &body);
        document.from = vec!["anna"];
        document.tags = vec![CANARY];
        index.add(&document).unwrap();
        if number == 350 {
            index.commit(b"first").unwrap();
        }
    }
    index.delete(id(3)).unwrap();
    index.commit(b"second").unwrap();
}

fn answers(index: &Index) -> Result<Vec<Vec<Hit>>, SearchError> {
    let all = Scope::everything();
    let run = |text: &&str| index.search(&Query::parse(text, Typing::Done).unwrap(), &all, 30);
    QUERIES.iter().map(run).collect()
}

fn opened(dir: &Path) -> Result<Vec<Vec<Hit>>, SearchError> {
    answers(&Index::open(dir, keys(1), small())?)
}

fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// What a damaged index may say: that it is damaged, or, where the damage is in a part that these
/// queries do not need, what it always said.
fn check(result: Result<Vec<Vec<Hit>>, SearchError>, expected: &[Vec<Hit>], what: &str) -> bool {
    match result {
        Err(SearchError::Damaged | SearchError::Missing) => true,
        Err(error) => panic!("{what}: {error}"),
        Ok(hits) => {
            assert_eq!(hits, expected, "{what}");
            false
        }
    }
}

/// Attacks INT-05, INT-06: in any file of the index.
#[test]
fn flipped_cut_and_extended_files_are_noticed() {
    let original = tempfile::tempdir().unwrap();
    fill(original.path(), 1);
    let expected = opened(original.path()).unwrap();
    assert!(expected.iter().all(|hits| !hits.is_empty()));
    for file in files(original.path()) {
        let name = file.file_name().unwrap().to_str().unwrap().to_owned();
        let bytes = fs::read(&file).unwrap();
        let mut harmed: Vec<(String, Vec<u8>)> = Vec::new();
        for at in (0..bytes.len()).step_by((bytes.len() / 24).max(1)) {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1 << (at % 8);
            harmed.push((format!("bit in byte {at} of {name}"), flipped));
        }
        for len in [0, 1, 8, 55, 56, 71, 72, bytes.len() / 2, bytes.len() - 1] {
            harmed
                .push((format!("{name} cut to {len}"), bytes[..len.min(bytes.len() - 1)].to_vec()));
        }
        harmed.push((format!("{name} extended"), [&bytes[..], b"x"].concat()));
        harmed.push((format!("{name} zeroed"), vec![0; bytes.len()]));
        for (what, bytes) in harmed {
            let dir = tempfile::tempdir().unwrap();
            copy(original.path(), dir.path());
            fs::write(dir.path().join(&name), bytes).unwrap();
            let is_noticed = check(opened(dir.path()), &expected, &what);
            assert!(is_noticed, "{what}: small files are opened whole");
        }
    }
}

#[test]
fn blocks_of_large_files_are_noticed_when_they_are_read() {
    let original = tempfile::tempdir().unwrap();
    let index = Index::create(original.path(), keys(1), small()).unwrap();
    for number in 0..30_000_u64 {
        let body =
            format!("common text {CANARY} word{} word{} x{number}", number % 7, number % 400);
        let mut document = Document::new(id(number), Kind::Note, 0).with_text("", &body);
        document.from = vec!["anna"];
        index.add_new(&document).unwrap();
    }
    index.commit(b"").unwrap();
    index.compact().unwrap();
    drop(index);
    let expected = opened(original.path()).unwrap();
    let (mut noticed, mut tried) = (0, 0);
    for file in files(original.path()) {
        let name = file.file_name().unwrap().to_owned();
        let bytes = fs::read(&file).unwrap();
        for at in (100..bytes.len()).step_by(16_400).take(12) {
            let dir = tempfile::tempdir().unwrap();
            copy(original.path(), dir.path());
            let mut flipped = bytes.clone();
            flipped[at] ^= 1;
            fs::write(dir.path().join(&name), flipped).unwrap();
            tried += 1;
            noticed += usize::from(check(opened(dir.path()), &expected, "a block"));
        }
    }
    assert!(tried > 20 && noticed * 3 > tried, "{noticed} of {tried}");
}

/// Attack INT-01: any file of the index in the place of any other, or of another vault's.
#[test]
fn swapped_and_missing_files_are_noticed() {
    let (original, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    fill(original.path(), 1);
    fill(other.path(), 2);
    let expected = opened(original.path()).unwrap();
    let names = files(original.path());
    for (index, file) in names.iter().enumerate() {
        let name = file.file_name().unwrap();
        // Every other file of the index in its place, and one of another vault; and nothing.
        let mut instead: Vec<Option<PathBuf>> = names.iter().cloned().map(Some).collect();
        instead.remove(index);
        instead.extend([files(other.path()).first().cloned(), None]);
        for instead in instead {
            let dir = tempfile::tempdir().unwrap();
            copy(original.path(), dir.path());
            let place = dir.path().join(name);
            fs::remove_file(&place).unwrap();
            if let Some(instead) = &instead {
                fs::copy(instead, &place).unwrap();
            }
            assert!(check(opened(dir.path()), &expected, &format!("{instead:?} as {name:?}")));
        }
    }
}

#[test]
fn another_key_or_vault_opens_nothing() {
    let dir = tempfile::tempdir().unwrap();
    fill(dir.path(), 1);
    let other_key = Index::open(dir.path(), keys(2), small()).map(drop);
    assert_eq!(other_key, Err(SearchError::Damaged));
    let mut other_vault = keys(1);
    other_vault.vault = keys(2).vault;
    assert_eq!(Index::open(dir.path(), other_vault, small()).map(drop), Err(SearchError::Damaged));
    let empty = tempfile::tempdir().unwrap();
    assert_eq!(Index::open(empty.path(), keys(1), small()).map(drop), Err(SearchError::Missing));
    let nowhere = empty.path().join("nowhere");
    assert_eq!(Index::open(&nowhere, keys(1), small()).map(drop), Err(SearchError::Missing));
}

#[test]
fn damage_while_open_is_noticed_and_the_index_can_be_made_again() {
    let dir = tempfile::tempdir().unwrap();
    fill(dir.path(), 1);
    let index = Index::open(dir.path(), keys(1), small()).unwrap();
    fs::write(dir.path().join("meta.json"), b"not what was there").unwrap();
    index.add(&Document::new(id(1), Kind::Note, 0)).unwrap();
    // The commit writes the file anew, or notices it; what is opened afterwards is never wrong.
    let committed = index.commit(b"third");
    drop(index);
    let again = Index::open(dir.path(), keys(1), small());
    assert!(again.is_ok() == committed.is_ok());
    drop(again);
    fs::write(dir.path().join("meta.json"), b"not what was there").unwrap();
    assert_eq!(Index::open(dir.path(), keys(1), small()).map(drop), Err(SearchError::Damaged));
    fill(dir.path(), 1);
    assert!(opened(dir.path()).is_ok());
}

#[test]
fn an_interrupted_commit_leaves_the_one_before() {
    let dir = tempfile::tempdir().unwrap();
    fill(dir.path(), 1);
    let expected = opened(dir.path()).unwrap();
    let (kept, later) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    copy(dir.path(), kept.path());
    let index = Index::open(dir.path(), keys(1), small()).unwrap();
    index.add_new(&Document::new(id(9999), Kind::Note, 0).with_text("", "new")).unwrap();
    index.commit(b"third").unwrap();
    drop(index);
    copy(dir.path(), later.path());
    // The new part is there, the mutable file still the earlier one, another one half written.
    fs::copy(kept.path().join("meta.json"), later.path().join("meta.json")).unwrap();
    fs::write(later.path().join("meta.json.next"), b"half").unwrap();
    copy(kept.path(), later.path());
    let count = files(later.path()).len();
    assert_eq!(opened(later.path()).unwrap(), expected);
    assert!(files(later.path()).len() < count, "what no commit names is removed");
    let index = Index::open(later.path(), keys(1), small()).unwrap();
    assert_eq!(index.payload().unwrap(), b"second");
}

#[test]
fn no_plaintext_is_in_any_file() {
    let dir = tempfile::tempdir().unwrap();
    fill(dir.path(), 1);
    let canaries = [CANARY.as_bytes(), b"common", b"anna", b"second", b"segments", b"text"];
    for file in files(dir.path()) {
        let bytes = fs::read(&file).unwrap();
        for canary in canaries {
            let is_there = bytes.windows(canary.len()).any(|window| window == canary);
            assert!(!is_there, "{:?} in {file:?}", String::from_utf8_lossy(canary));
        }
        let name = file.file_name().unwrap().to_str().unwrap();
        assert!(!name.contains(CANARY));
    }
}
