// SPDX-License-Identifier: MIT OR Apache-2.0
//! What an active store must refuse: whatever a store without a key can see to be wrong.
//!
//! After each refusal the honest device goes on as if nothing had been tried.

use aura_protocol::entry::Entry;
use aura_protocol::head::{Head, Position};
use aura_protocol::id::{ChunkName, CollectionId, Hash, VaultId};
use aura_protocol::signed::{Signature, Signed};
use aura_protocol::store::{Access, BlindStore, Receipt, StoreError};

use super::{MAIL, NOTES, Scene, place};
use crate::author::{Author, chunk};

async fn refused<S: BlindStore>(scene: &Scene<S>, head: &Signed<Head>, entries: &[Entry]) {
    let before = scene.shown().await;
    let answer = scene.store.push(&scene.access, head, entries).await;
    assert!(matches!(answer, Err(StoreError::Refused(_))), "{answer:?}");
    assert_eq!(scene.shown().await, before);
}

async fn forked<S: BlindStore>(scene: &Scene<S>, head: &Signed<Head>, entries: &[Entry]) {
    let before = scene.shown().await;
    let answer = scene.store.push(&scene.access, head, entries).await;
    assert!(matches!(answer, Err(StoreError::Fork)), "{answer:?}");
    assert_eq!(scene.shown().await, before);
}

/// The honest device writes on.
async fn goes_on<S: BlindStore>(scene: &mut Scene<S>) {
    let entries = scene.entries(NOTES, 1);
    let head = scene.author.head();
    scene.push(&head, &entries).await;
    assert!(scene.shown().await.contains(&place(&head)));
}

/// STO-6: an entry comes right after the last one.
pub async fn a_gap_is_refused<S: BlindStore>(make: &dyn Fn(VaultId) -> S) {
    let mut scene = Scene::founded(make).await;
    let notes = scene.entries(NOTES, 5);
    let head = scene.author.head();
    let gap = scene.store.push(&scene.access, &head, &notes[1..]).await;
    let feed = scene.author.feed(NOTES);
    assert!(matches!(gap, Err(StoreError::Gap { feed: f, expected: 1 }) if f == feed), "{gap:?}");
    scene.store.push(&scene.access, &head, &notes[..2]).await.unwrap();
    let holed = [notes[2].clone(), notes[4].clone()];
    let gap = scene.store.push(&scene.access, &head, &holed).await;
    assert!(matches!(gap, Err(StoreError::Gap { expected: 4, .. })), "{gap:?}");
    // A refused batch leaves nothing behind.
    let receipt = scene.store.push(&scene.access, &head, &[]).await.unwrap();
    assert_eq!(receipt, Receipt { missing: vec![(feed, 2)] });
    scene.push(&head, &notes[2..]).await;
    assert_eq!(scene.read_all(NOTES).await.unwrap(), notes);
}

/// STO-7: of two histories of one incarnation the first stays.
pub async fn a_fork_is_refused<S: BlindStore>(make: &dyn Fn(VaultId) -> S) {
    let mut scene = Scene::founded(make).await;
    let mut clone = scene.author.clone();
    let notes = scene.entries(NOTES, 2);
    let head = scene.author.head();
    scene.push(&head, &notes).await;

    let other = clone.entry(NOTES, vec![9; 64]);
    let fork = clone.head();
    forked(&scene, &fork, std::slice::from_ref(&other)).await;
    let later = clone.entry(NOTES, vec![8; 64]);
    let fork = clone.head();
    forked(&scene, &fork, &[other, later]).await;
    let third = clone.entry(NOTES, vec![7; 64]);
    let fork = clone.head();
    forked(&scene, &fork, &[third]).await;
    assert_eq!(scene.read_all(NOTES).await.unwrap(), notes);
    goes_on(&mut scene).await;
}

