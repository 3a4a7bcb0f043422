//! What a symmetric key proves, and what is not believed without.

#![allow(clippy::unwrap_used)] // A test that can't go on has failed.

use std::time::Duration as Elapsed;

use ntp_engine::{Engine, Setup};
use ntp_keys::{KeyEntry, KeyTable, MacBuffer};
use ntp_sim::{Datagram, Delay, Link, Loss, World};
use ntp_wire::{
    Duration, Header, KeyId, KissCode, Mode, Packet, Ppm, Timestamp, Trailer,
    control::{ControlHeader, ControlMessage, ErrorCode, Opcode},
};

const KEYS: &str = "1 MD5 sesame\n2 SHA1 abracadabra\n";
const STRANGER: &str = "10.0.0.7:40000";

/// A server with a clock of its own, and these lines.
fn world(text: &str) -> World {
    let text = format!("server 127.127.1.0\nfudge 127.127.1.0 stratum 1\n{text}");
    let parsed = ntp_conf::parse("ntp.conf", &text, |_: &std::path::Path| Err(String::new()));
    assert!(!parsed.has_errors(), "{}", parsed.render());
    let setup = Setup {
        keys: KeyTable::parse(KEYS).0,
        ..Setup::new(parsed.config)
    };
    let origin = Timestamp::from_unix(1_795_393_189, 0);
    let link = Link::new(Delay::Fixed(Elapsed::from_millis(1)), Loss::NONE, [3; 32]);
    let mut world = World::new(origin, link);
    let start = move |now| Engine::new(setup, [1; 32], now);
    world.add(
        "10.0.0.1".parse().unwrap(),
        Duration::ZERO,
        Ppm::ZERO,
        start,
    );
    world.run(Elapsed::from_secs(60));
    world
}

/// What the server answers to this.
fn answer(world: &mut World, data: &[u8]) -> Option<Vec<u8>> {
    let source = STRANGER.parse().unwrap();
    let seen = world.trace().len();
    world.inject(Datagram {
        source,
        destination: "10.0.0.1:123".parse().unwrap(),
        data: data.to_vec(),
    });
    world.run(Elapsed::ZERO);
    let mut new = world.trace()[seen..].iter();
    let answer = new.find(|(_, datagram)| datagram.destination == source)?;
    Some(answer.1.data.clone())
}

fn with_key<T>(id: u32, then: impl FnOnce(&KeyEntry) -> T) -> T {
    then(KeyTable::parse(KEYS).0.lookup(KeyId::new(id)).unwrap())
}

/// Puts the MAC of this key behind it.
fn seal(id: u32, packet: &mut Vec<u8>) {
    with_key(id, |entry| {
        let mut buffer = MacBuffer::new();
        let mac = entry.key().mac(packet, &mut buffer).to_vec();
        packet.extend(id.to_be_bytes());
        packet.extend(mac);
    });
}

/// Whether it is a kiss that says `RATE`, and, if it has a MAC, of which key.
fn kiss(reply: &[u8]) -> Option<KeyId> {
    let packet = Packet::parse(reply).unwrap();
    assert_eq!(packet.header().kiss_code(), Some(KissCode::Rate));
    match packet.trailer() {
        Trailer::None => None,
        Trailer::Mac { key_id, digest } => {
            with_key(key_id.value(), |entry| {
                assert!(entry.key().verify(packet.authenticated(), digest));
            });
            Some(key_id)
        }
        Trailer::CryptoNak => panic!("a crypto-NAK"),
    }
}

/// A request with the MAC of this key.
fn request(world: &World, id: u32) -> Vec<u8> {
    let mut header = [0; Header::LENGTH];
    Header {
        mode: Mode::Client,
        transmit_time: world.true_time().to_wire(),
        ..Header::default()
    }
    .emit(&mut header);
    let mut packet = header.to_vec();
    seal(id, &mut packet);
    packet
}

#[test]
fn a_kiss_has_the_mac_that_its_request_has() {
    let limits = "trustedkey 1\nrestrict default limited kod\n";
    let mut sealed = world(limits);
    let asked = request(&sealed, 1);
    assert!(answer(&mut sealed, &asked).is_some());
    assert_eq!(
        kiss(&answer(&mut sealed, &asked).unwrap()),
        Some(KeyId::new(1))
    );
    // A wrong MAC, and a key that is not trusted: nothing is sealed for who has no key.
    let damaged = |world: &World| {
        let mut asked = request(world, 1);
        *asked.last_mut().unwrap() ^= 1;
        asked
    };
    for asked in [damaged, |world: &World| request(world, 2)] {
        let mut world = world(limits);
        let asked = asked(&world);
        assert!(answer(&mut world, &asked).is_some());
        let reply = answer(&mut world, &asked).unwrap();
        assert_eq!((kiss(&reply), reply.len()), (None, Header::LENGTH));
    }
}

/// What a write under this key comes to.
fn write(world: &mut World, id: u32) -> Option<ErrorCode> {
    let mut buffer = [0; 64];
    let header = ControlHeader::request(Opcode::WRITE_VARIABLES, 9);
    let length = header.emit_message(b"sysname=", &mut buffer).unwrap();
    let mut message = buffer[..length].to_vec();
    message.resize(length.next_multiple_of(8), 0);
    seal(id, &mut message);
    let reply = answer(world, &message).unwrap();
    let header = *ControlMessage::parse(&reply).unwrap().header();
    header.error.then(|| ErrorCode::from_status(header.status))
}

#[test]
fn the_control_key_must_be_trusted() {
    let permission = Some(ErrorCode::PERMISSION);
    for (text, allowed) in [
        ("trustedkey 1 2\ncontrolkey 1\n", true),
        ("trustedkey 2\ncontrolkey 1\n", false),
        ("controlkey 1\n", false),
        ("trustedkey 1 2\ncontrolkey 2\n", false),
        ("trustedkey 1 2\n", false),
    ] {
        let answer = write(&mut world(text), 1);
        assert_eq!(answer != permission, allowed, "{text} {answer:?}");
    }
}
