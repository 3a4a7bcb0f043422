//! From samples to the clock: selection, correction, steps, the drift file.

use std::time::Duration as Elapsed;

use ntp_discipline::{
    Adjustment, Applied, ClockError, ClockStatus, Estimator, Forecast, SystemEvent, Tally,
};
use ntp_wire::{Duration, Leap, ReferenceId, Stratum};

use super::{DRIFT_INTERVAL, Engine, TICK, is_local};
use crate::{
    Exit, Output, Severity,
    association::Association,
    system::{Decision, Followed},
};

/// `-q` gives up after this time.
const ONE_SHOT_PATIENCE: Elapsed = Elapsed::from_secs(60);

impl Engine {
    /// Judges all sources anew, and corrects the clock if there is something to correct it by.
    pub(super) fn select(&mut self) {
        let now = self.now.monotonic;
        let own = own_reference_ids(&self.associations);
        let forecasts: Vec<Option<Forecast>> = self
            .associations
            .iter()
            .map(|association| association.forecast(self.system.oscillator(), self.now.wall))
            .collect();
        let mut candidates: Vec<_> = self
            .associations
            .iter()
            .zip(&forecasts)
            .map(|(association, forecast)| {
                association.candidate(now, forecast.as_ref(), |id| own.contains(&id))
            })
            .collect();
        self.keep_smears_apart(&mut candidates);
        let system_peer = self.system.peer.and_then(|peer| self.index_of(peer));
        let judged = self.system.select(
            &candidates,
            system_peer,
            now.since(self.started),
            self.dispersion_rate,
        );
        for (association, unfit) in self.associations.iter_mut().zip(&judged.unfit) {
            association.flash = association.flash.of_packet() | *unfit;
        }
        let found = judged.selection.combined.and_then(|combined| {
            let association = self.associations.get(combined.system_peer)?;
            let forecast = if association.settings.prefer {
                forecasts.get(combined.system_peer).copied().flatten()
            } else {
                self.agreed(&judged.selection.survivors, &forecasts)
            };
            Some((
                combined,
                Followed {
                    forecast,
                    ..followed(association)
                },
            ))
        });
        let decision = self.system.follow(found, self.now);
        let tallies = judged.selection.tallies.iter();
        for (association, tally) in self.associations.iter_mut().zip(tallies) {
            let is_peer = self.system.peer == Some(association.id);
            association.tally = match *tally {
                // Its time has not come: it is followed as soon as it says something new.
                Tally::SystemPeer if decision.stale && !is_peer => Tally::Candidate,
                Tally::Candidate if decision.stale && is_peer => Tally::SystemPeer,
                tally => tally,
            };
        }
        self.act(&decision);
        self.tell_flaws();
    }

    /// What the survivors' estimators say together.
    fn agreed(&self, survivors: &[usize], forecasts: &[Option<Forecast>]) -> Option<Forecast> {
        Forecast::combined(survivors.iter().filter_map(|survivor| {
            let forecast = (*forecasts.get(*survivor)?)?;
            Some((forecast, self.associations.get(*survivor)?.root_distance()))
        }))
    }

    fn act(&mut self, decision: &Decision) {
        if let Some(offset) = decision.panic {
            self.panic(offset);
            return;
        }
        if decision.lost {
            self.turn_to_nobody();
        }
        if decision.peer_changed
            && let Some(index) = self.system.peer.and_then(|peer| self.index_of(peer))
        {
            self.turn_to(index);
        }
        for event in &decision.events {
            // The step reports itself once it happened.
            if *event != SystemEvent::ClockStep {
                self.system_event(*event, "");
            }
        }
        if let Some(step) = decision.step {
            self.outputs
                .push_back(Output::Adjust(Adjustment::Step(step)));
        }
        if decision.updated {
            self.updated();
        }
    }

