// SPDX-License-Identifier: MIT OR Apache-2.0
//! Rust source as words and marks: comments, strings and tests left out.
//!
//! Enough to see which modules a file declares and names, and no more. A real parser would make this
//! tool slow to build, and everybody builds it first. Lines count from 1.

/// A word (`crate`, `x1`), `::`, or one other character of punctuation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Token<'a> {
    /// As written.
    pub(crate) text: &'a str,
    /// On which line.
    pub(crate) line: usize,
}

/// Splits source into tokens. Literals vanish; a lifetime vanishes too.
pub(crate) fn tokens(source: &str) -> Vec<Token<'_>> {
    let mut scanner = Scanner { source, at: 0, line: 1 };
    let mut found = Vec::new();
    while let Some(token) = scanner.next_token() {
        found.push(token);
    }
    found
}

/// Leaves out every item under `#[cfg(test)]`.
pub(crate) fn without_tests<'a>(tokens: &[Token<'a>]) -> Vec<Token<'a>> {
    const MARK: [&str; 7] = ["#", "[", "cfg", "(", "test", ")", "]"];
    let mut kept = Vec::new();
    let mut rest = tokens;
    while let Some((first, after)) = rest.split_first() {
        if starts_with(rest, &MARK) {
            rest = after_item(rest.get(MARK.len()..).unwrap_or_default());
        } else {
            kept.push(*first);
            rest = after;
        }
    }
    kept
}

/// Whether the tokens begin with these words.
pub(crate) fn starts_with(tokens: &[Token<'_>], words: &[&str]) -> bool {
    tokens.len() >= words.len() && tokens.iter().zip(words).all(|(t, word)| t.text == *word)
}

/// What follows the item that begins here: after its `;`, or after its braces.
fn after_item<'a, 'b>(tokens: &'b [Token<'a>]) -> &'b [Token<'a>] {
    let mut depth = 0_usize;
    for (at, token) in tokens.iter().enumerate() {
        match token.text {
            "{" | "(" | "[" => depth += 1,
            "}" | ")" | "]" => depth = depth.saturating_sub(1),
            _ => {}
        }
        let ends = token.text == ";" || token.text == "}";
        if depth == 0 && ends {
            return tokens.get(at + 1..).unwrap_or_default();
        }
    }
    &[]
}

struct Scanner<'a> {
    source: &'a str,
    at: usize,
    line: usize,
}

impl<'a> Scanner<'a> {
    fn next_token(&mut self) -> Option<Token<'a>> {
        loop {
            let rest = self.rest();
            let first = rest.chars().next()?;
            if first.is_whitespace() {
                self.advance(first.len_utf8());
            } else if rest.starts_with("//") {
                self.advance(rest.find('\n').unwrap_or(rest.len()));
            } else if rest.starts_with("/*") {
                self.advance(block_comment(rest));
            } else if let Some(length) = literal(rest) {
                self.advance(length);
            } else {
                return Some(self.word_or_mark(first));
            }
        }
    }

    fn word_or_mark(&mut self, first: char) -> Token<'a> {
        let rest = self.rest();
        let length = if is_word(first) {
            rest.find(|c| !is_word(c)).unwrap_or(rest.len())
        } else if rest.starts_with("::") {
            2
        } else {
            first.len_utf8()
        };
        let token = Token { text: rest.get(..length).unwrap_or_default(), line: self.line };
        self.advance(length);
        token
    }

    fn rest(&self) -> &'a str {
        self.source.get(self.at..).unwrap_or_default()
    }

    fn advance(&mut self, length: usize) {
        let passed = self.rest().get(..length).unwrap_or_default();
        self.line += passed.matches('\n').count();
        self.at += length.max(1);
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The length in bytes of the block comment at the start; they nest.
fn block_comment(text: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        if rest.starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest.starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
        }
    }
    text.len()
}

/// The length of the string, character or lifetime at the start, if there is one.
fn literal(text: &str) -> Option<usize> {
    let prefix = ["br", "cr", "b", "c", "r", ""].into_iter().find(|prefix| {
        let after = text.strip_prefix(prefix).unwrap_or_default();
        let hashed = after.trim_start_matches('#');
        let is_raw = prefix.ends_with('r');
        after.starts_with('"') || (is_raw && hashed.starts_with('"'))
    });
    if let Some(prefix) = prefix {
        let body = text.get(prefix.len()..)?;
        let length = if prefix.ends_with('r') { raw_string(body) } else { string(body) };
        return Some(prefix.len() + length);
    }
    let prefix = usize::from(text.starts_with("b'"));
    character(text.get(prefix..)?).map(|length| prefix + length)
}

fn raw_string(text: &str) -> usize {
    let hashes = text.len() - text.trim_start_matches('#').len();
    let end = format!("\"{}", "#".repeat(hashes));
    let opened = hashes + 1;
    let body = text.get(opened..).unwrap_or_default();
    body.find(&end).map_or(text.len(), |at| opened + at + end.len())
}

fn string(text: &str) -> usize {
    let mut is_escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// `'a'`, `'\n'`, or the lifetime `'a`.
fn character(text: &str) -> Option<usize> {
    let body = text.strip_prefix('\'')?;
    let first = body.chars().next()?;
    if first == '\\' {
        let end = body.get(2..)?.find('\'')?;
        return Some(1 + 2 + end + 1);
    }
    let after = body.get(first.len_utf8()..)?;
    if after.starts_with('\'') {
        return Some(1 + first.len_utf8() + 1);
    }
    Some(1 + body.find(|c| !is_word(c)).unwrap_or(body.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(source: &str) -> Vec<&str> {
        tokens(source).into_iter().map(|token| token.text).collect()
    }

    #[test]
    fn literals_and_comments_vanish() {
        let source = r##"a /* b /* c */ d */ "e \" f" r#"g " h"# b"i" 'j' '\'' '\u{1F600}' b'k' // l
            m::n<'o>"##;
        assert_eq!(words(source), ["a", "m", "::", "n", "<", ">"]);
    }

    #[test]
    fn words_that_begin_like_a_literal_stay() {
        assert_eq!(words("break r#mod br c b"), ["break", "r", "#", "mod", "br", "c", "b"]);
    }

    #[test]
    fn lines_are_counted_through_strings_and_comments() {
        let found = tokens("/*\n*/ a \"\n\n\" b");
        assert_eq!(found, [Token { text: "a", line: 2 }, Token { text: "b", line: 4 }]);
    }

    #[test]
    fn broken_source_ends() {
        for source in ["\"open", "/* open", "'", "r#\"open", "'\\", "é'é", "b'"] {
            drop(tokens(source));
        }
    }

    #[test]
    fn items_of_tests_are_left_out() {
        let source = "#[cfg(test)] mod t { fn f() { g(); } } #[cfg(test)] #[path] mod u; keep";
        let all = tokens(source);
        let kept: Vec<_> = without_tests(&all).into_iter().map(|t| t.text).collect();
        assert_eq!(kept, ["keep"]);
    }
}
