// SPDX-License-Identifier: MIT OR Apache-2.0
//! The hybrid logical clock: physical milliseconds and a counter, in one number that never goes back.
//!
//! Orders concurrent writes; a causal successor wins without it. The wall clock is an argument.
//! A received clock far ahead never advances one's own, so one device with a wrong clock cannot
//! drag the others along. Source: spec/ops.md, rules OPS-1 to OPS-3.

/// The current time in milliseconds since 1970 (UTC), as the program gives it.
pub trait WallClock: Send + Sync {
    /// Now.
    fn now_ms(&self) -> i64;
}

/// How far ahead a received clock may be and still advance one's own.
const AHEAD_MS_MAX: u64 = 5 * 60 * 1000;
const COUNTER_BITS: u32 = 16;

/// A clock value: milliseconds since 1970 in the upper 48 bits, a counter in the lower 16.
pub type Clock = u64;

/// The physical part of a clock value, in milliseconds since 1970.
pub fn physical_ms(clock: Clock) -> i64 {
    i64::try_from(clock >> COUNTER_BITS).unwrap_or(i64::MAX)
}

fn from_physical(now_ms: i64) -> Clock {
    u64::try_from(now_ms).unwrap_or(0).min(u64::MAX >> COUNTER_BITS) << COUNTER_BITS
}

/// A device's clock.
#[derive(Debug, Clone, Default)]
pub struct HybridClock {
    last: Clock,
}

impl HybridClock {
    /// A clock that continues after `last`.
    pub fn after(last: Clock) -> Self {
        Self { last }
    }

    /// The newest value.
    pub fn last(&self) -> Clock {
        self.last
    }

    /// The next value: above every earlier one, whatever the wall clock does (OPS-1, F-19).
    pub fn tick(&mut self, now_ms: i64) -> Clock {
        self.last = from_physical(now_ms).max(self.last.saturating_add(1));
        self.last
    }

    /// Takes note of another device's value, unless it is too far ahead of the wall clock (OPS-2).
    pub fn observe(&mut self, other: Clock, now_ms: i64) {
        let bound = from_physical(now_ms).saturating_add(AHEAD_MS_MAX << COUNTER_BITS);
        if other <= bound {
            self.last = self.last.max(other);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f_19_a_clock_set_back_does_not_go_back() {
        let mut clock = HybridClock::default();
        let first = clock.tick(1_700_000_000_000);
        let second = clock.tick(1_500_000_000_000);
        assert!(second > first);
        assert_eq!(physical_ms(second), 1_700_000_000_000);
        assert!(clock.tick(-5) > second);
    }

    #[test]
    fn a_clock_far_ahead_is_not_followed() {
        let mut clock = HybridClock::default();
        let now = 1_700_000_000_000;
        clock.tick(now);
        clock.observe(from_physical(now + 10 * 60 * 1000), now);
        assert_eq!(physical_ms(clock.last()), now);
        clock.observe(from_physical(now + 60 * 1000), now);
        assert_eq!(physical_ms(clock.last()), now + 60 * 1000);
    }
}
