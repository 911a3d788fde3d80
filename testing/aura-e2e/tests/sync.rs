// SPDX-License-Identifier: MIT OR Apache-2.0
//! Two devices and a folder between them, each with a home and a daemon of its own: what one writes reaches
//! the other, whatever becomes of the folder, and the folder learns nothing.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic is a failed test")]

use std::fs;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use aura_e2e::{Done, Person};
use serde_json::{Value, json};
use tempfile::TempDir;

/// What every daemon does by itself, it does within this.
const PATIENCE: Duration = Duration::from_secs(30);
/// In records only.
const MARKER: &str = "quokkamarker";

/// Whatever carries the folder between devices.
struct Carrier(TempDir);

impl Carrier {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("folder")).unwrap();
        Self(dir)
    }

    fn folder(&self) -> PathBuf {
        self.0.path().join("folder")
    }

    fn text(&self) -> String {
        self.folder().to_str().unwrap().to_owned()
    }

    fn aside(&self) -> PathBuf {
        self.0.path().join("aside")
    }

    /// The stick is pulled out.
    fn goes(&self) {
        fs::rename(self.folder(), self.aside()).unwrap();
    }

    fn comes_back(&self) {
        fs::rename(self.aside(), self.folder()).unwrap();
    }

    /// What is in it is there no more, whoever is writing there just now.
    fn is_emptied(&self) {
        self.is_taken_away();
        fs::create_dir(self.folder()).unwrap();
    }

    fn is_taken_away(&self) {
        fs::rename(self.folder(), self.0.path().join("gone")).unwrap();
    }
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

/// Bytes of chunks in a folder.
fn chunk_bytes(folder: &Path) -> u64 {
    let files = files(folder).into_iter();
    let chunks = files.filter(|path| path.components().any(|part| part.as_os_str() == "chunks"));
    chunks.map(|path| fs::metadata(path).unwrap().len()).sum()
}

/// A code of the kit, into a file of another person's.
fn hand_over(from: &Person, section: &str, to: &Person, name: &str) {
    let kit = fs::read_to_string(from.path("kit.txt")).unwrap();
    let code = kit.lines().skip_while(|line| !line.starts_with(section)).nth(1).unwrap();
    fs::write(to.path(name), code.trim()).unwrap();
}

/// A second device, with the password and the secret key; it waits to be confirmed.
fn joins_with_password(from: &Person, carrier: &Carrier) -> (Person, Value) {
    let person = Person::without_vault();
    hand_over(from, "Secret key", &person, "secret-key");
    let joined = person.asks(["join", &carrier.text(), "--secret-key-file", "secret-key"]);
    (person, joined)
}

/// One with the recovery code, which counts at once.
fn joins_with_code(from: &Person, carrier: &Carrier) -> Person {
    let person = Person::without_vault();
    hand_over(from, "Recovery code", &person, "code");
    hand_over(from, "Secret key", &person, "secret-key");
    let folder = carrier.text();
    let code = ["--json", "--password-file", "code", "join", &folder, "--recovery"];
    let joined = person.tries([&code[..], &["--secret-key-file", "secret-key"]].concat());
    assert_eq!(joined.code, 0, "{joined:?}");
    assert_eq!(joined.json()["confirmed"], true, "{joined:?}");
    person
}

fn first(carrier: &Carrier) -> Person {
    let nora = Person::new();
    nora.adds("First", &format!("{MARKER} written first")).unwrap();
    nora.does(["store", "add", &carrier.text()]);
    syncs(&nora);
    nora
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

/// Until the daemons have done it by themselves.
fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < PATIENCE, "{what}");
        sleep(Duration::from_millis(100));
    }
}

fn finds(person: &Person, word: &str) -> bool {
    !person.lists(["search", word]).is_empty()
}

fn found(done: &Done) -> Vec<String> {
    let stores = done.json()["stores"].as_array().unwrap().clone();
    let findings = stores.iter().flat_map(|store| store["findings"].as_array().unwrap().clone());
    findings.map(|finding| finding["kind"].as_str().unwrap().to_owned()).collect()
}

fn anomalies(person: &Person) -> usize {
    let events = person.lists(["audit", "show"]);
    events.iter().filter(|event| event["action"] == "anomaly").count()
}

