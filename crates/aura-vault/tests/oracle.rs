// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a store could learn by trying. ORACLE: whatever byte of something sealed is changed, opening it fails in one
//! way, and the vault asks the same. SHAPE: two people who write different things of the same padded sizes look the
//! same to every store.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic is a failed test")]

mod support;

use std::collections::BTreeSet;
use std::sync::Arc;

use aura_protocol::authority::{Recipient, SlotKind};
use aura_protocol::entry::Entry;
use aura_protocol::id::{CollectionId, FeedId};
use aura_protocol::store::LocalLog;
use aura_store::local::LocalStore;
use aura_testkit::hostile::Mallory;
use aura_testkit::seed::Seed;
use aura_testkit::transcript::{Call, RecordedLog, RecordedStore, Transcript};
use aura_vault::feed::QuarantineReason;
use aura_vault::home::Home;
use aura_vault::record::Attachment;
use aura_vault::search::Typing;
use aura_vault::vault::{Credential, Vault, VaultError};
use serde_json::json;
use support::altered::{Altered, Harm};
use support::pair::{Device, Rogue};
use support::{Bench, PASSWORD, START_MS, fields, note, password};
use zeroize::Zeroizing;

/// The last reason why something was set aside, and what the vault asked its log and the other store.
#[derive(Debug, PartialEq, Eq)]
struct Told {
    reason: QuarantineReason,
    calls: (Vec<Call>, Vec<Call>),
}

/// The laptop takes in what the rogue has written last.
fn take_in(laptop: &mut Device, rogue: &Rogue) -> Told {
    let transcript = Transcript::new();
    laptop.log.take_calls();
    let done = laptop.sync(&RecordedStore::new(rogue.store.as_ref(), &transcript));
    assert!(done.stopped.is_none() && done.findings.is_empty(), "{done:?}");
    let calls = (transcript.take_calls(), laptop.log.take_calls());
    let quarantined = laptop.session().status().unwrap().quarantined;
    Told { reason: quarantined.last().unwrap().reason, calls }
}

/// What comes of so many entries by a listed device, one after the other, in each of which the byte that `place` says
/// of the sealed body's length is changed; nothing is where it says nothing.
fn tried(rounds: usize, place: &dyn Fn(usize, usize) -> Option<usize>) -> Vec<Told> {
    let bench = Bench::new();
    let (mut laptop, kit) = Device::first(&bench, None);
    laptop.session().add(&note("a", "a", "the collection begins")).unwrap();
    let phone = Device::join(&bench, "phone", (laptop.vault.id(), &kit), laptop.store.as_ref());
    phone.session().add(&note("b", "b", "the phone's feed begins")).unwrap();
    let collection = collection_of(&phone);
    let mut rogue = Rogue::of(phone, &kit);
    let mut entropy = (bench.environment().entropy)();
    let one = |round| {
        let sealed = rogue.seal(collection, vec![0xff; 40], entropy.as_mut());
        let mut body = sealed.body().to_vec();
        if let Some(at) = place(round, body.len()) {
            body[at] ^= 1;
        }
        rogue.write(Entry::new(sealed.header().clone(), body));
        take_in(&mut laptop, &rogue)
    };
    (0..rounds).map(one).collect()
}

/// Attacks KEY-04, INT-05, INT-11: a listed device writes entries with one byte of what is sealed changed. None opens, all
/// are set aside for the same reason, and no place of the byte changes what is asked of any store. One that does open
/// is asked for in the same way.
#[test]
fn int_05_entries_that_do_not_open_are_all_alike() {
    const ROUNDS: usize = 40;
    // The beginning and the end byte by byte, where keys and nonces and tags are; then across all of it.
    let spread = |round, length| match round {
        0..16 => round * 3,
        16..24 => length - 1 - (round - 16) * 2,
        _ => length * (round - 23) / (ROUNDS - 22),
    };
    let changed = tried(ROUNDS, &|round, length| Some(spread(round, length)));
    let first = tried(ROUNDS, &|_, _| Some(0));
    let sound = tried(ROUNDS, &|_, _| None);
    for (round, changed) in changed.iter().enumerate() {
        assert_eq!(changed.reason, QuarantineReason::Sealed, "round {round}");
        assert_eq!(*changed, first[round], "round {round}");
        // It opens, and has another form than this version knows.
        assert_eq!(sound[round].reason, QuarantineReason::Form, "round {round}");
        assert_eq!(changed.calls, sound[round].calls, "round {round}");
    }
}

