// SPDX-License-Identifier: MIT OR Apache-2.0
//! Two devices and a server between them, each a process of its own: what one writes reaches the other, whatever
//! becomes of the server, and the server learns neither password nor content.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic is a failed test")]

use std::fs;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use aura_e2e::host::{Host, adds_server, hand_over, joins, meet, tries_to_join};
use aura_e2e::{Done, PASSWORD, Person};
use rustix::process::{Signal, kill_process};
use serde_json::{Value, json};

/// What every daemon does by itself, it does within this.
const PATIENCE: Duration = Duration::from_mins(1);
/// In records only.
const MARKER: &str = "quokkamarker";

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

/// Every byte that the server has.
fn all_bytes(folder: &Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_dir() {
            bytes.extend(all_bytes(&entry.path()));
        } else {
            bytes.extend(fs::read(entry.path()).unwrap());
        }
    }
    bytes
}

/// Bytes of chunks that it keeps.
fn chunk_bytes(host: &Host) -> u64 {
    fn of(folder: &Path) -> u64 {
        let entries = fs::read_dir(folder).unwrap().map(Result::unwrap);
        entries
            .map(|entry| match entry.file_type().unwrap().is_dir() {
                true => of(&entry.path()),
                false if entry.path().components().any(|part| part.as_os_str() == "chunks") => {
                    entry.metadata().unwrap().len()
                }
                false => 0,
            })
            .sum()
    }
    of(&host.data())
}

fn first(host: &Host) -> Person {
    let nora = Person::new();
    nora.adds("First", &format!("{MARKER} written first")).unwrap();
    let added = adds_server(&nora, host, "nora");
    assert_eq!(added.code, 0, "{added:?}");
    syncs(&nora);
    nora
}

fn syncs(person: &Person) -> Value {
    person.asks(["sync"])
}

fn finds(person: &Person, word: &str) -> bool {
    !person.lists(["search", word]).is_empty()
}

fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < PATIENCE, "{what}");
        sleep(Duration::from_millis(100));
    }
}

fn found(done: &Done) -> Vec<String> {
    let stores = done.json()["stores"].as_array().unwrap().clone();
    let findings = stores.iter().flat_map(|store| store["findings"].as_array().unwrap().clone());
    findings.map(|finding| finding["kind"].as_str().unwrap().to_owned()).collect()
}

/// What a device wrote last of all, when it was shut, nobody else may have seen: that alone can be gone. The server's
/// log went back with it.
fn only_rolled_back(done: &Done) {
    let is_one = |kind: &String| kind == "rolled-back" || is_of_log(kind);
    assert!(found(done).iter().all(is_one), "{done:?}");
}

/// ACL-8: fewer leaves, or as many that are others.
fn is_of_log(kind: &String) -> bool {
    kind == "log-shrank" || kind == "log-forked"
}

/// HTP-12, ACC-3, ACC-4, ACC-11: an account, a second device by password and secret key, and both in step; the
/// server has neither password, secret key nor content (ACC-6).
#[test]
fn two_devices_meet_at_a_server() {
    let host = Host::new();
    let nora = first(&host);
    let phone = Person::without_vault();
    hand_over(&nora, &phone);
    let joined = tries_to_join(&phone, &host, "nora");
    assert_eq!(joined.code, 0, "{joined:?}");
    let joined = joined.json();
    assert!(joined["confirmed"] == false && joined["store"]["kind"] == "server", "{joined}");
    assert!(finds(&phone, MARKER), "it reads");
    assert_eq!(phone.state(), nora.state());

    phone.adds("Later", "wombatword").unwrap();
    syncs(&phone);
    syncs(&nora);
    assert!(!finds(&nora, "wombatword"), "it waits");
    nora.does(["device", "confirm", joined["device"].as_str().unwrap()]);
    meet(&nora, &phone);
    assert!(finds(&nora, "wombatword"), "it counts");

    fs::write(phone.path("paper.txt"), "paperword ".repeat(200_000)).unwrap();
    let args = ["add", "note", "--title", "Paper", "--file", "paper.txt"];
    let id = phone.asks(args)["id"].as_str().unwrap().to_owned();
    meet(&phone, &nora);
    nora.does(["get", &id, "--attachment", "paper.txt", "--out", "paper.txt"]);
    assert_eq!(
        fs::read(nora.path("paper.txt")).unwrap(),
        fs::read(phone.path("paper.txt")).unwrap()
    );

    // By themselves, soon.
    let begun = Instant::now();
    nora.adds("By itself", "numbatword").unwrap();
    wait_until("a change arrives by itself", || finds(&phone, "numbatword"));
    eprintln!("a change was seen on the other device after {:?}", begun.elapsed());

    for person in [&nora, &phone] {
        person.does(["verify"]);
        let listed = &person.lists(["store", "ls"])[0];
        assert_eq!((&listed["account"], &listed["key"]), (&json!("nora"), &json!(host.key)));
    }
    let kept = all_bytes(&host.data());
    let secret_key = fs::read_to_string(nora.home().join("secret.key")).unwrap();
    for secret in [MARKER, "wombatword", "paperword", "First", PASSWORD, secret_key.trim()] {
        let has = kept.windows(secret.len()).any(|window| window == secret.as_bytes());
        assert!(!has, "the server has {secret:?}");
    }
}

