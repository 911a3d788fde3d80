// SPDX-License-Identifier: MIT OR Apache-2.0
//! Brings this device's store and another one to the same heads and entries, without a key.
//!
//! The local store checks whatever it takes; what it holds it has checked before. So the other one may be
//! any store, also one that lies. What it shows and should not, or does not show and should, is a
//! [`Finding`]; a bad head stops none of the others. The work is proportional to what changed and to the
//! number of heads that moved. Chunks follow apart from this. Source: spec/replicate.md, rules REP-1 to REP-10,
//! REP-18, REP-19 and REP-23 to REP-25.

mod finding;

mod fork;

mod compare;

mod room;

mod carry;

use std::collections::{BTreeMap, BTreeSet};

use aura_protocol::entry::Entry;
use aura_protocol::head::{Head, Position, Seen};
use aura_protocol::id::{CollectionId, DeviceId, Incarnation};
use aura_protocol::limits::{LIVES_MAX, READ_ENTRIES_MAX};
use aura_protocol::signed::Signed;
use aura_protocol::store::{Access, BlindStore, Ends, LastHead, StoreError};

pub use carry::{Budget, Moved};
pub use finding::{Finding, Side};
pub use fork::common;

use self::carry::{Carrier, Halt, Haul, Opening};
use self::compare::{Life, Relation, Told, by_life, relation};
use crate::devices::Devices;

/// Heads of one answer that are looked at: more than a store with rules shows, for one that anybody may fill.
const HEADS_MAX: usize = 4 * LIVES_MAX;

/// How often heads that were refused are offered again: the longest chain of devices that were each listed by
/// the next, with clocks in the worst order.
const ROUNDS_MAX: usize = 16;

const UNCOVERED: &str = "a feed whose beginning was let go of, under no snapshot that counts";

const UNSIGNED: &str = "a head that its device has not signed";

const FORK: &str = "something else stands in this place already";

/// What one head names and the store does not show is told so often: whoever signs it may name anything.
const WITHHELD_MAX: usize = 64;

/// The newest head of each incarnation that a store has confirmed. It only goes forward.
pub type Mark = Vec<(DeviceId, Incarnation, Position)>;

/// What came of a replication.
#[derive(Debug, Default)]
pub struct Replicated {
    /// What came to this device.
    pub pulled: Moved,
    /// What went to the other store.
    pub pushed: Moved,
    /// What was not as it should be.
    pub findings: Vec<Finding>,
    /// What the other store has confirmed until now, for the next time (REP-7).
    pub mark: Mark,
    /// What ended it early. Whatever was moved until then stays, and the next time goes on from there.
    pub stopped: Option<(Side, StoreError)>,
}

/// Brings both stores to the same heads and entries. `mark` is what came of the last time with this store.
pub async fn replicate(
    local: &dyn BlindStore,
    remote: &dyn BlindStore,
    access: &Access,
    mark: &Mark,
) -> Replicated {
    replicate_within(local, remote, access, mark, Budget::default()).await
}

/// The same, within a budget of one's own.
pub async fn replicate_within(
    local: &dyn BlindStore,
    remote: &dyn BlindStore,
    access: &Access,
    mark: &Mark,
    budget: Budget,
) -> Replicated {
    let mut exchange = Exchange {
        local,
        remote,
        access,
        budget,
        ours: BTreeMap::new(),
        shown: BTreeMap::new(),
        theirs: BTreeMap::new(),
        ends: Ends::default(),
        done: Replicated::default(),
    };
    exchange.done.stopped = exchange.run(mark).await.err();
    exchange.settle(mark);
    exchange.done
}

type Stopped = (Side, StoreError);

/// A replication while it goes on.
struct Exchange<'a> {
    local: &'a dyn BlindStore,
    remote: &'a dyn BlindStore,
    access: &'a Access,
    budget: Budget,
    /// The heads that the local store has.
    ours: BTreeMap<Life, Told>,
    /// The heads that the remote store has, or says that it has.
    shown: BTreeMap<Life, Position>,
    /// Those of them that are others than ours.
    theirs: BTreeMap<Life, Told>,
    /// Devices and incarnations that have ended, as the local store knows it.
    ends: Ends,
    done: Replicated,
}

