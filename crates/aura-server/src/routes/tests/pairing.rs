// SPDX-License-Identifier: MIT OR Apache-2.0
//! Boxes of devices that pair: who may open one, what goes in, and who is bounded.

use aura_protocol::http::{
    PairingClose, PairingMessage, PairingPut, PairingTake, PairingTaken, ProblemKind,
};
use aura_protocol::id::PairingBox;
use aura_protocol::limits::{PAIRING_MESSAGE_BYTES_MAX, PAIRING_REQUEST_BYTES_MAX};
use aura_protocol::pairing::Step;

use super::*;
use crate::boxes::BoxError;

const PLACE: PairingBox = PairingBox([0x42; 16]);

fn message(step: Step, byte: u8) -> PairingPut {
    PairingPut { place: PLACE, step, message: PairingMessage(vec![byte; 100]) }
}

fn taken(desk: &Desk, step: Step) -> Said {
    desk.post(path::PAIRING_TAKE, None, &PairingTake { place: PLACE, step })
}

/// HTP-15: four messages through one box; whoever has no token puts two of them.
#[test]
fn htp_15_four_messages_go_through_a_box() {
    let mut desk = Desk::new();
    let (_, token) = desk.founder("ada");
    taken(&desk, Step::Offer).refuses(ProblemKind::Absent);
    desk.post(path::PAIRING_ANSWER, None, &message(Step::Answer, 2)).refuses(ProblemKind::Absent);
    assert_eq!(desk.post(path::PAIRING_PUT, Some(&token), &message(Step::Offer, 1)).status, 204);
    let none: PairingTaken = taken(&desk, Step::Answer).body();
    assert_eq!(none.message, None);
    desk.post(path::PAIRING_ANSWER, None, &message(Step::Done, 4)).refuses(ProblemKind::Refused);
    assert_eq!(desk.post(path::PAIRING_ANSWER, None, &message(Step::Answer, 2)).status, 204);
    let second = desk.post(path::PAIRING_ANSWER, None, &message(Step::Answer, 9));
    second.refuses(ProblemKind::Taken);
    assert_eq!(desk.post(path::PAIRING_PUT, Some(&token), &message(Step::Grant, 3)).status, 204);
    assert_eq!(desk.post(path::PAIRING_ANSWER, None, &message(Step::Done, 4)).status, 204);
    for (step, byte) in Step::ALL.into_iter().zip(1..) {
        let said: PairingTaken = taken(&desk, step).body();
        assert_eq!(said.message, Some(message(step, byte).message));
    }
    let close = PairingClose { place: PLACE };
    assert_eq!(desk.post(path::PAIRING_CLOSE, Some(&token), &close).status, 204);
    taken(&desk, Step::Offer).refuses(ProblemKind::Absent);
}

/// HTP-15, attacks DEV-09 and AVL-04: only a confirmed device of an account opens a box, or takes one away, and its own; so nobody
/// else keeps anything here.
#[test]
fn htp_15_only_a_vaults_own_device_opens_a_box() {
    let mut desk = Desk::new();
    let (author, token) = desk.founder("ada");
    let (_, other) = desk.founder("bob");
    let (mut waiting, add) = author.joiner(&mut desk.seed);
    let offer = message(Step::Offer, 1);
    desk.post(path::PAIRING_PUT, None, &offer).refuses(ProblemKind::Unauthenticated);
    desk.post(path::PAIRING_ANSWER, None, &offer).refuses(ProblemKind::Absent);
    let granted: Granted = desk.login("ada", INPUT, &waiting.transport_key()).body();
    let put = desk.post(path::PAIRING_PUT, Some(&granted.token), &offer);
    put.refuses(ProblemKind::Forbidden);
    // Nor does a device that waits.
    assert_eq!(desk.push(&granted.token, &waiting.head(), &[add]).status, 200);
    let its = desk.token(&waiting);
    desk.post(path::PAIRING_PUT, Some(&its), &offer).refuses(ProblemKind::Forbidden);
    assert_eq!(desk.post(path::PAIRING_PUT, Some(&token), &offer).status, 204);
    desk.post(path::PAIRING_ANSWER, None, &message(Step::Offer, 9)).refuses(ProblemKind::Forbidden);
    desk.post(path::PAIRING_ANSWER, None, &message(Step::Grant, 9)).refuses(ProblemKind::Forbidden);
    let answer = message(Step::Answer, 9);
    desk.post(path::PAIRING_PUT, Some(&token), &answer).refuses(ProblemKind::Forbidden);
    desk.post(path::PAIRING_PUT, Some(&other), &offer).refuses(ProblemKind::Taken);
    let close = PairingClose { place: PLACE };
    desk.post(path::PAIRING_CLOSE, None, &close).refuses(ProblemKind::Unauthenticated);
    assert_eq!(desk.post(path::PAIRING_CLOSE, Some(&other), &close).status, 204);
    assert!(taken(&desk, Step::Offer).body::<PairingTaken>().message.is_some());
    drop(author);
}

/// HTP-15, attack AVL-04: bodies, boxes and requests have their bounds; a restart voids every box.
#[test]
fn htp_15_boxes_have_bounds() {
    let mut desk = Desk::with(|config| {
        config.registration = Registration::Open;
        config.limits.open_per_second = 50;
    });
    let (author, token) = desk.founder("ada");
    let large = vec![0; PAIRING_MESSAGE_BYTES_MAX];
    let put = |bytes: Vec<u8>| PairingPut {
        place: PLACE,
        step: Step::Offer,
        message: PairingMessage(bytes),
    };
    let longer = put([large.as_slice(), &[0]].concat());
    desk.post(path::PAIRING_PUT, Some(&token), &longer).refuses(ProblemKind::Malformed);
    let far = vec![0; PAIRING_REQUEST_BYTES_MAX + 1];
    desk.post_bytes(path::PAIRING_PUT, Some(&token), far).refuses(ProblemKind::TooLarge);
    assert_eq!(desk.post(path::PAIRING_PUT, Some(&token), &put(large)).status, 204);
    for number in 1..5 {
        let place = PairingBox([number; 16]);
        let said = desk.post(
            path::PAIRING_PUT,
            Some(&token),
            &PairingPut { place, step: Step::Offer, message: PairingMessage(vec![1]) },
        );
        match number {
            4 => {
                said.refuses(ProblemKind::SlowDown);
                assert!(said.retry_after.is_some());
            }
            _ => assert_eq!(said.status, 204),
        }
    }
    let mut asked = (0..200).map(|_| taken(&desk, Step::Answer));
    let slowed = asked.find(|said| said.status != 200).expect("whoever asks without end is slowed");
    slowed.refuses(ProblemKind::SlowDown);
    drop(asked);
    desk.restarts();
    let gone = desk.server.boxes.take(PLACE, Step::Offer);
    assert!(matches!(gone, Err(BoxError::Refused(ProblemKind::Absent))), "{gone:?}");
    drop(author);
}
