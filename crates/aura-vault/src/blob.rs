// SPDX-License-Identifier: MIT OR Apache-2.0
//! Attachments: large bytes cut into chunks, each sealed on its own and kept under a random-looking name.
//!
//! The key is random, carried by the op that names the attachment; chunk names follow from it, so that
//! a store cannot tell which chunks belong together. Memory is bounded by one chunk. The same bytes in
//! two attachments share nothing. Source: spec/attachment.md, rules BLB-1 to BLB-7.

use std::io::{self, Read, Write};

use aura_crypto::aead::{self, Context, Hedge};
use aura_crypto::entropy::Entropy;
use aura_crypto::kdf;
use aura_crypto::key::{AttachmentKey, FromKeyBytes, HedgeKey};
use aura_crypto::pad;
use aura_protocol::entry::ChunkAdded;
use aura_protocol::id::{BlobId, ChunkName, Hash};
use aura_protocol::label::Label;
use aura_protocol::limits::{CHUNK_PLAIN_BYTES, ENTRY_CHUNKS_MAX};
use aura_protocol::store::{LocalLog, StoreError};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// Half of what one entry can name, so that small attachments may share an entry with a large one.
const CHUNKS_MAX: u64 = ENTRY_CHUNKS_MAX as u64 / 2;

/// Why an attachment was not kept or not read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BlobError {
    /// Its bytes could not be read, or not be written where they were wanted.
    #[error("the attachment's bytes could not be read or written")]
    Io(#[source] io::Error),
    /// The local store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It is larger than an entry can name chunks for.
    #[error("expected an attachment of at most 32 GiB")]
    TooLarge,
    /// A chunk does not open or the whole does not have the recorded hash.
    #[error("the attachment is damaged in the local store")]
    Damaged,
}

/// An attachment as a record's field says it: everything that is needed to read it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlobRef {
    /// The file's name.
    pub name: String,
    /// Its media type.
    #[serde(rename = "type")]
    pub media_type: String,
    /// Its length in bytes.
    pub size: u64,
    /// SHA-256 of its bytes, hexadecimal.
    pub sha256: String,
    /// The attachment key, hexadecimal. Never leaves the vault (BLB-1).
    key: String,
}

impl core::fmt::Debug for BlobRef {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("BlobRef(redacted)")
    }
}

impl BlobRef {
    /// What a field says that leads to no bytes, as an archive names an attachment.
    pub fn without_key(name: &str, media_type: &str, size: u64, sha256: &str) -> Self {
        Self {
            name: name.to_owned(),
            media_type: media_type.to_owned(),
            size,
            sha256: sha256.to_owned(),
            key: Hash([0; 32]).to_string(),
        }
    }

    /// The reference that a field's text is.
    pub fn parse(text: &str) -> Option<Self> {
        let this: Self = serde_json::from_str(text).ok()?;
        // Every reader must say the same of it: the state hash depends on it (BLB-1). And a length that
        // no writer gives must not be counted through.
        let is_one = is_hash(&this.key) && is_hash(&this.sha256);
        (is_one && chunk_count(this.size) <= CHUNKS_MAX).then_some(this)
    }

    /// The part of a field's text that says what the attachment is, without the way to its bytes.
    pub fn public_text(text: &str) -> String {
        let Some(this) = Self::parse(text) else { return String::new() };
        serde_json::json!([this.name, this.media_type, this.size, this.sha256]).to_string()
    }

    fn attachment_key(&self) -> Option<AttachmentKey> {
        Hash::parse(&self.key).and_then(|key| AttachmentKey::from_slice(&key.0))
    }

    /// The names of its chunks, in order.
    pub fn chunk_names(&self) -> Vec<ChunkName> {
        let Some(key) = self.attachment_key() else { return Vec::new() };
        (0..chunk_count(self.size)).map(|index| chunk_name(&key, index)).collect()
    }
}

/// Whether the text is the one that 32 bytes have in hexadecimal.
fn is_hash(text: &str) -> bool {
    Hash::parse(text).is_some_and(|hash| hash.to_string() == text)
}

/// How many chunks an attachment of this length has; an empty one has one (BLB-3).
fn chunk_count(size: u64) -> u64 {
    size.div_ceil(CHUNK_PLAIN_BYTES as u64).max(1)
}

/// A chunk's name, as random as the key from which it follows (BLB-5).
fn chunk_name(key: &AttachmentKey, index: u64) -> ChunkName {
    struct Name(ChunkName);
    impl FromKeyBytes for Name {
        fn from_fill(fill: &mut dyn FnMut(&mut [u8])) -> Self {
            let mut name = [0; 16];
            fill(&mut name);
            Self(ChunkName(name))
        }
    }
    let Name(name) = kdf::derive(key, Label::ChunkName, &index.to_be_bytes());
    name
}

fn context(blob: BlobId, index: u64, size: u64) -> Context {
    Context::new(Label::Chunk).bytes(&blob.0).uint(index).uint(size)
}

/// What [`fingerprint`] learns in a first pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fingerprint {
    /// Length in bytes.
    pub size: u64,
    /// SHA-256, hexadecimal.
    pub sha256: String,
}

/// Reads everything once to learn its length and hash.
///
/// # Errors
/// When reading fails.
pub fn fingerprint(mut content: impl Read) -> io::Result<Fingerprint> {
    let mut hasher = Sha256::new();
    let mut buffer = Zeroizing::new(vec![0; 64 << 10]);
    let mut size = 0u64;
    loop {
        let read = match content.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        hasher.update(buffer.get(..read).unwrap_or_default());
        size = size.saturating_add(read as u64);
    }
    Ok(Fingerprint { size, sha256: Hash(hasher.finalize().into()).to_string() })
}

