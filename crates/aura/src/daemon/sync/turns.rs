// SPDX-License-Identifier: MIT OR Apache-2.0
//! Who visits stores: one visit after the other, and none to a store that is visited already. A visit that takes long is
//! not waited for: the others go on beside it, so that a store that is slow, or means to be, holds up no other one.

use std::collections::BTreeSet;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::halt::Halt;
use super::lock;
use super::site::SiteId;

/// How long a visit waits for the one that has the turn.
const PATIENCE: Duration = Duration::from_secs(3);
/// How often whoever waits looks whether everything is to end.
const LOOK: Duration = Duration::from_millis(50);

#[derive(Debug, Default)]
pub(super) struct Turns {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// Whether somebody wants no visits beside them, and waits or goes on.
    alone: usize,
    is_alone: bool,
    has_turn: bool,
    visited: BTreeSet<SiteId>,
}

/// A visit to a store, until this is dropped.
#[derive(Debug)]
pub(super) struct Visiting<'a> {
    turns: &'a Turns,
    id: SiteId,
    /// Whether no other visit has the turn: what must not be done twice at once is for the one that has it.
    pub(super) has_turn: bool,
}

/// No visit goes on until this is dropped.
#[derive(Debug)]
pub(in crate::daemon) struct Alone<'a>(&'a Turns);

impl Turns {
    /// A visit to a store, as soon as it is nobody else's; nothing if everything is to end.
    pub(super) fn visit(&self, id: &SiteId, halt: &Halt) -> Option<Visiting<'_>> {
        let begun = Instant::now();
        let mut state = lock(&self.state);
        loop {
            if halt.is_set() {
                return None;
            }
            let is_free = state.alone == 0 && !state.visited.contains(id);
            if is_free && (!state.has_turn || begun.elapsed() >= PATIENCE) {
                let has_turn = !state.has_turn;
                state.has_turn = true;
                state.visited.insert(id.clone());
                return Some(Visiting { turns: self, id: id.clone(), has_turn });
            }
            let waited = self.changed.wait_timeout(state, LOOK);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Waits until no visit goes on; none begins meanwhile.
    pub(super) fn alone(&self) -> Alone<'_> {
        let mut state = lock(&self.state);
        state.alone = state.alone.saturating_add(1);
        let is_taken = |state: &mut State| state.is_alone || !state.visited.is_empty();
        let waited = self.changed.wait_while(state, is_taken);
        waited.unwrap_or_else(PoisonError::into_inner).is_alone = true;
        Alone(self)
    }

    /// The same, unless that would have to be waited for.
    pub(super) fn try_alone(&self) -> Option<Alone<'_>> {
        let mut state = lock(&self.state);
        if state.is_alone || !state.visited.is_empty() {
            return None;
        }
        state.alone = state.alone.saturating_add(1);
        state.is_alone = true;
        Some(Alone(self))
    }
}

impl Drop for Visiting<'_> {
    fn drop(&mut self) {
        let mut state = lock(&self.turns.state);
        state.visited.remove(&self.id);
        if self.has_turn {
            state.has_turn = false;
        }
        drop(state);
        self.turns.changed.notify_all();
    }
}

impl Drop for Alone<'_> {
    fn drop(&mut self) {
        let mut state = lock(&self.0.state);
        state.alone = state.alone.saturating_sub(1);
        state.is_alone = false;
        drop(state);
        self.0.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use aura_protocol::id::DeviceId;

    use super::*;

    const SLOW: SiteId = SiteId::Peer(DeviceId([1; 16]));

    fn folder(name: &str) -> SiteId {
        SiteId::Folder(name.into())
    }

    /// A store that never ends its visit holds up no other one, and is not visited twice at once.
    #[test]
    fn a_slow_visit_is_not_waited_for() {
        let (turns, halt) = (Turns::default(), Halt::default());
        let slow = turns.visit(&SLOW, &halt).unwrap();
        assert!(slow.has_turn);
        let begun = Instant::now();
        let beside = turns.visit(&folder("a"), &halt).unwrap();
        assert!(!beside.has_turn, "what must not be done twice at once is not done beside it");
        assert!((PATIENCE..PATIENCE * 2).contains(&begun.elapsed()), "{:?}", begun.elapsed());
        assert!(turns.try_alone().is_none());
        drop(beside);
        thread::scope(|scope| {
            let again = scope.spawn(|| turns.visit(&SLOW, &halt).is_some_and(|one| one.has_turn));
            thread::sleep(PATIENCE + LOOK * 4);
            assert!(!again.is_finished());
            drop(slow);
            assert!(again.join().unwrap());
        });
        assert!(turns.try_alone().is_some());
    }

    #[test]
    fn visits_come_one_after_the_other() {
        let (turns, halt) = (Turns::default(), Halt::default());
        let first = turns.visit(&folder("a"), &halt).unwrap();
        thread::scope(|scope| {
            let begun = Instant::now();
            let second = scope.spawn(|| turns.visit(&folder("b"), &halt).unwrap().has_turn);
            thread::sleep(LOOK * 4);
            assert!(!second.is_finished());
            drop(first);
            assert!(second.join().unwrap());
            assert!(begun.elapsed() < PATIENCE);
        });
    }

    #[test]
    fn who_is_alone_waits_and_is_waited_for() {
        let (turns, halt) = (Turns::default(), Halt::default());
        let visit = turns.visit(&folder("a"), &halt).unwrap();
        thread::scope(|scope| {
            let alone = scope.spawn(|| turns.alone());
            thread::sleep(LOOK * 2);
            let later = scope.spawn(|| turns.visit(&folder("b"), &halt).is_some());
            thread::sleep(LOOK * 2);
            assert!(!alone.is_finished() && !later.is_finished());
            drop(visit);
            let alone = alone.join().unwrap();
            thread::sleep(LOOK * 2);
            assert!(!later.is_finished() && turns.try_alone().is_none());
            halt.set();
            assert!(!later.join().unwrap(), "it is to end");
            halt.clear();
            drop(alone);
        });
        assert!(turns.visit(&folder("b"), &halt).is_some());
    }
}