/// ACC-6, ACC-7, ACC-11, attack AUT-01: what is wrong joins nothing, the right password with another secret key neither;
/// which part was wrong is not said.
#[test]
fn what_is_wrong_logs_nobody_in() {
    let host = Host::new();
    let nora = first(&host);
    let thief = Person::without_vault();
    hand_over(&nora, &thief);
    let nobody = tries_to_join(&thief, &host, "nobody");
    fs::write(thief.path("password"), "not the password of anybody").unwrap();
    let wrong = tries_to_join(&thief, &host, "nora");
    for refused in [&nobody, &wrong] {
        assert_eq!(refused.code, 3, "{refused:?}");
        assert!(!thief.home().join("store").exists() && !thief.home().join("joining").exists());
    }
    assert_eq!(nobody.err, wrong.err, "the same words");
    // Another secret key, of the right form.
    fs::write(thief.path("password"), PASSWORD).unwrap();
    hand_over(&Person::new(), &thief);
    assert_eq!(tries_to_join(&thief, &host, "nora").err, wrong.err);
    let vault = ["--vault", "0000"];
    hand_over(&nora, &thief);
    let url = host.url();
    let join =
        ["join", &url, "--account", "nora", "--pin", &host.key, "--secret-key-file", "secret-key"];
    assert_eq!(thief.types([&join[..], &vault].concat()).code, 4, "another vault was meant");
    assert_eq!(thief.types([&join[..], &["--recovery"]].concat()).code, 2);
    thief.does(join);

    // A second account for the vault, or another vault under the name.
    let again = adds_server(&Person::new(), &host, "nora");
    assert!(again.code == 4 && again.err.contains("already"), "{again:?}");
}

/// HTP-1: nothing is sent to a server with another key; a person accepts a new one.
#[test]
fn another_key_is_told_and_told_nothing() {
    let mut host = Host::new();
    let nora = Person::new();
    let (url, wrong) = (host.url(), "ab".repeat(32));
    let add = ["store", "add", &url, "--account", "nora", "--register", "--pin"];
    let refused = nora.types([&add[..], &[&wrong]].concat());
    assert!(refused.code == 4 && refused.err.contains("another key"), "{refused:?}");
    let unasked = nora.types(&add[..6]);
    assert!(unasked.code == 2 && unasked.err.contains("--pin"), "{unasked:?}");
    nora.does([&add[..], &[&host.key]].concat());
    syncs(&nora);

    host.is_killed();
    for path in fs::read_dir(host.data()).unwrap().map(|entry| entry.unwrap().path()) {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if name.starts_with("tls") {
            fs::remove_file(path).unwrap();
        }
    }
    let former = host.key.clone();
    host.starts();
    assert_ne!(host.key, former, "it has made itself a new one");
    nora.adds("Later", "laterword").unwrap();
    let told = nora.types(["--json", "sync"]);
    assert_eq!(told.code, 6, "{told:?}");
    assert_eq!(found(&told), ["other-key"], "{told:?}");
    assert!(nora.does(["status"]).out.contains("Another key"));
    nora.does(["store", "pin", &url, "--pin", &host.key]);
    let done = nora.types(["--json", "sync"]);
    assert!([0, 7].contains(&done.code), "{done:?}");
    assert_eq!(syncs(&nora)["stores"][0]["findings"], json!([]));
}

