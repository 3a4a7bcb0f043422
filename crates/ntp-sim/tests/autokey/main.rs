//! Autokey between daemons, over days and strata, and with those who would disturb it.

#![allow(clippy::unwrap_used)] // A test that can't go on has failed.

mod modes;

use std::{net::IpAddr, sync::LazyLock, time::Duration as Elapsed};

use ntp_autokey::{
    Cookie, Credentials, Direction, Host, HostOptions, IdentityGroups, Message, SessionKey, Stamp,
    Value,
};
use ntp_discipline::Now;
use ntp_engine::{Engine, IdentityFiles, Setup};
use ntp_keys::{
    Certificate, CertificateRequest, CertificateTrust, DigestAlgorithm, PrivateKey, SignatureScheme,
};
use ntp_sim::{Datagram, Delay, Link, Loss, World};
use ntp_wire::{
    AssociationId, Duration, Header, Mode, Monotonic, Packet, Ppm, Timestamp, Trailer,
    control::{ControlHeader, ControlMessage, Opcode},
};
use rand::{Rng, SeedableRng, rngs::ChaCha12Rng};

const ALPHA: &str = "10.0.0.1";
const BRAVO: &str = "10.0.0.2";
const CHARLIE: &str = "10.0.0.3";
const OF_ALPHA: &str = "server 127.127.1.0\nfudge 127.127.1.0 stratum 1\n";
/// All that a dance can light, with RSA-MD5 and trusted certificates.
const COMPLETE: u32 = 0x87f01;

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn origin() -> Timestamp {
    Timestamp::from_unix(1_795_393_189, 0)
}

fn key(number: usize) -> PrivateKey {
    static KEYS: LazyLock<Vec<PrivateKey>> = LazyLock::new(|| {
        let mut random = ChaCha12Rng::from_seed([9; 32]);
        let key = |_| PrivateKey::generate(512, &mut random).unwrap();
        (0..6).map(key).collect()
    });
    KEYS[number].clone()
}

/// What ntp-keygen would make `hours` after the origin.
fn credentials(name: &str, number: usize, trusted: bool, hours: i32) -> Credentials {
    let key = key(number);
    let made = origin() + Duration::from_seconds(3600 * (hours - 1));
    let request = CertificateRequest {
        subject: name,
        issuer: name,
        serial: Stamp::of(made).value(),
        not_before: made,
        not_after: made + Duration::from_seconds(86_400 * 30),
        trust: match trusted {
            true => CertificateTrust::Trusted,
            false => CertificateTrust::Ordinary,
        },
        public_key: key.public(),
        group_key: None,
    };
    Credentials {
        certificate: Certificate::issue(&request, &key, SignatureScheme::RsaMd5).unwrap(),
        host_key: key,
        host_key_filestamp: Stamp::of(made),
        sign_key: None,
        certificate_filestamp: Stamp::of(made),
        identity: Vec::new(),
    }
}

fn engine(text: &str, credentials: Credentials, seed: u8) -> impl FnOnce(Now) -> Engine {
    let parsed = ntp_conf::parse("ntp.conf", text, |_: &std::path::Path| Err(String::new()));
    assert!(!parsed.has_errors(), "{}", parsed.render());
    let options = HostOptions {
        revoke: 14,
        ..HostOptions::default()
    };
    let host = Host::new(credentials, options, [seed; 32]).unwrap();
    let setup = Setup {
        autokey: Some(host),
        ..Setup::new(parsed.config)
    };
    move |now| Engine::new(setup, [seed; 32], now)
}

fn world() -> World {
    let delay = Delay::Exponential {
        least: Elapsed::from_micros(200),
        mean_excess: Elapsed::from_micros(50),
    };
    World::new(origin(), Link::new(delay, Loss::NONE, [3; 32]))
}

fn add(world: &mut World, at: &str, text: &str, credentials: Credentials, seed: u8) -> usize {
    let engine = engine(text, credentials, seed);
    world.add(address(at), Duration::ZERO, Ppm::new(3.0), engine)
}

/// A trusted server and a client that have known each other for ten minutes.
fn two() -> (World, usize, usize) {
    let mut world = world();
    let alpha = add(
        &mut world,
        ALPHA,
        OF_ALPHA,
        credentials("alpha", 0, true, 0),
        1,
    );
    let text = format!("server {ALPHA} autokey iburst maxpoll 6\n");
    let bravo = add(
        &mut world,
        BRAVO,
        &text,
        credentials("bravo", 1, false, 0),
        2,
    );
    world.run(Elapsed::from_secs(600));
    assert_eq!(flags(&mut world, BRAVO), COMPLETE | 2);
    (world, alpha, bravo)
}

