// SPDX-License-Identifier: MIT OR Apache-2.0
//! The tables of `spec/` and the constants of the code are the same (LIM-1 to LIM-4, LBL-1 to LBL-3).

use std::collections::BTreeMap;

use aura_protocol::label::Label;
use aura_protocol::limits;

fn spec(file: &str) -> String {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../spec");
    std::fs::read_to_string(format!("{folder}/{file}")).unwrap()
}

/// Rows of a table whose first cell is code: (that cell, the next one).
fn rows(text: &str) -> Vec<(String, String)> {
    text.lines()
        .filter_map(|line| line.strip_prefix("| `"))
        .filter_map(|row| row.split_once("` | "))
        .map(|(name, rest)| (name.to_owned(), rest.split(" |").next().unwrap().to_owned()))
        .collect()
}

macro_rules! limits {
    ($($name:ident)*) => {
        BTreeMap::from([$((stringify!($name).to_owned(), limits::$name.to_string())),*])
    };
}

/// LIM-2, LIM-3, LIM-4: what may be written and must be read is one list.
#[test]
fn limits_are_those_of_the_specification() {
    let code = limits![
        FORMAT_VERSION CBOR_DEPTH_MAX CBOR_ITEMS_MAX ENTRY_BODY_BYTES_MAX ENTRY_HEADER_BYTES_MAX
        ENTRY_OPS_MAX ENTRY_CHUNKS_MAX ENTRY_PAD_BYTES_MIN HEAD_BYTES_MAX HEAD_FEEDS_MAX
        CHUNK_BYTES_MAX CHUNK_PLAIN_BYTES BLOB_BYTES_MAX STATEMENTS_MAX STATEMENT_BYTES_MAX
        STATEMENT_SIGNATURES_MAX DEVICES_MAX QUARANTINED_MAX BASES_MAX INCARNATIONS_MAX
        WAITING_INCARNATIONS_MAX LIVES_MAX SHOWN_HEADS_BYTES_MAX DEVICE_HEADS_BYTES_MAX
        WAITING_HEADS_BYTES_MAX AUTHORITY_BYTES_MAX DEVICE_AUTHORITY_BYTES_MAX WAITING_AUTHORITY_BYTES_MAX
        READ_ENTRIES_MAX READ_BYTES_MAX NOTE_LINES_MAX NOTE_BYTES_MAX
        ACCOUNT_NAME_BYTES_MAX INVITATION_BYTES_MAX SMALL_REQUEST_BYTES_MAX KNOWN_REQUEST_BYTES_MAX
        PUSH_BYTES_MAX REGISTRATION_BYTES_MAX LINEAGE_STATEMENTS_MAX HAS_NAMES_MAX HEADS_BYTES_MAX
        PAIRING_MESSAGE_BYTES_MAX PAIRING_NAME_BYTES_MAX PAIRING_ROOTS_MAX PAIRING_SERVERS_MAX
        PAIRING_URL_BYTES_MAX PAIRING_SECONDS_MAX PAIRING_REQUEST_BYTES_MAX
    ];
    let table: BTreeMap<String, String> = rows(&spec("limits.md")).into_iter().collect();
    assert_eq!(table, code);
    let source = include_str!("../../src/limits.rs");
    assert_eq!(source.matches("pub const ").count(), code.len(), "a limit that this test misses");
}

/// LBL-1.
#[test]
fn labels_are_those_of_the_specification() {
    let mut table: Vec<String> = rows(&spec("labels.md")).into_iter().map(|row| row.0).collect();
    let mut code: Vec<String> = Label::ALL.iter().map(ToString::to_string).collect();
    table.sort();
    code.sort();
    assert_eq!(table, code);
}
