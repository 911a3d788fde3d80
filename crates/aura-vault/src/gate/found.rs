// SPDX-License-Identifier: MIT OR Apache-2.0
//! Searching through the gate: hits with their titles and the passage that shows why.

use aura_protocol::id::RecordId;

use super::{GateError, Session};
use crate::audit::Action;
use crate::document::Parts;
use crate::record::{Category, Kind};
use crate::search::{self, HITS_MAX, Query, Scope, Snippet, Typing};
use crate::view;

/// A record that a search has found.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// Which record.
    pub id: RecordId,
    /// Its kind.
    pub kind: Kind,
    /// Its category.
    pub category: Category,
    /// When it happened, in milliseconds since 1970.
    pub time_ms: i64,
    /// What a person calls it.
    pub title: String,
    /// The passage that shows why it was found.
    pub snippet: Snippet,
    /// How well it fits, comparable within one search.
    pub score: f32,
    /// Whether words had to be read one letter off.
    pub is_guess: bool,
    /// Which format it was imported from.
    pub source: Option<String>,
}

impl Session {
    /// The records that answer a search best, at most `limit`.
    ///
    /// # Errors
    /// When the search is not understood or the vault cannot be read.
    pub fn search(
        &self,
        text: &str,
        typing: Typing,
        limit: usize,
    ) -> Result<Vec<Found>, GateError> {
        self.decide(Action::Search)?;
        let query = Query::parse(text, typing)?;
        let hits = self.open.search(&query, &Scope::everything(), limit.min(HITS_MAX))?;
        self.count(Action::Search, None, 1);
        let mut found = Vec::with_capacity(hits.len());
        for hit in hits {
            // The index may know a record that a commit since has deleted.
            let Some(row) = self.open.record_row(hit.id)?.filter(|row| row.state.is_live()) else {
                continue;
            };
            let parts = Parts::of(&row);
            let text = if parts.body.is_empty() { &parts.title } else { &parts.body };
            found.push(Found {
                id: row.id,
                kind: row.kind(),
                category: row.category,
                time_ms: row.time_ms,
                snippet: search::snippet(text, &query),
                score: hit.score,
                is_guess: hit.is_guess,
                source: view::text(&row.state, view::SOURCE),
                title: parts.title,
            });
        }
        Ok(found)
    }
}
