// SPDX-License-Identifier: MIT OR Apache-2.0
//! Journeys with the real program: a vault in a folder of its own, and whoever types at it.
//!
//! The program is the one that `AURA_BIN` names, else the one beside the tests, which is built when it
//! is missing. Daemons end with the person whom they serve, also where a test is killed. Panics here are a test's failure.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::missing_panics_doc,
    reason = "a panic is a failed test"
)]

pub mod browser;

pub mod clock;

pub mod elsewhere;

pub mod host;

pub mod page;

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use self::clock::Clock;

/// The password of every vault here.
pub const PASSWORD: &str = "canyon ripple velvet octave harbor lantern";

/// The second password of those vaults that have one.
pub const SECOND: &str = "meadow copper lattice signal thimble orchard";

/// The program.
pub fn program() -> PathBuf {
    if let Some(program) = env::var_os("AURA_BIN") {
        return program.into();
    }
    let test = env::current_exe().expect("a test knows where it is");
    let folder = test.parent().and_then(Path::parent).expect("tests stand in target/*/deps");
    let program = folder.join("aura");
    if !program.exists() {
        let built = Command::new(env!("CARGO")).args(["build", "-p", "aura"]).status();
        assert!(built.expect("cargo runs").success(), "the program could not be built");
    }
    program
}

/// What a command did.
#[derive(Debug)]
pub struct Done {
    /// How it exited; -1 when it was killed.
    pub code: i32,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl Done {
    /// What it did.
    pub fn of(output: &Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Its one JSON object.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Its JSON Lines.
    pub fn lines(&self) -> Vec<Value> {
        let parse = |line: &str| serde_json::from_str(line).expect("every line is JSON");
        self.out.lines().map(parse).collect()
    }
}

/// A folder with a vault in it, and somebody who knows the password.
pub struct Person {
    folder: TempDir,
    watchman: Child,
    /// What the programs that are started next are shown as the time, where that is not the system's.
    pub clock: Option<Clock>,
}

/// A process that ends the folder's daemon when this one ends in whatever way: its standard input is then
/// closed. In a group of its own, since whoever kills a test kills the test's group.
fn watchman(home: &Path) -> Child {
    let mut command = Command::new("sh");
    command
        .args(["-c", "read -r line; exec \"$0\" --home \"$1\" lock --stop"])
        .arg(program())
        .arg(home)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0);
    command.spawn().expect("a shell runs")
}

impl Person {
    /// Somebody with a new vault, which is open.
    pub fn new() -> Self {
        let person = Self::without_vault();
        let kit = person.path("kit.txt");
        person.does(["init", "--no-verify-kit", "--kit", kit.to_str().unwrap()]);
        person
    }

    /// Somebody with a new vault that has a second lock; both are open. Its password is in `second`.
    pub fn with_second_lock() -> Self {
        let person = Self::without_vault();
        let (kit, second) = (person.path("kit.txt"), person.path("second"));
        let (kit, second) = (kit.to_str().unwrap(), second.to_str().unwrap());
        person.does(["--second-password-file", second, "init", "--no-verify-kit", "--kit", kit]);
        person
    }

    /// Somebody without one.
    pub fn without_vault() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        fs::write(folder.path().join("password"), PASSWORD).unwrap();
        fs::write(folder.path().join("second"), SECOND).unwrap();
        let watchman = watchman(&folder.path().join("vault"));
        Self { folder, watchman, clock: None }
    }

    /// A path in the person's folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The vault's folder.
    pub fn home(&self) -> PathBuf {
        self.path("vault")
    }

    /// A command, without the password, without a terminal.
    pub fn command<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Command {
        let mut command = Command::new(program());
        command
            .arg("--home")
            .arg(self.home())
            .args(args)
            .current_dir(self.folder.path())
            .env("AURA_COST", "least")
            .env("NO_COLOR", "1")
            // Whatever clients of assistants the machine has, here are those that a test puts into the folder.
            .env("HOME", self.folder.path())
            .env_remove("XDG_CONFIG_HOME")
            .env_remove("CLAUDE_CONFIG_DIR")
            .env_remove("CODEX_HOME")
            .env_remove("AURA_HOME")
            .env_remove("AURA_PASSWORD_FILE")
            .env_remove("AURA_SECOND_PASSWORD_FILE")
            .env_remove("AURA_SECOND_IDLE")
            .stdin(Stdio::null());
        if let Some(clock) = &self.clock {
            clock.is_shown(&mut command);
        }
        command
    }

