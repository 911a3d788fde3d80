// SPDX-License-Identifier: MIT OR Apache-2.0
//! The folder store passes both suites that a passive blind store must pass.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::Path;

use aura_protocol::id::VaultId;
use aura_protocol::store::{Access, BlindStore, StoreError};
use aura_store::folder::FolderStore;
use aura_testkit::conformance::passive::FolderObjects;
use aura_testkit::conformance::{Scene, passive};
use pollster::block_on;
use tempfile::TempDir;

fn open(folder: &Path) -> FolderStore {
    FolderStore::open(folder, Box::new(|| 1_000)).unwrap()
}

macro_rules! conformance {
    ($suite:ident: $($case:ident),* $(,)?) => {
        mod $suite {
            use aura_testkit::conformance::$suite as shared;

            use super::*;

            $(#[test]
            fn $case() {
                // A folder of its own for every store that the case makes.
                let folder = TempDir::new().unwrap();
                let count = std::cell::Cell::new(0);
                let make = |_: VaultId| {
                    count.set(count.get() + 1);
                    let folder = folder.path().join(format!("{}", count.get()));
                    std::fs::create_dir(&folder).unwrap();
                    open(&folder)
                };
                block_on(shared::$case(&make));
            })*
        }
    };
}

macro_rules! passive {
    ($($case:ident),* $(,)?) => {
        mod passively {
            use super::*;

            $(#[test]
            fn $case() {
                let folder = TempDir::new().unwrap();
                let objects = FolderObjects(folder.path().to_path_buf());
                block_on(passive::$case(&|_| open(folder.path()), &objects));
            })*
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
    a_feed_begins_where_an_earlier_snapshot_ended,
    what_is_covered_is_kept_where_it_is_offered,
    a_feed_goes_on_only_as_it_was,
    letting_go_takes_the_whole_vault,
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

passive! {
    made_up_floors_change_nothing,
    made_up_floors_below_a_snapshot_change_nothing,
    made_up_names_push_no_head_out,
    a_rotten_snapshot_lets_nothing_go,
    what_is_rotten_and_stays_lets_nothing_go,
    letting_go_is_done_again,
    foreign_files_are_passed_over,
    broken_files_are_named_and_healed,
    files_come_in_any_order,
    files_under_other_names_are_not_believed,
    runs_may_overlap,
    chunks_are_put_if_absent,
}

/// A disk that is not there is told as such, and never as an empty store.
#[test]
fn a_missing_folder_is_not_an_empty_one() {
    let folder = TempDir::new().unwrap();
    let missing = folder.path().join("stick");
    let answer = FolderStore::open(&missing, Box::new(|| 0));
    assert!(matches!(answer, Err(StoreError::Absent)));
    std::fs::create_dir(&missing).unwrap();
    let store = open(&missing);
    std::fs::remove_dir(&missing).unwrap();
    let heads = block_on(store.heads(&Access::Vault(VaultId([1; 32])), &[]));
    assert!(matches!(heads, Err(StoreError::Absent)));
}

/// FLD-7: no link below the folder is followed, whether to a file or a directory.
#[cfg(unix)]
#[test]
fn links_are_not_followed() {
    use std::os::unix::fs::symlink;
    let (folder, outside) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let make = |_: VaultId| open(folder.path());
    let scene = block_on(Scene::founded(&make));
    let vault = folder.path().join(scene.author.vault().to_string());
    for part in ["heads", "entries"] {
        let away = outside.path().join(part);
        std::fs::rename(vault.join(part), &away).unwrap();
        symlink(&away, vault.join(part)).unwrap();
    }
    assert!(block_on(scene.store.heads(&scene.access, &[])).is_err());
    let feed = scene.author.feed(aura_protocol::id::CollectionId::AUTHORITY);
    assert!(block_on(scene.store.read(&scene.access, feed, 0, 1)).is_err());
    symlink(outside.path(), vault.join("chunks")).unwrap();
    let name = aura_protocol::id::ChunkName([1; 16]);
    assert!(block_on(scene.store.put(&scene.access, name, b"sealed")).is_err());
    assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 2);
}

/// FLD-11: heads that were overtaken long ago go; the newest stay.
#[test]
fn old_heads_go() {
    let folder = TempDir::new().unwrap();
    let make = |_: VaultId| open(folder.path());
    let mut scene = block_on(Scene::founded(&make));
    for _ in 0..40 {
        let head = scene.author.head();
        block_on(scene.push(&head, &[]));
    }
    let objects = FolderObjects(folder.path().to_path_buf());
    let files = passive::Objects::list(&objects);
    let heads = files.iter().filter(|path| path.contains("/heads/")).count();
    assert_eq!(heads, 16);
    assert_eq!(block_on(scene.shown())[0].2.number, 41);
}

/// Fault F-09: a local store that was lost comes back from a folder, the same to the last byte.
#[test]
fn f_09_a_lost_local_store_comes_back() {
    use aura_protocol::store::LocalLog;
    use aura_store::local::LocalStore;
    use aura_testkit::conformance::{MAIL, NOTES};

    let (folder, local) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let create = |vault| LocalStore::create(local.path(), vault, Box::new(|| 0)).unwrap();
    let mut scene = block_on(Scene::founded(&create));
    let access = scene.access.clone();
    let stick = open(folder.path());
    for _ in 0..3 {
        let entries = [scene.entries(NOTES, 4), scene.entries(MAIL, 2)].concat();
        let head = scene.author.head();
        block_on(scene.push(&head, &entries));
    }
    let copy = |from: &dyn BlindStore, to: &dyn BlindStore| {
        for stored in block_on(from.heads(&access, &[])).unwrap().news {
            let claim = stored.head.claim().unwrap();
            for (collection, position) in &claim.feeds {
                let feed = claim.feed(*collection);
                let entries = block_on(from.read(&access, feed, 0, 99)).unwrap();
                assert_eq!(entries.last().unwrap().hash(), position.hash);
                block_on(to.push(&access, &stored.head, &entries)).unwrap();
            }
        }
    };
    copy(&scene.store, &stick);
    let (feeds, heads) = (scene.store.feeds().unwrap(), LocalLog::heads(&scene.store).unwrap());
    drop(scene.store);
    std::fs::remove_dir_all(local.path()).unwrap();

    let store = create(scene.author.vault());
    copy(&stick, &store);
    assert_eq!(store.feeds().unwrap(), feeds);
    assert_eq!(LocalLog::heads(&store).unwrap(), heads);
    assert_eq!(store.verify().unwrap(), []);
    let entry = scene.author.entry(NOTES, vec![1; 30]);
    store.append(&[entry], &scene.author.head()).unwrap();
}
