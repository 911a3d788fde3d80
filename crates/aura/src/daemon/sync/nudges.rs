// SPDX-License-Identifier: MIT OR Apache-2.0
//! How a round is hurried: by whoever has changed something, or got something from another device.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use super::lock;

/// Tells that something came from another device, to whoever waits for that.
#[derive(Debug, Default)]
pub(super) struct Nudges {
    has_arrived: AtomicBool,
    is_nudged: Mutex<bool>,
    nudged: Condvar,
}

impl Nudges {
    /// Something may have changed.
    pub(super) fn nudge(&self) {
        *lock(&self.is_nudged) = true;
        self.nudged.notify_all();
    }

    /// Waits for a nudge, but not for longer. Says whether there was one.
    pub(super) fn wait(&self, longest: Duration) -> bool {
        let waited = self.nudged.wait_timeout_while(lock(&self.is_nudged), longest, |is| !*is);
        let (mut is_nudged, _) = waited.unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *is_nudged)
    }

    /// Something has come from another device.
    pub(super) fn arrive(&self) {
        self.has_arrived.store(true, Ordering::SeqCst);
        self.nudge();
    }

    /// Whether something has come since this was asked last.
    pub(super) fn take_arrived(&self) -> bool {
        self.has_arrived.swap(false, Ordering::SeqCst)
    }
}
