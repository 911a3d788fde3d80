// SPDX-License-Identifier: MIT OR Apache-2.0
//! A snapshot that is longer than one entry, with a record that is longer than one op: it is written and read in parts,
//! and each record is found in it.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failing step ends the test")]

mod support;

use aura_protocol::head::Position;
use aura_protocol::id::{FeedId, RecordId};
use aura_protocol::store::{Access, LocalLog as _};
use aura_store::local::LocalStore;
use aura_store::replicate::{Mark, replicate};
use aura_vault::compact::{Compacted, Resolve};
use aura_vault::home::Home;
use aura_vault::record::{Draft, Kind};
use aura_vault::retain::Retention;
use aura_vault::vault::Kit;
use support::pair::Device;
use support::snapshots::{DAY_MS, compact, edit, pass_days, retention, server};
use support::{Bench, note};

/// Several to an entry of a snapshot.
const LONG: usize = 90_000;
/// Two are more than one op of a snapshot carries.
const HUGE: usize = 2_500_000;

/// Lets go of what is a month old, but of no record that was deleted fewer than so many days ago.
fn compact_deleted(bench: &Bench, device: &Device, days: i64) -> Compacted {
    let of_a_month = retention(bench);
    let retention = Retention {
        deleted_after_ms: of_a_month.deleted_after_ms - (days - 30) * DAY_MS,
        ..of_a_month
    };
    device.session().compact(&retention, Resolve::Act).unwrap()
}

fn text(word: &str, length: usize) -> String {
    let mut text = format!("{word} ").repeat(length / (word.len() + 1) + 1);
    text.truncate(length);
    text
}

/// What each record says, and how many changes of it are known.
fn read(device: &Device, ids: &[RecordId]) -> Vec<(String, usize)> {
    let session = device.session();
    let one = |id: &RecordId| {
        let record = session.get(*id).unwrap().unwrap();
        (record.fields["text"].as_str().unwrap().to_owned(), session.history(*id).unwrap().len())
    };
    ids.iter().map(one).collect()
}

/// SNP-1, SNP-3.
#[test]
fn a_snapshot_of_many_entries_is_read_in_parts() {
    let bench = Bench::new();
    let (mut laptop, kit) = Device::first(&bench, None);
    let add =
        |name: &str, length| laptop.session().add(&note(name, name, &text(name, length))).unwrap();
    let mut ids: Vec<_> = (0..14).map(|n| add(&format!("n{n}"), LONG)).collect();
    let gone: Vec<_> = (0..3).map(|n| add(&format!("g{n}"), LONG)).collect();
    gone.iter().for_each(|id| laptop.session().remove(*id).unwrap());
    pass_days(&bench, 60);
    // Of these every change stays.
    let huge = add("huge", HUGE);
    edit(&laptop, huge, &text("larger", HUGE));
    edit(&laptop, huge, &text("largest", HUGE));
    edit(&laptop, ids[4], "short");
    ids.push(huge);
    let before = read(&laptop, &ids);
    assert_eq!(before.last().unwrap().1, 3);
    let state = laptop.state();
    assert_eq!(compact(&bench, &laptop).records, 3);
    assert_eq!((read(&laptop, &ids), laptop.state()), (before.clone(), state.clone()));
    assert!(laptop.vault.let_go().unwrap().entries > 10);
    assert_eq!(read(&laptop, &ids), before, "out of the snapshot alone");
    laptop.session().rebuild().unwrap();
    assert_eq!((read(&laptop, &ids), laptop.state()), (before.clone(), state.clone()));

    let server = server(&bench, &laptop);
    laptop.sync(&server);
    let phone = Device::join(&bench, "phone", (laptop.vault.id(), &kit), &server);
    assert_eq!((read(&phone, &ids), phone.state()), (before, state));

    // The next one is made of it.
    // Of what the first one carries: the text of a note is replaced by an op that the next one does not carry.
    ["soon gone", "after it"].into_iter().for_each(|text| edit(&laptop, ids[2], text));
    laptop.session().remove(ids[9]).unwrap();
    ids.remove(9);
    pass_days(&bench, 60);
    let before = read(&laptop, &ids);
    let done = compact(&bench, &laptop);
    assert_eq!(done.records, 1);
    let after = read(&laptop, &ids);
    let texts =
        |of: &[(String, usize)]| of.iter().map(|(text, _)| text.clone()).collect::<Vec<_>>();
    assert_eq!(texts(&after), texts(&before));
    // What names the record stays with its last text.
    assert_eq!(after.last().unwrap().1, 2, "{done:?}");
    // Who comes now reads both, one on top of the other.
    laptop.sync(&server);
    let mut tablet = Device::join(&bench, "tablet", (laptop.vault.id(), &kit), &server);
    tablet.vault.adopt_waiting().unwrap();
    assert_eq!((read(&tablet, &ids), tablet.state()), (after, laptop.state()));
    let report = laptop.session().verify(&mut |_| {}).unwrap();
    assert!(report.is_ok(), "{:?}", report.problems);
}

