// SPDX-License-Identifier: MIT OR Apache-2.0
//! The project's own vectors, one case a file: made here, compared with what is on disk.
//!
//! `AURA_VECTORS_WRITE=1` writes them again; a difference is a change of the format.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::cast_possible_truncation,
    reason = "a test that cannot go on says so"
)]

mod fixture;

use std::fs;

use aura_crypto::aead::{Context, Hedge, open, seal};
use aura_crypto::hpke::{self, DeviceKemSecret, GrantKemSecret, KemSecret as _};
use aura_crypto::kdf::{Argon2Params, derive, derive_joint, stretch};
use aura_crypto::key::{
    CollectionKey, HedgeKey, ObjectKey, PairingCode, RecoveryCode, RootKey, SecondFactor,
    SecondLockBase, SecretKey,
};
use aura_crypto::login::{self, LoginStretch};
use aura_crypto::pad::{pad_entry, padme_len, unpad};
use aura_crypto::pairing::Granted;
use aura_crypto::password::normalise;
use aura_crypto::sign::{DeviceSigningKey, LabelledSigner as _};
use aura_crypto::slot::{
    SecondLockSecrets, SlotSecrets, password_secret, recovery_secret, second_factor,
    unwrap_from_second_lock, unwrap_from_slot, wrap_to_second_lock, wrap_to_slot,
};
use aura_crypto::tree;
use aura_protocol::auth::login::Stretch as _;
use aura_protocol::auth::{AccountName, ServerKey};
use aura_protocol::authority::PasswordParams;
use aura_protocol::codec::{Encode, Writer};
use aura_protocol::head::Position;
use aura_protocol::id::{CollectionId, EpochId, Hash, Incarnation, Nonce16, SlotId, VaultId};
use aura_protocol::label::Label;
use aura_protocol::pairing::{Done, Grant, Offer, PairedServer, Step, Transcript};
use fixture::{Scripted, hex, vectors};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

const VAULT: VaultId = VaultId([0x11; 32]);
const SLOT: SlotId = SlotId([0x22; 16]);
const GENERATION: EpochId = EpochId { counter: 1, nonce: Nonce16([0x33; 16]) };

fn compare(cases: Vec<(&str, String, Value)>) {
    for (folder, name, case) in cases {
        let path = vectors().join(folder).join(format!("{name}.json"));
        let text = serde_json::to_string_pretty(&case).unwrap() + "\n";
        if std::env::var_os("AURA_VECTORS_WRITE").is_some() {
            fs::write(&path, &text).unwrap();
        }
        let on_disk = fs::read_to_string(&path).unwrap_or_default();
        assert!(on_disk == text, "{} differs from what is made now", path.display());
    }
}

/// Bytes 0, 1, 2 ... modulo 251, so that no two chunks are alike.
fn counting(len: usize) -> Vec<u8> {
    (0..len).map(|i| u8::try_from(i % 251).unwrap()).collect()
}

fn bytes(len: u8, first: u8) -> Vec<u8> {
    (0..len).map(|i| first.wrapping_add(i)).collect()
}

struct Object {
    key: ObjectKey,
    context: Context,
    case: Value,
    sealed: Vec<u8>,
}

fn object(plain: &[u8], rule: &str) -> Object {
    let key = ObjectKey::from_slice(&bytes(32, 0)).unwrap();
    let hedge_key = HedgeKey::from_slice(&bytes(32, 0x40)).unwrap();
    let context = Context::new(Label::Chunk).bytes(&bytes(16, 0x80)).uint(7).uint(1_000_000);
    let random = bytes(32, 0xa0);
    let mut entropy = Scripted(random.clone());
    let sealed = seal(&key, &context, &mut Hedge::new(&hedge_key, &mut entropy), plain);
    let case = json!({
        "rule": rule,
        "key": hex(key.dangerous_bytes()),
        "hedge_key": hex(hedge_key.dangerous_bytes()),
        "random": hex(&random),
        "label": Label::Chunk.as_str(),
        "fields": [{"bytes": hex(&bytes(16, 0x80))}, {"uint": 7}, {"uint": 1_000_000}],
        "context": hex(&context.to_bytes()),
        "plain_len": plain.len(),
        "sealed_len": sealed.len(),
    });
    Object { key, context, case, sealed }
}

