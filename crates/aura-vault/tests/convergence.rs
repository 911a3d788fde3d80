// SPDX-License-Identifier: MIT OR Apache-2.0
//! Any order of delivery comes to the same state; undo comes back to where it was.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic is a failed test")]

mod support;

use std::collections::{BTreeMap, VecDeque};

use aura_crypto::key::DatabaseKey;
use aura_protocol::codec::{Decode, Encode};
use aura_protocol::id::{CollectionId, DeviceId, FeedId, Incarnation, RecordId};
use aura_vault::db::{Applicable, Db, Row};
use aura_vault::op::{Change, Compression, Dot, Op, decode_body, encode_body};
use aura_vault::record::Category;
use aura_vault::state::State;
use proptest::prelude::*;
use serde_json::json;
use support::{Bench, fields, note, owner};

const RECORD: RecordId = RecordId([1; 16]);

/// What one of three devices does next, having seen what it has seen.
#[derive(Debug, Clone)]
enum Act {
    Write {
        device: u8,
        path: u8,
        value: Option<u8>,
    },
    Delete {
        device: u8,
    },
    /// A device takes in everything that another one has.
    Meet {
        device: u8,
        other: u8,
    },
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => (0u8..3, 0u8..3, prop::option::of(0u8..4))
            .prop_map(|(device, path, value)| Act::Write { device, path, value }),
        1 => (0u8..3).prop_map(|device| Act::Delete { device }),
        2 => (0u8..3, 0u8..3).prop_map(|(device, other)| Act::Meet { device, other }),
    ]
}

/// Runs a history and returns every op with its dot.
fn history(acts: &[Act]) -> Vec<(Dot, Op)> {
    let mut seen: [Vec<(Dot, Op)>; 3] = Default::default();
    let mut all = Vec::new();
    let mut clock = 0;
    for act in acts {
        let (device, change): (u8, Change) = match act {
            Act::Meet { device, other } => {
                let theirs = seen[usize::from(*other)].clone();
                let mine = &mut seen[usize::from(*device)];
                for (dot, op) in theirs {
                    if !mine.iter().any(|(known, _)| *known == dot) {
                        mine.push((dot, op));
                    }
                }
                continue;
            }
            Act::Write { device, path, value } => {
                let state = state_of(&seen[usize::from(*device)]);
                let path = format!("p{path}");
                let seen = state.seen([path.as_str()]);
                let fields = BTreeMap::from([(path, value.map(|value| value.to_string()))]);
                (*device, Change::Write { record: RECORD, kind: 5, fields, seen })
            }
            Act::Delete { device } => {
                let state = state_of(&seen[usize::from(*device)]);
                (*device, Change::Delete { record: RECORD, seen: state.seen([]) })
            }
        };
        // Clocks of different devices stand still now and then: ties are broken by device.
        clock += u64::from(device % 2);
        let number =
            1 + all.iter().filter(|(dot, _): &&(Dot, Op)| dot.device.0[0] == device).count();
        let dot = Dot {
            device: DeviceId([device; 16]),
            incarnation: Incarnation([0; 8]),
            number: number as u64,
            index: 0,
        };
        let op = Op { clock, author: String::new(), change };
        seen[usize::from(device)].push((dot, op.clone()));
        all.push((dot, op));
    }
    all
}

