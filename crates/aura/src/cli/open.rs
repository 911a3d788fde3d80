// SPDX-License-Identifier: MIT OR Apache-2.0
//! The vault in a browser: finds the process that serves its page or starts it, and lets one browser in.
//!
//! The browser is given a file, and the file posts a token: nothing that lets anybody in stands in an address or among the
//! arguments of a program.

use std::env;
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use clap::Args;
use serde_json::json;

use super::context::Context;
use crate::daemon::{Readiness, Start};
use crate::exit::{Exit, Failure};
use crate::moment::now_ms;
use crate::page::{self, launch};
use crate::secret;

/// Another command may be starting or ending the page's process: for so long it is tried again.
const PATIENCE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(50);

#[derive(Debug, Args)]
#[command(
    after_help = "The page is served to your own programs on this machine, by a process that holds no key and \
                        ends by itself. While the vault is locked it shows nothing: aura unlock"
)]
pub(crate) struct Open {
    /// Open no browser: print the file to open in one, within a minute
    #[arg(long)]
    no_browser: bool,
}

impl Open {
    pub(crate) fn run(self, context: &Context) -> Result<Exit, Failure> {
        // Where nobody can be asked, the page says that the vault is locked.
        if context.password_file.is_some() || secret::can_ask() {
            context.open()?;
        } else {
            context.reach()?;
        }
        let failed = |error| Failure::file("The page could not be opened", &error);
        let folder = launch::prepare(&context.home).map_err(failed)?;
        launch::sweep(&folder, now_ms());
        let address = serving(context, &folder)?;
        let file = launch::make(&folder, address, now_ms()).map_err(failed)?;
        let is_opened = !self.no_browser && show(&file);
        let screen = &context.screen;
        if screen.json {
            let file = file.display().to_string();
            screen.value(&json!({ "file": file, "address": address, "opened": is_opened }))?;
        } else if self.no_browser {
            screen.line(&file.display().to_string())?;
        } else if is_opened {
            screen.line("The page opens in your browser. It ends by itself, or with Close.")?;
        } else {
            return Err(Failure::new(Exit::Failed, "No browser could be started.")
                .safe("The page is served, to nobody but you.")
                .next(format!("Open this file in one, within a minute: {}", file.display())));
        }
        Ok(Exit::Done)
    }
}

/// The address of the process that serves the page; it is started if there is none.
fn serving(context: &Context, folder: &Path) -> Result<SocketAddr, Failure> {
    let failed = |error| Failure::file("The page could not be opened", &error);
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        // Whoever holds the lock serves: what the file says is true only then.
        let is_served = launch::hold(folder).map_err(failed)?.is_none();
        if is_served && let Some(serving) = launch::find(folder) {
            return Ok(serving.address);
        }
        if is_served {
            thread::sleep(PAUSE);
            continue;
        }
        if let Readiness::Failed(failure) = start(&context.home)? {
            return Err(failure);
        }
    }
    Err(Failure::new(Exit::Unreachable, "The page does not begin.")
        .safe("Nothing was changed.")
        .next("Run `aura page` in another terminal to see why."))
}

fn start(home: &Path) -> Result<Readiness, Failure> {
    let failed = |error: io::Error| Failure::file("The page could not be started", &error);
    let mut child = Command::new(env::current_exe().map_err(failed)?)
        .arg("--home")
        .arg(home)
        .args(["page", "--detached"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .env_remove("AURA_PASSWORD_FILE")
        .env_remove("AURA_SECOND_PASSWORD_FILE")
        .spawn()
        .map_err(failed)?;
    let mut line = String::new();
    if let Some(out) = child.stdout.take() {
        drop(BufReader::new(out.take(64 << 10)).read_line(&mut line));
    }
    serde_json::from_str(&line).map_err(|_| {
        Failure::new(Exit::Unreachable, "The page's process ended before it was ready.")
            .safe("Nothing that was stored is lost.")
            .next("Run `aura page` in another terminal to see why.")
    })
}

/// Has the system's browser open a file. Says whether there was something to start.
fn show(file: &Path) -> bool {
    let opener = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
    let started = Command::new(opener)
        .arg(file)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .env_remove("AURA_PASSWORD_FILE")
        .env_remove("AURA_SECOND_PASSWORD_FILE")
        .status();
    started.is_ok_and(|status| status.success())
}

/// Serves the page until it is time to end.
pub(crate) fn serve(context: &Context, detached: bool) -> Result<Exit, Failure> {
    let start = if detached { Start::Detached } else { Start::Foreground };
    page::run(&context.home, start)?;
    Ok(Exit::Done)
}
