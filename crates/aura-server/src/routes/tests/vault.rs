// SPDX-License-Identifier: MIT OR Apache-2.0
//! Heads, entries, chunks and news.

use aura_protocol::http::{
    Entries, HasAnswer, HasAsk, HeadsAnswer, HeadsAsk, OCTETS, PushAnswer, Read,
};
use aura_protocol::id::ChunkName;
use aura_testkit::author::chunk;
use aura_testkit::conformance::{MAIL, NOTES};
use tokio::time::timeout;

use super::*;

fn put(desk: &Desk, token: &Token, name: ChunkName, sealed: &[u8]) -> Said {
    let path = format!("{}{name}", path::CHUNKS);
    let mut request = Desk::request("PUT", &path, Some(token));
    request.headers_mut().unwrap().insert(CONTENT_TYPE, OCTETS.parse().unwrap());
    desk.send(request.body(Body::from(sealed.to_vec())).unwrap())
}

#[test]
fn what_is_pushed_is_shown_and_read() {
    let mut desk = Desk::new();
    let (mut author, token) = desk.founder("ada");
    let entries = [author.entry(NOTES, vec![1; 60]), author.entry(NOTES, vec![2; 70])];
    let head = author.head();
    // In two batches: the first one says what is missing.
    let half: PushAnswer = desk.push(&token, &head, &entries[..1]).body();
    assert_eq!(half.0.missing, [(author.feed(NOTES), 1)]);
    let whole: PushAnswer = desk.push(&token, &head, &entries[1..]).body();
    assert!(whole.0.missing.is_empty());
    let shown: HeadsAnswer =
        desk.post(path::HEADS, Some(&token), &HeadsAsk { known: vec![] }).body();
    assert_eq!(shown.0.news.len(), 1);
    assert_eq!(shown.0.news[0].head, head);
    let stored = &shown.0.news[0];
    let known = vec![(stored.device, stored.incarnation, stored.position)];
    let nothing: HeadsAnswer = desk.post(path::HEADS, Some(&token), &HeadsAsk { known }).body();
    assert!(nothing.0.news.is_empty() && nothing.0.absent.is_empty());
    let read = Read { feed: author.feed(NOTES), after: 0, limit: 1024 };
    assert_eq!(desk.post(path::READ, Some(&token), &read).body::<Entries>().entries, entries);
    let read = Read { feed: author.feed(MAIL), after: 0, limit: 1024 };
    desk.post(path::READ, Some(&token), &read).refuses(ProblemKind::Absent);
}

/// HTP-6: a gap says which number would fit.
#[test]
fn a_gap_names_its_place() {
    let mut desk = Desk::new();
    let (mut author, token) = desk.founder("ada");
    author.entry(NOTES, vec![1; 60]);
    let second = author.entry(NOTES, vec![2; 60]);
    let said = desk.push(&token, &author.head(), &[second]);
    said.refuses(ProblemKind::Gap);
    let problem: serde_json::Value = serde_json::from_slice(&said.bytes).unwrap();
    let feed = author.feed(NOTES);
    let text = format!("{}/{}/{}", feed.collection, feed.device, feed.incarnation);
    assert_eq!(problem["feed"], text);
    assert_eq!(problem["number"], 1);
}

/// attack INT-09, DEV-01: what no listed device signed is not kept, whoever's token brings it.
#[test]
fn entries_of_strangers_are_refused() {
    let mut desk = Desk::new();
    let (author, token) = desk.founder("ada");
    let mut stranger = Author::stranger(&mut desk.seed, author.vault());
    let entry = stranger.entry(NOTES, vec![1; 60]);
    desk.push(&token, &stranger.head(), &[entry]).refuses(ProblemKind::Refused);
    // And what is another vault's.
    let (mut other, genesis) = Author::founder(&mut desk.seed);
    let said = desk.push(&token, &other.head(), &[genesis]);
    assert!(said.status >= 400, "{said:?}");
    assert_eq!(desk.server.vaults.open_count(), 1);
}

