// SPDX-License-Identifier: MIT OR Apache-2.0
//! Changing single records of an open vault: new ids, writes, deletes, histories.
//!
//! Nothing here decides or records who may do it: that is `crate::gate`, the only caller.

use std::collections::BTreeMap;

use aura_crypto::entropy::Entropy;
use aura_protocol::entry::ChunkAdded;
use aura_protocol::id::{FeedId, RecordId};

use crate::audit::Event;
use crate::change::{self, Writes};
use crate::clock::{Clock, physical_ms};
use crate::db::Row;
use crate::feed::Commit;
use crate::keyring::Purpose;
use crate::op::{Carried, Change, Dot, Op};
use crate::open::{Open, OpenError, lock};
use crate::record::{Category, Kind};
use crate::state::{Act, State, Touch};

/// A new record id: creation time, then randomness, so that ids made together lie together.
pub(crate) fn new_id(now_ms: i64, entropy: &mut dyn Entropy) -> RecordId {
    let mut id = [0; 16];
    entropy.fill(&mut id);
    let time = u64::try_from(now_ms).unwrap_or_default().to_be_bytes();
    id.iter_mut().zip(time.iter().skip(2)).for_each(|(to, from)| *to = *from);
    RecordId(id)
}

/// The next id of a run of them: above the last one, so that a database appends them.
pub(crate) fn next_id(last: Option<RecordId>, now_ms: i64, entropy: &mut dyn Entropy) -> RecordId {
    let fresh = new_id(now_ms, entropy);
    let Some(last) = last.filter(|last| *last >= fresh) else { return fresh };
    // Made in the same millisecond, or the clock went back: a random step on from the last.
    let [.., a, b, c, d] = fresh.0;
    let step = u128::from(u32::from_be_bytes([a, b, c, d])).saturating_add(1);
    RecordId(u128::from_be_bytes(last.0).wrapping_add(step).to_be_bytes())
}

/// One op of a record, read back from the log.
pub(crate) struct Past {
    pub(crate) touch: Touch,
    pub(crate) carried: Carried,
    /// Whether a snapshot carries it: what was before it may be gone.
    pub(crate) is_carried: bool,
}

/// What was before a record's newest op.
pub(crate) enum Before {
    /// This.
    State(State),
    /// Nothing: the op made the record.
    Nothing,
    /// What was before it is not kept any more.
    Unknown,
}

impl Open {
    /// Writes one change of one record, with its audit event. Returns the record as it is then.
    pub(crate) fn change(
        &self,
        purpose: Purpose,
        event: Event,
        make: impl FnOnce(Clock) -> Op,
    ) -> Result<Option<Row>, OpenError> {
        let (applied, ()) = self.write(|pen| {
            let op = make(pen.tick(self.clock.now_ms()));
            let batch = self.batch(purpose, vec![op])?;
            Ok((Commit { batches: vec![batch], events: vec![event], ..Commit::default() }, ()))
        })?;
        Ok(applied.rows.into_iter().next())
    }

    /// Makes a record.
    pub(crate) fn create_record(
        &self,
        kind: Kind,
        category: Category,
        (writes, added): (Writes, Vec<ChunkAdded>),
        event: Event,
    ) -> Result<RecordId, OpenError> {
        let now_ms = self.clock.now_ms();
        let id = self.with_entropy(|entropy| new_id(now_ms, entropy));
        let change = change::write_op(id, kind, &State::default(), writes);
        self.write(|pen| {
            let op = Op { clock: pen.tick(now_ms), author: String::new(), change };
            let mut batch = self.batch(Purpose::Category(category), vec![op])?;
            batch.added = added;
            Ok((Commit { batches: vec![batch], events: vec![event], ..Commit::default() }, ()))
        })?;
        Ok(id)
    }

    /// Writes fields of a record that is there.
    pub(crate) fn write_fields(
        &self,
        row: &Row,
        kind: Kind,
        (fields, author): (Writes, &str),
        event: Event,
    ) -> Result<Option<Row>, OpenError> {
        let change = change::write_op(row.id, kind, &row.state, fields);
        self.change(Purpose::Category(row.category), event, |clock| Op {
            clock,
            author: author.to_owned(),
            change,
        })
    }

