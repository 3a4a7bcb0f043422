use proptest::prelude::*;

use super::*;

mod closed_loop;

fn options() -> LoopOptions {
    LoopOptions {
        tinker: Tinker::default(),
        panic_once: false,
        step_once: false,
        one_shot: false,
        kernel: false,
        precision: Precision::new(-20),
    }
}

fn at(seconds: u64) -> Monotonic {
    Monotonic::START + Elapsed::from_secs(seconds)
}

fn update(seconds: u64, offset: f64) -> Update {
    Update {
        at: at(seconds),
        offset: Duration::from_seconds_f64(offset),
        jitter: Duration::ZERO,
        frequency: None,
        minimum_poll: PollExponent::new(6),
        maximum_poll: PollExponent::new(10),
    }
}

fn with_drift(options: LoopOptions, ppm: f64) -> Classic {
    let (classic, event) = Classic::new(options, Some(Ppm::new(ppm)), at(0));
    assert_eq!(event, SystemEvent::FrequencySet);
    classic
}

fn without_drift(options: LoopOptions) -> Classic {
    let (classic, event) = Classic::new(options, None, at(0));
    assert_eq!(event, SystemEvent::FrequencyNotSet);
    classic
}

/// Gives the offset, and carries out the step if there is one.
fn feed(classic: &mut Classic, seconds: u64, offset: f64) -> (Outcome, Vec<SystemEvent>) {
    let response = classic.update(&update(seconds, offset));
    if let Some(Adjustment::Step(step)) = response.adjustment {
        assert_eq!(step, Duration::from_seconds_f64(offset));
        classic.stepped(at(seconds), &Applied::Stepped(step));
    }
    assert_eq!(
        response.adjustment.is_some(),
        response.outcome == Outcome::Stepped
    );
    (response.outcome, response.events)
}

fn rate(classic: &mut Classic, seconds: u64) -> f64 {
    match classic.tick(at(seconds)) {
        Some(Adjustment::Rate(rate)) => rate.value(),
        other => panic!("{other:?}"),
    }
}

/// A tick each second after `from`, up to and with `to`.
fn run(classic: &mut Classic, from: u64, to: u64) {
    for second in from + 1..=to {
        classic.tick(at(second));
    }
}

#[test]
fn with_a_drift_file_the_first_offset_synchronises() {
    let mut classic = with_drift(options(), 12.0);
    assert_eq!(rate(&mut classic, 1), 12.0);
    let (outcome, events) = feed(&mut classic, 10, 0.010);
    assert_eq!(
        (outcome, events),
        (Outcome::Slewed, vec![SystemEvent::ClockSynchronised])
    );
    assert_eq!(classic.status().state, LoopState::Synchronised);
    assert!(rate(&mut classic, 11) > 12.0);
    assert_eq!(classic.status().frequency, Ppm::new(12.0));
}

#[test]
fn with_a_drift_file_a_wrong_clock_is_stepped_at_once() {
    let mut classic = with_drift(options(), 12.0);
    let (outcome, events) = feed(&mut classic, 10, -37.0);
    assert_eq!(outcome, Outcome::Stepped);
    assert_eq!(
        events,
        [SystemEvent::ClockStep, SystemEvent::ClockSynchronised]
    );
    assert_eq!(classic.status().residual, Duration::ZERO);
}

#[test]
fn without_one_the_frequency_is_measured() {
    let mut classic = without_drift(options());
    let (outcome, events) = feed(&mut classic, 10, 37.0);
    assert_eq!(outcome, Outcome::Stepped);
    assert_eq!(events, [SystemEvent::ClockStep, SystemEvent::FrequencyMode]);
    assert!(!classic.status().frequency_known);
    run(&mut classic, 10, 300);
    assert_eq!(feed(&mut classic, 300, -0.0145), (Outcome::Ignored, vec![]));
    let (outcome, events) = feed(&mut classic, 310, -0.015);
    assert_eq!(outcome, Outcome::Slewed);
    assert_eq!(
        events,
        [SystemEvent::FrequencySet, SystemEvent::ClockSynchronised]
    );
    let status = classic.status();
    assert!(
        (status.frequency.value() + 50.0).abs() < 1e-6,
        "{}",
        status.frequency
    );
    assert!(status.frequency_known);
}

