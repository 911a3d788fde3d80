// SPDX-License-Identifier: MIT OR Apache-2.0
//! Signatures: one label each, and nothing but the strict profile (DEV-11).

use aura_protocol::codec::{CodecError, Decode, Encode, Reader};
use aura_protocol::head::Head;
use aura_protocol::id::Hash;
use aura_protocol::label::Label;
use aura_protocol::limits::HEAD_BYTES_MAX;
use aura_protocol::signed::{Signature, Signed, SignedError, is_key, message, verify, verify_raw};

use crate::sample::{LAPTOP, PHONE, cbor, head, public, published, sign, unhex};

const P: &str = "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f";

fn key(hex: &str) -> [u8; 32] {
    unhex(hex).try_into().unwrap()
}

/// SIG-1.
/// Attacks INT-15, DEV-05.
#[test]
fn a_signature_covers_label_length_and_payload() {
    let expected = [&b"aura/v1/sig/head\0\0\0\0\0\0\0\0\x02"[..], b"hi"].concat();
    assert_eq!(message(Label::SigHead, b"hi"), expected);
    let signature = sign(LAPTOP, Label::SigHead, b"hi");
    assert!(verify(&public(LAPTOP), Label::SigHead, b"hi", &signature).is_ok());
    for (seed, label, payload) in [
        (PHONE, Label::SigHead, &b"hi"[..]),
        (LAPTOP, Label::SigStatement, b"hi"),
        (LAPTOP, Label::SigHead, b"ho"),
        (LAPTOP, Label::SigHead, b"h"),
    ] {
        let verified = verify(&public(seed), label, payload, &signature);
        assert_eq!(verified, Err(SignedError::Signature));
    }
}

/// SIG-2, attack DEV-11: s + L is the same scalar to a lax reader.
#[test]
fn a_signature_has_one_form() {
    let order = unhex("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010");
    let mut signature = sign(LAPTOP, Label::SigHead, b"hi");
    let mut carry = 0;
    for (byte, add) in signature.0[32..].iter_mut().zip(order) {
        let sum = u16::from(*byte) + u16::from(add) + carry;
        (*byte, carry) = (sum.to_le_bytes()[0], sum >> 8);
    }
    assert!(verify(&public(LAPTOP), Label::SigHead, b"hi", &signature).is_err());
}

/// SIG-2, attack DEV-11: a key of small order verifies one signature for every message; y and y + p are one point.
#[test]
fn a_key_has_one_form_and_is_not_weak() {
    assert!(is_key(&public(LAPTOP)));
    let identity = key(&format!("01{}", "00".repeat(31)));
    assert!(!is_key(&identity));
    let mut forged = [0; 64];
    forged[0] = 1;
    for message in [&b"one"[..], b"two"] {
        assert!(verify_raw(&identity, message, &Signature(forged)).is_err());
    }
    for above in 0..19_u8 {
        let mut encoded = key(P);
        encoded[0] += above;
        assert!(!is_key(&encoded), "p + {above}");
    }
    // The largest y-coordinates below p that are on the curve are keys.
    let below = (1..32_u8).filter(|below| {
        let mut encoded = key(P);
        encoded[0] -= below;
        is_key(&encoded)
    });
    assert!(below.count() > 5);
}

/// SIG-2: keys near the largest coordinate are keys like others; only what is no smaller than p is none.
#[test]
fn a_key_near_the_border_is_a_key() {
    let near = |low, middle, high| {
        let mut key = [middle; 32];
        (key[0], key[31]) = (low, high);
        is_key(&key)
    };
    // About every second one is a point of the curve.
    let many = |high: fn(u8) -> u8, middle| {
        (0xed..=0xff).filter(|low| near(*low, middle, high(*low))).count()
    };
    assert!(many(|_| 0x7f, 0xfe) > 2, "below p in the middle");
    assert!(many(|_| 0x3f, 0xff) > 2, "below p at the end");
    assert!(
        (0..0xed).filter(|low| near(*low, 0xff, 0x7f)).count() > 60,
        "below p at the beginning"
    );
    assert_eq!(many(|_| 0x7f, 0xff), 0, "p and more");
    assert_eq!(many(|_| 0xff, 0xff), 0, "p and more, the other point");
}