/// SNP-3: of two snapshots that were made at once, what one has let go of stays gone, though the other one carries it.
#[test]
fn what_one_of_two_snapshots_lets_go_of_stays_gone() {
    let bench = Bench::new();
    let (mut laptop, kit) = Device::first(&bench, None);
    let ids: Vec<_> = (0..6)
        .map(|n| laptop.session().add(&note(&format!("n{n}"), "a", "first")).unwrap())
        .collect();
    for id in &ids {
        edit(&laptop, *id, "second");
        edit(&laptop, *id, "third");
    }
    ids[4..].iter().for_each(|id| laptop.session().remove(*id).unwrap());
    pass_days(&bench, 60);
    let server = server(&bench, &laptop);
    laptop.sync(&server);
    let mut phone = Device::join(&bench, "phone", (laptop.vault.id(), &kit), &server);
    phone.sync(&server);
    laptop.sync(&server);
    assert_eq!(compact(&bench, &laptop).records, 2);
    let kept = compact_deleted(&bench, &phone, 900);
    assert!(kept.records == 0 && kept.changes > 0, "{kept:?}");
    let in_trash = |device: &Device| device.session().trash(None, 100).unwrap().len();
    assert_eq!([&laptop, &phone].map(in_trash), [0, 2]);
    for _ in 0..2 {
        phone.sync(&server);
        laptop.sync(&server);
    }
    assert_eq!([&laptop, &phone].map(in_trash), [0, 0]);
    assert_eq!(laptop.state(), phone.state());
    for device in [&laptop, &phone] {
        assert_eq!(device.vault.refused_snapshots().unwrap(), []);
        assert_eq!(device.vault.adopted_snapshots().unwrap().len(), 2, "nobody waits for anything");
        device.session().rebuild().unwrap();
        assert_eq!(in_trash(device), 0);
        let report = device.session().verify(&mut |_| {}).unwrap();
        assert!(report.is_ok(), "{:?}", report.problems);
    }
}

/// SNP-8, fault F-08: where something that a snapshot must be compared with is damaged here, it is neither adopted nor refused.
#[test]
fn what_cannot_be_compared_waits() {
    let bench = Bench::new();
    let (mut laptop, kit) = Device::first(&bench, None);
    let [kept, gone] =
        ["kept", "gone"].map(|name| laptop.session().add(&note(name, name, "first")).unwrap());
    laptop.session().remove(gone).unwrap();
    pass_days(&bench, 60);
    edit(&laptop, kept, "second");
    let server = server(&bench, &laptop);
    laptop.sync(&server);
    let mut phone = Device::join(&bench, "phone", (laptop.vault.id(), &kit), &server);
    phone.sync(&server);
    let store = Home::new(&bench.dir.path().join("phone")).store().join("store.db");
    let store = rusqlite::Connection::open(store).unwrap();
    let spoil = "UPDATE entries SET body = zeroblob(length(body)) WHERE number = 1";
    assert!(store.execute(spoil, []).unwrap() > 2);
    assert_eq!(compact(&bench, &laptop).records, 1);
    laptop.sync(&server);
    phone.sync(&server);
    assert_eq!(phone.vault.refused_snapshots().unwrap(), []);
    assert_eq!(phone.vault.adopted_snapshots().unwrap(), []);
    assert_eq!(laptop.vault.adopted_snapshots().unwrap().len(), 1);
    // Nor where views were built without it.
    phone.session().rebuild().unwrap();
    phone.sync(&server);
    assert_eq!(phone.vault.refused_snapshots().unwrap(), []);
    assert_eq!(phone.vault.adopted_snapshots().unwrap(), []);
}