    /// Types a command and waits for it; the password is not at hand.
    pub fn tries<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Done {
        Done::of(&self.command(args).output().expect("the program runs"))
    }

    /// Types a command with the password at hand and waits for it.
    pub fn types<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Done {
        Done::of(&self.with_password(args).output().expect("the program runs"))
    }

    /// The same, and it works.
    pub fn does<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Done {
        let done = self.types(args);
        assert_eq!(done.code, 0, "{done:?}");
        done
    }

    /// The same with `--json`: its one object.
    pub fn asks<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Value {
        self.does(json(args)).json()
    }

    /// Is told that another device let go of one deleted record, which stays here for some days, and adopts that at once
    /// (SNP-10).
    pub fn lets_go_too(&self) {
        let status = self.asks(["status"]);
        let warned = status["warnings"][0].as_str().unwrap_or_default();
        assert!(warned.contains("has let go of 1 deleted record"), "{status}");
        let looked = self.asks(["compact"]);
        assert_eq!(looked["by_others"][0]["records"], 1, "{looked}");
        let done = self.does(["compact", "--now"]);
        assert!(done.out.contains("Gone for good here too"), "{done:?}");
    }

    /// The same with `--json`: its lines.
    pub fn lists<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Vec<Value> {
        self.does(json(args)).lines()
    }

    /// Starts a command with the password at hand and does not wait.
    pub fn starts<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Child {
        let mut command = self.with_password(args);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().expect("the program runs")
    }

    fn with_password<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Command {
        let mut command = self.command(args);
        command.env("AURA_PASSWORD_FILE", self.path("password"));
        command
    }

    /// Adds a note. Returns its id, if that was acknowledged.
    pub fn adds(&self, title: &str, text: &str) -> Option<String> {
        let done = self.types(["--json", "add", "note", "--title", title, "--text", text]);
        (done.code == 0).then(|| done.json()["id"].as_str().unwrap().to_owned())
    }

    /// The state hash.
    pub fn state(&self) -> String {
        self.asks(["status"])["state_hash"].as_str().expect("the vault is open").to_owned()
    }

    /// Starts a daemon in the foreground, to hear everything that it says.
    pub fn watches_daemon(&self) -> Child {
        let mut command = self.command(["daemon"]);
        let command = command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut daemon = command.spawn().expect("the program runs");
        while self.daemon().is_none() {
            let ended = daemon.try_wait().expect("it is a child");
            assert!(ended.is_none(), "{:?}", daemon.wait_with_output());
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        daemon
    }

    /// The daemon's process.
    pub fn daemon(&self) -> Option<Pid> {
        let stream = UnixStream::connect(self.home().join("daemon.sock")).ok()?;
        Some(rustix::net::sockopt::socket_peercred(stream).ok()?.pid)
    }

    /// Kills the daemon as `kill -9` does.
    pub fn kills_daemon(&self) {
        if let Some(pid) = self.daemon() {
            kill_process(pid, Signal::KILL).ok();
            // Gone when nobody answers any more.
            while self.daemon() == Some(pid) {
                std::thread::yield_now();
            }
        }
    }

    /// Every file of the vault, with its bytes.
    pub fn files(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let mut files = Vec::new();
        let mut folders = vec![self.home()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
                let kind = entry.file_type().unwrap();
                if kind.is_dir() {
                    folders.push(entry.path());
                } else if kind.is_file()
                    && let Ok(bytes) = fs::read(entry.path())
                {
                    files.push((entry.path(), bytes));
                }
            }
        }
        files
    }
}

impl Default for Person {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Person {
    fn drop(&mut self) {
        drop(self.command(["lock", "--stop"]).output());
        drop(self.watchman.kill());
        drop(self.watchman.wait());
    }
}

fn json<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Vec<std::ffi::OsString> {
    let args = args.into_iter().map(|arg| arg.as_ref().to_owned());
    std::iter::once("--json".into()).chain(args).collect()
}
