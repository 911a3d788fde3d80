// SPDX-License-Identifier: MIT OR Apache-2.0
//! Rows that count what they are asked for, and that cannot read a head where a test wants it so: what admission makes of a
//! database that is slow or fails.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic is a failed test")]

use std::cell::Cell;
use std::collections::BTreeSet;

use aura_protocol::entry::Entry;
use aura_protocol::head::{Head, Position};
use aura_protocol::id::{ChunkName, CollectionId, DeviceId, FeedId, Hash, Incarnation, VaultId};
use aura_protocol::limits::READ_ENTRIES_MAX;
use aura_protocol::signed::Signed;
use aura_protocol::store::{StoreError, StoredHead};
use aura_testkit::author::Author;
use aura_testkit::conformance::NOTES;
use aura_testkit::seed::Seed;
use rusqlite::Connection;
use tempfile::TempDir;

use super::feed::FeedRow;
use super::schema::{self, Presence};
use crate::admit::{Admission, Authority, Offer, admit, devices};
use crate::devices::Devices;
use crate::rows::{Life, Rows, Sums};

/// A new store's rows.
struct Asked {
    rows: Connection,
    vault: VaultId,
    /// How often for all authority feeds, which is how a judgement begins.
    judgements: Cell<u32>,
    /// How often for one feed's row.
    feeds: Cell<u32>,
    /// Whether heads can be read.
    is_well: Cell<bool>,
    _folder: TempDir,
}

impl Asked {
    /// Those of a new vault.
    fn new(vault: VaultId) -> Self {
        let folder = TempDir::new().unwrap();
        let mut rows = schema::writer(&folder.path().join("store.db"), Presence::Created).unwrap();
        schema::create(&mut rows, vault).unwrap();
        let (judgements, feeds, is_well) = (Cell::new(0), Cell::new(0), Cell::new(true));
        Self { rows, vault, judgements, feeds, is_well, _folder: folder }
    }

    fn devices(&self) -> Result<Devices, StoreError> {
        devices(self, self.vault, None)
    }

    /// What is missing of a head that is taken.
    fn takes(&self, head: &Signed<Head>, entries: &[Entry]) -> usize {
        let listed = self.devices().unwrap();
        let offer = Offer::new(self.vault, head).unwrap();
        match admit(self, &listed, &offer, entries) {
            Ok(Admission::Taken(receipt, _)) => receipt.missing.len(),
            Ok(Admission::Astray(_, error)) | Err(error) => panic!("{error}"),
        }
    }
}

impl Rows for Asked {
    type Key = i64;

    fn feed(&self, feed: &FeedId) -> Result<Option<FeedRow>, StoreError> {
        self.feeds.set(self.feeds.get() + 1);
        self.rows.feed(feed)
    }

    fn feed_or_make(&self, feed: &FeedId) -> Result<FeedRow, StoreError> {
        self.rows.feed_or_make(feed)
    }

    fn feeds_of(&self, life: Life) -> Result<Vec<FeedRow>, StoreError> {
        self.rows.feeds_of(life)
    }

    fn authority_feeds(&self) -> Result<Vec<FeedRow>, StoreError> {
        self.judgements.set(self.judgements.get() + 1);
        self.rows.authority_feeds()
    }

    fn update(&self, row: &FeedRow) -> Result<(), StoreError> {
        self.rows.update(row)
    }

    fn insert(&self, row: &mut FeedRow, entry: &Entry, hash: Hash) -> Result<(), StoreError> {
        self.rows.insert(row, entry, hash)
    }

    fn replace(&self, row: &FeedRow, entry: &Entry) -> Result<(), StoreError> {
        self.rows.replace(row, entry)
    }

    fn unstage(&self, row: &mut FeedRow, number: u64) -> Result<(), StoreError> {
        self.rows.unstage(row, number)
    }

    fn has_any(&self, row: &FeedRow, range: (u64, u64)) -> Result<bool, StoreError> {
        self.rows.has_any(row, range)
    }

    fn let_go(&self, row: &mut FeedRow, upto: Position) -> Result<u64, StoreError> {
        self.rows.let_go(row, upto)
    }

    fn named_only_by(
        &self,
        doomed: &[(FeedRow, Position)],
    ) -> Result<BTreeSet<ChunkName>, StoreError> {
        self.rows.named_only_by(doomed)
    }

