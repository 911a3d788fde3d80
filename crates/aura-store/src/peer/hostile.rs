// SPDX-License-Identifier: MIT OR Apache-2.0
//! Whoever may be on the other side: strangers, revoked devices, and listed ones that do not keep to the protocol.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod listed;

mod stranger;

mod crowd;

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
