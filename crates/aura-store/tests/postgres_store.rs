// SPDX-License-Identifier: MIT OR Apache-2.0
//! Vaults in a real PostgreSQL: both suites of an active store, and nodes beside each other.
#![cfg(all(unix, feature = "postgres"))]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a panic is a failed test, which says what it was about"
)]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use aura_protocol::entry::{ChunkAdded, Entry};
use aura_protocol::head::Position;
use aura_protocol::id::{ChunkName, CollectionId, VaultId};
use aura_protocol::store::{Access, BlindStore, LocalLog, StoreError};
use aura_store::folder::FolderShelf;
use aura_store::local::LocalStore;
use aura_store::postgres::{Address, Database, OpenError, PostgresStore};
use aura_store::replicate::{Mark, replicate};
use aura_store::shelf::{Place, Shelf};
use aura_testkit::author::{Author, chunk};
use aura_testkit::cluster::{Cluster, tables};
use aura_testkit::conformance::{MAIL, NOTES, active, every, forget, place};
use aura_testkit::seed::Seed;
use pollster::block_on;
use postgres::{Client, NoTls};
use tempfile::TempDir;

fn open(address: &str) -> Result<Database, OpenError> {
    Database::open(Address::near(address)?, 4, Box::new(|| 1_000))
}

fn node(address: &str) -> Arc<Database> {
    Arc::new(open(address).unwrap())
}

fn sql(address: &str, sql: &str) -> u64 {
    Client::connect(address, NoTls).unwrap().execute(sql, &[]).unwrap()
}

macro_rules! suite {
    ($suite:ident: $($case:ident),* $(,)?) => {
        #[test]
        fn $suite() {
            let Some(cluster) = Cluster::begin() else { return };
            let make = |vault: VaultId| -> PostgresStore { node(&cluster.fresh()).vault(vault) };
            $(
                println!("{}", stringify!($case));
                block_on($suite::$case(&make));
            )*
        }
    };
}

mod suites {
    use super::*;

    suite! {
        every:
        an_empty_vault_has_nothing,
        batches_come_back,
        a_head_waits_for_its_entries,
        pushing_again_changes_nothing,
        answers_are_bounded,
        known_heads_are_left_out,
        devices_and_incarnations_stand_apart,
        access_is_kept,
        chunks_come_back,
        a_watch_wakes,
        pushes_at_the_same_time,
        a_bad_line_loses_nothing,
    }

    suite! {
        active:
        a_gap_is_refused,
        a_fork_is_refused,
        a_head_only_goes_forward,
        a_bad_signature_is_refused,
        an_unlisted_device_is_refused,
        a_revoked_device_is_refused,
        entries_of_others_are_refused,
        staged_junk_gives_way,
        pushes_stay_within_the_access,
        chunks_are_checked,
    }

    suite! {
        forget:
        what_is_covered_goes,
        what_proves_nothing_lets_nothing_go,
        whose_word_counts,
        what_is_no_snapshot_lets_nothing_go,
        a_feed_begins_where_a_snapshot_ends,
        a_feed_begins_where_an_earlier_snapshot_ended,
        what_is_covered_is_kept_where_it_is_offered,
        a_feed_goes_on_only_as_it_was,
        what_is_covered_otherwise_stays,
        what_is_only_staged_is_not_covered,
        what_is_there_in_part_lets_nothing_go,
        letting_go_takes_the_whole_vault,
    }
}

/// A founder whose vault is in a database.
struct Scene {
    author: Author,
    access: Access,
    seed: Seed,
}

impl Scene {
    fn founded(store: impl Fn(VaultId) -> PostgresStore) -> (Self, PostgresStore) {
        let mut seed = Seed::new(1);
        let (mut author, genesis) = Author::founder(&mut seed);
        let (store, access) = (store(author.vault()), Access::Vault(author.vault()));
        let head = author.head();
        let receipt = block_on(store.push(&access, &head, &[genesis])).unwrap();
        assert!(receipt.missing.is_empty());
        (Self { author, access, seed }, store)
    }
}

