// SPDX-License-Identifier: MIT OR Apache-2.0
//! Writing to the log: ops become sealed entries, a signed head names them, one commit makes them last.
//!
//! Reading back verifies before it opens and opens before it parses. The log is the truth: what has not
//! been appended does not count, and a failed append leaves this writer to learn anew where it stands.
//! Source: spec/entry.md, spec/head.md; rules ENT-7 to ENT-9, HED-4 to HED-6.

use std::collections::BTreeMap;

use aura_crypto::entropy::Entropy;
use aura_crypto::seal;
use aura_crypto::sign::{LabelledSigner, NoteSigner as _};
use aura_protocol::authority::{SignedStatement, encode_body};
use aura_protocol::codec::{Encode, Extra};
use aura_protocol::entry::{ChunkAdded, Entry, EntryHeader};
use aura_protocol::head::{Head, Position, Seen};
use aura_protocol::id::{
    ChunkName, CollectionId, DeviceId, EpochId, FeedId, Hash, Incarnation, VaultId,
};
use aura_protocol::label::Label;
use aura_protocol::limits::STATEMENTS_MAX;
use aura_protocol::log::{Frontier, NoteKey, open_note};
use aura_protocol::signed::Signed;
use aura_protocol::store::{LocalLog, StoreError};

use crate::audit::{self, Event};
use crate::clock::{Clock, HybridClock};
use crate::device::Device;
use crate::keyring::{Keyring, Purpose};
use crate::op::{self, Change, Compression, Op};

/// Ops that go into one collection.
pub struct Batch {
    /// Which collection.
    pub collection: CollectionId,
    /// The ops.
    pub ops: Vec<Op>,
    /// Chunks that come with them.
    pub added: Vec<ChunkAdded>,
    /// Chunks that are no longer needed.
    pub dropped: Vec<ChunkName>,
}

/// What one commit puts into the log.
#[derive(Default)]
pub struct Commit {
    /// Signed statements.
    pub statements: Vec<SignedStatement>,
    /// Batches, one entry each.
    pub batches: Vec<Batch>,
    /// Audit events.
    pub events: Vec<Event>,
    /// Whether it gets through when the pen is barred.
    pub passage: Passage,
}

/// Whether a commit gets through when the pen is barred.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Passage {
    /// It does not.
    #[default]
    Usual,
    /// It is a revoke alone, that a recovery code co-signs or that puts right a revoke of this device: it does.
    Rescue,
}

/// What keeps a pen from writing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Bar {
    /// Nothing.
    #[default]
    None,
    /// Something was said in this vault that only a newer version understands: audit events are all that is
    /// written then.
    Newer,
    /// This device was revoked: no store takes anything from it.
    Revoked,
}

/// Why nothing was written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FeedError {
    /// The log did not take it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is no key for a collection.
    #[error("expected a key for this collection")]
    NoKey,
    /// A device with a newer version said something that this one would have to know before it writes (AUT-4).
    #[error("another device of this vault has a newer Aura, and said what this one does not know")]
    Newer,
    /// This device was revoked.
    #[error("this device was revoked: another device of this vault lets it write no more")]
    Revoked,
}

/// This device's pen: the only thing that writes its feeds.
pub struct Pen {
    vault: VaultId,
    device: Device,
    clock: HybridClock,
    head: Option<Head>,
    seen: Vec<Seen>,
    frontier: Frontier,
    is_stale: bool,
    bar: Bar,
}

impl Pen {
    /// The pen of a device whose newest head is `head` and whose audit log stands at `frontier`.
    pub fn new(vault: VaultId, device: Device, head: Option<Head>, frontier: Frontier) -> Self {
        let clock = HybridClock::after(head.as_ref().map_or(0, |head| head.clock));
        let seen = head.as_ref().map(|head| head.seen.clone()).unwrap_or_default();
        Self { vault, device, clock, head, seen, frontier, is_stale: false, bar: Bar::None }
    }

    /// Goes on after a clock that this device has used elsewhere.
    pub fn continue_after(&mut self, clock: Clock) {
        self.clock = HybridClock::after(clock.max(self.clock.last()));
    }

    /// Which device this is, in which life.
    pub fn life(&self) -> (DeviceId, Incarnation) {
        (self.device.id(), self.device.incarnation)
    }

    /// Goes on in another life of the same device: its feeds, its heads and its audit log begin anew.
    pub fn begin_life(&mut self, incarnation: Incarnation) {
        self.device.incarnation = incarnation;
        self.head = None;
        self.frontier = Frontier::new();
    }

