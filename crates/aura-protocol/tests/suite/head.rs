// SPDX-License-Identifier: MIT OR Apache-2.0
//! Heads: one form for one statement of where a device stands.

use aura_protocol::codec::{CodecError, Decode, Encode};
use aura_protocol::head::{Head, Position};
use aura_protocol::id::{CollectionId, Hash};
use aura_protocol::limits::{HEAD_BYTES_MAX, NOTE_BYTES_MAX};

use crate::sample::{INCARNATION, LAPTOP, at, cbor, device, feed, head, with_member};

fn decode(bytes: &[u8]) -> Result<Head, CodecError> {
    Head::from_bytes(bytes, HEAD_BYTES_MAX)
}

fn changed(change: impl FnOnce(&mut Head)) -> Result<Head, CodecError> {
    let mut head = head();
    change(&mut head);
    decode(&head.to_bytes())
}

fn refused(change: impl FnOnce(&mut Head)) {
    assert_eq!(changed(change), Err(CodecError::Bounds));
}

/// HED-1.
#[test]
fn every_member_but_the_lists_of_others_is_required() {
    assert_eq!(decode(&head().to_bytes()), Ok(head()));
    for key in [1, 2, 3, 4, 5, 6, 7, 12] {
        let without = with_member(&head().to_bytes(), key, None);
        assert_eq!(decode(&without), Err(CodecError::MissingKey(key)));
    }
    for key in [8, 9, 10, 11] {
        assert!(decode(&with_member(&head().to_bytes(), key, None)).is_ok());
    }
    let version = with_member(&head().to_bytes(), 1, Some(&[0]));
    assert_eq!(decode(&version), Err(CodecError::Version));
    let critical = with_member(&head().to_bytes(), 13, Some(&[0]));
    assert_eq!(decode(&critical), Err(CodecError::UnknownKey(13)));
}

/// HED-2.
#[test]
fn heads_count_from_one_and_the_first_follows_nothing() {
    refused(|h| h.number = 0);
    refused(|h| h.number = 1);
    refused(|h| (h.number, h.previous) = (0, Hash([0; 32])));
    assert!(changed(|h| (h.number, h.previous) = (1, Hash([0; 32]))).is_ok());
    // Heads before this one may never have been published.
    assert!(changed(|h| h.previous = Hash([0; 32])).is_ok());
}

/// HED-3.
#[test]
fn lists_ascend_and_name_each_member_once() {
    refused(|h| h.feeds.reverse());
    refused(|h| h.feeds[1].0 = h.feeds[0].0);
    refused(|h| h.seen.reverse());
    refused(|h| h.seen[1].device = h.seen[0].device);
    refused(|h| h.waiting.reverse());
    refused(|h| h.waiting[1] = h.waiting[0]);
    refused(|h| h.cosignatures.reverse());
    refused(|h| h.cosignatures[1].device = h.cosignatures[0].device);
}

/// HED-4.
#[test]
fn no_number_has_no_hash_and_no_hash_has_no_number() {
    refused(|h| h.seen[0].applied = Position { number: 0, hash: Hash([1; 32]) });
    refused(|h| h.seen[0].held = Position { number: 9, hash: Hash([0; 32]) });
    refused(|h| h.feeds[0].1 = Position { number: 9, hash: Hash([0; 32]) });
    assert!(changed(|h| h.seen[0].applied = Position::NONE).is_ok());
}

/// HED-5.
#[test]
fn a_head_claims_nothing_that_cannot_be() {
    refused(|h| h.feeds[0].1 = Position::NONE);
    refused(|h| h.seen[0].applied = at(5));
    refused(|h| h.seen[0].device = h.device);
    // Its own earlier lives it may have seen.
    let earlier = changed(|h| {
        (h.seen[0].device, h.seen[0].incarnation) =
            (h.device, aura_protocol::id::Incarnation([1; 8]));
        h.seen.sort_by_key(|seen| (seen.device, seen.incarnation));
    });
    assert!(earlier.is_ok());
}

/// HED-6.
#[test]
fn notes_have_a_largest_size_and_absent_lists_are_absent() {
    assert!(changed(|h| h.checkpoint = vec![b'a'; NOTE_BYTES_MAX]).is_ok());
    refused(|h| h.checkpoint = vec![b'a'; NOTE_BYTES_MAX + 1]);
    refused(|h| h.cosignatures[0].line = Vec::new());
    refused(|h| h.cosignatures[0].line = vec![b'a'; NOTE_BYTES_MAX + 1]);
    for key in [8, 9, 11] {
        let empty = with_member(&head().to_bytes(), key, Some(&cbor(|w| _ = w.array(0))));
        assert_eq!(decode(&empty), Err(CodecError::Bounds));
    }
    let empty = with_member(&head().to_bytes(), 10, Some(&cbor(|w| _ = w.bytes(&[]))));
    assert_eq!(decode(&empty), Err(CodecError::Bounds));
}

#[test]
fn a_head_tells_where_a_feed_stands() {
    let head = head();
    assert_eq!(head.position(CollectionId([9; 16])), at(2));
    assert_eq!(head.position(CollectionId([8; 16])), Position::NONE);
    assert_eq!(head.feed(CollectionId([9; 16])), feed(CollectionId([9; 16])));
    assert_eq!((head.device, head.incarnation), (device(LAPTOP), INCARNATION));
}
