// SPDX-License-Identifier: MIT OR Apache-2.0
//! Bad requests, bounds, quotas: what is refused, how, and that nothing is harmed.

use std::sync::Arc;
use std::time::Duration;

use aura_protocol::http::{AccountView, Entries, HeadsAsk, OCTETS, Read};
use aura_protocol::id::CollectionId;
use aura_protocol::limits::{KNOWN_REQUEST_BYTES_MAX, SMALL_REQUEST_BYTES_MAX};
use aura_testkit::author::chunk;
use aura_testkit::conformance::NOTES;
use axum::http::header::{CONTENT_LENGTH, HeaderName};

use super::*;
use crate::accounts::{AccountBook as _, Accounts};
use crate::openapi::{CHUNK, OPERATIONS, Takes, document};
use crate::vaults::{FolderHosting, Hosting as _};

/// Every operation of the document is there, takes tokens where it says so, and no made-up body brings it
/// down.
#[test]
fn every_path_is_as_the_document_says() {
    let desk = Desk::new();
    let document = document();
    for operation in OPERATIONS {
        let path = operation.path.replace("{name}", &"0".repeat(32));
        assert!(document["paths"][operation.path][operation.method].is_object());
        for body in [vec![], vec![0xff], b"{}".to_vec(), vec![0x80], vec![0x9b; 100]] {
            let media = operation.body.map_or(CBOR, |(media, _)| media);
            let method = operation.method.to_uppercase();
            let mut request = Desk::request(&method, &path, None);
            request.headers_mut().unwrap().insert(CONTENT_TYPE, media.parse().unwrap());
            let said = desk.send(request.body(Body::from(body)).unwrap());
            match operation.takes {
                Takes::Nothing if operation.body.is_some() => said.refuses(ProblemKind::Malformed),
                Takes::Nothing => assert_eq!(said.status, operation.answer.0),
                _ => said.refuses(ProblemKind::Unauthenticated),
            }
        }
    }
    let listed = document["paths"].as_object().unwrap().len();
    assert_eq!(listed, 22);
    assert!(OPERATIONS.iter().any(|operation| operation.path == CHUNK));
}

#[test]
fn what_is_not_asked_rightly_is_told_so() {
    let desk = Desk::new();
    desk.get("/v1/nothing", None).refuses(ProblemKind::Absent);
    desk.get("/../etc/passwd", None).refuses(ProblemKind::Absent);
    desk.get(path::PUSH, None).refuses(ProblemKind::Method);
    // HTP-2: the version.
    for version in [None, Some("0"), Some("2"), Some("one"), Some("")] {
        let mut request = Desk::request("GET", path::SERVER, None);
        let headers = request.headers_mut().unwrap();
        headers.remove(PROTOCOL_HEADER);
        if let Some(version) = version {
            headers.insert(HeaderName::from_static(PROTOCOL_HEADER), version.parse().unwrap());
        }
        desk.send(request.body(Body::empty()).unwrap()).refuses(ProblemKind::Protocol);
    }
    // HTP-4: the media type.
    let mut request = Desk::request("POST", path::CHALLENGE, None);
    request.headers_mut().unwrap().insert(CONTENT_TYPE, OCTETS.parse().unwrap());
    desk.send(request.body(Body::empty()).unwrap()).refuses(ProblemKind::Media);
    // Tokens that are none.
    for token in ["", "Bearer", "Bearer x", "Basic YTpi", "Bearer  x"] {
        let mut request = Desk::request("GET", path::ACCOUNT, None);
        request.headers_mut().unwrap().insert(AUTHORIZATION, token.parse().unwrap());
        desk.send(request.body(Body::empty()).unwrap()).refuses(ProblemKind::Unauthenticated);
    }
}

