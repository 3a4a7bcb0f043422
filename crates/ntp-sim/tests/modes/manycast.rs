//! Clients that search a group for servers, and servers that answer.

use std::time::Duration as Elapsed;

use ntp_engine::{Endpoint, Engine, Input, Output, Setup};
use ntp_sim::{Datagram, World};
use ntp_wire::{Duration, Header, Leap, Mode, Packet, ReferenceId, Stratum, WireTimestamp};

use crate::hosts::{A, B, CLOCK, TRUST, add, address, associations, network, packet, sent, with};

const GROUP: &str = "224.0.1.1";
/// A's address.
const OWN: std::net::Ipv4Addr = std::net::Ipv4Addr::new(10, 0, 0, 1);
const SERVERS: [&str; 4] = [A, "10.0.0.3", "10.0.0.4", "10.0.0.5"];

/// Four servers at A and others, one client at B.
fn world(server: &str, client: &str) -> World {
    let mut world = network();
    for at in SERVERS {
        let conf = format!("{CLOCK}{TRUST}manycastserver {GROUP}\n{server}\n");
        add(&mut world, at, &conf, 0, 0.0);
    }
    let conf = format!("{TRUST}manycastclient {GROUP} {client}\n");
    add(&mut world, B, &conf, 40, 10.0);
    world
}

/// Which of the servers B has found.
fn found(world: &mut World) -> Vec<&'static str> {
    SERVERS
        .into_iter()
        .filter(|at| !with(world, B, at).is_empty())
        .collect()
}

#[test]
fn all_servers_are_found_and_followed() {
    for (server, client, keyid) in [
        ("", "key 1 iburst", "1"),
        ("", "key 3\ndiscipline classic", "3"),
        ("", "iburst\ndisable auth", "0"),
    ] {
        let mut world = world(server, client);
        world.run(Elapsed::from_secs(1500));
        assert_eq!(found(&mut world), SERVERS, "{client}");
        let (id, status) = with(&mut world, B, A)[0];
        assert!(!status.is_configured());
        let shown = |world: &mut World, name| crate::hosts::variable(world, B, id, name);
        assert_eq!(shown(&mut world, "keyid"), keyid);
        assert_eq!(shown(&mut world, "hmode"), "3");
        assert_eq!(shown(&mut world, "pmode"), "4");
        assert_eq!(shown(&mut world, "reach"), "0xff");
        // It is asked on its own account: its answers to each search count for nothing.
        let bogus: u32 = shown(&mut world, "bogusorg").parse().unwrap();
        assert!(bogus < 3, "{bogus}");
        assert!(world.error(4).abs() < Duration::from_millis(1), "{client}");
        // Servers remember nobody.
        assert_eq!(with(&mut world, A, B), []);
    }
}

#[test]
fn no_more_are_taken_than_maxclock() {
    let mut world = world("", "key 1 iburst\ntos minclock 1 maxclock 3");
    world.run(Elapsed::from_secs(1000));
    // The search itself counts.
    assert_eq!(associations(&mut world, B).len(), 3);
    let asked = sent(&world, 0, B, GROUP).len();
    // From when there were enough, no more.
    assert!(asked <= 3, "{asked}");
}

#[test]
fn enough_servers_are_searched_again_with_each_beacon() {
    let mut world = world("", "key 1 iburst\ntos minclock 1 maxclock 3 beacon 600");
    world.run(Elapsed::from_secs(1000));
    let before = sent(&world, 0, B, GROUP).len();
    world.run(Elapsed::from_secs(6000));
    let more = sent(&world, 0, B, GROUP).len() - before;
    assert!((8..=12).contains(&more), "{more}");
    let all = associations(&mut world, B).len();
    assert!(all <= 4, "{all}");
}

