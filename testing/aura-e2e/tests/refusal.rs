// SPDX-License-Identifier: MIT OR Apache-2.0
//! What goes wrong is said clearly, with the exit code of the table, and harms nothing.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic is a failed test")]

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::Command;
use std::thread;
use std::time::Duration;

use aura_e2e::{Done, Person, program};

fn assert_explains(done: &Done, code: i32) {
    assert_eq!(done.code, code, "{done:?}");
    // What happened, what was not harmed, what to do.
    assert!(done.err.lines().count() >= 3 && done.out.is_empty(), "{done:?}");
    assert!(!done.err.contains("panicked") && !done.err.contains("os error"), "{done:?}");
}

#[test]
fn a_locked_vault_gives_3_and_opens_again() {
    let nora = Person::new();
    let id = nora.adds("a", "b").unwrap();
    nora.does(["lock"]);
    for args in
        [vec!["search", "a"], vec!["get", &id], vec!["add", "note", "--text", "x"], vec!["verify"]]
    {
        assert_explains(&nora.tries(args), 3);
    }
    let status = nora.tries(["--json", "status"]);
    assert_eq!((status.code, status.json()["locked"].as_bool()), (0, Some(true)));
    assert!(status.json()["state_hash"].is_null());
    nora.does(["unlock"]);
    assert_eq!(nora.tries(["get", &id]).code, 0);
}

#[test]
fn wrong_passwords_are_counted_and_answered_more_slowly() {
    let nora = Person::new();
    nora.does(["lock"]);
    fs::write(nora.path("bad"), "wrong").unwrap();
    let wrong = || nora.tries(["--password-file", "bad", "unlock"]);
    let wait = || nora.tries(["--json", "status"]).json()["wait_ms"].as_u64().unwrap();
    let mut waits = Vec::new();
    for _ in 0..6 {
        thread::sleep(Duration::from_millis(wait()));
        let done = wrong();
        assert_explains(&done, 3);
        assert!(done.err.contains("does not open"), "{done:?}");
        waits.push(wait());
    }
    // None for the first two, then twice as long each time, less what this test took.
    assert_eq!(waits[..2], [0, 0]);
    assert!(waits[5] > waits[3] && (4001..=8000).contains(&waits[5]), "{waits:?}");
    // Also for who knows the password, and after a restart of the daemon.
    nora.does(["lock", "--stop"]);
    let early = nora.types(["unlock"]);
    assert_explains(&early, 3);
    assert!(early.err.contains("Try again in"), "{early:?}");
    thread::sleep(Duration::from_millis(wait()));
    nora.does(["unlock"]);
    assert_eq!(wait(), 0);
}

/// Fault F-31.
#[test]
fn one_daemon_for_one_vault() {
    let nora = Person::new();
    nora.does(["status"]);
    let second = nora.tries(["daemon"]);
    assert_explains(&second, 1);
    assert!(second.err.contains("Another daemon"), "{second:?}");
    assert!(nora.adds("still", "served").is_some());
    // Many commands at once start one between them.
    nora.does(["lock", "--stop"]);
    let commands: Vec<_> = (0..8).map(|_| nora.starts(["--json", "status"])).collect();
    for command in commands {
        let done = Done::of(&command.wait_with_output().unwrap());
        assert_eq!(done.code, 0, "{done:?}");
        assert_eq!(done.json()["records"], 1);
    }
}

#[test]
fn a_killed_daemon_leaves_nothing_in_the_way() {
    let nora = Person::new();
    let id = nora.adds("a", "b").unwrap();
    nora.kills_daemon();
    assert!(nora.home().join("daemon.sock").exists());
    assert_explains(&nora.tries(["get", &id]), 3);
    assert_eq!(nora.asks(["get", &id])["title"], "a");
}

#[test]
fn folders_that_are_no_vault_are_left_alone() {
    let nora = Person::without_vault();
    for args in [vec!["status"], vec!["search", "x"], vec!["unlock"], vec!["lock"]] {
        let done = nora.types(args);
        assert_explains(&done, 1);
        assert!(done.err.contains("aura init"), "{done:?}");
    }
    assert!(!nora.home().exists());
    fs::create_dir(nora.home()).unwrap();
    fs::write(nora.home().join("diary.txt"), "mine").unwrap();
    assert_explains(&nora.types(["init", "--no-verify-kit", "--kit", "kit.txt"]), 2);
    assert_eq!(fs::read_dir(nora.home()).unwrap().count(), 1);
    assert!(!nora.path("kit.txt").exists());
}

