// SPDX-License-Identifier: MIT OR Apache-2.0
//! Key slots: ways to open the root key, each by a secret of its own.
//!
//! A slot's secret determines an X-Wing key, to which root keys are wrapped without that secret being
//! there, and an Ed25519 key, which confirms devices. Before anything is opened the public halves
//! are compared with the listed ones: a slot opens under one secret only (KEY-04, KEY-06).
//! Statements that list slots are in `aura_protocol::authority`; order and authority are not here.
//! Source: spec/key-slots.md, rules SLT-5 to SLT-11.

use aura_protocol::authority::{PasswordParams, SlotKeys};
use aura_protocol::codec::Writer;
use aura_protocol::id::{CollectionId, DeviceId, EpochId, SlotId, VaultId};
use aura_protocol::label::Label;
use subtle::ConstantTimeEq;

use crate::aead::{Context, OpenError};
use crate::entropy::Entropy;
use crate::hpke::{
    self, DeviceKemSecret, KemPublicKey, KemSecret, RecipientError, SecondLockKemSecret,
    SlotKemSecret,
};
use crate::kdf::{self, Argon2Params, KdfError};
use crate::key::{
    CollectionKey, RecoveryCode, RootKey, SecondFactor, SecondFileKey, SecondLockBase, SecretKey,
    SlotSecret,
};
use crate::password::{self, PasswordError};
use crate::sign::{LabelledSigner as _, SecondFactorSigningKey, SlotSigningKey};
use crate::tree;

/// Why a slot's secret was not computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SlotError {
    /// The password is none that a slot can have.
    #[error(transparent)]
    Password(#[from] PasswordError),
    /// The parameters are out of bounds, or memory ran out.
    #[error(transparent)]
    Kdf(#[from] KdfError),
}

/// Parameters and a new random salt for a password slot.
pub fn password_params(params: Argon2Params, entropy: &mut dyn Entropy) -> PasswordParams {
    let mut salt = [0; 16];
    entropy.fill(&mut salt);
    PasswordParams { memory_kib: params.m_kib, passes: params.t, lanes: params.p, salt }
}

/// The secret of a password slot: from the password, stretched, and the secret key together
/// (SLT-5). Nobody without the secret key can test a guess.
///
/// # Errors
/// [`SlotError`]; parameters are checked before any memory is taken (SLT-6).
pub fn password_secret(
    password: &str,
    secret_key: &SecretKey,
    params: &PasswordParams,
    vault: &VaultId,
    slot: &SlotId,
) -> Result<SlotSecret, SlotError> {
    let stretched = stretch_listed(password, params)?;
    let mut context = Writer::new();
    context.array(6).bytes(vault.as_bytes()).bytes(slot.as_bytes()).bytes(&params.salt);
    for cost in [params.memory_kib, params.passes, params.lanes] {
        context.uint(u64::from(cost));
    }
    let parts = [stretched.as_slice(), secret_key.dangerous_bytes()];
    Ok(kdf::derive_from_parts(&parts, Label::SlotPassword, &context.into_bytes()))
}

/// The secret of a recovery slot (SLT-7).
pub fn recovery_secret(code: &RecoveryCode, vault: &VaultId, slot: &SlotId) -> SlotSecret {
    kdf::derive(code, Label::SlotRecovery, &slot_place(vault, slot))
}

/// The second factor that a second password stands for.
///
/// # Errors
/// As [`password_secret`].
pub fn second_factor(password: &str, params: &PasswordParams) -> Result<SecondFactor, SlotError> {
    Ok(SecondFactor::from_bytes(stretch_listed(password, params)?))
}

fn stretch_listed(
    password: &str,
    params: &PasswordParams,
) -> Result<zeroize::Zeroizing<[u8; 32]>, SlotError> {
    let costs =
        Argon2Params { m_kib: params.memory_kib, t: params.passes, p: params.lanes }.check()?;
    let password = password::normalise(password)?;
    Ok(kdf::stretch(password.as_bytes(), &params.salt, costs)?)
}

/// A slot's secret keys.
#[derive(Debug)]
pub struct SlotSecrets {
    /// Opens what is wrapped to the slot.
    pub kem: SlotKemSecret,
    /// Signs for the slot.
    pub sign: SlotSigningKey,
}

impl SlotSecrets {
    /// The keys that a slot's secret determines (SLT-8).
    pub fn derive(secret: &SlotSecret, vault: &VaultId, slot: &SlotId) -> Self {
        let place = slot_place(vault, slot);
        Self {
            kem: kdf::derive(secret, Label::SlotKem, &place),
            sign: kdf::derive(secret, Label::SlotSign, &place),
        }
    }

    /// The public halves, as the slot's statement lists them.
    pub fn public(&self) -> SlotKeys {
        SlotKeys { sign: self.sign.verifying_key(), kem: self.kem.public_key() }
    }

    /// Whether these are the keys that are listed: otherwise the secret was a wrong one (SLT-9).
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn check(&self, listed: &SlotKeys) -> Result<(), OpenError> {
        are_same(&self.public(), listed)
    }
}

fn are_same(own: &SlotKeys, listed: &SlotKeys) -> Result<(), OpenError> {
    let is_same = own.kem.as_slice().ct_eq(listed.kem.as_slice()) & own.sign.ct_eq(&listed.sign);
    if bool::from(is_same) { Ok(()) } else { Err(OpenError) }
}

/// Wraps a root key to a slot (SLT-10).
///
/// # Errors
/// [`RecipientError`].
pub fn wrap_to_slot(
    root: &RootKey,
    recipient: &KemPublicKey,
    place: (&VaultId, &SlotId, EpochId),
    entropy: &mut dyn Entropy,
) -> Result<Vec<u8>, RecipientError> {
    hpke::seal_to(recipient, &slot_context(place), root.dangerous_bytes(), entropy)
}

/// Unwraps a root key with a slot's secrets, which must be the listed slot's (SLT-9, SLT-10).
///
/// # Errors
/// [`OpenError`], whatever the reason.
pub fn unwrap_from_slot(
    secrets: &SlotSecrets,
    listed: &SlotKeys,
    place: (&VaultId, &SlotId, EpochId),
    wrapped: &[u8],
) -> Result<RootKey, OpenError> {
    secrets.check(listed)?;
    let bytes = hpke::open(&secrets.kem, &slot_context(place), wrapped)?;
    RootKey::from_slice(&bytes).ok_or(OpenError)
}

/// Wraps a root key to a device (SLT-10).
///
/// # Errors
/// [`RecipientError`].
pub fn wrap_to_device(
    root: &RootKey,
    recipient: &KemPublicKey,
    place: (&VaultId, &DeviceId, EpochId),
    entropy: &mut dyn Entropy,
) -> Result<Vec<u8>, RecipientError> {
    hpke::seal_to(recipient, &device_context(place), root.dangerous_bytes(), entropy)
}

/// Unwraps a root key with a device's secret.
///
/// # Errors
/// [`OpenError`], whatever the reason.
pub fn unwrap_from_device(
    secret: &DeviceKemSecret,
    place: (&VaultId, &DeviceId, EpochId),
    wrapped: &[u8],
) -> Result<RootKey, OpenError> {
    let bytes = hpke::open(secret, &device_context(place), wrapped)?;
    RootKey::from_slice(&bytes).ok_or(OpenError)
}

/// A second lock's secret keys.
#[derive(Debug)]
pub struct SecondLockSecrets {
    /// Opens epoch keys that are sealed to the lock.
    pub kem: SecondLockKemSecret,
    /// Signs for the lock.
    pub sign: SecondFactorSigningKey,
    /// Seals the file with the keys of the views behind it.
    pub file: SecondFileKey,
}

impl SecondLockSecrets {
    /// The keys that the base and the second factor determine together (KEY-13).
    pub fn derive(base: &SecondLockBase, factor: &SecondFactor) -> Self {
        Self {
            kem: tree::second_lock_kem_secret(base, factor),
            sign: tree::second_lock_signing_key(base, factor),
            file: tree::second_lock_file_key(base, factor),
        }
    }

    /// The public halves, as the lock's statement lists them.
    pub fn public(&self) -> SlotKeys {
        SlotKeys { sign: self.sign.verifying_key(), kem: self.kem.public_key() }
    }

    /// Whether these are the keys that are listed: otherwise the second factor was a wrong one.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn check(&self, listed: &SlotKeys) -> Result<(), OpenError> {
        are_same(&self.public(), listed)
    }
}

