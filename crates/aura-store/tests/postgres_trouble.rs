// SPDX-License-Identifier: MIT OR Apache-2.0
//! A node's neighbours in trouble: a PostgreSQL that begins anew, a shelf that is away, others who hold a vault.
#![cfg(all(unix, feature = "postgres"))]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic is a failed test")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use aura_protocol::entry::Entry;
use aura_protocol::id::{ChunkName, VaultId};
use aura_protocol::store::{Access, BlindStore, StoreError};
use aura_store::folder::FolderShelf;
use aura_store::portable::{Portable as _, Row};
use aura_store::postgres::{Address, Company, Database, OpenError, PostgresStore};
use aura_store::shelf::{Place, Shelf};
use aura_testkit::author::{Author, chunk};
use aura_testkit::cluster::Cluster;
use aura_testkit::conformance::{MAIL, NOTES};
use aura_testkit::seed::Seed;
use pollster::block_on;
use postgres::{Client, NoTls};
use tempfile::TempDir;

fn node(address: &str, connections: usize) -> Arc<Database> {
    let address = Address::near(address).unwrap();
    Arc::new(Database::open(address, connections, Box::new(|| 1_000)).unwrap())
}

fn beside(address: &str, shelf: Arc<dyn Shelf>) -> Result<Arc<Database>, OpenError> {
    let address = Address::near(address)?;
    Database::open_beside(address, 4, shelf, Box::new(|| 1_000)).map(Arc::new)
}

fn sql(address: &str, sql: &str) -> u64 {
    Client::connect(address, NoTls).unwrap().execute(sql, &[]).unwrap()
}

fn count(address: &str, table: &str) -> i64 {
    let sql = format!("SELECT count(*) FROM {table}");
    Client::connect(address, NoTls).unwrap().query_one(&sql, &[]).unwrap().get(0)
}

/// A founder whose vault is in a database.
struct Scene {
    author: Author,
    access: Access,
    seed: Seed,
    store: PostgresStore,
}

impl Scene {
    fn founded(seed: u64, node: &Arc<Database>) -> Self {
        let mut seed = Seed::new(seed);
        let (mut author, genesis) = Author::founder(&mut seed);
        let (store, access) = (node.vault(author.vault()), Access::Vault(author.vault()));
        block_on(store.push(&access, &author.head(), &[genesis])).unwrap();
        Self { author, access, seed, store }
    }

    /// A chunk that an entry names.
    fn named(&mut self) -> (ChunkName, Vec<u8>) {
        let (sealed, added) = chunk(&mut self.seed, 900);
        let entry = self.author.entry_with(NOTES, vec![1; 60], vec![added.clone()]);
        block_on(self.store.push(&self.access, &self.author.head(), &[entry])).unwrap();
        (added.name, sealed)
    }

    fn put(&self, (name, sealed): &(ChunkName, Vec<u8>)) -> Result<(), StoreError> {
        block_on(self.store.put(&self.access, *name, sealed))
    }

    fn chunk(&self, (name, _): &(ChunkName, Vec<u8>)) -> Result<Vec<u8>, StoreError> {
        block_on(self.store.chunk(&self.access, *name))
    }
}

fn is_unreachable<T: core::fmt::Debug>(answer: &Result<T, StoreError>) {
    assert!(matches!(answer, Err(StoreError::Unreachable(_))), "{answer:?}");
}

fn files(folder: &Path) -> usize {
    fs::read_dir(folder).unwrap().count()
}

