// SPDX-License-Identifier: MIT OR Apache-2.0
//! Leaving a life that forked can be cut short anywhere (REP-22): whichever write is the last one that arrives, and
//! whether its answer does, the vault opens, leaves the fork when it syncs again, and has lost nothing.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic is a failed test")]

mod support;

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use aura_protocol::entry::{ChunkAdded, Entry};
use aura_protocol::head::{Head, Position};
use aura_protocol::id::{ChunkName, DeviceId, FeedId, Hash, Incarnation, RecordId};
use aura_protocol::signed::Signed;
use aura_protocol::store::{Access, BlindStore, LocalLog, StoreError};
use aura_store::local::LocalStore;
use aura_store::replicate::{Finding, Mark, Replicated, common, replicate};
use aura_vault::home::Home;
use aura_vault::vault::{Unlocked, Vault};
use pollster::block_on;
use serde_json::json;
use support::pair::Device;
use support::{Bench, PASSWORD, START_MS, fields, note, password};

/// What becomes of the write at which it is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Last {
    /// It never arrives.
    Lost,
    /// It is done, and nobody hears of it.
    Unheard,
}

/// A log that dies at one of its writes.
struct Cut {
    inner: LocalStore,
    last: Last,
    left: AtomicI64,
    is_dead: AtomicBool,
}

impl Cut {
    fn write<T>(&self, write: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
        let dead = || Err(StoreError::Io(std::io::Error::other("cut")));
        if self.is_dead.load(Ordering::Relaxed) {
            return dead();
        }
        if self.left.fetch_sub(1, Ordering::Relaxed) > 0 {
            return write();
        }
        self.is_dead.store(true, Ordering::Relaxed);
        if self.last == Last::Unheard {
            write()?;
        }
        dead()
    }
}

impl LocalLog for Cut {
    fn append(&self, entries: &[Entry], head: &Signed<Head>) -> Result<(), StoreError> {
        self.write(|| self.inner.append(entries, head))
    }

    fn read(&self, feed: FeedId, after: u64, limit: usize) -> Result<Vec<Entry>, StoreError> {
        LocalLog::read(&self.inner, feed, after, limit)
    }

    fn entry(&self, feed: FeedId, number: u64) -> Result<Entry, StoreError> {
        LocalLog::entry(&self.inner, feed, number)
    }

    fn feeds(&self) -> Result<Vec<(FeedId, Position)>, StoreError> {
        self.inner.feeds()
    }

    fn floor(&self, feed: FeedId) -> Result<Position, StoreError> {
        self.inner.floor(feed)
    }

    fn forget(&self, base: Hash) -> Result<u64, StoreError> {
        self.write(|| LocalLog::forget(&self.inner, base))
    }

    fn claims(&self, name: ChunkName) -> Result<Vec<ChunkAdded>, StoreError> {
        self.inner.claims(name)
    }

    fn heads(&self) -> Result<Vec<Signed<Head>>, StoreError> {
        LocalLog::heads(&self.inner)
    }

    fn rotten_heads(&self) -> Result<Vec<(DeviceId, Incarnation)>, StoreError> {
        self.inner.rotten_heads()
    }

    fn put_chunk(&self, name: ChunkName, sealed: &[u8]) -> Result<(), StoreError> {
        self.write(|| self.inner.put_chunk(name, sealed))
    }

    fn chunk(&self, name: ChunkName) -> Result<Vec<u8>, StoreError> {
        LocalLog::chunk(&self.inner, name)
    }

    fn chunks(&self) -> Result<Vec<(ChunkName, u64)>, StoreError> {
        self.inner.chunks()
    }

    fn sweep_chunks(&self, names: &[ChunkName]) -> Result<(), StoreError> {
        self.write(|| self.inner.sweep_chunks(names))
    }

    fn give_way(&self, common: &[(FeedId, u64)]) -> Result<(), StoreError> {
        self.write(|| self.inner.give_way(common))
    }

