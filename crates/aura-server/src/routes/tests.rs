// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a server answers, asked without a socket.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::expect_used,
    reason = "a panic is a failed test"
)]

mod account;
mod cut;
mod limit;
mod log;
#[cfg(feature = "postgres")]
mod nodes;

#[cfg(feature = "postgres")]
mod counted;
mod pairing;
mod vault;

use std::net::SocketAddr;
use std::sync::Arc;

use aura_protocol::auth::login::{self, LoggingIn, Registering, Setup, Stretch};
use aura_protocol::auth::{AccountName, Challenge, Registration as Asking, ServerKey, Token};
use aura_protocol::codec::{Decode, Encode};
use aura_protocol::entry::Entry;
use aura_protocol::head::Head;
use aura_protocol::http::{
    AccountBegin, AccountEnd, Answer, Ask, Asked, Begun, CBOR, Granted, Invitation, LoginAnswer,
    LoginBegin, LoginEnd, PROTOCOL_HEADER, ProblemKind, Push, path,
};
use aura_protocol::id::Hash;
use aura_protocol::signed::Signed;
use aura_testkit::author::Author;
use aura_testkit::seed::Seed;
use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::Request;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::response::Response;
use http_body_util::BodyExt as _;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tower::ServiceExt as _;
use zeroize::Zeroizing;

use super::{Server, Start, router};
use crate::backing::Backing;
use crate::config::{Config, Registration};
use crate::secrets::LogKey;
use crate::vaults::Now;

const KEY: ServerKey = ServerKey(Hash([7; 32]));
const INPUT: &[u8] = b"made of a password and a secret key";

/// A stretching function whose price tests can pay.
#[derive(Default)]
struct Cheap;

impl Stretch for Cheap {
    fn stretch(&self, input: &[u8; 64]) -> Option<Zeroizing<[u8; 64]>> {
        Some(Zeroizing::new(*input))
    }
}

/// What a server said.
#[derive(Debug)]
struct Said {
    status: u16,
    bytes: Vec<u8>,
    retry_after: Option<u64>,
}

impl Said {
    fn body<T: Decode>(&self) -> T {
        assert!(self.status < 300, "{self:?}");
        T::from_bytes(&self.bytes, usize::MAX).unwrap()
    }

    #[track_caller]
    fn refuses(&self, kind: ProblemKind) {
        let problem: serde_json::Value = serde_json::from_slice(&self.bytes).unwrap();
        let kind_found = problem["type"].as_str().unwrap();
        assert_eq!(kind_found, format!("urn:aura:problem:{}", kind.code()));
        assert_eq!(self.status, kind.status());
        assert_eq!(problem["status"], kind.status());
    }
}

/// A server and whoever asks it.
struct Desk {
    seed: Seed,
    server: Arc<Server>,
    router: Router,
    runtime: Runtime,
    folder: TempDir,
}

impl Desk {
    fn new() -> Self {
        Self::with(|config| config.registration = Registration::Open)
    }

    fn with(settle: impl FnOnce(&mut Config)) -> Self {
        Self::on(|| 1_000, settle, |backing| backing)
    }

    /// The same where it is another time.
    fn at(now_ms: Now, settle: impl FnOnce(&mut Config)) -> Self {
        Self::on(now_ms, settle, |backing| backing)
    }

    /// A server that stands on what `change` makes of what the settings name.
    fn on(
        now_ms: Now,
        settle: impl FnOnce(&mut Config),
        change: impl FnOnce(Backing) -> Backing,
    ) -> Self {
        let folder = TempDir::new().unwrap();
        let mut config = Config { data: folder.path().to_owned(), ..Config::default() };
        config.limits.open_per_second = 10_000;
        settle(&mut config);
        let backing = change(Backing::of(&config, now_ms).unwrap());
        let mut seed = Seed::new(5);
        let setup = Setup::new(&mut |bytes| bytes.copy_from_slice(&seed.bytes(bytes.len())));
        let log = LogKey::load(folder.path()).unwrap();
        let start = Start { config, backing, setup, key: KEY, log, now_ms };
        let server = Arc::new(Server::new(start));
        let router = router(Arc::clone(&server));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Self { seed, server, router, runtime, folder }
    }

    /// The server ends, and another one works on its folder.
    fn restarts(&mut self) {
        let config = self.server.config.clone();
        let setup = Setup::from_bytes(&self.server.setup.to_bytes()).unwrap();
        let backing = Backing::of(&config, || 1_000).unwrap();
        let log = LogKey::load(self.folder.path()).unwrap();
        let start = Start { config, backing, setup, key: KEY, log, now_ms: || 1_000 };
        let server = Arc::new(Server::new(start));
        // What the old one has open is shut with it.
        self.router = router(Arc::clone(&server));
        self.server = server;
    }

