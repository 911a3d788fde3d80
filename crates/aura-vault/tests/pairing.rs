// SPDX-License-Identifier: MIT OR Apache-2.0
//! A new device comes in by a code, over a store that both reach: it has everything, needs neither password nor secret
//! key, and nobody between the two comes in, or gets between. Cases carry the ids of the attacks.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic is a failed test")]

mod support;

use std::sync::Arc;

use aura_crypto::kdf::Argon2Params;
use aura_crypto::key::{PairingCode, RecoveryCode, RootKey};
use aura_crypto::pairing::Granted;
use aura_crypto::sign::{DeviceSigningKey, LabelledSigner as _, TransportSigningKey};
use aura_crypto::slot::{SlotSecrets, recovery_secret, unwrap_from_slot};
use aura_protocol::auth::ServerKey;
use aura_protocol::authority::{Claim, Recipient, SignedStatement, Statement};
use aura_protocol::codec::{Decode as _, Encode as _, Extra};
use aura_protocol::head::Position;
use aura_protocol::id::{DeviceId, EpochId, Hash, Incarnation, Nonce16, VaultId};
use aura_protocol::label::Label;
use aura_protocol::log::Frontier;
use aura_protocol::pairing::{Answer, DeviceName, Grant, MessageError, Offer, Step, Transcript};
use aura_protocol::store::{LocalLog, Prover as _};
use aura_vault::device::{Device as Keys, DeviceFile};
use aura_vault::feed::{Commit, Pen};
use aura_vault::keyring::{Keyring, RootKeys};
use aura_vault::vault::{
    Admitted, Arriving, Entering, Kit, Locked, Loss, Newcomer, Offered, Pairing, PairingError,
    Vault, VaultError, read_roster,
};
use support::several::{Device, copied, first, join, reopened, sync};
use support::{Bench, PASSWORD, password};
use zeroize::Zeroizing;

const SECOND: &str = "a second one for what is nobody's business";

fn name() -> DeviceName {
    DeviceName::parse("Nora’s phone").unwrap()
}

/// The code as it is typed at the other device.
fn typed(pairing: &Pairing) -> PairingCode {
    PairingCode::parse(&pairing.code().to_text()).unwrap()
}

fn begin(bench: &Bench, laptop: &Device) -> (Pairing, Offered) {
    let pairing = laptop.vault.begin_pairing().unwrap();
    let offered = pairing.offer(None, (bench.environment().entropy)().as_mut());
    (pairing, offered)
}

fn answer(bench: &Bench, code: PairingCode, offered: &Offered) -> (Arriving, Vec<u8>) {
    let entropy = &mut (bench.environment().entropy)();
    Arriving::answer(code, offered.sealed(), (None, name()), entropy.as_mut()).unwrap()
}

/// Up to where the new device has what it needs.
fn let_in(bench: &Bench, laptop: &mut Device) -> (Admitted, Entering) {
    let (pairing, offered) = begin(bench, laptop);
    let (arriving, sealed) = answer(bench, typed(&pairing), &offered);
    let newcomer = pairing.answered(&offered, &sealed).unwrap();
    assert_eq!((newcomer.name(), newcomer.device()), (&name(), arriving.device()));
    let listed = laptop.vault.admit(newcomer, Vec::new()).unwrap();
    let admitted = laptop.vault.grant(listed).unwrap();
    let entering = arriving.granted(admitted.grant()).unwrap();
    (admitted, entering)
}

fn enter(
    bench: &Bench,
    folder: &str,
    from: &Device,
    entering: Entering,
) -> Result<Device, VaultError> {
    let (path, store) = copied(bench, folder, from);
    let log = Arc::clone(&store) as Arc<dyn LocalLog>;
    let vault = Vault::<Locked>::enter(&path, log, entering, bench.environment())?;
    Ok(Device { store, vault })
}

fn pairs(bench: &Bench, folder: &str, laptop: &mut Device) -> Device {
    let (admitted, entering) = let_in(bench, laptop);
    let done = entering.done((bench.environment().entropy)().as_mut());
    let phone = enter(bench, folder, laptop, entering).unwrap();
    admitted.has_come(&done).unwrap();
    phone
}

fn refused<T>(result: Result<T, VaultError>) -> PairingError {
    match result {
        Err(VaultError::Pairing(error)) => error,
        Err(error) => panic!("{error:?}"),
        Ok(_) => panic!("it was let in"),
    }
}

