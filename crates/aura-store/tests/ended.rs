// SPDX-License-Identifier: MIT OR Apache-2.0
//! Devices that were revoked: every store comes to the same end of their feeds, in whatever order it hears of it,
//! and nobody is accused of what lies beyond. Cases carry the ids of the attacks.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic is a failed test")]

use aura_protocol::entry::Entry;
use aura_protocol::head::{Head, Position};
use aura_protocol::signed::Signed;
use aura_protocol::store::{Access, BlindStore, LocalLog, StoreError};
use aura_store::folder::FolderStore;
use aura_store::local::LocalStore;
use aura_store::replicate::{Finding, Mark, Replicated, replicate};
use aura_testkit::author::Author;
use aura_testkit::conformance::NOTES;
use aura_testkit::hostile::insider::Insider;
use aura_testkit::seed::Seed;
use pollster::block_on;
use tempfile::TempDir;

/// A laptop, a phone that it added and that is lost, and what the thief of the phone wrote afterwards.
struct Scene {
    seed: Seed,
    access: Access,
    laptop: Author,
    phone: Author,
    begun: Vec<Entry>,
    written: Vec<Entry>,
    last: Signed<Head>,
    folder: TempDir,
}

fn at(head: &Signed<Head>) -> Position {
    Position { number: head.claim().unwrap().number, hash: head.hash() }
}

impl Scene {
    fn new() -> Self {
        let mut seed = Seed::new(7);
        let (mut laptop, genesis) = Author::founder(&mut seed);
        let (mut phone, add) = laptop.pair(&mut seed);
        let written = vec![phone.entry(NOTES, vec![1; 60]), phone.entry(NOTES, vec![2; 60])];
        let last = phone.head();
        let access = Access::Vault(laptop.vault());
        let begun = vec![genesis, add];
        Self { seed, access, laptop, phone, begun, written, last, folder: TempDir::new().unwrap() }
    }

    fn store(&self, name: &str) -> LocalStore {
        let path = self.folder.path().join(name);
        LocalStore::create(&path, self.laptop.vault(), Box::new(|| 0)).unwrap()
    }

    fn passive(&self) -> FolderStore {
        let path = self.folder.path().join("shared");
        std::fs::create_dir_all(&path).unwrap();
        FolderStore::open(&path, Box::new(|| 0)).unwrap()
    }

    fn push(&self, store: &dyn BlindStore, head: &Signed<Head>, entries: &[Entry]) {
        let receipt = block_on(store.push(&self.access, head, entries)).unwrap();
        assert!(receipt.missing.is_empty(), "{receipt:?}");
    }

    /// The laptop revokes the phone after its last head.
    fn revoke(&mut self) -> (Signed<Head>, Vec<Entry>) {
        let last = vec![(self.phone.incarnation(), at(&self.last))];
        let entry = self.laptop.revoke(self.phone.device(), last);
        self.laptop.see(&self.last);
        self.begun.push(entry);
        (self.laptop.head(), self.begun.clone())
    }

    /// What the thief writes on: a note, and a device of its own.
    fn thief(&mut self) -> (Signed<Head>, Vec<Entry>, Author) {
        let (stranger, add) = self.phone.pair(&mut self.seed);
        let note = self.phone.entry(NOTES, vec![6; 60]);
        self.phone.set_clock(1);
        (self.phone.head(), vec![add, note], stranger)
    }

    fn sync(&self, local: &dyn BlindStore, remote: &dyn BlindStore, mark: &Mark) -> Replicated {
        let done = block_on(replicate(local, remote, &self.access, mark));
        assert!(done.stopped.is_none(), "{done:?}");
        done
    }

    fn shows(&self, store: &LocalStore) -> Option<Position> {
        let heads = LocalLog::heads(store).unwrap();
        heads.iter().find(|head| head.claim().unwrap().device == self.phone.device()).map(at)
    }
}

fn takes(store: &LocalStore, access: &Access, author: &mut Author) -> Result<(), StoreError> {
    let entry = author.entry(NOTES, vec![9; 60]);
    block_on(store.push(access, &author.head(), &[entry])).map(drop)
}

/// STO-14, REP-23, attacks DEV-01, DEV-08: a device that joins meets what the thief wrote before it meets the revoke. It
/// ends up with the same last head as everybody else, and the thief's own device is nobody.
#[test]
fn dev_01_a_store_that_heard_the_thief_first_ends_where_the_others_do() {
    let mut scene = Scene::new();
    let first = scene.laptop.head();
    let (late, more, mut stranger) = scene.thief();
    let joiner = scene.store("joiner");
    scene.push(&joiner, &first, &scene.begun);
    scene.push(&joiner, &late, &[&scene.written[..], &more[..]].concat());
    takes(&joiner, &scene.access, &mut stranger.clone()).unwrap();
    assert_eq!(scene.shows(&joiner), Some(at(&late)));
    // The folder has all of it, and the revoke; the last accepted head lies there, and is not the newest.
    let passive = scene.passive();
    scene.push(&passive, &scene.last.clone(), &scene.written);
    scene.push(&passive, &late, &more);
    let (revoke, entries) = scene.revoke();
    scene.push(&passive, &revoke, &entries);
    let done = scene.sync(&joiner, &passive, &Mark::new());
    assert_eq!(done.findings, [], "nobody is accused");
    assert_eq!(scene.shows(&joiner), Some(at(&scene.last)));
    let ends = block_on(joiner.ends(&scene.access)).unwrap();
    assert!(ends.revoked.contains_key(&scene.phone.device()) && ends.last[0].head.is_some());
    let refused = takes(&joiner, &scene.access, &mut stranger.reborn(&mut scene.seed));
    assert!(matches!(refused, Err(StoreError::Refused(_))), "{refused:?}");
    // Once more moves nothing; and so does a store that has never heard the thief.
    let again = scene.sync(&joiner, &passive, &done.mark);
    assert_eq!((again.findings, again.pulled.heads), (vec![], 0));
    let fresh = scene.store("fresh");
    let done = scene.sync(&fresh, &passive, &Mark::new());
    assert_eq!(done.findings, []);
    assert_eq!(scene.shows(&fresh), Some(at(&scene.last)));
    let again = scene.sync(&fresh, &passive, &done.mark);
    assert_eq!((again.findings, again.pulled.heads), (vec![], 0));
    // The two agree, without the folder.
    let met = scene.sync(&joiner, &fresh, &Mark::new());
    assert_eq!(met.findings, []);
    assert!(takes(&fresh, &scene.access, &mut stranger).is_err());
}

