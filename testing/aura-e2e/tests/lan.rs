// SPDX-License-Identifier: MIT OR Apache-2.0
//! Two devices and nothing between them but a network: over an address, and found there by announcements.
//!
//! The second one makes network namespaces, which takes `ip` and the rights to do so; where they are missing it says so and
//! is skipped.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic is a failed test")]

use std::collections::BTreeSet;
use std::fs;
use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use aura_crypto::sign::{LabelledSigner as _, TransportSigningKey};
use aura_e2e::{Done, Person, program};
use aura_protocol::id::{DeviceId, VaultId};
use serde_json::Value;
use zeroize::Zeroizing;

/// What every daemon does by itself, it does within this.
const PATIENCE: Duration = Duration::from_mins(1);
/// In records only.
const MARKER: &str = "quokkamarker";

/// Until the daemons have done it by themselves; how long that took.
fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) -> Duration {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < PATIENCE, "{what}");
        sleep(Duration::from_millis(50));
    }
    begun.elapsed()
}

fn finds(person: &Person, word: &str) -> bool {
    !person.lists(["search", word]).is_empty()
}

/// A code of the kit, into a file of another person's.
fn hand_over(from: &Person, section: &str, to: &Person, name: &str) {
    let kit = fs::read_to_string(from.path("kit.txt")).unwrap();
    let code = kit.lines().skip_while(|line| !line.starts_with(section)).nth(1).unwrap();
    fs::write(to.path(name), code.trim()).unwrap();
}

/// Two devices of one vault that have the same, know each other, and have no store any more.
fn pair() -> (Person, Person) {
    let stick = tempfile::tempdir().unwrap();
    let folder = stick.path().to_str().unwrap();
    let (nora, phone) = (Person::new(), Person::without_vault());
    nora.adds("First", MARKER).unwrap();
    nora.does(["store", "add", folder]);
    nora.does(["sync"]);
    hand_over(&nora, "Recovery code", &phone, "code");
    hand_over(&nora, "Secret key", &phone, "secret-key");
    let join = ["--password-file", "code", "join", folder, "--recovery"];
    let joined = phone.tries([&join[..], &["--secret-key-file", "secret-key"]].concat());
    assert_eq!(joined.code, 0, "{joined:?}");
    for person in [&nora, &phone, &nora] {
        person.does(["sync"]);
    }
    for person in [&nora, &phone] {
        person.does(["store", "rm", folder]);
        assert!(person.lists(["store", "ls"]).is_empty());
    }
    assert_eq!(nora.state(), phone.state());
    (nora, phone)
}

fn own(person: &Person) -> String {
    let devices = person.lists(["device", "ls"]);
    let own = devices.iter().find(|device| device["this"] == true).unwrap();
    own["id"].as_str().unwrap().to_owned()
}

fn stores(person: &Person, kind: &str) -> Vec<Value> {
    let stores = person.lists(["store", "ls"]);
    stores.into_iter().filter(|store| store["kind"] == kind).collect()
}

/// UDP sockets that a person's daemon has open.
fn sockets(person: &Person) -> usize {
    let pid = person.daemon().unwrap().as_raw_nonzero();
    let fds = fs::read_dir(format!("/proc/{pid}/fd")).unwrap();
    let links = fds.filter_map(|fd| fs::read_link(fd.ok()?.path()).ok());
    let open: BTreeSet<String> = links.map(|link| link.to_string_lossy().into_owned()).collect();
    let table = |name| fs::read_to_string(format!("/proc/{pid}/net/{name}")).unwrap_or_default();
    let tables = [table("udp"), table("udp6")].concat();
    let inodes = tables.lines().filter_map(|line| line.split_whitespace().nth(9));
    inodes.filter(|inode| open.contains(&format!("socket:[{inode}]"))).count()
}

