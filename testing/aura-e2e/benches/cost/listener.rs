// SPDX-License-Identifier: MIT OR Apache-2.0
//! A device of the vault that listens and fetches, without a process of its own.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aura_e2e::Person;
use aura_protocol::auth::ServerKey;
use aura_protocol::id::{FeedId, Hash};
use aura_protocol::store::{Access, BlindStore as _, StoredHead};
use aura_store::http::{Address, HttpStore, Proof, Server};
use aura_vault::home::{Home, Kind};
use aura_vault::transport::Transport;
use pollster::block_on;

/// How long one question is open, as a daemon's.
const WATCH_MS: u64 = 4 * 60 * 1000;
/// Entries of one answer, at most.
const BATCH: usize = 1000;
/// How long a server that did not answer is left alone.
const PAUSE: Duration = Duration::from_millis(500);

/// What all listeners have fetched.
#[derive(Debug, Default)]
pub(crate) struct Fetched {
    pub(crate) entries: AtomicU64,
    pub(crate) failed: AtomicU64,
    /// The last failure, in words.
    pub(crate) last: Mutex<String>,
}

/// Ends a joined device's daemon, and goes on in its place until the bench ends: a connection of its own with its own
/// transport key, told of each change, which it fetches. What it fetches stays sealed and is kept nowhere.
pub(crate) fn listen(person: &Person, (url, key): (&str, &str), fetched: &Arc<Fetched>) {
    person.does(["lock", "--stop"]);
    let home = Home::new(&person.home());
    let Kind::Vault(vault) = home.kind().unwrap() else { panic!("the device has no vault") };
    let transport = Transport::read(&home).unwrap();
    let server =
        Server::new(Address::parse(url).unwrap(), ServerKey(Hash::parse(key).unwrap())).unwrap();
    let clock = || {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        i64::try_from(now.as_millis()).unwrap()
    };
    let proof = Proof::Device(Arc::new(transport));
    let store = HttpStore::new(&server, vault, proof, Box::new(clock));
    let (access, fetched) = (Access::Vault(vault), Arc::clone(fetched));
    // Ends with the bench.
    thread::spawn(move || {
        let (mut heads, mut feeds) = (BTreeMap::new(), BTreeMap::new());
        loop {
            let known: Vec<_> =
                heads.iter().map(|((device, life), at)| (*device, *life, *at)).collect();
            let news = block_on(store.watch(&access, &known, WATCH_MS));
            for head in news.iter().flatten() {
                heads.insert((head.device, head.incarnation), head.position);
            }
            let took = news.and_then(|news| {
                news.iter().map(|head| fetch(&store, &access, head, &mut feeds)).sum()
            });
            match took {
                Ok(entries) => fetched.entries.fetch_add(entries, Ordering::SeqCst),
                Err(error) => {
                    *fetched.last.lock().unwrap() = error.to_string();
                    thread::sleep(PAUSE);
                    fetched.failed.fetch_add(1, Ordering::SeqCst)
                }
            };
        }
    });
}

/// Fetches what a head covers and was not fetched before.
fn fetch(
    store: &HttpStore,
    access: &Access,
    head: &StoredHead,
    feeds: &mut BTreeMap<FeedId, u64>,
) -> Result<u64, aura_protocol::store::StoreError> {
    let (device, incarnation) = (head.device, head.incarnation);
    let mut taken = 0;
    for (collection, end) in &head.head.claim().unwrap().feeds {
        let feed = FeedId { collection: *collection, device, incarnation };
        let at = feeds.entry(feed).or_default();
        while *at < end.number {
            let entries = block_on(store.read(access, feed, *at, BATCH))?;
            let count = entries.len() as u64;
            if count == 0 {
                break;
            }
            (*at, taken) = (*at + count, taken + count);
        }
    }
    Ok(taken)
}
