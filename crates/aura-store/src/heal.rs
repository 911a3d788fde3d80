// SPDX-License-Identifier: MIT OR Apache-2.0
//! Has another store put right what is damaged in this device's own.
//!
//! Two stores with the same heads have nothing to replicate, though an entry of one of them rotted: so exactly
//! what is known to be damaged is asked for, and taken only if it is what the rest of the feed, or the entry
//! that names the chunk, says. A damaged head comes with `crate::replicate`. Source: spec/replicate.md, rule
//! REP-21; spec/store.md, rule STO-25.

use aura_protocol::id::{ChunkName, FeedId};
use aura_protocol::store::{Access, BlindStore, LocalLog as _, StoreError};

use crate::local::{Damage, LocalStore};
use crate::replicate::{Finding, Side};

/// What came of it.
#[derive(Debug, Default)]
pub struct Healed {
    /// Entries that are sound again.
    pub entries: u64,
    /// Chunks that are.
    pub chunks: u64,
    /// What the other store gave, or did not give.
    pub findings: Vec<Finding>,
    /// What ended it early. What was healed until then is.
    pub stopped: Option<(Side, StoreError)>,
}

/// Asks the other store for every entry and chunk that [`LocalStore::damaged`] names. What is left is named
/// there after it.
pub async fn heal(local: &LocalStore, remote: &dyn BlindStore, access: &Access) -> Healed {
    let mut healing = Healing { local, remote, access, done: Healed::default() };
    healing.done.stopped = healing.run().await.err();
    healing.done
}

type Stopped = (Side, StoreError);

struct Healing<'a> {
    local: &'a LocalStore,
    remote: &'a dyn BlindStore,
    access: &'a Access,
    done: Healed,
}

impl Healing<'_> {
    async fn run(&mut self) -> Result<(), Stopped> {
        // From the end of a feed: which entry belongs in a place, the one after it says.
        for damage in self.local.damaged().into_iter().rev() {
            match damage {
                Damage::Entry(feed, number) => self.entry(feed, number).await?,
                Damage::Chunk(name) => self.chunk(name).await?,
                Damage::Head(..) | Damage::Structure => {}
            }
        }
        Ok(())
    }

    async fn entry(&mut self, feed: FeedId, number: u64) -> Result<(), Stopped> {
        // A statement is kept twice: of one row the other is made again, whatever the other store has.
        if let Ok(entry) = self.local.entry(feed, number)
            && self.local.heal(&entry).is_ok()
        {
            self.done.entries = self.done.entries.saturating_add(1);
            return Ok(());
        }
        let after = number.saturating_sub(1);
        let mut entries = match self.remote.read(self.access, feed, after, 1).await {
            Ok(entries) => entries.into_iter(),
            Err(StoreError::Absent) => Vec::new().into_iter(),
            Err(StoreError::Damaged(_) | StoreError::DamagedEntry { .. }) => {
                self.tell(Finding::Damaged { feed, number, at: Side::Remote });
                return Ok(());
            }
            Err(error) => return Err((Side::Remote, error)),
        };
        let Some(entry) = entries.next() else {
            self.tell(Finding::Incomplete { feed, after });
            return Ok(());
        };
        let is_asked_for = entry.header().feed == feed && entry.header().number == number;
        if !is_asked_for || entries.next().is_some() {
            self.tell(Finding::Unasked(feed));
        }
        if !is_asked_for {
            return Ok(());
        }
        match self.local.heal(&entry) {
            Ok(()) => self.done.entries = self.done.entries.saturating_add(1),
            Err(StoreError::Fork | StoreError::Absent) => {
                let why = "an entry that does not belong where one is damaged";
                let FeedId { device, incarnation, .. } = feed;
                self.tell(Finding::Refused { device, incarnation, by: Side::Local, why });
            }
            Err(error) => return Err((Side::Local, error)),
        }
        Ok(())
    }

    async fn chunk(&mut self, name: ChunkName) -> Result<(), Stopped> {
        let sealed = match self.remote.chunk(self.access, name).await {
            Err(StoreError::Absent | StoreError::Damaged(_)) => {
                self.tell(Finding::Chunk(name));
                return Ok(());
            }
            sealed => sealed.map_err(|error| (Side::Remote, error))?,
        };
        match self.local.put(self.access, name, &sealed).await {
            Ok(()) => self.done.chunks = self.done.chunks.saturating_add(1),
            Err(StoreError::Refused(_) | StoreError::Fork | StoreError::Absent) => {
                self.tell(Finding::Chunk(name));
            }
            Err(error) => return Err((Side::Local, error)),
        }
        Ok(())
    }

    /// It stays damaged; the others may be had all the same.
    fn tell(&mut self, finding: Finding) {
        self.done.findings.push(finding);
    }
}
