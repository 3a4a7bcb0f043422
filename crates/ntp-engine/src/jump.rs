//! Noticing that somebody else set the clock.

use ntp_discipline::Now;
use ntp_wire::{Duration, Ppm};

/// No reading of the two clocks is wrong by more.
const LEAST_JUMP: Duration = Duration::from_millis(10);
/// How much the rate may change from one look to the next: twice what it is from one limit of a
/// slew to the other.
const CHANGE_OF_RATE: f64 = 0.002;
/// A clock of which nothing is known yet may be so wrong: a virtual one has up to a tenth.
const WORST_RATE: f64 = 0.12;
/// The rate is measured over intervals of this length, in seconds.
const INTERVAL: f64 = 0.5;

/// Compares the wall clock with the one that nobody sets.
///
/// Both run at the same rate on a kernel that slews both, and at rates that change little from one
/// second to the next on any other. When the wall clock departs from that, it was set, or the
/// machine slept: then the monotonic clock stood still.
#[derive(Clone, Copy, Debug)]
pub(crate) struct JumpWatch {
    anchor: Now,
    /// How much the wall clock gains on the other, if that is known.
    rate: Option<f64>,
    /// The fastest that we asked for since the anchor: only one of the clocks may follow it.
    own_rate: f64,
    /// The same of the interval in which `rate` was measured.
    own_rate_before: f64,
    least: Duration,
}

impl JumpWatch {
    /// For a clock whose readings differ by `precision` at least.
    pub(crate) fn new(now: Now, precision: Duration) -> Self {
        Self {
            anchor: now,
            rate: None,
            own_rate: 0.0,
            own_rate_before: 0.0,
            least: LEAST_JUMP.max(precision * 4),
        }
    }

    /// The last reading that is reckoned from.
    pub(crate) fn anchor(&self) -> Now {
        self.anchor
    }

    /// The clock was set, and that is known.
    pub(crate) fn restart(&mut self, now: Now) {
        self.anchor = now;
    }

    /// By how much the clock was set since the last look, if it was; it runs at `own_rate` beside
    /// its oscillator.
    pub(crate) fn look(&mut self, now: Now, own_rate: Ppm) -> Option<Duration> {
        let own_rate = own_rate.value().abs() * 1e-6;
        self.own_rate = self.own_rate.max(own_rate);
        let steered = self.own_rate.max(self.own_rate_before);
        let elapsed = now.monotonic.since(self.anchor.monotonic);
        let seconds = elapsed.as_secs_f64();
        let elapsed = Duration::from_nanos(i64::try_from(elapsed.as_nanos()).unwrap_or(i64::MAX));
        let gained = now.wall - self.anchor.wall - elapsed;
        let expected = Duration::from_seconds_f64(self.rate.unwrap_or_default() * seconds);
        let slack = self.rate.map_or(WORST_RATE, |_| CHANGE_OF_RATE + steered) * seconds;
        let jump = gained - expected;
        if jump.abs() > self.least + Duration::from_seconds_f64(slack) {
            self.anchor = now;
            return Some(jump);
        }
        if seconds >= INTERVAL {
            let rate = gained.to_seconds_f64() / seconds;
            // What is within the slack may as well be noise, which must not be drawn out.
            self.rate = Some(if rate.abs() < CHANGE_OF_RATE {
                0.0
            } else {
                rate
            });
            self.anchor = now;
            self.own_rate_before = std::mem::replace(&mut self.own_rate, own_rate);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use ntp_wire::{Monotonic, Timestamp};
    use proptest::prelude::*;

    use super::*;

    fn reading(milliseconds: i64, rate: f64, stepped: f64) -> Now {
        let wall = milliseconds as f64 * 1e-3 * (1.0 + rate) + stepped;
        Now {
            wall: Timestamp::from_unix(1_795_393_189, 0) + Duration::from_seconds_f64(wall),
            monotonic: Monotonic::from_nanos(milliseconds as u64 * 1_000_000),
        }
    }

    fn watch() -> JumpWatch {
        JumpWatch::new(reading(0, 0.0, 0.0), Duration::from_nanos(1000))
    }

    proptest! {
        #[test]
        fn a_steady_clock_never_jumps(
            rate in prop_oneof![-0.1..0.1f64, -0.001..0.001],
            gaps in proptest::collection::vec(0i64..5000, 1..50),
        ) {
            let mut watch = watch();
            let mut time = 0;
            for gap in gaps {
                time += gap;
                // A kernel's clock may be read late.
                let noise = if rate.abs() < 0.001 && gap % 2 == 0 { 0.001 } else { 0.0 };
                prop_assert_eq!(watch.look(reading(time, rate, noise), Ppm::ZERO), None);
            }
        }

        #[test]
        fn a_step_is_noticed_once(
            rate in -0.1..0.1f64, step in prop_oneof![-1e6..-0.02f64, 0.02..1e6f64],
            gaps in proptest::collection::vec(0i64..1100, 1..20),
        ) {
            let mut watch = watch();
            for second in 0..5 {
                prop_assert_eq!(watch.look(reading(second * 1000, rate, 0.0), Ppm::ZERO), None);
            }
            let found = watch.look(reading(4500, rate, step), Ppm::ZERO).unwrap();
            // Small rates count as none.
            prop_assert!((found.to_seconds_f64() - step).abs() < 0.001_1);
            let mut time = 4500;
            for gap in gaps {
                time += gap;
                prop_assert_eq!(watch.look(reading(time, rate, step), Ppm::ZERO), None);
            }
        }
    }

    #[test]
    fn a_slew_of_ours_is_no_jump_however_often_the_clocks_are_read() {
        for spacing in [10, 100, 300, 500, 1000] {
            let mut watch = watch();
            // Two per cent, from second 3 to 4, of a clock that is read beside one that is not
            // slewed.
            let rate_at = |time: i64| f64::from((3000..4000).contains(&time)) * 0.02;
            for time in (0..8000).step_by(spacing) {
                let slewed = (time - 3000).clamp(0, 1000) as f64 * 1e-3 * 0.02;
                let now = reading(time, 0.0, slewed);
                // Read before a second's work, and after it.
                let before = Ppm::new(rate_at(time - 1) * 1e6);
                let after = Ppm::new(rate_at(time) * 1e6);
                assert_eq!(watch.look(now, before), None, "{spacing} {time}");
                assert_eq!(watch.look(now, after), None, "{spacing} {time}");
            }
        }
    }

    #[test]
    fn a_coarse_clock_does_not_jump_with_each_reading() {
        let mut watch = JumpWatch::new(reading(0, 0.0, 0.0), Duration::from_millis(16));
        for second in 1..20 {
            let coarse = f64::from(second % 2) * 0.016;
            let now = reading(i64::from(second) * 1000, 0.0, coarse);
            assert_eq!(watch.look(now, Ppm::ZERO), None);
        }
    }
}
