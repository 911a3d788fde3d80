// SPDX-License-Identifier: MIT OR Apache-2.0
//! Key slots: making, listing and opening them. A slot that is made is listed by a signed statement and
//! gets the root key wrapped to it. Source: spec/key-slots.md.

use aura_crypto::entropy::Entropy;
use aura_crypto::kdf::Argon2Params;
use aura_crypto::key::{LoginInput, RecoveryCode, RootKey, SecretKey};
use aura_crypto::login;
use aura_crypto::sign::LabelledSigner as _;
use aura_crypto::slot::{self, SlotSecrets};
use aura_crypto::tree;
use aura_protocol::authority::{
    Claim, Placed, Recipient, Roster, SignedStatement, Slot, SlotKind, Statement,
};
use aura_protocol::codec::Extra;
use aura_protocol::id::{EpochId, Nonce16, SlotId, VaultId};
use zeroize::Zeroizing;

use super::attempts::Attempts;
use super::statement::{random_nonce, sign};
use super::{Credential, Unlocked, Vault, VaultError, placed};
use crate::audit::{Action, Event, Outcome};
use crate::device::Device;
use crate::feed::{Commit, FeedError};
use crate::home::{self, Home};
use crate::keyring::RootKeys;

const SECRET_KEY_FILE: &str = "secret.key";

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

    /// Its id.
    pub(super) fn id(&self) -> SlotId {
        self.id
    }

    /// What lists the slot and wraps the root keys of these generations to it.
    pub(super) fn statements<'a>(
        &self,
        vault: VaultId,
        generations: impl Iterator<Item = &'a RootKeys>,
        device: &Device,
        entropy: &mut dyn Entropy,
    ) -> Result<Vec<SignedStatement>, VaultError> {
        let keys = self.secrets.public();
        let statement =
            |claim| Statement { vault: Some(vault), claim, clock: 0, extra: Extra::default() };
        let listed = Claim::Slot { slot: self.id, kind: self.kind, keys: keys.clone() };
        let mut statements = vec![sign(&statement(listed), &[&device.sign, &self.secrets.sign])];
        for RootKeys { root, generation, .. } in generations {
            let place = (&vault, &self.id, *generation);
            let sealed = slot::wrap_to_slot(root, &keys.kem, place, entropy)
                .map_err(|_| VaultError::NoSlot)?;
            let recipient = Recipient::Slot(self.id);
            let wrap = Claim::Wrap { recipient, generation: *generation, sealed };
            statements.push(sign(&statement(wrap), &[&device.sign]));
        }
        Ok(statements)
    }
}

/// The `add` of every device that counts, or did until it was revoked, once more and by this device: so that it stays
/// listed when the slot or the identity goes that had let it in (AUT-7).
pub(super) fn vouch(roster: &Roster, said: &[Placed], device: &Device) -> Vec<SignedStatement> {
    let own = device.id();
    let mut vouched = std::collections::BTreeMap::new();
    for Placed { statement, .. } in said {
        let Ok(Claim::Add(keys)) = statement.claim().map(|said| said.claim) else { continue };
        let id = keys.id();
        let counts = roster.device(id).is_some_and(|listed| listed.is_confirmed);
        // The founding device is listed by the genesis, and this one before it says anything.
        let by_itself = statement.signatures.iter().find(|(key, _)| *key == keys.sign);
        let Some(by_itself) = by_itself.filter(|_| counts && id != own) else { continue };
        let payload = statement.payload.clone();
        let by_own = (
            device.sign.verifying_key(),
            device.sign.sign(aura_protocol::label::Label::SigStatement, &payload),
        );
        let statement = SignedStatement { payload, signatures: vec![*by_itself, by_own] };
        if statement.verify().is_ok() {
            vouched.entry(id).or_insert(statement);
        }
    }
    vouched.into_values().collect()
}

fn new_id(entropy: &mut dyn Entropy) -> SlotId {
    let Nonce16(id) = random_nonce(entropy);
    SlotId(id)
}

