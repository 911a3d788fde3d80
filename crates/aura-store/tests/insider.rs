// SPDX-License-Identifier: MIT OR Apache-2.0
//! A listed device that turned hostile: its signatures verify, and still it harms nobody's entries and chunks
//! but its own. Cases carry the ids of the attacks.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic is a failed test")]

use aura_protocol::entry::{ChunkAdded, Entry};
use aura_protocol::id::Hash;
use aura_protocol::limits::INCARNATIONS_MAX;
use aura_protocol::store::{Access, BlindStore, LocalLog, StoreError};
use aura_store::local::LocalStore;
use aura_testkit::author::{Author, chunk};
use aura_testkit::conformance::{MAIL, NOTES};
use aura_testkit::seed::Seed;
use pollster::block_on;
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

    /// The insider writes an entry that names this chunk.
    fn insider_names(&mut self, added: ChunkAdded) {
        let entry = self.insider.entry_with(MAIL, vec![6; 60], vec![added]);
        self.push_insider(&[entry]);
    }

    fn push_insider(&mut self, entries: &[Entry]) {
        let head = self.insider.head();
        let receipt = block_on(self.local.push(&self.access, &head, entries)).unwrap();
        assert!(receipt.missing.is_empty());
    }

    /// The honest device writes an entry that names this chunk.
    fn honest_names(&mut self, added: ChunkAdded) {
        let entry = self.honest.entry_with(NOTES, vec![1; 60], vec![added]);
        self.local.append(&[entry], &self.honest.head()).unwrap();
    }

    fn put(&self, added: &ChunkAdded, sealed: &[u8]) -> Result<(), StoreError> {
        block_on(self.local.put(&self.access, added.name, sealed))
    }
}

/// What else the insider may say of a chunk: another hash, another size, or both.
fn claims(seed: &mut Seed, added: &ChunkAdded) -> Vec<(Vec<u8>, ChunkAdded)> {
    let size = usize::try_from(added.size_bytes).unwrap();
    let made = [size, size - 1, size + 1].map(|size| {
        let (sealed, other) = chunk(seed, size);
        (sealed, ChunkAdded { name: added.name, ..other })
    });
    let unknown = ChunkAdded { hash: Hash([7; 32]), ..added.clone() };
    made.into_iter().chain([(vec![7; size], unknown)]).collect()
}

/// INT-09, AVL-05: an entry that names a chunk of another under another hash or size, before or after that
/// one's entry came, neither keeps the chunk out, nor makes it rotten, nor puts other bytes in its place.
#[test]
fn int_09_a_foreign_name_for_a_chunk_takes_nothing_from_it() {
    for at in 0..4 {
        for insider_is_first in [true, false] {
            for is_put_ahead in [true, false] {
                let mut scene = Scene::new();
                let (sealed, added) = chunk(&mut scene.seed, 900);
                let (other, claim) = claims(&mut scene.seed, &added).remove(at);
                if is_put_ahead {
                    scene.local.put_chunk(added.name, &sealed).unwrap();
                }
                if insider_is_first {
                    scene.insider_names(claim.clone());
                    scene.honest_names(added.clone());
                } else {
                    scene.honest_names(added.clone());
                    scene.insider_names(claim.clone());
                }
                scene.put(&added, &sealed).unwrap();
                let stranger = scene.put(&claim, &other);
                assert!(matches!(stranger, Err(StoreError::Fork | StoreError::Refused(_))));
                let ahead = scene.local.put_chunk(added.name, &other);
                assert!(matches!(ahead, Err(StoreError::Fork | StoreError::Refused(_))));
                assert_eq!(LocalLog::chunk(&scene.local, added.name).unwrap(), sealed);
                let read = block_on(BlindStore::chunk(&scene.local, &scene.access, added.name));
                assert_eq!(read.unwrap(), sealed);
                let has = block_on(scene.local.has(&scene.access, &[added.name])).unwrap();
                assert_eq!(has, [true]);
                assert_eq!(scene.local.verify().unwrap(), []);
            }
        }
    }
}

