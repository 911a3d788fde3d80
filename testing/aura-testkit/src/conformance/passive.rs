// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a passive store must bear: nothing guards its files, and whatever carries them brings some late,
//! some never, some broken, and some that nobody asked for.

use std::path::{Path, PathBuf};

use aura_protocol::entry::Entry;
use aura_protocol::id::{CollectionId, DeviceId, FeedId, Hash, Incarnation, VaultId};
use aura_protocol::store::{BlindStore, StoreError};

use super::forget::{COVERED, Snapped};
use super::{MAIL, NOTES, Scene, place};
use crate::author::chunk;

/// The files beneath a passive store, as whoever carries them sees them.
pub trait Objects {
    /// Every file's path.
    fn list(&self) -> Vec<String>;
    /// A file's bytes.
    fn read(&self, path: &str) -> Vec<u8>;
    /// Writes a file, whatever was there.
    fn write(&self, path: &str, bytes: &[u8]);
    /// Removes a file.
    fn remove(&self, path: &str);
}

/// Objects that are files of a directory.
#[derive(Debug, Clone)]
pub struct FolderObjects(pub PathBuf);

impl FolderObjects {
    fn collect(&self, folder: &Path, found: &mut Vec<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                self.collect(&path, found);
            } else {
                found
                    .push(path.strip_prefix(&self.0).unwrap().to_str().unwrap().replace('\\', "/"));
            }
        }
    }
}

impl Objects for FolderObjects {
    fn list(&self) -> Vec<String> {
        let mut found = Vec::new();
        self.collect(&self.0, &mut found);
        found.sort();
        found
    }

    fn read(&self, path: &str) -> Vec<u8> {
        std::fs::read(self.0.join(path)).unwrap()
    }

    fn write(&self, path: &str, bytes: &[u8]) {
        let path = self.0.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }

    fn remove(&self, path: &str) {
        std::fs::remove_file(self.0.join(path)).unwrap();
    }
}

/// A store with entries in several files and two heads of one incarnation.
struct Filled<S> {
    scene: Scene<S>,
    notes: Vec<Entry>,
    mail: Vec<Entry>,
    heads: Vec<aura_protocol::signed::Signed<aura_protocol::head::Head>>,
}

impl<S: BlindStore> Filled<S> {
    async fn new(make: &dyn Fn(VaultId) -> S) -> Self {
        let mut scene = Scene::founded(make).await;
        let (mut notes, mut mail, mut heads) = (vec![], vec![], vec![]);
        for _ in 0..3 {
            let (new_notes, new_mail) = (scene.entries(NOTES, 3), scene.entries(MAIL, 1));
            let head = scene.author.head();
            scene.store.push(&scene.access, &head, &new_notes).await.unwrap();
            scene.push(&head, &new_mail).await;
            notes.extend(new_notes);
            mail.extend(new_mail);
            heads.push(head);
        }
        Self { scene, notes, mail, heads }
    }

    async fn is_whole(&self) {
        assert_eq!(self.scene.shown().await, [place(&self.heads[2])]);
        assert_eq!(self.scene.read_all(NOTES).await.unwrap(), self.notes);
        assert_eq!(self.scene.read_all(MAIL).await.unwrap(), self.mail);
    }

    /// Whatever is read is true, though it may be less than all.
    async fn is_true(&self) {
        for (_, _, position) in self.scene.shown().await {
            let is_known = |head: &&_| place(head).2 == position;
            assert!(position.number == 1 || self.heads.iter().any(|head| is_known(&head)));
        }
        for (collection, all) in [(NOTES, &self.notes), (MAIL, &self.mail)] {
            for after in 0..all.len() {
                let feed = self.scene.author.feed(collection);
                let read = self.scene.store.read(&self.scene.access, feed, after as u64, 99).await;
                match read {
                    Ok(read) => assert_eq!(read, all[after..after + read.len()]),
                    Err(StoreError::Absent) => {}
                    Err(StoreError::DamagedEntry { feed: f, number }) => {
                        assert_eq!((f, number), (feed, after as u64 + 1));
                    }
                    Err(error) => panic!("{error:?}"),
                }
            }
        }
    }

    async fn push_all(&self) {
        let head = &self.heads[2];
        self.scene.store.push(&self.scene.access, head, &self.notes).await.unwrap();
        self.scene.push(head, &self.mail).await;
    }
}

