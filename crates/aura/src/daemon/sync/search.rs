// SPDX-License-Identifier: MIT OR Apache-2.0
//! Looking for the vault's other devices on this network, as long as that is switched on: whoever is found is asked who
//! they are, and becomes a store. Source: spec/peer.md, rules PEE-9 to PEE-13.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use aura_protocol::id::DeviceId;
use aura_store::peer::Listen;
use aura_store::peer::find::{Finder, Found};

use super::book::Kept;
use super::lan::{Wish, fill};
use super::site::{Site, SiteId};
use super::{Syncing, lock};
use crate::daemon::keeper::Keeper;

/// How long one wait for announcements lasts.
const TICK: Duration = Duration::from_secs(1);
/// How often the list of stores is read where nobody says that it has changed.
const LOOK: Duration = Duration::from_secs(30);
/// After so long, this device is announced under another name (PEE-9).
const NAME_LIFE: Duration = Duration::from_hours(1);
/// How long whoever was found and did not answer is left alone, at first and at last.
const PAUSE_MIN: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_mins(1);
/// How long a network that carries no announcements is left alone.
const NO_NETWORK: Duration = Duration::from_secs(10);

/// Somebody who was found, and is not known yet.
struct Stranger {
    places: Vec<String>,
    due: Instant,
    pause: Duration,
}

/// Who is looked for, and who was found.
#[derive(Default)]
struct Search {
    finder: Option<(Finder, u16, Instant)>,
    strangers: BTreeMap<String, Stranger>,
    instances: BTreeMap<String, DeviceId>,
    failed: Option<Instant>,
}

/// Until the process ends.
pub(in crate::daemon) fn run(keeper: &Keeper, syncing: &Syncing) {
    let lan = &syncing.lan;
    let (mut search, mut wish, mut looked) = (Search::default(), None, None::<Instant>);
    loop {
        let is_due = looked.is_none_or(|looked| looked.elapsed() >= LOOK);
        if lan.take_changed() || is_due {
            looked = Some(Instant::now());
            // A damaged list is told to whoever asks; until then nothing is changed.
            if let Ok(stores) = syncing.read(keeper) {
                wish = Some(Wish::of(&stores));
                forget_revoked(keeper, syncing, &stores);
            }
        }
        let listen = wish.and_then(Wish::listen);
        let Some(listen) = listen.filter(|_| keeper.local().is_some()) else {
            search = Search::default();
            lan.stop();
            lan.wait(LOOK);
            continue;
        };
        let opened = lan.ensure(keeper, &syncing.nudges, listen);
        let told = opened.as_ref().err().map(|error| {
            let why = crate::exit::plain(error);
            format!(
                "this device cannot be called: {why}; another port: aura store add lan --port N"
            )
        });
        lock(&lan.trouble).clone_from(&told);
        if opened.is_err() || listen == Listen::No {
            search = Search::default();
            lan.wait(if opened.is_err() { NO_NETWORK } else { LOOK });
            continue;
        }
        search.go_on(keeper, syncing);
    }
}

impl Search {
    /// Looks for others for a moment.
    fn go_on(&mut self, keeper: &Keeper, syncing: &Syncing) {
        let lan = &syncing.lan;
        let (Some((vault, _)), Some(port)) = (keeper.local(), lan.port()) else {
            return lan.wait(TICK);
        };
        let is_old =
            |(_, at, since): &(Finder, u16, Instant)| *at != port || since.elapsed() >= NAME_LIFE;
        if self.finder.as_ref().is_none_or(is_old) {
            if self.failed.is_some_and(|failed| failed.elapsed() < NO_NETWORK) {
                return lan.wait(TICK);
            }
            *self = Self::default();
            if let Ok(finder) = Finder::new(vault, port, &fill) {
                *lock(&lan.farewell) = Some(finder.farewell());
                self.finder = Some((finder, port, Instant::now()));
            } else {
                self.failed = Some(Instant::now());
                let what = "this network carries no announcements; name a device's address: aura store add \
                            peer://HOST:PORT";
                *lock(&lan.trouble) = Some(what.to_owned());
            }
        }
        let Some((finder, _, _)) = &mut self.finder else { return };
        match finder.next(TICK) {
            Some(Found::Here { instance, places }) => self.note(syncing, instance, places),
            Some(Found::Gone { instance }) => {
                self.strangers.remove(&instance);
                if let Some(device) = self.instances.remove(&instance)
                    && !self.instances.values().any(|other| *other == device)
                {
                    lock(&lan.places).remove(&device);
                }
            }
            None => {}
        }
        self.meet(keeper, syncing);
    }

    fn note(&mut self, syncing: &Syncing, instance: String, places: Vec<String>) {
        if let Some(device) = self.instances.get(&instance) {
            // It moved.
            lock(&syncing.lan.places).insert(*device, places);
            lock(&syncing.rung).insert(SiteId::Peer(*device));
            return syncing.nudge();
        }
        let stranger = Stranger { places, due: Instant::now(), pause: PAUSE_MIN };
        self.strangers.insert(instance, stranger);
    }

    /// Asks one of those who were found who they are.
    fn meet(&mut self, keeper: &Keeper, syncing: &Syncing) {
        let now = Instant::now();
        let due = self.strangers.iter_mut().find(|(_, stranger)| stranger.due <= now);
        let Some((instance, stranger)) = due else { return };
        let mut met = stranger.places.iter().map(|place| syncing.lan.meet(place));
        let Some(device) = met.find_map(Result::ok) else {
            stranger.due = Instant::now().checked_add(stranger.pause).unwrap_or(now);
            stranger.pause = stranger.pause.saturating_mul(2).min(PAUSE_MAX);
            return;
        };
        let (instance, places) = (instance.clone(), stranger.places.clone());
        self.strangers.remove(&instance);
        self.instances.insert(instance, device);
        lock(&syncing.lan.places).insert(device, places);
        syncing.found(keeper, device);
    }
}

/// A device that was revoked is nobody to sync with any more (PEE-13).
fn forget_revoked(keeper: &Keeper, syncing: &Syncing, stores: &[Kept]) {
    if !stores.iter().any(|kept| matches!(kept.site, Site::Peer(_))) {
        return;
    }
    let Some((_, local)) = keeper.local() else { return };
    let is_out = |kept: &Kept| {
        let Site::Peer(peer) = &kept.site else { return false };
        local.is_revoked(peer.device).unwrap_or_default()
    };
    if stores.iter().any(&is_out) {
        syncing.edit(keeper, &mut |stores| stores.retain(|kept| !is_out(kept))).ok();
    }
}
