// SPDX-License-Identifier: MIT OR Apache-2.0
//! Keys from keys (HKDF-SHA-512) and keys from passwords (Argon2id).
//!
//! Every derivation names a label from the one registry. Argon2id parameters are checked against
//! compiled-in bounds before any memory is taken, so nothing that a store says makes a guess cheap
//! or exhausts a device; the lanes run in parallel and their memory is wiped.
//! Source: spec/keys.md, rules KEY-5 to KEY-9 (RFC 5869, RFC 9106).

use argon2::{Algorithm, Argon2, Block, Params, Version};
use aura_protocol::label::Label;
use hkdf::HkdfExtract;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha512;
use zeroize::{Zeroize, Zeroizing};

use crate::key::{FromKeyBytes, KeyBytes};

/// HKDF-SHA-512 of `from`, without salt, with info = label ‖ 0x00 ‖ context (KEY-5).
pub fn derive<K: FromKeyBytes>(from: &impl KeyBytes, label: Label, context: &[u8]) -> K {
    derive_from_parts(&[from.dangerous_bytes()], label, context)
}

/// As [`derive`], from two secrets of fixed lengths, one after the other (KEY-6): neither alone
/// says anything about the result.
pub fn derive_joint<K: FromKeyBytes>(
    first: &impl KeyBytes,
    second: &impl KeyBytes,
    label: Label,
    context: &[u8],
) -> K {
    derive_from_parts(&[first.dangerous_bytes(), second.dangerous_bytes()], label, context)
}

pub(crate) fn derive_from_parts<K: FromKeyBytes>(
    parts: &[&[u8]],
    label: Label,
    context: &[u8],
) -> K {
    let mut extract = HkdfExtract::<Sha512>::new(None);
    parts.iter().for_each(|part| extract.input_ikm(part));
    let (mut prk, _) = extract.finalize();
    let info = [label.as_str().as_bytes(), &[0], context];
    let key = K::from_fill(&mut |bytes| expand(&prk, &info, bytes));
    prk.as_mut_slice().zeroize();
    key
}

/// HKDF-Expand-SHA-512 from a pseudorandom key of any length, at most 255 blocks of 64 bytes.
///
/// Written out because the `hkdf` crate takes no pseudorandom key shorter than its hash, while
/// sealed objects start from 32 uniform bytes.
pub(crate) fn expand(prk: &[u8], info: &[&[u8]], out: &mut [u8]) {
    debug_assert!(out.len() <= 255 * 64, "one byte counts the blocks");
    let keyed = keyed_mac(prk);
    let mut previous = Zeroizing::new([0u8; 64]);
    for (counter, block) in (1u8..=255).zip(out.chunks_mut(64)) {
        let mut mac = keyed.clone();
        if counter > 1 {
            mac.update(previous.as_slice());
        }
        info.iter().for_each(|part| mac.update(part));
        mac.update(&[counter]);
        let mut output = mac.finalize().into_bytes();
        previous.copy_from_slice(&output);
        block.iter_mut().zip(&output).for_each(|(to, from)| *to = *from);
        output.as_mut_slice().zeroize();
    }
}

/// HMAC-SHA-512 under a key of any length.
#[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
pub(crate) fn keyed_mac(key: &[u8]) -> Hmac<Sha512> {
    <Hmac<Sha512> as KeyInit>::new_from_slice(key).expect("any length")
}

/// What Argon2id costs. Memory in KiB, then passes, then lanes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Argon2Params {
    /// Memory, KiB.
    pub m_kib: u32,
    /// Passes over the memory.
    pub t: u32,
    /// Lanes.
    pub p: u32,
}

impl Argon2Params {
    /// What new slots use.
    pub const DEFAULT: Self = Self { m_kib: 256 << 10, t: 3, p: 4 };
    /// Nothing cheaper is ever computed.
    pub const FLOOR: Self = Self { m_kib: 64 << 10, t: 3, p: 4 };
    /// Nothing dearer is ever computed.
    pub const CEILING: Self = Self { m_kib: 1 << 20, t: 16, p: 16 };

    /// Refuses what lies outside floor and ceiling (KEY-7).
    ///
    /// # Errors
    /// [`KdfError::Params`] when any of the three does.
    pub fn check(self) -> Result<Self, KdfError> {
        let within = |value: u32, low: u32, high: u32| (low..=high).contains(&value);
        let (low, high) = (Self::FLOOR, Self::CEILING);
        if within(self.m_kib, low.m_kib, high.m_kib)
            && within(self.t, low.t, high.t)
            && within(self.p, low.p, high.p)
        {
            Ok(self)
        } else {
            Err(KdfError::Params)
        }
    }
}

/// Why a password was not stretched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KdfError {
    /// The parameters are below the floor or above the ceiling.
    #[error("expected password hashing parameters within the compiled-in bounds")]
    Params,
    /// The device has too little memory.
    #[error("expected more free memory for hashing a password")]
    Memory,
}

/// Argon2id, version 1.3, of `password`, 32 bytes (KEY-8).
///
/// # Errors
/// [`KdfError::Params`], decided before any memory is taken; [`KdfError::Memory`].
pub fn stretch(
    password: &[u8],
    salt: &[u8; 16],
    params: Argon2Params,
) -> Result<Zeroizing<[u8; 32]>, KdfError> {
    argon2id(password, salt, params)
}

/// As [`stretch`], of any bytes, as many as are asked for.
pub(crate) fn argon2id<const N: usize>(
    password: &[u8],
    salt: &[u8; 16],
    params: Argon2Params,
) -> Result<Zeroizing<[u8; N]>, KdfError> {
    let Argon2Params { m_kib, t, p } = params.check()?;
    let params = Params::new(m_kib, t, p, Some(N)).map_err(|_| KdfError::Params)?;
    let mut memory = Memory::take(params.block_count())?;
    let mut out = Zeroizing::new([0; N]);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into_with_memory(password, salt, out.as_mut_slice(), &mut memory.0)
        .map_err(|_| KdfError::Params)?;
    Ok(out)
}

/// Argon2's working memory, wiped on drop: its last blocks determine the result.
struct Memory(Vec<Block>);

impl Memory {
    fn take(blocks: usize) -> Result<Self, KdfError> {
        let mut memory = Vec::new();
        memory.try_reserve_exact(blocks).map_err(|_| KdfError::Memory)?;
        memory.resize(blocks, Block::default());
        Ok(Self(memory))
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        self.0.iter_mut().for_each(Zeroize::zeroize);
    }
}

#[cfg(test)]
mod tests;