/// STO-42, STO-43: two nodes serve one vault: a push on one wakes who waits on the other, and a revoke on one counts on the
/// other.
#[test]
fn nodes_serve_one_vault_together() {
    let Some(cluster) = Cluster::begin() else { return };
    let address = cluster.fresh();
    let (first, second) = (node(&address), node(&address));
    let (mut scene, here) = Scene::founded(|vault| first.vault(vault));
    let there = second.vault(scene.author.vault());
    let (mut other, add) = scene.author.pair(&mut scene.seed);
    let head = scene.author.head();
    block_on(here.push(&scene.access, &head, &[add])).unwrap();
    let known = [place(&head)];

    // Both nodes have begun to listen by then.
    thread::sleep(Duration::from_secs(2));
    let start = Instant::now();
    let news = thread::scope(|scope| {
        let waiting = scope.spawn(|| block_on(there.watch(&scene.access, &known, 20_000)).unwrap());
        thread::sleep(Duration::from_millis(300));
        let entry = other.entry(NOTES, vec![1; 60]);
        block_on(here.push(&scene.access, &other.head(), &[entry])).unwrap();
        waiting.join().unwrap()
    });
    assert_eq!((news.len(), news[0].device), (1, other.device()));
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());

    // Known to the second node by now.
    there.devices().unwrap();
    let last = (other.incarnation(), news[0].position);
    let revoke = scene.author.revoke(other.device(), vec![last]);
    block_on(here.push(&scene.access, &scene.author.head(), &[revoke])).unwrap();
    let entry = other.entry(NOTES, vec![2; 60]);
    let answer = block_on(there.push(&scene.access, &other.head(), &[entry]));
    assert!(matches!(answer, Err(StoreError::Refused(_))), "{answer:?}");
    assert_eq!(block_on(there.ends(&scene.access)).unwrap().last.len(), 1);
}

/// STO-43, fault F-29: connections that break are made anew: one request fails at most, and who waits is woken again.
#[test]
fn f_29_what_breaks_is_made_anew() {
    let Some(cluster) = Cluster::begin() else { return };
    let address = cluster.fresh();
    let (first, second) = (node(&address), node(&address));
    let (mut scene, here) = Scene::founded(|vault| first.vault(vault));
    let there = second.vault(scene.author.vault());
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| block_on(here.heads(&scene.access, &[])).unwrap());
        }
    });
    let others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'";
    assert!(sql(&address, others) >= 3);
    let fails = (0..8).filter(|_| block_on(here.heads(&scene.access, &[])).is_err()).count();
    assert!(fails <= 1, "{fails} requests failed");
    thread::sleep(Duration::from_secs(3));
    let known = [place(&scene.author.clone().head())];
    let news = thread::scope(|scope| {
        let waiting = scope.spawn(|| block_on(there.watch(&scene.access, &known, 20_000)).unwrap());
        let entry = scene.author.entry(NOTES, vec![1; 60]);
        block_on(here.push(&scene.access, &scene.author.head(), &[entry])).unwrap();
        waiting.join().unwrap()
    });
    assert_eq!(news.len(), 1);
}

