// SPDX-License-Identifier: MIT OR Apache-2.0
//! Ed25519 signing keys, one type for each role, and the one form of what they sign.
//!
//! A signature is over label ‖ 0x00 ‖ length (8 bytes, big-endian) ‖ bytes, so that none made for one
//! purpose passes for another. Log and witness keys sign C2SP notes and nothing else, without the
//! prefix: that format is not ours. Verifying needs no secret: `aura_protocol::signed`.
//! Source: spec/keys.md, rules KEY-11 and KEY-12; spec/signatures.md (RFC 8032).

use core::fmt;

use aura_protocol::label::Label;
use aura_protocol::peer::is_greeting;
use aura_protocol::signed::{Signature, message};
use ed25519_dalek::{Signer as _, SigningKey};
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, Zeroizing};

use crate::entropy::Entropy;
use crate::key::FromKeyBytes;

/// A key that signs labelled bytes.
pub trait LabelledSigner {
    /// The signature over label ‖ 0x00 ‖ length ‖ bytes (KEY-11).
    fn sign(&self, label: Label, bytes: &[u8]) -> Signature;

    /// The public half.
    fn verifying_key(&self) -> [u8; 32];
}

/// A key that signs C2SP notes only.
pub trait NoteSigner {
    /// The signature over the note as it is (KEY-12).
    fn sign_note(&self, note: &[u8]) -> Signature;

    /// The public half.
    fn verifying_key(&self) -> [u8; 32];
}

macro_rules! signing_keys {
    ($signer:ident, $($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        pub struct $name(Box<SigningKey>);

        impl $name {
            /// A new random one.
            pub fn generate(entropy: &mut dyn Entropy) -> Self {
                Self::from_fill(&mut |seed| entropy.fill(seed))
            }

            /// The one that this seed determines.
            pub fn from_seed(seed: Zeroizing<[u8; 32]>) -> Self {
                Self(Box::new(SigningKey::from_bytes(&seed)))
            }

            /// The seed. Copies of it are the caller's to wipe.
            pub fn dangerous_seed(&self) -> &[u8; 32] {
                self.0.as_bytes()
            }

            /// Whether both are the same, in constant time.
            pub fn ct_eq(&self, other: &Self) -> bool {
                self.0.as_bytes().ct_eq(other.0.as_bytes()).into()
            }
        }

        impl FromKeyBytes for $name {
            fn from_fill(fill: &mut dyn FnMut(&mut [u8])) -> Self {
                let mut seed = [0; 32];
                fill(&mut seed);
                let key = Self(Box::new(SigningKey::from_bytes(&seed)));
                seed.zeroize();
                key
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(redacted)"))
            }
        }

        signing_keys!(@$signer $name);
    )*};
    (@LabelledSigner $name:ident) => {
        impl LabelledSigner for $name {
            fn sign(&self, label: Label, bytes: &[u8]) -> Signature {
                Signature(self.0.sign(&message(label, bytes)).to_bytes())
            }

            fn verifying_key(&self) -> [u8; 32] {
                self.0.verifying_key().to_bytes()
            }
        }
    };
    (@NoteSigner $name:ident) => {
        impl NoteSigner for $name {
            fn sign_note(&self, note: &[u8]) -> Signature {
                Signature(self.0.sign(note).to_bytes())
            }

            fn verifying_key(&self) -> [u8; 32] {
                self.0.verifying_key().to_bytes()
            }
        }
    };
}

signing_keys! { LabelledSigner,
    /// The vault's identity, one for each generation of the root key.
    IdentitySigningKey;
    /// A device: signs heads and authority statements.
    DeviceSigningKey;
    /// Lets a locked device move ciphertext; signs no head.
    TransportSigningKey;
    /// A key slot: confirms a device, co-signs a revocation.
    SlotSigningKey;
    /// The second factor: confirms a device.
    SecondFactorSigningKey;
}

impl TransportSigningKey {
    /// The signature over what is signed in a handshake of TLS 1.3, as that is; none over anything else (PEE-2).
    pub fn sign_greeting(&self, message: &[u8]) -> Option<Signature> {
        is_greeting(message).then(|| Signature(self.0.sign(message).to_bytes()))
    }
}

signing_keys! { NoteSigner,
    /// Signs the checkpoints of a log.
    LogSigningKey;
    /// Cosigns checkpoints of logs.
    WitnessSigningKey;
}
