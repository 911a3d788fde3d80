// SPDX-License-Identifier: MIT OR Apache-2.0
//! A folder on S3, WebDAV and SFTP passes both suites that a passive blind store must pass, through real servers; and
//! tells what is the matter where it is not there or does not let one in.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic is a failed test")]

use std::cell::Cell;
use std::fs;
use std::path::PathBuf;

use aura_e2e::elsewhere::{ACCOUNT, Elsewhere, SECRET, Server};
use aura_protocol::id::VaultId;
use aura_protocol::store::{Access, BlindStore, StoreError};
use aura_store::folder::FolderStore;
use aura_store::folder::far::{Far, FarAddress, Secret};
use aura_testkit::conformance::passive::FolderObjects;
use aura_testkit::conformance::{NOTES, Scene, every, forget, passive};
use pollster::block_on;
use zeroize::Zeroizing;

const WHOLE: Access = Access::Vault(VaultId([1; 32]));

fn far(server: &Server, below: &str) -> Far {
    let mut far = Far::new(FarAddress::parse(&server.address(below)).unwrap());
    far.account = Some(ACCOUNT.to_owned());
    far.endpoint = Some(server.endpoint());
    far.certificate = Some(server.certificate()).filter(|file| file.exists());
    far.ssh_config = Some(server.ssh_config());
    far
}

fn secret(text: &str) -> Secret {
    Secret::new(Zeroizing::new(text.to_owned()))
}

fn open(far: &Far) -> FolderStore {
    FolderStore::far(far, Some(&secret(SECRET)), Box::new(|| 1_000)).unwrap()
}

/// A directory of its own, that whoever the server runs as may write to.
fn made(server: &Server, below: &str) -> PathBuf {
    let folder = server.folder().join(below);
    if !folder.exists() {
        fs::create_dir(&folder).unwrap();
        fs::set_permissions(&folder, std::os::unix::fs::PermissionsExt::from_mode(0o777)).unwrap();
    }
    folder
}

/// Both suites, each case in a directory of its own; but for two cases of ten thousand requests about what is believed of
/// files, which is the same code wherever they are (`folder_conformance.rs`).
fn conforms(kind: Elsewhere) {
    let Some(server) = Server::begin(kind) else { return };
    let count = Cell::new(0);
    let make = |_: VaultId| {
        count.set(count.get() + 1);
        let below = format!("s{}", count.get());
        made(&server, &below);
        open(&far(&server, &below))
    };
    block_on(every::an_empty_vault_has_nothing(&make));
    block_on(every::batches_come_back(&make));
    block_on(every::a_head_waits_for_its_entries(&make));
    block_on(every::pushing_again_changes_nothing(&make));
    block_on(every::answers_are_bounded(&make));
    block_on(every::known_heads_are_left_out(&make));
    block_on(every::devices_and_incarnations_stand_apart(&make));
    block_on(every::access_is_kept(&make));
    block_on(every::chunks_come_back(&make));
    block_on(every::a_watch_wakes(&make));
    block_on(every::pushes_at_the_same_time(&make));
    block_on(every::a_bad_line_loses_nothing(&make));
    block_on(forget::what_is_covered_goes(&make));
    block_on(forget::what_is_no_snapshot_lets_nothing_go(&make));
    block_on(forget::a_feed_begins_where_a_snapshot_ends(&make));

    let passively = |below: &str| {
        let folder = made(&server, below);
        let far = far(&server, below);
        (FolderObjects(folder), move |_: VaultId| open(&far))
    };
    let (objects, make) = passively("p1");
    block_on(passive::foreign_files_are_passed_over(&make, &objects));
    let (objects, make) = passively("p2");
    block_on(passive::runs_may_overlap(&make, &objects));
    let (objects, make) = passively("p3");
    block_on(passive::chunks_are_put_if_absent(&make, &objects));
    let (objects, make) = passively("p4");
    block_on(passive::broken_files_are_named_and_healed(&make, &objects));
    let (objects, make) = passively("p5");
    block_on(passive::made_up_floors_change_nothing(&make, &objects));
    let (objects, make) = passively("p6");
    block_on(passive::letting_go_is_done_again(&make, &objects));
}

