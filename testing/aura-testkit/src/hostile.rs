// SPDX-License-Identifier: MIT OR Apache-2.0
//! Mallory: a blind store that keeps everything it was ever given, and shows whatever it likes.
//!
//! It serves honestly but for its [`Attack`]s. What it needs for them it has: every state that it was ever
//! in, every answer that it ever gave, and keys of its own, which no vault lists.

mod memory;

pub mod attack;

pub mod insider;

use std::collections::BTreeMap;
use std::sync::Mutex;

use async_trait::async_trait;
use aura_protocol::entry::Entry;
use aura_protocol::head::{Head, Position};
use aura_protocol::id::{ChunkName, CollectionId, DeviceId, FeedId, Hash, Incarnation, VaultId};
use aura_protocol::signed::{Signature, Signed};
use aura_protocol::store::{Access, BlindStore, Heads, Receipt, StoreError, StoredHead};

use self::attack::{Act, Attack, Endpoint, Field, Forgery, When, alter_entry, alter_head};
use self::memory::Memory;
use crate::author::Author;
use crate::seed::Seed;

type Known = [(DeviceId, Incarnation, Position)];

/// The hostile store.
#[derive(Debug)]
pub struct Mallory {
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    now: Memory,
    past: Vec<Memory>,
    attacks: Vec<Attack>,
    calls: BTreeMap<Endpoint, u64>,
    told_heads: Vec<Vec<StoredHead>>,
    told_entries: Vec<Vec<Entry>>,
    told_chunks: Vec<Vec<u8>>,
    seed: Seed,
}

impl Mallory {
    /// A store that is honest as long as it has no attack.
    pub fn new(seed: Seed) -> Self {
        let inner = Inner {
            now: Memory::default(),
            past: Vec::new(),
            attacks: Vec::new(),
            calls: BTreeMap::new(),
            told_heads: Vec::new(),
            told_entries: Vec::new(),
            told_chunks: Vec::new(),
            seed,
        };
        Self { inner: Mutex::new(inner) }
    }

    /// Attacks like this from now on; calls are counted anew.
    pub fn attack(&self, attacks: &[Attack]) {
        let mut inner = self.inner.lock().unwrap();
        inner.attacks = attacks.to_vec();
        inner.calls.clear();
    }

    /// Goes back for good to the state of so many commits ago.
    pub fn roll_back(&self, commits: usize) {
        let mut inner = self.inner.lock().unwrap();
        inner.now = inner.at(commits);
    }

    /// Forgets everything that it shows.
    pub fn wipe(&self) {
        self.inner.lock().unwrap().now = Memory::default();
    }

    /// How many calls there were since the attacks began.
    pub fn calls(&self) -> u64 {
        self.inner.lock().unwrap().calls.values().sum()
    }

    fn enter(&self, endpoint: Endpoint) -> (std::sync::MutexGuard<'_, Inner>, Option<Act>) {
        let mut inner = self.inner.lock().unwrap();
        let count = inner.calls.entry(endpoint).or_default();
        let call = *count;
        *count += 1;
        let attacks = inner.attacks.clone();
        let act = attacks.into_iter().find(|attack| {
            attack.on == endpoint
                && match attack.when {
                    When::Always => true,
                    When::Nth(nth) => nth == call,
                    When::OneIn(count) => inner.seed.below(count) == 0,
                }
        });
        (inner, act.map(|attack| attack.act))
    }
}

impl Inner {
    fn at(&self, commits_ago: usize) -> Memory {
        if commits_ago == 0 {
            return self.now.clone();
        }
        let at = self.past.len().checked_sub(commits_ago);
        at.and_then(|at| self.past.get(at)).cloned().unwrap_or_default()
    }

    fn commit(&mut self) {
        self.past.push(self.now.clone());
    }

    fn forged_heads(&mut self, vault: VaultId, forgery: Forgery) -> Vec<StoredHead> {
        let (mut stranger, genesis) = Author::founder(&mut self.seed);
        let is_other = forgery == Forgery::OtherVault;
        let mut entries = vec![genesis];
        if !is_other {
            stranger = Author::stranger(&mut self.seed, vault);
            entries.clear();
        }
        if forgery == Forgery::SelfListed {
            let (joiner, join) = stranger.joiner(&mut self.seed);
            stranger = joiner;
            entries.push(join);
        }
        entries.push(stranger.entry(CollectionId([0x11; 16]), vec![6; 64]));
        let mut head = stranger.head();
        if forgery == Forgery::Impostor {
            // In the name of a device that is listed, one beyond its newest head.
            let Some(victim) = self.now.heads().pop() else { return Vec::new() };
            let mut claim = victim.head.claim().unwrap();
            claim.number += 1;
            head = stranger.sign(&claim);
        }
        if forgery == Forgery::Noise {
            head = Signed::new(vec![0xff; 40], Signature([1; 64]));
        }
        let (device, incarnation) = (stranger.device(), stranger.incarnation());
        if forgery != Forgery::Noise && forgery != Forgery::Impostor {
            let mut memory = self.now.clone();
            memory.push(&head, &entries);
            self.now = memory;
        }
        let position = Position { number: 1, hash: head.hash() };
        vec![StoredHead { device, incarnation, position, head }]
    }

