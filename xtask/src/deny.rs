// SPDX-License-Identifier: MIT OR Apache-2.0
//! Licences, bans and sources of every dependency, by the rules of deny.toml.
//!
//! Known vulnerabilities are not asked for here: their list comes from the network.

use anyhow::Result;

use crate::run::{Checkout, ensure_subcommand, is_installed, run as run_command};

const TOOL: &str = "cargo-deny";

/// Checks; builds the tool first when it is missing.
pub(crate) fn run(checkout: &Checkout) -> Result<()> {
    ensure_subcommand(checkout, TOOL)?;
    // Building fetches what this platform needs; the rules are for every platform's dependencies.
    if let Err(error) = run_command(&mut checkout.cargo(["fetch", "--locked", "--quiet"])) {
        println!("note: checking what is here already: {error:#}");
    }
    run_command(&mut checkout.cargo(["deny", "--offline", "check", "licenses", "bans", "sources"]))
}

/// Whether it can run without building the tool, which takes minutes.
pub(crate) fn is_ready() -> bool {
    is_installed(TOOL)
}
