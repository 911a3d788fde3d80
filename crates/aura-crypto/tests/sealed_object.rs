// SPDX-License-Identifier: MIT OR Apache-2.0
//! Sealed objects from the outside: every attack on bytes, order and place (spec/sealed-object.md).
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::cast_possible_truncation,
    reason = "a test that cannot go on says so"
)]

mod fixture;

use std::io::{Read as _, Write as _};

use aura_crypto::aead::{
    CHUNK, Context, HEADER, Hedge, OpenError, Opener, Position, Sealer, TAG, chunk_span, open,
    plain_len, seal, seal_into, sealed_len,
};
use aura_crypto::key::{HedgeKey, ObjectKey};
use aura_crypto::stream::{OpenReader, SealWriter};
use aura_protocol::label::Label;
use fixture::{Repeating, Seeded};
use proptest::prelude::*;

fn key(byte: u8) -> ObjectKey {
    ObjectKey::from_slice(&[byte; 32]).unwrap()
}

fn hedge_key() -> HedgeKey {
    HedgeKey::from_slice(&[9; 32]).unwrap()
}

fn place(index: u64) -> Context {
    Context::new(Label::Chunk).bytes(&[1; 16]).uint(index)
}

fn sealed(plain: &[u8]) -> Vec<u8> {
    seal(&key(1), &place(0), &mut Hedge::new(&hedge_key(), &mut Seeded::new(1)), plain)
}

fn lengths() -> Vec<usize> {
    let around = |n: usize| [n.saturating_sub(1), n, n + 1];
    (0..=3).flat_map(|chunks| around(chunks * CHUNK)).collect()
}

fn plain(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i % 251) as u8).collect()
}

/// SEA-1, SEA-6: what was sealed opens, at every length near a chunk's border, and is as long as said.
#[test]
fn objects_open_to_what_was_sealed() {
    for len in lengths() {
        let object = sealed(&plain(len));
        assert_eq!(sealed_len(len as u64), Some(object.len() as u64));
        assert_eq!(plain_len(object.len() as u64), Some(len as u64));
        assert_eq!(*open(&key(1), &place(0), &object).unwrap(), plain(len));
    }
}

/// SEA-3, attack KEY-07: another key, another label, another field: none opens it.
#[test]
fn objects_open_in_their_place_only() {
    let object = sealed(b"here");
    assert!(open(&key(2), &place(0), &object).is_err());
    assert!(open(&key(1), &place(1), &object).is_err());
    assert!(
        open(&key(1), &Context::new(Label::EntryBody).bytes(&[1; 16]).uint(0), &object).is_err()
    );
    assert!(open(&key(1), &place(0).uint(0), &object).is_err());
    assert!(open(&key(1), &Context::new(Label::Chunk), &object).is_err());
    // A byte string and a text of the same bytes are different fields.
    let (bytes, text) =
        (Context::new(Label::Archive).bytes(b"a"), Context::new(Label::Archive).text("a"));
    assert_ne!(bytes.to_bytes(), text.to_bytes());
}

/// Attack INT-05: every byte of a small object, and sampled bytes of a large one; always the same error.
#[test]
fn int_05_altered_byte_is_refused() {
    let mut object = sealed(b"a small secret");
    for at in 0..object.len() {
        for bit in 0..8 {
            object[at] ^= 1 << bit;
            assert_eq!(open(&key(1), &place(0), &object).err(), Some(OpenError), "byte {at}");
            object[at] ^= 1 << bit;
        }
    }
    let mut object = sealed(&plain(3 * CHUNK + 100));
    for at in (0..object.len()).step_by(997) {
        object[at] ^= 0x40;
        assert_eq!(open(&key(1), &place(0), &object).err(), Some(OpenError), "byte {at}");
        object[at] ^= 0x40;
    }
    assert!(open(&key(1), &place(0), &object).is_ok());
}

