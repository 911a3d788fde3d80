// SPDX-License-Identifier: MIT OR Apache-2.0
//! Typed ids: a name for each thing that has one, so that none is taken for another.
//!
//! Ids are public. Their text form is lower-case hexadecimal. Source: spec/ids.md, rules IDS-1 to IDS-4.

use core::fmt;

use sha2::{Digest, Sha256};

use crate::label::Label;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident($len:literal);)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub [u8; $len]);

        impl $name {
            /// Length in bytes.
            pub const LEN: usize = $len;

            /// The id's bytes.
            pub fn as_bytes(&self) -> &[u8] { &self.0 }

            /// The id with these bytes, if there are exactly as many as it has.
            pub fn from_slice(bytes: &[u8]) -> Option<Self> {
                bytes.try_into().ok().map(Self)
            }

            /// The id that this text names: exactly its lower- or upper-case hexadecimal form.
            pub fn parse(text: &str) -> Option<Self> {
                let mut bytes = [0u8; $len];
                let text = text.as_bytes();
                if text.len() != $len * 2 { return None; }
                for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
                    let (&[high, low], _) = pair.split_first_chunk::<2>()?;
                    *byte = hex_digit(high)? << 4 | hex_digit(low)?;
                }
                Some(Self(bytes))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }
    )*};
}

fn hex_digit(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

ids! {
    /// A vault: SHA-256 of its signed genesis record.
    VaultId(32);
    /// A collection, as a blind store sees a category.
    CollectionId(16);
    /// A device: the beginning of a labelled SHA-256 of its verifying key.
    DeviceId(16);
    /// One life of a device's feeds; new after a restore, a rebuild or a clone.
    Incarnation(8);
    /// A record. The first 6 bytes are its creation time in milliseconds, the rest is random.
    RecordId(16);
    /// A key slot.
    SlotId(16);
    /// A grant.
    GrantId(16);
    /// An attachment.
    BlobId(16);
    /// A chunk of an attachment, as a store knows it: random.
    ChunkName(16);
    /// Where the messages of a pairing lie: it follows from the code.
    PairingBox(16);
    /// The random half of an epoch or a root generation.
    Nonce16(16);
    /// A SHA-256 value.
    Hash(32);
}

impl CollectionId {
    /// The collection of authority entries: clear and signed.
    pub const AUTHORITY: Self = Self([0; 16]);
    /// The collection in which a vault speaks about itself: sealed under a root-derived key.
    pub const ROOT: Self = Self([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
}

impl DeviceId {
    /// The id of the device with this Ed25519 verifying key (IDS-3).
    pub fn of_key(verifying_key: &[u8; 32]) -> Self {
        let digest = Sha256::new()
            .chain_update(Label::DeviceId.as_str())
            .chain_update([0])
            .chain_update(verifying_key)
            .finalize();
        let mut id = [0; 16];
        id.iter_mut().zip(digest.iter()).for_each(|(to, from)| *to = *from);
        Self(id)
    }
}

impl Hash {
    /// SHA-256 of the parts, one after the other.
    pub fn of(parts: &[&[u8]]) -> Self {
        let mut hasher = Sha256::new();
        parts.iter().for_each(|part| hasher.update(part));
        Self(hasher.finalize().into())
    }
}

/// A generation of a collection's key: (counter, random id), since two devices may start one at
/// the same time. Writers use the highest counter, then the lowest random id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct EpochId {
    /// Counts from 1.
    pub counter: u32,
    /// Random.
    pub nonce: Nonce16,
}

impl EpochId {
    /// The epoch of clear collections, which have no key.
    pub const CLEAR: Self = Self { counter: 0, nonce: Nonce16([0; 16]) };
}

impl Ord for EpochId {
    /// The greater one is the one that writers use.
    fn cmp(&self, other: &Self) -> core::cmp::Ordering {
        self.counter.cmp(&other.counter).then_with(|| other.nonce.cmp(&self.nonce))
    }
}

impl PartialOrd for EpochId {
    fn partial_cmp(&self, other: &Self) -> Option<core::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// A feed: one device's hash-chained entries in one collection, in one incarnation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FeedId {
    /// Whose key seals it.
    pub collection: CollectionId,
    /// Who writes it.
    pub device: DeviceId,
    /// In which life of the device.
    pub incarnation: Incarnation,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_form_comes_back_and_others_are_refused() {
        let id = CollectionId([0xab; 16]);
        assert_eq!(CollectionId::parse(&id.to_string()), Some(id));
        assert_eq!(CollectionId::parse(&id.to_string()[1..]), None);
        assert_eq!(CollectionId::parse(&"zz".repeat(16)), None);
        assert_eq!(CollectionId::parse(&"+1".repeat(16)), None);
    }

    #[test]
    fn writers_use_the_highest_counter_then_the_lowest_nonce() {
        let epoch = |counter, nonce| EpochId { counter, nonce: Nonce16([nonce; 16]) };
        assert!(epoch(2, 9) > epoch(1, 0));
        assert!(epoch(2, 1) > epoch(2, 2));
    }
}