    fn updated(&mut self) {
        let now = self.now.monotonic;
        let status = self.system.loop_status();
        for association in &mut self.associations {
            if !is_local(association) && association.estimator.is_none() {
                association
                    .schedule
                    .set_host_poll(status.time_constant, now, &mut self.rng);
            }
        }
        // What was being slewed is not what is to be slewed now.
        self.steer();
        self.vote_leap();
        self.tell_clock();
        self.tell_stratum();
        self.publish();
        self.record_loop();
        if self.one_shot {
            // Whoever ends the process sees to the slew, which goes on without it.
            self.outputs
                .push_back(Output::Exit(Exit::Slewed(status.residual)));
        }
    }

    fn panic(&mut self, offset: Duration) {
        let seconds = offset.to_seconds_f64();
        self.system_event(SystemEvent::PanicStop, format!("{seconds:+.0} s"));
        self.note(
            Severity::Error,
            format!(
                "the clock is {:.0} s {} the servers, beyond the panic threshold: \
                 set it by hand or by ntpdate, or start ntpd with -g",
                seconds.abs(),
                if offset.is_negative() {
                    "ahead of"
                } else {
                    "behind"
                },
            ),
        );
        // The clock goes on without us: its other users should know how wrong it is.
        self.outputs
            .push_back(Output::Adjust(Adjustment::Status(ClockStatus {
                leap: Leap::Unsynchronised,
                maximum_error: offset.abs(),
                estimated_error: offset.abs(),
                tai_offset: None,
            })));
        self.outputs.push_back(Output::Exit(Exit::Panic(offset)));
    }

    /// One that knows nothing but our own frequency.
    pub(super) fn new_estimator(&self) -> Estimator {
        let status = self.system.loop_status();
        let frequency = status.frequency_known.then_some(status.frequency);
        Estimator::new(frequency, self.precision)
    }

    /// A source is somebody else than before: nothing is known of it but our own frequency.
    pub(super) fn renew_estimator(&mut self, index: usize) {
        let estimator = self.new_estimator();
        if let Some(association) = self.associations.get_mut(index)
            && association.estimator.is_some()
        {
            association.estimator = Some(estimator);
        }
    }

    /// Tells the clock how fast to run from now on, if that is something new.
    fn steer(&mut self) {
        let Some(adjustment) = self.system.tick(self.now) else {
            return;
        };
        let is_new = match adjustment {
            Adjustment::Rate(rate) => self.rate.replace(rate) != Some(rate),
            Adjustment::Step(_) | Adjustment::Status(_) => true,
        };
        if is_new {
            self.outputs.push_back(Output::Adjust(adjustment));
        }
    }

    /// A second went by.
    pub(super) fn tick(&mut self) {
        let now = self.now.monotonic;
        self.next_tick += TICK;
        if self.next_tick <= now {
            // Seconds that were slept through are not caught up with.
            self.next_tick = now + TICK;
        }
        self.steer();
        self.tell_turns();
        self.record_system();
        self.watch_identity();
        self.renew_cookie_keys();
        if let Some(stratum) = self.system.stand_in(now) {
            self.note(
                Severity::Warning,
                format!("no source can be used: serving our own time as orphan parent, stratum {stratum}"),
            );
            self.publish();
        }
        self.watch_leap();
        if self.next_drift <= now {
            self.next_drift = now + DRIFT_INTERVAL;
            self.write_drift();
        }
        if self.one_shot && now.since(self.started) > ONE_SHOT_PATIENCE {
            self.outputs.push_back(Output::Exit(Exit::NoServers));
        }
    }

    pub(super) fn write_drift(&mut self) {
        let status = self.system.loop_status();
        if status.frequency_known {
            self.outputs.push_back(Output::WriteDrift(status.frequency));
        }
    }