/// FLD-2: names that are none of the store's, as tools and people make them, change nothing.
pub async fn foreign_files_are_passed_over<S: BlindStore>(
    make: &dyn Fn(VaultId) -> S,
    objects: &dyn Objects,
) {
    let filled = Filled::new(make).await;
    for path in objects.list() {
        let (bytes, (folder, name)) = (objects.read(&path), path.rsplit_once('/').unwrap());
        objects.write(&format!("{path} (conflicted copy)"), &bytes[..bytes.len() / 2]);
        objects.write(&format!("{folder}/.syncthing.{name}.tmp"), &bytes[..bytes.len() / 2]);
        objects.write(&format!("{folder}/desktop.ini"), b"x");
        objects.write(&format!("{folder}/sub/{name}"), &bytes);
    }
    objects.write("README.txt", b"what is this folder?");
    filled.is_whole().await;
    filled.push_all().await;
    filled.is_whole().await;
}

/// FLD-8: a file that is not what its name says is not believed, and is replaced by a push.
pub async fn broken_files_are_named_and_healed<S: BlindStore>(
    make: &dyn Fn(VaultId) -> S,
    objects: &dyn Objects,
) {
    let mut filled = Filled::new(make).await;
    for path in objects.list() {
        let whole = objects.read(&path);
        if whole.is_empty() {
            continue;
        }
        let mut flipped = whole.clone();
        let at = usize::try_from(filled.scene.seed.below(whole.len() as u64)).unwrap();
        flipped[at] ^= 1 << filled.scene.seed.below(8);
        let longer = [&whole[..], b"\0"].concat();
        for broken in [&flipped[..], &whole[..whole.len() - 1], &whole[..1], &[], &longer] {
            objects.write(&path, broken);
            filled.is_true().await;
            objects.write(&path, broken);
            filled.push_all().await;
            // The genesis and the old heads are not pushed again here.
            if objects.read(&path) != whole {
                objects.write(&path, &whole);
            }
            filled.is_whole().await;
        }
    }
}

/// FLD-4: files that come in any order show a true part, and the whole in the end.
pub async fn files_come_in_any_order<S: BlindStore>(
    make: &dyn Fn(VaultId) -> S,
    objects: &dyn Objects,
) {
    let mut filled = Filled::new(make).await;
    let files: Vec<_> =
        objects.list().into_iter().map(|path| (objects.read(&path), path)).collect();
    for _ in 0..20 {
        for (_, path) in &files {
            objects.remove(path);
        }
        filled.is_true().await;
        let mut left: Vec<_> = files.iter().collect();
        while !left.is_empty() {
            let at = usize::try_from(filled.scene.seed.below(left.len() as u64)).unwrap();
            let (bytes, path) = left.swap_remove(at);
            objects.write(path, &bytes[..bytes.len() / 2]);
            filled.is_true().await;
            objects.write(path, bytes);
            filled.is_true().await;
        }
        filled.is_whole().await;
    }
}

/// FLD-8: a true file under another file's name is not believed.
pub async fn files_under_other_names_are_not_believed<S: BlindStore>(
    make: &dyn Fn(VaultId) -> S,
    objects: &dyn Objects,
) {
    let filled = Filled::new(make).await;
    let files = objects.list();
    for from in &files {
        for to in &files {
            let kept = objects.read(to);
            objects.write(to, &objects.read(from));
            filled.is_true().await;
            objects.write(to, &kept);
        }
    }
    filled.is_whole().await;
}

/// FLD-6: runs cut in other places, and some of them lost, still make one feed.
pub async fn runs_may_overlap<S: BlindStore>(make: &dyn Fn(VaultId) -> S, objects: &dyn Objects) {
    let filled = Filled::new(make).await;
    let entry_files = |objects: &dyn Objects| -> Vec<String> {
        objects.list().into_iter().filter(|path| path.contains("/entries/")).collect()
    };
    for path in entry_files(objects) {
        let kept = objects.read(&path);
        objects.remove(&path);
        if path.contains("/00000000000000000000000000000000/") {
            // No push below brings the authority feed.
            objects.write(&path, &kept);
            continue;
        }
        filled.push_all().await;
        filled.is_whole().await;
        objects.write(&path, &kept);
        filled.is_whole().await;
    }
    let before = entry_files(objects).len();
    filled.push_all().await;
    assert_eq!(entry_files(objects).len(), before, "what is there is not written again");
}