    fn fill(&mut self) -> impl FnMut(&mut [u8]) + '_ {
        |bytes: &mut [u8]| bytes.copy_from_slice(&self.seed.bytes(bytes.len()))
    }

    fn request(method: &str, path: &str, token: Option<&Token>) -> axum::http::request::Builder {
        let address = SocketAddr::from(([192, 0, 2, 1], 9));
        let request = Request::builder()
            .method(method)
            .uri(path)
            .extension(ConnectInfo(address))
            .header(PROTOCOL_HEADER, "1")
            .header(CONTENT_TYPE, CBOR);
        match token {
            Some(token) => request.header(AUTHORIZATION, format!("Bearer {}", token.to_text())),
            None => request,
        }
    }

    fn begin(&self, request: Request<Body>) -> Response {
        self.runtime.block_on(self.router.clone().oneshot(request)).unwrap()
    }

    fn waits(&self, time: std::time::Duration) {
        self.runtime.block_on(async { tokio::time::sleep(time).await });
    }

    fn send(&self, request: Request<Body>) -> Said {
        let response = self.begin(request);
        let status = response.status().as_u16();
        let header = response.headers().get("retry-after");
        let retry_after = header.map(|value| value.to_str().unwrap().parse().unwrap());
        let bytes = self.runtime.block_on(response.into_body().collect()).unwrap().to_bytes();
        Said { status, bytes: bytes.to_vec(), retry_after }
    }

    fn post(&self, path: &str, token: Option<&Token>, body: &impl Encode) -> Said {
        self.post_bytes(path, token, body.to_bytes())
    }

    fn post_bytes(&self, path: &str, token: Option<&Token>, body: Vec<u8>) -> Said {
        self.send(Self::request("POST", path, token).body(Body::from(body)).unwrap())
    }

    fn get(&self, path: &str, token: Option<&Token>) -> Said {
        self.send(Self::request("GET", path, token).body(Body::empty()).unwrap())
    }

    /// Opens an account for a device's vault.
    fn register(&mut self, author: &Author, name: &str, invitation: Option<&str>) -> Said {
        self.register_at(author, name, invitation, KEY)
    }

    fn register_at(
        &mut self,
        author: &Author,
        name: &str,
        invitation: Option<&str>,
        server: ServerKey,
    ) -> Said {
        let name = AccountName::parse(name).unwrap();
        let invitation = invitation.map(|text| Invitation::parse(text).unwrap());
        let mut fill = self.fill();
        let (registering, request) = Registering::<Cheap>::start(&mut fill, INPUT).unwrap();
        drop(fill);
        let begin = AccountBegin { name: name.clone(), invitation: invitation.clone(), request };
        let begun = self.post(path::ACCOUNT_BEGIN, None, &begin);
        if begun.status != 200 {
            return begun;
        }
        let response = begun.body::<Begun>().response;
        let upload =
            registering.finish(&mut self.fill(), (&name, INPUT), &response, Cheap).unwrap();
        let registration = author.show(&Asking {
            name,
            vault: author.vault(),
            device: author.device(),
            transport: author.transport_key(),
            server,
            upload: upload.to_vec(),
        });
        let lineage = author.lineage();
        self.post(path::ACCOUNT_END, None, &AccountEnd { invitation, registration, lineage })
    }

    /// Logs in for a new device.
    fn login(&mut self, name: &str, input: &[u8], device: &[u8; 32]) -> Said {
        let name = AccountName::parse(name).unwrap();
        let mut fill = self.fill();
        let (logging, request) = LoggingIn::<Cheap>::start(&mut fill, input).unwrap();
        drop(fill);
        let begin = LoginBegin { name: name.clone(), request, transport: *device };
        let begun = self.post(path::LOGIN_BEGIN, None, &begin);
        if begun.status != 200 {
            return begun;
        }
        let LoginAnswer { login, response } = begun.body();
        let answer = (response.as_slice(), Cheap);
        let proof = logging.finish(&mut self.fill(), (&name, input), (KEY, device), answer);
        // A client that cannot open the answer has no proof to send; a guesser sends something.
        let proof = proof.unwrap_or([1; login::LOGIN_PROOF_BYTES]);
        self.post(path::LOGIN_END, None, &LoginEnd { login, proof })
    }

    /// A login that has begun, and its end, which is right and was not sent.
    fn begins_login(&mut self, name: &str, input: &[u8], device: &[u8; 32]) -> LoginEnd {
        let name = AccountName::parse(name).unwrap();
        let mut fill = self.fill();
        let (logging, request) = LoggingIn::<Cheap>::start(&mut fill, input).unwrap();
        drop(fill);
        let begin = LoginBegin { name: name.clone(), request, transport: *device };
        let LoginAnswer { login, response } = self.post(path::LOGIN_BEGIN, None, &begin).body();
        let answer = (response.as_slice(), Cheap);
        let proof = logging.finish(&mut self.fill(), (&name, input), (KEY, device), answer);
        LoginEnd { login, proof: proof.unwrap() }
    }

    /// Asks for a token, and answers the challenge with what `change` makes of it.
    fn prove(&self, author: &Author, change: impl FnOnce(&mut Challenge)) -> Said {
        let (vault, device) = (author.vault(), author.device());
        let nonce = self.post(path::CHALLENGE, None, &Ask { vault, device }).body::<Asked>().nonce;
        let mut challenge = Challenge { vault, device, server: KEY, nonce };
        change(&mut challenge);
        let signature = author.show(&challenge).signature().0;
        self.post(path::TOKEN, None, &Answer { vault, device, nonce, signature })
    }

    fn token(&self, author: &Author) -> Token {
        self.prove(author, |_| {}).body::<Granted>().token
    }

    fn push(&self, token: &Token, head: &Signed<Head>, entries: &[Entry]) -> Said {
        self.post_bytes(path::PUSH, Some(token), Push::bytes_of(head, entries))
    }

    /// A vault with an account, its genesis here, and a token of its first device.
    fn founder(&mut self, name: &str) -> (Author, Token) {
        let (mut author, genesis) = Author::founder(&mut self.seed);
        assert_eq!(self.register(&author, name, None).status, 201);
        let token = self.token(&author);
        assert_eq!(self.push(&token, &author.head(), &[genesis]).status, 200);
        (author, token)
    }
}
