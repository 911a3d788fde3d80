// SPDX-License-Identifier: MIT OR Apache-2.0
//! A query within a scope, as tantivy runs it.
//!
//! Words are scored; filters and the scope never are. A query of plain words only becomes a list of
//! term clauses, which is what block-max WAND skips through. How words are counted under a scope
//! that excludes anything is in `statistics`.

use std::ops::Bound;

use tantivy::Term;
use tantivy::query::{
    AllQuery, BooleanQuery, ConstScoreQuery, EmptyQuery, FuzzyTermQuery, InvertedIndexRangeQuery,
    Occur, PhraseQuery, Query as Node, RangeQuery, TermQuery,
};
use tantivy::schema::IndexRecordOption;

use super::document::{Facet, Fields};
use super::query::{Atom, Clause, Ending, Query, Sense, Text};
use super::scope::{Part, Scope};
use super::token::{Piece, Shape};

/// Letters that a word must have before a misspelling is guessed at.
const GUESS_LETTERS_MIN: usize = 5;
/// Characters that the beginning of a word must have.
const PREFIX_CHARS_MIN: usize = 2;

/// Whether words may be a letter off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spelling {
    Exact,
    Guessed,
}

/// Builds nodes.
pub(super) struct Planner<'a> {
    pub(super) fields: &'a Fields,
    pub(super) spelling: Spelling,
}

/// Whether a query has a word whose spelling can be guessed.
pub(super) fn can_guess(query: &Query) -> bool {
    query.words().any(|text| match text.pieces.as_slice() {
        [only] => is_guessable(only),
        _ => false,
    })
}

pub(super) fn is_guessable(piece: &Piece) -> bool {
    piece.shape == Shape::Word
        && piece.text.chars().count() >= GUESS_LETTERS_MIN
        && !piece.text.contains(|char: char| char.is_ascii_digit())
}

/// The scope alone: what may be found at all.
pub(super) fn scope_node(fields: &Fields, scope: &Scope) -> Box<dyn Node> {
    let planner = Planner { fields, spelling: Spelling::Exact };
    joined(planner.scope(scope))
}

