// SPDX-License-Identifier: MIT OR Apache-2.0
//! Letting a new device in by a code that this one shows; and the code as it is typed at the new one.

use std::env;
use std::fs;
use std::io::{self, BufRead as _, Read as _};
use std::path::Path;

use aura_crypto::key::PairingCode;
use aura_protocol::limits::PAIRING_SECONDS_MAX;
use aura_protocol::pairing::DeviceName;
use clap::Args;
use serde_json::{Value, json};

use super::context::{Context, Watch};
use crate::client::{Client, parse};
use crate::exit::{Exit, Failure};
use crate::qr;
use crate::screen::{Screen, clean, counted, note, wrap};
use crate::secret::{self, Secret};
use crate::view;
use crate::wire::Request;

/// What an answer has at most, in bytes.
const ANSWER_BYTES_MAX: u64 = 64;

#[derive(Debug, Args)]
pub(crate) struct Pair {
    /// Do not draw the code's picture
    #[arg(long)]
    no_picture: bool,
    /// For how long the code counts, in seconds: ten minutes at most
    #[arg(long, value_name = "SECONDS", default_value_t = PAIRING_SECONDS_MAX, hide_default_value = true)]
    seconds: u64,
}

impl Pair {
    pub(crate) fn run(self, context: &Context) -> Result<Exit, Failure> {
        let mut client = context.open_first()?;
        let mut is_shown = false;
        let seconds = self.seconds;
        let each = |item: Value| {
            if is_shown {
                return decide(context, parse(item)?);
            }
            is_shown = true;
            self.show(&context.screen, &parse(item)?)
        };
        let mut watch = Watch::new(&context.screen, each);
        let done = client.call(&Request::Pair { seconds }, &mut watch);
        drop(watch);
        let paired: view::Paired = parse(done?)?;
        let screen = &context.screen;
        if screen.json {
            screen.value(&json!({ "paired": paired }))?;
            return Ok(Exit::Done);
        }
        let (id, name) = (short(&paired.device), clean(&paired.name));
        if paired.arrived {
            screen.line(&format!("{name} is a device of the vault now: {id}"))?;
            screen.line("What it writes counts, and the password opens the vault there, too.")?;
            return Ok(Exit::Done);
        }
        screen.line(&format!("{name} is listed: {id}"))?;
        let text = "It was told what it needs, and has not said yet that it has everything. Look there; if it never \
                    came, strike it off:";
        screen.line(&wrap(text, screen.width(), ""))?;
        screen.line(&format!("  aura device revoke {id}"))?;
        Ok(Exit::Partly)
    }

    /// The code, large and small.
    fn show(&self, screen: &Screen, code: &view::PairingCode) -> Result<(), Failure> {
        if screen.json {
            // What a script is for is what a person would see.
            return screen.value(&json!({
                "code": code.code.reveal(), "picture": code.picture.reveal(), "until": code.until,
                "stores": code.stores, "unreached": code.unreached,
            }));
        }
        let ink = if screen.is_coloured() { qr::Ink::Coloured } else { qr::Ink::Plain };
        if let Some(lines) = qr::lines(code.picture.reveal(), ink).filter(|_| !self.no_picture) {
            lines.iter().try_for_each(|line| screen.line(line))?;
        }
        let minutes = counted(self.seconds.min(PAIRING_SECONDS_MAX).div_ceil(60), "minute");
        screen.line(&format!("On the new device, within {minutes}:"))?;
        for store in &code.stores {
            screen.line(&format!("  aura join {} --pair", clean(store)))?;
        }
        screen.line(&format!("and this code:  {}", screen.strong(code.code.reveal())))?;
        for unreached in &code.unreached {
            screen.line(&screen.bad(&format!("Not over {}", clean(unreached))))?;
        }
        let text = "It counts once. Whoever has it can come in with it, if you say yes: show it to nobody. Ctrl-C ends it.";
        screen.line(&wrap(text, screen.width(), ""))
    }
}

