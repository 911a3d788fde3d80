// SPDX-License-Identifier: MIT OR Apache-2.0
//! A phone is lost: what its owner does at home, what becomes of the phone, and of everything else that syncs.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic is a failed test")]

use std::fs;
use std::thread::sleep;
use std::time::Duration;

use aura_e2e::{Done, Person};
use serde_json::Value;
use tempfile::TempDir;

/// A code of a kit.
fn code(from: &Person, kit: &str, section: &str) -> String {
    let kit = fs::read_to_string(from.path(kit)).unwrap();
    let code = kit.lines().skip_while(|line| !line.starts_with(section)).nth(1).unwrap();
    code.trim().to_owned()
}

/// A new device, with the recovery code of a kit, which counts at once.
fn tries_to_join(from: &Person, kit: &str, folder: &str) -> (Person, Done) {
    let person = Person::without_vault();
    fs::write(person.path("code"), code(from, kit, "Recovery code")).unwrap();
    fs::write(person.path("secret-key"), code(from, kit, "Secret key")).unwrap();
    let join = ["--json", "--password-file", "code", "join", folder, "--recovery"];
    let joined = person.tries([&join[..], &["--secret-key-file", "secret-key"]].concat());
    (person, joined)
}

fn joins(from: &Person, folder: &str) -> Person {
    let (person, joined) = tries_to_join(from, "kit.txt", folder);
    assert_eq!(joined.code, 0, "{joined:?}");
    person
}

fn syncs(person: &Person) -> Done {
    person.types(["--json", "sync"])
}

fn finds(person: &Person, word: &str) -> bool {
    !person.lists(["search", word]).is_empty()
}

fn own(person: &Person) -> String {
    let devices = person.lists(["device", "ls"]);
    let own = devices.iter().find(|device| device["this"] == true).unwrap();
    own["id"].as_str().unwrap().to_owned()
}

fn kinds(done: &Done) -> Vec<(String, Value)> {
    let stores = done.json()["stores"].as_array().unwrap().clone();
    let findings = stores.iter().flat_map(|store| store["findings"].as_array().unwrap().clone());
    let kind = |finding: &Value| finding["kind"].as_str().unwrap().to_owned();
    findings.map(|finding| (kind(&finding), finding["text"].clone())).collect()
}

