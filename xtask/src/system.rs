// SPDX-License-Identifier: MIT OR Apache-2.0
//! The system packages that building and testing need (Debian's names).
//!
//! SQLCipher brings OpenSSL as source, which is built by perl and make. Root installs what is missing;
//! anybody else is told what to install, and the build is tried all the same.

use std::path::Path;

use anyhow::Result;

use crate::run::{Checkout, is_installed, output, run, succeeds};

/// A program that is needed, and the package that has it.
const NEEDED: [(&str, &str); 6] = [
    ("cc", "build-essential"),
    ("c++", "build-essential"),
    ("perl", "perl"),
    ("make", "make"),
    ("pkg-config", "pkg-config"),
    ("python3", "python3"),
];

/// Servers that tests start on free ports of their own, and what shows them another time, with the package that has
/// each; what is not there is not tested.
const SERVERS: [(&str, &str); 5] = [
    ("/usr/sbin/apache2", "apache2-bin"),
    ("/usr/sbin/sshd", "openssh-server"),
    ("/usr/bin/ssh-keygen", "openssh-client"),
    // Its programs are elsewhere, by version; this one finds them.
    ("/usr/bin/pg_ctlcluster", "postgresql"),
    // Its library is elsewhere, by processor; the program comes with it.
    ("/usr/bin/faketime", "faketime"),
];

/// A browser without a screen, and what drives it, for the tests of the page.
const BROWSER: [(&str, &str); 2] =
    [("/usr/bin/chromium", "chromium"), ("/usr/bin/chromedriver", "chromium-driver")];

/// Installs what is missing, or says what that is.
pub(crate) fn ensure(checkout: &Checkout) -> Result<()> {
    let has_venv = succeeds(checkout.program("python3").args(["-c", "import venv, ensurepip"]));
    install(checkout, &missing(is_installed, has_venv))
}

/// The same for the servers of tests. Says whether all are there.
pub(crate) fn ensure_servers(checkout: &Checkout) -> Result<bool> {
    ensure_all(checkout, &SERVERS)
}

/// The same for the browser of tests.
pub(crate) fn ensure_browser(checkout: &Checkout) -> Result<bool> {
    ensure_all(checkout, &BROWSER)
}

fn ensure_all(checkout: &Checkout, programs: &[(&str, &str)]) -> Result<bool> {
    let absent = || programs.iter().filter(|(program, _)| !Path::new(program).exists());
    let missing: Vec<_> = absent().map(|(_, package)| *package).collect();
    install(checkout, &missing)?;
    Ok(absent().next().is_none())
}

fn install(checkout: &Checkout, missing: &[&str]) -> Result<()> {
    if missing.is_empty() {
        return Ok(());
    }
    let list = missing.join(" ");
    if !is_installed("apt-get") || !is_root(checkout) {
        println!("note: missing here: {list}. If a step fails, install them and run it again.");
        return Ok(());
    }
    println!("installing {list}");
    run(checkout.program("apt-get").args(["update", "-qq"]))?;
    let mut install = checkout.program("apt-get");
    install.env("DEBIAN_FRONTEND", "noninteractive");
    install.args(["install", "-y", "-qq", "--no-install-recommends"]);
    run(install.args(missing))
}

fn missing(is_there: impl Fn(&str) -> bool, has_venv: bool) -> Vec<&'static str> {
    let absent = NEEDED.iter().filter(|(program, _)| !is_there(program));
    let mut packages: Vec<_> = absent.map(|(_, package)| *package).collect();
    if !has_venv {
        packages.push("python3-venv");
    }
    packages.dedup();
    packages
}

fn is_root(checkout: &Checkout) -> bool {
    output(checkout.program("id").arg("-u")).is_ok_and(|id| id.trim() == "0")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_missing_package_is_asked_for_once() {
        assert!(missing(|_| true, true).is_empty());
        assert_eq!(missing(|name| !name.starts_with('c'), true), ["build-essential"]);
        assert_eq!(missing(|name| name != "perl", false), ["perl", "python3-venv"]);
    }
}
