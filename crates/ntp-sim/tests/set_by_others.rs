//! Clocks that somebody else sets, and machines that sleep.

#![allow(clippy::unwrap_used)] // A test that can't go on has failed.

use std::{net::IpAddr, time::Duration as Elapsed};

use ntp_discipline::Now;
use ntp_engine::{Engine, Exit, Setup};
use ntp_sim::{Delay, Disturbance, Link, Loss, World};
use ntp_wire::{Duration, Ppm, Timestamp};

const SERVER: &str = "10.0.0.1";

/// A server, and a client that has followed it for an hour, whose clock gains 10 ppm.
fn world() -> (World, usize) {
    let delay = Delay::Exponential {
        least: Elapsed::from_micros(200),
        mean_excess: Elapsed::from_micros(50),
    };
    let origin = Timestamp::from_unix(1_795_393_189, 0);
    let mut world = World::new(origin, Link::new(delay, Loss::NONE, [3; 32]));
    let mut add = |address: &str, frequency, conf: &str| {
        let parsed = ntp_conf::parse("ntp.conf", conf, |_| Err("no other file".to_owned()));
        let setup = Setup {
            frequency: Some(Ppm::new(-10.0)),
            ..Setup::new(parsed.config)
        };
        let address: IpAddr = address.parse().unwrap();
        let engine = move |now: Now| Engine::new(setup, [7; 32], now);
        world.add(address, Duration::ZERO, Ppm::new(frequency), engine)
    };
    add(
        SERVER,
        10.0,
        "server 127.127.1.0\nfudge 127.127.1.0 stratum 1\n",
    );
    let client = add("10.0.0.2", 10.0, &format!("server {SERVER} iburst\n"));
    world.run(Elapsed::from_secs(3600));
    (world, client)
}

fn told(world: &World, client: usize, words: &str) -> usize {
    let log = world.host(client).log();
    log.iter().filter(|line| line.contains(words)).count()
}

#[test]
fn a_clock_that_others_set_is_right_again_at_once() {
    // Above the step threshold, below it, and beyond the panic threshold, since it was others.
    for (seconds, steps) in [(5.0, 1), (-5.0, 1), (0.05, 0), (-900.0, 1), (86_400.0, 1)] {
        let (mut world, client) = world();
        assert_eq!(told(&world, client, "not by us"), 0);
        assert!(world.error(client).abs() < Duration::from_millis(1));
        world.disturb(
            client,
            Disturbance::Step(Duration::from_seconds_f64(seconds)),
        );
        world.run(Elapsed::from_secs(60));
        let sign = if seconds < 0.0 { "-" } else { "+" };
        let words = format!("the clock was set by {sign}");
        assert_eq!(
            told(&world, client, &words),
            1,
            "{:#?}",
            world.host(client).log()
        );
        assert_eq!(world.host(client).steps(), steps);
        world.run(Elapsed::from_secs(540));
        let error = world.error(client).abs();
        assert!(error < Duration::from_millis(30), "{seconds}: {error:?}");
        world.run(Elapsed::from_secs(7200));
        let error = world.error(client).abs();
        assert!(error < Duration::from_millis(2), "{seconds}: {error:?}");
        assert_eq!(told(&world, client, "not by us"), 1);
        assert_eq!(told(&world, client, "spike_detect"), 0);
        assert_eq!(world.host(client).steps(), steps);
    }
}

#[test]
fn what_others_did_excuses_no_other_offset() {
    let (mut world, client) = world();
    world.disturb(client, Disturbance::Step(Duration::from_seconds(5)));
    // And the only server leaves its senses.
    world.disturb(0, Disturbance::Step(Duration::from_seconds(86_400)));
    world.run(Elapsed::from_secs(600));
    let exit = world.host(client).exit();
    assert!(matches!(exit, Some(Exit::Panic(_))), "{exit:?}");
}

#[test]
fn a_machine_that_slept_is_right_soon_after() {
    let (mut world, client) = world();
    let night = Elapsed::from_secs(8 * 3600);
    world.disturb(client, Disturbance::Suspend(night));
    world.run(night + Elapsed::from_secs(60));
    assert_eq!(told(&world, client, "or the machine slept"), 1);
    world.run(Elapsed::from_secs(3600));
    let error = world.error(client).abs();
    assert!(error < Duration::from_millis(2), "{error:?}");
    assert_eq!(told(&world, client, "spike_detect"), 0);
}