impl Exchange<'_> {
    async fn run(&mut self, mark: &Mark) -> Result<(), Stopped> {
        let ours = self.local.heads(self.access, &[]).await.map_err(|e| (Side::Local, e))?.news;
        self.ours = by_life(ours, &mut self.done.findings);
        self.learn_ends().await?;
        self.remote.learn(&self.ends.signers);
        let known: Mark = self.ours.iter().map(|(life, told)| place(*life, told)).collect();
        let answer = self.remote.heads(self.access, &known).await;
        let mut answer = answer.map_err(|error| (Side::Remote, error))?;
        if answer.news.len() > HEADS_MAX {
            answer.news.truncate(HEADS_MAX);
            self.done.findings.push(Finding::Malformed);
        }
        let mut theirs = by_life(answer.news, &mut self.done.findings);
        let forged = self.take_forged(&mut theirs);
        self.shown = known.into_iter().map(|(d, i, position)| ((d, i), position)).collect();
        for life in answer.absent.iter().chain(&forged) {
            self.shown.remove(life);
        }
        self.shown.extend(theirs.iter().map(|(life, told)| (*life, told.position())));
        self.find_rollbacks(mark);
        self.theirs.clone_from(&theirs);
        let (pull, push) = self.plan(theirs).await?;
        self.pull(pull).await?;
        self.learn_ends().await?;
        self.pull_last().await?;
        self.push(self.still_shown(push).await?).await?;
        self.push_last().await?;
        self.find_withheld();
        Ok(())
    }

    /// REP-26: a head that its device has not signed says nothing about it, but about whoever shows it: what the store
    /// really has of these incarnations is not known.
    fn take_forged(&mut self, theirs: &mut BTreeMap<Life, Told>) -> Vec<Life> {
        let signers = &self.ends.signers;
        let is_forged = |told: &Told| {
            signers.get(&told.head.device).is_some_and(|key| !told.signed.is_signed_by(key))
        };
        let forged: Vec<Told> = theirs.values().filter(|told| is_forged(told)).cloned().collect();
        for told in &forged {
            theirs.remove(&told.life());
            // What lies beyond an end nobody takes, whoever signed it (REP-23).
            if !self.is_beyond(told) {
                self.done.findings.push(refusal(told, Side::Local, UNSIGNED));
            }
        }
        forged.iter().map(Told::life).collect()
    }

    /// What came may have ended what was to go, or shown that its device is nobody.
    async fn still_shown(&self, mut work: Work) -> Result<Work, Stopped> {
        if !work.is_empty() && !self.ends.revoked.is_empty() {
            let heads = self.local.heads(self.access, &[]).await.map_err(|e| (Side::Local, e))?;
            let shown: BTreeSet<_> =
                heads.news.iter().map(|head| (head.device, head.incarnation)).collect();
            work.retain(|(told, _)| shown.contains(&told.life()) && !self.is_beyond(told));
        }
        Ok(work)
    }

    /// What has ended, as the local store knows it: once more when something has come.
    async fn learn_ends(&mut self) -> Result<(), Stopped> {
        self.ends = self.local.ends(self.access).await.map_err(|error| (Side::Local, error))?;
        let is_beyond = |device, incarnation, at| self.ends.is_beyond(device, incarnation, at);
        // What lies beyond an end was refused, as it should be: that accuses nobody (REP-23).
        self.done.findings.retain(|finding| match finding {
            Finding::Refused { device, incarnation, by: Side::Local, .. } => {
                let told = self.theirs.get(&(*device, *incarnation));
                !told.is_some_and(|told| is_beyond(*device, *incarnation, told.position()))
            }
            Finding::RolledBack { device, incarnation, now, .. } => {
                let now = now.map_or(0, |now| now.number);
                match self.ends.of(*device, *incarnation) {
                    Some(last) => now < last.position.number,
                    None => !self.ends.revoked.contains_key(device),
                }
            }
            _ => true,
        });
        Ok(())
    }

    /// REP-23: the last accepted heads that are not here, from the other store, with what they name.
    async fn pull_last(&mut self) -> Result<(), Stopped> {
        let wanted: Vec<_> = self.ends.last.iter().filter(|last| last.head.is_none()).collect();
        let mut work = Work::new();
        for LastHead { device, incarnation, position, .. } in wanted {
            let life = (*device, *incarnation);
            let answer = self.remote.head(self.access, life, *position).await;
            let signed = match answer {
                Ok(signed) if signed.hash() == position.hash => signed,
                Ok(_)
                | Err(StoreError::Absent | StoreError::Damaged(_) | StoreError::Forbidden) => {
                    continue;
                }
                Err(error) => return Err((Side::Remote, error)),
            };
            if let Ok(head) = signed.claim() {
                work.push((Told { head, signed }, None));
            }
        }
        if work.is_empty() {
            return Ok(());
        }
        self.pull(work).await?;
        // It may be known now whose statements count, and up to where.
        self.learn_ends().await
    }

    /// REP-23: the last accepted heads to a store that shows something beyond them, and has them no more.
    async fn push_last(&mut self) -> Result<(), Stopped> {
        for last in &self.ends.last {
            let life = (last.device, last.incarnation);
            let Some(head) = &last.head else { continue };
            if self.shown.get(&life) == Some(&last.position) {
                continue;
            }
            let has = match self.remote.head(self.access, life, last.position).await {
                Ok(found) => found.hash() == last.position.hash,
                Err(StoreError::Absent | StoreError::Damaged(_)) => {
                    // Whatever it answers: its entries came with a head before or after it.
                    let pushed = self.remote.push(self.access, head, &[]).await;
                    pushed.is_ok_and(|receipt| receipt.missing.is_empty())
                }
                Err(error) => return Err((Side::Remote, error)),
            };
            if has {
                self.shown.insert(life, last.position);
            }
        }
        Ok(())
    }

    /// What each side lacks, with what it has of the same incarnation (REP-3).
    async fn plan(&mut self, theirs: BTreeMap<Life, Told>) -> Result<(Work, Work), Stopped> {
        let (mut pull, mut push) = (Work::new(), Work::new());
        for (life, told) in &self.ours {
            if !self.shown.contains_key(life) && !self.is_beyond(told) {
                push.push((told.clone(), None));
            }
        }
        for (life, told) in theirs {
            // REP-23: neither taken nor told.
            if self.is_beyond(&told) {
                continue;
            }
            let Some(own) = self.ours.get(&life).cloned() else {
                pull.push((told, None));
                continue;
            };
            match relation(&own, &told) {
                Relation::Same => {}
                Relation::Ahead => push.push((own, Some(told.head))),
                Relation::Behind => pull.push((told, Some(own.head))),
                Relation::Apart => self.find_fork(&own, told).await?,
            }
        }
        Ok((pull, push))
    }

    fn is_beyond(&self, told: &Told) -> bool {
        let (device, incarnation) = told.life();
        self.ends.is_beyond(device, incarnation, told.position())
    }

    async fn pull(&mut self, work: Work) -> Result<(), Stopped> {
        let known = self.ours.keys().map(|(device, _)| *device).collect();
        let opening = Opening::Alone(known);
        let carrier = Carrier { from: self.remote, to: self.local, access: self.access, opening };
        let way = Way { from: Side::Remote, to: Side::Local };
        let Replicated { pulled, findings, .. } = &mut self.done;
        let mut haul = Haul::new(pulled, self.budget);
        let mut arrived = Vec::new();
        let carried = carry_all((&carrier, way), work, (&mut haul, findings), &mut arrived).await;
        findings.extend(haul.unasked.into_iter().map(Finding::Unasked));
        let forks = haul.forks;
        self.ours.extend(arrived.into_iter().map(|told| (told.life(), told)));
        for told in forks {
            match self.ours.get(&told.life()).cloned() {
                Some(own) => self.find_fork(&own, told).await?,
                None => self.done.findings.push(refusal(&told, Side::Local, FORK)),
            }
        }
        carried
    }

    async fn push(&mut self, work: Work) -> Result<(), Stopped> {
        let opening = Opening::Entries;
        let carrier = Carrier { from: self.local, to: self.remote, access: self.access, opening };
        let way = Way { from: Side::Local, to: Side::Remote };
        let Replicated { pushed, findings, .. } = &mut self.done;
        let mut haul = Haul::new(pushed, self.budget);
        let mut arrived = Vec::new();
        let carried = carry_all((&carrier, way), work, (&mut haul, findings), &mut arrived).await;
        let forks = haul.forks;
        self.shown.extend(arrived.iter().map(|told| (told.life(), told.position())));
        for own in forks {
            match self.theirs.get(&own.life()).cloned() {
                Some(told) => self.find_fork(&own, told).await?,
                None => self.done.findings.push(refusal(&own, Side::Remote, FORK)),
            }
        }
        carried
    }

    /// REP-7: a store never has less of an incarnation than it had.
    fn find_rollbacks(&mut self, mark: &Mark) {
        for (device, incarnation, before) in mark {
            let now = self.shown.get(&(*device, *incarnation)).copied();
            if now.is_none_or(|now| now.number < before.number) {
                let (device, incarnation, before) = (*device, *incarnation, *before);
                self.done.findings.push(Finding::RolledBack { device, incarnation, before, now });
            }
        }
    }

    /// REP-8: two heads of which neither extends the other are evidence if both are signed.
    async fn find_fork(&mut self, own: &Told, told: Told) -> Result<(), Stopped> {
        let (device, incarnation) = own.life();
        if self.is_beyond(&told) {
            return Ok(());
        }
        let devices = self.listed().await.map_err(|error| (Side::Local, error))?;
        let key = devices.key_of(&told.head, told.signed.hash());
        let is_signed = key.is_some_and(|key| told.signed.clone().verify(&key).is_ok());
        // What the store really has of this incarnation is not known.
        self.shown.remove(&own.life());
        self.done.findings.push(if is_signed {
            let heads: Box<[Signed<Head>; 2]> = Box::new([own.signed.clone(), told.signed]);
            Finding::Forked { device, incarnation, heads }
        } else {
            Finding::Refused { device, incarnation, by: Side::Local, why: UNSIGNED }
        });
        Ok(())
    }

    /// The devices that the local store's authority entries list.
    async fn listed(&self) -> Result<Devices, StoreError> {
        let mut entries: Vec<Entry> = Vec::new();
        for told in self.ours.values() {
            let feed = told.head.feed(CollectionId::AUTHORITY);
            let upto = told.head.position(CollectionId::AUTHORITY).number;
            let mut after = 0;
            while after < upto {
                let read = self.local.read(self.access, feed, after, READ_ENTRIES_MAX).await;
                let read = match read {
                    // One that rotted lists nobody; the others still do.
                    Err(StoreError::DamagedEntry { .. }) => {
                        after = after.saturating_add(1);
                        continue;
                    }
                    read => read?,
                };
                let Some(last) = read.last() else { break };
                after = last.header().number;
                entries.extend(read);
            }
        }
        let extent = |device, incarnation, at| {
            let told = self.ours.get(&(device, incarnation))?;
            let is_it = told.position() == at;
            is_it.then(|| told.head.position(CollectionId::AUTHORITY).number)
        };
        Ok(Devices::listed_by(self.access.vault(), &entries, &extent))
    }

    /// REP-6: what a verified head names, the store that shows it shows as well.
    fn find_withheld(&mut self) {
        for told in self.ours.values() {
            // One that the store has not, or another than ours, says nothing about the store; nor does the word of
            // a device that was revoked.
            let is_shown = self.shown.get(&told.life()) == Some(&told.position());
            if !is_shown || self.ends.revoked.contains_key(&told.head.device) {
                continue;
            }
            let is_withheld = |seen: &&Seen| {
                if self.ends.revoked.contains_key(&seen.device)
                    || self.ends.is_beyond(seen.device, seen.incarnation, seen.held)
                {
                    return false;
                }
                let shown = self.shown.get(&(seen.device, seen.incarnation));
                shown.map_or(0, |position| position.number) < seen.held.number
            };
            let withheld = told.head.seen.iter().filter(is_withheld).take(WITHHELD_MAX);
            self.done.findings.extend(withheld.map(|seen| Finding::Withheld {
                device: seen.device,
                incarnation: seen.incarnation,
                named: seen.held,
                by: told.head.device,
            }));
        }
    }

    /// What the store has confirmed: heads that are here and there, and what it confirmed before.
    fn settle(&mut self, before: &Mark) {
        let mut mark: BTreeMap<Life, Position> =
            before.iter().map(|(device, life, position)| ((*device, *life), *position)).collect();
        for (life, told) in &self.ours {
            let position = told.position();
            let is_shared = self.shown.get(life) == Some(&position);
            let is_end = self.ends.of(life.0, life.1).is_some_and(|last| last.position == position);
            let is_later =
                is_end || mark.get(life).is_none_or(|before| before.number <= position.number);
            if is_shared && is_later {
                mark.insert(*life, position);
            }
        }
        self.done.mark = mark.into_iter().map(|((device, life), at)| (device, life, at)).collect();
    }
}

