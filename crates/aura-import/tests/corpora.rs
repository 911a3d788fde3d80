// SPDX-License-Identifier: MIT OR Apache-2.0
//! Real mail and notes: nothing panics, every import sees the same, and little fails.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a test")]

mod found;

use std::collections::BTreeSet;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use aura_import::draft::{Finding, Sink, Stop};
use aura_import::tree::{Entry, Refusal, Tree};
use aura_import::{read, survey, survey_tree};
use found::Found;

fn folder(name: &str) -> Option<PathBuf> {
    let Some(root) = std::env::var_os("AURA_DATA") else {
        println!("skipped: AURA_DATA is not set");
        return None;
    };
    Some(PathBuf::from(root).join(name))
}

fn check(name: &str, least: usize) {
    let Some(path) = folder(name) else { return };
    let start = Instant::now();
    let found = Found::at(&path);
    let elapsed = start.elapsed();
    println!(
        "{name}: {} drafts, {} skipped, {} failed in {elapsed:?}",
        found.drafts.len(),
        found.skipped.len(),
        found.failed.len()
    );
    for (place, reason) in found.failed.iter().take(20) {
        println!("  failed: {place}: {reason}");
    }
    assert!(found.drafts.len() >= least);
    assert!(found.failed.len() * 20 <= found.drafts.len(), "at most one in twenty fails");
    assert_eq!(found.shape(), Found::at(&path).shape());
}

#[test]
fn real_mail() {
    check("packages/mail", 100);
}

#[test]
fn real_notes() {
    check("packages/notes", 1);
}

/// A tree that keeps which files were opened.
struct Watched {
    inner: Arc<dyn Tree>,
    opened: Mutex<BTreeSet<String>>,
}

impl Tree for Watched {
    fn label(&self) -> &str {
        self.inner.label()
    }

    fn entries(&self) -> &[Entry] {
        self.inner.entries()
    }

    fn open(&self, path: &str) -> io::Result<Box<dyn Read + Send + '_>> {
        self.opened.lock().unwrap().insert(path.to_owned());
        self.inner.open(path)
    }

    fn refused(&self) -> &[Refusal] {
        self.inner.refused()
    }
}

/// Reads every attachment, and keeps what was named instead.
#[derive(Default)]
struct Drain(Vec<String>);

impl Sink for Drain {
    fn take(&mut self, finding: Finding, _progress: u64) -> Result<(), Stop> {
        match finding {
            Finding::Draft(draft) => {
                for attachment in draft.attachments {
                    io::copy(&mut attachment.content.open().unwrap(), &mut io::sink()).unwrap();
                }
            }
            Finding::Skipped { place, .. } | Finding::Failed { place, .. } => self.0.push(place),
        }
        Ok(())
    }
}

/// Every file below is read, or named.
fn nothing_vanishes(folder: &Path) {
    let inner = Arc::clone(survey(folder).unwrap().tree());
    let watched = Arc::new(Watched { inner, opened: Mutex::default() });
    let found = survey_tree(Arc::clone(&watched) as Arc<dyn Tree>);
    // Until here they were opened to see what they are.
    watched.opened.lock().unwrap().clear();
    let mut drain = Drain::default();
    read(&found, &mut drain).unwrap();
    let opened = watched.opened.lock().unwrap();
    for entry in watched.entries() {
        let is_named = || drain.0.iter().any(|place| entry.path.starts_with(place.as_str()));
        let is_there = opened.contains(&entry.path) || is_named();
        assert!(is_there, "{}: {} was dropped in silence", folder.display(), entry.path);
    }
}

#[test]
fn no_file_is_dropped_in_silence() {
    let Some(root) = folder("") else { return };
    let mut folders = vec![root];
    while let Some(folder) = folders.pop() {
        nothing_vanishes(&folder);
        let entries = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
        folders.extend(entries.filter(|path| path.is_dir()));
    }
}