/// A file that becomes an attachment.
pub struct Intake<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its media type.
    pub media_type: &'a str,
    /// Its length in bytes; what turns out longer or shorter is refused.
    pub size: u64,
    /// The SHA-256 that a first pass over its bytes found, hexadecimal; a second pass that differs is
    /// refused.
    pub sha256: Option<&'a str>,
}

/// Seals an attachment's bytes into chunks of the local store. Returns its field and what its entry
/// must say. The chunks are durable before the entry that names them (BLB-6).
///
/// # Errors
/// When reading or storing fails, the bytes are too many or not those that were announced. Then none of its
/// chunks stays, as far as the store can still remove them.
pub fn seal(
    log: &dyn LocalLog,
    place: (BlobId, &AttachmentKey),
    intake: &Intake<'_>,
    content: impl Read,
    hedge: (&HedgeKey, &mut dyn Entropy),
) -> Result<(BlobRef, Vec<ChunkAdded>), BlobError> {
    let sealed = seal_pieces(log, place, intake, content, hedge);
    if sealed.is_err() {
        let (_, key) = place;
        let names: Vec<_> =
            (0..chunk_count(intake.size)).map(|index| chunk_name(key, index)).collect();
        // One that stays takes room and harms nothing.
        drop(log.sweep_chunks(&names));
    }
    sealed
}

fn seal_pieces(
    log: &dyn LocalLog,
    (blob, key): (BlobId, &AttachmentKey),
    intake: &Intake<'_>,
    content: impl Read,
    (hedge_key, entropy): (&HedgeKey, &mut dyn Entropy),
) -> Result<(BlobRef, Vec<ChunkAdded>), BlobError> {
    let size = intake.size;
    let count = chunk_count(size);
    if count > CHUNKS_MAX {
        return Err(BlobError::TooLarge);
    }
    let mut hasher = Sha256::new();
    let mut content = content.take(size.saturating_add(1));
    let mut added = Vec::new();
    let room = usize::try_from(size).unwrap_or(usize::MAX).min(CHUNK_PLAIN_BYTES);
    let mut plain = Zeroizing::new(Vec::with_capacity(room));
    let mut sealed = Vec::new();
    let mut read = 0u64;
    for index in 0..count {
        plain.clear();
        let chunk_limit = CHUNK_PLAIN_BYTES as u64;
        (&mut content).take(chunk_limit).read_to_end(&mut plain).map_err(BlobError::Io)?;
        hasher.update(plain.as_slice());
        read = read.saturating_add(plain.len() as u64);
        // The last chunk grows to its size class; its true length follows from the whole's (BLB-4).
        if index.saturating_add(1) == count {
            let padded = pad::padme_len(plain.len()).min(CHUNK_PLAIN_BYTES);
            plain.resize(padded, 0);
        }
        // The hash of everything up to here stands for the chunk in its salt (SEA-4), and costs nothing more.
        let known = hasher.clone().finalize();
        let mut hedge = Hedge::with_known(hedge_key, &mut *entropy, &known);
        sealed.clear();
        aead::seal_into(key, &context(blob, index, size), &mut hedge, &plain, &mut sealed);
        let name = chunk_name(key, index);
        log.put_chunk(name, &sealed)?;
        added.push(ChunkAdded {
            name,
            hash: Hash::of(&[&sealed]),
            size_bytes: sealed.len() as u64,
        });
    }
    let mut rest = [0; 1];
    let surplus = content.read(&mut rest).map_err(BlobError::Io)?;
    let sha256 = Hash(hasher.finalize().into()).to_string();
    if read != size || surplus != 0 || intake.sha256.is_some_and(|found| found != sha256) {
        let changed = io::Error::other("the file changed while it was read");
        return Err(BlobError::Io(changed));
    }
    let field = BlobRef {
        name: intake.name.to_owned(),
        media_type: intake.media_type.to_owned(),
        size,
        sha256,
        key: Hash(*key.dangerous_bytes()).to_string(),
    };
    Ok((field, added))
}

/// Writes an attachment's bytes to `out`, chunk by chunk, each verified before it is written.
///
/// # Errors
/// When a chunk is missing or damaged, or writing fails. What was written until then is genuine
/// but not whole.
pub fn open(
    log: &dyn LocalLog,
    blob: BlobId,
    field: &BlobRef,
    out: &mut dyn Write,
) -> Result<(), BlobError> {
    let key = field.attachment_key().ok_or(BlobError::Damaged)?;
    let mut hasher = Sha256::new();
    let mut left = field.size;
    for index in 0..chunk_count(field.size) {
        let sealed = log.chunk(chunk_name(&key, index))?;
        let plain = aead::open(&key, &context(blob, index, field.size), &sealed)
            .map_err(|_| BlobError::Damaged)?;
        let keep = usize::try_from(left).unwrap_or(usize::MAX).min(CHUNK_PLAIN_BYTES);
        let bytes = plain.get(..keep).ok_or(BlobError::Damaged)?;
        hasher.update(bytes);
        out.write_all(bytes).map_err(BlobError::Io)?;
        left = left.saturating_sub(keep as u64);
    }
    let sha256 = Hash(hasher.finalize().into()).to_string();
    if left == 0 && sha256 == field.sha256 { Ok(()) } else { Err(BlobError::Damaged) }
}
