// SPDX-License-Identifier: MIT OR Apache-2.0
//! Files of a vault directory (DIR-1, DIR-3, DIR-4, DIR-9).

use aura_crypto::aead::Hedge;
use aura_crypto::key::HedgeKey;
use aura_protocol::codec::Writer;
use aura_testkit::vectors::Case;
use aura_vault::device::Device;
use serde_json::{Value, json};

use crate::sample::{Counter, VAULT, cbor, filled, hex, opened_by, roots, with};

fn markers() -> Vec<Case> {
    let of = |text: &str| json!({ "file": text });
    let good = |name, note| Case::accepted("marker", name, note);
    let bad = |name, note| Case::refused("marker", name, note);
    vec![
        good("DIR-1_marker", "two lines").of(of(&format!("aura vault 1\n{VAULT}\n"))),
        good("DIR-1_third-line", "what follows the second line is passed over")
            .of(of(&format!("aura vault 1\n{VAULT}\nmore\n"))),
        bad("DIR-1_newer", "a newer format").of(of(&format!("aura vault 2\n{VAULT}\n"))),
        bad("DIR-1_newer-word", "a format that is no number is newer").of(of("aura vault x\n")),
        bad("DIR-1_other-line", "another first line").of(of(&format!("aura\n{VAULT}\n"))),
        bad("DIR-1_short-id", "an id of 63 digits")
            .of(of(&format!("aura vault 1\n{}\n", &VAULT.to_string()[1..]))),
        bad("DIR-1_one-line", "no id").of(of("aura vault 1\n")),
        bad("DIR-1_long", "more than 256 bytes")
            .of(of(&format!("aura vault 1\n{VAULT}\n{}\n", "x".repeat(200)))),
    ]
}

fn device_file() -> Vec<u8> {
    let device = Device::generate(&mut Counter::default());
    let (hedge, mut entropy) = (filled::<HedgeKey>(0x55), Counter::default());
    device.to_file(VAULT, &roots(), &mut Hedge::new(&hedge, &mut entropy))
}

fn device_files() -> Vec<Case> {
    let of = |file: &[u8]| with(opened_by(), "file", json!(hex(file)));
    let good = |name, note| Case::accepted("device-file", name, note);
    let bad = |name, note| Case::refused("device-file", name, note);
    let file = device_file();
    // Members 1 and 2 begin the file: a4 01 01 02 50, then the id.
    let changed = |at: usize, to: u8| {
        let mut file = file.clone();
        file[at] = to;
        file
    };
    let other_vault = with(of(&file), "vault", json!("12".repeat(32)));
    vec![
        good("DIR-4_device-key", "the four seeds open, and the id follows from the first")
            .of(of(&file)),
        bad("DIR-4_other-id", "the id of another device").of(of(&changed(5, file[5] ^ 1))),
        bad("DIR-4_version-2", "format version 2").of(of(&changed(2, 2))),
        bad("DIR-4_altered", "the sealed seeds are altered")
            .of(of(&changed(file.len() - 1, file[file.len() - 1] ^ 1))),
        bad("DIR-4_other-vault", "the file of another vault").of(other_vault),
    ]
}

fn secret_keys() -> Vec<Case> {
    let of = |text: &str| json!({ "file": text });
    let key: aura_crypto::key::SecretKey = filled(0x66);
    let text = key.to_text();
    let (good, bad) = ("secret-key-file", "secret-key-file");
    vec![
        Case::accepted(good, "DIR-3_secret-key", "as it is printed, and 0x0a")
            .of(of(&format!("{}\n", *text))),
        Case::accepted(good, "DIR-3_typed", "as somebody might type it from the kit")
            .of(of(&format!("{}\r\n", text.to_lowercase().replace('-', " ")))),
        Case::refused(bad, "DIR-3_mistyped", "two symbols swapped").of(of(&swapped(&text))),
    ]
}

fn swapped(text: &str) -> String {
    let mut symbols: Vec<char> = text.chars().collect();
    let at = (1..symbols.len()).find(|at| {
        let (one, other) = (symbols[at - 1], symbols[*at]);
        one != other && one != '-' && other != '-'
    });
    symbols.swap(at.unwrap() - 1, at.unwrap());
    symbols.into_iter().collect()
}

fn attempts() -> Vec<Case> {
    const LAST_MS: i64 = 1_760_000_000_000;
    let of = |file: &[u8], now_ms: i64| -> Value { json!({ "file": hex(file), "now_ms": now_ms }) };
    let counted = |count: u64| {
        cbor(|w: &mut Writer| {
            w.array(2).uint(count).int(LAST_MS);
        })
    };
    let good = |name, note| Case::accepted("attempts", name, note);
    vec![
        good("DIR-9_two", "no wait after two wrong secrets").of(of(&counted(2), LAST_MS)),
        good("DIR-9_three", "a second after the third").of(of(&counted(3), LAST_MS)),
        good("DIR-9_six", "twice as long each time, less what has passed")
            .of(of(&counted(6), LAST_MS + 1500)),
        good("DIR-9_most", "never more than 15 minutes").of(of(&counted(4_000_000_000), LAST_MS)),
        good("DIR-9_clock-back", "a clock set back does not lengthen it")
            .of(of(&counted(4), LAST_MS - 1_000_000)),
        good("DIR-9_unreadable", "an unreadable file counts as none").of(of(&[0xff], LAST_MS)),
    ]
}

pub(crate) fn cases() -> Vec<Case> {
    [markers(), device_files(), secret_keys(), attempts()].into_iter().flatten().collect()
}
