// SPDX-License-Identifier: MIT OR Apache-2.0
//! Snapshots that a listed device makes which turned hostile: nobody who has what they cover adopts one that says anything
//! else than stands there.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failing step ends the test")]

mod support;

use aura_protocol::head::Position;
use aura_protocol::id::{DeviceId, FeedId, Hash, Incarnation, RecordId};
use aura_protocol::store::LocalLog;
use aura_vault::audit::{Action, Outcome};
use aura_vault::feed::{Batch, Commit};
use aura_vault::gate::Logged;
use aura_vault::op::{Carried, Carry, Change, Dot, Op};
use aura_vault::open::{Unsound, Wait};
use support::forged::{Robbed, stolen, texts};
use support::pair::Device;
use support::snapshots::{DAY_MS, add, compact, forget, pass_days};
use support::thief::Thief;
use support::{Bench, START_MS};

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
    // Without the end, and the one that was deleted: of that nothing needs to be carried.
    let records = honest.carries.len() as u64 - 2;
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
        (
            "one of two texts as replaced",
            honest.with(|it| it.carry(3, 0).ops[1].replaced.push("text".to_owned())),
            Unsound::Unfaithful(1),
        ),
        (
            "one of two texts as seen",
            honest.with(|it| it.carry(3, 0).ops[1].is_named = true),
            Unsound::Unfaithful(1),
        ),
        (
            "what the next import needs left out",
            honest.with(|it| {
                let is_second = |carried: &Carried| carried.op.author == "import:2";
                let mut all = it.carries.iter_mut().map(|carry| &mut carry.ops);
                let ops = all.find(|ops| ops.iter().any(is_second)).unwrap();
                let at = ops.iter().position(is_second).unwrap();
                let mut second = ops.remove(at);
                // What it did to the first one is said.
                let first = ops.iter_mut().find(|it| it.op.author == "import:1").unwrap();
                first.is_named = true;
                first.replaced.extend(texts(&mut second).keys().cloned());
                first.replaced.sort_unstable();
                first.replaced.dedup();
            }),
            Unsound::Unfaithful(1),
        ),
        (
            "deleted, as replaced",
            honest.with(|it| it.carry(4, 0).ops[2].replaced.push("text".to_owned())),
            Unsound::Unfaithful(1),
        ),
        (
            "deleted, another text",
            honest.with(|it| forge(&mut it.carry(4, 0).ops[2])),
            Unsound::Unfaithful(1),
        ),
        (
            "deleted, without its last text",
            honest.with(|it| drop(it.carry(4, 0).ops.remove(2))),
            Unsound::Unfaithful(1),
        ),
        ("no bytes", honest.with(|it| it.added.clear()), Unsound::Chunks),
        (
            "bytes that are said after it",
            honest.with(|it| it.later = core::mem::take(&mut it.added)),
            Unsound::Chunks,
        ),
        ("other bytes", honest.with(|it| it.added[0].hash = Hash([7; 32])), Unsound::Chunks),
        ("disorder", honest.with(|it| it.carries.swap(3, 4)), Unsound::Form),
        ("a gap", honest.with(|it| drop(it.carries.remove(3))), Unsound::Form),
        (
            "an end elsewhere",
            honest.with(|it| it.carries.last_mut().unwrap().after = None),
            Unsound::Form,
        ),
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
    assert_eq!(told(&laptop), (0, 25));
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
    assert_eq!((laptop.state(), told(&laptop)), (state, (1, 25)));
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
    let mut tablet = Device::join(&bench, "tablet", (laptop.vault.id(), &kit), &server);
    tablet.vault.adopt_waiting().unwrap();
    assert_eq!(tablet.vault.refused_snapshots().unwrap(), refused);
    assert_eq!(tablet.state(), state);
    // What this device makes next covers both, and is adopted.
    laptop.session().remove(add(&laptop, "gone", "soon")).unwrap();
    pass_days(&bench, 60);
    assert_eq!(compact(&bench, &laptop).records, 2, "and the one in the trash");
    assert_eq!(laptop.vault.refused_snapshots().unwrap(), []);
    assert_eq!(laptop.vault.adopted_snapshots().unwrap().len(), 1);
    assert_eq!(laptop.state(), state);
}

