// SPDX-License-Identifier: MIT OR Apache-2.0
//! For the shell: completions and manual pages.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

use crate::cli::Cli;
use crate::exit::{Exit, Failure};

#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// Which shell
    shell: Shell,
}

impl Completions {
    pub(crate) fn run(&self) -> Result<Exit, Failure> {
        let mut text = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "aura", &mut text);
        io::stdout().lock().write_all(&text)?;
        Ok(Exit::Done)
    }
}

#[derive(Debug, Args)]
pub(crate) struct Man {
    /// Write a page for each command into this folder
    #[arg(value_name = "DIR")]
    folder: Option<PathBuf>,
}

impl Man {
    pub(crate) fn run(&self) -> Result<Exit, Failure> {
        let mut command = Cli::command();
        // Now each command knows the options that all have.
        command.build();
        let Some(folder) = &self.folder else {
            let mut text = Vec::new();
            clap_mangen::Man::new(command).render(&mut text)?;
            io::stdout().lock().write_all(&text)?;
            return Ok(Exit::Done);
        };
        let failed = |error| Failure::file("The manual pages could not be written", &error);
        fs::create_dir_all(folder).map_err(failed)?;
        write_pages(&command, "aura", folder).map_err(failed)?;
        Ok(Exit::Done)
    }
}

fn write_pages(command: &clap::Command, name: &str, folder: &Path) -> io::Result<()> {
    let titled = command.clone().display_name(name);
    let mut text = Vec::new();
    clap_mangen::Man::new(titled).render(&mut text)?;
    fs::write(folder.join(format!("{name}.1")), text)?;
    for inner in
        command.get_subcommands().filter(|inner| !inner.is_hide_set() && inner.get_name() != "help")
    {
        write_pages(inner, &format!("{name}-{}", inner.get_name()), folder)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_commands_are_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn each_page_has_the_options_that_all_commands_have() {
        let dir = tempfile::tempdir().unwrap();
        Man { folder: Some(dir.path().to_owned()) }.run().unwrap();
        for name in ["aura", "aura-add", "aura-audit-show"] {
            let page = fs::read_to_string(dir.path().join(format!("{name}.1"))).unwrap();
            assert!(page.contains("password\\-file"), "{name}");
            assert!(page.starts_with(".ie") && page.contains(&format!(".TH {name} ")), "{name}");
        }
        assert!(!dir.path().join("aura-help.1").exists());
    }
}
