// SPDX-License-Identifier: MIT OR Apache-2.0
//! Everything that a change must pass. All steps run; the end says which failed.

use std::env;

use anyhow::{Result, bail};

use crate::run::{Checkout, run as run_command};
use crate::{deny, test, tidy};

/// Set to anything, it makes `ci` run `deny` even when the tool must be built first.
const DENY_WANTED: &str = "AURA_CI_DENY";

/// Runs every step.
pub(crate) fn run(checkout: &Checkout) -> Result<()> {
    let mut steps: Vec<(&str, Result<()>)> = vec![
        ("format", format(checkout)),
        ("lints", lints(checkout)),
        ("tidy", tidy::run(checkout)),
    ];
    if deny::is_ready() || env::var_os(DENY_WANTED).is_some() {
        steps.push(("deny", deny::run(checkout)));
    } else {
        println!("note: deny is left out, cargo-deny is not installed ({DENY_WANTED}=1 builds it)");
    }
    steps.push(("test", test::run(checkout, &test::Options::everything())));

    let failed: Vec<_> = steps.iter().filter(|(_, done)| done.is_err()).collect();
    for (name, done) in &failed {
        if let Err(error) = done {
            println!("{name}: {error:#}");
        }
    }
    match failed.len() {
        0 => Ok(()),
        count => bail!("{count} of {} steps failed", steps.len()),
    }
}

fn format(checkout: &Checkout) -> Result<()> {
    run_command(&mut checkout.cargo(["fmt", "--all", "--", "--check", "--files-with-diff"]))
}

fn lints(checkout: &Checkout) -> Result<()> {
    let what = ["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"];
    run_command(&mut checkout.cargo(what))
}