/// HTP-7, attacks GRT-04, TRF-09: a token is for its own vault, and there is no way to name another.
#[test]
fn a_token_reads_its_own_vault_alone() {
    let mut desk = Desk::new();
    let (_, token) = desk.founder("ada");
    let (mut other, its) = desk.founder("bo");
    let (sealed, added) = chunk(&mut desk.seed, 100);
    let entry = other.entry_with(NOTES, vec![1; 60], vec![added.clone()]);
    assert_eq!(desk.push(&its, &other.head(), &[entry]).status, 200);
    assert_eq!(put(&desk, &its, added.name, &sealed).status, 204);
    let read = Read { feed: other.feed(NOTES), after: 0, limit: 9 };
    desk.post(path::READ, Some(&token), &read).refuses(ProblemKind::Absent);
    desk.get(&format!("{}{}", path::CHUNKS, added.name), Some(&token)).refuses(ProblemKind::Absent);
    assert_eq!(desk.post(path::READ, Some(&its), &read).status, 200);
}

/// HTP-10: chunks are kept if an entry names them, and are what it says.
#[test]
fn chunks_are_those_that_entries_name() {
    let mut desk = Desk::new();
    let (mut author, token) = desk.founder("ada");
    let (sealed, added) = chunk(&mut desk.seed, 5_000);
    put(&desk, &token, added.name, &sealed).refuses(ProblemKind::Absent);
    let entry = author.entry_with(NOTES, vec![1; 60], vec![added.clone()]);
    assert_eq!(desk.push(&token, &author.head(), &[entry]).status, 200);
    let mut changed = sealed.clone();
    changed[7] ^= 1;
    put(&desk, &token, added.name, &changed).refuses(ProblemKind::Refused);
    let has = HasAsk { names: vec![added.name, ChunkName([9; 16])] };
    assert_eq!(desk.post(path::HAS, Some(&token), &has).body::<HasAnswer>().has, [false, false]);
    assert_eq!(put(&desk, &token, added.name, &sealed).status, 204);
    assert_eq!(desk.post(path::HAS, Some(&token), &has).body::<HasAnswer>().has, [true, false]);
    let path = format!("{}{}", path::CHUNKS, added.name);
    assert_eq!(desk.get(&path, Some(&token)).bytes, sealed);
    desk.get(&path.to_uppercase().replace("/V1/VAULT/CHUNKS", "/v1/vault/chunks"), Some(&token))
        .refuses(ProblemKind::Absent);
    // An enrolment token reads them and brings none.
    let (joiner, _) = author.joiner(&mut desk.seed);
    let enrolment = desk.login("ada", INPUT, &joiner.transport_key()).body::<Granted>().token;
    assert_eq!(desk.get(&path, Some(&enrolment)).bytes, sealed);
    put(&desk, &enrolment, added.name, &sealed).refuses(ProblemKind::Forbidden);
}

/// HTP-11: news come when heads change, and the stream ends with the device.
#[test]
fn news_come_until_the_device_is_revoked() {
    let mut desk = Desk::new();
    let (mut author, token) = desk.founder("ada");
    let (second, add) = author.pair(&mut desk.seed);
    assert_eq!(desk.push(&token, &author.head(), &[add]).status, 200);
    let its = desk.token(&second);
    let response =
        desk.begin(Desk::request("GET", path::EVENTS, Some(&its)).body(Body::empty()).unwrap());
    let mut stream = response.into_body();
    let mut next = |desk: &Desk| {
        let frame = desk.runtime.block_on(async {
            timeout(std::time::Duration::from_secs(20), stream.frame()).await.unwrap()
        });
        frame.map(|frame| String::from_utf8(frame.unwrap().into_data().unwrap().to_vec()).unwrap())
    };
    assert!(next(&desk).unwrap().starts_with("event: heads\n"));
    assert_eq!(desk.server.bells.watchers(), 1);
    let entry = author.entry(NOTES, vec![1; 60]);
    assert_eq!(desk.push(&token, &author.head(), &[entry]).status, 200);
    assert!(next(&desk).unwrap().starts_with("event: heads\n"));
    let revoke = author.revoke(second.device(), Vec::new());
    assert_eq!(desk.push(&token, &author.head(), &[revoke]).status, 200);
    assert_eq!(next(&desk), None);
    let refused = Desk::request("GET", path::EVENTS, Some(&its)).body(Body::empty()).unwrap();
    desk.send(refused).refuses(ProblemKind::Unauthenticated);
}

