// SPDX-License-Identifier: MIT OR Apache-2.0
//! Sealed objects: one construction for everything at rest or in a store.
//!
//! C2SP chunked-encryption, Cobblestone-256: salt 24 ‖ commitment 32 ‖ AES-256-GCM chunks of 16 KiB,
//! the last always shorter. Key, nonces and commitment come out of one HKDF-SHA-512 over salt and
//! context, so an object opens under one key, in one place, and nobody ever chooses a nonce.
//! Streams are in `stream`; authority (who may write) is elsewhere: what opens is merely secret.
//! Source: spec/sealed-object.md, rules SEA-1 to SEA-12 (C2SP chunked-encryption@v1).

use core::ops::Range;

use aura_protocol::codec::Writer;
use aura_protocol::label::Label;
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::digest;
use hmac::Mac;
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, Zeroizing};

use crate::entropy::Entropy;
use crate::kdf;
use crate::key::{HedgeKey, SealingKey};

/// Plaintext bytes of every chunk but the last, which has fewer.
pub const CHUNK: usize = 16_384;
/// Bytes before the first chunk.
pub const HEADER: usize = SALT + COMMITMENT;
/// Bytes that each chunk grows by.
pub const TAG: usize = 16;
/// Chunks of one object at most.
pub const CHUNKS_MAX: u64 = 1 << 38;

const SALT: usize = 24;
const COMMITMENT: usize = 32;
const SEALED_CHUNK: usize = CHUNK + TAG;
const CHUNK_LEN: u64 = CHUNK as u64;
const SEALED_CHUNK_LEN: u64 = SEALED_CHUNK as u64;
const SUITE: &[u8] = b"c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM\0";

/// The object does not open: wrong key, wrong place, or altered. Which of them is not said (SEA-8).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected an object sealed under this key for this place")]
pub struct OpenError;

/// Where an object belongs: a label and fields, as one canonical CBOR array (SEA-3).
///
/// The reader builds it from what it asked for, never from what it got.
#[derive(Debug)]
pub struct Context {
    label: Label,
    fields: Vec<u8>,
    count: usize,
}

impl Context {
    /// The place that this label names, with no fields yet.
    pub fn new(label: Label) -> Self {
        Self { label, fields: Vec::new(), count: 1 }
    }

    /// With one more field: a byte string.
    #[must_use]
    pub fn bytes(self, value: &[u8]) -> Self {
        self.push(|writer| writer.bytes(value))
    }

    /// With one more field: an unsigned integer.
    #[must_use]
    pub fn uint(self, value: u64) -> Self {
        self.push(|writer| writer.uint(value))
    }

    /// With one more field: text.
    #[must_use]
    pub fn text(self, value: &str) -> Self {
        self.push(|writer| writer.text(value))
    }

    fn push(mut self, field: impl FnOnce(&mut Writer) -> &mut Writer) -> Self {
        let mut writer = Writer::new();
        field(&mut writer);
        self.fields.append(&mut writer.into_bytes());
        self.count = self.count.saturating_add(1);
        self
    }

    /// The canonical bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut writer = Writer::with_capacity(self.fields.len().saturating_add(40));
        writer.array(self.count).text(self.label.as_str()).raw(&self.fields);
        writer.into_bytes()
    }
}

/// How an object's salt is made unrepeatable, even if a restored machine repeats its randomness.
///
/// salt = HMAC-SHA-512(hedge key, 32 random bytes ‖ context ‖ SHA-256(x))\[..24\], where x is the
/// plaintext, or, for what is too large to read twice, whatever the caller knows to be new (SEA-4).
pub struct Hedge<'a> {
    key: &'a HedgeKey,
    entropy: &'a mut dyn Entropy,
    known: Option<&'a [u8]>,
}

impl<'a> Hedge<'a> {
    /// Mixes in the plaintext: for objects in memory.
    pub fn new(key: &'a HedgeKey, entropy: &'a mut dyn Entropy) -> Self {
        Self { key, entropy, known: None }
    }

    /// Mixes in what is known instead of the plaintext: for streams and large chunks.
    ///
    /// # Security
    /// `known` should differ each time: a process id with a monotonic and a wall clock, and for
    /// files their path, size and times. With working randomness it does not matter.
    pub fn with_known(key: &'a HedgeKey, entropy: &'a mut dyn Entropy, known: &'a [u8]) -> Self {
        Self { key, entropy, known: Some(known) }
    }

