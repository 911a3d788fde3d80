// SPDX-License-Identifier: MIT OR Apache-2.0
//! Wrong secrets: counted outside the vault, since it is shut, and answered more and more slowly.
//!
//! Argon2id is what makes guessing dear for a thief of the disk; the delay is for whoever sits at the
//! unlocked machine. The count becomes audit events at the next right secret.
//! Source: spec/vault-directory.md, rules DIR-9 and DIR-12.

use std::io;
use std::path::Path;

use aura_protocol::codec::{CodecError, Reader, Writer};

use crate::audit::{Action, Event, Outcome};
use crate::home::{self, Home};

/// Wrong secrets that are answered at once.
const FREE: u32 = 3;
const DELAY_MS_FIRST: u64 = 1_000;
const DELAY_MS_MAX: u64 = 15 * 60 * 1000;

/// Wrong secrets since the last right one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Attempts {
    pub(super) count: u32,
    pub(super) last_ms: i64,
}

impl Attempts {
    pub(super) fn read(path: &Path) -> Self {
        let parse = |bytes: Vec<u8>| -> Result<Self, CodecError> {
            let mut reader = Reader::new(&bytes);
            reader.tuple(2, |r| {
                let count = u32::try_from(r.uint()?).unwrap_or(u32::MAX);
                Ok(Self { count, last_ms: r.int()? })
            })
        };
        home::read(path).ok().and_then(|bytes| parse(bytes).ok()).unwrap_or_default()
    }

    pub(super) fn write(self, path: &Path) -> io::Result<()> {
        let mut w = Writer::new();
        w.array(2).uint(u64::from(self.count)).int(self.last_ms);
        home::replace(path, &w.into_bytes())
    }

    pub(super) fn failed(self, now_ms: i64) -> Self {
        Self { count: self.count.saturating_add(1), last_ms: now_ms }
    }

    /// How they go on the record, with the next right secret.
    pub(super) fn event(self) -> Event {
        Event {
            time_ms: self.last_ms,
            principal: "owner".to_owned(),
            action: Action::FailedUnlock,
            outcome: Outcome::Refused,
            categories: Vec::new(),
            count: u64::from(self.count),
            grant: String::new(),
        }
    }

    /// How long to wait before the next try, in milliseconds. A clock set back does not lengthen it
    /// beyond the whole delay.
    pub(super) fn wait_ms(self, now_ms: i64) -> u64 {
        let Some(beyond) = self.count.checked_sub(FREE) else { return 0 };
        let delay = DELAY_MS_FIRST.saturating_mul(1u64 << beyond.min(20)).min(DELAY_MS_MAX);
        let since = u64::try_from(now_ms.saturating_sub(self.last_ms)).unwrap_or(0);
        delay.saturating_sub(since)
    }
}

/// How long to wait before the next try at this vault, in milliseconds.
pub fn wait_ms(home: &Home, now_ms: i64) -> u64 {
    Attempts::read(&home.attempts()).wait_ms(now_ms)
}

/// How long to wait before the next try at this vault's second lock, in milliseconds.
pub fn second_wait_ms(home: &Home, now_ms: i64) -> u64 {
    Attempts::read(&home.second_attempts()).wait_ms(now_ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_grow_from_the_fourth_wrong_secret_and_end() {
        let wait = |count| Attempts { count, last_ms: 0 }.wait_ms(0);
        assert_eq!([wait(0), wait(2), wait(3), wait(4), wait(5)], [0, 0, 1000, 2000, 4000]);
        assert_eq!(wait(u32::MAX), DELAY_MS_MAX);
        assert_eq!(Attempts { count: 5, last_ms: 0 }.wait_ms(3000), 1000);
        assert_eq!(Attempts { count: 5, last_ms: 0 }.wait_ms(-10), 4000);
    }
}
