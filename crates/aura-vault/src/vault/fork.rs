// SPDX-License-Identifier: MIT OR Apache-2.0
//! A life of this device that was lived twice: its folder was put back from an older copy, or copied, and what it
//! had written since is elsewhere already.
//!
//! Two entries stand in one place then, and other devices keep the first. So this device says what only it has
//! again, in a new life, and lets go of it in the old one, where what the others have comes instead. Nothing
//! of either is lost. It can be cut short anywhere: what was said twice changes nothing.
//! Source: spec/replicate.md, rule REP-22.

use std::collections::BTreeMap;

use aura_protocol::authority::decode_body;
use aura_protocol::entry::Entry;
use aura_protocol::id::{CollectionId, DeviceId, FeedId, Incarnation};

use super::{DEVICE_KEY, Unlocked, Vault, VaultError, each_sound, read_roster, unlock};
use crate::audit::{Action, Event, Outcome};
use crate::feed::{self, Bar, Batch, Commit, FeedError, Pen};
use crate::home;
use crate::keyring::Purpose;
use crate::op::{Change, Dot, Op};
use crate::open::{Open, OpenError, lock};
use crate::seen::When;

type Life = (DeviceId, Incarnation);

impl Vault<Unlocked> {
    /// This device, and which of its lives this is.
    pub fn life(&self) -> (DeviceId, Incarnation) {
        lock(&self.open().pen).life()
    }

    /// Leaves a life of this device that forked. `common` says up to where each of its feeds is the same elsewhere;
    /// the rest is said again: in a new life if it is the present one, else in that. What others have comes with
    /// the next replication.
    ///
    /// # Errors
    /// [`OpenError::SecondLock`] when some of it is behind the second lock, which is shut, and [`FeedError::Newer`]
    /// when this version may not write: nothing was changed. When
    /// something cannot be written, all of it is there still, and this can be called again.
    pub fn leave_fork(&mut self, common: &[(FeedId, u64)]) -> Result<(), VaultError> {
        let Some(life) = common.first().map(|(feed, _)| (feed.device, feed.incarnation)) else {
            return Ok(());
        };
        let open = std::sync::Arc::clone(self.open());
        let mut pen = lock(&open.pen);
        let own = pen.life();
        if life.0 != own.0 || pen.is_stale() {
            return Err(OpenError::Stale.into());
        }
        // Nothing could be said again, and so nothing may be let go of.
        match pen.bar() {
            Bar::None => {}
            Bar::Newer => return Err(OpenError::from(FeedError::Newer).into()),
            Bar::Revoked => return Err(OpenError::from(FeedError::Revoked).into()),
        }
        let said = self.gather(common)?;
        let mut entropy = open.fresh_entropy();
        if life == own {
            let mut incarnation = [0; 8];
            entropy.fill(&mut incarnation);
            pen.begin_life(Incarnation(incarnation));
        }
        if life == own || !said.is_empty() {
            let commit = said.again(&open, (life, &pen));
            let log = self.log.as_ref();
            let written =
                open.with_keyring(|keyring| pen.commit(&commit, keyring, log, entropy.as_mut()));
            written.map_err(OpenError::from)?;
        }
        if life == own {
            // Said, and durable: from here on it is written down which life goes on.
            let file = open.with_keyring(|keyring| {
                let hedge = &mut keyring.hedge(entropy.as_mut());
                pen.device().to_file(self.vault, keyring.roots(), hedge)
            });
            home::replace(&self.home.device_key(), &file)
                .map_err(|error| VaultError::Io(DEVICE_KEY, error))?;
        }
        self.log.give_way(common)?;
        lock(&open.watermark).forget(life.0, life.1);
        self.roster = read_roster(self.log.as_ref(), self.vault)?.0;
        open.heed(&self.roster, &self.log.heads()?, Some(own.0));
        open.rebuild_held()?;
        unlock::forget_frontier(&open)?;
        // A head that still named what was let go of would accuse whoever has what others have in its place.
        let others = pen.seen().iter().filter(|seen| (seen.device, seen.incarnation) != life);
        let others = others.cloned().collect();
        pen.see(others);
        drop(pen);
        let now_ms = open.clock.now_ms();
        open.record(vec![unlock::event(now_ms, Action::Anomaly, Outcome::Done, 1)])?;
        drop(lock(&open.watermark).mark(self.log.as_ref(), (now_ms, When::Now)));
        Ok(())
    }

