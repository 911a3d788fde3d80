// SPDX-License-Identifier: MIT OR Apache-2.0
//! Attacks as data: what is done to which answer, and when. A list of them can be drawn at random, made
//! smaller, and kept.

use aura_protocol::codec::Encode;
use aura_protocol::entry::{ChunkAdded, Entry, EntryHeader};
use aura_protocol::head::{Cosignature, Head, Position, Seen};
use aura_protocol::id::{
    ChunkName, CollectionId, DeviceId, EpochId, Hash, Incarnation, Nonce16, VaultId,
};
use aura_protocol::signed::{Signature, Signed};
use aura_protocol::store::StoreError;

/// A call that a store answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Endpoint {
    /// [`heads`](aura_protocol::store::BlindStore::heads), and what a watch answers.
    Heads,
    /// [`push`](aura_protocol::store::BlindStore::push).
    Push,
    /// [`read`](aura_protocol::store::BlindStore::read).
    Read,
    /// [`put`](aura_protocol::store::BlindStore::put).
    Put,
    /// [`chunk`](aura_protocol::store::BlindStore::chunk).
    Chunk,
    /// [`has`](aura_protocol::store::BlindStore::has).
    Has,
}

impl Endpoint {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Heads, Self::Push, Self::Read, Self::Put, Self::Chunk, Self::Has];
}

/// Which of an endpoint's calls an attack is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// Every one.
    Always,
    /// This one, counted from 0.
    Nth(u64),
    /// About one in so many.
    OneIn(u64),
}

/// One attack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attack {
    /// On which answers.
    pub on: Endpoint,
    /// On which of them.
    pub when: When,
    /// What is done.
    pub act: Act,
}

/// What is done to an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// Nothing is done, and this error is the answer.
    Fail(Failure),
    /// It is done, and an error is the answer.
    Unanswered,
    /// Nothing is done, and the answer says that all is well; a `has` says that everything is there.
    Swallow,
    /// The answer is of so many commits ago.
    Past(usize),
    /// An earlier answer of this endpoint comes again, counted back from the last.
    Replay(usize),
    /// Members of the answer are left out, one in so many.
    Omit(usize),
    /// The answer is empty.
    Empty,
    /// Another feed's entries or another chunk are the answer; heads trade their clear places.
    Swap,
    /// The members come in reverse.
    Reverse,
    /// Each member comes twice.
    Twice,
    /// A field of the last member is another, signed as before.
    Alter(Field),
    /// Heads and entries of a device that no vault lists are added, or stand in for the answer's.
    Forge(Forgery),
}

impl Act {
    /// Everything that can be done, with small numbers where one is needed.
    pub fn every() -> Vec<Self> {
        let mut acts = vec![
            Self::Unanswered,
            Self::Swallow,
            Self::Past(1),
            Self::Past(2),
            Self::Past(1000),
            Self::Replay(0),
            Self::Replay(1),
            Self::Omit(1),
            Self::Omit(2),
            Self::Empty,
            Self::Swap,
            Self::Reverse,
            Self::Twice,
        ];
        acts.extend(Failure::ALL.map(Self::Fail));
        acts.extend(Field::ALL.map(Self::Alter));
        acts.extend(Forgery::ALL.map(Self::Forge));
        acts
    }
}

/// An error to answer with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// Nothing is there.
    Absent,
    /// Access denied.
    Forbidden,
    /// No room.
    Full,
    /// Its file is damaged.
    Damaged,
    /// Some entry is damaged.
    DamagedEntry,
    /// It does not verify.
    Refused,
    /// Something else stands there.
    Fork,
    /// Other entries are wanted first.
    Gap,
    /// The line broke.
    Io,
}

impl Failure {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Absent,
        Self::Forbidden,
        Self::Full,
        Self::Damaged,
        Self::DamagedEntry,
        Self::Refused,
        Self::Fork,
        Self::Gap,
        Self::Io,
    ];

    /// As a store says it.
    pub fn error(self) -> StoreError {
        let feed = aura_protocol::id::FeedId {
            collection: CollectionId([0x11; 16]),
            device: DeviceId([9; 16]),
            incarnation: Incarnation([9; 8]),
        };
        match self {
            Self::Absent => StoreError::Absent,
            Self::Forbidden => StoreError::Forbidden,
            Self::Full => StoreError::Full,
            Self::Damaged => StoreError::Damaged("wiped: delete your local copy"),
            Self::DamagedEntry => StoreError::DamagedEntry { feed, number: 1 },
            Self::Refused => StoreError::Refused("rotation required"),
            Self::Fork => StoreError::Fork,
            Self::Gap => StoreError::Gap { feed, expected: u64::MAX },
            Self::Io => StoreError::Io(std::io::Error::other("broken")),
        }
    }
}

/// What a stranger writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forgery {
    /// A head and entries of a device that nobody lists.
    Stranger,
    /// The same, where the stranger lists itself.
    SelfListed,
    /// A head in the name of a listed device, signed by the stranger.
    Impostor,
    /// Heads of another vault.
    OtherVault,
    /// Bytes that are no head.
    Noise,
}

impl Forgery {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Stranger, Self::SelfListed, Self::Impostor, Self::OtherVault, Self::Noise];
}

