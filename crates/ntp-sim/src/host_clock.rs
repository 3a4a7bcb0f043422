//! The clock of a simulated host: an oscillator, and what a kernel makes of it.

use core::time::Duration as Elapsed;

use ntp_discipline::{Adjustment, Applied, ClockError, Now, VirtualClock};
use ntp_wire::{Duration, Monotonic, Ppm, Timestamp};
use rand::{RngExt, SeedableRng, rngs::ChaCha12Rng};

use crate::{Drift, Window, oscillator::Oscillator, random::normal};

/// What a clock is like.
#[derive(Clone, PartialEq, Debug)]
pub struct ClockModel {
    /// How far it is ahead of true time at the start.
    pub offset: Duration,
    /// How its oscillator runs.
    pub drifts: Vec<(Window, Drift)>,
    /// The standard deviation of what is wrong with each reading.
    pub noise: Duration,
    /// It shows multiples of this only; zero if it is as fine as can be told.
    pub granularity: Duration,
    /// The most that its rate can be changed.
    pub limit: Ppm,
}

impl Default for ClockModel {
    /// A clock that is right and runs right, and can be slewed by 500 ppm as a kernel's.
    fn default() -> Self {
        Self {
            offset: Duration::ZERO,
            drifts: Vec::new(),
            noise: Duration::ZERO,
            granularity: Duration::ZERO,
            limit: VirtualClock::MAXIMUM_RATE,
        }
    }
}

/// What befalls a clock, or the machine that it is in.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Disturbance {
    /// Somebody else steps the clock.
    Step(Duration),
    /// The virtual machine is not let run: both clocks stand still, and what arrives waits.
    Pause(Elapsed),
    /// The machine sleeps: the monotonic clock stands still, the wall clock is set forward when it
    /// wakes up, what arrives is lost.
    Suspend(Elapsed),
}

/// The clock of a host, which follows from its [`ClockModel`], a seed, and what is done to it.
///
/// It shows two times, as a kernel does: the wall clock, and a monotonic clock that runs at the
/// same rate and is never stepped. Neither is true.
#[derive(Debug)]
pub struct HostClock {
    clock: VirtualClock,
    oscillator: Oscillator,
    /// When its frequency changes next; `None` if never.
    next_change: Option<Monotonic>,
    noise: Duration,
    granularity: Duration,
    limit: Ppm,
    steerable: bool,
    /// Until when it stands still.
    still_until: Monotonic,
    suspended: bool,
    noise_seed: u64,
}

impl HostClock {
    /// A clock at `at`, when it truly is `true_time`.
    pub fn new(model: ClockModel, true_time: Timestamp, at: Monotonic, seed: [u8; 32]) -> Self {
        let mut random = ChaCha12Rng::from_seed(seed);
        let mut oscillator = Oscillator::new(model.drifts, random.random());
        let frequency = oscillator.next(at);
        Self {
            clock: VirtualClock::new(true_time + model.offset, at, frequency),
            next_change: (!oscillator.is_constant()).then(|| at + SECOND),
            oscillator,
            noise: model.noise,
            granularity: model.granularity,
            limit: model.limit,
            steerable: true,
            still_until: at,
            suspended: false,
            noise_seed: random.random(),
        }
    }

    /// Lets the oscillator run until `at`.
    pub fn advance(&mut self, at: Monotonic) {
        while let Some(change) = self.next_change
            && change <= at
        {
            let frequency = self.oscillator.next(change);
            self.clock.set_frequency_error(change, frequency);
            self.next_change = Some(change + SECOND);
        }
    }

    /// What the host reads, noise and granularity included.
    pub fn read(&mut self, at: Monotonic) -> Now {
        self.advance(at);
        let mut wall = self.clock.wall(at);
        if self.noise != Duration::ZERO {
            // Of the time only: how often a clock is read does not change what is read later.
            let mut random = ChaCha12Rng::seed_from_u64(self.noise_seed ^ at.as_nanos());
            let noise = self.noise.to_seconds_f64() * normal(&mut random);
            wall += Duration::from_seconds_f64(noise);
        }
        let step = self.granularity.to_bits();
        if step > 0 {
            let within = (wall - Timestamp::UNIX_EPOCH).to_bits().rem_euclid(step);
            wall -= Duration::from_bits(within);
        }
        Now {
            wall,
            monotonic: self.clock.monotonic(at),
        }
    }

