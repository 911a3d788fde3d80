// SPDX-License-Identifier: MIT OR Apache-2.0
//! Snapshots of other devices wait for some days before anything goes under them, as long as nobody says otherwise.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test that panics has failed"
)]

mod support;

use std::sync::atomic::Ordering;

use aura_crypto::kdf::Argon2Params;
use aura_protocol::id::RecordId;
use aura_protocol::store::StoreError;
use aura_vault::compact::Resolve;
use aura_vault::home::Home;
use aura_vault::open::{GRACE_MS, Going, Wait, Waiting};
use aura_vault::retain::Retention;
use aura_vault::vault::Loss;
use zeroize::Zeroizing;

use support::pair::Device;
use support::snapshots::{DAY_MS, Scene, add, compact, edit, forget, pass_days, retention, scene};
use support::{Bench, PASSWORD, START_MS};

/// The laptop deletes what there is and, before anybody hears of it, lets go of all that is deleted.
fn emptied() -> (Scene, RecordId) {
    let mut scene = scene();
    let Scene { laptop, phone, server, ids, .. } = &mut scene;
    let kept = ids[0];
    assert_eq!(phone.session().trash(None, 100).unwrap().len(), 6);
    laptop.session().remove(kept).unwrap();
    ["second", "third"].into_iter().for_each(|text| edit(laptop, ids[9], text));
    let all = Retention {
        deleted_after_ms: i64::MAX,
        replaced_after_ms: Some(i64::MAX),
        changed_after_ms: i64::MAX,
    };
    assert_eq!(laptop.session().compact(&all, Resolve::Act).unwrap().records, 7);
    laptop.sync(server);
    phone.sync_patiently(server);
    (scene, kept)
}

/// The clock goes on a little whenever somebody looks at it.
fn is_now(bench: &Bench, time_ms: i64) -> bool {
    (0..900).contains(&(START_MS + bench.clock.0.load(Ordering::Relaxed) - time_ms))
}

fn in_trash(device: &Device) -> usize {
    device.session().trash(None, 100).unwrap().len()
}

/// Since when the phone waits for the days of the one snapshot that there is.
fn since(phone: &Device) -> i64 {
    let [Waiting { since_ms, wait: Wait::Days(going), .. }] =
        phone.vault.waiting_snapshots().unwrap()[..]
    else {
        panic!("{:?}", phone.vault.waiting_snapshots())
    };
    // All of seven, one of which was edited twice, and of eight others an old text each.
    assert_eq!(going, Going { records: 7, live: 0, changes: 7 * 2 + 2 + 8 });
    since_ms
}

/// SNP-10, attack INT-13: a device that deletes, and says in the same moment that nothing of it is to be kept, empties no
/// other device's trash for some days, nor any store.
#[test]
fn snp_10_what_goes_with_a_snapshot_stays_for_some_days() {
    let (Scene { bench, mut laptop, mut phone, server, .. }, _) = emptied();
    let began = since(&phone);
    let due = phone.vault.waiting_snapshots().unwrap()[0].due_ms();
    assert_eq!(due, Some(began + GRACE_MS));
    assert!(in_trash(&phone) == 7 && is_now(&bench, began));
    pass_days(&bench, 7);
    bench.clock.0.fetch_sub(1000, Ordering::Relaxed);
    phone.sync_patiently(&server);
    phone.session().rebuild().unwrap();
    laptop.sync(&server);
    assert!(matches!(forget(&laptop, &server), Err(StoreError::Unproven)));
    assert_eq!(in_trash(&phone), 7);
    // Views that are built anew know nothing of when that was.
    let again = since(&phone);
    assert!(is_now(&bench, again) && again - began < GRACE_MS);
    pass_days(&bench, 6);
    phone.sync_patiently(&server);
    assert_eq!((in_trash(&phone), since(&phone)), (7, again));
    pass_days(&bench, 1);
    phone.sync_patiently(&server);
    assert_eq!((in_trash(&phone), phone.state()), (0, laptop.state()));
    assert_eq!(phone.vault.waiting_snapshots().unwrap(), []);
    // What was adopted once does not wait when views are built anew.
    phone.session().rebuild().unwrap();
    assert_eq!(in_trash(&phone), 0);
    phone.sync_patiently(&server);
    laptop.sync(&server);
    assert!(forget(&laptop, &server).unwrap() > 20);
}

/// SNP-10: it waits no longer where the person says so.
#[test]
fn snp_10_a_person_may_adopt_it_at_once() {
    let (Scene { bench: _bench, mut laptop, mut phone, server, .. }, _) = emptied();
    phone.vault.adopt_waiting().unwrap();
    assert_eq!((in_trash(&phone), phone.vault.waiting_snapshots().unwrap()), (0, vec![]));
    phone.sync_patiently(&server);
    laptop.sync_patiently(&server);
    assert!(forget(&laptop, &server).unwrap() > 20);
}

