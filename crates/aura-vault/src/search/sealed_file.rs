// SPDX-License-Identifier: MIT OR Apache-2.0
//! One immutable file of the index: a sealed object that is read at any place and written once.
//!
//! A reader opens only the blocks that it is asked for and keeps them in the shared cache; small
//! files are held whole, without a file descriptor. A writer does not know the length before the
//! end, so the context cannot carry it: instead the last block, shorter than all others, is opened
//! before anything else, and the directory's manifest names the length and the commitment.
//! Source: design "A sealed object"; spec/sealed-object.md. Offsets and lengths are of plaintext
//! unless they say sealed.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use aura_crypto::aead::{self, CHUNK, HEADER, Opener, Sealer, TAG};
use tantivy::HasLen;
use tantivy::directory::{AntiCallToken, FileHandle, OwnedBytes, TerminatingWrite};

use super::cache::{BlockCache, Span, wipe};

/// A file of this many blocks or fewer is held in memory while it is open.
const SMALL_BLOCKS: usize = 2;
/// Blocks read from the disk at once.
const READ_BLOCKS: usize = 64;
/// From this many blocks on, what was asked for together is kept together.
const SPAN_BLOCKS: usize = 3;

/// A block does not open, or a file is not the one that was written. Not told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected the index file that was written here")]
pub(super) struct Damage;

pub(super) fn damaged() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, Damage)
}

/// A file's identity: what a directory remembers of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Seal {
    /// Length in bytes, sealed.
    pub(super) sealed_len: u64,
    /// Salt and commitment: stands for key, context and salt.
    pub(super) header: [u8; HEADER],
}

/// Told when something turns out to be damaged.
pub(super) type Alarm = Arc<dyn Fn() + Send + Sync>;

/// Opened blocks by (first, count), while somebody holds them.
type Spans = HashMap<(usize, usize), Weak<[u8]>>;

/// Reads one file.
pub(super) struct SealedFile {
    file: Mutex<File>,
    opener: Opener,
    sealed_len: u64,
    len: usize,
    number: u64,
    cache: Arc<BlockCache>,
    /// Spans too large for the cache, for as long as somebody holds them: dictionaries and columns
    /// that a reader of the same part is about to open once more.
    held: Mutex<Spans>,
    alarm: Alarm,
}

/// What a reader shares with the others of its directory.
pub(super) struct Surroundings {
    pub(super) number: u64,
    pub(super) cache: Arc<BlockCache>,
    pub(super) alarm: Alarm,
}

impl SealedFile {
    /// The open file, after its length and last block have been verified.
    ///
    /// # Errors
    /// [`Damage`] when the file is not the one with this seal.
    pub(super) fn open(
        mut file: File,
        seal: &Seal,
        opener: Opener,
        around: Surroundings,
    ) -> io::Result<Arc<dyn FileHandle>> {
        let sealed_len = file.metadata()?.len();
        let mut header = [0; HEADER];
        file.read_exact(&mut header).map_err(|_| damaged())?;
        if sealed_len != seal.sealed_len || header != seal.header {
            return Err(damaged());
        }
        let len = aead::plain_len(sealed_len).and_then(|len| usize::try_from(len).ok());
        let len = len.ok_or_else(damaged)?;
        let Surroundings { number, cache, alarm } = around;
        let file = Mutex::new(file);
        let held = Mutex::default();
        let file = Self { file, opener, sealed_len, len, number, cache, held, alarm };
        if len / CHUNK < SMALL_BLOCKS {
            return Ok(Arc::new(OwnedBytes::new(file.open_blocks(0, len / CHUNK + 1)?)));
        }
        file.open_blocks(len / CHUNK, 1)?;
        Ok(Arc::new(file))
    }

    /// Opens `count` blocks from `first` on.
    fn open_blocks(&self, first: usize, count: usize) -> io::Result<Vec<u8>> {
        let mut plain = Vec::with_capacity(count.saturating_mul(CHUNK).min(self.len));
        let mut sealed = Vec::new();
        let end = first.saturating_add(count);
        for start in (first..end).step_by(READ_BLOCKS) {
            self.read_sealed(start..end.min(start.saturating_add(READ_BLOCKS)), &mut sealed)?;
            for (index, block) in (start..).zip(sealed.chunks(CHUNK + TAG)) {
                let opened = self.opener.open_chunk(index as u64, block, &mut plain);
                opened.map_err(|_| damaged())?;
            }
        }
        Ok(plain)
    }