/// SNP-1: entries of a snapshot's range that say nothing of it are passed over, wherever they stand, also when one record is
/// looked for in it.
#[test]
fn snp_1_a_record_is_found_between_entries_that_say_something_else() {
    for breaks in [vec![1], vec![3, 5], vec![0, 4, 8, 9, 13], (0..14).collect()] {
        let (Robbed { bench, mut laptop, .. }, mut thief, phone_id, (notes, honest)) = stolen();
        let (state, ids) = (laptop.state(), honest.carries.iter().filter_map(|carry| carry.record));
        let histories = |of: &Device| -> Vec<usize> {
            let is_live = |id: &RecordId| matches!(of.session().get(*id), Ok(Some(_)));
            ids.clone().filter(is_live).map(|id| of.session().history(id).unwrap().len()).collect()
        };
        let carried = honest
            .carries
            .iter()
            .filter(|carry| carry.record.is_some())
            .map(|carry| carry.ops.len());
        let carried: usize = carried.sum();
        thief.snapshot(notes, honest.with(|it| it.breaks.clone_from(&breaks)));
        laptop.sync(thief.store.as_ref());
        laptop.vault.retire_device(phone_id).unwrap();
        assert_eq!(laptop.vault.refused_snapshots().unwrap(), [], "{breaks:?}");
        assert!(laptop.vault.let_go().unwrap().entries > 20, "{breaks:?}");
        // All but the four of the one in the trash.
        assert_eq!(histories(&laptop).iter().sum::<usize>(), carried - 4, "{breaks:?}");
        laptop.session().rebuild().unwrap();
        assert_eq!(laptop.state(), state);
        assert_eq!(histories(&laptop).iter().sum::<usize>(), carried - 4, "{breaks:?}");
        drop(bench);
    }
}

/// SNP-8, attack INT-13: a snapshot that says that it covers what is nowhere cannot be compared with everything that it
/// covers: nobody takes it at its word, whatever else it says.
#[test]
fn snp_8_what_covers_more_than_there_is_waits() {
    let (Robbed { bench, mut laptop, .. }, mut thief, _, (notes, honest)) = stolen();
    let state = laptop.state();
    let at = |number| Position { number, hash: Hash([7; 32]) };
    let of = |device, incarnation| FeedId { collection: notes, device, incarnation };
    let nobody = of(DeviceId([9; 16]), Incarnation([9; 8]));
    let (own, incarnation) = laptop.vault.life();
    let mut earlier = incarnation;
    earlier.0[0] ^= 1;
    let none = honest.with(|it| drop(it.carries.drain(..it.carries.len() - 1))).linked();
    for more in [(nobody, at(1)), (of(own, incarnation), at(1000)), (of(own, earlier), at(1))] {
        for forged in [&none, &honest] {
            thief.snapshot(notes, forged.with(|it| it.more.push(more)));
            laptop.sync(thief.store.as_ref());
            laptop.vault.let_go().unwrap();
            assert_eq!(laptop.vault.adopted_snapshots().unwrap(), [], "{more:?}");
            assert_eq!(laptop.vault.refused_snapshots().unwrap(), [], "{more:?}");
            assert_eq!(
                (laptop.vault.let_go().unwrap().entries, laptop.state()),
                (0, state.clone())
            );
        }
    }
    laptop.session().rebuild().unwrap();
    assert_eq!((laptop.vault.adopted_snapshots().unwrap(), laptop.state()), (vec![], state));
    drop(bench);
}

/// SNP-8, attack AVL-05: a snapshot that says that it covers everything, and more, takes the place of none that was adopted:
/// devices and stores go on letting go under that one, and whose the other is can be told.
#[test]
fn snp_8_what_was_not_adopted_takes_no_other_ones_place() {
    let (Robbed { bench, mut laptop, server, .. }, mut thief, phone_id, (notes, honest)) = stolen();
    thief.snapshot(notes, honest.clone());
    laptop.sync(thief.store.as_ref());
    let nobody =
        FeedId { collection: notes, device: DeviceId([9; 16]), incarnation: Incarnation([9; 8]) };
    let at = Position { number: 1000, hash: Hash([7; 32]) };
    thief.snapshot(notes, honest.with(|it| it.more.push((nobody, at))).linked());
    laptop.sync(thief.store.as_ref());
    let waiting = laptop.vault.waiting_snapshots().unwrap();
    assert!(
        matches!(&waiting[..], [one] if one.device == phone_id && one.wait == Wait::Comparison),
        "{waiting:?}"
    );
    assert_eq!(waiting[0].due_ms(), None);
    laptop.sync(&server);
    assert!(forget(&laptop, &server).unwrap() > 20);
    assert!(laptop.vault.let_go().unwrap().entries > 20);
    // Since when it waits is not forgotten.
    pass_days(&bench, 3);
    laptop.sync(&server);
    assert_eq!(laptop.vault.waiting_snapshots().unwrap(), waiting);
}

