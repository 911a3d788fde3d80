// SPDX-License-Identifier: MIT OR Apache-2.0
//! One visit to a store: entries both ways, then chunks, some at a time, with entries in between.
//!
//! Needs no key and holds no lock of the vault's. Whoever calls is told after each step, and keeps what the
//! store has confirmed until then: a visit that is cut off goes on where it ended. Source: spec/replicate.md.

use std::sync::Arc;

use aura_protocol::head::{Head, Position};
use aura_protocol::id::{DeviceId, FeedId, Incarnation};
use aura_protocol::signed::Signed;
use aura_protocol::store::{Access, BlindStore, LocalLog, StoreError};
use aura_store::heal::heal;
use aura_store::local::LocalStore;
use aura_store::replicate::{Finding, Moved, Side, common, replicate};
use aura_store::transfer::{ChunkMark, transfer};
use pollster::block_on;

use super::book::Kept;
use super::halt::{Halt, Until};
use super::noted::{self, Kind, Noted};
use super::site::{Opened, Site};
use super::words;
use crate::exit::Failure;
use crate::moment::now_ms;

/// Bytes of chunks before entries have their turn again.
const CHUNK_BYTES: u64 = 8 << 20;

/// This device's side of a visit.
pub(crate) struct Host<'a> {
    pub(crate) local: &'a LocalStore,
    pub(crate) access: Access,
    /// Which device this is, if it is one already.
    pub(crate) own: Option<DeviceId>,
    pub(crate) halt: &'a Halt,
}

/// A store on the way, and where it is.
struct Other<'a> {
    store: Until<'a>,
    site: Site,
}

impl Look {
    /// The same from when this was here.
    pub(crate) fn with_ours(self, ours: Places) -> Self {
        Self { ours, ..self }
    }
}

/// What came of a visit.
#[derive(Debug, Default)]
pub(crate) struct Trip {
    pub(crate) is_reached: bool,
    pub(crate) pulled: Moved,
    pub(crate) pushed: Moved,
    pub(crate) chunks_pulled: u64,
    pub(crate) chunks_pushed: u64,
    pub(crate) chunk_bytes: u64,
    /// Entries and chunks that were damaged here and are sound again.
    pub(crate) healed: u64,
    pub(crate) found: Vec<Noted>,
    /// Up to where the store has the same of a life of this device that forked (REP-22).
    pub(crate) own_fork: Option<Vec<(FeedId, u64)>>,
    /// What ended it early.
    pub(crate) trouble: Option<String>,
    /// For how many seconds the store wants to be left alone.
    pub(crate) wait_s: Option<u64>,
}

/// Where lives of devices stand.
pub(crate) type Places = Vec<(DeviceId, Incarnation, Position)>;

/// Where a store and this device stand, to see whether a visit would find something new.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Look {
    ours: Places,
    theirs: Places,
    absent: Vec<(DeviceId, Incarnation)>,
}

