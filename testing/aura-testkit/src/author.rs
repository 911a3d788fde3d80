// SPDX-License-Identifier: MIT OR Apache-2.0
//! Devices that write valid feeds and heads with real keys, for tests of those who keep them.
//!
//! Bodies outside the authority feed are any bytes: a store cannot tell. A clone of an [`Author`] that
//! writes on is what a cloned device is: it forks.

use std::collections::BTreeMap;

use aura_protocol::authority::{
    Claim, DeviceKeys, IdentityKeys, KEM_KEY_BYTES, SignedStatement, Statement, encode_body,
};
use aura_protocol::codec::{Encode, Extra};
use aura_protocol::entry::{ChunkAdded, Entry, EntryHeader};
use aura_protocol::head::{Head, Position, Seen};
use aura_protocol::id::{
    ChunkName, CollectionId, DeviceId, EpochId, FeedId, Hash, Incarnation, Nonce16, VaultId,
};
use aura_protocol::label::Label;
use aura_protocol::signed::{Signable, Signature, Signed, message};
use ed25519_dalek::{Signer, SigningKey};

use crate::seed::Seed;

/// A device that writes to a vault.
#[derive(Debug, Clone)]
pub struct Author {
    vault: VaultId,
    key: SigningKey,
    identity: SigningKey,
    transport: SigningKey,
    keys: DeviceKeys,
    incarnation: Incarnation,
    feeds: BTreeMap<CollectionId, Position>,
    published: Position,
    seen: Vec<Seen>,
    clock: u64,
    lineage: Vec<SignedStatement>,
}

impl Author {
    /// The first device of a new vault, and the entry that begins it.
    pub fn founder(seed: &mut Seed) -> (Self, Entry) {
        let identity = SigningKey::from_bytes(&seed.array());
        let mut author = Self::stranger(seed, VaultId([0; 32]));
        author.identity = identity;
        let genesis = Claim::Genesis {
            identity: IdentityKeys {
                sign: author.identity.verifying_key().to_bytes(),
                kem: kem_key(seed),
            },
            generation: EpochId { counter: 1, nonce: Nonce16(seed.array()) },
            device: author.keys.clone(),
            nonce: seed.array(),
        };
        let statement =
            Statement { vault: None, claim: genesis, clock: 1, extra: Extra::default() };
        let genesis = signed(&statement, &[&author.identity, &author.key]);
        author.vault = VaultId(genesis.hash().0);
        author.lineage = vec![genesis.clone()];
        let entry = author.authority(&[genesis]);
        (author, entry)
    }

    /// A device that no vault lists yet.
    pub fn stranger(seed: &mut Seed, vault: VaultId) -> Self {
        let key = SigningKey::from_bytes(&seed.array());
        let transport = SigningKey::from_bytes(&seed.array());
        let mut public = || SigningKey::from_bytes(&seed.array()).verifying_key().to_bytes();
        let (log, witness) = (public(), public());
        let sign = key.verifying_key().to_bytes();
        let carries = transport.verifying_key().to_bytes();
        let keys = DeviceKeys { sign, kem: kem_key(seed), transport: carries, log, witness };
        Self {
            vault,
            identity: key.clone(),
            key,
            transport,
            keys,
            incarnation: Incarnation(seed.array()),
            feeds: BTreeMap::new(),
            published: Position::NONE,
            seen: Vec::new(),
            clock: 1,
            lineage: Vec::new(),
        }
    }

    /// A second device, and the entry of this one that lists it.
    pub fn pair(&mut self, seed: &mut Seed) -> (Self, Entry) {
        let other = Self::stranger(seed, self.vault);
        self.lists(other)
    }

    /// A stranger as one of the vault's devices, and the entry of this one that lists it.
    pub fn lists(&mut self, mut other: Self) -> (Self, Entry) {
        other.identity = self.identity.clone();
        let add = other.statement(Claim::Add(other.keys.clone()));
        let add = signed(&add, &[&other.key, &self.key]);
        other.lineage = [self.lineage.clone(), vec![add.clone()]].concat();
        let entry = self.authority(&[add]);
        (other, entry)
    }

    /// A device that lists itself with the identity's key, as one does that was let in by a password.
    pub fn joiner(&self, seed: &mut Seed) -> (Self, Entry) {
        let mut other = Self::stranger(seed, self.vault);
        other.identity = self.identity.clone();
        let add = other.statement(Claim::Add(other.keys.clone()));
        let statement = signed(&add, &[&other.key, &other.identity]);
        other.lineage = [self.lineage.clone(), vec![statement.clone()]].concat();
        let entry = other.authority(&[statement]);
        (other, entry)
    }

