// SPDX-License-Identifier: MIT OR Apache-2.0
//! Rounds that nobody asked for: soon after a change here, and when a store shows something new.
//!
//! While the vault is open each store is looked at every few seconds, which moves nothing. A visit follows where
//! the look differs from the one after the last visit; where that left something undone, it is repeated less
//! and less often. A server tells itself when it has news, to a thread of its own, and is looked at then. Each store
//! has its own thread for a look and a visit, since no store knows how long another one takes. The vault's idle time is
//! not touched.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::thread::{self, Scope};
use std::time::{Duration, Instant};

use aura_protocol::store::Access;

use super::book::Kept;
use super::nudges::Cause;
use super::site::{Site, SiteId};
use super::visit::{Host, Look};
use super::watch::watch;
use super::{Audience, Syncing, lock};
use crate::daemon::keeper::Keeper;

/// How often stores are looked at.
const LOOK: Duration = Duration::from_secs(2);
/// How often a server is, that tells by itself.
const LOOK_SERVER: Duration = Duration::from_mins(1);
/// How often a folder over a network is: each look is a request that somebody may pay for.
const LOOK_FAR: Duration = Duration::from_secs(30);
/// How often another device is, that tells by itself while it is there.
const LOOK_DEVICE: Duration = Duration::from_secs(15);
/// Changes go together: between two rounds for their sake so much time passes.
const GATHER: Duration = Duration::from_millis(100);
/// After how long a visit that left something undone is repeated, at first and at last.
const RETRY_MIN: Duration = Duration::from_millis(100);
const RETRY_MAX: Duration = Duration::from_mins(5);

/// What is known of a store since the daemon began.
#[derive(Default)]
struct Memory {
    is_visited: bool,
    look: Option<Look>,
    looked: Option<Instant>,
    retry: Option<(Instant, Duration)>,
    /// Whether it is looked at just now.
    is_busy: bool,
    /// Whether it could have been due meanwhile.
    is_passed: bool,
}

type Memories = Mutex<BTreeMap<SiteId, Memory>>;

/// Until the process ends.
pub(crate) fn run(keeper: &Keeper, syncing: &Syncing) {
    let (watched, memories) = (Mutex::new(BTreeSet::new()), Memories::default());
    thread::scope(|scope| go_round(scope, (keeper, syncing), (&watched, &memories)));
}

fn go_round<'scope>(
    scope: &'scope Scope<'scope, '_>,
    (keeper, syncing): (&'scope Keeper, &'scope Syncing),
    (watched, memories): (&'scope Mutex<BTreeSet<SiteId>>, &'scope Memories),
) {
    let mut gathered = Instant::now();
    loop {
        let longest = pause(&lock(memories)).clamp(GATHER, LOOK);
        if syncing.wait(longest, gathered) == Cause::Change {
            let now = Instant::now();
            gathered = now.checked_add(GATHER).unwrap_or(now);
        }
        if !keeper.is_open() || syncing.halt.is_set() {
            continue;
        }
        // What cannot be done now is tried again; a person hears of it when they ask.
        syncing.take_in(keeper, Duration::ZERO).ok();
        let Ok(stores) = syncing.read(keeper) else { continue };
        lock(memories).retain(|id, _| stores.iter().any(|kept| kept.site.id() == *id));
        for kept in stores.into_iter().filter(|kept| kept.site.is_store()) {
            let id = kept.site.id();
            if kept.site.tells() && lock(watched).insert(id.clone()) {
                // Without the thread the server is looked at now and then.
                let name = thread::Builder::new().name("watch".to_owned());
                let until_gone = move || {
                    watch(keeper, syncing, &id);
                    lock(watched).remove(&id);
                };
                name.spawn_scoped(scope, until_gone).ok();
            }
            let id = kept.site.id();
            let Some(memory) = begin(keeper, syncing, &kept, memories) else { continue };
            let go = move || {
                let (memory, has_visited) = round(keeper, syncing, &kept, memory);
                let id = kept.site.id();
                let is_due = end(&id, memory, memories);
                syncing.bells.answer(&id);
                if is_due || has_visited {
                    // There may be something for this store, or from it for the others.
                    syncing.nudge();
                }
            };
            let name = thread::Builder::new().name("round".to_owned());
            if name.spawn_scoped(scope, go).is_err() {
                lock(memories).remove(&id);
                syncing.bells.answer(&id);
            }
        }
    }
}

