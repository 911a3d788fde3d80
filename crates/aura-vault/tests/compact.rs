// SPDX-License-Identifier: MIT OR Apache-2.0
//! Snapshots: what was deleted or replaced long ago goes, everywhere, once every device has agreed, and nothing
//! that anybody sees changes by it.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failing step ends the test")]

mod support;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use aura_crypto::sign::LabelledSigner as _;
use aura_protocol::authority::{Claim, SignedStatement, Statement};
use aura_protocol::codec::{Encode as _, Extra};
use aura_protocol::entry::ChunkAdded;
use aura_protocol::id::{CollectionId, DeviceId, FeedId, Hash, RecordId};
use aura_protocol::store::{Access, BlindStore, LocalLog, StoreError};
use aura_store::local::LocalStore;
use aura_store::replicate::Finding;
use aura_vault::audit::{Action, Outcome};
use aura_vault::compact::{Compacted, Resolve};
use aura_vault::feed::{Batch, Commit, open};
use aura_vault::gate::Logged;
use aura_vault::keyring::Purpose;
use aura_vault::op::{Carried, Carry, Change, Op};
use aura_vault::open::Unsound;
use aura_vault::record::{Attachment, Category, Draft};
use aura_vault::retain::Retention;
use aura_vault::vault::Kit;
use pollster::block_on;
use support::pair::Device;
use support::thief::Thief;
use support::{Bench, START_MS, fields, note};

const DAY_MS: i64 = 86_400_000;

fn pass_days(bench: &Bench, days: i64) {
    bench.clock.0.fetch_add(days * DAY_MS, Ordering::Relaxed);
}

fn retention(bench: &Bench) -> Retention {
    let now_ms = START_MS + bench.clock.0.load(Ordering::Relaxed);
    Retention {
        deleted_after_ms: now_ms - 30 * DAY_MS,
        replaced_after_ms: Some(now_ms - 30 * DAY_MS),
        changed_after_ms: now_ms - 7 * DAY_MS,
    }
}

fn compact(bench: &Bench, device: &Device) -> Compacted {
    device.session().compact(&retention(bench), Resolve::Act).unwrap()
}

fn add(device: &Device, id: &str, text: &str) -> RecordId {
    device.session().add(&note(id, id, text)).unwrap()
}

fn edit(device: &Device, id: RecordId, text: &str) {
    device.session().edit(id, &fields(serde_json::json!({ "text": text })), &[]).unwrap();
}

fn with_file(id: &str, bytes: &[u8]) -> Draft {
    let attachment = Attachment {
        name: format!("{id}.bin"),
        media_type: "application/octet-stream".to_owned(),
        content: Arc::new(bytes.to_vec()),
    };
    Draft { attachments: vec![attachment], ..note(id, id, "with a file") }
}

/// The devices that this one knows to be waited for.
fn awaited(device: &Device) -> Vec<DeviceId> {
    let heard = device.vault.heard().unwrap();
    heard.into_iter().filter(|(_, heard)| heard.is_awaited).map(|(id, _)| id).collect()
}

fn verify(device: &Device) {
    let report = device.session().verify(&mut |_| {}).unwrap();
    assert!(report.is_ok(), "{:?}", report.problems);
}

fn server(bench: &Bench, device: &Device) -> LocalStore {
    let path = bench.dir.path().join("server");
    LocalStore::create(&path, device.vault.id(), Box::new(|| START_MS)).unwrap()
}

fn entries(store: &LocalStore) -> u64 {
    let feeds = LocalLog::feeds(store).unwrap();
    let kept = |feed| LocalLog::floor(store, feed).unwrap().number;
    feeds.iter().map(|(feed, at)| at.number - kept(*feed)).sum()
}

/// Asks a store to let go of what a device has adopted.
fn forget(device: &Device, store: &LocalStore) -> Result<u64, StoreError> {
    let access = Access::Vault(device.vault.id());
    let mut gone = 0;
    for base in device.vault.adopted_snapshots().unwrap() {
        gone += block_on(BlindStore::forget(store, &access, base))?;
    }
    Ok(gone)
}

/// Twenty notes, of which some are deleted, some edited, and two have files.
fn lived(bench: &Bench, device: &Device) -> (Vec<RecordId>, RecordId) {
    let ids: Vec<_> =
        (0..20).map(|n| add(device, &format!("n{n}"), &format!("first {n}"))).collect();
    let session = device.session();
    let kept = session.add(&with_file("kept", &vec![7; 100_000])).unwrap();
    let gone = session.add(&with_file("gone", &vec![8; 100_000])).unwrap();
    for (n, id) in ids.iter().enumerate().take(8) {
        edit(device, *id, &format!("second {n}"));
        edit(device, *id, &format!("third {n}"));
    }
    ids[15..].iter().for_each(|id| session.remove(*id).unwrap());
    session.remove(gone).unwrap();
    pass_days(bench, 60);
    (ids, kept)
}

