// SPDX-License-Identifier: MIT OR Apache-2.0
//! Opening a vault: secret → slot → root key → keyring → views; and shutting it.
//!
//! A view that is damaged, missing or of another version is thrown away and built again from the log;
//! nothing that the person wrote is in a view alone. Source: rules DIR-6, DIR-7, DIR-9.

use std::fs;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, Mutex, RwLock};

use aura_crypto::entropy::Entropy;
use aura_crypto::sign::LabelledSigner as _;
use aura_protocol::authority::Roster;
use aura_protocol::codec::{Decode, Encode};
use aura_protocol::head::Head;
use aura_protocol::id::{Incarnation, VaultId};
use aura_protocol::log::Frontier;
use aura_protocol::store::LocalLog;

use super::attempts::Attempts;
use super::enrol::Cause;
use super::{Credential, DEVICE_KEY, Locked, Vault, VaultError, enrol, generation};
use crate::audit::{Action, Event, Outcome, Reads};
use crate::db::Db;
use crate::device;
use crate::feed::{Bar, Pen};
use crate::home::{self, Home};
use crate::keyring::{Keyring, Purpose, ViewKeys};
use crate::op::Change;
use crate::open::{
    Bases, Environment, Open, OpenError, Reaches, decode_positions, lock, settle_side,
};
use crate::search::Keys;
use crate::seen::{Missing, Seen, Watermark, When};
use crate::views::Views;

const FRONTIER: &str = "audit-frontier";

/// What an open vault is assembled from.
pub(super) struct Parts<'a> {
    pub(super) vault: VaultId,
    pub(super) roster: &'a Roster,
    pub(super) keyring: Keyring,
    pub(super) pen: Pen,
    pub(super) views: ViewKeys,
    pub(super) watermark: Watermark,
}

/// Whether the log has everything that this device wrote in its present life.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Past {
    Whole,
    /// It is an older copy: what came after is not known here.
    Lost,
}

/// Opens a shut vault.
pub(super) fn open(
    vault: &Vault<Locked>,
    credential: &Credential,
    environment: Environment,
) -> Result<Open, VaultError> {
    let home = &vault.home;
    let attempts = Attempts::read(&home.attempts());
    let now_ms = environment.clock.now_ms();
    match attempts.wait_ms(now_ms) {
        0 => {}
        wait => return Err(VaultError::TooSoon(wait)),
    }
    let opened = generation::open_roots(vault, credential);
    if let Err(VaultError::Secret) = opened {
        let failed = attempts.failed(now_ms).write(&home.attempts());
        failed.map_err(|error| VaultError::Io("attempts", error))?;
    }
    finish(vault, opened?, (Some(credential), attempts), environment)
}

/// Opens a vault whose keys have come by a code: no secret is asked for.
pub(super) fn open_with(
    vault: &Vault<Locked>,
    keyring: Keyring,
    environment: Environment,
) -> Result<Open, VaultError> {
    finish(vault, keyring, (None, Attempts::default()), environment)
}

