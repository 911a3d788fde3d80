// SPDX-License-Identifier: MIT OR Apache-2.0
//! A device is lost: another one revokes it, and from then on it neither writes nor reads what counts. All others
//! follow by themselves. Cases carry the ids of the attacks.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic is a failed test")]

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;

use aura_crypto::kdf::Argon2Params;
use aura_protocol::authority::Recipient;
use aura_protocol::head::Position;
use aura_protocol::id::{CollectionId, DeviceId, FeedId};
use aura_protocol::store::{Access, LocalLog};
use aura_store::local::LocalStore;
use aura_store::replicate::{Mark, replicate};
use aura_vault::vault::{Kit, Loss, Vault, VaultError};
use support::altered::{Altered, Harm};
use support::several::{Device, first, join, recovery, reopened, sync};
use support::{Bench, PASSWORD, START_MS, owner, password};
use zeroize::Zeroizing;

const SECOND: &str = "a second one for what is nobody's business";

fn own(device: &Device) -> DeviceId {
    device.vault.devices().into_iter().find(|device| device.is_own).unwrap().device
}

fn revoke(by: &mut Device, lost: DeviceId) -> Result<Option<Kit>, VaultError> {
    let password = Zeroizing::new(PASSWORD.to_owned());
    let loss = Loss { password: &password, cost: Argon2Params::FLOOR, recovery_code: None };
    by.vault.revoke_device(lost, &loss)
}

fn revoke_with(by: &mut Device, lost: DeviceId, kit: &Kit) -> Result<Option<Kit>, VaultError> {
    let password = Zeroizing::new(PASSWORD.to_owned());
    let code = Some(&kit.recovery_code);
    let loss = Loss { password: &password, cost: Argon2Params::FLOOR, recovery_code: code };
    by.vault.revoke_device(lost, &loss)
}

/// What one has, to the other; who was revoked is refused, and that accuses nobody.
fn meet(a: &mut Device, b: &mut Device) {
    let access = Access::Vault(a.vault.id());
    let done =
        pollster::block_on(replicate(a.store.as_ref(), b.store.as_ref(), &access, &Mark::new()));
    assert!(done.stopped.is_none(), "{done:?}");
    a.vault.take_in().unwrap();
    b.vault.take_in().unwrap();
}

/// A laptop, a phone and a tablet that know each other.
fn three() -> (Bench, [Device; 3], Kit) {
    let (bench, mut laptop, kit) = first();
    laptop.add("a", "written on the laptop");
    let mut phone =
        join(&bench, "phone", &laptop, (&recovery(&kit), Some(&kit.secret_key))).unwrap();
    sync(&mut laptop, &mut phone);
    let mut tablet =
        join(&bench, "tablet", &laptop, (&recovery(&kit), Some(&kit.secret_key))).unwrap();
    sync(&mut laptop, &mut tablet);
    sync(&mut laptop, &mut phone);
    (bench, [laptop, phone, tablet], kit)
}

fn secret_key(device: &Device) -> String {
    fs::read_to_string(device.vault.home().secret_key()).unwrap().trim().to_owned()
}

