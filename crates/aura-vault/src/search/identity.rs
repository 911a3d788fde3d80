// SPDX-License-Identifier: MIT OR Apache-2.0
//! Finding the document of an id, to replace or remove it.
//!
//! Ids share a few thousand terms, their buckets; which of the documents in a bucket is meant is read
//! off the columns of the id.

use core::fmt;
use std::sync::Arc;

use aura_protocol::id::RecordId;
use tantivy::query::{ConstScorer, EnableScoring, Explanation, Query, Scorer, Weight};
use tantivy::schema::IndexRecordOption;
use tantivy::{DocId, DocSet, Score, SegmentReader, TERMINATED, Term};

use super::hit::Columns;

/// The documents of one id.
#[derive(Clone)]
pub(super) struct Identity {
    pub(super) id: RecordId,
    /// The term of the id's bucket.
    pub(super) bucket: Term,
    pub(super) columns: Arc<Columns>,
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Identity(redacted)")
    }
}

impl Query for Identity {
    fn weight(&self, _: EnableScoring<'_>) -> tantivy::Result<Box<dyn Weight>> {
        Ok(Box::new(self.clone()))
    }
}

impl Weight for Identity {
    fn scorer(&self, part: &SegmentReader, boost: Score) -> tantivy::Result<Box<dyn Scorer>> {
        let inverted = part.inverted_index(self.bucket.field())?;
        let mut found = Found::default();
        if let Some(mut bucket) = inverted.read_postings(&self.bucket, IndexRecordOption::Basic)? {
            let columns = self.columns.of(part)?;
            while bucket.doc() != TERMINATED {
                if columns.id(bucket.doc()) == Some(self.id) {
                    found.docs.push(bucket.doc());
                }
                bucket.advance();
            }
        }
        Ok(Box::new(ConstScorer::new(found, boost)))
    }

    fn explain(&self, part: &SegmentReader, doc: DocId) -> tantivy::Result<Explanation> {
        let is_it = self.columns.of(part)?.id(doc) == Some(self.id);
        Ok(Explanation::new("has the id", if is_it { 1.0 } else { 0.0 }))
    }
}

/// Documents in ascending order: one, or none.
#[derive(Default)]
struct Found {
    docs: Vec<DocId>,
    at: usize,
}

impl DocSet for Found {
    fn advance(&mut self) -> DocId {
        self.at = self.at.saturating_add(1);
        self.doc()
    }

    fn doc(&self) -> DocId {
        self.docs.get(self.at).copied().unwrap_or(TERMINATED)
    }

    fn size_hint(&self) -> u32 {
        u32::try_from(self.docs.len()).unwrap_or(u32::MAX)
    }
}
