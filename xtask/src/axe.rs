// SPDX-License-Identifier: MIT OR Apache-2.0
//! axe-core, which finds what keeps people from using a page: from the npm registry into the cache, and never into the
//! checkout. Its version and the SHA-256 of its script are fixed here.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use crate::run::{Checkout, cache_folder, is_installed, output, run};

const VERSION: &str = "4.14.1";
const SCRIPT: &str = "axe.min.js";
const SHA256: &str = "29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c";

/// The script; fetched if it is not in the cache yet.
pub(crate) fn ensure(checkout: &Checkout) -> Result<PathBuf> {
    let folder = cache_folder()?.join(format!("axe-core-{VERSION}"));
    let script = folder.join("package").join(SCRIPT);
    if !script.exists() {
        if !is_installed("npm") {
            bail!("npm is not installed");
        }
        fs::create_dir_all(&folder)?;
        let name = format!("axe-core@{VERSION}");
        let to = folder.display().to_string();
        run(checkout.program("npm").args(["pack", &name, "--silent", "--pack-destination", &to]))?;
        let archive = folder.join(format!("axe-core-{VERSION}.tgz"));
        let member = format!("package/{SCRIPT}");
        run(checkout.program("tar").arg("-xzf").arg(&archive).args(["-C", &to, &member]))?;
        fs::remove_file(archive)?;
    }
    check(checkout, &script)?;
    Ok(script)
}

/// Whether it is the one that was meant; another one is thrown away.
fn check(checkout: &Checkout, script: &Path) -> Result<()> {
    let said = output(checkout.program("sha256sum").arg(script))?;
    if !is_meant(&said) {
        fs::remove_file(script)?;
        bail!("{} is not the one that was meant", script.display());
    }
    Ok(())
}

fn is_meant(said: &str) -> bool {
    said.split_whitespace().next().is_some_and(|hash| hash.trim_start_matches('\\') == SHA256)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_script_that_was_meant_is_taken() {
        assert!(is_meant(&format!("{SHA256}  /x/axe.min.js\n")));
        assert!(!is_meant(&format!("{}  /x/axe.min.js\n", SHA256.replace('2', "3"))));
        assert!(!is_meant(""));
    }
}
