// SPDX-License-Identifier: MIT OR Apache-2.0
//! How an assistant shows on one device that it is the one that the person connected: by a key that only its client was
//! given, in the hands of the program that used it first.
//!
//! Of the key the vault keeps a hash. Source: spec/consent.md, rule CNS-11.

use aura_protocol::id::{DeviceId, Hash};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::Assistant;
use crate::json;

const CONNECTED: &str = "client/";
const KEY_BYTES: usize = 32;

/// What is known of an assistant's client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Client {
    /// The hash of its key, hexadecimal.
    key: String,
    /// The program that may use it, once one has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub program: Option<String>,
}

/// What becomes of somebody who shows a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shown {
    /// It is the one.
    Genuine,
    /// It is the one, and its program is the first to use the key.
    First(Client),
    /// It is another key.
    WrongKey,
    /// It is the key, in the hands of another program.
    OtherProgram,
}

impl Client {
    /// A new client, and its key: hexadecimal digits.
    pub fn new(fill: impl FnOnce(&mut [u8])) -> (Self, Zeroizing<String>) {
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        fill(bytes.as_mut_slice());
        let mut key = Zeroizing::new(String::with_capacity(2 * KEY_BYTES));
        let digit = |value: u8| char::from_digit(u32::from(value), 16).unwrap_or_default();
        key.extend(bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]));
        (Self { key: hash(&key), program: None }, key)
    }

    /// Holds what somebody shows against what is known; `program` where the system tells which one it is.
    pub fn hold(&self, key: &str, program: Option<&str>) -> Shown {
        // Of 256 random bits: how long comparing their hashes takes tells nothing of use.
        if hash(key) != self.key {
            return Shown::WrongKey;
        }
        match (&self.program, program) {
            (Some(known), Some(program)) if known == program => Shown::Genuine,
            (Some(_), _) => Shown::OtherProgram,
            (None, None) => Shown::Genuine,
            (None, Some(program)) => {
                Shown::First(Self { program: Some(program.to_owned()), ..self.clone() })
            }
        }
    }

    /// Its fact's name.
    pub fn name(device: DeviceId, who: &Assistant) -> String {
        format!("{CONNECTED}{device}/{}", who.name())
    }

    /// The names of the facts of all clients of a device begin so.
    pub fn prefix(device: DeviceId) -> String {
        format!("{CONNECTED}{device}/")
    }

    /// The value of its fact; of one that was taken away, `null`.
    pub fn value(client: Option<&Self>) -> String {
        json::canonical(&serde_json::to_value(client).unwrap_or_default())
    }

    /// The client that a value names, if it is one and was not taken away.
    pub fn read(value: &str) -> Option<Self> {
        serde_json::from_str(value).ok()
    }
}

fn hash(key: &str) -> String {
    Hash::of(&[key.as_bytes()]).to_string()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic is a failed test")]

    use super::*;

    /// CNS-11, attack AST-11: a key that was copied is of no use to another program.
    #[test]
    fn ast_11_a_key_is_for_the_program_that_used_it_first() {
        let (client, key) = Client::new(|bytes| bytes.fill(7));
        assert_eq!(key.as_str(), "07".repeat(32));
        assert_eq!(client.hold("08", Some("/bin/a")), Shown::WrongKey);
        assert_eq!(client.hold("", None), Shown::WrongKey);
        assert_eq!(client.hold(&key, None), Shown::Genuine, "where no system tells");
        let Shown::First(bound) = client.hold(&key, Some("/bin/a")) else { panic!("not bound") };
        assert_eq!(bound.hold(&key, Some("/bin/a")), Shown::Genuine);
        assert_eq!(bound.hold(&key, Some("/bin/b")), Shown::OtherProgram);
        assert_eq!(bound.hold(&key, None), Shown::OtherProgram);
        assert_eq!(bound.hold("08", Some("/bin/a")), Shown::WrongKey);
        let value = Client::value(Some(&bound));
        assert!(!value.contains(key.as_str()));
        assert_eq!(Client::read(&value), Some(bound));
        assert_eq!(Client::read(&Client::value(None)), None);
    }
}
