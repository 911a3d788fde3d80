// SPDX-License-Identifier: MIT OR Apache-2.0
//! The name of an account at a server. Source: spec/http.md, rule ACC-1.

use core::fmt;

use crate::codec::{CodecError, Decode, Encode, Reader, Writer};
use crate::limits::ACCOUNT_NAME_BYTES_MAX;

/// Why a text is no account name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NameError {
    /// It is empty or too long.
    #[error("expected an account name of 1 to {ACCOUNT_NAME_BYTES_MAX} characters")]
    Length,
    /// A character that no name may have, or not at its beginning.
    #[error("expected a-z, 0-9 and inside also . _ - + @ in an account name")]
    Character,
}

/// The name of an account: one spelling each, so that no two look alike.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountName(String);

impl AccountName {
    /// The name that this text is (ACC-1).
    ///
    /// # Errors
    /// When it is none.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let bytes = text.as_bytes();
        if bytes.is_empty() || bytes.len() > ACCOUNT_NAME_BYTES_MAX {
            return Err(NameError::Length);
        }
        let is_plain = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let is_inner = |byte: &u8| is_plain(byte) || b"._-+@".contains(byte);
        let begins = bytes.first().is_some_and(is_plain);
        if begins && bytes.iter().all(is_inner) {
            Ok(Self(text.to_owned()))
        } else {
            Err(NameError::Character)
        }
    }

    /// The name's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AccountName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Encode for AccountName {
    fn encode(&self, writer: &mut Writer) {
        writer.text(&self.0);
    }
}

impl Decode for AccountName {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        Self::parse(reader.text()?).map_err(|_| CodecError::Bounds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// ACC-1.
    #[test]
    fn a_name_has_one_spelling() {
        for name in ["a", "ada", "ada.l+home@example.org", "0-0", &"x".repeat(64)] {
            assert_eq!(AccountName::parse(name).unwrap().as_str(), name);
        }
        for name in ["", &"x".repeat(65)] {
            assert_eq!(AccountName::parse(name), Err(NameError::Length));
        }
        for name in ["Ada", ".ada", "@", "a da", "adä", "a\0", "a/b", "a\n", "-a", "a:b", "a%20"] {
            assert_eq!(AccountName::parse(name), Err(NameError::Character), "{name:?}");
        }
    }
}
