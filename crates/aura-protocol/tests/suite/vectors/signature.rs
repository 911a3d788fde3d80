// SPDX-License-Identifier: MIT OR Apache-2.0
//! Signatures under labels, and keys that are none (SIG-1, SIG-2).

use aura_protocol::label::Label;
use aura_testkit::vectors::Case;
use serde_json::{Value, json};

use crate::sample::{LAPTOP, hex, public, sign};

fn input(key: &str, label: Label, signature: &str) -> Value {
    let payload = hex(b"what is signed");
    json!({ "key": key, "label": label.as_str(), "payload": payload, "signature": signature })
}

pub(crate) fn cases() -> Vec<Case> {
    let good = |name, note| Case::accepted("signature", name, note);
    let bad = |name, note| Case::refused("signature", name, note);
    let (key, payload) = (hex(&public(LAPTOP)), b"what is signed");
    let signature = sign(LAPTOP, Label::SigHead, payload);
    let text = hex(&signature.0);
    let mut lax = signature;
    let order =
        crate::sample::unhex("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010");
    let mut carry = 0;
    for (byte, add) in lax.0[32..].iter_mut().zip(order) {
        let sum = u16::from(*byte) + u16::from(add) + carry;
        (*byte, carry) = (sum.to_le_bytes()[0], sum >> 8);
    }
    let identity = format!("01{}", "00".repeat(31));
    let alias = format!("ee{}7f", "ff".repeat(30));
    let forged = format!("01{}", "00".repeat(63));
    vec![
        good("SIG-1_head", "a signature under the label of heads").of(input(
            &key,
            Label::SigHead,
            &text,
        )),
        bad("SIG-1_statement", "the same under the label of statements").of(input(
            &key,
            Label::SigStatement,
            &text,
        )),
        bad("SIG-2_scalar", "the same with the group's order added to its scalar").of(input(
            &key,
            Label::SigHead,
            &hex(&lax.0),
        )),
        bad("SIG-2_small-order", "a key of small order, for which this verifies anything")
            .of(input(&identity, Label::SigHead, &forged)),
        bad("SIG-2_non-canonical", "the same point with p added to its coordinate").of(input(
            &alias,
            Label::SigHead,
            &forged,
        )),
        bad("SIG-2_zero", "a signature of zeros").of(input(&key, Label::SigHead, &"00".repeat(64))),
    ]
}