/// STO-42: devices that push to one vault over many nodes at once lose nothing, and of two histories of one device one stays.
#[test]
fn pushes_over_many_nodes_come_one_after_the_other() {
    let Some(cluster) = Cluster::begin() else { return };
    let address = cluster.fresh();
    let (mut scene, store) = Scene::founded(|vault| node(&address).vault(vault));
    let mut devices = Vec::new();
    for _ in 0..4 {
        let (device, add) = scene.author.pair(&mut scene.seed);
        block_on(store.push(&scene.access, &scene.author.head(), &[add])).unwrap();
        devices.push(device);
    }
    let clone = devices[0].clone();
    let taken: Vec<usize> = thread::scope(|scope| {
        let run = |(index, mut device): (usize, Author)| {
            let (address, access) = (&address, &scene.access);
            scope.spawn(move || {
                let store = node(address).vault(access.vault());
                let body = vec![u8::try_from(index).unwrap(); 60];
                let mut push = || {
                    let entry = device.entry(MAIL, body.clone());
                    block_on(store.push(access, &device.head(), &[entry])).is_ok()
                };
                (0..20).filter(|_| push()).count()
            })
        };
        let all: Vec<_> = devices.into_iter().chain([clone]).enumerate().map(run).collect();
        all.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(taken[1..4], [20; 3]);
    assert!(taken[0] == 20 && taken[4] == 0 || taken[0] == 0 && taken[4] == 20, "{taken:?}");
    let heads = block_on(store.heads(&scene.access, &[])).unwrap().news;
    let numbers: Vec<u64> = heads.iter().map(|head| head.position.number).collect();
    assert_eq!(numbers.iter().filter(|number| **number == 20).count(), 4, "{numbers:?}");
}

/// STO-25, fault F-08: rows that rotted are named and never handed on; a statement and a head are put right by who pushes.
#[test]
fn f_08_rotten_rows_are_named_and_healed() {
    let Some(cluster) = Cluster::begin() else { return };
    let address = cluster.fresh();
    let (mut scene, store) = Scene::founded(|vault| node(&address).vault(vault));
    let notes: Vec<_> = (0..3).map(|_| scene.author.entry(NOTES, vec![1; 60])).collect();
    let head = scene.author.head();
    block_on(store.push(&scene.access, &head, &notes)).unwrap();
    let folder = TempDir::new().unwrap();
    let local = LocalStore::create(folder.path(), scene.author.vault(), Box::new(|| 0)).unwrap();
    let mark = Mark::new();
    block_on(replicate(&local, &store, &scene.access, &mark));
    let feed = scene.author.feed(NOTES);
    let of = |collection: CollectionId, number: u64| {
        format!("number = {number} AND collection = '\\x{collection}'")
    };
    let rot = "UPDATE entries SET body = '\\x00' WHERE ";
    assert_eq!(sql(&address, &format!("{rot}{}", of(NOTES, 2))), 1);
    assert_eq!(block_on(store.read(&scene.access, feed, 0, 9)).unwrap().len(), 1);
    let read = block_on(store.read(&scene.access, feed, 1, 9));
    assert!(matches!(read, Err(StoreError::DamagedEntry { number: 2, .. })), "{read:?}");
    assert_eq!(block_on(store.read(&scene.access, feed, 2, 9)).unwrap().len(), 1);

    // A head: it is as if it was not there, and comes again.
    assert_eq!(sql(&address, "UPDATE heads SET payload = '\\xa0'"), 1);
    let again = node(&address).vault(scene.author.vault());
    let answer = block_on(again.heads(&scene.access, &[place(&head)])).unwrap();
    assert_eq!((answer.news.len(), answer.absent.len()), (0, 1));
    block_on(again.push(&scene.access, &head, &[])).unwrap();
    assert_eq!(block_on(again.heads(&scene.access, &[])).unwrap().news.len(), 1);

    // A statement: nobody pushes without it, and who has it gives it.
    let genesis = of(CollectionId::AUTHORITY, 1);
    assert_eq!(sql(&address, &format!("{rot}{genesis}")), 1);
    let third = node(&address).vault(scene.author.vault());
    let entry = scene.author.entry(MAIL, vec![3; 60]);
    let head = scene.author.head();
    let answer = block_on(third.push(&scene.access, &head, std::slice::from_ref(&entry)));
    assert!(matches!(answer, Err(StoreError::DamagedEntry { number: 1, .. })), "{answer:?}");
    block_on(local.push(&scene.access, &head, &[entry])).unwrap();
    let done = block_on(replicate(&local, &third, &scene.access, &mark));
    assert!(done.stopped.is_none(), "{done:?}");
    assert_eq!(done.pushed.heads, 1, "{done:?}");
    let authority = scene.author.feed(CollectionId::AUTHORITY);
    assert_eq!(block_on(third.read(&scene.access, authority, 0, 1)).unwrap().len(), 1);
}

/// STO-13, STO-15: a feed of statements that is only staged is nothing that a vault has: otherwise one insider could make
/// more of them than a list of devices may name.
#[test]
fn avl_05_what_is_only_staged_is_no_authority_feed() {
    let Some(cluster) = Cluster::begin() else { return };
    let (mut scene, store) = Scene::founded(|vault| node(&cluster.fresh()).vault(vault));
    let folder = TempDir::new().unwrap();
    let local = LocalStore::create(folder.path(), scene.author.vault(), Box::new(|| 0)).unwrap();
    block_on(replicate(&local, &store, &scene.access, &Mark::new()));
    let mut life = scene.author.reborn(&mut scene.seed);
    let entries = [life.entry(CollectionId::AUTHORITY, vec![]), life.entry(NOTES, vec![1; 60])];
    let head = life.head();
    for store in [&store as &dyn BlindStore, &local] {
        let receipt = block_on(store.push(&scene.access, &head, &entries[..1])).unwrap();
        assert_eq!(receipt.missing.len(), 1);
    }
    let feeds = store.authority_feeds().unwrap();
    assert_eq!((feeds.len(), feeds), (1, LocalLog::feeds(&local).unwrap()));
}

/// A shelf in memory, on which something may happen while bytes are on their way to it.
#[derive(Default)]
struct Contested {
    /// What is no vault's.
    marks: Mutex<BTreeMap<Place, Vec<u8>>>,
    objects: Mutex<BTreeMap<Place, Vec<u8>>>,
    meanwhile: Mutex<Option<Box<dyn FnOnce() + Send>>>,
}

impl Contested {
    fn of(&self, vault: VaultId) -> &Mutex<BTreeMap<Place, Vec<u8>>> {
        if vault == VaultId([0; 32]) { &self.marks } else { &self.objects }
    }
}

impl Shelf for Contested {
    fn put(&self, vault: VaultId, place: Place, sealed: &[u8]) -> Result<(), StoreError> {
        let meanwhile = self.meanwhile.lock().unwrap().take();
        meanwhile.into_iter().for_each(|happens| happens());
        assert!(self.of(vault).lock().unwrap().insert(place, sealed.to_vec()).is_none());
        Ok(())
    }

    fn read(&self, vault: VaultId, place: Place) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.of(vault).lock().unwrap().get(&place).cloned())
    }

    fn remove(&self, _: VaultId, place: Place) -> Result<(), StoreError> {
        self.objects.lock().unwrap().remove(&place);
        Ok(())
    }
}

