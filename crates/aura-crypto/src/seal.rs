// SPDX-License-Identifier: MIT OR Apache-2.0
//! Entry bodies, sealed into the one place where they belong.
//!
//! The key of an entry follows from its collection's key and its place, and the place is also the
//! object's context: nothing sealed here opens as another entry. Authority bodies are clear and do
//! not pass through. Source: spec/entry.md, rules ENT-4, ENT-8 and ENT-9.

use aura_protocol::entry::{Entry, EntryHeader};
use aura_protocol::id::{FeedId, VaultId};
use aura_protocol::label::Label;
use zeroize::Zeroizing;

use crate::aead::{self, Context, Hedge, OpenError};
use crate::kdf;
use crate::key::{CollectionKey, ObjectKey};
use crate::pad;

/// Seals a body, padded to its size class (ENT-8), under the key of its place.
pub fn seal_entry(
    key: &CollectionKey,
    mut header: EntryHeader,
    body: Vec<u8>,
    hedge: &mut Hedge<'_>,
) -> Entry {
    let padded = Zeroizing::new(pad::pad_entry(body));
    header.body_bytes = aead::sealed_len(padded.len() as u64).unwrap_or(u64::MAX);
    let place = header.context();
    let entry_key: ObjectKey = kdf::derive(key, Label::EntryKey, &place);
    let context = Context::new(Label::EntryBody).bytes(&place);
    let sealed = aead::seal(&entry_key, &context, hedge, &padded);
    Entry::new(header, sealed)
}

/// Opens the entry that the caller asked for: this vault, this feed, this number (ENT-9, INT-01).
///
/// # Errors
/// [`OpenError`] when it is another entry, does not open or is not padded as it must be.
pub fn open_entry(
    key: &CollectionKey,
    entry: &Entry,
    (vault, feed, number): (VaultId, FeedId, u64),
) -> Result<Zeroizing<Vec<u8>>, OpenError> {
    let header = entry.header();
    if header.vault != vault || header.feed != feed || header.number != number {
        return Err(OpenError);
    }
    let place = header.context();
    let entry_key: ObjectKey = kdf::derive(key, Label::EntryKey, &place);
    let context = Context::new(Label::EntryBody).bytes(&place);
    let mut body = aead::open(&entry_key, &context, entry.body())?;
    let len = pad::unpad(&body).ok_or(OpenError)?.len();
    body.truncate(len);
    Ok(body)
}