#[test]
fn a_vault_is_made_once() {
    let nora = Person::new();
    let before = nora.state();
    let again = nora.types(["init", "--no-verify-kit", "--kit", "second.txt"]);
    assert_explains(&again, 1);
    assert!(!nora.path("second.txt").exists());
    assert_eq!(nora.state(), before);
    // Nor over a kit that is there.
    let other = Person::without_vault();
    fs::write(other.path("kit.txt"), "precious").unwrap();
    assert_explains(&other.types(["init", "--no-verify-kit", "--kit", "kit.txt"]), 2);
    assert_eq!(fs::read_to_string(other.path("kit.txt")).unwrap(), "precious");
    assert!(!other.home().exists());
}

/// Fault F-26.
#[test]
fn a_newer_or_damaged_vault_is_told_and_left() {
    let nora = Person::new();
    nora.does(["lock", "--stop"]);
    let marker = nora.home().join("aura-vault");
    let text = fs::read_to_string(&marker).unwrap();
    fs::write(&marker, text.replace("vault 1", "vault 2")).unwrap();
    let done = nora.types(["search", "x"]);
    assert_explains(&done, 1);
    assert!(done.err.contains("newer"), "{done:?}");
    fs::write(&marker, "garbage").unwrap();
    assert_explains(&nora.types(["search", "x"]), 5);
    fs::write(&marker, text).unwrap();
    let key = nora.home().join("secret.key");
    let secret = fs::read(&key).unwrap();
    fs::write(&key, "nonsense").unwrap();
    let done = nora.types(["search", "x"]);
    assert_explains(&done, 5);
    assert!(done.err.contains("secret.key"), "{done:?}");
    fs::write(&key, secret).unwrap();
    nora.does(["search", "x"]);
}

#[test]
fn views_that_are_gone_are_built_again() {
    let nora = Person::new();
    let id = nora.adds("Lisbon", "tram").unwrap();
    let state = nora.state();
    nora.does(["lock", "--stop"]);
    fs::remove_dir_all(nora.home().join("views")).unwrap();
    assert_eq!(nora.lists(["search", "tram"])[0]["id"], id.as_str());
    assert_eq!(nora.state(), state);
    let verdict = nora.asks(["verify", "--rebuild"]);
    assert_eq!(verdict["ok"], true, "{verdict}");
    assert!(verdict["checked"].as_u64().unwrap() > 0 && verdict["problems"].is_array());
    assert_eq!(nora.lists(["search", "tram"]).len(), 1);
}

#[test]
fn a_folder_that_cannot_be_written_is_told() {
    let nora = Person::new();
    nora.does(["lock", "--stop"]);
    if !rustix::process::geteuid().is_root() {
        fs::set_permissions(nora.home(), fs::Permissions::from_mode(0o500)).unwrap();
        let done = nora.types(["search", "x"]);
        fs::set_permissions(nora.home(), fs::Permissions::from_mode(0o700)).unwrap();
        assert_explains(&done, 1);
        assert!(done.err.contains("cannot be written"), "{done:?}");
        return;
    }
    // Root may write everywhere but here.
    let output = Command::new(program())
        .args(["--home", "/proc/aura", "init", "--no-verify-kit", "--kit"])
        .arg(nora.path("other.txt"))
        .env("AURA_PASSWORD_FILE", nora.path("password"))
        .output();
    assert_explains(&Done::of(&output.unwrap()), 1);
    assert!(!nora.path("other.txt").exists());
}

#[test]
fn wrong_use_gives_2() {
    let nora = Person::new();
    for args in [
        vec!["frobnicate"],
        vec!["get", "not-an-id"],
        vec!["add", "unicorn", "--text", "x"],
        vec!["add", "note", "--time", "soon", "--text", "x"],
        vec!["search", "after:soon"],
        vec!["edit", "00"],
        vec!["add", "note"],
    ] {
        let done = nora.types(&args);
        assert_eq!(done.code, 2, "{args:?}: {done:?}");
    }
    assert_eq!(nora.types(["get", &"0".repeat(32)]).code, 1);
}

#[test]
fn a_deep_folder_has_its_socket_elsewhere() {
    let nora = Person::without_vault();
    let deep = nora.path(&"very-deep/".repeat(15));
    let run = |args: &[&str]| {
        let mut command = Command::new(program());
        command.arg("--home").arg(&deep).args(args).env("AURA_COST", "least");
        let password = nora.path("password");
        Done::of(&command.env("AURA_PASSWORD_FILE", password).output().unwrap())
    };
    let kit = nora.path("kit.txt");
    let done = run(&["init", "--no-verify-kit", "--kit", kit.to_str().unwrap()]);
    assert_eq!(done.code, 0, "{done:?}");
    assert_eq!(run(&["add", "note", "--text", "deep"]).code, 0);
    assert_eq!(run(&["lock", "--stop"]).code, 0);
}

