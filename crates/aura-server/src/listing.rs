// SPDX-License-Identifier: MIT OR Apache-2.0
//! Which devices of a vault may ask, as it was judged last: kept beside the account, so that it outlives the vault's
//! files.
//!
//! It holds transport keys and who is out. A store that lost its authority entries, or some of them, lets nobody in
//! whom a list that was judged from more of them had out. Source: spec/http.md, ACC-5 and ACC-13.

use std::collections::BTreeMap;

use aura_protocol::authority::Roster;
use aura_protocol::codec::{CodecError, Decode, Encode, Reader, Writer};
use aura_protocol::head::Position;
use aura_protocol::id::{CollectionId, DeviceId, FeedId, Incarnation};
use aura_protocol::limits::{DEVICES_MAX, LIVES_MAX};

/// How a device stands. What is further on counts more where two lists differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rank {
    /// It waits to be confirmed.
    Waiting,
    /// It is one of the vault's.
    Confirmed,
    /// It is out.
    Revoked,
}

/// A device that was ever listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listed {
    /// With which it proves who it is.
    pub transport: [u8; 32],
    /// How it stands.
    pub rank: Rank,
}

/// The devices of a vault, and from which of its authority entries that was judged.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Listing {
    devices: BTreeMap<DeviceId, Listed>,
    heard: BTreeMap<(DeviceId, Incarnation), u64>,
}

impl Listing {
    /// The devices of a roster that was judged from these feeds.
    pub fn of(roster: &Roster, feeds: &[(FeedId, Position)]) -> Self {
        let listed = |(id, device): (&DeviceId, &aura_protocol::authority::Device)| {
            let rank = match (device.revoked.is_some(), device.is_confirmed) {
                (true, _) => Rank::Revoked,
                (false, true) => Rank::Confirmed,
                (false, false) => Rank::Waiting,
            };
            (*id, Listed { transport: device.keys.transport, rank })
        };
        let feeds = feeds.iter().filter(|(feed, _)| feed.collection == CollectionId::AUTHORITY);
        Self {
            devices: roster.devices().iter().map(listed).collect(),
            heard: feeds.map(|(feed, at)| ((feed.device, feed.incarnation), at.number)).collect(),
        }
    }

    /// One device, which an account was opened by.
    pub fn of_one(device: DeviceId, transport: [u8; 32]) -> Self {
        let listed = Listed { transport, rank: Rank::Confirmed };
        Self { devices: BTreeMap::from([(device, listed)]), heard: BTreeMap::new() }
    }

    /// Whether this was judged from all that the other one was. Where that was no feed, it has all of its devices.
    pub fn covers(&self, other: &Self) -> bool {
        let has = |(life, number): (&(DeviceId, Incarnation), &u64)| {
            self.heard.get(life).is_some_and(|heard| heard >= number)
        };
        let has_all = || other.devices.keys().all(|id| self.devices.contains_key(id));
        other.heard.iter().all(has) && (!other.heard.is_empty() || has_all())
    }

    /// Both together: who is listed by either, and out by either.
    #[must_use]
    pub fn with(mut self, other: &Self) -> Self {
        for (id, listed) in &other.devices {
            let known = self.devices.entry(*id).or_insert(*listed);
            known.rank = known.rank.max(listed.rank);
        }
        self
    }

    /// A device that may ask: it is listed and not out.
    pub fn member(&self, device: DeviceId) -> Option<&Listed> {
        self.devices.get(&device).filter(|listed| listed.rank != Rank::Revoked)
    }

    /// Whether a device is listed, not out, and waits for nobody.
    pub fn is_confirmed(&self, device: DeviceId) -> bool {
        self.member(device).is_some_and(|listed| listed.rank == Rank::Confirmed)
    }

    /// Whether a device with this transport key is out.
    pub fn has_out(&self, transport: &[u8; 32]) -> bool {
        let is_out = |one: &Listed| one.transport == *transport && one.rank == Rank::Revoked;
        self.devices.values().any(is_out)
    }

