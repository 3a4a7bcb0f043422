//! The loop, and the estimator with it, on a clock made of arithmetic.

use core::time::Duration as Elapsed;

use ntp_wire::{Precision, Timestamp};
use proptest::prelude::*;
use rand::{RngExt, SeedableRng, rngs::ChaCha12Rng};

use super::*;
use crate::precise::state::Ways;
use crate::precise::track::{FrequencyPrior, Track};
use crate::{FrequencyUpdate, Oscillator, Tinker, VirtualClock};

fn at(milliseconds: u64) -> Monotonic {
    Monotonic::START + Elapsed::from_millis(milliseconds)
}

fn options() -> LoopOptions {
    LoopOptions {
        tinker: Tinker::default(),
        panic_once: false,
        step_once: false,
        one_shot: false,
        precision: Precision::new(-20),
        kernel: true,
    }
}

fn update(milliseconds: u64, offset: f64) -> Update {
    Update {
        at: at(milliseconds),
        offset: Duration::from_seconds_f64(offset),
        jitter: Duration::ZERO,
        frequency: Some(FrequencyUpdate {
            rate: Ppm::new(10.0),
            error: Ppm::new(0.1),
            wander: Ppm::ZERO,
            offset_error: Duration::from_nanos(1000),
            poll: PollExponent::DEFAULT_MINIMUM,
        }),
        minimum_poll: PollExponent::DEFAULT_MINIMUM,
        maximum_poll: PollExponent::DEFAULT_MAXIMUM,
    }
}

/// A loop with a clock that does as it is told; both rates are in ppm.
struct Closed {
    precise: Precise,
    clock: VirtualClock,
    oscillator: Oscillator,
    now: u64,
}

impl Closed {
    fn new(options: LoopOptions, offset: f64) -> Self {
        let start = Timestamp::from_unix(1_795_393_189, 0);
        let wall = start - Duration::from_seconds_f64(offset);
        Self {
            precise: Precise::new(options, None).0,
            clock: VirtualClock::new(wall, at(0), Ppm::ZERO),
            oscillator: Oscillator::new(wall),
            now: 0,
        }
    }

    /// How far the clock is behind.
    fn offset(&self) -> f64 {
        let truth = Timestamp::from_unix(1_795_393_189, 0)
            + Duration::from_nanos(self.now as i64 * 1_000_000);
        (truth - self.clock.wall(at(self.now))).to_seconds_f64()
    }

    fn observe(&mut self) {
        let wall = self.clock.wall(at(self.now));
        self.precise.observe(self.oscillator.at(wall));
    }

    /// Tells what the offset is, and that the frequency is right as it is.
    fn update(&mut self) -> Response {
        self.observe();
        let mut update = update(self.now, self.offset());
        if let Some(frequency) = &mut update.frequency {
            frequency.rate = Ppm::ZERO;
        }
        let response = self.precise.update(&update);
        self.steer();
        response
    }

    fn steer(&mut self) -> f64 {
        self.observe();
        let Some(Adjustment::Rate(rate)) = self.precise.tick(at(self.now)) else {
            panic!("no rate");
        };
        self.clock.adjust(at(self.now), &Adjustment::Rate(rate));
        let wall = self.clock.wall(at(self.now));
        self.oscillator.set_rate(wall, rate);
        rate.value()
    }

    /// Lets seconds pass; gives the greatest rate.
    fn run(&mut self, seconds: u64) -> f64 {
        (0..seconds).fold(0.0_f64, |greatest, _| {
            self.now += 1000;
            greatest.max(self.steer().abs())
        })
    }
}

#[test]
fn the_first_offset_is_gone_within_seconds_and_never_beyond() {
    let mut closed = Closed::new(options(), 0.1);
    let response = closed.update();
    assert_eq!(response.outcome, Outcome::Slewed);
    assert!(response.events.contains(&SystemEvent::ClockSynchronised));
    let fastest = closed.run(3);
    assert!((49_000.0..=50_001.0).contains(&fastest), "{fastest}");
    assert!(closed.offset().abs() < 1e-3, "{}", closed.offset());
    for _ in 0..60 {
        closed.run(1);
        assert!(closed.offset() > -1e-5, "overshot: {}", closed.offset());
    }
    assert!(closed.offset().abs() < 1e-5, "{}", closed.offset());
}

