// SPDX-License-Identifier: MIT OR Apache-2.0
//! Several devices of one vault, each with a store of its own: what one writes reaches the others, and only
//! what counts is applied.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic is a failed test")]

mod support;

use std::path::Path;
use std::sync::Arc;

use aura_crypto::kdf::Argon2Params;
use aura_crypto::sign::LabelledSigner as _;
use aura_protocol::authority::SignedStatement;
use aura_protocol::codec::{Encode as _, Extra, Writer};
use aura_protocol::entry::{Entry, EntryHeader};
use aura_protocol::head::{Position, Seen};
use aura_protocol::id::{CollectionId, DeviceId, EpochId, FeedId, Nonce16};
use aura_protocol::label::Label;
use aura_protocol::limits::FORMAT_VERSION;
use aura_protocol::signed::Signed;
use aura_protocol::store::{Access, LocalLog};
use aura_store::local::LocalStore;
use aura_store::replicate::{Finding, Mark, common, replicate};
use aura_vault::feed::{Batch, Commit};
use aura_vault::home::Home;
use aura_vault::op::{Change, Op};
use aura_vault::vault::{Credential, Kit, Locked, Loss, Vault, VaultError};
use serde_json::json;
use support::several::{Device, first, join, recovery, reopened, sync};
use support::thief::Thief;
use support::{Bench, PASSWORD, START_MS, fields, note, password};
use zeroize::Zeroizing;

const SECOND: &str = "a second one for what is nobody's business";

#[test]
fn a_device_that_joins_with_the_recovery_code_has_everything_and_counts_at_once() {
    let (bench, mut laptop, kit) = first();
    let shared = laptop.add("a", "written on the laptop");
    let mut phone = join(&bench, "phone", &laptop, (&recovery(&kit), None)).unwrap();
    assert_eq!(phone.finds("laptop"), 1);
    phone.add("b", "written on the phone");
    sync(&mut laptop, &mut phone);
    assert_eq!((laptop.finds("phone"), phone.finds("laptop")), (1, 1));
    assert_eq!(laptop.state(), phone.state());

    // Both change one record before they meet again: nothing of either is lost.
    laptop.session().edit(shared, &fields(json!({"name": "from the laptop"})), &[]).unwrap();
    phone.session().edit(shared, &fields(json!({"text": "from the phone"})), &[]).unwrap();
    assert_ne!(laptop.state(), phone.state());
    sync(&mut phone, &mut laptop);
    assert_eq!(laptop.state(), phone.state());
    let record = laptop.session().get(shared).unwrap().unwrap();
    assert_eq!(
        (&record.fields["name"], &record.fields["text"]),
        (&json!("from the laptop"), &json!("from the phone"))
    );
    let state = laptop.state();
    laptop.vault.take_in().unwrap();
    assert_eq!(laptop.state(), state, "taking in twice changes nothing");
    laptop.verify();
    phone.verify();
}

/// AUT-7, AUT-8: whoever has password and secret key reads, but writes nothing that counts until another device
/// says so.
#[test]
fn a_device_that_joins_with_the_password_waits_until_it_is_confirmed() {
    let (bench, mut laptop, kit) = first();
    laptop.add("a", "written on the laptop");
    let secret_key = kit.secret_key.clone();
    let with = (&password(PASSWORD), Some(&secret_key));
    let mut phone = join(&bench, "phone", &laptop, with).unwrap();
    assert_eq!(phone.finds("laptop"), 1);
    let own = phone.add("b", "written on the phone");
    sync(&mut laptop, &mut phone);
    assert_eq!(laptop.finds("phone"), 0, "it is kept, and waits");
    let before = laptop.state();
    laptop.verify();
    laptop.session().rebuild().unwrap();
    assert_eq!(laptop.state(), before);

    let waiting = |device: &Device| {
        let devices = device.vault.devices();
        devices.into_iter().filter(|device| !device.is_confirmed).collect::<Vec<_>>()
    };
    let listed = waiting(&laptop);
    assert_eq!((listed.len(), waiting(&phone).len()), (1, 1));
    assert!(waiting(&phone)[0].is_own && !listed[0].is_own);
    // It cannot say so itself.
    let itself = phone.vault.confirm_device(listed[0].device);
    assert!(matches!(itself, Err(VaultError::Authority(_))), "{itself:?}");

    laptop.vault.confirm_device(listed[0].device).unwrap();
    assert_eq!(laptop.finds("phone"), 1);
    assert!(laptop.session().get(own).unwrap().is_some());
    sync(&mut phone, &mut laptop);
    assert_eq!(waiting(&phone), []);
    assert_eq!(laptop.state(), phone.state());
    laptop.verify();
    phone.verify();
}