    fn size_bytes(&self) -> Result<(u64, u64), StoreError> {
        self.inner.size_bytes()
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Two devices' folders, of which the laptop's was put back to an older copy and written to.
struct Scene {
    bench: Bench,
    /// Before the copy, after it, and in ignorance of that.
    records: [RecordId; 3],
}

impl Scene {
    fn new() -> Self {
        let bench = Bench::new();
        let (mut laptop, kit) = Device::first(&bench, None);
        let shared = laptop.session().add(&note("a", "a", "before the copy")).unwrap();
        let id = laptop.vault.id();
        let mut phone = Device::join(&bench, "phone", (id, &kit), laptop.store.as_ref());
        laptop.sync(phone.store.as_ref());
        drop(laptop);
        let backup = bench.dir.path().join("backup");
        copy(&bench.home(), &backup);
        let mut laptop = Device::open(&bench.home(), &bench);
        let lost = laptop.session().add(&note("b", "b", "after the copy")).unwrap();
        laptop.session().edit(shared, &fields(json!({"keywords": {"one": true}})), &[]).unwrap();
        laptop.sync(phone.store.as_ref());
        phone.vault.take_in().unwrap();
        drop((laptop, phone));
        fs::remove_dir_all(bench.home()).unwrap();
        fs::rename(&backup, bench.home()).unwrap();
        let laptop = Device::open(&bench.home(), &bench);
        laptop.session().edit(shared, &fields(json!({"name": "in ignorance"})), &[]).unwrap();
        let other = laptop.session().add(&note("c", "c", "in ignorance")).unwrap();
        drop(laptop);
        Self { bench, records: [shared, lost, other] }
    }
}

/// Up to where a fork that was found is the same on both sides.
fn fork(
    done: &Replicated,
    (local, remote): (&dyn BlindStore, &dyn BlindStore),
    access: &Access,
) -> Option<Vec<(FeedId, u64)>> {
    let heads = done.findings.iter().find_map(|finding| match finding {
        Finding::Forked { heads, .. } => Some(heads),
        _ => None,
    });
    let [ours, theirs] = [&heads?[0], &heads?[1]].map(|head| head.claim().unwrap());
    Some(block_on(common(local, remote, access, [&ours, &theirs])).unwrap())
}

/// Leaves the fork over a log that is cut at its Nth write. Says whether it came to its end.
fn leave(home: &Path, bench: &Bench, phone: &Device, (at, last): (i64, Last)) -> bool {
    let inner = LocalStore::open(&Home::new(home).store(), Box::new(|| START_MS)).unwrap();
    let cut = Arc::new(Cut {
        inner,
        last,
        left: AtomicI64::new(i64::MAX),
        is_dead: AtomicBool::new(false),
    });
    let log = Arc::clone(&cut) as Arc<dyn LocalLog>;
    let opened = Vault::load(home, log).unwrap().unlock(&password(PASSWORD), bench.environment());
    let mut vault: Vault<Unlocked> = opened.map_err(|(_, error)| error).unwrap();
    let access = Access::Vault(vault.id());
    let (local, remote) = (&cut.inner, phone.store.as_ref());
    let done = block_on(replicate(local, remote, &access, &Mark::new()));
    let common = fork(&done, (local, remote), &access).unwrap();
    cut.left.store(at, Ordering::Relaxed);
    let left = vault.leave_fork(&common);
    assert_eq!(left.is_err(), cut.is_dead.load(Ordering::Relaxed), "{left:?}");
    left.is_ok()
}

/// Opened again over a log that works, it ends what was begun, and both devices have everything.
fn assert_whole(scene: &Scene, home: &Path, mut phone: Device, at: &str) {
    let mut laptop = Device::open(home, &scene.bench);
    for _ in 0..4 {
        let done = laptop.sync(phone.store.as_ref());
        let access = Access::Vault(laptop.vault.id());
        let sides = (laptop.store.as_ref() as &dyn BlindStore, phone.store.as_ref() as _);
        if let Some(common) = fork(&done, sides, &access) {
            laptop.vault.leave_fork(&common).unwrap();
        }
        phone.vault.take_in().unwrap();
    }
    let done = laptop.sync(phone.store.as_ref());
    assert!(done.findings.is_empty(), "{at}: {:?}", done.findings);
    assert_eq!(laptop.state(), phone.state(), "{at}");
    for device in [&laptop, &phone] {
        let get = |id| device.session().get(id).unwrap();
        assert!(scene.records.iter().all(|id| get(*id).is_some()), "{at}");
        let shared = get(scene.records[0]).unwrap();
        assert_eq!(shared.fields["name"], "in ignorance", "{at}");
        assert_eq!(shared.fields["keywords"], json!({"one": true}), "{at}");
        assert_eq!(device.session().status().unwrap().records, 3, "{at}");
        let report = device.session().verify(&mut |_| {}).unwrap();
        assert!(report.is_ok(), "{at}: {:?}", report.problems);
    }
}

/// What leaving a fork writes into the log: what is said again, what gives way, and the event.
const WRITES: i64 = 3;

/// REP-22, attacks FRK-01, FRK-03, faults F-01, F-04, F-20: cut at each of its writes, heard or not; and killed
/// before the file that says which life goes on is written.
#[test]
fn a_fork_that_is_left_by_half_is_left_in_the_end() {
    let scene = Scene::new();
    let try_one = |cut: (i64, Last), keeps_old_key: bool| {
        let folder = tempfile::tempdir().unwrap();
        copy(scene.bench.dir.path(), folder.path());
        let home = folder.path().join("vault");
        let key = fs::read(Home::new(&home).device_key()).unwrap();
        let phone = Device::open(&folder.path().join("phone"), &scene.bench);
        let is_done = leave(&home, &scene.bench, &phone, cut);
        if keeps_old_key {
            fs::write(Home::new(&home).device_key(), key).unwrap();
        }
        assert_whole(&scene, &home, phone, &format!("{cut:?}, {keeps_old_key}"));
        is_done
    };
    for last in [Last::Lost, Last::Unheard] {
        for at in 0..WRITES {
            assert!(!try_one((at, last), false), "write {at} is one of its writes");
        }
    }
    assert!(!try_one((1, Last::Lost), true));
    assert!(try_one((WRITES, Last::Lost), false), "there is no further write");
}
