// SPDX-License-Identifier: MIT OR Apache-2.0
//! How text becomes tokens: the same for what is indexed, what is asked and what is highlighted.
//!
//! A token is a run of letters and digits, folded: NFKC, lower case, without diacritics. Scripts
//! written without spaces become overlapping pairs of characters, and the last character of a run
//! once more by itself, so that every single character can be found as the beginning of a token.
//! ASCII words take a path of their own: tokenising is most of what an import costs.
//! Mail addresses and URLs fall into their parts here; a query puts the parts together as a phrase.
//! Source: Unicode UAX #15 (normalisation). Offsets are bytes of the original text.

use std::collections::VecDeque;
use std::ops::Range;

use tantivy::tokenizer::{Token, TokenStream, Tokenizer};
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use super::backlog::Backlog;

/// The longest token in bytes; what is longer is known by its beginning.
pub(super) const TOKEN_BYTES_MAX: usize = 64;

/// Marks after one character that are looked at; text that piles up more is cut into pieces.
const CLUSTER_MARKS_MAX: usize = 16;

/// What a token is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// Letters and digits between spaces or punctuation.
    Word,
    /// Two neighbours in a script without spaces.
    Pair,
    /// The last character of a run of pairs, by itself.
    Tail,
    /// The only character of a run in a script without spaces.
    Lone,
}

/// A token of a query or of a text to highlight.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) text: String,
    pub(super) shape: Shape,
    /// Counts tokens from the beginning of the text.
    pub(super) position: usize,
    /// Where it stands in the text, in bytes.
    pub(super) at: Range<usize>,
}

/// The first `max` tokens of `text`.
pub(super) fn pieces(text: &str, max: usize) -> Vec<Piece> {
    let mut token = Token::default();
    let mut stream = Folded::new(text, &mut token);
    let mut found = Vec::new();
    while found.len() < max && stream.advance() {
        found.push(Piece {
            text: stream.token.text.clone(),
            shape: stream.shape,
            position: stream.token.position,
            at: stream.token.offset_from..stream.token.offset_to,
        });
    }
    found
}

/// Calls `each` with the folded text of every token.
pub(super) fn each_token(text: &str, mut each: impl FnMut(&str)) {
    let mut token = Token::default();
    let mut stream = Folded::new(text, &mut token);
    while stream.advance() {
        each(&stream.token.text);
    }
}

/// The longest beginning of `text` that has at most `max` bytes and cuts no character.
pub(super) fn beginning(text: &str, max: usize) -> &str {
    text.get(..text.floor_char_boundary(max)).unwrap_or(text)
}

/// The tokeniser as tantivy wants it.
#[derive(Debug, Clone, Default)]
pub(super) struct Folding {
    token: Token,
    backlog: Backlog,
}

impl Folding {
    /// A tokeniser that tells `backlog` what it reads.
    pub(super) fn new(backlog: Backlog) -> Self {
        Self { token: Token::default(), backlog }
    }
}

impl Tokenizer for Folding {
    type TokenStream<'a> = Folded<'a>;

    fn token_stream<'a>(&'a mut self, text: &'a str) -> Folded<'a> {
        self.backlog.give_back(text.len());
        Folded::new(text, &mut self.token)
    }
}

/// A character after folding, and the bytes of the original text that it came from.
#[derive(Debug, Clone, Copy)]
struct FoldedChar {
    char: char,
    from: usize,
    to: usize,
}

/// The tokens of one text.
#[derive(Debug)]
pub(super) struct Folded<'a> {
    text: &'a str,
    /// First byte that has not been read.
    at: usize,
    token: &'a mut Token,
    shape: Shape,
    /// Inside a word that is not plain ASCII.
    in_word: bool,
    /// Folded characters of that word which have not been used.
    chars: VecDeque<FoldedChar>,
    /// The last character in a script without spaces, and whether it has been half of a pair.
    last: Option<(FoldedChar, Shape)>,
}