impl Host<'_> {
    /// Brings the store and this device to the same entries and chunks. `step` is told whenever some of it is
    /// done.
    pub(crate) fn visit(
        &self,
        store: Opened,
        kept: &mut Kept,
        step: &mut dyn FnMut(&Kept, &Trip) -> Result<(), Failure>,
    ) -> Result<Trip, Failure> {
        let mut trip = Trip::default();
        let other = match store {
            Ok(store) => self.other(store, kept),
            Err(error) => {
                trip.fail(&error, &kept.site);
                return Ok(trip);
            }
        };
        kept.look_anew(now_ms());
        // A statement that rotted here would keep everything else from being taken.
        let healed = block_on(heal(self.local, &other.store, &self.access));
        trip.healed = healed.entries.saturating_add(healed.chunks);
        noted::count(&mut trip.found, &healed.findings, now_ms());
        loop {
            self.entries(&other, kept, &mut trip)?;
            step(kept, &trip)?;
            if trip.trouble.is_some() {
                return Ok(trip);
            }
            let has_more = self.chunks(&other, kept, &mut trip)?;
            if !has_more || trip.trouble.is_some() {
                return Ok(trip);
            }
        }
    }

    /// The entries alone, once.
    pub(crate) fn fetch(&self, store: Opened, kept: &mut Kept) -> Result<Trip, Failure> {
        let mut trip = Trip::default();
        match store {
            Ok(store) => self.entries(&self.other(store, kept), kept, &mut trip)?,
            Err(error) => trip.fail(&error, &kept.site),
        }
        Ok(trip)
    }

    fn other(&self, store: Arc<dyn BlindStore>, kept: &Kept) -> Other<'_> {
        Other { store: Until { store, halt: self.halt }, site: kept.site.clone() }
    }

    fn entries(&self, other: &Other<'_>, kept: &mut Kept, trip: &mut Trip) -> Result<(), Failure> {
        let done = block_on(replicate(self.local, &other.store, &self.access, &kept.mark));
        if done.findings.iter().any(|finding| matches!(finding, Finding::RolledBack { .. })) {
            kept.chunks = ChunkMark::default();
        }
        kept.mark = done.mark;
        for finding in &done.findings {
            if let Finding::Forked { device, heads, .. } = finding
                && self.own == Some(*device)
            {
                trip.own_fork = self.common(&other.store, heads);
            }
        }
        add(&mut trip.pulled, done.pulled);
        add(&mut trip.pushed, done.pushed);
        noted::count(&mut trip.found, &done.findings, now_ms());
        let is_moved = done.pulled.entries > 0 || done.pushed.entries > 0;
        let has_failed = matches!(done.stopped, Some((Side::Remote, _)));
        trip.is_reached = trip.is_reached || is_moved || !has_failed;
        trip.stop(done.stopped, &other.site)
    }

    /// Where a fork begins; nothing where that cannot be told now, and then it stays one.
    fn common(&self, store: &Until<'_>, heads: &[Signed<Head>; 2]) -> Option<Vec<(FeedId, u64)>> {
        let [ours, theirs] = heads;
        let (ours, theirs) = (ours.claim().ok()?, theirs.claim().ok()?);
        block_on(common(self.local, store, &self.access, [&ours, &theirs])).ok()
    }

    fn chunks(&self, other: &Other<'_>, kept: &mut Kept, trip: &mut Trip) -> Result<bool, Failure> {
        let (store, mark) = (&other.store, &mut kept.chunks);
        let done = block_on(transfer(self.local, store, &self.access, mark, CHUNK_BYTES));
        trip.chunks_pulled = trip.chunks_pulled.saturating_add(done.pulled);
        trip.chunks_pushed = trip.chunks_pushed.saturating_add(done.pushed);
        trip.chunk_bytes = trip.chunk_bytes.saturating_add(done.bytes);
        noted::count(&mut trip.found, &done.findings, now_ms());
        trip.stop(done.stopped, &other.site)?;
        Ok(done.has_more)
    }

    /// How the two stand, without moving anything; nothing if the store is not there.
    pub(crate) fn look(&self, store: Opened) -> Option<Look> {
        let ours = self.ours().ok()?;
        let store = Until { store: store.ok()?, halt: self.halt };
        let answer = block_on(store.heads(&self.access, &ours)).ok()?;
        let theirs = answer.news.iter().map(|head| (head.device, head.incarnation, head.position));
        Some(Look { ours, theirs: theirs.collect(), absent: answer.absent })
    }

    /// Whether there is something new here since that look.
    pub(crate) fn has_news_since(&self, look: &Look) -> bool {
        self.ours().is_ok_and(|ours| ours != look.ours)
    }

    /// Changes that are here and that the store has not confirmed.
    pub(crate) fn waiting(&self, kept: &Kept) -> Result<u64, StoreError> {
        waiting(self.local, kept)
    }

    pub(crate) fn ours(&self) -> Result<Places, StoreError> {
        let heads = block_on(BlindStore::heads(self.local, &self.access, &[]))?.news;
        Ok(heads.iter().map(|head| (head.device, head.incarnation, head.position)).collect())
    }
}

/// Changes that are here and that a store has not confirmed, or whose chunks were not seen to.
pub(crate) fn waiting(local: &LocalStore, kept: &Kept) -> Result<u64, StoreError> {
    let lag = |head: &Head| {
        let same = |(device, incarnation, _): &&(DeviceId, Incarnation, Position)| {
            (*device, *incarnation) == (head.device, head.incarnation)
        };
        let has = kept.mark.iter().find(same).map_or(0, |(_, _, position)| position.number);
        let is_unseen = head.feeds.iter().any(|(collection, position)| {
            let seen_to = kept.chunks.seen_to.get(&head.feed(*collection));
            seen_to.copied().unwrap_or_default() < position.number
        });
        head.number.saturating_sub(has).max(u64::from(is_unseen))
    };
    let heads = LocalLog::heads(local)?;
    let heads = heads.iter().filter_map(|signed| signed.claim().ok());
    Ok(heads.map(|head| lag(&head)).fold(0, u64::saturating_add))
}

impl Trip {
    /// Whether anything came, or went to a store of which nothing odd was found.
    pub(crate) fn has_moved(&self) -> bool {
        let came = [self.pulled.heads, self.pulled.entries, self.chunks_pulled, self.healed];
        let went = [self.pushed.heads, self.pushed.entries, self.chunks_pushed];
        let went = went.into_iter().filter(|_| self.found.is_empty());
        came.into_iter().chain(went).any(|count| count > 0)
    }

    /// Takes note of what ended it. What fails on this device's own side is no matter of the store's.
    fn stop(&mut self, stopped: Option<(Side, StoreError)>, site: &Site) -> Result<(), Failure> {
        match stopped {
            None => Ok(()),
            Some((Side::Local, error)) => Err(error.into()),
            Some((Side::Remote, error)) => {
                self.fail(&error, site);
                Ok(())
            }
        }
    }

    fn fail(&mut self, error: &StoreError, site: &Site) {
        self.trouble = Some(words::trouble(error, site));
        self.wait_s = match error {
            StoreError::SlowDown(seconds) => Some(*seconds),
            _ => None,
        };
        if matches!((error, site), (StoreError::OtherKey, Site::Server(_))) {
            self.found.push(Noted::new(Kind::OtherKey, None, now_ms()));
        }
    }
}

fn add(sum: &mut Moved, more: Moved) {
    sum.heads = sum.heads.saturating_add(more.heads);
    sum.entries = sum.entries.saturating_add(more.entries);
    sum.bytes = sum.bytes.saturating_add(more.bytes);
}
