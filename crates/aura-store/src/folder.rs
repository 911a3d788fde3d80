// SPDX-License-Identifier: MIT OR Apache-2.0
//! A plain directory as a blind store: a USB stick, a NAS, or what Syncthing or Dropbox carries.
//!
//! Passive: nothing guards it, so files are immutable, named by what they hold, and put if absent; the
//! writer checks that what it adds links, and every reader verifies everything again, since anybody may
//! have put anything there. A head whose entries are not (yet) there is shown all the same: whether it
//! is incomplete or withheld is for `replicate` to say. Signatures and the device list are checked where
//! the entries go, in an active store. Links are not followed. Source: spec/folder.md.

mod place;

mod run;

mod feed;

mod head;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use aura_protocol::entry::Entry;
use aura_protocol::head::{Head, Position};
use aura_protocol::id::{ChunkName, DeviceId, FeedId, Incarnation, VaultId};
use aura_protocol::limits::CHUNK_BYTES_MAX;
use aura_protocol::signed::Signed;
use aura_protocol::store::{Access, BlindStore, Heads, Receipt, StoreError, StoredHead};

use self::feed::FeedRuns;
use crate::durable;
use crate::layout::FolderLayout;
use crate::local::{Clock, io_failed};
use crate::wait::{Bell, deadline};

/// How often a watch looks, in milliseconds: nothing tells it when a tool brings a file.
const LOOK_MS: u64 = 1_000;

type Known = [(DeviceId, Incarnation, Position)];

/// A directory that keeps vaults.
pub struct FolderStore {
    folder: PathBuf,
    now_ms: Clock,
    bell: Bell,
}

impl core::fmt::Debug for FolderStore {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("FolderStore").finish_non_exhaustive()
    }
}

impl FolderStore {
    /// The store in a directory, which must exist: an unmounted disk is not an empty store.
    ///
    /// # Errors
    /// When it is not there.
    pub fn open(folder: &Path, now_ms: Clock) -> Result<Self, StoreError> {
        match std::fs::metadata(folder) {
            Ok(meta) if meta.is_dir() => {}
            Ok(_) => return Err(StoreError::Absent),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(StoreError::Absent);
            }
            Err(error) => return Err(io_failed(error)),
        }
        Ok(Self { folder: folder.to_path_buf(), now_ms, bell: Bell::default() })
    }

    /// The vaults that the directory keeps, ascending. Whatever is not named and made like one is passed over.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub fn vaults(&self) -> Result<Vec<VaultId>, StoreError> {
        let names = durable::names(&self.folder).map_err(io_failed)?;
        let vaults = names.iter().filter_map(|name| {
            let vault = VaultId::parse(name).filter(|vault| vault.to_string() == *name)?;
            let layout = FolderLayout::new(&self.folder, vault);
            let is_one = layout.heads().is_dir() && place::is_plain(&layout, &layout.heads());
            is_one.then_some(vault)
        });
        Ok(vaults.collect())
    }

    fn layout(&self, access: &Access) -> Result<FolderLayout, StoreError> {
        if let Access::Collections { until_ms, .. } = access
            && (self.now_ms)() >= *until_ms
        {
            return Err(StoreError::Forbidden);
        }
        // A disk that was pulled out is an error, not an empty vault.
        if !self.folder.is_dir() {
            return Err(StoreError::Absent);
        }
        Ok(FolderLayout::new(&self.folder, access.vault()))
    }

    fn allow(&self, access: &Access, feed: &FeedId) -> Result<(), StoreError> {
        let is_allowed = access.allows(feed.collection, (self.now_ms)());
        if is_allowed { Ok(()) } else { Err(StoreError::Forbidden) }
    }
}

#[async_trait]
impl BlindStore for FolderStore {
    async fn heads(&self, access: &Access, known: &Known) -> Result<Heads, StoreError> {
        let newest = head::newest(&self.layout(access)?, access.vault())?;
        Ok(Heads::answer(newest, known))
    }

    async fn push(
        &self,
        access: &Access,
        head: &Signed<Head>,
        entries: &[Entry],
    ) -> Result<Receipt, StoreError> {
        let layout = self.layout(access)?;
        let claim =
            head.claim().map_err(|_| StoreError::Refused("a head that is not well-formed"))?;
        if claim.vault != access.vault() {
            return Err(StoreError::Refused("a head of another vault"));
        }
        for entry in entries {
            belongs(&claim, entry)?;
            self.allow(access, &entry.header().feed)?;
        }
        prepare(&layout)?;
        for of_feed in entries.chunk_by(|a, b| a.header().feed == b.header().feed) {
            feed::write(&layout, of_feed)?;
        }
        let missing = missing(&layout, &claim)?;
        if missing.is_empty() {
            // FLD-4: last of all, so that a tool that keeps the order brings it last too.
            head::write(&layout, &claim, head)?;
            self.bell.ring();
        }
        Ok(Receipt { missing })
    }

    async fn read(
        &self,
        access: &Access,
        feed: FeedId,
        after: u64,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        let layout = self.layout(access)?;
        self.allow(access, &feed)?;
        let held = FeedRuns::list(&layout, access.vault(), &feed)?;
        if held.is_empty() {
            return Err(StoreError::Absent);
        }
        held.read(after, limit)
    }

