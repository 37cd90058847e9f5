//! Seeded numbers: the same seed gives the same numbers on every machine.

use crate::words::Span;

/// The SplitMix64 generator of Steele, Lea and Flood. Good enough for a simulation, no good for secrets.
#[derive(Clone, Debug)]
pub struct Rng(u64);

impl Rng {
    /// From a seed.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Another generator for `purpose`, which does not depend on what was drawn from this one since.
    #[must_use]
    pub fn fork(&self, purpose: u64) -> Self {
        let mut forked = Self(self.0 ^ purpose.wrapping_mul(0xd6e8_feb8_6659_fd93));
        let seed = forked.draw();
        Self(seed)
    }

    /// The next 64 bits.
    pub const fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`; zero when `end` is zero.
    pub const fn below(&mut self, end: u64) -> u64 {
        ((self.draw() as u128 * end as u128) >> 64) as u64
    }

    /// A length of time from `low` to `high`.
    pub const fn span(&mut self, low: Span, high: Span) -> Span {
        let width = high.minus(low).as_millis();
        low.plus(Span::from_millis(self.below(width.saturating_add(1))))
    }

    /// Whether something that happens so many times in a million happens now.
    pub const fn chance(&mut self, per_million: u32) -> bool {
        per_million > 0 && self.below(1_000_000) < per_million as u64
    }

    /// One of `items`.
    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        items.get(self.below(items.len() as u64) as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_the_published_sequence() {
        let mut rng = Rng::new(1_234_567);
        assert_eq!(rng.draw(), 6_457_827_717_110_365_317);
        assert_eq!(rng.draw(), 3_203_168_211_198_807_973);
    }

    #[test]
    fn stays_within_its_bounds() {
        let mut rng = Rng::new(7);
        for _ in 0..1_000 {
            assert!(rng.below(3) < 3);
            let span = rng.span(Span::from_secs(1), Span::from_secs(2));
            assert!(span >= Span::from_secs(1) && span <= Span::from_secs(2));
        }
        assert!(!rng.chance(0) && rng.chance(1_000_000));
        assert_eq!(rng.below(0), 0);
    }
}
