// SPDX-License-Identifier: MIT OR Apache-2.0
//! What active and passive stores have in common.

use aura_protocol::head::Position;
use aura_protocol::id::{ChunkName, CollectionId, DeviceId, VaultId};
use aura_protocol::limits::READ_BYTES_MAX;
use aura_protocol::store::{Access, BlindStore, Heads, Receipt, StoreError};

use super::{MAIL, NOTES, Scene, both, place};
use crate::author::{Author, chunk};
use crate::fault::{FaultyStore, is_injected};
use crate::seed::Seed;

/// STO-1: nothing there is told as nothing, and as absent when asked for by name.
pub async fn an_empty_vault_has_nothing<S: BlindStore>(make: &dyn Fn(VaultId) -> S) {
    let (author, _) = Author::founder(&mut Seed::new(1));
    let (store, access) = (make(author.vault()), Access::Vault(author.vault()));
    assert!(store.heads(&access, &[]).await.unwrap().news.is_empty());
    let known = (author.device(), author.incarnation(), Position::NONE);
    let absent = store.heads(&access, &[known]).await.unwrap().absent;
    assert_eq!(absent, [(author.device(), author.incarnation())]);
    let read = store.read(&access, author.feed(NOTES), 0, 10).await;
    assert!(matches!(read, Err(StoreError::Absent)), "{read:?}");
    let chunk = store.chunk(&access, ChunkName([1; 16])).await;
    assert!(matches!(chunk, Err(StoreError::Absent)), "{chunk:?}");
    assert_eq!(store.has(&access, &[ChunkName([1; 16])]).await.unwrap(), [false]);
    let waited = store.watch(&access, &[], 20).await.unwrap();
    assert!(waited.is_empty());
}

/// STO-5: entries pushed in batches come back byte for byte, and the newest head with them.
pub async fn batches_come_back<S: BlindStore>(make: &dyn Fn(VaultId) -> S) {
    let mut scene = Scene::founded(make).await;
    let (notes, mail) = (scene.entries(NOTES, 25), scene.entries(MAIL, 3));
    let head = scene.author.head();
    for batch in notes.chunks(10) {
        let receipt = scene.store.push(&scene.access, &head, batch).await.unwrap();
        assert!(!receipt.missing.is_empty());
    }
    scene.push(&head, &mail).await;
    assert_eq!(scene.shown().await, [place(&head)]);
    assert_eq!(scene.read_all(NOTES).await.unwrap(), notes);
    assert_eq!(scene.read_all(MAIL).await.unwrap(), mail);

    let more = scene.entries(NOTES, 2);
    let head = scene.author.head();
    scene.push(&head, &more).await;
    let after = scene.store.read(&scene.access, scene.author.feed(NOTES), 25, 10).await.unwrap();
    assert_eq!(after, more);
    assert_eq!(scene.shown().await, [place(&head)]);
    // A head that says nothing new about entries is news all the same.
    let head = scene.author.head();
    scene.push(&head, &[]).await;
    assert_eq!(scene.shown().await, [place(&head)]);
}

/// STO-5: the head of an incomplete push is not shown; the receipt says what is missing.
pub async fn a_head_waits_for_its_entries<S: BlindStore>(make: &dyn Fn(VaultId) -> S) {
    let mut scene = Scene::founded(make).await;
    let before = scene.shown().await;
    let (notes, mail) = (scene.entries(NOTES, 4), scene.entries(MAIL, 1));
    let head = scene.author.head();
    let (first, rest) = notes.split_at(3);
    let receipt = scene.store.push(&scene.access, &head, first).await.unwrap();
    let feed = |collection| scene.author.feed(collection);
    assert_eq!(receipt, Receipt { missing: vec![(feed(NOTES), 3), (feed(MAIL), 0)] });
    assert_eq!(scene.shown().await, before);
    let receipt = scene.store.push(&scene.access, &head, &mail).await.unwrap();
    assert_eq!(receipt, Receipt { missing: vec![(feed(NOTES), 3)] });
    assert_eq!(scene.shown().await, before);
    scene.push(&head, rest).await;
    assert_eq!(scene.shown().await, [place(&head)]);
}

