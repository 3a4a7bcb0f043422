//! A clock made of arithmetic: wrong by what it is told, and steered like a real one.

use ntp_wire::{Duration, Leap, Monotonic, Ppm, Timestamp};

use crate::{Adjustment, Applied};

/// Seconds of a day, leap seconds not counted.
const DAY: i64 = 86_400;
const SECOND: Duration = Duration::from_seconds(1);

/// 2⁶⁴: rates are kept in units of 2⁻⁶⁴, elapsed time in units of 2⁻⁶⁴ ns.
const ONE: f64 = 18_446_744_073_709_551_616.0;

/// A clock over a monotonic one, with an error of its own.
///
/// Between changes it is a straight line. It is kept in whole numbers, so that a million changes
/// add up without rounding: what it shows depends on its rates and how long each was in force, not
/// on how often it was asked or told.
///
/// [`Adjustment::Status`] arms it for a leap second at the end of the day that it shows, as the
/// kernel's clock: the second 23:59:59 comes twice, or not at all. The status must be taken back
/// before it makes another one.
///
/// ```
/// use core::time::Duration as Elapsed;
/// use ntp_discipline::{Adjustment, VirtualClock};
/// use ntp_wire::{Duration, Monotonic, Ppm, Timestamp};
///
/// let start = Timestamp::from_unix(1_795_393_189, 0);
/// let mut clock = VirtualClock::new(start, Monotonic::START, Ppm::new(50.0));
/// let later = Monotonic::START + Elapsed::from_secs(100);
/// assert_eq!((clock.wall(later) - start).to_nanos(), 100_005_000_000); // 5 ms too fast
///
/// clock.adjust(later, &Adjustment::Step(Duration::from_millis(-5)));
/// clock.adjust(later, &Adjustment::Rate(Ppm::new(-50.0)));
/// let end = later + Elapsed::from_secs(100);
/// assert_eq!((clock.wall(end) - start).to_nanos(), 200_000_000_000);
/// ```
#[derive(Clone, Debug)]
pub struct VirtualClock {
    /// What it showed at `anchor`, had it stood still since the start: the start and all steps.
    base: Timestamp,
    /// How far it ran until `anchor`, in 2⁻⁶⁴ ns.
    run: i128,
    anchor: Monotonic,
    frequency_error: Ppm,
    rate: Ppm,
    leap: Option<ArmedLeap>,
}

/// A leap second that the clock was told to make.
#[derive(Clone, Copy, PartialEq, Debug)]
struct ArmedLeap {
    leap: Leap,
    /// The end of the day.
    midnight: Timestamp,
    /// It was made, and is part of `base`.
    made: bool,
}

impl ArmedLeap {
    /// For the end of the day of `wall`.
    fn new(leap: Leap, wall: Timestamp) -> Self {
        let (seconds, _) = wall.to_unix();
        let midnight = (seconds.div_euclid(DAY) + 1).saturating_mul(DAY);
        Self {
            leap,
            midnight: Timestamp::from_unix(midnight, 0),
            made: false,
        }
    }

    /// What is still to be added when the clock would show `wall` without it.
    fn change_at(self, wall: Timestamp) -> Duration {
        match self.leap {
            Leap::Insert if !self.made && wall >= self.midnight => -SECOND,
            Leap::Delete if !self.made && wall >= self.midnight - SECOND => SECOND,
            _ => Duration::ZERO,
        }
    }
}

impl VirtualClock {
    /// The most that it may be asked to run faster or slower: a tenth, as a kernel's clock whose
    /// tick is changed.
    pub const MAXIMUM_RATE: Ppm = Ppm::new(100_000.0);

    /// The largest frequency error, 10 %.
    pub const MAXIMUM_ERROR: Ppm = Ppm::new(100_000.0);

    /// A clock that shows `wall` at `at`, and gains `frequency_error` when left alone. An error
    /// beyond [`MAXIMUM_ERROR`](Self::MAXIMUM_ERROR) is cut down to it.
    pub fn new(wall: Timestamp, at: Monotonic, frequency_error: Ppm) -> Self {
        Self {
            base: wall,
            run: 0,
            anchor: at,
            frequency_error: frequency_error.clamp(Self::MAXIMUM_ERROR),
            rate: Ppm::ZERO,
            leap: None,
        }
    }

