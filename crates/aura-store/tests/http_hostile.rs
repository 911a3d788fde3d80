// SPDX-License-Identifier: MIT OR Apache-2.0
//! Servers that lie, stall, flood, or are somebody else: nothing is sent to a stranger, and nothing that one
//! says takes memory or time without end.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic is a failed test")]

mod stage;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use aura_protocol::auth::{Challenge, ServerKey, Token};
use aura_protocol::codec::{Decode as _, Encode};
use aura_protocol::head::Position;
use aura_protocol::http::{Answer, Asked as Nonce, Granted, HasAnswer};
use aura_protocol::id::{ChunkName, CollectionId, DeviceId, FeedId, Hash, Incarnation, VaultId};
use aura_protocol::label::Label;
use aura_protocol::limits::CHUNK_BYTES_MAX;
use aura_protocol::signed::{Signature, message, verify};
use aura_protocol::store::{Access, BlindStore as _, Prover, StoreError};
use aura_store::http::{Fault, HttpStore, Proof, probe};
use ed25519_dalek::{Signer as _, SigningKey};
use pollster::block_on;
use rustls::version::{TLS12, TLS13};
use stage::{Asked, CBOR, Identity, Reply, Stage, answer};

const VAULT: VaultId = VaultId([7; 32]);
const ACCESS: Access = Access::Vault(VAULT);
const NONCE: Hash = Hash([3; 32]);

/// A device with a transport key.
struct Device(SigningKey);

impl Device {
    fn new() -> Arc<Self> {
        Arc::new(Self(SigningKey::from_bytes(&[9; 32])))
    }
}

impl Prover for Device {
    fn device(&self) -> DeviceId {
        DeviceId([4; 16])
    }

    fn prove(&self, challenge: &[u8]) -> Signature {
        Signature(self.0.sign(&message(Label::SigChallenge, challenge)).to_bytes())
    }
}

fn store(stage: &Stage) -> HttpStore {
    HttpStore::new(&stage.server(), VAULT, Proof::Device(Device::new()), Box::new(|| 1_000))
}

fn enrolled(stage: &Stage) -> HttpStore {
    let proof = Proof::Enrolment(Token([1; 32]));
    HttpStore::new(&stage.server(), VAULT, proof, Box::new(|| 1_000))
}

fn body(status: &str, body: &impl Encode) -> Reply {
    answer(status, CBOR, &body.to_bytes())
}

/// Gives a token, and everything else to `script`.
fn behind_token(
    script: impl Fn(&Asked) -> Reply + Send + Sync + 'static,
) -> impl Fn(&Asked) -> Reply + Send + Sync + 'static {
    move |asked| match asked.line.as_str() {
        "post /v1/challenge http/1.1" => body("200 OK", &Nonce { nonce: NONCE }),
        "post /v1/token http/1.1" => {
            body("200 OK", &Granted { vault: VAULT, token: Token([8; 32]), seconds: 900 })
        }
        _ => script(asked),
    }
}

fn heads(store: &HttpStore) -> Result<(), StoreError> {
    block_on(store.heads(&ACCESS, &[])).map(drop)
}

fn problem(status: &str, code: &str) -> Reply {
    let fields = "aura-protocol: 1\r\ncontent-type: application/problem+json\r\nretry-after: 9\r\n";
    let document = format!("{{\"type\":\"urn:aura:problem:{code}\",\"title\":\"x\"}}");
    answer(status, fields, document.as_bytes())
}

/// HTP-1: not a byte of a request reaches a server with another key.
#[test]
fn htp_1_a_stranger_is_told_nothing() {
    let stage = Stage::new(|_| panic!("it was asked"));
    let (known, shown) = (ServerKey(Hash([1; 32])), stage.key);
    let server = aura_store::http::Server::new(stage.address.clone(), known).unwrap();
    assert_eq!(block_on(server.view()), Err(Fault::OtherKey));
    let store = HttpStore::new(&server, VAULT, Proof::Device(Device::new()), Box::new(|| 1_000));
    assert!(matches!(heads(&store), Err(StoreError::OtherKey)));
    assert!(stage.asked().is_empty());
    assert_eq!(probe(&stage.address), Ok(shown), "a person is shown which");
    assert!(stage.asked().is_empty(), "and asks nothing with that");
}

