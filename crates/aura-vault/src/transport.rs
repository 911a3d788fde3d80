// SPDX-License-Identifier: MIT OR Apache-2.0
//! How this device shows a server or another device who it is, also while the vault is locked.
//!
//! The transport key opens nothing and signs no head. Source: spec/vault-directory.md, DIR-5; spec/http.md, rules
//! ACC-3 and ACC-4; spec/peer.md, PEE-2.

use std::io;

use aura_crypto::sign::{LabelledSigner as _, TransportSigningKey};
use aura_protocol::auth::Registration;
use aura_protocol::codec::Encode as _;
use aura_protocol::id::DeviceId;
use aura_protocol::label::Label;
use aura_protocol::peer::Greeter;
use aura_protocol::signed::{Signature, Signed};
use aura_protocol::store::Prover;
use zeroize::Zeroizing;

use crate::home::{self, Home};

/// This device's transport key, and whose it is.
#[derive(Debug)]
pub struct Transport {
    device: DeviceId,
    key: TransportSigningKey,
}

impl Transport {
    /// The key that the vault's directory has.
    ///
    /// # Errors
    /// When `device.key` or `transport.key` is missing, damaged or cannot be read.
    pub fn read(home: &Home) -> io::Result<Self> {
        let damaged = || io::Error::from(io::ErrorKind::InvalidData);
        let bytes = Zeroizing::new(home::read(&home.transport_key())?);
        let seed = Zeroizing::new(bytes.as_slice().try_into().map_err(|_| damaged())?);
        let device = home.device().ok_or_else(damaged)?;
        Ok(Self { device, key: TransportSigningKey::from_seed(seed) })
    }

    /// The key of a device that has no directory yet.
    pub fn of(device: DeviceId, key: &TransportSigningKey) -> Self {
        let seed = Zeroizing::new(*key.dangerous_seed());
        Self { device, key: TransportSigningKey::from_seed(seed) }
    }

    /// The public half, as the device's statement lists it.
    pub fn public(&self) -> [u8; 32] {
        self.key.verifying_key()
    }

    /// Signs a request to open an account (ACC-4).
    pub fn register(&self, registration: &Registration) -> Signed<Registration> {
        let payload = registration.to_bytes();
        let signature = self.key.sign(Label::SigRegistration, &payload);
        Signed::new(payload, signature)
    }
}

impl Prover for Transport {
    fn device(&self) -> DeviceId {
        self.device
    }

    fn prove(&self, challenge: &[u8]) -> Signature {
        self.key.sign(Label::SigChallenge, challenge)
    }
}

impl Greeter for Transport {
    fn transport(&self) -> [u8; 32] {
        self.key.verifying_key()
    }

    fn greet(&self, message: &[u8]) -> Option<Signature> {
        self.key.sign_greeting(message)
    }
}

#[cfg(test)]
mod tests {
    use aura_protocol::auth::{AccountName, Challenge, ServerKey};
    use aura_protocol::id::{Hash, VaultId};
    use aura_protocol::signed::{verify, verify_raw};

    use super::*;

    /// ACC-3, ACC-4: each signature is one under its own label, and under no other.
    #[test]
    fn acc_3_a_proof_is_for_one_use() {
        let key = TransportSigningKey::from_seed(Zeroizing::new([7; 32]));
        let transport = Transport { device: DeviceId([1; 16]), key };
        let (vault, server) = (VaultId([2; 32]), ServerKey(Hash([3; 32])));
        let device = transport.device();
        let challenge = Challenge { vault, device, server, nonce: Hash([4; 32]) }.to_bytes();
        let proof = transport.prove(&challenge);
        let public = transport.public();
        assert!(verify(&public, Label::SigChallenge, &challenge, &proof).is_ok());
        assert!(verify(&public, Label::SigRegistration, &challenge, &proof).is_err());
        assert!(verify(&public, Label::SigHead, &challenge, &proof).is_err());

        let name = AccountName::parse("ada").unwrap();
        let upload = vec![5; 192];
        let registration = Registration { name, vault, device, transport: public, server, upload };
        let signed = transport.register(&registration);
        assert_eq!(*signed.clone().verify(&public).unwrap(), registration);
        assert!(signed.verify(&[9; 32]).is_err());
    }

    /// PEE-2, attack KEY-07: what is signed in a handshake passes for nothing else, and nothing else is signed as one.
    #[test]
    fn pee_2_a_greeting_is_for_a_handshake() {
        let key = TransportSigningKey::from_seed(Zeroizing::new([7; 32]));
        let transport = Transport { device: DeviceId([1; 16]), key };
        let context = b"TLS 1.3, client CertificateVerify\0";
        let message = [&[b' '; 64][..], context, &[9; 32]].concat();
        let signature = transport.greet(&message).unwrap();
        assert!(verify_raw(&transport.public(), &message, &signature).is_ok());
        for label in Label::ALL {
            let labelled = aura_protocol::signed::message(*label, &message);
            assert_eq!(transport.greet(&labelled), None);
            assert!(verify(&transport.public(), *label, &message, &signature).is_err());
        }
        assert_eq!(transport.greet(&[]), None);
    }

    /// DIR-5: a key that is cut, or whose device is not known, proves nothing.
    #[test]
    fn dir_5_what_is_damaged_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::new(dir.path());
        assert_eq!(Transport::read(&home).unwrap_err().kind(), io::ErrorKind::NotFound);
        std::fs::write(home.transport_key(), [7; 31]).unwrap();
        assert_eq!(Transport::read(&home).unwrap_err().kind(), io::ErrorKind::InvalidData);
        std::fs::write(home.transport_key(), [7; 32]).unwrap();
        assert_eq!(Transport::read(&home).unwrap_err().kind(), io::ErrorKind::InvalidData);
    }
}