#[test]
fn what_is_still_to_be_slewed_is_no_frequency() {
    let mut classic = without_drift(options());
    assert_eq!(
        feed(&mut classic, 10, 0.100).1,
        [SystemEvent::FrequencyMode]
    );
    // The clock is exact: what is left after 310 s is the residual alone.
    run(&mut classic, 10, 320);
    let left = classic.status().residual.to_seconds_f64();
    assert!(left > 0.0 && left < 0.010, "{left}");
    feed(&mut classic, 320, left);
    assert!(classic.status().frequency.value().abs() < 1e-3);
}

#[test]
fn a_measured_frequency_can_come_with_a_step() {
    let mut classic = without_drift(options());
    feed(&mut classic, 10, 37.0);
    let (outcome, events) = feed(&mut classic, 410, 0.160);
    assert_eq!(outcome, Outcome::Stepped);
    assert_eq!(
        events,
        [
            SystemEvent::FrequencySet,
            SystemEvent::ClockStep,
            SystemEvent::ClockSynchronised
        ]
    );
    assert!((classic.status().frequency.value() - 400.0).abs() < 1e-6);
}

#[test]
fn a_spike_must_last_for_the_stepout() {
    let mut classic = with_drift(options(), 0.0);
    feed(&mut classic, 10, 0.0);
    assert_eq!(
        feed(&mut classic, 100, 1.0),
        (Outcome::Ignored, vec![SystemEvent::SpikeDetected])
    );
    assert_eq!(feed(&mut classic, 309, 1.0), (Outcome::Ignored, vec![]));
    let (outcome, events) = feed(&mut classic, 310, 1.0);
    assert_eq!(outcome, Outcome::Stepped);
    assert_eq!(
        events,
        [SystemEvent::ClockStep, SystemEvent::ClockSynchronised]
    );

    let mut classic = with_drift(options(), 0.0);
    feed(&mut classic, 10, 0.0);
    feed(&mut classic, 100, 1.0);
    let (outcome, events) = feed(&mut classic, 200, 0.001);
    assert_eq!(
        (outcome, events),
        (Outcome::Slewed, vec![SystemEvent::ClockSynchronised])
    );
}

#[test]
fn no_stepout_is_shorter_than_five_minutes() {
    let tinker = Tinker {
        stepout: Elapsed::from_secs(10),
        ..Tinker::default()
    };
    let mut classic = with_drift(
        LoopOptions {
            tinker,
            ..options()
        },
        0.0,
    );
    feed(&mut classic, 10, 0.0);
    feed(&mut classic, 100, 1.0);
    assert_eq!(feed(&mut classic, 309, 1.0).0, Outcome::Ignored);
    assert_eq!(feed(&mut classic, 310, 1.0).0, Outcome::Stepped);
}

#[test]
fn jitter_starts_anew_after_a_step() {
    let mut classic = with_drift(options(), 0.0);
    feed(&mut classic, 10, 0.080);
    let jitter = classic.status().jitter.to_seconds_f64();
    assert!((jitter - 0.080 / 8f64.sqrt()).abs() < 1e-6, "{jitter}");
    feed(&mut classic, 100, 1.0);
    feed(&mut classic, 400, 1.0);
    assert_eq!(classic.status().jitter, options().precision.to_duration());
}

#[test]
fn settling_ends_after_five_minutes_or_when_settled() {
    let mut classic = with_drift(options(), 0.0);
    run(&mut classic, 0, 400);
    assert!(classic.status().settling);
    feed(&mut classic, 400, 0.1);
    run(&mut classic, 400, 699);
    assert!(classic.status().settling);
    run(&mut classic, 699, 700);
    assert!(!classic.status().settling);

    let mut right = with_drift(options(), 0.0);
    feed(&mut right, 10, 0.000_4);
    assert!(!right.status().settling);
}

#[test]
fn phase_teaches_frequency_and_beyond_the_allan_intercept_growth_does() {
    let learned = |allan| {
        let tinker = Tinker {
            allan: PollExponent::new(allan),
            ..Tinker::default()
        };
        let mut classic = with_drift(
            LoopOptions {
                tinker,
                ..options()
            },
            0.0,
        );
        feed(&mut classic, 10, 0.000_1);
        feed(&mut classic, 74, 0.001_1);
        let status = classic.status();
        let wander = status.frequency.value() / 8f64.sqrt();
        assert!((status.wander.value() - wander).abs() < 1e-9);
        status.frequency.value()
    };
    // 1.1 ms · 64 s / (4 · 16 · 64 s)², and a quarter of 1 ms in 64 s.
    assert!((learned(11) - 0.004_196).abs() < 1e-6, "{}", learned(11));
    assert!(
        (learned(6) - 0.004_196 - 3.906_25).abs() < 1e-6,
        "{}",
        learned(6)
    );
}

