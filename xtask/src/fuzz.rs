// SPDX-License-Identifier: MIT OR Apache-2.0
//! The fuzz targets in `fuzz/`, each for a while.
//!
//! The sanitizer needs what a stable compiler hides, hence `RUSTC_BOOTSTRAP`. What is found stays in
//! `fuzz/artifacts`; inputs worth keeping go to `fuzz/seeds/TARGET`.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::run::{Checkout, ensure_subcommand, run as run_command};

const SMOKE_S: u32 = 60;
const LONG_S: u32 = 3600;

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

/// Runs the targets one after the other; all of them, even when one finds something.
pub(crate) fn run(checkout: &Checkout, options: &Options) -> Result<()> {
    let present = targets(&checkout.root.join("fuzz"))?;
    let chosen = chosen(&present, &options.targets)?;
    ensure_subcommand(checkout, "cargo-fuzz")?;
    let mut failed = Vec::new();
    for target in &chosen {
        if let Err(error) = one(checkout, target, options.seconds()) {
            println!("{target}: {error:#}");
            failed.push(*target);
        }
    }
    if !failed.is_empty() {
        bail!("{} of {} targets failed: {}", failed.len(), chosen.len(), failed.join(", "));
    }
    println!("fuzz: {} targets found nothing in {} s each", chosen.len(), options.seconds());
    Ok(())
}

fn one(checkout: &Checkout, target: &str, seconds: u32) -> Result<()> {
    let corpus = format!("fuzz/corpus/{target}");
    let seeds = format!("fuzz/seeds/{target}");
    fs::create_dir_all(checkout.root.join(&corpus))?;
    let mut command = checkout.cargo(["fuzz", "run", target, &corpus]);
    if checkout.root.join(&seeds).is_dir() {
        command.arg(seeds);
    }
    command.arg("--").arg(format!("-max_total_time={seconds}")).arg("-rss_limit_mb=1024");
    run_command(command.env("RUSTC_BOOTSTRAP", "1"))
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
    fn a_smoke_test_is_short() {
        let options = |smoke, seconds| Options { smoke, seconds, targets: Vec::new() };
        assert_eq!(options(true, None).seconds(), SMOKE_S);
        assert_eq!(options(false, None).seconds(), LONG_S);
        assert_eq!(options(true, Some(5)).seconds(), 5);
    }
}
