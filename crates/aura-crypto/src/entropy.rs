// SPDX-License-Identifier: MIT OR Apache-2.0
//! Where random bytes come from: an argument, so that whole runs replay from a seed.
//!
//! This crate never asks the operating system itself; the program hands in an adapter, tests hand
//! in a counter. A source that may fail must end the process rather than return weak bytes.

/// A source of unpredictable bytes.
pub trait Entropy {
    /// Overwrites all of `bytes` with unpredictable ones.
    fn fill(&mut self, bytes: &mut [u8]);
}

impl<E: Entropy + ?Sized> Entropy for &mut E {
    fn fill(&mut self, bytes: &mut [u8]) {
        (**self).fill(bytes);
    }
}
