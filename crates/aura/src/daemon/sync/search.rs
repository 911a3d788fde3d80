// SPDX-License-Identifier: MIT OR Apache-2.0
//! Looking for the vault's other devices on this network, as long as that is switched on: whoever is found is asked who
//! they are, and becomes a store. Source: spec/peer.md, rules PEE-9 to PEE-13.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, Scope};
use std::time::{Duration, Instant};

use aura_protocol::id::DeviceId;
use aura_store::peer::Listen;
use aura_store::peer::find::{Finder, Found, LostError};

use super::book::Kept;
use super::instances::Instances;
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
/// The same if somebody was passed over, who is told of again then.
const CROWDED_LIFE: Duration = Duration::from_mins(2);
/// How long a network that carries no announcements is left alone.
const NO_NETWORK: Duration = Duration::from_secs(10);
/// How long one on which a finder was lost is, at first and at last; one that stood so long was lost by chance.
const LOST_MIN: Duration = Duration::from_secs(1);
const LOST_MAX: Duration = Duration::from_secs(30);
const STOOD: Duration = Duration::from_mins(1);
/// How many are asked at once who they are.
const MEETS_MAX: usize = 4;

const NO_ANNOUNCEMENTS: &str = "this network carries no announcements; name a device's address: aura store add \
                                peer://HOST:PORT";
const BROKE_OFF: &str = "announcements on this network broke off, or are more than are kept; devices are looked for \
                         again soon";

/// What is looked on, and who is told.
trait World: Sync {
    /// A finder for a device that is called at this port.
    fn listen(&self, port: u16) -> Option<Box<dyn Ear>>;
    /// Which device is at one of these places.
    fn meet(&self, places: &[String]) -> Option<DeviceId>;
    /// A device is at these places; `is_new` if it was not known.
    fn is_at(&self, device: DeviceId, places: Vec<String>, is_new: bool);
    /// It is at none any more.
    fn is_gone(&self, device: DeviceId);
}

/// What hears announcements.
trait Ear {
    fn next(&mut self, patience: Duration) -> Result<Option<Found>, LostError>;
}

impl Ear for Finder {
    fn next(&mut self, patience: Duration) -> Result<Option<Found>, LostError> {
        Self::next(self, patience)
    }
}

/// The network that this device is in.
struct Network<'a> {
    keeper: &'a Keeper,
    syncing: &'a Syncing,
}

impl World for Network<'_> {
    fn listen(&self, port: u16) -> Option<Box<dyn Ear>> {
        let (vault, _) = self.keeper.local()?;
        let finder = Finder::new(vault, port, &fill).ok()?;
        *lock(&self.syncing.lan.farewell) = Some(finder.farewell());
        Some(Box::new(finder))
    }

    fn meet(&self, places: &[String]) -> Option<DeviceId> {
        self.syncing.lan.meet_at(places.to_vec()).ok()
    }

    fn is_at(&self, device: DeviceId, places: Vec<String>, is_new: bool) {
        lock(&self.syncing.lan.places).insert(device, places);
        if is_new {
            return self.syncing.found(self.keeper, device);
        }
        self.syncing.ring(&SiteId::Peer(device));
    }

    fn is_gone(&self, device: DeviceId) {
        lock(&self.syncing.lan.places).remove(&device);
    }
}

/// Who is looked for, and who was found.
#[derive(Default)]
struct Search {
    finder: Option<(Box<dyn Ear>, u16, Instant)>,
    /// Shared with whoever asks.
    found: Arc<Mutex<Instances>>,
    asking: Arc<AtomicUsize>,
    /// Since when there is no finder, for how long none is tried for, and why.
    failed: Option<(Instant, Duration, &'static str)>,
}

/// Until the process ends.
pub(in crate::daemon) fn run(keeper: &Keeper, syncing: &Syncing) {
    let network = Network { keeper, syncing };
    thread::scope(|scope| look(scope, &network));
}

fn look<'scope>(scope: &'scope Scope<'scope, '_>, network: &'scope Network<'scope>) {
    let Network { keeper, syncing } = *network;
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
            search.end();
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
        if opened.is_err() || listen == Listen::No {
            *lock(&lan.trouble) = told;
            search.end();
            lan.wait(if opened.is_err() { NO_NETWORK } else { LOOK });
            continue;
        }
        let is_on = lan.port().is_some_and(|port| search.go_on(scope, network, port));
        *lock(&lan.trouble) = search.trouble().map(str::to_owned);
        if !is_on {
            lan.wait(TICK);
        }
    }
}

