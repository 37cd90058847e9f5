//! How numbers spread over seeds.

use serde::Serialize;

/// The least, the middle and the greatest of some numbers, and their 95th percentile.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize)]
pub(crate) struct Spread {
    pub(crate) min: f64,
    /// The lower one of two in the middle, so that it is always one that was measured.
    pub(crate) median: f64,
    pub(crate) p95: f64,
    pub(crate) max: f64,
}

impl Spread {
    /// Of these numbers; all zero where there are none.
    pub(crate) fn of(numbers: impl IntoIterator<Item = f64>) -> Self {
        let mut sorted: Vec<f64> = numbers.into_iter().collect();
        sorted.sort_unstable_by(f64::total_cmp);
        // Nearest rank: the least number that so many percent do not exceed.
        let rank = |percent: usize| {
            let rank = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
            sorted.get(rank).copied().unwrap_or(0.0)
        };
        Self { min: rank(0), median: rank(50), p95: rank(95), max: rank(100) }
    }
}

/// How one policy differs from another, seed by seed.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize)]
pub(crate) struct Paired {
    /// Differences of the runs under the same seed.
    pub(crate) min: f64,
    pub(crate) median: f64,
    pub(crate) max: f64,
    /// Seeds with less, with more, and with the same.
    pub(crate) less: usize,
    pub(crate) more: usize,
    pub(crate) same: usize,
}

impl Paired {
    /// `theirs - ours`, seed by seed.
    pub(crate) fn of(ours: &[f64], theirs: &[f64]) -> Self {
        let differences: Vec<f64> = ours.iter().zip(theirs).map(|(ours, theirs)| theirs - ours).collect();
        let count = |wanted: fn(&f64) -> bool| differences.iter().copied().filter(wanted).count();
        let Spread { min, median, p95: _, max } = Spread::of(differences.iter().copied());
        Self {
            min,
            median,
            max,
            less: count(|number| *number < 0.0),
            more: count(|number| *number > 0.0),
            same: count(|number| *number == 0.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_numbers_that_were_measured() {
        let spread = |numbers: &[f64]| {
            let Spread { min, median, p95, max } = Spread::of(numbers.iter().copied());
            [min, median, p95, max]
        };
        assert_eq!(spread(&[]), [0.0; 4]);
        assert_eq!(spread(&[3.0]), [3.0; 4]);
        assert_eq!(spread(&[4.0, 1.0, 3.0, 2.0]), [1.0, 2.0, 4.0, 4.0]);
        let hundred: Vec<f64> = (1..=100).map(f64::from).collect();
        assert_eq!(spread(&hundred), [1.0, 50.0, 95.0, 100.0]);
    }

    #[test]
    fn pairs_are_of_the_same_seed() {
        let paired = Paired::of(&[10.0, 20.0, 30.0], &[9.0, 25.0, 30.0]);
        assert_eq!((paired.min, paired.median, paired.max), (-1.0, 0.0, 5.0));
        assert_eq!((paired.less, paired.more, paired.same), (1, 1, 1));
    }
}
