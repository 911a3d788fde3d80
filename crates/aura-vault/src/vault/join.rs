// SPDX-License-Identifier: MIT OR Apache-2.0
//! Further devices: joining a vault whose log is here, and confirming a device that has joined.
//!
//! A device joins with a secret that opens a slot; no other device has to be there. With the recovery code it
//! counts at once. With password and secret key it is quarantined: it reads, and what it writes waits on all
//! others until one of them confirms it. Source: spec/authority.md, rules AUT-7, AUT-8;
//! spec/vault-directory.md, DIR-8.

use std::path::Path;
use std::sync::Arc;

use aura_crypto::key::SecretKey;
use aura_protocol::authority::{AuthorityError, Claim, Device, Statement};
use aura_protocol::codec::Extra;
use aura_protocol::id::{DeviceId, VaultId};
use aura_protocol::store::LocalLog;
use zeroize::Zeroizing;

use super::enrol::{Cause, enrol};
use super::statement::sign;
use super::{Credential, Locked, Unlocked, Vault, VaultError, read_roster, slots, unlock};
use crate::audit::{Action, Outcome};
use crate::feed::Commit;
use crate::home::{self, Home, Kind};
use crate::keyring::{Keyring, RootKeys};
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
        let home = Home::new(path);
        match home.kind().map_err(|error| VaultError::Io("aura-vault", error))? {
            Kind::Empty => {}
            Kind::Vault(_) => return Err(VaultError::Exists),
            Kind::Newer => return Err(VaultError::Newer),
            Kind::Unknown => return Err(VaultError::Damaged("aura-vault")),
        }
        // The keys of a device that lost its marker, perhaps.
        if home.device_key().exists() {
            return Err(VaultError::Unfinished);
        }
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
        let (root, generation) = slots::open(&roster, credential, parsed.as_ref())?;
        let mut keyring = Keyring::new(vault, RootKeys::derive(root, vault, generation));
        let reaches = Reaches::new(&roster, &log.heads()?, None);
        unlock::follow_roots((vault, log.as_ref()), &mut keyring, &reaches)?;
        home.create().map_err(|error| VaultError::Io("directory", error))?;
        if let Some(secret_key) = &parsed {
            let text = Zeroizing::new(format!("{}\n", secret_key.to_text().as_str()));
            home::replace(&home.secret_key(), text.as_bytes())
                .map_err(|error| VaultError::Io(SECRET_KEY, error))?;
        }
        let joined = Self { home, vault, roster, log, state: Locked { is_outdated: false } };
        let mut entropy = (environment.entropy)();
        let now_ms = environment.clock.now_ms();
        enrol(&joined, (credential, Cause::Joins), &keyring, (entropy.as_mut(), now_ms))?;
        // Last of all, as when a vault is made.
        joined.home.mark(vault).map_err(|error| VaultError::Io("aura-vault", error))?;
        Self::load(path, joined.log)
    }
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
        };
        devices.into_iter().map(told).collect()
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
        let statement = {
            let mut pen = lock(&open.pen);
            let clock = pen.tick(now_ms);
            let claim = Claim::Confirm(device);
            let statement = Statement { vault: Some(vault), claim, clock, extra: Extra::default() };
            sign(&statement, &[&pen.device().sign])
        };
        // What others would not accept is not written.
        roster.apply(&statement).map_err(VaultError::Authority)?;
        open.write(|_| {
            let events = vec![unlock::event(now_ms, Action::DeviceConfirm, Outcome::Done, 1)];
            let statements = vec![statement];
            Ok((Commit { statements, events, ..Commit::default() }, ()))
        })?;
        self.take_in()
    }
}
