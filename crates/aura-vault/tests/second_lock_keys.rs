// SPDX-License-Identifier: MIT OR Apache-2.0
//! Attacks on the keys behind the second lock: KEY-05 (a key that somebody else sealed to it), KEY-12 (an
//! epoch in front of the lock for a collection behind it), KEY-06 (another lock's secrets).
#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic is a failed test")]

mod support;

use aura_crypto::entropy::Entropy;
use aura_crypto::key::{RootKey, SecondFactor};
use aura_crypto::slot::{self, SecondLockSecrets};
use aura_protocol::authority::{PasswordParams, SecondLock};
use aura_protocol::id::{CollectionId, EpochId, Nonce16, VaultId};
use aura_vault::keyring::{Keyring, RootKeys, ViewKeys};
use aura_vault::op::Change;
use support::Bench;

const VAULT: VaultId = VaultId([1; 32]);
const HEALTH: CollectionId = CollectionId([2; 16]);

fn epoch(counter: u32, nonce: u8) -> EpochId {
    EpochId { counter, nonce: Nonce16([nonce; 16]) }
}

fn roots() -> RootKeys {
    RootKeys::derive(RootKey::from_slice(&[3; 32]).unwrap(), VAULT, epoch(1, 1))
}

fn lock(counter: u32, factor: u8) -> (SecondLock, SecondLockSecrets) {
    let params = PasswordParams { memory_kib: 65_536, passes: 3, lanes: 4, salt: [4; 16] };
    let keys = aura_protocol::authority::SlotKeys { sign: [0; 32], kem: Box::new([0; 1216]) };
    let mut listed =
        SecondLock { lock: epoch(counter, factor), generation: epoch(1, 1), params, keys };
    let base = roots().second_base(VAULT, &listed).unwrap();
    let factor = SecondFactor::from_slice(&[factor; 32]).unwrap();
    let secrets = SecondLockSecrets::derive(&base, &factor);
    listed.keys = secrets.public();
    (listed, secrets)
}

fn entropy() -> Box<dyn Entropy + Send> {
    (Bench::new().environment().entropy)()
}

/// A keyring with one epoch behind the lock, shut.
fn shut() -> (Keyring, Change) {
    let mut keyring = Keyring::new(VAULT, roots());
    let (listed, _) = lock(1, 9);
    let op = keyring.start_second_epoch((HEALTH, epoch(1, 5)), &listed, entropy().as_mut());
    (keyring, op.unwrap())
}

/// KEY-13: a second lock hangs from the root keys of one generation, and others do not lead to it.
#[test]
fn root_keys_of_another_generation_are_no_half_of_the_lock() {
    let (listed, _) = lock(1, 9);
    assert!(roots().second_base(VAULT, &listed).is_some());
    for generation in [epoch(2, 1), epoch(1, 2)] {
        let other = SecondLock { generation, ..listed.clone() };
        assert!(roots().second_base(VAULT, &other).is_none());
    }
}

/// KRG-8, attack KEY-12: a key op for a newer epoch, as the first lock alone could make it, does not get a
/// writer to use it; and no epoch of the collection opens while the lock is shut.
#[test]
fn key_12_no_epoch_in_front_of_the_lock_is_written() {
    let (mut keyring, _) = shut();
    let mut other = Keyring::new(VAULT, roots());
    let rogue = other.start_epoch(HEALTH, epoch(7, 7), entropy().as_mut());
    keyring.apply(&rogue).unwrap();
    assert_eq!(keyring.epoch(HEALTH), Some(epoch(1, 5)));
    assert!(keyring.is_shut(HEALTH) && keyring.waiting() == [HEALTH]);
    assert!(keyring.key(HEALTH, epoch(1, 5)).is_none());
    assert!(keyring.key(HEALTH, epoch(7, 7)).is_none());
    keyring.open_second(epoch(1, 9), &lock(1, 9).1);
    assert_eq!(keyring.epoch(HEALTH), Some(epoch(1, 5)));
    assert!(keyring.key(HEALTH, epoch(1, 5)).is_some());
    // What was written before the collection went behind the lock opens together with it.
    assert!(keyring.key(HEALTH, epoch(7, 7)).is_some());
    keyring.shut_second();
    assert!(keyring.key(HEALTH, epoch(1, 5)).is_none());
}

