// SPDX-License-Identifier: MIT OR Apache-2.0
//! Accounts, logins, tokens.

use aura_protocol::auth::login;
use aura_protocol::http::{AccountView, PasswordBegin, ServerView};
use aura_protocol::id::{CollectionId, DeviceId, VaultId};
use aura_testkit::conformance::NOTES;

use super::*;

/// ACC-10: who may open an account.
#[test]
fn accounts_are_opened_as_the_operator_wants() {
    let mut desk = Desk::with(|config| config.registration = Registration::Closed);
    let (author, _) = Author::founder(&mut desk.seed);
    desk.register(&author, "ada", Some("x")).refuses(ProblemKind::Closed);

    let mut desk = Desk::with(|config| config.registration = Registration::Invitation);
    desk.register(&author, "ada", None).refuses(ProblemKind::Closed);
    desk.register(&author, "ada", Some("x")).refuses(ProblemKind::Closed);
    desk.server.accounts.invite(&Invitation::parse("x").unwrap(), 1, 2_000).unwrap();
    assert_eq!(desk.register(&author, "ada", Some("x")).status, 201);
    let (other, _) = Author::founder(&mut desk.seed);
    desk.register(&other, "bo", Some("x")).refuses(ProblemKind::Closed);

    let mut desk = Desk::new();
    assert_eq!(desk.register(&author, "ada", None).status, 201);
    desk.register(&other, "ada", None).refuses(ProblemKind::Taken);
    desk.register(&author, "bo", None).refuses(ProblemKind::Taken);
    assert_eq!(desk.get(path::SERVER, None).body::<ServerView>().key, KEY);
}

/// ACC-4: a registration is signed, by the key that it names, for this server.
#[test]
fn a_registration_for_another_server_or_by_another_key_is_refused() {
    let mut desk = Desk::new();
    let (author, _) = Author::founder(&mut desk.seed);
    desk.register_at(&author, "ada", None, ServerKey(Hash([8; 32]))).refuses(ProblemKind::Refused);
    let name = AccountName::parse("ada").unwrap();
    let asking = Asking {
        name,
        vault: author.vault(),
        device: author.device(),
        transport: author.transport_key(),
        server: KEY,
        upload: vec![0; 192],
    };
    let other = Author::stranger(&mut desk.seed, author.vault());
    let end = AccountEnd {
        invitation: None,
        registration: other.show(&asking),
        lineage: author.lineage(),
    };
    desk.post(path::ACCOUNT_END, None, &end).refuses(ProblemKind::Refused);
    assert!(desk.server.accounts.all().unwrap().is_empty());
}

/// ACC-3, attack DEV-13: an answer counts once, from the device that was asked, for this server.
#[test]
fn a_challenge_is_answered_by_its_own_device_for_this_server_once() {
    let mut desk = Desk::new();
    let (author, _) = desk.founder("ada");
    for change in [
        (|challenge: &mut Challenge| challenge.server = ServerKey(Hash([8; 32])))
            as fn(&mut Challenge),
        |challenge| challenge.nonce = Hash([1; 32]),
        |challenge| challenge.vault = VaultId([1; 32]),
        |challenge| challenge.device = DeviceId([1; 16]),
    ] {
        desk.prove(&author, change).refuses(ProblemKind::Unauthenticated);
    }
    let (vault, device) = (author.vault(), author.device());
    let nonce = desk.post(path::CHALLENGE, None, &Ask { vault, device }).body::<Asked>().nonce;
    let challenge = Challenge { vault, device, server: KEY, nonce };
    let signature = author.show(&challenge).signature().0;
    let answer = Answer { vault, device, nonce, signature };
    assert_eq!(desk.post(path::TOKEN, None, &answer).status, 200);
    desk.post(path::TOKEN, None, &answer).refuses(ProblemKind::Unauthenticated);
    let made_up = Answer { nonce: Hash([3; 32]), ..answer };
    desk.post(path::TOKEN, None, &made_up).refuses(ProblemKind::Unauthenticated);
}