#[test]
fn a_device_that_joins_with_the_password_is_confirmed_on_another() {
    let carrier = Carrier::new();
    let nora = first(&carrier);
    let (phone, joined) = joins_with_password(&nora, &carrier);
    assert_eq!(joined["confirmed"], false, "{joined}");
    assert!(finds(&phone, MARKER), "it reads");
    assert_eq!(phone.state(), nora.state());
    let id = joined["device"].as_str().unwrap();
    phone.adds("Later", "wombatword").unwrap();
    syncs(&phone);
    syncs(&nora);
    assert!(!finds(&nora, "wombatword"), "it waits");
    let status = nora.does(["status"]);
    assert!(status.out.contains(&format!("aura device confirm {}", &id[..8])), "{status:?}");
    assert!(phone.does(["status"]).out.contains("On another one:"));
    assert_eq!(phone.types(["device", "confirm", id]).code, 4, "not by itself");
    assert_eq!(nora.types(["device", "confirm", "nobody"]).code, 2);

    assert_eq!(nora.asks(["device", "confirm", &id[..8]])["confirmed"], true);
    assert!(finds(&nora, "wombatword"), "it counts");
    meet(&nora, &phone);
    let devices = phone.lists(["device", "ls"]);
    assert!(devices.len() == 2 && devices.iter().all(|device| device["confirmed"] == true));
    nora.does(["verify"]);
    phone.does(["verify"]);
    for path in files(&carrier.folder()) {
        let bytes = fs::read(&path).unwrap();
        let has = |word: &str| bytes.windows(word.len()).any(|window| window == word.as_bytes());
        assert!(!has(MARKER) && !has("wombatword") && !has("First"), "{}", path.display());
    }
}

#[test]
fn what_is_wrong_joins_nothing_and_blocks_no_later_try() {
    let carrier = Carrier::new();
    let nora = first(&carrier);
    let phone = Person::without_vault();
    hand_over(&nora, "Secret key", &phone, "secret-key");
    fs::write(phone.path("wrong"), "not the password").unwrap();
    let join = ["join", &carrier.text(), "--secret-key-file", "secret-key"];
    let refused = phone.tries([&["--password-file", "wrong"], &join[..]].concat());
    assert_eq!(refused.code, 3, "{refused:?}");
    assert!(refused.err.contains("Nothing was made here"), "{refused:?}");
    assert!(!phone.home().join("store").exists() && !phone.home().join("secret.key").exists());
    assert_eq!(phone.tries(join).code, 2, "nobody to ask for the password");
    let elsewhere = phone.types(["join", phone.path("").to_str().unwrap(), "--recovery"]);
    assert!(elsewhere.code == 6 && elsewhere.err.contains("no vault"), "{elsewhere:?}");
    // As a kill would leave it.
    fs::create_dir_all(phone.home().join("store")).unwrap();
    fs::write(phone.home().join("store/store.db"), "half").unwrap();
    let foreign = phone.types(join);
    assert_eq!(foreign.code, 2, "it may be somebody's vault: {foreign:?}");
    fs::write(phone.home().join("joining"), "a device joins\n").unwrap();
    phone.does(join);
    assert!(!phone.home().join("joining").exists());
    assert_eq!(phone.state(), nora.state());
    assert_eq!(phone.types(join).code, 1, "there is one now");

    // A folder with two vaults asks which.
    let ada = Person::new();
    ada.does(["store", "add", &carrier.text()]);
    syncs(&ada);
    let tablet = Person::without_vault();
    hand_over(&nora, "Secret key", &tablet, "secret-key");
    let asked = tablet.types(join);
    assert!(asked.code == 2 && asked.err.contains("--vault"), "{asked:?}");
    let vault = nora.asks(["status"])["vault_id"].as_str().unwrap().to_owned();
    tablet.does([&join[..], &["--vault", &vault[..10]]].concat());
    assert_eq!(tablet.state(), nora.state());
}