/// HTP-4, attack AVL-04: a length that is said is believed only to refuse; one that is not said is counted.
#[test]
fn giant_bodies_are_refused_before_they_are_read() {
    let mut desk = Desk::new();
    let (_, token) = desk.founder("ada");
    for (path, max) in
        [(path::CHALLENGE, SMALL_REQUEST_BYTES_MAX), (path::HEADS, KNOWN_REQUEST_BYTES_MAX)]
    {
        desk.post_bytes(path, Some(&token), vec![0x80; max + 1]).refuses(ProblemKind::TooLarge);
        let mut request = Desk::request("POST", path, Some(&token));
        request.headers_mut().unwrap().insert(CONTENT_LENGTH, "4294967296".parse().unwrap());
        desk.send(request.body(Body::empty()).unwrap()).refuses(ProblemKind::TooLarge);
        // In pieces, without a length.
        let pieces = futures_util::stream::iter(
            (0..=max / 1024).map(|_| Ok::<_, std::io::Error>(vec![0x80; 1024])),
        );
        let request =
            Desk::request("POST", path, Some(&token)).body(Body::from_stream(pieces)).unwrap();
        desk.send(request).refuses(ProblemKind::TooLarge);
    }
}

/// HTP-13, attack AVL-03: what does not fit is not kept, and everything can still be read.
#[test]
fn a_full_account_takes_nothing_and_reads_everything() {
    let mut desk = Desk::with(|config| {
        config.registration = Registration::Open;
        config.quota_bytes = 200_000;
    });
    let (mut author, token) = desk.founder("ada");
    let first = author.entry(NOTES, vec![1; 60]);
    assert_eq!(desk.push(&token, &author.head(), std::slice::from_ref(&first)).status, 200);
    let mut fuller = author.clone();
    let large = fuller.entry(NOTES, vec![2; 200_000]);
    desk.push(&token, &fuller.head(), &[large]).refuses(ProblemKind::Full);
    let read = Read { feed: author.feed(NOTES), after: 0, limit: 9 };
    assert_eq!(desk.post(path::READ, Some(&token), &read).body::<Entries>().entries, [first]);
    let view: AccountView = desk.get(path::ACCOUNT, Some(&token)).body();
    assert!(view.used_bytes <= 200_000 && view.quota_bytes == 200_000);
    // A quota of its own makes room.
    desk.server.accounts.allow(&AccountName::parse("ada").unwrap(), Some(0)).unwrap();
    let large = author.entry(NOTES, vec![2; 200_000]);
    assert_eq!(desk.push(&token, &author.head(), &[large]).status, 200);
}

/// fault F-29: one source cannot take the server from the others, nor one account.
#[test]
fn sources_and_accounts_are_slowed_down_each_for_itself() {
    let desk = Desk::with(|config| config.limits.open_per_second = 3);
    let slowed = (0..10).map(|_| desk.get(path::SERVER, None)).find(|said| said.status == 429);
    assert_eq!(slowed.unwrap().retry_after, Some(1));
    let mut request = Desk::request("GET", path::SERVER, None);
    let elsewhere = SocketAddr::from(([192, 0, 2, 2], 9));
    request.extensions_mut().unwrap().insert(ConnectInfo(elsewhere));
    assert_eq!(desk.send(request.body(Body::empty()).unwrap()).status, 200);

    let mut desk = Desk::with(|config| {
        config.registration = Registration::Open;
        config.limits.open_per_second = 10_000;
        config.limits.account_per_second = 5;
    });
    let (_, token) = desk.founder("ada");
    let said = (0..20).map(|_| desk.get(path::ACCOUNT, Some(&token)).status);
    assert!(said.collect::<Vec<_>>().contains(&429));
    let (_, other) = desk.founder("bo");
    assert_eq!(desk.get(path::ACCOUNT, Some(&other)).status, 200);
}

/// More vaults than may be open at once: each is found again as it was.
#[test]
fn vaults_are_shut_and_opened_again() {
    let mut desk = Desk::with(|config| {
        config.registration = Registration::Open;
        config.limits.open_vaults = 2;
    });
    let owners: Vec<_> = (0..5).map(|at| desk.founder(&format!("n{at}"))).collect();
    assert!(desk.server.vaults.open_count() <= 2);
    for (author, token) in &owners {
        let read = Read { feed: author.feed(CollectionId::AUTHORITY), after: 0, limit: 9 };
        assert_eq!(desk.post(path::READ, Some(token), &read).body::<Entries>().entries.len(), 1);
    }
}

