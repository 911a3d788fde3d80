// SPDX-License-Identifier: MIT OR Apache-2.0
//! Other devices become stores and cease to be: switched on for a network, named by an address, or found.

use aura_protocol::id::DeviceId;
use aura_protocol::store::StoreError;
use aura_store::peer::{Listen, Place};

use super::book::{self, Kept, STORES_MAX};
use super::lan::Wish;
use super::site::{Peer, Site};
use super::{Syncing, full, lock, room_for, words};
use crate::daemon::keeper::Keeper;
use crate::exit::{Exit, Failure};
use crate::view;

impl Syncing {
    /// Switches the network on, at a port.
    pub(in crate::daemon) fn add_lan(
        &self,
        keeper: &Keeper,
        port: u16,
    ) -> Result<view::Store, Failure> {
        let site = Site::Lan(port);
        let before = self.read(keeper)?;
        let is_again = before.iter().any(|kept| kept.site.id() == site.id());
        if !is_again {
            room_for(&before, &site)?;
        }
        let opened = self.lan.ensure(keeper, &self.nudges, Listen::Everywhere(port));
        opened.map_err(|error| unopened(&error, port))?;
        let edited = self.edit(keeper, &mut |stores| {
            stores.retain(|kept| kept.site.id() != site.id());
            stores.push(Kept::new(site.clone()));
        });
        self.lan.change();
        edited?;
        Ok(self.shown(&Kept::new(site), None))
    }

    /// Adds a device by its address, if one of the vault's is there.
    pub(in crate::daemon) fn add_peer(
        &self,
        keeper: &Keeper,
        address: &str,
    ) -> Result<view::Store, Failure> {
        let address = Place::parse(address).map_err(|_| no_place())?;
        let stores = self.read(keeper)?;
        let listen = Wish::of(&stores).listen().unwrap_or(Listen::No);
        let opened = self.lan.ensure(keeper, &self.nudges, listen);
        opened.map_err(|error| unopened(&error, 0))?;
        let met = self.lan.meet(address.as_str());
        let device = met.map_err(|error| {
            self.lan.change();
            unmet(&error)
        })?;
        let site = Site::Peer(Peer { device, address: Some(address) });
        if !stores.iter().any(|kept| kept.site.id() == site.id()) {
            room_for(&stores, &site)?;
        }
        let edited = self.edit(keeper, &mut |stores| match stores
            .iter_mut()
            .find(|kept| kept.site.id() == site.id())
        {
            Some(kept) => kept.site = site.clone(),
            None => stores.push(Kept::new(site.clone())),
        });
        self.lan.change();
        edited?;
        self.nudge();
        Ok(self.shown(&Kept::new(site), None))
    }

    /// A device of the vault is on this network.
    pub(super) fn found(&self, keeper: &Keeper, device: DeviceId) {
        let site = Site::Peer(Peer { device, address: None });
        let id = site.id();
        let edited = self.edit(keeper, &mut |stores| {
            let is_on = stores.iter().any(|kept| matches!(kept.site, Site::Lan(_)));
            let is_known = stores.iter().any(|kept| kept.site.id() == id);
            if is_on && !is_known && stores.len() < STORES_MAX {
                stores.push(Kept::new(site.clone()));
            }
        });
        // What could not be written is found again.
        edited.ok();
        self.ring(&id);
    }

    /// Changes the list of stores, unless that makes it longer than it may be.
    pub(super) fn edit(
        &self,
        keeper: &Keeper,
        change: &mut dyn FnMut(&mut Vec<Kept>),
    ) -> Result<(), Failure> {
        let _file = lock(&self.file);
        let mut stores = book::read(keeper.home())?;
        let before = stores.clone();
        change(&mut stores);
        // A list that is too long is not read again. One may have become longer since whoever asks has looked.
        if stores.len() > STORES_MAX.max(before.len()) {
            return Err(full());
        }
        if stores == before { Ok(()) } else { book::write(keeper.home(), &stores) }
    }

    /// A store, as it stands; of the network also where it is and why not.
    pub(super) fn shown(&self, kept: &Kept, waiting: Option<u64>) -> view::Store {
        let store = words::store(kept, waiting);
        match kept.site {
            Site::Lan(_) => {
                view::Store { port: self.lan.port(), trouble: self.lan.trouble(), ..store }
            }
            _ => store,
        }
    }
}

/// What is forgotten with a store: with the network every device that was found there and has no address of its own.
pub(super) fn goes_with(site: &Site, other: &Site) -> bool {
    let is_found = matches!(other, Site::Peer(Peer { address: None, .. }));
    matches!(site, Site::Lan(_)) && is_found
}

fn no_place() -> Failure {
    Failure::usage("This is no device's address.", "For example: peer://192.168.1.7:7411")
}

fn unopened(error: &std::io::Error, port: u16) -> Failure {
    let what = match (error.kind(), port) {
        (std::io::ErrorKind::AddrInUse, _) => {
            format!("Another program uses the UDP port {port}.")
        }
        _ => format!("This device cannot be called: {}.", crate::exit::plain(error)),
    };
    Failure::new(Exit::Failed, what).safe("Nothing was changed.").next(
        "Choose another one: aura store add lan --port N. Without --port any free one is used.",
    )
}

fn unmet(error: &StoreError) -> Failure {
    let failure =
        |exit, what: &str| Failure::new(exit, what.to_owned()).safe("Nothing was changed.");
    match error {
        StoreError::OtherKey => failure(
            Exit::Refused,
            "Who is there is none of this vault's devices, or one that this device has not heard of yet.",
        )
        .next("If it is yours and has just joined, sync through what it joined by first: aura sync"),
        StoreError::Unauthenticated => failure(
            Exit::Refused,
            "Who is there does not know this vault, or does not take this device for one of it (yet).",
        )
        .next("If it is yours, let it sync through what this one joined by, and try again."),
        _ => failure(Exit::Unreachable, "Nobody answers there.").next(
            "There: aura store add lan --port N, with the same port, which a firewall may have to let \
             in (UDP).",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A list that two make longer at a time stays one that can be read.
    #[test]
    fn a_list_becomes_no_longer_than_is_read() {
        let home = tempfile::tempdir().unwrap();
        let (keeper, syncing) = (Keeper::load(home.path()).unwrap(), Syncing::default());
        let peer = |n: u8| Kept::new(Site::Peer(Peer { device: DeviceId([n; 16]), address: None }));
        let longest: Vec<Kept> = (0..).take(STORES_MAX).map(peer).collect();
        syncing.edit(&keeper, &mut |stores| stores.extend(longest.iter().cloned())).unwrap();
        let more = syncing.edit(&keeper, &mut |stores| stores.push(peer(99)));
        assert_eq!(more.unwrap_err().exit, Exit::Usage);
        assert_eq!(syncing.read(&keeper).unwrap(), longest);
        syncing.edit(&keeper, &mut |stores| stores[0] = peer(99)).unwrap();
        syncing.edit(&keeper, &mut Vec::clear).unwrap();
    }

    #[test]
    fn what_was_found_goes_with_the_network() {
        let found = Site::Peer(Peer { device: DeviceId([1; 16]), address: None });
        let address = Place::parse("peer://a:1").ok();
        let named = Site::Peer(Peer { device: DeviceId([2; 16]), address });
        assert!(goes_with(&Site::Lan(0), &found));
        assert!(!goes_with(&Site::Lan(0), &named));
        assert!(!goes_with(&named, &found));
    }
}
