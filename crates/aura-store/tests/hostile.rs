// SPDX-License-Identifier: MIT OR Apache-2.0
//! Replicating with a store that lies: whatever it does, the local store keeps what it had, takes nothing that
//! no listed device wrote, and is equal again once the store is honest. Cases carry the ids of the attacks.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a panic is a failed test"
)]

use std::collections::{BTreeMap, BTreeSet};

use aura_protocol::entry::Entry;
use aura_protocol::head::{Head, Position};
use aura_protocol::id::{ChunkName, FeedId, Hash, Incarnation};
use aura_protocol::signed::Signed;
use aura_protocol::store::{Access, BlindStore, LocalLog, StoreError};
use aura_store::local::LocalStore;
use aura_store::replicate::{Finding, Mark, Moved, Replicated, Side, replicate};
use aura_store::transfer::{ChunkMark, transfer};
use aura_testkit::author::{Author, chunk};
use aura_testkit::conformance::{MAIL, NOTES};
use aura_testkit::hostile::Mallory;
use aura_testkit::hostile::attack::{Act, Attack, Endpoint, Failure, Field, Forgery, When};
use aura_testkit::seed::Seed;
use pollster::block_on;
use proptest::prelude::*;
use tempfile::TempDir;

/// What every listed device has written: nothing else may ever be in a store.
#[derive(Default)]
struct Model {
    entries: BTreeMap<FeedId, Vec<Hash>>,
    heads: BTreeSet<Hash>,
}

impl Model {
    fn wrote(&mut self, head: &Signed<Head>, entries: &[Entry]) {
        self.heads.insert(head.hash());
        for entry in entries {
            self.entries.entry(entry.header().feed).or_default().push(entry.hash());
        }
    }
}

/// A vault of two devices: `other` writes straight to the hostile store, `own` to the local one.
struct World {
    seed: Seed,
    access: Access,
    other: Author,
    own: Author,
    model: Model,
    mallory: Mallory,
    local: LocalStore,
    mark: Mark,
    /// What went straight to the hostile store.
    given: Vec<Entry>,
    _folder: TempDir,
}

impl World {
    /// Both devices are listed, and the hostile store has what both wrote; the local store is empty.
    fn new(seed: u64) -> Self {
        let mut seed = Seed::new(seed);
        let (mut other, genesis) = Author::founder(&mut seed);
        let (own, add) = other.pair(&mut seed);
        let folder = TempDir::new().unwrap();
        let local = LocalStore::create(folder.path(), other.vault(), Box::new(|| 0)).unwrap();
        let access = Access::Vault(other.vault());
        let mallory = Mallory::new(Seed::new(seed.below(u64::MAX)));
        let (model, mark) = (Model::default(), Mark::new());
        let head = other.head();
        let mut world = Self {
            seed,
            access,
            other,
            own,
            model,
            mallory,
            local,
            mark,
            given: vec![],
            _folder: folder,
        };
        world.give(&head, &[genesis, add]);
        for _ in 0..3 {
            world.other_writes();
        }
        let (head, entries) = Self::written(&mut world.seed, &mut world.own);
        world.give(&head, &entries);
        world.other.see(&head);
        world.other_writes();
        world
    }

    /// The same, after an honest replication, and with news on both sides.
    fn known(seed: u64) -> Self {
        let mut world = Self::new(seed);
        world.replicate();
        for _ in 0..2 {
            world.own_writes();
            world.other_writes();
        }
        world
    }

    fn give(&mut self, head: &Signed<Head>, entries: &[Entry]) {
        self.model.wrote(head, entries);
        self.given.extend_from_slice(entries);
        let push =
            |entries: &[Entry]| block_on(self.mallory.push(&self.access, head, entries)).unwrap();
        let life = |entry: &Entry| entry.header().feed.incarnation;
        let own: Vec<Entry> =
            self.given.iter().filter(|e| life(e) == head_life(head)).cloned().collect();
        if !push(entries).missing.is_empty() {
            // A store that forgot: the device that wrote it all has it still.
            assert!(push(&own).missing.is_empty());
        }
    }

    fn written(seed: &mut Seed, author: &mut Author) -> (Signed<Head>, Vec<Entry>) {
        let mut entries = Vec::new();
        for (collection, count) in [(NOTES, 3), (MAIL, 1)] {
            entries.extend((0..count).map(|_| author.entry(collection, seed.bytes(90))));
        }
        (author.head(), entries)
    }

