// SPDX-License-Identifier: MIT OR Apache-2.0
//! Taking in many drafts: each is new, merged or unchanged, and running again changes nothing.
//!
//! A record is found again by where it came from. What the source changed since is written, what the
//! person changed stays. Ops are written in batches, so an answer counts once `finish` (or the next
//! flush) has returned; what a crash takes is taken in again by running the import again.
//! Source: spec/ops.md, rules OPS-18 to OPS-20.

mod pipeline;
mod restore;
mod sieve;

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use aura_crypto::entropy::Entropy;
use aura_crypto::key::AttachmentKey;
use aura_protocol::entry::ChunkAdded;
use aura_protocol::id::{BlobId, RecordId};
use aura_protocol::limits::ENTRY_CHUNKS_MAX;

use crate::audit::{Action, Event, Outcome as EventOutcome};
use crate::blob::{self, BlobError, Fingerprint, Intake};
use crate::change::{self, RECORD_BYTES_MAX, Writes};
use crate::db::{Origin, Row};
use crate::feed::{Batch, Commit};
use crate::json;
use crate::op::{Change, Op};
use crate::open::{Open, OpenError};
use crate::record::{Attachment, Category, Draft, Kind};
use crate::rows::next_id;
use crate::state::{BLOB_PREFIX, META_PREFIX, State};
use crate::view;

use pipeline::{BATCH_OPS, Load, Pipeline};
pub use restore::Restored;
use sieve::Sieve;

/// Plaintext bytes that are written in one commit, about.
const COMMIT_BYTES: usize = 2 << 20;

/// What became of a draft.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It is a new record.
    New(RecordId),
    /// A record that was there has taken in what changed.
    Merged(RecordId),
    /// It was there already.
    Unchanged(RecordId),
}

