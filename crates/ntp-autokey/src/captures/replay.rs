//! Our client hears what the reference's heard, our server what the reference's heard.
//!
//! Our hosts bear the same names and have keys of their own. What was made for the keys of the
//! reference's client (its cookie, its signed certificate) is verified as far as it can be, and
//! then refused as foreign.

use std::net::IpAddr;

use ntp_keys::{Certificate, PublicKey};
use ntp_wire::{AssociationId, Header, Leap, Monotonic, Packet};

use super::{Case, cookie, message, pairs, trailer};
use crate::{
    Association, AssociationOptions, Direction, Exchange, IdentityGroups, IdentityKey, Message,
    Opcode, ReceiveError, Relation, Reply, StatusWord, Value,
    captures::files::Datagram,
    name,
    test_material::{Recipe, Strength, clients_half},
};

fn exchange(case: &Case, datagram: &Datagram, synchronised: bool) -> Exchange {
    assert!(!case.datagrams.is_empty());
    Exchange {
        local: datagram.source,
        remote: datagram.destination,
        now: datagram.time,
        monotonic: Monotonic::START,
        synchronised,
    }
}

#[test]
fn our_client_takes_what_the_references_took() {
    for case in Case::all() {
        for (address, name, flags) in case.outcomes {
            replay_client(&case, address.parse().unwrap(), name, *flags);
        }
    }
}

/// Gives our client called `name` the replies that the one at `address` got.
fn replay_client(case: &Case, address: IpAddr, name: &'static str, flags: u32) {
    let mut host = Recipe {
        name,
        digest: case.digest,
        ..Recipe::client()
    }
    .host();
    let mut groups = IdentityGroups::new();
    if let Some(key) = &case.hosts[&address].parameters {
        groups.insert("server", key.clone());
    }
    let mut association: Option<Association> = None;
    let mut times = 0;
    for (request, reply) in pairs(case).filter(|(request, _)| request.source == address) {
        let packet = Packet::parse(&request.payload).unwrap();
        let asked = message(&packet);
        let association = association.get_or_insert_with(|| {
            let id = u16::try_from(asked.unwrap().association).unwrap();
            Association::new(AssociationOptions {
                relation: Relation::Client,
                association: AssociationId::new(id),
                ident: None,
            })
        });
        let synchronised = packet.header().leap != Leap::Unsynchronised;
        let exchange = exchange(case, request, synchronised);
        // The dance asks the same things in the same order by itself.
        let question = asked.map(|asked| asked.opcode);
        let what = format!("{} {question:?}", case.name);
        assert_eq!(association.expects(&exchange), question, "{what}");
        let challenge = asked.and_then(|asked| asked.value);
        let challenge = challenge.map(|value| value.octets);
        association.pretend_asked(trailer(&packet).0, question, challenge);
        let packet = Packet::parse(&reply.payload).unwrap();
        let result = association.receive(&mut host, &exchange, &groups, &packet);
        match question {
            Some(Opcode::Cookie) => {
                assert_eq!(result, Err(ReceiveError::Cookie), "{what}");
                let cookie = cookie(case, request.source, request.destination);
                association.pretend_cookie(cookie);
            }
            Some(Opcode::Sign) => {
                assert_eq!(result, Err(ReceiveError::NotOurs), "{what}");
                association.pretend_signed();
            }
            Some(Opcode::Certificate) if result.is_err() => {
                // The server was not synchronised yet.
                let error = ReceiveError::NoValue(Opcode::Certificate);
                assert_eq!(result, Err(error), "{what}");
            }
            None => {
                assert!(result.unwrap().time_usable, "{what}");
                times += 1;
            }
            Some(_) => assert!(result.unwrap().progress, "{what}"),
        }
    }
    let association = association.unwrap();
    assert_eq!(association.status().bits(), flags, "{} {name}", case.name);
    let bare = |datagram: &&Datagram| {
        let packet = Packet::parse(&datagram.payload).unwrap();
        message(&packet).is_none() && datagram.source == address
    };
    assert_eq!(times, case.datagrams.iter().filter(bare).count());
}