/// STO-5: whatever is pushed again changes nothing.
pub async fn pushing_again_changes_nothing<S: BlindStore>(make: &dyn Fn(VaultId) -> S) {
    let mut scene = Scene::founded(make).await;
    let first = scene.entries(NOTES, 3);
    let old = scene.author.head();
    scene.push(&old, &first).await;
    let second = scene.entries(NOTES, 3);
    let new = scene.author.head();
    let all: Vec<_> = first.iter().chain(&second).cloned().collect();
    scene.store.push(&scene.access, &new, &second[..1]).await.unwrap();
    scene.store.push(&scene.access, &new, &second[..1]).await.unwrap();
    for _ in 0..2 {
        scene.push(&new, &all).await;
        scene.push(&old, &first).await;
        scene.push(&new, &[]).await;
        assert_eq!(scene.shown().await, [place(&new)]);
        assert_eq!(scene.read_all(NOTES).await.unwrap(), all);
    }
}

/// STO-8: an answer holds at most so many entries and bytes, and one entry at least.
pub async fn answers_are_bounded<S: BlindStore>(make: &dyn Fn(VaultId) -> S) {
    let mut scene = Scene::founded(make).await;
    let mut large = Vec::new();
    for _ in 0..5 {
        let body = scene.seed.bytes(READ_BYTES_MAX / 3);
        large.push(scene.author.entry(MAIL, body));
    }
    let small = scene.entries(NOTES, 5);
    let head = scene.author.head();
    for entry in &large {
        scene.store.push(&scene.access, &head, std::slice::from_ref(entry)).await.unwrap();
    }
    scene.push(&head, &small).await;
    let read = |collection, after, limit| {
        scene.store.read(&scene.access, scene.author.feed(collection), after, limit)
    };
    assert_eq!(read(NOTES, 0, 2).await.unwrap(), small[..2]);
    assert_eq!(read(NOTES, 3, 2).await.unwrap(), small[3..]);
    assert_eq!(read(NOTES, 5, 2).await.unwrap(), []);
    assert_eq!(read(NOTES, u64::MAX, 2).await.unwrap(), []);
    assert_eq!(read(NOTES, 0, 0).await.unwrap(), []);
    // Three of these pass the bound, so an answer ends with the third.
    assert!(read(MAIL, 0, 100).await.unwrap().len() <= 4);
    assert_eq!(scene.read_all(MAIL).await.unwrap(), large);
}

/// STO-1: only heads whose position differs from the known ones are told, and which of those are absent.
pub async fn known_heads_are_left_out<S: BlindStore>(make: &dyn Fn(VaultId) -> S) {
    let mut scene = Scene::founded(make).await;
    let first = scene.shown().await;
    let told = scene.store.heads(&scene.access, &first).await.unwrap();
    assert!(told.news.is_empty() && told.absent.is_empty());
    let notes = scene.entries(NOTES, 1);
    let head = scene.author.head();
    scene.push(&head, &notes).await;
    let Heads { news, absent } = scene.store.heads(&scene.access, &first).await.unwrap();
    assert_eq!((news.len(), absent), (1, vec![]));
    assert_eq!(news[0].head, head);
    let (device, incarnation, at) = place(&head);
    let stranger = (DeviceId([9; 16]), incarnation, at);
    let told = scene.store.heads(&scene.access, &[stranger, (device, incarnation, at)]).await;
    let told = told.unwrap();
    assert!(told.news.is_empty());
    assert_eq!(told.absent, [(DeviceId([9; 16]), incarnation)]);
}

