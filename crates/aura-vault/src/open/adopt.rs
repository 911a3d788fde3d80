// SPDX-License-Identifier: MIT OR Apache-2.0
//! Adopting other devices' snapshots, and this one's own.
//!
//! A snapshot is read through once before anything is let go of: one that is not whole, or, where this device has
//! what it covers, one that would change what is shown, is refused. Then nobody lets go of anything, since this
//! device never says that it has applied it. Source: spec/snapshot.md, rules SNP-2, SNP-3 and SNP-7.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::PoisonError;

use aura_protocol::authority::Snapshot;
use aura_protocol::codec::{Decode as _, Encode as _, Reader, Writer};
use aura_protocol::id::{FeedId, Hash, RecordId};
use aura_protocol::store::StoreError;

use super::{FEEDS_MAX, Freshness, Open, OpenError, Side, index_rows, lock, settle_side};
use crate::change::{self, Writes};
use crate::db::{Adopted, Db, Part, Row, Which};
use crate::feed::Commit;
use crate::keyring::Purpose;
use crate::op::{Carried, Carry, Change, Dot, Op};
use crate::record::Category;
use crate::retain::replay;
use crate::state::Touch;
use crate::view;
use crate::views::Views;

/// Under what is remembered that a snapshot was adopted, and up to where it covers each feed.
const ADOPTED: &str = "base/";
/// Under what is remembered that one is being adopted.
const ADOPTING: &str = "adopting";
/// Records that are told to an empty index at a time.
const REINDEX_ROWS: usize = 256;

/// Why a snapshot was refused. Nothing was let go of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unsound {
    /// Its records are not in order, or its end is missing.
    Form,
    /// What it covers is not what is here.
    Fork,
    /// It would change what is shown of so many records.
    Unfaithful(u64),
}

/// Up to where adopted snapshots cover each feed: what is not there of it is gone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Covered(BTreeMap<FeedId, u64>);

impl Covered {
    /// Up to which entry of a feed.
    pub(crate) fn upto(&self, feed: FeedId) -> u64 {
        self.0.get(&feed).copied().unwrap_or_default()
    }

    fn add(&mut self, covered: &BTreeMap<FeedId, u64>) {
        for (feed, number) in covered {
            let upto = self.0.entry(*feed).or_default();
            *upto = number.max(upto).to_owned();
        }
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

type Records = Vec<(RecordId, Vec<Carried>)>;

/// A record and its values before a snapshot took some of them.
pub(crate) type Unsaid = (RecordId, Vec<(String, String)>);

/// The vault's snapshots, and what became of them here.
#[derive(Debug, Clone)]
pub(crate) struct Told {
    pub(crate) bases: Vec<Snapshot>,
    pub(crate) adopted: BTreeSet<Hash>,
    /// Those behind the second lock, which is shut.
    pub(crate) waiting: BTreeSet<Hash>,
    pub(crate) refused: BTreeMap<Hash, Unsound>,
}

/// What one snapshot covers.
struct Scope<'a> {
    base: &'a Snapshot,
    category: Category,
    /// What others cover that were adopted before.
    before: Covered,
}

impl Scope<'_> {
    fn feed(&self, dot: &Dot) -> FeedId {
        let collection = self.base.feed.collection;
        FeedId { collection, device: dot.device, incarnation: dot.incarnation }
    }

    fn covers(&self, dot: &Dot) -> bool {
        dot.number <= self.base.covers(self.feed(dot)).number
    }

    fn is_gone(&self, dot: &Dot) -> bool {
        dot.number <= self.before.upto(self.feed(dot))
    }

