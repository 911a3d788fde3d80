// SPDX-License-Identifier: MIT OR Apache-2.0
//! One head and the entries that it names, from one store to another, in bounded batches.
//!
//! What the taking store says is missing drives it, so that an interrupted run goes on where it ended and a
//! run that was not needed moves nothing. A head that comes from elsewhere is offered alone first: nothing is
//! asked for in the name of one that does not verify. Source: spec/replicate.md, rules REP-4, REP-5, REP-18,
//! REP-24 and REP-25.

use std::collections::BTreeSet;

use aura_protocol::entry::Entry;
use aura_protocol::head::Head;
use aura_protocol::id::{CollectionId, DeviceId, FeedId};
use aura_protocol::limits::{READ_BYTES_MAX, READ_ENTRIES_MAX};
use aura_protocol::store::{Access, BlindStore, StoreError};

use super::compare::Told;
use super::room::{Room, size_bytes};

/// How often an answer may bring a push no further: the first guess of what is missing may be wrong.
const STANDSTILLS_MAX: usize = 4;

/// How many statements that rotted in the store that takes are given to it with one push.
const HEALS_MAX: usize = 16;

/// What a stranger's statements count at least against the budget, in bytes: looking at them takes time too.
const STRANGER_BYTES_MIN: u64 = 64 << 10;

/// How much a run carries of what somebody else may have made without end (REP-18).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// Entries under one head.
    pub head_entries: u64,
    /// Bytes of entries under one head.
    pub head_bytes: u64,
    /// Bytes of statements of all devices that are not listed and may list themselves.
    pub stranger_bytes: u64,
}

impl Default for Budget {
    fn default() -> Self {
        Self { head_entries: 1 << 20, head_bytes: 16 << 30, stranger_bytes: 64 << 20 }
    }
}

/// What went from one store to the other.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Moved {
    /// Heads that are shown now and were not before.
    pub heads: u64,
    /// Entries.
    pub entries: u64,
    /// Their bytes, headers included.
    pub bytes: u64,
}

/// What came of carrying heads one way.
#[derive(Debug)]
pub(super) struct Haul<'a> {
    pub(super) moved: &'a mut Moved,
    /// Feeds for which the store that gives answered with what it was not asked for.
    pub(super) unasked: BTreeSet<FeedId>,
    /// Heads in whose places the store that takes has something else.
    pub(super) forks: Vec<Told>,
    pub(super) budget: Budget,
    /// Feeds of the present head of which the store that gives has let go of the beginning.
    begun_later: BTreeSet<FeedId>,
}

impl<'a> Haul<'a> {
    pub(super) fn new(moved: &'a mut Moved, budget: Budget) -> Self {
        let (unasked, begun_later) = (BTreeSet::new(), BTreeSet::new());
        Self { moved, unasked, forks: Vec::new(), budget, begun_later }
    }
}

/// Why a head did not arrive.
pub(super) enum Halt {
    /// The store that gives failed.
    From(StoreError),
    /// The store that takes failed or refused.
    To(StoreError),
    /// The store that gives has a feed up to here only.
    Incomplete(FeedId, u64),
    /// The store that gives has this entry, and it is damaged.
    Damaged(FeedId, u64),
    /// The store that gives has let go of what the one that takes lacks, and that does not know why (REP-25).
    Covered,
    /// There is more under this head than one run carries.
    Spent,
}

/// How a head is first shown to the store that takes.
pub(super) enum Opening {
    /// With entries: it was checked before.
    Entries,
    /// Alone. The store that takes has heads of these devices, so it lists them.
    Alone(BTreeSet<DeviceId>),
}

/// From where to where, and under which access.
pub(super) struct Carrier<'a> {
    pub(super) from: &'a dyn BlindStore,
    pub(super) to: &'a dyn BlindStore,
    pub(super) access: &'a Access,
    pub(super) opening: Opening,
}

