// SPDX-License-Identifier: MIT OR Apache-2.0
//! Syncing: which stores there are, visits to them, and what is told of it.
//!
//! One visit goes on at a time, unless one takes long: then the others go on beside it. It moves sealed bytes between the local store and the other one without the
//! vault's lock; only taking in what came needs that, for a moment. Ending it takes one call of a store.

mod noted;
mod latch;
mod site;
mod book;
mod halt;
mod turns;
mod gone;
mod words;
mod visit;
mod log;
mod account;
mod far;
mod nudges;
mod bells;
mod lan;
mod near;
mod instances;
mod search;
mod watch;
pub(super) mod rounds;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use aura_protocol::id::{DeviceId, VaultId};
use aura_protocol::store::{Access, BlindStore as _, StoreError};
use aura_store::folder::FolderStore;
use aura_vault::home::Home;
use aura_vault::vault::VaultError;

pub(super) use self::account::{address, log_in, parse, reach};
use self::bells::Bells;
use self::book::STORES_MAX;
pub(super) use self::book::{Kept, read as kept};
use self::gone::Gone;
pub(super) use self::halt::Halt;
use self::lan::Lan;
pub(super) use self::latch::keep as keep_secret;
use self::noted::{Kind, Noted};
use self::nudges::{Cause, Nudges};
pub(super) use self::search::run as search;
pub(super) use self::site::{Account, Opened, Road, Site, open_folder};
use self::site::{Lines, SiteId};
use self::turns::{Alone, Turns};
pub(super) use self::visit::Host;
use self::visit::{Places, Trip};
pub(super) use self::words::trouble;
use super::keeper::Keeper;
use super::reply::Reply;
use crate::exit::{Exit, Failure};
use crate::moment::now_ms;
use crate::view;
use crate::wire::{Progress, Where};

/// How long a person waits for long tasks to end before what came is taken in.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a visit that nobody waits for does: most questions are answered by then.
const SHORT_PATIENCE: Duration = Duration::from_millis(50);
/// How long ending waits for a store that does not answer.
const END_PATIENCE: Duration = Duration::from_secs(2);
const END_PAUSE: Duration = Duration::from_millis(5);

/// Syncs the vault of one folder.
#[derive(Debug, Default)]
pub(super) struct Syncing {
    turns: Turns,
    /// Held while `stores.json` is read and replaced.
    file: Mutex<()>,
    halt: Halt,
    /// Whether something has come and is not taken in; held while that is done.
    is_behind: Mutex<bool>,
    gone: Gone,
    lines: Lines,
    /// Stores that have something new, as they have told.
    bells: Bells,
    nudges: Arc<Nudges>,
    lan: Lan,
}

/// What a visit came to.
struct Visited {
    trip: Trip,
    kept: Kept,
    /// What was here when `waiting` was counted.
    ours: Places,
    waiting: u64,
    told: Vec<Noted>,
}

/// Whether a person hears of it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Audience {
    Person,
    Nobody,
}

/// No visit goes on, and none begins, until this is dropped.
pub(super) struct Pause<'a> {
    halt: &'a Halt,
    _turn: Option<Alone<'a>>,
}

impl Drop for Pause<'_> {
    fn drop(&mut self) {
        self.halt.clear();
    }
}

