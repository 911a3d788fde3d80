// SPDX-License-Identifier: MIT OR Apache-2.0
//! Another device, over QUIC, passes both suites that an active blind store must pass.

#![cfg(feature = "peer")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic is a failed test")]

use std::cell::RefCell;
use std::sync::Arc;

use aura_protocol::id::{DeviceId, VaultId};
use aura_protocol::peer::Greeter;
use aura_protocol::signed::Signature;
use aura_store::local::LocalStore;
use aura_store::peer::{Listen, Node, PeerStore, Source};
use aura_testkit::author::Author;
use aura_testkit::conformance::SCENE_SEED;
use aura_testkit::fault::FaultyStore;
use aura_testkit::seed::Seed;
use pollster::block_on;
use tempfile::TempDir;

struct Card(Author);

impl Greeter for Card {
    fn transport(&self) -> [u8; 32] {
        self.0.transport_key()
    }

    fn greet(&self, message: &[u8]) -> Option<Signature> {
        Some(self.0.greet(message))
    }
}

/// A store that is empty at first lists nobody: these two speak with each other all the same.
struct Fixed {
    local: Option<Arc<LocalStore>>,
    pair: [([u8; 32], DeviceId); 2],
}

impl Source for Fixed {
    fn local(&self) -> Option<Arc<LocalStore>> {
        self.local.clone()
    }

    fn holder(&self, transport: &[u8; 32]) -> Option<DeviceId> {
        let found = self.pair.iter().find(|(key, _)| key == transport);
        found.map(|(_, device)| *device)
    }
}

fn fill(bytes: &mut [u8]) {
    use std::sync::atomic::{AtomicU64, Ordering};

    static COUNT: AtomicU64 = AtomicU64::new(0);
    let random = Seed::new(COUNT.fetch_add(1, Ordering::SeqCst)).bytes(bytes.len());
    bytes.copy_from_slice(&random);
}

/// Both devices, as long as the stores between them are used.
#[derive(Default)]
struct Pairs(RefCell<Vec<(Node, Node, TempDir)>>);

impl Pairs {
    fn make(&self, vault: VaultId) -> PeerStore {
        let folder = TempDir::new().unwrap();
        let founder = |seed| Author::founder(&mut Seed::new(seed)).0;
        let mut founders = [SCENE_SEED, 1].into_iter().map(founder);
        let founder = founders.find(|founder| founder.vault() == vault).unwrap();
        let host = Author::stranger(&mut Seed::new(77), vault);
        let pair = [&founder, &host].map(|one| (one.transport_key(), one.device()));
        let local = LocalStore::create(folder.path(), vault, Box::new(|| 1_000)).unwrap();
        let local = Some(Arc::new(local));
        let open = |author: Author, local, listen| {
            let source = Arc::new(Fixed { local, pair });
            Node::open(vault, Arc::new(Card(author)), source, Box::new(fill), listen).unwrap()
        };
        let at_home = Listen::At("127.0.0.1:0".parse().unwrap());
        let device = host.device();
        let server = open(host, local, at_home);
        let client = open(founder, None, Listen::No);
        let place = server.address().unwrap().to_string();
        assert_eq!(block_on(client.meet(&place)).unwrap(), device);
        let store = PeerStore::new(&client, device, vec![place], Box::new(|| 1_000));
        self.0.borrow_mut().push((server, client, folder));
        store
    }
}

macro_rules! conformance {
    ($suite:ident: $($case:ident),* $(,)?) => {
        mod $suite {
            use aura_testkit::conformance::$suite;

            use super::*;

            $(#[test]
            fn $case() {
                let pairs = Pairs::default();
                block_on($suite::$case(&|vault| pairs.make(vault)));
            })*

            /// The same through a decorator that changes nothing.
            #[test]
            fn through_a_decorator() {
                $({
                    let pairs = Pairs::default();
                    let make = |vault| FaultyStore::new(pairs.make(vault), Seed::new(1), 0);
                    block_on($suite::$case(&make));
                })*
            }
        }
    };
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