/// SNP-8, attack INT-13: what an earlier snapshot let go of is not taken from a later one, nor anything that is said to
/// have stood there.
#[test]
fn snp_8_what_is_gone_is_in_no_later_snapshot() {
    let (Robbed { bench, mut laptop, server, kit }, mut thief, phone_id, (notes, honest)) =
        stolen();
    thief.snapshot(notes, honest.clone());
    laptop.sync(thief.store.as_ref());
    laptop.vault.retire_device(phone_id).unwrap();
    assert!(laptop.vault.let_go().unwrap().entries > 20);
    laptop.sync(&server);
    let (state, trash) = (laptop.state(), laptop.session().trash(None, 100).unwrap().len());
    let adopted = laptop.vault.adopted_snapshots().unwrap();
    // A write that the first one does not carry, of a record that there never was.
    let forged = honest.with(|it| {
        let mut carried = it.carry(1, 0).ops[0].clone();
        carried.dot.index = 99;
        carried.is_named = true;
        let record = RecordId([0xff; 16]);
        let Change::Write { record: of, .. } = &mut carried.op.change else { panic!("no write") };
        *of = record;
        let end = it.carries.len() - 1;
        it.carries.insert(end, Carry { after: None, record: Some(record), ops: vec![carried] });
    });
    thief.snapshot(notes, forged.linked());
    laptop.sync(thief.store.as_ref());
    laptop.sync(&server);
    let mut tablet = Device::join(&bench, "tablet", (laptop.vault.id(), &kit), &server);
    tablet.vault.adopt_waiting().unwrap();
    laptop.session().rebuild().unwrap();
    for device in [&laptop, &tablet] {
        assert_eq!(device.session().trash(None, 100).unwrap().len(), trash);
        assert_eq!(device.state(), state);
        // One that counts for nothing here takes the place of none that does.
        assert_eq!(device.vault.adopted_snapshots().unwrap(), adopted);
        assert_eq!(device.vault.refused_snapshots().unwrap(), []);
    }
    assert_eq!(adopted.len(), 1);
}

/// SNP-7, attack INT-13: a snapshot covers a delete, and not what it deletes. Were it let go of, what was deleted would be
/// there again for whoever comes later.
#[test]
fn snp_7_a_delete_stays_as_long_as_what_it_deletes() {
    let (Robbed { bench, mut laptop, .. }, mut thief, phone_id, (notes, honest)) = stolen();
    let laptop_id = laptop.vault.life().0;
    let of_laptop = |thief: &Thief| {
        let feeds = LocalLog::feeds(thief.store.as_ref()).unwrap();
        let own = feeds
            .into_iter()
            .find(|(feed, _)| (feed.collection, feed.device) == (notes, laptop_id));
        own.unwrap()
    };
    let before = of_laptop(&thief);
    let deleted = add(&laptop, "deleted", "by the thief");
    laptop.sync(thief.store.as_ref());
    let (feed, at) = of_laptop(&thief);
    assert_eq!(at.number, before.1.number + 1);
    let dot =
        Dot { device: feed.device, incarnation: feed.incarnation, number: at.number, index: 0 };
    let clock = thief.pen.tick(START_MS + 190 * DAY_MS);
    let change = Change::Delete { record: deleted, seen: vec![dot] };
    let ops = vec![Op { clock, author: String::new(), change }];
    let batch = Batch { collection: notes, ops, added: Vec::new(), dropped: Vec::new() };
    let mut entropy = Bench::new().environment().entropy.as_ref()();
    thief.write(&Commit { batches: vec![batch], ..Commit::default() }, entropy.as_mut());
    thief.snapshot(notes, honest.with(|it| it.more.push(before)));
    laptop.sync(thief.store.as_ref());
    assert!(!matches!(laptop.session().get(deleted), Ok(Some(_))), "it hears of the delete");
    let refused = [(phone_id, Unsound::Unfaithful(1))];
    assert_eq!(laptop.vault.refused_snapshots().unwrap(), refused);
    assert_eq!(laptop.vault.adopted_snapshots().unwrap(), []);
    drop(bench);
}
