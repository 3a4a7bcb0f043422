//! What a scenario's text may say, and what is said of one that is wrong.

use core::time::Duration as Elapsed;

use ntp_wire::{Duration, Monotonic, Ppm};
use proptest::prelude::*;

use super::*;
use crate::{Drift, Share, Term, Window};

const WHOLE: &str = "
title     all there is      # and a comment
duration  100000 s
warm-up   20000 s
seeds     5
ntp.conf {
    # a comment of ntp.conf
    server 10.0.0.1 iburst minpoll 4
    server 10.0.0.2
}
client {
    option      -g
    offset      -100 ms
    frequency   10 ppm
    frequency   +1 ppm for 100 s every 200 s from 50 s until 90000 s
    wander      1 ppb
    sine        0.5 ppm period 3600 s
    settle      -2 ppm within 600 s from 40000 s
    noise       100 ns
    granularity 1 us
    limit       100 ppm
    precision   -20
    drift-file  -12.5 ppm
    at 60000 s restart
    at 50000 s step 1.5 ms
    at 50001 s pause 10 s
    at 50020 s suspend 3600 s
}
server 10.0.0.1 10.0.0.2 {
    stratum  2
    offset   50 ms
    root-delay 1 ms
    root-dispersion 2 ms
    at 70000 s step -1 ms
    both  10 ms + exp(1 ms)
    up    gamma(4, 100us) + lognormal(0.5, 100 µs) + gauss(1 ms) for 1200 s every 7200 s
    down  5 % exp(10ms)
    lose 50%
    lose up 100 % from 1000 s
    duplicate down 1 %
    in-order
}
";

fn parse(text: &str) -> Result<Scenario, ScenarioError> {
    Scenario::parse("test.scenario", text, "")
}

#[test]
fn every_line_is_understood() {
    let scenario = parse(WHOLE).unwrap();
    assert_eq!(scenario.title, "all there is");
    assert_eq!(scenario.duration, Elapsed::from_secs(100_000));
    assert_eq!(scenario.seeds, 5);
    let client = &scenario.client;
    assert_eq!(client.configuration.associations.len(), 2);
    assert!(client.options.panic_once && !client.options.slew);
    assert_eq!(client.drift, Some(Ppm::new(-12.5)));
    assert_eq!(client.precision, Precision::new(-20));
    let clock = &client.clock;
    assert_eq!(clock.offset, Duration::from_seconds_f64(-0.1));
    assert_eq!(clock.noise, Duration::from_seconds_f64(1e-7));
    assert_eq!(clock.limit, Ppm::new(100.0));
    let square = Window::ALWAYS
        .repeated(Elapsed::from_secs(100), Elapsed::from_secs(200))
        .starting(Elapsed::from_secs(50))
        .ending(Elapsed::from_secs(90_000));
    assert_eq!(clock.drifts[1], (square, Drift::Fixed(Ppm::new(1.0))));
    assert_eq!(clock.drifts.len(), 5);
    let times: Vec<u64> = client.events.iter().map(|(at, _)| at.as_secs()).collect();
    assert_eq!(times, [50_000, 50_001, 50_020, 60_000]);

    let [first, second] = &scenario.servers[..] else {
        panic!("{:?}", scenario.servers)
    };
    assert_eq!((&first.up, &first.down), (&second.up, &second.down));
    assert_ne!(first.address, second.address);
    let always = Window::ALWAYS;
    let bursts = always.repeated(Elapsed::from_secs(1200), Elapsed::from_secs(7200));
    let ms = |count| Duration::from_seconds_f64(f64::from(count) * 1e-3);
    let mean = Duration::from_seconds_f64(1e-4);
    let shared = Path::new()
        .delayed(Term::Fixed(ms(10)), always)
        .delayed(Term::Exponential { mean: ms(1) }, always)
        .losing(Share::new(0.5), always)
        .in_order();
    let sigma = 0.5;
    let up = Path::new()
        .delayed(Term::Gamma { shape: 4.0, mean }, bursts)
        .delayed(Term::LogNormal { sigma, mean }, bursts)
        .delayed(Term::Gaussian { deviation: ms(1) }, bursts)
        .losing(Share::ALL, always.starting(Elapsed::from_secs(1000)));
    assert_eq!(first.up, shared.clone().and(up));
    let term = Box::new(Term::Exponential { mean: ms(10) });
    let share = Share::new(0.05);
    let down = Path::new()
        .delayed(Term::Sometimes { share, term }, always)
        .duplicating(Share::new(0.01), always);
    assert_eq!(first.down, shared.and(down));
}

