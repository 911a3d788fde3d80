// SPDX-License-Identifier: MIT OR Apache-2.0
//! What is inside opened entries and the vault's own files: ops, states, events, keys, JSON.
#![no_main]

use aura_fuzz::input::{chosen, means_the_same, text};
use aura_protocol::codec::Encode as _;
use aura_protocol::id::{DeviceId, Incarnation, RecordId};
use aura_vault::audit::Event;
use aura_vault::blob::BlobRef;
use aura_vault::device::DeviceFile;
use aura_vault::json::{canonical, flatten, unflatten};
use aura_vault::op::{Change, Compression, Dot, Op, decode_body, encode_body};
use aura_vault::state::State;
use aura_vault::view;
use serde_json::Value;

const RECORD: RecordId = RecordId([1; 16]);

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let (choice, bytes) = chosen(input);
    match choice % 8 {
        0 => body(bytes),
        1 => merge(bytes),
        2 => state(bytes),
        3 => event(bytes),
        4 => drop(means_the_same::<DeviceFile>(bytes)),
        5 => json(bytes),
        6 => attachment(&text(bytes)),
        _ => drop((decode_body(bytes), Event::parse(bytes))),
    }
});

/// Ops come back, compressed or not.
fn body(bytes: &[u8]) {
    let Ok(ops) = decode_body(bytes) else { return };
    for compression in [Compression::None, Compression::PerRecord] {
        assert_eq!(decode_body(&encode_body(&ops, compression)).as_ref(), Ok(&ops));
    }
}

/// The same ops make the same record, in whatever order they arrive, and once is as good as twice.
fn merge(bytes: &[u8]) {
    let Ok(ops) = decode_body(bytes) else { return };
    let named = ops.iter().find_map(|op| match &op.change {
        Change::Write { seen, .. } | Change::Delete { seen, .. } => seen.first().copied(),
        _ => None,
    });
    let (device, incarnation) = (DeviceId([0; 16]), Incarnation([0; 8]));
    // Numbered from the first op that any of them names, so that some name each other.
    let start = named.unwrap_or(Dot { device, incarnation, number: 0, index: 0 });
    let numbers = start.index.min(u32::MAX / 2)..;
    let placed: Vec<_> = numbers.map(|index| Dot { index, ..start }).zip(&ops).collect();
    let there = applied(placed.iter());
    let back = applied(placed.iter().rev());
    assert_eq!(there.values().collect::<Vec<_>>(), back.values().collect::<Vec<_>>());
    assert_eq!(there.is_live(), back.is_live());
    assert_eq!(there.leaf(RECORD), back.leaf(RECORD));
    assert_eq!((there.modified(), there.kind()), (back.modified(), back.kind()));
    assert_eq!(there.seen([]), back.seen([]));
    means_the_same::<State>(&there.to_bytes()).expect("a state of our own");
}

fn applied<'a>(ops: impl Iterator<Item = &'a (Dot, &'a Op)>) -> State {
    let mut state = State::default();
    for (dot, op) in ops {
        let is_new = state.apply(*dot, op);
        let once = state.clone();
        assert!(!state.apply(*dot, op) || !is_new);
        assert_eq!(state, once, "an op counted twice");
    }
    state
}

/// Whatever a damaged database says, asking it is harmless.
fn state(bytes: &[u8]) {
    let Some(state) = means_the_same::<State>(bytes) else { return };
    let paths: Vec<&str> = state.values().map(|(path, _)| path).collect();
    assert!(paths.iter().all(|path| state.has_path(path) && state.value(path).is_some()));
    let _ = (state.clone().into_fields(), state.conflicts(), state.leaf(RECORD), state.seen(paths));
    let _ = (view::time_ms(&state, RECORD), view::blobs(&state), view::text(&state, view::SOURCE));
}

fn event(bytes: &[u8]) {
    let Ok(event) = Event::parse(bytes) else { return };
    let written = event.to_bytes();
    assert_eq!(Event::parse(&written), Ok(event));
    assert!(written.len() <= bytes.len());
}

/// One text for one value, and fields come back from their paths.
fn json(bytes: &[u8]) {
    let Ok(value) = serde_json::from_slice::<Value>(bytes) else { return };
    let written = canonical(&value);
    let read: Value = serde_json::from_str(&written).expect("our own");
    assert_eq!(read, value);
    assert_eq!(canonical(&read), written);
    let Value::Object(fields) = value else { return };
    let flat = flatten(&fields);
    let pairs = flat.iter().map(|(path, text)| (path.as_str(), text.as_str()));
    assert_eq!(unflatten(pairs), fields);
    // As paths and texts of a hostile op, in which anything may stand.
    let texts = fields.iter().filter_map(|(path, text)| Some((path.as_str(), text.as_str()?)));
    let _ = unflatten(texts);
}

fn attachment(text: &str) {
    let public = BlobRef::public_text(text);
    let Some(blob) = BlobRef::parse(text) else {
        assert!(public.is_empty());
        return;
    };
    assert!(!public.is_empty() && blob.chunk_names().len() <= 8192);
}
