// SPDX-License-Identifier: MIT OR Apache-2.0
//! Tables in Markdown that a check reads: the document is the rule, not a description of it.
//!
//! A table is found by the comment above it, `<!-- tidy: NAME -->`, and a column by its heading.

use anyhow::{Context, Result, bail};

/// A table with named columns.
#[derive(Debug)]
pub(crate) struct Table {
    headings: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// Finds the table marked with this name.
    pub(crate) fn find(markdown: &str, name: &str) -> Result<Self> {
        let mark = format!("<!-- tidy: {name} -->");
        let (_, after) = markdown.split_once(&mark).with_context(|| format!("no {mark}"))?;
        let mut lines = after.lines().map(str::trim).skip_while(|line| line.is_empty());
        let headings = cells(lines.next().unwrap_or_default());
        let rule = lines.next().unwrap_or_default();
        if headings.is_empty() || !rule.starts_with("|-") {
            bail!("no table follows {mark}");
        }
        let rows = lines.take_while(|line| line.starts_with('|')).map(cells).collect();
        Ok(Self { headings, rows })
    }

    /// The rows, each as the cells of these columns.
    pub(crate) fn columns<const N: usize>(&self, names: [&str; N]) -> Result<Vec<[&str; N]>> {
        let mut places = [0; N];
        for (place, name) in places.iter_mut().zip(names) {
            let found = self.headings.iter().position(|heading| heading == name);
            *place = found.with_context(|| format!("no column {name}"))?;
        }
        let is_whole = |row: &&Vec<String>| row.len() == self.headings.len();
        if let Some(ragged) = self.rows.iter().find(|row| !is_whole(row)) {
            bail!("expected {} cells in the row {ragged:?}", self.headings.len());
        }
        Ok(self
            .rows
            .iter()
            .map(|row| places.map(|p| row.get(p).map_or("", String::as_str)))
            .collect())
    }
}

/// The words between backticks, in order.
pub(crate) fn quoted(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

fn cells(line: &str) -> Vec<String> {
    let inner = line.strip_prefix('|').and_then(|rest| rest.strip_suffix('|'));
    let Some(inner) = inner else {
        return Vec::new();
    };
    inner.split('|').map(|cell| cell.trim().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLE: &str = "text\n<!-- tidy: pets -->\n\n| name | eats |\n|---|---|\n\
        | `cat` | `fish`, `mouse` |\n| `cow` | |\n\nmore | text |\n";

    #[test]
    fn a_table_is_read_by_headings() {
        let table = Table::find(SAMPLE, "pets").unwrap();
        let rows = table.columns(["eats", "name"]).unwrap();
        assert_eq!(rows, [["`fish`, `mouse`", "`cat`"], ["", "`cow`"]]);
        assert_eq!(quoted(rows[0][0]), ["fish", "mouse"]);
    }

    #[test]
    fn what_is_missing_is_named() {
        assert!(Table::find(SAMPLE, "cars").unwrap_err().to_string().contains("cars"));
        let table = Table::find(SAMPLE, "pets").unwrap();
        assert!(table.columns(["age"]).unwrap_err().to_string().contains("age"));
        assert!(Table::find("<!-- tidy: a -->\nno table", "a").is_err());
    }
}