#[test]
fn our_server_answers_what_the_references_answered() {
    for case in Case::all() {
        let server: IpAddr = case.hosts.keys().next().copied().unwrap();
        let files = &case.hosts[&server];
        let certificate = &files.certificate;
        let recipe = Recipe {
            name: if certificate.subject() == "alpha" {
                "alpha"
            } else {
                "server"
            },
            strength: match certificate.public_key().bits() {
                2048 => Strength::Today,
                1024 => Strength::Between,
                _ => Strength::Of2008,
            },
            digest: case.digest,
            identity: files.secret.clone().into_iter().collect(),
            ..Recipe::server()
        };
        let mut host = recipe.host();
        for (request, theirs) in pairs(&case).filter(|(request, _)| request.destination == server) {
            let at_client = exchange(&case, request, true);
            let at_server = Exchange {
                local: at_client.remote,
                remote: at_client.local,
                ..at_client
            };
            host.set_synchronised(at_server.now, true);
            let packet = Packet::parse(&request.payload).unwrap();
            let theirs = Packet::parse(&theirs.payload).unwrap();
            let mut reply = theirs.authenticated()[..Header::LENGTH].to_vec();
            let verdict = host
                .respond_at_once(&at_server, &packet, &mut reply)
                .unwrap();
            let Some(asked) = message(&packet) else {
                // The reference's cookie is not ours.
                let restart = Some(trailer(&packet).0);
                assert_eq!(verdict, Reply::CryptoNak { restart });
                continue;
            };
            assert_eq!(verdict, Reply::Sealed);
            let ours = Packet::parse(&reply).unwrap();
            assert_eq!(trailer(&ours).0, trailer(&theirs).0);
            let (ours, theirs) = (message(&ours).unwrap(), message(&theirs).unwrap());
            compare(&case, &asked, &ours, &theirs);
            let ours = ours.value.unwrap();
            let own = recipe.certificate();
            if asked.opcode != Opcode::Association {
                ours.verify(own.public_key(), own.scheme()).unwrap();
            }
            if matches!(asked.opcode, Opcode::Iff | Opcode::Gq | Opcode::Mv)
                && case.name != "mv-revoked"
            {
                let challenge = asked.value.unwrap().octets;
                let key = files.secret.as_ref().unwrap();
                let parameters = match key {
                    IdentityKey::Iff(key) => clients_half(key).into(),
                    _ => case.hosts[&request.source].parameters.clone().unwrap(),
                };
                let certified = own.group_key();
                assert_eq!(parameters.verify(challenge, ours.octets, certified), Ok(()));
            }
        }
    }
}

/// Our answer must have the shape of the reference's.
fn compare(case: &Case, asked: &Message<'_>, ours: &Message<'_>, theirs: &Message<'_>) {
    let what = format!("{} {}", case.name, asked.opcode);
    assert_eq!(ours.opcode, theirs.opcode, "{what}");
    assert_eq!(ours.direction, Direction::Response);
    assert_eq!(ours.association, theirs.association, "{what}");
    let (ours, theirs) = (ours.value.unwrap(), theirs.value.unwrap());
    assert_eq!(ours.signature.len(), theirs.signature.len(), "{what}");
    let question = asked.value.map(|value| value.octets).unwrap_or_default();
    match asked.opcode {
        Opcode::Association => {
            let status = |value: Value<'_>| StatusWord::from_bits(value.filestamp.value());
            assert_eq!(status(ours), status(theirs), "{what}");
            assert_eq!(name::read(ours.octets), name::read(theirs.octets), "{what}");
        }
        Opcode::Certificate => {
            let read = |value: Value<'_>| Certificate::parse(value.octets).unwrap();
            let (ours, theirs) = (read(ours), read(theirs));
            assert_eq!(ours.subject(), theirs.subject(), "{what}");
            assert_eq!(ours.issuer(), theirs.issuer(), "{what}");
            assert_eq!(ours.trust(), theirs.trust(), "{what}");
            assert_eq!(ours.scheme(), theirs.scheme(), "{what}");
        }
        Opcode::Leap => assert_eq!(ours.octets, theirs.octets, "{what}"),
        Opcode::Cookie => {
            assert!(PublicKey::from_pkcs1_der(question).is_ok());
            assert_eq!(ours.octets.len(), theirs.octets.len(), "{what}");
        }
        Opcode::Sign => {
            let read = |octets| Certificate::parse(octets).unwrap();
            let (question, ours, theirs) = (read(question), read(ours.octets), read(theirs.octets));
            assert_eq!(ours.subject(), theirs.subject(), "{what}");
            assert_eq!(ours.issuer(), theirs.issuer(), "{what}");
            assert_eq!(ours.public_key(), question.public_key(), "{what}");
            assert_eq!(ours.scheme(), theirs.scheme(), "{what}");
            assert_eq!(ours.der().len(), theirs.der().len(), "{what}");
        }
        _ => assert_eq!(ours.octets.len() / 8, theirs.octets.len() / 8, "{what}"),
    }
}
