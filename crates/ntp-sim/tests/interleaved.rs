//! Packets that leave later than the daemons think, and clients that ask when they did.

#![allow(clippy::unwrap_used)] // A test that can't go on has failed.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration as Elapsed,
};

use ntp_engine::{Engine, Setup};
use ntp_keys::KeyTable;
use ntp_sim::{Datagram, Delay, Link, Loss, World};
use ntp_wire::{Duration, Header, Mode, Ppm, Stratum, Timestamp, WireTimestamp};

const SERVER: &str = "10.0.0.1";
const CLIENT: &str = "10.0.0.2";
const SERVER_CONF: &str = "server 127.127.1.0\nfudge 127.127.1.0 stratum 1\n";
/// The time from the reading of the clock to the network.
const LAG: Elapsed = Elapsed::from_micros(600);

fn engine(text: &str, seed: u8) -> impl FnOnce(ntp_discipline::Now) -> Engine {
    let parsed = ntp_conf::parse("ntp.conf", text, |_| Err(String::new()));
    assert!(!parsed.has_errors(), "{}", parsed.render());
    let setup = Setup {
        keys: KeyTable::parse("1 MD5 sesame\n").0,
        ..Setup::new(parsed.config)
    };
    move |now| Engine::new(setup, [seed; 32], now)
}

/// A server whose packets are held up, and a client with this line more than it needs.
fn world(options: &str, lines: &str, loss: Loss) -> World {
    let delay = Delay::Exponential {
        least: Elapsed::from_micros(200),
        mean_excess: Elapsed::from_micros(20),
    };
    let origin = Timestamp::from_unix(1_795_393_189, 0);
    let mut world = World::new(origin, Link::new(delay, loss, [3; 32]));
    let [server, client]: [IpAddr; 2] = [SERVER, CLIENT].map(|text| text.parse().unwrap());
    world.add(server, Duration::ZERO, Ppm::ZERO, engine(SERVER_CONF, 1));
    world.run(Elapsed::from_secs(60));
    let text = format!("server {SERVER} iburst minpoll 4 maxpoll 6 {options}\n{lines}");
    world.add(
        client,
        Duration::from_millis(5),
        Ppm::new(12.0),
        engine(&text, 2),
    );
    world
}

/// The mean error of the client's clock over two hours, after one to settle, in microseconds.
fn mean_error(world: &mut World) -> f64 {
    world.run(Elapsed::from_secs(3600));
    let mut sum = 0.0;
    let count = 450;
    for _ in 0..count {
        world.run(Elapsed::from_secs(16));
        sum += world.error(1).to_seconds_f64() * 1e6;
    }
    sum / f64::from(count)
}

/// How many replies told of the one before them, and how many did not.
fn replies(world: &World) -> (usize, usize) {
    let mut interleaved = 0;
    let mut basic = 0;
    for (_, datagram) in world.trace() {
        let Some(header) = Header::parse(&datagram.data) else {
            continue;
        };
        if header.mode == Mode::Server {
            let is_basic = world.trace().iter().rev().any(|(_, request)| {
                Header::parse(&request.data).is_some_and(|request| {
                    request.mode == Mode::Client && request.transmit_time == header.origin_time
                })
            });
            match is_basic {
                true => basic += 1,
                false => interleaved += 1,
            }
        }
    }
    (interleaved, basic)
}

#[test]
fn what_holds_a_reply_up_is_half_an_offset_unless_it_is_told() {
    let mut plain = world("", "", Loss::NONE);
    plain.hold_up(0, LAG, true);
    let error = mean_error(&mut plain);
    assert!(
        (error + 300.0).abs() < 60.0 || (error - 300.0).abs() < 60.0,
        "{error}"
    );
    assert_eq!(replies(&plain).0, 0);

    let mut interleaved = world("xleave", "", Loss::NONE);
    interleaved.hold_up(0, LAG, true);
    let error = mean_error(&mut interleaved);
    assert!(error.abs() < 20.0, "{error}");
    let (interleaved, basic) = replies(&interleaved);
    assert_eq!(basic, 2, "of {interleaved}");
}

