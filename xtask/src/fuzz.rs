// SPDX-License-Identifier: MIT OR Apache-2.0
//! The fuzz targets in `fuzz/`, each for a while.
//!
//! The sanitizer needs what a stable compiler hides, hence `RUSTC_BOOTSTRAP`. They are built beside the
//! other caches, since their flags would throw away everybody else's build. What is found stays in
//! `fuzz/artifacts`; inputs worth keeping go to `fuzz/seeds/TARGET`.

use std::collections::VecDeque;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::run::{Checkout, cache_folder, ensure_subcommand, run as run_command};
use crate::system;

const SMOKE_S: u32 = 60;
const LONG_S: u32 = 3600;
/// One input that takes longer is a find.
const INPUT_S_MAX: u32 = 10;
/// So is one that takes more memory.
const MEMORY_MIB_MAX: u32 = 1024;
/// Longer inputs are not made: beyond it nothing new is found, only more of it.
const INPUT_BYTES_MAX: u32 = 16 << 10;
/// Lines that a failed target's report is shown with.
const REPORT_LINES: usize = 60;
/// How libFuzzer begins the line with its count.
const EXECUTIONS: &str = "stat::number_of_executed_units:";

/// What to fuzz, and for how long.
#[derive(Args)]
pub(crate) struct Options {
    /// A minute each instead of an hour.
    #[arg(long)]
    smoke: bool,
    /// So many seconds each.
    #[arg(long)]
    seconds: Option<u32>,
    /// Only these targets.
    targets: Vec<String>,
}

impl Options {
    fn seconds(&self) -> u32 {
        self.seconds.unwrap_or(if self.smoke { SMOKE_S } else { LONG_S })
    }
}

/// What became of one target.
struct Outcome<'a> {
    target: &'a str,
    executions: u64,
    /// Why it is not clean, if it is not.
    trouble: Option<String>,
}

/// Builds the targets and runs one after the other; all of them, even when one finds something.
pub(crate) fn run(checkout: &Checkout, options: &Options) -> Result<()> {
    let present = targets(&checkout.root.join("fuzz"))?;
    let chosen = chosen(&present, &options.targets)?;
    system::ensure(checkout)?;
    ensure_subcommand(checkout, "cargo-fuzz")?;
    let built = cache_folder()?.join("fuzz");
    if options.targets.is_empty() {
        // All at once: side by side they take less time than one after the other.
        run_command(&mut prepared(checkout, &built, "build"))?;
    }
    let mut outcomes = Vec::new();
    for target in &chosen {
        let outcome = match one(checkout, &built, (target, options.seconds())) {
            Ok(outcome) => outcome,
            Err(error) => Outcome { target, executions: 0, trouble: Some(format!("{error:#}")) },
        };
        println!("{}", line(&outcome));
        outcomes.push(outcome);
    }
    println!("\n{}", outcomes.iter().map(line).collect::<Vec<_>>().join("\n"));
    let failed = outcomes.iter().filter(|outcome| outcome.trouble.is_some()).count();
    if failed > 0 {
        bail!("{failed} of {} fuzz targets are not clean; see fuzz/artifacts", outcomes.len());
    }
    println!("fuzz: {} targets found nothing in {} s each", outcomes.len(), options.seconds());
    Ok(())
}

fn line(outcome: &Outcome<'_>) -> String {
    let Outcome { target, executions, trouble } = outcome;
    let told = trouble.as_deref().unwrap_or("nothing found");
    format!("{target:16} {executions:>12} executions   {told}")
}

fn one<'a>(
    checkout: &Checkout,
    built: &Path,
    (target, seconds): (&'a str, u32),
) -> Result<Outcome<'a>> {
    let place = |folder: &str| checkout.root.join("fuzz").join(folder).join(target);
    let (corpus, seeds, artifacts) = (place("corpus"), place("seeds"), place("artifacts"));
    fs::create_dir_all(&corpus)?;
    let before = finds(&artifacts);
    run_command(prepared(checkout, built, "build").arg(target))?;
    let mut command = prepared(checkout, built, "run");
    command.arg(target).arg(&corpus);
    if seeds.is_dir() {
        command.arg(&seeds);
    }
    command.arg("--").args(limits(seconds));
    println!("{target}: {seconds} s");
    let mut child =
        command.stderr(Stdio::piped()).spawn().context("cannot start cargo fuzz run")?;
    let told = child.stderr.take().map(report).unwrap_or_default();
    let status = child.wait()?;
    let found = finds(&artifacts).into_iter().find(|find| !before.contains(find));
    let trouble = match found {
        Some(find) => Some(format!("FOUND {}", find.display())),
        None if !status.success() => Some(format!("FAILED ({status})")),
        None if told.executions == 0 => Some("FAILED: nothing was run".to_owned()),
        None => None,
    };
    if trouble.is_some() {
        told.last.iter().for_each(|line| println!("    {line}"));
    }
    Ok(Outcome { target, executions: told.executions, trouble })
}

