//! A client and a server, run by the engine of ntpd, in a world of their own.

#![allow(clippy::unwrap_used)] // A test that can't go on has failed.

use std::{net::IpAddr, time::Duration as Elapsed};

use ntp_discipline::Now;
use ntp_engine::{Engine, Exit, Setup};
use ntp_keys::KeyTable;
use ntp_sim::{Datagram, Delay, Link, Loss, World};
use ntp_wire::{
    AssociationId, Duration, Header, KissCode, Leap, Mode, Packet, Ppm, Stratum, Timestamp,
    control::{ControlHeader, ControlMessage, ErrorCode, Opcode, PeerStatus, Selection},
};

const SERVER: &str = "10.0.0.1";
const CLIENT: &str = "10.0.0.2";
const SERVER_CONF: &str = "server 127.127.1.0\nfudge 127.127.1.0 stratum 1\n";

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn setup(text: &str) -> Setup {
    let parsed = ntp_conf::parse("ntp.conf", text, |path: &std::path::Path| {
        Err(format!("no file {}", path.display()))
    });
    assert!(!parsed.has_errors(), "{}", parsed.render());
    Setup {
        keys: KeyTable::parse("1 MD5 sesame\n2 SHA1 abracadabra\n3 AES128CMAC sixteen-octets-x\n")
            .0,
        ..Setup::new(parsed.config)
    }
}

fn engine(setup: Setup, seed: u8) -> impl FnOnce(Now) -> Engine {
    move |now| Engine::new(setup, [seed; 32], now)
}

/// A world with a server that has been up for a minute, and a client just started.
fn world(server: &str, client: Setup, offset: Duration, frequency: Ppm) -> (World, usize) {
    let delay = Delay::Exponential {
        least: Elapsed::from_micros(200),
        mean_excess: Elapsed::from_micros(50),
    };
    let origin = Timestamp::from_unix(1_795_393_189, 0);
    let mut world = World::new(origin, Link::new(delay, Loss::NONE, [3; 32]));
    world.add(
        address(SERVER),
        Duration::ZERO,
        Ppm::ZERO,
        engine(setup(server), 1),
    );
    world.run(Elapsed::from_secs(60));
    let client = world.add(address(CLIENT), offset, frequency, engine(client, 2));
    (world, client)
}

/// Asks a host over mode 6; the status word and the text, or the error code.
fn ask(
    world: &mut World,
    host: usize,
    from: &str,
    association: u16,
    opcode: Opcode,
    data: &[u8],
) -> Option<Result<(u16, Vec<u8>), ErrorCode>> {
    let of = if host == 0 { SERVER } else { CLIENT };
    let mut buffer = [0; 512];
    let header = ControlHeader {
        association: AssociationId::new(association),
        ..ControlHeader::request(opcode, 9)
    };
    let length = header.emit_message(data, &mut buffer).unwrap();
    let seen = world.trace().len();
    let source = format!("{from}:40000").parse().unwrap();
    world.inject(Datagram {
        source,
        destination: format!("{of}:123").parse().unwrap(),
        data: buffer[..length].to_vec(),
    });
    world.run(Elapsed::ZERO);
    let mut text = Vec::new();
    let mut status = None;
    for (_, datagram) in &world.trace()[seen..] {
        if datagram.destination != source {
            continue;
        }
        let message = ControlMessage::parse(&datagram.data).unwrap();
        if message.header().error {
            return Some(Err(ErrorCode::from_status(message.header().status)));
        }
        status = Some(message.header().status);
        text.extend_from_slice(message.data());
    }
    status.map(|status| Ok((status, text)))
}

/// The number and status of the client's only association.
fn only_association(world: &mut World, client: usize) -> (u16, PeerStatus) {
    let (_, data) = ask(world, client, "10.0.0.9", 0, Opcode::READ_STATUS, b"")
        .unwrap()
        .unwrap();
    let [a, b, c, d] = data[..] else {
        panic!("{data:?}")
    };
    (
        u16::from_be_bytes([a, b]),
        PeerStatus::from_bits(u16::from_be_bytes([c, d])),
    )
}

fn variable(world: &mut World, client: usize, association: u16, name: &str) -> String {
    let answer = ask(
        world,
        client,
        "10.0.0.9",
        association,
        Opcode::READ_VARIABLES,
        name.as_bytes(),
    );
    let (_, text) = answer.unwrap().unwrap();
    String::from_utf8(text).unwrap().trim_end().to_owned()
}