    /// Says in the next head what this device has seen of others. That alone makes no new head due.
    pub fn see(&mut self, seen: Vec<Seen>) {
        self.seen = seen;
    }

    /// What the next head says of other devices.
    pub fn seen(&self) -> &[Seen] {
        &self.seen
    }

    /// Takes note of another device's clock.
    pub fn observe(&mut self, clock: Clock, now_ms: i64) {
        self.clock.observe(clock, now_ms);
    }

    /// The last clock value, its own or one that it has heard.
    pub fn last_clock(&self) -> Clock {
        self.clock.last()
    }

    /// The op that an event is in the log.
    pub fn event_op(&self, event: &Event) -> Op {
        let change = Change::Event(event.to_bytes());
        Op { clock: self.clock.last(), author: String::new(), change }
    }

    /// The device.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Where the device's audit log stands.
    pub fn frontier(&self) -> &Frontier {
        &self.frontier
    }

    /// Whether the newest head's checkpoint is of a log that stands at this frontier.
    pub fn checkpoint_matches(&self, frontier: &Frontier) -> bool {
        let Some(head) = &self.head else { return frontier.size() == 0 };
        if head.checkpoint.is_empty() {
            return frontier.size() == 0;
        }
        let origin = audit::origin(self.device.id(), self.device.incarnation);
        let signer = NoteKey { name: origin, key: self.device.log.verifying_key() };
        open_note(&head.checkpoint, &signer).is_ok_and(|checkpoint| {
            checkpoint.size == frontier.size() && checkpoint.root == frontier.root()
        })
    }

    /// Says where the audit log stands, after its events have been read back.
    pub fn set_frontier(&mut self, frontier: Frontier) {
        self.frontier = frontier;
    }

    /// The next clock value.
    pub fn tick(&mut self, now_ms: i64) -> Clock {
        self.clock.tick(now_ms)
    }

    /// The feed that this device writes in a collection.
    pub fn feed(&self, collection: CollectionId) -> FeedId {
        FeedId { collection, device: self.device.id(), incarnation: self.device.incarnation }
    }

    /// The number of the next entry of a collection.
    pub fn next_number(&self, collection: CollectionId) -> u64 {
        self.position(collection).number.saturating_add(1)
    }

    fn position(&self, collection: CollectionId) -> Position {
        self.head.as_ref().map_or(Position::NONE, |head| head.position(collection))
    }

    /// Whether an append failed, so that nobody knows what the log holds: it must be opened again.
    pub fn is_stale(&self) -> bool {
        self.is_stale
    }

    /// Says what keeps it from writing.
    pub fn set_bar(&mut self, bar: Bar) {
        self.bar = bar;
    }

    /// What keeps it from writing.
    pub fn bar(&self) -> Bar {
        self.bar
    }

    /// Seals a commit, appends it durably and returns its entries. When it fails, nothing of it counts.
    ///
    /// # Errors
    /// When there is no key for a collection or the log does not take it; [`FeedError::Newer`] when this version may
    /// not write.
    pub fn commit(
        &mut self,
        commit: &Commit,
        keyring: &Keyring,
        log: &dyn LocalLog,
        entropy: &mut dyn Entropy,
    ) -> Result<Vec<Entry>, FeedError> {
        let is_audit_alone = commit.statements.is_empty() && commit.batches.is_empty();
        match self.bar {
            _ if commit.passage == Passage::Rescue => {}
            Bar::Newer if !is_audit_alone => return Err(FeedError::Newer),
            Bar::Revoked => return Err(FeedError::Revoked),
            Bar::None | Bar::Newer => {}
        }
        let mut positions: BTreeMap<CollectionId, Position> =
            self.head.iter().flat_map(|head| head.feeds.iter().copied()).collect();
        let mut entries = Vec::with_capacity(commit.batches.len().saturating_add(2));
        for statements in commit.statements.chunks(STATEMENTS_MAX) {
            let header = self.header(CollectionId::AUTHORITY, EpochId::CLEAR, &positions);
            let entry = Entry::new(header, encode_body(statements));
            advance(&mut positions, &entry);
            entries.push(entry);
        }
        let (events, frontier) = self.event_batch(&commit.events, keyring);
        for batch in commit.batches.iter().chain(&events) {
            let entry = self.seal(batch, &positions, keyring, entropy)?;
            advance(&mut positions, &entry);
            entries.push(entry);
        }
        let head = self.next_head(positions, &frontier, keyring.waiting());
        let payload = head.to_bytes();
        let signature = self.device.sign.sign(Label::SigHead, &payload);
        let signed = Signed::new(payload, signature);
        self.is_stale = true;
        log.append(&entries, &signed)?;
        self.is_stale = false;
        self.head = Some(head);
        self.frontier = frontier;
        Ok(entries)
    }

