// SPDX-License-Identifier: MIT OR Apache-2.0
//! By what devices of a vault know each other on a network, while nobody else does.
//!
//! A veil is a random salt and what a hash makes of it and the vault's id. Whoever knows that id sees whether a veil is of
//! it; to whoever does not, two veils have nothing in common. It lets nobody in: that takes a key.
//! Source: spec/peer.md, rules PEE-4 and PEE-9.

use core::fmt;

use crate::id::{Hash, VaultId};
use crate::label::Label;

/// Bytes of the salt.
const SALT_BYTES: usize = 12;
/// Bytes that are kept of the hash.
const MARK_BYTES: usize = 16;
/// Digits of a veil's text.
pub const VEIL_TEXT_LEN: usize = 2 * (SALT_BYTES + MARK_BYTES);

/// What a veil is worn for. One is none for the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Occasion {
    /// To be found.
    Announce,
    /// To be answered.
    Hello,
}

/// A salt, and what only those who know the vault's id can tell from chance.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Veil {
    salt: [u8; SALT_BYTES],
    mark: [u8; MARK_BYTES],
}

impl Veil {
    /// The veil of a vault under a random salt, of which no more than it takes is used.
    pub fn new(vault: VaultId, occasion: Occasion, random: &[u8; 32]) -> Self {
        let mut salt = [0; SALT_BYTES];
        salt.iter_mut().zip(random).for_each(|(to, from)| *to = *from);
        Self { salt, mark: mark(vault, occasion, &salt) }
    }

    /// Whether it is one of this vault.
    pub fn is_of(&self, vault: VaultId, occasion: Occasion) -> bool {
        self.mark == mark(vault, occasion, &self.salt)
    }

    /// The veil that this text is: lower-case hexadecimal digits.
    pub fn parse(text: &str) -> Option<Self> {
        let digit = |byte: u8| match byte {
            b'0'..=b'9' => byte.checked_sub(b'0'),
            b'a'..=b'f' => byte.checked_sub(b'a' - 10),
            _ => None,
        };
        let text = text.as_bytes();
        if text.len() != VEIL_TEXT_LEN {
            return None;
        }
        let mut bytes = [0; SALT_BYTES + MARK_BYTES];
        for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
            let &[high, low] = pair else { return None };
            *byte = digit(high)? << 4 | digit(low)?;
        }
        let (salt, mark) = bytes.split_first_chunk::<SALT_BYTES>()?;
        Some(Self { salt: *salt, mark: mark.try_into().ok()? })
    }
}

impl fmt::Display for Veil {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.salt.iter().chain(&self.mark).try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Veil {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Veil({self})")
    }
}

fn mark(vault: VaultId, occasion: Occasion, salt: &[u8; SALT_BYTES]) -> [u8; MARK_BYTES] {
    let label = match occasion {
        Occasion::Announce => Label::PeerAnnounce,
        Occasion::Hello => Label::PeerHello,
    };
    let Hash(hash) = Hash::of(&[label.as_str().as_bytes(), &[0], &vault.0, salt]);
    let mut mark = [0; MARK_BYTES];
    mark.iter_mut().zip(hash).for_each(|(to, from)| *to = from);
    mark
}

#[cfg(test)]
mod tests {
    use super::*;

    /// PEE-4, PEE-9: known to whoever knows the vault, on its occasion, and to nobody else.
    #[test]
    fn pee_9_a_veil_is_of_one_vault_and_occasion() {
        let vault = VaultId([1; 32]);
        for occasion in [Occasion::Announce, Occasion::Hello] {
            let veil = Veil::new(vault, occasion, &[5; 32]);
            assert!(veil.is_of(vault, occasion));
            assert!(!veil.is_of(VaultId([2; 32]), occasion));
            let text = veil.to_string();
            assert_eq!(text.len(), VEIL_TEXT_LEN);
            assert_eq!(Veil::parse(&text), Some(veil));
            for at in 0..text.len() {
                let mut wrong = text.clone().into_bytes();
                wrong[at] = if wrong[at] == b'0' { b'1' } else { b'0' };
                let wrong = Veil::parse(core::str::from_utf8(&wrong).unwrap()).unwrap();
                assert!(!wrong.is_of(vault, occasion), "{at}");
            }
        }
        let announced = Veil::new(vault, Occasion::Announce, &[5; 32]);
        assert!(!announced.is_of(vault, Occasion::Hello), "one is none for the other");
        let again = Veil::new(vault, Occasion::Announce, &[6; 32]).to_string();
        let same = announced.to_string().bytes().zip(again.bytes()).filter(|(a, b)| a == b).count();
        assert!(same < VEIL_TEXT_LEN / 2, "two have nothing in common");
    }

    #[test]
    fn what_is_no_veil_is_none_and_no_panic() {
        let text = "0".repeat(VEIL_TEXT_LEN);
        assert!(Veil::parse(&text).is_some());
        let wrong = [
            String::new(),
            text[1..].to_owned(),
            format!("{text}0"),
            text.replace("00", "0A"),
            text.replace("00", "0g"),
            format!("é{}", &text[2..]),
        ];
        for wrong in wrong {
            assert_eq!(Veil::parse(&wrong), None, "{wrong}");
        }
    }
}
