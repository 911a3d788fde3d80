// SPDX-License-Identifier: MIT OR Apache-2.0
//! What has been heard of a vault's devices: when each last said something, and which of them keeps others from letting
//! go of what a snapshot covers.

use std::collections::{BTreeMap, BTreeSet};

use aura_protocol::authority::{Device, Roster, Snapshot};
use aura_protocol::id::{DeviceId, Hash};
use aura_protocol::store::StoreError;

use super::{Vault, VaultError};

/// What has been heard of one device.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Heard {
    /// The clock of its newest head, in milliseconds since 1970: what it says itself. Without a head none.
    pub last_ms: Option<u64>,
    /// Whether this device adopted a snapshot that that one has not adopted yet, and whose word is asked for (STO-28).
    pub is_awaited: bool,
}

impl<S> Vault<S> {
    /// What has been heard of each device that is listed. Neither needs an open vault: heads and statements are signed,
    /// not encrypted.
    ///
    /// # Errors
    /// When the local store cannot be read.
    pub fn heard(&self) -> Result<BTreeMap<DeviceId, Heard>, VaultError> {
        let devices = self.roster.devices().keys();
        let mut heard: BTreeMap<_, _> = devices.map(|id| (*id, Heard::default())).collect();
        for signed in self.log.heads()? {
            let Ok(head) = signed.claim() else { continue };
            if let Some(heard) = heard.get_mut(&head.device) {
                let told = clock_ms(head.clock);
                heard.last_ms = Some(heard.last_ms.map_or(told, |last| last.max(told)));
            }
        }
        for device in self.awaited()? {
            if let Some(heard) = heard.get_mut(&device) {
                heard.is_awaited = true;
            }
        }
        Ok(heard)
    }

    fn awaited(&self) -> Result<BTreeSet<DeviceId>, VaultError> {
        let mut awaited = BTreeSet::new();
        let Some(own) = self.home.device() else { return Ok(awaited) };
        // Those that this device itself goes by: what other ones say that they cover is only said.
        let mut adopted: Vec<(&Snapshot, Hash)> = Vec::new();
        for base in self.roster.snapshots() {
            let last = match self.log.entry(base.feed, base.range.1) {
                Ok(entry) => entry.hash(),
                Err(
                    StoreError::Absent
                    | StoreError::Forgotten { .. }
                    | StoreError::DamagedEntry { .. },
                ) => continue,
                Err(error) => return Err(error.into()),
            };
            if self.roster.has_adopted(own, base, last) {
                adopted.push((base, last));
            }
        }
        for (base, last) in &adopted {
            if !adopted.iter().any(|(later, _)| later.supersedes(base)) {
                let has_adopted = |id| self.roster.has_adopted(id, base, *last);
                awaited.extend(silent(&self.roster, has_adopted));
            }
        }
        Ok(awaited)
    }
}

/// The devices whose word counts and that have not given it.
fn silent(roster: &Roster, has_adopted: impl Fn(DeviceId) -> bool) -> Vec<DeviceId> {
    let counts = |device: &Device| device.is_active() && !device.is_retired;
    let devices =
        roster.devices().iter().filter(|(id, device)| counts(device) && !has_adopted(**id));
    devices.map(|(id, _)| *id).collect()
}

/// OPS-1: the upper 48 bits of a clock value are milliseconds.
const fn clock_ms(clock: u64) -> u64 {
    clock >> 16
}
