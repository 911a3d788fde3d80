// SPDX-License-Identifier: MIT OR Apache-2.0
//! The vault's own files, in the clear and behind their seals: marker, attempts, keyring, device keys,
//! the search index's manifest, and key ops.
//!
//! Sealed ones are sealed here around bytes of the input: whoever holds the keys could write them.
#![no_main]

/// The search index's own module is not public: it is built here once more, with the type that it needs.
#[path = "../../crates/aura-vault/src/search/manifest.rs"]
#[allow(dead_code, reason = "only what reads is called")]
mod manifest;

mod sealed_file {
    use aura_crypto::aead::HEADER;

    /// As in the vault.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub(super) struct Seal {
        pub(super) sealed_len: u64,
        pub(super) header: [u8; HEADER],
    }
}

use aura_crypto::aead::{self, Context, Hedge};
use aura_crypto::tree;
use aura_fuzz::fixed::{Counter, hedge_key, root_key};
use aura_fuzz::input::{chosen, first};
use aura_fuzz::scratch;
use aura_protocol::codec::{Decode as _, Encode as _, Writer};
use aura_protocol::id::{CollectionId, EpochId, Nonce16, VaultId};
use aura_protocol::label::Label;
use aura_vault::device::DeviceFile;
use aura_vault::home::{Home, Kind};
use aura_vault::keyring::{Keyring, RootKeys};
use aura_vault::op::{Change, decode_body};
use aura_vault::vault::wait_ms;

const VAULT: VaultId = VaultId([1; 32]);
const GENERATION: EpochId = EpochId { counter: 1, nonce: Nonce16([2; 16]) };
/// The longest that anybody waits after wrong secrets.
const WAIT_MS_MAX: u64 = 15 * 60 * 1000;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let (choice, bytes) = chosen(input);
    match choice % 8 {
        0 => marker(bytes),
        1 => attempts(bytes),
        2 => keyring_file(bytes),
        3 => key_ops(bytes),
        4 => sealed_key(bytes),
        5 => device(bytes),
        _ => manifest_file(bytes),
    }
});

fn keyring() -> Keyring {
    Keyring::new(VAULT, RootKeys::derive(root_key(), VAULT, GENERATION))
}

fn of_generation(context: Context) -> Context {
    context.uint(u64::from(GENERATION.counter)).bytes(&GENERATION.nonce.0)
}

fn sealed(context: &Context, plain: &[u8]) -> Vec<u8> {
    let key = tree::keyring_key(&root_key(), &VAULT, GENERATION);
    let (hedge, mut entropy) = (hedge_key(), Counter::default());
    aead::seal(&key, context, &mut Hedge::new(&hedge, &mut entropy), plain)
}

/// A folder is a vault only if its marker, written again, says the same.
fn marker(bytes: &[u8]) {
    let home = Home::new(&scratch::folder());
    std::fs::write(home.marker(), bytes).expect("a temporary file");
    if let Ok(Kind::Vault(vault)) = home.kind() {
        home.mark(vault).expect("a temporary file");
        assert_eq!(home.kind().expect("our own"), Kind::Vault(vault));
    }
}

/// Whatever a damaged file says, the wait ends.
fn attempts(bytes: &[u8]) {
    let (now, bytes) = first::<8>(bytes);
    let home = Home::new(&scratch::folder());
    std::fs::write(home.attempts(), bytes).expect("a temporary file");
    assert!(wait_ms(&home, i64::from_be_bytes(now)) <= WAIT_MS_MAX);
}

/// What is read as a cache is written as one that reads the same.
fn keyring_file(bytes: &[u8]) {
    let context = of_generation(Context::new(Label::KeyringFile).bytes(&VAULT.0));
    let mut read = keyring();
    assert!(read.load_file(bytes).is_err(), "a forgery");
    let Ok(views) = read.load_file(&sealed(&context, bytes)) else { return };
    let written = read.to_file(&views, &mut Counter::default());
    let mut again = keyring();
    let views_again = again.load_file(&written).expect("our own");
    assert!(views.database.ct_eq(&views_again.database) && views.search.ct_eq(&views_again.search));
    assert_eq!(again.to_file(&views_again, &mut Counter::default()), written);
}

/// Ops of a hostile entry: none of their keys was sealed by this vault.
fn key_ops(bytes: &[u8]) {
    let Ok(ops) = decode_body(bytes) else { return };
    let mut keyring = keyring();
    for op in &ops {
        let is_taken = keyring.apply(&op.change).is_ok();
        assert!(!is_taken || !matches!(op.change, Change::Key { .. }), "a forgery");
    }
}

/// Only 32 bytes are a key, and the first one of a place stays.
fn sealed_key(bytes: &[u8]) {
    let (collection, epoch) = (CollectionId([3; 16]), EpochId { counter: 1, ..GENERATION });
    let context = Context::new(Label::KeyringKey).bytes(&VAULT.0).bytes(&collection.0);
    let context = context.uint(u64::from(epoch.counter)).bytes(&epoch.nonce.0);
    let mut keyring = keyring();
    let op = |plain: &[u8]| Change::Key { collection, epoch, sealed: sealed(&context, plain) };
    assert_eq!(keyring.apply(&op(bytes)).is_ok(), bytes.len() == 32);
    let is_there = keyring.key(collection, epoch).is_some();
    assert_eq!(is_there, bytes.len() == 32);
    keyring.apply(&op(&[9; 32])).expect("a key");
    if let (true, Some(key)) = (is_there, keyring.key(collection, epoch)) {
        assert_eq!(key.dangerous_bytes().as_slice(), bytes);
    }
}

/// `device.key` opens only if its id follows from the seeds in it.
fn device(bytes: &[u8]) {
    let roots = RootKeys::derive(root_key(), VAULT, GENERATION);
    let (place, bytes) = first::<24>(bytes);
    let (id, incarnation) = place.split_at(16);
    let context = Context::new(Label::DeviceSeeds).bytes(&VAULT.0).bytes(id).bytes(incarnation);
    let context = of_generation(context);
    let (hedge, mut entropy) = (hedge_key(), Counter::default());
    let mut hedge = Hedge::new(&hedge, &mut entropy);
    let seeds = aead::seal(roots.device_file(), &context, &mut hedge, bytes);
    let mut w = Writer::new();
    w.map(4).uint(1).uint(1).uint(2).bytes(id).uint(3).bytes(incarnation).uint(4).bytes(&seeds);
    let written = w.into_bytes();
    let file = DeviceFile::from_bytes(&written, written.len()).expect("our own");
    assert_eq!(file.to_bytes(), written);
    if let Ok(device) = file.open(VAULT, &roots) {
        assert_eq!(device.id().0, id, "another device's keys");
    }
}

/// Names in a manifest are names of files in its folder, and nothing else.
fn manifest_file(bytes: &[u8]) {
    let Ok(manifest) = manifest::Manifest::decode(bytes) else { return };
    assert!(manifest.files.keys().all(|name| manifest::is_name(name)));
    let written = manifest::Manifest::encode(&manifest.files, &manifest.meta);
    assert_eq!(manifest::Manifest::decode(&written), Ok(manifest));
}
