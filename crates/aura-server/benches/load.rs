// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a server costs: memory, logins, polls, pushes, watchers. The program runs as a process of its own, so
//! that its processor time is its own; rates are per second of that time, and by the clock beside it.
//!
//!     cargo bench -p aura-server --bench load -- [accounts|logins|polls|pushes|watchers]...
//!
//! `AURA_SERVER_BIN` names another program to measure. Clients are in this process. They stretch nothing, so that a login's price is the server's.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::expect_used,
    missing_docs,
    reason = "a bench that cannot go on ends"
)]

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use aura_protocol::auth::login::{self, LoggingIn, Registering, Setup, Stretch};
use aura_protocol::auth::{AccountName, Challenge, Registration, ServerKey, Token};
use aura_protocol::codec::{Decode, Encode};
use aura_protocol::http::{
    AccountBegin, AccountEnd, Answer, Ask, Asked, Begun, CBOR, Granted, HeadsAsk, LoginAnswer,
    LoginBegin, LoginEnd, PROTOCOL_HEADER, Push, ServerView, path,
};
use aura_protocol::id::CollectionId;
use aura_testkit::author::Author;
use aura_testkit::seed::Seed;
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use tempfile::TempDir;
use tokio::net::TcpSocket;
use tokio::runtime::Runtime;
use tokio_rustls::TlsConnector;
use zeroize::Zeroizing;

const INPUT: &[u8] = b"made of a password and a secret key";
/// Accounts of which the server's memory is told.
const ACCOUNTS: usize = 10_000;
const LOGINS: usize = 2_000;
const POLLS: usize = 40_000;
const PUSHES: usize = 8_000;
const WATCHERS: usize = 10_000;
/// Of one vault: a server lets it have not many more.
const VAULT_WATCHERS: usize = 20;
/// Connections at once.
const CLIENTS: usize = 32;

#[derive(Default)]
struct Cheap;

impl Stretch for Cheap {
    fn stretch(&self, input: &[u8; 64]) -> Option<Zeroizing<[u8; 64]>> {
        Some(Zeroizing::new(*input))
    }
}

/// The program under test.
struct Program {
    child: Child,
    address: SocketAddr,
    _folder: TempDir,
}

impl Program {
    fn start() -> Self {
        let folder = TempDir::new().unwrap();
        let settings = folder.path().join("aura-server.toml");
        let text = "listen = \"127.0.0.1:0\"\nregistration = \"open\"\n[limits]\nopen_per_second = 1000000\naccount_per_second = 1000000\nconnections_per_source = 20000\n";
        fs::write(&settings, text).unwrap();
        let built = env!("CARGO_BIN_EXE_aura-server").to_owned();
        let mut child = Command::new(std::env::var("AURA_SERVER_BIN").unwrap_or(built))
            .arg("--config")
            .arg(&settings)
            .arg("--data")
            .arg(folder.path().join("data"))
            .arg("serve")
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut lines = BufReader::new(child.stderr.take().unwrap());
        lines.read_line(&mut line).unwrap();
        let told: serde_json::Value = serde_json::from_str(&line).unwrap();
        let address = told["address"].as_str().unwrap().parse().unwrap();
        std::thread::spawn(move || {
            lines.lines().map_while(Result::ok).for_each(|line| println!("{line}"));
        });
        Self { child, address, _folder: folder }
    }

    /// Seconds of processor time, of user and system.
    fn cpu(&self) -> f64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        let after = stat.rsplit_once(')').unwrap().1;
        let mut fields =
            after.split_whitespace().skip(11).map(|field| field.parse::<f64>().unwrap());
        (fields.next().unwrap() + fields.next().unwrap()) / 100.0
    }

    /// Resident memory in MiB.
    fn memory(&self) -> f64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1024.0
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Takes any certificate: this measures.
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

/// One connection.
struct Client {
    sender: SendRequest<Full<Bytes>>,
}

impl Client {
    async fn connect(address: SocketAddr) -> Self {
        Self::connect_from(0, address).await
    }

