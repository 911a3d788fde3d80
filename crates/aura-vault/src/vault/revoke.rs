// SPDX-License-Identifier: MIT OR Apache-2.0
//! Revoking a device, and what follows the loss of one: a new root key, new slots with a new secret key and a new
//! recovery code, and new keys for every collection, all in one commit.
//!
//! Whoever has the lost device, or the old secret key, reads what was written until then and nothing that is written
//! after. Every other device learns of all of it through what is sealed to it. Killed at any point, the old
//! secret opens the vault or the new one does. Source: spec/authority.md, AUT-18, AUT-23; spec/keyring.md, KRG-11;
//! spec/vault-directory.md, DIR-15.

use std::sync::Arc;

use aura_crypto::entropy::Entropy;
use aura_crypto::hpke::KemSecret as _;
use aura_crypto::kdf::Argon2Params;
use aura_crypto::key::{RecoveryCode, RootKey, SecretKey};
use aura_crypto::sign::LabelledSigner;
use aura_crypto::slot::SlotSecrets;
use aura_crypto::tree;
use aura_protocol::authority::{
    AuthorityError, Claim, IdentityKeys, Placed, Roster, SignedStatement, Standing, Statement,
};
use aura_protocol::codec::Extra;
use aura_protocol::head::{Head, Position};
use aura_protocol::id::{CollectionId, DeviceId, EpochId, Incarnation, VaultId};
use zeroize::Zeroizing;

use super::enrol::recovery_slot;
use super::join::wraps_to;
use super::second::change_keyring;
use super::slots::{self, NewSlot};
use super::statement::{random_nonce, sign};
use super::unlock::event;
use super::{Credential, Kit, Unlocked, Vault, VaultError, generation, judge, placed};
use crate::audit::{Action, Outcome};
use crate::clock::Clock;
use crate::feed::{Bar, Batch, Commit, FeedError, Passage, Pen};
use crate::keyring::{Keyring, RootKeys};
use crate::op::{Change, Op};
use crate::open::{Open, lock};

/// What the person gives when a device was lost.
pub struct Loss<'a> {
    /// The password of the vault, which its new slot has as well.
    pub password: &'a Zeroizing<String>,
    /// What stretching it costs.
    pub cost: Argon2Params,
    /// The recovery code: then nobody's word counts more than this.
    pub recovery_code: Option<&'a Zeroizing<String>>,
}

impl Vault<Unlocked> {
    /// Revokes a device: what it has written until now stays, and nothing more of it counts, here at once and on others
    /// when they know of it. The vault gets a new root key, a new secret key and a new recovery code, which are handed
    /// back to be printed; and new keys for all that is written from now on, behind the second lock as well, which
    /// may be shut.
    ///
    /// A version that may not write since a newer one is in use revokes all the same if it is given the recovery
    /// code. It makes no new keys, and hands nothing back. A device that is revoked itself does it if its word counts
    /// more, or with the recovery code.
    ///
    /// # Errors
    /// [`VaultError::Secret`] when the password or the code is a wrong one; [`VaultError::OwnDevice`],
    /// [`VaultError::Revoked`], [`VaultError::Behind`]; [`VaultError::Authority`] when others would not accept it.
    /// Nothing is changed then.
    pub fn revoke_device(
        &mut self,
        device: DeviceId,
        loss: &Loss<'_>,
    ) -> Result<Option<Kit>, VaultError> {
        let open = Arc::clone(self.open());
        let (own, bar) = {
            let pen = lock(&open.pen);
            (pen.life(), pen.bar())
        };
        let listed = self.roster.device(device);
        let listed = listed.ok_or(VaultError::Authority(AuthorityError::State))?;
        if own.0 == device {
            return Err(VaultError::OwnDevice);
        }
        let is_final = listed.is_revoked_by_recovery || loss.recovery_code.is_none();
        if listed.revoked.is_some() && is_final {
            return Err(VaultError::Revoked);
        }
        let heads: Vec<(Head, Position)> = self.claims()?;
        // With the recovery code nobody can hold it up by naming what never was.
        if loss.recovery_code.is_none() && is_behind(&heads, device) {
            return Err(VaultError::Behind);
        }
        let recovery = self.prove(loss, bar)?;
        let last = last_accepted(&self.roster, &heads, device);
        let code = recovery.as_ref().map(|recovery| &recovery.sign as &dyn LabelledSigner);
        let mut entropy = open.fresh_entropy();
        let mut made = match bar {
            Bar::None => Some(Renewal::make((self, &open), (loss, device), entropy.as_mut())?),
            Bar::Newer if recovery.is_none() => {
                return Err(crate::open::OpenError::from(FeedError::Newer).into());
            }
            Bar::Newer | Bar::Revoked => None,
        };
        let revoke = Claim::Revoke { device, last };
        let said = Some((revoke, code));
        self.write_revoke((&open, device), said, made.as_ref(), entropy.as_mut())?;
        if bar == Bar::Revoked {
            // It counts again, and whoever had revoked it may have made keys that it does not know.
            self.take_in()?;
            let renewal = Renewal::make((self, &open), (loss, device), entropy.as_mut())?;
            self.write_revoke((&open, device), None, Some(&renewal), entropy.as_mut())?;
            made = Some(renewal);
        }
        if let Some(made) = &made {
            // The log has it: if one of these cannot be written, it is made up for when the vault is opened next.
            // In this order: the old secret leads to `device.key` as long as that is the old one.
            generation::write_secret_key(&self.home, &made.secret_key)?;
            let pen = lock(&open.pen);
            open.with_keyring(|keyring| {
                let own = (self.vault, pen.device());
                generation::write_device(&self.home, own, keyring, entropy.as_mut())
            })?;
        }
        self.take_in()?;
        Ok(made.map(|made| Kit {
            vault: self.vault,
            secret_key: made.secret_key.to_text(),
            recovery_code: made.recovery_code.to_text(),
        }))
    }

