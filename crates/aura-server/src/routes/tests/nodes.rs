// SPDX-License-Identifier: MIT OR Apache-2.0
//! Two nodes on one PostgreSQL: whatever begins at one goes on at the other.

use aura_protocol::auth::login;
use aura_protocol::head::Position;
use aura_protocol::http::{
    AccountView, HeadsAnswer, HeadsAsk, PairingClose, PairingMessage, PairingPut, PairingTake,
    PairingTaken, PasswordBegin, PasswordEnd, Read,
};
use aura_protocol::id::{DeviceId, PairingBox, VaultId};
use aura_protocol::log::{
    AccessEvent, AccessKind, Frontier, TileKind, TilePath, access_log, open_note,
};
use aura_protocol::pairing::Step;
use aura_protocol::store::StoreError;
use aura_store::postgres::{Address, Database};
use aura_testkit::author::chunk;
use aura_testkit::cluster::Cluster;
use aura_testkit::conformance::NOTES;

use super::*;
use crate::access::{LEAVES_MAX, Leaves};
use crate::backing::BackingError;
use crate::bell::Rung;
use crate::config::{Storage, Tls};
use crate::listing::Listing;
use crate::vaults::Heard;

/// Settings of a node; its keys are given by the test.
pub(super) fn settle(address: &str, chunks: Option<String>) -> impl FnOnce(&mut Config) {
    move |config| {
        let given = config.data.join("given");
        config.registration = Registration::Open;
        config.tls = Some(Tls { certificate: given.clone(), key: given.clone() });
        (config.logins_key, config.log_key) = (Some(given.clone()), Some(given));
        config.storage = Some(Storage {
            postgres: address.to_owned(),
            password: None,
            authority: None,
            connections: 4,
            chunks,
            bucket: None,
        });
    }
}

/// Two nodes that hear of each other.
pub(super) struct Nodes {
    pub(super) here: Desk,
    pub(super) there: Desk,
    pub(super) address: String,
    pub(super) _cluster: Cluster,
}

impl Nodes {
    pub(super) fn begin() -> Option<Self> {
        let cluster = Cluster::begin()?;
        let address = cluster.fresh();
        let node = |log: Option<std::path::PathBuf>| {
            let desk = Desk::with(|config| {
                // The same key as the other node's.
                log.map(|log| std::fs::copy(log, config.data.join("log.key")).unwrap());
                settle(&address, None)(config);
            });
            let hearing = Arc::downgrade(&desk.server);
            let hear = move |heard: Heard| {
                hearing.upgrade().into_iter().for_each(|server| server.hear(heard));
            };
            desk.server.vaults.hosting().listen(Box::new(hear));
            desk
        };
        let here = node(None);
        let mut there = node(Some(here.folder.path().join("log.key")));
        // What is the same from the first seed is the keys.
        there.seed = Seed::new(6);
        Some(Self { here, there, address, _cluster: cluster })
    }
}

/// attack AVL-03: whoever makes tokens up asks the database no more often than they may without one, and keeps nobody else
/// from it.
#[test]
fn made_up_tokens_are_slowed_down() {
    let Some(cluster) = Cluster::begin() else { return };
    let address = cluster.fresh();
    let mut desk = Desk::with(|config| {
        settle(&address, None)(config);
        config.limits.open_per_second = 100;
    });
    let (_, token) = desk.founder("ada");
    let elsewhere = |token: &Token| {
        let mut request = Desk::request("GET", path::ACCOUNT, Some(token));
        let source = SocketAddr::from(([192, 0, 2, 2], 9));
        request.extensions_mut().unwrap().insert(ConnectInfo(source));
        request.body(Body::empty()).unwrap()
    };
    let guess = |at: u32| Token(Hash::of(&[&at.to_be_bytes()]).0);
    let slowed =
        (0..200).map(|at| desk.send(elsewhere(&guess(at)))).find(|said| said.status == 429);
    assert_eq!(slowed.unwrap().retry_after, Some(1));
    // Also the right one, from there, before it is looked up; from elsewhere it counts.
    desk.send(elsewhere(&token)).refuses(ProblemKind::SlowDown);
    assert_eq!(desk.get(path::ACCOUNT, Some(&token)).status, 200);
}

