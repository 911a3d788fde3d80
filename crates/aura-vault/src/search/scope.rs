// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a search may look at: the limits of a grant, as part of the query.
//!
//! A scope is not a filter on results. No hit, count, score or guess about a misspelling is
//! computed from a record outside it: its limits are clauses of the query, and where they exclude
//! anything, word statistics are counted inside them. Which fields a grant shows verbatim is for
//! the gate: where a text field is withheld, it must not ask for words at all.

use crate::record::{Category, Kind};

/// The records that a search may look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    pub(super) categories: Option<Vec<Category>>,
    pub(super) kinds: Option<Vec<Kind>>,
    pub(super) after_ms: Option<i64>,
    pub(super) before_ms: Option<i64>,
}

impl Scope {
    /// Everything in the index: the owner's own searches.
    pub fn everything() -> Self {
        Self { categories: None, kinds: None, after_ms: None, before_ms: None }
    }

    /// These categories and no others; none of them, if the list is empty.
    pub fn categories(categories: impl IntoIterator<Item = Category>) -> Self {
        let mut categories: Vec<_> = categories.into_iter().collect();
        categories.sort_unstable();
        categories.dedup();
        Self { categories: Some(categories), ..Self::everything() }
    }

    /// Of these, only records of these kinds.
    #[must_use]
    pub fn of_kinds(mut self, kinds: impl IntoIterator<Item = Kind>) -> Self {
        let mut kinds: Vec<_> = kinds.into_iter().collect();
        kinds.sort_unstable();
        kinds.dedup();
        self.kinds = Some(kinds);
        self
    }

    /// Of these, only records at or after this time.
    #[must_use]
    pub fn after(mut self, ms: i64) -> Self {
        self.after_ms = Some(self.after_ms.map_or(ms, |other| other.max(ms)));
        self
    }

    /// Of these, only records before this time.
    #[must_use]
    pub fn before(mut self, ms: i64) -> Self {
        self.before_ms = Some(self.before_ms.map_or(ms, |other| other.min(ms)));
        self
    }

    /// Whether nothing is excluded.
    pub fn is_everything(&self) -> bool {
        *self == Self::everything()
    }
}
