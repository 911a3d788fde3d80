// SPDX-License-Identifier: MIT OR Apache-2.0
//! What admission needs of a database: the rows of one vault, in one transaction.
//!
//! What is taken and what is shown is decided once, in `crate::admit` and `crate::show`, over these; an engine keeps
//! rows and decides nothing. Synchronous and generic: the local store asks for several rows with every write.
//! Source: spec/store.md, rules STO-1 to STO-15 and STO-28 to STO-30.

use std::collections::BTreeSet;

use aura_protocol::entry::Entry;
use aura_protocol::head::{Head, Position};
use aura_protocol::id::{ChunkName, DeviceId, FeedId, Hash, Incarnation};
use aura_protocol::signed::Signed;
use aura_protocol::store::{StoreError, StoredHead};

/// A device in one of its lives.
pub(crate) type Life = (DeviceId, Incarnation);

/// A feed's row.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FeedRow<K> {
    /// What the engine knows it by.
    pub(crate) key: K,
    pub(crate) feed: FeedId,
    /// How far it is shown.
    pub(crate) kept: Position,
    /// How far there are entries.
    pub(crate) held: Position,
    /// Up to where they were let go of (STO-29).
    pub(crate) floor: Position,
}

/// Sums over what one device, and all of them, have: of bytes, or of incarnations.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Sums {
    pub(crate) of_device: u64,
    pub(crate) of_all: u64,
}

/// The rows of a vault.
pub(crate) trait Rows {
    /// What the engine knows a feed by.
    type Key: Copy;

    /// The feed's row, if it has one.
    fn feed(&self, feed: &FeedId) -> Result<Option<FeedRow<Self::Key>>, StoreError>;

    /// The feed's row; made if it has none.
    fn feed_or_make(&self, feed: &FeedId) -> Result<FeedRow<Self::Key>, StoreError>;

    /// Every feed of an incarnation.
    fn feeds_of(&self, life: Life) -> Result<Vec<FeedRow<Self::Key>>, StoreError>;

    /// Every authority feed, ascending.
    fn authority_feeds(&self) -> Result<Vec<FeedRow<Self::Key>>, StoreError>;

    /// Writes how far the feed is shown and held, and up to where it was let go of.
    fn update(&self, row: &FeedRow<Self::Key>) -> Result<(), StoreError>;

    /// Puts an entry after the last one held. The caller has checked that it follows, and updates the row.
    fn insert(
        &self,
        row: &mut FeedRow<Self::Key>,
        entry: &Entry,
        hash: Hash,
    ) -> Result<(), StoreError>;

    /// Writes a sound entry over a rotten one.
    fn replace(&self, row: &FeedRow<Self::Key>, entry: &Entry) -> Result<(), StoreError>;

    /// Forgets what is staged from `number` on.
    fn unstage(&self, row: &mut FeedRow<Self::Key>, number: u64) -> Result<(), StoreError>;

    /// Goes on after what a snapshot covers: what is there before stays until it is let go of. The caller updates the
    /// row.
    fn begin_after(
        &self,
        row: &mut FeedRow<Self::Key>,
        covered: Position,
    ) -> Result<(), StoreError> {
        self.unstage(row, 0)?;
        row.held = covered;
        Ok(())
    }

    /// Whether there is an entry with one of these numbers.
    fn has_any(&self, row: &FeedRow<Self::Key>, range: (u64, u64)) -> Result<bool, StoreError>;

    /// Lets go of the entries up to this one, and of what they say of chunks; how many there were.
    fn let_go(&self, row: &mut FeedRow<Self::Key>, upto: Position) -> Result<u64, StoreError>;

    /// The chunks that entries of these feeds up to these numbers name, and no other entry does, shown or staged.
    fn named_only_by(
        &self,
        doomed: &[(FeedRow<Self::Key>, Position)],
    ) -> Result<BTreeSet<ChunkName>, StoreError>;

    /// The hash that the entry with this number had when it was taken.
    fn hash_at(&self, row: &FeedRow<Self::Key>, number: u64) -> Result<Option<Hash>, StoreError>;

    /// Hands over entries in `(after, to]`, each checked against its hash and the one before it, until `take` has
    /// enough. Ends with an error that names the first one that rotted.
    fn scan(
        &self,
        row: &FeedRow<Self::Key>,
        range: (u64, u64),
        limit: usize,
        take: &mut dyn FnMut(Entry) -> bool,
    ) -> Result<(), StoreError>;

    /// Bytes of authority entries, shown and staged.
    fn authority_bytes(&self, device: DeviceId) -> Result<Sums, StoreError>;

    /// Where the newest head of an incarnation stands.
    fn newest(&self, life: Life) -> Result<Option<Position>, StoreError>;

    /// Where the newest head of every incarnation stands, ascending; without reading them.
    fn all_newest(&self) -> Result<Vec<(DeviceId, Incarnation, Position)>, StoreError>;

    /// Whether there is a head in this place; it may have rotted.
    fn has_head(&self, life: Life, at: Position) -> Result<bool, StoreError>;

    /// The head in this place, if it is there and sound.
    fn head(&self, life: Life, at: Position) -> Result<Option<StoredHead>, StoreError>;

    /// Keeps a head beside a newer one: the last that is accepted of its incarnation.
    fn keep(&self, head: &Head, signed: &Signed<Head>) -> Result<(), StoreError>;

    /// Shows a head, replacing the one before it unless another head names that (STO-9).
    fn show(&self, head: &Head, signed: &Signed<Head>) -> Result<(), StoreError>;

    /// How many other incarnations there are; of the device also those that are only staged.
    fn other_lives(&self, life: Life) -> Result<Sums, StoreError>;

    /// The largest head that is kept of an incarnation, in bytes.
    fn largest_head(&self, life: Life) -> Result<u64, StoreError>;

    /// The bytes of the largest heads of all other incarnations.
    fn other_heads_bytes(&self, life: Life) -> Result<Sums, StoreError>;
}
