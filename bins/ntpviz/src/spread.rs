//! How numbers are spread.

/// Numbers in order.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Spread {
    /// Never empty, all finite.
    sorted: Vec<f64>,
}

impl Spread {
    /// Of these numbers; `None` if there are none.
    pub(crate) fn of(numbers: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut sorted: Vec<f64> = numbers
            .into_iter()
            .filter(|number| number.is_finite())
            .collect();
        sorted.sort_by(f64::total_cmp);
        (!sorted.is_empty()).then_some(Self { sorted })
    }

    pub(crate) fn count(&self) -> usize {
        self.sorted.len()
    }

    /// The number below which this share of all is, 0 to 1; between two, a mixture of them.
    pub(crate) fn quantile(&self, share: f64) -> f64 {
        let place = share.clamp(0.0, 1.0) * (self.sorted.len().saturating_sub(1)) as f64;
        let below = self.sorted.get(place.floor() as usize);
        let above = self.sorted.get(place.ceil() as usize);
        let (Some(below), Some(above)) = (below, above) else {
            return 0.0;
        };
        below + (above - below) * place.fract()
    }

    pub(crate) fn mean(&self) -> f64 {
        self.sorted.iter().sum::<f64>() / self.count() as f64
    }

    pub(crate) fn standard_deviation(&self) -> f64 {
        let mean = self.mean();
        let squares = self.sorted.iter().map(|number| (number - mean).powi(2));
        (squares.sum::<f64>() / self.count() as f64).sqrt()
    }

    /// What a chart shows best: all, unless a few numbers are so far out that the others would be
    /// a line.
    pub(crate) fn frame(&self) -> (f64, f64) {
        let (low, high) = (self.quantile(0.005), self.quantile(0.995));
        let edge = ((high - low) * 0.5).max(f64::MIN_POSITIVE);
        (
            self.quantile(0.0).max(low - edge),
            self.quantile(1.0).min(high + edge),
        )
    }

    /// How many numbers are outside a range.
    pub(crate) fn outside(&self, (least, greatest): (f64, f64)) -> usize {
        let below = self.sorted.partition_point(|number| *number < least);
        let within = self.sorted.partition_point(|number| *number <= greatest);
        below + self.count() - within
    }

    /// How many numbers are in each of `count` equal parts of a range, which is not empty.
    pub(crate) fn histogram(&self, (least, greatest): (f64, f64), count: usize) -> Vec<Bin> {
        let width = (greatest - least) / count as f64;
        // Each edge is computed once only, so that no number counts twice.
        let edge = |index: usize| least + width * index as f64;
        let below = |edge: f64| self.sorted.partition_point(|number| *number < edge);
        let within = self.sorted.partition_point(|number| *number <= greatest);
        (0..count)
            .map(|index| {
                let (from, to) = (edge(index), edge(index + 1));
                let end = if index + 1 == count {
                    within
                } else {
                    below(to)
                };
                Bin {
                    from,
                    to,
                    count: end.saturating_sub(below(from)),
                }
            })
            .collect()
    }
}

/// A part of a histogram.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Bin {
    pub(crate) from: f64,
    pub(crate) to: f64,
    pub(crate) count: usize,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn quantiles_are_those_of_textbooks() {
        let spread = Spread::of([4.0, 1.0, f64::NAN, 3.0, 2.0]).unwrap();
        assert_eq!(spread.count(), 4);
        assert_eq!(
            [0.0, 0.5, 1.0].map(|share| spread.quantile(share)),
            [1.0, 2.5, 4.0]
        );
        assert_eq!(spread.mean(), 2.5);
        assert!((spread.standard_deviation() - 1.25f64.sqrt()).abs() < 1e-12);
        assert_eq!(spread.outside((1.5, 3.0)), 2);
        assert_eq!(Spread::of([f64::INFINITY]), None);
    }

    #[test]
    fn one_spike_does_not_make_the_rest_a_line() {
        let quiet = (0..1000).map(|n| f64::from(n % 10));
        let spread = Spread::of(quiet.chain([1e6])).unwrap();
        assert_eq!(spread.frame(), (0.0, 13.5));
        assert_eq!(spread.outside(spread.frame()), 1);
    }

    proptest! {
        #[test]
        fn a_histogram_of_all_counts_all(
            numbers in prop::collection::vec(-1e3..1e3f64, 2..200),
            count in 1usize..50,
        ) {
            let spread = Spread::of(numbers.clone()).unwrap();
            let range = (spread.quantile(0.0), spread.quantile(1.0));
            prop_assume!(range.0 < range.1);
            let bins = spread.histogram(range, count);
            prop_assert_eq!(bins.len(), count);
            let total: usize = bins.iter().map(|bin| bin.count).sum();
            prop_assert_eq!(total, numbers.len());
        }
    }
}
