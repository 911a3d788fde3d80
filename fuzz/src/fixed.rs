// SPDX-License-Identifier: MIT OR Apache-2.0
//! Keys and randomness that are the same in every run, so that what is found can be found again.

use core::array;

use aura_crypto::entropy::Entropy;
use aura_crypto::hpke::DeviceKemSecret;
use aura_crypto::key::{FromKeyBytes, HedgeKey, ObjectKey, RootKey};
use aura_crypto::sign::{DeviceSigningKey, IdentitySigningKey, LogSigningKey};

/// Counts up, and never repeats within an input.
#[derive(Default)]
pub struct Counter(u64);

impl Entropy for Counter {
    fn fill(&mut self, bytes: &mut [u8]) {
        for piece in bytes.chunks_mut(8) {
            self.0 += 1;
            piece.copy_from_slice(&self.0.to_be_bytes()[..piece.len()]);
        }
    }
}

fn filled<K: FromKeyBytes>(with: u8) -> K {
    K::from_fill(&mut |bytes: &mut [u8]| bytes.fill(with))
}

/// The key under which objects are sealed.
pub fn object_key() -> ObjectKey {
    filled(1)
}

/// The key behind the salts.
pub fn hedge_key() -> HedgeKey {
    filled(2)
}

/// The key that signs notes.
pub fn log_key() -> LogSigningKey {
    filled(3)
}

/// The key of the identity.
pub fn identity_key() -> IdentitySigningKey {
    filled(4)
}

/// The keys of the devices, the first of which begins the vault.
pub fn device_keys() -> [DeviceSigningKey; 3] {
    array::from_fn(|at| filled([5, 6, 7][at]))
}

/// The secret that opens what is sealed to somebody.
pub fn kem_secret() -> DeviceKemSecret {
    filled(8)
}

/// The key from which a vault's others follow.
pub fn root_key() -> RootKey {
    filled(9)
}
