// SPDX-License-Identifier: MIT OR Apache-2.0
//! The server with its sockets and its folder: connections, copies while it writes, who may read what it makes.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic is a failed test")]

use std::fs;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use aura_protocol::head::Head;
use aura_protocol::id::VaultId;
use aura_protocol::signed::Signed;
use aura_protocol::store::{Access, BlindStore as _, LocalLog};
use aura_server::accounts::{Account, AccountBook as _, Accounts};
use aura_server::care;
use aura_server::config::{Config, Limits};
use aura_server::listing::Listing;
use aura_server::serve::Running;
use aura_store::http::{Address, Server};
use aura_store::local::LocalStore;
use aura_testkit::author::Author;
use aura_testkit::conformance::NOTES;
use aura_testkit::seed::Seed;
use pollster::block_on;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme, StreamOwned};
use tempfile::TempDir;

/// Whoever waits for so long waits in vain.
const PATIENCE: Duration = Duration::from_mins(1);

fn start(folder: &TempDir, limits: Limits) -> Running {
    let listen = "127.0.0.1:0".parse().unwrap();
    let config = Config { listen, data: folder.path().join("data"), limits, ..Config::default() };
    Running::start(config, || 1_000).unwrap()
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Waits until one of them is closed: which, the others being open at that moment. Which one is first, the server says.
fn first_closed(streams: &[TcpStream]) -> usize {
    let is_open = |mut stream: &TcpStream| {
        let read = stream.read(&mut [0; 1]);
        read.is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
    };
    for stream in streams {
        stream.set_nonblocking(true).unwrap();
    }
    for _ in 0..6_000 {
        let open: Vec<bool> = streams.iter().map(is_open).collect();
        if let Some(closed) = open.iter().position(|is_open| !is_open) {
            assert_eq!(open.iter().filter(|is_open| !**is_open).count(), 1, "{open:?}");
            return closed;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("none is closed");
}

/// Whether the other side closes it, without having been told anything.
fn is_closed(mut stream: &TcpStream) -> bool {
    match stream.read(&mut [0; 1]) {
        Ok(count) => count == 0,
        Err(error) => error.kind() == ErrorKind::ConnectionReset,
    }
}

fn answers(running: &Running) -> bool {
    let address = Address::parse(&format!("https://{}", running.address())).unwrap();
    block_on(Server::new(address, running.key()).unwrap().view()).is_ok()
}

/// attack AVL-04: connections are so many, of all and of one source; those beyond are closed, and their place is
/// free when one of the others is.
#[test]
fn connections_are_bounded() {
    let of_all = Limits { connections: 2, ..Limits::default() };
    let of_one = Limits { connections_per_source: 2, ..Limits::default() };
    for limits in [of_all, of_one] {
        let folder = TempDir::new().unwrap();
        let running = start(&folder, limits);
        let held = [(); 3].map(|()| connect(running.address()));
        first_closed(&held);
        drop(held);
        // Their end is heard of soon.
        let mut tries = 0;
        while !answers(&running) {
            tries += 1;
            assert!(tries < 600, "a place is never given back");
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

/// Takes any certificate.
#[derive(Debug)]
struct Anybody;

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ECDSA_NISTP256_SHA256, SignatureScheme::ED25519]
    }
}

/// attack AVL-04: whoever connects and says nothing is let go of, before the head of a request is due.
#[test]
fn a_connection_that_says_nothing_is_closed() {
    let folder = TempDir::new().unwrap();
    let running = start(&folder, Limits { first_byte_seconds: 1, ..Limits::default() });
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut tls = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anybody))
        .with_no_client_auth();
    tls.alpn_protocols = vec![b"http/1.1".to_vec()];
    let name = ServerName::try_from("aura-server").unwrap();
    let client = ClientConnection::new(Arc::new(tls), name).unwrap();
    let stream = connect(running.address());
    // The head's own bound is 30 seconds: this one is over before.
    stream.set_read_timeout(Some(Duration::from_secs(25))).unwrap();
    let mut stream = StreamOwned::new(client, stream);
    match stream.read(&mut [0; 1]) {
        Ok(count) => assert_eq!(count, 0),
        Err(error) => assert_ne!(error.kind(), ErrorKind::WouldBlock, "it is still open"),
    }
}

/// Behind a proxy each client is a source of its own, and whoever is not trusted cannot say that it is another one.
#[test]
fn a_trusted_proxy_says_where_connections_come_from() {
    let header = |last: u8| {
        let addresses = [192, 0, 2, last, 10, 0, 0, 1, 1, 2, 3, 4];
        [&b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c"[..], &addresses].concat()
    };
    let folder = TempDir::new().unwrap();
    let limits = Limits { connections_per_source: 1, ..Limits::default() };
    let config = Config {
        listen: "127.0.0.1:0".parse().unwrap(),
        data: folder.path().join("data"),
        proxies: vec!["127.0.0.1".parse().unwrap()],
        limits,
        ..Config::default()
    };
    let running = Running::start(config, || 1_000).unwrap();
    let client = |bytes: &[u8]| {
        let mut stream = connect(running.address());
        stream.write_all(bytes).unwrap();
        stream
    };
    let held = [client(&header(1)), client(&header(2)), client(&header(1))];
    assert_ne!(first_closed(&held), 1, "one of the two of the same source");
    assert!(is_closed(&client(b"GET / HTTP/1.1\r\n\r\n")), "without the header");
    let untrusting = TempDir::new().unwrap();
    let running = start(&untrusting, Limits::default());
    let mut stream = connect(running.address());
    stream.write_all(&header(1)).unwrap();
    // To TLS that is no greeting: it says so and closes.
    let mut said = Vec::new();
    stream.read_to_end(&mut said).ok();
    assert!(answers(&running));
}

/// A copy that is made while entries come is whole: what its heads name is there, and every row is sound.
#[test]
fn a_copy_made_while_entries_come_is_whole() {
    let folder = TempDir::new().unwrap();
    let data = folder.path().join("data");
    fs::create_dir(&data).unwrap();
    let mut seed = Seed::new(3);
    let (mut author, genesis) = Author::founder(&mut seed);
    let vault = author.vault();
    let accounts = Accounts::open(&data.join("accounts.db")).unwrap();
    accounts.open_account((&account(&author), &Listing::default()), None).unwrap();
    let store = LocalStore::hosted(&place(&data, vault), vault, Box::new(|| 1_000)).unwrap();
    let push = |head: &Signed<Head>, entries: &[_]| {
        block_on(store.push(&Access::Vault(vault), head, entries)).unwrap();
    };
    push(&author.head(), &[genesis]);
    let is_done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let (push, is_done, author) = (&push, &is_done, &mut author);
        let writing = scope.spawn(move || {
            let mut count = 0_u64;
            while !is_done.load(Ordering::Relaxed) {
                let entry = author.entry(NOTES, vec![1; 5_000]);
                push(&author.head(), &[entry]);
                count += 1;
            }
            count
        });
        for copy in 0..5 {
            let to = folder.path().join(format!("copy-{copy}"));
            let copied = care::back_up(&data, &to).unwrap();
            assert_eq!((copied.vaults, copied.strays.len()), (1, 0));
            is_whole(&to, vault);
        }
        is_done.store(true, Ordering::Relaxed);
        assert!(writing.join().unwrap() > 0);
    });
}

