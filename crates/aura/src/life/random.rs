// SPDX-License-Identifier: MIT OR Apache-2.0
//! A small deterministic generator (SplitMix64), so that the sample life is the same on every run.
//!
//! It decides which sentence goes where and nothing else; it must never make a key.

/// A stream of numbers that follows from its seed.
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number from `low` to `high`, both included; `low` when the range is empty.
    pub(super) fn between(&mut self, low: i64, high: i64) -> i64 {
        let width = u64::try_from(high.saturating_sub(low).saturating_add(1)).unwrap_or(1);
        let step = self.next() % width.max(1);
        low.saturating_add(i64::try_from(step).unwrap_or(0))
    }

    /// One of the values; the default when there are none.
    pub(super) fn pick<T: Copy + Default>(&mut self, from: &[T]) -> T {
        let last = i64::try_from(from.len()).unwrap_or(1) - 1;
        let index = usize::try_from(self.between(0, last.max(0))).unwrap_or(0);
        from.get(index).copied().unwrap_or_default()
    }
}

/// The template with every `{name}` replaced by the value that goes with it.
pub(super) fn fill(template: &str, slots: &[(&str, &str)]) -> String {
    let mut text = template.to_owned();
    for (name, value) in slots {
        text = text.replace(&format!("{{{name}}}"), value);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn follows_from_the_seed_and_stays_in_range() {
        // The first two outputs for seed 0 as SplitMix64 defines them.
        let mut dice = Dice::new(0);
        assert_eq!(dice.next(), 0xe220_a839_7b1d_cdaf);
        assert_eq!(dice.next(), 0x6e78_9e6a_a1b9_65f4);
        assert!((0..1000).all(|_| (3..=7).contains(&dice.between(3, 7))));
        assert_eq!(dice.between(5, 1), 5);
        assert_eq!(dice.pick::<&str>(&[]), "");
    }

    #[test]
    fn slots_are_filled() {
        assert_eq!(fill("{a} and {b}", &[("a", "1"), ("b", "2")]), "1 and 2");
    }
}
