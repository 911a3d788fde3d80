// SPDX-License-Identifier: MIT OR Apache-2.0
//! Generations of root keys, and what a keyring says of itself.
#![allow(clippy::unwrap_used, reason = "a panic is a failed test")]

use aura_protocol::id::Nonce16;

use super::*;

const VAULT: VaultId = VaultId([1; 32]);

fn roots(counter: u32, nonce: u8) -> RootKeys {
    let generation = EpochId { counter, nonce: Nonce16([nonce; 16]) };
    RootKeys::derive(RootKey::from_slice(&[nonce; 32]).unwrap(), VAULT, generation)
}

fn generations(keyring: &Keyring) -> Vec<u32> {
    keyring.generations().map(|roots| roots.generation.counter).collect()
}

/// KRG-1: each generation's root keys are there once, the newest first, in whatever order they come.
#[test]
fn generations_are_there_once_the_newest_first() {
    let mut keyring = Keyring::new(VAULT, roots(2, 2));
    for (counter, nonce) in [(1, 1), (2, 2), (3, 3), (1, 1), (3, 3)] {
        keyring.add_roots(roots(counter, nonce));
    }
    assert_eq!(generations(&keyring), [3, 2, 1]);
    for (counter, nonce, is_there) in [(1, 1, true), (2, 2, true), (3, 3, true), (3, 2, false)] {
        assert_eq!(keyring.has_generation(roots(counter, nonce).generation), is_there);
    }
    // Each opens its own entries of the root collection.
    for counter in 1..=3 {
        let nonce = u8::try_from(counter).unwrap();
        assert!(keyring.key(CollectionId::ROOT, roots(counter, nonce).generation).is_some());
    }
}

#[test]
fn a_keyring_shows_no_key() {
    assert_eq!(format!("{:?}", Keyring::new(VAULT, roots(1, 1))), "Keyring(redacted)");
}
