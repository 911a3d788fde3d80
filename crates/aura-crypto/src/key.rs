// SPDX-License-Identifier: MIT OR Apache-2.0
//! One type for each purpose of a secret, so that no key can be used for another's job.
//!
//! Bytes live in one heap allocation, are wiped on drop, and are compared in constant time. There is
//! deliberately no Clone, Copy, Display, LowerHex, Serialize, Default or PartialEq: a secret leaves
//! its type only through `dangerous_bytes`, which is easy to search for.
//! Source: spec/keys.md, rules KEY-1 to KEY-4. Lengths in bytes.

use core::fmt;

use subtle::ConstantTimeEq;
use zeroize::{Zeroize, Zeroizing};

use crate::entropy::Entropy;

/// A secret whose bytes a derivation may start from.
pub trait KeyBytes {
    /// The secret itself. Copies of it are the caller's to wipe.
    fn dangerous_bytes(&self) -> &[u8];
}

/// A secret that a derivation may produce.
pub trait FromKeyBytes: Sized {
    /// The secret whose bytes `fill` writes, in place.
    fn from_fill(fill: &mut dyn FnMut(&mut [u8])) -> Self;
}

/// A key that objects may be sealed under directly (32 bytes, uniform).
pub trait SealingKey: KeyBytes {}

macro_rules! secrets {
    ($($(#[$doc:meta])* $name:ident($len:literal);)*) => {$(
        $(#[$doc])*
        pub struct $name(Box<[u8; $len]>);

        impl $name {
            /// Length in bytes.
            pub const LEN: usize = $len;

            /// A new random one.
            pub fn generate(entropy: &mut dyn Entropy) -> Self {
                Self::from_fill(&mut |bytes| entropy.fill(bytes))
            }

            /// The one with these bytes.
            pub fn from_bytes(bytes: Zeroizing<[u8; $len]>) -> Self {
                Self::from_fill(&mut |to| to.copy_from_slice(bytes.as_slice()))
            }

            /// The one with these bytes, if there are exactly as many as it has.
            pub fn from_slice(bytes: &[u8]) -> Option<Self> {
                let bytes: &[u8; $len] = bytes.try_into().ok()?;
                Some(Self::from_fill(&mut |to| to.copy_from_slice(bytes)))
            }

            /// The secret itself. Copies of it are the caller's to wipe.
            pub fn dangerous_bytes(&self) -> &[u8; $len] {
                &self.0
            }

            /// Whether both are the same, in constant time.
            pub fn ct_eq(&self, other: &Self) -> bool {
                self.0.as_slice().ct_eq(other.0.as_slice()).into()
            }
        }

        impl KeyBytes for $name {
            fn dangerous_bytes(&self) -> &[u8] {
                self.0.as_slice()
            }
        }

        impl FromKeyBytes for $name {
            fn from_fill(fill: &mut dyn FnMut(&mut [u8])) -> Self {
                let mut boxed = Box::new([0; $len]);
                fill(boxed.as_mut_slice());
                Self(boxed)
            }
        }

        impl Drop for $name {
            fn drop(&mut self) {
                self.0.zeroize();
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(redacted)"))
            }
        }
    )*};
}

secrets! {
    /// The key of the whole vault: every slot wraps it, every other key hangs from it.
    RootKey(32);
    /// Seals the keys that the keyring holds.
    KeyringKey(32);
    /// Opens one epoch of one collection. Random, so that it can be given away and forgotten.
    CollectionKey(32);
    /// Seals one family of objects: one entry, one index file.
    ObjectKey(32);
    /// Seals one attachment. Random, carried by the op that adds it.
    AttachmentKey(32);
    /// Parent of the keys of search index files.
    SearchKey(32);
    /// Raw key of the local database.
    DatabaseKey(32);
    /// Parent of the keys of audit events.
    AuditKey(32);
    /// Seals the device's own seeds at rest.
    DeviceFileKey(32);
    /// Makes salts unrepeatable even where randomness repeats.
    HedgeKey(32);
    /// What a grant's recipient opens with.
    GrantSecret(32);
    /// The person's secret key: 128 random bits, moved only by pairing or the printed kit.
    SecretKey(16);
    /// The recovery code: 160 random bits, printed.
    RecoveryCode(20);
    /// What pairs two devices: 128 random bits, shown on one and typed at the other, once.
    PairingCode(16);
    /// Seals one message of a pairing.
    PairingKey(32);
    /// The name of the box that a pairing's messages lie in, which is no secret to the store that has it.
    BoxName(16);
    /// What a slot's own keys are derived from.
    SlotSecret(32);
    /// Half of what opens second-locked collections; the other is the second factor.
    SecondLockBase(32);
    /// Seals the file with the keys of the views behind the second lock.
    SecondFileKey(32);
    /// The second factor's secret: a stretched second password, or from hardware.
    SecondFactor(32);
    /// What a login at a server is given as the password.
    LoginInput(64);
}

impl SealingKey for ObjectKey {}
impl SealingKey for AttachmentKey {}
impl SealingKey for KeyringKey {}
impl SealingKey for DeviceFileKey {}
impl SealingKey for SecondFileKey {}
impl SealingKey for PairingKey {}