/// The message for `text`, put into an otherwise good scenario in place of the line `place`.
fn message(place: &str, text: &str) -> String {
    assert!(WHOLE.contains(place), "{place}");
    parse(&WHOLE.replacen(place, text, 1))
        .unwrap_err()
        .to_string()
}

#[test]
fn what_is_wrong_is_said_with_its_line_and_what_to_do() {
    let both = "both  10 ms + exp(1 ms)";
    for (place, text, expected) in [
        (
            "seeds     5",
            "seeds 0",
            "5: 0 should be a whole number from 1 to 1000",
        ),
        (
            "seeds     5",
            "seed 5",
            "5: `seed` is not known here; expected title, duration, ",
        ),
        (
            "duration  100000 s",
            "duration 100000",
            "3: expected a unit (s, ms, us or ns), but the line ends",
        ),
        ("duration  100000 s", "", "42: the duration is missing; "),
        ("duration  100000 s", "duration 1e9 s", "3: `e9` is no unit"),
        (
            "duration  100000 s",
            "duration 90000000 s",
            "42: a simulation may last 8640000 s",
        ),
        (
            "duration  100000 s",
            "duration 70000 s",
            "42: an event is at 70000 s, after the end",
        ),
        (
            "warm-up   20000 s",
            "warm-up 100000 s",
            "42: the warm-up is as long as the whole",
        ),
        (
            "    noise       100 ns",
            "noise 1 ppm",
            "19: `ppm` is no unit of time; use s, ms, us or ns",
        ),
        (
            "    wander      1 ppb",
            "wander 1 Hz",
            "16: `Hz` is no unit of frequency; use ppm or ppb",
        ),
        (
            "precision   -20",
            "precision 20",
            "22: 20 is no precision; use a power of two",
        ),
        (
            "option      -g",
            "option -q",
            "12: `-q` is not known here; expected -g, -G or -x",
        ),
        (
            "step 1.5 ms",
            "jump 1 ms",
            "25: `jump` is not known here; expected step TIME, pause",
        ),
        (
            "pause 10 s",
            "pause -10 s",
            "26: a time here can't be negative",
        ),
        (
            "pause 10 s",
            "pause 10 s 20",
            "26: expected the end of the line, but there is `20`",
        ),
        (
            both,
            "both 10 ms + erlang(1 ms)",
            "35: `erlang` is not known here; expected a time, exp(MEAN)",
        ),
        (both, "both exp 1 ms", "35: expected `(`, but there is `1`"),
        (both, "both 1.2.3 ms", "35: `1.2.3` is no number"),
        (both, "both 1 ms +", "35: expected time, but the line ends"),
        (
            both,
            "both 1 ms for 3 s",
            "35: expected `every`, but the line ends",
        ),
        (
            "gamma(4,",
            "gamma(0,",
            "36: 0 is no shape of a distribution; use 0.001 to 1000",
        ),
        (
            "lose 50%",
            "lose 150 %",
            "38: 150 % is no share; use 0 % to 100 %",
        ),
        (
            "lose 50%",
            "lose half",
            "38: expected a share such as `10 %`, but there is `half`",
        ),
        (
            "server 10.0.0.1 10.0.0.2 {",
            "server 10.0.0.1 ntp.example {",
            "29: `ntp.example` is no IP address",
        ),
        (
            "server 10.0.0.1 10.0.0.2 {",
            "server 10.0.0.1 10.0.0.1 {",
            "29: there is a server 10.0.0.1 already",
        ),
        (
            "server 10.0.0.1 10.0.0.2 {",
            "server 10.0.0.1 {",
            "9: ntp.conf asks 10.0.0.2, but there is no block",
        ),
        (
            "client {",
            "host {",
            "11: `host` is not known here; expected `ntp.conf {`, `client {` or",
        ),
        (
            "    in-order\n}",
            "in-order",
            "29: the block `server 10.0.0.1 10.0.0.2 {` is not closed",
        ),
        ("minpoll 4", "minpol 4", "8: in ntp.conf: "),
    ] {
        let message = message(place, text);
        let expected = format!("test.scenario:{expected}");
        assert!(
            message.starts_with(&expected),
            "{text}\n{message}\n{expected}"
        );
    }
}