fn state_of(ops: &[(Dot, Op)]) -> State {
    let mut state = State::default();
    for (dot, op) in ops {
        state.apply(*dot, op);
    }
    state
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// Attack FRK-08: the order of delivery changes nothing; applying twice changes nothing.
    #[test]
    fn frk_08_any_order_converges(
        acts in prop::collection::vec(act(), 1..40),
        keys in prop::collection::vec(any::<u32>(), 40),
    ) {
        let ops = history(&acts);
        let straight = state_of(&ops);
        let mut shuffled: Vec<_> = ops.iter().cloned().zip(keys).collect();
        shuffled.sort_by_key(|(_, key)| *key);
        let mut state = State::default();
        for ((dot, op), _) in &shuffled {
            state.apply(*dot, op);
            prop_assert!(!state.apply(*dot, op), "taken in twice");
        }
        prop_assert_eq!(state.is_live(), straight.is_live());
        prop_assert_eq!(state.leaf(RECORD), straight.leaf(RECORD));
        prop_assert_eq!(
            state.values().collect::<Vec<_>>(),
            straight.values().collect::<Vec<_>>()
        );
        prop_assert_eq!(state.conflicts(), straight.conflicts());
        let encoded = state.to_bytes();
        prop_assert_eq!(State::from_bytes(&encoded, usize::MAX).unwrap(), state);
    }

    /// A device that has seen everything has the last word.
    #[test]
    fn a_causal_successor_always_wins(acts in prop::collection::vec(act(), 1..30)) {
        let mut ops = history(&acts);
        let state = state_of(&ops);
        let fields = BTreeMap::from([("p1".to_owned(), Some("99".to_owned()))]);
        let change =
            Change::Write { record: RECORD, kind: 5, fields, seen: state.seen(["p1"]) };
        let dot = Dot {
            device: DeviceId([7; 16]),
            incarnation: Incarnation([0; 8]),
            number: 1,
            index: 0,
        };
        // Its clock is the lowest of all.
        ops.push((dot, Op { clock: 0, author: String::new(), change }));
        let state = state_of(&ops);
        prop_assert_eq!(state.value("p1"), Some("99"));
        prop_assert!(state.is_live());
        let delete = Op {
            clock: 0,
            author: String::new(),
            change: Change::Delete { record: RECORD, seen: state.seen([]) },
        };
        ops.push((Dot { number: 2, ..dot }, delete));
        prop_assert!(!state_of(&ops).is_live());
    }

    #[test]
    fn bodies_come_back(acts in prop::collection::vec(act(), 0..30), long in ".{0,2000}") {
        let mut ops: Vec<Op> = history(&acts).into_iter().map(|(_, op)| op).collect();
        ops.push(Op {
            clock: 7,
            author: "import:1".to_owned(),
            change: Change::Write {
                record: RECORD,
                kind: 1,
                fields: BTreeMap::from([("text".to_owned(), Some(long.repeat(3)))]),
                seen: Vec::new(),
            },
        });
        for compression in [Compression::PerRecord, Compression::None] {
            let body = encode_body(&ops, compression);
            prop_assert_eq!(&decode_body(&body).unwrap(), &ops);
        }
    }

    #[test]
    fn arbitrary_bytes_are_no_body_and_no_state(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        if let Ok(ops) = decode_body(&bytes) {
            prop_assert!(ops.len() <= 4096);
        }
        drop(State::from_bytes(&bytes, usize::MAX));
    }
}

/// Fault F-32: undoing a sequence of changes, newest first, comes back through every earlier state.
#[test]
fn f_32_undo_comes_back_to_each_state_before() {
    let bench = Bench::new();
    let (vault, _) = bench.create();
    let session = owner(&vault);
    let id = session.add(&note("a", "start", "one")).unwrap();
    let mut states = vec![session.status().unwrap().state_hash];
    for n in 0..4 {
        let change = json!({"text": format!("text {n}"), "keywords": {format!("k{n}"): true}});
        session.edit(id, &fields(change), &[]).unwrap();
        states.push(session.status().unwrap().state_hash);
    }
    // An undo is itself a change: undoing it leads forward again.
    session.undo(id).unwrap();
    assert_eq!(session.status().unwrap().state_hash, states[3]);
    session.undo(id).unwrap();
    assert_eq!(session.status().unwrap().state_hash, states[4]);
    session.remove(id).unwrap();
    assert_ne!(session.status().unwrap().state_hash, states[4]);
    session.undo(id).unwrap();
    assert_eq!(session.status().unwrap().state_hash, states[4]);
}

