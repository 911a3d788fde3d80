// SPDX-License-Identifier: MIT OR Apache-2.0
//! Servers: learning their keys, opening accounts, and what is done about both later.

use std::path::PathBuf;

use aura_protocol::auth::ServerKey;
use aura_protocol::id::Hash;
use aura_store::http::{self, Address, Fault};
use clap::Args;
use serde_json::Value;

use super::context::{Context, refuse_early, warn};
use crate::client::{Client, parse};
use crate::exit::{Exit, Failure};
use crate::screen::{clean, note, wrap};
use crate::secret::{self, Secret};
use crate::view;
use crate::wire::{At, Cost, Fate, Opening, Request, Serving, Way, Where};

/// Digits of a key that are shown in groups, to be read aloud.
const SHORT: usize = 20;
const GROUP: usize = 4;

/// How a server is known.
#[derive(Debug, Args)]
pub(crate) struct Known {
    /// The account at a server; the id of a bucket's access key; the user of a WebDAV server
    #[arg(long, value_name = "NAME")]
    account: Option<String>,
    /// The server's key, 64 digits, if you have it: then nobody is asked
    #[arg(long, value_name = "KEY")]
    pin: Option<String>,
}

impl Known {
    /// Whether anything was said of a server.
    pub(super) fn is_named(&self) -> bool {
        self.account.is_some()
    }

    pub(super) fn account(&self) -> Option<&str> {
        self.account.as_deref()
    }

    pub(super) fn has_pin(&self) -> bool {
        self.pin.is_some()
    }

    /// The server at this address for a device that pairs: its key as given, or as it shows it. Whether that is the right
    /// one, the other device says.
    pub(super) fn for_pairing(&self, url: &str) -> Result<(Address, ServerKey), Failure> {
        let address = address(url)?;
        let pin = match &self.pin {
            Some(pin) => key(pin)?,
            None => http::probe(&address).map_err(|fault| unreached(&fault))?,
        };
        Ok((address, pin))
    }

    /// The server at this address, its key compared by a person or given.
    pub(super) fn at(&self, url: &str) -> Result<At, Failure> {
        let address = address(url)?;
        let account = self.account.clone().ok_or_else(|| {
            Failure::usage("A server needs the name of an account.", "Name it: --account NAME")
        })?;
        let pin = match &self.pin {
            Some(pin) => key(pin)?,
            None => learn(&address)?,
        };
        Ok(At { url: address.to_string(), account, pin: pin.to_string() })
    }
}

/// How an account is opened.
#[derive(Debug, Args)]
pub(crate) struct Register {
    /// Open the account: this vault has none at the server yet
    #[arg(long = "register", id = "register", requires = "account")]
    is_new: bool,
    /// Ask for an invitation, which some servers want
    #[arg(long, requires = "register")]
    invitation: bool,
    /// Read the invitation from the first line of a file
    #[arg(long, value_name = "FILE", requires = "register", conflicts_with = "invitation")]
    invitation_file: Option<PathBuf>,
    #[arg(long, hide = true, env = "AURA_COST", value_enum, default_value = "usual")]
    cost: Cost,
}

impl Register {
    pub(super) fn is_wanted(&self) -> bool {
        self.is_new
    }
}

/// Adds a server.
pub(super) fn add(
    context: &Context,
    url: &str,
    (known, register): (&Known, &Register),
) -> Result<Exit, Failure> {
    // Nobody compares keys for a vault that is not there.
    let mut client = context.reach()?;
    let at = known.at(url)?;
    let (url, account) = (at.url.clone(), at.account.clone());
    let opening = register.is_new.then(|| opening(context, &mut client, register));
    let opening = opening.transpose()?;
    let mut client = context.open_first()?;
    let store: view::Store = client.ask(&Request::AddServer(Serving { at, opening }))?;
    let screen = &context.screen;
    if screen.json {
        screen.value(&store)?;
        return Ok(Exit::Done);
    }
    screen.line(&format!("This vault syncs through {}", clean(&store.path)))?;
    let text = "Only sealed bytes go there: whoever runs the server learns how much there is, when it came \
                and from where, and nothing of what it says. Your password was not sent.";
    screen.line(&wrap(text, screen.width(), ""))?;
    screen.line("On another device, with the kit at hand:")?;
    screen.line(&format!("  aura join {url} --account {account}"))?;
    screen.line("It is synced by itself while the vault is open; `aura sync` waits for it.")?;
    Ok(Exit::Done)
}

fn opening(
    context: &Context,
    client: &mut Client,
    register: &Register,
) -> Result<Opening, Failure> {
    let password = password(context, client)?;
    let invitation = match &register.invitation_file {
        Some(path) => Some(secret::from_file(path)?),
        None if register.invitation && secret::can_ask() => Some(secret::ask("Invitation")?),
        None if register.invitation => {
            return Err(Failure::usage(
                "There is nobody to ask for the invitation.",
                "Name a file with it: --invitation-file FILE",
            ));
        }
        None => None,
    };
    Ok(Opening { password, invitation, cost: register.cost })
}

