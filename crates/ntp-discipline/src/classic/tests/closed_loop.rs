//! The whole discipline on a clock that is wrong, over a network that jitters.

use rand::{RngExt, SeedableRng, rngs::ChaCha8Rng};

use super::*;
use crate::{
    Candidate, ClockFilter, FilterConditions, FilterVerdict, Limits, Sample, SelectionConditions,
    Selector, SourceKind, VirtualClock,
};
use ntp_wire::{Leap, ReferenceId, Stratum, Timestamp};

const PRECISION: Precision = Precision::new(-20);

/// A client of one perfect server.
struct World {
    clock: VirtualClock,
    classic: Classic,
    filter: ClockFilter,
    selector: Selector,
    random: ChaCha8Rng,
    maximum_poll: PollExponent,
    second: u64,
    next_poll: u64,
    used: Option<Monotonic>,
    steps: Vec<Duration>,
    events: Vec<SystemEvent>,
}

impl World {
    /// A clock that is `ahead` seconds and gains `ppm`.
    fn new(ahead: f64, ppm: f64, options: LoopOptions, drift: Option<f64>, seed: u64) -> Self {
        let (classic, event) = Classic::new(options, drift.map(Ppm::new), at(0));
        let wall = Self::truth(at(0)) + Duration::from_seconds_f64(ahead);
        Self {
            clock: VirtualClock::new(wall, at(0), Ppm::new(ppm)),
            classic,
            filter: ClockFilter::new(at(0), PRECISION),
            selector: Selector::new(Limits::default()),
            random: ChaCha8Rng::seed_from_u64(seed),
            maximum_poll: PollExponent::new(6),
            second: 0,
            next_poll: 1,
            used: None,
            steps: Vec::new(),
            events: vec![event],
        }
    }

    fn truth(at: Monotonic) -> Timestamp {
        let seconds = (at.as_nanos() / 1_000_000_000) as i64;
        Timestamp::from_unix(
            1_795_393_189 + seconds,
            (at.as_nanos() % 1_000_000_000) as u32,
        )
    }

    /// What the clock is ahead of true time, in seconds.
    fn error(&self) -> f64 {
        let now = at(self.second);
        (self.clock.wall(now) - Self::truth(now)).to_seconds_f64()
    }

    /// What the clock gains when nothing is slewed, in ppm.
    fn frequency_error(&self) -> f64 {
        self.clock.frequency_error().value() + self.classic.status().frequency.value()
    }

    /// 5 ms one way, and an exponential excess of half a millisecond on average.
    fn delay(&mut self) -> Elapsed {
        let excess = -5e-4 * (1.0 - self.random.random::<f64>()).ln();
        Elapsed::from_secs_f64(5e-3 + excess)
    }

    fn run(&mut self, seconds: u64) {
        for _ in 0..seconds {
            self.second += 1;
            if let Some(rate) = self.classic.tick(at(self.second)) {
                self.clock.adjust(at(self.second), &rate);
            }
            if self.second == self.next_poll {
                self.poll();
            }
        }
    }

    fn poll(&mut self) {
        let sent = at(self.second);
        let turned = sent + self.delay();
        let received = turned + self.delay();
        let out = Self::truth(turned) - self.clock.wall(sent);
        let back = Self::truth(turned) - self.clock.wall(received);
        let sample = Sample {
            offset: (out + back) / 2,
            delay: out - back,
            dispersion: PRECISION.to_duration(),
            at: received,
        };
        let verdict = self.filter.push(
            sample,
            &FilterConditions {
                precision: PRECISION,
                poll: self.classic.status().time_constant,
                allan: PollExponent::new(11),
                dispersion_rate: Ppm::new(15.0),
                maximum_distance: Duration::from_millis(1500),
                settling: self.classic.status().settling,
            },
        );
        if verdict == FilterVerdict::Updated {
            self.select(received);
        }
        // Six quick ones at the start, as with iburst.
        let wait = if self.second < 12 {
            2
        } else {
            let tc = self.classic.status().time_constant;
            tc.max(PollExponent::new(6)).interval().as_secs()
        };
        self.next_poll = self.second + wait;
    }

