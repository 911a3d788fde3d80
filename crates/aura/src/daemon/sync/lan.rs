// SPDX-License-Identifier: MIT OR Apache-2.0
//! The vault's other devices on this network: found, called, and let in, while that is switched on.
//!
//! One node is there as long as the list of stores has `lan` or a device in it; without either there is no socket. With
//! `lan` it listens and announces itself, also while the vault is locked: what comes is sealed, checked by the local
//! store, and taken in at the next unlock. Whoever is found becomes a store, by its device's id.
//! Source: spec/peer.md, rules PEE-9 to PEE-13.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use aura_crypto::entropy::Entropy as _;
use aura_protocol::id::{DeviceId, VaultId};
use aura_protocol::store::StoreError;
use aura_store::local::LocalStore;
use aura_store::peer::find::{Farewell, Finder, Found};
use aura_store::peer::{Listen, Node, PeerStore, Place, Source};
use aura_vault::home::Home;
use aura_vault::transport::Transport;
use pollster::block_on;

use super::book::{self, Kept, STORES_MAX};
use super::site::{Opened, Peer, Site, SiteId};
use super::{Syncing, lock, room_for, words};
use crate::daemon::keeper::{Keeper, SystemEntropy};
use crate::exit::{Exit, Failure};
use crate::moment::now_ms;
use crate::view;

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

/// Tells that something came from another device, to whoever waits for that.
#[derive(Debug, Default)]
pub(super) struct Nudges {
    has_arrived: AtomicBool,
    is_nudged: Mutex<bool>,
    nudged: Condvar,
}

impl Nudges {
    pub(super) fn nudge(&self) {
        *lock(&self.is_nudged) = true;
        self.nudged.notify_all();
    }

    /// Waits for a nudge, but not for longer. Says whether there was one.
    pub(super) fn wait(&self, longest: Duration) -> bool {
        let waited = self.nudged.wait_timeout_while(lock(&self.is_nudged), longest, |is| !*is);
        let (mut is_nudged, _) = waited.unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *is_nudged)
    }

    /// Whether something has come since this was asked last.
    pub(super) fn take_arrived(&self) -> bool {
        self.has_arrived.swap(false, Ordering::SeqCst)
    }
}

/// This device's side of every connection.
struct Ground {
    local: Weak<LocalStore>,
    nudges: Arc<Nudges>,
}

impl Source for Ground {
    fn local(&self) -> Option<Arc<LocalStore>> {
        self.local.upgrade()
    }

    fn arrived(&self) {
        self.nudges.has_arrived.store(true, Ordering::SeqCst);
        self.nudges.nudge();
    }
}

/// A node, and what it was opened for.
struct Running {
    local: Weak<LocalStore>,
    vault: VaultId,
    listen: Listen,
    node: Node,
    stores: BTreeMap<DeviceId, Arc<PeerStore>>,
}

/// The node, and where devices were found.
#[derive(Default)]
pub(in crate::daemon) struct Lan {
    running: Mutex<Option<Running>>,
    places: Mutex<BTreeMap<DeviceId, Vec<String>>>,
    is_listening: AtomicBool,
    /// Whether nothing is to be opened any more.
    is_over: AtomicBool,
    farewell: Mutex<Option<Farewell>>,
    is_changed: Mutex<bool>,
    changed: Condvar,
    /// Why nobody is let in or found, in words.
    trouble: Mutex<Option<String>>,
}

impl std::fmt::Debug for Lan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Lan")
    }
}

/// What the list of stores asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Wish {
    /// At which port to listen, if at all.
    port: Option<u16>,
    has_peers: bool,
}

impl Wish {
    fn of(stores: &[Kept]) -> Self {
        let port = stores.iter().find_map(|kept| match kept.site {
            Site::Lan(port) => Some(port),
            _ => None,
        });
        let has_peers = stores.iter().any(|kept| matches!(kept.site, Site::Peer(_)));
        Self { port, has_peers }
    }