/// Heads to carry, each with the head of the same incarnation that is there already.
type Work = Vec<(Told, Option<Head>)>;

#[derive(Clone, Copy)]
struct Way {
    from: Side,
    to: Side,
}

/// Carries heads, those with the lowest clock first, since what a head names or rests on has a lower one
/// (REP-4). What the taking store refuses is offered again after the others if statements came with one of
/// them: its device may be listed now.
async fn carry_all(
    (carrier, way): (&Carrier<'_>, Way),
    mut work: Work,
    (haul, findings): (&mut Haul<'_>, &mut Vec<Finding>),
    arrived: &mut Vec<Told>,
) -> Result<(), Stopped> {
    work.sort_by_key(|(told, _)| (told.head.clock, told.life()));
    for round in 1.. {
        let mut refused = Vec::new();
        let mut has_statements = false;
        for (told, there) in work {
            match carrier.carry(&told, there.as_ref(), haul).await {
                Ok(()) => {
                    has_statements |= brings_statements(&told.head, there.as_ref());
                    arrived.push(told);
                }
                Err(Halt::To(StoreError::Refused(why))) => refused.push(((told, there), why)),
                // The snapshot may come under another head.
                Err(Halt::Covered) => refused.push(((told, there), UNCOVERED)),
                Err(Halt::To(StoreError::Fork)) => haul.forks.push(told),
                Err(halt) => findings.push(halted(&told, way, halt)?),
            }
        }
        if refused.is_empty() || !has_statements || round == ROUNDS_MAX {
            findings.extend(refused.iter().map(|((told, _), why)| refusal(told, way.to, why)));
            break;
        }
        work = refused.into_iter().map(|(work, _)| work).collect();
    }
    Ok(())
}

/// Whether a head that arrived brought authority entries.
fn brings_statements(head: &Head, there: Option<&Head>) -> bool {
    let upto = |head: &Head| head.position(CollectionId::AUTHORITY).number;
    upto(head) > there.map_or(0, upto)
}

/// What to tell of a head that did not arrive, unless that ends the run.
fn halted(told: &Told, way: Way, halt: Halt) -> Result<Finding, Stopped> {
    let (device, incarnation) = told.life();
    match halt {
        Halt::Incomplete(feed, after) => Ok(Finding::Incomplete { feed, after }),
        Halt::Damaged(feed, number) => Ok(Finding::Damaged { feed, number, at: way.from }),
        Halt::Spent => Ok(Finding::Unfinished { device, incarnation }),
        // Without a statement that rotted nobody can say whose heads count.
        Halt::To(StoreError::DamagedEntry { feed, number }) => {
            Ok(Finding::Damaged { feed, number, at: way.to })
        }
        Halt::Covered => Ok(refusal(told, way.to, UNCOVERED)),
        Halt::To(error) => Err((way.to, error)),
        Halt::From(error) => Err((way.from, error)),
    }
}

fn refusal(told: &Told, by: Side, why: &'static str) -> Finding {
    let (device, incarnation) = told.life();
    Finding::Refused { device, incarnation, by, why }
}

fn place((device, incarnation): Life, told: &Told) -> (DeviceId, Incarnation, Position) {
    (device, incarnation, told.position())
}
