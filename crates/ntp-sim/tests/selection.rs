//! Whom a client of several servers follows, and what hosts do that have lost all of them.

#![allow(clippy::unwrap_used)] // A test that can't go on has failed.

use std::{net::IpAddr, time::Duration as Elapsed};

use ntp_engine::{Engine, Setup};
use ntp_sim::{ClockModel, Datagram, Delay, HostClock, Link, Loss, PlainServer, World};
use ntp_wire::{
    AssociationId, Duration, Ppm, Stratum, Timestamp,
    control::{
        ControlHeader, ControlMessage, Opcode, PeerStatus,
        Selection::{self, Candidate, Falseticker, Reject, SystemPeer},
    },
};

const CLIENT: u8 = 100;

/// 10.0.0.`last`
fn address(last: u8) -> IpAddr {
    IpAddr::from([10, 0, 0, last])
}

fn new_world() -> World {
    let delay = Delay::Exponential {
        least: Elapsed::from_micros(200),
        mean_excess: Elapsed::from_micros(50),
    };
    let origin = Timestamp::from_unix(1_795_393_189, 0);
    World::new(origin, Link::new(delay, Loss::NONE, [3; 32]))
}

/// Adds a primary server at 10.0.0.`last` that is ahead by so many milliseconds.
fn add_server(world: &mut World, last: u8, ahead: i32) {
    let model = ClockModel {
        offset: Duration::from_millis(ahead),
        ..ClockModel::default()
    };
    let clock = HostClock::new(model, world.true_time(), world.now(), [last; 32]);
    world.add_server(address(last), PlainServer::new(clock));
}

/// Adds a host at 10.0.0.`last` with this configuration.
fn add_host(world: &mut World, last: u8, conf: &str, ahead: Duration, frequency: Ppm) -> usize {
    let parsed = ntp_conf::parse("ntp.conf", conf, |path: &std::path::Path| {
        Err(format!("no file {}", path.display()))
    });
    assert!(!parsed.has_errors(), "{}", parsed.render());
    world.add(address(last), ahead, frequency, |now| {
        Engine::new(Setup::new(parsed.config), [last; 32], now)
    })
}

/// A client of servers that are ahead by so many milliseconds, each with the words of its line.
fn client_of(servers: &[(i32, &str)], rest: &str) -> (World, usize) {
    let mut world = new_world();
    // Its frequency is known, so that what is wrong is the selection's fault.
    let mut conf = format!("tinker freq -5\n{rest}");
    for (last, (ahead, words)) in (1..).zip(servers) {
        add_server(&mut world, last, *ahead);
        conf.push_str(&format!("\nserver 10.0.0.{last} iburst {words}"));
    }
    let client = add_host(
        &mut world,
        CLIENT,
        &conf,
        Duration::from_millis(3),
        Ppm::new(5.0),
    );
    (world, client)
}

/// What mode 6 says to a question.
fn ask(world: &mut World, of: u8, opcode: Opcode, data: &[u8]) -> Vec<u8> {
    let header = ControlHeader {
        association: AssociationId::new(0),
        ..ControlHeader::request(opcode, 9)
    };
    let mut buffer = [0; 512];
    let length = header.emit_message(data, &mut buffer).unwrap();
    let source = "10.0.0.200:40000".parse().unwrap();
    let seen = world.trace().len();
    world.inject(Datagram {
        source,
        destination: (address(of), 123).into(),
        data: buffer[..length].to_vec(),
    });
    world.run(Elapsed::ZERO);
    world.trace()[seen..]
        .iter()
        .filter(|(_, datagram)| datagram.destination == source)
        .flat_map(|(_, datagram)| {
            let message = ControlMessage::parse(&datagram.data).unwrap();
            assert!(!message.header().error);
            message.data().to_vec()
        })
        .collect()
}

