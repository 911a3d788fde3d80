// SPDX-License-Identifier: MIT OR Apache-2.0
//! A bell that wakes whoever waits for news, without an async runtime.
//!
//! One thread in the process, started by the first wait, keeps the deadlines; a ring wakes at once.
//! Why not a runtime's timer: a store is used by the vault, which is synchronous, as well as by servers.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

/// The longest wait; longer ones end here and may be repeated.
pub(crate) const WAIT_MS_MAX: u64 = 10 * 60 * 1000;

/// Rings when there is news.
#[derive(Debug, Default)]
pub(crate) struct Bell {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    rung: u64,
    next: u64,
    waiting: BTreeMap<u64, Waker>,
}

impl Bell {
    /// Wakes everybody who waits.
    pub(crate) fn ring(&self) {
        let mut inner = lock(&self.inner);
        inner.rung = inner.rung.wrapping_add(1);
        let waiting = std::mem::take(&mut inner.waiting);
        drop(inner);
        waiting.into_values().for_each(Waker::wake);
    }

    /// How often it has rung: taken before looking for news, so that none is missed.
    pub(crate) fn rung(&self) -> u64 {
        lock(&self.inner).rung
    }

    /// Waits until it has rung since `rung` was taken, at most until `deadline`.
    pub(crate) fn wait(&self, rung: u64, deadline: Instant) -> Wait<'_> {
        Wait { bell: self, rung, deadline, ticket: None, due: None }
    }
}

/// When a wait of so many milliseconds from now ends.
pub(crate) fn deadline(wait_ms: u64) -> Instant {
    let now = Instant::now();
    now.checked_add(Duration::from_millis(wait_ms.min(WAIT_MS_MAX))).unwrap_or(now)
}

/// Ends at a ring or at its deadline.
#[derive(Debug)]
pub(crate) struct Wait<'a> {
    bell: &'a Bell,
    rung: u64,
    deadline: Instant,
    ticket: Option<u64>,
    due: Option<DueKey>,
}

impl Future for Wait<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if Instant::now() >= self.deadline {
            return Poll::Ready(());
        }
        let mut inner = lock(&self.bell.inner);
        if inner.rung != self.rung {
            return Poll::Ready(());
        }
        let ticket = self.ticket.unwrap_or(inner.next);
        inner.next = inner.next.max(ticket.wrapping_add(1));
        inner.waiting.insert(ticket, context.waker().clone());
        drop(inner);
        self.ticket = Some(ticket);
        let waker = context.waker().clone();
        self.due = Some(Deadlines::of_process().wake_at(self.due, self.deadline, waker));
        Poll::Pending
    }
}

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket {
            lock(&self.bell.inner).waiting.remove(&ticket);
        }
        // Whoever begins waits and lets go of them fills no memory until they would have been due.
        if let Some(key) = self.due {
            Deadlines::of_process().forget(key);
        }
    }
}

/// A time, and what tells two wakers of one instant apart.
type DueKey = (Instant, u64);

/// Wakers by the time they are due.
#[derive(Debug, Default)]
struct Deadlines {
    due: Mutex<Due>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Due {
    count: u64,
    wakers: BTreeMap<DueKey, Waker>,
}

impl Deadlines {
    fn of_process() -> &'static Arc<Self> {
        static DEADLINES: OnceLock<Arc<Deadlines>> = OnceLock::new();
        DEADLINES.get_or_init(|| {
            let deadlines = Arc::new(Self::default());
            let kept = Arc::clone(&deadlines);
            // Without the thread a wait still ends at the next ring; there is nobody to tell.
            std::thread::Builder::new().name("aura-wait".into()).spawn(move || kept.run()).ok();
            deadlines
        })
    }

    /// Wakes at that time, instead of what was kept under `key`. Says under what it is kept now.
    fn wake_at(&self, key: Option<DueKey>, at: Instant, waker: Waker) -> DueKey {
        let mut due = lock(&self.due);
        let key = key.unwrap_or_else(|| {
            due.count = due.count.wrapping_add(1);
            (at, due.count)
        });
        let is_first = due.wakers.first_key_value().is_none_or(|(first, _)| key < *first);
        due.wakers.insert(key, waker);
        if is_first {
            self.changed.notify_one();
        }
        key
    }

    fn forget(&self, key: DueKey) {
        lock(&self.due).wakers.remove(&key);
    }

    fn run(&self) {
        let mut due = lock(&self.due);
        loop {
            let now = Instant::now();
            let later = due.wakers.split_off(&(now, u64::MAX));
            let ready = std::mem::replace(&mut due.wakers, later);
            if !ready.is_empty() {
                drop(due);
                ready.into_values().for_each(Waker::wake);
                due = lock(&self.due);
                continue;
            }
            due = match due.wakers.first_key_value() {
                Some(((at, _), _)) => {
                    let pause = at.saturating_duration_since(now);
                    let waited = self.changed.wait_timeout(due, pause);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
                None => self.changed.wait(due).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }
}

/// A lock whose holder panicked is taken over: nothing here is left half done.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ring_ends_a_wait_and_so_does_its_deadline() {
        let bell = Arc::new(Bell::default());
        let start = Instant::now();
        pollster::block_on(bell.wait(bell.rung(), deadline(30)));
        assert!(start.elapsed() >= Duration::from_millis(30));

        let (rung, ringer) = (bell.rung(), Arc::clone(&bell));
        let thread = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(20));
            ringer.ring();
        });
        pollster::block_on(bell.wait(rung, deadline(60_000)));
        assert!(start.elapsed() < Duration::from_secs(30));
        thread.join().unwrap();
        // A ring that came before the wait is not missed.
        pollster::block_on(bell.wait(rung, deadline(60_000)));
        assert!(lock(&bell.inner).waiting.is_empty());
    }

    /// Waits that nobody waits for any more leave nothing behind, however far off their end is.
    #[test]
    fn a_dropped_wait_leaves_nothing() {
        let (bell, deadline) = (Bell::default(), deadline(WAIT_MS_MAX));
        let kept = || {
            let due = lock(&Deadlines::of_process().due);
            due.wakers.range((deadline, 0)..=(deadline, u64::MAX)).count()
        };
        let mut context = Context::from_waker(Waker::noop());
        for _ in 0..1000 {
            let mut wait = Box::pin(bell.wait(bell.rung(), deadline));
            for _ in 0..3 {
                assert!(wait.as_mut().poll(&mut context).is_pending());
                assert_eq!(kept(), 1, "polled again, it is kept once");
            }
        }
        assert_eq!(kept(), 0);
        assert!(lock(&bell.inner).waiting.is_empty());
    }
}