#[test]
fn what_is_old_goes_and_everything_else_stays() {
    let bench = Bench::new();
    let (device, _) = Device::first(&bench, None);
    let (ids, kept) = lived(&bench, &device);
    let lately = add(&device, "lately", "one");
    edit(&device, lately, "two");
    let before = device.state();
    let looked = device.session().compact(&retention(&bench), Resolve::Look).unwrap();
    assert_eq!(looked.records, 6);
    assert!(looked.attachment_bytes >= 100_000);
    assert_eq!(device.vault.adopted_snapshots().unwrap(), []);
    let (old, chunks) = (entries(&device.store), device.store.chunks().unwrap().len());
    assert_eq!(compact(&bench, &device), looked);
    assert_eq!(device.state(), before);
    verify(&device);
    assert!(device.session().trash(None, 100).unwrap().is_empty());
    assert!(device.vault.let_go().unwrap().entries > 20);
    assert!(entries(&device.store) < old);
    assert_eq!(device.store.chunks().unwrap().len(), chunks - 1, "the deleted one's");
    verify(&device);
    // What is kept reads as before, with what is left of its history.
    let session = device.session();
    // Its first change says its name still, the last one its text.
    assert_eq!(session.history(ids[0]).unwrap().len(), 2);
    assert_eq!(session.history(lately).unwrap().len(), 2);
    assert!(session.undo(lately).unwrap().is_some());
    edit(&device, lately, "two");
    assert!(matches!(session.undo(ids[0]), Err(aura_vault::gate::GateError::NothingToUndo)));
    let blob = session.get(kept).unwrap().unwrap().attachments[0].id;
    let mut bytes = Vec::new();
    session.attachment(kept, blob, &mut bytes).unwrap();
    assert_eq!(bytes, vec![7; 100_000]);
    // From the log alone it comes to the same, and after it was shut.
    let state = device.state();
    session.rebuild().unwrap();
    assert_eq!(device.state(), state);
    verify(&device);
    assert!(!matches!(device.session().get(ids[16]), Ok(Some(_))));
    let home = device.vault.home().path().to_owned();
    drop((session, device.vault.lock(), device.store));
    let device = Device::open(&home, &bench);
    assert_eq!(device.state(), state);
    verify(&device);
    // Nothing is left to do, until something is.
    assert_eq!(compact(&bench, &device), Compacted::default());
    device.session().remove(ids[3]).unwrap();
    pass_days(&bench, 60);
    assert_eq!(compact(&bench, &device).records, 1);
    assert!(device.vault.let_go().unwrap().entries > 0);
    verify(&device);
}

struct Scene {
    bench: Bench,
    laptop: Device,
    phone: Device,
    server: LocalStore,
    kit: Kit,
    ids: Vec<RecordId>,
}

/// Without the phone.
struct Robbed {
    bench: Bench,
    laptop: Device,
    server: LocalStore,
    kit: Kit,
}

fn scene() -> Scene {
    let bench = Bench::new();
    let (mut laptop, kit) = Device::first(&bench, None);
    let server = server(&bench, &laptop);
    let (ids, _) = lived(&bench, &laptop);
    laptop.sync(&server);
    let mut phone = Device::join(&bench, "phone", (laptop.vault.id(), &kit), &server);
    phone.sync(&server);
    laptop.sync(&server);
    Scene { bench, laptop, phone, server, kit, ids }
}

