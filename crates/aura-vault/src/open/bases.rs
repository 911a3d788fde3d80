// SPDX-License-Identifier: MIT OR Apache-2.0
//! The snapshots that count, in the order in which they are adopted.
//!
//! One that a later one covers is adopted all the same, as long as it can be read and the later one was not: who let go
//! of entries under the first knows only by it what the second must not change. Source:
//! spec/snapshot.md, rules SNP-7 and SNP-9.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use aura_protocol::authority::{Device, Roster, Snapshot};
use aura_protocol::id::{CollectionId, DeviceId, Hash};

use super::lock;

/// Of those that were adopted, those that no other one covers.
type InForce = (BTreeSet<Hash>, Arc<[Snapshot]>);

/// Snapshots, each after those that it covers.
#[derive(Debug, Clone)]
pub(crate) struct Bases {
    all: Vec<Snapshot>,
    roster: Arc<Roster>,
    /// Which of those that were adopted last are in force: it is asked for with each record that is compared.
    in_force: Arc<Mutex<InForce>>,
}

impl Bases {
    pub(crate) fn new(roster: &Roster) -> Self {
        let mut all: Vec<Snapshot> = roster.snapshots().to_vec();
        let covers = |base: &Snapshot| {
            let all = roster.snapshots().iter();
            all.filter(|other| base.supersedes(other)).count()
        };
        all.sort_by_cached_key(covers);
        Self { all, roster: Arc::new(roster.clone()), in_force: Arc::default() }
    }