impl Syncing {
    /// Ends the visit that goes on, if any. A store that does not answer is not waited for.
    pub(super) fn pause(&self) -> Pause<'_> {
        self.halt.set();
        let begun = Instant::now();
        loop {
            if let Some(turn) = self.turns.try_alone() {
                return Pause { halt: &self.halt, _turn: Some(turn) };
            }
            if begun.elapsed() >= END_PATIENCE {
                return Pause { halt: &self.halt, _turn: None };
            }
            thread::sleep(END_PAUSE);
        }
    }

    /// Takes the turn of all visits, for what must not meet one.
    pub(super) fn turn(&self) -> (Alone<'_>, &Halt) {
        (self.turns.alone(), &self.halt)
    }

    /// Something may have changed: the next look is now.
    pub(super) fn nudge(&self) {
        self.nudges.nudge();
    }

    /// A store has something new: it is looked at now.
    fn ring(&self, id: &SiteId) {
        self.bells.ring(id);
        self.nudges.urge();
    }

    /// Waits for a reason to begin a round, but not for longer.
    fn wait(&self, longest: Duration, gathered: Instant) -> Cause {
        let (cause, has_arrived) = self.nudges.wait(longest, gathered);
        if has_arrived {
            self.arrived();
        }
        cause
    }

    /// The devices on this network.
    pub(super) fn lan(&self) -> &Lan {
        &self.lan
    }

    /// Every store, as it stands.
    pub(super) fn stores(&self, keeper: &Keeper) -> Result<Vec<view::Store>, Failure> {
        let stores = self.read(keeper)?;
        let local = keeper.local();
        let waiting = |kept: &Kept| visit::waiting(&local.as_ref()?.1, kept).ok();
        let waiting = |kept: &Kept| waiting(kept).filter(|_| kept.site.is_store());
        Ok(stores.iter().map(|kept| self.shown(kept, waiting(kept))).collect())
    }

    /// Adds a folder.
    pub(super) fn add(&self, keeper: &Keeper, folder: &Path) -> Result<view::Store, Failure> {
        let site = Site::Folder(check(keeper.home(), folder)?);
        let _file = lock(&self.file);
        let mut stores = book::read(keeper.home())?;
        room_for(&stores, &site)?;
        stores.push(Kept::new(site.clone()));
        book::write(keeper.home(), &stores)?;
        Ok(words::store(&Kept::new(site), None))
    }

    /// Forgets a store; what is in it stays.
    pub(super) fn remove(&self, keeper: &Keeper, store: &Where) -> Result<view::Store, Failure> {
        let ids = match store {
            Where::Folder(folder) => {
                let settled = folder.canonicalize().unwrap_or_else(|_| folder.clone());
                vec![SiteId::Folder(settled), SiteId::Folder(folder.clone())]
            }
            Where::Far(url) => vec![SiteId::Far(url.clone())],
            Where::Server(url) => vec![SiteId::Server(address(url)?)],
            Where::Lan => vec![SiteId::Lan],
            Where::Peer(address) => {
                let stores = self.read(keeper)?;
                let is_it = |kept: &&Kept| kept.site.text() == *address;
                stores.iter().find(is_it).map(|kept| kept.site.id()).into_iter().collect()
            }
        };
        let _file = lock(&self.file);
        let mut stores = book::read(keeper.home())?;
        let at = stores.iter().position(|kept| ids.contains(&kept.site.id()));
        let kept = stores.remove(at.ok_or_else(unlisted)?);
        stores.retain(|other| !near::goes_with(&kept.site, &other.site));
        book::write(keeper.home(), &stores)?;
        self.lan.change();
        if !kept.site.is_store() {
            self.lan.close();
        }
        if let Site::Far(far) = &kept.site {
            self.lines.forget(&far.url);
            latch::keep(keeper.home(), &far.url, None)?;
        }
        Ok(words::store(&kept, None))
    }

    /// Syncs with every store, now.
    pub(super) fn sync(&self, keeper: &Keeper, reply: &mut Reply) -> Result<view::Synced, Failure> {
        let mut stores = self.read(keeper)?;
        let is_alone = !stores.is_empty() && stores.iter().all(|kept| !kept.site.is_store());
        stores.retain(|kept| kept.site.is_store());
        if is_alone {
            return Err(Failure::new(
                Exit::Unreachable,
                "No other device of this vault was found on this network yet.",
            )
            .safe("What waits is kept, and goes there later.")
            .next("There: aura store add lan. It is found within seconds, where multicast is let through."));
        }
        if stores.is_empty() {
            return Err(Failure::usage(
                "There is no store to sync with.",
                "Name a folder on a USB stick, a NAS, or in Syncthing: aura store add FOLDER\n\
                 Or a server: aura store add https://HOST --account NAME\n\
                 Or a folder over a network: s3://, webdavs:// or sftp://\n\
                 Or your other devices, on this network: aura store add lan",
            ));
        }
        let mut visits = Vec::new();
        for (done, kept) in stores.iter().enumerate() {
            let (done, total) = (done as u64, stores.len() as u64);
            let task = "syncing".to_owned();
            reply.progress(&Progress { task, done, total, ..Progress::default() })?;
            visits.push(said(&self.visit(keeper, &kept.site.id(), Audience::Person)?));
        }
        self.arrived();
        self.take_in(keeper, PATIENCE)?;
        let is_behind = *lock(&self.is_behind);
        Ok(view::Synced { stores: visits, taken_in: !is_behind })
    }

    /// Brings what is here to one store, now. Says why that was not done, if it was not.
    pub(super) fn bring(&self, keeper: &Keeper, site: &Site) -> Result<Option<String>, Failure> {
        let visited = self.visit(keeper, &site.id(), Audience::Nobody)?;
        Ok(visited.trip.trouble)
    }

    /// The store at a site, by what it is.
    pub(super) fn road(
        &self,
        keeper: &Keeper,
        vault: VaultId,
        site: &Site,
    ) -> Result<Road, StoreError> {
        self.lines.road(&Home::new(keeper.home()), vault, site)
    }

    /// Visits one store, whoever asks for it.
    fn visit(&self, keeper: &Keeper, id: &SiteId, to: Audience) -> Result<Visited, Failure> {
        let turn = self.turns.visit(id, &self.halt).ok_or_else(ended)?;
        let (vault, local) = keeper.local().ok_or(VaultError::Absent)?;
        let found = self.read(keeper)?.into_iter().find(|kept| kept.site.id() == *id);
        let mut kept = found.ok_or_else(ended)?;
        let own = Home::new(keeper.home()).device();
        let host = Host { local: &local, access: Access::Vault(vault), own, halt: &self.halt };
        let before = revoked(&host)?;
        let mut trip = self.go(keeper, &host, &mut kept)?;
        let news = revoked(&host)?.into_iter().filter(|(id, _)| !before.contains_key(id));
        for (device, by) in news {
            trip.found.push(Noted::new(Kind::Revoked, Some(device), now_ms()).said_by(by));
        }
        if trip.healed > 0 {
            // Where that has to wait, it is done when the vault is opened next.
            keeper.try_again(PATIENCE)?;
        }
        if let Some(common) = trip.own_fork.take()
            && turn.has_turn
            && keeper.leave_fork(&common, PATIENCE)?
        {
            self.save(keeper, &kept)?;
            trip = self.go(keeper, &host, &mut kept)?;
            trip.found.push(Noted::new(Kind::Restored, own, now_ms()));
            self.arrived();
        }
        self.look_at_log((keeper, vault), &mut kept, &mut trip);
        if self.halt.is_set() {
            return Err(ended());
        }
        if trip.trouble.is_none() && turn.has_turn {
            let open = || self.open(keeper, vault, &kept.site).ok();
            self.gone.ask(keeper, (&host.access, &kept.site.id()), open);
        }
        // In this order: what was written before counts as waiting, what is written after it is news.
        let ours = host.ours()?;
        let waiting = host.waiting(&kept)?;
        account(keeper, &mut kept, (&trip, waiting));
        let told = match to {
            Audience::Person => noted::tell(&mut kept.noted),
            Audience::Nobody => Vec::new(),
        };
        self.save(keeper, &kept)?;
        Ok(Visited { trip, kept, ours, waiting, told })
    }

    /// Goes to one store, and takes in what comes as it comes.
    fn go(&self, keeper: &Keeper, host: &Host<'_>, kept: &mut Kept) -> Result<Trip, Failure> {
        let mut pulled = 0;
        let store = self.open(keeper, host.access.vault(), &kept.site);
        let trip = host.visit(store, kept, &mut |kept, trip| {
            self.save(keeper, kept)?;
            if trip.pulled.heads > pulled {
                pulled = trip.pulled.heads;
                self.arrived();
                // Tried again later; what came is kept.
                self.take_in(keeper, SHORT_PATIENCE).ok();
            }
            Ok(())
        });
        // What came before it failed has come.
        trip.inspect_err(|_| self.arrived())
    }

    /// Something may have come that is to be taken in.
    pub(super) fn arrived(&self) {
        *lock(&self.is_behind) = true;
    }

    /// Takes in what has come, if that is still to be done.
    fn take_in(&self, keeper: &Keeper, patience: Duration) -> Result<(), Failure> {
        let mut is_behind = lock(&self.is_behind);
        if *is_behind {
            *is_behind = !keeper.take_in(patience)?;
        }
        Ok(())
    }

    /// The store at a site, in this device's name.
    pub(super) fn open(&self, keeper: &Keeper, vault: VaultId, site: &Site) -> Opened {
        match site {
            Site::Peer(peer) => self.lan.store(keeper, self, peer),
            site => self.lines.open(&Home::new(keeper.home()), vault, site),
        }
    }

    fn read(&self, keeper: &Keeper) -> Result<Vec<Kept>, Failure> {
        let _file = lock(&self.file);
        book::read(keeper.home())
    }

    /// Keeps what is known of a store, unless somebody has let go of it meanwhile.
    fn save(&self, keeper: &Keeper, kept: &Kept) -> Result<(), Failure> {
        let _file = lock(&self.file);
        let mut stores = book::read(keeper.home())?;
        match stores.iter_mut().find(|known| known.site.id() == kept.site.id()) {
            Some(known) if known != kept => {
                // How a server is known may have changed during a visit.
                let site = known.site.clone();
                *known = Kept { site, ..kept.clone() };
                book::write(keeper.home(), &stores)
            }
            _ => Ok(()),
        }
    }
}

