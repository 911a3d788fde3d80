// SPDX-License-Identifier: MIT OR Apache-2.0
//! Carries the chunks of attachments between two stores, after the entries that name them.
//!
//! Apart from `crate::replicate`, so that small entries overtake large chunks: a caller gives each call a
//! budget and replicates in between. What was seen to is remembered by feed, so the work is proportional to
//! what is new. Source: spec/replicate.md, rules REP-11 to REP-13. Sizes in bytes.

use std::collections::{BTreeMap, BTreeSet};

use aura_protocol::id::{ChunkName, FeedId};
use aura_protocol::limits::READ_ENTRIES_MAX;
use aura_protocol::store::{Access, BlindStore, StoreError};

use crate::replicate::{Finding, Side};

/// Names that are asked for at a time.
const NAMES_MAX: usize = 1024;
/// Chunks that are nowhere, at most, before no further entries are looked at.
const WANTED_MAX: usize = 65_536;

/// How far two stores have been seen to hold the same chunks. Lost or reset, it is found again by looking at
/// every entry.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChunkMark {
    /// The last entry of each feed whose chunks were seen to.
    pub seen_to: BTreeMap<FeedId, u64>,
    /// Chunks that neither store had, or that did not arrive.
    pub wanted: BTreeSet<ChunkName>,
}

/// What came of a transfer.
#[derive(Debug, Default)]
pub struct Transferred {
    /// Chunks that came to this device.
    pub pulled: u64,
    /// Chunks that went to the other store.
    pub pushed: u64,
    /// Bytes of both.
    pub bytes: u64,
    /// Chunks that are not what their entries name, or did not arrive.
    pub findings: Vec<Finding>,
    /// Whether the budget was spent before the end.
    pub has_more: bool,
    /// What ended it early. What was moved until then stays.
    pub stopped: Option<(Side, StoreError)>,
}

/// Carries what either store lacks, until about `budget_bytes` are moved. After the remote store went back
/// ([`Finding::RolledBack`]) the mark must begin anew.
pub async fn transfer(
    local: &dyn BlindStore,
    remote: &dyn BlindStore,
    access: &Access,
    mark: &mut ChunkMark,
    budget_bytes: u64,
) -> Transferred {
    let done = Transferred::default();
    let mut transfer = Transfer { local, remote, access, mark, budget_bytes, done };
    transfer.done.stopped = transfer.run().await.err();
    transfer.done
}

type Stopped = (Side, StoreError);

struct Transfer<'a> {
    local: &'a dyn BlindStore,
    remote: &'a dyn BlindStore,
    access: &'a Access,
    mark: &'a mut ChunkMark,
    budget_bytes: u64,
    done: Transferred,
}