    /// Nothing where there is to be no socket.
    fn listen(self) -> Option<Listen> {
        match (self.port, self.has_peers) {
            (Some(port), _) => Some(Listen::Everywhere(port)),
            (None, true) => Some(Listen::No),
            (None, false) => None,
        }
    }
}

impl Lan {
    /// Whether other devices can call: a locked daemon then stays for them.
    pub(in crate::daemon) fn is_listening(&self) -> bool {
        self.is_listening.load(Ordering::SeqCst)
    }

    /// The list of stores has changed.
    pub(super) fn change(&self) {
        *lock(&self.is_changed) = true;
        self.changed.notify_all();
    }

    /// Why nobody is let in or found, if that is so.
    pub(super) fn trouble(&self) -> Option<String> {
        lock(&self.trouble).clone()
    }

    /// Where devices can call, if they can.
    pub(super) fn port(&self) -> Option<u16> {
        let running = lock(&self.running);
        let running = running.as_ref().filter(|running| running.listen != Listen::No)?;
        running.node.address().ok().map(|address| address.port())
    }

    /// Ends all connections, and lets go of the socket.
    fn stop(&self) {
        let ended = lock(&self.running).take();
        self.is_listening.store(false, Ordering::SeqCst);
        drop(ended);
    }

    /// The same, since the process ends or begins anew.
    pub(in crate::daemon) fn end(&self) {
        self.is_over.store(true, Ordering::SeqCst);
        self.close();
    }

    /// The same at once, and the others are told.
    pub(super) fn close(&self) {
        if let Some(farewell) = lock(&self.farewell).take() {
            farewell.say();
        }
        self.stop();
    }

    /// It does not end after all.
    pub(in crate::daemon) fn resume(&self) {
        self.is_over.store(false, Ordering::SeqCst);
        self.change();
    }

    /// A device as a store.
    pub(super) fn store(&self, keeper: &Keeper, syncing: &Syncing, peer: &Peer) -> Opened {
        let stores = syncing.read(keeper).map_err(|_| unreached())?;
        let listen = Wish::of(&stores).listen().unwrap_or(Listen::No);
        self.ensure(keeper, &syncing.nudges, listen).map_err(StoreError::Io)?;
        let mut places = lock(&self.places).get(&peer.device).cloned().unwrap_or_default();
        places.extend(peer.address.as_ref().map(|address| address.as_str().to_owned()));
        let mut running = lock(&self.running);
        let running = running.as_mut().ok_or_else(unreached)?;
        let node = &running.node;
        let store = running.stores.entry(peer.device).or_insert_with(|| {
            Arc::new(PeerStore::new(node, peer.device, Vec::new(), Box::new(now_ms)))
        });
        store.is_at(places);
        Ok(Arc::clone(store) as _)
    }

    /// Which device of the vault is at a place.
    fn meet(&self, place: &str) -> Result<DeviceId, StoreError> {
        let met = {
            let running = lock(&self.running);
            let running = running.as_ref().ok_or_else(unreached)?;
            running.node.meet(place)
        };
        // Not while the others wait for the node.
        Ok(block_on(met)?)
    }

    /// A node for the local store that is open now, which listens as is wanted.
    fn ensure(&self, keeper: &Keeper, nudges: &Arc<Nudges>, listen: Listen) -> std::io::Result<()> {
        let mut running = lock(&self.running);
        if self.is_over.load(Ordering::SeqCst) {
            return Ok(());
        }
        let Some((vault, local)) =
            keeper.local().map(|(vault, local)| (vault, Arc::downgrade(&local)))
        else {
            return Ok(());
        };
        let is_same = |running: &Running| {
            running.local.ptr_eq(&local) && (running.vault, running.listen) == (vault, listen)
        };
        if running.as_ref().is_some_and(is_same) {
            return Ok(());
        }
        // The port may be the same.
        drop(running.take());
        self.is_listening.store(false, Ordering::SeqCst);
        let transport = Transport::read(&Home::new(keeper.home()))?;
        let ground = Ground { local: local.clone(), nudges: Arc::clone(nudges) };
        let node =
            Node::open(vault, Arc::new(transport), Arc::new(ground), Box::new(fill), listen)?;
        *running = Some(Running { local, vault, listen, node, stores: BTreeMap::new() });
        self.is_listening.store(listen != Listen::No, Ordering::SeqCst);
        Ok(())
    }