/// attack DEV-01: a device that the vault does not list gets no token; nor does anybody for a vault without an
/// account, and no folder is made for it.
#[test]
fn strangers_get_no_token() {
    let mut desk = Desk::new();
    let (author, _) = desk.founder("ada");
    let stranger = Author::stranger(&mut desk.seed, author.vault());
    desk.prove(&stranger, |_| {}).refuses(ProblemKind::Unauthenticated);
    let (elsewhere, _) = Author::founder(&mut desk.seed);
    desk.prove(&elsewhere, |_| {}).refuses(ProblemKind::Unauthenticated);
    assert_eq!(desk.server.vaults.open_count(), 1);
}

/// ACC-5: a revoked device's tokens end with the revoke, and it gets no other.
#[test]
fn a_revoked_device_is_out_at_once() {
    let mut desk = Desk::new();
    let (mut author, token) = desk.founder("ada");
    let (mut second, add) = author.pair(&mut desk.seed);
    assert_eq!(desk.push(&token, &author.head(), &[add]).status, 200);
    let its = desk.token(&second);
    let entry = second.entry(NOTES, vec![1; 60]);
    assert_eq!(desk.push(&its, &second.head(), &[entry]).status, 200);
    let revoke = author.revoke(second.device(), Vec::new());
    assert_eq!(desk.push(&token, &author.head(), &[revoke]).status, 200);
    desk.get(path::ACCOUNT, Some(&its)).refuses(ProblemKind::Unauthenticated);
    desk.prove(&second, |_| {}).refuses(ProblemKind::Unauthenticated);
    assert_eq!(desk.get(path::ACCOUNT, Some(&token)).status, 200);
}

/// HTP-12, ACC-11: what a login gives reads, and lists one device.
#[test]
fn an_enrolment_token_lists_the_device_it_was_bound_to() {
    let mut desk = Desk::new();
    let (mut author, token) = desk.founder("ada");
    let (mut joiner, add) = author.joiner(&mut desk.seed);
    let granted: Granted = desk.login("ada", INPUT, &joiner.transport_key()).body();
    assert_eq!(granted.vault, author.vault());
    let enrolment = granted.token;
    desk.get(path::ACCOUNT, Some(&enrolment)).refuses(ProblemKind::Forbidden);
    let begin = PasswordBegin { request: [1; login::REGISTRATION_REQUEST_BYTES] };
    desk.post(path::PASSWORD_BEGIN, Some(&enrolment), &begin).refuses(ProblemKind::Forbidden);
    // Somebody else's device, and what the first one writes.
    let (mut other, other_add) = author.joiner(&mut desk.seed);
    desk.push(&enrolment, &other.head(), &[other_add]).refuses(ProblemKind::Forbidden);
    let entry = author.entry(NOTES, vec![1; 60]);
    desk.push(&enrolment, &author.head(), &[entry]).refuses(ProblemKind::Forbidden);
    // Its own, with something more in it than its add.
    let revoke = joiner.clone().revoke(author.device(), Vec::new());
    let mut greedy = joiner.clone();
    let both = [add.clone(), revoke];
    greedy.rewind(CollectionId::AUTHORITY, &both[1]);
    desk.push(&enrolment, &greedy.head(), &both).refuses(ProblemKind::Forbidden);
    assert_eq!(desk.push(&enrolment, &joiner.head(), &[add]).status, 200);
    // From now on it proves itself. It waits to be confirmed, so the account is not its to change.
    let its = desk.token(&joiner);
    desk.post(path::PASSWORD_BEGIN, Some(&its), &begin).refuses(ProblemKind::Forbidden);
    let delete = Desk::request("DELETE", path::ACCOUNT, Some(&its)).body(Body::empty()).unwrap();
    desk.send(delete).refuses(ProblemKind::Forbidden);
    assert_eq!(desk.get(path::ACCOUNT, Some(&token)).body::<AccountView>().name.as_str(), "ada");
}

/// ACC-7, ACC-9, attack AUT-02, AUT-03: wrong input and unknown names look alike, and are slowed down alike.
#[test]
fn guessing_is_slow_and_learns_nothing() {
    for name in ["ada", "nobody"] {
        let mut desk = Desk::new();
        let (author, _) = desk.founder("ada");
        let device = author.transport_key();
        for _ in 0..5 {
            desk.login(name, b"a guess", &device).refuses(ProblemKind::LoginRefused);
        }
        let slowed = desk.login(name, b"a guess", &device);
        slowed.refuses(ProblemKind::SlowDown);
        assert_eq!(slowed.retry_after, Some(2));
        // The right one has to wait as well: who guesses cannot tell that it was.
        desk.login(name, INPUT, &device).refuses(ProblemKind::SlowDown);
    }
}