/// Why a draft was not taken in.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TakeError {
    /// It is larger than a record may be.
    #[error("it is larger than a record may be (8 MiB without attachments)")]
    TooLarge,
    /// It has no fields at all.
    #[error("there is nothing in it")]
    Empty,
    /// Its category is behind the second lock, and that is shut.
    #[error("second lock")]
    SecondLock,
    /// An attachment could not be read or kept.
    #[error("attachment: {0}")]
    Blob(#[from] BlobError),
    /// The vault failed: the import must stop.
    #[error(transparent)]
    Vault(#[from] OpenError),
}

impl TakeError {
    /// Whether the import must stop, since further drafts would fail as well.
    pub fn is_fatal(&self) -> bool {
        match self {
            Self::Vault(_) | Self::Blob(BlobError::Store(_)) => true,
            Self::TooLarge | Self::Empty | Self::SecondLock | Self::Blob(_) => false,
        }
    }
}

/// Takes in drafts, one after the other.
pub struct Importer {
    open: Arc<Open>,
    author: String,
    principal: String,
    waiting: Load,
    waiting_bytes: usize,
    pipeline: Option<Pipeline>,
    /// Drafts that wait, by origin: a second one of the same origin has to wait for the first.
    origins: HashSet<[u8; 16]>,
    /// Drafts that are being written.
    on_their_way: HashSet<[u8; 16]>,
    /// Origins that this run has met, by half of their keys: there may be millions.
    met: HashSet<[u8; 8]>,
    /// Origins that the vault had met before.
    known: Sieve,
    last_id: Option<RecordId>,
    counts: BTreeMap<Category, u64>,
}

impl Importer {
    /// The caller has set `open.is_importing`, which dropping the importer takes back.
    pub(crate) fn new(open: Arc<Open>, principal: String, author: String) -> Self {
        open.begin_load();
        Self {
            pipeline: Some(Pipeline::start(Arc::clone(&open), author.clone())),
            open,
            author,
            principal,
            waiting: Load::new(),
            waiting_bytes: 0,
            origins: HashSet::new(),
            on_their_way: HashSet::new(),
            met: HashSet::new(),
            known: Sieve::default(),
            last_id: None,
            counts: BTreeMap::new(),
        }
    }

    /// Takes in one draft.
    ///
    /// # Errors
    /// When it cannot be a record; others can still be taken in unless [`TakeError::is_fatal`] says so.
    pub fn take(&mut self, draft: &Draft) -> Result<Outcome, TakeError> {
        if self.open.is_shut(draft.category) {
            return Err(TakeError::SecondLock);
        }
        let prints: Vec<Fingerprint> = draft
            .attachments
            .iter()
            .map(|attachment| fingerprint(attachment).map_err(BlobError::Io))
            .collect::<Result<_, _>>()?;
        let mut values = values(draft, &prints)?;
        self.await_draft(&values.key)?;
        let is_second = values.key.first_chunk().is_some_and(|half| !self.met.insert(*half));
        let mut origin = None;
        if is_second || self.known.may_have(&self.open, &values.key)? {
            origin = self.open.origin(&values.key).map_err(OpenError::from)?;
        }
        let differs = |origin: &Origin| origin.content != values.content.as_bytes();
        if is_second && origin.as_ref().is_some_and(differs) {
            // One source tells two different things under one id: neither is an older form of the other,
            // so both are kept, and each is found again by what it says.
            values.tell_apart(draft.source);
            self.await_draft(&values.key)?;
            origin = self.open.origin(&values.key).map_err(OpenError::from)?;
        }
        match origin {
            Some(origin) if origin.content == values.content.as_bytes() => {
                self.gather(origin.record, draft, values.flat)
            }
            Some(origin) => match self.open.record_row(origin.record).map_err(OpenError::from)? {
                Some(row) => self.merge(&row, draft, &prints, values.flat),
                None => self.create(draft, &prints, (values.flat, values.key)),
            },
            None => self.create(draft, &prints, (values.flat, values.key)),
        }
    }

    /// A draft that says what was read before, perhaps found in a further place: the same mail stands in
    /// several mailboxes. Its sets grow, and never shrink or change anything else (OPS-19).
    fn gather(
        &mut self,
        id: RecordId,
        draft: &Draft,
        flat: BTreeMap<String, String>,
    ) -> Result<Outcome, TakeError> {
        let mut members = flat.into_iter().filter(|(path, _)| is_member(path)).peekable();
        if draft.kind != Kind::Email || members.peek().is_none() {
            return Ok(Outcome::Unchanged(id));
        }
        let Some(row) = self.open.record_row(id).map_err(OpenError::from)? else {
            return Ok(Outcome::Unchanged(id));
        };
        // A member that was ever written and then removed was removed on purpose.
        let fresh = members.filter(|(path, _)| !row.state.has_path(path));
        let writes: Writes = fresh.map(|(path, text)| (path, Some(text))).collect();
        if writes.is_empty() {
            return Ok(Outcome::Unchanged(id));
        }
        let change = change::write_op(id, draft.kind, &row.state, writes);
        self.wait(row.category, change, Vec::new())?;
        self.flush()?;
        Ok(Outcome::Merged(id))
    }

    fn create(
        &mut self,
        draft: &Draft,
        prints: &[Fingerprint],
        (flat, key): (BTreeMap<String, String>, [u8; 16]),
    ) -> Result<Outcome, TakeError> {
        let now_ms = self.open.clock.now_ms();
        let id = self.open.with_entropy(|entropy| next_id(self.last_id, now_ms, entropy));
        self.last_id = Some(id);
        let mut writes = change::create(flat);
        let added = self.attach(&draft.attachments, prints, &mut writes)?;
        let change = change::write_op(id, draft.kind, &State::default(), writes);
        self.origins.insert(key);
        self.wait(draft.category, change, added)?;
        Ok(Outcome::New(id))
    }

    fn merge(
        &mut self,
        row: &Row,
        draft: &Draft,
        prints: &[Fingerprint],
        mut flat: BTreeMap<String, String>,
    ) -> Result<Outcome, TakeError> {
        let past = self.open.past(row)?;
        let base = State::imported(past.iter().map(|past| &past.carried));
        // Attachments that are the same keep their fields.
        let known = view::blobs(&row.state);
        let mut fresh: Vec<(Attachment, Fingerprint)> = Vec::new();
        for (attachment, print) in draft.attachments.iter().zip(prints) {
            let same = known
                .iter()
                .find(|(_, blob)| blob.sha256 == print.sha256 && blob.name == attachment.name);
            match same {
                Some((id, _)) => {
                    let path = format!("{BLOB_PREFIX}{id}");
                    if let Some(text) = row.state.value(&path) {
                        flat.insert(path.clone(), text.to_owned());
                    }
                }
                None => fresh.push((attachment.clone(), print.clone())),
            }
        }
        let mut writes = change::merge(&row.state, &base, &flat);
        if draft.kind == Kind::Email {
            writes.retain(|path, value| value.is_some() || !is_member(path));
        }
        let (attachments, prints): (Vec<_>, Vec<_>) = fresh.into_iter().unzip();
        let added = self.attach(&attachments, &prints, &mut writes)?;
        let change = change::write_op(row.id, draft.kind, &row.state, writes);
        self.wait(row.category, change, added)?;
        // The next draft may be of the same record.
        self.flush()?;
        Ok(Outcome::Merged(row.id))
    }

    /// Seals attachments and writes their fields.
    fn attach(
        &mut self,
        attachments: &[Attachment],
        prints: &[Fingerprint],
        writes: &mut Writes,
    ) -> Result<Vec<ChunkAdded>, TakeError> {
        let mut added = Vec::new();
        for (attachment, print) in attachments.iter().zip(prints) {
            let (path, value, chunks) =
                seal(&self.open, attachment, (print.size, Some(&print.sha256)))?;
            writes.insert(path, Some(value));
            added.extend(chunks);
        }
        Ok(added)
    }

    fn wait(
        &mut self,
        category: Category,
        change: Change,
        added: Vec<ChunkAdded>,
    ) -> Result<(), TakeError> {
        let bytes = match &change {
            Change::Write { fields, .. } => change::size_bytes(fields),
            _ => 0,
        };
        let waiting = self.waiting.entry(category).or_default();
        waiting.ops.push((change, bytes));
        waiting.added.extend(added);
        let count = self.counts.entry(category).or_default();
        *count = count.saturating_add(1);
        self.waiting_bytes = self.waiting_bytes.saturating_add(bytes);
        let is_full = self.waiting_bytes >= COMMIT_BYTES
            || waiting.ops.len() >= BATCH_OPS.saturating_mul(16)
            || waiting.added.len() >= ENTRY_CHUNKS_MAX / 2;
        if is_full { Ok(self.hand_over()?) } else { Ok(()) }
    }

    /// Makes sure that nothing of this origin is between here and the database.
    fn await_draft(&mut self, key: &[u8; 16]) -> Result<(), OpenError> {
        if self.origins.contains(key) || self.on_their_way.contains(key) {
            self.flush()?;
        }
        Ok(())
    }

    /// Begins to write what waits.
    fn hand_over(&mut self) -> Result<(), OpenError> {
        self.waiting_bytes = 0;
        let load = core::mem::take(&mut self.waiting);
        let Some(pipeline) = self.pipeline.as_mut() else { return Ok(()) };
        pipeline.push(load)?;
        self.on_their_way = core::mem::take(&mut self.origins);
        Ok(())
    }

    /// Writes what waits. What was taken in until now is durable then.
    ///
    /// # Errors
    /// When the log or a view fails.
    pub fn flush(&mut self) -> Result<(), OpenError> {
        if !self.waiting.is_empty() {
            self.hand_over()?;
        }
        if let Some(pipeline) = self.pipeline.as_mut() {
            pipeline.settle()?;
        }
        self.on_their_way.clear();
        Ok(())
    }

    /// Writes what waits, the ledger and the audit event. Returns the run's number.
    ///
    /// # Errors
    /// When the log or a view fails.
    pub fn finish(mut self, run: u64, ledger: &serde_json::Value) -> Result<(), OpenError> {
        self.flush()?;
        let open = Arc::clone(&self.open);
        let now_ms = open.clock.now_ms();
        let event = Event {
            time_ms: now_ms,
            principal: self.principal.clone(),
            action: Action::Import,
            outcome: EventOutcome::Done,
            categories: self.counts.keys().copied().collect(),
            count: self.counts.values().sum(),
            grant: String::new(),
        };
        open.write(|pen| {
            let change =
                Change::Fact { name: format!("import/{run:08}"), value: json::canonical(ledger) };
            let op = Op { clock: pen.tick(now_ms), author: self.author.clone(), change };
            let collection = aura_protocol::id::CollectionId::ROOT;
            let batch = Batch { collection, ops: vec![op], added: Vec::new(), dropped: Vec::new() };
            Ok((Commit { batches: vec![batch], events: vec![event], ..Commit::default() }, ()))
        })?;
        Ok(())
    }
}

impl Drop for Importer {
    fn drop(&mut self) {
        // Also when the import was stopped: what it has written is findable then.
        self.pipeline = None;
        let _ = self.open.end_load();
        self.open.is_importing.store(false, Ordering::Release);
    }
}

/// What a draft says, and how it is found again.
struct Values {
    /// Canonical texts by path.
    flat: BTreeMap<String, String>,
    /// The hash of what was read.
    content: String,
    /// What identifies it in its source.
    source_id: String,
    /// The key of its origin.
    key: [u8; 16],
}

impl Values {
    /// Makes what the draft says a part of what identifies it.
    fn tell_apart(&mut self, source: &str) {
        self.source_id = format!("{}#{}", self.source_id, self.content);
        let text = json::canonical_text(&self.source_id);
        self.flat.insert(view::SOURCE_ID.to_owned(), text);
        self.key = view::origin_key(source, &self.source_id);
    }
}

/// A draft's values with what is said about it, the hash of it all, and the key of its origin.
fn values(draft: &Draft, prints: &[Fingerprint]) -> Result<Values, TakeError> {
    let mut flat = json::flatten(&draft.fields);
    if flat.is_empty() && draft.attachments.is_empty() {
        return Err(TakeError::Empty);
    }
    let content = content(draft, prints, &flat);
    let source_id = draft.source_id.clone().unwrap_or_else(|| format!("content:{content}"));
    let text = json::canonical_text;
    flat.insert(view::SOURCE.to_owned(), text(draft.source));
    flat.insert(view::SOURCE_ID.to_owned(), text(&source_id));
    flat.insert(view::CONTENT.to_owned(), text(&content));
    if let Some(time_ms) = draft.time_ms {
        flat.insert(view::TIME.to_owned(), time_ms.to_string());
    }
    let bytes: usize = flat.iter().map(|(path, text)| path.len().saturating_add(text.len())).sum();
    if bytes > RECORD_BYTES_MAX {
        return Err(TakeError::TooLarge);
    }
    let key = view::origin_key(draft.source, &source_id);
    Ok(Values { flat, content, source_id, key })
}

/// The hash of what a draft says, without the sets that only say where a mail was found.
fn content(draft: &Draft, prints: &[Fingerprint], flat: &BTreeMap<String, String>) -> String {
    if draft.kind != Kind::Email && draft.attachments.is_empty() {
        return change::content_hash(draft.kind, draft.category, flat);
    }
    let mut identity = flat.clone();
    if draft.kind == Kind::Email {
        identity.retain(|path, _| !is_member(path));
    }
    for (attachment, print) in draft.attachments.iter().zip(prints) {
        let said = format!("{}\n{}", attachment.media_type, print.sha256);
        identity.insert(format!("attachment/{}", attachment.name), said);
    }
    change::content_hash(draft.kind, draft.category, &identity)
}

/// Whether a path is a member of a set.
fn is_member(path: &str) -> bool {
    path.contains('/') && !path.starts_with(META_PREFIX)
}

fn fingerprint(attachment: &Attachment) -> std::io::Result<Fingerprint> {
    blob::fingerprint(attachment.content.open()?)
}

/// Seals one attachment under an id and a key of its own (BLB-2); its path, its field's text and its
/// chunks.
pub(crate) fn seal(
    open: &Open,
    attachment: &Attachment,
    (size, sha256): (u64, Option<&str>),
) -> Result<(String, String, Vec<ChunkAdded>), TakeError> {
    let content = attachment.content.open().map_err(BlobError::Io)?;
    let mut entropy = open.fresh_entropy();
    let mut id = [0; 16];
    entropy.fill(&mut id);
    let key = AttachmentKey::generate(entropy.as_mut());
    let (name, media_type) = (&attachment.name, &attachment.media_type);
    let intake = Intake { name, media_type, size, sha256 };
    let (field, added) = open.with_keyring(|keyring| {
        let hedge = (keyring.hedge_key(), entropy.as_mut() as &mut dyn Entropy);
        blob::seal(open.log.as_ref(), (BlobId(id), &key), &intake, content, hedge)
    })?;
    let value = serde_json::to_value(&field).unwrap_or_default();
    Ok((format!("{BLOB_PREFIX}{}", BlobId(id)), json::canonical(&value), added))
}
