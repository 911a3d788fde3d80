// SPDX-License-Identifier: MIT OR Apache-2.0
//! Several trees as one: an export that was cut into parts, and a folder without the parts in it.
//!
//! A service cuts where a part is full, so a file and what describes it may lie in different parts. A
//! file that two parts hold alike is shown once; where they differ both are shown, the second below the
//! name of its part, so that nothing is lost by joining what did not belong together.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::sync::Arc;

use super::{Entry, Refusal, Refusals, Tree, Weight, position};

/// Bytes that are compared at a time.
const COMPARE_BYTES: usize = 64 << 10;

pub(super) struct JoinedTree {
    label: String,
    folder: String,
    trees: Vec<Arc<dyn Tree>>,
    entries: Vec<Entry>,
    /// Which tree has it under which path, in the order of `entries`.
    places: Vec<(usize, String)>,
    refused: Vec<Refusal>,
}

impl JoinedTree {
    /// All files of these trees.
    pub(super) fn all(label: String, trees: Vec<Arc<dyn Tree>>) -> Self {
        let mut found: BTreeMap<String, (Entry, usize, String)> = BTreeMap::new();
        let mut refused = Refusals::default();
        for (at, tree) in trees.iter().enumerate() {
            for refusal in tree.refused() {
                refused.add(refusal.weight, &refusal.place, &refusal.reason);
            }
            for entry in tree.entries() {
                let mut path = entry.path.clone();
                if let Some((known, first, place)) = found.get(&path) {
                    let other = trees.get(*first).map(|first| (first.as_ref(), place.as_str()));
                    let is_alike = known.size == entry.size
                        && other.is_some_and(|other| are_alike(other, (tree.as_ref(), &path)));
                    if is_alike {
                        let reason = "another part of the export holds the same file";
                        refused.add(Weight::Skipped, &path, reason);
                        continue;
                    }
                    path = format!("{}/{path}", tree.label());
                }
                let shown = Entry { path: path.clone(), ..entry.clone() };
                if found.insert(path, (shown, at, entry.path.clone())).is_some() {
                    let reason = "three parts of the export hold different files of this name";
                    refused.add(Weight::Failed, &entry.path, reason);
                }
            }
        }
        let refused = refused.finish(&label);
        let (entries, places) =
            found.into_values().map(|(entry, at, path)| (entry, (at, path))).unzip();
        Self { label, folder: String::new(), trees, entries, places, refused }
    }

    /// A tree without some of its files.
    pub(super) fn without(tree: Arc<dyn Tree>, is_out: &dyn Fn(&str) -> bool) -> Self {
        let entries: Vec<Entry> =
            tree.entries().iter().filter(|entry| !is_out(&entry.path)).cloned().collect();
        Self {
            label: tree.label().to_owned(),
            folder: tree.folder_name().to_owned(),
            places: entries.iter().map(|entry| (0, entry.path.clone())).collect(),
            entries,
            refused: tree.refused().to_vec(),
            trees: vec![tree],
        }
    }
}

impl Tree for JoinedTree {
    fn label(&self) -> &str {
        &self.label
    }

    fn entries(&self) -> &[Entry] {
        &self.entries
    }

    fn open(&self, path: &str) -> io::Result<Box<dyn Read + Send + '_>> {
        let place = self.places.get(position(&self.entries, path)?);
        let (tree, path) = place
            .and_then(|(at, path)| Some((self.trees.get(*at)?, path)))
            .ok_or(io::ErrorKind::NotFound)?;
        tree.open(path)
    }

    fn refused(&self) -> &[Refusal] {
        &self.refused
    }

    fn folder_name(&self) -> &str {
        &self.folder
    }
}

/// Whether two files hold the same bytes. One that cannot be read is like no other.
fn are_alike(one: (&dyn Tree, &str), other: (&dyn Tree, &str)) -> bool {
    let compare = || -> io::Result<bool> {
        let (mut one, mut other) = (one.0.open(one.1)?, other.0.open(other.1)?);
        loop {
            let (mut a, mut b) = (Vec::new(), Vec::new());
            one.by_ref().take(COMPARE_BYTES as u64).read_to_end(&mut a)?;
            other.by_ref().take(COMPARE_BYTES as u64).read_to_end(&mut b)?;
            if a != b || a.is_empty() {
                return Ok(a == b);
            }
        }
    };
    compare().unwrap_or(false)
}
