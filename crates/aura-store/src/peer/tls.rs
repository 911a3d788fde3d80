// SPDX-License-Identifier: MIT OR Apache-2.0
//! The handshake: TLS 1.3 with the transport keys of both devices, as raw public keys (RFC 7250).
//!
//! A device shows its key to nobody who does not know the vault: the name that a client asks for is a veil, and each
//! counts once. There is one key exchange, X25519MLKEM768, and no session that is gone on with: every connection is
//! judged anew. Source: spec/peer.md, rules PEE-1 to PEE-4.

use core::fmt;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use aura_protocol::id::{DeviceId, VaultId};
use aura_protocol::peer::{ALPN, Greeter, Occasion, Veil};
use aura_protocol::signed::{Signature, verify_raw};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{AlwaysResolvesClientRawPublicKeys, Resumption};
use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs::{self, kx_group};
use rustls::pki_types::{CertificateDer, ServerName, SubjectPublicKeyInfoDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert};
use rustls::sign::{CertifiedKey, Signer, SigningKey};
use rustls::version::TLS13;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, DistinguishedName, Error,
    PeerMisbehaved, ServerConfig, SignatureAlgorithm, SignatureScheme,
};

use super::source::Source;
use crate::wait::lock;

/// What stands before the 32 bytes of an Ed25519 key in its SubjectPublicKeyInfo (RFC 8410).
const SPKI: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
/// What stands before a veil in the name that is asked for: no name is digits alone.
const VEILED: &str = "p";
/// So many veils are remembered, that none is used twice (PEE-4).
const VEILS_MAX: usize = 4096;

/// The name that a client asks for.
pub(super) fn name(vault: VaultId, random: &[u8; 32]) -> String {
    format!("{VEILED}{}", Veil::new(vault, Occasion::Hello, random))
}

/// The key in a SubjectPublicKeyInfo, if it is one of Ed25519.
pub(super) fn key_of(spki: &[u8]) -> Option<[u8; 32]> {
    spki.strip_prefix(&SPKI)?.try_into().ok()
}

fn provider() -> Arc<CryptoProvider> {
    let kx_groups = vec![kx_group::X25519MLKEM768];
    Arc::new(CryptoProvider { kx_groups, ..aws_lc_rs::default_provider() })
}

/// This device's key, where it is used and not where it is.
struct Badge {
    greeter: Arc<dyn Greeter>,
    spki: Vec<u8>,
}

impl Badge {
    fn certified(greeter: &Arc<dyn Greeter>) -> Arc<CertifiedKey> {
        let spki = [&SPKI[..], &greeter.transport()].concat();
        let shown = vec![CertificateDer::from(spki.clone())];
        let badge = Self { greeter: Arc::clone(greeter), spki };
        Arc::new(CertifiedKey::new(shown, Arc::new(badge)))
    }
}

impl fmt::Debug for Badge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Badge")
    }
}

impl SigningKey for Badge {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        let (greeter, spki) = (Arc::clone(&self.greeter), self.spki.clone());
        let is_offered = offered.contains(&SignatureScheme::ED25519);
        is_offered.then(|| Box::new(Self { greeter, spki }) as Box<dyn Signer>)
    }

    fn public_key(&self) -> Option<SubjectPublicKeyInfoDer<'_>> {
        Some(SubjectPublicKeyInfoDer::from(self.spki.as_slice()))
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        SignatureAlgorithm::ED25519
    }
}

impl Signer for Badge {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        let signature = self.greeter.greet(message);
        let signature = signature.ok_or_else(|| Error::General("no greeting".to_owned()))?;
        Ok(signature.0.to_vec())
    }

    fn scheme(&self) -> SignatureScheme {
        SignatureScheme::ED25519
    }
}

/// Who may be on the other side.
pub(super) struct Judge {
    source: Arc<dyn Source>,
    /// This device's key: it does not speak with itself, nor with a copy of itself.
    own: [u8; 32],
    /// Who is meant, if it is known.
    expected: Option<DeviceId>,
}

impl Judge {
    pub(super) fn new(
        source: &Arc<dyn Source>,
        own: [u8; 32],
        expected: Option<DeviceId>,
    ) -> Arc<Self> {
        Arc::new(Self { source: Arc::clone(source), own, expected })
    }

    /// PEE-3.
    fn judge(&self, spki: &[u8]) -> Result<(), Error> {
        let key = key_of(spki).filter(|key| *key != self.own);
        let holder = key.and_then(|key| self.source.holder(&key));
        let is_meant = |device: &DeviceId| self.expected.is_none_or(|meant| meant == *device);
        match holder.filter(is_meant) {
            Some(_) => Ok(()),
            None => Err(CertificateError::ApplicationVerificationFailure.into()),
        }
    }

    /// That whoever shows a key has it.
    fn verify(
        message: &[u8],
        spki: &[u8],
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        if signed.scheme != SignatureScheme::ED25519 {
            return Err(PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme.into());
        }
        let key = key_of(spki).ok_or(CertificateError::BadEncoding)?;
        let signature =
            signed.signature().try_into().map_err(|_| CertificateError::BadSignature)?;
        verify_raw(&key, message, &Signature(signature))
            .map(|()| HandshakeSignatureValid::assertion())
            .map_err(|_| CertificateError::BadSignature.into())
    }
}