/// STO-44, fault F-25: while a shelf is not mounted its chunks are neither read nor lost, and nothing is put where it should be.
#[test]
fn f_25_a_shelf_that_is_away_loses_nothing() {
    let Some(cluster) = Cluster::begin() else { return };
    let (address, folder) = (cluster.fresh(), TempDir::new().unwrap());
    let (at, elsewhere) = (folder.path().join("shelf"), folder.path().join("elsewhere"));
    fs::create_dir(&at).unwrap();
    let open = || beside(&address, Arc::new(FolderShelf::open(&at).unwrap()));
    let database = open().unwrap();
    let mut scene = Scene::founded(1, &database);
    let (kept, other) = (scene.named(), scene.named());
    scene.put(&kept).unwrap();

    fs::rename(&at, &elsewhere).unwrap();
    fs::create_dir(&at).unwrap();
    is_unreachable(&scene.chunk(&kept));
    is_unreachable(&scene.store.sealed(kept.0));
    is_unreachable(&scene.put(&kept));
    is_unreachable(&scene.put(&other));
    assert_eq!((files(&at), count(&address, "chunks"), count(&address, "places")), (0, 1, 1));
    assert_eq!(sql(&address, "UPDATE places SET until_ms = 1"), 1);
    is_unreachable(&database.sweep());
    assert_eq!(count(&address, "places"), 1);
    let Err(OpenError::Shelf { mark }) = open() else { panic!("an empty place is taken") };

    fs::remove_dir(&at).unwrap();
    fs::rename(&elsewhere, &at).unwrap();
    assert_eq!(scene.chunk(&kept).unwrap(), kept.1);
    scene.put(&other).unwrap();
    database.sweep().unwrap();
    assert_eq!(count(&address, "places"), 0);
    open().unwrap();

    // An operator says that it is the place, and what is not there is lost: for who asks for it, not for who moves a vault.
    fs::remove_dir_all(&at).unwrap();
    fs::create_dir_all(at.join(&mark).parent().unwrap()).unwrap();
    fs::write(at.join(&mark), "").unwrap();
    let sealed = scene.store.sealed(kept.0);
    assert!(matches!(sealed, Err(StoreError::Absent)), "{sealed:?}");
    assert_eq!((count(&address, "chunks"), count(&address, "places")), (2, 0));
    let lost = scene.chunk(&kept);
    assert!(matches!(lost, Err(StoreError::Absent)), "{lost:?}");
    assert_eq!((count(&address, "chunks"), count(&address, "places")), (1, 1));
    scene.put(&kept).unwrap();
    assert_eq!(scene.chunk(&kept).unwrap(), kept.1);
}

/// A shelf in memory that refuses whatever it is asked for, or what would change something, if it is to.
#[derive(Clone, Default)]
struct Stubborn(Arc<Mutex<Inside>>);

/// Its objects, and why it refuses what.
type Inside = (BTreeMap<Place, Vec<u8>>, Option<(Asked, fn() -> StoreError)>);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Asked {
    Anything,
    Changes,
}

impl Stubborn {
    fn refuse(&self, what: Option<(Asked, fn() -> StoreError)>) {
        self.0.lock().unwrap().1 = what;
    }

    fn with<T>(
        &self,
        asked: Asked,
        act: impl FnOnce(&mut BTreeMap<Place, Vec<u8>>) -> T,
    ) -> Result<T, StoreError> {
        let mut inner = self.0.lock().unwrap();
        match inner.1 {
            Some((what, why)) if what == Asked::Anything || what == asked => Err(why()),
            _ => Ok(act(&mut inner.0)),
        }
    }
}

impl Shelf for Stubborn {
    fn put(&self, _: VaultId, place: Place, sealed: &[u8]) -> Result<(), StoreError> {
        self.with(Asked::Changes, |objects| drop(objects.insert(place, sealed.to_vec())))
    }

    fn read(&self, _: VaultId, place: Place) -> Result<Option<Vec<u8>>, StoreError> {
        self.with(Asked::Anything, |objects| objects.get(&place).cloned())
    }

    fn remove(&self, _: VaultId, place: Place) -> Result<(), StoreError> {
        self.with(Asked::Changes, |objects| drop(objects.remove(&place)))
    }
}

/// STO-44: what a bucket refuses is no fault of a device, which did nothing that it may not.
#[test]
fn what_a_shelf_refuses_is_no_fault_of_a_device() {
    const REFUSALS: [fn() -> StoreError; 6] = [
        || StoreError::Forbidden,
        || StoreError::Unauthenticated,
        || StoreError::Full,
        || StoreError::Absent,
        || StoreError::Refused("it refuses"),
        || StoreError::Fork,
    ];
    let Some(cluster) = Cluster::begin() else { return };
    let (address, shelf) = (cluster.fresh(), Stubborn::default());
    shelf.refuse(Some((Asked::Anything, REFUSALS[0])));
    let closed = beside(&address, Arc::new(shelf.clone()));
    assert!(matches!(closed, Err(OpenError::Store(StoreError::Unreachable(_)))), "{closed:?}");
    shelf.refuse(None);
    let database = beside(&address, Arc::new(shelf.clone())).unwrap();
    let mut scene = Scene::founded(1, &database);
    let (kept, other) = (scene.named(), scene.named());
    scene.put(&kept).unwrap();
    for why in REFUSALS {
        shelf.refuse(Some((Asked::Changes, why)));
        is_unreachable(&scene.put(&other));
        assert_eq!(sql(&address, "UPDATE places SET until_ms = 0"), 1);
        is_unreachable(&database.sweep());
        assert_eq!(scene.chunk(&kept).unwrap(), kept.1);
        shelf.refuse(Some((Asked::Anything, why)));
        is_unreachable(&scene.put(&other));
        is_unreachable(&scene.chunk(&kept));
        assert_eq!(sql(&address, "DELETE FROM places"), 2);
        // Who begins meanwhile serves what is not on the shelf.
        beside(&address, Arc::new(shelf.clone())).unwrap();
    }
    shelf.refuse(None);
    assert_eq!(scene.chunk(&kept).unwrap(), kept.1);
}

