// SPDX-License-Identifier: MIT OR Apache-2.0
//! A vault in a temporary directory, with a clock that the test moves and randomness from a seed.
#![allow(dead_code, unreachable_pub, reason = "each test file uses a part of it")]

pub mod altered;
pub mod forged;
pub mod pair;
pub mod several;
pub mod snapshots;
pub mod thief;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use aura_crypto::entropy::Entropy;
use aura_crypto::kdf::Argon2Params;
use aura_protocol::store::{LocalLog, StoreError};
use aura_store::local::LocalStore;
use aura_vault::clock::WallClock;
use aura_vault::gate::{Principal, Session};
use aura_vault::home::Home;
use aura_vault::open::Environment;
use aura_vault::record::{Draft, Fields, Kind};
use aura_vault::vault::{Credential, Kit, Locked, Setup, Unlocked, Vault};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

pub const START_MS: i64 = 1_760_000_000_000;
pub const PASSWORD: &str = "correct horse battery staple";

#[derive(Default)]
pub struct TestClock(pub AtomicI64);

impl WallClock for TestClock {
    fn now_ms(&self) -> i64 {
        START_MS + self.0.fetch_add(1, Ordering::Relaxed)
    }
}

struct Seeded(u64, u64);

impl Entropy for Seeded {
    fn fill(&mut self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(32) {
            self.1 += 1;
            let digest = Sha256::new()
                .chain_update(self.0.to_be_bytes())
                .chain_update(self.1.to_be_bytes())
                .finalize();
            chunk.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
        }
    }
}

pub struct Bench {
    pub dir: tempfile::TempDir,
    pub clock: Arc<TestClock>,
    seed: Arc<AtomicU64>,
}

impl Bench {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self { dir, clock: Arc::default(), seed: Arc::new(AtomicU64::new(1)) }
    }

    pub fn home(&self) -> std::path::PathBuf {
        self.dir.path().join("vault")
    }

    pub fn environment(&self) -> Environment {
        let seed = Arc::clone(&self.seed);
        Environment {
            clock: Arc::clone(&self.clock) as Arc<dyn WallClock>,
            entropy: Arc::new(move || {
                Box::new(Seeded(seed.fetch_add(1, Ordering::Relaxed), 0)) as Box<dyn Entropy + Send>
            }),
        }
    }

    pub fn create(&self) -> (Vault<Unlocked>, Kit) {
        self.create_with(None)
    }

    pub fn create_with(&self, second: Option<&str>) -> (Vault<Unlocked>, Kit) {
        let home = self.home();
        let setup = Setup {
            password: Zeroizing::new(PASSWORD.to_owned()),
            second: second.map(|second| Zeroizing::new(second.to_owned())),
            cost: Argon2Params::FLOOR,
        };
        let store = Home::new(&home).store();
        let make = move |vault| {
            LocalStore::create(&store, vault, Box::new(|| START_MS))
                .map(|store| Arc::new(store) as Arc<dyn LocalLog>)
                .map_err(|_| StoreError::Absent)
        };
        Vault::create(&home, &make, &setup, self.environment()).unwrap()
    }

    pub fn load(&self) -> Vault<Locked> {
        load(&self.home())
    }

    pub fn unlock(&self) -> Vault<Unlocked> {
        self.load().unlock(&password(PASSWORD), self.environment()).map_err(|(_, e)| e).unwrap()
    }
}

pub fn load(home: &Path) -> Vault<Locked> {
    let store = LocalStore::open(&Home::new(home).store(), Box::new(|| START_MS)).unwrap();
    Vault::load(home, Arc::new(store)).unwrap()
}

pub fn password(text: &str) -> Credential {
    Credential::Password(Zeroizing::new(text.to_owned()))
}

pub fn owner(vault: &Vault<Unlocked>) -> Session {
    vault.session(Principal::Owner)
}

pub fn fields(value: serde_json::Value) -> Fields {
    let serde_json::Value::Object(fields) = value else { panic!("an object") };
    fields
}

pub fn note(id: &str, title: &str, text: &str) -> Draft {
    Draft {
        kind: Kind::Note,
        category: Kind::Note.category(),
        source: "test",
        source_id: Some(id.to_owned()),
        time_ms: Some(START_MS - 1000),
        fields: fields(serde_json::json!({"name": title, "text": text})),
        attachments: Vec::new(),
    }
}
