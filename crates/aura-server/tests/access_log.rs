// SPDX-License-Identifier: MIT OR Apache-2.0
//! A device watches the access log of a real server: what it finds when the log is tampered with.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic is a failed test")]

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use aura_protocol::auth::login::{Registering, Stretch};
use aura_protocol::auth::{AccountName, Challenge, Registration};
use aura_protocol::codec::Decode as _;
use aura_protocol::entry::Entry;
use aura_protocol::id::DeviceId;
use aura_protocol::signed::Signature;
use aura_protocol::store::{Access, BlindStore as _, Prover};
use aura_server::config::{Config, Registration as Policy};
use aura_server::serve::Running;
use aura_store::http::{Address, HttpStore, LogFinding, LogMark, Proof, Server, Since};
use aura_testkit::author::Author;
use aura_testkit::conformance::NOTES;
use aura_testkit::seed::Seed;
use pollster::block_on;
use tempfile::TempDir;
use zeroize::Zeroizing;

#[derive(Default)]
struct Unstretched;

impl Stretch for Unstretched {
    fn stretch(&self, input: &[u8; 64]) -> Option<Zeroizing<[u8; 64]>> {
        Some(Zeroizing::new(*input))
    }
}

struct Device(Author);

impl Prover for Device {
    fn device(&self) -> DeviceId {
        self.0.device()
    }

    fn prove(&self, challenge: &[u8]) -> Signature {
        *self.0.show(&Challenge::from_bytes(challenge, 1024).unwrap()).signature()
    }
}

/// A server, a vault there, and its device.
struct Scene {
    folder: TempDir,
    address: SocketAddr,
    running: Option<Running>,
    author: Author,
    store: HttpStore,
}

fn start(folder: &TempDir, listen: SocketAddr, now_ms: fn() -> i64) -> Running {
    let data = folder.path().join("data");
    let config = Config { listen, data, registration: Policy::Open, ..Config::default() };
    Running::start(config, now_ms).unwrap()
}

impl Scene {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let running = start(&folder, "127.0.0.1:0".parse().unwrap(), || 1_000);
        let address = running.address();
        let server = Address::parse(&format!("https://{address}")).unwrap();
        let server = Server::new(server, running.key()).unwrap();
        let (mut author, genesis) = Author::founder(&mut Seed::new(1));
        open(&server, &author);
        let proof = Proof::Device(Arc::new(Device(author.clone())));
        let store = HttpStore::new(&server, author.vault(), proof, Box::new(|| 1_000));
        let head = author.head();
        let scene = Self { folder, address, running: Some(running), author, store };
        scene.pushes(&head, &[genesis]);
        scene
    }

    fn pushes(
        &self,
        head: &aura_protocol::signed::Signed<aura_protocol::head::Head>,
        entries: &[Entry],
    ) {
        block_on(self.store.push(&Access::Vault(self.author.vault()), head, entries)).unwrap();
    }

    fn writes(&mut self, times: usize) {
        for _ in 0..times {
            let entry = self.author.entry(NOTES, vec![1; 60]);
            let head = self.author.head();
            self.pushes(&head, &[entry]);
        }
    }

    fn looks(&self, mark: Option<&LogMark>, since: Since) -> (Option<LogMark>, Option<LogFinding>) {
        block_on(self.store.look_at_log(mark, since)).unwrap()
    }

    /// While the server is away, something is done to its files.
    fn meanwhile(&mut self, change: impl FnOnce(PathBuf, PathBuf)) {
        self.running.take().unwrap().stop();
        let data = self.folder.path().join("data");
        let id = self.author.vault().to_string();
        change(data.join("vaults").join(&id[..2]).join(&id), data);
        self.running = Some(start(&self.folder, self.address, || 2_000));
    }
}

