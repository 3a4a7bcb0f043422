pub(super) mod frame;
mod rebuild;

use std::net::{Ipv4Addr, SocketAddr};

use ntp_discipline::Now;
use ntp_wire::{
    Header, Leap, Mode, Monotonic, PollExponent, Ppm, Precision, ReferenceId, ShortDuration,
    Stratum, Timestamp, Version, WireTimestamp,
};

use self::frame::{Datagram, ETHERNET};
use super::*;
use crate::stamp::KernelReading;

/// The number of the loopback interface, where frames that are tried out seem to come in.
const LOOPBACK: u32 = 1;
const OURS: [&str; 2] = ["192.0.2.1", "2001:db8::1"];

/// A responder that answers everybody; `None` if this kernel has none, which is said.
fn everybody() -> Option<DriverResponder> {
    let mut responder = match DriverResponder::load() {
        Ok(responder) => responder,
        Err(
            error @ (XdpError::NotPermitted
            | XdpError::Refused {
                step: "maps" | "shared memory",
                ..
            }),
        ) => {
            let is_root = nix::unistd::Uid::effective().is_root();
            say(&format!("SKIPPED: answers in the driver: {error}"));
            assert!(
                is_root || std::env::var_os("CI").is_none(),
                "in CI this runs as root"
            );
            return None;
        }
        // A verifier that does not understand it is what the test is for.
        Err(error) => panic!("{error}"),
    };
    let ours = OURS.map(|address| (LOOPBACK, address.parse().unwrap()));
    responder.set_addresses(ours).unwrap();
    responder
        .set_sources(&[
            rule("0.0.0.0", 0, Treatment::Answered),
            rule("::", 0, Treatment::Answered),
        ])
        .unwrap();
    Some(responder)
}

/// Not by `eprintln!`, which cargo holds back from tests that pass.
fn say(line: &str) {
    use std::io::Write;
    let _ = writeln!(io::stderr(), "\n{line}\n");
}

fn rule(address: &str, length: u8, treatment: Treatment) -> SourceRule {
    SourceRule {
        address: address.parse().unwrap(),
        length,
        any_port: treatment,
        ntp_port: treatment,
    }
}

fn moment(gain: f64) -> Moment {
    Moment {
        now: Now {
            wall: Timestamp::from_unix(1_700_000_000, 250_000_000),
            monotonic: KernelReading::take().monotonic,
        },
        gain: Ppm::new(gain),
        port: 123,
        header: Header {
            leap: Leap::Insert,
            version: Version::V4,
            mode: Mode::Server,
            stratum: Stratum::new(3),
            poll: PollExponent::new(0),
            precision: Precision::new(-23),
            root_delay: ShortDuration::from_bits(0x0001_0203),
            root_dispersion: ShortDuration::from_bits(0x0004_0506),
            reference_id: ReferenceId::from_bytes([10, 11, 12, 13]),
            reference_time: WireTimestamp::from_bits(0x1112_1314_1516_1718),
            origin_time: WireTimestamp::ZERO,
            receive_time: WireTimestamp::ZERO,
            transmit_time: WireTimestamp::ZERO,
        },
        headway: 8,
        minimum: 2,
    }
}

fn request(from: &str, version: u8) -> Datagram {
    let from: SocketAddr = from.parse().unwrap();
    let ours = OURS[usize::from(from.is_ipv6())];
    let mut data = vec![0xc3 | version << 3, 16, 7, 0xfa];
    data.extend(4..48);
    Datagram {
        from,
        to: SocketAddr::new(ours.parse().unwrap(), 123),
        data,
    }
}

const CLIENTS: [&str; 2] = ["198.51.100.7:4000", "[2001:db8:7::9]:4000"];

impl DriverResponder {
    /// What becomes of a frame at a moment of now; a machine that stands still for seconds
    /// between the two is given another chance.
    fn ask(&mut self, frame: &[u8]) -> (Fate, Vec<u8>) {
        for _ in 0..10 {
            let moment = moment(0.0);
            self.publish(&moment);
            let result = self.try_out(frame).unwrap();
            let took = KernelReading::take().monotonic.since(moment.now.monotonic);
            if result.0 != Fate::Passed || took < Self::VALID_FOR {
                return result;
            }
        }
        panic!("the machine stands still");
    }
}

