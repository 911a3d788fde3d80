// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a check tells.

use aura_protocol::id::FeedId;

/// Problems that are named one by one; more are only counted.
const PROBLEMS_MAX: usize = 1000;

/// What a check came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Objects checked: entries, heads, chunks, records.
    pub checked: u64,
    /// What is wrong, in words, without content.
    pub problems: Vec<String>,
    /// Problems that were not named for their number.
    pub unnamed: u64,
    /// Entries whose place in their chain was checked, but not what is in them: the second lock is shut.
    pub waiting: u64,
}

impl Report {
    /// Whether nothing is wrong.
    pub fn is_ok(&self) -> bool {
        self.problems.is_empty()
    }

    pub(super) fn problem(&mut self, text: String) {
        if self.problems.len() < PROBLEMS_MAX {
            self.problems.push(text);
        } else {
            self.unnamed = self.unnamed.saturating_add(1);
        }
    }
}

/// How a feed is called.
pub(super) fn name(feed: &FeedId) -> String {
    format!("feed {} of device {}", feed.collection, feed.device)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_problems_are_named_and_the_rest_is_counted() {
        let mut report = Report::default();
        assert!(report.is_ok());
        for n in 0..PROBLEMS_MAX + 3 {
            report.problem(n.to_string());
            assert!(!report.is_ok());
        }
        assert_eq!((report.problems.len(), report.unnamed), (PROBLEMS_MAX, 3));
    }
}