/// What the server says to a plain request from `from`.
fn request(world: &mut World, from: &str) -> Option<Header> {
    let mut data = [0; 48];
    Header {
        mode: Mode::Client,
        transmit_time: world.true_time().to_wire(),
        ..Header::default()
    }
    .emit(&mut data);
    let source = format!("{from}:50000").parse().unwrap();
    let seen = world.trace().len();
    world.inject(Datagram {
        source,
        destination: format!("{SERVER}:123").parse().unwrap(),
        data: data.to_vec(),
    });
    world.run(Elapsed::ZERO);
    let (_, reply) = world.trace()[seen..]
        .iter()
        .find(|(_, datagram)| datagram.destination == source)?;
    Header::parse(&reply.data)
}

#[test]
fn the_local_clock_is_selected_at_once() {
    let (mut world, _) = world(SERVER_CONF, setup(""), Duration::ZERO, Ppm::ZERO);
    let reply = request(&mut world, "10.0.0.7").unwrap();
    assert_eq!((reply.leap, reply.stratum), (Leap::None, Stratum::new(2)));
    assert_eq!(reply.reference_id.to_bytes(), [127, 127, 1, 0]);
}

#[test]
fn an_unsynchronised_server_says_so() {
    let (mut world, _) = world("", setup(""), Duration::ZERO, Ppm::ZERO);
    let reply = request(&mut world, "10.0.0.7").unwrap();
    assert_eq!(
        (reply.leap, reply.stratum),
        (Leap::Unsynchronised, Stratum::UNSPECIFIED)
    );
    assert_eq!(reply.reference_id.as_text(), Some("INIT"));
}

#[test]
fn a_client_that_is_37_s_wrong_is_stepped_and_converges() {
    let conf = format!("server {SERVER} iburst\n");
    let (mut world, client) = world(
        SERVER_CONF,
        setup(&conf),
        Duration::from_seconds(37),
        Ppm::new(50.0),
    );
    world.run(Elapsed::from_secs(30));
    let step = world
        .host(client)
        .log()
        .iter()
        .find(|line| line.contains("clock_step"))
        .cloned();
    assert!(
        step.is_some_and(|line| line.contains("-37.00") || line.contains("-36.99")),
        "{:#?}",
        world.host(client).log()
    );
    assert!(
        world.error(client).abs() < Duration::from_millis(5),
        "{:?}",
        world.error(client)
    );
    world.run(Elapsed::from_secs(4 * 3600));
    assert!(
        world.error(client).abs() < Duration::from_millis(3),
        "{:?}",
        world.error(client)
    );
    let (id, status) = only_association(&mut world, client);
    assert_eq!(status.selection(), Selection::SystemPeer);
    assert!(status.is_reachable() && status.is_configured() && !status.is_authentic());
    assert_eq!(variable(&mut world, client, id, "stratum"), "stratum=2");
    let frequency = variable(&mut world, client, 0, "frequency");
    let ppm: f64 = frequency.trim_start_matches("frequency=").parse().unwrap();
    assert!((ppm + 50.0).abs() < 2.0, "{frequency}");
    // The drift file is written hourly, and at the end.
    let written = world.host(client).drift().unwrap();
    assert!((written.value() + 50.0).abs() < 2.0, "{written}");
}

#[test]
fn beyond_the_panic_threshold_only_g_helps() {
    let conf = format!("server {SERVER} iburst\n");
    let offset = Duration::from_seconds(-2000);
    let (mut first, client) = world(SERVER_CONF, setup(&conf), offset, Ppm::ZERO);
    first.run(Elapsed::from_secs(400));
    assert!(
        matches!(first.host(client).exit(), Some(Exit::Panic(_))),
        "{:#?}",
        first.host(client).log()
    );
    assert_eq!(first.error(client).to_nanos() / 1_000_000_000, -2000);
    let brave = Setup {
        panic_once: true,
        ..setup(&conf)
    };
    let (mut second, client) = world(SERVER_CONF, brave, offset, Ppm::ZERO);
    second.run(Elapsed::from_secs(60));
    assert_eq!(second.host(client).exit(), None);
    assert!(second.error(client).abs() < Duration::from_millis(5));
}

