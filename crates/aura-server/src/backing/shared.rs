// SPDX-License-Identifier: MIT OR Apache-2.0
//! What any number of nodes share: vaults, accounts, access logs and what counts for minutes, in one PostgreSQL
//! database, and chunks beside it. A node keeps nothing that another one needs.

/// The database's clock in milliseconds since 1970, as SQL: what counts for minutes does so at every node, however far
/// their own clocks are apart.
macro_rules! clock {
    () => {
        "(extract(epoch from statement_timestamp()) * 1000)::bigint"
    };
}

mod accounts;

mod closing;

mod tokens;

mod log;

mod boxes;

use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

use aura_protocol::auth::login::Setup;
use aura_protocol::id::{DeviceId, Hash, VaultId};
use aura_protocol::store::StoreError;
use aura_store::folder::FolderShelf;
use aura_store::folder::far::{Far, FarAddress, Secret};
use aura_store::postgres::{self, Address, Database, News as Told, PostgresStore};
use aura_store::shelf::Shelf;
use zeroize::Zeroizing;

use self::accounts::{SharedAccounts, bytes};
use self::boxes::SharedBoxes;
use self::log::SharedLeaves;
use self::tokens::SharedTokens;
use super::{Backing, BackingError};
use crate::access::{AccessLog, Leaves};
use crate::config::Storage;
use crate::listing::Listing;
use crate::secrets::LogKey;
use crate::vaults::{Company, Disagreement, Heard, Held, Hosting, Now, VaultStore};

/// The server's tables among those that have a version.
const GROUP: u32 = 16;
/// The largest file with a secret or with certificates that is read, in bytes.
const FILE_BYTES_MAX: u64 = 256 << 10;

/// What each version of the server's tables adds to the one before it. What counts for minutes need not survive a
/// crash of the database.
const MIGRATIONS: [&str; 3] = [FIRST, BOXES, CLOSING];

const FIRST: &str = "
CREATE TABLE accounts (
    vault BYTEA PRIMARY KEY, name TEXT NOT NULL UNIQUE, record BYTEA NOT NULL,
    device BYTEA NOT NULL, transport BYTEA NOT NULL,
    quota_bytes BIGINT, made_ms BIGINT NOT NULL, listing BYTEA NOT NULL
);
CREATE TABLE invitations (
    hash BYTEA PRIMARY KEY, uses BIGINT NOT NULL, until_ms BIGINT NOT NULL
);
CREATE TABLE closed (number BIGINT NOT NULL);
INSERT INTO closed VALUES (0);
CREATE TABLE agreed (what TEXT PRIMARY KEY, hash BYTEA NOT NULL);
CREATE UNLOGGED TABLE challenges (
    nonce BYTEA PRIMARY KEY, vault BYTEA NOT NULL, device BYTEA NOT NULL, until_ms BIGINT NOT NULL
);
CREATE INDEX challenges_by_time ON challenges (until_ms);
CREATE UNLOGGED TABLE logins (
    login BYTEA PRIMARY KEY, name TEXT NOT NULL, transport BYTEA NOT NULL, vault BYTEA,
    halfway BYTEA NOT NULL, until_ms BIGINT NOT NULL
);
CREATE INDEX logins_by_time ON logins (until_ms);
CREATE UNLOGGED TABLE sessions (
    token BYTEA PRIMARY KEY, vault BYTEA NOT NULL, device BYTEA, transport BYTEA,
    until_ms BIGINT NOT NULL
);
CREATE INDEX sessions_by_vault ON sessions (vault);
CREATE INDEX sessions_by_time ON sessions (until_ms);
CREATE TABLE access_edges (vault BYTEA PRIMARY KEY, frontier BYTEA NOT NULL);
CREATE TABLE access_hashes (
    vault BYTEA NOT NULL, level BIGINT NOT NULL, number BIGINT NOT NULL, hash BYTEA NOT NULL,
    PRIMARY KEY (vault, level, number)
);
CREATE TABLE access_leaves (
    vault BYTEA NOT NULL, number BIGINT NOT NULL, leaf BYTEA NOT NULL,
    PRIMARY KEY (vault, number)
);
";

/// Version 1 had no boxes of devices that pair.
const BOXES: &str = "
CREATE UNLOGGED TABLE boxes (
    place BYTEA PRIMARY KEY, vault BYTEA NOT NULL, until_ms BIGINT NOT NULL,
    offered BYTEA, answered BYTEA, granted BYTEA, done BYTEA
);
CREATE INDEX boxes_by_vault ON boxes (vault);
";

