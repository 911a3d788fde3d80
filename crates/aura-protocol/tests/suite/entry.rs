// SPDX-License-Identifier: MIT OR Apache-2.0
//! Entries: what a header may say, and what binds it to its body and its place.

use aura_protocol::codec::{CodecError, Decode, Encode, Extra, Reader};
use aura_protocol::entry::{Entry, EntryHeader};
use aura_protocol::id::{ChunkName, CollectionId, DeviceId, EpochId, Hash};
use aura_protocol::limits::{CHUNK_BYTES_MAX, ENTRY_BODY_BYTES_MAX, ENTRY_HEADER_BYTES_MAX};

use crate::sample::{cbor, epoch, header, public, unhex, with_member};

fn decode(bytes: &[u8]) -> Result<EntryHeader, CodecError> {
    EntryHeader::from_bytes(bytes, ENTRY_HEADER_BYTES_MAX)
}

fn changed(change: impl FnOnce(&mut EntryHeader)) -> Result<EntryHeader, CodecError> {
    let mut header = header();
    change(&mut header);
    decode(&header.to_bytes())
}

#[test]
fn a_header_comes_back() {
    assert_eq!(decode(&header().to_bytes()), Ok(header()));
    assert!(changed(|h| (h.added, h.dropped) = (Vec::new(), Vec::new())).is_ok());
}

/// ENT-1.
#[test]
fn every_member_but_the_chunk_lists_is_required() {
    for key in 1..=9 {
        let without = with_member(&header().to_bytes(), key, None);
        assert_eq!(decode(&without), Err(CodecError::MissingKey(key)));
    }
    let version = with_member(&header().to_bytes(), 1, Some(&[2]));
    assert_eq!(decode(&version), Err(CodecError::Version));
}

/// ENT-2.
#[test]
fn the_first_entry_follows_nothing_and_every_other_one_something() {
    let zero = Hash([0; 32]);
    assert!(changed(|h| (h.number, h.previous) = (1, zero)).is_ok());
    assert_eq!(changed(|h| h.number = 1), Err(CodecError::Bounds));
    assert_eq!(changed(|h| h.previous = zero), Err(CodecError::Bounds));
    assert_eq!(changed(|h| (h.number, h.previous) = (0, zero)), Err(CodecError::Bounds));
    assert_eq!(changed(|h| h.number = 0), Err(CodecError::Bounds));
}

/// ENT-3.
#[test]
fn the_authority_collection_is_clear_and_no_other_is() {
    assert_eq!(changed(|h| h.epoch = EpochId::CLEAR), Err(CodecError::Bounds));
    assert_eq!(changed(|h| h.feed.collection = CollectionId::AUTHORITY), Err(CodecError::Bounds));
    let authority =
        changed(|h| (h.feed.collection, h.epoch) = (CollectionId::AUTHORITY, EpochId::CLEAR));
    assert!(authority.is_ok());
}

/// IDS-4.
#[test]
fn counter_zero_is_the_one_clear_epoch() {
    let clear = cbor(|w| EpochId::CLEAR.encode(w));
    assert_eq!(EpochId::from_bytes(&clear, 64), Ok(EpochId::CLEAR));
    let other = cbor(|w| epoch(0, 1).encode(w));
    assert_eq!(EpochId::from_bytes(&other, 64), Err(CodecError::Bounds));
    let large = cbor(|w| _ = w.array(2).uint(1 << 32).bytes(&[1; 16]));
    assert_eq!(EpochId::from_bytes(&large, 64), Err(CodecError::Bounds));
}

/// IDS-1, IDS-2: an id has one length, and one text in lower case.
#[test]
fn ids_have_one_length_and_one_text() {
    assert_eq!(DeviceId::from_slice(&[1; 15]), None);
    assert_eq!(DeviceId::from_slice(&[1; 16]), Some(DeviceId([1; 16])));
    assert_eq!(DeviceId([0xab; 16]).to_string(), "ab".repeat(16));
    assert_eq!(format!("{:?}", DeviceId([0xab; 16])), format!("DeviceId({})", "ab".repeat(16)));
    assert_eq!(DeviceId([1; 16]).as_bytes().len(), DeviceId::LEN);
}

/// IDS-3.
#[test]
fn a_device_is_named_by_its_key() {
    let key = public(10);
    let digest = Hash::of(&[b"aura/v1/device-id", &[0], &key]);
    assert_eq!(DeviceId::of_key(&key).as_bytes(), &digest.0[..16]);
}

