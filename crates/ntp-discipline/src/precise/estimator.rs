//! A source as the engine feeds it: timestamps in, offset and frequency of the clock out.

use ntp_wire::{Duration, PollExponent, Ppm, Precision, Timestamp};

use super::state::Ways;
use super::track::{FrequencyPrior, Prediction, Track};
use crate::Oscillator;

/// A frequency that was learned before is believed to this much, s/s: a night's temperature.
const LEARNED: f64 = 1e-6;
/// A frequency of which nothing is known, s/s: what quartz is sold with.
const UNKNOWN: f64 = 50e-6;
/// A drift file may be wrong: this much of the belief is kept for that.
const DISTRUST: f64 = 1.0;
/// Steps beyond this leave no digits for microseconds: a day, in seconds.
const FARTHEST_STEP: f64 = 86_400.0;
/// Samples before which no offset is given: fewer can't tell a lucky packet from an unlucky one.
const ENOUGH: usize = 4;
/// Seconds after which a packet is no answer to ours but just the next of a peer.
const LONG_WAIT: f64 = 4.0;
/// What no sample shows of an offset is this part of the root distance.
const HIDDEN: f64 = 20.0;
/// No source is asked less often than four times an hour unless the configuration says so: the
/// temperature of a machine can change within one.
const SELDOMEST: core::time::Duration = core::time::Duration::from_secs(900);

/// One source, and what it says of our clock.
///
/// Queues only ever delay a packet, so each exchange bounds the offset from both sides, and the
/// bounds of many exchanges, carried along by the oscillator's frequency, meet far within the
/// jitter. This follows offset, frequency, least delay and asymmetry of the path as one normal
/// distribution, for several guesses of how much the oscillator wanders and how the jitter is
/// shaped; the guesses are weighed by how well they predict. `docs/` hold the derivation.
#[derive(Clone, Debug)]
pub struct Estimator {
    track: Track,
    frequency: Option<Ppm>,
    precision: Precision,
}

/// The four timestamps of a request and its reply.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Exchange {
    /// The request left, by our clock.
    pub sent: Timestamp,
    /// The request arrived, by the server's clock.
    pub server_received: Timestamp,
    /// The reply left, by the server's clock.
    pub server_sent: Timestamp,
    /// The reply arrived, by our clock.
    pub received: Timestamp,
}

/// What a source, or several together, say of our clock at some time.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Forecast {
    /// True time minus our clock.
    pub offset: Duration,
    /// The standard deviation of the offset.
    pub offset_error: Duration,
    /// The rate that would make the clock run true: positive for an oscillator that is slow.
    pub frequency: Ppm,
    /// Its standard deviation.
    pub frequency_error: Ppm,
    /// How much the oscillator's frequency wanders within a second, as a standard deviation.
    pub wander: Ppm,
}

impl Estimator {
    /// An estimator that has seen nothing, for a clock whose rate was found to be `frequency`
    /// before, if it was.
    pub fn new(frequency: Option<Ppm>, precision: Precision) -> Self {
        let unknown = |mean| FrequencyPrior {
            mean,
            deviation: UNKNOWN,
            ln_weight: 0.0,
        };
        let priors = match frequency {
            // The oscillator is as fast as the correction is slow.
            Some(frequency) => {
                let mean = -frequency.value() * 1e-6;
                vec![
                    FrequencyPrior {
                        mean,
                        deviation: LEARNED,
                        ln_weight: DISTRUST,
                    },
                    unknown(mean),
                    unknown(0.0),
                ]
            }
            None => vec![unknown(0.0)],
        };
        let track = Track::new(priors, precision.to_duration().to_seconds_f64());
        Self {
            track,
            frequency,
            precision,
        }
    }

    /// Takes an exchange in, between a server and the clock over `oscillator`.
    pub fn update(&mut self, oscillator: &Oscillator, exchange: &Exchange) {
        let (sent, received) = (
            oscillator.at(exchange.sent),
            oscillator.at(exchange.received),
        );
        let forward = (exchange.server_received - exchange.sent).to_seconds_f64();
        let backward = (exchange.received - exchange.server_sent).to_seconds_f64();
        // A peer sends when it likes. What the oscillator gained while it was silent is not on the
        // way.
        let waited = received.elapsed - sent.elapsed;
        let gained = if waited > LONG_WAIT {
            let fallback = self.frequency.map_or(0.0, |rate| -rate.value() * 1e-6);
            let predicted = self.track.predict(received.elapsed);
            waited * predicted.map_or(fallback, |predicted| predicted.frequency)
        } else {
            0.0
        };
        self.track.update(Ways {
            at: received.elapsed,
            forward: forward + sent.correction - gained,
            backward: backward - received.correction,
        });
    }