/// HTP-1: showing the right certificate is not enough: the key in it must have signed the handshake.
#[test]
fn htp_1_a_certificate_alone_proves_nothing() {
    let (honest, thief) = (Identity::new(), Identity::new());
    let stage = Stage::with(&thief.behind(&honest), &TLS13, |_| panic!("it was asked"));
    assert_eq!(stage.key, honest.key);
    let fault = block_on(stage.server().view()).unwrap_err();
    assert!(matches!(fault, Fault::Unreachable(_)), "{fault:?}");
    assert!(probe(&stage.address).is_err());
    assert!(stage.asked().is_empty());
}

/// HTP-1: TLS 1.3 only.
#[test]
fn htp_1_older_tls_is_not_spoken() {
    let stage = Stage::with(&Identity::new(), &TLS12, |_| panic!("it was asked"));
    assert!(matches!(block_on(stage.server().view()), Err(Fault::Unreachable(_))));
    assert!(probe(&stage.address).is_err());
}

#[test]
fn nobody_there_is_told() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("https://{}", listener.local_addr().unwrap());
    drop(listener);
    let address = aura_store::http::Address::parse(&address).unwrap();
    let server = aura_store::http::Server::new(address.clone(), ServerKey(NONCE)).unwrap();
    assert!(matches!(block_on(server.view()), Err(Fault::Unreachable(_))));
    assert!(matches!(probe(&address), Err(Fault::Unreachable(_))));
}

/// ACC-3: what is signed names the key that the client sees, and the token goes with the next request.
#[test]
fn acc_3_a_proof_names_the_server() {
    let has = |_: &Asked| body("200 OK", &HasAnswer { has: vec![true] });
    let stage = Stage::new(behind_token(has));
    let store = store(&stage);
    for _ in 0..2 {
        assert_eq!(block_on(store.has(&ACCESS, &[ChunkName([1; 16])])).unwrap(), [true]);
    }
    let asked = stage.asked();
    let lines: Vec<_> = asked.iter().map(|asked| asked.line.as_str()).collect();
    let has = "post /v1/vault/chunks/has http/1.1";
    let once = ["post /v1/challenge http/1.1", "post /v1/token http/1.1", has, has];
    assert_eq!(lines, once, "a token is asked for once");
    let answer = Answer::from_bytes(&asked[1].body, 1024).unwrap();
    let device = Device::new();
    let challenge =
        Challenge { vault: VAULT, device: device.device(), server: stage.key, nonce: NONCE };
    let public = device.0.verifying_key().to_bytes();
    let signature = Signature(answer.signature);
    assert!(verify(&public, Label::SigChallenge, &challenge.to_bytes(), &signature).is_ok());
    let bearer = format!("bearer {}", Token([8; 32]).to_text()).to_lowercase();
    assert!(asked[2].head.contains(&bearer) && !asked[0].head.contains("authorization"));
    assert!(asked.iter().all(|asked| asked.head.contains("aura-protocol: 1")));
    for told in ["cookie", "user-agent", "referer", "accept-encoding"] {
        assert!(!asked.iter().any(|asked| asked.head.contains(told)), "{told}");
    }
}

/// ACC-5: a token that is refused is replaced once; whoever logged in has no other.
#[test]
fn acc_5_a_refused_token_is_replaced_once() {
    let count = Arc::new(AtomicUsize::new(0));
    let refuses = |times: usize| {
        let count = Arc::clone(&count);
        Stage::new(behind_token(move |_| {
            if count.fetch_add(1, Ordering::SeqCst) < times {
                return problem("401 Unauthorized", "unauthenticated");
            }
            body("200 OK", &HasAnswer { has: vec![false] })
        }))
    };
    let has = |store: &HttpStore| block_on(store.has(&ACCESS, &[ChunkName([1; 16])]));
    assert_eq!(has(&store(&refuses(1))).unwrap(), [false]);
    assert_eq!(count.swap(0, Ordering::SeqCst), 2);
    let refused = has(&store(&refuses(9)));
    assert!(matches!(refused, Err(StoreError::Unauthenticated)), "{refused:?}");
    assert_eq!(count.swap(0, Ordering::SeqCst), 2, "and not for ever");
    let refused = has(&enrolled(&refuses(9)));
    assert!(matches!(refused, Err(StoreError::Unauthenticated)), "{refused:?}");
    assert_eq!(count.load(Ordering::SeqCst), 1);
}