/// Attacks DEV-01, KEY-09, KEY-12: what a lost device wrote until then stays; what it writes later counts nowhere; what
/// is written later it cannot read, nor can whoever has the old kit. The others follow by themselves.
#[test]
fn dev_01_a_lost_device_is_out_and_the_others_go_on() {
    let (bench, [mut laptop, mut phone, mut tablet], kit) = three();
    phone.add("b", "from the phone, before");
    meet(&mut laptop, &mut phone);
    let lost = own(&phone);
    let fresh = revoke(&mut laptop, lost).unwrap().unwrap();
    assert_ne!(*fresh.secret_key, *kit.secret_key);
    assert_eq!(secret_key(&laptop), *fresh.secret_key);
    assert!(matches!(revoke(&mut laptop, lost), Err(VaultError::Revoked)));
    laptop.add("c", "a secret after the loss");
    phone.add("d", "written by the thief");
    meet(&mut laptop, &mut phone);
    meet(&mut laptop, &mut tablet);
    for device in [&laptop, &tablet] {
        assert_eq!((device.finds("before"), device.finds("thief")), (1, 0));
        assert_eq!(device.finds("secret"), 1);
        device.verify();
    }
    assert_eq!(laptop.state(), tablet.state());
    assert_eq!(phone.finds("secret"), 0, "it is sealed under keys that it has not");
    // It keeps what it has, says so, and writes no more.
    let refused = phone.session().add(&support::note("e", "e", "too late")).unwrap_err();
    assert!(refused.to_string().contains("revoked"), "{refused}");
    assert!(phone.session().status().unwrap().is_revoked);
    assert_eq!(phone.finds("thief"), 1);
    let phone = reopened(&bench, phone);
    assert_eq!((phone.finds("laptop"), phone.finds("secret")), (1, 0));
    // The tablet has the new secret key, and opens with the same password.
    assert_eq!(secret_key(&tablet), *fresh.secret_key);
    let mut tablet = reopened(&bench, tablet);
    tablet.add("f", "from the tablet, after");
    meet(&mut laptop, &mut tablet);
    assert_eq!(laptop.finds("tablet"), 1);
    // The old kit opens nothing any more, the new one everything.
    drop(tablet.vault.lock());
    let with = (&recovery(&kit), None);
    assert!(matches!(join(&bench, "old", &laptop, with), Err(VaultError::Secret)));
    let old = kit.secret_key.clone();
    let with = (&password(PASSWORD), Some(&old));
    assert!(matches!(join(&bench, "stolen", &laptop, with), Err(VaultError::Secret)));
    let new = join(&bench, "new", &laptop, (&recovery(&fresh), Some(&fresh.secret_key))).unwrap();
    assert_eq!((new.finds("secret"), new.finds("before"), new.finds("thief")), (1, 1, 0));
    assert_eq!(new.state(), laptop.state());
    let rebuilt = laptop.state();
    laptop.session().rebuild().unwrap();
    assert_eq!(laptop.state(), rebuilt);
}

/// KRG-11, attack KEY-09: a new root key is sealed to the new slots and to the devices that count, and to nobody else: not to
/// the lost one, nor to one that waits.
#[test]
fn key_09_a_new_root_key_is_for_whoever_counts() {
    let (bench, [mut laptop, phone, tablet], kit) = three();
    let mut guest =
        join(&bench, "guest", &laptop, (&password(PASSWORD), Some(&kit.secret_key))).unwrap();
    meet(&mut laptop, &mut guest);
    assert_eq!(laptop.vault.devices().iter().filter(|device| !device.is_confirmed).count(), 1);
    let lost = own(&phone);
    revoke(&mut laptop, lost).unwrap().unwrap();
    let roster = laptop.vault.roster();
    let (newest, _) = roster.identity();
    let of_newest = roster.wraps().iter().filter(|(_, generation, _)| *generation == newest);
    let to: Vec<Recipient> = of_newest.map(|(to, ..)| *to).collect();
    let slots = roster.slots().keys().map(|slot| Recipient::Slot(*slot));
    let devices = [own(&laptop), own(&tablet)].map(Recipient::Device);
    let expected: Vec<Recipient> = slots.chain(devices).collect();
    assert_eq!((to.len(), expected.len()), (4, 4), "{to:?}");
    assert!(expected.iter().all(|one| to.contains(one)), "{to:?} {expected:?}");
}

