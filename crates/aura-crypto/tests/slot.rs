// SPDX-License-Identifier: MIT OR Apache-2.0
//! Key slots, wraps, typed codes and passwords from the outside (spec/key-slots.md, spec/keys.md).
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::cast_possible_truncation,
    reason = "a test that cannot go on says so"
)]

mod fixture;

use aura_crypto::aead::{Context, OpenError};
use aura_crypto::code::CodeError;
use aura_crypto::hpke::{
    self, DeviceKemSecret, GrantKemSecret, KemSecret as _, SecondLockKemSecret,
};
use aura_crypto::kdf::{Argon2Params, KdfError, stretch};
use aura_crypto::key::{CollectionKey, RecoveryCode, RootKey, SecondLockBase, SecretKey};
use aura_crypto::password::{PASSWORD_BYTES_MAX, PasswordError, normalise};
use aura_crypto::sign::{DeviceSigningKey, LabelledSigner as _};
use aura_crypto::slot::{
    SecondLockSecrets, SlotError, SlotSecrets, password_params, password_secret, recovery_secret,
    second_factor, unwrap_from_device, unwrap_from_second_lock, unwrap_from_slot, wrap_to_device,
    wrap_to_second_lock, wrap_to_slot,
};
use aura_crypto::tree;
use aura_crypto::words::passphrase;
use aura_protocol::authority::PasswordParams;
use aura_protocol::id::{CollectionId, DeviceId, EpochId, Nonce16, SlotId, VaultId};
use aura_protocol::label::Label;
use fixture::{Seeded, hex};
use proptest::prelude::*;

const VAULT: VaultId = VaultId([1; 32]);
const SLOT: SlotId = SlotId([2; 16]);
const GENERATION: EpochId = EpochId { counter: 1, nonce: Nonce16([3; 16]) };

fn root() -> RootKey {
    RootKey::from_slice(&[4; 32]).unwrap()
}

fn recovery_slot(code: u8) -> SlotSecrets {
    let code = RecoveryCode::from_slice(&[code; 20]).unwrap();
    SlotSecrets::derive(&recovery_secret(&code, &VAULT, &SLOT), &VAULT, &SLOT)
}

/// KEY-7, attack KEY-01: what is outside the bounds is refused before any memory is taken. The
/// middle case asks for 4 TiB, which this would not survive otherwise.
#[test]
fn key_01_parameters_outside_the_bounds_are_refused() {
    let Argon2Params { m_kib, t, p } = Argon2Params::DEFAULT;
    let refused = [
        (8, 1, 1),
        (Argon2Params::FLOOR.m_kib - 1, t, p),
        (m_kib, Argon2Params::FLOOR.t - 1, p),
        (m_kib, t, Argon2Params::FLOOR.p - 1),
        (Argon2Params::CEILING.m_kib + 1, t, p),
        (m_kib, Argon2Params::CEILING.t + 1, p),
        (m_kib, t, Argon2Params::CEILING.p + 1),
        (u32::MAX, t, p),
        (m_kib, u32::MAX, p),
        (m_kib, t, u32::MAX),
        (0, 0, 0),
    ];
    let key = SecretKey::from_slice(&[5; 16]).unwrap();
    for (m_kib, t, p) in refused {
        let params = Argon2Params { m_kib, t, p };
        assert_eq!(stretch(b"password", &[0; 16], params).err(), Some(KdfError::Params));
        let listed = PasswordParams { memory_kib: m_kib, passes: t, lanes: p, salt: [0; 16] };
        let secret = password_secret("password", &key, &listed, &VAULT, &SLOT);
        assert_eq!(secret.err(), Some(SlotError::Kdf(KdfError::Params)));
    }
    for params in [Argon2Params::DEFAULT, Argon2Params::FLOOR, Argon2Params::CEILING] {
        assert_eq!(params.check(), Ok(params));
    }
}

/// SLT-5: password, secret key, salt, costs, vault and slot all determine a password slot's secret.
#[test]
fn password_slot_depends_on_all_its_inputs() {
    let floor = Argon2Params::FLOOR;
    let params = password_params(floor, &mut Seeded::new(1));
    let key = |byte| SecretKey::from_slice(&[byte; 16]).unwrap();
    let secret = |password: &str, byte, params: &PasswordParams, vault: &VaultId, slot: &SlotId| {
        let secret = password_secret(password, &key(byte), params, vault, slot).unwrap();
        hex(secret.dangerous_bytes())
    };
    let usual = secret("correct horse", 5, &params, &VAULT, &SLOT);
    let salted = password_params(floor, &mut Seeded::new(2));
    let dearer = PasswordParams { lanes: 5, ..params };
    let others = [
        secret("correct horsf", 5, &params, &VAULT, &SLOT),
        secret("correct horse", 6, &params, &VAULT, &SLOT),
        secret("correct horse", 5, &salted, &VAULT, &SLOT),
        secret("correct horse", 5, &dearer, &VAULT, &SLOT),
        secret("correct horse", 5, &params, &VaultId([9; 32]), &SLOT),
        secret("correct horse", 5, &params, &VAULT, &SlotId([9; 16])),
    ];
    assert!(!others.contains(&usual));
    assert_eq!(usual, secret("correct\u{3000}horse", 5, &params, &VAULT, &SLOT));
}

