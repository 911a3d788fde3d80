// SPDX-License-Identifier: MIT OR Apache-2.0
//! `aura-server migrate-store`: from a folder to a database and a directory of chunks, and back, cut short anywhere.
#![cfg(all(unix, feature = "postgres"))]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic is a failed test")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread::sleep;
use std::time::Duration;

use aura_protocol::auth::AccountName;
use aura_protocol::auth::login::RECORD_BYTES;
use aura_protocol::http::Invitation;
use aura_protocol::id::{CollectionId, VaultId};
use aura_protocol::store::{Access, BlindStore as _};
use aura_server::accounts::{Account, AccountBook as _, Accounts};
use aura_server::config::Config;
use aura_server::listing::Listing;
use aura_server::serve::Running;
use aura_store::local::LocalStore;
use aura_store::portable::{Portable as _, Sum, sum};
use aura_store::postgres::{Address, Database};
use aura_testkit::author::{Author, chunk};
use aura_testkit::cluster::Cluster;
use aura_testkit::conformance::NOTES;
use aura_testkit::seed::Seed;
use pollster::block_on;
use tempfile::TempDir;

/// Accounts of the service.
const ACCOUNTS: u8 = 6;

/// As settings have a path.
fn quoted(path: &Path) -> String {
    format!("\"{}\"", path.display())
}

fn folder_of(data: &Path, vault: VaultId) -> PathBuf {
    let id = vault.to_string();
    data.join("vaults").join(&id[..2]).join(&id)
}

fn store(data: &Path, vault: VaultId) -> LocalStore {
    LocalStore::hosted(&folder_of(data, vault), vault, Box::new(|| 1_000)).unwrap()
}

/// A vault with what there may be in one: a snapshot that every device has adopted, chunks, heads that others name, and
/// something that is staged.
fn fill(data: &Path, seed: &mut Seed) -> Author {
    let (mut author, genesis) = Author::founder(seed);
    let store = store(data, author.vault());
    let access = Access::Vault(author.vault());
    let push = |head: &_, entries: &[_]| block_on(store.push(&access, head, entries)).unwrap();
    let (mut other, add) = author.pair(seed);
    push(&author.head(), &[genesis, add]);
    let mut notes = Vec::new();
    let mut chunks = Vec::new();
    for _ in 0..4 {
        let (sealed, added) = chunk(seed, 300_000);
        notes.push(author.entry_with(NOTES, vec![1; 500], vec![added.clone()]));
        chunks.push((added.name, sealed));
    }
    push(&author.head(), &notes);
    chunks.iter().for_each(|(name, sealed)| block_on(store.put(&access, *name, sealed)).unwrap());
    let (feed, upto) = (author.feed(NOTES), author.position(NOTES));
    let snapshot = author.entry(NOTES, vec![2; 900]);
    let last = snapshot.hash();
    let (base, id) = author.base(NOTES, (5, 5), vec![(feed, upto)]);
    let head = author.head();
    push(&head, &[base, snapshot]);
    other.see(&head);
    let (sealed, added) = chunk(seed, 500_000);
    let entry = other.entry_with(CollectionId([9; 16]), vec![3; 60], vec![added.clone()]);
    let adopted = other.adopt(id, last);
    push(&other.head(), &[adopted, entry]);
    block_on(store.put(&access, added.name, &sealed)).unwrap();
    assert_eq!(block_on(store.forget(&access, id)).unwrap(), 4);
    // Staged: its head names more than has come.
    let (first, _second) = (author.entry(NOTES, vec![4; 60]), author.entry(NOTES, vec![5; 60]));
    let receipt = push(&author.head(), &[first]);
    assert_eq!(receipt.missing.len(), 1);
    author
}

/// A service in a folder, with its keys.
struct Origin {
    folder: TempDir,
    vaults: Vec<VaultId>,
    sums: Vec<Sum>,
}

