//! What the log says of sources and clocks, in plain words, and how often.

#![allow(clippy::unwrap_used)] // A test that can't go on has failed.

use std::{net::IpAddr, time::Duration as Elapsed};

use ntp_engine::{Engine, Setup};
use ntp_sim::{ClockModel, Delay, HostClock, Link, Loss, PlainServer, World};
use ntp_wire::{Duration, Ppm, Stratum, Timestamp};

const MINUTE: Elapsed = Elapsed::from_secs(60);

fn address(last: u8) -> IpAddr {
    IpAddr::from([10, 0, 0, last])
}

/// Servers 10.0.0.1 and so on that are ahead by so many milliseconds, and a client of theirs that
/// is 3 ms ahead, or as far as it is said.
fn client_of(servers: &[i32], conf: &str, ahead: Duration) -> World {
    let delay = Delay::Fixed(Elapsed::from_micros(200));
    let origin = Timestamp::from_unix(1_795_393_189, 0);
    let mut world = World::new(origin, Link::new(delay, Loss::NONE, [3; 32]));
    let mut text = format!("{conf}\n");
    for (last, ahead) in (1..).zip(servers) {
        set(&mut world, last, *ahead);
        text.push_str(&format!("server 10.0.0.{last} iburst\n"));
    }
    let parsed = ntp_conf::parse("ntp.conf", &text, |_: &std::path::Path| Err(String::new()));
    assert!(!parsed.has_errors(), "{}", parsed.render());
    world.add(address(100), ahead, Ppm::new(5.0), |now| {
        Engine::new(Setup::new(parsed.config), [9; 32], now)
    });
    world
}

/// From now on the server 10.0.0.`last` is ahead by so many milliseconds.
fn set(world: &mut World, last: u8, ahead: i32) {
    set_at(world, last, ahead, Stratum::PRIMARY);
}

/// From now on it is of this stratum, too.
fn set_at(world: &mut World, last: u8, ahead: i32, stratum: Stratum) {
    let model = ClockModel {
        offset: Duration::from_millis(ahead),
        ..ClockModel::default()
    };
    let clock = HostClock::new(model, world.true_time(), world.now(), [last; 32]);
    let mut server = PlainServer::new(clock);
    server.stratum = stratum;
    world.add_server(address(last), server);
}

fn lines<'a>(world: &'a World, part: &str) -> Vec<&'a str> {
    let log = world.host(0).log().iter().map(String::as_str);
    log.filter(|line| line.contains(part)).collect()
}

#[test]
fn who_is_followed_and_who_is_not_is_said_with_the_reason() {
    let mut world = client_of(&[0, 0, 700, 0], "tinker freq -5", Duration::from_millis(3));
    world.run(MINUTE * 60);
    let reached = lines(&world, "reachable");
    assert_eq!(reached.len(), 4, "{reached:?}");
    assert!(
        reached
            .iter()
            .all(|line| line.ends_with("it answers, stratum 1"))
    );
    assert!(!lines(&world, ": the clock follows it, stratum 1, offset ").is_empty());
    let wrong = lines(&world, "no majority");
    let [wrong] = wrong[..] else {
        panic!("{wrong:?}");
    };
    assert!(wrong.starts_with("10.0.0.3: not used: "), "{wrong}");
    assert!(wrong.contains("it is +0.69"), "{wrong}");
    // All go away.
    world.link_mut().set_loss(Loss::ALL);
    world.run(MINUTE * 60 * 6);
    let lost = lines(&world, "unreachable");
    assert_eq!(lost.len(), 4, "{lost:?}");
    assert!(lost.iter().all(|line| line.contains("UDP port 123")));
    let none = lines(&world, "no_sys_peer");
    let last = none.last().unwrap();
    assert!(last.contains("can be used (4 silent): "), "{none:?}");
    assert!(none.len() <= 4, "{none:?}");
}

#[test]
fn steps_are_announced_and_explained() {
    let mut world = client_of(&[0, 0, 0], "tinker freq -5", Duration::from_seconds(2));
    world.run(MINUTE * 60);
    for last in 1..=3 {
        set(&mut world, last, 1000);
    }
    world.run(MINUTE * 60);
    for (part, words) in [
        (
            "freq_set",
            "the frequency of the clock is known, -5.000 ppm",
        ),
        ("spike_detect", "stepped if that lasts for 300 s"),
        ("clock_step -", "what was measured before is forgotten"),
        ("clock_sync", "the clock follows 10.0.0."),
    ] {
        let said = lines(&world, part);
        assert!(
            !said.is_empty() && said[0].contains(words),
            "{part} {:#?}",
            world.host(0).log()
        );
    }
}

