// SPDX-License-Identifier: MIT OR Apache-2.0
//! This device's own keys, and the files in which they rest.
//!
//! `device.key` is sealed under a root-derived key; `transport.key`, which only moves ciphertext, rests
//! in the clear and is readable by the person alone. Source: spec/vault-directory.md, rules DIR-4, DIR-5.

use aura_crypto::aead::{self, Context, Hedge, OpenError};
use aura_crypto::entropy::Entropy;
use aura_crypto::hpke::{DeviceKemSecret, KemSecret};
use aura_crypto::sign::{
    DeviceSigningKey, LabelledSigner, LogSigningKey, NoteSigner, TransportSigningKey,
    WitnessSigningKey,
};
use aura_protocol::authority::DeviceKeys;
use aura_protocol::codec::{CodecError, Decode, Encode, Reader, Writer};
use aura_protocol::id::{DeviceId, Incarnation, VaultId};
use aura_protocol::label::Label;
use zeroize::Zeroizing;

use crate::home::{self, Home};
use crate::keyring::RootKeys;

/// The largest `device.key`.
pub const FILE_BYTES_MAX: usize = 4096;

/// A device's secret keys, but for the transport key.
pub struct Device {
    /// Signs heads and statements.
    pub sign: DeviceSigningKey,
    /// Opens root keys wrapped to the device.
    pub kem: DeviceKemSecret,
    /// Signs checkpoints of the device's audit log.
    pub log: LogSigningKey,
    /// Cosigns other devices' checkpoints.
    pub witness: WitnessSigningKey,
    /// Which of its lives this is.
    pub incarnation: Incarnation,
}

impl Device {
    /// A new device.
    pub fn generate(entropy: &mut dyn Entropy) -> Self {
        let mut incarnation = [0; 8];
        entropy.fill(&mut incarnation);
        Self {
            sign: DeviceSigningKey::generate(entropy),
            kem: DeviceKemSecret::generate(entropy),
            log: LogSigningKey::generate(entropy),
            witness: WitnessSigningKey::generate(entropy),
            incarnation: Incarnation(incarnation),
        }
    }

    /// Its id.
    pub fn id(&self) -> DeviceId {
        DeviceId::of_key(&self.sign.verifying_key())
    }

    /// Its public keys.
    pub fn public(&self, transport: &TransportSigningKey) -> DeviceKeys {
        DeviceKeys {
            sign: self.sign.verifying_key(),
            kem: self.kem.public_key(),
            transport: transport.verifying_key(),
            log: self.log.verifying_key(),
            witness: self.witness.verifying_key(),
        }
    }

    /// The bytes of `device.key`.
    pub fn to_file(&self, vault: VaultId, roots: &RootKeys, hedge: &mut Hedge<'_>) -> Vec<u8> {
        let mut plain = Writer::new();
        plain.array(4).bytes(self.sign.dangerous_seed()).bytes(self.kem.dangerous_seed());
        plain.bytes(self.log.dangerous_seed()).bytes(self.witness.dangerous_seed());
        let plain = Zeroizing::new(plain.into_bytes());
        let place =
            DeviceFile { device: self.id(), incarnation: self.incarnation, sealed: Vec::new() };
        let context = place.context(vault, roots);
        let sealed = aead::seal(roots.device_file(), &context, hedge, &plain);
        DeviceFile { sealed, ..place }.to_bytes()
    }
}

/// `device.key`, read but not opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceFile {
    /// Whose keys it holds.
    pub device: DeviceId,
    /// In which life.
    pub incarnation: Incarnation,
    sealed: Vec<u8>,
}

impl DeviceFile {
    /// Opens the device's keys.
    ///
    /// # Errors
    /// When the file is not one of this vault and root generation, or is altered.
    pub fn open(&self, vault: VaultId, roots: &RootKeys) -> Result<Device, OpenError> {
        let plain = aead::open(roots.device_file(), &self.context(vault, roots), &self.sealed)?;
        let mut reader = Reader::new(&plain);
        let seed = |r: &mut Reader<'_>| r.bytes_exact().map(Zeroizing::new);
        let device = reader
            .tuple(4, |r| {
                Ok(Device {
                    sign: DeviceSigningKey::from_seed(seed(r)?),
                    kem: DeviceKemSecret::from_seed(seed(r)?),
                    log: LogSigningKey::from_seed(seed(r)?),
                    witness: WitnessSigningKey::from_seed(seed(r)?),
                    incarnation: self.incarnation,
                })
            })
            .map_err(|_| OpenError)?;
        reader.finish().map_err(|_| OpenError)?;
        if device.id() == self.device { Ok(device) } else { Err(OpenError) }
    }

    fn context(&self, vault: VaultId, roots: &RootKeys) -> Context {
        Context::new(Label::DeviceSeeds)
            .bytes(&vault.0)
            .bytes(&self.device.0)
            .bytes(&self.incarnation.0)
            .uint(u64::from(roots.generation.counter))
            .bytes(&roots.generation.nonce.0)
    }
}

impl Home {
    /// Which device this directory is, as `device.key` says it in the clear; `None` without that file.
    pub fn device(&self) -> Option<DeviceId> {
        let bytes = home::read(&self.device_key()).ok()?;
        Some(DeviceFile::from_bytes(&bytes, FILE_BYTES_MAX).ok()?.device)
    }
}

impl Encode for DeviceFile {
    fn encode(&self, w: &mut Writer) {
        w.map(4).uint(1).uint(aura_protocol::limits::FORMAT_VERSION);
        w.uint(2).bytes(&self.device.0).uint(3).bytes(&self.incarnation.0);
        w.uint(4).bytes(&self.sealed);
    }
}

impl Decode for DeviceFile {
    fn decode(r: &mut Reader<'_>) -> Result<Self, CodecError> {
        let (file, _) = r.map(|map| {
            if map.required(1, Reader::uint)? != aura_protocol::limits::FORMAT_VERSION {
                return Err(CodecError::Bounds);
            }
            Ok(Self {
                device: DeviceId(map.required(2, Reader::bytes_exact)?),
                incarnation: Incarnation(map.required(3, Reader::bytes_exact)?),
                sealed: map.required(4, Reader::bytes)?.to_vec(),
            })
        })?;
        Ok(file)
    }
}
