// SPDX-License-Identifier: MIT OR Apache-2.0
//! Sealed objects, padding, and what people type: codes and passwords.
#![no_main]

use std::io::Read as _;

use aura_crypto::aead::{self, CHUNK, Context, Hedge};
use aura_crypto::hpke;
use aura_crypto::key::{RecoveryCode, SecretKey};
use aura_crypto::pad::{pad_entry, unpad};
use aura_crypto::password::{PASSWORD_BYTES_MAX, normalise};
use aura_crypto::stream::OpenReader;
use aura_fuzz::fixed::{Counter, hedge_key, kem_secret, object_key};
use aura_fuzz::input::{chosen, first, text};
use aura_protocol::label::Label;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let (choice, bytes) = chosen(input);
    match choice % 8 {
        0 => forged(bytes),
        1 => altered(bytes),
        2 => lengths(bytes),
        3 => padding(bytes),
        4 => secret_key(&text(bytes)),
        5 => recovery_code(&text(bytes)),
        6 => password(&text(bytes)),
        _ => assert!(hpke::open(&kem_secret(), &place(), bytes).is_err(), "a forgery"),
    }
});

fn place() -> Context {
    Context::new(Label::EntryBody).uint(7)
}

/// Nobody without the key makes an object; both ways of reading say so.
fn forged(bytes: &[u8]) {
    assert!(aead::open(&object_key(), &place(), bytes).is_err());
    assert!(OpenReader::new(&object_key(), &place(), bytes).is_err());
}

/// An object opens as it was sealed, and not after any one change. Both ways of reading agree.
fn altered(bytes: &[u8]) {
    let ([repeat, high, low, change], bytes) = first::<4>(bytes);
    let plain = bytes.repeat(usize::from(repeat % 32) + 1);
    let plain = &plain[..plain.len().min(3 * CHUNK)];
    let (hedge, mut entropy) = (hedge_key(), Counter::default());
    let mut hedge = Hedge::new(&hedge, &mut entropy);
    let mut sealed = aead::seal(&object_key(), &place(), &mut hedge, plain);
    assert_eq!(aead::sealed_len(plain.len() as u64), Some(sealed.len() as u64));
    assert_eq!(aead::open(&object_key(), &place(), &sealed).expect("our own").as_slice(), plain);
    let other = Context::new(Label::EntryBody).uint(8);
    assert!(aead::open(&object_key(), &other, &sealed).is_err());
    let at = usize::from(u16::from_be_bytes([high, low])) % sealed.len();
    match change % 4 {
        0 => sealed[at] ^= 1 << (change >> 5),
        1 => sealed.truncate(at),
        2 => sealed.push(change),
        _ => {
            sealed.remove(at);
        }
    }
    assert!(aead::open(&object_key(), &place(), &sealed).is_err(), "an altered object opens");
    let mut read = Vec::new();
    let streamed = OpenReader::new(&object_key(), &place(), sealed.as_slice())
        .and_then(|mut reader| reader.read_to_end(&mut read));
    assert!(streamed.is_err() && plain.starts_with(&read), "other bytes than were sealed");
}

/// The lengths of objects and of what they hold answer each other.
fn lengths(bytes: &[u8]) {
    let (number, bytes) = first::<8>(bytes);
    let (index, _) = first::<8>(bytes);
    let (length, index) = (u64::from_be_bytes(number), u64::from_be_bytes(index));
    if let Some(plain) = aead::plain_len(length) {
        assert_eq!(aead::sealed_len(plain), Some(length));
    }
    if let Some(sealed) = aead::sealed_len(length) {
        assert_eq!(aead::plain_len(sealed), Some(length));
    }
    if let Some(span) = aead::chunk_span(index, length) {
        assert!(span.start < span.end && span.end <= length);
    }
}

fn padding(bytes: &[u8]) {
    let padded = pad_entry(bytes.to_vec());
    assert_eq!(unpad(&padded), Some(bytes));
    let (cut, _) = first::<2>(bytes);
    let mut shorter = padded;
    shorter.truncate(usize::from(u16::from_be_bytes(cut)));
    for candidate in [bytes, &shorter] {
        if let Some(body) = unpad(candidate) {
            assert_eq!(pad_entry(body.to_vec()), candidate);
        }
    }
}

fn secret_key(text: &str) {
    let Ok(key) = SecretKey::parse(text) else { return };
    assert!(SecretKey::parse(&key.to_text()).expect("our own").ct_eq(&key));
}

fn recovery_code(text: &str) {
    let Ok(code) = RecoveryCode::parse(text) else { return };
    assert!(RecoveryCode::parse(&code.to_text()).expect("our own").ct_eq(&code));
}

/// A password that was made normal stays as it is.
fn password(text: &str) {
    let Ok(normal) = normalise(text) else { return };
    assert!(!normal.is_empty() && normal.len() <= PASSWORD_BYTES_MAX);
    assert_eq!(normalise(&normal).as_deref(), Ok(&*normal));
}
