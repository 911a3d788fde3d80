// SPDX-License-Identifier: MIT OR Apache-2.0
//! The vault's devices: which there are, confirming one that has joined, and revoking one that was lost.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::context::Context;
use crate::client::parse;
use crate::exit::{Exit, Failure};
use crate::kit::{Page, Revoked};
use crate::moment::{day, now_ms};
use crate::screen::{Screen, counted, wrap};
use crate::view;
use crate::wire::{Cost, Request};

const INDENT: &str = "            ";

#[derive(Debug, Subcommand)]
pub(crate) enum Device {
    /// List the vault's devices
    Ls,
    /// Let what a device writes count: one that has joined with the password and the secret key
    Confirm(Confirm),
    /// A device was not seen for long: what was deleted goes for good without its word
    Retire(Confirm),
    /// A device is lost: let nothing that it writes count any more, and make new keys and a new kit
    Revoke(Revoke),
}

#[derive(Debug, Args)]
pub(crate) struct Confirm {
    /// The device's id, or as much of its beginning as no other one has
    id: String,
}

impl Device {
    pub(crate) fn run(self, context: &Context) -> Result<Exit, Failure> {
        match self {
            Self::Ls => list(context),
            Self::Confirm(args) => args.run(context),
            Self::Retire(args) => args.retire(context),
            Self::Revoke(args) => args.run(context),
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct Revoke {
    /// The device's id, or as much of its beginning as no other one has
    id: String,
    /// Where to write the new emergency kit: .html to print, or .txt
    #[arg(long, value_name = "FILE", default_value = "aura-emergency-kit.html")]
    kit: PathBuf,
    /// Ask for the recovery code, too: then no device, however old, can undo it
    #[arg(long)]
    with_recovery_code: bool,
    /// Read the recovery code from the first line of a file
    #[arg(long, value_name = "FILE", requires = "with_recovery_code")]
    recovery_code_file: Option<PathBuf>,
    #[arg(long, hide = true, env = "AURA_COST", value_enum, default_value = "usual")]
    cost: Cost,
}

impl Revoke {
    fn run(self, context: &Context) -> Result<Exit, Failure> {
        let mut client = context.open_first()?;
        let password = context.password("Password")?;
        let asking = Context { password_file: self.recovery_code_file.clone(), ..context.clone() };
        let code = self.with_recovery_code.then(|| asking.password("Recovery code")).transpose()?;
        // Before anything is changed: a kit that cannot be written is a recovery code that nobody has.
        let page = Page::create(&self.kit)?;
        let request =
            Request::RevokeDevice { id: self.id, password, recovery_code: code, cost: self.cost };
        let Revoked { device, is_final, let_in, kit } = client.ask(&request)?;
        let path = kit.map(|kit| page.write(&kit, &day(now_ms()))).transpose()?;
        let screen = &context.screen;
        if screen.json {
            let path = path.map(|path| path.display().to_string());
            screen.value(&json!({
                "device": device, "final": is_final, "let_in": let_in, "kit": path,
            }))?;
            return Ok(Exit::Done);
        }
        screen.line(&format!("Revoked: {}", device.id))?;
        screen.line(
            "Nothing that it writes from now on counts, here and on every device that syncs.",
        )?;
        if let Some(path) = &path {
            screen.line(
                "The vault has new keys: what is written from now on, that device cannot read.",
            )?;
            screen.line(&format!("The new kit is in {}", path.display()))?;
            screen.line(
                "Print it, delete its file, and destroy the old one: its secret key and its recovery \
                 code open nothing new.",
            )?;
            screen.line(
                "Your other devices learn of it when they sync; the password stays the same.",
            )?;
        }
        if !is_final {
            screen.line(&screen.bad(&wrap(
                "That device was there before this one, so whoever has it could revoke this one in turn, \
                 and be heard. To make it final, get the kit and run this again with \
                 --with-recovery-code.",
                screen.width(),
                "",
            )))?;
        }
        for other in &let_in {
            let id = other.id.get(..8).unwrap_or(&other.id);
            screen.line(&screen.bad(&format!(
                "It had let in {id}. If you do not know that one: aura device revoke {id}"
            )))?;
        }
        Ok(Exit::Done)
    }
}

fn list(context: &Context) -> Result<Exit, Failure> {
    let value: Value = context.reach()?.ask(&Request::Devices)?;
    let devices: Vec<view::Device> = parse(value)?;
    for device in &devices {
        if context.screen.json {
            context.screen.value(device)?;
        } else {
            context.screen.line(&format!("{}  {}", device.id, standing(device)))?;
            for line in told(device) {
                context.screen.line(&format!("  {line}"))?;
            }
        }
    }
    Ok(Exit::Done)
}

/// What has been heard of another device that counts or may come to.
fn told(device: &view::Device) -> Vec<String> {
    let mut lines = Vec::new();
    if device.this || device.revoked {
        return lines;
    }
    lines.push(match &device.heard {
        Some(heard) => format!("heard     {heard}"),
        None => "heard     not yet".to_owned(),
    });
    if device.awaited {
        lines.push("awaited   what was deleted goes for good once it has synced".to_owned());
    }
    lines
}

fn standing(device: &view::Device) -> String {
    let standing = match (device.revoked, device.confirmed) {
        (true, _) => "revoked",
        (false, true) => "confirmed",
        (false, false) => "waits to be confirmed",
    };
    let standing = match &device.revoked_by {
        Some(by) => format!("{standing} by {}", by.get(..8).unwrap_or(by)),
        None => standing.to_owned(),
    };
    if device.this { format!("{standing}, this device") } else { standing }
}

impl Confirm {
    fn run(self, context: &Context) -> Result<Exit, Failure> {
        let mut client = context.open_first()?;
        let device: view::Device = client.ask(&Request::ConfirmDevice { id: self.id })?;
        if context.screen.json {
            context.screen.value(&device)?;
        } else {
            context.screen.line(&format!("Confirmed: {}", device.id))?;
            context.screen.line("What it writes counts from now on, here and on every device.")?;
        }
        Ok(Exit::Done)
    }
}

impl Confirm {
    fn retire(self, context: &Context) -> Result<Exit, Failure> {
        let mut client = context.open_first()?;
        let device: view::Device = client.ask(&Request::RetireDevice { id: self.id })?;
        if context.screen.json {
            context.screen.value(&device)?;
        } else {
            context.screen.line(&format!("Retired: {}", device.id))?;
            context.screen.line(
                "Nobody waits for it any more. What it writes counts as before: if it is lost, revoke it.",
            )?;
        }
        Ok(Exit::Done)
    }
}

/// What `aura status` says of them.
pub(super) fn summary(screen: &Screen, devices: &[view::Device]) -> Result<(), Failure> {
    screen.line(&format!("Devices     {}", counted(devices.len() as u64, "device")))?;
    for device in devices.iter().filter(|device| !device.confirmed && !device.revoked) {
        let text = if device.this {
            "what this device writes does not count yet. On another one:"
        } else {
            "what it writes does not count yet. If it is yours:"
        };
        let id = device.id.get(..8).unwrap_or(&device.id);
        let text = wrap(&format!("  waits     {text}"), screen.width(), INDENT);
        screen.line(&screen.bad(&text))?;
        screen.line(&format!("{INDENT}aura device confirm {id}"))?;
    }
    Ok(())
}