    fn salt(&mut self, context: &[u8], plaintext: &[u8]) -> [u8; SALT] {
        let mut random = Zeroizing::new([0; 32]);
        self.entropy.fill(random.as_mut_slice());
        let mut mac = kdf::keyed_mac(self.key.dangerous_bytes());
        mac.update(random.as_slice());
        mac.update(context);
        // This one hash may be over megabytes: processors have instructions for SHA-256.
        mac.update(digest::digest(&digest::SHA256, self.known.unwrap_or(plaintext)).as_ref());
        let mut salt = [0; SALT];
        salt.iter_mut().zip(mac.finalize().into_bytes()).for_each(|(to, from)| *to = from);
        salt
    }
}

impl core::fmt::Debug for Hedge<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Hedge(redacted)")
    }
}

/// The one key of one object, with its chunk counter's base (SEA-2).
struct Message {
    key: LessSafeKey,
    base_nonce: Zeroizing<[u8; 12]>,
    commitment: [u8; COMMITMENT],
}

impl Message {
    fn new(key: &impl SealingKey, salt: &[u8], context: &[u8]) -> Self {
        let mut okm = Zeroizing::new([0; 32 + 12 + COMMITMENT]);
        kdf::expand(key.dangerous_bytes(), &[SUITE, salt, context], okm.as_mut_slice());
        let (key, rest) = okm.split_at(32);
        let mut base_nonce = Zeroizing::new([0; 12]);
        let mut commitment = [0; COMMITMENT];
        base_nonce.iter_mut().chain(&mut commitment).zip(rest).for_each(|(to, from)| *to = *from);
        Self { key: gcm_key(key), base_nonce, commitment }
    }

    /// Base nonce XOR the chunk's index, big-endian (SEA-5).
    fn nonce(&self, index: u64) -> Nonce {
        let mut nonce = *self.base_nonce;
        let low = nonce.iter_mut().skip(4);
        low.zip(index.to_be_bytes()).for_each(|(byte, index)| *byte ^= index);
        Nonce::assume_unique_for_key(nonce)
    }

    /// Appends one sealed chunk to `out`.
    fn seal_chunk(&self, index: u64, plaintext: &[u8], out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(plaintext);
        let (_, chunk) = out.split_at_mut(start);
        let tag = seal_in_place(&self.key, self.nonce(index), chunk);
        out.extend_from_slice(&tag);
    }

    /// Opens one sealed chunk into `out`, which is as long as its plaintext.
    fn open_chunk(&self, index: u64, sealed: &[u8], out: &mut [u8]) -> Result<(), OpenError> {
        let (ciphertext, tag) = sealed.split_at_checked(out.len()).ok_or(OpenError)?;
        self.key
            .open_separate_gather(self.nonce(index), Aad::empty(), ciphertext, tag, out)
            .map_err(|_| OpenError)
    }

    /// Opens all chunks into `out`, whose length is the plaintext's: then both sides have the same
    /// number of chunks, but for an empty last one.
    fn open_chunks(&self, body: &[u8], out: &mut [u8]) -> Result<(), OpenError> {
        let (full, last) = body.as_chunks::<SEALED_CHUNK>();
        let (full_out, last_out) = out.as_chunks_mut::<CHUNK>();
        for ((index, sealed), out) in (0..).zip(full).zip(full_out) {
            self.open_chunk(index, sealed, out)?;
        }
        self.open_chunk(full.len() as u64, last, last_out)
    }
}

#[expect(clippy::expect_used, reason = "the only error is a key of another length than 32 bytes")]
fn gcm_key(key: &[u8]) -> LessSafeKey {
    LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).expect("32 bytes"))
}

#[expect(clippy::expect_used, reason = "the only error is input beyond 64 GiB; chunks are 16 KiB")]
fn seal_in_place(key: &LessSafeKey, nonce: Nonce, chunk: &mut [u8]) -> [u8; TAG] {
    let tag = key.seal_in_place_separate_tag(nonce, Aad::empty(), chunk).expect("a small chunk");
    let mut bytes = [0; TAG];
    bytes.iter_mut().zip(tag.as_ref()).for_each(|(to, from)| *to = *from);
    bytes
}

/// The length of the object that this many bytes become; nothing beyond the format's bounds.
pub fn sealed_len(plain_len: u64) -> Option<u64> {
    let chunks = (plain_len / CHUNK_LEN).checked_add(1)?;
    if chunks > CHUNKS_MAX {
        return None;
    }
    chunks.checked_mul(TAG as u64)?.checked_add(HEADER as u64)?.checked_add(plain_len)
}