/// What a host answers to a mode 6 request.
fn ask(world: &mut World, of: &str, association: u16, opcode: Opcode, data: &[u8]) -> Vec<u8> {
    let mut buffer = [0; 512];
    let header = ControlHeader {
        association: AssociationId::new(association),
        ..ControlHeader::request(opcode, 9)
    };
    let length = header.emit_message(data, &mut buffer).unwrap();
    let seen = world.trace().len();
    let source = "10.0.0.99:40000".parse().unwrap();
    world.inject(Datagram {
        source,
        destination: format!("{of}:123").parse().unwrap(),
        data: buffer[..length].to_vec(),
    });
    world.run(Elapsed::ZERO);
    let answers = world.trace()[seen..].iter();
    let mut text = Vec::new();
    for (_, datagram) in answers.filter(|(_, datagram)| datagram.destination == source) {
        text.extend_from_slice(ControlMessage::parse(&datagram.data).unwrap().data());
    }
    text
}

/// The flags of a host's only association.
fn flags(world: &mut World, of: &str) -> u32 {
    let status = ask(world, of, 0, Opcode::READ_STATUS, b"");
    let number = u16::from_be_bytes([status[0], status[1]]);
    let text = ask(world, of, number, Opcode::READ_VARIABLES, b"flags");
    let text = String::from_utf8(text).unwrap();
    let digits = text.trim().trim_start_matches("flags=0x");
    u32::from_str_radix(digits, 16).unwrap()
}

/// The longest time since `from` without a packet to `client` that brings time: a reply with a
/// MAC and without a field.
fn longest_gap(world: &World, client: &str, from: Monotonic) -> Elapsed {
    let to = address(client);
    let brings_time = |datagram: &Datagram| {
        let packet = Packet::parse(&datagram.data);
        packet.is_ok_and(|packet| {
            packet.header().mode == Mode::Server
                && packet.extensions().next().is_none()
                && matches!(packet.trailer(), Trailer::Mac { .. })
        })
    };
    let mut last = from;
    let mut longest = Elapsed::ZERO;
    for (at, datagram) in world.trace() {
        if *at >= from && datagram.destination.ip() == to && brings_time(datagram) {
            longest = longest.max(at.since(last));
            last = *at;
        }
    }
    longest.max(world.now().since(last))
}

/// A poll at `maxpoll 6`, which is spread a little.
const POLL: Elapsed = Elapsed::from_secs(72);

fn files(credentials: Credentials) -> IdentityFiles {
    IdentityFiles {
        credentials: Some(credentials),
        groups: IdentityGroups::new(),
    }
}

#[test]
fn in_two_days_of_change_time_is_never_lost_for_longer_than_two_polls() {
    let (mut world, alpha, bravo) = two();
    let from = world.now();
    let hours = |hours: u64| Elapsed::from_secs(3600 * hours);
    // The secret changes each four hours and a half, key lists each hour.
    world.run(hours(8));
    world
        .host_mut(alpha)
        .set_identity(files(credentials("alpha", 0, true, 9)));
    world.run(hours(6));
    world
        .host_mut(bravo)
        .set_identity(files(credentials("bravo", 2, false, 15)));
    world.run(hours(6));
    // A new host key, taken as it runs.
    world
        .host_mut(alpha)
        .set_identity(files(credentials("alpha", 3, true, 21)));
    world.run(hours(8));
    // A restart with the same keys.
    let start = engine(OF_ALPHA, credentials("alpha", 3, true, 21), 5);
    world.restart(alpha, |now, _| start(now));
    world.run(hours(8));
    assert_eq!(flags(&mut world, BRAVO) & COMPLETE, COMPLETE);
    // A restart with another host key: cookies of before are worth nothing.
    let start = engine(OF_ALPHA, credentials("alpha", 4, true, 37), 6);
    world.restart(alpha, |now, _| start(now));
    world.run(hours(8));
    assert_eq!(flags(&mut world, BRAVO) & COMPLETE, COMPLETE);
    let gap = longest_gap(&world, BRAVO, from);
    assert!(gap <= POLL * 2, "{gap:?}");
    let restarted = world.now();
    let text = format!("server {ALPHA} autokey iburst maxpoll 6\n");
    let start = engine(&text, credentials("bravo", 2, false, 15), 7);
    world.restart(bravo, |now, _| start(now));
    world.run(hours(4));
    assert_eq!(flags(&mut world, BRAVO) & COMPLETE, COMPLETE);
    let gap = longest_gap(&world, BRAVO, restarted);
    assert!(gap <= POLL * 2, "{gap:?}");
}