#[test]
fn one_shot_sets_the_clock_and_ends() {
    let conf = format!("server {SERVER} iburst\n");
    let once = Setup {
        one_shot: true,
        ..setup(&conf)
    };
    let (mut first, client) = world(SERVER_CONF, once, Duration::from_seconds(5), Ppm::ZERO);
    first.run(Elapsed::from_secs(60));
    assert!(
        matches!(first.host(client).exit(), Some(Exit::Stepped(_))),
        "{:?}",
        first.host(client).exit()
    );
    assert!(first.error(client).abs() < Duration::from_millis(5));
    let nobody = Setup {
        one_shot: true,
        ..setup("server 10.0.0.99 iburst\n")
    };
    let (mut second, client) = world(SERVER_CONF, nobody, Duration::ZERO, Ppm::ZERO);
    second.run(Elapsed::from_secs(120));
    assert_eq!(second.host(client).exit(), Some(Exit::NoServers));
}

#[test]
fn a_clock_that_refuses_is_reported() {
    let conf = format!("server {SERVER} iburst\n");
    let (mut world, client) = world(
        SERVER_CONF,
        setup(&conf),
        Duration::from_seconds(37),
        Ppm::ZERO,
    );
    world.host_mut(client).freeze_clock();
    world.run(Elapsed::from_secs(60));
    let log = world.host(client).log();
    assert!(
        log.iter()
            .any(|line| line.contains("should be stepped by -36.99")
                || line.contains("should be stepped by -37.00")),
        "{log:#?}"
    );
    assert_eq!(world.error(client).to_nanos() / 1_000_000_000, 37);
    let complaints = log
        .iter()
        .filter(|line| line.contains("the rate of the clock"))
        .count();
    assert_eq!(complaints, 1);
}

#[test]
fn symmetric_keys_prove_the_server() {
    let keys = "trustedkey 1 2 3\n";
    for key in 1..=3 {
        let conf = format!("{keys}server {SERVER} iburst key {key}\n");
        let server = format!("{SERVER_CONF}{keys}");
        let (mut world, client) = world(&server, setup(&conf), Duration::ZERO, Ppm::ZERO);
        world.run(Elapsed::from_secs(30));
        let (_, status) = only_association(&mut world, client);
        assert!(status.is_authentic() && status.is_authentication_enabled());
        assert_eq!(status.selection(), Selection::SystemPeer, "key {key}");
    }
}

#[test]
fn what_a_wrong_key_says_is_not_believed() {
    let conf = format!("trustedkey 1\nserver {SERVER} iburst key 1\n");
    let mut server = setup(&format!("{SERVER_CONF}trustedkey 1\n"));
    server.keys = KeyTable::parse("1 MD5 mesase\n").0;
    let delay = Delay::Fixed(Elapsed::from_millis(1));
    let mut world = World::new(
        Timestamp::from_unix(1_795_393_189, 0),
        Link::new(delay, Loss::NONE, [3; 32]),
    );
    world.add(
        address(SERVER),
        Duration::ZERO,
        Ppm::ZERO,
        engine(server, 1),
    );
    let client = world.add(
        address(CLIENT),
        Duration::from_seconds(37),
        Ppm::ZERO,
        engine(setup(&conf), 2),
    );
    world.run(Elapsed::from_secs(200));
    let (id, status) = only_association(&mut world, client);
    assert!(!status.is_authentic() && !status.is_reachable());
    assert_eq!(status.selection(), Selection::Reject);
    assert_eq!(world.error(client).to_nanos() / 1_000_000_000, 37);
    assert_eq!(variable(&mut world, client, id, "flash"), "flash=0x1010");
    let log = world.host(client).log();
    assert!(
        log.iter()
            .any(|line| line.contains("bad_auth") && line.contains("crypto-NAK")),
        "{log:#?}"
    );
}

#[test]
fn restrictions_hold() {
    let server = format!(
        "{SERVER_CONF}restrict default ignore\nrestrict 10.0.0.0 mask 255.255.255.0 nomodify noquery\n\
         restrict 10.0.1.0 mask 255.255.255.0 noserve\n"
    );
    let (mut world, _) = world(&server, setup(""), Duration::ZERO, Ppm::ZERO);
    // Ignored: neither time nor answers.
    assert_eq!(request(&mut world, "192.0.2.1"), None);
    assert_eq!(
        ask(&mut world, 0, "192.0.2.1", 0, Opcode::READ_VARIABLES, b""),
        None
    );
    // Time, but no answers.
    assert!(request(&mut world, "10.0.0.7").is_some());
    assert_eq!(
        ask(&mut world, 0, "10.0.0.7", 0, Opcode::READ_VARIABLES, b""),
        None
    );
    // Answers, but no time.
    assert_eq!(request(&mut world, "10.0.1.7"), None);
    assert!(
        ask(&mut world, 0, "10.0.1.7", 0, Opcode::READ_VARIABLES, b"")
            .unwrap()
            .is_ok()
    );
}