/// ENT-4.
#[test]
fn the_context_is_the_header_without_its_chunk_lists() {
    let mut bare = header();
    (bare.added, bare.dropped) = (Vec::new(), Vec::new());
    assert_eq!(header().context(), bare.to_bytes());
    let mut moved = header();
    moved.number = 3;
    assert_ne!(moved.context(), header().context());
    // What a newer version adds is bound too.
    let mut bytes = bare.to_bytes();
    bytes[0] += 1;
    bytes.extend(unhex("188000"));
    let later = decode(&bytes).unwrap();
    assert_ne!(later.extra, Extra::default());
    assert_eq!(later.context(), bytes);
}

/// ENT-5.
#[test]
fn the_header_names_the_body_s_length() {
    let bytes = header().to_bytes();
    assert!(Entry::from_parts(bytes.clone(), vec![1, 2, 3]).is_ok());
    assert_eq!(Entry::from_parts(bytes.clone(), vec![1, 2]), Err(CodecError::Bounds));
    assert_eq!(Entry::from_parts(bytes, vec![1, 2, 3, 4]), Err(CodecError::Bounds));
    let most = ENTRY_BODY_BYTES_MAX as u64;
    assert!(changed(|h| h.body_bytes = most).is_ok());
    assert_eq!(changed(|h| h.body_bytes = most + 1), Err(CodecError::Bounds));
    assert_eq!(Entry::new(header(), vec![0; 9]).header().body_bytes, 9);
}

/// ENT-6.
#[test]
fn the_hash_covers_header_and_body() {
    let entry = Entry::new(header(), vec![1, 2, 3]);
    let mut whole = entry.header_bytes().to_vec();
    whole.extend(entry.body());
    assert_eq!(entry.hash(), Hash::of(&[&whole]));
    assert_ne!(entry.hash(), Entry::new(header(), vec![1, 2, 4]).hash());
    let mut other = header();
    other.dropped.clear();
    assert_ne!(entry.hash(), Entry::new(other, vec![1, 2, 3]).hash());
    let stored = entry.to_bytes();
    assert_eq!(Entry::decode(&mut Reader::new(&stored)), Ok(entry));
}

/// ENT-7.
#[test]
fn an_entry_follows_the_one_before_it_only() {
    let entry = Entry::new(header(), vec![1]);
    assert!(entry.follows(1, &Hash([6; 32])));
    assert!(!entry.follows(0, &Hash([6; 32])));
    assert!(!entry.follows(2, &Hash([6; 32])));
    assert!(!entry.follows(1, &Hash([7; 32])));
    assert!(!entry.follows(u64::MAX, &Hash([6; 32])));
}

/// ENT-8.
#[test]
fn chunk_lists_ascend_and_name_each_chunk_once() {
    assert_eq!(changed(|h| h.added.reverse()), Err(CodecError::Bounds));
    assert_eq!(changed(|h| h.dropped.reverse()), Err(CodecError::Bounds));
    assert_eq!(changed(|h| h.added[1].name = h.added[0].name), Err(CodecError::Bounds));
    assert_eq!(changed(|h| h.dropped[1] = h.dropped[0]), Err(CodecError::Bounds));
    assert_eq!(changed(|h| h.dropped[0] = h.added[0].name), Err(CodecError::Bounds));
    let empty = cbor(|w| _ = w.array(0));
    for key in [10, 11] {
        let bytes = with_member(&header().to_bytes(), key, Some(&empty));
        assert_eq!(decode(&bytes), Err(CodecError::Bounds));
    }
    let mut loose = header();
    loose.added.reverse();
    loose.dropped = vec![ChunkName([4; 16]), ChunkName([3; 16]), ChunkName([4; 16])];
    let entry = Entry::new(loose, vec![1, 2, 3]);
    assert_eq!(decode(entry.header_bytes()), Ok(header()));
}

/// ENT-9.
#[test]
fn a_chunk_has_a_largest_size() {
    assert!(changed(|h| h.added[0].size_bytes = CHUNK_BYTES_MAX as u64).is_ok());
    let larger = changed(|h| h.added[0].size_bytes = CHUNK_BYTES_MAX as u64 + 1);
    assert_eq!(larger, Err(CodecError::Bounds));
}