/// HED-5: a head says what its device has seen of others, held and applied.
#[test]
fn heads_name_what_was_seen_of_others() {
    let (bench, mut laptop, kit) = first();
    let mut phone = join(&bench, "phone", &laptop, (&recovery(&kit), None)).unwrap();
    let secret_key = kit.secret_key.clone();
    let with = (&password(PASSWORD), Some(&secret_key));
    let mut guest = join(&bench, "guest", &laptop, with).unwrap();
    phone.add("b", "written on the phone");
    guest.add("c", "written by a guest");
    sync(&mut laptop, &mut phone);
    sync(&mut laptop, &mut guest);
    laptop.add("a", "written on the laptop");
    let heads = LocalLog::heads(laptop.store.as_ref()).unwrap();
    let own = laptop.vault.devices().into_iter().find(|device| device.is_own).unwrap().device;
    let head = heads.iter().map(|head| head.claim().unwrap()).find(|head| head.device == own);
    let seen = head.unwrap().seen;
    assert_eq!(seen.len(), 2);
    for Seen { device, held, applied, .. } in seen {
        let theirs = heads.iter().find(|head| head.claim().unwrap().device == device).unwrap();
        assert_eq!((held.number, held.hash), (theirs.claim().unwrap().number, theirs.hash()));
        let is_guest =
            guest.vault.devices().iter().any(|info| info.is_own && info.device == device);
        assert_eq!(applied.number, if is_guest { 0 } else { held.number });
    }
}

/// Attack DEV-09.
#[test]
fn a_wrong_secret_joins_nothing() {
    let (bench, laptop, kit) = first();
    let entries = laptop.session().status().unwrap().entries;
    let code = Credential::Recovery(Zeroizing::new("not a code".to_owned()));
    let other = Zeroizing::new(kit.secret_key.replace(char::is_numeric, "7"));
    let right = kit.secret_key.clone();
    let wrong = password("not the password");
    let tries = [(&code, None), (&wrong, Some(&right)), (&password(PASSWORD), Some(&other))];
    for (at, with) in tries.into_iter().enumerate() {
        let name = format!("try{at}");
        let joined = join(&bench, &name, &laptop, with);
        assert!(matches!(joined, Err(VaultError::Secret)), "{at}");
        let path = bench.dir.path().join(&name);
        assert!(matches!(Vault::<Locked>::identify(&path), Err(VaultError::Absent)));
        assert!(!path.join("secret.key").exists() && !path.join("device.key").exists());
    }
    let without = join(&bench, "without", &laptop, (&password(PASSWORD), None));
    assert!(matches!(without, Err(VaultError::Missing("secret.key"))));
    assert_eq!(laptop.session().status().unwrap().entries, entries);
    // Where there is a vault already, it stays.
    let environment = bench.environment();
    let log = Arc::clone(&laptop.store) as Arc<dyn LocalLog>;
    let again = Vault::<Locked>::join(
        &bench.home(),
        (laptop.vault.id(), log),
        (&recovery(&kit), None),
        &environment,
    );
    assert!(matches!(again, Err(VaultError::Exists)));
}

/// A device in the hands of a thief.
fn stolen(device: Device, kit: &Kit) -> Thief {
    Thief::of(device.store, device.vault, kit)
}

/// Everything that a thief has, to another device.
fn reaches(thief: &Thief, other: &mut Device) {
    let (local, remote) = (other.store.as_ref(), thief.store.as_ref());
    let access = Access::Vault(thief.vault);
    let done = pollster::block_on(replicate(local, remote, &access, &Mark::new()));
    assert!(done.pulled.heads == 1 && done.findings.is_empty(), "{done:?}");
    other.vault.take_in().unwrap();
}

