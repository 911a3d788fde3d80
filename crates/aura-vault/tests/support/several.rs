// SPDX-License-Identifier: MIT OR Apache-2.0
//! Several devices of one vault, each with a store of its own.

use std::path::PathBuf;
use std::sync::Arc;

use aura_protocol::id::RecordId;
use aura_protocol::store::{Access, LocalLog};
use aura_store::local::LocalStore;
use aura_store::replicate::{Mark, Replicated, replicate};
use aura_vault::gate::Session;
use aura_vault::home::Home;
use aura_vault::search::Typing;
use aura_vault::vault::{Credential, Kit, Locked, Unlocked, Vault, VaultError};
use zeroize::Zeroizing;

use super::{Bench, PASSWORD, START_MS, note, owner, password};

pub struct Device {
    pub store: Arc<LocalStore>,
    pub vault: Vault<Unlocked>,
}

impl Device {
    pub fn session(&self) -> Session {
        owner(&self.vault)
    }

    pub fn add(&self, id: &str, text: &str) -> RecordId {
        self.session().add(&note(id, id, text)).unwrap()
    }

    pub fn finds(&self, word: &str) -> usize {
        self.session().search(word, Typing::Done, 50).unwrap().len()
    }

    pub fn state(&self) -> String {
        self.session().status().unwrap().state_hash.unwrap()
    }

    pub fn verify(&self) {
        let report = self.session().verify(&mut |_| {}).unwrap();
        assert!(report.is_ok(), "{:?}", report.problems);
    }
}

/// What a vault of one device has: the bench with its folder, the device, and the kit.
pub fn first() -> (Bench, Device, Kit) {
    let bench = Bench::new();
    let (vault, kit) = bench.create();
    drop(vault.lock());
    let path = Home::new(&bench.home()).store();
    let store = Arc::new(LocalStore::open(&path, Box::new(|| START_MS)).unwrap());
    let log = Arc::clone(&store) as Arc<dyn LocalLog>;
    let vault = Vault::load(&bench.home(), log).unwrap();
    let vault =
        vault.unlock(&password(PASSWORD), bench.environment()).map_err(|(_, error)| error).unwrap();
    (bench, Device { store, vault }, kit)
}

/// A folder with a store that has what the device has, and no vault yet.
pub fn copied(bench: &Bench, name: &str, from: &Device) -> (PathBuf, Arc<LocalStore>) {
    let path = bench.dir.path().join(name);
    let vault = from.vault.id();
    let store =
        LocalStore::create(&Home::new(&path).store(), vault, Box::new(|| START_MS)).unwrap();
    let done = pollster::block_on(replicate(
        &store,
        from.store.as_ref(),
        &Access::Vault(vault),
        &Mark::new(),
    ));
    assert!(done.stopped.is_none() && done.findings.is_empty(), "{done:?}");
    (path, Arc::new(store))
}

pub fn join(
    bench: &Bench,
    name: &str,
    from: &Device,
    (credential, secret_key): (&Credential, Option<&Zeroizing<String>>),
) -> Result<Device, VaultError> {
    let (path, store) = copied(bench, name, from);
    let log = Arc::clone(&store) as Arc<dyn LocalLog>;
    let environment = bench.environment();
    let joined = Vault::<Locked>::join(
        &path,
        (from.vault.id(), log),
        (credential, secret_key),
        &environment,
    )?;
    let vault = joined.unlock(credential, environment).map_err(|(_, error)| error)?;
    Ok(Device { store, vault })
}

pub fn recovery(kit: &Kit) -> Credential {
    Credential::Recovery(kit.recovery_code.clone())
}

/// Brings both to the same log, and both views to it.
pub fn sync(a: &mut Device, b: &mut Device) -> Replicated {
    let access = Access::Vault(a.vault.id());
    let (local, remote) = (a.store.as_ref(), b.store.as_ref());
    let done = pollster::block_on(replicate(local, remote, &access, &Mark::new()));
    assert!(done.stopped.is_none() && done.findings.is_empty(), "{done:?}");
    a.vault.take_in().unwrap();
    b.vault.take_in().unwrap();
    done
}

/// The same device, shut and opened again.
pub fn reopened(bench: &Bench, device: Device) -> Device {
    let home = device.vault.home().clone();
    drop(device.vault.lock());
    let log = Arc::clone(&device.store) as Arc<dyn LocalLog>;
    let vault = Vault::load(home.path(), log).unwrap();
    let opened = vault.unlock(&password(PASSWORD), bench.environment());
    Device { vault: opened.map_err(|(_, error)| error).unwrap(), ..device }
}
