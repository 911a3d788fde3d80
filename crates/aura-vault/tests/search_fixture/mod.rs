// SPDX-License-Identifier: MIT OR Apache-2.0
//! Keys, ids and sizes for the search tests.
#![allow(dead_code, reason = "each test file uses its part")]

use aura_crypto::entropy::Entropy;
use aura_crypto::key::{HedgeKey, SearchKey};
use aura_protocol::id::{RecordId, VaultId};
use aura_vault::search::{Keys, Params};
use zeroize::Zeroizing;

/// Counts: never repeats itself, and every run is the same.
struct Counter(u64);

impl Entropy for Counter {
    fn fill(&mut self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            self.0 += 1;
            chunk.copy_from_slice(&self.0.to_le_bytes()[..chunk.len()]);
        }
    }
}

/// The keys of vault number `vault`.
pub(crate) fn keys(vault: u8) -> Keys {
    Keys {
        vault: VaultId([vault; 32]),
        search: SearchKey::from_bytes(Zeroizing::new([vault; 32])),
        hedge: HedgeKey::from_bytes(Zeroizing::new([vault; 32])),
        entropy: Box::new(Counter(u64::from(vault) << 32)),
    }
}

/// A record's id from a number.
pub(crate) fn id(number: u64) -> RecordId {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&number.to_be_bytes());
    bytes[8..].copy_from_slice(&(!number).to_be_bytes());
    RecordId(bytes)
}

/// The number of a record's id.
pub(crate) fn number(id: RecordId) -> u64 {
    u64::from_be_bytes(id.0[..8].try_into().unwrap())
}

/// One thread, little memory.
pub(crate) fn small() -> Params {
    Params { threads: 1, heap_bytes: 15_000_000, cache_bytes: 4 << 20 }
}