    fn other_writes(&mut self) {
        let (head, entries) = Self::written(&mut self.seed, &mut self.other);
        self.give(&head, &entries);
    }

    fn own_writes(&mut self) -> Signed<Head> {
        let (head, entries) = Self::written(&mut self.seed, &mut self.own);
        self.model.wrote(&head, &entries);
        self.local.append(&entries, &head).unwrap();
        head
    }

    fn local_feeds(&self) -> BTreeMap<FeedId, Position> {
        self.local.feeds().unwrap().into_iter().collect()
    }

    /// Replicates once, and looks at what must hold whatever the store did.
    fn replicate(&mut self) -> Replicated {
        let before = self.local_feeds();
        let calls = self.mallory.calls();
        let done = block_on(replicate(&self.local, &self.mallory, &self.access, &self.mark));
        assert!(self.mallory.calls() - calls < 200, "PANIC: it must come to an end");
        let after = self.local_feeds();
        for (feed, position) in &before {
            let now = after.get(feed).map_or(0, |position| position.number);
            assert!(now >= position.number, "FRESH, AVAIL: a feed went back");
        }
        for (device, incarnation, position) in &self.mark {
            let now = done.mark.iter().find(|(d, i, _)| (d, i) == (device, incarnation));
            assert!(now.is_some_and(|(.., now)| now.number >= position.number), "FRESH: the mark");
        }
        self.mark.clone_from(&done.mark);
        self.assert_only_written(&after);
        done
    }

    /// INT: the local store shows what listed devices wrote, in order, and nothing else.
    fn assert_only_written(&self, feeds: &BTreeMap<FeedId, Position>) {
        for (feed, position) in feeds {
            let read = LocalLog::read(&self.local, *feed, 0, 1000).unwrap();
            let found: Vec<Hash> = read.iter().map(Entry::hash).collect();
            let wrote = self.model.entries.get(feed).expect("INT: a feed that nobody wrote");
            assert_eq!(found.len() as u64, position.number);
            assert_eq!(found, wrote[..found.len()], "INT: an entry that nobody wrote");
        }
        for head in LocalLog::heads(&self.local).unwrap() {
            assert!(self.model.heads.contains(&head.hash()), "INT: a head that nobody signed");
        }
    }

    /// Once the store is honest, both sides have everything.
    fn assert_heals(&mut self) {
        self.mallory.attack(&[]);
        let done = self.replicate();
        assert!(done.stopped.is_none(), "{done:?}");
        let whole: BTreeMap<FeedId, u64> =
            self.model.entries.iter().map(|(feed, all)| (*feed, all.len() as u64)).collect();
        let have: BTreeMap<FeedId, u64> =
            self.local_feeds().iter().map(|(feed, position)| (*feed, position.number)).collect();
        assert_eq!(have, whole, "{:?}", done.findings);
        for feed in whole.keys() {
            let there = block_on(self.mallory.read(&self.access, *feed, 0, 1000)).unwrap();
            let there: Vec<_> = there.iter().map(Entry::hash).collect();
            assert_eq!(there, self.model.entries[feed], "{:?}", done.findings);
        }
        let again = self.replicate();
        assert_eq!((again.pulled, again.pushed), (Moved::default(), Moved::default()));
    }
}

fn head_life(head: &Signed<Head>) -> Incarnation {
    head.claim().unwrap().incarnation
}

/// Chunks that the other device's entries name and the hostile store has, and one that only this device has.
fn with_chunks(world: &mut World) -> BTreeMap<ChunkName, Vec<u8>> {
    let mut all = BTreeMap::new();
    let mut made = |seed: &mut Seed| {
        let (sealed, added) = chunk(seed, 700);
        all.insert(added.name, sealed);
        added
    };
    let added = vec![made(&mut world.seed), made(&mut world.seed), made(&mut world.seed)];
    let entry = world.other.entry_with(NOTES, vec![1; 60], added.clone());
    let head = world.other.head();
    world.give(&head, &[entry]);
    let own = made(&mut world.seed);
    let entry = world.own.entry_with(NOTES, vec![1; 60], vec![own.clone()]);
    let head = world.own.head();
    world.model.wrote(&head, std::slice::from_ref(&entry));
    world.local.put_chunk(own.name, &all[&own.name]).unwrap();
    world.local.append(&[entry], &head).unwrap();
    for added in &added {
        block_on(world.mallory.put(&world.access, added.name, &all[&added.name])).unwrap();
    }
    world.replicate();
    all
}