/// What happens while a shelf is asked for something, once.
type Happening = Mutex<Option<Box<dyn FnOnce() + Send>>>;

/// A shelf in memory, while which is asked something may happen.
#[derive(Default)]
struct Slow {
    objects: Mutex<BTreeMap<Place, Vec<u8>>>,
    during_put: Happening,
    during_read: Happening,
}

impl Slow {
    fn happens(happening: &Happening, what: impl FnOnce() + Send + 'static) {
        *happening.lock().unwrap() = Some(Box::new(what));
    }

    fn passes(happening: &Happening) {
        let happens = happening.lock().unwrap().take();
        happens.into_iter().for_each(|happens| happens());
    }
}

impl Shelf for Slow {
    fn put(&self, _: VaultId, place: Place, sealed: &[u8]) -> Result<(), StoreError> {
        Slow::passes(&self.during_put);
        self.objects.lock().unwrap().insert(place, sealed.to_vec());
        Ok(())
    }

    fn read(&self, vault: VaultId, place: Place) -> Result<Option<Vec<u8>>, StoreError> {
        let found = self.objects.lock().unwrap().get(&place).cloned();
        if vault != VaultId([0; 32]) {
            Slow::passes(&self.during_read);
        }
        Ok(found)
    }

    fn remove(&self, _: VaultId, place: Place) -> Result<(), StoreError> {
        self.objects.lock().unwrap().remove(&place);
        Ok(())
    }
}

/// STO-44: a chunk gets its row only if an entry names it still, and nobody is about to sweep its place; a row that is another
/// one by now is not lost.
#[test]
fn what_happens_while_a_chunk_is_on_its_way() {
    let Some(cluster) = Cluster::begin() else { return };
    let (address, shelf) = (cluster.fresh(), Arc::new(Slow::default()));
    let database = beside(&address, Arc::clone(&shelf) as Arc<dyn Shelf>).unwrap();
    let mut scene = Scene::founded(1, &database);
    let (swept, named, kept) = (scene.named(), scene.named(), scene.named());

    let at = address.clone();
    Slow::happens(&shelf.during_put, move || {
        assert_eq!(sql(&at, "UPDATE places SET until_ms = 0"), 1);
    });
    is_unreachable(&scene.put(&swept));
    assert_eq!(count(&address, "chunks"), 0, "its bytes may be gone in a moment");

    let (at, name) = (address.clone(), named.0);
    Slow::happens(&shelf.during_put, move || {
        assert_eq!(sql(&at, &format!("DELETE FROM names WHERE name = '\\x{name}'")), 1);
    });
    let put = scene.put(&named);
    assert!(matches!(put, Err(StoreError::Absent)), "{put:?}");
    assert_eq!(count(&address, "chunks"), 0, "nothing names it");

    // It is lost, and while somebody finds that out, a device brings it again.
    scene.put(&kept).unwrap();
    let lost = "SELECT place FROM chunks";
    let lost = Client::connect(&address, NoTls).unwrap().query_one(lost, &[]).unwrap();
    let place = Place(lost.get::<_, &[u8]>(0).try_into().unwrap());
    assert!(shelf.objects.lock().unwrap().remove(&place).is_some());
    let (again, access, chunk) =
        (database.vault(scene.store.vault()), scene.access.clone(), kept.clone());
    Slow::happens(&shelf.during_read, move || {
        block_on(again.put(&access, chunk.0, &chunk.1)).unwrap();
    });
    let read = scene.chunk(&kept);
    assert!(matches!(read, Err(StoreError::Absent)), "{read:?}");
    assert_eq!(scene.chunk(&kept).unwrap(), kept.1, "it was brought");
}