#[test]
fn a_store_lets_go_once_every_device_has_said_so_and_a_newcomer_gets_the_rest() {
    let Scene { bench, mut laptop, mut phone, server, kit, ids } = scene();
    let late = add(&phone, "late", "said while the snapshot was made");
    edit(&phone, ids[1], "edited on the phone meanwhile");
    compact(&bench, &laptop);
    laptop.sync(&server);
    assert!(matches!(forget(&laptop, &server), Err(StoreError::Unproven)), "the phone has not");
    let phone_id = phone.vault.life().0;
    assert_eq!(awaited(&laptop), [phone_id]);
    assert_eq!(awaited(&phone), [], "it knows of no snapshot");
    phone.sync(&server);
    assert_eq!(awaited(&laptop), [phone_id], "it has not said so here");
    phone.sync(&server);
    laptop.sync(&server);
    assert_eq!(
        (laptop.state(), laptop.vault.refused_snapshots().unwrap()),
        (phone.state(), vec![])
    );
    assert_eq!(phone.vault.refused_snapshots().unwrap(), []);
    assert_eq!((awaited(&laptop), awaited(&phone)), (vec![], vec![]));
    let before = entries(&server);
    assert!(forget(&laptop, &server).unwrap() > 20);
    assert_eq!(forget(&laptop, &server).unwrap(), 0, "again it changes nothing");
    assert!(entries(&server) < before);
    assert_eq!(server.verify().unwrap(), []);
    assert!(laptop.vault.let_go().unwrap().entries > 20);
    assert!(phone.vault.let_go().unwrap().entries > 20);
    for device in [&laptop, &phone] {
        verify(device);
        assert_eq!(
            device.session().get(late).unwrap().unwrap().fields["text"],
            "said while the snapshot was made"
        );
    }
    let mut tablet = Device::join(&bench, "tablet", (laptop.vault.id(), &kit), &server);
    tablet.sync(&server);
    assert_eq!(tablet.state(), laptop.state());
    verify(&tablet);
    edit(&tablet, ids[2], "on the tablet");
    tablet.sync(&server);
    laptop.sync(&server);
    assert_eq!(tablet.state(), laptop.state());
    verify(&laptop);
}

#[test]
fn a_store_that_lost_everything_is_filled_from_a_device_that_let_go() {
    let Scene { bench, mut laptop, mut phone, server, .. } = scene();
    compact(&bench, &laptop);
    laptop.sync(&server);
    phone.sync(&server);
    phone.sync(&server);
    laptop.sync(&server);
    assert!(laptop.vault.let_go().unwrap().entries > 20);
    let path = bench.dir.path().join("another");
    let another = LocalStore::create(&path, laptop.vault.id(), Box::new(|| START_MS)).unwrap();
    let done = laptop.sync(&another);
    let others =
        done.findings.iter().filter(|finding| !matches!(finding, Finding::RolledBack { .. }));
    assert_eq!(others.count(), 0, "{:?}", done.findings);
    assert_eq!(another.verify().unwrap(), []);
    edit(&phone, add(&phone, "new", "one"), "two");
    phone.sync(&another);
    laptop.sync(&another);
    assert_eq!(laptop.state(), phone.state());
    assert_eq!(forget(&phone, &another).unwrap(), 0);
    verify(&laptop);
}

/// Fault F-18: a device that was offline goes on from what it had; what it changed there is whole again everywhere.
#[test]
fn a_late_change_of_what_went_brings_back_what_it_stood_on() {
    let Scene { bench, mut laptop, mut phone, server, ids, .. } = scene();
    // The phone edits, unsynced, a note that the laptop deletes for good.
    laptop.session().remove(ids[9]).unwrap();
    pass_days(&bench, 60);
    edit(&phone, ids[9], "late");
    compact(&bench, &laptop);
    laptop.sync(&server);
    phone.sync(&server);
    phone.sync(&server);
    laptop.sync(&server);
    assert_eq!(laptop.state(), phone.state());
    for device in [&laptop, &phone] {
        let record = device.session().get(ids[9]).unwrap().unwrap();
        assert_eq!(record.fields.get("text").unwrap(), "late");
        assert_eq!(record.fields["name"], "n9", "the phone meant all of it");
        verify(device);
    }
    // Entries that were let go of come back from a store that kept them, and change nothing.
    assert!(laptop.vault.let_go().unwrap().entries > 0);
    laptop.sync(&server);
    assert_eq!(laptop.state(), phone.state());
    verify(&laptop);
}

/// Attack INT-13
#[test]
fn what_was_deleted_and_let_go_of_does_not_come_back_from_an_older_copy_of_a_store() {
    let Scene { bench, mut laptop, mut phone, server, kit, ids } = scene();
    let old = bench.dir.path().join("old");
    let older = LocalStore::create(&old, laptop.vault.id(), Box::new(|| START_MS)).unwrap();
    laptop.sync(&older);
    compact(&bench, &laptop);
    laptop.sync(&server);
    phone.sync(&server);
    phone.sync(&server);
    laptop.sync(&server);
    assert!(
        laptop.vault.let_go().unwrap().entries > 0 && phone.vault.let_go().unwrap().entries > 0
    );
    let state = laptop.state();
    for device in [&mut laptop, &mut phone] {
        device.sync(&older);
        device.vault.take_in().unwrap();
        assert_eq!(device.state(), state);
        assert!(!matches!(device.session().get(ids[16]), Ok(Some(_))));
        verify(device);
    }
    let mut tablet = Device::join(&bench, "tablet", (laptop.vault.id(), &kit), &older);
    tablet.sync(&older);
    assert_eq!(tablet.state(), state, "with the snapshot beside the older entries");
    verify(&tablet);
}

