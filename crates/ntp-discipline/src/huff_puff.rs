//! The huff-n'-puff filter: for links that are slow in one direction while they are busy.

use core::time::Duration as Elapsed;
use std::collections::VecDeque;

use ntp_wire::{Duration, Monotonic};

/// Corrects offsets by what their delay exceeds the least delay of the last hours.
///
/// Where only one direction of a link queues, as while a modem line downloads, a sample whose delay
/// is greater by `x` than that of the empty link has an offset that is wrong by `x` / 2; whichever
/// direction it was, the offset is then taken to be too far from zero. That is right only while
/// the clock itself is nearly right and the queues are one-sided; elsewhere the filter does harm,
/// which is why `tinker huffpuff` has to ask for it.
///
/// ```
/// use core::time::Duration as Elapsed;
/// use ntp_discipline::HuffPuff;
/// use ntp_wire::{Duration, Monotonic};
///
/// let at = |minutes: u64| Monotonic::START + Elapsed::from_secs(60 * minutes);
/// let mut filter = HuffPuff::new(Elapsed::from_secs(7200), at(0));
/// let (empty, busy) = (Duration::from_millis(50), Duration::from_millis(650));
/// assert_eq!(filter.correct(Duration::ZERO, empty, at(1)), Duration::ZERO);
/// // The download takes 600 ms longer: an offset of 301 ms is truly one of 1 ms.
/// let seen = Duration::from_millis(301);
/// let corrected = filter.correct(seen, busy, at(2));
/// assert!((corrected - Duration::from_millis(1)).abs() < Duration::from_nanos(2));
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HuffPuff {
    /// The least delay of each quarter of an hour, the newest first; `None` where there was none.
    least: VecDeque<Option<Duration>>,
    /// When the newest quarter began.
    began: Monotonic,
}

impl HuffPuff {
    /// The delays of so long are remembered together: 15 minutes.
    pub const QUARTER: Elapsed = Elapsed::from_secs(900);

    /// A filter that remembers for `span`, rounded down to whole quarters of an hour; at least one.
    pub fn new(span: Elapsed, now: Monotonic) -> Self {
        // A year of quarters, so that no configuration can ask for all the memory there is.
        let quarters = (span.as_secs() / Self::QUARTER.as_secs()).clamp(1, 35_040);
        Self {
            least: (0..quarters).map(|_| None).collect(),
            began: now,
        }
    }

    /// The least delay that is remembered.
    pub fn least(&self) -> Option<Duration> {
        self.least.iter().flatten().min().copied()
    }

    /// Takes note of the delay of a sample, and gives its offset corrected.
    pub fn correct(&mut self, offset: Duration, delay: Duration, now: Monotonic) -> Duration {
        self.turn(now);
        if let Some(newest) = self.least.front_mut() {
            *newest = Some(newest.map_or(delay, |least| least.min(delay)));
        }
        let excess = (delay - self.least().unwrap_or(delay)) / 2;
        if offset > Duration::ZERO {
            offset - excess
        } else {
            offset + excess
        }
    }

    /// Forgets the quarters that are too long ago.
    fn turn(&mut self, now: Monotonic) {
        let mut forgotten = 0;
        while now.since(self.began) >= Self::QUARTER && forgotten < self.least.len() {
            self.began += Self::QUARTER;
            self.least.rotate_right(1);
            if let Some(newest) = self.least.front_mut() {
                *newest = None;
            }
            forgotten += 1;
        }
        if forgotten == self.least.len() && now.since(self.began) >= Self::QUARTER {
            // Nothing is left; the quarters begin anew.
            self.began = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(seconds: u64) -> Monotonic {
        Monotonic::START + Elapsed::from_secs(seconds)
    }

    /// About a quarter of a millisecond each, and halved without a remainder.
    fn units(value: i32) -> Duration {
        Duration::from_bits(i64::from(value) << 20)
    }

    #[test]
    fn either_direction_is_corrected_towards_zero() {
        let mut filter = HuffPuff::new(Elapsed::from_secs(3600), at(0));
        filter.correct(Duration::ZERO, units(100), at(0));
        for (seen, corrected) in [(60, 10), (-60, -10), (0, 50)] {
            let offset = filter.correct(units(seen), units(200), at(10));
            assert_eq!(offset, units(corrected));
        }
    }

    #[test]
    fn the_least_delay_is_forgotten_after_the_span() {
        let mut filter = HuffPuff::new(Elapsed::from_secs(1800), at(0));
        filter.correct(Duration::ZERO, units(100), at(0));
        for (second, least) in [(899, 100), (1799, 100), (1800, 300)] {
            filter.correct(Duration::ZERO, units(300), at(second));
            assert_eq!(filter.least(), Some(units(least)), "{second} s");
        }
        // Years without a sample take no time, and leave nothing.
        filter.correct(Duration::ZERO, units(900), at(1_000_000_000));
        assert_eq!(filter.least(), Some(units(900)));
    }

    #[test]
    fn a_span_is_a_quarter_of_an_hour_at_least() {
        let mut filter = HuffPuff::new(Elapsed::from_secs(1), at(0));
        filter.correct(Duration::ZERO, units(100), at(0));
        filter.correct(Duration::ZERO, units(300), at(800));
        assert_eq!(filter.least(), Some(units(100)));
    }

    proptest! {
        #[test]
        fn a_correction_is_half_of_what_the_delay_is_too_much(
            samples in proptest::collection::vec((0u64..1000, -1_000..1000, 1..5000), 1..60),
            span in 0u64..10_000,
        ) {
            let mut filter = HuffPuff::new(Elapsed::from_secs(span), at(0));
            let mut now = 0;
            for (wait, offset, delay) in samples {
                now += wait;
                let (offset, delay) = (units(offset), units(delay));
                let corrected = filter.correct(offset, delay, at(now));
                let least = filter.least().unwrap();
                prop_assert!(least <= delay);
                prop_assert_eq!((corrected - offset).abs(), (delay - least) / 2);
            }
        }
    }
}
