// SPDX-License-Identifier: MIT OR Apache-2.0
//! Making a vault: root key, identity, first device, slots, collections, and the kit to print.
//!
//! The marker is written last: a crash before it leaves a directory that is no vault yet. Making one
//! there is refused until its files are moved away, since they might be those of a vault that lost its
//! marker. Source: spec/vault-directory.md, rule DIR-8.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use aura_crypto::entropy::Entropy;
use aura_crypto::hpke::KemSecret;
use aura_crypto::kdf::Argon2Params;
use aura_crypto::key::{RecoveryCode, RootKey, SecretKey};
use aura_crypto::sign::{LabelledSigner, TransportSigningKey};
use aura_crypto::tree;
use aura_protocol::authority::{Claim, IdentityKeys, Roster, SignedStatement, Statement};
use aura_protocol::codec::Extra;
use aura_protocol::id::{CollectionId, EpochId, Hash, Nonce16, VaultId};
use aura_protocol::log::Frontier;
use aura_protocol::store::{LocalLog, StoreError};
use zeroize::Zeroizing;

use super::second::{NewSecond, is_behind};
use super::slots::NewSlot;
use super::statement::{random_nonce, sign};
use super::{Unlocked, Vault, VaultError, unlock};
use crate::audit::{Action, Event, Outcome};
use crate::clock::WallClock;
use crate::device::Device;
use crate::feed::{Batch, Commit, Pen};
use crate::home::{self, Home, Kind};
use crate::keyring::{Keyring, Purpose, RootKeys, ViewKeys};
use crate::op::{Change, Op};
use crate::open::Environment;
use crate::record::Category;
use crate::seen::{Seen, Watermark};

/// How a vault is to be made.
pub struct Setup {
    /// The password of its first slot.
    pub password: Zeroizing<String>,
    /// The password of its second lock, if it is to have one.
    pub second: Option<Zeroizing<String>>,
    /// What stretching them costs.
    pub cost: Argon2Params,
}

/// Makes the local store of a new vault.
pub type MakeLog<'a> = &'a dyn Fn(VaultId) -> Result<Arc<dyn LocalLog>, StoreError>;

/// What the person prints and keeps.
pub struct Kit {
    /// The vault.
    pub vault: VaultId,
    /// The secret key, to type on a further device together with the password.
    pub secret_key: Zeroizing<String>,
    /// The recovery code, which opens the vault alone.
    pub recovery_code: Zeroizing<String>,
}

impl Vault<Unlocked> {
    /// Makes a vault in this directory, which must not be one, and opens it.
    ///
    /// # Errors
    /// When there is a vault already, or files or the log cannot be written.
    pub fn create(
        path: &Path,
        make_log: MakeLog<'_>,
        setup: &Setup,
        environment: Environment,
    ) -> Result<(Self, Kit), VaultError> {
        let home = Home::new(path);
        match home.kind().map_err(|error| VaultError::Io("aura-vault", error))? {
            Kind::Empty => {}
            Kind::Vault(_) => return Err(VaultError::Exists),
            Kind::Newer => return Err(VaultError::Newer),
            Kind::Unknown => return Err(VaultError::Damaged("aura-vault")),
        }
        // Files without a marker: a vault whose making was cut short, or one that lost its marker. To
        // make another one over it could destroy the second kind.
        if home.store().exists() || home.device_key().exists() {
            return Err(VaultError::Unfinished);
        }
        if setup.second.as_ref().is_some_and(|second| **second == *setup.password) {
            return Err(VaultError::SamePassword);
        }
        home.create().map_err(|error| VaultError::Io("directory", error))?;
        let mut entropy = (environment.entropy)();
        let mut founding = Founding::new(setup, environment.clock.as_ref(), entropy.as_mut())?;
        let (kit, vault, second) = (founding.kit(), founding.vault, founding.second.take());
        let views = ViewKeys::generate(entropy.as_mut());
        founding.write_files(&home, &views, entropy.as_mut())?;
        let log = make_log(vault)?;
        let (keyring, pen, roster) = founding.write_log(log.as_ref(), entropy.as_mut())?;
        home.mark(vault).map_err(|error| VaultError::Io("aura-vault", error))?;
        let watermark = Watermark::new(&home, Seen::default(), Vec::new());
        let parts = unlock::Parts { vault, roster: &roster, keyring, pen, views, watermark };
        let open = unlock::assemble(&home, Arc::clone(&log), parts, environment)?;
        let made = Self { home, vault, roster, log, state: Unlocked { open: Arc::new(open) } };
        if let Some(second) = second {
            made.enter_second(&second.secrets)?;
        }
        Ok((made, kit))
    }
}

/// Everything that a new vault is made of, before any of it is written.
struct Founding {
    vault: VaultId,
    keyring: Keyring,
    device: Device,
    transport: TransportSigningKey,
    secret_key: SecretKey,
    recovery: RecoveryCode,
    second: Option<NewSecond>,
    statements: Vec<SignedStatement>,
    ops: Vec<Change>,
    now_ms: i64,
}