    /// Deletes a record.
    pub(crate) fn delete_record(&self, row: &Row, event: Event) -> Result<(), OpenError> {
        let change = Change::Delete { record: row.id, seen: row.state.seen([]) };
        let make = |clock| Op { clock, author: String::new(), change };
        self.change(Purpose::Category(row.category), event, make).map(drop)
    }

    /// Every op of a record, oldest first, read back from the log.
    pub(crate) fn past(&self, row: &Row) -> Result<Vec<Past>, OpenError> {
        let collections: Vec<_> = self.log.feeds()?.into_iter().map(|(feed, _)| feed).collect();
        // Where a snapshot carries an op, it says what ops did to it that are not there any more.
        let kept = self.carried(row.id, row.category)?.into_iter();
        let mut kept: BTreeMap<Dot, Carried> = kept.map(|carried| (carried.dot, carried)).collect();
        let mut past = Vec::new();
        let mut touches = row.state.touches().to_vec();
        touches.sort_unstable_by_key(|touch| (touch.clock, touch.dot));
        for touch in touches {
            if let Some(carried) = kept.remove(&touch.dot) {
                past.push(Past { touch, carried, is_carried: true });
                continue;
            }
            let written = |feed: &&FeedId| {
                feed.device == touch.dot.device
                    && feed.incarnation == touch.dot.incarnation
                    && self.with_keyring(|keyring| keyring.purpose(feed.collection))
                        == Some(Purpose::Category(row.category))
            };
            let Some(feed) = collections.iter().find(written) else { continue };
            let Some(entry) = self.entry(*feed, touch.dot.number)? else { continue };
            let at = usize::try_from(touch.dot.index).unwrap_or(usize::MAX);
            if let Some(op) = entry.ops.into_iter().nth(at) {
                let dot = touch.dot;
                let carried = Carried { dot, is_named: false, replaced: Vec::new(), op };
                past.push(Past { touch, carried, is_carried: false });
            }
        }
        Ok(past)
    }

    /// A record's state as some of its ops make it.
    pub(crate) fn replay<'a>(past: impl IntoIterator<Item = &'a Past>) -> State {
        State::replay(past.into_iter().map(|past| &past.carried))
    }

    /// A record as it was before its newest op.
    pub(crate) fn before_last(&self, row: &Row) -> Result<Before, OpenError> {
        let past = self.past(row)?;
        Ok(match past.split_last() {
            Some((last, earlier)) if !earlier.is_empty() => {
                let before = Self::replay(earlier);
                // A value that was replaced before, by what is not kept any more, is not known.
                let is_lost = |path: &String| {
                    let is_replaced = |past: &Past| past.carried.replaced.contains(path);
                    before.value(path).is_none() && earlier.iter().any(is_replaced)
                };
                let has_lost = match &last.carried.op.change {
                    Change::Write { fields, .. } => fields.keys().any(is_lost),
                    _ => false,
                };
                if has_lost { Before::Unknown } else { Before::State(before) }
            }
            Some((last, _)) if !last.is_carried => Before::Nothing,
            _ => Before::Unknown,
        })
    }

    /// Time, author and act of each op, for people.
    pub(crate) fn when(touch: &Touch) -> (i64, &str, Act) {
        (physical_ms(touch.clock), &touch.author, touch.act)
    }

    /// Runs `act` with randomness.
    pub(crate) fn with_entropy<T>(&self, act: impl FnOnce(&mut dyn Entropy) -> T) -> T {
        act(lock(&self.entropy).as_mut())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Same(u8);

    impl Entropy for Same {
        fn fill(&mut self, bytes: &mut [u8]) {
            bytes.fill(self.0);
        }
    }

    #[test]
    fn ids_of_a_run_rise_whatever_the_clock_does() {
        let times = [5, 5, 5, 7, 6, 0, 8];
        let mut last = None;
        for (now_ms, byte) in times.into_iter().zip([9, 3, 0, 1, 1, 255, 0]) {
            let id = next_id(last, now_ms, &mut Same(byte));
            assert!(last.is_none_or(|last| last < id), "{now_ms}");
            last = Some(id);
        }
        assert_eq!(crate::view::made_ms(last.unwrap()), 8);
    }
}