/// PAI-7, PAI-8, PAI-9: everything is there at once, what it writes counts at once, and the password opens it from then on.
#[test]
fn pai_9_a_device_that_comes_in_by_a_code_has_everything() {
    let (bench, mut laptop, _) = first();
    laptop.add("a", "written on the laptop");
    let mut phone = pairs(&bench, "phone", &mut laptop);
    assert_eq!(phone.finds("laptop"), 1);
    phone.add("b", "written on the phone");
    sync(&mut phone, &mut laptop);
    assert_eq!(laptop.finds("phone"), 1, "nobody has to confirm it");
    assert_eq!(laptop.state(), phone.state());
    assert!(laptop.vault.devices().iter().all(|device| device.is_confirmed));
    laptop.verify();
    phone.verify();
    let mut phone = reopened(&bench, phone);
    assert_eq!(phone.finds("laptop"), 1);
    // It is a device like any other: it lets the next one in.
    let mut tablet = pairs(&bench, "tablet", &mut phone);
    sync(&mut phone, &mut laptop);
    sync(&mut tablet, &mut laptop);
    assert_eq!(laptop.state(), tablet.state());
    assert_eq!(tablet.vault.devices().len(), 3);
    tablet.verify();
}

/// PAI-8: a vault whose root key was renewed is read from its beginning, and the second lock opens with its password.
#[test]
fn pai_8_every_root_key_comes_with_it_and_the_second_password_does_not() {
    let (bench, mut laptop, kit) = first();
    laptop.add("a", "of the first key");
    let phone = join(&bench, "phone", &laptop, (&support::several::recovery(&kit), None)).unwrap();
    let lost = phone.vault.devices().into_iter().find(|device| device.is_own).unwrap().device;
    sync(&mut laptop, &mut { phone });
    let password_text = Zeroizing::new(PASSWORD.to_owned());
    let loss = Loss { password: &password_text, cost: Argon2Params::FLOOR, recovery_code: None };
    laptop.vault.revoke_device(lost, &loss).unwrap().unwrap();
    laptop.vault.set_second(&password(PASSWORD), SECOND, loss.cost).unwrap();
    laptop.add("b", "of the second key");
    let tablet = pairs(&bench, "tablet", &mut laptop);
    assert_eq!((tablet.finds("first"), tablet.finds("second")), (1, 1));
    let tablet = reopened(&bench, tablet);
    assert!(matches!(tablet.vault.unlock_second(PASSWORD), Err(VaultError::SecondSecret)));
    tablet.vault.unlock_second(SECOND).unwrap();
    tablet.verify();
}

/// PAI-7, PAI-12: no is no. Nothing is listed, and the new device hears it.
#[test]
fn pai_7_a_device_that_nobody_wants_is_not_listed() {
    let (bench, laptop, _) = first();
    let (pairing, offered) = begin(&bench, &laptop);
    let (arriving, sealed) = answer(&bench, typed(&pairing), &offered);
    let newcomer = pairing.answered(&offered, &sealed).unwrap();
    let said = newcomer.refuse((bench.environment().entropy)().as_mut());
    assert!(matches!(arriving.granted(&said), Err(PairingError::Refused)));
    assert_eq!(laptop.vault.devices().len(), 1);
}

/// PAI-10, attack DEV-04: a code lets one device in. Who answers after another one, with the same code, is told
/// nothing that it could open.
#[test]
fn dev_04_a_second_device_with_the_same_code_gets_nothing() {
    let (bench, mut laptop, _) = first();
    let (pairing, offered) = begin(&bench, &laptop);
    let (code, again) = (typed(&pairing), typed(&pairing));
    let (arriving, sealed) = answer(&bench, code, &offered);
    let (late, _) = answer(&bench, again, &offered);
    let newcomer = pairing.answered(&offered, &sealed).unwrap();
    let listed = laptop.vault.admit(newcomer, Vec::new()).unwrap();
    let admitted = laptop.vault.grant(listed).unwrap();
    assert!(matches!(late.granted(admitted.grant()), Err(PairingError::Sealed)));
    assert!(arriving.granted(admitted.grant()).is_ok());
    assert_eq!(laptop.vault.devices().len(), 2);
}