/// DIR-15: a device that was shut while all slots were replaced opens with the password that it always had, and with no
/// other one, though its copy of the secret key is the old one.
#[test]
fn dir_15_a_device_that_was_shut_follows_when_it_is_opened() {
    let (bench, [mut laptop, phone, tablet], kit) = three();
    let lost = own(&phone);
    drop(tablet.vault.lock());
    let fresh = revoke(&mut laptop, lost).unwrap().unwrap();
    laptop.add("c", "a secret after the loss");
    let access = Access::Vault(laptop.vault.id());
    let done = pollster::block_on(replicate(
        tablet.store.as_ref(),
        laptop.store.as_ref(),
        &access,
        &Mark::new(),
    ));
    assert_eq!(done.findings, []);
    let home = bench.dir.path().join("tablet");
    let log = Arc::clone(&tablet.store) as Arc<dyn LocalLog>;
    let load = || Vault::load(&home, Arc::clone(&log)).unwrap();
    for wrong in [password("not the password"), recovery(&kit)] {
        let refused = load().unlock(&wrong, bench.environment());
        assert!(matches!(refused, Err((_, VaultError::Secret))));
    }
    let opened = load().unlock(&password(PASSWORD), bench.environment());
    let vault = opened.map_err(|(_, error)| error).unwrap();
    let tablet = Device { store: Arc::clone(&tablet.store), vault };
    assert_eq!(tablet.finds("secret"), 1);
    assert_eq!(secret_key(&tablet), *fresh.secret_key);
    assert_eq!(tablet.state(), laptop.state());
    tablet.verify();
    let mut tablet = reopened(&bench, tablet);
    // And when the password is changed there, the others need nothing but it.
    let changed = "another password, chosen on the tablet";
    tablet.vault.change_password(&password(PASSWORD), changed, Argon2Params::FLOOR).unwrap();
    meet(&mut laptop, &mut tablet);
    drop(laptop.vault.lock());
    let log = Arc::clone(&laptop.store) as Arc<dyn LocalLog>;
    let load = || Vault::load(&bench.home(), Arc::clone(&log)).unwrap();
    assert!(load().unlock(&password(PASSWORD), bench.environment()).is_err());
    assert!(load().unlock(&password(changed), bench.environment()).is_ok());
}

/// Faults F-22, F-23: cut short anywhere after the log has it, or before, the password opens the vault: what the files lack is
/// made up for.
#[test]
fn f_23_cut_short_anywhere_the_password_opens_the_vault() {
    let names = ["secret.key", "device.key", "keyring"];
    // `secret.key` is replaced before `device.key`.
    for kept in (0..8u8).filter(|kept| kept & 3 != 1) {
        let (bench, [mut laptop, phone, _], _) = three();
        let home = laptop.vault.home().path().to_owned();
        let before: Vec<_> = names.iter().map(|name| fs::read(home.join(name)).unwrap()).collect();
        let lost = own(&phone);
        let fresh = revoke(&mut laptop, lost).unwrap().unwrap();
        laptop.add("c", "after");
        drop(laptop.vault.lock());
        for (at, (name, bytes)) in names.iter().zip(&before).enumerate() {
            if kept & (1 << at) != 0 {
                fs::write(home.join(name), bytes).unwrap();
            }
        }
        let log = Arc::clone(&laptop.store) as Arc<dyn LocalLog>;
        let vault = Vault::load(&home, log).unwrap();
        let opened = vault.unlock(&password(PASSWORD), bench.environment());
        let vault = opened.map_err(|(_, error)| error).unwrap();
        let laptop = Device { store: laptop.store, vault };
        assert_eq!((laptop.finds("after"), laptop.finds("laptop")), (1, 1), "{kept}");
        assert_eq!(secret_key(&laptop), *fresh.secret_key);
        laptop.add("d", "and it writes on");
        laptop.verify();
    }
}

