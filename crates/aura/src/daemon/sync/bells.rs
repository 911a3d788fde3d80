// SPDX-License-Identifier: MIT OR Apache-2.0
//! Stores that have told of something new, until a round has seen to it.
//!
//! Whoever listens to a store asks it again only then: until what it told of is here, it would tell the same again.

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use super::lock;
use super::site::SiteId;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bell {
    Rings,
    /// A round goes on that began after it rang.
    IsHeard,
}

/// The bell of each store that rings or was heard.
#[derive(Debug, Default)]
pub(super) struct Bells {
    bells: Mutex<BTreeMap<SiteId, Bell>>,
    answered: Condvar,
}

impl Bells {
    /// A store has something new.
    pub(super) fn ring(&self, id: &SiteId) {
        lock(&self.bells).insert(id.clone(), Bell::Rings);
    }

    /// Whether a store's bell rings; a round begins that sees to it.
    pub(super) fn hear(&self, id: &SiteId) -> bool {
        let mut bells = lock(&self.bells);
        let bell = bells.get_mut(id).filter(|bell| **bell == Bell::Rings);
        bell.map(|bell| *bell = Bell::IsHeard).is_some()
    }

    /// A round with a store has ended. What rang meanwhile waits for the next one.
    pub(super) fn answer(&self, id: &SiteId) {
        let mut bells = lock(&self.bells);
        if bells.get(id) == Some(&Bell::IsHeard) {
            bells.remove(id);
            self.answered.notify_all();
        }
    }

    /// Waits until a store's bell was answered, but not for longer.
    pub(super) fn wait(&self, id: &SiteId, longest: Duration) {
        let bells = lock(&self.bells);
        let waited =
            self.answered.wait_timeout_while(bells, longest, |bells| bells.contains_key(id));
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }
}

#[cfg(test)]
mod tests {
    use std::thread;
    use std::time::Instant;

    use super::*;

    #[test]
    fn what_rings_during_a_round_waits_for_the_next_one() {
        let (bells, id) = (Bells::default(), SiteId::Lan);
        assert!(!bells.hear(&id));
        bells.ring(&id);
        assert!(bells.hear(&id));
        bells.ring(&id);
        bells.answer(&id);
        let begun = Instant::now();
        bells.wait(&id, Duration::from_millis(20));
        assert!(begun.elapsed() >= Duration::from_millis(20));
        assert!(bells.hear(&id));
        assert!(!bells.hear(&id));
        let long = Duration::from_secs(20);
        thread::scope(|scope| {
            let listener = scope.spawn(|| bells.wait(&id, long));
            bells.answer(&id);
            listener.join().unwrap();
        });
        assert!(begun.elapsed() < long);
    }
}
