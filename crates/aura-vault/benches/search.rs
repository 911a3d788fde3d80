// SPDX-License-Identifier: MIT OR Apache-2.0
//! Loading and searching a corpus, sealed and in memory, in one process each.
//!
//! `AURA_CORPUS=notes.jsonl [AURA_SEARCH=sealed|memory] [AURA_STREAM=1] [AURA_CACHE=bytes]
//! [AURA_HEAP=bytes] [AURA_THREADS=n] cargo bench --bench search`, each line of the corpus being
//! `{"title", "body", "ts"}`. Rates are per second of wall and of CPU time of this process. Without
//! `AURA_STREAM` the corpus is parsed before the clock starts; with it, lines are parsed as they
//! are added, so that the peak of the memory is that of the index.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::cast_precision_loss)]
#![allow(clippy::cast_possible_truncation, reason = "a measurement, not a library")]

use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::time::Instant;

use aura_crypto::entropy::Entropy;
use aura_crypto::key::{HedgeKey, SearchKey};
use aura_protocol::id::{RecordId, VaultId};
use aura_vault::record::{Category, Kind};
use aura_vault::search::{Document, Index, Keys, Params, Query, Scope, Typing};
use zeroize::Zeroizing;

struct Counter(u64);

impl Entropy for Counter {
    fn fill(&mut self, bytes: &mut [u8]) {
        bytes.iter_mut().for_each(|byte| {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            *byte = (self.0 >> 56) as u8;
        });
    }
}

struct Note {
    title: String,
    body: String,
    ts: i64,
}

fn keys() -> Keys {
    Keys {
        vault: VaultId([1; 32]),
        search: SearchKey::from_bytes(Zeroizing::new([2; 32])),
        hedge: HedgeKey::from_bytes(Zeroizing::new([3; 32])),
        entropy: Box::new(Counter(4)),
    }
}

fn setting(name: &str, default: usize) -> usize {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

fn notes(path: &str) -> impl Iterator<Item = Note> {
    BufReader::new(std::fs::File::open(path).unwrap()).lines().map(|line| {
        let value: serde_json::Value = serde_json::from_str(&line.unwrap()).unwrap();
        let text = |name: &str| value[name].as_str().unwrap_or_default().to_owned();
        Note { title: text("title"), body: text("body"), ts: value["ts"].as_i64().unwrap_or(0) }
    })
}

fn id(number: usize) -> RecordId {
    let mut id = [0; 16];
    id[..6].copy_from_slice(&(1_700_000_000_000 + number as u64).to_be_bytes()[2..]);
    Counter(number as u64 + 9).fill(&mut id[6..]);
    RecordId(id)
}

/// User and system time of this process in seconds (Linux; zero elsewhere).
fn cpu() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after = stat.rsplit(')').next().unwrap_or_default();
    let ticks = after.split_whitespace().skip(11).take(2).filter_map(|n| n.parse::<f64>().ok());
    ticks.sum::<f64>() / 100.0
}

/// Peak and present resident memory in MiB (Linux).
fn memory() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let field = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name));
        let number = line.and_then(|line| line.split_whitespace().nth(1)).unwrap_or("0");
        number.parse::<f64>().unwrap_or(0.0) / 1024.0
    };
    format!("peak {:.0} MiB, now {:.0} MiB", field("VmHWM"), field("VmRSS"))
}

/// Queries like those of a person: frequent and rare words, pairs, stop words.
fn queries(path: &str) -> Vec<(&'static str, Vec<String>)> {
    let mut words: HashMap<String, usize> = HashMap::new();
    for note in notes(path).step_by(50) {
        for word in note.body.split(|c: char| !c.is_ascii_alphabetic()).filter(|w| w.len() > 3) {
            *words.entry(word.to_lowercase()).or_default() += 1;
        }
    }
    let mut top: Vec<_> = words.into_iter().collect();
    top.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
    let word = |at: usize| top[at % top.len()].0.clone();
    let stop = ["the", "i", "to and", "the you", "a is of", "and", "you are", "in the"];
    let mix = (0..1000_usize).map(|n| match n % 20 {
        0 => stop[n / 20 % stop.len()].to_owned(),
        1 | 2 => word(n * 7919 % 200),
        3..=11 => word(200 + n * 7919 % 3800),
        _ => format!("{} {}", word(50 + n * 7919 % 550), word(50 + n * 104_729 % 550)),
    });
    let few = |make: &dyn Fn(usize) -> String| (0..100).map(make).collect();
    vec![
        ("mix", mix.collect()),
        ("stop words", few(&|n| stop[n % stop.len()].to_owned())),
        ("beginnings", few(&|n| format!("{}*", &word(100 + n * 37)[..3]))),
        ("phrases", few(&|n| format!("\"{} {}\"", word(n * 3 % 60), word(n * 7 % 60)))),
        ("guesses", few(&|n| format!("{}q{}", &word(n * 91)[..3], &word(n * 91)[3..]))),
        ("filters", few(&|n| format!("{} category:notes after:2014-06", word(n * 31)))),
    ]
}

