// SPDX-License-Identifier: MIT OR Apache-2.0
//! How much one device, and all of them, may have the store keep of what everybody must read.
//!
//! Heads are answered together and statements are judged together, so that their sums have bounds. Each device has
//! a share, and one that waits to be confirmed a small one: who turned hostile takes the room of nobody else. What
//! is no larger than what it replaces always goes on. Source: spec/store.md, rules STO-13 and STO-15.

use aura_protocol::head::Head;
use aura_protocol::limits::{
    AUTHORITY_BYTES_MAX, DEVICE_AUTHORITY_BYTES_MAX, DEVICE_HEADS_BYTES_MAX, INCARNATIONS_MAX,
    LIVES_MAX, SHOWN_HEADS_BYTES_MAX, WAITING_AUTHORITY_BYTES_MAX, WAITING_HEADS_BYTES_MAX,
    WAITING_INCARNATIONS_MAX,
};
use aura_protocol::store::StoreError;

use crate::rows::{Rows, Sums};

/// What a device may have kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Share {
    /// It is confirmed.
    Whole,
    /// It waits to be confirmed.
    Waiting,
}

/// STO-13: a device may begin so many incarnations and no more, and all devices so many that every head can
/// name every other one.
pub(super) fn for_life<R: Rows>(rows: &R, head: &Head) -> Result<(), StoreError> {
    let Sums { of_device, of_all } = rows.other_lives((head.device, head.incarnation))?;
    if of_device >= INCARNATIONS_MAX as u64 {
        return Err(StoreError::Refused("a device that has begun too many incarnations"));
    }
    if of_all >= LIVES_MAX as u64 {
        return Err(StoreError::Refused("more incarnations than a vault may have"));
    }
    Ok(())
}

/// STO-13: a device that waits may begin few.
pub(super) fn for_waiting_life<R: Rows>(rows: &R, head: &Head) -> Result<(), StoreError> {
    let Sums { of_device, .. } = rows.other_lives((head.device, head.incarnation))?;
    if of_device >= WAITING_INCARNATIONS_MAX as u64 {
        return Err(StoreError::Refused(
            "a device that waits to be confirmed and has begun too many incarnations",
        ));
    }
    Ok(())
}

/// STO-15: the heads that are shown together are no larger than an answer, those of one device than its share.
pub(super) fn for_head<R: Rows>(
    rows: &R,
    head: &Head,
    bytes: usize,
    share: Share,
) -> Result<(), StoreError> {
    let bytes = bytes as u64;
    if bytes <= rows.largest_head((head.device, head.incarnation))? {
        return Ok(());
    }
    let Sums { of_device, of_all } = rows.other_heads_bytes((head.device, head.incarnation))?;
    let share = match share {
        Share::Whole => DEVICE_HEADS_BYTES_MAX,
        Share::Waiting => WAITING_HEADS_BYTES_MAX,
    };
    if of_device.saturating_add(bytes) > share as u64 {
        return Err(StoreError::Refused("a device whose heads are too large together"));
    }
    if of_all.saturating_add(bytes) > SHOWN_HEADS_BYTES_MAX as u64 {
        return Err(StoreError::Refused("a head for which the vault's heads leave no room"));
    }
    Ok(())
}

/// STO-15: so do authority entries. Called when some have been staged.
pub(super) fn for_statements<R: Rows>(
    rows: &R,
    head: &Head,
    share: Share,
) -> Result<(), StoreError> {
    let Sums { of_device, of_all } = rows.authority_bytes(head.device)?;
    let share = match share {
        Share::Whole => DEVICE_AUTHORITY_BYTES_MAX,
        Share::Waiting => WAITING_AUTHORITY_BYTES_MAX,
    };
    if of_device > share as u64 {
        return Err(StoreError::Refused("a device that has made too many statements"));
    }
    if of_all > AUTHORITY_BYTES_MAX as u64 {
        return Err(StoreError::Refused("more statements than a vault may have"));
    }
    Ok(())
}
