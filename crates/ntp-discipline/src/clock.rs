//! The one door between the discipline and whatever clock it steers.

use ntp_wire::{Duration, Leap, Monotonic, Ppm, Timestamp};

/// One reading of both clocks, as close together as they could be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Now {
    /// The disciplined clock: what the world is told.
    pub wall: Timestamp,
    /// The clock that nobody sets: timers run on it.
    pub monotonic: Monotonic,
}

/// A clock that can be read and steered.
///
/// There are four: the kernel's, a virtual one in the process, the simulator's, and one that
/// refuses to move (`disable ntp`).
pub trait Clock {
    /// Reads both clocks.
    fn read(&self) -> Now;

    /// Carries out `change` and tells what truly happened.
    ///
    /// # Errors
    ///
    /// [`ClockError`] if the clock did not change; the caller goes on with the clock as it is.
    fn adjust(&mut self, change: &Adjustment) -> Result<Applied, ClockError>;
}

/// What the discipline asks of a clock.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Adjustment {
    /// Add this to the clock at once.
    Step(Duration),
    /// From now on run faster than the bare oscillator by this much: the frequency correction and
    /// whatever is being slewed, in one figure. It holds until the next one.
    Rate(Ppm),
    /// Tell the clock's other users how good it is.
    Status(ClockStatus),
}

/// How good the clock is, for those who ask the kernel.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ClockStatus {
    /// The leap second to come; [`Leap::Unsynchronised`] says that the clock is not synchronised.
    pub leap: Leap,
    /// No worse than this (root distance).
    pub maximum_error: Duration,
    /// About this (jitter).
    pub estimated_error: Duration,
    /// TAI − UTC in seconds, where known.
    pub tai_offset: Option<i32>,
}

/// What a clock did about an [`Adjustment`].
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Applied {
    /// It was stepped by this much.
    Stepped(Duration),
    /// It now runs at this rate, which may be less than was asked for.
    Rate(Ppm),
    /// It took note.
    Status,
    /// It never moves (`disable ntp`); nothing was done.
    Ignored,
}

/// Why a clock did not change.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClockError {
    /// The process may not set the clock.
    #[error("not allowed to set the clock: run as root or with CAP_SYS_TIME")]
    NotPermitted,
    /// The system refused, with its error number.
    #[error("the system refused to set the clock (error {0})")]
    System(i32),
}
