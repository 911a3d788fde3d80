// SPDX-License-Identifier: MIT OR Apache-2.0
//! The list of attacks and faults: a table in Markdown, an id in the first cell of each row.

use anyhow::{Result, bail};

use super::id;
use crate::table::Table;

/// Where the list is.
pub(crate) const LIST: &str = "testing/security-cases.md";
/// Where it is said what stays possible.
pub(crate) const MODEL: &str = "docs/threat-model.md";
const OPEN: &str = "open";
const MODEL_LEAD: &str = "model: ";

/// An attack or a fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Case<'a> {
    /// Its id.
    pub(crate) id: &'a str,
    /// What is done.
    pub(crate) what: &'a str,
    /// What else is to be said of it.
    pub(crate) rest: Rest<'a>,
}

/// What no test shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rest<'a> {
    /// Nothing.
    None,
    /// Tests are missing; what they wait for, or nothing.
    Open(&'a str),
    /// These words of the threat model say what remains.
    Model(&'a str),
}

/// Reads the list, and checks it against the threat model.
pub(crate) fn read<'a>(table: &'a Table, model: &str) -> Result<Vec<Case<'a>>> {
    let model = spaced(model);
    let mut cases: Vec<Case<'_>> = Vec::new();
    for [id, what, rest] in table.columns(["id", "what is done", "what no test shows"])? {
        if !id::is_id(id) {
            bail!("{LIST}: `{id}` is no id");
        }
        if what.is_empty() {
            bail!("{LIST}: {id} says nothing");
        }
        if cases.last().is_some_and(|last| order(last.id) >= order(id)) {
            bail!("{LIST}: {id} stands twice, or not in order");
        }
        let rest = if let Some(words) = rest.strip_prefix(MODEL_LEAD) {
            if !model.contains(&spaced(words)) {
                bail!("{LIST}: {id} cites words that {MODEL} has not: {words}");
            }
            Rest::Model(words)
        } else if let Some(on) = rest.strip_prefix(OPEN) {
            Rest::Open(on.trim_start_matches(':').trim())
        } else if rest.is_empty() {
            Rest::None
        } else {
            bail!("{LIST}: {id}: expected nothing, `{OPEN}`, `{OPEN}: why` or `{MODEL_LEAD}words`");
        };
        cases.push(Case { id, what, rest });
    }
    Ok(cases)
}

/// Families by their letters, and by numbers within.
fn order(id: &str) -> (&str, &str) {
    id.split_once('-').unwrap_or((id, ""))
}

/// With one space between words, wherever lines end.
fn spaced(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(rows: &str) -> Table {
        let head =
            "<!-- tidy: cases -->\n| id | what is done | what no test shows |\n|---|---|---|\n";
        Table::find(&format!("{head}{rows}"), "cases").unwrap()
    }

    fn refused(rows: &str) -> String {
        read(&list(rows), "a clock\nis wrong").unwrap_err().to_string()
    }

    #[test]
    fn a_list_is_read() {
        let table =
            list("| A-01 | x | |\n| A-02 | y | open: server |\n| B-01 | z | model: clock is |\n");
        let cases = read(&table, "a clock\nis wrong").unwrap();
        let rests: Vec<_> = cases.iter().map(|case| case.rest).collect();
        assert_eq!(rests, [Rest::None, Rest::Open("server"), Rest::Model("clock is")]);
    }

    #[test]
    fn what_is_wrong_with_a_list_is_said() {
        assert!(refused("| A-1 | x | |\n").contains("no id"));
        assert!(refused("| A-01 | | |\n").contains("says nothing"));
        assert!(refused("| A-02 | x | |\n| A-01 | x | |\n").contains("not in order"));
        assert!(refused("| A-01 | x | |\n| A-01 | x | |\n").contains("twice"));
        assert!(refused("| A-01 | x | model: the moon |\n").contains("has not: the moon"));
        assert!(refused("| A-01 | x | later |\n").contains("expected nothing"));
    }
}
