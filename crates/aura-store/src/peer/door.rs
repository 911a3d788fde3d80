// SPDX-License-Identifier: MIT OR Apache-2.0
//! Who is about to show who they are: few at once, and fewer from one place, so that strangers who begin and say nothing
//! more keep nobody out. Source: spec/peer.md, rule PEE-7.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex};

use tokio::task::AbortHandle;

use crate::wait::lock;

/// Handshakes at once.
const HANDSHAKES_MAX: usize = 16;
/// Those from one place.
const PLACE_HANDSHAKES_MAX: usize = 3;

/// Handshakes that go on.
#[derive(Debug, Default)]
pub(super) struct Door(Mutex<Within>);

#[derive(Debug, Default)]
struct Within {
    next: u64,
    /// The oldest first.
    handshakes: Vec<Handshake>,
}

#[derive(Debug)]
struct Handshake {
    id: u64,
    place: IpAddr,
    /// Whether its first message is there as a whole.
    has_begun: bool,
    task: Option<AbortHandle>,
}

/// One handshake, until this is dropped.
#[derive(Debug)]
pub(super) struct Entering {
    door: Arc<Door>,
    id: u64,
}

impl Door {
    /// Lets one more begin. Where there is no room, the oldest one that has not said its first message ends for it, of
    /// those from the same place if these are too many.
    pub(super) fn enter(self: &Arc<Self>, at: IpAddr) -> Option<Entering> {
        let place = place(at);
        let mut within = lock(&self.0);
        let from_there = |one: &Handshake| one.place == place;
        let count = within.handshakes.iter().filter(|one| from_there(one)).count();
        let is_full = within.handshakes.len() >= HANDSHAKES_MAX;
        if count >= PLACE_HANDSHAKES_MAX || is_full {
            let may_end = |one: &Handshake| {
                !one.has_begun && (count < PLACE_HANDSHAKES_MAX || from_there(one))
            };
            let oldest = within.handshakes.iter().position(may_end)?;
            if let Some(task) = within.handshakes.remove(oldest).task {
                task.abort();
            }
        }
        let id = within.next;
        within.next = within.next.wrapping_add(1);
        within.handshakes.push(Handshake { id, place, has_begun: false, task: None });
        drop(within);
        Some(Entering { door: Arc::clone(self), id })
    }

    /// What goes on for it, to be ended where there is no room.
    pub(super) fn is_done_by(&self, id: u64, task: AbortHandle) {
        let mut within = lock(&self.0);
        // One that is over already has gone on within the same task, or has nothing left to end.
        if let Some(one) = within.handshakes.iter_mut().find(|one| one.id == id) {
            one.task = Some(task);
        }
    }

    /// How many go on.
    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        lock(&self.0).handshakes.len()
    }
}

impl Entering {
    pub(super) fn id(&self) -> u64 {
        self.id
    }

    /// Its first message is there.
    pub(super) fn has_begun(&self) {
        let mut within = lock(&self.door.0);
        if let Some(one) = within.handshakes.iter_mut().find(|one| one.id == self.id) {
            one.has_begun = true;
        }
    }
}

impl Drop for Entering {
    fn drop(&mut self) {
        lock(&self.door.0).handshakes.retain(|one| one.id != self.id);
    }
}

/// What one somebody has: an address, or of IPv6 a network of 64 bits.
fn place(at: IpAddr) -> IpAddr {
    match at.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64)),
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    /// PEE-7: a place is an address, or what one network of IPv6 has.
    #[test]
    fn pee_7_a_place_is_what_one_has() {
        let same = |a, b| place(ip(a)) == place(ip(b));
        assert!(same("10.0.0.1", "::ffff:10.0.0.1"));
        assert!(!same("::ffff:10.0.0.1", "::ffff:10.0.0.2"));
        assert!(same("2001:db8::1", "2001:db8::ffff:1"));
        assert!(!same("2001:db8::1", "2001:db8:0:1::1"));
    }

    /// PEE-7: who has said nothing yet makes room, first from the same place; who has is not pushed aside.
    #[test]
    fn pee_7_whoever_says_nothing_makes_room() {
        let door = Arc::new(Door::default());
        let enter = |at: &str| door.enter(ip(at));
        let held: Vec<_> = (0..3).map(|_| enter("10.0.0.1").unwrap()).collect();
        held.iter().for_each(Entering::has_begun);
        assert!(enter("10.0.0.1").is_none());
        let silent: Vec<_> = (0..40).map(|_| enter("10.0.0.2").unwrap()).collect();
        assert_eq!(door.count(), 6);
        drop(silent);
        assert_eq!(door.count(), 3, "an end counts once");
        let many: Vec<_> = (0..20).map(|last| enter(&format!("10.0.1.{last}")).unwrap()).collect();
        assert_eq!(door.count(), HANDSHAKES_MAX);
        many.iter().for_each(Entering::has_begun);
        assert!(enter("10.0.2.1").is_none());
        drop(held);
        assert!(enter("10.0.2.1").is_some());
    }
}