/// Attack INT-06: every order, repetition and selection of the chunks of objects of 0 to 3 chunks ± 1 byte
/// but the right one is refused, in memory and as a stream.
#[test]
fn int_06_reordered_repeated_dropped_chunks_are_refused() {
    for len in lengths() {
        let object = sealed(&plain(len));
        let (header, body) = object.split_at(HEADER);
        let chunks: Vec<&[u8]> = body.chunks(CHUNK + TAG).collect();
        let right: Vec<usize> = (0..chunks.len()).collect();
        for order in selections(chunks.len(), chunks.len() + 1) {
            let body: Vec<u8> = order.iter().flat_map(|&i| chunks[i].to_vec()).collect();
            let forged = [header, &body].concat();
            assert_eq!(
                open(&key(1), &place(0), &forged).is_ok(),
                order == right,
                "{len} {order:?}"
            );
            let mut out = Vec::new();
            let streamed = OpenReader::new(&key(1), &place(0), forged.as_slice())
                .and_then(|mut reader| reader.read_to_end(&mut out));
            assert_eq!(streamed.is_ok(), order == right, "stream {len} {order:?}");
        }
    }
}

/// Every sequence of at most `longest` numbers below `count`.
fn selections(count: usize, longest: usize) -> Vec<Vec<usize>> {
    let mut all = vec![vec![]];
    let mut last = all.clone();
    for _ in 0..longest.min(4) {
        last = last
            .iter()
            .flat_map(|order| (0..count).map(move |next| [order.as_slice(), &[next]].concat()))
            .collect();
        all.extend(last.clone());
    }
    all
}

/// Attack INT-06: cut short or made longer, by one byte, a tag, or a chunk, at every length near a border.
#[test]
fn int_06_truncated_or_extended_object_is_refused() {
    for len in lengths() {
        let object = sealed(&plain(len));
        let borders = (0..4).map(|i| HEADER + i * (CHUNK + TAG)).flat_map(|n| [n, n + 1, n + TAG]);
        let cuts = borders.chain([0, 1, HEADER - 1, object.len() - 1, object.len() - TAG]);
        for cut in cuts.filter(|&cut| cut < object.len()) {
            assert!(open(&key(1), &place(0), &object[..cut]).is_err(), "{len} cut to {cut}");
        }
        for more in [1, TAG - 1, TAG, TAG + 1, CHUNK, CHUNK + TAG] {
            let longer = [object.as_slice(), &vec![0; more]].concat();
            assert!(open(&key(1), &place(0), &longer).is_err(), "{len} and {more} more");
            let repeated =
                [object.as_slice(), &object[object.len().saturating_sub(more)..]].concat();
            assert!(open(&key(1), &place(0), &repeated).is_err(), "{len} and {more} repeated");
        }
    }
}

/// Attack INT-06: chunks of two objects under one key and place do not mix.
#[test]
fn int_06_spliced_chunks_of_two_objects_are_refused() {
    let hedge_key = hedge_key();
    let (data, mut entropy) = (plain(2 * CHUNK), Seeded::new(5));
    let mut object = || seal(&key(1), &place(0), &mut Hedge::new(&hedge_key, &mut entropy), &data);
    let (one, two) = (object(), object());
    for border in [HEADER, HEADER + CHUNK + TAG, HEADER + 2 * (CHUNK + TAG)] {
        let spliced = [&one[..border], &two[border..]].concat();
        assert!(open(&key(1), &place(0), &spliced).is_err());
    }
}

/// Attack INT-07: a stream that fails in chunk n has given nothing of chunk n or beyond, never ends cleanly,
/// and keeps failing.
#[test]
fn int_07_stream_releases_only_verified_chunks() {
    let object = sealed(&plain(3 * CHUNK + 5));
    for bad in 0..4 {
        let mut forged = object.clone();
        forged[HEADER + bad * (CHUNK + TAG) + 3] ^= 1;
        let mut reader = OpenReader::new(&key(1), &place(0), forged.as_slice()).unwrap();
        let mut out = Vec::new();
        let error = reader.read_to_end(&mut out).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::InvalidData);
        assert_eq!(out, plain(3 * CHUNK + 5)[..bad * CHUNK]);
        assert!(!reader.is_complete());
        assert!(reader.read(&mut [0]).is_err());
    }
    let mut reader = OpenReader::new(&key(1), &place(0), &object[..HEADER + CHUNK + TAG]).unwrap();
    assert!(reader.read_to_end(&mut Vec::new()).is_err(), "a missing last chunk is no end");
    assert!(!reader.is_complete());
}

