// SPDX-License-Identifier: MIT OR Apache-2.0
//! The simulation of devices and stores, for many seeds.
//!
//! Optimised, but not as a whole: that would take longer than it saves. In memory where the system has a folder
//! for that, since every step syncs to the disk.

use std::path::Path;

use anyhow::Result;
use clap::Args;

use crate::run::{Checkout, run as run_command};

const MEMORY: &str = "/dev/shm";

/// Which seeds are tried.
#[derive(Args)]
pub(crate) struct Options {
    /// How many seeds.
    #[arg(long, default_value_t = 10_000)]
    seeds: u64,
    /// The first seed.
    #[arg(long, default_value_t = 0)]
    from: u64,
}

/// Runs the simulation.
pub(crate) fn run(checkout: &Checkout, options: &Options) -> Result<()> {
    let test = ["test", "--release", "--package", "aura-store", "--test", "simulation"];
    let mut command = checkout.cargo(test);
    command
        .args(["--", "--nocapture"])
        .env("AURA_SIM_SEEDS", options.seeds.to_string())
        .env("AURA_SIM_FROM", options.from.to_string())
        .env("CARGO_PROFILE_RELEASE_LTO", "off")
        .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16");
    if Path::new(MEMORY).is_dir() {
        command.env("TMPDIR", MEMORY);
    }
    run_command(&mut command)
}
