//! Peers.

use std::time::Duration as Elapsed;

use ntp_sim::World;
use ntp_wire::{Duration, Header, Mode, Packet, PollExponent, Stratum, Trailer, WireTimestamp};

use crate::hosts::{
    A, B, CLOCK, TRUST, add, associations, forge, network, packet, sent, variable, with,
};

const TEN_MINUTES: Elapsed = Elapsed::from_secs(600);

/// A has a clock; both are peers of each other.
fn peers(options: &str) -> World {
    let mut world = network();
    let lines = |other| format!("peer {other} minpoll 4 maxpoll 6 {options}\n{TRUST}");
    add(&mut world, A, &format!("{CLOCK}{}", lines(B)), 0, 0.0);
    add(&mut world, B, &lines(A), 40, 20.0);
    world
}

fn only(world: &mut World, at: &str, other: &str) -> u16 {
    match with(world, at, other)[..] {
        [(id, _)] => id,
        ref found => panic!("{found:?}"),
    }
}

/// Nobody sends in answer: at times two packets of ours go out between two of the other side's, and
/// the newest has not been told of yet.
fn assert_in_contact(world: &mut World, at: &str, id: u16) {
    let reach = variable(world, at, id, "reach");
    let bits = u32::from_str_radix(reach.trim_start_matches("0x"), 16).unwrap();
    assert!(bits.count_ones() >= 5, "{at}: {reach}");
}

#[test]
fn who_has_no_clock_follows_the_peer_that_has_one() {
    for options in ["", "key 1", "key 2", "key 3", "key 1 xleave"] {
        let mut world = peers(options);
        world.run(Elapsed::from_secs(3000));
        let id = only(&mut world, B, A);
        let status = associations(&mut world, B)[0].1;
        assert!(status.is_reachable(), "{options}: {status:?}");
        assert_eq!(status.is_authentic(), options.contains("key"), "{options}");
        assert_eq!(variable(&mut world, B, id, "hmode"), "1");
        assert_eq!(variable(&mut world, B, id, "pmode"), "1");
        assert_eq!(variable(&mut world, B, 0, "stratum"), "3");
        let error = world.error(1).abs();
        assert!(error < Duration::from_millis(1), "{options}: {error:?}");
        // He who has a clock does not follow who follows him.
        let id = only(&mut world, A, B);
        assert_eq!(variable(&mut world, A, 0, "stratum"), "2");
        let flash = variable(&mut world, A, id, "flash");
        let bits = u32::from_str_radix(flash.trim_start_matches("0x"), 16).unwrap();
        assert_eq!(bits & 0x800, 0x800, "a loop: {flash}");
        assert!(world.error(0).abs() < Duration::from_millis(1));
    }
}

#[test]
fn the_classic_loop_follows_a_peer_too() {
    let mut world = network();
    let lines = |other| format!("discipline classic\npeer {other} minpoll 4 maxpoll 6\n");
    add(&mut world, A, &format!("{CLOCK}{}", lines(B)), 0, 0.0);
    add(&mut world, B, &lines(A), 40, 20.0);
    world.run(Elapsed::from_secs(7000));
    let error = world.error(1).abs();
    assert!(error < Duration::from_millis(2), "{error:?}");
}

#[test]
fn one_line_is_enough_if_there_is_a_key() {
    let mut world = network();
    let peer = format!("peer {A} key 2 minpoll 4 maxpoll 4\n{TRUST}");
    add(&mut world, A, &format!("{CLOCK}{TRUST}"), 0, 0.0);
    let b = add(&mut world, B, &peer, 40, 5.0);
    world.run(TEN_MINUTES);
    let id = only(&mut world, A, B);
    assert_eq!(variable(&mut world, A, id, "hmode"), "2");
    assert_eq!(variable(&mut world, A, id, "keyid"), "2");
    let (_, status) = with(&mut world, A, B)[0];
    assert!(!status.is_configured() && status.is_authentic() && status.is_reachable());
    let id = only(&mut world, B, A);
    assert_eq!(variable(&mut world, B, id, "hmode"), "1");
    assert_eq!(variable(&mut world, B, id, "pmode"), "2");
    assert_eq!(variable(&mut world, B, 0, "stratum"), "3");
    assert!(world.error(b).abs() < Duration::from_millis(2));
    // It goes with who brought it.
    let now = world.now();
    world.host_mut(b).shut_down(now);
    world.run(TEN_MINUTES);
    assert_eq!(with(&mut world, A, B), []);
}

