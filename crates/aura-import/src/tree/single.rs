// SPDX-License-Identifier: MIT OR Apache-2.0
//! One file as a tree of one entry.

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::folder::modified_ms;
use super::{Entry, Refusal, Tree, position};

pub(super) struct SingleTree {
    path: PathBuf,
    folder: String,
    entry: [Entry; 1],
}

impl SingleTree {
    pub(super) fn new(path: &Path, (label, folder): (String, String), about: &Metadata) -> Self {
        let entry = Entry { path: label, size: about.len(), modified_ms: modified_ms(about) };
        Self { path: path.to_owned(), folder, entry: [entry] }
    }
}

impl Tree for SingleTree {
    fn label(&self) -> &str {
        let [entry] = &self.entry;
        &entry.path
    }

    fn entries(&self) -> &[Entry] {
        &self.entry
    }

    fn open(&self, path: &str) -> io::Result<Box<dyn Read + Send + '_>> {
        position(&self.entry, path)?;
        Ok(Box::new(File::open(&self.path)?))
    }

    fn refused(&self) -> &[Refusal] {
        &[]
    }

    fn folder_name(&self) -> &str {
        &self.folder
    }
}