    /// Waits until the list of stores has changed, but not for longer. It goes on to have changed.
    fn wait(&self, longest: Duration) {
        drop(self.changed.wait_timeout_while(lock(&self.is_changed), longest, |is| !*is));
    }

    fn take_changed(&self) -> bool {
        std::mem::take(&mut *lock(&self.is_changed))
    }
}

fn unreached() -> StoreError {
    StoreError::Unreachable("the vault is shut")
}

fn fill(bytes: &mut [u8]) {
    SystemEntropy.fill(bytes);
}

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
    let Ok(devices) = local.devices() else { return };
    let revoked = devices.revoked();
    let is_out =
        |kept: &Kept| matches!(&kept.site, Site::Peer(peer) if revoked.contains_key(&peer.device));
    if stores.iter().any(is_out) {
        syncing.edit(keeper, &mut |stores| stores.retain(|kept| !is_out(kept))).ok();
    }
}

impl Syncing {
    /// Switches the network on, at a port.
    pub(in crate::daemon) fn add_lan(
        &self,
        keeper: &Keeper,
        port: u16,
    ) -> Result<view::Store, Failure> {
        let site = Site::Lan(port);
        let before = self.read(keeper)?;
        let is_again = before.iter().any(|kept| kept.site.id() == site.id());
        if !is_again {
            room_for(&before, &site)?;
        }
        let opened = self.lan.ensure(keeper, &self.nudges, Listen::Everywhere(port));
        opened.map_err(|error| unopened(&error, port))?;
        let edited = self.edit(keeper, &mut |stores| {
            stores.retain(|kept| kept.site.id() != site.id());
            stores.push(Kept::new(site.clone()));
        });
        self.lan.change();
        edited?;
        Ok(self.shown(&Kept::new(site), None))
    }

    /// Adds a device by its address, if one of the vault's is there.
    pub(in crate::daemon) fn add_peer(
        &self,
        keeper: &Keeper,
        address: &str,
    ) -> Result<view::Store, Failure> {
        let address = Place::parse(address).map_err(|_| no_place())?;
        let stores = self.read(keeper)?;
        let listen = Wish::of(&stores).listen().unwrap_or(Listen::No);
        let opened = self.lan.ensure(keeper, &self.nudges, listen);
        opened.map_err(|error| unopened(&error, 0))?;
        let met = self.lan.meet(address.as_str());
        let device = met.map_err(|error| {
            self.lan.change();
            unmet(&error)
        })?;
        let site = Site::Peer(Peer { device, address: Some(address) });
        if !stores.iter().any(|kept| kept.site.id() == site.id()) {
            room_for(&stores, &site)?;
        }
        let edited = self.edit(keeper, &mut |stores| match stores
            .iter_mut()
            .find(|kept| kept.site.id() == site.id())
        {
            Some(kept) => kept.site = site.clone(),
            None => stores.push(Kept::new(site.clone())),
        });
        self.lan.change();
        edited?;
        self.nudge();
        Ok(self.shown(&Kept::new(site), None))
    }

    /// A device of the vault is on this network.
    fn found(&self, keeper: &Keeper, device: DeviceId) {
        let site = Site::Peer(Peer { device, address: None });
        let id = site.id();
        let edited = self.edit(keeper, &mut |stores| {
            let is_on = stores.iter().any(|kept| matches!(kept.site, Site::Lan(_)));
            let is_known = stores.iter().any(|kept| kept.site.id() == id);
            if is_on && !is_known && stores.len() < STORES_MAX {
                stores.push(Kept::new(site.clone()));
            }
        });
        // What could not be written is found again.
        edited.ok();
        lock(&self.rung).insert(id);
        self.nudge();
    }

