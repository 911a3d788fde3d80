// SPDX-License-Identifier: MIT OR Apache-2.0
//! How fast grants are used, and how often somebody asks in vain. In memory: it begins anew with each unlock.
//! Source: spec/consent.md, rules CNS-6 and CNS-8.

use std::collections::{BTreeMap, VecDeque};

use aura_protocol::id::GrantId;

use super::{Assistant, Rate};

/// Refusals that are on the record one by one, for an assistant and a minute.
pub const REFUSALS_MAX: u32 = 30;
/// Calls of an assistant in a minute.
pub const CALLS_MAX: u32 = 600;
const MINUTE_MS: i64 = 60_000;

/// What was used lately.
#[derive(Debug, Default)]
pub struct Pace {
    /// When and how many records, oldest first.
    used: BTreeMap<GrantId, VecDeque<(i64, u64)>>,
    /// How often each assistant was refused lately; and everybody else, together.
    refused: BTreeMap<Option<Assistant>, Minute>,
    /// How often each assistant has called lately.
    called: BTreeMap<Assistant, Minute>,
}

/// A count since some moment, for a minute.
#[derive(Debug, Default)]
struct Minute {
    since_ms: i64,
    count: u32,
}

impl Minute {
    /// One more at this time: how many that makes.
    fn add(&mut self, now_ms: i64) -> u32 {
        if now_ms.saturating_sub(self.since_ms) >= MINUTE_MS {
            *self = Self { since_ms: now_ms, count: 0 };
        }
        self.count = self.count.saturating_add(1);
        self.count
    }
}

/// Whether a call is one too many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Calls {
    /// It is answered.
    Enough,
    /// It has to wait.
    TooMany,
}

/// Whether a refusal is one of many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusals {
    /// It is put on the record by itself.
    Few,
    /// It is counted, with the others of its second.
    Many,
}

impl Pace {
    /// How many records more a rate allows at this time.
    pub fn left(&mut self, grant: GrantId, rate: Rate, now_ms: i64) -> u64 {
        let Some(used) = self.used.get_mut(&grant) else { return rate.records };
        let since = now_ms.saturating_sub(i64::from(rate.seconds).saturating_mul(1000));
        while used.front().is_some_and(|(at, _)| *at <= since) {
            used.pop_front();
        }
        let lately = used.iter().map(|(_, count)| *count).fold(0, u64::saturating_add);
        rate.records.saturating_sub(lately)
    }

    /// Notes that so many records were shown under a grant that has a rate.
    pub fn add(&mut self, grant: GrantId, now_ms: i64, count: u64) {
        self.used.entry(grant).or_default().push_back((now_ms, count));
    }

    /// Notes that an assistant was refused, or somebody who is none.
    pub fn refuse(&mut self, who: Option<&Assistant>, now_ms: i64) -> Refusals {
        let count = self.refused.entry(who.cloned()).or_default().add(now_ms);
        if count > REFUSALS_MAX { Refusals::Many } else { Refusals::Few }
    }

    /// Notes that an assistant calls.
    pub fn call(&mut self, who: &Assistant, now_ms: i64) -> Calls {
        let count = self.called.entry(who.clone()).or_default().add(now_ms);
        if count > CALLS_MAX { Calls::TooMany } else { Calls::Enough }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic is a failed test")]

    use super::*;

    const GRANT: GrantId = GrantId([1; 16]);

    /// CNS-6: a rate is over the last seconds, not over whole minutes.
    #[test]
    fn cns_6_a_rate_is_over_the_last_seconds() {
        let rate = Rate { records: 10, seconds: 2 };
        let mut pace = Pace::default();
        assert_eq!(pace.left(GRANT, rate, 0), 10);
        pace.add(GRANT, 100, 4);
        pace.add(GRANT, 1100, 9);
        assert_eq!(pace.left(GRANT, rate, 1200), 0);
        assert_eq!(pace.left(GRANT, rate, 2099), 0);
        assert_eq!(pace.left(GRANT, rate, 2100), 1);
        assert_eq!(pace.left(GRANT, rate, 3100), 10);
        assert_eq!(pace.left(GrantId([2; 16]), rate, 1200), 10, "another grant's is its own");
    }

    /// CNS-8: beyond so many in a minute, an assistant's refusals are counted together; another's are not.
    #[test]
    fn cns_8_many_refusals_are_counted_together() {
        let (one, other) = (Assistant::new("one").unwrap(), Assistant::new("other").unwrap());
        let mut pace = Pace::default();
        let now = |ms: i64| 1_000_000 + ms;
        for n in 0..REFUSALS_MAX {
            assert_eq!(pace.refuse(Some(&one), now(i64::from(n))), Refusals::Few);
        }
        assert_eq!(pace.refuse(Some(&one), now(59_999)), Refusals::Many);
        assert_eq!(pace.refuse(Some(&other), now(59_999)), Refusals::Few);
        assert_eq!(pace.refuse(None, now(59_999)), Refusals::Few);
        assert_eq!(pace.refuse(Some(&one), now(60_000)), Refusals::Few);
        for _ in 0..CALLS_MAX {
            assert_eq!(pace.call(&one, now(0)), Calls::Enough);
        }
        assert_eq!(pace.call(&one, now(59_999)), Calls::TooMany);
        assert_eq!(pace.call(&other, now(59_999)), Calls::Enough);
        assert_eq!(pace.call(&one, now(60_000)), Calls::Enough);
    }
}