/// SNP-10: another device's clock that is far ahead keeps nobody waiting.
#[test]
fn snp_10_days_begin_by_the_devices_own_clock() {
    let (Scene { bench, mut laptop, mut phone, server, .. }, _) = emptied();
    bench.clock.0.fetch_add(1000 * DAY_MS, Ordering::Relaxed);
    add(&laptop, "in years", "one");
    laptop.sync(&server);
    bench.clock.0.fetch_sub(1000 * DAY_MS, Ordering::Relaxed);
    phone.sync_patiently(&server);
    phone.session().rebuild().unwrap();
    assert!(is_now(&bench, since(&phone)));
}

/// SNP-10: where a device's clock is set back it waits no shorter, and not from before what it wrote last: a clock that is
/// set right later does not end its days.
#[test]
fn snp_10_days_go_on_where_a_clock_is_set_back() {
    let (Scene { bench, mut phone, server, .. }, _) = emptied();
    let began = since(&phone);
    bench.clock.0.fetch_sub(3000 * DAY_MS, Ordering::Relaxed);
    phone.sync_patiently(&server);
    phone.session().rebuild().unwrap();
    assert!((began - DAY_MS..began + DAY_MS).contains(&since(&phone)));
    pass_days(&bench, 3006);
    phone.sync_patiently(&server);
    assert_eq!(in_trash(&phone), 7);
    pass_days(&bench, 2);
    phone.sync_patiently(&server);
    assert_eq!(in_trash(&phone), 0);
}

/// SNP-7, SNP-10: a snapshot that covers one that waits is looked at when that one was adopted, and waits for days of its
/// own: it says what is left of what that one left.
#[test]
fn snp_10_one_after_the_other() {
    let (Scene { bench, mut laptop, mut phone, server, ids, .. }, _) = emptied();
    let began = since(&phone);
    laptop.session().remove(ids[1]).unwrap();
    pass_days(&bench, 2);
    let mut second = retention(&bench);
    second.deleted_after_ms = i64::MAX;
    assert_eq!(laptop.session().compact(&second, Resolve::Act).unwrap().records, 1);
    laptop.sync(&server);
    phone.sync_patiently(&server);
    assert_eq!((since(&phone), in_trash(&phone)), (began, 8));
    pass_days(&bench, 5);
    phone.sync_patiently(&server);
    assert_eq!((phone.vault.waiting_snapshots().unwrap().len(), in_trash(&phone)), (1, 1));
    pass_days(&bench, 7);
    phone.sync_patiently(&server);
    assert_eq!((phone.vault.waiting_snapshots().unwrap(), in_trash(&phone)), (vec![], 0));
    assert_eq!(phone.vault.refused_snapshots().unwrap(), []);
    assert_eq!(phone.state(), laptop.state());
}

/// SNP-9, fault F-08: something that a snapshot covers is damaged after this device has adopted it, before anybody let go of
/// it. Views that are built anew have what the snapshot carries all the same.
#[test]
fn snp_9_what_was_adopted_needs_nothing_to_compare_with() {
    let Scene { bench, mut laptop, mut phone, server, .. } = scene();
    assert!(compact(&bench, &laptop).changes > 0);
    laptop.sync(&server);
    phone.sync(&server);
    assert_eq!(phone.vault.adopted_snapshots().unwrap().len(), 1);
    let store = Home::new(&bench.dir.path().join("phone")).store().join("store.db");
    let store = rusqlite::Connection::open(store).unwrap();
    let spoil = "UPDATE entries SET body = zeroblob(length(body)) WHERE number = 3";
    assert!(store.execute(spoil, []).unwrap() > 0);
    phone.session().rebuild().unwrap();
    assert!(!phone.session().status().unwrap().quarantined.is_empty());
    assert_eq!(phone.state(), laptop.state());
    assert_eq!(phone.vault.adopted_snapshots().unwrap().len(), 1);
}

/// SNP-10: the days are for this: the device is revoked, and what it deleted is brought back.
#[test]
fn snp_10_a_revoked_device_lets_go_of_nothing() {
    let (Scene { bench, mut phone, laptop, server, kit, .. }, kept) = emptied();
    let password = Zeroizing::new(PASSWORD.to_owned());
    let loss = Loss {
        password: &password,
        cost: Argon2Params::FLOOR,
        recovery_code: Some(&kit.recovery_code),
    };
    phone.vault.revoke_device(laptop.vault.life().0, &loss).unwrap();
    assert_eq!(phone.vault.waiting_snapshots().unwrap(), []);
    pass_days(&bench, 30);
    for _ in 0..2 {
        phone.sync(&server);
        assert_eq!((in_trash(&phone), phone.vault.adopted_snapshots().unwrap()), (7, vec![]));
        phone.session().rebuild().unwrap();
    }
    phone.session().undo(kept).unwrap();
    assert!(matches!(phone.session().get(kept), Ok(Some(_))));
    // The next snapshot is the phone's own.
    assert!(compact(&bench, &phone).changes > 0);
    assert_eq!(phone.vault.adopted_snapshots().unwrap().len(), 1);
    phone.sync(&server);
    assert!(forget(&phone, &server).unwrap() > 20);
}
