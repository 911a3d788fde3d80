// SPDX-License-Identifier: MIT OR Apache-2.0
//! Joining: a new device of a vault that a folder or a server has.
//!
//! What the store shows is fetched into a new local store, which checks it; then the secret opens the vault and
//! lists the device. A server shows it to whoever has logged in, and takes nothing from them but the word that lists the
//! device; from then on the device proves itself. A file says that this goes on: what an earlier try has left under it
//! is nobody's vault, and goes before the next one. Source: spec/vault-directory.md, DIR-14; spec/authority.md;
//! spec/http.md, rules HTP-12 and ACC-11.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use aura_crypto::key::SecretKey;
use aura_crypto::login;
use aura_crypto::sign::{LabelledSigner as _, TransportSigningKey};
use aura_protocol::id::{CollectionId, DeviceId, VaultId};
use aura_protocol::limits::READ_ENTRIES_MAX;
use aura_protocol::store::{Access, BlindStore, LocalLog, StoreError};
use aura_store::http::{HttpStore, Proof};
use aura_store::local::LocalStore;
use aura_vault::home::{self, Home, Kind};
use aura_vault::vault::VaultError;
use pollster::block_on;

use super::device;
use super::keeper::{Keeper, SystemEntropy, credential};
use super::reply::Reply;
use super::sync::{self, Halt, Host, Kept, Opened, Site, Syncing};
use crate::exit::{Exit, Failure};
use crate::moment::now_ms;
use crate::place;
use crate::secret::Secret;
use crate::view;
use crate::wire::{Joining, Progress, Source, Way};

pub(super) const NOTHING_MADE: &str =
    "Nothing was made here, and the vault's other devices are as they were.";

/// How often a join waits where a store asks for it, and for how long at most: longer ones are told.
const WAITS_MAX: u32 = 10;
const WAIT_S_MAX: u64 = 5;

/// What a join makes, and may have left.
const REMAINS: [&str; 16] = [
    "store",
    "views",
    "secret.key",
    "secret.new",
    "device.key",
    "device.new",
    "transport.key",
    "transport.new",
    "keyring",
    "keyring.new",
    "stores.json",
    "stores.new",
    "far.key",
    "far.new",
    "seen",
    "aura-vault.new",
];

/// Makes the keeper's folder the home of a new device, and leaves the vault open.
pub(super) fn join(
    (keeper, syncing): (&Keeper, &Syncing),
    joining: Joining,
    reply: &mut Reply,
) -> Result<view::Joined, Failure> {
    let home = keeper.home();
    let transport = TransportSigningKey::generate(&mut SystemEntropy);
    let found = find(home, &joining, &transport)?;
    let (vault, turn) = (found.vault, syncing.turn());
    let has_secret_key = joining.secret_key.is_some();
    begin(home)?;
    let joined = reply
        .progress(&Progress { task: "fetching".to_owned(), ..Progress::default() })
        .and_then(|()| enter((keeper, syncing), (found, transport), joining, turn.1));
    let ended = end(home);
    drop(turn);
    // What came while it joined.
    syncing.arrived();
    joined?;
    ended.map_err(|error| unwritten(&error))?;
    let store = syncing.stores(keeper)?.into_iter().next().ok_or_else(lost)?;
    let devices = keeper.with_open(|vault, _| Ok(device::list(vault)))?;
    let own = devices.into_iter().find(|device| device.this).ok_or_else(lost)?;
    Ok(view::Joined {
        vault_id: vault.to_string(),
        home: home.display().to_string(),
        device: own.id,
        confirmed: own.confirmed,
        secret_key: has_secret_key,
        store,
    })
}

/// A vault in a store, which shows it to whoever joins.
struct Found {
    vault: VaultId,
    site: Site,
    store: Opened,
}

