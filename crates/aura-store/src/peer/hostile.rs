// SPDX-License-Identifier: MIT OR Apache-2.0
//! Whoever may be on the other side: strangers, revoked devices, and listed ones that do not keep to the protocol.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use aura_protocol::entry::Entry;
use aura_protocol::http::{Problem, ProblemKind};
use aura_protocol::id::{DeviceId, VaultId};
use aura_protocol::peer::{ALPN, Greeter, Kind};
use aura_protocol::signed::Signature;
use aura_protocol::store::{Access, BlindStore as _, StoreError};
use aura_testkit::author::{Author, chunk};
use aura_testkit::conformance::NOTES;
use aura_testkit::seed::Seed;
use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use quinn::{Connection, Endpoint};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::version::TLS13;
use rustls::{ClientConfig, DigitallySignedStruct, Error, SignatureScheme};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use super::node::{Listen, Node};
use super::source::Source;
use super::store::PeerStore;
use super::stream::SILENCE;
use super::tls;
use crate::http::Fault;
use crate::local::LocalStore;
use crate::wait::lock;

struct Card(Author);

impl Greeter for Card {
    fn transport(&self) -> [u8; 32] {
        self.0.transport_key()
    }

    fn greet(&self, message: &[u8]) -> Option<Signature> {
        Some(self.0.greet(message))
    }
}

/// A device that keeps to the rules.
struct Real(Arc<LocalStore>);

impl Source for Real {
    fn local(&self) -> Option<Arc<LocalStore>> {
        Some(Arc::clone(&self.0))
    }
}

/// One that speaks with anybody, of whom it thinks that they are this device.
struct Anybody(DeviceId);

impl Source for Anybody {
    fn local(&self) -> Option<Arc<LocalStore>> {
        None
    }

    fn holder(&self, _: &[u8; 32]) -> Option<DeviceId> {
        Some(self.0)
    }
}

fn fill(bytes: &mut [u8]) {
    static COUNT: AtomicU64 = AtomicU64::new(1 << 32);
    let random = Seed::new(COUNT.fetch_add(1, Ordering::SeqCst)).bytes(bytes.len());
    bytes.copy_from_slice(&random);
}

fn node(author: &Author, vault: VaultId, source: impl Source + 'static) -> Node {
    let listen = Listen::At("127.0.0.1:0".parse().unwrap());
    let card = Arc::new(Card(author.clone()));
    Node::open(vault, card, Arc::new(source), Box::new(fill), listen).unwrap()
}

/// A vault of two devices; the first one listens.
struct Scene {
    _folder: TempDir,
    seed: Seed,
    nora: Author,
    ada: Author,
    local: Arc<LocalStore>,
    node: Node,
    runtime: Runtime,
}

impl Scene {
    fn new() -> Self {
        let (folder, mut seed) = (TempDir::new().unwrap(), Seed::new(5));
        let (mut nora, genesis) = Author::founder(&mut seed);
        let (ada, add) = nora.pair(&mut seed);
        let local = LocalStore::create(folder.path(), nora.vault(), Box::new(|| 1_000)).unwrap();
        let local = Arc::new(local);
        let node = node(&nora, nora.vault(), Real(Arc::clone(&local)));
        let runtime = Runtime::new().unwrap();
        let mut scene = Self { _folder: folder, seed, nora, ada, local, node, runtime };
        scene.keeps(&[genesis, add]);
        scene
    }

    /// The first device writes.
    fn keeps(&mut self, entries: &[Entry]) {
        let head = self.nora.head();
        let access = Access::Vault(self.nora.vault());
        pollster::block_on(self.local.push(&access, &head, entries)).unwrap();
    }

    fn access(&self) -> Access {
        Access::Vault(self.nora.vault())
    }

    fn place(&self) -> String {
        self.node.address().unwrap().to_string()
    }

    /// The first device, as this one reaches it, which speaks with anybody.
    fn reached_by(&self, author: &Author) -> (Node, PeerStore) {
        let device = self.nora.device();
        let caller = node(author, self.nora.vault(), Anybody(device));
        let store = PeerStore::new(&caller, device, vec![self.place()], Box::new(|| 1_000));
        (caller, store)
    }

