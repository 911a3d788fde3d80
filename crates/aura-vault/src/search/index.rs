// SPDX-License-Identifier: MIT OR Apache-2.0
//! The full-text index of one vault: add, delete, commit, search.
//!
//! A view: nothing here is durable before the log is, a commit stores how far the log has been
//! applied (the payload), and a damaged index is thrown away and made again. What was added is
//! found by the next search, which commits first: that costs a few milliseconds and spares a
//! second index in memory. During a bulk load searches see the last commit instead.
//! Times in milliseconds since 1970, sizes in bytes.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aura_protocol::id::RecordId;
use tantivy::directory::RamDirectory;
use tantivy::indexer::{IndexWriterOptions, LogMergePolicy};
use tantivy::schema::Schema;
use tantivy::store::Compressor;
use tantivy::tokenizer::TextAnalyzer;
use tantivy::{IndexReader, IndexSettings, IndexWriter, ReloadPolicy};

use super::backlog::Backlog;
use super::document::{Document, Fields, TOKENIZER, schema};
use super::error::SearchError;
use super::hit::{Columns, Hit};
use super::identity::Identity;
use super::lookup::{Lookup, search_all};
use super::query::Query;
use super::scope::Scope;
use super::sealed_directory::{Keys, SealedDirectory};
use super::token::Folding;

/// The largest payload of a commit.
pub const PAYLOAD_BYTES_MAX: usize = 1 << 20;

/// How much the index may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Params {
    /// Threads that tokenise, 1 to 8.
    pub threads: usize,
    /// Memory for what one of them has not written yet; 15 MB at least.
    pub heap_bytes: usize,
    /// Memory for opened blocks.
    pub cache_bytes: usize,
}

impl Default for Params {
    fn default() -> Self {
        Self { threads: 1, heap_bytes: 32_000_000, cache_bytes: 24 << 20 }
    }
}

/// An open index.
pub struct Index {
    /// Nothing for an index in memory.
    directory: Option<SealedDirectory>,
    parts: tantivy::Index,
    fields: Fields,
    reader: IndexReader,
    columns: Arc<Columns>,
    writer: Mutex<Writer>,
    /// Changes that no commit has yet.
    pending: AtomicU64,
    is_loading: AtomicBool,
    backlog: Backlog,
}

struct Writer {
    inner: IndexWriter,
    payload: Option<Vec<u8>>,
}

