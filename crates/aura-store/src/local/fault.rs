// SPDX-License-Identifier: MIT OR Apache-2.0
//! What SQLite's and the file system's errors mean to a caller of a store.

use std::io;

use aura_protocol::store::StoreError;
use rusqlite::{Error, ErrorCode, ffi};

/// The store's word for an error of SQLite.
pub(super) fn failed(error: Error) -> StoreError {
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => StoreError::Full,
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            StoreError::Damaged("store.db")
        }
        _ => StoreError::Database(Box::new(error)),
    }
}

/// The store's word for an error of the file system.
pub(crate) fn io_failed(error: io::Error) -> StoreError {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            StoreError::Full
        }
        _ => StoreError::Io(error),
    }
}

/// Whether the file's state on disk is unknown after this error: a sync that failed once may have
/// dropped what it should have written, and says nothing the second time (F-04).
pub(super) fn is_fatal(error: &StoreError) -> bool {
    let StoreError::Database(source) = error else { return false };
    let code = source.downcast_ref::<Error>().and_then(Error::sqlite_error);
    code.is_some_and(|code| {
        matches!(
            code.extended_code,
            ffi::SQLITE_IOERR_FSYNC | ffi::SQLITE_IOERR_DIR_FSYNC | ffi::SQLITE_IOERR_CLOSE
        )
    })
}
