// SPDX-License-Identifier: MIT OR Apache-2.0
//! Adopting other devices' snapshots, and this one's own.
//!
//! A snapshot is read through once before anything is let go of (`super::examine`). Of one that is refused nobody
//! lets go of anything, since this device never says that it has applied it. Source: spec/snapshot.md, rules
//! SNP-2, SNP-3 and SNP-7.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::PoisonError;

use aura_protocol::authority::Snapshot;
use aura_protocol::id::{CollectionId, DeviceId, Hash, RecordId};

use super::covered::{Covered, reindex};
use super::examine::{Sound, Unsound};
use super::scope::Scope;
use super::{Freshness, Open, OpenError, Side, index_rows, lock, settle_side};
use crate::change::{self, Writes};
use crate::db::{Adopted, Db};
use crate::feed::Commit;
use crate::keyring::Purpose;
use crate::op::{Carried, Op};
use crate::record::Category;
use crate::view;
use crate::views::Views;

/// Under what is remembered that one is being adopted.
const ADOPTING: &str = "adopting";

/// The vault's snapshots, and what became of them here.
#[derive(Debug, Clone)]
pub(crate) struct Told {
    pub(crate) adopted: BTreeSet<Hash>,
    /// Of which this device says that it has adopted them, also where another one covers them by now: who comes later
    /// may need its word.
    pub(crate) owed: Vec<Snapshot>,
    pub(crate) refused: BTreeMap<Hash, (DeviceId, Unsound)>,
}

impl Open {
    /// Adopts the snapshots of one side that are there and were not adopted before. The views follow.
    pub(super) fn adopt_side(&self, views: &Views, side: Side) -> Result<(), OpenError> {
        let bases = self.bases.read().unwrap_or_else(PoisonError::into_inner).clone();
        let mut adopted_bases = views.adopted_bases()?;
        let mut in_force = bases.in_force(&adopted_bases);
        let mut waiting: Vec<&Snapshot> = Vec::new();
        for base in bases.iter().filter(|base| self.side(base.feed.collection) == side) {
            if adopted_bases.contains(&base.id) || lock(&self.refused).contains_key(&base.id) {
                continue;
            }
            let applied = views.db.applied(base.feed)?;
            if self.reach(base.feed).upto(applied, applied) < base.range.1 {
                continue;
            }
            let is_past = in_force.iter().any(|later| later.supersedes(base));
            // Or it was let go of itself: whoever did that had adopted a later one.
            if is_past
                || self.log.floor(base.feed)?.number >= base.range.0
                // One that covers another one is compared with what that one leaves.
                || waiting.iter().any(|earlier| base.supersedes(earlier))
            {
                continue;
            }
            if self.must_wait(views, &bases, base)? {
                waiting.extend((!self.is_disowned(&bases, base)?).then_some(base));
                continue;
            }
            let Some(category) = self.sole_category(base) else {
                if self.has_purpose(base.feed.collection) {
                    lock(&self.refused).insert(base.id, Unsound::Collection);
                }
                continue;
            };
            let mut beside = Covered::default();
            in_force.iter().filter(|other| !base.supersedes(other)).for_each(|it| beside.add(it));
            let scope = Scope::new(base, category, (views.adopted()?, beside));
            let late = match self.try_base(views, &scope, &bases)? {
                Ok(Sound { late, going }) => {
                    if let Some(going) = going
                        && !self.has_waited(views, (&bases, base), going)?
                    {
                        waiting.extend((!self.is_disowned(&bases, base)?).then_some(base));
                        continue;
                    }
                    late
                }
                Err(Some(unsound)) => {
                    lock(&self.refused).insert(base.id, unsound);
                    continue;
                }
                Err(None) => {
                    self.note_incomparable(views, base.id)?;
                    continue;
                }
            };
            let was_cut_short = views.db.recall(ADOPTING)?.is_some_and(|id| !id.is_empty());
            views.db.remember(ADOPTING, &base.id.0)?;
            self.each_part(base, &mut |after, upto, records| {
                for adopted in
                    scope.with_part((after, upto, records), |part| views.db.adopt(part))?
                {
                    match adopted {
                        Adopted::Changed(row) => {
                            index_rows(views, &[row], Freshness::PerhapsIndexed)?;
                        }
                        Adopted::Gone(id) => views.index.delete(id)?,
                    }
                }
                Ok(())
            })?
            .map_err(|_| OpenError::Passed)?;
            if was_cut_short {
                reindex(views)?;
            }
            views.note_indexed(base);
            // The index first: what it lacks of an adopted snapshot could not be read again.
            settle_side(views)?;
            views.note_adopted(base)?;
            adopted_bases.insert(base.id);
            in_force = bases.in_force(&adopted_bases);
            views.db.remember(ADOPTING, &[])?;
            lock(&self.unsaid).extend(late);
        }
        Ok(())
    }

