// SPDX-License-Identifier: MIT OR Apache-2.0
//! How devices of a vault find each other on a network: announcements by multicast DNS that say nothing to others.
//!
//! An instance is called by a veil of the vault, its host by chance; there is no text. Both are new with every finder.
//! Whoever is found has shown nothing yet: the handshake decides. Source: spec/peer.md, rules PEE-9 to PEE-11.

use core::fmt;
use std::net::{IpAddr, SocketAddr, SocketAddrV6};
use std::time::{Duration, Instant};

use aura_protocol::id::{Hash, VaultId};
use aura_protocol::peer::{Occasion, VEIL_TEXT_LEN, Veil};
use mdns_sd::{
    Metrics, Receiver, RecvTimeoutError, ResolvedService, ScopedIp, ServiceDaemon, ServiceEvent,
    ServiceInfo,
};

/// The service (RFC 6763).
pub const SERVICE: &str = "_aura._udp.local.";
/// Records of announcements that are kept at once, whoever made them: a network of a thousand devices has fewer.
const CACHED_MAX: i64 = 8192;
/// Times at which something is to be done with one of them.
const TIMERS: i64 = 8;
/// How often it is looked how many there are.
const LOOK: Duration = Duration::from_millis(500);
/// Addresses of one instance.
const ADDRESSES_MAX: usize = 8;
/// How long a finder that ends waits until the others are told.
const END_PATIENCE: Duration = Duration::from_millis(300);

/// The network does not let this device announce itself or look for others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected a network that carries multicast DNS")]
pub struct FindError;

/// A finder that finds nothing any more: it was ended from elsewhere, or more was announced than is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected announcements to go on, and to be few")]
pub struct LostError;

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
    most: i64,
    looked: Instant,
    metrics: Option<Receiver<Metrics>>,
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
        let (most, looked) = (CACHED_MAX, Instant::now());
        Ok(Self { vault, daemon, own, events, most, looked, metrics: None })
    }

    /// What ends it from elsewhere.
    pub fn farewell(&self) -> Farewell {
        Farewell { daemon: self.daemon.clone(), own: self.own.clone() }
    }

    /// What is found out next, within a time. The same may be said more than once.
    ///
    /// # Errors
    /// When nothing will be found out any more. Another finder may.
    pub fn next(&mut self, patience: Duration) -> Result<Option<Found>, LostError> {
        let begun = Instant::now();
        loop {
            if self.is_full()? {
                return Err(LostError);
            }
            let Some(left) = patience.checked_sub(begun.elapsed()) else { return Ok(None) };
            let event = match self.events.recv_timeout(left.min(LOOK)) {
                Ok(event) => event,
                Err(RecvTimeoutError::Timeout) => continue,
                Err(RecvTimeoutError::Disconnected) => return Err(LostError),
            };
            let found = match event {
                ServiceEvent::ServiceResolved(service) => self.here(&service),
                ServiceEvent::ServiceRemoved(_, name) => {
                    instance(self.vault, &self.own, &name).map(|instance| Found::Gone { instance })
                }
                _ => None,
            };
            if found.is_some() {
                return Ok(found);
            }
        }
    }

    /// Whether more is kept than there should be: what does it has no bound of its own.
    fn is_full(&mut self) -> Result<bool, LostError> {
        if let Some(asked) = &self.metrics {
            let Ok(metrics) = asked.try_recv() else { return Ok(false) };
            self.metrics = None;
            return Ok(is_over(&metrics, self.most));
        }
        if self.looked.elapsed() >= LOOK {
            self.looked = Instant::now();
            self.metrics = match self.daemon.get_metrics() {
                Ok(metrics) => Some(metrics),
                // It has much to do, and is asked again.
                Err(mdns_sd::Error::Again) => None,
                Err(_) => return Err(LostError),
            };
        }
        Ok(false)
    }

    fn here(&self, service: &ResolvedService) -> Option<Found> {
        let instance = instance(self.vault, &self.own, &service.fullname)?;
        let places = places(service.addresses.iter(), service.port);
        (!places.is_empty()).then_some(Found::Here { instance, places })
    }
}

/// Whether these numbers are larger than they may be.
fn is_over(metrics: &Metrics, most: i64) -> bool {
    let cached = metrics.iter().filter(|(name, _)| name.starts_with("cached-"));
    let cached = cached.map(|(_, count)| *count).fold(0, i64::saturating_add);
    let timers = metrics.get("timer").copied().unwrap_or_default();
    cached > most || timers > most.saturating_mul(TIMERS)
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

    fn finder() -> Finder {
        Finder::new(VaultId([1; 32]), 7, &|bytes| bytes.fill(9)).unwrap()
    }

    /// A finder that was ended from elsewhere says so at once, and does not seem to wait.
    #[test]
    fn a_finder_that_was_ended_says_so() {
        let mut finder = finder();
        assert_eq!(finder.next(Duration::from_millis(50)), Ok(None));
        finder.farewell().say();
        let begun = Instant::now();
        assert_eq!(finder.next(Duration::from_mins(1)), Err(LostError));
        assert!(begun.elapsed() < Duration::from_secs(30));
    }

    /// PEE-10: what strangers announce is kept up to a bound, which the library that keeps it has not.
    #[test]
    fn pee_10_announcements_have_a_bound() {
        let mut finder = finder();
        let asked = finder.daemon.get_metrics().unwrap();
        let mut metrics = asked.recv_timeout(Duration::from_secs(10)).unwrap();
        for name in ["cached-ptr", "cached-srv", "cached-addr", "cached-txt", "timer"] {
            assert!(metrics.contains_key(name), "{name}");
        }
        assert!(!is_over(&metrics, CACHED_MAX));
        metrics.insert("cached-ptr".to_owned(), CACHED_MAX);
        metrics.insert("cached-txt".to_owned(), 1);
        assert!(is_over(&metrics, CACHED_MAX));
        finder.most = -1;
        assert_eq!(finder.next(Duration::from_mins(1)), Err(LostError));
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
