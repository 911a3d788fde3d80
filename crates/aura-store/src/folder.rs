// SPDX-License-Identifier: MIT OR Apache-2.0
//! A plain directory as a blind store: a USB stick, a NAS, what Syncthing or Dropbox carries; or a bucket, a WebDAV
//! or an SFTP server with the same files in it.
//!
//! Passive: nothing guards it, so files are immutable, named by what they hold, and put if absent; the
//! writer checks that what it adds links, and every reader verifies everything again, since anybody may
//! have put anything there. A head whose entries are not (yet) there is shown all the same: whether it
//! is incomplete or withheld is for `replicate` to say. Signatures and the device list are checked where
//! the entries go, in an active store. Links are not followed. Source: spec/folder.md.

mod files;

mod disk;

mod run;

#[cfg(any(feature = "s3", feature = "webdav", feature = "sftp"))]
pub mod far;

mod feed;

mod head;

mod judge;

mod forget;

#[cfg(feature = "postgres")]
mod shelf;

mod pairing;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use aura_protocol::authority::Roster;
use aura_protocol::entry::Entry;
use aura_protocol::head::{Head, Position};
use aura_protocol::id::{ChunkName, CollectionId, DeviceId, FeedId, Hash, Incarnation, VaultId};
use aura_protocol::limits::CHUNK_BYTES_MAX;
use aura_protocol::signed::Signed;
use aura_protocol::store::{Access, BlindStore, Heads, Receipt, Signers, StoreError, StoredHead};

use self::disk::Disk;
#[cfg(any(feature = "s3", feature = "webdav", feature = "sftp"))]
use self::far::{Far, Secret};
use self::feed::FeedRuns;
use self::files::{Done, Files, Put};
use self::head::{HeadFiles, Kept};
use self::judge::{Found, Judge};
pub use self::pairing::FolderBox;
#[cfg(feature = "postgres")]
pub use self::shelf::FolderShelf;
use crate::layout::FolderLayout;
use crate::local::Clock;
use crate::wait::{Bell, deadline};

type Known = [(DeviceId, Incarnation, Position)];

/// A directory that keeps vaults.
pub struct FolderStore {
    files: Arc<dyn Files>,
    kept: Kept,
    found: Found,
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
        Ok(Self::of(Arc::new(Disk::open(folder)?), now_ms))
    }

    /// The store in a place that is reached over a network. Nothing is sent yet.
    ///
    /// # Errors
    /// When no connection can be prepared, or the certificate's file cannot be read.
    #[cfg(any(feature = "s3", feature = "webdav", feature = "sftp"))]
    pub fn far(place: &Far, secret: Option<&Secret>, now_ms: Clock) -> Result<Self, StoreError> {
        Ok(Self::of(far::open(place, secret)?, now_ms))
    }

    fn of(files: Arc<dyn Files>, now_ms: Clock) -> Self {
        let (kept, found, bell) = (Kept::default(), Found::default(), Bell::default());
        Self { files, kept, found, now_ms, bell }
    }

    /// The vaults that the directory keeps, ascending. Whatever is not named and made like one is passed over.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub async fn vaults(&self) -> Result<Vec<VaultId>, StoreError> {
        self.files.is_there().await?;
        let mut vaults = Vec::new();
        for name in self.files.names(Path::new("")).await? {
            let vault = VaultId::parse(&name).filter(|vault| vault.to_string() == name);
            let Some(vault) = vault else { continue };
            if self.files.has_directory(&FolderLayout::inside(vault).heads()).await? {
                vaults.push(vault);
            }
        }
        Ok(vaults)
    }

    /// Whether the directory is there and shows what is in it to whoever asks so.
    ///
    /// # Errors
    /// When it does not.
    pub async fn probe(&self) -> Result<(), StoreError> {
        self.files.is_there().await?;
        self.files.names(Path::new("")).await.map(drop)
    }

    async fn enter(&self, access: &Access) -> Result<FolderLayout, StoreError> {
        if let Access::Collections { until_ms, .. } = access
            && (self.now_ms)() >= *until_ms
        {
            return Err(StoreError::Forbidden);
        }
        // A disk that was pulled out is an error, not an empty vault.
        self.files.is_there().await?;
        Ok(FolderLayout::inside(access.vault()))
    }

    fn heads_of(&self, access: &Access) -> HeadFiles<'_> {
        HeadFiles { files: &*self.files, kept: &self.kept, vault: access.vault() }
    }

    fn judge(&self, access: &Access) -> Judge<'_> {
        Judge { files: &*self.files, heads: self.heads_of(access), found: &self.found }
    }

    fn allow(&self, access: &Access, feed: &FeedId) -> Result<(), StoreError> {
        let is_allowed = access.allows(feed.collection, (self.now_ms)());
        if is_allowed { Ok(()) } else { Err(StoreError::Forbidden) }
    }
}

#[async_trait]
impl BlindStore for FolderStore {
    async fn heads(&self, access: &Access, known: &Known) -> Result<Heads, StoreError> {
        self.enter(access).await?;
        Ok(Heads::answer(self.heads_of(access).newest().await?, known))
    }