    /// The clock did as it was told, or did not.
    pub(super) fn clock_changed(&mut self, asked: Adjustment, result: Result<Applied, ClockError>) {
        if matches!(asked, Adjustment::Step(_)) && self.leap_step_done(&result) {
            if let Ok(Applied::Stepped(step)) = result {
                self.made_leap(step);
            }
            return;
        }
        match (asked, result) {
            (Adjustment::Step(_), Ok(Applied::Stepped(step))) => {
                let seconds = step.to_seconds_f64();
                self.step_done(&Applied::Stepped(step));
                self.system_event(SystemEvent::ClockStep, format!("{seconds:+.6} s"));
                if self.one_shot {
                    self.outputs.push_back(Output::Exit(Exit::Stepped(step)));
                }
            }
            (Adjustment::Step(step), result) => {
                let why = match result {
                    Err(error) => error.to_string(),
                    Ok(_) => "this clock is never set".to_owned(),
                };
                self.step_done(&Applied::Ignored);
                if self.one_shot {
                    self.outputs.push_back(Output::Exit(Exit::Refused));
                }
                self.note(
                    Severity::Error,
                    format!(
                        "the clock should be stepped by {:+.6} s, but: {why}",
                        step.to_seconds_f64()
                    ),
                );
            }
            // Asked for again each second; one line is enough until something changes.
            (Adjustment::Rate(_), Err(_)) if self.rate_refused => {}
            (Adjustment::Rate(_), Err(error)) => {
                self.rate_refused = true;
                self.note(
                    Severity::Error,
                    format!("the rate of the clock can't be set: {error}"),
                );
            }
            (Adjustment::Rate(_), Ok(applied)) => {
                self.rate_refused = false;
                if let Applied::Rate(rate) = applied {
                    self.system.runs_at(rate, self.now.wall);
                }
            }
            (Adjustment::Status(_), _) => {}
        }
    }

    /// A leap second was made: what is on its way, or half told, was measured before it.
    pub(super) fn made_leap(&mut self, by: Duration) {
        self.system.made_leap(by);
        for association in &mut self.associations {
            if let Some(server) = association.server_mut() {
                server.abandon();
            }
        }
        self.publish();
    }

    /// Somebody else stepped the clock.
    pub(super) fn clock_jumped(&mut self, jump: Duration) {
        self.note(
            Severity::Warning,
            format!(
                "the clock was set by {:+.6} s, not by us, or the machine slept: \
                 what was measured before is forgotten",
                jump.to_seconds_f64()
            ),
        );
        let now = self.now.monotonic;
        self.system.stepped(&Applied::Stepped(jump), now);
        for association in &mut self.associations {
            association.clear(now, self.precision, ReferenceId::STEP);
            if let Some(estimator) = &mut association.estimator {
                estimator.unsettle(jump);
            }
        }
        self.publish();
    }

    /// All that was measured against the clock as it was is void.
    fn step_done(&mut self, applied: &Applied) {
        let now = self.now.monotonic;
        self.system.stepped(applied, now);
        let by = match applied {
            Applied::Stepped(by) => *by,
            Applied::Rate(_) | Applied::Status | Applied::Ignored => Duration::ZERO,
        };
        for association in &mut self.associations {
            if association.estimator.is_some() {
                association.stepped(by, now, self.precision);
            } else {
                association.clear(now, self.precision, ReferenceId::STEP);
            }
        }
        self.publish();
    }
}

fn followed(association: &Association) -> Followed {
    let header = &association.last.header;
    let reference_id = match (&association.source, association.remote()) {
        // Stratum 1 names the clock, what follows names the server.
        _ if header.stratum == Stratum::UNSPECIFIED => header.reference_id,
        (crate::association::Source::LocalClock(clock), _) => {
            ReferenceId::from_ipv4(clock.address())
        }
        (_, Some(remote)) => crate::reference_id::of(remote.ip()),
        (_, None) => header.reference_id,
    };
    Followed {
        id: association.id,
        reference_id,
        sampled: association.estimate().at,
        delay: association.estimate().delay,
        forecast: None,
        poll: association.schedule.interval(),
        minimum_poll: association.settings.minimum_poll,
        maximum_poll: association.settings.maximum_poll,
    }
}

/// The identifiers of our own addresses: who follows one of them follows us.
fn own_reference_ids(associations: &[Association]) -> Vec<ReferenceId> {
    associations
        .iter()
        .filter_map(|association| association.server()?.endpoint())
        // On loopback both ends may have one address; a server that follows its own local clock
        // there does not follow us.
        .filter(|endpoint| endpoint.local != endpoint.remote.ip())
        .map(|endpoint| crate::reference_id::of(endpoint.local))
        .collect()
}
