//! Dice: a stream of its own for each purpose, so that what one purpose draws changes nothing for another.

use std::{ops::Range, time::Duration};

use ottla_core::machine::Random;

/// One in a million: the unit of probabilities, so that no run depends on how a machine rounds.
pub const MILLION: u64 = 1_000_000;

/// A stream of random numbers.
#[derive(Debug, Clone)]
pub struct Dice(Random);

impl Dice {
    /// The stream of a purpose, of which there may be several by number.
    pub fn new(seed: u64, purpose: &str, number: u64) -> Self {
        let mut state = Random::new(seed).next_u64();
        for byte in purpose.bytes().map(u64::from).chain([number]) {
            state = Random::new(state ^ byte).next_u64();
        }
        Self(Random::new(state))
    }

    /// A stream that is split off this one.
    pub fn split(&mut self) -> Self {
        Self(Random::new(self.0.next_u64()))
    }

    /// Any number.
    pub fn number(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A number below `bound`; 0 if that is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        let product = u128::from(self.0.next_u64()) * u128::from(bound);
        u64::try_from(product >> 64).unwrap_or_default()
    }

    /// A number of a range.
    pub fn range(&mut self, range: Range<u64>) -> u64 {
        range.start + self.below(range.end.saturating_sub(range.start))
    }

    /// An index of a slice of this length.
    pub fn index(&mut self, length: usize) -> usize {
        usize::try_from(self.below(length as u64)).unwrap_or_default()
    }

    /// One of several.
    ///
    /// # Panics
    /// If there are none.
    pub fn pick<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        &choices[self.index(choices.len())]
    }

    /// True so many times in a million.
    pub fn chance(&mut self, in_a_million: u64) -> bool {
        // Drawn even if it cannot be, so that what follows does not depend on the rate.
        self.below(MILLION) < in_a_million
    }

    /// True in half of all cases.
    pub fn coin(&mut self) -> bool {
        self.0.next_u64() & 1 == 1
    }

    /// A duration of a range.
    pub fn duration(&mut self, range: Range<Duration>) -> Duration {
        Duration::from_nanos(self.range(nanos(range.start)..nanos(range.end)))
    }

    /// A duration that is exponentially distributed around `mean`, to within what integers can do.
    pub fn exponential(&mut self, mean: Duration) -> Duration {
        Duration::from_nanos(exponential(self.0.next_u64(), nanos(mean)))
    }

    /// A number between the bounds, each order of magnitude as likely as another.
    pub fn magnitude(&mut self, range: Range<u64>) -> u64 {
        let low = range.start.max(1).ilog2();
        let high = range.end.max(2).ilog2();
        let bits = self.range(u64::from(low)..u64::from(high) + 1);
        let number = (1 << bits) + self.below(1 << bits);
        number.clamp(range.start, range.end.saturating_sub(1))
    }
}

/// A duration in nanoseconds.
pub fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// ln 2, in 2⁻³².
const LN_2: u128 = 2_977_044_472;

/// `-ln(u) · mean` for a uniform `u`. The integer part of the logarithm is exact and its fraction linear, which is off by a
/// twelfth at the most.
fn exponential(uniform: u64, mean: u64) -> u64 {
    let zeros = uniform.leading_zeros();
    // What follows the first set bit: the mantissa, in 2⁻³².
    let mantissa = if zeros >= 63 { 0 } else { (uniform << (zeros + 1)) >> 32 };
    let log = (u128::from(zeros + 1) << 32) - u128::from(mantissa);
    let product = (log * LN_2) >> 32;
    u64::try_from((product * u128::from(mean)) >> 32).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_differ_by_purpose_and_number() {
        let first = Dice::new(1, "a", 0).number();
        assert_eq!(first, Dice::new(1, "a", 0).number());
        assert_ne!(first, Dice::new(1, "b", 0).number());
        assert_ne!(first, Dice::new(1, "a", 1).number());
        assert_ne!(first, Dice::new(2, "a", 0).number());
    }

    #[test]
    fn numbers_stay_in_their_range() {
        let mut dice = Dice::new(1, "test", 0);
        for _ in 0..1_000 {
            assert!((3..7).contains(&dice.range(3..7)));
            assert!((10..1_000).contains(&dice.magnitude(10..1_000)));
        }
        assert_eq!(dice.below(0), 0);
        assert!(!(0..1_000).any(|_| dice.chance(0)));
        assert!((0..1_000).all(|_| dice.chance(MILLION)));
    }

    #[test]
    fn exponential_durations_have_their_mean() {
        let mut dice = Dice::new(1, "test", 0);
        let mean = Duration::from_millis(10);
        let sum: Duration = (0..10_000).map(|_| dice.exponential(mean)).sum();
        let average = sum / 10_000;
        assert!(average > mean * 9 / 10 && average < mean * 11 / 10, "{average:?}");
    }
}
