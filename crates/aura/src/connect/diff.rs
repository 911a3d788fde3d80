// SPDX-License-Identifier: MIT OR Apache-2.0
//! What changes in a text, line by line: the lines that go, those that come, and one around them.
//!
//! One line around, since the person's other entries may hold secrets and what is shown may be kept by a terminal.

/// Lines shown before and after what changes.
const AROUND: usize = 1;
/// Longer lines are shown around what changes in them.
const LINE_CHARS_MAX: usize = 160;

/// Whether a line goes, comes, or stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mark {
    Stays,
    Goes,
    Comes,
}

impl Mark {
    /// What a line begins with.
    pub(crate) fn sign(self) -> char {
        match self {
            Self::Stays => ' ',
            Self::Goes => '-',
            Self::Comes => '+',
        }
    }
}

/// The lines that change and those around them, with the number of the first one before and after, counted from one.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Diff {
    pub(crate) first: (usize, usize),
    pub(crate) lines: Vec<(Mark, String)>,
}

impl Diff {
    /// What makes one text of the other.
    pub(crate) fn new(before: &str, after: &str) -> Self {
        let (old, new) = (lines(before), lines(after));
        let same = |pairs: &mut dyn Iterator<Item = (&&str, &&str)>| {
            pairs.take_while(|(old, new)| old == new).count()
        };
        let head = same(&mut old.iter().zip(&new));
        let room = old.len().min(new.len()).saturating_sub(head);
        let tail = same(&mut old.iter().rev().zip(new.iter().rev())).min(room);
        let part = |all: &[&str], from: usize, to: usize| -> Vec<String> {
            let all = all.iter().skip(from).take(to.saturating_sub(from));
            all.map(|line| line.trim_end_matches(['\n', '\r']).to_owned()).collect()
        };
        let ends = (old.len().saturating_sub(tail), new.len().saturating_sub(tail));
        let from = head.saturating_sub(AROUND);
        let (mut goes, mut comes) = (part(&old, head, ends.0), part(&new, head, ends.1));
        if let ([old], [new]) = (goes.as_mut_slice(), comes.as_mut_slice()) {
            (*old, *new) = narrow(old, new);
        }
        let mark =
            |mark: Mark, lines: Vec<String>| lines.into_iter().map(move |line| (mark, cut(&line)));
        let lines = mark(Mark::Stays, part(&old, from, head))
            .chain(mark(Mark::Goes, goes))
            .chain(mark(Mark::Comes, comes))
            .chain(mark(Mark::Stays, part(&old, ends.0, ends.0.saturating_add(AROUND))))
            .collect();
        let first = from.saturating_add(1);
        Self { first: (first, first), lines }
    }

    /// As `diff -u` has it.
    pub(crate) fn head(&self) -> String {
        let count = |but: Mark| self.lines.iter().filter(|(mark, _)| *mark != but).count();
        let (old, new) = self.first;
        format!("@@ -{old},{} +{new},{} @@", count(Mark::Comes), count(Mark::Goes))
    }

    /// The whole, as text.
    pub(crate) fn text(&self) -> String {
        let lines = self.lines.iter().map(|(mark, line)| format!("\n{}{line}", mark.sign()));
        format!("{}{}", self.head(), lines.collect::<String>())
    }
}

/// With their ends, so that one that is missing at the end of a file counts.
fn lines(text: &str) -> Vec<&str> {
    text.split_inclusive('\n').collect()
}

/// Of two long lines the parts that differ, and a little around them.
fn narrow(old: &str, new: &str) -> (String, String) {
    const CLOSE: usize = 30;
    if old.chars().count().max(new.chars().count()) <= LINE_CHARS_MAX {
        return (old.to_owned(), new.to_owned());
    }
    let (a, b): (Vec<_>, Vec<_>) = (old.chars().collect(), new.chars().collect());
    let head = a.iter().zip(&b).take_while(|(a, b)| a == b).count();
    let room = a.len().min(b.len()).saturating_sub(head);
    let tail = a.iter().rev().zip(b.iter().rev()).take_while(|(a, b)| a == b).count().min(room);
    let part = |line: &[char]| {
        let from = head.saturating_sub(CLOSE);
        let to = line.len().saturating_sub(tail).saturating_add(CLOSE).min(line.len());
        let middle: String = line.iter().skip(from).take(to.saturating_sub(from)).collect();
        let (before, after) =
            (if from > 0 { "…" } else { "" }, if to < line.len() { "…" } else { "" });
        format!("{before}{middle}{after}")
    };
    (part(&a), part(&b))
}

fn cut(line: &str) -> String {
    crate::screen::cut(line, LINE_CHARS_MAX.saturating_mul(4))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic is a failed test")]

    use super::*;

    #[test]
    fn only_what_changes_is_shown() {
        let before = "a\nb\nc\nd\ne\n";
        let diff = Diff::new(before, "a\nb\nx\ny\nd\ne\n");
        assert_eq!(diff.text(), "@@ -2,3 +2,4 @@\n b\n-c\n+x\n+y\n d");
        assert_eq!(Diff::new("", "a\nb\n").text(), "@@ -1,0 +1,2 @@\n+a\n+b");
        assert_eq!(Diff::new("a\n", "").text(), "@@ -1,1 +1,0 @@\n-a");
        assert_eq!(Diff::new("a\na\n", "a\na\na\n").text(), "@@ -2,1 +2,2 @@\n a\n+a");
        assert_eq!(Diff::new("a", "a\n").text(), "@@ -1,1 +1,1 @@\n-a\n+a");
        assert_eq!(
            Diff::new("a\r\nb\r\n", "a\r\nx\r\nb\r\n").text(),
            "@@ -1,2 +1,3 @@\n a\n+x\n b"
        );
    }

    #[test]
    fn of_a_long_line_only_the_part_that_changes_is_shown() {
        let secret = "s".repeat(200);
        let (old, new) =
            (format!("{{{secret}}}{{a}}{secret}"), format!("{{{secret}}}{{abc}}{secret}"));
        let text = Diff::new(&old, &new).text();
        assert!(text.contains("{abc}") && !text.contains(&secret), "{text}");
    }
}
