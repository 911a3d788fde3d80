// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a pairing code opens: a box's name, and one key for each message, bound to all that was said before.
//!
//! The code has 128 random bits, so that whoever sees the messages cannot try codes. What the grant carries is
//! sealed to the new device's own key besides: a code that is found later opens nothing that was recorded.
//! Source: spec/pairing.md, rules PAI-1 to PAI-4 and PAI-8.

use aura_protocol::codec::{CodecError, Decode, Encode, Reader, Writer};
use aura_protocol::head::Position;
use aura_protocol::id::{EpochId, Hash, Incarnation, Nonce16, PairingBox};
use aura_protocol::label::Label;
use aura_protocol::limits::{PAIRING_MESSAGE_BYTES_MAX, PAIRING_ROOTS_MAX, PAIRING_SERVERS_MAX};
use aura_protocol::pairing::{PairedServer, Step, Transcript};
use zeroize::Zeroizing;

use crate::aead::{self, Context, Hedge, OpenError};
use crate::code::CodeError;
use crate::entropy::Entropy;
use crate::hpke::{self, DeviceKemSecret, KemPublicKey, RecipientError};
use crate::kdf::derive;
use crate::key::{BoxName, HedgeKey, PairingCode, PairingKey, RootKey, SecretKey};
use crate::pad::{pad_entry, unpad};
use crate::sign::DeviceSigningKey;

/// What stands before a code in its picture.
const PICTURED: &str = "AURA-PAIR-1";

impl PairingCode {
    /// The text of its picture (PAI-1).
    pub fn to_picture(&self) -> Zeroizing<String> {
        Zeroizing::new(format!("{PICTURED} {}", self.to_text().as_str()))
    }

    /// The code that was typed, or pasted from its picture.
    ///
    /// # Errors
    /// [`CodeError`], naming the wrong group where the check characters can tell.
    pub fn parse(text: &str) -> Result<Self, CodeError> {
        let text = text.trim();
        let head = text.get(..PICTURED.len());
        let is_pictured = head.is_some_and(|head| head.eq_ignore_ascii_case(PICTURED));
        let rest = text.get(PICTURED.len()..).filter(|_| is_pictured);
        Self::parse_typed(rest.unwrap_or(text))
    }

    /// Where the messages lie (PAI-2).
    pub fn place(&self) -> PairingBox {
        let name: BoxName = derive(self, Label::PairingBox, &[]);
        PairingBox(*name.dangerous_bytes())
    }

    /// Seals the message of a step, after what was said before (PAI-4).
    pub fn seal(
        &self,
        (step, before): (Step, &Transcript),
        message: &impl Encode,
        entropy: &mut dyn Entropy,
    ) -> Vec<u8> {
        let hedge_key: HedgeKey = derive(self, Label::PairingHedge, &[]);
        let mut hedge = Hedge::new(&hedge_key, entropy);
        let plain = Zeroizing::new(pad_entry(message.to_bytes()));
        aead::seal(&self.key(step, before), &self.context(step), &mut hedge, &plain)
    }

    /// Opens the message of a step, if it was said under this code, in this place and after this.
    ///
    /// # Errors
    /// [`OpenError`], whatever the reason: altered, cut off, said at another step, in another box, or after something
    /// else.
    pub fn open(
        &self,
        (step, before): (Step, &Transcript),
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        if sealed.len() > PAIRING_MESSAGE_BYTES_MAX {
            return Err(OpenError);
        }
        let padded = aead::open(&self.key(step, before), &self.context(step), sealed)?;
        let plain = unpad(&padded).ok_or(OpenError)?;
        Ok(Zeroizing::new(plain.to_vec()))
    }

    fn key(&self, step: Step, before: &Transcript) -> PairingKey {
        let mut context = Writer::new();
        context.array(2).uint(step.code()).bytes(before.as_bytes());
        derive(self, Label::PairingKey, &context.into_bytes())
    }

    fn context(&self, step: Step) -> Context {
        Context::new(Label::PairingMessage).bytes(&self.place().0).uint(step.code())
    }
}