#[test]
fn a_trail_over_three_hosts_that_start_together() {
    let mut world = world();
    let text = |server| format!("server {server} autokey iburst\n");
    add(
        &mut world,
        ALPHA,
        OF_ALPHA,
        credentials("alpha", 0, true, 0),
        1,
    );
    let bravo = add(
        &mut world,
        BRAVO,
        &text(ALPHA),
        credentials("bravo", 1, false, 0),
        2,
    );
    add(
        &mut world,
        CHARLIE,
        &text(BRAVO),
        credentials("charlie", 2, false, 0),
        3,
    );
    let mut all = None;
    for second in 0..300 {
        world.run(Elapsed::from_secs(1));
        if flags(&mut world, CHARLIE) & COMPLETE == COMPLETE {
            all = Some(second);
            break;
        }
    }
    // The reference takes 49 s with minpoll 3; here it is 6, and waiting for whole polls would take
    // minutes.
    assert!(all.is_some_and(|seconds| seconds < 60), "{all:?}");
    let list = ask(&mut world, CHARLIE, 0, Opcode::READ_VARIABLES, b"cert");
    let list = String::from_utf8(list).unwrap();
    for line in ["charlie bravo 0x4", "alpha alpha 0x5", "bravo alpha 0x6"] {
        assert!(list.contains(line), "{list}");
    }
    // The one in the middle gets another key. It has its certificate signed anew, and its client
    // follows.
    let from = world.now();
    world
        .host_mut(bravo)
        .set_identity(files(credentials("bravo", 3, false, 2)));
    world.run(Elapsed::from_secs(2 * 86_400));
    assert_eq!(flags(&mut world, CHARLIE) & COMPLETE, COMPLETE);
    let gap = longest_gap(&world, CHARLIE, from);
    assert!(gap <= Elapsed::from_secs(1024 * 9 / 4), "{gap:?}");
}

#[test]
fn an_intermediate_that_takes_its_time_costs_no_whole_polls() {
    let mut world = world();
    let text = |server| format!("server {server} autokey\n");
    add(
        &mut world,
        ALPHA,
        OF_ALPHA,
        credentials("alpha", 0, true, 0),
        1,
    );
    add(
        &mut world,
        BRAVO,
        &text(ALPHA),
        credentials("bravo", 1, false, 0),
        2,
    );
    add(
        &mut world,
        CHARLIE,
        &text(BRAVO),
        credentials("charlie", 2, false, 0),
        3,
    );
    let until = |world: &mut World, of, bits| {
        for _ in 0..900 {
            world.run(Elapsed::from_secs(1));
            if flags(world, of) & bits == bits {
                return world.now();
            }
        }
        panic!("{of} has not got so far: {:#x}", flags(world, of));
    };
    let signed = until(&mut world, BRAVO, 0x2000);
    let proventic = until(&mut world, CHARLIE, 0x400);
    let waited = proventic.since(signed);
    assert!(waited < Elapsed::from_secs(24), "{waited:?}");
}

#[test]
fn a_trail_without_a_trusted_end_is_followed_by_nobody() {
    let mut world = world();
    let text = |server| format!("server {server} autokey iburst\n");
    add(
        &mut world,
        ALPHA,
        OF_ALPHA,
        credentials("alpha", 0, false, 0),
        1,
    );
    let bravo = add(
        &mut world,
        BRAVO,
        &text(ALPHA),
        credentials("bravo", 1, false, 0),
        2,
    );
    world.run(Elapsed::from_secs(3600));
    assert_eq!(flags(&mut world, BRAVO) & 0xf00, 0);
    // Soon at first, and then at the poll interval: twelve minutes of each 16 s, and 64 s after.
    let requests = world.host(bravo).requests();
    assert!(requests < 45 + 48 + 8, "{requests}");
}

#[test]
fn two_that_follow_each_other_are_no_trail() {
    let mut world = world();
    let text = |server| format!("server {server} autokey iburst\ntos orphan 5\n");
    add(
        &mut world,
        ALPHA,
        &text(BRAVO),
        credentials("alpha", 0, false, 0),
        1,
    );
    add(
        &mut world,
        BRAVO,
        &text(ALPHA),
        credentials("bravo", 1, false, 0),
        2,
    );
    world.run(Elapsed::from_secs(3600));
    for host in [ALPHA, BRAVO] {
        assert_eq!(flags(&mut world, host) & 0xd00, 0, "nobody is proventic");
    }
}