/// Version 2 had no notes of vaults that are to be taken away, and logins did not know their record.
const CLOSING: &str = "
CREATE TABLE closing (vault BYTEA PRIMARY KEY, until TIMESTAMPTZ NOT NULL);
ALTER TABLE logins ADD COLUMN record BYTEA;
";

/// Opens what the settings name, and brings its tables to the newest version.
pub(crate) fn open(storage: &Storage, now_ms: Now) -> Result<Backing, BackingError> {
    let failed = |error| BackingError::Database(Box::new(error));
    let database = match reached(storage)? {
        (address, connections, Some(shelf)) => {
            Database::open_beside(address, connections, shelf, Box::new(now_ms))
        }
        (address, connections, None) => Database::open(address, connections, Box::new(now_ms)),
    };
    let database = database.map_err(failed)?;
    database.bring_up(GROUP, &MIGRATIONS).map_err(failed)?;
    Ok(backing(database, now_ms))
}

/// Opens what the settings name as it is: tables of another version are the nodes' own to change.
pub(crate) fn open_as_is(storage: &Storage, now_ms: Now) -> Result<Backing, BackingError> {
    let failed = |error| BackingError::Database(Box::new(error));
    let (address, connections, shelf) = reached(storage)?;
    let database = Database::open_as_is(address, connections, shelf, Box::new(now_ms));
    let database = database.map_err(failed)?;
    database.check(GROUP, &MIGRATIONS).map_err(failed)?;
    Ok(backing(database, now_ms))
}

type Reached = (Address, usize, Option<Arc<dyn Shelf>>);

fn reached(storage: &Storage) -> Result<Reached, BackingError> {
    let connections = usize::try_from(storage.connections).unwrap_or(usize::MAX);
    Ok((address(storage)?, connections, shelf(storage)?))
}

fn backing(database: Database, now_ms: Now) -> Backing {
    let database = Arc::new(database);
    Backing {
        accounts: Arc::new(SharedAccounts(Arc::clone(&database))),
        passes: Arc::new(SharedTokens::new(Arc::clone(&database))),
        boxes: Arc::new(SharedBoxes::new(Arc::clone(&database))),
        hosting: Arc::new(Shared { database, now_ms }),
    }
}

fn address(storage: &Storage) -> Result<Address, BackingError> {
    let failed = |error| BackingError::Database(Box::new(error));
    let text = storage.postgres.as_str();
    let address = match &storage.authority {
        Some(path) => Address::over_tls(text, &read(path)?).map_err(failed)?,
        None => Address::near(text).map_err(failed)?,
    };
    if address.has_password() {
        return Err(BackingError::Password);
    }
    Ok(match &storage.password {
        Some(path) => address.with_password(first_line(path)?.as_bytes()),
        None => address,
    })
}

fn shelf(storage: &Storage) -> Result<Option<Arc<dyn Shelf>>, BackingError> {
    let Some(chunks) = &storage.chunks else { return Ok(None) };
    if !FarAddress::is_meant(chunks) {
        let shelf = FolderShelf::open(Path::new(chunks)).map_err(BackingError::Chunks)?;
        return Ok(Some(Arc::new(shelf)));
    }
    let unfit = || BackingError::Chunks(StoreError::Unreachable("its address is none"));
    let bucket = storage.bucket.as_ref().ok_or_else(unfit)?;
    let far = Far {
        account: Some(bucket.account.clone()),
        endpoint: bucket.endpoint.clone(),
        region: bucket.region.clone(),
        certificate: bucket.certificate.clone(),
        ..Far::new(FarAddress::parse(chunks).map_err(|_| unfit())?)
    };
    let secret = Secret::new(first_line(&bucket.secret)?);
    let shelf = FolderShelf::far(&far, Some(&secret)).map_err(BackingError::Chunks)?;
    Ok(Some(Arc::new(shelf)))
}

fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, BackingError> {
    let failed = |error| BackingError::File { path: path.to_owned(), error };
    let mut bytes = Zeroizing::new(Vec::new());
    let file = File::open(path).map_err(failed)?;
    file.take(FILE_BYTES_MAX).read_to_end(&mut bytes).map_err(failed)?;
    Ok(bytes)
}