/// ACC-6: what OPAQUE is given, and its stretching function.
fn logins() -> Vec<(&'static str, String, Value)> {
    let secret_key = SecretKey::from_slice(&bytes(16, 0x50)).unwrap();
    let password = "ramen\u{a0}Cafe\u{301}";
    let input = login::input(password, &secret_key).unwrap();
    let given: [u8; 64] = bytes(64, 0x10).try_into().unwrap();
    let stretched = LoginStretch::USUAL.stretch(&given).unwrap();
    let about = "Argon2id, version 0x13, salt of 16 zero bytes, 262144 KiB, 3 passes, 4 lanes";
    vec![
        (
            "kdf",
            "acc-6-login-input".to_owned(),
            json!({
                "rule": "ACC-6", "secret_key": hex(secret_key.dangerous_bytes()),
                "password": password, "label": Label::LoginInput.as_str(),
                "input": hex(input.dangerous_bytes()),
            }),
        ),
        (
            "kdf",
            "acc-6-stretch".to_owned(),
            json!({
                "rule": "ACC-6", "about": about, "input": hex(&given),
                "stretched": hex(stretched.as_slice()),
            }),
        ),
    ]
}

/// ACC-6, attacks AUT-01, AUT-04: neither password nor secret key alone makes the input, and nothing cheaper than the
/// floor is computed.
#[test]
fn acc_6_password_and_secret_key_both_count() {
    let key = |first| SecretKey::from_slice(&bytes(16, first)).unwrap();
    let input = |password: &str, first| login::input(password, &key(first)).unwrap();
    assert!(input("abc", 1).ct_eq(&input("abc", 1)));
    assert!(!input("abc", 1).ct_eq(&input("abd", 1)));
    assert!(!input("abc", 1).ct_eq(&input("abc", 2)));
    assert!(login::input("", &key(1)).is_err());
    let cheap = Argon2Params { m_kib: 1024, t: 1, p: 1 };
    assert!(LoginStretch::new(cheap).stretch(&[0; 64]).is_none());
}

/// SEA-1 to SEA-8.
#[test]
fn sealed_object_vectors() {
    let mut cases = Vec::new();
    for len in [0, 1, 16_383, 16_384, 16_385, 40_000] {
        let plain = counting(len);
        let Object { key, context, mut case, sealed } = object(&plain, "SEA-1");
        assert_eq!(*open(&key, &context, &sealed).unwrap(), plain);
        case["about"] = json!("opens; plaintext byte i is i modulo 251");
        case["header"] = json!(hex(&sealed[..56]));
        case["sealed_sha256"] = json!(hex(&Sha256::digest(&sealed)));
        if len < 100 {
            case["sealed"] = json!(hex(&sealed));
        }
        cases.push(("sealed-object", format!("sea-1-open-{len}"), case));
    }
    cases.extend(refused_objects());
    compare(cases);
}

fn refused_objects() -> Vec<(&'static str, String, Value)> {
    let mut cases = Vec::new();
    let mut refuse = |name: &str, about: &str, change: &dyn Fn(&mut Vec<u8>)| {
        let rule = name.splitn(3, '-').take(2).collect::<Vec<_>>().join("-").to_uppercase();
        let Object { key, context, mut case, mut sealed } = object(b"plaintext", &rule);
        change(&mut sealed);
        assert!(open(&key, &context, &sealed).is_err(), "{name}");
        case["about"] = json!(about);
        case["sealed_len"] = json!(sealed.len());
        case["sealed"] = json!(hex(&sealed));
        cases.push(("sealed-object", format!("{name}-refused"), case));
    };
    refuse("sea-2-salt", "one bit of the salt differs", &|o| o[0] ^= 1);
    refuse("sea-3-context", "sealed for chunk 8, opened as chunk 7", &|o| {
        let other = object(b"plaintext", "");
        let hedge_key = HedgeKey::from_slice(&bytes(32, 0x40)).unwrap();
        let context = Context::new(Label::Chunk).bytes(&bytes(16, 0x80)).uint(8).uint(1_000_000);
        let mut entropy = Scripted(bytes(32, 0xa0));
        *o = seal(&other.key, &context, &mut Hedge::new(&hedge_key, &mut entropy), b"plaintext");
    });
    refuse("sea-6-cut", "the last byte is missing", &|o| o.truncate(o.len() - 1));
    refuse("sea-6-header-only", "no chunk at all", &|o| o.truncate(56));
    refuse("sea-6-short-header", "less than a header", &|o| o.truncate(55));
    refuse("sea-6-longer", "a byte follows", &|o| o.push(0));
    refuse("sea-7-commitment", "one bit of the commitment differs", &|o| o[55] ^= 0x80);
    refuse("sea-8-ciphertext", "one bit of the ciphertext differs", &|o| o[56] ^= 1);
    refuse("sea-8-tag", "one bit of the tag differs", &|o| *o.last_mut().unwrap() ^= 1);
    cases
}