fn finish(
    vault: &Vault<Locked>,
    mut keyring: Keyring,
    (credential, attempts): (Option<&Credential>, Attempts),
    environment: Environment,
) -> Result<Open, VaultError> {
    let (home, now_ms) = (&vault.home, environment.clock.now_ms());
    let views = load_keyring(home, vault, &mut keyring, &environment)?;
    let (seen, missing) = look_back(vault);
    let mut entropy = (environment.entropy)();
    let is_revoked = generation::is_revoked(&vault.roster, home.device());
    if !is_revoked {
        generation::renew_secret_key(home, &vault.roster, &keyring)?;
    }
    let device = generation::read_device(home, vault.vault, &keyring);
    let (mut pen, past) = match (device, credential) {
        (Err(VaultError::Missing(_)), _) if vault.state.is_outdated => {
            return Err(VaultError::Newer);
        }
        (Err(VaultError::Missing(_)), Some(credential)) => {
            let device = (credential, Cause::Lost);
            let pen = enrol::enrol(vault, device, &keyring, (entropy.as_mut(), now_ms))?;
            (pen, Past::Whole)
        }
        (device, _) => {
            let device = device?;
            if !is_revoked && keyring.generations().nth(1).is_some() {
                // It may be sealed under an older root key still.
                let own = (vault.vault, &device);
                generation::write_device(home, own, &keyring, entropy.as_mut())?;
            }
            let device = renew(device, (vault, &keyring, &missing), entropy.as_mut())?;
            let past = if device.is_renewed { Past::Lost } else { Past::Whole };
            (take_pen(vault, device.device, &seen)?, past)
        }
    };
    pen.set_bar(bar(vault.state.is_outdated, is_revoked));
    let watermark = Watermark::new(home, seen, missing);
    let (vault_id, roster) = (vault.vault, &vault.roster);
    let parts = Parts { vault: vault_id, roster, keyring, pen, views, watermark };
    let open = assemble(home, Arc::clone(&vault.log), parts, environment)?;
    let mut events = Vec::new();
    if past == Past::Lost {
        open.rebuild()?;
        events.push(event(now_ms, Action::Anomaly, Outcome::Failed, 1));
    }
    if attempts.count > 0 {
        events.push(attempts.event());
    }
    events.push(event(now_ms, Action::Unlock, Outcome::Done, 1));
    match open.record(events) {
        // The log has them; a view that turns out damaged is built again from it.
        Err(error) if error.is_damage() => open.rebuild()?,
        recorded => recorded?,
    }
    // Snapshots may have come while it was shut.
    open.say_again()?;
    if attempts != Attempts::default() {
        // The wrong tries are on the record now.
        let cleared = Attempts::default().write(&home.attempts());
        cleared.map_err(|error| VaultError::Io("attempts", error))?;
    }
    Ok(open)
}

pub(super) fn event(time_ms: i64, action: Action, outcome: Outcome, count: u32) -> Event {
    Event {
        time_ms,
        principal: "owner".to_owned(),
        action,
        outcome,
        categories: Vec::new(),
        count: u64::from(count),
        grant: String::new(),
    }
}

/// What keeps this device from writing.
pub(super) fn bar(is_outdated: bool, is_revoked: bool) -> Bar {
    match (is_revoked, is_outdated) {
        (true, _) => Bar::Revoked,
        (false, true) => Bar::Newer,
        (false, false) => Bar::None,
    }
}

/// The keyring from its cache, brought up to date from the root collection; without a cache, from there
/// alone, and the views get new keys.
fn load_keyring(
    home: &Home,
    vault: &Vault<Locked>,
    keyring: &mut Keyring,
    environment: &Environment,
) -> Result<ViewKeys, VaultError> {
    let cached = home::read(&home.keyring()).ok().and_then(|bytes| keyring.load_file(&bytes).ok());
    let mut is_changed = cached.is_none();
    let mut entropy = (environment.entropy)();
    let views = match cached {
        Some(views) => views,
        None => ViewKeys::generate(entropy.as_mut()),
    };
    let reaches = Reaches::new(&vault.roster, &vault.log.heads()?, None);
    let log = (vault.vault, vault.log.as_ref());
    is_changed |= generation::follow_roots(log, keyring, (&vault.roster, &reaches))?;
    if is_changed {
        let file = keyring.to_file(&views, entropy.as_mut());
        home::replace(&home.keyring(), &file).map_err(|error| VaultError::Io("keyring", error))?;
    }
    Ok(views)
}

/// What was seen here before, and what the log lacks of it. What cannot be read tells nothing.
fn look_back(vault: &Vault<Locked>) -> (Seen, Vec<Missing>) {
    let seen = Seen::read(&vault.home).unwrap_or_default();
    let missing = seen.compare(vault.log.as_ref(), &vault.roster).unwrap_or_default();
    (seen, missing)
}

/// The device as it goes on.
struct Renewed {
    device: device::Device,
    is_renewed: bool,
}

