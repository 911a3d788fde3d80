// SPDX-License-Identifier: MIT OR Apache-2.0
//! Attachments: their field, their chunks' names, and their bytes (BLB-1 to BLB-7).

use aura_crypto::entropy::Entropy;
use aura_crypto::key::{AttachmentKey, HedgeKey};
use aura_protocol::id::{BlobId, ChunkName};
use aura_testkit::vectors::Case;
use aura_vault::blob::{BlobRef, Intake, fingerprint, seal};
use serde_json::{Value, json};

use crate::judge::Chunks;
use crate::sample::{Counter, filled, hex, with};

const BLOB: BlobId = BlobId([0xbb; 16]);

fn of(plain: &[u8]) -> Value {
    let chunks = Chunks::default();
    let (key, hedge) = (filled::<AttachmentKey>(7), filled::<HedgeKey>(0x55));
    let mut entropy = Counter::default();
    let print = fingerprint(plain).unwrap();
    let intake = Intake {
        name: "a.txt",
        media_type: "text/plain",
        size: print.size,
        sha256: Some(&print.sha256),
    };
    let hedge = (&hedge, &mut entropy as &mut dyn Entropy);
    let (field, _) = seal(&chunks, (BLOB, &key), &intake, plain, hedge).unwrap();
    let kept = chunks.0.lock().unwrap();
    let kept = kept.iter().map(|(name, sealed)| (name.to_string(), json!(hex(sealed))));
    json!({
        "blob": BLOB.to_string(),
        "field": aura_vault::json::canonical(&serde_json::to_value(&field).unwrap()),
        "chunks": kept.collect::<serde_json::Map<_, _>>(),
    })
}

fn field(change: impl FnOnce(&mut Value)) -> Value {
    let mut input = of(b"hello");
    let mut field: Value = serde_json::from_str(input["field"].as_str().unwrap()).unwrap();
    change(&mut field);
    input["field"] = json!(aura_vault::json::canonical(&field));
    input
}

fn altered() -> Value {
    let mut input = of(b"hello");
    for sealed in input["chunks"].as_object_mut().unwrap().values_mut() {
        let text = sealed.as_str().unwrap();
        let last = if text.ends_with('0') { '1' } else { '0' };
        *sealed = json!(format!("{}{last}", &text[..text.len() - 1]));
    }
    input
}

pub(crate) fn cases() -> Vec<Case> {
    let good = |name, note| Case::accepted("attachment", name, note);
    let bad = |name, note| Case::refused("attachment", name, note);
    let large = field(|field| field["size"] = json!((4_u64 << 20) * 8193));
    vec![
        good("BLB-1_more", "a member that nobody knows").of(field(|field| field["x"] = json!(1))),
        bad("BLB-1_no-name", "a member is missing").of(field(|field| {
            field.as_object_mut().unwrap().remove("name");
        })),
        bad("BLB-1_size-as-text", "a member of another type")
            .of(field(|field| field["size"] = json!("5"))),
        bad("BLB-1_short-key", "a key of 31 bytes")
            .of(field(|field| field["key"] = json!("07".repeat(31)))),
        good("BLB-3_empty", "an empty attachment has one empty chunk").of(of(b"")),
        good("BLB-4_padded", "5000 bytes in a chunk of 5120")
            .of(of(&(0..5000_u32).map(|n| (n % 251) as u8).collect::<Vec<_>>())),
        good("BLB-5_names", "a chunk and its name").of(of(b"hello")),
        bad("BLB-5_other-blob", "the chunk of another attachment").of(with(
            of(b"hello"),
            "blob",
            json!("bc".repeat(16)),
        )),
        bad("BLB-5_other-size", "a size that the chunk was not sealed for")
            .of(field(|field| field["size"] = json!(4))),
        bad("BLB-6_too-large", "more than 8192 chunks").of(large),
        bad("BLB-7_missing", "no chunk").of(with(of(b"hello"), "chunks", json!({}))),
        bad("BLB-7_altered", "an altered chunk").of(altered()),
        bad("BLB-7_other-hash", "another SHA-256")
            .of(field(|field| field["sha256"] = json!("00".repeat(32)))),
    ]
}

/// SEA-4: where a restored machine repeats its randomness, ids and keys repeat too, and so must no salt of a
/// chunk whose bytes are others.
#[test]
fn salts_of_other_bytes_are_others_though_randomness_repeats() {
    let salts = |plain: &[u8]| {
        let input = of(plain);
        let chunks = input["chunks"].as_object().unwrap();
        let names = BlobRef::parse(input["field"].as_str().unwrap()).unwrap().chunk_names();
        let salt = |name: &ChunkName| chunks[&name.to_string()].as_str().unwrap()[..48].to_owned();
        names.iter().map(salt).collect::<Vec<_>>()
    };
    let plain = vec![1; (4 << 20) + 5];
    let with = |at: usize| {
        let mut other = plain.clone();
        other[at] = 2;
        salts(&other)
    };
    let (same, first, last) = (salts(&plain), with(0), with(plain.len() - 1));
    assert_eq!(salts(&plain), same);
    assert_ne!(first[0], same[0]);
    assert_ne!(first[1], same[1]);
    assert_eq!(last[0], same[0]);
    assert_ne!(last[1], same[1]);
}
