// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a person types into a search, as a type.
//!
//! Words are all wanted; `OR` (or `|`) between two makes either do; `-` before a word, a phrase or
//! a filter excludes. `"…"` is a phrase, `word*` a beginning. Filters: `category:` `kind:` `from:`
//! `to:` `source:` `tag:` `has:attachment` `before:` `after:`; several `category:` (or `kind:`) mean
//! any of them. A word before a colon that names no filter is text. `after:` includes the date
//! that it names, `before:` does not.
//! What a query may find is not said here but by `Scope`; how it is run is in `plan`.

use super::date;
use super::token::{self, Piece, Shape};
use crate::record::{Category, Kind};

/// The longest query in bytes.
pub const QUERY_BYTES_MAX: usize = 2048;
/// Tokens that one query may have.
pub const QUERY_TOKENS_MAX: usize = 64;
/// Words, phrases and filters that one query may have.
pub const QUERY_CLAUSES_MAX: usize = 48;

/// Why a text is no query. The text itself is never repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum QueryError {
    /// Too many bytes.
    #[error("expected a query of at most {QUERY_BYTES_MAX} bytes")]
    TooLong,
    /// Too many words.
    #[error("expected a query of at most {QUERY_CLAUSES_MAX} words, phrases and filters")]
    TooManyWords,
    /// A date that is none.
    #[error("expected a date like 2025, 2025-03 or 2025-03-14 after before: or after:")]
    Date,
    /// A category that does not exist.
    #[error("expected a category like mail, notes or calendar after category:")]
    Category,
    /// A kind that does not exist.
    #[error("expected a kind like email, note or event after kind:")]
    Kind,
    /// Something other than an attachment.
    #[error("expected attachment after has:")]
    Has,
}

/// Whether the person is still typing the last word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Typing {
    /// The last word is a beginning, and a filter that is not complete yet does not count.
    Ongoing,
    /// What stands there is what is meant.
    Done,
}

/// A parsed query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    pub(super) clauses: Vec<Clause>,
}

/// One thing that must be so, or must not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Clause {
    pub(super) sense: Sense,
    /// Any of them will do.
    pub(super) any: Vec<Atom>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sense {
    Wanted,
    Excluded,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Atom {
    Text(Text),
    Category(Category),
    Kind(Kind),
    From(Text),
    To(Text),
    Source(Text),
    Tag(Text),
    Attachment,
    /// At or after this many milliseconds.
    After(i64),
    /// Before this many milliseconds.
    Before(i64),
}

/// Tokens in a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Text {
    pub(super) pieces: Vec<Piece>,
    pub(super) ending: Ending,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// The last token is complete.
    Whole,
    /// The last token is a beginning.
    Open,
}

impl Query {
    /// The query that a person means by `text`.
    ///
    /// # Errors
    /// [`QueryError`] when it is too long, or when a filter has a value that it cannot have.
    pub fn parse(text: &str, typing: Typing) -> Result<Self, QueryError> {
        if text.len() > QUERY_BYTES_MAX {
            return Err(QueryError::TooLong);
        }
        let raw = lex(text);
        if raw.len() > QUERY_CLAUSES_MAX {
            return Err(QueryError::TooManyWords);
        }
        let is_unfinished = typing == Typing::Ongoing && !text.ends_with(char::is_whitespace);
        let mut clauses: Vec<Clause> = Vec::new();
        let mut joins = false;
        for (index, item) in raw.iter().enumerate() {
            let is_last = index + 1 == raw.len();
            if item.is_operator() && !clauses.is_empty() && !is_last {
                joins = joins || item.is_or();
                continue;
            }
            let ending = if is_last && is_unfinished { Ending::Open } else { Ending::Whole };
            let Some(atom) = item.atom(ending)? else { continue };
            let sense = item.sense;
            match clauses.last_mut() {
                Some(last) if joins && sense == Sense::Wanted && last.sense == Sense::Wanted => {
                    last.any.push(atom);
                }
                _ => clauses.push(Clause { sense, any: vec![atom] }),
            }
            joins = false;
        }
        let mut query = Self { clauses };
        query.settle(!raw.is_empty())?;
        Ok(query)
    }

