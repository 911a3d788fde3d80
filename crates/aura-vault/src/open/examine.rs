// SPDX-License-Identifier: MIT OR Apache-2.0
//! Reading a snapshot: whether it is whole, and whether it would change what is shown. Source: spec/snapshot.md, rules
//! SNP-1, SNP-7 and SNP-8.

use std::collections::{BTreeMap, BTreeSet};

use aura_protocol::authority::Snapshot;
use aura_protocol::entry::ChunkAdded;
use aura_protocol::head::Position;
use aura_protocol::id::{ChunkName, FeedId, Hash, RecordId};
use aura_protocol::store::StoreError;

use super::going::Going;
use super::scope::{Records, Scope};
use super::{Bases, Open, OpenError, lock};
use crate::db::Row;
use crate::feed::QuarantineReason;
use crate::op::{Carried, Carry, Change, Dot};
use crate::state::{State, Touch};
use crate::view::chunk_names;
use crate::views::Views;

/// Entries that are read at a time.
const PAGE_ENTRIES: usize = 64;

/// Why a snapshot was refused. Nothing was let go of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unsound {
    /// Its records are not in order, its end is missing, or it carries what it does not cover.
    Form,
    /// What it covers is not what is here.
    Fork,
    /// It would change what is shown of so many records, or what they were before.
    Unfaithful(u64),
    /// Attachments would lose their bytes: it does not say again which chunks they need.
    Chunks,
    /// Its collection has no snapshots: the audit log's, or one of several of a category.
    Collection,
}

/// A record and its values before a snapshot took some of them.
pub(crate) type Unsaid = (RecordId, Vec<(String, String)>);

/// What a snapshot comes to that may be adopted.
pub(super) struct Sound {
    /// What this device's late changes stand on and what goes.
    pub(super) late: Vec<Unsaid>,
    /// What goes; none where nobody needs to wait: it was adopted before, or nothing of it is here to go.
    pub(super) going: Option<Going>,
}

impl Open {
    /// Reads a snapshot through and changes nothing. Without a reason it cannot be told yet: something that it must be
    /// compared with is damaged here, or not here.
    pub(super) fn try_base(
        &self,
        views: &Views,
        scope: &Scope<'_>,
        bases: &Bases,
    ) -> Result<Result<Sound, Option<Unsound>>, OpenError> {
        let Some(last) = self.last_of(scope.base)? else { return Ok(Err(None)) };
        let is_known = bases.is_said(scope.base, last, self.own);
        let gaps = match self.stands(views, scope)? {
            Ok(gaps) => gaps,
            // Damaged since it was compared here: nobody needs to compare it twice.
            Err(None) if is_known => BTreeSet::new(),
            Err(unsound) => return Ok(Err(unsound)),
        };
        let is_whole = gaps.is_empty();
        // What was let go of cannot be compared: others must have done that. A device that is not new to the collection
        // may have been made to lack it, and does not take its author's word alone.
        let is_new = self.is_new_to(bases, scope, &gaps)?;
        if !is_known
            && !is_whole
            && (!bases.is_vouched(scope.base, last, self.own)
                || !is_new && !bases.is_heeded(scope.base, last, self.own))
        {
            return Ok(Err(None));
        }
        let (mut unfaithful, mut late, mut going) = (0u64, Vec::new(), Going::default());
        let (mut is_within, mut is_told, mut chunks) = (true, true, BTreeSet::new());
        let read = self.each_part(scope.base, &mut |after, upto, records| {
            let carried = || records.iter().flat_map(|(_, carried)| carried);
            is_within &= carried().all(|carried| scope.covers(&carried.dot));
            chunks.extend(chunk_names(carried().map(|carried| &carried.op)));
            let doubtful = scope.with_part((after, upto, records), |part| {
                views.db.doubtful(part, &mut |row, carried| going.add(row, carried, scope))
            })?;
            if is_whole && !is_known {
                for (row, carried) in doubtful {
                    match self.is_faithful(scope, &row, &carried)? {
                        None => is_told = false,
                        Some(false) => unfaithful = unfaithful.saturating_add(1),
                        Some(true) if self.is_own_and_late(scope, &row) => {
                            late.push((row.id, pairs(&row)));
                        }
                        Some(true) => {}
                    }
                }
            } else {
                if !is_known {
                    for (row, carried) in &doubtful {
                        let is_forged = self.is_made_up(scope, row, (carried, &gaps))?;
                        unfaithful = unfaithful.saturating_add(u64::from(is_forged));
                    }
                }
                // A device that comes back may have all that its own late changes stand on.
                let own = doubtful.iter().filter(|(row, _)| self.is_own_and_late(scope, row));
                late.extend(own.map(|(row, _)| (row.id, pairs(row))));
            }
            Ok(())
        })?;
        if let Err(unsound) = read {
            return Ok(Err(Some(unsound)));
        }
        if is_known {
            return Ok(Ok(Sound { late, going: None }));
        }
        if !is_within {
            return Ok(Err(Some(Unsound::Form)));
        }
        if unfaithful > 0 {
            return Ok(Err(Some(Unsound::Unfaithful(unfaithful))));
        }
        let is_said = self.says_again(scope.base, chunks)?;
        if is_said == Some(false) {
            return Ok(Err(Some(Unsound::Chunks)));
        }
        if is_said.is_none() || !is_told {
            return Ok(Err(None));
        }
        let is_nothing = going == Going::default() && (is_whole || is_new);
        Ok(Ok(Sound { late, going: (!is_nothing).then_some(going) }))
    }