/// Wraps the key of a second-locked collection's epoch to the second lock (SLT-11).
///
/// # Errors
/// [`RecipientError`].
pub fn wrap_to_second_lock(
    key: &CollectionKey,
    recipient: &KemPublicKey,
    place: (&VaultId, &CollectionId, EpochId),
    entropy: &mut dyn Entropy,
) -> Result<Vec<u8>, RecipientError> {
    hpke::seal_to(recipient, &second_lock_context(place), key.dangerous_bytes(), entropy)
}

/// Unwraps the key of a second-locked collection's epoch.
///
/// # Errors
/// [`OpenError`], whatever the reason.
pub fn unwrap_from_second_lock(
    secret: &SecondLockKemSecret,
    place: (&VaultId, &CollectionId, EpochId),
    wrapped: &[u8],
) -> Result<CollectionKey, OpenError> {
    let bytes = hpke::open(secret, &second_lock_context(place), wrapped)?;
    CollectionKey::from_slice(&bytes).ok_or(OpenError)
}

fn slot_place(vault: &VaultId, slot: &SlotId) -> Vec<u8> {
    let mut writer = Writer::new();
    writer.array(2).bytes(vault.as_bytes()).bytes(slot.as_bytes());
    writer.into_bytes()
}

fn slot_context((vault, slot, generation): (&VaultId, &SlotId, EpochId)) -> Context {
    wrap_context(Label::WrapSlot, vault, slot.as_bytes(), generation)
}

fn device_context((vault, device, generation): (&VaultId, &DeviceId, EpochId)) -> Context {
    wrap_context(Label::WrapDevice, vault, device.as_bytes(), generation)
}

fn second_lock_context((vault, collection, epoch): (&VaultId, &CollectionId, EpochId)) -> Context {
    wrap_context(Label::WrapSecondLock, vault, collection.as_bytes(), epoch)
}

fn wrap_context(label: Label, vault: &VaultId, place: &[u8], epoch: EpochId) -> Context {
    Context::new(label)
        .bytes(vault.as_bytes())
        .bytes(place)
        .uint(u64::from(epoch.counter))
        .bytes(epoch.nonce.as_bytes())
}
