// SPDX-License-Identifier: MIT OR Apache-2.0
//! The shelf that a database is joined to, by a mark that both have.
//!
//! A disk that is not mounted and somebody else's bucket look like a shelf that has lost everything, and take what is put
//! there: the mark tells them apart. Whatever a shelf refuses is this service's own matter, and no device's.
//! Source: spec/store.md, rule STO-44.

use std::sync::Arc;

use aura_protocol::id::VaultId;
use aura_protocol::store::StoreError;
use postgres::Client;

use super::OpenError;
use super::moment::bytes;
use crate::shelf::{Place, Shelf};

/// Among whose objects the mark is: no vault has this id.
const NOBODY: VaultId = VaultId([0; 32]);
const MARK: &[u8] = b"This place keeps the sealed chunks of an Aura service.\n";

const AWAY: StoreError =
    StoreError::Unreachable("the place for chunks is not the database's own, or is not mounted");

/// A shelf that is the database's own.
pub(super) struct Joined {
    shelf: Arc<dyn Shelf>,
    mark: Place,
}

impl Joined {
    /// Joins them, the first time by making the mark. A shelf that does not answer now may do so later.
    pub(super) fn begin(client: &mut Client, shelf: Arc<dyn Shelf>) -> Result<Self, OpenError> {
        let mut transaction = client.transaction().map_err(OpenError::from_engine)?;
        let alone = "LOCK TABLE shelves IN EXCLUSIVE MODE";
        transaction.batch_execute(alone).map_err(OpenError::from_engine)?;
        let found = transaction.query("SELECT mark FROM shelves", &[]);
        let known = found.map_err(OpenError::from_engine)?;
        let sql = "INSERT INTO shelves (mark) VALUES (uuid_send(gen_random_uuid())) RETURNING mark";
        let rows = if known.is_empty() {
            &transaction.query(sql, &[]).map_err(OpenError::from_engine)?
        } else {
            &known
        };
        let mark = rows.first().and_then(|row| bytes(row, 0)?.try_into().ok()).map(Place);
        let mark = mark.ok_or(OpenError::Store(StoreError::Damaged("the mark of its shelf")))?;
        let joined = Self { shelf, mark };
        if known.is_empty() {
            joined.shelf.put(NOBODY, mark, MARK).map_err(own).map_err(OpenError::Store)?;
        } else if matches!(joined.has_mark(), Ok(false)) {
            return Err(OpenError::Shelf { mark: format!("{NOBODY}/{mark}") });
        }
        transaction.commit().map_err(OpenError::from_engine)?;
        Ok(joined)
    }

    /// The two as they were joined; nothing where they never were. Nothing is made.
    pub(super) fn as_is(
        client: &mut Client,
        shelf: Arc<dyn Shelf>,
    ) -> Result<Option<Self>, OpenError> {
        let rows = client.query("SELECT mark FROM shelves", &[]).map_err(OpenError::from_engine)?;
        let Some(row) = rows.first() else { return Ok(None) };
        let mark = bytes(row, 0).and_then(|mark| mark.try_into().ok()).map(Place);
        let mark = mark.ok_or(OpenError::Store(StoreError::Damaged("the mark of its shelf")))?;
        let joined = Self { shelf, mark };
        if matches!(joined.has_mark(), Ok(false)) {
            return Err(OpenError::Shelf { mark: format!("{NOBODY}/{mark}") });
        }
        Ok(Some(joined))
    }

    fn has_mark(&self) -> Result<bool, StoreError> {
        Ok(self.shelf.read(NOBODY, self.mark).map_err(own)?.is_some())
    }

    fn is_there(&self) -> Result<(), StoreError> {
        if self.has_mark()? { Ok(()) } else { Err(AWAY) }
    }

    /// Keeps bytes in a place where nothing is.
    pub(super) fn put(&self, vault: VaultId, at: Place, sealed: &[u8]) -> Result<(), StoreError> {
        self.is_there()?;
        self.shelf.put(vault, at, sealed).map_err(own)
    }

    /// What is in a place; `None` only where it is lost.
    pub(super) fn read(&self, vault: VaultId, at: Place) -> Result<Option<Vec<u8>>, StoreError> {
        let found = self.shelf.read(vault, at).map_err(own)?;
        if found.is_none() {
            self.is_there()?;
        }
        Ok(found)
    }

    /// Takes away what is in a place.
    pub(super) fn remove(&self, vault: VaultId, at: Place) -> Result<(), StoreError> {
        self.is_there()?;
        self.shelf.remove(vault, at).map_err(own)
    }
}

/// What a shelf says, as it concerns a device: that this store cannot do it now.
fn own(error: StoreError) -> StoreError {
    let why = match error {
        StoreError::Unreachable(_)
        | StoreError::SlowDown(_)
        | StoreError::Damaged(_)
        | StoreError::Server(_)
        | StoreError::Io(_) => return error,
        StoreError::Full => "the place for chunks is full",
        StoreError::Forbidden | StoreError::Unauthenticated => {
            "the place for chunks does not let this service in"
        }
        StoreError::Absent => "the place for chunks is not there",
        _ => "the place for chunks does not do what it should",
    };
    StoreError::Unreachable(why)
}
