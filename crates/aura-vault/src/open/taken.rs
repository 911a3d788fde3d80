// SPDX-License-Identifier: MIT OR Apache-2.0
//! Up to where keys and views have taken in what came from other devices. The log may be ahead of them for a moment:
//! whoever checks it must not take that for damage.

use std::collections::{BTreeMap, BTreeSet};

use aura_protocol::head::{Head, Position};
use aura_protocol::id::{DeviceId, Incarnation};
use aura_protocol::signed::Signed;

use super::{Open, lock};

/// A device, in one of its lives.
pub(crate) type Life = (DeviceId, Incarnation);
/// The head of each life that was taken in last.
pub(crate) type Taken = BTreeMap<Life, Position>;

impl Open {
    /// Takes note that keys and views have taken in what came under these heads.
    pub(crate) fn note_taken(&self, heads: &[Signed<Head>]) {
        *lock(&self.taken) = heads.iter().filter_map(place).collect();
    }

    /// Lives of other devices of which something has come that keys and views have not taken in yet.
    pub(crate) fn arriving(&self, heads: &[Signed<Head>]) -> BTreeSet<Life> {
        let taken = lock(&self.taken);
        let is_new = |(life, at): &(Life, Position)| {
            life.0 != self.own && taken.get(life).is_none_or(|before| before != at)
        };
        heads.iter().filter_map(place).filter(is_new).map(|(life, _)| life).collect()
    }
}

fn place(signed: &Signed<Head>) -> Option<(Life, Position)> {
    let head = signed.claim().ok()?;
    let at = Position { number: head.number, hash: signed.hash() };
    Some(((head.device, head.incarnation), at))
}