    /// From an address of loopback of its own: whoever logs in from one place counts as one who guesses until that
    /// ends well (ACC-9), and these are meant to be many.
    async fn connect_from(place: u8, address: SocketAddr) -> Self {
        let tls = ClientConfig::builder_with_provider(Arc::new(
            rustls::crypto::aws_lc_rs::default_provider(),
        ))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anybody))
        .with_no_client_auth();
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind((Ipv4Addr::new(127, 0, 1, place.saturating_add(1)), 0).into()).unwrap();
        let stream = socket.connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let name = ServerName::try_from("aura-server").unwrap();
        let stream = TlsConnector::from(Arc::new(tls)).connect(name, stream).await.unwrap();
        let (sender, connection) = handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        Self { sender }
    }

    async fn send(
        &mut self,
        method: &str,
        path: &str,
        token: Option<&Token>,
        body: Vec<u8>,
    ) -> Response<Incoming> {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "aura-server")
            .header(PROTOCOL_HEADER, "1")
            .header("content-type", CBOR);
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {}", token.to_text()));
        }
        let request = request.body(Full::new(Bytes::from(body))).unwrap();
        self.sender.ready().await.unwrap();
        self.sender.send_request(request).await.unwrap()
    }

    async fn ask(&mut self, path: &str, token: Option<&Token>, body: Vec<u8>) -> Vec<u8> {
        let method = if body.is_empty() { "GET" } else { "POST" };
        let response = self.send(method, path, token, body).await;
        let status = response.status();
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        assert!(status.is_success(), "{path}: {status} {}", String::from_utf8_lossy(&bytes));
        bytes.to_vec()
    }

    async fn call<T: Decode>(
        &mut self,
        path: &str,
        token: Option<&Token>,
        body: &impl Encode,
    ) -> T {
        T::from_bytes(&self.ask(path, token, body.to_bytes()).await, usize::MAX).unwrap()
    }

    async fn key(&mut self) -> ServerKey {
        ServerView::from_bytes(&self.ask(path::SERVER, None, Vec::new()).await, usize::MAX)
            .unwrap()
            .key
    }

    async fn register(&mut self, author: &Author, name: &AccountName, seed: &mut Seed) {
        let server = self.key().await;
        let mut fill = |bytes: &mut [u8]| bytes.copy_from_slice(&seed.bytes(bytes.len()));
        let (registering, request) = Registering::<Cheap>::start(&mut fill, INPUT).unwrap();
        let begin = AccountBegin { name: name.clone(), invitation: None, request };
        let begun: Begun = self.call(path::ACCOUNT_BEGIN, None, &begin).await;
        let upload = registering.finish(&mut fill, (name, INPUT), &begun.response, Cheap).unwrap();
        let registration = author.show(&Registration {
            name: name.clone(),
            vault: author.vault(),
            device: author.device(),
            transport: author.transport_key(),
            server,
            upload: upload.to_vec(),
        });
        let end = AccountEnd { invitation: None, registration, lineage: author.lineage() };
        self.ask(path::ACCOUNT_END, None, end.to_bytes()).await;
    }

    async fn login(&mut self, name: &AccountName, server: ServerKey, seed: &mut Seed) {
        let transport = device_key();
        let mut fill = |bytes: &mut [u8]| bytes.copy_from_slice(&seed.bytes(bytes.len()));
        let (logging, request) = LoggingIn::<Cheap>::start(&mut fill, INPUT).unwrap();
        let begin = LoginBegin { name: name.clone(), request, transport };
        let LoginAnswer { login, response } = self.call(path::LOGIN_BEGIN, None, &begin).await;
        let answer = (response.as_slice(), Cheap);
        let proof = logging.finish(&mut fill, (name, INPUT), (server, &transport), answer).unwrap();
        let _: Granted = self.call(path::LOGIN_END, None, &LoginEnd { login, proof }).await;
    }

    async fn token(&mut self, author: &Author, server: ServerKey) -> Token {
        let (vault, device) = (author.vault(), author.device());
        let asked: Asked = self.call(path::CHALLENGE, None, &Ask { vault, device }).await;
        let challenge = Challenge { vault, device, server, nonce: asked.nonce };
        let signature = author.show(&challenge).signature().0;
        let answer = Answer { vault, device, nonce: asked.nonce, signature };
        self.call::<Granted>(path::TOKEN, None, &answer).await.token
    }
}

