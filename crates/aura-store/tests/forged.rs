// SPDX-License-Identifier: MIT OR Apache-2.0
//! Heads that nobody signed: whoever can write into a folder, or runs a server, makes them up, and neither hides a
//! device's changes by that nor keeps them from arriving. Cases carry the ids of the attacks.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic is a failed test")]

use std::sync::Mutex;

use async_trait::async_trait;
use aura_protocol::codec::Encode as _;
use aura_protocol::entry::Entry;
use aura_protocol::head::{Head, Position};
use aura_protocol::id::{ChunkName, DeviceId, FeedId, Hash, Incarnation};
use aura_protocol::signed::Signed;
use aura_protocol::store::{Access, BlindStore, Heads, LocalLog, Receipt, StoreError, StoredHead};
use aura_store::folder::FolderStore;
use aura_store::local::LocalStore;
use aura_store::replicate::{Finding, Mark, Replicated, replicate};
use aura_testkit::author::Author;
use aura_testkit::conformance::{NOTES, place};
use aura_testkit::seed::Seed;
use pollster::block_on;
use tempfile::TempDir;

type Known = [(DeviceId, Incarnation, Position)];

/// A laptop and a phone, each with a store of its own, and a stranger.
struct Scene {
    access: Access,
    laptop: Author,
    phone: Author,
    stranger: Author,
    stores: [LocalStore; 2],
    folder: TempDir,
}

impl Scene {
    fn new() -> Self {
        let mut seed = Seed::new(11);
        let (mut laptop, genesis) = Author::founder(&mut seed);
        let (phone, add) = laptop.pair(&mut seed);
        let stranger = Author::stranger(&mut seed, laptop.vault());
        let folder = TempDir::new().unwrap();
        let store = |name: &str| {
            let path = folder.path().join(name);
            LocalStore::create(&path, laptop.vault(), Box::new(|| 0)).unwrap()
        };
        let stores = [store("laptop"), store("phone")];
        let access = Access::Vault(laptop.vault());
        let head = laptop.head();
        for store in &stores {
            let receipt = block_on(store.push(&access, &head, &[genesis.clone(), add.clone()]));
            assert!(receipt.unwrap().missing.is_empty());
        }
        let mut scene = Self { access, laptop, phone, stranger, stores, folder };
        scene.writes(0);
        scene.writes(1);
        scene
    }

    /// One of them writes a note.
    fn writes(&mut self, at: usize) {
        let author = if at == 0 { &mut self.laptop } else { &mut self.phone };
        let entry = author.entry(NOTES, vec![7; 60]);
        let receipt = block_on(self.stores[at].push(&self.access, &author.head(), &[entry]));
        assert!(receipt.unwrap().missing.is_empty());
    }

    fn passive(&self) -> FolderStore {
        let path = self.folder.path().join("shared");
        std::fs::create_dir_all(&path).unwrap();
        FolderStore::open(&path, Box::new(|| 0)).unwrap()
    }

    /// A head in a device's name that says what it likes, by a stranger.
    fn made_up(&self, of: &Author, feeds: &[u64]) -> Signed<Head> {
        let head = of.clone().head().claim().unwrap();
        let high = |upto: &u64| (NOTES, Position { number: *upto, hash: Hash([9; 32]) });
        let feeds = feeds.iter().map(high).collect();
        self.stranger.sign(&Head { number: 1 << 62, feeds, seen: Vec::new(), ..head })
    }

    fn plant(&self, head: &Signed<Head>) {
        let (device, incarnation, at) = place(head);
        let folder = self.folder.path().join("shared").join(self.laptop.vault().to_string());
        let folder = folder.join(format!("heads/{device}/{incarnation}"));
        std::fs::create_dir_all(&folder).unwrap();
        let name = format!("{:016x}-{}", at.number, at.hash);
        std::fs::write(folder.join(name), head.to_bytes()).unwrap();
    }

    fn sync(&self, at: usize, remote: &dyn BlindStore, mark: &mut Mark) -> Replicated {
        let mut done = block_on(replicate(&self.stores[at], remote, &self.access, mark));
        assert!(done.stopped.is_none(), "{done:?}");
        *mark = std::mem::take(&mut done.mark);
        done
    }

    fn notes(&self, at: usize, of: &Author) -> u64 {
        let feeds = LocalLog::feeds(&self.stores[at]).unwrap();
        let found = feeds.iter().find(|(feed, _)| *feed == of.feed(NOTES));
        found.map_or(0, |(_, position)| position.number)
    }
}

