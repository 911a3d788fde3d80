// SPDX-License-Identifier: MIT OR Apache-2.0
//! A folder on this computer. Links are not followed: they may lead anywhere, and in circles.

use std::fs::{self, DirEntry, File, Metadata};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use super::{DEPTH_MAX, ENTRIES_MAX, Entry, Refusal, Refusals, TOO_MANY, Tree, Weight, position};

pub(super) struct FolderTree {
    root: PathBuf,
    label: String,
    entries: Vec<Entry>,
    refused: Vec<Refusal>,
}

impl FolderTree {
    pub(super) fn open(root: &Path, label: String) -> Self {
        let mut walk = Walk::default();
        let mut waiting = vec![(root.to_owned(), String::new(), 0_usize)];
        while let Some((folder, prefix, depth)) = waiting.pop() {
            if depth > DEPTH_MAX {
                walk.refused.add(
                    Weight::Failed,
                    &prefix,
                    "it is nested deeper than this program reads",
                );
                continue;
            }
            let Ok(listing) = fs::read_dir(&folder) else {
                walk.refused.add(Weight::Failed, &prefix, "this folder may not be read");
                continue;
            };
            for found in listing {
                if walk.entries.len() >= ENTRIES_MAX {
                    walk.refused.add(Weight::Failed, &label, TOO_MANY);
                    waiting.clear();
                    break;
                }
                if let Some(deeper) = walk.see(found, &prefix) {
                    waiting.push((deeper.0, deeper.1, depth + 1));
                }
            }
        }
        let mut entries = walk.entries;
        entries.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        let mut refused = walk.refused.finish(&label);
        refused.sort_unstable_by(|a, b| a.place.cmp(&b.place));
        Self { root: root.to_owned(), label, entries, refused }
    }
}

#[derive(Default)]
struct Walk {
    entries: Vec<Entry>,
    refused: Refusals,
}

impl Walk {
    /// Takes one directory entry; gives it back if it is a folder to walk.
    fn see(&mut self, found: io::Result<DirEntry>, prefix: &str) -> Option<(PathBuf, String)> {
        let Ok(found) = found else {
            self.refused.add(Weight::Failed, prefix, "a part of this folder could not be listed");
            return None;
        };
        let name = found.file_name();
        let Some(name) = name.to_str() else {
            let shown = format!("{prefix}{}", name.to_string_lossy());
            self.refused.add(
                Weight::Failed,
                &shown,
                "its name is not Unicode text; rename it and import again",
            );
            return None;
        };
        let path = format!("{prefix}{name}");
        let Ok(kind) = found.file_type() else {
            self.refused.add(Weight::Failed, &path, "it could not be looked at");
            return None;
        };
        if kind.is_symlink() {
            let reason = "it is a link to another place; links are not followed";
            self.refused.add(Weight::Skipped, &path, reason);
            return None;
        }
        if kind.is_dir() {
            return Some((found.path(), format!("{path}/")));
        }
        if !kind.is_file() {
            self.refused.add(Weight::Skipped, &path, "it is not an ordinary file");
            return None;
        }
        match found.metadata() {
            Ok(about) => self.entries.push(Entry {
                path,
                size: about.len(),
                modified_ms: modified_ms(&about),
            }),
            Err(_) => self.refused.add(Weight::Failed, &path, "it could not be looked at"),
        }
        None
    }
}

impl Tree for FolderTree {
    fn label(&self) -> &str {
        &self.label
    }

    fn folder_name(&self) -> &str {
        &self.label
    }

    fn entries(&self) -> &[Entry] {
        &self.entries
    }

    fn open(&self, path: &str) -> io::Result<Box<dyn Read + Send + '_>> {
        position(&self.entries, path)?;
        Ok(Box::new(File::open(self.root.join(path))?))
    }

    fn refused(&self) -> &[Refusal] {
        &self.refused
    }
}

/// When a file was last changed, in milliseconds since 1970; `None` before that.
pub(super) fn modified_ms(about: &Metadata) -> Option<i64> {
    let since = about.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
    i64::try_from(since.as_millis()).ok()
}
