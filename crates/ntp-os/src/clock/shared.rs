//! A virtual clock, and the file by which it goes from one process to the next.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration as Elapsed,
};

use ntp_discipline::{Adjustment, Applied, ClockError, VirtualClock};
use ntp_wire::{Duration, Monotonic, Ppm, Timestamp};

use super::{OpenClockError, VirtualSpec, state::ClockState, to_duration};
use crate::stamp::KernelReading;

/// A virtual clock of the process, or of several processes one after the other.
#[derive(Debug)]
pub(super) struct SharedClock {
    line: SharedLine,
    state: Option<PathBuf>,
}

/// The line of a clock, for all threads that read it.
#[derive(Clone, Debug)]
pub(super) struct SharedLine(Arc<Mutex<Line>>);

/// A clock that runs on a straight line, and on another one from some time on.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) clock: VirtualClock,
    pub(super) slew: Option<Slew>,
}

/// A single slew: when it is done and at what rate the clock goes on then.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Slew {
    pub(super) until: Monotonic,
    pub(super) rate: Ppm,
}

impl SharedClock {
    /// The clock in the state file if there is one of this boot, else a new one.
    pub(super) fn open(spec: &VirtualSpec) -> Result<Self, OpenClockError> {
        let reading = KernelReading::take();
        if let Some(path) = &spec.state
            && let Some(state) = ClockState::load(path)?
        {
            return Ok(Self {
                line: SharedLine::new(state.to_line()),
                state: Some(path.clone()),
            });
        }
        let wall = reading.real + spec.offset;
        let line = Line {
            clock: VirtualClock::new(wall, reading.monotonic, spec.frequency),
            slew: None,
        };
        if let Some(path) = &spec.state {
            ClockState::of(&line, reading.monotonic)
                .save(path)
                .map_err(|source| OpenClockError::Write {
                    path: path.clone(),
                    source,
                })?;
        }
        Ok(Self {
            line: SharedLine::new(line),
            state: spec.state.clone(),
        })
    }

    /// Its line, to be read elsewhere.
    pub(super) fn line(&self) -> SharedLine {
        self.line.clone()
    }

    /// How much faster than the monotonic clock it runs.
    pub(super) fn gain(&self, at: Monotonic) -> Ppm {
        Ppm::new(gain(&self.line.get().at(at)))
    }

    pub(super) fn adjust(
        &mut self,
        at: Monotonic,
        change: &Adjustment,
    ) -> Result<Applied, ClockError> {
        let mut line = self.line.get().clone();
        let applied = line.adjust(at, change);
        if applied == Applied::Status {
            // A leap second to come is not kept: the next process will be told of it as well.
            *self.line.get() = line;
        } else {
            self.change(line, at)?;
        }
        Ok(applied)
    }

    /// See [`SystemClock::slew`](super::SystemClock::slew).
    pub(super) fn slew(&mut self, at: Monotonic, by: Duration) -> Result<Applied, ClockError> {
        let mut line = self.line.get().clone();
        let applied = line.slew(at, by);
        self.change(line, at)?;
        Ok(applied)
    }

    /// The change is kept before it is made, so that a clock whose state cannot be kept does not
    /// change.
    fn change(&mut self, line: Line, at: Monotonic) -> Result<(), ClockError> {
        if let Some(path) = &self.state {
            ClockState::of(&line, at)
                .save(path)
                .map_err(|error| ClockError::System(error.raw_os_error().unwrap_or_default()))?;
        }
        *self.line.get() = line;
        Ok(())
    }
}

impl SharedLine {
    fn new(line: Line) -> Self {
        Self(Arc::new(Mutex::new(line)))
    }

    fn get(&self) -> MutexGuard<'_, Line> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the clock shows at `at`, less what it went on in the `age` before. Its rate may have
    /// changed meanwhile: of no account where the age is that of a datagram.
    pub(super) fn wall_before(&self, at: Monotonic, age: Elapsed) -> Timestamp {
        let clock = self.get().at(at);
        let gained = Duration::from_seconds_f64(age.as_secs_f64() * gain(&clock) * 1e-6);
        clock.wall(at) - to_duration(age) - gained
    }
}

fn gain(clock: &VirtualClock) -> f64 {
    clock.frequency_error().value() + clock.rate().value()
}

impl Line {
    /// The clock as it runs at `at`.
    pub(super) fn at(&self, at: Monotonic) -> VirtualClock {
        let mut clock = self.clock.clone();
        if let Some(slew) = self.slew
            && slew.until <= at
        {
            clock.adjust(slew.until, &Adjustment::Rate(slew.rate));
        }
        clock
    }

    /// A step and a rate end a slew, as they do with the kernel's clock.
    fn adjust(&mut self, at: Monotonic, change: &Adjustment) -> Applied {
        if let Adjustment::Step(_) | Adjustment::Rate(_) = change {
            self.end_slew(at);
        }
        self.clock.adjust(at, change)
    }

