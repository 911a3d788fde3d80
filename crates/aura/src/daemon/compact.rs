// SPDX-License-Identifier: MIT OR Apache-2.0
//! Letting go of what was deleted or replaced long ago.

use aura_vault::compact;
use aura_vault::gate::Session;
use aura_vault::open::Wait;
use aura_vault::retain::Retention;
use aura_vault::vault::{Unlocked, Vault};

use crate::exit::Failure;
use crate::moment::{day, now_ms};
use crate::view;
use crate::wire::Resolve;

const DAY_MS: i64 = 86_400_000;
/// SNP-5: of a record that was changed since, everything is kept, so that what somebody else did can be taken back.
const CHANGED_DAYS: i64 = 7;

/// What other devices have let go of, and stays here until its days are over.
pub(super) fn by_others(vault: &Vault<Unlocked>) -> Result<Vec<view::Going>, Failure> {
    let waiting = vault.waiting_snapshots()?;
    let going = waiting.iter().filter_map(|waiting| match waiting.wait {
        Wait::Days(going) => Some(view::Going {
            device: waiting.device.to_string(),
            records: going.records,
            live: going.live,
            changes: going.changes,
            due: day(waiting.due_ms()?),
        }),
        Wait::Comparison => None,
    });
    Ok(going.collect())
}

/// Counts what would go, or makes the snapshots that say so, and lets go of what every device has adopted.
pub(super) fn compact(
    (vault, session): (&Vault<Unlocked>, &Session),
    by_others: Vec<view::Going>,
    (deleted_days, replaced_days): (u32, Option<u32>),
    resolve: Resolve,
) -> Result<view::Compacted, Failure> {
    let now_ms = now_ms();
    let before = |days: i64| now_ms.saturating_sub(days.saturating_mul(DAY_MS));
    let retention = Retention {
        deleted_after_ms: before(i64::from(deleted_days)),
        replaced_after_ms: replaced_days.map(|days| before(i64::from(days))),
        changed_after_ms: before(CHANGED_DAYS),
    };
    let act = match resolve {
        Resolve::Look => compact::Resolve::Look,
        Resolve::Act => compact::Resolve::Act,
    };
    let found = session.compact(&retention, act)?;
    let entries = match resolve {
        Resolve::Act => vault.let_go()?.entries,
        Resolve::Look => 0,
    };
    Ok(view::Compacted {
        done: resolve == Resolve::Act,
        records: found.records,
        changes: found.changes,
        attachment_bytes: found.attachment_bytes,
        entries_gone: entries,
        by_others,
    })
}