/// The secret key of this device.
pub(super) fn read_secret_key(home: &Home) -> Result<SecretKey, VaultError> {
    let bytes = home::read(&home.secret_key()).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => VaultError::Missing(SECRET_KEY_FILE),
        _ => VaultError::Io(SECRET_KEY_FILE, error),
    })?;
    let bytes = Zeroizing::new(bytes);
    let text = core::str::from_utf8(&bytes).map_err(|_| VaultError::Damaged(SECRET_KEY_FILE))?;
    SecretKey::parse(text.trim()).map_err(|_| VaultError::Damaged(SECRET_KEY_FILE))
}

/// A root key and its generation.
pub(super) type Opened = (RootKey, EpochId);

/// The root keys that a credential leads to, if it opens one of the slots; at least one, the newest first.
pub(super) fn open(
    roster: &Roster,
    credential: &Credential,
    secret_key: Option<&SecretKey>,
) -> Result<Vec<Opened>, VaultError> {
    open_among(roster, (roster.slots().iter(), credential), secret_key)
}

/// Whether this is the root key of that generation: its identity is the listed one.
pub(super) fn is_listed(roster: &Roster, root: &RootKey, generation: EpochId) -> bool {
    let own = tree::identity_signing_key(root, generation).verifying_key();
    roster.identity_of(generation).is_some_and(|listed| listed.sign == own)
}

/// The same for these slots.
pub(super) fn open_among<'a>(
    roster: &Roster,
    (slots, credential): (impl Iterator<Item = (&'a SlotId, &'a Slot)>, &Credential),
    secret_key: Option<&SecretKey>,
) -> Result<Vec<Opened>, VaultError> {
    let vault = roster.vault();
    for (id, listed) in slots {
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
        let mut wraps: Vec<_> = roster
            .wraps()
            .iter()
            .filter(|(recipient, ..)| *recipient == Recipient::Slot(*id))
            .collect();
        wraps.sort_by_key(|(_, generation, _)| core::cmp::Reverse(*generation));
        let mut opened: Vec<Opened> = Vec::new();
        for (_, generation, sealed) in wraps {
            if opened.last().is_some_and(|(_, last)| last == generation) {
                continue;
            }
            let place = (&vault, id, *generation);
            let root = slot::unwrap_from_slot(&secrets, &listed.keys, place, sealed);
            // The root key of that generation, and no other that somebody calls so.
            let root = root.ok().filter(|root| is_listed(roster, root, *generation));
            opened.extend(root.map(|root| (root, *generation)));
        }
        if !opened.is_empty() {
            return Ok(opened);
        }
    }
    Err(VaultError::Secret)
}

impl Vault<Unlocked> {
    /// Replaces every password slot by one for a new password, in one durable step: a crash leaves the
    /// old password or the new one, never neither (F-23).
    ///
    /// # Errors
    /// [`VaultError::Secret`] when `current` does not open the vault; nothing is changed then.
    pub fn change_password(
        &mut self,
        current: &Credential,
        new: &str,
        cost: Argon2Params,
    ) -> Result<SlotId, VaultError> {
        let secret_key = read_secret_key(&self.home)?;
        self.confirm(current, Some(&secret_key))?;
        let old: Vec<SlotId> = self
            .slots()
            .into_iter()
            .filter(|(_, info)| *info == SlotInfo::Password)
            .map(|(id, _)| id)
            .collect();
        let vault = self.vault;
        let slot = self
            .open()
            .with_entropy(|entropy| NewSlot::password(new, &secret_key, cost, vault, entropy))?;
        self.replace(&slot, &old)?;
        Ok(slot.id)
    }

    /// What a login at a server is given for this password (ACC-6), if it opens the vault.
    ///
    /// # Errors
    /// [`VaultError::Secret`] when it does not; that is counted.
    pub fn login_input(&self, password: &Zeroizing<String>) -> Result<LoginInput, VaultError> {
        let secret_key = read_secret_key(&self.home)?;
        self.confirm(&Credential::Password(password.clone()), Some(&secret_key))?;
        login::input(password, &secret_key).map_err(|_| VaultError::Secret)
    }

