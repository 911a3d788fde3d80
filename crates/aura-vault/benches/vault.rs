// SPDX-License-Identifier: MIT OR Apache-2.0
//! The whole vault under load: import, put, get, search, unlock; and what a record takes on the disk.
//!
//! `cargo bench -p aura-vault --bench vault -- NOTES.jsonl [COUNT]`, where each line of the file is a JSON
//! object with `title` and `body`. Without a file the bench makes notes of its own. Prints
//! one figure a line; results and peers are in docs/performance.md.
#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::cast_precision_loss, missing_docs)]

mod ground;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use aura_crypto::kdf::Argon2Params;
use aura_protocol::id::RecordId;
use aura_store::local::LocalStore;
use aura_vault::gate::{Principal, Session};
use aura_vault::home::Home;
use aura_vault::search::Typing;
use aura_vault::vault::{Credential, Unlocked, Vault};
use rusqlite::{Connection, params};
use zeroize::Zeroizing;

use ground::{cpu, draft, environment, load, memory_mib, notes};

fn size(path: &Path) -> u64 {
    let Ok(metadata) = path.metadata() else { return 0 };
    if metadata.is_file() {
        return metadata.len();
    }
    std::fs::read_dir(path).unwrap().map(|entry| size(&entry.unwrap().path())).sum()
}

fn percentile(times: &mut [Duration], part: f64) -> Duration {
    times.sort_unstable();
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    times[((times.len() - 1) as f64 * part) as usize]
}

fn report(name: &str, mut times: Vec<Duration>) {
    let (p50, p99) = (percentile(&mut times, 0.5), percentile(&mut times, 0.99));
    println!("{name}: p50 {:.4} ms, p99 {:.4} ms, {} calls", ms(p50), ms(p99), times.len());
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

fn timed<T>(mut act: impl FnMut() -> T) -> Duration {
    let start = Instant::now();
    std::hint::black_box(act());
    start.elapsed()
}

fn main() {
    let arguments: Vec<String> =
        std::env::args().skip(1).filter(|a| !a.starts_with("--")).collect();
    let path = arguments.first().filter(|path| Path::new(path).is_file()).map(String::as_str);
    let count = arguments.last().and_then(|count| count.parse().ok()).unwrap_or(10_000);
    let dir = tempfile::tempdir().unwrap();
    let home = dir.path().join("vault");
    let password = Zeroizing::new("bench password".to_owned());
    let vault = ground::vault(&home, &password);
    let session = vault.session(Principal::Owner);

    let (start, before) = (Instant::now(), cpu());
    let (loaded, reading) = load(&session, notes(path, count));
    let (wall, used) = (start.elapsed(), cpu().saturating_sub(before));
    println!(
        "import: {loaded} notes, {:.2} s wall, {:.2} s CPU ({:.2} s of it reading the corpus), \
         {:.0}/s wall, {:.0}/CPU s, peak {} MiB",
        wall.as_secs_f64(),
        used.as_secs_f64(),
        reading.as_secs_f64(),
        loaded as f64 / wall.as_secs_f64(),
        loaded as f64 / used.saturating_sub(reading).as_secs_f64(),
        memory_mib("VmHWM"),
    );
    let again = timed(|| load(&session, notes(path, count)));
    println!("import again, nothing changed: {:.2} s", again.as_secs_f64());

    search(&session);
    get_and_put(&session, path, count);
    sizes(&home, loaded);
    unlock(vault, session, &home, &password);
}

fn search(session: &Session) {
    let queries = [
        "lisbon",
        "the",
        "and of",
        "flat lisbon",
        "\"the flat\"",
        "invoice -garden",
        "not there",
        "morn*",
        "category:notes train",
        "a",
        "what to do",
        "windows update error",
    ];
    let mut times: Vec<Vec<Duration>> = queries.iter().map(|_| Vec::new()).collect();
    for round in 0..40 {
        for (query, times) in queries.iter().zip(&mut times) {
            let time = timed(|| session.search(query, Typing::Done, 10).unwrap());
            if round > 0 {
                times.push(time);
            }
        }
    }
    for (query, times) in queries.iter().zip(&mut times) {
        times.sort();
        println!("  {query}: p50 {:.2} ms", times[times.len() / 2].as_secs_f64() * 1e3);
    }
    report("search, with titles and snippets", times.concat());
}

fn get_and_put(session: &Session, path: Option<&str>, count: usize) {
    let ids: Vec<_> = session
        .search("the", Typing::Done, 100)
        .unwrap()
        .into_iter()
        .chain(session.search("a", Typing::Done, 100).unwrap())
        .map(|found| found.id)
        .collect();
    for id in &ids {
        session.get(*id).unwrap();
    }
    get_beside_sqlite(session, &ids, (path, count));
    let puts = (0..300).map(|n| draft(&format!("put{n}"), "one more", "a durable put"));
    report("put, durable", puts.map(|draft| timed(|| session.add(&draft).unwrap())).collect());
    let found = (0..50).map(|n| {
        let word = format!("marker{n}x");
        let start = Instant::now();
        session.add(&draft(&word, &word, "to be found at once")).unwrap();
        assert_eq!(session.search(&word, Typing::Done, 10).unwrap().len(), 1);
        start.elapsed()
    });
    report("put and find", found.collect());
}

/// A record as a program without Aura would keep it.
struct Plain {
    _kind: u8,
    _category: u8,
    _time_ms: i64,
    _modified_ms: i64,
    _source: String,
    _source_id: String,
    _content: String,
    _title: String,
    _fields: serde_json::Value,
}

/// The same number of records in plain SQLite, by a key of the same size: what a get is held against. Once all that a
/// get tells, once the fields' JSON alone. One after the other, so that whatever else the machine does hits all.
fn get_beside_sqlite(session: &Session, ids: &[RecordId], (path, count): (Option<&str>, usize)) {
    let dir = tempfile::tempdir().unwrap();
    let connection = Connection::open(dir.path().join("plain.db")).unwrap();
    connection.pragma_update(None, "journal_mode", "WAL").unwrap();
    connection
        .execute_batch(
            "CREATE TABLE item (id BLOB PRIMARY KEY, kind INTEGER, category INTEGER, time INTEGER,
             modified INTEGER, source TEXT, source_id TEXT, content TEXT, fields TEXT); BEGIN",
        )
        .unwrap();
    let key =
        |number: usize| (number as u128).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
    let content = "5".repeat(64);
    for (number, note) in notes(path, count).enumerate() {
        let fields = serde_json::json!({"name": note.title, "text": note.body}).to_string();
        let sql = "INSERT INTO item VALUES (?1, 5, 5, ?2, ?2, 'bench', ?3, ?4, ?5)";
        let mut insert = connection.prepare_cached(sql).unwrap();
        let id = key(number).to_be_bytes();
        let time = i64::try_from(number).unwrap();
        insert.execute(params![id, time, number.to_string(), content, fields]).unwrap();
    }
    connection.execute_batch("COMMIT").unwrap();
    let whole = |number: usize| {
        let sql = "SELECT kind, category, time, modified, source, source_id, content, fields \
                   FROM item WHERE id = ?1";
        let mut select = connection.prepare_cached(sql).unwrap();
        let read = |row: &rusqlite::Row<'_>| {
            let fields = row.get_ref(7)?.as_str()?;
            let fields: serde_json::Value = serde_json::from_str(fields).unwrap();
            Ok(Plain {
                _kind: row.get(0)?,
                _category: row.get(1)?,
                _time_ms: row.get(2)?,
                _modified_ms: row.get(3)?,
                _source: row.get(4)?,
                _source_id: row.get(5)?,
                _content: row.get(6)?,
                _title: fields["name"].as_str().unwrap().to_owned(),
                _fields: fields,
            })
        };
        select.query_row([key(number).to_be_bytes()], read).unwrap()
    };
    let fields = |number: usize| {
        let sql = "SELECT fields FROM item WHERE id = ?1";
        let mut select = connection.prepare_cached(sql).unwrap();
        let parse = |row: &rusqlite::Row<'_>| {
            Ok(serde_json::from_str::<serde_json::Value>(row.get_ref(0)?.as_str()?).unwrap())
        };
        select.query_row([key(number).to_be_bytes()], parse).unwrap()
    };
    let (mut ours, mut theirs, mut bare) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..41 {
        for (at, id) in ids.iter().enumerate() {
            let times = [
                timed(|| session.get(*id).unwrap()),
                timed(|| whole(at * 7919 % count)),
                timed(|| fields(at * 7907 % count)),
            ];
            if round > 0 {
                for (all, time) in [&mut ours, &mut theirs, &mut bare].into_iter().zip(times) {
                    all.push(time);
                }
            }
        }
    }
    report("get, warm", ours);
    report("get of plain SQLite, warm: the same record", theirs);
    report("get of plain SQLite, warm: the fields' JSON alone", bare);
}