/// A client's own system tells it when its request left, whatever it asks.
#[test]
fn what_holds_a_request_up_is_known_in_both_modes() {
    for (options, notes, expected) in [("", false, 300.0), ("", true, 0.0), ("xleave", true, 0.0)] {
        let mut world = world(options, "", Loss::NONE);
        world.hold_up(1, LAG, notes);
        let error = mean_error(&mut world).abs();
        assert!(
            (error - expected).abs() < 60.0,
            "{options} {notes}: {error}"
        );
    }
}

#[test]
fn the_classic_discipline_lives_with_it() {
    let mut world = world("xleave", "discipline classic\n", Loss::NONE);
    world.hold_up(0, LAG, true);
    let error = mean_error(&mut world);
    assert!(error.abs() < 60.0, "{error}");
}

#[test]
fn lost_packets_cost_a_sample_and_no_more() {
    let mut world = world("xleave", "", Loss::per_million(200_000));
    world.hold_up(0, LAG, true);
    let error = mean_error(&mut world);
    assert!(error.abs() < 40.0, "{error}");
    let (interleaved, basic) = replies(&world);
    assert!(interleaved > basic, "{interleaved} {basic}");
}

/// A server that has forgotten, and then one that never knew how.
#[test]
fn a_server_that_starts_anew_is_asked_anew() {
    let mut world = world("xleave", "", Loss::NONE);
    world.hold_up(0, LAG, true);
    world.run(Elapsed::from_secs(1800));
    world.restart(0, |now, _| engine(SERVER_CONF, 3)(now));
    let error = mean_error(&mut world);
    assert!(error.abs() < 20.0, "{error}");
    let (interleaved, basic) = replies(&world);
    assert!(basic <= 6 && interleaved > 50, "{interleaved} {basic}");
}

/// CVE-2016-1548, CVE-2018-7184, CVE-2018-7185: packets in the server's name, without the key, with
/// all the timestamps that can be guessed or were seen, neither stop it nor lead it astray.
#[test]
fn forged_packets_change_nothing() {
    const KEY: &str = "trustedkey 1\n";
    let mut world = world("xleave key 1", KEY, Loss::NONE);
    world.restart(0, |now, _| engine(&format!("{SERVER_CONF}{KEY}"), 3)(now));
    world.hold_up(0, LAG, true);
    for _ in 0..600 {
        world.run(Elapsed::from_secs(5));
        let now = world.true_time().to_wire();
        // All that was in the last packets either way.
        let seen = world.trace().iter().rev().take(2);
        let headers: Vec<Header> = seen
            .filter_map(|(_, one)| Header::parse(&one.data))
            .collect();
        let stamps = headers.iter().flat_map(|header| {
            [
                header.origin_time,
                header.receive_time,
                header.transmit_time,
            ]
        });
        let origins: Vec<WireTimestamp> = stamps.chain([WireTimestamp::ZERO, now]).collect();
        for origin_time in origins {
            let mut data = [0; Header::LENGTH];
            Header {
                mode: Mode::Server,
                stratum: Stratum::PRIMARY,
                origin_time,
                receive_time: now,
                transmit_time: now,
                reference_time: now,
                ..Header::default()
            }
            .emit(&mut data);
            world.inject(Datagram {
                source: SocketAddr::new(SERVER.parse().unwrap(), 123),
                destination: SocketAddr::new(CLIENT.parse().unwrap(), 123),
                data: data.to_vec(),
            });
        }
    }
    let error = world.error(1).to_seconds_f64() * 1e6;
    assert!(error.abs() < 40.0, "{error}");
    let (interleaved, basic) = replies(&world);
    assert!(basic <= 4 && interleaved > 40, "{interleaved} {basic}");
}