/// Two entries that claim one chunk's name for different bytes.
fn contested(scene: &mut Scene) -> (ChunkName, [Vec<u8>; 2], [Entry; 2]) {
    let (one, added) = chunk(&mut scene.seed, 900);
    let (two, other) = chunk(&mut scene.seed, 900);
    let claim = ChunkAdded { name: added.name, ..other };
    let name = added.name;
    let entries =
        [added, claim].map(|added| scene.author.entry_with(MAIL, vec![1; 60], vec![added]));
    (name, [one, two], entries)
}

/// STO-10, STO-44, attack INT-09, fault F-25: a chunk whose name two devices claim stays as the first to bring one brought it,
/// also when both come at once, on nodes of their own; rotten bytes are in nobody's way, what is lost is not said to be
/// there, and what was brought for nothing goes.
#[test]
fn int_09_chunks_that_come_at_once_do_not_replace_each_other() {
    let Some(cluster) = Cluster::begin() else { return };
    let (shelf, address) = (Arc::new(Contested::default()), cluster.fresh());
    let beside = || {
        let shelf = Arc::clone(&shelf) as Arc<dyn Shelf>;
        let address = Address::near(&address).unwrap();
        Arc::new(Database::open_beside(address, 4, shelf, Box::new(|| 1_000)).unwrap())
    };
    let (here, there) = (beside(), beside());
    let (mut scene, store) = Scene::founded(|vault| here.vault(vault));
    let (name, [one, two], entries) = contested(&mut scene);
    block_on(store.push(&scene.access, &scene.author.head(), &entries)).unwrap();

    let (elsewhere, access, faster) =
        (there.vault(store.vault()), scene.access.clone(), two.clone());
    let happens = move || block_on(elsewhere.put(&access, name, &faster)).unwrap();
    *shelf.meanwhile.lock().unwrap() = Some(Box::new(happens));
    let put = block_on(store.put(&scene.access, name, &one));
    assert!(matches!(put, Err(StoreError::Fork)), "{put:?}");
    assert_eq!(block_on(store.chunk(&scene.access, name)).unwrap(), two);
    assert_eq!(shelf.objects.lock().unwrap().len(), 1);
    assert_eq!(sql(&address, "DELETE FROM places"), 0);

    // What rotted is written anew, by whoever has bytes that some entry names.
    shelf.objects.lock().unwrap().values_mut().for_each(|sealed| sealed[7] ^= 1);
    let rotten = block_on(store.chunk(&scene.access, name));
    assert!(matches!(rotten, Err(StoreError::Damaged(_))), "{rotten:?}");
    block_on(store.put(&scene.access, name, &one)).unwrap();
    assert_eq!(block_on(store.chunk(&scene.access, name)).unwrap(), one);
    assert_eq!(shelf.objects.lock().unwrap().len(), 1);

    // What is lost is not said to be there.
    shelf.objects.lock().unwrap().clear();
    assert!(matches!(block_on(store.chunk(&scene.access, name)), Err(StoreError::Absent)));
    assert_eq!(block_on(store.has(&scene.access, &[name])).unwrap(), [false]);
    block_on(store.put(&scene.access, name, &two)).unwrap();
    assert_eq!(block_on(store.has(&scene.access, &[name])).unwrap(), [true]);

    // The table does the same.
    let node = node(&cluster.fresh());
    let (mut scene, store) = Scene::founded(|vault| node.vault(vault));
    let (name, [one, two], entries) = contested(&mut scene);
    block_on(store.push(&scene.access, &scene.author.head(), &entries)).unwrap();
    block_on(store.put(&scene.access, name, &one)).unwrap();
    let put = block_on(store.put(&scene.access, name, &two));
    assert!(matches!(put, Err(StoreError::Fork)), "{put:?}");
    assert_eq!(block_on(store.chunk(&scene.access, name)).unwrap(), one);
}

