// SPDX-License-Identifier: MIT OR Apache-2.0
//! The inside of an open vault: log, database and index, kept in step.
//!
//! A change goes to the log first, durably, then to the views in memory and without an fsync of their
//! own. Each view knows how far it has been applied; what a crash took from a view is applied again
//! from the log when the vault is opened. Nothing here decides who may do what: that is `crate::gate`.

mod positions;

mod bases;

mod covered;

mod reach;

mod scope;

mod going;

mod examine;

mod waits;

mod adopt;

mod forget;

mod taken;

mod second;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use aura_crypto::entropy::Entropy;
use aura_protocol::authority::Roster;
use aura_protocol::head::{Head, Position};
use aura_protocol::id::{CollectionId, DeviceId, FeedId, Hash, RecordId, VaultId};
use aura_protocol::signed::Signed;
use aura_protocol::store::{LocalLog, StoreError};

use crate::audit::{Event, Reads};
use crate::clock::WallClock;
use crate::db::{Applicable, Applied, DbError, Row};
use crate::document::Parts;
use crate::feed::{self, Bar, Batch, Commit, FeedError, Pen, QuarantineReason};
use crate::grant::pace::Pace;
use crate::keyring::{Keyring, Purpose};
use crate::op::Change;
use crate::search::SearchError;
use crate::seen::Watermark;
use crate::views::{ViewError, Views};

/// How often a moment is looked for while more and more arrives.
const MOMENTS_MAX: usize = 16;

/// Where each feed stands, and the newest head of each incarnation.
pub(crate) type Moment = (Vec<(FeedId, Position)>, Vec<Signed<Head>>);

pub(crate) use adopt::Told;
pub(crate) use bases::Bases;
use covered::Covered;
pub use examine::Unsound;
pub use forget::LetGo;
pub use going::Going;
pub(crate) use positions::{decode_positions, encode_positions};
pub(crate) use reach::{Reach, Reaches};
pub(crate) use taken::{Life, Taken};
pub use waits::{GRACE_MS, Wait, Waiting};

const AUDIT_LOST: &str = "audit-lost";
/// Entries that are opened and applied together: what they say may be many times what they weigh.
pub(crate) const CATCH_UP_ENTRIES: usize = 16;

