// SPDX-License-Identifier: MIT OR Apache-2.0
//! Taking in what other devices wrote, once the local store has it.
//!
//! The store has checked chains and signatures. What counts, and how far, the roster says; keys come before
//! what they open; what does not open is set aside by name. Doing it twice changes nothing, and an
//! interrupted run goes on where it ended. Source: spec/replicate.md, rules REP-14 to REP-17.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use aura_protocol::authority::{AuthorityError, Claim, Device, Roster, Statement};
use aura_protocol::codec::Extra;
use aura_protocol::head::{Head, Position, Seen};
use aura_protocol::id::{CollectionId, DeviceId, FeedId, Hash, Incarnation};
use aura_protocol::store::StoreError;

use super::{Unlocked, Vault, VaultError, generation, read_roster, sign_statement, unlock};
use crate::audit::{Action, Outcome};
use crate::feed::{Bar, Commit, Pen};
use crate::open::{LetGo, Open, OpenError, Reaches, Side, Told, Unsound, Waiting, lock};
use crate::seen::When;

impl Vault<Unlocked> {
    /// Applies what the log has from other devices and the views have not (REP-14). After this the vault's own
    /// next head says what it has seen.
    ///
    /// # Errors
    /// When the log cannot be read or a view not be written; what was applied until then stays. Where a device with
    /// a newer version said something that this one does not understand, it is no error, but from then on audit
    /// events are all that is written (AUT-4).
    pub fn take_in(&mut self) -> Result<(), VaultError> {
        let (roster, refused) = read_roster(self.log.as_ref(), self.vault)?;
        self.roster = roster;
        let open = self.open();
        // Nobody writes while keys and views are brought to where the log is.
        let mut pen = lock(&open.pen);
        if pen.is_stale() {
            return Err(OpenError::Stale.into());
        }
        let own = Some(pen.life().0);
        let is_revoked = generation::is_revoked(&self.roster, own);
        pen.set_bar(unlock::bar(refused.contains(&AuthorityError::Newer), is_revoked));
        let told = open.told_bases()?;
        let heads = self.log.heads()?;
        let reaches = Reaches::new(&self.roster, &heads, own);
        self.take_keys(&reaches, &pen)?;
        open.heed(&self.roster, &heads, own);
        match open.catch_up() {
            // As when it is opened: what another device put behind the second lock leaves the first views.
            Err(error) if error.is_damage() => open.rebuild_held()?,
            caught_up => caught_up?,
        }
        open.is_behind.store(false, Ordering::Release);
        open.note_taken(&heads);
        let now_told = open.told_bases()?;
        let now_ms = open.clock.now_ms();
        let own = pen.life();
        let mut seen = Vec::new();
        let before: BTreeMap<_, _> =
            pen.seen().iter().map(|seen| ((seen.device, seen.incarnation), seen.applied)).collect();
        for signed in &heads {
            let Ok(head) = signed.claim() else { continue };
            let life = (head.device, head.incarnation);
            if life == own {
                continue;
            }
            let held = Position { number: head.number, hash: signed.hash() };
            let applied = if is_applied(open, &head)? {
                pen.observe(head.clock, now_ms);
                held
            } else {
                before.get(&life).copied().unwrap_or(Position::NONE)
            };
            seen.push(seen_of(life, held, applied));
        }
        seen.sort_by_key(|seen| (seen.device, seen.incarnation));
        pen.see(seen);
        drop(pen);
        drop(lock(&open.watermark).mark(self.log.as_ref(), (now_ms, When::Now)));
        acknowledge((open, &self.roster), (&told, &now_told), now_ms)
    }

    /// Adopts other devices' snapshots that were found to be sound before their days are over (SNP-10): for a person who
    /// has seen what goes with them.
    ///
    /// # Errors
    /// As for [`Self::take_in`].
    pub fn adopt_waiting(&mut self) -> Result<(), VaultError> {
        self.open().is_hasty.store(true, Ordering::Release);
        let taken_in = self.take_in();
        self.open().is_hasty.store(false, Ordering::Release);
        taken_in
    }

    /// Lets go of what snapshots cover that every device has adopted, in this device's own store.
    ///
    /// # Errors
    /// When the store cannot be read or written.
    pub fn let_go(&self) -> Result<LetGo, VaultError> {
        let open = self.open();
        let _writing = lock(&open.pen);
        Ok(open.let_go()?)
    }

    /// Snapshots that were refused, and whose they are.
    ///
    /// # Errors
    /// When the views cannot be read.
    pub fn refused_snapshots(&self) -> Result<Vec<(DeviceId, Unsound)>, VaultError> {
        Ok(self.open().told_bases()?.refused.into_values().collect())
    }

    /// Snapshots of other devices that were neither adopted nor refused yet, since when, and what for (SNP-8, SNP-10).
    ///
    /// # Errors
    /// When the views cannot be read.
    pub fn waiting_snapshots(&self) -> Result<Vec<Waiting>, VaultError> {
        Ok(self.open().waiting()?)
    }

    /// Whether something is not shown since it was let go of everywhere under a snapshot that this device cannot believe
    /// yet: not every other device has said that it adopted it (SNP-9).
    ///
    /// # Errors
    /// When log or views cannot be read.
    pub fn lacks_snapshot(&self) -> Result<bool, VaultError> {
        Ok(!self.open().lacking()?.is_empty())
    }

