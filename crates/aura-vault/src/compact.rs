// SPDX-License-Identifier: MIT OR Apache-2.0
//! Letting go of what nobody needs: a snapshot of a category says what stays, and once every device has adopted
//! it, stores let go of the rest.
//!
//! What stays is decided record by record in `crate::retain`. The pen is held for each entry alone, so that
//! other writes go on; what they write is not covered. A snapshot that was cut short is garbage that the next
//! one covers. Source: spec/snapshot.md, rules SNP-1, SNP-4 to SNP-6.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::atomic::Ordering;

use aura_protocol::authority::{Claim, Statement};
use aura_protocol::codec::Extra;
use aura_protocol::entry::ChunkAdded;
use aura_protocol::head::Position;
use aura_protocol::id::{ChunkName, CollectionId, FeedId, RecordId};
use aura_protocol::store::StoreError;

use crate::audit::{Action, Outcome};
use crate::db::Row;
use crate::feed::{Batch, Commit, FeedError};
use crate::gate::{GateError, Session};
use crate::keyring::Purpose;
use crate::op::{Carried, Carry, Change, Dot, Op};
use crate::open::{Open, OpenError, Side, lock};
use crate::record::Category;
use crate::retain::{Retention, retain};
use crate::vault::{read_roster, sign_statement};
use crate::view::chunk_names;
use crate::views::Views;

/// An entry of a snapshot is written when its ops come to this, or it names so many chunks.
const ENTRY_BYTES: usize = 256 << 10;
const ENTRY_OPS: usize = 1000;
const ENTRY_CHUNKS: usize = 4096;
/// Ops of one record that stand in one op of a snapshot.
const CARRY_BYTES: usize = 4 << 20;
/// Entries of the log that stay opened while records are gone through.
const OPENED_ENTRIES: usize = 64;

/// What compacting comes to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Compacted {
    /// Categories of which a snapshot was made, or would be.
    pub categories: u64,
    /// Deleted records that go.
    pub records: u64,
    /// Changes that go, those of such records included.
    pub changes: u64,
    /// Bytes of attachments, as kept, that go.
    pub attachment_bytes: u64,
}

/// Whether to do it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resolve {
    /// Only say what it would come to.
    Look,
    /// Do it.
    Act,
}

impl Session {
    /// Lets go of what was deleted or replaced before `retention` says. Categories without any are left alone;
    /// so are those behind the second lock while it is shut. What other devices' snapshots that wait let go of is carried
    /// on: they are to be adopted before (`Vault::adopt_waiting`).
    ///
    /// # Errors
    /// When the principal may not, another compacting or an import runs, or something cannot be read or written:
    /// nothing was let go of then that anybody needs.
    pub fn compact(&self, retention: &Retention, resolve: Resolve) -> Result<Compacted, GateError> {
        self.decide(Action::Compact)?;
        let open = self.inside();
        if open.is_importing.load(Ordering::Acquire)
            || open.is_compacting.swap(true, Ordering::AcqRel)
        {
            return Err(GateError::Importing);
        }
        let done = open.compact(retention, resolve, &|count, category| {
            let mut event = self.event(Action::Compact, Some(category), count);
            event.outcome = Outcome::Done;
            event
        });
        open.is_compacting.store(false, Ordering::Release);
        Ok(done?)
    }
}

type MakeEvent<'a> = &'a dyn Fn(u64, Category) -> crate::audit::Event;

impl Open {
    fn compact(
        &self,
        retention: &Retention,
        resolve: Resolve,
        event: MakeEvent<'_>,
    ) -> Result<Compacted, OpenError> {
        let mut done = Compacted::default();
        let lacking = self.lacking()?;
        for category in Category::ALL.iter().copied().filter(|category| !self.is_shut(*category)) {
            let sole = self.sole_collection(category);
            let Some(collection) = sole.filter(|sole| !lacking.contains(sole)) else { continue };
            let views = match self.side(collection) {
                Side::First => None,
                Side::Second => Some(self.second().ok_or(OpenError::SecondLock)?),
            };
            let views = views.as_deref().unwrap_or(&self.first);
            let place = (views, category, collection);
            let mut found = self.survey(place, retention)?;
            if found.changes == 0 {
                continue;
            }
            found.categories = 1;
            if resolve == Resolve::Act {
                self.snapshot(place, retention, event(found.changes, category))?;
            }
            done.add(&found);
        }
        Ok(done)
    }

