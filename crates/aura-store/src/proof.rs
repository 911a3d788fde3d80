// SPDX-License-Identifier: MIT OR Apache-2.0
//! The proof that every device has adopted a snapshot, out of the heads that a store shows.
//!
//! Of each device that counts one head must say so: one of the snapshot's own incarnation that goes beyond it, or one
//! that names such a head as applied. A device that was revoked or retired does not count. What a head names, the
//! store must have: a number alone anybody could say (HED-5). Source: spec/store.md, rule STO-28.

use std::collections::BTreeSet;

use aura_protocol::authority::{Device, Snapshot};
use aura_protocol::head::{Head, Position};
use aura_protocol::store::{StoreError, StoredHead};

use crate::devices::Devices;

/// What must be found yet: of each set one head of the snapshot's own incarnation that [has it](has_snapshot).
pub(crate) type Witnesses = Vec<BTreeSet<Position>>;

/// What the heads that a store shows say of a snapshot: the heads that must be looked at to believe it.
///
/// # Errors
/// [`StoreError::Unproven`] if some device does not even say that it has adopted it.
pub(crate) fn witnesses(
    devices: &Devices,
    base: &Snapshot,
    shown: &[StoredHead],
) -> Result<Witnesses, StoreError> {
    let roster = devices.roster().ok_or(StoreError::Unproven)?;
    let heads: Vec<Head> = shown.iter().filter_map(|stored| stored.head.claim().ok()).collect();
    let counts = |device: &Device| device.is_active() && !device.is_retired;
    let mut witnesses = Witnesses::new();
    for (id, _) in roster.devices().iter().filter(|(_, device)| counts(device)) {
        let own: Vec<&Head> = heads.iter().filter(|head| head.device == *id).collect();
        if own.iter().any(|head| is_own(head, base)) {
            continue;
        }
        let named: BTreeSet<Position> =
            own.iter().flat_map(|head| applied(head, base)).filter(|at| at.number > 0).collect();
        if named.is_empty() {
            return Err(StoreError::Unproven);
        }
        witnesses.push(named);
    }
    Ok(witnesses)
}

/// Whether a head of the snapshot's own incarnation goes beyond it.
pub(crate) fn has_snapshot(head: &Head, base: &Snapshot) -> bool {
    head.position(base.feed.collection).number >= base.range.1
}

/// Whether a head is of the incarnation that wrote the snapshot, and has it.
fn is_own(head: &Head, base: &Snapshot) -> bool {
    let is_author = (head.device, head.incarnation) == (base.feed.device, base.feed.incarnation);
    is_author && has_snapshot(head, base) && !head.waiting.contains(&base.feed.collection)
}

/// Heads of the snapshot's own incarnation that a head names as applied, where the collection does not wait.
fn applied<'a>(head: &'a Head, base: &'a Snapshot) -> impl Iterator<Item = Position> + 'a {
    let is_open = !head.waiting.contains(&base.feed.collection);
    let author = (base.feed.device, base.feed.incarnation);
    let of_author = head.seen.iter().filter(move |seen| (seen.device, seen.incarnation) == author);
    of_author.filter(move |_| is_open).map(|seen| seen.applied)
}