#[test]
fn the_panic_gate_opens_once() {
    let mut shut = with_drift(options(), 0.0);
    assert_eq!(
        feed(&mut shut, 10, -1000.5),
        (Outcome::Panicked, vec![SystemEvent::PanicStop])
    );

    let mut open = with_drift(
        LoopOptions {
            panic_once: true,
            ..options()
        },
        0.0,
    );
    assert_eq!(feed(&mut open, 10, -1e6).0, Outcome::Stepped);
    assert_eq!(feed(&mut open, 400, -1e6).0, Outcome::Panicked);

    // A small offset closes it as well.
    let mut small = with_drift(
        LoopOptions {
            panic_once: true,
            ..options()
        },
        0.0,
    );
    assert_eq!(feed(&mut small, 10, 0.001).0, Outcome::Slewed);
    assert_eq!(feed(&mut small, 400, 1e6).0, Outcome::Panicked);

    let tinker = Tinker {
        panic: Tinker::threshold(Duration::ZERO),
        ..Tinker::default()
    };
    let mut never = with_drift(
        LoopOptions {
            tinker,
            ..options()
        },
        0.0,
    );
    assert_eq!(feed(&mut never, 10, 1e6).0, Outcome::Stepped);
}

#[test]
fn thresholds_have_a_direction() {
    let tinker = Tinker {
        step_back: None,
        step_forward: Some(Duration::from_seconds(2)),
        ..Tinker::default()
    };
    let start = || {
        with_drift(
            LoopOptions {
                tinker,
                ..options()
            },
            0.0,
        )
    };
    assert_eq!(feed(&mut start(), 10, -900.0).0, Outcome::Slewed);
    assert_eq!(feed(&mut start(), 10, 1.9).0, Outcome::Slewed);
    assert_eq!(feed(&mut start(), 10, 2.1).0, Outcome::Stepped);
    let step_once = LoopOptions {
        step_once: true,
        ..options()
    };
    let mut forced = with_drift(step_once, 0.0);
    assert_eq!(feed(&mut forced, 10, 0.001).0, Outcome::Stepped);
    assert_eq!(feed(&mut forced, 80, 0.001).0, Outcome::Slewed);
}

#[test]
fn one_shot_steps_or_slews_and_is_done() {
    let one_shot = LoopOptions {
        one_shot: true,
        ..options()
    };
    let mut stepping = with_drift(one_shot, 0.0);
    let response = stepping.update(&update(10, 5.0));
    assert_eq!(response.outcome, Outcome::Stepped);
    stepping.tick(at(11));
    assert!(!stepping.status().finished);
    stepping.stepped(at(11), &Applied::Stepped(Duration::from_seconds(5)));
    assert!(stepping.status().finished);

    let mut slewing = with_drift(one_shot, 20.0);
    assert_eq!(slewing.update(&update(10, -0.001)).outcome, Outcome::Slewed);
    // As fast as it may: 520 ppm under the 20 that it would run at.
    assert_eq!(rate(&mut slewing, 11), -500.0);
    assert!((rate(&mut slewing, 12) + 460.0).abs() < 1e-3);
    assert!(!slewing.status().finished);
    assert_eq!(rate(&mut slewing, 13), 20.0);
    assert!(slewing.status().finished);
}

#[test]
fn a_refused_step_is_found_again() {
    let mut classic = with_drift(options(), 0.0);
    classic.update(&update(10, 5.0));
    classic.stepped(at(10), &Applied::Ignored);
    assert_eq!(classic.status().residual, Duration::ZERO);
    assert_eq!(feed(&mut classic, 74, 5.0).1, [SystemEvent::SpikeDetected]);
    // What a coarse clock leaves of a step is slewed.
    let mut coarse = with_drift(options(), 0.0);
    coarse.update(&update(10, 5.0));
    coarse.stepped(at(10), &Applied::Stepped(Duration::from_millis(4990)));
    assert_eq!(
        coarse.status().residual,
        Duration::from_seconds_f64(5.0 - Duration::from_millis(4990).to_seconds_f64())
    );
}