    fn with_part<T>(
        &self,
        (after, upto, records): (Option<RecordId>, Option<RecordId>, Records),
        act: impl FnOnce(&Part<'_>) -> T,
    ) -> T {
        let is_covered = |dot: &Dot| self.covers(dot);
        let is_gone = |dot: &Dot| self.is_gone(dot);
        let category = self.category;
        act(&Part { category, after, upto, records, is_covered: &is_covered, is_gone: &is_gone })
    }
}

impl Open {
    /// Adopts the snapshots of one side that are there and were not adopted before. The views follow.
    pub(super) fn adopt_side(&self, views: &Views, side: Side) -> Result<(), OpenError> {
        let bases = self.bases.read().unwrap_or_else(PoisonError::into_inner).clone();
        for base in bases.iter().filter(|base| self.side(base.feed.collection) == side) {
            let name = format!("{ADOPTED}{}", base.id);
            if views.db.recall(&name)?.is_some() || lock(&self.refused).contains_key(&base.id) {
                continue;
            }
            let Some(category) = self.sole_category(base) else { continue };
            let applied = views.db.applied(base.feed)?;
            if self.reach(base.feed).upto(applied, applied) < base.range.1 {
                continue;
            }
            let before = views.adopted()?;
            let scope = Scope { base, category, before };
            let late = match self.try_base(views, &scope)? {
                Ok(late) => late,
                Err(unsound) => {
                    lock(&self.refused).insert(base.id, unsound);
                    continue;
                }
            };
            let was_cut_short = views.db.recall(ADOPTING)?.is_some_and(|id| !id.is_empty());
            views.db.remember(ADOPTING, &base.id.0)?;
            self.each_part(base, &mut |after, upto, records| {
                for adopted in
                    scope.with_part((after, upto, records), |part| views.db.adopt(part))?
                {
                    match adopted {
                        Adopted::Changed(row) => {
                            index_rows(views, &[row], Freshness::PerhapsIndexed)?;
                        }
                        Adopted::Gone(id) => views.index.delete(id)?,
                    }
                }
                Ok(())
            })?
            .map_err(|_| OpenError::Passed)?;
            if was_cut_short {
                reindex(views)?;
            }
            let covered = numbers(base);
            {
                let mut indexed = lock(&views.indexed);
                for (feed, number) in &covered {
                    let upto = indexed.entry(*feed).or_default();
                    *upto = number.max(upto).to_owned();
                }
            }
            // The index first: what it lacks of an adopted snapshot could not be read again.
            settle_side(views)?;
            views.db.remember(&name, &encode(&covered))?;
            views.db.remember(ADOPTING, &[])?;
            lock(&self.unsaid).extend(late);
        }
        Ok(())
    }

    /// Says again what this device's own late changes stood on and what went with a snapshot: whoever changed a
    /// record that others had let go of meant all of it.
    pub(crate) fn say_again(&self) -> Result<(), OpenError> {
        let late = core::mem::take(&mut *lock(&self.unsaid));
        for (id, values) in late {
            let Some(row) = self.record_row(id)?.filter(|row| row.state.is_live()) else {
                continue;
            };
            let lost: Writes = values
                .into_iter()
                .filter(|(path, _)| !row.state.has_path(path))
                .map(|(path, value)| (path, Some(value)))
                .collect();
            if lost.is_empty() {
                continue;
            }
            let texts =
                lost.iter().filter_map(|(path, value)| Some((path.as_str(), value.as_deref()?)));
            let mut added = Vec::new();
            for name in view::blobs_of(texts).iter().flat_map(|(_, blob)| blob.chunk_names()) {
                added.extend(self.log.claims(name)?.into_iter().next());
            }
            added.sort_by_key(|chunk| chunk.name);
            added.dedup_by_key(|chunk| chunk.name);
            let change = change::write_op(row.id, row.kind(), &row.state, lost);
            self.write(|pen| {
                let clock = pen.tick(self.clock.now_ms());
                let op = Op { clock, author: String::new(), change };
                let mut batch = self.batch(Purpose::Category(row.category), vec![op])?;
                batch.added = added;
                Ok((Commit { batches: vec![batch], ..Commit::default() }, ()))
            })?;
        }
        Ok(())
    }

    /// The category of a base's collection, if that is the only collection of its category (OPS-15).
    fn sole_category(&self, base: &Snapshot) -> Option<Category> {
        self.with_keyring(|keyring| match keyring.purpose(base.feed.collection)? {
            Purpose::Category(category) => {
                let is_sole = keyring.collections(Purpose::Category(category)).nth(1).is_none();
                is_sole.then_some(category)
            }
            Purpose::Audit => None,
        })
    }

