// SPDX-License-Identifier: MIT OR Apache-2.0
//! The benches, one package at a time.
//!
//! Never the whole workspace at once: Cargo would give every package the features of all, and the
//! figures would not be those of what is shipped.

use anyhow::{Result, bail};
use clap::Args;

use crate::package::Workspace;
use crate::run::{Checkout, run as run_command};

/// What to measure.
#[derive(Args)]
pub(crate) struct Options {
    /// Only this package; may be given more than once.
    #[arg(short, long)]
    package: Vec<String>,
    /// Passed on to the benches, such as the name of one.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

/// Runs `cargo bench` for every package that has benches.
pub(crate) fn run(checkout: &Checkout, options: &Options) -> Result<()> {
    let workspace = Workspace::read(checkout)?;
    let is_chosen = |name: &String| options.package.is_empty() || options.package.contains(name);
    let packages = workspace.packages.iter().filter(|package| package.has_benches);
    let chosen: Vec<_> = packages.filter(|package| is_chosen(&package.name)).collect();
    if chosen.is_empty() {
        bail!("no package with benches was chosen");
    }
    for package in chosen {
        let mut bench = checkout.cargo(["bench", "--package", &package.name, "--benches"]);
        run_command(bench.arg("--").args(&options.arguments))?;
    }
    Ok(())
}