/// STO-7: a head of the same number that says something else, and one that goes back.
pub async fn a_head_only_goes_forward<S: BlindStore>(make: &dyn Fn(VaultId) -> S) {
    let mut scene = Scene::founded(make).await;
    let notes = scene.entries(NOTES, 3);
    let head = scene.author.head();
    scene.push(&head, &notes).await;
    let claim = head.claim().unwrap();

    let same = scene.author.sign(&Head { clock: claim.clock + 1, ..claim.clone() });
    forked(&scene, &same, &[]).await;
    let shorter = |number| {
        let position = Position { number: 2, hash: notes[1].hash() };
        let feeds =
            claim.feeds.iter().map(|(id, p)| (*id, if *id == NOTES { position } else { *p }));
        Head { number, feeds: feeds.collect(), ..claim.clone() }
    };
    forked(&scene, &scene.author.sign(&shorter(claim.number + 1)), &[]).await;
    let mut dropped = Head { number: claim.number + 1, ..claim.clone() };
    dropped.feeds.retain(|(id, _)| *id != NOTES);
    forked(&scene, &scene.author.sign(&dropped), &[]).await;
    // An older head that the newest one extends is no news, but no lie either.
    scene.push(&scene.author.sign(&Head { previous: Hash([0; 32]), ..shorter(1) }), &[]).await;
    // Nor is one from before there were notes.
    let mut before = Head { previous: Hash([0; 32]), ..shorter(1) };
    before.feeds.retain(|(id, _)| *id != NOTES);
    scene.push(&scene.author.sign(&before), &[]).await;
    // One that names other entries is, in whichever feed.
    for (forged, _) in shorter(1).feeds {
        let mut old_fork = Head { previous: Hash([0; 32]), ..shorter(1) };
        for (_, position) in old_fork.feeds.iter_mut().filter(|(id, _)| *id == forged) {
            position.hash = Hash([5; 32]);
        }
        forked(&scene, &scene.author.sign(&old_fork), &[]).await;
    }
    assert_eq!(scene.shown().await, [place(&head)]);
    goes_on(&mut scene).await;
}

/// STO-3: a head counts with its device's signature only.
pub async fn a_bad_signature_is_refused<S: BlindStore>(make: &dyn Fn(VaultId) -> S) {
    let mut scene = Scene::founded(make).await;
    let notes = scene.entries(NOTES, 1);
    let head = scene.author.head();
    for byte in [0, 31, 32, 63] {
        let mut signature = *head.signature();
        signature.0[byte] ^= 1;
        refused(&scene, &Signed::new(head.payload().to_vec(), signature), &notes).await;
    }
    let stranger = Author::stranger(&mut scene.seed, scene.author.vault());
    refused(&scene, &stranger.sign(&head.claim().unwrap()), &notes).await;
    refused(&scene, &Signed::new(vec![0xa0], *head.signature()), &notes).await;
    refused(&scene, &Signed::new(Vec::new(), Signature([0; 64])), &[]).await;
    scene.push(&head, &notes).await;
}

/// STO-4: a device must be listed, at the latest by what comes with its first head.
pub async fn an_unlisted_device_is_refused<S: BlindStore>(make: &dyn Fn(VaultId) -> S) {
    let mut scene = Scene::founded(make).await;
    let mut stranger = Author::stranger(&mut scene.seed, scene.author.vault());
    let entry = stranger.entry(NOTES, vec![1; 50]);
    let head = stranger.head();
    refused(&scene, &head, &[entry]).await;

    // Listed by another device, once that is known; before, not.
    let (mut paired, add) = scene.author.pair(&mut scene.seed);
    let entry = paired.entry(NOTES, vec![1; 50]);
    let paired_head = paired.head();
    refused(&scene, &paired_head, std::slice::from_ref(&entry)).await;
    let head = scene.author.head();
    scene.push(&head, &[add]).await;
    scene.push(&paired_head, &[entry]).await;

    // Listed by the identity, in the same push.
    let (mut joiner, join) = scene.author.joiner(&mut scene.seed);
    let entry = joiner.entry(NOTES, vec![1; 50]);
    let head = joiner.head();
    refused(&scene, &head, std::slice::from_ref(&entry)).await;
    scene.push(&head, &[join, entry]).await;
    assert_eq!(scene.shown().await.len(), 3);

    // Listed by itself alone.
    let mut liar = Author::stranger(&mut scene.seed, scene.author.vault());
    let (_, own) = liar.clone().joiner(&mut scene.seed);
    let own = liar.entry(CollectionId::AUTHORITY, own.body().to_vec());
    let head = liar.head();
    refused(&scene, &head, &[own]).await;
    goes_on(&mut scene).await;
}

