// SPDX-License-Identifier: MIT OR Apache-2.0
//! Merkle logs: roots, inclusion and consistency proofs, and checkpoints that other tools can read.
//!
//! Hashing as in RFC 6962 §2 and RFC 9162 §2.1; checkpoints and notes as in C2SP `tlog-checkpoint` and
//! `signed-note`. Making signatures is not here. Source: spec/audit-log.md, rules LOG-1 to LOG-9;
//! tiles and what a server logs: spec/access-log.md.

mod checkpoint;
mod frontier;
mod proof;
mod tile;

mod access;

pub use access::{AccessEvent, AccessKind, access_log};
pub use checkpoint::{Checkpoint, NoteError, NoteKey, open_note, sealed_note};
pub use frontier::Frontier;
pub use proof::{
    ProofError, consistency_proof, inclusion_proof, verify_consistency, verify_inclusion,
};
pub use tile::{TILE_HEIGHT, TILE_LEVEL_MAX, TILE_WIDTH, TileKind, TilePath};

use crate::id::Hash;

/// The root of a log with nothing in it: SHA-256 of no bytes (LOG-3).
pub fn empty_root() -> Hash {
    Hash::of(&[])
}

/// The hash of a leaf (LOG-1).
pub fn leaf_hash(leaf: &[u8]) -> Hash {
    Hash::of(&[&[0], leaf])
}

/// The hash of two subtrees (LOG-2).
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    Hash::of(&[&[1], &left.0, &right.0])
}