    /// What it shows at `at`. Times before the last change count as the time of that change.
    pub fn wall(&self, at: Monotonic) -> Timestamp {
        let wall = self.without_leap(at);
        wall + self
            .leap
            .map_or(Duration::ZERO, |leap| leap.change_at(wall))
    }

    /// What it would show if it made no leap any more.
    fn without_leap(&self, at: Monotonic) -> Timestamp {
        let run = self.run_until(at);
        // Whole and part nanoseconds become seconds and 2⁻³² s, rounded down both.
        let nanoseconds = run >> 64;
        let seconds = nanoseconds.div_euclid(1_000_000_000);
        let part = (nanoseconds.rem_euclid(1_000_000_000) << 32) | ((run >> 32) & 0xffff_ffff);
        let fraction = Duration::from_bits((part / 1_000_000_000) as i64);
        Timestamp::from_parts(
            self.base.seconds().saturating_add(seconds as i64),
            self.base.fraction(),
        ) + fraction
    }

    /// How long it ran by itself: what it shows but for its start and its steps, as a system's
    /// monotonic clock does.
    pub fn monotonic(&self, at: Monotonic) -> Monotonic {
        let nanoseconds = self.run_until(at) >> 64;
        Monotonic::from_nanos(nanoseconds.clamp(0, u64::MAX.into()) as u64)
    }

    /// Stands still from `at` for so long, as the clocks of a virtual machine that is not let run.
    pub fn pause(&mut self, at: Monotonic, lasting: core::time::Duration) {
        self.advance(at);
        self.anchor += lasting;
    }

    /// Steps it or changes its rate, at `at`, or arms it for a leap second; a rate beyond
    /// [`MAXIMUM_RATE`](Self::MAXIMUM_RATE) is cut down to it.
    pub fn adjust(&mut self, at: Monotonic, change: &Adjustment) -> Applied {
        self.settle(at);
        match change {
            Adjustment::Step(step) => {
                self.base += *step;
                if let Some(armed) = self.leap.filter(|armed| !armed.made) {
                    self.leap = Some(ArmedLeap::new(armed.leap, self.wall(at)));
                }
                Applied::Stepped(*step)
            }
            Adjustment::Rate(rate) => {
                self.advance(at);
                self.rate = rate.clamp(Self::MAXIMUM_RATE);
                Applied::Rate(self.rate)
            }
            Adjustment::Status(status) => {
                self.arm(at, status.leap);
                Applied::Status
            }
        }
    }

    fn arm(&mut self, at: Monotonic, leap: Leap) {
        match leap {
            Leap::None | Leap::Unsynchronised => self.leap = None,
            _ if self.leap.is_some_and(|armed| armed.leap == leap) => {}
            _ => self.leap = Some(ArmedLeap::new(leap, self.wall(at))),
        }
    }

    /// A leap that was made becomes part of the clock.
    fn settle(&mut self, at: Monotonic) {
        let wall = self.without_leap(at);
        if let Some(armed) = &mut self.leap {
            let change = armed.change_at(wall);
            armed.made |= change != Duration::ZERO;
            self.base += change;
        }
    }

    /// The rate it was last given.
    pub fn rate(&self) -> Ppm {
        self.rate
    }

    /// What it gains when left alone.
    pub fn frequency_error(&self) -> Ppm {
        self.frequency_error
    }

    /// Lets the oscillator change at `at`, as with the temperature.
    pub fn set_frequency_error(&mut self, at: Monotonic, frequency_error: Ppm) {
        self.advance(at);
        self.frequency_error = frequency_error.clamp(Self::MAXIMUM_ERROR);
    }

    fn advance(&mut self, at: Monotonic) {
        self.settle(at);
        self.run = self.run_until(at);
        self.anchor = self.anchor.max(at);
    }

