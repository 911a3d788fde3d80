// SPDX-License-Identifier: MIT OR Apache-2.0
//! Proofs that a leaf is in a tree, and that one tree begins another.
//!
//! Source: RFC 9162 §2.1.3 and §2.1.4; rules LOG-5 and LOG-6.

use super::{Frontier, empty_root, node_hash};
use crate::id::Hash;

/// A proof does not show what it should.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProofError {
    /// The index or sizes cannot be.
    #[error("expected an index and sizes within the tree")]
    Bounds,
    /// The proof is too short or too long.
    #[error("expected a proof of another length")]
    Length,
    /// The hashes do not lead to the root.
    #[error("expected the proof to lead to the root")]
    Mismatch,
}

fn root_of(leaves: &[Hash]) -> Hash {
    let mut frontier = Frontier::new();
    leaves.iter().for_each(|leaf| frontier.push(*leaf));
    frontier.root()
}

/// The largest power of two below `size`; `size` is at least 2.
fn split(size: usize) -> usize {
    match size.checked_next_power_of_two() {
        Some(power) if power >= size => power >> 1,
        _ => 1 << (usize::BITS - 1),
    }
}

/// The proof that leaf `index` is in the tree of these leaf hashes, lowest sibling first.
pub fn inclusion_proof(leaves: &[Hash], index: usize) -> Option<Vec<Hash>> {
    if index >= leaves.len() {
        return None;
    }
    let (mut rest, mut index, mut proof) = (leaves, index, Vec::new());
    while rest.len() > 1 {
        let (left, right) = rest.split_at_checked(split(rest.len()))?;
        if index < left.len() {
            proof.push(root_of(right));
            rest = left;
        } else {
            proof.push(root_of(left));
            index = index.checked_sub(left.len())?;
            rest = right;
        }
    }
    proof.reverse();
    Some(proof)
}

/// The proof that the tree of the first `old` leaf hashes begins the tree of all of them.
pub fn consistency_proof(leaves: &[Hash], old: usize) -> Option<Vec<Hash>> {
    if old == 0 || old > leaves.len() {
        return None;
    }
    let (mut rest, mut old, mut whole, mut proof) = (leaves, old, true, Vec::new());
    while old < rest.len() {
        let (left, right) = rest.split_at_checked(split(rest.len()))?;
        if old <= left.len() {
            proof.push(root_of(right));
            rest = left;
        } else {
            proof.push(root_of(left));
            old = old.checked_sub(left.len())?;
            rest = right;
            whole = false;
        }
    }
    if !whole {
        proof.push(root_of(rest));
    }
    proof.reverse();
    Some(proof)
}

/// Checks that `leaf` is leaf `index` of the tree with this size and root (LOG-5).
///
/// # Errors
/// When the proof does not show it.
pub fn verify_inclusion(
    leaf: &Hash,
    index: u64,
    tree: (u64, &Hash),
    proof: &[Hash],
) -> Result<(), ProofError> {
    let (size, root) = tree;
    if index >= size {
        return Err(ProofError::Bounds);
    }
    let (mut node, mut last, mut hash) = (index, size.saturating_sub(1), *leaf);
    for sibling in proof {
        if last == 0 {
            return Err(ProofError::Length);
        }
        if node & 1 == 1 || node == last {
            hash = node_hash(sibling, &hash);
            while node & 1 == 0 && node != 0 {
                node >>= 1;
                last >>= 1;
            }
        } else {
            hash = node_hash(&hash, sibling);
        }
        node >>= 1;
        last >>= 1;
    }
    if last != 0 {
        return Err(ProofError::Length);
    }
    if hash == *root { Ok(()) } else { Err(ProofError::Mismatch) }
}

/// Checks that the tree `old` begins the tree `new`, each given as (size, root) (LOG-6).
///
/// # Errors
/// When the proof does not show it.
pub fn verify_consistency(
    old: (u64, &Hash),
    new: (u64, &Hash),
    proof: &[Hash],
) -> Result<(), ProofError> {
    let ((old_size, old_root), (new_size, new_root)) = (old, new);
    if old_size > new_size {
        return Err(ProofError::Bounds);
    }
    // A tree of no leaves has one root only, whoever says otherwise (LOG-3).
    if old_size == 0 && *old_root != empty_root() || new_size == 0 && *new_root != empty_root() {
        return Err(ProofError::Mismatch);
    }
    if old_size == new_size || old_size == 0 {
        return match (proof.is_empty(), old_size == 0 || old_root == new_root) {
            (false, _) => Err(ProofError::Length),
            (true, false) => Err(ProofError::Mismatch),
            (true, true) => Ok(()),
        };
    }
    let mut node = old_size.saturating_sub(1);
    let mut last = new_size.saturating_sub(1);
    let steps = node.trailing_ones();
    node >>= steps;
    last >>= steps;
    let mut rest = proof.iter();
    let seed = if node == 0 { *old_root } else { *rest.next().ok_or(ProofError::Length)? };
    let (mut old_hash, mut new_hash) = (seed, seed);
    for sibling in rest {
        if last == 0 {
            return Err(ProofError::Length);
        }
        if node & 1 == 1 || node == last {
            old_hash = node_hash(sibling, &old_hash);
            new_hash = node_hash(sibling, &new_hash);
            while node & 1 == 0 && node != 0 {
                node >>= 1;
                last >>= 1;
            }
        } else {
            new_hash = node_hash(&new_hash, sibling);
        }
        node >>= 1;
        last >>= 1;
    }
    if last != 0 {
        return Err(ProofError::Length);
    }
    if old_hash == *old_root && new_hash == *new_root { Ok(()) } else { Err(ProofError::Mismatch) }
}
