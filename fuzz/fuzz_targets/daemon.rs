// SPDX-License-Identifier: MIT OR Apache-2.0
//! What is said on the daemon's socket, times that people type, and Aura's own archive.
//!
//! They are the program's, which is no library: its files are built here once more.
#![no_main]
#![allow(dead_code, unused_imports, reason = "only what reads is called")]

#[path = "../../crates/aura/src/exit.rs"]
mod exit;

#[path = "../../crates/aura/src/moment.rs"]
mod moment;

#[path = "../../crates/aura/src/secret.rs"]
mod secret;

#[path = "../../crates/aura/src/wire.rs"]
mod wire;

#[path = "../../crates/aura/src/archive"]
mod archive {
    mod shape;

    mod lines;

    use std::io::Read as _;
    use std::path::Path;

    use aura_vault::record::Content as _;

    use self::lines::{Line, Lines, PieceContent};

    /// Bytes that are read of each file.
    const READ_BYTES_MAX: u64 = 1 << 20;

    /// Reads every line and every file: as long as its record says, or an error.
    pub(super) fn read(path: &Path) {
        let Ok(mut lines) = Lines::open(path) else { return };
        while let Ok(Line::Record(entry)) = lines.next() {
            let before = lines.at();
            for file in &entry.attachments {
                let content = PieceContent::new(path, &lines, file.size);
                let mut read = Vec::new();
                let mut open = content.open().expect("it was opened before").take(READ_BYTES_MAX);
                let outcome = open.read_to_end(&mut read);
                assert!(read.len() as u64 <= file.size, "longer than its record says");
                if outcome.is_ok() && (read.len() as u64) < READ_BYTES_MAX {
                    assert_eq!(read.len() as u64, file.size, "shorter than its record says");
                }
                if lines.skip_pieces(file.size).is_err() {
                    return;
                }
            }
            assert!(lines.at() >= before);
        }
    }
}

use std::fmt::Debug;

use aura_fuzz::input::{chosen, text};
use aura_fuzz::scratch;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::secret::Secret;
use crate::wire::{ANSWER_BYTES_MAX, Answer, REQUEST_BYTES_MAX, Request};

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let (choice, bytes) = chosen(input);
    match choice % 8 {
        0 => frames::<Request>(bytes, REQUEST_BYTES_MAX),
        1 => frames::<Answer>(bytes, ANSWER_BYTES_MAX),
        2 => frames::<Request>(&framed(bytes), REQUEST_BYTES_MAX),
        3 => frames::<Answer>(&framed(bytes), ANSWER_BYTES_MAX),
        4 => time(&text(bytes)),
        5 => secret(bytes),
        _ => archive::read(&scratch::file(bytes)),
    }
});

fn framed(json: &[u8]) -> Vec<u8> {
    let length = u32::try_from(json.len()).expect("inputs are short");
    [&length.to_be_bytes(), json].concat()
}

/// As the daemon reads a connection: until it ends or is not understood. What was read is sent again.
fn frames<T: DeserializeOwned + Serialize + Debug>(mut input: &[u8], max: u32) {
    while let Ok(Some(message)) = wire::receive::<T>(&mut input, max) {
        let mut sent = Vec::new();
        wire::send(&mut sent, &message, max).expect("it came within the bound");
        let back: T = wire::receive(&mut sent.as_slice(), max).expect("our own").expect("one");
        assert_eq!(format!("{message:?}"), format!("{back:?}"));
    }
}

/// What was understood is shown so that it is understood again.
fn time(text: &str) {
    let now_ms = 1_760_000_000_000;
    let Some(ms) = moment::parse(text, now_ms) else { return };
    let shown = moment::rfc3339(ms);
    if !shown.is_empty() {
        assert_eq!(moment::parse(&shown, now_ms), Some(ms), "{shown}");
    }
}

fn secret(json: &[u8]) {
    let Ok(secret) = serde_json::from_slice::<Secret>(json) else { return };
    let sent = serde_json::to_vec(&secret).expect("memory");
    let back: Secret = serde_json::from_slice(&sent).expect("our own");
    assert_eq!(back.reveal(), secret.reveal());
    assert_eq!(format!("{secret:?}"), "Secret(redacted)");
}