    /// What the wall clock truly shows; call [`advance`](Self::advance) before.
    pub fn wall(&self, at: Monotonic) -> Timestamp {
        self.clock.wall(at)
    }

    /// How much it gains at present: oscillator and correction together.
    pub fn frequency_error(&self) -> Ppm {
        Ppm::new(self.clock.frequency_error().value() + self.clock.rate().value())
    }

    /// When in true time, not before `now`, the monotonic clock will show `deadline`, as far as
    /// that can be told now: it may be a little later.
    pub fn when(&self, deadline: Monotonic, now: Monotonic) -> Monotonic {
        let left = deadline.since(self.clock.monotonic(now));
        if left.is_zero() {
            return now.max(self.still_until);
        }
        let rate = 1.0 + self.frequency_error().value() * 1e-6;
        let nanoseconds = (left.as_nanos() as f64 / rate).ceil();
        now.max(self.still_until) + Elapsed::from_nanos(nanoseconds as u64)
    }

    /// Until when the host stands still.
    pub fn still_until(&self) -> Monotonic {
        self.still_until
    }

    /// Whether it last stood still because the machine slept.
    pub fn is_suspended(&self) -> bool {
        self.suspended
    }

    /// From now on it refuses every change.
    pub fn freeze(&mut self) {
        self.steerable = false;
    }

    /// Carries out what the discipline asks for.
    ///
    /// # Errors
    ///
    /// [`ClockError::NotPermitted`] if it is frozen.
    pub fn adjust(&mut self, at: Monotonic, change: &Adjustment) -> Result<Applied, ClockError> {
        if !self.steerable {
            return Err(ClockError::NotPermitted);
        }
        self.advance(at);
        Ok(match change {
            Adjustment::Rate(rate) => {
                let rate = rate.clamp(self.limit);
                self.clock.adjust(at, &Adjustment::Rate(rate))
            }
            change => self.clock.adjust(at, change),
        })
    }

    /// Something befalls it.
    pub fn disturb(&mut self, at: Monotonic, what: Disturbance) {
        self.advance(at);
        let (lasting, step) = match what {
            Disturbance::Step(step) => (Elapsed::ZERO, step),
            Disturbance::Pause(lasting) => (lasting, Duration::ZERO),
            Disturbance::Suspend(lasting) => {
                let slept = Duration::from_nanos(i64::try_from(lasting.as_nanos()).unwrap_or(0));
                (lasting, slept)
            }
        };
        if !lasting.is_zero() {
            self.suspended = matches!(what, Disturbance::Suspend(_));
            self.clock.pause(at, lasting);
        }
        self.clock.adjust(at, &Adjustment::Step(step));
        self.still_until = self.still_until.max(at + lasting);
    }
}

