// SPDX-License-Identifier: MIT OR Apache-2.0
//! The second lock: made with the vault or later, opened, shut, and given another password.
//!
//! Its password comes by a prompt or a file of its own. Nothing else opens the lock, and that is said
//! where it is made.

use std::path::PathBuf;

use aura_vault::vault::VaultError;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::ask::{new_password, way};
use super::context::{Context, refuse_early};
use crate::client::Client;
use crate::exit::{Exit, Failure};
use crate::screen::tell;
use crate::secret::{self, Secret};
use crate::wire::{Cost, Request, Second};

#[derive(Debug, Subcommand)]
pub(crate) enum SecondLock {
    /// Put health and credentials behind a password of their own
    Set(Set),
    /// Change the second password
    Passwd(Passwd),
}

impl SecondLock {
    pub(crate) fn run(self, context: &Context) -> Result<Exit, Failure> {
        match self {
            Self::Set(args) => args.run(context),
            Self::Passwd(args) => args.run(context),
        }
    }
}

#[derive(Debug, Args)]
#[command(
    after_help = "Best done before health and credentials are imported, or with `aura init`. What was written \
                  before\nmoves behind the lock: it is no longer in the database and index that the first \
                  password opens. The log\nkeeps its entries from before as they are, under the first \
                  password, and so do copies made before.\nA forgotten second password cannot be replaced: \
                  what is behind the lock is lost then."
)]
pub(crate) struct Set {
    /// Prove yourself with the recovery code instead of the password
    #[arg(long)]
    recovery: bool,
    #[arg(long, hide = true, env = "AURA_COST", value_enum, default_value = "usual")]
    cost: Cost,
}

impl Set {
    fn run(self, context: &Context) -> Result<Exit, Failure> {
        let mut client = context.reach()?;
        refuse_early(&client)?;
        if client.standing().second != Second::Absent {
            return Err(VaultError::SecondExists.into());
        }
        let (way, question) = way(self.recovery);
        let secret = context.password(question)?;
        if client.standing().locked {
            client.ask::<Value>(&Request::Unlock { way, secret: secret.again() })?;
        }
        let second = new_second(context)?;
        client.ask::<Value>(&Request::SetSecond { way, secret, second, cost: self.cost })?;
        if context.screen.json {
            context.screen.value(&json!({ "second_lock": true }))?;
            return Ok(Exit::Done);
        }
        let screen = &context.screen;
        screen.line("Health and credentials are behind the second lock now, and it is open.")?;
        screen.line(
            "What was written before is still in the log under the first password as well,",
        )?;
        screen
            .line("and in copies made before. Nothing but the second password opens the lock.")?;
        Ok(Exit::Done)
    }
}

#[derive(Debug, Args)]
pub(crate) struct Passwd {
    /// Read the new second password from the first line of a file
    #[arg(long, value_name = "FILE")]
    new_password_file: Option<PathBuf>,
    #[arg(long, hide = true, env = "AURA_COST", value_enum, default_value = "usual")]
    cost: Cost,
}

impl Passwd {
    fn run(self, context: &Context) -> Result<Exit, Failure> {
        let mut client = context.open_first()?;
        let current = context.current_second(&client, "Old second password")?;
        let asking = Context { second_password_file: self.new_password_file, ..context.clone() };
        let second = new_second(&asking)?;
        client.ask::<Value>(&Request::ChangeSecond { current, second, cost: self.cost })?;
        if context.screen.json {
            context.screen.value(&json!({ "changed": true }))?;
        } else {
            let screen = &context.screen;
            screen.line(
                "The second password is changed; the old one does not open the lock any more.",
            )?;
            screen
                .line("What was written before is still in the log under the old one as well,")?;
            screen.line("and in copies made before.")?;
        }
        Ok(Exit::Done)
    }
}

/// `aura unlock --second`.
pub(super) fn unlock(context: &Context) -> Result<Exit, Failure> {
    // Two passwords, with some work between them: who types ahead is not shown.
    let _quiet = secret::Quiet::begin();
    let mut client = context.open_first()?;
    if client.standing().second != Second::Open {
        let secret = context.current_second(&client, "Second password")?;
        client.ask::<Value>(&Request::UnlockSecond { secret })?;
    }
    if context.screen.json {
        context.screen.value(&json!({ "locked": false, "second_locked": false }))?;
    } else {
        context.screen.line("Health and credentials are open.")?;
    }
    Ok(Exit::Done)
}

/// `aura lock --second`.
pub(super) fn lock(context: &Context) -> Result<Exit, Failure> {
    if let Some(mut client) = Client::find(&context.home)? {
        if client.standing().second == Second::Absent {
            return Err(VaultError::NoSecond.into());
        }
        client.ask::<Value>(&Request::LockSecond)?;
    }
    if context.screen.json {
        context.screen.value(&json!({ "second_locked": true }))?;
    } else {
        context.screen.line("Health and credentials are shut.")?;
    }
    Ok(Exit::Done)
}

/// A new second password, from its file or typed twice.
fn new_second(context: &Context) -> Result<Secret, Failure> {
    if context.second_password_file.is_none() && !secret::can_ask() {
        return Err(Failure::usage(
            "There is nobody to ask for a new second password.",
            "Name a file with it: --second-password-file FILE.",
        ));
    }
    let asking = Context { password_file: context.second_password_file.clone(), ..context.clone() };
    new_password(&asking, "New second password")
}

/// What `aura init` offers: a second lock, if there is a file with its password, or somebody to ask who
/// wants one.
pub(super) fn offer(context: &Context) -> Result<Option<Secret>, Failure> {
    if context.second_password_file.is_some() {
        return new_second(context).map(Some);
    }
    if context.password_file.is_some() || !secret::can_ask() {
        return Ok(None);
    }
    tell(
        "\nHealth and credentials can have a second password of their own, so that they stay shut \
         while you use everything else. If you forget it, they are lost: nothing else opens them, \
         the recovery code neither. Without it they share the first lock.\n",
    );
    if !secret::agrees("A second password for health and credentials? [y/N]")? {
        return Ok(None);
    }
    new_second(context).map(Some)
}
