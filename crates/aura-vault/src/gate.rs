// SPDX-License-Identifier: MIT OR Apache-2.0
//! The gate: the one door through which plaintext leaves the vault, and the only way to change it.
//!
//! There is no function that returns plaintext without a principal. A session is for a principal; each
//! of its calls decides, records and acts. The owner's own reads are counted and written within a
//! second by [`Session::tick`]; everything else is on the record in the same commit as the change.
//! Assistants have a door of their own, [`Guest`], under what was granted to them.
//! Source: spec/audit-events.md, rules LOG-12 to LOG-14.

mod audit_view;
mod consent;
mod found;
mod guest;
mod status;

use std::collections::BTreeSet;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use aura_protocol::id::{BlobId, RecordId};

use crate::audit::{Action, Event, Outcome};
use crate::blob::{self, BlobError};
use crate::change::{self, RECORD_BYTES_MAX};
use crate::db::{DbError, Row, Which};
use crate::document;
use crate::grant::{Right, TermsError};
use crate::intake::{Importer, TakeError};
use crate::open::{Open, OpenError, lock};
use crate::record::{Category, Draft, Fields, Kind};
use crate::rows::Before;
use crate::search::{QueryError, SearchError};
use crate::seen::When;
use crate::state::Act;
use crate::vault::{Unlocked, Vault};
use crate::view;

pub use audit_view::{AuditVerdict, Exported, Logged};
pub use consent::Granted;
pub use found::Found;
pub use guest::{ANSWER_MAX, ATTACHMENTS, Excerpt, Excerpts, Guest, Shown};
pub use status::Status;

/// The most records that one page has.
pub const PAGE_MAX: usize = 1000;

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Principal {
    /// The person whose vault it is.
    Owner,
    /// The program itself, for its own upkeep.
    System,
}

impl Principal {
    /// The principal's name in the audit log.
    pub fn name(&self) -> &str {
        match self {
            Self::Owner => "owner",
            Self::System => "system",
        }
    }
}

