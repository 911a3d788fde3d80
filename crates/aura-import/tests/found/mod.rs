// SPDX-License-Identifier: MIT OR Apache-2.0
//! A tree in memory and a sink that keeps what it is given.

#![allow(dead_code, reason = "each test file uses a part of it")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "only tests use it")]

use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use aura_import::draft::{Draft, Finding, Sink, Stop};
use aura_import::tree::{Entry, Refusal, Tree};
use aura_import::{read, survey, survey_tree};
use serde_json::Value;

/// Files in memory.
pub(crate) struct Memory {
    entries: Vec<Entry>,
    files: Vec<Vec<u8>>,
}

impl Memory {
    pub(crate) fn tree(files: &[(&str, &[u8])]) -> Arc<dyn Tree> {
        let mut files: Vec<_> = files.to_vec();
        files.sort_unstable();
        let entries = files.iter().map(|(path, bytes)| Entry {
            path: (*path).to_owned(),
            size: bytes.len() as u64,
            modified_ms: Some(1_000),
        });
        Arc::new(Self {
            entries: entries.collect(),
            files: files.iter().map(|(_, bytes)| bytes.to_vec()).collect(),
        })
    }
}

impl Tree for Memory {
    fn label(&self) -> &'static str {
        "memory"
    }

    fn entries(&self) -> &[Entry] {
        &self.entries
    }

    fn open(&self, path: &str) -> io::Result<Box<dyn Read + Send + '_>> {
        let at = self
            .entries
            .binary_search_by(|entry| entry.path.as_str().cmp(path))
            .map_err(|_| io::ErrorKind::NotFound)?;
        Ok(Box::new(self.files[at].as_slice()))
    }

    fn refused(&self) -> &[Refusal] {
        &[]
    }
}

/// What a reader found.
#[derive(Default)]
pub(crate) struct Found {
    pub(crate) drafts: Vec<Draft>,
    pub(crate) skipped: Vec<(String, String)>,
    pub(crate) failed: Vec<(String, String)>,
    pub(crate) progress: u64,
}

impl Sink for Found {
    fn take(&mut self, finding: Finding, progress: u64) -> Result<(), Stop> {
        assert!(progress >= self.progress, "progress never goes back");
        self.progress = progress;
        match finding {
            Finding::Draft(draft) => self.drafts.push(*draft),
            Finding::Skipped { place, reason } => self.skipped.push((place, reason)),
            Finding::Failed { place, reason } => self.failed.push((place, reason)),
        }
        Ok(())
    }
}

impl Found {
    pub(crate) fn in_memory(files: &[(&str, &[u8])]) -> Self {
        let mut found = Self::default();
        read(&survey_tree(Memory::tree(files)), &mut found).unwrap();
        found
    }

    pub(crate) fn at(path: &Path) -> Self {
        let mut found = Self::default();
        read(&survey(path).unwrap(), &mut found).unwrap();
        found
    }

    /// The draft with this id, or the first whose id starts with it.
    pub(crate) fn draft(&self, id: &str) -> &Draft {
        let ids: Vec<_> = self.drafts.iter().map(|draft| &draft.source_id).collect();
        self.drafts
            .iter()
            .find(|draft| draft.source_id.as_deref().is_some_and(|known| known.starts_with(id)))
            .unwrap_or_else(|| panic!("no draft {id} among {ids:?}"))
    }

    /// Everything about the drafts that can be compared.
    pub(crate) fn shape(&self) -> Vec<Value> {
        let mut shapes: Vec<Value> = self.drafts.iter().map(shape).collect();
        shapes.sort_by_key(Value::to_string);
        shapes
    }
}

/// A draft as one value, with its attachments' bytes.
pub(crate) fn shape(draft: &Draft) -> Value {
    let attachments: Vec<Value> = draft
        .attachments
        .iter()
        .map(|file| serde_json::json!([file.name, file.media_type, bytes(draft, &file.name)]))
        .collect();
    serde_json::json!({
        "kind": draft.kind.as_str(),
        "source": draft.source,
        "sourceId": draft.source_id,
        "time": draft.time_ms,
        "fields": draft.fields,
        "attachments": attachments,
    })
}

/// An attachment's bytes.
pub(crate) fn bytes(draft: &Draft, name: &str) -> Vec<u8> {
    let file = draft.attachments.iter().find(|file| file.name == name).unwrap();
    let mut bytes = Vec::new();
    file.content.open().unwrap().read_to_end(&mut bytes).unwrap();
    bytes
}