/// PAI-10, attack DEV-04: one answer is read, under the code and after the offer of that very box. What was said in
/// another box, before, or back to whoever said it, is refused, and the code is gone with it.
#[test]
fn dev_04_what_is_said_elsewhere_is_no_answer() {
    let (bench, mut laptop, _) = first();
    for attack in ["another code", "another box", "again", "reflected", "altered", "cut off"] {
        let (pairing, offered) = begin(&bench, &laptop);
        let elsewhere = pairing.offer(None, (bench.environment().entropy)().as_mut());
        let (_, sealed) = answer(&bench, typed(&pairing), &offered);
        let mut altered = sealed.clone();
        altered[100] ^= 1;
        let before = {
            let (pairing, offered) = begin(&bench, &laptop);
            answer(&bench, typed(&pairing), &offered).1
        };
        let (offered, said) = match attack {
            "another code" => {
                let other = laptop.vault.begin_pairing().unwrap();
                // A stranger's own code in this box.
                let entropy = &mut (bench.environment().entropy)();
                let stranger = other.offer(None, entropy.as_mut());
                (&offered, answer(&bench, typed(&other), &stranger).1)
            }
            "another box" => (&elsewhere, sealed),
            "again" => (&offered, before),
            "reflected" => (&offered, offered.sealed().to_vec()),
            "altered" => (&offered, altered),
            _ => (&offered, sealed[..sealed.len() - 1].to_vec()),
        };
        let read = pairing.answered(offered, &said);
        assert_eq!(read.unwrap_err(), PairingError::Sealed, "{attack}");
    }
    assert_eq!(laptop.vault.devices().len(), 1);
    // Nor does the new device take its own words, or a grant for another answer, for a grant.
    let (admitted, _) = let_in(&bench, &mut laptop);
    let (pairing, offered) = begin(&bench, &laptop);
    for attack in 0..4 {
        let (arriving, sealed) = answer(&bench, typed(&pairing), &offered);
        let mut altered = admitted.grant().to_vec();
        altered[80] ^= 1;
        let said = [sealed, offered.sealed().to_vec(), admitted.grant().to_vec(), altered];
        assert!(matches!(arriving.granted(&said[attack]), Err(PairingError::Sealed)));
    }
    assert_eq!(admitted.has_come(admitted.grant()), Err(PairingError::Sealed));
}

/// PAI-5, attacks DEV-04 and DEV-13: at a server that shows another key than the one that the other device knows,
/// nothing is answered.
#[test]
fn pai_5_a_server_between_the_two_gets_no_answer() {
    let (bench, laptop, _) = first();
    let pairing = laptop.vault.begin_pairing().unwrap();
    let (known, other) = (ServerKey(Hash([1; 32])), ServerKey(Hash([2; 32])));
    let entropy = &mut (bench.environment().entropy)();
    let (at_server, in_folder) =
        (pairing.offer(Some(known), entropy.as_mut()), pairing.offer(None, entropy.as_mut()));
    let mut tries = |offered: &Offered, seen| {
        let code = typed(&pairing);
        let answered = Arriving::answer(code, offered.sealed(), (seen, name()), entropy.as_mut());
        answered.map(drop)
    };
    assert_eq!(tries(&at_server, Some(known)), Ok(()));
    assert_eq!(tries(&at_server, Some(other)), Err(PairingError::Server));
    assert_eq!(tries(&at_server, None), Err(PairingError::Server));
    assert_eq!(tries(&in_folder, Some(known)), Err(PairingError::Server));
}

