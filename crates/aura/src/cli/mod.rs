// SPDX-License-Identifier: MIT OR Apache-2.0
//! The commands: what may be typed, and which file sees to it.

mod context;
mod ask;
mod second;
mod compact;
mod device;
mod server;
mod far;
mod lan;
mod store;
mod grant;
mod vault;
mod import;
mod search;
mod record;
mod export;
mod audit;
mod proof;
mod slot;
mod pair;
mod connect;
mod mcp;
mod open;

mod join;
mod shell;
mod demo;

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, Subcommand};

use self::context::Context;
use crate::client::Idle;
use crate::daemon::{self, Start};
use crate::exit::{Exit, Failure};
use crate::place;
use crate::screen::{Screen, tell};

/// Your life in a vault that only you can open.
#[derive(Debug, Parser)]
#[command(
    name = "aura",
    version,
    max_term_width = 80,
    after_help = "First steps: `aura demo` shows everything in a throw-away folder, `aura init` makes \
                  your vault.\nExit codes: 0 done, 1 failed, 2 wrong use, 3 locked or wrong password,\n4 \
                  refused, 5 damage found, 6 store unreachable, 7 partly done."
)]
pub(crate) struct Cli {
    /// The vault's folder [default: the platform's data folder]
    #[arg(long, global = true, env = "AURA_HOME", value_name = "DIR", hide_env_values = true)]
    home: Option<PathBuf>,
    /// Print JSON, one object or one a line, and nothing else on standard output
    #[arg(long, global = true)]
    json: bool,
    /// Read the password from the first line of a file
    #[arg(
        long,
        global = true,
        env = "AURA_PASSWORD_FILE",
        value_name = "FILE",
        hide_env_values = true
    )]
    password_file: Option<PathBuf>,
    /// Read the second password from the first line of a file, and open health and credentials with it
    #[arg(
        long,
        global = true,
        env = "AURA_SECOND_PASSWORD_FILE",
        value_name = "FILE",
        hide_env_values = true
    )]
    second_password_file: Option<PathBuf>,
    /// Lock the vault after so long without use; counts when the daemon starts
    #[arg(
        long,
        global = true,
        env = "AURA_IDLE",
        value_name = "TIME",
        default_value = "15m",
        value_parser = parse_idle,
        hide_env_values = true
    )]
    idle: u64,
    /// Shut the second lock after so long without use of what is behind it
    #[arg(
        long,
        global = true,
        env = "AURA_SECOND_IDLE",
        value_name = "TIME",
        default_value = "5m",
        value_parser = parse_idle,
        hide_env_values = true
    )]
    second_idle: u64,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a vault
    Init(vault::Init),
    /// Open the vault
    Unlock(vault::Unlock),
    /// Lock the vault: wipe its keys from memory
    Lock(vault::Lock),
    /// Make this a new device of a vault that a folder or a server has
    Join(join::Join),
    /// Show a code that lets a new device in
    Pair(pair::Pair),
    /// Is it safe, is it synced, who looked?
    Status,
    /// Show what Aura does, with a sample life in a throw-away folder
    Demo(demo::Demo),
    /// Bring in mail, calendars, contacts, notes, chats, or an archive
    Import(import::Import),
    /// Write everything out: in standard formats, or as one archive
    Export(export::Export),
    /// Find anything
    Search(search::Search),
    /// Show a record
    Get(record::Get),
    /// Add a record
    Add(record::Add),
    /// Change fields of a record
    Edit(record::Edit),
    /// Delete a record: it goes to the trash
    Rm(record::Remove),
    /// Show what was done to a record
    History(record::One),
    /// Take back the last change of a record, or its deletion
    Undo(record::One),
    /// List what was deleted
    Trash(record::Trash),
    /// Let go for good of what was deleted long ago, here and everywhere
    Compact(compact::Compact),
    /// Bring what is new to every store and from it
    Sync,
    /// Where this device syncs
    #[command(subcommand)]
    Store(store::Store),
    /// The vault's devices
    #[command(subcommand)]
    Device(device::Device),
    /// Connect an assistant on this device, or list those that are
    Connect(connect::Connect),
    /// What assistants may do
    #[command(subcommand)]
    Grant(grant::Grant),
    /// Serve an assistant on standard input and output: its client starts this
    Mcp(mcp::Mcp),
    /// Show the vault in a browser
    Open(open::Open),
    /// Who did what
    #[command(subcommand)]
    Audit(audit::Audit),
    /// Check that everything is there and genuine
    Verify(proof::Verify),
    /// Ways to open the vault
    #[command(subcommand)]
    Slot(slot::Slot),
    /// Change the password
    Passwd(slot::Passwd),
    /// A lock of their own for health and credentials
    #[command(subcommand)]
    Second(second::SecondLock),
    /// Write a new emergency kit, whose recovery code takes the place of the old one
    Kit(slot::NewKit),
    /// Print completions for a shell
    Completions(shell::Completions),
    /// Print the manual page, or write one for each command
    Man(shell::Man),
    /// Serve the page that `aura open` shows
    #[command(hide = true)]
    Page {
        /// Leave the terminal and say one line when ready.
        #[arg(long)]
        detached: bool,
    },
    /// Hold the vault for other commands
    #[command(hide = true)]
    Daemon {
        /// Leave the terminal and say one line when ready.
        #[arg(long)]
        detached: bool,
    },
}