/// REP-23: a folder from which somebody has taken the last accepted head gets it back.
#[test]
fn rep_23_the_last_head_is_put_back() {
    let mut scene = Scene::new();
    let own = scene.store("own");
    let begun = scene.laptop.head();
    scene.push(&own, &begun, &scene.begun);
    scene.push(&own, &scene.last, &scene.written);
    let (revoke, entries) = scene.revoke();
    scene.push(&own, &revoke, &entries[2..]);
    let (late, more, _) = scene.thief();
    let passive = scene.passive();
    scene.push(&passive, &late, &[&scene.written[..], &more[..]].concat());
    let life = (scene.phone.device(), scene.phone.incarnation());
    let there = || block_on(passive.head(&scene.access, life, at(&scene.last)));
    assert!(there().is_err());
    let done = scene.sync(&own, &passive, &Mark::new());
    assert_eq!(done.findings, []);
    assert_eq!(there().unwrap().hash(), scene.last.hash());
    let fresh = scene.store("fresh");
    scene.sync(&fresh, &passive, &Mark::new());
    assert_eq!(scene.shows(&fresh), Some(at(&scene.last)));
}

/// STO-4, AUT-21: of two that revoke each other the one that was listed first goes on, and loses no entry by
/// what the other says is its last head.
#[test]
fn aut_21_a_hostile_revoke_takes_nothing_from_the_founder() {
    let mut scene = Scene::new();
    let own = scene.store("own");
    let first = scene.laptop.head();
    scene.push(&own, &first, &scene.begun);
    scene.push(&own, &scene.last, &scene.written);
    let note = scene.laptop.entry(NOTES, vec![4; 60]);
    scene.laptop.see(&scene.last);
    let newest = scene.laptop.head();
    scene.push(&own, &newest, &[note]);
    let hostile = scene.phone.revoke(scene.laptop.device(), vec![]);
    let said = scene.phone.head();
    scene.push(&own, &said, &[hostile]);
    let mut later = scene.laptop.clone();
    assert!(takes(&own, &scene.access, &mut later).is_err(), "for now it is revoked");
    let entries =
        |store: &LocalStore| store.feeds().unwrap().iter().map(|(_, at)| at.number).sum::<u64>();
    let before = entries(&own);
    // The founder says the same of the phone: it is heard first, and writes on.
    let (revoke, entries_there) = scene.revoke();
    scene.push(&own, &revoke, &entries_there[2..]);
    assert_eq!(entries(&own), before + 1, "nothing was dropped");
    takes(&own, &scene.access, &mut scene.laptop.clone()).unwrap();
    assert!(takes(&own, &scene.access, &mut scene.phone.clone()).is_err());
    assert_eq!(scene.shows(&own), Some(at(&scene.last)), "the phone ends where the founder says");
}

/// REP-6, REP-23: neither what a revoked device names, nor what others name of it, nor that a store shows no more
/// of it than is accepted, accuses the store.
#[test]
fn rep_23_nobody_is_accused_of_what_lies_beyond_an_end() {
    let mut scene = Scene::new();
    let own = scene.store("own");
    let begun = scene.laptop.head();
    scene.push(&own, &begun, &scene.begun);
    let remote = Insider::default();
    let nobody = Author::stranger(&mut scene.seed, scene.laptop.vault());
    // The phone names heads that never were; the laptop has seen what the thief wrote before it was told.
    scene.phone.see(&nobody.reborn(&mut scene.seed).head());
    scene.last = scene.phone.head();
    scene.push(&own, &scene.last, &scene.written);
    let (late, _, _) = scene.thief();
    remote.show(&scene.last, &scene.written);
    let told = |done: &Replicated| {
        let is_withheld = |finding: &&Finding| matches!(finding, Finding::Withheld { .. });
        done.findings.iter().filter(is_withheld).count()
    };
    assert_eq!(told(&scene.sync(&own, &remote, &Mark::new())), 1, "until then it counts");
    let entry = {
        let last = vec![(scene.phone.incarnation(), at(&scene.last))];
        scene.laptop.revoke(scene.phone.device(), last)
    };
    scene.laptop.see(&late);
    let revoke = scene.laptop.head();
    scene.push(&own, &revoke, std::slice::from_ref(&entry));
    remote.show(&revoke, &[]);
    let life = (scene.phone.device(), scene.phone.incarnation());
    let mark = vec![(life.0, life.1, at(&late))];
    let done = scene.sync(&own, &remote, &mark);
    assert_eq!(done.findings, []);
    let at_end = done.mark.iter().find(|(device, ..)| *device == life.0).unwrap();
    assert_eq!(at_end.2, at(&scene.last), "what the store has to confirm ends there");
    // One that shows less than that has gone back.
    let emptied = Insider::default();
    emptied.show(&revoke, &[]);
    let done = scene.sync(&own, &emptied, &done.mark);
    assert!(matches!(done.findings[..], [Finding::RolledBack { .. }]), "{:?}", done.findings);
}
