// SPDX-License-Identifier: MIT OR Apache-2.0
//! What entries say of a chunk.
//!
//! Whoever is listed may name a chunk of another, with any hash: several may be claimed for one name, and none of
//! the entries speaks for the others. Source: spec/store.md, rule STO-10.

use aura_protocol::id::{CollectionId, Hash};
use aura_protocol::limits::CHUNK_BYTES_MAX;
use aura_protocol::store::StoreError;

/// A chunk as a shown entry names it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Named {
    pub(crate) collection: CollectionId,
    pub(crate) hash: Hash,
    pub(crate) size_bytes: u64,
}

/// What the entries say of a chunk's bytes.
#[derive(Debug, Default)]
pub(crate) struct Claimed(Vec<(Hash, u64)>);

impl Claimed {
    pub(crate) fn of(named: &[Named]) -> Self {
        Self(named.iter().map(|named| (named.hash, named.size_bytes)).collect())
    }

    /// Whether no entry names it.
    pub(crate) fn is_none(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether these are the bytes that some entry names. Megabytes are not hashed for nothing: a new chunk
    /// has neither a name nor a twin yet, and one of another size is another one.
    pub(crate) fn has(&self, bytes: &[u8]) -> bool {
        let mut fitting = self.0.iter().filter(|(_, size)| *size == bytes.len() as u64).peekable();
        fitting.peek().is_some() && {
            let hash = Hash::of(&[bytes]);
            fitting.any(|(named, _)| *named == hash)
        }
    }

    /// Whether a caller whose access extends to this may bring these bytes.
    pub(crate) fn admit(&self, sealed: &[u8]) -> Result<(), StoreError> {
        if sealed.len() > CHUNK_BYTES_MAX {
            return Err(StoreError::Refused("a chunk that is too large"));
        }
        if !self.is_none() && !self.has(sealed) {
            return Err(StoreError::Refused("a chunk that is not what its entry names"));
        }
        Ok(())
    }
}
