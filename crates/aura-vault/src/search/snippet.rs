// SPDX-License-Identifier: MIT OR Apache-2.0
//! The piece of a text that shows why it was found.
//!
//! A pure function of text and query: it looks at the beginning of the text only, takes the window
//! with the most different words, and says where they stand. White space becomes a plain space, so
//! that a snippet is one line. Ranges are bytes of the snippet and cut no character.

use std::collections::BTreeMap;
use std::ops::Range;

use super::plan::is_guessable;
use super::query::{Ending, Query};
use super::token::{self, Piece, Shape};

/// The longest snippet in characters.
pub const SNIPPET_CHARS_MAX: usize = 200;

/// Bytes of a text that are looked at.
const TEXT_BYTES_MAX: usize = 256 << 10;
/// Tokens of a text that are looked at.
const TEXT_TOKENS_MAX: usize = 50_000;
/// Matches that are considered.
const MATCHES_MAX: usize = 512;
/// Characters before the first match.
const LEAD_CHARS: usize = 40;

/// A piece of text and where the words of the query stand in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snippet {
    /// At most [`SNIPPET_CHARS_MAX`] characters, with `…` where text was left out.
    pub text: String,
    /// Bytes of `text`, ascending, not overlapping.
    pub matches: Vec<Range<usize>>,
}

/// The piece of `text` that shows best how it answers `query`; its beginning, if it does not.
pub fn snippet(text: &str, query: &Query) -> Snippet {
    let text = token::beginning(text, TEXT_BYTES_MAX);
    let matches = matches(text, query);
    let window = window(text, &matches);
    cut(text, window, &matches)
}

/// A word of the text that the query asks for: where, and which of the query's words it is.
struct Match {
    at: Range<usize>,
    word: usize,
}

/// How closely a word of the text must resemble one of the query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Likeness {
    Same,
    OneLetterOff,
}

fn matches(text: &str, query: &Query) -> Vec<Match> {
    let wanted: Vec<(&Piece, bool)> = query.words().flat_map(wanted).collect();
    if wanted.is_empty() {
        return Vec::new();
    }
    let pieces = token::pieces(text, TEXT_TOKENS_MAX);
    let found = |likeness: Likeness| -> Vec<Match> {
        let found = pieces.iter().filter_map(|piece| {
            let word = wanted.iter().position(|wanted| is_like(&piece.text, *wanted, likeness))?;
            Some(Match { at: piece.at.clone(), word })
        });
        found.take(MATCHES_MAX).collect()
    };
    let same = found(Likeness::Same);
    if same.is_empty() { found(Likeness::OneLetterOff) } else { same }
}

/// The words of a row, and whether each is only a beginning.
fn wanted(text: &super::query::Text) -> impl Iterator<Item = (&Piece, bool)> {
    let last = text.pieces.len().saturating_sub(1);
    text.pieces.iter().enumerate().map(move |(index, piece)| {
        let is_open = index == last && text.ending == Ending::Open;
        (piece, is_open || piece.shape == Shape::Lone)
    })
}

fn is_like(token: &str, (wanted, is_beginning): (&Piece, bool), likeness: Likeness) -> bool {
    match likeness {
        Likeness::Same if is_beginning => token.starts_with(&wanted.text),
        Likeness::Same => token == wanted.text,
        Likeness::OneLetterOff => is_guessable(wanted) && is_one_off(token, &wanted.text),
    }
}

/// Whether one insertion, deletion, replacement or swap of neighbours makes one of the other.
fn is_one_off(a: &str, b: &str) -> bool {
    let (a, b): (Vec<_>, Vec<_>) = (a.chars().collect(), b.chars().collect());
    let same = a.iter().zip(&b).take_while(|(a, b)| a == b).count();
    let tail = |of: &[char], from: usize| of.get(from..).unwrap_or_default().to_vec();
    let (a, b) = (tail(&a, same), tail(&b, same));
    let mut swapped = a.clone();
    if swapped.len() > 1 {
        swapped.swap(0, 1);
    }
    let is_swapped = swapped == b;
    is_swapped || tail(&a, 1) == tail(&b, 1) || tail(&a, 1) == b || a == tail(&b, 1)
}

