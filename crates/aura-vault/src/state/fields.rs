// SPDX-License-Identifier: MIT OR Apache-2.0
//! A record's fields and the current writes of each, ascending by path.
//!
//! A list and no tree: a record is read whole, mostly has few fields, and is read far more often than
//! it changes. A change goes through the list once, however many fields it writes.

use std::collections::BTreeMap;

use smallvec::SmallVec;

/// A current write of a field; `None` removes the field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FieldWrite {
    /// Which of the record's touches wrote it.
    pub(super) touch: u32,
    pub(super) value: Option<String>,
}

/// The current writes of one field: hardly ever more than one.
pub(super) type FieldWrites = SmallVec<[FieldWrite; 1]>;

/// Paths and their current writes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct FieldList(Vec<(String, FieldWrites)>);

impl FieldList {
    /// A list that was written down; nothing if its paths do not ascend.
    pub(super) fn from_sorted(fields: Vec<(String, FieldWrites)>) -> Option<Self> {
        fields.is_sorted_by(|(a, _), (b, _)| a < b).then_some(Self(fields))
    }

    fn find(&self, path: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|(known, _)| known.as_str().cmp(path))
    }

    pub(super) fn get(&self, path: &str) -> Option<&FieldWrites> {
        self.0.get(self.find(path).ok()?).map(|(_, writes)| writes)
    }

    pub(super) fn writes_mut(&mut self, path: &str) -> Option<&mut FieldWrites> {
        let at = self.find(path).ok()?;
        self.0.get_mut(at).map(|(_, writes)| writes)
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &FieldWrites)> {
        self.0.iter().map(|(path, writes)| (path.as_str(), writes))
    }

    /// Adds a touch's writes, and lets go of fields that have none left.
    pub(super) fn add(&mut self, touch: u32, written: BTreeMap<String, Option<String>>) {
        let known = core::mem::take(&mut self.0);
        self.0.reserve_exact(known.len().saturating_add(written.len()));
        let mut known = known.into_iter().filter(|(_, writes)| !writes.is_empty()).peekable();
        for (path, value) in written {
            while let Some(before) = known.next_if(|(known, _)| *known < path) {
                self.0.push(before);
            }
            let same = known.next_if(|(known, _)| *known == path);
            let (path, mut writes) = same.unwrap_or_else(|| (path, FieldWrites::new()));
            writes.push(FieldWrite { touch, value });
            self.0.push((path, writes));
        }
        self.0.extend(known);
    }
}

impl IntoIterator for FieldList {
    type Item = (String, FieldWrites);
    type IntoIter = std::vec::IntoIter<Self::Item>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_is_what_a_map_would_be(
            turns in prop::collection::vec(
                (prop::collection::btree_map("[a-d]{1,2}", any::<Option<String>>(), 0..6), "[a-d]{1,2}"), 0..8),
        ) {
            let mut list = FieldList::default();
            let mut map: BTreeMap<String, FieldWrites> = BTreeMap::new();
            for (touch, (written, emptied)) in (0..).zip(turns) {
                if let Some(writes) = list.writes_mut(&emptied) {
                    writes.clear();
                }
                map.remove(&emptied);
                for (path, value) in written.clone() {
                    map.entry(path).or_default().push(FieldWrite { touch, value });
                }
                list.add(touch, written);
                prop_assert_eq!(list.len(), map.len());
                for (path, writes) in &map {
                    prop_assert_eq!(list.get(path), Some(writes));
                }
                prop_assert_eq!(list.get(&format!("{emptied}x")), None);
                let again = FieldList::from_sorted(list.clone().into_iter().collect());
                prop_assert_eq!(again.as_ref(), Some(&list));
                let pairs: Vec<_> = list.iter().collect();
                let expected: Vec<_> = map.iter().map(|(p, w)| (p.as_str(), w)).collect();
                prop_assert_eq!(pairs, expected);
            }
            let backwards: Vec<_> = list.clone().into_iter().rev().collect();
            prop_assert_eq!(FieldList::from_sorted(backwards).is_some(), list.len() < 2);
        }
    }
}