/// Fault F-12: both change while the server is away, both sides are killed while files go up, and all of it arrives.
#[test]
fn offline_edits_and_kills_lose_nothing() {
    let mut host = Host::new();
    let nora = first(&host);
    let phone = joins(&nora, &host);
    let id = nora.adds("Shared", "as it was").unwrap();
    meet(&nora, &phone);
    host.is_killed();
    nora.does(["edit", &id, "name=From the laptop"]);
    phone.does(["edit", &id, "text=from the phone"]);
    let away = nora.types(["--json", "sync"]);
    assert_eq!(away.code, 6, "{away:?}");
    assert!(nora.does(["status"]).out.contains("could not be reached"));
    host.starts();
    meet(&nora, &phone);
    let record = nora.asks(["get", &id]);
    assert_eq!(record["fields"]["name"], "From the laptop");
    assert_eq!(record["fields"]["text"], "from the phone");

    let bytes: Vec<u8> = (0..1_000_000u32).flat_map(u32::to_le_bytes).collect();
    for round in 0..4u64 {
        for note in 0..5 {
            nora.adds(&format!("Note {round} {note}"), &format!("word{round}x{note}")).unwrap();
        }
        fs::write(nora.path("blob.bin"), &bytes[usize::try_from(round).unwrap()..]).unwrap();
        nora.does(["add", "note", "--title", "Blob", "--file", "blob.bin"]);
        let child = nora.starts(["sync"]);
        sleep(Duration::from_millis(30 + 60 * round));
        if round % 2 == 0 {
            nora.kills_daemon();
        } else {
            host.is_killed();
            host.starts();
        }
        drop(child.wait_with_output());
    }
    for person in [&nora, &phone, &nora, &phone] {
        let done = person.types(["sync"]);
        assert!([0, 7].contains(&done.code), "{done:?}");
    }
    meet(&nora, &phone);
    nora.does(["verify"]);
    phone.does(["verify"]);
}

/// Fault F-21: a daemon, and then the server, stand still in the middle of an upload, as on a machine that sleeps, and go
/// on: all of it arrives.
#[test]
fn f_21_who_stands_still_goes_on() {
    let host = Host::new();
    let nora = first(&host);
    let phone = joins(&nora, &host);
    let bytes: Vec<u8> = (0..1_000_000u32).flat_map(u32::to_le_bytes).collect();
    for round in 0..4u64 {
        fs::write(nora.path("blob.bin"), &bytes[usize::try_from(round).unwrap()..]).unwrap();
        nora.does(["add", "note", "--title", "Blob", "--file", "blob.bin"]);
        let still = if round % 2 == 0 { nora.daemon().unwrap() } else { host.process().unwrap() };
        let child = nora.starts(["sync"]);
        sleep(Duration::from_millis(40 + 60 * round));
        kill_process(still, Signal::STOP).unwrap();
        sleep(Duration::from_secs(3));
        kill_process(still, Signal::CONT).unwrap();
        drop(child.wait_with_output());
    }
    for person in [&nora, &phone, &nora, &phone] {
        let done = person.types(["sync"]);
        assert!([0, 7].contains(&done.code), "{done:?}");
    }
    meet(&nora, &phone);
    nora.does(["verify"]);
    phone.does(["verify"]);
}

/// Where a server asks a device that joins to wait a moment, it waits, and does not end.
#[test]
fn a_join_waits_where_the_server_asks_for_it() {
    let host = Host::with("[limits]\naccount_per_second = 12\n");
    let nora = Person::new();
    for kind in ["note", "login", "observation", "task", "contact"] {
        nora.does(["add", kind, "--title", "One of each"]);
    }
    assert_eq!(adds_server(&nora, &host, "nora").code, 0);
    wait_until("everything is there", || nora.types(["sync"]).code == 0);
    let phone = Person::without_vault();
    hand_over(&nora, &phone);
    let joined = tries_to_join(&phone, &host, "nora");
    assert_eq!(joined.code, 0, "{joined:?}");
}

/// A server that has forgotten everything is filled again by any device.
#[test]
fn a_wiped_server_is_filled_again() {
    let mut host = Host::new();
    let nora = first(&host);
    let phone = joins(&nora, &host);
    phone.adds("From the phone", "phoneword").unwrap();
    meet(&nora, &phone);
    phone.does(["lock", "--stop"]);
    host.is_wiped();
    let told = nora.types(["sync"]);
    assert!(told.code == 6 && told.out.contains("--register"), "{told:?}");
    let added = adds_server(&nora, &host, "nora");
    assert_eq!(added.code, 0, "{added:?}");
    let told = nora.types(["--json", "sync"]);
    assert!([0, 7].contains(&told.code), "{told:?}");
    syncs(&nora);
    let tablet = joins(&nora, &host);
    assert!(finds(&tablet, "phoneword"), "also what another device wrote");
    only_rolled_back(&phone.types(["--json", "sync"]));
    meet(&nora, &phone);
}

