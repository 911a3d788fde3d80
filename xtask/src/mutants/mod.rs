// SPDX-License-Identifier: MIT OR Apache-2.0
//! Mutants: the verifying modules with one place changed, and whether a test notices.
//!
//! `testing/mutants.md` lists the modules, keeps the counts of their last run, and says of changes that make no
//! difference why they make none. Long, so nobody has to wait for it: it belongs into a nightly run.

mod list;
mod switch;

mod copy;
mod trial;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use clap::Args;

use self::copy::{Built, Complaint, Copy};
use self::list::{Genre, Mutant};
use self::switch::{SWITCHES, Switched, switched};
use self::trial::Tests;
use crate::case::{self, MUTANTS};
use crate::run::{Checkout, cache_folder, ensure_subcommand_at};
use crate::table::Table;

/// The version whose mutants the list of those that make no difference names.
const VERSION: &str = "27.1.0";

/// Which modules.
#[derive(Args)]
pub(crate) struct Options {
    /// Print the modules and do nothing.
    #[arg(long)]
    list: bool,
    /// Only these, by the path or its end; all without any.
    modules: Vec<String>,
}

/// What became of a mutant.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Outcome {
    /// This test notices it.
    Caught(String),
    /// None does.
    Survived,
    /// The compiler does.
    Unviable,
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
    let folder = cache_folder()?.join("mutants");
    fs::create_dir_all(&folder)?;
    let mut found: BTreeMap<&str, Counts> = BTreeMap::new();
    for (package, modules) in by_package(&chosen)? {
        let outcomes = outcomes(checkout, package, &modules, &folder)?;
        let told: Vec<String> = outcomes
            .iter()
            .map(|(mutant, outcome)| format!("{}\t{outcome:?}\n", mutant.name))
            .collect();
        fs::write(folder.join(format!("{package}.txt")), told.concat())?;
        for module in modules {
            found.insert(module, count(&outcomes, module, &alike));
        }
    }
    // Time has passed: somebody may have written to it.
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

/// What becomes of the mutants of these modules of a package.
fn outcomes(
    checkout: &Checkout,
    package: &str,
    modules: &[&str],
    folder: &Path,
) -> Result<Vec<(Mutant, Outcome)>> {
    let mut texts = BTreeMap::new();
    for module in modules {
        let text = fs::read_to_string(checkout.root.join(module)).context((*module).to_owned())?;
        texts.insert(*module, text);
    }
    let mutants =
        list::list(checkout, package, modules, |module| texts.get(module).map(String::as_str))?;
    let copy = Copy::of(checkout, folder, package)?;
    let library = format!("crates/{package}/src/lib.rs");
    let text = fs::read_to_string(checkout.root.join(&library)).context(library.clone())?;
    copy.put(&library, &(text + SWITCHES))?;

    println!("{package}: {} mutants", mutants.len());
    let (rest, mut unviable) = put_switches(&copy, &texts, &mutants)?;
    let Built::Tests(programs) = copy.tests()? else {
        bail!("the tests of {package} do not compile")
    };
    let tests = Tests::of(copy.folder(), &programs, &folder.join("reached"))?;
    println!("{package}: {} tests; {} mutants without a switch", tests.len(), rest.len());
    let with_switch: Vec<&Mutant> =
        mutants.iter().filter(|mutant| !rest.contains_key(&mutant.number)).collect();
    let mut noticed: BTreeMap<usize, Option<String>> = BTreeMap::new();
    for (mutant, by) in with_switch.iter().zip(tests.judge(&with_switch)) {
        noticed.insert(mutant.number, by?.map(str::to_owned));
    }
    for mutant in &mutants {
        let Some(is_told) = rest.get(&mutant.number) else { continue };
        if unviable.contains(&mutant.number) {
            continue;
        }
        for (module, text) in &texts {
            let mut text = text.clone();
            if *module == mutant.file {
                text.replace_range(mutant.range.clone(), &mutant.replacement);
            }
            copy.put(module, &text)?;
        }
        // What does not compile costs no link.
        if !copy.check()?.is_empty() {
            unviable.insert(mutant.number);
        } else if let Built::Tests(_) = copy.tests()? {
            let by = tests.noticed_by(mutant.number, *is_told)?;
            noticed.insert(mutant.number, by.map(str::to_owned));
        }
    }
    let outcome = |mutant: &Mutant| match noticed.get(&mutant.number) {
        _ if unviable.contains(&mutant.number) => Outcome::Unviable,
        Some(Some(test)) => Outcome::Caught(test.clone()),
        _ => Outcome::Survived,
    };
    Ok(mutants.into_iter().map(|mutant| (mutant.clone(), outcome(&mutant))).collect())
}

