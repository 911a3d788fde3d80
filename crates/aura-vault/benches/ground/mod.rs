// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the benches stand on: a corpus, a vault, and this process's own figures.
#![allow(dead_code, reason = "each bench uses some of it")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a bench may stop")]

use std::io::BufRead as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use aura_crypto::entropy::Entropy;
use aura_crypto::kdf::Argon2Params;
use aura_protocol::store::{LocalLog, StoreError};
use aura_store::local::LocalStore;
use aura_vault::clock::WallClock;
use aura_vault::gate::Session;
use aura_vault::home::Home;
use aura_vault::open::Environment;
use aura_vault::record::{Draft, Fields, Kind};
use aura_vault::vault::{Setup, Unlocked, Vault};
use zeroize::Zeroizing;

/// The program's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

struct Clock;

impl WallClock for Clock {
    fn now_ms(&self) -> i64 {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        i64::try_from(since.as_millis()).unwrap()
    }
}

/// A fast generator: the bench does not measure the operating system's.
struct Xorshift(u64);

impl Entropy for Xorshift {
    fn fill(&mut self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            chunk.iter_mut().zip(self.0.to_le_bytes()).for_each(|(to, from)| *to = from);
        }
    }
}

/// What the program gives to the vault.
pub(crate) fn environment() -> Environment {
    let seed = std::sync::atomic::AtomicU64::new(0x9e37_79b9_7f4a_7c15);
    Environment {
        clock: Arc::new(Clock),
        entropy: Arc::new(move || {
            let seed = seed.fetch_add(0x9e37_79b9, std::sync::atomic::Ordering::Relaxed);
            Box::new(Xorshift(seed)) as Box<dyn Entropy + Send>
        }),
    }
}

/// A note that is to be imported or added.
pub(crate) fn draft(id: &str, title: &str, text: &str) -> Draft {
    let mut fields = Fields::new();
    fields.insert("name".into(), title.into());
    fields.insert("text".into(), text.into());
    Draft {
        kind: Kind::Note,
        category: Kind::Note.category(),
        source: "bench",
        source_id: Some(id.to_owned()),
        time_ms: Some(1_700_000_000_000),
        fields,
        attachments: Vec::new(),
    }
}

/// One note of the corpus.
pub(crate) struct Note {
    pub(crate) title: String,
    pub(crate) body: String,
}

fn own_notes(count: usize) -> impl Iterator<Item = Note> {
    const WORDS: &[&str] = &[
        "river", "lamp", "contract", "morning", "lisbon", "flat", "train", "the", "and", "of", "a",
        "doctor", "invoice", "garden", "music", "letter", "winter", "bridge", "bread", "paper",
    ];
    let mut random = 7u64;
    (0..count).map(move |n| {
        let mut body = String::new();
        for _ in 0..80 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let pick = usize::try_from(random >> 33).unwrap();
            body.push_str(WORDS[pick % WORDS.len()]);
            if pick % 7 == 0 {
                body.push_str(&(pick % 5000).to_string());
            }
            body.push(' ');
        }
        Note { title: format!("note {n}"), body }
    })
}

/// The first `count` notes of a file of JSON Lines with `title` and `body`, or made-up ones.
pub(crate) fn notes(path: Option<&str>, count: usize) -> Box<dyn Iterator<Item = Note>> {
    let Some(path) = path else { return Box::new(own_notes(count)) };
    let file = std::io::BufReader::new(std::fs::File::open(path).unwrap());
    Box::new(file.lines().take(count).map(|line| {
        let value: serde_json::Value = serde_json::from_str(&line.unwrap()).unwrap();
        let text = |name: &str| value[name].as_str().unwrap_or_default().to_owned();
        Note { title: text("title"), body: text("body") }
    }))
}

/// A vault in this folder, and its store.
pub(crate) fn vault(home: &Path, password: &Zeroizing<String>) -> Vault<Unlocked> {
    let store = Home::new(home).store();
    let make = move |vault| {
        LocalStore::create(&store, vault, Box::new(|| 0))
            .map(|store| Arc::new(store) as Arc<dyn LocalLog>)
            .map_err(|_| StoreError::Absent)
    };
    let setup = Setup { password: password.clone(), second: None, cost: Argon2Params::FLOOR };
    Vault::create(home, &make, &setup, environment()).unwrap().0
}

/// Imports notes. Returns how many, and how long reading them took.
pub(crate) fn load(session: &Session, mut notes: impl Iterator<Item = Note>) -> (u64, Duration) {
    let (run, mut importer) = session.importer().unwrap();
    let (mut count, mut reading) = (0u64, Duration::ZERO);
    loop {
        let start = Instant::now();
        let Some(note) = notes.next() else { break };
        reading += start.elapsed();
        importer.take(&draft(&count.to_string(), &note.title, &note.body)).unwrap();
        count += 1;
    }
    importer.finish(run, &serde_json::json!({"read": count})).unwrap();
    (count, reading)
}

/// User and system time of this process.
pub(crate) fn cpu() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let after = stat.rsplit_once(')').unwrap().1;
    let fields: Vec<i64> =
        after.split_whitespace().filter_map(|field| field.parse().ok()).collect();
    // Fields 14 and 15 of stat, in ticks of 10 ms; one word (the state) is not a number.
    Duration::from_millis((fields[10] + fields[11]).unsigned_abs() * 10)
}

/// A line of this process's status, in MiB.
pub(crate) fn memory_mib(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(name)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
}
