// SPDX-License-Identifier: MIT OR Apache-2.0
//! One feed's runs in a folder: what there is by their names, what is sound by their bytes.
//!
//! How far a feed reaches is told by names alone, so that a push costs what it pushes and not what lies
//! there. Reading opens files, and believes only what links. Two writers may have cut the same entries
//! into different runs: any sound one will do. Source: spec/folder.md, rules FLD-5 to FLD-9, FLD-19
//! and FLD-20.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use aura_protocol::entry::Entry;
use aura_protocol::head::Position;
use aura_protocol::id::{ChunkName, FeedId, Hash, VaultId};
use aura_protocol::limits::{READ_BYTES_MAX, READ_ENTRIES_MAX};
use aura_protocol::store::StoreError;

use super::files::{Files, Put, unless_damaged};
use super::run;
use crate::layout::FolderLayout;

/// A feed's files.
pub(super) struct FeedRuns<'a> {
    files: &'a dyn Files,
    vault: VaultId,
    feed: FeedId,
    folder: PathBuf,
    /// By first number, then last. Those of which nothing stands above the floor are not among them.
    runs: Vec<RunName>,
    /// Up to where its runs were let go of, if that is to be believed.
    floor: Position,
    /// Where files say so, the furthest first: anybody may have put them there.
    floors: Vec<Position>,
}

struct RunName {
    first: u64,
    last: u64,
    name: String,
}

impl RunName {
    fn covers(&self, number: u64) -> bool {
        (self.first..=self.last).contains(&number)
    }
}

impl<'a> FeedRuns<'a> {
    pub(super) async fn list(
        files: &'a dyn Files,
        vault: VaultId,
        feed: &FeedId,
    ) -> Result<Self, StoreError> {
        let folder = FolderLayout::inside(vault).runs(feed);
        let run = |name: String| {
            let (first, last) = FolderLayout::parse_run(&name)?;
            Some(RunName { first, last, name })
        };
        let names = files.names(&folder).await?;
        let mut floors: Vec<Position> =
            names.iter().filter_map(|name| FolderLayout::parse_floor(name)).collect();
        floors.sort_unstable_by_key(|floor| std::cmp::Reverse(floor.number));
        let runs = names.into_iter().filter_map(run).collect();
        Ok(Self { files, vault, feed: *feed, folder, runs, floor: Position::NONE, floors })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.runs.is_empty() && self.floor == Position::NONE
    }

    /// The names of its runs.
    pub(super) fn names(&self) -> Vec<String> {
        self.runs.iter().map(|run| run.name.clone()).collect()
    }

    pub(super) fn feed(&self) -> FeedId {
        self.feed
    }

    /// Whether a run has anything up to this number.
    pub(super) fn has_below(&self, number: u64) -> bool {
        self.runs.iter().any(|run| run.first <= number)
    }

    /// Where files say that the feed was let go of, the furthest first.
    pub(super) fn claimed_floors(&self) -> &[Position] {
        &self.floors
    }

    /// FLD-19: takes the feed to begin after here.
    pub(super) fn begin_after(&mut self, floor: Position) {
        self.floor = floor;
        self.runs.retain(|run| run.last > floor.number);
    }

    /// How far the runs reach without a gap, by their names.
    pub(super) fn reach(&self) -> u64 {
        reach_over(&self.runs, self.floor.number)
    }

    /// Whether the entry at a position is the one with its hash. What was let go of cannot be compared any more.
    pub(super) async fn has_at(&self, position: &Position) -> Result<bool, StoreError> {
        if position.number <= self.floor.number {
            return Ok(position.number < self.floor.number || *position == self.floor);
        }
        let ends = |run: &RunName| {
            run.last == position.number && FolderLayout::run_name(run.first, position) == run.name
        };
        if self.runs.iter().any(ends) {
            return Ok(true);
        }
        let sound = self.sound_over(position.number, position.number).await?;
        Ok(sound.get(&position.number).is_some_and(|at| at.contains(&position.hash)))
    }

