// SPDX-License-Identifier: MIT OR Apache-2.0
//! Two devices of one vault, and whatever they sync with; and a device whose keys somebody else has.

use std::path::Path;
use std::sync::Arc;

use aura_crypto::entropy::Entropy;
use aura_crypto::key::RecoveryCode;
use aura_crypto::seal;
use aura_crypto::sign::{DeviceSigningKey, LabelledSigner as _};
use aura_crypto::slot::{SlotSecrets, recovery_secret, unwrap_from_slot};
use aura_protocol::authority::Recipient;
use aura_protocol::codec::{Decode as _, Encode as _, Extra};
use aura_protocol::entry::{Entry, EntryHeader};
use aura_protocol::head::{Head, Position};
use aura_protocol::id::{CollectionId, VaultId};
use aura_protocol::label::Label;
use aura_protocol::signed::Signed;
use aura_protocol::store::{Access, BlindStore, LocalLog};
use aura_store::local::LocalStore;
use aura_store::replicate::{Finding, Mark, Replicated, replicate};
use aura_store::transfer::{ChunkMark, transfer};
use aura_testkit::transcript::{RecordedLog, Transcript};
use aura_vault::device::DeviceFile;
use aura_vault::gate::Session;
use aura_vault::home::Home;
use aura_vault::keyring::{Keyring, RootKeys};
use aura_vault::vault::{Credential, Kit, Locked, Unlocked, Vault};
use pollster::block_on;

use super::{Bench, PASSWORD, START_MS, owner, password};

/// Chunks that one sync carries, in bytes.
const BUDGET: u64 = 1 << 24;

/// A device, with what it remembers of the store that it syncs with.
pub struct Device {
    pub store: Arc<LocalStore>,
    pub vault: Vault<Unlocked>,
    /// What its vault asks its own store.
    pub log: Transcript,
    mark: Mark,
    chunks: ChunkMark,
}

impl Device {
    /// Opens the vault in this folder.
    pub fn open(path: &Path, bench: &Bench) -> Self {
        let store =
            Arc::new(LocalStore::open(&Home::new(path).store(), Box::new(|| START_MS)).unwrap());
        let log = Transcript::new();
        let recorded = RecordedLog::new(Arc::clone(&store) as Arc<dyn LocalLog>, &log);
        let vault = Vault::load(path, Arc::new(recorded)).unwrap();
        let opened = vault.unlock(&password(PASSWORD), bench.environment());
        let vault = opened.map_err(|(_, error)| error).unwrap();
        Self { store, vault, log, mark: Mark::new(), chunks: ChunkMark::default() }
    }

    /// The vault's first device.
    pub fn first(bench: &Bench, second: Option<&str>) -> (Self, Kit) {
        let (vault, kit) = bench.create_with(second);
        drop(vault.lock());
        (Self::open(&bench.home(), bench), kit)
    }

    /// Another device, in a folder of this name, that joins with the recovery code from what a store shows.
    pub fn join(
        bench: &Bench,
        name: &str,
        (vault, kit): (VaultId, &Kit),
        remote: &dyn BlindStore,
    ) -> Self {
        let path = bench.dir.path().join(name);
        let folder = Home::new(&path).store();
        let store = LocalStore::create(&folder, vault, Box::new(|| START_MS)).unwrap();
        let access = Access::Vault(vault);
        let done = block_on(replicate(&store, remote, &access, &Mark::new()));
        assert!(done.stopped.is_none() && done.findings.is_empty(), "{done:?}");
        let code = Credential::Recovery(kit.recovery_code.clone());
        let environment = bench.environment();
        let (log, with) = (Arc::new(store) as Arc<dyn LocalLog>, (&code, Some(&kit.secret_key)));
        drop(Vault::<Locked>::join(&path, (vault, log), with, &environment).unwrap());
        Self::open(&path, bench)
    }

    pub fn session(&self) -> Session {
        owner(&self.vault)
    }

    pub fn state(&self) -> Option<String> {
        self.session().status().unwrap().state_hash
    }

    /// Syncs entries and chunks, takes in what came, and adopts snapshots at once.
    pub fn sync(&mut self, remote: &dyn BlindStore) -> Replicated {
        let done = self.sync_patiently(remote);
        self.vault.adopt_waiting().unwrap();
        done
    }