/// Devices that are revoked, and by whom, as the local store knows it; open or not.
fn revoked(host: &Host<'_>) -> Result<BTreeMap<DeviceId, Option<DeviceId>>, Failure> {
    let ends = pollster::block_on(host.local.ends(&host.access))?;
    Ok(ends.revoked)
}

/// Takes note of how a visit went, and puts findings on the record.
fn account(keeper: &Keeper, kept: &mut Kept, (trip, waiting): (&Trip, u64)) {
    let now_ms = now_ms();
    kept.trouble.clone_from(&trip.trouble);
    let other_key = trip.found.iter().find(|one| one.kind == Kind::OtherKey);
    if let Some(other_key) = other_key {
        noted::alone(&mut kept.noted, other_key.clone(), now_ms);
    }
    if trip.trouble.is_none() {
        noted::follow(&mut kept.noted, trip.found.clone(), now_ms);
        if waiting == 0 {
            kept.synced_ms = Some(now_ms);
        }
    }
    let mut recorded = kept.noted.clone();
    let count = noted::record(&mut recorded);
    if count > 0 && keeper.record_anomaly(count) {
        kept.noted = recorded;
    }
}

/// Whether one more store can be kept.
fn room_for(stores: &[Kept], site: &Site) -> Result<(), Failure> {
    if stores.iter().any(|kept| kept.site.id() == site.id()) {
        let next = "See how it stands with `aura store ls`; sync now with `aura sync`.";
        return Err(Failure::usage("This is a store of this vault already.", next));
    }
    if stores.len() >= STORES_MAX { Err(full()) } else { Ok(()) }
}