/// Attack AVL-03, faults F-16, F-17.
#[test]
fn both_change_while_the_folder_is_away() {
    let carrier = Carrier::new();
    let nora = first(&carrier);
    let phone = joins_with_code(&nora, &carrier);
    let id = nora.adds("Shared", "as it was").unwrap();
    meet(&nora, &phone);
    carrier.goes();
    nora.does(["edit", &id, "name=From the laptop"]);
    phone.does(["edit", &id, "text=from the phone"]);
    nora.adds("Mine", "only on the laptop").unwrap();
    let away = nora.types(["--json", "sync"]);
    assert_eq!(away.code, 6, "{away:?}");
    assert_eq!(away.json()["stores"][0]["reached"], false, "{away:?}");
    assert!(nora.does(["status"]).out.contains("the folder is not there"));
    assert_ne!(nora.state(), phone.state());
    carrier.comes_back();
    meet(&nora, &phone);
    let record = nora.asks(["get", &id]);
    assert_eq!(record["fields"]["name"], "From the laptop");
    assert_eq!(record["fields"]["text"], "from the phone");
    let store = &nora.asks(["status"])["stores"][0];
    assert!(store["synced"].is_string() && store["trouble"].is_null(), "{store}");
}

#[test]
fn daemons_sync_by_themselves_and_attachments_follow() {
    let carrier = Carrier::new();
    let nora = first(&carrier);
    let phone = joins_with_code(&nora, &carrier);
    let bytes: Vec<u8> = (0..3_000_000u32).flat_map(u32::to_le_bytes).collect();
    fs::write(nora.path("photo.bin"), &bytes).unwrap();
    let begun = Instant::now();
    let args = ["add", "note", "--title", "Photo", "--text", "numbatword", "--file", "photo.bin"];
    let id = nora.asks(args)["id"].as_str().unwrap().to_owned();
    wait_until("the note arrives", || finds(&phone, "numbatword"));
    eprintln!("a change was seen on the other device after {:?}", begun.elapsed());
    let out = phone.path("photo.bin");
    wait_until("its file arrives", || {
        fs::remove_file(&out).ok();
        phone.types(["get", &id, "--attachment", "photo.bin", "--out", "photo.bin"]).code == 0
    });
    assert!(fs::read(&out).unwrap() == bytes);
    phone.does(["verify"]);
    // Both come to rest, and neither is kept from locking itself.
    meet(&nora, &phone);
    let rested = || {
        let stores = nora.lists(["store", "ls"]);
        stores[0]["waiting"] == 0
    };
    wait_until("it comes to rest", rested);
    let before = files(&carrier.folder()).len();
    sleep(Duration::from_secs(5));
    let after = files(&carrier.folder()).len();
    assert!(after <= before + 8, "{before} files became {after} while nobody did anything");
    nora.does(["lock", "--stop"]);
    phone.does(["--idle", "2s", "lock", "--stop"]);
    phone.does(["--idle", "2s", "unlock"]);
    let locked = || Done::of(&phone.command(["--json", "status"]).output().unwrap()).json();
    wait_until("it locks itself", || {
        sleep(Duration::from_secs(3));
        locked()["locked"] == true
    });
}

/// Fault F-24.
#[test]
fn an_older_copy_of_the_folder_is_told_and_healed() {
    let carrier = Carrier::new();
    let nora = first(&carrier);
    let phone = joins_with_code(&nora, &carrier);
    meet(&nora, &phone);
    copy(&carrier.folder(), &carrier.aside());
    let id = nora.adds("Newer", "newerword").unwrap();
    phone.adds("Newer too", "phoneword").unwrap();
    meet(&nora, &phone);
    let state = nora.state();
    let before = anomalies(&nora);
    phone.does(["lock", "--stop"]);
    // What the phone wrote last of all nobody else would have, and that could not be healed.
    syncs(&nora);
    carrier.is_taken_away();
    carrier.comes_back();

    let told = nora.types(["--json", "sync"]);
    assert_eq!(told.code, 7, "{told:?}");
    assert!(found(&told).iter().any(|kind| kind == "rolled-back"), "{told:?}");
    assert_eq!(anomalies(&nora), before + 1);
    assert_eq!(nora.state(), state, "nothing is lost");
    assert_eq!(nora.asks(["get", &id])["fields"]["text"], "newerword");
    // It is healed, and told once.
    assert_eq!(syncs(&nora)["stores"][0]["findings"], json!([]));
    assert_eq!(anomalies(&nora), before + 1);
    let tablet = joins_with_code(&nora, &carrier);
    assert_eq!(tablet.state(), state);
    // The phone finds everything there again.
    assert_eq!(found(&phone.types(["--json", "sync"])), [""; 0]);
    meet(&nora, &phone);
}