/// The collection that a device wrote to last, which is no special one.
fn collection_of(device: &Device) -> CollectionId {
    let (own, life) = device.vault.life();
    let heads = LocalLog::heads(device.store.as_ref()).unwrap();
    let head = heads.iter().map(|head| head.claim().unwrap());
    let head = head.into_iter().find(|head| (head.device, head.incarnation) == (own, life));
    let special = [CollectionId::AUTHORITY, CollectionId::ROOT];
    let mut feeds = head.unwrap().feeds;
    feeds.retain(|(of, _)| !special.contains(of));
    // The audit log is longer than one note.
    feeds.into_iter().min_by_key(|(_, position)| position.number).unwrap().0
}

/// Where these bytes stand in an authority entry of the vault's only device.
fn place_of(store: &LocalStore, sealed: &[u8]) -> (FeedId, u64, usize) {
    let feeds = store.feeds().unwrap();
    let (feed, position) =
        feeds.into_iter().find(|(feed, _)| feed.collection == CollectionId::AUTHORITY).unwrap();
    let numbers = 1..=position.number;
    let place = numbers.into_iter().find_map(|number| {
        let entry = LocalLog::entry(store, feed, number).unwrap();
        let at = entry.body().windows(sealed.len()).position(|window| window == sealed)?;
        Some((feed, number, at))
    });
    place.unwrap()
}

/// Attacks KEY-04, INT-11: whichever byte of a wrapped root key the log shows changed, the right secret opens nothing, is
/// answered as a wrong one is, and the vault asks the same of its log.
#[test]
fn key_04_altered_wraps_are_all_alike() {
    let bench = Bench::new();
    let (vault, kit) = bench.create();
    let wraps: Vec<(Recipient, Vec<u8>)> = vault
        .roster()
        .wraps()
        .iter()
        .filter(|(to, ..)| matches!(to, Recipient::Slot(_)))
        .map(|(to, _, sealed)| (*to, sealed.clone()))
        .collect();
    assert_eq!(wraps.len(), 2);
    drop(vault.lock());
    let recovery = Credential::Recovery(kit.recovery_code.clone());
    let mut opened = BTreeSet::new();
    for (credential, name) in [(password(PASSWORD), "password"), (recovery, "code")] {
        for (to, sealed) in &wraps {
            let mut told = BTreeSet::new();
            let length = sealed.len();
            for at in [0, 1, length / 3, length / 2, length - 17, length - 16, length - 1] {
                match unlock(&bench, (sealed, at), &credential) {
                    Ok(()) => drop(opened.insert((format!("{to:?}"), name))),
                    Err(failed) => drop(told.insert(failed)),
                }
            }
            assert!(told.len() <= 1, "{name}: {told:?}");
        }
    }
    // Each secret still opens by its own wrap when the other one is changed.
    assert_eq!(opened.len(), 2, "{opened:?}");
    let wrong = Credential::Password(Zeroizing::new("no password of this vault".to_owned()));
    let (sealed, at) = (&wraps[0].1, 0);
    let wrong = unlock(&bench, (sealed, at), &wrong).unwrap_err();
    let right: BTreeSet<_> = wraps
        .iter()
        .filter_map(|(_, sealed)| unlock(&bench, (sealed, 0), &password(PASSWORD)).err())
        .collect();
    assert_eq!(right, BTreeSet::from([wrong]));
}

/// Attack KEY-03: a salt that was changed in the log opens nothing with the right password, which is answered as a
/// wrong one; the recovery code, which has none, still opens.
#[test]
fn key_03_another_salt_is_as_good_as_another_password() {
    let bench = Bench::new();
    let (vault, kit) = bench.create();
    let slots = vault.roster().slots().values();
    let salt = slots.clone().find_map(|slot| match &slot.kind {
        SlotKind::Password(params) => Some(params.salt),
        SlotKind::Recovery => None,
    });
    let salt = salt.unwrap();
    drop(vault.lock());
    for at in [0, salt.len() / 2, salt.len() - 1] {
        assert!(unlock(&bench, (&salt, at), &password(PASSWORD)).is_err());
    }
    let recovery = Credential::Recovery(kit.recovery_code.clone());
    assert_eq!(unlock(&bench, (&salt, 0), &recovery), Ok(()));
}

