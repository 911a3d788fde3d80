// SPDX-License-Identifier: MIT OR Apache-2.0
//! One entry of a feed: a clear header and a body that is sealed everywhere but in the authority feeds.
//!
//! Its hash covers both and is computed, never supplied; bodies are padded so that length says little.
//! Opening one takes a key and lives in `aura_crypto::seal`.
//! Source: spec/entry.md, rules ENT-1 to ENT-9. Sizes in bytes, encoding deterministic CBOR.

use crate::codec::{CodecError, Decode, Encode, Extra, Reader, Writer, version};
use crate::id::{
    ChunkName, CollectionId, DeviceId, EpochId, FeedId, Hash, Incarnation, Nonce16, VaultId,
};
use crate::limits::{
    CHUNK_BYTES_MAX, ENTRY_BODY_BYTES_MAX, ENTRY_CHUNKS_MAX, ENTRY_HEADER_BYTES_MAX, FORMAT_VERSION,
};

/// A chunk that an entry adds: a store keeps it because a listed entry names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChunkAdded {
    /// Its random name.
    pub name: ChunkName,
    /// SHA-256 of its sealed bytes.
    pub hash: Hash,
    /// Its sealed size.
    pub size_bytes: u64,
}

/// What a store may know of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryHeader {
    /// The vault it belongs to.
    pub vault: VaultId,
    /// Its place: collection, device, incarnation.
    pub feed: FeedId,
    /// Which generation of the collection's key seals it; [`EpochId::CLEAR`] for none.
    pub epoch: EpochId,
    /// Its place in the feed: 1, 2, 3 …
    pub number: u64,
    /// The hash of the entry before it; zero for the first.
    pub previous: Hash,
    /// Length of the body as stored.
    pub body_bytes: u64,
    /// Chunks that come with it, ascending by name.
    pub added: Vec<ChunkAdded>,
    /// Chunks that it no longer needs, ascending.
    pub dropped: Vec<ChunkName>,
    /// Members from a newer version.
    pub extra: Extra,
}

impl EntryHeader {
    /// The header without its chunk lists: what the body's seal is bound to (ENT-4).
    pub fn context(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.map(self.extra.len().saturating_add(9));
        self.place(&mut writer);
        self.extra.encode(&mut writer);
        writer.into_bytes()
    }

    /// Puts the chunk lists into the order that a reader expects, each name once (ENT-8).
    fn settle_chunks(&mut self) {
        self.added.sort_unstable_by_key(|chunk| chunk.name);
        self.added.dedup_by_key(|chunk| chunk.name);
        self.dropped.sort_unstable();
        self.dropped.dedup();
    }

    fn has_canonical_chunks(&self) -> bool {
        let is_added =
            |name: &ChunkName| self.added.binary_search_by_key(name, |chunk| chunk.name).is_ok();
        self.added.is_sorted_by(|a, b| a.name < b.name)
            && self.dropped.is_sorted_by(|a, b| a < b)
            && !self.dropped.iter().any(is_added)
    }

    fn place(&self, writer: &mut Writer) {
        writer.uint(1).uint(FORMAT_VERSION);
        writer.uint(2).bytes(&self.vault.0);
        writer.uint(3).bytes(&self.feed.collection.0);
        writer.uint(4);
        self.epoch.encode(writer);
        writer.uint(5).bytes(&self.feed.device.0);
        writer.uint(6).bytes(&self.feed.incarnation.0);
        writer.uint(7).uint(self.number);
        writer.uint(8).bytes(&self.previous.0);
        writer.uint(9).uint(self.body_bytes);
    }
}

impl Encode for EntryHeader {
    fn encode(&self, writer: &mut Writer) {
        let chunk_lists = usize::from(!self.added.is_empty())
            .saturating_add(usize::from(!self.dropped.is_empty()));
        writer.map(chunk_lists.saturating_add(9).saturating_add(self.extra.len()));
        self.place(writer);
        if !self.added.is_empty() {
            writer.uint(10).array(self.added.len());
            for chunk in &self.added {
                writer.array(3).bytes(&chunk.name.0).bytes(&chunk.hash.0).uint(chunk.size_bytes);
            }
        }
        if !self.dropped.is_empty() {
            writer.uint(11).array(self.dropped.len());
            for name in &self.dropped {
                writer.bytes(&name.0);
            }
        }
        self.extra.encode(writer);
    }
}

