// SPDX-License-Identifier: MIT OR Apache-2.0
//! TLS 1.3 with a server that is known by its key alone (HTP-1).
//!
//! That the server has the key that it shows is checked as ever, by its signature over the handshake; names, times and
//! issuers of its certificate are not looked at.

use core::fmt;
use std::io;
use std::net::{TcpStream, ToSocketAddrs as _};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use aura_protocol::auth::ServerKey;
use aura_protocol::id::Hash;
use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::version::TLS13;
use rustls::{
    CertificateError, ClientConfig, ClientConnection, DigitallySignedStruct, Error, PeerMisbehaved,
    SignatureScheme,
};

use super::{Address, Fault};

/// How long a server may take until it has shown its key.
pub(crate) const CONNECT: Duration = Duration::from_secs(10);
/// The largest certificate that is looked at, in bytes.
const CERTIFICATE_BYTES_MAX: usize = 16 << 10;

/// Compares the key that a server shows.
pub(super) struct Verifier {
    /// Nothing where it is to be found out.
    pin: Option<ServerKey>,
    provider: Arc<CryptoProvider>,
    shown: Mutex<Option<ServerKey>>,
    /// Whether the server met last showed another key.
    is_other: AtomicBool,
}

impl Verifier {
    pub(super) fn new(pin: Option<ServerKey>) -> Arc<Self> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let is_other = AtomicBool::new(false);
        Arc::new(Self { pin, provider, shown: Mutex::new(None), is_other })
    }

    /// Whether the server met last showed another key than the pin.
    pub(super) fn met_other(&self) -> bool {
        self.is_other.load(Ordering::SeqCst)
    }

    /// TLS 1.3 and nothing older, no session that is gone on with, nothing sent early.
    pub(super) fn config(self: &Arc<Self>) -> Result<ClientConfig, Fault> {
        let provider = Arc::clone(&self.provider);
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&TLS13])
            .map_err(|_| Fault::Answer("TLS 1.3 is not there"))?;
        let verifier = Arc::clone(self) as Arc<dyn ServerCertVerifier>;
        let mut config =
            builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth();
        config.resumption = Resumption::disabled();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(config)
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier").field("pin", &self.pin).finish_non_exhaustive()
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if end_entity.len() > CERTIFICATE_BYTES_MAX {
            return Err(CertificateError::BadEncoding.into());
        }
        let certificate = ParsedCertificate::try_from(end_entity)?;
        let key = ServerKey(Hash::of(&[certificate.subject_public_key_info().as_ref()]));
        *self.shown.lock().unwrap_or_else(PoisonError::into_inner) = Some(key);
        let is_other = self.pin.is_some_and(|pin| pin != key);
        self.is_other.store(is_other, Ordering::SeqCst);
        if is_other {
            return Err(CertificateError::ApplicationVerificationFailure.into());
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// The key that the server there shows and proves to have, for a person to compare. Nothing is asked of it.
///
/// # Errors
/// When nobody answers there in TLS 1.3.
pub fn probe(address: &Address) -> Result<ServerKey, Fault> {
    let verifier = Verifier::new(None);
    let config = Arc::new(verifier.config()?);
    let (host, port) = address.host().ok_or(Fault::Unreachable("its address is none"))?;
    let name = ServerName::try_from(host.clone())
        .map_err(|_| Fault::Unreachable("its address is none"))?;
    let mut connection = ClientConnection::new(config, name)
        .map_err(|_| Fault::Answer("it does not speak TLS 1.3"))?;
    let mut stream = connect(&host, port)?;
    shake_hands(&mut connection, &mut stream)?;
    let shown = *verifier.shown.lock().unwrap_or_else(PoisonError::into_inner);
    shown.ok_or(Fault::Answer("it showed no key"))
}

fn connect(host: &str, port: u16) -> Result<TcpStream, Fault> {
    let found = (host, port).to_socket_addrs();
    let found = found.map_err(|_| Fault::Unreachable("its name is not known"))?;
    let mut streams = found.map(|place| TcpStream::connect_timeout(&place, CONNECT));
    let stream = streams.find_map(Result::ok);
    stream.ok_or(Fault::Unreachable("no connection could be made"))
}

/// Until the server has proved that the key is its own.
fn shake_hands(connection: &mut ClientConnection, stream: &mut TcpStream) -> Result<(), Fault> {
    let begun = Instant::now();
    while connection.is_handshaking() {
        while connection.wants_write() {
            connection.write_tls(stream).map_err(|error| broken(&error))?;
        }
        let left = CONNECT.saturating_sub(begun.elapsed()).max(Duration::from_millis(1));
        stream.set_read_timeout(Some(left)).map_err(|error| broken(&error))?;
        if begun.elapsed() >= CONNECT {
            return Err(Fault::Unreachable("it did not answer in time"));
        }
        let read = connection.read_tls(stream).map_err(|error| broken(&error))?;
        if read == 0 {
            return Err(Fault::Unreachable("the connection broke"));
        }
        connection.process_new_packets().map_err(|_| Fault::Answer("it does not speak TLS 1.3"))?;
    }
    Ok(())
}

fn broken(error: &io::Error) -> Fault {
    Fault::Unreachable(match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => "it did not answer in time",
        _ => "the connection broke",
    })
}