    /// Joins what can only be meant as alternatives, drops what says nothing, and checks bounds.
    fn settle(&mut self, has_text: bool) -> Result<(), QueryError> {
        self.clauses.iter_mut().for_each(|clause| clause.any.retain(|atom| !atom.is_empty()));
        let mut kept: Vec<Clause> = Vec::new();
        for clause in self.clauses.drain(..).filter(|clause| !clause.any.is_empty()) {
            match kept.iter_mut().find(|other| other.is_alternative_to(&clause)) {
                Some(other) => other.any.extend(clause.any),
                None => kept.push(clause),
            }
        }
        if kept.is_empty() && has_text {
            // Only punctuation: there is nothing that it could be found in.
            let nothing = Text { pieces: Vec::new(), ending: Ending::Whole };
            kept.push(Clause { sense: Sense::Wanted, any: vec![Atom::Text(nothing)] });
        }
        self.clauses = kept;
        let tokens: usize = self.texts().map(|text| text.pieces.len()).sum();
        if tokens > QUERY_TOKENS_MAX { Err(QueryError::TooManyWords) } else { Ok(()) }
    }

    /// Whether the query asks for words, so that hits have an order other than time.
    pub fn has_words(&self) -> bool {
        self.words().next().is_some()
    }

    /// Whether the query asks about anything that a record says, beside what it is and when it was.
    pub fn asks_about_content(&self) -> bool {
        let is_about = |atom: &Atom| match atom {
            Atom::Category(_) | Atom::Kind(_) | Atom::After(_) | Atom::Before(_) => false,
            Atom::Text(_)
            | Atom::From(_)
            | Atom::To(_)
            | Atom::Source(_)
            | Atom::Tag(_)
            | Atom::Attachment => true,
        };
        self.clauses.iter().flat_map(|clause| &clause.any).any(is_about)
    }

    /// The words and phrases that are looked for in the text.
    pub(super) fn words(&self) -> impl Iterator<Item = &Text> {
        let wanted = self.clauses.iter().filter(|clause| clause.sense == Sense::Wanted);
        wanted.flat_map(|clause| &clause.any).filter_map(|atom| match atom {
            Atom::Text(text) => Some(text),
            _ => None,
        })
    }

    fn texts(&self) -> impl Iterator<Item = &Text> {
        self.clauses.iter().flat_map(|clause| &clause.any).filter_map(Atom::text)
    }
}

impl Clause {
    /// A record has one category and one kind: asking for two can only mean either.
    fn is_alternative_to(&self, other: &Self) -> bool {
        let all = |of: fn(&Atom) -> bool| self.any.iter().chain(&other.any).all(of);
        self.sense == Sense::Wanted
            && other.sense == Sense::Wanted
            && (all(|atom| matches!(atom, Atom::Category(_)))
                || all(|atom| matches!(atom, Atom::Kind(_))))
    }
}

impl Atom {
    fn text(&self) -> Option<&Text> {
        match self {
            Self::Text(text)
            | Self::From(text)
            | Self::To(text)
            | Self::Source(text)
            | Self::Tag(text) => Some(text),
            _ => None,
        }
    }

    fn is_empty(&self) -> bool {
        self.text().is_some_and(|text| text.pieces.is_empty())
    }
}

impl Text {
    fn new(text: &str, ending: Ending) -> Self {
        let mut pieces = token::pieces(text, QUERY_TOKENS_MAX + 1);
        // The last character of a run by itself would ask for a run that ends there.
        pieces.retain(|piece| piece.shape != Shape::Tail);
        Self { pieces, ending }
    }
}

