// SPDX-License-Identifier: MIT OR Apache-2.0
//! How much of one kind is here at once, for each source or vault: nobody takes the server from the others.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::timeout;

use crate::guard::{NETWORK_SHARE, network};

/// So many places for each key.
#[derive(Debug)]
pub(crate) struct Crowd<K: Hash + Eq> {
    inside: Mutex<HashMap<K, u32>>,
    max: u32,
    /// Told whenever somebody leaves who was one of as many as there may be.
    left: Notify,
}

/// Some places in a crowd, given back when this is dropped.
#[derive(Debug)]
pub(crate) struct Place<K: Hash + Eq + Clone> {
    crowd: Arc<Crowd<K>>,
    key: K,
    places: u32,
}

impl<K: Hash + Eq + Clone> Crowd<K> {
    /// Room for so many of each.
    pub(crate) fn new(max: u32) -> Arc<Self> {
        Arc::new(Self { inside: Mutex::default(), max, left: Notify::new() })
    }

    /// A place; nothing if there is none left for this key.
    pub(crate) fn enter(self: &Arc<Self>, key: K) -> Option<Place<K>> {
        self.enter_with(key, 1)
    }

    /// A place as soon as there is one; nothing if there is none left for this key after so long.
    pub(crate) async fn wait(self: &Arc<Self>, key: K, longest: Duration) -> Option<Place<K>> {
        let place = async {
            loop {
                // Whoever leaves after this is heard of.
                let left = self.left.notified();
                if let Some(place) = self.enter(key.clone()) {
                    return place;
                }
                left.await;
            }
        };
        timeout(longest, place).await.ok()
    }

    /// So many places, or all of them for whoever needs more; nothing if they are not left for this key.
    pub(crate) fn enter_with(self: &Arc<Self>, key: K, places: u32) -> Option<Place<K>> {
        let places = places.min(self.max);
        let mut inside = self.inside.lock().unwrap_or_else(PoisonError::into_inner);
        let count = inside.get(&key).copied().unwrap_or_default().checked_add(places)?;
        if count > self.max {
            return None;
        }
        inside.insert(key.clone(), count);
        drop(inside);
        Some(Place { crowd: Arc::clone(self), key, places })
    }
}

/// So many places for each source, and more for each network of IPv6, which one line has many sources in.
#[derive(Debug)]
pub(crate) struct Lines {
    sources: Arc<Crowd<IpAddr>>,
    networks: Arc<Crowd<IpAddr>>,
}

/// A source's place, and its network's.
pub(crate) type LinePlace = (Place<IpAddr>, Option<Place<IpAddr>>);

impl Lines {
    /// Room for so many of each source.
    pub(crate) fn new(max: u32) -> Self {
        let of_network = max.saturating_mul(NETWORK_SHARE);
        Self { sources: Crowd::new(max), networks: Crowd::new(of_network) }
    }

    /// A place; nothing if there is none left for this source or its network.
    pub(crate) fn enter(&self, source: IpAddr) -> Option<LinePlace> {
        let of_source = self.sources.enter(source)?;
        match network(source) {
            Some(network) => Some((of_source, Some(self.networks.enter(network)?))),
            None => Some((of_source, None)),
        }
    }
}

impl<K: Hash + Eq + Clone> Drop for Place<K> {
    fn drop(&mut self) {
        let mut inside = self.crowd.inside.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(count) = inside.get_mut(&self.key) else { return };
        let was_full = *count == self.crowd.max;
        *count = count.saturating_sub(self.places);
        if *count == 0 {
            inside.remove(&self.key);
        }
        drop(inside);
        if was_full {
            self.crowd.left.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]

    use super::*;

    #[test]
    fn each_key_has_its_own_places() {
        let crowd = Crowd::new(2);
        let (first, _second) = (crowd.enter(1).unwrap(), crowd.enter(1).unwrap());
        assert!(crowd.enter(1).is_none());
        assert!(crowd.enter(2).is_some());
        drop(first);
        assert!(crowd.enter(1).is_some());
        assert_eq!(crowd.inside.lock().unwrap().len(), 1);
    }

    #[test]
    fn places_are_taken_by_many_and_given_back_whole() {
        let crowd = Crowd::new(10);
        let first = crowd.enter_with(1, 7).unwrap();
        assert!(crowd.enter_with(1, 4).is_none());
        let _second = crowd.enter_with(1, 3).unwrap();
        drop(first);
        assert!(crowd.enter_with(1, 7).is_some());
        assert!(crowd.enter_with(2, 11).is_some(), "all of them is enough");
        assert!(crowd.enter_with(3, u32::MAX).is_some());
    }

    /// Who comes while all places are taken waits for one, but not for ever, and each who leaves lets one in.
    #[tokio::test]
    async fn whoever_waits_is_let_in_when_somebody_leaves() {
        let crowd = Crowd::new(2);
        let held = [crowd.enter(1).unwrap(), crowd.enter(1).unwrap()];
        assert!(crowd.wait(1, Duration::from_millis(20)).await.is_none());
        let waiting: Vec<_> = (0..4)
            .map(|_| {
                let crowd = Arc::clone(&crowd);
                tokio::spawn(async move { crowd.wait(1, Duration::from_secs(20)).await.is_some() })
            })
            .collect();
        tokio::task::yield_now().await;
        drop(held);
        for waits in waiting {
            assert!(waits.await.unwrap());
        }
        assert!(crowd.inside.lock().unwrap().is_empty());
    }

    /// attack AVL-04: one line has 256 networks of IPv6, and has no more places by that than some.
    #[test]
    fn a_line_of_ipv6_has_a_few_sources_worth_of_places() {
        let lines = Lines::new(2);
        let of = |at: u32| format!("2001:db8:0:{at:x}::").parse::<IpAddr>().unwrap();
        let held: Vec<_> = (0..256).filter_map(|at| lines.enter(of(at))).collect();
        assert_eq!(held.len(), usize::try_from(2 * NETWORK_SHARE).unwrap());
        assert!(lines.enter("2001:db8:1::".parse().unwrap()).is_some());
        assert!(lines.enter("192.0.2.1".parse().unwrap()).is_some());
        drop(held);
        assert!(lines.enter(of(9)).is_some());
    }
}