impl<'a> Folded<'a> {
    fn new(text: &'a str, token: &'a mut Token) -> Self {
        token.reset();
        Self {
            text,
            at: 0,
            token,
            shape: Shape::Word,
            in_word: false,
            chars: VecDeque::new(),
            last: None,
        }
    }

    fn char_at(&self, at: usize) -> Option<char> {
        self.text.get(at..).and_then(|rest| rest.chars().next())
    }

    /// Moves to the next word. True when the token is that word, plain ASCII and complete.
    fn next_word(&mut self) -> Option<bool> {
        let bytes = self.text.as_bytes();
        loop {
            let first = *bytes.get(self.at)?;
            if first.is_ascii_alphanumeric() {
                let rest = bytes.get(self.at..).unwrap_or_default();
                let len = rest.iter().position(|byte| !byte.is_ascii_alphanumeric());
                let end = len.map_or(bytes.len(), |len| self.at.saturating_add(len));
                if bytes.get(end).is_some_and(|byte| !byte.is_ascii())
                    && self.char_at(end).is_some_and(is_word)
                {
                    return Some(false);
                }
                self.ascii_word(end);
                return Some(true);
            } else if first.is_ascii() {
                self.at = self.at.saturating_add(1);
            } else {
                let char = self.char_at(self.at)?;
                if is_word(char) {
                    return Some(false);
                }
                self.at = self.at.saturating_add(char.len_utf8());
            }
        }
    }

    fn ascii_word(&mut self, end: usize) {
        let word = self.text.get(self.at..end).unwrap_or_default();
        self.token.text.clear();
        self.token.text.push_str(beginning(word, TOKEN_BYTES_MAX));
        self.token.text.make_ascii_lowercase();
        self.token.offset_from = self.at;
        self.token.offset_to = end;
        self.shape = Shape::Word;
        self.at = end;
    }

    /// The next folded character of the word, or nothing when the word ends.
    fn next_char(&mut self) -> Option<FoldedChar> {
        while self.chars.is_empty() {
            let from = self.at;
            let first = self.char_at(from).filter(|char| is_word(*char))?;
            let mut to = from.saturating_add(first.len_utf8());
            for _ in 0..CLUSTER_MARKS_MAX {
                let Some(mark) = self.char_at(to).filter(|char| joins_previous(*char)) else {
                    break;
                };
                to = to.saturating_add(mark.len_utf8());
            }
            self.at = to;
            self.fold(first, from, to);
        }
        self.chars.pop_front()
    }

    /// Folds one character with its marks.
    fn fold(&mut self, first: char, from: usize, to: usize) {
        let chars = &mut self.chars;
        let mut push = |char| chars.push_back(FoldedChar { char, from, to });
        if to.saturating_sub(from) == first.len_utf8() && is_folded(first) {
            return push(first);
        }
        let cluster = self.text.get(from..to).unwrap_or_default();
        for char in cluster.nfkd().filter(|char| !is_dropped(*char)).nfc() {
            for lower in char.to_lowercase() {
                match plain(lower) {
                    Some(plain) => plain.chars().for_each(&mut push),
                    None => push(lower),
                }
            }
        }
    }

    /// The next token of the word, or false when the word has no more.
    fn advance_in_word(&mut self) -> bool {
        self.token.text.clear();
        loop {
            let next = self.next_char();
            match next {
                Some(next) if is_unspaced(next.char) && self.token.text.is_empty() => {
                    let Some((last, _)) = self.last.replace((next, Shape::Tail)) else {
                        self.last = Some((next, Shape::Lone));
                        continue;
                    };
                    self.token.text.extend([last.char, next.char]);
                    self.token.offset_from = last.from;
                    self.token.offset_to = next.to;
                    self.shape = Shape::Pair;
                    return true;
                }
                Some(next)
                    if next.char.is_alphanumeric()
                        && !is_unspaced(next.char)
                        && self.last.is_none() =>
                {
                    self.append(next);
                }
                Some(next) => {
                    let is_letter = next.char.is_alphanumeric() || is_unspaced(next.char);
                    if is_letter {
                        self.chars.push_front(next);
                    }
                    if self.close() {
                        return true;
                    }
                }
                None => {
                    self.in_word = false;
                    return self.close();
                }
            }
        }
    }

