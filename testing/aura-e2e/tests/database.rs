// SPDX-License-Identifier: MIT OR Apache-2.0
//! CONF with a database: what a vault of the real program has put into PostgreSQL is all there, and says nothing.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic is a failed test")]

use std::fs;
use std::sync::Arc;
use std::time::SystemTime;

use aura_e2e::Person;
use aura_protocol::store::{Access, LocalLog as _};
use aura_store::local::LocalStore;
use aura_store::postgres::{Address, Database};
use aura_store::replicate::{Mark, replicate};
use aura_store::transfer::{ChunkMark, transfer};
use aura_testkit::canary::Canaries;
use aura_testkit::cluster::{Cluster, tables};
use aura_testkit::seed::Seed;
use pollster::block_on;
use tempfile::TempDir;

/// STO-44, attacks TRF-08, SID-03: neither the tables nor the files of the database say what was planted, and another device
/// gets everything from there.
#[test]
fn a_database_says_nothing_and_has_everything() {
    let Some(cluster) = Cluster::begin() else { return };
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_nanos();
    let mut seed = Seed::new(u64::try_from(now % u128::from(u64::MAX)).unwrap());
    let mut canaries = Canaries::new();
    let mut plant = |place| canaries.plant(place, &mut seed);
    let (password, title) = (plant("the password").text, plant("a title").text);
    let (text, file) = (plant("a text").text, plant("a file"));

    let nora = Person::without_vault();
    fs::write(nora.path("password"), password).unwrap();
    nora.does(["init", "--no-verify-kit", "--kit", "kit.txt"]);
    fs::write(nora.path("large.bin"), file.bytes.repeat(300_000)).unwrap();
    nora.does(["add", "note", "--title", &title, "--text", &text, "--file", "large.bin"]);
    nora.does(["lock", "--stop"]);

    let address = cluster.fresh();
    let local = LocalStore::open(&nora.home().join("store"), Box::new(|| 0)).unwrap();
    let access = Access::Vault(local.vault());
    let database = Database::open(Address::near(&address).unwrap(), 4, Box::new(|| 0)).unwrap();
    let store = Arc::new(database).vault(local.vault());
    let done = block_on(replicate(&local, &store, &access, &Mark::new()));
    assert!(done.findings.is_empty() && done.stopped.is_none(), "{done:?}");
    let mut mark = ChunkMark::default();
    block_on(transfer(&local, &store, &access, &mut mark, u64::MAX));

    let (all, count) = tables(&address);
    assert!(count == 10 && all.len() > 4_800_000, "{count} tables, {} bytes", all.len());
    assert!(memchr::memmem::find(&all, &local.vault().0).is_some(), "what is there is found");
    canaries.assert_absent("the tables", &all);
    assert!(canaries.assert_absent_under(cluster.folder()) > 100);

    let folder = TempDir::new().unwrap();
    let fresh = LocalStore::create(folder.path(), local.vault(), Box::new(|| 0)).unwrap();
    let done = block_on(replicate(&fresh, &store, &access, &Mark::new()));
    assert!(done.findings.is_empty() && done.stopped.is_none(), "{done:?}");
    block_on(transfer(&fresh, &store, &access, &mut ChunkMark::default(), u64::MAX));
    assert_eq!(fresh.feeds().unwrap(), local.feeds().unwrap());
    let chunks = local.chunks().unwrap();
    assert!(!chunks.is_empty() && fresh.chunks().unwrap() == chunks);
}