/// A login is ended once, with its own proof.
#[test]
fn a_login_that_was_not_begun_has_no_end() {
    let desk = Desk::new();
    let end = LoginEnd { login: [1; 16], proof: [2; login::LOGIN_PROOF_BYTES] };
    desk.post(path::LOGIN_END, None, &end).refuses(ProblemKind::LoginRefused);
}

/// ACC-12: a new password replaces the old one.
#[test]
fn a_new_password_takes_the_place_of_the_old_one() {
    let mut desk = Desk::new();
    let (author, token) = desk.founder("ada");
    let name = AccountName::parse("ada").unwrap();
    // What the old one gave, and what it has begun.
    let device = author.transport_key();
    let enrolment = desk.login("ada", INPUT, &device).body::<Granted>().token;
    let heads = aura_protocol::http::HeadsAsk { known: vec![] };
    assert_eq!(desk.post(path::HEADS, Some(&enrolment), &heads).status, 200);
    let half = desk.begins_login("ada", INPUT, &device);
    let mut fill = desk.fill();
    let (registering, request) = Registering::<Cheap>::start(&mut fill, b"new").unwrap();
    drop(fill);
    let begun = desk.post(path::PASSWORD_BEGIN, Some(&token), &PasswordBegin { request });
    let response = begun.body::<Begun>().response;
    let upload = registering.finish(&mut desk.fill(), (&name, b"new"), &response, Cheap).unwrap();
    let end = aura_protocol::http::PasswordEnd { upload };
    assert_eq!(desk.post(path::PASSWORD_END, Some(&token), &end).status, 204);
    desk.post(path::HEADS, Some(&enrolment), &heads).refuses(ProblemKind::Unauthenticated);
    desk.post(path::LOGIN_END, None, &half).refuses(ProblemKind::LoginRefused);
    assert_eq!(desk.post(path::HEADS, Some(&token), &heads).status, 200);
    desk.login("ada", INPUT, &device).refuses(ProblemKind::LoginRefused);
    assert_eq!(desk.login("ada", b"new", &device).status, 200);
}

/// An account that is closed takes everything with it, and its name and vault are free.
#[test]
fn a_closed_account_leaves_nothing() {
    let mut desk = Desk::new();
    let (author, token) = desk.founder("ada");
    let folder = crate::vaults::folder(&desk.folder.path().join("vaults"), author.vault());
    assert!(folder.join("store.db").exists());
    let delete =
        || Desk::request("DELETE", path::ACCOUNT, Some(&token)).body(Body::empty()).unwrap();
    assert_eq!(desk.send(delete()).status, 204);
    assert!(!folder.exists());
    desk.send(delete()).refuses(ProblemKind::Unauthenticated);
    desk.prove(&author, |_| {}).refuses(ProblemKind::Unauthenticated);
    assert_eq!(desk.register(&author, "ada", None).status, 201);
}

/// ACC-13, attack DEV-01: where a vault's files are lost, or cannot be read, who was revoked stays out; another
/// listed device gets in and fills the vault again.
#[test]
fn a_lost_vault_lets_no_revoked_device_in() {
    let mut desk = Desk::new();
    let (mut founder, genesis) = Author::founder(&mut desk.seed);
    assert_eq!(desk.register(&founder, "ada", None).status, 201);
    let token = desk.token(&founder);
    let (mut second, add) = founder.pair(&mut desk.seed);
    let head = founder.head();
    assert_eq!(desk.push(&token, &head, &[genesis.clone(), add.clone()]).status, 200);
    // The device that opened the account is the one that is lost.
    let its = desk.token(&second);
    let revoke = second.revoke(founder.device(), vec![(founder.incarnation(), at(&head))]);
    let last = second.head();
    assert_eq!(desk.push(&its, &last, std::slice::from_ref(&revoke)).status, 200);
    desk.get(path::ACCOUNT, Some(&token)).refuses(ProblemKind::Unauthenticated);

    let folder = crate::vaults::folder(&desk.folder.path().join("vaults"), founder.vault());
    for is_wiped in [false, true] {
        desk.restarts();
        if is_wiped {
            std::fs::remove_dir_all(&folder).unwrap();
        } else {
            rot_authority(&folder);
        }
        desk.prove(&founder, |_| {}).refuses(ProblemKind::Unauthenticated);
        let its = desk.token(&second);
        assert_eq!(desk.get(path::ACCOUNT, Some(&its)).status, 200);
    }
    // It brings the founder's entries first, which alone would have the founder in and the second one out.
    let its = desk.token(&second);
    assert_eq!(desk.push(&its, &head, &[genesis, add]).status, 200);
    desk.prove(&founder, |_| {}).refuses(ProblemKind::Unauthenticated);
    assert_eq!(desk.push(&its, &last, &[revoke]).status, 200);
    desk.prove(&founder, |_| {}).refuses(ProblemKind::Unauthenticated);
    assert_eq!(desk.get(path::ACCOUNT, Some(&its)).status, 200);
}