/// ACC-3, ACC-5, ACC-11: a challenge, a login and a token count at every node, each challenge and each login once.
#[test]
fn what_begins_at_one_node_ends_at_the_other() {
    let Some(Nodes { mut here, mut there, _cluster, .. }) = Nodes::begin() else { return };
    let (author, token) = here.founder("ada");
    assert_eq!(there.get(path::ACCOUNT, Some(&token)).body::<AccountView>().name.as_str(), "ada");
    assert_eq!(there.register(&author, "ada", None).status, 409);

    let (vault, device) = (author.vault(), author.device());
    let nonce = here.post(path::CHALLENGE, None, &Ask { vault, device }).body::<Asked>().nonce;
    let challenge = Challenge { vault, device, server: KEY, nonce };
    let signature = author.show(&challenge).signature().0;
    let answer = Answer { vault, device, nonce, signature };
    let granted: Granted = there.post(path::TOKEN, None, &answer).body();
    here.post(path::TOKEN, None, &answer).refuses(ProblemKind::Unauthenticated);
    assert_eq!(here.get(path::ACCOUNT, Some(&granted.token)).status, 200);

    let end = here.begins_login("ada", INPUT, &author.transport_key());
    let enrolled: Granted = there.post(path::LOGIN_END, None, &end).body();
    here.post(path::LOGIN_END, None, &end).refuses(ProblemKind::LoginRefused);
    let known = HeadsAsk { known: vec![] };
    assert_eq!(here.post(path::HEADS, Some(&enrolled.token), &known).status, 200);
    let begin = PasswordBegin { request: [1; login::REGISTRATION_REQUEST_BYTES] };
    here.post(path::PASSWORD_BEGIN, Some(&enrolled.token), &begin).refuses(ProblemKind::Forbidden);
    // Guesses fail at either node.
    for desk in [&mut here, &mut there] {
        let device = author.transport_key();
        desk.login("ada", b"a guess", &device).refuses(ProblemKind::LoginRefused);
        desk.login("nobody", INPUT, &device).refuses(ProblemKind::LoginRefused);
    }
}

