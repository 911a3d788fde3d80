// SPDX-License-Identifier: MIT OR Apache-2.0
//! Slows down whoever guesses: failed logins are counted for the source, its network and the account (ACC-9).
//!
//! A login counts as failed when it begins; ending it well takes that back. So an attacker gains nothing
//! by leaving the end out. What others did in somebody's name slows down only who has failed too: strangers keep nobody
//! out. What is kept is bounded: where there is no more room, the entries that would be forgotten soonest go first.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use aura_protocol::auth::AccountName;

/// So many failures are free: people mistype.
const FREE: u32 = 5;
/// The first delay; each further failure doubles it.
const DELAY: Duration = Duration::from_secs(2);
/// No delay of a source is longer.
const DELAY_MAX: Duration = Duration::from_mins(15);
/// No delay of a name or a network is longer. What a login is made of has a secret key in it, which nobody guesses; these
/// keep the noise down.
const SHARED_DELAY_MAX: Duration = Duration::from_secs(4);
/// A network of IPv6 has so many times what one source has: failures that are free, places, requests a second.
pub(crate) const NETWORK_SHARE: u32 = 8;
/// After so long without a failure all is forgotten.
const FORGET: Duration = Duration::from_hours(1);
/// Names and sources that are remembered, of each.
const REMEMBERED_MAX: usize = 100_000;

#[derive(Debug, Clone, Copy)]
struct Failures {
    count: u32,
    last: Instant,
}

#[derive(Debug)]
struct Counts<K> {
    failures: HashMap<K, Failures>,
    free: u32,
    delay_max: Duration,
}

impl<K: Hash + Eq + Clone> Counts<K> {
    fn new(free: u32, delay_max: Duration) -> Self {
        Self { failures: HashMap::new(), free, delay_max }
    }

    /// When it failed last, if that is not forgotten.
    fn last(&self, key: &K, now: Instant) -> Option<Instant> {
        let failures = self.failures.get(key).filter(|failures| failures.count > 0)?;
        let passed = now.saturating_duration_since(failures.last);
        (passed <= FORGET).then_some(failures.last)
    }

    /// For how long somebody who failed then may not try.
    fn left(&self, key: &K, last: Instant, now: Instant) -> Option<Duration> {
        self.last(key, now)?;
        let beyond = self.failures.get(key)?.count.checked_sub(self.free)?;
        let delay = DELAY.saturating_mul(1u32.checked_shl(beyond).unwrap_or(u32::MAX));
        let passed = now.saturating_duration_since(last);
        delay.min(self.delay_max).checked_sub(passed).filter(|left| !left.is_zero())
    }

    fn count(&mut self, key: K, now: Instant) {
        if self.failures.len() >= REMEMBERED_MAX && !self.failures.contains_key(&key) {
            self.make_room(now);
        }
        let failures = self.failures.entry(key).or_insert(Failures { count: 0, last: now });
        if now.saturating_duration_since(failures.last) > FORGET {
            failures.count = 0;
        }
        failures.count = failures.count.saturating_add(1);
        failures.last = now;
    }

    fn make_room(&mut self, now: Instant) {
        self.failures.retain(|_, failures| now.saturating_duration_since(failures.last) <= FORGET);
        // Those with few failures go before those with many: a flood of names frees nobody from a delay.
        let mut least = 1;
        while self.failures.len() >= REMEMBERED_MAX {
            self.failures.retain(|_, failures| failures.count > least);
            least = least.saturating_mul(2);
        }
    }

    fn forgive(&mut self, key: &K) {
        if let Some(failures) = self.failures.get_mut(key) {
            failures.count = failures.count.saturating_sub(1);
        }
    }
}

/// Counts failed logins.
#[derive(Debug)]
pub struct Guard {
    names: Mutex<Counts<AccountName>>,
    lines: Mutex<LineCounts>,
}

/// The failures of sources and of their networks.
#[derive(Debug)]
struct LineCounts {
    sources: Counts<IpAddr>,
    networks: Counts<IpAddr>,
}

impl Default for Guard {
    fn default() -> Self {
        let networks = Counts::new(FREE.saturating_mul(NETWORK_SHARE), SHARED_DELAY_MAX);
        Self {
            names: Mutex::new(Counts::new(FREE, SHARED_DELAY_MAX)),
            lines: Mutex::new(LineCounts { sources: Counts::new(FREE, DELAY_MAX), networks }),
        }
    }
}

