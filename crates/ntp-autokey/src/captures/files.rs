//! The captures and the key files beside them.

use std::{collections::BTreeMap, net::IpAddr};

use ntp_keys::{Certificate, DigestAlgorithm, IffGroup, KeyFile, Secret};
use ntp_wire::Timestamp;

use super::{digest_of, time};
use crate::{GqKey, IdentityKey, IffKey, MvClientKey, MvServerKey, Stamp};

/// One capture.
pub(super) struct Case {
    pub(super) name: &'static str,
    pub(super) digest: DigestAlgorithm,
    pub(super) datagrams: Vec<Datagram>,
    pub(super) hosts: BTreeMap<IpAddr, Files>,
    /// Bare packets that it holds at least.
    pub(super) bare: usize,
    /// Links of key lists that it holds at least.
    pub(super) links: usize,
    /// Signed values that it holds at least.
    pub(super) signatures: usize,
    /// What becomes of each client: address, name, flags.
    pub(super) outcomes: &'static [(&'static str, &'static str, u32)],
}

/// One UDP datagram.
pub(super) struct Datagram {
    pub(super) time: Timestamp,
    pub(super) source: IpAddr,
    pub(super) destination: IpAddr,
    pub(super) payload: Vec<u8>,
}

/// What is needed of the files of one host.
pub(super) struct Files {
    pub(super) certificate: Certificate,
    /// The clients' half of the group.
    pub(super) parameters: Option<IdentityKey>,
    /// A server's half of the group.
    pub(super) secret: Option<IdentityKey>,
}

/// The capture of a folder, and the files of its hosts.
macro_rules! case {
    ($name:literal, $($folder:literal = $address:literal),+;
     bare $bare:literal links $links:literal signatures $signatures:literal;
     $outcomes:expr) => {
        Case {
            name: $name,
            digest: digest_of($name),
            datagrams: datagrams(include_bytes!(concat!("../../tests/vectors/", $name, "/cap.pcap"))),
            hosts: BTreeMap::from([$((
                $address.parse().unwrap(),
                Files::open(
                    include_str!(concat!("../../tests/vectors/", $name, "/", $folder, "/cert")),
                ),
            )),+]),
            bare: $bare,
            links: $links,
            signatures: $signatures,
            outcomes: $outcomes,
        }
    };
}

/// Gives the hosts of a case their halves of the group.
macro_rules! with_group {
    ($case:expr, $name:literal, $server:ident $(, $key:literal)?; $client:ident, $parameters:literal) => {{
        let mut case = $case;
        let file = include_str!(concat!("../../tests/vectors/", $name, "/b/", $parameters));
        let parameters = $client(&KeyFile::parse(file).unwrap());
        let key = None::<&str>
            $(.or(Some(include_str!(concat!("../../tests/vectors/", $name, "/a/", $key)))))?;
        let secret = match key {
            Some(file) => $server(&KeyFile::parse(file).unwrap()),
            None => another_secret(&parameters),
        };
        let mut hosts = case.hosts.values_mut();
        hosts.next().unwrap().secret = Some(secret);
        hosts.next().unwrap().parameters = Some(parameters);
        case
    }};
}