/// STO-10, F-08: a rotten chunk is healed by what any of its names fits, and by nothing else.
#[test]
fn sto_10_a_rotten_chunk_with_two_names_is_healed_by_sound_bytes_only() {
    let mut scene = Scene::new();
    let (sealed, added) = chunk(&mut scene.seed, 900);
    let (_, claim) = claims(&mut scene.seed, &added).remove(1);
    scene.insider_names(claim);
    scene.honest_names(added.clone());
    scene.put(&added, &sealed).unwrap();
    let hex = added.name.to_string();
    let path = scene.folder.path().join("chunks").join(&hex[..2]).join(&hex);
    std::fs::write(&path, vec![0; 900]).unwrap();
    assert!(matches!(scene.put(&added, &[1; 900]), Err(StoreError::Refused(_))));
    assert!(matches!(LocalLog::chunk(&scene.local, added.name), Err(StoreError::Damaged(_))));
    scene.put(&added, &sealed).unwrap();
    assert_eq!(LocalLog::chunk(&scene.local, added.name).unwrap(), sealed);
}

/// STO-12: an access that extends to one of a chunk's names reads and writes what that one says.
#[test]
fn sto_12_an_access_is_to_what_its_own_collections_name() {
    let mut scene = Scene::new();
    let (sealed, added) = chunk(&mut scene.seed, 900);
    let (other, claim) = claims(&mut scene.seed, &added).remove(0);
    scene.insider_names(claim.clone());
    scene.honest_names(added.clone());
    let vault = scene.honest.vault();
    let to = |collection| Access::Collections { vault, collections: vec![collection], until_ms: 9 };
    let put = |access: &Access, sealed| block_on(scene.local.put(access, added.name, sealed));
    assert!(matches!(put(&to(MAIL), &sealed), Err(StoreError::Refused(_))));
    assert!(matches!(put(&to(NOTES), &other), Err(StoreError::Refused(_))));
    put(&to(NOTES), &sealed).unwrap();
    assert!(matches!(put(&to(MAIL), &other), Err(StoreError::Fork)), "what is sound stays");
    let read = |access: &Access| block_on(BlindStore::chunk(&scene.local, access, added.name));
    assert_eq!(read(&to(NOTES)).unwrap(), sealed);
    assert!(read(&to(MAIL)).is_err());
}

/// AVL-05, STO-13: a device that begins endless incarnations is refused at a bound, by name; what it has begun
/// goes on, and every other device may begin anew.
#[test]
fn avl_05_endless_incarnations_are_refused_at_a_bound() {
    let mut scene = Scene::new();
    let mut lives = Vec::new();
    for count in 0..INCARNATIONS_MAX + 3 {
        let mut life = scene.insider.reborn(&mut scene.seed);
        let entries = [life.entry(MAIL, vec![6; 60]), life.entry(MAIL, vec![7; 60])];
        // One of them is staged and never complete.
        let upto = if count == 5 { 1 } else { 2 };
        let answer = block_on(scene.local.push(&scene.access, &life.head(), &entries[..upto]));
        if lives.len() < INCARNATIONS_MAX {
            assert_eq!(answer.unwrap().missing.len(), 2 - upto);
            lives.push(life);
        } else {
            let why = "a device that has begun too many incarnations";
            assert!(matches!(answer, Err(StoreError::Refused(told)) if told == why), "{answer:?}");
        }
    }
    let shown = LocalLog::heads(&scene.local).unwrap().len();
    assert_eq!(
        shown, INCARNATIONS_MAX,
        "the honest device's, and the other's but for the staged one"
    );
    let life = &mut lives[0];
    let entry = life.entry(MAIL, vec![7; 60]);
    scene.local.append(&[entry], &life.head()).unwrap();
    let mut reborn = scene.honest.reborn(&mut scene.seed);
    let entry = reborn.entry(NOTES, vec![1; 60]);
    for head in LocalLog::heads(&scene.local).unwrap() {
        reborn.see(&head);
    }
    let head = reborn.head();
    head.claim().unwrap();
    scene.local.append(&[entry], &head).unwrap();
}
