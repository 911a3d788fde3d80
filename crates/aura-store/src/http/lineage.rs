// SPDX-License-Identifier: MIT OR Apache-2.0
//! What shows a server that a device is one of a vault's: the statements that list it, and no more than those.
//!
//! Epochs, wraps and the like say nothing about devices, and would make it long. Source: spec/http.md, ACC-13.

use aura_protocol::authority::{Claim, Roster, SignedStatement, decode_body};
use aura_protocol::codec::Encode as _;
use aura_protocol::id::{CollectionId, DeviceId, VaultId};
use aura_protocol::limits::{
    LINEAGE_STATEMENTS_MAX, READ_ENTRIES_MAX, REGISTRATION_BYTES_MAX, SMALL_REQUEST_BYTES_MAX,
};
use aura_protocol::store::{LocalLog, StoreError};

/// Why there is no lineage.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LineageError {
    /// The device is not listed, is revoked, or waits to be confirmed.
    #[error("expected a confirmed device of the vault")]
    Device,
    /// The vault has more statements about devices than a registration carries.
    #[error("the vault has listed more devices than a registration carries")]
    Long,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The statements of a vault by which a device is one of its own.
///
/// # Errors
/// When it is none, or they are too many, or cannot be read.
pub fn lineage(
    log: &dyn LocalLog,
    vault: VaultId,
    device: DeviceId,
) -> Result<Vec<SignedStatement>, LineageError> {
    let all = about_devices(log)?;
    // Whoever is out is told as well, where there is room for it.
    let kept: Vec<_> = all.iter().filter(|statement| !is_end(statement)).cloned().collect();
    let mut why = LineageError::Device;
    for statements in [all, kept] {
        let judged = Roster::judge(vault, &statements);
        let own = judged.ok().and_then(|(roster, _)| roster.device(device).cloned());
        if !own.is_some_and(|own| own.is_active()) {
            return Err(LineageError::Device);
        }
        if fits(&statements) {
            return Ok(statements);
        }
        why = LineageError::Long;
    }
    Err(why)
}

fn fits(statements: &[SignedStatement]) -> bool {
    let sizes = statements.iter().map(|statement| statement.to_bytes().len());
    let bytes = sizes.fold(SMALL_REQUEST_BYTES_MAX, usize::saturating_add);
    statements.len() <= LINEAGE_STATEMENTS_MAX && bytes <= REGISTRATION_BYTES_MAX
}

/// Every statement that is about who is listed, once.
fn about_devices(log: &dyn LocalLog) -> Result<Vec<SignedStatement>, StoreError> {
    let mut statements: Vec<SignedStatement> = Vec::new();
    for (feed, end) in log.feeds()? {
        if feed.collection != CollectionId::AUTHORITY {
            continue;
        }
        let mut after = 0;
        while after < end.number {
            let entries = log.read(feed, after, READ_ENTRIES_MAX)?;
            let last = entries.last().map(|entry| entry.header().number);
            for entry in entries {
                let said = decode_body(entry.body()).unwrap_or_default();
                statements.extend(said.into_iter().filter(is_about_devices));
            }
            match last {
                Some(last) if last > after => after = last,
                _ => break,
            }
        }
    }
    statements.dedup_by(|one, other| one.payload == other.payload);
    Ok(statements)
}

fn is_about_devices(statement: &SignedStatement) -> bool {
    let claim = statement.claim().map(|statement| statement.claim);
    matches!(
        claim,
        Ok(Claim::Genesis { .. }
            | Claim::Add(_)
            | Claim::Confirm(_)
            | Claim::Revoke { .. }
            | Claim::Identity { .. }
            | Claim::Slot { .. }
            | Claim::Unslot(_))
    )
}

fn is_end(statement: &SignedStatement) -> bool {
    matches!(statement.claim().map(|statement| statement.claim), Ok(Claim::Revoke { .. }))
}