    /// That whoever asks has the password, or the recovery code where they give it; the slot of that.
    fn prove(&self, loss: &Loss<'_>, bar: Bar) -> Result<Option<SlotSecrets>, VaultError> {
        // A mistyped one would be the new one. A device that is revoked cannot tell: its slots may be gone.
        if loss.recovery_code.is_none() || bar == Bar::None {
            let current = Credential::Password(loss.password.clone());
            let secret_key = slots::read_secret_key(&self.home)?;
            self.confirm(&current, Some(&secret_key))?;
        }
        let Some(code) = loss.recovery_code else { return Ok(None) };
        let code = Credential::Recovery(code.clone());
        // Whoever has a stolen device may have removed the slot.
        if bar != Bar::Revoked {
            self.confirm(&code, None)?;
        }
        recovery_slot(&self.roster, &code).ok_or(VaultError::Secret).map(Some)
    }

    /// The newest heads, as their devices say them.
    fn claims(&self) -> Result<Vec<(Head, Position)>, VaultError> {
        let heads = self.log.heads()?.into_iter();
        let claims = heads.filter_map(|signed| {
            let head = signed.claim().ok()?;
            let at = Position { number: head.number, hash: signed.hash() };
            Some((head, at))
        });
        Ok(claims.collect())
    }

    /// Writes the revoke, and all that follows from it, in one commit.
    fn write_revoke(
        &mut self,
        (open, device): (&Open, DeviceId),
        revoke: Option<(Claim, Option<&dyn LabelledSigner>)>,
        made: Option<&Renewal>,
        entropy: &mut dyn Entropy,
    ) -> Result<(), VaultError> {
        let now_ms = open.clock.now_ms();
        let mut before = placed(self.log.as_ref())?;
        let (log, vault, roster) = (Arc::clone(&self.log), self.vault, self.roster.clone());
        let mut refused = None;
        let written = open.write(|pen| {
            let clock = pen.tick(now_ms);
            let mut statements = Vec::new();
            if let Some((claim, code)) = revoke {
                let said = Statement { vault: Some(vault), claim, clock, extra: Extra::default() };
                let device: &dyn LabelledSigner = &pen.device().sign;
                let by: Vec<_> = core::iter::once(device).chain(code).collect();
                statements.push(sign(&said, &by));
            }
            if let Some(made) = made {
                statements.extend(made.statements(vault, clock, pen));
                statements.extend(slots::vouch(&roster, &before, pen.device()));
            }
            // What others would not accept is not written.
            let life = pen.life();
            let number = pen.next_number(CollectionId::AUTHORITY);
            let place =
                |statement: &SignedStatement| Placed { life, number, statement: statement.clone() };
            before.extend(statements.iter().map(place));
            if let Err(error) = is_accepted((log.as_ref(), &roster), &before, (life.0, device)) {
                refused = Some(error);
                return Err(FeedError::NoKey.into());
            }
            let ops = match made {
                None => Vec::new(),
                Some(made) => {
                    let ops = change_keyring(open, |keyring| made.ops(keyring, entropy));
                    ops.map_err(|_| FeedError::NoKey)?
                }
            };
            let batches = Vec::from_iter((!ops.is_empty()).then(|| root_batch(clock, ops)));
            let mut events = vec![event(now_ms, Action::DeviceRevoke, Outcome::Done, 1)];
            events.extend(made.map(|_| event(now_ms, Action::Rotate, Outcome::Done, 1)));
            let passage = if made.is_some() { Passage::Usual } else { Passage::Rescue };
            Ok((Commit { statements, batches, events, passage }, ()))
        });
        match (written, refused) {
            (_, Some(error)) => Err(error),
            (written, None) => Ok(written.map(drop)?),
        }
    }
}