    fn changed_heads(&mut self, vault: VaultId, act: Act) -> Vec<StoredHead> {
        let mut heads = match act {
            Act::Past(commits) => self.at(commits).heads(),
            _ => self.now.heads(),
        };
        match act {
            Act::Replay(back) => again(&self.told_heads, back).unwrap_or(heads),
            Act::Omit(one_in) => leave_out(heads, one_in),
            Act::Empty => Vec::new(),
            Act::Reverse => {
                heads.reverse();
                heads
            }
            Act::Twice => [heads.clone(), heads].concat(),
            Act::Swap => {
                let signed: Vec<_> = heads.iter().rev().map(|head| head.head.clone()).collect();
                heads.iter_mut().zip(signed).for_each(|(to, from)| to.head = from);
                heads
            }
            Act::Alter(field) => {
                if let Some(last) = heads.last_mut() {
                    alter_stored(last, field);
                }
                heads
            }
            Act::Forge(forgery) => [heads, self.forged_heads(vault, forgery)].concat(),
            _ => heads,
        }
    }

    fn changed_entries(
        &mut self,
        feed: &FeedId,
        (after, limit): (u64, usize),
        act: Act,
    ) -> Option<Vec<Entry>> {
        let memory = match act {
            Act::Past(commits) => self.at(commits),
            _ => self.now.clone(),
        };
        let mut entries = memory.read(feed, after, limit)?;
        Some(match act {
            Act::Replay(back) => again(&self.told_entries, back).unwrap_or(entries),
            Act::Omit(one_in) => leave_out(entries, one_in),
            Act::Empty => Vec::new(),
            Act::Reverse => {
                entries.reverse();
                entries
            }
            Act::Twice => [entries.clone(), entries].concat(),
            Act::Swap => {
                let other = memory.feeds().into_iter().find(|other| other != feed);
                other.and_then(|other| memory.read(&other, after, limit)).unwrap_or(entries)
            }
            Act::Alter(field) => {
                if let Some(last) = entries.last_mut() {
                    *last = alter_entry(last, field);
                }
                entries
            }
            Act::Forge(_) => {
                let mut stranger = Author::stranger(&mut self.seed, VaultId([0; 32]));
                entries.push(stranger.entry(feed.collection, vec![6; 64]));
                entries
            }
            _ => entries,
        })
    }
}

/// What was told so many answers ago.
fn again<T: Clone>(told: &[T], back: usize) -> Option<T> {
    told.len().checked_sub(back + 1).and_then(|at| told.get(at)).cloned()
}

fn leave_out<T>(members: Vec<T>, one_in: usize) -> Vec<T> {
    let keeps = |(at, _): &(usize, T)| !(at + 1).is_multiple_of(one_in.max(1));
    members.into_iter().enumerate().filter(keeps).map(|(_, member)| member).collect()
}

fn alter_stored(stored: &mut StoredHead, field: Field) {
    match field {
        Field::StoredDevice => stored.device = DeviceId([7; 16]),
        Field::StoredIncarnation => stored.incarnation = Incarnation([7; 8]),
        Field::StoredPosition => stored.position = Position::NONE,
        field => {
            stored.head = alter_head(&stored.head, field);
            let number = stored.head.claim().map_or(stored.position.number, |head| head.number);
            stored.position = Position { number, hash: stored.head.hash() };
        }
    }
}

#[async_trait]
impl BlindStore for Mallory {
    async fn heads(&self, access: &Access, known: &Known) -> Result<Heads, StoreError> {
        let (mut inner, act) = self.enter(Endpoint::Heads);
        let heads = match act {
            Some(Act::Fail(failure)) => return Err(failure.error()),
            Some(Act::Unanswered) => return Err(attack::Failure::Io.error()),
            // Nothing is new, nothing is gone.
            Some(Act::Swallow) => return Ok(Heads::default()),
            Some(act) => inner.changed_heads(access.vault(), act),
            None => inner.now.heads(),
        };
        inner.told_heads.push(heads.clone());
        Ok(Heads::answer(heads, known))
    }