/// Attack AVL-01, faults F-24, F-25.
#[test]
fn an_emptied_folder_is_filled_again_by_one_device() {
    let carrier = Carrier::new();
    let nora = first(&carrier);
    fs::write(nora.path("paper.txt"), "paperword ".repeat(5000)).unwrap();
    let args = ["add", "note", "--title", "Paper", "--file", "paper.txt"];
    let id = nora.asks(args)["id"].as_str().unwrap().to_owned();
    let phone = joins_with_code(&nora, &carrier);
    phone.adds("From the phone", "phoneword").unwrap();
    meet(&nora, &phone);
    phone.does(["lock", "--stop"]);
    carrier.is_emptied();
    let told = nora.types(["sync"]);
    assert!(told.code == 7 && told.out.contains("Rolled back"), "{told:?}");
    syncs(&nora);
    let tablet = joins_with_code(&nora, &carrier);
    syncs(&tablet);
    assert_eq!(tablet.state(), nora.state());
    assert!(finds(&tablet, "phoneword"), "also what another device wrote");
    tablet.does(["get", &id, "--attachment", "paper.txt", "--out", "paper.txt"]);
    tablet.does(["verify"]);
}

#[test]
fn rubbish_in_the_folder_harms_nothing() {
    let carrier = Carrier::new();
    let nora = first(&carrier);
    let vault = nora.asks(["status"])["vault_id"].as_str().unwrap().to_owned();
    let root = carrier.folder().join(&vault);
    for path in files(&root) {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        fs::write(path.with_file_name(format!("{name} (conflicted copy)")), "x").unwrap();
        fs::write(path.with_file_name(format!(".syncthing.{name}.tmp")), "").unwrap();
        fs::write(path.with_file_name("Thumbs.db"), [0xff; 500]).unwrap();
    }
    let heads = files(&root.join("heads"));
    let other = heads[0].with_file_name(format!("{:016x}-{}", 9999, "ab".repeat(32)));
    fs::write(other, "no head").unwrap();
    for name in ["desktop.ini", "VAULT", "heads"] {
        fs::write(carrier.folder().join(name), "rubbish").unwrap();
    }
    fs::create_dir_all(carrier.folder().join("ab".repeat(32)).join("heads")).unwrap();
    nora.adds("Later", "laterword").unwrap();
    let done = nora.types(["--json", "sync"]);
    assert!([0, 7].contains(&done.code), "{done:?}");
    let phone = Person::without_vault();
    hand_over(&nora, "Recovery code", &phone, "code");
    let join = ["--password-file", "code", "join", &carrier.text(), "--recovery"];
    let joined = phone.tries([&join[..], &["--vault", &vault]].concat());
    assert_eq!(joined.code, 0, "{joined:?}");
    // Without the secret key the password opens nothing there, and that is said.
    assert!(joined.out.contains("secret.key"), "{joined:?}");
    assert_eq!(phone.state(), nora.state());
    nora.does(["verify"]);
    phone.does(["verify"]);
}

#[test]
fn killed_while_it_syncs() {
    let carrier = Carrier::new();
    let nora = first(&carrier);
    let phone = joins_with_code(&nora, &carrier);
    let bytes: Vec<u8> = (0..2_000_000u32).flat_map(u32::to_le_bytes).collect();
    for round in 0..4u64 {
        for note in 0..10 {
            nora.adds(&format!("Note {round} {note}"), &format!("word{round}x{note}")).unwrap();
        }
        fs::write(nora.path("blob.bin"), &bytes[usize::try_from(round).unwrap()..]).unwrap();
        nora.does(["add", "note", "--title", "Blob", "--file", "blob.bin"]);
        for person in [&nora, &phone] {
            let child = person.starts(["sync"]);
            sleep(Duration::from_millis(40 + 90 * round));
            person.kills_daemon();
            drop(child.wait_with_output());
        }
    }
    // What was killed half-way may look like anything; it heals.
    for person in [&nora, &phone, &nora, &phone] {
        let done = person.types(["sync"]);
        assert!([0, 7].contains(&done.code), "{done:?}");
    }
    meet(&nora, &phone);
    nora.does(["verify"]);
    phone.does(["verify"]);
}

