// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a folder's own statements come to, for the few things that a folder may not be believed.
//!
//! Whoever can write into the folder can put anything there. That a feed begins later than it once did counts
//! only under a snapshot, and a snapshot only if the statements say so; and that every device has adopted it only
//! heads with their signatures. Source: spec/folder.md, rules FLD-19 and FLD-20.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Mutex;

use aura_protocol::entry::Entry;
use aura_protocol::head::Position;
use aura_protocol::id::{CollectionId, DeviceId, FeedId, Incarnation, VaultId};
use aura_protocol::limits::{AUTHORITY_BYTES_MAX, READ_ENTRIES_MAX};
use aura_protocol::store::StoreError;

use super::feed::FeedRuns;
use super::files::{Files, Fits};
use super::head::HeadFiles;
use crate::devices::Devices;
use crate::layout::FolderLayout;
use crate::wait::lock;

/// How often heads are read that statements ask for: a revoke names heads, and they say which statements count.
const ROUNDS_MAX: usize = 8;

/// Floors that statements were found for. They stay true: what a snapshot covers is ignored for ever.
#[derive(Default)]
pub(super) struct Floors(Mutex<BTreeSet<Floor>>);

type Floor = (VaultId, FeedId, Position);

impl Floors {
    fn knows(&self, floor: &Floor) -> bool {
        lock(&self.0).contains(floor)
    }

    fn keep(&self, floor: Floor) {
        lock(&self.0).insert(floor);
    }
}

/// Reads what there is to judge by.
#[derive(Clone, Copy)]
pub(super) struct Judge<'a> {
    pub(super) files: &'a dyn Files,
    pub(super) heads: HeadFiles<'a>,
    pub(super) floors: &'a Floors,
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
        let known = furthest.filter(|floor| self.floors.knows(&(vault, feed, *floor)));
        let found = if known.is_some() {
            known
        } else {
            let covered = self.devices().await?.covered(feed);
            let counts = |floor: &&Position| floor.number < covered.number || **floor == covered;
            runs.claimed_floors().iter().find(counts).copied()
        };
        if let Some(floor) = found {
            self.floors.keep((vault, feed, floor));
            runs.begin_after(floor);
        }
        Ok(runs)
    }

    /// The vault's devices, as the statements in the folder have them.
    pub(super) async fn devices(&self) -> Result<Devices, StoreError> {
        let statements = self.statements().await?;
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
                Devices::listed_by(self.vault(), &statements, &extent)
            };
            let asked = asked.into_inner();
            if asked.is_empty() {
                return Ok(devices);
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

    async fn statements(&self) -> Result<Vec<Entry>, StoreError> {
        const IS_AUTHORITY: Fits =
            |name| CollectionId::parse(name) == Some(CollectionId::AUTHORITY);
        let (mut statements, mut bytes) = (Vec::<Entry>::new(), 0usize);
        for feed in self.feeds(IS_AUTHORITY).await? {
            let runs = FeedRuns::list(self.files, self.vault(), &feed).await?;
            let mut after = 0;
            loop {
                let more = runs.read(after, READ_ENTRIES_MAX).await?;
                let Some(last) = more.last() else { break };
                after = last.header().number;
                let sizes = more.iter().map(|entry| entry.body().len());
                bytes = sizes.fold(bytes, usize::saturating_add);
                if bytes > AUTHORITY_BYTES_MAX {
                    return Err(StoreError::Damaged("more statements than a vault may have"));
                }
                statements.extend(more);
            }
        }
        Ok(statements)
    }
}

type Place = (DeviceId, Incarnation, Position);

/// The feed whose directory a path is.
fn feed_of(directory: &Path) -> Option<FeedId> {
    let mut parts = directory.iter().rev().map(|part| part.to_str().unwrap_or_default());
    let collection = CollectionId::parse(parts.next()?)?;
    let incarnation = Incarnation::parse(parts.next()?)?;
    Some(FeedId { device: DeviceId::parse(parts.next()?)?, incarnation, collection })
}
