// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the rest of the vault reads off a record's fields: its time, its origin, its attachments.
//!
//! Members that begin with `aura:` speak about the record: `aura:source`, `aura:sourceId`,
//! `aura:content` (hash of what an import read), `aura:time` (milliseconds since 1970) and
//! `aura:blobs/<id>`, one for each attachment. Source: spec/record.md, rules REC-1 to REC-5.

use std::borrow::Cow;
use std::collections::BTreeSet;

use aura_protocol::id::{BlobId, ChunkName, Hash, RecordId};

use crate::blob::BlobRef;
use crate::json;
use crate::op::{Change, Op};
use crate::state::{BLOB_PREFIX, State};

/// Which format a record came from.
pub const SOURCE: &str = "aura:source";
/// What identified it there.
pub const SOURCE_ID: &str = "aura:sourceId";
/// The hash of what was read there.
pub const CONTENT: &str = "aura:content";
/// When it happened or was written, in milliseconds since 1970.
pub const TIME: &str = "aura:time";

/// The text of a field that holds JSON text.
pub fn text(state: &State, path: &str) -> Option<String> {
    json::text(state.value(path)?).map(Cow::into_owned)
}

/// When the record happened: what it says itself, else when its id was made (REC-4).
pub fn time_ms(state: &State, id: RecordId) -> i64 {
    state.value(TIME).and_then(|text| text.parse().ok()).unwrap_or_else(|| made_ms(id))
}

/// When a record's id was made.
pub fn made_ms(id: RecordId) -> i64 {
    id.0.iter().take(6).fold(0, |ms, byte| ms << 8 | i64::from(*byte))
}

/// The key under which an import finds a record again: a hash of source and its id there (REC-5).
pub fn origin_key(source: &str, source_id: &str) -> [u8; 16] {
    let length = (source.len() as u64).to_be_bytes();
    let Hash(hash) = Hash::of(&[&length, source.as_bytes(), source_id.as_bytes()]);
    let mut key = [0; 16];
    key.iter_mut().zip(hash).for_each(|(to, from)| *to = from);
    key
}

/// A record's origin: its key, and the hash of what was read.
pub(crate) fn origin(state: &State) -> Option<([u8; 16], Vec<u8>)> {
    let source = text(state, SOURCE)?;
    let source_id = text(state, SOURCE_ID)?;
    let content = text(state, CONTENT)?;
    Some((origin_key(&source, &source_id), content.into_bytes()))
}

/// The chunks that ops name.
pub(crate) fn chunk_names<'a>(ops: impl Iterator<Item = &'a Op>) -> BTreeSet<ChunkName> {
    let fields = ops.filter_map(|op| match &op.change {
        Change::Write { fields, .. } => Some(fields),
        _ => None,
    });
    let blobs = fields.flatten().filter(|(path, _)| path.starts_with(BLOB_PREFIX));
    let blobs = blobs.filter_map(|(_, text)| BlobRef::parse(text.as_deref()?));
    blobs.flat_map(|blob| blob.chunk_names()).collect()
}

/// A record's attachments.
pub fn blobs(state: &State) -> Vec<(BlobId, BlobRef)> {
    blobs_of(state.values())
}

/// The attachments among paths and texts.
pub(crate) fn blobs_of<'a>(
    values: impl Iterator<Item = (&'a str, &'a str)>,
) -> Vec<(BlobId, BlobRef)> {
    let fields = values.filter_map(|(path, text)| {
        let id = BlobId::parse(path.strip_prefix(BLOB_PREFIX)?)?;
        Some((id, BlobRef::parse(text)?))
    });
    fields.collect()
}
