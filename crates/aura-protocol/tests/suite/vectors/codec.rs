// SPDX-License-Identifier: MIT OR Apache-2.0
//! Bytes that are canonical CBOR, and bytes that look like it (CBR-1 to CBR-6).

use aura_testkit::vectors::Case;
use serde_json::json;

pub(crate) fn cases() -> Vec<Case> {
    let good =
        |name, note, bytes: &str| Case::accepted("cbor", name, note).of(json!({ "bytes": bytes }));
    let bad =
        |name, note, bytes: &str| Case::refused("cbor", name, note).of(json!({ "bytes": bytes }));
    let deep = |levels: usize| format!("{}00", "81".repeat(levels));
    vec![
        good("CBR-1_whole", "an array of three values that ends with the bytes", "83f4f5f6"),
        bad("CBR-1_empty", "no value", ""),
        bad("CBR-1_cut", "a byte string of two bytes with one", "4201"),
        bad("CBR-1_trailing", "a byte after the value", "0000"),
        good("CBR-2_uint-23", "23 fits the first byte", "17"),
        good("CBR-2_uint-24", "24 takes one more byte", "1818"),
        good("CBR-2_uint-max", "2^64 - 1", "1bffffffffffffffff"),
        good("CBR-2_negative", "-256", "38ff"),
        bad("CBR-2_long-uint-8", "23 in one more byte", "1817"),
        bad("CBR-2_long-uint-16", "255 in two more bytes", "1900ff"),
        bad("CBR-2_long-uint-32", "65535 in four more bytes", "1a0000ffff"),
        bad("CBR-2_long-uint-64", "2^32 - 1 in eight more bytes", "1b00000000ffffffff"),
        bad("CBR-2_long-length", "a byte string's length, too long", "580100"),
        bad("CBR-2_indefinite-array", "an array that ends with a break", "9f00ff"),
        bad("CBR-2_indefinite-map", "a map that ends with a break", "bf0000ff"),
        bad("CBR-2_indefinite-bytes", "a byte string in pieces", "5f4100ff"),
        good("CBR-3_ascending", "keys 0, 24, 1000 and the text a", "a400001818001903e8006161f6"),
        bad("CBR-3_descending", "keys 1, 0", "a201000000"),
        bad("CBR-3_twice", "key 0 twice", "a200000001"),
        bad("CBR-3_text-order", "a longer text before a shorter one", "a262616100616200"),
        bad("CBR-3_bytes-key", "a key that is a byte string", "a1410000"),
        bad("CBR-3_negative-key", "a key that is -1", "a12000"),
        good("CBR-4_text", "text with two letters outside ASCII", "64c3a4c3b6"),
        bad("CBR-4_tag", "a tag", "c000"),
        bad("CBR-4_float", "0.0 in half precision", "f90000"),
        bad("CBR-4_undefined", "undefined", "f7"),
        bad("CBR-4_simple", "simple value 32", "f820"),
        bad("CBR-4_not-utf-8", "text that is not UTF-8", "61ff"),
        good("CBR-5_sixteen", "sixteen arrays, one in the other", &deep(16)),
        bad("CBR-5_seventeen", "seventeen arrays, one in the other", &deep(17)),
        bad("CBR-6_count", "an array of more items than bytes follow", "9a7fffffff"),
        bad("CBR-6_length", "a byte string of more bytes than follow", "5a7fffffff"),
    ]
}
