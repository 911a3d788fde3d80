// SPDX-License-Identifier: MIT OR Apache-2.0
//! Coming in by a code: the side of the new device.
//!
//! Until the other device has said yes, there is nothing here but keys in memory. What it then sends is compared with
//! what the store shows before a file is made; the vault's marker is the last one, so that a crash leaves no vault
//! or a whole one. Source: spec/pairing.md, rules PAI-5, PAI-6, PAI-8, PAI-9 and PAI-12; spec/vault-directory.md, DIR-14.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use aura_crypto::entropy::Entropy;
use aura_crypto::key::PairingCode;
use aura_crypto::pairing::Granted;
use aura_crypto::sign::TransportSigningKey;
use aura_protocol::auth::ServerKey;
use aura_protocol::authority::{AuthorityError, Claim, Roster, Statement};
use aura_protocol::codec::{Decode as _, Extra};
use aura_protocol::id::{DeviceId, VaultId};
use aura_protocol::limits::PAIRING_MESSAGE_BYTES_MAX;
use aura_protocol::log::Frontier;
use aura_protocol::pairing::{
    Answer, DeviceName, Done, Grant, MessageError, Offer, PairedServer, Step, Transcript,
};
use aura_protocol::store::LocalLog;

use super::pairing::{PairingError, is_active};
use super::statement::sign;
use super::{DEVICE_KEY, Locked, Unlocked, Vault, VaultError};
use super::{generation, read_roster, slots, unlock};
use crate::audit::{Action, Outcome};
use crate::device::Device;
use crate::feed::{Commit, Pen};
use crate::home::{self, Home, Kind};
use crate::keyring::Keyring;
use crate::open::{Environment, OpenError, Reaches};
use crate::transport::Transport;

/// A new device that has answered, and waits for what the other one says.
pub struct Arriving {
    code: PairingCode,
    device: Device,
    transport: TransportSigningKey,
    offer: Offer,
    before: Transcript,
}

/// A new device that was let in, and has no files yet.
pub struct Entering {
    code: PairingCode,
    device: Device,
    transport: TransportSigningKey,
    offer: Offer,
    granted: Granted,
    before: Transcript,
}

impl Arriving {
    /// Answers an offer, found in a box at the server that shows this key, or in a folder. The new device's keys are
    /// made here.
    ///
    /// # Errors
    /// [`PairingError::Sealed`] when the offer does not open under this code, [`PairingError::Server`] when the other
    /// device knows the server by another key; there is no answer then.
    pub fn answer(
        code: PairingCode,
        offer: &[u8],
        (server, name): (Option<ServerKey>, DeviceName),
        entropy: &mut dyn Entropy,
    ) -> Result<(Self, Vec<u8>), PairingError> {
        let plain = code.open((Step::Offer, &Transcript::NONE), offer);
        let plain = plain.map_err(|_| PairingError::Sealed)?;
        let before = Transcript::NONE.then(offer);
        let offer = Offer::from_bytes(&plain, PAIRING_MESSAGE_BYTES_MAX);
        let offer = offer.map_err(MessageError::from)?;
        if offer.server != server {
            return Err(PairingError::Server);
        }
        let device = Device::generate(entropy);
        let transport = TransportSigningKey::generate(entropy);
        let add = Statement {
            vault: Some(offer.vault),
            claim: Claim::Add(device.public(&transport)),
            clock: offer.clock,
            extra: Extra::default(),
        };
        let answer = Answer { add: sign(&add, &[&device.sign]), name };
        let sealed = code.seal((Step::Answer, &before), &answer, entropy);
        let before = before.then(&sealed);
        Ok((Self { code, device, transport, offer, before }, sealed))
    }

    /// The id that the other device shows.
    pub fn device(&self) -> DeviceId {
        self.device.id()
    }

    /// Takes what the other device says.
    ///
    /// # Errors
    /// [`PairingError::Refused`] when it is no, [`PairingError::Sealed`] when it is not that device's word to this one.
    pub fn granted(self, sealed: &[u8]) -> Result<Entering, PairingError> {
        let Self { code, device, transport, offer, before } = self;
        let plain = code.open((Step::Grant, &before), sealed);
        let plain = plain.map_err(|_| PairingError::Sealed)?;
        let grant = Grant::from_bytes(&plain, PAIRING_MESSAGE_BYTES_MAX);
        let Grant(inner) = grant.map_err(MessageError::from)?;
        let inner = inner.ok_or(PairingError::Refused)?;
        let at = (&code.place(), &before);
        let granted = Granted::open(&device.kem, at, &offer.by, &inner);
        let granted = granted.map_err(|_| PairingError::Sealed)?;
        let before = before.then(sealed);
        Ok(Entering { code, device, transport, offer, granted, before })
    }
}

impl Entering {
    /// Which vault.
    pub fn vault(&self) -> VaultId {
        self.offer.vault
    }

    /// Its own id.
    pub fn device(&self) -> DeviceId {
        self.device.id()
    }

    /// The servers that the vault syncs with.
    pub fn servers(&self) -> &[PairedServer] {
        &self.granted.servers
    }

    /// Whether the person's secret key came with it: then the password opens the vault here, too.
    pub fn has_secret_key(&self) -> bool {
        self.granted.secret_key.is_some()
    }

    /// How it shows a server who it is.
    pub fn transport(&self) -> Transport {
        Transport::of(self.device.id(), &self.transport)
    }

    /// Its last word: it has everything.
    pub fn done(&self, entropy: &mut dyn Entropy) -> Vec<u8> {
        self.code.seal((Step::Done, &self.before), &Done, entropy)
    }

