// SPDX-License-Identifier: MIT OR Apache-2.0
//! The vault's other devices on this network, as a store: switched on and off, or named by an address.

use aura_store::peer::Place;
use clap::Args;

use super::context::Context;
use crate::exit::{Exit, Failure};
use crate::screen::{clean, wrap};
use crate::view;
use crate::wire::{Fate, Request, Where};

/// What is typed for all of them.
const LAN: &str = "lan";

/// How other devices call this one.
#[derive(Debug, Args)]
pub(crate) struct Called {
    /// With `lan`: let your devices in at this UDP port, for a firewall or an address [default: any]
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    port: Option<u16>,
}

/// Whether devices are meant, rather than a folder or a server.
pub(super) fn is_meant(place: &str) -> bool {
    place == LAN || Place::is_meant(place)
}

/// Where this device can be called.
pub(super) fn port(store: &view::Store) -> String {
    match store.port {
        Some(port) => format!("at UDP port {port}, for devices of this vault alone"),
        None => "not now".to_owned(),
    }
}

impl Called {
    pub(super) fn is_named(&self) -> bool {
        self.port.is_some()
    }

    pub(super) fn add(&self, context: &Context, place: &str) -> Result<Exit, Failure> {
        if place == LAN {
            return self.switch_on(context);
        }
        if self.is_named() {
            let next = "peer://HOST:PORT names the other device's port; --port goes with `lan`.";
            return Err(Failure::usage("An address has its port in it.", next));
        }
        let request = Request::AddPeer { address: place.to_owned() };
        let store: view::Store = context.open_first()?.ask(&request)?;
        let screen = &context.screen;
        if screen.json {
            screen.value(&store)?;
            return Ok(Exit::Done);
        }
        screen.line(&format!("This vault syncs with the device at {}", clean(&store.path)))?;
        let text = "It showed that it is one of this vault's. What goes between the two is sealed as ever, and \
                    encrypted once more on the way.";
        screen.line(&wrap(text, screen.width(), ""))?;
        screen.line("It is synced by itself while the vault is open; `aura sync` waits for it.")?;
        Ok(Exit::Done)
    }

    fn switch_on(&self, context: &Context) -> Result<Exit, Failure> {
        let request = Request::AddLan { port: self.port.unwrap_or_default() };
        let store: view::Store = context.open_first()?.ask(&request)?;
        let screen = &context.screen;
        if screen.json {
            screen.value(&store)?;
            return Ok(Exit::Done);
        }
        screen.line(&format!("This device listens {}", port(&store)))?;
        let text = "It finds your other devices on this network, and they find it, where they were told the same: aura \
                    store add lan. No server is between them. Whoever else is on the network sees that Aura runs here, \
                    and not whose vault it is; nobody is let in who is not on this vault's list of devices. A new \
                    device comes in through a folder or a server first: aura pair";
        screen.line(&wrap(text, screen.width(), ""))?;
        screen.line("To switch it off: aura store rm lan")?;
        Ok(Exit::Done)
    }
}

/// Switches the network off, or forgets an address.
pub(super) fn remove(context: &Context, place: &str) -> Result<Exit, Failure> {
    let store = if place == LAN {
        Where::Lan
    } else {
        let next = "For example: peer://192.168.1.7:7411";
        let place = Place::parse(place);
        let place = place.map_err(|_| Failure::usage("This is no device's address.", next))?;
        Where::Peer(place.to_string())
    };
    let is_lan = matches!(store, Where::Lan);
    let store: view::Store =
        context.reach()?.ask(&Request::RemoveStore { store, account: Fate::Kept })?;
    let screen = &context.screen;
    if screen.json {
        screen.value(&store)?;
    } else if is_lan {
        screen.line("This device does not listen any more, and looks for no others.")?;
    } else {
        screen.line(&format!("This vault does not sync with {} any more.", clean(&store.path)))?;
    }
    Ok(Exit::Done)
}
