// SPDX-License-Identifier: MIT OR Apache-2.0
//! The form of a file: its first lines and its length.

use crate::source::Source;
use crate::tidy::finding::Finding;

/// More lines than this hold more than one concept.
const LINES_MAX: usize = 600;
const LICENCE: &str = concat!("SPDX-License-", "Identifier: MIT OR Apache-2.0");
/// Extensions of what is written by hand and read as code.
const CODE: [&str; 7] = ["rs", "py", "js", "mjs", "css", "html", "sh"];

/// One file on purpose: a program to carry away and read from top to bottom.
const CARRIED: &str = "spec/reader/aura_reader.py";

/// Checks every file of code.
pub(crate) fn check(sources: &[Source]) -> Vec<Finding> {
    let is_code = |source: &&Source| CODE.iter().any(|extension| source.has_extension(extension));
    sources.iter().filter(is_code).flat_map(file).collect()
}

fn file(source: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    let lines = source.text.lines().count();
    if lines > LINES_MAX && source.path != CARRIED {
        let message = format!("{lines} lines; {LINES_MAX} are the limit: one concept a file");
        findings.push(Finding::of(&source.path, message));
    }
    if source.is_rust() {
        findings.extend(rust(source));
    } else if !source.text.lines().take(2).any(|line| line.contains(LICENCE)) {
        // The first line may be a `#!` or a doctype.
        let message = format!("expected {LICENCE} in one of the first two lines");
        findings.push(Finding::at(&source.path, 1, message));
    }
    findings
}

fn rust(source: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut lines = source.text.lines();
    let licence = format!("// {LICENCE}");
    if lines.next() != Some(&licence) {
        findings.push(Finding::at(&source.path, 1, format!("expected the line {licence}")));
    }
    // What the compiler must refuse (`tests/ui`) is compared line by line and says nothing else.
    let is_exempt = source.path.contains("/tests/ui/");
    if !is_exempt && !lines.next().is_some_and(|line| line.starts_with("//! ")) {
        let message = "expected the module's doc: `//! ` and what it is, in one sentence";
        findings.push(Finding::at(&source.path, 2, message));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::sample;

    fn said(path: &str, text: &str) -> String {
        check(&[sample(path, text)]).iter().map(|finding| format!("{finding}\n")).collect()
    }

    #[test]
    fn a_file_says_its_licence_and_what_it_is() {
        let good = format!("// {LICENCE}\n//! A thing.\n");
        assert_eq!(said("src/a.rs", &good), "");
        assert!(said("src/a.rs", "//! A thing.\n").contains("a.rs:1: expected the line"));
        let silent = format!("// {LICENCE}\nfn f() {{}}\n");
        assert!(said("src/a.rs", &silent).contains("a.rs:2: expected the module's doc"));
        assert_eq!(said("crates/x/tests/ui/a.rs", &silent), "");
    }

    #[test]
    fn other_languages_say_their_licence() {
        assert_eq!(said("a.py", &format!("#!/usr/bin/env python3\n# {LICENCE}\n")), "");
        assert!(said("a.py", "import os\n").contains("a.py:1"));
        assert_eq!(said("a.md", "no code\n"), "");
    }

    #[test]
    fn a_long_file_is_found() {
        let long = |lines: usize| format!("// {LICENCE}\n//! Long.\n{}", "\n".repeat(lines - 2));
        assert_eq!(said("a.rs", &long(LINES_MAX)), "");
        assert!(said("a.rs", &long(LINES_MAX + 1)).contains("601 lines"));
    }
}
