//! What several rounds gave, and what stands for them.

use crate::cli::bench::meter::three_digits;

/// What the rounds gave.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Samples(pub(super) Vec<f64>);

/// The one in the middle, and how far the others are from it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Summary {
    pub(super) median: f64,
    pub(super) min: f64,
    pub(super) max: f64,
}

impl Samples {
    /// None without any.
    pub(super) fn summary(&self) -> Option<Summary> {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        let (min, max) = (*sorted.first()?, *sorted.last()?);
        // One in the middle twice, or the two that are there.
        let (low, high) = (sorted[(sorted.len() - 1) / 2], sorted[sorted.len() / 2]);
        Some(Summary { median: low.midpoint(high), min, max })
    }

    /// How many times the other's median this one's is.
    pub(super) fn ratio(&self, other: &Self) -> Option<f64> {
        let (this, other) = (self.summary()?.median, other.summary()?.median);
        (other != 0.0).then(|| this / other)
    }
}

impl Summary {
    /// As in `1.20 (1.10–1.40)`.
    pub(super) fn text(&self) -> String {
        format!(
            "{} ({}–{})",
            three_digits(self.median),
            three_digits(self.min),
            three_digits(self.max)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(values: &[f64]) -> Samples {
        Samples(values.to_vec())
    }

    #[test]
    fn the_median_is_in_the_middle_in_whatever_order_the_rounds_came() {
        let summary = |values: &[f64]| samples(values).summary().map(|s| (s.median, s.min, s.max));
        assert_eq!(summary(&[]), None);
        assert_eq!(summary(&[2.0]), Some((2.0, 2.0, 2.0)));
        assert_eq!(summary(&[9.0, 1.0, 4.0]), Some((4.0, 1.0, 9.0)));
        assert_eq!(summary(&[9.0, 1.0, 4.0, 6.0]), Some((5.0, 1.0, 9.0)));
    }

    #[test]
    fn a_ratio_is_that_of_the_medians() {
        let (this, other) = (samples(&[1.0, 2.0, 90.0]), samples(&[8.0, 0.1, 9.0]));
        assert_eq!(this.ratio(&other), Some(0.25));
        assert_eq!(other.ratio(&this), Some(4.0));
        assert_eq!(this.ratio(&samples(&[])), None);
        assert_eq!(samples(&[]).ratio(&this), None);
        assert_eq!(this.ratio(&samples(&[0.0])), None);
    }

    #[test]
    fn what_people_read() {
        let summary = samples(&[1.0, 1.234, 140.4]).summary().expect("there are some");
        assert_eq!(summary.text(), "1.23 (1.00–140)");
    }
}