/// SIG-2, attack DEV-11: what the published edge cases are, by their flags, decides.
#[test]
fn published_edge_cases_are_judged_strictly() {
    let Some(cases) = published("cctv/ed25519/ed25519vectors.json") else { return };
    let (mut accepted, mut refused) = (0, 0);
    for case in cases.as_array().unwrap() {
        let text = |name: &str| case[name].as_str().unwrap();
        let signature = Signature(unhex(text("sig")).try_into().unwrap());
        let is_accepted = verify_raw(&key(text("key")), text("msg").as_bytes(), &signature).is_ok();
        let flags = case["flags"].as_array().cloned().unwrap_or_default();
        // Only a low-order component beside a prime-order one, on both sides equal, passes.
        let is_fine = flags.iter().all(|flag| {
            matches!(flag.as_str(), Some("low_order_component_A" | "low_order_component_R"))
        });
        assert_eq!(is_accepted, is_fine, "case {}", case["number"]);
        if is_accepted { accepted += 1 } else { refused += 1 }
    }
    assert_eq!((accepted, refused), (43, 871));
}

/// SIG-3.
#[test]
fn a_value_is_verified_before_it_is_read() {
    let payload = head().to_bytes();
    let signature = sign(LAPTOP, Label::SigHead, &payload);
    let signed = Signed::<Head>::new(payload.clone(), signature);
    assert_eq!(signed.claim(), Ok(head()));
    assert!(signed.is_signed_by(&public(LAPTOP)) && !signed.is_signed_by(&public(PHONE)));
    let verified = signed.clone().verify(&public(LAPTOP)).unwrap();
    assert_eq!(verified.number, 3);
    assert_eq!(verified.signed().payload(), payload);
    assert_eq!(verified.into_value(), head());
    let other = signed.clone().verify(&public(PHONE)).unwrap_err();
    assert_eq!(other, SignedError::Signature);
    // Unreadable and unsigned: the signature is what is complained of.
    let junk = Signed::<Head>::new(vec![0xff], signature);
    assert_eq!(junk.verify(&public(LAPTOP)).unwrap_err(), SignedError::Signature);
    let payload = vec![0xff];
    let signature = sign(LAPTOP, Label::SigHead, &payload);
    let error = Signed::<Head>::new(payload, signature).verify(&public(LAPTOP)).unwrap_err();
    assert!(matches!(error, SignedError::Payload(_)));
    assert_eq!(format!("{signed:?}"), format!("Signed({} bytes)", head().to_bytes().len()));
}

/// SIG-4.
#[test]
fn the_hash_of_a_claim_does_not_depend_on_its_signature() {
    let one = Signed::<Head>::new(head().to_bytes(), Signature([1; 64]));
    let two = Signed::<Head>::new(head().to_bytes(), Signature([2; 64]));
    assert_ne!(one, two);
    assert_eq!(one.hash(), two.hash());
    assert_eq!(one.hash(), Hash::of(&[one.payload()]));
    assert_eq!(*one.signature(), Signature([1; 64]));
}

/// SIG-5.
#[test]
fn a_signed_value_has_one_form_and_a_largest_size() {
    let signed = Signed::<Head>::new(head().to_bytes(), Signature([1; 64]));
    let bytes = signed.to_bytes();
    assert_eq!(Signed::<Head>::decode(&mut Reader::new(&bytes)), Ok(signed));
    let of = |payload: usize, signature: usize| {
        let bytes = cbor(|w| _ = w.array(2).bytes(&vec![0; payload]).bytes(&vec![0; signature]));
        Signed::<Head>::decode(&mut Reader::new(&bytes)).map(drop)
    };
    assert_eq!(of(HEAD_BYTES_MAX, 64), Ok(()));
    assert_eq!(of(HEAD_BYTES_MAX + 1, 64), Err(CodecError::Bounds));
    assert_eq!(of(1, 63), Err(CodecError::Bounds));
    assert_eq!(of(1, 65), Err(CodecError::Bounds));
}