/// One word as it was typed.
struct Raw<'a> {
    sense: Sense,
    /// The filter's name, if the word begins with a known one and a colon.
    filter: Option<&'a str>,
    value: &'a str,
    is_quoted: bool,
}

const FILTERS: [&str; 9] =
    ["category", "kind", "from", "to", "source", "tag", "has", "before", "after"];

fn lex(text: &str) -> Vec<Raw<'_>> {
    let mut found = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() && found.len() <= QUERY_CLAUSES_MAX {
        let (raw, after) = lex_one(rest);
        found.push(raw);
        rest = after.trim_start();
    }
    found
}

fn lex_one(text: &str) -> (Raw<'_>, &str) {
    let excluded = text
        .strip_prefix('-')
        .filter(|rest| rest.starts_with(|next: char| !next.is_whitespace() && next != '-'));
    let sense = if excluded.is_some() { Sense::Excluded } else { Sense::Wanted };
    let text = excluded.unwrap_or(text);
    let named = text.split_once(':').and_then(|(name, rest)| {
        let filter = FILTERS.into_iter().find(|filter| filter.eq_ignore_ascii_case(name))?;
        (!rest.is_empty() && !rest.starts_with(char::is_whitespace)).then_some((filter, rest))
    });
    let (filter, text) = named.map_or((None, text), |(filter, rest)| (Some(filter), rest));
    if let Some(quoted) = text.strip_prefix('"') {
        let (value, rest) = quoted.split_once('"').unwrap_or((quoted, ""));
        return (Raw { sense, filter, value, is_quoted: true }, rest);
    }
    let (value, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    (Raw { sense, filter, value, is_quoted: false }, rest)
}

impl Raw<'_> {
    fn is_or(&self) -> bool {
        matches!(self.value, "OR" | "|" | "||")
    }

    fn is_operator(&self) -> bool {
        let is_bare = self.filter.is_none() && !self.is_quoted && self.sense == Sense::Wanted;
        is_bare && (self.is_or() || matches!(self.value, "AND" | "&" | "&&"))
    }

    /// What the word asks for; nothing where its value is still being typed.
    fn atom(&self, ending: Ending) -> Result<Option<Atom>, QueryError> {
        let (value, ending) = match self.value.strip_suffix('*') {
            Some(beginning) if !self.is_quoted => (beginning, Ending::Open),
            _ => (self.value, ending),
        };
        let text = || Text::new(value, ending);
        let (parsed, error) = match self.filter {
            None => return Ok(Some(Atom::Text(text()))),
            Some("from") => return Ok(Some(Atom::From(text()))),
            Some("to") => return Ok(Some(Atom::To(text()))),
            Some("source") => return Ok(Some(Atom::Source(text()))),
            Some("tag") => return Ok(Some(Atom::Tag(text()))),
            Some("category") => (category(value).map(Atom::Category), QueryError::Category),
            Some("kind") => (kind(value).map(Atom::Kind), QueryError::Kind),
            Some("before") => (date::first_ms(value).map(Atom::Before), QueryError::Date),
            Some("after") => (date::first_ms(value).map(Atom::After), QueryError::Date),
            Some(_) => (attachment(value), QueryError::Has),
        };
        match parsed {
            Some(atom) => Ok(Some(atom)),
            None if ending == Ending::Open => Ok(None),
            None => Err(error),
        }
    }
}

fn category(word: &str) -> Option<Category> {
    Category::parse(&word.to_ascii_lowercase())
}

fn kind(word: &str) -> Option<Kind> {
    Kind::parse(&word.to_ascii_lowercase())
}