/// Attack KEY-04: flip any bit of a wrapped key: always the same error.
#[test]
fn key_04_altered_wrap_is_refused() {
    let slot = recovery_slot(1);
    let (listed, place) = (slot.public(), (&VAULT, &SLOT, GENERATION));
    let mut wrapped = wrap_to_slot(&root(), &listed.kem, place, &mut Seeded::new(1)).unwrap();
    assert!(unwrap_from_slot(&slot, &listed, place, &wrapped).unwrap().ct_eq(&root()));
    for at in 0..wrapped.len() {
        wrapped[at] ^= 1 << (at % 8);
        let error = unwrap_from_slot(&slot, &listed, place, &wrapped).err();
        assert_eq!(error, Some(OpenError), "byte {at}");
        wrapped[at] ^= 1 << (at % 8);
    }
    for cut in [0, 1, hpke::ENCAPSULATED, wrapped.len() - 1] {
        assert!(unwrap_from_slot(&slot, &listed, place, &wrapped[..cut]).is_err());
    }
    wrapped.push(0);
    assert!(unwrap_from_slot(&slot, &listed, place, &wrapped).is_err());
}

/// SLT-10: a wrap opens for its own vault, slot and generation only, and never as another kind.
#[test]
fn wraps_open_in_their_place_only() {
    let (slot, mut entropy) = (recovery_slot(1), Seeded::new(2));
    let listed = slot.public();
    let wrapped =
        wrap_to_slot(&root(), &listed.kem, (&VAULT, &SLOT, GENERATION), &mut entropy).unwrap();
    let (vault, other) = (VaultId([9; 32]), SlotId([9; 16]));
    let later = EpochId { counter: 2, ..GENERATION };
    let renamed = EpochId { nonce: Nonce16([9; 16]), ..GENERATION };
    for place in [
        (&vault, &SLOT, GENERATION),
        (&VAULT, &other, GENERATION),
        (&VAULT, &SLOT, later),
        (&VAULT, &SLOT, renamed),
    ] {
        assert!(unwrap_from_slot(&slot, &listed, place, &wrapped).is_err());
    }
    let device = DeviceKemSecret::from_seed(zeroize::Zeroizing::new(*slot.kem.dangerous_seed()));
    let place = (&VAULT, &DeviceId(SLOT.0), GENERATION);
    assert!(unwrap_from_device(&device, place, &wrapped).is_err(), "a slot's wrap is no device's");
    let to_device = wrap_to_device(&root(), &device.public_key(), place, &mut entropy).unwrap();
    assert!(unwrap_from_device(&device, place, &to_device).unwrap().ct_eq(&root()));

    let lock = SecondLockKemSecret::generate(&mut entropy);
    let key = CollectionKey::generate(&mut entropy);
    let place = (&VAULT, &CollectionId([6; 16]), GENERATION);
    let sealed = wrap_to_second_lock(&key, &lock.public_key(), place, &mut entropy).unwrap();
    assert!(unwrap_from_second_lock(&lock, place, &sealed).unwrap().ct_eq(&key));
    let elsewhere = (&VAULT, &CollectionId([7; 16]), GENERATION);
    assert!(unwrap_from_second_lock(&lock, elsewhere, &sealed).is_err());
}

/// KEY-13: neither half alone determines a key of the second lock, a wrong second password does not
/// have the listed keys, and one that is out of bounds costs nothing.
#[test]
fn second_lock_needs_both_halves() {
    let params = PasswordParams { memory_kib: 65_536, passes: 3, lanes: 4, salt: [5; 16] };
    let factor = |word: &str| second_factor(word, &params).unwrap();
    let (base, other) = (
        tree::second_lock_base(&root(), &VAULT, GENERATION),
        SecondLockBase::from_slice(&[9; 32]).unwrap(),
    );
    let secrets = SecondLockSecrets::derive(&base, &factor("second"));
    let listed = secrets.public();
    assert!(secrets.check(&listed).is_ok());
    assert!(SecondLockSecrets::derive(&base, &factor("Second")).check(&listed).is_err());
    assert!(SecondLockSecrets::derive(&other, &factor("second")).check(&listed).is_err());
    let mut mixed = secrets.public();
    mixed.sign = [1; 32];
    assert!(secrets.check(&mixed).is_err());
    assert_ne!(secrets.kem.dangerous_seed(), secrets.file.dangerous_bytes());
    assert_ne!(secrets.kem.dangerous_seed(), secrets.sign.dangerous_seed());
    let dear = PasswordParams { memory_kib: u32::MAX, ..params };
    assert!(matches!(second_factor("second", &dear), Err(SlotError::Kdf(_))));
}

