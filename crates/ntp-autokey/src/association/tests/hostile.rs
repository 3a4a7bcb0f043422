//! Replies that somebody has tampered with, or made up.

use ntp_keys::{Certificate, CertificateRequest};
use ntp_wire::{Duration, Packet};

use super::*;
use crate::{SessionKey, signed_value::Signer, test_material::start};

/// Replaces the field of `reply` by what `change` makes of it, and the MAC by a right one: both are
/// in everybody's power, as the cookie of such packets is public.
fn forge(world: &World, reply: &[u8], change: impl FnOnce(&mut Message<'_>)) -> Vec<u8> {
    let packet = Packet::parse(reply).unwrap();
    let field = packet.extensions().next().unwrap();
    let mut message = Message::parse(&field).unwrap();
    change(&mut message);
    let mut forged = header(4);
    message.emit(&mut forged);
    seal(world, forged)
}

fn seal(world: &World, mut packet: Vec<u8>) -> Vec<u8> {
    let key_id = world.association.sent.unwrap().key_id;
    SessionKey::new(DigestAlgorithm::Md5, SERVER, CLIENT, key_id, Cookie::PUBLIC)
        .seal(key_id, &mut packet);
    packet
}

/// A world before the `step`th reply, and that reply.
fn before(step: usize) -> (World, Vec<u8>) {
    let (mut world, key) = iff_world(None);
    world.groups.insert("server", clients_half(&key));
    for _ in 0..step {
        if world.poll().unwrap().progress && world.association.is_proventic() {
            world.client_synchronised = true;
        }
    }
    let request = world.request();
    let (_, reply) = world.respond(&request).unwrap();
    (world, reply)
}

const STEPS: [&str; 6] = ["ASSOC", "CERT", "IFF", "COOKIE", "SIGN", "LEAP"];

#[test]
fn steps_are_what_they_are_called() {
    for (step, name) in STEPS.iter().enumerate() {
        let (mut world, reply) = before(step);
        let packet = Packet::parse(&reply).unwrap();
        let field = packet.extensions().next().unwrap();
        assert_eq!(Message::parse(&field).unwrap().opcode.name(), *name);
        assert!(world.receive(&reply).unwrap().progress, "{name}");
    }
}

#[test]
fn values_without_a_right_signature_are_refused() {
    for (step, name) in STEPS.iter().enumerate().skip(1) {
        type Change = fn(&mut Value<'_>);
        let changes: [(&str, Change, u16); 7] = [
            ("no signature", |value| value.signature = &[], 0x107),
            (
                "short signature",
                |value| value.signature = &value.signature[1..],
                0x107,
            ),
            (
                "never signed",
                |value| value.timestamp = Stamp::NEVER,
                0x102,
            ),
            (
                "signed before its file",
                |value| value.timestamp = Stamp::new(3_900_000_000),
                0x102,
            ),
            (
                "another time",
                |value| value.timestamp = Stamp::new(value.timestamp.value() + 1),
                0x108,
            ),
            (
                "another file",
                |value| value.filestamp = Stamp::new(value.filestamp.value() - 1),
                0x108,
            ),
            ("another value", |value| value.octets = b"anything", 0x108),
        ];
        for (what, change, code) in changes {
            let (mut world, reply) = before(step);
            let flags = world.flags();
            let forged = forge(&world, &reply, |message| {
                change(message.value.as_mut().unwrap());
            });
            let error = world.receive(&forged).unwrap_err();
            // What cannot be parsed does not get as far as its signature.
            let expected = if *name == "CERT" && what == "another value" {
                0x10d
            } else {
                code
            };
            assert_eq!(error.code(), expected, "{name}, {what}: {error}");
            assert_eq!(world.flags(), flags, "{name}, {what}");
        }
    }
}

#[test]
fn fields_of_every_kind_with_hostile_lengths_are_refused() {
    for step in 0..STEPS.len() {
        let (mut world, _) = before(step);
        let (flags, sent) = (world.flags(), world.association.sent);
        for octet in [0u8, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 63] {
            for direction in [0x02u8, 0x82, 0xc2, 0x42] {
                for length in [0u32, 1, 3, 24, 65_535, 1 << 31, u32::MAX] {
                    world.association.sent = sent;
                    let mut packet = header(4);
                    packet.extend([direction, octet, 0, 64, 0, 0, 0xfb, 0x76]);
                    packet.extend([0xee, 0xae, 0, 1, 0xee, 0xae, 0, 0]);
                    packet.extend(length.to_be_bytes());
                    packet.extend(length.to_be_bytes());
                    packet.extend([0x30; 40]);
                    let packet = seal(&world, packet);
                    assert!(
                        world.receive(&packet).is_err(),
                        "{step} {octet} {direction}"
                    );
                    assert_eq!(world.flags(), flags);
                }
            }
        }
    }
}

#[test]
fn two_fields_are_refused() {
    let (mut world, reply) = before(0);
    let packet = Packet::parse(&reply).unwrap();
    let mut twice = packet.authenticated().to_vec();
    twice.extend_from_slice(&packet.authenticated()[48..]);
    let twice = seal(&world, twice);
    assert_eq!(world.receive(&twice), Err(ReceiveError::Unexpected));
}

#[test]
fn the_answer_to_another_association_is_refused() {
    for step in 0..STEPS.len() {
        let (mut world, reply) = before(step);
        let forged = forge(&world, &reply, |message| message.association += 1);
        assert_eq!(world.receive(&forged), Err(ReceiveError::Unexpected));
    }
}

#[test]
fn a_signed_certificate_that_is_not_ours_is_refused() {
    let long = (-86_400, 864_000);
    let plain = CertificateTrust::Ordinary;
    let cases = [
        (
            "another key",
            certificate(("client", 2), ("server", 0), plain, long),
        ),
        (
            "another name",
            certificate(("other", 1), ("server", 0), plain, long),
        ),
        (
            "another issuer",
            certificate(("client", 1), ("other", 0), plain, long),
        ),
        (
            "another signer",
            certificate(("client", 1), ("server", 2), plain, long),
        ),
    ];
    for (what, certificate) in cases {
        let (mut world, _) = before(4);
        let packet = signed(&world, Opcode::Sign, &certificate);
        let packet = seal(&world, packet);
        assert_eq!(world.receive(&packet), Err(ReceiveError::NotOurs), "{what}");
        assert!(!world.association.status().contains(StatusWord::SIGNED));
    }
    let (mut world, _) = before(4);
    let expired = certificate(("client", 1), ("server", 0), plain, (-86_400, -60));
    let packet = signed(&world, Opcode::Sign, &expired);
    let packet = seal(&world, packet);
    let error = world.receive(&packet).unwrap_err();
    assert!(matches!(error, ReceiveError::Expired { .. }), "{error}");
    let (mut world, _) = before(4);
    let good = certificate(("client", 1), ("server", 0), plain, long);
    let packet = signed(&world, Opcode::Sign, &good);
    let packet = seal(&world, packet);
    assert!(world.receive(&packet).is_ok());
}

#[test]
fn names_that_are_none_are_refused() {
    for name in [
        &b""[..],
        b"a\nb",
        b"\x1b[2J",
        b"a\0b",
        &[b'x'; 256],
        b"@group",
    ] {
        let (mut world, reply) = before(0);
        let forged = forge(&world, &reply, |message| {
            message.value.as_mut().unwrap().octets = name;
        });
        assert_eq!(world.receive(&forged).unwrap_err().code(), 0x101);
        assert_eq!(world.flags(), 0);
    }
}

#[test]
fn status_words_that_are_none_are_refused() {
    for (word, code) in [(0, 0x105), (0x72_0001, 0x105), (0x8_0000, 0x101)] {
        let (mut world, reply) = before(0);
        let forged = forge(&world, &reply, |message| {
            message.value.as_mut().unwrap().filestamp = Stamp::new(word);
        });
        assert_eq!(world.receive(&forged).unwrap_err().code(), code, "{word:x}");
    }
    // The bits that are ours to light cannot be lit from afar.
    let (mut world, reply) = before(0);
    let forged = forge(&world, &reply, |message| {
        message.value.as_mut().unwrap().filestamp = Stamp::new(0x8_ff21);
    });
    world.receive(&forged).unwrap();
    assert_eq!(world.flags(), 0x8_5021);
    assert!(!world.association.is_proventic());
}

#[test]
fn taking_the_identity_bit_away_does_not_help() {
    let (mut world, reply) = before(0);
    let forged = forge(&world, &reply, |message| {
        message.value.as_mut().unwrap().filestamp = Stamp::new(0x8_0003);
    });
    let error = world.receive(&forged).unwrap_err();
    assert!(matches!(error, ReceiveError::NotOffered { .. }));
}

/// A certificate for `subject` by `issuer` with key `which`, signed with key `signer`.
fn certificate(
    (subject, which): (&str, usize),
    (issuer, signer): (&str, usize),
    trust: CertificateTrust,
    (from, until): (i32, i32),
) -> Certificate {
    let strength = Strength::Of2008;
    let at = |seconds| start() + Duration::from_seconds(seconds);
    Certificate::issue(
        &CertificateRequest {
            subject,
            issuer,
            serial: 1,
            not_before: at(from),
            not_after: at(until),
            trust,
            public_key: strength.key(which).public(),
            group_key: None,
        },
        &strength.key(signer),
        strength.scheme(),
    )
    .unwrap()
}

/// A response with this certificate, signed as a value with the server's key 0.
fn signed(world: &World, opcode: Opcode, certificate: &Certificate) -> Vec<u8> {
    let signer = Signer {
        key: Strength::Of2008.key(0),
        scheme: Strength::Of2008.scheme(),
    };
    let made = Stamp::of(start() - Duration::from_seconds(864_000));
    let value = signer.sign(world.now, made, certificate.der().to_vec());
    let value = value.unwrap();
    let mut packet = header(4);
    Message {
        direction: Direction::Response,
        opcode,
        association: 64_374,
        value: Some(value.value()),
    }
    .emit(&mut packet);
    packet
}

/// What becomes of these certificates, each signed as a value with the server's key 0.
fn follow(certificates: &[Certificate]) -> (World, Result<Received, ReceiveError>) {
    let mut world = World::new(&Recipe::server(), &Recipe::client(), None);
    world.poll().unwrap();
    let mut result = Err(ReceiveError::Unexpected);
    for certificate in certificates {
        world.request();
        let packet = signed(&world, Opcode::Certificate, certificate);
        let packet = seal(&world, packet);
        result = world.receive(&packet);
    }
    (world, result)
}

#[test]
fn trails_that_do_not_hold_are_refused() {
    use CertificateTrust::{Ordinary, Private, Trusted};
    let long = (-86_400, 864_000);
    let leaf = |until| certificate(("server", 0), ("root", 2), Ordinary, until);
    let root = |until| certificate(("root", 2), ("root", 2), Trusted, until);
    let good = follow(&[leaf(long), root(long)]);
    assert!(good.1.unwrap().progress);
    assert_eq!(good.0.flags(), 0x8_1303);

    let cases = [
        (
            "not trusted",
            vec![certificate(("server", 0), ("server", 0), Ordinary, long)],
            0x109,
        ),
        (
            "private",
            vec![certificate(("server", 0), ("server", 0), Private, long)],
            0x106,
        ),
        (
            "another host",
            vec![certificate(("other", 0), ("other", 0), Trusted, long)],
            0x10d,
        ),
        (
            "another key",
            vec![certificate(("server", 2), ("server", 2), Trusted, long)],
            0x108,
        ),
        (
            "not self-signed",
            vec![certificate(("server", 0), ("server", 2), Trusted, long)],
            0x109,
        ),
        (
            "our name",
            vec![certificate(("server", 0), ("client", 2), Ordinary, long)],
            0x109,
        ),
        (
            "a name that is none",
            vec![certificate(("server", 0), ("a b", 2), Ordinary, long)],
            0x101,
        ),
        (
            "another signer",
            vec![
                certificate(("server", 0), ("root", 3), Ordinary, long),
                root(long),
            ],
            0x109,
        ),
        ("expired", vec![leaf((-86_400, -60))], 0x10a),
        (
            "root expired",
            vec![leaf(long), root((-86_400, -60))],
            0x10a,
        ),
        ("not yet", vec![leaf((7200, 864_000))], 0x10a),
        ("backwards", vec![leaf((60, -60))], 0x10a),
        ("before its file", vec![leaf((-8_640_000, 864_000))], 0x103),
        (
            "signed before the root was valid",
            vec![leaf(long), root((-3600, 864_000))],
            0x10a,
        ),
        (
            "loop",
            vec![
                leaf(long),
                certificate(("root", 2), ("server", 0), Ordinary, long),
            ],
            0x109,
        ),
    ];
    for (what, certificates, code) in cases {
        let (world, result) = follow(&certificates);
        let error = result.unwrap_err();
        assert_eq!(error.code(), code, "{what}: {error}");
        assert!(!world.association.status().contains(StatusWord::CERTIFICATE));
    }
}

#[test]
fn a_certificate_of_another_age_is_refused_once_we_know_better() {
    // 2^32 seconds later the stamps of 32 bits look the same.
    let half = Duration::from_seconds(i32::MAX);
    let later = start() + half + half + Duration::from_seconds(2);
    assert_eq!(Stamp::of(later), Stamp::of(start()));
    let strength = Strength::Of2008;
    let from = later - Duration::from_seconds(86_400);
    let certificate = Certificate::issue(
        &CertificateRequest {
            subject: "server",
            issuer: "server",
            serial: 1,
            not_before: from,
            not_after: from + Duration::from_seconds(864_000),
            trust: CertificateTrust::Trusted,
            public_key: strength.key(0).public(),
            group_key: None,
        },
        &strength.key(0),
        strength.scheme(),
    )
    .unwrap();
    let mut world = World::new(&Recipe::server(), &Recipe::client(), None);
    world.client_synchronised = true;
    world.poll().unwrap();
    world.request();
    let packet = signed(&world, Opcode::Certificate, &certificate);
    let packet = seal(&world, packet);
    let error = world.receive(&packet).unwrap_err();
    assert!(matches!(error, ReceiveError::Validity { .. }), "{error}");
}

#[test]
fn an_endless_trail_is_cut() {
    let long = (-86_400, 864_000);
    let mut hosts: Vec<String> = (0..40).map(|n| format!("host{n}")).collect();
    hosts.insert(0, "server".to_owned());
    let trail: Vec<_> = hosts
        .windows(2)
        .map(|pair| {
            certificate(
                (&pair[0], 0),
                (&pair[1], 0),
                CertificateTrust::Ordinary,
                long,
            )
        })
        .collect();
    let (_, result) = follow(&trail[..15]);
    assert!(result.is_ok());
    let (_, result) = follow(&trail[..16]);
    assert!(matches!(result, Err(ReceiveError::Loop { .. })));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever an attacker makes of a reply, with a right MAC, proves nothing that was not proven.
    #[test]
    fn mutated_replies_never_prove_anything(
        step in 0usize..6,
        changes in prop::collection::vec((48usize..600, any::<u8>()), 1..6),
        cut in prop::option::of(0usize..600),
    ) {
        let (mut world, reply) = before(step);
        let was = world.association.status();
        let mut body = Packet::parse(&reply).unwrap().authenticated().to_vec();
        let original = body.clone();
        for (at, octet) in changes {
            let at = 48 + (at - 48) % (body.len() - 48);
            body[at] = octet;
        }
        if let Some(cut) = cut {
            body.truncate((48 + cut).min(body.len()));
        }
        if body != original {
            let packet = seal(&world, body);
            if Packet::parse(&packet).is_ok() {
                let result = world.receive(&packet);
                let is = world.association.status();
                if step > 0 {
                    // Padding is all that may change.
                    let proven = StatusWord::from_bits(is.bits() & !was.bits());
                    if result.is_err() {
                        prop_assert_eq!(proven.bits(), 0);
                    }
                }
                for bit in [StatusWord::CERTIFICATE, StatusWord::VERIFIED, StatusWord::PROVENTIC] {
                    if is.contains(bit) && !was.contains(bit) {
                        prop_assert!(result.is_ok() && step > 0);
                    }
                }
                if let Ok(received) = result {
                    prop_assert!(!received.time_usable);
                }
            }
        }
    }

    /// A change to a bare reply, in whatever place, takes its time away.
    #[test]
    fn mutated_bare_replies_give_no_time(at in 0usize..68, octet in 1u8..) {
        let (mut world, _) = before(0);
        world.dance().unwrap();
        let request = world.request();
        let (verdict, mut reply) = world.respond(&request).unwrap();
        prop_assert_eq!(verdict, Reply::Sealed);
        reply[at] ^= octet;
        let flags = world.flags();
        prop_assert!(world.receive(&reply).is_err());
        prop_assert_eq!(world.flags(), flags);
    }
}