#[test]
fn later_offsets_are_slewed_at_500_ppm_at_most() {
    let mut closed = Closed::new(options(), 0.0);
    closed.update();
    closed.run(10);
    closed.clock.adjust(
        at(closed.now),
        &Adjustment::Step(Duration::from_millis(-50)),
    );
    closed.oscillator.stepped(Duration::from_millis(-50));
    closed.update();
    let fastest = closed.run(20);
    assert!((499.0..=500.1).contains(&fastest), "{fastest}");
    assert!(
        (closed.offset() - 0.04).abs() < 0.001,
        "{}",
        closed.offset()
    );
}

#[test]
fn who_forbids_steps_gets_gentle_slews_from_the_start() {
    let mut gentle = options();
    gentle.tinker.slew_only();
    let mut closed = Closed::new(gentle, 0.1);
    closed.update();
    assert!(closed.run(30) <= 500.1);
}

#[test]
fn a_large_offset_is_stepped_at_the_start_and_must_last_later() {
    let mut precise = Precise::new(options(), None).0;
    let response = precise.update(&update(0, 37.0));
    assert_eq!(response.outcome, Outcome::Stepped);
    let step = Duration::from_seconds(37);
    assert_eq!(response.adjustment, Some(Adjustment::Step(step)));
    precise.stepped(at(0), &Applied::Stepped(step));
    assert_eq!(precise.status().residual, Duration::ZERO);

    let response = precise.update(&update(64_000, 1.0));
    assert_eq!(response.outcome, Outcome::Ignored);
    assert_eq!(response.events, [SystemEvent::SpikeDetected]);
    assert_eq!(precise.status().state, LoopState::Spike);
    assert_eq!(
        precise.update(&update(363_000, 1.0)).outcome,
        Outcome::Ignored
    );
    let response = precise.update(&update(364_000, 1.0));
    assert_eq!(response.outcome, Outcome::Stepped);
    assert!(response.events.contains(&SystemEvent::ClockStep));
}

#[test]
fn a_spike_that_goes_away_is_forgotten() {
    let mut precise = Precise::new(options(), None).0;
    precise.update(&update(0, 0.0));
    assert_eq!(
        precise.update(&update(10_000, 1.0)).outcome,
        Outcome::Ignored
    );
    assert_eq!(
        precise.update(&update(20_000, 0.0)).outcome,
        Outcome::Slewed
    );
    let response = precise.update(&update(320_000, 1.0));
    assert_eq!(response.outcome, Outcome::Ignored);
}

#[test]
fn the_gate_for_panic_closes_after_the_first_offset() {
    let closed = Precise::new(options(), None).0.update(&update(0, 2000.0));
    assert_eq!(closed.outcome, Outcome::Panicked);
    let open = LoopOptions {
        panic_once: true,
        ..options()
    };
    let mut precise = Precise::new(open, None).0;
    assert_eq!(precise.update(&update(0, 2000.0)).outcome, Outcome::Stepped);
    precise.stepped(at(0), &Applied::Stepped(Duration::from_seconds(2000)));
    assert_eq!(
        precise.update(&update(1000, 2000.0)).outcome,
        Outcome::Panicked
    );
}

#[test]
fn what_others_did_to_the_clock_is_undone_without_panic() {
    let mut precise = Precise::new(options(), None).0;
    precise.update(&update(0, 0.0));
    precise.stepped(at(1000), &Applied::Stepped(Duration::from_seconds(-5000)));
    assert_eq!(
        precise.update(&update(2000, 5000.0)).outcome,
        Outcome::Stepped
    );
}

