// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the database's errors mean to a caller of a store.

use aura_protocol::store::StoreError;
use postgres::Error;
use postgres::error::SqlState;

/// What may be told of an error of the database: its detail names rows, and those name vaults.
#[derive(Debug, thiserror::Error)]
#[error("{severity} {code}")]
struct Told {
    severity: String,
    code: String,
}

/// The store's word for an error of the database.
pub(super) fn failed(error: Error) -> StoreError {
    match error.code() {
        Some(code) if *code == SqlState::DISK_FULL => StoreError::Full,
        Some(code) if *code == SqlState::DATA_CORRUPTED || *code == SqlState::INDEX_CORRUPTED => {
            StoreError::Damaged("the database")
        }
        // Somebody else was slow.
        Some(code)
            if *code == SqlState::LOCK_NOT_AVAILABLE
                || *code == SqlState::QUERY_CANCELED
                || *code == SqlState::TOO_MANY_CONNECTIONS =>
        {
            StoreError::SlowDown(1)
        }
        Some(code)
            if *code == SqlState::ADMIN_SHUTDOWN
                || *code == SqlState::CRASH_SHUTDOWN
                || *code == SqlState::CANNOT_CONNECT_NOW =>
        {
            StoreError::Unreachable("the database is going down or coming up")
        }
        // Without a code it never came so far that the database answered.
        None if error.is_closed() => {
            StoreError::Unreachable("the database has closed the connection")
        }
        _ => StoreError::Database(match error.as_db_error() {
            Some(told) => Box::new(Told {
                severity: told.severity().to_owned(),
                code: told.code().code().to_owned(),
            }),
            None => Box::new(error),
        }),
    }
}
