//! Exchanges of ntpd 4.2.8p15, captured: everything in them is computed again.

use std::{collections::BTreeMap, net::IpAddr};

use ntp_keys::DigestAlgorithm;
use ntp_wire::{Header, KeyId, Mode, Packet, Timestamp, Trailer};

use crate::{
    Cookie, IdentityError, Message, Opcode, ReceiveError, SessionKey, Stamp, Value,
    captures::files::{Case, Datagram},
};

mod files;
mod replay;

/// The reference's secret is zero, so everybody can compute its cookies.
fn cookie(case: &Case, client: IpAddr, server: IpAddr) -> Cookie {
    let key = SessionKey::new(case.digest, client, server, KeyId::new(0), Cookie::new(0));
    Cookie::new(key.next_key_id().value())
}

fn trailer<'a>(packet: &Packet<'a>) -> (KeyId, &'a [u8]) {
    match packet.trailer() {
        Trailer::Mac { key_id, digest } => (key_id, digest),
        other => panic!("{other:?}"),
    }
}

fn message<'a>(packet: &Packet<'a>) -> Option<Message<'a>> {
    let field = packet.extensions().next()?;
    Some(Message::parse(&field).unwrap())
}

/// Requests with their replies.
fn pairs(case: &Case) -> impl Iterator<Item = (&Datagram, &Datagram)> {
    case.datagrams
        .iter()
        .enumerate()
        .filter_map(|(at, request)| {
            let packet = Packet::parse(&request.payload).unwrap();
            let (id, _) = trailer(&packet);
            let is_reply = |reply: &&Datagram| {
                let reply = Packet::parse(&reply.payload).unwrap();
                reply.header().mode == Mode::Server && trailer(&reply).0 == id
            };
            let reply = case.datagrams[at..].iter().find(is_reply)?;
            (packet.header().mode == Mode::Client).then_some((request, reply))
        })
}

#[test]
fn every_mac_and_every_field_can_be_made_again() {
    for case in Case::all() {
        let mut bare = 0;
        for datagram in &case.datagrams {
            let packet = Packet::parse(&datagram.payload).unwrap();
            let (key_id, digest) = trailer(&packet);
            let is_request = packet.header().mode == Mode::Client;
            let (source, destination) = (datagram.source, datagram.destination);
            let secret = match message(&packet) {
                Some(message) => {
                    let mut again = datagram.payload[..Header::LENGTH].to_vec();
                    message.emit(&mut again);
                    // The reference pads with what happened to lie there; ours are zeroes.
                    assert_eq!(again.len(), packet.authenticated().len(), "{}", case.name);
                    Cookie::PUBLIC
                }
                None => {
                    bare += 1;
                    if is_request {
                        cookie(&case, source, destination)
                    } else {
                        cookie(&case, destination, source)
                    }
                }
            };
            let key = SessionKey::new(case.digest, source, destination, key_id, secret);
            assert!(key.verify(packet.authenticated(), digest), "{}", case.name);
            let mut again = packet.authenticated().to_vec();
            key.seal(key_id, &mut again);
            assert_eq!(again, datagram.payload);
        }
        assert!(bare >= case.bare, "{}: {bare} bare packets", case.name);
    }
}

#[test]
fn key_lists_hang_together_as_ours_do() {
    for case in Case::all() {
        let mut last: BTreeMap<IpAddr, KeyId> = BTreeMap::new();
        let mut links = 0;
        for (request, _) in pairs(&case) {
            let (source, destination) = (request.source, request.destination);
            let (key_id, _) = trailer(&Packet::parse(&request.payload).unwrap());
            let secret = cookie(&case, source, destination);
            let key = SessionKey::new(case.digest, source, destination, key_id, secret);
            if last.insert(source, key_id) == Some(key.next_key_id()) {
                links += 1;
            }
        }
        assert!(links >= case.links, "{}: {links} links", case.name);
    }
}

#[test]
fn every_signature_is_verified() {
    for case in Case::all() {
        let mut count = 0;
        for datagram in &case.datagrams {
            let packet = Packet::parse(&datagram.payload).unwrap();
            let Some(Message {
                value: Some(value),
                opcode,
                ..
            }) = message(&packet)
            else {
                continue;
            };
            if opcode == Opcode::Association || value.timestamp.is_never() {
                assert_eq!(value.signature, b"");
                continue;
            }
            let certificate = &case.hosts[&datagram.source].certificate;
            let verify =
                |value: &Value<'_>| value.verify(certificate.public_key(), certificate.scheme());
            assert_eq!(verify(&value), Ok(()), "{} {opcode}", case.name);
            let later = Value {
                timestamp: Stamp::new(value.timestamp.value() + 1),
                ..value
            };
            assert_eq!(verify(&later), Err(ReceiveError::Signature));
            count += 1;
        }
        assert!(
            count >= case.signatures,
            "{}: {count} signatures",
            case.name
        );
    }
}

#[test]
fn every_answer_to_a_challenge_is_verified() {
    let mut count = 0;
    for case in Case::all() {
        for (request, reply) in pairs(&case) {
            let reply_source = reply.source;
            let (request_packet, reply) = (
                Packet::parse(&request.payload).unwrap(),
                Packet::parse(&reply.payload).unwrap(),
            );
            let (Some(asked), Some(answer)) = (message(&request_packet), message(&reply)) else {
                continue;
            };
            if !matches!(asked.opcode, Opcode::Iff | Opcode::Gq | Opcode::Mv) {
                continue;
            }
            let certified = case.hosts[&reply_source].certificate.group_key();
            let parameters = case.hosts[&request.source].parameters.as_ref().unwrap();
            let (asked, answer) = (asked.value.unwrap(), answer.value.unwrap());
            assert_eq!(asked.filestamp, parameters.filestamp());
            assert_eq!(answer.filestamp, parameters.filestamp());
            let verify = |challenge: &[u8]| parameters.verify(challenge, answer.octets, certified);
            let refused = Err(IdentityError::NotVerified);
            // The third client of the MV group is the one that was revoked.
            let expected = match case.name {
                "mv-revoked" => refused,
                _ => Ok(()),
            };
            assert_eq!(verify(asked.octets), expected, "{}", case.name);
            let mut other = asked.octets.to_vec();
            other[10] ^= 1;
            assert_eq!(verify(&other), refused, "{}", case.name);
            count += 1;
        }
    }
    assert_eq!(count, 7);
}

/// The point in time of a capture's clock.
fn time(seconds: u32, microseconds: u32) -> Timestamp {
    Timestamp::from_unix(seconds.into(), microseconds * 1000)
}

/// The digest that a case was run with.
const fn digest_of(name: &str) -> DigestAlgorithm {
    match name.as_bytes() {
        b"digest-sha1" => DigestAlgorithm::Sha1,
        b"digest-sha256" => DigestAlgorithm::Sha256,
        _ => DigestAlgorithm::Md5,
    }
}
