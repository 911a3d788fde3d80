// SPDX-License-Identifier: MIT OR Apache-2.0
//! Weeks in the life of some devices and stores, from a seed: devices write, sync, meet, restart, begin anew and
//! have wrong clocks; lines break; stores go back and are wiped. In the end nobody has lost anything, and a store
//! was accused if and only if it had gone back.
//!
//! `AURA_SIM_SEEDS` says how many seeds are tried, `AURA_SIM_FROM` with which it begins. Each is run twice, and
//! both runs must be the same, step by step.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic is a failed test")]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};

use aura_protocol::entry::Entry;
use aura_protocol::head::Position;
use aura_protocol::id::{DeviceId, FeedId, Incarnation, VaultId};
use aura_protocol::store::{Access, BlindStore, LocalLog};
use aura_store::local::LocalStore;
use aura_store::replicate::{Finding, Mark, Moved, Replicated, replicate};
use aura_testkit::author::Author;
use aura_testkit::conformance::{MAIL, NOTES};
use aura_testkit::fault::FaultyStore;
use aura_testkit::hostile::Mallory;
use aura_testkit::seed::Seed;
use pollster::block_on;
use tempfile::TempDir;

const STEPS: u64 = 40;
const DEVICES_MAX: usize = 5;
const STORES: usize = 2;

struct Device {
    author: Author,
    store: Option<LocalStore>,
    /// What each store has confirmed to this device.
    marks: Vec<Mark>,
    folder: TempDir,
}

impl Device {
    fn new(author: Author) -> Self {
        let folder = TempDir::new().unwrap();
        let store = LocalStore::create(folder.path(), author.vault(), Box::new(|| 0)).unwrap();
        Self { author, store: Some(store), marks: vec![Mark::new(); STORES], folder }
    }

    fn store(&self) -> &LocalStore {
        self.store.as_ref().unwrap()
    }

    fn restart(&mut self) {
        drop(self.store.take());
        self.store = Some(LocalStore::open(self.folder.path(), Box::new(|| 0)).unwrap());
    }

    /// Whether its own store lists it, so that what it writes is taken: a head is offered without its entry, and
    /// so never shown.
    fn is_listed(&self) -> bool {
        let mut probe = self.author.clone();
        probe.entry(NOTES, vec![0; 60]);
        let access = Access::Vault(self.author.vault());
        block_on(self.store().push(&access, &probe.head(), &[])).is_ok()
    }

    fn see_all(&mut self) {
        for head in LocalLog::heads(self.store()).unwrap() {
            let claim = head.claim().unwrap();
            if (claim.device, claim.incarnation)
                != (self.author.device(), self.author.incarnation())
            {
                self.author.see(&head);
            }
        }
    }

    fn append(&mut self, entries: &[Entry], model: &mut BTreeMap<FeedId, u64>) {
        self.see_all();
        let head = self.author.head();
        self.store().append(entries, &head).unwrap();
        for entry in entries {
            model.insert(entry.header().feed, entry.header().number);
        }
    }

    fn feeds(&self) -> BTreeMap<FeedId, u64> {
        let feeds: Vec<(FeedId, Position)> = self.store().feeds().unwrap();
        feeds.into_iter().map(|(feed, position)| (feed, position.number)).collect()
    }
}

/// What is known of a store behind its back.
#[derive(Default, Clone)]
struct Truth {
    /// The most that it ever showed of each incarnation: with less, it lies.
    had: Heights,
    /// Whether a line broke since everything in it was known to be whole: a head may be there, and what it
    /// names on its way.
    is_torn: bool,
}

/// The number of the newest head of each incarnation.
type Heights = BTreeMap<(DeviceId, Incarnation), u64>;

/// The incarnations of which there is less than there was.
fn lower(before: &Heights, now: &Heights) -> BTreeSet<(DeviceId, Incarnation)> {
    let is_lower = |(life, number): &(&(DeviceId, Incarnation), &u64)| {
        now.get(*life).is_none_or(|now| now < *number)
    };
    before.iter().filter(is_lower).map(|(life, _)| *life).collect()
}

