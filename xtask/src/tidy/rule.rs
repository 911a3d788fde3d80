// SPDX-License-Identifier: MIT OR Apache-2.0
//! Every numbered rule of spec/ is kept by code that cites it, and no code cites a rule that is not.
//!
//! A rule is defined where its id stands in bold: `**XYZ-1**`. It is cited where the id stands in Rust,
//! in a comment or in the name of a test's case. `XYZ-1 to XYZ-9` cites its two ends only. Words that
//! look like ids but whose letters no spec uses (`SHA-256`) are none. A vector may carry an id in its
//! name; then the rule must exist. Attacks have ids of the same form: they are cited as `attack KEY-14`,
//! and are no rules.

use std::collections::{BTreeMap, BTreeSet};

use crate::case::id as case;
use crate::source::Source;
use crate::tidy::finding::Finding;

const LETTERS_MIN: usize = 2;
const LETTERS_MAX: usize = 8;
const DIGITS_MAX: usize = 4;

/// Compares what spec/ defines with what the Rust files and the vectors' names cite.
pub(crate) fn check(sources: &[Source]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut defined = BTreeMap::new();
    for source in sources.iter().filter(|source| source.is_in("spec") && source.has_extension("md"))
    {
        for (line, id) in bold_ids(&source.text) {
            if let Some((path, first)) = defined.insert(id, (source.path.as_str(), line)) {
                let message = format!("{id} is defined already, at {path}:{first}");
                findings.push(Finding::at(&source.path, line, message));
            }
        }
    }
    let prefixes: BTreeSet<_> = defined.keys().filter_map(|id| letters(id)).collect();
    let mut cited = BTreeSet::new();
    for (path, line, id) in citations(sources) {
        if defined.contains_key(id) {
            cited.insert(id);
        } else if letters(id).is_some_and(|found| prefixes.contains(found)) {
            findings.push(Finding::at(path, line, format!("no file of spec/ defines {id}")));
        }
    }
    for (id, (path, line)) in defined.iter().filter(|(id, _)| !cited.contains(*id)) {
        findings.push(Finding::at(path, *line, format!("no Rust file cites {id}: what keeps it?")));
    }
    findings.extend(vectors(sources, &defined, &prefixes));
    findings
}

type Defined<'a> = BTreeMap<&'a str, (&'a str, usize)>;

fn citations(sources: &[Source]) -> Vec<(&str, usize, &str)> {
    let mut found = Vec::new();
    // This tool's own samples are no citations.
    for source in sources.iter().filter(|source| source.is_rust() && !source.is_in("xtask")) {
        for (at, line) in source.text.lines().enumerate() {
            let rules = cited(line).into_iter();
            found.extend(rules.map(|id| (source.path.as_str(), at + 1, id)));
        }
    }
    found
}

fn vectors(sources: &[Source], defined: &Defined<'_>, prefixes: &BTreeSet<&str>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for source in sources.iter().filter(|source| source.is_in("vectors")) {
        for id in ids(&source.path) {
            let is_ours = letters(id).is_some_and(|found| prefixes.contains(found));
            if is_ours && !defined.contains_key(id) {
                let message = format!("its name cites {id}, which no file of spec/ defines");
                findings.push(Finding::of(&source.path, message));
            }
        }
    }
    findings
}

fn bold_ids(text: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    for (at, line) in text.lines().enumerate() {
        for bold in line.split("**").skip(1).step_by(2) {
            let bold = bold.trim_end_matches(['.', ':']);
            if ids(bold) == [bold] {
                found.push((at + 1, bold));
            }
        }
    }
    found
}

/// Every id in a text: capitals, a hyphen, a number, and no word character on either side.
fn ids(text: &str) -> Vec<&str> {
    words(text).filter(|word| letters(word).is_some()).collect()
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    let is_inside = |c: char| c.is_ascii_alphanumeric() || c == '-';
    text.split(move |c| !is_inside(c)).filter(|word| !word.is_empty())
}

/// The rules that a line cites. Attacks and faults have ids of the same form, behind their word.
fn cited(line: &str) -> Vec<&str> {
    let rules = case::words(line).into_iter().filter(|(_, is_case)| !is_case);
    rules.map(|(word, _)| word).filter(|word| letters(word).is_some()).collect()
}

/// The letters of an id, if it is one.
fn letters(id: &str) -> Option<&str> {
    let (letters, number) = id.split_once('-')?;
    let has_letters = (LETTERS_MIN..=LETTERS_MAX).contains(&letters.len())
        && letters.bytes().all(|b| b.is_ascii_uppercase());
    let has_number = (1..=DIGITS_MAX).contains(&number.len())
        && number.bytes().all(|b| b.is_ascii_digit())
        && !number.starts_with('0');
    (has_letters && has_number).then_some(letters)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::sample;

    const SPEC: (&str, &str) = ("spec/entry.md", "- **ENT-1** MUST.\n- **ENT-2.** See ENT-1.\n");

    fn said(files: &[(&str, &str)]) -> String {
        let sources: Vec<_> = files.iter().map(|(path, text)| sample(path, text)).collect();
        check(&sources).iter().map(|finding| format!("{finding}\n")).collect()
    }

    #[test]
    fn a_rule_that_nothing_keeps_is_found() {
        assert_eq!(said(&[SPEC, ("crates/x/src/a.rs", "// ENT-1, (ENT-2).")]), "");
        let found = said(&[SPEC, ("crates/x/src/a.rs", "// ENT-1 and SHA-256")]);
        assert_eq!(found, "spec/entry.md:2: no Rust file cites ENT-2: what keeps it?\n");
    }

    #[test]
    fn a_citation_of_nothing_is_found() {
        let found = said(&[SPEC, ("crates/x/src/a.rs", "// ENT-1 ENT-2\n// ENT-3")]);
        assert_eq!(found, "crates/x/src/a.rs:2: no file of spec/ defines ENT-3\n");
        let vector = ("vectors/entry/ENT-9_bad.json", "{}");
        assert!(said(&[SPEC, vector, ("a.rs", "ENT-1 ENT-2")]).contains("its name cites ENT-9"));
    }

    #[test]
    fn a_rule_is_defined_once() {
        let twice = ("spec/other.md", "**ENT-1**");
        assert!(said(&[SPEC, twice, ("a.rs", "ENT-1 ENT-2")]).contains("defined already"));
    }

    #[test]
    fn without_spec_nothing_is_asked() {
        assert_eq!(said(&[("a.rs", "// ENT-1, UTF-8")]), "");
    }

    #[test]
    fn attacks_are_no_rules() {
        let cites = |line| said(&[SPEC, ("a.rs", "ENT-1 ENT-2"), ("b.rs", line)]);
        assert_eq!(cites("// attack ENT-14 and rule ENT-1"), "");
        assert_eq!(cites("// Attacks ENT-14, ENT-05, faults F-01 and ENT-15"), "");
        assert!(
            cites("// attack ENT-14 beside ENT-15").contains("no file of spec/ defines ENT-15")
        );
        assert!(cites("// an attack by ENT-14").contains("no file of spec/ defines ENT-14"));
    }

    #[test]
    fn words_around_an_id_undo_it() {
        assert_eq!(
            ids("ENT-1 xENT-2 ENT-3b A-1 ENT-04 ENT-5-6 (ENT-7) UTF-8"),
            ["ENT-1", "ENT-7", "UTF-8"]
        );
    }
}
