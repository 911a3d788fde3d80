// SPDX-License-Identifier: MIT OR Apache-2.0
//! The contracts of whoever keeps entries, heads and chunks without a key.
//!
//! [`BlindStore`] is what any store offers to anybody; [`LocalLog`] is what the vault writes to on its
//! own device; [`Prover`] is how a device shows a store who it is. Implementations are in
//! `aura_store`; conformance suites in `aura_testkit`. Source: spec/store.md, rules STO-1 to STO-14,
//! STO-28 and STO-29.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;

use crate::entry::{ChunkAdded, Entry};
use crate::head::{Head, Position};
use crate::id::{ChunkName, CollectionId, DeviceId, FeedId, Hash, Incarnation, VaultId};
use crate::signed::{Signature, Signed};

/// What a caller may see of a vault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Access {
    /// Everything that the store keeps of it.
    Vault(VaultId),
    /// Some collections until a time (milliseconds since 1970).
    Collections {
        /// The vault.
        vault: VaultId,
        /// Which of its collections.
        collections: Vec<CollectionId>,
        /// Until when.
        until_ms: i64,
    },
}

impl Access {
    /// The vault that this access is to.
    pub fn vault(&self) -> VaultId {
        match self {
            Self::Vault(vault) | Self::Collections { vault, .. } => *vault,
        }
    }

    /// Whether this access extends to `collection` at `now_ms`.
    pub fn allows(&self, collection: CollectionId, now_ms: i64) -> bool {
        match self {
            Self::Vault(_) => true,
            Self::Collections { collections, until_ms, .. } => {
                now_ms < *until_ms && collections.contains(&collection)
            }
        }
    }
}