    fn run_until(&self, at: Monotonic) -> i128 {
        let elapsed = i128::from(at.as_nanos().saturating_sub(self.anchor.as_nanos()));
        // At most 2⁶⁴ ns times 1.1 · 2⁶⁴ units; only a run of centuries can saturate.
        elapsed
            .saturating_mul(Self::per_nanosecond(self.frequency_error, self.rate))
            .saturating_add(self.run)
    }

    /// How far it runs in a nanosecond, in 2⁻⁶⁴ ns.
    fn per_nanosecond(frequency_error: Ppm, rate: Ppm) -> i128 {
        let units = |rate: Ppm| (rate.value() * 1e-6 * ONE) as i128;
        (1 << 64) + units(frequency_error) + units(rate)
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration as Elapsed;

    use proptest::prelude::*;

    use super::*;

    fn at(nanoseconds: u64) -> Monotonic {
        Monotonic::from_nanos(nanoseconds)
    }

    #[test]
    fn rates_are_cut_down_and_told() {
        let mut clock = VirtualClock::new(Timestamp::UNIX_EPOCH, at(0), Ppm::new(1e9));
        assert_eq!(clock.frequency_error(), VirtualClock::MAXIMUM_ERROR);
        assert_eq!(
            clock.adjust(at(0), &Adjustment::Rate(Ppm::new(-700_000.0))),
            Applied::Rate(Ppm::new(-100_000.0))
        );
    }

    #[test]
    fn a_million_changes_add_up() {
        let start = Timestamp::from_unix(1_795_393_189, 123_456_789);
        let mut clock = VirtualClock::new(start, at(0), Ppm::new(12.5));
        for second in 0..1_000_000 {
            let rate = if second % 2 == 0 { 400.0 } else { -425.0 };
            clock.adjust(
                at(second * 1_000_000_000),
                &Adjustment::Rate(Ppm::new(rate)),
            );
        }
        // 12.5 + 400 and 12.5 − 425 cancel but for what a rate cannot be told exactly.
        let end = clock.wall(at(1_000_000 * 1_000_000_000));
        let error = (end - start) - Duration::from_seconds(1_000_000);
        assert!(error.abs() <= Duration::from_bits(1), "{error:?}");
    }

    #[test]
    fn a_pause_is_missing_from_both_clocks_and_a_step_from_one() {
        let start = Timestamp::from_unix(1_795_393_189, 0);
        let mut clock = VirtualClock::new(start, at(0), Ppm::ZERO);
        clock.pause(at(1_000_000_000), Elapsed::from_secs(10));
        clock.adjust(
            at(2_000_000_000),
            &Adjustment::Step(Duration::from_seconds(3)),
        );
        let second = |count: u64| at(count * 1_000_000_000);
        assert_eq!(clock.monotonic(second(11)), second(1));
        assert_eq!(clock.monotonic(second(13)), second(3));
        assert_eq!(clock.wall(second(13)) - start, Duration::from_seconds(6));
    }

    #[test]
    fn it_saturates_after_centuries() {
        let mut clock = VirtualClock::new(Timestamp::UNIX_EPOCH, at(0), Ppm::new(1e9));
        clock.adjust(at(u64::MAX), &Adjustment::Rate(Ppm::new(500.0)));
        assert!(clock.wall(at(u64::MAX)) > Timestamp::from_unix(290 * 31_556_952, 0));
    }

    /// What a clock shows before midnight and after, in seconds after it; it is armed a minute
    /// before.
    fn around_midnight(leap: Leap, adjust_at: u64) -> Vec<f64> {
        let midnight = Timestamp::from_unix(1_483_228_800, 0);
        let second = |seconds: f64| at((seconds * 1e9) as u64);
        let mut clock = VirtualClock::new(midnight - Duration::from_seconds(60), at(0), Ppm::ZERO);
        let status = |leap| {
            Adjustment::Status(crate::ClockStatus {
                leap,
                ..Default::default()
            })
        };
        clock.adjust(at(0), &status(leap));
        let mut shown = Vec::new();
        for seconds in [57.5, 58.5, 59.5, 60.5, 61.5, 86_400.0 + 62.5] {
            if seconds > adjust_at as f64 {
                let adjusted = second(adjust_at as f64);
                clock.adjust(adjusted, &Adjustment::Rate(Ppm::ZERO));
                clock.adjust(adjusted, &status(leap));
            }
            shown.push((clock.wall(second(seconds)) - midnight).to_seconds_f64());
        }
        shown
    }

    #[test]
    fn a_leap_second_is_made_once_and_at_midnight() {
        // Whether or not it is asked for anything meanwhile, before, within and after.
        for adjusted in [0, 58, 59, 60, 61, 62, 3600] {
            let shown = |leap| around_midnight(leap, adjusted);
            assert_eq!(shown(Leap::None), [-2.5, -1.5, -0.5, 0.5, 1.5, 86_402.5]);
            // 23:59:59 comes twice.
            assert_eq!(shown(Leap::Insert), [-2.5, -1.5, -0.5, -0.5, 0.5, 86_401.5]);
            // 23:59:59 does not come.
            assert_eq!(shown(Leap::Delete), [-2.5, -1.5, 0.5, 1.5, 2.5, 86_403.5]);
        }
    }

    #[test]
    fn a_step_moves_a_leap_to_another_day() {
        let midnight = Timestamp::from_unix(1_483_228_800, 0);
        let mut clock = VirtualClock::new(midnight - SECOND, at(0), Ppm::ZERO);
        let status = crate::ClockStatus {
            leap: Leap::Insert,
            ..Default::default()
        };
        clock.adjust(at(0), &Adjustment::Status(status));
        clock.adjust(at(0), &Adjustment::Step(Duration::from_seconds(10)));
        let day = at(86_400_000_000_000);
        assert_eq!(clock.wall(at(2_000_000_000)), midnight + SECOND * 11);
        assert_eq!(clock.wall(day), midnight + SECOND * 86_408);
        clock.adjust(day, &Adjustment::Status(crate::ClockStatus::default()));
        assert_eq!(clock.wall(day), midnight + SECOND * 86_408);
    }

    proptest! {
        #[test]
        fn a_change_of_rate_is_continuous(
            error in -600.0..600.0, rates in proptest::collection::vec((-600.0..600.0, 0u64..1 << 40), 0..20),
        ) {
            let mut clock = VirtualClock::new(Timestamp::UNIX_EPOCH, at(5), Ppm::new(error));
            let mut now = at(5);
            for (rate, later) in rates {
                now += Elapsed::from_nanos(later);
                let before = clock.wall(now);
                clock.adjust(now, &Adjustment::Rate(Ppm::new(rate)));
                prop_assert_eq!(clock.wall(now), before);
            }
        }

        #[test]
        fn a_step_moves_it_by_just_that(error in -600.0..600.0, time in 0u64..1 << 60, step in -1i64 << 60..1 << 60) {
            let mut clock = VirtualClock::new(Timestamp::UNIX_EPOCH, at(0), Ppm::new(error));
            let before = clock.wall(at(time));
            let step = Duration::from_bits(step);
            clock.adjust(at(time), &Adjustment::Step(step));
            prop_assert_eq!(clock.wall(at(time)) - before, step);
        }

        #[test]
        fn asking_and_repeating_change_nothing(
            error in -600.0..600.0, rate in -500.0..500.0, times in proptest::collection::vec(0u64..1 << 50, 1..20),
        ) {
            let mut often = VirtualClock::new(Timestamp::UNIX_EPOCH, at(0), Ppm::new(error));
            let mut times = times;
            times.sort_unstable();
            let rate = Adjustment::Rate(Ppm::new(rate));
            often.adjust(at(0), &rate);
            let once = often.clone();
            for time in times {
                often.adjust(at(time), &rate);
                prop_assert_eq!(often.wall(at(time)), once.wall(at(time)));
            }
        }

        #[test]
        fn it_never_runs_backwards(error in -600.0..600.0, time in 0u64..1 << 60, later in 0u64..1 << 60) {
            let clock = VirtualClock::new(Timestamp::UNIX_EPOCH, at(0), Ppm::new(error));
            prop_assert!(clock.wall(at(time + later)) >= clock.wall(at(time)));
        }
    }
}