/// The secret that a file's first line is.
fn first_line(path: &Path) -> Result<Zeroizing<String>, BackingError> {
    let bytes = read(path)?;
    let unfit = || std::io::Error::from(std::io::ErrorKind::InvalidData);
    let failed = |error| BackingError::File { path: path.to_owned(), error };
    let text = std::str::from_utf8(&bytes).map_err(|_| failed(unfit()))?;
    let line = text.lines().next().unwrap_or_default().trim();
    if line.is_empty() { Err(failed(unfit())) } else { Ok(Zeroizing::new(line.to_owned())) }
}

/// Vaults in the database.
#[derive(Debug)]
struct Shared {
    database: Arc<Database>,
    now_ms: Now,
}

impl Hosting for Shared {
    fn open(&self, vault: VaultId) -> Result<Box<dyn VaultStore>, StoreError> {
        Ok(Box::new(self.database.vault(vault)))
    }

    fn log(&self, vault: VaultId) -> Option<AccessLog> {
        Some(AccessLog::of(self.leaves(vault)?, vault, self.now_ms))
    }

    fn leaves(&self, vault: VaultId) -> Option<Box<dyn Leaves>> {
        Some(Box::new(SharedLeaves { database: Arc::clone(&self.database), vault }))
    }

    fn remove(&self, vault: VaultId) -> Result<(), StoreError> {
        self.database.remove(vault)?;
        self.database.ask_in_one(|asking| {
            for sql in [
                // First, since who appends to the log holds it.
                "DELETE FROM access_edges WHERE vault = $1",
                "DELETE FROM access_leaves WHERE vault = $1",
                "DELETE FROM access_hashes WHERE vault = $1",
            ] {
                asking.change(sql, &[&&vault.0[..]])?;
            }
            Ok(())
        })
    }

    fn is_shared(&self) -> bool {
        true
    }

    fn listen(&self, ear: Box<dyn Fn(Heard) + Send + Sync>) {
        self.database.listen(move |told| match told {
            Told::Heads(vault) => ear(Heard::Heads(vault)),
            Told::Devices(vault) => ear(Heard::Devices(vault)),
            _ => ear(Heard::Anything),
        });
    }

    fn tell(&self, vault: VaultId) -> Result<(), StoreError> {
        self.database.tell_devices(vault)
    }

    fn sweep(&self) -> Result<(), StoreError> {
        self.database.sweep().map(drop)
    }

    fn hold(&self, company: Company) -> Result<Option<Box<dyn Held>>, StoreError> {
        let hold = self.database.hold(match company {
            Company::Others => postgres::Company::Others,
            Company::Nobody => postgres::Company::Nobody,
        })?;
        Ok(hold.map(|hold| Box::new(hold) as Box<dyn Held>))
    }

    fn agree(&self, setup: &Setup, log: &LogKey) -> Result<(), Disagreement> {
        for (what, hash) in keys(setup, log) {
            let sql = "INSERT INTO agreed (what, hash) VALUES ($1, $2) ON CONFLICT DO NOTHING";
            self.database.ask::<_, StoreError>(|asking| {
                asking.change(sql, &[&what, &&hash.0[..]]).map(drop)
            })?;
        }
        self.compare(setup, log)
    }

    fn compare(&self, setup: &Setup, log: &LogKey) -> Result<(), Disagreement> {
        for (what, hash) in keys(setup, log) {
            let sql = "SELECT hash FROM agreed WHERE what = $1";
            let found = self.database.ask::<_, StoreError>(|asking| asking.query(sql, &[&what]))?;
            if found.first().is_some_and(|row| bytes(row, 0) != Some(&hash.0)) {
                return Err(Disagreement::Key(what));
            }
        }
        Ok(())
    }
}

impl Held for postgres::Hold {
    fn check(&self) -> Result<(), StoreError> {
        Self::check(self)
    }
}

