// SPDX-License-Identifier: MIT OR Apache-2.0
//! The page: each case with its tests or with what remains, and the counts of mutants.

use std::fmt::Write as _;

use anyhow::Result;

use super::list::{Case, Rest};
use super::shown::Shown;
use crate::table::Table;

/// Where the page is.
pub(crate) const PAGE: &str = "docs/security-tests.md";
/// Where the modules that mutants are made of are listed, with what became of them.
pub(crate) const MUTANTS: &str = "testing/mutants.md";

const HEAD: &str = "# Tests of security

Made by `cargo xtask security-tests` from `testing/security-cases.md`, the tests and `testing/mutants.md`; do not
edit it by hand. `cargo xtask tidy` fails when it is out of date.

Ids of attacks and faults are the project's own. A test stands here because it names the id: in the comment above
it, behind the word `attack` or `fault`, or in the beginning of its name. It shows what stands against the attack,
and fails without it. What tests cannot show is said in the [threat model](threat-model.md).
";

const MUTANTS_HEAD: &str = "## Mutants

Whether tests notice when a check is gone, tried out: `cargo xtask mutants` changes the verifying modules one place at
a time, and runs the tests that concern them. A mutant that survives is a check without a test, or a change that
makes no difference; the latter are listed in `testing/mutants.md`, each with the reason. Modules without figures
have not been run.
";

const COUNTS: [&str; 5] = ["module", "caught", "survived", "alike", "do not compile"];
const ORACLES_HEAD: &str = "## Oracles

What is looked at after every step of a run in which somebody lies, whatever the attack was.
";

/// The tables that the page repeats.
pub(super) struct Tables {
    /// What must hold after every step.
    pub(super) oracles: Table,
    /// What became of mutants.
    pub(super) mutants: Table,
}

/// Renders it.
pub(super) fn render(cases: &[Case<'_>], shown: &[Shown], tables: &Tables) -> Result<String> {
    let of = |case: &Case<'_>| -> Vec<&Shown> {
        shown.iter().filter(|shown| shown.id == case.id).collect()
    };
    let tested = cases.iter().filter(|case| !of(case).is_empty()).count();
    let open = cases.iter().filter(|case| matches!(case.rest, Rest::Open(_))).count();
    let mut page = format!(
        "{HEAD}\nOf {} cases {tested} have tests; of {open} some or all are open.\n\n\
         | id | what is done | shown by | what no test shows |\n|---|---|---|---|\n",
        cases.len()
    );
    for case in cases {
        let (tests, rest) = (tests(&of(case)), rest(case.rest));
        writeln!(page, "{}", row([case.id, case.what, &tests, &rest]))?;
    }
    let oracles = repeated(&tables.oracles, ["oracle", "what must hold", "looked at in"])?;
    let counts = repeated(&tables.mutants, COUNTS)?;
    write!(page, "\n{ORACLES_HEAD}\n{oracles}\n{MUTANTS_HEAD}\n{counts}")?;
    Ok(page)
}

fn row<const N: usize>(cells: [&str; N]) -> String {
    let cells =
        cells.map(|cell| if cell.is_empty() { " ".to_owned() } else { format!(" {cell} ") });
    format!("|{}|", cells.join("|"))
}

/// Files with the names of their tests.
fn tests(shown: &[&Shown]) -> String {
    let mut files: Vec<(&str, Vec<String>)> = Vec::new();
    for shown in shown {
        let test = format!("`{}`", shown.test);
        match files.last_mut().filter(|(path, _)| *path == shown.path) {
            Some((_, tests)) => tests.push(test),
            None => files.push((&shown.path, vec![test])),
        }
    }
    let files = files.into_iter().map(|(path, tests)| format!("{path}: {}", tests.join(", ")));
    files.collect::<Vec<_>>().join("; ")
}

fn rest(rest: Rest<'_>) -> String {
    match rest {
        Rest::None => String::new(),
        Rest::Open("") => "open".to_owned(),
        Rest::Open(on) => format!("open: {on}"),
        Rest::Model(words) => format!("threat model: “{words}”"),
    }
}

fn repeated<const N: usize>(table: &Table, columns: [&str; N]) -> Result<String> {
    let mut rows = format!("{}\n|{}\n", row(columns), "---|".repeat(N));
    for cells in table.columns(columns)? {
        writeln!(rows, "{}", row(cells))?;
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_every_case_with_its_tests_or_what_remains() {
        let case = |id, rest| Case { id, what: "x", rest };
        let cases = [
            case("A-01", Rest::None),
            case("A-02", Rest::Open("server")),
            case("A-03", Rest::Model("a clock")),
        ];
        let shown = |path: &str, test: &str| Shown {
            id: "A-01".to_owned(),
            path: path.to_owned(),
            test: test.to_owned(),
            line: 1,
        };
        let shown = [shown("a.rs", "one"), shown("a.rs", "two"), shown("b.rs", "one")];
        let mutants = "<!-- tidy: mutants -->\n| module | caught | survived | alike | do not compile |\n\
                       |---|---|---|---|---|\n| m.rs | 3 | | | |\n";
        let oracles = "<!-- tidy: oracles -->\n| oracle | what must hold | looked at in |\n|---|---|---|\n\
                       | INT | y | a.rs |\n";
        let tables = Tables {
            oracles: Table::find(oracles, "oracles").unwrap(),
            mutants: Table::find(mutants, "mutants").unwrap(),
        };
        let page = render(&cases, &shown, &tables).unwrap();
        assert!(page.contains("\n| INT | y | a.rs |\n"), "{page}");
        assert!(page.contains("\n| A-01 | x | a.rs: `one`, `two`; b.rs: `one` | |\n"), "{page}");
        assert!(page.contains("\n| A-02 | x | | open: server |\n"), "{page}");
        assert!(page.contains("\n| A-03 | x | | threat model: “a clock” |\n"), "{page}");
        assert!(page.contains("Of 3 cases 1 have tests; of 1 some or all are open."), "{page}");
        assert!(page.contains("\n| m.rs | 3 | | | |\n"), "{page}");
    }
}