    /// The collection of a category, if it has one alone.
    fn sole_collection(&self, category: Category) -> Option<CollectionId> {
        self.with_keyring(|keyring| {
            let mut collections = keyring.collections(Purpose::Category(category));
            let collection = collections.next()?;
            collections.next().is_none().then_some(collection)
        })
    }

    /// What a snapshot would let go of.
    fn survey(&self, place: Place<'_>, retention: &Retention) -> Result<Compacted, OpenError> {
        let covered = self.coverable(place)?;
        let mut found = Compacted::default();
        let mut ages = Ages::new(self, place, &covered)?;
        ages.each(retention, &mut |aged| {
            let Aged { before, kept, .. } = aged;
            if kept.len() < before.len() {
                let gone = before.len().saturating_sub(kept.len()) as u64;
                found.changes = found.changes.saturating_add(gone);
                found.records = found.records.saturating_add(u64::from(kept.is_empty()));
                let stays: BTreeSet<_> = chunk_names(kept.iter().map(|carried| &carried.op));
                for name in chunk_names(before.iter().map(|carried| &carried.op)) {
                    if !stays.contains(&name) {
                        let claims = self.log.claims(name)?;
                        let bytes = claims.first().map_or(0, |chunk| chunk.size_bytes);
                        found.attachment_bytes = found.attachment_bytes.saturating_add(bytes);
                    }
                }
            }
            Ok(())
        })?;
        Ok(found)
    }

    /// Up to where each feed of a collection is in the views. What an adopted snapshot covers is covered again.
    fn coverable(
        &self,
        (views, _, collection): Place<'_>,
    ) -> Result<BTreeMap<FeedId, Position>, OpenError> {
        let mut covered: BTreeMap<FeedId, Position> = BTreeMap::new();
        let bases = self.bases.read().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
        for base in bases.iter().filter(|base| base.feed.collection == collection) {
            if views.has_adopted(base.id)? {
                for (feed, at) in &base.covered {
                    let known = covered.entry(*feed).or_insert(*at);
                    if known.number < at.number {
                        *known = *at;
                    }
                }
            }
        }
        for (feed, at) in
            self.log.feeds()?.into_iter().filter(|(feed, _)| feed.collection == collection)
        {
            let number = views.db.applied(feed)?.min(at.number);
            if number <= covered.get(&feed).map_or(0, |at| at.number) {
                continue;
            }
            let at = if number == at.number {
                at
            } else {
                Position { number, hash: self.log.entry(feed, number)?.hash() }
            };
            covered.insert(feed, at);
        }
        Ok(covered)
    }

    /// Writes a snapshot, says that it is whole, and adopts it.
    fn snapshot(
        &self,
        place: Place<'_>,
        retention: &Retention,
        event: crate::audit::Event,
    ) -> Result<(), OpenError> {
        let (_, category, collection) = place;
        // Own entries that come from here on are in the snapshot's range, and not covered.
        let (covered, feed, first) = {
            let pen = lock(&self.pen);
            (self.coverable(place)?, pen.feed(collection), pen.next_number(collection))
        };
        let mut writing = Writing::new(self, category);
        let mut ages = Ages::new(self, place, &covered)?;
        ages.each(retention, &mut |aged| writing.add(aged.id, aged.kept))?;
        let (ops, added) = writing.end()?;
        self.write(|pen| {
            let now_ms = self.clock.now_ms();
            let mut batch = self.batch(Purpose::Category(category), Vec::new())?;
            let last = pen.next_number(collection);
            let clock = pen.tick(now_ms);
            let op = |change| Op { clock, author: String::new(), change };
            batch.ops = ops.into_iter().map(|carry| op(Change::Carry(carry))).collect();
            batch.added = added;
            let covered = covered.iter().map(|(feed, at)| (*feed, *at)).collect();
            let claim = Claim::Base { feed, range: (first, last), covered };
            let statement =
                Statement { vault: Some(self.vault), claim, clock, extra: Extra::default() };
            let statements = vec![sign_statement(&statement, &[&pen.device().sign])];
            let commit = Commit {
                statements,
                batches: vec![batch],
                events: vec![event],
                ..Commit::default()
            };
            Ok((commit, ()))
        })?;
        let pen = lock(&self.pen);
        let own = Some(pen.life().0);
        let (roster, _) = read_roster(self.log.as_ref(), self.vault).map_err(|error| {
            OpenError::Feed(FeedError::Store(match error {
                crate::vault::VaultError::Store(error) => error,
                _ => StoreError::Damaged("the statements of the vault"),
            }))
        })?;
        self.heed(&roster, &self.log.heads()?, own);
        self.catch_up()
    }
}

