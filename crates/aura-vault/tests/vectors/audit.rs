// SPDX-License-Identifier: MIT OR Apache-2.0
//! Audit events, and the logs they are leaves of (LOG-10, LOG-11, LOG-13, LOG-14).

use aura_crypto::sign::{LogSigningKey, NoteSigner as _};
use aura_protocol::codec::{Encode as _, Writer};
use aura_protocol::log::Frontier;
use aura_testkit::vectors::Case;
use aura_vault::audit::{Action, Event, Outcome, checkpoint, origin};
use aura_vault::record::Category;
use serde_json::{Value, json};

use crate::sample::{LAPTOP, LIFE, PHONE, cbor, filled, hex, with};

fn event(action: Action, categories: &[Category]) -> Event {
    Event {
        time_ms: 1_760_000_000_000,
        principal: "owner".to_owned(),
        action,
        outcome: Outcome::Done,
        categories: categories.to_vec(),
        count: 1,
        grant: String::new(),
    }
}

/// An event's map, with its members as they are given.
fn raw(action: u64, outcome: u64, categories: &[u64]) -> Vec<u8> {
    cbor(|w: &mut Writer| {
        w.map(7).uint(1).int(0).uint(2).text("owner").uint(3).uint(action).uint(4).uint(outcome);
        w.uint(5).array(categories.len());
        categories.iter().for_each(|category| _ = w.uint(*category));
        w.uint(6).uint(1).uint(7).text("");
    })
}

fn events() -> Vec<Case> {
    let of = |bytes: &[u8]| json!({ "bytes": hex(bytes) });
    let good = |name, note| Case::accepted("event", name, note);
    let bad = |name, note| Case::refused("event", name, note);
    let unlock = event(Action::Unlock, &[]).to_bytes();
    let read = event(Action::Read, &[Category::Notes, Category::Health]).to_bytes();
    let grant = Event { grant: "g".repeat(5000), ..event(Action::Read, &[]) }.to_bytes();
    let shorter = {
        let mut bytes = unlock.clone();
        bytes[0] -= 1;
        bytes.truncate(bytes.len() - 2);
        bytes
    };
    vec![
        good("LOG-10_unlock", "the owner unlocked the vault").of(of(&unlock)),
        good("LOG-10_read", "two categories, ascending").of(of(&read)),
        bad("LOG-10_descending", "two categories, descending").of(of(&raw(5, 0, &[9, 5]))),
        bad("LOG-10_twice", "a category twice").of(of(&raw(5, 0, &[5, 5]))),
        bad("LOG-10_outcome", "an outcome that there is not").of(of(&raw(5, 3, &[]))),
        bad("LOG-10_no-grant", "member 7 is missing").of(of(&shorter)),
        bad("LOG-10_long", "more than 4096 bytes").of(of(&grant)),
        bad("LOG-10_trailing", "a byte too many").of(of(&[unlock, vec![0]].concat())),
    ]
}

fn key() -> LogSigningKey {
    filled(0x77)
}

fn log(signed: usize) -> Value {
    let events: Vec<Vec<u8>> = [Action::Create, Action::Unlock, Action::Write]
        .map(|action| event(action, &[]).to_bytes())
        .to_vec();
    let mut frontier = Frontier::new();
    events.iter().take(signed).for_each(|event| frontier.push(Event::leaf(event)));
    let note = checkpoint(&frontier, &origin(LAPTOP, LIFE), &key());
    json!({
        "device": LAPTOP.to_string(),
        "incarnation": LIFE.to_string(),
        "key": hex(&key().verifying_key()),
        "events": events.iter().map(|event| hex(event)).collect::<Vec<_>>(),
        "note": String::from_utf8(note).unwrap(),
    })
}

fn logs() -> Vec<Case> {
    let bad = |name, note| Case::refused("audit-log", name, note);
    let other = filled::<LogSigningKey>(0x78).verifying_key();
    let mut reordered = log(3);
    reordered["events"].as_array_mut().unwrap().swap(0, 1);
    vec![
        Case::accepted("audit-log", "LOG-13_whole", "three events and their checkpoint").of(log(3)),
        bad("LOG-14_other-size", "a checkpoint of the first two events").of(log(2)),
        bad("LOG-14_other-root", "two events changed places").of(reordered),
        bad("LOG-14_other-signer", "another device's log key").of(with(
            log(3),
            "key",
            json!(hex(&other)),
        )),
        bad("LOG-11_other-origin", "another device's log").of(with(
            log(3),
            "device",
            json!(PHONE.to_string()),
        )),
    ]
}

pub(crate) fn cases() -> Vec<Case> {
    [events(), logs()].into_iter().flatten().collect()
}
