// SPDX-License-Identifier: MIT OR Apache-2.0
//! Bodies, texts and paths, records that ops come to, and the state hash (OPS-1 to OPS-18).

use std::collections::BTreeMap;

use aura_crypto::aead::Hedge;
use aura_crypto::key::{CollectionKey, HedgeKey};
use aura_crypto::seal::seal_entry;
use aura_protocol::codec::{Extra, Writer};
use aura_protocol::entry::EntryHeader;
use aura_protocol::id::{CollectionId, EpochId, FeedId, Hash, Nonce16};
use aura_testkit::vectors::Case;
use aura_vault::change::content_hash;
use aura_vault::op::{Change, Compression, Dot, Op, encode_body};
use aura_vault::record::{Category, Kind};
use serde_json::{Value, json};

use crate::sample::{
    CLOCK, COLLECTION, Counter, LAPTOP, LIFE, PHONE, RECORD, VAULT, body, cbor, delete, dot,
    filled, hex, op, with, write,
};

fn clocks() -> Vec<Case> {
    let of = |last: u64, now_ms: i64, observed: Option<u64>| -> Value {
        json!({ "last": last, "now_ms": now_ms, "observed": observed })
    };
    let good = |name, note| Case::accepted("clock", name, note);
    let now_ms: i64 = 1_760_000_000_000;
    let now = 1_760_000_000_000_u64 << 16;
    vec![
        good("OPS-1_wall-clock", "the wall clock has moved on").of(of(now - 9, now_ms, None)),
        good("OPS-1_set-back", "a wall clock set back").of(of(now, now_ms - 5000, None)),
        good("OPS-1_before-1970", "a wall clock before 1970").of(of(7, -1, None)),
        good("OPS-2_ahead", "a value from another device, 5 minutes ahead").of(of(
            now,
            now_ms,
            Some(now + (300_000 << 16)),
        )),
        good("OPS-2_too-far", "a value that lies further ahead is not followed").of(of(
            now,
            now_ms,
            Some(now + (300_000 << 16) + 1),
        )),
    ]
}

/// An entry of the collection, and what it takes to open it.
fn sealed(plain: &[u8]) -> Value {
    let key: CollectionKey = filled(0x88);
    let feed = FeedId { collection: COLLECTION, device: LAPTOP, incarnation: LIFE };
    let header = EntryHeader {
        vault: VAULT,
        feed,
        epoch: EpochId { counter: 1, nonce: Nonce16([4; 16]) },
        number: 1,
        previous: Hash([0; 32]),
        body_bytes: 0,
        added: Vec::new(),
        dropped: Vec::new(),
        extra: Extra::default(),
    };
    let (hedge, mut entropy) = (filled::<HedgeKey>(0x55), Counter::default());
    let mut hedge = Hedge::new(&hedge, &mut entropy);
    let entry = seal_entry(&key, header, plain.to_vec(), &mut hedge);
    json!({
        "key": hex(key.dangerous_bytes()),
        "vault": VAULT.to_string(),
        "feed": [COLLECTION.to_string(), LAPTOP.to_string(), LIFE.to_string()],
        "number": 1,
        "header": hex(entry.header_bytes()),
        "body": hex(entry.body()),
    })
}

fn entries() -> Vec<Case> {
    let bad = |name, note| Case::refused("entry-body", name, note);
    let entry = sealed(&body(&[op(CLOCK, write(&[("text", Some("\"hi\""))], &[]))]));
    let feed = |feed: [String; 3]| with(entry.clone(), "feed", json!(feed));
    let other_device = feed([COLLECTION.to_string(), PHONE.to_string(), LIFE.to_string()]);
    vec![
        Case::accepted("entry-body", "OPS-4_entry", "an entry as it is asked for")
            .of(entry.clone()),
        bad("OPS-4_other-number", "asked for as entry 2").of(with(
            entry.clone(),
            "number",
            json!(2),
        )),
        bad("OPS-4_other-device", "asked for as another device's").of(other_device),
        bad("OPS-4_other-key", "another collection's key").of(with(
            entry.clone(),
            "key",
            json!("89".repeat(32)),
        )),
    ]
}

fn start(w: &mut Writer, ops: usize) {
    w.map(3).uint(1).uint(1).uint(2).array(0).uint(3).array(ops);
}

fn packed(frame: &[u8]) -> Vec<u8> {
    cbor(|w| {
        start(w, 1);
        w.array(4).uint(1).uint(CLOCK).text("").array(4).bytes(&RECORD.0).uint(5);
        w.bytes(frame).array(0);
    })
}

