// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the vault says of itself: its state, and whether everything verifies.

use aura_protocol::id::DeviceId;
use aura_vault::gate::{Session, Status};
use aura_vault::open::{Unsound, Wait, Waiting};
use aura_vault::vault::{Locked, Unlocked, Vault};

use super::reply::Reply;
use super::{compact, consent, device};
use crate::exit::Failure;
use crate::moment::{day, now_ms};
use crate::screen::{count, counted};
use crate::view;
use crate::wire::{Progress, Rebuild};

/// What a shut vault says.
pub(super) fn outside(vault: &Vault<Locked>) -> view::Status {
    seen(vault, true)
}

fn seen<S>(vault: &Vault<S>, locked: bool) -> view::Status {
    view::Status {
        locked,
        vault_id: vault.id().to_string(),
        devices: device::list(vault),
        ..view::Status::default()
    }
}

/// What an open one says.
pub(super) fn status(vault: &Vault<Unlocked>, session: &Session) -> Result<view::Status, Failure> {
    let status = session.status()?;
    let mut warnings = warnings(&status);
    warnings.extend(vault.refused_snapshots()?.into_iter().map(refused));
    if vault.lacks_snapshot()? {
        warnings.push(
            "Not everything is shown here yet: what is old lies in a snapshot, and this device believes it only when \
             every other one has said that it has compared it. Nothing is lost. `aura device ls` says which one is \
             waited for: let it sync; if it never comes back: aura device retire, or revoke if it is lost."
                .to_owned(),
        );
    }
    warnings.extend(compact::by_others(vault)?.iter().map(going));
    let waiting = vault.waiting_snapshots()?;
    warnings.extend(waiting.iter().filter_map(|waiting| incomparable(waiting, now_ms())));
    // Of what is shut nothing is known: that is said, and not "none".
    let shut = || status.shut.iter().map(ToString::to_string);
    let counts = status.by_category.iter().map(|(category, n)| (category.to_string(), Some(*n)));
    let hashes = status.category_hashes.iter();
    let hashes = hashes.map(|(category, hash)| (category.to_string(), Some(hash.clone())));
    let grants = session.grants()?.0.into_iter().filter(|granted| granted.is_active);
    Ok(view::Status {
        grants: Some(grants.map(consent::show).collect()),
        records: Some(status.records),
        by_category: Some(counts.chain(shut().map(|category| (category, None))).collect()),
        category_hashes: Some(hashes.chain(shut().map(|category| (category, None))).collect()),
        state_hash: status.state_hash,
        waiting: Some(status.waiting),
        warnings,
        quarantined: Some(status.quarantined.len() as u64),
        log_bytes: Some(status.log_bytes),
        attachment_bytes: Some(status.chunk_bytes),
        ..seen(vault, false)
    })
}

/// That a device would have everybody let go of what should stay (SNP-7).
fn refused((device, why): (DeviceId, Unsound)) -> String {
    let what = match why {
        Unsound::Unfaithful(records) => format!(
            "of {} it says something else than is here",
            if records == 1 {
                "1 record".to_owned()
            } else {
                format!("{} records", count(records))
            }
        ),
        Unsound::Chunks => "with it attachments would be lost".to_owned(),
        Unsound::Fork => "it covers what is not here".to_owned(),
        Unsound::Collection => "it covers what has no snapshots".to_owned(),
        Unsound::Form => "it is not whole".to_owned(),
    };
    format!(
        "A snapshot by device {device} was refused, since {what}. Nothing was let go of under it, here or \
         elsewhere, and nothing will be. If you do not know why that device said so, do not trust it: \
         aura device revoke {device}"
    )
}

/// That another device has let go of something for good, which stays here for some days (SNP-10).
fn going(going: &view::Going) -> String {
    let view::Going { device, records, live, changes, due } = going;
    let is_live = |live: &&u64| **live > 0;
    let live = Some(live).filter(is_live).map(|live| {
        format!(" {} are in no trash: so far they were never deleted here.", count(*live))
    });
    format!(
        "Device {device} has let go of {} and {} for good.{} Here they stay until {due}, so that you can look first: \
         aura trash. If that is as you want it there is nothing to do (aura compact --now does it at once); \
         if not, do not trust that device: aura device revoke {device}",
        counted(*records, "deleted record"),
        counted(*changes, "old change"),
        live.unwrap_or_default(),
    )
}