#[test]
fn stores_are_named_listed_and_let_go_of() {
    let carrier = Carrier::new();
    let nora = Person::new();
    assert_eq!(nora.types(["sync"]).code, 2);
    let inside = nora.home().join("inside");
    fs::create_dir(&inside).unwrap();
    for wrong in [&inside, &nora.path(""), &nora.path("password")] {
        let refused = nora.types(["store", "add", wrong.to_str().unwrap()]);
        assert_eq!(refused.code, 2, "{refused:?}");
    }
    assert_eq!(nora.types(["store", "add", "nowhere"]).code, 1);
    let added = nora.does(["store", "add", &carrier.text()]);
    assert!(added.out.contains("Only sealed bytes"), "{added:?}");
    assert_eq!(nora.types(["store", "add", &carrier.text()]).code, 2, "once");
    syncs(&nora);
    let listed = nora.lists(["store", "ls"]);
    assert_eq!(listed.len(), 1);
    assert!(listed[0]["synced"].is_string(), "{listed:?}");
    let mode = std::os::unix::fs::PermissionsExt::mode(
        &fs::metadata(nora.home().join("stores.json")).unwrap().permissions(),
    );
    assert_eq!(mode & 0o777, 0o600);

    // A damaged file is told, and not taken for none.
    let file = nora.home().join("stores.json");
    let whole = fs::read(&file).unwrap();
    nora.does(["lock", "--stop"]);
    fs::write(&file, "{\"version\":1,\"stores\":[{").unwrap();
    for args in [&["sync"][..], &["store", "ls"], &["store", "add", &carrier.text()]] {
        let done = nora.types(args);
        assert_eq!(done.code, 5, "{args:?}: {done:?}");
    }
    assert!(nora.does(["status"]).out.contains("stores.json"));
    fs::write(&file, whole).unwrap();
    assert_eq!(nora.lists(["store", "ls"]).len(), 1);

    // A file that is being written has another name for a moment.
    let mut before = files(&carrier.folder());
    before.retain(|path| path.components().any(|part| part.as_os_str() == "entries"));
    let gone = nora.does(["store", "rm", &carrier.text()]);
    assert!(gone.out.contains("Nothing in the folder was deleted"), "{gone:?}");
    assert_eq!(nora.lists(["store", "ls"]).len(), 0);
    assert!(!before.is_empty() && before.iter().all(|path| path.exists()));
    assert_eq!(nora.types(["store", "rm", &carrier.text()]).code, 2);
}

/// Attack FRK-01, fault F-20: a person puts the vault's folder back from an older copy, and goes on writing before anything is
/// synced.
#[test]
fn a_vault_that_was_restored_from_a_backup_loses_nothing_and_says_so() {
    let carrier = Carrier::new();
    let laptop = first(&carrier);
    let phone = joins_with_code(&laptop, &carrier);
    meet(&laptop, &phone);
    laptop.does(["lock", "--stop"]);
    let backup = laptop.path("backup");
    copy(&laptop.home(), &backup);
    laptop.adds("Lost", "wombatmarker after the backup").unwrap();
    meet(&laptop, &phone);

    laptop.does(["lock", "--stop"]);
    fs::remove_dir_all(laptop.home()).unwrap();
    copy(&backup, &laptop.home());
    carrier.goes();
    laptop.adds("New", "numbatmarker in ignorance").unwrap();
    assert!(!finds(&laptop, "wombatmarker"));
    carrier.comes_back();
    let told = laptop.tries(["--json", "sync"]);
    assert_eq!(found(&told), ["restored"], "{told:?}");
    assert!(finds(&laptop, "wombatmarker") && finds(&laptop, "numbatmarker"));
    syncs(&phone);
    assert!(finds(&phone, "wombatmarker") && finds(&phone, "numbatmarker"));
    laptop.adds("More", "bilbymarker and it goes on").unwrap();
    meet(&laptop, &phone);
    assert!(finds(&phone, "bilbymarker"));
    for person in [&laptop, &phone] {
        assert_eq!(person.tries(["verify"]).code, 0);
    }
    let devices = laptop.lists(["device", "ls"]);
    assert_eq!(devices.len(), 2, "{devices:?}");
}

