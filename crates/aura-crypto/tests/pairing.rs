// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a pairing code opens and, more to the point, does not: whoever stands between two devices alters nothing.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::indexing_slicing,
    reason = "a test that cannot go on says so"
)]

mod fixture;

use aura_crypto::aead::OpenError;
use aura_crypto::code::CodeError;
use aura_crypto::hpke::{DeviceKemSecret, KemSecret as _};
use aura_crypto::key::{PairingCode, RootKey, SecretKey};
use aura_crypto::pairing::Granted;
use aura_crypto::sign::{DeviceSigningKey, LabelledSigner as _};
use aura_protocol::auth::{AccountName, ServerKey};
use aura_protocol::codec::{Decode as _, Encode};
use aura_protocol::head::Position;
use aura_protocol::id::{EpochId, Hash, Incarnation, Nonce16, VaultId};
use aura_protocol::limits::PAIRING_MESSAGE_BYTES_MAX;
use aura_protocol::pairing::{Done, Grant, Offer, PairedServer, Step, Transcript};
use fixture::Seeded;

fn code(seed: u64) -> PairingCode {
    PairingCode::generate(&mut Seeded::new(seed))
}

/// The four messages of a pairing, as they are sealed. What they say is of no matter here.
fn talk(code: &PairingCode) -> Vec<(Step, Transcript, Vec<u8>)> {
    let entropy = &mut Seeded::new(99);
    let mut before = Transcript::NONE;
    let mut said = Vec::new();
    for step in Step::ALL {
        let sealed = code.seal((step, &before), &Done, entropy);
        said.push((step, before, sealed.clone()));
        before = before.then(&sealed);
    }
    said
}

/// PAI-1: what is typed or pasted is what was shown, and a slip is told with its place.
#[test]
fn pai_1_codes_are_typed_or_pasted() {
    let code = code(1);
    let (text, picture) = (code.to_text(), code.to_picture());
    assert_eq!((text.len(), text.matches('-').count()), (34, 6));
    assert_eq!(*picture, format!("AURA-PAIR-1 {}", *text));
    let typed = [
        text.to_lowercase(),
        text.replace('-', " "),
        format!(" {} ", *picture),
        picture.to_lowercase(),
    ];
    for text in typed {
        assert!(PairingCode::parse(&text).unwrap().ct_eq(&code), "{text}");
    }
    let last = if text.ends_with('0') { "1" } else { "0" };
    let slip = format!("{}{last}", &text[..33]);
    assert_eq!(PairingCode::parse(&slip).unwrap_err(), CodeError::Group { group: 7 });
    for wrong in ["", "AURA-PAIR-1", "AURA-PAIR-2 0", &text[..33]] {
        assert!(PairingCode::parse(wrong).is_err(), "{wrong}");
    }
}

/// PAI-2: the box follows from the code, and the code not from the box; another code has another box.
#[test]
fn pai_2_a_box_is_a_codes_own() {
    assert_eq!(code(1).place(), code(1).place());
    assert_ne!(code(1).place(), code(2).place());
    assert_ne!(code(1).place().0, *code(1).dangerous_bytes());
}

/// PAI-3, PAI-4, attacks DEV-04 and DEV-05: a message opens under its code, at its step, after its past, and nowhere
/// else: what is played again, sent back, put before another or taken from another pairing is refused.
#[test]
fn dev_04_a_message_opens_in_its_place_alone() {
    let (own, other) = (code(1), code(2));
    let said = talk(&own);
    for (step, before, sealed) in &said {
        assert_eq!(*own.open((*step, before), sealed).unwrap(), Done.to_bytes());
        assert_eq!(other.open((*step, before), sealed), Err(OpenError), "another code");
        for (at, after, _) in &said {
            if at != step {
                assert_eq!(own.open((*at, before), sealed), Err(OpenError), "{step:?} as {at:?}");
                assert_eq!(
                    own.open((*step, after), sealed),
                    Err(OpenError),
                    "{step:?} after {at:?}"
                );
                assert_eq!(own.open((*at, after), sealed), Err(OpenError), "{step:?} for {at:?}");
            }
        }
    }
    // The same pairing once more has another past from its first message on.
    let again = own.seal((Step::Offer, &Transcript::NONE), &Done, &mut Seeded::new(98));
    let past = Transcript::NONE.then(&again);
    assert_eq!(own.open((Step::Answer, &past), &said[1].2), Err(OpenError));
}

/// PAI-4, attack DEV-04: not one bit can be altered, and nothing be cut off or added.
#[test]
fn dev_04_a_message_opens_whole_and_as_it_was() {
    let own = code(1);
    let (step, before, sealed) = talk(&own).swap_remove(1);
    for at in (0..sealed.len()).step_by(7).chain(0..80) {
        let mut altered = sealed.clone();
        altered[at] ^= 1 << (at % 8);
        assert_eq!(own.open((step, &before), &altered), Err(OpenError), "byte {at}");
    }
    for len in (0..sealed.len()).step_by(61).chain([sealed.len() - 1]) {
        assert_eq!(own.open((step, &before), &sealed[..len]), Err(OpenError), "{len} bytes");
    }
    let longer = [sealed.as_slice(), &[0]].concat();
    assert_eq!(own.open((step, &before), &longer), Err(OpenError));
    let long = vec![0; PAIRING_MESSAGE_BYTES_MAX + 1];
    assert_eq!(own.open((step, &before), &long), Err(OpenError));
}

