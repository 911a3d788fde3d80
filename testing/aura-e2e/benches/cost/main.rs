// SPDX-License-Identifier: MIT OR Apache-2.0
//! What syncing through a server costs: a first sync up and down, one with nothing to do, and how long an edit takes
//! to another device. Every device and the server are processes of their own, over TLS on loopback; what goes over the
//! wire is counted between them. Processor time is each process's own.
//!
//!     cargo build --release && AURA_BIN=target/release/aura cargo bench -p aura-e2e --bench cost -- [first|edits]...
//!
//! `AURA_SYNC_RECORDS` is how many records (100,000), `AURA_SYNC_DEVICES` how many devices at most (100).
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    missing_docs,
    reason = "a bench that cannot go on ends"
)]

mod listener;

use std::env;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{BufWriter, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use aura_e2e::Person;
use aura_e2e::host::{Host, adds_server_at, joins_at};
use rustix::process::Pid;
use serde_json::Value;

use self::listener::{Fetched, listen};

/// Nothing here takes longer.
const PATIENCE: Duration = Duration::from_mins(10);
/// Every one of a second's clock ticks, as the kernel counts processor time.
const TICKS: f64 = 100.0;
const EDITS: usize = 100;
/// Devices that run as a program beside the one that writes. More of them on one machine would measure that machine:
/// where there are more, one of them is read on, and all others, joined and confirmed like it, go on as a connection that
/// listens and fetches.
const PROGRAMS: usize = 10;
const SYNCS: usize = 30;
const MIB: f64 = 1_048_576.0;
/// Of everybody together: a bench is in a hurry.
const SETTINGS: &str = "[limits]\nopen_per_second = 100000\naccount_per_second = 100000\n\
                        connections_per_source = 10000\n";

/// Passes connections on to a server, and counts their bytes.
struct Meter {
    address: SocketAddr,
    up: Arc<AtomicU64>,
    down: Arc<AtomicU64>,
}

impl Meter {
    fn before(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (up, down) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let counted = (Arc::clone(&up), Arc::clone(&down));
        // Ends with the bench.
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let Ok(server) = TcpStream::connect(server) else { continue };
                pass(&client, &server, &counted.0);
                pass(&server, &client, &counted.1);
            }
        });
        Self { address, up, down }
    }

    fn url(&self) -> String {
        format!("https://{}", self.address)
    }

    /// Bytes since this was asked last, up and down.
    fn taken(&self) -> (u64, u64) {
        (self.up.swap(0, Ordering::SeqCst), self.down.swap(0, Ordering::SeqCst))
    }
}

fn pass(from: &TcpStream, to: &TcpStream, count: &Arc<AtomicU64>) {
    let (mut from, mut to, count) =
        (from.try_clone().unwrap(), to.try_clone().unwrap(), Arc::clone(count));
    drop((from.set_nodelay(true), to.set_nodelay(true)));
    thread::spawn(move || {
        let mut bytes = vec![0; 1 << 16];
        loop {
            match from.read(&mut bytes) {
                Ok(read) if read > 0 && to.write_all(&bytes[..read]).is_ok() => {
                    count.fetch_add(read as u64, Ordering::SeqCst);
                }
                _ => break,
            }
        }
        drop((from.shutdown(Shutdown::Read), to.shutdown(Shutdown::Write)));
    });
}

fn number(name: &str, otherwise: usize) -> usize {
    env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

fn pid(person: &Person) -> u32 {
    number_of(person.daemon().unwrap())
}

fn number_of(process: Pid) -> u32 {
    u32::try_from(process.as_raw_nonzero().get()).unwrap()
}

/// Seconds of processor time that a process has had.
fn cpu(pid: u32) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let after = stat.rsplit_once(')').unwrap().1;
    let times = after.split_whitespace().skip(11).take(2);
    times.map(|ticks| ticks.parse::<f64>().unwrap()).sum::<f64>() / TICKS
}

/// MiB that a process has in memory, and that it had at most.
fn memory(pid: u32) -> (u64, u64) {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let of = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
    };
    (of("VmRSS:"), of("VmHWM:"))
}