/// A key that is one.
fn device_key() -> [u8; 32] {
    Author::founder(&mut Seed::new(99)).0.transport_key()
}

fn name(at: usize) -> AccountName {
    AccountName::parse(&format!("n{at}")).unwrap()
}

/// What a stretch of work took, of the server and by the clock.
async fn timed<T>(program: &Program, what: &str, count: usize, work: impl Future<Output = T>) -> T {
    let (cpu, clock) = (program.cpu(), Instant::now());
    let done = work.await;
    let (cpu, clock) = (program.cpu() - cpu, clock.elapsed().as_secs_f64());
    let of = |seconds: f64| f64::from(u32::try_from(count).unwrap()) / seconds.max(0.001);
    println!(
        "{what:<28} {:>9.0}/s a processor  {:>9.0}/s by the clock  {:>7.1} MiB",
        of(cpu),
        of(clock),
        program.memory()
    );
    done
}

/// The same steps of OPAQUE without a server around them, for the ratio.
fn primitive(count: usize) {
    let mut seed = Seed::new(4);
    let mut fill = |bytes: &mut [u8]| bytes.copy_from_slice(&seed.bytes(bytes.len()));
    let setup = Setup::new(&mut fill);
    let (registering, request) = Registering::<Cheap>::start(&mut fill, INPUT).unwrap();
    let response = setup.register(&name(0), &request).unwrap();
    let upload = registering.finish(&mut fill, (&name(0), INPUT), &response, Cheap).unwrap();
    let record = login::record(&upload).unwrap();
    let server = ServerKey(aura_protocol::id::Hash([1; 32]));
    let mut took = Duration::ZERO;
    for _ in 0..count {
        let (logging, request) = LoggingIn::<Cheap>::start(&mut fill, INPUT).unwrap();
        let clock = Instant::now();
        let with = (server, &[9; 32]);
        let (halfway, response) =
            setup.login(&mut fill, (&name(0), Some(&record)), &request, with).unwrap();
        took += clock.elapsed();
        let answer = (response.as_slice(), Cheap);
        let proof = logging.finish(&mut fill, (&name(0), INPUT), with, answer).unwrap();
        let clock = Instant::now();
        halfway.finish(&name(0), &proof, with).unwrap();
        took += clock.elapsed();
    }
    let rate = f64::from(u32::try_from(count).unwrap()) / took.as_secs_f64();
    println!("{:<28} {rate:>9.0}/s a processor", "OPAQUE alone, server's part");
}

/// So many tasks, each with a connection of its own and its share of the work.
async fn spread<W, F>(program: &Program, count: usize, work: W)
where
    W: Fn(Client, usize, usize) -> F,
    F: Future<Output = ()> + Send + 'static,
{
    let mut tasks = Vec::new();
    for at in 0..CLIENTS {
        let place = u8::try_from(at).unwrap();
        let client = Client::connect_from(place, program.address).await;
        tasks.push(tokio::spawn(work(client, at, count / CLIENTS)));
    }
    for task in tasks {
        task.await.unwrap();
    }
}

async fn accounts(program: &Program) {
    println!("{:<28} {:>7.1} MiB", "idle", program.memory());
    let work = spread(program, ACCOUNTS, |mut client, at, share| async move {
        let mut seed = Seed::new(1_000 + at as u64);
        for number in 0..share {
            let (author, _) = Author::founder(&mut seed);
            client.register(&author, &name(at * share + number), &mut seed).await;
        }
    });
    timed(program, "accounts opened", ACCOUNTS, work).await;
}