/// PAI-6, attacks DEV-01, DEV-04 and DEV-06: whoever has the code and answers with anything but a new device's own
/// statement is refused, and nothing is listed.
#[test]
fn pai_6_an_answer_is_a_new_devices_own_statement() {
    let (bench, mut laptop, _) = first();
    let vault = laptop.vault.id();
    let entropy = &mut (bench.environment().entropy)();
    let keys = Keys::generate(entropy.as_mut());
    let other = Keys::generate(entropy.as_mut());
    let transport = TransportSigningKey::generate(entropy.as_mut());
    let public = keys.public(&transport);
    let one_key = {
        let mut same = public.clone();
        same.transport = same.sign;
        same
    };
    let statement = |vault, claim, clock| Statement {
        vault: Some(vault),
        claim,
        clock,
        extra: Extra::default(),
    };
    let signed = |statement: &Statement, by: &[&DeviceSigningKey]| {
        let payload = statement.to_bytes();
        let sign = |key: &&DeviceSigningKey| {
            (key.verifying_key(), key.sign(Label::SigStatement, &payload))
        };
        SignedStatement { signatures: by.iter().map(sign).collect(), payload: payload.clone() }
    };
    let mut tries = |make: &dyn Fn(u64) -> SignedStatement| -> Result<Newcomer, PairingError> {
        let (pairing, offered) = begin(&bench, &laptop);
        let code = typed(&pairing);
        let plain = code.open((Step::Offer, &Transcript::NONE), offered.sealed()).unwrap();
        let clock = Offer::from_bytes(&plain, 4096).unwrap().clock;
        let answer = Answer { add: make(clock), name: name() };
        let before = Transcript::NONE.then(offered.sealed());
        let sealed = code.seal((Step::Answer, &before), &answer, entropy.as_mut());
        pairing.answered(&offered, &sealed)
    };
    let add = || Claim::Add(public.clone());
    let own: &[&DeviceSigningKey] = &[&keys.sign];
    // One that only a later version would make sense of.
    let longer = |clock| {
        let mut payload = statement(vault, add(), clock).to_bytes();
        payload[0] += 1;
        payload.extend([0x18, 200, 1]);
        let signature = (keys.sign.verifying_key(), keys.sign.sign(Label::SigStatement, &payload));
        SignedStatement { payload, signatures: vec![signature] }
    };
    let wrong: [(&str, &dyn Fn(u64) -> SignedStatement); 8] = [
        ("a further member", &longer),
        ("another vault", &|clock| signed(&statement(VaultId([9; 32]), add(), clock), own)),
        ("another clock", &|clock| signed(&statement(vault, add(), clock + 1), own)),
        ("another claim", &|clock| {
            signed(&statement(vault, Claim::Confirm(DeviceId([1; 16])), clock), own)
        }),
        ("another's signature", &|clock| signed(&statement(vault, add(), clock), &[&other.sign])),
        ("two signatures", &|clock| {
            signed(&statement(vault, add(), clock), &[&keys.sign, &other.sign])
        }),
        ("no signature", &|clock| signed(&statement(vault, add(), clock), &[])),
        ("a signature of something else", &|clock| SignedStatement {
            payload: statement(vault, add(), clock).to_bytes(),
            ..signed(&statement(vault, add(), clock + 1), own)
        }),
    ];
    for (what, make) in wrong {
        let error = PairingError::Message(MessageError::Statement);
        assert_eq!(tries(make).unwrap_err(), error, "{what}");
    }
    let one_key =
        tries(&|clock| signed(&statement(vault, Claim::Add(one_key.clone()), clock), own));
    assert_eq!(one_key.unwrap_err(), PairingError::Message(MessageError::Keys));
    // To what is no key nothing could be told: found out before anybody is listed.
    let no_kem = {
        let mut no_kem = public.clone();
        no_kem.kem = Box::new([0xff; 1216]);
        no_kem
    };
    let no_kem = tries(&|clock| signed(&statement(vault, Claim::Add(no_kem.clone()), clock), own));
    assert_eq!(no_kem.unwrap_err(), PairingError::Message(MessageError::Keys));
    // One that is right is listed once.
    let right = |clock| signed(&statement(vault, add(), clock), own);
    let (newcomer, again) = (tries(&right).unwrap(), tries(&right).unwrap());
    laptop.vault.admit(newcomer, Vec::new()).unwrap();
    assert_eq!(refused(laptop.vault.admit(again, Vec::new())), PairingError::Listed);
    assert_eq!(laptop.vault.devices().len(), 2);
}

/// PAI-5, attack DEV-10: a device that waits lets nobody in, nor does one that was revoked.
#[test]
fn pai_5_a_device_that_does_not_count_pairs_nobody() {
    let (bench, mut laptop, kit) = first();
    let with = (&password(PASSWORD), Some(&kit.secret_key));
    let mut phone = join(&bench, "phone", &laptop, with).unwrap();
    assert_eq!(refused(phone.vault.begin_pairing()), PairingError::Waits);
    sync(&mut laptop, &mut phone);
    let id = laptop.vault.devices()[1].device;
    laptop.vault.confirm_device(id).unwrap();
    sync(&mut laptop, &mut phone);
    let (pairing, offered) = begin(&bench, &phone);
    let (_, sealed) = answer(&bench, typed(&pairing), &offered);
    let newcomer = pairing.answered(&offered, &sealed).unwrap();
    // It was revoked while the person thought about it.
    let lost = Zeroizing::new(PASSWORD.to_owned());
    let loss = Loss { password: &lost, cost: Argon2Params::FLOOR, recovery_code: None };
    laptop.vault.revoke_device(id, &loss).unwrap();
    sync(&mut phone, &mut laptop);
    assert!(matches!(phone.vault.admit(newcomer, Vec::new()), Err(VaultError::Authority(_))));
    assert_eq!(refused(phone.vault.begin_pairing()), PairingError::Waits);
    assert_eq!(phone.vault.devices().len(), 2);
}