impl Compacted {
    fn add(&mut self, other: &Self) {
        let Self { categories, records, changes, attachment_bytes } = self;
        for (sum, more) in [
            (categories, other.categories),
            (records, other.records),
            (changes, other.changes),
            (attachment_bytes, other.attachment_bytes),
        ] {
            *sum = sum.saturating_add(more);
        }
    }
}

type Place<'a> = (&'a Views, Category, CollectionId);

/// A record, all of its ops that are covered, and those that stay.
struct Aged {
    id: RecordId,
    before: Vec<Carried>,
    kept: Vec<Carried>,
}

/// Goes through a category's records.
struct Ages<'a> {
    open: &'a Open,
    place: Place<'a>,
    covered: &'a BTreeMap<FeedId, Position>,
    gone: BTreeMap<FeedId, u64>,
    /// Entries that were opened lately: records that were made together lie together.
    opened: VecDeque<((FeedId, u64), Vec<Op>)>,
}

impl<'a> Ages<'a> {
    fn new(
        open: &'a Open,
        place: Place<'a>,
        covered: &'a BTreeMap<FeedId, Position>,
    ) -> Result<Self, OpenError> {
        let (views, _, collection) = place;
        let mut gone = BTreeMap::new();
        for feed in covered.keys() {
            gone.insert(*feed, views.covered_upto(*feed)?);
        }
        debug_assert!(covered.keys().all(|feed| feed.collection == collection));
        Ok(Self { open, place, covered, gone, opened: VecDeque::new() })
    }

    fn each(
        &mut self,
        retention: &Retention,
        take: &mut dyn FnMut(Aged) -> Result<(), OpenError>,
    ) -> Result<(), OpenError> {
        let (views, category, _) = self.place;
        let mut after = None;
        loop {
            let rows = views.db.between(category, after, None)?;
            let Some(last) = rows.last().map(|row| row.id) else { return Ok(()) };
            for row in rows {
                let before = self.ops(&row)?;
                let gone = |dot: &Dot| {
                    let feed = self.feed(dot);
                    self.gone.get(&feed).is_some_and(|upto| dot.number <= *upto)
                };
                let kept = retain(before.clone(), retention, &gone);
                take(Aged { id: row.id, before, kept })?;
            }
            after = Some(last);
        }
    }

    fn feed(&self, dot: &Dot) -> FeedId {
        let (_, _, collection) = self.place;
        FeedId { collection, device: dot.device, incarnation: dot.incarnation }
    }

    fn is_covered(&self, dot: &Dot) -> bool {
        self.covered.get(&self.feed(dot)).is_some_and(|at| dot.number <= at.number)
    }

    /// A record's ops that are covered, oldest first.
    fn ops(&mut self, row: &Row) -> Result<Vec<Carried>, OpenError> {
        let (_, category, _) = self.place;
        let dots: Vec<Dot> = row
            .state
            .touches()
            .iter()
            .map(|touch| touch.dot)
            .filter(|dot| self.is_covered(dot))
            .collect();
        if let ([_], Some(sole)) = (row.state.touches(), row.state.sole_op(row.id)) {
            return Ok(if dots.is_empty() { Vec::new() } else { vec![sole] });
        }
        let mut carried: BTreeMap<Dot, Carried> = BTreeMap::new();
        for op in self.open.carried(row.id, category)? {
            carried.insert(op.dot, op);
        }
        let mut ops = Vec::with_capacity(dots.len());
        for dot in dots {
            if let Some(op) = carried.remove(&dot) {
                ops.push(op);
                continue;
            }
            let op = self.read(&dot)?;
            let lost = StoreError::DamagedEntry { feed: self.feed(&dot), number: dot.number };
            let op = op.filter(|op| op.record() == Some(row.id)).ok_or(lost)?;
            ops.push(Carried { dot, is_named: false, replaced: Vec::new(), op });
        }
        ops.sort_unstable_by_key(|carried| (carried.op.clock, carried.dot));
        Ok(ops)
    }

