// SPDX-License-Identifier: MIT OR Apache-2.0
//! How devices of a vault find each other on a network: announcements by multicast DNS that say nothing to others.
//!
//! An instance is called by a veil of the vault, its host by chance; there is no text. Both are new with every finder.
//! Whoever is found has shown nothing yet: the handshake decides. Source: spec/peer.md, rules PEE-9 to PEE-11.

use core::fmt;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr, SocketAddrV6};
use std::time::{Duration, Instant};

use aura_protocol::id::{Hash, VaultId};
use aura_protocol::peer::{Occasion, VEIL_TEXT_LEN, Veil};
use mdns_sd::{Receiver, ResolvedService, ScopedIp, ServiceDaemon, ServiceEvent, ServiceInfo};

/// The service (RFC 6763).
pub const SERVICE: &str = "_aura._udp.local.";
/// Instances of one vault that are remembered at once.
const FOUND_MAX: usize = 64;
/// Addresses of one instance.
const ADDRESSES_MAX: usize = 8;
/// How long a finder that ends waits until the others are told.
const END_PATIENCE: Duration = Duration::from_millis(300);

/// The network does not let this device announce itself or look for others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected a network that carries multicast DNS")]
pub struct FindError;

/// What was found out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// A device of the vault is said to be at these places (`HOST:PORT`).
    Here {
        /// Under this name, which says nothing else.
        instance: String,
        /// The likeliest first.
        places: Vec<String>,
    },
    /// It is not any more.
    Gone {
        /// The name.
        instance: String,
    },
}

/// Announces this device, and looks for others of its vault, until it is dropped.
pub struct Finder {
    vault: VaultId,
    daemon: ServiceDaemon,
    own: String,
    events: Receiver<ServiceEvent>,
    known: BTreeMap<String, Vec<String>>,
}

impl fmt::Debug for Finder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Finder")
    }
}

impl Finder {
    /// Announces a device of a vault that listens at this UDP port.
    ///
    /// # Errors
    /// When there is no network that could carry it.
    pub fn new(vault: VaultId, port: u16, fill: &dyn Fn(&mut [u8])) -> Result<Self, FindError> {
        let mut random = [0; 32];
        fill(&mut random);
        let instance = Veil::new(vault, Occasion::Announce, &random).to_string();
        fill(&mut random);
        // No machine's name: those are people's.
        let host = Hash::of(&[&random]).to_string();
        let host = format!("{}.local.", host.get(..16).ok_or(FindError)?);
        let nothing: &[(&str, &str)] = &[];
        let info = ServiceInfo::new(SERVICE, &instance, &host, "", port, nothing);
        let info = info.map_err(|_| FindError)?.enable_addr_auto();
        let daemon = ServiceDaemon::new().map_err(|_| FindError)?;
        let own = info.get_fullname().to_owned();
        let events = daemon.browse(SERVICE).map_err(|_| FindError)?;
        daemon.register(info).map_err(|_| FindError)?;
        Ok(Self { vault, daemon, own, events, known: BTreeMap::new() })
    }

    /// What ends it from elsewhere.
    pub fn farewell(&self) -> Farewell {
        Farewell { daemon: self.daemon.clone(), own: self.own.clone() }
    }

    /// What is found out next, within a time.
    pub fn next(&mut self, patience: Duration) -> Option<Found> {
        let begun = Instant::now();
        loop {
            let left = patience.checked_sub(begun.elapsed())?;
            let event = self.events.recv_timeout(left).ok()?;
            let found = match event {
                ServiceEvent::ServiceResolved(service) => self.here(&service),
                ServiceEvent::ServiceRemoved(_, name) => self.gone(&name),
                _ => None,
            };
            if found.is_some() {
                return found;
            }
        }
    }

    fn here(&mut self, service: &ResolvedService) -> Option<Found> {
        let instance = instance(self.vault, &self.own, &service.fullname)?;
        let places = places(service.addresses.iter(), service.port);
        let is_known = self.known.contains_key(&instance);
        if places.is_empty() || !is_known && self.known.len() >= FOUND_MAX {
            return None;
        }
        if self.known.insert(instance.clone(), places.clone()).as_ref() == Some(&places) {
            return None;
        }
        Some(Found::Here { instance, places })
    }

