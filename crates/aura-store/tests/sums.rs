// SPDX-License-Identifier: MIT OR Apache-2.0
//! What everybody must read together has a bound together: incarnations, heads and statements. Cases carry the ids of the
//! attacks.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic is a failed test")]

#[cfg(unix)]
use std::sync::Arc;

use aura_protocol::entry::Entry;
use aura_protocol::head::{Head, Position};
use aura_protocol::id::{CollectionId, VaultId};
use aura_protocol::limits::{
    DEVICE_HEADS_BYTES_MAX, INCARNATIONS_MAX, LIVES_MAX, WAITING_INCARNATIONS_MAX,
};
use aura_protocol::signed::Signed;
use aura_protocol::store::{Access, BlindStore, Receipt, StoreError, StoredHead};
use aura_store::local::LocalStore;
#[cfg(unix)]
use aura_store::postgres::{Address, Database};
use aura_testkit::author::Author;
#[cfg(unix)]
use aura_testkit::cluster::Cluster;
use aura_testkit::conformance::{MAIL, NOTES};
use aura_testkit::seed::Seed;
use pollster::block_on;
#[cfg(unix)]
use postgres::{Client, NoTls};
use rusqlite::Connection;
use tempfile::TempDir;

/// An honest device, a hostile one that the vault lists, and an active store.
struct Scene {
    seed: Seed,
    access: Access,
    honest: Author,
    insider: Author,
    store: Box<dyn BlindStore>,
    /// Puts in so many heads of others, of so many bytes.
    crowd: Box<dyn Fn(usize, usize)>,
}

/// In each engine: what it adds up is its own.
fn in_every_engine(test: impl Fn(Scene)) {
    let folder = TempDir::new().unwrap();
    test(Scene::new(|vault| {
        let store = LocalStore::create(folder.path(), vault, Box::new(|| 0)).unwrap();
        let path = folder.path().join("store.db");
        let crowd = move |count: usize, bytes: usize| {
            let sql = "INSERT INTO heads
                VALUES (randomblob(16), randomblob(8), 1, x'', zeroblob(?1), x'')";
            let connection = Connection::open(&path).unwrap();
            let bytes = i64::try_from(bytes).unwrap();
            for _ in 0..count {
                connection.execute(sql, [bytes]).unwrap();
            }
        };
        (Box::new(store), Box::new(crowd))
    }));
    #[cfg(unix)]
    {
        let Some(cluster) = Cluster::begin() else { return };
        let address = cluster.fresh();
        test(Scene::new(|vault| {
            let near = Address::near(&address).unwrap();
            let database = Arc::new(Database::open(near, 4, Box::new(|| 0)).unwrap());
            let crowd = move |count: usize, bytes: usize| {
                let sql = "INSERT INTO heads (vault, device, incarnation, number, hash, payload, signature)
                    SELECT $1, uuid_send(gen_random_uuid()), substr(uuid_send(gen_random_uuid()), 1, 8),
                        1, '', $2, '' FROM generate_series(1, $3::bigint)";
                let mut client = Client::connect(&address, NoTls).unwrap();
                let (count, payload) = (i64::try_from(count).unwrap(), vec![0_u8; bytes]);
                client.execute(sql, &[&&vault.0[..], &payload, &count]).unwrap();
            };
            (Box::new(database.vault(vault)), Box::new(crowd))
        }));
    }
}

type Engine = (Box<dyn BlindStore>, Box<dyn Fn(usize, usize)>);

impl Scene {
    fn new(make: impl FnOnce(VaultId) -> Engine) -> Self {
        let mut seed = Seed::new(1);
        let (mut honest, genesis) = Author::founder(&mut seed);
        let (insider, add) = honest.pair(&mut seed);
        let (store, crowd) = make(honest.vault());
        let access = Access::Vault(honest.vault());
        let head = honest.head();
        let scene = Self { seed, access, honest, insider, store, crowd };
        scene.takes(&head, &[genesis, add]);
        scene
    }

    fn push(&self, head: &Signed<Head>, entries: &[Entry]) -> Result<Receipt, StoreError> {
        block_on(self.store.push(&self.access, head, entries))
    }

    #[track_caller]
    fn takes(&self, head: &Signed<Head>, entries: &[Entry]) {
        assert_eq!(self.push(head, entries).unwrap().missing, []);
    }

    /// The honest device lists something.
    fn lists(&mut self, add: Entry) {
        let head = self.honest.head();
        self.takes(&head, &[add]);
    }

    fn heads(&self) -> Vec<StoredHead> {
        block_on(self.store.heads(&self.access, &[])).unwrap().news
    }
}