/// How long until the first store is to be visited again.
fn pause(memories: &BTreeMap<SiteId, Memory>) -> Duration {
    let retries = memories.values().filter(|memory| !memory.is_busy);
    let retries = retries.filter_map(|memory| memory.retry);
    let pauses = retries.map(|(at, _)| at.saturating_duration_since(Instant::now()));
    pauses.min().unwrap_or(LOOK)
}

/// What is known of a store, if it is to be looked at now and nobody does.
fn begin(keeper: &Keeper, syncing: &Syncing, kept: &Kept, memories: &Memories) -> Option<Memory> {
    let id = kept.site.id();
    let mut memories = lock(memories);
    let memory = memories.entry(id.clone()).or_default();
    if memory.is_busy {
        memory.is_passed = true;
        return None;
    }
    let pace = match &kept.site {
        Site::Folder(_) => LOOK,
        Site::Far(_) => LOOK_FAR,
        Site::Server(_) => LOOK_SERVER,
        Site::Lan(_) | Site::Peer(_) => LOOK_DEVICE,
    };
    let is_fresh = memory.looked.is_some_and(|looked| looked.elapsed() < pace);
    let is_rung = syncing.bells.hear(&id);
    let is_due = is_rung || !is_fresh || memory.is_time();
    if !is_due && !has_news(keeper, syncing, memory.look.as_ref()) {
        return None;
    }
    let busy = Memory { is_busy: true, ..Memory::default() };
    Some(std::mem::replace(memory, busy))
}

/// Keeps what is known of a store, which nobody looks at any more. Says whether it may be due again.
fn end(id: &SiteId, memory: Memory, memories: &Memories) -> bool {
    let mut memories = lock(memories);
    // One that somebody has let go of meanwhile is not remembered.
    let Some(kept) = memories.get_mut(id) else { return false };
    let is_due = kept.is_passed || memory.retry.is_some();
    *kept = Memory { is_passed: false, is_busy: false, ..memory };
    is_due
}

impl Memory {
    fn is_time(&self) -> bool {
        self.retry.is_some_and(|(at, _)| Instant::now() >= at)
    }
}

/// Looks at a store, and visits it where there is something new or undone. What is known of it then, and whether it was
/// visited.
fn round(keeper: &Keeper, syncing: &Syncing, kept: &Kept, mut memory: Memory) -> (Memory, bool) {
    let is_time = memory.is_time();
    let look = look(keeper, syncing, kept);
    memory.looked = Some(Instant::now());
    let is_news = !memory.is_visited || look != memory.look;
    if !(is_news || is_time) {
        return (memory, false);
    }
    let is_ours = memory.look.as_ref().is_none_or(|before| has_news(keeper, syncing, Some(before)));
    let Ok(visited) = syncing.visit(keeper, &kept.site.id(), Audience::Nobody) else {
        return (memory, false);
    };
    memory.is_visited = true;
    let look = self::look(keeper, syncing, &visited.kept);
    // What was written here since the visit is news.
    memory.look = look.map(|look| look.with_ours(visited.ours.clone()));
    let is_done = visited.waiting == 0
        && visited.trip.found.is_empty()
        && visited.kept.chunks.wanted.is_empty();
    // One that is not there shows it by being there again.
    let is_undone = memory.look.is_some() && (!is_done || visited.trip.trouble.is_some());
    // A store that has something new each time, which comes to nothing, is not visited the more often for it.
    let is_anew = is_ours || visited.trip.has_moved();
    let last = memory.retry.filter(|_| !is_anew).map(|(_, pause)| pause);
    memory.retry = is_undone.then(|| {
        let pause = retry(last, visited.trip.wait_s);
        let now = Instant::now();
        (now.checked_add(pause).unwrap_or(now), pause)
    });
    (memory, true)
}

