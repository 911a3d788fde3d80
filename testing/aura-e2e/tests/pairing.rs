// SPDX-License-Identifier: MIT OR Apache-2.0
//! A new device is let in by a code, with the real programs, over a folder and over a server: without password, secret key
//! or kit. And what must not work: a wrong code, an old one, one that was used, a no, and whoever is killed in between.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic is a failed test")]

use std::fs;
use std::io::{BufRead as _, BufReader, Lines, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use aura_e2e::elsewhere as far;
use aura_e2e::{Done, PASSWORD, Person, program};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_mins(1);
/// In records only.
const MARKER: &str = "pangolinmarker";

/// `aura pair` at work, and somebody who watches it.
struct Showing {
    child: Child,
    says: ChildStdin,
    sees: Lines<BufReader<ChildStdout>>,
}

impl Showing {
    fn by(person: &Person) -> (Self, String) {
        Self::with(person, &[])
    }

    fn with(person: &Person, options: &[&str]) -> (Self, String) {
        let mut command = person.command(["--json", "pair"]);
        command.args(options);
        command.env("AURA_PASSWORD_FILE", person.path("password"));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let says = child.stdin.take().unwrap();
        let sees = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut showing = Self { child, says, sees };
        let first = showing.sees();
        let code = first["code"].as_str().unwrap_or_else(|| panic!("{first}")).to_owned();
        assert_eq!(first["picture"], format!("AURA-PAIR-1 {code}"));
        (showing, code)
    }

    /// The next line.
    fn sees(&mut self) -> Value {
        let line = self.sees.next().map(Result::unwrap).unwrap_or_default();
        serde_json::from_str(&line).unwrap_or(Value::Null)
    }

    fn says(&mut self, word: &str) {
        writeln!(self.says, "{word}").unwrap();
    }

    fn ends(mut self) -> Done {
        drop(self.says);
        let rest: Vec<String> = self.sees.map(Result::unwrap).collect();
        let mut err = String::new();
        let stderr = self.child.stderr.take().unwrap();
        std::io::Read::read_to_string(&mut BufReader::new(stderr), &mut err).unwrap();
        let code = self.child.wait().unwrap().code().unwrap_or(-1);
        Done { code, out: rest.join("\n"), err }
    }

    /// As Ctrl-C does.
    fn is_interrupted(&self) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, Signal::INT).unwrap();
    }
}

/// Types a code at a new device.
fn comes(person: &Person, place: &str, code: &str) -> Child {
    fs::write(person.path("code"), code).unwrap();
    let mut command = person.command(["--json", "join", place, "--pair", "--code-file", "code"]);
    command.args(["--name", "Nora’s phone"]).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().unwrap()
}

fn done(child: Child) -> Done {
    Done::of(&child.wait_with_output().unwrap())
}

/// Both sides of a pairing, with a yes.
fn pairs(from: &Person, place: &str) -> Person {
    let phone = Person::without_vault();
    let (mut showing, code) = Showing::by(from);
    let child = comes(&phone, place, &code);
    let seen = showing.sees();
    assert_eq!(seen["newcomer"]["name"], "Nora’s phone", "{seen}");
    showing.says("yes");
    let came = done(child);
    assert_eq!(came.code, 0, "{came:?}");
    let shown = showing.ends();
    assert_eq!(shown.code, 0, "{shown:?}");
    let paired: Value = serde_json::from_str(shown.out.lines().last().unwrap()).unwrap();
    assert_eq!(paired["paired"]["arrived"], true, "{paired}");
    let lines = came.lines();
    let joined = lines.last().unwrap();
    assert_eq!(lines[0]["newcomer"]["device"], joined["device"], "{came:?}");
    assert_eq!(paired["paired"]["device"], joined["device"]);
    assert_eq!((&joined["confirmed"], &joined["secret_key"]), (&true.into(), &true.into()));
    phone
}

fn syncs(person: &Person) -> Value {
    person.asks(["sync"])
}

fn finds(person: &Person, word: &str) -> bool {
    !person.lists(["search", word]).is_empty()
}

