// SPDX-License-Identifier: MIT OR Apache-2.0
//! Two nodes on one PostgreSQL: whatever begins at one goes on at the other.

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
use aura_testkit::cluster::{Cluster, tables};
use aura_testkit::conformance::NOTES;

use super::*;
use crate::access::{LEAVES_MAX, Leaves};
use crate::accounts::{Account, AccountError};
use crate::backing::BackingError;
use crate::bell::Rung;
use crate::config::{Storage, Tls};
use crate::listing::Listing;
use crate::token::VAULT_TOKENS_MAX;
use crate::vaults::Heard;

/// Settings of a node; its keys are given by the test.
fn settle(address: &str, chunks: Option<String>) -> impl FnOnce(&mut Config) {
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
struct Nodes {
    here: Desk,
    there: Desk,
    address: String,
    _cluster: Cluster,
}

impl Nodes {
    fn begin() -> Option<Self> {
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
    let begin = PasswordBegin { request: [1; 32] };
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

/// What a node's database has, as whoever looks after it asks it.
fn asks_of(address: &str) -> impl Fn(&'static str) -> i64 {
    let address = Address::near(address).unwrap();
    let database = Database::open_as_is(address, 1, None, Box::new(|| 1_000)).unwrap();
    move |sql| {
        let rows = database.ask::<_, StoreError>(|asking| asking.query(sql, &[])).unwrap();
        rows.first().map_or(0, |row| row.try_get(0).unwrap())
    }
}

/// ACC-3, ACC-5, ACC-11, HTP-15: what counts for minutes counts for minutes and no longer, and is gone with the next tidying.
#[test]
fn what_counts_for_minutes_ends_at_every_node() {
    let Some(Nodes { mut here, there, address, _cluster, .. }) = Nodes::begin() else { return };
    let asks = asks_of(&address);
    let count = || {
        asks(
            "SELECT (SELECT count(*) FROM challenges) + (SELECT count(*) FROM logins)
              + (SELECT count(*) FROM sessions) + (SELECT count(*) FROM boxes)",
        )
    };
    // A minute for what is halfway, a quarter of an hour for tokens, ten minutes for boxes pass.
    let pass = || {
        asks("UPDATE challenges SET until_ms = until_ms - 60000");
        asks("UPDATE logins SET until_ms = until_ms - 60000");
        asks("UPDATE sessions SET until_ms = until_ms - 900000");
        asks("UPDATE boxes SET until_ms = until_ms - 600000");
    };
    let (author, token) = here.founder("ada");
    let (vault, device) = (author.vault(), author.device());
    let offer = |number: u8| {
        let message = PairingMessage(vec![1; 100]);
        PairingPut { place: PairingBox([number; 16]), step: Step::Offer, message }
    };
    let answer = PairingPut { step: Step::Answer, ..offer(1) };
    let take = PairingTake { place: PairingBox([1; 16]), step: Step::Offer };
    assert_eq!(here.post(path::PAIRING_PUT, Some(&token), &offer(1)).status, 204);
    let nonce = here.post(path::CHALLENGE, None, &Ask { vault, device }).body::<Asked>().nonce;
    let challenge = Challenge { vault, device, server: KEY, nonce };
    let signature = author.show(&challenge).signature().0;
    let half = here.begins_login("ada", INPUT, &author.transport_key());
    pass();
    let proof = Answer { vault, device, nonce, signature };
    there.post(path::TOKEN, None, &proof).refuses(ProblemKind::Unauthenticated);
    there.post(path::LOGIN_END, None, &half).refuses(ProblemKind::LoginRefused);
    there.get(path::ACCOUNT, Some(&token)).refuses(ProblemKind::Unauthenticated);
    there.post(path::PAIRING_TAKE, None, &take).refuses(ProblemKind::Absent);
    there.post(path::PAIRING_ANSWER, None, &answer).refuses(ProblemKind::Absent);

    // Whatever is over is taken away, and nothing else.
    here.post(path::CHALLENGE, None, &Ask { vault, device });
    here.begins_login("ada", INPUT, &author.transport_key());
    pass();
    let fresh = here.token(&author);
    here.post(path::CHALLENGE, None, &Ask { vault, device });
    here.begins_login("ada", INPUT, &author.transport_key());
    assert_eq!(here.post(path::PAIRING_PUT, Some(&fresh), &offer(2)).status, 204);
    assert!(count() > 4);
    here.runtime.block_on(here.server.tidy());
    assert_eq!(count(), 4);
    assert_eq!(there.get(path::ACCOUNT, Some(&fresh)).status, 200);
}

/// ACC-3, ACC-5: a challenge is its device's and its vault's; forgetting a vault's tokens and logins leaves the others'. A vault
/// has so many tokens, and the oldest go.
#[test]
fn what_counts_for_minutes_is_of_one_vault() {
    let Some(Nodes { mut here, there, address, _cluster, .. }) = Nodes::begin() else { return };
    let (author, token) = here.founder("ada");
    let (_, its) = here.founder("bo");
    let (vault, device) = (author.vault(), author.device());
    let (tokens, elsewhere) = (&here.server.tokens, &there.server.tokens);
    let nonce = |at: u8| Hash([at; 32]);
    for (at, of) in [(1, (VaultId([1; 32]), device)), (2, (vault, DeviceId([1; 16])))] {
        tokens.challenge(nonce(at), (vault, device)).unwrap();
        assert!(!elsewhere.answer(nonce(at), of).unwrap());
        assert!(!elsewhere.answer(nonce(at), (vault, device)).unwrap(), "once");
    }
    tokens.challenge(nonce(3), (vault, device)).unwrap();
    assert!(elsewhere.answer(nonce(3), (vault, device)).unwrap());

    let session = elsewhere.session(&token).unwrap().unwrap();
    let given: Vec<_> = (0..VAULT_TOKENS_MAX + 2)
        .map(|at| {
            let token = Token(Hash::of(&[&at.to_be_bytes()]).0);
            tokens.grant(&token, &session).unwrap();
            token
        })
        .collect();
    let counts = |token: &Token| elsewhere.session(token).unwrap().is_some();
    assert!(counts(given.last().unwrap()) && counts(&its));
    let own = asks_of(&address)(
        "SELECT max(count) FROM
        (SELECT count(*) FROM sessions GROUP BY vault) AS of_vaults",
    );
    assert_eq!(own, i64::try_from(VAULT_TOKENS_MAX).unwrap());
    tokens.revoke(given.last().unwrap()).unwrap();
    assert!(!counts(given.last().unwrap()));
    let kept = Token([7; 32]);
    tokens.grant(&kept, &session).unwrap();
    assert!(counts(&kept));
    let device = author.transport_key();
    let half = here.begins_login("ada", INPUT, &device);
    let other = here.begins_login("bo", INPUT, &device);
    here.server.tokens.forget(vault).unwrap();
    assert!(!counts(&kept));
    there.post(path::LOGIN_END, None, &half).refuses(ProblemKind::LoginRefused);
    assert_eq!(there.get(path::ACCOUNT, Some(&its)).status, 200);
    assert_eq!(there.post(path::LOGIN_END, None, &other).status, 200);
}

/// HTP-15: a box is closed by its own vault alone, and all nodes together have so many.
#[test]
fn htp_15_boxes_are_of_one_vault_and_few() {
    let Some(Nodes { mut here, there, address, _cluster, .. }) = Nodes::begin() else { return };
    let (_, token) = here.founder("ada");
    let (_, other) = here.founder("bo");
    let place = |number: u8| PairingBox([number; 16]);
    let put = |desk: &Desk, token: &Token, number| {
        let message = PairingMessage(vec![1; 100]);
        let put = PairingPut { place: place(number), step: Step::Offer, message };
        desk.post(path::PAIRING_PUT, Some(token), &put)
    };
    assert_eq!(put(&here, &token, 1).status, 204);
    let close = PairingClose { place: place(1) };
    there.post(path::PAIRING_CLOSE, Some(&other), &close);
    let take = PairingTake { place: place(1), step: Step::Offer };
    assert_eq!(there.post(path::PAIRING_TAKE, None, &take).status, 200);
    let asks = asks_of(&address);
    let fill = "INSERT INTO boxes (place, vault, until_ms)
        SELECT sha256(number::text::bytea), sha256('somebody'), (SELECT until_ms FROM boxes LIMIT 1)
        FROM generate_series(1, 1022) AS number";
    asks(fill);
    assert_eq!(put(&there, &other, 2).status, 204);
    put(&here, &other, 3).refuses(ProblemKind::Busy);
    there.post(path::PAIRING_CLOSE, Some(&token), &close);
    assert_eq!(put(&here, &other, 3).status, 204);
}

/// ACC-10: an invitation counts so often and so long, at whichever node.
#[test]
fn an_invitation_is_used_up_at_every_node() {
    let Some(Nodes { here, there, address, _cluster }) = Nodes::begin() else { return };
    let invited = |desk: &Desk, text: &str, uses, until_ms| {
        let invitation = Invitation::parse(text).unwrap();
        desk.server.accounts.invite(&invitation, uses, until_ms).unwrap();
        invitation
    };
    let (later, before) = (i64::MAX, 1);
    let two = invited(&here, "for-two", 2, later);
    let late = invited(&here, "too-late", 2, before);
    let none = Invitation::parse("made-up").unwrap();
    let books = [&here.server.accounts, &there.server.accounts];
    let account = |at: u8, book: usize, invitation: &Invitation| {
        let account = Account {
            vault: VaultId([at; 32]),
            name: AccountName::parse(&format!("n{at}")).unwrap(),
            record: [0; aura_protocol::auth::opaque::RECORD_BYTES],
            device: DeviceId([at; 16]),
            transport: [at; 32],
            quota_bytes: None,
            made_ms: 1_000,
        };
        let listing = Listing::of_one(account.device, account.transport);
        let book = books[book];
        let admitted = book.admit(&account.name, Some(invitation), 1_000);
        let opened = book.open_account((&account, &listing), Some(invitation));
        let is_uninvited = |done: &Result<(), _>| matches!(done, Err(AccountError::Uninvited));
        assert_eq!(admitted.is_ok(), opened.is_ok(), "{admitted:?} {opened:?}");
        assert_eq!(is_uninvited(&admitted), is_uninvited(&opened));
        opened
    };
    for unfit in [&late, &none] {
        assert!(matches!(account(1, 1, unfit), Err(AccountError::Uninvited)));
    }
    account(1, 1, &two).unwrap();
    assert!(matches!(account(1, 0, &two), Err(AccountError::Taken)), "that uses nothing up");
    account(2, 0, &two).unwrap();
    assert!(matches!(account(3, 1, &two), Err(AccountError::Uninvited)));
    let uses = asks_of(&address)("SELECT sum(uses)::bigint FROM invitations");
    assert_eq!(uses, 2, "of the one that is over");
    assert_eq!(books[0].all().unwrap().len(), 2);
}

/// ACC-14, faults F-02, F-26: closing that is cut short at one node is gone on with at another, and leaves no row.
#[test]
fn acc_14_another_node_goes_on_with_closing() {
    let Some(Nodes { mut here, there, address, _cluster, .. }) = Nodes::begin() else { return };
    let (author, token) = here.founder("ada");
    let asks = asks_of(&address);
    let rows = || {
        asks(
            "SELECT (SELECT count(*) FROM entries) + (SELECT count(*) FROM heads)
              + (SELECT count(*) FROM sessions) + (SELECT count(*) FROM access_leaves)",
        )
    };
    assert!(rows() > 0);
    here.server.accounts.close(author.vault()).unwrap();
    here.get(path::ACCOUNT, Some(&token)).refuses(ProblemKind::Unauthenticated);
    assert!(rows() > 0);
    there.runtime.block_on(there.server.tidy());
    assert_eq!((rows(), asks("SELECT count(*) FROM closing")), (0, 0));
    assert_eq!(here.register(&author, "ada", None).status, 201);
}

/// Whoever only looks, or lists, changes nothing: neither tables nor whose keys count.
#[test]
fn looking_changes_nothing() {
    let Some(cluster) = Cluster::begin() else { return };
    let address = cluster.fresh();
    let folder = tempfile::tempdir().unwrap();
    let mut config = Config { data: folder.path().to_owned(), ..Config::default() };
    settle(&address, None)(&mut config);
    // Keys that are there.
    let keys = Config { data: folder.path().to_owned(), ..Config::default() };
    crate::secrets::logins(&keys).unwrap();
    LogKey::of(&keys).unwrap();
    crate::secrets::Certificate::load(&keys).unwrap();
    let file = |name: &str| folder.path().join(name);
    config.logins_key = Some(file("logins.key"));
    config.log_key = Some(file("log.key"));
    config.tls = Some(Tls { certificate: file("tls.crt"), key: file("tls.key") });

    let trouble = |config: &Config| {
        let looks = crate::care::examine(config);
        looks.into_iter().find(|look| look.what == "database").unwrap().trouble
    };
    let found = trouble(&config).unwrap();
    assert!(found.contains("version 0"), "{found}");
    assert!(crate::care::accounts(&config, || 1_000).is_err());
    assert_eq!(tables(&address).1, 0, "there are no tables");

    // Before the first node, and with other keys than it has.
    let backing = Backing::of(&config, || 1_000).unwrap();
    assert_eq!(trouble(&config), None);
    assert_eq!(asks_of(&address)("SELECT count(*) FROM agreed"), 0);
    let setup = Setup::new(&mut |bytes| bytes.fill(7));
    backing.hosting.agree(&setup, &LogKey::of(&config).unwrap()).unwrap();
    assert!(trouble(&config).unwrap().contains("logins_key"));
    assert_eq!(asks_of(&address)("SELECT count(*) FROM agreed"), 2);
}