    async fn put(&self, access: &Access, name: ChunkName, sealed: &[u8]) -> Result<(), StoreError> {
        let layout = self.layout(access)?;
        if sealed.is_empty() || sealed.len() > CHUNK_BYTES_MAX {
            return Err(StoreError::Refused("a chunk of a size that none has"));
        }
        prepare(&layout)?;
        let chunks = layout.chunks();
        let path = chunk_path(&layout, name)?;
        let limit = CHUNK_BYTES_MAX as u64;
        match durable::read(&path, limit).map_err(io_failed)? {
            Some(present) if present == sealed => return Ok(()),
            // FLD-10: names are random, so this is damage or an attack; which one is right, only what
            // names the chunk can tell.
            Some(_) => return Err(StoreError::Fork),
            None => {}
        }
        durable::directory(chunks.root()).map_err(io_failed)?;
        durable::directory(&chunks.shelf(name)).map_err(io_failed)?;
        durable::write(&path, &layout.new_files(), sealed).map_err(io_failed)
    }

    async fn chunk(&self, access: &Access, name: ChunkName) -> Result<Vec<u8>, StoreError> {
        let layout = self.layout(access)?;
        let bytes = durable::read(&chunk_path(&layout, name)?, CHUNK_BYTES_MAX as u64);
        bytes.map_err(io_failed)?.ok_or(StoreError::Absent)
    }

    async fn has(&self, access: &Access, names: &[ChunkName]) -> Result<Vec<bool>, StoreError> {
        let layout = self.layout(access)?;
        let has = |name: &ChunkName| {
            let size = durable::size_bytes(&chunk_path(&layout, *name)?).map_err(io_failed)?;
            Ok(size.is_some())
        };
        names.iter().map(has).collect()
    }

    async fn head(
        &self,
        access: &Access,
        life: (DeviceId, Incarnation),
        at: Position,
    ) -> Result<Signed<Head>, StoreError> {
        let layout = self.layout(access)?;
        head::read(&layout, access.vault(), life, at)?.ok_or(StoreError::Absent)
    }

    async fn watch(
        &self,
        access: &Access,
        known: &Known,
        wait_ms: u64,
    ) -> Result<Vec<StoredHead>, StoreError> {
        let end = deadline(wait_ms);
        loop {
            let rung = self.bell.rung();
            let news = self.heads(access, known).await?.news;
            let now = Instant::now();
            if !news.is_empty() || now >= end {
                return Ok(news);
            }
            let look = now.checked_add(Duration::from_millis(LOOK_MS)).unwrap_or(end);
            self.bell.wait(rung, end.min(look)).await;
        }
    }
}

/// Makes the vault's own directories.
fn prepare(layout: &FolderLayout) -> Result<(), StoreError> {
    durable::directory(layout.root()).map_err(io_failed)?;
    durable::directory(&layout.new_files()).map_err(io_failed)
}

/// Where a chunk is, unless a link stands on the way.
fn chunk_path(layout: &FolderLayout, name: ChunkName) -> Result<PathBuf, StoreError> {
    let is_plain = place::is_plain(layout, &layout.chunks().shelf(name));
    let path = layout.chunks().chunk(name);
    if is_plain { Ok(path) } else { Err(StoreError::Damaged(place::LINK)) }
}

/// STO-2, as the writer sees it.
fn belongs(head: &Head, entry: &Entry) -> Result<(), StoreError> {
    let header = entry.header();
    let is_own = header.vault == head.vault
        && header.feed == head.feed(header.feed.collection)
        && header.number <= head.position(header.feed.collection).number;
    if is_own { Ok(()) } else { Err(StoreError::Refused("an entry that its head does not cover")) }
}

/// Feeds of the head that do not yet reach it.
fn missing(layout: &FolderLayout, head: &Head) -> Result<Vec<(FeedId, u64)>, StoreError> {
    let mut missing = Vec::new();
    for (collection, position) in &head.feeds {
        let feed = head.feed(*collection);
        let held = FeedRuns::list(layout, head.vault, &feed)?;
        match held.reach() {
            reach if reach < position.number => missing.push((feed, reach)),
            _ if held.has_at(position) => {}
            _ => return Err(StoreError::Fork),
        }
    }
    Ok(missing)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vaults_are_what_is_named_and_made_like_one() {
        let dir = tempfile::tempdir().unwrap();
        let (one, other) = (VaultId([1; 32]), VaultId([2; 32]));
        std::fs::create_dir_all(dir.path().join(one.to_string()).join("heads")).unwrap();
        std::fs::create_dir(dir.path().join(other.to_string())).unwrap();
        std::fs::create_dir_all(dir.path().join("AB".repeat(32)).join("heads")).unwrap();
        std::fs::write(dir.path().join(VaultId([3; 32]).to_string()), "a file").unwrap();
        let store = FolderStore::open(dir.path(), Box::new(|| 0)).unwrap();
        assert_eq!(store.vaults().unwrap(), [one]);
    }
}