/// PAD-1 to PAD-3.
#[test]
fn padding_vectors() {
    let lengths =
        [0, 1, 2, 3, 8, 9, 129, 1000, 4095, 4096, 4097, 10_000, 65_537, 1_000_000, 16_777_216];
    let padme: Vec<Value> =
        lengths.iter().map(|&len| json!({"len": len, "padme": padme_len(len)})).collect();
    let case = json!({"rule": "PAD-1", "about": "lengths and their Padmé lengths", "cases": padme});
    let mut cases = vec![("padding", "pad-1-lengths".to_owned(), case)];
    for len in [0, 1, 4095, 4096, 5000] {
        let padded = pad_entry(counting(len));
        assert_eq!(unpad(&padded), Some(counting(len).as_slice()));
        let case = json!({
            "rule": "PAD-2", "about": "body byte i is i modulo 251", "len": len,
            "padded_len": padded.len(), "padded_sha256": hex(&Sha256::digest(&padded)),
        });
        cases.push(("padding", format!("pad-2-body-{len}"), case));
    }
    let mut refuse = |name: &str, about: &str, parts: &[(u8, usize)]| {
        let padded: Vec<u8> = parts.iter().flat_map(|&(byte, count)| vec![byte; count]).collect();
        assert_eq!(unpad(&padded), None, "{name}");
        let runs: Vec<Value> =
            parts.iter().map(|(byte, count)| json!({"byte": byte, "count": count})).collect();
        let case = json!({"rule": "PAD-3", "about": about, "runs": runs});
        cases.push(("padding", format!("pad-3-{name}-refused"), case));
    };
    refuse("empty", "nothing", &[]);
    refuse("zeros", "no mark", &[(0, 4096)]);
    refuse("other-mark", "another mark than 0x80", &[(1, 10), (0x81, 1), (0, 4085)]);
    refuse("short", "shorter than the least length", &[(1, 10), (0x80, 1), (0, 4084)]);
    refuse("long", "longer than the Padmé length", &[(1, 10), (0x80, 1), (0, 4213)]);
    compare(cases);
}

/// KEY-5 to KEY-10, ACC-6, attack AUT-04: what a login costs is written down, and no server says otherwise.
#[test]
fn kdf_vectors() {
    let root = RootKey::from_slice(&bytes(32, 0)).unwrap();
    let object: ObjectKey = derive(&root, Label::EntryKey, &bytes(5, 1));
    let mut cases = vec![(
        "kdf",
        "key-5-derive".to_owned(),
        json!({
            "rule": "KEY-5", "from": hex(root.dangerous_bytes()), "context": hex(&bytes(5, 1)),
            "label": Label::EntryKey.as_str(), "key": hex(object.dangerous_bytes()),
        }),
    )];
    let base = SecondLockBase::from_slice(&bytes(32, 0x20)).unwrap();
    let factor = SecondFactor::from_slice(&bytes(32, 0x60)).unwrap();
    let joint: ObjectKey = derive_joint(&base, &factor, Label::SecondLockKem, &[]);
    cases.push((
        "kdf",
        "key-6-joint".to_owned(),
        json!({
            "rule": "KEY-6", "first": hex(base.dangerous_bytes()), "context": "",
            "second": hex(factor.dangerous_bytes()), "label": Label::SecondLockKem.as_str(),
            "key": hex(joint.dangerous_bytes()),
        }),
    ));
    let Argon2Params { m_kib, t, p } = Argon2Params::FLOOR;
    let salt: [u8; 16] = bytes(16, 0x30).try_into().unwrap();
    let hash = stretch(b"correct horse battery staple", &salt, Argon2Params::FLOOR).unwrap();
    cases.push((
        "kdf",
        "key-8-floor".to_owned(),
        json!({
            "rule": "KEY-8", "password": hex(b"correct horse battery staple"), "salt": hex(&salt),
            "m_kib": m_kib, "t": t, "p": p, "hash": hex(hash.as_slice()),
        }),
    ));
    cases.extend(passwords());
    cases.extend(logins());
    let key = |name: &str, label: Label, context: Value, bytes: &[u8]| {
        let mut case =
            json!({"rule": "KEY-10", "root": hex(root.dangerous_bytes()), "key": hex(bytes)});
        case["label"] = json!(label.as_str());
        case["context_fields"] = context;
        ("kdf", format!("key-10-{name}"), case)
    };
    let generation = json!([1, hex(&GENERATION.nonce.0)]);
    let place = json!([hex(&VAULT.0), 1, hex(&GENERATION.nonce.0)]);
    let keyring = tree::keyring_key(&root, &VAULT, GENERATION);
    let identity = tree::identity_signing_key(&root, GENERATION);
    let kem = tree::identity_kem_secret(&root, GENERATION);
    cases.push(key("keyring", Label::Keyring, place, keyring.dangerous_bytes()));
    let seed = identity.dangerous_seed();
    cases.push(key("identity-sign", Label::IdentitySign, generation.clone(), seed));
    cases.push(key("identity-kem", Label::IdentityKem, generation, kem.dangerous_seed()));
    compare(cases);
}

