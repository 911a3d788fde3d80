// SPDX-License-Identifier: MIT OR Apache-2.0
//! A record-to-be, as a foreign export tells it, and the way a reader hands it on.
//!
//! Readers stream: they hand on one [`Finding`] at a time and never hold an archive. Whether a draft
//! is new, merged or unchanged is the vault's to say; a reader only says what it saw.

pub use aura_vault::record::{Attachment, Content, Draft};

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
