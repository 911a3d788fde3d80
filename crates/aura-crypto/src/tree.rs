// SPDX-License-Identifier: MIT OR Apache-2.0
//! What hangs from the root key: one function for each arrow of the key tree.
//!
//! Each derivation binds its label, the vault and the root generation. The identity's keys bind the
//! generation only: the vault's id is a hash of the genesis that contains them.
//! Source: spec/keys.md, rules KEY-10 and KEY-13.

use aura_protocol::codec::Writer;
use aura_protocol::id::{EpochId, VaultId};
use aura_protocol::label::Label;

use crate::hpke::{IdentityKemSecret, SecondLockKemSecret};
use crate::kdf::{derive, derive_joint};
use crate::key::{
    CollectionKey, DeviceFileKey, FromKeyBytes, HedgeKey, KeyringKey, RootKey, SecondFactor,
    SecondFileKey, SecondLockBase,
};
use crate::sign::{IdentitySigningKey, SecondFactorSigningKey};

/// The key that signs for the identity of this generation.
pub fn identity_signing_key(root: &RootKey, generation: EpochId) -> IdentitySigningKey {
    derive(root, Label::IdentitySign, &generation_context(generation))
}

/// The key that what is sealed to the identity of this generation opens with.
pub fn identity_kem_secret(root: &RootKey, generation: EpochId) -> IdentityKemSecret {
    derive(root, Label::IdentityKem, &generation_context(generation))
}

/// The key of the collection in which the vault speaks about itself.
pub fn root_collection_key(root: &RootKey, vault: &VaultId, generation: EpochId) -> CollectionKey {
    of_vault(root, Label::RootCollection, vault, generation)
}

/// The key that seals the keys in the keyring.
pub fn keyring_key(root: &RootKey, vault: &VaultId, generation: EpochId) -> KeyringKey {
    of_vault(root, Label::Keyring, vault, generation)
}

/// The key that seals a device's own seeds at rest.
pub fn device_file_key(root: &RootKey, vault: &VaultId, generation: EpochId) -> DeviceFileKey {
    of_vault(root, Label::DeviceFile, vault, generation)
}

/// The key that makes salts unrepeatable.
pub fn hedge_key(root: &RootKey, vault: &VaultId, generation: EpochId) -> HedgeKey {
    of_vault(root, Label::Hedge, vault, generation)
}

/// Half of what opens second-locked collections.
pub fn second_lock_base(root: &RootKey, vault: &VaultId, generation: EpochId) -> SecondLockBase {
    of_vault(root, Label::SecondLockBase, vault, generation)
}

/// What epoch keys of second-locked collections are wrapped to (KEY-13). The base already binds the
/// vault and the generation.
pub fn second_lock_kem_secret(base: &SecondLockBase, factor: &SecondFactor) -> SecondLockKemSecret {
    derive_joint(base, factor, Label::SecondLockKem, &[])
}

/// The key that signs for the second lock (KEY-13).
pub fn second_lock_signing_key(
    base: &SecondLockBase,
    factor: &SecondFactor,
) -> SecondFactorSigningKey {
    derive_joint(base, factor, Label::SecondLockSign, &[])
}

/// The key that seals the file with the keys of the views behind the second lock (KEY-13).
pub fn second_lock_file_key(base: &SecondLockBase, factor: &SecondFactor) -> SecondFileKey {
    derive_joint(base, factor, Label::SecondLockFile, &[])
}

fn of_vault<K: FromKeyBytes>(
    root: &RootKey,
    label: Label,
    vault: &VaultId,
    generation: EpochId,
) -> K {
    let mut writer = Writer::new();
    writer.array(3).bytes(vault.as_bytes()).uint(u64::from(generation.counter));
    writer.bytes(generation.nonce.as_bytes());
    derive(root, label, &writer.into_bytes())
}

fn generation_context(generation: EpochId) -> Vec<u8> {
    let mut writer = Writer::new();
    writer.array(2).uint(u64::from(generation.counter)).bytes(generation.nonce.as_bytes());
    writer.into_bytes()
}