/// What who cannot see packets sends in the server's name, in every form that might hurt.
fn forged(random: &mut ChaCha12Rng) -> Vec<u8> {
    let mut data = [0; 48];
    random.fill_bytes(&mut data);
    data[0] = 0x24;
    let mut data = data.to_vec();
    match random.next_u32() % 4 {
        0 => data.extend([0; 4]),
        1 => {
            data.extend([0xc2, 1, 0, 8, 0, 0, 0, 0]);
            data.extend([0x80; 20]);
        }
        2 => data.extend([0x5a; 20]),
        _ => {
            // An unanswered request has no origin, and neither has this.
            data[24..32].fill(0);
            data.extend([0; 4]);
        }
    }
    data
}

#[test]
fn who_cannot_see_packets_changes_nothing_at_all() {
    let run = |attack: bool| {
        let (mut world, _, bravo) = two();
        let mut random = ChaCha12Rng::from_seed([4; 32]);
        for _ in 0..20_000 {
            if attack {
                world.inject(Datagram {
                    source: format!("{ALPHA}:123").parse().unwrap(),
                    destination: format!("{BRAVO}:123").parse().unwrap(),
                    data: forged(&mut random),
                });
            }
            world.run(Elapsed::from_millis(100));
        }
        let flags = flags(&mut world, BRAVO);
        (
            flags,
            world.host(bravo).requests(),
            world.host(bravo).log().len(),
        )
    };
    assert_eq!(run(false), run(true));
}

/// Answers each request of bravo before the server does, as who sees it can.
#[test]
fn who_sees_packets_but_stops_none_costs_no_time() {
    let (mut world, _, bravo) = two();
    // The true reply comes late enough for any number of forged ones to be first.
    let late = Link::new(Delay::Fixed(Elapsed::from_millis(50)), Loss::NONE, [5; 32]);
    world.connect(address(ALPHA), address(BRAVO), late);
    world.run(Elapsed::from_secs(600));
    let from = world.now();
    let mut seen = world.trace().len();
    let mut random = ChaCha12Rng::from_seed([4; 32]);
    let steps = |world: &World| {
        let is_step = |(_, datagram): &&(Monotonic, Datagram)| {
            datagram.source.ip() == address(BRAVO) && datagram.data.len() > 72
        };
        world.trace().iter().filter(is_step).count()
    };
    let before = steps(&world);
    for _ in 0..400_000 {
        world.run(Elapsed::from_millis(10));
        let requests: Vec<_> = world.trace()[seen..]
            .iter()
            .filter(|(at, datagram)| *at >= from && datagram.source.ip() == address(BRAVO))
            .map(|(_, datagram)| datagram.clone())
            .collect();
        seen = world.trace().len();
        for request in requests {
            let Some(header) = Header::parse(&request.data) else {
                continue;
            };
            for _ in 0..4 {
                let mut data = forged(&mut random);
                data[24..32].copy_from_slice(&header.transmit_time.to_bits().to_be_bytes());
                world.inject(Datagram {
                    source: request.destination,
                    destination: request.source,
                    data,
                });
            }
        }
    }
    assert_eq!(flags(&mut world, BRAVO), COMPLETE | 2);
    let gap = longest_gap(&world, BRAVO, from);
    assert!(gap <= POLL * 2, "{gap:?}");
    let extra = steps(&world) - before;
    assert_eq!(
        extra, 0,
        "a true reply follows each forged one, so there is nothing to look into"
    );
    assert!(world.host(bravo).exit().is_none());
}

