// SPDX-License-Identifier: MIT OR Apache-2.0
//! Which entries an active store may let go of, over the rows of any engine.
//!
//! What the statements say is weighed in `crate::proof`; here the snapshot's end is looked for, and the feeds of which
//! something is covered. The engine takes away what is told. Source: spec/store.md, rules STO-28 to STO-30.

use aura_protocol::authority::Snapshot;
use aura_protocol::head::Position;
use aura_protocol::store::StoreError;

use crate::devices::Devices;
use crate::proof;
use crate::rows::{FeedRow, Rows};

/// The feeds that may be let go of, each up to an entry.
pub(crate) type Doomed<K> = Vec<(FeedRow<K>, Position)>;

/// STO-28: that the snapshot is here, and that every device that counts has adopted it.
pub(crate) fn prove<R: Rows>(
    rows: &R,
    devices: &Devices,
    base: &Snapshot,
) -> Result<(), StoreError> {
    let (first, last) = base.range;
    let row = rows.feed(&base.feed)?;
    let row = row.filter(|row| row.kept.number >= last && row.floor.number < first);
    let row = row.ok_or(StoreError::Unproven)?;
    let last = rows.hash_at(&row, last)?.ok_or(StoreError::Unproven)?;
    proof::prove(devices, base, last)
}

/// The feeds of which something is covered, on the chain that is here.
pub(crate) fn doomed<R: Rows>(rows: &R, base: &Snapshot) -> Result<Doomed<R::Key>, StoreError> {
    let mut doomed = Doomed::new();
    for (feed, at) in &base.covered {
        let Some(row) = rows.feed(feed)? else { continue };
        let is_here = at.number >= row.floor.number && at.number <= row.kept.number;
        if is_here
            && rows.has_any(&row, (0, at.number))?
            && rows.hash_at(&row, at.number)? == Some(at.hash)
        {
            doomed.push((row, *at));
        }
    }
    Ok(doomed)
}