#[test]
fn events_may_stand_in_any_order() {
    let step = "at 70000 s step -1 ms";
    let text = WHOLE.replace(step, &format!("{step}\n at 60000 s step 1 ms"));
    let times = |server: &Server| -> Vec<u64> {
        let seconds = |(at, _): &(Elapsed, Duration)| at.as_secs();
        server.steps.iter().map(seconds).collect()
    };
    assert_eq!(times(&parse(&text).unwrap().servers[1]), [60_000, 70_000]);
}

#[test]
fn lines_from_elsewhere_configure_too_and_say_so_if_they_are_wrong() {
    let more = "tinker step 0.5\n";
    let scenario = Scenario::parse("test.scenario", WHOLE, more).unwrap();
    let step = scenario.client.configuration.tinker.step_forward;
    assert_eq!(step, Duration::from_millis(500));

    let error = Scenario::parse("test.scenario", WHOLE, "\ntinker stop 1\n").unwrap_err();
    assert_eq!((error.file.as_str(), error.line), ("--conf", 2));
    let text = WHOLE.replace("server 10.0.0.2\n", "includefile \"/etc/ntp.conf\"\n");
    let error = parse(&text).unwrap_err();
    assert_eq!(error.line, 9);
    assert!(error.to_string().contains("reads no other file"), "{error}");
}

#[test]
fn an_empty_file_is_no_scenario() {
    let error = parse("").unwrap_err();
    assert_eq!(
        (error.line, error.problem),
        (0, Problem::Missing("the configuration"))
    );
}

proptest! {
    /// No line makes it panic, wherever it stands.
    #[test]
    fn nothing_panics(line in "[a-z0-9 +%(),.{}#-]{0,40}", at in 0usize..42, prefix in 0usize..8) {
        let words = ["", "both ", "at 1 s ", "lose ", "offset ", "wander ", "up 1 % ", "server "];
        let mut lines: Vec<&str> = WHOLE.lines().collect();
        let line = format!("{}{line}", words[prefix]);
        let at = at.min(lines.len() - 1);
        lines[at] = &line;
        let _ = parse(&lines.join("\n"));
    }

    /// However wild the figures are, a scenario that can be read can be run.
    #[test]
    fn what_can_be_read_can_be_run(
        offset in -1e10f64..1e10, frequency in -1e7f64..1e7, mean in -1e9f64..1e9,
        share in 0.0f64..100.0, step in -1e9f64..1e9,
    ) {
        let text = format!(
            "duration 200 s\nntp.conf {{\nserver 10.0.0.1 iburst\n}}\nclient {{\noffset {offset:.3} s\n\
             frequency {frequency:.3} ppm\nat 100 s step {step:.3} s\nat 110 s pause 3 s\n\
             at 120 s suspend 4 s\nat 130 s restart\n}}\n\
             server 10.0.0.1 {{\nboth {share:.3} % exp({mean:.3} s)\ndown gauss({mean:.3} s)\n\
             duplicate {share:.3} %\nin-order\n}}\n"
        );
        if let Ok(scenario) = parse(&text) {
            let run = scenario.run(1);
            prop_assert_eq!(run.errors.len(), 200);
            let _ = crate::Plot::new(&scenario, &run).to_string();
        }
    }
}

#[test]
fn windows_of_a_path_are_kept() {
    let scenario = parse(WHOLE).unwrap();
    let mut link = crate::Link::along(scenario.servers[0].up.clone(), [0; 32]);
    let lost = Monotonic::START + Elapsed::from_secs(2000);
    assert!((0..100).all(|_| link.carry(lost).is_none()));
    assert!((0..100).any(|_| link.carry(Monotonic::START).is_some()));
}
