// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the person gave, when it is several things: which of them are parts of one export.
//!
//! Google cuts a Takeout export into archives whose names differ in a number at the end. Everything in
//! them lies below `Takeout/`; that, and not the name alone, makes them parts.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::survey::{Survey, survey_tree};
use crate::tree::{self, Tree, TreeError};

/// The folder below which everything in such an export lies.
const ROOT: &str = "Takeout/";
/// Longest number of a part, in digits.
const DIGITS_MAX: usize = 4;

/// Something that was given, or several things that belong together.
pub struct Given {
    /// Where it is; several for the parts of one export.
    pub paths: Vec<PathBuf>,
    /// What it is.
    pub survey: Survey,
}

/// Looks at several folders, archives or files; parts of one export are looked at as one.
///
/// # Errors
/// When nothing of one of them can be read: which, and why.
pub fn survey_all(paths: &[PathBuf]) -> Result<Vec<Given>, (PathBuf, TreeError)> {
    let mut given: Vec<Opened> = Vec::new();
    let mut exports: BTreeMap<String, usize> = BTreeMap::new();
    for path in paths {
        let mut found = vec![Opened::one(path).map_err(|error| (path.clone(), error))?];
        if path.is_dir() {
            found.splice(0..0, parts_in(path));
            leave_out_parts(&mut found);
        }
        for opened in found {
            let known = opened.export.as_ref().and_then(|export| exports.get(export));
            if let Some(known) = known.and_then(|at| given.get_mut(*at)) {
                known.paths.extend(opened.paths);
                known.trees.extend(opened.trees);
                continue;
            }
            if let Some(export) = &opened.export {
                exports.insert(export.clone(), given.len());
            }
            given.push(opened);
        }
    }
    Ok(given.into_iter().map(Opened::survey).collect())
}

/// A thing that is open, or parts that belong together.
struct Opened {
    paths: Vec<PathBuf>,
    trees: Vec<Arc<dyn Tree>>,
    /// Of which export it is a part.
    export: Option<String>,
}

impl Opened {
    fn one(path: &Path) -> Result<Self, TreeError> {
        let tree = tree::open(path)?;
        let is_part = path.is_file() && is_takeout(tree.as_ref());
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
        let export = name.filter(|_| is_part).and_then(|name| Some(number_off(&name)?.to_owned()));
        Ok(Self { paths: vec![path.to_owned()], trees: vec![tree], export })
    }

    fn survey(mut self) -> Given {
        let tree = match self.trees.len() {
            1 => self.trees.pop(),
            _ => None,
        };
        let tree = tree.unwrap_or_else(|| {
            // In the order of their names, however they were given: what is shown of two files that
            // have one name must not depend on it.
            self.trees.sort_by(|a, b| a.label().cmp(b.label()));
            tree::join(self.export.unwrap_or_default(), self.trees)
        });
        Given { paths: self.paths, survey: survey_tree(tree) }
    }
}

/// Whether everything in an archive lies where it lies in such an export.
fn is_takeout(tree: &dyn Tree) -> bool {
    let entries = tree.entries();
    !entries.is_empty() && entries.iter().all(|entry| entry.path.starts_with(ROOT))
}

/// The name of a part without its number: `takeout-20260131T101500Z-001.zip` and `-002.zip` have the
/// same. A download that met a file of its name (`-001 (1).zip`) counts as well.
fn number_off(name: &str) -> Option<&str> {
    let stem = ["zip", "tgz"].iter().find_map(|ending| {
        let (stem, found) = name.rsplit_once('.')?;
        found.eq_ignore_ascii_case(ending).then_some(stem)
    })?;
    let stem = match stem.rsplit_once(" (") {
        Some((stem, again)) if again.ends_with(')') => stem,
        _ => stem,
    };
    let (export, number) = stem.rsplit_once('-')?;
    let is_number = (1..=DIGITS_MAX).contains(&number.len())
        && number.bytes().all(|digit| digit.is_ascii_digit());
    is_number.then_some(export)
}

/// The parts that lie in a folder, by name.
fn parts_in(folder: &Path) -> Vec<Opened> {
    // What cannot be listed or opened is told by the folder itself.
    let Ok(found) = fs::read_dir(folder) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = found
        .flatten()
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_file()))
        .filter(|entry| entry.file_name().to_str().is_some_and(|name| number_off(name).is_some()))
        .map(|entry| entry.path())
        .collect();
    paths.sort();
    let opened = paths.iter().filter_map(|path| Opened::one(path).ok());
    opened.filter(|opened| opened.export.is_some()).collect()
}

/// The folder, which comes last, without the parts that come before it.
fn leave_out_parts(found: &mut Vec<Opened>) {
    let Some(mut folder) = found.pop() else { return };
    let names: Vec<String> = found
        .iter()
        .flat_map(|part| &part.paths)
        .filter_map(|path| Some(path.file_name()?.to_str()?.to_owned()))
        .collect();
    if !names.is_empty() {
        let trees = folder.trees.into_iter();
        folder.trees = trees
            .map(|tree| tree::without(tree, &|path| names.iter().any(|n| n == path)))
            .collect();
    }
    let is_empty = folder.trees.iter().all(|tree| tree.entries().is_empty());
    if names.is_empty() || !is_empty || folder.trees.iter().any(|tree| !tree.refused().is_empty()) {
        found.push(folder);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_known_by_the_number_at_the_end() {
        let same = [
            "takeout-20260131T101500Z-001.zip",
            "takeout-20260131T101500Z-002.zip",
            "takeout-20260131T101500Z-2 (1).ZIP",
            "takeout-20260131T101500Z-3.tgz",
        ];
        for name in same {
            assert_eq!(number_off(name), Some("takeout-20260131T101500Z"), "{name}");
        }
        for name in ["takeout.zip", "photos-a.zip", "a-12345.zip", "a-1.txt", "-", "a-.zip"] {
            assert_eq!(number_off(name), None, "{name}");
        }
    }
}