#[test]
fn the_frequency_is_what_it_is_told_and_no_slew_adds_to_it() {
    let mut precise = Precise::new(options(), None).0;
    let response = precise.update(&update(0, 0.05));
    assert!(response.events.contains(&SystemEvent::FrequencySet));
    assert_eq!(precise.status().frequency, Ppm::new(10.0));
    for second in 1..100 {
        precise.tick(at(second * 1000));
    }
    assert!((precise.status().frequency.value() - 10.0).abs() < 1e-9);
    assert!(precise.status().frequency_known);
}

#[test]
fn a_frequency_that_is_hardly_known_is_not_kept() {
    let mut precise = Precise::new(options(), None).0;
    let mut vague = update(0, 0.0);
    if let Some(frequency) = &mut vague.frequency {
        frequency.error = Ppm::new(20.0);
    }
    precise.update(&vague);
    // It is the best there is, and the clock runs by it; the next start should not.
    assert_eq!(precise.status().frequency, Ppm::new(10.0));
    assert!(!precise.status().frequency_known);
    precise.update(&update(1000, 0.0));
    assert!(precise.status().frequency_known);
}

/// Exchanges over a network with exponential queues, against an oscillator 10 ppm fast.
fn exchanges(times: &[f64], least: f64, scale: f64, seed: u8) -> Vec<(Ways, f64)> {
    let mut random = ChaCha12Rng::from_seed([seed; 32]);
    let mut queue = || -scale * (1.0 - random.random::<f64>()).ln();
    times
        .iter()
        .map(|at| {
            let offset = 0.1 + 1e-5 * at;
            let ways = Ways {
                at: *at,
                forward: least + queue() - offset,
                backward: least + queue() + offset,
            };
            (ways, offset)
        })
        .collect()
}

fn track() -> Track {
    let prior = FrequencyPrior {
        mean: 0.0,
        deviation: 50e-6,
        ln_weight: 0.0,
    };
    Track::new(vec![prior], 1e-7)
}

/// After a burst of some seconds and then one sample in three hours, the first samples are of
/// another time than the best one: an offset that ignored that was wrong by milliseconds for ever.
#[test]
fn a_burst_and_then_hours_between_samples() {
    let times: Vec<f64> = (0..6)
        .map(|n| f64::from(n) * 2.0)
        .chain((1..12).map(|n| f64::from(n) * 10_000.0))
        .collect();
    for seed in 0..60 {
        let mut track = track();
        for (number, (ways, offset)) in exchanges(&times, 0.01, 1e-3, seed).iter().enumerate() {
            track.update(*ways);
            let found = track.predict(ways.at).unwrap();
            let error = (found.offset - offset).abs();
            assert!(
                number < 8 || error < 5e-3,
                "seed {seed}, sample {number}: {error}"
            );
        }
    }
}

#[test]
fn many_samples_are_better_than_their_noise() {
    let times: Vec<f64> = (0..600).map(|n| f64::from(n) * 64.0).collect();
    for seed in 0..10 {
        let mut track = track();
        let mut squares = 0.0;
        for (number, (ways, offset)) in exchanges(&times, 1e-4, 1e-4, seed).iter().enumerate() {
            track.update(*ways);
            if number >= 300 {
                squares += (track.predict(ways.at).unwrap().offset - offset).powi(2);
            }
        }
        // A mean of all would do no better than 4 µs.
        let rms = (squares / 300.0_f64).sqrt();
        assert!(rms < 3e-6, "seed {seed}: {rms}");
    }
}

#[test]
fn one_impossible_sample_is_dropped_and_two_are_believed() {
    let times: Vec<f64> = (0..64).map(|n| f64::from(n) * 64.0).collect();
    let mut track = track();
    for (ways, _) in exchanges(&times, 1e-3, 1e-4, 3) {
        track.update(ways);
    }
    let moved = |at: f64, by: f64| {
        let (ways, offset) = exchanges(&[at], 1e-3, 1e-4, 4)[0];
        (ways.stepped(by), offset + by)
    };
    let (wrong, offset) = moved(4096.0, 0.01);
    track.update(wrong);
    let error = track.predict(4096.0).unwrap().offset - (offset - 0.01);
    assert!(error.abs() < 1e-4, "{error}");
    let (right, offset) = moved(4160.0, 0.01);
    track.update(right);
    let error = track.predict(4160.0).unwrap().offset - offset;
    assert!(error.abs() < 3e-4, "{error}");
}