#[test]
fn the_vault_locks_itself_when_nobody_uses_it() {
    let nora = Person::new();
    nora.does(["lock", "--stop"]);
    nora.does(["--idle", "2s", "unlock"]);
    assert_eq!(nora.tries(["search", "x"]).code, 0);
    thread::sleep(Duration::from_millis(4500));
    assert_eq!(nora.tries(["search", "x"]).code, 3);
    assert_eq!(nora.tries(["--idle", "soon", "status"]).code, 2);
}

#[test]
fn a_signal_ends_the_daemon_in_order() {
    let nora = Person::new();
    let id = nora.adds("a", "b").unwrap();
    nora.does(["lock", "--stop"]);
    let daemon = nora.watches_daemon();
    nora.does(["search", "b"]);
    let pid = rustix::process::Pid::from_child(&daemon);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    assert_eq!(Done::of(&daemon.wait_with_output().unwrap()).code, 0);
    assert!(!nora.home().join("daemon.sock").exists());
    assert_eq!(nora.asks(["get", &id])["title"], "a");
    let events = nora.lists(["audit", "show"]);
    assert!(events.iter().filter(|event| event["action"] == "lock").count() >= 2);
}

#[test]
fn noise_and_crowds_do_not_disturb_the_daemon() {
    let nora = Person::new();
    let socket = nora.home().join("daemon.sock");
    for noise in [
        &b"\xff\xff\xff\xff"[..],
        b"\0\0\0\x02{}",
        b"\0\0\0\x09\"Status\"",
        b"GET / HTTP/1.1\r\n\r\n",
    ] {
        let mut stream = UnixStream::connect(&socket).unwrap();
        stream.write_all(noise).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).ok();
    }
    nora.does(["search", "x"]);
    let crowd: Vec<_> = (0..64).map(|_| UnixStream::connect(&socket).unwrap()).collect();
    thread::sleep(Duration::from_millis(200));
    let done = nora.types(["search", "x"]);
    assert_explains(&done, 6);
    drop(crowd);
    thread::sleep(Duration::from_millis(200));
    nora.does(["search", "x"]);
}

/// The largest file under a folder of the vault.
fn largest(nora: &Person, folder: &str) -> PathBuf {
    let files =
        nora.files().into_iter().filter(|(path, _)| path.starts_with(nora.home().join(folder)));
    files.max_by_key(|(_, bytes)| bytes.len()).unwrap().0
}

#[test]
fn damage_is_found_and_named_and_the_rest_still_opens() {
    let nora = Person::new();
    let plain = nora.adds("whole", "undamaged words").unwrap();
    fs::write(nora.path("big.bin"), vec![7; 3_000_000]).unwrap();
    let added = nora.asks(["add", "note", "--title", "big", "--file", "big.bin"]);
    let id = added["id"].as_str().unwrap();
    assert_eq!(nora.asks(["verify"])["ok"], true);
    let chunk = largest(&nora, "store/chunks");
    let mut bytes = fs::read(&chunk).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&chunk, bytes).unwrap();
    let verify = nora.types(["--json", "verify"]);
    assert_eq!((verify.code, verify.json()["ok"].as_bool()), (5, Some(false)), "{verify:?}");
    assert_ne!(verify.json()["problems"].as_array().unwrap().len(), 0);
    let done = nora.types(["get", id, "--attachment", "big.bin", "--out", "again.bin"]);
    assert_explains(&done, 5);
    assert!(!nora.path("again.bin").exists());
    assert_eq!(nora.asks(["get", &plain])["title"], "whole");
    assert_eq!(nora.lists(["search", "undamaged"]).len(), 1);
}

#[test]
fn a_store_that_is_no_store_is_told() {
    let nora = Person::new();
    nora.does(["lock", "--stop"]);
    let store = nora.home().join("store/store.db");
    let bytes = fs::read(&store).unwrap();
    fs::write(&store, b"no database at all".repeat(1000)).unwrap();
    let done = nora.types(["search", "x"]);
    assert_explains(&done, 5);
    fs::write(&store, bytes).unwrap();
    nora.does(["search", "x"]);
}