#[test]
fn without_a_key_a_stranger_is_answered_and_forgotten() {
    let mut world = network();
    add(&mut world, A, CLOCK, 0, 0.0);
    let b = add(
        &mut world,
        B,
        &format!("peer {A} minpoll 4 maxpoll 4\n"),
        40,
        5.0,
    );
    world.run(TEN_MINUTES);
    assert_eq!(with(&mut world, A, B), []);
    let id = only(&mut world, B, A);
    assert_eq!(variable(&mut world, B, id, "pmode"), "2");
    assert!(world.error(b).abs() < Duration::from_millis(2));
}

#[test]
fn disable_auth_lets_anybody_be_a_peer_unless_restrict_says_otherwise() {
    for (line, expected) in [
        ("", 1),
        ("restrict default nopeer\n", 0),
        ("restrict default notrust\n", 0),
        ("restrict default noepeer\n", 0),
        ("restrict default noserve\n", 0),
    ] {
        let mut world = network();
        add(
            &mut world,
            A,
            &format!("{CLOCK}disable auth\n{line}"),
            0,
            0.0,
        );
        add(&mut world, B, &format!("peer {A} minpoll 4\n"), 0, 0.0);
        world.run(Elapsed::from_secs(60));
        assert_eq!(with(&mut world, A, B).len(), expected, "{line}");
        let answers = sent(&world, 0, A, B).len();
        let is_silent = ["notrust", "noepeer", "noserve"]
            .iter()
            .any(|word| line.contains(word));
        assert_eq!(answers == 0, is_silent, "{line}: {answers}");
    }
}

#[test]
fn noepeer_keeps_out_even_who_has_the_key() {
    let mut world = network();
    let conf = format!("{CLOCK}{TRUST}restrict default noepeer\n");
    add(&mut world, A, &conf, 0, 0.0);
    add(&mut world, B, &format!("peer {A} key 1\n{TRUST}"), 0, 0.0);
    world.run(Elapsed::from_secs(60));
    assert_eq!(with(&mut world, A, B), []);
}

#[test]
fn a_wrong_key_makes_no_peer_and_breaks_none() {
    let mut world = network();
    add(&mut world, A, &format!("{CLOCK}{TRUST}"), 0, 0.0);
    add(&mut world, B, "", 0, 0.0);
    let request = Header {
        mode: Mode::SymmetricActive,
        transmit_time: WireTimestamp::from_bits(77 << 32),
        ..Header::default()
    };
    let mut forged = packet(&request, Some(1));
    *forged.last_mut().unwrap() ^= 1;
    let seen = world.trace().len();
    forge(&mut world, B, A, forged);
    assert_eq!(with(&mut world, A, B), []);
    let answers = sent(&world, seen, A, B);
    let answer = Packet::parse(&answers[0]).unwrap();
    assert_eq!(answer.trailer(), Trailer::CryptoNak);
    // CVE-2015-7871: a crypto-NAK makes no peer, and is not answered.
    let mut nak = packet(&request, None);
    nak.extend_from_slice(&[0; 4]);
    let seen = world.trace().len();
    forge(&mut world, B, A, nak);
    assert_eq!(with(&mut world, A, B), []);
    assert!(sent(&world, seen, A, B).is_empty());
}

/// Forged packets of every sort before each second of a quarter of an hour.
fn under_attack(world: &mut World, key: Option<u32>) {
    for second in 0_u64..900 {
        let time = world.true_time().to_wire();
        for (origin, transmit) in [
            (WireTimestamp::ZERO, time),
            (
                time,
                WireTimestamp::from_bits(time.to_bits() + (second << 40)),
            ),
            (
                WireTimestamp::from_bits(second),
                WireTimestamp::from_bits(u64::MAX),
            ),
        ] {
            for mode in [Mode::SymmetricActive, Mode::SymmetricPassive] {
                let header = Header {
                    mode,
                    leap: ntp_wire::Leap::None,
                    stratum: Stratum::new(1),
                    poll: PollExponent::new(17),
                    origin_time: origin,
                    receive_time: time,
                    reference_time: time,
                    transmit_time: transmit,
                    ..Header::default()
                };
                let mut bytes = packet(&header, key);
                if key.is_some() {
                    *bytes.last_mut().unwrap() ^= 0x40;
                }
                forge(world, A, B, bytes.clone());
                forge(world, B, A, bytes);
            }
        }
        world.run(Elapsed::from_secs(1));
    }
}