impl Transfer<'_> {
    async fn run(&mut self) -> Result<(), Stopped> {
        let wanted: Vec<_> = std::mem::take(&mut self.mark.wanted).into_iter().collect();
        let mut wanted = wanted.chunks(NAMES_MAX);
        for names in wanted.by_ref() {
            if let Err(stopped) = self.settle(names).await {
                self.mark.wanted.extend(names.iter().chain(wanted.flatten()));
                return Err(stopped);
            }
        }
        let heads = self.local.heads(self.access, &[]).await.map_err(at_local)?.news;
        for head in heads.iter().filter_map(|stored| stored.head.claim().ok()) {
            for (collection, position) in &head.feeds {
                self.see_to(head.feed(*collection), position.number).await?;
            }
        }
        Ok(())
    }

    /// The chunks that a feed's entries name, up to this one.
    async fn see_to(&mut self, feed: FeedId, upto: u64) -> Result<(), Stopped> {
        let mut after = self.mark.seen_to.get(&feed).copied().unwrap_or_default();
        while after < upto {
            if self.done.bytes >= self.budget_bytes {
                self.done.has_more = true;
                return Ok(());
            }
            // More than this are nowhere: that is no reason to be called again at once.
            if self.mark.wanted.len() >= WANTED_MAX {
                return Ok(());
            }
            let read = self.local.read(self.access, feed, after, READ_ENTRIES_MAX).await;
            let entries = match read {
                // It is healed from elsewhere and comes again; the others do not wait for it.
                Err(StoreError::DamagedEntry { .. }) => return Ok(()),
                entries => entries.map_err(at_local)?,
            };
            let Some(last) = entries.last().map(|entry| entry.header().number) else {
                return Ok(());
            };
            let mut names = entries.iter().flat_map(|entry| &entry.header().added);
            let names: BTreeSet<_> = names.by_ref().map(|chunk| chunk.name).collect();
            for names in names.into_iter().collect::<Vec<_>>().chunks(NAMES_MAX) {
                self.settle(names).await?;
            }
            after = last;
            self.mark.seen_to.insert(feed, after);
        }
        Ok(())
    }

    /// Brings each of these chunks to where it is not.
    async fn settle(&mut self, names: &[ChunkName]) -> Result<(), Stopped> {
        let here = self.local.has(self.access, names).await.map_err(at_local)?;
        let there = self.remote.has(self.access, names).await.map_err(at_remote)?;
        // A store that answers fewer questions than it was asked has nothing of the rest.
        let there = there.into_iter().chain(std::iter::repeat(false));
        for ((name, is_here), is_there) in names.iter().zip(here).zip(there) {
            match (is_here, is_there) {
                (true, true) => {}
                // REP-13: the rest comes first the next time.
                _ if self.done.bytes >= self.budget_bytes => {
                    self.done.has_more = true;
                    self.mark.wanted.insert(*name);
                }
                (true, false) => self.push(*name).await?,
                (false, true) => self.pull(*name).await?,
                (false, false) => drop(self.mark.wanted.insert(*name)),
            }
        }
        Ok(())
    }

    async fn pull(&mut self, name: ChunkName) -> Result<(), Stopped> {
        let sealed = match self.remote.chunk(self.access, name).await {
            Err(StoreError::Absent | StoreError::Damaged(_)) => {
                self.want(name);
                return Ok(());
            }
            sealed => sealed.map_err(at_remote)?,
        };
        match self.local.put(self.access, name, &sealed).await {
            Ok(()) => {}
            Err(StoreError::Refused(_) | StoreError::Fork) => {
                self.want(name);
                return Ok(());
            }
            Err(error) => return Err(at_local(error)),
        }
        self.done.pulled = self.done.pulled.saturating_add(1);
        self.done.bytes = self.done.bytes.saturating_add(sealed.len() as u64);
        Ok(())
    }

    async fn push(&mut self, name: ChunkName) -> Result<(), Stopped> {
        let sealed = match self.local.chunk(self.access, name).await {
            // It is there and rotten: perhaps the other store gets a sound one, and then this one.
            Err(StoreError::Absent | StoreError::Damaged(_)) => {
                self.want(name);
                return Ok(());
            }
            sealed => sealed.map_err(at_local)?,
        };
        match self.remote.put(self.access, name, &sealed).await {
            Ok(()) => {}
            Err(StoreError::Refused(_) | StoreError::Fork | StoreError::Absent) => {
                self.want(name);
                return Ok(());
            }
            Err(error) => return Err(at_remote(error)),
        }
        self.done.pushed = self.done.pushed.saturating_add(1);
        self.done.bytes = self.done.bytes.saturating_add(sealed.len() as u64);
        Ok(())
    }

    /// Tells of a chunk, and asks for it again the next time.
    fn want(&mut self, name: ChunkName) {
        self.done.findings.push(Finding::Chunk(name));
        self.mark.wanted.insert(name);
    }
}

fn at_local(error: StoreError) -> Stopped {
    (Side::Local, error)
}

fn at_remote(error: StoreError) -> Stopped {
    (Side::Remote, error)
}