fn prepared(checkout: &Checkout, built: &Path, what: &str) -> Command {
    let mut command = checkout.cargo(["fuzz", what]);
    command.env("RUSTC_BOOTSTRAP", "1").env_remove("CARGO_TARGET_DIR");
    command.arg("--target-dir").arg(built);
    command
}

fn limits(seconds: u32) -> Vec<String> {
    vec![
        format!("-max_total_time={seconds}"),
        format!("-timeout={INPUT_S_MAX}"),
        format!("-rss_limit_mb={MEMORY_MIB_MAX}"),
        format!("-max_len={INPUT_BYTES_MAX}"),
        "-print_final_stats=1".to_owned(),
    ]
}

/// Inputs that a target was found wanting by, now or in earlier runs.
fn finds(artifacts: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(artifacts).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).collect()
}

/// What a target said on its way.
#[derive(Default)]
struct Report {
    executions: u64,
    last: VecDeque<String>,
}

/// Reads it to its end, keeping the count and the last lines.
fn report(said: impl Read) -> Report {
    let mut report = Report::default();
    for line in BufReader::new(said).split(b'\n').map_while(Result::ok) {
        let line = String::from_utf8_lossy(&line).into_owned();
        if let Some(count) = line.strip_prefix(EXECUTIONS) {
            report.executions = count.trim().parse().unwrap_or_default();
        }
        report.last.push_back(line);
        if report.last.len() > REPORT_LINES {
            report.last.pop_front();
        }
    }
    report
}

fn targets(folder: &Path) -> Result<Vec<String>> {
    let places = folder.join("fuzz_targets");
    let entries = fs::read_dir(&places)
        .with_context(|| format!("no fuzz targets: cannot read {}", places.display()))?;
    let mut names = Vec::new();
    for entry in entries {
        let name = entry?.file_name().to_string_lossy().into_owned();
        names.extend(name.strip_suffix(".rs").map(str::to_owned));
    }
    if names.is_empty() {
        bail!("no fuzz targets in {}", places.display());
    }
    names.sort();
    Ok(names)
}

fn chosen<'a>(present: &'a [String], wanted: &[String]) -> Result<Vec<&'a str>> {
    if let Some(unknown) = wanted.iter().find(|name| !present.contains(name)) {
        bail!("no fuzz target {unknown}; there are: {}", present.join(", "));
    }
    let is_chosen = |name: &&String| wanted.is_empty() || wanted.contains(name);
    Ok(present.iter().filter(is_chosen).map(String::as_str).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn all_targets_or_those_named_and_no_unknown_one() {
        let present = list(&["codec", "mbox"]);
        assert_eq!(chosen(&present, &[]).unwrap(), ["codec", "mbox"]);
        assert_eq!(chosen(&present, &list(&["mbox"])).unwrap(), ["mbox"]);
        assert!(chosen(&present, &list(&["nbox"])).unwrap_err().to_string().contains("nbox"));
    }

    #[test]
    fn no_folder_is_a_failure() {
        let missing = targets(Path::new("no-such-folder")).unwrap_err();
        assert!(missing.to_string().contains("no fuzz targets"));
    }

    #[test]
    fn the_count_and_the_end_of_a_report_are_kept() {
        let said = format!("{}{EXECUTIONS} 7041\nlast\n", "line\n".repeat(REPORT_LINES));
        let report = report(said.as_bytes());
        assert_eq!((report.executions, report.last.len()), (7041, REPORT_LINES));
        assert_eq!(report.last.back().unwrap(), "last");
    }

    #[test]
    fn what_is_not_clean_is_said() {
        let outcome = |trouble| Outcome { target: "query", executions: 7, trouble };
        assert!(line(&outcome(None)).contains("7 executions   nothing found"));
        assert!(line(&outcome(Some("FOUND x".to_owned()))).ends_with("FOUND x"));
    }

    #[test]
    fn a_smoke_test_is_short() {
        let options = |smoke, seconds| Options { smoke, seconds, targets: Vec::new() };
        assert_eq!(options(true, None).seconds(), SMOKE_S);
        assert_eq!(options(false, None).seconds(), LONG_S);
        assert_eq!(options(true, Some(5)).seconds(), 5);
    }
}