#[test]
fn the_reply_has_our_fields_the_clients_and_the_time() {
    let Some(mut responder) = everybody() else {
        return;
    };
    for (gain, client) in [(0.0, CLIENTS[0]), (500.0, CLIENTS[1]), (-500.0, CLIENTS[0])] {
        for version in 1..=4 {
            let request = request(client, version);
            let (moment, frame) = (0..10)
                .find_map(|_| {
                    let moment = moment(gain);
                    responder.publish(&moment);
                    let (fate, frame) = responder.try_out(&request.to_frame()).unwrap();
                    (fate == Fate::Answered).then_some((moment, frame))
                })
                .expect("a reply");
            let reply = Datagram::of_reply(&frame).expect("a whole reply");
            assert_eq!((reply.from, reply.to), (request.to, request.from));
            let seen = responder.sightings().unwrap();
            assert_eq!(seen.len(), 1);
            assert_eq!((seen[0].client, seen[0].port), (request.from.ip(), 4000));
            assert_eq!((seen[0].asked, seen[0].version), (request.to.ip(), version));
            assert_eq!((seen[0].count, seen[0].fate), (1, Fate::Answered));

            let since = seen[0].last.since(moment.now.monotonic).as_nanos() as f64;
            let seconds = since * 1e-9 * (1.0 + gain * 1e-6);
            let expected = moment.now.wall + ntp_wire::Duration::from_seconds_f64(seconds);
            let mut header = Header::parse(&reply.data).unwrap();
            let error = header.transmit_time.near(expected) - expected;
            assert!(error.to_seconds_f64().abs() < 4e-9, "{error:?}");
            assert_eq!(header.receive_time, header.transmit_time);
            header.receive_time = WireTimestamp::ZERO;
            header.transmit_time = WireTimestamp::ZERO;
            let expected = Header {
                version: Version::from_bits(version),
                poll: PollExponent::new(7),
                origin_time: WireTimestamp::from_bits(0x2829_2a2b_2c2d_2e2f),
                ..moment.header
            };
            assert_eq!(header, expected);
        }
    }
}

#[test]
fn whatever_is_damaged_is_passed_on() {
    let Some(mut responder) = everybody() else {
        return;
    };
    for client in CLIENTS {
        let good = request(client, 4).to_frame();
        assert_eq!(responder.ask(&good).0, Fate::Answered);
        for bit in 0..good.len() * 8 {
            let mut frame = good.clone();
            frame[bit / 8] ^= 1 << (bit % 8);
            let (fate, after) = responder.ask(&frame);
            // Hardware addresses have no checksum, nor have class, flow and hops of IPv6.
            let octet = bit / 8;
            let is_free = octet < 12
                || client.starts_with('[') && (15..18).contains(&octet)
                || client.starts_with('[') && (octet == 14 && bit % 8 < 4 || octet == 21);
            let to_many = [0, 48].contains(&bit);
            if is_free && !to_many {
                assert_eq!(fate, Fate::Answered, "{client}, bit {bit}");
            } else {
                assert_eq!(fate, Fate::Passed, "{client}, bit {bit}");
                assert_eq!(after, frame, "{client}, bit {bit}");
            }
        }
        for length in ETHERNET..good.len() {
            assert_eq!(responder.ask(&good[..length]).0, Fate::Passed, "{length}");
        }
        let longer = [&good[..], &[0]].concat();
        assert_eq!(responder.ask(&longer).0, Fate::Passed);
    }
}

