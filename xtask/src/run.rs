// SPDX-License-Identifier: MIT OR Apache-2.0
//! Running other programs, and where the checkout is.
//!
//! The root is asked of Cargo at run time and never compiled in: two checkouts may share one target
//! directory, and then the same binary serves both.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// A checkout of the project.
pub(crate) struct Checkout {
    /// Its root folder, absolute.
    pub(crate) root: PathBuf,
}

impl Checkout {
    /// Finds the checkout that the current folder is in.
    pub(crate) fn locate() -> Result<Self> {
        let mut ask = Command::new(cargo_program());
        ask.args(["locate-project", "--workspace", "--message-format", "plain"]);
        let manifest = PathBuf::from(output(&mut ask)?.trim());
        let root = manifest.parent().context("the workspace manifest has no folder")?;
        Ok(Self { root: root.to_path_buf() })
    }

    /// A Cargo command in the root.
    pub(crate) fn cargo<const N: usize>(&self, args: [&str; N]) -> Command {
        let mut command = self.program(&cargo_program());
        command.args(args);
        // `cargo run` tells its child which package it is. Passed on, some build scripts take that
        // for a change and build again.
        for (name, _) in env::vars_os() {
            let name = name.to_string_lossy();
            if name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_") {
                command.env_remove(&*name);
            }
        }
        command
    }

    /// Any other command in the root.
    pub(crate) fn program(&self, name: &str) -> Command {
        let mut command = Command::new(name);
        command.current_dir(&self.root);
        command
    }
}

/// Says what is run, runs it, and fails unless it succeeds.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    println!("$ {}", shown(command));
    let status = command.status().with_context(|| format!("cannot start {}", shown(command)))?;
    if !status.success() {
        bail!("{} failed ({status})", shown(command));
    }
    Ok(())
}

/// Runs without a word and returns what it printed; its errors stay on the terminal.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let done = command
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("cannot start {}", shown(command)))?;
    if !done.status.success() {
        bail!("{} failed ({})", shown(command), done.status);
    }
    String::from_utf8(done.stdout).with_context(|| format!("{} printed no text", shown(command)))
}

/// Whether it runs and succeeds; prints nothing.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// Whether a program of this name is on the search path.
pub(crate) fn is_installed(program: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

/// Installs a Cargo subcommand from source when it is missing.
pub(crate) fn ensure_subcommand(checkout: &Checkout, name: &str) -> Result<()> {
    if is_installed(name) {
        return Ok(());
    }
    println!("{name} is not installed; building it once");
    let mut install = checkout.cargo(["install", "--locked", name]);
    // In our own target folder it would keep everybody else from building meanwhile.
    run(install.env_remove("CARGO_TARGET_DIR"))
        .with_context(|| format!("install it by hand: cargo install --locked {name}"))
}

/// Installs this version of a Cargo subcommand from source when another one, or none, is there.
pub(crate) fn ensure_subcommand_at(checkout: &Checkout, name: &str, version: &str) -> Result<()> {
    let subcommand = name.trim_start_matches("cargo-");
    let is_there = is_installed(name)
        && output(&mut checkout.cargo([subcommand, "--version"]))?.trim().ends_with(version);
    if is_there {
        return Ok(());
    }
    println!("{name} {version} is not installed; building it once");
    let mut install =
        checkout.cargo(["install", "--locked", "--force", "--version", version, name]);
    run(install.env_remove("CARGO_TARGET_DIR"))
        .with_context(|| format!("install it by hand: cargo install --locked {name}@{version}"))
}

/// Where this project keeps what outlives a checkout and can be made again.
pub(crate) fn cache_folder() -> Result<PathBuf> {
    let from = |name: &str| env::var_os(name).filter(|value: &OsString| !value.is_empty());
    if let Some(folder) = from("AURA_CACHE_DIR") {
        return Ok(folder.into());
    }
    if let Some(folder) = from("XDG_CACHE_HOME") {
        return Ok(Path::new(&folder).join("aura"));
    }
    let home = from("HOME").context("neither AURA_CACHE_DIR nor HOME is set")?;
    Ok(Path::new(&home).join(".cache").join("aura"))
}

fn cargo_program() -> String {
    env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned())
}

fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let mut line = program.file_name().unwrap_or_default().to_string_lossy().into_owned();
    for arg in command.get_args() {
        line.push(' ');
        line.push_str(&arg.to_string_lossy());
    }
    line
}