/// How many bytes an object of this length holds; nothing where no object is that long (SEA-6).
pub fn plain_len(sealed_len: u64) -> Option<u64> {
    let body = sealed_len.checked_sub(HEADER as u64)?;
    let (full, last) = (body / SEALED_CHUNK_LEN, body % SEALED_CHUNK_LEN);
    let last = last.checked_sub(TAG as u64)?;
    if full >= CHUNKS_MAX {
        return None;
    }
    full.checked_mul(CHUNK_LEN)?.checked_add(last)
}

/// Where chunk `index` lies in an object of this length, if it has that many.
pub fn chunk_span(index: u64, sealed_len: u64) -> Option<Range<u64>> {
    let start = index.checked_mul(SEALED_CHUNK_LEN)?.checked_add(HEADER as u64)?;
    let end = start.saturating_add(SEALED_CHUNK_LEN).min(sealed_len);
    (plain_len(sealed_len).is_some() && start < sealed_len).then_some(start..end)
}

/// Seals `plaintext` for the place that `context` names.
pub fn seal(
    key: &impl SealingKey,
    context: &Context,
    hedge: &mut Hedge<'_>,
    plaintext: &[u8],
) -> Vec<u8> {
    let mut out = Vec::new();
    seal_into(key, context, hedge, plaintext, &mut out);
    out
}

/// As [`seal`], appended to `out`: a buffer used again saves most of the cost of a large object.
pub fn seal_into(
    key: &impl SealingKey,
    context: &Context,
    hedge: &mut Hedge<'_>,
    plaintext: &[u8],
    out: &mut Vec<u8>,
) {
    let context = context.to_bytes();
    let salt = hedge.salt(&context, plaintext);
    seal_salted(key, &context, &salt, plaintext, out);
}

/// Seals under a given salt. The same salt twice under one key and context gives everything away,
/// so this stays inside the crate and its tests.
fn seal_salted(
    key: &impl SealingKey,
    context: &[u8],
    salt: &[u8; SALT],
    plaintext: &[u8],
    out: &mut Vec<u8>,
) {
    let len = sealed_len(plaintext.len() as u64).and_then(|len| usize::try_from(len).ok());
    out.reserve_exact(len.unwrap_or(plaintext.len()));
    let message = Message::new(key, salt, context);
    out.extend_from_slice(salt);
    out.extend_from_slice(&message.commitment);
    let (full, last) = plaintext.as_chunks::<CHUNK>();
    for (index, chunk) in (0..).zip(full.iter().map(<[u8; CHUNK]>::as_slice).chain([last])) {
        message.seal_chunk(index, chunk, out);
    }
}

/// Opens an object that was sealed under this key for this place (SEA-6 to SEA-8).
///
/// # Errors
/// [`OpenError`], whatever the reason; nothing is released then.
pub fn open(
    key: &impl SealingKey,
    context: &Context,
    sealed: &[u8],
) -> Result<Zeroizing<Vec<u8>>, OpenError> {
    let mut out = Zeroizing::new(Vec::new());
    open_into(key, context, sealed, &mut out)?;
    Ok(out)
}

/// As [`open`], appended to `out`: a buffer used again saves most of the cost of a large object.
/// Wiping it is the caller's, and room reserved beforehand saves copies on the way.
///
/// # Errors
/// [`OpenError`], whatever the reason; `out` is as it was then.
pub fn open_into(
    key: &impl SealingKey,
    context: &Context,
    sealed: &[u8],
    out: &mut Vec<u8>,
) -> Result<(), OpenError> {
    open_in_context(key, &context.to_bytes(), sealed, out)
}

fn open_in_context(
    key: &impl SealingKey,
    context: &[u8],
    sealed: &[u8],
    out: &mut Vec<u8>,
) -> Result<(), OpenError> {
    let plain_len = plain_len(sealed.len() as u64).ok_or(OpenError)?;
    let (header, body) = sealed.split_first_chunk::<HEADER>().ok_or(OpenError)?;
    let Opener { message } = Opener::in_context(key, context, header)?;
    let start = out.len();
    let len = usize::try_from(plain_len).map_err(|_| OpenError)?;
    if out.is_empty() && out.capacity() < len {
        // Fresh pages come zeroed from the system: writing zeros over them would cost a pass.
        out.zeroize();
        *out = vec![0; len];
    } else {
        out.resize(start.saturating_add(len), 0);
    }
    let (_, plain) = out.split_at_mut(start);
    let result = message.open_chunks(body, plain);
    if result.is_err() {
        plain.zeroize();
        out.truncate(start);
    }
    result
}

