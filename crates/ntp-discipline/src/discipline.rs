//! The face of a clock loop: offsets go in, adjustments come out.

use ntp_wire::{Duration, Monotonic, PollExponent, Ppm};

use crate::{Adjustment, Applied, Reading, SystemEvent, Tinker};

/// A loop that turns measured offsets into adjustments of a clock.
///
/// The driver calls [`update`](Self::update) with each combined offset,
/// [`tick`](Self::tick) once a second, and [`stepped`](Self::stepped) when the clock was, or
/// should have been, stepped. What the loop asks for it gets done by a [`Clock`](crate::Clock).
pub trait Discipline: core::fmt::Debug + Send {
    /// Tells how far the clock truly ran beside its oscillator. Call it before each of the others;
    /// who reckons from what he asked for does without.
    fn observe(&mut self, reading: Reading) {
        let _ = reading;
    }

    /// Takes a combined offset and decides what to do about it.
    fn update(&mut self, update: &Update) -> Response;

    /// A second went by: gives the rate to run at until the next call, or `None` if the clock
    /// should be left as it is.
    fn tick(&mut self, at: Monotonic) -> Option<Adjustment>;

    /// Tells what became of a step: of the one that [`update`](Self::update) asked for, or of one
    /// that somebody else made. Give [`Applied::Ignored`] for one that was refused.
    fn stepped(&mut self, at: Monotonic, applied: &Applied);

    /// Goes on with other constants. [`Tinker::frequency`] is of use to a new loop only; `kernel` is
    /// as in [`LoopOptions`](crate::LoopOptions).
    fn tune(&mut self, tinker: Tinker, kernel: bool);

    /// What to show of the loop.
    fn status(&self) -> LoopStatus;
}

/// A combined offset, as the selection gives it.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Update {
    /// When it was combined. Each sample of the system peer makes one update at most: give none
    /// if its [`Estimate::at`](crate::Estimate::at) is not later than that of the last update.
    pub at: Monotonic,
    /// True time minus the clock: positive if the clock is behind.
    pub offset: Duration,
    /// The combined jitter of the sources.
    pub jitter: Duration,
    /// What the rate of the clock should be, where an [`Estimator`](crate::Estimator) knows it.
    pub frequency: Option<FrequencyUpdate>,
    /// How often the system peer may be asked at most.
    pub minimum_poll: PollExponent,
    /// How seldom the system peer may be asked.
    pub maximum_poll: PollExponent,
}

/// The frequency of the oscillator, as it was estimated.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct FrequencyUpdate {
    /// The rate that makes the clock run true: positive for an oscillator that is slow.
    pub rate: Ppm,
    /// Its standard deviation.
    pub error: Ppm,
    /// How much the frequency wanders within a second, as a standard deviation.
    pub wander: Ppm,
    /// The standard deviation of the offset.
    pub offset_error: Duration,
    /// How often the system peer is asked.
    pub poll: PollExponent,
}

/// What the loop made of an [`Update`].
#[derive(Clone, PartialEq, Debug)]
pub struct Response {
    /// What was decided.
    pub outcome: Outcome,
    /// What the clock must do now; slewing comes with the ticks.
    pub adjustment: Option<Adjustment>,
    /// What to report, in this order.
    pub events: Vec<SystemEvent>,
}

/// What was decided about an offset.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// Nothing: it may be a spike, or the frequency is still being measured.
    Ignored,
    /// It will be slewed away.
    Slewed,
    /// It calls for the step that stands in [`Response::adjustment`]. All that was measured before
    /// is stale: clear every filter once the clock was stepped.
    Stepped,
    /// It is above the panic threshold: stop, and let the operator look.
    Panicked,
}

/// The state of a loop (RFC 5905 section 12, figure 25).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub enum LoopState {
    /// NSET: never set, no frequency known.
    NotSet = 1,
    /// FSET: never set, frequency known from the drift file.
    FrequencySet = 2,
    /// SPIK: saw an offset above the step threshold.
    Spike = 3,
    /// FREQ: measuring the frequency.
    Frequency = 4,
    /// SYNC: normal operation.
    Synchronised = 5,
}

impl LoopState {
    /// The number that `rv` shows as `state`.
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// The RFC's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NotSet => "NSET",
            Self::FrequencySet => "FSET",
            Self::Spike => "SPIK",
            Self::Frequency => "FREQ",
            Self::Synchronised => "SYNC",
        }
    }
}

/// What there is to see of a loop.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct LoopStatus {
    /// The state.
    pub state: LoopState,
    /// The last offset that was taken (`offset`).
    pub offset: Duration,
    /// What of it is still to be slewed away.
    pub residual: Duration,
    /// The frequency correction (`frequency`), what the drift file keeps: positive for an
    /// oscillator that is slow.
    pub frequency: Ppm,
    /// The RMS of offset differences (`clk_jitter`).
    pub jitter: Duration,
    /// The RMS of frequency differences (`clk_wander`).
    pub wander: Ppm,
    /// The time constant as an exponent (`tc`); ask the sources this often.
    pub time_constant: PollExponent,
    /// The least that the time constant can be (`mintc`).
    pub minimum_time_constant: PollExponent,
    /// Whether the frequency is worth keeping in the drift file.
    pub frequency_known: bool,
    /// Whether the loop is still pulling in, so that every filter should give its newest sample
    /// ([`FilterConditions::settling`](crate::FilterConditions::settling)).
    pub settling: bool,
    /// In a run that sets the clock once (`-q`): whether all is done.
    pub finished: bool,
}