/// ACC-13: a server that has lost a vault's files, and has its accounts still, is filled again by a device that did not
/// open the account.
#[test]
fn a_lost_vault_is_filled_by_any_device() {
    let mut host = Host::new();
    let nora = first(&host);
    let phone = joins(&nora, &host);
    nora.does(["lock", "--stop"]);
    host.is_killed();
    fs::remove_dir_all(host.data().join("vaults")).unwrap();
    host.starts();
    let told = phone.types(["--json", "sync"]);
    assert_eq!(told.code, 7, "{told:?}");
    assert!(found(&told).iter().any(|kind| kind == "rolled-back"), "{told:?}");
    assert!(found(&told).iter().any(is_of_log), "{told:?}");
    // What was found is on the record, which goes there as well.
    wait_until("all of it is there again", || phone.lists(["store", "ls"])[0]["waiting"] == 0);
    only_rolled_back(&nora.types(["--json", "sync"]));
    meet(&nora, &phone);
    assert!(finds(&joins(&nora, &host), MARKER));
    assert!(nora.lists(["store", "ls"])[0]["findings"].as_array().unwrap().is_empty());
}

/// A server that was put back from an older backup is told, and filled up.
#[test]
fn an_older_copy_of_the_server_is_told_and_healed() {
    let mut host = Host::new();
    let nora = first(&host);
    let phone = joins(&nora, &host);
    let backup = host.aside().join("backup");
    host.is_killed();
    copy(&host.data(), &backup);
    host.starts();
    let id = nora.adds("Newer", "newerword").unwrap();
    phone.adds("Newer too", "phoneword").unwrap();
    meet(&nora, &phone);
    let state = nora.state();
    for person in [&nora, &phone] {
        person.does(["lock", "--stop"]);
    }
    host.is_killed();
    fs::rename(host.data(), host.aside().join("gone")).unwrap();
    fs::rename(&backup, host.data()).unwrap();
    host.starts();
    let told = nora.types(["--json", "sync"]);
    assert_eq!(told.code, 7, "{told:?}");
    assert!(found(&told).iter().any(|kind| kind == "rolled-back"), "{told:?}");
    assert!(found(&told).iter().any(is_of_log), "{told:?}");
    assert_eq!(nora.state(), state, "nothing is lost");
    assert_eq!(nora.asks(["get", &id])["fields"]["text"], "newerword");
    assert_eq!(syncs(&nora)["stores"][0]["findings"], json!([]));
    only_rolled_back(&phone.types(["--json", "sync"]));
    meet(&nora, &phone);
}

/// ACC-12: the account follows the vault's password, at once or later.
#[test]
fn the_account_follows_the_password() {
    let mut host = Host::new();
    let nora = first(&host);
    let newer = "saddle timber quiver orbit mellow canteen";
    let changes = |from: &str, to: &str| {
        fs::write(nora.path("password"), from).unwrap();
        fs::write(nora.path("new"), to).unwrap();
        let done = nora.types(["--json", "passwd", "--new-password-file", "new"]);
        fs::write(nora.path("password"), to).unwrap();
        done
    };
    assert_eq!(changes(PASSWORD, newer).code, 0);
    let phone = Person::without_vault();
    hand_over(&nora, &phone);
    syncs(&nora);
    assert_eq!(tries_to_join(&phone, &host, "nora").code, 3, "the former one");
    fs::write(phone.path("password"), newer).unwrap();
    assert_eq!(tries_to_join(&phone, &host, "nora").code, 0);

    host.is_killed();
    let left = changes(newer, PASSWORD);
    assert!(left.code == 7 && left.err.contains("aura store password"), "{left:?}");
    assert_eq!(left.json()["accounts_left"], json!([host.url()]));
    assert_eq!(nora.lists(["store", "ls"])[0]["password_due"], true);
    host.starts();
    let url = host.url();
    nora.does(["store", "password", &url]);
    assert_eq!(nora.lists(["store", "ls"])[0]["password_due"], false);
    let tablet = Person::without_vault();
    hand_over(&nora, &tablet);
    syncs(&nora);
    assert_eq!(tries_to_join(&tablet, &host, "nora").code, 0);
    // A quarantined device may not.
    let may_not = tablet.types(["store", "password", &url]);
    assert_eq!(may_not.code, 4, "{may_not:?}");
}