impl Origin {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let data = folder.path().join("data");
        let config = Config {
            data: data.clone(),
            listen: "127.0.0.1:0".parse().unwrap(),
            ..Config::default()
        };
        Running::start(config, || 1_000).unwrap().stop();
        let accounts = Accounts::open(&data.join("accounts.db")).unwrap();
        let mut seed = Seed::new(7);
        let mut vaults = Vec::new();
        for at in 0..ACCOUNTS {
            let author = fill(&data, &mut seed);
            let account = Account {
                vault: author.vault(),
                name: AccountName::parse(&format!("a{at}")).unwrap(),
                record: [at; RECORD_BYTES],
                device: author.device(),
                transport: author.transport_key(),
                quota_bytes: (at == 1).then_some(77),
                made_ms: i64::from(at),
            };
            let listing = Listing::of_one(author.device(), author.transport_key());
            accounts.open_account((&account, &listing), None).unwrap();
            vaults.push(author.vault());
        }
        accounts.invite(&Invitation::parse("an-invitation-of-old").unwrap(), 3, 5_000).unwrap();
        let sums = vaults.iter().map(|vault| sum(&store(&data, *vault)).unwrap()).collect();
        Self { folder, vaults, sums }
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Settings of nodes with this database; their keys are the origin's.
    fn settings(&self, name: &str, storage: &str) -> PathBuf {
        let (path, data) = (self.folder.path().join(name), self.data());
        let key = |name| quoted(&data.join(name));
        let text = format!(
            "listen = \"127.0.0.1:0\"\ndata = {}\nlogins_key = {}\nlog_key = {}\n\
             [tls]\ncertificate = {}\nkey = {}\n{storage}",
            quoted(&self.folder.path().join(format!("{name}.data"))),
            key("logins.key"),
            key("log.key"),
            key("tls.crt"),
            key("tls.key"),
        );
        fs::write(&path, text).unwrap();
        path
    }

    fn is_in(&self, data: &Path) {
        for (vault, expected) in self.vaults.iter().zip(&self.sums) {
            let store = store(data, *vault);
            assert_eq!(sum(&store).unwrap(), *expected);
            let chunks = store.chunk_sizes().unwrap();
            assert_eq!(chunks.len(), 1, "what was let go of is gone");
            chunks.iter().for_each(|(name, _)| drop(store.sealed(*name).unwrap()));
        }
        let here = Accounts::open(&self.data().join("accounts.db")).unwrap();
        let there = Accounts::open(&data.join("accounts.db")).unwrap();
        assert_eq!(here.all().unwrap(), there.all().unwrap());
        assert_eq!(here.invitations().unwrap(), there.invitations().unwrap());
        for vault in &self.vaults {
            assert_eq!(here.listing(*vault).unwrap(), there.listing(*vault).unwrap());
        }
    }
}

fn command(from: &[&str], to: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_aura-server"));
    command.args(from).arg("migrate-store").arg("--to").arg(to);
    command
}

fn migrates(from: &[&str], to: &Path) -> Output {
    command(from, to).output().unwrap()
}

fn says(done: &Output, word: &str) {
    let said = [done.stdout.as_slice(), done.stderr.as_slice()].concat();
    let said = String::from_utf8(said).unwrap();
    assert!(said.contains(word), "{word}: {said}");
}

