//! The classic clock loop (RFC 5905 sections 11.3 and 12), in the manner of ntpd 4.2.8.

mod gain;
mod poll;

use core::time::Duration as Elapsed;

use gain::{Gain, Lesson};
use ntp_wire::{Duration, Monotonic, PollExponent, Ppm, Precision};
use poll::PollControl;

use crate::gate::PanicGate;
use crate::slew::Slew;
use crate::{
    Adjustment, Applied, Discipline, LoopState, LoopStatus, Outcome, Response, SystemEvent, Tinker,
    Update,
};

/// How many updates the jitter and the wander are averaged over.
const AVERAGE: f64 = 8.0;
/// While settling, offsets are slewed away as the daemon's loop would at a poll interval of 2 s.
const SETTLING_TIME: f64 = 32.0;
/// How long the loop settles at most, and the shortest stepout.
const SETTLING: Elapsed = Elapsed::from_secs(300);
/// An offset below this ends settling.
const SETTLED: f64 = 0.000_5;
/// [`Classic::MAXIMUM_RATE`] as a plain number.
const MAXIMUM_RATE: f64 = 500e-6;

/// How a [`Classic`] loop starts.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct LoopOptions {
    /// The constants.
    pub tinker: Tinker,
    /// `-g`: the first offset may be above the panic threshold.
    pub panic_once: bool,
    /// `-G`: the first offset is stepped away, however small it is.
    pub step_once: bool,
    /// `-q`: set the clock once and be done.
    pub one_shot: bool,
    /// `enable kernel`: react as fast as the loop in the kernel does, four times as fast as ntpd's
    /// own. Where the step threshold is above 0.5 s, or zero, that loop is never used.
    pub kernel: bool,
    /// The precision of the clock: no jitter is less.
    pub precision: Precision,
}

/// The hybrid phase- and frequency-locked loop of RFC 5905.
///
/// Offsets below the step threshold are slewed away, at first with a short time constant, then
/// with one that follows the poll interval; each also corrects the frequency a little. Above it,
/// an offset must last for the stepout before the clock is stepped. Where no frequency is known,
/// it is measured: the first offset is dealt with, then nothing is believed until the stepout is
/// over, and what the clock gained meanwhile tells its frequency.
///
/// Three things are done otherwise than in ntpd 4.2.8. The first offset is slewed away also while
/// the frequency is being measured, and the part that is left does not count as frequency. While
/// offsets are so large that the slew is at its limit (`-x`), they teach the loop no frequency. And
/// what was slewed is reckoned from the time that went by, not from the number of ticks.
#[derive(Clone, Debug)]
pub struct Classic {
    options: LoopOptions,
    gain: Gain,
    state: LoopState,
    /// When the state was last entered or confirmed: the time of the last update that counted.
    epoch: Monotonic,
    /// Whether any offset was taken.
    updated: bool,
    /// The last offset that counted, in seconds.
    offset: f64,
    slew: Slew,
    /// The frequency correction, in seconds per second.
    frequency: f64,
    frequency_known: bool,
    jitter: f64,
    wander: f64,
    /// How much longer it settles; it only counts down while synchronised.
    settling: Elapsed,
    poll: PollControl,
    /// The step that was asked for and not yet reported, in seconds.
    pending_step: Option<f64>,
    gate: PanicGate,
    finished: bool,
}

impl Classic {
    /// The fastest that it slews, and the largest frequency correction: 500 ppm.
    pub const MAXIMUM_RATE: Ppm = Ppm::new(500.0);

    /// A loop that starts at `at`, with the `frequency` of the drift file if there is one;
    /// [`Tinker::frequency`] goes before it.
    ///
    /// The event says whether one is known: `freq_set` or `freq_not_set`.
    pub fn new(options: LoopOptions, frequency: Option<Ppm>, at: Monotonic) -> (Self, SystemEvent) {
        let frequency = options.tinker.frequency.or(frequency);
        let (state, event) = if frequency.is_some() {
            (LoopState::FrequencySet, SystemEvent::FrequencySet)
        } else {
            (LoopState::NotSet, SystemEvent::FrequencyNotSet)
        };
        let start = Self {
            options,
            gain: Gain::new(options.kernel, &options.tinker),
            state,
            epoch: at,
            updated: false,
            offset: 0.0,
            slew: Slew::none(at),
            frequency: limited(frequency.unwrap_or_default().value() * 1e-6),
            frequency_known: frequency.is_some(),
            jitter: options.precision.to_duration().to_seconds_f64(),
            wander: 0.0,
            settling: SETTLING,
            poll: PollControl::new(at),
            pending_step: None,
            gate: PanicGate::new(options.panic_once),
            finished: false,
        };
        (start, event)
    }