    /// Entries from `after` on, as far as there are sound ones, within the bounds of one answer.
    pub(super) async fn read(&self, after: u64, limit: usize) -> Result<Vec<Entry>, StoreError> {
        if after < self.floor.number {
            return Err(StoreError::Forgotten { feed: self.feed, upto: self.floor.number });
        }
        let limit = limit.min(READ_ENTRIES_MAX);
        let (mut entries, mut bytes) = (Vec::<Entry>::new(), 0usize);
        let mut last = Position { number: after, hash: Hash([0; 32]) };
        if after == self.floor.number {
            last = self.floor;
        }
        while entries.len() < limit && bytes < READ_BYTES_MAX {
            let is_known = !entries.is_empty() || after == self.floor.number;
            let more = self.from(last.number, is_known.then_some(last.hash)).await?;
            let Some(more) = more else { break };
            for entry in more {
                bytes = bytes.saturating_add(size_bytes(&entry));
                last = Position { number: entry.header().number, hash: entry.hash() };
                entries.push(entry);
                if entries.len() >= limit || bytes >= READ_BYTES_MAX {
                    break;
                }
            }
        }
        let number = after.saturating_add(1);
        if entries.is_empty() && limit > 0 && self.runs.iter().any(|run| run.covers(number)) {
            return Err(StoreError::DamagedEntry { feed: self.feed, number });
        }
        Ok(entries)
    }

    /// What one run has after `number`, if it links to `hash`; of several runs the first sound one.
    async fn from(
        &self,
        number: u64,
        hash: Option<Hash>,
    ) -> Result<Option<Vec<Entry>>, StoreError> {
        let Some(next) = number.checked_add(1) else { return Ok(None) };
        for run in self.runs.iter().filter(|run| run.covers(next)) {
            let Some(mut entries) = self.open(run).await? else { continue };
            let skip = usize::try_from(next.saturating_sub(run.first)).unwrap_or(usize::MAX);
            let Some(first) = entries.get(skip) else { continue };
            let previous = first.header().previous;
            if hash.is_none_or(|hash| hash == previous) {
                return Ok(Some(entries.split_off(skip)));
            }
        }
        Ok(None)
    }

    /// A run's entries, if they are what its name says: of this vault and feed, in order, linked, and
    /// ending with the hash.
    async fn open(&self, name: &RunName) -> Result<Option<Vec<Entry>>, StoreError> {
        let read = self.files.read(&self.folder.join(&name.name), run::RUN_FILE_BYTES_MAX).await;
        let bytes = unless_damaged(read)?;
        Ok(bytes.and_then(|bytes| self.parse(name, &bytes)))
    }

    fn parse(&self, name: &RunName, bytes: &[u8]) -> Option<Vec<Entry>> {
        let entries = run::decode(bytes).ok()?;
        let is_ours =
            |entry: &Entry| entry.header().feed == self.feed && entry.header().vault == self.vault;
        let (start, end) = (entries.first()?, entries.last()?);
        let position = Position { number: end.header().number, hash: end.hash() };
        let is_named = start.header().number == name.first
            && FolderLayout::run_name(name.first, &position) == name.name;
        (is_named && entries.iter().all(is_ours)).then_some(entries)
    }

    /// Hashes of the sound entries between two numbers, both included; more than one where two
    /// histories lie in the folder.
    async fn sound_over(&self, from: u64, to: u64) -> Result<BTreeMap<u64, Vec<Hash>>, StoreError> {
        let mut hashes: BTreeMap<u64, Vec<Hash>> = BTreeMap::new();
        for run in self.runs.iter().filter(|run| run.first <= to && run.last >= from) {
            for entry in self.open(run).await?.unwrap_or_default() {
                if (from..=to).contains(&entry.header().number) {
                    hashes.entry(entry.header().number).or_default().push(entry.hash());
                }
            }
        }
        Ok(hashes)
    }
}

/// How far runs reach without a gap from a number on. Ascending by first number, so one pass will do.
fn reach_over<'r>(runs: impl IntoIterator<Item = &'r RunName>, after: u64) -> u64 {
    runs.into_iter().fold(after, |reach, run| {
        if run.first <= reach.saturating_add(1) { reach.max(run.last) } else { reach }
    })
}

/// An entry's size as it is written, in bytes.
pub(super) fn size_bytes(entry: &Entry) -> usize {
    entry.header_bytes().len().saturating_add(entry.body().len())
}