/// Each has what the other wrote, and it counts.
fn are_equal(one: &Person, other: &Person) {
    assert!(other.adds("Answer", &format!("{MARKER} written there")).is_some());
    for person in [other, one, other] {
        syncs(person);
    }
    assert_eq!(one.state(), other.state());
    assert!(finds(one, "there") && finds(other, "first"));
    for person in [one, other] {
        let devices = person.lists(["device", "ls"]);
        assert!(devices.iter().all(|device| device["confirmed"] == true), "{devices:?}");
        let verified = person.types(["--json", "verify"]);
        assert_eq!(verified.code, 0, "{verified:?}");
    }
}

fn with_folder() -> (Person, TempDir) {
    let nora = Person::new();
    nora.adds("First", &format!("{MARKER} written first")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    nora.does(["store", "add", folder.path().to_str().unwrap()]);
    syncs(&nora);
    (nora, folder)
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_dir() {
            found.extend(files_below(&entry.path()));
        } else {
            found.push(entry.path());
        }
    }
    found
}

/// What lies in boxes of a folder.
fn boxes(folder: &Path) -> Vec<PathBuf> {
    let is_message = |path: &PathBuf| path.parent().unwrap().ends_with("pair");
    files_below(folder).into_iter().filter(is_message).collect()
}

/// There is no vault, nor anything of one: what is there is the daemon's.
fn is_untouched(person: &Person) -> bool {
    let Ok(found) = fs::read_dir(person.home()) else { return true };
    let mut names = found.map(|entry| entry.unwrap().file_name());
    names.all(|name| name.to_str().unwrap().starts_with("daemon."))
}

fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < PATIENCE, "{what}");
        sleep(Duration::from_millis(50));
    }
}

/// PAI-7 to PAI-9, PAI-13: the journey over a folder. The password opens the new device later, and no message is left.
#[test]
fn pai_9_a_device_comes_in_over_a_folder() {
    let (nora, folder) = with_folder();
    let place = folder.path().to_str().unwrap();
    let phone = pairs(&nora, place);
    assert!(finds(&phone, "first"), "without anybody having typed a password there");
    assert_eq!(boxes(folder.path()), Vec::<PathBuf>::new());
    are_equal(&nora, &phone);
    phone.does(["lock"]);
    assert_eq!(phone.tries(["search", MARKER]).code, 3);
    phone.does(["unlock"]);
    assert!(finds(&phone, MARKER));
    // It is a device like any other.
    let tablet = pairs(&phone, place);
    are_equal(&phone, &tablet);
    // What lies in the folder says nothing of what was written, nor of the code's device.
    for path in files_below(folder.path()) {
        let bytes = fs::read(&path).unwrap();
        for word in [MARKER, PASSWORD, "Nora’s phone"] {
            assert!(memchr::memmem::find(&bytes, word.as_bytes()).is_none(), "{}", path.display());
        }
    }
}

/// PAI-10, PAI-11, attack DEV-04: a code counts once, and a second device that types it is told so.
#[test]
fn pai_10_a_code_counts_once() {
    let (nora, folder) = with_folder();
    let place = folder.path().to_str().unwrap();
    let (phone, thief, late) =
        (Person::without_vault(), Person::without_vault(), Person::without_vault());
    let (mut showing, code) = Showing::by(&nora);
    let child = comes(&phone, place, &code);
    assert!(showing.sees()["newcomer"].is_object());
    let second = done(comes(&thief, place, &code));
    assert_eq!(second.code, 4, "{second:?}");
    assert!(second.err.contains("Another device has answered"), "{second:?}");
    showing.says("yes");
    assert_eq!(done(child).code, 0);
    assert_eq!(showing.ends().code, 0);
    let again = done(comes(&late, place, &code));
    assert_eq!(again.code, 4, "{again:?}");
    assert!(again.err.contains("No device waits here"), "{again:?}");
    assert!(is_untouched(&thief) && is_untouched(&late));
    assert_eq!(nora.lists(["device", "ls"]).len(), 2);
}

/// PAI-7: no is no, and the new device hears it.
#[test]
fn pai_7_a_device_that_is_not_wanted_stays_out() {
    let (nora, folder) = with_folder();
    let place = folder.path().to_str().unwrap();
    let phone = Person::without_vault();
    let (mut showing, code) = Showing::by(&nora);
    let child = comes(&phone, place, &code);
    assert!(showing.sees()["newcomer"].is_object());
    showing.says("no");
    let came = done(child);
    assert_eq!(came.code, 4, "{came:?}");
    assert!(came.err.contains("said no"), "{came:?}");
    let shown = showing.ends();
    assert_eq!(shown.code, 4, "{shown:?}");
    assert_eq!(nora.lists(["device", "ls"]).len(), 1);
    assert!(is_untouched(&phone) && boxes(folder.path()).is_empty());
}

