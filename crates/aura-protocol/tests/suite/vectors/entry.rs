// SPDX-License-Identifier: MIT OR Apache-2.0
//! Entries, and what may be wrong with them (ENT-1 to ENT-9, CBR-7, CBR-9, IDS-3, IDS-4).

use aura_protocol::codec::Encode;
use aura_protocol::entry::EntryHeader;
use aura_protocol::id::{CollectionId, EpochId, Hash};
use aura_protocol::limits::CHUNK_BYTES_MAX;
use aura_testkit::vectors::Case;
use serde_json::{Value, json};

use crate::sample::{LAPTOP, cbor, epoch, header, hex, public, unhex, with_member};

fn raw(header: &[u8]) -> Value {
    json!({ "header": hex(header), "body": "010203" })
}

fn changed(change: impl FnOnce(&mut EntryHeader)) -> Value {
    let mut header = header();
    change(&mut header);
    raw(&header.to_bytes())
}

fn member(key: u64, value: Option<&[u8]>) -> Value {
    raw(&with_member(&header().to_bytes(), key, value))
}

pub(crate) fn cases() -> Vec<Case> {
    let good = |name, note| Case::accepted("entry", name, note);
    let bad = |name, note| Case::refused("entry", name, note);
    let zero = Hash([0; 32]);
    let mut later = header().to_bytes();
    later[0] += 1;
    later.extend(unhex("1880656c61746572"));
    let clear = |h: &mut EntryHeader| {
        (h.feed.collection, h.epoch) = (CollectionId::AUTHORITY, EpochId::CLEAR);
    };
    vec![
        good("ENT-1_entry", "a second entry with chunks added and dropped").of(changed(|_| ())),
        good("ENT-1_no-chunks", "an entry without chunks").of(changed(|h| {
            (h.added, h.dropped) = (Vec::new(), Vec::new());
        })),
        bad("ENT-1_no-vault", "member 2 is missing").of(member(2, None)),
        bad("CBR-9_version-0", "format version 0").of(member(1, Some(&[0]))),
        bad("CBR-9_version-2", "format version 2").of(member(1, Some(&[2]))),
        good("CBR-7_optional", "member 128, unknown, is kept").of(raw(&later)),
        bad("CBR-7_critical", "member 12, unknown, is critical").of(member(12, Some(&[0]))),
        good("ENT-2_first", "the first entry").of(changed(|h| (h.number, h.previous) = (1, zero))),
        bad("ENT-2_zero", "number 0").of(changed(|h| (h.number, h.previous) = (0, zero))),
        bad("ENT-2_first-follows", "a first entry that follows one").of(changed(|h| h.number = 1)),
        bad("ENT-2_second-alone", "a second entry that follows none")
            .of(changed(|h| h.previous = zero)),
        good("ENT-3_authority", "a clear entry of the authority collection").of(changed(clear)),
        bad("ENT-3_clear", "a clear entry of another collection")
            .of(changed(|h| h.epoch = EpochId::CLEAR)),
        bad("ENT-3_sealed-authority", "a sealed entry of the authority collection")
            .of(changed(|h| h.feed.collection = CollectionId::AUTHORITY)),
        bad("IDS-4_counter-0", "counter 0 with a random half")
            .of(changed(|h| h.epoch = epoch(0, 1))),
        bad("IDS-1_short-vault", "a vault id of 31 bytes")
            .of(member(2, Some(&cbor(|w| _ = w.bytes(&[1; 31]))))),
        bad("ENT-5_body-length", "a body length of 4 for a body of 3 bytes")
            .of(changed(|h| h.body_bytes = 4)),
        bad("ENT-8_added-order", "added chunks in descending order")
            .of(changed(|h| h.added.reverse())),
        bad("ENT-8_dropped-twice", "a chunk dropped twice")
            .of(changed(|h| h.dropped[1] = h.dropped[0])),
        bad("ENT-8_added-and-dropped", "a chunk added and dropped at once")
            .of(changed(|h| h.dropped[0] = h.added[0].name)),
        bad("ENT-8_empty-list", "an empty list of added chunks, written out")
            .of(member(10, Some(&[0x80]))),
        bad("ENT-9_chunk-size", "a chunk larger than any may be")
            .of(changed(|h| h.added[0].size_bytes = CHUNK_BYTES_MAX as u64 + 1)),
        Case::accepted("device-id", "IDS-3_device-id", "a device's id from its verifying key")
            .of(json!({ "key": hex(&public(LAPTOP)) })),
    ]
}
