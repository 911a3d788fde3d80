// SPDX-License-Identifier: MIT OR Apache-2.0
//! What an active store takes: entries that link, and heads that a listed device signed and that only
//! go forward.
//!
//! Entries are staged as they come and shown with the first head whose every position is reached by
//! the hash it names. Until then they prove nothing: whatever is staged gives way to what links better,
//! so that nobody can block a place with made-up entries. Source: spec/store.md, rules STO-1 to STO-9.

mod room;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use aura_protocol::entry::Entry;
use aura_protocol::head::{Head, Position};
use aura_protocol::id::{CollectionId, FeedId, VaultId};
use aura_protocol::signed::Signed;
use aura_protocol::store::{Receipt, StoreError};

use self::room::Share;
use crate::devices::Devices;
use crate::rows::{FeedRow, Rows};

/// A head that is offered, decoded but not trusted yet.
pub(crate) struct Offer<'a> {
    pub(crate) signed: &'a Signed<Head>,
    pub(crate) head: Head,
}

impl<'a> Offer<'a> {
    pub(crate) fn new(vault: VaultId, signed: &'a Signed<Head>) -> Result<Self, StoreError> {
        let head =
            signed.claim().map_err(|_| StoreError::Refused("a head that is not well-formed"))?;
        if head.vault != vault {
            return Err(StoreError::Refused("a head of another vault"));
        }
        Ok(Self { signed, head })
    }

    fn position(&self) -> Position {
        Position { number: self.head.number, hash: self.signed.hash() }
    }
}

/// What came of an offer.
pub(crate) enum Admission {
    /// Taken as far as it goes; with it, whether more authority entries are shown than before.
    Taken(Receipt, Authority),
    /// What is staged of this feed leads nowhere: the offer is undone and that is cleared.
    Astray(FeedId, StoreError),
}

/// Whether the list of devices may have changed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Authority {
    Unchanged,
    Changed,
}

/// Stages entries and shows the head when it is complete. The caller commits or rolls back.
pub(crate) fn admit<R: Rows>(
    rows: &R,
    listed: &Devices,
    offer: &Offer<'_>,
    entries: &[Entry],
) -> Result<Admission, StoreError> {
    let standing = standing(rows, offer)?;
    let coverage = Coverage { rows, listed, offer, staged: RefCell::default() };
    let mut astray = None;
    let is_statement = |of_feed: &&[Entry]| of_feed.first().is_some_and(states);
    let of_feeds = || entries.chunk_by(|a, b| a.header().feed == b.header().feed);
    // Statements first, wherever they stand in the push: then what they come to is judged once.
    let statements = of_feeds().filter(is_statement);
    for of_feed in statements.chain(of_feeds().filter(|of_feed| !is_statement(of_feed))) {
        let turn = stage(&coverage, of_feed)?;
        if of_feed.first().is_some_and(states) {
            coverage.staged.take();
        }
        if let Some(turn) = turn {
            astray = Some(turn);
            break;
        }
    }
    // STO-4, after staging: a device's first head may come with the entry that lists it.
    let share = verify(&coverage)?;
    if stages_statements(rows, &offer.head)? {
        room::for_statements(rows, &offer.head, share)?;
    }
    if let Some((feed, error)) = astray {
        return Ok(Admission::Astray(feed, error));
    }
    let is_last = listed.is_last(&offer.head, offer.signed.hash());
    if standing != Standing::Old || is_last {
        room::for_head(rows, &offer.head, offer.signed.payload().len(), share)?;
    }
    if standing == Standing::Old {
        if is_last {
            // STO-14: what is beyond it is not accepted, and it says what is.
            rows.keep(&offer.head, offer.signed)?;
        }
        let authority = if is_last { Authority::Changed } else { Authority::Unchanged };
        return Ok(Admission::Taken(Receipt { missing: Vec::new() }, authority));
    }
    complete(&coverage, standing)
}

/// Whether an entry is one of statements.
fn states(entry: &Entry) -> bool {
    entry.header().feed.collection == CollectionId::AUTHORITY
}

/// What snapshots cover, by the statements that are shown or that come with the head.
struct Coverage<'a, R: Rows> {
    rows: &'a R,
    listed: &'a Devices,
    offer: &'a Offer<'a>,
    /// Judged once: a head may name as many feeds that are not there as fit into it, and a judgement reads every
    /// statement.
    staged: RefCell<Staged>,
}