/// FLD-21, attack AVL-05: a head that was made up, high above the true ones, hides neither what a device has written
/// nor what it writes from now on, whichever way its feeds stand to the true ones.
#[test]
fn fld_21_a_made_up_head_in_a_folder_hides_nothing() {
    for feeds in [&[][..], &[1 << 40]] {
        let mut scene = Scene::new();
        let mut marks = [Mark::new(), Mark::new()];
        let folder = scene.passive();
        scene.sync(0, &folder, &mut marks[0]);
        for author in [&scene.laptop, &scene.phone] {
            scene.plant(&scene.made_up(author, feeds));
        }
        for round in 2..5 {
            // In the eyes of a program that has just been started.
            let folder = scene.passive();
            for at in [1, 0, 1] {
                let done = scene.sync(at, &folder, &mut marks[at]);
                assert_eq!(done.findings.len(), 0, "{feeds:?}: {:?}", done.findings);
            }
            let (laptop, phone) = (&scene.laptop, &scene.phone);
            let held = [scene.notes(1, laptop), scene.notes(0, phone)];
            assert_eq!(held, [round - 1; 2], "{feeds:?}");
            scene.writes(0);
            scene.writes(1);
        }
        // What is gone under it is told all the same.
        let (device, incarnation, _) = place(&scene.made_up(&scene.laptop, feeds));
        let heads = scene.folder.path().join("shared").join(scene.laptop.vault().to_string());
        let heads = heads.join(format!("heads/{device}/{incarnation}"));
        for entry in std::fs::read_dir(heads).unwrap().map(Result::unwrap) {
            if !entry.file_name().to_str().unwrap().starts_with("4000") {
                std::fs::remove_file(entry.path()).unwrap();
            }
        }
        let done = scene.sync(1, &scene.passive(), &mut marks[1]);
        let is_told = |finding: &Finding| matches!(finding, Finding::RolledBack { device: d, .. } if *d == device);
        assert!(done.findings.iter().any(is_told), "{:?}", done.findings);
    }
}

/// A server that shows heads of its own making in place of the newest ones.
struct Liar {
    inner: LocalStore,
    shows: Mutex<Vec<Signed<Head>>>,
}

impl Liar {
    fn lie(&self, mut heads: Vec<StoredHead>) -> Vec<StoredHead> {
        for head in self.shows.lock().unwrap().iter() {
            let (device, incarnation, position) = place(head);
            heads.retain(|head| (head.device, head.incarnation) != (device, incarnation));
            heads.push(StoredHead { device, incarnation, position, head: head.clone() });
        }
        heads
    }
}

#[async_trait]
impl BlindStore for Liar {
    async fn heads(&self, access: &Access, known: &Known) -> Result<Heads, StoreError> {
        let heads = BlindStore::heads(&self.inner, access, &[]).await?.news;
        Ok(Heads::answer(self.lie(heads), known))
    }

    async fn push(
        &self,
        access: &Access,
        head: &Signed<Head>,
        entries: &[Entry],
    ) -> Result<Receipt, StoreError> {
        self.inner.push(access, head, entries).await
    }

    async fn read(
        &self,
        access: &Access,
        feed: FeedId,
        after: u64,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        BlindStore::read(&self.inner, access, feed, after, limit).await
    }

    async fn put(&self, _: &Access, _: ChunkName, _: &[u8]) -> Result<(), StoreError> {
        Err(StoreError::Absent)
    }

    async fn chunk(&self, _: &Access, _: ChunkName) -> Result<Vec<u8>, StoreError> {
        Err(StoreError::Absent)
    }

    async fn has(&self, _: &Access, names: &[ChunkName]) -> Result<Vec<bool>, StoreError> {
        Ok(vec![false; names.len()])
    }

    async fn forget(&self, _: &Access, _: Hash) -> Result<u64, StoreError> {
        Err(StoreError::Unproven)
    }

    async fn watch(&self, _: &Access, _: &Known, _: u64) -> Result<Vec<StoredHead>, StoreError> {
        Ok(Vec::new())
    }
}

/// REP-26, attack INT-09: a server that shows what a device has not signed is told so by name, is given what that device
/// wrote all the same, and what it had and does not show is told.
#[test]
fn rep_26_a_made_up_head_of_a_server_is_told_and_stops_nothing() {
    for feeds in [&[][..], &[1 << 40]] {
        let mut scene = Scene::new();
        let mut mark = Mark::new();
        let path = scene.folder.path().join("server");
        let inner = LocalStore::create(&path, scene.laptop.vault(), Box::new(|| 0)).unwrap();
        let server = Liar { inner, shows: Mutex::default() };
        let done = scene.sync(0, &server, &mut mark);
        assert_eq!(done.findings.len(), 0, "{:?}", done.findings);
        let made_up = scene.made_up(&scene.laptop, feeds);
        server.shows.lock().unwrap().push(made_up);
        scene.writes(0);
        let done = scene.sync(0, &server, &mut mark);
        let device = scene.laptop.device();
        let is_refused = |finding: &Finding| matches!(finding, Finding::Refused { device: d, .. } if *d == device);
        let is_rolled = |finding: &Finding| matches!(finding, Finding::RolledBack { device: d, .. } if *d == device);
        assert!(done.findings.iter().any(is_refused), "{:?}", done.findings);
        assert!(done.findings.iter().any(is_rolled), "{:?}", done.findings);
        assert_eq!(done.pushed.heads, 1, "what was written went there all the same");
        let feeds = LocalLog::feeds(&server.inner).unwrap();
        let found = feeds.iter().find(|(feed, _)| *feed == scene.laptop.feed(NOTES));
        assert_eq!(found.unwrap().1.number, 2);
    }
}
