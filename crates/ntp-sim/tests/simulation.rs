//! What a simulation measures is what is there to measure.

#![allow(clippy::unwrap_used)] // A test that can't go on has failed.

use core::time::Duration as Elapsed;

use ntp_engine::{Engine, Setup};
use ntp_sim::{
    ClockModel, Datagram, Delay, Disturbance, HostClock, Link, Loss, Plot, Report, Run, Scenario,
    World,
};
use ntp_wire::{Header, Timestamp};

fn scenario(conf: &str, client: &str, server: &str) -> Scenario {
    let text = format!(
        "title a & b\nduration 5000 s\nwarm-up 1000 s\nntp.conf {{\nserver 10.0.0.1 iburst\n{conf}\n}}\n\
         client {{\n{client}\n}}\nserver 10.0.0.1 {{\n{server}\n}}\n"
    );
    Scenario::parse("test.scenario", &text, "").unwrap()
}

fn error(run: &Run, second: usize) -> f64 {
    run.errors[second - 1].unwrap().to_seconds_f64()
}

#[test]
fn a_clock_that_nobody_corrects_drifts_as_it_is_told() {
    let conf = "disable ntp";
    let client = "offset 2 ms\nfrequency -1 ppm\nat 2000.5 s step 1 ms";
    let run = scenario(conf, client, "both 1 ms").run(1);
    assert!((error(&run, 1) - 2e-3 + 1e-6).abs() < 2e-9);
    assert!((error(&run, 2000) - 0.0).abs() < 2e-9);
    assert!((error(&run, 5000) + 2e-3).abs() < 2e-9);
    let summary = &run.summary;
    assert!((summary.maximum.to_seconds_f64() - 2e-3).abs() < 1e-8);
    // For 1000 s from 1 ms to 0, for 3000 s from 1 ms to -2 ms: mean squares of 1/3 and 1 ms².
    let expected = ((1.0 / 3.0 + 3.0) / 4.0f64).sqrt() * 1e-3;
    assert!((summary.rms.to_seconds_f64() - expected).abs() < 1e-6);
    assert!((summary.frequency.value() - 1.0).abs() < 1e-9);
    assert_eq!(summary.steps, 0);
    assert_eq!(summary.settled, [None; 3]);
}

#[test]
fn a_quiet_network_brings_a_clock_to_the_truth_and_an_asymmetric_one_beside_it() {
    let client = "offset 1 ms";
    let quiet = scenario("", client, "both 1 ms").run(1);
    assert!(error(&quiet, 5000).abs() < 2e-5, "{}", error(&quiet, 5000));
    let asymmetric = scenario("", client, "up 3 ms\ndown 1 ms").run(1);
    // Half of the difference can't be seen: the server seems to be ahead.
    let beside = error(&asymmetric, 5000) - error(&quiet, 5000);
    assert!((beside - 1e-3).abs() < 1e-4, "{beside}");
    let wrong = scenario("", client, "both 1 ms\noffset -5 ms").run(1);
    let beside = error(&wrong, 5000) - error(&quiet, 5000);
    assert!((beside + 5e-3).abs() < 5e-4, "{beside}");
}

#[test]
fn the_same_seed_is_the_same_world_and_another_is_another() {
    let client = "offset 1 ms\nwander 1 ppb\nnoise 1 us";
    let scenario = scenario("", client, "both exp(1 ms)\nlose 5 %\nduplicate 5 %");
    let run = scenario.run(7);
    assert_eq!(run, scenario.run(7));
    assert_ne!(run.errors, scenario.run(8).errors);
}

#[test]
fn a_machine_that_is_not_let_run_is_not_looked_at_and_wakes_up_behind() {
    let run = scenario("", "at 3000 s pause 10 s", "both 1 ms").run(1);
    assert!(run.errors[2998].is_some() && run.errors[3004].is_none());
    assert!((error(&run, 3011) + 10.0).abs() < 1e-3);
    let asleep = scenario("", "at 3000 s suspend 10 s", "both 1 ms").run(1);
    assert!(asleep.errors[3004].is_none() && error(&asleep, 3011).abs() < 1e-3);
}