/// A batch of ops in the root collection.
fn root_batch(clock: Clock, changes: Vec<Change>) -> Batch {
    let op = |change| Op { clock, author: String::new(), change };
    let ops = changes.into_iter().map(op).collect();
    Batch { collection: CollectionId::ROOT, ops, added: Vec::new(), dropped: Vec::new() }
}

/// Whether others would take it: the device is revoked by it, and this one and all others go on.
fn is_accepted(
    (log, before): (&dyn aura_protocol::store::LocalLog, &Roster),
    statements: &[Placed],
    (own, lost): (DeviceId, DeviceId),
) -> Result<(), VaultError> {
    let (roster, _) = judge((log, before.vault()), statements)?;
    let is_active = |id| roster.device(id).is_some_and(aura_protocol::authority::Device::is_active);
    let go_on = before.devices().iter().filter(|(id, _)| **id != lost);
    let mut go_on = go_on.filter(|(_, device)| device.is_active());
    if !is_active(lost) && is_active(own) && go_on.all(|(id, _)| is_active(*id)) {
        return Ok(());
    }
    Err(VaultError::Authority(AuthorityError::Signer))
}

/// Whether another device names a head that is not here: what that one says would be lost for good. What the lost
/// device itself names is not looked at.
fn is_behind(heads: &[(Head, Position)], lost: DeviceId) -> bool {
    let is_here = |seen: &aura_protocol::head::Seen| {
        heads.iter().any(|(head, at)| {
            (head.device, head.incarnation) == (seen.device, seen.incarnation)
                && at.number >= seen.held.number
        })
    };
    let others = heads.iter().filter(|(head, _)| head.device != lost);
    let mut named = others.flat_map(|(head, _)| &head.seen).filter(|seen| seen.device == lost);
    named.any(|seen| seen.held.number > 0 && !is_here(seen))
}

/// The newest head of each life of a device that counts.
fn last_accepted(
    roster: &Roster,
    heads: &[(Head, Position)],
    device: DeviceId,
) -> Vec<(Incarnation, Position)> {
    let of_device = heads.iter().filter(|(head, at)| {
        head.device == device && roster.standing(device, head.incarnation, *at) != Standing::Late
    });
    let mut last: Vec<_> = of_device.map(|(head, at)| (head.incarnation, *at)).collect();
    last.sort_by_key(|(incarnation, _)| *incarnation);
    last.dedup_by_key(|(incarnation, _)| *incarnation);
    last
}

/// Everything new that follows the loss of a device, before any of it is written.
struct Renewal {
    roots: RootKeys,
    identity: IdentityKeys,
    secret_key: SecretKey,
    recovery_code: RecoveryCode,
    /// Whose secret key is handed on.
    slot: aura_protocol::id::SlotId,
    /// Statements but for the epochs', signed already.
    claims: Vec<Claim>,
    slots: Vec<SignedStatement>,
    epochs: Vec<(CollectionId, EpochId)>,
    second: Option<aura_protocol::authority::SecondLock>,
}