fn passwords() -> Vec<(&'static str, String, Value)> {
    let typed = [
        ("spaces", "a\u{a0}b\u{3000}c"),
        ("decomposed", "cafe\u{301}"),
        ("hangul", "\u{1100}\u{1161}"),
        ("width", "\u{ff21}\u{fb01}"),
        ("joiner-after-virama", "\u{915}\u{94d}\u{200d}"),
        ("control-refused", "a\tb"),
        ("joiner-refused", "\u{1f468}\u{200d}\u{1f469}"),
        ("unassigned-refused", "\u{378}"),
        ("empty-refused", ""),
    ];
    let case = |(name, typed): (&str, &str)| {
        let normal = normalise(typed).ok();
        assert_eq!(normal.is_none(), name.ends_with("refused"), "{name}");
        let case = json!({
            "rule": "KEY-9", "typed": hex(typed.as_bytes()),
            "normal": normal.map(|normal| hex(normal.as_bytes())),
        });
        ("kdf", format!("key-9-{name}"), case)
    };
    typed.map(case).into()
}

/// SLT-4 to SLT-13.
#[test]
fn slot_vectors() {
    let Argon2Params { m_kib, t, p } = Argon2Params::FLOOR;
    let salt: [u8; 16] = bytes(16, 0x30).try_into().unwrap();
    let params = PasswordParams { memory_kib: m_kib, passes: t, lanes: p, salt };
    let key = SecretKey::from_slice(&bytes(16, 0x70)).unwrap();
    let secret = password_secret("correct horse", &key, &params, &VAULT, &SLOT).unwrap();
    let code = RecoveryCode::from_slice(&bytes(20, 0x90)).unwrap();
    let recovery = recovery_secret(&code, &VAULT, &SLOT);
    let place = |rule: &str, mut case: Value| {
        case["rule"] = json!(rule);
        case["vault"] = json!(hex(&VAULT.0));
        case["slot"] = json!(hex(&SLOT.0));
        case
    };
    let password = place(
        "SLT-5",
        json!({
            "password": "correct horse", "secret_key": hex(key.dangerous_bytes()), "salt": hex(&salt),
            "m_kib": m_kib, "t": t, "p": p, "slot_secret": hex(secret.dangerous_bytes()),
        }),
    );
    let recovered = place(
        "SLT-7",
        json!({
            "code": hex(code.dangerous_bytes()), "slot_secret": hex(recovery.dangerous_bytes()),
        }),
    );
    let slot = SlotSecrets::derive(&recovery, &VAULT, &SLOT);
    let public = slot.public();
    let keys = place(
        "SLT-8",
        json!({
            "slot_secret": hex(recovery.dangerous_bytes()),
            "kem_seed": hex(slot.kem.dangerous_seed()), "sign_seed": hex(slot.sign.dangerous_seed()),
            "kem_public": hex(public.kem.as_slice()), "sign_public": hex(&public.sign),
        }),
    );
    let random = bytes(64, 1);
    let root = RootKey::from_slice(&bytes(32, 0)).unwrap();
    let at = (&VAULT, &SLOT, GENERATION);
    let wrapped = wrap_to_slot(&root, &public.kem, at, &mut Scripted(random.clone())).unwrap();
    assert!(unwrap_from_slot(&slot, &public, at, &wrapped).unwrap().ct_eq(&root));
    let wrap = place(
        "SLT-10",
        json!({
            "kem_seed": hex(slot.kem.dangerous_seed()), "encapsulation_randomness": hex(&random),
            "generation": [1, hex(&GENERATION.nonce.0)], "root": hex(root.dangerous_bytes()),
            "wrapped": hex(&wrapped),
        }),
    );
    let cases = [
        ("slt-5-password", password),
        ("slt-7-recovery", recovered),
        ("slt-8-keys", keys),
        ("slt-10-wrap", wrap),
        ("slt-4-signed", signed()),
        (
            "slt-12-secret-key",
            json!({
                "rule": "SLT-12", "bytes": hex(key.dangerous_bytes()), "text": *key.to_text(),
            }),
        ),
        (
            "slt-12-recovery-code",
            json!({
                "rule": "SLT-12", "bytes": hex(code.dangerous_bytes()), "text": *code.to_text(),
            }),
        ),
    ];
    compare(cases.map(|(name, case)| ("slot", name.to_owned(), case)).into());
}