/// Why a call was not answered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GateError {
    /// There is no such record.
    #[error("there is no record with this id")]
    NoRecord,
    /// There is no such record in what is open, and something is not.
    #[error("there is no record with this id in what is open; the second lock is shut")]
    PerhapsShut,
    /// The record was deleted.
    #[error("the record was deleted; `aura undo` brings it back")]
    Deleted,
    /// There is nothing to undo.
    #[error("there is nothing to undo")]
    NothingToUndo,
    /// There is no such attachment.
    #[error("the record has no attachment with this id")]
    NoAttachment,
    /// A record would be larger than it may be.
    #[error("a record may have 8 MiB without its attachments")]
    TooLarge,
    /// No assistant of this name was connected on this device, or with another key.
    #[error("no assistant of this name and key is connected on this device")]
    NotConnected,
    /// Another program has used an assistant's key first.
    #[error("the key of this assistant is in the hands of another program than before")]
    OtherProgram,
    /// There is no grant with this id, or it was ended before.
    #[error("there is no grant with this id that could be ended")]
    NoGrant,
    /// A grant cannot say this.
    #[error(transparent)]
    Terms(#[from] TermsError),
    /// Nothing that was granted allows it.
    #[error("nothing that was granted allows to {}", .0.as_str())]
    NotGranted(Right),
    /// Of what was granted there is no such record, or there is none at all.
    #[error("there is no record with this id among what was granted")]
    NotShown,
    /// So many records were granted, and no more.
    #[error("what was granted is used up, in all or for now")]
    UsedUp,
    /// Where only some fields are shown, nothing is found by what others say.
    #[error("the grant shows some fields only: search by category:, kind:, after: and before:")]
    FieldsOnly,
    /// Many calls, or many that were refused, within a minute.
    #[error("these are too many calls; wait for a minute")]
    TooMany,
    /// The principal may not do this.
    #[error("this is not allowed for {0}")]
    Refused(&'static str),
    /// Another import, or a compacting, is running.
    #[error("an import or a compacting is running, and one of them runs at a time")]
    Importing,
    /// The search was not understood.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// A draft was not taken.
    #[error(transparent)]
    Take(#[from] TakeError),
    /// An attachment was not read.
    #[error(transparent)]
    Blob(#[from] BlobError),
    /// The vault failed.
    #[error(transparent)]
    Vault(#[from] OpenError),
}

impl From<DbError> for GateError {
    fn from(error: DbError) -> Self {
        Self::Vault(error.into())
    }
}

impl From<SearchError> for GateError {
    fn from(error: SearchError) -> Self {
        Self::Vault(error.into())
    }
}

impl From<aura_protocol::store::StoreError> for GateError {
    fn from(error: aura_protocol::store::StoreError) -> Self {
        Self::Vault(error.into())
    }
}

/// An attachment, without the way to its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttachmentInfo {
    /// Its id.
    pub id: BlobId,
    /// Its name.
    pub name: String,
    /// Its media type.
    pub media_type: String,
    /// Its length in bytes.
    pub size: u64,
    /// SHA-256 of its bytes, hexadecimal.
    pub sha256: String,
}

impl AttachmentInfo {
    fn all(row: &Row) -> Vec<Self> {
        let each = view::blobs(&row.state).into_iter().map(|(id, blob)| Self {
            id,
            name: blob.name,
            media_type: blob.media_type,
            size: blob.size,
            sha256: blob.sha256,
        });
        each.collect()
    }
}

/// A record, in plaintext, for the principal of a session.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// Its id.
    pub id: RecordId,
    /// Its kind.
    pub kind: Kind,
    /// Its category.
    pub category: Category,
    /// When it happened, in milliseconds since 1970.
    pub time_ms: i64,
    /// Whether the record says so itself; else it is when the record was made.
    pub has_own_time: bool,
    /// When it was last changed, in milliseconds since 1970.
    pub modified_ms: i64,
    /// What a person calls it.
    pub title: String,
    /// Its standard form.
    pub fields: Fields,
    /// Its attachments.
    pub attachments: Vec<AttachmentInfo>,
    /// Which format it was imported from.
    pub source: Option<String>,
    /// What identified it there.
    pub source_id: Option<String>,
    /// The hash of what was read there.
    pub content: Option<String>,
    /// Fields that two devices wrote at the same time.
    pub conflicts: Vec<String>,
    /// Whether it was deleted.
    pub is_deleted: bool,
}

impl Record {
    fn of(row: Row) -> Self {
        let mut record = Self {
            id: row.id,
            kind: row.kind(),
            category: row.category,
            time_ms: row.time_ms,
            has_own_time: row.state.value(view::TIME).is_some(),
            modified_ms: crate::clock::physical_ms(row.state.modified()),
            title: String::new(),
            fields: Fields::new(),
            attachments: AttachmentInfo::all(&row),
            source: view::text(&row.state, view::SOURCE),
            source_id: view::text(&row.state, view::SOURCE_ID),
            content: view::text(&row.state, view::CONTENT),
            conflicts: row.state.conflicts().into_iter().map(str::to_owned).collect(),
            is_deleted: !row.state.is_live(),
        };
        record.fields = row.state.into_fields();
        record.title = document::title(&record.fields);
        record
    }
}

/// One step of a record's history.
#[derive(Debug, Clone, PartialEq)]
pub struct Version {
    /// When, in milliseconds since 1970.
    pub time_ms: i64,
    /// On whose behalf; empty for the owner.
    pub author: String,
    /// Whether it wrote or deleted.
    pub act: Act,
    /// What it wrote: field paths and values, `None` where it removed one.
    pub changes: Vec<(String, Option<serde_json::Value>)>,
}

/// A principal's door to an open vault.
pub struct Session {
    open: Arc<Open>,
    principal: Principal,
}

impl Vault<Unlocked> {
    /// A session for a principal. It keeps the vault's keys in memory until it is dropped.
    pub fn session(&self, principal: Principal) -> Session {
        Session { open: Arc::clone(self.open()), principal }
    }
}

impl Session {
    pub(crate) fn event(&self, action: Action, category: Option<Category>, count: u64) -> Event {
        Event {
            time_ms: self.open.clock.now_ms(),
            principal: self.principal.name().to_owned(),
            action,
            outcome: Outcome::Done,
            categories: category.into_iter().collect(),
            count,
            grant: String::new(),
        }
    }

    /// The open vault's inside, for checks that are themselves a session's.
    pub(crate) fn inside(&self) -> &Open {
        &self.open
    }

    /// The owner alone may read and change; decides before anything is looked up (LOG-12).
    pub(crate) fn decide(&self, action: Action) -> Result<(), GateError> {
        if self.principal == Principal::Owner {
            return Ok(());
        }
        let refused = Event { outcome: Outcome::Refused, ..self.event(action, None, 1) };
        self.open.record(vec![refused])?;
        Err(GateError::Refused("the system"))
    }

    pub(crate) fn count(&self, action: Action, category: Option<Category>, count: u64) {
        lock(&self.open.reads).add(self.principal.name(), action, category, count);
    }

    /// Why a record was not found: there is none, or it may be behind the second lock.
    pub fn absent(&self) -> GateError {
        if self.open.shut_categories().is_empty() {
            GateError::NoRecord
        } else {
            GateError::PerhapsShut
        }
    }

    fn live(&self, id: RecordId) -> Result<Row, GateError> {
        match self.open.record_row(id)? {
            None => Err(self.absent()),
            Some(row) if !row.state.is_live() => Err(GateError::Deleted),
            Some(row) => Ok(row),
        }
    }

    /// A record; deleted ones are in the trash.
    ///
    /// # Errors
    /// When the vault cannot be read.
    pub fn get(&self, id: RecordId) -> Result<Option<Record>, GateError> {
        self.decide(Action::Read)?;
        let row = self.open.record_row(id)?.filter(|row| row.state.is_live());
        self.count(Action::Read, row.as_ref().map(|row| row.category), 1);
        Ok(row.map(Record::of))
    }

    /// Adds a record that is not imported: one that is told to be again is another one.
    ///
    /// # Errors
    /// When the draft cannot be a record or the vault fails.
    pub fn add(&self, draft: &Draft) -> Result<RecordId, GateError> {
        self.decide(Action::Write)?;
        let mut flat = crate::json::flatten(&draft.fields);
        if flat.is_empty() && draft.attachments.is_empty() {
            return Err(TakeError::Empty.into());
        }
        if let Some(time_ms) = draft.time_ms {
            flat.insert(view::TIME.to_owned(), time_ms.to_string());
        }
        let mut writes = change::create(flat);
        if change::size_bytes(&writes) > RECORD_BYTES_MAX {
            return Err(GateError::TooLarge);
        }
        let mut chunks = Vec::new();
        for attachment in &draft.attachments {
            // Nobody asks whether the vault has these bytes: they are read once if their length is known.
            let sealed = if let Some(size) = attachment.content.size_bytes() {
                crate::intake::seal(&self.open, attachment, (size, None))?
            } else {
                let content = attachment.content.open().map_err(BlobError::Io)?;
                let print = blob::fingerprint(content).map_err(BlobError::Io)?;
                let known = (print.size, Some(print.sha256.as_str()));
                crate::intake::seal(&self.open, attachment, known)?
            };
            let (path, value, added) = sealed;
            writes.insert(path, Some(value));
            chunks.extend(added);
        }
        let event = self.event(Action::Write, Some(draft.category), 1);
        let names: Vec<_> = chunks.iter().map(|chunk| chunk.name).collect();
        let made = self.open.create_record(draft.kind, draft.category, (writes, chunks), event);
        if made.is_err() && !names.is_empty() {
            // What the log has taken all the same names its chunks, and these stay.
            drop(self.open.log.sweep_chunks(&names));
        }
        Ok(made?)
    }

    /// Makes fields of a record say something else, and removes others. Other fields stay.
    ///
    /// # Errors
    /// When there is no such record, it would be too large, or the vault fails.
    pub fn edit(&self, id: RecordId, set: &Fields, remove: &[String]) -> Result<Record, GateError> {
        self.decide(Action::Write)?;
        let row = self.live(id)?;
        let writes = change::edit(&row.state, set, remove);
        if writes.is_empty() {
            return Ok(Record::of(row));
        }
        if change::size_bytes(&writes) > RECORD_BYTES_MAX {
            return Err(GateError::TooLarge);
        }
        let event = self.event(Action::Write, Some(row.category), 1);
        let changed = self.open.write_fields(&row, row.kind(), (writes, ""), event)?;
        Ok(Record::of(changed.unwrap_or(row)))
    }

    /// Deletes a record: it goes to the trash, and its history stays.
    ///
    /// # Errors
    /// When there is no such record or the vault fails.
    pub fn remove(&self, id: RecordId) -> Result<(), GateError> {
        self.decide(Action::Delete)?;
        let row = self.live(id)?;
        let event = self.event(Action::Delete, Some(row.category), 1);
        Ok(self.open.delete_record(&row, event)?)
    }

    /// Takes back the newest change of a record: an edit, a deletion, or its creation.
    ///
    /// # Errors
    /// When there is no such record, nothing to undo, or the vault fails.
    pub fn undo(&self, id: RecordId) -> Result<Option<Record>, GateError> {
        self.decide(Action::Write)?;
        let row = self.open.record_row(id)?.ok_or_else(|| self.absent())?;
        let event = self.event(Action::Write, Some(row.category), 1);
        let before = match self.open.before_last(&row)? {
            Before::State(before) => before,
            // Only its creation is left to take back.
            Before::Nothing if row.state.is_live() => {
                self.open.delete_record(&row, event)?;
                return Ok(None);
            }
            Before::Nothing | Before::Unknown => return Err(GateError::NothingToUndo),
        };
        if !before.is_live() {
            self.open.delete_record(&row, event)?;
            return Ok(None);
        }
        let mut writes = change::revert(&row.state, &before);
        if writes.is_empty() {
            // A deletion leaves the values; writing one again brings the record back.
            let again =
                before.values().map(|(path, text)| (path.to_owned(), Some(text.to_owned())));
            writes.extend(again);
        }
        let kind = before.kind().unwrap_or(row.kind());
        let changed = self.open.write_fields(&row, kind, (writes, ""), event)?;
        Ok(changed.map(Record::of))
    }

    /// A record's history, oldest first. Deleted records have one as well.
    ///
    /// # Errors
    /// When there is no such record or the vault cannot be read.
    pub fn history(&self, id: RecordId) -> Result<Vec<Version>, GateError> {
        self.decide(Action::Read)?;
        let row = self.open.record_row(id)?.ok_or_else(|| self.absent())?;
        self.count(Action::Read, Some(row.category), 1);
        let past = self.open.past(&row)?;
        Ok(past.iter().map(Version::of).collect())
    }

    /// Deleted records in the order of their ids, after one, a page at a time.
    ///
    /// # Errors
    /// When the vault cannot be read.
    pub fn trash(&self, after: Option<RecordId>, limit: usize) -> Result<Vec<Record>, GateError> {
        self.decide(Action::Read)?;
        let rows = self.open.page(Which::Deleted, after, limit.min(PAGE_MAX))?;
        self.count(Action::Read, None, rows.len() as u64);
        Ok(rows.into_iter().map(Record::of).collect())
    }

    /// Writes an attachment's bytes to `out`.
    ///
    /// # Errors
    /// When there is no such record or attachment, it is damaged, or `out` fails.
    pub fn attachment(
        &self,
        id: RecordId,
        blob: BlobId,
        out: &mut dyn Write,
    ) -> Result<AttachmentInfo, GateError> {
        self.decide(Action::Read)?;
        let row = self.open.record_row(id)?.ok_or_else(|| self.absent())?;
        let found = view::blobs(&row.state).into_iter().find(|(known, _)| *known == blob);
        let (_, field) = found.ok_or(GateError::NoAttachment)?;
        self.count(Action::Read, Some(row.category), 1);
        blob::open(self.open.log.as_ref(), blob, &field, out)?;
        let info = AttachmentInfo::all(&row).into_iter().find(|info| info.id == blob);
        info.ok_or(GateError::NoAttachment)
    }

    /// Takes in many drafts, as the run of this number. One import runs at a time.
    ///
    /// # Errors
    /// When the principal may not, another import runs, or the vault cannot be read.
    pub fn importer(&self) -> Result<(u64, Importer), GateError> {
        self.decide(Action::Import)?;
        if self.open.is_importing.swap(true, Ordering::AcqRel) {
            return Err(GateError::Importing);
        }
        let principal = self.principal.name().to_owned();
        let begin = |run| Importer::new(Arc::clone(&self.open), principal, format!("import:{run}"));
        match self.next_run() {
            Ok(run) => Ok((run, begin(run))),
            Err(error) => {
                self.open.is_importing.store(false, Ordering::Release);
                Err(error.into())
            }
        }
    }

    fn next_run(&self) -> Result<u64, DbError> {
        let last = self.open.first.db.facts("import/")?.into_iter().next_back();
        let last = last.and_then(|(name, _)| name.rsplit_once('/')?.1.parse::<u64>().ok());
        Ok(last.unwrap_or_default().saturating_add(1))
    }

    /// Ledgers of past imports, oldest first: run and what it came to.
    ///
    /// # Errors
    /// When the vault cannot be read.
    pub fn imports(&self) -> Result<Vec<(u64, serde_json::Value)>, GateError> {
        self.decide(Action::Read)?;
        let runs = self.open.first.db.facts("import/")?.into_iter().filter_map(|(name, value)| {
            let run = name.rsplit_once('/')?.1.parse().ok()?;
            Some((run, serde_json::from_str(&value).ok()?))
        });
        Ok(runs.collect())
    }

    /// Records on their way out, in the order of their ids, after one, a page at a time. Each page is on
    /// the record before it returns.
    ///
    /// # Errors
    /// When the principal may not, or the vault fails.
    pub fn export_page(
        &self,
        after: Option<RecordId>,
        limit: usize,
    ) -> Result<Vec<Record>, GateError> {
        self.decide(Action::Export)?;
        let rows = self.open.page(Which::Live, after, limit.min(PAGE_MAX))?;
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        let categories: BTreeSet<_> = rows.iter().map(|row| row.category).collect();
        let event = self.event(Action::Export, None, rows.len() as u64);
        let event = Event { categories: categories.into_iter().collect(), ..event };
        self.open.record(vec![event])?;
        Ok(rows.into_iter().map(Record::of).collect())
    }

    /// Puts on the record that so many things around the vault, such as in a store, were not as they should be.
    ///
    /// # Errors
    /// When the log fails; the event is not there then.
    pub fn record_anomaly(&self, count: u64) -> Result<(), GateError> {
        let event = Event { outcome: Outcome::Failed, ..self.event(Action::Anomaly, None, count) };
        Ok(self.open.record(vec![event])?)
    }

    /// Upkeep, about once a second: counted reads become durable events.
    ///
    /// # Errors
    /// When the log fails; what was counted is kept for the next time.
    pub fn tick(&self) -> Result<(), GateError> {
        let now_ms = self.open.clock.now_ms();
        // One that could not be written is late, and no harm done.
        drop(lock(&self.open.watermark).mark(self.open.log.as_ref(), (now_ms, When::Due)));
        let events = lock(&self.open.reads).take(now_ms);
        if events.is_empty() {
            return Ok(());
        }
        let counted = events.clone();
        let written = self.open.record(events);
        if written.is_err() {
            lock(&self.open.reads).restore(counted);
        }
        Ok(written?)
    }
}

impl Version {
    fn of(past: &crate::rows::Past) -> Self {
        let changes = match &past.carried.op.change {
            crate::op::Change::Write { fields, .. } => fields
                .iter()
                .filter(|(path, _)| !path.starts_with(crate::state::META_PREFIX))
                .map(|(path, value)| {
                    let value = value.as_deref().and_then(|text| serde_json::from_str(text).ok());
                    (path.clone(), value)
                })
                .collect(),
            _ => Vec::new(),
        };
        let (time_ms, author, act) = Open::when(&past.touch);
        Self { time_ms, author: author.to_owned(), act, changes }
    }
}