/// Yes or no: a person has to see who comes in.
fn decide(context: &Context, newcomer: view::Newcomer) -> Result<(), Failure> {
    let (id, name) = (spelled(&newcomer.device), clean(&newcomer.name));
    let is_wanted = if secret::can_ask() && !context.screen.json {
        note(&format!("A device has answered: {name}"));
        note(&format!("  {id}"));
        note("It will read everything, and what it writes counts. The same must stand there.");
        secret::agrees("Is it yours, and in your hands? [y/N]")?
    } else {
        context.screen.value(&json!({ "newcomer": newcomer }))?;
        note("Yes or no, in a line on standard input:");
        let mut line = String::new();
        io::stdin().lock().take(ANSWER_BYTES_MAX).read_line(&mut line)?;
        matches!(line.trim(), "y" | "yes")
    };
    let mut client = Client::reach(&context.home, context.idle)?;
    client.ask::<Value>(&Request::Decide { device: newcomer.device, is_wanted })?;
    Ok(())
}

/// The code, typed at the new device or from a file. A slip is told before anything is sent.
pub(super) fn code(file: Option<&Path>) -> Result<Secret, Failure> {
    let from_person = file.is_none();
    loop {
        let code = match file {
            Some(path) => secret::from_file(path)?,
            None if secret::can_ask() => secret::ask("Code")?,
            None => {
                return Err(Failure::usage(
                    "There is nobody to ask for the code.",
                    "Without a terminal: aura join WHERE --pair --code-file FILE",
                ));
            }
        };
        match PairingCode::parse(code.reveal()) {
            Ok(_) => return Ok(code),
            Err(error) if from_person => note(&format!("  Not quite: {error}.")),
            Err(error) => {
                return Err(Failure::usage(
                    format!("This is no code that pairs devices: {error}."),
                    "Write it into the file's first line as the other device shows it.",
                ));
            }
        }
    }
}

/// What a person at the other device sees: as named, or as this computer is called.
pub(super) fn name(named: Option<&str>) -> Result<DeviceName, Failure> {
    if let Some(named) = named {
        return DeviceName::parse(named).ok_or_else(|| {
            Failure::usage("This is no name for a device.", "Choose one of 1 to 64 characters.")
        });
    }
    let called = fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let called = called.or_else(|| env::var("HOSTNAME").ok()).or_else(|| env::var("HOST").ok());
    let called = called.as_deref().and_then(DeviceName::near);
    called
        .or_else(|| DeviceName::parse("a new device"))
        .ok_or_else(|| Failure::usage("This device has no name.", "Name it: --name NAME"))
}

/// A whole id, to be compared by eye: of part of it somebody could have found another.
pub(super) fn spelled(id: &str) -> String {
    let groups: Vec<&str> =
        (0..id.len()).step_by(4).filter_map(|at| id.get(at..at.saturating_add(4))).collect();
    groups.join(" ")
}

pub(super) fn short(id: &str) -> &str {
    id.get(..8).unwrap_or(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// PAI-7: two ids that begin alike do not look alike.
    #[test]
    fn pai_7_the_whole_id_is_shown() {
        let one = "1f3b77c204d9a1e05b6c8812f3aa9e47";
        assert_eq!(spelled(one), "1f3b 77c2 04d9 a1e0 5b6c 8812 f3aa 9e47");
        for at in 0..one.len() {
            let mut other = one.to_owned();
            other.replace_range(at..=at, "x");
            assert_ne!(spelled(one), spelled(&other));
        }
    }

    #[test]
    fn a_device_has_a_name() {
        assert_eq!(name(Some("Nora’s phone")).unwrap().as_str(), "Nora’s phone");
        assert_eq!(name(Some("a\nb")).unwrap_err().exit, Exit::Usage);
        assert!(!name(None).unwrap().as_str().is_empty());
    }
}