    fn end_slew(&mut self, at: Monotonic) {
        self.clock = self.at(at);
        if let Some(slew) = self.slew.take()
            && slew.until > at
        {
            self.clock.adjust(at, &Adjustment::Rate(slew.rate));
        }
    }

    fn slew(&mut self, at: Monotonic, by: Duration) -> Applied {
        self.end_slew(at);
        /// As the kernel's `adjtime` does, in ppm.
        const FASTEST: f64 = 500.0;
        let rate = self.clock.rate();
        let fastest = if by.is_negative() { -FASTEST } else { FASTEST };
        let applied = self
            .clock
            .adjust(at, &Adjustment::Rate(Ppm::new(rate.value() + fastest)));
        let gain = (self.clock.rate().value() - rate.value()) * 1e-6;
        // A clock that already runs as fast as it may cannot be slewed.
        let seconds = by.to_seconds_f64() / gain;
        if seconds.is_finite() && seconds > 0.0 {
            let until = at + Elapsed::try_from_secs_f64(seconds).unwrap_or(Elapsed::MAX);
            self.slew = Some(Slew { until, rate });
        } else {
            self.clock.adjust(at, &Adjustment::Rate(rate));
        }
        applied
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn at(seconds: u64) -> Monotonic {
        Monotonic::from_nanos(seconds * SECOND)
    }

    fn line() -> Line {
        Line {
            clock: VirtualClock::new(Timestamp::UNIX_EPOCH, at(0), Ppm::ZERO),
            slew: None,
        }
    }

    fn shown(line: &Line, seconds: u64) -> f64 {
        (line.at(at(seconds)).wall(at(seconds)) - Timestamp::UNIX_EPOCH).to_seconds_f64()
            - seconds as f64
    }

    #[test]
    fn a_slew_takes_its_time_and_ends() {
        let mut line = line();
        // 0.1 s at 500 ppm are 200 s.
        line.slew(at(100), Duration::from_millis(-100));
        for (seconds, gained) in [(100, 0.0), (200, -0.05), (300, -0.1), (10_000, -0.1)] {
            assert!((shown(&line, seconds) - gained).abs() < 1e-7, "{seconds}");
        }
    }

    #[test]
    fn it_makes_a_leap_second() {
        let midnight = Timestamp::from_unix(1_483_228_800, 0);
        let mut clock = SharedClock {
            line: SharedLine::new(Line {
                clock: VirtualClock::new(midnight, at(60), Ppm::ZERO),
                slew: None,
            }),
            state: None,
        };
        clock
            .line
            .get()
            .clock
            .adjust(at(60), &Adjustment::Step(-Duration::from_seconds(60)));
        let status = ntp_discipline::ClockStatus {
            leap: ntp_wire::Leap::Insert,
            ..Default::default()
        };
        let asked = Adjustment::Status(status);
        assert_eq!(clock.adjust(at(60), &asked), Ok(Applied::Status));
        clock.adjust(at(90), &Adjustment::Rate(Ppm::ZERO)).unwrap();
        assert_eq!(
            clock.line.wall_before(at(119), Elapsed::ZERO),
            midnight - Duration::from_seconds(1)
        );
        assert_eq!(clock.line.wall_before(at(121), Elapsed::ZERO), midnight);
    }

    #[test]
    fn a_step_or_a_rate_ends_a_slew() {
        for change in [
            Adjustment::Step(Duration::ZERO),
            Adjustment::Rate(Ppm::ZERO),
        ] {
            let mut line = line();
            line.slew(at(0), Duration::from_millis(100));
            line.adjust(at(100), &change);
            assert_eq!(line.slew, None);
            assert!((shown(&line, 1000) - 0.05).abs() < 1e-7);
            let mut line = self::line();
            line.slew(at(0), Duration::from_millis(100));
            line.adjust(at(900), &change);
            assert!((shown(&line, 1000) - 0.1).abs() < 1e-7);
        }
    }

    proptest! {
        #[test]
        fn every_slew_gains_what_it_should(
            rate in -499.0..499.0, by in -1_000_000i32..1_000_000, before in 0u64..1000,
        ) {
            let mut line = line();
            line.adjust(at(before), &Adjustment::Rate(Ppm::new(rate)));
            let mut alone = line.clone();
            line.slew(at(before), Duration::from_millis(by));
            let late = 2_000_000_000;
            alone.end_slew(at(before));
            let gained = shown(&line, late) - shown(&alone, late);
            prop_assert!((gained - f64::from(by) / 1e3).abs() < 1e-4, "{gained}");
            prop_assert_eq!(line.at(at(late)).rate(), Ppm::new(rate));
        }
    }
}
