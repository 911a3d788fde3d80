// SPDX-License-Identifier: MIT OR Apache-2.0
//! Ways to open the vault.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::ask::{new_password, way};
use super::context::{Context, refuse_early};
use crate::client::parse;
use crate::exit::{Exit, Failure};
use crate::kit::{Kit, Page};
use crate::moment::{day, now_ms};
use crate::screen::tell;
use crate::secret;
use crate::view;
use crate::wire::{Cost, Request};

#[derive(Debug, Subcommand)]
pub(crate) enum Slot {
    /// List the ways to open the vault
    Ls,
}

impl Slot {
    pub(crate) fn run(self, context: &Context) -> Result<Exit, Failure> {
        let Self::Ls = self;
        let screen = &context.screen;
        let value: Value = context.reach()?.ask(&Request::Slots)?;
        let slots: Vec<view::Slot> = parse(value)?;
        for slot in slots {
            if screen.json {
                screen.value(&slot)?;
            } else {
                screen.line(&format!("{}  {}", slot.id, slot.kind))?;
            }
        }
        Ok(Exit::Done)
    }
}

#[derive(Debug, Args)]
pub(crate) struct Passwd {
    /// Prove yourself with the recovery code instead of the old password
    #[arg(long)]
    recovery: bool,
    /// Read the new password from the first line of a file
    #[arg(long, value_name = "FILE")]
    new_password_file: Option<PathBuf>,
    #[arg(long, hide = true, env = "AURA_COST", value_enum, default_value = "usual")]
    cost: Cost,
}

impl Passwd {
    pub(crate) fn run(self, context: &Context) -> Result<Exit, Failure> {
        let mut client = context.reach()?;
        refuse_early(&client)?;
        let (way, question) = way(self.recovery);
        let question = if self.recovery { question } else { "Old password" };
        let secret = context.password(question)?;
        if client.standing().locked {
            client.ask::<Value>(&Request::Unlock { way, secret: secret.again() })?;
        }
        let asking = Context { password_file: self.new_password_file, ..context.clone() };
        if asking.password_file.is_none() && !secret::can_ask() {
            return Err(Failure::usage(
                "There is nobody to ask for a new password.",
                "Name a file with it: --new-password-file FILE.",
            ));
        }
        let password = new_password(&asking, "New password")?;
        let request = Request::ChangePassword { way, secret, password, cost: self.cost };
        let done: view::PasswordChanged = client.ask(&request)?;
        let left = !done.accounts_left.is_empty();
        if context.screen.json {
            context.screen.value(&done)?;
        } else {
            context
                .screen
                .line("The password is changed; the old one does not open the vault any more.")?;
        }
        for url in &done.accounts_left {
            tell(&format!(
                "The account at {url} has the old one still: new devices log in with that. When the \
                 server can be reached: aura store password {url}"
            ));
        }
        Ok(if left { Exit::Partly } else { Exit::Done })
    }
}

#[derive(Debug, Args)]
pub(crate) struct NewKit {
    /// Where to write it: .html to print, or .txt
    #[arg(value_name = "FILE", default_value = "aura-emergency-kit.html")]
    file: PathBuf,
    /// Prove yourself with the old recovery code instead of the password
    #[arg(long)]
    recovery: bool,
}

impl NewKit {
    pub(crate) fn run(self, context: &Context) -> Result<Exit, Failure> {
        let mut client = context.reach()?;
        refuse_early(&client)?;
        let (way, question) = way(self.recovery);
        let secret = context.password(question)?;
        if client.standing().locked {
            client.ask::<Value>(&Request::Unlock { way, secret: secret.again() })?;
        }
        let page = Page::create(&self.file)?;
        let kit: Kit = client.ask(&Request::RenewRecovery { way, secret })?;
        let path = page.write(&kit, &day(now_ms()))?;
        if context.screen.json {
            let path = path.display().to_string();
            context.screen.value(&json!({ "kit": path, "vault_id": kit.vault_id }))?;
        } else {
            context.screen.line(&format!("The new kit is in {}", path.display()))?;
            context.screen.line("Print it, delete its file, and destroy the old one.")?;
        }
        Ok(Exit::Done)
    }
}