    /// What a call with this TLS comes to: a stream that is answered, or not.
    fn answers(&self, tls: ClientConfig, name: &str) -> bool {
        let at = self.node.address().unwrap();
        self.runtime.block_on(async {
            let Some(connection) = call(at, tls, name).await else { return false };
            said(&connection, &[&Kind::Heads.begin()[..], &[0x81, 0x80]].concat()).await.is_some()
        })
    }

    /// A connection in the second device's name, to say anything on.
    fn line(&self) -> (Node, Connection) {
        let (caller, _) = self.reached_by(&self.ada);
        let (inner, place) = (Arc::clone(&caller.inner), self.place());
        let called = async move { inner.call(&place, None).await.map(|(_, line)| line) };
        let inner = Arc::clone(&caller.inner);
        let line = pollster::block_on(inner.run(called)).unwrap();
        (caller, line)
    }

    fn serves_on(&self) {
        let (_caller, store) = self.reached_by(&self.ada);
        assert_eq!(pollster::block_on(store.heads(&self.access(), &[])).unwrap().news.len(), 1);
    }
}

async fn call(at: SocketAddr, tls: ClientConfig, name: &str) -> Option<Connection> {
    let endpoint = Endpoint::client("127.0.0.1:0".parse().unwrap()).unwrap();
    let crypto = QuicClientConfig::try_from(tls).unwrap();
    let config = quinn::ClientConfig::new(Arc::new(crypto));
    endpoint.connect_with(config, at, name).unwrap().await.ok()
}

/// What is answered to these bytes, if anything is.
async fn said(connection: &Connection, bytes: &[u8]) -> Option<Vec<u8>> {
    let (mut send, mut recv) = connection.open_bi().await.ok()?;
    send.write_all(bytes).await.ok();
    send.finish().ok();
    recv.read_to_end(1 << 20).await.ok()
}

/// Takes any key, and remembers which was shown.
#[derive(Debug, Default)]
struct Gullible {
    shown: Mutex<Option<Vec<u8>>>,
    wants_certificate: bool,
}

impl ServerCertVerifier for Gullible {
    fn verify_server_cert(
        &self,
        shown: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        *lock(&self.shown) = Some(shown.to_vec());
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        !self.wants_certificate
    }
}

fn gullible(
    verifier: &Arc<Gullible>,
) -> rustls::ConfigBuilder<ClientConfig, rustls::client::WantsClientCert> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider);
    let builder = builder.with_protocol_versions(&[&TLS13]).unwrap();
    builder.dangerous().with_custom_certificate_verifier(Arc::clone(verifier) as _)
}

fn named(scene: &Scene) -> String {
    let mut random = [0; 32];
    fill(&mut random);
    tls::name(scene.nora.vault(), &random)
}

fn is_out(error: &StoreError) -> bool {
    matches!(error, StoreError::Unauthenticated)
}

/// PEE-3, attack DEV-01: a device that is not listed is told nothing, also if it knows the vault; nor is one told anything
/// that is called.
#[test]
fn pee_3_a_stranger_is_told_nothing() {
    let mut scene = Scene::new();
    scene.serves_on();
    let stranger = Author::stranger(&mut scene.seed, scene.nora.vault());
    let (caller, store) = scene.reached_by(&stranger);
    let error = pollster::block_on(store.heads(&scene.access(), &[])).unwrap_err();
    assert!(is_out(&error), "{error:?}");
    // A whole history of its own does not help.
    let (mut elsewhere, genesis) = Author::founder(&mut scene.seed);
    let push = pollster::block_on(store.push(&scene.access(), &elsewhere.head(), &[genesis]));
    assert!(is_out(&push.unwrap_err()));

    let place = caller.address().unwrap().to_string();
    assert_eq!(pollster::block_on(scene.node.meet(&place)), Err(Fault::OtherKey));
    scene.serves_on();
}