#[test]
fn somebody_elses_step_ends_the_slew() {
    let mut classic = with_drift(options(), 3.0);
    feed(&mut classic, 10, 0.1);
    classic.stepped(at(20), &Applied::Stepped(Duration::from_seconds(3)));
    assert_eq!(classic.status().residual, Duration::ZERO);
    assert_eq!(rate(&mut classic, 21), 3.0);
}

#[test]
fn the_poll_interval_grows_in_quiet_and_shrinks_in_trouble() {
    let mut classic = with_drift(options(), 0.0);
    let mut now = 10;
    for _ in 0..200 {
        feed(&mut classic, now, 0.000_001);
        now += 64;
    }
    assert_eq!(classic.status().time_constant, PollExponent::new(10));
    for count in 0..100 {
        feed(&mut classic, now, 0.050 + 1e-6 * f64::from(count));
        now += 64;
    }
    assert_eq!(classic.status().time_constant, PollExponent::new(6));
}

#[test]
fn late_ticks_slew_no_more_than_there_is() {
    let mut classic = with_drift(options(), 0.0);
    feed(&mut classic, 10, 0.010);
    assert!(rate(&mut classic, 11) > 0.0);
    // A minute later the clock has run too far: it is taken back.
    assert!(rate(&mut classic, 71) < 0.0);
}

prop_compose! {
    fn any_step()(
        later in 0u64..400, offset in prop_oneof![
            -0.2..0.2, -2000.0..2000.0, any::<f64>()], kind in 0..8,
    ) -> (u64, f64, i32) {
        (later, offset, kind)
    }
}

proptest! {
    #[test]
    fn no_input_makes_it_run_too_fast_or_show_nonsense(
        steps in proptest::collection::vec(any_step(), 1..200), drift in proptest::option::of(any::<f64>()),
        one_shot: bool, panic_once: bool, slew_only: bool, never: bool,
    ) {
        let mut options = LoopOptions { one_shot, panic_once, ..options() };
        if slew_only {
            options.tinker.slew_only();
        }
        if never {
            options.tinker.set_step(Duration::ZERO);
            options.tinker.panic = None;
        }
        let (mut classic, _) = Classic::new(options, drift.map(Ppm::new), at(0));
        let mut now = 0;
        for (later, offset, kind) in steps {
            now += later;
            match kind {
                0..5 => {
                    let response = classic.update(&update(now, offset));
                    if kind == 0 && response.adjustment.is_some() {
                        classic.stepped(at(now), &Applied::Ignored);
                    }
                }
                5 => classic.stepped(at(now), &Applied::Stepped(Duration::from_seconds_f64(offset))),
                _ => {}
            }
            prop_assert!(rate(&mut classic, now).abs() <= Classic::MAXIMUM_RATE.value());
            let status = classic.status();
            prop_assert!(status.frequency.value().abs() <= Classic::MAXIMUM_RATE.value() + 1e-9);
            prop_assert!(status.jitter >= options.precision.to_duration());
            prop_assert!(status.wander.value() >= 0.0);
            prop_assert!(status.time_constant >= PollExponent::FASTEST);
            prop_assert!(status.time_constant <= PollExponent::SLOWEST);
        }
    }

    #[test]
    fn what_was_slewed_and_what_is_left_add_up(
        offset in -0.12..0.12, drift in -400.0..400.0, gaps in proptest::collection::vec(1u64..5000, 1..100),
    ) {
        let mut classic = with_drift(options(), drift);
        feed(&mut classic, 0, offset);
        let (mut now, mut rate, mut slewed) = (at(0), drift, 0.0);
        for milliseconds in gaps {
            let gap = Elapsed::from_millis(milliseconds);
            slewed += (rate - drift) * 1e-6 * gap.as_secs_f64();
            now += gap;
            if let Some(Adjustment::Rate(next)) = classic.tick(now) {
                rate = next.value();
            }
            let left = classic.status().residual.to_seconds_f64();
            prop_assert!((slewed + left - offset).abs() < 1e-9, "{slewed} + {left} ≠ {offset}");
        }
    }
}