/// STO-6, STO-25, fault F-08: rows that are whole and stand in another place, or do not link, are not handed on.
#[test]
fn f_08_rows_that_were_moved_are_not_handed_on() {
    let Some(cluster) = Cluster::begin() else { return };
    let address = cluster.fresh();
    let database = node(&address, 4);
    let mut scene = Scene::founded(1, &database);
    let mut fork = scene.author.clone();
    let mine: Vec<_> = (1..=4).map(|body| scene.author.entry(NOTES, vec![body; 60])).collect();
    let mail: Vec<_> = (1..=4).map(|body| scene.author.entry(MAIL, vec![body; 60])).collect();
    let all = [mine.clone(), mail.clone()].concat();
    block_on(scene.store.push(&scene.access, &scene.author.head(), &all)).unwrap();
    fork.entry(NOTES, vec![1; 60]);
    let forked = fork.entry(NOTES, vec![9; 60]);
    let feed = scene.author.feed(NOTES);
    let read = |after| block_on(scene.store.read(&scene.access, feed, after, 9));
    let put = |number: i64, entry: &Entry| {
        let sql = "UPDATE entries SET hash = $1, header = $2, body = $3 WHERE collection = $4 AND number = $5";
        let (hash, header, body) = (&entry.hash().0[..], entry.header_bytes(), entry.body());
        let mut client = Client::connect(&address, NoTls).unwrap();
        let collection = &NOTES.0[..];
        let values: [&(dyn postgres::types::ToSql + Sync); 5] =
            [&hash, &header, &body, &collection, &number];
        assert_eq!(client.execute(sql, &values).unwrap(), 1);
    };
    let is_damaged_at = |after, expected| {
        let answer = read(after);
        let is_it =
            matches!(answer, Err(StoreError::DamagedEntry { number, .. }) if number == expected);
        assert!(is_it, "{answer:?}");
    };
    // Another number of the same feed, and the same number of another.
    for other in [&mine[2], &mail[1]] {
        put(2, other);
        is_damaged_at(1, 2);
        assert_eq!(read(0).unwrap().len(), 1);
    }
    // One that follows, and that the next one does not follow.
    put(2, &forked);
    assert_eq!(read(0).unwrap().len(), 2);
    assert_eq!(read(2).unwrap(), mine[2..]);
    put(2, &mine[1]);
    assert_eq!(read(0).unwrap(), mine);
    assert_eq!(sql(&address, "DELETE FROM entries WHERE number = 3"), 2);
    is_damaged_at(2, 3);
}

/// STO-42, STO-46: whoever reads sees one moment, also where somebody writes meanwhile.
#[test]
fn who_reads_sees_one_moment() {
    let Some(cluster) = Cluster::begin() else { return };
    let address = cluster.fresh();
    let (here, there) = (node(&address, 4), node(&address, 4));
    let mut scene = Scene::founded(1, &here);
    let elsewhere = there.vault(scene.author.vault());
    let (mut held, mut entries) = (0, 0);
    let first = [1, 2].map(|body| scene.author.entry(NOTES, vec![body; 60]));
    block_on(scene.store.push(&scene.access, &scene.author.head(), &first)).unwrap();
    let later = [NOTES, MAIL].map(|of| scene.author.entry(of, vec![3; 60]));
    let head = scene.author.head();
    let mut is_pushed = false;
    let take = &mut |row: Row| {
        match row {
            Row::Feed { held: at, .. } => held += at.number,
            Row::Entry(_) => entries += 1,
            _ => {}
        }
        if !std::mem::replace(&mut is_pushed, true) {
            block_on(elsewhere.push(&scene.access, &head, &later))?;
        }
        Ok(())
    };
    scene.store.each(take).unwrap();
    assert_eq!((held, entries), (3, 3));
}