/// PAI-1, PAI-10: a slip is told with its place before anything is sent; a code that nobody shows opens nothing.
#[test]
fn pai_1_a_wrong_code_opens_nothing() {
    let (nora, folder) = with_folder();
    let place = folder.path().to_str().unwrap();
    let phone = Person::without_vault();
    let (showing, code) = Showing::by(&nora);
    let last = if code.ends_with('0') { "1" } else { "0" };
    let slip = done(comes(&phone, place, &format!("{}{last}", &code[..code.len() - 1])));
    assert_eq!(slip.code, 2, "{slip:?}");
    assert!(slip.err.contains("group 7"), "{slip:?}");
    let other = done(comes(&phone, place, "0000-0000-0000-0000-0000-0000-0000"));
    assert_eq!(other.code, 4, "{other:?}");
    assert!(other.err.contains("No device waits here"), "{other:?}");
    assert_eq!(boxes(folder.path()).len(), 1, "the offer alone");
    showing.is_interrupted();
    assert!(is_untouched(&phone));
}

/// PAI-10, attack DEV-04: Ctrl-C and a lock void the code at once, and take its box away; opening the vault again does not
/// bring it back.
#[test]
fn pai_10_a_code_ends_with_its_command_and_with_a_lock() {
    let (nora, folder) = with_folder();
    let place = folder.path().to_str().unwrap();
    let phone = Person::without_vault();
    let (showing, code) = Showing::by(&nora);
    assert_eq!(boxes(folder.path()).len(), 1);
    let second = nora.types(["--json", "pair"]);
    assert!(second.code == 1 && second.err.contains("Another code is being shown"), "{second:?}");
    showing.is_interrupted();
    wait_until("the box goes", || boxes(folder.path()).is_empty());
    let late = done(comes(&phone, place, &code));
    assert_eq!(late.code, 4, "{late:?}");

    let (mut showing, code) = Showing::by(&nora);
    let child = comes(&phone, place, &code);
    assert!(showing.sees()["newcomer"].is_object());
    nora.does(["lock"]);
    nora.does(["unlock"]);
    showing.says("yes");
    assert_ne!(showing.ends().code, 0);
    let late = done(child);
    assert_eq!(late.code, 4, "{late:?}");
    assert!(late.err.contains("has ended it"), "{late:?}");
    assert_eq!(nora.lists(["device", "ls"]).len(), 1);
    assert!(is_untouched(&phone));
    pairs(&nora, place);
}

/// PAI-4, PAI-10, attack DEV-04: whoever can write to the folder and alters the answer, or puts something of their own in
/// its place, is found out: the code is void, and nobody is listed.
#[test]
fn dev_04_who_alters_the_folder_is_found_out() {
    let (nora, folder) = with_folder();
    let place = folder.path().to_str().unwrap();
    let (showing, _) = Showing::by(&nora);
    let offer = boxes(folder.path()).remove(0);
    let text = offer.to_str().unwrap();
    // Its own offer, sent back.
    fs::copy(&offer, format!("{}2", text.strip_suffix('1').unwrap())).unwrap();
    let shown = showing.ends();
    assert_eq!(shown.code, 6, "{shown:?}");
    assert!(shown.err.contains("not said under this code"), "{shown:?}");
    assert!(boxes(folder.path()).is_empty());

    // The offer is altered: the new device answers nothing.
    let phone = Person::without_vault();
    let (showing, code) = Showing::by(&nora);
    let offer = boxes(folder.path()).remove(0);
    let mut bytes = fs::read(&offer).unwrap();
    bytes[200] ^= 1;
    fs::write(&offer, bytes).unwrap();
    let came = done(comes(&phone, place, &code));
    assert_eq!(came.code, 6, "{came:?}");
    assert_eq!(boxes(folder.path()).len(), 1);
    showing.is_interrupted();
    assert_eq!(nora.lists(["device", "ls"]).len(), 1);
    assert!(is_untouched(&phone));
}

