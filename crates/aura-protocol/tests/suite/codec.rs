// SPDX-License-Identifier: MIT OR Apache-2.0
//! Canonical CBOR: one encoding for each value, and none but that is read (INT-14).

use aura_protocol::authority::{Claim, Recipient, Statement};
use aura_protocol::codec::{CodecError, Decode, Encode, Reader, Writer};
use aura_protocol::entry::EntryHeader;
use aura_protocol::id::SlotId;
use aura_protocol::limits::{CBOR_DEPTH_MAX, ENTRY_HEADER_BYTES_MAX, STATEMENT_BYTES_MAX};

use crate::sample::{PHONE, RECOVERY, cbor, device, epoch, header, statement, unhex, with_member};

fn any(bytes: &[u8]) -> Result<(), CodecError> {
    let mut reader = Reader::new(bytes);
    assert!(reader.any()?.len() <= bytes.len());
    reader.finish()
}

fn refused(cases: &[(&str, CodecError)]) {
    for (bytes, error) in cases {
        assert_eq!(any(&unhex(bytes)), Err(*error), "{bytes}");
    }
}

/// CBR-1, attack INT-14.
#[test]
fn a_value_ends_where_its_bytes_end() {
    refused(&[
        ("", CodecError::Truncated),
        ("18", CodecError::Truncated),
        ("1900", CodecError::Truncated),
        ("4201", CodecError::Truncated),
        ("6161ff", CodecError::Trailing),
        ("0000", CodecError::Trailing),
    ]);
    assert_eq!(EntryHeader::from_bytes(&header().to_bytes(), 10), Err(CodecError::Bounds));
}

/// CBR-2, attack INT-14.
#[test]
fn numbers_are_in_their_shortest_form() {
    let cases = [
        "1817",
        "1900ff",
        "1a0000ffff",
        "1b00000000ffffffff",
        "3817",
        "580100",
        "780161",
        "980100",
        "b8010000",
        "9f00ff",
        "5f4100ff",
        "7f6161ff",
        "bf0000ff",
        "1c",
        "ff",
    ];
    for bytes in cases {
        assert_eq!(any(&unhex(bytes)), Err(CodecError::NotShortest), "{bytes}");
    }
    for number in [0, 23, 24, 0xff, 0x100, 0xffff, 0x1_0000, 0xffff_ffff, 1 << 32, u64::MAX] {
        let bytes = cbor(|w| _ = w.uint(number));
        assert_eq!(Reader::new(&bytes).uint(), Ok(number));
        assert!(any(&bytes).is_ok());
    }
    for number in [0, -1, -24, -25, -256, -257, i64::MIN, i64::MAX] {
        let bytes = cbor(|w| _ = w.int(number));
        assert_eq!(Reader::new(&bytes).int(), Ok(number));
    }
    // -2^64 and -2^63 - 1 have canonical forms but no type here.
    assert_eq!(Reader::new(&unhex("3bffffffffffffffff")).int(), Err(CodecError::Bounds));
    assert_eq!(Reader::new(&unhex("3b8000000000000000")).int(), Err(CodecError::Bounds));
}

/// CBR-3, attack INT-14.
#[test]
fn map_keys_ascend_and_stand_once() {
    refused(&[
        ("a200000000", CodecError::KeyOrder),
        ("a201000000", CodecError::KeyOrder),
        ("a2616200616100", CodecError::KeyOrder),
        ("a262616100616200", CodecError::KeyOrder),
        ("a1410000", CodecError::Type),
        ("a1200000", CodecError::Type),
        ("a1800000", CodecError::Type),
    ]);
    assert!(any(&unhex("a3000018180061610b")).is_ok());
    let text = |bytes: &str| Reader::new(&unhex(bytes)).text_map(9, |r, _| r.uint()).map(drop);
    assert_eq!(text("a2616200616100"), Err(CodecError::KeyOrder));
    assert_eq!(text("a2616100616100"), Err(CodecError::KeyOrder));
    assert_eq!(text("a262616100616200"), Err(CodecError::KeyOrder));
    assert_eq!(text("a261620062616100"), Ok(()));
    let map = |bytes: &str| {
        Reader::new(&unhex(bytes))
            .map(|m| Ok((m.optional(1, Reader::uint)?, m.optional(2, Reader::uint)?)))
            .map(drop)
    };
    assert_eq!(map("a202000100"), Err(CodecError::KeyOrder));
    assert_eq!(map("a201000100"), Err(CodecError::KeyOrder));
    assert_eq!(map("a201000200"), Ok(()));
}

/// CBR-4.
#[test]
fn only_the_types_of_the_format_are_read() {
    refused(&[
        ("c000", CodecError::Type),
        ("f90000", CodecError::Type),
        ("fa00000000", CodecError::Type),
        ("fb0000000000000000", CodecError::Type),
        ("f7", CodecError::Type),
        ("e0", CodecError::Type),
        ("f820", CodecError::Type),
        ("61ff", CodecError::Utf8),
    ]);
    assert_eq!(Reader::new(&[0xf6]).boolean(), Err(CodecError::Type));
    assert_eq!(Reader::new(&[0xf4]).boolean(), Ok(false));
    assert_eq!(Reader::new(&[0xf5]).boolean(), Ok(true));
    assert!(Reader::new(&[0xf6]).null());
    assert!(!Reader::new(&[0xf5]).null());
    assert_eq!(Reader::new(&[0x41, 0]).text(), Err(CodecError::Type));
    assert_eq!(Reader::new(&[0x20]).uint(), Err(CodecError::Type));
    assert_eq!(Reader::new(&[0x41, 0]).int(), Err(CodecError::Type));
}

