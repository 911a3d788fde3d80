// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a reviewer would otherwise have to look for.
//!
//! Each check is a function of texts and manifests, and has a test in which it fails.

pub(crate) mod finding;

mod case;
mod form;
mod graph;
mod import;
mod naming;
mod order;
mod outside;
mod rule;
mod wording;

use std::fs;

use anyhow::{Context, Result, bail};

use crate::package::Workspace;
use crate::run::Checkout;
use crate::source;
use crate::table::Table;

/// Runs every check and prints what is not tidy.
pub(crate) fn run(checkout: &Checkout) -> Result<()> {
    let workspace = Workspace::read(checkout)?;
    let sources = source::read_all(checkout)?;
    let document = "ARCHITECTURE.md";
    let plan = fs::read_to_string(checkout.root.join(document)).context(document)?;

    let mut findings = graph::check(&Table::find(&plan, "crates")?, &workspace.packages)?;
    let outside = Table::find(&plan, "outside")?;
    findings.extend(outside::check(&outside, &workspace.packages, &sources)?);
    findings.extend(order::check(&sources));
    findings.extend(form::check(&sources));
    findings.extend(naming::check(&sources));
    findings.extend(wording::check(&sources));
    findings.extend(rule::check(&sources));
    findings.extend(case::check(&sources)?);
    findings.sort();

    for finding in &findings {
        println!("{finding}");
    }
    if !findings.is_empty() {
        bail!("{} things are not tidy", findings.len());
    }
    println!("tidy: {} files in order", sources.len());
    Ok(())
}