/// Attacks KEY-05, KEY-12: keys that a waiting device puts into the log are not those that others write under, neither
/// at once nor when the vault is opened again.
#[test]
fn key_05_keys_of_a_waiting_device_are_not_written_under() {
    let (bench, mut laptop, kit) = first();
    let secret_key = kit.secret_key.clone();
    let with = (&password(PASSWORD), Some(&secret_key));
    let guest = join(&bench, "guest", &laptop, with).unwrap();

    let collections: Vec<_> = guest.vault.roster().epochs().keys().copied().collect();
    let mut rogue = stolen(guest, &kit);
    let mut entropy = (bench.environment().entropy)();
    let epoch = EpochId { counter: 9, nonce: Nonce16([9; 16]) };
    let clock = rogue.pen.tick(START_MS);
    let ops = collections.iter().map(|collection| Op {
        clock,
        author: String::new(),
        change: rogue.keyring.start_epoch(*collection, epoch, entropy.as_mut()),
    });
    let batch = Batch {
        collection: CollectionId::ROOT,
        ops: ops.collect(),
        added: Vec::new(),
        dropped: Vec::new(),
    };
    rogue.write(&Commit { batches: vec![batch], ..Commit::default() }, entropy.as_mut());
    reaches(&rogue, &mut laptop);
    laptop.add("a", "sealed under the vault's own key");
    let laptop = reopened(&bench, laptop);
    laptop.add("b", "and so is this");
    for (feed, position) in laptop.store.feeds().unwrap() {
        let last = LocalLog::entry(laptop.store.as_ref(), feed, position.number).unwrap();
        assert!(last.header().epoch.counter <= 1, "{:?}", last.header());
    }
}

/// AUT-16, attack AVL-05, fault F-40: a waiting device's authority entry that is no list of statements keeps nobody from
/// opening the vault, and is told.
#[test]
fn a_malformed_authority_entry_stops_nobody() {
    let (bench, mut laptop, kit) = first();
    let secret_key = kit.secret_key.clone();
    let with = (&password(PASSWORD), Some(&secret_key));
    let guest = join(&bench, "guest", &laptop, with).unwrap();
    let rogue = stolen(guest, &kit);
    let mut head = rogue.head.clone();
    let last = head.position(CollectionId::AUTHORITY);
    let header = EntryHeader {
        vault: rogue.vault,
        feed: head.feed(CollectionId::AUTHORITY),
        epoch: EpochId::CLEAR,
        number: last.number + 1,
        previous: last.hash,
        body_bytes: 0,
        added: Vec::new(),
        dropped: Vec::new(),
        extra: Extra::default(),
    };
    let entry = Entry::new(header, vec![0xff]);
    head.number += 1;
    head.feeds[0].1 = Position { number: last.number + 1, hash: entry.hash() };
    let payload = head.to_bytes();
    let signature = rogue.sign.sign(Label::SigHead, &payload);
    rogue.store.append(&[entry], &Signed::new(payload, signature)).unwrap();
    reaches(&rogue, &mut laptop);
    let report = laptop.session().verify(&mut |_| {}).unwrap();
    assert!(report.problems.iter().any(|text| text.starts_with("authority:")), "{report:?}");
    let laptop = reopened(&bench, laptop);
    laptop.add("a", "still writes");
}

/// A statement of a type that this version does not know, by this device's key.
fn unknown_statement(rogue: &Thief) -> SignedStatement {
    let mut w = Writer::new();
    w.map(5).uint(1).uint(FORMAT_VERSION).uint(2).bytes(&rogue.vault.0).uint(3).uint(999);
    w.uint(4).array(0).uint(5).uint(1);
    let payload = w.into_bytes();
    let signature = rogue.sign.sign(Label::SigStatement, &payload);
    SignedStatement { payload, signatures: vec![(rogue.sign.verifying_key(), signature)] }
}