/// PAI-9, attacks FRK-01 and KEY-11: a store that does not show what the other device has is waited for, and one that shows
/// another vault is refused. No file is made.
#[test]
fn pai_9_a_store_that_shows_less_is_not_believed() {
    let (bench, mut laptop, _) = first();
    let (pairing, offered) = begin(&bench, &laptop);
    let (arriving, sealed) = answer(&bench, typed(&pairing), &offered);
    let newcomer = pairing.answered(&offered, &sealed).unwrap();
    let (path, older) = copied(&bench, "phone", &laptop);
    let listed = laptop.vault.admit(newcomer, Vec::new()).unwrap();
    let admitted = laptop.vault.grant(listed).unwrap();
    let entering = arriving.granted(admitted.grant()).unwrap();
    assert_eq!(refused(entering.check(older.as_ref())), PairingError::Withheld);
    let (_, newer) = copied(&bench, "newer", &laptop);
    entering.check(newer.as_ref()).unwrap();
    let (_, stranger, _) = first();
    assert!(entering.check(stranger.store.as_ref()).is_err());
    let log = Arc::clone(&older) as Arc<dyn LocalLog>;
    let entered = Vault::<Locked>::enter(&path, log, entering, bench.environment());
    assert_eq!(refused(entered), PairingError::Withheld);
    let home = aura_vault::home::Home::new(&path);
    for file in [home.marker(), home.device_key(), home.secret_key(), home.transport_key()] {
        assert!(!file.exists(), "{}", file.display());
    }
}

/// Everything of the laptop's device, in the hands of somebody who has the code as well.
fn own_keys(laptop: &Device, kit: &Kit) -> (Keys, EpochId, Zeroizing<[u8; 32]>) {
    let roots = support::pair::roots(&laptop.vault, kit);
    let bytes = std::fs::read(laptop.vault.home().device_key()).unwrap();
    let own = DeviceFile::from_bytes(&bytes, 4096).unwrap();
    let own = own.open(laptop.vault.id(), &roots).unwrap();
    (own, roots.generation, Zeroizing::new(*roots.root.dangerous_bytes()))
}

/// PAI-9, attacks DEV-01, DEV-04 and KEY-05: who knows the code and plays the other device, without its keys or with other
/// root keys than the vault's, lets nobody into anything.
#[test]
fn dev_04_who_plays_the_other_device_is_found_out() {
    let (bench, mut laptop, kit) = first();
    laptop.add("a", "written on the laptop");
    let (own, generation, root) = own_keys(&laptop, &kit);
    let vault = laptop.vault.id();
    let entropy = &mut (bench.environment().entropy)();
    let stranger = Keys::generate(entropy.as_mut());
    let wrong = [
        "an unlisted device",
        "other root keys",
        "another generation",
        "an unlisted newcomer",
        "another head",
    ];
    for attack in wrong {
        let is_stranger = attack == "an unlisted device";
        let by = if is_stranger { &stranger.sign } else { &own.sign };
        let (pairing, offered) = begin(&bench, &laptop);
        let code = typed(&pairing);
        let offer = Offer { vault, by: by.verifying_key(), clock: 7, server: None };
        let played = code.seal((Step::Offer, &Transcript::NONE), &offer, entropy.as_mut());
        let sealed = if is_stranger { played.as_slice() } else { offered.sealed() };
        let with = (None, name());
        let answered = Arriving::answer(typed(&pairing), sealed, with, entropy.as_mut());
        let (arriving, said) = answered.unwrap();
        let before = Transcript::NONE.then(sealed);
        let plain = code.open((Step::Answer, &before), &said).unwrap();
        let before = before.then(&said);
        let add = Answer::from_bytes(&plain, 8192).unwrap().add.claim().unwrap().claim;
        let Claim::Add(keys) = add else { panic!("it lists a device") };
        if !attack.starts_with("an unlisted") {
            let newcomer = pairing.answered(&offered, &said).unwrap();
            laptop.vault.admit(newcomer, Vec::new()).unwrap();
        }
        let root = match attack {
            "other root keys" => RootKey::generate(entropy.as_mut()),
            _ => RootKey::from_bytes(root.clone()),
        };
        let generation = match attack {
            "another generation" => EpochId { counter: 1, nonce: Nonce16([9; 16]) },
            _ => generation,
        };
        let (roots, mut head) = (vec![(generation, root)], newest(&laptop, own.id()));
        if attack == "another head" {
            head.1.hash = Hash([9; 32]);
        }
        let granted = Granted { roots, secret_key: None, head, servers: Vec::new() };
        let place = code.place();
        let at = (&place, &before);
        let inner = granted.seal_to(&keys.kem, at, by, entropy.as_mut()).unwrap();
        let grant = code.seal((Step::Grant, &before), &Grant(Some(inner)), entropy.as_mut());
        let entering = arriving.granted(&grant).unwrap();
        let expected = if is_stranger { PairingError::Withheld } else { PairingError::Vault };
        assert_eq!(refused(entering.check(laptop.store.as_ref())), expected, "{attack}");
        assert_eq!(refused(enter(&bench, attack, &laptop, entering)), expected, "{attack}");
    }
}