#[test]
fn writing_needs_the_control_key() {
    let (mut world, _) = world(SERVER_CONF, setup(""), Duration::ZERO, Ppm::ZERO);
    for opcode in [
        Opcode::WRITE_VARIABLES,
        Opcode::CONFIGURE,
        Opcode::SAVE_CONFIGURATION,
    ] {
        let answer = ask(&mut world, 0, "10.0.0.9", 0, opcode, b"server 10.0.0.66");
        assert_eq!(answer, Some(Err(ErrorCode::PERMISSION)));
    }
}

#[test]
fn a_client_that_asks_too_often_gets_a_kiss() {
    let server = format!("{SERVER_CONF}restrict default limited kod\n");
    let (mut world, _) = world(&server, setup(""), Duration::ZERO, Ppm::ZERO);
    assert!(
        request(&mut world, "10.0.0.7")
            .unwrap()
            .stratum
            .is_synchronised()
    );
    let kiss = request(&mut world, "10.0.0.7").unwrap();
    assert_eq!(kiss.kiss_code(), Some(KissCode::Rate));
    assert_eq!(kiss.receive_time, kiss.origin_time, "a kiss tells no time");
    assert_eq!(request(&mut world, "10.0.0.7"), None);
    world.run(Elapsed::from_secs(60));
    assert!(
        request(&mut world, "10.0.0.7")
            .unwrap()
            .stratum
            .is_synchronised()
    );
}

#[test]
fn a_lost_server_is_noticed_and_found_again() {
    let conf = format!("server {SERVER} iburst minpoll 4 maxpoll 4\n");
    let (mut world, client) = world(SERVER_CONF, setup(&conf), Duration::ZERO, Ppm::ZERO);
    world.run(Elapsed::from_secs(60));
    world.link_mut().set_loss(Loss::ALL);
    world.run(Elapsed::from_secs(400));
    let (_, status) = only_association(&mut world, client);
    assert!(!status.is_reachable());
    assert!(
        world
            .host(client)
            .log()
            .iter()
            .any(|line| line.contains("no_sys_peer"))
    );
    world.link_mut().set_loss(Loss::NONE);
    world.run(Elapsed::from_secs(120));
    let (_, status) = only_association(&mut world, client);
    assert_eq!(status.selection(), Selection::SystemPeer);
}

#[test]
fn forged_replies_change_nothing() {
    let conf = format!("server {SERVER} iburst\n");
    let (mut world, client) = world(SERVER_CONF, setup(&conf), Duration::ZERO, Ppm::ZERO);
    for second in 0..60 {
        world.run(Elapsed::from_secs(1));
        for origin in [0, u64::MAX, world.true_time().to_wire().to_bits()] {
            let mut data = [0; 48];
            let lie = world.true_time() + Duration::from_seconds(500);
            Header {
                leap: Leap::None,
                mode: Mode::Server,
                stratum: Stratum::new(1 + second % 3),
                origin_time: ntp_wire::WireTimestamp::from_bits(origin),
                receive_time: lie.to_wire(),
                transmit_time: lie.to_wire(),
                ..Header::default()
            }
            .emit(&mut data);
            world.inject(Datagram {
                source: format!("{SERVER}:123").parse().unwrap(),
                destination: format!("{CLIENT}:123").parse().unwrap(),
                data: data.to_vec(),
            });
        }
    }
    world.run(Elapsed::from_secs(60));
    assert!(world.error(client).abs() < Duration::from_millis(5));
    let (id, _) = only_association(&mut world, client);
    assert_eq!(variable(&mut world, client, id, "bogusorg"), "bogusorg=180");
}

