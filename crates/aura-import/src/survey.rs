// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the person gave, looked at before it is read, and then read.

use std::collections::{BTreeMap, BTreeSet};
use std::io::BufReader;
use std::path::Path;
use std::sync::Arc;

use aura_vault::record::Category;

use crate::count::Onward;
use crate::draft::{Finding, Sink, Stop};
use crate::sniff::{Format, Reading, sort};
use crate::tree::{self, Tree, TreeError, Weight, entry};

/// The files of one format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// How they are read.
    pub format: Format,
    /// Their paths in the tree, sorted.
    pub paths: Vec<String>,
    /// Their size together, when expanded.
    pub bytes: u64,
}

/// What was found.
#[derive(Clone)]
pub struct Survey {
    tree: Arc<dyn Tree>,
    parts: Vec<Part>,
}

impl Survey {
    /// The files by format; formats without files are left out.
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// What was given, as a list of files.
    pub fn tree(&self) -> &Arc<dyn Tree> {
        &self.tree
    }

    /// The categories that its records may belong to.
    pub fn categories(&self) -> BTreeSet<Category> {
        self.parts.iter().flat_map(|part| part.format.categories()).copied().collect()
    }

    /// How many files there are.
    pub fn files(&self) -> u64 {
        self.parts.iter().map(|part| part.paths.len() as u64).sum()
    }

    /// Their size together, when expanded. Progress goes up to this.
    pub fn bytes(&self) -> u64 {
        self.parts.iter().map(|part| part.bytes).fold(0, u64::saturating_add)
    }
}

/// Looks at a folder, an archive or a file.
///
/// # Errors
/// When nothing of it can be read.
pub fn survey(path: &Path) -> Result<Survey, TreeError> {
    Ok(survey_tree(tree::open(path)?))
}

/// Looks at a tree that is open already.
pub fn survey_tree(tree: Arc<dyn Tree>) -> Survey {
    let mut parts: BTreeMap<Format, Part> = BTreeMap::new();
    for (format, path) in sort(tree.as_ref()) {
        let bytes = entry(tree.as_ref(), &path).map_or(0, |entry| entry.size);
        let part =
            parts.entry(format).or_insert_with(|| Part { format, paths: Vec::new(), bytes: 0 });
        part.bytes = part.bytes.saturating_add(bytes);
        part.paths.push(path);
    }
    Survey { tree, parts: parts.into_values().collect() }
}

/// Reads everything that was found. What the tree refused is told first.
///
/// # Errors
/// Only when the sink stops; what can't be read is a finding.
pub fn read(survey: &Survey, sink: &mut dyn Sink) -> Result<(), Stop> {
    for refusal in survey.tree.refused() {
        let (place, reason) = (refusal.place.clone(), refusal.reason.clone());
        let finding = match refusal.weight {
            Weight::Skipped => Finding::Skipped { place, reason },
            Weight::Failed => Finding::Failed { place, reason },
        };
        sink.take(finding, 0)?;
    }
    let mut onward = Onward::new(sink);
    for part in &survey.parts {
        match part.format.reading() {
            Reading::Tree(read) => {
                read(&survey.tree, &part.paths, &mut onward)?;
                onward.done(part.bytes);
            }
            Reading::Stream(read) => {
                for path in &part.paths {
                    let size = entry(survey.tree.as_ref(), path).map_or(0, |entry| entry.size);
                    if let Ok(opened) = survey.tree.open(path) {
                        let mut input = BufReader::with_capacity(64 << 10, opened);
                        read(path, &mut input, &mut onward)?;
                    } else {
                        let reason = "it could not be opened".to_owned();
                        onward.take(Finding::Failed { place: path.clone(), reason }, 0)?;
                    }
                    onward.done(size);
                }
            }
        }
    }
    Ok(())
}
