// SPDX-License-Identifier: MIT OR Apache-2.0
//! What everybody must read together has a bound together: heads and statements. Cases carry the ids of the attacks.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic is a failed test")]

use aura_protocol::head::Head;
use aura_protocol::head::Position;
use aura_protocol::id::CollectionId;
use aura_protocol::limits::DEVICE_HEADS_BYTES_MAX;
use aura_protocol::signed::Signed;
use aura_protocol::store::{Access, BlindStore, LocalLog, StoreError};
use aura_store::local::LocalStore;
use aura_testkit::author::Author;
use aura_testkit::conformance::{MAIL, NOTES};
use aura_testkit::seed::Seed;
use pollster::block_on;
use rusqlite::Connection;
use tempfile::TempDir;

/// An honest device with its store, and a hostile one that the vault lists.
struct Scene {
    seed: Seed,
    access: Access,
    honest: Author,
    insider: Author,
    local: LocalStore,
    folder: TempDir,
}

impl Scene {
    fn new() -> Self {
        let mut seed = Seed::new(1);
        let (mut honest, genesis) = Author::founder(&mut seed);
        let (insider, add) = honest.pair(&mut seed);
        let folder = TempDir::new().unwrap();
        let local = LocalStore::create(folder.path(), honest.vault(), Box::new(|| 0)).unwrap();
        local.append(&[genesis, add], &honest.head()).unwrap();
        let access = Access::Vault(honest.vault());
        Self { seed, access, honest, insider, local, folder }
    }
}

/// A head of this author that is larger by so many KiB.
fn large(author: &mut Author, kib: u32) -> Signed<Head> {
    let mut claim = author.head().claim().unwrap();
    let collection = |at: u32| {
        let mut id = [1; 16];
        id[..4].copy_from_slice(&at.to_be_bytes());
        CollectionId(id)
    };
    claim.waiting = (0..kib * 60).map(collection).collect();
    author.sign(&claim)
}

/// STO-15, attacks AVL-04, AVL-05: heads are answered together; a device that makes large ones has a share, all of them a
/// bound, and what is no larger than before goes on.
#[test]
fn avl_05_heads_have_a_sum() {
    let mut scene = Scene::new();
    let push = |scene: &Scene, head: &Signed<Head>| {
        block_on(scene.local.push(&scene.access, head, &[])).map(drop)
    };
    let is_refused = |answer: Result<(), StoreError>, why: &str| {
        assert!(matches!(answer, Err(StoreError::Refused(told)) if told == why), "{answer:?}");
    };
    let mut lives: Vec<Author> = Vec::new();
    let refusal = loop {
        let mut life = scene.insider.reborn(&mut scene.seed);
        let head = large(&mut life, 1020);
        match push(&scene, &head) {
            Ok(()) => lives.push(life),
            Err(error) => break Err(error),
        }
    };
    is_refused(refusal, "a device whose heads are too large together");
    assert_eq!(lives.len(), DEVICE_HEADS_BYTES_MAX / 1_041_000);
    push(&scene, &large(&mut lives[0], 1020)).unwrap();
    let grown = large(&mut lives[0], 1090);
    is_refused(push(&scene, &grown), "a device whose heads are too large together");
    let entry = scene.honest.entry(NOTES, vec![1; 60]);
    scene.local.append(&[entry], &large(&mut scene.honest, 500)).unwrap();

    let (mut guest, add) = scene.honest.joiner(&mut scene.seed);
    block_on(scene.local.push(&scene.access, &guest.head(), &[add])).unwrap();
    push(&scene, &large(&mut guest, 200)).unwrap();
    let grown = large(&mut guest, 300);
    is_refused(push(&scene, &grown), "a device whose heads are too large together");

    let connection = Connection::open(scene.folder.path().join("store.db")).unwrap();
    let sql =
        "INSERT INTO heads VALUES (randomblob(16), randomblob(8), 1, x'', zeroblob(3900000), x'')";
    for _ in 0..14 {
        connection.execute(sql, []).unwrap();
    }
    let mut reborn = scene.honest.reborn(&mut scene.seed);
    let head = large(&mut reborn, 1000);
    is_refused(push(&scene, &head), "a head for which the vault's heads leave no room");
    let entry = scene.honest.entry(NOTES, vec![1; 60]);
    scene.local.append(&[entry], &large(&mut scene.honest, 500)).unwrap();
}

