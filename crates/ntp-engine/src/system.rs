//! The system process: from many sources to one clock (RFC 5905 section 11).

use std::{net::Ipv4Addr, time::Duration as Elapsed};

use ntp_discipline::{
    Classic, Combined, Discipline, Forecast, FrequencyUpdate, HuffPuff, LoopOptions, LoopState,
    LoopStatus, Now, Oscillator, Outcome, Precise, Selection, SelectionConditions, Selector,
    SystemEvent, Tinker, Unfitness, Update,
};
use ntp_wire::control::Flash;
use ntp_wire::{
    AssociationId, Duration, Leap, Monotonic, PollExponent, Ppm, Precision, ReferenceId, Stratum,
    Timestamp, WireTimestamp,
};

use crate::event_count::EventCount;

/// How fast the error of a clock that nobody corrects grows.
const TOLERANCE: f64 = 15e-6;

/// What we say of our own clock.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct ClockState {
    pub(crate) leap: Leap,
    pub(crate) stratum: Stratum,
    pub(crate) reference_id: ReferenceId,
    pub(crate) reference_time: WireTimestamp,
    pub(crate) root_delay: Duration,
    /// When it was determined; it grows from then on.
    pub(crate) root_dispersion: Duration,
    pub(crate) determined: Monotonic,
    /// We stand in for sources that are lost: our time is right by definition, and the error that
    /// we announce does not grow.
    pub(crate) orphan_parent: bool,
    pub(crate) jitter: Duration,
}

impl ClockState {
    /// A clock that is not synchronised, and the word that says why.
    fn unsynchronised(why: ReferenceId, now: Monotonic, precision: Precision) -> Self {
        Self {
            leap: Leap::Unsynchronised,
            stratum: Stratum::UNSYNCHRONISED,
            reference_id: why,
            reference_time: WireTimestamp::ZERO,
            root_delay: Duration::ZERO,
            root_dispersion: Duration::ZERO,
            determined: now,
            orphan_parent: false,
            jitter: precision.to_duration(),
        }
    }

    /// Whether clients may follow us.
    pub(crate) fn is_synchronised(&self) -> bool {
        self.leap != Leap::Unsynchronised
    }

    /// The root dispersion, grown since it was determined.
    pub(crate) fn root_dispersion_at(&self, now: Monotonic) -> Duration {
        if self.orphan_parent {
            return self.root_dispersion;
        }
        let age = now.since(self.determined).as_secs_f64();
        self.root_dispersion + Duration::from_seconds_f64(age * TOLERANCE)
    }
}

/// The system process.
#[derive(Debug)]
pub(crate) struct System {
    selector: Selector,
    discipline: Box<dyn Discipline>,
    /// What the clock was told, below what it shows.
    oscillator: Oscillator,
    precision: Precision,
    /// `tinker huffpuff`.
    huff_puff: Option<HuffPuff>,
    started: Monotonic,
    pub(crate) state: ClockState,
    pub(crate) peer: Option<AssociationId>,
    pub(crate) events: EventCount,
    /// When the sample was taken that the clock was last corrected by.
    used: Option<Monotonic>,
    /// `disable ntp`: sources are judged, the clock is left alone.
    steering: bool,
    /// Beyond this an offset is a step, or a spike; `None` if it never is.
    step_threshold: Option<Duration>,
    /// How often the clock was stepped, by whomever.
    pub(crate) steps: u32,
}

/// What became of the candidates, in their order.
pub(crate) struct Judged {
    pub(crate) selection: Selection,
    /// Why each can't be followed, if so.
    pub(crate) unfit: Vec<Flash>,
}

/// What a selection led to.
#[derive(Clone, PartialEq, Debug, Default)]
pub(crate) struct Decision {
    /// Nothing new is known of the one to follow: the system peer stays who it was.
    pub(crate) stale: bool,
    /// Somebody else is followed than before, or nobody.
    pub(crate) peer_changed: bool,
    /// Nobody is followed any more.
    pub(crate) lost: bool,
    /// What the clock must do at once: a step.
    pub(crate) step: Option<Duration>,
    /// The offset that is above the panic threshold.
    pub(crate) panic: Option<Duration>,
    /// The clock was corrected, by slewing: there is something new to tell.
    pub(crate) updated: bool,
    pub(crate) events: Vec<SystemEvent>,
}

/// The source that the selection decided for, as far as the system copies from it.
pub(crate) struct Followed {
    pub(crate) id: AssociationId,
    /// Who we say we follow.
    pub(crate) reference_id: ReferenceId,
    pub(crate) sampled: Option<Monotonic>,
    pub(crate) delay: Duration,
    /// What the estimators of all survivors say together, where they are asked.
    pub(crate) forecast: Option<Forecast>,
    pub(crate) poll: PollExponent,
    pub(crate) minimum_poll: PollExponent,
    pub(crate) maximum_poll: PollExponent,
}