fn main() {
    let Ok(path) = std::env::var("AURA_CORPUS") else {
        println!("skipped: AURA_CORPUS is not set");
        return;
    };
    let is_sealed = std::env::var("AURA_SEARCH").is_ok_and(|kind| kind == "sealed");
    let default = Params::default();
    let params = Params {
        threads: setting("AURA_THREADS", default.threads),
        heap_bytes: setting("AURA_HEAP", default.heap_bytes),
        cache_bytes: setting("AURA_CACHE", default.cache_bytes),
    };
    let dir = tempfile::tempdir().unwrap();
    let index = if is_sealed {
        Index::create(dir.path(), keys(), params).unwrap()
    } else {
        Index::in_memory(params).unwrap()
    };
    load(&index, &path);
    let compacting = Instant::now();
    let before = cpu();
    index.compact().unwrap();
    let seconds = compacting.elapsed().as_secs_f64();
    println!("compact: {seconds:.2} s, {:.2} CPU s; {}", cpu() - before, memory());
    let index = if is_sealed {
        drop(index);
        let size: u64 = std::fs::read_dir(dir.path())
            .unwrap()
            .map(|f| f.unwrap().metadata().unwrap().len())
            .sum();
        let opening = Instant::now();
        let index = Index::open(dir.path(), keys(), params).unwrap();
        println!(
            "size: {:.1} MB; open: {:.1} ms",
            size as f64 / 1e6,
            opening.elapsed().as_secs_f64() * 1e3
        );
        index
    } else {
        index
    };
    for (name, texts) in queries(&path) {
        measure(&index, name, &texts, &Scope::everything());
        if name == "mix" {
            measure(&index, "mix, warm", &texts, &Scope::everything());
            let scope = Scope::categories([Category::Notes, Category::Mail]);
            measure(&index, "mix under a grant", &texts, &scope);
        }
    }
    interactive(&index);
    println!("{}", memory());
}

fn load(index: &Index, path: &str) {
    let is_streamed = std::env::var("AURA_STREAM").is_ok();
    let parsed: Vec<Note> = if is_streamed { Vec::new() } else { notes(path).collect() };
    let (start, before) = (Instant::now(), cpu());
    let mut count = 0;
    let mut add = |note: &Note| {
        let document = Document::new(id(count), Kind::Note, note.ts * 1000);
        index.add_new(&document.with_text(&note.title, &note.body)).unwrap();
        count += 1;
    };
    index.begin_load();
    if is_streamed {
        notes(path).for_each(|note| add(&note));
    } else {
        parsed.iter().for_each(add);
    }
    index.end_load(b"").unwrap();
    let count = if is_streamed { notes(path).count() } else { parsed.len() } as f64;
    let (wall, cpu) = (start.elapsed().as_secs_f64(), cpu() - before);
    println!(
        "load: {count} docs, {:.0}/s wall, {:.0} per CPU s, {} parts; {}",
        count / wall,
        count / cpu,
        index.parts(),
        memory()
    );
}

fn measure(index: &Index, name: &str, texts: &[String], scope: &Scope) {
    let mut times: Vec<f64> = Vec::new();
    let mut hits = 0;
    for text in texts {
        let start = Instant::now();
        let query = Query::parse(text, Typing::Done).unwrap();
        hits += index.search(&query, scope, 20).unwrap().len();
        times.push(start.elapsed().as_secs_f64() * 1e3);
    }
    times.sort_by(f64::total_cmp);
    let at = |part: usize| times[(times.len() * part / 100).min(times.len() - 1)];
    println!(
        "{name}: p50 {:.3} ms, p90 {:.3}, p99 {:.3}, max {:.3}; {hits} hits of {} queries",
        at(50),
        at(90),
        at(99),
        at(100),
        texts.len()
    );
}

/// One record after the other, each looked for at once.
fn interactive(index: &Index) {
    let mut times: Vec<f64> = Vec::new();
    for number in 0..200 {
        let start = Instant::now();
        let text = format!("interactive{number} written just now");
        let document = Document::new(id(10_000_000 + number), Kind::Note, 0);
        index.add(&document.with_text(&text, &text)).unwrap();
        let query = Query::parse(&format!("interactive{number}"), Typing::Done).unwrap();
        assert_eq!(index.search(&query, &Scope::everything(), 5).unwrap().len(), 1);
        times.push(start.elapsed().as_secs_f64() * 1e3);
    }
    times.sort_by(f64::total_cmp);
    println!(
        "put then search: p50 {:.1} ms, p99 {:.1}, max {:.1}; {} parts",
        times[100],
        times[198],
        times[199],
        index.parts()
    );
}