/// Finds the vault: in a folder by its id, at a server by logging in with the new device's transport key.
fn find(home: &Path, joining: &Joining, transport: &TransportSigningKey) -> Result<Found, Failure> {
    let (at, wanted) = match &joining.source {
        Source::Folder { folder, vault } => {
            let site = Site::Folder(sync::check(home, folder)?);
            let vault = VaultId::parse(vault).ok_or_else(no_id)?;
            let store = sync::open_folder(folder);
            return Ok(Found { vault, site, store });
        }
        Source::Far { far, secret, vault } => {
            let vault = VaultId::parse(vault).ok_or_else(no_id)?;
            let store: Opened = match far.open(secret.as_ref()) {
                Ok(store) => Ok(store),
                Err(error) => Err(error),
            };
            return Ok(Found { vault, site: Site::Far(far.clone()), store });
        }
        Source::Server { at, vault } => (at, vault),
    };
    let account = sync::parse(at)?;
    let (Way::Password, Some(secret_key)) = (joining.way, &joining.secret_key) else {
        return Err(Failure::usage(
            "A server lets a device in with the password and the secret key, not with the recovery code.",
            "If the password is known, leave out --recovery. If not: on a device that you have, aura passwd \
             --recovery\nsets another one, here and at the server. Or join through a folder: aura join FOLDER --recovery",
        ));
    };
    let wrong = || refused(VaultError::Secret.into(), true);
    let secret_key = SecretKey::parse(secret_key.reveal().trim()).map_err(|_| wrong())?;
    let input = login::input(joining.secret.reveal(), &secret_key).map_err(|_| wrong())?;
    let public = transport.verifying_key();
    let (server, granted) = sync::log_in(&account, (&input, joining.cost), public)?;
    let vault = granted.vault;
    let wanted = wanted.as_deref().map(|id| id.trim().to_ascii_lowercase());
    if wanted.is_some_and(|wanted| !vault.to_string().starts_with(&wanted)) {
        return Err(Failure::new(Exit::Refused, "The account is of another vault.")
            .safe(NOTHING_MADE)
            .next("Check --vault and the account's name against the emergency kit."));
    }
    let proof = Proof::Enrolment(granted.token);
    let store: Opened = Ok(Arc::new(HttpStore::new(&server, vault, proof, Box::new(now_ms))));
    Ok(Found { vault, site: Site::Server(account), store })
}

/// Fetches, joins, and tells the store of the new device; chunks follow later.
fn enter(
    (keeper, syncing): (&Keeper, &Syncing),
    (found, transport): (Found, TransportSigningKey),
    joining: Joining,
    halt: &Halt,
) -> Result<(), Failure> {
    let Found { vault, site, store } = found;
    let path = Home::new(keeper.home()).store();
    let local = Arc::new(LocalStore::create(&path, vault, Box::new(now_ms))?);
    let mut kept = Kept::new(site);
    let store = store.map_err(|error| unread(&sync::trouble(&error, &kept.site)))?;
    let host = Host { local: &local, access: Access::Vault(vault), own: None, halt };
    let mut trip = host.fetch(Ok(Arc::clone(&store)), &mut kept)?;
    for _ in 0..WAITS_MAX {
        // What has come stays, and is not asked for again.
        let Some(seconds) = trip.wait_s.filter(|seconds| *seconds <= WAIT_S_MAX) else { break };
        thread::sleep(Duration::from_secs(seconds));
        trip = host.fetch(Ok(Arc::clone(&store)), &mut kept)?;
    }
    if let Some(trouble) = &trip.trouble {
        return Err(unread(trouble));
    }
    if trip.pulled.heads == 0 {
        return Err(Failure::new(Exit::Unreachable, "The store has nothing whole of this vault.")
            .safe(NOTHING_MADE)
            .next("A tool may be bringing files still: wait, and run it again. Or sync a device first."));
    }
    if let Source::Far { far, secret, .. } = joining.source {
        sync::keep_secret(keeper.home(), &far.url, secret)?;
    }
    sync::begin_with(keeper.home(), &kept)?;
    let credential = credential(joining.way, joining.secret);
    let secret_key = joining.secret_key.map(Secret::into_text);
    let with = (&credential, secret_key.as_ref());
    let known = devices(&local)?;
    let is_server = kept.site.account().is_some();
    let mut announce = || {
        // Nobody guards a folder: it takes everything at once, afterwards.
        let told = is_server.then(|| announce(&local, store.as_ref(), (vault, &known)));
        Ok(told.transpose().map(drop)?)
    };
    keeper
        .join((vault, &local), with, (transport, &mut announce))
        .map_err(|failure| refused(failure, trip.found.is_empty()))?;
    // The rest of what this device is, the others learn from the store. If not now, then later.
    if host.fetch(syncing.open(keeper, vault, &kept.site), &mut kept).is_ok() {
        sync::begin_with(keeper.home(), &kept)?;
    }
    Ok(())
}

/// Whose heads there are.
fn devices(local: &LocalStore) -> Result<Vec<DeviceId>, StoreError> {
    let heads = LocalLog::heads(local)?;
    Ok(heads.iter().filter_map(|head| head.claim().ok()).map(|head| head.device).collect())
}

/// Tells a server of the one device that was not known before: what lists it, and no more (HTP-12).
fn announce(
    local: &LocalStore,
    store: &dyn BlindStore,
    (vault, known): (VaultId, &[DeviceId]),
) -> Result<(), StoreError> {
    for signed in LocalLog::heads(local)? {
        let Ok(head) = signed.claim() else { continue };
        if known.contains(&head.device) {
            continue;
        }
        let feed = head.feed(CollectionId::AUTHORITY);
        let entries = LocalLog::read(local, feed, 0, READ_ENTRIES_MAX)?;
        let receipt = block_on(store.push(&Access::Vault(vault), &signed, &entries))?;
        if !receipt.missing.is_empty() {
            return Err(StoreError::Server("it took this device's word only in part"));
        }
    }
    Ok(())
}

