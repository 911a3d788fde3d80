// SPDX-License-Identifier: MIT OR Apache-2.0
//! One search, on one state of the index, or on those of two as if they were one.
//!
//! Rank is BM25 with a little for being recent: of two records that fit equally well the newer one
//! comes first, and a year counts five per cent. The newest candidate is the present, so no clock
//! is needed. Guesses at misspellings come after all exact hits.

use tantivy::collector::{Count, TopDocs};
use tantivy::query::Query as Node;
use tantivy::{DocAddress, Order, Searcher};

use super::candidates;
use super::document::{Fields, TIME};
use super::hit::{Columns, Hit};
use super::plan::{Planner, Spelling, can_guess, scope_node};
use super::query::Query;
use super::scope::Scope;
use super::statistics::{Counts, JointStatistics, ScopeStatistics};

/// Hits of one search.
pub const HITS_MAX: usize = 1000;

/// With fewer exact hits than this, misspellings are guessed at.
const HITS_FEW: usize = 3;
/// Candidates beyond the limit, among which being recent may decide.
const CANDIDATES_MORE: usize = 30;
/// What being recent can add, as a part of the score.
const RECENT_WEIGHT: f64 = 0.05;
/// After this time half of it is gone.
const RECENT_HALF_MS: f64 = 365.0 * 86_400_000.0;

/// A search's surroundings.
pub(super) struct Lookup<'a> {
    pub(super) searcher: Searcher,
    pub(super) fields: &'a Fields,
    pub(super) columns: &'a Columns,
}

/// The best hits in all of them, at most `limit`.
pub(super) fn search_all(
    all: &[Lookup<'_>],
    query: &Query,
    scope: &Scope,
    limit: usize,
) -> tantivy::Result<Vec<Hit>> {
    let limit = limit.min(HITS_MAX);
    if limit == 0 {
        return Ok(Vec::new());
    }
    if !query.has_words() {
        return newest(all, query, scope, limit);
    }
    let mut hits = best(all, (query, Spelling::Exact), scope, limit)?;
    if hits.len() < HITS_FEW.min(limit) && can_guess(query) {
        let guesses = best(all, (query, Spelling::Guessed), scope, limit)?;
        let known: Vec<_> = hits.iter().map(|hit| hit.id).collect();
        let guesses = guesses.into_iter().filter(|hit| !known.contains(&hit.id));
        hits.extend(guesses.map(|hit| Hit { is_guess: true, ..hit }));
        hits.truncate(limit);
    }
    Ok(hits)
}

fn newest(
    all: &[Lookup<'_>],
    query: &Query,
    scope: &Scope,
    limit: usize,
) -> tantivy::Result<Vec<Hit>> {
    let mut hits = Vec::new();
    for lookup in all {
        hits.extend(lookup.newest(&lookup.planned(query, scope, Spelling::Exact), limit)?);
    }
    // Each part is sorted already; a stable sort leaves a single one as it is.
    hits.sort_by_key(|hit: &Hit| core::cmp::Reverse(hit.time_ms));
    hits.truncate(limit);
    Ok(hits)
}

fn best(
    all: &[Lookup<'_>],
    (query, spelling): (&Query, Spelling),
    scope: &Scope,
    limit: usize,
) -> tantivy::Result<Vec<Hit>> {
    let counts = all.iter().map(|lookup| lookup.counts(scope)).collect::<Result<Vec<_>, _>>()?;
    let counts = JointStatistics(counts);
    let mut hits = Vec::new();
    for (lookup, own) in all.iter().zip(&counts.0) {
        let node = lookup.planned(query, scope, spelling);
        let more = limit.saturating_add(CANDIDATES_MORE);
        let found = match own {
            Counts::Scoped(inside) if inside.is_empty() => continue,
            _ => candidates::best(&lookup.searcher, node.as_ref(), &counts, more)?,
        };
        hits.extend(lookup.hits(found.into_iter())?);
    }
    rank(&mut hits);
    hits.truncate(limit);
    Ok(hits)
}

impl Lookup<'_> {
    pub(super) fn count(&self, query: &Query, scope: &Scope) -> tantivy::Result<usize> {
        self.searcher.search(&self.planned(query, scope, Spelling::Exact), &Count)
    }

    fn planned(&self, query: &Query, scope: &Scope, spelling: Spelling) -> Box<dyn Node> {
        Planner { fields: self.fields, spelling }.node(query, scope)
    }

    fn counts(&self, scope: &Scope) -> tantivy::Result<Counts<'_>> {
        if scope.is_everything() {
            return Ok(Counts::Whole(&self.searcher));
        }
        let inside = scope_node(self.fields, scope);
        Ok(Counts::Scoped(ScopeStatistics::new(&self.searcher, inside)?))
    }

    fn newest(&self, node: &dyn Node, limit: usize) -> tantivy::Result<Vec<Hit>> {
        let top = TopDocs::with_limit(limit).order_by_fast_field::<i64>(TIME, Order::Desc);
        let found = self.searcher.search(node, &top)?;
        self.hits(found.into_iter().map(|(_, address)| (0.0, address)))
    }

    fn hits(&self, found: impl Iterator<Item = (f32, DocAddress)>) -> tantivy::Result<Vec<Hit>> {
        let mut hits = Vec::new();
        for (score, address) in found {
            let columns = self.columns.of(self.searcher.segment_reader(address.segment_ord))?;
            hits.extend(columns.hit(address.doc_id, score));
        }
        Ok(hits)
    }
}

/// Adds to the scores what being recent is worth, and puts the best first.
fn rank(hits: &mut [Hit]) {
    let newest_ms = hits.iter().map(|hit| hit.time_ms).max().unwrap_or_default();
    for hit in hits.iter_mut() {
        hit.score *= recent_factor(newest_ms.saturating_sub(hit.time_ms));
    }
    hits.sort_by(|a, b| {
        b.score.total_cmp(&a.score).then(b.time_ms.cmp(&a.time_ms)).then(a.id.cmp(&b.id))
    });
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "a factor near one, from an age in which milliseconds do not count"
)]
fn recent_factor(age_ms: i64) -> f32 {
    (1.0 + RECENT_WEIGHT * (-(age_ms as f64) / RECENT_HALF_MS).exp2()) as f32
}