    /// Adopts in a database of its own what the views have adopted.
    pub(crate) fn adopt_beside(&self, views: &Views, db: &Db, side: Side) -> Result<(), OpenError> {
        let bases = self.bases.read().unwrap_or_else(PoisonError::into_inner).clone();
        let mut before = Covered::default();
        for base in bases.iter().filter(|base| self.side(base.feed.collection) == side) {
            let Some(category) = self.sole_category(base) else { continue };
            if !views.has_adopted(base.id)? {
                continue;
            }
            let scope = Scope { base, category, before: before.clone() };
            let read = self.each_part(base, &mut |after, upto, records| {
                scope.with_part((after, upto, records), |part| db.adopt(part))?;
                Ok(())
            })?;
            read.map_err(|_| OpenError::Passed)?;
            before.add(&numbers(base));
        }
        Ok(())
    }

    /// Reads a snapshot through and changes nothing.
    fn try_base(
        &self,
        views: &Views,
        scope: &Scope<'_>,
    ) -> Result<Result<Vec<Unsaid>, Unsound>, OpenError> {
        let mut is_whole = true;
        for (feed, at) in &scope.base.covered {
            let before = scope.before.upto(*feed);
            // What was let go of under a snapshot that is not in these views was never in them.
            let has_gap = self.log.floor(*feed)?.number > before;
            if has_gap || views.db.applied(*feed)?.max(before) < at.number {
                is_whole = false;
                continue;
            }
            match self.log.entry(*feed, at.number) {
                Ok(entry) if entry.hash() != at.hash => return Ok(Err(Unsound::Fork)),
                Ok(_)
                | Err(
                    StoreError::Forgotten { .. }
                    | StoreError::Absent
                    | StoreError::DamagedEntry { .. },
                ) => {}
                Err(error) => return Err(error.into()),
            }
        }
        let (mut unfaithful, mut late) = (0u64, Vec::new());
        let read = self.each_part(scope.base, &mut |after, upto, records| {
            if is_whole {
                let changed =
                    scope.with_part((after, upto, records), |part| views.db.changed_by(part))?;
                for (row, carried) in changed {
                    if !self.is_faithful(scope, &row, &carried)? {
                        unfaithful = unfaithful.saturating_add(1);
                    } else if self.is_own_and_late(scope, &row) {
                        late.push((row.id, pairs(&row)));
                    }
                }
            }
            Ok(())
        })?;
        Ok(match (read, unfaithful) {
            (Err(unsound), _) => Err(unsound),
            (Ok(()), 0) => Ok(late),
            (Ok(()), count) => Err(Unsound::Unfaithful(count)),
        })
    }

    /// Whether what a snapshot covers of a record comes to what it carries: what came since is left out.
    fn is_faithful(
        &self,
        scope: &Scope<'_>,
        row: &Row,
        carried: &[Carried],
    ) -> Result<bool, OpenError> {
        let past = self.past(row)?;
        let covered = row.state.touches().iter().filter(|touch| scope.covers(&touch.dot));
        let known = || past.iter().filter(|past| scope.covers(&past.touch.dot));
        if known().count() != covered.count() {
            return Ok(false);
        }
        let (before, after) = (Self::replay(known()), replay(carried));
        let is_same = before.leaf(row.id) == after.leaf(row.id);
        Ok(before.is_live() == after.is_live() && (is_same || !before.is_live()))
    }

    /// Whether this device changed a record after what a snapshot covers, or concurrently.
    fn is_own_and_late(&self, scope: &Scope<'_>, row: &Row) -> bool {
        let is_late = |touch: &Touch| touch.dot.device == self.own && !scope.covers(&touch.dot);
        row.state.is_live() && row.state.touches().iter().any(is_late)
    }