    fn enter(
        &mut self,
        state: LoopState,
        offset: f64,
        at: Monotonic,
        events: &mut Vec<SystemEvent>,
    ) {
        if state != self.state {
            events.push(match state {
                LoopState::NotSet => SystemEvent::FrequencyNotSet,
                LoopState::FrequencySet => SystemEvent::FrequencySet,
                LoopState::Spike => SystemEvent::SpikeDetected,
                LoopState::Frequency => SystemEvent::FrequencyMode,
                LoopState::Synchronised => SystemEvent::ClockSynchronised,
            });
        }
        self.state = state;
        self.epoch = at;
        self.offset = offset;
        self.slew.residual = offset;
        self.slew.saturated = false;
    }

    fn stepout(&self) -> Elapsed {
        self.options.tinker.stepout.max(SETTLING)
    }

    /// An offset above the step threshold.
    fn outlier(&mut self, update: &Update, since: Elapsed) -> Response {
        let mut events = Vec::new();
        match self.state {
            LoopState::Synchronised => {
                self.state = LoopState::Spike;
                events.push(SystemEvent::SpikeDetected);
                return Response::ignored(events);
            }
            LoopState::Spike | LoopState::Frequency if since < self.stepout() => {
                return Response::ignored(events);
            }
            LoopState::Frequency => self.measure_frequency(update, since, &mut events),
            LoopState::Spike | LoopState::NotSet | LoopState::FrequencySet => {}
        }
        events.push(SystemEvent::ClockStep);
        self.poll.hold();
        self.jitter = self.precision();
        let next = if self.state == LoopState::NotSet {
            LoopState::Frequency
        } else {
            LoopState::Synchronised
        };
        self.enter(next, 0.0, update.at, &mut events);
        self.pending_step = Some(update.offset.to_seconds_f64());
        Response {
            outcome: Outcome::Stepped,
            adjustment: Some(Adjustment::Step(update.offset)),
            events,
        }
    }

    /// An offset below the step threshold.
    fn inlier(&mut self, update: &Update, since: Elapsed) -> Response {
        let mut events = Vec::new();
        let offset = update.offset.to_seconds_f64();
        let difference = (offset - self.offset).abs().max(self.precision());
        self.jitter = average(self.jitter, difference);
        let before = match self.state {
            LoopState::NotSet => {
                self.enter(LoopState::Frequency, offset, update.at, &mut events);
                return Response::slewed(events);
            }
            LoopState::Frequency if since < self.stepout() => return Response::ignored(events),
            LoopState::Frequency => {
                self.measure_frequency(update, since, &mut events);
                self.frequency
            }
            _ => {
                let before = self.frequency;
                if self.settling.is_zero() && !self.slew.saturated {
                    self.learn_frequency(offset, since.as_secs_f64());
                }
                before
            }
        };
        self.enter(LoopState::Synchronised, offset, update.at, &mut events);
        if offset.abs() < SETTLED {
            self.settling = Elapsed::ZERO;
        }
        self.wander = average(self.wander, (self.frequency - before).abs());
        Response::slewed(events)
    }

    /// The frequency from what the clock gained since the last update, apart from what is known
    /// and still to be slewed.
    fn measure_frequency(
        &mut self,
        update: &Update,
        since: Elapsed,
        events: &mut Vec<SystemEvent>,
    ) {
        let gained = update.offset.to_seconds_f64() - self.slew.residual;
        self.frequency = limited(self.frequency + gained / since.as_secs_f64().max(1.0));
        self.frequency_known = true;
        events.push(SystemEvent::FrequencySet);
    }

    fn learn_frequency(&mut self, offset: f64, since: f64) {
        let lesson = Lesson {
            offset,
            residual: self.slew.residual,
            since,
        };
        let change = self.gain.frequency(&lesson, self.poll.exponent());
        self.frequency = limited(self.frequency + change);
    }

    /// `-q`: the first offset is the only one.
    fn set_once(&mut self, update: &Update) -> Response {
        self.offset = update.offset.to_seconds_f64();
        self.epoch = update.at;
        if self.calls_for_step(update.offset) {
            self.pending_step = Some(self.offset);
            return Response {
                outcome: Outcome::Stepped,
                adjustment: Some(Adjustment::Step(update.offset)),
                events: vec![SystemEvent::ClockStep],
            };
        }
        self.slew.residual = self.offset;
        Response::slewed(Vec::new())
    }

    fn calls_for_step(&mut self, offset: Duration) -> bool {
        core::mem::take(&mut self.options.step_once) || self.options.tinker.calls_for_step(offset)
    }

    fn precision(&self) -> f64 {
        self.options.precision.to_duration().to_seconds_f64()
    }
}