#[test]
fn a_lost_phone_is_out_and_every_other_device_goes_on() {
    let carrier = TempDir::new().unwrap();
    let folder = carrier.path().to_str().unwrap();
    let nora = Person::new();
    nora.adds("First", "quokkaword").unwrap();
    nora.does(["store", "add", folder]);
    assert_eq!(syncs(&nora).code, 0);
    let (phone, tablet, desk) = (joins(&nora, folder), joins(&nora, folder), joins(&nora, folder));
    for person in [&phone, &tablet, &desk, &nora, &phone, &tablet, &desk] {
        syncs(person);
    }
    let lost = own(&phone);
    // The phone is offline from here on, and somebody writes on it. The desk is switched off.
    desk.does(["lock", "--stop"]);
    phone.does(["store", "rm", folder]);
    phone.adds("Thief", "thiefword").unwrap();

    assert_eq!(nora.types(["device", "revoke", &own(&nora)[..8]]).code, 2, "not itself");
    assert!(!nora.path("aura-emergency-kit.html").exists(), "no kit for nothing");
    let done = nora.does(["device", "revoke", &lost[..8], "--kit", "new.txt"]);
    assert!(done.out.contains("Revoked:") && !done.out.contains("in turn"), "{done:?}");
    assert_ne!(code(&nora, "kit.txt", "Secret key"), code(&nora, "new.txt", "Secret key"));
    let again = nora.types(["device", "revoke", &lost[..8], "--kit", "none.txt"]);
    assert!(again.code == 4 && !nora.path("none.txt").exists(), "{again:?}");
    nora.adds("After", "afterword").unwrap();
    assert_eq!(syncs(&nora).code, 0);
    nora.does(["verify"]);

    // The tablet is told, once, and goes on with its password, after a lock as well.
    let told = syncs(&tablet);
    let is_told = kinds(&told)
        .iter()
        .any(|(kind, text)| kind == "revoked" && text.as_str().unwrap().contains(&lost[..8]));
    assert!(is_told && finds(&tablet, "afterword"), "{told:?}");
    assert_eq!(kinds(&syncs(&tablet)), []);
    tablet.does(["lock", "--stop"]);
    tablet.does(["unlock"]);
    tablet.adds("Tablet", "tabletword").unwrap();
    syncs(&tablet);
    syncs(&nora);
    assert!(finds(&nora, "tabletword"));
    assert_eq!(nora.state(), tablet.state());
    // The desk was off all the time; its password opens it, and it catches up.
    desk.does(["unlock"]);
    syncs(&desk);
    syncs(&nora);
    assert_eq!(desk.state(), nora.state());
    desk.does(["lock", "--stop"]);
    desk.does(["unlock"]);
    assert!(finds(&desk, "afterword"));

    // The phone comes back: it says so, keeps what it has, and writes no more.
    phone.does(["store", "add", folder]);
    syncs(&phone);
    let status = phone.does(["status"]);
    assert!(status.out.contains("This device was revoked"), "{status:?}");
    let own_line = phone.does(["device", "ls"]);
    assert!(own_line.out.contains(&format!("revoked by {}", &own(&nora)[..8])), "{own_line:?}");
    let refused = phone.types(["add", "note", "--title", "No", "--text", "no"]);
    assert!(refused.code == 4 && refused.err.contains("revoked"), "{refused:?}");
    assert!(finds(&phone, "quokkaword") && finds(&phone, "thiefword"));
    assert!(!finds(&phone, "afterword"));
    phone.does(["lock", "--stop"]);
    phone.does(["unlock"]);
    assert!(finds(&phone, "quokkaword"));
    for person in [&nora, &tablet] {
        assert_eq!(kinds(&syncs(person)), [], "what it tried is nothing to tell");
        assert!(!finds(person, "thiefword"));
        person.does(["verify"]);
    }
    // The old kit lets nobody in, the new one does.
    let (_, refused) = tries_to_join(&nora, "kit.txt", folder);
    assert_eq!(refused.code, 3, "{refused:?}");
    let (fresh, joined) = tries_to_join(&nora, "new.txt", folder);
    assert_eq!(joined.code, 0, "{joined:?}");
    assert_eq!(fresh.state(), nora.state());
    let events = nora.lists(["audit", "show"]);
    assert!(events.iter().any(|event| event["action"] == "device-revoke"));
}

/// Faults F-22, F-23: the daemon is killed while it revokes, sooner or later: the password opens the vault, which is whole, and
/// the phone is revoked or is not.
#[test]
fn killed_while_it_revokes() {
    let carrier = TempDir::new().unwrap();
    let folder = carrier.path().to_str().unwrap();
    let nora = Person::new();
    nora.adds("First", "quokkaword").unwrap();
    nora.does(["store", "add", folder]);
    syncs(&nora);
    for round in 0..6u64 {
        let phone = joins(&nora, folder);
        syncs(&nora);
        let lost = own(&phone);
        let kit = format!("kit-{round}.txt");
        let mut command = nora.starts(["device", "revoke", &lost[..8], "--kit", &kit]);
        sleep(Duration::from_millis(60 * round * round));
        nora.kills_daemon();
        command.wait().unwrap();
        nora.does(["unlock"]);
        nora.does(["verify"]);
        assert!(finds(&nora, "quokkaword"));
        nora.adds("Round", &format!("round{round}")).unwrap();
        // The next phone needs a kit that is in force; whatever became of this one.
        fs::remove_file(nora.path("kit.txt")).unwrap();
        nora.does(["kit", "kit.txt"]);
        syncs(&nora);
    }
    nora.does(["lock", "--stop"]);
    nora.does(["unlock"]);
    nora.does(["verify"]);
}
