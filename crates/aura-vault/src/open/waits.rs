// SPDX-License-Identifier: MIT OR Apache-2.0
//! Snapshots of other devices that wait: for some days, so that the person can see what would go and stop it; or
//! until what they must be compared with is here.
//!
//! When one began to wait is this device's own word, in the database of its side. Built anew, it begins again. Source:
//! spec/snapshot.md, rules SNP-8 and SNP-10.

use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use aura_protocol::authority::Snapshot;
use aura_protocol::codec::{Reader, Writer};
use aura_protocol::id::{DeviceId, Hash};

use super::going::Going;
use super::{Bases, Open, OpenError, lock};
use crate::clock::physical_ms;
use crate::db::DbError;
use crate::views::Views;

/// SNP-10: how long a snapshot that was found to be sound waits, in milliseconds.
pub const GRACE_MS: i64 = 7 * 86_400_000;
/// Under what is remembered since when one waits, and for what.
const WAITS: &str = "waits/";

/// For what a snapshot waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// Its days are not over. This goes then.
    Days(Going),
    /// Not everything that it must be compared with is here, or something of it is damaged.
    Comparison,
}

/// Another device's snapshot that was neither adopted nor refused yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waiting {
    /// Whose it is.
    pub device: DeviceId,
    /// Since when, in milliseconds since 1970, by this device's clock.
    pub since_ms: i64,
    /// For what.
    pub wait: Wait,
}

impl Waiting {
    /// When it is adopted, if nothing comes between.
    pub fn due_ms(&self) -> Option<i64> {
        matches!(self.wait, Wait::Days(_)).then(|| self.since_ms.saturating_add(GRACE_MS))
    }
}

impl Open {
    /// Whether one that was found to be sound before has to wait on; for ever, if it was disowned meanwhile.
    pub(super) fn must_wait(
        &self,
        views: &Views,
        bases: &Bases,
        base: &Snapshot,
    ) -> Result<bool, OpenError> {
        let Some((since_ms, Wait::Days(_))) = views.waits(base.id)? else { return Ok(false) };
        Ok(self.is_disowned(bases, base)? || !self.is_over(since_ms))
    }

    /// Whether nobody adopts a snapshot any more.
    pub(super) fn is_disowned(&self, bases: &Bases, base: &Snapshot) -> Result<bool, OpenError> {
        let last = self.last_of(base)?;
        Ok(last.is_some_and(|last| bases.is_disowned(base, last, self.own)))
    }

    /// Whether one that was found to be sound has waited for its days, or the person, who could see what goes with it, has
    /// said that it need not. Its days begin otherwise.
    pub(super) fn has_waited(
        &self,
        views: &Views,
        (bases, base): (&Bases, &Snapshot),
        going: Going,
    ) -> Result<bool, OpenError> {
        if let Some((since_ms, Wait::Days(_))) = views.waits(base.id)?
            && !self.is_disowned(bases, base)?
            && self.is_over(since_ms)
        {
            return Ok(true);
        }
        views.note_wait(base.id, self.begin_ms()?, Wait::Days(going))?;
        Ok(false)
    }

    /// Now, and not before what this device has written last: a clock that is behind, and is set right later, would end
    /// the days at once.
    fn begin_ms(&self) -> Result<i64, OpenError> {
        let heads = self.log.heads()?;
        let own = heads.iter().filter_map(|head| head.claim().ok());
        let own = own.filter(|head| head.device == self.own).map(|head| physical_ms(head.clock));
        Ok(own.fold(self.clock.now_ms(), i64::max))
    }

    /// Notes that one cannot be compared yet, if that is new.
    pub(super) fn note_incomparable(&self, views: &Views, base: Hash) -> Result<(), OpenError> {
        match views.waits(base)? {
            Some((_, Wait::Comparison)) => Ok(()),
            _ => views.note_wait(base, self.begin_ms()?, Wait::Comparison),
        }
    }

    fn is_over(&self, since_ms: i64) -> bool {
        is_due(since_ms, self.clock.now_ms()) || self.is_hasty.load(Ordering::Acquire)
    }

    /// The snapshots that wait, oldest first. Of what is behind a second lock that is shut nothing is known.
    pub(crate) fn waiting(&self) -> Result<Vec<Waiting>, OpenError> {
        let bases = self.bases.read().unwrap_or_else(PoisonError::into_inner).clone();
        let adopted = self.adopted_bases()?;
        let in_force = bases.in_force(&adopted);
        let refused = lock(&self.refused).clone();
        let is_open = |base: &&Snapshot| {
            let is_judged = adopted.contains(&base.id) || refused.contains_key(&base.id);
            let is_own = base.feed.device == self.own;
            !is_judged && !is_own && !in_force.iter().any(|later| later.supersedes(base))
        };
        let second = self.second();
        let mut waiting = Vec::new();
        for base in bases.iter().filter(is_open) {
            if self.is_disowned(&bases, base)? {
                continue;
            }
            for views in [Some(&self.first), second.as_deref()].into_iter().flatten() {
                let known = views.waits(base.id)?;
                let device = base.feed.device;
                waiting.extend(known.map(|(since_ms, wait)| Waiting { device, since_ms, wait }));
            }
        }
        waiting.sort_by_key(|waiting| waiting.since_ms);
        Ok(waiting)
    }
}

/// Whether its days are over. One that began by a clock that was ahead of this one's waits for longer.
fn is_due(since_ms: i64, now_ms: i64) -> bool {
    now_ms.saturating_sub(since_ms) >= GRACE_MS
}

impl Views {
    /// Since when a snapshot waits, and for what.
    fn waits(&self, base: Hash) -> Result<Option<(i64, Wait)>, OpenError> {
        let Some(bytes) = self.db.recall(&format!("{WAITS}{base}"))? else { return Ok(None) };
        let mut reader = Reader::new(&bytes);
        let read = reader.array(4, Reader::uint);
        match read.map_err(|_| DbError::Damaged)?.as_slice() {
            [since] => Ok(Some((since.cast_signed(), Wait::Comparison))),
            [since, records, live, changes] => {
                let going = Going { records: *records, live: *live, changes: *changes };
                Ok(Some((since.cast_signed(), Wait::Days(going))))
            }
            _ => Err(DbError::Damaged.into()),
        }
    }

    fn note_wait(&self, base: Hash, now_ms: i64, wait: Wait) -> Result<(), OpenError> {
        let mut w = Writer::new();
        w.array(if wait == Wait::Comparison { 1 } else { 4 });
        w.uint(now_ms.cast_unsigned());
        if let Wait::Days(Going { records, live, changes }) = wait {
            w.uint(records).uint(live).uint(changes);
        }
        Ok(self.db.remember(&format!("{WAITS}{base}"), &w.into_bytes())?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// SNP-10: seven days, not a moment less.
    #[test]
    fn snp_10_days_are_seven() {
        let due = [GRACE_MS - 1, GRACE_MS, -GRACE_MS].map(|passed| is_due(1000, 1000 + passed));
        assert_eq!(due, [false, true, false]);
    }
}