/// STO-4: a revoked device adds nothing beyond its last accepted head; what it had is pushed on.
pub async fn a_revoked_device_is_refused<S: BlindStore>(make: &dyn Fn(VaultId) -> S) {
    let mut scene = Scene::founded(make).await;
    let (mut other, add) = scene.author.pair(&mut scene.seed);
    let head = scene.author.head();
    scene.push(&head, &[add]).await;
    let entry = other.entry(NOTES, vec![1; 50]);
    let last = other.head();
    let (device, incarnation, position) = place(&last);
    let revoke = scene.author.revoke(device, vec![(incarnation, position)]);
    let notes = scene.entries(NOTES, 1);
    let head = scene.author.head();
    scene.store.push(&scene.access, &head, &[revoke]).await.unwrap();
    scene.push(&head, &notes).await;
    scene.push(&last, &[entry]).await;
    let beyond = other.entry(NOTES, vec![2; 50]);
    let head = other.head();
    refused(&scene, &head, &[beyond]).await;
    let mut reborn = other.reborn(&mut scene.seed);
    let entry = reborn.entry(NOTES, vec![3; 50]);
    let head = reborn.head();
    refused(&scene, &head, &[entry]).await;
    goes_on(&mut scene).await;
}

/// STO-2: a push carries its own head's entries and nothing else.
pub async fn entries_of_others_are_refused<S: BlindStore>(make: &dyn Fn(VaultId) -> S) {
    let mut scene = Scene::founded(make).await;
    let (mut other, add) = scene.author.pair(&mut scene.seed);
    let notes = scene.entries(NOTES, 1);
    let head = scene.author.head();
    let theirs = other.entry(NOTES, vec![1; 50]);
    refused(&scene, &head, &[add.clone(), theirs]).await;
    let mut reborn = scene.author.reborn(&mut scene.seed);
    refused(&scene, &head, &[reborn.entry(NOTES, vec![1; 50])]).await;
    let (mut elsewhere, _) = Author::founder(&mut scene.seed);
    refused(&scene, &head, &[elsewhere.entry(NOTES, vec![1; 50])]).await;
    let foreign_head = elsewhere.head();
    refused(&scene, &foreign_head, &[]).await;
    // Beyond what the head covers.
    let later = scene.author.clone().entry(NOTES, vec![1; 50]);
    let batch = [add.clone(), notes[0].clone(), later];
    refused(&scene, &head, &batch).await;
    scene.push(&head, &[add, notes[0].clone()]).await;
}

/// STO-6: made-up entries that were staged under a true head do not block the true ones.
pub async fn staged_junk_gives_way<S: BlindStore>(make: &dyn Fn(VaultId) -> S) {
    let mut scene = Scene::founded(make).await;
    let mut forger = scene.author.clone();
    let notes = scene.entries(NOTES, 4);
    let head = scene.author.head();
    let junk: Vec<_> = (0..4).map(|_| forger.entry(NOTES, vec![6; 60])).collect();

    // The true entries replace the junk.
    scene.store.push(&scene.access, &head, &junk[..3]).await.unwrap();
    scene.push(&head, &notes).await;
    assert_eq!(scene.read_all(NOTES).await.unwrap(), notes);

    // Junk in front of true entries: the device is told where to begin again.
    let more = scene.entries(NOTES, 4);
    let head = scene.author.head();
    let mut forger = scene.author.clone();
    forger.rewind(NOTES, &notes[3]);
    let junk: Vec<_> = (0..4).map(|_| forger.entry(NOTES, vec![6; 60])).collect();
    scene.store.push(&scene.access, &head, &junk[..2]).await.unwrap();
    let told = scene.store.push(&scene.access, &head, &more[2..]).await;
    assert!(matches!(told, Err(StoreError::Gap { expected: 5, .. })), "{told:?}");
    scene.push(&head, &more).await;

    // Junk all the way: refused when it does not lead to the head, then forgotten.
    let last = scene.entries(NOTES, 2);
    let head = scene.author.head();
    forger.rewind(NOTES, &more[3]);
    let junk: Vec<_> = (0..2).map(|_| forger.entry(NOTES, vec![5; 60])).collect();
    refused(&scene, &head, &junk).await;
    let receipt = scene.store.push(&scene.access, &head, &[]).await.unwrap();
    assert_eq!(receipt.missing, [(scene.author.feed(NOTES), 8)]);
    scene.push(&head, &last).await;
}