async fn logins(program: &Program) {
    primitive(LOGINS);
    let mut seed = Seed::new(2);
    let mut client = Client::connect(program.address).await;
    let server = client.key().await;
    for at in 0..CLIENTS {
        let (author, _) = Author::founder(&mut seed);
        let name = AccountName::parse(&format!("login{at}")).unwrap();
        client.register(&author, &name, &mut seed).await;
    }
    let work = spread(program, LOGINS, move |mut client, at, share| async move {
        let mut seed = Seed::new(3_000 + at as u64);
        let name = AccountName::parse(&format!("login{at}")).unwrap();
        for _ in 0..share {
            client.login(&name, server, &mut seed).await;
        }
    });
    timed(program, "logins, both halves", LOGINS, work).await;
}

/// A vault with an account, its genesis at the server.
async fn vault(client: &mut Client, seed: &mut Seed, name: &str) -> (Author, Token) {
    let (mut author, genesis) = Author::founder(seed);
    client.register(&author, &AccountName::parse(name).unwrap(), seed).await;
    let server = client.key().await;
    let token = client.token(&author, server).await;
    client.ask(path::PUSH, Some(&token), Push::bytes_of(&author.head(), &[genesis])).await;
    (author, token)
}

async fn polls(program: &Program) {
    let work = spread(program, POLLS, |mut client, at, share| async move {
        let mut seed = Seed::new(5_000 + at as u64);
        let (mut author, token) = vault(&mut client, &mut seed, &format!("poll{at}")).await;
        let head = author.head();
        client.ask(path::PUSH, Some(&token), Push::bytes_of(&head, &[])).await;
        let known = aura_protocol::head::Position { number: 2, hash: head.hash() };
        let ask =
            HeadsAsk { known: vec![(author.device(), author.incarnation(), known)] }.to_bytes();
        for _ in 0..share {
            client.ask(path::HEADS, Some(&token), ask.clone()).await;
        }
    });
    timed(program, "polls with nothing new", POLLS, work).await;
}

async fn pushes(program: &Program) {
    let work = spread(program, PUSHES, |mut client, at, share| async move {
        let mut seed = Seed::new(6_000 + at as u64);
        let (mut author, token) = vault(&mut client, &mut seed, &format!("push{at}")).await;
        for _ in 0..share {
            let entry = author.entry(CollectionId([7; 16]), seed.bytes(4168));
            let push = Push::bytes_of(&author.head(), &[entry]);
            client.ask(path::PUSH, Some(&token), push).await;
        }
    });
    timed(program, "pushes of one entry, 32 vaults", PUSHES, work).await;
}

async fn watchers(program: &Program) {
    let mut seed = Seed::new(7);
    let mut client = Client::connect(program.address).await;
    let mut tokens = Vec::new();
    for at in 0..WATCHERS / VAULT_WATCHERS {
        let (_, token) = vault(&mut client, &mut seed, &format!("watch{at}")).await;
        tokens.push(token);
    }
    let before = program.memory();
    let mut open = Vec::new();
    let work = async {
        for at in 0..WATCHERS {
            let mut watcher = Client::connect(program.address).await;
            let token = tokens.get(at / VAULT_WATCHERS);
            let mut response = watcher.send("GET", path::EVENTS, token, Vec::new()).await;
            assert_eq!(response.status(), 200);
            response.body_mut().frame().await.unwrap().unwrap();
            open.push((watcher, response));
        }
    };
    timed(program, "watchers, each a connection", WATCHERS, work).await;
    println!("{:<28} {:>7.1} MiB more", "10,000 watchers", program.memory() - before);
}

fn main() {
    let chosen: Vec<String> =
        std::env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    let is_chosen = |what: &str| chosen.is_empty() || chosen.iter().any(|one| one == what);
    let runtime = Runtime::new().unwrap();
    runtime.block_on(async {
        let program = Program::start();
        if is_chosen("accounts") {
            accounts(&program).await;
        }
        if is_chosen("logins") {
            logins(&program).await;
        }
        if is_chosen("polls") {
            polls(&program).await;
        }
        if is_chosen("pushes") {
            pushes(&program).await;
        }
        if is_chosen("watchers") {
            watchers(&program).await;
        }
    });
}
