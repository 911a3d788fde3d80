// SPDX-License-Identifier: MIT OR Apache-2.0
//! What nodes count together, for how long, and what is left when it has ended; and that looking changes none of it.

use aura_protocol::http::{
    Answer, Ask, Asked, PairingClose, PairingMessage, PairingPut, PairingTake,
};
use aura_protocol::id::{DeviceId, PairingBox, VaultId};
use aura_protocol::pairing::Step;
use aura_protocol::store::StoreError;
use aura_store::postgres::{Address, Database};
use aura_testkit::cluster::{Cluster, tables};

use super::nodes::{Nodes, settle};
use super::*;
use crate::accounts::{Account, AccountError};
use crate::config::Tls;
use crate::listing::Listing;
use crate::token::{VAULT_TOKENS_MAX, WAITING_MAX};

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

/// attack AVL-03: whoever fills the table of challenges keeps nobody out: the oldest go.
#[test]
fn too_many_challenges_lose_the_oldest() {
    let Some(Nodes { here, there, address, _cluster, .. }) = Nodes::begin() else { return };
    let of = (VaultId([1; 32]), DeviceId([2; 16]));
    here.server.tokens.challenge(Hash([3; 32]), of).unwrap();
    let asks = asks_of(&address);
    asks(
        "INSERT INTO challenges SELECT sha256(number::text::bytea), sha256('a'), sha256('b'),
             (SELECT until_ms - 1 FROM challenges) FROM generate_series(1, 100050) AS number",
    );
    here.server.tokens.tidy().unwrap();
    let left = asks("SELECT count(*) FROM challenges");
    assert_eq!(left, i64::try_from(WAITING_MAX).unwrap());
    assert!(there.server.tokens.answer(Hash([3; 32]), of).unwrap());
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
            record: [0; login::RECORD_BYTES],
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
