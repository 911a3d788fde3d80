// SPDX-License-Identifier: MIT OR Apache-2.0
//! One feed's runs in a folder: what there is by their names, what is sound by their bytes.
//!
//! How far a feed reaches is told by names alone, so that a push costs what it pushes and not what lies
//! there. Reading opens files, and believes only what links. Two writers may have cut the same entries
//! into different runs: any sound one will do. Source: spec/folder.md, rules FLD-5 to FLD-9.

use std::collections::BTreeMap;
use std::path::PathBuf;

use aura_protocol::entry::Entry;
use aura_protocol::head::Position;
use aura_protocol::id::{FeedId, Hash, VaultId};
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
    /// By first number, then last.
    runs: Vec<RunName>,
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
        let runs = names.into_iter().filter_map(run).collect();
        Ok(Self { files, vault, feed: *feed, folder, runs })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// How far the runs reach without a gap, by their names.
    pub(super) fn reach(&self) -> u64 {
        // Ascending by first number, so one pass will do.
        self.runs.iter().fold(0u64, |reach, run| {
            if run.first <= reach.saturating_add(1) { reach.max(run.last) } else { reach }
        })
    }

    /// Whether the entry at a position is the one with its hash.
    pub(super) async fn has_at(&self, position: &Position) -> Result<bool, StoreError> {
        if position.number == 0 {
            return Ok(*position == Position::NONE);
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
        let limit = limit.min(READ_ENTRIES_MAX);
        let (mut entries, mut bytes) = (Vec::<Entry>::new(), 0usize);
        let mut last = Position { number: after, hash: Hash([0; 32]) };
        while entries.len() < limit && bytes < READ_BYTES_MAX {
            let is_known = !entries.is_empty() || after == 0;
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

fn size_bytes(entry: &Entry) -> usize {
    entry.header_bytes().len().saturating_add(entry.body().len())
}

/// FLD-6: entries of one feed as runs. Those that lie there sound are not written again; those that lie
/// there rotten are.
pub(super) async fn write(files: &dyn Files, entries: &[Entry]) -> Result<(), StoreError> {
    let (Some(first), Some(last)) = (entries.first(), entries.last()) else { return Ok(()) };
    let feed = first.header().feed;
    let (from, to) = (first.header().number, last.header().number);
    let held = FeedRuns::list(files, first.header().vault, &feed).await?;
    let reach = held.reach();
    let links = entries.windows(2).all(|pair| match pair {
        [before, after] => after.follows(before.header().number, &before.hash()),
        _ => true,
    });
    if !links || from > reach.saturating_add(1) {
        return Err(StoreError::Gap { feed, expected: reach.saturating_add(1) });
    }
    let before = Position { number: from.saturating_sub(1), hash: first.header().previous };
    if from > reach && !held.has_at(&before).await? {
        return Err(StoreError::Fork);
    }
    let sound = if from > reach { BTreeMap::new() } else { held.sound_over(from, to).await? };
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
            write_runs(&held, group).await?;
        }
    }
    Ok(())
}

async fn write_runs(held: &FeedRuns<'_>, entries: &[Entry]) -> Result<(), StoreError> {
    let beside = FolderLayout::inside(held.vault).new_files();
    for run in run::split(entries) {
        let (Some(first), Some(last)) = (run.first(), run.last()) else { continue };
        let position = Position { number: last.header().number, hash: last.hash() };
        let name = FolderLayout::run_name(first.header().number, &position);
        // One that has the name already is not sound, or it would not be written.
        let is_listed = held.runs.iter().any(|run| run.name == name);
        let put = if is_listed { Put::Anew } else { Put::IfAbsent };
        let bytes = run::encode(run);
        held.files.write(&held.folder.join(name), &beside, (&bytes, put)).await?;
    }
    Ok(())
}
