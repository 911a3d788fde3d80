// SPDX-License-Identifier: MIT OR Apache-2.0
//! The access log: what stands in it, and who may read it.

use aura_protocol::http::HeadsAsk;
use aura_protocol::log::AccessKind::{Began, LoggedIn, Proved, Refused, Unproved, Written};
use aura_protocol::log::{
    AccessEvent, AccessKind, NoteKey, TILE_WIDTH, TileKind, TilePath, open_note,
};
use aura_testkit::conformance::NOTES;

use super::*;

fn log(desk: &Desk, token: &Token, name: &str) -> Said {
    desk.get(&format!("{}{name}", path::LOG), Some(token))
}

fn size(desk: &Desk, token: &Token) -> u64 {
    let text = String::from_utf8(log(desk, token, "key").bytes).unwrap();
    let key = NoteKey::parse(text.trim_end()).unwrap();
    let note = log(desk, token, "checkpoint");
    assert_eq!(note.status, 200, "{note:?}");
    open_note(&note.bytes, &key).unwrap().size
}

fn events(desk: &Desk, token: &Token) -> Vec<AccessEvent> {
    let width = size(desk, token);
    assert!(width <= TILE_WIDTH);
    let path = TilePath { kind: TileKind::Entries, number: 0, width }.to_string();
    let bytes = log(desk, token, &path).bytes;
    let (mut rest, mut events) = (bytes.as_slice(), Vec::new());
    while let Some((length, after)) = rest.split_first_chunk::<2>() {
        let (leaf, after) = after.split_at(usize::from(u16::from_be_bytes(*length)));
        events.push(AccessEvent::from_bytes(leaf, 64).unwrap());
        rest = after;
    }
    events
}

/// ACL-1, ACL-2: what is done and what is refused stands there, by device, and nothing of accounts or addresses.
#[test]
fn acl_2_writes_proofs_logins_and_refusals_are_logged() {
    let mut desk = Desk::new();
    let (mut author, token) = desk.founder("ada");
    let entry = author.entry(NOTES, vec![1; 60]);
    assert_eq!(desk.push(&token, &author.head(), &[entry]).status, 200);
    let (joiner, _) = author.joiner(&mut desk.seed);
    desk.login("ada", b"a guess", &joiner.transport_key()).refuses(ProblemKind::LoginRefused);
    let enrolment = desk.login("ada", INPUT, &joiner.transport_key()).body::<Granted>().token;
    desk.prove(&joiner, |_| {}).refuses(ProblemKind::Unauthenticated);
    let mut fork = author.clone();
    let (mut stranger, own) = (Author::stranger(&mut desk.seed, author.vault()), fork.head());
    desk.push(&token, &stranger.head(), &[]).refuses(ProblemKind::Refused);
    desk.push(&enrolment, &own, &[]).refuses(ProblemKind::Forbidden);
    let found = events(&desk, &token);
    let kinds: Vec<_> = found.iter().map(|event| event.kind).collect();
    for (kind, count) in [(Began, 1), (Proved, 1), (Written, 2), (Refused, 2)] {
        assert_eq!(
            kinds.iter().filter(|found| **found == kind).count(),
            count,
            "{kind:?} {kinds:?}"
        );
    }
    let written = found.iter().find(|event| event.kind == Written).unwrap();
    assert_eq!((written.device, written.count), (Some(author.device()), 1));
    // What a login came to is noted beside its answer.
    for _ in 0..600 {
        let kinds: Vec<_> = events(&desk, &token).iter().map(|event| event.kind).collect();
        let has = |kind: AccessKind, count: usize| {
            kinds.iter().filter(|found| **found == kind).count() >= count
        };
        if has(LoggedIn, 1) && has(Unproved, 2) {
            return;
        }
        desk.runtime.block_on(tokio::time::sleep(std::time::Duration::from_millis(50)));
    }
    panic!("logins are not logged");
}

/// ACL-4: the log is for the vault's devices: not for who only logged in, nor for another vault's; and what is no
/// tile of it is not there.
#[test]
fn acl_4_the_log_is_for_devices_of_the_vault() {
    let mut desk = Desk::new();
    let (author, token) = desk.founder("ada");
    let (_, its) = desk.founder("bo");
    desk.get(&format!("{}checkpoint", path::LOG), None).refuses(ProblemKind::Unauthenticated);
    let (own, other) = (log(&desk, &token, "key"), log(&desk, &its, "key"));
    assert_ne!(own.bytes, other.bytes, "each vault has a log of its own");
    for name in [
        "tile/0/000",
        "tile/0/000.p/200",
        "tile/7/000.p/1",
        "tile/0/x999/999",
        "..",
        "x",
        "tile/entries/000",
    ] {
        log(&desk, &token, name).refuses(ProblemKind::Absent);
    }
    let width = size(&desk, &token);
    assert_eq!(log(&desk, &token, &format!("tile/0/000.p/{width}")).bytes.len() as u64, 32 * width);
    // ACL-3: polls are no leaves of their own.
    let heads = HeadsAsk { known: vec![] };
    assert_eq!(desk.post(path::HEADS, Some(&token), &heads).status, 200);
    assert_eq!(size(&desk, &token), width);
    let (joiner, _) = author.joiner(&mut desk.seed);
    let enrolment = desk.login("ada", INPUT, &joiner.transport_key()).body::<Granted>().token;
    log(&desk, &enrolment, "checkpoint").refuses(ProblemKind::Forbidden);
}