impl FeedRuns<'_> {
    /// FLD-6: puts entries there as runs. Those that lie there sound are not written again; those that lie there
    /// rotten are, and those that were let go of are not.
    pub(super) async fn write(&self, entries: &[Entry]) -> Result<(), StoreError> {
        let is_gone = |entry: &Entry| entry.header().number <= self.floor.number;
        let (_, entries) = entries.split_at(entries.partition_point(is_gone));
        let (Some(first), Some(last)) = (entries.first(), entries.last()) else { return Ok(()) };
        let (from, to) = (first.header().number, last.header().number);
        let reach = self.reach();
        let links = entries.windows(2).all(|pair| match pair {
            [before, after] => after.follows(before.header().number, &before.hash()),
            _ => true,
        });
        if !links || from > reach.saturating_add(1) {
            return Err(StoreError::Gap { feed: self.feed, expected: reach.saturating_add(1) });
        }
        let before = Position { number: from.saturating_sub(1), hash: first.header().previous };
        if from > reach && !self.has_at(&before).await? {
            return Err(StoreError::Fork);
        }
        let sound = if from > reach { BTreeMap::new() } else { self.sound_over(from, to).await? };
        let is_there = |entry: &Entry| match sound.get(&entry.header().number) {
            None => Ok(false),
            Some(hashes) if hashes.contains(&entry.hash()) => Ok(true),
            Some(_) => Err(StoreError::Fork),
        };
        let states = entries.iter().map(is_there).collect::<Result<Vec<bool>, StoreError>>()?;
        let mut rest = entries;
        for same in states.chunk_by(|a, b| a == b) {
            let (group, after) = rest.split_at(same.len().min(rest.len()));
            rest = after;
            if same.first() == Some(&false) {
                self.write_runs(group).await?;
            }
        }
        Ok(())
    }

    async fn write_runs(&self, entries: &[Entry]) -> Result<(), StoreError> {
        let beside = FolderLayout::inside(self.vault).new_files();
        for run in run::split(entries) {
            let (Some(first), Some(last)) = (run.first(), run.last()) else { continue };
            let position = Position { number: last.header().number, hash: last.hash() };
            let name = FolderLayout::run_name(first.header().number, &position);
            // One that has the name already is not sound, or it would not be written.
            let is_listed = self.runs.iter().any(|run| run.name == name);
            let put = if is_listed { Put::Anew } else { Put::IfAbsent };
            let bytes = run::encode(run);
            self.files.write(&self.folder.join(name), &beside, (&bytes, put)).await?;
        }
        Ok(())
    }

    /// FLD-19: writes down that the feed begins after here, under which base; what it said before goes.
    pub(super) async fn mark(&self, floor: &Position, base: Hash) -> Result<(), StoreError> {
        let beside = FolderLayout::inside(self.vault).new_files();
        let path = self.folder.join(FolderLayout::floor_name(floor));
        self.files.write(&path, &beside, (&base.0, Put::IfAbsent)).await?;
        for older in self.floors.iter().filter(|older| older.number < floor.number) {
            self.files.remove(&self.folder.join(FolderLayout::floor_name(older))).await?;
        }
        Ok(())
    }

    /// FLD-20: removes the runs up to a floor that was marked; of one that goes beyond it, what is above stays. How
    /// many of its entries were there.
    pub(super) async fn let_go(&self, floor: &Position) -> Result<u64, StoreError> {
        let mut gone = BTreeSet::new();
        for run in self.runs.iter().filter(|run| run.first <= floor.number) {
            let opened = self.open(run).await?;
            if opened.is_none() && run.last > floor.number {
                // Rotten, and of use yet: reading names it until it is written again (FLD-8).
                continue;
            }
            let entries = opened.unwrap_or_default();
            let is_gone = |entry: &Entry| entry.header().number <= floor.number;
            let (below, above) = entries.split_at(entries.partition_point(is_gone));
            self.write_runs(above).await?;
            self.files.remove(&self.folder.join(&run.name)).await?;
            gone.extend(below.iter().map(|entry| entry.header().number));
        }
        Ok(gone.len() as u64)
    }

    /// The chunks that entries name, of those up to a position and of those after it. What a rotten run names is not
    /// known: one that goes beyond the position is told, unless its entries lie in others too.
    pub(super) async fn chunk_names(
        &self,
        upto: u64,
    ) -> Result<[BTreeSet<ChunkName>; 2], StoreError> {
        let mut names = [BTreeSet::new(), BTreeSet::new()];
        let (mut sound, mut rotten) = (Vec::new(), Vec::new());
        for run in &self.runs {
            let Some(entries) = self.open(run).await? else {
                rotten.push(run);
                continue;
            };
            sound.push(run);
            for entry in entries {
                let header = entry.header();
                let side = usize::from(header.number > upto);
                if let Some(names) = names.get_mut(side) {
                    names.extend(header.added.iter().map(|chunk| chunk.name));
                }
            }
        }
        let lost = rotten.into_iter().find_map(|run| {
            let reach = reach_over(sound.iter().copied(), upto.max(run.first.saturating_sub(1)));
            (reach < run.last).then(|| reach.saturating_add(1))
        });
        match lost {
            Some(number) => Err(StoreError::DamagedEntry { feed: self.feed, number }),
            None => Ok(names),
        }
    }
}
