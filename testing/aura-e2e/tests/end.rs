// SPDX-License-Identifier: MIT OR Apache-2.0
//! Daemons that a test started end with it, however it ends.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic is a failed test")]

use std::io::Read as _;
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};
use std::{env, fs};

use aura_e2e::Person;
use rustix::process::{Pid, Signal, kill_process};

const NOTE: &str = "AURA_TEST_NOTE";

/// Starts a daemon, says where, and is gone without a word; run by the test below.
#[test]
fn killed_child() {
    let Some(note) = env::var_os(NOTE) else { return };
    let nora = Person::new();
    assert!(nora.daemon().is_some());
    fs::write(note, nora.home().as_os_str().as_encoded_bytes()).unwrap();
    std::process::abort();
}

#[test]
fn a_killed_test_leaves_no_daemon() {
    let folder = tempfile::tempdir().unwrap();
    let note = folder.path().join("note");
    let child = Command::new(env::current_exe().unwrap())
        .args(["--exact", "killed_child"])
        .env(NOTE, &note)
        .env("TMPDIR", folder.path())
        .output()
        .unwrap();
    assert!(!child.status.success());
    let home = PathBuf::from(fs::read_to_string(note).unwrap());
    let begun = Instant::now();
    while UnixStream::connect(home.join("daemon.sock")).is_ok() {
        assert!(begun.elapsed() < Duration::from_secs(20), "the daemon is still there");
        thread::sleep(Duration::from_millis(50));
    }
}

/// A daemon that has locked the vault waits a while for whoever is connected before it begins anew.
#[test]
fn who_ends_a_daemon_that_is_about_to_begin_anew_ends_it() {
    let nora = Person::new();
    let connected = UnixStream::connect(nora.home().join("daemon.sock")).unwrap();
    let mut locking = nora.starts(["lock"]);
    while nora.tries(["--json", "status"]).json()["locked"] != true {
        thread::sleep(Duration::from_millis(5));
    }
    nora.does(["lock", "--stop"]);
    assert_eq!(nora.daemon(), None);
    assert!(locking.wait().unwrap().success());
    drop(connected);
}

/// Answers as a daemon does that speaks another version of the socket's language.
const OTHER_VERSION: &str = r#"
import json, socket, struct, sys
listening = socket.socket(socket.AF_UNIX)
listening.bind(sys.argv[1])
listening.listen()
print("ready", flush=True)
while True:
    stream, _ = listening.accept()
    stream.recv(struct.unpack(">I", stream.recv(4))[0])
    failure = {"exit": "failed", "what": "It is of another version.", "safe": "", "next": ""}
    said = json.dumps({"Failed": failure}).encode()
    stream.sendall(struct.pack(">I", len(said)) + said)
    kept = stream
"#;

/// After an upgrade the daemon may still be the old one: commands say so, and one ends it.
#[test]
fn a_daemon_of_another_version_is_told_and_ends_when_it_is_asked_to() {
    let nora = Person::new();
    nora.does(["lock", "--stop"]);
    let mut other = Command::new("python3")
        .args(["-c", OTHER_VERSION])
        .arg(nora.home().join("daemon.sock"))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = [0; 6];
    other.stdout.as_mut().unwrap().read_exact(&mut said).unwrap();
    for args in [&["status"][..], &["lock"], &["search", "a"]] {
        let done = nora.types(args);
        assert!(done.code == 1 && done.err.contains("another version"), "{done:?}");
    }
    assert_eq!(other.try_wait().unwrap(), None, "nothing has ended it");
    nora.does(["lock", "--stop"]);
    assert_eq!(other.wait().unwrap().signal(), Some(Signal::TERM.as_raw()));
    nora.does(["status"]);
}

fn interrupts(child: &Child) {
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    kill_process(pid, Signal::INT).unwrap();
}

#[test]
fn an_interrupted_import_says_so_and_goes_on_when_it_is_run_again() {
    let nora = Person::new();
    let notes = nora.path("notes.jsonl");
    let lines = (0..60_000).map(|n| format!("{{\"kind\":\"note\",\"id\":\"{n}\",\"fields\":{{\"name\":\"note {n}\",\"text\":\"row {n}\"}}}}\n"));
    fs::write(&notes, lines.collect::<String>()).unwrap();
    let child = nora
        .command(["import", notes.to_str().unwrap()])
        .stderr(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let stored = || nora.asks(["status"])["records"].as_u64().unwrap();
    while stored() == 0 {
        thread::sleep(Duration::from_millis(5));
    }
    interrupts(&child);
    let ended = child.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(130));
    let said = String::from_utf8(ended.stderr).unwrap();
    assert!(said.contains("Run the same again to go on"), "{said}");
    // The daemon sees that nobody listens any more, and ends the run.
    let begun = Instant::now();
    let ledger = loop {
        let again = nora.tries(["--json", "import", notes.to_str().unwrap()]);
        if again.code == 0 {
            break again.json();
        }
        assert!(begun.elapsed() < Duration::from_mins(1), "{}", again.err);
        thread::sleep(Duration::from_millis(50));
    };
    assert_eq!((&ledger["read"], stored()), (&60_000.into(), 60_000));
}

#[test]
fn an_interrupted_demo_leaves_nothing() {
    let nora = Person::without_vault();
    let folder = nora.path("tmp");
    fs::create_dir(&folder).unwrap();
    let mut child = nora
        .command(["demo"])
        .env("TMPDIR", &folder)
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let begun = Instant::now();
    let stage = loop {
        let stage = fs::read_dir(&folder).unwrap().next();
        if let Some(stage) = stage.map(|entry| entry.unwrap().path())
            && UnixStream::connect(stage.join("vault/daemon.sock")).is_ok()
        {
            break stage;
        }
        assert!(begun.elapsed() < Duration::from_mins(1) && child.try_wait().unwrap().is_none());
        thread::sleep(Duration::from_millis(5));
    };
    interrupts(&child);
    let ended = child.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(130));
    assert!(String::from_utf8(ended.stderr).unwrap().contains("The demo's folder is gone"));
    assert!(!stage.exists());
}
