//! Hosts from lines of a configuration, and what they say when asked over mode 6.

use std::{net::IpAddr, time::Duration as Elapsed};

use ntp_engine::{Engine, Setup};
use ntp_keys::{KeyTable, MacBuffer};
use ntp_sim::{Datagram, Delay, Link, Loss, World};
use ntp_wire::{
    AssociationId, Duration, Header, KeyId, Ppm, Timestamp,
    control::{ControlHeader, ControlMessage, Opcode, PeerStatus},
};

pub(crate) const A: &str = "10.0.0.1";
pub(crate) const B: &str = "10.0.0.2";
/// Who asks over mode 6.
const ASKER: &str = "10.0.0.9:40000";

const KEYS: &str = "1 MD5 sesame\n2 SHA1 abracadabra\n3 AES128CMAC sixteen-octets-x\n";
/// A clock of its own.
pub(crate) const CLOCK: &str = "server 127.127.1.0\nfudge 127.127.1.0 stratum 1\n";
pub(crate) const TRUST: &str = "keys k\ntrustedkey 1 2 3\n";

pub(crate) fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

pub(crate) fn network() -> World {
    let delay = Delay::Exponential {
        least: Elapsed::from_micros(200),
        mean_excess: Elapsed::from_micros(50),
    };
    World::new(
        Timestamp::from_unix(1_795_393_189, 0),
        Link::new(delay, Loss::NONE, [3; 32]),
    )
}

/// Adds a host whose clock is so many milliseconds ahead and gains so many ppm.
pub(crate) fn add(
    world: &mut World,
    at: &str,
    conf: &str,
    milliseconds: i32,
    frequency: f64,
) -> usize {
    let parsed = ntp_conf::parse("ntp.conf", conf, |_| Err("no".to_owned()));
    assert!(!parsed.has_errors(), "{}", parsed.render());
    let setup = Setup {
        keys: KeyTable::parse(KEYS).0,
        ..Setup::new(parsed.config)
    };
    let seed = [address(at).to_string().len() as u8 ^ at.as_bytes()[at.len() - 1]; 32];
    world.add(
        address(at),
        Duration::from_millis(milliseconds),
        Ppm::new(frequency),
        |now| Engine::new(setup, seed, now),
    )
}

/// What a host answers to a question of mode 6; `None` if that association is gone.
pub(crate) fn ask(
    world: &mut World,
    at: &str,
    association: u16,
    opcode: Opcode,
    data: &str,
) -> Option<Vec<u8>> {
    let mut buffer = [0; 512];
    let header = ControlHeader {
        association: AssociationId::new(association),
        ..ControlHeader::request(opcode, 9)
    };
    let length = header.emit_message(data.as_bytes(), &mut buffer).unwrap();
    let seen = world.trace().len();
    world.inject(Datagram {
        source: ASKER.parse().unwrap(),
        destination: format!("{at}:123").parse().unwrap(),
        data: buffer[..length].to_vec(),
    });
    world.run(Elapsed::ZERO);
    let mut text = Vec::new();
    for (_, datagram) in &world.trace()[seen..] {
        if datagram.destination == ASKER.parse().unwrap() {
            let message = ControlMessage::parse(&datagram.data).unwrap();
            if message.header().error {
                return None;
            }
            text.extend_from_slice(message.data());
        }
    }
    Some(text)
}

/// The associations of a host.
pub(crate) fn associations(world: &mut World, at: &str) -> Vec<(u16, PeerStatus)> {
    ask(world, at, 0, Opcode::READ_STATUS, "")
        .unwrap()
        .chunks_exact(4)
        .map(|four| {
            (
                u16::from_be_bytes([four[0], four[1]]),
                PeerStatus::from_bits(u16::from_be_bytes([four[2], four[3]])),
            )
        })
        .collect()
}

/// The associations of a host that are with `other`.
pub(crate) fn with(world: &mut World, at: &str, other: &str) -> Vec<(u16, PeerStatus)> {
    associations(world, at)
        .into_iter()
        .filter(|(id, _)| variable(world, at, *id, "srcadr") == other)
        .collect()
}

/// A variable of an association.
pub(crate) fn variable(world: &mut World, at: &str, association: u16, name: &str) -> String {
    let answer = ask(world, at, association, Opcode::READ_VARIABLES, name).unwrap();
    let text = String::from_utf8(answer).unwrap();
    let (_, value) = text
        .trim()
        .split_once('=')
        .unwrap_or_else(|| panic!("no {name} in {text:?}"));
    value.trim_matches('"').to_owned()
}

/// `header` as a packet, with a MAC if there is a key.
pub(crate) fn packet(header: &Header, key: Option<u32>) -> Vec<u8> {
    let mut bytes = [0; Header::LENGTH];
    header.emit(&mut bytes);
    let mut packet = bytes.to_vec();
    if let Some(id) = key {
        let table = KeyTable::parse(KEYS).0;
        let entry = table.lookup(KeyId::new(id)).unwrap();
        let mut buffer = MacBuffer::new();
        let mac = entry.key().mac(&bytes, &mut buffer);
        packet.extend_from_slice(&id.to_be_bytes());
        packet.extend_from_slice(mac);
    }
    packet
}

/// Puts a packet on the wire as if `from` had sent it.
pub(crate) fn forge(world: &mut World, from: &str, to: &str, data: Vec<u8>) {
    world.inject(Datagram {
        source: format!("{from}:123").parse().unwrap(),
        destination: format!("{to}:123").parse().unwrap(),
        data,
    });
    world.run(Elapsed::ZERO);
}

/// What `from` has sent to `to` since the trace was so long.
pub(crate) fn sent(world: &World, since: usize, from: &str, to: &str) -> Vec<Vec<u8>> {
    world.trace()[since..]
        .iter()
        .filter(|(_, datagram)| {
            datagram.source.ip() == address(from) && datagram.destination.ip() == address(to)
        })
        .map(|(_, datagram)| datagram.data.clone())
        .collect()
}
