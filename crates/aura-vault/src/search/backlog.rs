// SPDX-License-Identifier: MIT OR Apache-2.0
//! Text that the index has been given and has not read yet.
//!
//! Its queue is bounded by documents, of which each may have megabytes; whoever fills it waits here while
//! it holds more than a few. The tokeniser says what has been read.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// Bytes that may wait before whoever brings more waits as well.
const BYTES_MAX: usize = 4 << 20;
const NAP: Duration = Duration::from_micros(200);
/// Naps before it goes on whatever waits: an index that has failed reads nothing any more, and says so
/// when it is given more.
const NAPS_MAX: u32 = 50_000;

/// How many bytes wait; shared by the index and its tokenisers.
#[derive(Debug, Clone, Default)]
pub(super) struct Backlog(Arc<AtomicUsize>);

impl Backlog {
    /// Waits until there is room, and takes it.
    pub(super) fn take(&self, bytes: usize) {
        for _ in 0..NAPS_MAX {
            if self.0.load(Ordering::Relaxed) <= BYTES_MAX {
                break;
            }
            std::thread::sleep(NAP);
        }
        self.0.fetch_add(bytes, Ordering::Relaxed);
    }

    /// So much has been read.
    pub(super) fn give_back(&self, bytes: usize) {
        let less = |held: usize| Some(held.saturating_sub(bytes));
        let _ = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
    }

    /// Nothing waits any more.
    pub(super) fn clear(&self) {
        self.0.store(0, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_brings_more_waits_until_what_was_brought_is_read() {
        let backlog = Backlog::default();
        backlog.take(BYTES_MAX + 1);
        let reader = backlog.clone();
        let waiting = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(50));
            let held = reader.0.load(Ordering::Relaxed);
            reader.give_back(2);
            held
        });
        backlog.take(10);
        assert_eq!(waiting.join().unwrap(), BYTES_MAX + 1, "it came in before there was room");
        assert_eq!(backlog.0.load(Ordering::Relaxed), BYTES_MAX + 9);
        backlog.give_back(usize::MAX);
        assert_eq!(backlog.0.load(Ordering::Relaxed), 0);
    }
}