fn is_whole(copy: &Path, vault: VaultId) {
    let accounts = Accounts::open(&copy.join("accounts.db")).unwrap();
    assert_eq!(accounts.all().unwrap().len(), 1);
    let store = LocalStore::hosted(&place(copy, vault), vault, Box::new(|| 1_000)).unwrap();
    assert_eq!(store.verify().unwrap(), []);
    let heads = LocalLog::heads(&store).unwrap();
    let head = heads[0].claim().unwrap();
    for (collection, position) in &head.feeds {
        let entry = LocalLog::entry(&store, head.feed(*collection), position.number).unwrap();
        assert_eq!(entry.hash(), position.hash);
    }
}

/// A file that is none of the server's does not stop a copy: it is left out, and named.
#[test]
fn strays_are_stepped_over_and_named() {
    let folder = TempDir::new().unwrap();
    let data = folder.path().join("data");
    fs::create_dir(&data).unwrap();
    drop(Accounts::open(&data.join("accounts.db")).unwrap());
    let vault = VaultId([7; 32]);
    let here = place(&data, vault);
    drop(LocalStore::hosted(&here, vault, Box::new(|| 1_000)).unwrap());
    let shelf = here.parent().unwrap();
    let root = shelf.parent().unwrap();
    let mut strays = [root.join(".DS_Store"), shelf.join("notes.txt"), root.join("07/lost+found")];
    fs::write(&strays[0], "x").unwrap();
    fs::write(&strays[1], "x").unwrap();
    fs::create_dir(&strays[2]).unwrap();
    fs::create_dir(root.join("removed-1")).unwrap();
    fs::write(here.join("chunks/ab"), "x").unwrap();
    let copied = care::back_up(&data, &folder.path().join("copy")).unwrap();
    strays.sort_unstable();
    assert_eq!((copied.vaults, copied.strays), (1, strays.to_vec()));
    let config = Config { data, ..Config::default() };
    let looks = care::examine(&config);
    let named =
        looks.iter().filter(|look| look.trouble.as_deref() == Some("it is no vault; move it away"));
    assert_eq!(named.count(), 3);
}