    fn hash_at(&self, row: &FeedRow, number: u64) -> Result<Option<Hash>, StoreError> {
        self.rows.hash_at(row, number)
    }

    fn scan(
        &self,
        row: &FeedRow,
        range: (u64, u64),
        limit: usize,
        take: &mut dyn FnMut(Entry) -> bool,
    ) -> Result<(), StoreError> {
        self.rows.scan(row, range, limit, take)
    }

    fn authority_bytes(&self, device: DeviceId) -> Result<Sums, StoreError> {
        self.rows.authority_bytes(device)
    }

    fn newest(&self, life: Life) -> Result<Option<Position>, StoreError> {
        self.rows.newest(life)
    }

    fn all_newest(&self) -> Result<Vec<(DeviceId, Incarnation, Position)>, StoreError> {
        self.rows.all_newest()
    }

    fn has_head(&self, life: Life, at: Position) -> Result<bool, StoreError> {
        self.rows.has_head(life, at)
    }

    fn head(&self, life: Life, at: Position) -> Result<Option<StoredHead>, StoreError> {
        if self.is_well.get() { self.rows.head(life, at) } else { Err(StoreError::SlowDown(1)) }
    }

    fn keep(&self, head: &Head, signed: &Signed<Head>) -> Result<(), StoreError> {
        self.rows.keep(head, signed)
    }

    fn show(&self, head: &Head, signed: &Signed<Head>) -> Result<(), StoreError> {
        self.rows.show(head, signed)
    }

    fn other_lives(&self, life: Life) -> Result<Sums, StoreError> {
        self.rows.other_lives(life)
    }

    fn largest_head(&self, life: Life) -> Result<u64, StoreError> {
        self.rows.largest_head(life)
    }

    fn other_heads_bytes(&self, life: Life) -> Result<Sums, StoreError> {
        self.rows.other_heads_bytes(life)
    }
}

/// STO-30, attacks AVL-04, AVL-05: statements are judged once with a push, however many feeds its head names that are not
/// there, and wherever its statements stand among other entries.
#[test]
fn avl_05_statements_are_judged_once_with_a_push() {
    let mut seed = Seed::new(1);
    let (mut author, genesis) = Author::founder(&mut seed);
    let rows = Asked::new(author.vault());
    assert_eq!(rows.takes(&author.head(), &[genesis]), 0);
    let (mut guest, join) = author.joiner(&mut seed);
    let mut claim = guest.head().claim().unwrap();
    let absent = (0..2_000_u32).map(|at| {
        let mut collection = [1; 16];
        collection[..4].copy_from_slice(&at.to_be_bytes());
        (CollectionId(collection), Position { number: 3, hash: Hash([7; 32]) })
    });
    claim.feeds.extend(absent);
    claim.feeds.sort_by_key(|(collection, _)| *collection);
    let head = guest.sign(&claim);
    rows.judgements.set(0);
    rows.feeds.set(0);
    assert_eq!(rows.takes(&head, std::slice::from_ref(&join)), 2_000);
    assert!(rows.judgements.get() <= 3, "{} judgements", rows.judgements.get());
    assert!(rows.feeds.get() <= 20, "{} feeds", rows.feeds.get());

    // A head that brings no statements, of a device that nobody lists, asks for none but those that are shown.
    let mut stranger = Author::stranger(&mut seed, author.vault());
    let (listed, head) = (rows.devices().unwrap(), stranger.head());
    rows.judgements.set(0);
    let answer = admit(&rows, &listed, &Offer::new(rows.vault, &head).unwrap(), &[]);
    assert!(matches!(answer, Err(StoreError::Refused(_))));
    assert_eq!(rows.judgements.get(), 0);

    // Nor does one that brings other entries have anybody judge anew.
    let note = author.entry(NOTES, vec![1; 60]);
    let (listed, head) = (rows.devices().unwrap(), author.head());
    let taken = admit(&rows, &listed, &Offer::new(rows.vault, &head).unwrap(), &[note]).unwrap();
    assert!(matches!(taken, Admission::Taken(_, Authority::Unchanged)));

    // Nor one of a device that was revoked, which has said something before.
    let (mut lost, add) = author.pair(&mut seed);
    let said = lost.confirm(lost.device());
    assert_eq!(rows.takes(&author.head(), &[add]), 0);
    assert_eq!(rows.takes(&lost.head(), &[said]), 0);
    let revoke = author.revoke(lost.device(), Vec::new());
    assert_eq!(rows.takes(&author.head(), &[revoke]), 0);
    let note = lost.entry(NOTES, vec![1; 60]);
    let (listed, head) = (rows.devices().unwrap(), lost.head());
    rows.judgements.set(0);
    drop(admit(&rows, &listed, &Offer::new(rows.vault, &head).unwrap(), &[note]));
    assert_eq!(rows.judgements.get(), 0);

    // A snapshot that comes last in a push counts for what stands before it.
    author.entry(NOTES, vec![1; 60]);
    let covered = vec![(author.feed(NOTES), author.position(NOTES))];
    let next = author.entry(NOTES, vec![2; 60]);
    let (base, _) = author.base(NOTES, (3, 3), covered);
    rows.judgements.set(0);
    assert_eq!(rows.takes(&author.head(), &[next, base]), 0);
    assert!(rows.judgements.get() <= 3, "{} judgements", rows.judgements.get());
}

