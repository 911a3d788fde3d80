// SPDX-License-Identifier: MIT OR Apache-2.0
//! Opened blocks of index files, shared by all files, within a fixed number of bytes.
//!
//! Second chance: a block that was used since it was last looked at goes to the back of the queue
//! once more. Blocks are wiped when they leave, unless a reader still holds them; the wiping is an
//! effort, not a promise, since tantivy keeps copies of its own.
//! Sizes in bytes; a span is a number of whole blocks that are asked for together.

use std::collections::{HashMap, VecDeque};
use std::hint::black_box;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Independent parts, so that threads rarely wait for each other.
const SHARDS: usize = 8;

/// Where blocks come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Span {
    /// Which file, by a number that is never used twice.
    pub(super) file: u64,
    /// The first block.
    pub(super) first: usize,
    /// How many blocks.
    pub(super) count: usize,
}

/// The cache.
pub(super) struct BlockCache {
    shards: [Mutex<Shard>; SHARDS],
    shard_bytes_max: usize,
}

#[derive(Default)]
struct Shard {
    entries: HashMap<Span, Entry>,
    queue: VecDeque<Span>,
    bytes: usize,
}

struct Entry {
    bytes: Arc<[u8]>,
    is_used: bool,
}

impl BlockCache {
    /// A cache of at most this many bytes.
    pub(super) fn new(bytes_max: usize) -> Self {
        Self { shards: Default::default(), shard_bytes_max: bytes_max / SHARDS }
    }

    /// Whether something of this size is kept at all.
    pub(super) fn keeps(&self, bytes: usize) -> bool {
        bytes <= self.shard_bytes_max / 2
    }

    /// What is known of the span.
    pub(super) fn find(&self, span: Span) -> Option<Arc<[u8]>> {
        let mut shard = self.shard(span);
        let entry = shard.entries.get_mut(&span)?;
        entry.is_used = true;
        Some(Arc::clone(&entry.bytes))
    }

    /// Remembers the span, and forgets others where there is no room.
    pub(super) fn insert(&self, span: Span, bytes: &Arc<[u8]>) {
        if !self.keeps(bytes.len()) {
            return;
        }
        let mut shard = self.shard(span);
        let entry = Entry { bytes: Arc::clone(bytes), is_used: false };
        if let Some(old) = shard.entries.insert(span, entry) {
            // Two readers opened the same blocks; the queue has the span already.
            shard.bytes = shard.bytes.saturating_sub(old.bytes.len());
        } else {
            shard.queue.push_back(span);
        }
        shard.bytes = shard.bytes.saturating_add(bytes.len());
        shard.shrink(self.shard_bytes_max);
    }

    /// Forgets everything about a file.
    pub(super) fn forget(&self, file: u64) {
        for shard in &self.shards {
            let mut shard = lock(shard);
            let gone: Vec<_> = shard.queue.iter().copied().filter(|s| s.file == file).collect();
            gone.iter().for_each(|span| shard.remove(span));
            shard.queue.retain(|span| span.file != file);
        }
    }

    fn shard(&self, span: Span) -> MutexGuard<'_, Shard> {
        // Neighbours go to different shards; files begin at different ones.
        let file = usize::try_from(span.file % SHARDS as u64).unwrap_or_default();
        let [first, ..] = &self.shards;
        lock(self.shards.get(span.first.wrapping_add(file) % SHARDS).unwrap_or(first))
    }
}

fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shard {
    fn shrink(&mut self, bytes_max: usize) {
        while self.bytes > bytes_max {
            let Some(span) = self.queue.pop_front() else { break };
            match self.entries.get_mut(&span) {
                Some(entry) if entry.is_used => {
                    entry.is_used = false;
                    self.queue.push_back(span);
                }
                _ => self.remove(&span),
            }
        }
    }

    fn remove(&mut self, span: &Span) {
        if let Some(entry) = self.entries.remove(span) {
            self.bytes = self.bytes.saturating_sub(entry.bytes.len());
            drop(entry);
        }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        if let Some(bytes) = Arc::get_mut(&mut self.bytes) {
            wipe(bytes);
        }
    }
}

/// Overwrites bytes in a way that the compiler may not leave out.
pub(super) fn wipe(bytes: &mut [u8]) {
    bytes.fill(0);
    black_box(bytes);
}

impl std::fmt::Debug for BlockCache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("BlockCache(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(first: usize) -> Span {
        // One shard, whatever the number.
        Span { file: 0, first: first * SHARDS, count: 1 }
    }

    fn block(byte: u8) -> Arc<[u8]> {
        vec![byte; 100].into()
    }

    #[test]
    fn what_is_used_stays_and_the_bound_is_kept() {
        let cache = BlockCache::new(SHARDS * 300);
        for number in 0..3 {
            cache.insert(span(number), &block(1));
        }
        assert!(cache.find(span(0)).is_some());
        cache.insert(span(3), &block(1));
        assert!(cache.find(span(0)).is_some(), "used, so it got a second chance");
        assert!(cache.find(span(1)).is_none());
        assert!(lock(&cache.shards[0]).bytes <= 300);
        assert!(!cache.keeps(200));
    }

    #[test]
    fn a_deleted_file_leaves_nothing() {
        let cache = BlockCache::new(SHARDS * 300);
        cache.insert(span(0), &block(1));
        cache.insert(Span { file: 1, first: 7, count: 1 }, &block(2));
        cache.forget(0);
        assert!(cache.find(span(0)).is_none());
        assert!(cache.find(Span { file: 1, first: 7, count: 1 }).is_some());
        assert_eq!(lock(&cache.shards[0]).bytes, 100);
    }
}