/// attack TRF-08: what the operator counts names nobody.
#[test]
fn metrics_name_no_account_and_no_vault() {
    let mut desk = Desk::new();
    let (author, token) = desk.founder("ada-of-metrics");
    desk.get(path::ACCOUNT, Some(&token));
    let operator = super::super::operator_router(Arc::clone(&desk.server));
    let ask = |path: &str| {
        let request = Request::builder().uri(path).body(Body::empty()).unwrap();
        let response = desk.runtime.block_on(operator.clone().oneshot(request)).unwrap();
        let bytes = desk.runtime.block_on(response.into_body().collect()).unwrap().to_bytes();
        String::from_utf8(bytes.to_vec()).unwrap()
    };
    let text = ask("/metrics");
    assert!(
        text.contains("aura_server_requests_total{path=\"/v1/vault/push\",status=\"200\"} 1"),
        "{text}"
    );
    assert!(!text.contains("ada") && !text.contains(&author.vault().to_string()[..8]));
    assert_eq!(ask("/readyz"), "ready\n");
    desk.server.stop();
    assert!(ask("/readyz").contains("busy"));
}

/// HTP-13, attack AVL-03: whoever waits to be confirmed does not fill the account, and is not in the way of the others.
#[test]
fn a_device_that_waits_does_not_fill_the_account() {
    let mut desk = Desk::with(|config| {
        config.registration = Registration::Open;
        config.quota_bytes = 8 << 20;
    });
    let (mut author, token) = desk.founder("ada");
    let (mut joiner, join) = author.joiner(&mut desk.seed);
    let enrolment = desk.login("ada", INPUT, &joiner.transport_key()).body::<Granted>().token;
    assert_eq!(desk.push(&enrolment, &joiner.head(), &[join]).status, 200);
    let its = desk.token(&joiner);
    let small = joiner.entry(NOTES, vec![1; 100_000]);
    assert_eq!(desk.push(&its, &joiner.head(), &[small]).status, 200);
    let mut greedy = joiner.clone();
    let large = greedy.entry(NOTES, vec![2; 600_000]);
    desk.push(&its, &greedy.head(), &[large]).refuses(ProblemKind::Full);
    // Nor with chunks, which it names and brings later.
    let mut greedy = joiner.clone();
    let (_, added) = chunk(&mut desk.seed, 600_000);
    let naming = greedy.entry_with(NOTES, vec![2; 60], vec![added]);
    desk.push(&its, &greedy.head(), &[naming]).refuses(ProblemKind::Full);
    let entry = author.entry(NOTES, vec![3; 600_000]);
    assert_eq!(desk.push(&token, &author.head(), &[entry]).status, 200);
    // The share is counted anew when a store is opened again, and is gone with the quarantine.
    desk.restarts();
    let its = desk.token(&joiner);
    let mut greedy = joiner.clone();
    let two = [greedy.entry(NOTES, vec![2; 250_000]), greedy.entry(NOTES, vec![2; 250_000])];
    desk.push(&its, &greedy.head(), &two).refuses(ProblemKind::Full);
    let confirm = author.confirm(joiner.device());
    let token = desk.token(&author);
    assert_eq!(desk.push(&token, &author.head(), &[confirm]).status, 200);
    let large = joiner.entry(NOTES, vec![2; 600_000]);
    assert_eq!(desk.push(&its, &joiner.head(), &[large]).status, 200);
}

/// HTP-13: many small things cost what they cost, and what was counted is not less than what is there.
#[test]
fn small_entries_and_chunks_are_counted_with_their_blocks() {
    let mut desk = Desk::new();
    let (mut author, token) = desk.founder("ada");
    let used = |desk: &Desk, token: &Token| {
        desk.get(path::ACCOUNT, Some(token)).body::<AccountView>().used_bytes
    };
    let before = used(&desk, &token);
    for _ in 0..30 {
        let (sealed, added) = chunk(&mut desk.seed, 100);
        let path = format!("{}{}", path::CHUNKS, added.name);
        let entry = author.entry_with(NOTES, vec![1; 60], vec![added]);
        assert_eq!(desk.push(&token, &author.head(), &[entry]).status, 200);
        let mut request = Desk::request("PUT", &path, Some(&token));
        request.headers_mut().unwrap().insert(CONTENT_TYPE, OCTETS.parse().unwrap());
        assert_eq!(desk.send(request.body(Body::from(sealed)).unwrap()).status, 204);
    }
    let entries: Vec<_> = (0..30).map(|_| author.entry(NOTES, vec![1; 4_500])).collect();
    assert_eq!(desk.push(&token, &author.head(), &entries).status, 200);
    let counted = used(&desk, &token);
    desk.restarts();
    let token = desk.token(&author);
    let there = used(&desk, &token);
    assert!(there >= 30 * 4096 + 30 * 4096, "{before} {there}");
    assert!(counted >= there && there > before, "{counted} {there} {before}");
}