#[test]
fn requests_tell_nothing_of_the_client() {
    let conf = format!("server {SERVER} iburst\n");
    let (mut world, _) = world(SERVER_CONF, setup(&conf), Duration::ZERO, Ppm::ZERO);
    world.run(Elapsed::from_secs(60));
    let requests: Vec<Header> = world
        .trace()
        .iter()
        .filter(|(_, datagram)| datagram.source.ip() == address(CLIENT))
        .filter_map(|(_, datagram)| {
            Packet::parse(&datagram.data)
                .ok()
                .map(|packet| *packet.header())
        })
        .collect();
    assert!(requests.len() >= 8, "{}", requests.len());
    let now = world.true_time();
    for request in requests {
        assert_eq!(request.reference_time.to_bits(), 0);
        assert_eq!(request.stratum, Stratum::UNSPECIFIED);
        // A random number is not near the time, but for one chance in ten million.
        let distance = request.transmit_time.near(now) - now;
        assert!(distance.abs() > Duration::from_seconds(200), "{distance:?}");
    }
}

#[test]
fn the_same_seeds_give_the_same_run() {
    let run = || {
        let conf = format!("server {SERVER} iburst\n");
        let (mut world, _) = world(
            SERVER_CONF,
            setup(&conf),
            Duration::from_seconds(37),
            Ppm::new(50.0),
        );
        world.run(Elapsed::from_secs(3600));
        world.trace().to_vec()
    };
    assert_eq!(run(), run());
}

#[test]
fn a_slew_ends_with_the_daemon() {
    let conf = format!("server {SERVER} iburst\n");
    let (mut world, client) = world(
        SERVER_CONF,
        setup(&conf),
        Duration::from_millis(100),
        Ppm::ZERO,
    );
    world.run(Elapsed::from_secs(7));
    let before = world.error(client);
    world.run(Elapsed::from_millis(500));
    assert!(world.error(client) < before, "no slew is under way");
    let now = world.now();
    world.host_mut(client).shut_down(now);
    let left = world.error(client);
    world.run(Elapsed::from_secs(3600));
    let drifted = (world.error(client) - left).abs();
    assert!(
        // A slew of 5 % would be three minutes; four samples know the frequency to some 10 ppm.
        drifted < Duration::from_millis(100),
        "{drifted:?} in an hour"
    );
}

#[test]
fn nobody_follows_himself_or_one_server_twice() {
    let conf = format!("server {CLIENT}\nserver {SERVER} iburst\nserver {SERVER} iburst\n");
    let (mut world, client) = world(SERVER_CONF, setup(&conf), Duration::ZERO, Ppm::ZERO);
    world.run(Elapsed::from_secs(60));
    let log = world.host(client).log();
    assert!(
        log.iter().any(|line| line.contains("our own address")),
        "{log:#?}"
    );
    assert!(
        log.iter()
            .any(|line| line.contains("another line names this server")),
        "{log:#?}"
    );
    let to_server = |datagram: &Datagram| datagram.destination.ip() == address(SERVER);
    let bursts = world
        .trace()
        .iter()
        .filter(|(_, datagram)| to_server(datagram))
        .count();
    assert!((8..=10).contains(&bursts), "{bursts} requests");
}

#[test]
fn two_servers_do_not_answer_each_other() {
    let (mut world, _) = world(SERVER_CONF, setup(""), Duration::ZERO, Ppm::ZERO);
    let mut data = [0; 48];
    data[0] = 0x08; // version 1, mode 0
    for (port, answers) in [(123, 0), (40_000, 1)] {
        let seen = world.trace().len();
        world.inject(Datagram {
            source: format!("10.0.0.66:{port}").parse().unwrap(),
            destination: format!("{SERVER}:123").parse().unwrap(),
            data: data.to_vec(),
        });
        world.run(Elapsed::from_secs(1));
        assert_eq!(world.trace().len() - seen, answers, "port {port}");
    }
}

/// The server answers with the poll interval that it is told, as ntpd and chronyd do.
#[test]
fn in_quiet_times_a_client_asks_less_often() {
    let client = setup(&format!("server {SERVER} iburst\ndiscipline classic\n"));
    let (mut world, _) = world(SERVER_CONF, client, Duration::ZERO, Ppm::ZERO);
    world.run(Elapsed::from_secs(4 * 3600));
    let seen = world.trace().len();
    world.run(Elapsed::from_secs(3600));
    let polls: Vec<i8> = world.trace()[seen..]
        .iter()
        .filter(|(_, datagram)| datagram.source.ip() == address(CLIENT))
        .filter_map(|(_, datagram)| Header::parse(&datagram.data))
        .map(|header| header.poll.value())
        .collect();
    assert!((1..=5).contains(&polls.len()), "{polls:?}");
    assert!(polls.iter().all(|&poll| poll == 10), "{polls:?}");
}
