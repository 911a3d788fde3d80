// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a device that turned hostile makes of a gap: entries that nobody else has seen, and that are let go of under a
//! snapshot of its own. Nobody believes it more for that.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failing step ends the test")]

mod support;

use std::path::Path;
use std::sync::Arc;

use aura_protocol::authority::Claim;
use aura_protocol::head::Position;
use aura_protocol::id::CollectionId;
use aura_protocol::store::LocalLog;
use aura_store::local::LocalStore;
use aura_vault::home::Home;
use aura_vault::op::Change;
use aura_vault::open::{Unsound, Wait, Waiting};
use rusqlite::params;
use support::forged::{Forged, Robbed, stolen, texts};
use support::pair::Device;
use support::thief::Thief;
use support::{Bench, START_MS};

/// SNP-9, SNP-10, attack INT-13: a device lacks something of what is covered, since it was let go of elsewhere, and has the
/// rest. It is no newcomer: what is here is compared all the same, and what goes waits for its days.
#[test]
fn snp_9_a_gap_is_no_reason_to_believe_everything() {
    let gone: fn(&mut Forged) = |it| drop(it.carries.drain(..it.carries.len() - 1));
    let forged: fn(&mut Forged) = |it| {
        *texts(&mut it.carry(1, 0).ops[0]).values_mut().next().unwrap() = Some("\"x\"".to_owned());
    };
    for change in [forged, gone] {
        let (Robbed { mut laptop, .. }, mut thief, phone_id, (notes, honest)) = stolen();
        let (state, own) = (laptop.state(), laptop.vault.life().0);
        // Nobody but the thief has seen the entries of the first one.
        thief.snapshot(notes, honest.clone());
        let last = thief.snapshot(notes, honest.with(change).linked());
        thief.say(Claim::Retire(own));
        assert!(LocalLog::forget(thief.store.as_ref(), last).unwrap() > 20);
        laptop.sync_patiently(thief.store.as_ref());
        let (refused, waiting) =
            (laptop.vault.refused_snapshots().unwrap(), laptop.vault.waiting_snapshots().unwrap());
        assert!(laptop.vault.lacks_snapshot().unwrap());
        if core::ptr::fn_addr_eq(change, forged) {
            assert_eq!((refused, waiting), (vec![(phone_id, Unsound::Unfaithful(1))], vec![]));
        } else {
            assert_eq!(refused, []);
            let [Waiting { wait: Wait::Days(going), .. }] = waiting[..] else {
                panic!("{waiting:?}")
            };
            assert!(going.live > 10 && going.records > going.live, "{going:?}");
        }
        assert_eq!((laptop.state(), laptop.vault.adopted_snapshots().unwrap()), (state, vec![]));
    }
}

/// Shows the thief's feed from after a position on, as a store would that was given no more of it.
fn begin_after(thief: &Thief, of: CollectionId, at: Position, home: &Path) {
    let store = rusqlite::Connection::open(home.join("store.db")).unwrap();
    let feed = thief.pen.feed(of);
    let row = params![&feed.device.0[..], &feed.incarnation.0[..], &of.0[..]];
    let find = "SELECT id FROM feeds WHERE device = ?1 AND incarnation = ?2 AND collection = ?3";
    let id: i64 = store.query_row(find, row, |row| row.get(0)).unwrap();
    let number = i64::try_from(at.number).unwrap();
    let floor = "UPDATE feeds SET floor = ?2, floor_hash = ?3 WHERE id = ?1";
    assert_eq!(store.execute(floor, params![id, number, &at.hash.0[..]]).unwrap(), 1);
    for table in ["entries", "names"] {
        let gone = format!("DELETE FROM {table} WHERE feed = ?1 AND number <= ?2");
        store.execute(&gone, params![id, number]).unwrap();
    }
}

