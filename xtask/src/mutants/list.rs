// SPDX-License-Identifier: MIT OR Apache-2.0
//! Which mutants there are: asked of cargo-mutants, which knows what to change.

use std::ops::Range;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::run::{Checkout, output};

/// What a mutant changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Genre {
    /// A function answers this and does nothing.
    FnValue,
    /// Another operator between the same operands.
    BinaryOperator,
    /// No operator before the operand.
    UnaryOperator,
    /// A match without one of its arms.
    MatchArm,
    /// An arm is taken always, or never.
    MatchArmGuard,
    /// Something else: a field that is left out of an update.
    Other,
}

/// One place of a module, changed.
#[derive(Debug, Clone)]
pub(super) struct Mutant {
    /// From 1; 0 is no mutant.
    pub(super) number: usize,
    /// The module, from the root.
    pub(super) file: String,
    /// As cargo-mutants names it, with its place.
    pub(super) name: String,
    /// What is changed.
    pub(super) genre: Genre,
    /// The bytes of the module that are replaced.
    pub(super) range: Range<usize>,
    /// What stands there instead.
    pub(super) replacement: String,
    /// `-> T` of its function, or nothing.
    pub(super) returns: String,
}

/// The mutants of these modules of a package; `text` gives what a module says.
pub(super) fn list<'a>(
    checkout: &Checkout,
    package: &str,
    modules: &[&str],
    text: impl Fn(&str) -> Option<&'a str>,
) -> Result<Vec<Mutant>> {
    let mut ask = checkout.cargo(["mutants", "--list", "--json", "--package", package]);
    for module in modules {
        ask.args(["--file", module]);
    }
    let told: Value = serde_json::from_str(&output(&mut ask)?)?;
    let found = told.as_array().into_iter().flatten().enumerate();
    found
        .map(|(index, mutant)| {
            read(index + 1, mutant, &text).with_context(|| format!("what is {mutant}?"))
        })
        .collect()
}

fn read<'a>(number: usize, told: &Value, text: impl Fn(&str) -> Option<&'a str>) -> Option<Mutant> {
    let word = |value: &Value| value.as_str().map(str::to_owned);
    let file = word(&told["file"])?;
    let lines = Lines::of(text(&file)?);
    let place = |end: &str| {
        let number = |of: &str| usize::try_from(told["span"][end][of].as_u64()?).ok();
        lines.offset(number("line")?, number("column")?.checked_sub(1)?)
    };
    let range = place("start")?..place("end")?;
    Some(Mutant {
        number,
        name: word(&told["name"])?,
        genre: match told["genre"].as_str()? {
            "FnValue" => Genre::FnValue,
            "BinaryOperator" => Genre::BinaryOperator,
            "UnaryOperator" => Genre::UnaryOperator,
            "MatchArm" => Genre::MatchArm,
            "MatchArmGuard" => Genre::MatchArmGuard,
            _ => Genre::Other,
        },
        range,
        replacement: word(&told["replacement"])?,
        returns: word(&told["function"]["return_type"]).unwrap_or_default(),
        file,
    })
}

/// Places of a text by line and column.
pub(super) struct Lines<'a> {
    text: &'a str,
    starts: Vec<usize>,
}

impl<'a> Lines<'a> {
    /// Of this text.
    pub(super) fn of(text: &'a str) -> Self {
        let after = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        Self { text, starts: std::iter::once(0).chain(after.map(|(at, _)| at + 1)).collect() }
    }

    /// The byte at a line (from 1) and a column (in characters, from 0).
    pub(super) fn offset(&self, line: usize, column: usize) -> Option<usize> {
        let start = *self.starts.get(line.checked_sub(1)?)?;
        let mut rest = self.text.get(start..)?.char_indices().map(|(at, _)| at);
        Some(rest.nth(column).map_or(self.text.len(), |at| start + at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_characters() {
        let lines = Lines::of("a\nüb\n");
        assert_eq!(lines.offset(1, 0), Some(0));
        assert_eq!(lines.offset(2, 1), Some(4));
        assert_eq!(lines.offset(3, 0), Some(6));
        assert_eq!(lines.offset(4, 0), None);
    }

    #[test]
    fn a_mutant_is_read() {
        let told = serde_json::json!({
            "file": "a.rs", "name": "a.rs:1:8: replace < with > in f", "genre": "BinaryOperator",
            "replacement": ">", "function": {"return_type": "-> bool"},
            "span": {"start": {"line": 1, "column": 3}, "end": {"line": 1, "column": 4}},
        });
        let mutant = read(7, &told, |_| Some("a < b")).unwrap();
        assert_eq!((mutant.number, mutant.range), (7, 2..3));
        assert_eq!(mutant.genre, Genre::BinaryOperator);
    }
}
