// SPDX-License-Identifier: MIT OR Apache-2.0
//! How much a source may ask for in a second without a token, or with one that nobody gave.

use std::collections::HashMap;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

use crate::guard::{NETWORK_SHARE, network};

/// For how long a source that has used up what it may is not looked at again.
const PAUSE: Duration = Duration::from_secs(1);

/// So many in a second, and so many at once.
pub(crate) fn per_second(count: u32) -> Quota {
    Quota::per_second(NonZeroU32::new(count).unwrap_or(NonZeroU32::MIN))
}

/// What sources, and their networks of IPv6, ask for.
#[derive(Debug)]
pub(crate) struct Rates {
    sources: DefaultKeyedRateLimiter<IpAddr>,
    networks: DefaultKeyedRateLimiter<IpAddr>,
    /// Who showed more unknown tokens than they may, and until when no other one is looked up.
    spent: Mutex<HashMap<IpAddr, Instant>>,
}

impl Rates {
    /// So many requests a second of each source.
    pub(crate) fn new(count: u32) -> Self {
        Self {
            sources: RateLimiter::keyed(per_second(count)),
            networks: RateLimiter::keyed(per_second(count.saturating_mul(NETWORK_SHARE))),
            spent: Mutex::default(),
        }
    }

    /// Counts a request. Whether it is one too many.
    pub(crate) fn is_passed(&self, source: IpAddr) -> bool {
        self.passed(source).is_some()
    }

    fn passed(&self, source: IpAddr) -> Option<IpAddr> {
        if self.sources.check_key(&source).is_err() {
            return Some(source);
        }
        network(source).filter(|network| self.networks.check_key(network).is_err())
    }

    /// Counts a token that nobody has.
    pub(crate) fn made_up(&self, source: IpAddr, now: Instant) {
        if let Some(passed) = self.passed(source) {
            let until = now.checked_add(PAUSE).unwrap_or(now);
            self.spent.lock().unwrap_or_else(PoisonError::into_inner).insert(passed, until);
        }
    }

    /// Whether a source has shown more of those than it may.
    pub(crate) fn is_spent(&self, source: IpAddr, now: Instant) -> bool {
        let spent = self.spent.lock().unwrap_or_else(PoisonError::into_inner);
        let is_spent = |of: IpAddr| spent.get(&of).is_some_and(|until| now < *until);
        is_spent(source) || network(source).is_some_and(is_spent)
    }

    /// Forgets who has not asked for a while.
    pub(crate) fn tidy(&self, now: Instant) {
        for rates in [&self.sources, &self.networks] {
            rates.retain_recent();
            rates.shrink_to_fit();
        }
        let mut spent = self.spent.lock().unwrap_or_else(PoisonError::into_inner);
        spent.retain(|_, until| now < *until);
        spent.shrink_to_fit();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]

    use super::*;

    /// attack AVL-03: one line has many networks of IPv6, and asks for no more by that than a few sources.
    #[test]
    fn a_line_of_ipv6_has_a_few_sources_worth_of_requests() {
        let rates = Rates::new(2);
        let of = |at: u32| format!("2001:db8:0:{at:x}::").parse::<IpAddr>().unwrap();
        let within = (0..256).filter(|at| !rates.is_passed(of(*at))).count();
        assert_eq!(within, usize::try_from(2 * NETWORK_SHARE).unwrap());
        assert!(!rates.is_passed("2001:db8:1::".parse().unwrap()));
        let now = Instant::now();
        rates.made_up(of(300), now);
        assert!(rates.is_spent(of(301), now) && !rates.is_spent(of(301), now + PAUSE));
        rates.tidy(now + PAUSE);
        assert!(rates.spent.lock().unwrap().is_empty());
    }
}
