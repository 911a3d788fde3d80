// SPDX-License-Identifier: MIT OR Apache-2.0
//! How many of one kind are here at once, for each source or vault: nobody takes the server from the others.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

/// So many places for each key.
#[derive(Debug)]
pub(crate) struct Crowd<K: Hash + Eq> {
    inside: Mutex<HashMap<K, u32>>,
    max: u32,
}

/// A place in a crowd, given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Place<K: Hash + Eq + Clone> {
    crowd: Arc<Crowd<K>>,
    key: K,
}

impl<K: Hash + Eq + Clone> Crowd<K> {
    /// Room for so many of each.
    pub(crate) fn new(max: u32) -> Arc<Self> {
        Arc::new(Self { inside: Mutex::default(), max })
    }

    /// A place; nothing if there is none left for this key.
    pub(crate) fn enter(self: &Arc<Self>, key: K) -> Option<Place<K>> {
        let mut inside = self.inside.lock().unwrap_or_else(PoisonError::into_inner);
        let count = inside.entry(key.clone()).or_default();
        if *count >= self.max {
            return None;
        }
        *count = count.saturating_add(1);
        drop(inside);
        Some(Place { crowd: Arc::clone(self), key })
    }
}

impl<K: Hash + Eq + Clone> Drop for Place<K> {
    fn drop(&mut self) {
        let mut inside = self.crowd.inside.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = inside.get_mut(&self.key) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                inside.remove(&self.key);
            }
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
}
