// SPDX-License-Identifier: MIT OR Apache-2.0
//! A server's access log, watched: it only grows, under one key, and does not leave out that this device wrote.
//!
//! What is kept of it is the right edge of its tree. What came since is added to that, by leaves and by the roots of
//! whole subtrees, and must come to the root that the server signed: so the old tree begins the new one.
//! Source: spec/access-log.md, rules ACL-4 to ACL-8.

use std::collections::HashMap;

use aura_protocol::http::{OCTETS, ProblemKind, TEXT, path};
use aura_protocol::id::Hash;
use aura_protocol::limits::NOTE_BYTES_MAX;
use aura_protocol::log::{
    Checkpoint, Frontier, NoteKey, TILE_HEIGHT, TILE_LEVEL_MAX, TILE_WIDTH, TileKind, TilePath,
    access_log, open_note,
};
use reqwest::Method;

use super::call::Call;
use super::{Fault, HttpStore};

/// Bytes of a hash.
const HASH_BYTES: usize = 32;

/// What is remembered of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogMark {
    /// The key that signs it.
    pub key: [u8; 32],
    /// Its right edge, when it was looked at last.
    pub frontier: Frontier,
}

/// What is wrong with a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum LogFinding {
    /// It has fewer leaves than before.
    Shrank,
    /// It does not begin with what it was before, or does not come to the root that is signed.
    Forked,
    /// Another key signs it.
    OtherKey,
    /// It is there no more, or did not grow although this device wrote.
    Silent,
}

/// Whether this device has written since the log was looked at last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Since {
    /// It has.
    Wrote,
    /// It may have asked, and no more.
    Asked,
}

/// What came of a look: what to remember, and what is wrong.
pub type Looked = (Option<LogMark>, Option<LogFinding>);

impl HttpStore {
    /// Looks whether the vault's access log has only grown since. A server that never had one has none to lose.
    ///
    /// # Errors
    /// When it is not reached, or answers with what is no log.
    pub async fn look_at_log(&self, mark: Option<&LogMark>, since: Since) -> Result<Looked, Fault> {
        let note = match self.log_bytes("checkpoint", (TEXT, NOTE_BYTES_MAX)).await {
            Err(fault) if fault.kind() == Some(ProblemKind::Absent) => {
                return Ok((mark.cloned(), mark.map(|_| LogFinding::Silent)));
            }
            note => note?,
        };
        let Some(mark) = mark else { return self.begin(&note, self.log_key().await?).await };
        let Ok(checkpoint) = open_note(&note, &access_log(self.vault(), mark.key)) else {
            let key = self.log_key().await?;
            let why = if key == mark.key { LogFinding::Forked } else { LogFinding::OtherKey };
            return Ok((self.begin(&note, key).await?.0, Some(why)));
        };
        let (before, now) = (mark.frontier.size(), checkpoint.size);
        if now < before {
            return Ok((self.begin(&note, mark.key).await?.0, Some(LogFinding::Shrank)));
        }
        let grown = self.grow(mark.frontier.clone(), now).await?;
        if grown.root() != checkpoint.root {
            return Ok((self.begin(&note, mark.key).await?.0, Some(LogFinding::Forked)));
        }
        let is_silent = now == before && since == Since::Wrote;
        let grown = LogMark { key: mark.key, frontier: grown };
        Ok((Some(grown), is_silent.then_some(LogFinding::Silent)))
    }

    /// A log that nothing is remembered of, from its first leaf.
    async fn begin(&self, note: &[u8], key: [u8; 32]) -> Result<Looked, Fault> {
        const NONE: Fault = Fault::Answer("its access log is none");
        let named = access_log(self.vault(), key);
        let Checkpoint { size, root, .. } = open_note(note, &named).map_err(|_| NONE)?;
        let frontier = self.grow(Frontier::new(), size).await?;
        if frontier.root() != root {
            return Ok((None, Some(LogFinding::Forked)));
        }
        Ok((Some(LogMark { key, frontier }), None))
    }

    /// The log's key, as the server tells it (ACL-6).
    async fn log_key(&self) -> Result<[u8; 32], Fault> {
        const NONE: Fault = Fault::Answer("its access log has no key");
        let text = self.log_bytes("key", (TEXT, NOTE_BYTES_MAX)).await?;
        let key = core::str::from_utf8(&text).ok().and_then(|text| NoteKey::parse(text.trim_end()));
        let key = key.ok_or(NONE)?;
        if key == access_log(self.vault(), key.key) { Ok(key.key) } else { Err(NONE) }
    }

    /// Adds what came until the log had so many leaves: whole subtrees, as large as they fit (ACL-7).
    async fn grow(&self, mut frontier: Frontier, size: u64) -> Result<Frontier, Fault> {
        let mut tiles: HashMap<(u32, u64), Vec<u8>> = HashMap::new();
        while frontier.size() < size {
            let (at, left) = (frontier.size(), size.saturating_sub(frontier.size()));
            let fits = |level: &u32| {
                let leaves = 1u64 << (level * TILE_HEIGHT);
                at.is_multiple_of(leaves) && leaves <= left
            };
            let level = (0..=TILE_LEVEL_MAX).rev().find(fits).unwrap_or_default();
            let number = at >> (level * TILE_HEIGHT);
            let (tile, place) = (number / TILE_WIDTH, number % TILE_WIDTH);
            if !tiles.contains_key(&(level, tile)) {
                let all = size >> (level * TILE_HEIGHT);
                let width = all.saturating_sub(tile.saturating_mul(TILE_WIDTH)).min(TILE_WIDTH);
                // Only what is to the right is wanted still.
                tiles.retain(|(other, _), _| *other != level);
                tiles.insert((level, tile), self.tile(level, tile, width).await?);
            }
            let hashes = tiles.get(&(level, tile)).map(Vec::as_slice).unwrap_or_default();
            let hash = usize::try_from(place).ok().and_then(|at| hashes.chunks(HASH_BYTES).nth(at));
            let hash = hash.and_then(Hash::from_slice).ok_or(SHORT)?;
            if !frontier.push_subtree(level * TILE_HEIGHT, hash) {
                return Err(SHORT);
            }
        }
        Ok(frontier)
    }

    async fn tile(&self, level: u32, number: u64, width: u64) -> Result<Vec<u8>, Fault> {
        let path = TilePath { kind: TileKind::Hashes(level), number, width };
        let bytes = usize::try_from(width).unwrap_or_default().saturating_mul(HASH_BYTES);
        let tile = self.log_bytes(&path.to_string(), (OCTETS, bytes)).await?;
        if tile.len() == bytes { Ok(tile) } else { Err(SHORT) }
    }

    async fn log_bytes(&self, name: &str, answer: (&'static str, usize)) -> Result<Vec<u8>, Fault> {
        self.send(Call::bare(Method::GET, &format!("{}{name}", path::LOG), answer)).await
    }
}

const SHORT: Fault = Fault::Answer("its access log lacks hashes that it should have");
