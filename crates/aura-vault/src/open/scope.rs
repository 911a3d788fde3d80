// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a snapshot covers, and what others have let go of before. Source: spec/snapshot.md, rules SNP-3, SNP-7 and SNP-8.

use aura_protocol::authority::Snapshot;
use aura_protocol::id::{FeedId, RecordId};

use super::covered::Covered;
use crate::db::{Part, Row};
use crate::op::{Carried, Dot};
use crate::record::Category;
use crate::state::State;

/// Some of a snapshot's records, with what is carried of each.
pub(super) type Records = Vec<(RecordId, Vec<Carried>)>;

/// What one snapshot covers.
pub(super) struct Scope<'a> {
    pub(super) base: &'a Snapshot,
    category: Category,
    /// What others cover that were adopted before.
    pub(super) before: Covered,
    /// Of that, what those cover that this one does not cover: it was made beside them.
    beside: Covered,
}

impl<'a> Scope<'a> {
    pub(super) fn new(
        base: &'a Snapshot,
        category: Category,
        (before, beside): (Covered, Covered),
    ) -> Self {
        Self { base, category, before, beside }
    }

    pub(super) fn feed(&self, dot: &Dot) -> FeedId {
        let collection = self.base.feed.collection;
        FeedId { collection, device: dot.device, incarnation: dot.incarnation }
    }

    pub(super) fn covers(&self, dot: &Dot) -> bool {
        dot.number <= self.base.covers(self.feed(dot)).number
    }

    pub(super) fn is_gone(&self, dot: &Dot) -> bool {
        dot.number <= self.before.upto(self.feed(dot))
    }

    /// What is left of a record that is here.
    pub(super) fn left(&self, row: &Row, carried: &[Carried]) -> State {
        self.with_part((None, None, Vec::new()), |part| part.adopt(&row.state, carried).0)
    }

    /// Whether an op has come, or never will.
    pub(super) fn is_settled(&self, dot: &Dot) -> bool {
        self.covers(dot) || self.is_gone(dot)
    }

    pub(super) fn is_beside(&self, dot: &Dot) -> bool {
        dot.number <= self.beside.upto(self.feed(dot))
    }

    pub(super) fn with_part<T>(
        &self,
        (after, upto, records): (Option<RecordId>, Option<RecordId>, Records),
        act: impl FnOnce(&Part<'_>) -> T,
    ) -> T {
        let is_covered = |dot: &Dot| self.covers(dot);
        let is_gone = |dot: &Dot| self.is_gone(dot);
        let category = self.category;
        act(&Part { category, after, upto, records, is_covered: &is_covered, is_gone: &is_gone })
    }
}