/// A snapshot, as somebody writes it.
#[derive(Clone)]
struct Forged {
    carries: Vec<Carry>,
    added: Vec<ChunkAdded>,
    /// Whether it says that other feeds have other entries than they have.
    is_fork: bool,
}

impl Forged {
    fn with(&self, change: impl FnOnce(&mut Self)) -> Self {
        let mut forged = self.clone();
        change(&mut forged);
        forged
    }

    /// The one with this many ops, so many records after the first.
    fn carry(&mut self, ops: usize, skip: usize) -> &mut Carry {
        let mut found = self.carries.iter_mut().filter(|carry| carry.ops.len() == ops);
        found.nth(skip).unwrap()
    }

    /// Each record after the one before, and the end after the last.
    fn linked(mut self) -> Self {
        let mut last = None;
        for carry in &mut self.carries {
            carry.after = last;
            last = carry.record;
        }
        self
    }
}

fn texts(carried: &mut Carried) -> &mut BTreeMap<String, Option<String>> {
    let Change::Write { fields, .. } = &mut carried.op.change else { panic!("no write") };
    fields
}

/// The notes' collection, and what an honest snapshot of it has: this device makes one.
fn honest(bench: &Bench, other: &Device, thief: &Thief) -> (CollectionId, Forged) {
    assert!(compact(bench, other).changes > 0);
    let (device, incarnation) = other.vault.life();
    let mut of_notes = thief.keyring.collections(Purpose::Category(Category::Notes));
    let collection = of_notes.next().unwrap();
    let feed = FeedId { collection, device, incarnation };
    let feeds = LocalLog::feeds(other.store.as_ref()).unwrap();
    let upto = feeds.iter().find(|(of, _)| *of == feed).unwrap().1.number;
    let (mut carries, mut added) = (Vec::new(), Vec::new());
    for number in 1..=upto {
        let entry = LocalLog::entry(other.store.as_ref(), feed, number).unwrap();
        added.extend(entry.header().added.clone());
        for op in open(&entry, &thief.keyring, thief.vault).unwrap() {
            if let Change::Carry(carry) = op.change {
                carries.push(carry);
            }
        }
    }
    (collection, Forged { carries, added, is_fork: false })
}

impl Thief {
    /// Writes a snapshot, and says that it covers everything up to where the store goes.
    fn snapshot(&mut self, of: CollectionId, forged: Forged) {
        let Forged { carries, added, is_fork } = forged;
        let mut entropy = Bench::new().environment().entropy.as_ref()();
        let clock = self.pen.tick(START_MS + 200 * DAY_MS);
        let mut covered = LocalLog::feeds(self.store.as_ref()).unwrap();
        covered.retain(|(feed, _)| feed.collection == of);
        covered.sort_unstable_by_key(|(feed, _)| *feed);
        let (feed, first) = (self.pen.feed(of), self.pen.next_number(of));
        for (_, at) in covered.iter_mut().filter(|(other, _)| is_fork && *other != feed) {
            at.hash = Hash([7; 32]);
        }
        let claim = Claim::Base { feed, range: (first, first), covered };
        let statement =
            Statement { vault: Some(self.vault), claim, clock, extra: Extra::default() };
        let payload = statement.to_bytes();
        let signature = self.sign.sign(SignedStatement::label(&statement.claim), &payload);
        let signatures = vec![(self.sign.verifying_key(), signature)];
        let op = |carry| Op { clock, author: String::new(), change: Change::Carry(carry) };
        let ops = carries.into_iter().map(op).collect();
        let batch = Batch { collection: of, ops, added, dropped: Vec::new() };
        let statements = vec![SignedStatement { payload, signatures }];
        let commit = Commit { statements, batches: vec![batch], ..Commit::default() };
        self.write(&commit, entropy.as_mut());
    }
}