/// AUT-4, attack AVL-05, fault F-27: what only a newer version understands ends writing here, if a device that counts says
/// it, and neither reading nor opening; from a waiting one it ends nothing.
#[test]
fn aut_4_what_only_a_newer_version_understands_ends_writing_and_nothing_else() {
    let (bench, mut laptop, kit) = first();
    laptop.add("a", "written before");
    let secret_key = kit.secret_key.clone();
    let with = (&password(PASSWORD), Some(&secret_key));
    let guest = join(&bench, "guest", &laptop, with).unwrap();
    let phone = join(&bench, "phone", &laptop, (&recovery(&kit), None)).unwrap();
    let mut entropy = (bench.environment().entropy)();
    for (rogue, is_heard) in [(guest, false), (phone, true)] {
        let mut rogue = stolen(rogue, &kit);
        let statements = vec![unknown_statement(&rogue)];
        rogue.write(&Commit { statements, ..Commit::default() }, entropy.as_mut());
        reaches(&rogue, &mut laptop);
        for _ in 0..2 {
            assert_eq!(laptop.session().status().unwrap().is_outdated, is_heard);
            let added = laptop.session().add(&note("b", "b", "one more"));
            let refused = "what this one does not know";
            match added {
                Ok(_) => assert!(!is_heard),
                Err(error) => assert!(is_heard && error.to_string().contains(refused), "{error}"),
            }
            assert_eq!(laptop.finds("before"), 1);
            laptop = reopened(&bench, laptop);
        }
    }
    // Nor does it leave a life: it could not say again what it would let go of.
    let (device, incarnation) = laptop.vault.life();
    let feed = FeedId { collection: CollectionId::AUTHORITY, device, incarnation };
    assert!(laptop.vault.leave_fork(&[(feed, u64::MAX)]).is_err());
    assert_eq!(laptop.vault.life(), (device, incarnation));
    // Nothing joins that would have to write.
    let joined = join(&bench, "late", &laptop, (&recovery(&kit), None)).map(drop);
    assert!(matches!(joined, Err(VaultError::Newer)), "{joined:?}");
}

/// What was written under new keys has come, and neither was taken in yet: nothing is wrong with that.
#[test]
fn what_has_just_come_is_not_taken_for_damaged() {
    let (bench, mut laptop, kit) = first();
    let mut phone = join(&bench, "phone", &laptop, (&recovery(&kit), None)).unwrap();
    sync(&mut laptop, &mut phone);
    let mut tablet = join(&bench, "tablet", &laptop, (&recovery(&kit), None)).unwrap();
    sync(&mut laptop, &mut tablet);
    sync(&mut laptop, &mut phone);
    let lost = tablet.vault.life().0;
    let password = Zeroizing::new(PASSWORD.to_owned());
    let loss = Loss { password: &password, cost: Argon2Params::FLOOR, recovery_code: None };
    laptop.vault.revoke_device(lost, &loss).unwrap();
    laptop.add("a", "under new keys");
    let access = Access::Vault(laptop.vault.id());
    let (local, remote) = (phone.store.as_ref(), laptop.store.as_ref());
    let done = pollster::block_on(replicate(local, remote, &access, &Mark::new()));
    assert!(done.pulled.entries > 0, "{done:?}");
    phone.verify();
    assert!(phone.session().verify_audit().unwrap().is_ok);
    phone.vault.take_in().unwrap();
    phone.verify();
    assert_eq!(phone.finds("keys"), 1);
}

/// More comes while a feed is checked: that is no part of what is checked.
#[test]
fn what_comes_during_a_check_is_not_taken_for_damaged() {
    let (bench, mut laptop, kit) = first();
    let mut phone = join(&bench, "phone", &laptop, (&recovery(&kit), None)).unwrap();
    phone.add("a", "before");
    sync(&mut laptop, &mut phone);
    let access = Access::Vault(laptop.vault.id());
    let mut has_come = false;
    let report = laptop.session().verify(&mut |_| {
        if !std::mem::replace(&mut has_come, true) {
            // Two of its feeds grow, of which one at most has been looked at.
            phone.add("b", "meanwhile");
            let (local, remote) = (laptop.store.as_ref(), phone.store.as_ref());
            let done = pollster::block_on(replicate(local, remote, &access, &Mark::new()));
            assert!(done.pulled.entries > 1, "{done:?}");
        }
    });
    assert_eq!((has_come, report.unwrap().problems), (true, vec![]));
    laptop.vault.take_in().unwrap();
    laptop.verify();
}