#[test]
fn who_falls_silent_is_replaced() {
    let mut world = world("", "key 1 iburst\ntos minclock 1 maxclock 2");
    world.run(Elapsed::from_secs(600));
    let first = found(&mut world);
    assert_eq!(first.len(), 1);
    let number = SERVERS.iter().position(|at| *at == first[0]).unwrap();
    world.disturb(
        number,
        ntp_sim::Disturbance::Suspend(Elapsed::from_secs(1_000_000)),
    );
    world.run(Elapsed::from_secs(3000));
    let then = found(&mut world);
    assert!(then.len() == 1 && then != first, "{first:?} {then:?}");
}

#[test]
fn who_may_not_be_found_is_not() {
    for (server, client) in [
        // Not proven.
        ("", ""),
        ("", "\ndisable auth\nrestrict default nopeer"),
        ("", "\ndisable auth\nrestrict default notrust"),
        // Another key, or none that the server knows.
        ("restrict default notrust", "\ndisable auth"),
        ("trustedkey 1", "key 7"),
        // Not wanted.
        ("", "key 1\nrestrict default noepeer"),
        ("", "key 1\ntos floor 3"),
        ("", "key 1\ntos ceiling 2"),
        ("restrict default noserve", "key 1"),
        ("restrict default ignore\nrestrict 10.0.0.9", "key 1"),
    ] {
        let mut world = world(server, client);
        world.run(Elapsed::from_secs(300));
        let nobody: [&str; 0] = [];
        assert_eq!(found(&mut world), nobody, "{server:?} {client:?}");
    }
}

#[test]
fn a_server_without_the_line_does_not_answer_nor_one_without_the_time() {
    let mut world = network();
    add(&mut world, A, &format!("{CLOCK}{TRUST}"), 0, 0.0);
    let unset = format!("{TRUST}manycastserver {GROUP}\n");
    add(&mut world, "10.0.0.3", &unset, 0, 0.0);
    let other = format!("{CLOCK}{TRUST}manycastserver 224.0.1.2\n");
    add(&mut world, "10.0.0.4", &other, 0, 0.0);
    let client = format!("{TRUST}manycastclient {GROUP} key 1\n");
    add(&mut world, B, &client, 0, 0.0);
    world.run(Elapsed::from_secs(300));
    assert!(sent(&world, 0, B, GROUP).len() >= 4);
    for at in SERVERS {
        assert!(sent(&world, 0, at, B).is_empty(), "{at}");
    }
}

/// Whether A answers such a search.
fn is_answered(server: &str, change: impl Fn(&mut Header), key: Option<u32>) -> bool {
    let mut world = network();
    let conf = format!("{CLOCK}{TRUST}manycastserver {GROUP}\n{server}\n");
    add(&mut world, A, &conf, 0, 0.0);
    world.run(Elapsed::from_secs(60));
    let mut header = Header {
        mode: Mode::Client,
        leap: Leap::None,
        stratum: Stratum::new(3),
        transmit_time: WireTimestamp::from_bits(77),
        ..Header::default()
    };
    change(&mut header);
    let mut data = packet(&header, key);
    if key == Some(2) {
        *data.last_mut().unwrap() ^= 1;
    }
    world.inject(Datagram {
        source: format!("{B}:123").parse().unwrap(),
        destination: format!("{GROUP}:123").parse().unwrap(),
        data,
    });
    world.run(Elapsed::from_secs(1));
    let answers = sent(&world, 0, A, B);
    for answer in &answers {
        let answer = Packet::parse(answer).unwrap();
        assert_eq!(answer.header().mode, Mode::Server);
        assert_eq!(answer.header().origin_time, header.transmit_time);
    }
    !answers.is_empty()
}

#[test]
fn who_is_no_worse_is_not_answered() {
    // A is of stratum 2.
    let of = |stratum| move |header: &mut Header| header.stratum = Stratum::new(stratum);
    assert!(is_answered("", of(3), Some(1)));
    assert!(is_answered("", of(0), Some(1)));
    assert!(!is_answered("", of(2), Some(1)));
    assert!(!is_answered("", of(1), Some(1)));
    assert!(is_answered("tos cohort 1", of(2), Some(1)));
    assert!(!is_answered("tos cohort 1", of(1), Some(1)));
    let follows = |header: &mut Header| header.reference_id = ReferenceId::from_ipv4(OWN);
    assert!(!is_answered("", follows, Some(1)));
}

