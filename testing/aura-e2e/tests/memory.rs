// SPDX-License-Identifier: MIT OR Apache-2.0
//! The daemon's memory: it leaves no core file, nobody of the same user may look into it, and once the
//! vault is locked nothing of it is left there. And a server's, which never has anything of it.
//!
//! What a system does not allow to be tried is said to be skipped.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a panic is a failed test, and one that is skipped says so"
)]

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::{FileExt as _, chown};
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::thread;
use std::time::Duration;

use aura_crypto::key::{RecoveryCode, RootKey, SecretKey};
use aura_crypto::slot::{SlotSecrets, recovery_secret, unwrap_from_slot};
use aura_crypto::tree;
use aura_e2e::host::{Host, adds_server, joins, meet};
use aura_e2e::{PASSWORD, Person, program};
use aura_protocol::authority::{Recipient, SlotKind};
use aura_protocol::id::EpochId;
use aura_store::local::LocalStore;
use aura_vault::home::Home;
use aura_vault::vault::{Locked, Vault, read_roster};
use memchr::memmem;
use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, setrlimit};

/// What a record says that nothing else does.
const TITLE: &str = "canarytitle of the open vault";
const TEXT: &str = "canarytext of the open vault";
const QUERY: &str = "canaryquery";
/// A user without any rights.
const NOBODY: u32 = 65_534;
/// Memory is read in pieces of this size; what is looked for is far shorter.
const PIECE: usize = 4 << 20;
const OVERLAP: usize = 1 << 10;

/// Something that must not be in memory: what it is, and how it looks there.
type Marker = (&'static str, Vec<u8>);

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Ended with the test.
struct Bystander(Child);

impl Drop for Bystander {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

fn bystander(folder: &Path, prepare: impl FnOnce(&mut Command)) -> io::Result<Bystander> {
    let mut command = Command::new("sleep");
    command.arg("60").current_dir(folder).stdin(Stdio::null());
    prepare(&mut command);
    command.spawn().map(Bystander)
}

fn pid(child: &Child) -> Pid {
    Pid::from_child(child)
}

/// Whether a process that nobody protects would leave a core file here.
fn are_cores_made(folder: &Path) -> bool {
    let limit = getrlimit(Resource::Core);
    setrlimit(Resource::Core, Rlimit { current: limit.maximum, ..limit }).ok();
    let mut sleeper = bystander(folder, |_| ()).unwrap();
    kill_process(pid(&sleeper.0), Signal::SEGV).unwrap();
    sleeper.0.wait().unwrap().core_dumped()
}

/// Sends the signal until the process has died of it: Rust's own handler lets the first fault pass that
/// has no address.
fn crash(process: &mut Child, signal: Signal) -> ExitStatus {
    loop {
        kill_process(pid(process), signal).unwrap();
        thread::sleep(Duration::from_millis(20));
        if let Some(status) = process.try_wait().unwrap() {
            return status;
        }
    }
}

fn cores(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let is_core = |path: &PathBuf| {
        path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"core"))
    };
    entries.filter(is_core).collect()
}

#[test]
fn a_daemon_that_crashes_leaves_no_core_file() {
    let nora = Person::new();
    nora.adds(TITLE, TEXT).unwrap();
    nora.does(["lock", "--stop"]);
    let control = tempfile::tempdir().unwrap();
    if !are_cores_made(control.path()) {
        println!("skipped: this system makes no core files of any process");
        return;
    }
    let pattern = fs::read_to_string("/proc/sys/kernel/core_pattern").unwrap_or_default();
    let is_beside = !pattern.starts_with(['|', '/']);
    if is_beside {
        assert_eq!(
            cores(control.path()).len(),
            1,
            "the check finds no core file where there is one"
        );
    } else {
        println!("note: core files go elsewhere; only what the kernel says of them is checked");
    }
    for signal in [Signal::ABORT, Signal::SEGV] {
        let mut daemon = nora.watches_daemon();
        nora.does(["unlock"]);
        let status = crash(&mut daemon, signal);
        assert_eq!(status.signal(), Some(signal.as_raw()));
        assert!(!status.core_dumped(), "{signal:?}");
        for folder in [nora.path("."), nora.home(), PathBuf::from("/")] {
            assert_eq!(cores(&folder), Vec::<PathBuf>::new(), "{signal:?}");
        }
    }
}

/// Somebody with a vault, who is not root: this user, or nobody.
struct Plain {
    folder: tempfile::TempDir,
    program: PathBuf,
}

impl Plain {
    fn new() -> io::Result<Self> {
        let folder = tempfile::tempdir()?;
        let mut program = program();
        fs::write(folder.path().join("password"), PASSWORD)?;
        if is_root() {
            let copy = folder.path().join("aura");
            fs::copy(&program, &copy)?;
            program = copy;
            for path in [folder.path(), &program, &folder.path().join("password")] {
                chown(path, Some(NOBODY), Some(NOBODY))?;
            }
        }
        Ok(Self { folder, program })
    }

