// SPDX-License-Identifier: MIT OR Apache-2.0
//! How much of an account's quota is used, what is on its way in, and the small share of devices that wait.
//!
//! Room is taken before anything is written and given back if it was not. Counts are estimates that are never too
//! low; before anybody is told that there is no room, it is counted anew. Source: spec/http.md, HTP-13. In bytes.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use aura_protocol::store::StoreError;

/// How often it is counted anew at most: that walks through all chunks.
const MEASURE: Duration = Duration::from_mins(1);
/// Devices that wait to be confirmed have this part of a quota, all together,
const WAITING_PART: u64 = 16;
/// but not less and not more than this.
const WAITING_BYTES_MIN: u64 = 256 << 10;
const WAITING_BYTES_MAX: u64 = 1 << 30;

/// What something takes: of the quota, and of the share of devices that wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Cost {
    pub(crate) bytes: u64,
    pub(crate) waiting: u64,
}

impl Cost {
    fn plus(self, other: Self) -> Self {
        let bytes = self.bytes.saturating_add(other.bytes);
        Self { bytes, waiting: self.waiting.saturating_add(other.waiting) }
    }

    fn minus(self, other: Self) -> Self {
        let bytes = self.bytes.saturating_sub(other.bytes);
        Self { bytes, waiting: self.waiting.saturating_sub(other.waiting) }
    }
}

#[derive(Debug)]
struct Counts {
    kept: Cost,
    coming: Cost,
    /// Whether it was counted what devices that wait have: not yet when a store was just opened.
    is_waiting_known: bool,
    /// When it was counted anew because there seemed to be no room.
    measured: Option<Instant>,
    /// Since when somebody else may have taken room.
    old: Option<Instant>,
}

/// What an account uses.
#[derive(Debug)]
pub(crate) struct Used(Mutex<Counts>);

/// Room for something that is on its way in; given back when it is dropped, unless it was kept.
#[derive(Debug)]
pub(crate) struct Coming<'a> {
    used: &'a Used,
    cost: Cost,
}

impl Used {
    /// What was counted when a store was opened.
    pub(crate) fn new(bytes: u64) -> Self {
        Self(Mutex::new(Counts {
            kept: Cost { bytes, waiting: 0 },
            coming: Cost::default(),
            is_waiting_known: false,
            measured: None,
            old: None,
        }))
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Bytes that are kept or on their way in.
    pub(crate) fn bytes(&self) -> u64 {
        let counts = self.counts();
        counts.kept.plus(counts.coming).bytes
    }

    /// What waits may have become what is confirmed: the next count is at once.
    pub(crate) fn doubt(&self) {
        self.counts().measured = None;
    }

    /// Another node may have taken room: in a minute at most it is counted anew.
    pub(crate) fn grow_old(&self) {
        self.counts().old.get_or_insert_with(Instant::now);
    }

    /// Room for something; `measure` counts anew.
    pub(crate) fn room(
        &self,
        cost: Cost,
        quota: u64,
        measure: impl FnOnce() -> Result<Cost, StoreError>,
    ) -> Result<Coming<'_>, StoreError> {
        let mut counts = self.counts();
        let is_old = counts.old.is_some_and(|since| since.elapsed() >= MEASURE);
        let is_unknown = is_old || cost.waiting > 0 && !counts.is_waiting_known;
        if is_unknown || !fits(&counts, cost, quota) {
            let is_due = counts.measured.is_none_or(|measured| measured.elapsed() >= MEASURE);
            if !is_unknown && !is_due {
                return Err(StoreError::Full);
            }
            (counts.measured, counts.is_waiting_known) = (Some(Instant::now()), true);
            counts.old = None;
            // What is on its way in may be there already: then it counts twice, not never.
            counts.kept = measure()?;
            if !fits(&counts, cost, quota) {
                return Err(StoreError::Full);
            }
        }
        counts.coming = counts.coming.plus(cost);
        Ok(Coming { used: self, cost })
    }
}

fn fits(counts: &Counts, cost: Cost, quota: u64) -> bool {
    let all = counts.kept.plus(counts.coming).plus(cost);
    (quota == 0 || all.bytes <= quota) && (cost.waiting == 0 || all.waiting <= share(quota))
}

/// What all devices that wait to be confirmed have together.
fn share(quota: u64) -> u64 {
    match quota {
        0 => WAITING_BYTES_MAX,
        quota => (quota / WAITING_PART).clamp(WAITING_BYTES_MIN, WAITING_BYTES_MAX),
    }
}

impl Coming<'_> {
    /// What it was for is there.
    pub(crate) fn keep(self) {
        let mut counts = self.used.counts();
        counts.kept = counts.kept.plus(self.cost);
    }
}

impl Drop for Coming<'_> {
    fn drop(&mut self) {
        let mut counts = self.used.counts();
        counts.coming = counts.coming.minus(self.cost);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]

    use super::*;

    fn of(bytes: u64) -> Cost {
        Cost { bytes, waiting: 0 }
    }

    fn unmeasured() -> Result<Cost, StoreError> {
        Err(StoreError::Refused("nobody counts"))
    }

    /// HTP-13, attack AVL-03: pushes at the same time do not pass the bound together, and what was not kept is given
    /// back.
    #[test]
    fn what_comes_at_once_stays_within() {
        let used = Used::new(10);
        let first = used.room(of(50), 100, unmeasured).unwrap();
        assert!(matches!(used.room(of(50), 100, || Ok(of(10))), Err(StoreError::Full)));
        assert_eq!(used.bytes(), 60);
        drop(first);
        assert_eq!(used.bytes(), 10);
        used.room(of(50), 100, unmeasured).unwrap().keep();
        assert_eq!(used.bytes(), 60);
        used.room(of(1_000), 0, unmeasured).unwrap();
    }

    /// HTP-13: counted anew before the first refusal, and then now and then.
    #[test]
    fn it_is_counted_anew_before_it_is_refused() {
        let used = Used::new(90);
        used.room(of(50), 100, || Ok(of(20))).unwrap().keep();
        assert!(matches!(used.room(of(50), 100, unmeasured), Err(StoreError::Full)));
        used.doubt();
        used.room(of(50), 100, || Ok(of(20))).unwrap();
    }

    /// HTP-13: devices that wait have a share of their own, and it is not more than the quota.
    #[test]
    fn devices_that_wait_have_a_share() {
        let quota = WAITING_PART * WAITING_BYTES_MIN;
        let used = Used::new(0);
        let waits = |bytes| Cost { bytes, waiting: bytes };
        used.room(waits(WAITING_BYTES_MIN), quota, || Ok(of(0))).unwrap().keep();
        let more = used.room(waits(1), quota, || Ok(waits(WAITING_BYTES_MIN)));
        assert!(matches!(more, Err(StoreError::Full)));
        used.room(of(quota - WAITING_BYTES_MIN), quota, unmeasured).unwrap();
        let small = Used::new(0).room(waits(101), 100, || Ok(of(0))).map(drop);
        assert!(matches!(small, Err(StoreError::Full)));
    }
}
