// SPDX-License-Identifier: MIT OR Apache-2.0
//! Taking in a record under the id that it had: from Aura's own archive, so that the state is the same.
//!
//! A record that the vault knows already, live or deleted, stays as the vault has it.

use std::collections::BTreeMap;
use std::io;

use aura_crypto::entropy::Entropy;
use aura_crypto::key::AttachmentKey;
use aura_protocol::entry::ChunkAdded;
use aura_protocol::id::{BlobId, DeviceId, Incarnation, RecordId};

use super::{Importer, Outcome, TakeError, fingerprint};
use crate::blob::{self, BlobError, BlobRef, Intake};
use crate::change::{self, RECORD_BYTES_MAX, Writes};
use crate::json;
use crate::op::{Dot, Op};
use crate::open::OpenError;
use crate::record::{Attachment, Category, Fields, Kind};
use crate::state::{BLOB_PREFIX, State};
use crate::view;

/// A record as an archive has it.
pub struct Restored {
    /// Its id.
    pub id: RecordId,
    /// Its kind.
    pub kind: Kind,
    /// Its category.
    pub category: Category,
    /// When it happened, if it says so itself, in milliseconds since 1970.
    pub time_ms: Option<i64>,
    /// Its standard form.
    pub fields: Fields,
    /// Which format it was imported from.
    pub source: Option<String>,
    /// What identified it there.
    pub source_id: Option<String>,
    /// The hash of what was read there.
    pub content: Option<String>,
    /// Its attachments: id, bytes, and the SHA-256 that these must have, hexadecimal.
    pub attachments: Vec<(BlobId, Attachment, String)>,
}

impl Restored {
    /// The leaf that the record has in the state hash (OPS-16), with these attachments: what an archive says comes
    /// to the hash that it ends with, unless it was changed.
    pub fn leaf(&self, attachments: Vec<(BlobId, BlobRef)>) -> [u8; 32] {
        let mut writes = change::create(self.values());
        for (id, field) in attachments {
            let value = serde_json::to_value(&field).unwrap_or_default();
            writes.insert(format!("{BLOB_PREFIX}{id}"), Some(json::canonical(&value)));
        }
        let change = change::write_op(self.id, self.kind, &State::default(), writes);
        let (device, incarnation) = (DeviceId([0; 16]), Incarnation([0; 8]));
        let mut state = State::default();
        let dot = Dot { device, incarnation, number: 1, index: 0 };
        state.take(dot, Op { clock: 0, author: String::new(), change });
        state.leaf(self.id)
    }

    fn values(&self) -> BTreeMap<String, String> {
        let mut flat = json::flatten(&self.fields);
        let known = [
            (view::SOURCE, &self.source),
            (view::SOURCE_ID, &self.source_id),
            (view::CONTENT, &self.content),
        ];
        for (path, value) in known {
            if let Some(value) = value {
                flat.insert(path.to_owned(), json::canonical_text(value));
            }
        }
        if let Some(time_ms) = self.time_ms {
            flat.insert(view::TIME.to_owned(), time_ms.to_string());
        }
        flat
    }
}

impl Importer {
    /// Takes in one record under the id that it had.
    ///
    /// # Errors
    /// As [`Importer::take`]; also when an attachment is not the one that was archived.
    pub fn restore(&mut self, record: &Restored) -> Result<Outcome, TakeError> {
        if self.open.is_shut(record.category) {
            return Err(TakeError::SecondLock);
        }
        self.await_draft(&record.id.0)?;
        if self.open.record_row(record.id).map_err(OpenError::from)?.is_some() {
            return Ok(Outcome::Unchanged(record.id));
        }
        let mut writes = change::create(record.values());
        if writes.is_empty() && record.attachments.is_empty() {
            return Err(TakeError::Empty);
        }
        if change::size_bytes(&writes) > RECORD_BYTES_MAX {
            return Err(TakeError::TooLarge);
        }
        let mut added = Vec::new();
        for (id, attachment, sha256) in &record.attachments {
            added.extend(self.restore_attachment((*id, sha256), attachment, &mut writes)?);
        }
        let change = change::write_op(record.id, record.kind, &State::default(), writes);
        if let (Some(source), Some(source_id)) = (&record.source, &record.source_id) {
            self.known.let_pass();
            self.origins.insert(view::origin_key(source, source_id));
        }
        self.origins.insert(record.id.0);
        self.wait(record.category, change, added)?;
        Ok(Outcome::New(record.id))
    }

    fn restore_attachment(
        &self,
        (id, sha256): (BlobId, &str),
        attachment: &Attachment,
        writes: &mut Writes,
    ) -> Result<Vec<ChunkAdded>, TakeError> {
        let print = fingerprint(attachment).map_err(BlobError::Io)?;
        if print.sha256 != sha256 {
            let changed = io::Error::other("the file is not the one that was archived");
            return Err(BlobError::Io(changed).into());
        }
        let content = attachment.content.open().map_err(BlobError::Io)?;
        let mut entropy = self.open.fresh_entropy();
        let key = AttachmentKey::generate(entropy.as_mut());
        let (name, media_type) = (&attachment.name, &attachment.media_type);
        let intake = Intake { name, media_type, size: print.size, sha256: Some(&print.sha256) };
        let (field, added) = self.open.with_keyring(|keyring| {
            let hedge = (keyring.hedge_key(), entropy.as_mut() as &mut dyn Entropy);
            blob::seal(self.open.log.as_ref(), (id, &key), &intake, content, hedge)
        })?;
        let value = serde_json::to_value(&field).unwrap_or_default();
        writes.insert(format!("{BLOB_PREFIX}{id}"), Some(json::canonical(&value)));
        Ok(added)
    }
}