/// SLT-9, attack KEY-06: a secret whose public halves are not the listed ones opens nothing, even what
/// was wrapped to it: one slot cannot be made to open under several passwords.
#[test]
fn key_06_slot_opens_under_the_listed_secret_only() {
    let (mine, theirs) = (recovery_slot(1), recovery_slot(2));
    let place = (&VAULT, &SLOT, GENERATION);
    let to_theirs =
        wrap_to_slot(&root(), &theirs.public().kem, place, &mut Seeded::new(1)).unwrap();
    // Opens by itself: only the comparison with the listed keys stands in the way.
    assert!(unwrap_from_slot(&theirs, &theirs.public(), place, &to_theirs).is_ok());
    assert!(unwrap_from_slot(&theirs, &mine.public(), place, &to_theirs).is_err());
    let mut mixed = theirs.public();
    mixed.sign = mine.public().sign;
    assert!(unwrap_from_slot(&theirs, &mixed, place, &to_theirs).is_err());
}

/// Attack DEV-12: what is sealed with a signature inside names its sender, its recipient and its purpose.
#[test]
fn dev_12_sender_cannot_be_stripped_replaced_or_forwarded() {
    let mut entropy = Seeded::new(1);
    let (sender, thief) =
        (DeviceSigningKey::generate(&mut entropy), DeviceSigningKey::generate(&mut entropy));
    let (mine, third) =
        (GrantKemSecret::generate(&mut entropy), GrantKemSecret::generate(&mut entropy));
    let info = || Context::new(Label::WrapDevice).bytes(&VAULT.0);
    let sealed =
        hpke::seal_signed(&mine.public_key(), &info(), b"key", &sender, &mut entropy).unwrap();
    let from = sender.verifying_key();
    assert_eq!(**hpke::open_signed(&mine, &info(), &from, &sealed).unwrap(), *b"key");
    // Replaced: another sender, or none.
    assert!(hpke::open_signed(&mine, &info(), &thief.verifying_key(), &sealed).is_err());
    let anonymous = hpke::seal_to(&mine.public_key(), &info(), b"key", &mut entropy).unwrap();
    assert!(hpke::open_signed(&mine, &info(), &from, &anonymous).is_err());
    // Another purpose, another form.
    assert!(hpke::open_signed(&mine, &info().uint(1), &from, &sealed).is_err());
    assert!(hpke::open(&mine, &info(), &sealed).is_err());
    // Forwarded: the recipient opens it and seals the very signature and payload to a third party.
    // Both forms differ in their info, so the attacker's own implementation is imitated: even then
    // the signature names the first recipient.
    let forged = forward_with_own_hpke(&mine, &third, &info(), &sealed);
    assert!(hpke::open_signed(&third, &info(), &from, &forged).is_err());
}

/// What a dishonest recipient would do: open with the inner signature left in place, seal again.
fn forward_with_own_hpke(
    mine: &GrantKemSecret,
    third: &GrantKemSecret,
    info: &Context,
    sealed: &[u8],
) -> Vec<u8> {
    use ::hpke::{Deserializable as _, Serializable as _};
    use aura_protocol::codec::Writer;
    use aura_protocol::id::Hash;
    type Suite = (::hpke::aead::ChaCha20Poly1305, ::hpke::kdf::HkdfSha256, ::hpke::kem::XWing);
    type Kem = <Suite as Third>::Kem;
    let signed_info = |key: &[u8]| {
        let mut writer = Writer::new();
        writer.array(3).raw(&info.to_bytes()).uint(1).bytes(Hash::of(&[key]).as_bytes());
        writer.into_bytes()
    };
    let secret = <Kem as ::hpke::Kem>::PrivateKey::from_bytes(mine.dangerous_seed()).unwrap();
    let (encapsulated, ciphertext) = sealed.split_at(hpke::ENCAPSULATED);
    let plain = ::hpke::single_shot_open::<<Suite as Third>::Aead, <Suite as Third>::Kdf, Kem>(
        &::hpke::OpModeR::Base,
        &secret,
        &<Kem as ::hpke::Kem>::EncappedKey::from_bytes(encapsulated).unwrap(),
        &signed_info(mine.public_key().as_slice()),
        ciphertext,
        &[],
    )
    .unwrap();
    assert_eq!(plain.len(), 64 + 3, "signature and payload");
    let to = third.public_key();
    let (enc, ct) =
        ::hpke::single_shot_seal_with_rng::<<Suite as Third>::Aead, <Suite as Third>::Kdf, Kem>(
            &::hpke::OpModeS::Base,
            &<Kem as ::hpke::Kem>::PublicKey::from_bytes(to.as_slice()).unwrap(),
            &signed_info(to.as_slice()),
            &plain,
            &[],
            &mut Counter(0),
        )
        .unwrap();
    [enc.to_bytes().as_slice(), &ct].concat()
}

