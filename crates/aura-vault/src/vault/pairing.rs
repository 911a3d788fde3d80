// SPDX-License-Identifier: MIT OR Apache-2.0
//! Letting a new device in by a code: the side of the device that is there.
//!
//! Each step consumes the one before: a code counts for one answer, whatever comes of it. Nothing of the new
//! device is listed before a person has said yes. Carrying the messages is the program's, and so is the time
//! for which a code counts. Source: spec/pairing.md, rules PAI-5 to PAI-10.

use std::sync::Arc;

use aura_crypto::entropy::Entropy;
use aura_crypto::hpke;
use aura_crypto::key::{PairingCode, RootKey, SecretKey};
use aura_crypto::pairing::Granted;
use aura_crypto::sign::LabelledSigner as _;
use aura_protocol::auth::ServerKey;
use aura_protocol::authority::{DeviceKeys, Roster, SignedStatement};
use aura_protocol::codec::Decode as _;
use aura_protocol::head::Position;
use aura_protocol::id::{DeviceId, EpochId, Incarnation, PairingBox, VaultId};
use aura_protocol::label::Label;
use aura_protocol::limits::{PAIRING_MESSAGE_BYTES_MAX, PAIRING_ROOTS_MAX, PAIRING_SERVERS_MAX};
use aura_protocol::pairing::{
    Answer, DeviceName, Done, Grant, MessageError, Offer, PairedServer, Step, Transcript,
};
use zeroize::Zeroizing;

use super::{Unlocked, Vault, VaultError, slots, unlock};
use crate::audit::{Action, Outcome};
use crate::feed::Commit;
use crate::open::lock;

/// Why two devices were not paired.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PairingError {
    /// A message does not open: altered, cut off, said before, said elsewhere, or said under another code.
    #[error(
        "expected a message that was sealed under this code, for this place, after what was said"
    )]
    Sealed,
    /// A message opens and is not what it should be.
    #[error(transparent)]
    Message(#[from] MessageError),
    /// The server shows another key than the one that the other device knows it by.
    #[error("expected the server's key as the other device knows it")]
    Server,
    /// The person at the other device said no.
    #[error("the other device said no")]
    Refused,
    /// This device is not one that lets others in.
    #[error("expected a device that counts")]
    Waits,
    /// The device is listed already.
    #[error("expected a device that is new")]
    Listed,
    /// There are more root keys or servers than a grant carries.
    #[error("expected at most {PAIRING_ROOTS_MAX} root keys and {PAIRING_SERVERS_MAX} servers")]
    Bounds,
    /// The store does not show what the other device has (yet).
    #[error("expected the store to show what the other device has")]
    Withheld,
    /// What the store shows and what the other device said do not fit together.
    #[error("expected the vault as the other device has it")]
    Vault,
}

/// A code that counts, at the device that shows it.
pub struct Pairing {
    code: PairingCode,
    vault: VaultId,
    by: [u8; 32],
    clock: u64,
}

/// An offer as it lies in one box.
pub struct Offered {
    offer: Offer,
    sealed: Vec<u8>,
}

/// A device that has answered, and is not listed yet.
pub struct Newcomer {
    code: PairingCode,
    add: SignedStatement,
    keys: DeviceKeys,
    name: DeviceName,
    before: Transcript,
}

/// A device that is listed, and what it is to be told.
pub struct Admitted {
    code: PairingCode,
    device: DeviceId,
    grant: Vec<u8>,
    before: Transcript,
}

impl core::fmt::Debug for Newcomer {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Newcomer").field("device", &self.device()).finish_non_exhaustive()
    }
}

impl Pairing {
    /// The code, to show it.
    pub fn code(&self) -> &PairingCode {
        &self.code
    }

    /// Where the messages lie.
    pub fn place(&self) -> PairingBox {
        self.code.place()
    }