/// What another program closes is shut here with the next request, whoever asks.
#[test]
fn an_account_that_is_closed_beside_the_server_is_shut() {
    let mut desk = Desk::new();
    let (author, gone) = desk.founder("ada");
    let (_, token) = desk.founder("bo");
    assert_eq!(desk.server.vaults.open_count(), 2);
    let beside = Accounts::open(&desk.folder.path().join("accounts.db")).unwrap();
    beside.close(author.vault()).unwrap();
    let files = FolderHosting::new(desk.folder.path().join("vaults"), || 1_000);
    files.remove(author.vault()).unwrap();
    assert_eq!(desk.get(path::ACCOUNT, Some(&token)).status, 200);
    assert_eq!(desk.server.vaults.open_count(), 1);
    desk.get(path::ACCOUNT, Some(&gone)).refuses(ProblemKind::Unauthenticated);
    assert_eq!(desk.server.vaults.open_count(), 1);
}

fn read_of(author: &Author, collection: CollectionId) -> Vec<u8> {
    Read { feed: author.feed(collection), after: 0, limit: 9 }.to_bytes()
}

/// An answer that is not read.
fn asks(desk: &Desk, path: &str, token: &Token, body: Vec<u8>) -> Response {
    desk.begin(Desk::request("POST", path, Some(token)).body(Body::from(body)).unwrap())
}

/// attack AVL-04: answers that nobody reads are so many for a vault and no more, also those about heads and pushes; another
/// vault has its own.
#[test]
fn answers_that_are_not_read_are_bounded() {
    let mut desk = Desk::new();
    let (author, token) = desk.founder("ada");
    let (other, its) = desk.founder("bo");
    let heads = HeadsAsk { known: vec![] }.to_bytes();
    let push = |author: &Author| Push::bytes_of(&author.clone().head(), &[]);
    let read = |author: &Author| read_of(author, CollectionId::AUTHORITY);
    for (path, own, others) in [
        (path::READ, read(&author), read(&other)),
        (path::HEADS, heads.clone(), heads),
        (path::PUSH, push(&author), push(&other)),
    ] {
        let mut unread = Vec::new();
        for _ in 0..64 {
            let answer = asks(&desk, path, &token, own.clone());
            assert_eq!(answer.status(), 200, "{path}");
            unread.push(answer);
        }
        desk.post_bytes(path, Some(&token), own.clone()).refuses(ProblemKind::SlowDown);
        assert_eq!(desk.post_bytes(path, Some(&its), others).status, 200);
        unread.pop();
        assert_eq!(desk.post_bytes(path, Some(&token), own).status, 200);
    }
}

/// Attack AVL-03: as much is done for one vault at once and no more. Whoever asks for it meanwhile waits for a turn, for two
/// seconds and no longer; another vault has its own.
#[test]
fn a_vaults_requests_wait_for_their_turn() {
    let mut desk = Desk::new();
    let (author, token) = desk.founder("ada");
    let (_, its) = desk.founder("bo");
    let working = Arc::clone(&desk.server.working);
    let busy: Vec<_> = std::iter::from_fn(|| working.enter(author.vault())).collect();
    assert!(!busy.is_empty());
    desk.runtime.block_on(async { tokio::time::pause() });
    desk.get(path::ACCOUNT, Some(&token)).refuses(ProblemKind::SlowDown);
    assert_eq!(desk.get(path::ACCOUNT, Some(&its)).status, 200);
    desk.runtime.spawn(async move {
        tokio::time::sleep(Duration::from_secs(1)).await;
        drop(busy);
    });
    assert_eq!(desk.get(path::ACCOUNT, Some(&token)).status, 200);
}

