// SPDX-License-Identifier: MIT OR Apache-2.0
//! Further devices: joining a vault whose log is here, and confirming a device that has joined.
//!
//! A device joins with a secret that opens a slot; no other device has to be there. With the recovery code it
//! counts at once. With password and secret key it is quarantined: it reads, and what it writes waits on all
//! others until one of them confirms it. Source: spec/authority.md, rules AUT-7, AUT-8;
//! spec/vault-directory.md, DIR-8.

use std::path::Path;
use std::sync::Arc;

use aura_crypto::entropy::Entropy;
use aura_crypto::key::SecretKey;
use aura_crypto::sign::TransportSigningKey;
use aura_crypto::slot;
use aura_protocol::authority::{AuthorityError, Claim, Device, DeviceKeys, Recipient, Statement};
use aura_protocol::codec::Extra;
use aura_protocol::id::{DeviceId, VaultId};
use aura_protocol::store::LocalLog;
use zeroize::Zeroizing;

use super::enrol::{Announce, Cause, enrol};
use super::enter::vacant;
use super::statement::sign;
use super::{
    Credential, Locked, Unlocked, Vault, VaultError, generation, read_roster, slots, unlock,
};
use crate::audit::{Action, Outcome};
use crate::feed::Commit;
use crate::keyring::RootKeys;
use crate::open::{Environment, Reaches, lock};

const SECRET_KEY: &str = "secret.key";

/// A device of the vault, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceInfo {
    /// Its id.
    pub device: DeviceId,
    /// Whether it is this one.
    pub is_own: bool,
    /// Whether what it writes counts.
    pub is_confirmed: bool,
    /// Whether it was revoked.
    pub is_revoked: bool,
    /// The device that revoked it.
    pub revoked_by: Option<DeviceId>,
}

impl Vault<Locked> {
    /// Makes this directory the home of a new device of a vault, over a log that has the vault's authority and
    /// root feeds. `secret_key` is the text that the kit has; a password needs it.
    ///
    /// # Errors
    /// [`VaultError::Secret`] when the secret opens no slot; there is no vault here then, and the vault's other
    /// devices are as they were.
    pub fn join(
        path: &Path,
        (vault, log): (VaultId, Arc<dyn LocalLog>),
        (credential, secret_key): (&Credential, Option<&Zeroizing<String>>),
        environment: &Environment,
    ) -> Result<Self, VaultError> {
        let transport = TransportSigningKey::generate((environment.entropy)().as_mut());
        let with = (credential, secret_key);
        Self::join_as(path, (vault, log), with, (transport, &mut || Ok(())), environment)
    }

    /// The same with a transport key that somebody knows already. `announce` is called when the log has the
    /// entry that lists the device, and nothing else of it: when that fails, so does the joining.
    ///
    /// # Errors
    /// As [`join`](Self::join), and what `announce` fails with.
    pub fn join_as(
        path: &Path,
        (vault, log): (VaultId, Arc<dyn LocalLog>),
        (credential, secret_key): (&Credential, Option<&Zeroizing<String>>),
        (transport, announce): (TransportSigningKey, Announce<'_>),
        environment: &Environment,
    ) -> Result<Self, VaultError> {
        let home = vacant(path)?;
        let parsed = secret_key.map(|text| SecretKey::parse(text.trim())).transpose();
        // One that nobody could have been given opens nothing.
        let parsed = parsed.map_err(|_| VaultError::Secret)?;
        if parsed.is_none() && matches!(credential, Credential::Password(_)) {
            return Err(VaultError::Missing(SECRET_KEY));
        }
        let (roster, refused) = read_roster(log.as_ref(), vault)?;
        if refused.contains(&AuthorityError::Newer) {
            return Err(VaultError::Newer);
        }
        let opened = slots::open(&roster, credential, parsed.as_ref())?;
        let mut keyring = generation::keyring_of(vault, opened)?;
        let reaches = Reaches::new(&roster, &log.heads()?, None);
        let log_of = (vault, log.as_ref());
        generation::follow_roots(log_of, &mut keyring, (&roster, &reaches))?;
        home.create().map_err(|error| VaultError::Io("directory", error))?;
        if let Some(secret_key) = &parsed {
            generation::write_secret_key(&home, secret_key)?;
        }
        let joined = Self { home, vault, roster, log, state: Locked { is_outdated: false } };
        let mut entropy = (environment.entropy)();
        let now_ms = environment.clock.now_ms();
        let cause = Cause::Joins(transport, announce);
        enrol(&joined, (credential, cause), &keyring, (entropy.as_mut(), now_ms))?;
        // Last of all, as when a vault is made.
        joined.home.mark(vault).map_err(|error| VaultError::Io("aura-vault", error))?;
        Self::load(path, joined.log)
    }
}

/// Root keys of these generations, sealed to a device.
pub(super) fn wraps_to<'a>(
    vault: VaultId,
    (device, keys): (DeviceId, Option<&DeviceKeys>),
    generations: impl Iterator<Item = &'a RootKeys>,
    entropy: &mut dyn Entropy,
) -> Vec<Claim> {
    let Some(keys) = keys else { return Vec::new() };
    let wrap = |RootKeys { root, generation, .. }: &RootKeys| {
        let place = (&vault, &device, *generation);
        // A device whose key is none gets nothing, and keeps nobody else from it.
        let sealed = slot::wrap_to_device(root, &keys.kem, place, entropy).ok()?;
        let recipient = Recipient::Device(device);
        Some(Claim::Wrap { recipient, generation: *generation, sealed })
    };
    generations.filter_map(wrap).collect()
}

