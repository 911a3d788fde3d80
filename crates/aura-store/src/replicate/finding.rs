// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a store showed that an honest one does not, by name.
//!
//! A finding is told and recorded; none changes or deletes anything. Whether it is an attack, damage or an
//! old backup, the person or the other devices can tell, not this. Source: spec/replicate.md, rules REP-6
//! to REP-10.

use aura_protocol::head::{Head, Position};
use aura_protocol::id::{ChunkName, DeviceId, FeedId, Incarnation};
use aura_protocol::signed::Signed;

/// One thing that is not as it should be.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Finding {
    /// A head names another device's head, and the store shows neither that one nor a later one (REP-6).
    Withheld {
        /// Whose head is kept back.
        device: DeviceId,
        /// In which life.
        incarnation: Incarnation,
        /// What is named.
        named: Position,
        /// The device whose head names it.
        by: DeviceId,
    },
    /// The store showed more of this incarnation before than it does now (REP-7).
    RolledBack {
        /// Whose head went back.
        device: DeviceId,
        /// In which life.
        incarnation: Incarnation,
        /// What it showed before.
        before: Position,
        /// What it shows now; `None` for nothing.
        now: Option<Position>,
    },
    /// One incarnation has signed two heads of which neither extends the other: it was copied, or somebody has
    /// its key (REP-8). Both are the evidence.
    Forked {
        /// Whose.
        device: DeviceId,
        /// In which life.
        incarnation: Incarnation,
        /// The head that is here, and the one that the store shows.
        heads: Box<[Signed<Head>; 2]>,
    },
    /// A head is shown whose entries are not all there (REP-9). With a store that other programs fill, they may
    /// be on their way.
    Incomplete {
        /// The feed that ends too early.
        feed: FeedId,
        /// Its last number that could be had.
        after: u64,
    },
    /// An entry that is needed to carry or to check a head is damaged where it is kept (REP-9). Others can be had.
    Damaged {
        /// Its feed.
        feed: FeedId,
        /// Its number.
        number: u64,
        /// Who keeps it.
        at: Side,
    },
    /// There is more under a head than one run carries: the next goes on, and a device that writes without end
    /// holds up nobody else (REP-18).
    Unfinished {
        /// Whose.
        device: DeviceId,
        /// In which life.
        incarnation: Incarnation,
    },
    /// A store answered with entries that it was not asked for; they were not looked at (REP-19).
    Unasked(FeedId),
    /// A head, or entries under it, do not verify (REP-10).
    Refused {
        /// Whose it claims to be.
        device: DeviceId,
        /// In which life.
        incarnation: Incarnation,
        /// Where the refusal comes from.
        by: Side,
        /// What is wrong.
        why: &'static str,
    },
    /// Something among the heads is no head.
    Malformed,
    /// A chunk is not what the entry that names it says, or did not arrive (REP-12).
    Chunk(ChunkName),
}

/// One of the two stores.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The store on this device.
    Local,
    /// The other one.
    Remote,
}
