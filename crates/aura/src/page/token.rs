// SPDX-License-Identifier: MIT OR Apache-2.0
//! What lets a browser in, and what goes with each of its forms: 32 random bytes, of which only the hash is kept.

use std::fmt;

use aura_crypto::entropy::Entropy as _;
use aura_protocol::id::Hash;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use crate::daemon::keeper::SystemEntropy;

const BYTES: usize = 32;

/// A token in hexadecimal digits: nobody guesses it.
#[derive(Clone)]
pub(crate) struct Token(Zeroizing<String>);

impl Token {
    /// A new one.
    pub(crate) fn fresh() -> Self {
        let mut bytes = Zeroizing::new([0; BYTES]);
        SystemEntropy.fill(bytes.as_mut());
        let digit = |value: u8| char::from_digit(u32::from(value), 16).unwrap_or_default();
        let digits = bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]);
        Self(Zeroizing::new(digits.collect()))
    }

    /// Its digits, to hand them to whoever shall show them again.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }

    /// What is kept of it.
    pub(crate) fn hash(&self) -> Hash {
        hash(&self.0)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(redacted)")
    }
}

/// What is kept of the token that somebody shows.
pub(crate) fn hash(shown: &str) -> Hash {
    Hash::of(&[b"aura page token\0", shown.as_bytes()])
}

/// Whether two hashes are the same, in a time that does not depend on them.
pub(crate) fn is_same(one: &Hash, other: &Hash) -> bool {
    one.0.ct_eq(&other.0).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// attack SID-03: what is written for people who look for faults has no token in it.
    #[test]
    fn sid_03_a_token_is_long_differs_and_does_not_show() {
        let (one, other) = (Token::fresh(), Token::fresh());
        assert_eq!(one.reveal().len(), 2 * BYTES);
        assert_ne!(one.reveal(), other.reveal());
        assert_eq!(format!("{one:?}"), "Token(redacted)");
        assert!(is_same(&one.hash(), &hash(one.reveal())) && !is_same(&one.hash(), &other.hash()));
    }
}
