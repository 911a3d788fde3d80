// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a node serves from, and by whose word it knows other devices. Source: spec/peer.md, rule PEE-3.

use std::sync::Arc;

use aura_protocol::id::DeviceId;

use crate::local::LocalStore;

/// This device's side: its local store, as long as it is open.
pub trait Source: Send + Sync {
    /// The local store, unless it is closed. Nobody keeps it while they wait.
    fn local(&self) -> Option<Arc<LocalStore>>;

    /// The device that this transport key is of, if this device speaks with it (PEE-3).
    fn holder(&self, transport: &[u8; 32]) -> Option<DeviceId> {
        self.local()?.holder(transport).ok()?
    }

    /// Something has come from another device, and is in the local store.
    fn arrived(&self) {}
}
