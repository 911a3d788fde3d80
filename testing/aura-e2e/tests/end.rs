// SPDX-License-Identifier: MIT OR Apache-2.0
//! Daemons that a test started end with it, however it ends.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic is a failed test")]

use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};
use std::{env, fs};

use aura_e2e::Person;

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