    /// Whether a log has the vault that the other device spoke of (PAI-9).
    ///
    /// # Errors
    /// [`PairingError::Withheld`] as long as it does not have all that the other device had;
    /// [`PairingError::Vault`] when it has something else.
    pub fn check(&self, log: &dyn LocalLog) -> Result<(), VaultError> {
        let (incarnation, at) = self.granted.head;
        let by = self.offer.device();
        let newest = log.heads()?.into_iter().find_map(|signed| {
            let head = signed.claim().ok()?;
            ((head.device, head.incarnation) == (by, incarnation))
                .then(|| (head.number, signed.hash()))
        });
        match newest {
            Some((number, _)) if number > at.number => {}
            Some((number, hash)) if number == at.number && hash == at.hash => {}
            Some((number, _)) if number == at.number => return Err(PairingError::Vault.into()),
            _ => return Err(PairingError::Withheld.into()),
        }
        let (roster, refused) = read_roster(log, self.offer.vault)?;
        if refused.contains(&AuthorityError::Newer) {
            return Err(VaultError::Newer);
        }
        self.check_roster(&roster)
    }

    fn check_roster(&self, roster: &Roster) -> Result<(), VaultError> {
        let wrong = || VaultError::from(PairingError::Vault);
        // The id of a device follows from its key: what is listed under it has the key of the offer.
        let (own, by) = (self.device.id(), self.offer.device());
        let listed = roster.device(own).ok_or_else(wrong)?;
        let is_own = listed.keys == self.device.public(&self.transport);
        let (newest, _) = roster.identity();
        let is_listed = |(generation, root): &(_, _)| slots::is_listed(roster, root, *generation);
        let roots = &self.granted.roots;
        let has_newest = roots.iter().any(|(generation, _)| *generation == newest);
        let is_right = is_own
            && is_active(roster, own)
            && is_active(roster, by)
            && has_newest
            && roots.iter().all(is_listed);
        if is_right { Ok(()) } else { Err(wrong()) }
    }

    /// The keys of every collection.
    fn keyring(&mut self, roster: &Roster, log: &dyn LocalLog) -> Result<Keyring, VaultError> {
        let mut roots = core::mem::take(&mut self.granted.roots);
        roots.sort_by_key(|(generation, _)| core::cmp::Reverse(*generation));
        let opened = roots.into_iter().map(|(generation, root)| (root, generation)).collect();
        let mut keyring = generation::keyring_of(self.offer.vault, opened)?;
        let reaches = Reaches::new(roster, &log.heads()?, None);
        generation::follow_roots((self.offer.vault, log), &mut keyring, (roster, &reaches))?;
        Ok(keyring)
    }
}

impl Vault<Locked> {
    /// Makes this directory the home of a device that was let in by a code, over a log that has the vault, and opens
    /// it: the keys have come, and no secret is asked for.
    ///
    /// # Errors
    /// As [`Entering::check`]; there is no vault here then.
    pub fn enter(
        path: &Path,
        log: Arc<dyn LocalLog>,
        mut entering: Entering,
        environment: Environment,
    ) -> Result<Vault<Unlocked>, VaultError> {
        let home = vacant(path)?;
        entering.check(log.as_ref())?;
        let vault = entering.vault();
        let (roster, _) = read_roster(log.as_ref(), vault)?;
        let keyring = entering.keyring(&roster, log.as_ref())?;
        home.create().map_err(|error| VaultError::Io("directory", error))?;
        if let Some(secret_key) = &entering.granted.secret_key {
            generation::write_secret_key(&home, secret_key)?;
        }
        let Entering { device, transport, .. } = entering;
        let (mut entropy, now_ms) = ((environment.entropy)(), environment.clock.now_ms());
        let write = |name, path: PathBuf, bytes: &[u8]| {
            home::replace(&path, bytes).map_err(|error| VaultError::Io(name, error))
        };
        write("transport.key", home.transport_key(), transport.dangerous_seed())?;
        let hedge = &mut keyring.hedge(entropy.as_mut());
        let seeds = device.to_file(vault, keyring.roots(), hedge);
        write(DEVICE_KEY, home.device_key(), &seeds)?;
        // Its first word: that it is there.
        let mut pen = Pen::new(vault, device, None, Frontier::new());
        pen.tick(now_ms);
        let events = vec![unlock::event(now_ms, Action::DeviceAdd, Outcome::Done, 1)];
        let commit = Commit { events, ..Commit::default() };
        let said = pen.commit(&commit, &keyring, log.as_ref(), entropy.as_mut());
        said.map_err(|error| VaultError::from(OpenError::from(error)))?;
        // Last of all, as when a vault is made.
        home.mark(vault).map_err(|error| VaultError::Io("aura-vault", error))?;
        let entered = Self::load(path, log)?;
        let open = unlock::open_with(&entered, keyring, environment)?;
        let Self { home, vault, roster, log, .. } = entered;
        Ok(Vault { home, vault, roster, log, state: Unlocked { open: Arc::new(open) } })
    }
}

/// A directory in which there is no vault, nor what may be left of one.
pub(super) fn vacant(path: &Path) -> Result<Home, VaultError> {
    let home = Home::new(path);
    match home.kind().map_err(|error| VaultError::Io("aura-vault", error))? {
        Kind::Empty => {}
        Kind::Vault(_) => return Err(VaultError::Exists),
        Kind::Newer => return Err(VaultError::Newer),
        Kind::Unknown => return Err(VaultError::Damaged("aura-vault")),
    }
    // The keys of a device that lost its marker, perhaps.
    if home.device_key().exists() { Err(VaultError::Unfinished) } else { Ok(home) }
}