/// HTP-7: a token for another vault is none.
#[test]
fn htp_7_a_token_for_another_vault_is_none() {
    let stage = Stage::new(|asked| {
        if asked.line == "post /v1/challenge http/1.1" {
            return body("200 OK", &Nonce { nonce: NONCE });
        }
        let vault = VaultId([8; 32]);
        body("200 OK", &Granted { vault, token: Token([8; 32]), seconds: 900 })
    });
    assert!(matches!(heads(&store(&stage)), Err(StoreError::Server(_))));
    assert_eq!(stage.asked().len(), 2);
}

/// What an error is expected to be.
type Check = fn(&StoreError) -> bool;

/// HTP-2, HTP-4, HTP-5, faults F-15, F-29: another version, another type, another server's words, a way elsewhere; one
/// that has too much to do, one that hangs up.
#[test]
fn htp_5_what_is_no_answer_is_told() {
    let elsewhere = Stage::new(|_| panic!("it was sent on"));
    let location =
        format!("aura-protocol: 1\r\nlocation: {}/v1/vault/heads\r\n", elsewhere.address);
    let cases: Vec<(Reply, Check)> = vec![
        (answer("200 OK", "aura-protocol: 2\r\n", b""), |e| matches!(e, StoreError::Protocol)),
        (answer("200 OK", "aura-protocol: x\r\n", b""), |e| matches!(e, StoreError::Server(_))),
        (answer("200 OK", "", b"hello"), |e| matches!(e, StoreError::Server(_))),
        (answer("307 Elsewhere", &location, b""), |e| matches!(e, StoreError::Server(_))),
        (
            answer("200 OK", "aura-protocol: 1\r\ncontent-type: text/html\r\n", b"\x82\x80\x80"),
            |e| matches!(e, StoreError::Server(_)),
        ),
        (answer("200 OK", CBOR, b"\x82\x80\x80\x00"), |e| matches!(e, StoreError::Server(_))),
        (answer("200 OK", CBOR, b""), |e| matches!(e, StoreError::Server(_))),
        (problem("429 Slow", "slow-down"), |e| matches!(e, StoreError::SlowDown(9))),
        (problem("507 Full", "full"), |e| matches!(e, StoreError::Full)),
        (problem("400 No", "protocol"), |e| matches!(e, StoreError::Protocol)),
        (problem("418 Teapot", "teapot"), |e| matches!(e, StoreError::Server(_))),
        (Reply::Last(b"HTTP/1.1 200 OK\r\n".to_vec()), |e| matches!(e, StoreError::Unreachable(_))),
    ];
    let count = cases.len();
    let (replies, checks): (Vec<_>, Vec<_>) = cases.into_iter().unzip();
    let replies = std::sync::Mutex::new(replies.into_iter());
    let stage = Stage::new(move |_| replies.lock().unwrap().next().unwrap());
    let store = enrolled(&stage);
    for (at, check) in checks.iter().enumerate() {
        let error = heads(&store).unwrap_err();
        assert!(check(&error), "{at}: {error:?}");
    }
    assert!(stage.asked().len() >= count && elsewhere.asked().is_empty());
}

/// HTP-4: what is longer than an answer may be is not read, whether it says so or not.
#[test]
fn htp_4_floods_are_cut_off() {
    let octets =
        "HTTP/1.1 200 OK\r\naura-protocol: 1\r\ncontent-type: application/octet-stream\r\n";
    let told = format!("{octets}content-length: 99999999999\r\n\r\n");
    let untold = format!("{octets}transfer-encoding: chunked\r\n\r\n");
    let chunk = [b"10000\r\n".as_slice(), &vec![7; 0x10000], b"\r\n"].concat();
    let half = format!("{octets}content-length: 100\r\n\r\nhalf");
    let fields = "HTTP/1.1 200 OK\r\nx: ".to_owned();
    for (reply, first, bytes) in [
        ("told", told, vec![7; 4096]),
        ("untold", untold, chunk),
        ("fields", fields, vec![b'a'; 4096]),
    ] {
        let stage = Stage::new(move |_| Reply::Endless(first.clone().into(), bytes.clone()));
        let begun = Instant::now();
        let error = block_on(enrolled(&stage).chunk(&ACCESS, ChunkName([1; 16]))).unwrap_err();
        let is_right = matches!(error, StoreError::Server(_) | StoreError::Unreachable(_));
        assert!(is_right && begun.elapsed() < Duration::from_secs(20), "{reply}: {error:?}");
    }
    let stage = Stage::new(move |_| Reply::Last(half.clone().into()));
    let error = block_on(enrolled(&stage).chunk(&ACCESS, ChunkName([1; 16]))).unwrap_err();
    assert!(matches!(error, StoreError::Unreachable(_)), "{error:?}");
}

