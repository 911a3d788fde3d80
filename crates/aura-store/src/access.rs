// SPDX-License-Identifier: MIT OR Apache-2.0
//! How far an access extends. Source: spec/store.md, rule STO-12.

use aura_protocol::entry::Entry;
use aura_protocol::head::Head;
use aura_protocol::id::{FeedId, VaultId};
use aura_protocol::signed::Signed;
use aura_protocol::store::{Access, StoreError};

use crate::claim::Named;

/// An access is to this vault, and lasts until its time.
pub(crate) fn admit(access: &Access, vault: VaultId, now_ms: i64) -> Result<(), StoreError> {
    if access.vault() != vault {
        return Err(StoreError::Absent);
    }
    match access {
        Access::Vault(_) => Ok(()),
        Access::Collections { until_ms, .. } if now_ms < *until_ms => Ok(()),
        Access::Collections { .. } => Err(StoreError::Forbidden),
    }
}

/// A push adds only to collections that the access extends to. `shown` says how far a feed is shown.
pub(crate) fn admit_writes(
    (access, now_ms): (&Access, i64),
    head: &Signed<Head>,
    entries: &[Entry],
    shown: impl Fn(&FeedId) -> Result<u64, StoreError>,
) -> Result<(), StoreError> {
    if matches!(access, Access::Vault(_)) {
        return Ok(());
    }
    let allows = |feed: &FeedId| access.allows(feed.collection, now_ms);
    if !entries.iter().all(|entry| allows(&entry.header().feed)) {
        return Err(StoreError::Forbidden);
    }
    let head = head.claim().map_err(|_| StoreError::Refused("a head that is not well-formed"))?;
    for (collection, position) in &head.feeds {
        let feed = head.feed(*collection);
        if !allows(&feed) && position.number > shown(&feed)? {
            return Err(StoreError::Forbidden);
        }
    }
    Ok(())
}

/// What entries that the access extends to say of a chunk; never nothing.
pub(crate) fn within(
    (access, now_ms): (&Access, i64),
    named: Vec<Named>,
) -> Result<Vec<Named>, StoreError> {
    if named.is_empty() {
        return Err(StoreError::Absent);
    }
    let within = named.into_iter().filter(|named| access.allows(named.collection, now_ms));
    let within: Vec<Named> = within.collect();
    if within.is_empty() { Err(StoreError::Forbidden) } else { Ok(within) }
}
