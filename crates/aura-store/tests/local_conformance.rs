// SPDX-License-Identifier: MIT OR Apache-2.0
//! The local store passes both suites that an active blind store must pass.

#![allow(clippy::unwrap_used, reason = "tests")]

use aura_protocol::id::VaultId;
use aura_store::local::LocalStore;
use aura_testkit::fault::FaultyStore;
use aura_testkit::seed::Seed;
use pollster::block_on;
use tempfile::TempDir;

macro_rules! conformance {
    ($suite:ident: $($case:ident),* $(,)?) => {
        mod $suite {
            use aura_testkit::conformance::$suite;

            use super::*;

            $(#[test]
            fn $case() {
                let folder = TempDir::new().unwrap();
                block_on($suite::$case(&make(&folder)));
            })*

            /// The same through a decorator that changes nothing.
            #[test]
            fn through_a_decorator() {
                $({
                    let folder = TempDir::new().unwrap();
                    let make = make(&folder);
                    let make = |vault: VaultId| FaultyStore::new(make(vault), Seed::new(1), 0);
                    block_on($suite::$case(&make));
                })*
            }
        }
    };
}

fn make(folder: &TempDir) -> impl Fn(VaultId) -> LocalStore {
    let count = std::cell::Cell::new(0);
    move |vault| {
        count.set(count.get() + 1);
        let folder = folder.path().join(format!("{}", count.get()));
        LocalStore::create(&folder, vault, Box::new(|| 1_000)).unwrap()
    }
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

conformance! {
    forget:
    what_is_covered_goes,
    what_proves_nothing_lets_nothing_go,
    whose_word_counts,
    what_is_no_snapshot_lets_nothing_go,
    a_feed_begins_where_a_snapshot_ends,
    a_feed_begins_where_an_earlier_snapshot_ended,
    what_is_covered_is_kept_where_it_is_offered,
    a_feed_goes_on_only_as_it_was,
    what_is_covered_otherwise_stays,
    what_is_only_staged_is_not_covered,
    what_is_there_in_part_lets_nothing_go,
    letting_go_takes_the_whole_vault,
}
