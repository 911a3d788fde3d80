// SPDX-License-Identifier: MIT OR Apache-2.0
//! Mutants: the verifying modules with one place changed, and whether a test notices.
//!
//! `testing/mutants.md` lists the modules, keeps the counts of their last run, and says of changes that make no
//! difference why they make none. Long, so nobody has to wait for it: it belongs into a nightly run.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use clap::Args;
use serde_json::Value;

use crate::case::{self, MUTANTS};
use crate::run::{Checkout, cache_folder, ensure_subcommand_at, run as run_command};
use crate::table::Table;

/// The version whose mutants the list of those that make no difference names.
const VERSION: &str = "27.1.0";
/// A test that has not ended by then is taken for one that noticed.
const TEST_S_MIN: &str = "60";

const PROPTEST_CASES: &str = "64";

/// Which modules.
#[derive(Args)]
pub(crate) struct Options {
    /// Print the modules and do nothing.
    #[arg(long)]
    list: bool,
    /// Only these, by the path or its end; all without any.
    modules: Vec<String>,
}

/// What became of a module's mutants.
#[derive(Debug, Default, PartialEq, Eq)]
struct Counts {
    caught: usize,
    survived: Vec<String>,
    alike: usize,
    unviable: usize,
}

/// Runs the mutants of the chosen modules, writes the counts down, and fails if one survived.
pub(crate) fn run(checkout: &Checkout, options: &Options) -> Result<()> {
    let path = checkout.root.join(MUTANTS);
    let text = fs::read_to_string(&path).context(MUTANTS)?;
    let table = Table::find(&text, "mutants")?;
    let modules: Vec<&str> =
        table.columns(["module"])?.into_iter().map(|[module]| module).collect();
    let chosen = chosen(&modules, &options.modules)?;
    if options.list {
        chosen.iter().for_each(|module| println!("{module}"));
        return Ok(());
    }
    ensure_subcommand_at(checkout, "cargo-mutants", VERSION)?;
    let alike = Table::find(&text, "alike")?;
    let alike: Vec<&str> = alike.columns(["mutant"])?.into_iter().map(|[name]| name).collect();
    let out = cache_folder()?.join("mutants");
    fs::create_dir_all(&out)?;
    let mut found: BTreeMap<&str, Counts> = BTreeMap::new();
    for (package, modules) in by_package(&chosen)? {
        // It fails when a mutant survives; what it wrote down says which.
        succeeds_or_not(checkout, package, &modules, &out)?;
        let told = fs::read_to_string(out.join("mutants.out/outcomes.json"))?;
        let told: Value = serde_json::from_str(&told)?;
        for module in modules {
            found.insert(module, count(&told, module, &alike));
        }
    }
    // Hours have passed: somebody may have written to it.
    let text = fs::read_to_string(&path).context(MUTANTS)?;
    fs::write(&path, with_counts(&text, &found)).context(MUTANTS)?;
    case::write(checkout)?;
    let survived: Vec<&String> = found.values().flat_map(|counts| &counts.survived).collect();
    survived.iter().for_each(|name| println!("survived: {name}"));
    if !survived.is_empty() {
        bail!("{} mutants survived: each is a check without a test", survived.len());
    }
    println!("mutants: none survived in {} modules", found.len());
    Ok(())
}

fn chosen<'a>(modules: &[&'a str], wanted: &[String]) -> Result<Vec<&'a str>> {
    let is =
        |module: &str, wanted: &String| module == wanted || module.ends_with(&format!("/{wanted}"));
    if let Some(unknown) = wanted.iter().find(|name| !modules.iter().any(|m| is(m, name))) {
        bail!("{MUTANTS} lists no module {unknown}");
    }
    let is_chosen =
        |module: &&&str| wanted.is_empty() || wanted.iter().any(|name| is(module, name));
    Ok(modules.iter().filter(is_chosen).copied().collect())
}

/// Modules by the package that they are in, whose tests are run.
fn by_package<'a>(modules: &[&'a str]) -> Result<BTreeMap<&'a str, Vec<&'a str>>> {
    let mut packages: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for module in modules {
        let package = module.strip_prefix("crates/").and_then(|rest| rest.split('/').next());
        let package = package.with_context(|| format!("{module} is in no crate"))?;
        packages.entry(package).or_default().push(module);
    }
    Ok(packages)
}