/// Attacks INT-05, INT-06: whatever is done to chunks, none but the named one is kept, and all arrive once the store is
/// honest.
#[test]
fn every_attack_on_chunks() {
    for on in [Endpoint::Put, Endpoint::Chunk, Endpoint::Has] {
        for (act, when) in Act::every()
            .into_iter()
            .flat_map(|act| [When::Always, When::Nth(1)].map(|when| (act, when)))
        {
            let mut world = World::known(1);
            let all = with_chunks(&mut world);
            let mut mark = ChunkMark::default();
            let attack = Attack { on, when, act };
            world.mallory.attack(&[attack]);
            let mut transfer = || {
                block_on(transfer(&world.local, &world.mallory, &world.access, &mut mark, 1 << 20))
            };
            transfer();
            let kept = world.local.chunks().unwrap();
            for (name, _) in kept {
                let kept = LocalLog::chunk(&world.local, name).unwrap();
                assert_eq!(kept, all[&name], "INT: {attack:?}");
            }
            world.mallory.attack(&[]);
            transfer();
            let done = transfer();
            assert!(done.stopped.is_none() && done.findings.is_empty(), "{attack:?}: {done:?}");
            // A store that says it has what it has not gets it when it is found out, not before.
            let lied = on == Endpoint::Put || matches!(act, Act::Swallow | Act::Twice);
            for (name, sealed) in &all {
                let here = LocalLog::chunk(&world.local, *name);
                assert_eq!(here.unwrap(), *sealed, "{attack:?}");
                let there = block_on(world.mallory.chunk(&world.access, *name));
                assert!(lied || there.unwrap() == *sealed, "{attack:?}");
            }
        }
    }
}

const ENDPOINTS: [Endpoint; 3] = [Endpoint::Heads, Endpoint::Push, Endpoint::Read];

fn every_attack(make: fn(u64) -> World, when: When) {
    for on in ENDPOINTS {
        for act in Act::every() {
            let mut world = make(1);
            let attack = Attack { on, when, act };
            world.mallory.attack(&[attack]);
            let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                world.replicate();
                world.replicate();
                world.assert_heals();
            }));
            assert!(outcome.is_ok(), "{attack:?}");
        }
    }
}

/// Attacks INT-01, INT-05, INT-09, FRK-02, FRK-13, DEV-01, AVL-02: every answer falsified in every way, to a
/// device that knows nothing yet. The oracles are INT, FRESH, AVAIL and PANIC.
#[test]
fn every_attack_always_before_the_first_sync() {
    every_attack(World::new, When::Always);
}

/// The same to a device that has synced before and has something to send.
#[test]
fn every_attack_always_after_the_first_sync() {
    every_attack(World::known, When::Always);
}

/// The same in the middle of a replication only.
#[test]
fn every_attack_once_in_between() {
    every_attack(World::known, When::Nth(1));
}

fn any_act() -> impl Strategy<Value = Act> {
    let acts = Act::every();
    (0..acts.len()).prop_map(move |at| acts[at])
}

fn any_attack() -> impl Strategy<Value = Attack> {
    let when = prop_oneof![
        Just(When::Always),
        (0..6_u64).prop_map(When::Nth),
        (2..5_u64).prop_map(When::OneIn),
    ];
    (0..ENDPOINTS.len(), when, any_act()).prop_map(|(on, when, act)| Attack {
        on: ENDPOINTS[on],
        when,
        act,
    })
}