    fn event_batch(&self, events: &[Event], keyring: &Keyring) -> (Option<Batch>, Frontier) {
        let mut frontier = self.frontier.clone();
        let Some(collection) = keyring.collection(Purpose::Audit) else {
            return (None, frontier);
        };
        if events.is_empty() {
            return (None, frontier);
        }
        events.iter().for_each(|event| frontier.push(Event::leaf(&event.to_bytes())));
        let ops = events.iter().map(|event| self.event_op(event)).collect();
        let batch = Batch { collection, ops, added: Vec::new(), dropped: Vec::new() };
        (Some(batch), frontier)
    }

    fn header(
        &self,
        collection: CollectionId,
        epoch: EpochId,
        positions: &BTreeMap<CollectionId, Position>,
    ) -> EntryHeader {
        let last = positions.get(&collection).copied().unwrap_or(Position::NONE);
        EntryHeader {
            vault: self.vault,
            feed: self.feed(collection),
            epoch,
            number: last.number.saturating_add(1),
            previous: last.hash,
            body_bytes: 0,
            added: Vec::new(),
            dropped: Vec::new(),
            extra: Extra::default(),
        }
    }

    fn seal(
        &self,
        batch: &Batch,
        positions: &BTreeMap<CollectionId, Position>,
        keyring: &Keyring,
        entropy: &mut dyn Entropy,
    ) -> Result<Entry, FeedError> {
        let epoch = keyring.epoch(batch.collection).ok_or(FeedError::NoKey)?;
        let key = keyring.key(batch.collection, epoch).ok_or(FeedError::NoKey)?;
        let mut header = self.header(batch.collection, epoch, positions);
        header.added.clone_from(&batch.added);
        header.dropped.clone_from(&batch.dropped);
        // A length that depends on what a secret looks like says something about it.
        let compression = match keyring.purpose(batch.collection) {
            Some(Purpose::Category(category)) if category.is_second_locked_by_default() => {
                Compression::None
            }
            _ => Compression::PerRecord,
        };
        let body = op::encode_body(&batch.ops, compression);
        Ok(seal::seal_entry(key, header, body, &mut keyring.hedge(entropy)))
    }

    fn next_head(
        &self,
        positions: BTreeMap<CollectionId, Position>,
        frontier: &Frontier,
        waiting: Vec<CollectionId>,
    ) -> Head {
        let origin = audit::origin(self.device.id(), self.device.incarnation);
        let checkpoint = match frontier.size() {
            0 => Vec::new(),
            _ => audit::checkpoint(frontier, &origin, &self.device.log),
        };
        let last = self.head.as_ref();
        Head {
            vault: self.vault,
            device: self.device.id(),
            incarnation: self.device.incarnation,
            number: last.map_or(0, |head| head.number).saturating_add(1),
            previous: last.map_or(Hash([0; 32]), |head| head.previous),
            feeds: positions.into_iter().collect(),
            seen: self.seen.clone(),
            waiting,
            checkpoint,
            cosignatures: last.map(|head| head.cosignatures.clone()).unwrap_or_default(),
            clock: self.clock.last(),
            extra: last.map(|head| head.extra.clone()).unwrap_or_default(),
        }
    }
}

fn advance(positions: &mut BTreeMap<CollectionId, Position>, entry: &Entry) {
    let header = entry.header();
    let position = Position { number: header.number, hash: entry.hash() };
    positions.insert(header.feed.collection, position);
}

/// Why an entry of the log cannot be used. It is set aside and named; others go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum QuarantineReason {
    /// The local store's copy of it is damaged.
    #[error("the local store's copy of it is damaged")]
    Damaged,
    /// There is no key for its epoch.
    #[error("there is no key for its epoch")]
    NoKey,
    /// It does not open.
    #[error("it does not open")]
    Sealed,
    /// It opens but has another form than this version knows.
    #[error("it has a form that this version does not know")]
    Form,
}

/// Opens an entry that was asked for by its place and reads its ops.
///
/// # Errors
/// When it must be set aside.
pub fn open(entry: &Entry, keyring: &Keyring, vault: VaultId) -> Result<Vec<Op>, QuarantineReason> {
    let header = entry.header();
    let key = keyring.key(header.feed.collection, header.epoch).ok_or(QuarantineReason::NoKey)?;
    let body = seal::open_entry(key, entry, (vault, header.feed, header.number))
        .map_err(|_| QuarantineReason::Sealed)?;
    op::decode_body(&body).map_err(|_| QuarantineReason::Form)
}
