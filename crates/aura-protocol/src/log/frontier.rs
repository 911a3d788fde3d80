// SPDX-License-Identifier: MIT OR Apache-2.0
//! The right edge of a Merkle tree: enough to append and to tell the root, in O(log n) hashes.
//!
//! Source: RFC 9162 §2.1; rule LOG-4.

use super::{empty_root, node_hash};
use crate::codec::{CodecError, Decode, Encode, Reader, Writer};
use crate::id::Hash;

/// The roots of the perfect subtrees that make up a tree, largest first, and its size in leaves.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Frontier {
    size: u64,
    subtrees: Vec<Hash>,
}

impl Frontier {
    /// The tree without leaves.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many leaves the tree has.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The roots of the perfect subtrees, largest first.
    pub fn subtrees(&self) -> &[Hash] {
        &self.subtrees
    }

    /// A tree of this size with these subtrees; nothing if they are not as many as it takes (LOG-4).
    pub fn of(size: u64, subtrees: Vec<Hash>) -> Option<Self> {
        (u32::try_from(subtrees.len()) == Ok(size.count_ones())).then_some(Self { size, subtrees })
    }

    /// Appends a whole subtree of 2^`height` leaves by its root. Whether it fits there: the tree's size is a multiple
    /// of the subtree's. What does not changes nothing (ACL-7).
    pub fn push_subtree(&mut self, height: u32, root: Hash) -> bool {
        let Some(leaves) = 1u64.checked_shl(height) else { return false };
        let Some(size) = self.size.checked_add(leaves) else { return false };
        if !self.size.is_multiple_of(leaves) {
            return false;
        }
        let mut node = root;
        // Each trailing one bit of what the size is of such subtrees is one as large as `node` that stands left of it.
        for _ in 0..(self.size >> height).trailing_ones() {
            if let Some(left) = self.subtrees.pop() {
                node = node_hash(&left, &node);
            }
        }
        self.subtrees.push(node);
        self.size = size;
        true
    }

    /// Appends a leaf by its hash.
    pub fn push(&mut self, leaf: Hash) {
        // A tree is never so large that one more does not fit.
        self.push_subtree(0, leaf);
    }

    /// The root.
    pub fn root(&self) -> Hash {
        let mut subtrees = self.subtrees.iter().rev();
        let Some(last) = subtrees.next() else {
            return empty_root();
        };
        subtrees.fold(*last, |right, left| node_hash(left, &right))
    }
}

impl Encode for Frontier {
    fn encode(&self, writer: &mut Writer) {
        writer.array(2).uint(self.size).array(self.subtrees.len());
        for subtree in &self.subtrees {
            writer.bytes(&subtree.0);
        }
    }
}

impl Decode for Frontier {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        reader.tuple(2, |r| {
            let size = r.uint()?;
            let subtrees = r.array(64, |r| r.bytes_exact().map(Hash))?;
            // LOG-4: as many subtrees as the size has one bits, no more and no fewer.
            if u32::try_from(subtrees.len()) != Ok(size.count_ones()) {
                return Err(CodecError::Bounds);
            }
            Ok(Self { size, subtrees })
        })
    }
}