#[derive(Debug, Clone)]
enum Step {
    Own,
    Other,
    Replicate,
    RollBack(usize),
    Wipe,
    Attack(Vec<Attack>),
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => Just(Step::Own),
        2 => Just(Step::Other),
        4 => Just(Step::Replicate),
        1 => (1..6_usize).prop_map(Step::RollBack),
        1 => Just(Step::Wipe),
        3 => prop::collection::vec(any_attack(), 0..4).prop_map(Step::Attack),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Any attacks in any order; sequences that fail are kept beside this file.
    #[test]
    fn any_attacks_in_any_order(steps in prop::collection::vec(any_step(), 1..12), seed in 0..1000_u64) {
        let mut world = World::known(seed);
        for step in steps {
            match step {
                Step::Own => drop(world.own_writes()),
                Step::Other => {
                    // Pushed past the attacks: it is the device that writes, not the store that lies.
                    world.mallory.attack(&[]);
                    world.other_writes();
                }
                Step::Replicate => drop(world.replicate()),
                // What only the store had is gone then, and no other device brings it back here.
                Step::RollBack(_) | Step::Wipe if !is_synced(&mut world) => {}
                Step::RollBack(commits) => world.mallory.roll_back(commits),
                Step::Wipe => world.mallory.wipe(),
                Step::Attack(attacks) => world.mallory.attack(&attacks),
            }
        }
        world.assert_heals();
    }
}

fn is_synced(world: &mut World) -> bool {
    world.mallory.attack(&[]);
    world.assert_heals();
    true
}

/// Attack FRK-01, fault F-24: a store that went back is told by name, and healed.
#[test]
fn frk_01_a_rollback_is_found_and_healed() {
    for commits in 1..4 {
        let mut world = World::known(commits as u64);
        world.replicate();
        world.mallory.roll_back(commits);
        let done = world.replicate();
        let is_rollback = |finding: &Finding| matches!(finding, Finding::RolledBack { .. });
        assert!(done.findings.iter().any(is_rollback), "{commits}: {:?}", done.findings);
        assert!(done.pushed.entries > 0);
        world.assert_heals();
    }
}

/// Attack AVL-01: everything comes back from one device, other devices' entries included.
#[test]
fn avl_01_a_wiped_store_is_filled_again() {
    let mut world = World::known(1);
    world.replicate();
    world.mallory.wipe();
    let done = world.replicate();
    let nothing = |finding: &&Finding| matches!(finding, Finding::RolledBack { now: None, .. });
    assert_eq!(done.findings.iter().filter(nothing).count(), 2);
    assert!(done.pushed.heads >= 2);
    world.assert_heals();
}

/// REP-5: a store that has less of a feed than it said gets the rest in the same run.
#[test]
fn rep_05_a_gap_is_filled() {
    let mut world = World::known(1);
    world.mallory.attack(&[Attack { on: Endpoint::Push, when: When::Nth(0), act: Act::Past(1) }]);
    let done = world.replicate();
    assert!(done.stopped.is_none() && done.findings.is_empty(), "{done:?}");
    assert_eq!(done.pushed.heads, 1);
    world.assert_heals();
}

/// Attacks INT-12, FRK-04: a head that another one names and the store does not show is told by name, even to a
/// device that never saw it.
#[test]
fn int_12_a_withheld_head_is_found_by_whom_it_was_seen() {
    let last = |world: &World| {
        let heads = block_on(world.mallory.heads(&world.access, &[])).unwrap().news;
        heads.last().unwrap().device
    };
    // The last of two heads is left out: a world in which that is the one that the other names.
    let mut world =
        (1..100).map(World::new).find(|world| last(world) == world.own.device()).unwrap();
    let attack = |act| Attack { on: Endpoint::Heads, when: When::Always, act };
    world.mallory.attack(&[attack(Act::Omit(2))]);
    let done = world.replicate();
    let (own, other) = (world.own.device(), world.other.device());
    let is_own = |finding: &Finding| {
        matches!(finding,
        Finding::Withheld { device, by, .. } if *device == own && *by == other)
    };
    assert!(done.findings.iter().any(is_own), "{:?}", done.findings);
    assert_eq!(done.pulled.heads, 1);
    world.assert_heals();
    assert!(world.replicate().findings.is_empty());
}

