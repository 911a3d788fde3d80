// SPDX-License-Identifier: MIT OR Apache-2.0
//! The audit log: what is shown of it, whether it is whole, and what proves that to a stranger.
//!
//! The lines of an export are those of spec/audit-export.md, rules AEX-1 to AEX-4; the program that asked
//! writes them into its file as they come, with their members in the order of their names.

use aura_vault::gate::{AuditVerdict, Exported, Logged, Session};
use serde_json::{Value, json};

use super::reply::Reply;
use crate::exit::Failure;
use crate::moment::rfc3339;
use crate::view;

/// The audit log, oldest first.
pub(super) fn audit(session: &Session, reply: &mut Reply) -> Result<Value, Failure> {
    let mut result = Ok(());
    let mut count = 0u64;
    session.audit(&mut |logged| {
        if result.is_ok() {
            result = reply.item(&show(&logged, None));
            count = count.saturating_add(1);
        }
    })?;
    result?;
    Ok(json!({ "events": count }))
}

fn show(logged: &Logged, encoded: Option<&[u8]>) -> view::Event {
    let event = &logged.event;
    view::Event {
        number: logged.number,
        device: logged.device.to_string(),
        incarnation: logged.incarnation.to_string(),
        time: rfc3339(event.time_ms),
        who: event.principal.clone(),
        action: event.action.as_str().to_owned(),
        outcome: format!("{:?}", event.outcome).to_lowercase(),
        categories: event.categories.iter().map(ToString::to_string).collect(),
        count: event.count,
        grant: event.grant.clone(),
        hash: logged.leaf.to_string(),
        encoded: encoded.map(hex),
    }
}

/// Whether the audit log is whole.
pub(super) fn verify_audit(session: &Session) -> Result<view::AuditVerdict, Failure> {
    Ok(judged(session.verify_audit()?))
}

/// Every event with what proves it, and whether exactly these are whole.
pub(super) fn export_audit(
    session: &Session,
    reply: &mut Reply,
) -> Result<view::AuditVerdict, Failure> {
    let mut result = Ok(());
    let verdict = session.export_audit(&mut |piece| {
        if result.is_ok() {
            result = write_line(&piece, reply);
        }
    })?;
    result?;
    Ok(judged(verdict))
}

fn write_line(piece: &Exported<'_>, reply: &mut Reply) -> Result<(), Failure> {
    match piece {
        Exported::Begin { vault, device, incarnation, statements } => reply.item(&json!({
            "aura_audit_export": 1,
            "vault": vault.to_string(),
            "device": device.to_string(),
            "incarnation": incarnation.to_string(),
            "statements": statements,
        })),
        Exported::Statement(encoded) => reply.item(&json!({ "statement": hex(encoded) })),
        Exported::Event(logged, encoded) => reply.item(&show(logged, Some(encoded))),
        Exported::Unknown((device, incarnation, number), encoded, leaf) => reply.item(&json!({
            "number": number,
            "device": device.to_string(),
            "incarnation": incarnation.to_string(),
            "hash": leaf.to_string(),
            "event": hex(encoded),
        })),
        Exported::Head(encoded) => reply.item(&json!({ "head": hex(encoded) })),
    }
}

fn hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from_digit(nibble.into(), 16).unwrap_or_default();
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

fn judged(verdict: AuditVerdict) -> view::AuditVerdict {
    view::AuditVerdict {
        ok: verdict.is_ok,
        size: verdict.size,
        root: verdict.root.to_string(),
        first_bad: verdict.first_bad,
    }
}
