// SPDX-License-Identifier: MIT OR Apache-2.0
//! Letting go, in a device's own store, of what snapshots cover. Source: spec/store.md, rule STO-28.

use std::collections::BTreeSet;

use aura_protocol::id::CollectionId;
use aura_protocol::store::StoreError;

use super::{Open, OpenError, Side};

/// What a device's own store has let go of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LetGo {
    /// Entries that went.
    pub entries: u64,
    /// Snapshots that this device has adopted and not every other one yet.
    pub unproven: u64,
}

impl Open {
    /// The collections of which something was let go of under a snapshot that is not in the views: they do not show it,
    /// and what they would carry is not all. Of what is behind a second lock that is shut nothing is known.
    pub(crate) fn lacking(&self) -> Result<BTreeSet<CollectionId>, OpenError> {
        let second = self.second();
        let mut lacking = BTreeSet::new();
        for (feed, _) in self.log.feeds()? {
            let views = match self.side(feed.collection) {
                Side::First => Some(&self.first),
                Side::Second => second.as_deref(),
            };
            if let Some(views) = views
                && self.log.floor(feed)?.number > views.covered_upto(feed)?
            {
                lacking.insert(feed.collection);
            }
        }
        Ok(lacking)
    }

    /// Lets go of what snapshots cover that every device has adopted.
    pub(crate) fn let_go(&self) -> Result<LetGo, OpenError> {
        let bases = self.bases.read().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
        let mut done = LetGo::default();
        // What is not in this device's views yet is not let go of.
        for base in bases.in_force(&self.adopted_bases()?).iter() {
            match self.log.forget(base.id) {
                Ok(entries) => done.entries = done.entries.saturating_add(entries),
                Err(StoreError::Unproven) => done.unproven = done.unproven.saturating_add(1),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(done)
    }
}