impl System {
    pub(crate) fn new(
        selector: Selector,
        options: LoopOptions,
        frequency: Option<Ppm>,
        steering: bool,
        precise: bool,
        now: Now,
    ) -> (Self, SystemEvent) {
        let (discipline, event): (Box<dyn Discipline>, _) = if precise {
            let (precise, event) = Precise::new(options, frequency);
            (Box::new(precise), event)
        } else {
            let (classic, event) = Classic::new(options, frequency, now.monotonic);
            (Box::new(classic), event)
        };
        let system = Self {
            selector,
            discipline,
            oscillator: Oscillator::new(now.wall),
            precision: options.precision,
            huff_puff: options
                .tinker
                .huff_puff
                .map(|span| HuffPuff::new(span, now.monotonic)),
            started: now.monotonic,
            state: ClockState::unsynchronised(ReferenceId::INIT, now.monotonic, options.precision),
            peer: None,
            events: EventCount::default(),
            used: None,
            steering,
            step_threshold: options.tinker.step_forward,
            steps: 0,
        };
        (system, event)
    }

    pub(crate) fn loop_status(&self) -> LoopStatus {
        self.discipline.status()
    }

    /// The oscillator beneath the clock.
    pub(crate) fn oscillator(&self) -> &Oscillator {
        &self.oscillator
    }

    /// From `wall` on the clock runs at this rate.
    pub(crate) fn runs_at(&mut self, rate: Ppm, wall: Timestamp) {
        self.oscillator.set_rate(wall, rate);
    }

    /// Goes on with other constants of the loop.
    pub(crate) fn tune(&mut self, tinker: Tinker, kernel: bool, now: Monotonic) {
        self.discipline.tune(tinker, kernel);
        self.step_threshold = tinker.step_forward;
        self.huff_puff = tinker.huff_puff.map(|span| HuffPuff::new(span, now));
    }

    /// `enable ntp` and `disable ntp`. A slew that is under way ends: gives the rate to leave the
    /// clock at.
    pub(crate) fn set_steering(&mut self, steering: bool) -> Option<ntp_discipline::Adjustment> {
        let resting = self.resting_rate();
        self.steering = steering;
        resting.filter(|_| !steering)
    }

    pub(crate) fn set_limits(&mut self, limits: ntp_discipline::Limits) {
        self.selector.set_limits(limits);
    }

    pub(crate) fn limits(&self) -> &ntp_discipline::Limits {
        self.selector.limits()
    }

    /// How long the local clock still waits for other sources.
    pub(crate) fn local_clock_waits(&self, now: Monotonic) -> Option<Elapsed> {
        self.selector.local_clock_waits(now.since(self.started))
    }

    /// Judges the candidates. Positions in the result are those in `candidates`.
    pub(crate) fn select(
        &mut self,
        candidates: &[ntp_discipline::Candidate],
        system_peer: Option<usize>,
        uptime: Elapsed,
        dispersion_rate: Ppm,
    ) -> Judged {
        let conditions = SelectionConditions {
            precision: self.precision,
            dispersion_rate,
            uptime,
            system_peer,
        };
        let unfit = candidates
            .iter()
            .map(|candidate| flash(self.selector.unfitness(candidate, &conditions)))
            .collect();
        Judged {
            selection: self.selector.select(candidates, &conditions),
            unfit,
        }
    }

    /// Follows what the selection decided for, or nobody.
    pub(crate) fn follow(&mut self, found: Option<(Combined, Followed)>, now: Now) -> Decision {
        let mut decision = Decision::default();
        let Some((mut combined, followed)) = found else {
            decision.lost = self.peer.take().is_some();
            decision.peer_changed = decision.lost;
            // The clock coasts on what it learned: it stays synchronised, and its error bound
            // grows until clients find it too great.
            return decision;
        };
        if let Some(forecast) = &followed.forecast {
            combined.offset = forecast.offset;
        // Each sample corrects the clock once.
        } else if followed.sampled.is_none()
            || self.used.is_some_and(|used| followed.sampled <= Some(used))
        {
            decision.stale = true;
            return decision;
        }
        decision.peer_changed = self.peer.replace(followed.id) != Some(followed.id);
        self.used = followed.sampled;
        if !self.steering {
            self.take_over(&combined, &followed, now);
            decision.updated = true;
            return decision;
        }
        let offset = match (&mut self.huff_puff, followed.forecast) {
            (Some(filter), None) => filter.correct(combined.offset, followed.delay, now.monotonic),
            // An estimator knows of queues in one direction by itself.
            (_, Some(_)) | (None, None) => combined.offset,
        };
        self.discipline.observe(self.oscillator.at(now.wall));
        let response = self.discipline.update(&Update {
            at: now.monotonic,
            offset,
            jitter: combined.jitter,
            frequency: followed.forecast.map(|forecast| FrequencyUpdate {
                rate: forecast.frequency,
                error: forecast.frequency_error,
                wander: forecast.wander,
                offset_error: forecast.offset_error,
                poll: followed.poll,
            }),
            minimum_poll: followed.minimum_poll,
            maximum_poll: followed.maximum_poll,
        });
        decision.events = response.events;
        match response.outcome {
            // The frequency is being measured, for which the clock is left alone for a while. It is
            // right to within the step threshold all the same, and may say so.
            Outcome::Ignored
                if self.discipline.status().state == LoopState::Frequency
                    && self
                        .step_threshold
                        .is_none_or(|step| combined.offset.abs() <= step) =>
            {
                self.take_over(&combined, &followed, now);
                decision.updated = true;
            }
            Outcome::Ignored => {}
            Outcome::Panicked => decision.panic = Some(combined.offset),
            Outcome::Slewed => {
                self.take_over(&combined, &followed, now);
                decision.updated = true;
            }
            Outcome::Stepped => {
                if let Some(ntp_discipline::Adjustment::Step(step)) = response.adjustment {
                    decision.step = Some(step);
                }
            }
        }
        decision
    }