trait Third {
    type Aead;
    type Kdf;
    type Kem;
}

impl<A, B, C> Third for (A, B, C) {
    type Aead = A;
    type Kdf = B;
    type Kem = C;
}

struct Counter(u8);

impl rand_core::TryRng for Counter {
    type Error = std::convert::Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        Ok(0)
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        Ok(0)
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Self::Error> {
        self.0 += 1;
        bytes.fill(self.0);
        Ok(())
    }
}

impl rand_core::TryCryptoRng for Counter {}

/// KEY-9, attack KEY-14: composed and decomposed, other spaces, emoji, Hangul: one password each; what
/// cannot be seen is refused; nothing is cut off.
#[test]
fn key_14_passwords_are_normalised() {
    let same = [
        ("caf\u{e9}", "cafe\u{301}"),
        ("a\u{a0}b", "a b"),
        ("a\u{3000}b\u{2003}c", "a b c"),
        ("\u{ac00}", "\u{1100}\u{1161}"),
        ("\u{212b}ngstrom", "\u{c5}ngstrom"),
        ("\u{1f511}\u{1f60a}", "\u{1f511}\u{1f60a}"),
    ];
    for (one, two) in same {
        assert_eq!(*normalise(one).unwrap(), *normalise(two).unwrap(), "{one}");
    }
    let different = [("Password", "password"), ("\u{ff21}", "A"), ("a ", "a"), ("\u{fb01}", "fi")];
    for (one, two) in different {
        assert_ne!(*normalise(one).unwrap(), *normalise(two).unwrap(), "{one}");
    }
    let hidden = [
        "a\0b",
        "tab\t",
        "soft\u{ad}hyphen",
        "\u{200b}",
        "\u{feff}x",
        "a\u{202e}b",
        "x\u{7f}",
        "\u{2764}\u{fe0f}",
        "\u{1f468}\u{200d}\u{1f469}",
        "\u{378}",
        "\u{e000}",
        "\u{fffe}",
        "\u{e0041}",
        "\u{1100}",
    ];
    for password in hidden {
        assert_eq!(normalise(password).err(), Some(PasswordError::Character), "{password:?}");
    }
    assert!(normalise("\u{915}\u{94d}\u{200d}\u{937}").is_ok(), "a joiner after a virama shows");
    assert_eq!(normalise("").err(), Some(PasswordError::Empty));
    // The 73rd byte counts (bcrypt's trap), and the last of 1024.
    for len in [73, PASSWORD_BYTES_MAX] {
        let (mut one, two) = ("a".repeat(len), "a".repeat(len));
        one.replace_range(len - 1.., "b");
        assert_ne!(*normalise(&one).unwrap(), *normalise(&two).unwrap());
        assert_eq!(normalise(&two).unwrap().len(), len);
    }
    for len in [PASSWORD_BYTES_MAX + 1, 10_000_000] {
        assert_eq!(normalise(&"a".repeat(len)).err(), Some(PasswordError::TooLong));
    }
    assert!(normalise(&"e\u{301}".repeat(PASSWORD_BYTES_MAX / 2)).is_ok(), "long before NFC only");
}