impl Planner<'_> {
    /// The query within the scope.
    pub(super) fn node(&self, query: &Query, scope: &Scope) -> Box<dyn Node> {
        let mut clauses: Vec<_> = query.clauses.iter().map(|clause| self.clause(clause)).collect();
        clauses.extend(self.scope(scope));
        joined(clauses)
    }

    /// A single part's limits stand beside the query's own clauses.
    fn scope(&self, scope: &Scope) -> Vec<(Occur, Box<dyn Node>)> {
        match scope.parts.as_slice() {
            [only] => self.part(only),
            parts => {
                let parts = parts.iter().map(|part| joined(self.part(part)));
                vec![(Occur::Must, unscored(any(parts)))]
            }
        }
    }

    fn part(&self, part: &Part) -> Vec<(Occur, Box<dyn Node>)> {
        let mut clauses = Vec::new();
        let mut must = |node| clauses.push((Occur::Must, unscored(node)));
        if let Some(categories) = &part.categories {
            must(any(categories.iter().map(|c| self.facet(Facet::Category, &[c.code()]))));
        }
        if let Some(kinds) = &part.kinds {
            must(any(kinds.iter().map(|k| self.facet(Facet::Kind, &[k.code()]))));
        }
        if part.after_ms.is_some() || part.before_ms.is_some() {
            must(self.time(part.after_ms, part.before_ms));
        }
        clauses
    }

    fn clause(&self, clause: &Clause) -> (Occur, Box<dyn Node>) {
        let node = any(clause.any.iter().map(|atom| self.atom(atom)));
        match clause.sense {
            Sense::Wanted => (Occur::Must, node),
            Sense::Excluded => (Occur::MustNot, node),
        }
    }

    fn atom(&self, atom: &Atom) -> Box<dyn Node> {
        unscored(match atom {
            Atom::Text(text) => return self.text(text),
            Atom::Category(category) => self.facet(Facet::Category, &[category.code()]),
            Atom::Kind(kind) => self.facet(Facet::Kind, &[kind.code()]),
            Atom::From(text) => self.named(Facet::From, text),
            Atom::To(text) => self.named(Facet::To, text),
            Atom::Source(text) => self.named(Facet::Source, text),
            Atom::Tag(text) => self.named(Facet::Tag, text),
            Atom::Attachment => self.facet(Facet::Attachment, &[]),
            Atom::After(ms) => self.time(Some(*ms), None),
            Atom::Before(ms) => self.time(None, Some(*ms)),
        })
    }

    /// Words in a row. A character by itself is the beginning of a pair, so it stands beside the
    /// phrase and not in it; so does a word that is still being typed.
    fn text(&self, text: &Text) -> Box<dyn Node> {
        let is_open = |index: usize, piece: &Piece| {
            let is_last = index + 1 == text.pieces.len();
            piece.shape == Shape::Lone || (is_last && text.ending == Ending::Open && is_long(piece))
        };
        let (mut row, mut clauses) = (Vec::new(), Vec::new());
        for (index, piece) in text.pieces.iter().enumerate() {
            if is_open(index, piece) {
                clauses.push((Occur::Must, self.beginning(piece)));
            } else {
                row.push(piece);
            }
        }
        match row.as_slice() {
            [] if clauses.is_empty() => return Box::new(EmptyQuery),
            [] => {}
            [only] => clauses.push((Occur::Must, self.word(only))),
            _ => {
                let terms = row.iter().map(|p| (p.position, self.fields.text_term(&p.text)));
                clauses
                    .push((Occur::Must, Box::new(PhraseQuery::new_with_offset(terms.collect()))));
            }
        }
        joined(clauses)
    }

    fn word(&self, piece: &Piece) -> Box<dyn Node> {
        let term = self.fields.text_term(&piece.text);
        if self.spelling == Spelling::Guessed && is_guessable(piece) {
            return Box::new(FuzzyTermQuery::new(term, 1, true));
        }
        Box::new(TermQuery::new(term, IndexRecordOption::WithFreqs))
    }

    /// Words that begin so; the word itself comes first.
    fn beginning(&self, piece: &Piece) -> Box<dyn Node> {
        let from = self.fields.text_term(&piece.text);
        // No text sorts after the last code point.
        let to = self.fields.text_term(&format!("{}\u{10ffff}", piece.text));
        let begins = InvertedIndexRangeQuery::new(Bound::Included(from), Bound::Included(to));
        let whole =
            TermQuery::new(self.fields.text_term(&piece.text), IndexRecordOption::WithFreqs);
        Box::new(BooleanQuery::union(vec![Box::new(begins), Box::new(whole)]))
    }

    fn facet(&self, facet: Facet, value: &[u8]) -> Box<dyn Node> {
        let term = self.fields.facet_term(facet, value);
        Box::new(TermQuery::new(term, IndexRecordOption::Basic))
    }

    /// Every token among the facet's values.
    fn named(&self, facet: Facet, text: &Text) -> Box<dyn Node> {
        let last = text.pieces.len().saturating_sub(1);
        let tokens = text.pieces.iter().enumerate().map(|(index, piece)| {
            let is_open = index == last && text.ending == Ending::Open;
            let node = if is_open || piece.shape == Shape::Lone {
                self.facet_beginning(facet, piece.text.as_bytes())
            } else {
                self.facet(facet, piece.text.as_bytes())
            };
            (Occur::Must, node)
        });
        joined(tokens.collect())
    }

    fn facet_beginning(&self, facet: Facet, value: &[u8]) -> Box<dyn Node> {
        let from = self.fields.facet_term(facet, value);
        // 0xff is in no token.
        let to = self.fields.facet_term(facet, &[value, &[0xff]].concat());
        Box::new(InvertedIndexRangeQuery::new(Bound::Included(from), Bound::Excluded(to)))
    }

    fn time(&self, after_ms: Option<i64>, before_ms: Option<i64>) -> Box<dyn Node> {
        let term = |ms| Term::from_field_i64(self.fields.time, ms);
        let from = after_ms.map_or(Bound::Unbounded, |ms| Bound::Included(term(ms)));
        let to = before_ms.map_or(Bound::Unbounded, |ms| Bound::Excluded(term(ms)));
        Box::new(RangeQuery::new(from, to))
    }
}

fn is_long(piece: &Piece) -> bool {
    piece.shape == Shape::Word && piece.text.chars().count() >= PREFIX_CHARS_MIN
}

fn unscored(node: Box<dyn Node>) -> Box<dyn Node> {
    Box::new(ConstScoreQuery::new(node, 0.0))
}

/// Any of them; none, if there are none.
fn any(nodes: impl Iterator<Item = Box<dyn Node>>) -> Box<dyn Node> {
    let mut nodes: Vec<_> = nodes.collect();
    match nodes.len() {
        0 => Box::new(EmptyQuery),
        1 => nodes.remove(0),
        _ => Box::new(BooleanQuery::union(nodes)),
    }
}

/// All of them; everything, if nothing is wanted.
fn joined(mut clauses: Vec<(Occur, Box<dyn Node>)>) -> Box<dyn Node> {
    if !clauses.iter().any(|(occur, _)| *occur == Occur::Must) {
        clauses.push((Occur::Must, Box::new(AllQuery)));
    }
    match clauses.len() {
        1 => clauses.remove(0).1,
        _ => Box::new(BooleanQuery::new(clauses)),
    }
}