    fn read(&mut self, dot: &Dot) -> Result<Option<Op>, OpenError> {
        let place = (self.feed(dot), dot.number);
        let at = usize::try_from(dot.index).unwrap_or(usize::MAX);
        if let Some((_, ops)) = self.opened.iter().find(|(known, _)| *known == place) {
            return Ok(ops.get(at).cloned());
        }
        let Some(entry) = self.open.entry(place.0, place.1)? else { return Ok(None) };
        let op = entry.ops.get(at).cloned();
        if self.opened.len() >= OPENED_ENTRIES {
            self.opened.pop_front();
        }
        self.opened.push_back((place, entry.ops));
        Ok(op)
    }
}

/// A snapshot while it is written.
struct Writing<'a> {
    open: &'a Open,
    category: Category,
    last: Option<RecordId>,
    ops: Vec<Carry>,
    bytes: usize,
    chunks: BTreeSet<ChunkName>,
}

impl<'a> Writing<'a> {
    fn new(open: &'a Open, category: Category) -> Self {
        Self { open, category, last: None, ops: Vec::new(), bytes: 0, chunks: BTreeSet::new() }
    }

    /// One more record.
    fn add(&mut self, id: RecordId, kept: Vec<Carried>) -> Result<(), OpenError> {
        self.chunks.extend(chunk_names(kept.iter().map(|carried| &carried.op)));
        let mut part = Vec::new();
        let mut part_bytes = 0usize;
        for carried in kept {
            let bytes = carried.op.change.about_bytes();
            if part_bytes > 0 && part_bytes.saturating_add(bytes) > CARRY_BYTES {
                self.push(id, core::mem::take(&mut part), part_bytes)?;
                part_bytes = 0;
            }
            part_bytes = part_bytes.saturating_add(bytes);
            part.push(carried);
        }
        // A record of which nothing is left is not named.
        if part.is_empty() { Ok(()) } else { self.push(id, part, part_bytes) }
    }

    fn push(&mut self, id: RecordId, ops: Vec<Carried>, bytes: usize) -> Result<(), OpenError> {
        self.ops.push(Carry { after: self.last, record: Some(id), ops });
        self.last = Some(id);
        self.bytes = self.bytes.saturating_add(bytes);
        let is_full = self.bytes >= ENTRY_BYTES || self.ops.len() >= ENTRY_OPS;
        if is_full || self.chunks.len() >= ENTRY_CHUNKS { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), OpenError> {
        let ops = core::mem::take(&mut self.ops);
        self.bytes = 0;
        self.write(ops)?;
        while self.chunks.len() >= ENTRY_CHUNKS {
            self.write(Vec::new())?;
        }
        Ok(())
    }

    fn write(&mut self, ops: Vec<Carry>) -> Result<(), OpenError> {
        let added = self.take_chunks()?;
        let (open, purpose) = (self.open, Purpose::Category(self.category));
        open.write(|pen| {
            let clock = pen.tick(open.clock.now_ms());
            let op = |carry| Op { clock, author: String::new(), change: Change::Carry(carry) };
            let mut batch: Batch = open.batch(purpose, ops.into_iter().map(op).collect())?;
            batch.added = added;
            Ok((Commit { batches: vec![batch], ..Commit::default() }, ()))
        })?;
        Ok(())
    }

    /// Some of the chunks that stay, as an entry adds them.
    fn take_chunks(&mut self) -> Result<Vec<ChunkAdded>, OpenError> {
        let mut added = Vec::new();
        while added.len() < ENTRY_CHUNKS
            && let Some(name) = self.chunks.pop_first()
        {
            // Of several claims the one that the bytes fit; where there are none yet, the first.
            let claims = self.open.log.claims(name)?;
            let fits = if claims.len() > 1 {
                let hash = self
                    .open
                    .log
                    .chunk(name)
                    .ok()
                    .map(|bytes| aura_protocol::id::Hash::of(&[&bytes]));
                claims.iter().find(|claim| Some(claim.hash) == hash).cloned()
            } else {
                None
            };
            added.extend(fits.or_else(|| claims.into_iter().next()));
        }
        Ok(added)
    }

    /// What is left for the last entry: it ends the snapshot.
    fn end(mut self) -> Result<(Vec<Carry>, Vec<ChunkAdded>), OpenError> {
        while self.chunks.len() > ENTRY_CHUNKS {
            self.write(Vec::new())?;
        }
        let added = self.take_chunks()?;
        self.ops.push(Carry { after: self.last, record: None, ops: Vec::new() });
        Ok((self.ops, added))
    }
}
