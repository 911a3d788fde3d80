// SPDX-License-Identifier: MIT OR Apache-2.0
//! How far the feeds of each device count here.
//!
//! A store keeps what any listed device wrote. A vault applies it, and takes keys from it, only if that
//! device is confirmed, and nothing beyond what a revoke or a close accepts. What was applied before one
//! of these was known stays. Source: spec/authority.md, rules AUT-7, AUT-8, AUT-18.

use std::collections::BTreeMap;

use aura_protocol::authority::{Roster, Standing};
use aura_protocol::head::{Head, Position};
use aura_protocol::id::{DeviceId, FeedId, Incarnation};
use aura_protocol::signed::Signed;

type Life = (DeviceId, Incarnation);

/// How far the feeds of one incarnation count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// All of them.
    Whole,
    /// Not yet: its device is not confirmed.
    Waiting,
    /// No further than they were applied: its device was revoked, or it was closed.
    Ended,
}

impl Reach {
    /// The last number of a feed that counts, of which so many are there and so many were applied.
    pub(crate) fn upto(self, kept: u64, applied: u64) -> u64 {
        match self {
            Self::Whole => kept,
            Self::Waiting => 0,
            Self::Ended => applied.min(kept),
        }
    }
}

/// How far each incarnation counts.
#[derive(Debug)]
pub(crate) struct Reaches {
    own: Option<DeviceId>,
    others: BTreeMap<Life, Reach>,
}

impl Reaches {
    /// What follows from the roster and the newest heads, for the device that this is, if it is one.
    pub(crate) fn new(roster: &Roster, heads: &[Signed<Head>], own: Option<DeviceId>) -> Self {
        let of_head = |signed: &Signed<Head>| {
            let head = signed.claim().ok()?;
            let position = Position { number: head.number, hash: signed.hash() };
            let reach = match roster.standing(head.device, head.incarnation, position) {
                Standing::Accepted => Reach::Whole,
                Standing::Quarantined | Standing::Unlisted => Reach::Waiting,
                Standing::Late => Reach::Ended,
            };
            Some(((head.device, head.incarnation), reach))
        };
        Self { own, others: heads.iter().filter_map(of_head).collect() }
    }

    /// How far a feed counts. What this device writes always does, here, in each of its lives.
    pub(crate) fn of(&self, feed: FeedId) -> Reach {
        let life = (feed.device, feed.incarnation);
        if self.own == Some(feed.device) {
            return Reach::Whole;
        }
        self.others.get(&life).copied().unwrap_or(Reach::Waiting)
    }
}
