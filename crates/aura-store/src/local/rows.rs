// SPDX-License-Identifier: MIT OR Apache-2.0
//! The local store's rows, as admission asks for them.

use std::collections::BTreeSet;

use aura_protocol::entry::Entry;
use aura_protocol::head::{Head, Position};
use aura_protocol::id::{ChunkName, CollectionId, DeviceId, FeedId, Hash, Incarnation};
use aura_protocol::signed::Signed;
use aura_protocol::store::{StoreError, StoredHead};
use rusqlite::Connection;

use super::feed::{self, FeedRow};
use super::{forget, head};
use crate::rows::{Life, Rows, Sums};

impl Rows for Connection {
    type Key = i64;

    fn feed(&self, feed: &FeedId) -> Result<Option<FeedRow>, StoreError> {
        feed::find(self, feed)
    }

    fn feed_or_make(&self, feed: &FeedId) -> Result<FeedRow, StoreError> {
        feed::find_or_make(self, feed)
    }

    fn feeds_of(&self, (device, incarnation): Life) -> Result<Vec<FeedRow>, StoreError> {
        feed::of_incarnation(self, device, incarnation)
    }

    fn authority_feeds(&self) -> Result<Vec<FeedRow>, StoreError> {
        let mut rows = feed::all(self)?;
        rows.retain(|row| row.feed.collection == CollectionId::AUTHORITY);
        Ok(rows)
    }

    fn update(&self, row: &FeedRow) -> Result<(), StoreError> {
        feed::update(self, row)
    }

    fn insert(&self, row: &mut FeedRow, entry: &Entry, hash: Hash) -> Result<(), StoreError> {
        feed::insert(self, row, entry, hash)
    }

    fn replace(&self, row: &FeedRow, entry: &Entry) -> Result<(), StoreError> {
        feed::replace(self, row, entry)
    }

    fn unstage(&self, row: &mut FeedRow, number: u64) -> Result<(), StoreError> {
        feed::unstage(self, row, number)
    }

    fn has_any(&self, row: &FeedRow, range: (u64, u64)) -> Result<bool, StoreError> {
        feed::has_any(self, row, range)
    }

    fn let_go(&self, row: &mut FeedRow, upto: Position) -> Result<u64, StoreError> {
        feed::let_go(self, row, upto)
    }

    fn named_only_by(
        &self,
        doomed: &[(FeedRow, Position)],
    ) -> Result<BTreeSet<ChunkName>, StoreError> {
        forget::named_only_by(self, doomed)
    }

    fn hash_at(&self, row: &FeedRow, number: u64) -> Result<Option<Hash>, StoreError> {
        feed::hash_at(self, row, number)
    }

    fn scan(
        &self,
        row: &FeedRow,
        range: (u64, u64),
        limit: usize,
        take: &mut dyn FnMut(Entry) -> bool,
    ) -> Result<(), StoreError> {
        feed::scan(self, row, range, limit, take)
    }

    fn authority_bytes(&self, device: DeviceId) -> Result<Sums, StoreError> {
        feed::authority_bytes(self, device)
    }

    fn newest(&self, (device, incarnation): Life) -> Result<Option<Position>, StoreError> {
        head::newest(self, device, incarnation)
    }

    fn all_newest(&self) -> Result<Vec<(DeviceId, Incarnation, Position)>, StoreError> {
        head::all_positions(self)
    }

    fn has_head(&self, life: Life, at: Position) -> Result<bool, StoreError> {
        head::is_there(self, life, at)
    }

    fn head(
        &self,
        (device, incarnation): Life,
        at: Position,
    ) -> Result<Option<StoredHead>, StoreError> {
        head::at(self, device, incarnation, at)
    }

    fn keep(&self, head: &Head, signed: &Signed<Head>) -> Result<(), StoreError> {
        head::keep(self, head, signed)
    }

    fn show(&self, head: &Head, signed: &Signed<Head>) -> Result<(), StoreError> {
        head::show(self, head, signed)
    }

    fn other_lives(&self, (device, incarnation): Life) -> Result<Sums, StoreError> {
        head::others(self, device, incarnation)
    }

    fn largest_head(&self, (device, incarnation): Life) -> Result<u64, StoreError> {
        head::largest(self, device, incarnation)
    }

    fn other_heads_bytes(&self, (device, incarnation): Life) -> Result<Sums, StoreError> {
        head::bytes_of_others(self, device, incarnation)
    }
}