/// What nodes compare of the keys that all of them have.
fn keys(setup: &Setup, log: &LogKey) -> [(&'static str, Hash); 2] {
    let logins = Hash::of(&[b"aura-server logins.key", &setup.to_bytes()]);
    [("logins_key", logins), ("log_key", Hash::of(&[&log.public()]))]
}

impl VaultStore for PostgresStore {
    fn vault(&self) -> VaultId {
        Self::vault(self)
    }

    fn version(&self) -> Result<i64, StoreError> {
        self.authority()
    }

    fn judged(&self) -> Result<Option<Listing>, StoreError> {
        match self.devices() {
            Ok(devices) => {
                let feeds = self.authority_feeds()?;
                Ok(devices.roster().map(|roster| Listing::of(roster, &feeds)))
            }
            Err(StoreError::DamagedEntry { .. } | StoreError::Damaged(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn cost_bytes(&self) -> Result<u64, StoreError> {
        Self::cost_bytes(self)
    }

    fn cost_of(&self, devices: &[DeviceId]) -> Result<u64, StoreError> {
        Self::cost_of(self, devices)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]

    use aura_protocol::auth::AccountName;
    use aura_protocol::auth::login::RECORD_BYTES;
    use aura_testkit::cluster::Cluster;

    use super::*;
    use crate::accounts::{Account, AccountBook as _, AccountError, Closing as _, take_away};

    /// ACC-14: what the second version wrote is read; closed accounts are noted until their vaults are gone, for all nodes.
    #[test]
    fn tables_of_the_second_version_are_brought_up() {
        let Some(cluster) = Cluster::begin() else { return };
        let address = cluster.fresh();
        let open = || Database::open(Address::near(&address).unwrap(), 2, Box::new(|| 1)).unwrap();
        let old = open();
        old.bring_up(GROUP, &MIGRATIONS[..2]).unwrap();
        let sql = "INSERT INTO accounts VALUES ($1, 'ada', $2, $3, $4, NULL, 6, $5)";
        let (vault, listing) = (VaultId([1; 32]), Listing::of_one(DeviceId([4; 16]), [5; 32]));
        let kept = old.ask::<_, StoreError>(|asking| {
            let listing = aura_protocol::codec::Encode::to_bytes(&listing);
            let record = [3; RECORD_BYTES];
            let (device, transport) = ([4_u8; 16], [5_u8; 32]);
            let values: [&[u8]; 4] = [&vault.0, &record, &device, &transport];
            asking.change(sql, &[&values[0], &values[1], &values[2], &values[3], &listing])
        });
        assert_eq!(kept.unwrap(), 1);
        assert!(old.check(GROUP, &MIGRATIONS).is_err(), "whoever only looks does not bring it up");
        old.bring_up(GROUP, &MIGRATIONS).unwrap();
        old.check(GROUP, &MIGRATIONS).unwrap();

        let accounts = SharedAccounts(Arc::new(old));
        let beside = SharedAccounts(Arc::new(open()));
        let ada = accounts.of_vault(vault).unwrap().unwrap();
        let name = AccountName::parse("ada").unwrap();
        assert_eq!(ada, Account { name, ..ada.clone() });
        assert!(!accounts.take_turn(vault).unwrap(), "it is not closed");
        accounts.close(vault).unwrap();
        let reopened = || accounts.open_account((&ada, &listing), None);
        assert!(matches!(reopened(), Err(AccountError::Closing)));
        assert!(beside.take_turn(vault).unwrap());
        assert!(!accounts.take_turn(vault).unwrap());
        assert_eq!(accounts.closing().unwrap(), []);
        let late = "UPDATE closing SET until = until - interval '11 minutes'";
        accounts.0.ask::<_, StoreError>(|asking| asking.change(late, &[])).unwrap();
        assert_eq!(accounts.closing().unwrap(), [vault]);
        assert!(take_away(&accounts, vault, || Err(StoreError::Full)).is_err());
        assert_eq!(accounts.closing().unwrap(), [vault]);
        take_away(&beside, vault, || Ok(())).unwrap();
        assert_eq!(accounts.closing().unwrap(), []);
        reopened().unwrap();
    }

    /// attack TRF-08: what the database says of an error names rows, and is not told; its code is.
    #[test]
    fn errors_of_the_database_name_no_vault() {
        let Some(cluster) = Cluster::begin() else { return };
        let address = Address::near(&cluster.fresh()).unwrap();
        let database = Database::open(address, 1, Box::new(|| 1)).unwrap();
        let again = || {
            database.ask::<_, StoreError>(|asking| {
                asking.change("INSERT INTO vaults VALUES ('quokka', 1)", &[])
            })
        };
        assert_eq!(again().unwrap(), 1);
        let failed = again().unwrap_err();
        let mut error: Option<&dyn std::error::Error> = Some(&failed);
        let mut told = String::new();
        while let Some(of) = error {
            told = format!("{told}: {of} {of:?}");
            error = of.source();
        }
        // 71756f6b6b61 is how it shows the name.
        assert!(told.contains("23505") && !told.contains("71756f6b6b61"), "{told}");
        assert!(!told.contains("quokka"), "{told}");
    }
}
