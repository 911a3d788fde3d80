// SPDX-License-Identifier: MIT OR Apache-2.0
//! How a round is hurried: by whoever has changed something, or got something from another device, or heard that a store
//! has something new.
//!
//! Changes that follow each other wait for each other, so that they go together. What is new elsewhere has waited there
//! already and is fetched at once.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::lock;

/// What has happened since the last round began.
#[derive(Debug, Default, Clone, Copy)]
struct Since {
    has_changed: bool,
    has_news: bool,
    has_arrived: bool,
}

/// Tells what has happened to whoever begins rounds.
#[derive(Debug, Default)]
pub(super) struct Nudges {
    since: Mutex<Since>,
    told: Condvar,
}

/// Why a round begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    Change,
    News,
    /// Nothing has happened for as long as was waited.
    Time,
}

impl Nudges {
    /// Something may have changed here.
    pub(super) fn nudge(&self) {
        self.tell(|since| since.has_changed = true);
    }

    /// A store may have something new.
    pub(super) fn urge(&self) {
        self.tell(|since| since.has_news = true);
    }

    /// Something has come from another device.
    pub(super) fn arrive(&self) {
        self.tell(|since| (since.has_news, since.has_arrived) = (true, true));
    }

    fn tell(&self, what: impl FnOnce(&mut Since)) {
        what(&mut lock(&self.since));
        self.told.notify_all();
    }

    /// Waits until something has happened, but not for longer; changes count from `gathered` on. Says as well whether
    /// something has come from another device.
    pub(super) fn wait(&self, longest: Duration, gathered: Instant) -> (Cause, bool) {
        let begun = Instant::now();
        let mut since = lock(&self.since);
        let cause = loop {
            let left = longest.saturating_sub(begun.elapsed());
            let early = gathered.saturating_duration_since(Instant::now());
            let left = match *since {
                Since { has_news: true, .. } => break Cause::News,
                Since { has_changed: true, .. } if early.is_zero() => break Cause::Change,
                _ if left.is_zero() => break Cause::Time,
                Since { has_changed: true, .. } => left.min(early),
                _ => left,
            };
            let told = self.told.wait_timeout(since, left);
            since = told.unwrap_or_else(PoisonError::into_inner).0;
        };
        let has_arrived = since.has_arrived;
        // Changes that still wait for each other are not forgotten.
        let is_early = cause == Cause::Time && since.has_changed;
        *since = Since { has_changed: is_early, ..Since::default() };
        (cause, has_arrived)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(10);
    const SHORT: Duration = Duration::from_millis(20);

    #[test]
    fn changes_wait_for_each_other_and_news_do_not() {
        let nudges = Nudges::default();
        let begun = Instant::now();
        let gathered = begun + SHORT;
        nudges.nudge();
        nudges.nudge();
        assert_eq!(nudges.wait(LONG, gathered), (Cause::Change, false));
        assert!(begun.elapsed() >= SHORT);
        // Both went together.
        assert_eq!(nudges.wait(SHORT, begun), (Cause::Time, false));
        nudges.urge();
        assert_eq!(nudges.wait(LONG, begun + LONG), (Cause::News, false));
        nudges.arrive();
        assert_eq!(nudges.wait(LONG, begun + LONG), (Cause::News, true));
        // It has been said.
        assert_eq!(nudges.wait(SHORT, begun), (Cause::Time, false));
        assert!(begun.elapsed() < LONG);
    }

    #[test]
    fn a_change_that_waits_longer_than_a_round_is_not_forgotten() {
        let nudges = Nudges::default();
        let begun = Instant::now();
        nudges.nudge();
        assert_eq!(nudges.wait(SHORT, begun + LONG).0, Cause::Time);
        assert_eq!(nudges.wait(LONG, begun).0, Cause::Change);
    }
}