#[test]
fn forged_packets_do_not_come_between_peers_with_a_key() {
    // CVE-2015-1799 and its like: what is not authentic changes nothing, and is counted.
    for key in [None, Some(1)] {
        let mut world = peers("key 1");
        world.run(TEN_MINUTES);
        under_attack(&mut world, key);
        for (at, other) in [(A, B), (B, A)] {
            let id = only(&mut world, at, other);
            assert_in_contact(&mut world, at, id);
            let bad: u64 = variable(&mut world, at, id, "badauth").parse().unwrap();
            assert!(bad > 4000, "{at} {key:?}: {bad}");
        }
        let error = world.error(1).abs();
        assert!(error < Duration::from_millis(2), "{error:?}");
    }
}

#[test]
fn without_a_key_forged_packets_never_bring_a_time() {
    let mut world = peers("");
    world.run(TEN_MINUTES);
    under_attack(&mut world, None);
    // They may keep the peers apart: that is what a key is for.
    assert!(world.error(1).abs() < Duration::from_millis(50));
    world.run(TEN_MINUTES);
    let id = only(&mut world, B, A);
    assert_ne!(variable(&mut world, B, id, "reach"), "0x0");
}

#[test]
fn copies_of_authentic_packets_do_not_come_between_peers() {
    let mut world = peers("key 1");
    world.run(TEN_MINUTES);
    let from_a = sent(&world, 0, A, B);
    let from_b = sent(&world, 0, B, A);
    for _ in 0..900 {
        for (old_a, old_b) in from_a.iter().zip(&from_b) {
            forge(&mut world, A, B, old_a.clone());
            forge(&mut world, B, A, old_b.clone());
            // And back to who made them.
            forge(&mut world, A, B, old_b.clone());
        }
        world.run(Elapsed::from_secs(1));
    }
    for (at, other) in [(A, B), (B, A)] {
        let id = only(&mut world, at, other);
        assert_in_contact(&mut world, at, id);
    }
    assert!(world.error(1).abs() < Duration::from_millis(2));
}

#[test]
fn one_key_makes_only_so_many_peers() {
    let mut world = network();
    add(
        &mut world,
        A,
        &format!("{CLOCK}{TRUST}tos maxclock 4\n"),
        0,
        0.0,
    );
    for host in 10..100 {
        let time = world.true_time().to_wire();
        let header = Header {
            mode: Mode::SymmetricActive,
            transmit_time: time,
            ..Header::default()
        };
        forge(
            &mut world,
            &format!("10.0.1.{host}"),
            A,
            packet(&header, Some(1)),
        );
    }
    // The clock, and four.
    assert_eq!(associations(&mut world, A).len(), 5);
    world.run(Elapsed::from_secs(3600));
    assert_eq!(associations(&mut world, A).len(), 1);
}

#[test]
fn peers_meet_again_when_one_was_away_or_set_back() {
    for milliseconds in [-500_000, 500_000] {
        let mut world = peers("key 1");
        world.run(TEN_MINUTES);
        world.disturb(
            0,
            ntp_sim::Disturbance::Step(Duration::from_millis(milliseconds)),
        );
        world.run(TEN_MINUTES);
        let id = only(&mut world, B, A);
        assert_ne!(
            variable(&mut world, B, id, "reach"),
            "0x0",
            "{milliseconds}"
        );
    }
    let mut world = peers("key 1");
    world.run(TEN_MINUTES);
    world.link_mut().set_loss(ntp_sim::Loss::ALL);
    world.run(TEN_MINUTES);
    world.link_mut().set_loss(ntp_sim::Loss::NONE);
    world.run(TEN_MINUTES);
    let id = only(&mut world, B, A);
    assert_in_contact(&mut world, B, id);
}
