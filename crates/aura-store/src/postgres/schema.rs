// SPDX-License-Identifier: MIT OR Apache-2.0
//! The tables of all vaults, and how they come to be.
//!
//! The vault's id is first in every key and there are no sequences, triggers or foreign keys, so that an engine
//! that spreads its rows over machines keeps each vault together. Migrations go forward only; a database that a
//! newer version made is refused and left as it is. Source: spec/store.md, rules STO-40 and STO-41.

use std::cmp::Ordering;

use aura_protocol::store::StoreError;
use postgres::Client;

use super::OpenError;
use super::fault::failed;

/// What each version adds to the one before it, from version 1 on.
const MIGRATIONS: [&str; 3] = [FIRST, FLOORS_AND_SHELVES, MARKS];

const FIRST: &str = "
CREATE TABLE vaults (
    id BYTEA PRIMARY KEY,
    authority BIGINT NOT NULL
);
CREATE TABLE feeds (
    vault BYTEA NOT NULL, device BYTEA NOT NULL, incarnation BYTEA NOT NULL,
    collection BYTEA NOT NULL,
    kept BIGINT NOT NULL, kept_hash BYTEA NOT NULL,
    held BIGINT NOT NULL, held_hash BYTEA NOT NULL,
    PRIMARY KEY (vault, device, incarnation, collection)
);
CREATE TABLE entries (
    vault BYTEA NOT NULL, device BYTEA NOT NULL, incarnation BYTEA NOT NULL,
    collection BYTEA NOT NULL, number BIGINT NOT NULL,
    hash BYTEA NOT NULL, header BYTEA NOT NULL, body BYTEA NOT NULL,
    PRIMARY KEY (vault, device, incarnation, collection, number)
);
CREATE TABLE names (
    vault BYTEA NOT NULL, name BYTEA NOT NULL,
    device BYTEA NOT NULL, incarnation BYTEA NOT NULL, collection BYTEA NOT NULL,
    number BIGINT NOT NULL, hash BYTEA NOT NULL, size_bytes BIGINT NOT NULL,
    PRIMARY KEY (vault, name, device, incarnation, collection, number)
);
CREATE INDEX names_by_entry ON names (vault, device, incarnation, collection, number);
CREATE TABLE heads (
    vault BYTEA NOT NULL, device BYTEA NOT NULL, incarnation BYTEA NOT NULL,
    number BIGINT NOT NULL,
    hash BYTEA NOT NULL, payload BYTEA NOT NULL, signature BYTEA NOT NULL,
    PRIMARY KEY (vault, device, incarnation, number)
);
CREATE TABLE pins (
    vault BYTEA NOT NULL, by_device BYTEA NOT NULL, by_incarnation BYTEA NOT NULL,
    device BYTEA NOT NULL, incarnation BYTEA NOT NULL, number BIGINT NOT NULL,
    PRIMARY KEY (vault, by_device, by_incarnation, device, incarnation, number)
);
CREATE INDEX pins_by_head ON pins (vault, device, incarnation, number);
CREATE TABLE chunks (
    vault BYTEA NOT NULL, name BYTEA NOT NULL, sealed BYTEA NOT NULL,
    PRIMARY KEY (vault, name)
);
";

/// Version 1 let go of nothing, and kept every chunk in its table.
const FLOORS_AND_SHELVES: &str = "
ALTER TABLE feeds ADD COLUMN floor BIGINT NOT NULL DEFAULT 0;
ALTER TABLE feeds ADD COLUMN floor_hash BYTEA NOT NULL
    DEFAULT '\\x0000000000000000000000000000000000000000000000000000000000000000';
ALTER TABLE chunks ADD COLUMN hash BYTEA;
ALTER TABLE chunks ADD COLUMN size_bytes BIGINT;
UPDATE chunks SET hash = sha256(sealed), size_bytes = octet_length(sealed);
ALTER TABLE chunks ALTER COLUMN hash SET NOT NULL;
ALTER TABLE chunks ALTER COLUMN size_bytes SET NOT NULL;
ALTER TABLE chunks ALTER COLUMN sealed DROP NOT NULL;
ALTER TABLE chunks ADD COLUMN place BYTEA;
CREATE TABLE places (
    vault BYTEA NOT NULL, place BYTEA NOT NULL, until_ms BIGINT NOT NULL,
    PRIMARY KEY (vault, place)
);
CREATE INDEX places_by_time ON places (until_ms);
";