fn full() -> Failure {
    let what = format!("There are {STORES_MAX} stores already, and no more are kept.");
    Failure::usage(what, "Let go of one: aura store rm WHERE")
}

fn unlisted() -> Failure {
    let next = "See which there are: aura store ls";
    Failure::usage("This is no store of this vault.", next)
}

/// The first store of a device that joins.
pub(super) fn begin_with(home: &Path, kept: &Kept) -> Result<(), Failure> {
    begin_with_all(home, std::slice::from_ref(kept))
}

/// The stores of a device that was let in, the one that it came by first.
pub(super) fn begin_with_all(home: &Path, stores: &[Kept]) -> Result<(), Failure> {
    book::write(home, stores.get(..STORES_MAX).unwrap_or(stores))
}

/// A folder that can be a store of the vault in `home`, by its one path.
pub(super) fn check(home: &Path, folder: &Path) -> Result<PathBuf, Failure> {
    let unreached = |error| Failure::file("The folder could not be reached", &error);
    let folder = folder.canonicalize().map_err(unreached)?;
    if FolderStore::open(&folder, Box::new(now_ms)).is_err() {
        return Err(Failure::usage("This is no folder.", "Name one that exists."));
    }
    let home = home.canonicalize().unwrap_or_else(|_| home.to_owned());
    if folder.starts_with(&home) {
        return Err(Failure::usage(
            "This folder is inside the vault's own, and would be lost with it.",
            "Choose one on another disk, or one that a tool carries to your other devices.",
        ));
    }
    if home.starts_with(&folder) {
        return Err(Failure::usage(
            "The vault's own folder is inside this one: whatever carries it away would carry the \
             secret key as well.",
            "Choose a folder of its own for syncing.",
        ));
    }
    let probe = folder.join(format!(".aura-{}", std::process::id()));
    let written = std::fs::File::create_new(&probe).and_then(|_| std::fs::remove_file(&probe));
    written.map_err(|error| Failure::file("The folder cannot be written", &error))?;
    Ok(folder)
}

fn said(visited: &Visited) -> view::Visit {
    let moved = |moved: aura_store::replicate::Moved, chunks| view::Moved {
        heads: moved.heads,
        entries: moved.entries,
        bytes: moved.bytes,
        chunks,
    };
    let trip = &visited.trip;
    let mut store = words::store(&visited.kept, Some(visited.waiting));
    store.findings = visited.told.iter().map(words::finding).collect();
    view::Visit {
        reached: trip.is_reached,
        came: moved(trip.pulled, trip.chunks_pulled),
        went: moved(trip.pushed, trip.chunks_pushed),
        healed: trip.healed,
        store,
    }
}

fn ended() -> Failure {
    Failure::new(Exit::Partly, "Syncing was ended, since the vault is locked or the store let go.")
        .safe("What was moved until then is kept.")
        .next("Run it again; it goes on where it ended.")
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