/// How long a store is left alone that was left alone for `last` before, and that asks for so many seconds.
fn retry(last: Option<Duration>, wait_s: Option<u64>) -> Duration {
    let pause = last.map_or(RETRY_MIN, |last| last.saturating_mul(2).min(RETRY_MAX));
    pause.max(Duration::from_secs(wait_s.unwrap_or_default()))
}

/// Whether there is something new on this device: that is found out without the store.
fn has_news(keeper: &Keeper, syncing: &Syncing, look: Option<&Look>) -> bool {
    let (Some((vault, local)), Some(look)) = (keeper.local(), look) else { return false };
    let access = Access::Vault(vault);
    let host = Host { local: &local, access, own: None, halt: &syncing.halt };
    host.has_news_since(look)
}

fn look(keeper: &Keeper, syncing: &Syncing, kept: &Kept) -> Option<Look> {
    let (vault, local) = keeper.local()?;
    let access = Access::Vault(vault);
    let store = syncing.open(keeper, vault, &kept.site);
    Host { local: &local, access, own: None, halt: &syncing.halt }.look(store)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use aura_protocol::auth::{AccountName, ServerKey};
    use aura_protocol::id::Hash;
    use aura_store::http::Address;
    use aura_vault::vault::Setup;
    use zeroize::Zeroizing;

    use super::*;
    use crate::daemon::keeper::argon2;
    use crate::daemon::sync::book;
    use crate::daemon::sync::site::Account;
    use crate::wire::Cost;

    /// A store that takes a call and says nothing more is in no other one's way.
    #[test]
    fn a_store_that_hangs_holds_up_no_other_one() {
        let (home, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let password = Zeroizing::new("a password of a test".to_owned());
        let keeper = Keeper::load(home.path()).unwrap();
        let setup = Setup { password, second: None, cost: argon2(Cost::Least) };
        drop(keeper.create(&setup).unwrap());
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("https://{}", silent.local_addr().unwrap());
        let server = Site::Server(Account {
            address: Address::parse(&address).unwrap(),
            name: AccountName::parse("nora").unwrap(),
            pin: ServerKey(Hash([1; 32])),
            is_password_due: false,
        });
        let sites = [server, Site::Folder(folder.path().to_owned())];
        book::write(home.path(), &sites.map(Kept::new)).unwrap();
        // They go on until the process ends.
        let (keeper, syncing): (&Keeper, &Syncing) =
            (Box::leak(Box::new(keeper)), Box::leak(Box::default()));
        thread::spawn(move || run(keeper, syncing));
        let begun = Instant::now();
        let is_synced =
            |kept: &Kept| matches!(kept.site, Site::Folder(_)) && kept.synced_ms.is_some();
        while !syncing.read(keeper).unwrap().iter().any(is_synced) {
            assert!(begun.elapsed() < Duration::from_secs(6), "the folder waits for the server");
            thread::sleep(Duration::from_millis(50));
        }
        drop(silent);
    }

    /// Fault F-29: a store that is overloaded is asked less and less often, down to a bound, and never sooner than it says.
    #[test]
    fn f_29_pauses_grow_and_are_no_shorter_than_was_asked_for() {
        let (mut last, mut pauses) = (None, Vec::new());
        for _ in 0..16 {
            let next = retry(last, None);
            pauses.push(next);
            last = Some(next);
        }
        assert_eq!(pauses.first(), Some(&RETRY_MIN));
        assert!(pauses.is_sorted() && pauses.ends_with(&[RETRY_MAX, RETRY_MAX]), "{pauses:?}");
        assert_eq!(retry(None, Some(9)), Duration::from_secs(9));
        assert_eq!(retry(Some(RETRY_MAX), Some(9)), RETRY_MAX);
        assert_eq!(retry(last, Some(3_600)), Duration::from_hours(1));
    }
}
