// SPDX-License-Identifier: MIT OR Apache-2.0
//! What every command knows: which vault, how to open it, and where to write.

use std::path::{Path, PathBuf};

use aura_vault::vault::{Locked, Vault, VaultError};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::Value;

use crate::client::{Client, Idle, Listen};
use crate::exit::{Exit, Failure};
use crate::screen::{Screen, is_watched, tell};
use crate::secret::{self, Secret};
use crate::view::Opened;
use crate::wire::{Progress, Request, Second, Way};

/// What every command knows.
#[derive(Debug, Clone)]
pub(crate) struct Context {
    pub(crate) home: PathBuf,
    pub(crate) screen: Screen,
    pub(crate) password_file: Option<PathBuf>,
    pub(crate) second_password_file: Option<PathBuf>,
    pub(crate) idle: Idle,
}

impl Context {
    /// The daemon, whether the vault is locked or not.
    pub(crate) fn reach(&self) -> Result<Client, Failure> {
        if let Some(client) = Client::find(&self.home)? {
            return Ok(client);
        }
        // Said by the command itself, so that no daemon is started for what is no vault.
        Vault::<Locked>::identify(&self.home)?;
        Client::reach(&self.home, self.idle)
    }

    /// The daemon with the vault open: with the password file, or by asking. The second lock is opened as
    /// well where a file with its password is named; nobody is asked for it.
    pub(crate) fn open(&self) -> Result<Client, Failure> {
        let mut client = self.open_first()?;
        self.open_second(&mut client)?;
        Ok(client)
    }

    /// Opens the second lock if there is one and a file with its password is named.
    pub(crate) fn open_second(&self, client: &mut Client) -> Result<(), Failure> {
        if self.second_password_file.is_some() && client.standing().second == Second::Shut {
            let secret = self.current_second(client, "Second password")?;
            client.ask::<Value>(&Request::UnlockSecond { secret })?;
        }
        Ok(())
    }

    /// The password of the second lock that is there, from its file or the person.
    pub(crate) fn current_second(
        &self,
        client: &Client,
        question: &str,
    ) -> Result<Secret, Failure> {
        let standing = client.standing();
        if standing.second == Second::Absent {
            return Err(VaultError::NoSecond.into());
        }
        if standing.second_wait_ms > 0 {
            return Err(VaultError::TooSoon(standing.second_wait_ms).into());
        }
        match &self.second_password_file {
            Some(path) => secret::from_file(path),
            None if secret::can_ask() => secret::ask(question),
            None => Err(Failure::new(
                Exit::Locked,
                "The second lock is shut, and there is nobody to ask.",
            )
            .safe("Nothing was read or changed.")
            .next("Name a file with its password: --second-password-file FILE.")),
        }
    }

    /// The daemon with the vault open, the second lock left as it is.
    pub(crate) fn open_first(&self) -> Result<Client, Failure> {
        let mut client = self.reach()?;
        if client.standing().locked {
            refuse_early(&client)?;
            let secret = self.password("Password")?;
            let request = Request::Unlock { way: Way::Password, secret };
            warn(&client.ask(&request)?);
        }
        Ok(client)
    }

    /// The password, from its file or the person.
    pub(crate) fn password(&self, question: &str) -> Result<Secret, Failure> {
        match &self.password_file {
            Some(path) => secret::from_file(path),
            None if secret::can_ask() => secret::ask(question),
            None => Err(Failure::new(
                Exit::Locked,
                "The vault is locked, and there is nobody to ask.",
            )
            .safe("Nothing was read or changed.")
            .next("Run `aura unlock`, or name a file with the password: --password-file FILE.")),
        }
    }

    /// A path as the daemon must be told it: it works elsewhere.
    pub(crate) fn absolute(path: &Path) -> Result<PathBuf, Failure> {
        let absolute = std::path::absolute(path)
            .map_err(|error| Failure::file("A path could not be resolved", &error))?;
        if absolute.to_str().is_none() {
            return Err(Failure::usage(
                "A path is not UTF-8.",
                "Rename it, or name the folder above.",
            ));
        }
        Ok(absolute)
    }
}

/// Tells what opening found, on standard error.
pub(crate) fn warn(opened: &Opened) {
    opened.warnings.iter().for_each(|warning| tell(warning));
}

/// Says before asking that no answer would be looked at.
pub(crate) fn refuse_early(client: &Client) -> Result<(), Failure> {
    match client.standing().wait_ms {
        0 => Ok(()),
        wait => Err(VaultError::TooSoon(wait).into()),
    }
}

/// A bar on a terminal for a long task; items go to `each`.
pub(crate) struct Watch<F> {
    bar: Option<ProgressBar>,
    is_bar: bool,
    each: F,
}

impl<F: FnMut(Value) -> Result<(), Failure>> Watch<F> {
    pub(crate) fn new(screen: &Screen, each: F) -> Self {
        Self { bar: None, is_bar: is_watched() && !screen.json, each }
    }
}

impl<F: FnMut(Value) -> Result<(), Failure>> Listen for Watch<F> {
    fn item(&mut self, item: Value) -> Result<(), Failure> {
        match &self.bar {
            Some(bar) => bar.suspend(|| (self.each)(item)),
            None => (self.each)(item),
        }
    }

    fn progress(&mut self, progress: Progress) {
        if !self.is_bar {
            return;
        }
        let bar = self.bar.get_or_insert_with(|| {
            let bar = ProgressBar::new(progress.total.max(1));
            let form = "{msg:<24} [{bar:30}] {percent:>3}% {elapsed}";
            bar.set_style(
                ProgressStyle::with_template(form)
                    .unwrap_or_else(|_| ProgressStyle::default_bar())
                    .progress_chars("=> "),
            );
            bar
        });
        bar.set_length(progress.total.max(1));
        bar.set_position(progress.done);
        let records = crate::screen::count(progress.records);
        bar.set_message(format!("{} {records}", progress.task));
    }
}

impl<F> Drop for Watch<F> {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
