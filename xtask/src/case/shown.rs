// SPDX-License-Identifier: MIT OR Apache-2.0
//! Which tests name which cases, by reading the sources.
//!
//! A test names a case in the doc comment above it, behind the word `attack` or `fault` on the same line, or
//! in the beginning of its name. What stands elsewhere in a file is no test's word.

use super::id;
use crate::source::Source;

/// One test that names one case.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Shown {
    /// The case.
    pub(crate) id: String,
    /// The file.
    pub(crate) path: String,
    /// The test's name.
    pub(crate) test: String,
    /// On which line the test begins.
    pub(crate) line: usize,
}

/// An id in a test's doc comment that stands behind no such word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Bare {
    /// The id.
    pub(crate) id: String,
    /// The file.
    pub(crate) path: String,
    /// On which line.
    pub(crate) line: usize,
}

/// What the tests of a checkout say, in order.
#[derive(Debug, Default)]
pub(crate) struct Said {
    /// Cases that are named.
    pub(crate) shown: Vec<Shown>,
    /// Ids without their word.
    pub(crate) bare: Vec<Bare>,
}

/// Reads every Rust file but this tool's own, whose samples are no tests of anything.
pub(crate) fn read(sources: &[Source]) -> Said {
    let mut said = Said::default();
    for source in sources.iter().filter(|source| source.is_rust() && !source.is_in("xtask")) {
        read_file(source, &mut said);
    }
    said.shown.sort();
    said.shown.dedup_by(|a, b| (&a.id, &a.path, &a.test) == (&b.id, &b.path, &b.test));
    said
}

fn read_file(source: &Source, said: &mut Said) {
    let mut docs: Vec<(usize, &str)> = Vec::new();
    let mut is_test = false;
    for (at, line) in source.text.lines().enumerate() {
        let line = line.trim();
        if line.starts_with("///") {
            docs.push((at + 1, line));
        } else if line.starts_with("#[") {
            is_test |= line == "#[test]";
        } else if !line.starts_with("//") || line.starts_with("//!") {
            if let Some(name) = name(line).filter(|_| is_test) {
                take(source, (at + 1, name), &docs, said);
            }
            docs.clear();
            is_test = false;
        }
    }
}

fn take(source: &Source, (line, test): (usize, &str), docs: &[(usize, &str)], said: &mut Said) {
    let mut ids = id::of_name(test);
    for (at, doc) in docs {
        for (word, is_case) in id::words(doc) {
            if is_case {
                ids.push(word.to_owned());
            } else if id::is_id(word) {
                said.bare.push(Bare { id: word.to_owned(), path: source.path.clone(), line: *at });
            }
        }
    }
    let (path, test) = (&source.path, test.to_owned());
    said.shown.extend(ids.into_iter().map(|id| Shown {
        id,
        path: path.clone(),
        test: test.clone(),
        line,
    }));
}

/// The name of the function that a line begins.
fn name(line: &str) -> Option<&str> {
    let rest = line.strip_prefix("fn ").or_else(|| line.strip_prefix("async fn "))?;
    rest.split_once('(').map(|(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::sample;

    fn said(text: &str) -> Said {
        read(&[sample("a.rs", text)])
    }

    fn ids(text: &str) -> Vec<String> {
        said(text).shown.into_iter().map(|shown| shown.id).collect()
    }

    #[test]
    fn a_test_names_its_cases() {
        let text = "/// REP-21, attacks INT-05,\n/// fault F-08: x\n#[test]\nfn frk_01_a() {";
        assert_eq!(ids(text), ["F-08", "FRK-01", "INT-05"]);
        let named = "/// Attack FRK-01.\n#[test]\n#[ignore = \"x\"]\nfn frk_01_a() {";
        assert_eq!(ids(named), ["FRK-01"], "once");
    }

    #[test]
    fn only_tests_name_cases() {
        assert_eq!(ids("/// Attack FRK-01.\nfn frk_01_a() {"), [""; 0]);
        assert_eq!(ids("//! Attack FRK-01.\n\n#[test]\nfn a() {"), [""; 0]);
        assert_eq!(ids("/// Attack FRK-01.\nconst A: u8 = 1;\n#[test]\nfn a() {"), [""; 0]);
        assert_eq!(ids("#[test]\n// why\nfn frk_01_a() {"), ["FRK-01"]);
        assert!(read(&[sample("xtask/src/a.rs", "#[test]\nfn f_01_a() {")]).shown.is_empty());
    }

    #[test]
    fn an_id_without_its_word_is_found() {
        let bare = said("/// Cut short: F-08.\n#[test]\nfn a() {").bare;
        assert_eq!(bare, [Bare { id: "F-08".to_owned(), path: "a.rs".to_owned(), line: 1 }]);
    }
}
