// SPDX-License-Identifier: MIT OR Apache-2.0
//! The vault's devices: which there are, confirming one that has joined, and revoking one that was lost.

use aura_protocol::id::DeviceId;
use aura_vault::vault::{Loss, Unlocked, Vault, VaultError};

use crate::exit::{Exit, Failure};
use crate::kit::{Kit, Revoked};
use crate::moment::rfc3339;
use crate::secret::Secret;
use crate::view;

/// Every device that was ever listed, in the order of listing.
pub(super) fn list<S>(vault: &Vault<S>) -> Vec<view::Device> {
    let own = vault.home().device();
    // That a store cannot be read is told where it is read for its own sake: the list of devices is known without it.
    let heard = vault.heard().unwrap_or_default();
    let last = |id: &DeviceId| heard.get(id).copied().unwrap_or_default();
    let mut devices: Vec<_> = vault.roster().devices().iter().collect();
    devices.sort_by_key(|(_, device)| device.order);
    let told = devices.into_iter().map(|(id, device)| view::Device {
        id: id.to_string(),
        this: Some(*id) == own,
        confirmed: device.is_confirmed,
        revoked: device.revoked.is_some(),
        revoked_by: device.revoked_by.map(|by| by.to_string()),
        heard: last(id).last_ms.and_then(|ms| i64::try_from(ms).ok()).map(rfc3339),
        awaited: last(id).is_awaited,
    });
    told.collect()
}

/// Confirms the one device whose id begins like this.
pub(super) fn confirm(vault: &mut Vault<Unlocked>, id: &str) -> Result<view::Device, Failure> {
    let devices = list(vault);
    let device = pick(&devices, id)?.clone();
    if device.revoked {
        return Err(Failure::new(Exit::Refused, "This device was revoked.")
            .safe("Nothing was changed.")
            .next("It can join again as a new one: aura join FOLDER, in a new folder there."));
    }
    if device.confirmed {
        return Ok(device);
    }
    if devices.iter().any(|own| own.this && !own.confirmed) {
        return Err(Failure::new(Exit::Refused, "This device waits to be confirmed itself.")
            .safe("Nothing was changed.")
            .next("Confirm it on a device that counts, or join again with the recovery code."));
    }
    let parsed = DeviceId::parse(&device.id).ok_or_else(unknown)?;
    vault.confirm_device(parsed).map_err(|error| match error {
        VaultError::Authority(_) => {
            Failure::new(Exit::Refused, "This device may not confirm that one.")
                .safe("Nothing was changed.")
                .next("See `aura device ls`.")
        }
        error => error.into(),
    })?;
    Ok(view::Device { confirmed: true, ..device })
}

/// Retires the one device whose id begins like this.
pub(super) fn retire(vault: &mut Vault<Unlocked>, id: &str) -> Result<view::Device, Failure> {
    let device = pick(&list(vault), id)?.clone();
    if device.this || device.revoked || !device.confirmed {
        let what = "Only another device that counts can be retired.";
        return Err(Failure::new(Exit::Refused, what)
            .safe("Nothing was changed.")
            .next("See `aura device ls`."));
    }
    let parsed = DeviceId::parse(&device.id).ok_or_else(unknown)?;
    vault.retire_device(parsed)?;
    Ok(device)
}

/// Revokes the one device whose id begins like this.
pub(super) fn revoke(
    vault: &mut Vault<Unlocked>,
    id: &str,
    loss: &Loss<'_>,
) -> Result<Revoked, Failure> {
    let devices = list(vault);
    let device = pick(&devices, id)?.clone();
    let parsed = DeviceId::parse(&device.id).ok_or_else(unknown)?;
    let kit = vault.revoke_device(parsed, loss).map_err(|error| match error {
        VaultError::OwnDevice => {
            Failure::usage("This is the device that you are typing at.", "Type it at another one.")
        }
        VaultError::Revoked => Failure::new(Exit::Refused, "This device was revoked already.")
            .safe("Nothing was changed.")
            .next("With the recovery code it is final: --with-recovery-code"),
        VaultError::Behind => Failure::new(
            Exit::Refused,
            "Another device has seen changes of that one which are not here yet: they would be lost.",
        )
        .safe("Nothing was changed.")
        .next(
            "Run `aura sync` on every device that you have, then this again. If that does not help, \
             whoever has it may be holding it up: --with-recovery-code",
        ),
        VaultError::Authority(_) => {
            Failure::new(Exit::Refused, "This device may not revoke that one.")
                .safe("Nothing was changed.")
                .next("With the recovery code it may, if it counts itself: --with-recovery-code")
        }
        VaultError::Secret => Failure::new(
            Exit::Locked,
            "That is not the password, or not the recovery code, of this vault.",
        )
        .safe("Nothing was changed; the try was counted.")
        .next("Run it again."),
        error => error.into(),
    })?;
    let listed = vault.roster().device(parsed);
    let is_final = listed.is_some_and(|listed| {
        let by = listed.revoked_by.and_then(|by| vault.roster().device(by));
        listed.is_revoked_by_recovery || by.is_some_and(|by| by.order < listed.order)
    });
    let devices = list(vault);
    let device = pick(&devices, &device.id)?.clone();
    let by_it = |other: &&view::Device| {
        let listed = DeviceId::parse(&other.id).and_then(|id| vault.roster().device(id));
        !other.revoked && listed.is_some_and(|listed| listed.let_in_by == Some(parsed))
    };
    let let_in = devices.iter().filter(by_it).cloned().collect();
    let kit = kit.map(|kit| Kit {
        vault_id: kit.vault.to_string(),
        secret_key: Secret::new(kit.secret_key),
        recovery_code: Secret::new(kit.recovery_code),
    });
    Ok(Revoked { device, is_final, let_in, kit })
}

fn pick<'a>(devices: &'a [view::Device], id: &str) -> Result<&'a view::Device, Failure> {
    let id = id.trim().to_ascii_lowercase();
    let mut found = devices.iter().filter(|device| !id.is_empty() && device.id.starts_with(&id));
    match (found.next(), found.next()) {
        (Some(device), None) => Ok(device),
        (None, _) => Err(unknown()),
        (Some(_), Some(_)) => Err(Failure::usage(
            "More than one device's id begins like this.",
            "Type more of it: `aura device ls` shows them.",
        )),
    }
}

fn unknown() -> Failure {
    Failure::usage(
        "No device of this vault has such an id.",
        "See `aura device ls`. If it has joined just now, run `aura sync` there and then here.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(id: &str) -> view::Device {
        view::Device {
            id: id.to_owned(),
            this: false,
            confirmed: false,
            revoked: false,
            revoked_by: None,
            heard: None,
            awaited: false,
        }
    }

    #[test]
    fn a_device_is_named_by_the_beginning_of_its_id_if_no_other_begins_so() {
        let devices = [device("aa01"), device("aa02"), device("bb03")];
        assert_eq!(pick(&devices, " B").unwrap().id, "bb03");
        assert_eq!(pick(&devices, "aa02").unwrap().id, "aa02");
        for wrong in ["aa", "", " ", "cc", "aa021"] {
            assert_eq!(pick(&devices, wrong).unwrap_err().exit, Exit::Usage, "{wrong}");
        }
    }
}