/// PAI-4: what is said does not show in how long it is.
#[test]
fn pai_4_messages_are_of_one_length() {
    let own = code(1);
    let offer = Offer { vault: VaultId([1; 32]), by: [2; 32], clock: 7, server: None };
    let before = Transcript::NONE;
    let lens = [
        own.seal((Step::Offer, &before), &offer, &mut Seeded::new(1)).len(),
        own.seal((Step::Grant, &before), &Grant(None), &mut Seeded::new(1)).len(),
        own.seal((Step::Done, &before), &Done, &mut Seeded::new(1)).len(),
    ];
    assert_eq!(lens, [lens[0]; 3]);
}

fn granted(roots: usize, servers: usize) -> Granted {
    let roots = (1..=roots).map(|counter| {
        let counter = u32::try_from(counter).unwrap();
        let generation = EpochId { counter, nonce: Nonce16([9; 16]) };
        (generation, RootKey::generate(&mut Seeded::new(u64::from(counter))))
    });
    let server = PairedServer {
        url: format!("https://{}.example:8443", "a".repeat(253)),
        account: AccountName::parse(&"n".repeat(64)).unwrap(),
        pin: ServerKey(Hash([6; 32])),
    };
    Granted {
        roots: roots.collect(),
        secret_key: Some(SecretKey::generate(&mut Seeded::new(5))),
        head: (Incarnation([3; 8]), Position { number: 4, hash: Hash([4; 32]) }),
        servers: vec![server; servers],
    }
}

/// PAI-8, attacks DEV-04 and DEV-12: what is granted opens for the device that it was sealed to, at that point of
/// that pairing, if the device that made the offer sealed it. The code alone does not open it.
#[test]
fn dev_12_what_is_granted_is_for_one_device_from_one() {
    let own = DeviceKemSecret::generate(&mut Seeded::new(1));
    let by = DeviceSigningKey::generate(&mut Seeded::new(2));
    let (place, before) = (code(1).place(), Transcript::NONE.then(b"offer").then(b"answer"));
    let given = granted(2, 1);
    let seal =
        |by| given.seal_to(&own.public_key(), (&place, &before), by, &mut Seeded::new(3)).unwrap();
    let sealed = seal(&by);
    let open = |own: &DeviceKemSecret, place, before, by: &DeviceSigningKey| {
        Granted::open(own, (place, before), &by.verifying_key(), &sealed)
    };
    let opened = open(&own, &place, &before, &by).unwrap();
    assert_eq!((opened.head, &opened.servers), (given.head, &given.servers));
    assert!(opened.secret_key.unwrap().ct_eq(given.secret_key.as_ref().unwrap()));
    let same = |(a, b): (&(EpochId, RootKey), &(EpochId, RootKey))| a.0 == b.0 && a.1.ct_eq(&b.1);
    assert!(opened.roots.len() == 2 && opened.roots.iter().zip(&given.roots).all(same));

    let (stranger, elsewhere) = (DeviceKemSecret::generate(&mut Seeded::new(4)), code(2).place());
    let imposter = DeviceSigningKey::generate(&mut Seeded::new(5));
    assert!(open(&stranger, &place, &before, &by).is_err());
    assert!(open(&own, &elsewhere, &before, &by).is_err());
    assert!(open(&own, &place, &Transcript::NONE, &by).is_err());
    assert!(open(&own, &place, &before, &imposter).is_err());
    let forged = seal(&imposter);
    assert!(Granted::open(&own, (&place, &before), &by.verifying_key(), &forged).is_err());
}

/// PAI-8: as much as may be granted fits into a message, and more is refused.
#[test]
fn pai_8_the_largest_grant_fits() {
    let own = DeviceKemSecret::generate(&mut Seeded::new(1));
    let by = DeviceSigningKey::generate(&mut Seeded::new(2));
    let (code, before) = (code(1), Transcript::NONE);
    let place = code.place();
    let seal = |given: &Granted| {
        let at = (&place, &before);
        given.seal_to(&own.public_key(), at, &by, &mut Seeded::new(3)).unwrap()
    };
    let sealed = seal(&granted(128, 16));
    let message = code.seal((Step::Grant, &before), &Grant(Some(sealed)), &mut Seeded::new(4));
    assert!(message.len() <= PAIRING_MESSAGE_BYTES_MAX, "{}", message.len());
    let plain = code.open((Step::Grant, &before), &message).unwrap();
    let Grant(Some(sealed)) = Grant::from_bytes(&plain, PAIRING_MESSAGE_BYTES_MAX).unwrap() else {
        panic!("it was granted")
    };
    let open =
        |sealed: &[u8]| Granted::open(&own, (&code.place(), &before), &by.verifying_key(), sealed);
    assert_eq!(open(&sealed).unwrap().roots.len(), 128);
    for many in [granted(129, 0), granted(1, 17), granted(0, 0)] {
        assert!(open(&seal(&many)).is_err());
    }
}

/// KEY-2: what holds secrets says nothing.
#[test]
fn what_is_granted_is_redacted() {
    assert_eq!(format!("{:?}", granted(1, 1)), "Granted(redacted)");
}
