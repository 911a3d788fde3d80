// SPDX-License-Identifier: MIT OR Apache-2.0
//! Every test of the workspace, with what the tests need.
//!
//! Tests find the program in `AURA_BIN`, the Python for other people's readers in `AURA_PYTHON`, and axe-core in `AURA_AXE`;
//! when a variable is not set, they say that they are skipped. A value that is set already is kept.

use std::env;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;
use clap::Args;

use crate::package::Workspace;
use crate::run::{self as process, Checkout, is_installed};
use crate::{axe, python, system};

const PROGRAM: &str = "aura";
/// The package whose tests start the program.
const JOURNEYS: &str = "aura-e2e";

/// What to test.
#[derive(Args)]
pub(crate) struct Options {
    /// Only this package; may be given more than once.
    #[arg(short, long)]
    package: Vec<String>,
    /// Passed on to the test runner, such as the name of a test.
    #[arg(trailing_var_arg = true)]
    filter: Vec<String>,
}

impl Options {
    /// The whole workspace.
    pub(crate) fn everything() -> Self {
        Self { package: Vec::new(), filter: Vec::new() }
    }

    fn is_everything(&self) -> bool {
        self.package.is_empty() && self.filter.is_empty()
    }

    fn needs_program(&self) -> bool {
        self.package.is_empty() || self.package.iter().any(|name| name == JOURNEYS)
    }

    fn select<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        if self.package.is_empty() {
            return command.arg("--workspace");
        }
        command.args(self.package.iter().flat_map(|name| ["--package", name]))
    }
}

/// Installs, builds the program, runs doctests and then the tests; both, even when one fails.
pub(crate) fn run(checkout: &Checkout, options: &Options) -> Result<()> {
    system::ensure(checkout)?;
    let mut environment = vec![];
    if let Some(python) = python(checkout) {
        environment.push(("AURA_PYTHON", python));
    }
    if options.needs_program() {
        match system::ensure_servers(checkout) {
            // From here on a test that finds none fails.
            Ok(true) => environment.push(("AURA_FAR", PathBuf::from("all"))),
            Ok(false) => println!("note: not every server is installed, some tests are skipped"),
            Err(error) => println!("note: servers of tests were not installed: {error:#}"),
        }
        match system::ensure_browser(checkout) {
            Ok(true) => environment.push(("AURA_BROWSER", PathBuf::from("chromium"))),
            Ok(false) => println!("note: no browser is installed, the page is tested without one"),
            Err(error) => println!("note: the browser of tests was not installed: {error:#}"),
        }
        match axe::ensure(checkout) {
            Ok(script) => environment.push(("AURA_AXE", script)),
            Err(error) => {
                println!("note: axe-core was not fetched, barriers are not looked for: {error:#}");
            }
        }
        environment.push(("AURA_BIN", build_program(checkout)?));
    }

    // Doctests first: their summaries say little, and the last one is what people read.
    let mut documented = Ok(());
    if options.is_everything() {
        let mut doctests = checkout.cargo(["test", "--quiet", "--doc", "--workspace"]);
        documented = process::run(doctests.envs(environment.clone()));
    }
    let mut tests = if is_installed("cargo-nextest") {
        checkout.cargo(["nextest", "run"])
    } else {
        println!("note: cargo-nextest is not installed; cargo test takes longer");
        checkout.cargo(["test", "--tests", "--no-fail-fast"])
    };
    let tested = process::run(options.select(&mut tests).args(&options.filter).envs(environment));
    let again = if options.is_everything() { other_login(checkout) } else { Ok(()) };
    documented.and(tested).and(again)
}

/// What depends on the way to log in, in a build with the other one.
fn other_login(checkout: &Checkout) -> Result<()> {
    let mut tests = if is_installed("cargo-nextest") {
        let mut tests = checkout.cargo(["nextest", "run"]);
        tests.args(["-E", "test(auth::) or test(/^http::/) or test(routes::)"]);
        tests
    } else {
        checkout.cargo(["test"])
    };
    let all = ["--workspace", "--lib", "--test", "suite", "--features", "aura-protocol/srp"];
    process::run(tests.args(all))
}

/// The Python for the tests; without one they are run all the same, but those of other readers.
fn python(checkout: &Checkout) -> Option<PathBuf> {
    if let Some(python) = env::var_os("AURA_PYTHON") {
        return Some(python.into());
    }
    match python::ensure(checkout) {
        Ok(python) => Some(python),
        Err(error) => {
            println!(
                "note: no Python for other people's readers, their tests are skipped: {error:#}"
            );
            None
        }
    }
}

/// Builds the program, and the tests with it: asked for alone it would be built with other features,
/// and half of its dependencies twice.
fn build_program(checkout: &Checkout) -> Result<PathBuf> {
    if let Some(program) = env::var_os("AURA_BIN") {
        return Ok(program.into());
    }
    process::run(&mut checkout.cargo(["build", "--workspace", "--bins", "--tests"]))?;
    Ok(Workspace::read(checkout)?.target.join("debug").join(PROGRAM))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selected(package: &[&str]) -> Vec<String> {
        let package = package.iter().map(|name| (*name).to_owned()).collect();
        let mut command = Command::new("true");
        let options = Options { package, filter: Vec::new() };
        let args = options.select(&mut command).get_args();
        args.map(|arg| arg.to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn all_packages_or_those_named() {
        assert_eq!(selected(&[]), ["--workspace"]);
        assert_eq!(selected(&["a", "b"]), ["--package", "a", "--package", "b"]);
    }

    #[test]
    fn only_journeys_need_the_program() {
        let options = |name: &str| Options { package: vec![name.to_owned()], filter: Vec::new() };
        assert!(Options::everything().needs_program() && options(JOURNEYS).needs_program());
        assert!(!options("aura-protocol").needs_program());
    }
}