impl Carrier<'_> {
    /// Carries a head to a store that has this head of its incarnation, or none.
    pub(super) async fn carry(
        &self,
        told: &Told,
        there: Option<&Head>,
        haul: &mut Haul<'_>,
    ) -> Result<(), Halt> {
        haul.begun_later.clear();
        let mut missing = match self.opening {
            Opening::Entries => lacking(&told.head, there),
            Opening::Alone(_) => self.offer(told, haul).await?,
        };
        let (mut left, mut standstills) = (u64::MAX, 0);
        let before = *haul.moved;
        while !missing.is_empty() {
            let lacking = within(&told.head, missing);
            let now_left = entries_left(&told.head, &lacking);
            if now_left >= left {
                standstills += 1;
            }
            if standstills > STANDSTILLS_MAX || lacking.is_empty() {
                let why = StoreError::Refused("a store that takes entries and does not keep them");
                return Err(Halt::To(why));
            }
            if is_spent(haul, &before) {
                return Err(Halt::Spent);
            }
            left = now_left;
            let batch = self.batch(&told.head, &lacking, haul).await?;
            missing = self.push(told, &batch, haul).await?;
        }
        haul.moved.heads = haul.moved.heads.saturating_add(1);
        Ok(())
    }

    /// Shows the head alone; what the store that takes says is missing. A device that it does not list may
    /// list itself: then its statements come first, and nothing else of it.
    async fn offer(&self, told: &Told, haul: &mut Haul<'_>) -> Result<Vec<(FeedId, u64)>, Halt> {
        let refusal = match self.push(told, &[], haul).await {
            Err(Halt::To(StoreError::Refused(why))) => Halt::To(StoreError::Refused(why)),
            other => return other,
        };
        let statements = self.statements(&told.head, haul).await?;
        if statements.is_empty() { Err(refusal) } else { self.push(told, &statements, haul).await }
    }

    /// The first authority entries under the head of a device that may not be listed yet.
    async fn statements(&self, head: &Head, haul: &mut Haul<'_>) -> Result<Vec<Entry>, Halt> {
        let feed = head.feed(CollectionId::AUTHORITY);
        let is_stranger =
            matches!(&self.opening, Opening::Alone(known) if !known.contains(&head.device));
        let speaks = head.position(CollectionId::AUTHORITY).number > 0;
        if !is_stranger || !speaks || haul.budget.stranger_bytes == 0 {
            return Ok(Vec::new());
        }
        let entries = self.batch(head, &[(feed, 0)], haul).await?;
        let bytes = entries.iter().map(size_bytes).fold(STRANGER_BYTES_MIN, u64::max);
        haul.budget.stranger_bytes = haul.budget.stranger_bytes.saturating_sub(bytes);
        Ok(entries)
    }

    /// Pushes; what is missing after that.
    async fn push(
        &self,
        told: &Told,
        batch: &[Entry],
        haul: &mut Haul<'_>,
    ) -> Result<Vec<(FeedId, u64)>, Halt> {
        let mut answer = self.to.push(self.access, &told.signed, batch).await;
        let mut healing = Vec::new();
        for _ in 0..HEALS_MAX {
            let Err(StoreError::DamagedEntry { feed, number }) = answer else { break };
            let statement = self.healing(feed, number).await;
            if statement.is_empty() {
                break;
            }
            // Alone: what is missing after that, its answer says.
            answer = self.to.push(self.access, &told.signed, &statement).await;
            healing = statement;
        }
        let sent = if healing.is_empty() { batch } else { &healing };
        let missing = match answer {
            Ok(receipt) => receipt.missing,
            // It has less of this feed than its head said, or forgot what it had staged.
            Err(StoreError::Gap { feed, expected }) => vec![(feed, expected.saturating_sub(1))],
            Err(error) => return Err(Halt::To(error)),
        };
        let moved = &mut *haul.moved;
        moved.entries = moved.entries.saturating_add(sent.len() as u64);
        moved.bytes = sent.iter().map(size_bytes).fold(moved.bytes, u64::saturating_add);
        Ok(missing)
    }

    /// REP-24: the statement that rotted in the store that takes, which takes no head without it.
    async fn healing(&self, feed: FeedId, number: u64) -> Vec<Entry> {
        let after = match number.checked_sub(1) {
            Some(after) if feed.collection == CollectionId::AUTHORITY => after,
            _ => return Vec::new(),
        };
        let read = self.from.read(self.access, feed, after, 1).await.unwrap_or_default();
        let is_it = |entry: &Entry| (entry.header().feed, entry.header().number) == (feed, number);
        read.into_iter().take(1).filter(is_it).collect()
    }

    /// What follows in the feeds that lack something, as much as one answer may hold.
    async fn batch(
        &self,
        head: &Head,
        lacking: &[(FeedId, u64)],
        haul: &mut Haul<'_>,
    ) -> Result<Vec<Entry>, Halt> {
        let mut batch = Vec::new();
        let mut room = Room { entries: READ_ENTRIES_MAX, bytes: READ_BYTES_MAX as u64 };
        for (feed, after) in lacking {
            if room.is_full() {
                break;
            }
            let upto = head.position(feed.collection).number;
            let mut after = *after;
            let mut read = self.from.read(self.access, *feed, after, room.entries).await;
            if let Err(StoreError::Forgotten { upto: gone, .. }) = read {
                // REP-25: where a snapshot covers the rest, the store that takes goes on after it.
                if gone <= after || !haul.begun_later.insert(*feed) {
                    return Err(Halt::Covered);
                }
                if gone >= upto {
                    continue;
                }
                after = gone;
                read = self.from.read(self.access, *feed, after, room.entries).await;
            }
            let entries = match read {
                Ok(entries) => entries,
                Err(StoreError::Forgotten { .. }) => return Err(Halt::Covered),
                Err(StoreError::Absent) => Vec::new(),
                Err(StoreError::DamagedEntry { .. } | StoreError::Damaged(_)) => {
                    return Err(Halt::Damaged(*feed, after.saturating_add(1)));
                }
                Err(error) => return Err(Halt::From(error)),
            };
            let (mut fitting, has_more) = room.take(entries, feed, (after, upto));
            if has_more {
                haul.unasked.insert(*feed);
            }
            if fitting.is_empty() {
                return Err(Halt::Incomplete(*feed, after));
            }
            batch.append(&mut fitting);
        }
        Ok(batch)
    }
}

