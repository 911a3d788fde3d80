// SPDX-License-Identifier: MIT OR Apache-2.0
//! Slows down whoever guesses: failed logins are counted for the account and for the source (ACC-9).
//!
//! A login counts as failed when it begins; ending it well takes that back. So an attacker gains nothing
//! by leaving the end out. What is kept is bounded: where there is no more room, the entries that would
//! be forgotten soonest go first.

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
/// No delay of a name is longer: a stranger who fails in somebody's name may not keep them out. What a login
/// is made of has a secret key in it, which nobody guesses; the delay keeps the noise down.
const NAME_DELAY_MAX: Duration = Duration::from_secs(4);
/// After so long without a failure all is forgotten.
const FORGET: Duration = Duration::from_hours(1);
/// Names and sources that are remembered, of each.
const REMEMBERED_MAX: usize = 100_000;

#[derive(Debug, Clone, Copy)]
struct Failures {
    count: u32,
    last: Instant,
}

impl Failures {
    /// For how long nobody may try.
    fn left(&self, now: Instant, max: Duration) -> Option<Duration> {
        let beyond = self.count.checked_sub(FREE)?;
        let delay = DELAY.saturating_mul(1u32.checked_shl(beyond).unwrap_or(u32::MAX)).min(max);
        let passed = now.saturating_duration_since(self.last);
        delay.checked_sub(passed).filter(|left| !left.is_zero())
    }
}

#[derive(Debug)]
struct Counts<K> {
    failures: HashMap<K, Failures>,
    delay_max: Duration,
}

impl<K: Hash + Eq + Clone> Counts<K> {
    fn new(delay_max: Duration) -> Self {
        Self { failures: HashMap::new(), delay_max }
    }

    fn left(&self, key: &K, now: Instant) -> Option<Duration> {
        self.failures.get(key).and_then(|failures| failures.left(now, self.delay_max))
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
    sources: Mutex<Counts<IpAddr>>,
}

impl Default for Guard {
    fn default() -> Self {
        Self {
            names: Mutex::new(Counts::new(NAME_DELAY_MAX)),
            sources: Mutex::new(Counts::new(DELAY_MAX)),
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

impl Guard {
    /// Counts the beginning of a login as one that failed.
    ///
    /// # Errors
    /// For how long to wait, when there were too many; then it is not counted.
    pub fn begin(&self, name: &AccountName, source: IpAddr, now: Instant) -> Result<(), Duration> {
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        let mut sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
        let left = names.left(name, now).max(sources.left(&source, now));
        if let Some(left) = left {
            return Err(left);
        }
        names.count(name.clone(), now);
        sources.count(source, now);
        Ok(())
    }

    /// A login ended well: it was no failure.
    pub fn end(&self, name: &AccountName, source: IpAddr) {
        self.names.lock().unwrap_or_else(PoisonError::into_inner).forgive(name);
        self.sources.lock().unwrap_or_else(PoisonError::into_inner).forgive(&source);
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

    /// attack AVL-03: whoever fails in somebody's name from everywhere keeps them out for seconds only.
    #[test]
    fn a_name_waits_for_seconds() {
        let (guard, now) = (Guard::default(), Instant::now());
        for host in 0..50_u32 {
            let from = IpAddr::V4(std::net::Ipv4Addr::from(host));
            guard.begin(&name("ada"), from, now + NAME_DELAY_MAX * host).unwrap();
        }
        let left = guard.begin(&name("ada"), HERE, now + NAME_DELAY_MAX * 49);
        assert_eq!(left, Err(NAME_DELAY_MAX));
    }

    /// An account is guarded wherever its guessers are, and a source whatever names it tries.
    #[test]
    fn accounts_and_sources_are_counted_apart() {
        let (guard, now) = (Guard::default(), Instant::now());
        for host in 0..FREE {
            let from = IpAddr::V4(std::net::Ipv4Addr::from(host));
            guard.begin(&name("ada"), from, now).unwrap();
        }
        assert!(guard.begin(&name("ada"), HERE, now).is_err());
        for at in 0..FREE {
            guard.begin(&name(&format!("n{at}")), HERE, now).unwrap();
        }
        assert!(guard.begin(&name("bo"), HERE, now).is_err());
        guard.begin(&name("bo"), IpAddr::V4(std::net::Ipv4Addr::from(77)), now).unwrap();
    }

    #[test]
    fn a_login_that_ends_well_is_no_failure() {
        let (guard, now) = (Guard::default(), Instant::now());
        for _ in 0..100 {
            guard.begin(&name("ada"), HERE, now).unwrap();
            guard.end(&name("ada"), HERE);
        }
    }

    /// A flood of names does not make it forget the one that is being guessed.
    #[test]
    fn a_flood_frees_nobody() {
        let (guard, now) = (Guard::default(), Instant::now());
        for host in 0..FREE {
            guard.begin(&name("ada"), IpAddr::V4(std::net::Ipv4Addr::from(host)), now).unwrap();
        }
        for at in 0..u32::try_from(REMEMBERED_MAX).unwrap() + 10 {
            let from = IpAddr::V4(std::net::Ipv4Addr::from(1000 + at));
            guard.begin(&name(&format!("n{at}")), from, now).unwrap();
        }
        assert!(guard.begin(&name("ada"), HERE, now).is_err());
        assert!(guard.names.lock().unwrap().failures.len() <= REMEMBERED_MAX);
        assert!(guard.sources.lock().unwrap().failures.len() <= REMEMBERED_MAX);
    }

    #[test]
    fn a_network_of_ipv6_is_one_source() {
        let of = |text: &str| source(text.parse().unwrap());
        assert_eq!(of("2001:db8::1"), of("2001:db8::ffff:1"));
        assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
        assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
    }
}