    fn command(&self, name: impl AsRef<Path>) -> Command {
        let mut command = Command::new(name.as_ref());
        command.current_dir(self.folder.path()).stdin(Stdio::null()).env("LC_ALL", "C");
        if is_root() {
            command.uid(NOBODY).gid(NOBODY);
        }
        command
    }

    fn types(&self, args: &[&str]) -> io::Result<Output> {
        let mut command = self.command(&self.program);
        command.args(["--home", "vault"]).args(args).env("AURA_COST", "least");
        command.env("AURA_PASSWORD_FILE", "password").output()
    }

    fn reads(&self, path: &str) -> Output {
        self.command("cat").arg(path).output().unwrap()
    }
}

impl Drop for Plain {
    fn drop(&mut self) {
        drop(self.types(&["lock", "--stop"]));
    }
}

#[test]
fn a_program_of_the_same_user_cannot_read_the_open_daemon() {
    let made = Plain::new().and_then(|plain| {
        let done = plain.types(&["init", "--no-verify-kit", "--kit", "kit.txt"])?;
        Ok((plain, done))
    });
    let (plain, done) = match made {
        Ok(made) => made,
        Err(error) => {
            println!("skipped: there is no user without rights to try it as: {error}");
            return;
        }
    };
    assert!(done.status.success(), "{done:?}");
    let sleeper = Bystander(plain.command("sleep").arg("60").spawn().unwrap());
    let control = plain.reads(&format!("/proc/{}/maps", sleeper.0.id()));
    assert!(control.status.success(), "a process of one's own can be read: {control:?}");

    let socket = plain.folder.path().join("vault/daemon.sock");
    let stream = UnixStream::connect(socket).unwrap();
    let daemon = rustix::net::sockopt::socket_peercred(stream).unwrap();
    assert!(!daemon.uid.is_root());
    for file in ["mem", "maps", "environ"] {
        let read = plain.reads(&format!("/proc/{}/{file}", daemon.pid.as_raw_nonzero()));
        let said = String::from_utf8_lossy(&read.stderr).into_owned();
        assert!(!read.status.success() && said.contains("Permission denied"), "{file}: {said}");
        assert!(read.stdout.is_empty());
    }
}

/// The vault's root key, by the recovery code; the daemon must not run.
fn root_key(nora: &Person, code: &str) -> (RootKey, EpochId) {
    let vault = Vault::<Locked>::identify(&nora.home()).unwrap();
    let store = LocalStore::open(&Home::new(&nora.home()).store(), Box::new(|| 0)).unwrap();
    let (roster, _) = read_roster(&store, vault).unwrap();
    let code = RecoveryCode::parse(code).unwrap();
    let is_recovery = |kind: &SlotKind| matches!(kind, SlotKind::Recovery);
    let (id, slot) = roster.slots().iter().find(|(_, slot)| is_recovery(&slot.kind)).unwrap();
    let secrets = SlotSecrets::derive(&recovery_secret(&code, &vault, id), &vault, id);
    let wraps = roster.wraps().iter();
    let mut opened = wraps.filter(|(recipient, ..)| *recipient == Recipient::Slot(*id)).map(
        |(_, generation, sealed)| {
            let place = (&vault, id, *generation);
            (unwrap_from_slot(&secrets, &slot.keys, place, sealed).unwrap(), *generation)
        },
    );
    opened.next().unwrap()
}

fn hex(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().flat_map(|byte| format!("{byte:02x}").into_bytes()).collect()
}

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

/// Everything that only an open vault knows.
fn markers(nora: &Person) -> Vec<Marker> {
    let kit = fs::read_to_string(nora.path("kit.txt")).unwrap();
    let groups = |count: usize| {
        let lines = kit.lines().map(str::trim);
        lines.filter(|line| line.split('-').count() == count).map(str::to_owned).next().unwrap()
    };
    let secret_key = fs::read_to_string(nora.home().join("secret.key")).unwrap();
    let secret_key = secret_key.trim();
    let code = groups(secret_key.split('-').count() + 2);
    let (root, generation) = root_key(nora, &code);
    let vault = Vault::<Locked>::identify(&nora.home()).unwrap();
    let keyring = tree::keyring_key(&root, &vault, generation);
    let collection = tree::root_collection_key(&root, &vault, generation);
    vec![
        ("the password", PASSWORD.into()),
        ("the password, as it travels", hex(PASSWORD.as_bytes())),
        ("the secret key as text", secret_key.into()),
        ("the secret key", SecretKey::parse(secret_key).unwrap().dangerous_bytes().to_vec()),
        ("the root key", root.dangerous_bytes().to_vec()),
        ("the keyring key", keyring.dangerous_bytes().to_vec()),
        ("the root collection's key", collection.dangerous_bytes().to_vec()),
        ("a title", TITLE.into()),
        ("a title, as UTF-16", utf16(TITLE)),
        ("a text", TEXT.into()),
        ("what was searched", QUERY.into()),
    ]
}