/// The vault's password, asked for once: it opens the vault on the way, where that is shut.
fn password(context: &Context, client: &mut Client) -> Result<Secret, Failure> {
    refuse_early(client)?;
    let password = context.password("Password")?;
    if client.standing().locked {
        let request = Request::Unlock { way: Way::Password, secret: password.again() };
        warn(&client.ask(&request)?);
    }
    Ok(password)
}

/// Lets go of a server.
pub(super) fn remove(context: &Context, url: &str, fate: Fate) -> Result<view::Store, Failure> {
    let store = Where::Server(address(url)?.to_string());
    let mut client = match fate {
        Fate::Kept => context.reach()?,
        Fate::Deleted => context.open_first()?,
    };
    client.ask(&Request::RemoveStore { store, account: fate })
}

#[derive(Debug, Args)]
pub(crate) struct Pin {
    /// The server's address
    #[arg(value_name = "URL")]
    url: String,
    /// Its new key, 64 digits, if you have it: then nobody is asked
    #[arg(long, value_name = "KEY")]
    pin: Option<String>,
}

impl Pin {
    pub(super) fn run(&self, context: &Context) -> Result<Exit, Failure> {
        let address = address(&self.url)?;
        let screen = &context.screen;
        let stores: Vec<view::Store> = parse(context.reach()?.ask::<Value>(&Request::Stores)?)?;
        let store = stores.iter().find(|store| store.path == address.as_str());
        let former = store.and_then(|store| store.key.clone()).ok_or_else(|| {
            Failure::usage("This is no store of this vault.", "See which there are: aura store ls")
        })?;
        let pin = if let Some(pin) = &self.pin {
            key(pin)?
        } else {
            note(&format!("So far {address} is known by this key:\n  {former}"));
            learn(&address)?
        };
        let request = Request::PinServer { url: address.to_string(), pin: pin.to_string() };
        let store: view::Store = context.open_first()?.ask(&request)?;
        if screen.json {
            screen.value(&store)?;
        } else if former == pin.to_string() {
            screen.line("That is the key that it was known by already.")?;
        } else {
            screen.line("The server is known by its new key from now on.")?;
        }
        Ok(Exit::Done)
    }
}

#[derive(Debug, Args)]
pub(crate) struct Password {
    /// The server's address
    #[arg(value_name = "URL")]
    url: String,
    #[arg(long, hide = true, env = "AURA_COST", value_enum, default_value = "usual")]
    cost: Cost,
}

impl Password {
    pub(super) fn run(&self, context: &Context) -> Result<Exit, Failure> {
        let url = address(&self.url)?.to_string();
        let mut client = context.reach()?;
        let password = password(context, &mut client)?;
        let mut client = context.open_first()?;
        let request = Request::RenewAccount { url, password, cost: self.cost };
        let store: view::Store = client.ask(&request)?;
        if context.screen.json {
            context.screen.value(&store)?;
        } else {
            context.screen.line("The account there has the vault's password now.")?;
        }
        Ok(Exit::Done)
    }
}

/// The key that the server shows, if a person has compared it.
fn learn(address: &Address) -> Result<ServerKey, Failure> {
    if !secret::can_ask() {
        return Err(Failure::usage(
            "There is nobody to compare the server's key.",
            "Give it: --pin KEY. `aura-server` prints it when it starts.",
        ));
    }
    let shown = http::probe(address).map_err(|fault| unreached(&fault))?;
    note(&format!("{address} shows this key:\n  {}\n  {shown}", short(&shown)));
    note("Compare it with what `aura-server` printed, or with what its operator tells you.");
    if secret::agrees("Is it the same? [y/N]")? {
        return Ok(shown);
    }
    Err(Failure::new(Exit::Refused, "The server's key was not accepted.")
        .safe("Nothing was sent to it, and nothing was changed.")
        .next("Ask whoever runs it for its key."))
}

/// The beginning of a key in groups.
fn short(key: &ServerKey) -> String {
    let text = key.to_string();
    let digits: Vec<_> = text.chars().take(SHORT).collect();
    let groups: Vec<String> = digits.chunks(GROUP).map(|group| group.iter().collect()).collect();
    format!("{}-…", groups.join("-"))
}

fn address(url: &str) -> Result<Address, Failure> {
    let next = "For example: https://aura.example:8443";
    Address::parse(url).map_err(|_| Failure::usage("This is no server's address.", next))
}

fn key(text: &str) -> Result<ServerKey, Failure> {
    let key = Hash::parse(&text.trim().to_ascii_lowercase()).map(ServerKey);
    let next = "It has 64 digits; `aura-server` prints it when it starts.";
    key.ok_or_else(|| Failure::usage("This is no server's key.", next))
}

fn unreached(fault: &Fault) -> Failure {
    Failure::new(Exit::Unreachable, format!("It did not work: {fault}."))
        .safe("Nothing was changed.")
        .next("Check its address and the network, and run it again.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_and_shown() {
        let text = "AB".repeat(32);
        let key = key(&format!(" {text}\n")).unwrap();
        assert_eq!(short(&key), "abab-abab-abab-abab-abab-…");
        for wrong in ["", "ab", &"ab".repeat(33), &"zz".repeat(32)] {
            assert_eq!(super::key(wrong).unwrap_err().exit, Exit::Usage);
        }
    }
}
