// SPDX-License-Identifier: MIT OR Apache-2.0
//! The snapshots that count, in the order in which they are adopted.
//!
//! One that a later one covers is adopted all the same, as long as it can be read and the later one was not: who let go
//! of entries under the first knows only by it what the second must not change. Source: spec/snapshot.md, SNP-7.

use aura_protocol::authority::{Roster, Snapshot};

use super::OpenError;

/// Snapshots, each after those that it covers.
#[derive(Debug, Clone, Default)]
pub(crate) struct Bases(Vec<Snapshot>);

impl Bases {
    pub(crate) fn new(roster: &Roster) -> Self {
        let mut bases: Vec<Snapshot> = roster.snapshots().to_vec();
        let covers = |base: &Snapshot| {
            let all = roster.snapshots().iter();
            all.filter(|other| base.supersedes(other)).count()
        };
        bases.sort_by_cached_key(covers);
        Self(bases)
    }

    /// All of them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Snapshot> {
        self.0.iter()
    }

    /// Those that no other one covers.
    pub(crate) fn last(&self) -> impl Iterator<Item = &Snapshot> {
        self.0.iter().filter(|base| !self.0.iter().any(|later| later.supersedes(base)))
    }

    /// Those of which this is true, and that no other such one covers.
    pub(crate) fn in_force(
        &self,
        is_adopted: impl Fn(&Snapshot) -> Result<bool, OpenError>,
    ) -> Result<Vec<Snapshot>, OpenError> {
        let mut adopted = Vec::new();
        for base in &self.0 {
            if is_adopted(base)? {
                adopted.push(base.clone());
            }
        }
        let adopted = Self(adopted);
        Ok(adopted.last().cloned().collect())
    }
}