/// FLD-10: a chunk under a name that has another one is refused; the first stays.
pub async fn chunks_are_put_if_absent<S: BlindStore>(
    make: &dyn Fn(VaultId) -> S,
    objects: &dyn Objects,
) {
    let mut scene = Scene::founded(make).await;
    let (sealed, added) = chunk(&mut scene.seed, 900);
    let (store, access) = (&scene.store, &scene.access);
    store.put(access, added.name, &sealed).await.unwrap();
    let other = store.put(access, added.name, b"other").await;
    assert!(matches!(other, Err(StoreError::Fork)), "{other:?}");
    assert_eq!(store.chunk(access, added.name).await.unwrap(), sealed);
    let path = objects.list().into_iter().find(|path| path.contains("/chunks/")).unwrap();
    objects.write(&path, &vec![0; 8 << 20]);
    assert!(store.chunk(access, added.name).await.is_err(), "larger than any chunk");
}

/// FLD-19: that a feed begins later counts only under a snapshot, whatever a file says.
pub async fn made_up_floors_change_nothing<S: BlindStore>(
    make: &dyn Fn(VaultId) -> S,
    objects: &dyn Objects,
) {
    let mut filled = Filled::new(make).await;
    let author = &mut filled.scene.author;
    let feed = author.feed(NOTES);
    let folder = format!(
        "{}/entries/{}/{}/{}",
        author.vault(),
        feed.device,
        feed.incarnation,
        feed.collection
    );
    let entry = filled.notes[4].hash();
    for (number, hash) in [(5, entry), (9, Hash([9; 32])), (900, entry), (u64::MAX, entry)] {
        objects.write(&format!("{folder}/gone-{number:016x}-{hash}"), &[7; 32]);
        filled.is_whole().await;
    }
    filled.notes.extend(filled.scene.entries(NOTES, 2));
    let head = filled.scene.author.head();
    filled.scene.push(&head, &filled.notes[9..]).await;
    assert_eq!(filled.scene.read_all(NOTES).await.unwrap(), filled.notes);
}

/// FLD-19: a floor counts only where a snapshot covers a feed right up to it: one that was made up below that would have
/// nothing link to it.
pub async fn made_up_floors_below_a_snapshot_change_nothing<S: BlindStore>(
    make: &dyn Fn(VaultId) -> S,
    objects: &dyn Objects,
) {
    let snapped = Snapped::new(make).await;
    let (own, own_at) = snapped.covered[0];
    let folder = format!(
        "{}/entries/{}/{}/{}",
        snapped.scene.author.vault(),
        own.device,
        own.incarnation,
        own.collection
    );
    let whole = snapped.scene.read_all(NOTES).await.unwrap();
    let below = whole[usize::try_from(own_at.number).unwrap() - 2].hash();
    for (number, hash) in [(own_at.number - 1, Hash([9; 32])), (own_at.number - 1, below)] {
        let path = format!("{folder}/gone-{number:016x}-{hash}");
        objects.write(&path, &[7; 32]);
        assert_eq!(snapped.scene.read_all(NOTES).await.unwrap(), whole);
        objects.remove(&path);
    }
}

/// FLD-11: names say anything. Empty files with high numbers do not make a writer remove the head that it has just
/// written.
pub async fn made_up_names_push_no_head_out<S: BlindStore>(
    make: &dyn Fn(VaultId) -> S,
    objects: &dyn Objects,
) {
    let mut scene = Scene::founded(make).await;
    let author = &scene.author;
    let folder = format!("{}/heads/{}/{}", author.vault(), author.device(), author.incarnation());
    for number in 0..20u64 {
        let number = u64::MAX - number;
        objects.write(&format!("{folder}/{number:016x}-{}", Hash([9; 32])), b"");
    }
    for _ in 0..30 {
        let notes = scene.entries(NOTES, 1);
        let head = scene.author.head();
        scene.push(&head, &notes).await;
        assert_eq!(scene.shown().await, [place(&head)]);
    }
    let left = objects.list().into_iter().filter(|path| path.contains("/heads/")).count();
    assert!(left <= 20 + 17, "{left} files of heads");
}

/// STO-28: a snapshot is not whole of which an entry is rotten.
pub async fn a_rotten_snapshot_lets_nothing_go<S: BlindStore>(
    make: &dyn Fn(VaultId) -> S,
    objects: &dyn Objects,
) {
    let mut snapped = Snapped::new(make).await;
    snapped.agree().await;
    let feed = snapped.covered[0].0;
    let of_snapshot = |path: &&String| {
        path.contains(&format!("{}/{}", feed.incarnation, feed.collection))
            && path.contains("/0000000000000007-")
    };
    let paths = objects.list();
    let path = paths.iter().find(of_snapshot).unwrap();
    let whole = objects.read(path);
    objects.write(path, b"rotten");
    let answer = snapped.forget().await;
    assert!(matches!(answer, Err(StoreError::Unproven)), "{answer:?}");
    objects.write(path, &whole);
    assert_eq!(snapped.forget().await.unwrap(), COVERED.iter().sum::<u64>());
}