/// Puts into the copy what has switches and compiles. Tells which mutants have none, with whether it is told
/// where they are reached, and which of those can be nothing.
fn put_switches(
    copy: &Copy,
    texts: &BTreeMap<&str, String>,
    mutants: &[Mutant],
) -> Result<(BTreeMap<usize, bool>, BTreeSet<usize>)> {
    let (mut without, mut unviable) = (BTreeSet::new(), BTreeSet::new());
    loop {
        let mut rest = BTreeMap::new();
        let mut modules: BTreeMap<&str, Switched> = BTreeMap::new();
        for (module, text) in texts {
            let of_module: Vec<&Mutant> =
                mutants.iter().filter(|mutant| mutant.file == *module).collect();
            let switched = switched(text, &of_module, &without).context((*module).to_owned())?;
            copy.put(module, &switched.text)?;
            rest.extend(&switched.rest);
            modules.insert(module, switched);
        }
        let complaints = copy.check()?;
        if complaints.is_empty() {
            return Ok((rest, unviable));
        }
        let blamed = blamed(&complaints, &modules);
        if blamed.is_empty() {
            let why: Vec<&str> = complaints.iter().map(|found| found.message.as_str()).collect();
            bail!("the copy does not compile, and no mutant is to blame: {}", why.join("; "));
        }
        // Where the value of a function does not fit, it fits no better alone.
        let is_value = |mutant: &&Mutant| mutant.genre == Genre::FnValue;
        let values = mutants.iter().filter(is_value).map(|mutant| mutant.number);
        unviable.extend(values.filter(|number| blamed.contains(number)));
        without.extend(blamed);
    }
}

/// The mutants in whose code, or around whose code, the compiler found something.
fn blamed(complaints: &[Complaint], modules: &BTreeMap<&str, Switched>) -> BTreeSet<usize> {
    let mut found = BTreeSet::new();
    for complaint in complaints {
        let of_place = |(file, at): &(String, std::ops::Range<usize>)| {
            let places = modules.get(file.as_str()).map(|switched| &switched.places);
            let around = places
                .into_iter()
                .flatten()
                .filter(|(range, _)| range.start <= at.start && at.end <= range.end);
            let within = places
                .into_iter()
                .flatten()
                .filter(|(range, _)| at.start <= range.start && range.end <= at.end);
            let least = around.min_by_key(|(range, _)| range.len());
            least.or_else(|| within.min_by_key(|(range, _)| range.len())).map(|(_, number)| *number)
        };
        found.extend(complaint.places.iter().find_map(of_place));
    }
    found
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

fn count(outcomes: &[(Mutant, Outcome)], module: &str, alike: &[&str]) -> Counts {
    let mut counts = Counts::default();
    for (mutant, outcome) in outcomes.iter().filter(|(mutant, _)| mutant.file == module) {
        let name = placeless(&mutant.name);
        match outcome {
            Outcome::Caught(_) => counts.caught += 1,
            Outcome::Unviable => counts.unviable += 1,
            Outcome::Survived if alike.contains(&name.as_str()) => counts.alike += 1,
            Outcome::Survived => counts.survived.push(name),
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

    fn mutant(name: &str) -> Mutant {
        Mutant {
            number: 1,
            file: "crates/a/src/b.rs".to_owned(),
            name: name.to_owned(),
            genre: Genre::Other,
            range: 0..0,
            replacement: String::new(),
            returns: String::new(),
        }
    }

    #[test]
    fn outcomes_are_counted() {
        let caught = || Outcome::Caught("a_test".to_owned());
        let outcomes = [
            (mutant("crates/a/src/b.rs:1:2: replace f -> bool with true"), caught()),
            (mutant("crates/a/src/b.rs:3:4: replace == with != in g"), Outcome::Survived),
            (mutant("crates/a/src/b.rs:5:6: replace || with && in h"), Outcome::Survived),
            (mutant("crates/a/src/b.rs:7:8: replace i with ()"), caught()),
            (mutant("crates/a/src/b.rs:9:9: replace j with ()"), Outcome::Unviable),
        ];
        let counts =
            count(&outcomes, "crates/a/src/b.rs", &["crates/a/src/b.rs: replace or with && in h"]);
        let survived = vec!["crates/a/src/b.rs: replace == with != in g".to_owned()];
        assert_eq!(counts, Counts { caught: 2, survived, alike: 1, unviable: 1 });
        assert_eq!(count(&outcomes, "crates/a/src/c.rs", &[]), Counts::default());
    }

    #[test]
    fn the_innermost_mutant_is_to_blame() {
        let places = vec![(0..100, 1), (10..20, 2), (40..50, 3)];
        let switched = Switched { text: String::new(), places, rest: BTreeMap::new() };
        let modules = BTreeMap::from([("a.rs", switched)]);
        let blamed = |file: &str, at| {
            let place = (file.to_owned(), at);
            blamed(&[Complaint { message: String::new(), places: vec![place] }], &modules)
        };
        assert_eq!(blamed("a.rs", 12..14), BTreeSet::from([2]));
        assert_eq!(blamed("a.rs", 30..32), BTreeSet::from([1]));
        assert_eq!(blamed("a.rs", 5..120), BTreeSet::from([2]));
        assert!(blamed("b.rs", 12..14).is_empty());
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
