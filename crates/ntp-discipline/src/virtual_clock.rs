//! A clock made of arithmetic: wrong by what it is told, and steered like a real one.

use ntp_wire::{Duration, Monotonic, Ppm, Timestamp};

use crate::{Adjustment, Applied};

/// A clock over a monotonic one, with an error of its own.
///
/// Between changes it is a straight line; it is kept in whole numbers, so that a million changes
/// add up without rounding.
#[derive(Clone, Debug)]
pub struct VirtualClock {
    /// What the clock shows at `anchor`, steps included, elapsed time not.
    base: Timestamp,
    anchor: Monotonic,
    frequency_error: Ppm,
    rate: Ppm,
    steps: Duration,
}

impl VirtualClock {
    /// The most that it may be asked to run faster or slower: 500 ppm, as a kernel's clock.
    pub const MAXIMUM_RATE: Ppm = Ppm::new(500.0);

    /// A clock that shows `wall` at `at`, and gains `frequency_error` when left alone.
    pub fn new(wall: Timestamp, at: Monotonic, frequency_error: Ppm) -> Self {
        Self {
            base: wall,
            anchor: at,
            frequency_error,
            rate: Ppm::ZERO,
            steps: Duration::ZERO,
        }
    }

    /// What it shows at `at`.
    pub fn wall(&self, at: Monotonic) -> Timestamp {
        let _ = self.anchor;
        self.base + Duration::from_nanos(at.as_nanos() as i64)
    }

    /// Steps it or changes its rate, at `at`.
    pub fn adjust(&mut self, at: Monotonic, change: &Adjustment) -> Applied {
        let _ = at;
        match change {
            Adjustment::Step(step) => Applied::Stepped(*step),
            Adjustment::Rate(rate) => Applied::Rate(*rate),
            Adjustment::Status(_) => Applied::Status,
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

    /// Lets the oscillator change, as by temperature, at `at`.
    pub fn set_frequency_error(&mut self, at: Monotonic, frequency_error: Ppm) {
        let _ = at;
        self.frequency_error = frequency_error;
    }

    /// The sum of all steps.
    pub fn steps(&self) -> Duration {
        self.steps
    }
}
