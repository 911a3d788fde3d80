// SPDX-License-Identifier: MIT OR Apache-2.0
//! Whose turn it is to write to a vault, on this node.
//!
//! Writers of one vault wait for each other in any case (STO-42): here they do so before they take a connection, so that
//! those of one vault never hold all that a node has.

use std::collections::HashSet;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Instant;

use aura_protocol::id::VaultId;
use aura_protocol::store::StoreError;

use super::pool::WAIT;
use crate::wait::lock;

/// The vaults that somebody writes to.
#[derive(Default)]
pub(super) struct Turns {
    taken: Mutex<HashSet<VaultId>>,
    ended: Condvar,
}

impl Turns {
    /// Waits for a turn, as long as for a connection.
    pub(super) fn wait(&self, vault: VaultId) -> Result<Turn<'_>, StoreError> {
        let now = Instant::now();
        let deadline = now.checked_add(WAIT).unwrap_or(now);
        let mut taken = lock(&self.taken);
        while !taken.insert(vault) {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(StoreError::SlowDown(1));
            }
            let waited = self.ended.wait_timeout(taken, left);
            taken = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        Ok(Turn { turns: self, vault })
    }
}

/// A turn, until it is dropped.
pub(super) struct Turn<'a> {
    turns: &'a Turns,
    vault: VaultId,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        lock(&self.turns.taken).remove(&self.vault);
        self.turns.ended.notify_all();
    }
}