#[test]
fn a_source_at_the_edge_does_not_fill_the_log() {
    let mut world = client_of(&[0, 0, 700, 0], "tinker freq -5", Duration::from_millis(3));
    world.run(MINUTE * 10);
    // Right and wrong by turns, each for longer than a few polls.
    for turn in 0..40 {
        let ahead = if turn % 2 == 0 { 0 } else { 700 };
        set(&mut world, 3, ahead);
        world.run(MINUTE * 6);
    }
    // Four hours: two lines in half an hour at most.
    let said = lines(&world, "10.0.0.3: ").len();
    assert!((2..=17).contains(&said), "{said}");
}

/// A source that comes and goes is followed and left again at each of its turns.
#[test]
fn turns_of_the_clock_do_not_fill_the_log() {
    let conf = "server 10.0.0.1 minpoll 4 maxpoll 4 iburst";
    let mut world = client_of(&[], conf, Duration::from_millis(3));
    set(&mut world, 1, 0);
    world.run(MINUTE * 5);
    let turns = |world: &World| lines(world, "sys_peer").len();
    let before = turns(&world);
    let turn_to = |world: &mut World, turn: u32| {
        let stratum = Stratum::new(if turn.is_multiple_of(2) { 16 } else { 1 });
        set_at(world, 1, 0, stratum);
        world.run(MINUTE * 2);
    };
    for turn in 0..120 {
        turn_to(&mut world, turn);
    }
    // Some eight in each of sixteen quarters of an hour.
    let said = turns(&world) - before;
    assert!((60..=16 * 6).contains(&said), "{said}");
    let more = lines(&world, " times more; it follows ");
    assert!((10..=16).contains(&more.len()), "{more:?}");
    // The last word is what is so, though nothing happens any more.
    world.run(MINUTE * 16);
    for turn in 0..7 {
        turn_to(&mut world, turn);
    }
    world.link_mut().set_loss(Loss::ALL);
    world.run(MINUTE * 16);
    let more = lines(&world, " times more; it follows ");
    let last = more.last().unwrap();
    assert!(last.contains("it follows nobody now"), "{last}");
}

#[test]
fn another_stratum_is_told_of_and_not_at_every_turn() {
    let conf = "tinker freq -5\nserver 10.0.0.1 iburst minpoll 4 maxpoll 4";
    let mut world = client_of(&[], conf, Duration::from_millis(3));
    set(&mut world, 1, 0);
    world.run(MINUTE * 60);
    let told = "this host is of stratum ";
    assert!(lines(&world, told).is_empty(), "{:#?}", world.host(0).log());
    set_at(&mut world, 1, 0, Stratum::new(4));
    world.run(MINUTE * 60);
    let said = lines(&world, told);
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].contains("of stratum 5 now, not of 2: "), "{said:?}");
    for turn in 0..40 {
        set_at(&mut world, 1, 0, Stratum::new(2 + turn % 2));
        world.run(MINUTE * 6);
    }
    // Four hours: a line in a quarter of an hour at most.
    let said = lines(&world, told).len();
    assert!((2..=17).contains(&said), "{said}");
}

#[test]
fn the_operator_says_what_is_logged() {
    let conf = "tinker freq -5\nlogconfig =syncall";
    let mut world = client_of(&[0, 0, 700, 0], conf, Duration::from_millis(3));
    world.run(MINUTE * 60);
    assert!(!lines(&world, "clock_sync").is_empty());
    assert!(lines(&world, "reachable").is_empty());
    // What is wrong is told in any case.
    assert_eq!(lines(&world, "no majority").len(), 1);
}

#[test]
fn a_clock_of_this_machine_says_why_it_waits() {
    let local = "server 127.127.1.0";
    let mut world = client_of(&[0], local, Duration::from_millis(3));
    world.run(MINUTE * 2);
    let reached = lines(&world, "127.127.1.0 9014 84 reachable: ");
    let [reached] = reached[..] else {
        panic!("{reached:?}");
    };
    let words = "machine that waits 300 s more for the others, as tos orphanwait says";
    assert!(reached.ends_with(words), "{reached}");
    set_at(&mut world, 1, 0, Stratum::UNSYNCHRONISED);
    world.run(MINUTE * 2);
    let none = lines(&world, "no_sys_peer");
    let words = "(1 not synchronised, a clock of this machine that waits 300 s more";
    assert!(none.iter().any(|line| line.contains(words)), "{none:?}");
    // Its time has come: nobody but it waits, and nobody is waited for.
    world.run(MINUTE * 6);
    assert_eq!(
        lines(&world, "the clock follows this machine's own").len(),
        1
    );
}
