// SPDX-License-Identifier: MIT OR Apache-2.0
//! How many events there are, by day, by who, or by category: a table with bars that needs no colour.
//!
//! An event on several categories counts in each of them, so that the sum may be above the number of events.

use std::collections::BTreeMap;

use clap::ValueEnum;
use serde::Serialize;

use crate::screen::{clean, count, cut};
use crate::view::Event;

/// By what events are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum By {
    Day,
    Who,
    Category,
}

/// Longer names are cut.
const KEY_WIDTH_MAX: usize = 26;

#[derive(Debug, Default, Clone, Copy)]
struct Count {
    events: u64,
    refused: u64,
}

pub(super) struct Tally {
    by: By,
    counts: BTreeMap<Option<String>, Count>,
}

/// A line of the table, as JSON.
#[derive(Debug, Serialize, PartialEq, Eq)]
pub(super) struct Row {
    /// A day, a principal, or a category; null for events without one.
    key: Option<String>,
    events: u64,
    /// How many of them were refused or failed.
    refused: u64,
}

impl Tally {
    pub(super) fn new(by: By) -> Self {
        Self { by, counts: BTreeMap::new() }
    }

    pub(super) fn add(&mut self, event: &Event) {
        let keys = match self.by {
            By::Day => vec![event.time.get(..10).map(str::to_owned)],
            By::Who => vec![Some(event.who.clone())],
            By::Category if event.categories.is_empty() => vec![None],
            By::Category => event.categories.iter().cloned().map(Some).collect(),
        };
        for key in keys {
            let found = self.counts.entry(key).or_default();
            found.events = found.events.saturating_add(1);
            found.refused = found.refused.saturating_add(u64::from(event.outcome != "done"));
        }
    }

    /// Days in their order; names and categories with the most events first.
    pub(super) fn rows(&self) -> Vec<Row> {
        let row = |(key, counted): (&Option<String>, &Count)| {
            let Count { events, refused } = *counted;
            Row { key: key.clone(), events, refused }
        };
        let mut rows: Vec<Row> = self.counts.iter().map(row).collect();
        if self.by != By::Day {
            rows.sort_by_key(|row| std::cmp::Reverse(row.events));
        }
        rows
    }

    /// The table, in lines of at most so many characters.
    pub(super) fn lines(&self, width: usize) -> Vec<String> {
        let rows = self.rows();
        let name = |row: &Row| {
            let none = if self.by == By::Category { "no category" } else { "no day" };
            cut(&clean(row.key.as_deref().unwrap_or(none)), KEY_WIDTH_MAX.min(width / 3))
        };
        let refused = |row: &Row| match row.refused {
            0 => String::new(),
            some => format!("  {} refused", count(some)),
        };
        let widest = |of: &dyn Fn(&Row) -> usize| rows.iter().map(of).max().unwrap_or_default();
        let names = widest(&|row| name(row).chars().count());
        let numbers = widest(&|row| count(row.events).len());
        let notes = widest(&|row| refused(row).len());
        let most = rows.iter().map(|row| row.events).max().unwrap_or_default().max(1);
        let taken = names.saturating_add(numbers).saturating_add(notes).saturating_add(4);
        let room = width.saturating_sub(taken).max(1);
        let line = |row: &Row| {
            let share = u128::from(row.events).saturating_mul(room as u128).div_ceil(most.into());
            let bar = "#".repeat(usize::try_from(share).unwrap_or(room));
            format!("{:<names$}  {:>numbers$}  {bar}{}", name(row), count(row.events), refused(row))
        };
        rows.iter().map(line).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(day: u32, who: &str, categories: &[&str], outcome: &str) -> Event {
        serde_json::from_value(serde_json::json!({
            "number": 0, "device": "d", "incarnation": "i", "time": format!("2026-11-{day:02}T10:00:00Z"),
            "who": who, "action": "read", "outcome": outcome, "categories": categories, "count": 7,
            "grant": "", "hash": "h",
        }))
        .unwrap()
    }

    fn table(by: By) -> Tally {
        let mut tally = Tally::new(by);
        for n in 0..1200 {
            tally.add(&event(2, "owner", &[], if n == 0 { "failed" } else { "done" }));
        }
        tally.add(&event(1, "assistant:claude", &["mail", "notes"], "refused"));
        tally.add(&event(
            1,
            "assistant:\u{1b}[2Ja-name-that-is-far-too-long-for-a-table",
            &["mail"],
            "done",
        ));
        tally
    }

    #[test]
    fn every_line_fits_and_no_name_steers_the_terminal() {
        for by in [By::Day, By::Who, By::Category] {
            for width in [40, 80] {
                let lines = table(by).lines(width);
                assert!(lines.iter().all(|line| line.chars().count() <= width), "{lines:#?}");
                assert!(lines.iter().all(|line| line.contains('#') && !line.contains('\u{1b}')));
            }
        }
    }

    #[test]
    fn days_stand_in_their_order_and_names_by_their_number() {
        let keys = |by| {
            let rows = table(by).rows().into_iter();
            rows.map(|row| (row.key.unwrap_or_default(), row.events, row.refused))
                .collect::<Vec<_>>()
        };
        let key = |key: &str, events, refused| (key.to_owned(), events, refused);
        assert_eq!(keys(By::Day), [key("2026-11-01", 2, 1), key("2026-11-02", 1200, 1)]);
        assert_eq!(keys(By::Category), [key("", 1200, 1), key("mail", 2, 1), key("notes", 1, 1)]);
        assert_eq!(keys(By::Who)[0], key("owner", 1200, 1));
        assert_eq!(Tally::new(By::Day).lines(80), Vec::<String>::new());
    }
}
