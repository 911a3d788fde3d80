// SPDX-License-Identifier: MIT OR Apache-2.0
//! One pair of views: a database and a search index, and how far the index has been brought.
//!
//! A vault has one pair for what the first lock opens, and one more, with files and keys of its own, for
//! what is behind the second lock. A view that is damaged, missing or of another version is made anew
//! and filled from the log by `crate::open`. Source: docs/decisions/0003-views.md, rule DIR-7.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;

use aura_protocol::id::FeedId;

use crate::db::{Db, DbError, Opened};
use crate::keyring::ViewKeys;
use crate::search::{Index, Keys, Params, SearchError};

/// Why a pair of views was not opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ViewError {
    /// The database failed.
    #[error(transparent)]
    Db(#[from] DbError),
    /// The index failed.
    #[error(transparent)]
    Search(#[from] SearchError),
}

/// A database and an index.
pub(crate) struct Views {
    pub(crate) db: Db,
    pub(crate) index: Index,
    /// Up to which entry of each feed the index has been told.
    pub(crate) indexed: Mutex<BTreeMap<FeedId, u64>>,
}

impl Views {
    /// Opens the database and the index in these places; what is of no use there is made anew, empty.
    pub(crate) fn open(
        (database, index): (&Path, &Path),
        keys: &ViewKeys,
        index_keys: &dyn Fn() -> Keys,
        positions: impl Fn(&[u8]) -> Option<BTreeMap<FeedId, u64>>,
    ) -> Result<Self, ViewError> {
        let db = match Db::open(database, keys.database_key()) {
            Err(error) if error.is_damage() => {
                Db::remove(database)?;
                Db::open(database, keys.database_key())
            }
            other => other,
        };
        let (db, opened) = db?;
        let index = match (opened, Index::open(index, index_keys(), Params::default())) {
            // A database that was built again, or an index that is of no use: both start from the log.
            (Opened::New, _)
            | (_, Err(SearchError::Missing | SearchError::Damaged | SearchError::Outdated)) => {
                Index::create(index, index_keys(), Params::default())?
            }
            (_, index) => index?,
        };
        let indexed = index.payload().and_then(|bytes| positions(&bytes)).unwrap_or_default();
        Ok(Self { db, index, indexed: Mutex::new(indexed) })
    }
}