    /// Changes the list of stores.
    fn edit(&self, keeper: &Keeper, change: &mut dyn FnMut(&mut Vec<Kept>)) -> Result<(), Failure> {
        let _file = lock(&self.file);
        let mut stores = book::read(keeper.home())?;
        let before = stores.clone();
        change(&mut stores);
        if stores == before { Ok(()) } else { book::write(keeper.home(), &stores) }
    }

    /// A store, as it stands; of the network also where it is and why not.
    pub(super) fn shown(&self, kept: &Kept, waiting: Option<u64>) -> view::Store {
        let store = words::store(kept, waiting);
        match kept.site {
            Site::Lan(_) => {
                view::Store { port: self.lan.port(), trouble: self.lan.trouble(), ..store }
            }
            _ => store,
        }
    }
}

/// What is forgotten with a store: with the network every device that was found there and has no address of its own.
pub(super) fn goes_with(site: &Site, other: &Site) -> bool {
    let is_found = matches!(other, Site::Peer(Peer { address: None, .. }));
    matches!(site, Site::Lan(_)) && is_found
}

fn no_place() -> Failure {
    Failure::usage("This is no device's address.", "For example: peer://192.168.1.7:7411")
}

fn unopened(error: &std::io::Error, port: u16) -> Failure {
    let what = match (error.kind(), port) {
        (std::io::ErrorKind::AddrInUse, _) => {
            format!("Another program uses the UDP port {port}.")
        }
        _ => format!("This device cannot be called: {}.", crate::exit::plain(error)),
    };
    Failure::new(Exit::Failed, what).safe("Nothing was changed.").next(
        "Choose another one: aura store add lan --port N. Without --port any free one is used.",
    )
}

fn unmet(error: &StoreError) -> Failure {
    let failure =
        |exit, what: &str| Failure::new(exit, what.to_owned()).safe("Nothing was changed.");
    match error {
        StoreError::OtherKey => failure(
            Exit::Refused,
            "Who is there is none of this vault's devices, or one that this device has not heard of yet.",
        )
        .next("If it is yours and has just joined, sync through what it joined by first: aura sync"),
        StoreError::Unauthenticated => failure(
            Exit::Refused,
            "Who is there does not know this vault, or does not take this device for one of it (yet).",
        )
        .next("If it is yours, let it sync through what this one joined by, and try again."),
        _ => failure(Exit::Unreachable, "Nobody answers there.").next(
            "There: aura store add lan --port N, with the same port, which a firewall may have to let \
             in (UDP).",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(site: Site) -> Kept {
        Kept::new(site)
    }

    /// PEE-12: off means no socket, a device alone means one that calls, and `lan` one that is called.
    #[test]
    fn pee_12_without_a_wish_there_is_no_socket() {
        let listen = |stores: &[Kept]| Wish::of(stores).listen();
        let folder = kept(Site::Folder("/media/stick".into()));
        let peer = kept(Site::Peer(Peer { device: DeviceId([1; 16]), address: None }));
        assert_eq!(listen(&[]), None);
        assert_eq!(listen(std::slice::from_ref(&folder)), None);
        assert_eq!(listen(&[folder, peer.clone()]), Some(Listen::No));
        assert_eq!(listen(&[peer, kept(Site::Lan(7))]), Some(Listen::Everywhere(7)));
    }

    #[test]
    fn what_was_found_goes_with_the_network() {
        let found = Site::Peer(Peer { device: DeviceId([1; 16]), address: None });
        let address = Place::parse("peer://a:1").ok();
        let named = Site::Peer(Peer { device: DeviceId([2; 16]), address });
        assert!(goes_with(&Site::Lan(0), &found));
        assert!(!goes_with(&Site::Lan(0), &named));
        assert!(!goes_with(&named, &found));
    }
}