/// HTP-16, attack AVL-04: large answers that nobody reads are no more than a vault's share of the room, and are let go of after a
/// while, though they are never read.
#[test]
fn a_vault_that_does_not_read_keeps_no_room() {
    let mut desk = Desk::new();
    let (mut author, token) = desk.founder("ada");
    let (other, its) = desk.founder("bo");
    let large = author.entry(NOTES, vec![1; 9 << 20]);
    assert_eq!(desk.push(&token, &author.head(), &[large]).status, 200);
    let large = read_of(&author, NOTES);
    desk.runtime.block_on(async { tokio::time::pause() });
    let unread: Vec<_> = (0..64).map(|_| asks(&desk, path::READ, &token, large.clone())).collect();
    let answered = unread.iter().filter(|answer| answer.status() == 200).count();
    assert_eq!(answered, 7, "an eighth of the room");
    let small = read_of(&other, CollectionId::AUTHORITY);
    assert_eq!(desk.post_bytes(path::READ, Some(&its), small).status, 200);
    desk.post_bytes(path::READ, Some(&token), large.clone()).refuses(ProblemKind::SlowDown);
    // A quarter of a minute, and a second for each 64 KiB.
    let time = Duration::from_secs(15 + 9 * 16 + 1);
    desk.waits(time);
    assert_eq!(desk.post_bytes(path::READ, Some(&token), large).status, 200);
    let late = unread.into_iter().next().unwrap().into_body();
    assert!(desk.runtime.block_on(late.collect()).is_err(), "it does not look whole");
}

/// attack AVL-04: bodies that never come, for which no token is shown, take no room from vaults; one vault's own bodies do not
/// take it from another.
#[test]
fn strangers_take_no_room_from_vaults() {
    let mut desk = Desk::new();
    let (mut author, token) = desk.founder("ada");
    let (_, its) = desk.founder("bo");
    let (sealed, added) = chunk(&mut desk.seed, 100_000);
    let at = format!("{}{}", path::CHUNKS, added.name);
    let entry = author.entry_with(NOTES, vec![1; 60], vec![added]);
    assert_eq!(desk.push(&token, &author.head(), &[entry]).status, 200);
    let never = || Body::from_stream(futures_util::stream::pending::<std::io::Result<Vec<u8>>>());
    let begins = |mut request: Request<Body>, source: u8, bytes: usize| {
        request.headers_mut().insert(CONTENT_LENGTH, bytes.into());
        let source = SocketAddr::from(([192, 0, 2, source], 9));
        request.extensions_mut().insert(ConnectInfo(source));
        desk.runtime.spawn(desk.router.clone().oneshot(request));
    };
    for at in 0..256_u16 {
        let request = Desk::request("POST", path::ACCOUNT_END, None).body(never()).unwrap();
        begins(request, u8::from(at % 2 == 0), 1 << 20);
    }
    // Nor does a vault, whose bodies are of exactly a mebibyte.
    for _ in 0..120 {
        let request = Desk::request("POST", path::PUSH, Some(&its)).body(never()).unwrap();
        begins(request, 7, 1 << 20);
    }
    desk.waits(Duration::from_millis(200));
    let mut put = Desk::request("PUT", &at, Some(&token)).body(Body::from(sealed)).unwrap();
    put.headers_mut().insert(CONTENT_TYPE, OCTETS.parse().unwrap());
    let asked = std::time::Instant::now();
    assert_eq!(desk.send(put).status, 204);
    assert!(asked.elapsed().as_secs() < 10, "it waits for nobody");
    let push = Desk::request("POST", path::PUSH, Some(&its)).header(CONTENT_LENGTH, 1 << 20);
    desk.send(push.body(never()).unwrap()).refuses(ProblemKind::SlowDown);
    let end = Desk::request("POST", path::ACCOUNT_END, None).header(CONTENT_LENGTH, 1 << 20);
    let mut end = end.body(never()).unwrap();
    end.extensions_mut().insert(ConnectInfo(SocketAddr::from(([192, 0, 2, 0], 9))));
    desk.send(end).refuses(ProblemKind::SlowDown);
}

/// attack AVL-04: where nobody may open an account, nobody's body is waited for.
#[test]
fn a_closed_server_reads_no_registration() {
    let desk = Desk::with(|config| config.registration = Registration::Closed);
    let never = Body::from_stream(futures_util::stream::pending::<std::io::Result<Vec<u8>>>());
    let request = Desk::request("POST", path::ACCOUNT_END, None).body(never).unwrap();
    desk.send(request).refuses(ProblemKind::Closed);
}
