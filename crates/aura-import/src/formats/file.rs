// SPDX-License-Identifier: MIT OR Apache-2.0
//! Any file that is nothing more particular: a file record with its bytes, and its text if it has one.

use std::io::Read;
use std::sync::Arc;

use aura_vault::record::{Fields, Kind};

use super::ending::{file_name, media_type};
use crate::draft::{Attachment, Draft, Finding, Sink, Stop};
use crate::tree::{self, Entry, Tree, TreeContent, entry};

/// Text files up to this size can be searched by their text.
const TEXT_BYTES_MAX: u64 = 1 << 20;

/// A record for each of the files.
pub(crate) fn read_tree(
    tree: &Arc<dyn Tree>,
    paths: &[String],
    sink: &mut dyn Sink,
) -> Result<(), Stop> {
    let mut progress = 0_u64;
    let mut hidden = Hidden::default();
    for path in paths {
        if hidden.takes(path) {
            continue;
        }
        let Some(entry) = entry(tree.as_ref(), path) else { continue };
        progress = progress.saturating_add(entry.size);
        sink.take(Finding::Draft(Box::new(draft(tree, entry, "file"))), progress)?;
    }
    hidden.tell(sink, progress)
}

/// Files of settings and leavings of systems, told by folder and not one by one.
#[derive(Default)]
pub(crate) struct Hidden<'p> {
    roots: Vec<(&'p str, u64)>,
}

impl<'p> Hidden<'p> {
    /// Whether the path is of that sort. Paths come sorted.
    pub(crate) fn takes(&mut self, path: &'p str) -> bool {
        let Some(root) = hidden_root(path) else { return false };
        match self.roots.last_mut() {
            Some((last, count)) if *last == root => *count = count.saturating_add(1),
            _ => self.roots.push((root, 1)),
        }
        true
    }

    pub(crate) fn tell(self, sink: &mut dyn Sink, progress: u64) -> Result<(), Stop> {
        for (place, count) in self.roots {
            let reason = match count {
                1 => "a file of settings of another program".to_owned(),
                _ => format!("settings of another program ({count} files)"),
            };
            sink.take(Finding::Skipped { place: place.to_owned(), reason }, progress)?;
        }
        Ok(())
    }
}

/// The path up to its first part that starts with a dot (`.obsidian`, `.trash`, `.git`), or that
/// macOS adds to its archives.
pub(crate) fn hidden_root(path: &str) -> Option<&str> {
    let mut end = 0_usize;
    for part in path.split('/') {
        end += part.len();
        if part.starts_with('.') || part == "__MACOSX" {
            return path.get(..end);
        }
        end += 1;
    }
    None
}

/// The record of one file.
pub(crate) fn draft(tree: &Arc<dyn Tree>, entry: &Entry, source: &'static str) -> Draft {
    let name = file_name(&entry.path);
    let mut fields = Fields::new();
    fields.insert("name".to_owned(), name.into());
    fields.insert("encodingFormat".to_owned(), media_type(name).into());
    fields.insert("contentSize".to_owned(), entry.size.into());
    if let Some(text) = text(tree, entry) {
        fields.insert("text".to_owned(), text.into());
    }
    Draft {
        kind: Kind::File,
        category: Kind::File.category(),
        source,
        source_id: Some(tree::source_id(tree.as_ref(), &entry.path)),
        time_ms: entry.modified_ms,
        fields,
        attachments: vec![attachment(tree, &entry.path)],
    }
}

/// A file of the tree as an attachment.
pub(crate) fn attachment(tree: &Arc<dyn Tree>, path: &str) -> Attachment {
    let name = file_name(path);
    Attachment {
        name: name.to_owned(),
        media_type: media_type(name).to_owned(),
        content: Arc::new(TreeContent { tree: Arc::clone(tree), path: path.to_owned() }),
    }
}

fn text(tree: &Arc<dyn Tree>, entry: &Entry) -> Option<String> {
    if !matches!(media_type(&entry.path), "text/plain") || entry.size > TEXT_BYTES_MAX {
        return None;
    }
    let mut bytes = Vec::new();
    tree.open(&entry.path).ok()?.take(TEXT_BYTES_MAX).read_to_end(&mut bytes).ok()?;
    String::from_utf8(bytes).ok().filter(|text| !text.contains('\0'))
}