/// A device that makes a second lock takes what is behind it out of the first views of all devices.
#[test]
fn a_second_lock_that_another_device_made_shuts_what_is_behind_it_here_too() {
    let (bench, mut laptop, kit) = first();
    let mut phone = join(&bench, "phone", &laptop, (&recovery(&kit), None)).unwrap();
    let login = aura_vault::record::Kind::Login;
    let mut draft = note("bank", "bank", "a login of the bank");
    (draft.kind, draft.category) = (login, login.category());
    phone.session().add(&draft).unwrap();
    sync(&mut laptop, &mut phone);
    assert_eq!((laptop.finds("bank"), phone.finds("bank")), (1, 1));

    laptop.vault.set_second(&password(PASSWORD), SECOND, Argon2Params::FLOOR).unwrap();
    sync(&mut laptop, &mut phone);
    assert_eq!((laptop.finds("bank"), phone.finds("bank")), (1, 0));
    phone.vault.unlock_second(SECOND).unwrap();
    assert_eq!(phone.finds("bank"), 1);
    sync(&mut phone, &mut laptop);
    assert_eq!(laptop.state(), phone.state());
    laptop.verify();
    phone.verify();
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

fn open(bench: &Bench) -> Device {
    let path = Home::new(&bench.home()).store();
    let store = Arc::new(LocalStore::open(&path, Box::new(|| START_MS)).unwrap());
    let vault = Vault::load(&bench.home(), Arc::clone(&store) as Arc<dyn LocalLog>).unwrap();
    let opened = vault.unlock(&password(PASSWORD), bench.environment());
    Device { store, vault: opened.map_err(|(_, error)| error).unwrap() }
}

/// Attack FRK-01, fault F-20: a folder that was put back from an older copy, and written to, goes on in a new life: what
/// it had written before comes back from others, what it wrote since reaches them, and nothing is said twice
/// under one number.
#[test]
fn a_device_that_was_restored_from_an_older_copy_goes_on_in_a_new_life() {
    let (bench, mut laptop, kit) = first();
    let shared = laptop.add("a", "before the copy");
    let mut phone = join(&bench, "phone", &laptop, (&recovery(&kit), None)).unwrap();
    sync(&mut laptop, &mut phone);
    drop(laptop.vault.lock());
    drop(laptop.store);
    let backup = bench.dir.path().join("backup");
    copy(&bench.home(), &backup);
    let mut laptop = open(&bench);
    let lost = laptop.add("b", "after the copy");
    laptop.session().edit(shared, &fields(json!({"keywords": {"one": true}})), &[]).unwrap();
    sync(&mut laptop, &mut phone);
    drop(laptop);

    std::fs::remove_dir_all(bench.home()).unwrap();
    copy(&backup, &bench.home());
    let mut laptop = open(&bench);
    // Written without knowing of it, twice in one record.
    laptop.session().edit(shared, &fields(json!({"name": "first"})), &[]).unwrap();
    laptop.session().edit(shared, &fields(json!({"name": "second"})), &[]).unwrap();
    let other = laptop.add("c", "in ignorance");
    laptop.session().remove(laptop.add("d", "and deleted")).unwrap();
    let before = laptop.vault.devices();
    let access = Access::Vault(laptop.vault.id());
    let done = pollster::block_on(replicate(
        laptop.store.as_ref(),
        phone.store.as_ref(),
        &access,
        &Mark::new(),
    ));
    let [Finding::Forked { device, incarnation, heads }] = &done.findings[..] else {
        panic!("{done:?}")
    };
    let life = laptop.vault.life();
    assert_eq!((*device, *incarnation), life);
    let [ours, theirs] = [&heads[0], &heads[1]].map(|head| head.claim().unwrap());
    let (local, remote) = (laptop.store.as_ref(), phone.store.as_ref());
    let common = common(local, remote, &access, [&ours, &theirs]);
    laptop.vault.leave_fork(&pollster::block_on(common).unwrap()).unwrap();
    assert_ne!(laptop.vault.life().1, life.1);
    sync(&mut laptop, &mut phone);
    sync(&mut phone, &mut laptop);
    assert_eq!(laptop.state(), phone.state());
    for device in [&laptop, &phone] {
        let session = device.session();
        assert!(session.get(lost).unwrap().is_some() && session.get(other).unwrap().is_some());
        let record = session.get(shared).unwrap().unwrap();
        assert_eq!(record.fields["name"], "second");
        assert_eq!(record.fields["keywords"], json!({"one": true}));
        assert_eq!(record.conflicts, Vec::<String>::new());
        assert_eq!(session.trash(None, 9).unwrap().len(), 1);
        device.verify();
    }
    assert_eq!(laptop.vault.devices(), before, "it is the same device");
    assert!(!laptop.session().status().unwrap().is_audit_lost);

    // And it stays in that life, when it is opened again as well.
    let laptop_life = laptop.vault.life();
    let mut laptop = reopened(&bench, laptop);
    let status = laptop.session().status().unwrap();
    assert!(!status.is_audit_lost && status.missing.is_empty(), "{status:?}");
    assert_eq!(laptop.vault.life(), laptop_life);
    laptop.add("e", "still there");
    sync(&mut laptop, &mut phone);
    assert_eq!((laptop.state(), phone.finds("still")), (phone.state(), 1));
}

fn id_of(device: &Device) -> DeviceId {
    device.vault.devices().into_iter().find(|device| device.is_own).unwrap().device
}

/// KRG-3, KRG-4: a confirmed device that turned hostile says other keys for the epochs that there are, and that the
/// collections are for something else, in a feed that is read first: a newcomer has what all others have.
#[test]
fn krg_3_a_hostile_device_gives_a_newcomer_no_other_keys() {
    let (bench, mut laptop, kit) = first();
    laptop.add("a", "written on the laptop");
    let mut joined = (0..16).map(|at| {
        let with = (&recovery(&kit), None);
        join(&bench, &format!("phone{at}"), &laptop, with).unwrap()
    });
    let rogue = joined.find(|phone| id_of(phone) < id_of(&laptop)).unwrap();
    let epochs = laptop.vault.roster().epochs().clone();
    let mut rogue = stolen(rogue, &kit);
    let mut entropy = (bench.environment().entropy)();
    let clock = rogue.pen.tick(START_MS);
    let mut changes = Vec::new();
    for (collection, epochs) in epochs {
        changes.push(Change::Name { collection, category: 0 });
        for epoch in epochs {
            changes.push(rogue.keyring.start_epoch(collection, epoch, entropy.as_mut()));
        }
    }
    let op = |change| Op { clock, author: String::new(), change };
    let batch = Batch {
        collection: CollectionId::ROOT,
        ops: changes.into_iter().map(op).collect(),
        added: Vec::new(),
        dropped: Vec::new(),
    };
    rogue.write(&Commit { batches: vec![batch], ..Commit::default() }, entropy.as_mut());
    reaches(&rogue, &mut laptop);
    let newcomer = join(&bench, "new", &laptop, (&recovery(&kit), None)).unwrap();
    assert_eq!((newcomer.finds("laptop"), newcomer.state()), (1, laptop.state()));
    newcomer.add("b", "written by the newcomer");
}

/// AUT-4: a version that may not write revokes the device that stops it all the same, with the recovery code.
#[test]
fn aut_4_a_revoke_by_the_recovery_code_gets_through() {
    let (bench, mut laptop, kit) = first();
    let phone = join(&bench, "phone", &laptop, (&recovery(&kit), None)).unwrap();
    let lost = id_of(&phone);
    let mut rogue = stolen(phone, &kit);
    let statements = vec![unknown_statement(&rogue)];
    let mut entropy = (bench.environment().entropy)();
    rogue.write(&Commit { statements, ..Commit::default() }, entropy.as_mut());
    reaches(&rogue, &mut laptop);
    assert!(laptop.session().status().unwrap().is_outdated);
    let typed = Zeroizing::new(PASSWORD.to_owned());
    let loss = |recovery_code| Loss { password: &typed, cost: Argon2Params::FLOOR, recovery_code };
    let refused = laptop.vault.revoke_device(lost, &loss(None)).map(drop).unwrap_err();
    assert!(refused.to_string().contains("newer Aura"), "{refused}");
    assert!(laptop.vault.devices().iter().all(|device| !device.is_revoked));
    let kit_made = laptop.vault.revoke_device(lost, &loss(Some(&kit.recovery_code))).unwrap();
    assert!(kit_made.is_none(), "new keys wait until it is up to date");
    assert!(laptop.vault.devices().iter().any(|device| device.is_revoked));
    // What a device says that is revoked stops nobody.
    assert!(!laptop.session().status().unwrap().is_outdated);
    laptop.add("b", "it writes again");
}
