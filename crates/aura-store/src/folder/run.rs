// SPDX-License-Identifier: MIT OR Apache-2.0
//! A run: consecutive entries of one feed in one immutable file.
//!
//! One file per feed and push, and not one per entry, since tools that synchronise folders pay for every
//! file; not one file that grows, since those tools move whole files and make two of them when two
//! devices write. Source: spec/folder.md, rules FLD-5 to FLD-9.

use aura_protocol::codec::{CodecError, Decode, Encode, Reader, Writer};
use aura_protocol::entry::Entry;
use aura_protocol::limits::{ENTRY_BODY_BYTES_MAX, ENTRY_HEADER_BYTES_MAX, READ_ENTRIES_MAX};

/// A run ends with the entry that reaches or passes this size, in bytes.
pub(super) const RUN_BYTES: usize = 8 << 20;
/// Entries in one run.
pub(super) const RUN_ENTRIES_MAX: usize = READ_ENTRIES_MAX;
/// The largest file of a run.
pub(super) const RUN_FILE_BYTES_MAX: usize =
    RUN_BYTES + ENTRY_BODY_BYTES_MAX + ENTRY_HEADER_BYTES_MAX + 32 * RUN_ENTRIES_MAX;

/// Splits entries of one feed into runs.
pub(super) fn split(entries: &[Entry]) -> Vec<&[Entry]> {
    let mut runs = Vec::new();
    let (mut start, mut bytes) = (0, 0usize);
    for (at, entry) in entries.iter().enumerate() {
        bytes = bytes.saturating_add(entry.header_bytes().len()).saturating_add(entry.body().len());
        let end = at.saturating_add(1);
        if bytes >= RUN_BYTES || end.saturating_sub(start) >= RUN_ENTRIES_MAX {
            runs.extend(entries.get(start..end));
            (start, bytes) = (end, 0);
        }
    }
    runs.extend(entries.get(start..).filter(|rest| !rest.is_empty()));
    runs
}

/// The file's bytes.
pub(super) fn encode(entries: &[Entry]) -> Vec<u8> {
    let mut writer = Writer::new();
    writer.array(entries.len());
    entries.iter().for_each(|entry| entry.encode(&mut writer));
    writer.into_bytes()
}

/// The entries in a file's bytes; each links to the one before it.
pub(super) fn decode(bytes: &[u8]) -> Result<Vec<Entry>, CodecError> {
    let mut reader = Reader::new(bytes);
    let entries = reader.array(RUN_ENTRIES_MAX, Entry::decode)?;
    reader.finish()?;
    let links = entries.windows(2).all(|pair| match pair {
        [before, after] => after.follows(before.header().number, &before.hash()),
        _ => true,
    });
    if links { Ok(entries) } else { Err(CodecError::Bounds) }
}