#[test]
fn whatever_is_no_plain_request_to_us_is_passed_on() {
    let Some(mut responder) = everybody() else {
        return;
    };
    let plain = |client: &str| request(client, 4);
    let mut others = Vec::new();
    for client in CLIENTS {
        for first in 0..=255_u8 {
            let mut other = plain(client);
            other.data[0] = first;
            if first & 7 != 3 || !(1..=4).contains(&(first >> 3 & 7)) {
                others.push(other);
            }
        }
        for length in [0, 1, 12, 47, 49, 52, 68, 72, 200] {
            let mut other = plain(client);
            other.data.resize(length, 0);
            others.push(other);
        }
        for port in [0, 122, 124, 0x7b00] {
            let mut other = plain(client);
            other.to.set_port(port);
            others.push(other);
        }
        let mut no_port = plain(client);
        no_port.from.set_port(0);
        others.push(no_port);
    }
    for (from, to) in [
        (CLIENTS[0], "192.0.2.2"),
        (CLIENTS[0], "255.255.255.255"),
        (CLIENTS[1], "2001:db8::2"),
        (CLIENTS[1], "ff02::101"),
    ] {
        let mut other = plain(from);
        other.to.set_ip(to.parse().unwrap());
        others.push(other);
    }
    for from in [
        "0.0.0.0:4000",
        "127.0.0.1:4000",
        "224.0.1.1:4000",
        "255.255.255.255:4000",
        "[::]:4000",
        "[::1]:4000",
        "[::ffff:198.51.100.7]:4000",
        "[ff02::101]:4000",
        "[fe80::1]:4000",
    ] {
        others.push(plain(from));
    }
    for other in others {
        let frame = other.to_frame();
        assert_eq!(responder.ask(&frame), (Fate::Passed, frame), "{other:?}");
    }

    // Fragments, options, a label of a virtual network, and IPv6 without a checksum.
    let good = plain(CLIENTS[0]).to_frame();
    for (at, value) in [(20, 0x20), (20, 0x60), (21, 1)] {
        let mut fragment = good.clone();
        fragment[at] = value;
        fragment[24..26].fill(0);
        let checksum = !frame::sum(&[&fragment[14..34]]);
        fragment[24..26].copy_from_slice(&checksum.to_be_bytes());
        assert_eq!(responder.ask(&fragment).0, Fate::Passed);
    }
    let mut options = [&good[..34], &[1, 1, 1, 1], &good[34..]].concat();
    (options[14], options[17]) = (0x46, 80);
    options[24..26].fill(0);
    let checksum = !frame::sum(&[&options[14..38]]);
    options[24..26].copy_from_slice(&checksum.to_be_bytes());
    assert_eq!(responder.ask(&options).0, Fate::Passed);
    let labelled = [&good[..12], &[0x81, 0, 0, 5], &good[12..]].concat();
    assert_eq!(responder.ask(&labelled).0, Fate::Passed);
    let mut bare = plain(CLIENTS[1]).to_frame();
    bare[60..62].fill(0);
    assert_eq!(responder.ask(&bare).0, Fate::Passed);
    // Over IPv4 there may be none.
    let mut bare = good;
    bare[40..42].fill(0);
    assert_eq!(responder.ask(&bare).0, Fate::Answered);
}

#[test]
fn only_the_interface_that_has_the_address_counts() {
    let Some(mut responder) = everybody() else {
        return;
    };
    let frame = request(CLIENTS[0], 4).to_frame();
    let ours = OURS[0].parse().unwrap();
    responder.set_addresses([(LOOPBACK + 1, ours)]).unwrap();
    assert_eq!(responder.ask(&frame).0, Fate::Passed);
    responder.set_addresses([(LOOPBACK, ours)]).unwrap();
    assert_eq!(responder.ask(&frame).0, Fate::Answered);
    responder.set_addresses([]).unwrap();
    assert_eq!(responder.ask(&frame).0, Fate::Passed);
}

#[test]
fn nothing_is_answered_from_a_moment_that_is_over() {
    let Some(mut responder) = everybody() else {
        return;
    };
    let frame = request(CLIENTS[0], 4).to_frame();
    // None was told yet.
    assert_eq!(responder.try_out(&frame).unwrap().0, Fate::Passed);
    let mut old = moment(0.0);
    let age = DriverResponder::VALID_FOR.as_nanos() as u64 + 1;
    old.now.monotonic = Monotonic::from_nanos(old.now.monotonic.as_nanos().saturating_sub(age));
    responder.publish(&old);
    assert_eq!(responder.try_out(&frame).unwrap().0, Fate::Passed);
    // Nor from one that is still to come.
    let mut early = moment(0.0);
    early.now.monotonic += std::time::Duration::from_secs(1000);
    responder.publish(&early);
    assert_eq!(responder.try_out(&frame).unwrap().0, Fate::Passed);
    assert_eq!(responder.ask(&frame).0, Fate::Answered);
    responder.retire();
    assert_eq!(responder.try_out(&frame).unwrap().0, Fate::Passed);
    assert_eq!(responder.ask(&frame).0, Fate::Answered);
}