/// A scene with a note whose old text is kept, the phone in the hands of a thief, and an honest snapshot for the thief
/// to bend. Also who the phone is.
fn stolen() -> (Robbed, Thief, DeviceId, (CollectionId, Forged)) {
    let mut scene = scene();
    let lately = add(&scene.laptop, "lately", "one");
    edit(&scene.laptop, lately, "two");
    scene.laptop.sync(&scene.server);
    scene.phone.sync(&scene.server);
    let phone_id = scene.phone.vault.life().0;
    // It never reaches anybody.
    let joined = (scene.laptop.vault.id(), &scene.kit);
    let other = Device::join(&scene.bench, "other", joined, &scene.server);
    let Scene { bench, laptop, phone, server, kit, .. } = scene;
    let thief = Thief::of(phone.store, phone.vault, &kit);
    let honest = honest(&bench, &other, &thief);
    (Robbed { bench, laptop, server, kit }, thief, phone_id, honest)
}

/// How many snapshots the record says were adopted, and how many refused.
fn told(device: &Device) -> (u64, u64) {
    let (mut done, mut refused) = (0, 0);
    let count = &mut |logged: Logged| match (logged.event.action, logged.event.outcome) {
        (Action::Compact, Outcome::Done) => done += logged.event.count,
        (Action::Compact, Outcome::Refused) => refused += logged.event.count,
        _ => {}
    };
    device.session().audit(count).unwrap();
    (done, refused)
}

/// SNP-1, SNP-7, attack INT-13: a device that turned hostile makes snapshots that leave records out, change them or what
/// they were before, bring deleted ones back, say what does not stand there, take the bytes of attachments, are not in
/// order, have no end, or cover what is not there. Whoever has everything refuses each of them, now and when the views
/// are built anew, and nobody lets go of anything under it.
#[test]
fn snp_7_a_snapshot_that_changes_what_is_there_is_refused() {
    let (Robbed { bench, mut laptop, .. }, mut thief, phone_id, (notes, honest)) = stolen();
    assert!(honest.carries.len() > 10 && !honest.added.is_empty());
    let records = honest.carries.len() as u64 - 1;
    let forge = |carried: &mut Carried| {
        texts(carried).insert("text".to_owned(), Some("\"forged\"".to_owned()));
    };
    let state = laptop.state();
    for (what, forged, reason) in [
        (
            "all gone",
            honest.with(|it| drop(it.carries.drain(..it.carries.len() - 1))).linked(),
            Unsound::Unfaithful(records),
        ),
        ("one gone", honest.with(|it| drop(it.carries.remove(3))).linked(), Unsound::Unfaithful(1)),
        (
            "another text",
            honest.with(|it| forge(&mut it.carry(1, 2).ops[0])),
            Unsound::Unfaithful(1),
        ),
        (
            "another text of one that was edited",
            honest.with(|it| forge(&mut it.carry(2, 0).ops[1])),
            Unsound::Unfaithful(1),
        ),
        (
            "another old text",
            honest.with(|it| forge(&mut it.carry(2, 0).ops[0])),
            Unsound::Unfaithful(1),
        ),
        (
            "another author",
            honest.with(|it| it.carry(1, 0).ops[0].op.author = "assistant:x".to_owned()),
            Unsound::Unfaithful(1),
        ),
        (
            "another time",
            honest.with(|it| it.carry(1, 0).ops[0].op.clock += 1),
            Unsound::Unfaithful(1),
        ),
        (
            "another place",
            honest.with(|it| it.carry(1, 0).ops[0].dot.index += 7),
            Unsound::Unfaithful(1),
        ),
        (
            "a place that is not covered",
            honest.with(|it| it.carry(1, 0).ops[0].dot.number += 1000),
            Unsound::Form,
        ),
        (
            "as replaced",
            honest.with(|it| it.carry(1, 0).ops[0].replaced.push("text".to_owned())),
            Unsound::Unfaithful(1),
        ),
        ("no bytes", honest.with(|it| it.added.clear()), Unsound::Chunks),
        ("other bytes", honest.with(|it| it.added[0].hash = Hash([7; 32])), Unsound::Chunks),
        ("disorder", honest.with(|it| it.carries.swap(3, 4)), Unsound::Form),
        ("a gap", honest.with(|it| drop(it.carries.remove(3))), Unsound::Form),
        ("no end", honest.with(|it| drop(it.carries.pop())), Unsound::Form),
        (
            "more after the end",
            honest.with(|it| it.carries.extend(it.carries.clone())),
            Unsound::Form,
        ),
        ("a fork", honest.with(|it| it.is_fork = true), Unsound::Fork),
    ] {
        thief.snapshot(notes, forged);
        let done = laptop.sync(thief.store.as_ref());
        assert!(done.findings.is_empty(), "{what}: {done:?}");
        assert_eq!(laptop.vault.refused_snapshots().unwrap(), [(phone_id, reason)], "{what}");
        assert_eq!(laptop.vault.adopted_snapshots().unwrap(), [], "{what}");
        assert_eq!(laptop.vault.let_go().unwrap().entries, 0, "{what}");
        assert_eq!(laptop.state(), state, "{what}");
    }
    assert_eq!(told(&laptop), (0, 17));
    laptop.session().rebuild().unwrap();
    assert_eq!(laptop.vault.refused_snapshots().unwrap().len(), 1);
    assert_eq!(
        (laptop.state(), laptop.vault.adopted_snapshots().unwrap()),
        (state.clone(), vec![])
    );
    // The same without a lie is adopted.
    thief.snapshot(notes, honest);
    laptop.sync(thief.store.as_ref());
    assert_eq!(laptop.vault.refused_snapshots().unwrap(), []);
    assert_eq!(laptop.vault.adopted_snapshots().unwrap().len(), 1);
    assert_eq!((laptop.state(), told(&laptop)), (state, (1, 17)));
    drop(bench);
}

