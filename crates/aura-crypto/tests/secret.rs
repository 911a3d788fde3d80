// SPDX-License-Identifier: MIT OR Apache-2.0
//! KEY-07 and rules KEY-1 to KEY-4: what a secret's type has and, more to the point, lacks.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::cast_possible_truncation,
    reason = "a test that cannot go on says so"
)]

mod fixture;

use aura_crypto::aead::{Context, Hedge, Opener, Sealer, seal};
use aura_crypto::hpke as kem;
use aura_crypto::key::{
    AttachmentKey, AuditKey, CollectionKey, DatabaseKey, DeviceFileKey, GrantSecret, HedgeKey,
    KeyringKey, ObjectKey, PairingCode, PairingKey, RecoveryCode, RootKey, SearchKey, SecondFactor,
    SecondFileKey, SecondLockBase, SecretKey, SlotSecret,
};
use aura_crypto::sign;
use aura_crypto::slot::SlotSecrets;
use aura_protocol::label::Label;
use fixture::Seeded;

/// Fails to compile if a type implements a trait that no secret may have: two impls would then fit.
macro_rules! lacks {
    ($type:ty: $($trait:path),*) => {$({
        trait Ambiguous<A> {
            fn ambiguous() {}
        }
        struct Has;
        impl<T: ?Sized> Ambiguous<()> for T {}
        impl<T: ?Sized + $trait> Ambiguous<Has> for T {}
        <$type as Ambiguous<_>>::ambiguous();
    })*};
}

macro_rules! secrets {
    ($($type:ty = $debug:literal,)*) => {
        /// KEY-2, KEY-3: each type's Debug is this very text, and it has none of these traits.
        #[test]
        fn secrets_are_redacted_and_bare() {
            $(
                let secret = <$type>::generate(&mut Seeded::new(1));
                assert_eq!(format!("{secret:?}"), $debug);
                assert_eq!(format!("{secret:#?}"), $debug);
                assert!(secret.ct_eq(&<$type>::generate(&mut Seeded::new(1))));
                assert!(!secret.ct_eq(&<$type>::generate(&mut Seeded::new(2))));
                lacks!($type: Clone, Copy, Default, PartialEq, Eq, std::hash::Hash);
                lacks!($type: std::fmt::Display, std::fmt::LowerHex, std::fmt::UpperHex);
                lacks!($type: AsRef<[u8]>, std::ops::Deref, ToString, serde::Serialize);
            )*
        }
    };
}

secrets! {
    RootKey = "RootKey(redacted)",
    KeyringKey = "KeyringKey(redacted)",
    CollectionKey = "CollectionKey(redacted)",
    ObjectKey = "ObjectKey(redacted)",
    AttachmentKey = "AttachmentKey(redacted)",
    SearchKey = "SearchKey(redacted)",
    DatabaseKey = "DatabaseKey(redacted)",
    AuditKey = "AuditKey(redacted)",
    DeviceFileKey = "DeviceFileKey(redacted)",
    HedgeKey = "HedgeKey(redacted)",
    GrantSecret = "GrantSecret(redacted)",
    SecretKey = "SecretKey(redacted)",
    RecoveryCode = "RecoveryCode(redacted)",
    SlotSecret = "SlotSecret(redacted)",
    PairingCode = "PairingCode(redacted)",
    PairingKey = "PairingKey(redacted)",
    SecondLockBase = "SecondLockBase(redacted)",
    SecondFactor = "SecondFactor(redacted)",
    SecondFileKey = "SecondFileKey(redacted)",
    sign::IdentitySigningKey = "IdentitySigningKey(redacted)",
    sign::DeviceSigningKey = "DeviceSigningKey(redacted)",
    sign::TransportSigningKey = "TransportSigningKey(redacted)",
    sign::SlotSigningKey = "SlotSigningKey(redacted)",
    sign::SecondFactorSigningKey = "SecondFactorSigningKey(redacted)",
    sign::LogSigningKey = "LogSigningKey(redacted)",
    sign::WitnessSigningKey = "WitnessSigningKey(redacted)",
    kem::SlotKemSecret = "SlotKemSecret(redacted)",
    kem::DeviceKemSecret = "DeviceKemSecret(redacted)",
    kem::IdentityKemSecret = "IdentityKemSecret(redacted)",
    kem::SecondLockKemSecret = "SecondLockKemSecret(redacted)",
    kem::GrantKemSecret = "GrantKemSecret(redacted)",
}

/// KEY-2: what holds secrets without being one says nothing either.
#[test]
fn holders_are_redacted() {
    let (key, hedge_key) =
        (ObjectKey::generate(&mut Seeded::new(1)), HedgeKey::generate(&mut Seeded::new(2)));
    let mut entropy = Seeded::new(3);
    let mut hedge = Hedge::new(&hedge_key, &mut entropy);
    let context = Context::new(Label::Chunk);
    let object = seal(&key, &context, &mut hedge, b"x");
    let opener = Opener::new(&key, &context, object.first_chunk().unwrap()).unwrap();
    assert_eq!(format!("{hedge:?}"), "Hedge(redacted)");
    assert_eq!(format!("{opener:?}"), "Opener(redacted)");
    let (sealer, _) = Sealer::new(&key, &context, &mut hedge);
    assert_eq!(format!("{sealer:?}"), "Sealer(redacted)");
    let slot = SlotSecrets {
        kem: kem::SlotKemSecret::generate(&mut Seeded::new(1)),
        sign: sign::SlotSigningKey::generate(&mut Seeded::new(1)),
    };
    assert_eq!(
        format!("{slot:?}"),
        "SlotSecrets { kem: SlotKemSecret(redacted), sign: SlotSigningKey(redacted) }"
    );
}

/// Attack KEY-07: keys of different purposes do not mix. Slow, as it builds the crate again: asked for by
/// `AURA_COMPILE_FAIL=1`.
#[test]
fn key_07_keys_do_not_mix() {
    if std::env::var_os("AURA_COMPILE_FAIL").is_none() {
        println!("skipped: AURA_COMPILE_FAIL is not set");
        return;
    }
    trybuild::TestCases::new().compile_fail("tests/compile-fail/*.rs");
}
