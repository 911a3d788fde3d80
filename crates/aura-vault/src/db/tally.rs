// SPDX-License-Identifier: MIT OR Apache-2.0
//! Counts and sums by category, from which the state hash follows without reading every record.
//!
//! A category's sum adds the leaves of its live records as 256-bit numbers, so that the order in which
//! they came does not matter and one record's change costs one subtraction and one addition. It tells
//! honest devices whether they have the same records; it is not what keeps a store honest (heads are).
//! Source: spec/ops.md, rules OPS-16 and OPS-17.

use std::collections::BTreeMap;

use aura_protocol::label::Label;
use rusqlite::{Connection, params};
use sha2::{Digest, Sha256};

use super::DbError;
use crate::record::Category;

/// Live records and the sum of their leaves, by category.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally(BTreeMap<Category, (u64, [u8; 32])>);

impl Tally {
    pub(super) fn load(connection: &Connection) -> Result<Self, DbError> {
        let mut statement = connection.prepare_cached("SELECT category, count, sum FROM tally")?;
        let mut found = statement.query([])?;
        let mut tally = Self::default();
        while let Some(row) = found.next()? {
            let category = Category::from_code(row.get(0)?).ok_or(DbError::Damaged)?;
            let count = u64::try_from(row.get::<_, i64>(1)?).map_err(|_| DbError::Damaged)?;
            let sum: Vec<u8> = row.get(2)?;
            let sum = sum.try_into().map_err(|_| DbError::Damaged)?;
            tally.0.insert(category, (count, sum));
        }
        Ok(tally)
    }

    pub(super) fn save(&self, connection: &Connection) -> Result<(), DbError> {
        let mut statement = connection.prepare_cached(
            "INSERT INTO tally (category, count, sum) VALUES (?1, ?2, ?3)
             ON CONFLICT (category) DO UPDATE SET count = ?2, sum = ?3",
        )?;
        for (category, (count, sum)) in &self.0 {
            let count = i64::try_from(*count).map_err(|_| DbError::Damaged)?;
            statement.execute(params![category.code(), count, sum.as_slice()])?;
        }
        Ok(())
    }

    /// The counts and sums of other categories as well.
    pub fn join(&mut self, other: Self) {
        for (category, (count, sum)) in other.0 {
            let (own, own_sum) = self.0.entry(category).or_default();
            *own = own.saturating_add(count);
            add(own_sum, &sum);
        }
    }

    /// One more live record.
    pub fn add(&mut self, category: Category, leaf: &[u8; 32]) {
        let (count, sum) = self.0.entry(category).or_default();
        *count = count.saturating_add(1);
        add(sum, leaf);
    }

    /// One live record less.
    pub fn remove(&mut self, category: Category, leaf: &[u8; 32]) {
        let (count, sum) = self.0.entry(category).or_default();
        *count = count.saturating_sub(1);
        let mut negative = leaf.map(|byte| !byte);
        let mut one = [0; 32];
        if let Some(last) = one.last_mut() {
            *last = 1;
        }
        add(&mut negative, &one);
        add(sum, &negative);
    }

    /// How many live records each category has; those with none are left out.
    pub fn counts(&self) -> impl Iterator<Item = (Category, u64)> {
        self.0
            .iter()
            .map(|(category, (count, _))| (*category, *count))
            .filter(|(_, count)| *count > 0)
    }

    /// Live records in all.
    pub fn total(&self) -> u64 {
        self.counts().map(|(_, count)| count).sum()
    }

    /// The hash of a category's live records; the same for every device that has the same ones.
    pub fn category_hash(&self, category: Category) -> [u8; 32] {
        let (count, sum) = self.0.get(&category).copied().unwrap_or_default();
        Sha256::new()
            .chain_update(Label::StateCategory.as_str())
            .chain_update([0, category.code()])
            .chain_update(count.to_be_bytes())
            .chain_update(sum)
            .finalize()
            .into()
    }

    /// SHA-256 of the sorted category hashes of categories that have records (OPS-17).
    pub fn state_hash(&self) -> [u8; 32] {
        let mut hashes: Vec<_> =
            self.counts().map(|(category, _)| self.category_hash(category)).collect();
        hashes.sort_unstable();
        let mut hasher = Sha256::new();
        hashes.iter().for_each(|hash| hasher.update(hash));
        hasher.finalize().into()
    }
}

/// Adds as big-endian numbers, modulo 2^256.
fn add(sum: &mut [u8; 32], leaf: &[u8; 32]) {
    let mut carry = 0u16;
    for (to, from) in sum.iter_mut().zip(leaf).rev() {
        let digit = u16::from(*to).saturating_add(u16::from(*from)).saturating_add(carry);
        let [high, low] = digit.to_be_bytes();
        *to = low;
        carry = u16::from(high);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn order_does_not_matter_and_removing_undoes(
            leaves in prop::collection::vec(any::<[u8; 32]>(), 1..20),
            extra in any::<[u8; 32]>(),
        ) {
            let mut forward = Tally::default();
            let mut backward = Tally::default();
            leaves.iter().for_each(|leaf| forward.add(Category::Notes, leaf));
            backward.add(Category::Notes, &extra);
            leaves.iter().rev().for_each(|leaf| backward.add(Category::Notes, leaf));
            prop_assert_ne!(forward.state_hash(), backward.state_hash());
            backward.remove(Category::Notes, &extra);
            prop_assert_eq!(forward.state_hash(), backward.state_hash());
        }
    }
}