struct World {
    seed: Seed,
    vault: VaultId,
    devices: Vec<Device>,
    stores: Vec<FaultyStore<Mallory>>,
    truths: Vec<Truth>,
    /// How often it was known whether a store lied.
    judged: u64,
    /// Every feed and how far it was written.
    model: BTreeMap<FeedId, u64>,
    trace: String,
}

impl World {
    fn new(number: u64) -> Self {
        let mut seed = Seed::new(number);
        let (author, genesis) = Author::founder(&mut seed);
        let vault = author.vault();
        let mut store = || {
            let mallory = Mallory::new(Seed::new(seed.below(u64::MAX)));
            FaultyStore::new(mallory, Seed::new(seed.below(u64::MAX)), 0)
        };
        let stores = (0..STORES).map(|_| store()).collect();
        let mut first = Device::new(author);
        let mut model = BTreeMap::new();
        first.append(&[genesis], &mut model);
        let truths = vec![Truth::default(); STORES];
        let (devices, trace) = (vec![first], String::new());
        Self { seed, vault, devices, stores, truths, judged: 0, model, trace }
    }

    fn pick(&mut self, of: usize) -> usize {
        usize::try_from(self.seed.below(of as u64)).unwrap()
    }

    fn step(&mut self) {
        let (device, store) = (self.pick(self.devices.len()), self.pick(STORES));
        let event = self.seed.below(20);
        write!(self.trace, "\n{event} {device} {store}:").unwrap();
        match event {
            0..=4 => self.write(device),
            5..=10 => drop(self.sync(device, store)),
            11 | 12 => self.meet(device),
            13 => self.devices[device].restart(),
            14 => self.stores[store].set_one_in(*self.seed.choice(&[0, 2, 3, 5])),
            15 => self.go_back(store),
            16 => self.stores[store].inner().wipe(),
            17 => {
                // From 1970 to far in the future.
                let clock = self.seed.below(1 << 62);
                self.devices[device].author.set_clock(clock);
            }
            18 => self.pair(device),
            _ => self.begin_anew(device),
        }
    }

    fn write(&mut self, device: usize) {
        if !self.devices[device].is_listed() {
            return;
        }
        let count = 1 + self.pick(3);
        let collection = *self.seed.choice(&[NOTES, MAIL]);
        let bodies: Vec<_> = (0..count).map(|_| self.seed.bytes(70)).collect();
        let writer = &mut self.devices[device];
        let entries: Vec<_> =
            bodies.into_iter().map(|body| writer.author.entry(collection, body)).collect();
        writer.append(&entries, &mut self.model);
    }

    fn sync(&mut self, device: usize, store: usize) -> Replicated {
        let shown = self.heights(store);
        let Device { store: local, marks, .. } = &mut self.devices[device];
        let (local, access) = (local.as_ref().unwrap(), Access::Vault(self.vault));
        let before: Heights = marks[store].iter().map(|(d, i, at)| ((*d, *i), at.number)).collect();
        let done = block_on(replicate(local, &self.stores[store], &access, &marks[store]));
        marks[store].clone_from(&done.mark);
        self.judge(store, &done, (&before, &shown));
        let (pulled, pushed) = (done.pulled, done.pushed);
        write!(self.trace, " {pulled:?} {pushed:?} {}", done.findings.len()).unwrap();
        done
    }

    /// What the store has, asked past the line.
    fn heights(&self, store: usize) -> Heights {
        let store = self.stores[store].inner();
        let heads = block_on(store.heads(&Access::Vault(self.vault), &[])).unwrap().news;
        heads.iter().map(|head| ((head.device, head.incarnation), head.position.number)).collect()
    }

