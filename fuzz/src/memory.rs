// SPDX-License-Identifier: MIT OR Apache-2.0
//! Files in memory, as an import sees them.
//!
//! Names are chosen from a list, because readers go by what a file holds and only sometimes by its
//! name; names that somebody chose are for the archives.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::sync::Arc;

use aura_import::tree::{Entry, Refusal, Tree};

use crate::input::chosen;

/// Between two files of one input: ASCII's record separator.
const BETWEEN_FILES: u8 = 0x1e;
/// Files of one input.
const FILES_MAX: usize = 8;

const NAMES: [&str; 16] = [
    "vault/note.md",
    "mail.mbox",
    "mail.eml",
    "calendar.ics",
    "contacts.vcf",
    "conversations.json",
    "logins.json",
    "Takeout/Keep/note.json",
    "Records.json",
    "memory.jsonl",
    "table.csv",
    "Maildir/cur/1.host:2,S",
    "vault/other.md",
    "vault/picture.png",
    "Takeout/page.html",
    "file",
];

/// Files in memory.
pub struct Memory {
    entries: Vec<Entry>,
    files: BTreeMap<&'static str, Vec<u8>>,
}

impl Memory {
    /// The files of an input: each a byte that chooses its name, and what it holds.
    pub fn of(input: &[u8]) -> Arc<dyn Tree> {
        let mut files = BTreeMap::new();
        for file in input.split(|byte| *byte == BETWEEN_FILES).take(FILES_MAX) {
            let (name, bytes) = chosen(file);
            files.entry(NAMES[usize::from(name % 16)]).or_insert_with(|| bytes.to_vec());
        }
        let entry = |(path, bytes): (&&str, &Vec<u8>)| Entry {
            path: (*path).to_owned(),
            size: bytes.len() as u64,
            modified_ms: Some(1_700_000_000_000),
        };
        Arc::new(Self { entries: files.iter().map(entry).collect(), files })
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
        let bytes = self.files.get(path).ok_or(io::ErrorKind::NotFound)?;
        Ok(Box::new(bytes.as_slice()))
    }

    fn refused(&self) -> &[Refusal] {
        &[]
    }
}