/// `90s`, `15m`, `8h`; at most a week.
fn parse_idle(text: &str) -> Result<u64, String> {
    let units = [('s', 1), ('m', 60), ('h', 3600)];
    let seconds = units.iter().find_map(|(unit, size)| {
        let count: u64 = text.strip_suffix(*unit)?.parse().ok()?;
        count.checked_mul(*size)
    });
    let is_right = |seconds: &u64| (1..=7 * 24 * 3600).contains(seconds);
    seconds.filter(is_right).ok_or_else(|| "write it as 90s, 15m or 8h, at most a week".to_owned())
}

/// Runs what was typed. Returns the exit code.
pub(crate) fn run(args: impl IntoIterator<Item = OsString>) -> Exit {
    let cli = match Cli::try_parse_from(search::with_left_out_words(args)) {
        Ok(cli) => cli,
        Err(error) => {
            drop(error.print());
            return if error.use_stderr() { Exit::Usage } else { Exit::Done };
        }
    };
    match cli.run() {
        Ok(exit) => exit,
        Err(failure) => {
            if failure.exit != Exit::Done {
                tell(&format!("aura: {failure}"));
            }
            failure.exit
        }
    }
}

impl Cli {
    fn run(self) -> Result<Exit, Failure> {
        match &self.command {
            Command::Completions(args) => return args.run(),
            Command::Man(args) => return args.run(),
            Command::Demo(args) => return args.run(Screen::new(self.json)),
            _ => {}
        }
        let context = self.context()?;
        match self.command {
            Command::Init(args) => args.run(&context),
            Command::Unlock(args) => args.run(&context),
            Command::Lock(args) => args.run(&context),
            Command::Join(args) => args.run(&context),
            Command::Pair(args) => args.run(&context),
            Command::Sync => store::sync(&context),
            Command::Store(args) => args.run(&context),
            Command::Device(args) => args.run(&context),
            Command::Status => vault::status(&context),
            Command::Import(args) => args.run(&context),
            Command::Export(args) => args.run(&context),
            Command::Search(args) => args.run(&context),
            Command::Get(args) => args.run(&context),
            Command::Add(args) => args.run(&context),
            Command::Edit(args) => args.run(&context),
            Command::Rm(args) => args.run(&context),
            Command::History(args) => record::history(&context, &args),
            Command::Undo(args) => record::undo(&context, &args),
            Command::Trash(args) => args.run(&context),
            Command::Compact(args) => args.run(&context),
            Command::Connect(args) => args.run(&context),
            Command::Grant(args) => args.run(&context),
            Command::Mcp(args) => args.run(&context),
            Command::Open(args) => args.run(&context),
            Command::Page { detached } => open::serve(&context, detached),
            Command::Audit(args) => args.run(&context),
            Command::Verify(args) => args.run(&context),
            Command::Slot(args) => args.run(&context),
            Command::Passwd(args) => args.run(&context),
            Command::Second(args) => args.run(&context),
            Command::Kit(args) => args.run(&context),
            Command::Daemon { detached } => hold(&context, detached),
            Command::Completions(_) | Command::Man(_) | Command::Demo(_) => Ok(Exit::Done),
        }
    }

    fn context(&self) -> Result<Context, Failure> {
        let home = self.home.clone().or_else(place::default_home).ok_or_else(|| {
            Failure::usage(
                "There is no home folder to keep a vault in.",
                "Name one with --home DIR.",
            )
        })?;
        let home = place::settle(&home)
            .map_err(|error| Failure::file("The vault's folder could not be found", &error))?;
        Ok(Context {
            home,
            screen: Screen::new(self.json),
            password_file: self.password_file.clone(),
            second_password_file: self.second_password_file.clone(),
            idle: Idle { vault: self.idle, second: self.second_idle },
        })
    }
}

fn hold(context: &Context, detached: bool) -> Result<Exit, Failure> {
    let start = if detached { Start::Detached } else { Start::Foreground };
    let idle = Duration::from_secs(context.idle.vault);
    let second_idle = Duration::from_secs(context.idle.second);
    daemon::run(&daemon::Options { home: context.home.clone(), idle, second_idle, start })?;
    Ok(Exit::Done)
}