#[test]
fn a_bucket_conforms() {
    conforms(Elsewhere::S3);
}

#[test]
fn a_webdav_server_conforms() {
    conforms(Elsewhere::Webdav);
}

#[test]
fn an_sftp_server_conforms() {
    conforms(Elsewhere::Sftp);
}

/// FLD-12: a folder that is copied from one place to another is the same store.
#[test]
fn fld_12_the_same_files_are_the_same_store_everywhere() {
    let here = tempfile::tempdir().unwrap();
    let make = |_: VaultId| FolderStore::open(here.path(), Box::new(|| 1_000)).unwrap();
    let scene = block_on(Scene::founded(&make));
    let shown = block_on(scene.shown());
    let vault = scene.author.vault().to_string();
    for kind in [Elsewhere::S3, Elsewhere::Webdav, Elsewhere::Sftp] {
        let Some(server) = Server::begin(kind) else { continue };
        copy(&here.path().join(&vault), &made(&server, "c").join(&vault));
        let store = open(&far(&server, "c"));
        assert_eq!(block_on(store.vaults()).unwrap(), [scene.author.vault()], "{kind:?}");
        let heads = block_on(store.heads(&scene.access, &[])).unwrap().news;
        let places = heads.iter().map(|head| (head.device, head.incarnation, head.position));
        assert_eq!(places.collect::<Vec<_>>(), shown, "{kind:?}");
    }
}

/// What a bucket costs: a look is one request however large the vault, and a change some that do not grow with it.
#[test]
fn a_look_at_a_bucket_is_one_request() {
    let Some(server) = Server::begin(Elsewhere::S3) else { return };
    let far = far(&server, "cost");
    let mut scene = block_on(Scene::founded(&|_: VaultId| open(&far)));
    let cost = |server: &Server, work: &mut dyn FnMut()| {
        let before = server.requests();
        work();
        server.requests() - before
    };
    let mut changes = Vec::new();
    for _ in 0..12 {
        let notes = scene.entries(NOTES, 20);
        let head = scene.author.head();
        changes.push(cost(&server, &mut || block_on(scene.push(&head, &notes))));
    }
    assert!(changes.iter().all(|count| *count <= 12), "{changes:?}");
    let shown = block_on(scene.shown());
    let look = |scene: &Scene<FolderStore>, known: &[_]| {
        block_on(scene.store.heads(&scene.access, known)).unwrap().news.len()
    };
    assert_eq!(cost(&server, &mut || assert_eq!(look(&scene, &shown), 0)), 1);
    // Whoever begins anew reads the one newest head as well.
    scene.store = open(&far);
    assert_eq!(cost(&server, &mut || assert_eq!(look(&scene, &[]), 1)), 2);
    assert_eq!(cost(&server, &mut || assert_eq!(look(&scene, &[]), 1)), 1);
}

/// FLD-17: a place that is not there is told as such, and never as an empty store.
#[test]
fn fld_17_a_missing_place_is_not_an_empty_one() {
    for kind in [Elsewhere::S3, Elsewhere::Webdav, Elsewhere::Sftp] {
        let Some(mut server) = Server::begin(kind) else { continue };
        let mut missing = far(&server, "nowhere");
        if kind == Elsewhere::S3 {
            missing.address = FarAddress::parse("s3://no-such-bucket").unwrap();
        }
        let heads = block_on(open(&missing).heads(&WHOLE, &[]));
        assert!(matches!(heads, Err(StoreError::Absent)), "{kind:?}: {heads:?}");
        let chunk = block_on(open(&missing).probe());
        assert!(matches!(chunk, Err(StoreError::Absent)), "{kind:?}: {chunk:?}");
        made(&server, "empty");
        let empty = block_on(open(&far(&server, "empty")).heads(&WHOLE, &[])).unwrap();
        assert!(empty.news.is_empty(), "{kind:?}");
        if kind != Elsewhere::S3 {
            server.stops();
            // A connection that stands may live on without the one that took it.
            let store = open(&far(&server, "empty"));
            let heads = block_on(store.heads(&WHOLE, &[]));
            assert!(matches!(heads, Err(StoreError::Unreachable(_))), "{kind:?}: {heads:?}");
            server.starts();
            block_on(store.heads(&WHOLE, &[])).unwrap();
        }
    }
}