/// Ops on one record in three categories, as entries of their collections' feeds.
fn in_categories(ops: &[(Dot, Op)]) -> Vec<Applicable> {
    let categories = [Category::Health, Category::Calendar, Category::Notes];
    let entry = |(at, (dot, op)): (usize, &(Dot, Op))| {
        let category = categories[at % 3];
        let collection = CollectionId([category.code(); 16]);
        let feed = FeedId { collection, device: dot.device, incarnation: dot.incarnation };
        Applicable { feed, number: dot.number, category: Some(category), ops: vec![op.clone()] }
    };
    ops.iter().enumerate().map(entry).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// OPS-15, attack FRK-08: which category a record has does not depend on what came first.
    #[test]
    fn frk_08_the_category_converges_too(
        acts in prop::collection::vec(act(), 3..12),
        turns in prop::collection::vec(0usize..3, 12),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let open = |name: &str| {
            let key = DatabaseKey::from_slice(&[7; 32]).unwrap();
            Db::open(&folder.path().join(name), key).unwrap().0
        };
        let entries = in_categories(&history(&acts));
        let straight = open("straight");
        straight.apply(in_categories(&history(&acts))).unwrap();
        // Feeds come in their own order, and among each other in any.
        let mut waiting: BTreeMap<FeedId, VecDeque<Applicable>> = BTreeMap::new();
        for entry in entries {
            waiting.entry(entry.feed).or_default().push_back(entry);
        }
        let other = open("other");
        let mut turns = turns.into_iter().cycle();
        while !waiting.is_empty() {
            let at = turns.next().unwrap() % waiting.len();
            let feed = *waiting.keys().rev().nth(at).unwrap();
            match waiting.get_mut(&feed).unwrap().pop_front() {
                Some(entry) => drop(other.apply([entry]).unwrap()),
                None => drop(waiting.remove(&feed)),
            }
        }
        let (tally, twin) = (straight.tally().unwrap(), other.tally().unwrap());
        prop_assert_eq!(tally.state_hash(), twin.state_hash());
        prop_assert_eq!(tally.counts().collect::<Vec<_>>(), twin.counts().collect::<Vec<_>>());
        let [row, twin] = [straight, other].map(|db| db.record(RECORD).unwrap());
        let shape = |row: Option<Row>| row.map(|row| (row.category, row.state.leaf(row.id)));
        prop_assert_eq!(shape(row), shape(twin));
    }
}

/// What a device alone makes of a hundred records in five thousand changes, as entries of its feed.
fn weeks(device: u8) -> Vec<Applicable> {
    let (collection, incarnation) = (CollectionId([5; 16]), Incarnation([0; 8]));
    let feed = FeedId { collection, device: DeviceId([device; 16]), incarnation };
    let mut states = vec![State::default(); 100];
    let mut entries = Vec::new();
    for number in 1..=5_000_u64 {
        let at = usize::try_from(number % 100).unwrap();
        let record = RecordId([u8::try_from(at).unwrap() + 1; 16]);
        let path = format!("p{}", number % 3);
        let seen = states[at].seen([path.as_str()]);
        let value = (number * 10 + u64::from(device)).to_string();
        let fields = BTreeMap::from([(path, Some(value))]);
        let change = Change::Write { record, kind: 5, fields, seen };
        let op = Op { clock: number, author: String::new(), change };
        let dot = Dot { device: feed.device, incarnation, number, index: 0 };
        states[at].apply(dot, &op);
        entries.push(Applicable { feed, number, category: Some(Category::Notes), ops: vec![op] });
    }
    entries
}

/// Fault F-17: two devices change the same records for weeks without a word from each other, thousands of times each. In
/// either order it comes to the same, and of each field both last words are kept.
#[test]
fn f_17_thousands_of_changes_apart_come_together() {
    let folder = tempfile::tempdir().unwrap();
    let merged = |name: &str, devices: [u8; 2]| {
        let key = DatabaseKey::from_slice(&[7; 32]).unwrap();
        let db = Db::open(&folder.path().join(name), key).unwrap().0;
        for device in devices {
            db.apply(weeks(device)).unwrap();
        }
        db
    };
    let (one, other) = (merged("one", [1, 2]), merged("other", [2, 1]));
    assert_eq!(one.tally().unwrap().state_hash(), other.tally().unwrap().state_hash());
    assert_eq!(one.tally().unwrap().total(), 100);
    for record in (1..=100_u8).map(|byte| RecordId([byte; 16])) {
        for db in [&one, &other] {
            let row = db.record(record).unwrap().unwrap();
            assert_eq!(row.state.conflicts(), ["p0", "p1", "p2"]);
            // Of equal clocks the higher device's.
            assert!(row.state.value("p1").is_some_and(|value| value.ends_with('2')));
        }
    }
}
