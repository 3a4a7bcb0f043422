//! The precise discipline: an estimator for each source, and a loop that does what they say.

mod bank;
mod estimator;
mod excess;
mod ladder;
mod normal;
mod pace;
mod path;
mod state;
mod track;

use ntp_wire::{Duration, Monotonic, PollExponent, Ppm};

pub use self::estimator::{Estimator, Exchange, Forecast};
use crate::gate::PanicGate;
use crate::{
    Adjustment, Applied, Discipline, LoopOptions, LoopState, LoopStatus, Outcome, Reading,
    Response, SystemEvent, Tinker, Update,
};

/// The time constant in which an offset is slewed away, in seconds. The shorter, the sooner the
/// clock shows what is known; the longer, the steadier it runs.
const TIME_CONSTANT: f64 = 20.0;
/// What an offset says that may be chance is slewed away in this part of the poll interval, if that
/// is longer: it costs a sixth of the variance that each sample removes, and keeps the rate from
/// following the noise.
const PART_OF_INTERVAL: f64 = 1.0 / 3.0;
/// So many standard deviations are no chance.
const NO_CHANCE: f64 = 5.0;
/// While settling, an offset is slewed away within a second or as fast as may be.
const SETTLING_GAIN: f64 = 1.0;
/// An offset below this ends settling, in seconds.
const SETTLED: f64 = 0.000_2;
/// The fastest that it slews, s/s.
const SLEW: f64 = 500e-6;
/// The fastest while settling: 100 ms take 2 s.
const SETTLING_SLEW: f64 = 0.05;
/// Where steps are this rare, in seconds, somebody wants slow slews (`-x`).
const GENTLE_FROM: f64 = 0.5;
/// A frequency is worth keeping for the next start once it is known to so many ppm.
const WORTH_KEEPING: f64 = 1.0;
/// The largest frequency correction, s/s.
const LARGEST_FREQUENCY: f64 = 5000e-6;
/// How many updates the jitter is averaged over.
const AVERAGE: f64 = 8.0;

/// The loop of the precise discipline.
///
/// It is told the offset and the frequency by [`Estimator`]s that know the bare oscillator, so there
/// is nothing left to learn here: the clock runs at the frequency, and what is left of the offset is
/// slewed away beside it. A slew never becomes frequency, so nothing overshoots.
///
/// Steps, spikes and panics follow the same thresholds as in [`Classic`](crate::Classic). Until the
/// clock was right once, offsets are slewed away at up to 5 %, so that it is right within seconds of
/// the first samples; then at up to 500 ppm, and never faster where steps are forbidden (`-x`).
#[derive(Clone, Debug)]
pub struct Precise {
    options: LoopOptions,
    state: LoopState,
    updated: bool,
    /// When an offset above the step threshold was first seen.
    spike_since: Option<Monotonic>,
    settling: bool,
    offset: f64,
    /// What is left of the offset, in seconds.
    residual: f64,
    /// The clock until when that is so.
    observed: Reading,
    /// s/s.
    frequency: f64,
    frequency_known: bool,
    jitter: f64,
    wander: Ppm,
    time_constant: PollExponent,
    /// The standard deviation of the offset, in seconds.
    offset_error: f64,
    pending_step: Option<f64>,
    gate: PanicGate,
}

impl Precise {
    /// A loop that starts with the `frequency` of the drift file if there is one;
    /// [`Tinker::frequency`](crate::Tinker::frequency) goes before it.
    ///
    /// The event says whether one is known: `freq_set` or `freq_not_set`.
    pub fn new(options: LoopOptions, frequency: Option<Ppm>) -> (Self, SystemEvent) {
        let frequency = options.tinker.frequency.or(frequency);
        let (state, event) = if frequency.is_some() {
            (LoopState::FrequencySet, SystemEvent::FrequencySet)
        } else {
            (LoopState::NotSet, SystemEvent::FrequencyNotSet)
        };
        let start = Self {
            options,
            state,
            updated: false,
            spike_since: None,
            settling: true,
            offset: 0.0,
            residual: 0.0,
            observed: Reading::default(),
            frequency: limited(frequency.unwrap_or_default()),
            frequency_known: frequency.is_some(),
            jitter: options.precision.to_duration().to_seconds_f64(),
            wander: Ppm::ZERO,
            time_constant: PollExponent::DEFAULT_MINIMUM,
            offset_error: 0.0,
            pending_step: None,
            gate: PanicGate::new(options.panic_once),
        };
        (start, event)
    }

    /// Whether the offset is to be stepped away now, is to be watched, or can be slewed away.
    fn judge(&mut self, update: &Update) -> Outcome {
        let step_once = core::mem::take(&mut self.options.step_once);
        if !step_once && !self.options.tinker.calls_for_step(update.offset) {
            self.spike_since = None;
            return Outcome::Slewed;
        }
        // At the start there is nothing to compare with; later, it must last.
        let since = *self.spike_since.get_or_insert(update.at);
        let lasts = update.at.since(since) >= self.options.tinker.stepout;
        if step_once || !self.updated || lasts {
            Outcome::Stepped
        } else {
            Outcome::Ignored
        }
    }

    fn enter(&mut self, state: LoopState, event: SystemEvent, events: &mut Vec<SystemEvent>) {
        if self.state != state {
            self.state = state;
            events.push(event);
        }
    }