/// PEE-3: this device's own key, in a copy of its folder, is nobody's to speak with.
#[test]
fn pee_3_a_copy_of_oneself_is_refused() {
    let scene = Scene::new();
    let (caller, store) = scene.reached_by(&scene.nora);
    // It refuses itself as well.
    let error = pollster::block_on(store.heads(&scene.access(), &[])).unwrap_err();
    assert!(matches!(error, StoreError::OtherKey), "{error:?}");
    let place = caller.address().unwrap().to_string();
    assert_eq!(pollster::block_on(scene.node.meet(&place)), Err(Fault::OtherKey));
}

/// PEE-3, PEE-4: a device of another vault does not come as far as to see a key, and its own key opens nothing.
#[test]
fn pee_4_another_vaults_device_is_refused() {
    let mut scene = Scene::new();
    let (other, _) = Author::founder(&mut scene.seed);
    let device = scene.nora.device();
    let caller = node(&other, other.vault(), Anybody(device));
    let met = pollster::block_on(caller.meet(&scene.place()));
    assert_eq!(met, Err(Fault::Problem(Problem::new(ProblemKind::Unauthenticated))));
    let (_caller, store) = scene.reached_by(&other);
    let error = pollster::block_on(store.heads(&scene.access(), &[])).unwrap_err();
    assert!(is_out(&error), "{error:?}");
    scene.serves_on();
}

/// PEE-3, attack DEV-01: a revoke ends the revoked device's connections, and it makes no other ones.
#[test]
fn pee_3_a_revoke_ends_connections() {
    let mut scene = Scene::new();
    let (caller, store) = scene.reached_by(&scene.ada);
    let (store, access) = (Arc::new(store), scene.access());
    let heads = pollster::block_on(store.heads(&access, &[])).unwrap().news;
    let known: Vec<_> =
        heads.iter().map(|head| (head.device, head.incarnation, head.position)).collect();
    let watching = {
        let (store, access) = (Arc::clone(&store), access.clone());
        std::thread::spawn(move || {
            let begun = Instant::now();
            (pollster::block_on(store.watch(&access, &known, 60_000)), begun.elapsed())
        })
    };
    std::thread::sleep(Duration::from_millis(300));
    let revoke = scene.nora.revoke(scene.ada.device(), Vec::new());
    scene.keeps(&[revoke]);
    let (watched, took) = watching.join().unwrap();
    assert!(is_out(&watched.unwrap_err()), "and it is not told of the revoke there");
    assert!(took < Duration::from_secs(5), "{took:?}");
    let error = pollster::block_on(store.heads(&access, &[])).unwrap_err();
    assert!(is_out(&error), "{error:?}");
    let place = caller.address().unwrap().to_string();
    assert_eq!(pollster::block_on(scene.node.meet(&place)), Err(Fault::OtherKey));
}

/// PEE-3: a line on which nothing is asked is closed as well.
#[test]
fn pee_3_a_revoke_ends_a_silent_line() {
    let mut scene = Scene::new();
    let (_caller, line) = scene.line();
    let revoke = scene.nora.revoke(scene.ada.device(), Vec::new());
    std::thread::sleep(Duration::from_millis(300));
    assert!(line.close_reason().is_none());
    scene.keeps(&[revoke]);
    let closed = async { tokio::time::timeout(Duration::from_secs(5), line.closed()).await };
    let closed = scene.runtime.block_on(closed).unwrap();
    let is_out = matches!(closed, quinn::ConnectionError::ApplicationClosed(close) if close.error_code == super::serve::OUT);
    assert!(is_out);
}