/// PAI-12, DIR-14, fault F-01: whoever is killed at whatever moment leaves a vault that opens, or none; nobody who was
/// not let in reads anything; and the next try works.
#[test]
fn pai_12_who_is_killed_in_between_leaves_nothing_by_halves() {
    let (nora, folder) = with_folder();
    let place = folder.path().to_str().unwrap();
    for after_ms in [0, 150, 400, 900] {
        let phone = Person::without_vault();
        let (mut showing, code) = Showing::by(&nora);
        let child = comes(&phone, place, &code);
        assert!(showing.sees()["newcomer"].is_object());
        showing.says("yes");
        sleep(Duration::from_millis(after_ms));
        phone.kills_daemon();
        let came = done(child);
        let is_in = came.code == 0;
        showing.is_interrupted();
        drop(showing.ends());
        if phone.home().join("aura-vault").exists() {
            // The marker is the last file: it is whole.
            phone.does(["unlock"]);
            assert!(finds(&phone, "first"), "after {after_ms} ms");
            assert_eq!(phone.types(["verify"]).code, 0, "after {after_ms} ms");
        } else {
            assert!(!is_in, "after {after_ms} ms: {came:?}");
            let again = Showing::by(&nora);
            let (mut showing, code) = again;
            let child = comes(&phone, place, &code);
            assert!(showing.sees()["newcomer"].is_object());
            showing.says("yes");
            let came = done(child);
            assert_eq!(came.code, 0, "after {after_ms} ms: {came:?}");
            assert_eq!(showing.ends().code, 0);
            assert!(finds(&phone, "first"));
        }
    }
    assert_eq!(nora.types(["verify"]).code, 0);
    // The same on the side that shows the code.
    for after_ms in [0, 250] {
        let phone = Person::without_vault();
        let (mut showing, code) = Showing::by(&nora);
        let child = comes(&phone, place, &code);
        assert!(showing.sees()["newcomer"].is_object());
        showing.says("yes");
        sleep(Duration::from_millis(after_ms));
        nora.kills_daemon();
        drop(showing.ends());
        nora.does(["unlock"]);
        assert_eq!(nora.types(["verify"]).code, 0, "after {after_ms} ms");
        // What it was told, if anything, suffices; else it waits for a word that does not come.
        let mut child = child;
        sleep(Duration::from_secs(3));
        if child.try_wait().unwrap().is_none() {
            kill_process(Pid::from_child(&child), Signal::INT).unwrap();
        }
        drop(child.wait());
        wait_until("the daemon there has ended it", || !phone.home().join("joining").exists());
        if phone.home().join("aura-vault").exists() {
            phone.does(["unlock"]);
            assert!(finds(&phone, "first"), "after {after_ms} ms");
        }
    }
    pairs(&nora, place);
}

/// PAI-10: a code that nobody has used ends by itself, and its box with it.
#[test]
fn pai_10_a_code_ends_by_itself() {
    let (nora, folder) = with_folder();
    let place = folder.path().to_str().unwrap();
    let (showing, code) = Showing::with(&nora, &["--seconds", "3"]);
    assert_eq!(boxes(folder.path()).len(), 1);
    let shown = showing.ends();
    assert_eq!(shown.code, 1, "{shown:?}");
    assert!(shown.err.contains("time is over"), "{shown:?}");
    assert!(boxes(folder.path()).is_empty());
    let phone = Person::without_vault();
    let late = done(comes(&phone, place, &code));
    assert!(late.code == 4 && late.err.contains("No device waits here"), "{late:?}");
    assert_eq!(nora.lists(["device", "ls"]).len(), 1);
}

/// PAI-13: the journey over a bucket, which a device that comes in names with its key, as any that joins.
#[test]
fn pai_13_a_device_comes_in_over_a_bucket() {
    let Some(bucket) = Elsewhere::begin(far::Elsewhere::S3) else { return };
    let nora = Person::new();
    nora.adds("First", &format!("{MARKER} written first")).unwrap();
    nora.does(bucket.named(&nora, &["store", "add"], &[]));
    syncs(&nora);
    let phone = Person::without_vault();
    let (mut showing, code) = Showing::by(&nora);
    fs::write(phone.path("code"), &code).unwrap();
    let after = ["--pair", "--code-file", "code", "--name", "Nora’s phone"];
    let mut command = phone.command(bucket.named(&phone, &["--json", "join"], &after));
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    assert!(showing.sees()["newcomer"].is_object());
    showing.says("yes");
    let came = done(child);
    assert_eq!(came.code, 0, "{came:?}");
    assert_eq!(showing.ends().code, 0);
    are_equal(&nora, &phone);
    assert_eq!(boxes(&bucket.0.folder()), Vec::<PathBuf>::new());
}