/// AUT-9, attack KEY-09: no revoke of the device itself, of one that nobody knows, without the password, or while others
/// have seen what is not here.
#[test]
fn aut_9_what_is_no_revoke_changes_nothing() {
    let (_bench, [mut laptop, mut phone, mut tablet], kit) = three();
    let entries = laptop.session().status().unwrap().entries;
    let itself = own(&laptop);
    assert!(matches!(revoke(&mut laptop, itself), Err(VaultError::OwnDevice)));
    assert!(matches!(revoke(&mut laptop, DeviceId([9; 16])), Err(VaultError::Authority(_))));
    let wrong = Zeroizing::new("not the password".to_owned());
    let loss = Loss { password: &wrong, cost: Argon2Params::FLOOR, recovery_code: None };
    let lost = own(&phone);
    assert!(matches!(laptop.vault.revoke_device(lost, &loss), Err(VaultError::Secret)));
    // Nor with the code and a password that was mistyped: it would be the new one.
    let loss = Loss { recovery_code: Some(&kit.recovery_code), ..loss };
    assert!(matches!(laptop.vault.revoke_device(lost, &loss), Err(VaultError::Secret)));
    // The tablet has seen something of the phone that the laptop has not.
    phone.add("b", "on its way");
    meet(&mut tablet, &mut phone);
    tablet.add("c", "from the tablet");
    let access = Access::Vault(laptop.vault.id());
    let last = {
        let heads = LocalLog::heads(tablet.store.as_ref()).unwrap();
        let of_tablet = own(&tablet);
        heads.into_iter().find(|head| head.claim().unwrap().device == of_tablet).unwrap()
    };
    let claim = last.claim().unwrap();
    let mut entries_of_tablet = Vec::new();
    for (collection, at) in &claim.feeds {
        let feed = claim.feed(*collection);
        let read = LocalLog::read(tablet.store.as_ref(), feed, 0, 1000).unwrap();
        assert_eq!(read.len() as u64, at.number);
        entries_of_tablet.extend(read);
    }
    let pushed = aura_protocol::store::BlindStore::push(
        laptop.store.as_ref(),
        &access,
        &last,
        &entries_of_tablet,
    );
    assert_eq!(pollster::block_on(pushed).unwrap().missing, []);
    laptop.vault.take_in().unwrap();
    assert!(matches!(revoke(&mut laptop, lost), Err(VaultError::Behind)));
    assert!(laptop.vault.devices().iter().all(|device| !device.is_revoked));
    assert!(laptop.session().status().unwrap().entries >= entries);
    // Whoever has the code is held up by nobody.
    revoke_with(&mut laptop, lost, &kit).unwrap().unwrap();
    assert!(laptop.vault.devices().iter().any(|device| device.is_revoked));
}

/// AUT-18: the founding device is stolen, and its thief revokes the others first. The recovery code puts it right.
#[test]
fn aut_18_the_recovery_code_wins_against_a_stolen_founder() {
    let (_bench, [mut laptop, mut phone, mut tablet], kit) = three();
    let (stolen, mine) = (own(&laptop), own(&phone));
    revoke(&mut laptop, mine).unwrap().unwrap();
    meet(&mut phone, &mut laptop);
    assert!(phone.session().status().unwrap().is_revoked);
    assert!(revoke(&mut phone, stolen).is_err(), "the thief's device was there before");
    let fresh = revoke_with(&mut phone, stolen, &kit).unwrap().unwrap();
    phone.add("z", "it writes again");
    meet(&mut phone, &mut tablet);
    for device in [&phone, &tablet] {
        let told = device.vault.devices();
        let is_revoked = |id| told.iter().any(|device| device.device == id && device.is_revoked);
        assert!(is_revoked(stolen) && !is_revoked(mine));
        assert_eq!(device.finds("again"), 1);
    }
    assert_eq!(secret_key(&tablet), *fresh.secret_key);
    meet(&mut laptop, &mut phone);
    assert_eq!(laptop.finds("again"), 0);
}

/// KRG-8: what is behind the second lock gets new keys, too, while that is shut; the second password opens it all.
#[test]
fn krg_8_the_second_lock_stays_shut_and_gets_new_keys() {
    let (bench, mut laptop, kit) = first();
    laptop.vault.set_second(&password(PASSWORD), SECOND, Argon2Params::FLOOR).unwrap();
    let login = |id: &str| aura_vault::record::Draft {
        kind: aura_vault::record::Kind::Login,
        category: aura_vault::record::Kind::Login.category(),
        ..support::note(id, id, "behind the lock")
    };
    laptop.session().add(&login("otter")).unwrap();
    let mut phone =
        join(&bench, "phone", &laptop, (&recovery(&kit), Some(&kit.secret_key))).unwrap();
    sync(&mut laptop, &mut phone);
    laptop.vault.lock_second().unwrap();
    let lost = own(&phone);
    revoke(&mut laptop, lost).unwrap().unwrap();
    let mut laptop = reopened(&bench, laptop);
    laptop.vault.unlock_second(SECOND).unwrap();
    laptop.session().add(&login("wombat")).unwrap();
    assert_eq!((laptop.finds("otter"), laptop.finds("wombat")), (1, 1));
    for (feed, at) in laptop.store.feeds().unwrap() {
        let last = LocalLog::entry(laptop.store.as_ref(), feed, at.number).unwrap();
        let is_sealed = last.header().epoch.counter > 0;
        let was_written = feed.device == own(&laptop) && at.number > 1;
        assert!(!(is_sealed && was_written) || last.header().epoch.counter >= 2, "{feed:?}");
    }
    laptop.verify();
    meet(&mut laptop, &mut phone);
    phone.vault.unlock_second(SECOND).ok();
    assert_eq!(phone.finds("wombat"), 0);
}

