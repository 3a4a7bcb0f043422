//! A virtual clock, and the file by which it goes from one process to the next.

use std::{path::PathBuf, time::Duration as Elapsed};

use ntp_discipline::{Adjustment, Applied, ClockError, VirtualClock};
use ntp_wire::{Duration, Monotonic, Timestamp};

use super::{OpenClockError, VirtualSpec, state::ClockState, to_duration};
use crate::stamp::KernelReading;

/// A virtual clock of the process, or of several processes one after the other.
#[derive(Debug)]
pub(super) struct SharedClock {
    clock: VirtualClock,
    state: Option<PathBuf>,
}

impl SharedClock {
    /// The clock in the state file if there is one of this boot, else a new one.
    pub(super) fn open(spec: &VirtualSpec) -> Result<Self, OpenClockError> {
        let reading = KernelReading::take();
        let fresh = || {
            VirtualClock::new(
                reading.real + spec.offset,
                reading.monotonic,
                spec.frequency,
            )
        };
        let Some(path) = &spec.state else {
            return Ok(Self {
                clock: fresh(),
                state: None,
            });
        };
        if let Some(state) = ClockState::load(path)? {
            return Ok(Self {
                clock: state.to_clock(),
                state: Some(path.clone()),
            });
        }
        let clock = fresh();
        ClockState::of(&clock, reading.monotonic)
            .save(path)
            .map_err(|source| OpenClockError::Write {
                path: path.clone(),
                source,
            })?;
        Ok(Self {
            clock,
            state: Some(path.clone()),
        })
    }

    /// What the clock shows at `at`, less what it went on in the `age` before. Its rate may have
    /// changed meanwhile: of no account where the age is that of a datagram.
    pub(super) fn wall_before(&self, at: Monotonic, age: Elapsed) -> Timestamp {
        let gain = self.clock.frequency_error().value() + self.clock.rate().value();
        let gained = Duration::from_seconds_f64(age.as_secs_f64() * gain * 1e-6);
        self.clock.wall(at) - to_duration(age) - gained
    }

    pub(super) fn adjust(
        &mut self,
        at: Monotonic,
        change: &Adjustment,
    ) -> Result<Applied, ClockError> {
        let mut changed = self.clock.clone();
        let applied = changed.adjust(at, change);
        if let (Some(path), Applied::Stepped(_) | Applied::Rate(_)) = (&self.state, applied) {
            ClockState::of(&changed, at)
                .save(path)
                .map_err(|error| ClockError::System(error.raw_os_error().unwrap_or_default()))?;
        }
        self.clock = changed;
        Ok(applied)
    }
}