#[test]
fn the_longest_prefix_decides_and_rules_change() {
    let Some(mut responder) = everybody() else {
        return;
    };
    let mut by_port = rule("198.51.100.8", 32, Treatment::Answered);
    by_port.ntp_port = Treatment::Up;
    let rules = [
        rule("198.51.0.0", 16, Treatment::Answered),
        rule("198.51.100.0", 24, Treatment::Up),
        by_port,
        rule("2001:db8:7::", 48, Treatment::Answered),
        rule("2001:db8:7::8000", 113, Treatment::Up),
    ];
    let fates = |responder: &mut DriverResponder| {
        [
            "198.51.1.1:4000",
            "198.51.100.7:4000",
            "198.51.100.8:4000",
            "198.51.100.8:123",
            "203.0.113.1:4000",
            "[2001:db8:7::9]:4000",
            "[2001:db8:7::8001]:4000",
            "[2001:db8:8::1]:4000",
        ]
        .map(|from| responder.ask(&request(from, 4).to_frame()).0 == Fate::Answered)
    };
    responder.set_sources(&rules).unwrap();
    let expected = [true, false, true, false, false, true, false, false];
    assert_eq!(fates(&mut responder), expected);
    // Nobody is answered by half of other rules: it takes another moment.
    responder.publish(&moment(0.0));
    responder.set_sources(&rules[..1]).unwrap();
    let frame = request("198.51.1.1:4000", 4).to_frame();
    assert_eq!(responder.try_out(&frame).unwrap().0, Fate::Passed);
    let expected = [true, true, true, true, false, false, false, false];
    assert_eq!(fates(&mut responder), expected);
    responder.set_sources(&[]).unwrap();
    assert_eq!(fates(&mut responder), [false; 8]);
}

#[test]
fn what_was_done_is_counted() {
    let Some(mut responder) = everybody() else {
        return;
    };
    let limited = Treatment::Limited { kissed: true };
    responder
        .set_sources(&[
            rule("0.0.0.0", 0, Treatment::Answered),
            rule("203.0.113.0", 24, limited),
        ])
        .unwrap();
    for _ in 0..3 {
        responder.ask(&request(CLIENTS[0], 4).to_frame());
    }
    responder.ask(&request(CLIENTS[0], 3).to_frame());
    let before = responder.counts();
    let expected = DriverCounts {
        this_version: 3,
        older_version: 1,
        answered: 4,
        ..DriverCounts::default()
    };
    assert_eq!(before, expected);
    // The second one comes too soon, as do the others, unless the machine stands still.
    for _ in 0..20 {
        responder.ask(&request("203.0.113.4:4000", 4).to_frame());
    }
    let after = responder.counts();
    assert_eq!(after.answered + after.limited, 24);
    assert!(after.kisses > 0 && after.limited > 0, "{after:?}");
    let seen = responder.sightings().unwrap();
    let of = |client: &str| {
        let client: IpAddr = client.parse().unwrap();
        seen.iter().find(|seen| seen.client == client).unwrap()
    };
    assert_eq!(seen.len(), 2);
    assert_eq!(of("198.51.100.7").count, 4);
    assert_eq!(of("198.51.100.7").version, 3);
    assert_eq!(of("203.0.113.4").count, 20);
    assert!(of("203.0.113.4").first < of("203.0.113.4").last);
    assert_eq!(responder.sightings().unwrap(), []);
}

#[test]
fn many_clients_are_all_told_of() {
    let Some(mut responder) = everybody() else {
        return;
    };
    const MANY: u32 = 5000;
    for number in 0..MANY {
        let from = SocketAddr::new(Ipv4Addr::from_bits(0x0a00_0001 + number).into(), 4000);
        responder.ask(&request(&from.to_string(), 4).to_frame());
    }
    let seen = responder.sightings().unwrap();
    assert_eq!(seen.len(), MANY as usize);
    assert!(seen.is_sorted_by_key(|seen| seen.last));
}