/// Whatever the program makes is for its user alone, whoever started it and how.
#[test]
fn nothing_that_is_made_can_be_read_by_others() {
    let folder = TempDir::new().unwrap();
    let data = folder.path().join("data");
    fs::create_dir(&data).unwrap();
    let program = env!("CARGO_BIN_EXE_aura-server");
    let invited = Command::new("sh")
        .args(["-c", "umask 0; exec \"$0\" --data \"$1\" invite", program])
        .arg(&data)
        .output()
        .unwrap();
    assert!(invited.status.success(), "{invited:?}");
    let names: Vec<_> = fs::read_dir(&data).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(!names.is_empty());
    for path in names {
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{}", path.display());
    }
}

/// An invitation that is given as a file is taken from there, and is not printed.
#[test]
fn an_invitation_comes_from_a_file() {
    let folder = TempDir::new().unwrap();
    let (data, given) = (folder.path().join("data"), folder.path().join("invitation"));
    fs::create_dir(&data).unwrap();
    let invite = |text: &str| {
        fs::write(&given, text).unwrap();
        Command::new(env!("CARGO_BIN_EXE_aura-server"))
            .arg("--data")
            .arg(&data)
            .arg("invite")
            .env("AURA_SERVER_INVITATION_FILE", &given)
            .output()
            .unwrap()
    };
    assert!(!invite("short\n").status.success());
    let done = invite("quokka-quokka-quokka\nsomething else\n");
    assert!(done.status.success() && done.stdout.is_empty(), "{done:?}");
    let accounts = Accounts::open(&data.join("accounts.db")).unwrap();
    let invitation = aura_protocol::http::Invitation::parse("quokka-quokka-quokka").unwrap();
    let name = aura_protocol::auth::AccountName::parse("ada").unwrap();
    accounts.admit(&name, Some(&invitation), 1_000).unwrap();
}

fn place(data: &Path, vault: VaultId) -> std::path::PathBuf {
    let id = vault.to_string();
    data.join("vaults").join(&id[..2]).join(&id)
}

fn account(author: &Author) -> Account {
    Account {
        vault: author.vault(),
        name: aura_protocol::auth::AccountName::parse("ada").unwrap(),
        record: [0; aura_protocol::auth::login::RECORD_BYTES],
        device: author.device(),
        transport: author.transport_key(),
        quota_bytes: None,
        made_ms: 1,
    }
}
