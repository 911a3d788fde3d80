// SPDX-License-Identifier: MIT OR Apache-2.0
//! The text files of the checkout, tracked or about to be.

use std::fs;

use anyhow::Result;

use crate::run::{Checkout, output};

/// Files larger than this many bytes are test data and are not read.
const SIZE_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// One text file.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    /// Where it is, relative to the root, with forward slashes.
    pub(crate) path: String,
    /// What it says.
    pub(crate) text: String,
}

impl Source {
    /// Whether the file's name ends in a dot and this.
    pub(crate) fn has_extension(&self, extension: &str) -> bool {
        self.path.rsplit_once('.').is_some_and(|(_, found)| found == extension)
    }

    /// Whether it is Rust.
    pub(crate) fn is_rust(&self) -> bool {
        self.has_extension("rs")
    }

    /// Whether it is in this folder, at any depth.
    pub(crate) fn is_in(&self, folder: &str) -> bool {
        self.path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
    }
}

/// Reads every text file that Git tracks or would add. What is not UTF-8 is not text.
pub(crate) fn read_all(checkout: &Checkout) -> Result<Vec<Source>> {
    let mut ask = checkout.program("git");
    ask.args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
    let listed = output(&mut ask)?;
    let mut sources = Vec::new();
    for path in listed.split('\0').filter(|path| !path.is_empty()) {
        let full = checkout.root.join(path);
        // A file that was removed but is still in Git's index is none.
        let Ok(facts) = fs::symlink_metadata(&full) else {
            continue;
        };
        if !facts.is_file() || facts.len() > SIZE_BYTES_MAX {
            continue;
        }
        if let Ok(text) = String::from_utf8(fs::read(&full)?) {
            sources.push(Source { path: path.to_owned(), text });
        }
    }
    sources.sort_by(|a, b| a.path.cmp(&b.path));
    sources.dedup_by(|a, b| a.path == b.path);
    Ok(sources)
}

#[cfg(test)]
pub(crate) fn sample(path: &str, text: &str) -> Source {
    Source { path: path.to_owned(), text: text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_not_a_prefix_of_its_neighbour() {
        assert!(sample("crates/aura/src/main.rs", "").is_in("crates/aura"));
        assert!(!sample("crates/aura-vault/src/lib.rs", "").is_in("crates/aura"));
    }
}