impl fmt::Debug for Judge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Judge")
    }
}

const TLS12: Error =
    Error::PeerMisbehaved(PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme);

impl ServerCertVerifier for Judge {
    fn verify_server_cert(
        &self,
        shown: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.judge(shown)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(TLS12)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        shown: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Self::verify(message, shown, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}

impl ClientCertVerifier for Judge {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        shown: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.judge(shown)?;
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(TLS12)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        shown: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Self::verify(message, shown, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}

/// Shows this device's key to whoever asks under a veil of the vault, once for each veil.
struct Porter {
    vault: VaultId,
    badge: Arc<CertifiedKey>,
    seen: Mutex<VecDeque<String>>,
}

impl fmt::Debug for Porter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Porter")
    }
}

impl Porter {
    /// PEE-4.
    fn admits(&self, name: &str) -> bool {
        let veil = name.strip_prefix(VEILED).and_then(Veil::parse);
        if !veil.is_some_and(|veil| veil.is_of(self.vault, Occasion::Hello)) {
            return false;
        }
        // Only those who know the vault come as far as to take room here.
        let mut seen = lock(&self.seen);
        if seen.iter().any(|known| known == name) {
            return false;
        }
        if seen.len() >= VEILS_MAX {
            seen.pop_front();
        }
        seen.push_back(name.to_owned());
        true
    }
}

impl ResolvesServerCert for Porter {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let is_meant = hello.alpn()?.any(|protocol| protocol == ALPN);
        (is_meant && self.admits(hello.server_name()?)).then(|| Arc::clone(&self.badge))
    }

    fn only_raw_public_keys(&self) -> bool {
        true
    }
}

/// TLS for whoever is called.
pub(super) fn server(
    vault: VaultId,
    greeter: &Arc<dyn Greeter>,
    judge: Arc<Judge>,
) -> Result<ServerConfig, Error> {
    let builder =
        ServerConfig::builder_with_provider(provider()).with_protocol_versions(&[&TLS13])?;
    let (badge, seen) = (Badge::certified(greeter), Mutex::default());
    let porter = Arc::new(Porter { vault, badge, seen });
    let mut config = builder.with_client_cert_verifier(judge).with_cert_resolver(porter);
    config.alpn_protocols = vec![ALPN.to_vec()];
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    config.max_early_data_size = 0;
    Ok(config)
}

/// TLS for whoever calls.
pub(super) fn client(greeter: &Arc<dyn Greeter>, judge: Arc<Judge>) -> Result<ClientConfig, Error> {
    let builder =
        ClientConfig::builder_with_provider(provider()).with_protocol_versions(&[&TLS13])?;
    let badge = AlwaysResolvesClientRawPublicKeys::new(Badge::certified(greeter));
    let builder = builder.dangerous().with_custom_certificate_verifier(judge);
    let mut config = builder.with_client_cert_resolver(Arc::new(badge));
    config.alpn_protocols = vec![ALPN.to_vec()];
    config.resumption = Resumption::disabled();
    config.enable_early_data = false;
    Ok(config)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Mute;

    impl Greeter for Mute {
        fn transport(&self) -> [u8; 32] {
            [2; 32]
        }

        fn greet(&self, _: &[u8]) -> Option<Signature> {
            None
        }
    }

    /// PEE-4: a veil of this vault, asked for under once.
    #[test]
    fn pee_4_a_veil_counts_once() {
        let vault = VaultId([1; 32]);
        let greeter: Arc<dyn Greeter> = Arc::new(Mute);
        let (badge, seen) = (Badge::certified(&greeter), Mutex::default());
        let porter = Porter { vault, badge, seen };
        let first = name(vault, &[1; 32]);
        assert!(first.len() <= 63, "one label of a name");
        assert!(ServerName::try_from(first.clone()).is_ok());
        assert!(porter.admits(&first));
        assert!(!porter.admits(&first));
        assert!(!porter.admits(&name(VaultId([2; 32]), &[2; 32])));
        assert!(!porter.admits(&format!("p{}", Veil::new(vault, Occasion::Announce, &[3; 32]))));
        assert!(!porter.admits("localhost"));
        for at in 0..VEILS_MAX {
            let random =
                *aura_protocol::id::Hash::of(&[&at.to_be_bytes()]).0.first_chunk().unwrap();
            assert!(porter.admits(&name(vault, &random)));
        }
        assert_eq!(lock(&porter.seen).len(), VEILS_MAX, "bounded");
    }

    #[test]
    fn keys_are_read_from_one_form_alone() {
        let spki = [&SPKI[..], &[7; 32]].concat();
        assert_eq!(key_of(&spki), Some([7; 32]));
        assert_eq!(key_of(&spki[..43]), None);
        assert_eq!(key_of(&[&spki[..], &[0]].concat()), None);
        assert_eq!(key_of(&[7; 44]), None);
    }
}
