// SPDX-License-Identifier: MIT OR Apache-2.0
//! Tells whoever watches a vault that its heads may have changed. A watcher costs no open file.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use aura_protocol::id::VaultId;
use tokio::sync::watch;

/// How often a bell has rung, and how often since devices may have been revoked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Rung {
    times: u64,
    pub(crate) changes: u64,
}

/// Why a bell is rung.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum News {
    /// Heads.
    Heads,
    /// Who is listed, or whether there is a server at all.
    Devices,
}

/// One bell for each vault that somebody watches.
#[derive(Debug, Default)]
pub(crate) struct Bells {
    bells: Mutex<HashMap<VaultId, watch::Sender<Rung>>>,
}

impl Rung {
    fn count(&mut self, news: News) {
        self.times = self.times.wrapping_add(1);
        if news == News::Devices {
            self.changes = self.changes.wrapping_add(1);
        }
    }
}

impl Bells {
    /// A watcher of this vault: its first look finds nothing changed.
    pub(crate) fn watch(&self, vault: VaultId) -> watch::Receiver<Rung> {
        let mut bells = self.bells.lock().unwrap_or_else(PoisonError::into_inner);
        if bells.len().is_power_of_two() {
            bells.retain(|_, bell| bell.receiver_count() > 0);
        }
        bells.entry(vault).or_insert_with(|| watch::Sender::new(Rung::default())).subscribe()
    }

    /// Wakes everybody who watches it.
    pub(crate) fn ring(&self, vault: VaultId, news: News) {
        let bells = self.bells.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bell) = bells.get(&vault) {
            bell.send_modify(|rung| rung.count(news));
        }
    }

    /// Wakes everybody.
    pub(crate) fn ring_all(&self) {
        let bells = self.bells.lock().unwrap_or_else(PoisonError::into_inner);
        bells.values().for_each(|bell| bell.send_modify(|rung| rung.count(News::Devices)));
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
        bells.ring(VaultId([1; 32]), News::Heads);
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