fn bodies() -> Vec<Case> {
    let of = |bytes: &[u8]| json!({ "bytes": hex(bytes) });
    let good = |name, note| Case::accepted("body", name, note);
    let bad = |name, note| Case::refused("body", name, note);
    let first = write(&[("text", Some("\"hi\"")), ("name", None)], &[]);
    let all = [
        op(CLOCK, first),
        Op { author: "import:3".to_owned(), ..op(CLOCK + 1, delete(&[dot(LAPTOP, 1, 0)])) },
        op(CLOCK, Change::Name { collection: COLLECTION, category: 5 }),
        op(CLOCK, Change::Event(vec![1, 2])),
        op(CLOCK, Change::Fact { name: "import/00000001".to_owned(), value: "{}".to_owned() }),
    ];
    let long = "ab ".repeat(400);
    let long = op(CLOCK, write(&[("text", Some(&long))], &[]));
    let unknown = cbor(|w| {
        start(w, 1);
        w.array(4).uint(99).uint(CLOCK).text("").array(0);
    });
    let version = cbor(|w| {
        w.map(3).uint(1).uint(2).uint(2).array(0).uint(3).array(0);
    });
    let no_feed = cbor(|w| {
        start(w, 1);
        w.array(4).uint(2).uint(CLOCK).text("").array(2).bytes(&RECORD.0);
        w.array(1).array(3).uint(0).uint(1).uint(0);
    });
    let short_record = cbor(|w| {
        start(w, 1);
        w.array(4).uint(2).uint(CLOCK).text("").array(2).bytes(&RECORD.0[1..]).array(0);
    });
    let number_as_text = cbor(|w| {
        start(w, 1);
        w.array(4).uint(1).uint(CLOCK).text("").array(4).bytes(&RECORD.0).uint(5);
        w.map(1).text("text").uint(1).array(0);
    });
    vec![
        good("OPS-6_types", "a write, a delete, a name, an event, a fact").of(of(&body(&all))),
        good("OPS-4_empty", "no ops").of(of(&body(&[]))),
        good("OPS-5_compressed", "fields as one Zstandard frame")
            .of(of(&encode_body(&[long], Compression::PerRecord))),
        bad("OPS-5_no-frame", "bytes that are no frame").of(of(&packed(&[1, 2, 3]))),
        bad("OPS-5_no-map", "a frame whose content is no map")
            .of(of(&packed(&[0x28, 0xb5, 0x2f, 0xfd, 0x20, 1, 9, 0, 0, 5]))),
        good("OPS-7_unknown", "an op of an unknown type is kept").of(of(&unknown)),
        bad("OPS-7_version", "version 2 of the body").of(of(&version)),
        bad("OPS-7_no-feed", "a place in a feed that member 2 does not have").of(of(&no_feed)),
        bad("OPS-7_short-record", "a record id of 15 bytes").of(of(&short_record)),
        bad("OPS-7_number", "a field that is a number").of(of(&number_as_text)),
        bad("OPS-7_trailing", "a byte too many").of(of(&[body(&[]), vec![0]].concat())),
    ]
}

fn texts() -> Vec<Case> {
    let text = |json: &str| json!({ "json": json });
    let canonical = |name, note| Case::accepted("canonical-text", name, note);
    let paths = |name, note| Case::accepted("paths", name, note);
    let fields = |name, note| Case::accepted("fields", name, note);
    vec![
        canonical("OPS-9_object", "members ascend by their bytes")
            .of(text("{\"b\": [1, true, null], \"a\u{e9}\": 1, \"aZ\": {}}")),
        canonical("OPS-9_strings", "what is escaped, and what is not")
            .of(text("\"\\u0000\\u001f\\b\\t\\n\\f\\r\\\"\\\\\\/\\u007f\\u00e9\\u2028\"")),
        canonical("OPS-9_integers", "from the least to the greatest")
            .of(text("[-9223372036854775808, 18446744073709551615, -0, 0]")),
        canonical("OPS-9_numbers", "with and without an exponent").of(text(
            "[1.0, 1e15, 1e16, 0.00001, 0.000001, 123456.789, 1e300, 5e-324, -1.5e-7, 18446744073709551616]",
        )),
        paths("OPS-8_sets", "sets become a path for each member, other objects do not").of(json!({
            "fields": {
                "keywords": { "a/b": true, "c": true },
                "mixed": { "a": true, "b": false },
                "empty": {},
                "a/b~c": 1,
                "aura:x": "y",
                "list": [true],
            }
        })),
        fields("OPS-10_joined", "an object joins members, and replaces what is none").of(json!({
            "paths": { "a": "{\"x\":1}", "a/b": "true", "c": "7", "c/d": "2" }
        })),
        fields("OPS-10_names", "names are read back").of(json!({
            "paths": { "aura~2x": "1", "a~1b/c~0d": "true" }
        })),
        fields("OPS-10_no-json", "a text that is no JSON counts as null")
            .of(json!({ "paths": { "a": "nope", "b": "\"\u{e9}\"" } })),
    ]
}