/// HTP-4, fault F-15: an answer that breaks off before its last byte is none, wherever that is, and the next one counts.
#[test]
fn f_15_an_answer_that_breaks_off_anywhere_is_none() {
    let Reply::Bytes(whole) = body("200 OK", &HasAnswer { has: vec![true, false, true] }) else {
        panic!("an answer is bytes")
    };
    let (length, cut) = (whole.len(), Arc::new(AtomicUsize::new(0)));
    let upto = Arc::clone(&cut);
    let stage = Stage::new(move |_| Reply::Last(whole[..upto.load(Ordering::SeqCst)].to_vec()));
    let store = enrolled(&stage);
    let names = [1, 2, 3].map(|byte| ChunkName([byte; 16]));
    for at in 0..length {
        cut.store(at, Ordering::SeqCst);
        let error = block_on(store.has(&ACCESS, &names)).unwrap_err();
        assert!(matches!(error, StoreError::Unreachable(_)), "{at}: {error:?}");
    }
    cut.store(length, Ordering::SeqCst);
    assert_eq!(block_on(store.has(&ACCESS, &names)).unwrap(), [true, false, true]);
}

/// A server that begins an answer and falls silent is not waited for without end.
#[test]
fn a_silent_server_is_left() {
    let head = "HTTP/1.1 200 OK\r\naura-protocol: 1\r\ncontent-type: application/octet-stream\r\n\
                content-length: 9\r\n\r\nhalf";
    let stage = Stage::new(move |_| Reply::Silence(head.into()));
    let begun = Instant::now();
    let error = block_on(enrolled(&stage).chunk(&ACCESS, ChunkName([1; 16]))).unwrap_err();
    assert!(matches!(error, StoreError::Unreachable(_)), "{error:?}");
    assert!((25..60).contains(&begun.elapsed().as_secs()));
}

/// What nobody may ask is not asked: other vaults, chunks of no size, collections beyond the access.
#[test]
fn what_may_not_be_asked_is_not_sent() {
    let stage = Stage::new(|_| panic!("it was asked"));
    let store = enrolled(&stage);
    let other = Access::Vault(VaultId([1; 32]));
    assert!(matches!(block_on(store.heads(&other, &[])), Err(StoreError::Absent)));
    for size in [0, CHUNK_BYTES_MAX + 1] {
        let put = block_on(store.put(&ACCESS, ChunkName([1; 16]), &vec![0; size]));
        assert!(matches!(put, Err(StoreError::Refused(_))));
    }
    let within = |until_ms| Access::Collections { vault: VAULT, collections: vec![], until_ms };
    let feed = FeedId {
        collection: CollectionId([1; 16]),
        device: DeviceId([2; 16]),
        incarnation: Incarnation([3; 8]),
    };
    for until_ms in [1_000, i64::MAX] {
        let read = block_on(store.read(&within(until_ms), feed, 0, 9));
        assert!(matches!(read, Err(StoreError::Forbidden)));
    }
    assert!(stage.asked().is_empty());
}

/// An answer to another question is none.
#[test]
fn answers_are_as_many_as_questions() {
    let stage = Stage::new(|_| body("200 OK", &HasAnswer { has: vec![true; 2] }));
    let has = block_on(enrolled(&stage).has(&ACCESS, &[ChunkName([1; 16])]));
    assert!(matches!(has, Err(StoreError::Server(_))));
    let place = Position { number: 1, hash: NONCE };
    let watch = enrolled(&stage);
    let known = [(DeviceId([1; 16]), Incarnation([2; 8]), place)];
    assert!(block_on(watch.watch(&ACCESS, &known, 50)).is_err());
}