/// The window that holds the most different words, then the most words, then comes first.
fn window(text: &str, matches: &[Match]) -> Range<usize> {
    let mut best = (0, 0, 0..forward(text, 0, SNIPPET_CHARS_MAX));
    // How often each word is inside. Windows only move forward, so each match comes and goes once.
    let mut inside: BTreeMap<usize, usize> = BTreeMap::new();
    let mut coming = matches.iter().peekable();
    let (mut at, mut from, mut end) = (Caret::new(text), Caret::new(text), Caret::new(text));
    for (index, first) in matches.iter().enumerate() {
        at.go_to_byte(first.at.start);
        from.go_to_char(at.chars.saturating_sub(LEAD_CHARS));
        let start = word_start(text, from.byte, first.at.start);
        let led = text.get(from.byte..start).unwrap_or_default().chars().count();
        end.go_to_char(from.chars.saturating_add(led).saturating_add(SNIPPET_CHARS_MAX - 2));
        let end = end.byte;
        while let Some(next) = coming.next_if(|next| next.at.end <= end) {
            *inside.entry(next.word).or_default() += 1;
        }
        let count = matches.len().saturating_sub(coming.len()).saturating_sub(index);
        if count == 0 {
            // Wider than a window: it is inside of none.
            coming.next();
            continue;
        }
        if (inside.len(), count) > (best.0, best.1) {
            best = (inside.len(), count, start..end);
        }
        if let Some(left) = inside.get_mut(&first.word) {
            *left = left.saturating_sub(1);
            if *left == 0 {
                inside.remove(&first.word);
            }
        }
    }
    best.2
}

/// A place in a text that only moves forward, by bytes or by characters.
struct Caret<'a> {
    rest: std::str::Chars<'a>,
    byte: usize,
    chars: usize,
}

impl<'a> Caret<'a> {
    fn new(text: &'a str) -> Self {
        Self { rest: text.chars(), byte: 0, chars: 0 }
    }

    fn go_to_byte(&mut self, byte: usize) {
        while self.byte < byte && self.step() {}
    }

    fn go_to_char(&mut self, chars: usize) {
        while self.chars < chars && self.step() {}
    }

    fn step(&mut self) -> bool {
        let Some(char) = self.rest.next() else { return false };
        self.byte = self.byte.saturating_add(char.len_utf8());
        self.chars = self.chars.saturating_add(1);
        true
    }
}

/// The byte `chars` characters after `from`.
fn forward(text: &str, from: usize, chars: usize) -> usize {
    let rest = text.get(from..).unwrap_or_default();
    rest.char_indices().nth(chars).map_or(text.len(), |(at, _)| from.saturating_add(at))
}

/// The first beginning of a word at or after `from`, unless there is none before `limit`.
fn word_start(text: &str, from: usize, limit: usize) -> usize {
    if from == 0 {
        return 0;
    }
    let between = text.get(from..limit).unwrap_or_default();
    let space = between.char_indices().find(|(_, char)| char.is_whitespace());
    space.map_or(from, |(at, char)| from.saturating_add(at).saturating_add(char.len_utf8()))
}

fn cut(text: &str, window: Range<usize>, matches: &[Match]) -> Snippet {
    // Room for both signs of omission.
    let end = if window.end < text.len() {
        forward(text, window.start, SNIPPET_CHARS_MAX - 2).min(window.end)
    } else {
        window.end
    };
    let mut out = Snippet { text: String::new(), matches: Vec::new() };
    if window.start > 0 {
        out.text.push('…');
    }
    let mut open = matches.iter().map(|found| &found.at).peekable();
    let piece = text.get(window.start..end).unwrap_or_default();
    for (at, char) in piece.char_indices() {
        let at = at.saturating_add(window.start);
        while open.next_if(|found| found.end <= at).is_some() {}
        let is_inside = open.peek().is_some_and(|found| found.contains(&at) && found.end <= end);
        let from = out.text.len();
        out.text.push(if char.is_whitespace() || char.is_control() { ' ' } else { char });
        if is_inside {
            mark(&mut out, from, open.peek().is_some_and(|found| found.start == at));
        }
    }
    if end < text.len() {
        out.text.push('…');
    }
    out
}