/// A device whose log came back as an older copy begins a new life: to go on in the old one would say
/// two things under one number, which others could not tell from a clone.
fn renew(
    device: device::Device,
    (vault, keyring, missing): (&Vault<Locked>, &Keyring, &[Missing]),
    entropy: &mut dyn Entropy,
) -> Result<Renewed, VaultError> {
    let own = (device.id(), device.incarnation);
    if !missing.iter().any(|missing| (missing.device, missing.incarnation) == own) {
        return Ok(Renewed { device, is_renewed: false });
    }
    let mut incarnation = [0; 8];
    entropy.fill(&mut incarnation);
    let device = device::Device { incarnation: Incarnation(incarnation), ..device };
    generation::write_device(&vault.home, (vault.vault, &device), keyring, entropy)?;
    Ok(Renewed { device, is_renewed: true })
}

fn take_pen(vault: &Vault<Locked>, device: device::Device, seen: &Seen) -> Result<Pen, VaultError> {
    let head = newest_head(vault, device.id(), device.incarnation)?;
    let clock = seen.clock(device.id(), &device.sign.verifying_key());
    let mut pen = Pen::new(vault.vault, device, head, Frontier::new());
    pen.continue_after(clock);
    Ok(pen)
}

fn newest_head(
    vault: &Vault<Locked>,
    device: aura_protocol::id::DeviceId,
    incarnation: Incarnation,
) -> Result<Option<Head>, VaultError> {
    let key = vault.roster.device(device).map(|device| device.keys.sign);
    let key = key.ok_or(VaultError::Damaged(DEVICE_KEY))?;
    for head in vault.log.heads()? {
        let Ok(claim) = head.claim() else { continue };
        if claim.device == device && claim.incarnation == incarnation {
            let verified = head.verify(&key).map_err(|_| VaultError::Damaged("store"))?;
            return Ok(Some(verified.into_value()));
        }
    }
    // One that rotted is not one that never was: who begins at 1 again forks.
    if vault.log.rotten_heads()?.contains(&(device, incarnation)) {
        return Err(VaultError::Damaged("store"));
    }
    Ok(None)
}

/// Puts an open vault together and brings its views up to date.
pub(super) fn assemble(
    home: &Home,
    log: Arc<dyn LocalLog>,
    parts: Parts<'_>,
    environment: Environment,
) -> Result<Open, VaultError> {
    fs::create_dir_all(home.views()).map_err(|error| VaultError::Io("views", error))?;
    Db::sweep(&home.database())?;
    let keys = || Keys {
        vault: parts.vault,
        search: parts.views.search_key(),
        hedge: parts.keyring.roots().search_hedge(),
        entropy: (environment.entropy)(),
    };
    let places = (&*home.database(), &*home.index());
    let first = Views::open(places, &parts.views, &keys, decode_positions);
    let first = first.map_err(OpenError::from)?;
    let Parts { vault, roster, keyring, pen, watermark, .. } = parts;
    let own = pen.life().0;
    let heads = log.heads()?;
    let reaches = Reaches::new(roster, &heads, Some(own));
    let open = Open {
        vault,
        log,
        keyring: RwLock::new(keyring),
        pen: Mutex::new(pen),
        first,
        second: Mutex::new(None),
        second_turn: Mutex::new(()),
        second_uses: AtomicU64::new(0),
        clock: environment.clock,
        entropy: Mutex::new((environment.entropy)()),
        entropy_source: environment.entropy,
        reaches: RwLock::new(reaches),
        taken: Mutex::default(),
        bases: RwLock::new(Bases::new(roster)),
        unsaid: Mutex::default(),
        own,
        refused: Mutex::default(),
        quarantine: Mutex::new(Vec::new()),
        reads: Mutex::new(Reads::default()),
        pace: Mutex::default(),
        watermark: Mutex::new(watermark),
        is_behind: AtomicBool::new(false),
        is_importing: AtomicBool::new(false),
        is_compacting: AtomicBool::new(false),
        is_hasty: AtomicBool::new(false),
    };
    let caught_up = open.catch_up().and_then(|()| Ok(open.first.db.tally().map(drop)?));
    let went_back = matches!(caught_up, Err(OpenError::WentBack));
    match caught_up {
        Err(error) if error.is_damage() => open.rebuild()?,
        caught_up => caught_up?,
    }
    open.note_taken(&heads);
    restore_frontier(&open)?;
    if went_back {
        // F-03: what is shown is what the log has; that it had more is said on the record.
        let now_ms = open.clock.now_ms();
        open.record(vec![event(now_ms, Action::Anomaly, Outcome::Failed, 1)])?;
    }
    Ok(open)
}