    /// The offer for one box: at the server that is known by this key, or in a folder.
    pub fn offer(&self, server: Option<ServerKey>, entropy: &mut dyn Entropy) -> Offered {
        let offer = Offer { vault: self.vault, by: self.by, clock: self.clock, server };
        let sealed = self.code.seal((Step::Offer, &Transcript::NONE), &offer, entropy);
        Offered { offer, sealed }
    }

    /// The device that answers this offer. The code counts for nothing else from now on.
    ///
    /// # Errors
    /// [`PairingError::Sealed`] when the message does not open, [`PairingError::Message`] when it is none of PAI-6.
    pub fn answered(self, offered: &Offered, sealed: &[u8]) -> Result<Newcomer, PairingError> {
        let before = Transcript::NONE.then(&offered.sealed);
        let plain = self.code.open((Step::Answer, &before), sealed);
        let plain = plain.map_err(|_| PairingError::Sealed)?;
        let answer = Answer::from_bytes(&plain, PAIRING_MESSAGE_BYTES_MAX);
        let answer = answer.map_err(MessageError::from)?;
        let keys = answer.keys(&offered.offer)?;
        // Found out before it is listed: to what is no key nothing can be told.
        if !hpke::is_recipient(&keys.kem) {
            return Err(MessageError::Keys.into());
        }
        let Answer { add, name } = answer;
        Ok(Newcomer { code: self.code, add, keys, name, before: before.then(sealed) })
    }
}

impl Offered {
    /// The message, to be put into the box.
    pub fn sealed(&self) -> &[u8] {
        &self.sealed
    }
}

impl Newcomer {
    /// What it calls itself.
    pub fn name(&self) -> &DeviceName {
        &self.name
    }

    /// Its id.
    pub fn device(&self) -> DeviceId {
        self.keys.id()
    }

    /// The message that says no.
    pub fn refuse(self, entropy: &mut dyn Entropy) -> Vec<u8> {
        self.code.seal((Step::Grant, &self.before), &Grant(None), entropy)
    }
}

impl Admitted {
    /// Its id.
    pub fn device(&self) -> DeviceId {
        self.device
    }

    /// The message that tells it what it needs, for when the store has what lists it.
    pub fn grant(&self) -> &[u8] {
        &self.grant
    }

    /// Takes note of its last word: it has everything.
    ///
    /// # Errors
    /// [`PairingError::Sealed`] when that is not its word.
    pub fn has_come(&self, sealed: &[u8]) -> Result<(), PairingError> {
        let before = self.before.then(&self.grant);
        let plain = self.code.open((Step::Done, &before), sealed);
        let plain = plain.map_err(|_| PairingError::Sealed)?;
        Done::from_bytes(&plain, PAIRING_MESSAGE_BYTES_MAX).map_err(MessageError::from)?;
        Ok(())
    }
}

/// A device that is listed, and was not told yet what it needs.
pub struct Listed {
    code: PairingCode,
    keys: DeviceKeys,
    before: Transcript,
    handed: Handed,
}

impl core::fmt::Debug for Listed {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Listed").field("device", &self.keys.id()).finish_non_exhaustive()
    }
}

/// What a new device is told, taken together before anything is written.
struct Handed {
    roots: Vec<(EpochId, RootKey)>,
    secret_key: Option<SecretKey>,
    servers: Vec<PairedServer>,
}

impl Vault<Unlocked> {
    /// Makes a code that lets one new device in.
    ///
    /// # Errors
    /// [`PairingError::Waits`] when this device does not count itself.
    pub fn begin_pairing(&self) -> Result<Pairing, VaultError> {
        let open = self.open();
        let mut entropy = open.fresh_entropy();
        let mut pen = lock(&open.pen);
        if !is_active(&self.roster, pen.life().0) {
            return Err(PairingError::Waits.into());
        }
        Ok(Pairing {
            code: PairingCode::generate(entropy.as_mut()),
            vault: self.vault,
            by: pen.device().sign.verifying_key(),
            clock: pen.tick(open.clock.now_ms()),
        })
    }