/// KEY-13 and SLT-11: from root key and second password to the key of an epoch.
#[test]
fn second_lock_vectors() {
    let Argon2Params { m_kib, t, p } = Argon2Params::FLOOR;
    let salt: [u8; 16] = bytes(16, 0x30).try_into().unwrap();
    let params = PasswordParams { memory_kib: m_kib, passes: t, lanes: p, salt };
    let root = RootKey::from_slice(&bytes(32, 0)).unwrap();
    let base = tree::second_lock_base(&root, &VAULT, GENERATION);
    let factor = second_factor("a second one", &params).unwrap();
    let secrets = SecondLockSecrets::derive(&base, &factor);
    let public = secrets.public();
    let keys = json!({
        "rule": "KEY-13", "root": hex(root.dangerous_bytes()), "vault": hex(&VAULT.0),
        "generation": [1, hex(&GENERATION.nonce.0)], "password": "a second one",
        "salt": hex(&salt), "m_kib": m_kib, "t": t, "p": p,
        "base": hex(base.dangerous_bytes()), "factor": hex(factor.dangerous_bytes()),
        "kem_seed": hex(secrets.kem.dangerous_seed()),
        "sign_seed": hex(secrets.sign.dangerous_seed()),
        "file_key": hex(secrets.file.dangerous_bytes()),
        "kem_public": hex(public.kem.as_slice()), "sign_public": hex(&public.sign),
    });
    let random = bytes(64, 1);
    let key = CollectionKey::from_slice(&bytes(32, 0x50)).unwrap();
    let collection = CollectionId([0x44; 16]);
    let place = (&VAULT, &collection, EpochId { counter: 2, nonce: Nonce16([0x55; 16]) });
    let wrapped =
        wrap_to_second_lock(&key, &public.kem, place, &mut Scripted(random.clone())).unwrap();
    assert!(unwrap_from_second_lock(&secrets.kem, place, &wrapped).unwrap().ct_eq(&key));
    let wrap = json!({
        "rule": "SLT-11", "vault": hex(&VAULT.0), "collection": hex(&collection.0),
        "epoch": [2, hex(&place.2.nonce.0)], "kem_seed": hex(secrets.kem.dangerous_seed()),
        "encapsulation_randomness": hex(&random), "key": hex(key.dangerous_bytes()),
        "wrapped": hex(&wrapped),
    });
    compare(vec![
        ("kdf", "key-13-second-lock".to_owned(), keys),
        ("slot", "slt-11-second-lock".to_owned(), wrap),
    ]);
}