/// CBR-5.
#[test]
fn sixteen_levels_and_no_more() {
    let nested = |levels: usize, lead: &[u8]| {
        let mut bytes: Vec<u8> = lead.repeat(levels);
        bytes.push(0);
        bytes
    };
    for lead in [&[0x81][..], &[0xa1, 0][..]] {
        assert!(any(&nested(CBOR_DEPTH_MAX, lead)).is_ok());
        assert_eq!(any(&nested(CBOR_DEPTH_MAX + 1, lead)), Err(CodecError::Depth));
        assert_eq!(any(&nested(1_000_000, lead)), Err(CodecError::Depth));
    }
}

/// CBR-6.
#[test]
fn a_count_beyond_the_bytes_left_is_refused_at_once() {
    refused(&[
        ("850000", CodecError::Bounds),
        ("a30000", CodecError::Bounds),
        ("9a7fffffff", CodecError::Bounds),
        ("9bffffffffffffffff", CodecError::Bounds),
        ("ba7fffffff", CodecError::Bounds),
        ("5bffffffffffffffff", CodecError::Truncated),
        ("7a7fffffff", CodecError::Truncated),
    ]);
    let two = unhex("820000");
    assert_eq!(Reader::new(&two).array(1, Reader::uint), Err(CodecError::Bounds));
    assert_eq!(Reader::new(&two).array(2, Reader::uint), Ok(vec![0, 0]));
    assert_eq!(Reader::new(&two).tuple(3, |_| Ok(())), Err(CodecError::Bounds));
    assert_eq!(Reader::new(&two).tuple(1, Reader::uint), Err(CodecError::Bounds));
    assert_eq!(Reader::new(&[0x42, 0, 0]).bytes_exact::<3>(), Err(CodecError::Bounds));
    assert_eq!(Reader::new(&[5]).uint_max(4), Err(CodecError::Bounds));
    let text_map = Reader::new(&unhex("a2616100616200")).text_map(1, |r, _| r.uint());
    assert_eq!(text_map, Err(CodecError::Bounds));
}

/// CBR-7.
#[test]
fn an_unknown_member_is_kept_or_stops_the_reader() {
    let known = header().to_bytes();
    let kept = {
        let mut bytes = known.clone();
        bytes[0] += 2;
        bytes.extend(cbor(|w| _ = w.uint(128).text("later").uint(1000).array(1).null()));
        bytes
    };
    let decoded = EntryHeader::from_bytes(&kept, ENTRY_HEADER_BYTES_MAX).unwrap();
    assert_eq!((decoded.extra.len(), decoded.extra.is_empty()), (2, false));
    assert_eq!(decoded.to_bytes(), kept);
    // What is kept is held to the same form as everything else.
    let mut loose = known.clone();
    loose[0] += 1;
    loose.extend(unhex("18801801"));
    assert_eq!(
        EntryHeader::from_bytes(&loose, ENTRY_HEADER_BYTES_MAX),
        Err(CodecError::NotShortest)
    );
    for key in [0, 12, 127] {
        let bytes = with_member(&known, key, Some(&[0]));
        let error = EntryHeader::from_bytes(&bytes, ENTRY_HEADER_BYTES_MAX).unwrap_err();
        assert_eq!(error, CodecError::UnknownKey(key));
        assert!(error.is_newer());
    }
}

/// CBR-8, CBR-9, attack KEY-08.
#[test]
fn every_other_version_is_refused_and_told_from_damage() {
    for version in [0, 2, 3, 23, 24, u64::MAX] {
        let bytes = with_member(&header().to_bytes(), 1, Some(&cbor(|w| _ = w.uint(version))));
        let error = EntryHeader::from_bytes(&bytes, ENTRY_HEADER_BYTES_MAX).unwrap_err();
        assert_eq!(error, CodecError::Version);
        assert!(error.is_newer());
    }
    assert!(!CodecError::Truncated.is_newer());
    assert!(CodecError::UnknownType(99).is_newer());
}

#[test]
fn a_writer_counts_its_bytes() {
    let mut writer = Writer::with_capacity(8);
    assert!(writer.is_empty());
    writer.boolean(true).boolean(false).null();
    assert_eq!((writer.len(), writer.into_bytes()), (3, vec![0xf5, 0xf4, 0xf6]));
}

/// A wrapped root key is for a slot or for a device.
#[test]
fn recipients_are_read_as_they_were_written() {
    for recipient in [Recipient::Slot(SlotId([RECOVERY; 16])), Recipient::Device(device(PHONE))] {
        let claim = Claim::Wrap { recipient, generation: epoch(1, 1), sealed: vec![4; 32] };
        let said = statement(claim, 1);
        assert_eq!(Statement::from_bytes(&said.to_bytes(), STATEMENT_BYTES_MAX), Ok(said));
    }
}