/// FLD-14, FLD-16: whoever is not let in is told so, and whom nobody has vouched for gets nothing.
#[test]
fn fld_14_the_secret_the_certificate_and_the_host_key_are_asked_for() {
    let heads = |far: &Far, with: &str| {
        let store = FolderStore::far(far, Some(&secret(with)), Box::new(|| 0)).unwrap();
        block_on(store.heads(&WHOLE, &[]))
    };
    if let Some(server) = Server::begin(Elsewhere::S3) {
        let refused = heads(&far(&server, ""), "wrong");
        assert!(matches!(refused, Err(StoreError::Forbidden)), "{refused:?}");
        let nobody = FolderStore::far(&far(&server, ""), None, Box::new(|| 0));
        assert!(matches!(nobody, Err(StoreError::Unauthenticated)));
    }
    if let Some(server) = Server::begin(Elsewhere::Webdav) {
        let refused = heads(&far(&server, ""), "wrong");
        assert!(matches!(refused, Err(StoreError::Unauthenticated)), "{refused:?}");
        let stranger = Far { certificate: None, ..far(&server, "") };
        let refused = heads(&stranger, SECRET);
        let Err(StoreError::Unreachable(why)) = refused else { panic!("{refused:?}") };
        assert!(why.contains("certificate"), "{why}");
        let wrong = Far { certificate: Some(server.ssh_config()), ..far(&server, "") };
        assert!(FolderStore::far(&wrong, None, Box::new(|| 0)).is_err());
        let plain =
            server.address("").replace("webdavs", "webdav").replace("localhost", "nas.example");
        let plain = Far { address: FarAddress::parse(&plain).unwrap(), ..far(&server, "") };
        let refused = FolderStore::far(&plain, Some(&secret(SECRET)), Box::new(|| 0));
        assert!(matches!(refused, Err(StoreError::Unreachable(_))));
    }
    if let Some(server) = Server::begin(Elsewhere::Sftp) {
        let known = server.aside("known");
        let kept = fs::read_to_string(&known).unwrap();
        fs::write(&known, "").unwrap();
        let refused = heads(&far(&server, ""), "");
        assert!(
            matches!(refused, Err(StoreError::Unreachable(why)) if why.contains("does not know")),
        );
        let host = fs::read_to_string(server.aside("user.pub")).unwrap();
        let name = kept.split_once(' ').unwrap().0;
        fs::write(&known, format!("{name} {host}")).unwrap();
        let refused = heads(&far(&server, ""), "");
        assert!(matches!(refused, Err(StoreError::OtherKey)), "{refused:?}");
        fs::write(&known, kept).unwrap();
        heads(&far(&server, ""), "").unwrap();
        fs::rename(server.aside("user.pub"), server.aside("was.pub")).unwrap();
        let refused = heads(&far(&server, ""), "");
        assert!(matches!(refused, Err(StoreError::Unauthenticated)), "{refused:?}");
    }
}

fn copy(from: &std::path::Path, to: &std::path::Path) {
    fs::create_dir_all(to).unwrap();
    fs::set_permissions(to, std::os::unix::fs::PermissionsExt::from_mode(0o777)).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}