/// STO-12: an access to some collections pushes to no others.
pub async fn pushes_stay_within_the_access<S: BlindStore>(make: &dyn Fn(VaultId) -> S) {
    let mut scene = Scene::founded(make).await;
    let (mut joiner, join) = scene.author.joiner(&mut scene.seed);
    let enrolment = |collections: &[CollectionId]| Access::Collections {
        vault: scene.author.vault(),
        collections: collections.to_vec(),
        until_ms: i64::MAX,
    };
    let token = enrolment(&[CollectionId::AUTHORITY, CollectionId::ROOT]);
    let first = joiner.head();
    let notes = joiner.entry(NOTES, vec![1; 50]);
    let second = joiner.head();
    let store = &scene.store;
    for (head, entries) in [(&second, vec![join.clone(), notes]), (&second, vec![join.clone()])] {
        let answer = store.push(&token, head, &entries).await;
        assert!(matches!(answer, Err(StoreError::Forbidden)), "{answer:?}");
    }
    let other = enrolment(&[NOTES]);
    let answer = store.push(&other, &first, std::slice::from_ref(&join)).await;
    assert!(matches!(answer, Err(StoreError::Forbidden)), "{answer:?}");
    store.push(&token, &first, &[join]).await.unwrap();
    assert_eq!(scene.shown().await.len(), 2);
}

/// STO-10: a chunk must be named by a shown entry, and be what that names.
pub async fn chunks_are_checked<S: BlindStore>(make: &dyn Fn(VaultId) -> S) {
    let mut scene = Scene::founded(make).await;
    let (sealed, added) = chunk(&mut scene.seed, 3000);
    let (store, access) = (&scene.store, &scene.access);
    let put = store.put(access, added.name, &sealed).await;
    assert!(matches!(put, Err(StoreError::Absent)), "{put:?}");

    let entry = scene.author.entry_with(MAIL, vec![4; 40], vec![added.clone()]);
    let notes = scene.author.entry(NOTES, vec![4; 40]);
    let head = scene.author.head();
    store.push(access, &head, &[entry]).await.unwrap();
    // Staged is not yet shown.
    let put = store.put(access, added.name, &sealed).await;
    assert!(matches!(put, Err(StoreError::Absent)), "{put:?}");
    store.push(access, &head, &[notes]).await.unwrap();

    let mut wrong = sealed.clone();
    wrong[1000] ^= 1;
    for bytes in [&wrong[..], &sealed[..2999], &[]] {
        let put = store.put(access, added.name, bytes).await;
        assert!(matches!(put, Err(StoreError::Refused(_))), "{put:?}");
    }
    assert_eq!(store.has(access, &[added.name]).await.unwrap(), [false]);
    let notes_only = Access::Collections {
        vault: scene.author.vault(),
        collections: vec![NOTES],
        until_ms: i64::MAX,
    };
    let put = store.put(&notes_only, added.name, &sealed).await;
    assert!(matches!(put, Err(StoreError::Forbidden)), "{put:?}");
    store.put(access, added.name, &sealed).await.unwrap();
    let read = store.chunk(&notes_only, added.name).await;
    assert!(matches!(read, Err(StoreError::Forbidden)), "{read:?}");
    assert_eq!(store.has(&notes_only, &[added.name]).await.unwrap(), [false]);
    let absent = store.put(access, ChunkName([3; 16]), &sealed).await;
    assert!(matches!(absent, Err(StoreError::Absent)), "{absent:?}");
}