/// STO-44, fault F-12: what was cut short on its way to the shelf is swept when its time is over, and never gets a row
/// then; a vault that is removed leaves nothing.
#[test]
fn left_overs_are_swept() {
    let Some(cluster) = Cluster::begin() else { return };
    let (shelf, address, folder) =
        (Arc::new(Contested::default()), cluster.fresh(), TempDir::new().unwrap());
    let open = |shelf: Arc<dyn Shelf>| {
        let address = Address::near(&address).unwrap();
        Arc::new(Database::open_beside(address, 4, shelf, Box::new(|| i64::MAX)).unwrap())
    };
    let database = open(Arc::clone(&shelf) as Arc<dyn Shelf>);
    let (mut scene, store) = Scene::founded(|vault| database.vault(vault));
    let (name, [one, _], entries) = contested(&mut scene);
    block_on(store.push(&scene.access, &scene.author.head(), &entries)).unwrap();

    // An hour passes while it is on its way, and somebody sweeps.
    let (sweeper, passing) = (Arc::clone(&database), address.clone());
    *shelf.meanwhile.lock().unwrap() = Some(Box::new(move || {
        assert_eq!(sweeper.sweep().unwrap(), 0);
        let hour = "UPDATE places SET until_ms = until_ms - 3600000 WHERE until_ms > 3600000";
        assert_eq!(sql(&passing, hour), 1);
        assert_eq!(sweeper.sweep().unwrap(), 1);
    }));
    let late = block_on(store.put(&scene.access, name, &one));
    assert!(matches!(late, Err(StoreError::Unreachable(_))), "{late:?}");
    assert_eq!(block_on(store.has(&scene.access, &[name])).unwrap(), [false]);

    // In files, as operators have it.
    let address = cluster.fresh();
    let beside = Address::near(&address).unwrap();
    let shelf = Arc::new(FolderShelf::open(folder.path()).unwrap());
    let files = Database::open_beside(beside, 4, shelf, Box::new(|| 1_000)).unwrap();
    let files = Arc::new(files);
    let (mut scene, store) = Scene::founded(|vault| files.vault(vault));
    let (name, [one, _], entries) = contested(&mut scene);
    block_on(store.push(&scene.access, &scene.author.head(), &entries)).unwrap();
    block_on(store.put(&scene.access, name, &one)).unwrap();
    assert_eq!(block_on(store.chunk(&scene.access, name)).unwrap(), one);
    let vault = folder.path().join(store.vault().to_string());
    let count = || std::fs::read_dir(&vault).unwrap().count();
    assert_eq!(count(), 1);
    assert!(store.cost_bytes().unwrap() > 4096 + 512);
    files.remove(store.vault()).unwrap();
    assert_eq!((count(), store.cost_bytes().unwrap()), (0, 0));
    let (all, _) = tables(&address);
    assert!(!all.windows(32).any(|window| window == store.vault().0), "nothing of it is left");
}