/// The tallies of a host's servers, in the order of its configuration.
fn tallies(world: &mut World, of: u8) -> Vec<Selection> {
    ask(world, of, Opcode::READ_STATUS, b"")
        .chunks_exact(4)
        .map(|entry| PeerStatus::from_bits(u16::from_be_bytes([entry[2], entry[3]])).selection())
        .collect()
}

/// A variable of a host's system.
fn variable(world: &mut World, of: u8, name: &str) -> String {
    let text = String::from_utf8(ask(world, of, Opcode::READ_VARIABLES, name.as_bytes())).unwrap();
    let (_, value) = text.trim_end().split_once('=').unwrap();
    value.to_owned()
}

/// How often the log says that somebody else is followed.
fn changes_of_system_peer(world: &World, host: usize) -> usize {
    let says_so = |line: &&String| line.contains(" sys_peer");
    world.host(host).log().iter().filter(says_so).count()
}

fn assert_right(world: &World, host: usize) {
    let error = world.error(host).abs();
    assert!(error < Duration::from_millis(1), "{error:?}");
}

#[test]
fn one_liar_among_four_is_found_out() {
    let (mut world, client) = client_of(&[(0, ""), (0, ""), (50, ""), (0, "")], "");
    for _ in 0..24 {
        world.run(Elapsed::from_secs(300));
        let tallies = tallies(&mut world, CLIENT);
        assert_eq!(tallies[2], Falseticker, "{tallies:?}");
        assert_eq!(
            tallies.iter().filter(|tally| **tally == SystemPeer).count(),
            1
        );
    }
    assert_right(&world, client);
}

#[test]
fn two_against_two_leave_nobody() {
    let (mut world, client) = client_of(&[(0, ""), (0, ""), (50, ""), (50, "")], "");
    world.run(Elapsed::from_secs(3600));
    assert_eq!(tallies(&mut world, CLIENT), [Falseticker; 4]);
    assert_eq!(variable(&mut world, CLIENT, "peer"), "0");
    assert_eq!(variable(&mut world, CLIENT, "stratum"), "16");
    // Nor was anybody followed for a moment: the clock is where it was.
    assert_eq!(changes_of_system_peer(&world, client), 0);
    let error = world.error(client) - Duration::from_millis(3);
    assert!(error.abs() < Duration::from_millis(1), "{error:?}");
}

#[test]
fn a_server_that_is_true_decides_between_two_and_two() {
    let servers = [(0, ""), (0, ""), (50, ""), (50, "true")];
    let (mut world, client) = client_of(&servers, "");
    world.run(Elapsed::from_secs(3600));
    assert_eq!(
        tallies(&mut world, CLIENT),
        [Falseticker, Falseticker, Falseticker, SystemPeer]
    );
    for l in world.host(client).log() {
        println!("{l}");
    }
    let error = world.error(client) - Duration::from_millis(50);
    assert!(error.abs() < Duration::from_millis(5), "{error:?}");
}

#[test]
fn a_preferred_server_leads_unless_it_lies() {
    let (mut world, client) = client_of(&[(0, ""), (0, ""), (1, "prefer")], "");
    world.run(Elapsed::from_secs(7200));
    assert_eq!(tallies(&mut world, CLIENT)[2], SystemPeer);
    let error = world.error(client) - Duration::from_millis(1);
    assert!(error.abs() < Duration::from_nanos(300_000), "{error:?}");

    let (mut world, client) = client_of(&[(0, ""), (0, ""), (50, "prefer")], "");
    world.run(Elapsed::from_secs(7200));
    assert_eq!(tallies(&mut world, CLIENT)[2], Falseticker);
    assert_right(&world, client);
}

#[test]
fn a_server_that_may_not_be_selected_is_watched() {
    let (mut world, client) = client_of(&[(0, ""), (20, "noselect"), (20, "noselect")], "");
    world.run(Elapsed::from_secs(3600));
    assert_eq!(tallies(&mut world, CLIENT), [SystemPeer, Reject, Reject]);
    assert_right(&world, client);
}