impl Decode for EntryHeader {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        let (mut header, extra) = reader.map(|map| {
            // ENT-1: one version, no older or newer one.
            map.required(1, version)?;
            let vault = map.required(2, |r| r.bytes_exact().map(VaultId))?;
            let collection = map.required(3, |r| r.bytes_exact().map(CollectionId))?;
            let epoch = map.required(4, EpochId::decode)?;
            let device = map.required(5, |r| r.bytes_exact().map(DeviceId))?;
            let incarnation = map.required(6, |r| r.bytes_exact().map(Incarnation))?;
            let number = map.required(7, Reader::uint)?;
            let previous = map.required(8, |r| r.bytes_exact().map(Hash))?;
            let body_bytes = map.required(9, |r| r.uint_max(ENTRY_BODY_BYTES_MAX as u64))?;
            let added = map.optional(10, |r| nonempty(r.array(ENTRY_CHUNKS_MAX, chunk_added)?))?;
            let dropped = map.optional(11, |r| {
                nonempty(r.array(ENTRY_CHUNKS_MAX, |r| r.bytes_exact().map(ChunkName))?)
            })?;
            Ok(Self {
                vault,
                feed: FeedId { collection, device, incarnation },
                epoch,
                number,
                previous,
                body_bytes,
                added: added.unwrap_or_default(),
                dropped: dropped.unwrap_or_default(),
                extra: Extra::default(),
            })
        })?;
        // ENT-2: counted from 1; only the first follows nothing.
        if (header.number <= 1) != (header.previous == Hash([0; 32])) || header.number == 0 {
            return Err(CodecError::Bounds);
        }
        // ENT-3: only the authority collection is clear.
        if (header.feed.collection == CollectionId::AUTHORITY) != (header.epoch == EpochId::CLEAR) {
            return Err(CodecError::Bounds);
        }
        // ENT-8: one order for the chunk lists, which says nothing of the chunks' order in a file.
        if !header.has_canonical_chunks() {
            return Err(CodecError::Bounds);
        }
        header.extra = extra;
        Ok(header)
    }
}

fn chunk_added(reader: &mut Reader<'_>) -> Result<ChunkAdded, CodecError> {
    reader.tuple(3, |r| {
        Ok(ChunkAdded {
            name: ChunkName(r.bytes_exact()?),
            hash: Hash(r.bytes_exact()?),
            // ENT-9: nobody is made to fetch more than a chunk can be.
            size_bytes: r.uint_max(CHUNK_BYTES_MAX as u64)?,
        })
    })
}

/// An empty list is written as no member at all, so a present one must not be empty.
pub(crate) fn nonempty<T>(list: Vec<T>) -> Result<Vec<T>, CodecError> {
    if list.is_empty() { Err(CodecError::Bounds) } else { Ok(list) }
}

impl Encode for EpochId {
    fn encode(&self, writer: &mut Writer) {
        writer.array(2).uint(u64::from(self.counter)).bytes(&self.nonce.0);
    }
}

impl Decode for EpochId {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        reader.tuple(2, |r| {
            let counter = u32::try_from(r.uint()?).map_err(|_| CodecError::Bounds)?;
            let epoch = Self { counter, nonce: Nonce16(r.bytes_exact()?) };
            // IDS-4: counter 0 is the one epoch without a key, and nothing else.
            if counter == 0 && epoch != Self::CLEAR { Err(CodecError::Bounds) } else { Ok(epoch) }
        })
    }
}

impl Encode for FeedId {
    fn encode(&self, writer: &mut Writer) {
        writer.array(3).bytes(&self.collection.0).bytes(&self.device.0).bytes(&self.incarnation.0);
    }
}

impl Decode for FeedId {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        reader.tuple(3, |r| {
            Ok(Self {
                collection: CollectionId(r.bytes_exact()?),
                device: DeviceId(r.bytes_exact()?),
                incarnation: Incarnation(r.bytes_exact()?),
            })
        })
    }
}

/// An entry: header and body, as stored and sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    header: EntryHeader,
    header_bytes: Vec<u8>,
    body: Vec<u8>,
    /// Worked out once: writer, store and reader all ask for it.
    hash: Hash,
}

impl Entry {
    /// Puts an entry together; the header's body length is set to the body's and its chunk lists are
    /// put in order.
    pub fn new(mut header: EntryHeader, body: Vec<u8>) -> Self {
        header.body_bytes = body.len() as u64;
        header.settle_chunks();
        let header_bytes = header.to_bytes();
        let hash = Hash::of(&[&header_bytes, &body]);
        Self { header, header_bytes, body, hash }
    }

    /// The entry with these header bytes and this body (ENT-5).
    ///
    /// # Errors
    /// When the header does not decode or does not fit the body.
    pub fn from_parts(header_bytes: Vec<u8>, body: Vec<u8>) -> Result<Self, CodecError> {
        let header = EntryHeader::from_bytes(&header_bytes, ENTRY_HEADER_BYTES_MAX)?;
        if header.body_bytes != body.len() as u64 {
            return Err(CodecError::Bounds);
        }
        let hash = Hash::of(&[&header_bytes, &body]);
        Ok(Self { header, header_bytes, body, hash })
    }

    /// What the entry says in the clear.
    pub fn header(&self) -> &EntryHeader {
        &self.header
    }

    /// The header as stored.
    pub fn header_bytes(&self) -> &[u8] {
        &self.header_bytes
    }

    /// The body as stored.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// SHA-256 of header and body (ENT-6).
    pub fn hash(&self) -> Hash {
        self.hash
    }

    /// Whether this entry comes right after the one with that number and hash (ENT-7).
    pub fn follows(&self, number: u64, hash: &Hash) -> bool {
        number.checked_add(1) == Some(self.header.number) && self.header.previous == *hash
    }
}

impl Encode for Entry {
    fn encode(&self, writer: &mut Writer) {
        writer.array(2).bytes(&self.header_bytes).bytes(&self.body);
    }
}

impl Decode for Entry {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        reader.tuple(2, |r| Self::from_parts(r.bytes()?.to_vec(), r.bytes()?.to_vec()))
    }
}