/// STO-41: tables of the first version are brought to this one with what they hold.
#[test]
fn f_26_tables_of_the_first_version_are_brought_up() {
    const FIRST: &str = "ALTER TABLE feeds DROP COLUMN floor, DROP COLUMN floor_hash;
        ALTER TABLE chunks DROP COLUMN hash, DROP COLUMN size_bytes, DROP COLUMN place;
        ALTER TABLE chunks ALTER COLUMN sealed SET NOT NULL;
        DROP TABLE places; DROP TABLE shelves; UPDATE aura_tables SET version = 1";
    let Some(cluster) = Cluster::begin() else { return };
    let address = cluster.fresh();
    let (mut scene, store) = Scene::founded(|vault| node(&address).vault(vault));
    let (name, [one, _], entries) = contested(&mut scene);
    block_on(store.push(&scene.access, &scene.author.head(), &entries)).unwrap();
    block_on(store.put(&scene.access, name, &one)).unwrap();
    drop(store);
    Client::connect(&address, NoTls).unwrap().batch_execute(FIRST).unwrap();
    let store = node(&address).vault(scene.author.vault());
    assert_eq!(block_on(store.chunk(&scene.access, name)).unwrap(), one);
    assert_eq!(block_on(store.has(&scene.access, &[name])).unwrap(), [true]);
    let feed = scene.author.feed(MAIL);
    assert_eq!(block_on(store.read(&scene.access, feed, 0, 9)).unwrap(), entries);
    let more = scene.author.entry(MAIL, vec![1; 60]);
    block_on(store.push(&scene.access, &scene.author.head(), &[more])).unwrap();
}

/// STO-12, STO-40: vaults in one database know nothing of each other.
#[test]
fn vaults_share_nothing() {
    let Some(cluster) = Cluster::begin() else { return };
    let node = node(&cluster.fresh());
    let (mut scene, store) = Scene::founded(|vault| node.vault(vault));
    let stranger = node.vault(VaultId([9; 32]));
    let access = Access::Vault(VaultId([9; 32]));
    assert!(block_on(stranger.heads(&access, &[])).unwrap().news.is_empty());
    let feed = scene.author.feed(CollectionId::AUTHORITY);
    let read = block_on(stranger.read(&access, feed, 0, 9));
    assert!(matches!(read, Err(StoreError::Absent)), "{read:?}");
    let entry = scene.author.entry(NOTES, vec![1; 60]);
    let answer = block_on(stranger.push(&access, &scene.author.head(), &[entry]));
    assert!(matches!(answer, Err(StoreError::Refused(_))), "{answer:?}");
    assert_eq!(block_on(store.heads(&scene.access, &[])).unwrap().news.len(), 1);
    let place = (scene.author.device(), scene.author.incarnation());
    let none = block_on(stranger.head(&access, place, Position::NONE));
    assert!(matches!(none, Err(StoreError::Absent)), "{none:?}");
}