#[test]
fn a_kiss_that_comes_with_a_field_is_nobodys_word() {
    // Who sees requests answers ASSOC, which nobody signs, and "do not ask" in the header.
    let mut world = world();
    let alpha = credentials("alpha", 0, true, 0);
    add(&mut world, ALPHA, OF_ALPHA, alpha, 1);
    let text = format!("server {ALPHA} autokey iburst maxpoll 6\n");
    let bravo = credentials("bravo", 1, false, 0);
    let bravo = add(&mut world, BRAVO, &text, bravo, 2);
    let late = Link::new(Delay::Fixed(Elapsed::from_millis(50)), Loss::NONE, [5; 32]);
    world.connect(address(ALPHA), address(BRAVO), late);
    let mut forged = 0;
    let mut seen = 0;
    for _ in 0..6000 {
        world.run(Elapsed::from_millis(10));
        let sent: Vec<_> = world.trace()[seen..].to_vec();
        seen = world.trace().len();
        for (_, request) in sent {
            let packet = Packet::parse(&request.data).unwrap();
            let Some(field) = packet.extensions().next() else {
                continue;
            };
            let message = Message::parse(&field).unwrap();
            if (message.direction, message.opcode)
                != (Direction::Request, ntp_autokey::Opcode::Association)
            {
                continue;
            }
            forged += 1;
            world.inject(Datagram {
                source: request.destination,
                destination: request.source,
                data: refusal_with_name(&packet, message.association),
            });
        }
    }
    assert!(forged > 0);
    let log = world.host(bravo).log();
    let is_obeyed =
        |line: &String| line.contains("access_denied") || line.contains("rate_exceeded");
    assert!(!log.iter().any(is_obeyed), "{log:#?}");
    assert_eq!(flags(&mut world, BRAVO) & COMPLETE, COMPLETE);
}

/// A kiss-o'-death, and behind it the server's name and status as ASSOC has them.
fn refusal_with_name(request: &Packet<'_>, association: u32) -> Vec<u8> {
    let Trailer::Mac { key_id, .. } = request.trailer() else {
        panic!("no MAC");
    };
    let mut header = [0; 48];
    Header {
        leap: ntp_wire::Leap::Unsynchronised,
        mode: Mode::Server,
        poll: ntp_wire::PollExponent::new(17),
        reference_id: ntp_wire::ReferenceId::from_text("DENY"),
        origin_time: request.header().transmit_time,
        receive_time: request.header().transmit_time,
        transmit_time: request.header().transmit_time,
        ..Header::default()
    }
    .emit(&mut header);
    let mut packet = header.to_vec();
    Message {
        direction: Direction::Response,
        opcode: ntp_autokey::Opcode::Association,
        association,
        value: Some(Value {
            timestamp: Stamp::NEVER,
            filestamp: Stamp::new(0x80003),
            octets: b"alpha",
            signature: &[],
        }),
    }
    .emit(&mut packet);
    let [from, to] = [ALPHA, BRAVO].map(address);
    SessionKey::new(DigestAlgorithm::Md5, from, to, key_id, Cookie::PUBLIC)
        .seal(key_id, &mut packet);
    packet
}

#[test]
fn a_server_that_is_asked_too_often_says_so_under_its_seal() {
    let mut world = world();
    let text = format!("{OF_ALPHA}restrict default limited kod\ndiscard minimum 2\n");
    let alpha = credentials("alpha", 0, true, 0);
    add(&mut world, ALPHA, &text, alpha, 1);
    let text = format!("server {ALPHA} autokey minpoll 3 maxpoll 3 burst\n");
    let bravo = credentials("bravo", 1, false, 0);
    let bravo = add(&mut world, BRAVO, &text, bravo, 2);
    world.run(Elapsed::from_secs(600));
    let log = world.host(bravo).log();
    assert!(
        log.iter().any(|line| line.contains("rate_exceeded")),
        "{log:#?}"
    );
}

#[test]
fn files_that_come_after_the_start_are_taken() {
    let mut world = world();
    let start = |text: String, seed: u8| {
        let parsed = ntp_conf::parse("ntp.conf", &text, |_: &std::path::Path| Err(String::new()));
        let setup = Setup::new(parsed.config);
        move |now| Engine::new(setup, [seed; 32], now)
    };
    let alpha = start(format!("{OF_ALPHA}crypto\n"), 1);
    let bravo = start(
        format!("crypto\nserver {ALPHA} autokey iburst maxpoll 6\n"),
        2,
    );
    let [alpha, bravo] = [
        world.add(address(ALPHA), Duration::ZERO, Ppm::ZERO, alpha),
        world.add(address(BRAVO), Duration::ZERO, Ppm::ZERO, bravo),
    ];
    world.run(Elapsed::from_secs(600));
    assert_eq!(world.host(bravo).requests(), 0, "nothing without a key");
    for (host, name, number) in [(alpha, "alpha", 0), (bravo, "bravo", 1)] {
        let credentials = credentials(name, number, name == "alpha", 0);
        world.host_mut(host).set_identity(files(credentials));
    }
    world.run(Elapsed::from_secs(300));
    assert_eq!(flags(&mut world, BRAVO) & COMPLETE, COMPLETE);
}