    /// Says again what this device's own late changes stood on and what went with a snapshot: whoever changed a
    /// record that others had let go of meant all of it.
    pub(crate) fn say_again(&self) -> Result<(), OpenError> {
        let late = core::mem::take(&mut *lock(&self.unsaid));
        for (id, values) in late {
            let Some(row) = self.record_row(id)?.filter(|row| row.state.is_live()) else {
                continue;
            };
            let lost: Writes = values
                .into_iter()
                .filter(|(path, _)| !row.state.has_path(path))
                .map(|(path, value)| (path, Some(value)))
                .collect();
            if lost.is_empty() {
                continue;
            }
            let texts =
                lost.iter().filter_map(|(path, value)| Some((path.as_str(), value.as_deref()?)));
            let mut added = Vec::new();
            for name in view::blobs_of(texts).iter().flat_map(|(_, blob)| blob.chunk_names()) {
                added.extend(self.log.claims(name)?.into_iter().next());
            }
            added.sort_by_key(|chunk| chunk.name);
            added.dedup_by_key(|chunk| chunk.name);
            let change = change::write_op(row.id, row.kind(), &row.state, lost);
            self.write(|pen| {
                let clock = pen.tick(self.clock.now_ms());
                let op = Op { clock, author: String::new(), change };
                let mut batch = self.batch(Purpose::Category(row.category), vec![op])?;
                batch.added = added;
                Ok((Commit { batches: vec![batch], ..Commit::default() }, ()))
            })?;
        }
        Ok(())
    }

    /// The category of a base's collection, if that is the only collection of its category (OPS-15).
    fn sole_category(&self, base: &Snapshot) -> Option<Category> {
        self.with_keyring(|keyring| match keyring.purpose(base.feed.collection)? {
            Purpose::Category(category) => {
                let is_sole = keyring.collections(Purpose::Category(category)).nth(1).is_none();
                is_sole.then_some(category)
            }
            Purpose::Audit => None,
        })
    }

    /// Whether it is known here what a collection is for.
    fn has_purpose(&self, collection: CollectionId) -> bool {
        self.with_keyring(|keyring| keyring.purpose(collection).is_some())
    }

    /// Adopts in a database of its own what the views have adopted.
    pub(crate) fn adopt_beside(&self, views: &Views, db: &Db, side: Side) -> Result<(), OpenError> {
        let bases = self.bases.read().unwrap_or_else(PoisonError::into_inner).clone();
        let mut before = Covered::default();
        let in_force = bases.in_force(&views.adopted_bases()?);
        for base in in_force.iter().filter(|base| self.side(base.feed.collection) == side) {
            let Some(category) = self.sole_category(base) else { continue };
            let scope = Scope::new(base, category, (before.clone(), Covered::default()));
            let read = self.each_part(base, &mut |after, upto, records| {
                scope.with_part((after, upto, records), |part| db.adopt(part))?;
                Ok(())
            })?;
            read.map_err(|_| OpenError::Passed)?;
            before.add(base);
        }
        Ok(())
    }

    /// The snapshots that were adopted and that no other adopted one covers, and why others were refused.
    pub(crate) fn told_bases(&self) -> Result<Told, OpenError> {
        let all = self.bases.read().unwrap_or_else(PoisonError::into_inner).clone();
        let known = self.adopted_bases()?;
        let adopted = all.in_force(&known).iter().map(|base| base.id).collect();
        let owed = all.iter().filter(|base| known.contains(&base.id)).cloned().collect();
        // Of those that are refused and those that took their places.
        let mut judged = known;
        judged.extend(lock(&self.refused).keys());
        let reason = |base: &Snapshot| {
            let refused = lock(&self.refused);
            refused.get(&base.id).map(|reason| (base.id, (base.feed.device, *reason)))
        };
        let refused = all.last_of(&judged).iter().filter_map(reason).collect();
        Ok(Told { adopted, owed, refused })
    }

    /// Of what is behind a second lock that is shut nothing is known.
    pub(super) fn adopted_bases(&self) -> Result<BTreeSet<Hash>, OpenError> {
        let mut adopted = self.first.adopted_bases()?;
        if let Some(second) = self.second() {
            adopted.extend(second.adopted_bases()?);
        }
        Ok(adopted)
    }

    /// What is left of a record that a snapshot carries, if it does.
    pub(crate) fn carried(
        &self,
        record: RecordId,
        category: Category,
    ) -> Result<Vec<Carried>, OpenError> {
        let bases = self.bases.read().unwrap_or_else(PoisonError::into_inner).clone();
        let mut carried = Vec::new();
        for base in bases.in_force(&self.adopted_bases()?).iter() {
            if self.sole_category(base) == Some(category) {
                carried.extend(self.find_carried(base, record)?);
            }
        }
        Ok(carried)
    }
}
