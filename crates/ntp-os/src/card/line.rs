//! What the clock of a card shows, by the kernel's clock.

use crate::stamp::KernelStamp;

/// A reading of a card's clock, in nanoseconds of that clock.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct CardStamp(i64);

/// Both clocks at one time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Sample {
    pub(super) card: CardStamp,
    /// Nanoseconds since 1970.
    pub(super) kernel: i64,
}

/// How a card's clock goes, by the kernel's: a straight line through the latest two samples.
#[derive(Clone, Default, Debug)]
pub(super) struct Line {
    latest: Option<Sample>,
    /// How much faster the kernel's clock goes, as a part of one; once there were two samples.
    gain: Option<f64>,
}

impl CardStamp {
    /// Of so many seconds and nanoseconds.
    pub(crate) fn new(seconds: i64, nanoseconds: i64) -> Option<Self> {
        let whole = seconds.checked_mul(1_000_000_000)?;
        whole.checked_add(nanoseconds).map(Self)
    }

    /// So many nanoseconds later.
    pub(super) fn after(self, nanoseconds: u64) -> Self {
        Self(self.0.saturating_add_unsigned(nanoseconds))
    }
}

impl Line {
    /// Clocks that differ in rate by more than this part were set.
    const GREATEST_GAIN: f64 = 0.001;
    /// Samples closer together than this, in nanoseconds, say nothing of the rate.
    const SHORTEST: i64 = 50_000_000;
    /// The line leads no farther, in nanoseconds: the rates change.
    const LONGEST: i64 = 4_000_000_000;

    pub(super) fn learn(&mut self, sample: Sample) {
        let Some(latest) = self.latest else {
            self.latest = Some(sample);
            return;
        };
        let card = sample.card.0.saturating_sub(latest.card.0);
        let kernel = sample.kernel.saturating_sub(latest.kernel);
        if (0..Self::SHORTEST).contains(&card) {
            return;
        }
        let gain = (kernel.saturating_sub(card)) as f64 / card as f64;
        let is_steady = card > 0 && card <= Self::LONGEST && gain.abs() <= Self::GREATEST_GAIN;
        self.gain = is_steady.then_some(gain);
        self.latest = Some(sample);
    }

    /// One of the clocks was set.
    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }

    /// Whether it leads nowhere before another sample.
    pub(super) fn is_young(&self) -> bool {
        self.latest.is_some() && self.gain.is_none()
    }

    /// What the kernel's clock showed when the card's showed `stamp`; `None` if that is not known.
    pub(super) fn kernel_time(&self, stamp: CardStamp) -> Option<KernelStamp> {
        let (latest, gain) = (self.latest?, self.gain?);
        let since = stamp.0.checked_sub(latest.card.0)?;
        if since.abs() > Self::LONGEST {
            return None;
        }
        let since = since + (since as f64 * gain).round() as i64;
        let kernel = latest.kernel.checked_add(since)?;
        let nanoseconds = u32::try_from(kernel.rem_euclid(1_000_000_000)).ok()?;
        Some(KernelStamp::from_unix(
            kernel.div_euclid(1_000_000_000),
            nanoseconds,
        ))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: i64 = 1_000_000_000;

    fn at(card: i64, kernel: i64) -> Sample {
        Sample {
            card: CardStamp(card),
            kernel,
        }
    }

    fn nanoseconds(stamp: KernelStamp) -> i64 {
        let (seconds, nanoseconds) = stamp.kernel_time().to_unix();
        seconds * SECOND + i64::from(nanoseconds)
    }

    #[test]
    fn one_sample_is_no_line() {
        let mut line = Line::default();
        line.learn(at(0, SECOND));
        assert_eq!(line.kernel_time(CardStamp(1)), None);
        // Nor are two of the same moment.
        line.learn(at(1000, SECOND + 1000));
        assert_eq!(line.kernel_time(CardStamp(1)), None);
    }

    #[test]
    fn a_clock_that_was_set_is_learnt_anew() {
        let mut line = Line::default();
        line.learn(at(0, 0));
        line.learn(at(SECOND, SECOND));
        assert!(!line.is_young());
        // The kernel's, by 10 ms.
        line.learn(at(2 * SECOND, 2 * SECOND + 10_000_000));
        assert!(line.is_young());
        line.learn(at(3 * SECOND, 3 * SECOND + 10_000_000));
        let found = line.kernel_time(CardStamp(3 * SECOND)).unwrap();
        assert_eq!(nanoseconds(found), 3 * SECOND + 10_000_000);
        // The card's, back.
        line.learn(at(SECOND, 4 * SECOND));
        assert!(line.is_young());
        // It stood still, or nobody compared for long.
        line.learn(at(2 * SECOND, 5 * SECOND));
        assert!(!line.is_young());
        line.learn(at(9 * SECOND, 12 * SECOND));
        assert!(line.is_young());
    }

    #[test]
    fn the_line_ends() {
        let mut line = Line::default();
        line.learn(at(0, 0));
        line.learn(at(SECOND, SECOND));
        assert!(line.kernel_time(CardStamp(5 * SECOND)).is_some());
        assert_eq!(line.kernel_time(CardStamp(5 * SECOND + 1)), None);
        assert_eq!(line.kernel_time(CardStamp(-3 * SECOND - 1)), None);
        for strange in [i64::MIN, i64::MAX] {
            assert_eq!(line.kernel_time(CardStamp(strange)), None);
            line.learn(at(strange, strange));
        }
        let mut line = Line::default();
        line.learn(at(0, i64::MAX - SECOND));
        line.learn(at(SECOND, i64::MAX));
        assert_eq!(line.kernel_time(CardStamp(SECOND + 1)), None);
    }

    proptest! {
        #[test]
        fn it_leads_to_the_kernels_time(
            offset in -4_000_000_000 * SECOND..4_000_000_000 * SECOND, ppm in -500.0..500.0f64,
            second in 100_000_000..1_100_000_000i64, asked in -SECOND..SECOND,
        ) {
            // Years of about now, on one of the clocks.
            let start = 1_800_000_000 * SECOND;
            let kernel = |card: i64| start + card + (card as f64 * ppm * 1e-6).round() as i64;
            let mut line = Line::default();
            for card in [0, second] {
                line.learn(at(offset + card, kernel(card)));
            }
            let found = line.kernel_time(CardStamp(offset + second + asked)).unwrap();
            prop_assert!((nanoseconds(found) - kernel(second + asked)).abs() <= 16);
        }

        #[test]
        fn nothing_makes_it_fail(samples: Vec<(i64, i64)>, asked: i64) {
            let mut line = Line::default();
            for (card, kernel) in samples {
                line.learn(at(card, kernel));
                line.kernel_time(CardStamp(asked));
                line.kernel_time(CardStamp(card));
            }
        }
    }
}