/// A bucket, and how it is named.
struct Elsewhere(far::Server);

impl Elsewhere {
    fn begin(kind: far::Elsewhere) -> Option<Self> {
        far::Server::begin(kind).map(Self)
    }

    fn named(&self, person: &Person, before: &[&str], after: &[&str]) -> Vec<String> {
        fs::write(person.path("store-secret"), far::SECRET).unwrap();
        let owned = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>();
        let address = self.0.address("").trim_end_matches('/').to_owned();
        [owned(before), vec![address], self.0.options("store-secret"), owned(after)].concat()
    }
}

/// The server's program and its folder.
struct Server {
    folder: TempDir,
    address: SocketAddr,
    child: Child,
    key: String,
}

impl Server {
    fn new() -> Self {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new(program().with_file_name("aura-server"));
        command.arg("--data").arg(folder.path().join("data"));
        command.args(["serve", "--registration", "open", "--listen", &address.to_string()]);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let line = lines.next().unwrap().unwrap();
        let said: Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("{line}"));
        assert_eq!(said["message"], "listening", "{said}");
        let key = said["key"].as_str().unwrap().to_owned();
        std::thread::spawn(move || lines.for_each(drop));
        Self { folder, address, child, key }
    }

    fn url(&self) -> String {
        format!("https://{}", self.address)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn with_server() -> (Person, Server) {
    let (nora, server) = (Person::new(), Server::new());
    nora.adds("First", &format!("{MARKER} written first")).unwrap();
    let url = server.url();
    nora.does(["store", "add", &url, "--account", "nora", "--pin", &server.key, "--register"]);
    syncs(&nora);
    (nora, server)
}

/// HTP-15, PAI-14: the journey over a server, whose account and key the new device is told. Nobody types a name or compares a
/// key there, and the server keeps nothing of it.
#[test]
fn htp_15_a_device_comes_in_over_a_server() {
    let (nora, server) = with_server();
    let phone = pairs(&nora, &server.url());
    assert!(finds(&phone, "first"));
    are_equal(&nora, &phone);
    let store = &phone.lists(["store", "ls"])[0];
    assert_eq!((&store["account"], &store["key"]), (&"nora".into(), &server.key.as_str().into()));
    phone.does(["lock"]);
    phone.does(["unlock"]);
    assert!(finds(&phone, MARKER));
    for path in files_below(server.folder.path()) {
        let bytes = fs::read(&path).unwrap();
        for word in [MARKER, "Nora’s phone"] {
            assert!(memchr::memmem::find(&bytes, word.as_bytes()).is_none(), "{}", path.display());
        }
    }
}

/// PAI-5, PAI-9, attack DEV-13: a device that comes in over a folder knows the servers as well; and at a server that shows another
/// key than the other device knows, nothing is answered.
#[test]
fn pai_5_servers_are_told_and_another_key_is_refused() {
    let (nora, server) = with_server();
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().to_str().unwrap();
    nora.does(["store", "add", place]);
    syncs(&nora);
    let phone = pairs(&nora, place);
    let stores = phone.lists(["store", "ls"]);
    assert_eq!(stores.len(), 2, "{stores:?}");
    assert_eq!(stores[1]["account"], "nora");
    are_equal(&nora, &phone);

    let (showing, code) = Showing::by(&nora);
    let tablet = Person::without_vault();
    fs::write(tablet.path("code"), &code).unwrap();
    let wrong = "ab".repeat(32);
    let url = server.url();
    let args = ["join", &url, "--pair", "--code-file", "code", "--pin", &wrong];
    let came = tablet.tries(args);
    assert_eq!(came.code, 4, "{came:?}");
    assert!(is_untouched(&tablet));
    let none = done(comes(&tablet, &url, "0000-0000-0000-0000-0000-0000-0000"));
    assert_eq!(none.code, 4, "{none:?}");
    showing.is_interrupted();
    wait_until("the box goes", || {
        let late = done(comes(&tablet, &url, &code));
        late.code == 4 && late.err.contains("No device waits here")
    });
}
