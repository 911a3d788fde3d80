// SPDX-License-Identifier: MIT OR Apache-2.0
//! Which devices may add to a vault, as a store without a key can tell from the authority entries.
//!
//! A store needs less than a vault does: whose key signs a head, and where a revoked device or a closed
//! incarnation ended. It judges statements as a vault does. Source: spec/store.md, rule STO-4;
//! spec/authority.md, rules AUT-21 and AUT-23.

use std::collections::BTreeMap;

use aura_protocol::authority::{Extent, Placed, Roster, Snapshot, Standing, decode_body};
use aura_protocol::entry::Entry;
use aura_protocol::head::{Head, Position};
use aura_protocol::id::{CollectionId, DeviceId, FeedId, Hash, Incarnation, VaultId};
use aura_protocol::store::Signers;

/// A vault's devices, as far as a store must know them.
#[derive(Debug, Clone, Default)]
pub struct Devices {
    roster: Option<Roster>,
}

impl Devices {
    /// What these authority entries of a vault come to. Statements that do not count change nothing. `extent` says
    /// up to which authority entry a head that is known goes.
    pub fn listed_by<'a>(
        vault: VaultId,
        entries: impl IntoIterator<Item = &'a Entry>,
        extent: Extent<'_>,
    ) -> Self {
        let mut statements = Vec::new();
        for entry in entries {
            let header = entry.header();
            if header.feed.collection != CollectionId::AUTHORITY {
                continue;
            }
            let life = (header.feed.device, header.feed.incarnation);
            let said = decode_body(entry.body()).unwrap_or_default().into_iter();
            let number = header.number;
            statements.extend(said.map(|statement| Placed { life, number, statement }));
        }
        // Without a genesis nobody is listed.
        let judged = Roster::judge_placed(vault, &statements, extent).ok();
        Self { roster: judged.map(|(roster, _)| roster) }
    }

    /// The key that must have signed `head`, whose hash this is; `None` if its device is not listed, or
    /// was revoked or its incarnation closed before it.
    pub fn key_of(&self, head: &Head, hash: Hash) -> Option<[u8; 32]> {
        let roster = self.roster.as_ref()?;
        let position = Position { number: head.number, hash };
        match roster.standing(head.device, head.incarnation, position) {
            // A quarantined device's entries are kept; it is the vaults that let them wait.
            Standing::Accepted | Standing::Quarantined => {
                roster.device(head.device).map(|device| device.keys.sign)
            }
            Standing::Unlisted | Standing::Late => None,
        }
    }

    /// Devices that are revoked, and the device that said so.
    pub fn revoked(&self) -> BTreeMap<DeviceId, Option<DeviceId>> {
        let devices = self.roster.iter().flat_map(|roster| roster.devices().iter());
        let revoked = devices.filter(|(_, device)| device.revoked.is_some());
        revoked.map(|(id, device)| (*id, device.revoked_by)).collect()
    }

    /// The last accepted head of each incarnation that a revoke or a close names.
    pub fn last_heads(&self) -> Vec<(DeviceId, Incarnation, Position)> {
        let mut last = Vec::new();
        for (id, device) in self.roster.iter().flat_map(|roster| roster.devices().iter()) {
            let ends = device.revoked.iter().flatten().chain(&device.closed);
            for (incarnation, at) in ends.filter(|(_, at)| at.number > 0) {
                if device.standing(*incarnation, *at) != Standing::Late {
                    last.push((*id, *incarnation, *at));
                }
            }
        }
        last.sort_by_key(|(device, incarnation, _)| (*device, *incarnation));
        last.dedup();
        last
    }

    /// Whether this is the last head that is accepted of its incarnation.
    pub fn is_last(&self, head: &Head, hash: Hash) -> bool {
        let at = Position { number: head.number, hash };
        let is_same = |(device, incarnation, last): &(DeviceId, Incarnation, Position)| {
            (*device, *incarnation, *last) == (head.device, head.incarnation, at)
        };
        self.last_heads().iter().any(is_same)
    }

    /// By which key each device signs that is listed, revoked or not.
    pub fn signers(&self) -> Signers {
        let devices = self.roster.iter().flat_map(|roster| roster.devices().iter());
        devices.map(|(id, device)| (*id, device.keys.sign)).collect()
    }

    /// Every device that is listed, revoked or not.
    pub fn ids(&self) -> impl Iterator<Item = DeviceId> + '_ {
        self.roster.iter().flat_map(|roster| roster.devices().keys().copied())
    }

    /// The device that proves itself with this transport key: of those that list it the first one, unless that is
    /// revoked (PEE-3). Whoever lists another device's key as its own shuts nobody out when it is revoked.
    pub fn holder(&self, transport: &[u8; 32]) -> Option<DeviceId> {
        let devices = self.roster.iter().flat_map(|roster| roster.devices().iter());
        let holders = devices.filter(|(_, device)| device.keys.transport == *transport);
        let (id, first) = holders.min_by_key(|(_, device)| device.order)?;
        first.revoked.is_none().then_some(*id)
    }

    /// Whether a device is listed, revoked or not.
    pub fn lists(&self, device: DeviceId) -> bool {
        self.roster.as_ref().is_some_and(|roster| roster.device(device).is_some())
    }

    /// Whether a device is listed and waits to be confirmed.
    pub fn waits(&self, device: DeviceId) -> bool {
        let listed = self.roster.as_ref().and_then(|roster| roster.device(device));
        listed.is_some_and(|device| !device.is_confirmed)
    }

    /// A snapshot that counts. That another one says that it covers it takes nothing from it: every device that counts
    /// has adopted this one, or nobody lets go of anything under it.
    pub fn base(&self, id: Hash) -> Option<&Snapshot> {
        self.roster.as_ref()?.snapshots().iter().find(|base| base.id == id)
    }

    /// Up to where each snapshot covers a feed, also those that others have covered: ascending, none first.
    pub fn covered(&self, feed: FeedId) -> Vec<Position> {
        let bases = self.roster.iter().flat_map(Roster::snapshots);
        let mut covered: Vec<_> = bases.map(|base| base.covers(feed)).collect();
        covered.sort_unstable_by_key(|at| at.number);
        covered
    }

    /// Whether a snapshot, superseded or not, covers a feed right up to here.
    pub fn covers(&self, feed: FeedId, at: Position) -> bool {
        self.roster.as_ref().is_some_and(|roster| roster.has_covered(feed, at))
    }

    /// What the statements come to, if a genesis is among them.
    pub fn roster(&self) -> Option<&Roster> {
        self.roster.as_ref()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic is a failed test")]

    use aura_protocol::signed::Signed;
    use aura_testkit::author::Author;
    use aura_testkit::seed::Seed;

    use super::*;

    /// STO-14: the last heads are those that revokes name, where there is one, and no other head is one of them.
    #[test]
    fn the_last_heads_are_those_that_revokes_name() {
        let mut seed = Seed::new(1);
        let (mut author, genesis) = Author::founder(&mut seed);
        let (mut phone, phone_added) = author.pair(&mut seed);
        let (tablet, tablet_added) = author.pair(&mut seed);
        let before = phone.head();
        phone.entry(CollectionId([1; 16]), vec![1]);
        let last = phone.head();
        let at = |head: &Signed<Head>| {
            let number = head.claim().unwrap().number;
            Position { number, hash: head.hash() }
        };
        // Of a device that had written nothing, a revoke names no head.
        let none = vec![(tablet.incarnation(), Position::NONE)];
        let named = vec![(phone.incarnation(), at(&last))];
        let entries = [
            vec![genesis, phone_added, tablet_added],
            vec![author.revoke(phone.device(), named), author.revoke(tablet.device(), none)],
        ]
        .concat();
        let devices = Devices::listed_by(author.vault(), &entries, &|_, _, _| None);
        assert_eq!(devices.revoked().len(), 2);
        assert_eq!(devices.last_heads(), [(phone.device(), phone.incarnation(), at(&last))]);
        let is_last = |head: &Signed<Head>| devices.is_last(&head.claim().unwrap(), head.hash());
        assert!(is_last(&last));
        assert!(!is_last(&before) && !is_last(&author.head()));
        assert!(!devices.is_last(&last.claim().unwrap(), before.hash()));
        let other = Head { incarnation: Incarnation([9; 8]), ..last.claim().unwrap() };
        assert!(!devices.is_last(&other, last.hash()));
    }
}
