// SPDX-License-Identifier: MIT OR Apache-2.0
//! Rounds that nobody asked for: soon after a change here, and when a store shows something new.
//!
//! While the vault is open each store is looked at every few seconds, which moves nothing. A visit follows where
//! the look differs from the one after the last visit; where that left something undone, it is repeated less
//! and less often. A server tells itself when it has news, to a thread of its own, and is looked at then. The
//! vault's idle time is not touched.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::thread::{self, Scope};
use std::time::{Duration, Instant};

use aura_protocol::store::Access;

use super::book::Kept;
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
/// Changes that come together go together.
const GATHER: Duration = Duration::from_millis(150);
/// After how long a visit that left something undone is repeated, at first and at last.
const RETRY_MIN: Duration = Duration::from_millis(250);
const RETRY_MAX: Duration = Duration::from_mins(5);

/// What is known of a store since the daemon began.
#[derive(Default)]
struct Memory {
    is_visited: bool,
    look: Option<Look>,
    looked: Option<Instant>,
    retry: Option<(Instant, Duration)>,
}

type Memories = BTreeMap<SiteId, Memory>;

/// Until the process ends.
pub(crate) fn run(keeper: &Keeper, syncing: &Syncing) {
    let watched = Mutex::new(BTreeSet::new());
    thread::scope(|scope| go_round(scope, (keeper, syncing), &watched));
}

fn go_round<'scope>(
    scope: &'scope Scope<'scope, '_>,
    (keeper, syncing): (&'scope Keeper, &'scope Syncing),
    watched: &'scope Mutex<BTreeSet<SiteId>>,
) {
    let mut memories = Memories::new();
    loop {
        let retries = memories.values().filter_map(|memory| memory.retry);
        let pauses = retries.map(|(at, _)| at.saturating_duration_since(Instant::now()));
        if syncing.wait(pauses.min().unwrap_or(LOOK).clamp(GATHER, LOOK)) {
            thread::sleep(GATHER);
        }
        if !keeper.is_open() || syncing.halt.is_set() {
            continue;
        }
        // What cannot be done now is tried again; a person hears of it when they ask.
        syncing.take_in(keeper, Duration::ZERO).ok();
        let Ok(stores) = syncing.read(keeper) else { continue };
        memories.retain(|id, _| stores.iter().any(|kept| kept.site.id() == *id));
        for kept in stores.iter().filter(|kept| kept.site.is_store()) {
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
            round(keeper, syncing, kept, &mut memories);
        }
    }
}

fn round(keeper: &Keeper, syncing: &Syncing, kept: &Kept, memories: &mut Memories) {
    let id = kept.site.id();
    let memory = memories.entry(id.clone()).or_default();
    let is_time = memory.retry.is_some_and(|(at, _)| Instant::now() >= at);
    let pace = match &kept.site {
        Site::Folder(_) => LOOK,
        Site::Far(_) => LOOK_FAR,
        Site::Server(_) => LOOK_SERVER,
        Site::Lan(_) | Site::Peer(_) => LOOK_DEVICE,
    };
    let is_fresh = memory.looked.is_some_and(|looked| looked.elapsed() < pace);
    let is_due = !is_fresh || is_time || lock(&syncing.rung).remove(&id);
    if !is_due && !has_news(keeper, syncing, memory.look.as_ref()) {
        return;
    }
    let look = look(keeper, syncing, kept);
    memory.looked = Some(Instant::now());
    let is_news = !memory.is_visited || look != memory.look;
    if !(is_news || is_time) {
        return;
    }
    let Ok(visited) = syncing.visit(keeper, &id, Audience::Nobody) else { return };
    memory.is_visited = true;
    memory.look = self::look(keeper, syncing, &visited.kept);
    let is_done = visited.waiting == 0
        && visited.trip.found.is_empty()
        && visited.kept.chunks.wanted.is_empty();
    // One that is not there shows it by being there again.
    let is_undone = memory.look.is_some() && (!is_done || visited.trip.trouble.is_some());
    let last = memory.retry.filter(|_| !is_news).map(|(_, pause)| pause);
    memory.retry = is_undone.then(|| {
        let pause = last.map_or(RETRY_MIN, |last| last.saturating_mul(2).min(RETRY_MAX));
        let pause = pause.max(Duration::from_secs(visited.trip.wait_s.unwrap_or_default()));
        let now = Instant::now();
        (now.checked_add(pause).unwrap_or(now), pause)
    });
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
