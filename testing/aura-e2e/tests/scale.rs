// SPDX-License-Identifier: MIT OR Apache-2.0
//! Two nodes of one service, a PostgreSQL and a bucket behind them: devices at different nodes are one vault, a node
//! that is killed is missed by nobody, and neither database nor bucket say anything.
//!
//! Where PostgreSQL is not installed the test says that it is skipped; see `aura_testkit::cluster`.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic is a failed test")]

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::{self, sleep};
use std::time::{Duration, Instant, SystemTime};

use aura_e2e::elsewhere::{ACCOUNT, Elsewhere, SECRET, Server};
use aura_e2e::{Person, program};
use aura_testkit::canary::Canaries;
use aura_testkit::cluster::{Cluster, tables};
use aura_testkit::seed::Seed;
use serde_json::Value;
use tempfile::TempDir;

/// What nodes and daemons do by themselves, they do within this.
const PATIENCE: Duration = Duration::from_mins(1);

/// A node's process.
struct Node {
    address: SocketAddr,
    child: Child,
}

impl Node {
    /// As `kill -9` does.
    fn is_killed(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// What passes connections on, as an operator's balancer does: to the first node in its list that answers.
struct Balancer {
    address: SocketAddr,
    nodes: Arc<Mutex<Vec<SocketAddr>>>,
}

impl Balancer {
    fn before(nodes: &[SocketAddr]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let balancer = Self {
            address: listener.local_addr().unwrap(),
            nodes: Arc::new(Mutex::new(nodes.to_vec())),
        };
        let nodes = Arc::clone(&balancer.nodes);
        // Ends with the test.
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let nodes = nodes.lock().unwrap().clone();
                let node = nodes.into_iter().find_map(|node| TcpStream::connect(node).ok());
                if let Some(node) = node {
                    pass(&client, &node);
                    pass(&node, &client);
                }
            }
        });
        balancer
    }

    fn url(&self) -> String {
        format!("https://{}", self.address)
    }
}

/// One direction of a connection.
fn pass(from: &TcpStream, to: &TcpStream) {
    let (mut from, mut to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
    thread::spawn(move || {
        std::io::copy(&mut from, &mut to).ok();
        to.shutdown(Shutdown::Write).ok();
    });
}

/// The service: what its nodes share, and their keys.
struct Service {
    folder: TempDir,
    key: String,
    database: String,
    bucket: Server,
    cluster: Cluster,
}

impl Service {
    fn begin() -> Option<Self> {
        let cluster = Cluster::begin()?;
        let (database, bucket) = (cluster.fresh(), Server::begin(Elsewhere::S3)?);
        let folder = tempfile::tempdir().unwrap();
        let keys = folder.path().join("keys");
        let made = Self::command().arg("keys").arg(&keys).output().unwrap();
        assert!(made.status.success(), "{made:?}");
        let key = String::from_utf8(made.stdout).unwrap().trim().to_owned();
        let service = Self { folder, key, database, bucket, cluster };
        service.settles();
        Some(service)
    }

    fn command() -> Command {
        Command::new(program().with_file_name("aura-server"))
    }

    fn settings(&self) -> PathBuf {
        self.folder.path().join("settings.toml")
    }

    /// One file of settings for all nodes.
    fn settles(&self) {
        let secret = self.folder.path().join("bucket-secret");
        fs::write(&secret, SECRET).unwrap();
        let keys = self.folder.path().join("keys");
        let key = |name| keys.join(name).display().to_string();
        let text = format!(
            "registration = \"open\"\nlogins_key = {:?}\nlog_key = {:?}\n\
             [tls]\ncertificate = {:?}\nkey = {:?}\n\
             [storage]\npostgres = {:?}\nchunks = {:?}\nconnections = 8\n\
             [storage.bucket]\naccount = {ACCOUNT:?}\nsecret = \"{}\"\nendpoint = {:?}\n",
            key("logins.key"),
            key("log.key"),
            key("tls.crt"),
            key("tls.key"),
            self.database,
            self.bucket.address("chunks"),
            secret.display(),
            self.bucket.endpoint(),
        );
        fs::write(self.settings(), text).unwrap();
    }

    fn node(&self, name: &str) -> Node {
        let mut command = Self::command();
        command.arg("--config").arg(self.settings());
        command.arg("--data").arg(self.folder.path().join(name));
        command.args(["serve", "--listen", "127.0.0.1:0"]);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let line = lines.next().unwrap().unwrap();
        let said: Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("{line}"));
        assert_eq!(said["message"], "listening", "{said}");
        assert_eq!(said["key"], self.key.as_str());
        // What it says later must not fill the pipe, and is told where a test fails.
        thread::spawn(move || {
            lines.map_while(Result::ok).for_each(|line| {
                writeln!(std::io::stderr(), "{line}").ok();
            });
        });
        Node { address: said["address"].as_str().unwrap().parse().unwrap(), child }
    }

    fn does(&self, args: &[&str]) -> String {
        let done = Self::command().arg("--config").arg(self.settings()).args(args).output();
        let done = done.unwrap();
        assert!(done.status.success(), "{done:?}");
        String::from_utf8(done.stdout).unwrap()
    }
}