#[test]
fn too_few_are_not_followed() {
    let (mut world, _) = client_of(&[(0, ""), (0, "")], "tos minsane 3 minclock 4");
    world.run(Elapsed::from_secs(3600));
    assert_eq!(tallies(&mut world, CLIENT), [Candidate, Candidate]);
    assert_eq!(variable(&mut world, CLIENT, "stratum"), "16");
}

#[test]
fn floor_and_ceiling_keep_servers_out() {
    let (mut world, _) = client_of(&[(0, ""), (0, ""), (0, "")], "tos floor 2 ceiling 5");
    for (last, stratum) in [(2, 4), (3, 5)] {
        world.server_mut(address(last)).unwrap().stratum = Stratum::new(stratum);
    }
    world.run(Elapsed::from_secs(600));
    assert_eq!(tallies(&mut world, CLIENT), [Reject, SystemPeer, Reject]);
}

#[test]
fn equal_servers_seldom_take_turns() {
    let changes = |rest| {
        let (mut world, client) = client_of(&[(0, ""), (0, ""), (0, ""), (0, "")], rest);
        world.run(Elapsed::from_secs(3600));
        let before = changes_of_system_peer(&world, client);
        world.run(Elapsed::from_secs(6 * 3600));
        assert_right(&world, client);
        changes_of_system_peer(&world, client) - before
    };
    // Where no difference is small enough to be overlooked, the best is followed at once.
    let (held, restless) = (changes(""), changes("tos mindist 0.000001"));
    assert!(2 * held < restless, "{held} changes in place of {restless}");
}

#[test]
fn huff_n_puff_sees_through_a_download() {
    let error = |rest| {
        let (mut world, client) = client_of(&[(0, "maxpoll 6")], rest);
        let back = |milliseconds, seed| {
            let delay = Delay::Exponential {
                least: Elapsed::from_millis(milliseconds),
                mean_excess: Elapsed::from_micros(50),
            };
            Link::new(delay, Loss::NONE, [seed; 32])
        };
        let (server, host) = (address(1), address(CLIENT));
        world.connect(host, server, back(10, 5));
        world.connect(server, host, back(10, 6));
        world.run(Elapsed::from_secs(3 * 3600));
        world.connect(server, host, back(110, 7));
        world.run(Elapsed::from_secs(3600));
        world.error(client).abs()
    };
    let (without, with) = (
        error("discipline classic"),
        error("discipline classic\ntinker huffpuff 7200"),
    );
    assert!(without > Duration::from_millis(30), "{without:?}");
    assert!(with < Duration::from_millis(3), "{with:?}");
}

#[test]
fn a_pool_gives_servers_and_replaces_those_of_no_use() {
    let mut world = new_world();
    // Of twenty addresses those of even number answer, and 10.0.0.2 lies.
    for last in (2..=20).step_by(2) {
        add_server(&mut world, last, if last == 2 { 50 } else { 0 });
    }
    let conf = "tinker freq -5\nrestrict default ignore\nrestrict source nomodify\n\
                restrict 10.0.0.200\npool pool.example iburst\ntos maxclock 7\n";
    let ahead = Duration::from_millis(3);
    let client = add_host(&mut world, CLIENT, conf, ahead, Ppm::new(5.0));
    world
        .host_mut(client)
        .set_name("pool.example", (1..=20).map(address).collect());
    world.run(Elapsed::from_secs(60));
    // The pool itself, six servers, and one more as long as too few of them answer.
    let first = tallies(&mut world, CLIENT);
    assert!((7..=8).contains(&first.len()), "{first:?}");
    let followed = |tallies: &[Selection]| {
        let survives = |tally: &&Selection| matches!(tally, SystemPeer | Candidate);
        tallies.iter().filter(survives).count()
    };
    assert_eq!(first[0], Reject);
    world.run(Elapsed::from_secs(4 * 3600));
    let later = tallies(&mut world, CLIENT);
    assert!(later.len() <= 8, "{later:?}");
    assert!(followed(&later) >= 4, "{later:?}");
    assert!(world.error(client).abs() < Duration::from_millis(5));
    // Those that nobody answers for are let go.
    let log = world.host(client).log();
    assert!(
        log.iter().any(|line| line.contains("demobilize")),
        "{log:#?}"
    );
}

