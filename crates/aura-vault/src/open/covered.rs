// SPDX-License-Identifier: MIT OR Apache-2.0
//! What each side's views have adopted: up to where snapshots cover each feed.

use std::collections::{BTreeMap, BTreeSet};

use aura_protocol::authority::Snapshot;
use aura_protocol::codec::{Decode as _, Encode as _, Reader, Writer};
use aura_protocol::id::{FeedId, Hash};

use super::positions::FEEDS_MAX;
use super::{Freshness, OpenError, index_rows, lock};
use crate::db::Which;
use crate::views::Views;

/// Under what is remembered that a snapshot was adopted, and up to where it covers each feed.
const ADOPTED: &str = "base/";
/// Records that are told to an empty index at a time.
const REINDEX_ROWS: usize = 256;

/// Up to where adopted snapshots cover each feed: what is not there of it is gone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Covered(BTreeMap<FeedId, u64>);

impl Covered {
    /// Up to which entry of a feed.
    pub(crate) fn upto(&self, feed: FeedId) -> u64 {
        self.0.get(&feed).copied().unwrap_or_default()
    }

    pub(super) fn add(&mut self, base: &Snapshot) {
        self.extend(base.covered.iter().map(|(feed, at)| (*feed, at.number)));
    }

    fn extend(&mut self, covered: impl IntoIterator<Item = (FeedId, u64)>) {
        for (feed, number) in covered {
            let upto = self.0.entry(feed).or_default();
            *upto = number.max(*upto);
        }
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Views {
    /// Up to where the snapshots that were adopted on this side cover each feed.
    pub(super) fn adopted(&self) -> Result<Covered, OpenError> {
        let mut all = Covered::default();
        for (_, bytes) in self.db.recall_all(ADOPTED)? {
            let mut reader = Reader::new(&bytes);
            let read =
                reader.array(FEEDS_MAX, |r| r.tuple(2, |r| Ok((FeedId::decode(r)?, r.uint()?))));
            let read = read.map_err(|_| crate::db::DbError::Damaged)?;
            all.extend(read);
        }
        Ok(all)
    }

    /// Up to which entry a feed is in one side's views, or covered by a snapshot that is.
    pub(crate) fn applied(&self, feed: FeedId) -> Result<u64, OpenError> {
        Ok(self.db.applied(feed)?.max(self.adopted()?.upto(feed)))
    }

    /// Up to which entry a feed is covered by snapshots that one side has adopted.
    pub(crate) fn covered_upto(&self, feed: FeedId) -> Result<u64, OpenError> {
        Ok(self.adopted()?.upto(feed))
    }

    /// Whether a snapshot was adopted here.
    pub(crate) fn has_adopted(&self, base: Hash) -> Result<bool, OpenError> {
        Ok(self.db.recall(&format!("{ADOPTED}{base}"))?.is_some())
    }

    /// The snapshots that were adopted here.
    pub(crate) fn adopted_bases(&self) -> Result<BTreeSet<Hash>, OpenError> {
        let known = self.db.recall_all(ADOPTED)?.into_iter();
        Ok(known.filter_map(|(name, _)| Hash::parse(name.strip_prefix(ADOPTED)?)).collect())
    }

    /// Notes that one was adopted.
    pub(super) fn note_adopted(&self, base: &Snapshot) -> Result<(), OpenError> {
        let mut w = Writer::new();
        w.array(base.covered.len());
        for (feed, at) in &base.covered {
            w.array(2);
            feed.encode(&mut w);
            w.uint(at.number);
        }
        Ok(self.db.remember(&format!("{ADOPTED}{}", base.id), &w.into_bytes())?)
    }

    /// Notes that the index has what is left of what it covers.
    pub(super) fn note_indexed(&self, base: &Snapshot) {
        let mut indexed = lock(&self.indexed);
        for (feed, at) in &base.covered {
            let upto = indexed.entry(*feed).or_default();
            *upto = at.number.max(*upto);
        }
    }

    /// Tells an index what its database has, from the beginning, if it lacks what could not be read again.
    pub(crate) fn reindex_if_behind(&self) -> Result<(), OpenError> {
        let covered = self.adopted()?;
        let is_behind = {
            let indexed = lock(&self.indexed);
            covered.0.iter().any(|(feed, number)| indexed.get(feed).is_none_or(|at| at < number))
        };
        if !is_behind || covered.is_empty() {
            return Ok(());
        }
        reindex(self)?;
        let mut indexed = lock(&self.indexed);
        for (feed, number) in self.db.feeds()?.into_iter().chain(covered.0) {
            let upto = indexed.entry(feed).or_default();
            *upto = number.max(*upto);
        }
        Ok(())
    }
}

/// Empties an index and tells it every record of its database.
pub(super) fn reindex(views: &Views) -> Result<(), OpenError> {
    views.index.clear()?;
    let mut after = None;
    loop {
        let rows = views.db.page(Which::Live, after, REINDEX_ROWS)?;
        let Some(last) = rows.last().map(|row| row.id) else { return Ok(()) };
        index_rows(views, &rows, Freshness::PerhapsIndexed)?;
        after = Some(last);
    }
}