/// STO-46, faults F-02, F-26: everything goes over and comes back the same, also when it is killed again and again on its
/// way; nothing goes while somebody serves; what is there already stays.
#[test]
fn a_service_moves_to_a_database_and_back() {
    let Some(cluster) = Cluster::begin() else { return };
    let origin = Origin::new();
    let (address, chunks) = (cluster.fresh(), origin.folder.path().join("chunks"));
    fs::create_dir(&chunks).unwrap();
    let storage = format!("[storage]\npostgres = {address:?}\nchunks = {}\n", quoted(&chunks));
    let nodes = origin.settings("nodes.toml", &storage);
    let data = origin.data();
    let from = ["--data", data.to_str().unwrap()];

    // Nobody moves what is served, on either side.
    let config =
        Config { data: data.clone(), listen: "127.0.0.1:0".parse().unwrap(), ..Config::default() };
    let serving = Running::start(config, || 1_000).unwrap();
    says(&migrates(&from, &nodes), "a server works on the source");
    serving.stop();
    let serving = Running::start(Config::read(&nodes).unwrap(), || 1_000).unwrap();
    says(&migrates(&from, &nodes), "a server works on the target");
    serving.stop();

    let database = || {
        let address = Address::near(&address).unwrap();
        std::sync::Arc::new(Database::open(address, 2, Box::new(|| 1_000)).unwrap())
    };
    // Stopped in the middle: what rotted is not carried on, and what is there is not moved again.
    let rotten = rusqlite::Connection::open(folder_of(&data, origin.vaults[3]).join("store.db"));
    let rotten = rotten.unwrap();
    let kept: Vec<u8> = rotten
        .query_row("SELECT body FROM entries WHERE feed = 2 LIMIT 1", [], |row| row.get(0))
        .unwrap();
    let replace = "UPDATE entries SET body = ?1
        WHERE rowid = (SELECT rowid FROM entries WHERE feed = 2 LIMIT 1)";
    rotten.execute(replace, [b"rotten".as_slice()]).unwrap();
    says(&migrates(&from, &nodes), "a vault could not be moved");
    let listed = Command::new(env!("CARGO_BIN_EXE_aura-server"))
        .args(["--config", nodes.to_str().unwrap(), "account", "ls"])
        .output();
    assert_eq!(String::from_utf8(listed.unwrap().stdout).unwrap().lines().count(), 3);
    rotten.execute(replace, [kept]).unwrap();
    drop(rotten);

    for round in 0..6 {
        let mut child =
            command(&from, &nodes).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        sleep(Duration::from_millis(60 + 90 * round));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    // The database lets go of the lock of a process that is gone.
    let mut done = migrates(&from, &nodes);
    for _ in 0..20 {
        if done.status.success() {
            break;
        }
        sleep(Duration::from_millis(250));
        done = migrates(&from, &nodes);
    }
    assert!(done.status.success(), "{done:?}");
    says(&done, "6 accounts");
    let again = migrates(&from, &nodes);
    assert!(again.status.success(), "{again:?}");
    says(&again, "6 were there already");
    for (vault, expected) in origin.vaults.iter().zip(&origin.sums) {
        assert_eq!(sum(&database().vault(*vault)).unwrap(), *expected);
    }

    // What is not the same there is told, and moved again where there is no account.
    let asks = |sql| database().ask(|asking| asking.change(sql, &[])).unwrap();
    assert_eq!(asks("DELETE FROM heads WHERE ctid = (SELECT ctid FROM heads LIMIT 1)"), 1);
    says(&migrates(&from, &nodes), "is not the same there");
    assert_eq!(asks("DELETE FROM accounts"), 6);
    says(&migrates(&from, &nodes), "6 accounts, 0 were there already");

    // Nodes serve it; what was left on the way is swept by them, not counted as a chunk.
    let serving = Running::start(Config::read(&nodes).unwrap(), || 1_000).unwrap();
    serving.stop();

    let back = origin.settings("back.toml", "");
    let there = origin.folder.path().join("back.toml.data");
    fs::create_dir(&there).unwrap();
    let from = ["--config", nodes.to_str().unwrap()];
    for round in 0..4 {
        let mut child =
            command(&from, &back).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        sleep(Duration::from_millis(80 + 120 * round));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    sleep(Duration::from_secs(1));
    let done = migrates(&from, &back);
    assert!(done.status.success(), "{done:?}");
    origin.is_in(&there);
    Running::start(Config::read(&back).unwrap(), || 1_000).unwrap().stop();
}

/// STO-46, fault F-29: a move ends with its place in the database, since nodes may serve from then on; run again, it goes on.
#[test]
fn f_29_a_move_stops_where_it_is_not_alone_any_more() {
    let Some(cluster) = Cluster::begin() else { return };
    let (origin, address) = (Origin::new(), cluster.fresh());
    let nodes = origin.settings("nodes.toml", &format!("[storage]\npostgres = {address:?}\n"));
    let data = origin.data();
    let from = ["--data", data.to_str().unwrap()];
    let near = Address::near(&address).unwrap();
    let database = Database::open(near, 2, Box::new(|| 1_000)).unwrap();
    let ends = "SELECT pg_terminate_backend(pid) FROM pg_locks
        WHERE locktype = 'advisory' AND mode = 'ExclusiveLock' AND granted";
    let moving = command(&from, &nodes).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let moving = moving.unwrap();
    while database.ask(|asking| asking.query(ends, &[])).unwrap().is_empty() {
        sleep(Duration::from_millis(2));
    }
    let stopped = moving.wait_with_output().unwrap();
    assert!(!stopped.status.success(), "{stopped:?}");
    says(&stopped, "a vault could not be moved");
    let moved = database.ask(|asking| asking.query("SELECT name FROM accounts", &[])).unwrap();
    assert!(moved.len() < usize::from(ACCOUNTS), "no further vault is moved");
    let done = migrates(&from, &nodes);
    assert!(done.status.success(), "{done:?}");
    says(&done, "6 accounts");
}

/// A server with another key is another one to devices: nothing goes there.
#[test]
fn keys_are_the_same_on_both_sides() {
    let origin = Origin::new();
    let (data, other) = (origin.data(), TempDir::new().unwrap());
    let from = ["--data", data.to_str().unwrap()];
    let to = other.path().join("settings.toml");
    let target = other.path().join("data");
    fs::write(&to, format!("data = {}\n", quoted(&target))).unwrap();
    fs::create_dir(&target).unwrap();
    says(&migrates(&from, &to), "another logins.key, or none");
    assert!(!target.join("logins.key").exists(), "none is made");
    let made = Command::new(env!("CARGO_BIN_EXE_aura-server")).arg("keys").arg(&target).output();
    assert!(made.unwrap().status.success());
    says(&migrates(&from, &to), "another logins.key, or none");
    fs::copy(data.join("logins.key"), target.join("logins.key")).unwrap();
    says(&migrates(&from, &to), "another log.key, or none");
}