    /// Makes a new recovery code; the codes that were printed before open nothing any more.
    ///
    /// # Errors
    /// [`VaultError::Secret`] when `current` does not open the vault; nothing is changed then.
    pub fn renew_recovery_code(
        &mut self,
        current: &Credential,
    ) -> Result<Zeroizing<String>, VaultError> {
        let secret_key = read_secret_key(&self.home)?;
        self.confirm(current, Some(&secret_key))?;
        let old: Vec<SlotId> = self
            .slots()
            .into_iter()
            .filter(|(_, info)| *info == SlotInfo::Recovery)
            .map(|(id, _)| id)
            .collect();
        let vault = self.vault;
        let (code, slot) = self.open().with_entropy(|entropy| {
            let code = RecoveryCode::generate(entropy);
            let slot = NewSlot::recovery(&code, vault, entropy);
            (code, slot)
        });
        self.replace(&slot, &old)?;
        Ok(code.to_text())
    }

    /// That this opens the vault. Who sits at an open vault guesses no faster than at a shut one: wrong ones
    /// are counted and answered more and more slowly, and go on the record with the next right one (DIR-9).
    pub(super) fn confirm(
        &self,
        current: &Credential,
        secret_key: Option<&SecretKey>,
    ) -> Result<(), VaultError> {
        let place = self.home.attempts();
        let attempts = Attempts::read(&place);
        let now_ms = self.open().clock.now_ms();
        match attempts.wait_ms(now_ms) {
            0 => {}
            wait => return Err(VaultError::TooSoon(wait)),
        }
        let write = |attempts: Attempts| {
            attempts.write(&place).map_err(|error| VaultError::Io("attempts", error))
        };
        match open(&self.roster, current, secret_key) {
            Err(VaultError::Secret) => {
                write(attempts.failed(now_ms))?;
                return Err(VaultError::Secret);
            }
            opened => drop(opened?),
        }
        if attempts != Attempts::default() {
            self.open().record(vec![attempts.event()])?;
            write(Attempts::default())?;
        }
        Ok(())
    }

    /// Lists a slot, wraps the root key to it and removes others, all in one commit.
    fn replace(&mut self, slot: &NewSlot, old: &[SlotId]) -> Result<(), VaultError> {
        let (vault, open) = (self.vault, std::sync::Arc::clone(self.open()));
        let mut entropy = open.fresh_entropy();
        let now_ms = open.clock.now_ms();
        let event = |action, count: usize| Event {
            time_ms: now_ms,
            principal: "owner".to_owned(),
            action,
            outcome: Outcome::Done,
            categories: Vec::new(),
            count: count as u64,
            grant: String::new(),
        };
        let events = vec![event(Action::SlotAdd, 1), event(Action::SlotRemove, old.len())];
        // Devices that a recovery code let in stay when it goes.
        let lets_in = |slot: &SlotId| {
            self.roster.slots().get(slot).is_some_and(|slot| slot.kind == SlotKind::Recovery)
        };
        let said = if old.iter().any(lets_in) { placed(self.log.as_ref())? } else { Vec::new() };
        let (_, roster) = open.write(|pen| {
            let clock = pen.tick(now_ms);
            let made = open.with_keyring(|keyring| {
                slot.statements(vault, keyring.generations(), pen.device(), entropy.as_mut())
            });
            let mut statements = made.map_err(|_| FeedError::NoKey)?;
            let vouched = vouch(&self.roster, &said, pen.device());
            for id in old {
                let claim = Claim::Unslot(*id);
                let statement =
                    Statement { vault: Some(vault), claim, clock, extra: Extra::default() };
                statements.push(sign(&statement, &[&pen.device().sign]));
            }
            let mut roster = self.roster.clone();
            for statement in &statements {
                // What others would not accept is not written.
                roster.apply(statement).map_err(|_| FeedError::NoKey)?;
            }
            statements.extend(vouched);
            Ok((Commit { statements, events, ..Commit::default() }, roster))
        })?;
        self.roster = roster;
        Ok(())
    }
}
