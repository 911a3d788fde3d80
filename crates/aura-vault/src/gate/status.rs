// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a person is told about the vault as a whole; nothing here is content.

use aura_protocol::id::{CollectionId, Hash};

use super::{GateError, Session};
use crate::feed::Bar;
use crate::open::{Quarantined, lock};
use crate::record::Category;
use crate::seen::Missing;

/// The vault at a glance.
#[derive(Debug, Clone)]
pub struct Status {
    /// Live records, of what is open.
    pub records: u64,
    /// Live records by category, in the order of categories; those that are shut are left out.
    pub by_category: Vec<(Category, u64)>,
    /// The state hash: the same for every device with the same records. Hexadecimal; nothing while the
    /// second lock is shut, since it is not known then (OPS-17).
    pub state_hash: Option<String>,
    /// The same, over what is open only.
    pub open_hash: String,
    /// Categories that have a lock of their own.
    pub second: Vec<Category>,
    /// Those of which nothing is known, since that lock is shut.
    pub shut: Vec<Category>,
    /// Entries that are kept sealed for that reason.
    pub waiting: u64,
    /// The state hash of each open category that has records.
    pub category_hashes: Vec<(Category, String)>,
    /// Entries that could not be used.
    pub quarantined: Vec<Quarantined>,
    /// Whether a device with a newer version said something that this one does not understand: it can be read here,
    /// and not changed.
    pub is_outdated: bool,
    /// Whether this device was revoked: it can be read here, and not changed.
    pub is_revoked: bool,
    /// Whether events of this device's audit log were lost.
    pub is_audit_lost: bool,
    /// What was seen here and the store lacks: it is an older copy.
    pub missing: Vec<Missing>,
    /// Sealed bytes of the log.
    pub log_bytes: u64,
    /// Sealed bytes of attachments.
    pub chunk_bytes: u64,
    /// Entries in the log, of all feeds.
    pub entries: u64,
}

impl Session {
    /// The vault at a glance. Not on the record: it tells nothing that a record says.
    ///
    /// # Errors
    /// When the vault cannot be read.
    pub fn status(&self) -> Result<Status, GateError> {
        let tally = self.open.tally()?;
        let shut = self.open.shut_categories();
        let bar = lock(&self.open.pen).bar();
        let open_hash = Hash(tally.state_hash()).to_string();
        let (log_bytes, chunk_bytes) = self.open.log.size_bytes()?;
        let feeds = self.open.log.feeds()?;
        let sealed = feeds.iter().filter(|(feed, _)| feed.collection != CollectionId::AUTHORITY);
        let hashes = tally
            .counts()
            .map(|(category, _)| (category, Hash(tally.category_hash(category)).to_string()));
        Ok(Status {
            records: tally.total(),
            by_category: tally.counts().collect(),
            state_hash: shut.is_empty().then(|| open_hash.clone()),
            open_hash,
            second: self.open.second_categories(),
            waiting: self.open.waiting_entries()?,
            shut,
            category_hashes: hashes.collect(),
            quarantined: lock(&self.open.quarantine).clone(),
            is_outdated: bar == Bar::Newer,
            is_revoked: bar == Bar::Revoked,
            is_audit_lost: self.open.is_audit_lost()?,
            missing: lock(&self.open.watermark).missing().to_vec(),
            log_bytes,
            chunk_bytes,
            entries: sealed.map(|(_, position)| position.number).sum(),
        })
    }
}