impl Case {
    pub(super) fn all() -> Vec<Self> {
        vec![
            with_group!(
                case!("iff-tradpar", "a" = "10.99.0.1", "b" = "10.99.0.2";
                    bare 16 links 8 signatures 6;
                    &[("10.99.0.2", "client", 0x87f23)]),
                "iff-tradpar", iff; iff, "iffpar"
            ),
            with_group!(
                case!("ipv6-iff", "a" = "fd00:99::1", "b" = "fd00:99::2";
                    bare 10 links 6 signatures 6;
                    &[("fd00:99::2", "client", 0x87f23)]),
                "ipv6-iff", iff; iff, "iffpar"
            ),
            with_group!(
                case!("gq", "a" = "10.99.0.1", "b" = "10.99.0.2";
                    bare 0 links 1 signatures 6;
                    &[("10.99.0.2", "client", 0x87f43)]),
                "gq", gq, "key"; gq, "par"
            ),
            with_group!(
                case!("mv", "a" = "10.99.0.1", "b" = "10.99.0.2";
                    bare 0 links 1 signatures 6;
                    &[("10.99.0.2", "client", 0x87f83)]),
                "mv", mv_server, "key"; mv_client, "par"
            ),
            with_group!(
                case!("mv-revoked", "a" = "10.99.0.1", "b" = "10.99.0.2";
                    bare 0 links 0 signatures 4;
                    &[]),
                "mv-revoked", mv_server, "key"; mv_client, "par"
            ),
            case!("rsa1024-sign-key", "a" = "10.99.0.1", "b" = "10.99.0.2";
                bare 0 links 1 signatures 5;
                &[("10.99.0.2", "client", 0x417f03)]),
            case!("rsa2048-sha256", "a" = "10.99.0.1", "b" = "10.99.0.2";
                bare 0 links 1 signatures 5;
                &[("10.99.0.2", "client", 0x29c7f03)]),
            case!("digest-sha1", "a" = "10.99.0.1", "b" = "10.99.0.2";
                bare 4 links 3 signatures 5;
                &[("10.99.0.2", "client", 0x87f03)]),
            case!("digest-sha256", "a" = "10.99.0.1", "b" = "10.99.0.2";
                bare 4 links 3 signatures 5;
                &[("10.99.0.2", "client", 0x87f03)]),
            case!("trail-tc", "a" = "10.99.0.1", "b" = "10.99.0.2",
                "c" = "10.99.0.3";
            bare 4 links 3 signatures 10;
            &[("10.99.0.2", "bravo", 0x87f03), ("10.99.0.3", "charlie", 0x87f01)]),
        ]
    }
}

/// The UDP datagrams of a capture in Ethernet frames, those of modes 3 and 4.
fn datagrams(capture: &[u8]) -> Vec<Datagram> {
    let little = |at: usize| u32::from_le_bytes(capture[at..at + 4].try_into().unwrap());
    let mut datagrams = Vec::new();
    let mut at = 24;
    while at < capture.len() {
        let length = little(at + 8) as usize;
        let frame = &capture[at + 16..at + 16 + length];
        let time = time(little(at), little(at + 4));
        at += 16 + length;
        let ip = &frame[14..];
        let address = |from: usize, octets: usize| match octets {
            4 => IpAddr::from(<[u8; 4]>::try_from(&ip[from..from + 4]).unwrap()),
            _ => IpAddr::from(<[u8; 16]>::try_from(&ip[from..from + 16]).unwrap()),
        };
        let (source, destination, udp) = match (ip[0] >> 4, ip[6], ip[9]) {
            (4, _, 17) => (
                address(12, 4),
                address(16, 4),
                &ip[usize::from(ip[0] & 15) * 4..],
            ),
            (6, 17, _) => (address(8, 16), address(24, 16), &ip[40..]),
            _ => continue,
        };
        let length = usize::from(u16::from_be_bytes([udp[4], udp[5]]));
        let payload = udp[8..length].to_vec();
        if matches!(payload[0] & 7, 3 | 4) {
            datagrams.push(Datagram {
                time,
                source,
                destination,
                payload,
            });
        }
    }
    datagrams
}

impl Files {
    fn open(certificate: &str) -> Self {
        Self {
            certificate: KeyFile::parse(certificate).unwrap().certificate().unwrap(),
            parameters: None,
            secret: None,
        }
    }
}

fn stamp(file: &KeyFile) -> Stamp {
    Stamp::new(file.filestamp())
}

fn iff(file: &KeyFile) -> IdentityKey {
    IffKey::new(file.iff_group("").unwrap(), stamp(file)).into()
}

fn gq(file: &KeyFile) -> IdentityKey {
    GqKey::new(file.gq_group("").unwrap(), stamp(file)).into()
}

fn mv_server(file: &KeyFile) -> IdentityKey {
    MvServerKey::new(file.mv_server("").unwrap(), stamp(file)).into()
}

fn mv_client(file: &KeyFile) -> IdentityKey {
    MvClientKey::new(file.mv_client("", 1).unwrap(), stamp(file)).into()
}

/// The same IFF group with a secret that we know.
fn another_secret(parameters: &IdentityKey) -> IdentityKey {
    let IdentityKey::Iff(key) = parameters else {
        panic!("only of IFF");
    };
    let [p, q, g] = [key.group().p(), key.group().q(), key.group().g()];
    let secret = Secret::from_be_bytes(&[7; 16]);
    let group = IffGroup::server(p.clone(), q.clone(), g.clone(), secret);
    IffKey::new(group.unwrap(), key.filestamp()).into()
}