/// FLD-20: what is rotten and stays may name what would go, or say who has not adopted it: until it is whole again
/// nothing goes. What is rotten of the statements keeps nobody from reading.
pub async fn what_is_rotten_and_stays_lets_nothing_go<S: BlindStore>(
    make: &dyn Fn(VaultId) -> S,
    objects: &dyn Objects,
) {
    let mut snapped = Snapped::new(make).await;
    snapped.agree().await;
    let going = snapped.chunks[0].clone();
    let again = snapped.other.entry_with(NOTES, vec![7; 30], vec![going.clone()]);
    let head = snapped.other.head();
    snapped.scene.push(&head, &[again]).await;
    let run = |feed: FeedId, first: u64| {
        let folder = format!("{}/{}/{first:016x}-", feed.incarnation, feed.collection);
        objects.list().into_iter().find(|path| path.contains(&folder)).unwrap()
    };
    let other = &snapped.other;
    let statements = other.feed(CollectionId::AUTHORITY);
    for path in [run(other.feed(NOTES), 4), run(statements, 1)] {
        let whole = objects.read(&path);
        objects.write(&path, b"rotten");
        // What was read once is remembered: this one has read nothing.
        snapped.scene.store = make(snapped.scene.author.vault());
        let answer = snapped.forget().await;
        assert!(matches!(answer, Err(StoreError::DamagedEntry { .. })), "{path}: {answer:?}");
        assert!(objects.list().iter().all(|path| !path.contains("/gone-")), "{path}");
        objects.write(&path, &whole);
    }
    // What a stranger left there says nothing of any device.
    let stranger = format!(
        "{}/entries/{}/{}/{}/{:016x}-{:016x}-{}",
        snapped.scene.author.vault(),
        DeviceId([9; 16]),
        Incarnation([9; 8]),
        CollectionId::AUTHORITY,
        1,
        1,
        "0".repeat(32)
    );
    objects.write(&stranger, b"");
    assert_eq!(snapped.forget().await.unwrap(), COVERED.iter().sum::<u64>());
    let (store, access) = (&snapped.scene.store, &snapped.scene.access);
    assert_eq!(store.has(access, &[going.name]).await.unwrap(), [true]);
    // What the other device said of the snapshot cannot be read; that the first one made it can.
    objects.write(&run(statements, 1), b"rotten");
    let anew = make(snapped.scene.author.vault());
    let (own, own_at) = snapped.covered[0];
    let read = anew.read(access, own, own_at.number, 99).await.unwrap();
    assert_eq!(read, snapped.rest);
}

/// FLD-20: nothing of what went is left in any file; and what was cut short, or what a tool brings back, goes the next time.
pub async fn letting_go_is_done_again<S: BlindStore>(
    make: &dyn Fn(VaultId) -> S,
    objects: &dyn Objects,
) {
    let mut snapped = Snapped::new(make).await;
    snapped.agree().await;
    let before: Vec<(String, Vec<u8>)> =
        objects.list().into_iter().map(|path| (path.clone(), objects.read(&path))).collect();
    assert_eq!(snapped.forget().await.unwrap(), COVERED.iter().sum::<u64>());
    let (own, own_at) = snapped.covered[0];
    let after = objects.list();
    let gone: Vec<_> = before.iter().filter(|(path, _)| !after.contains(path)).collect();
    let paths: Vec<_> = gone.iter().map(|(path, _)| path).collect();
    assert_eq!(gone.len(), 4, "three runs and a chunk: {paths:?}");
    let [first, ..] = &snapped.rest[..] else { panic!("what stays") };
    let goes_on = format!("/{:016x}-{:016x}-", own_at.number + 1, own_at.number + 1);
    assert!(after.iter().any(|path| path.contains(&goes_on)), "{after:?}");
    for (path, bytes) in gone {
        objects.write(path, bytes);
    }
    let read = snapped.scene.store.read(&snapped.scene.access, own, own_at.number, 1).await;
    assert_eq!(read.unwrap(), core::slice::from_ref(first));
    snapped.is_forgotten(own, 0, own_at.number).await;
    assert_eq!(snapped.forget().await.unwrap(), COVERED.iter().sum::<u64>());
    assert_eq!(objects.list(), after);
}