    /// What it says of the clock when that shows `wall`; `None` while it knows too little.
    pub fn forecast(&self, oscillator: &Oscillator, wall: Timestamp) -> Option<Forecast> {
        if self.track.count() < ENOUGH {
            return None;
        }
        let reading = oscillator.at(wall);
        let Prediction {
            offset,
            offset_variance,
            frequency,
            frequency_variance,
            wander,
        } = self.track.predict(reading.elapsed)?;
        Some(Forecast {
            offset: Duration::from_seconds_f64(-(offset + reading.correction)),
            offset_error: Duration::from_seconds_f64(offset_variance.sqrt()),
            frequency: Ppm::new(-frequency * 1e6),
            frequency_error: Ppm::new(frequency_variance.sqrt() * 1e6),
            wander: Ppm::new(wander.sqrt() * 1e6),
        })
    }

    /// How often the source should be asked from its newest exchange on.
    pub fn pace(&mut self, least: PollExponent, most: PollExponent) -> PollExponent {
        PollExponent::new(self.track.pace(least.value(), most.value()))
    }

    /// The time between two polls at this exponent, where `least` is configured.
    pub fn interval(exponent: PollExponent, least: PollExponent) -> core::time::Duration {
        exponent.interval().min(SELDOMEST.max(least.interval()))
    }

    /// The clock was set by somebody else by about this much, or the machine slept so long: the
    /// frequency is known as before, the offset is not.
    pub fn unsettle(&mut self, by: Duration) {
        if by.abs().to_seconds_f64() > FARTHEST_STEP {
            *self = Self::new(self.frequency, self.precision);
        } else {
            self.track.unsettle(by.to_seconds_f64());
        }
    }

    /// The clock was stepped by this much.
    pub fn stepped(&mut self, by: Duration) {
        let seconds = by.to_seconds_f64();
        if seconds.abs() > FARTHEST_STEP {
            *self = Self::new(self.frequency, self.precision);
        } else {
            self.track.step(seconds);
        }
    }
}

impl Forecast {
    /// The standard deviation of the offset, with what the samples of a source at this root distance
    /// can't show: a twentieth of the distance for the asymmetry of its path and the error of its own
    /// clock.
    pub fn error_at(&self, root_distance: Duration) -> Duration {
        let seen = self.offset_error.to_seconds_f64();
        Duration::from_seconds_f64(seen.hypot(root_distance.to_seconds_f64() / HIDDEN))
    }

    /// What several sources say together, each with its root distance; `None` if there is none.
    ///
    /// Each counts by the inverse of its squared [`error_at`](Self::error_at).
    pub fn combined(forecasts: impl IntoIterator<Item = (Self, Duration)> + Clone) -> Option<Self> {
        let weight = |forecast: &Self, distance: Duration| {
            let error = forecast.error_at(distance).to_seconds_f64();
            1.0 / (error * error).max(1e-24)
        };
        let frequency_weight = |forecast: &Self| {
            1.0 / (forecast.frequency_error.value() * forecast.frequency_error.value()).max(1e-24)
        };
        let (first, _) = forecasts.clone().into_iter().next()?;
        let (mut weights, mut offset, mut variance) = (0.0, 0.0, 0.0);
        let (mut frequency_weights, mut frequency, mut wander) = (0.0, 0.0, 0.0);
        for (forecast, distance) in forecasts {
            let weight = weight(&forecast, distance);
            weights += weight;
            // Against the first one, so that a clock that is years off keeps its nanoseconds.
            offset += weight * (forecast.offset - first.offset).to_seconds_f64();
            variance += weight * weight * forecast.offset_error.to_seconds_f64().powi(2);
            let weight = frequency_weight(&forecast);
            frequency_weights += weight;
            frequency += weight * forecast.frequency.value();
            wander += weight * forecast.wander.value();
        }
        Some(Self {
            offset: first.offset + Duration::from_seconds_f64(offset / weights),
            offset_error: Duration::from_seconds_f64(variance.sqrt() / weights),
            frequency: Ppm::new(frequency / frequency_weights),
            frequency_error: Ppm::new((1.0 / frequency_weights).sqrt()),
            wander: Ppm::new(wander / frequency_weights),
        })
    }
}
