//! Servers that tell everybody, and clients that listen.

use std::time::Duration as Elapsed;

use ntp_sim::{Datagram, World};
use ntp_wire::{Duration, Header, Leap, Mode, PollExponent, Stratum};

use crate::hosts::{A, B, CLOCK, TRUST, add, associations, network, packet, sent, variable, with};

const NETWORK: &str = "10.0.0.255";

/// A tells the network the time; B listens.
fn world(server: &str, client: &str) -> World {
    let mut world = network();
    let server = format!("{CLOCK}{TRUST}broadcast {NETWORK} minpoll 4 {server}\n");
    add(&mut world, A, &server, 0, 0.0);
    add(&mut world, B, &format!("{TRUST}{client}\n"), 40, 10.0);
    world
}

fn only(world: &mut World) -> u16 {
    match with(world, B, A)[..] {
        [(id, _)] => id,
        ref found => panic!("{found:?}"),
    }
}

/// Says `data` to everybody, as if A had said it.
fn announce(world: &mut World, data: Vec<u8>) {
    world.inject(Datagram {
        source: format!("{A}:123").parse().unwrap(),
        destination: format!("{NETWORK}:123").parse().unwrap(),
        data,
    });
    world.run(Elapsed::ZERO);
}

#[test]
fn a_client_measures_the_way_and_then_listens() {
    for (server, client, keyid) in [
        ("key 1", "broadcastclient", "1"),
        ("key 3", "enable bclient", "3"),
        ("key 2", "multicastclient", "2"),
        ("", "broadcastclient\ndisable auth", "0"),
        ("key 1", "broadcastclient\ndiscipline classic", "1"),
    ] {
        let mut world = world(server, client);
        world.run(Elapsed::from_secs(3000));
        let id = only(&mut world);
        assert_eq!(variable(&mut world, B, id, "keyid"), keyid);
        assert_eq!(variable(&mut world, B, id, "hmode"), "6");
        assert_eq!(variable(&mut world, B, id, "pmode"), "5");
        assert_eq!(variable(&mut world, B, id, "reach"), "0xff");
        assert_eq!(variable(&mut world, B, 0, "stratum"), "3");
        let status = associations(&mut world, B)[0].1;
        assert!(status.is_broadcast() && !status.is_configured());
        let error = world.error(1).abs();
        assert!(error < Duration::from_millis(1), "{client}: {error:?}");
        // A few questions at the start, none later.
        let asked = sent(&world, 0, B, A).len();
        assert!((6..=16).contains(&asked), "{client}: {asked}");
        // The server remembers nobody for it.
        assert_eq!(with(&mut world, A, B), []);
        let (id, _) = with(&mut world, A, NETWORK)[0];
        assert_eq!(variable(&mut world, A, id, "hmode"), "5");
        assert_eq!(variable(&mut world, A, id, "ttl"), "127");
    }
}

#[test]
fn without_a_volley_nothing_is_sent() {
    let mut world = world("key 1", "broadcastclient novolley\nbroadcastdelay 0.0005");
    world.run(Elapsed::from_secs(2000));
    assert_eq!(variable(&mut world, B, 0, "stratum"), "3");
    assert!(sent(&world, 0, B, A).is_empty());
    assert!(world.error(1).abs() < Duration::from_millis(2));
}

#[test]
fn who_may_not_be_followed_is_not() {
    for (server, client) in [
        ("", "broadcastclient"),
        ("key 1", "disable auth"),
        ("key 1", "broadcastclient\nrestrict default noepeer"),
        (
            "key 1",
            "broadcastclient\nrestrict default ignore\nrestrict 10.0.0.9",
        ),
        ("key 1", "broadcastclient\nrestrict 10.0.0.1 noserve"),
        ("", "broadcastclient\ndisable auth\nrestrict default nopeer"),
        (
            "",
            "broadcastclient\ndisable auth\nrestrict default notrust",
        ),
    ] {
        let mut world = world(server, client);
        world.run(Elapsed::from_secs(300));
        assert_eq!(with(&mut world, B, A), [], "{server:?} {client:?}");
    }
}