fn attachment(word: &str) -> Option<Atom> {
    let word = word.to_ascii_lowercase();
    matches!(word.as_str(), "attachment" | "attachments").then_some(Atom::Attachment)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Query {
        Query::parse(text, Typing::Done).unwrap()
    }

    fn show(text: &str, typing: Typing) -> String {
        let query = Query::parse(text, typing).unwrap();
        let clauses = query.clauses.iter().map(|clause| {
            let any: Vec<_> = clause.any.iter().map(show_atom).collect();
            let sign = if clause.sense == Sense::Excluded { "-" } else { "" };
            format!("{sign}{}", any.join("|"))
        });
        clauses.collect::<Vec<_>>().join(" ")
    }

    fn show_atom(atom: &Atom) -> String {
        let Some(text) = atom.text() else { return format!("{atom:?}") };
        let words: Vec<_> = text.pieces.iter().map(|piece| piece.text.as_str()).collect();
        let name = match atom {
            Atom::From(_) => "from:",
            Atom::Tag(_) => "tag:",
            _ => "",
        };
        let open = if text.ending == Ending::Open { "*" } else { "" };
        format!("{name}{}{open}", words.join("+"))
    }

    #[test]
    fn words_phrases_alternatives_and_exclusions() {
        let done = |text| show(text, Typing::Done);
        assert_eq!(done("Lisbon flat"), "lisbon flat");
        assert_eq!(done("\"Lisbon flat\" -rent -\"too far\""), "lisbon+flat -rent -too+far");
        assert_eq!(done("a OR b c | d"), "a|b c|d");
        assert_eq!(done("OR"), "or");
        assert_eq!(done("a AND b OR"), "a b or");
        assert_eq!(done("flat*"), "flat*");
        assert_eq!(done("anna@example.com"), "anna+example+com");
        assert_eq!(done("\"never closed"), "never+closed");
        assert_eq!(done("東京都"), "東京+京都");
    }

    #[test]
    fn filters_are_known_words_only() {
        let done = |text| show(text, Typing::Done);
        assert_eq!(done("category:mail Category:NOTES x"), "Category(Mail)|Category(Notes) x");
        assert_eq!(done("from:\"Anna Smith\" tag:home"), "from:anna+smith tag:home");
        assert_eq!(done("after:2025-03 -has:attachment"), "After(1740787200000) -Attachment");
        assert_eq!(done("note:this 10:30 from: x"), "note+this 10+30 from x");
        assert_eq!(Query::parse("before:2025-13", Typing::Done), Err(QueryError::Date));
        assert_eq!(Query::parse("category:nope", Typing::Done), Err(QueryError::Category));
        assert_eq!(Query::parse("kind:nope x", Typing::Ongoing), Err(QueryError::Kind));
        assert_eq!(Query::parse("has:nope", Typing::Done), Err(QueryError::Has));
    }

    #[test]
    fn an_unfinished_last_word_is_a_beginning_and_an_unfinished_filter_is_patient() {
        assert_eq!(show("big fl", Typing::Ongoing), "big fl*");
        assert_eq!(show("big fl ", Typing::Ongoing), "big fl");
        assert_eq!(show("x before:20", Typing::Ongoing), "x");
        assert_eq!(show("x category:ma", Typing::Ongoing), "x");
    }

    #[test]
    fn nothing_lists_and_punctuation_finds_nothing() {
        assert!(parse(" ").clauses.is_empty());
        assert!(!parse("category:mail").has_words());
        assert!(parse("!!!").has_words());
        assert_eq!(show("!!! flat", Typing::Done), "flat");
    }

    #[test]
    fn bounds_are_kept() {
        let long = "x".repeat(QUERY_BYTES_MAX + 1);
        assert_eq!(Query::parse(&long, Typing::Done), Err(QueryError::TooLong));
        let many = "x ".repeat(QUERY_CLAUSES_MAX + 1);
        assert_eq!(Query::parse(&many, Typing::Done), Err(QueryError::TooManyWords));
        let deep = "x.".repeat(QUERY_TOKENS_MAX + 1);
        assert_eq!(Query::parse(&deep, Typing::Done), Err(QueryError::TooManyWords));
    }
}
