// SPDX-License-Identifier: MIT OR Apache-2.0
//! Roots, proofs and notes, and what may be wrong with them (LOG-1 to LOG-9).

use aura_protocol::id::Hash;
use aura_protocol::log::{
    Frontier, consistency_proof, empty_root, inclusion_proof, leaf_hash, sealed_note,
};
use aura_testkit::vectors::Case;
use serde_json::{Value, json};

use crate::log::{checkpoint, note, signer};
use crate::sample::{LAPTOP, PHONE, hex, public, sign_raw};

fn leaves(count: u8) -> Vec<Hash> {
    (0..count).map(|n| leaf_hash(&[n])).collect()
}

fn root(leaves: &[Hash]) -> Hash {
    let mut frontier = Frontier::new();
    leaves.iter().for_each(|leaf| frontier.push(*leaf));
    frontier.root()
}

fn texts(hashes: &[Hash]) -> Vec<String> {
    hashes.iter().map(ToString::to_string).collect()
}

fn inclusion(count: u8, index: usize) -> Value {
    let leaves = leaves(count);
    json!({
        "leaf_hash": leaves[index].to_string(),
        "index": index,
        "size": count,
        "root": root(&leaves).to_string(),
        "proof": texts(&inclusion_proof(&leaves, index).unwrap()),
    })
}

fn consistency(old: usize, new: u8) -> Value {
    let leaves = leaves(new);
    json!({
        "old_size": old,
        "old_root": root(&leaves[..old]).to_string(),
        "new_size": new,
        "new_root": root(&leaves).to_string(),
        "proof": texts(&consistency_proof(&leaves, old).unwrap_or_default()),
    })
}

fn with(mut input: Value, name: &str, value: Value) -> Value {
    input[name] = value;
    input
}

fn shorter(mut input: Value) -> Value {
    input["proof"].as_array_mut().unwrap().pop();
    input
}

fn longer(mut input: Value) -> Value {
    input["proof"].as_array_mut().unwrap().push(json!("09".repeat(32)));
    input
}

fn of_note(note: &str) -> Value {
    json!({ "name": checkpoint().origin, "key": hex(&public(LAPTOP)), "note": note })
}

fn roots() -> Vec<Case> {
    let of = |count: u8| {
        let leaves: Vec<String> = (0..count).map(|n| hex(&[n])).collect();
        json!({ "leaves": leaves })
    };
    let good = |name, note| Case::accepted("root", name, note);
    vec![
        good("LOG-1_one-leaf", "the hash of a leaf is the root of one").of(of(1)),
        good("LOG-2_two-leaves", "the hash of two subtrees").of(of(2)),
        good("LOG-3_empty", "no leaves").of(of(0)),
        good("LOG-4_eleven-leaves", "three perfect subtrees").of(of(11)),
    ]
}

fn proofs() -> Vec<Case> {
    let good = |name, note, what| Case::accepted(what, name, note);
    let bad = |name, note, what| Case::refused(what, name, note);
    let (inc, con) = ("inclusion", "consistency");
    let empty = empty_root().to_string();
    vec![
        good("LOG-5_middle", "leaf 4 of 11", inc).of(inclusion(11, 4)),
        good("LOG-5_last", "leaf 10 of 11", inc).of(inclusion(11, 10)),
        good("LOG-5_alone", "leaf 0 of 1", inc).of(inclusion(1, 0)),
        bad("LOG-5_other-index", "the proof of leaf 4 for leaf 5", inc).of(with(
            inclusion(11, 4),
            "index",
            json!(5),
        )),
        bad("LOG-5_beyond", "leaf 11 of 11", inc).of(with(inclusion(11, 4), "index", json!(11))),
        bad("LOG-5_short", "a hash too few", inc).of(shorter(inclusion(11, 4))),
        bad("LOG-5_long", "a hash too many", inc).of(longer(inclusion(11, 4))),
        good("LOG-6_grown", "from 6 leaves to 11", con).of(consistency(6, 11)),
        good("LOG-6_from-power", "from 8 leaves to 11", con).of(consistency(8, 11)),
        good("LOG-6_same", "from 11 leaves to 11", con).of(consistency(11, 11)),
        bad("LOG-6_short", "a hash too few", con).of(shorter(consistency(6, 11))),
        bad("LOG-6_long", "a hash too many", con).of(longer(consistency(6, 11))),
        bad("LOG-6_shrunk", "from 11 leaves to 6", con).of(with(
            with(consistency(6, 11), "old_size", json!(11)),
            "new_size",
            json!(6),
        )),
        bad("LOG-6_other-root", "another old root", con).of(with(
            consistency(6, 11),
            "old_root",
            json!("09".repeat(32)),
        )),
        good("LOG-3_from-empty", "from no leaves to 11", con).of(with(
            with(consistency(0, 11), "old_root", json!(empty)),
            "proof",
            json!([]),
        )),
        bad("LOG-3_empty-root", "no leaves and a root", con).of(with(
            consistency(0, 11),
            "old_root",
            json!("09".repeat(32)),
        )),
    ]
}

fn notes() -> Vec<Case> {
    let good = |name, note| Case::accepted("note", name, note);
    let bad = |name, note| Case::refused("note", name, note);
    let (mine, other) = (note(LAPTOP), note(PHONE));
    let line = other.rsplit_once("\n\n").unwrap().1;
    let stolen = sealed_note(
        &checkpoint(),
        &signer(LAPTOP),
        &sign_raw(PHONE, checkpoint().to_text().as_bytes()),
    );
    let resigned = |from: &str, to: &str| {
        let text = checkpoint().to_text().replace(from, to);
        let lines = sealed_note(&checkpoint(), &signer(LAPTOP), &sign_raw(LAPTOP, text.as_bytes()));
        format!("{text}\n{}", lines.rsplit_once("\n\n").unwrap().1)
    };
    vec![
        good("LOG-9_note", "a checkpoint under its log's signature").of(of_note(&mine)),
        good("LOG-9_cosigned", "another signer's line is passed over")
            .of(of_note(&format!("{mine}{line}"))),
        bad("LOG-9_other-signer", "signed by another key only").of(of_note(&other)),
        bad("LOG-8_stolen-id", "the log's key id over another key's signature")
            .of(of_note(&stolen)),
        bad("LOG-9_altered", "another size").of(of_note(&mine.replace("\n70\n", "\n71\n"))),
        bad("LOG-9_no-signature", "no signature").of(of_note(&checkpoint().to_text())),
        bad("LOG-7_leading-zero", "a size with a leading zero, well signed")
            .of(of_note(&resigned("\n70\n", "\n070\n"))),
        bad("LOG-7_fourth-line", "a fourth line, well signed")
            .of(of_note(&resigned("c=\n", "c=\nmore\n"))),
        bad("LOG-9_other-origin", "another log's checkpoint, well signed")
            .of(of_note(&resigned("example/log", "example/lot"))),
    ]
}

pub(crate) fn cases() -> Vec<Case> {
    [roots(), proofs(), notes()].into_iter().flatten().collect()
}
