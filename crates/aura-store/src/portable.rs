// SPDX-License-Identifier: MIT OR Apache-2.0
//! Moving a vault from one engine to another, row by row: also what is staged, what is kept as evidence, and how far was
//! let go of.
//!
//! Nothing is judged again: it was when it was taken. What rotted is not carried on. Source: spec/store.md, rule STO-46.

use aura_protocol::codec::Writer;
use aura_protocol::entry::Entry;
use aura_protocol::head::Position;
use aura_protocol::id::{ChunkName, FeedId, Hash};
use aura_protocol::store::{StoreError, StoredHead};

/// One row of a vault.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Row {
    /// A feed: how far it is shown, how far there are entries, and up to where they were let go of.
    Feed {
        /// Which.
        feed: FeedId,
        /// How far it is shown.
        kept: Position,
        /// How far there are entries.
        held: Position,
        /// Up to where they were let go of.
        floor: Position,
    },
    /// An entry of the feed before it.
    Entry(Entry),
    /// A head.
    Head(StoredHead),
}

/// Who is given rows.
pub type Take<'a> = &'a mut dyn FnMut(Row) -> Result<(), StoreError>;

/// A vault's store that can be moved.
pub trait Portable {
    /// Hands over every row, of one moment and in one order: feeds ascending, each with its entries, then heads.
    ///
    /// # Errors
    /// When an entry rotted, or what it is given to fails.
    fn each(&self, take: Take<'_>) -> Result<(), StoreError>;

    /// Takes every row of another store in one transaction, in the place of whatever is here.
    ///
    /// # Errors
    /// When either fails; then nothing of it is here.
    fn fill(&self, from: &dyn Portable) -> Result<(), StoreError>;

    /// Every chunk that is here, with its size, ascending.
    ///
    /// # Errors
    /// When they cannot be listed.
    fn chunk_sizes(&self) -> Result<Vec<(ChunkName, u64)>, StoreError>;

    /// A chunk, as it is.
    ///
    /// # Errors
    /// When it is absent, or not what any entry says.
    fn sealed(&self, name: ChunkName) -> Result<Vec<u8>, StoreError>;

    /// Keeps a chunk that an entry here names.
    ///
    /// # Errors
    /// When none does, it is another one, or it cannot be kept.
    fn keep_sealed(&self, name: ChunkName, sealed: &[u8]) -> Result<(), StoreError>;
}

/// What a vault comes to: two stores with the same have the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sum {
    /// Feeds, entries and heads.
    pub rows: u64,
    /// Over all of them, in their order.
    pub hash: Hash,
}

/// Reads everything and adds it up.
///
/// # Errors
/// When it cannot be read, or an entry rotted.
pub fn sum(store: &dyn Portable) -> Result<Sum, StoreError> {
    let mut sum = Sum { rows: 0, hash: Hash([0; 32]) };
    store.each(&mut |row| {
        sum =
            Sum { rows: sum.rows.saturating_add(1), hash: Hash::of(&[&sum.hash.0, &bytes(&row)]) };
        Ok(())
    })?;
    Ok(sum)
}

/// What a row comes to.
fn bytes(row: &Row) -> Vec<u8> {
    let mut writer = Writer::new();
    match row {
        Row::Feed { feed, kept, held, floor } => {
            writer.array(4).bytes(&feed.collection.0).bytes(&feed.device.0);
            writer.bytes(&feed.incarnation.0).array(3);
            for at in [kept, held, floor] {
                writer.array(2).uint(at.number).bytes(&at.hash.0);
            }
        }
        Row::Entry(entry) => {
            writer.array(2).uint(entry.header().number).bytes(&entry.hash().0);
        }
        Row::Head(StoredHead { device, incarnation, position, head }) => {
            writer.array(5).bytes(&device.0).bytes(&incarnation.0).uint(position.number);
            writer.bytes(&position.hash.0).bytes(&head.signature().0);
        }
    }
    writer.into_bytes()
}
