// SPDX-License-Identifier: MIT OR Apache-2.0
//! Signed heads, and what may be wrong with them (HED-1 to HED-6).

use aura_protocol::codec::Encode;
use aura_protocol::head::{Head, Position};
use aura_protocol::id::Hash;
use aura_protocol::label::Label;
use aura_protocol::signed::Signed;
use aura_testkit::vectors::Case;
use serde_json::{Value, json};

use crate::sample::{LAPTOP, PHONE, at, head, hex, public, sign, with_member};

fn raw(payload: Vec<u8>) -> Value {
    let signature = sign(LAPTOP, Label::SigHead, &payload);
    let signed = Signed::<Head>::new(payload, signature);
    json!({ "bytes": hex(&signed.to_bytes()), "key": hex(&public(LAPTOP)) })
}

fn changed(change: impl FnOnce(&mut Head)) -> Value {
    let mut head = head();
    change(&mut head);
    raw(head.to_bytes())
}

fn member(key: u64, value: Option<&[u8]>) -> Value {
    raw(with_member(&head().to_bytes(), key, value))
}

pub(crate) fn cases() -> Vec<Case> {
    let good = |name, note| Case::accepted("head", name, note);
    let bad = |name, note| Case::refused("head", name, note);
    let zero = Hash([0; 32]);
    let mut by_other = changed(|_| ());
    by_other["key"] = json!(hex(&public(PHONE)));
    let payload = head().to_bytes();
    let as_statement =
        Signed::<Head>::new(payload.clone(), sign(LAPTOP, Label::SigStatement, &payload));
    vec![
        good("HED-1_head", "a head with every member").of(changed(|_| ())),
        good("HED-1_bare", "the first head of a device that saw nobody").of(changed(|h| {
            (h.number, h.previous) = (1, zero);
            (h.seen, h.waiting, h.checkpoint, h.cosignatures) = Default::default();
        })),
        bad("HED-1_no-clock", "member 12 is missing").of(member(12, None)),
        bad("HED-1_version-2", "format version 2").of(member(1, Some(&[2]))),
        bad("SIG-2_other-key", "signed by another device").of(by_other),
        bad("SIG-1_other-label", "signed as an authority statement")
            .of(json!({ "bytes": hex(&as_statement.to_bytes()), "key": hex(&public(LAPTOP)) })),
        bad("HED-2_zero", "number 0").of(changed(|h| (h.number, h.previous) = (0, zero))),
        bad("HED-2_first-follows", "a first head that follows one").of(changed(|h| h.number = 1)),
        bad("HED-3_feeds", "feeds in descending order").of(changed(|h| h.feeds.reverse())),
        bad("HED-3_seen", "an incarnation seen twice")
            .of(changed(|h| h.seen[1].device = h.seen[0].device)),
        bad("HED-3_waiting", "waiting collections in descending order")
            .of(changed(|h| h.waiting.reverse())),
        bad("HED-3_cosignatures", "cosignatures in descending order")
            .of(changed(|h| h.cosignatures.reverse())),
        bad("HED-4_hash-alone", "a hash without a number")
            .of(changed(|h| h.seen[0].applied = Position { number: 0, hash: Hash([1; 32]) })),
        bad("HED-4_number-alone", "a number without a hash")
            .of(changed(|h| h.seen[0].held = Position { number: 9, hash: zero })),
        bad("HED-5_empty-feed", "a feed without an entry")
            .of(changed(|h| h.feeds[0].1 = Position::NONE)),
        bad("HED-5_applied", "more applied than held").of(changed(|h| h.seen[0].applied = at(9))),
        bad("HED-5_itself", "a head that saw itself").of(changed(|h| {
            (h.seen[0].device, h.seen[0].incarnation) = (h.device, h.incarnation);
            h.seen.sort_by_key(|seen| (seen.device, seen.incarnation));
        })),
        bad("HED-6_empty-note", "an empty checkpoint, written out").of(member(10, Some(&[0x40]))),
        bad("HED-6_empty-list", "an empty list of seen heads, written out")
            .of(member(8, Some(&[0x80]))),
    ]
}