/// What all statements come to with those that are staged with the head.
#[derive(Clone, Default)]
enum Staged {
    #[default]
    Unjudged,
    /// None are.
    Nothing,
    Judged(Rc<Devices>),
}

impl<R: Rows> Coverage<'_, R> {
    /// Whether a snapshot covers a feed right up to here. Asked only where its entries are not there.
    fn covers(&self, feed: FeedId, at: Position) -> Result<bool, StoreError> {
        let staged = self.with_staged()?;
        Ok(staged.as_deref().unwrap_or(self.listed).covers(feed, at))
    }

    /// After which covered entry a feed goes on that has a gap. It may be an earlier snapshot's, while not every device
    /// has adopted the one that covers that (STO-30).
    fn floor_of(&self, row: &FeedRow<R::Key>) -> Result<Position, StoreError> {
        let staged = self.with_staged()?;
        let covered = staged.as_deref().unwrap_or(self.listed).covered(row.feed);
        for at in covered.into_iter().filter(|at| at.number > row.kept.number) {
            let mut follows = false;
            let next = at.number.saturating_add(1);
            // One whose hash is made up is nobody's floor. What rotted is healed later, and then tells.
            let read = self.rows.scan(row, (at.number, next), 1, &mut |entry| {
                follows = entry.follows(at.number, &at.hash);
                false
            });
            match read {
                Ok(()) | Err(StoreError::DamagedEntry { .. }) if follows => return Ok(at),
                Ok(()) | Err(StoreError::DamagedEntry { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(row.held)
    }

    /// The devices with those that staged statements list; `None` where no statements are staged.
    fn with_staged(&self) -> Result<Option<Rc<Devices>>, StoreError> {
        let head = &self.offer.head;
        let known = self.staged.borrow().clone();
        let staged = match known {
            Staged::Unjudged if stages_statements(self.rows, head)? => {
                Staged::Judged(Rc::new(devices(self.rows, head.vault, Some(head))?))
            }
            Staged::Unjudged => Staged::Nothing,
            judged => judged,
        };
        self.staged.replace(staged.clone());
        Ok(match staged {
            Staged::Judged(devices) => Some(devices),
            Staged::Unjudged | Staged::Nothing => None,
        })
    }
}

/// How an offered head stands to the newest one that is shown of its incarnation.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Standing {
    Newer,
    Same,
    Old,
}

/// STO-7: of two heads of one incarnation, one extends the other.
fn standing<R: Rows>(rows: &R, offer: &Offer<'_>) -> Result<Standing, StoreError> {
    let head = &offer.head;
    let Some(newest) = rows.newest((head.device, head.incarnation))? else {
        return room::for_life(rows, head).map(|()| Standing::Newer);
    };
    if newest == offer.position() {
        return Ok(Standing::Same);
    }
    if newest.number == head.number {
        return Err(StoreError::Fork);
    }
    let is_newer = head.number > newest.number;
    let feeds = rows.feeds_of((head.device, head.incarnation))?;
    for row in &feeds {
        let position = head.position(row.feed.collection);
        let is_beyond = position.number > row.kept.number;
        let is_behind = position.number < row.kept.number;
        let (goes_back, differs) = match (is_beyond, is_behind) {
            (true, _) => (!is_newer, false),
            // What was let go of cannot be compared any more.
            (_, true) if position.number < row.floor.number => (is_newer, false),
            (_, true) => (is_newer, rows.hash_at(row, position.number)? != Some(position.hash)),
            (false, false) => (false, position.hash != row.kept.hash),
        };
        if goes_back || differs {
            return Err(StoreError::Fork);
        }
    }
    if is_newer {
        return Ok(Standing::Newer);
    }
    // An older head names no feed that the newest one does not.
    let shown: BTreeMap<_, _> =
        feeds.iter().map(|row| (row.feed.collection, row.kept.number)).collect();
    let beyond = head.feeds.iter().any(|(collection, position)| {
        position.number > shown.get(collection).copied().unwrap_or_default()
    });
    if beyond { Err(StoreError::Fork) } else { Ok(Standing::Old) }
}

const UNLISTED: StoreError = StoreError::Refused("a head of a device that the vault does not list");

/// STO-3, STO-4: a head counts only with the signature of a device that the vault lists.
/// Says what its device may have kept.
fn verify<R: Rows>(coverage: &Coverage<'_, R>) -> Result<Share, StoreError> {
    let Coverage { rows, listed, offer, .. } = coverage;
    let hash = offer.signed.hash();
    let (key, is_waiting) = if let Some(key) = listed.key_of(&offer.head, hash) {
        (key, listed.waits(offer.head.device))
    } else {
        // Without statements of its own, nothing lists it that does not list it already.
        let devices = coverage.with_staged()?.ok_or(UNLISTED)?;
        let key = devices.key_of(&offer.head, hash).ok_or(UNLISTED)?;
        (key, devices.waits(offer.head.device))
    };
    let checked = offer.signed.clone().verify(&key);
    checked.map_err(|_| StoreError::Refused("a head whose signature does not verify"))?;
    if is_waiting {
        room::for_waiting_life(*rows, &offer.head)?;
        return Ok(Share::Waiting);
    }
    Ok(Share::Whole)
}

/// Whether authority entries have come with this head that are not shown yet.
fn stages_statements<R: Rows>(rows: &R, head: &Head) -> Result<bool, StoreError> {
    let row = rows.feed(&head.feed(CollectionId::AUTHORITY))?;
    Ok(row.is_some_and(|row| row.held.number > row.kept.number))
}

/// The devices that the shown authority entries list, and those that are staged with this head.
pub(crate) fn devices<R: Rows>(
    rows: &R,
    vault: VaultId,
    with: Option<&Head>,
) -> Result<Devices, StoreError> {
    let mut entries = Vec::new();
    for row in rows.authority_feeds()? {
        let is_with = with.is_some_and(|head| head.feed(CollectionId::AUTHORITY) == row.feed);
        let to = if is_with { row.held.number } else { row.kept.number };
        let mut after = 0;
        while after < to {
            let before = after;
            rows.scan(&row, (after, to), usize::MAX, &mut |entry| {
                after = entry.header().number;
                entries.push(entry);
                true
            })?;
            if after == before {
                break;
            }
        }
    }
    // A head that cannot be read is not one that is unknown: with that all statements of its device would count (AUT-23).
    let unread = Cell::new(None);
    let extent = |device, incarnation, at| match rows.head((device, incarnation), at) {
        Ok(found) => Some(found?.head.claim().ok()?.position(CollectionId::AUTHORITY).number),
        Err(error) => {
            unread.set(Some(error));
            None
        }
    };
    let devices = Devices::listed_by(vault, &entries, &extent);
    unread.into_inner().map_or(Ok(devices), Err)
}

/// Takes what follows of one feed, in order. Says so if what is staged does not lead to the head.
fn stage<R: Rows>(
    coverage: &Coverage<'_, R>,
    entries: &[Entry],
) -> Result<Option<(FeedId, StoreError)>, StoreError> {
    let (rows, offer) = (coverage.rows, coverage.offer);
    let Some(first) = entries.first() else { return Ok(None) };
    let mut row = rows.feed_or_make(&first.header().feed)?;
    let before = row.held;
    for entry in entries {
        belongs(offer, entry)?;
        let (number, hash) = (entry.header().number, entry.hash());
        if number <= row.held.number {
            if rows.hash_at(&row, number)? == Some(hash) {
                continue;
            }
            // STO-6: what is shown stays. What is staged gives way.
            if number <= row.kept.number {
                heal(rows, &row, entry)?;
                continue;
            }
            rows.unstage(&mut row, number)?;
        }
        if number > row.held.number.saturating_add(1) {
            let before =
                Position { number: number.saturating_sub(1), hash: entry.header().previous };
            if coverage.covers(row.feed, before)? {
                // STO-30: what a snapshot covers is ignored for ever; the feed goes on after it.
                rows.begin_after(&mut row, before)?;
            }
        }
        if number != row.held.number.saturating_add(1) {
            let expected = row.held.number.saturating_add(1);
            return Err(StoreError::Gap { feed: row.feed, expected });
        }
        if !entry.follows(row.held.number, &row.held.hash) {
            if row.held.number == row.kept.number {
                return Err(StoreError::Fork);
            }
            let expected = row.kept.number.saturating_add(1);
            let error = StoreError::Gap { feed: row.feed, expected };
            return Ok(Some((row.feed, error)));
        }
        rows.insert(&mut row, entry, hash)?;
    }
    if row.held != before {
        rows.update(&row)?;
    }
    Ok(None)
}

/// STO-2: a push carries only entries of its head's own feeds, up to where the head stands.
fn belongs(offer: &Offer<'_>, entry: &Entry) -> Result<(), StoreError> {
    let (header, head) = (entry.header(), &offer.head);
    if header.vault != head.vault {
        return Err(StoreError::Refused("an entry of another vault"));
    }
    if header.feed.device != head.device || header.feed.incarnation != head.incarnation {
        return Err(StoreError::Refused("an entry of another feed than its head's"));
    }
    if header.number > head.position(header.feed.collection).number {
        return Err(StoreError::Refused("an entry that its head does not cover"));
    }
    Ok(())
}

/// Puts a sound entry in the place of a rotten one: what the entry after it, or the feed's position,
/// names is what belongs there (F-08).
pub(crate) fn heal<R: Rows>(
    rows: &R,
    row: &FeedRow<R::Key>,
    entry: &Entry,
) -> Result<(), StoreError> {
    let number = entry.header().number;
    let belongs = if number == row.kept.number {
        Some(row.kept.hash)
    } else {
        let mut previous = None;
        let next = number.saturating_add(1);
        rows.scan(row, (number, next), 1, &mut |next| {
            previous = Some(next.header().previous);
            true
        })
        .map(|()| previous)
        .unwrap_or_default()
    };
    if belongs != Some(entry.hash()) {
        return Err(StoreError::Fork);
    }
    rows.replace(row, entry)
}

/// Puts the one of these entries into the place of a rotten statement that belongs there: what stands after it says
/// so, whoever brings it (STO-25). The caller commits if there is one.
pub(crate) fn heal_statement<'a, R: Rows>(
    rows: &R,
    place: (FeedId, u64),
    entries: &'a [Entry],
) -> Result<Option<&'a Entry>, StoreError> {
    let is_it = |entry: &&Entry| (entry.header().feed, entry.header().number) == place;
    let (Some(entry), Some(row)) = (entries.iter().find(is_it), rows.feed(&place.0)?) else {
        return Ok(None);
    };
    match heal(rows, &row, entry) {
        Err(StoreError::Fork) => Ok(None),
        healed => healed.map(|()| Some(entry)),
    }
}

