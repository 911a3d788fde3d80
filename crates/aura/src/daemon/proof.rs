// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the vault says of itself: its state, its audit log, and whether everything verifies.

use aura_vault::gate::{Logged, Session};
use aura_vault::vault::{Locked, Unlocked, Vault};
use serde_json::{Value, json};

use super::reply::Reply;
use crate::exit::Failure;
use crate::moment::rfc3339;
use crate::view;
use crate::wire::{Progress, Rebuild};

/// What a shut vault says.
pub(super) fn outside(vault: &Vault<Locked>) -> view::Status {
    seen(vault, true)
}

fn seen<S>(vault: &Vault<S>, locked: bool) -> view::Status {
    let devices = vault.roster().devices();
    let is_only = devices.len() == 1;
    let devices = devices.keys().map(|id| view::Device { id: id.to_string(), this: is_only });
    view::Status {
        locked,
        vault_id: vault.id().to_string(),
        devices: devices.collect(),
        ..view::Status::default()
    }
}

/// What an open one says.
pub(super) fn status(vault: &Vault<Unlocked>, session: &Session) -> Result<view::Status, Failure> {
    let status = session.status()?;
    let words = |pairs: Vec<(aura_vault::record::Category, u64)>| {
        pairs.into_iter().map(|(category, count)| (category.to_string(), count)).collect()
    };
    let hashes = status.category_hashes.into_iter();
    Ok(view::Status {
        records: Some(status.records),
        by_category: Some(words(status.by_category)),
        state_hash: Some(status.state_hash),
        category_hashes: Some(
            hashes.map(|(category, hash)| (category.to_string(), hash)).collect(),
        ),
        quarantined: Some(status.quarantined.len() as u64),
        log_bytes: Some(status.log_bytes),
        attachment_bytes: Some(status.chunk_bytes),
        ..seen(vault, false)
    })
}

/// The audit log, oldest first.
pub(super) fn audit(session: &Session, reply: &mut Reply) -> Result<Value, Failure> {
    let mut result = Ok(());
    let mut count = 0u64;
    session.audit(&mut |logged| {
        if result.is_ok() {
            result = reply.item(&show(&logged));
            count = count.saturating_add(1);
        }
    })?;
    result?;
    Ok(json!({ "events": count }))
}

fn show(logged: &Logged) -> view::Event {
    let event = &logged.event;
    view::Event {
        number: logged.number,
        device: logged.device.to_string(),
        time: rfc3339(event.time_ms),
        who: event.principal.clone(),
        action: event.action.as_str().to_owned(),
        outcome: format!("{:?}", event.outcome).to_lowercase(),
        categories: event.categories.iter().map(ToString::to_string).collect(),
        count: event.count,
        grant: event.grant.clone(),
        hash: logged.leaf.to_string(),
    }
}

/// Whether the audit log is whole.
pub(super) fn verify_audit(session: &Session) -> Result<view::AuditVerdict, Failure> {
    let verdict = session.verify_audit()?;
    Ok(view::AuditVerdict {
        ok: verdict.is_ok,
        size: verdict.size,
        root: verdict.root.to_string(),
        first_bad: verdict.first_bad,
    })
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
    Ok(view::Verdict { ok: report.is_ok(), checked: report.checked, problems })
}