/// KRG-3, attack KEY-05: the lock's public key is known to everybody, but a second key for a place is not taken.
#[test]
fn key_05_the_first_key_of_a_place_stays() {
    let (mut keyring, op) = shut();
    let mut other = Keyring::new(VAULT, roots());
    let (listed, secrets) = lock(1, 9);
    let rogue = other.start_second_epoch((HEALTH, epoch(1, 5)), &listed, entropy().as_mut());
    keyring.apply(&rogue.unwrap()).unwrap();
    keyring.open_second(listed.lock, &secrets);
    let Change::SecondKey { sealed, .. } = &op else { panic!("a second key op") };
    let place = (&VAULT, &HEALTH, epoch(1, 5));
    let genuine = slot::unwrap_from_second_lock(&secrets.kem, place, sealed).unwrap();
    assert!(keyring.key(HEALTH, epoch(1, 5)).unwrap().ct_eq(&genuine));
    // Nor does one that was sealed for another place open here.
    let moved = Change::SecondKey {
        collection: CollectionId([8; 16]),
        epoch: epoch(1, 5),
        lock: listed.lock,
        sealed: sealed.clone(),
    };
    keyring.apply(&moved).unwrap();
    keyring.open_second(listed.lock, &secrets);
    assert!(keyring.key(CollectionId([8; 16]), epoch(1, 5)).is_none());
}

/// KRG-10, attack KEY-06: after a change every key opens under the next lock, and under no other secrets.
#[test]
fn keys_are_sealed_anew_to_the_next_lock() {
    let (mut keyring, _) = shut();
    let (first, first_secrets) = lock(1, 9);
    let (next, next_secrets) = lock(2, 10);
    assert!(keyring.reseal_second(&next, entropy().as_mut()).unwrap().is_empty(), "while shut");
    keyring.shut_second();
    keyring.open_second(first.lock, &first_secrets);
    let ops = keyring.reseal_second(&next, entropy().as_mut()).unwrap();
    assert_eq!(ops.len(), 1);
    keyring.open_second(next.lock, &first_secrets);
    assert!(keyring.key(HEALTH, epoch(1, 5)).is_none(), "the former lock's secrets");
    keyring.open_second(next.lock, &next_secrets);
    assert!(keyring.key(HEALTH, epoch(1, 5)).is_some());
    // The cache carries what is sealed, and never a key behind the lock.
    let views = ViewKeys::generate(entropy().as_mut());
    let file = keyring.to_file(&views, entropy().as_mut());
    let mut cached = Keyring::new(VAULT, roots());
    cached.load_file(&file).unwrap();
    assert!(cached.is_shut(HEALTH) && cached.key(HEALTH, epoch(1, 5)).is_none());
    cached.open_second(next.lock, &next_secrets);
    assert!(cached.key(HEALTH, epoch(1, 5)).is_some());
}

/// KRG-9: the file with the view keys opens under this lock's file key, for this vault and lock.
#[test]
fn the_file_of_the_lock_opens_for_its_lock_only() {
    let (keyring, _) = shut();
    let views = ViewKeys::generate(entropy().as_mut());
    let ((first, secrets), (next, other)) = (lock(1, 9), lock(2, 10));
    let mut random = entropy();
    let mut hedge = keyring.hedge(random.as_mut());
    let file = views.to_second_file(&secrets.file, (VAULT, first.lock), &mut hedge);
    let opens = |key, place| ViewKeys::from_second_file(key, place, &file).is_ok();
    assert!(opens(&secrets.file, (VAULT, first.lock)));
    assert!(!opens(&other.file, (VAULT, first.lock)));
    assert!(!opens(&secrets.file, (VAULT, next.lock)));
    assert!(!opens(&secrets.file, (VaultId([7; 32]), first.lock)));
}