/// STO-42, STO-43, attack DEV-01: who is revoked at one node is out at the other at once; who waits there is woken.
#[test]
fn a_revoke_at_one_node_counts_at_the_other() {
    let Some(Nodes { mut here, there, _cluster, .. }) = Nodes::begin() else { return };
    let (mut author, token) = here.founder("ada");
    let (mut second, add) = author.pair(&mut here.seed);
    assert_eq!(here.push(&token, &author.head(), &[add]).status, 200);
    let its = there.token(&second);
    let entry = second.entry(NOTES, vec![1; 60]);
    assert_eq!(there.push(&its, &second.head(), &[entry]).status, 200);
    let read = Read { feed: second.feed(NOTES), after: 0, limit: 9 };
    assert_eq!(here.post(path::READ, Some(&token), &read).status, 200);

    // Both have begun to listen by then.
    std::thread::sleep(std::time::Duration::from_secs(2));
    let bell = there.server.bells.watch(author.vault());
    let before: Rung = *bell.borrow();
    let last = (second.incarnation(), {
        let heads: HeadsAnswer =
            here.post(path::HEADS, Some(&token), &HeadsAsk { known: vec![] }).body();
        let found = heads.0.news.iter().find(|head| head.device == second.device()).unwrap();
        Position { ..found.position }
    });
    let revoke = author.revoke(second.device(), vec![last]);
    assert_eq!(here.push(&token, &author.head(), &[revoke]).status, 200);
    there.get(path::ACCOUNT, Some(&its)).refuses(ProblemKind::Unauthenticated);
    there.prove(&second, |_| {}).refuses(ProblemKind::Unauthenticated);
    let begun = std::time::Instant::now();
    while bell.borrow().changes == before.changes {
        assert!(begun.elapsed().as_secs() < 10, "the other node hears of it");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

/// ACC-12: a new password at one node ends at the other what the old one gave and has begun; it counts at both.
#[test]
fn a_new_password_counts_at_every_node() {
    let Some(Nodes { mut here, mut there, _cluster, .. }) = Nodes::begin() else { return };
    let (author, token) = here.founder("ada");
    let (name, device) = (AccountName::parse("ada").unwrap(), author.transport_key());
    let enrolment = there.login("ada", INPUT, &device).body::<Granted>().token;
    let heads = HeadsAsk { known: vec![] };
    assert_eq!(there.post(path::HEADS, Some(&enrolment), &heads).status, 200);
    let half = there.begins_login("ada", INPUT, &device);
    let mut fill = here.fill();
    let (registering, request) = Registering::<Cheap>::start(&mut fill, b"new").unwrap();
    drop(fill);
    let begun = here.post(path::PASSWORD_BEGIN, Some(&token), &PasswordBegin { request });
    let response = begun.body::<Begun>().response;
    let upload = registering.finish(&mut here.fill(), (&name, b"new"), &response, Cheap).unwrap();
    assert_eq!(here.post(path::PASSWORD_END, Some(&token), &PasswordEnd { upload }).status, 204);
    there.post(path::HEADS, Some(&enrolment), &heads).refuses(ProblemKind::Unauthenticated);
    there.post(path::LOGIN_END, None, &half).refuses(ProblemKind::LoginRefused);
    assert_eq!(there.post(path::HEADS, Some(&token), &heads).status, 200);
    there.login("ada", INPUT, &device).refuses(ProblemKind::LoginRefused);
    assert_eq!(there.login("ada", b"new", &device).status, 200);
}

/// HTP-15: two devices pair over two nodes, and what bounds a box bounds it at both.
#[test]
fn htp_15_a_box_is_at_every_node() {
    let Some(Nodes { mut here, there, _cluster, .. }) = Nodes::begin() else { return };
    let (_, token) = here.founder("ada");
    let place = |number: u8| PairingBox([number; 16]);
    let put = |step, byte| {
        let message = PairingMessage(vec![byte; 100]);
        PairingPut { place: place(1), step, message }
    };
    let answers = |desk: &Desk, put: &PairingPut| desk.post(path::PAIRING_ANSWER, None, put);
    answers(&there, &put(Step::Answer, 2)).refuses(ProblemKind::Absent);
    assert_eq!(here.post(path::PAIRING_PUT, Some(&token), &put(Step::Offer, 1)).status, 204);
    assert_eq!(answers(&there, &put(Step::Answer, 2)).status, 204);
    answers(&here, &put(Step::Answer, 9)).refuses(ProblemKind::Taken);
    assert_eq!(there.post(path::PAIRING_PUT, Some(&token), &put(Step::Grant, 3)).status, 204);
    assert_eq!(answers(&here, &put(Step::Done, 4)).status, 204);
    for (step, byte) in Step::ALL.into_iter().zip(1..) {
        let take = PairingTake { place: place(1), step };
        let taken: PairingTaken = there.post(path::PAIRING_TAKE, None, &take).body();
        assert_eq!(taken.message, Some(put(step, byte).message));
    }
    for number in 2..=4 {
        let offer = PairingPut { place: place(number), ..put(Step::Offer, 1) };
        assert_eq!(there.post(path::PAIRING_PUT, Some(&token), &offer).status, 204);
    }
    let fifth = PairingPut { place: place(5), ..put(Step::Offer, 1) };
    here.post(path::PAIRING_PUT, Some(&token), &fifth).refuses(ProblemKind::SlowDown);
    let close = PairingClose { place: place(1) };
    assert_eq!(there.post(path::PAIRING_CLOSE, Some(&token), &close).status, 204);
    assert_eq!(here.post(path::PAIRING_PUT, Some(&token), &fifth).status, 204);
}

/// HTP-13: what one node takes counts at the other, and an account that one closes is closed at both.
#[test]
fn quotas_and_accounts_are_of_all_nodes() {
    let Some(Nodes { mut here, there, _cluster, .. }) = Nodes::begin() else { return };
    let (mut author, token) = here.founder("ada");
    let (sealed, added) = chunk(&mut here.seed, 60_000);
    let entry = author.entry_with(NOTES, vec![1; 60], vec![added.clone()]);
    assert_eq!(here.push(&token, &author.head(), &[entry]).status, 200);
    let at = path::CHUNKS.to_owned() + &added.name.to_string();
    let put = Desk::request("PUT", &at, Some(&token));
    let mut put = put.body(Body::from(sealed.clone())).unwrap();
    put.headers_mut().insert(CONTENT_TYPE, "application/octet-stream".parse().unwrap());
    assert_eq!(here.send(put).status, 204);
    assert_eq!(there.get(&at, Some(&token)).bytes, sealed);
    let used = |desk: &Desk| desk.get(path::ACCOUNT, Some(&token)).body::<AccountView>().used_bytes;
    assert!(used(&there) >= 60_000, "{}", used(&there));

    let name = AccountName::parse("ada").unwrap();
    there.server.accounts.allow(&name, Some(used(&there) + 1_000)).unwrap();
    let large = author.entry(NOTES, vec![1; 5_000]);
    here.push(&token, &author.head(), &[large]).refuses(ProblemKind::Full);

    let delete = Desk::request("DELETE", path::ACCOUNT, Some(&token)).body(Body::empty()).unwrap();
    assert_eq!(here.send(delete).status, 204);
    there.get(path::ACCOUNT, Some(&token)).refuses(ProblemKind::Unauthenticated);
    there.prove(&author, |_| {}).refuses(ProblemKind::Unauthenticated);
}

/// ACL-1, ACL-9: the log of a vault is one, whichever nodes write to it, and each signs it with the same key.
#[test]
fn acl_9_nodes_write_one_access_log() {
    let Some(Nodes { mut here, there, _cluster, .. }) = Nodes::begin() else { return };
    let (mut author, token) = here.founder("ada");
    for desk in [&here, &there, &here, &there] {
        let entry = author.entry(NOTES, vec![1; 60]);
        assert_eq!(desk.push(&token, &author.head(), &[entry]).status, 200);
    }
    let signer = access_log(author.vault(), here.server.log.public());
    let get = |desk: &Desk, name: &str| desk.get(&format!("{}{name}", path::LOG), Some(&token));
    let at = |desk: &Desk| open_note(&get(desk, "checkpoint").bytes, &signer).unwrap();
    let last = at(&there);
    assert_eq!(at(&here), last);
    let tile = TilePath { kind: TileKind::Entries, number: 0, width: last.size };
    let bytes = get(&there, &tile.to_string()).bytes;
    let (mut rest, mut kinds) = (bytes.as_slice(), Vec::new());
    while let Some((length, after)) = rest.split_first_chunk::<2>() {
        let (leaf, after) = after.split_at(usize::from(u16::from_be_bytes(*length)));
        kinds.push(AccessEvent::from_bytes(leaf, 64).unwrap().kind);
        rest = after;
    }
    assert_eq!(kinds.iter().filter(|kind| **kind == AccessKind::Began).count(), 1, "{kinds:?}");
    assert_eq!(kinds.iter().filter(|kind| **kind == AccessKind::Written).count(), 5, "{kinds:?}");
}

/// Changes rows of the database's own, as no node does.
fn change(address: &str, sql: &'static str) -> u64 {
    let database = Database::open(Address::near(address).unwrap(), 1, Box::new(|| 0)).unwrap();
    database.ask(|asking| asking.change(sql, &[])).unwrap()
}

/// ACC-5, HTP-15: what counts for minutes does so by the database's clock. A node whose own is wrong ends nothing of the
/// others'.
#[test]
fn a_node_whose_clock_is_wrong_ends_nothing() {
    let Some(Nodes { mut here, there, address, _cluster }) = Nodes::begin() else { return };
    let fast = Desk::at(
        || 1_000 + 20 * 60 * 1_000,
        |config| {
            let log = here.folder.path().join("log.key");
            std::fs::copy(log, config.data.join("log.key")).unwrap();
            settle(&address, None)(config);
        },
    );
    let (author, token) = here.founder("ada");
    let (vault, device) = (author.vault(), author.device());
    let nonce = here.post(path::CHALLENGE, None, &Ask { vault, device }).body::<Asked>().nonce;
    let (place, message) = (PairingBox([1; 16]), PairingMessage(vec![1; 100]));
    let offer = PairingPut { place, step: Step::Offer, message };
    assert_eq!(here.post(path::PAIRING_PUT, Some(&token), &offer).status, 204);
    fast.runtime.block_on(fast.server.tidy());
    for desk in [&here, &there, &fast] {
        assert_eq!(desk.get(path::ACCOUNT, Some(&token)).status, 200);
        let take = PairingTake { place, step: Step::Offer };
        assert_eq!(desk.post(path::PAIRING_TAKE, None, &take).status, 200);
    }
    let signature = author.show(&Challenge { vault, device, server: KEY, nonce }).signature().0;
    let answer = Answer { vault, device, nonce, signature };
    assert_eq!(fast.post(path::TOKEN, None, &answer).status, 200);

    // When their time is over, they have ended at every node.
    let nonce = fast.post(path::CHALLENGE, None, &Ask { vault, device }).body::<Asked>().nonce;
    let end = here.begins_login("ada", INPUT, &author.transport_key());
    assert_eq!(change(&address, "UPDATE challenges SET until_ms = until_ms - 60000"), 1);
    assert_eq!(change(&address, "UPDATE logins SET until_ms = until_ms - 60000"), 1);
    assert_eq!(change(&address, "UPDATE sessions SET until_ms = until_ms - 900000"), 2);
    assert_eq!(change(&address, "UPDATE boxes SET until_ms = until_ms - 600000"), 1);
    let signature = author.show(&Challenge { vault, device, server: KEY, nonce }).signature().0;
    let answer = Answer { vault, device, nonce, signature };
    here.post(path::TOKEN, None, &answer).refuses(ProblemKind::Unauthenticated);
    there.post(path::LOGIN_END, None, &end).refuses(ProblemKind::LoginRefused);
    here.get(path::ACCOUNT, Some(&token)).refuses(ProblemKind::Unauthenticated);
    let take = PairingTake { place, step: Step::Offer };
    there.post(path::PAIRING_TAKE, None, &take).refuses(ProblemKind::Absent);
    there.runtime.block_on(there.server.tidy());
    assert_eq!(change(&address, "DELETE FROM sessions") + change(&address, "DELETE FROM boxes"), 0);
}

/// HTP-5, HTP-6, fault F-29: who finds no connection to the database is told when to come again.
#[test]
fn f_29_a_node_without_a_connection_is_busy() {
    let Some(cluster) = Cluster::begin() else { return };
    let address = cluster.fresh();
    let mut desk = Desk::with(|config| {
        settle(&address, None)(config);
        config.storage.as_mut().unwrap().connections = 1;
    });
    let (_, token) = desk.founder("ada");
    let outside = Database::open(Address::near(&address).unwrap(), 1, Box::new(|| 0)).unwrap();
    let held = outside.ask_in_one::<_, StoreError>(|asking| {
        asking.change("LOCK TABLE sessions", &[])?;
        std::thread::scope(|scope| {
            let asks = || desk.get(path::ACCOUNT, Some(&token));
            let first = scope.spawn(asks);
            std::thread::sleep(std::time::Duration::from_millis(500));
            let second = asks();
            second.refuses(ProblemKind::Busy);
            assert_eq!(second.retry_after, Some(1));
            // The lock is not waited for without end either.
            let first = first.join().unwrap();
            first.refuses(ProblemKind::Busy);
            assert_eq!(first.retry_after, Some(1));
        });
        Ok(())
    });
    held.unwrap();
    assert_eq!(desk.get(path::ACCOUNT, Some(&token)).status, 200);
}

/// ACC-5, ACC-13: of two nodes that keep a list of devices the one stays that was judged from more, whichever was faster.
#[test]
fn the_list_that_was_judged_from_more_stays() {
    let Some(Nodes { mut here, there, _cluster, .. }) = Nodes::begin() else { return };
    let (author, _) = Author::founder(&mut here.seed);
    assert_eq!(here.register(&author, "ada", None).status, 201);
    let vault = author.vault();
    let kept = || here.server.accounts.listing(vault).unwrap();
    let first = kept();
    let other = Listing::of_one(DeviceId([9; 16]), [9; 32]);
    let more = first.clone().with(&other);
    let keeps = |was, now| there.server.accounts.keep_listing(vault, (was, now)).unwrap();
    keeps(&other, &more);
    assert_eq!(kept(), more, "it covers the one that was there");
    keeps(&other, &first);
    assert_eq!(kept(), more, "that one covers it");
    keeps(&more, &first);
    assert_eq!(kept(), first, "nobody was faster");
}

/// ACL-9: an account that is closed at one node has no access log any more, whatever another one has counted of it.
#[test]
fn acl_9_a_closed_account_leaves_no_log() {
    let Some(Nodes { mut here, there, address, _cluster }) = Nodes::begin() else { return };
    let (_, token) = here.founder("ada");
    there.post(path::HEADS, Some(&token), &HeadsAsk { known: vec![] }).body::<HeadsAnswer>();
    let delete = Desk::request("DELETE", path::ACCOUNT, Some(&token)).body(Body::empty()).unwrap();
    assert_eq!(here.send(delete).status, 204);
    assert_eq!(there.server.vaults.open_count(), 1);
    there.runtime.block_on(there.server.tidy());
    assert_eq!(there.server.vaults.open_count(), 0);
    assert_eq!(change(&address, "DELETE FROM access_edges"), 0);
    assert_eq!(change(&address, "DELETE FROM access_leaves"), 0);
    assert_eq!(change(&address, "DELETE FROM access_hashes"), 0);
}

/// ACL-1, ACL-5: nodes that append to one log at once lose no leaf, and no log is longer than any may be.
#[test]
fn acl_5_leaves_of_many_nodes_have_places_of_their_own_and_a_bound() {
    let Some(Nodes { here, there, address, _cluster }) = Nodes::begin() else { return };
    let vault = VaultId([3; 32]);
    let leaves = |desk: &Desk| desk.server.vaults.hosting().leaves(vault).unwrap();
    leaves(&here).begin(vec![0]).unwrap();
    std::thread::scope(|scope| {
        for (number, desk) in [(1, &here), (2, &there), (3, &here), (4, &there)] {
            let mut leaves = leaves(desk);
            scope.spawn(move || {
                (0..25).for_each(|_| leaves.append(&[vec![number], vec![number]]).unwrap());
            });
        }
    });
    assert_eq!(leaves(&here).settle().unwrap().size(), 201);
    assert_eq!(change(&address, "DELETE FROM access_leaves"), 201);

    let nearly = Frontier::of(LEAVES_MAX - 1, vec![Hash([7; 32]); 24]).unwrap().to_bytes();
    let database = Database::open(Address::near(&address).unwrap(), 1, Box::new(|| 0)).unwrap();
    let sql = "UPDATE access_edges SET frontier = $1";
    assert_eq!(database.ask(|asking| asking.change(sql, &[&nearly])).unwrap(), 1);
    let size = |leaves: &mut dyn Leaves| leaves.settle().unwrap().size();
    let mut leaves = leaves(&there);
    for (more, expected) in [(2, LEAVES_MAX - 1), (1, LEAVES_MAX), (1, LEAVES_MAX)] {
        leaves.append(&vec![vec![1]; more]).unwrap();
        assert_eq!(size(&mut *leaves), expected);
    }
}

/// A node with other keys than the others does not begin; what could tell a password to others is refused.
#[test]
fn nodes_have_the_same_keys() {
    let Some(Nodes { here, address, _cluster, .. }) = Nodes::begin() else { return };
    let hosting = here.server.vaults.hosting();
    hosting.agree(&here.server.setup, &here.server.log).unwrap();
    hosting.agree(&here.server.setup, &here.server.log).unwrap();
    let other = tempfile::tempdir().unwrap();
    let log = LogKey::load(other.path()).unwrap();
    let setup = Setup::new(&mut |bytes| bytes.fill(7));
    assert!(hosting.agree(&here.server.setup, &log).is_err());
    assert!(hosting.agree(&setup, &here.server.log).is_err());

    let mut config = Config { data: other.path().to_owned(), ..Config::default() };
    settle(&format!("{address} password=hunter2"), None)(&mut config);
    let refused = |config: &Config| Backing::of(config, || 0).unwrap_err();
    assert!(matches!(refused(&config), BackingError::Password));
    assert!(!format!("{:?}", refused(&config)).contains("hunter2"));
    settle(&address, Some("/nowhere/at/all".to_owned()))(&mut config);
    assert!(matches!(refused(&config), BackingError::Chunks(_)));
    config.log_key = None;
    assert!(matches!(refused(&config), BackingError::Keys));
}