/// STO-15: the same for the last head that a revoke names, which comes after newer ones.
#[test]
fn avl_05_last_heads_count_in_the_sum() {
    let mut scene = Scene::new();
    let mut lives = Vec::new();
    for _ in 0..=DEVICE_HEADS_BYTES_MAX / 1_020_500 {
        let mut life = scene.insider.reborn(&mut scene.seed);
        let last = large(&mut life, 1000);
        let beyond = life.head();
        block_on(scene.local.push(&scene.access, &beyond, &[])).unwrap();
        lives.push((last, life.incarnation()));
    }
    let place =
        |(last, life): &(Signed<Head>, _)| (*life, Position { number: 1, hash: last.hash() });
    let mut last: Vec<_> = lives.iter().map(place).collect();
    last.sort_by_key(|(life, _)| *life);
    let revoke = scene.honest.revoke(scene.insider.device(), last);
    scene.local.append(&[revoke], &scene.honest.head()).unwrap();
    let answers =
        lives.iter().map(|(last, _)| block_on(scene.local.push(&scene.access, last, &[])));
    let is_taken: Vec<bool> = answers.map(|answer| answer.is_ok()).collect();
    assert_eq!(is_taken.iter().filter(|is_taken| !**is_taken).count(), 1, "{is_taken:?}");
}

/// STO-15, attacks AVL-04, AVL-05: statements are judged together, so that their bytes have a bound for each device and for
/// all.
#[test]
fn avl_05_statements_have_a_sum() {
    const AUTHORITY: CollectionId = CollectionId::AUTHORITY;
    let mut scene = Scene::new();
    let push = |scene: &mut Scene, author: &mut Author, kib: usize| {
        let entry = author.entry(AUTHORITY, vec![0; kib << 10]);
        let head = author.head();
        block_on(scene.local.push(&scene.access, &head, &[entry])).map(drop)
    };
    let is_refused = |answer: Result<(), StoreError>, why: &str| {
        assert!(matches!(answer, Err(StoreError::Refused(told)) if told == why), "{answer:?}");
    };
    let (mut guest, add) = scene.honest.joiner(&mut scene.seed);
    block_on(scene.local.push(&scene.access, &guest.head(), &[add])).unwrap();
    push(&mut scene, &mut guest, 60).unwrap();
    is_refused(push(&mut scene, &mut guest, 70), "a device that has made too many statements");
    let mut insider = scene.insider.clone();
    push(&mut scene, &mut insider, 15_000).unwrap();
    let mut more = insider.clone();
    is_refused(push(&mut scene, &mut more, 2000), "a device that has made too many statements");
    for _ in 0..3 {
        let (mut other, add) = scene.honest.pair(&mut scene.seed);
        scene.local.append(&[add], &scene.honest.head()).unwrap();
        push(&mut scene, &mut other, 15_900).unwrap();
    }
    let (mut other, add) = scene.honest.pair(&mut scene.seed);
    scene.local.append(&[add], &scene.honest.head()).unwrap();
    is_refused(push(&mut scene, &mut other, 6000), "more statements than a vault may have");
    // What was shown before goes on, and so does whoever writes no statements.
    push(&mut scene, &mut insider, 500).unwrap();
    let entry = scene.honest.entry(NOTES, vec![1; 60]);
    scene.local.append(&[entry], &scene.honest.head()).unwrap();
}

/// STO-1, attack AVL-04: who knows a head is answered without that it is read again; what a check finds rotten since is
/// told all the same.
#[test]
fn avl_04_known_heads_are_not_read_for_every_question() {
    let mut scene = Scene::new();
    let entry = scene.insider.entry(MAIL, vec![6; 60]);
    block_on(scene.local.push(&scene.access, &scene.insider.head(), &[entry])).unwrap();
    let heads = || block_on(BlindStore::heads(&scene.local, &scene.access, &[])).unwrap().news;
    let known: Vec<_> =
        heads().iter().map(|head| (head.device, head.incarnation, head.position)).collect();
    let ask = || block_on(BlindStore::heads(&scene.local, &scene.access, &known)).unwrap();
    assert_eq!((ask().news.len(), ask().absent.len()), (0, 0));
    let connection = Connection::open(scene.folder.path().join("store.db")).unwrap();
    connection.execute("UPDATE heads SET payload = x'a0'", []).unwrap();
    assert_eq!((ask().news.len(), ask().absent.len()), (0, 0));
    assert_eq!(scene.local.verify().unwrap().len(), 2);
    assert_eq!((ask().news.len(), ask().absent.len()), (0, 2));
}