fn succeeds_or_not(checkout: &Checkout, package: &str, modules: &[&str], out: &Path) -> Result<()> {
    let mut command = checkout.cargo(["mutants", "--no-shuffle", "--package", package]);
    command.args(["--minimum-test-timeout", TEST_S_MIN, "--output"]).arg(out);
    for module in modules {
        command.args(["--file", module]);
    }
    // It builds in a copy of its own; no debugger looks at it.
    command.args(["--", "--lib", "--tests"]);
    command.env_remove("CARGO_TARGET_DIR").env("CARGO_PROFILE_DEV_DEBUG", "none");
    // Every mutant runs them all: fewer random ones each time.
    command.env("PROPTEST_CASES", PROPTEST_CASES);
    let told = out.join("mutants.out/outcomes.json");
    if told.exists() {
        fs::remove_file(&told)?;
    }
    match run_command(&mut command) {
        Err(error) if !told.exists() => Err(error),
        _ => Ok(()),
    }
}

fn count(told: &Value, module: &str, alike: &[&str]) -> Counts {
    let mut counts = Counts::default();
    for outcome in told["outcomes"].as_array().into_iter().flatten() {
        let mutant = &outcome["scenario"]["Mutant"];
        if mutant["file"] != module {
            continue;
        }
        let name = placeless(mutant["name"].as_str().unwrap_or_default());
        match outcome["summary"].as_str().unwrap_or_default() {
            "CaughtMutant" | "Timeout" => counts.caught += 1,
            "Unviable" => counts.unviable += 1,
            _ if alike.contains(&name.as_str()) => counts.alike += 1,
            _ => counts.survived.push(name),
        }
    }
    counts
}

/// A mutant's name without line and column, which move: `src/a.rs: replace f -> bool with true`. It stands in a
/// table, so `||` is `or` and `|` is `bar`.
fn placeless(name: &str) -> String {
    let name = &name.replace("||", "or").replace('|', "bar");
    let mut parts = name.splitn(4, ':');
    match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some(path), Some(_), Some(_), Some(what)) => format!("{path}:{what}"),
        _ => name.clone(),
    }
}

/// The file with the rows of these modules made anew.
fn with_counts(text: &str, found: &BTreeMap<&str, Counts>) -> String {
    let line = |line: &str| {
        let module = line.strip_prefix("| ").and_then(|rest| rest.split(' ').next());
        let Some((module, counts)) = module.and_then(|module| found.get_key_value(module)) else {
            return format!("{line}\n");
        };
        let Counts { caught, survived, alike, unviable } = counts;
        let survived = survived.len();
        format!("| {module} | {caught} | {survived} | {alike} | {unviable} |\n")
    };
    text.lines().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(name: &str, summary: &str) -> Value {
        let mutant = serde_json::json!({"name": name, "file": "crates/a/src/b.rs"});
        serde_json::json!({"scenario": {"Mutant": mutant}, "summary": summary})
    }

    #[test]
    fn outcomes_are_counted() {
        let told = serde_json::json!({"outcomes": [
            {"scenario": "Baseline", "summary": "Success"},
            outcome("crates/a/src/b.rs:1:2: replace f -> bool with true", "CaughtMutant"),
            outcome("crates/a/src/b.rs:3:4: replace == with != in g", "MissedMutant"),
            outcome("crates/a/src/b.rs:5:6: replace || with && in h", "MissedMutant"),
            outcome("crates/a/src/b.rs:7:8: replace i with ()", "Timeout"),
            outcome("crates/a/src/b.rs:9:9: replace j with ()", "Unviable"),
        ]});
        let counts =
            count(&told, "crates/a/src/b.rs", &["crates/a/src/b.rs: replace or with && in h"]);
        let survived = vec!["crates/a/src/b.rs: replace == with != in g".to_owned()];
        assert_eq!(counts, Counts { caught: 2, survived, alike: 1, unviable: 1 });
        assert_eq!(count(&told, "crates/a/src/c.rs", &[]), Counts::default());
    }

    #[test]
    fn counts_stand_in_their_row() {
        let text = "| crates/a/src/b.rs | | | | |\n| crates/a/src/c.rs | 1 | 2 | 3 | 4 |\n";
        let counts = Counts { caught: 5, survived: vec![], alike: 6, unviable: 7 };
        let written = with_counts(text, &BTreeMap::from([("crates/a/src/b.rs", counts)]));
        assert_eq!(written, text.replace("| | | | |", "| 5 | 0 | 6 | 7 |"));
    }

    #[test]
    fn modules_are_chosen_by_the_end_of_their_path() {
        let modules = ["crates/a/src/head.rs", "crates/a/src/ahead.rs", "crates/b/src/x.rs"];
        let all = chosen(&modules, &[]).unwrap();
        assert_eq!(all, modules);
        assert_eq!(chosen(&modules, &["head.rs".to_owned()]).unwrap(), modules[..1]);
        assert!(chosen(&modules, &["tail.rs".to_owned()]).is_err());
        assert_eq!(by_package(&all).unwrap()["a"], modules[..2]);
    }
}
