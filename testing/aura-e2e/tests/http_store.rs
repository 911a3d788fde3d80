// SPDX-License-Identifier: MIT OR Apache-2.0
//! A store over HTTPS passes both suites that an active blind store must pass, against the server itself.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic is a failed test")]

use std::cell::RefCell;
use std::sync::Arc;

use aura_protocol::auth::login::{Registering, Stretch};
use aura_protocol::auth::{AccountName, Challenge, Registration};
use aura_protocol::codec::Decode as _;
use aura_protocol::id::{DeviceId, VaultId};
use aura_protocol::signed::Signature;
use aura_protocol::store::Prover;
use aura_server::config::{Config, Limits, Registration as Policy};
use aura_server::serve::Running;
use aura_store::http::{Address, HttpStore, Proof, Server};
use aura_testkit::author::Author;
use aura_testkit::conformance::SCENE_SEED;
use aura_testkit::fault::FaultyStore;
use aura_testkit::seed::Seed;
use pollster::block_on;
use tempfile::TempDir;

/// The suites look at stores, not at passwords.
#[derive(Default)]
struct Unstretched;

impl Stretch for Unstretched {
    fn stretch(&self, input: &[u8; 64]) -> Option<zeroize::Zeroizing<[u8; 64]>> {
        Some(zeroize::Zeroizing::new(*input))
    }
}

struct Founder(Author);

impl Prover for Founder {
    fn device(&self) -> DeviceId {
        self.0.device()
    }

    fn prove(&self, challenge: &[u8]) -> Signature {
        let challenge = Challenge::from_bytes(challenge, 1024).unwrap();
        *self.0.show(&challenge).signature()
    }
}

/// Servers that are kept as long as their stores.
#[derive(Default)]
struct Hosts(RefCell<Vec<(Running, TempDir)>>);

impl Hosts {
    /// A server of its own, with an account for the vault of the suites' founder.
    fn make(&self, vault: VaultId) -> HttpStore {
        let folder = TempDir::new().unwrap();
        let config = Config {
            listen: "127.0.0.1:0".parse().unwrap(),
            data: folder.path().join("data"),
            registration: Policy::Open,
            limits: Limits { open_per_second: 10_000, ..Limits::default() },
            ..Config::default()
        };
        let running = Running::start(config, || 1_000).unwrap();
        let address = Address::parse(&format!("https://{}", running.address())).unwrap();
        let server = Server::new(address, running.key()).unwrap();
        let founder = |seed| Author::founder(&mut Seed::new(seed)).0;
        let mut founders = [SCENE_SEED, 1].into_iter().map(founder);
        let founder = founders.find(|founder| founder.vault() == vault).unwrap();
        open(&server, &founder);
        self.0.borrow_mut().push((running, folder));
        let proof = Proof::Device(Arc::new(Founder(founder)));
        HttpStore::new(&server, vault, proof, Box::new(|| 1_000))
    }
}

fn open(server: &Server, founder: &Author) {
    let mut seed = Seed::new(1);
    let mut fill = |bytes: &mut [u8]| {
        let random = seed.bytes(bytes.len());
        bytes.copy_from_slice(&random);
    };
    let (name, input) = (AccountName::parse("nora").unwrap(), [5; 64]);
    let (registering, request) = Registering::<Unstretched>::start(&mut fill, &input).unwrap();
    let begun = block_on(server.begin_account(name.clone(), None, request)).unwrap();
    let with = (&name, input.as_slice());
    let record = registering.finish(&mut fill, with, &begun.response, Unstretched).unwrap();
    let registration = Registration {
        name,
        vault: founder.vault(),
        device: founder.device(),
        transport: founder.transport_key(),
        server: server.pin(),
        upload: record.to_vec(),
    };
    let lineage = founder.lineage();
    block_on(server.end_account(None, founder.show(&registration), lineage)).unwrap();
}

macro_rules! conformance {
    ($suite:ident: $($case:ident),* $(,)?) => {
        mod $suite {
            use aura_testkit::conformance::$suite;

            use super::*;

            $(#[test]
            fn $case() {
                let hosts = Hosts::default();
                block_on($suite::$case(&|vault| hosts.make(vault)));
            })*

            /// The same through a decorator that changes nothing.
            #[test]
            fn through_a_decorator() {
                $({
                    let hosts = Hosts::default();
                    let make = |vault| FaultyStore::new(hosts.make(vault), Seed::new(1), 0);
                    block_on($suite::$case(&make));
                })*
            }
        }
    };
}

conformance! {
    forget:
    what_is_covered_goes,
    what_proves_nothing_lets_nothing_go,
    whose_word_counts,
    what_is_no_snapshot_lets_nothing_go,
    a_feed_begins_where_a_snapshot_ends,
    a_feed_goes_on_only_as_it_was,
    what_is_covered_otherwise_stays,
    what_is_only_staged_is_not_covered,
    what_is_there_in_part_lets_nothing_go,
}

conformance! {
    every:
    an_empty_vault_has_nothing,
    batches_come_back,
    a_head_waits_for_its_entries,
    pushing_again_changes_nothing,
    answers_are_bounded,
    known_heads_are_left_out,
    devices_and_incarnations_stand_apart,
    access_is_kept,
    chunks_come_back,
    a_watch_wakes,
    pushes_at_the_same_time,
    a_bad_line_loses_nothing,
}

conformance! {
    active:
    a_gap_is_refused,
    a_fork_is_refused,
    a_head_only_goes_forward,
    a_bad_signature_is_refused,
    an_unlisted_device_is_refused,
    a_revoked_device_is_refused,
    entries_of_others_are_refused,
    staged_junk_gives_way,
    pushes_stay_within_the_access,
    chunks_are_checked,
}