/// PAI-1 to PAI-4: a code, its box, and the four messages of a pairing one after the other.
#[test]
fn pairing_vectors() {
    let code = PairingCode::from_slice(&bytes(16, 0x30)).unwrap();
    let offer = Offer { vault: VAULT, by: [0x44; 32], clock: 77, server: None };
    let sealed = bytes(48, 0x60);
    let messages: [(Step, Vec<u8>); 4] = [
        (Step::Offer, offer.to_bytes()),
        (Step::Answer, vec![0x81, 1]),
        (Step::Grant, Grant(Some(sealed)).to_bytes()),
        (Step::Done, Done.to_bytes()),
    ];
    let mut before = Transcript::NONE;
    let mut said = Vec::new();
    for (step, message) in messages {
        let random = bytes(32, 0xa0);
        let mut entropy = Scripted(random.clone());
        let sealed = code.seal((step, &before), &Raw(message.clone()), &mut entropy);
        assert_eq!(*code.open((step, &before), &sealed).unwrap(), message);
        said.push(json!({
            "step": step.code(), "transcript": hex(before.as_bytes()), "random": hex(&random),
            "message": hex(&message), "sealed": hex(&sealed),
        }));
        before = before.then(&sealed);
    }
    let case = json!({
        "rule": "PAI-4", "code": hex(code.dangerous_bytes()), "text": code.to_text().as_str(),
        "picture": code.to_picture().as_str(), "box": hex(&code.place().0), "messages": said,
    });
    compare(vec![("pairing", "pai-4-messages".to_owned(), case), granted()]);
}

/// Bytes that are encoded already.
struct Raw(Vec<u8>);

impl Encode for Raw {
    fn encode(&self, writer: &mut Writer) {
        writer.raw(&self.0);
    }
}

/// PAI-8.
fn granted() -> (&'static str, String, Value) {
    let own = DeviceKemSecret::from_seed(zeroize::Zeroizing::new([0x55; 32]));
    let by = DeviceSigningKey::from_seed(zeroize::Zeroizing::new([0x66; 32]));
    let code = PairingCode::from_slice(&bytes(16, 0x30)).unwrap();
    let before = Transcript::NONE.then(b"offer").then(b"answer");
    let (root, secret_key) = (bytes(32, 0), bytes(16, 0x50));
    let account = AccountName::parse("nora").unwrap();
    let (url, pin) = ("https://aura.example:8443".to_owned(), ServerKey(Hash([0x77; 32])));
    let given = Granted {
        roots: vec![(GENERATION, RootKey::from_slice(&root).unwrap())],
        secret_key: SecretKey::from_slice(&secret_key),
        head: (Incarnation([0x12; 8]), Position { number: 7, hash: Hash([0x13; 32]) }),
        servers: vec![PairedServer { url, account, pin }],
    };
    let (place, random) = (code.place(), bytes(64, 1));
    let mut entropy = Scripted(random.clone());
    let sealed = given.seal_to(&own.public_key(), (&place, &before), &by, &mut entropy).unwrap();
    let sender = by.verifying_key();
    assert!(Granted::open(&own, (&place, &before), &sender, &sealed).is_ok());
    let case = json!({
        "rule": "PAI-8", "box": hex(&place.0), "transcript": hex(before.as_bytes()),
        "kem_seed": hex(own.dangerous_seed()), "sender": hex(&sender), "root": hex(&root),
        "generation": [1, hex(&GENERATION.nonce.0)], "secret_key": hex(&secret_key),
        "head": [hex(&[0x12; 8]), 7, hex(&[0x13; 32])],
        "servers": [["https://aura.example:8443", "nora", hex(&[0x77; 32])]],
        "encapsulation_randomness": hex(&random), "sealed": hex(&sealed),
    });
    ("pairing", "pai-8-granted".to_owned(), case)
}

/// SLT-2 to SLT-4: info and inner signature.
fn signed() -> Value {
    let secret = GrantKemSecret::from_seed(zeroize::Zeroizing::new([0x55; 32]));
    let signer = DeviceSigningKey::from_seed(zeroize::Zeroizing::new([0x66; 32]));
    let info = Context::new(Label::WrapDevice).bytes(&bytes(3, 1));
    let random = bytes(64, 1);
    let mut entropy = Scripted(random.clone());
    let recipient = secret.public_key();
    let sealed = hpke::seal_signed(&recipient, &info, b"payload", &signer, &mut entropy).unwrap();
    let sender = signer.verifying_key();
    assert_eq!(**hpke::open_signed(&secret, &info, &sender, &sealed).unwrap(), *b"payload");
    json!({
        "rule": "SLT-4", "kem_seed": hex(secret.dangerous_seed()), "context": hex(&info.to_bytes()),
        "sign_seed": hex(signer.dangerous_seed()), "sender": hex(&sender),
        "payload": hex(b"payload"), "encapsulation_randomness": hex(&random), "sealed": hex(&sealed),
    })
}
