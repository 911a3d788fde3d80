// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a folder's own statements come to, for the few things that a folder may not be believed.
//!
//! Whoever can write into the folder can put anything there. That a feed begins later than it once did counts only
//! under a snapshot, and a snapshot only if the statements say so; that a device has adopted it counts only if the
//! device has said so in a statement. Source: spec/folder.md, rules FLD-19 and FLD-20.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex};

use aura_protocol::entry::Entry;
use aura_protocol::head::Position;
use aura_protocol::id::{CollectionId, DeviceId, FeedId, Incarnation, VaultId};
use aura_protocol::limits::{AUTHORITY_BYTES_MAX, READ_ENTRIES_MAX};
use aura_protocol::store::StoreError;

use super::feed::{FeedRuns, size_bytes};
use super::files::{Files, Fits};
use super::head::HeadFiles;
use crate::devices::Devices;
use crate::layout::FolderLayout;
use crate::wait::lock;

/// How often heads are read that statements ask for: a revoke names heads, and they say which statements count.
const ROUNDS_MAX: usize = 8;

/// What was found, and is remembered.
#[derive(Default)]
pub(super) struct Found {
    /// Floors that statements were found for. They stay true: what a snapshot covers is ignored for ever.
    floors: Mutex<BTreeSet<Floor>>,
    /// What the statements came to, while the same files of statements are listed.
    judged: Mutex<Option<Judgement>>,
}

/// What the statements of a vault came to, in these files.
struct Judgement {
    vault: VaultId,
    runs: Vec<StatementRuns>,
    judged: Arc<Judged>,
}

type Floor = (VaultId, FeedId, Position);
type StatementRuns = (FeedId, Vec<String>);

impl Found {
    fn has_floor(&self, floor: &Floor) -> bool {
        lock(&self.floors).contains(floor)
    }

    fn keep_floor(&self, floor: Floor) {
        lock(&self.floors).insert(floor);
    }

    fn judged(&self, vault: VaultId, runs: &[StatementRuns]) -> Option<Arc<Judged>> {
        let last = lock(&self.judged);
        let last = last.as_ref().filter(|last| last.vault == vault && last.runs == runs)?;
        Some(Arc::clone(&last.judged))
    }

    fn keep_judged(&self, vault: VaultId, runs: Vec<StatementRuns>, judged: &Arc<Judged>) {
        *lock(&self.judged) = Some(Judgement { vault, runs, judged: Arc::clone(judged) });
    }
}

/// The vault's devices, as far as the folder's statements can be read.
pub(super) struct Judged {
    pub(super) devices: Devices,
    /// The first statement by a device that is listed that cannot be read. Enough is known without it to read by, and
    /// not to let go by.
    damage: Option<(FeedId, u64)>,
}

impl Judged {
    /// The devices, if no statement is missing that is there.
    pub(super) fn whole(&self) -> Result<&Devices, StoreError> {
        match self.damage {
            Some((feed, number)) => Err(StoreError::DamagedEntry { feed, number }),
            None => Ok(&self.devices),
        }
    }
}

/// Reads what there is to judge by.
#[derive(Clone, Copy)]
pub(super) struct Judge<'a> {
    pub(super) files: &'a dyn Files,
    pub(super) heads: HeadFiles<'a>,
    pub(super) found: &'a Found,
}

impl<'a> Judge<'a> {
    fn vault(&self) -> VaultId {
        self.heads.vault
    }

