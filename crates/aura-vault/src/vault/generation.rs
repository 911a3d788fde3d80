// SPDX-License-Identifier: MIT OR Apache-2.0
//! Root generations: opening all of them, and following to a new one.
//!
//! After a device was lost another one makes a new root key, new slots and a new secret key. Every other device
//! learns of them through what is sealed to it, open or shut: a shut one by what the secret opened before, and only
//! if the secret opens what is there now. Source: spec/key-slots.md, rule SLT-10; spec/keyring.md, rules KRG-1, KRG-3
//! and KRG-11; spec/vault-directory.md, DIR-15.

use aura_crypto::entropy::Entropy;
use aura_crypto::key::SecretKey;
use aura_crypto::slot;
use aura_protocol::authority::{Recipient, Roster, SlotKind};
use aura_protocol::codec::Decode as _;
use aura_protocol::id::{CollectionId, DeviceId, FeedId, VaultId};
use aura_protocol::store::LocalLog;
use zeroize::Zeroizing;

use super::{Credential, DEVICE_KEY, Locked, Vault, VaultError, each_sound, slots};
use crate::device::{self, Device, DeviceFile};
use crate::feed;
use crate::home::{self, Home};
use crate::keyring::{Keyring, RootKeys};
use crate::op::Change;
use crate::open::Reaches;

/// Removed slots that a secret is tried on, when another device has replaced all slots meanwhile.
const ENDED_SLOTS_MAX: usize = 8;

/// The keyring of a shut vault with every root key that a credential leads to. When the slots were replaced by
/// another device meanwhile, this device's copy of the secret key is replaced as well.
///
/// # Errors
/// [`VaultError::Secret`] for every wrong secret alike.
pub(super) fn open_roots(
    vault: &Vault<Locked>,
    credential: &Credential,
) -> Result<Keyring, VaultError> {
    let (home, roster) = (&vault.home, &vault.roster);
    let secret_key = match credential {
        Credential::Password(_) => Some(slots::read_secret_key(home)?),
        Credential::Recovery(_) => None,
    };
    let opened = match slots::open(roster, credential, secret_key.as_ref()) {
        Err(VaultError::Secret) => None,
        opened => Some(opened?),
    };
    let (newest, _) = roster.identity();
    if let Some(roots) = opened {
        let mut keyring = keyring_of(vault.vault, roots)?;
        if !keyring.has_generation(newest) {
            follow(home, roster, &mut keyring);
        }
        return Ok(keyring);
    }
    // No slot that there is. Perhaps they were replaced while this device was shut.
    let ended = roster.ended_slots().iter().take(ENDED_SLOTS_MAX);
    if newest.counter <= 1 || ended.len() == 0 {
        return Err(VaultError::Secret);
    }
    let roots = slots::open_among(roster, (ended, credential), secret_key.as_ref())?;
    let mut keyring = keyring_of(vault.vault, roots)?;
    if is_revoked(roster, home.device()) {
        // It reads what it has, and learns nothing new.
        return Ok(keyring);
    }
    follow(home, roster, &mut keyring);
    if !keyring.has_generation(newest) {
        return Err(VaultError::Secret);
    }
    let reaches = Reaches::new(roster, &vault.log.heads()?, None);
    follow_roots((vault.vault, vault.log.as_ref()), &mut keyring, (roster, &reaches))?;
    // What opened before proves nothing: it may be a password that was changed.
    let opens = |key: &&SecretKey| slots::open(roster, credential, Some(key)).is_ok();
    let found = keyring.secret_keys().find(opens).ok_or(VaultError::Secret)?;
    write_secret_key(home, found)?;
    Ok(keyring)
}

/// Whether the device that this directory is was revoked.
pub(super) fn is_revoked(roster: &Roster, own: Option<DeviceId>) -> bool {
    own.and_then(|own| roster.device(own)).is_some_and(|device| device.revoked.is_some())
}

/// A keyring with these root keys.
pub(super) fn keyring_of(vault: VaultId, roots: Vec<slots::Opened>) -> Result<Keyring, VaultError> {
    let mut keyring: Option<Keyring> = None;
    for (root, generation) in roots {
        let roots = RootKeys::derive(root, vault, generation);
        match &mut keyring {
            Some(keyring) => keyring.add_roots(roots),
            none => *none = Some(Keyring::new(vault, roots)),
        }
    }
    keyring.ok_or(VaultError::Secret)
}

/// Root keys that are sealed to this device, if its keys open.
fn follow(home: &Home, roster: &Roster, keyring: &mut Keyring) {
    if let Ok(device) = read_device(home, roster.vault(), keyring) {
        take_wrapped(roster, keyring, &device);
    }
}

/// Takes in the root keys that are sealed to this device. Says whether that was something new.
pub(super) fn take_wrapped(roster: &Roster, keyring: &mut Keyring, device: &Device) -> bool {
    let (vault, own) = (roster.vault(), device.id());
    let mut is_changed = false;
    for (recipient, generation, sealed) in roster.wraps() {
        if *recipient != Recipient::Device(own) || keyring.has_generation(*generation) {
            continue;
        }
        let root = slot::unwrap_from_device(&device.kem, (&vault, &own, *generation), sealed);
        // The root key of that generation, and no other that somebody calls so.
        let Some(root) = root.ok().filter(|root| slots::is_listed(roster, root, *generation))
        else {
            continue;
        };
        keyring.add_roots(RootKeys::derive(root, vault, *generation));
        is_changed = true;
    }
    is_changed
}