    /// What stands after these numbers.
    fn gather(&self, common: &[(FeedId, u64)]) -> Result<Gathered, VaultError> {
        let open = self.open();
        let mut gathered = Gathered::default();
        for (feed, number) in common {
            let shut = open.with_keyring(|keyring| keyring.is_shut(feed.collection));
            let mut is_shut = false;
            each_sound(self.log.as_ref(), *feed, (*number, u64::MAX), &mut |entry| {
                is_shut |= shut;
                if feed.collection == CollectionId::AUTHORITY {
                    gathered.statements.extend(decode_body(entry.body()).unwrap_or_default());
                } else {
                    gathered.entries.push(entry.clone());
                }
            })?;
            if is_shut {
                return Err(OpenError::SecondLock.into());
            }
        }
        Ok(gathered)
    }
}

/// What this device alone has of its life.
#[derive(Default)]
struct Gathered {
    statements: Vec<aura_protocol::authority::SignedStatement>,
    /// By feed, ascending by number.
    entries: Vec<Entry>,
}

impl Gathered {
    fn is_empty(&self) -> bool {
        self.statements.is_empty() && self.entries.is_empty()
    }

    /// The same, for the life that this pen writes: each entry becomes one, and what names one of them names its
    /// new place.
    fn again(self, open: &Open, (life, pen): (Life, &Pen)) -> Commit {
        let (_, incarnation) = pen.life();
        let mut places: BTreeMap<(CollectionId, u64), u64> = BTreeMap::new();
        let mut next_numbers: BTreeMap<CollectionId, u64> = BTreeMap::new();
        for entry in &self.entries {
            let (collection, number) = (entry.header().feed.collection, entry.header().number);
            let place =
                next_numbers.entry(collection).or_insert_with(|| pen.next_number(collection));
            places.insert((collection, number), *place);
            *place = place.saturating_add(1);
        }
        let mut commit = Commit { statements: self.statements, ..Commit::default() };
        for entry in &self.entries {
            let collection = entry.header().feed.collection;
            let read = open.with_keyring(|keyring| feed::open(entry, keyring, open.vault));
            // One that does not open here opens nowhere: it is let go of, but keeps its place.
            let mut ops = read.unwrap_or_default();
            // A snapshot stands in the life that said so; in another one it says nothing.
            ops.retain(|op| !matches!(op.change, Change::Carry(_)));
            if open.with_keyring(|keyring| keyring.purpose(collection)) == Some(Purpose::Audit) {
                commit.events.extend(ops.iter().filter_map(event));
                continue;
            }
            let moved = |dot: &mut Dot| {
                if (dot.device, dot.incarnation) == life
                    && let Some(number) = places.get(&(collection, dot.number))
                {
                    (dot.incarnation, dot.number) = (incarnation, *number);
                }
            };
            ops.iter_mut().flat_map(seen).for_each(moved);
            let added = entry.header().added.clone();
            let dropped = entry.header().dropped.clone();
            commit.batches.push(Batch { collection, ops, added, dropped });
        }
        commit
    }
}

fn event(op: &Op) -> Option<Event> {
    match &op.change {
        Change::Event(encoded) => Event::parse(encoded).ok(),
        _ => None,
    }
}

/// The ops that an op names.
fn seen(op: &mut Op) -> &mut [Dot] {
    match &mut op.change {
        Change::Write { seen, .. } | Change::Delete { seen, .. } => seen,
        _ => &mut [],
    }
}