/// Where somebody comes from: an address, of IPv6 the network, since one person has the rest of it.
pub fn source(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let network = u128::from(address) & !u128::from(u64::MAX);
            IpAddr::V6(Ipv6Addr::from(network))
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

/// The network of a source, of which one line may have many: the first 48 bits of IPv6. Nothing for IPv4.
pub fn network(source: IpAddr) -> Option<IpAddr> {
    let IpAddr::V6(address) = source.to_canonical() else { return None };
    Some(IpAddr::V6(Ipv6Addr::from(u128::from(address) & !(u128::MAX >> 48))))
}

impl Guard {
    /// Counts the beginning of a login as one that failed.
    ///
    /// # Errors
    /// For how long to wait, when there were too many; then it is not counted.
    pub fn begin(&self, name: &AccountName, source: IpAddr, now: Instant) -> Result<(), Duration> {
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let network = network(source);
        // From its own last failure on, whatever others do meanwhile: whoever waits gets their turn.
        let of_own = lines.sources.last(&source, now).and_then(|last| {
            lines.sources.left(&source, last, now).max(names.left(name, last, now))
        });
        let of_network = network.and_then(|network| {
            let last = lines.networks.last(&network, now)?;
            lines.networks.left(&network, last, now)
        });
        if let Some(left) = of_own.max(of_network) {
            return Err(left);
        }
        names.count(name.clone(), now);
        lines.sources.count(source, now);
        if let Some(network) = network {
            lines.networks.count(network, now);
        }
        Ok(())
    }

    /// A login ended well: it was no failure.
    pub fn end(&self, name: &AccountName, source: IpAddr) {
        self.names.lock().unwrap_or_else(PoisonError::into_inner).forgive(name);
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.sources.forgive(&source);
        if let Some(network) = network(source) {
            lines.networks.forgive(&network);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]

    use super::*;

    fn name(text: &str) -> AccountName {
        AccountName::parse(text).unwrap()
    }

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    /// ACC-9, attack AUT-02: delays begin with the fifth failure, grow, and have an end.
    #[test]
    fn delays_grow() {
        let (guard, mut now) = (Guard::default(), Instant::now());
        let mut waits = Vec::new();
        for _ in 0..20 {
            while let Err(left) = guard.begin(&name("ada"), HERE, now) {
                waits.push(left);
                now += left;
            }
        }
        assert_eq!(waits.len(), 15);
        assert_eq!(waits[0], DELAY);
        assert_eq!(waits[3], DELAY * 8);
        assert_eq!(waits[14], DELAY_MAX);
    }

    fn host(number: u32) -> IpAddr {
        IpAddr::V4(std::net::Ipv4Addr::from(number))
    }

    /// ACC-9, attack AVL-03: whoever fails in somebody's name from everywhere, all the time, keeps nobody out: who has not
    /// failed does not wait, and who mistyped waits for seconds from then on.
    #[test]
    fn a_name_waits_for_seconds() {
        let (guard, mut now) = (Guard::default(), Instant::now());
        let mut strangers = 0..;
        let mut fail = |now| guard.begin(&name("ada"), host(strangers.next().unwrap()), now);
        (0..50).for_each(|_| fail(now).unwrap());
        let home = host(u32::MAX);
        guard.begin(&name("ada"), home, now).unwrap();
        assert_eq!(guard.begin(&name("ada"), home, now), Err(SHARED_DELAY_MAX));
        for _ in 0..8 {
            now += SHARED_DELAY_MAX / 8;
            (0..5).for_each(|_| fail(now).unwrap());
        }
        guard.begin(&name("ada"), home, now).unwrap();
        // A stranger who failed a moment ago waits as long, wherever they are.
        assert_eq!(guard.begin(&name("ada"), host(89), now), Err(SHARED_DELAY_MAX));
    }

    /// A source is guarded whatever names it tries.
    #[test]
    fn accounts_and_sources_are_counted_apart() {
        let (guard, now) = (Guard::default(), Instant::now());
        for number in 0..FREE {
            guard.begin(&name("ada"), host(number), now).unwrap();
        }
        assert!(guard.begin(&name("ada"), host(0), now).is_err());
        guard.begin(&name("bo"), host(0), now).unwrap();
        for at in 0..FREE {
            guard.begin(&name(&format!("n{at}")), HERE, now).unwrap();
        }
        assert!(guard.begin(&name("bo"), HERE, now).is_err());
        guard.begin(&name("bo"), host(77), now).unwrap();
    }

    /// attack AUT-02: one line with many networks of IPv6 is slowed down as one.
    #[test]
    fn a_line_of_ipv6_is_counted_as_one() {
        let (guard, now) = (Guard::default(), Instant::now());
        let of = |at: u32| format!("2001:db8:0:{at:x}::").parse::<IpAddr>().unwrap();
        for at in 0..FREE * NETWORK_SHARE {
            guard.begin(&name(&format!("n{at}")), of(at), now).unwrap();
        }
        assert_eq!(guard.begin(&name("ada"), of(99), now), Err(DELAY));
        guard.begin(&name("ada"), "2001:db8:1::".parse().unwrap(), now).unwrap();
        guard.begin(&name("ada"), of(99), now + SHARED_DELAY_MAX).unwrap();
    }

    #[test]
    fn a_login_that_ends_well_is_no_failure() {
        let (guard, now) = (Guard::default(), Instant::now());
        for _ in 0..100 {
            guard.begin(&name("ada"), HERE, now).unwrap();
            guard.end(&name("ada"), HERE);
        }
    }

    /// A flood of names and sources does not make it forget the one that guesses.
    #[test]
    fn a_flood_frees_nobody() {
        let (guard, now) = (Guard::default(), Instant::now());
        for _ in 0..FREE {
            guard.begin(&name("ada"), HERE, now).unwrap();
        }
        for at in 0..u32::try_from(REMEMBERED_MAX).unwrap() + 10 {
            guard.begin(&name(&format!("n{at}")), host(1000 + at), now).unwrap();
        }
        assert!(guard.begin(&name("ada"), HERE, now).is_err());
        assert!(guard.names.lock().unwrap().failures.len() <= REMEMBERED_MAX);
        assert!(guard.lines.lock().unwrap().sources.failures.len() <= REMEMBERED_MAX);
    }

    #[test]
    fn a_network_of_ipv6_is_one_source() {
        let of = |text: &str| source(text.parse().unwrap());
        assert_eq!(of("2001:db8::1"), of("2001:db8::ffff:1"));
        assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
        assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
        assert_eq!(network(of("2001:db8:0:ff::1")), network(of("2001:db8::1")));
        assert_ne!(network(of("2001:db8:1::1")), network(of("2001:db8::1")));
        assert_eq!(network(of("192.0.2.1")), None);
    }
}
