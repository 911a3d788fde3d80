// SPDX-License-Identifier: MIT OR Apache-2.0
//! A device's own keys in the hands of another program, which writes into the device's store what it likes.

use std::sync::Arc;

use aura_crypto::entropy::Entropy;
use aura_crypto::sign::DeviceSigningKey;
use aura_protocol::codec::Decode as _;
use aura_protocol::head::Head;
use aura_protocol::id::VaultId;
use aura_protocol::log::Frontier;
use aura_protocol::store::LocalLog;
use aura_store::local::LocalStore;
use aura_vault::device::DeviceFile;
use aura_vault::feed::{Commit, Pen};
use aura_vault::keyring::Keyring;
use aura_vault::vault::{Kit, Unlocked, Vault};

use super::pair::roots;

/// The other program.
pub struct Thief {
    pub store: Arc<LocalStore>,
    pub vault: VaultId,
    /// The last head that the device itself signed.
    pub head: Head,
    pub pen: Pen,
    pub keyring: Keyring,
    pub sign: DeviceSigningKey,
}

impl Thief {
    /// Takes over a device, whose vault is shut for it.
    pub fn of(store: Arc<LocalStore>, vault: Vault<Unlocked>, kit: &Kit) -> Self {
        let (id, keys) = (vault.id(), roots(&vault, kit));
        let home = vault.home().clone();
        drop(vault.lock());
        let bytes = std::fs::read(home.device_key()).unwrap();
        let open = || DeviceFile::from_bytes(&bytes, 4096).unwrap().open(id, &keys).unwrap();
        let heads = LocalLog::heads(store.as_ref()).unwrap();
        let own = heads.iter().map(|head| head.claim().unwrap());
        let head = own.into_iter().find(|head| head.device == open().id()).unwrap();
        let pen = Pen::new(id, open(), Some(head.clone()), Frontier::new());
        let sign = open().sign;
        let mut keyring = Keyring::new(id, keys);
        keyring.load_file(&std::fs::read(home.keyring()).unwrap()).unwrap();
        Self { store, vault: id, head, pen, keyring, sign }
    }

    /// What goes with everything that it writes from here on.
    pub fn write(&mut self, commit: &Commit, entropy: &mut dyn Entropy) {
        self.pen.commit(commit, &self.keyring, self.store.as_ref(), entropy).unwrap();
    }
}