/// Mails of some 500 bytes.
fn mails(path: &Path, count: usize) {
    const WORDS: [&str; 16] = [
        "harbour", "letter", "window", "river", "copper", "morning", "kitchen", "signal", "garden",
        "winter", "station", "mirror", "bridge", "paper", "lantern", "orchard",
    ];
    let mut out = BufWriter::new(File::create(path).unwrap());
    let mut state = 1_u64;
    for number in 0..count {
        let mut text = String::new();
        for _ in 0..36 {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let pick = usize::try_from(state >> 40).unwrap();
            write!(text, "{}{} ", WORDS[pick % 16], pick / 16 % 5000).unwrap();
        }
        write!(
            out,
            "From a@example.org Thu Jan  1 00:00:00 2026\nFrom: A <a{}@example.org>\n\
             To: B <b@example.org>\nSubject: Mail {number}\nMessage-ID: <{number}@example.org>\n\
             Date: Thu, 1 Jan 2026 00:00:00 +0000\nMIME-Version: 1.0\n\
             Content-Type: text/plain; charset=utf-8\n\n{text}\n\n",
            number % 500,
        )
        .unwrap();
    }
    out.flush().unwrap();
}

fn median(mut times: Vec<f64>) -> (f64, f64) {
    times.sort_by(f64::total_cmp);
    (times[times.len() / 2], times[times.len() * 95 / 100])
}

/// What a stretch of work took, by the clock and of two processes.
struct Took {
    seconds: f64,
    device: f64,
    server: f64,
}

fn timed(device: Option<u32>, server: u32, work: impl FnOnce()) -> Took {
    let before = (device.map_or(0.0, cpu), cpu(server));
    let begun = Instant::now();
    work();
    let seconds = begun.elapsed().as_secs_f64();
    Took { seconds, device: device.map_or(0.0, cpu) - before.0, server: cpu(server) - before.1 }
}

fn tell(what: &str, count: usize, took: &Took) {
    let rate = |seconds: f64| count as f64 / seconds.max(0.01);
    println!(
        "{what:<36} {:>6.1} s  {:>8.0}/s by the clock  device {:>8.0}/s  server {:>8.0}/s a CPU second",
        took.seconds,
        rate(took.seconds),
        rate(took.device),
        rate(took.server)
    );
}

fn records(person: &Person) -> u64 {
    person.asks(["status"])["records"].as_u64().unwrap()
}

fn first_sync(count: usize) {
    let host = Host::with(SETTINGS);
    let (server, meter) = (number_of(host.process().unwrap()), Meter::before(host.address));
    let nora = Person::new();
    let path = nora.path("mails.mbox");
    mails(&path, count);
    let size = fs::metadata(&path).unwrap().len();
    let imported = timed(nora.daemon().map(|_| pid(&nora)), server, || {
        let ledger = nora.asks(["import", path.to_str().unwrap()]);
        assert_eq!(ledger["new"].as_u64().unwrap(), count as u64, "{ledger}");
    });
    println!("{count} records of {} bytes each", size / count as u64);
    tell("import, without a store", count, &imported);

    meter.taken();
    let up = timed(Some(pid(&nora)), server, || {
        adds_server_at(&nora, (&meter.url(), &host.key), "nora");
        nora.does(["sync"]);
    });
    tell("first sync, up", count, &up);
    let (sent, answered) = meter.taken();
    let status = nora.asks(["status"]);
    let sealed = status["log_bytes"].as_u64().unwrap();
    println!(
        "{:<36} {:.1} MiB sent, {:.2} MiB answered; the log is {:.1} MiB on the disk",
        "on the wire",
        sent as f64 / MIB,
        answered as f64 / MIB,
        sealed as f64 / MIB
    );
    println!(
        "{:<36} device {} MiB at most (after an import), server {} MiB",
        "memory",
        memory(pid(&nora)).1,
        memory(server).1
    );

    let mut phone = None;
    let begun = Instant::now();
    let down = timed(None, server, || {
        let joined = joins_at(&nora, (&meter.url(), &host.key));
        joined.does(["sync"]);
        while records(&joined) < count as u64 {
            assert!(begun.elapsed() < PATIENCE, "{} records only", records(&joined));
            sleep(Duration::from_millis(50));
        }
        phone = Some(joined);
    });
    let phone = phone.unwrap();
    let down = Took { device: cpu(pid(&phone)), ..down };
    tell("first sync, down, to be read", count, &down);
    let found = phone.lists(["search", "mail", "--limit", "1"]).len();
    println!(
        "{:<36} {:.1} s after it began; {:.2} times the import; {found} found",
        "to be searched",
        begun.elapsed().as_secs_f64(),
        begun.elapsed().as_secs_f64() / imported.seconds
    );
    let (sent, answered) = meter.taken();
    println!(
        "{:<36} {:.2} MiB sent, {:.1} MiB answered (two devices)",
        "on the wire",
        sent as f64 / MIB,
        answered as f64 / MIB
    );
    println!("{:<36} device {} MiB at most", "memory", memory(pid(&phone)).1);
    assert_eq!(nora.state(), phone.state());

    sleep(Duration::from_secs(3));
    meter.taken();
    let started = median((0..SYNCS).map(|_| took(&nora, &["--version"])).collect());
    let times: Vec<f64> = (0..SYNCS).map(|_| took(&nora, &["sync"])).collect();
    let (sent, answered) = meter.taken();
    let (middle, late) = median(times);
    println!(
        "{:<36} p50 {middle:.1} ms, p95 {late:.1} ms, of which starting the command {:.1} ms; {} bytes each",
        "sync with nothing to do",
        started.0,
        (sent + answered) / SYNCS as u64
    );
}

