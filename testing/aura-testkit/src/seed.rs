// SPDX-License-Identifier: MIT OR Apache-2.0
//! Randomness that comes again: SHA-256 over a seed and a counter.

use aura_protocol::id::Hash;

/// A source of bytes that depends on its seed alone.
#[derive(Debug, Clone)]
pub struct Seed {
    seed: u64,
    count: u64,
}

impl Seed {
    /// The source that this number begins.
    pub fn new(seed: u64) -> Self {
        Self { seed, count: 0 }
    }

    /// The next bytes.
    pub fn array<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.fill(&mut bytes);
        bytes
    }

    /// The next so many bytes.
    pub fn bytes(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        self.fill(&mut bytes);
        bytes
    }

    /// A number below `end`, which is not 0.
    pub fn below(&mut self, end: u64) -> u64 {
        u64::from_be_bytes(self.array()) % end
    }

    /// One of these; there must be one at least.
    pub fn choice<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        let at = usize::try_from(self.below(of.len() as u64)).unwrap();
        of.get(at).unwrap()
    }

    fn fill(&mut self, bytes: &mut [u8]) {
        for block in bytes.chunks_mut(32) {
            self.count += 1;
            let hash = Hash::of(&[&self.seed.to_be_bytes(), &self.count.to_be_bytes()]);
            block.iter_mut().zip(hash.0).for_each(|(to, from)| *to = from);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_bytes_and_another_seed_others() {
        assert_eq!(Seed::new(7).bytes(100), Seed::new(7).bytes(100));
        assert_ne!(Seed::new(7).bytes(100), Seed::new(8).bytes(100));
        let mut seed = Seed::new(1);
        assert_ne!(seed.array::<16>(), seed.array::<16>());
    }
}