    /// A store that shows less than it had confirmed to this device is told, incarnation by incarnation; one
    /// that has all that it ever had is accused of nothing.
    fn judge(&mut self, store: usize, done: &Replicated, (before, shown): (&Heights, &Heights)) {
        let told: BTreeSet<_> = done
            .findings
            .iter()
            .filter_map(|finding| match finding {
                Finding::RolledBack { device, incarnation, .. } => Some((*device, *incarnation)),
                _ => None,
            })
            .collect();
        let was_unheard = done.stopped.is_some() && done.findings.is_empty();
        assert!(was_unheard || told == lower(before, shown), "{told:?} {before:?} {shown:?}");
        let now = self.heights(store);
        let truth = &mut self.truths[store];
        if !truth.is_torn && lower(&truth.had, shown).is_empty() {
            assert!(done.findings.is_empty(), "an honest store: {:?}", done.findings);
            self.judged += 1;
        }
        let forked = |finding: &Finding| matches!(finding, Finding::Forked { .. });
        assert!(!done.findings.iter().any(forked), "{:?}", done.findings);
        for (life, number) in now {
            let had = truth.had.entry(life).or_default();
            *had = number.max(*had);
        }
        truth.is_torn = done.stopped.is_some() || truth.is_torn && !done.findings.is_empty();
    }

    fn meet(&mut self, device: usize) {
        let other = self.pick(self.devices.len());
        if other == device {
            return;
        }
        let (local, remote) = (self.devices[device].store(), self.devices[other].store());
        let done = block_on(replicate(local, remote, &Access::Vault(self.vault), &Mark::new()));
        assert!(done.stopped.is_none() && done.findings.is_empty(), "{done:?}");
        write!(self.trace, " {:?} {:?}", done.pulled, done.pushed).unwrap();
    }

    fn go_back(&mut self, store: usize) {
        let commits = 1 + self.pick(5);
        self.stores[store].inner().roll_back(commits);
    }

    fn pair(&mut self, device: usize) {
        if self.devices.len() == DEVICES_MAX || !self.devices[device].is_listed() {
            return;
        }
        let (other, add) = self.devices[device].author.pair(&mut self.seed);
        self.devices[device].append(&[add], &mut self.model);
        self.devices.push(Device::new(other));
    }

    /// As after a restore: a new life, in which the log that is here goes on.
    fn begin_anew(&mut self, device: usize) {
        if self.devices[device].is_listed() {
            let reborn = self.devices[device].author.reborn(&mut self.seed);
            self.devices[device].author = reborn;
        }
    }

    /// Lines are good again, and everybody syncs: all have all.
    fn finish(&mut self) {
        self.stores.iter().for_each(|store| store.set_one_in(0));
        for _ in 0..DEVICES_MAX {
            for device in 0..self.devices.len() {
                for store in 0..STORES {
                    self.sync(device, store);
                }
            }
        }
        for device in 0..self.devices.len() {
            assert_eq!(self.devices[device].feeds(), self.model);
            for store in 0..STORES {
                let idle = self.sync(device, store);
                assert_eq!((idle.pulled, idle.pushed), (Moved::default(), Moved::default()));
                assert!(idle.findings.is_empty() && idle.stopped.is_none(), "{idle:?}");
            }
        }
    }
}

fn run(number: u64) -> String {
    let mut world = World::new(number);
    for _ in 0..STEPS {
        world.step();
    }
    world.finish();
    assert!(world.judged > 10, "honest stores, known to be: {}", world.judged);
    world.trace
}

fn told(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

/// Attacks FRK-01, FRK-08, AVL-01, faults F-14, F-16, F-19, F-20: whatever order things happen in, nothing that was written is
/// lost.
#[test]
fn weeks_of_many_lives() {
    let (from, seeds) = (told("AURA_SIM_FROM", 0), told("AURA_SIM_SEEDS", 24));
    let upto = from.saturating_add(seeds);
    let next = AtomicU64::new(from);
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    let work = || {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= upto {
                return;
            }
            let outcome = std::panic::catch_unwind(|| (run(number), run(number)));
            let Ok((first, second)) = outcome else {
                panic!("seed {number} (AURA_SIM_FROM={number})");
            };
            assert_eq!(first, second, "seed {number}: the same seed made another run");
        }
    };
    std::thread::scope(|scope| (0..workers).for_each(|_| drop(scope.spawn(work))));
    println!("{seeds} seeds from {from}, each twice, {STEPS} steps: nothing lost");
}