fn newest(laptop: &Device, of: DeviceId) -> (Incarnation, Position) {
    let heads = LocalLog::heads(laptop.store.as_ref()).unwrap();
    let mut heads = heads.iter().map(|signed| (signed.claim().unwrap(), signed.hash()));
    let (head, hash) = heads.find(|(head, _)| head.device == of).unwrap();
    (head.incarnation, Position { number: head.number, hash })
}

/// PAI-9: what was handed over leads to the newest root key, or it is not taken: it would open nothing that is written now.
#[test]
fn pai_9_the_newest_root_key_is_among_them() {
    let (bench, mut laptop, kit) = first();
    let phone = join(&bench, "phone", &laptop, (&support::several::recovery(&kit), None)).unwrap();
    let lost = phone.vault.devices().into_iter().find(|device| device.is_own).unwrap().device;
    sync(&mut laptop, &mut { phone });
    let text = Zeroizing::new(PASSWORD.to_owned());
    let loss = Loss { password: &text, cost: Argon2Params::FLOOR, recovery_code: None };
    let older = support::pair::roots(&laptop.vault, &kit);
    let kit = laptop.vault.revoke_device(lost, &loss).unwrap().unwrap();
    let mut own = None;
    let code = RecoveryCode::parse(&kit.recovery_code).unwrap();
    let roots = all_roots(&laptop, &code);
    let bytes = std::fs::read(laptop.vault.home().device_key()).unwrap();
    for roots in &roots {
        let file = DeviceFile::from_bytes(&bytes, 4096).unwrap();
        own = file.open(laptop.vault.id(), roots).ok().or(own);
    }
    let own = own.unwrap();
    assert_eq!(roots.len(), 2);
    for has_newest in [true, false] {
        let (pairing, offered) = begin(&bench, &laptop);
        let code = typed(&pairing);
        let (arriving, said) = answer(&bench, typed(&pairing), &offered);
        let before = Transcript::NONE.then(offered.sealed()).then(&said);
        let newcomer = pairing.answered(&offered, &said).unwrap();
        let device = newcomer.device();
        laptop.vault.admit(newcomer, Vec::new()).unwrap();
        let keys = &laptop.vault.roster().device(device).unwrap().keys;
        let copy = |roots: &RootKeys| {
            let root = Zeroizing::new(*roots.root.dangerous_bytes());
            (roots.generation, RootKey::from_bytes(root))
        };
        let is_handed = |roots: &&RootKeys| has_newest || roots.generation == older.generation;
        let handed = roots.iter().filter(is_handed).map(copy).collect();
        let head = newest(&laptop, own.id());
        let granted = Granted { roots: handed, secret_key: None, head, servers: Vec::new() };
        let (place, entropy) = (code.place(), &mut (bench.environment().entropy)());
        let at = (&place, &before);
        let inner = granted.seal_to(&keys.kem, at, &own.sign, entropy.as_mut()).unwrap();
        let grant = code.seal((Step::Grant, &before), &Grant(Some(inner)), entropy.as_mut());
        let shown = arriving.granted(&grant).unwrap().check(laptop.store.as_ref());
        if has_newest {
            shown.unwrap();
        } else {
            assert_eq!(refused(shown), PairingError::Vault);
        }
    }
}