fn free_port() -> u16 {
    UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A note with a file goes from one to the other, and how long the note took.
fn sends(from: &Person, to: &Person, word: &str, megabytes: usize) -> Duration {
    let blocks = (0u64..).flat_map(u64::to_le_bytes);
    let bytes: Vec<u8> = word.bytes().chain(blocks).take(megabytes << 20).collect();
    fs::write(from.path("photo.bin"), &bytes).unwrap();
    let args = ["add", "note", "--title", word, "--text", "with a file", "--file", "photo.bin"];
    let id = from.asks(args)["id"].as_str().unwrap().to_owned();
    let took = wait_until("the note arrives", || finds(to, word));
    let out = to.path("out.bin");
    wait_until("its file arrives", || {
        fs::remove_file(&out).ok();
        to.types(["get", &id, "--attachment", "photo.bin", "--out", "out.bin"]).code == 0
    });
    assert!(fs::read(&out).unwrap() == bytes);
    took
}

/// PEE-12, PEE-13, attacks DEV-01, AVL-04: both ways, killed, locked, revoked, and off again.
#[test]
fn over_an_address() {
    let (nora, phone) = pair();
    assert_eq!((sockets(&nora), sockets(&phone)), (0, 0), "off means no socket");
    let port = free_port();
    let address = format!("peer://127.0.0.1:{port}");
    let early = phone.types(["store", "add", &address]);
    assert!(early.code == 6 && early.err.contains("Nobody answers"), "{early:?}");
    assert!(phone.lists(["store", "ls"]).is_empty());

    nora.does(["store", "add", "lan", "--port", &port.to_string()]);
    let lan = &stores(&nora, "lan")[0];
    assert!(lan["port"] == port && lan["trouble"].is_null(), "{lan}");
    assert!(sockets(&nora) > 0);
    // Somebody else, on the same machine, who has the address.
    let stranger = Person::new();
    let refused = stranger.types(["store", "add", &address]);
    assert!(refused.code == 4 && refused.err.contains("does not know this vault"), "{refused:?}");

    let added = phone.asks(["store", "add", &address]);
    assert!(added["kind"] == "device" && added["path"] == *address, "{added}");
    assert_eq!(added["device"], own(&nora));
    assert_eq!(phone.types(["--json", "sync"]).code, 0);
    eprintln!("there after {:?}", sends(&nora, &phone, "numbatword", 6));
    eprintln!("and back after {:?}", sends(&phone, &nora, "wombatword", 6));
    wait_until("both have the same", || nora.state() == phone.state());

    // Killed while a file goes: it goes on where it ended.
    fs::write(phone.path("photo.bin"), vec![7; 30 << 20]).unwrap();
    let args = ["add", "note", "--title", "bilbyword", "--text", "x", "--file", "photo.bin"];
    let id = phone.asks(args)["id"].as_str().unwrap().to_owned();
    wait_until("the note arrives", || finds(&nora, "bilbyword"));
    nora.kills_daemon();
    nora.does(["unlock"]);
    wait_until("its file arrives", || {
        fs::remove_file(nora.path("out.bin")).ok();
        nora.types(["get", &id, "--attachment", "photo.bin", "--out", "out.bin"]).code == 0
    });
    nora.does(["verify"]);

    // A locked device takes what comes, and reads it when it is opened.
    nora.does(["lock"]);
    phone.adds("Later", "dingoword").unwrap();
    wait_until("it is there, sealed", || {
        let store = &stores(&phone, "device")[0];
        store["waiting"] == 0 && store["trouble"].is_null()
    });
    let status = Done::of(&nora.command(["--json", "status"]).output().unwrap()).json();
    assert_eq!(status["locked"], true, "{status}");
    phone.does(["lock", "--stop"]);
    nora.does(["unlock"]);
    assert!(finds(&nora, "dingoword"), "nobody else was there to bring it");
    phone.does(["unlock"]);

    // A device that is lost is out at once.
    let lost = own(&phone);
    nora.does(["device", "revoke", &lost[..8], "--kit", "new.txt"]);
    nora.adds("Secret", "echidnaword").unwrap();
    wait_until("it is not let in any more", || {
        let tried = phone.types(["--json", "sync"]);
        tried.code == 6 && tried.out.contains("revoked")
    });
    assert!(!finds(&phone, "echidnaword"));

    nora.does(["store", "rm", "lan"]);
    wait_until("off again", || sockets(&nora) == 0);
    assert!(UdpSocket::bind(("127.0.0.1", port)).is_ok());
    phone.does(["store", "rm", &address]);
    wait_until("off there as well", || sockets(&phone) == 0);
}

/// A command of the system's, or why it does not work.
fn run(args: &[&str]) -> Result<(), String> {
    let (name, rest) = args.split_first().unwrap();
    let output = Command::new(name).args(rest).stdin(Stdio::null()).output();
    let output = output.map_err(|error| error.to_string())?;
    let said = String::from_utf8_lossy(&output.stderr);
    if output.status.success() { Ok(()) } else { Err(format!("{}: {said}", args.join(" "))) }
}

/// Networks of their own for so many machines, and a switch between them on which everything can be heard.
struct Networks {
    switch: String,
    machines: Vec<String>,
}

impl Networks {
    /// Or why not: it takes rights that not everybody has.
    fn new(count: usize) -> Result<Self, String> {
        let id = std::process::id();
        let machines = (1..=count).map(|at| format!("aura-{id}-{at}")).collect();
        let made = Self { switch: format!("aura-{id}-switch"), machines };
        let switch = made.switch.as_str();
        run(&["ip", "netns", "add", switch])?;
        run(&["ip", "-n", switch, "link", "add", "hub", "type", "bridge", "mcast_snooping", "0"])?;
        run(&["ip", "-n", switch, "link", "set", "hub", "up"])?;
        for (at, machine) in made.machines.iter().enumerate() {
            let (port, address) = (format!("port{}", at + 1), format!("10.77.0.{}/24", at + 1));
            let to_machine = ["type", "veth", "peer", "name", "eth0", "netns", machine];
            run(&["ip", "netns", "add", machine])?;
            run(&[&["ip", "-n", switch, "link", "add", &port][..], &to_machine].concat())?;
            run(&["ip", "-n", switch, "link", "set", &port, "master", "hub", "up"])?;
            run(&["ip", "-n", machine, "link", "set", "lo", "up"])?;
            run(&["ip", "-n", machine, "addr", "add", &address, "dev", "eth0"])?;
            run(&["ip", "-n", machine, "link", "set", "eth0", "up"])?;
        }
        Ok(made)
    }

    /// Starts a person's daemon on a machine, and opens the vault.
    fn starts(&self, at: usize, person: &Person) {
        person.does(["lock", "--stop"]);
        wait_until("the daemon ends", || person.daemon().is_none());
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.machines[at]]).arg(program()).arg("--home");
        command.arg(person.home()).arg("unlock").env("AURA_COST", "least");
        command.env("AURA_PASSWORD_FILE", person.path("password")).stdin(Stdio::null());
        let done = Done::of(&command.output().unwrap());
        assert_eq!(done.code, 0, "{done:?}");
    }

    fn moves(&self, at: usize, from: &str, to: &str) {
        let machine = &self.machines[at];
        run(&["ip", "-n", machine, "addr", "del", from, "dev", "eth0"]).unwrap();
        run(&["ip", "-n", machine, "addr", "add", to, "dev", "eth0"]).unwrap();
    }
}