pub(super) fn unread(trouble: &str) -> Failure {
    Failure::new(Exit::Unreachable, format!("The store was not read: {trouble}."))
        .safe(NOTHING_MADE)
        .next("Run it again when it can be read.")
}

fn no_id() -> Failure {
    Failure::usage("This is no vault's id.", "It has 64 digits, and is in the emergency kit.")
}

/// From here on, what stands in the folder is a join's.
pub(super) fn begin(home: &Path) -> Result<(), Failure> {
    match Home::new(home).kind() {
        Ok(Kind::Empty) => {}
        Ok(Kind::Vault(_)) => return Err(VaultError::Exists.into()),
        Ok(Kind::Newer) => return Err(VaultError::Newer.into()),
        Ok(Kind::Unknown) => return Err(VaultError::Damaged("aura-vault").into()),
        Err(error) => return Err(Failure::file("The vault's folder could not be read", &error)),
    }
    let joining = Home::new(home).joining();
    let found = fs::read_dir(home).map_err(|error| unwritten(&error))?;
    let is_again = joining.exists();
    let may_stand = |name: &OsStr| {
        let own = [place::SOCKET, place::LOCK, "joining", "joining.new"];
        let mut known = own.iter().chain(REMAINS.iter().filter(|_| is_again));
        known.any(|known| name == *known)
    };
    if found.flatten().any(|entry| !may_stand(&entry.file_name())) {
        return Err(Failure::usage(
            "There are other files in the vault's folder, and they were left as they are.",
            "Choose a new or an empty folder with --home DIR.",
        ));
    }
    let begun = clear(home).and_then(|()| home::replace(&joining, b"a device joins\n"));
    begun.map_err(|error| unwritten(&error))
}

/// Takes away what a try has left that made no vault, and then the word that one goes on.
pub(super) fn end(home: &Path) -> io::Result<()> {
    if matches!(Home::new(home).kind(), Ok(Kind::Empty)) {
        clear(home)?;
    }
    home::remove(&Home::new(home).joining())
}

fn clear(home: &Path) -> io::Result<()> {
    for name in REMAINS {
        let path = home.join(name);
        let removed = match fs::symlink_metadata(&path) {
            Ok(found) if found.is_dir() => fs::remove_dir_all(&path),
            Ok(_) => fs::remove_file(&path),
            Err(error) => Err(error),
        };
        match removed {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// What did not open, in words that fit a device that is none yet.
fn refused(failure: Failure, is_whole: bool) -> Failure {
    match failure.exit {
        Exit::Locked => Failure::new(Exit::Locked, "That does not open the vault in this store.")
            .safe(NOTHING_MADE)
            .next("Check the password and the secret key, or use the recovery code: --recovery."),
        Exit::Damaged if !is_whole => {
            Failure::new(Exit::Unreachable, "The store does not have everything of this vault.")
                .safe(NOTHING_MADE)
                .next("A tool may be bringing files still: wait, and run it again.")
        }
        _ => failure,
    }
}

pub(super) fn unwritten(error: &io::Error) -> Failure {
    Failure::file("The vault's folder could not be written", error)
}

pub(super) fn lost() -> Failure {
    Failure::new(Exit::Failed, "This device is not among the vault's.")
        .safe("Nothing that was stored is lost.")
        .next("Run `aura verify`.")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// DIR-14: an unfinished join is begun anew; files that it has not made are left alone.
    #[test]
    fn dir_14_an_interrupted_join_blocks_no_other() {
        let dir = tempfile::tempdir().unwrap();
        let home = dir.path();
        begin(home).unwrap();
        fs::create_dir(home.join("store")).unwrap();
        for name in ["store/store.db", "secret.key", "device.key", "stores.json"] {
            fs::write(home.join(name), name).unwrap();
        }
        begin(home).unwrap();
        assert_eq!(fs::read_dir(home).unwrap().count(), 1, "only the word that it goes on");
        fs::write(home.join("mine"), "mine").unwrap();
        assert_eq!(begin(home).unwrap_err().exit, Exit::Usage);
        assert_eq!(fs::read_to_string(home.join("mine")).unwrap(), "mine");
        end(home).unwrap();
        assert!(!Home::new(home).joining().exists() && home.join("mine").exists());

        // Without that word they may be a vault's that has lost its marker.
        fs::remove_file(home.join("mine")).unwrap();
        fs::write(home.join("device.key"), "keys").unwrap();
        assert_eq!(begin(home).unwrap_err().exit, Exit::Usage);
        assert!(home.join("device.key").exists());
    }
}
