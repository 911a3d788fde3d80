// SPDX-License-Identifier: MIT OR Apache-2.0
//! Sealing to somebody: HPKE with the hybrid X-Wing, so that what is recorded today stays shut
//! when X25519 falls.
//!
//! Base mode says nothing about the sender. Where that matters, the signed form carries an Ed25519
//! signature inside, over recipient, info and payload; the plain form is for keys that a signed
//! authority statement carries. The two are different functions and neither opens the other's.
//! Source: spec/key-slots.md, rules SLT-1 to SLT-6 (RFC 9180; KEM 0x647a, KDF 1, AEAD 3).

use core::convert::Infallible;
use core::fmt;

use aura_protocol::authority::KEM_KEY_BYTES;
use aura_protocol::codec::Writer;
use aura_protocol::id::Hash;
use aura_protocol::label::Label;
use aura_protocol::signed::{Signature, verify};
use hpke::aead::ChaCha20Poly1305;
use hpke::kdf::HkdfSha256;
use hpke::kem::{Kem as _, XWing};
use hpke::{Deserializable as _, OpModeR, OpModeS, Serializable as _};
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, Zeroizing};

use crate::aead::{Context, OpenError};
use crate::entropy::Entropy;
use crate::key::FromKeyBytes;
use crate::sign::LabelledSigner;

/// Bytes of a public key.
pub const PUBLIC_KEY: usize = KEM_KEY_BYTES;
/// Bytes before the ciphertext: the encapsulated key.
pub const ENCAPSULATED: usize = 1120;
/// Bytes that a payload grows by in the plain form.
pub const OVERHEAD: usize = ENCAPSULATED + 16;

const SIGNATURE: usize = 64;

/// An X-Wing public key, as it travels.
pub type KemPublicKey = [u8; PUBLIC_KEY];

type XWingSecret = <XWing as hpke::Kem>::PrivateKey;

/// The recipient's public key is not one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected an X-Wing public key")]
pub struct RecipientError;

/// The secret half of somebody's X-Wing key.
pub trait KemSecret {
    /// The 32-byte seed that determines it. Copies of it are the caller's to wipe.
    fn dangerous_seed(&self) -> &[u8; 32];

    /// The public half.
    fn public_key(&self) -> Box<KemPublicKey> {
        let mut bytes = Box::new([0; PUBLIC_KEY]);
        XWing::sk_to_pk(&private_key(self.dangerous_seed())).write_exact(bytes.as_mut_slice());
        bytes
    }
}