/// REP-15, attacks DEV-01, DEV-08: who met what the thief wrote before they heard of the revoke come to the same as all
/// others.
#[test]
fn rep_15_what_was_applied_too_early_is_taken_back() {
    let (bench, [mut laptop, mut phone, mut tablet], _) = three();
    let lost = own(&phone);
    // The tablet meets the thief first.
    phone.add("t", "written by the thief");
    meet(&mut tablet, &mut phone);
    assert_eq!(tablet.finds("thief"), 1);
    revoke(&mut laptop, lost).unwrap().unwrap();
    meet(&mut tablet, &mut laptop);
    // What the laptop holds of the phone is what counts, and it hands it on.
    assert_eq!((tablet.finds("thief"), laptop.finds("thief")), (0, 0));
    assert_eq!(tablet.state(), laptop.state());
    tablet.verify();
    let tablet = reopened(&bench, tablet);
    assert_eq!(tablet.finds("thief"), 0);
    tablet.session().rebuild().unwrap();
    assert_eq!(tablet.state(), laptop.state());
}

/// REP-15: what a revoked device wrote beyond what counts may be anything, and a check has nothing to say of it; of what
/// counts it has.
#[test]
fn what_a_revoked_device_wrote_too_late_is_no_fault_of_the_vault() {
    let (bench, [mut laptop, mut phone, mut tablet], _) = three();
    let lost = own(&phone);
    phone.add("b", "from the phone, before");
    meet(&mut laptop, &mut phone);
    let counted: BTreeMap<FeedId, u64> =
        laptop.store.feeds().unwrap().into_iter().map(|(feed, at)| (feed, at.number)).collect();
    phone.add("t", "written by the thief");
    phone.add("u", "and more");
    meet(&mut tablet, &mut phone);
    revoke(&mut laptop, lost).unwrap().unwrap();
    meet(&mut tablet, &mut laptop);
    tablet.verify();
    let home = tablet.vault.home().clone();
    let late = |(feed, at): (FeedId, Position)| {
        let counted = *counted.get(&feed)?;
        let is_late = feed.device == lost && counted > 0 && counted < at.number;
        (is_late && feed.collection != CollectionId::AUTHORITY).then_some((feed, counted))
    };
    let late: Vec<_> = tablet.store.feeds().unwrap().into_iter().filter_map(late).collect();
    assert!(!late.is_empty());
    drop((tablet.vault.lock(), tablet.store));
    for (feed, counted) in late {
        for (number, is_told) in [(counted, true), (counted + 1, false)] {
            let store = LocalStore::open(&home.store(), Box::new(|| START_MS)).unwrap();
            let log = Arc::new(Altered::new(store, (feed, number), Harm::Byte(9)));
            let vault = Vault::load(home.path(), Arc::clone(&log) as Arc<dyn LocalLog>).unwrap();
            let opened = vault.unlock(&password(PASSWORD), bench.environment());
            let vault = opened.map_err(|(_, error)| error).unwrap();
            log.begin();
            let problems = owner(&vault).verify(&mut |_| {}).unwrap().problems;
            let told = format!(": entry {number}: it does not open");
            let found = problems.iter().any(|problem| problem.contains(&told));
            assert_eq!(found, is_told, "{feed:?} {number} {problems:?}");
        }
    }
}

/// AUT-25: who had joined with a recovery code that is replaced stays what it was.
#[test]
fn aut_25_a_new_kit_takes_no_device_away() {
    let (_bench, [mut laptop, mut phone, _], _) = three();
    laptop.vault.renew_recovery_code(&password(PASSWORD)).unwrap();
    meet(&mut laptop, &mut phone);
    for device in [&laptop, &phone] {
        assert!(device.vault.devices().iter().all(|device| device.is_confirmed));
        device.verify();
    }
    phone.add("b", "still counts");
    meet(&mut laptop, &mut phone);
    assert_eq!(laptop.finds("counts"), 1);
}