/// Attack FRK-03: two signed branches of one incarnation are evidence; the local one stays.
#[test]
fn frk_03_a_fork_is_told_with_both_heads() {
    let mut world = World::known(1);
    world.replicate();
    let mut clone = world.own.clone();
    let ours = world.own_writes();
    let entry = clone.entry(NOTES, vec![9; 80]);
    let theirs = clone.head();
    block_on(world.mallory.push(&world.access, &theirs, &[entry])).unwrap();
    let done = world.replicate();
    let forked = done.findings.iter().find_map(|finding| match finding {
        Finding::Forked { device, heads, .. } if *device == world.own.device() => Some(heads),
        _ => None,
    });
    assert_eq!(**forked.unwrap(), [ours, theirs]);
    assert_eq!(done.pushed.heads, 0, "what forked is not pushed over it");
    // The other device's news are not held up by it.
    world.other_writes();
    let done = world.replicate();
    assert_eq!((done.pulled.heads, done.pulled.entries), (1, 4));
}

/// Attack FRK-03: a made-up branch is no evidence against the device whose name it bears.
#[test]
fn frk_03_an_unsigned_branch_is_refused_and_accuses_nobody() {
    let mut world = World::known(1);
    world.replicate();
    let field = Field::HeadFeedHash;
    world.mallory.attack(&[Attack {
        on: Endpoint::Heads,
        when: When::Always,
        act: Act::Alter(field),
    }]);
    let done = world.replicate();
    let is_fork = |finding: &Finding| matches!(finding, Finding::Forked { .. });
    assert!(!done.findings.iter().any(is_fork), "{:?}", done.findings);
    let is_refused =
        |finding: &Finding| matches!(finding, Finding::Refused { by: Side::Local, .. });
    assert!(done.findings.iter().any(is_refused), "{:?}", done.findings);
    world.assert_heals();
}

/// Attacks INT-09, DEV-01, KEY-11: devices that nobody listed are refused by name and keep nothing from arriving.
#[test]
fn dev_01_strangers_are_refused_and_the_rest_arrives() {
    for forgery in Forgery::ALL {
        let mut world = World::new(1);
        world.mallory.attack(&[Attack {
            on: Endpoint::Heads,
            when: When::Nth(0),
            act: Act::Forge(forgery),
        }]);
        let done = world.replicate();
        assert!(done.stopped.is_none());
        let is_told = |finding: &Finding| {
            matches!(
                finding,
                Finding::Refused { .. } | Finding::Malformed | Finding::Incomplete { .. }
            )
        };
        assert!(done.findings.iter().any(is_told), "{forgery:?}: {:?}", done.findings);
        if forgery != Forgery::Impostor {
            assert_eq!(done.pulled.heads, 2, "{forgery:?}: {:?}", done.findings);
        }
        world.assert_heals();
    }
}

/// Attacks AVL-02, PHY-09: no error and no text of a store makes the device give up or change anything.
#[test]
fn avl_02_whatever_a_store_says_local_data_stays() {
    for failure in Failure::ALL {
        let mut world = World::known(1);
        let before = world.local_feeds();
        let attack = |on| Attack { on, when: When::Always, act: Act::Fail(failure) };
        world.mallory.attack(&ENDPOINTS.map(attack));
        let done = world.replicate();
        let (side, error) = done.stopped.unwrap();
        assert_eq!(side, Side::Remote);
        assert_eq!(
            std::mem::discriminant(&error),
            std::mem::discriminant::<StoreError>(&failure.error())
        );
        assert_eq!(world.local_feeds(), before);
        world.assert_heals();
    }
}

/// Attack AVL-05: one head that cannot be had does not keep the others back.
#[test]
fn avl_05_an_incomplete_head_is_named_and_the_others_arrive() {
    let mut world = World::known(1);
    let third = {
        let (mut third, add) = world.other.pair(&mut world.seed);
        let head = world.other.head();
        world.give(&head, &[add]);
        let (head, entries) = World::written(&mut world.seed, &mut third);
        world.give(&head, &entries);
        third.device()
    };
    // The other device's head lists it, so that one's three feeds are read first.
    world.mallory.attack(&[Attack { on: Endpoint::Read, when: When::Nth(4), act: Act::Empty }]);
    let done = world.replicate();
    let is_incomplete = |finding: &Finding| {
        matches!(finding, Finding::Incomplete { feed, after: 0 }
        if feed.device == third)
    };
    assert!(done.findings.iter().any(is_incomplete), "{:?}", done.findings);
    assert_eq!((done.pulled.heads, done.pushed.heads), (1, 1));
    let heads = LocalLog::heads(&world.local).unwrap();
    assert!(heads.iter().all(|head| head.claim().unwrap().device != third));
    world.assert_heals();
}