/// This device's keys, sealed under the root key of any generation that is open.
pub(super) fn read_device(
    home: &Home,
    vault: VaultId,
    keyring: &Keyring,
) -> Result<Device, VaultError> {
    let damaged = VaultError::Damaged(DEVICE_KEY);
    let bytes = home::read(&home.device_key()).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => VaultError::Missing(DEVICE_KEY),
        _ => VaultError::Io(DEVICE_KEY, error),
    })?;
    let Ok(file) = DeviceFile::from_bytes(&bytes, device::FILE_BYTES_MAX) else {
        return Err(damaged);
    };
    keyring.generations().find_map(|roots| file.open(vault, roots).ok()).ok_or(damaged)
}

/// Seals this device's keys under the newest root key.
pub(super) fn write_device(
    home: &Home,
    (vault, device): (VaultId, &Device),
    keyring: &Keyring,
    entropy: &mut dyn Entropy,
) -> Result<(), VaultError> {
    let file = device.to_file(vault, keyring.roots(), &mut keyring.hedge(entropy));
    home::replace(&home.device_key(), &file).map_err(|error| VaultError::Io(DEVICE_KEY, error))
}

/// Writes the secret key that the newest root generation came with, if this device has another one.
pub(super) fn renew_secret_key(
    home: &Home,
    roster: &Roster,
    keyring: &Keyring,
) -> Result<(), VaultError> {
    let is_password = |slot: &aura_protocol::authority::Slot| slot.kind != SlotKind::Recovery;
    let Some(newest) = keyring.secret_keys().next() else { return Ok(()) };
    match slots::read_secret_key(home) {
        // It may come from a kit, and this device never had one.
        Err(VaultError::Missing(_)) => return Ok(()),
        Ok(present) if newest.ct_eq(&present) => return Ok(()),
        _ => {}
    }
    if roster.slots().values().any(is_password) { write_secret_key(home, newest) } else { Ok(()) }
}

pub(super) fn write_secret_key(home: &Home, key: &SecretKey) -> Result<(), VaultError> {
    let text = Zeroizing::new(format!("{}\n", key.to_text().as_str()));
    home::replace(&home.secret_key(), text.as_bytes())
        .map_err(|error| VaultError::Io("secret.key", error))
}

/// Takes in what the log's root feeds say of keys and names, as far as they count. Says whether that was
/// something new.
pub(super) fn follow_roots(
    (vault, log): (VaultId, &dyn LocalLog),
    keyring: &mut Keyring,
    (roster, reaches): (&Roster, &Reaches),
) -> Result<bool, VaultError> {
    let mut is_changed = false;
    for (feed, position) in log.feeds()? {
        if feed.collection == CollectionId::ROOT {
            let upto = reaches.of(feed).upto(position.number, keyring.applied(feed));
            is_changed |= follow_root((vault, log), (keyring, roster), (feed, upto))?;
        }
    }
    Ok(is_changed)
}

fn follow_root(
    (vault, log): (VaultId, &dyn LocalLog),
    (keyring, roster): (&mut Keyring, &Roster),
    (feed, upto): (FeedId, u64),
) -> Result<bool, VaultError> {
    let after = keyring.applied(feed);
    let (mut is_changed, mut is_whole) = (false, true);
    let mut last = after;
    each_sound(log, feed, (after, upto), &mut |entry| {
        // What is damaged or does not open is reported when the views catch up, and tried again next time;
        // the keys that open go on.
        let number = entry.header().number;
        is_whole &= number == last.saturating_add(1);
        let Ok(ops) = feed::open(entry, keyring, vault) else {
            is_whole = false;
            return;
        };
        for op in ops.iter().filter(|op| may_say(roster, feed.device, &op.change)) {
            is_changed |= matches!(
                op.change,
                Change::Key { .. }
                    | Change::SecondKey { .. }
                    | Change::SecretKey { .. }
                    | Change::Name { .. }
            );
            is_whole &= keyring.apply_in(entry.header().epoch, &op.change).is_ok();
        }
        if is_whole {
            last = number;
        }
    })?;
    if last > after {
        keyring.set_applied(feed, last);
    }
    Ok(is_changed)
}

/// KRG-3, KRG-4, KRG-7, KRG-11: a key is what the device says that started its epoch, whoever else says something,
/// and so is a name. Else one listed device could give a newcomer other keys than all the others have.
fn may_say(roster: &Roster, by: DeviceId, change: &Change) -> bool {
    match change {
        Change::Key { collection, epoch, .. } => roster.maker(*collection, *epoch) == Some(by),
        Change::SecondKey { collection, epoch, lock, .. } => {
            roster.maker(*collection, *epoch) == Some(by) || roster.lock_maker(*lock) == Some(by)
        }
        Change::Name { collection, .. } => roster.collection_maker(*collection) == Some(by),
        Change::SecretKey { slot, .. } => {
            let slot = roster.slots().get(slot).or_else(|| roster.ended_slots().get(slot));
            slot.and_then(|slot| slot.made_by) == Some(by)
        }
        _ => true,
    }
}