    /// Devices that wait to be confirmed.
    pub fn waiting(&self) -> Vec<DeviceId> {
        let waits = self.devices.iter().filter(|(_, listed)| listed.rank == Rank::Waiting);
        waits.map(|(id, _)| *id).collect()
    }
}

impl Encode for Listing {
    fn encode(&self, writer: &mut Writer) {
        writer.array(2).array(self.devices.len());
        for (id, Listed { transport, rank }) in &self.devices {
            writer.array(3).bytes(&id.0).bytes(transport).uint(match rank {
                Rank::Waiting => 0,
                Rank::Confirmed => 1,
                Rank::Revoked => 2,
            });
        }
        writer.array(self.heard.len());
        for ((device, incarnation), number) in &self.heard {
            writer.array(3).bytes(&device.0).bytes(&incarnation.0).uint(*number);
        }
    }
}

impl Decode for Listing {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        let device = |r: &mut Reader<'_>| {
            r.tuple(3, |r| {
                let (id, transport) = (DeviceId(r.bytes_exact()?), r.bytes_exact()?);
                let rank = match r.uint()? {
                    0 => Rank::Waiting,
                    1 => Rank::Confirmed,
                    2 => Rank::Revoked,
                    _ => return Err(CodecError::Bounds),
                };
                Ok((id, Listed { transport, rank }))
            })
        };
        let life = |r: &mut Reader<'_>| {
            r.tuple(3, |r| {
                let life = (DeviceId(r.bytes_exact()?), Incarnation(r.bytes_exact()?));
                Ok((life, r.uint()?))
            })
        };
        reader.tuple(2, |r| {
            Ok(Self {
                devices: r.array(DEVICES_MAX, device)?.into_iter().collect(),
                heard: r.array(LIVES_MAX, life)?.into_iter().collect(),
            })
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]

    use super::*;

    fn listing(ranks: &[(u8, Rank)], heard: &[(u8, u64)]) -> Listing {
        let device = |(id, rank): &(u8, Rank)| {
            (DeviceId([*id; 16]), Listed { transport: [*id; 32], rank: *rank })
        };
        let life =
            |(id, number): &(u8, u64)| ((DeviceId([*id; 16]), Incarnation([*id; 8])), *number);
        Listing {
            devices: ranks.iter().map(device).collect(),
            heard: heard.iter().map(life).collect(),
        }
    }

    #[test]
    fn what_is_kept_comes_back() {
        let kept = listing(
            &[(1, Rank::Confirmed), (2, Rank::Waiting), (3, Rank::Revoked)],
            &[(1, 7), (2, 1)],
        );
        assert_eq!(Listing::from_bytes(&kept.to_bytes(), 4096).unwrap(), kept);
    }

    /// ACC-13: fewer entries are no newer list.
    #[test]
    fn a_list_covers_what_it_has_heard_and_more() {
        let (less, more) = (listing(&[], &[(1, 2)]), listing(&[], &[(1, 3), (2, 1)]));
        assert!(more.covers(&less) && more.covers(&more) && less.covers(&listing(&[], &[])));
        assert!(!less.covers(&more) && !listing(&[], &[(2, 9)]).covers(&less));
        // What an account was opened with has no feeds.
        let opened = listing(&[(1, Rank::Confirmed), (2, Rank::Confirmed)], &[]);
        assert!(!listing(&[(1, Rank::Confirmed)], &[(1, 9)]).covers(&opened));
        assert!(opened.covers(&opened));
    }

    /// ACC-13: out by either is out.
    #[test]
    fn of_two_lists_the_stricter_word_counts() {
        let kept = listing(&[(1, Rank::Confirmed), (2, Rank::Revoked), (3, Rank::Waiting)], &[]);
        let own = listing(&[(1, Rank::Revoked), (2, Rank::Confirmed), (3, Rank::Confirmed)], &[]);
        let both = kept.with(&own);
        assert!(
            both.member(DeviceId([1; 16])).is_none() && both.member(DeviceId([2; 16])).is_none()
        );
        assert!(both.is_confirmed(DeviceId([3; 16])) && both.has_out(&[2; 32]));
        assert!(both.waiting().is_empty());
    }
}