/// Fault F-08: what has rotted in a device's own store comes back from the folder.
#[test]
fn what_is_damaged_here_is_healed_from_the_folder() {
    let carrier = Carrier::new();
    let nora = first(&carrier);
    nora.does(["lock", "--stop"]);
    let store = rusqlite::Connection::open(nora.home().join("store/store.db")).unwrap();
    let spoil = "UPDATE entries SET body = zeroblob(length(body)) WHERE number = 2";
    assert!(store.execute(spoil, []).unwrap() > 0);
    drop(store);
    carrier.goes();
    assert_eq!(nora.types(["verify"]).code, 5);
    carrier.comes_back();
    // The daemon may have been quicker.
    assert!(syncs(&nora)["stores"][0]["healed"].is_u64());
    // The audit log was found to lack something when the vault was opened; that is told until now.
    assert_eq!(nora.types(["verify", "--rebuild"]).code, 0);
    assert_eq!(nora.types(["verify"]).code, 0);
    assert!(finds(&nora, MARKER));
}

/// What was deleted goes for good on both devices and at the folder, once both have adopted what stays; then a third device
/// joins from what is left.
#[test]
fn what_was_deleted_goes_for_good() {
    let carrier = Carrier::new();
    let nora = first(&carrier);
    fs::write(nora.path("plan.bin"), vec![7; 300_000]).unwrap();
    let add = ["add", "note", "--title", "Plan", "--text", "numbatword", "--file", "plan.bin"];
    let plan = nora.asks(add)["id"].as_str().unwrap().to_owned();
    let kept = nora.adds("Kept", "bilbyword").unwrap();
    let phone = joins_with_code(&nora, &carrier);
    meet(&nora, &phone);
    let full = chunk_bytes(&carrier.folder());
    nora.does(["rm", &plan]);
    meet(&nora, &phone);
    assert!(nora.does(["compact"]).out.contains("Nothing is old enough"), "not yet 30 days");
    let looked = nora.does(["compact", "--deleted-before", "0"]);
    assert!(looked.out.contains("1 deleted record") && looked.out.contains("--now"), "{looked:?}");
    let done = nora.asks(["compact", "--deleted-before", "0", "--now"]);
    assert_eq!((&done["records"], &done["entries_gone"]), (&json!(1), &json!(0)), "{done}");
    syncs(&nora);
    assert!(chunk_bytes(&carrier.folder()) >= full, "the phone has not adopted it");
    meet(&nora, &phone);
    assert_eq!(phone.lists(["trash"]).len(), 1, "for some days it stays");
    phone.lets_go_too();
    for _ in 0..2 {
        [&nora, &phone].into_iter().for_each(|person| drop(syncs(person)));
    }
    assert_eq!(chunk_bytes(&carrier.folder()), 0, "it is gone at the store");
    for person in [&nora, &phone] {
        for device in person.lists(["device", "ls"]) {
            let is_told = device["heard"].is_string() && device["awaited"] == json!(false);
            assert!(is_told, "{device}");
        }
        let status = person.asks(["status"]);
        assert_eq!(status["attachment_bytes"], json!(0), "{status}");
        assert_eq!(status["warnings"], json!([]), "{status}");
        assert_eq!(person.types(["undo", &plan]).code, 1, "not even in the trash");
        person.does(["verify"]);
    }
    let tablet = joins_with_code(&nora, &carrier);
    assert_eq!(tablet.state(), nora.state());
    assert!(finds(&tablet, "bilbyword") && !finds(&tablet, "numbatword"));
    tablet.does(["edit", &kept, "text=quollword"]);
    meet(&tablet, &nora);
    tablet.does(["verify"]);
    // A folder that lost everything is filled by a device that let go.
    carrier.is_emptied();
    assert_eq!(nora.tries(["--json", "sync"]).code, 7, "that it was emptied is told");
    syncs(&nora);
    let late = joins_with_code(&nora, &carrier);
    assert_eq!(late.state(), nora.state());
    late.does(["verify"]);
}