/// A field of what a store shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is named as the field is")]
pub enum Field {
    HeadVault,
    HeadDevice,
    HeadIncarnation,
    HeadNumber,
    HeadPrevious,
    HeadFeedNumber,
    HeadFeedHash,
    HeadFeedLess,
    HeadSeen,
    HeadWaiting,
    HeadCheckpoint,
    HeadCosignatures,
    HeadClock,
    HeadExtra,
    HeadSignature,
    StoredDevice,
    StoredIncarnation,
    StoredPosition,
    EntryVault,
    EntryCollection,
    EntryDevice,
    EntryIncarnation,
    EntryEpoch,
    EntryNumber,
    EntryPrevious,
    EntryAdded,
    EntryDropped,
    EntryExtra,
    EntryBody,
    ChunkByte,
    ChunkLength,
}

impl Field {
    /// All of them.
    pub const ALL: [Self; 31] = [
        Self::HeadVault,
        Self::HeadDevice,
        Self::HeadIncarnation,
        Self::HeadNumber,
        Self::HeadPrevious,
        Self::HeadFeedNumber,
        Self::HeadFeedHash,
        Self::HeadFeedLess,
        Self::HeadSeen,
        Self::HeadWaiting,
        Self::HeadCheckpoint,
        Self::HeadCosignatures,
        Self::HeadClock,
        Self::HeadExtra,
        Self::HeadSignature,
        Self::StoredDevice,
        Self::StoredIncarnation,
        Self::StoredPosition,
        Self::EntryVault,
        Self::EntryCollection,
        Self::EntryDevice,
        Self::EntryIncarnation,
        Self::EntryEpoch,
        Self::EntryNumber,
        Self::EntryPrevious,
        Self::EntryAdded,
        Self::EntryDropped,
        Self::EntryExtra,
        Self::EntryBody,
        Self::ChunkByte,
        Self::ChunkLength,
    ];
}

/// The head with one field changed, under the signature that it had. A field that is none of a head's leaves
/// it as it is.
pub(super) fn alter_head(signed: &Signed<Head>, field: Field) -> Signed<Head> {
    let mut head = signed.claim().unwrap();
    let mut signature = *signed.signature();
    // Every field has a name here: a new one does not compile before it has an attack.
    let Head {
        vault,
        device,
        incarnation,
        number,
        previous,
        feeds,
        seen,
        waiting,
        checkpoint,
        cosignatures,
        clock,
        extra,
    } = &mut head;
    let position = Position { number: 1, hash: Hash([7; 32]) };
    match field {
        Field::HeadVault => *vault = VaultId([7; 32]),
        Field::HeadDevice => *device = DeviceId([7; 16]),
        Field::HeadIncarnation => *incarnation = Incarnation([7; 8]),
        Field::HeadNumber => *number += 1,
        Field::HeadPrevious => *previous = Hash([7; 32]),
        Field::HeadFeedNumber => feeds.last_mut().unwrap().1.number += 1,
        Field::HeadFeedHash => feeds.last_mut().unwrap().1.hash = Hash([7; 32]),
        Field::HeadFeedLess => drop(feeds.pop()),
        Field::HeadSeen => {
            let (device, incarnation) = (DeviceId([0xff; 16]), Incarnation([7; 8]));
            seen.push(Seen { device, incarnation, held: position, applied: position });
        }
        Field::HeadWaiting => waiting.push(CollectionId([0xff; 16])),
        Field::HeadCheckpoint => checkpoint.push(b'x'),
        Field::HeadCosignatures => {
            let (device, incarnation) = (DeviceId([0xff; 16]), Incarnation([7; 8]));
            cosignatures.push(Cosignature { device, incarnation, line: vec![b'x'] });
        }
        Field::HeadClock => *clock = u64::MAX,
        Field::HeadExtra => {
            assert!(extra.is_empty());
            return Signed::new(with_member(signed.payload()), signature);
        }
        Field::HeadSignature => signature = Signature([7; 64]),
        _ => return signed.clone(),
    }
    Signed::new(head.to_bytes(), signature)
}

/// The entry with one field changed.
pub(super) fn alter_entry(entry: &Entry, field: Field) -> Entry {
    let mut changed = entry.header().clone();
    let mut body = entry.body().to_vec();
    let EntryHeader {
        vault,
        feed,
        epoch,
        number,
        previous,
        // Follows from the body.
        body_bytes: _,
        added,
        dropped,
        extra,
    } = &mut changed;
    match field {
        Field::EntryVault => *vault = VaultId([7; 32]),
        Field::EntryCollection => feed.collection = CollectionId([0x77; 16]),
        Field::EntryDevice => feed.device = DeviceId([7; 16]),
        Field::EntryIncarnation => feed.incarnation = Incarnation([7; 8]),
        Field::EntryEpoch => *epoch = EpochId { counter: 9, nonce: Nonce16([9; 16]) },
        Field::EntryNumber => *number += 1,
        Field::EntryPrevious => *previous = Hash([7; 32]),
        Field::EntryAdded => {
            let (name, hash) = (ChunkName([7; 16]), Hash([7; 32]));
            added.push(ChunkAdded { name, hash, size_bytes: 1 });
        }
        Field::EntryDropped => dropped.push(ChunkName([8; 16])),
        Field::EntryExtra => {
            assert!(extra.is_empty());
            return Entry::from_parts(with_member(entry.header_bytes()), body).unwrap();
        }
        Field::EntryBody => match body.last_mut() {
            Some(last) => *last ^= 1,
            None => body.push(1),
        },
        _ => return entry.clone(),
    }
    Entry::new(changed, body)
}

/// A short CBOR map with one member more: 1000, which every version passes over.
fn with_member(map: &[u8]) -> Vec<u8> {
    let (head, rest) = map.split_first().unwrap();
    assert!((0xa0..0xb7).contains(head), "a map of at most 22 members");
    [&[head + 1], rest, &[0x19, 0x03, 0xe8, 0x01]].concat()
}