/// Whether the entry after what is shown is not there, nor will be: the feed goes on after a snapshot.
fn has_gap<R: Rows>(rows: &R, row: &FeedRow<R::Key>) -> Result<bool, StoreError> {
    let next = row.kept.number.saturating_add(1);
    Ok(!rows.has_any(row, (next, next))?)
}

/// Shows the head if all that it names is there.
fn complete<R: Rows>(
    coverage: &Coverage<'_, R>,
    standing: Standing,
) -> Result<Admission, StoreError> {
    let (rows, offer) = (coverage.rows, coverage.offer);
    let head = &offer.head;
    let mut missing = Vec::new();
    let mut reached = Vec::new();
    let feeds = rows.feeds_of((head.device, head.incarnation))?;
    let feeds: BTreeMap<_, _> = feeds.into_iter().map(|row| (row.feed, row)).collect();
    for (collection, position) in &head.feeds {
        let feed = head.feed(*collection);
        if position.number == 0 {
            continue;
        }
        let mut found = feeds.get(&feed).copied();
        let is_short = found.is_none_or(|row| row.held.number < position.number);
        if is_short && coverage.covers(feed, *position)? {
            // STO-30: there is nothing after what a snapshot covers.
            let mut row = rows.feed_or_make(&feed)?;
            rows.begin_after(&mut row, *position)?;
            rows.update(&row)?;
            found = Some(row);
        }
        match found {
            None => missing.push((feed, 0)),
            Some(row) if row.held.number < position.number => {
                missing.push((feed, row.held.number));
            }
            Some(row) if rows.hash_at(&row, position.number)? != Some(position.hash) => {
                let error =
                    StoreError::Refused("entries that do not lead to what their head names");
                return Ok(Admission::Astray(feed, error));
            }
            Some(mut row) => {
                if position.number > row.kept.number && has_gap(rows, &row)? {
                    row.floor = coverage.floor_of(&row)?;
                }
                reached.push((row, *position));
            }
        }
    }
    let mut authority = Authority::Unchanged;
    if missing.is_empty() && standing == Standing::Newer {
        for (mut row, position) in reached {
            if position.number > row.kept.number {
                if row.feed.collection == CollectionId::AUTHORITY {
                    authority = Authority::Changed;
                }
                row.kept = position;
                rows.update(&row)?;
            }
        }
    }
    if missing.is_empty() {
        // Also the same one again: its row may have rotted.
        rows.show(head, offer.signed)?;
    }
    Ok(Admission::Taken(Receipt { missing }, authority))
}