    /// Hands on a snapshot in parts, in order. Each says what is left of the records after one up to another.
    fn each_part(
        &self,
        base: &Snapshot,
        take: &mut dyn FnMut(Option<RecordId>, Option<RecordId>, Records) -> Result<(), OpenError>,
    ) -> Result<Result<(), Unsound>, OpenError> {
        let (first, last) = base.range;
        let mut reading = Reading::default();
        let read = self.each_entry(base.feed, first.saturating_sub(1), last, &mut |entries| {
            for op in entries.into_iter().flat_map(|entry| entry.ops) {
                if let Change::Carry(carry) = op.change {
                    reading.take(carry);
                }
            }
            match reading.part() {
                Some((after, upto, records)) => take(after, Some(upto), records),
                None => Ok(()),
            }
        });
        read?;
        match reading.end() {
            Some((after, records)) => take(after, None, records).map(Ok),
            None => Ok(Err(Unsound::Form)),
        }
    }

    /// The snapshots that were adopted and that no other one covers, and why others were refused.
    pub(crate) fn told_bases(&self) -> Result<Told, OpenError> {
        let bases = self.bases.read().unwrap_or_else(PoisonError::into_inner).clone();
        let second = self.second();
        let (mut adopted, mut waiting) = (BTreeSet::new(), BTreeSet::new());
        for base in &bases {
            let views = match self.side(base.feed.collection) {
                Side::First => Some(&self.first),
                Side::Second => second.as_deref(),
            };
            match views {
                Some(views) if views.has_adopted(base.id)? => adopted.insert(base.id),
                Some(_) => false,
                None => waiting.insert(base.id),
            };
        }
        let refused = lock(&self.refused).clone();
        Ok(Told { bases, adopted, waiting, refused })
    }

    /// What is left of a record that a snapshot carries, if it does.
    pub(crate) fn carried(
        &self,
        record: RecordId,
        category: Category,
    ) -> Result<Vec<Carried>, OpenError> {
        let Told { bases, adopted, .. } = self.told_bases()?;
        let mut carried = Vec::new();
        for base in bases.iter().filter(|base| adopted.contains(&base.id)) {
            if self.sole_category(base) == Some(category) {
                carried.extend(self.find_carried(base, record)?);
            }
        }
        Ok(carried)
    }

    /// The records of a snapshot ascend: halving finds one.
    fn find_carried(&self, base: &Snapshot, record: RecordId) -> Result<Vec<Carried>, OpenError> {
        let carries = |number: u64| -> Result<Vec<Carry>, OpenError> {
            let entry = self.entry(base.feed, number)?;
            let ops = entry.into_iter().flat_map(|entry| entry.ops);
            Ok(ops
                .filter_map(|op| match op.change {
                    Change::Carry(carry) => Some(carry),
                    _ => None,
                })
                .collect())
        };
        // The first entry whose last record is not before this one. Entries without records are stepped over.
        let (mut low, mut high) = base.range;
        while low < high {
            let middle = low + (high - low) / 2;
            let mut at = middle;
            let mut found = carries(at)?;
            while found.is_empty() && at < high {
                at = at.saturating_add(1);
                found = carries(at)?;
            }
            let is_before =
                found.last().is_some_and(|last| last.record.is_some_and(|last| last < record));
            if is_before { low = at.saturating_add(1) } else { high = middle }
        }
        let mut carried = Vec::new();
        let mut number = low;
        while number <= base.range.1 {
            let found = carries(number)?;
            let is_past =
                found.last().is_some_and(|last| last.record.is_none_or(|last| last > record));
            let of_record = found.into_iter().filter(|carry| carry.record == Some(record));
            carried.extend(of_record.flat_map(|carry| carry.ops));
            if is_past {
                break;
            }
            number = number.saturating_add(1);
        }
        Ok(carried)
    }
}

impl Views {
    /// Up to where the snapshots that were adopted on this side cover each feed.
    pub(super) fn adopted(&self) -> Result<Covered, OpenError> {
        let mut all = Covered::default();
        for (_, bytes) in self.db.recall_all(ADOPTED)? {
            let mut reader = Reader::new(&bytes);
            let read =
                reader.array(FEEDS_MAX, |r| r.tuple(2, |r| Ok((FeedId::decode(r)?, r.uint()?))));
            let read = read.map_err(|_| crate::db::DbError::Damaged)?;
            all.add(&read.into_iter().collect());
        }
        Ok(all)
    }

