// SPDX-License-Identifier: MIT OR Apache-2.0
//! The arrows between our crates are those of ARCHITECTURE.md, no more and no fewer.
//!
//! Besides, whatever the table says: a crate uses only crates above its own row, and one of the blind
//! wing never one that may hold secrets.

use anyhow::Result;

use crate::package::Package;
use crate::table::{Table, quoted};
use crate::tidy::finding::Finding;

const DOCUMENT: &str = "ARCHITECTURE.md";

/// Compares the table with the workspace.
pub(crate) fn check(table: &Table, packages: &[Package]) -> Result<Vec<Finding>> {
    let rows = rows(table)?;
    let mut findings = table_itself(&rows);
    for package in packages.iter().filter(|package| package.is_shipped()) {
        match rows.iter().find(|row| row.name == package.name) {
            Some(row) => findings.extend(arrows(row, package, packages)),
            None => findings.push(Finding::of(
                DOCUMENT,
                format!("`{}` has no row in the table of crates", package.name),
            )),
        }
    }
    for row in &rows {
        if !packages.iter().any(|package| package.is_shipped() && package.name == row.name) {
            findings.push(Finding::of(DOCUMENT, format!("there is no crate `{}`", row.name)));
        }
    }
    Ok(findings)
}

struct Row<'a> {
    name: &'a str,
    wing: &'a str,
    uses: Vec<&'a str>,
}

fn rows(table: &Table) -> Result<Vec<Row<'_>>> {
    let columns = table.columns(["crate", "wing", "uses"])?.into_iter();
    Ok(columns
        .map(|[name, wing, uses]| Row { name: name.trim_matches('`'), wing, uses: quoted(uses) })
        .collect())
}

/// What a table may not say: that a crate stands on one below it, or that the blind wing points at
/// the one that holds secrets.
fn table_itself(rows: &[Row<'_>]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (at, row) in rows.iter().enumerate() {
        if !["ground", "secret", "blind"].contains(&row.wing) {
            let expected = "expected the wing ground, secret or blind";
            findings.push(Finding::of(DOCUMENT, format!("`{}`: {expected}", row.name)));
        }
        for used in &row.uses {
            let above = rows.iter().take(at).find(|other| other.name == *used);
            let wrong = match above {
                None => Some("which has no row above it"),
                Some(other) if row.wing != "secret" && other.wing == "secret" => {
                    Some("which may hold secrets")
                }
                Some(_) => None,
            };
            if let Some(wrong) = wrong {
                let message = format!("`{}` uses `{used}`, {wrong}", row.name);
                findings.push(Finding::of(DOCUMENT, message));
            }
        }
    }
    findings
}

fn arrows(row: &Row<'_>, package: &Package, packages: &[Package]) -> Vec<Finding> {
    let is_ours = |name: &&str| packages.iter().any(|other| other.name == *name);
    let names = package.dependencies.iter().map(|dependency| dependency.name.as_str());
    let real: Vec<_> = names.filter(is_ours).collect();
    let manifest = format!("{}/Cargo.toml", package.folder);
    let undrawn = real.iter().filter(|name| !row.uses.contains(name)).map(|name| {
        Finding::of(&manifest, format!("depends on {name}, which {DOCUMENT} does not allow"))
    });
    let unbuilt = row.uses.iter().filter(|name| !real.contains(name)).map(|name| {
        Finding::of(&manifest, format!("does not depend on {name}, though {DOCUMENT} says so"))
    });
    undrawn.chain(unbuilt).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::package::Dependency;

    fn document(rows: &str) -> Table {
        let text = format!("<!-- tidy: crates -->\n| crate | wing | uses |\n|---|---|---|\n{rows}");
        Table::find(&text, "crates").unwrap()
    }

    fn package(name: &str, folder: &str, uses: &[&str]) -> Package {
        let dependency = |name: &&str| Dependency { name: (*name).to_owned(), features: vec![] };
        Package {
            name: name.to_owned(),
            folder: format!("{folder}/{name}"),
            dependencies: uses.iter().map(dependency).collect(),
            has_benches: false,
        }
    }

    fn said(rows: &str, packages: &[Package]) -> String {
        let findings = check(&document(rows), packages).unwrap();
        findings.iter().map(|finding| format!("{finding}\n")).collect()
    }

    const ROWS: &str = "| `p` | ground | |\n| `c` | secret | `p` |\n| `s` | blind | `p` |\n";

    fn house() -> Vec<Package> {
        vec![
            package("p", "crates", &["sha2"]),
            package("c", "crates", &["p"]),
            package("s", "crates", &["p", "rusqlite"]),
            package("kit", "testing", &["c", "s"]),
        ]
    }

    #[test]
    fn a_house_as_drawn_passes() {
        assert_eq!(said(ROWS, &house()), "");
    }

    #[test]
    fn an_arrow_more_or_less_is_found() {
        let mut more = house();
        more[2] = package("s", "crates", &["p", "c"]);
        assert!(said(ROWS, &more).contains("s/Cargo.toml: depends on c"));
        let mut less = house();
        less[1] = package("c", "crates", &[]);
        assert!(said(ROWS, &less).contains("c/Cargo.toml: does not depend on p"));
    }

    #[test]
    fn a_shipped_crate_may_not_use_a_testing_one() {
        let mut packages = house();
        packages[1] = package("c", "crates", &["p", "kit"]);
        assert!(said(ROWS, &packages).contains("depends on kit"));
    }

    #[test]
    fn rows_and_crates_must_match() {
        assert!(said("| `p` | ground | |\n", &house()).contains("`c` has no row"));
        let rows = format!("{ROWS}| `x` | blind | |\n");
        assert!(said(&rows, &house()).contains("no crate `x`"));
    }

    #[test]
    fn a_table_may_not_draw_what_the_house_forbids() {
        let blind = "| `p` | ground | |\n| `c` | secret | `p` |\n| `s` | blind | `p`, `c` |\n";
        assert!(said(blind, &house()).contains("`s` uses `c`, which may hold secrets"));
        let upward = "| `p` | ground | `c` |\n| `c` | secret | `p` |\n| `s` | blind | `p` |\n";
        assert!(said(upward, &house()).contains("`p` uses `c`, which has no row above"));
        let unknown = "| `p` | cellar | |\n";
        assert!(said(unknown, &house()).contains("expected the wing"));
    }
}