    fn append(&mut self, next: FoldedChar) {
        if self.token.text.is_empty() {
            self.token.offset_from = next.from;
        }
        self.token.offset_to = next.to;
        if self.token.text.len().saturating_add(next.char.len_utf8()) <= TOKEN_BYTES_MAX {
            self.token.text.push(next.char);
        }
    }

    /// Makes a token of what has been gathered, if there is any.
    fn close(&mut self) -> bool {
        if !self.token.text.is_empty() {
            self.shape = Shape::Word;
            return true;
        }
        let Some((last, shape)) = self.last.take() else { return false };
        self.token.text.push(last.char);
        self.token.offset_from = last.from;
        self.token.offset_to = last.to;
        self.shape = shape;
        true
    }
}

impl TokenStream for Folded<'_> {
    fn advance(&mut self) -> bool {
        self.token.position = self.token.position.wrapping_add(1);
        loop {
            if self.in_word {
                if self.advance_in_word() {
                    return true;
                }
                continue;
            }
            match self.next_word() {
                None => return false,
                Some(true) => return true,
                Some(false) => self.in_word = true,
            }
        }
    }

    fn token(&self) -> &Token {
        self.token
    }

    fn token_mut(&mut self) -> &mut Token {
        self.token
    }
}

/// Whether the character belongs to a word.
fn is_word(char: char) -> bool {
    char.is_alphanumeric() || is_ignorable(char) || is_combining_mark(char)
}

/// Invisible characters that stand inside words.
fn is_ignorable(char: char) -> bool {
    matches!(char, '\u{ad}' | '\u{200c}' | '\u{200d}' | '\u{2060}' | '\u{feff}')
}

/// Whether normalisation may join the character to the one before it.
fn joins_previous(char: char) -> bool {
    is_combining_mark(char)
        || is_ignorable(char)
        || matches!(char, '\u{1160}'..='\u{11ff}' | '\u{ff9e}' | '\u{ff9f}')
}

/// Marks that searching does not look at: diacritics, vowel points, variation selectors.
fn is_dropped(char: char) -> bool {
    is_ignorable(char)
        || matches!(
            char,
            '\u{300}'..='\u{36f}' | '\u{483}'..='\u{487}' | '\u{591}'..='\u{5bd}' | '\u{5bf}'
            | '\u{5c1}' | '\u{5c2}' | '\u{5c4}' | '\u{5c5}' | '\u{5c7}' | '\u{610}'..='\u{61a}'
            | '\u{640}' | '\u{64b}'..='\u{65f}' | '\u{670}' | '\u{1ab0}'..='\u{1aff}'
            | '\u{1dc0}'..='\u{1dff}' | '\u{20d0}'..='\u{20ff}' | '\u{fe00}'..='\u{fe0f}'
            | '\u{fe20}'..='\u{fe2f}' | '\u{e0100}'..='\u{e01ef}'
        )
}

/// Common characters that folding leaves as they are.
fn is_folded(char: char) -> bool {
    matches!(
        char,
        '\u{4e00}'..='\u{9fff}' | '\u{3041}'..='\u{3096}' | '\u{30a1}'..='\u{30fa}' | '\u{30fc}'
        | '\u{ac00}'..='\u{d7a3}' | 'а'..='и' | 'к'..='я' | 'a'..='z' | '0'..='9'
    )
}