#[test]
fn a_daemon_that_is_restarted_reads_its_drift_file() {
    let conf = "tinker step 0"; // nothing is stepped, the frequency is learned at once
    let client = "frequency 20 ppm\nat 4000 s restart";
    let run = scenario(conf, client, "both 1 ms").run(1);
    let starts = run
        .log
        .iter()
        .filter(|line| line.contains("restart"))
        .count();
    assert_eq!(starts, 2, "{:#?}", run.log);
    assert!(
        run.log.iter().any(|line| line.contains("freq_set")),
        "{:#?}",
        run.log
    );
}

#[test]
fn requests_are_counted() {
    // Asked so often whatever the discipline would like.
    let text = "title a\nduration 5000 s\nwarm-up 1000 s\nntp.conf {\nserver 10.0.0.1 iburst minpoll 6 maxpoll 6\n}\nserver 10.0.0.1 {\nboth 1 ms\n}\n";
    let run = Scenario::parse("test.scenario", text, "").unwrap().run(1);
    let summary = &run.summary;
    assert!(
        (70..100).contains(&summary.requests),
        "{}",
        summary.requests
    );
    let interval = summary.interval.unwrap().as_secs_f64();
    assert!((58.0..66.0).contains(&interval), "{interval}");
    let deaf = scenario("", "", "lose 100 %").run(1);
    assert_eq!(deaf.summary.steps, 0);
    assert!(deaf.summary.requests > 10);
}

#[test]
fn a_report_and_a_plot_show_the_run() {
    let scenario = scenario("", "offset 3 ms\nat 3000 s suspend 500 s", "both exp(1 ms)");
    let run = scenario.run(1);
    let plot = Plot::new(&scenario, &run).to_string();
    assert!(plot.starts_with("<svg ") && plot.ends_with("</svg>\n"));
    assert!(plot.contains("a &amp; b") && plot.contains("prefers-color-scheme:dark"));
    let line = plot.split("class=\"curve c0\"").nth(1).unwrap();
    // Two strokes: before it slept, and after.
    assert_eq!(line.matches('M').count(), 2);
    assert!(!plot.contains("NaN") && !plot.contains("inf"), "{plot}");

    let report = Report::new(
        &scenario,
        vec![run.summary.clone(), scenario.run(2).summary],
    );
    let text = report.to_string();
    let columns = Report::head().lines().next().unwrap().matches('|').count();
    assert_eq!(report.row().matches('|').count(), columns);
    for start in ["a & b\n", "| 1 |", "| 2 |", "| median |", "| worst |"] {
        assert!(
            text.lines().any(|line| line.starts_with(start.trim())),
            "{text}"
        );
    }
}

/// When a host that stands still for 10 s answers what arrives 2 s after it began to, in seconds.
fn answer_after(what: Disturbance) -> Vec<f64> {
    let origin = Timestamp::from_unix(1_795_393_189, 0);
    let delay = Delay::Fixed(Elapsed::ZERO);
    let mut world = World::new(origin, Link::new(delay, Loss::NONE, [0; 32]));
    let clock = HostClock::new(ClockModel::default(), origin, world.now(), [0; 32]);
    let parsed = ntp_conf::parse("ntp.conf", "", |_: &std::path::Path| Err(String::new()));
    world.add_host("10.0.0.1".parse().unwrap(), clock, |now| {
        Engine::new(Setup::new(parsed.config), [1; 32], now)
    });
    world.disturb(0, what);
    world.run(Elapsed::from_secs(2));
    let mut data = [0; Header::LENGTH];
    Header::default().emit(&mut data);
    world.inject(Datagram {
        source: "10.0.0.2:123".parse().unwrap(),
        destination: "10.0.0.1:123".parse().unwrap(),
        data: data.to_vec(),
    });
    world.run(Elapsed::from_secs(100));
    let sent = world.trace().iter();
    sent.map(|(at, _)| at.as_nanos() as f64 * 1e-9).collect()
}

#[test]
fn what_arrives_at_a_paused_machine_waits_and_at_a_suspended_one_is_lost() {
    let lasting = Elapsed::from_secs(10);
    assert_eq!(answer_after(Disturbance::Pause(lasting)), [10.0]);
    assert!(answer_after(Disturbance::Suspend(lasting)).is_empty());
    assert_eq!(answer_after(Disturbance::Pause(Elapsed::ZERO)), [2.0]);
}