impl Search {
    /// Looks for others for a moment. Says whether it did.
    fn go_on<'scope, W: World>(
        &mut self,
        scope: &'scope Scope<'scope, '_>,
        world: &'scope W,
        port: u16,
    ) -> bool {
        if self.is_over(port) {
            self.begin_anew();
        }
        let Some((finder, ..)) = self.stand(world, port) else { return false };
        let heard = finder.next(TICK);
        let now = Instant::now();
        match heard {
            Ok(Some(Found::Here { instance, places })) => {
                let moved = lock(&self.found).note(instance, places.clone(), now);
                if let Some(device) = moved {
                    world.is_at(device, places, false);
                }
            }
            Ok(Some(Found::Gone { instance })) => {
                let gone = lock(&self.found).gone(&instance);
                if let Some(device) = gone {
                    world.is_gone(device);
                }
            }
            Ok(None) => {}
            Err(LostError) => self.lose(now),
        }
        self.meet(scope, world);
        true
    }

    /// Whether the finder has had its time.
    fn is_over(&self, port: u16) -> bool {
        let Some((_, at, since)) = &self.finder else { return false };
        let crowded = lock(&self.found).has_passed_over();
        let life = if crowded { CROWDED_LIFE } else { NAME_LIFE };
        *at != port || since.elapsed() >= life
    }

    /// The finder, and another one where there is none and it is time.
    fn stand<W: World>(
        &mut self,
        world: &W,
        port: u16,
    ) -> Option<&mut (Box<dyn Ear>, u16, Instant)> {
        if self.finder.is_none() {
            if self.failed.is_some_and(|(at, pause, _)| at.elapsed() < pause) {
                return None;
            }
            if let Some(finder) = world.listen(port) {
                self.finder = Some((finder, port, Instant::now()));
            } else {
                self.failed = Some((Instant::now(), NO_NETWORK, NO_ANNOUNCEMENTS));
            }
        }
        self.finder.as_mut()
    }

    /// The finder hears no more: another one is tried for after a while, longer if that does not last either.
    fn lose(&mut self, now: Instant) {
        let stood = self.finder.take().map(|(.., since)| since.elapsed()).unwrap_or_default();
        let last = self.failed.filter(|_| stood < STOOD).map(|(_, pause, _)| pause);
        let pause = last.map_or(LOST_MIN, |last| last.saturating_mul(2).min(LOST_MAX));
        self.begin_anew();
        self.failed = Some((now, pause, BROKE_OFF));
    }

    /// Why nobody is found, if that is so.
    fn trouble(&self) -> Option<&'static str> {
        self.failed.filter(|_| self.finder.is_none()).map(|(_, _, why)| why)
    }

    /// Another finder hears of everybody again.
    fn begin_anew(&mut self) {
        (self.finder, self.found) = (None, Arc::default());
    }

    /// Nobody is looked for any more.
    fn end(&mut self) {
        self.begin_anew();
        self.failed = None;
    }

    /// Asks those who were found who they are: some at a time, and elsewhere, since announcements do not wait.
    fn meet<'scope, W: World>(&self, scope: &'scope Scope<'scope, '_>, world: &'scope W) {
        while self.asking.load(Ordering::SeqCst) < MEETS_MAX {
            let Some((name, places)) = lock(&self.found).ask(Instant::now()) else { return };
            self.asking.fetch_add(1, Ordering::SeqCst);
            let (found, asking) = (Arc::clone(&self.found), Arc::clone(&self.asking));
            let ask = move || {
                let met = world.meet(&places);
                let met = lock(&found).answered(&name, met, Instant::now());
                asking.fetch_sub(1, Ordering::SeqCst);
                if let Some((device, places)) = met {
                    world.is_at(device, places, true);
                }
            };
            if thread::Builder::new().name("meet".to_owned()).spawn_scoped(scope, ask).is_err() {
                self.asking.fetch_sub(1, Ordering::SeqCst);
                return;
            }
        }
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

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;

    const LIVE: DeviceId = DeviceId([7; 16]);
    const SLOW: Duration = Duration::from_secs(5);

    /// A network that is made up: what each finder hears, and at which places nobody answers.
    #[derive(Default)]
    struct Made {
        heard: Mutex<Vec<Vec<Heard>>>,
        opened: AtomicUsize,
        at: Mutex<BTreeMap<DeviceId, Instant>>,
        asked: Mutex<BTreeSet<String>>,
    }

    type Heard = Result<Option<Found>, LostError>;

    struct Said(std::vec::IntoIter<Heard>);

    impl Ear for Said {
        fn next(&mut self, patience: Duration) -> Heard {
            self.0.next().unwrap_or_else(|| {
                thread::sleep(patience);
                Ok(None)
            })
        }
    }

    impl World for Made {
        fn listen(&self, _: u16) -> Option<Box<dyn Ear>> {
            self.opened.fetch_add(1, Ordering::SeqCst);
            let mut heard = lock(&self.heard);
            (!heard.is_empty()).then(|| Box::new(Said(heard.remove(0).into_iter())) as _)
        }

        fn meet(&self, places: &[String]) -> Option<DeviceId> {
            lock(&self.asked).extend(places.iter().cloned());
            if places.contains(&"live".to_owned()) {
                return Some(LIVE);
            }
            thread::sleep(SLOW);
            None
        }

        fn is_at(&self, device: DeviceId, _: Vec<String>, _: bool) {
            lock(&self.at).entry(device).or_insert_with(Instant::now);
        }

        fn is_gone(&self, _: DeviceId) {}
    }

    fn here(name: &str, place: &str) -> Found {
        Found::Here { instance: name.to_owned(), places: vec![place.to_owned()] }
    }

    /// Searches until `is_done`, for so many seconds at most; how long that took.
    fn searches(made: &Made, most: u64, is_done: impl Fn(&Search) -> bool) -> Duration {
        let begun = Instant::now();
        let mut search = Search::default();
        thread::scope(|scope| {
            while !is_done(&search) && begun.elapsed() < Duration::from_secs(most) {
                if !search.go_on(scope, made, 7) {
                    thread::sleep(Duration::from_millis(50));
                }
            }
            begun.elapsed()
        })
    }

    fn has_met(made: &Made) -> bool {
        lock(&made.at).contains_key(&LIVE)
    }

    /// PEE-10: names that lead nowhere hold up nobody who is there.
    #[test]
    fn pee_10_dead_instances_starve_nobody() {
        let dead = ["a", "b", "c"].map(|name| Ok(Some(here(name, "dead")))).into_iter();
        let made = Made::default();
        lock(&made.heard).push(dead.chain([Ok(Some(here("z", "live")))]).collect());
        let took = searches(&made, 10, |_| has_met(&made));
        assert!(has_met(&made) && took < SLOW, "{took:?}");
    }

    /// A network full of strangers' announcements, while somebody does not answer: all are heard, a finder that is lost
    /// is followed by another one after a pause, and who is there is found.
    #[test]
    fn a_lost_finder_is_followed_by_another() {
        let made = Made::default();
        let flood = |first| {
            let noise = (0..5000).map(|_| Ok(None));
            let said = [Ok(Some(here("a", "dead")))].into_iter().chain(noise);
            said.chain([first]).collect::<Vec<_>>()
        };
        lock(&made.heard).extend([
            flood(Err(LostError)),
            flood(Err(LostError)),
            flood(Ok(Some(here("z", "live")))),
        ]);
        let lost = std::cell::Cell::new(0);
        let took = searches(&made, 30, |search| {
            if search.trouble() == Some(BROKE_OFF) {
                lost.set(lost.get() + 1);
            }
            has_met(&made)
        });
        assert!(has_met(&made), "{took:?}");
        assert!(took >= LOST_MIN * 3, "it pauses, longer each time: {took:?}");
        assert!(lost.get() > 0, "and says why");
        assert_eq!(made.opened.load(Ordering::SeqCst), 3);
    }

    /// Where there is no finder, that is said until there is one.
    #[test]
    fn trouble_stays_until_a_finder_stands() {
        let (made, told) = (Made::default(), std::cell::Cell::new(0));
        searches(&made, 2, |search| {
            told.set(told.get() + usize::from(search.trouble() == Some(NO_ANNOUNCEMENTS)));
            false
        });
        assert!(told.get() > 20, "{}", told.get());
        assert_eq!(made.opened.load(Ordering::SeqCst), 1, "it is left alone for a while");
        let long_ago = Instant::now().checked_sub(NO_NETWORK).unwrap();
        let failed = Some((long_ago, NO_NETWORK, NO_ANNOUNCEMENTS));
        let mut search = Search { failed, ..Search::default() };
        assert!(search.trouble().is_some());
        lock(&made.heard).push(Vec::new());
        thread::scope(|scope| assert!(search.go_on(scope, &made, 7)));
        assert_eq!(search.trouble(), None);
    }
}