/// A body of which this comes, and then the connection breaks.
fn broken_off(part: &[u8]) -> Body {
    let pieces = [Ok(part.to_vec()), Err(std::io::Error::other("it broke"))];
    Body::from_stream(futures_util::stream::iter(pieces))
}

/// HTP-4, fault F-15: a push or a chunk that breaks off, after whichever byte, leaves nothing, and is taken when it comes
/// again.
#[test]
fn f_15_what_breaks_off_anywhere_leaves_nothing() {
    let mut desk = Desk::new();
    let (mut author, token) = desk.founder("ada");
    let (sealed, added) = chunk(&mut desk.seed, 100);
    let name = added.name;
    let entry = author.entry_with(NOTES, vec![1; 60], vec![added]);
    let head = author.head();
    let pushed = Push::bytes_of(&head, std::slice::from_ref(&entry));
    for at in 0..pushed.len() {
        let request = Desk::request("POST", path::PUSH, Some(&token));
        let said = desk.send(request.body(broken_off(&pushed[..at])).unwrap());
        said.refuses(ProblemKind::Malformed);
    }
    let read = Read { feed: author.feed(NOTES), after: 0, limit: 9 };
    desk.post(path::READ, Some(&token), &read).refuses(ProblemKind::Absent);
    assert_eq!(desk.push(&token, &head, &[entry]).status, 200);

    let place = format!("{}{name}", path::CHUNKS);
    for at in 0..sealed.len() {
        let mut request = Desk::request("PUT", &place, Some(&token));
        request.headers_mut().unwrap().insert(CONTENT_TYPE, OCTETS.parse().unwrap());
        let said = desk.send(request.body(broken_off(&sealed[..at])).unwrap());
        said.refuses(ProblemKind::Malformed);
    }
    desk.get(&place, Some(&token)).refuses(ProblemKind::Absent);
    assert_eq!(put(&desk, &token, name, &sealed).status, 204);
    assert_eq!(desk.get(&place, Some(&token)).bytes, sealed);
}

/// HTP-7, attack TRF-09: that another vault has a chunk shows to nobody, not to whoever knows its name and has an entry of
/// their own name it either: it is brought anew, and kept for each.
#[test]
fn trf_09_what_another_vault_has_shows_to_nobody() {
    let mut desk = Desk::new();
    let (mut ada, hers) = desk.founder("ada");
    let (mut bo, his) = desk.founder("bo");
    let (sealed, added) = chunk(&mut desk.seed, 100);
    let place = format!("{}{}", path::CHUNKS, added.name);
    let has = |desk: &Desk, token: &Token| {
        let ask = HasAsk { names: vec![added.name] };
        desk.post(path::HAS, Some(token), &ask).body::<HasAnswer>().has
    };
    for (author, token) in [(&mut ada, &hers), (&mut bo, &his)] {
        assert_eq!(has(&desk, token), [false]);
        let entry = author.entry_with(NOTES, vec![1; 60], vec![added.clone()]);
        assert_eq!(desk.push(token, &author.head(), &[entry]).status, 200);
        assert_eq!(has(&desk, token), [false]);
        desk.get(&place, Some(token)).refuses(ProblemKind::Absent);
        assert_eq!(put(&desk, token, added.name, &sealed).status, 204);
        assert_eq!(has(&desk, token), [true]);
    }
}
