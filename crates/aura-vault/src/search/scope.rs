// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a search may look at: the limits of grants, as part of the query.
//!
//! A scope is not a filter on results. No hit, count, score or guess about a misspelling is
//! computed from a record outside it: its limits are clauses of the query, and where they exclude
//! anything, word statistics are counted inside them. Which fields a grant shows verbatim is for
//! the gate: where a text field is withheld, it must not ask for words at all.

use crate::record::{Category, Kind};

/// The records that a search may look at: those within any of its parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    pub(super) parts: Vec<Part>,
}

/// Records that keep within all of these limits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) categories: Option<Vec<Category>>,
    pub(super) kinds: Option<Vec<Kind>>,
    pub(super) after_ms: Option<i64>,
    pub(super) before_ms: Option<i64>,
}

impl Part {
    const EVERYTHING: Self =
        Self { categories: None, kinds: None, after_ms: None, before_ms: None };
}

impl Scope {
    /// Everything in the index: the owner's own searches.
    pub fn everything() -> Self {
        Self { parts: vec![Part::EVERYTHING] }
    }

    /// These categories and no others; none of them, if the list is empty.
    pub fn categories(categories: impl IntoIterator<Item = Category>) -> Self {
        let categories = Some(sorted(categories));
        Self { parts: vec![Part { categories, ..Part::EVERYTHING }] }
    }

    /// What any of these may look at; nothing, if there are none.
    pub fn any(scopes: impl IntoIterator<Item = Self>) -> Self {
        Self { parts: scopes.into_iter().flat_map(|scope| scope.parts).collect() }
    }

    /// Of these, only records of these kinds.
    #[must_use]
    pub fn of_kinds(self, kinds: impl IntoIterator<Item = Kind>) -> Self {
        let kinds = sorted(kinds);
        self.each(|part| part.kinds = Some(kinds.clone()))
    }

    /// Of these, only records at or after this time.
    #[must_use]
    pub fn after(self, ms: i64) -> Self {
        self.each(|part| part.after_ms = Some(part.after_ms.map_or(ms, |other| other.max(ms))))
    }

    /// Of these, only records before this time.
    #[must_use]
    pub fn before(self, ms: i64) -> Self {
        self.each(|part| part.before_ms = Some(part.before_ms.map_or(ms, |other| other.min(ms))))
    }

    /// Whether nothing is excluded.
    pub fn is_everything(&self) -> bool {
        self.parts.contains(&Part::EVERYTHING)
    }

    fn each(mut self, narrow: impl FnMut(&mut Part)) -> Self {
        self.parts.iter_mut().for_each(narrow);
        self
    }
}

fn sorted<T: Ord>(all: impl IntoIterator<Item = T>) -> Vec<T> {
    let mut all: Vec<_> = all.into_iter().collect();
    all.sort_unstable();
    all.dedup();
    all
}