/// STO-1: one incarnation's feeds are another one's business no more than another device's.
pub async fn devices_and_incarnations_stand_apart<S: BlindStore>(make: &dyn Fn(VaultId) -> S) {
    let mut scene = Scene::founded(make).await;
    let (mut other, add) = scene.author.pair(&mut scene.seed);
    let mut reborn = scene.author.reborn(&mut scene.seed);
    let head = scene.author.head();
    scene.push(&head, &[add]).await;
    let theirs = other.entry(NOTES, vec![1; 50]);
    let their_head = other.head();
    scene.push(&their_head, std::slice::from_ref(&theirs)).await;
    let again = reborn.entry(NOTES, vec![2; 50]);
    let new_head = reborn.head();
    scene.push(&new_head, std::slice::from_ref(&again)).await;
    let mut expected = [place(&head), place(&their_head), place(&new_head)];
    expected.sort_by_key(|(device, incarnation, _)| (*device, *incarnation));
    assert_eq!(scene.shown().await, expected);
    let read = |feed| scene.store.read(&scene.access, feed, 0, 10);
    assert_eq!(read(other.feed(NOTES)).await.unwrap(), [theirs]);
    assert_eq!(read(reborn.feed(NOTES)).await.unwrap(), [again]);
    assert!(matches!(read(scene.author.feed(NOTES)).await, Err(StoreError::Absent)));
}

/// STO-12: an access to some collections reads no others, and nothing after its time.
pub async fn access_is_kept<S: BlindStore>(make: &dyn Fn(VaultId) -> S) {
    let mut scene = Scene::founded(make).await;
    let (sealed, added) = chunk(&mut scene.seed, 500);
    let named = scene.author.entry_with(MAIL, vec![3; 40], vec![added.clone()]);
    let notes = scene.entries(NOTES, 1);
    let head = scene.author.head();
    scene.store.push(&scene.access, &head, &notes).await.unwrap();
    scene.push(&head, &[named]).await;
    scene.store.put(&scene.access, added.name, &sealed).await.unwrap();

    let vault = scene.author.vault();
    let within = |collections: &[CollectionId], until_ms| Access::Collections {
        vault,
        collections: collections.to_vec(),
        until_ms,
    };
    let (store, author) = (&scene.store, &scene.author);
    let mail = within(&[MAIL], i64::MAX);
    assert_eq!(store.heads(&mail, &[]).await.unwrap().news.len(), 1);
    assert_eq!(store.read(&mail, author.feed(MAIL), 0, 9).await.unwrap().len(), 1);
    let refused = store.read(&mail, author.feed(NOTES), 0, 9).await;
    assert!(matches!(refused, Err(StoreError::Forbidden)), "{refused:?}");

    let late = within(&[MAIL, NOTES], 1);
    let heads = store.heads(&late, &[]).await;
    assert!(matches!(heads, Err(StoreError::Forbidden)));
    let read = store.read(&late, author.feed(MAIL), 0, 9).await;
    assert!(matches!(read, Err(StoreError::Forbidden)));
    assert!(matches!(store.chunk(&late, added.name).await, Err(StoreError::Forbidden)));
    assert!(matches!(store.watch(&late, &[], 1).await, Err(StoreError::Forbidden)));
    let push = store.push(&late, &head, &[]).await;
    assert!(matches!(push, Err(StoreError::Forbidden)));

    let other = Access::Vault(VaultId([9; 32]));
    let read = store.read(&other, author.feed(MAIL), 0, 9).await;
    assert!(matches!(read, Err(StoreError::Absent)));
}

/// STO-10: a chunk comes back as it was put, again and again.
pub async fn chunks_come_back<S: BlindStore>(make: &dyn Fn(VaultId) -> S) {
    let mut scene = Scene::founded(make).await;
    let (sealed, added) = chunk(&mut scene.seed, 70_000);
    let (_, never) = chunk(&mut scene.seed, 10);
    let entry = scene.author.entry_with(NOTES, vec![4; 40], vec![added.clone(), never.clone()]);
    let head = scene.author.head();
    scene.push(&head, &[entry]).await;
    let (store, access) = (&scene.store, &scene.access);
    assert!(matches!(store.chunk(access, added.name).await, Err(StoreError::Absent)));
    for _ in 0..2 {
        store.put(access, added.name, &sealed).await.unwrap();
        assert_eq!(store.chunk(access, added.name).await.unwrap(), sealed);
    }
    assert_eq!(store.has(access, &[added.name, never.name]).await.unwrap(), [true, false]);
    assert!(store.has(access, &[]).await.unwrap().is_empty());
    let empty = store.put(access, added.name, &[]).await;
    assert!(empty.is_err(), "another chunk under the same name");
    assert_eq!(store.chunk(access, added.name).await.unwrap(), sealed);
}