fn sizes(home: &Path, count: u64) {
    let paths = Home::new(home);
    let each = |path: &Path| size(path) as f64 / count as f64;
    println!(
        "bytes a record: log {:.0}, database {:.0}, index {:.0}",
        each(&paths.store()),
        each(&paths.database()),
        each(&paths.index()),
    );
}

/// Opens and shuts it some times: the hash takes as long as the machine lets it, so each is held against one
/// made right before it.
fn unlock(vault: Vault<Unlocked>, session: Session, home: &Path, password: &Zeroizing<String>) {
    drop(session);
    let locking = Instant::now();
    let (locked, finished) = vault.lock();
    finished.unwrap();
    println!("lock: {:.1} ms", ms(locking.elapsed()));
    drop(locked);
    let salt = [0; 16];
    let credential = Credential::Password(password.clone());
    let mut beyond = Vec::new();
    let mut resident = 0;
    for _ in 0..9 {
        let hash = timed(|| aura_crypto::kdf::stretch(b"x", &salt, Argon2Params::FLOOR).unwrap());
        let opening = Instant::now();
        let store = LocalStore::open(&Home::new(home).store(), Box::new(|| 0)).unwrap();
        let locked = Vault::load(home, Arc::new(store)).unwrap();
        let vault = locked.unlock(&credential, environment()).map_err(|(_, error)| error).unwrap();
        beyond.push(opening.elapsed().saturating_sub(hash));
        resident = memory_mib("VmRSS");
        vault.lock().1.unwrap();
    }
    beyond.sort();
    println!(
        "unlock beyond the password's hash, of nine: p50 {:.1} ms, {:.1} to {:.1}; resident {resident} MiB",
        ms(beyond[beyond.len() / 2]),
        ms(beyond[0]),
        ms(beyond[beyond.len() - 1]),
    );
}