#[test]
fn who_does_not_know_the_time_is_silent() {
    let mut world = network();
    add(
        &mut world,
        A,
        &format!("broadcast {NETWORK} minpoll 4\n"),
        0,
        0.0,
    );
    world.run(Elapsed::from_secs(600));
    assert!(sent(&world, 0, A, NETWORK).is_empty());
}

#[test]
fn a_server_that_falls_silent_is_forgotten() {
    let mut world = world("key 1", "broadcastclient");
    world.run(Elapsed::from_secs(600));
    only(&mut world);
    let now = world.now();
    world.host_mut(0).shut_down(now);
    world.run(Elapsed::from_secs(600));
    assert_eq!(with(&mut world, B, A), []);
}

#[test]
fn a_copy_of_a_broadcast_is_no_time() {
    // CVE-2015-7973.
    let mut world = world("key 1", "broadcastclient");
    world.run(Elapsed::from_secs(600));
    let recorded = sent(&world, 0, A, NETWORK);
    assert!(recorded.len() > 20, "{}", recorded.len());
    let asked = sent(&world, 0, B, A).len();
    for copy in recorded.iter().cycle().take(600) {
        announce(&mut world, copy.clone());
        world.run(Elapsed::from_secs(1));
    }
    let id = only(&mut world);
    assert_eq!(variable(&mut world, B, id, "reach"), "0xff");
    assert!(world.error(1).abs() < Duration::from_millis(1));
    // Copies may make us ask, now and then.
    let asked = sent(&world, 0, B, A).len() - asked;
    assert!(asked < 100, "{asked}");
}

#[test]
fn what_is_not_authentic_does_not_tear_down() {
    // CVE-2015-7979, CVE-2016-1547, CVE-2016-4953: forged ones, and crypto-NAKs.
    let mut world = world("key 1", "broadcastclient");
    world.run(Elapsed::from_secs(600));
    for second in 0..600 {
        let time = world.true_time() + Duration::from_seconds(second);
        let header = Header {
            mode: Mode::Broadcast,
            leap: Leap::None,
            stratum: Stratum::new(1),
            poll: PollExponent::new(17),
            reference_time: time.to_wire(),
            transmit_time: time.to_wire(),
            ..Header::default()
        };
        let mut wrong = packet(&header, Some(1));
        *wrong.last_mut().unwrap() ^= 1;
        let mut nak = packet(&header, None);
        nak.extend_from_slice(&[0; 4]);
        for data in [wrong, nak, packet(&header, None), packet(&header, Some(2))] {
            announce(&mut world, data);
        }
        world.run(Elapsed::from_secs(1));
    }
    let id = only(&mut world);
    assert_eq!(variable(&mut world, B, id, "reach"), "0xff");
    let bad: u32 = variable(&mut world, B, id, "badauth").parse().unwrap();
    assert_eq!(bad, 2400);
    assert!(world.error(1).abs() < Duration::from_millis(1));
}

#[test]
fn a_flood_of_authentic_broadcasts_counts_no_more_than_one() {
    // CVE-2016-7427, CVE-2016-7428.
    let mut world = world("key 1", "broadcastclient");
    world.run(Elapsed::from_secs(600));
    for _ in 0..160 {
        let time = world.true_time() + Duration::from_seconds(1);
        let header = Header {
            mode: Mode::Broadcast,
            leap: Leap::None,
            stratum: Stratum::new(1),
            poll: PollExponent::new(4),
            reference_time: time.to_wire(),
            transmit_time: time.to_wire(),
            ..Header::default()
        };
        announce(&mut world, packet(&header, Some(1)));
        world.run(Elapsed::from_millis(100));
    }
    let id = only(&mut world);
    let bogus: u32 = variable(&mut world, B, id, "bogusorg").parse().unwrap();
    assert!(bogus >= 155, "{bogus}");
}

#[test]
fn a_server_that_is_set_back_is_followed_again() {
    let mut world = world("key 1", "broadcastclient");
    world.run(Elapsed::from_secs(600));
    let step = ntp_sim::Disturbance::Step(Duration::from_seconds(-300));
    world.disturb(0, step);
    world.run(Elapsed::from_secs(1500));
    let id = only(&mut world);
    assert_eq!(variable(&mut world, B, id, "reach"), "0xff");
    let apart = (world.error(1) - world.error(0)).abs();
    assert!(apart < Duration::from_millis(2), "{apart:?}");
}