    /// Lists a device that a person has said yes to: its statement, signed by this device as well, in one commit.
    ///
    /// # Errors
    /// [`PairingError::Listed`] when there is such a device, [`VaultError::Authority`] when this one may not let it in.
    /// Nothing is listed then.
    pub fn admit(
        &mut self,
        newcomer: Newcomer,
        servers: Vec<PairedServer>,
    ) -> Result<Listed, VaultError> {
        let open = Arc::clone(self.open());
        let Newcomer { code, mut add, keys, before, .. } = newcomer;
        let (now_ms, device) = (open.clock.now_ms(), keys.id());
        let handed = self.handed(servers)?;
        {
            let pen = lock(&open.pen);
            let own = &pen.device().sign;
            let signature = own.sign(Label::SigStatement, &add.payload);
            add.signatures.push((own.verifying_key(), signature));
        }
        let mut roster = self.roster.clone();
        if roster.device(device).is_some() {
            return Err(PairingError::Listed.into());
        }
        // What others would not accept is not written.
        roster.apply(&add).map_err(VaultError::Authority)?;
        open.write(|_| {
            let events = vec![unlock::event(now_ms, Action::DeviceConfirm, Outcome::Done, 1)];
            Ok((Commit { statements: vec![add], events, ..Commit::default() }, ()))
        })?;
        self.roster = roster;
        Ok(Listed { code, keys, before, handed })
    }

    /// What a device that was listed is told, when the store that it came by has what lists it.
    ///
    /// # Errors
    /// When the log cannot be read. The device is listed all the same.
    pub fn grant(&mut self, listed: Listed) -> Result<Admitted, VaultError> {
        let open = Arc::clone(self.open());
        let Listed { code, keys, before, handed } = listed;
        let (device, Handed { roots, secret_key, servers }) = (keys.id(), handed);
        self.take_in()?;
        let granted = Granted { roots, secret_key, head: self.own_head()?, servers };
        let mut entropy = open.fresh_entropy();
        let place = code.place();
        let pen = lock(&open.pen);
        let (by, at) = (&pen.device().sign, (&place, &before));
        let sealed = granted.seal_to(&keys.kem, at, by, entropy.as_mut());
        let sealed = sealed.map_err(|_| PairingError::Message(MessageError::Keys))?;
        let grant = code.seal((Step::Grant, &before), &Grant(Some(sealed)), entropy.as_mut());
        Ok(Admitted { code, device, grant, before })
    }

    fn handed(&self, servers: Vec<PairedServer>) -> Result<Handed, VaultError> {
        let copy = |root: &RootKey| RootKey::from_bytes(Zeroizing::new(*root.dangerous_bytes()));
        let roots: Vec<_> = self.open().with_keyring(|keyring| {
            let generations = keyring.generations();
            generations.map(|roots| (roots.generation, copy(&roots.root))).collect()
        });
        if roots.len() > PAIRING_ROOTS_MAX || servers.len() > PAIRING_SERVERS_MAX {
            return Err(PairingError::Bounds.into());
        }
        // A device that joined with the recovery code alone may have none.
        let secret_key = match slots::read_secret_key(&self.home) {
            Err(VaultError::Missing(_)) => None,
            read => Some(read?),
        };
        Ok(Handed { roots, secret_key, servers })
    }

    /// The newest head of this device's present life.
    fn own_head(&self) -> Result<(Incarnation, Position), VaultError> {
        let life = lock(&self.open().pen).life();
        for signed in self.log.heads()? {
            let Ok(head) = signed.claim() else { continue };
            if (head.device, head.incarnation) == life {
                return Ok((life.1, Position { number: head.number, hash: signed.hash() }));
            }
        }
        Err(VaultError::Damaged("store"))
    }
}

/// Whether what a device says counts.
pub(super) fn is_active(roster: &Roster, device: DeviceId) -> bool {
    let is_active =
        |device: &aura_protocol::authority::Device| device.is_confirmed && device.revoked.is_none();
    roster.device(device).is_some_and(is_active)
}
