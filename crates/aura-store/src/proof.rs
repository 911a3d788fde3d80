// SPDX-License-Identifier: MIT OR Apache-2.0
//! The proof that every device has adopted a snapshot, out of the statements that a store has.
//!
//! Each device that counts says it of itself, with the hash of the snapshot's last entry: so that nobody can show one
//! snapshot to the devices and another one to a store. A device that waits, was revoked or was retired does not count.
//! Source: spec/store.md, rule STO-28.

use aura_protocol::authority::{Device, Snapshot};
use aura_protocol::id::Hash;
use aura_protocol::store::StoreError;

use crate::devices::Devices;

/// Whether all of them have adopted the snapshot whose last entry has this hash.
///
/// # Errors
/// [`StoreError::Unproven`] if some have not, or nothing says so.
pub(crate) fn prove(devices: &Devices, base: &Snapshot, last: Hash) -> Result<(), StoreError> {
    let roster = devices.roster().ok_or(StoreError::Unproven)?;
    let counts = |device: &Device| device.is_active() && !device.is_retired;
    let mut counting = roster.devices().iter().filter(|(_, device)| counts(device));
    let is_proven = counting.all(|(id, _)| roster.has_adopted(*id, base, last));
    if is_proven { Ok(()) } else { Err(StoreError::Unproven) }
}
