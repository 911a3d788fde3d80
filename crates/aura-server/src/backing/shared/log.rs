// SPDX-License-Identifier: MIT OR Apache-2.0
//! Access logs in the database that all nodes share: one log of each vault, to which nodes append in turn.
//!
//! A node's counts of a minute are its own until the minute is over. Source: spec/access-log.md, ACL-1 to ACL-9.

use std::sync::Arc;

use aura_protocol::codec::{Decode as _, Encode as _};
use aura_protocol::id::{Hash, VaultId};
use aura_protocol::log::{Frontier, TILE_WIDTH, TileKind, TilePath, leaf_hash};
use aura_protocol::store::StoreError;
use aura_store::postgres::{Asking, Database};

use super::accounts::bytes;
use crate::access::{FRONTIER_BYTES_MAX, LEAVES_MAX, Leaf, Leaves, TEXTS_KEPT};

const BROKEN: StoreError = StoreError::Damaged("a row of an access log");

/// The leaves of a vault's log.
#[derive(Debug)]
pub(super) struct SharedLeaves {
    pub(super) database: Arc<Database>,
    pub(super) vault: VaultId,
}

impl Leaves for SharedLeaves {
    fn begin(&mut self, leaf: Vec<u8>) -> Result<(), StoreError> {
        self.database.ask_in_one(|asking| {
            let mut frontier = edge_or_make(asking, self.vault)?;
            if frontier.size() > 0 {
                return Ok(());
            }
            let leaf = (leaf_hash(&leaf), Some(leaf.as_slice()));
            append(asking, self.vault, &mut frontier, [leaf].into_iter())
        })
    }

    fn append(&mut self, leaves: &[Vec<u8>]) -> Result<(), StoreError> {
        self.database.ask_in_one(|asking| {
            // What a node counted before the account was closed at another one is not written any more (ACL-9).
            let Some(mut frontier) = edge(asking, self.vault)? else { return Ok(()) };
            let room = LEAVES_MAX.saturating_sub(frontier.size());
            if room < leaves.len() as u64 {
                return Ok(());
            }
            let leaves = leaves.iter().map(|leaf| (leaf_hash(leaf), Some(leaf.as_slice())));
            append(asking, self.vault, &mut frontier, leaves)
        })
    }

    fn take_over(&mut self, leaves: &[Leaf]) -> Result<(), StoreError> {
        self.database.ask_in_one(|asking| {
            let mut frontier = edge_or_make(asking, self.vault)?;
            let leaves = leaves.iter().map(|(hash, leaf)| (*hash, leaf.as_deref()));
            append(asking, self.vault, &mut frontier, leaves)
        })
    }

    fn settle(&mut self) -> Result<Frontier, StoreError> {
        let sql = "SELECT frontier FROM access_edges WHERE vault = $1";
        let rows = self.database.ask(|asking| asking.query(sql, &[&&self.vault.0[..]]))?;
        let Some(row) = rows.first() else { return Ok(Frontier::new()) };
        Frontier::from_bytes(bytes(row, 0).ok_or(BROKEN)?, FRONTIER_BYTES_MAX).map_err(|_| BROKEN)
    }

    fn tile(&self, path: TilePath) -> Result<Vec<Vec<u8>>, StoreError> {
        let from = path.number.checked_mul(TILE_WIDTH).and_then(|from| i64::try_from(from).ok());
        let Some(from) = from else { return Ok(Vec::new()) };
        let to = from.saturating_add(i64::try_from(path.width).unwrap_or_default());
        let vault = &self.vault.0[..];
        let rows = self.database.ask(|asking| match path.kind {
            TileKind::Hashes(level) => {
                let sql = "SELECT hash FROM access_hashes WHERE vault = $1 AND level = $2
                           AND number >= $3 AND number < $4 ORDER BY number";
                asking.query(sql, &[&vault, &i64::from(level), &from, &to])
            }
            TileKind::Entries => {
                let sql = "SELECT leaf FROM access_leaves WHERE vault = $1
                           AND number >= $2 AND number < $3 ORDER BY number";
                asking.query(sql, &[&vault, &from, &to])
            }
        })?;
        rows.iter().map(|row| bytes(row, 0).map(<[u8]>::to_vec).ok_or(BROKEN)).collect()
    }
}

/// Where the log stands, begun if it is not; whoever else appends to it waits from now on.
fn edge_or_make(asking: &mut Asking<'_>, vault: VaultId) -> Result<Frontier, StoreError> {
    let sql = "INSERT INTO access_edges (vault, frontier) VALUES ($1, $2) ON CONFLICT DO NOTHING";
    asking.change(sql, &[&&vault.0[..], &Frontier::new().to_bytes()])?;
    edge(asking, vault)?.ok_or(BROKEN)
}

/// Where the log stands, if there is one; whoever else appends to it waits from now on.
fn edge(asking: &mut Asking<'_>, vault: VaultId) -> Result<Option<Frontier>, StoreError> {
    let sql = "SELECT frontier FROM access_edges WHERE vault = $1 FOR UPDATE";
    let rows = asking.query(sql, &[&&vault.0[..]])?;
    let Some(row) = rows.first() else { return Ok(None) };
    let kept = bytes(row, 0).ok_or(BROKEN)?;
    Frontier::from_bytes(kept, FRONTIER_BYTES_MAX).map(Some).map_err(|_| BROKEN)
}

fn append<'a>(
    asking: &mut Asking<'_>,
    vault: VaultId,
    frontier: &mut Frontier,
    leaves: impl Iterator<Item = (Hash, Option<&'a [u8]>)>,
) -> Result<(), StoreError> {
    let vault = &vault.0[..];
    for (hash, leaf) in leaves {
        let number = frontier.size();
        if let Some(leaf) = leaf {
            let sql = "INSERT INTO access_leaves (vault, number, leaf) VALUES ($1, $2, $3)";
            asking.change(sql, &[&vault, &stored(number), &leaf])?;
        }
        frontier.push(hash);
        keep(asking, vault, (0, number), hash)?;
        if number.is_multiple_of(TILE_WIDTH) {
            let old = stored(number.saturating_sub(TEXTS_KEPT));
            let sql = "DELETE FROM access_leaves WHERE vault = $1 AND number < $2";
            asking.change(sql, &[&vault, &old])?;
        }
    }
    let sql = "UPDATE access_edges SET frontier = $2 WHERE vault = $1";
    asking.change(sql, &[&vault, &frontier.to_bytes()]).map(drop)
}

/// Keeps a hash, and those of the whole tiles that it completes.
fn keep(
    asking: &mut Asking<'_>,
    vault: &[u8],
    (mut level, mut number): (i64, u64),
    mut hash: Hash,
) -> Result<(), StoreError> {
    loop {
        let sql = "INSERT INTO access_hashes (vault, level, number, hash) VALUES ($1, $2, $3, $4)";
        asking.change(sql, &[&vault, &level, &stored(number), &&hash.0[..]])?;
        if !number.saturating_add(1).is_multiple_of(TILE_WIDTH) {
            return Ok(());
        }
        let from = stored(number.saturating_sub(TILE_WIDTH - 1));
        let sql = "SELECT hash FROM access_hashes WHERE vault = $1 AND level = $2
                   AND number >= $3 ORDER BY number";
        let mut tile = Frontier::new();
        for row in asking.query(sql, &[&vault, &level, &from])? {
            tile.push(bytes(&row, 0).and_then(Hash::from_slice).ok_or(BROKEN)?);
        }
        (level, number, hash) = (level.saturating_add(1), number / TILE_WIDTH, tile.root());
    }
}

fn stored(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
