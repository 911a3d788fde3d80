// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a search finds, and the columns that it is read from.
//!
//! Columns are opened once for each part of the index and shared until the part is gone: opening
//! one reads all of it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aura_protocol::id::RecordId;
use tantivy::columnar::Column;
use tantivy::index::SegmentId;
use tantivy::{DocId, Searcher, SegmentReader};

use super::document::{CLASS, HIGH, LOW, TIME, from_class, from_halves};
use crate::record::{Category, Kind};

/// A record that was found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hit {
    /// Which record.
    pub id: RecordId,
    /// How well it fits: only comparable within one search; zero where no words were asked for.
    pub score: f32,
    /// When it happened, in milliseconds since 1970.
    pub time_ms: i64,
    /// Its category.
    pub category: Category,
    /// Its kind.
    pub kind: Kind,
    /// Whether words had to be read one letter off.
    pub is_guess: bool,
}

/// The columns of all parts that have been looked at.
#[derive(Default)]
pub(super) struct Columns(Mutex<HashMap<SegmentId, Arc<PartColumns>>>);

pub(super) struct PartColumns {
    high: Column<u64>,
    low: Column<u64>,
    time: Column<i64>,
    class: Column<u64>,
}

impl Columns {
    pub(super) fn of(&self, part: &SegmentReader) -> tantivy::Result<Arc<PartColumns>> {
        if let Some(columns) = self.lock().get(&part.segment_id()) {
            return Ok(Arc::clone(columns));
        }
        let fast = part.fast_fields();
        let columns = Arc::new(PartColumns {
            high: fast.u64(HIGH)?,
            low: fast.u64(LOW)?,
            time: fast.i64(TIME)?,
            class: fast.u64(CLASS)?,
        });
        self.lock().insert(part.segment_id(), Arc::clone(&columns));
        Ok(columns)
    }

    /// Forgets the parts that the searcher does not have.
    pub(super) fn keep_only(&self, searcher: &Searcher) {
        let parts: Vec<_> =
            searcher.segment_readers().iter().map(SegmentReader::segment_id).collect();
        self.lock().retain(|part, _| parts.contains(part));
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<SegmentId, Arc<PartColumns>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PartColumns {
    /// The record that this document is of.
    pub(super) fn id(&self, doc: DocId) -> Option<RecordId> {
        Some(from_halves(self.high.first(doc)?, self.low.first(doc)?))
    }

    /// The hit of this document; nothing where its class is of another version.
    pub(super) fn hit(&self, doc: DocId, score: f32) -> Option<Hit> {
        let (category, kind) = from_class(self.class.first(doc)?)?;
        Some(Hit {
            id: self.id(doc)?,
            score,
            time_ms: self.time.first(doc)?,
            category,
            kind,
            is_guess: false,
        })
    }
}