    fn read_sealed(&self, blocks: Range<usize>, sealed: &mut Vec<u8>) -> io::Result<()> {
        let at = |block: usize| {
            let start = (block as u64).saturating_mul((CHUNK + TAG) as u64);
            start.saturating_add(HEADER as u64).min(self.sealed_len)
        };
        let (start, end) = (at(blocks.start), at(blocks.end));
        sealed.resize(usize::try_from(end.saturating_sub(start)).map_err(|_| damaged())?, 0);
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start(start))?;
        file.read_exact(sealed).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => damaged(),
            _ => error,
        })
    }

    /// Whole blocks, kept together.
    fn span(&self, first: usize, count: usize) -> io::Result<OwnedBytes> {
        let span = Span { file: self.number, first, count };
        if let Some(bytes) = self.cache.find(span) {
            return Ok(OwnedBytes::new(bytes));
        }
        let key = (first, count);
        if let Some(bytes) = self.held().get(&key).and_then(Weak::upgrade) {
            return Ok(OwnedBytes::new(bytes));
        }
        let mut plain = self.open_blocks(first, count)?;
        let bytes: Arc<[u8]> = plain.as_slice().into();
        wipe(&mut plain);
        if self.cache.keeps(bytes.len()) {
            self.cache.insert(span, &bytes);
        } else {
            let mut held = self.held();
            held.retain(|_, bytes| bytes.strong_count() > 0);
            held.insert(key, Arc::downgrade(&bytes));
        }
        Ok(OwnedBytes::new(bytes))
    }

    fn held(&self) -> MutexGuard<'_, Spans> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read(&self, range: Range<usize>) -> io::Result<OwnedBytes> {
        if range.start > range.end || range.end > self.len {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "beyond the end"));
        }
        let Some(last) = range.end.checked_sub(1).filter(|last| *last >= range.start) else {
            return Ok(OwnedBytes::empty());
        };
        let first = range.start / CHUNK;
        let count = last / CHUNK - first + 1;
        let (from, len) = (range.start % CHUNK, range.len());
        if count == 1 || count >= SPAN_BLOCKS {
            return Ok(self.span(first, count)?.slice(from..from + len));
        }
        let mut bytes = Vec::with_capacity(len);
        for block in first..first + count {
            let block = self.span(block, 1)?;
            let from = if bytes.is_empty() { from } else { 0 };
            let to = block.len().min(from + (len - bytes.len()));
            bytes.extend_from_slice(block.get(from..to).ok_or_else(damaged)?);
        }
        Ok(OwnedBytes::new(bytes))
    }
}

impl FileHandle for SealedFile {
    fn read_bytes(&self, range: Range<usize>) -> io::Result<OwnedBytes> {
        self.read(range).inspect_err(|_| (self.alarm)())
    }
}

impl HasLen for SealedFile {
    fn len(&self) -> usize {
        self.len
    }
}

impl std::fmt::Debug for SealedFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SealedFile({} bytes)", self.len)
    }
}

impl Drop for SealedFile {
    fn drop(&mut self) {
        self.cache.forget(self.number);
    }
}

/// Writes one file.
pub(super) struct SealedWriter {
    file: File,
    /// Nothing after the end.
    sealer: Option<Sealer>,
    header: [u8; HEADER],
    plain: Vec<u8>,
    sealed: Vec<u8>,
    sealed_len: u64,
    done: Option<Box<dyn FnOnce(Seal) + Send + Sync>>,
}

impl SealedWriter {
    /// Begins the file; `done` learns what it became.
    pub(super) fn new(
        mut file: File,
        (sealer, header): (Sealer, [u8; HEADER]),
        done: Box<dyn FnOnce(Seal) + Send + Sync>,
    ) -> io::Result<Self> {
        file.write_all(&header)?;
        Ok(Self {
            file,
            sealer: Some(sealer),
            header,
            plain: Vec::with_capacity(CHUNK),
            sealed: Vec::with_capacity(CHUNK + TAG),
            sealed_len: HEADER as u64,
            done: Some(done),
        })
    }

    fn write_sealed(&mut self) -> io::Result<()> {
        self.file.write_all(&self.sealed)?;
        self.sealed_len = self.sealed_len.saturating_add(self.sealed.len() as u64);
        self.sealed.clear();
        self.plain.clear();
        Ok(())
    }
}

impl Write for SealedWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = CHUNK.saturating_sub(self.plain.len());
        let taken = bytes.get(..room).unwrap_or(bytes);
        self.plain.extend_from_slice(taken);
        if let Ok(chunk) = <&[u8; CHUNK]>::try_from(self.plain.as_slice()) {
            let sealer = self.sealer.as_mut().ok_or_else(after_the_end)?;
            sealer.chunk(chunk, &mut self.sealed).map_err(io::Error::other)?;
            self.write_sealed()?;
        }
        Ok(taken.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        // A chunk that is not full may only be the last: what is pending waits for the end.
        Ok(())
    }
}

fn after_the_end() -> io::Error {
    io::Error::other("expected no more bytes after the end of an index file")
}

impl TerminatingWrite for SealedWriter {
    fn terminate_ref(&mut self, _: AntiCallToken) -> io::Result<()> {
        let sealer = self.sealer.take().ok_or_else(after_the_end)?;
        sealer.finish(&self.plain, &mut self.sealed).map_err(io::Error::other)?;
        self.write_sealed()?;
        if let Some(done) = self.done.take() {
            done(Seal { sealed_len: self.sealed_len, header: self.header });
        }
        Ok(())
    }
}

impl Drop for SealedWriter {
    fn drop(&mut self) {
        let room = self.plain.capacity();
        self.plain.resize(room, 0);
        wipe(&mut self.plain);
    }
}