impl Index {
    /// A new index; one that is here already is removed.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn create(dir: &Path, keys: Keys, params: Params) -> Result<Self, SearchError> {
        let directory = SealedDirectory::create(dir, keys, params.cache_bytes)?;
        let index = tantivy::Index::create(directory.clone(), schema().0, settings());
        Self::ready(index, Some(directory), params)
    }

    /// A new index that is never written anywhere: for a throw-away vault, and to compare with.
    ///
    /// # Errors
    /// When no threads can be started.
    pub fn in_memory(params: Params) -> Result<Self, SearchError> {
        let index = tantivy::Index::create(RamDirectory::create(), schema().0, settings());
        Self::ready(index, None, params)
    }

    /// The index as its last commit left it.
    ///
    /// # Errors
    /// [`SearchError::Missing`], [`SearchError::Damaged`] or [`SearchError::Outdated`] when it has
    /// to be created and filled again.
    pub fn open(dir: &Path, keys: Keys, params: Params) -> Result<Self, SearchError> {
        let directory = SealedDirectory::open(dir, keys, params.cache_bytes)?;
        let index = tantivy::Index::open(directory.clone());
        Self::ready(index, Some(directory), params)
    }

    fn ready(
        index: tantivy::Result<tantivy::Index>,
        directory: Option<SealedDirectory>,
        params: Params,
    ) -> Result<Self, SearchError> {
        let index = index.map_err(|error| failure(directory.as_ref(), &error))?;
        let (expected, fields): (Schema, Fields) = schema();
        if index.schema() != expected {
            return Err(SearchError::Outdated);
        }
        let backlog = Backlog::default();
        let folding = TextAnalyzer::builder(Folding::new(backlog.clone())).build();
        index.tokenizers().register(TOKENIZER, folding);
        let opened = || -> tantivy::Result<_> {
            let reader = index
                .reader_builder()
                .reload_policy(ReloadPolicy::Manual)
                .doc_store_cache_num_blocks(1)
                .try_into()?;
            let writer: IndexWriter = index.writer_with_options(
                IndexWriterOptions::builder()
                    .num_worker_threads(params.threads.clamp(1, 8))
                    .memory_budget_per_thread(params.heap_bytes.max(15_000_000))
                    .num_merge_threads(1)
                    .build(),
            )?;
            writer.set_merge_policy(Box::new(merge_policy()));
            Ok((reader, writer, index.load_metas()?.payload))
        };
        let (reader, inner, payload) =
            opened().map_err(|error| failure(directory.as_ref(), &error))?;
        let payload =
            payload.map(|text| from_hex(&text).ok_or(SearchError::Damaged)).transpose()?;
        Ok(Self {
            directory,
            parts: index,
            fields,
            reader,
            columns: Arc::default(),
            writer: Mutex::new(Writer { inner, payload }),
            pending: AtomicU64::new(0),
            is_loading: AtomicBool::new(false),
            backlog,
        })
    }

    /// Adds a record, or replaces what is there under its id.
    ///
    /// # Errors
    /// When the index cannot be written.
    pub fn add(&self, document: &Document<'_>) -> Result<(), SearchError> {
        let writer = self.writer();
        self.remove(&writer, document.id)?;
        self.push(&writer, document)
    }

    /// Adds a record whose id is certainly not in the index, nor pending: saves the look for an
    /// earlier one. A record added twice is found twice.
    ///
    /// # Errors
    /// When the index cannot be written.
    pub fn add_new(&self, document: &Document<'_>) -> Result<(), SearchError> {
        self.push(&self.writer(), document)
    }

    fn push(&self, writer: &Writer, document: &Document<'_>) -> Result<(), SearchError> {
        self.pending.fetch_add(1, Ordering::Relaxed);
        let (document, text_bytes) = self.fields.document(document);
        self.backlog.take(text_bytes);
        let added = writer.inner.add_document(document);
        added.map(drop).map_err(|error| failure(self.directory.as_ref(), &error))
    }

    /// Removes a record; nothing happens if there is none.
    ///
    /// # Errors
    /// When the index cannot be written.
    pub fn delete(&self, id: RecordId) -> Result<(), SearchError> {
        self.remove(&self.writer(), id)?;
        self.pending.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    fn remove(&self, writer: &Writer, id: RecordId) -> Result<(), SearchError> {
        let (bucket, columns) = (self.fields.bucket_term(id), Arc::clone(&self.columns));
        let removed = writer.inner.delete_query(Box::new(Identity { id, bucket, columns }));
        removed.map(drop).map_err(|error| failure(self.directory.as_ref(), &error))
    }

    /// Makes everything so far findable, and remembers `payload` with it.
    ///
    /// # Errors
    /// When the index cannot be written; what was added since the last commit is lost then, and
    /// has to be added again from the payload's position on.
    pub fn commit(&self, payload: &[u8]) -> Result<(), SearchError> {
        if payload.len() > PAYLOAD_BYTES_MAX {
            return Err(SearchError::PayloadTooLong);
        }
        let mut writer = self.writer();
        writer.payload = Some(payload.to_vec());
        self.commit_with(&mut writer)
    }

    fn commit_with(&self, writer: &mut Writer) -> Result<(), SearchError> {
        self.pending.store(0, Ordering::Relaxed);
        let text = writer.payload.as_deref().map(to_hex);
        let mut committed = || -> tantivy::Result<()> {
            let mut prepared = writer.inner.prepare_commit()?;
            self.backlog.clear();
            if let Some(text) = &text {
                prepared.set_payload(text);
            }
            prepared.commit()?;
            self.reader.reload()
        };
        committed().map_err(|error| failure(self.directory.as_ref(), &error))?;
        self.columns.keep_only(&self.reader.searcher());
        Ok(())
    }

    /// Removes everything, also what was added since the last commit.
    ///
    /// # Errors
    /// As [`Index::commit`].
    pub fn clear(&self) -> Result<(), SearchError> {
        let mut writer = self.writer();
        // What waits for a commit would come with it, and be there twice once it is added anew.
        let cleared = writer.inner.rollback().and_then(|_| writer.inner.delete_all_documents());
        // A rollback begins a writer anew.
        writer.inner.set_merge_policy(Box::new(merge_policy()));
        self.backlog.clear();
        cleared.map_err(|error| failure(self.directory.as_ref(), &error))?;
        writer.payload = None;
        self.commit_with(&mut writer)
    }

    /// What the last commit was told to remember.
    pub fn payload(&self) -> Option<Vec<u8>> {
        self.writer().payload.clone()
    }

    /// Begins a bulk load: searches see the last commit and do not commit themselves.
    pub fn begin_load(&self) {
        self.is_loading.store(true, Ordering::Relaxed);
    }

    /// Ends a bulk load with a commit.
    ///
    /// # Errors
    /// As [`Index::commit`].
    pub fn end_load(&self, payload: &[u8]) -> Result<(), SearchError> {
        self.is_loading.store(false, Ordering::Relaxed);
        self.commit(payload)
    }

    /// The best hits within the scope, at most `limit`; newest first where no words are asked for.
    /// Where there are hardly any, words that are one letter off follow the exact ones.
    ///
    /// # Errors
    /// [`SearchError::Damaged`] when the index has to be made again.
    pub fn search(
        &self,
        query: &Query,
        scope: &Scope,
        limit: usize,
    ) -> Result<Vec<Hit>, SearchError> {
        self.look(|lookup| search_all(core::slice::from_ref(lookup), query, scope, limit))
    }

    /// The best hits in this index and another one, ranked as if both were one: words are weighed by how
    /// common they are in the two together.
    ///
    /// # Errors
    /// As [`Index::search`].
    pub fn search_with(
        &self,
        other: &Self,
        query: &Query,
        (scope, limit): (&Scope, usize),
    ) -> Result<Vec<Hit>, SearchError> {
        let both = [self.lookup()?, other.lookup()?];
        let is_damaged = || [self, other].iter().any(|index| is_damaged(index.directory.as_ref()));
        match search_all(&both, query, scope, limit) {
            _ if is_damaged() => Err(SearchError::Damaged),
            found => found.map_err(|error| SearchError::of(&error)),
        }
    }

    /// How many records within the scope the query finds, spelled as it is.
    ///
    /// # Errors
    /// As [`Index::search`].
    pub fn count(&self, query: &Query, scope: &Scope) -> Result<usize, SearchError> {
        self.look(|lookup| lookup.count(query, scope))
    }

    fn look<T>(
        &self,
        look: impl FnOnce(&Lookup<'_>) -> tantivy::Result<T>,
    ) -> Result<T, SearchError> {
        let lookup = self.lookup()?;
        let found = look(&lookup).map_err(|error| failure(self.directory.as_ref(), &error))?;
        // Tantivy takes some files that do not open for absent ones.
        if is_damaged(self.directory.as_ref()) { Err(SearchError::Damaged) } else { Ok(found) }
    }

    /// The index as it is now, what has not been committed included.
    fn lookup(&self) -> Result<Lookup<'_>, SearchError> {
        if self.pending.load(Ordering::Relaxed) > 0 && !self.is_loading.load(Ordering::Relaxed) {
            self.commit_with(&mut self.writer())?;
        }
        let searcher = self.reader.searcher();
        Ok(Lookup { searcher, fields: &self.fields, columns: &self.columns })
    }

    /// Joins all parts of the index into one, which is fastest to search. Takes about half as long
    /// as filling it; meant for after a bulk load, when nobody waits.
    ///
    /// # Errors
    /// As [`Index::commit`].
    pub fn compact(&self) -> Result<(), SearchError> {
        let mut writer = self.writer();
        let mut compacted = || -> tantivy::Result<()> {
            let parts = self.parts.searchable_segment_ids()?;
            if parts.len() > 1 {
                writer.inner.merge(&parts).wait()?;
                self.reader.reload()?;
            }
            Ok(())
        };
        compacted().map_err(|error| failure(self.directory.as_ref(), &error))?;
        drop(writer);
        self.columns.keep_only(&self.reader.searcher());
        Ok(())
    }

    /// Waits for work in the background and closes the index. What was added since the last commit
    /// is not kept. Dropping it instead stops that work, but does not wait until it has stopped.
    ///
    /// # Errors
    /// When the work in the background failed; the index is closed all the same.
    pub fn close(self) -> Result<(), SearchError> {
        let Self { directory, writer, .. } = self;
        let writer = writer.into_inner().unwrap_or_else(PoisonError::into_inner);
        let closed = writer.inner.wait_merging_threads();
        closed.map_err(|error| failure(directory.as_ref(), &error))
    }

    /// How many parts the index has, for status and tests.
    pub fn parts(&self) -> usize {
        self.reader.searcher().segment_readers().len()
    }

    fn writer(&self) -> MutexGuard<'_, Writer> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Index {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Index(redacted)")
    }
}

/// Small commits are joined soon and cheaply; what a bulk load writes is big enough to stay.
fn merge_policy() -> LogMergePolicy {
    let mut policy = LogMergePolicy::default();
    policy.set_min_num_segments(8);
    policy.set_min_layer_size(1000);
    policy.set_del_docs_ratio_before_merge(0.3);
    policy
}

fn settings() -> IndexSettings {
    IndexSettings {
        // Nothing is stored, so there is nothing to compress, and no thread to do it.
        docstore_compression: Compressor::None,
        docstore_compress_dedicated_thread: false,
        ..IndexSettings::default()
    }
}

fn is_damaged(directory: Option<&SealedDirectory>) -> bool {
    directory.is_some_and(SealedDirectory::is_damaged)
}

fn failure(directory: Option<&SealedDirectory>, error: &tantivy::TantivyError) -> SearchError {
    if is_damaged(directory) { SearchError::Damaged } else { SearchError::of(error) }
}

fn to_hex(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from_digit(u32::from(value), 16).unwrap_or_default();
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|d| u8::try_from(d).ok());
    let (pairs, []) = text.as_bytes().as_chunks::<2>() else { return None };
    pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect()
}