/// Scripts that are written without spaces between words: Han, kana, Hangul (which has spaces but
/// glues particles to words), Thai, Lao, Burmese, Khmer.
fn is_unspaced(char: char) -> bool {
    matches!(
        char,
        '\u{3005}'..='\u{3007}' | '\u{3040}'..='\u{30ff}' | '\u{31f0}'..='\u{31ff}'
        | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}'
        | '\u{20000}'..='\u{3ffff}' | '\u{ac00}'..='\u{d7af}' | '\u{1100}'..='\u{11ff}'
        | '\u{a960}'..='\u{a97f}' | '\u{e00}'..='\u{eff}' | '\u{1000}'..='\u{109f}'
        | '\u{1780}'..='\u{17ff}'
    )
}

/// Letters that do not decompose but that people type without their stroke or ligature.
fn plain(char: char) -> Option<&'static str> {
    Some(match char {
        'ß' => "ss",
        'æ' => "ae",
        'œ' => "oe",
        'ø' => "o",
        'đ' | 'ð' => "d",
        'ł' => "l",
        'ħ' => "h",
        'ı' => "i",
        'ŧ' => "t",
        'þ' => "th",
        'ς' => "σ",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folded(text: &str) -> Vec<String> {
        pieces(text, usize::MAX).into_iter().map(|piece| piece.text).collect()
    }

    #[test]
    fn words_numbers_addresses_and_links_fall_into_parts() {
        assert_eq!(folded("Flat 12.50 EUR!"), ["flat", "12", "50", "eur"]);
        assert_eq!(folded("anna.smith@example.com"), ["anna", "smith", "example", "com"]);
        assert_eq!(folded("https://a.example/x?y=z"), ["https", "a", "example", "x", "y", "z"]);
        assert_eq!(folded(" \u{200d}\u{fe0f} ☃ "), [""; 0]);
    }

    #[test]
    fn case_width_and_diacritics_do_not_matter() {
        assert_eq!(folded("Łódź STRASSE Straße"), ["lodz", "strasse", "strasse"]);
        assert_eq!(folded("ΟΔΥΣΣΕΥΣ Οδυσσεύς"), ["οδυσσευσ", "οδυσσευσ"]);
        assert_eq!(
            folded("İstanbul ｆｕｌｌ ﬁne co\u{ad}op"),
            ["istanbul", "full", "fine", "coop"]
        );
        assert_eq!(folded("ёлка Ёлка"), ["елка", "елка"]);
        assert_eq!(folded("e\u{301}te\u{301} été"), ["ete", "ete"]);
    }

    #[test]
    fn scripts_without_spaces_become_pairs() {
        assert_eq!(folded("東京都AI研"), ["東京", "京都", "都", "ai", "研"]);
        assert_eq!(folded("ｶﾞｽ"), folded("ガス"));
        assert_eq!(folded("한국어"), folded("\u{1112}\u{1161}\u{11ab}국어"));
        let shapes: Vec<_> = pieces("東京 都", 9).into_iter().map(|piece| piece.shape).collect();
        assert_eq!(shapes, [Shape::Pair, Shape::Tail, Shape::Lone]);
    }

    #[test]
    fn offsets_name_the_original_text() {
        let text = "Ünïcode e\u{301}te\u{301} 東京";
        let at: Vec<_> = pieces(text, 9).into_iter().map(|piece| &text[piece.at]).collect();
        assert_eq!(at, ["Ünïcode", "e\u{301}te\u{301}", "東京", "京"]);
    }

    #[test]
    fn long_tokens_are_cut_and_many_marks_do_no_harm() {
        assert_eq!(folded(&"x".repeat(1000)), ["x".repeat(TOKEN_BYTES_MAX)]);
        let word = "é".repeat(1000);
        assert_eq!(folded(&word), ["e".repeat(TOKEN_BYTES_MAX)]);
        assert_eq!(folded(&format!("a{}b", "\u{301}".repeat(999))), ["ab"]);
    }
}