/// Why an open vault did not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The log could not be read or written: nothing of the change counts.
    #[error(transparent)]
    Feed(#[from] FeedError),
    /// The local store could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The database failed. What the log has taken is applied when the vault is opened next.
    #[error(transparent)]
    Db(#[from] DbError),
    /// The log has taken the change, durably, but a view could not follow.
    #[error("what was written is kept, but cannot be shown yet: {0}")]
    Behind(#[source] Box<OpenError>),
    /// The index failed. It is built again from the log when the vault is opened next.
    #[error(transparent)]
    Search(#[from] SearchError),
    /// The views hold what the log does not: the disk lost what it said it had written (F-03).
    #[error("the vault's log has gone back: its newest changes are not there any more")]
    WentBack,
    /// The views have taken what does not count any more: a device was revoked.
    #[error("what a revoked device wrote last does not count any more")]
    Passed,
    /// An earlier failure left it unclear what the log holds; the vault must be locked and opened again.
    #[error("an earlier write failed half-way; lock and unlock the vault to go on")]
    Stale,
    /// It is behind the second lock, and that is shut.
    #[error("this is behind the second lock, which is shut")]
    SecondLock,
}

impl From<ViewError> for OpenError {
    fn from(error: ViewError) -> Self {
        match error {
            ViewError::Db(error) => Self::Db(error),
            ViewError::Search(error) => Self::Search(error),
        }
    }
}

impl OpenError {
    /// Whether a view is damaged, so that building it again from the log is the way out.
    pub fn is_damage(&self) -> bool {
        match self {
            Self::Db(error) => error.is_damage(),
            Self::Search(error) => matches!(error, SearchError::Damaged | SearchError::Outdated),
            Self::Behind(error) => error.is_damage(),
            Self::WentBack | Self::Passed => true,
            _ => false,
        }
    }
}

/// An entry that could not be used, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quarantined {
    /// Its feed.
    pub feed: FeedId,
    /// Its number.
    pub number: u64,
    /// Why.
    pub reason: QuarantineReason,
}

/// Makes a source of randomness for each part of the vault that needs one.
pub type EntropySource = Arc<dyn Fn() -> Box<dyn Entropy + Send> + Send + Sync>;

/// What the program gives to the vault.
#[derive(Clone)]
pub struct Environment {
    /// The wall clock.
    pub clock: Arc<dyn WallClock>,
    /// The operating system's randomness.
    pub entropy: EntropySource,
}

/// The inside of an open vault.
pub struct Open {
    pub(crate) vault: VaultId,
    pub(crate) log: Arc<dyn LocalLog>,
    pub(crate) keyring: RwLock<Keyring>,
    pub(crate) pen: Mutex<Pen>,
    /// What the first lock opens.
    pub(crate) first: Views,
    /// What is behind the second lock, while it is open.
    pub(crate) second: Mutex<Option<Arc<Views>>>,
    /// Held while the second lock is being opened or shut: passwords are tried one after the other.
    pub(crate) second_turn: Mutex<()>,
    /// How often something behind the second lock was used.
    pub(crate) second_uses: AtomicU64,
    pub(crate) clock: Arc<dyn WallClock>,
    pub(crate) entropy: Mutex<Box<dyn Entropy + Send>>,
    pub(crate) entropy_source: EntropySource,
    /// How far other devices' feeds count.
    pub(crate) reaches: RwLock<Reaches>,
    /// Up to which head of each life keys and views have taken in what came.
    pub(crate) taken: Mutex<Taken>,
    /// Snapshots that count.
    pub(crate) bases: RwLock<Bases>,
    /// What this device's late changes stood on, to be said again.
    pub(crate) unsaid: Mutex<Vec<examine::Unsaid>>,
    /// The device that this is.
    pub(crate) own: DeviceId,
    /// Those that were refused, and why.
    pub(crate) refused: Mutex<BTreeMap<Hash, Unsound>>,
    pub(crate) quarantine: Mutex<Vec<Quarantined>>,
    pub(crate) reads: Mutex<Reads>,
    pub(crate) pace: Mutex<Pace>,
    pub(crate) watermark: Mutex<Watermark>,
    /// Whether the log has taken something that a view could not: it must catch up before the next write.
    pub(crate) is_behind: AtomicBool,
    /// Whether an import runs: two would not see each other's drafts, nor their numbers.
    pub(crate) is_importing: AtomicBool,
    /// Whether a snapshot is being made.
    pub(crate) is_compacting: AtomicBool,
    /// Whether sound snapshots are adopted before their days are over.
    pub(crate) is_hasty: AtomicBool,
}

/// Locks a mutex; what a panicking thread left is consistent, since state changes in one place only.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Open {
    /// Feeds and heads of one moment: what arrives from other devices meanwhile changes both.
    pub(crate) fn moment(&self) -> Result<Moment, StoreError> {
        let mut heads = self.log.heads()?;
        for _ in 0..MOMENTS_MAX {
            let feeds = self.log.feeds()?;
            let again = self.log.heads()?;
            if again == heads {
                return Ok((feeds, heads));
            }
            heads = again;
        }
        Ok((self.log.feeds()?, heads))
    }

    /// Runs `act` with the keyring.
    pub(crate) fn with_keyring<T>(&self, act: impl FnOnce(&Keyring) -> T) -> T {
        act(&self.keyring.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// A source of randomness of one's own, for work that takes a while.
    pub(crate) fn fresh_entropy(&self) -> Box<dyn Entropy + Send> {
        (self.entropy_source)()
    }

    /// Writes a commit to the log and to the views. When this returns, it is durable and findable.
    ///
    /// `make` gets the pen, so that what it writes follows from what the pen has written before.
    pub(crate) fn write<T>(
        &self,
        make: impl FnOnce(&mut Pen) -> Result<(Commit, T), OpenError>,
    ) -> Result<(Applied, T), OpenError> {
        let mut pen = lock(&self.pen);
        if pen.is_stale() {
            return Err(OpenError::Stale);
        }
        if self.is_behind.load(Ordering::Acquire) {
            self.catch_up()?;
            self.is_behind.store(false, Ordering::Release);
        }
        let (commit, result) = make(&mut pen)?;
        let mut numbers: BTreeMap<CollectionId, u64> = BTreeMap::new();
        for batch in &commit.batches {
            let next = || pen.next_number(batch.collection);
            numbers.entry(batch.collection).or_insert_with(next);
        }
        let entries = self.with_keyring(|keyring| {
            let mut entropy = lock(&self.entropy);
            pen.commit(&commit, keyring, self.log.as_ref(), entropy.as_mut())
        })?;
        let mut applicable: Vec<Applicable> = Vec::with_capacity(entries.len());
        for Batch { collection, ops, .. } in commit.batches {
            let number = numbers.entry(collection).or_default();
            let (feed, category) = (pen.feed(collection), self.category(collection));
            applicable.push(Applicable { feed, number: *number, category, ops });
            *number = number.saturating_add(1);
        }
        // Of the audit entry the database wants its place, and what was used up of grants.
        let spent = commit.events.iter().filter(|event| event.spent().is_some());
        let mut spent: Vec<_> = spent.map(|event| pen.event_op(event)).collect();
        for entry in &entries {
            let (feed, number) = (entry.header().feed, entry.header().number);
            let is_known =
                applicable.iter().any(|known| known.feed == feed && known.number == number);
            if feed.collection != CollectionId::AUTHORITY && !is_known {
                let ops = core::mem::take(&mut spent);
                applicable.push(Applicable { feed, number, category: None, ops });
            }
        }
        // The change counts from here on, whatever becomes of the views.
        self.is_behind.store(true, Ordering::Release);
        let applied =
            self.follow(applicable).map_err(|error| OpenError::Behind(Box::new(error)))?;
        self.is_behind.store(false, Ordering::Release);
        Ok((applied, result))
    }

    /// Brings the views to where the log is, given the entries that they lack.
    fn follow(&self, entries: Vec<Applicable>) -> Result<Applied, OpenError> {
        let is_behind = |entry: &Applicable| self.side(entry.feed.collection) == Side::Second;
        let (behind, before): (Vec<_>, Vec<_>) = entries.into_iter().partition(is_behind);
        let mut applied = follow_side(&self.first, before)?;
        if !behind.is_empty() {
            let second = self.second().ok_or(OpenError::SecondLock)?;
            applied.rows.extend(follow_side(&second, behind)?.rows);
            self.use_second();
        }
        Ok(applied)
    }

    /// Writes audit events alone.
    pub(crate) fn record(&self, events: Vec<Event>) -> Result<(), OpenError> {
        // A revoked device reads what it has; no store takes what it writes.
        if lock(&self.pen).bar() == Bar::Revoked {
            return Ok(());
        }
        self.write(|pen| {
            // So that time goes on: grants are held against it (CNS-3).
            pen.tick(self.clock.now_ms());
            Ok((Commit { events, ..Commit::default() }, ()))
        })
        .map(drop)
    }

    fn category(&self, collection: CollectionId) -> Option<crate::record::Category> {
        match self.with_keyring(|keyring| keyring.purpose(collection)) {
            Some(Purpose::Category(category)) => Some(category),
            _ => None,
        }
    }

    /// Takes note of whose feeds count, and which snapshots.
    pub(crate) fn heed(&self, roster: &Roster, heads: &[Signed<Head>], own: Option<DeviceId>) {
        let reaches = Reaches::new(roster, heads, own);
        *self.reaches.write().unwrap_or_else(PoisonError::into_inner) = reaches;
        self.heed_bases(roster);
    }

    /// Takes from a roster which snapshots there are, and who has adopted which.
    pub(crate) fn heed_bases(&self, roster: &Roster) {
        *self.bases.write().unwrap_or_else(PoisonError::into_inner) = Bases::new(roster);
    }

    /// How far a feed counts here.
    pub(crate) fn reach(&self, feed: FeedId) -> Reach {
        self.reaches.read().unwrap_or_else(PoisonError::into_inner).of(feed)
    }

    /// Applies what the log has and the views have not. What is behind the second lock waits while that
    /// is shut.
    pub(crate) fn catch_up(&self) -> Result<(), OpenError> {
        self.bring_up(&self.first, Side::First)?;
        match self.second() {
            Some(second) => self.bring_up(&second, Side::Second),
            None => Ok(()),
        }
    }

    /// Applies to one side what the log has and its views have not.
    pub(crate) fn bring_up(&self, views: &Views, side: Side) -> Result<(), OpenError> {
        views.reindex_if_behind()?;
        let behind = lock(&views.indexed).clone();
        let feeds: BTreeMap<FeedId, Position> = self.log.feeds()?.into_iter().collect();
        let covered = views.adopted()?;
        check_not_ahead(views, (&behind, &covered), &feeds)?;
        let mut touched = BTreeSet::new();
        for (feed, position) in feeds {
            if feed.collection == CollectionId::AUTHORITY {
                continue;
            }
            let applied = views.db.applied(feed)?;
            if self.side(feed.collection) != side {
                // What went behind the second lock may not stay in the first database.
                if applied > 0 {
                    return Err(DbError::Damaged.into());
                }
                continue;
            }
            let reach = self.reach(feed);
            if reach.is_passed(applied) {
                return Err(OpenError::Passed);
            }
            let upto = reach.upto(position.number, applied);
            // What a snapshot covers is ignored for ever, and what was let go of cannot be read.
            let floor = self.log.floor(feed)?.number;
            let applied = applied.max(covered.upto(feed)).max(floor);
            let indexed = behind.get(&feed).copied().unwrap_or_default();
            // Positions that the database applied and the index lost.
            let indexed = indexed.max(floor);
            if indexed < applied {
                self.each_entry(feed, indexed, applied, &mut |entries| {
                    touched.extend(entries.iter().flat_map(records));
                    Ok(())
                })?;
            }
            if applied < upto {
                // Somebody may have read it before its keys were here.
                lock(&self.quarantine).retain(|q| q.feed != feed || q.number <= applied);
                self.each_entry(feed, applied, upto, &mut |entries| {
                    let applied = views.db.apply(entries)?;
                    index_rows(views, &applied.rows, Freshness::PerhapsIndexed)
                })?;
            }
            lock(&views.indexed).insert(feed, upto.max(applied));
        }
        for id in touched {
            if let Some(row) = views.db.record(id)? {
                index_rows(views, &[row], Freshness::PerhapsIndexed)?;
            }
        }
        self.adopt_side(views, side)
    }

    /// Opens the entries of a feed after one number up to another and hands them on, some at a time.
    /// What cannot be used is set aside; what waits for the second lock is left alone.
    pub(crate) fn each_entry(
        &self,
        feed: FeedId,
        mut after: u64,
        upto: u64,
        take: &mut dyn FnMut(Vec<Applicable>) -> Result<(), OpenError>,
    ) -> Result<(), OpenError> {
        if self.with_keyring(|keyring| keyring.is_shut(feed.collection)) {
            return Ok(());
        }
        let category = self.category(feed.collection);
        while after < upto {
            let left = usize::try_from(upto - after).unwrap_or(CATCH_UP_ENTRIES);
            let entries = match self.log.read(feed, after, left.min(CATCH_UP_ENTRIES)) {
                // What stands before the damage is read first; then it is stepped over.
                Err(StoreError::DamagedEntry { number, .. }) if number > after => {
                    let before = usize::try_from(number - after - 1).unwrap_or(0);
                    if before > 0 {
                        self.log.read(feed, after, before.min(CATCH_UP_ENTRIES))?
                    } else {
                        let reason = QuarantineReason::Damaged;
                        self.set_aside(Quarantined { feed, number, reason });
                        after = number;
                        continue;
                    }
                }
                entries => entries?,
            };
            let Some(last) = entries.last() else { return Err(StoreError::Absent.into()) };
            after = last.header().number;
            let mut applicable = Vec::with_capacity(entries.len());
            for entry in &entries {
                let number = entry.header().number;
                match self.with_keyring(|keyring| feed::open(entry, keyring, self.vault)) {
                    Ok(ops) => applicable.push(Applicable { feed, number, category, ops }),
                    Err(reason) => self.set_aside(Quarantined { feed, number, reason }),
                }
            }
            take(applicable)?;
        }
        Ok(())
    }

    /// Remembers that events of this device's audit log were lost, until the views are built again.
    pub(crate) fn lose_audit(&self) -> Result<(), OpenError> {
        Ok(self.first.db.remember(AUDIT_LOST, &[])?)
    }

    /// Whether events of this device's audit log were lost.
    pub(crate) fn is_audit_lost(&self) -> Result<bool, OpenError> {
        Ok(self.first.db.recall(AUDIT_LOST)?.is_some())
    }

    fn set_aside(&self, quarantined: Quarantined) {
        let mut quarantine = lock(&self.quarantine);
        if !quarantine.contains(&quarantined) {
            quarantine.push(quarantined);
        }
    }

    /// The ops of one entry.
    pub(crate) fn entry(&self, feed: FeedId, number: u64) -> Result<Option<Applicable>, OpenError> {
        let mut found = None;
        let read = self.each_entry(feed, number.saturating_sub(1), number, &mut |entries| {
            found = entries.into_iter().rfind(|entry| entry.number == number).or(found.take());
            Ok(())
        });
        match read {
            Err(OpenError::Store(StoreError::Forgotten { .. })) => Ok(None),
            read => read.map(|()| found),
        }
    }

    /// Empties databases and indexes and fills them again from the log; those behind the second lock
    /// only while it is open.
    pub(crate) fn rebuild(&self) -> Result<(), OpenError> {
        let _writing = lock(&self.pen);
        self.rebuild_held()
    }

    /// The same for who holds the pen already.
    pub(crate) fn rebuild_held(&self) -> Result<(), OpenError> {
        // Whatever is still of no use is set aside anew.
        lock(&self.quarantine).clear();
        lock(&self.refused).clear();
        self.rebuild_side(&self.first, Side::First)?;
        match self.second() {
            Some(second) => self.rebuild_side(&second, Side::Second),
            None => Ok(()),
        }
    }

    /// The same for one side, while nobody writes.
    pub(crate) fn rebuild_side(&self, views: &Views, side: Side) -> Result<(), OpenError> {
        views.db.recreate()?;
        views.index.clear()?;
        lock(&views.indexed).clear();
        views.index.begin_load();
        let caught_up = self.bring_up(views, side);
        let payload = encode_positions(&lock(&views.indexed));
        views.index.end_load(&payload)?;
        caught_up
    }

    /// A batch for a category's collection.
    pub(crate) fn batch(
        &self,
        purpose: Purpose,
        ops: Vec<crate::op::Op>,
    ) -> Result<Batch, OpenError> {
        let collection =
            self.with_keyring(|keyring| keyring.collection(purpose)).ok_or(FeedError::NoKey)?;
        if self.with_keyring(|keyring| keyring.is_shut(collection)) {
            return Err(OpenError::SecondLock);
        }
        Ok(Batch { collection, ops, added: Vec::new(), dropped: Vec::new() })
    }
}

/// Which lock a collection's records are behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    /// The vault's own.
    First,
    /// The second one.
    Second,
}

/// That the views have taken nothing that the log does not have.
fn check_not_ahead(
    views: &Views,
    (indexed, covered): (&BTreeMap<FeedId, u64>, &Covered),
    logged: &BTreeMap<FeedId, Position>,
) -> Result<(), OpenError> {
    let ahead = |(feed, number): (&FeedId, &u64)| {
        let known = logged.get(feed).map_or(0, |position| position.number);
        known.max(covered.upto(*feed)) < *number
    };
    let is_ahead = indexed.iter().any(ahead) || views.db.feeds()?.iter().any(ahead);
    if is_ahead { Err(OpenError::WentBack) } else { Ok(()) }
}

/// Brings one side's views to where the log is, given the entries that they lack.
fn follow_side(views: &Views, entries: Vec<Applicable>) -> Result<Applied, OpenError> {
    let places: Vec<_> = entries.iter().map(|entry| (entry.feed, entry.number)).collect();
    let applied = views.db.apply(entries)?;
    index_rows(views, &applied.rows, Freshness::Unknown)?;
    lock(&views.indexed).extend(places);
    Ok(applied)
}

/// Tells the index what changed.
fn index_rows(views: &Views, rows: &[Row], freshness: Freshness) -> Result<(), OpenError> {
    for row in rows {
        if !row.state.is_live() {
            views.index.delete(row.id)?;
            continue;
        }
        let parts = Parts::of(row);
        let is_first = row.state.touches().len() == 1;
        match freshness {
            // A record with one op that the database has just taken in is not in the index.
            Freshness::Unknown if is_first => views.index.add_new(&parts.document(row))?,
            _ => views.index.add(&parts.document(row))?,
        }
    }
    Ok(())
}

/// Makes one side's index last, as far as it has been told, and its database.
pub(crate) fn settle_side(views: &Views) -> Result<(), OpenError> {
    let payload = encode_positions(&lock(&views.indexed));
    views.index.commit(&payload)?;
    Ok(views.db.checkpoint()?)
}

/// Whether the index may have a record already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Freshness {
    /// Not if the database has just seen it for the first time.
    Unknown,
    /// Perhaps: index and database may have been apart.
    PerhapsIndexed,
}

fn records(entry: &Applicable) -> Vec<RecordId> {
    let record = |op: &crate::op::Op| match &op.change {
        Change::Write { record, .. } | Change::Delete { record, .. } => Some(*record),
        _ => None,
    };
    entry.ops.iter().filter_map(record).collect()
}
