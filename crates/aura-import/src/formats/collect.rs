// SPDX-License-Identifier: MIT OR Apache-2.0
//! A sink for tests: keeps what it is given, or stops after so many.

use std::io::Read;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::draft::{Draft, Finding, Sink, Stop};

#[derive(Default)]
pub(crate) struct Collect {
    pub(crate) drafts: Vec<Draft>,
    pub(crate) skipped: Vec<(String, String)>,
    pub(crate) failed: Vec<(String, String)>,
    pub(crate) progress: u64,
    pub(crate) stop_after: Option<usize>,
}

impl Sink for Collect {
    fn take(&mut self, finding: Finding, progress: u64) -> Result<(), Stop> {
        assert!(progress >= self.progress, "progress went back");
        self.progress = progress;
        match finding {
            Finding::Draft(draft) => self.drafts.push(*draft),
            Finding::Skipped { place, reason } => self.skipped.push((place, reason)),
            Finding::Failed { place, reason } => self.failed.push((place, reason)),
        }
        match self.stop_after {
            Some(count) if self.count() >= count => Err(Stop),
            _ => Ok(()),
        }
    }
}

impl Collect {
    pub(crate) fn count(&self) -> usize {
        self.drafts.len() + self.skipped.len() + self.failed.len()
    }

    /// Everything that must be the same when the same input is read again.
    pub(crate) fn essence(&self) -> Vec<Value> {
        let drafts = self.drafts.iter().map(|draft| {
            let attachments: Vec<Value> = draft
                .attachments
                .iter()
                .map(|a| serde_json::json!([a.name, a.media_type, bytes(a).len()]))
                .collect();
            serde_json::json!({
                "kind": draft.kind, "category": draft.category, "source": draft.source,
                "source_id": draft.source_id, "time_ms": draft.time_ms,
                "fields": draft.fields, "attachments": attachments,
            })
        });
        let rest = self.skipped.iter().chain(&self.failed);
        drafts.chain(rest.map(|(place, reason)| serde_json::json!([place, reason]))).collect()
    }
}

pub(crate) fn bytes(attachment: &crate::draft::Attachment) -> Vec<u8> {
    let mut bytes = Vec::new();
    attachment.content.open().unwrap().read_to_end(&mut bytes).unwrap();
    bytes
}

/// Files under a folder of the test data, or `None` (said aloud) when there is no test data.
pub(crate) fn data_files(folder: &str, extension: &str) -> Option<Vec<PathBuf>> {
    let Some(root) = std::env::var_os("AURA_DATA") else {
        eprintln!("skipped: AURA_DATA is not set");
        return None;
    };
    let mut found = Vec::new();
    walk(&PathBuf::from(root).join(folder), extension, &mut found);
    found.sort();
    assert!(!found.is_empty(), "no .{extension} under {folder}");
    Some(found)
}

fn walk(folder: &Path, extension: &str, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            walk(&path, extension, found);
        } else if path.extension().is_some_and(|e| e == extension) {
            found.push(path);
        }
    }
}
