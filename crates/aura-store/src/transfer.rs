// SPDX-License-Identifier: MIT OR Apache-2.0
//! Carries the chunks of attachments between two stores, after the entries that name them.
//!
//! Apart from `crate::replicate`, so that small entries overtake large chunks: a caller gives each call a
//! budget and replicates in between. What was seen to is remembered by feed, so the work is proportional to
//! what is new. Source: spec/replicate.md, rules REP-11 to REP-13 and REP-20.
//! Sizes in bytes.

use std::collections::{BTreeMap, BTreeSet};

use aura_protocol::entry::Entry;
use aura_protocol::head::Head;
use aura_protocol::id::{ChunkName, DeviceId, FeedId};
use aura_protocol::limits::READ_ENTRIES_MAX;
use aura_protocol::store::{Access, BlindStore, StoreError};

use crate::replicate::{Finding, Side};

/// Names that are asked for at a time.
const NAMES_MAX: usize = 1024;
/// Chunks that are nowhere, at most, of all devices that have written. Each has an equal share of them, so
/// that names of nothing keep only further chunks of the same device from coming.
const WANTED_MAX: usize = 65_536;

/// How far two stores have been seen to hold the same chunks. Lost or reset, it is found again by looking at
/// every entry.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChunkMark {
    /// The last entry of each feed whose chunks were seen to.
    pub seen_to: BTreeMap<FeedId, u64>,
    /// Chunks that neither store had, or that did not arrive, by the device whose entries name them.
    pub wanted: BTreeMap<DeviceId, BTreeSet<ChunkName>>,
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
        self.ask_again().await?;
        let heads = self.local.heads(self.access, &[]).await.map_err(at_local)?.news;
        let heads: Vec<Head> = heads.iter().filter_map(|stored| stored.head.claim().ok()).collect();
        let devices: BTreeSet<_> = heads.iter().map(|head| head.device).collect();
        let share = WANTED_MAX.checked_div(devices.len()).unwrap_or_default().max(1);
        for head in &heads {
            for (collection, position) in &head.feeds {
                self.see_to(head.feed(*collection), position.number, share).await?;
            }
        }
        Ok(())
    }

    /// Asks for the chunks that were nowhere.
    async fn ask_again(&mut self) -> Result<(), Stopped> {
        let mut wanted = std::mem::take(&mut self.mark.wanted).into_iter();
        while let Some((device, names)) = wanted.next() {
            let names: Vec<_> = names.into_iter().collect();
            let mut parts = names.chunks(NAMES_MAX);
            while let Some(part) = parts.next() {
                match self.settle(part).await {
                    Ok(left) => self.wanted_of(device).extend(left),
                    Err(stopped) => {
                        self.wanted_of(device).extend(part.iter().chain(parts.flatten()));
                        self.mark.wanted.extend(wanted);
                        return Err(stopped);
                    }
                }
            }
        }
        self.mark.wanted.retain(|_, names| !names.is_empty());
        Ok(())
    }

    fn wanted_of(&mut self, device: DeviceId) -> &mut BTreeSet<ChunkName> {
        self.mark.wanted.entry(device).or_default()
    }

    /// The chunks that a feed's entries name, up to this one, as long as its device has not used up its share.
    async fn see_to(&mut self, feed: FeedId, upto: u64, share: usize) -> Result<(), Stopped> {
        let mut after = self.mark.seen_to.get(&feed).copied().unwrap_or_default();
        while after < upto {
            if self.done.bytes >= self.budget_bytes {
                self.done.has_more = true;
                return Ok(());
            }
            // More than this are nowhere: that is no reason to be called again at once.
            if self.mark.wanted.get(&feed.device).is_some_and(|wanted| wanted.len() >= share) {
                return Ok(());
            }
            let read = self.local.read(self.access, feed, after, READ_ENTRIES_MAX).await;
            let entries = match read {
                // What was let go of names nothing that anybody needs.
                Err(StoreError::Forgotten { upto, .. }) if upto > after => {
                    after = upto;
                    continue;
                }
                // It is healed from elsewhere and comes again; the others do not wait for it.
                Err(StoreError::DamagedEntry { .. }) => return Ok(()),
                entries => entries.map_err(at_local)?,
            };
            let left = self.settle_all(&entries).await?;
            match self.note(&entries, &left, share) {
                Some(last) => after = last,
                None => return Ok(()),
            }
        }
        Ok(())
    }

    /// Brings what these entries name to where it is not; what is left.
    async fn settle_all(&mut self, entries: &[Entry]) -> Result<BTreeSet<ChunkName>, Stopped> {
        let names = entries.iter().flat_map(|entry| &entry.header().added);
        let names: BTreeSet<_> = names.map(|chunk| chunk.name).collect();
        let mut left = BTreeSet::new();
        for names in names.into_iter().collect::<Vec<_>>().chunks(NAMES_MAX) {
            left.extend(self.settle(names).await?);
        }
        Ok(left)
    }

    /// Notes that these entries were seen to, and what of their chunks is left. Of an entry that would go beyond
    /// its device's share so much as fits is noted, and it is looked at again. Says with which entry it ended.
    fn note(&mut self, entries: &[Entry], left: &BTreeSet<ChunkName>, share: usize) -> Option<u64> {
        for entry in entries {
            let wanted = self.wanted_of(entry.header().feed.device);
            for chunk in entry.header().added.iter().filter(|chunk| left.contains(&chunk.name)) {
                if wanted.len() >= share && !wanted.contains(&chunk.name) {
                    return None;
                }
                wanted.insert(chunk.name);
            }
            self.mark.seen_to.insert(entry.header().feed, entry.header().number);
        }
        entries.last().map(|entry| entry.header().number)
    }

    /// Brings each of these chunks to where it is not; those that are left.
    async fn settle(&mut self, names: &[ChunkName]) -> Result<Vec<ChunkName>, Stopped> {
        let here = self.local.has(self.access, names).await.map_err(at_local)?;
        let there = self.remote.has(self.access, names).await.map_err(at_remote)?;
        // A store that answers fewer questions than it was asked has nothing of the rest.
        let there = there.into_iter().chain(std::iter::repeat(false));
        let mut left = Vec::new();
        for ((name, is_here), is_there) in names.iter().zip(here).zip(there) {
            let is_settled = match (is_here, is_there) {
                (true, true) => true,
                // REP-13: the rest comes first the next time.
                _ if self.done.bytes >= self.budget_bytes => {
                    self.done.has_more = true;
                    false
                }
                (true, false) => self.push(*name).await?,
                (false, true) => self.pull(*name).await?,
                (false, false) => false,
            };
            if !is_settled {
                left.push(*name);
            }
        }
        Ok(left)
    }

    /// Whether it is here now.
    async fn pull(&mut self, name: ChunkName) -> Result<bool, Stopped> {
        let sealed = match self.remote.chunk(self.access, name).await {
            Err(StoreError::Absent | StoreError::Damaged(_)) => {
                self.done.findings.push(Finding::Chunk(name));
                return Ok(false);
            }
            sealed => sealed.map_err(at_remote)?,
        };
        match self.local.put(self.access, name, &sealed).await {
            Ok(()) => {}
            Err(StoreError::Refused(_) | StoreError::Fork) => {
                self.done.findings.push(Finding::Chunk(name));
                return Ok(false);
            }
            Err(error) => return Err(at_local(error)),
        }
        self.done.pulled = self.done.pulled.saturating_add(1);
        self.done.bytes = self.done.bytes.saturating_add(sealed.len() as u64);
        Ok(true)
    }

    /// Whether it is there now.
    async fn push(&mut self, name: ChunkName) -> Result<bool, Stopped> {
        let sealed = match self.local.chunk(self.access, name).await {
            // It is there and rotten: perhaps the other store gets a sound one, and then this one.
            Err(StoreError::Absent | StoreError::Damaged(_)) => {
                self.done.findings.push(Finding::Chunk(name));
                return Ok(false);
            }
            sealed => sealed.map_err(at_local)?,
        };
        match self.remote.put(self.access, name, &sealed).await {
            Ok(()) => {}
            Err(StoreError::Refused(_) | StoreError::Fork | StoreError::Absent) => {
                self.done.findings.push(Finding::Chunk(name));
                return Ok(false);
            }
            Err(error) => return Err(at_remote(error)),
        }
        self.done.pushed = self.done.pushed.saturating_add(1);
        self.done.bytes = self.done.bytes.saturating_add(sealed.len() as u64);
        Ok(true)
    }
}

fn at_local(error: StoreError) -> Stopped {
    (Side::Local, error)
}

fn at_remote(error: StoreError) -> Stopped {
    (Side::Remote, error)
}
