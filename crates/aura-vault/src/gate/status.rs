// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a person is told about the vault as a whole; nothing here is content.

use aura_protocol::id::{CollectionId, Hash};

use super::{GateError, Session};
use crate::open::{Quarantined, lock};
use crate::record::Category;
use crate::seen::Missing;

/// The vault at a glance.
#[derive(Debug, Clone)]
pub struct Status {
    /// Live records.
    pub records: u64,
    /// Live records by category, in the order of categories.
    pub by_category: Vec<(Category, u64)>,
    /// The state hash: the same for every device with the same records. Hexadecimal.
    pub state_hash: String,
    /// The state hash of each category that has records.
    pub category_hashes: Vec<(Category, String)>,
    /// Entries that could not be used.
    pub quarantined: Vec<Quarantined>,
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
        let tally = self.open.db.tally()?;
        let (log_bytes, chunk_bytes) = self.open.log.size_bytes()?;
        let feeds = self.open.log.feeds()?;
        let sealed = feeds.iter().filter(|(feed, _)| feed.collection != CollectionId::AUTHORITY);
        let hashes = tally
            .counts()
            .map(|(category, _)| (category, Hash(tally.category_hash(category)).to_string()));
        Ok(Status {
            records: tally.total(),
            by_category: tally.counts().collect(),
            state_hash: Hash(tally.state_hash()).to_string(),
            category_hashes: hashes.collect(),
            quarantined: lock(&self.open.quarantine).clone(),
            is_audit_lost: self.open.is_audit_lost()?,
            missing: lock(&self.open.watermark).missing().to_vec(),
            log_bytes,
            chunk_bytes,
            entries: sealed.map(|(_, position)| position.number).sum(),
        })
    }
}
