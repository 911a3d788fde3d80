// SPDX-License-Identifier: MIT OR Apache-2.0
//! How common a word is inside a scope, counted there and nowhere else; or in two indexes together.
//!
//! BM25 weighs a word by how many records have it. Under a grant that number must not be taken
//! from records that the grant leaves out, or the order of the hits would speak about them. The
//! mean length of a record would speak as well, so under a scope it is a constant.

use tantivy::collector::Count;
use tantivy::query::{Bm25StatisticsProvider, BooleanQuery, Occur, Query as Node, TermQuery};
use tantivy::schema::{Field, IndexRecordOption};
use tantivy::{Searcher, Term};

/// Tokens of a record, for the purpose of weighing: near what notes and mails have.
const MEAN_TOKENS: u64 = 100;

/// Counts inside one scope.
pub(super) struct ScopeStatistics<'a> {
    searcher: &'a Searcher,
    scope: Box<dyn Node>,
    docs: u64,
}

impl<'a> ScopeStatistics<'a> {
    pub(super) fn new(searcher: &'a Searcher, scope: Box<dyn Node>) -> tantivy::Result<Self> {
        let docs = searcher.search(&scope, &Count)? as u64;
        Ok(Self { searcher, scope, docs })
    }

    /// Whether nothing is inside.
    pub(super) fn is_empty(&self) -> bool {
        self.docs == 0
    }
}

impl Bm25StatisticsProvider for ScopeStatistics<'_> {
    fn total_num_tokens(&self, _: Field) -> tantivy::Result<u64> {
        Ok(self.docs.saturating_mul(MEAN_TOKENS))
    }

    fn total_num_docs(&self) -> tantivy::Result<u64> {
        Ok(self.docs)
    }

    fn doc_freq(&self, term: &Term) -> tantivy::Result<u64> {
        let word = TermQuery::new(term.clone(), IndexRecordOption::Basic);
        let both = BooleanQuery::new(vec![
            (Occur::Must, Box::new(word)),
            (Occur::Must, self.scope.box_clone()),
        ]);
        Ok(self.searcher.search(&both, &Count)? as u64)
    }
}

/// How common words are in one index: inside a scope, or in all of it.
pub(super) enum Counts<'a> {
    Whole(&'a Searcher),
    Scoped(ScopeStatistics<'a>),
}

impl Counts<'_> {
    fn provider(&self) -> &dyn Bm25StatisticsProvider {
        match self {
            Self::Whole(searcher) => *searcher,
            Self::Scoped(inside) => inside,
        }
    }
}

/// The same in several indexes together, so that scores of one compare with those of another.
pub(super) struct JointStatistics<'a>(pub(super) Vec<Counts<'a>>);

impl JointStatistics<'_> {
    fn sum(
        &self,
        count: impl Fn(&dyn Bm25StatisticsProvider) -> tantivy::Result<u64>,
    ) -> tantivy::Result<u64> {
        self.0.iter().try_fold(0u64, |sum, one| Ok(sum.saturating_add(count(one.provider())?)))
    }
}

impl Bm25StatisticsProvider for JointStatistics<'_> {
    fn total_num_tokens(&self, field: Field) -> tantivy::Result<u64> {
        self.sum(|one| one.total_num_tokens(field))
    }

    fn total_num_docs(&self) -> tantivy::Result<u64> {
        self.sum(|one| one.total_num_docs())
    }

    fn doc_freq(&self, term: &Term) -> tantivy::Result<u64> {
        self.sum(|one| one.doc_freq(term))
    }
}