/// STO-42, fault F-29: who waits to write to a vault takes no connection from others meanwhile.
#[test]
fn f_29_one_vault_does_not_take_every_connection() {
    let Some(cluster) = Cluster::begin() else { return };
    let address = cluster.fresh();
    let database = node(&address, 2);
    let (mut busy, calm) = (Scene::founded(1, &database), Scene::founded(2, &database));
    let mut outside = Client::connect(&address, NoTls).unwrap();
    let mut held = outside.transaction().unwrap();
    let id = &busy.author.vault().0[..];
    held.execute("SELECT id FROM vaults WHERE id = $1 FOR UPDATE", &[&id]).unwrap();
    let entry = busy.author.entry(NOTES, vec![1; 60]);
    let head = busy.author.head();
    thread::scope(|scope| {
        let push = || block_on(busy.store.push(&busy.access, &head, std::slice::from_ref(&entry)));
        let pushes: Vec<_> = (0..4).map(|_| scope.spawn(push)).collect();
        thread::sleep(Duration::from_millis(500));
        let start = Instant::now();
        assert_eq!(block_on(calm.store.heads(&calm.access, &[])).unwrap().news.len(), 1);
        assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
        held.rollback().unwrap();
        for push in pushes {
            assert_eq!(push.join().unwrap().unwrap().missing, []);
        }
    });
}

/// STO-42: who waited for a vault that was removed meanwhile has its row again, and so its lock.
#[test]
fn who_waited_for_a_removed_vault_holds_it() {
    let Some(cluster) = Cluster::begin() else { return };
    let address = cluster.fresh();
    let database = node(&address, 4);
    let mut seed = Seed::new(1);
    let (mut author, genesis) = Author::founder(&mut seed);
    let (store, access) = (database.vault(author.vault()), Access::Vault(author.vault()));
    let mut outside = Client::connect(&address, NoTls).unwrap();
    let id = &author.vault().0[..];
    outside.execute("INSERT INTO vaults (id, authority) VALUES ($1, 1)", &[&id]).unwrap();
    let mut held = outside.transaction().unwrap();
    held.execute("SELECT id FROM vaults WHERE id = $1 FOR UPDATE", &[&id]).unwrap();
    thread::scope(|scope| {
        let head = author.head();
        let push = scope.spawn({
            let (store, access) = (&store, &access);
            move || block_on(store.push(access, &head, &[genesis])).unwrap()
        });
        thread::sleep(Duration::from_millis(500));
        held.execute("DELETE FROM vaults WHERE id = $1", &[&id]).unwrap();
        held.commit().unwrap();
        assert_eq!(push.join().unwrap().missing, []);
    });
    let rows = outside.query("SELECT authority FROM vaults WHERE id = $1", &[&id]).unwrap();
    assert_eq!(rows.len(), 1);
    assert!(rows[0].get::<_, i64>(0) > 1, "its number begins anywhere");
}

/// STO-46, fault F-29: when the database begins anew, whoever serves has their place again with the first request, and who
/// was alone knows that they are not.
#[test]
fn f_29_a_node_keeps_its_place_when_the_database_begins_anew() {
    const ENDS: &str = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'";
    let Some(cluster) = Cluster::begin() else { return };
    let address = cluster.fresh();
    let (database, mover) = (node(&address, 4), node(&address, 4));
    let held = database.hold(Company::Others).unwrap().unwrap();
    let scene = Scene::founded(1, &database);
    let ask = || block_on(scene.store.heads(&scene.access, &[]));
    assert!(mover.hold(Company::Nobody).unwrap().is_none());
    held.check().unwrap();
    sql(&address, ENDS);
    // The one that was at work before is found broken first.
    let again: Vec<_> = (0..2).map(|_| ask().map(drop)).collect();
    assert!(again[1].is_ok(), "{again:?}");
    assert!(held.check().is_err());
    assert!(mover.hold(Company::Nobody).unwrap().is_none(), "somebody serves");

    // Whoever was faster is alone: nobody serves beside them.
    sql(&address, ENDS);
    let alone = mover.hold(Company::Nobody).unwrap().unwrap();
    for _ in 0..3 {
        assert!(ask().is_err());
    }
    alone.check().unwrap();
    drop(alone);
    assert!((0..20).any(|_| {
        thread::sleep(Duration::from_millis(50));
        ask().is_ok()
    }));

    // Who leaves does so with all connections.
    drop(held);
    let alone = (0..20).find_map(|_| {
        thread::sleep(Duration::from_millis(50));
        mover.hold(Company::Nobody).unwrap()
    });
    alone.unwrap().check().unwrap();
    ask().unwrap();
}
