// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a store answers about its heads (STO-1).

use std::time::{Duration, Instant};

use aura_protocol::head::Position;
use aura_protocol::id::{DeviceId, Hash, Incarnation};
use aura_protocol::signed::{Signature, Signed};
use aura_protocol::store::{Heads, StoredHead};

fn stored(device: u32, number: u64) -> StoredHead {
    let (device, incarnation) = life(device);
    let position = Position { number, hash: Hash([1; 32]) };
    let head = Signed::new(Vec::new(), Signature([0; 64]));
    StoredHead { device, incarnation, position, head }
}

fn life(device: u32) -> (DeviceId, Incarnation) {
    let mut id = [0; 16];
    id[..4].copy_from_slice(&device.to_be_bytes());
    (DeviceId(id), Incarnation([2; 8]))
}

fn known(device: u32, number: u64) -> (DeviceId, Incarnation, Position) {
    let stored = stored(device, number);
    (stored.device, stored.incarnation, stored.position)
}

/// STO-1: what differs, and what is absent, is the whole difference.
#[test]
fn an_answer_has_what_differs_and_names_what_is_absent() {
    let newest = vec![stored(1, 5), stored(2, 7), stored(3, 1)];
    let answer = Heads::answer(newest, &[known(1, 5), known(2, 6), known(4, 9)]);
    let news: Vec<_> = answer.news.iter().map(|head| head.device).collect();
    assert_eq!(news, [life(2).0, life(3).0]);
    assert_eq!(answer.absent, [life(4)]);
}

/// STO-1: as many heads as there may be, in a list of any length, are compared in no time.
#[test]
fn an_answer_takes_no_longer_than_reading_both_lists() {
    const COUNT: u32 = 60_000;
    let newest: Vec<_> = (0..COUNT).map(|device| stored(device, 1)).collect();
    let known: Vec<_> = (COUNT / 2..COUNT * 2).map(|device| known(device, 1)).collect();
    let begin = Instant::now();
    let answer = Heads::answer(newest, &known);
    assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
    assert_eq!((answer.news.len(), answer.absent.len()), (30_000, 60_000));
}