#[test]
fn what_is_not_authentic_is_not_answered() {
    let as_it_is = |_: &mut Header| {};
    assert!(!is_answered("", as_it_is, Some(2)));
    assert!(!is_answered("restrict default notrust", as_it_is, None));
    assert!(is_answered("restrict default notrust", as_it_is, Some(3)));
    // As anybody may ask.
    assert!(is_answered("", as_it_is, None));
}

/// An engine that searches, and what its search was.
fn searching(client: &str) -> (Engine, ntp_discipline::Now, Header) {
    let text = format!("{TRUST}manycastclient {GROUP} {client}\n");
    let parsed = ntp_conf::parse("ntp.conf", &text, |_| Err("no".to_owned()));
    let setup = Setup {
        keys: ntp_keys::KeyTable::parse("1 MD5 sesame\n2 SHA1 abracadabra\n").0,
        ..Setup::new(parsed.config)
    };
    let now = ntp_discipline::Now {
        wall: ntp_wire::Timestamp::from_unix(1_795_393_189, 0),
        monotonic: ntp_wire::Monotonic::START,
    };
    let mut engine = Engine::new(setup, [5; 32], now);
    engine.handle_deadline(now);
    let mut header = None;
    while let Some(output) = engine.poll() {
        match output {
            Output::Resolve { association, .. } => engine.handle(
                now,
                Input::Resolved {
                    association,
                    endpoints: Ok(vec![Endpoint {
                        remote: format!("{GROUP}:123").parse().unwrap(),
                        local: address(B),
                    }]),
                },
            ),
            Output::SendToMany { data, hops, .. } => {
                assert_eq!(hops, 32);
                header = Some(*Packet::parse(&data).unwrap().header());
            }
            _ => {}
        }
    }
    (engine, now, header.unwrap())
}

/// How many associations there are after 300 such answers, each from somebody else.
fn after_answers(client: &str, change: impl Fn(&mut Header), key: Option<u32>) -> usize {
    let (mut engine, now, search) = searching(client);
    for number in 0..300_u32 {
        let time = now.wall.to_wire();
        let mut header = Header {
            mode: Mode::Server,
            leap: Leap::None,
            stratum: Stratum::new(2),
            origin_time: search.transmit_time,
            receive_time: time,
            transmit_time: time,
            ..Header::default()
        };
        change(&mut header);
        engine.handle(
            now,
            Input::Datagram {
                received: now.wall,
                local: address(B),
                remote: format!("10.1.{}.{}:123", number / 200, number % 200 + 1)
                    .parse()
                    .unwrap(),
                data: &packet(&header, key),
            },
        );
    }
    let mut mobilised = 0;
    while let Some(output) = engine.poll() {
        if let Output::Event(event) = output {
            mobilised += usize::from(event.to_string().contains("mobilize"));
        }
    }
    mobilised
}

#[test]
fn answers_must_answer_and_do_not_flood() {
    let as_it_is = |_: &mut Header| {};
    assert_eq!(after_answers("key 1", as_it_is, Some(1)), 9);
    assert_eq!(after_answers("\ndisable auth", as_it_is, None), 9);
    // Nobody guesses the number.
    let guess = |header: &mut Header| {
        header.origin_time = WireTimestamp::from_bits(header.origin_time.to_bits() ^ 1);
    };
    assert_eq!(after_answers("key 1", guess, Some(1)), 0);
    // Another key than the one that was searched with, and none.
    assert_eq!(after_answers("key 1", as_it_is, Some(2)), 0);
    assert_eq!(after_answers("key 1\ndisable auth", as_it_is, None), 0);
    let unset = |header: &mut Header| header.leap = Leap::Unsynchronised;
    assert_eq!(after_answers("key 1", unset, Some(1)), 0);
    let kiss = |header: &mut Header| header.stratum = Stratum::UNSPECIFIED;
    assert_eq!(after_answers("key 1", kiss, Some(1)), 0);
}
