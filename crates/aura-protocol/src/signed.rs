// SPDX-License-Identifier: MIT OR Apache-2.0
//! A claim and a checked claim are different types: `Signed<T>` becomes `Verified<T>` only through a key.
//!
//! What is signed is `label ‖ 0x00 ‖ length (8 bytes, big-endian) ‖ payload`, so that a signature made
//! for one type is none for another. Verification is strict (RFC 8032, no small-order keys, no malleable
//! signatures) and works on the bytes received, never on a re-encoding.
//! Making signatures is not here: `aura_crypto::sign`. Source: spec/signatures.md, rules SIG-1 to SIG-5.

use core::marker::PhantomData;

use ed25519_dalek::{Signature as DalekSignature, VerifyingKey};

use crate::codec::{CodecError, Decode, Encode, Reader, Writer};
use crate::id::Hash;
use crate::label::Label;

/// A type that is signed under a label of its own.
pub trait Signable: Decode {
    /// What its signatures are for.
    const LABEL: Label;
    /// The largest encoding, in bytes.
    const BYTES_MAX: usize;
}

/// Why a signed value was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignedError {
    /// The signature is not one of this key over these bytes.
    #[error("expected a valid signature")]
    Signature,
    /// The payload does not decode.
    #[error("expected a well-formed payload")]
    Payload(#[source] CodecError),
}

/// An Ed25519 signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signature(pub [u8; 64]);

/// The bytes that a signature of `payload` under `label` covers (SIG-1).
pub fn message(label: Label, payload: &[u8]) -> Vec<u8> {
    let label = label.as_str().as_bytes();
    let mut bytes = Vec::with_capacity(label.len() + 9 + payload.len());
    bytes.extend_from_slice(label);
    bytes.push(0);
    bytes.extend((payload.len() as u64).to_be_bytes());
    bytes.extend_from_slice(payload);
    bytes
}

/// Checks a signature over raw bytes, strictly (SIG-2).
///
/// # Errors
/// When it is not a signature of this key.
pub fn verify_raw(key: &[u8; 32], bytes: &[u8], signature: &Signature) -> Result<(), SignedError> {
    let key = key_of(key).ok_or(SignedError::Signature)?;
    key.verify_strict(bytes, &DalekSignature::from_bytes(&signature.0))
        .map_err(|_| SignedError::Signature)
}

/// Whether these bytes are a verifying key that [`verify_raw`] can accept a signature of: the one
/// encoding of a point that is not of small order (SIG-2).
pub fn is_key(key: &[u8; 32]) -> bool {
    key_of(key).is_some_and(|key| !key.is_weak())
}

/// The curve library takes a y-coordinate of p or more for its remainder, which would give one key two
/// encodings and so one device two ids.
fn key_of(bytes: &[u8; 32]) -> Option<VerifyingKey> {
    let [low, middle @ .., high] = bytes;
    let is_below_p = *low < 0xed || high & 0x7f != 0x7f || middle.iter().any(|byte| *byte != 0xff);
    if is_below_p { VerifyingKey::from_bytes(bytes).ok() } else { None }
}

/// Checks a signature over a labelled payload, strictly (SIG-1, SIG-2).
///
/// # Errors
/// When it is not a signature of this key.
pub fn verify(
    key: &[u8; 32],
    label: Label,
    payload: &[u8],
    signature: &Signature,
) -> Result<(), SignedError> {
    verify_raw(key, &message(label, payload), signature)
}

/// A payload and a signature that nobody has checked yet.
pub struct Signed<T> {
    payload: Vec<u8>,
    signature: Signature,
    of: PhantomData<fn() -> T>,
}

impl<T: Signable> Signed<T> {
    /// Puts a payload and its signature together.
    pub fn new(payload: Vec<u8>, signature: Signature) -> Self {
        Self { payload, signature, of: PhantomData }
    }

    /// The signed bytes.
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// The signature.
    pub fn signature(&self) -> &Signature {
        &self.signature
    }

    /// SHA-256 of the signed bytes alone: two signatures of the same payload are one claim (SIG-4).
    pub fn hash(&self) -> Hash {
        Hash::of(&[&self.payload])
    }

    /// What the payload says, unchecked: only for finding out whose key must verify it.
    ///
    /// # Errors
    /// When the payload does not decode.
    pub fn claim(&self) -> Result<T, SignedError> {
        T::from_bytes(&self.payload, T::BYTES_MAX).map_err(SignedError::Payload)
    }

    /// Whether `key` signed it (SIG-3). Says nothing of whether the payload decodes.
    pub fn is_signed_by(&self, key: &[u8; 32]) -> bool {
        verify(key, T::LABEL, &self.payload, &self.signature).is_ok()
    }

    /// The value, if `key` signed it (SIG-3).
    ///
    /// # Errors
    /// When the signature is not this key's or the payload does not decode.
    pub fn verify(self, key: &[u8; 32]) -> Result<Verified<T>, SignedError> {
        verify(key, T::LABEL, &self.payload, &self.signature)?;
        let value = self.claim()?;
        Ok(Verified { value, signed: self })
    }
}

impl<T> Clone for Signed<T> {
    fn clone(&self) -> Self {
        Self { payload: self.payload.clone(), signature: self.signature, of: PhantomData }
    }
}

impl<T> PartialEq for Signed<T> {
    fn eq(&self, other: &Self) -> bool {
        self.payload == other.payload && self.signature == other.signature
    }
}

impl<T> core::fmt::Debug for Signed<T> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Signed({} bytes)", self.payload.len())
    }
}

impl<T: Signable> Encode for Signed<T> {
    fn encode(&self, writer: &mut Writer) {
        writer.array(2).bytes(&self.payload).bytes(&self.signature.0);
    }
}

impl<T: Signable> Decode for Signed<T> {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        reader.tuple(2, |reader| {
            let payload = reader.bytes()?;
            // SIG-5: each type has its largest size, held before anything is copied.
            if payload.len() > T::BYTES_MAX {
                return Err(CodecError::Bounds);
            }
            Ok(Self::new(payload.to_vec(), Signature(reader.bytes_exact()?)))
        })
    }
}

/// A value whose signature was checked.
#[derive(Debug, Clone)]
pub struct Verified<T> {
    value: T,
    signed: Signed<T>,
}

impl<T> Verified<T> {
    /// What was signed.
    pub fn signed(&self) -> &Signed<T> {
        &self.signed
    }

    /// The value alone.
    pub fn into_value(self) -> T {
        self.value
    }
}

impl<T> core::ops::Deref for Verified<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}