/// Three hosts that ask each other, and a server at 10.0.0.1.
fn orphans(ahead: [i32; 3]) -> (World, [usize; 3]) {
    let mut world = new_world();
    add_server(&mut world, 1, 0);
    let hosts = [11, 12, 13];
    let mut numbers = [0; 3];
    for ((number, last), ahead) in numbers.iter_mut().zip(hosts).zip(ahead) {
        let mut conf = format!("tinker freq {}\ntos orphan 6\n", -ahead / 10);
        conf.push_str("server 10.0.0.1 iburst\n");
        for other in hosts.iter().filter(|other| **other != last) {
            conf.push_str(&format!("server 10.0.0.{other} iburst maxpoll 6\n"));
        }
        let (ahead, frequency) = (
            Duration::from_millis(ahead),
            Ppm::new(f64::from(ahead) / 10.0),
        );
        *number = add_host(&mut world, last, &conf, ahead, frequency);
    }
    (world, numbers)
}

fn cut_off(world: &mut World, loss: Loss) {
    for host in [11, 12, 13] {
        for (from, to) in [(host, 1), (1, host)] {
            let delay = Delay::Fixed(Elapsed::from_micros(200));
            world.connect(address(from), address(to), Link::new(delay, loss, [4; 32]));
        }
    }
}

#[test]
fn orphans_agree_on_one_of_them_and_go_back_to_a_server() {
    let (mut world, hosts) = orphans([30, -40, 50]);
    let variables = |world: &mut World, name| [11, 12, 13].map(|of| variable(world, of, name));

    cut_off(&mut world, Loss::ALL);
    world.run(Elapsed::from_secs(290));
    assert_eq!(variables(&mut world, "stratum"), ["16"; 3]);
    world.run(Elapsed::from_secs(7200));
    assert_eq!(variables(&mut world, "stratum"), ["6", "7", "7"]);
    assert_eq!(
        variables(&mut world, "refid"),
        ["127.0.0.1", "10.0.0.11", "10.0.0.11"]
    );
    assert_eq!(variable(&mut world, 11, "rootdisp"), "0.000");
    assert_eq!(tallies(&mut world, 11), [Reject; 3]);
    assert_eq!(tallies(&mut world, 13), [Reject, SystemPeer, Reject]);
    let spread = hosts.map(|host| world.error(host) - world.error(hosts[0]));
    assert!(
        spread
            .iter()
            .all(|apart| apart.abs() < Duration::from_millis(1)),
        "{spread:?}"
    );

    // The server is back.
    cut_off(&mut world, Loss::NONE);
    world.run(Elapsed::from_secs(7200));
    assert_eq!(variables(&mut world, "stratum"), ["2"; 3]);
    assert_eq!(variables(&mut world, "refid"), ["10.0.0.1"; 3]);
    for host in hosts {
        let error = world.error(host).abs();
        assert!(error < Duration::from_millis(5), "{error:?}");
    }

    // And goes away again; the leader too, after a while.
    cut_off(&mut world, Loss::ALL);
    world.run(Elapsed::from_secs(3 * 3600));
    assert_eq!(variables(&mut world, "stratum"), ["6", "7", "7"]);
    let now = world.now();
    world.host_mut(hosts[0]).shut_down(now);
    world.run(Elapsed::from_secs(3 * 3600));
    let strata = [12, 13].map(|of| variable(&mut world, of, "stratum"));
    assert_eq!(strata, ["6", "7"]);
}