    /// The snapshots that this device has adopted: what a store is asked to let go of under them.
    ///
    /// # Errors
    /// When the views cannot be read.
    pub fn adopted_snapshots(&self) -> Result<Vec<Hash>, VaultError> {
        Ok(self.open().told_bases()?.adopted.into_iter().collect())
    }

    /// Reads again what was set aside, where the store has been healed meanwhile (REP-21): views are built anew, if
    /// anything was.
    ///
    /// # Errors
    /// When the log cannot be read or a view not be written.
    pub fn try_again(&mut self) -> Result<(), VaultError> {
        let open = Arc::clone(self.open());
        let pen = lock(&open.pen);
        if lock(&open.quarantine).is_empty() {
            return Ok(());
        }
        open.rebuild_held()?;
        drop(pen);
        self.take_in()
    }

    /// Keys and names of the root collection (REP-15). The cache of them follows when the vault is opened next.
    fn take_keys(&self, reaches: &Reaches, pen: &Pen) -> Result<(), VaultError> {
        let open = self.open();
        let mut keyring = open.keyring.write().unwrap_or_else(PoisonError::into_inner);
        // A root key that another device made comes before what hangs from it.
        let is_renewed = generation::take_wrapped(&self.roster, &mut keyring, pen.device());
        let log = (self.vault, self.log.as_ref());
        generation::follow_roots(log, &mut keyring, (&self.roster, reaches))?;
        if is_renewed {
            let (own, mut entropy) = ((self.vault, pen.device()), open.fresh_entropy());
            generation::renew_secret_key(&self.home, &self.roster, &keyring)?;
            generation::write_device(&self.home, own, &keyring, entropy.as_mut())?;
        }
        Ok(())
    }
}

fn seen_of(life: (DeviceId, Incarnation), held: Position, applied: Position) -> Seen {
    let (device, incarnation) = life;
    Seen { device, incarnation, held, applied }
}

/// Whether everything that a head names is in the views, but for what waits for the second lock (REP-16).
fn is_applied(open: &Open, head: &Head) -> Result<bool, VaultError> {
    for (collection, position) in &head.feeds {
        let feed: FeedId = head.feed(*collection);
        if *collection == CollectionId::AUTHORITY {
            continue;
        }
        let second = match open.side(*collection) {
            Side::First => None,
            Side::Second => match open.second() {
                Some(second) => Some(second),
                // It is listed as waiting.
                None => continue,
            },
        };
        let views = second.as_deref().unwrap_or(&open.first);
        if views.applied(feed)? < position.number {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Says on the record that snapshots were adopted or refused; and, for everybody, whose adopted ones it has not said
/// yet (AUT-27).
fn acknowledge(
    (open, roster): (&Open, &Roster),
    (before, now): (&Told, &Told),
    now_ms: i64,
) -> Result<(), VaultError> {
    let adopted = now.adopted.difference(&before.adopted).count();
    let refused = now.refused.keys().filter(|id| !before.refused.contains_key(*id)).count();
    let mut events = Vec::new();
    for (action, outcome, count) in
        [(Action::Compact, Outcome::Done, adopted), (Action::Compact, Outcome::Refused, refused)]
    {
        if count > 0 {
            let count = u32::try_from(count).unwrap_or(u32::MAX);
            events.push(unlock::event(now_ms, action, outcome, count));
        }
    }
    if lock(&open.pen).bar() != Bar::None {
        // Audit events are all that it may write (AUT-4).
        return if events.is_empty() { Ok(()) } else { Ok(open.record(events)?) };
    }
    let claims = unsaid(open, roster, now)?;
    let is_all_said = claims.is_empty();
    if !events.is_empty() || !claims.is_empty() {
        open.write(|pen| {
            let clock = pen.tick(now_ms);
            let vault = Some(open.vault);
            let said = |claim| Statement { vault, claim, clock, extra: Extra::default() };
            let signed = |claim| sign_statement(&said(claim), &[&pen.device().sign]);
            let statements = claims.into_iter().map(signed).collect();
            Ok((Commit { statements, events, ..Commit::default() }, ()))
        })?;
    }
    if !is_all_said {
        // Views that are built anew before anything comes go by it.
        open.heed_bases(&read_roster(open.log.as_ref(), open.vault)?.0);
    }
    open.say_again()?;
    Ok(())
}

/// What this device has to say yet of snapshots that it adopted, if its word counts.
fn unsaid(open: &Open, roster: &Roster, told: &Told) -> Result<Vec<Claim>, VaultError> {
    let own = lock(&open.pen).life().0;
    let mut claims = Vec::new();
    if !roster.device(own).is_some_and(Device::is_active) {
        return Ok(claims);
    }
    for base in &told.owed {
        let last = match open.log.entry(base.feed, base.range.1) {
            Ok(entry) => entry.hash(),
            Err(
                StoreError::Forgotten { .. } | StoreError::DamagedEntry { .. } | StoreError::Absent,
            ) => continue,
            Err(error) => return Err(error.into()),
        };
        if !roster.has_adopted(own, base, last) {
            claims.push(Claim::Adopt { base: base.id, last });
        }
    }
    Ok(claims)
}