/// The thief writes what nobody sees, lets go of it under a snapshot, and shows what comes after.
fn with_gap(
    bench: &Bench,
    mut thief: Thief,
    of: CollectionId,
    (first, last): (Forged, Forged),
) -> Thief {
    thief.snapshot(of, first);
    let feeds = LocalLog::feeds(thief.store.as_ref()).unwrap();
    let hidden = feeds.iter().find(|(feed, _)| *feed == thief.pen.feed(of)).unwrap().1;
    thief.snapshot(of, last);
    let home = Home::new(&bench.dir.path().join("phone")).store();
    let Thief { vault, head, pen, keyring, sign, store } = thief;
    drop(store);
    let store = Arc::new(LocalStore::open(&home, Box::new(|| START_MS)).unwrap());
    let thief = Thief { store, vault, head, pen, keyring, sign };
    begin_after(&thief, of, hidden, &home);
    thief
}

fn is_all_incomparable(device: &Device) -> bool {
    let waits = device.vault.waiting_snapshots().unwrap();
    waits.iter().all(|waiting| waiting.wait == Wait::Comparison)
}

/// SNP-9, attack INT-13: a device that has everything but what the thief let nobody see does not take the thief's word: not
/// where nothing seems to go, since every op is carried, each said to be replaced; nor of the thief's own feed.
#[test]
fn snp_9_who_was_made_to_lack_something_is_not_new() {
    let replaced: fn(&mut Forged) = |it| {
        for carried in it.carries.iter_mut().flat_map(|carry| &mut carry.ops) {
            let Change::Write { fields, .. } = &carried.op.change else { continue };
            carried.is_named = true;
            carried.replaced = fields.keys().cloned().collect();
        }
    };
    let nothing: fn(&mut Forged) = |_| {};
    for change in [replaced, nothing, all_of_its_own] {
        let (Robbed { mut laptop, bench, .. }, thief, _, (notes, honest)) = stolen();
        let state = laptop.state();
        let thief = with_gap(&bench, thief, notes, (honest.clone(), honest.with(change).linked()));
        drop(laptop.sync_patiently(thief.store.as_ref()));
        assert!(laptop.vault.lacks_snapshot().unwrap());
        assert_eq!(laptop.vault.refused_snapshots().unwrap(), []);
        assert!(is_all_incomparable(&laptop));
        laptop.vault.adopt_waiting().unwrap();
        assert_eq!(laptop.state(), state);
        // What the thief's device had written itself it may take back; nobody's else.
        laptop.session().rebuild().unwrap();
        assert_eq!(laptop.vault.adopted_snapshots().unwrap(), []);
    }
}

/// Nothing of what the thief's device has written is left.
fn all_of_its_own(it: &mut Forged) {
    it.carries.drain(..it.carries.len() - 1);
    it.is_own = true;
}

/// SNP-9, attack INT-13: nor is who has adopted one before, and never wrote anything.
#[test]
fn snp_9_who_has_adopted_one_is_not_new() {
    let (Robbed { mut laptop, bench, server, kit }, mut thief, _, (notes, honest)) = stolen();
    thief.snapshot(notes, honest.clone());
    laptop.sync(thief.store.as_ref());
    laptop.sync(&server);
    let mut tablet = Device::join(&bench, "tablet", (laptop.vault.id(), &kit), &server);
    tablet.vault.adopt_waiting().unwrap();
    tablet.sync(&server);
    let (state, adopted) = (tablet.state(), tablet.vault.adopted_snapshots().unwrap());
    assert_eq!(adopted.len(), 1);
    let all = honest.with(all_of_its_own).linked();
    let thief = with_gap(&bench, thief, notes, (honest, all));
    drop(tablet.sync_patiently(thief.store.as_ref()));
    assert!(tablet.vault.lacks_snapshot().unwrap() && is_all_incomparable(&tablet));
    tablet.vault.adopt_waiting().unwrap();
    assert_eq!((tablet.state(), tablet.vault.adopted_snapshots().unwrap()), (state, adopted));
}