proptest! {
    #[test]
    fn whatever_comes_the_numbers_stay_numbers(
        samples in prop::collection::vec(
            (-10.0..2000.0, -1.0..1.0, -1e-3..10.0, prop::bool::weighted(0.05)), 1..80),
    ) {
        let mut track = track();
        let mut time = 0.0;
        for (elapsed, offset, delay, step) in samples {
            // A clock that was set back counts backwards for once.
            time += elapsed;
            if step {
                track.step(offset);
            }
            track.update(Ways { at: time, forward: delay - offset, backward: delay + offset });
            let found = track.predict(time).unwrap();
            for value in [found.offset, found.frequency, found.wander] {
                prop_assert!(value.is_finite(), "{found:?}");
            }
            prop_assert!(found.offset_variance >= 0.0 && found.offset_variance.is_finite());
            prop_assert!(found.frequency_variance >= 0.0 && found.frequency_variance.is_finite());
            let pace = track.pace(6, 10);
            prop_assert!((6..=10).contains(&pace));
        }
    }

    #[test]
    fn the_same_samples_give_the_same_state(seed: u8) {
        let times: Vec<f64> = (0..40).map(|n| f64::from(n) * 64.0).collect();
        let run = || {
            let mut track = track();
            for (ways, _) in exchanges(&times, 1e-3, 1e-4, seed) {
                track.update(ways);
            }
            track.predict(3000.0)
        };
        prop_assert_eq!(run(), run());
    }

    #[test]
    fn a_step_of_the_clock_moves_the_offset_and_nothing_else(seed: u8, by in -100.0..100.0) {
        let times: Vec<f64> = (0..40).map(|n| f64::from(n) * 64.0).collect();
        let samples = exchanges(&times, 1e-3, 1e-4, seed);
        let (mut stepped, mut plain) = (track(), track());
        for (number, (ways, _)) in samples.iter().enumerate() {
            plain.update(*ways);
            if number == 25 {
                stepped.step(by);
            }
            stepped.update(if number < 25 { *ways } else { ways.stepped(by) });
        }
        let (stepped, plain) = (stepped.predict(3000.0).unwrap(), plain.predict(3000.0).unwrap());
        prop_assert!((stepped.offset - by - plain.offset).abs() < 1e-9);
        prop_assert!((stepped.frequency - plain.frequency).abs() < 1e-12);
    }

    #[test]
    fn together_sources_are_between_themselves(
        sources in prop::collection::vec((-1000i64..1000, 1i64..1000, 0i64..1000), 1..8),
    ) {
        let forecast = |offset: i64, error: i64| Forecast {
            offset: Duration::from_nanos(offset * 1000),
            offset_error: Duration::from_nanos(error * 1000),
            frequency: Ppm::new(offset as f64),
            frequency_error: Ppm::new(error as f64),
            wander: Ppm::ZERO,
        };
        let all: Vec<_> = sources
            .iter()
            .map(|(offset, error, distance)| {
                (forecast(*offset, *error), Duration::from_nanos(distance * 1000))
            })
            .collect();
        let found = Forecast::combined(all.clone()).unwrap();
        let backwards = Forecast::combined(all.iter().rev().copied()).unwrap();
        let slack = Duration::from_nanos(2);
        let least = all.iter().map(|(one, _)| one.offset).min().unwrap();
        let most = all.iter().map(|(one, _)| one.offset).max().unwrap();
        prop_assert!(found.offset >= least - slack && found.offset <= most + slack);
        prop_assert!((found.offset - backwards.offset).abs() <= slack);
        prop_assert!((found.frequency.value() - backwards.frequency.value()).abs() < 1e-6);
        if let [(alone, _)] = all[..] {
            prop_assert!((found.offset - alone.offset).abs() <= slack);
        }
    }
}
