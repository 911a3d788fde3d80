// SPDX-License-Identifier: MIT OR Apache-2.0
//! Letting go, in a device's own store, of what snapshots cover. Source: spec/store.md, rule STO-28.

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
    /// Lets go of what snapshots cover that every device has adopted.
    pub(crate) fn let_go(&self) -> Result<LetGo, OpenError> {
        let bases = self.bases.read().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
        let mut done = LetGo::default();
        for base in bases.last() {
            let views = match self.side(base.feed.collection) {
                Side::First => None,
                Side::Second => match self.second() {
                    Some(second) => Some(second),
                    None => continue,
                },
            };
            // What is not in this device's views yet is not let go of under it.
            if !views.as_deref().unwrap_or(&self.first).has_adopted(base.id)? {
                continue;
            }
            match self.log.forget(base.id) {
                Ok(entries) => done.entries = done.entries.saturating_add(entries),
                Err(StoreError::Unproven) => done.unproven = done.unproven.saturating_add(1),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(done)
    }
}