fn at(head: &Signed<Head>) -> aura_protocol::head::Position {
    aura_protocol::head::Position { number: head.claim().unwrap().number, hash: head.hash() }
}

/// One bit of each entry's body flips.
fn rot_authority(folder: &std::path::Path) {
    let database = rusqlite::Connection::open(folder.join("store.db")).unwrap();
    database.execute("UPDATE entries SET body = zeroblob(length(body))", []).unwrap();
}

/// ACC-13, attack AVL-03: a vault's id, and even its statements, open no account for whoever is none of its devices.
#[test]
fn a_vault_is_registered_by_its_own_devices_alone() {
    let mut desk = Desk::new();
    let (mut founder, _) = Author::founder(&mut desk.seed);
    let stranger = Author::stranger(&mut desk.seed, founder.vault());
    desk.register(&stranger, "mallory", None).refuses(ProblemKind::Refused);
    let known = founder.lineage();
    desk.register(&stranger.clone().with_lineage(known.clone()), "mallory", None)
        .refuses(ProblemKind::Refused);
    // In the name of a device that is listed, with another transport key.
    let posed = stranger.posing_as(&founder);
    desk.register(&posed.with_lineage(known), "mallory", None).refuses(ProblemKind::Refused);
    let (joiner, _) = founder.joiner(&mut desk.seed);
    desk.register(&joiner, "mallory", None).refuses(ProblemKind::Forbidden);
    // One that the vault has put out, who shows all of it.
    let (lost, _) = founder.pair(&mut desk.seed);
    let revoke = founder.revoke(lost.device(), Vec::new());
    let revoke = aura_protocol::authority::decode_body(revoke.body()).unwrap();
    let all = [lost.lineage(), revoke].concat();
    desk.register(&lost.with_lineage(all), "mallory", None).refuses(ProblemKind::Refused);
    assert!(desk.server.accounts.all().unwrap().is_empty());
    let (paired, _) = founder.pair(&mut desk.seed);
    assert_eq!(desk.register(&paired, "ada", None).status, 201);
    // Whoever it shows is in from the start, nobody else is.
    desk.token(&paired);
    desk.token(&founder);
    desk.prove(&joiner, |_| {}).refuses(ProblemKind::Unauthenticated);
}

/// ACC-13: what opened an account brings the vault in any order, and is not put out by a part of it.
#[test]
fn a_device_that_registered_is_in_until_all_is_there() {
    let mut desk = Desk::new();
    let (mut founder, genesis) = Author::founder(&mut desk.seed);
    let (mut joiner, join) = founder.joiner(&mut desk.seed);
    let (paired, add) = founder.pair(&mut desk.seed);
    assert_eq!(desk.register(&paired, "ada", None).status, 201);
    let token = desk.token(&paired);
    let mut early = founder.clone();
    early.rewind(CollectionId::AUTHORITY, &genesis);
    assert_eq!(desk.push(&token, &early.head(), &[genesis]).status, 200);
    assert_eq!(desk.get(path::ACCOUNT, Some(&token)).status, 200, "the genesis does not list it");
    assert_eq!(desk.push(&token, &joiner.head(), &[join]).status, 200);
    founder.head();
    assert_eq!(desk.push(&token, &founder.head(), &[add]).status, 200);
    assert_eq!(desk.get(path::ACCOUNT, Some(&token)).status, 200);
    desk.token(&joiner);
}