    fn gone(&mut self, name: &str) -> Option<Found> {
        let instance = instance(self.vault, &self.own, name)?;
        self.known.remove(&instance).map(|_| Found::Gone { instance })
    }
}

/// The name of another device's instance; strangers' are none, and neither is this device's own (PEE-10).
fn instance(vault: VaultId, own: &str, name: &str) -> Option<String> {
    if name.eq_ignore_ascii_case(own) {
        return None;
    }
    let instance = name.get(..VEIL_TEXT_LEN)?;
    let is_ours = Veil::parse(instance)?.is_of(vault, Occasion::Announce);
    let rest = name.get(VEIL_TEXT_LEN..)?.strip_prefix('.')?;
    (is_ours && rest.eq_ignore_ascii_case(SERVICE)).then(|| instance.to_owned())
}

impl Drop for Finder {
    fn drop(&mut self) {
        self.farewell().say();
    }
}

/// Tells the others that this device is not found under its name any more, whoever has the finder.
pub struct Farewell {
    daemon: ServiceDaemon,
    own: String,
}

impl fmt::Debug for Farewell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Farewell")
    }
}

impl Farewell {
    /// Tells them, and ends the finder.
    pub fn say(&self) {
        if let Ok(told) = self.daemon.unregister(&self.own) {
            told.recv_timeout(END_PATIENCE).ok();
        }
        self.daemon.shutdown().ok();
    }
}

/// The likeliest first: what stays within this network, link-local addresses last.
fn places<'a>(found: impl Iterator<Item = &'a ScopedIp>, port: u16) -> Vec<String> {
    let mut places: Vec<(u8, SocketAddr)> = found
        .filter_map(|found| match found {
            ScopedIp::V4(v4) => Some((0, SocketAddr::new(IpAddr::V4(*v4.addr()), port))),
            ScopedIp::V6(v6) => {
                let is_local = v6.addr().is_unicast_link_local();
                let scope = if is_local { v6.scope_id().index } else { 0 };
                let rank = if is_local { 2 } else { 1 };
                Some((rank, SocketAddr::V6(SocketAddrV6::new(*v6.addr(), port, 0, scope))))
            }
            _ => None,
        })
        .filter(|(_, at)| port != 0 && !at.ip().is_unspecified() && !at.ip().is_multicast())
        .collect();
    places.sort();
    places.dedup();
    places.into_iter().take(ADDRESSES_MAX).map(|(_, at)| at.to_string()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// PEE-10: of all instances those of the vault's other devices.
    #[test]
    fn pee_10_strangers_are_passed_over() {
        let vault = VaultId([1; 32]);
        let named = |vault, occasion, salt| {
            let veil = Veil::new(vault, occasion, &[salt; 32]);
            (veil.to_string(), format!("{veil}.{SERVICE}"))
        };
        let (_, own) = named(vault, Occasion::Announce, 1);
        let (other, name) = named(vault, Occasion::Announce, 2);
        let found = |name: &str| instance(vault, &own, name);
        assert_eq!(found(&name), Some(other));
        assert_eq!(found(&own), None);
        assert_eq!(found(&named(VaultId([2; 32]), Occasion::Announce, 2).1), None);
        assert_eq!(found(&named(vault, Occasion::Hello, 2).1), None);
        for wrong in ["", "printer._aura._udp.local.", &name[1..], &name.replace("_udp", "_tcp")] {
            assert_eq!(found(wrong), None, "{wrong}");
        }
    }

    /// PEE-11: addresses are tried in one order, and none that is nobody's.
    #[test]
    fn pee_11_places_are_in_order() {
        let ip = |text: &str| ScopedIp::from(text.parse::<IpAddr>().unwrap());
        let found = ["fe80::1", "2001:db8::1", "192.168.1.9", "0.0.0.0", "224.0.0.251"].map(ip);
        let expected = ["192.168.1.9:7", "[2001:db8::1]:7", "[fe80::1]:7"];
        assert_eq!(places(found.iter(), 7), expected);
        assert!(places(found.iter(), 0).is_empty());
        let many: Vec<_> = (0..99).map(|last| ip(&format!("10.0.0.{last}"))).collect();
        assert_eq!(places(many.iter(), 7).len(), ADDRESSES_MAX);
    }
}
