// SPDX-License-Identifier: MIT OR Apache-2.0
//! A listed device, and what a head of it is worth. Source: spec/authority.md, rules AUT-7, AUT-8 and AUT-18.

use std::collections::BTreeMap;

use super::claim::DeviceKeys;
use crate::head::Position;
use crate::id::{DeviceId, Incarnation};

/// A device that was ever listed.
#[derive(Debug, Clone)]
pub struct Device {
    /// Its public keys.
    pub keys: DeviceKeys,
    /// Its place in the order of listing, from 0.
    pub order: usize,
    /// Whether its quarantine has ended.
    pub is_confirmed: bool,
    /// The device that added or confirmed it.
    pub let_in_by: Option<DeviceId>,
    /// Whether it no longer holds up forgetting.
    pub is_retired: bool,
    /// If revoked, the last accepted head of each incarnation.
    pub revoked: Option<BTreeMap<Incarnation, Position>>,
    /// Whether that revoke is co-signed by a recovery slot, so that no other one replaces it.
    pub is_revoked_by_recovery: bool,
    /// Of the devices that signed that revoke, the one that was listed first.
    pub revoked_by: Option<DeviceId>,
    /// Closed incarnations and their last accepted heads.
    pub closed: BTreeMap<Incarnation, Position>,
}

impl Device {
    /// Whether this device may make claims: confirmed and not revoked.
    pub fn is_active(&self) -> bool {
        self.is_confirmed && self.revoked.is_none()
    }

    /// Whether what this device signed at this head counts (AUT-18).
    pub fn standing(&self, incarnation: Incarnation, head: Position) -> Standing {
        let is_within = |last: &Position| head.number < last.number || head == *last;
        // An incarnation that a revoke does not list is late as a whole.
        let is_before_revoke =
            self.revoked.as_ref().is_none_or(|last| last.get(&incarnation).is_some_and(is_within));
        let is_before_close = self.closed.get(&incarnation).is_none_or(is_within);
        match (is_before_revoke && is_before_close, self.is_confirmed) {
            (false, _) => Standing::Late,
            (true, false) => Standing::Quarantined,
            (true, true) => Standing::Accepted,
        }
    }
}

/// What a head of a device is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Its device was never listed.
    Unlisted,
    /// Its device is listed but not confirmed: keep its entries, apply none.
    Quarantined,
    /// It lies beyond what was accepted when its device was revoked or its incarnation closed.
    Late,
    /// It counts.
    Accepted,
}
