// SPDX-License-Identifier: MIT OR Apache-2.0
//! Why a search, or the index, failed. No text, file name or key is repeated.

use std::io;

use tantivy::TantivyError;
use tantivy::directory::error::{OpenReadError, OpenWriteError};

/// Why the index could not do what it was asked. Nothing but the index is concerned: it is a view,
/// and the vault makes it again from the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SearchError {
    /// There is none.
    #[error("expected a search index; make it again from the log")]
    Missing,
    /// It is torn, altered, or sealed with another key.
    #[error("expected an undamaged search index; make it again from the log")]
    Damaged,
    /// It was made by another version.
    #[error("expected a search index of this version; make it again from the log")]
    Outdated,
    /// The file system refused.
    #[error("expected to read and write the search index: {0}")]
    Io(io::ErrorKind),
    /// More than a payload may have.
    #[error("expected a payload of at most 1 MiB")]
    PayloadTooLong,
    /// The index stopped after an earlier failure; it has to be opened again.
    #[error("expected a running search index; open it again")]
    Stopped,
}

impl SearchError {
    pub(super) fn of(error: &TantivyError) -> Self {
        match error {
            TantivyError::OpenReadError(
                OpenReadError::FileDoesNotExist(_) | OpenReadError::IncompatibleIndex(_),
            )
            | TantivyError::IncompatibleIndex(_)
            | TantivyError::DataCorruption(_)
            | TantivyError::SchemaError(_)
            | TantivyError::FieldNotFound(_)
            | TantivyError::DeserializeError(_) => Self::Damaged,
            TantivyError::OpenReadError(OpenReadError::IoError { io_error, .. })
            | TantivyError::OpenWriteError(OpenWriteError::IoError { io_error, .. })
            | TantivyError::IoError(io_error) => io_error.as_ref().into(),
            _ => Self::Stopped,
        }
    }
}

impl From<&io::Error> for SearchError {
    fn from(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => Self::Damaged,
            io::ErrorKind::NotFound => Self::Missing,
            kind => Self::Io(kind),
        }
    }
}

impl From<io::Error> for SearchError {
    fn from(error: io::Error) -> Self {
        (&error).into()
    }
}