    async fn push(
        &self,
        access: &Access,
        head: &Signed<Head>,
        entries: &[Entry],
    ) -> Result<Receipt, StoreError> {
        self.enter(access).await?;
        let claim =
            head.claim().map_err(|_| StoreError::Refused("a head that is not well-formed"))?;
        if claim.vault != access.vault() {
            return Err(StoreError::Refused("a head of another vault"));
        }
        for entry in entries {
            belongs(&claim, entry)?;
            self.allow(access, &entry.header().feed)?;
        }
        let judge = self.judge(access);
        // Statements first: they may say that another feed begins later.
        let is_statement =
            |entry: &Entry| entry.header().feed.collection == CollectionId::AUTHORITY;
        let of_feeds = entries.chunk_by(|a, b| a.header().feed == b.header().feed);
        let (statements, others): (Vec<_>, Vec<_>) =
            of_feeds.partition(|of_feed| of_feed.first().is_some_and(is_statement));
        for of_feed in statements.into_iter().chain(others) {
            write(&judge, of_feed).await?;
        }
        let missing = missing(&judge, &claim, entries).await?;
        if missing.is_empty() {
            // FLD-4: last of all, so that a tool that keeps the order brings it last too.
            self.heads_of(access).write(&claim, head).await?;
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
        self.enter(access).await?;
        self.allow(access, &feed)?;
        let held = self.judge(access).runs(&feed).await?;
        if held.is_empty() {
            return Err(StoreError::Absent);
        }
        held.read(after, limit).await
    }

    async fn put(&self, access: &Access, name: ChunkName, sealed: &[u8]) -> Result<(), StoreError> {
        let layout = self.enter(access).await?;
        if sealed.is_empty() || sealed.len() > CHUNK_BYTES_MAX {
            return Err(StoreError::Refused("a chunk of a size that none has"));
        }
        let (path, beside) = (layout.chunks().chunk(name), layout.new_files());
        if self.files.write(&path, &beside, (sealed, Put::IfAbsent)).await? == Done::Written {
            return Ok(());
        }
        match self.files.read(&path, CHUNK_BYTES_MAX).await? {
            Some(present) if present == sealed => Ok(()),
            // FLD-10: names are random, so this is damage or an attack; which one is right, only what
            // names the chunk can tell.
            _ => Err(StoreError::Fork),
        }
    }

    async fn chunk(&self, access: &Access, name: ChunkName) -> Result<Vec<u8>, StoreError> {
        let path = self.enter(access).await?.chunks().chunk(name);
        self.files.read(&path, CHUNK_BYTES_MAX).await?.ok_or(StoreError::Absent)
    }

    async fn has(&self, access: &Access, names: &[ChunkName]) -> Result<Vec<bool>, StoreError> {
        let layout = self.enter(access).await?;
        let mut has = Vec::with_capacity(names.len());
        for name in names {
            has.push(self.files.has(&layout.chunks().chunk(*name)).await?);
        }
        Ok(has)
    }

    async fn head(
        &self,
        access: &Access,
        life: (DeviceId, Incarnation),
        at: Position,
    ) -> Result<Signed<Head>, StoreError> {
        self.enter(access).await?;
        self.heads_of(access).read(life, at).await?.ok_or(StoreError::Absent)
    }

    fn learn(&self, signers: &Signers) {
        self.kept.learn(signers);
    }

    async fn forget(&self, access: &Access, base: Hash) -> Result<u64, StoreError> {
        self.enter(access).await?;
        // Of the vault, not of some of its collections.
        match access {
            Access::Vault(_) => forget::forget(&self.judge(access), base).await,
            Access::Collections { .. } => Err(StoreError::Forbidden),
        }
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
            let pause = Duration::from_millis(self.files.look_ms());
            let look = now.checked_add(pause).unwrap_or(end);
            self.bell.wait(rung, end.min(look)).await;
        }
    }
}

/// Writes entries of one feed. FLD-19: where a snapshot covers what is not there, the feed goes on after it.
async fn write(judge: &Judge<'_>, entries: &[Entry]) -> Result<(), StoreError> {
    let Some(first) = entries.first().map(Entry::header) else { return Ok(()) };
    let mut runs = judge.runs(&first.feed).await?;
    let before = Position { number: first.number.saturating_sub(1), hash: first.previous };
    if before.number > runs.reach() && covers(judge, &mut runs, before).await? {
        runs.begin_after(before);
    }
    runs.write(entries).await
}

/// Whether a snapshot covers a feed right up to here; then that is written down.
async fn covers(
    judge: &Judge<'_>,
    runs: &mut FeedRuns<'_>,
    at: Position,
) -> Result<bool, StoreError> {
    let feed = runs.feed();
    let judged = judge.judged().await?;
    let mut bases = judged.devices.roster().into_iter().flat_map(Roster::snapshots);
    let Some(base) = bases.find(|base| base.covers(feed) == at) else {
        return Ok(false);
    };
    runs.mark(&at, base.id).await.map(|()| true)
}

/// Feeds of the head that do not yet reach it.
async fn missing(
    judge: &Judge<'_>,
    head: &Head,
    with: &[Entry],
) -> Result<Vec<(FeedId, u64)>, StoreError> {
    let mut missing = Vec::new();
    for (collection, position) in &head.feeds {
        let feed = head.feed(*collection);
        let mut held = judge.runs(&feed).await?;
        match held.reach() {
            reach if reach < position.number => {
                // A head may stand where the covering ends: then there is nothing to push. Looked for only when
                // nothing was, since it takes reading the statements.
                if with.is_empty() && covers(judge, &mut held, *position).await? {
                    continue;
                }
                missing.push((feed, reach));
            }
            _ if held.has_at(position).await? => {}
            _ => return Err(StoreError::Fork),
        }
    }
    Ok(missing)
}

/// STO-2, as the writer sees it.
fn belongs(head: &Head, entry: &Entry) -> Result<(), StoreError> {
    let header = entry.header();
    let is_own = header.vault == head.vault
        && header.feed == head.feed(header.feed.collection)
        && header.number <= head.position(header.feed.collection).number;
    if is_own { Ok(()) } else { Err(StoreError::Refused("an entry that its head does not cover")) }
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
        assert_eq!(pollster::block_on(store.vaults()).unwrap(), [one]);
    }
}
