// SPDX-License-Identifier: MIT OR Apache-2.0
//! A copy of the checkout in which a package is built with its mutants.

use std::collections::BTreeSet;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::run::{Checkout, output};

/// The copy.
pub(super) struct Copy {
    checkout: Checkout,
    target: PathBuf,
    package: String,
}

/// What came of a build.
pub(super) enum Built {
    /// The programs that have the package's tests.
    Tests(Vec<PathBuf>),
    /// What the compiler has against it.
    Refused(Vec<Complaint>),
}

/// One error, and all the places that it names.
#[derive(Debug)]
pub(super) struct Complaint {
    /// What is wrong.
    pub(super) message: String,
    /// Files from the root, and bytes in them.
    pub(super) places: Vec<(String, Range<usize>)>,
}

impl Copy {
    /// Brings the copy in this folder up to date. What did not change keeps its time, so that it is not built again.
    pub(super) fn of(checkout: &Checkout, folder: &Path, package: &str) -> Result<Self> {
        let root = folder.join("copy");
        let listed = output(checkout.program("git").args([
            "ls-files",
            "--cached",
            "--others",
            "--exclude-standard",
        ]))?;
        let is_there = |path: &&str| checkout.root.join(path).is_file();
        let wanted: BTreeSet<&str> = listed.lines().filter(is_there).collect();
        for path in &wanted {
            let (from, to) = (checkout.root.join(path), root.join(path));
            if fs::read(&to).ok() != Some(fs::read(&from)?) {
                fs::create_dir_all(to.parent().context("a file is in a folder")?)?;
                fs::copy(&from, &to)?;
            }
        }
        remove_others(&root, &root, &wanted)?;
        let target = folder.join("target");
        Ok(Self { checkout: Checkout { root }, target, package: package.to_owned() })
    }

    /// Writes a file, if it says something else.
    pub(super) fn put(&self, path: &str, text: &str) -> Result<()> {
        let path = self.checkout.root.join(path);
        if fs::read_to_string(&path).ok().as_deref() != Some(text) {
            fs::write(&path, text)?;
        }
        Ok(())
    }

    /// The folder in which the package's tests are run.
    pub(super) fn folder(&self) -> PathBuf {
        self.checkout.root.join("crates").join(&self.package)
    }

    /// Whether the library compiles, and if not, why.
    pub(super) fn check(&self) -> Result<Vec<Complaint>> {
        let mut check = self.checkout.cargo(["check", "--lib"]);
        match self.build(&mut check)? {
            Built::Tests(_) => Ok(Vec::new()),
            Built::Refused(complaints) => Ok(complaints),
        }
    }

    /// Builds the tests.
    pub(super) fn tests(&self) -> Result<Built> {
        let mut test = self.checkout.cargo(["test", "--no-run", "--lib", "--tests"]);
        self.build(&mut test)
    }

    fn build(&self, command: &mut Command) -> Result<Built> {
        command.args(["--quiet", "--all-features", "--message-format=json", "--package"]);
        command.arg(&self.package).env("CARGO_TARGET_DIR", &self.target);
        // No debugger looks at it.
        command.env("CARGO_PROFILE_DEV_DEBUG", "none");
        let done = command.output().context("cannot start Cargo")?;
        let told = String::from_utf8_lossy(&done.stdout);
        let told: Vec<Value> =
            told.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        if done.status.success() {
            return Ok(Built::Tests(told.iter().filter_map(test_program).collect()));
        }
        let complaints: Vec<Complaint> = told.iter().filter_map(complaint).collect();
        if complaints.is_empty() {
            bail!("Cargo failed: {}", String::from_utf8_lossy(&done.stderr));
        }
        Ok(Built::Refused(complaints))
    }
}

fn remove_others(root: &Path, folder: &Path, wanted: &BTreeSet<&str>) -> Result<()> {
    for found in fs::read_dir(folder)? {
        let path = found?.path();
        if path.is_dir() && !path.is_symlink() {
            remove_others(root, &path, wanted)?;
        } else if !path.strip_prefix(root)?.to_str().is_some_and(|path| wanted.contains(path)) {
            fs::remove_file(&path)?;
        }
    }
    Ok(())
}

fn test_program(told: &Value) -> Option<PathBuf> {
    let is_test = told["reason"] == "compiler-artifact" && told["profile"]["test"] == true;
    is_test.then(|| told["executable"].as_str().map(PathBuf::from)).flatten()
}

fn complaint(told: &Value) -> Option<Complaint> {
    let message = &told["message"];
    if told["reason"] != "compiler-message" || message["level"] != "error" {
        return None;
    }
    let places = message["spans"].as_array()?.iter().filter_map(|span| {
        let byte = |end: &str| usize::try_from(span[end].as_u64()?).ok();
        Some((span["file_name"].as_str()?.to_owned(), byte("byte_start")?..byte("byte_end")?))
    });
    let places: Vec<_> = places.collect();
    // "Aborting due to 3 previous errors" has none.
    let message = message["message"].as_str()?.to_owned();
    (!places.is_empty()).then_some(Complaint { message, places })
}