/// STO-30: a snapshot that names another hash at the same place, and was signed before, is nobody's floor.
#[test]
fn a_feed_begins_after_the_entry_that_its_next_one_names() {
    let mut seed = Seed::new(1);
    let (mut author, genesis) = Author::founder(&mut seed);
    (0..3).for_each(|at| drop(author.entry(NOTES, vec![at; 60])));
    let (feed, at) = (author.feed(NOTES), author.position(NOTES));
    let made_up = Position { hash: Hash([7; 32]), ..at };
    let (wrong, _) = author.base(NOTES, (4, 4), vec![(feed, made_up)]);
    let (right, _) = author.base(NOTES, (4, 4), vec![(feed, at)]);
    let rest = [author.entry(NOTES, vec![4; 60]), author.entry(NOTES, vec![5; 60])];
    let rows = Asked::new(author.vault());
    let entries = [vec![genesis, wrong, right], rest.to_vec()].concat();
    assert_eq!(rows.takes(&author.head(), &entries), 0);
    assert_eq!(rows.feed(&feed).unwrap().unwrap().floor, at);
}

/// STO-4: statements count that stand further on in a feed than what is read at once.
#[test]
fn statements_beyond_what_is_read_at_once_count() {
    let mut seed = Seed::new(1);
    let (mut author, genesis) = Author::founder(&mut seed);
    let rows = Asked::new(author.vault());
    let own = author.device();
    let many = (0..READ_ENTRIES_MAX).map(|_| author.confirm(own));
    let mut entries = vec![genesis];
    entries.extend(many);
    let (phone, add) = author.pair(&mut seed);
    entries.push(add);
    assert_eq!(rows.takes(&author.head(), &entries), 0);
    assert!(rows.devices().unwrap().lists(phone.device()));
}

/// AUT-23, STO-4: where a head cannot be read nobody says what a revoked device's statements come to, and nothing of it is
/// remembered.
#[test]
fn aut_23_a_head_that_cannot_be_read_is_not_an_unknown_one() {
    let mut seed = Seed::new(1);
    let (mut author, genesis) = Author::founder(&mut seed);
    let rows = Asked::new(author.vault());
    let (mut insider, add) = author.pair(&mut seed);
    assert_eq!(rows.takes(&author.head(), &[genesis, add]), 0);
    let entry = insider.entry(NOTES, vec![1; 60]);
    let last = insider.head();
    assert_eq!(rows.takes(&last, &[entry]), 0);
    let place = Position { number: last.claim().unwrap().number, hash: last.hash() };
    let life = insider.incarnation();
    // It lists a device of its own after that; the head of it is taken before the revoke comes.
    let (guest, add) = insider.pair(&mut seed);
    author.see(&last);
    assert_eq!(rows.takes(&author.head(), &[]), 0);
    assert_eq!(rows.takes(&insider.head(), &[add]), 0);
    let revoke = author.revoke(insider.device(), vec![(life, place)]);
    assert_eq!(rows.takes(&author.head(), &[revoke]), 0);
    assert!(!rows.devices().unwrap().lists(guest.device()));
    rows.is_well.set(false);
    let judged = rows.devices();
    assert!(matches!(judged, Err(StoreError::SlowDown(1))), "{judged:?}");
}
