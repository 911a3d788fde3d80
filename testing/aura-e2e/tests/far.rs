// SPDX-License-Identifier: MIT OR Apache-2.0
//! Two devices and a bucket, a WebDAV or an SFTP server between them, each with a home and a daemon of its own: what one
//! writes reaches the other, whatever becomes of the place, and the place learns nothing.
//!
//! Where a server is not installed the test says that it is skipped; see `aura_e2e::elsewhere`.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic is a failed test")]

use std::fs;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use aura_e2e::elsewhere::{Elsewhere, SECRET, Server};
use aura_e2e::{Done, Person};
use serde_json::Value;

/// In records only.
const MARKER: &str = "quokkamarker";
/// What daemons do by themselves, they do within this: a far folder is looked at every 30 s.
const PATIENCE: Duration = Duration::from_mins(1);

/// A place and how it is named.
struct Place {
    server: Server,
    address: String,
}

impl Place {
    fn begin(kind: Elsewhere) -> Option<Self> {
        let server = Server::begin(kind)?;
        let address = server.address("");
        Some(Self { server, address: address.trim_end_matches('/').to_owned() })
    }

    /// A command with the place's address and options.
    fn named(&self, person: &Person, before: &[&str], after: &[&str]) -> Vec<String> {
        fs::write(person.path("store-secret"), SECRET).unwrap();
        let owned = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>();
        let address = vec![self.address.clone()];
        [owned(before), address, self.server.options("store-secret"), owned(after)].concat()
    }

    fn first(&self) -> Person {
        let nora = Person::new();
        nora.adds("First", &format!("{MARKER} written first")).unwrap();
        nora.does(self.named(&nora, &["store", "add"], &[]));
        syncs(&nora);
        nora
    }

    /// A second device, with the recovery code, which counts at once.
    fn joins(&self, from: &Person) -> Person {
        let person = Person::without_vault();
        hand_over(from, "Recovery code", &person, "code");
        hand_over(from, "Secret key", &person, "secret-key");
        let before = ["--json", "--password-file", "code", "join"];
        let after = ["--recovery", "--secret-key-file", "secret-key"];
        let joined = person.tries(self.named(&person, &before, &after));
        assert_eq!(joined.code, 0, "{joined:?}");
        person
    }