/// That a snapshot has waited for something for more than a day (SNP-8).
fn incomparable(waiting: &Waiting, now_ms: i64) -> Option<String> {
    let is_old = now_ms.saturating_sub(waiting.since_ms) > 86_400_000;
    (waiting.wait == Wait::Comparison && is_old).then(|| {
        let (device, since) = (waiting.device, day(waiting.since_ms));
        format!(
            "A snapshot by device {device} cannot be compared with what is here since {since}: it covers changes that \
             have not come, something is damaged, or it was made beside another one. Until it can be, nothing goes for \
             good under it. Let all devices sync, then `aura compact --now` on one of them makes a new one. If no device \
             of yours was compacted at that time, do not trust that one: aura device revoke {device}"
        )
    })
}

/// What somebody should see to.
pub(super) fn warnings(status: &Status) -> Vec<String> {
    let mut warnings = Vec::new();
    let entries = status.missing.iter().map(|missing| missing.entries).fold(0, u64::saturating_add);
    if entries > 0 {
        warnings.push(format!(
            "This is an older copy of the vault: {} that this device had seen are not in the folder \
             `store`. What is here can be used. If somebody went back on purpose, delete the file \
             `seen` in the vault's folder; else lock the vault and put the newer `store` back.",
            if entries == 1 { "1 entry".to_owned() } else { format!("{} entries", count(entries)) }
        ));
    }
    if status.is_revoked {
        warnings.push(
            "This device was revoked: `aura device ls` says by which one. What is here can be read and \
             exported; nothing can be changed, and nothing new comes. If it was found again, let it join \
             anew: aura join FOLDER, with another --home."
                .to_owned(),
        );
    }
    if status.is_outdated {
        warnings.push(
            "Another device of this vault has a newer Aura, and said something that this one does not \
             know. Everything can be read and exported here; to change something, update Aura."
                .to_owned(),
        );
    }
    if status.is_audit_lost {
        warnings.push(
            "Events of the audit log were lost on this device; records are not affected. Compare \
             with a copy of the vault: `aura audit verify` says what it can. `aura verify \
             --rebuild` ends this message."
                .to_owned(),
        );
    }
    warnings
}

/// Whether everything verifies.
pub(super) fn verify(
    session: &Session,
    rebuild: Rebuild,
    reply: &mut Reply,
) -> Result<view::Verdict, Failure> {
    if rebuild == Rebuild::Yes {
        reply.progress(&Progress { task: "rebuilding".to_owned(), ..Progress::default() })?;
        session.rebuild()?;
    }
    let report = session.verify(&mut |progress| {
        // Nobody to tell is no reason to stop in the middle.
        drop(reply.progress(&Progress {
            task: "verifying".to_owned(),
            done: progress.done,
            total: progress.total,
            records: progress.done,
        }));
    })?;
    let mut problems = report.problems.clone();
    if report.unnamed > 0 {
        problems.push(format!("{} further problems", report.unnamed));
    }
    Ok(view::Verdict {
        ok: report.is_ok(),
        checked: report.checked,
        problems,
        waiting: report.waiting,
    })
}

#[cfg(test)]
mod tests {
    use aura_vault::open::Going;

    use super::*;

    /// SNP-8: what has waited for a day is told, with the device that made it; what waits for its days is told otherwise.
    #[test]
    fn a_snapshot_that_cannot_be_compared_is_told_after_a_day() {
        let waiting =
            |wait| Waiting { device: DeviceId([5; 16]), since_ms: 1_764_752_000_000, wait };
        let later = |ms: i64, wait| incomparable(&waiting(wait), 1_764_752_000_000 + ms);
        assert_eq!(later(86_400_000, Wait::Comparison), None);
        let told = later(86_400_001, Wait::Comparison).unwrap_or_default();
        assert!(told.contains(&DeviceId([5; 16]).to_string()) && told.contains("2025-12-03"));
        assert_eq!(later(86_400_001, Wait::Days(Going::default())), None);
    }
}
