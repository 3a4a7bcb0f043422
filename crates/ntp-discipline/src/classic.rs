//! The classic clock loop (RFC 5905 section 11.3, appendix A.5.5.6), in the manner of ntpd 4.2.8.

use ntp_wire::{Duration, Monotonic, PollExponent, Ppm, Precision};

use crate::{
    Adjustment, Applied, Discipline, LoopState, LoopStatus, Outcome, Response, SystemEvent, Tinker,
    Update,
};

/// How a [`Classic`] loop starts.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct LoopOptions {
    /// The constants.
    pub tinker: Tinker,
    /// `-g`: the first offset may be above the panic threshold.
    pub panic_once: bool,
    /// `-G`: the first offset above the step threshold is stepped without waiting.
    pub step_once: bool,
    /// `-q`: set the clock once and be done.
    pub one_shot: bool,
    /// The precision of the clock: no jitter is less.
    pub precision: Precision,
}

/// The hybrid phase- and frequency-locked loop of RFC 5905.
#[derive(Clone, Debug)]
pub struct Classic {
    options: LoopOptions,
    state: LoopState,
    frequency: Ppm,
}

impl Classic {
    /// The fastest that it slews, and the largest frequency correction: 500 ppm.
    pub const MAXIMUM_RATE: Ppm = Ppm::new(500.0);

    /// A loop that starts at `at`, with the `frequency` of the drift file if there is one.
    ///
    /// The event says which of the two it was: `freq_set` or `freq_not_set`.
    pub fn new(options: LoopOptions, frequency: Option<Ppm>, at: Monotonic) -> (Self, SystemEvent) {
        let _ = at;
        let start = Self {
            options,
            state: LoopState::NotSet,
            frequency: frequency.unwrap_or_default(),
        };
        (start, SystemEvent::FrequencyNotSet)
    }
}

impl Discipline for Classic {
    fn update(&mut self, _update: &Update) -> Response {
        Response {
            outcome: Outcome::Ignored,
            adjustment: None,
            events: Vec::new(),
        }
    }

    fn tick(&mut self, _at: Monotonic) -> Option<Adjustment> {
        Some(Adjustment::Rate(self.frequency))
    }

    fn stepped(&mut self, _at: Monotonic, _applied: &Applied) {}

    fn status(&self) -> LoopStatus {
        LoopStatus {
            state: self.state,
            offset: Duration::ZERO,
            residual: Duration::ZERO,
            frequency: self.frequency,
            jitter: self.options.precision.to_duration(),
            wander: Ppm::ZERO,
            time_constant: PollExponent::DEFAULT_MINIMUM,
            minimum_time_constant: PollExponent::FASTEST,
            frequency_known: false,
            finished: false,
        }
    }
}