impl Drop for Networks {
    fn drop(&mut self) {
        for name in self.machines.iter().chain([&self.switch]) {
            run(&["ip", "netns", "del", name]).ok();
        }
    }
}

/// Whoever hears everything that passes a port of the switch.
struct Listener {
    heard: PathBuf,
    python: Child,
}

impl Listener {
    fn new(networks: &Networks, folder: &Path) -> Self {
        const HEAR: &str = "import socket, sys\n\
            s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))\n\
            s.bind(('port1', 0))\n\
            f = open(sys.argv[1], 'wb')\n\
            while True:\n    f.write(s.recv(65535)); f.flush()\n";
        let heard = folder.join("heard");
        let python = std::env::var("AURA_PYTHON").unwrap_or_else(|_| "python3".to_owned());
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &networks.switch, &python, "-c", HEAR]).arg(&heard);
        let python = command.spawn().unwrap();
        wait_until("somebody listens", || heard.exists());
        Self { heard, python }
    }

    fn heard(&self) -> Vec<u8> {
        fs::read(&self.heard).unwrap()
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.python.kill().ok();
        self.python.wait().ok();
    }
}

/// What would say whose vault or device it is.
fn secrets(person: &Person) -> Vec<(String, Vec<u8>)> {
    let vault = person.asks(["status"])["vault_id"].as_str().unwrap().to_owned();
    let device = own(person);
    let seed: [u8; 32] = fs::read(person.home().join("transport.key")).unwrap().try_into().unwrap();
    let transport = TransportSigningKey::from_seed(Zeroizing::new(seed)).verifying_key();
    let mut secrets = vec![
        ("the vault's id".to_owned(), VaultId::parse(&vault).unwrap().0.to_vec()),
        ("the device's id".to_owned(), DeviceId::parse(&device).unwrap().0.to_vec()),
        ("the transport key".to_owned(), transport.to_vec()),
        ("the vault's id, in digits".to_owned(), vault.as_bytes()[..16].to_vec()),
        ("the device's id, in digits".to_owned(), device.as_bytes()[..16].to_vec()),
    ];
    let machine = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let texts = [machine.trim().to_owned(), MARKER.to_owned(), "numbatword".to_owned()];
    let texts = texts.into_iter().filter(|text| text.len() > 3);
    secrets.extend(texts.map(|text| (text.clone(), text.into_bytes())));
    secrets
}

