// SPDX-License-Identifier: MIT OR Apache-2.0
//! Both sides of an open vault as one: what the first lock opens, and what is behind the second one
//! while that is open.
//!
//! A record is on one side, which follows from its category's collection. While the second lock is
//! shut, nothing here knows of the other side but its collections. Source: spec/keyring.md, KRG-8.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use aura_protocol::id::{CollectionId, RecordId};

use super::{Open, OpenError, Side, lock};
use crate::db::{DbError, Origin, Row, Tally, Which};
use crate::keyring::Purpose;
use crate::record::Category;
use crate::search::{Hit, Query, Scope, SearchError};
use crate::views::Views;

/// Runs of origins that an import of many drafts still looks through one by one.
const ORIGIN_RUNS: usize = 2;

impl Open {
    /// The views behind the second lock, while it is open.
    pub(crate) fn second(&self) -> Option<Arc<Views>> {
        lock(&self.second).clone()
    }

    /// On which side a collection is.
    pub(crate) fn side(&self, collection: CollectionId) -> Side {
        if self.with_keyring(|keyring| keyring.is_second_locked(collection)) {
            Side::Second
        } else {
            Side::First
        }
    }

    /// Categories that are behind the second lock, whether it is open or not.
    pub(crate) fn second_categories(&self) -> Vec<Category> {
        let mut categories: Vec<Category> = self.with_keyring(|keyring| {
            let collections = keyring.second_locked().into_iter();
            let purposes = collections.filter_map(|collection| keyring.purpose(collection));
            purposes
                .filter_map(|purpose| match purpose {
                    Purpose::Category(category) => Some(category),
                    Purpose::Audit => None,
                })
                .collect()
        });
        categories.sort_unstable();
        categories.dedup();
        categories
    }

    /// Categories of which nothing is known, since the second lock is shut.
    pub(crate) fn shut_categories(&self) -> Vec<Category> {
        if self.with_keyring(crate::keyring::Keyring::is_second_open) {
            return Vec::new();
        }
        self.second_categories()
    }

    /// Whether nothing can be read or written in a category, since the second lock is shut.
    pub(crate) fn is_shut(&self, category: Category) -> bool {
        self.with_keyring(|keyring| {
            let collection = keyring.collection(Purpose::Category(category));
            collection.is_some_and(|collection| keyring.is_shut(collection))
        })
    }

    /// Entries that are kept sealed, since the second lock is shut.
    pub(crate) fn waiting_entries(&self) -> Result<u64, OpenError> {
        let waiting = self.with_keyring(crate::keyring::Keyring::waiting);
        let feeds = self.log.feeds()?.into_iter();
        let waits = |collection: &CollectionId| waiting.binary_search(collection).is_ok();
        Ok(feeds
            .filter(|(feed, _)| waits(&feed.collection))
            .map(|(_, position)| position.number)
            .sum())
    }

    /// Notes that something behind the second lock was used, so that it does not shut itself yet.
    pub(crate) fn use_second(&self) {
        self.second_uses.fetch_add(1, Ordering::Relaxed);
    }

    /// A record, deleted or not, for somebody whose looking keeps no lock open.
    pub(crate) fn peek_row(&self, id: RecordId) -> Result<Option<Row>, DbError> {
        match (self.first.db.record(id)?, self.second()) {
            (None, Some(second)) => second.db.record(id),
            (row, _) => Ok(row),
        }
    }

    /// A record, deleted or not.
    pub(crate) fn record_row(&self, id: RecordId) -> Result<Option<Row>, DbError> {
        if let Some(row) = self.first.db.record(id)? {
            return Ok(Some(row));
        }
        let Some(second) = self.second() else { return Ok(None) };
        let row = second.db.record(id)?;
        if row.is_some() {
            self.use_second();
        }
        Ok(row)
    }

    /// Records in the order of their ids, after one, at most `limit` of them.
    pub(crate) fn page(
        &self,
        which: Which,
        after: Option<RecordId>,
        limit: usize,
    ) -> Result<Vec<Row>, DbError> {
        let mut rows = self.first.db.page(which, after, limit)?;
        if let Some(second) = self.second() {
            let behind = second.db.page(which, after, limit)?;
            if !behind.is_empty() {
                self.use_second();
            }
            rows.extend(behind);
            rows.sort_unstable_by_key(|row| row.id);
            rows.truncate(limit);
        }
        Ok(rows)
    }

    /// Where a record came from.
    pub(crate) fn origin(&self, key: &[u8; 16]) -> Result<Option<Origin>, DbError> {
        match (self.first.db.origin(key)?, self.second()) {
            (None, Some(second)) => second.db.origin(key),
            (origin, _) => Ok(origin),
        }
    }

    /// Calls `each` with half of the key of every origin that is known, and makes further questions for
    /// single ones quick.
    pub(crate) fn each_origin(&self, each: &mut dyn FnMut(u64)) -> Result<(), DbError> {
        let second = self.second();
        for views in [Some(&self.first), second.as_deref()].into_iter().flatten() {
            views.db.join_origins(ORIGIN_RUNS)?;
            views.db.each_origin(each)?;
        }
        Ok(())
    }

    /// No fewer than how many records there are, deleted ones included.
    pub(crate) fn records_max(&self) -> Result<u64, DbError> {
        let second = self.second().map_or(Ok(0), |second| second.db.records_max())?;
        Ok(self.first.db.records_max()?.saturating_add(second))
    }

    /// Counts and sums by category, of what is open.
    pub(crate) fn tally(&self) -> Result<Tally, DbError> {
        let mut tally = self.first.db.tally()?;
        if let Some(second) = self.second() {
            tally.join(second.db.tally()?);
        }
        Ok(tally)
    }

    /// The best hits on both sides, ranked as if they were in one index.
    pub(crate) fn search(
        &self,
        query: &Query,
        scope: &Scope,
        limit: usize,
    ) -> Result<Vec<Hit>, SearchError> {
        match self.second() {
            None => self.first.index.search(query, scope, limit),
            Some(second) => self.first.index.search_with(&second.index, query, (scope, limit)),
        }
    }

    /// How many records answer a query on both sides.
    pub(crate) fn count(&self, query: &Query, scope: &Scope) -> Result<u64, SearchError> {
        let second = self.second().map_or(Ok(0), |second| second.index.count(query, scope))?;
        Ok(self.first.index.count(query, scope)?.saturating_add(second) as u64)
    }

    /// Begins a bulk load.
    pub(crate) fn begin_load(&self) {
        let begin = |views: &Views| {
            views.index.begin_load();
            views.db.begin_load();
        };
        begin(&self.first);
        if let Some(second) = self.second() {
            begin(&second);
        }
    }

    /// Ends a bulk load with a commit on both sides.
    pub(crate) fn end_load(&self) -> Result<(), SearchError> {
        let end = |views: &Views| {
            views.db.end_load();
            let payload = super::encode_positions(&lock(&views.indexed));
            views.index.end_load(&payload)
        };
        let first = end(&self.first);
        let second = self.second().map_or(Ok(()), |second| end(&second));
        first.and(second)
    }
}