const SECOND: Elapsed = Elapsed::from_secs(1);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TRUE_TIME: Timestamp = Timestamp::from_unix(1_795_393_189, 0);

    fn at(seconds: f64) -> Monotonic {
        Monotonic::START + Elapsed::from_secs_f64(seconds)
    }

    fn clock(model: ClockModel) -> HostClock {
        HostClock::new(model, TRUE_TIME, Monotonic::START, [5; 32])
    }

    fn error(clock: &mut HostClock, seconds: f64) -> f64 {
        clock.advance(at(seconds));
        (clock.wall(at(seconds)) - TRUE_TIME).to_seconds_f64() - seconds
    }

    #[test]
    fn an_oscillator_that_jumps_gains_what_its_frequencies_say() {
        let square = Window::ALWAYS.repeated(Elapsed::from_secs(10), Elapsed::from_secs(20));
        let mut clock = clock(ClockModel {
            offset: Duration::from_millis(5),
            drifts: vec![(square, Drift::Fixed(Ppm::new(100.0)))],
            ..ClockModel::default()
        });
        // 100 ppm for 10 s of each 20 s, asked in one leap.
        assert!((error(&mut clock, 1005.0) - 0.005 - 505.0 * 1e-4).abs() < 1e-8);
    }

    #[test]
    fn a_rate_is_added_up_to_its_limit() {
        let mut clock = clock(ClockModel {
            limit: Ppm::new(100.0),
            ..ClockModel::default()
        });
        let applied = clock.adjust(at(0.0), &Adjustment::Rate(Ppm::new(300.0)));
        assert_eq!(applied, Ok(Applied::Rate(Ppm::new(100.0))));
        assert!((error(&mut clock, 10.0) - 1e-3).abs() < 1e-8);
        assert_eq!(clock.frequency_error(), Ppm::new(100.0));
        clock.freeze();
        let refused = clock.adjust(at(10.0), &Adjustment::Rate(Ppm::ZERO));
        assert_eq!(refused, Err(ClockError::NotPermitted));
    }

    #[test]
    fn readings_are_noisy_and_coarse() {
        let mut clock = clock(ClockModel {
            noise: Duration::from_seconds_f64(1e-6),
            granularity: Duration::from_seconds_f64(1e-6),
            ..ClockModel::default()
        });
        let mut read = |seconds| {
            let wall = clock.read(at(seconds)).wall;
            (wall - TRUE_TIME).to_seconds_f64() - seconds
        };
        let errors: Vec<f64> = (0..10_000).map(|n| read(f64::from(n) * 0.01)).collect();
        assert_eq!(errors[50], read(0.5));
        let mean = errors.iter().sum::<f64>() / 1e4;
        let deviation = (errors.iter().map(|e| (e - mean).powi(2)).sum::<f64>() / 1e4).sqrt();
        // Rounded down: half a tick behind on average, and its deviation is a tick over √12.
        assert!((mean + 0.5e-6).abs() < 5e-8, "{mean}");
        assert!((deviation / 1.04e-6 - 1.0).abs() < 0.05, "{deviation}");
    }

    #[test]
    fn a_pause_stops_both_clocks_and_a_suspended_machine_sets_its_wall_clock() {
        let mut paused = clock(ClockModel::default());
        paused.disturb(at(100.0), Disturbance::Pause(Elapsed::from_secs(10)));
        assert!((error(&mut paused, 200.0) + 10.0).abs() < 1e-8);
        assert_eq!(paused.read(at(105.0)).monotonic, at(100.0));
        assert_eq!(paused.when(at(101.0), at(105.0)), at(111.0));
        assert!(!paused.is_suspended());

        let mut suspended = clock(ClockModel::default());
        suspended.disturb(at(100.0), Disturbance::Suspend(Elapsed::from_secs(10)));
        assert!(error(&mut suspended, 200.0).abs() < 1e-8);
        assert_eq!(suspended.read(at(200.0)).monotonic, at(190.0));
        assert!(suspended.is_suspended());

        suspended.disturb(at(200.0), Disturbance::Step(Duration::from_seconds(-3)));
        assert!((error(&mut suspended, 201.0) + 3.0).abs() < 1e-8);
        assert_eq!(suspended.read(at(201.0)).monotonic, at(191.0));
    }

    proptest! {
        /// Woken when it says, the monotonic clock shows the deadline, to the nanosecond.
        #[test]
        fn it_wakes_when_it_says(
            frequency in -1e5f64..1e5, now in 0.0f64..1e5, ahead in 0u64..1 << 40,
        ) {
            let mut clock = clock(ClockModel {
                drifts: vec![(Window::ALWAYS, Drift::Fixed(Ppm::new(frequency)))],
                ..ClockModel::default()
            });
            let deadline = clock.read(at(now)).monotonic + Elapsed::from_nanos(ahead);
            let woken = clock.when(deadline, at(now));
            let shows = clock.read(woken).monotonic;
            prop_assert!(shows.since(deadline) < Elapsed::from_nanos(3), "{:?} {:?}", shows, deadline);
            prop_assert!(deadline.since(shows) < Elapsed::from_nanos(2), "{:?} {:?}", shows, deadline);
        }
    }
}
