// SPDX-License-Identifier: MIT OR Apache-2.0
//! The chores of the project: `cargo xtask --help`.
//!
//! What a script would do elsewhere is Rust here, and the workflows only call it.

// A program for developers talks on their terminal.
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod run;

mod package;
mod source;
mod table;
mod token;

mod case;

mod axe;
mod python;
mod system;

mod bench;
mod deny;
mod fuzz;
mod mutants;
mod openapi;
mod sim;
mod test;
mod tidy;

mod ci;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::run::Checkout;

/// The chores of the project.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Run every test, after installing what the tests need.
    Test(test::Options),
    /// Check what a reviewer would otherwise have to look for.
    Tidy,
    /// Run the fuzz targets, each for a while.
    Fuzz(fuzz::Options),
    /// Simulate devices and stores, for many seeds.
    Sim(sim::Options),
    /// Run the benches, one package at a time.
    Bench(bench::Options),
    /// Ask the server everything that its OpenAPI document has.
    Openapi(openapi::Options),
    /// Check licences, bans and sources of every dependency.
    Deny,
    /// Write docs/security-tests.md anew.
    SecurityTests,
    /// Change the verifying modules, one place at a time, and see whether tests notice.
    Mutants(mutants::Options),
    /// Everything that a change must pass: format, lints, tidy, tests.
    Ci,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let done = Checkout::locate().and_then(|checkout| match arguments.chore {
        Chore::Test(options) => test::run(&checkout, &options),
        Chore::Tidy => tidy::run(&checkout),
        Chore::Fuzz(options) => fuzz::run(&checkout, &options),
        Chore::Sim(options) => sim::run(&checkout, &options),
        Chore::Bench(options) => bench::run(&checkout, &options),
        Chore::Openapi(options) => openapi::run(&checkout, &options),
        Chore::Deny => deny::run(&checkout),
        Chore::SecurityTests => case::write(&checkout),
        Chore::Mutants(options) => mutants::run(&checkout, &options),
        Chore::Ci => ci::run(&checkout),
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