impl Renewal {
    fn make(
        (vault, open): (&Vault<Unlocked>, &Open),
        (loss, lost): (&Loss<'_>, DeviceId),
        entropy: &mut dyn Entropy,
    ) -> Result<Self, VaultError> {
        let (id, roster) = (vault.vault, &vault.roster);
        let (former, _) = roster.identity();
        let counter = former.counter.checked_add(1);
        let counter = counter.ok_or(VaultError::Authority(AuthorityError::Bounds))?;
        let generation = EpochId { counter, nonce: random_nonce(entropy) };
        let root = RootKey::generate(entropy);
        let sign_key = tree::identity_signing_key(&root, generation).verifying_key();
        let kem = tree::identity_kem_secret(&root, generation).public_key();
        let identity = IdentityKeys { sign: sign_key, kem };
        let roots = RootKeys::derive(root, id, generation);
        let secret_key = SecretKey::generate(entropy);
        let recovery_code = RecoveryCode::generate(entropy);
        let password = NewSlot::password(loss.password, &secret_key, loss.cost, id, entropy)?;
        let recovery = NewSlot::recovery(&recovery_code, id, entropy);
        let mut claims = Vec::new();
        for (device, listed) in roster.devices() {
            if listed.is_active() && *device != lost {
                let keys = (*device, Some(&listed.keys));
                claims.extend(wraps_to(id, keys, core::iter::once(&roots), entropy));
            }
        }
        claims.extend(roster.slots().keys().map(|slot| Claim::Unslot(*slot)));
        let pen = lock(&open.pen);
        let slots = open.with_keyring(|keyring| {
            let mut statements = Vec::new();
            for slot in [&password, &recovery] {
                // All of them: what there was before is read by whoever joins later, too.
                let all = core::iter::once(&roots).chain(keyring.generations());
                statements.extend(slot.statements(id, all, pen.device(), entropy)?);
            }
            Ok::<_, VaultError>(statements)
        })?;
        drop(pen);
        let second = roster.second_lock().cloned();
        let epochs = open.with_keyring(|keyring| new_epochs(roster, keyring, entropy));
        let slot = password.id();
        Ok(Self { roots, identity, secret_key, recovery_code, slot, claims, slots, epochs, second })
    }

    /// What others have to know, without a key.
    fn statements(&self, vault: VaultId, clock: Clock, pen: &Pen) -> Vec<SignedStatement> {
        let identity =
            Claim::Identity { generation: self.roots.generation, keys: self.identity.clone() };
        let epoch = |(collection, epoch): &(CollectionId, EpochId)| Claim::Epoch {
            collection: *collection,
            epoch: *epoch,
        };
        let claims = core::iter::once(identity).chain(self.claims.iter().cloned());
        let claims = claims.chain(self.epochs.iter().map(epoch));
        let signed = claims.map(|claim| {
            let said = Statement { vault: Some(vault), claim, clock, extra: Extra::default() };
            sign(&said, &[&pen.device().sign])
        });
        // Slots are listed before the old ones go.
        self.slots.iter().cloned().chain(signed).collect()
    }

    /// What is sealed under the new root key: the keys of all new epochs, and the secret key.
    fn ops(
        &self,
        keyring: &mut Keyring,
        entropy: &mut dyn Entropy,
    ) -> Result<Vec<Change>, aura_crypto::hpke::RecipientError> {
        let root = RootKey::from_bytes(Zeroizing::new(*self.roots.root.dangerous_bytes()));
        keyring.add_roots(RootKeys::derive(root, keyring.vault(), self.roots.generation));
        let mut ops = Vec::new();
        for (collection, epoch) in &self.epochs {
            let place = (*collection, *epoch);
            ops.push(match &self.second {
                Some(lock) if keyring.is_second_locked(*collection) => {
                    keyring.start_second_epoch(place, lock, entropy)?
                }
                _ => keyring.start_epoch(*collection, *epoch, entropy),
            });
        }
        ops.push(keyring.hand_on(self.slot, &self.secret_key, entropy));
        Ok(ops)
    }
}

/// A new epoch for every collection that is written under a key.
fn new_epochs(
    roster: &Roster,
    keyring: &Keyring,
    entropy: &mut dyn Entropy,
) -> Vec<(CollectionId, EpochId)> {
    let mut epochs = Vec::new();
    for collection in roster.epochs().keys() {
        let newest = roster.epoch(*collection).max(keyring.epoch(*collection));
        let Some(counter) = newest.and_then(|newest| newest.counter.checked_add(1)) else {
            continue;
        };
        if keyring.purpose(*collection).is_some() {
            epochs.push((*collection, EpochId { counter, nonce: random_nonce(entropy) }));
        }
    }
    epochs
}
