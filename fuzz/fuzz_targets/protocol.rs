// SPDX-License-Identifier: MIT OR Apache-2.0
//! Canonical CBOR, and what stores and peers send in it: entries, heads, frontiers, ids.
#![no_main]

use aura_fuzz::input::{chosen, comes_back, text};
use aura_protocol::codec::{Decode, Encode, Extra, Reader, Writer};
use aura_protocol::entry::{Entry, EntryHeader};
use aura_protocol::head::Head;
use aura_protocol::http::PairingPut;
use aura_protocol::id::{EpochId, FeedId, Hash, RecordId, VaultId};
use aura_protocol::limits::{
    CBOR_ITEMS_MAX, ENTRY_BODY_BYTES_MAX, ENTRY_HEADER_BYTES_MAX, HEAD_BYTES_MAX,
    PAIRING_MESSAGE_BYTES_MAX,
};
use aura_protocol::log::Frontier;
use aura_protocol::pairing::{Answer, Grant, Offer};
use aura_protocol::signed::Signed;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let (choice, bytes) = chosen(input);
    match choice % 9 {
        0 => any(bytes),
        1 => drop(comes_back::<EntryHeader>(bytes, ENTRY_HEADER_BYTES_MAX)),
        2 => entry(bytes),
        3 => head(bytes),
        4 => drop(comes_back::<Signed<Head>>(bytes, HEAD_BYTES_MAX)),
        5 => frontier(bytes),
        6 => drop((comes_back::<FeedId>(bytes, 64), comes_back::<EpochId>(bytes, 64))),
        8 => pairing(bytes),
        _ => id(&text(bytes)),
    }
});

/// One value is read whole, again, and, where the reader has a type for all of it, written the same.
fn any(bytes: &[u8]) {
    let mut reader = Reader::new(bytes);
    let Ok(item) = reader.any() else { return };
    assert!(!item.is_empty() && bytes.starts_with(item));
    assert_eq!(reader.rest(), &bytes[item.len()..]);
    let mut again = Reader::new(item);
    assert_eq!(again.any(), Ok(item));
    assert_eq!(again.finish(), Ok(()));
    if let Some(written) = rewritten(&mut Reader::new(item)) {
        assert_eq!(written, item);
    }
}

/// The next value, written anew. Nothing for numbers below those of 64 bits and for maps whose keys
/// this project does not use.
fn rewritten(reader: &mut Reader<'_>) -> Option<Vec<u8>> {
    let mut writer = Writer::new();
    match reader.rest().first()? >> 5 {
        0 => writer.uint(reader.uint().ok()?),
        1 => writer.int(reader.int().ok()?),
        2 => writer.bytes(reader.bytes().ok()?),
        3 => writer.text(reader.text().ok()?),
        4 => {
            let items = reader.array(CBOR_ITEMS_MAX, |item| Ok(rewritten(item))).ok()?;
            writer.array(items.len());
            for item in items {
                writer.raw(&item?);
            }
            &mut writer
        }
        5 => rewrite_map(reader, &mut writer)?,
        _ if reader.null() => writer.null(),
        _ => writer.boolean(reader.boolean().ok()?),
    };
    Some(writer.into_bytes())
}

fn rewrite_map<'w>(reader: &mut Reader<'_>, writer: &'w mut Writer) -> Option<&'w mut Writer> {
    let pair = |value: &mut Reader<'_>, key: &str| Ok((key.to_owned(), rewritten(value)));
    if let Ok(pairs) = reader.clone().text_map(CBOR_ITEMS_MAX, pair) {
        writer.map(pairs.len());
        for (key, value) in pairs {
            writer.text(&key).raw(&value?);
        }
        reader.any().ok()?;
        return Some(writer);
    }
    // Keys that may be skipped are kept.
    let ((), extra): ((), Extra) = reader.map(|_| Ok(())).ok()?;
    writer.map(extra.len());
    extra.encode(writer);
    Some(writer)
}

fn entry(bytes: &[u8]) {
    let max = ENTRY_BODY_BYTES_MAX + ENTRY_HEADER_BYTES_MAX + 16;
    let Some(entry) = comes_back::<Entry>(bytes, max) else { return };
    assert_eq!(entry.header().to_bytes(), entry.header_bytes());
    assert_eq!(Entry::new(entry.header().clone(), entry.body().to_vec()), entry);
    assert!(!entry.follows(entry.header().number, &entry.hash()));
    assert!(EntryHeader::from_bytes(&entry.header().context(), ENTRY_HEADER_BYTES_MAX).is_ok());
}

fn head(bytes: &[u8]) {
    let Some(head) = comes_back::<Head>(bytes, HEAD_BYTES_MAX) else { return };
    for (collection, position) in &head.feeds {
        assert_eq!(head.position(*collection), *position);
    }
}

fn frontier(bytes: &[u8]) {
    let Some(mut frontier) = comes_back::<Frontier>(bytes, 4096) else { return };
    let (size, root) = (frontier.size(), frontier.root());
    frontier.push(Hash([7; 32]));
    assert_eq!(frontier.size(), size.saturating_add(1));
    assert!(size == u64::MAX || frontier.root() != root);
    if size < u64::MAX {
        drop(comes_back::<Frontier>(&frontier.to_bytes(), 4096).expect("a frontier of our own"));
    }
}

/// What two devices that pair say, each once it has opened.
fn pairing(bytes: &[u8]) {
    let offer = comes_back::<Offer>(bytes, PAIRING_MESSAGE_BYTES_MAX);
    let other = Offer { vault: VaultId([1; 32]), by: [2; 32], clock: 3, server: None };
    if let Some(answer) = comes_back::<Answer>(bytes, PAIRING_MESSAGE_BYTES_MAX) {
        // Nobody here has signed anything.
        assert!(answer.keys(&offer.unwrap_or(other)).is_err());
    }
    drop(comes_back::<Grant>(bytes, PAIRING_MESSAGE_BYTES_MAX));
    drop(comes_back::<PairingPut>(bytes, PAIRING_MESSAGE_BYTES_MAX));
}

fn id(text: &str) {
    if let Some(id) = RecordId::parse(text) {
        assert_eq!(id.to_string(), text.to_ascii_lowercase());
    }
}