/// SNP-7: entries were let go of under an honest snapshot. A hostile one that covers that one is still compared with it: by who
/// has adopted the first, when its views are built anew, and by a newcomer.
#[test]
fn snp_7_what_an_earlier_snapshot_carries_is_not_changed_by_a_later_one() {
    let (Robbed { bench, mut laptop, server, kit }, mut thief, phone_id, (notes, honest)) =
        stolen();
    thief.snapshot(notes, honest.clone());
    laptop.sync(thief.store.as_ref());
    laptop.vault.retire_device(phone_id).unwrap();
    assert!(laptop.vault.let_go().unwrap().entries > 20);
    let state = laptop.state();
    laptop.sync(&server);
    thief.snapshot(notes, honest.with(|it| drop(it.carries.remove(3))).linked());
    laptop.sync(thief.store.as_ref());
    laptop.sync(&server);
    let refused = [(phone_id, Unsound::Unfaithful(1))];
    assert_eq!(laptop.vault.refused_snapshots().unwrap(), refused);
    laptop.session().rebuild().unwrap();
    assert_eq!(laptop.vault.refused_snapshots().unwrap(), refused);
    assert_eq!(laptop.state(), state);
    let tablet = Device::join(&bench, "tablet", (laptop.vault.id(), &kit), &server);
    assert_eq!(tablet.vault.refused_snapshots().unwrap(), refused);
    assert_eq!(tablet.state(), state);
    // What this device makes next covers both, and is adopted.
    laptop.session().remove(add(&laptop, "gone", "soon")).unwrap();
    pass_days(&bench, 60);
    assert_eq!(compact(&bench, &laptop).records, 1);
    assert_eq!(laptop.vault.refused_snapshots().unwrap(), []);
    assert_eq!(laptop.vault.adopted_snapshots().unwrap().len(), 1);
    assert_eq!(laptop.state(), state);
}

/// A device that was retired or revoked is not waited for; and when each was heard of is what it says itself.
#[test]
fn who_is_waited_for_is_known() {
    let Scene { bench, mut laptop, mut phone, server, kit, .. } = scene();
    let mut tablet = Device::join(&bench, "tablet", (laptop.vault.id(), &kit), &server);
    tablet.sync(&server);
    laptop.sync(&server);
    let (phone_id, tablet_id) = (phone.vault.life().0, tablet.vault.life().0);
    let met_ms = laptop.vault.heard().unwrap()[&phone_id].last_ms.unwrap();
    pass_days(&bench, 10);
    compact(&bench, &laptop);
    laptop.sync(&server);
    let mut both = vec![phone_id, tablet_id];
    both.sort_unstable();
    assert_eq!(awaited(&laptop), both);
    laptop.vault.retire_device(tablet_id).unwrap();
    laptop.sync(&server);
    assert_eq!(awaited(&laptop), [phone_id]);
    assert_eq!(laptop.vault.heard().unwrap()[&phone_id].last_ms, Some(met_ms));
    add(&phone, "later", "ten days later");
    phone.sync(&server);
    laptop.sync(&server);
    let later_ms = laptop.vault.heard().unwrap()[&phone_id].last_ms.unwrap();
    let days = (later_ms - met_ms) / DAY_MS.unsigned_abs();
    assert_eq!(days, 10, "{met_ms} {later_ms}");
}
