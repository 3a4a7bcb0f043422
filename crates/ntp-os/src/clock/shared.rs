//! A virtual clock, and the file by which it goes from one process to the next.

use std::path::PathBuf;

use ntp_discipline::{Adjustment, Applied, ClockError, VirtualClock};
use ntp_wire::{Monotonic, Timestamp};

use super::{OpenClockError, VirtualSpec, state::ClockState};
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

    pub(super) fn wall(&self, at: Monotonic) -> Timestamp {
        self.clock.wall(at)
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