/// Ops with their places, and the record that they are about.
fn record(ops: &[(Dot, Op)]) -> Value {
    let placed = ops.iter().map(|(place, op)| {
        json!({
            "place": [
                place.device.to_string(), place.incarnation.to_string(), place.number, place.index,
            ],
            "body": hex(&body(core::slice::from_ref(op))),
        })
    });
    json!({ "record": RECORD.to_string(), "ops": placed.collect::<Vec<_>>() })
}

fn merges() -> Vec<Case> {
    let good = |name, note| Case::accepted("record", name, note);
    let text = |text: &str| write(&[("text", Some(text))], &[]);
    let (a, b) = (dot(LAPTOP, 1, 0), dot(PHONE, 1, 0));
    let first = (a, op(CLOCK, text("\"hi\"")));
    let (kind, later) = (
        Change::Write { record: RECORD, kind: 8, fields: BTreeMap::new(), seen: vec![a] },
        write(&[("text", Some("\"later\""))], &[a]),
    );
    let gone = (dot(LAPTOP, 2, 0), op(CLOCK + 1, delete(&[a])));
    let back =
        (dot(LAPTOP, 3, 0), op(CLOCK + 2, write(&[("name", Some("\"n\""))], &[dot(LAPTOP, 2, 0)])));
    let other = (b, op(CLOCK + 5, text("\"ho\"")));
    let same_clock = (b, op(CLOCK, text("\"ho\"")));
    let removed = (b, op(CLOCK + 5, write(&[("text", None)], &[])));
    vec![
        good("OPS-16_example", "one write: the leaf of the example")
            .of(record(core::slice::from_ref(&first))),
        good("OPS-11_twice", "an op that is taken in twice")
            .of(record(&[first.clone(), first.clone()])),
        good("OPS-11_named-before", "an op that is named before it arrives")
            .of(record(&[gone.clone(), first.clone()])),
        good("OPS-12_replaced", "a write that names another, with a smaller clock")
            .of(record(&[first.clone(), (dot(LAPTOP, 2, 0), op(CLOCK - 9, later))])),
        good("OPS-13_clock", "of two concurrent writes the later one wins")
            .of(record(&[first.clone(), other.clone()])),
        good("OPS-13_place", "of two with one clock the greater place wins")
            .of(record(&[first.clone(), same_clock])),
        good("OPS-13_null", "the winner removes the field").of(record(&[first.clone(), removed])),
        good("OPS-14_deleted", "a delete that had seen the write")
            .of(record(&[first.clone(), gone.clone()])),
        good("OPS-14_concurrent", "a concurrent write keeps the record").of(record(&[
            first.clone(),
            gone.clone(),
            other,
        ])),
        good("OPS-14_back", "a later write brings the record back with its values").of(record(&[
            first.clone(),
            gone,
            back,
        ])),
        good("OPS-15_kind", "the greatest kind in any of its writes")
            .of(record(&[(dot(LAPTOP, 2, 0), op(CLOCK, kind)), first])),
    ]
}

fn hashes() -> Vec<Case> {
    let state = |name, note| Case::accepted("state-hash", name, note);
    let of = |records: &[(u8, u8)]| {
        let of_one = |(category, leaf): &(u8, u8)| -> Value {
            json!({ "category": category, "leaf": format!("{leaf:02x}").repeat(32) })
        };
        json!({ "records": records.iter().map(of_one).collect::<Vec<_>>() })
    };
    let content = |paths: Value| json!({ "kind": 5, "category": 5, "paths": paths });
    let flat = BTreeMap::from([("text".to_owned(), "\"hi\"".to_owned())]);
    assert_eq!(content_hash(Kind::Note, Category::Notes, &flat).len(), 32);
    assert_eq!(CollectionId::ROOT.0[15], 1);
    vec![
        state("OPS-17_none", "a vault without records").of(of(&[])),
        state("OPS-17_one", "one record").of(of(&[(5, 1)])),
        state("OPS-17_carry", "leaves are added modulo 2^256").of(of(&[(5, 0xff), (5, 0xff)])),
        state("OPS-17_categories", "two categories").of(of(&[(9, 1), (5, 2), (9, 3)])),
        Case::accepted("content-hash", "OPS-18_fields", "two fields")
            .of(content(json!({ "text": "\"hi\"", "name": "\"n\"" }))),
        Case::accepted("content-hash", "OPS-18_attachment", "a field and an attachment").of(content(
            json!({ "text": "\"hi\"", "attachment/a.txt": format!("text/plain\n{}", "0a".repeat(32)) }),
        )),
    ]
}

pub(crate) fn cases() -> Vec<Case> {
    [clocks(), entries(), bodies(), texts(), merges(), hashes()].into_iter().flatten().collect()
}
