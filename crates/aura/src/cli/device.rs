// SPDX-License-Identifier: MIT OR Apache-2.0
//! The vault's devices: which there are, and confirming one that has joined.

use clap::{Args, Subcommand};
use serde_json::Value;

use super::context::Context;
use crate::client::parse;
use crate::exit::{Exit, Failure};
use crate::screen::{Screen, counted, wrap};
use crate::view;
use crate::wire::Request;

const INDENT: &str = "            ";

#[derive(Debug, Subcommand)]
pub(crate) enum Device {
    /// List the vault's devices
    Ls,
    /// Let what a device writes count: one that has joined with the password and the secret key
    Confirm(Confirm),
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
        }
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
        }
    }
    Ok(Exit::Done)
}

fn standing(device: &view::Device) -> String {
    let standing = match (device.revoked, device.confirmed) {
        (true, _) => "revoked",
        (false, true) => "confirmed",
        (false, false) => "waits to be confirmed",
    };
    if device.this { format!("{standing}, this device") } else { standing.to_owned() }
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