/// SLT-12 to SLT-15: printed and typed again, however it is typed.
#[test]
fn codes_are_read_tolerantly() {
    let key = SecretKey::from_slice(&(0..16).collect::<Vec<u8>>()).unwrap();
    let text = key.to_text();
    assert_eq!(text.len(), 28 + 6);
    for typed in [
        text.to_lowercase(),
        text.replace('-', ""),
        text.replace('-', " "),
        text.replace('-', " \u{2013} "),
        text.replace('0', "O").replace('1', "l"),
        text.replace('0', "o").replace('1', "I"),
        format!("  {}\n", *text),
    ] {
        assert!(SecretKey::parse(&typed).unwrap().ct_eq(&key), "{typed}");
    }
    assert_eq!(SecretKey::parse("AXRA").err(), Some(CodeError::Length { expected: 28, found: 4 }));
    assert_eq!(SecretKey::parse("AAAA AUAA").err(), Some(CodeError::Character { group: 2 }));
    let long = "A".repeat(1000);
    assert!(matches!(SecretKey::parse(&long), Err(CodeError::Length { expected: 28, .. })));
    let code = RecoveryCode::from_slice(&[0xff; 20]).unwrap();
    assert_eq!(code.to_text().len(), 36 + 8);
    assert!(RecoveryCode::parse(&code.to_text()).unwrap().ct_eq(&code));
}

/// SLT-14: spare bits are zero, so that no second text stands for the same secret.
#[test]
fn secret_key_with_spare_bits_is_refused() {
    // All symbols zero but the last data symbol, whose low two bits are spare, with right checks.
    let mut refused = 0;
    for symbols in ["1", "2", "3"] {
        for a in "0123456789ABCDEFGHJKMNPQRSTVWXYZ".chars() {
            for b in "0123456789ABCDEFGHJKMNPQRSTVWXYZ".chars() {
                let typed = format!("{}{symbols}{a}{b}", "0".repeat(25));
                assert!(SecretKey::parse(&typed).is_err());
                refused += usize::from(SecretKey::parse(&typed).err() == Some(CodeError::Check));
            }
        }
    }
    assert!(refused >= 3);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// SLT-13: any one wrong character is found, and its group named.
    #[test]
    fn one_wrong_character_names_its_group(bytes: [u8; 20], at in 0usize..36, other in 0usize..32) {
        let alphabet: Vec<char> = "0123456789ABCDEFGHJKMNPQRSTVWXYZ".chars().collect();
        let code = RecoveryCode::from_slice(&bytes).unwrap();
        let mut typed: Vec<char> = code.to_text().chars().filter(|&c| c != '-').collect();
        if typed[at] != alphabet[other] {
            typed[at] = alphabet[other];
            let typed: String = typed.into_iter().collect();
            prop_assert_eq!(
                RecoveryCode::parse(&typed).err(),
                Some(CodeError::Group { group: at / 4 + 1 })
            );
        }
        let at = at % 28;
        let key = SecretKey::from_slice(&bytes[..16]).unwrap();
        let mut typed: Vec<char> = key.to_text().chars().filter(|&c| c != '-').collect();
        if typed[at] != alphabet[other] {
            typed[at] = alphabet[other];
            let typed: String = typed.into_iter().collect();
            prop_assert_eq!(
                SecretKey::parse(&typed).err(),
                Some(CodeError::Group { group: at / 4 + 1 })
            );
        }
    }

    /// SLT-13: two neighbours swapped are always found.
    #[test]
    fn swapped_neighbours_are_refused(bytes: [u8; 20], at in 0usize..35) {
        let code = RecoveryCode::from_slice(&bytes).unwrap();
        let mut typed: Vec<char> = code.to_text().chars().filter(|&c| c != '-').collect();
        if typed[at] != typed[at + 1] {
            typed.swap(at, at + 1);
            prop_assert!(RecoveryCode::parse(&typed.into_iter().collect::<String>()).is_err());
        }
    }

    /// SLT-12: whatever is typed, reading it does not panic.
    #[test]
    fn reading_noise_does_not_panic(text in ".{0,60}") {
        prop_assert!(SecretKey::parse(&text).is_err());
        prop_assert!(RecoveryCode::parse(&text).is_err());
        drop(normalise(&text));
    }
}

/// SLT-16: six words of the list, which has 2048, no two alike in their first four letters.
#[test]
fn passphrases_are_six_words_of_the_list() {
    let words: Vec<&str> = include_str!("../src/words.txt").lines().collect();
    assert_eq!(words.len(), 2048);
    let mut starts: Vec<&str> = words.iter().map(|word| &word[..4]).collect();
    starts.sort_unstable();
    starts.dedup();
    assert_eq!(starts.len(), 2048);
    assert!(words.iter().all(|word| {
        (4..=8).contains(&word.len()) && word.bytes().all(|c| c.is_ascii_lowercase())
    }));
    let mut entropy = Seeded::new(1);
    let (one, two) = (passphrase(&mut entropy), passphrase(&mut entropy));
    assert_ne!(*one, *two);
    assert!(one.split(' ').all(|word| words.contains(&word)));
    assert_eq!(one.split(' ').count(), 6);
    assert_eq!(*normalise(&one).unwrap(), *one);
}
