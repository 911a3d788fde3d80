// SPDX-License-Identifier: MIT OR Apache-2.0
//! A server that answers what a test says, bytes as they are, over TLS.
#![allow(dead_code, unreachable_pub, reason = "each test program uses a part")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic is a failed test")]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use aura_protocol::auth::ServerKey;
use aura_protocol::id::Hash;
use aura_store::http::{Address, Server};
use rcgen::{CertifiedKey, PublicKeyData as _, generate_simple_self_signed};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign;
use rustls::{ServerConfig, ServerConnection, StreamOwned, SupportedProtocolVersion};

/// The version, and that it is CBOR.
pub const CBOR: &str = "aura-protocol: 1\r\ncontent-type: application/cbor\r\n";

/// A key, and a certificate with it.
pub struct Identity {
    pub key: ServerKey,
    certificate: CertificateDer<'static>,
    secret: PrivateKeyDer<'static>,
}

impl Identity {
    pub fn new() -> Self {
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed(["elsewhere.example".to_owned()]).unwrap();
        Self {
            key: ServerKey(Hash::of(&[&signing_key.subject_public_key_info()])),
            certificate: cert.der().clone(),
            secret: PrivatePkcs8KeyDer::from(signing_key.serialize_der()).into(),
        }
    }

    /// Another one's certificate with the key of this one.
    pub fn behind(&self, other: &Self) -> Self {
        let (certificate, secret) = (other.certificate.clone(), self.secret.clone_key());
        Self { key: other.key, certificate, secret }
    }

    fn config(&self, version: &'static SupportedProtocolVersion) -> ServerConfig {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let key = provider.key_provider.load_private_key(self.secret.clone_key()).unwrap();
        // Not compared with the certificate: that is the client's to find out.
        let certified = sign::CertifiedKey::new(vec![self.certificate.clone()], key);
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[version])
            .unwrap()
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(Always(Arc::new(certified))));
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        config
    }
}

#[derive(Debug)]
struct Always(Arc<sign::CertifiedKey>);

impl ResolvesServerCert for Always {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<sign::CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }
}

/// What came: its first line, and its body.
#[derive(Debug, Clone)]
pub struct Asked {
    pub line: String,
    pub head: String,
    pub body: Vec<u8>,
}

/// What a server does with it.
pub enum Reply {
    /// Sends these bytes and goes on.
    Bytes(Vec<u8>),
    /// Sends these bytes and hangs up.
    Last(Vec<u8>),
    /// Sends these bytes and then nothing, without hanging up.
    Silence(Vec<u8>),
    /// Sends these bytes again and again.
    Endless(Vec<u8>, Vec<u8>),
}

/// An answer with this status, these fields and this body.
pub fn answer(status: &str, fields: &str, body: &[u8]) -> Reply {
    let length = body.len();
    let head = format!("HTTP/1.1 {status}\r\n{fields}content-length: {length}\r\n\r\n");
    Reply::Bytes([head.as_bytes(), body].concat())
}

pub type Script = dyn Fn(&Asked) -> Reply + Send + Sync;

/// A server on a stage.
pub struct Stage {
    pub address: Address,
    pub key: ServerKey,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Stage {
    pub fn new(script: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Self {
        Self::with(&Identity::new(), &rustls::version::TLS13, script)
    }

    pub fn with(
        identity: &Identity,
        version: &'static SupportedProtocolVersion,
        script: impl Fn(&Asked) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("https://{}", listener.local_addr().unwrap());
        let (config, script) = (Arc::new(identity.config(version)), Arc::new(script));
        let asked = Arc::new(Mutex::new(Vec::new()));
        let told = Arc::clone(&asked);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (config, script, told) =
                    (Arc::clone(&config), Arc::clone(&script), Arc::clone(&told));
                thread::spawn(move || serve(stream, config, script.as_ref(), &told));
            }
        });
        Self { address: Address::parse(&address).unwrap(), key: identity.key, asked }
    }

    /// Everything that was asked, in order.
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// The server as a client knows it.
    pub fn server(&self) -> Server {
        Server::new(self.address.clone(), self.key).unwrap()
    }
}

fn serve(stream: TcpStream, config: Arc<ServerConfig>, script: &Script, told: &Mutex<Vec<Asked>>) {
    let connection = ServerConnection::new(config).unwrap();
    let mut stream = StreamOwned::new(connection, stream);
    while let Some(asked) = hear(&mut stream) {
        told.lock().unwrap().push(asked.clone());
        match script(&asked) {
            Reply::Bytes(bytes) => {
                if stream.write_all(&bytes).and_then(|()| stream.flush()).is_err() {
                    return;
                }
            }
            Reply::Last(bytes) => {
                drop(stream.write_all(&bytes).and_then(|()| stream.flush()));
                return;
            }
            Reply::Silence(bytes) => {
                drop(stream.write_all(&bytes).and_then(|()| stream.flush()));
                thread::sleep(Duration::from_mins(2));
                return;
            }
            Reply::Endless(first, bytes) => {
                let mut sent = stream.write_all(&first);
                while sent.is_ok() {
                    sent = stream.write_all(&bytes).and_then(|()| stream.flush());
                }
                return;
            }
        }
    }
}

/// One request; nothing when there is none any more.
fn hear(stream: &mut impl Read) -> Option<Asked> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap().to_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let mut body = vec![0; length.map_or(0, |length| length.trim().parse().unwrap())];
    stream.read_exact(&mut body).ok()?;
    let line = head.lines().next().unwrap().to_owned();
    Some(Asked { line, head, body })
}