/// SNP-8, fault F-08: an entry of a snapshot itself is damaged here. It is no lie of whoever made it.
#[test]
fn a_snapshot_that_is_damaged_here_waits() {
    let bench = Bench::new();
    let (mut laptop, kit) = Device::first(&bench, None);
    let add =
        |name: String| laptop.session().add(&note(&name, &name, &text("long", LONG))).unwrap();
    let ids: Vec<_> = (0..14).map(|n| add(format!("n{n}"))).collect();
    laptop.session().remove(ids[0]).unwrap();
    pass_days(&bench, 60);
    let server = server(&bench, &laptop);
    laptop.sync(&server);
    let mut phone = Device::join(&bench, "phone", (laptop.vault.id(), &kit), &server);
    phone.sync(&server);
    laptop.sync(&server);
    let state = phone.state();
    assert_eq!(compact(&bench, &laptop).records, 1);
    laptop.sync(&server);
    let feeds = phone.store.feeds().unwrap();
    let access = Access::Vault(phone.vault.id());
    let done = pollster::block_on(replicate(phone.store.as_ref(), &server, &access, &Mark::new()));
    assert!(done.stopped.is_none(), "{done:?}");
    // The feed that has grown by most has the snapshot; not its last entry, which is read first.
    let grown = |(feed, at): &(FeedId, Position)| {
        let before = feeds.iter().find(|(of, _)| of == feed).map_or(0, |(_, at)| at.number);
        (at.number - before, at.number)
    };
    let (more, last) = phone.store.feeds().unwrap().iter().map(grown).max().unwrap();
    assert!(more > 2, "{more}");
    let store = Home::new(&bench.dir.path().join("phone")).store().join("store.db");
    let store = rusqlite::Connection::open(store).unwrap();
    let spoil = "UPDATE entries SET body = zeroblob(length(body)) WHERE number = ?1";
    assert!(store.execute(spoil, [i64::try_from(last - 1).unwrap()]).unwrap() > 0);
    phone.vault.take_in().unwrap();
    assert_eq!(phone.vault.refused_snapshots().unwrap(), []);
    assert_eq!(phone.vault.adopted_snapshots().unwrap(), []);
    assert_eq!(phone.state(), state);
}

/// SNP-9: who has not what a snapshot covers takes it at its word when all others have compared it, and not before.
#[test]
fn a_newcomer_believes_what_everybody_else_has_adopted() {
    for is_retired in [false, true] {
        newcomer(is_retired);
    }
}

/// A laptop that has let go of a note, and a server that has the rest.
struct Past {
    bench: Bench,
    laptop: Device,
    kit: Kit,
    kept: RecordId,
    server: LocalStore,
}

fn let_go_alone() -> Past {
    let bench = Bench::new();
    let (mut laptop, kit) = Device::first(&bench, None);
    let kept = laptop.session().add(&note("kept", "kept", "first")).unwrap();
    let gone = laptop.session().add(&note("gone", "gone", "first")).unwrap();
    laptop.session().remove(gone).unwrap();
    pass_days(&bench, 60);
    assert_eq!(compact(&bench, &laptop).records, 1);
    assert!(laptop.vault.let_go().unwrap().entries > 2);
    let server = server(&bench, &laptop);
    laptop.sync(&server);
    Past { bench, laptop, kit, kept, server }
}

