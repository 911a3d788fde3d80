// SPDX-License-Identifier: MIT OR Apache-2.0
//! From what somebody wants a record to say, to the fields that must be written.
//!
//! Only differences are written, so that two devices that change different fields do not meet.
//! Source: spec/ops.md, rules OPS-8 and OPS-12.

use std::collections::BTreeMap;

use aura_protocol::id::RecordId;
use sha2::{Digest, Sha256};

use crate::json;
use crate::op::Change;
use crate::record::{Category, Fields, Kind};
use crate::state::State;

/// Paths and the canonical texts to write there; `None` removes.
pub type Writes = BTreeMap<String, Option<String>>;

/// The largest record, as canonical text, in bytes.
pub const RECORD_BYTES_MAX: usize = 8 << 20;

/// How many bytes a write takes, about.
pub fn size_bytes(writes: &Writes) -> usize {
    let of = |(path, value): (&String, &Option<String>)| {
        path.len().saturating_add(value.as_ref().map_or(0, String::len))
    };
    writes.iter().map(of).fold(0, usize::saturating_add)
}

/// What creates a record with these values.
pub fn create(flat: BTreeMap<String, String>) -> Writes {
    flat.into_iter().map(|(path, value)| (path, Some(value))).collect()
}

/// What makes the named fields of a record say this and leaves its other fields alone.
pub fn edit(state: &State, set: &Fields, remove: &[String]) -> Writes {
    let flat = json::flatten(set);
    let names: Vec<String> = set.keys().chain(remove).map(|name| json::path_of(name)).collect();
    let belongs = |path: &str| {
        names.iter().any(|name| {
            path.strip_prefix(name.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
    };
    let gone = state.values().filter(|(path, _)| belongs(path) && !flat.contains_key(*path));
    let mut writes: Writes = gone.map(|(path, _)| (path.to_owned(), None)).collect();
    let changed = flat.into_iter().filter(|(path, text)| state.value(path) != Some(text));
    writes.extend(changed.map(|(path, text)| (path, Some(text))));
    writes
}

/// What turns one state's values into another's.
pub fn revert(from: &State, to: &State) -> Writes {
    let gone = from.values().filter(|(path, _)| to.value(path).is_none());
    let mut writes: Writes = gone.map(|(path, _)| (path.to_owned(), None)).collect();
    let changed = to.values().filter(|(path, text)| from.value(path) != Some(text));
    writes.extend(changed.map(|(path, text)| (path.to_owned(), Some(text.to_owned()))));
    writes
}

/// What an import that now reads `flat` and once read `base` means for a record that a person may have
/// changed since: what the source changed is written, what the person changed stays (OPS-19).
pub fn merge(state: &State, base: &State, flat: &BTreeMap<String, String>) -> Writes {
    let mut writes = Writes::new();
    for (path, text) in flat {
        if base.value(path) != Some(text) && state.value(path) != Some(text) {
            writes.insert(path.clone(), Some(text.clone()));
        }
    }
    for (path, text) in base.values() {
        if !flat.contains_key(path) && state.value(path) == Some(text) {
            writes.insert(path.to_owned(), None);
        }
    }
    writes
}

/// The op that writes these fields, naming what it replaces.
pub fn write_op(record: RecordId, kind: Kind, state: &State, fields: Writes) -> Change {
    let seen = state.seen(fields.keys().map(String::as_str));
    Change::Write { record, kind: kind.code(), fields, seen }
}

/// The hash of what an import read: kind, category and values (OPS-18).
pub fn content_hash(kind: Kind, category: Category, flat: &BTreeMap<String, String>) -> String {
    let texts = || flat.iter().flat_map(|(path, text)| [path, text]);
    let bytes = texts().map(|text| text.len().saturating_add(8)).fold(2, usize::saturating_add);
    let mut said = Vec::with_capacity(bytes);
    said.extend([kind.code(), category.code()]);
    for text in texts() {
        said.extend_from_slice(&(text.len() as u64).to_be_bytes());
        said.extend_from_slice(text.as_bytes());
    }
    let hash: [u8; 32] = Sha256::digest(&said).into();
    let digit = |value: u8| char::from_digit(u32::from(value), 16).unwrap_or_default();
    hash.iter().take(16).flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}
