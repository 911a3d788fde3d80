// SPDX-License-Identifier: MIT OR Apache-2.0
//! A Python with the packages that the stranger's reader (`spec/reader/`), the readers of exports
//! (`testing/aura-e2e/readers/`) and the assistant (`testing/aura-e2e/clients/`) import.
//!
//! It lives in a virtual environment in the cache folder, so that neither the system nor the checkout
//! is touched, and is made once.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::run::{Checkout, cache_folder, output, run, succeeds};

/// The packages, and an import that works when they are there.
const PACKAGES: [&str; 9] = [
    "cryptography>=50",
    "argon2-cffi>=25",
    "zstandard>=0.23",
    // What others accept must not change from one day to the next.
    "icalendar==7.3.0",
    "recurring-ical-events==3.8.2",
    "vobject==0.9.9",
    "python-frontmatter==1.3.0",
    "fhir.resources==8.3.0",
    "mcp==2.3.0",
];
const PROOF: &str = "import cryptography, argon2, zstandard; \
    from cryptography.hazmat.primitives.asymmetric import mlkem; \
    import icalendar, recurring_ical_events, vobject, frontmatter; \
    import fhir.resources.R4B.observation; \
    import mcp.client.stdio";

/// The path of that Python; makes it when it is not there yet.
pub(crate) fn ensure(checkout: &Checkout) -> Result<PathBuf> {
    ensure_for(checkout, "python", &PACKAGES, PROOF)
}

/// The path of a Python that has these packages and nothing else; makes it when it is not there yet.
pub(crate) fn ensure_for(
    checkout: &Checkout,
    name: &str,
    packages: &[&str],
    proof: &str,
) -> Result<PathBuf> {
    let system = "import sys; print('%d.%d' % sys.version_info[:2])";
    let version = output(checkout.program("python3").args(["-c", system]))?;
    let folder = cache_folder()?.join(format!("{name}-{}", version.trim()));
    let python = folder.join("bin").join("python");
    if has_packages(checkout, &python, proof) {
        return Ok(python);
    }
    let shown = folder.to_str().context("the cache folder's path is not UTF-8")?;
    run(checkout.program("python3").args(["-m", "venv", "--clear", shown]))?;
    let program = python.to_str().context("the cache folder's path is not UTF-8")?;
    let mut install = checkout.program(program);
    run(install.args(["-m", "pip", "install", "--quiet"]).args(packages))?;
    if !has_packages(checkout, &python, proof) {
        bail!("the packages were installed, but `{proof}` fails");
    }
    Ok(python)
}

fn has_packages(checkout: &Checkout, python: &Path, proof: &str) -> bool {
    let program = python.to_string_lossy();
    python.is_file() && succeeds(checkout.program(&program).args(["-c", proof]))
}