impl Vault<Unlocked> {
    /// Every device that was ever listed, in the order of listing.
    pub fn devices(&self) -> Vec<DeviceInfo> {
        let (own, _) = lock(&self.open().pen).life();
        let mut devices: Vec<_> = self.roster.devices().iter().collect();
        devices.sort_by_key(|(_, device)| device.order);
        let told = |(id, device): (&DeviceId, &Device)| DeviceInfo {
            device: *id,
            is_own: own == *id,
            is_confirmed: device.is_confirmed,
            is_revoked: device.revoked.is_some(),
            revoked_by: device.revoked_by,
        };
        devices.into_iter().map(told).collect()
    }

    /// Says that a device which was silent for long holds up no letting go any more. What it writes counts as before;
    /// what went meanwhile it hears of when it comes back.
    ///
    /// # Errors
    /// [`VaultError::Authority`] when this device may not say so, or that one is not listed.
    pub fn retire_device(&mut self, device: DeviceId) -> Result<(), VaultError> {
        let (vault, open) = (self.vault, Arc::clone(self.open()));
        let now_ms = open.clock.now_ms();
        let statement = {
            let mut pen = lock(&open.pen);
            let (claim, clock) = (Claim::Retire(device), pen.tick(now_ms));
            let said = Statement { vault: Some(vault), claim, clock, extra: Extra::default() };
            sign(&said, &[&pen.device().sign])
        };
        // What others would not accept is not written.
        self.roster.clone().apply(&statement).map_err(VaultError::Authority)?;
        open.write(|_| {
            let events = vec![unlock::event(now_ms, Action::DeviceRetire, Outcome::Done, 1)];
            Ok((Commit { statements: vec![statement], events, ..Commit::default() }, ()))
        })?;
        self.take_in()
    }

    /// Confirms a device that has joined: what it wrote counts from now on, here at once and on others when
    /// they know of it. Only a person who knows that device should say so.
    ///
    /// # Errors
    /// [`VaultError::Authority`] when this device may not, or that one is not listed or was revoked.
    pub fn confirm_device(&mut self, device: DeviceId) -> Result<(), VaultError> {
        let (vault, open) = (self.vault, Arc::clone(self.open()));
        let now_ms = open.clock.now_ms();
        let mut roster = self.roster.clone();
        let mut entropy = open.fresh_entropy();
        let listed = roster.device(device).map(|listed| listed.keys.clone());
        let statements = {
            let mut pen = lock(&open.pen);
            let clock = pen.tick(now_ms);
            let said =
                |claim| Statement { vault: Some(vault), claim, clock, extra: Extra::default() };
            let mut statements = vec![sign(&said(Claim::Confirm(device)), &[&pen.device().sign])];
            // Root keys that were made while it waited.
            let wraps = open.with_keyring(|keyring| {
                let generations =
                    keyring.generations().filter(|roots| roots.generation.counter > 1);
                wraps_to(vault, (device, listed.as_ref()), generations, entropy.as_mut())
            });
            statements
                .extend(wraps.into_iter().map(|claim| sign(&said(claim), &[&pen.device().sign])));
            statements
        };
        for statement in &statements {
            // What others would not accept is not written.
            roster.apply(statement).map_err(VaultError::Authority)?;
        }
        open.write(|_| {
            let events = vec![unlock::event(now_ms, Action::DeviceConfirm, Outcome::Done, 1)];
            Ok((Commit { statements, events, ..Commit::default() }, ()))
        })?;
        self.take_in()
    }
}
