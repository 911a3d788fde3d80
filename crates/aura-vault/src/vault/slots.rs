// SPDX-License-Identifier: MIT OR Apache-2.0
//! Key slots: making, listing and opening them. A slot that is made is listed by a signed statement and
//! gets the root key wrapped to it. Source: spec/key-slots.md.

use aura_crypto::entropy::Entropy;
use aura_crypto::kdf::Argon2Params;
use aura_crypto::key::{RecoveryCode, RootKey, SecretKey};
use aura_crypto::slot::{self, SlotSecrets};
use aura_protocol::authority::{Claim, Recipient, Roster, SignedStatement, SlotKind, Statement};
use aura_protocol::codec::Extra;
use aura_protocol::id::{EpochId, Nonce16, SlotId, VaultId};

use super::create::{random_nonce, sign};
use super::{Credential, VaultError};
use crate::device::Device;
use crate::keyring::RootKeys;

/// What a slot is, for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SlotInfo {
    /// A password with the secret key.
    Password,
    /// A recovery code.
    Recovery,
}

impl SlotInfo {
    /// The word that a person reads.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::Recovery => "recovery code",
        }
    }
}

pub(super) fn list(roster: &Roster) -> Vec<(SlotId, SlotInfo)> {
    let info = |kind: &SlotKind| match kind {
        SlotKind::Password(_) => SlotInfo::Password,
        SlotKind::Recovery => SlotInfo::Recovery,
    };
    roster.slots().iter().map(|(id, slot)| (*id, info(&slot.kind))).collect()
}

/// A slot to be made.
pub(super) struct NewSlot {
    id: SlotId,
    kind: SlotKind,
    secrets: SlotSecrets,
}

impl NewSlot {
    /// A slot for a password with the secret key.
    pub(super) fn password(
        password: &str,
        secret_key: &SecretKey,
        cost: Argon2Params,
        vault: VaultId,
        entropy: &mut dyn Entropy,
    ) -> Result<Self, VaultError> {
        let id = new_id(entropy);
        let params = slot::password_params(cost, entropy);
        let secret = slot::password_secret(password, secret_key, &params, &vault, &id)?;
        let secrets = SlotSecrets::derive(&secret, &vault, &id);
        Ok(Self { id, kind: SlotKind::Password(params), secrets })
    }

    /// A slot for a recovery code.
    pub(super) fn recovery(code: &RecoveryCode, vault: VaultId, entropy: &mut dyn Entropy) -> Self {
        let id = new_id(entropy);
        let secret = slot::recovery_secret(code, &vault, &id);
        let secrets = SlotSecrets::derive(&secret, &vault, &id);
        Self { id, kind: SlotKind::Recovery, secrets }
    }

    /// What lists the slot and wraps the root key to it.
    pub(super) fn statements(
        &self,
        vault: VaultId,
        roots: &RootKeys,
        device: &Device,
        entropy: &mut dyn Entropy,
    ) -> Result<[SignedStatement; 2], VaultError> {
        let keys = self.secrets.public();
        let place = (&vault, &self.id, roots.generation);
        let sealed = slot::wrap_to_slot(&roots.root, &keys.kem, place, entropy)
            .map_err(|_| VaultError::NoSlot)?;
        let statement = |claim| Statement { vault: Some(vault), claim, clock: 0, extra: Extra::default() };
        let listed = statement(Claim::Slot { slot: self.id, kind: self.kind, keys });
        let wrap = statement(Claim::Wrap {
            recipient: Recipient::Slot(self.id),
            generation: roots.generation,
            sealed,
        });
        Ok([
            sign(&listed, &[&device.sign, &self.secrets.sign]),
            sign(&wrap, &[&device.sign]),
        ])
    }
}

fn new_id(entropy: &mut dyn Entropy) -> SlotId {
    let Nonce16(id) = random_nonce(entropy);
    SlotId(id)
}

/// The root key and its generation, if the credential opens one of the slots.
pub(super) fn open(
    roster: &Roster,
    credential: &Credential,
    secret_key: Option<&SecretKey>,
) -> Result<(RootKey, EpochId), VaultError> {
    let vault = roster.vault();
    for (id, listed) in roster.slots() {
        let secret = match (credential, &listed.kind) {
            (Credential::Password(password), SlotKind::Password(params)) => {
                let Some(secret_key) = secret_key else { continue };
                match slot::password_secret(password, secret_key, params, &vault, id) {
                    Ok(secret) => secret,
                    // A password that no slot could have was simply wrong.
                    Err(slot::SlotError::Password(_)) => continue,
                    Err(error) => return Err(error.into()),
                }
            }
            (Credential::Recovery(text), SlotKind::Recovery) => {
                let Ok(code) = RecoveryCode::parse(text) else { continue };
                slot::recovery_secret(&code, &vault, id)
            }
            _ => continue,
        };
        let secrets = SlotSecrets::derive(&secret, &vault, id);
        if secrets.check(&listed.keys).is_err() {
            continue;
        }
        let newest = roster
            .wraps()
            .iter()
            .filter(|(recipient, ..)| *recipient == Recipient::Slot(*id))
            .max_by_key(|(_, generation, _)| *generation);
        let Some((_, generation, sealed)) = newest else { continue };
        let place = (&vault, id, *generation);
        if let Ok(root) = slot::unwrap_from_slot(&secrets, &listed.keys, place, sealed) {
            return Ok((root, *generation));
        }
    }
    Err(VaultError::Secret)
}