/// SEA-9: single chunks open at their own index only, and only the short one is the last.
#[test]
fn chunks_open_at_random() {
    let data = plain(2 * CHUNK + 7);
    let object = sealed(&data);
    let opener = Opener::new(&key(1), &place(0), object.first_chunk().unwrap()).unwrap();
    let mut out = vec![0xee];
    for index in [2, 0, 1] {
        let span = chunk_span(index, object.len() as u64).unwrap();
        let chunk = &object[span.start as usize..span.end as usize];
        let position = opener.open_chunk(index, chunk, &mut out).unwrap();
        assert_eq!(position == Position::Last, index == 2);
        let start = index as usize * CHUNK;
        assert_eq!(out[1..], data[start..data.len().min(start + CHUNK)]);
        assert!(opener.open_chunk(index + 1, chunk, &mut out).is_err());
        out.truncate(1);
    }
    assert!(opener.open_chunk(0, &[0; TAG - 1], &mut out).is_err());
    assert!(opener.open_chunk(0, &vec![0; CHUNK + TAG + 1], &mut out).is_err());
    assert_eq!(out, [0xee]);
    assert_eq!(chunk_span(3, object.len() as u64), None);
    assert_eq!(chunk_span(u64::MAX, object.len() as u64), None);
}

/// SEA-4: where randomness repeats, the salt repeats only if key, place and content do as well.
#[test]
fn hedged_salts_differ_though_randomness_repeats() {
    let hedge_key = hedge_key();
    let salt = |context: &Context, data: &[u8]| {
        let mut same = Repeating(7);
        seal(&key(1), context, &mut Hedge::new(&hedge_key, &mut same), data)[..24].to_vec()
    };
    assert_eq!(salt(&place(0), b"a"), salt(&place(0), b"a"));
    assert_ne!(salt(&place(0), b"a"), salt(&place(0), b"b"));
    assert_ne!(salt(&place(0), b"a"), salt(&place(1), b"a"));
    let known = |known: &[u8]| {
        let mut same = Repeating(7);
        let mut hedge = Hedge::with_known(&hedge_key, &mut same, known);
        Sealer::new(&key(1), &place(0), &mut hedge).1[..24].to_vec()
    };
    assert_ne!(known(b"1"), known(b"2"));
    let other = HedgeKey::from_slice(&[8; 32]).unwrap();
    let mut same = Repeating(7);
    let object = seal(&key(1), &place(0), &mut Hedge::new(&other, &mut same), b"a");
    assert_ne!(object[..24], salt(&place(0), b"a"));
}

/// SEA-4: with randomness that does not repeat, nothing else needs to differ.
#[test]
fn salts_differ_with_randomness() {
    let (hedge_key, mut entropy) = (hedge_key(), Seeded::new(3));
    let mut hedge = Hedge::with_known(&hedge_key, &mut entropy, b"");
    let (one, two) =
        (seal(&key(1), &place(0), &mut hedge, b"a"), seal(&key(1), &place(0), &mut hedge, b"a"));
    assert_ne!(one[..24], two[..24]);
    let mut both = one.clone();
    seal_into(&key(1), &place(0), &mut hedge, b"b", &mut both);
    assert_eq!(both[..one.len()], one);
    assert_eq!(**open(&key(1), &place(0), &both[one.len()..]).unwrap(), *b"b");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// SEA-10, SEA-11: streams and whole objects are the same format, however the bytes come.
    #[test]
    fn streams_and_objects_agree(
        len in 0usize..3 * CHUNK,
        step in 1usize..2 * CHUNK,
        seed: u64,
    ) {
        let (data, hedge_key) = (plain(len), hedge_key());
        let mut entropy = Seeded::new(seed);
        let mut hedge = Hedge::with_known(&hedge_key, &mut entropy, b"known");
        let mut writer = SealWriter::new(&key(1), &place(0), &mut hedge, Vec::new()).unwrap();
        data.chunks(step).for_each(|part| writer.write_all(part).unwrap());
        let object = writer.finish().unwrap();
        prop_assert_eq!(&*open(&key(1), &place(0), &object).unwrap(), &data);
        let mut reader = OpenReader::new(&key(1), &place(0), object.as_slice()).unwrap();
        let mut out = Vec::new();
        let mut part = vec![0; step];
        loop {
            match reader.read(&mut part).unwrap() {
                0 => break,
                count => out.extend_from_slice(&part[..count]),
            }
        }
        prop_assert!(reader.is_complete());
        prop_assert_eq!(out, data);
    }

    /// SEA-8: whatever bytes come, opening them neither panics nor succeeds.
    #[test]
    fn noise_does_not_open(noise in proptest::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(open(&key(1), &place(0), &noise).is_err());
    }
}