fn hand_over(from: &Person, what: &str, to: &Person, name: &str) {
    let kit = fs::read_to_string(from.path("kit.txt")).unwrap();
    let code = kit.lines().skip_while(|line| !line.starts_with(what)).nth(1).unwrap();
    fs::write(to.path(name), code.trim()).unwrap();
}

fn syncs(person: &Person) -> Value {
    person.asks(["sync"])
}

fn meet(one: &Person, other: &Person) {
    for person in [one, other, one] {
        syncs(person);
    }
    assert_eq!(one.state(), other.state());
}

fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < PATIENCE, "{what}");
        sleep(Duration::from_millis(100));
    }
}

fn has(person: &Person, word: &str) -> bool {
    !person.lists(["search", word]).is_empty()
}

/// A dump as an operator makes one.
fn dump(database: &str) -> Vec<u8> {
    let newest = fs::read_dir("/usr/lib/postgresql").unwrap().map(|entry| entry.unwrap().path());
    let program = newest.max().unwrap().join("bin/pg_dump");
    let dumped = Command::new(program).arg("--dbname").arg(database).output().unwrap();
    assert!(dumped.status.success(), "{}", String::from_utf8_lossy(&dumped.stderr));
    dumped.stdout
}

fn files(folder: &Path) -> usize {
    let of = |entry: fs::DirEntry| if entry.path().is_dir() { files(&entry.path()) } else { 1 };
    fs::read_dir(folder).unwrap().map(|entry| of(entry.unwrap())).sum()
}

/// STO-40 to STO-45, attacks TRF-08, SID-03, fault F-29: devices at two nodes are one vault and hear of each other at once; with
/// one node killed all goes on; the database and the bucket say nothing of what was planted; a closed account leaves nothing.
#[test]
fn two_nodes_are_one_service() {
    let Some(service) = Service::begin() else { return };
    let (mut one, two) = (service.node("one"), service.node("two"));
    let here = Balancer::before(&[one.address, two.address]);
    let there = Balancer::before(&[two.address, one.address]);

    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_nanos();
    let mut seed = Seed::new(u64::try_from(now % u128::from(u64::MAX)).unwrap());
    let mut canaries = Canaries::new();
    let mut plant = |place| canaries.plant(place, &mut seed);
    let (title, text) = (plant("a title").text, plant("a text").text);
    let file = plant("a file");

    let nora = Person::new();
    fs::write(nora.path("large.bin"), file.bytes.repeat(100_000)).unwrap();
    nora.does(["add", "note", "--title", &title, "--text", &text, "--file", "large.bin"]);
    let url = here.url();
    let add = ["store", "add", &url, "--account", "nora", "--pin", &service.key, "--register"];
    nora.does(add);
    syncs(&nora);

    // The second device comes to the other node.
    let other = Person::without_vault();
    hand_over(&nora, "Secret key", &other, "secret-key");
    let url = there.url();
    let join = ["--json", "join", &url, "--account", "nora", "--pin", &service.key];
    let joined = other.types([&join[..], &["--secret-key-file", "secret-key"]].concat());
    assert_eq!(joined.code, 0, "{joined:?}");
    let joined = joined.json();
    syncs(&nora);
    nora.does(["device", "confirm", joined["device"].as_str().unwrap()]);
    meet(&nora, &other);
    assert!(has(&other, &text));

    // What one writes the other has by itself, over both nodes, long before anybody looks by the clock.
    sleep(Duration::from_secs(2));
    let begun = Instant::now();
    nora.adds("Morning", "wombatword at one node").unwrap();
    wait_until("an edit comes over both nodes", || has(&other, "wombatword"));
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());

    // One node is gone; its devices go on at the other.
    one.is_killed();
    nora.adds("Noon", "quollword without a node").unwrap();
    wait_until("an edit comes over what is left", || has(&other, "quollword"));
    other.adds("Evening", "numbatword back again").unwrap();
    wait_until("and back", || has(&nora, "numbatword"));
    meet(&nora, &other);

    // And comes back, with nothing of its own.
    fs::remove_dir_all(service.folder.path().join("one")).unwrap();
    let _one = service.node("one");
    nora.adds("Night", "bilbyword").unwrap();
    wait_until("an edit comes over a new node", || has(&other, "bilbyword"));

    let (all, count) = tables(&service.database);
    assert!(count > 15 && all.len() > 10_000, "{count} tables, {} bytes", all.len());
    canaries.assert_absent("the tables", &all);
    let dump = dump(&service.database);
    assert!(dump.len() > all.len(), "a dump has everything");
    canaries.assert_absent("a dump", &dump);
    assert!(canaries.assert_absent_under(service.cluster.folder()) > 100);
    let chunks = service.bucket.folder().join("chunks");
    assert!(canaries.assert_absent_under(&chunks) > 0, "the file is in the bucket");

    assert_eq!(service.does(&["invite", "--uses", "2"]).trim().len(), 32);
    let listed = service.does(&["account", "ls"]);
    assert!(listed.starts_with("nora\t"), "{listed}");
    assert!(
        service
            .does(&["doctor", "--data", service.folder.path().join("one").to_str().unwrap()])
            .contains("ok    database")
    );
    service.does(&["account", "rm", "nora", "--yes"]);
    assert_eq!(files(&chunks), 1, "what was in the bucket goes with the account, but for its mark");
    // The people keep everything.
    assert!(has(&nora, "wombatword") && has(&other, "bilbyword"));
}