/// Version 2 took any place for its shelf. The one row is no vault's.
const MARKS: &str = "CREATE TABLE shelves (mark BYTEA NOT NULL);";

/// The tables of the vaults among those that have a version.
const VAULTS: i64 = 1;

/// How often nodes that begin at the same time may get into each other's way.
const TRIES_MAX: usize = 8;

/// Brings the tables of vaults to the newest version. Any number of nodes may do so at once.
pub(super) fn migrate(client: &mut Client) -> Result<(), OpenError> {
    bring_up(client, VAULTS, &MIGRATIONS)
}

/// Whether the tables of vaults are of the newest version.
pub(super) fn check_own(client: &mut Client) -> Result<(), OpenError> {
    check(client, VAULTS, &MIGRATIONS)
}

/// Whether a group of tables is of the newest version. Nothing is changed.
pub(super) fn check(client: &mut Client, group: i64, migrations: &[&str]) -> Result<(), OpenError> {
    let known = i64::try_from(migrations.len()).unwrap_or(i64::MAX);
    let sql = "SELECT to_regclass('aura_tables') IS NOT NULL";
    let is_made: bool = client
        .query_one(sql, &[])
        .and_then(|row| row.try_get(0))
        .map_err(OpenError::from_engine)?;
    let found = if is_made {
        let sql = "SELECT version FROM aura_tables WHERE id = $1";
        let row = client.query_opt(sql, &[&group]).map_err(OpenError::from_engine)?;
        row.map_or(Ok(0), |row| row.try_get::<_, i64>(0)).map_err(OpenError::from_engine)?
    } else {
        0
    };
    match found.cmp(&known) {
        Ordering::Less => Err(OpenError::Older { found, known }),
        Ordering::Equal => Ok(()),
        Ordering::Greater => Err(OpenError::Newer { found, known }),
    }
}

/// Brings a group of tables to the newest version, in one transaction.
pub(super) fn bring_up(
    client: &mut Client,
    group: i64,
    migrations: &[&str],
) -> Result<(), OpenError> {
    let mut tries = 0;
    loop {
        match try_bring_up(client, group, migrations) {
            // Two that make the same table: one of them is told so, and finds it there.
            Err(OpenError::Store(StoreError::Database(_))) if tries < TRIES_MAX => tries += 1,
            done => return done,
        }
    }
}

fn try_bring_up(client: &mut Client, group: i64, migrations: &[&str]) -> Result<(), OpenError> {
    let known = i64::try_from(migrations.len()).unwrap_or(i64::MAX);
    let mut transaction = client.transaction().map_err(OpenError::from_engine)?;
    let make =
        "CREATE TABLE IF NOT EXISTS aura_tables (id BIGINT PRIMARY KEY, version BIGINT NOT NULL)";
    transaction.batch_execute(make).map_err(OpenError::from_engine)?;
    let sql = "INSERT INTO aura_tables (id, version) VALUES ($1, 0) ON CONFLICT DO NOTHING";
    transaction.execute(sql, &[&group]).map_err(OpenError::from_engine)?;
    let sql = "SELECT version FROM aura_tables WHERE id = $1 FOR UPDATE";
    let row = transaction.query_one(sql, &[&group]).map_err(OpenError::from_engine)?;
    let found: i64 = row.try_get(0).map_err(OpenError::from_engine)?;
    if found > known {
        return Err(OpenError::Newer { found, known });
    }
    let done = usize::try_from(found).unwrap_or(0);
    for migration in migrations.iter().skip(done) {
        transaction.batch_execute(migration).map_err(OpenError::from_engine)?;
    }
    let sql = "UPDATE aura_tables SET version = $2 WHERE id = $1";
    transaction.execute(sql, &[&group, &known]).map_err(OpenError::from_engine)?;
    transaction.commit().map_err(failed).map_err(OpenError::Store)
}