/// Milliseconds that a command takes, shell to shell.
fn took(person: &Person, args: &[&str]) -> f64 {
    let begun = Instant::now();
    person.does(args);
    begun.elapsed().as_secs_f64() * 1000.0
}

/// Milliseconds until what one device writes is read on another, with so many devices connected.
fn edits(counts: &[usize]) {
    let host = Host::with(SETTINGS);
    let (server, meter) = (number_of(host.process().unwrap()), Meter::before(host.address));
    let nora = Person::new();
    adds_server_at(&nora, (&meter.url(), &host.key), "nora");
    let id = nora.adds("Note", "at first").unwrap();
    nora.does(["sync"]);
    let (mut others, fetched): (Vec<Person>, _) = (Vec::new(), Arc::new(Fetched::default()));
    for count in counts {
        let programs = if *count > PROGRAMS { 1 } else { *count };
        let at = (meter.url(), host.key.clone());
        let at = (at.0.as_str(), at.1.as_str());
        others.iter().skip(programs).for_each(|other| listen(other, at, &fetched));
        while others.len() < *count {
            let joined = joins_at(&nora, at);
            if others.len() >= programs {
                listen(&joined, at, &fetched);
            }
            others.push(joined);
        }
        sleep(Duration::from_secs(5));
        let (mut times, mut read) = (Vec::new(), Vec::new());
        let other = &others[programs - 1];
        let before = fetched.entries.load(Ordering::SeqCst);
        let (busy, started) = (cpu(server), Instant::now());
        for at in 0..EDITS {
            let text = format!("text={count}-{at}");
            nora.does(["edit", &id, &text]);
            let begun = Instant::now();
            loop {
                let looked = Instant::now();
                let got: Value = other.tries(["--json", "get", &id]).json();
                if got["fields"]["text"] == text["text=".len()..] {
                    break;
                }
                read.push(looked.elapsed().as_secs_f64() * 1000.0);
                assert!(begun.elapsed() < PATIENCE, "{got}");
            }
            times.push(begun.elapsed().as_secs_f64() * 1000.0);
            // As a person would: not all at once.
            sleep(Duration::from_millis(300));
        }
        let (middle, late) = median(times);
        let look = if read.is_empty() { 0.0 } else { median(read).0 };
        println!(
            "{:<36} p50 {middle:.0} ms, p95 {late:.0} ms, of which a look is {look:.0} ms",
            format!("an edit, {count} other devices connected")
        );
        let listeners = others.len() - programs;
        if listeners > 0 {
            println!(
                "{:<36} {listeners}, which fetched {} entries each and failed {} times in all ({}); the server was busy for \
                 {:.0} % of a core",
                "of these, connections that listen",
                (fetched.entries.load(Ordering::SeqCst) - before) / listeners as u64,
                fetched.failed.load(Ordering::SeqCst),
                fetched.last.lock().unwrap(),
                (cpu(server) - busy) / started.elapsed().as_secs_f64() * 100.0
            );
        }
    }
}

fn main() {
    let chosen: Vec<String> = env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    let is_chosen = |what: &str| chosen.is_empty() || chosen.iter().any(|one| one == what);
    if is_chosen("first") {
        first_sync(number("AURA_SYNC_RECORDS", 100_000));
    }
    if is_chosen("edits") {
        let most = number("AURA_SYNC_DEVICES", 100);
        let counts: Vec<usize> = [1, 10, 100].into_iter().filter(|count| *count <= most).collect();
        edits(&counts);
    }
}
