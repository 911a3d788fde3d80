// SPDX-License-Identifier: MIT OR Apache-2.0
//! A record-to-be, as a foreign export tells it, and the way a reader hands it on.
//!
//! Readers stream: they hand on one [`Finding`] at a time and never hold an archive. Whether a draft
//! is new, merged or unchanged is the vault's to say; a reader only says what it saw.

use std::io::{self, Read};
use std::sync::Arc;

use aura_vault::record::{Category, Fields, Kind};

/// The bytes of an attachment, opened when (and as often as) the vault wants them.
///
/// The vault reads once to learn the SHA-256 and, if the bytes are new, once more to seal them, so
/// that no attachment is ever held in memory or written to a temporary file in the clear.
pub trait Content: Send + Sync {
    /// Starts reading from the first byte.
    ///
    /// # Errors
    /// When the export cannot be read any more.
    fn open(&self) -> io::Result<Box<dyn Read + '_>>;
}

/// Bytes that are in memory already (a mail's parts).
impl Content for Vec<u8> {
    fn open(&self) -> io::Result<Box<dyn Read + '_>> {
        Ok(Box::new(self.as_slice()))
    }
}

/// A file that goes with a draft.
#[derive(Clone)]
pub struct Attachment {
    /// The file's name, without a path.
    pub name: String,
    /// Its media type, `application/octet-stream` when unknown.
    pub media_type: String,
    /// Its bytes.
    pub content: Arc<dyn Content>,
}

/// A record-to-be.
#[derive(Clone)]
pub struct Draft {
    /// The schema of `fields`.
    pub kind: Kind,
    /// Where it belongs; `kind.category()` unless the export says otherwise.
    pub category: Category,
    /// Which format it came from: `markdown`, `mbox`, `chatgpt` … (a lower-case word).
    pub source: &'static str,
    /// What identifies it in that source, stable across exports; `None` when the source has no
    /// such thing, and then the content itself identifies it.
    pub source_id: Option<String>,
    /// When it happened or was written, in milliseconds since 1970 (UTC), if it says so. Must
    /// resolve to the same value on every re-import.
    pub time_ms: Option<i64>,
    /// The record's fields. What the standard form has no place for is kept under `extra`.
    pub fields: Fields,
    /// Files that belong to it.
    pub attachments: Vec<Attachment>,
}

/// What a reader found at one place of an export.
pub enum Finding {
    /// A record-to-be.
    Draft(Box<Draft>),
    /// Something that is not imported on purpose, with a reason a person understands.
    Skipped {
        /// Where in the export (a path, a path and a line, an id).
        place: String,
        /// Why.
        reason: String,
    },
    /// Something that should have been imported and could not be read.
    Failed {
        /// Where in the export.
        place: String,
        /// What is wrong with it.
        reason: String,
    },
}

/// What takes findings. The implementor may stop the reader (the vault locked, the disk filled).
pub trait Sink {
    /// Takes one finding. `progress` tells how many bytes of the input have been read so far.
    ///
    /// # Errors
    /// When the reader must stop; it returns [`Stop`] unchanged.
    fn take(&mut self, finding: Finding, progress: u64) -> Result<(), Stop>;
}

/// The sink asked to stop; what it knows about the reason it keeps itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("import stopped by its receiver")]
pub struct Stop;