/// STO-11: who waits is woken by a new head, and by the end of the wait.
pub async fn a_watch_wakes<S: BlindStore>(make: &dyn Fn(VaultId) -> S) {
    let mut scene = Scene::founded(make).await;
    let known = scene.shown().await;
    let notes = scene.entries(NOTES, 1);
    let head = scene.author.head();
    let start = std::time::Instant::now();
    let watch = scene.store.watch(&scene.access, &known, 60_000);
    let (woken, ()) = both(watch, scene.push(&head, &notes)).await;
    let woken = woken.unwrap();
    assert_eq!((woken.len(), &woken[0].head), (1, &head));
    assert!(start.elapsed().as_secs() < 30);
    let known = scene.shown().await;
    assert!(scene.store.watch(&scene.access, &known, 30).await.unwrap().is_empty());
    assert!(start.elapsed().as_millis() >= 30);
    assert_eq!(scene.store.watch(&scene.access, &[], 60_000).await.unwrap().len(), 1);
}

/// STO-5: two devices, and two pushes of one device, at the same time.
pub async fn pushes_at_the_same_time<S: BlindStore>(make: &dyn Fn(VaultId) -> S) {
    let mut scene = Scene::founded(make).await;
    let (mut other, add) = scene.author.pair(&mut scene.seed);
    let head = scene.author.head();
    scene.push(&head, &[add]).await;
    let notes = scene.entries(NOTES, 20);
    let head = scene.author.head();
    let theirs: Vec<_> = (0..20u8).map(|n| other.entry(MAIL, vec![n; 99])).collect();
    let their_head = other.head();
    let push_all = async |head, entries: &[aura_protocol::entry::Entry]| {
        for batch in entries.chunks(7) {
            scene.store.push(&scene.access, head, batch).await.unwrap();
        }
    };
    let twice = both(push_all(&head, &notes), push_all(&head, &notes));
    both(twice, push_all(&their_head, &theirs)).await;
    assert_eq!(scene.shown().await.len(), 2);
    assert_eq!(scene.read_all(NOTES).await.unwrap(), notes);
    let read = scene.store.read(&scene.access, other.feed(MAIL), 0, 99).await.unwrap();
    assert_eq!(read, theirs);
}

/// STO-5: over a line that loses calls and answers, asking again leads to the same end.
pub async fn a_bad_line_loses_nothing<S: BlindStore>(make: &dyn Fn(VaultId) -> S) {
    for seed in 0..8 {
        let scene = Scene::founded(make).await;
        let Scene { store, access, author, mut seed } = Scene { seed: Seed::new(seed), ..scene };
        let store = FaultyStore::new(store, Seed::new(seed.below(u64::MAX)), 3);
        let mut scene = Scene { store, access, author, seed };
        let mut all = Vec::new();
        for _ in 0..5 {
            let entries = scene.entries(NOTES, 6);
            let head = scene.author.head();
            let mut batches: Vec<_> = entries.chunks(4).collect();
            batches.reverse();
            while let Some(batch) = batches.last() {
                match scene.store.push(&scene.access, &head, batch).await {
                    Ok(_) => drop(batches.pop()),
                    Err(error) => assert!(is_injected(&error), "{error:?}"),
                }
            }
            all.extend(entries);
        }
        let read = loop {
            match scene.read_all(NOTES).await {
                Ok(read) => break read,
                Err(error) => assert!(is_injected(&error), "{error:?}"),
            }
        };
        assert_eq!(read, all);
    }
}