    /// All of them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Snapshot> {
        self.all.iter()
    }

    /// Those that were adopted, and that no other such one covers. What one says of itself that was not adopted, and be
    /// it that it covers everything, counts for nothing.
    pub(crate) fn in_force(&self, adopted: &BTreeSet<Hash>) -> Arc<[Snapshot]> {
        let mut known = lock(&self.in_force);
        if known.0 != *adopted {
            *known = (adopted.clone(), self.last_of(adopted).into());
        }
        Arc::clone(&known.1)
    }

    /// Of these those that no other one of these covers.
    pub(crate) fn last_of(&self, these: &BTreeSet<Hash>) -> Vec<Snapshot> {
        let these: Vec<_> = self.all.iter().filter(|base| these.contains(&base.id)).collect();
        let is_last = |base: &&Snapshot| !these.iter().any(|later| later.supersedes(base));
        these.iter().copied().filter(is_last).cloned().collect()
    }

    /// Whether a snapshot's device was revoked, and no other one has adopted it: then nobody does any more. Where another
    /// one has, what that one shows is what this one will.
    pub(crate) fn is_disowned(&self, base: &Snapshot, last: Hash, own: DeviceId) -> bool {
        let author = self.roster.device(base.feed.device);
        let is_revoked = author.is_none_or(|device| device.revoked.is_some());
        is_revoked && !self.is_adopted_by_another(base, last, own)
    }

    /// Whether a device has ever said that it adopted a snapshot of a collection, or one of which nothing is known any
    /// more: its author may have been revoked since.
    pub(crate) fn has_said(&self, device: DeviceId, collection: CollectionId) -> bool {
        self.roster.adopted_by(device).any(|id| {
            let known = self.all.iter().find(|base| base.id == id);
            known.is_none_or(|base| base.feed.collection == collection)
        })
    }

    /// Whether a device that lacks something, and is not new, heeds a snapshot: some device beside its author has adopted
    /// it, or nobody waits for this one, which was retired.
    pub(crate) fn is_heeded(&self, base: &Snapshot, last: Hash, own: DeviceId) -> bool {
        let is_retired = self.roster.device(own).is_some_and(|device| device.is_retired);
        is_retired || self.is_adopted_by_another(base, last, own)
    }

    fn is_adopted_by_another(&self, base: &Snapshot, last: Hash, own: DeviceId) -> bool {
        let devices = self.roster.devices().iter().filter(|(_, device)| device.is_active());
        let mut others = devices.filter(|(id, _)| **id != own && **id != base.feed.device);
        others.any(|(id, _)| self.roster.has_adopted(*id, base, last))
    }

    /// Whether a device has said that it adopted a snapshot that ends with this hash. Its author has, by making it.
    pub(crate) fn is_said(&self, base: &Snapshot, last: Hash, device: DeviceId) -> bool {
        self.roster.has_adopted(device, base, last)
    }

    /// Whether a snapshot that ends with this hash may be taken at its word by a device that has not what it covers: the
    /// device itself has compared it before, or every other one that counts has. Its author alone vouches for nothing.
    /// Two that came lately and lack the same do not wait for each other: whoever was listed later, and has written
    /// nothing that is covered, is not waited for.
    pub(crate) fn is_vouched(&self, base: &Snapshot, last: Hash, own: DeviceId) -> bool {
        let has_adopted = |id: &DeviceId| self.roster.has_adopted(*id, base, last);
        let order = self.roster.device(own).map_or(usize::MAX, |device| device.order);
        let is_waited_for = |(id, device): &(&DeviceId, &Device)| {
            let counts = device.is_active() && !device.is_retired && **id != own;
            let has_written = base.covered.keys().any(|feed| feed.device == **id);
            counts && (device.order < order || has_written)
        };
        let mut others = self.roster.devices().iter().filter(is_waited_for);
        has_adopted(&own) || others.all(|(id, _)| has_adopted(id))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic is a failed test")]

    use aura_protocol::authority::decode_body;
    use aura_testkit::author::Author;
    use aura_testkit::seed::Seed;

    use super::*;

    const NOTES: CollectionId = CollectionId([7; 16]);
    const LAST: Hash = Hash([9; 32]);

    /// SNP-9: whom a device that lacks something waits for: everybody listed before it, and who wrote what is covered.
    #[test]
    fn snp_9_who_vouches_for_a_snapshot() {
        let mut seed = Seed::new(1);
        let (mut first, genesis) = Author::founder(&mut seed);
        let mut said = vec![genesis];
        let mut pair = || {
            let (device, entry) = first.pair(&mut seed);
            said.push(entry);
            device
        };
        let [mut maker, mut own, mut late] = [pair(), pair(), pair()];
        drop(late.entry(NOTES, vec![1; 60]));
        let of_late = vec![(late.feed(NOTES), late.position(NOTES))];
        let ids = [Vec::new(), of_late].map(|covered| {
            let (entry, id) = maker.base(NOTES, (1, 1), covered);
            said.push(entry);
            id
        });
        let vouched = |said: &[aura_protocol::entry::Entry]| {
            let said = said.iter().flat_map(|entry| decode_body(entry.body()).unwrap());
            let judged = Roster::judge(own.vault(), &said.collect::<Vec<_>>());
            let bases = Bases::new(&judged.unwrap().0);
            ids.map(|id| {
                let base = bases.iter().find(|base| base.id == id).unwrap();
                bases.is_vouched(base, LAST, own.device())
            })
        };
        assert_eq!(vouched(&said), [false; 2], "its maker alone vouches for nothing");
        said.extend(ids.map(|id| first.adopt(id, LAST)));
        assert_eq!(vouched(&said), [true, false], "the late one wrote what the second covers");
        said.extend(ids.map(|id| late.adopt(id, LAST)));
        assert_eq!(vouched(&said), [true; 2]);
        // Who has ever said it of a collection, or of what nobody knows any more.
        let (vault, ids) = (own.vault(), [first.device(), own.device()]);
        let has_said = |said: &[aura_protocol::entry::Entry], of| {
            let said = said.iter().flat_map(|entry| decode_body(entry.body()).unwrap());
            let judged = Roster::judge(vault, &said.collect::<Vec<_>>());
            let bases = Bases::new(&judged.unwrap().0);
            ids.map(|id| bases.has_said(id, of))
        };
        let other = CollectionId([8; 16]);
        assert_eq!([has_said(&said, NOTES), has_said(&said, other)], [[true, false], [false; 2]]);
        said.push(own.adopt(Hash([5; 32]), LAST));
        assert_eq!([has_said(&said, NOTES), has_said(&said, other)], [[true; 2], [false, true]]);
    }

    /// SNP-9, SNP-10: of whom nothing may go on a snapshot's author's word alone, and what a revoked author's is worth.
    #[test]
    fn snp_10_whose_word_counts_beside_the_authors() {
        let mut seed = Seed::new(1);
        let (mut first, genesis) = Author::founder(&mut seed);
        let (mut maker, added) = first.pair(&mut seed);
        let (base, id) = maker.base(NOTES, (1, 1), Vec::new());
        let mut said = vec![genesis, added, base];
        let (vault, own, author) = (first.vault(), first.device(), maker.device());
        let judged = |said: &[aura_protocol::entry::Entry]| {
            let said = said.iter().flat_map(|entry| decode_body(entry.body()).unwrap());
            let judged = Roster::judge(vault, &said.collect::<Vec<_>>());
            let bases = Bases::new(&judged.unwrap().0);
            let base = bases.iter().find(|base| base.id == id).unwrap();
            let of = |own| (bases.is_heeded(base, LAST, own), bases.is_disowned(base, LAST, own));
            [of(own), of(author)]
        };
        assert_eq!(judged(&said), [(false, false); 2]);
        let mut retired = said.clone();
        retired.push(maker.retire(own));
        assert_eq!(judged(&retired), [(true, false), (false, false)]);
        let adopted = first.adopt(id, LAST);
        let revoked = first.revoke(author, Vec::new());
        said.push(revoked);
        assert_eq!(judged(&said), [(false, true); 2]);
        said.push(adopted);
        assert_eq!(judged(&said)[0], (false, true), "its own word is not another one's");
        assert_eq!(judged(&said)[1], (true, false));
    }
}
