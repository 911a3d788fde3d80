// SPDX-License-Identifier: MIT OR Apache-2.0
//! Attacks and faults: what is named is listed, what is listed has a test or says why not, and the page says so.

use std::collections::BTreeSet;

use anyhow::Result;

use crate::case::list::{LIST, MODEL, Rest, read};
use crate::case::{self, PAGE, id, shown};
use crate::source::Source;
use crate::tidy::finding::Finding;

/// Compares the list, the sources and the page.
pub(crate) fn check(sources: &[Source]) -> Result<Vec<Finding>> {
    let table = case::table(sources)?;
    let cases = read(&table, case::text(sources, MODEL)?)?;
    let listed: BTreeSet<&str> = cases.iter().map(|case| case.id).collect();
    let said = shown::read(sources);
    let mut findings = Vec::new();
    let unlisted = |id: &str| format!("{LIST} lists no {id}");
    for source in sources.iter().filter(|source| source.is_rust() && !source.is_in("xtask")) {
        for (at, line) in source.text.lines().enumerate() {
            let named = id::named(line).into_iter().filter(|id| !listed.contains(id));
            findings.extend(named.map(|id| Finding::at(&source.path, at + 1, unlisted(id))));
        }
    }
    // In a comment it was found above. Other families in names are those of rules, and some are both.
    let families: BTreeSet<&str> = listed.iter().copied().map(id::family).collect();
    let is_new = |shown: &&shown::Shown| {
        families.contains(id::family(&shown.id))
            && !listed.contains(shown.id.as_str())
            && !is_rule(sources, &shown.id)
    };
    for shown in said.shown.iter().filter(is_new) {
        findings.push(Finding::at(&shown.path, shown.line, unlisted(&shown.id)));
    }
    let is_case = |id: &str| listed.contains(id) && !is_rule(sources, id);
    for bare in said.bare.iter().filter(|bare| is_case(&bare.id)) {
        let message = format!("expected `attack` or `fault` before {}", bare.id);
        findings.push(Finding::at(&bare.path, bare.line, message));
    }
    let tested: BTreeSet<&str> = said.shown.iter().map(|shown| shown.id.as_str()).collect();
    let is_silent =
        |case: &&case::list::Case<'_>| case.rest == Rest::None && !tested.contains(case.id);
    for case in cases.iter().filter(is_silent) {
        let message = format!("no test names {}: say `open`, or what remains", case.id);
        findings.push(Finding::of(LIST, message));
    }
    if case::text(sources, PAGE).ok() != Some(case::page(sources)?.as_str()) {
        findings.push(Finding::of(PAGE, "out of date: run cargo xtask security-tests"));
    }
    Ok(findings)
}

/// Whether a rule of spec/ has this id as well.
fn is_rule(sources: &[Source], id: &str) -> bool {
    let mark = format!("**{id}");
    sources.iter().any(|source| source.is_in("spec") && source.text.contains(&mark))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::sample;

    const LISTED: &str = "<!-- tidy: cases -->\n| id | what is done | what no test shows |\n|---|---|---|\n\
                          | ENT-14 | a lie | |\n| INT-05 | rot | |\n\n\
                          <!-- tidy: oracles -->\n| oracle | what must hold | looked at in |\n|---|---|---|\n";
    const MUTANTS: &str = "<!-- tidy: mutants -->\n| module | caught | survived | alike | do not compile |\n\
                           |---|---|---|---|---|\n";

    fn said(tests: &str) -> String {
        let mut sources = vec![
            sample(LIST, LISTED),
            sample(MODEL, ""),
            sample(case::MUTANTS, MUTANTS),
            sample("spec/entry.md", "**ENT-14**"),
            sample("a.rs", tests),
        ];
        let page = case::page(&sources).unwrap();
        sources.push(sample(PAGE, &page));
        check(&sources).unwrap().iter().map(|finding| format!("{finding}\n")).collect()
    }

    const WHOLE: &str = "/// Attacks INT-05, ENT-14.\n#[test]\nfn a() {}\n";

    #[test]
    fn what_is_named_and_listed_is_in_order() {
        assert_eq!(said(WHOLE), "");
        assert_eq!(said(&format!("{WHOLE}/// ENT-14, the rule.\n#[test]\nfn b() {{}}\n")), "");
        assert_eq!(said(&format!("{WHOLE}#[test]\nfn rep_09_b() {{}}\n")), "", "a rule's name");
    }

    #[test]
    fn what_is_not_listed_is_found() {
        let found =
            said(&format!("{WHOLE}// against attack INT-06\n#[test]\nfn int_07_b() {{}}\n"));
        assert!(found.contains("a.rs:4: testing/security-cases.md lists no INT-06"), "{found}");
        assert!(found.contains("a.rs:6: testing/security-cases.md lists no INT-07"), "{found}");
    }

    #[test]
    fn what_has_no_test_is_found() {
        assert!(said("/// Attack INT-05.\n#[test]\nfn a() {}\n").contains("no test names ENT-14"));
        assert!(said("/// Attacks INT-05, ENT-14.\nfn a() {}\n").contains("no test names INT-05"));
    }

    #[test]
    fn a_bare_id_is_found() {
        let found = said(&format!("{WHOLE}/// INT-05 once more.\n#[test]\nfn b() {{}}\n"));
        assert!(found.contains("a.rs:4: expected `attack` or `fault` before INT-05"), "{found}");
    }

    #[test]
    fn an_old_page_is_found() {
        let sources = [
            sample(LIST, LISTED),
            sample(MODEL, ""),
            sample(case::MUTANTS, MUTANTS),
            sample("a.rs", WHOLE),
            sample(PAGE, "# Tests of security\n"),
        ];
        let found = check(&sources).unwrap();
        assert!(found.iter().any(|found| found.to_string().contains("out of date")));
    }
}