    /// What the place's operator has says nothing of what people wrote.
    fn knows_nothing(&self) {
        let mut seen = 0;
        for path in files(&self.server.folder()) {
            let bytes = fs::read(&path).unwrap();
            let has =
                |word: &str| bytes.windows(word.len()).any(|window| window == word.as_bytes());
            assert!(!has(MARKER) && !has("First") && !has("wombatword"), "{}", path.display());
            seen += 1;
        }
        assert!(seen > 3, "{seen} files");
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_dir() {
            found.extend(files(&entry.path()));
        } else {
            found.push(entry.path());
        }
    }
    found
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

fn hand_over(from: &Person, section: &str, to: &Person, name: &str) {
    let kit = fs::read_to_string(from.path("kit.txt")).unwrap();
    let code = kit.lines().skip_while(|line| !line.starts_with(section)).nth(1).unwrap();
    fs::write(to.path(name), code.trim()).unwrap();
}

fn syncs(person: &Person) -> Value {
    person.asks(["sync"])
}

fn meet(one: &Person, other: &Person) {
    for person in [one, other, one] {
        syncs(person);
    }
    assert_eq!(one.state(), other.state());
}

fn finds(person: &Person, word: &str) -> bool {
    !person.lists(["search", word]).is_empty()
}

fn found(done: &Done) -> Vec<String> {
    let stores = done.json()["stores"].as_array().unwrap().clone();
    let findings = stores.iter().flat_map(|store| store["findings"].as_array().unwrap().clone());
    findings.map(|finding| finding["kind"].as_str().unwrap().to_owned()).collect()
}

/// Edits on both, offline, the daemons by themselves, a kill in the middle of a push, an older copy, an emptied place.
fn a_whole_life(kind: Elsewhere) {
    let Some(mut place) = Place::begin(kind) else { return };
    let nora = place.first();
    let phone = place.joins(&nora);
    let id = nora.adds("Shared", "as it was").unwrap();
    meet(&nora, &phone);
    both_change_while_it_is_away(&mut place, (&nora, &phone), &id);
    daemons_do_it_by_themselves(&nora, &phone);
    killed_in_the_middle(&nora, &phone);
    an_older_copy(&place, &nora, &phone);
    an_emptied_place(&place, &nora, &phone);
    place.knows_nothing();
    for person in [&nora, &phone] {
        person.does(["verify"]);
        knows_no_secret(person);
    }
    let gone = nora.does(["store", "rm", &place.address]);
    assert!(gone.out.contains("Nothing there was deleted"), "{gone:?}");
    assert!(!nora.home().join("far.key").exists() && !files(&place.server.folder()).is_empty());
}

fn both_change_while_it_is_away(place: &mut Place, (nora, phone): (&Person, &Person), id: &str) {
    let aside = place.server.aside("aside");
    fs::rename(place.server.folder(), &aside).unwrap();
    place.server.stops();
    nora.does(["edit", id, "name=From the laptop"]);
    phone.does(["edit", id, "text=wombatword from the phone"]);
    let away = nora.types(["--json", "sync"]);
    assert_eq!(away.code, 6, "{away:?}");
    assert_eq!(away.json()["stores"][0]["reached"], false, "{away:?}");
    fs::rename(&aside, place.server.folder()).unwrap();
    if place.server.is_process() {
        place.server.starts();
    }
    meet(nora, phone);
    let record = nora.asks(["get", id]);
    assert_eq!(record["fields"]["name"], "From the laptop");
    assert_eq!(record["fields"]["text"], "wombatword from the phone");
    // What it was just asked is on the record a moment later, and goes there by itself.
    let look = || nora.lists(["store", "ls"])[0].clone();
    let (begun, mut store) = (Instant::now(), look());
    while store["waiting"] != 0 && begun.elapsed() < PATIENCE {
        sleep(Duration::from_millis(100));
        store = look();
    }
    assert_eq!(store["waiting"], 0, "{store}");
    assert!(store["synced"].is_string() && store["trouble"].is_null(), "{store}");
}

fn daemons_do_it_by_themselves(nora: &Person, phone: &Person) {
    let bytes: Vec<u8> = (0..700_000u32).flat_map(u32::to_le_bytes).collect();
    fs::write(nora.path("photo.bin"), &bytes).unwrap();
    let begun = Instant::now();
    let args = ["add", "note", "--title", "Photo", "--text", "numbatword", "--file", "photo.bin"];
    let id = nora.asks(args)["id"].as_str().unwrap().to_owned();
    let out = phone.path("photo.bin");
    loop {
        fs::remove_file(&out).ok();
        let got = phone.types(["get", &id, "--attachment", "photo.bin", "--out", "photo.bin"]);
        if got.code == 0 {
            break;
        }
        assert!(begun.elapsed() < PATIENCE, "{got:?}");
        sleep(Duration::from_millis(500));
    }
    assert!(fs::read(&out).unwrap() == bytes);
}

fn killed_in_the_middle(nora: &Person, phone: &Person) {
    let bytes: Vec<u8> = (0..1_000_000u32).flat_map(u32::to_le_bytes).collect();
    for round in 0..3u64 {
        nora.adds(&format!("Note {round}"), &format!("word{round}x")).unwrap();
        fs::write(nora.path("blob.bin"), &bytes[usize::try_from(round).unwrap()..]).unwrap();
        nora.does(["add", "note", "--title", "Blob", "--file", "blob.bin"]);
        let child = nora.starts(["sync"]);
        sleep(Duration::from_millis(60 + 120 * round));
        nora.kills_daemon();
        drop(child.wait_with_output());
    }
    for person in [nora, phone, nora] {
        let done = person.types(["sync"]);
        assert!([0, 7].contains(&done.code), "{done:?}");
    }
    meet(nora, phone);
}

fn an_older_copy(place: &Place, nora: &Person, phone: &Person) {
    phone.does(["lock", "--stop"]);
    let older = place.server.aside("older");
    copy(&place.server.folder(), &older);
    let id = nora.adds("Newer", "newerword").unwrap();
    syncs(nora);
    let state = nora.state();
    // Nobody is there in the middle of it.
    nora.does(["lock", "--stop"]);
    place.server.is_replaced_by(&older);
    let told = nora.types(["--json", "sync"]);
    assert_eq!(told.code, 7, "{told:?}");
    assert!(found(&told).iter().any(|kind| kind == "rolled-back"), "{told:?}");
    assert_eq!(nora.state(), state, "nothing is lost");
    assert_eq!(nora.asks(["get", &id])["fields"]["text"], "newerword");
    meet(nora, phone);
}

fn an_emptied_place(place: &Place, nora: &Person, phone: &Person) {
    phone.does(["lock", "--stop"]);
    nora.does(["lock", "--stop"]);
    place.server.is_emptied();
    let told = nora.types(["--json", "sync"]);
    assert_eq!(told.code, 7, "{told:?}");
    assert!(found(&told).iter().any(|kind| kind == "rolled-back"), "{told:?}");
    syncs(nora);
    let tablet = place.joins(nora);
    syncs(&tablet);
    assert_eq!(tablet.state(), nora.state());
    assert!(finds(&tablet, "wombatword"), "also what another device wrote");
    meet(nora, phone);
}

/// The secret stands in one file, for the person alone, in digits; and nowhere else in the vault's folder.
fn knows_no_secret(person: &Person) {
    for (path, bytes) in person.files() {
        let has = |word: &str| bytes.windows(word.len()).any(|window| window == word.as_bytes());
        assert!(!has(SECRET), "{}", path.display());
        if path.ends_with("far.key") {
            let about = fs::metadata(&path).unwrap();
            let mode = std::os::unix::fs::PermissionsExt::mode(&about.permissions());
            assert_eq!(mode & 0o777, 0o600);
        }
    }
}

/// Attacks AVL-01, AVL-03, faults F-16, F-17, F-24, F-25.
#[test]
fn through_a_bucket() {
    a_whole_life(Elsewhere::S3);
}

/// Attacks AVL-01, AVL-03, faults F-16, F-17, F-24, F-25.
#[test]
fn through_a_webdav_server() {
    a_whole_life(Elsewhere::Webdav);
}

/// Attacks AVL-01, AVL-03, faults F-16, F-17, F-24, F-25.
#[test]
fn through_an_sftp_server() {
    a_whole_life(Elsewhere::Sftp);
}

#[test]
fn what_is_wrong_adds_nothing_and_says_why() {
    let nora = Person::new();
    fs::write(nora.path("wrong"), "wrong").unwrap();
    for (args, code) in [
        (&["s3://bucket/a"][..], 2),
        (&["s3://key:secret@bucket/a"], 2),
        (&["s3://bucket/a", "--account", "KEY"], 2),
        (&["s3://bucket/a", "--account", "KEY", "--endpoint", "http://s3.example"], 4),
        (&["webdav://nas.example/a"], 4),
        (&["webdavs://nas.example/a", "--endpoint", "https://s3.example"], 2),
        (&["sftp://-oProxyCommand=touch%20x/a"], 2),
        (&["sftp://nas.example/a", "--account", "nora"], 2),
        (&["sftp://nas.example/a", "--register", "--account", "nora"], 2),
        (&["https://aura.example", "--region", "x"], 2),
        (&["/tmp", "--certificate", "x"], 2),
    ] {
        let refused = nora.types([&["store", "add"][..], args].concat());
        assert_eq!(refused.code, code, "{args:?}: {refused:?}");
    }
    if let Some(place) = Place::begin(Elsewhere::S3) {
        let mut args = place.named(&nora, &["store", "add"], &[]);
        let at = args.iter().position(|arg| arg == "store-secret").unwrap();
        args[at] = "wrong".to_owned();
        let refused = nora.types(&args);
        assert!(refused.code == 4 && refused.err.contains("secret"), "{refused:?}");
        assert!(!nora.home().join("far.key").exists());
        args[at] = "store-secret".to_owned();
        let added = nora.does(&args);
        assert!(added.out.contains("Only sealed bytes"), "{added:?}");
        nora.does(["sync"]);
        // Named again it goes on as it is named now.
        nora.does(&args);
        let listed = nora.lists(["store", "ls"]);
        assert!(listed.len() == 1 && listed[0]["kind"] == "s3", "{listed:?}");
        // Several at once, each with its state.
        let folder = nora.path("folder");
        fs::create_dir(&folder).unwrap();
        nora.does(["store", "add", folder.to_str().unwrap()]);
        let synced = nora.asks(["sync"]);
        assert_eq!(synced["stores"].as_array().unwrap().len(), 2, "{synced}");
    }
    assert!(nora.lists(["store", "ls"]).len() <= 2);
}