impl Founding {
    fn new(
        setup: &Setup,
        clock: &dyn WallClock,
        entropy: &mut dyn Entropy,
    ) -> Result<Self, VaultError> {
        let now_ms = clock.now_ms();
        let generation = EpochId { counter: 1, nonce: random_nonce(entropy) };
        let root = RootKey::generate(entropy);
        let device = Device::generate(entropy);
        let transport = TransportSigningKey::generate(entropy);
        let genesis = genesis((&root, generation), &device, &transport, entropy);
        let Hash(vault) = genesis.hash();
        let vault = VaultId(vault);
        let roots = RootKeys::derive(root, vault, generation);
        let secret_key = SecretKey::generate(entropy);
        let recovery = RecoveryCode::generate(entropy);
        let mut statements = vec![genesis];
        let new_slots = [
            NewSlot::password(&setup.password, &secret_key, setup.cost, vault, entropy)?,
            NewSlot::recovery(&recovery, vault, entropy),
        ];
        for slot in &new_slots {
            let generations = core::iter::once(&roots);
            statements.extend(slot.statements(vault, generations, &device, entropy)?);
        }
        let second = setup
            .second
            .as_ref()
            .map(|password| NewSecond::new(password, setup.cost, (vault, &roots), 1, entropy));
        let second = second.transpose()?;
        statements.extend(second.as_ref().map(|second| second.statement(vault, &device, None)));
        let mut keyring = Keyring::new(vault, roots);
        let mut ops = Vec::new();
        for purpose in purposes() {
            let Nonce16(id) = random_nonce(entropy);
            let collection = CollectionId(id);
            let epoch = EpochId { counter: 1, nonce: random_nonce(entropy) };
            let claim = Claim::Epoch { collection, epoch };
            let statement =
                Statement { vault: Some(vault), claim, clock: 0, extra: Extra::default() };
            statements.push(sign(&statement, &[&device.sign]));
            ops.push(match &second {
                Some(second) if is_behind(purpose) => keyring
                    .start_second_epoch((collection, epoch), &second.listed, entropy)
                    .map_err(|_| VaultError::NoSecond)?,
                _ => keyring.start_epoch(collection, epoch, entropy),
            });
            let name = Change::Name { collection, category: purpose.code() };
            // A name is no secret of its own and always opens.
            let _ = keyring.apply(&name);
            ops.push(name);
        }
        Ok(Self {
            vault,
            keyring,
            device,
            transport,
            secret_key,
            recovery,
            second,
            statements,
            ops,
            now_ms,
        })
    }

    fn kit(&self) -> Kit {
        Kit {
            vault: self.vault,
            secret_key: self.secret_key.to_text(),
            recovery_code: self.recovery.to_text(),
        }
    }

    fn write_files(
        &self,
        home: &Home,
        views: &ViewKeys,
        entropy: &mut dyn Entropy,
    ) -> Result<(), VaultError> {
        let write = |name, path: PathBuf, bytes: &[u8]| {
            home::replace(&path, bytes).map_err(|error| VaultError::Io(name, error))
        };
        let secret = Zeroizing::new(format!("{}\n", self.secret_key.to_text().as_str()));
        write("secret.key", home.secret_key(), secret.as_bytes())?;
        write("transport.key", home.transport_key(), self.transport.dangerous_seed())?;
        let roots = self.keyring.roots();
        let sealed = self.device.to_file(self.vault, roots, &mut self.keyring.hedge(entropy));
        write("device.key", home.device_key(), &sealed)?;
        write("keyring", home.keyring(), &self.keyring.to_file(views, entropy))
    }

    fn write_log(
        self,
        log: &dyn LocalLog,
        entropy: &mut dyn Entropy,
    ) -> Result<(Keyring, Pen, Roster), VaultError> {
        let (genesis, rest) = self.statements.split_first().ok_or(VaultError::Damaged("store"))?;
        let mut roster = Roster::begin(genesis).map_err(VaultError::Authority)?;
        for statement in rest {
            roster.apply(statement).map_err(VaultError::Authority)?;
        }
        let mut pen = Pen::new(self.vault, self.device, None, Frontier::new());
        let clock = pen.tick(self.now_ms);
        let ops = self.ops.into_iter().map(|change| Op { clock, author: String::new(), change });
        let batch = Batch {
            collection: CollectionId::ROOT,
            ops: ops.collect(),
            added: Vec::new(),
            dropped: Vec::new(),
        };
        let event = Event {
            time_ms: self.now_ms,
            principal: "owner".to_owned(),
            action: Action::Create,
            outcome: Outcome::Done,
            categories: Vec::new(),
            count: 1,
            grant: String::new(),
        };
        let commit = Commit {
            statements: self.statements,
            batches: vec![batch],
            events: vec![event],
            ..Commit::default()
        };
        pen.commit(&commit, &self.keyring, log, entropy).map_err(crate::open::OpenError::from)?;
        Ok((self.keyring, pen, roster))
    }
}

fn purposes() -> impl Iterator<Item = Purpose> {
    let categories = Category::ALL.iter().map(|category| Purpose::Category(*category));
    categories.chain([Purpose::Audit])
}

fn genesis(
    (root, generation): (&RootKey, EpochId),
    device: &Device,
    transport: &TransportSigningKey,
    entropy: &mut dyn Entropy,
) -> SignedStatement {
    let sign_key = tree::identity_signing_key(root, generation);
    let kem = tree::identity_kem_secret(root, generation);
    let Nonce16(nonce) = random_nonce(entropy);
    let claim = Claim::Genesis {
        identity: IdentityKeys { sign: sign_key.verifying_key(), kem: kem.public_key() },
        generation,
        device: device.public(transport),
        nonce,
    };
    let statement = Statement { vault: None, claim, clock: 0, extra: Extra::default() };
    sign(&statement, &[&sign_key, &device.sign])
}