/// HTP-13, fault F-28: a full account is told; local work goes on, and what waits goes there when there is room.
#[test]
fn a_full_account_is_told_and_work_goes_on() {
    let mut host = Host::with("quota_bytes = 300000\n");
    let nora = first(&host);
    let bytes: Vec<u8> = (0..500_000u32).flat_map(u32::to_le_bytes).collect();
    fs::write(nora.path("large.bin"), bytes).unwrap();
    let args = ["add", "note", "--title", "Large", "--text", "largeword", "--file", "large.bin"];
    let id = nora.asks(args)["id"].as_str().unwrap().to_owned();
    let told = nora.types(["sync"]);
    let said = told.out.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(told.code == 7 && said.contains("quota"), "{told:?}");
    assert!(said.contains("What waits is kept"), "{told:?}");
    nora.adds("After", "afterword").unwrap();
    assert!(finds(&nora, "largeword") && finds(&nora, "afterword"));
    nora.does(["get", &id, "--attachment", "large.bin", "--out", "out.bin"]);
    host.is_killed();
    host.settings = String::new();
    host.starts();
    syncs(&nora);
    // What a command leaves on the record goes there as well.
    wait_until("everything is there", || {
        let listed = &nora.lists(["store", "ls"])[0];
        listed["waiting"] == 0 && listed["wanted"] == 0 && listed["trouble"].is_null()
    });
}

/// A server is let go of, with its account or without.
#[test]
fn servers_are_let_go_of() {
    let host = Host::new();
    let nora = first(&host);
    let url = host.url();
    nora.does(["store", "rm", &url]);
    assert_eq!(nora.lists(["store", "ls"]).len(), 0);
    let add = ["store", "add", &url, "--account", "nora", "--pin", &host.key];
    nora.does(add);
    assert_eq!(nora.types(add).code, 2, "it is one already");
    let other = ["store", "add", &url, "--account", "other", "--pin", &host.key];
    assert_eq!(nora.types(["store", "rm", &url, "--delete-account"]).code, 2, "nobody said yes");
    nora.does(["store", "rm", &url, "--delete-account", "--yes"]);
    assert_eq!(nora.types(add).code, 4, "there is no account any more");
    assert_eq!(nora.types(other).code, 4);
    assert!(all_bytes(&host.data().join("vaults")).is_empty());
    assert_eq!(nora.types(["store", "rm", &url]).code, 2);
    let invited = adds_server(&nora, &host, "nora");
    assert_eq!(invited.code, 0, "{invited:?}");
}

/// What was deleted goes for good on both devices and at the server, once both have adopted what stays; then a third device
/// joins from what is left.
#[test]
fn what_was_deleted_goes_for_good() {
    let host = Host::new();
    let nora = first(&host);
    fs::write(nora.path("plan.bin"), vec![7; 300_000]).unwrap();
    let add = ["add", "note", "--title", "Plan", "--text", "numbatword", "--file", "plan.bin"];
    let plan = nora.asks(add)["id"].as_str().unwrap().to_owned();
    let kept = nora.adds("Kept", "bilbyword").unwrap();
    let phone = joins(&nora, &host);
    meet(&nora, &phone);
    let full = chunk_bytes(&host);
    nora.does(["rm", &plan]);
    meet(&nora, &phone);
    assert!(nora.does(["compact"]).out.contains("Nothing is old enough"), "not yet 30 days");
    let looked = nora.does(["compact", "--deleted-before", "0"]);
    assert!(looked.out.contains("1 deleted record") && looked.out.contains("--now"), "{looked:?}");
    let done = nora.asks(["compact", "--deleted-before", "0", "--now"]);
    assert_eq!((&done["records"], &done["entries_gone"]), (&json!(1), &json!(0)), "{done}");
    syncs(&nora);
    assert!(chunk_bytes(&host) >= full, "the phone has not adopted it");
    meet(&nora, &phone);
    phone.lets_go_too();
    for _ in 0..2 {
        [&nora, &phone].into_iter().for_each(|person| drop(syncs(person)));
    }
    assert_eq!(chunk_bytes(&host), 0, "it is gone at the store");
    for person in [&nora, &phone] {
        let status = person.asks(["status"]);
        assert_eq!(status["attachment_bytes"], json!(0), "{status}");
        assert_eq!(status["warnings"], json!([]), "{status}");
        assert_eq!(person.types(["undo", &plan]).code, 1, "not even in the trash");
        person.does(["verify"]);
    }
    let tablet = joins(&nora, &host);
    assert_eq!(tablet.state(), nora.state());
    assert!(finds(&tablet, "bilbyword") && !finds(&tablet, "numbatword"));
    tablet.does(["edit", &kept, "text=quollword"]);
    meet(&tablet, &nora);
    tablet.does(["verify"]);
}