    async fn push(
        &self,
        _: &Access,
        head: &Signed<Head>,
        entries: &[Entry],
    ) -> Result<Receipt, StoreError> {
        let (mut inner, act) = self.enter(Endpoint::Push);
        match act {
            Some(Act::Fail(failure)) => return Err(failure.error()),
            Some(Act::Swallow) => return Ok(Receipt { missing: Vec::new() }),
            // Asks for the same again and again.
            Some(Act::Replay(_) | Act::Twice) => {
                let claim = head.claim().unwrap();
                let feeds = claim.feeds.iter();
                let missing = feeds.map(|(collection, _)| (claim.feed(*collection), 0)).collect();
                return Ok(Receipt { missing });
            }
            // Has less of a feed than it said.
            Some(Act::Past(_)) => {
                let claim = head.claim().unwrap();
                let (collection, _) = claim.feeds.last().unwrap();
                return Err(StoreError::Gap { feed: claim.feed(*collection), expected: 1 });
            }
            // Asks for what is none of the head's.
            Some(Act::Swap | Act::Forge(_)) => {
                let feed = FeedId {
                    collection: CollectionId([7; 16]),
                    device: DeviceId([7; 16]),
                    incarnation: Incarnation([7; 8]),
                };
                return Ok(Receipt { missing: vec![(feed, 0), (feed, u64::MAX)] });
            }
            _ => {}
        }
        inner.commit();
        let entries: Vec<Entry> = match act {
            Some(Act::Omit(one_in)) => leave_out(entries.to_vec(), one_in),
            _ => entries.to_vec(),
        };
        let receipt = inner.now.push(head, &entries);
        match act {
            Some(Act::Unanswered) => Err(attack::Failure::Io.error()),
            Some(Act::Omit(_)) => Ok(Receipt { missing: Vec::new() }),
            _ => Ok(receipt),
        }
    }

    async fn read(
        &self,
        _: &Access,
        feed: FeedId,
        after: u64,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        let (mut inner, act) = self.enter(Endpoint::Read);
        let entries = match act {
            Some(Act::Fail(failure)) => return Err(failure.error()),
            Some(Act::Unanswered) => return Err(attack::Failure::Io.error()),
            Some(act) => inner.changed_entries(&feed, (after, limit), act),
            None => inner.now.read(&feed, after, limit),
        };
        let entries = entries.ok_or(StoreError::Absent)?;
        inner.told_entries.push(entries.clone());
        Ok(entries)
    }

    async fn put(&self, _: &Access, name: ChunkName, sealed: &[u8]) -> Result<(), StoreError> {
        let (mut inner, act) = self.enter(Endpoint::Put);
        match act {
            Some(Act::Fail(failure)) => return Err(failure.error()),
            Some(Act::Swallow | Act::Omit(_) | Act::Empty) => return Ok(()),
            _ => {}
        }
        inner.commit();
        inner.now.put(name, sealed);
        if act == Some(Act::Unanswered) { Err(attack::Failure::Io.error()) } else { Ok(()) }
    }

    async fn chunk(&self, _: &Access, name: ChunkName) -> Result<Vec<u8>, StoreError> {
        let (mut inner, act) = self.enter(Endpoint::Chunk);
        let memory = match act {
            Some(Act::Fail(failure)) => return Err(failure.error()),
            Some(Act::Unanswered) => return Err(attack::Failure::Io.error()),
            Some(Act::Past(commits)) => inner.at(commits),
            _ => inner.now.clone(),
        };
        let mut chunk = memory.chunk(name).ok_or(StoreError::Absent)?;
        match act {
            Some(Act::Empty | Act::Omit(_)) => chunk.clear(),
            Some(Act::Replay(back)) => chunk = again(&inner.told_chunks, back).unwrap_or(chunk),
            Some(Act::Swap) => {
                let other = memory.chunks().into_iter().find(|other| *other != name);
                chunk = other.and_then(|other| memory.chunk(other)).unwrap_or(chunk);
            }
            Some(Act::Twice) => chunk = [chunk.clone(), chunk].concat(),
            Some(Act::Reverse) => chunk.reverse(),
            Some(Act::Alter(Field::ChunkLength)) => drop(chunk.pop()),
            Some(Act::Alter(_) | Act::Forge(_)) => {
                if let Some(last) = chunk.last_mut() {
                    *last ^= 1;
                }
            }
            _ => {}
        }
        inner.told_chunks.push(chunk.clone());
        Ok(chunk)
    }

    async fn has(&self, _: &Access, names: &[ChunkName]) -> Result<Vec<bool>, StoreError> {
        let (inner, act) = self.enter(Endpoint::Has);
        let has =
            |memory: &Memory| names.iter().map(|name| memory.chunk(*name).is_some()).collect();
        match act {
            Some(Act::Fail(failure)) => Err(failure.error()),
            Some(Act::Unanswered) => Err(attack::Failure::Io.error()),
            Some(Act::Swallow) => Ok(vec![true; names.len()]),
            Some(Act::Omit(_) | Act::Alter(_)) => Ok(vec![false; names.len()]),
            // Fewer or more answers than questions.
            Some(Act::Empty) => Ok(Vec::new()),
            Some(Act::Twice) => Ok(vec![true; names.len() * 2]),
            Some(Act::Past(commits)) => Ok(has(&inner.at(commits))),
            _ => Ok(has(&inner.now)),
        }
    }

    async fn forget(&self, _: &Access, _: Hash) -> Result<u64, StoreError> {
        Err(StoreError::Unproven)
    }

    async fn watch(
        &self,
        access: &Access,
        known: &Known,
        _: u64,
    ) -> Result<Vec<StoredHead>, StoreError> {
        Ok(self.heads(access, known).await?.news)
    }
}
