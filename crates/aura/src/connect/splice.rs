// SPDX-License-Identifier: MIT OR Apache-2.0
//! One piece of a text in the place of another, and why a text is left alone.

/// At a byte of a text, what stands there and what shall.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Splice {
    /// In bytes from the beginning of the text as it was.
    pub(crate) at: usize,
    pub(crate) removed: String,
    pub(crate) inserted: String,
}

impl Splice {
    pub(crate) fn insert(at: usize, inserted: String) -> Self {
        Self { at, removed: String::new(), inserted }
    }

    /// In the place of these bytes. `None` if there are none such.
    pub(crate) fn replace(text: &str, from: usize, to: usize, inserted: String) -> Option<Self> {
        Some(Self { at: from, removed: text.get(from..to)?.to_owned(), inserted })
    }

    /// The text as it shall be. `None` if it is not the one that this was made for.
    pub(crate) fn apply(&self, text: &str) -> Option<String> {
        let (before, rest) = (text.get(..self.at)?, text.get(self.at..)?);
        Some(format!("{before}{}{}", self.inserted, rest.strip_prefix(self.removed.as_str())?))
    }

    /// The other way round, at another byte, since the text has changed elsewhere.
    pub(crate) fn back(&self, at: usize) -> Self {
        Self { at, removed: self.inserted.clone(), inserted: self.removed.clone() }
    }
}

/// Why a configuration is left alone. Says nothing of what is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Broken {
    /// It cannot be read, at this line and column, counted from one.
    At { line: usize, column: usize, why: String },
    /// It is not written as its client has it.
    Other(String),
}

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::At { line, column, why } => write!(f, "line {line}, column {column}: {why}"),
            Self::Other(why) => f.write_str(why),
        }
    }
}

/// How lines end in a text.
pub(super) fn newline(text: &str) -> &'static str {
    if text.contains("\r\n") { "\r\n" } else { "\n" }
}

/// The line and column of a byte, counted from one, columns in characters.
pub(super) fn place(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or(text);
    let line = before.rsplit('\n').next().unwrap_or_default();
    (before.matches('\n').count().saturating_add(1), line.chars().count().saturating_add(1))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic is a failed test")]

    use super::*;

    #[test]
    fn a_splice_goes_there_and_back() {
        let splice = Splice::replace("one two three", 4, 7, "2".to_owned()).unwrap();
        let after = splice.apply("one two three").unwrap();
        assert_eq!(after, "one 2 three");
        assert_eq!(splice.back(4).apply(&after).unwrap(), "one two three");
        assert_eq!(splice.back(8).apply("and one 2 three").unwrap(), "and one two three");
        assert_eq!(splice.apply("one ten three"), None);
        assert_eq!(splice.apply("o"), None);
        assert_eq!(Splice::replace("ä", 1, 2, String::new()), None);
    }

    #[test]
    fn places_are_counted_from_one() {
        assert_eq!(place("", 0), (1, 1));
        assert_eq!(place("a\r\nbä c", 7), (2, 4));
    }
}