macro_rules! kem_secrets {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        pub struct $name(Box<[u8; 32]>);

        impl $name {
            /// A new random one.
            pub fn generate(entropy: &mut dyn Entropy) -> Self {
                Self::from_fill(&mut |seed| entropy.fill(seed))
            }

            /// The one that this seed determines.
            pub fn from_seed(seed: Zeroizing<[u8; 32]>) -> Self {
                Self::from_fill(&mut |to| to.copy_from_slice(seed.as_slice()))
            }

            /// Whether both are the same, in constant time.
            pub fn ct_eq(&self, other: &Self) -> bool {
                self.0.as_slice().ct_eq(other.0.as_slice()).into()
            }
        }

        impl KemSecret for $name {
            fn dangerous_seed(&self) -> &[u8; 32] {
                &self.0
            }
        }

        impl FromKeyBytes for $name {
            fn from_fill(fill: &mut dyn FnMut(&mut [u8])) -> Self {
                let mut seed = Box::new([0; 32]);
                fill(seed.as_mut_slice());
                Self(seed)
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

kem_secrets! {
    /// A key slot's: the root key is wrapped to it.
    SlotKemSecret;
    /// A device's.
    DeviceKemSecret;
    /// The vault's identity's, one for each generation of the root key.
    IdentityKemSecret;
    /// The second lock's: epoch keys of second-locked collections are wrapped to it.
    SecondLockKemSecret;
    /// A grant's recipient's.
    GrantKemSecret;
}

/// Seals `payload` to `recipient` for the purpose and place that `info` names (SLT-1 to SLT-3).
///
/// # Errors
/// [`RecipientError`].
pub fn seal_to(
    recipient: &KemPublicKey,
    info: &Context,
    payload: &[u8],
    entropy: &mut dyn Entropy,
) -> Result<Vec<u8>, RecipientError> {
    seal_raw(recipient, &full_info(info, recipient, Form::Plain), payload, entropy)
}

/// Opens what [`seal_to`] made for this secret, purpose and place.
///
/// # Errors
/// [`OpenError`], whatever the reason.
pub fn open(
    secret: &impl KemSecret,
    info: &Context,
    sealed: &[u8],
) -> Result<Zeroizing<Vec<u8>>, OpenError> {
    let info = full_info(info, &secret.public_key(), Form::Plain);
    open_raw(secret, &info, sealed)
}

/// As [`seal_to`], with the sender's signature inside (SLT-4): the recipient knows who sealed it,
/// for whom and for what, and cannot pass it on as sealed to somebody else.
///
/// # Errors
/// [`RecipientError`].
pub fn seal_signed(
    recipient: &KemPublicKey,
    info: &Context,
    payload: &[u8],
    signer: &impl LabelledSigner,
    entropy: &mut dyn Entropy,
) -> Result<Vec<u8>, RecipientError> {
    let info = full_info(info, recipient, Form::Signed);
    let Signature(signature) = signer.sign(Label::SigSealed, &statement(recipient, &info, payload));
    let mut plain = Zeroizing::new(Vec::with_capacity(payload.len().saturating_add(SIGNATURE)));
    plain.extend_from_slice(&signature);
    plain.extend_from_slice(payload);
    seal_raw(recipient, &info, &plain, entropy)
}

/// Opens what [`seal_signed`] made for this secret, purpose and place, signed by `sender`.
///
/// # Errors
/// [`OpenError`], whatever the reason.
pub fn open_signed(
    secret: &impl KemSecret,
    info: &Context,
    sender: &[u8; 32],
    sealed: &[u8],
) -> Result<Zeroizing<Vec<u8>>, OpenError> {
    let recipient = secret.public_key();
    let info = full_info(info, &recipient, Form::Signed);
    let plain = open_raw(secret, &info, sealed)?;
    let (signature, payload) = plain.split_first_chunk::<SIGNATURE>().ok_or(OpenError)?;
    let statement = statement(&recipient, &info, payload);
    verify(sender, Label::SigSealed, &statement, &Signature(*signature)).map_err(|_| OpenError)?;
    Ok(Zeroizing::new(payload.to_vec()))
}

#[derive(Clone, Copy)]
enum Form {
    Plain = 0,
    Signed = 1,
}

/// HPKE's info: canonical CBOR \[context, form, SHA-256 of the recipient's key\] (SLT-2).
fn full_info(info: &Context, recipient: &KemPublicKey, form: Form) -> Vec<u8> {
    let recipient = Hash::of(&[recipient]);
    let mut writer = Writer::new();
    writer.array(3).raw(&info.to_bytes()).uint(form as u64).bytes(recipient.as_bytes());
    writer.into_bytes()
}

/// What the inner signature is over: canonical CBOR \[recipient's key, info, SHA-256 of the
/// payload\] (SLT-4).
fn statement(recipient: &KemPublicKey, info: &[u8], payload: &[u8]) -> Vec<u8> {
    let mut writer = Writer::new();
    writer.array(3).bytes(recipient).bytes(info).bytes(Hash::of(&[payload]).as_bytes());
    writer.into_bytes()
}

/// Whether anything can be sealed to a key: not any bytes of the right length are one.
pub fn is_recipient(recipient: &KemPublicKey) -> bool {
    // What comes of it is thrown away, so what it is made of is of no matter.
    struct Naught;
    impl Entropy for Naught {
        fn fill(&mut self, bytes: &mut [u8]) {
            bytes.fill(0);
        }
    }
    seal_raw(recipient, &[], &[], &mut Naught).is_ok()
}

fn seal_raw(
    recipient: &KemPublicKey,
    info: &[u8],
    plain: &[u8],
    entropy: &mut dyn Entropy,
) -> Result<Vec<u8>, RecipientError> {
    let recipient =
        <XWing as hpke::Kem>::PublicKey::from_bytes(recipient).map_err(|_| RecipientError)?;
    let (encapsulated, ciphertext) =
        hpke::single_shot_seal_with_rng::<ChaCha20Poly1305, HkdfSha256, XWing>(
            &OpModeS::Base,
            &recipient,
            info,
            plain,
            &[],
            &mut Adapter(entropy),
        )
        .map_err(|_| RecipientError)?;
    let mut sealed = encapsulated.to_bytes().to_vec();
    sealed.extend_from_slice(&ciphertext);
    Ok(sealed)
}

fn open_raw(
    secret: &impl KemSecret,
    info: &[u8],
    sealed: &[u8],
) -> Result<Zeroizing<Vec<u8>>, OpenError> {
    let (encapsulated, ciphertext) = sealed.split_at_checked(ENCAPSULATED).ok_or(OpenError)?;
    let encapsulated =
        <XWing as hpke::Kem>::EncappedKey::from_bytes(encapsulated).map_err(|_| OpenError)?;
    hpke::single_shot_open::<ChaCha20Poly1305, HkdfSha256, XWing>(
        &OpModeR::Base,
        &private_key(secret.dangerous_seed()),
        &encapsulated,
        info,
        ciphertext,
        &[],
    )
    .map(Zeroizing::new)
    .map_err(|_| OpenError)
}

#[expect(clippy::expect_used, reason = "the only error is another length than 32 bytes")]
fn private_key(seed: &[u8; 32]) -> XWingSecret {
    XWingSecret::from_bytes(seed).expect("32 bytes")
}

/// Our source of randomness, as the `hpke` crate wants it.
struct Adapter<'a>(&'a mut dyn Entropy);

impl rand_core::TryRng for Adapter<'_> {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.0.fill(&mut bytes);
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes);
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.0.fill(bytes);
        Ok(())
    }
}

impl rand_core::TryCryptoRng for Adapter<'_> {}