    /// The entry that revokes another device after these heads.
    pub fn revoke(&mut self, device: DeviceId, last: Vec<(Incarnation, Position)>) -> Entry {
        let revoke = self.statement(Claim::Revoke { device, last });
        self.authority(&[signed(&revoke, &[&self.key])])
    }

    /// The entry that confirms another device.
    pub fn confirm(&mut self, device: DeviceId) -> Entry {
        let confirm = self.statement(Claim::Confirm(device));
        self.authority(&[signed(&confirm, &[&self.key])])
    }

    /// The entry that retires another device.
    pub fn retire(&mut self, device: DeviceId) -> Entry {
        let retire = self.statement(Claim::Retire(device));
        self.authority(&[signed(&retire, &[&self.key])])
    }

    /// The entry that says that a snapshot in a feed of its own is whole, and the snapshot's name.
    pub fn base(
        &mut self,
        collection: CollectionId,
        range: (u64, u64),
        mut covered: Vec<(FeedId, Position)>,
    ) -> (Entry, Hash) {
        covered.sort_by_key(|(feed, _)| *feed);
        let claim = Claim::Base { feed: self.feed(collection), range, covered };
        let base = self.statement(claim);
        let id = Hash::of(&[&base.to_bytes()]);
        (self.authority(&[signed(&base, &[&self.key])]), id)
    }

    /// The entry that says that this device has adopted a snapshot whose last entry has this hash.
    pub fn adopt(&mut self, base: Hash, last: Hash) -> Entry {
        let adopt = self.statement(Claim::Adopt { base, last });
        self.authority(&[signed(&adopt, &[&self.key])])
    }

    /// The key with which it shows servers who it is.
    pub fn transport_key(&self) -> [u8; 32] {
        self.keys.transport
    }

    /// The statements by which it is a device of its vault.
    pub fn lineage(&self) -> Vec<SignedStatement> {
        self.lineage.clone()
    }

    /// The same, which shows other statements.
    #[must_use]
    pub fn with_lineage(self, lineage: Vec<SignedStatement>) -> Self {
        Self { lineage, ..self }
    }

    /// This device's transport key under another device's name.
    #[must_use]
    pub fn posing_as(&self, other: &Self) -> Self {
        let keys = DeviceKeys { transport: self.keys.transport, ..other.keys.clone() };
        Self { keys, transport: self.transport.clone(), ..other.clone() }
    }

    /// Signs something for a server with that key.
    pub fn show<T: Signable + Encode>(&self, claim: &T) -> Signed<T> {
        let payload = claim.to_bytes();
        let signature = sign(&self.transport, T::LABEL, &payload);
        Signed::new(payload, signature)
    }

    /// Signs a handshake with that key, whatever is said in it.
    pub fn greet(&self, message: &[u8]) -> Signature {
        Signature(self.transport.sign(message).to_bytes())
    }

    /// Sets its clock, right or wrong.
    pub fn set_clock(&mut self, clock: u64) {
        self.clock = clock;
    }

    /// The same device in another life.
    #[must_use]
    pub fn reborn(&self, seed: &mut Seed) -> Self {
        let incarnation = Incarnation(seed.array());
        let (feeds, published) = (BTreeMap::new(), Position::NONE);
        Self { incarnation, feeds, published, ..self.clone() }
    }

    /// Its vault.
    pub fn vault(&self) -> VaultId {
        self.vault
    }

    /// Its id.
    pub fn device(&self) -> DeviceId {
        self.keys.id()
    }

    /// Which life it is in.
    pub fn incarnation(&self) -> Incarnation {
        self.incarnation
    }

    /// Its feed in a collection.
    pub fn feed(&self, collection: CollectionId) -> FeedId {
        FeedId { collection, device: self.device(), incarnation: self.incarnation }
    }

    /// Where a feed of its stands.
    pub fn position(&self, collection: CollectionId) -> Position {
        self.feeds.get(&collection).copied().unwrap_or(Position::NONE)
    }

    /// The next entry of a collection.
    pub fn entry(&mut self, collection: CollectionId, body: Vec<u8>) -> Entry {
        self.entry_with(collection, body, Vec::new())
    }

    /// The next entry of a collection, which names chunks.
    pub fn entry_with(
        &mut self,
        collection: CollectionId,
        body: Vec<u8>,
        added: Vec<ChunkAdded>,
    ) -> Entry {
        let last = self.position(collection);
        let epoch = if collection == CollectionId::AUTHORITY {
            EpochId::CLEAR
        } else {
            EpochId { counter: 1, nonce: Nonce16([7; 16]) }
        };
        let header = EntryHeader {
            vault: self.vault,
            feed: self.feed(collection),
            epoch,
            number: last.number + 1,
            previous: last.hash,
            body_bytes: 0,
            added,
            dropped: Vec::new(),
            extra: Extra::default(),
        };
        let entry = Entry::new(header, body);
        let position = Position { number: last.number + 1, hash: entry.hash() };
        self.feeds.insert(collection, position);
        entry
    }