/// PEE-9 to PEE-13, attack TRF-06: found, met and followed wherever they go; whoever hears everything knows nothing.
#[test]
fn found_on_a_network() {
    let networks = match Networks::new(3) {
        Ok(networks) => networks,
        Err(why) => {
            eprintln!("SKIPPED: no networks can be made: {why}");
            return;
        }
    };
    let (nora, phone) = pair();
    let stranger = Person::new();
    let folder = tempfile::tempdir().unwrap();
    let listener = Listener::new(&networks, folder.path());
    for (at, person) in [&nora, &phone, &stranger].into_iter().enumerate() {
        networks.starts(at, person);
        person.does(["store", "add", "lan"]);
    }
    let has_met = |one: &Person, other: &Person| {
        let met = stores(one, "device");
        met.iter().any(|store| store["device"] == own(other) && store["synced"].is_string())
    };
    let took =
        wait_until("they find each other", || has_met(&nora, &phone) && has_met(&phone, &nora));
    eprintln!("found after {took:?}");

    eprintln!("there after {:?}", sends(&nora, &phone, "numbatword", 6));
    eprintln!("and back after {:?}", sends(&phone, &nora, "wombatword", 6));
    let begun = Instant::now();
    nora.adds("Quick", "bilbyword").unwrap();
    wait_until("a change arrives", || finds(&phone, "bilbyword"));
    eprintln!("a change was seen after {:?}", begun.elapsed());
    wait_until("both have the same", || nora.state() == phone.state());

    // Killed, and begun anew at another port.
    phone.kills_daemon();
    nora.adds("Meanwhile", "dingoword").unwrap();
    networks.starts(1, &phone);
    let took = wait_until("it is found again", || finds(&phone, "dingoword"));
    eprintln!("after a kill: {took:?}");

    // In another place.
    networks.moves(1, "10.77.0.2/24", "10.77.0.9/24");
    phone.adds("Moved", "quollword").unwrap();
    let took = wait_until("it is found elsewhere", || finds(&nora, "quollword"));
    eprintln!("after a move: {took:?}");
    wait_until("both have the same", || nora.state() == phone.state());
    nora.does(["verify"]);

    assert!(stores(&stranger, "device").is_empty(), "another vault finds nobody");
    let heard = listener.heard();
    let has = |bytes: &[u8]| memchr::memmem::find(&heard, bytes).is_some();
    assert!(has(b"_aura"), "it heard announcements");
    // A busy machine drops some of it.
    assert!(heard.len() > 1 << 20, "it heard what went by: {} bytes", heard.len());
    for person in [&nora, &phone] {
        for (what, bytes) in secrets(person) {
            assert!(!has(&bytes), "{what} was to be heard");
        }
        assert_eq!(stores(person, "device").len(), 1);
        person.does(["store", "rm", "lan"]);
        assert!(person.lists(["store", "ls"]).is_empty(), "what was found goes with it");
        wait_until("off means no socket", || sockets(person) == 0);
    }
}