    /// A feed's runs, from where it is to be believed that they begin.
    pub(super) async fn runs(&self, feed: &FeedId) -> Result<FeedRuns<'a>, StoreError> {
        let mut runs = FeedRuns::list(self.files, self.vault(), feed).await?;
        if runs.claimed_floors().is_empty() {
            return Ok(runs);
        }
        let (vault, feed) = (self.vault(), *feed);
        let furthest = runs.claimed_floors().first().copied();
        let known = furthest.filter(|floor| self.found.has_floor(&(vault, feed, *floor)));
        let found = if known.is_some() {
            known
        } else {
            // One that is made up would have nothing link to it.
            let judged = self.judged().await?;
            let counts = |floor: &&Position| judged.devices.covers(feed, **floor);
            runs.claimed_floors().iter().find(counts).copied()
        };
        if let Some(floor) = found {
            self.found.keep_floor((vault, feed, floor));
            runs.begin_after(floor);
        }
        Ok(runs)
    }

    /// The vault's devices, as the statements in the folder have them.
    pub(super) async fn judged(&self) -> Result<Arc<Judged>, StoreError> {
        let mut runs = Vec::new();
        for feed in self.feeds(IS_AUTHORITY).await? {
            runs.push(FeedRuns::list(self.files, self.vault(), &feed).await?);
        }
        let listed: Vec<_> = runs.iter().map(|runs| (runs.feed(), runs.names())).collect();
        if let Some(judged) = self.found.judged(self.vault(), &listed) {
            return Ok(judged);
        }
        let (statements, damaged) = read(&runs).await?;
        let (devices, is_final) = self.devices(&statements).await?;
        let damage = damaged.iter().find(|(feed, _)| devices.lists(feed.device)).copied();
        let judged = Arc::new(Judged { devices, damage });
        // What is rotten may be healed under the same name, and a head that is not there may come.
        if is_final && damaged.is_empty() {
            self.found.keep_judged(self.vault(), listed, &judged);
        }
        Ok(judged)
    }

    /// What statements come to, and whether every head was there that they ask for.
    async fn devices(&self, statements: &[Entry]) -> Result<(Devices, bool), StoreError> {
        let mut reaches: BTreeMap<Place, Option<u64>> = BTreeMap::new();
        for _ in 0..ROUNDS_MAX {
            let asked = RefCell::new(BTreeSet::new());
            let devices = {
                let extent = |device, incarnation, at| {
                    let place = (device, incarnation, at);
                    reaches.get(&place).copied().unwrap_or_else(|| {
                        asked.borrow_mut().insert(place);
                        None
                    })
                };
                Devices::listed_by(self.vault(), statements, &extent)
            };
            let asked = asked.into_inner();
            if asked.is_empty() {
                return Ok((devices, reaches.values().all(Option::is_some)));
            }
            for place in asked {
                let (device, incarnation, at) = place;
                let head = self.heads.read((device, incarnation), at).await?;
                let claim = head.and_then(|head| head.claim().ok());
                let reach = claim.map(|head| head.position(CollectionId::AUTHORITY).number);
                reaches.insert(place, reach);
            }
        }
        Err(StoreError::Damaged("statements that name heads without end"))
    }

    /// The feeds of which there are files, of the collections that fit.
    pub(super) async fn feeds(&self, collections: Fits) -> Result<BTreeSet<FeedId>, StoreError> {
        let shapes: [Fits; 4] = [
            |name| DeviceId::parse(name).is_some_and(|device| device.to_string() == name),
            |name| Incarnation::parse(name).is_some_and(|life| life.to_string() == name),
            collections,
            |name| {
                FolderLayout::parse_run(name).is_some() || FolderLayout::parse_floor(name).is_some()
            },
        ];
        let entries = FolderLayout::inside(self.vault()).entries();
        let listed = self.files.tree(&entries, &shapes).await?;
        Ok(listed.iter().filter_map(|listed| feed_of(listed.path.parent()?)).collect())
    }
}

const IS_AUTHORITY: Fits = |name| CollectionId::parse(name) == Some(CollectionId::AUTHORITY);

/// The statements of feeds, of each up to what is rotten, and where that is.
async fn read(feeds: &[FeedRuns<'_>]) -> Result<(Vec<Entry>, Vec<(FeedId, u64)>), StoreError> {
    let (mut statements, mut damaged, mut bytes) = (Vec::<Entry>::new(), Vec::new(), 0usize);
    for runs in feeds {
        let mut after = 0;
        loop {
            let more = match runs.read(after, READ_ENTRIES_MAX).await {
                Err(StoreError::DamagedEntry { feed, number }) => {
                    damaged.push((feed, number));
                    break;
                }
                more => more?,
            };
            let Some(last) = more.last() else { break };
            after = last.header().number;
            bytes = more.iter().map(size_bytes).fold(bytes, usize::saturating_add);
            if bytes > AUTHORITY_BYTES_MAX {
                return Err(StoreError::Damaged("more statements than a vault may have"));
            }
            statements.extend(more);
        }
    }
    Ok((statements, damaged))
}

type Place = (DeviceId, Incarnation, Position);

/// The feed whose directory a path is.
fn feed_of(directory: &Path) -> Option<FeedId> {
    let mut parts = directory.iter().rev().map(|part| part.to_str().unwrap_or_default());
    let collection = CollectionId::parse(parts.next()?)?;
    let incarnation = Incarnation::parse(parts.next()?)?;
    Some(FeedId { device: DeviceId::parse(parts.next()?)?, incarnation, collection })
}
