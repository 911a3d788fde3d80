// SPDX-License-Identifier: MIT OR Apache-2.0
//! Key ops, name ops and the cache (KRG-1 to KRG-6).

use aura_crypto::aead::{self, Context, Hedge};
use aura_crypto::key::HedgeKey;
use aura_crypto::tree;
use aura_protocol::id::{CollectionId, EpochId, FeedId, Nonce16};
use aura_protocol::label::Label;
use aura_testkit::vectors::Case;
use aura_vault::keyring::{Keyring, ViewKeys};
use aura_vault::op::{Change, Op};
use serde_json::{Value, json};

use crate::sample::{
    CLOCK, COLLECTION, Counter, GENERATION, LAPTOP, LIFE, VAULT, body, filled, hex, op, opened_by,
    root, roots, with,
};

const OTHER: CollectionId = CollectionId([0x21; 16]);

fn epoch(counter: u32, nonce: u8) -> EpochId {
    EpochId { counter, nonce: Nonce16([nonce; 16]) }
}

fn sealed(collection: CollectionId, epoch: EpochId, plain: &[u8]) -> Vec<u8> {
    let context = Context::new(Label::KeyringKey)
        .bytes(&VAULT.0)
        .bytes(&collection.0)
        .uint(u64::from(epoch.counter))
        .bytes(&epoch.nonce.0);
    let key = tree::keyring_key(&root(), &VAULT, GENERATION);
    let (hedge, mut entropy) = (filled::<HedgeKey>(0x55), Counter::default());
    aead::seal(&key, &context, &mut Hedge::new(&hedge, &mut entropy), plain)
}

fn key(collection: CollectionId, epoch: EpochId, plain: &[u8]) -> Op {
    op(CLOCK, Change::Key { collection, epoch, sealed: sealed(collection, epoch, plain) })
}

fn name(collection: CollectionId, category: u8) -> Op {
    op(CLOCK, Change::Name { collection, category })
}

fn of(ops: &[Op]) -> Value {
    with(opened_by(), "bodies", json!([hex(&body(ops))]))
}

fn moved() -> Op {
    let first = epoch(1, 4);
    op(
        CLOCK,
        Change::Key {
            collection: OTHER,
            epoch: first,
            sealed: sealed(COLLECTION, first, &[7; 32]),
        },
    )
}

fn ops() -> Vec<Case> {
    let good = |name, note| Case::accepted("keyring", name, note);
    let bad = |name, note| Case::refused("keyring", name, note);
    let first = epoch(1, 4);
    let keys = [key(COLLECTION, first, &[7; 32]), name(COLLECTION, 5)];
    let other_vault = with(of(&keys), "vault", json!("12".repeat(32)));
    let other_generation = with(of(&keys), "generation", json!([2, "33".repeat(16)]));
    let two_epochs = [
        key(COLLECTION, epoch(2, 1), &[8; 32]),
        key(COLLECTION, epoch(2, 9), &[9; 32]),
        key(COLLECTION, first, &[7; 32]),
    ];
    vec![
        good("KRG-1_root-collection", "what follows from the root key alone").of(of(&[])),
        bad("KRG-1_other-generation", "sealed under another generation's key").of(other_generation),
        good("KRG-2_key", "a key and what its collection is for").of(of(&keys)),
        bad("KRG-2_other-collection", "a key op moved to another collection").of(of(&[moved()])),
        bad("KRG-2_other-vault", "a key op of another vault").of(other_vault),
        bad("KRG-2_short", "31 bytes are no key").of(of(&[key(COLLECTION, first, &[7; 31])])),
        good("KRG-3_second-key", "the first key of an epoch stays")
            .of(of(&[key(COLLECTION, first, &[7; 32]), key(COLLECTION, first, &[8; 32])])),
        good("KRG-4_second-name", "the first name of a collection stays")
            .of(of(&[name(COLLECTION, 5), name(COLLECTION, 6)])),
        good("KRG-4_lowest", "of two collections for notes the lower one is written")
            .of(of(&[name(COLLECTION, 5), name(OTHER, 5)])),
        good("KRG-4_without-key", "of two collections for notes the one that has an epoch")
            .of(of(&[key(COLLECTION, first, &[7; 32]), name(COLLECTION, 5), name(OTHER, 5)])),
        good("KRG-4_unknown", "a purpose that nobody knows").of(of(&[name(COLLECTION, 200)])),
        good("KRG-5_newest", "of two epochs with one counter, the one that IDS-4 says")
            .of(of(&two_epochs)),
    ]
}

fn cache() -> Vec<u8> {
    let mut keyring = Keyring::new(VAULT, roots());
    let ops = [key(COLLECTION, epoch(1, 4), &[7; 32]), name(COLLECTION, 5)];
    ops.iter().for_each(|op| keyring.apply(&op.change).unwrap());
    let feed = FeedId { collection: CollectionId::ROOT, device: LAPTOP, incarnation: LIFE };
    keyring.set_applied(feed, 3);
    let views = ViewKeys::generate(&mut Counter::default());
    keyring.to_file(&views, &mut Counter::default())
}

fn caches() -> Vec<Case> {
    let of = |file: &[u8]| {
        let looked_up = json!([[COLLECTION.to_string(), [1, "04".repeat(16)]]]);
        with(with(opened_by(), "file", json!(hex(file))), "epochs", looked_up)
    };
    let file = cache();
    let mut altered = file.clone();
    *altered.last_mut().unwrap() ^= 1;
    let other = with(of(&file), "generation", json!([2, "33".repeat(16)]));
    vec![
        Case::accepted("keyring-file", "KRG-6_cache", "one key, one name, one feed").of(of(&file)),
        Case::refused("keyring-file", "KRG-6_altered", "an altered byte").of(of(&altered)),
        Case::refused("keyring-file", "KRG-6_other-generation", "another generation's").of(other),
    ]
}

pub(crate) fn cases() -> Vec<Case> {
    [ops(), caches()].into_iter().flatten().collect()
}