/// What a new device needs: it is sealed to that device alone (PAI-8).
pub struct Granted {
    /// Every root key that the vault has had.
    pub roots: Vec<(EpochId, RootKey)>,
    /// The person's secret key, if the device that grants has it.
    pub secret_key: Option<SecretKey>,
    /// The granting device's head that has the new device's statement: a store that shows an older one withholds.
    pub head: (Incarnation, Position),
    /// The servers that the vault syncs with.
    pub servers: Vec<PairedServer>,
}

impl core::fmt::Debug for Granted {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Granted(redacted)")
    }
}

impl Granted {
    /// Sealed to the new device, signed by the one that grants, after what was said.
    ///
    /// # Errors
    /// [`RecipientError`] when the new device's key is none.
    pub fn seal_to(
        &self,
        recipient: &KemPublicKey,
        (place, before): (&PairingBox, &Transcript),
        by: &DeviceSigningKey,
        entropy: &mut dyn Entropy,
    ) -> Result<Vec<u8>, RecipientError> {
        let plain = self.to_bytes();
        hpke::seal_signed(recipient, &info(place, before), &plain, by, entropy)
    }

    /// What was sealed to this device, there and then, by the device with this verifying key.
    ///
    /// # Errors
    /// [`OpenError`], whatever the reason.
    pub fn open(
        own: &DeviceKemSecret,
        (place, before): (&PairingBox, &Transcript),
        by: &[u8; 32],
        sealed: &[u8],
    ) -> Result<Self, OpenError> {
        let plain = hpke::open_signed(own, &info(place, before), by, sealed)?;
        Self::read(&plain).map_err(|_| OpenError)
    }

    fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        // As much room as it needs: what grows leaves copies.
        let mut w = Writer::with_capacity(PAIRING_MESSAGE_BYTES_MAX);
        w.array(4).array(self.roots.len());
        for (generation, root) in &self.roots {
            w.array(3).uint(u64::from(generation.counter)).bytes(&generation.nonce.0);
            w.bytes(root.dangerous_bytes());
        }
        match &self.secret_key {
            Some(key) => w.bytes(key.dangerous_bytes()),
            None => w.null(),
        };
        let (incarnation, head) = &self.head;
        w.array(3).bytes(&incarnation.0).uint(head.number).bytes(&head.hash.0);
        w.array(self.servers.len());
        self.servers.iter().for_each(|server| server.encode(&mut w));
        Zeroizing::new(w.into_bytes())
    }

    fn read(plain: &[u8]) -> Result<Self, CodecError> {
        let mut reader = Reader::new(plain);
        let granted = reader.tuple(4, |r| {
            let roots = r.array(PAIRING_ROOTS_MAX, |r| r.tuple(3, root))?;
            if roots.is_empty() {
                return Err(CodecError::Bounds);
            }
            let secret_key = if r.null() {
                None
            } else {
                Some(SecretKey::from_slice(r.bytes()?).ok_or(CodecError::Bounds)?)
            };
            let head = r.tuple(3, |r| {
                let incarnation = Incarnation(r.bytes_exact()?);
                let head = Position { number: r.uint()?, hash: Hash(r.bytes_exact()?) };
                Ok((incarnation, head))
            })?;
            let servers = r.array(PAIRING_SERVERS_MAX, PairedServer::decode)?;
            Ok(Self { roots, secret_key, head, servers })
        })?;
        reader.finish()?;
        Ok(granted)
    }
}

fn root(r: &mut Reader<'_>) -> Result<(EpochId, RootKey), CodecError> {
    let counter = u32::try_from(r.uint()?).map_err(|_| CodecError::Bounds)?;
    let generation = EpochId { counter, nonce: Nonce16(r.bytes_exact()?) };
    let root = RootKey::from_slice(r.bytes()?).ok_or(CodecError::Bounds)?;
    Ok((generation, root))
}

fn info(place: &PairingBox, before: &Transcript) -> Context {
    Context::new(Label::SealPairing).bytes(&place.0).bytes(before.as_bytes())
}
