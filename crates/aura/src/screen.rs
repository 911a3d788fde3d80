// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a person sees: results on standard output, everything else on standard error.
//!
//! Colours only on a terminal, only where they mean something, and never with `NO_COLOR`. What comes
//! from records is shown without control characters: a title must not steer a terminal.

use std::env;
use std::io::{self, IsTerminal as _, Write as _};

use serde::Serialize;

use crate::exit::Failure;

/// Lines are cut for this width where nothing says how wide the terminal is.
const WIDTH: usize = 80;
/// Narrower terminals are not believed, and wider ones not filled.
const WIDTH_MIN: usize = 40;
const WIDTH_MAX: usize = 120;

/// Where a command writes.
#[derive(Debug, Clone)]
pub(crate) struct Screen {
    /// Whether results are JSON.
    pub(crate) json: bool,
    colour: bool,
    width: usize,
}

#[expect(clippy::unused_self, reason = "only who has a screen may write on it")]
impl Screen {
    pub(crate) fn new(json: bool) -> Self {
        let is_terminal = io::stdout().is_terminal();
        let is_plain = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
            || env::var_os("TERM").is_some_and(|term| term == "dumb");
        let size = rustix::termios::tcgetwinsize(io::stdout()).ok();
        let width = size.map(|size| usize::from(size.ws_col)).filter(|width| *width >= WIDTH_MIN);
        Self {
            json,
            colour: is_terminal && !is_plain && !json,
            width: width.unwrap_or(WIDTH).min(WIDTH_MAX),
        }
    }

    /// One line of the result.
    pub(crate) fn line(&self, text: &str) -> Result<(), Failure> {
        let mut out = io::stdout().lock();
        Ok(writeln!(out, "{text}")?)
    }

    /// One line of the result, as JSON.
    pub(crate) fn value<T: Serialize>(&self, value: &T) -> Result<(), Failure> {
        let mut text = serde_json::to_vec(value).map_err(io::Error::from)?;
        text.push(b'\n');
        Ok(io::stdout().lock().write_all(&text)?)
    }

    /// A message: on standard error with `--json`, where standard output is for the result alone.
    pub(crate) fn say(&self, text: &str) -> Result<(), Failure> {
        if self.json {
            note(text);
            return Ok(());
        }
        self.line(text)
    }

    pub(crate) fn strong(&self, text: &str) -> String {
        self.paint("1", text)
    }

    pub(crate) fn faint(&self, text: &str) -> String {
        self.paint("2", text)
    }

    pub(crate) fn good(&self, text: &str) -> String {
        self.paint("32", text)
    }

    pub(crate) fn bad(&self, text: &str) -> String {
        self.paint("31", text)
    }

    fn paint(&self, code: &str, text: &str) -> String {
        if self.colour { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    pub(crate) fn is_coloured(&self) -> bool {
        self.colour
    }

    pub(crate) fn width(&self) -> usize {
        self.width
    }
}

/// A message on standard error; nobody can be told when that fails.
pub(crate) fn note(text: &str) {
    drop(writeln!(io::stderr(), "{text}"));
}

/// A message on standard error, its lines broken between words where somebody watches.
pub(crate) fn tell(text: &str) {
    let width =
        rustix::termios::tcgetwinsize(io::stderr()).ok().map(|size| usize::from(size.ws_col));
    match width.filter(|width| *width >= WIDTH_MIN) {
        Some(width) => {
            text.split('\n').for_each(|line| note(&wrap(line, width.min(WIDTH_MAX), "")));
        }
        None => note(text),
    }
}

/// Whether somebody watches standard error.
pub(crate) fn is_watched() -> bool {
    io::stderr().is_terminal()
}

/// Text of a record, safe for a terminal and on one line.
pub(crate) fn clean(text: &str) -> String {
    let steers =
        |c: char| c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    text.chars().map(|c| if steers(c) { ' ' } else { c }).collect()
}

/// At most so many characters, with `…` where some are left out.
pub(crate) fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let kept: String = text.chars().take(width.saturating_sub(1)).collect();
    format!("{kept}…")
}

/// Text in lines of at most so many characters, broken between words; lines after the first begin with
/// `indent`. A word that is longer than a line stays whole.
pub(crate) fn wrap(text: &str, width: usize, indent: &str) -> String {
    let mut lines = String::new();
    let mut at = 0usize;
    for (number, word) in text.split(' ').enumerate() {
        let length = word.chars().count();
        if number > 0 {
            let is_full = at.saturating_add(length).saturating_add(1) > width;
            lines.push_str(if is_full { "\n" } else { " " });
            if is_full {
                lines.push_str(indent);
            }
            at = if is_full { indent.chars().count() } else { at.saturating_add(1) };
        }
        lines.push_str(word);
        at = at.saturating_add(length);
    }
    lines
}

/// `12,345`.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 record`, `2 records`.
pub(crate) fn counted(number: u64, word: &str) -> String {
    if number == 1 { format!("1 {word}") } else { format!("{} {word}s", count(number)) }
}

/// `12.3 MB`.
pub(crate) fn size(bytes: u64) -> String {
    let units = ["kB", "MB", "GB", "TB"];
    let mut unit = "B";
    let mut tenths = u128::from(bytes) * 10;
    for larger in units {
        if tenths < 10_000 {
            break;
        }
        tenths /= 1000;
        unit = larger;
    }
    if unit == "B" {
        format!("{bytes} B")
    } else {
        format!("{}.{} {unit}", tenths / 10, tenths % 10)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_readable() {
        assert_eq!(
            [count(0), count(999), count(1000), count(1_234_567)],
            ["0", "999", "1,000", "1,234,567"]
        );
        assert_eq!(
            [size(0), size(999), size(1500), size(12_345_678)],
            ["0 B", "999 B", "1.5 kB", "12.3 MB"]
        );
        assert_eq!([counted(1, "record"), counted(2, "record")], ["1 record", "2 records"]);
    }

    #[test]
    fn lines_are_broken_between_words() {
        assert_eq!(wrap("  one two three", 9, "    "), "  one two\n    three");
        assert_eq!(wrap("one twothreefour five", 6, ""), "one\ntwothreefour\nfive");
        assert_eq!(wrap("", 6, ""), "");
    }

    #[test]
    fn a_title_cannot_steer_the_terminal() {
        assert_eq!(clean("a\u{1b}[31mb\nc\u{202e}d"), "a [31mb c d");
        assert_eq!(cut("straße", 4), "str…");
        assert_eq!(cut("straße", 6), "straße");
    }
}
