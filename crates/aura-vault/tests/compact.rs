// SPDX-License-Identifier: MIT OR Apache-2.0
//! Snapshots: what was deleted or replaced long ago goes, everywhere, once every device has agreed, and nothing
//! that anybody sees changes by it.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failing step ends the test")]

mod support;

use aura_protocol::store::{LocalLog, StoreError};
use aura_store::local::LocalStore;
use aura_store::replicate::Finding;
use aura_vault::compact::{Compacted, Resolve};
use support::pair::Device;
use support::snapshots::{
    DAY_MS, Scene, add, awaited, compact, edit, entries, forget, lived, pass_days, retention,
    scene, verify,
};
use support::{Bench, START_MS};

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
    for is_tablet_first in [false, true] {
        late_change(is_tablet_first);
    }
}

fn late_change(is_tablet_first: bool) {
    let Scene { bench, mut laptop, mut phone, server, kit, ids } = scene();
    let mut tablet = Device::join(&bench, "tablet", (laptop.vault.id(), &kit), &server);
    tablet.sync(&server);
    laptop.sync(&server);
    // The phone edits, unknown to the laptop, a note that the laptop deletes for good.
    laptop.session().remove(ids[9]).unwrap();
    pass_days(&bench, 60);
    edit(&phone, ids[9], "late");
    let between = bench.dir.path().join("between");
    let between = LocalStore::create(&between, phone.vault.id(), Box::new(|| START_MS)).unwrap();
    phone.sync(&between);
    tablet.sync(&between);
    compact(&bench, &laptop);
    laptop.sync(&server);
    if is_tablet_first {
        tablet.sync(&server);
    }
    phone.sync(&server);
    phone.sync(&server);
    laptop.sync(&server);
    // What the phone meant it says itself, and nobody else for it.
    assert_eq!(laptop.session().get(ids[9]).unwrap().unwrap().fields["name"], "n9");
    assert_eq!(laptop.session().history(ids[9]).unwrap().len(), 2);
    for device in [&mut tablet, &mut phone, &mut laptop] {
        device.sync(&server);
        device.sync(&server);
    }
    laptop.sync(&server);
    tablet.sync(&server);
    assert_eq!(laptop.session().history(ids[9]).unwrap().len(), 2);
    assert_eq!(laptop.state(), tablet.state());
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
    // The next snapshot carries the late change without what it stood on.
    laptop.session().remove(ids[10]).unwrap();
    pass_days(&bench, 60);
    assert_eq!(compact(&bench, &laptop).records, 1);
    laptop.sync(&server);
    for device in [&mut laptop, &mut phone, &mut tablet] {
        device.sync(&server);
        assert_eq!(device.vault.refused_snapshots().unwrap(), []);
        assert_eq!(device.vault.adopted_snapshots().unwrap().len(), 1);
    }
}

/// SNP-3, fault F-18: nobody waited for a device that was put away. It comes back, and what it changed meanwhile is whole.
#[test]
fn a_retired_device_that_comes_back_loses_nothing_that_it_changed() {
    let Scene { bench, mut laptop, mut phone, server, ids, .. } = scene();
    edit(&phone, ids[9], "late");
    laptop.vault.retire_device(phone.vault.life().0).unwrap();
    laptop.session().remove(ids[9]).unwrap();
    pass_days(&bench, 60);
    compact(&bench, &laptop);
    assert!(laptop.vault.let_go().unwrap().entries > 20);
    laptop.sync(&server);
    assert!(forget(&laptop, &server).unwrap() > 20);
    phone.sync(&server);
    phone.sync(&server);
    laptop.sync(&server);
    for device in [&laptop, &phone] {
        let record = device.session().get(ids[9]).unwrap().unwrap();
        assert_eq!(
            (&record.fields["name"], &record.fields["text"]),
            (&"n9".into(), &"late".into())
        );
        verify(device);
    }
    assert_eq!(laptop.state(), phone.state());
}

/// SNP-8, fault F-18: two devices make snapshots at once, and one of them carries what the other one lets go of, since it
/// knows of a later change. Neither is accused of a lie, and what was changed is whole in the end.
#[test]
fn a_snapshot_beside_another_one_with_a_late_change_is_no_lie() {
    let Scene { bench, mut laptop, mut phone, server, ids, .. } = scene();
    laptop.session().remove(ids[9]).unwrap();
    let between = bench.dir.path().join("between");
    let between = LocalStore::create(&between, phone.vault.id(), Box::new(|| START_MS)).unwrap();
    edit(&phone, ids[9], "late");
    laptop.sync(&between);
    // The phone hears of the delete, and the laptop not of the change.
    phone.sync(&between);
    pass_days(&bench, 60);
    compact(&bench, &laptop);
    compact(&bench, &phone);
    for _ in 0..3 {
        laptop.sync(&server);
        phone.sync(&server);
    }
    laptop.sync(&server);
    for device in [&laptop, &phone] {
        assert_eq!(device.vault.refused_snapshots().unwrap(), []);
        let record = device.session().get(ids[9]).unwrap().unwrap();
        assert_eq!(
            (&record.fields["name"], &record.fields["text"]),
            (&"n9".into(), &"late".into())
        );
        verify(device);
    }
    assert_eq!(laptop.state(), phone.state());
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