/// The phone says it too late, or never, and nobody waits for it any more.
fn newcomer(is_retired: bool) {
    let Past { bench, mut laptop, kit, kept, server } = let_go_alone();
    let mut phone = Device::join(&bench, "phone", (laptop.vault.id(), &kit), &server);
    assert_eq!(phone.state(), laptop.state());
    // What is there then lists the phone, and not yet what it says of the snapshot.
    phone.sync(&server);
    let mut tablet = Device::join(&bench, "tablet", (laptop.vault.id(), &kit), &server);
    assert!(!matches!(tablet.session().get(kept), Ok(Some(_))));
    assert_eq!(tablet.vault.refused_snapshots().unwrap(), []);
    assert!(tablet.vault.lacks_snapshot().unwrap());
    if is_retired {
        laptop.sync(&server);
        laptop.vault.retire_device(phone.vault.life().0).unwrap();
        laptop.sync(&server);
    } else {
        phone.sync(&server);
    }
    tablet.sync(&server);
    let all = [&laptop, &phone, &tablet];
    assert!(all.iter().all(|device| !device.vault.lacks_snapshot().unwrap()));
    assert!(matches!(tablet.session().get(kept), Ok(Some(_))));
    assert_eq!(tablet.state(), laptop.state());
}

/// SNP-8: what is damaged here of something else keeps no snapshot waiting.
#[test]
fn damage_elsewhere_is_nothing_to_wait_for() {
    let bench = Bench::new();
    let (mut laptop, kit) = Device::first(&bench, None);
    let [_, gone] =
        ["kept", "gone"].map(|name| laptop.session().add(&note(name, name, "first")).unwrap());
    laptop.session().remove(gone).unwrap();
    for n in 0..16 {
        let name = format!("note {n}");
        laptop.session().add(&note(&name, &name, "text")).unwrap();
    }
    for n in 0..25 {
        let name = format!("login {n}");
        let (kind, category) = (Kind::Login, Kind::Login.category());
        laptop.session().add(&Draft { kind, category, ..note(&name, &name, "text") }).unwrap();
    }
    pass_days(&bench, 60);
    let server = server(&bench, &laptop);
    laptop.sync(&server);
    let mut phone = Device::join(&bench, "phone", (laptop.vault.id(), &kit), &server);
    phone.sync(&server);
    laptop.sync(&server);
    // Notes have nineteen entries, and the snapshot will be the twentieth; what the vault says of itself has fewer.
    let store = Home::new(&bench.dir.path().join("phone")).store().join("store.db");
    let store = rusqlite::Connection::open(store).unwrap();
    let spoil = "UPDATE entries SET body = zeroblob(length(body)) WHERE number = 20";
    assert!(store.execute(spoil, []).unwrap() > 1);
    phone.session().rebuild().unwrap();
    assert_eq!(compact(&bench, &laptop).records, 1);
    laptop.sync(&server);
    phone.sync(&server);
    assert_eq!(phone.vault.refused_snapshots().unwrap(), []);
    assert_eq!(phone.vault.adopted_snapshots().unwrap().len(), 1);
}

/// SNP-9: two that joined at the same time, and lack the same, do not wait for each other; nor does one of them make a
/// snapshot of what it lacks.
#[test]
fn two_newcomers_do_not_wait_for_each_other() {
    let Past { bench, laptop, kit, kept, server } = let_go_alone();
    let mut phone = Device::join(&bench, "phone", (laptop.vault.id(), &kit), &server);
    // Both are listed before either has said anything.
    phone.sync(&server);
    let mut tablet = Device::join(&bench, "tablet", (laptop.vault.id(), &kit), &server);
    tablet.sync(&server);
    assert!(tablet.vault.lacks_snapshot().unwrap());
    let late = tablet.session().add(&note("late", "late", "first")).unwrap();
    tablet.session().remove(late).unwrap();
    pass_days(&bench, 60);
    assert_eq!(compact(&bench, &tablet), Compacted::default());
    // The phone knows of the tablet before it looks at the snapshot anew.
    phone.session().rebuild().unwrap();
    for _ in 0..2 {
        phone.sync(&server);
        tablet.sync(&server);
    }
    for device in [&phone, &tablet] {
        assert!(!device.vault.lacks_snapshot().unwrap());
        assert!(matches!(device.session().get(kept), Ok(Some(_))));
    }
    assert_eq!(compact(&bench, &tablet).records, 1);
}