/// What the index of an open vault's second lock is opened with.
pub(super) fn index_keys(vault: VaultId, keys: &ViewKeys, open: &Open) -> Keys {
    Keys {
        vault,
        search: keys.search_key(),
        hedge: open.with_keyring(|keyring| keyring.roots().search_hedge()),
        entropy: open.fresh_entropy(),
    }
}

/// Where this device's audit log stands: what was remembered, and the events since.
fn restore_frontier(open: &Open) -> Result<(), VaultError> {
    let mut pen = lock(&open.pen);
    let Some(collection) = open.with_keyring(|keyring| keyring.collection(Purpose::Audit)) else {
        return Ok(());
    };
    let feed = pen.feed(collection);
    let remembered = open.first.db.recall(FRONTIER)?.and_then(|bytes| {
        let (number, rest) = bytes.split_first_chunk::<8>()?;
        let frontier = Frontier::from_bytes(rest, 4096).ok()?;
        Some((u64::from_be_bytes(*number), frontier))
    });
    let (after, mut frontier) = remembered.unwrap_or_default();
    let upto = pen.next_number(collection).saturating_sub(1);
    let (after, mut frontier) =
        if after > upto { (0, Frontier::new()) } else { (after, core::mem::take(&mut frontier)) };
    open.each_entry(feed, after, upto, &mut |entries| {
        for op in entries.iter().flat_map(|entry| &entry.ops) {
            if let Change::Event(encoded) = &op.change {
                frontier.push(Event::leaf(encoded));
            }
        }
        Ok(())
    })?;
    let is_whole = pen.checkpoint_matches(&frontier);
    pen.set_frontier(frontier);
    drop(pen);
    if !is_whole {
        // Events were lost on this device: on the record, and told until somebody has seen to it.
        let now_ms = open.clock.now_ms();
        open.record(vec![event(now_ms, Action::Anomaly, Outcome::Failed, 1)])?;
        open.lose_audit()?;
    }
    Ok(())
}

/// Forgets where this device's audit log stood in a life that is over.
pub(super) fn forget_frontier(open: &Open) -> Result<(), OpenError> {
    let mut value = 0u64.to_be_bytes().to_vec();
    value.extend(Frontier::new().to_bytes());
    Ok(open.first.db.remember(FRONTIER, &value)?)
}

/// Makes last what the views have in memory.
pub(super) fn close(open: &Open) -> Result<(), VaultError> {
    let now_ms = open.clock.now_ms();
    let recorded = open.record(vec![event(now_ms, Action::Lock, Outcome::Done, 1)]);
    let settled = settle(open);
    recorded?;
    Ok(settled?)
}

/// Commits the indexes, remembers the audit log's frontier and empties the write-ahead logs.
pub(crate) fn settle(open: &Open) -> Result<(), OpenError> {
    {
        let pen = lock(&open.pen);
        if let Some(collection) = open.with_keyring(|keyring| keyring.collection(Purpose::Audit)) {
            let number = pen.next_number(collection).saturating_sub(1);
            let mut value = number.to_be_bytes().to_vec();
            value.extend(pen.frontier().to_bytes());
            open.first.db.remember(FRONTIER, &value)?;
        }
    }
    settle_side(&open.first)?;
    if let Some(second) = open.second() {
        settle_side(&second)?;
    }
    // One that could not be written is late, and no harm done.
    drop(lock(&open.watermark).mark(open.log.as_ref(), (open.clock.now_ms(), When::Now)));
    Ok(())
}