#[track_caller]
fn is_refused<T: core::fmt::Debug>(answer: &Result<T, StoreError>, why: &str) {
    assert!(matches!(answer, Err(StoreError::Refused(told)) if *told == why), "{answer:?}");
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

/// STO-13, attacks AVL-04, AVL-05: a device that begins endless incarnations is refused at a bound, by name; what it has
/// begun goes on, and every other device may begin anew.
#[test]
fn avl_05_endless_incarnations_are_refused_at_a_bound() {
    in_every_engine(|mut scene| {
        let mut lives = Vec::new();
        for count in 0..INCARNATIONS_MAX + 3 {
            let mut life = scene.insider.reborn(&mut scene.seed);
            let entries = [life.entry(MAIL, vec![6; 60]), life.entry(MAIL, vec![7; 60])];
            // One of them is staged and never complete.
            let upto = if count == 5 { 1 } else { 2 };
            let answer = scene.push(&life.head(), &entries[..upto]);
            if lives.len() < INCARNATIONS_MAX {
                assert_eq!(answer.unwrap().missing.len(), 2 - upto);
                lives.push(life);
            } else {
                is_refused(&answer, "a device that has begun too many incarnations");
            }
        }
        assert_eq!(
            scene.heads().len(),
            INCARNATIONS_MAX,
            "the honest device's, and the other's but for the staged one"
        );
        let life = &mut lives[0];
        let entry = life.entry(MAIL, vec![7; 60]);
        scene.takes(&life.head(), &[entry]);
        let mut reborn = scene.honest.reborn(&mut scene.seed);
        let entry = reborn.entry(NOTES, vec![1; 60]);
        scene.heads().iter().for_each(|stored| reborn.see(&stored.head));
        let head = reborn.head();
        head.claim().unwrap();
        scene.takes(&head, &[entry]);
    });
}

/// STO-13, attack AVL-05: whoever stole a password lists devices that wait, and none of them takes the room of others.
#[test]
fn avl_05_a_waiting_device_begins_few_incarnations() {
    in_every_engine(|mut scene| {
        let (mut guest, add) = scene.honest.joiner(&mut scene.seed);
        scene.takes(&guest.head(), &[add]);
        for count in 1..WAITING_INCARNATIONS_MAX + 2 {
            let mut life = guest.reborn(&mut scene.seed);
            let entry = life.entry(MAIL, vec![6; 60]);
            let answer = scene.push(&life.head(), &[entry]);
            assert_eq!(answer.is_ok(), count < WAITING_INCARNATIONS_MAX, "{answer:?}");
        }
    });
}

/// STO-13, attack AVL-05: there are never more incarnations than a head can name; those that are there go on.
#[test]
fn avl_05_all_incarnations_together_have_a_bound() {
    in_every_engine(|mut scene| {
        scene.takes(&scene.insider.clone().head(), &[]);
        scene.insider.head();
        (scene.crowd)(LIVES_MAX - 2, 0);
        let mut reborn = scene.insider.reborn(&mut scene.seed);
        let answer = scene.push(&reborn.head(), &[]);
        is_refused(&answer, "more incarnations than a vault may have");
        let entry = scene.insider.entry(MAIL, vec![6; 60]);
        scene.takes(&scene.insider.clone().head(), &[entry]);
        let entry = scene.honest.entry(NOTES, vec![1; 60]);
        scene.lists(entry);
    });
}

/// STO-15, attacks AVL-04, AVL-05: heads are answered together; a device that makes large ones has a share, all of them a
/// bound, and what is no larger than before goes on.
#[test]
fn avl_05_heads_have_a_sum() {
    in_every_engine(|mut scene| {
        let mut lives: Vec<Author> = Vec::new();
        let refusal = loop {
            let mut life = scene.insider.reborn(&mut scene.seed);
            let head = large(&mut life, 1020);
            match scene.push(&head, &[]) {
                Ok(_) => lives.push(life),
                Err(error) => break Err::<(), _>(error),
            }
        };
        is_refused(&refusal, "a device whose heads are too large together");
        assert_eq!(lives.len(), DEVICE_HEADS_BYTES_MAX / 1_041_000);
        scene.takes(&large(&mut lives[0], 1020), &[]);
        let grown = large(&mut lives[0], 1090);
        is_refused(&scene.push(&grown, &[]), "a device whose heads are too large together");
        let entry = scene.honest.entry(NOTES, vec![1; 60]);
        let head = large(&mut scene.honest, 500);
        scene.takes(&head, &[entry]);

        let (mut guest, add) = scene.honest.joiner(&mut scene.seed);
        scene.takes(&guest.head(), &[add]);
        scene.takes(&large(&mut guest, 200), &[]);
        let grown = large(&mut guest, 300);
        is_refused(&scene.push(&grown, &[]), "a device whose heads are too large together");

        (scene.crowd)(14, 3_900_000);
        let mut reborn = scene.honest.reborn(&mut scene.seed);
        let head = large(&mut reborn, 1000);
        let why = "a head for which the vault's heads leave no room";
        is_refused(&scene.push(&head, &[]), why);
        let entry = scene.honest.entry(NOTES, vec![1; 60]);
        let head = large(&mut scene.honest, 500);
        scene.takes(&head, &[entry]);
    });
}

/// STO-15: the same for the last head that a revoke names, which comes after newer ones.
#[test]
fn avl_05_last_heads_count_in_the_sum() {
    in_every_engine(|mut scene| {
        let mut lives = Vec::new();
        for _ in 0..=DEVICE_HEADS_BYTES_MAX / 1_020_500 {
            let mut life = scene.insider.reborn(&mut scene.seed);
            let last = large(&mut life, 1000);
            scene.takes(&life.head(), &[]);
            lives.push((last, life.incarnation()));
        }
        let place =
            |(last, life): &(Signed<Head>, _)| (*life, Position { number: 1, hash: last.hash() });
        let mut last: Vec<_> = lives.iter().map(place).collect();
        last.sort_by_key(|(life, _)| *life);
        let revoke = scene.honest.revoke(scene.insider.device(), last);
        scene.lists(revoke);
        let answers = lives.iter().map(|(last, _)| scene.push(last, &[]));
        let is_taken: Vec<bool> = answers.map(|answer| answer.is_ok()).collect();
        assert_eq!(is_taken.iter().filter(|is_taken| !**is_taken).count(), 1, "{is_taken:?}");
    });
}

/// STO-15, attacks AVL-04, AVL-05: statements are judged together, so that their bytes have a bound for each device and for
/// all.
#[test]
fn avl_05_statements_have_a_sum() {
    in_every_engine(|mut scene| {
        let push = |scene: &Scene, author: &mut Author, kib: usize| {
            let entry = author.entry(CollectionId::AUTHORITY, vec![0; kib << 10]);
            scene.push(&author.head(), &[entry])
        };
        let (mut guest, add) = scene.honest.joiner(&mut scene.seed);
        scene.takes(&guest.head(), &[add]);
        push(&scene, &mut guest, 60).unwrap();
        let too_many = "a device that has made too many statements";
        is_refused(&push(&scene, &mut guest, 70), too_many);
        let mut insider = scene.insider.clone();
        push(&scene, &mut insider, 15_000).unwrap();
        let mut more = insider.clone();
        is_refused(&push(&scene, &mut more, 2000), too_many);
        for _ in 0..3 {
            let (mut other, add) = scene.honest.pair(&mut scene.seed);
            scene.lists(add);
            push(&scene, &mut other, 15_900).unwrap();
        }
        let (mut other, add) = scene.honest.pair(&mut scene.seed);
        scene.lists(add);
        is_refused(&push(&scene, &mut other, 6000), "more statements than a vault may have");
        // What was shown before goes on, and so does whoever writes no statements.
        push(&scene, &mut insider, 500).unwrap();
        let entry = scene.honest.entry(NOTES, vec![1; 60]);
        scene.lists(entry);
    });
}

/// STO-1, attack AVL-04: who knows a head is answered without that it is read again; what a check finds rotten since is
/// told all the same.
#[test]
fn avl_04_known_heads_are_not_read_for_every_question() {
    let (mut seed, folder) = (Seed::new(1), TempDir::new().unwrap());
    let (mut honest, genesis) = Author::founder(&mut seed);
    let (mut insider, add) = honest.pair(&mut seed);
    let local = LocalStore::create(folder.path(), honest.vault(), Box::new(|| 0)).unwrap();
    let access = Access::Vault(honest.vault());
    block_on(local.push(&access, &honest.head(), &[genesis, add])).unwrap();
    let entry = insider.entry(MAIL, vec![6; 60]);
    block_on(local.push(&access, &insider.head(), &[entry])).unwrap();
    let heads = || block_on(BlindStore::heads(&local, &access, &[])).unwrap().news;
    let known: Vec<_> =
        heads().iter().map(|head| (head.device, head.incarnation, head.position)).collect();
    let ask = || block_on(BlindStore::heads(&local, &access, &known)).unwrap();
    assert_eq!((ask().news.len(), ask().absent.len()), (0, 0));
    let connection = Connection::open(folder.path().join("store.db")).unwrap();
    connection.execute("UPDATE heads SET payload = x'a0'", []).unwrap();
    assert_eq!((ask().news.len(), ask().absent.len()), (0, 0));
    assert_eq!(local.verify().unwrap().len(), 2);
    assert_eq!((ask().news.len(), ask().absent.len()), (0, 2));
}