    /// Goes back to just after this entry of its own, as a restored copy would.
    pub fn rewind(&mut self, collection: CollectionId, last: &Entry) {
        let position = Position { number: last.header().number, hash: last.hash() };
        self.feeds.insert(collection, position);
    }

    /// Notes that it holds and has applied another device's head.
    pub fn see(&mut self, other: &Signed<Head>) {
        let head = other.claim().unwrap();
        let position = Position { number: head.number, hash: other.hash() };
        let seen = Seen {
            device: head.device,
            incarnation: head.incarnation,
            held: position,
            applied: position,
        };
        self.seen.retain(|s| (s.device, s.incarnation) != (head.device, head.incarnation));
        self.seen.push(seen);
        self.seen.sort_by_key(|seen| (seen.device, seen.incarnation));
    }

    /// The next head, over everything written so far.
    pub fn head(&mut self) -> Signed<Head> {
        self.clock += 1;
        let head = Head {
            vault: self.vault,
            device: self.device(),
            incarnation: self.incarnation,
            number: self.published.number + 1,
            previous: self.published.hash,
            feeds: self.feeds.iter().map(|(id, position)| (*id, *position)).collect(),
            seen: self.seen.clone(),
            waiting: Vec::new(),
            checkpoint: Vec::new(),
            cosignatures: Vec::new(),
            clock: self.clock,
            extra: Extra::default(),
        };
        let signed = self.sign(&head);
        self.published = Position { number: head.number, hash: signed.hash() };
        signed
    }

    /// Any head, signed by this device.
    pub fn sign(&self, head: &Head) -> Signed<Head> {
        let payload = head.to_bytes();
        let signature = sign(&self.key, Label::SigHead, &payload);
        Signed::new(payload, signature)
    }

    fn statement(&mut self, claim: Claim) -> Statement {
        self.clock += 1;
        Statement { vault: Some(self.vault), claim, clock: self.clock, extra: Extra::default() }
    }

    fn authority(&mut self, statements: &[SignedStatement]) -> Entry {
        self.entry(CollectionId::AUTHORITY, encode_body(statements))
    }
}

/// A chunk of so many bytes, and how an entry names it.
pub fn chunk(seed: &mut Seed, bytes: usize) -> (Vec<u8>, ChunkAdded) {
    let sealed = seed.bytes(bytes);
    let hash = Hash::of(&[&sealed]);
    let added = ChunkAdded { name: ChunkName(seed.array()), hash, size_bytes: bytes as u64 };
    (sealed, added)
}

fn kem_key(seed: &mut Seed) -> Box<[u8; KEM_KEY_BYTES]> {
    Box::new(seed.array())
}

fn signed(statement: &Statement, keys: &[&SigningKey]) -> SignedStatement {
    let payload = statement.to_bytes();
    let label = SignedStatement::label(&statement.claim);
    let signature =
        |key: &&SigningKey| (key.verifying_key().to_bytes(), sign(key, label, &payload));
    SignedStatement { signatures: keys.iter().map(signature).collect(), payload }
}

fn sign(key: &SigningKey, label: Label, payload: &[u8]) -> Signature {
    Signature(key.sign(&message(label, payload)).to_bytes())
}

#[cfg(test)]
mod tests {
    use aura_protocol::authority::{Roster, Standing, decode_body};

    use super::*;

    #[test]
    fn what_authors_sign_counts() {
        let mut seed = Seed::new(1);
        let (mut founder, genesis) = Author::founder(&mut seed);
        let (paired, add) = founder.pair(&mut seed);
        let (joiner, join) = founder.joiner(&mut seed);
        let revoke = founder.revoke(paired.device(), vec![]);
        let statement = |entry: &Entry| decode_body(entry.body()).unwrap().remove(0);
        let mut roster = Roster::begin(&statement(&genesis)).unwrap();
        assert_eq!(roster.vault(), founder.vault());
        roster.apply(&statement(&add)).unwrap();
        roster.apply(&statement(&join)).unwrap();
        let standing = |roster: &Roster, author: &Author| {
            let head = author.clone().head();
            let position = Position { number: 1, hash: head.hash() };
            roster.standing(author.device(), author.incarnation(), position)
        };
        assert_eq!(standing(&roster, &paired), Standing::Accepted);
        assert_eq!(standing(&roster, &joiner), Standing::Quarantined);
        roster.apply(&statement(&revoke)).unwrap();
        assert_eq!(standing(&roster, &paired), Standing::Late);

        founder.head();
        let head = founder.head();
        let checked = head.verify(&founder.keys.sign).unwrap();
        assert_eq!((checked.number, checked.feeds.len()), (2, 1));
    }
}
