// SPDX-License-Identifier: MIT OR Apache-2.0
//! The server against its own OpenAPI document: whatever is asked, it answers as the document says, and with no fault of
//! its own.
//!
//! Cases are made by schemathesis, in a Python of its own in the cache folder. Where that cannot be installed, the chore says
//! so and is skipped.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, ChildStderr, Stdio};

use anyhow::{Context, Result};
use clap::Args;

use crate::package::Workspace;
use crate::python;
use crate::run::{Checkout, run as run_command};

const PACKAGE: &str = "schemathesis==4.32.5";
const PROOF: &str = "import schemathesis";
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
    response_schema_conformance,unsupported_method";
// Connections stay open for a while, and all are of one source.
const SETTINGS: &str = "registration = \"open\"\n[limits]\nopen_per_second = 100000\n\
    connections_per_source = 20000\n";

/// How much to try.
#[derive(Args)]
pub(crate) struct Options {
    /// Cases of each path.
    #[arg(long, default_value_t = 50)]
    cases: u32,
    /// The first of them.
    #[arg(long, default_value_t = 1)]
    seed: u32,
}

/// Builds the server, starts it, and asks it everything that its document has.
pub(crate) fn run(checkout: &Checkout, options: &Options) -> Result<()> {
    let python = match python::ensure_for(checkout, "schemathesis", &[PACKAGE], PROOF) {
        Ok(python) => python,
        Err(error) => {
            println!("note: skipped, schemathesis cannot be installed: {error:#}");
            return Ok(());
        }
    };
    run_command(&mut checkout.cargo(["build", "--workspace", "--bins", "--tests"]))?;
    let target = Workspace::read(checkout)?.target;
    let folder = target.join("openapi");
    if folder.exists() {
        std::fs::remove_dir_all(&folder)?;
    }
    std::fs::create_dir_all(&folder)?;
    let server = Served::start(checkout, &target, &folder)?;
    let program = python.with_file_name("schemathesis");
    let program = program.to_str().context("the cache folder's path is not UTF-8")?;
    // Each with connections of its own: one that ended with a body that was refused early is not used again.
    for phase in ["coverage", "fuzzing"] {
        let mut asks = checkout.program(program);
        asks.current_dir(&folder).arg("run");
        asks.arg(format!("https://{}/openapi.json", server.address));
        asks.args(["--tls-verify=false", "--no-color", "--warnings", "off", "--checks", CHECKS]);
        asks.args(["--phases", phase, "--suppress-health-check", "all", "--workers", "1"]);
        asks.args(["--generation-database", "none", "--request-retries", "3"]);
        asks.args(["--max-examples", &options.cases.to_string()]);
        asks.args(["--seed", &options.seed.to_string()]);
        asks.env("SCHEMATHESIS_HOOKS", checkout.root.join("testing/aura-e2e/openapi/hooks.py"));
        run_command(&mut asks)?;
    }
    Ok(())
}

/// A server that runs until it is dropped.
struct Served {
    child: Child,
    address: String,
    _said: BufReader<ChildStderr>,
}

impl Served {
    fn start(checkout: &Checkout, target: &Path, folder: &Path) -> Result<Self> {
        let settings = folder.join("settings.toml");
        std::fs::write(&settings, SETTINGS)?;
        let program = target.join("debug").join("aura-server");
        let program = program.to_str().context("the target folder's path is not UTF-8")?;
        let mut command = checkout.program(program);
        command.arg("--config").arg(settings).arg("--data").arg(folder.join("data"));
        command.args(["serve", "--listen", "127.0.0.1:0"]).stderr(Stdio::piped());
        let mut child = command.spawn().context("the server could not be started")?;
        let mut said = BufReader::new(child.stderr.take().context("the server says nothing")?);
        let mut line = String::new();
        said.read_line(&mut line)?;
        let address = line.split_once("\"address\":\"").and_then(|(_, rest)| rest.split_once('"'));
        let (address, _) = address.with_context(|| format!("the server said: {line}"))?;
        Ok(Self { child, address: address.to_owned(), _said: said })
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
