// SPDX-License-Identifier: MIT OR Apache-2.0
//! A server of one's own: the real program on a free port, with its folder. It ends with whoever started it.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::Pid;
use serde_json::Value;
use tempfile::TempDir;

use crate::clock::Clock;
use crate::{Done, Person, program};

/// The server's program and its folder.
#[derive(Debug)]
pub struct Host {
    folder: TempDir,
    /// Where it listens.
    pub address: SocketAddr,
    /// Its file of settings.
    pub settings: String,
    /// What it is shown as the time when it is started next, where that is not the system's.
    pub clock: Option<Clock>,
    child: Option<Child>,
    /// Its public key's hash, as it says it.
    pub key: String,
}

impl Host {
    /// A server with no settings.
    #[allow(clippy::new_without_default, reason = "it starts a process")]
    pub fn new() -> Self {
        Self::with("")
    }

    /// A server with these settings.
    pub fn with(settings: &str) -> Self {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        let mut host = Self {
            folder: tempfile::tempdir().unwrap(),
            address,
            settings: settings.to_owned(),
            clock: None,
            child: None,
            key: String::new(),
        };
        host.starts();
        host
    }

    /// What it keeps.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// A folder beside that.
    pub fn aside(&self) -> &Path {
        self.folder.path()
    }

    /// Where it is asked.
    pub fn url(&self) -> String {
        format!("https://{}", self.address)
    }

    /// Its program, over its settings and its folder.
    pub fn command(&self) -> Command {
        let config = self.folder.path().join("settings.toml");
        fs::write(&config, &self.settings).unwrap();
        let mut command = Command::new(program().with_file_name("aura-server"));
        command.arg("--config").arg(config).arg("--data").arg(self.data());
        command
    }

    /// Starts it, and waits until it listens.
    pub fn starts(&mut self) {
        let listen = self.address.to_string();
        let mut command = self.command();
        command.args(["serve", "--registration", "open", "--listen", &listen]);
        if let Some(clock) = &self.clock {
            clock.is_shown(&mut command);
        }
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let line = lines.next().unwrap().unwrap();
        let said: Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("{line}"));
        assert_eq!(said["message"], "listening", "{said}");
        said["key"].as_str().unwrap().clone_into(&mut self.key);
        // What it says later must not fill the pipe.
        std::thread::spawn(move || lines.for_each(drop));
        self.child = Some(child);
    }

    /// Its process, while it runs.
    pub fn process(&self) -> Option<Pid> {
        self.child.as_ref().map(Pid::from_child)
    }

    /// As `kill -9` does.
    pub fn is_killed(&mut self) {
        let mut child = self.child.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// What it kept is there no more; its key is.
    pub fn is_wiped(&mut self) {
        self.is_killed();
        for name in fs::read_dir(self.data()).unwrap().map(|entry| entry.unwrap().path()) {
            match name.file_name().unwrap().to_str().unwrap() {
                "vaults" => fs::remove_dir_all(name).unwrap(),
                name_of if name_of.starts_with("accounts.db") => fs::remove_file(name).unwrap(),
                _ => {}
            }
        }
        self.starts();
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            drop(child.kill());
            drop(child.wait());
        }
    }
}

/// Opens an account at a server and adds that as a store.
pub fn adds_server(person: &Person, host: &Host, account: &str) -> Done {
    adds_server_at(person, (&host.url(), &host.key), account)
}

/// The same at another address that leads there.
pub fn adds_server_at(person: &Person, (url, key): (&str, &str), account: &str) -> Done {
    person.types(["store", "add", url, "--account", account, "--pin", key, "--register"])
}

/// The secret key of the kit, into a file of another person's.
pub fn hand_over(from: &Person, to: &Person) {
    let kit = fs::read_to_string(from.path("kit.txt")).unwrap();
    let code = kit.lines().skip_while(|line| !line.starts_with("Secret key")).nth(1).unwrap();
    fs::write(to.path("secret-key"), code.trim()).unwrap();
}

/// Makes a person's folder a new device, with what was handed over.
pub fn tries_to_join(person: &Person, host: &Host, account: &str) -> Done {
    tries_to_join_at(person, (&host.url(), &host.key), account)
}

fn tries_to_join_at(person: &Person, (url, key): (&str, &str), account: &str) -> Done {
    let join = ["--json", "join", url, "--account", account, "--pin", key];
    person.types([&join[..], &["--secret-key-file", "secret-key"]].concat())
}

/// A second device, confirmed on the first. Both have everything.
pub fn joins(from: &Person, host: &Host) -> Person {
    let person = joins_at(from, (&host.url(), &host.key));
    meet(from, &person);
    person
}

/// A new device that comes in at another address that leads to a server, confirmed on the first. It may not have
/// heard of that yet.
pub fn joins_at(from: &Person, at: (&str, &str)) -> Person {
    let person = Person::without_vault();
    hand_over(from, &person);
    let joined = tries_to_join_at(&person, at, "nora");
    assert_eq!(joined.code, 0, "{joined:?}");
    let joined = joined.json();
    assert_eq!(joined["confirmed"], false, "{joined}");
    from.does(["sync"]);
    from.does(["device", "confirm", joined["device"].as_str().unwrap()]);
    person
}

/// Two devices sync until both have everything.
pub fn meet(one: &Person, other: &Person) {
    for person in [one, other, one] {
        person.does(["sync"]);
    }
    assert_eq!(one.state(), other.state());
}