    /// Syncs entries and chunks, and takes in what came. Snapshots wait for their days.
    pub fn sync_patiently(&mut self, remote: &dyn BlindStore) -> Replicated {
        let access = Access::Vault(self.vault.id());
        let local = self.store.as_ref();
        let done = block_on(replicate(local, remote, &access, &self.mark));
        self.mark.clone_from(&done.mark);
        if done.findings.iter().any(|finding| matches!(finding, Finding::RolledBack { .. })) {
            self.chunks = ChunkMark::default();
        }
        block_on(transfer(local, remote, &access, &mut self.chunks, BUDGET));
        self.vault.take_in().unwrap();
        done
    }
}

/// A device's own keys in the hands of a program that seals and signs what it likes.
pub struct Rogue {
    pub store: Arc<LocalStore>,
    vault: VaultId,
    head: Head,
    keyring: Keyring,
    sign: DeviceSigningKey,
}

impl Rogue {
    /// Takes over a device, whose vault is shut for it.
    pub fn of(device: Device, kit: &Kit) -> Self {
        let (id, keys) = (device.vault.id(), roots(&device.vault, kit));
        let home = device.vault.home().clone();
        drop(device.vault.lock());
        let bytes = std::fs::read(home.device_key()).unwrap();
        let own = DeviceFile::from_bytes(&bytes, 4096).unwrap().open(id, &keys).unwrap();
        let heads = LocalLog::heads(device.store.as_ref()).unwrap();
        let mut heads = heads.iter().map(|head| head.claim().unwrap());
        let head = heads.find(|head| head.device == own.id()).unwrap();
        let mut keyring = Keyring::new(id, keys);
        keyring.load_file(&std::fs::read(home.keyring()).unwrap()).unwrap();
        Self { store: device.store, vault: id, head, keyring, sign: own.sign }
    }

    /// An entry with this content, the next of its feed in this collection.
    pub fn seal(
        &self,
        collection: CollectionId,
        body: Vec<u8>,
        entropy: &mut dyn Entropy,
    ) -> Entry {
        let epoch = self.keyring.epoch(collection).unwrap();
        let last = self.head.position(collection);
        let header = EntryHeader {
            vault: self.vault,
            feed: self.head.feed(collection),
            epoch,
            number: last.number + 1,
            previous: last.hash,
            body_bytes: 0,
            added: Vec::new(),
            dropped: Vec::new(),
            extra: Extra::default(),
        };
        let key = self.keyring.key(collection, epoch).unwrap();
        seal::seal_entry(key, header, body, &mut self.keyring.hedge(entropy))
    }

    /// Writes an entry into its own store, under a head that names it.
    pub fn write(&mut self, entry: Entry) {
        let header = entry.header();
        let position = Position { number: header.number, hash: entry.hash() };
        let collection = header.feed.collection;
        self.head.number += 1;
        self.head.feeds.retain(|(of, _)| *of != collection);
        self.head.feeds.push((collection, position));
        self.head.feeds.sort_by_key(|(of, _)| *of);
        let payload = self.head.to_bytes();
        let signature = self.sign.sign(Label::SigHead, &payload);
        self.store.append(&[entry], &Signed::new(payload, signature)).unwrap();
    }
}

/// The root key and what follows from it, as a program of one's own would get it.
pub fn roots(vault: &Vault<Unlocked>, kit: &Kit) -> RootKeys {
    let (id, roster) = (vault.id(), vault.roster());
    let code = RecoveryCode::parse(&kit.recovery_code).unwrap();
    let opened = roster.wraps().iter().find_map(|(recipient, generation, sealed)| {
        let Recipient::Slot(slot) = recipient else { return None };
        let listed = &roster.slots()[slot];
        let secrets = SlotSecrets::derive(&recovery_secret(&code, &id, slot), &id, slot);
        let root = unwrap_from_slot(&secrets, &listed.keys, (&id, slot, *generation), sealed);
        Some((root.ok()?, *generation))
    });
    let (root, generation) = opened.unwrap();
    RootKeys::derive(root, id, generation)
}
