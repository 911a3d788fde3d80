// SPDX-License-Identifier: MIT OR Apache-2.0
//! Letting go, in a folder, of what a snapshot covers once every device has adopted it.
//!
//! Nobody guards a folder, so the device that asks looks itself: at the statements, and at every entry of the snapshot.
//! First it is written down where each feed begins from now on, then chunks go, then runs: cut short, it is done again,
//! and what is half gone is known to be going. What is rotten and stays stops it before anything went: what it names
//! is not known. Source: spec/folder.md, rule FLD-20; spec/store.md, rule STO-28.

use std::collections::BTreeSet;

use aura_protocol::authority::Snapshot;
use aura_protocol::head::Position;
use aura_protocol::id::{ChunkName, CollectionId, FeedId, Hash};
use aura_protocol::store::StoreError;

use super::feed::FeedRuns;
use super::files::Fits;
use super::judge::Judge;
use crate::devices::Devices;
use crate::layout::FolderLayout;
use crate::proof;

/// Lets go of what a base covers, if that is proven. How many entries went.
pub(super) async fn forget(judge: &Judge<'_>, base: Hash) -> Result<u64, StoreError> {
    let judged = judge.judged().await?;
    let devices = judged.whole()?;
    let base = devices.base(base).ok_or(StoreError::Unproven)?.clone();
    prove(judge, devices, &base).await?;
    let doomed = doomed(judge, &base).await?;
    if doomed.is_empty() {
        return Ok(0);
    }
    let names = unnamed(judge, base.feed.collection, &doomed).await?;
    for (runs, floor) in &doomed {
        runs.mark(floor, base.id).await?;
    }
    let chunks = FolderLayout::inside(judge.heads.vault).chunks();
    for name in names {
        judge.files.remove(&chunks.chunk(name)).await?;
    }
    let mut gone = 0u64;
    for (runs, floor) in &doomed {
        gone = gone.saturating_add(runs.let_go(floor).await?);
    }
    Ok(gone)
}

/// STO-28: that the whole snapshot lies here, sound, and that every device that counts has adopted it.
async fn prove(judge: &Judge<'_>, devices: &Devices, base: &Snapshot) -> Result<(), StoreError> {
    let runs = judge.runs(&base.feed).await?;
    let (first, last) = base.range;
    let mut at = Position { number: first.saturating_sub(1), hash: Hash([0; 32]) };
    while at.number < last {
        let limit = usize::try_from(last.saturating_sub(at.number)).unwrap_or(usize::MAX);
        let read = match runs.read(at.number, limit).await {
            Err(StoreError::Forgotten { .. } | StoreError::DamagedEntry { .. }) => {
                return Err(StoreError::Unproven);
            }
            read => read?,
        };
        let (start, end) = (read.first(), read.last());
        let links = start.is_some_and(|entry| entry.follows(at.number, &at.hash));
        // What stands before the snapshot is no part of it.
        if !links && at.number >= first {
            return Err(StoreError::Unproven);
        }
        let end = end.ok_or(StoreError::Unproven)?;
        at = Position { number: end.header().number, hash: end.hash() };
    }
    proof::prove(devices, base, at.hash)
}

/// The feeds of which something is covered that is here, each with its new floor.
async fn doomed<'a>(
    judge: &Judge<'a>,
    base: &Snapshot,
) -> Result<Vec<(FeedRuns<'a>, Position)>, StoreError> {
    let mut doomed = Vec::new();
    for (feed, at) in &base.covered {
        // With what is below a floor and was not removed yet.
        let runs = FeedRuns::list(judge.files, judge.heads.vault, feed).await?;
        if runs.has_below(at.number)
            && (runs.claimed_floors().contains(at) || runs.has_at(at).await?)
        {
            doomed.push((runs, *at));
        }
    }
    Ok(doomed)
}

/// The chunks that no entry of the collection names but those that go.
async fn unnamed(
    judge: &Judge<'_>,
    collection: CollectionId,
    doomed: &[(FeedRuns<'_>, Position)],
) -> Result<BTreeSet<ChunkName>, StoreError> {
    const ANY: Fits = |name| CollectionId::parse(name).is_some_and(|id| id.to_string() == name);
    let (mut going, mut staying) = (BTreeSet::new(), BTreeSet::new());
    for (runs, floor) in doomed {
        let [below, above] = runs.chunk_names(floor.number).await?;
        going.extend(below);
        staying.extend(above);
    }
    if going.is_empty() {
        return Ok(going);
    }
    let is_doomed = |feed: &FeedId| doomed.iter().any(|(runs, _)| runs.feed() == *feed);
    for feed in judge.feeds(ANY).await?.into_iter().filter(|feed| feed.collection == collection) {
        if !is_doomed(&feed) {
            let [_, above] = judge.runs(&feed).await?.chunk_names(0).await?;
            staying.extend(above);
        }
    }
    Ok(going.difference(&staying).copied().collect())
}