impl Discipline for Classic {
    fn update(&mut self, update: &Update) -> Response {
        self.slew.account(update.at);
        if self.options.one_shot && self.updated {
            return Response::ignored(Vec::new());
        }
        if self.gate.stops(update.offset, &self.options.tinker) {
            return Response::panicked();
        }
        self.updated = true;
        if self.options.one_shot {
            return self.set_once(update);
        }
        self.poll.bound(update);
        let since = update.at.since(self.epoch);
        let response = if self.calls_for_step(update.offset) {
            self.outlier(update, since)
        } else {
            self.inlier(update, since)
        };
        match response.outcome {
            Outcome::Ignored | Outcome::Panicked => {}
            _ if !self.settling.is_zero() => self.poll.settle(update.at),
            _ => self
                .poll
                .adapt(update, self.slew.residual.abs(), self.jitter),
        }
        response
    }

    fn tick(&mut self, at: Monotonic) -> Option<Adjustment> {
        let elapsed = self.slew.account(at);
        let wanted = if self.options.one_shot {
            self.finished |=
                self.slew.residual == 0.0 && self.updated && self.pending_step.is_none();
            self.slew.residual
        } else {
            let time = match self.state {
                LoopState::Synchronised if self.settling.is_zero() => {
                    self.gain.phase_time(self.poll.exponent())
                }
                LoopState::Synchronised => {
                    self.settling = self.settling.saturating_sub(elapsed);
                    SETTLING_TIME
                }
                LoopState::Frequency => SETTLING_TIME,
                // A spike says that the residual cannot be trusted.
                LoopState::Spike | LoopState::NotSet | LoopState::FrequencySet => f64::INFINITY,
            };
            self.slew.residual / time
        };
        let rate = limited(self.frequency + wanted);
        self.slew.rate = rate - self.frequency;
        self.slew.saturated |= self.frequency + wanted != rate;
        Some(Adjustment::Rate(
            Ppm::new(rate * 1e6).clamp(Self::MAXIMUM_RATE),
        ))
    }

    fn stepped(&mut self, at: Monotonic, applied: &Applied) {
        let stepped = match applied {
            Applied::Stepped(step) => step.to_seconds_f64(),
            Applied::Ignored => 0.0,
            Applied::Rate(_) | Applied::Status => return,
        };
        self.slew.account(at);
        match self.pending_step.take() {
            Some(wanted) => {
                // What a refused step left undone is for the next update to find.
                let left = Duration::from_seconds_f64(wanted - stepped);
                if !self.options.tinker.calls_for_step(left) && !self.options.one_shot {
                    self.slew.residual = left.to_seconds_f64();
                }
                self.finished |= self.options.one_shot;
            }
            None if stepped != 0.0 => {
                // All that is known of the phase is about another time: as after a start, the next
                // offset is no spike, and teaches no frequency.
                self.state = if self.frequency_known {
                    LoopState::FrequencySet
                } else {
                    LoopState::NotSet
                };
                self.settling = SETTLING;
                self.gate.set_by_others(stepped);
                self.offset = 0.0;
                self.slew.residual = 0.0;
                self.epoch = at;
            }
            None => {}
        }
    }

    fn tune(&mut self, tinker: Tinker, kernel: bool) {
        self.options.tinker = tinker;
        self.options.kernel = kernel;
        self.gain = Gain::new(kernel, &tinker);
    }

    fn status(&self) -> LoopStatus {
        LoopStatus {
            state: self.state,
            offset: Duration::from_seconds_f64(self.offset),
            residual: Duration::from_seconds_f64(self.slew.residual),
            frequency: Ppm::new(self.frequency * 1e6),
            jitter: Duration::from_seconds_f64(self.jitter),
            wander: Ppm::new(self.wander * 1e6),
            time_constant: self.poll.exponent(),
            minimum_time_constant: PollExponent::FASTEST,
            frequency_known: self.frequency_known,
            settling: !self.settling.is_zero(),
            finished: self.finished,
        }
    }
}

impl Response {
    fn ignored(events: Vec<SystemEvent>) -> Self {
        Self {
            outcome: Outcome::Ignored,
            adjustment: None,
            events,
        }
    }

    /// The offset is beyond the panic threshold.
    pub(crate) fn panicked() -> Self {
        Self {
            outcome: Outcome::Panicked,
            ..Self::ignored(vec![SystemEvent::PanicStop])
        }
    }

    fn slewed(events: Vec<SystemEvent>) -> Self {
        Self {
            outcome: Outcome::Slewed,
            ..Self::ignored(events)
        }
    }
}

fn limited(rate: f64) -> f64 {
    rate.clamp(-MAXIMUM_RATE, MAXIMUM_RATE)
}

/// The running RMS with one more value.
fn average(rms: f64, value: f64) -> f64 {
    let square = rms * rms;
    (square + (value * value - square) / AVERAGE).sqrt()
}

#[cfg(test)]
mod tests;