fn open(server: &Server, author: &Author) {
    let mut seed = Seed::new(1);
    let mut fill = |bytes: &mut [u8]| {
        let random = seed.bytes(bytes.len());
        bytes.copy_from_slice(&random);
    };
    let (name, input) = (AccountName::parse("nora").unwrap(), [5; 64]);
    let (registering, request) = Registering::<Unstretched>::start(&mut fill, &input).unwrap();
    let begun = block_on(server.begin_account(name.clone(), None, request)).unwrap();
    let with = (&name, input.as_slice());
    let record = registering.finish(&mut fill, with, &begun.response, Unstretched).unwrap();
    let registration = author.show(&Registration {
        name,
        vault: author.vault(),
        device: author.device(),
        transport: author.transport_key(),
        server: server.pin(),
        upload: record.to_vec(),
    });
    block_on(server.end_account(None, registration, author.lineage())).unwrap();
}

/// ACL-7: a log that grows is followed, over whole tiles and from any size, and over a restart.
#[test]
fn acl_7_a_log_that_grows_is_followed() {
    let mut scene = Scene::new();
    let (first, finding) = scene.looks(None, Since::Wrote);
    assert_eq!(finding, None);
    scene.writes(300);
    let (second, finding) = scene.looks(first.as_ref(), Since::Wrote);
    assert_eq!(finding, None);
    let (fresh, finding) = scene.looks(None, Since::Asked);
    assert_eq!(
        (fresh.as_ref(), finding),
        (second.as_ref(), None),
        "from nothing it comes to the same"
    );
    scene.meanwhile(|_, _| {});
    scene.writes(250);
    for mark in [None, first.as_ref(), second.as_ref()] {
        let (third, finding) = scene.looks(mark, Since::Wrote);
        assert_eq!(finding, None);
        assert!(third.unwrap().frontier.size() > 550);
    }
}

/// ACL-8, attack LOG-03: each way in which a log goes wrong, or is another one than before, has its name, and is told once.
#[test]
fn acl_8_a_log_that_does_not_only_grow_is_found() {
    let mut scene = Scene::new();
    scene.writes(20);
    let (mark, _) = scene.looks(None, Since::Asked);
    // It leaves out that this device wrote.
    assert_eq!(scene.looks(mark.as_ref(), Since::Wrote).1, Some(LogFinding::Silent));
    assert_eq!(scene.looks(mark.as_ref(), Since::Asked).1, None);
    // An older copy, or none.
    let remove = |vault: PathBuf, _: PathBuf| {
        for name in ["access.db", "access.db-wal", "access.db-shm"] {
            fs::remove_file(vault.join(name)).ok();
        }
    };
    scene.meanwhile(remove);
    let (shrunk, finding) = scene.looks(mark.as_ref(), Since::Asked);
    assert_eq!(finding, Some(LogFinding::Shrank));
    assert_eq!(scene.looks(shrunk.as_ref(), Since::Asked).1, None, "it is told once");
    // Another one that is as long.
    scene.writes(40);
    let (forked, finding) = scene.looks(mark.as_ref(), Since::Asked);
    assert_eq!(finding, Some(LogFinding::Forked));
    assert_eq!(scene.looks(forked.as_ref(), Since::Asked).1, None);
    // Another key.
    scene.meanwhile(|_, data| fs::remove_file(data.join("log.key")).unwrap());
    let (renewed, finding) = scene.looks(forked.as_ref(), Since::Asked);
    assert_eq!(finding, Some(LogFinding::OtherKey));
    assert_eq!(scene.looks(renewed.as_ref(), Since::Asked).1, None);
    // None at all: the vault is served all the same (ACL-9).
    scene.meanwhile(|vault, data| {
        remove(vault.clone(), data);
        fs::create_dir(vault.join("access.db")).unwrap();
    });
    scene.writes(1);
    let (kept, finding) = scene.looks(renewed.as_ref(), Since::Wrote);
    assert_eq!((kept, finding), (renewed, Some(LogFinding::Silent)));
    assert_eq!(scene.looks(None, Since::Wrote), (None, None), "one that never was");
}
