// SPDX-License-Identifier: MIT OR Apache-2.0
//! What every way to log in has: how it fails, where its randomness comes from, how it makes guessing dear, and what
//! a login is bound to.

use zeroize::Zeroizing;

use crate::auth::ServerKey;
use crate::label::Label;

/// Why a registration or a login came to nothing. One kind for all that a stranger can bring about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LoginError {
    /// A message is not one.
    #[error("expected a well-formed message of a login")]
    Malformed,
    /// Name, password, secret key or server are not those of the account.
    #[error("the account and what was given for it do not fit together")]
    Refused,
    /// The password could not be stretched: too little memory.
    #[error("expected more free memory for hashing a password")]
    Memory,
}

/// Where random bytes come from: an argument, as everywhere.
pub type Fill<'a> = &'a mut dyn FnMut(&mut [u8]);

/// Makes guessing dear. Only clients do.
pub trait Stretch: Default {
    /// 64 bytes of these 64, at the price of an Argon2id; nothing where the device has too little memory.
    fn stretch(&self, input: &[u8; 64]) -> Option<Zeroizing<[u8; 64]>>;
}

/// ACC-8: a login is between one server and one new device.
pub(super) fn context(server: ServerKey, device: &[u8; 32]) -> Vec<u8> {
    [Label::Login.as_str().as_bytes(), &[0], &server.0.0, device].concat()
}

pub(super) fn array<const N: usize>(bytes: &[u8]) -> Result<[u8; N], LoginError> {
    bytes.try_into().map_err(|_| LoginError::Malformed)
}