    fn take_over(&mut self, combined: &Combined, followed: &Followed, now: Now) {
        self.state = ClockState {
            leap: combined.leap,
            stratum: combined.stratum,
            reference_id: followed.reference_id,
            reference_time: now.wall.to_wire(),
            root_delay: combined.root_delay,
            root_dispersion: combined.root_dispersion,
            determined: now.monotonic,
            orphan_parent: false,
            jitter: combined.jitter,
        };
    }

    /// The clock was stepped, by us or by somebody else: nothing measured before holds.
    pub(crate) fn stepped(&mut self, applied: &ntp_discipline::Applied, now: Monotonic) {
        self.discipline.stepped(now, applied);
        if let ntp_discipline::Applied::Stepped(by) = applied {
            self.oscillator.stepped(*by);
            self.steps = self.steps.wrapping_add(1);
        }
        self.state = ClockState::unsynchronised(ReferenceId::STEP, now, self.precision);
        self.peer = None;
        self.used = None;
        self.selector.wait_again(now.since(self.started));
    }

    /// A leap second was made: the clock moved, and so did what it shall show.
    pub(crate) fn made_leap(&mut self, by: Duration) {
        self.oscillator.stepped(by);
        self.steps = self.steps.wrapping_add(1);
    }

    /// Becomes an orphan parent, if `tos orphan` wants it and all sources have been away for long
    /// enough; gives its stratum the moment that it does.
    pub(crate) fn stand_in(&mut self, now: Monotonic) -> Option<Stratum> {
        let stratum = self.selector.orphan_stratum(now.since(self.started))?;
        if self.peer.is_some() || self.state.orphan_parent {
            return None;
        }
        self.state = ClockState {
            leap: match self.state.leap {
                Leap::Unsynchronised => Leap::None,
                leap => leap,
            },
            stratum,
            reference_id: if stratum > Stratum::PRIMARY {
                ReferenceId::from_ipv4(Ipv4Addr::LOCALHOST)
            } else {
                ReferenceId::from_bytes(*b"LOOP")
            },
            root_delay: Duration::ZERO,
            root_dispersion: Duration::ZERO,
            determined: now,
            orphan_parent: true,
            ..self.state
        };
        Some(stratum)
    }

    /// The rate that the clock should be left at: its frequency, and nothing that is being slewed.
    pub(crate) fn resting_rate(&self) -> Option<ntp_discipline::Adjustment> {
        let rate = self.discipline.status().frequency;
        self.steering
            .then_some(ntp_discipline::Adjustment::Rate(rate))
    }

    /// A second went by: the rate that the clock should run at.
    pub(crate) fn tick(&mut self, now: Now) -> Option<ntp_discipline::Adjustment> {
        if self.steering {
            self.discipline.observe(self.oscillator.at(now.wall));
            self.discipline.tick(now.monotonic)
        } else {
            None
        }
    }

    /// Greatest possible error of the clock.
    pub(crate) fn root_distance(&self, now: Monotonic) -> Duration {
        self.state.root_delay / 2 + self.state.root_dispersion_at(now)
    }
}

/// As ntpq shows it.
fn flash(unfit: Unfitness) -> Flash {
    [
        (unfit.stratum, Flash::PEER_STRATUM),
        (unfit.distance, Flash::PEER_DISTANCE),
        (unfit.looped, Flash::PEER_LOOP),
        (unfit.unreachable, Flash::PEER_UNREACHABLE),
    ]
    .into_iter()
    .filter(|(failed, _)| *failed)
    .fold(Flash::NONE, |flash, (_, test)| flash | test)
}