/// Whether a chunk was the object's last: only a short one is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Position {
    /// A full chunk: at least one more follows.
    Inner,
    /// The short chunk that ends the object.
    Last,
}

/// Opens single chunks of one object, in any order (SEA-9).
pub struct Opener {
    message: Message,
}

impl Opener {
    /// An opener for the object with this header. The commitment is compared, in constant time,
    /// before any chunk is touched (SEA-7).
    ///
    /// # Errors
    /// [`OpenError`] when key, context or header are not those of one object.
    pub fn new(
        key: &impl SealingKey,
        context: &Context,
        header: &[u8; HEADER],
    ) -> Result<Self, OpenError> {
        Self::in_context(key, &context.to_bytes(), header)
    }

    fn in_context(
        key: &impl SealingKey,
        context: &[u8],
        header: &[u8; HEADER],
    ) -> Result<Self, OpenError> {
        let (salt, commitment) = header.split_at(SALT);
        let message = Message::new(key, salt, context);
        if bool::from(message.commitment.as_slice().ct_eq(commitment)) {
            Ok(Self { message })
        } else {
            Err(OpenError)
        }
    }

    /// Opens one sealed chunk, whole, and appends what it holds to `out`.
    ///
    /// # Errors
    /// [`OpenError`]; `out` is as it was then.
    ///
    /// # Security
    /// The object is complete only when its last chunk, at the index that its length implies, has
    /// opened as [`Position::Last`].
    pub fn open_chunk(
        &self,
        index: u64,
        sealed: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<Position, OpenError> {
        let len = sealed.len().checked_sub(TAG).ok_or(OpenError)?;
        if len > CHUNK || index >= CHUNKS_MAX {
            return Err(OpenError);
        }
        let start = out.len();
        out.resize(start.saturating_add(len), 0);
        let (_, plain) = out.split_at_mut(start);
        if let Err(error) = self.message.open_chunk(index, sealed, plain) {
            plain.zeroize();
            out.truncate(start);
            return Err(error);
        }
        Ok(if len == CHUNK { Position::Inner } else { Position::Last })
    }
}

impl core::fmt::Debug for Opener {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Opener(redacted)")
    }
}

/// Seals one object chunk by chunk. Consumed by [`Sealer::finish`], without which the object is
/// recognisably cut short.
pub struct Sealer {
    message: Message,
    next: u64,
}

impl Sealer {
    /// A sealer, and the header that comes before its first chunk. The hedge mixes in what it
    /// knows; there is no plaintext yet.
    pub fn new(
        key: &impl SealingKey,
        context: &Context,
        hedge: &mut Hedge<'_>,
    ) -> (Self, [u8; HEADER]) {
        let context = context.to_bytes();
        let salt = hedge.salt(&context, &[]);
        let message = Message::new(key, &salt, &context);
        let mut header = [0; HEADER];
        let parts = salt.iter().chain(&message.commitment);
        header.iter_mut().zip(parts).for_each(|(to, from)| *to = *from);
        (Self { message, next: 0 }, header)
    }

    /// Appends the next full chunk, sealed, to `out`.
    ///
    /// # Errors
    /// [`TooLong`] when the object would have more chunks than the format allows.
    pub fn chunk(&mut self, plaintext: &[u8; CHUNK], out: &mut Vec<u8>) -> Result<(), TooLong> {
        let after = self.next.checked_add(1).filter(|&after| after < CHUNKS_MAX).ok_or(TooLong)?;
        self.message.seal_chunk(self.next, plaintext, out);
        self.next = after;
        Ok(())
    }

    /// Appends the last chunk, sealed, to `out`.
    ///
    /// # Errors
    /// [`TooLong`] unless it is shorter than [`CHUNK`].
    pub fn finish(self, last: &[u8], out: &mut Vec<u8>) -> Result<(), TooLong> {
        if last.len() >= CHUNK {
            return Err(TooLong);
        }
        self.message.seal_chunk(self.next, last, out);
        Ok(())
    }
}

impl core::fmt::Debug for Sealer {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Sealer(redacted)")
    }
}

/// More bytes than an object, or its last chunk, may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected an object of at most 2^38 chunks, the last one short")]
pub struct TooLong;

#[cfg(test)]
mod tests;