    /// Up to which entry a feed is in one side's views, or covered by a snapshot that is.
    pub(crate) fn applied(&self, feed: FeedId) -> Result<u64, OpenError> {
        Ok(self.db.applied(feed)?.max(self.adopted()?.upto(feed)))
    }

    /// Up to which entry a feed is covered by snapshots that one side has adopted.
    pub(crate) fn covered_upto(&self, feed: FeedId) -> Result<u64, OpenError> {
        Ok(self.adopted()?.upto(feed))
    }

    /// Whether a snapshot was adopted here.
    pub(crate) fn has_adopted(&self, base: Hash) -> Result<bool, OpenError> {
        Ok(self.db.recall(&format!("{ADOPTED}{base}"))?.is_some())
    }

    /// Tells an index what its database has, from the beginning, if it lacks what could not be read again.
    pub(crate) fn reindex_if_behind(&self) -> Result<(), OpenError> {
        let covered = self.adopted()?;
        let is_behind = {
            let indexed = lock(&self.indexed);
            covered.0.iter().any(|(feed, number)| indexed.get(feed).is_none_or(|at| at < number))
        };
        if !is_behind || covered.is_empty() {
            return Ok(());
        }
        reindex(self)?;
        let mut indexed = lock(&self.indexed);
        for (feed, number) in self.db.feeds()?.into_iter().chain(covered.0) {
            let upto = indexed.entry(feed).or_default();
            *upto = number.max(*upto);
        }
        Ok(())
    }
}

/// Gathers what a snapshot's ops say, and keeps the last record back: more of it may come.
#[derive(Default)]
struct Reading {
    /// Up to which record everything was handed on.
    done: Option<RecordId>,
    records: Records,
    has_ended: bool,
    is_disordered: bool,
}

impl Reading {
    fn take(&mut self, carry: Carry) {
        let last = self.records.last().map(|(id, _)| *id).or(self.done);
        let Carry { after, record, ops } = carry;
        let is_next = !self.has_ended && after == last;
        match record {
            // More of the same.
            Some(record) if after == Some(record) && is_next && !self.records.is_empty() => {
                if let Some((_, known)) = self.records.last_mut() {
                    known.extend(ops);
                }
            }
            Some(record) if is_next && last.is_none_or(|last| last < record) => {
                self.records.push((record, ops));
            }
            None if is_next => self.has_ended = true,
            _ => self.is_disordered = true,
        }
    }

    /// What can be handed on: all but the last record.
    fn part(&mut self) -> Option<(Option<RecordId>, RecordId, Records)> {
        if self.is_disordered || self.records.len() < 2 {
            return None;
        }
        let last = self.records.split_off(self.records.len().saturating_sub(1));
        let records = core::mem::replace(&mut self.records, last);
        let after = self.done;
        let upto = records.last().map(|(id, _)| *id)?;
        self.done = Some(upto);
        Some((after, upto, records))
    }

    /// The rest, if the snapshot is whole.
    fn end(self) -> Option<(Option<RecordId>, Records)> {
        (self.has_ended && !self.is_disordered).then_some((self.done, self.records))
    }
}

fn pairs(row: &Row) -> Vec<(String, String)> {
    row.state.values().map(|(path, value)| (path.to_owned(), value.to_owned())).collect()
}

fn numbers(base: &Snapshot) -> BTreeMap<FeedId, u64> {
    base.covered.iter().map(|(feed, at)| (*feed, at.number)).collect()
}

fn encode(covered: &BTreeMap<FeedId, u64>) -> Vec<u8> {
    let mut w = Writer::new();
    w.array(covered.len());
    for (feed, number) in covered {
        w.array(2);
        feed.encode(&mut w);
        w.uint(*number);
    }
    w.into_bytes()
}

/// Empties an index and tells it every record of its database.
fn reindex(views: &Views) -> Result<(), OpenError> {
    views.index.clear()?;
    let mut after = None;
    loop {
        let rows = views.db.page(Which::Live, after, REINDEX_ROWS)?;
        let Some(last) = rows.last().map(|row| row.id) else { return Ok(()) };
        index_rows(views, &rows, Freshness::PerhapsIndexed)?;
        after = Some(last);
    }
}