/// Adds the character that begins at `from` to the matches. Pairs overlap: they become one match.
fn mark(out: &mut Snippet, from: usize, starts: bool) {
    let to = out.text.len();
    match out.matches.last_mut() {
        Some(last) if last.end == from && !starts => last.end = to,
        _ => out.matches.push(from..to),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::query::Typing;
    use super::*;

    fn shown(text: &str, query: &str) -> String {
        let query = Query::parse(query, Typing::Done).unwrap();
        let snippet = snippet(text, &query);
        assert!(snippet.text.chars().count() <= SNIPPET_CHARS_MAX);
        let mut out = snippet.text.clone();
        for range in snippet.matches.iter().rev() {
            out.insert(range.end, ']');
            out.insert(range.start, '[');
        }
        out
    }

    #[test]
    fn words_are_marked_as_they_were_folded() {
        assert_eq!(shown("Der Straße\nentlang", "strasse"), "Der [Straße] entlang");
        assert_eq!(shown("a Flat, two flats", "flat*"), "a [Flat], two [flats]");
        assert_eq!(shown("西東京都です", "東京都"), "西[東京都]です");
        assert_eq!(shown("meeting in Lisbon", "lisbom"), "meeting in [Lisbon]");
        assert_eq!(shown("nothing here", "other"), "nothing here");
        assert_eq!(shown("", "x"), "");
    }

    #[test]
    fn the_window_holds_the_most_words_and_keeps_to_its_length() {
        let text = format!("alpha {} alpha beta {}", "x ".repeat(300), "y ".repeat(300));
        let shown = shown(&text, "alpha beta");
        assert!(shown.contains("[alpha] [beta]"), "{shown}");
        assert!(shown.starts_with('…') && shown.ends_with('…'));
    }

    #[test]
    fn long_texts_without_spaces_do_no_harm() {
        let text = "語".repeat(1000) + "東京" + &"語".repeat(1000);
        assert!(shown(&text, "東京").contains("[東京]"));
        assert_eq!(shown(&"é".repeat(500), "x").chars().count(), 199);
    }

    /// The byte `chars` characters before `to`.
    fn backward(text: &str, to: usize, chars: usize) -> usize {
        let before = text.get(..to).unwrap_or_default();
        match chars.checked_sub(1) {
            Some(chars) => before.char_indices().rev().nth(chars).map_or(0, |(at, _)| at),
            None => to,
        }
    }

    /// Every window by itself, as its definition says.
    fn slow_window(text: &str, matches: &[Match]) -> Range<usize> {
        let mut best = (0, 0, 0..forward(text, 0, SNIPPET_CHARS_MAX));
        for (index, first) in matches.iter().enumerate() {
            let from = backward(text, first.at.start, LEAD_CHARS);
            let start = word_start(text, from, first.at.start);
            let end = forward(text, start, SNIPPET_CHARS_MAX - 2);
            let inside = matches.iter().skip(index).take_while(|found| found.at.end <= end);
            let inside: Vec<_> = inside.map(|found| found.word).collect();
            let words = inside.iter().collect::<std::collections::BTreeSet<_>>().len();
            if (words, inside.len()) > (best.0, best.1) {
                best = (words, inside.len(), start..end);
            }
        }
        best.2
    }

    proptest! {
        #[test]
        fn the_window_that_slides_is_the_best_of_all(
            words in prop::collection::vec(("[abcxé]{1,3}|e\u{301}{300}|東京", 0..12_usize), 0..200),
        ) {
            let text: String =
                words.iter().map(|(word, spaces)| word.clone() + &" ".repeat(*spaces)).collect();
            let query = Query::parse("a OR b OR c OR é* OR 東京", Typing::Done).unwrap();
            let matches = matches(&text, &query);
            prop_assert_eq!(window(&text, &matches), slow_window(&text, &matches));
        }
    }

    #[test]
    fn one_off_is_one_edit() {
        for other in ["lisbon", "lisbo", "lisbonn", "lisbom", "libson", "isbon"] {
            assert!(is_one_off("lisbon", other), "{other}");
        }
        for other in ["lisb", "lisbonnn", "lsibno", "berlin"] {
            assert!(!is_one_off("lisbon", other), "{other}");
        }
    }
}