/// Every root key that a recovery code leads to.
fn all_roots(laptop: &Device, code: &RecoveryCode) -> Vec<RootKeys> {
    let (id, roster) = (laptop.vault.id(), laptop.vault.roster());
    let opened = roster.wraps().iter().filter_map(|(recipient, generation, sealed)| {
        let Recipient::Slot(slot) = recipient else { return None };
        let listed = roster.slots().get(slot)?;
        let secrets = SlotSecrets::derive(&recovery_secret(code, &id, slot), &id, slot);
        let root =
            unwrap_from_slot(&secrets, &listed.keys, (&id, slot, *generation), sealed).ok()?;
        Some(RootKeys::derive(root, id, *generation))
    });
    opened.collect()
}

/// Says something in the laptop's name, and nothing else: no new keys, no new epochs.
fn says(bench: &Bench, laptop: &Device, kit: &Kit, claim: Claim) {
    let vault = laptop.vault.id();
    let (own, ..) = own_keys(laptop, kit);
    let keyring = Keyring::new(vault, support::pair::roots(&laptop.vault, kit));
    let heads = LocalLog::heads(laptop.store.as_ref()).unwrap();
    let mut heads = heads.iter().map(|signed| signed.claim().unwrap());
    let head = heads.find(|head| head.device == own.id()).unwrap();
    let said =
        Statement { vault: Some(vault), claim, clock: head.clock + 1, extra: Extra::default() };
    let payload = said.to_bytes();
    let signature = (own.sign.verifying_key(), own.sign.sign(Label::SigStatement, &payload));
    let statements = vec![SignedStatement { payload, signatures: vec![signature] }];
    let mut pen = Pen::new(vault, own, Some(head), Frontier::new());
    let entropy = &mut (bench.environment().entropy)();
    let commit = Commit { statements, ..Commit::default() };
    pen.commit(&commit, &keyring, laptop.store.as_ref(), entropy.as_mut()).unwrap();
}

/// PAI-9, attack DEV-08: who was revoked before it came makes no file, whatever else holds.
#[test]
fn pai_9_who_was_revoked_before_it_came_does_not_come_in() {
    let (bench, mut laptop, kit) = first();
    let (_, entering) = let_in(&bench, &mut laptop);
    entering.check(laptop.store.as_ref()).unwrap();
    says(&bench, &laptop, &kit, Claim::Revoke { device: entering.device(), last: Vec::new() });
    assert_eq!(refused(entering.check(laptop.store.as_ref())), PairingError::Vault);
    assert_eq!(refused(enter(&bench, "phone", &laptop, entering)), PairingError::Vault);
}

/// PAI-9, attack DEV-08: nor does who was let in by a device that was revoked since, even where its statement stands.
#[test]
fn pai_9_who_a_lost_device_let_in_does_not_come_in() {
    let (bench, mut laptop, kit) = first();
    let mut tablet = pairs(&bench, "tablet", &mut laptop);
    let (_, entering) = let_in(&bench, &mut tablet);
    sync(&mut tablet, &mut laptop);
    entering.check(laptop.store.as_ref()).unwrap();
    let by = tablet.vault.devices().into_iter().find(|device| device.is_own).unwrap().device;
    let last = vec![newest(&tablet, by)];
    says(&bench, &laptop, &kit, Claim::Revoke { device: by, last });
    let (roster, _) = read_roster(laptop.store.as_ref(), laptop.vault.id()).unwrap();
    assert!(roster.device(entering.device()).unwrap().is_confirmed, "it is listed still");
    assert_eq!(refused(entering.check(laptop.store.as_ref())), PairingError::Vault);
    assert_eq!(refused(enter(&bench, "phone", &laptop, entering)), PairingError::Vault);
}

/// PAI-8: the new device proves itself to servers with the transport key that its statement lists.
#[test]
fn pai_8_the_transport_key_is_the_one_that_is_listed() {
    let (bench, mut laptop, _) = first();
    let (_, entering) = let_in(&bench, &mut laptop);
    let (device, public) = (entering.transport().device(), entering.transport().public());
    let listed = laptop.vault.roster().device(device).unwrap();
    assert_eq!((listed.keys.transport, device), (public, entering.device()));
    assert_eq!(entering.vault(), laptop.vault.id());
    assert!(entering.has_secret_key() && entering.servers().is_empty());
}