    /// The time constant of the slew, in seconds.
    fn slew_time(&self) -> f64 {
        if self.residual.abs() > NO_CHANCE * self.offset_error {
            return TIME_CONSTANT;
        }
        let interval = self.time_constant.interval().as_secs_f64();
        TIME_CONSTANT.max(PART_OF_INTERVAL * interval)
    }

    fn take_frequency(&mut self, update: &Update, events: &mut Vec<SystemEvent>) {
        let Some(frequency) = update.frequency else {
            return;
        };
        self.frequency = limited(frequency.rate);
        self.wander = frequency.wander;
        self.time_constant = frequency.poll;
        self.offset_error = frequency.offset_error.to_seconds_f64();
        if !self.frequency_known && frequency.error.value() < WORTH_KEEPING {
            self.frequency_known = true;
            events.push(SystemEvent::FrequencySet);
        }
    }
}

impl Discipline for Precise {
    fn observe(&mut self, reading: Reading) {
        let elapsed = reading.elapsed - self.observed.elapsed;
        let corrected = reading.correction - self.observed.correction;
        // What the clock gained beyond its frequency was slewed away.
        self.residual -= corrected - self.frequency * elapsed;
        self.observed = reading;
    }

    fn update(&mut self, update: &Update) -> Response {
        if self.gate.stops(update.offset, &self.options.tinker) {
            return Response::panicked();
        }
        let mut events = Vec::new();
        let outcome = self.judge(update);
        self.updated = true;
        if outcome == Outcome::Ignored {
            self.enter(LoopState::Spike, SystemEvent::SpikeDetected, &mut events);
            return Response {
                outcome,
                adjustment: None,
                events,
            };
        }
        self.take_frequency(update, &mut events);
        let offset = update.offset.to_seconds_f64();
        // What was expected of the offset is what is left of the last one.
        let surprise = offset - self.residual;
        self.enter(
            LoopState::Synchronised,
            SystemEvent::ClockSynchronised,
            &mut events,
        );
        self.offset = offset;
        if outcome == Outcome::Stepped {
            self.spike_since = None;
            self.pending_step = Some(offset);
            events.push(SystemEvent::ClockStep);
            return Response {
                outcome,
                adjustment: Some(Adjustment::Step(update.offset)),
                events,
            };
        }
        if !self.settling {
            let square = self.jitter * self.jitter;
            self.jitter = (square + (surprise * surprise - square) / AVERAGE).sqrt();
        }
        self.residual = offset;
        Response {
            outcome,
            adjustment: None,
            events,
        }
    }

    fn tick(&mut self, _: Monotonic) -> Option<Adjustment> {
        if self.updated && self.residual.abs() < SETTLED {
            self.settling = false;
        }
        let gentle = |threshold: Option<Duration>| {
            threshold.is_none_or(|step| step.to_seconds_f64() > GENTLE_FROM)
        };
        let tinker = &self.options.tinker;
        let hasty = self.settling && !gentle(tinker.step_forward) && !gentle(tinker.step_back);
        let (gain, limit) = if hasty {
            (SETTLING_GAIN, SETTLING_SLEW)
        } else {
            (1.0 / self.slew_time(), SLEW)
        };
        // A spike says that the residual can't be trusted.
        let wanted = if self.state == LoopState::Spike {
            0.0
        } else {
            self.residual * gain
        };
        let slew = wanted.clamp(-limit, limit);
        Some(Adjustment::Rate(Ppm::new((self.frequency + slew) * 1e6)))
    }

    fn stepped(&mut self, _: Monotonic, applied: &Applied) {
        let stepped = match applied {
            Applied::Stepped(step) => step.to_seconds_f64(),
            Applied::Ignored => 0.0,
            Applied::Rate(_) | Applied::Status => return,
        };
        match self.pending_step.take() {
            Some(wanted) => {
                // What a refused step left undone is for the next update to find.
                let left = wanted - stepped;
                let too_much = self
                    .options
                    .tinker
                    .calls_for_step(Duration::from_seconds_f64(left));
                self.residual = if too_much { 0.0 } else { left };
            }
            // How wrong it is now, nobody knows: as after a start, the next update tells.
            None => {
                self.gate.set_by_others(stepped);
                self.residual = 0.0;
                self.updated = false;
                self.settling = true;
                self.spike_since = None;
                self.state = LoopState::FrequencySet;
            }
        }
    }

    fn tune(&mut self, tinker: Tinker, kernel: bool) {
        self.options.tinker = tinker;
        self.options.kernel = kernel;
    }

    fn status(&self) -> LoopStatus {
        LoopStatus {
            state: self.state,
            offset: Duration::from_seconds_f64(self.offset),
            residual: Duration::from_seconds_f64(self.residual),
            frequency: Ppm::new(self.frequency * 1e6),
            jitter: Duration::from_seconds_f64(self.jitter),
            wander: self.wander,
            time_constant: self.time_constant,
            minimum_time_constant: PollExponent::FASTEST,
            frequency_known: self.frequency_known,
            settling: false,
            finished: false,
        }
    }
}

fn limited(rate: Ppm) -> f64 {
    (rate.value() * 1e-6).clamp(-LARGEST_FREQUENCY, LARGEST_FREQUENCY)
}

#[cfg(test)]
mod tests;
