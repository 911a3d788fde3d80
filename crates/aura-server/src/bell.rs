// SPDX-License-Identifier: MIT OR Apache-2.0
//! Tells whoever watches a vault that its heads may have changed. A watcher costs no open file.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use aura_protocol::id::VaultId;
use tokio::sync::watch;

/// One bell for each vault that somebody watches.
#[derive(Debug, Default)]
pub(crate) struct Bells {
    bells: Mutex<HashMap<VaultId, watch::Sender<u64>>>,
}

impl Bells {
    /// A watcher of this vault: its first look finds nothing changed.
    pub(crate) fn watch(&self, vault: VaultId) -> watch::Receiver<u64> {
        let mut bells = self.bells.lock().unwrap_or_else(PoisonError::into_inner);
        if bells.len().is_power_of_two() {
            bells.retain(|_, bell| bell.receiver_count() > 0);
        }
        bells.entry(vault).or_insert_with(|| watch::Sender::new(0)).subscribe()
    }

    /// Wakes everybody who watches it.
    pub(crate) fn ring(&self, vault: VaultId) {
        let bells = self.bells.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bell) = bells.get(&vault) {
            bell.send_modify(|rung| *rung = rung.wrapping_add(1));
        }
    }

    /// Wakes everybody.
    pub(crate) fn ring_all(&self) {
        let bells = self.bells.lock().unwrap_or_else(PoisonError::into_inner);
        bells.values().for_each(|bell| bell.send_modify(|rung| *rung = rung.wrapping_add(1)));
    }

    /// How many watch.
    pub(crate) fn watchers(&self) -> usize {
        let bells = self.bells.lock().unwrap_or_else(PoisonError::into_inner);
        bells.values().map(watch::Sender::receiver_count).sum()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]

    use super::*;

    #[test]
    fn a_ring_is_heard_by_its_own_watchers() {
        let bells = Bells::default();
        let (mut here, there) = (bells.watch(VaultId([1; 32])), bells.watch(VaultId([2; 32])));
        bells.ring(VaultId([1; 32]));
        assert!(here.has_changed().unwrap());
        assert!(!there.has_changed().unwrap());
        here.mark_unchanged();
        assert_eq!(bells.watchers(), 2);
        drop((here, there));
        assert_eq!(bells.watchers(), 0);
        drop(bells.watch(VaultId([3; 32])));
        drop(bells.watch(VaultId([4; 32])));
        assert!(bells.bells.lock().unwrap().len() <= 2);
    }
}