/// What comes of opening the vault with one byte of this wrap changed: on failure the error, and how many calls of
/// each kind there were.
fn unlock(
    bench: &Bench,
    (sealed, at): (&[u8], usize),
    credential: &Credential,
) -> Result<(), (String, Vec<String>)> {
    // No wait after earlier tries.
    drop(std::fs::remove_file(Home::new(&bench.home()).attempts()));
    let inner = LocalStore::open(&Home::new(&bench.home()).store(), Box::new(|| START_MS)).unwrap();
    let (feed, number, begin) = place_of(&inner, sealed);
    let log = Arc::new(Altered::new(inner, (feed, number), Harm::Byte(begin + at)));
    log.begin();
    let transcript = Transcript::new();
    let vault = Vault::load(&bench.home(), Arc::new(RecordedLog::new(log, &transcript))).unwrap();
    let opened = vault.unlock(credential, bench.environment());
    let calls = transcript.take_calls().into_iter().map(|call| format!("{call:?}"));
    match opened {
        Ok(vault) => {
            drop(vault.lock());
            Ok(())
        }
        Err((_, error)) => {
            assert!(matches!(error, VaultError::Secret), "{error:?}");
            Err((format!("{error:?}"), calls.collect()))
        }
    }
}

/// What somebody writes: everything that has a length of its own.
struct Person {
    titles: [&'static str; 3],
    words: [&'static str; 3],
    text: usize,
    file: usize,
    login: &'static str,
}

/// All that the stores of two devices see of it.
fn story(person: &Person) -> (Vec<Call>, Vec<Call>, Vec<Call>) {
    let bench = Bench::new();
    let second = "a second one for what is nobody's business";
    let (mut laptop, kit) = Device::first(&bench, Some(second));
    laptop.vault.unlock_second(second).unwrap();
    let (mallory, transcript) = (Mallory::new(Seed::new(1)), Transcript::new());
    let remote = RecordedStore::new(&mallory, &transcript);
    laptop.sync(&remote);
    let mut phone = Device::join(&bench, "phone", (laptop.vault.id(), &kit), &remote);
    for (at, title) in person.titles.iter().enumerate() {
        let text = format!("{} ", person.words[at]).repeat(person.text / (at + 1));
        let mut draft = note(title, title, &text);
        if at == 1 {
            draft.attachments.push(Attachment {
                name: format!("{title}.txt"),
                media_type: "text/plain".to_owned(),
                content: Arc::new(person.words[2].as_bytes().repeat(person.file)),
            });
        }
        let id = laptop.session().add(&draft).unwrap();
        laptop.sync(&remote);
        phone.sync(&remote);
        assert!(!phone.session().search(title, Typing::Done, 9).unwrap().is_empty());
        let edited = fields(json!({"name": person.words[at], "keywords": {person.words[0]: true}}));
        phone.session().edit(id, &edited, &[]).unwrap();
        if at == 2 {
            phone.session().remove(id).unwrap();
        }
        phone.sync(&remote);
        laptop.sync(&remote);
    }
    let login = aura_vault::record::Kind::Login;
    let mut draft = note(person.login, person.login, person.login);
    (draft.kind, draft.category) = (login, login.category());
    laptop.session().add(&draft).unwrap();
    laptop.sync(&remote);
    phone.sync(&remote);
    (transcript.take_calls(), laptop.log.take_calls(), phone.log.take_calls())
}

const ADA: Person = Person {
    titles: ["Tax", "Lab results of March", "Shopping"],
    words: ["euro", "haemoglobin", "bread"],
    text: 20,
    file: 1000,
    login: "bank",
};

/// SHAPE, attacks LOG-07, TRF-02: who writes other words, of other lengths within the same padded size, looks the same to
/// every store: the same calls in the same order, with the same sizes.
#[test]
fn what_is_written_does_not_show_in_what_stores_see() {
    let other = Person {
        titles: ["A walk by the river", "Cat", "Names for the child"],
        words: ["anna", "kilimanjaro expedition", "steps"],
        text: 3,
        file: 1003,
        login: "a forum where nobody knows who writes",
    };
    let (ours, theirs) = (story(&ADA), story(&other));
    assert!(ours.0.len() > 40 && ours.1.len() > 80, "{} {}", ours.0.len(), ours.1.len());
    for (ours, theirs) in [(&ours.0, &theirs.0), (&ours.1, &theirs.1), (&ours.2, &theirs.2)] {
        let differ = ours.iter().zip(theirs).position(|(ours, theirs)| ours != theirs);
        if let Some(at) = differ {
            panic!("call {at}: {:?} and {:?}", ours[at], theirs[at]);
        }
        assert_eq!(ours.len(), theirs.len());
    }
    // Sizes that are padded to another length do show: the comparison sees something.
    let larger = Person { file: 9000, ..ADA };
    assert_ne!(story(&larger).0, ours.0);
}