/// Whether so much was moved since `before` as a run may under one head.
fn is_spent(haul: &Haul<'_>, before: &Moved) -> bool {
    haul.moved.entries.saturating_sub(before.entries) >= haul.budget.head_entries
        || haul.moved.bytes.saturating_sub(before.bytes) >= haul.budget.head_bytes
}

/// The feeds in which a head is beyond another one, each with the last number that is there.
fn lacking(head: &Head, there: Option<&Head>) -> Vec<(FeedId, u64)> {
    let of_feed = |(collection, position): &(_, aura_protocol::head::Position)| {
        let after = there.map_or(0, |there| there.position(*collection).number);
        (position.number > after).then_some((head.feed(*collection), after))
    };
    head.feeds.iter().filter_map(of_feed).collect()
}

/// What a store says is missing, as far as the head names it.
fn within(head: &Head, missing: Vec<(FeedId, u64)>) -> Vec<(FeedId, u64)> {
    let is_named = |(feed, after): &(FeedId, u64)| {
        *feed == head.feed(feed.collection) && *after < head.position(feed.collection).number
    };
    missing.into_iter().filter(is_named).collect()
}

fn entries_left(head: &Head, lacking: &[(FeedId, u64)]) -> u64 {
    let of_feed = |(feed, after): &(FeedId, u64)| {
        head.position(feed.collection).number.saturating_sub(*after)
    };
    lacking.iter().map(of_feed).fold(0, u64::saturating_add)
}