/// STO-41, fault F-26: many nodes may begin at once; tables of a newer version are refused and left as they are.
#[test]
fn f_26_tables_of_a_newer_version_are_refused() {
    let Some(cluster) = Cluster::begin() else { return };
    let address = cluster.fresh();
    thread::scope(|scope| {
        (0..6).for_each(|_| drop(scope.spawn(|| node(&address))));
    });
    assert_eq!(sql(&address, "UPDATE aura_tables SET version = 4"), 1);
    let newer = open(&address).unwrap_err();
    assert!(matches!(newer, OpenError::Newer { found: 4, known: 3 }), "{newer:?}");
    assert_eq!(sql(&address, "UPDATE aura_tables SET version = 4 WHERE version = 4"), 1);
}

/// STO-41: what cannot be reached or would go over an open network is refused by name.
#[test]
fn addresses_are_looked_at_first() {
    let open = |address: &str| open(address).unwrap_err();
    assert!(matches!(open("no address"), OpenError::Address));
    for remote in ["host=db.example user=a", "host=localhost hostaddr=192.0.2.1 user=a"] {
        assert!(matches!(open(remote), OpenError::Remote), "{remote}");
    }
    let nobody = open("host=/nowhere/at/all user=a");
    assert!(matches!(nobody, OpenError::Store(StoreError::Unreachable(_))), "{nobody:?}");
    assert!(!format!("{:?}", open("host=db.example password=hunter2")).contains("hunter2"));
}

/// STO-41: a database on another machine is reached over TLS, by its name and the operator's authority, or not
/// at all.
#[test]
fn a_database_elsewhere_is_reached_over_tls() {
    let names = vec!["localhost".to_owned()];
    let own = rcgen::generate_simple_self_signed(names.clone()).unwrap();
    let other = rcgen::generate_simple_self_signed(names).unwrap();
    let (certificate, key) = (own.cert.pem(), own.signing_key.serialize_pem());
    let Some(cluster) = Cluster::begin_with_tls(&certificate, &key) else { return };
    let at = |host: &str, authority: &str| {
        let port = cluster.port();
        let address =
            format!("host={host} hostaddr=127.0.0.1 port={port} user=aura dbname=postgres");
        let address = Address::over_tls(&address, authority.as_bytes())?;
        Database::open(address, 4, Box::new(|| 1_000))
    };
    let database = Arc::new(at("localhost", &certificate).unwrap());
    Scene::founded(|vault| database.vault(vault));
    let plain = sql(
        &cluster.fresh(),
        "SELECT 1 FROM pg_stat_ssl AS s JOIN pg_stat_activity AS a
        ON a.pid = s.pid WHERE a.client_addr IS NOT NULL AND NOT s.ssl",
    );
    assert_eq!(plain, 0, "no connection over the network is without it");

    let is_unreachable = |opened: Result<Database, OpenError>| {
        assert!(matches!(opened, Err(OpenError::Store(StoreError::Unreachable(_)))), "{opened:?}");
    };
    is_unreachable(at("localhost", &other.cert.pem()));
    is_unreachable(at("db.example", &certificate));
    for nothing in ["", "no certificate"] {
        let opened = at("localhost", nothing);
        assert!(matches!(opened, Err(OpenError::Authority)), "{opened:?}");
    }
    let address = cluster.fresh();
    sql(&address, "ALTER SYSTEM SET ssl = off");
    sql(&address, "SELECT pg_reload_conf()");
    thread::sleep(Duration::from_secs(1));
    is_unreachable(at("localhost", &certificate));
}