/// Why a store did not do what it was asked. Never carries content.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The store has nothing of this vault or under this name.
    #[error("the store has no such vault, feed or chunk")]
    Absent,
    /// An entry does not come right after what the store holds of its feed.
    #[error("expected entry {expected} of the feed next; the store keeps what it has")]
    Gap {
        /// The feed.
        feed: FeedId,
        /// The number that would fit.
        expected: u64,
    },
    /// Two different entries, heads or chunks claim one place.
    #[error("something else stands in this place already; the store keeps the first")]
    Fork,
    /// A signature, hash or chain does not verify.
    #[error("the store was offered something that does not verify: {0}")]
    Refused(&'static str),
    /// The caller's access does not extend so far.
    #[error("the access does not extend to this")]
    Forbidden,
    /// No space is left, or a quota is reached.
    #[error("the store is full; nothing of this write was kept")]
    Full,
    /// What the store kept is damaged.
    #[error("the store's own file is damaged: {0}")]
    Damaged(&'static str),
    /// An entry that the store kept is damaged; every other one can be read.
    #[error("entry {number} of a feed is damaged in the store; the others are not")]
    DamagedEntry {
        /// The feed.
        feed: FeedId,
        /// The entry's number.
        number: u64,
    },
    /// What was asked for was let go of: a snapshot carries what is left of it.
    #[error(
        "the store has let go of the feed's entries up to {upto}; a snapshot has what is left of them"
    )]
    Forgotten {
        /// The feed.
        feed: FeedId,
        /// The last entry that it let go of.
        upto: u64,
    },
    /// A snapshot is not known, or not adopted by every device yet: nothing was let go of.
    #[error("not every device has taken this snapshot in yet; nothing was let go of")]
    Unproven,
    /// Nobody answers there, or not in time.
    #[error("the store could not be reached: {0}")]
    Unreachable(&'static str),
    /// A server shows another key than the one that is kept for it (HTP-1).
    #[error("the server shows another key than the one that is known; nothing was sent to it")]
    OtherKey,
    /// A server does not take the device's proof.
    #[error("the server does not know this vault or this device, or not any more")]
    Unauthenticated,
    /// A server wants to be left alone for so many seconds.
    #[error("the server asks to wait {0} s")]
    SlowDown(u64),
    /// A server speaks no version of the protocol that this program speaks.
    #[error("the server speaks another version of the protocol; update the older of the two")]
    Protocol,
    /// A server failed, or gave what is no answer.
    #[error("the server failed: {0}")]
    Server(&'static str),
    /// Reading or writing failed.
    #[error("the store could not read or write its files")]
    Io(#[source] std::io::Error),
    /// The store's database failed.
    #[error("the store's database failed")]
    Database(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// What a store says after a push.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// Feeds whose entries are still missing before the head is shown, with the last number held.
    pub missing: Vec<(FeedId, u64)>,
}

/// A head as a store keeps it, with what identifies it.
#[derive(Debug, Clone)]
pub struct StoredHead {
    /// Whose.
    pub device: DeviceId,
    /// In which life.
    pub incarnation: Incarnation,
    /// Its number and hash.
    pub position: Position,
    /// The head itself.
    pub head: Signed<Head>,
}

/// What a store says of its heads to a caller who knows some.
#[derive(Debug, Clone, Default)]
pub struct Heads {
    /// The newest head of each incarnation whose position the caller does not know.
    pub news: Vec<StoredHead>,
    /// Incarnations of which the caller knows a head and the store has none.
    pub absent: Vec<(DeviceId, Incarnation)>,
}

impl Heads {
    /// The answer of a store that has these newest heads to a caller who knows those.
    pub fn answer(newest: Vec<StoredHead>, known: &[(DeviceId, Incarnation, Position)]) -> Self {
        let lives: BTreeSet<_> =
            newest.iter().map(|head| (head.device, head.incarnation)).collect();
        let places: BTreeSet<_> = known
            .iter()
            .map(|(device, incarnation, at)| (*device, *incarnation, at.number, at.hash))
            .collect();
        let absent = known.iter().map(|(device, incarnation, _)| (*device, *incarnation));
        let absent = absent.filter(|life| !lives.contains(life)).collect();
        let is_news = |head: &StoredHead| {
            let at = head.position;
            !places.contains(&(head.device, head.incarnation, at.number, at.hash))
        };
        Self { news: newest.into_iter().filter(is_news).collect(), absent }
    }
}

/// The end of an incarnation, as a revoke or a close says it.
#[derive(Debug, Clone)]
pub struct LastHead {
    /// Whose.
    pub device: DeviceId,
    /// In which life.
    pub incarnation: Incarnation,
    /// The last head that is accepted.
    pub position: Position,
    /// That head, if the store has it.
    pub head: Option<Signed<Head>>,
}

/// What a store knows of devices that were revoked and incarnations that were closed.
#[derive(Debug, Clone, Default)]
pub struct Ends {
    /// Devices that are revoked, and the device that said so. Of those of their incarnations that are not in `last`
    /// nothing is accepted.
    pub revoked: BTreeMap<DeviceId, Option<DeviceId>>,
    /// Where incarnations end.
    pub last: Vec<LastHead>,
    /// The keys by which devices that are listed, revoked or not, sign.
    pub signers: Signers,
}

/// Verifying keys of devices.
pub type Signers = BTreeMap<DeviceId, [u8; 32]>;

impl Ends {
    /// Where an incarnation ends, if it is said.
    pub fn of(&self, device: DeviceId, incarnation: Incarnation) -> Option<&LastHead> {
        self.last.iter().find(|last| (last.device, last.incarnation) == (device, incarnation))
    }

    /// Whether a head lies beyond what is accepted of its incarnation.
    pub fn is_beyond(&self, device: DeviceId, incarnation: Incarnation, at: Position) -> bool {
        match self.of(device, incarnation) {
            Some(last) => at.number > last.position.number,
            None => self.revoked.contains_key(&device),
        }
    }
}

/// Anything that keeps entries, heads and chunks without a key.
///
/// *Active* stores check hash chains, head signatures and the device list and refuse what does not
/// verify; *passive* ones (a folder, a bucket) cannot, so that every reader always verifies.
#[async_trait]
pub trait BlindStore: Send + Sync {
    /// The newest head of each incarnation whose position differs from `known`, and what of `known` is
    /// absent: together the whole difference between the caller and the store, in one answer.
    async fn heads(
        &self,
        access: &Access,
        known: &[(DeviceId, Incarnation, Position)],
    ) -> Result<Heads, StoreError>;

    /// Takes a head, then entries towards it, in any number of batches. The head is shown to readers
    /// only when every entry that it names is there. Idempotent.
    async fn push(
        &self,
        access: &Access,
        head: &Signed<Head>,
        entries: &[Entry],
    ) -> Result<Receipt, StoreError>;

    /// Entries of a feed with a number above `after`, in order, at most `limit` of them.
    async fn read(
        &self,
        access: &Access,
        feed: FeedId,
        after: u64,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError>;

    /// Keeps a sealed chunk that a kept entry names; checks its SHA-256.
    async fn put(&self, access: &Access, name: ChunkName, sealed: &[u8]) -> Result<(), StoreError>;

    /// A sealed chunk.
    async fn chunk(&self, access: &Access, name: ChunkName) -> Result<Vec<u8>, StoreError>;

    /// Whether the store has each of these chunks.
    async fn has(&self, access: &Access, names: &[ChunkName]) -> Result<Vec<bool>, StoreError>;

    /// One head by its place, also an older one, if the store still has it (STO-14).
    async fn head(
        &self,
        _access: &Access,
        _life: (DeviceId, Incarnation),
        _at: Position,
    ) -> Result<Signed<Head>, StoreError> {
        Err(StoreError::Absent)
    }

    /// What the store knows of incarnations that have ended (STO-14). One that reads no statements knows nothing.
    async fn ends(&self, _access: &Access) -> Result<Ends, StoreError> {
        Ok(Ends::default())
    }

    /// Tells a store that reads no statements whose signature a head must have: it passes over those of these devices
    /// that another key has signed (FLD-21). Others have nothing to learn.
    fn learn(&self, _signers: &Signers) {}

    /// Lets go of the entries that a base covers, and of the chunks that no other entry names, once the statements that
    /// the store has prove that every device has adopted it (STO-28). How many entries went; again, none.
    async fn forget(&self, access: &Access, base: Hash) -> Result<u64, StoreError>;

    /// Returns when the store has a head whose position differs from `known`, or after `wait_ms`.
    async fn watch(
        &self,
        access: &Access,
        known: &[(DeviceId, Incarnation, Position)],
        wait_ms: u64,
    ) -> Result<Vec<StoredHead>, StoreError>;
}

/// What a vault writes to: the local store, seen from inside. Synchronous.
pub trait LocalLog: Send + Sync {
    /// Keeps entries and the head that names them in one durable transaction: when this returns, they
    /// survive a power cut; when it fails, nothing of them is there.
    fn append(&self, entries: &[Entry], head: &Signed<Head>) -> Result<(), StoreError>;

    /// Entries of a feed with a number above `after`, in order, at most `limit` of them.
    fn read(&self, feed: FeedId, after: u64, limit: usize) -> Result<Vec<Entry>, StoreError>;

    /// One entry.
    fn entry(&self, feed: FeedId, number: u64) -> Result<Entry, StoreError>;

    /// Every feed and where it stands, ascending.
    fn feeds(&self) -> Result<Vec<(FeedId, Position)>, StoreError>;

    /// Up to where the entries of a feed were let go of (STO-29); [`Position::NONE`] if none were.
    fn floor(&self, feed: FeedId) -> Result<Position, StoreError>;

    /// Lets go of what a base covers, once every device has adopted it: as [`BlindStore::forget`].
    fn forget(&self, base: Hash) -> Result<u64, StoreError>;

    /// What entries say of a chunk, each claim once.
    fn claims(&self, name: ChunkName) -> Result<Vec<ChunkAdded>, StoreError>;

    /// The newest head of every incarnation, but for the rotten ones; of one that has ended the last one that is
    /// accepted, if it is there (STO-14).
    fn heads(&self) -> Result<Vec<Signed<Head>>, StoreError>;

    /// The incarnations whose newest head is rotten: [`heads`](Self::heads) steps over them.
    fn rotten_heads(&self) -> Result<Vec<(DeviceId, Incarnation)>, StoreError>;

    /// Keeps a sealed chunk, durably, ahead of the entry that will name it.
    fn put_chunk(&self, name: ChunkName, sealed: &[u8]) -> Result<(), StoreError>;

    /// A sealed chunk.
    fn chunk(&self, name: ChunkName) -> Result<Vec<u8>, StoreError>;

    /// Names and sealed sizes of every chunk kept.
    fn chunks(&self) -> Result<Vec<(ChunkName, u64)>, StoreError>;

    /// Forgets chunks that no kept entry names.
    fn sweep_chunks(&self, names: &[ChunkName]) -> Result<(), StoreError>;

    /// Forgets what stands after these numbers in feeds of one incarnation, and its heads: what the vault's other
    /// stores have in these places comes instead. For an incarnation of the vault's own device alone, which was
    /// copied or restored, after the vault has said again what it forgets (REP-22).
    fn give_way(&self, common: &[(FeedId, u64)]) -> Result<(), StoreError>;

    /// Bytes kept for entries and heads, and for chunks.
    fn size_bytes(&self) -> Result<(u64, u64), StoreError>;
}

/// Shows a store who a device is. Implemented where the keys are, handed to where they are not.
pub trait Prover: Send + Sync {
    /// The device that proves itself.
    fn device(&self) -> DeviceId;

    /// The signature of the device's transport key over a store's challenge
    /// ([`Challenge`](crate::auth::Challenge), whose label it is made under).
    fn prove(&self, challenge: &[u8]) -> Signature;
}