/// PEE-1, PEE-2: no key, a certificate, another protocol: nothing is answered.
#[test]
fn pee_2_without_a_listed_key_nothing_is_answered() {
    let scene = Scene::new();
    let verifier = Arc::new(Gullible::default());
    let mut bare = gullible(&verifier).with_no_client_auth();
    bare.alpn_protocols = vec![ALPN.to_vec()];
    assert!(!scene.answers(bare, &named(&scene)));

    let made = rcgen::generate_simple_self_signed(vec!["aura".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let mut certified =
        gullible(&verifier).with_client_auth_cert(vec![made.cert.der().clone()], key).unwrap();
    certified.alpn_protocols = vec![ALPN.to_vec()];
    assert!(!scene.answers(certified, &named(&scene)));

    let greeter: Arc<dyn Greeter> = Arc::new(Card(scene.ada.clone()));
    let anybody: Arc<dyn Source> = Arc::new(Anybody(scene.nora.device()));
    let valid = || tls::client(&greeter, tls::Judge::new(&anybody, [0; 32], None)).unwrap();
    for protocol in [&b"aura-peer/2"[..], b"h3", b""] {
        let mut other = valid();
        other.alpn_protocols = vec![protocol.to_vec()];
        other.alpn_protocols.retain(|protocol| !protocol.is_empty());
        assert!(!scene.answers(other, &named(&scene)), "{protocol:?}");
    }
    assert!(scene.answers(valid(), &named(&scene)));
}

/// PEE-4, attack TRF-06: who does not know the vault sees no key, and a name that was seen is of no use.
#[test]
fn pee_4_a_stranger_sees_no_key() {
    let mut scene = Scene::new();
    let verifier = Arc::new(Gullible::default());
    let stranger: Arc<dyn Greeter> =
        Arc::new(Card(Author::stranger(&mut scene.seed, scene.nora.vault())));
    let anybody: Arc<dyn Source> = Arc::new(Anybody(scene.nora.device()));
    let probe = || {
        let judge = tls::Judge::new(&anybody, [0; 32], None);
        let resolver = tls::client(&stranger, judge).unwrap().client_auth_cert_resolver;
        let mut probe = gullible(&verifier).with_client_cert_resolver(resolver);
        probe.alpn_protocols = vec![ALPN.to_vec()];
        probe
    };
    let other = tls::name(VaultId([9; 32]), &scene.seed.array());
    for name in ["localhost", "p00", &other] {
        assert!(!scene.answers(probe(), name));
        assert!(lock(&verifier.shown).is_none(), "{name}");
    }
    // A device calls; somebody on the way sees under what name.
    let greeter: Arc<dyn Greeter> = Arc::new(Card(scene.ada.clone()));
    let anybody: Arc<dyn Source> = Arc::new(Anybody(scene.nora.device()));
    let valid = tls::client(&greeter, tls::Judge::new(&anybody, [0; 32], None)).unwrap();
    let name = named(&scene);
    assert!(scene.answers(valid, &name));
    assert!(!scene.answers(probe(), &name));
    assert!(lock(&verifier.shown).is_none());
    // One who knows the vault sees a key, and gets no further.
    assert!(!scene.answers(probe(), &named(&scene)));
    assert_eq!(
        lock(&verifier.shown).as_deref().and_then(tls::key_of),
        Some(scene.nora.transport_key())
    );
}

/// PEE-1: without the one key exchange there is no connection.
#[test]
fn pee_1_there_is_one_key_exchange() {
    let scene = Scene::new();
    let greeter: Arc<dyn Greeter> = Arc::new(Card(scene.ada.clone()));
    let anybody: Arc<dyn Source> = Arc::new(Anybody(scene.nora.device()));
    let judge = tls::Judge::new(&anybody, [0; 32], None);
    let mut provider = rustls::crypto::aws_lc_rs::default_provider();
    provider.kx_groups = vec![rustls::crypto::aws_lc_rs::kx_group::X25519];
    let mut weaker = tls::client(&greeter, Arc::clone(&judge)).unwrap();
    let builder = ClientConfig::builder_with_provider(Arc::new(provider));
    let builder = builder.with_protocol_versions(&[&TLS13]).unwrap();
    let builder = builder.dangerous().with_custom_certificate_verifier(judge);
    let resolver = Arc::clone(&weaker.client_auth_cert_resolver);
    weaker = builder.with_client_cert_resolver(resolver);
    weaker.alpn_protocols = vec![ALPN.to_vec()];
    assert!(!scene.answers(weaker, &named(&scene)));
}

/// PEE-5, PEE-7, attack AVL-04: whatever a listed device says, it is refused in words or not at all, and the others are served.
#[test]
fn pee_5_noise_is_refused_and_no_panic() {
    let mut scene = Scene::new();
    let (_caller, line) = scene.line();
    let refused = |code: &str, bytes: &[u8]| {
        let answer = scene.runtime.block_on(said(&line, bytes));
        let answer = answer.unwrap_or_else(|| panic!("{code}: no answer"));
        assert_eq!(answer.get(..2), Some(&[0x82, 1][..]), "{code}");
        let has_code = answer.windows(code.len()).any(|part| part == code.as_bytes());
        assert!(has_code, "{code}: {answer:?}");
    };
    refused("malformed", &[0xff, 0xff]);
    refused("malformed", &[0x82, 0x09, 0x80]);
    for kind in Kind::ALL {
        refused("malformed", &kind.begin());
        refused("malformed", &[&kind.begin()[..], &[0x9f, 0xff]].concat());
        refused("malformed", &[&kind.begin()[..], &[0x81, 0x9b, 0xff, 0xff, 0xff]].concat());
        refused("malformed", &[&kind.begin()[..], &[0xa0; 2000]].concat());
    }
    for kind in [Kind::Heads, Kind::Watch, Kind::Read, Kind::Head, Kind::Has, Kind::Chunk] {
        refused("too-large", &[&kind.begin()[..], &vec![0x80; kind.ask_bytes_max() + 1]].concat());
    }
    let noise: Vec<Vec<u8>> = (0..200).map(|n| scene.seed.bytes(n)).collect();
    for (at, body) in noise.iter().enumerate() {
        let kind = Kind::ALL[at % Kind::ALL.len()];
        let answer = scene.runtime.block_on(said(&line, &[&kind.begin()[..], body].concat()));
        assert_eq!(answer.unwrap().get(..2), Some(&[0x82, 1][..]), "{kind:?}");
    }
    for short in [&[][..], &[0x82]] {
        let answer = scene.runtime.block_on(said(&line, short));
        assert!(answer.unwrap_or_default().is_empty());
    }
    scene.serves_on();
}

/// PEE-3, PEE-8: a listed device writes what a device may write, and what does not verify is refused.
#[test]
fn pee_8_what_comes_is_checked() {
    let mut scene = Scene::new();
    let (_caller, store) = scene.reached_by(&scene.ada);
    let access = scene.access();
    let entry = scene.ada.entry(NOTES, vec![1; 60]);
    let head = scene.ada.head();
    let mut forged = *head.signature();
    forged.0[9] ^= 1;
    let forged = aura_protocol::signed::Signed::new(head.payload().to_vec(), forged);
    let push = pollster::block_on(store.push(&access, &forged, std::slice::from_ref(&entry)));
    assert!(matches!(push, Err(StoreError::Refused(_))), "{push:?}");
    pollster::block_on(store.push(&access, &head, &[entry])).unwrap();
    let (sealed, added) = chunk(&mut scene.seed, 100);
    let put = pollster::block_on(store.put(&access, added.name, &sealed));
    assert!(matches!(put, Err(StoreError::Absent)), "{put:?}");
    // PEE-8: what this device keeps, no other one lets go of.
    let gone = pollster::block_on(store.forget(&access, aura_protocol::id::Hash([1; 32])));
    assert!(matches!(gone, Err(StoreError::Unproven)), "{gone:?}");
}

/// PEE-7, attack AVL-04: who sends a byte now and then, or nothing, holds up nobody and is let go of.
#[test]
fn pee_7_a_slow_question_is_ended() {
    let scene = Scene::new();
    let (_caller, line) = scene.line();
    let ended = scene.runtime.block_on(async {
        let (mut send, mut recv) = line.open_bi().await.unwrap();
        send.write_all(&[&Kind::Push.begin()[..], &[0x82]].concat()).await.unwrap();
        let (mut silent, mut answer) = line.open_bi().await.unwrap();
        silent.write_all(&[0x82]).await.unwrap();
        let begun = Instant::now();
        tokio::task::block_in_place(|| scene.serves_on());
        assert!(begun.elapsed() < SILENCE / 2, "others are served meanwhile");
        let patience = SILENCE * 2;
        let pushed = tokio::time::timeout(patience, recv.read_to_end(100)).await.unwrap();
        let silent = tokio::time::timeout(patience, answer.read_to_end(100)).await.unwrap();
        (pushed.unwrap_or_default(), silent.unwrap_or_default())
    });
    assert_eq!(ended, (Vec::new(), Vec::new()));
}

/// PEE-7: a device has so many connections and no more.
#[test]
fn pee_7_connections_are_bounded() {
    let scene = Scene::new();
    let lines: Vec<_> = (0..6).map(|_| scene.line()).collect();
    std::thread::sleep(Duration::from_millis(500));
    let open = lines.iter().filter(|(_, line)| line.close_reason().is_none()).count();
    assert_eq!(open, 4);
    scene.serves_on();
}

/// What a device in the second one's name says to whatever it is asked.
fn liar(scene: &Scene, says: &'static [u8], then: After) -> SocketAddr {
    let greeter: Arc<dyn Greeter> = Arc::new(Card(scene.ada.clone()));
    let anybody: Arc<dyn Source> = Arc::new(Anybody(scene.nora.device()));
    let judge = tls::Judge::new(&anybody, [0; 32], None);
    let tls = tls::server(scene.nora.vault(), &greeter, judge).unwrap();
    let crypto = QuicServerConfig::try_from(tls).unwrap();
    let config = quinn::ServerConfig::with_crypto(Arc::new(crypto));
    let _within = scene.runtime.enter();
    let endpoint = Endpoint::server(config, "127.0.0.1:0".parse().unwrap()).unwrap();
    let at = endpoint.local_addr().unwrap();
    scene.runtime.spawn(async move {
        while let Some(incoming) = endpoint.accept().await {
            let connection = incoming.await.unwrap();
            tokio::spawn(async move {
                while let Ok((mut send, mut recv)) = connection.accept_bi().await {
                    recv.read_to_end(1 << 24).await.ok();
                    send.write_all(says).await.ok();
                    match then {
                        After::End => drop(send.finish()),
                        After::Silence => std::future::pending().await,
                        After::Endless => while send.write_all(&[0x80; 4096]).await.is_ok() {},
                        After::Reset => drop(send.reset(9u32.into())),
                    }
                }
            });
        }
    });
    at
}

#[derive(Clone, Copy)]
enum After {
    End,
    Silence,
    Endless,
    Reset,
}

/// PEE-5, PEE-7, attack AVL-04: what a listed device answers is bounded in length and time, and read strictly.
#[test]
fn pee_5_false_answers_are_errors() {
    let scene = Scene::new();
    let ask = |says, then| {
        let at = liar(&scene, says, then).to_string();
        let store = PeerStore::new(&scene.node, scene.ada.device(), vec![at], Box::new(|| 1_000));
        let begun = Instant::now();
        let asked = pollster::block_on(store.heads(&scene.access(), &[]));
        assert!(begun.elapsed() < SILENCE * 3, "{:?}", begun.elapsed());
        asked
    };
    let whole: &[u8] = &[0x82, 0, 0x82, 0x80, 0x80];
    assert!(ask(whole, After::End).is_ok());
    let failed: &[(&[u8], After)] = &[
        (&[0x82, 0, 0x82, 0x80], After::End),
        (&[0x82, 0], After::End),
        (&[0x82], After::End),
        (&[], After::End),
        (&[0x82, 2, 0x80], After::End),
        (&[0x82, 0, 0xa0], After::End),
        (&[0x82, 0, 0x82, 0x80, 0x80, 0], After::End),
        (&[0x82, 1, 0x82, 0x60], After::End),
        (&[0x82, 0, 0x82, 0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], After::End),
        (&[0x82, 0], After::Endless),
        (&[0x82, 1], After::Endless),
        (whole, After::Reset),
    ];
    for (says, then) in failed {
        let asked = ask(says, *then);
        assert!(matches!(asked, Err(StoreError::Server(_))), "{says:?}: {asked:?}");
    }
    for says in [&[][..], &[0x82, 0]] {
        let asked = ask(says, After::Silence);
        assert!(matches!(asked, Err(StoreError::Unreachable(_))), "{says:?}: {asked:?}");
    }
}
