// SPDX-License-Identifier: MIT OR Apache-2.0
//! Snapshots: what was deleted or replaced long ago goes, everywhere, once every device has agreed, and nothing
//! that anybody sees changes by it.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failing step ends the test")]

mod support;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use aura_protocol::id::{DeviceId, RecordId};
use aura_protocol::store::{Access, BlindStore, LocalLog, StoreError};
use aura_store::local::LocalStore;
use aura_store::replicate::Finding;
use aura_vault::compact::{Compacted, Resolve};
use aura_vault::record::{Attachment, Draft};
use aura_vault::retain::Retention;
use aura_vault::vault::Kit;
use pollster::block_on;
use support::pair::Device;
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
