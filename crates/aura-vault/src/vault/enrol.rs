// SPDX-License-Identifier: MIT OR Apache-2.0
//! A new device for a vault: one that joins it, or one whose own keys are gone (`device.key` was lost, the log
//! was not).
//!
//! The root key alone lists a device in quarantine; only the recovery code, whose slot confirms it, lets
//! a person in alone. So a thief of password and secret key writes nothing that counts. What a lost
//! device wrote stays as it is. Source: spec/authority.md, rules AUT-7, AUT-8; spec/vault-directory.md.

use std::iter;
use std::path::PathBuf;

use aura_crypto::entropy::Entropy;
use aura_crypto::key::RecoveryCode;
use aura_crypto::sign::{LabelledSigner, TransportSigningKey};
use aura_crypto::slot::{self, SlotSecrets};
use aura_crypto::tree;
use aura_protocol::authority::{Claim, Roster, SlotKind, Statement};
use aura_protocol::codec::Extra;
use aura_protocol::log::Frontier;

use super::statement::sign;
use super::{Credential, Locked, Vault, VaultError};
use crate::audit::{Action, Event, Outcome};
use crate::device::Device;
use crate::feed::{Commit, Pen};
use crate::home;
use crate::keyring::Keyring;
use crate::open::OpenError;

/// Tells others of a new device when its log has what lists it, and nothing else of it.
pub type Announce<'a> = &'a mut dyn FnMut() -> Result<(), VaultError>;

/// Why there is a new device.
pub(super) enum Cause<'a> {
    /// The keys of the one that was here are gone. Only the recovery code makes another one.
    Lost,
    /// It joins. Without the recovery code it waits until another device confirms it.
    Joins(TransportSigningKey, Announce<'a>),
}

/// Lists a new device, confirms it with the recovery code, and writes its files. The files come last: a crash before leaves a
/// listed device whose keys nobody has, and the next try makes another one.
pub(super) fn enrol(
    vault: &Vault<Locked>,
    (credential, cause): (&Credential, Cause<'_>),
    keyring: &Keyring,
    (entropy, now_ms): (&mut dyn Entropy, i64),
) -> Result<Pen, VaultError> {
    let recovery = recovery_slot(&vault.roster, credential)
        .filter(|recovery| is_present(&vault.roster, recovery));
    let (action, transport, announce) = match cause {
        Cause::Lost if recovery.is_none() => return Err(VaultError::Missing(super::DEVICE_KEY)),
        Cause::Lost => (Action::Anomaly, TransportSigningKey::generate(entropy), None),
        Cause::Joins(transport, announce) => (Action::DeviceAdd, transport, Some(announce)),
    };
    let roots = keyring.roots();
    let device = Device::generate(entropy);
    let seeds = device.to_file(vault.vault, roots, &mut keyring.hedge(entropy));
    let mut pen = Pen::new(vault.vault, device, None, Frontier::new());
    let clock = pen.tick(now_ms);
    let statement = |claim, signers: &[&dyn LabelledSigner]| {
        sign(
            &Statement { vault: Some(vault.vault), claim, clock, extra: Extra::default() },
            signers,
        )
    };
    let identity = tree::identity_signing_key(&roots.root, roots.generation);
    let add = Claim::Add(pen.device().public(&transport));
    let added = statement(add, &[&pen.device().sign, &identity]);
    let confirm = Claim::Confirm(pen.device().id());
    let confirmed = recovery.map(|recovery| statement(confirm, &[&recovery.sign]));
    let mut roster = vault.roster.clone();
    for statement in iter::once(&added).chain(&confirmed) {
        // What others would not accept is not written.
        roster.apply(statement).map_err(VaultError::Authority)?;
    }
    let mut commit = |commit: &Commit, entropy: &mut dyn Entropy| {
        let done = pen.commit(commit, keyring, vault.log.as_ref(), entropy);
        done.map(drop).map_err(|error| VaultError::from(OpenError::from(error)))
    };
    // Alone: before a server knows the device, it takes nothing else of it (HTP-12).
    commit(&Commit { statements: vec![added], ..Commit::default() }, entropy)?;
    announce.map_or(Ok(()), |announce| announce())?;
    // That there is a new device is on the record, and that its keys were gone.
    let event = Event {
        time_ms: now_ms,
        principal: "owner".to_owned(),
        action,
        outcome: Outcome::Done,
        categories: Vec::new(),
        count: 1,
        grant: String::new(),
    };
    let statements = confirmed.into_iter().collect();
    commit(&Commit { statements, events: vec![event], ..Commit::default() }, entropy)?;
    let write = |name, path: PathBuf, bytes: &[u8]| {
        home::replace(&path, bytes).map_err(|error| VaultError::Io(name, error))
    };
    write("transport.key", vault.home.transport_key(), transport.dangerous_seed())?;
    write(super::DEVICE_KEY, vault.home.device_key(), &seeds)?;
    Ok(pen)
}

fn is_present(roster: &Roster, secrets: &SlotSecrets) -> bool {
    roster.slots().values().any(|slot| secrets.check(&slot.keys).is_ok())
}

/// The recovery slot that a credential opens, present or removed.
pub(super) fn recovery_slot(roster: &Roster, credential: &Credential) -> Option<SlotSecrets> {
    let Credential::Recovery(text) = credential else { return None };
    let code = RecoveryCode::parse(text).ok()?;
    let vault = roster.vault();
    let slots = roster.slots().iter().chain(roster.ended_slots());
    slots.filter(|(_, slot)| slot.kind == SlotKind::Recovery).find_map(|(id, listed)| {
        let secrets = SlotSecrets::derive(&slot::recovery_secret(&code, &vault, id), &vault, id);
        secrets.check(&listed.keys).is_ok().then_some(secrets)
    })
}
