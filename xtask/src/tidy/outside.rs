// SPDX-License-Identifier: MIT OR Apache-2.0
//! Dependencies from outside, and the clock, are used only where ARCHITECTURE.md allows them.
//!
//! A name in the table is a package, compared with the manifests; one with `::` in it is a path,
//! looked for in the sources; one with `/` is a package's feature (`rusqlite/bundled`, and every
//! feature that begins so). Tests may use what they like.

use anyhow::Result;

use crate::package::Package;
use crate::source::Source;
use crate::table::{Table, quoted};
use crate::tidy::finding::Finding;
use crate::token::{starts_with, tokens, without_tests};

/// Compares the table with the manifests and sources of what is shipped, and of xtask.
pub(crate) fn check(
    table: &Table,
    packages: &[Package],
    sources: &[Source],
) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for [names, allowed] in table.columns(["names", "allowed in"])? {
        let allowed = quoted(allowed);
        let bound = |package: &&Package| package.is_shipped() || package.name == "xtask";
        let refused = |package: &&Package| !allowed.contains(&package.name.as_str());
        for package in packages.iter().filter(bound).filter(refused) {
            for name in quoted(names) {
                findings.extend(uses(package, name, sources));
            }
        }
    }
    Ok(findings)
}

fn uses(package: &Package, name: &str, sources: &[Source]) -> Vec<Finding> {
    if name.contains("::") {
        return paths(package, name, sources);
    }
    let (wanted, feature) = name.split_once('/').unwrap_or((name, ""));
    let has_it = package.dependencies.iter().any(|dependency| {
        let asks = || dependency.features.iter().any(|found| found.starts_with(feature));
        dependency.name == wanted && (feature.is_empty() || asks())
    });
    let message = format!("{} may not use {name} (see the table in ARCHITECTURE.md)", package.name);
    let finding = Finding::of(&format!("{}/Cargo.toml", package.folder), message);
    has_it.then_some(finding).into_iter().collect()
}

fn paths(package: &Package, name: &str, sources: &[Source]) -> Vec<Finding> {
    let wanted: Vec<_> = tokens(name).iter().map(|token| token.text).collect();
    let folder = format!("{}/src", package.folder);
    let mut findings = Vec::new();
    for source in sources.iter().filter(|source| source.is_rust() && source.is_in(&folder)) {
        if source.path.ends_with("/tests.rs") {
            continue;
        }
        let all = tokens(&source.text);
        let shipped = without_tests(&all);
        for (at, token) in shipped.iter().enumerate() {
            if starts_with(shipped.get(at..).unwrap_or_default(), &wanted) {
                let message = format!("{name} is not for {}: take it as an argument", package.name);
                findings.push(Finding::at(&source.path, token.line, message));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::package::Dependency;
    use crate::source::sample;

    const DOCUMENT: &str = "<!-- tidy: outside -->\n| what | names | allowed in |\n|---|---|---|\n\
        | sealing | `aead` | `c` |\n| SQLCipher | `rusqlite/bundled` | `app` |\n\
        | clock | `Time::now` | `app` |\n";

    fn package(name: &str, dependency: &str, feature: &str) -> Package {
        let features = vec![feature.to_owned()];
        Package {
            name: name.to_owned(),
            folder: format!("crates/{name}"),
            dependencies: vec![Dependency { name: dependency.to_owned(), features }],
            has_benches: false,
        }
    }

    fn said(package: &Package, text: &str) -> String {
        let table = Table::find(DOCUMENT, "outside").unwrap();
        let sources = [sample(&format!("{}/src/x.rs", package.folder), text)];
        let findings = check(&table, std::slice::from_ref(package), &sources).unwrap();
        findings.iter().map(|finding| format!("{finding}\n")).collect()
    }

    #[test]
    fn a_package_is_refused_outside_its_place() {
        assert_eq!(said(&package("c", "aead", ""), ""), "");
        assert!(said(&package("s", "aead", ""), "").contains("s may not use aead"));
    }

    #[test]
    fn a_feature_is_refused_by_its_beginning() {
        assert_eq!(said(&package("s", "rusqlite", "blob"), ""), "");
        assert_eq!(said(&package("app", "rusqlite", "bundled-sqlcipher"), ""), "");
        let found = said(&package("s", "rusqlite", "bundled-sqlcipher"), "");
        assert!(found.contains("rusqlite/bundled"));
    }

    #[test]
    fn the_clock_is_found_in_code_and_not_in_comments_or_tests() {
        let quiet = package("s", "none", "");
        assert!(said(&quiet, "fn f() {\n std::Time::now();\n}").contains("x.rs:2: Time::now"));
        assert_eq!(said(&quiet, "// Time::now\n#[cfg(test)] mod t { fn f() { Time::now() } }"), "");
        assert_eq!(said(&package("app", "none", ""), "fn f() { Time::now() }"), "");
    }

    #[test]
    fn testing_crates_are_free() {
        let mut kit = package("kit", "aead", "");
        kit.folder = "testing/kit".to_owned();
        assert_eq!(said(&kit, "fn f() { Time::now() }"), "");
    }
}