/// Which markers stand in the writable memory of a process, and how many bytes of it were read.
fn found(process: Pid, markers: &[Marker]) -> io::Result<(Vec<&'static str>, u64)> {
    let process = process.as_raw_nonzero();
    let memory = File::open(format!("/proc/{process}/mem"))?;
    let maps = fs::read_to_string(format!("/proc/{process}/maps"))?;
    let (mut found, mut bytes) = (Vec::new(), 0);
    let mut piece = vec![0; PIECE];
    for line in maps.lines() {
        let mut words = line.split_whitespace();
        let (range, rights) = (words.next().unwrap(), words.next().unwrap());
        let (start, end) = range.split_once('-').unwrap();
        let number = |hex: &str| u64::from_str_radix(hex, 16).unwrap();
        let (mut at, end) = (number(start), number(end));
        if !rights.starts_with("rw") {
            continue;
        }
        while at < end {
            let room = usize::try_from(end - at).unwrap().min(PIECE);
            let Ok(read) = memory.read_at(&mut piece[..room], at) else { break };
            let here = &piece[..read];
            let is_in = |marker: &&Marker| memmem::find(here, &marker.1).is_some();
            found.extend(markers.iter().filter(is_in).map(|(name, _)| *name));
            bytes += read as u64;
            if read <= OVERLAP || at + read as u64 >= end {
                break;
            }
            at += (read - OVERLAP) as u64;
        }
    }
    found.sort_unstable();
    found.dedup();
    Ok((found, bytes))
}

/// What is looked for must be there while the vault is open, else the looking would prove nothing.
#[test]
fn a_locked_daemon_remembers_nothing_of_the_open_vault() {
    let nora = Person::new();
    nora.does(["lock", "--stop"]);
    let markers = markers(&nora);
    let mut said = io::stdout();
    for start in ["in the foreground", "by a command"] {
        let daemon = (start == "in the foreground").then(|| nora.watches_daemon());
        nora.does(["unlock"]);
        let id = nora.adds(TITLE, TEXT).unwrap();
        nora.does(["get", &id]);
        nora.does(["search", QUERY]);
        nora.does(["verify"]);
        let process = nora.daemon().unwrap();
        let (open, _) = match found(process, &markers) {
            Ok(open) => open,
            Err(error) => {
                println!("skipped: only root may read the daemon's memory: {error}");
                return;
            }
        };
        for name in ["the root key", "a title"] {
            assert!(
                open.contains(&name),
                "{start}: {name} is not found where it must be: {open:?}"
            );
        }
        nora.does(["lock"]);
        assert_eq!(nora.daemon(), Some(process), "{start}: the same process goes on");
        let (locked, bytes) = found(process, &markers).unwrap();
        writeln!(said, "{start}: {bytes} bytes of the locked daemon, {locked:?}").unwrap();
        assert!(bytes > 0);
        assert_eq!(locked, Vec::<&str>::new(), "{start}: left in memory after the lock");
        assert_eq!(nora.tries(["--json", "status"]).json()["locked"], true);
        nora.does(["unlock"]);
        nora.does(["get", &id]);
        nora.does(["lock", "--stop"]);
        if let Some(daemon) = daemon {
            let done = daemon.wait_with_output().unwrap();
            assert_eq!((done.status.code(), done.stdout.len(), done.stderr.len()), (Some(0), 0, 0));
        }
    }
}

/// What a process holds that stands in no file, in MiB.
fn anonymous_mib(process: Pid) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", process.as_raw_nonzero())).unwrap();
    let line = status.lines().find(|line| line.starts_with("RssAnon:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
}

#[test]
fn the_memory_of_the_password_hash_is_given_back() {
    if !cfg!(target_os = "linux") {
        println!("skipped: this system does not say how much a process holds");
        return;
    }
    // The hash alone takes 64 MiB even where it is made cheap for tests.
    let nora = Person::new();
    nora.does(["lock"]);
    nora.does(["unlock"]);
    nora.does(["status"]);
    let held = anonymous_mib(nora.daemon().unwrap());
    assert!(held < 48, "{held} MiB");
}

/// ACC-6: what a server that keeps everything of a vault has in memory opens nothing and says nothing.
#[test]
fn a_server_never_has_in_memory_what_it_must_not_know() {
    let host = Host::new();
    let nora = Person::new();
    let added = adds_server(&nora, &host, "nora");
    assert_eq!(added.code, 0, "{added:?}");
    let id = nora.adds(TITLE, TEXT).unwrap();
    fs::write(nora.path("paper.txt"), format!("{TEXT} ").repeat(100_000)).unwrap();
    nora.does(["add", "note", "--title", TITLE, "--file", "paper.txt"]);
    nora.does(["search", QUERY]);
    let phone = joins(&nora, &host);
    phone.does(["edit", &id, "text=canarytext of the phone"]);
    meet(&nora, &phone);
    nora.does(["lock", "--stop"]);
    let mut markers = markers(&nora);
    markers.push(("a text that came later", b"canarytext of the phone".to_vec()));
    // What it must have: that it is found says that looking finds.
    markers.push(("the account's name", b"nora".to_vec()));
    let process = host.process().unwrap();
    match found(process, &markers) {
        Ok((found, bytes)) => {
            println!("{bytes} bytes of the server: {found:?}");
            assert_eq!(found, ["the account's name"]);
        }
        Err(error) => println!("skipped: only root may read the server's memory: {error}"),
    }
}