    fn select(&mut self, now: Monotonic) {
        let estimate = *self.filter.estimate();
        let candidate = Candidate {
            kind: SourceKind::Server,
            reachable: true,
            leap: Leap::None,
            stratum: Stratum::PRIMARY,
            reference_id: ReferenceId::from_bytes([10, 0, 0, 1]),
            own_reference_id: ReferenceId::from_bytes([10, 0, 0, 2]),
            precision: PRECISION,
            offset: estimate.offset,
            delay: estimate.delay,
            dispersion: estimate.dispersion,
            jitter: estimate.jitter,
            age: Elapsed::ZERO,
            poll: self.classic.status().time_constant,
            root_delay: Duration::ZERO,
            root_dispersion: Duration::ZERO,
            looped: false,
            prefer: false,
            noselect: false,
            always_true: false,
        };
        let found = self.selector.select(
            &[candidate],
            &SelectionConditions {
                precision: PRECISION,
                dispersion_rate: Ppm::new(15.0),
                uptime: now.since(at(0)),
                system_peer: Some(0),
            },
        );
        let Some(combined) = found.combined else {
            return;
        };
        if estimate.at <= self.used {
            return;
        }
        self.used = estimate.at;
        let response = self.classic.update(&Update {
            at: now,
            offset: combined.offset,
            jitter: combined.jitter,
            frequency: None,
            minimum_poll: PollExponent::new(6),
            maximum_poll: self.maximum_poll,
        });
        self.events.extend(response.events);
        if let Some(Adjustment::Step(step)) = response.adjustment {
            let applied = self.clock.adjust(now, &Adjustment::Step(step));
            self.classic.stepped(now, &applied);
            self.filter.clear(now, PRECISION);
            self.steps.push(step);
        }
    }

    /// The worst error in the next `seconds`.
    fn worst_error(&mut self, seconds: u64) -> f64 {
        let mut worst: f64 = 0.0;
        for _ in 0..seconds {
            self.run(1);
            worst = worst.max(self.error().abs());
        }
        worst
    }
}

/// The frequency that was measured in the first minutes is right to a few ppm; the loop is so
/// heavily damped that it takes hours to find the rest (its slow root is 4 hours at 64 s).
fn assert_converges(world: &mut World, case: &str) {
    world.run(2 * 3600);
    let worst = world.worst_error(3600);
    let frequency = world.frequency_error();
    assert!(worst < 0.005, "{case}: {worst} s in the third hour");
    assert!(
        frequency.abs() < 3.0,
        "{case}: {frequency} ppm after three hours"
    );
    world.run(21 * 3600);
    let worst = world.worst_error(3600);
    let frequency = world.frequency_error();
    assert!(worst < 0.000_3, "{case}: {worst} s after a day");
    assert!(frequency.abs() < 0.1, "{case}: {frequency} ppm after a day");
}

#[test]
fn a_clock_37_seconds_ahead_and_50_ppm_fast_is_stepped_once_and_converges() {
    for seed in 0..20 {
        let mut world = World::new(37.0, 50.0, options(), None, seed);
        assert_converges(&mut world, &format!("37 s, seed {seed}"));
        assert_eq!(world.steps.len(), 1, "seed {seed}");
        assert!((world.steps[0].to_seconds_f64() + 37.0).abs() < 0.01);
        assert_eq!(
            world.events,
            [
                SystemEvent::FrequencyNotSet,
                SystemEvent::ClockStep,
                SystemEvent::FrequencyMode,
                SystemEvent::FrequencySet,
                SystemEvent::ClockSynchronised,
            ]
        );
    }
}

#[test]
fn a_clock_80_ms_wrong_is_never_stepped_and_converges() {
    for seed in 0..5 {
        for ahead in [0.080, -0.080, 0.120, -0.120] {
            let mut world = World::new(ahead, 50.0, options(), None, seed);
            world.run(600);
            let soon = world.error();
            assert!(soon.abs() < 0.020, "{ahead} s: {soon} s after ten minutes");
            assert_converges(&mut world, &format!("{ahead} s, seed {seed}"));
            assert_eq!(world.steps, [], "{ahead} s, seed {seed}");
        }
    }
}

#[test]
fn with_a_drift_file_it_is_right_within_minutes() {
    let mut world = World::new(0.080, 50.0, options(), Some(-50.0), 5);
    world.run(600);
    let worst = world.worst_error(3600);
    assert!(worst < 0.002, "{worst} s");
}

#[test]
fn with_longer_intervals_it_stays_right() {
    let mut world = World::new(0.010, -20.0, options(), None, 6);
    world.maximum_poll = PollExponent::new(10);
    world.run(24 * 3600);
    assert!(world.classic.status().time_constant > PollExponent::new(6));
    let worst = world.worst_error(6 * 3600);
    assert!(worst < 0.005, "{worst} s");
    assert_eq!(world.steps, []);
}

#[test]
fn slewing_only_wears_off_seconds_without_overshooting() {
    let mut slew_only = options();
    slew_only.tinker.slew_only();
    let mut world = World::new(3.0, 50.0, slew_only, Some(-50.0), 7);
    let mut least: f64 = 0.0;
    for _ in 0..6 * 3600 {
        world.run(1);
        least = least.min(world.error());
    }
    assert_eq!(world.steps, []);
    assert!(least > -0.050, "overshot to {least} s");
    world.run(18 * 3600);
    let worst = world.worst_error(3600);
    assert!(worst < 0.001, "{worst} s");
}