    /// Whether this device is new to what a snapshot covers: nothing of it is here, and nothing that this device has
    /// written or adopted can have been among it.
    fn is_new_to(
        &self,
        bases: &Bases,
        scope: &Scope<'_>,
        gaps: &BTreeSet<FeedId>,
    ) -> Result<bool, OpenError> {
        let collection = scope.base.feed.collection;
        let is_own = |feed: &FeedId| feed.collection == collection && feed.device == self.own;
        let has_written = self.log.feeds()?.iter().any(|(feed, _)| is_own(feed));
        let lacks_all = scope.base.covered.keys().all(|feed| gaps.contains(feed));
        Ok(lacks_all && !has_written && !bases.has_said(self.own, collection))
    }

    /// The hash of a snapshot's last entry, if that can be read.
    pub(super) fn last_of(&self, base: &Snapshot) -> Result<Option<Hash>, OpenError> {
        match self.log.entry(base.feed, base.range.1) {
            Ok(entry) => Ok(Some(entry.hash())),
            Err(
                StoreError::DamagedEntry { .. } | StoreError::Absent | StoreError::Forgotten { .. },
            ) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Whether a snapshot of which not everything can be compared carries what does not stand where it says so, as far
    /// as that is here.
    fn is_made_up(
        &self,
        scope: &Scope<'_>,
        row: &Row,
        (carried, gaps): (&[Carried], &BTreeSet<FeedId>),
    ) -> Result<bool, OpenError> {
        let past = self.past(row)?;
        let is_made_up = |carried: &&Carried| {
            let is_here = !gaps.contains(&scope.feed(&carried.dot)) && !scope.is_gone(&carried.dot);
            is_here && !past.iter().any(|past| carried.is_left_of(&past.carried))
        };
        Ok(carried.iter().any(|carried| is_made_up(&carried)))
    }

    /// The feeds of which something that a snapshot covers is not in these views since it was let go of under one that is
    /// not in them: with what is there of the others it can be compared.
    fn stands(
        &self,
        views: &Views,
        scope: &Scope<'_>,
    ) -> Result<Result<BTreeSet<FeedId>, Option<Unsound>>, OpenError> {
        let here: BTreeMap<FeedId, Position> = self.log.feeds()?.into_iter().collect();
        let (mut gaps, mut is_here) = (BTreeSet::new(), !self.is_damaged(scope));
        for (feed, at) in &scope.base.covered {
            let before = scope.before.upto(*feed);
            if here.get(feed).is_none_or(|kept| kept.number < at.number) {
                // It is on its way, or it was made up: while that is not known, nobody has compared everything.
                is_here = false;
                continue;
            }
            match self.log.entry(*feed, at.number) {
                Ok(entry) if entry.hash() != at.hash => return Ok(Err(Some(Unsound::Fork))),
                Ok(_)
                | Err(
                    StoreError::Forgotten { .. }
                    | StoreError::Absent
                    | StoreError::DamagedEntry { .. },
                ) => {}
                Err(error) => return Err(error.into()),
            }
            // What was let go of under a snapshot that is not in these views was never in them.
            let has_gap = self.log.floor(*feed)?.number > before;
            if has_gap {
                gaps.insert(*feed);
            }
            is_here &= has_gap || views.db.applied(*feed)?.max(before) >= at.number;
        }
        Ok(if is_here { Ok(gaps) } else { Err(None) })
    }

    /// Whether something is damaged here of a snapshot, or of what it covers.
    fn is_damaged(&self, scope: &Scope<'_>) -> bool {
        let (first, last) = scope.base.range;
        lock(&self.quarantine).iter().any(|aside| {
            let is_own = aside.feed == scope.base.feed && (first..=last).contains(&aside.number);
            let is_covered = aside.number <= scope.base.covers(aside.feed).number;
            aside.reason == QuarantineReason::Damaged && (is_own || is_covered)
        })
    }

    /// Whether a snapshot's entries say of these chunks what is known of them. A store that lets go of all other entries
    /// has no other word for their bytes. Nothing where that cannot be told.
    fn says_again(
        &self,
        base: &Snapshot,
        mut chunks: BTreeSet<ChunkName>,
    ) -> Result<Option<bool>, OpenError> {
        let mut is_told = true;
        let (first, last) = base.range;
        let mut after = first.saturating_sub(1);
        while after < last && !chunks.is_empty() {
            let left = usize::try_from(last.saturating_sub(after)).unwrap_or(PAGE_ENTRIES);
            let entries = self.log.read(base.feed, after, left.min(PAGE_ENTRIES))?;
            let Some(end) = entries.last() else { break };
            after = end.header().number;
            for added in entries.iter().flat_map(|entry| &entry.header().added) {
                if !chunks.contains(&added.name) {
                    continue;
                }
                match self.is_known(added)? {
                    Some(true) => drop(chunks.remove(&added.name)),
                    Some(false) => {}
                    None => is_told = false,
                }
            }
        }
        Ok(if chunks.is_empty() { Some(true) } else { is_told.then_some(false) })
    }

    /// Whether nobody says anything else of a chunk, or its bytes are here and are those.
    fn is_known(&self, added: &ChunkAdded) -> Result<Option<bool>, OpenError> {
        if self.log.claims(added.name)?.len() == 1 {
            return Ok(Some(true));
        }
        let sealed = match self.log.chunk(added.name) {
            Err(StoreError::Absent | StoreError::Damaged(_)) => return Ok(None),
            sealed => sealed?,
        };
        Ok(Some(Hash::of(&[&sealed]) == added.hash))
    }

    /// Whether what a snapshot covers of a record comes to what it carries: what came since is left out. Nothing where not
    /// all of it can be read.
    fn is_faithful(
        &self,
        scope: &Scope<'_>,
        row: &Row,
        carried: &[Carried],
    ) -> Result<Option<bool>, OpenError> {
        let past = self.past(row)?;
        let covered = row.state.touches().iter().filter(|touch| scope.covers(&touch.dot));
        let known = || past.iter().filter(|past| scope.covers(&past.touch.dot));
        if known().count() != covered.count() {
            return Ok(None);
        }
        let is_dead = |dot: &Dot| scope.is_gone(dot) && !row.state.has(dot);
        // Of two that were made at once one carries what the other lets go of. One that covers the other does not.
        let is_beside = |carried: &Carried| is_dead(&carried.dot) && scope.is_beside(&carried.dot);
        if carried.iter().any(|carried| is_dead(&carried.dot) && !is_beside(carried)) {
            return Ok(None);
        }
        // What it was before, too: somebody may want to go back to that.
        let is_written = |carried: &Carried| known().any(|past| carried.is_left_of(&past.carried));
        if !carried.iter().all(|carried| is_beside(carried) || is_written(carried)) {
            return Ok(Some(false));
        }
        let (before, after) = (Self::replay(known()), State::replay(carried));
        let is_open = |dot: &Dot| !scope.is_settled(dot);
        let (waits, said) = (before.awaits(&is_open), after.awaits(&is_open));
        let is_deleted = !before.is_live() && !after.is_live();
        // Else the next import would take for its own what the person wrote (OPS-19).
        let is_carried = |dot: &Dot| carried.iter().any(|carried| carried.dot == *dot);
        let imported = State::imported(known().map(|past| &past.carried)).needed();
        let has_base = imported.iter().all(is_carried);
        Ok(match before.current() == after.current() && waits == said && has_base {
            true => Some(true),
            // Deleted long ago: nothing of it needs to be carried, and nothing that is carried is taken in.
            false if is_deleted && waits.is_empty() && carried.iter().all(is_beside) => Some(true),
            // It carries what another one let go of and what came since: who made it had not adopted that one, and
            // what it comes to cannot be had here. The next snapshot covers both.
            false if carried.iter().any(is_beside) => None,
            false => Some(false),
        })
    }

    /// Whether this device changed a record after what a snapshot covers, or concurrently.
    fn is_own_and_late(&self, scope: &Scope<'_>, row: &Row) -> bool {
        let is_late = |touch: &Touch| touch.dot.device == self.own && !scope.covers(&touch.dot);
        row.state.is_live() && row.state.touches().iter().any(is_late)
    }

    /// Hands on a snapshot in parts, in order. Each says what is left of the records after one up to another.
    pub(super) fn each_part(
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

    /// The records of a snapshot ascend: halving finds one.
    pub(super) fn find_carried(
        &self,
        base: &Snapshot,
        record: RecordId,
    ) -> Result<Vec<Carried>, OpenError> {
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
            let middle = u64::midpoint(low, high);
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
            Some(record) if after == Some(record) && is_next => {
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

    /// What can be handed on: all but the last record. Of one that turns out to be in disorder nothing is adopted later.
    fn part(&mut self) -> Option<(Option<RecordId>, RecordId, Records)> {
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
