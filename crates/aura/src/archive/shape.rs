// SPDX-License-Identifier: MIT OR Apache-2.0
//! What an archive's lines say. Source: spec/archive.md, rules ARC-2 to ARC-5.

use serde::{Deserialize, Serialize};

/// The format's number.
pub(super) const FORMAT: u32 = 1;
/// How an archive begins.
pub(super) const BEGINNING: &str = "{\"aura_archive\":";
/// Bytes of a file in one line (ARC-4).
pub(super) const PIECE_BYTES: usize = 192 << 10;

/// The first line.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Header {
    pub(super) aura_archive: u32,
    pub(super) time: String,
}

/// A record's line (ARC-3).
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Entry {
    pub(super) id: String,
    pub(super) kind: String,
    pub(super) category: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) time_ms: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) source: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) source_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) content: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) attachments: Vec<FileEntry>,
    /// Files that could not be read when the archive was written.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) lost: Vec<FileEntry>,
    pub(super) fields: serde_json::Map<String, serde_json::Value>,
}

/// A file of a record; its pieces follow the record's line, in order.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct FileEntry {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) media_type: String,
    pub(super) size: u64,
    pub(super) sha256: String,
}

/// The last line (ARC-5).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct End {
    pub(super) records: u64,
    pub(super) attachments: u64,
    pub(super) state_hash: String,
    /// Categories that were behind a shut second lock and are not in it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) missing: Vec<String>,
}
