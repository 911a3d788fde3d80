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
        let command = Cli::command();
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
    for inner in command.get_subcommands().filter(|inner| !inner.is_hide_set()) {
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
}
