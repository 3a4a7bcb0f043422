use std::net::{IpAddr, Ipv4Addr};

use ntp_keys::{CertificateTrust, PublicKey, SignatureScheme};
use ntp_wire::{KeyId, Packet, Trailer};
use proptest::prelude::*;

use super::*;
use crate::{
    Cookie, Direction, Exchange, Message, SessionKey, Value,
    test_material::{
        CLIENT, Recipe, SERVER, Strength, World, clients_half, header, iff_key, start,
    },
};

mod renewal;

const KEY_ID: KeyId = KeyId::new(0x1234_5678);

fn seal(mut packet: Vec<u8>) -> Vec<u8> {
    SessionKey::new(DigestAlgorithm::Md5, CLIENT, SERVER, KEY_ID, Cookie::PUBLIC)
        .seal(KEY_ID, &mut packet);
    packet
}

fn request(opcode: Opcode, octets: &[u8]) -> Vec<u8> {
    let mut packet = header(3);
    Message {
        direction: Direction::Request,
        opcode,
        association: 7,
        value: Some(Value {
            timestamp: Stamp::NEVER,
            filestamp: Stamp::new(4_000_000_000),
            octets,
            signature: &[],
        }),
    }
    .emit(&mut packet);
    seal(packet)
}

fn exchange() -> Exchange {
    Exchange {
        local: SERVER,
        remote: CLIENT,
        now: start(),
        monotonic: ntp_wire::Monotonic::START,
        synchronised: true,
    }
}

fn ask(host: &mut Host, packet: &[u8]) -> Result<(Reply, Vec<u8>), Refusal> {
    let mut reply = header(4);
    let packet = Packet::parse(packet).unwrap();
    match host.respond_at_once(&exchange(), &packet, &mut reply) {
        Ok(verdict) => Ok((verdict, reply)),
        Err(refusal) => {
            assert_eq!(reply.len(), 48, "a refusal leaves the reply alone");
            Err(refusal)
        }
    }
}

fn iff_host() -> Host {
    Recipe {
        identity: vec![iff_key(1, 4_000_000_000).into()],
        ..Recipe::server()
    }
    .host()
}

#[test]
fn the_secret_survives_a_restart_but_not_a_new_key() {
    let cookie = |recipe: &Recipe, seed| {
        let host = Host::new(recipe.credentials(), HostOptions::default(), [seed; 32]).unwrap();
        host.session_keys().cookie(SERVER, CLIENT)
    };
    let recipe = Recipe::server();
    assert_eq!(cookie(&recipe, 1), cookie(&recipe, 2));
    let other = Recipe {
        key: 2,
        ..Recipe::server()
    };
    assert_ne!(cookie(&recipe, 1), cookie(&other, 1));
    // It is not the reference's, which has no secret.
    let known = SessionKey::new(
        DigestAlgorithm::Md5,
        CLIENT,
        SERVER,
        KeyId::new(0),
        Cookie::PUBLIC,
    );
    assert_ne!(cookie(&recipe, 1).value(), known.next_key_id().value());
}

#[test]
fn credentials_that_do_not_fit_are_refused() {
    let new = |change: fn(&mut Credentials)| {
        let mut credentials = Recipe::server().credentials();
        change(&mut credentials);
        Host::new(credentials, HostOptions::default(), [0; 32]).unwrap_err()
    };
    let error = new(|c| c.host_key = Strength::Of2008.key(3));
    assert_eq!(error, HostError::ForeignCertificate("server".to_owned()));
    let error = new(|c| c.sign_key = Some(Strength::Of2008.key(3)));
    assert_eq!(error, HostError::ForeignCertificate("server".to_owned()));
    let error = new(|c| {
        let mut der = c.certificate.der().to_vec();
        *der.last_mut().unwrap() ^= 1;
        c.certificate = Certificate::parse(&der).unwrap();
    });
    assert_eq!(error, HostError::Certificate(VerifyError::Mismatch));
    let error = new(|c| c.identity = vec![clients_half(&iff_key(1, 1)).into()]);
    assert_eq!(error, HostError::NoServersHalf("iff"));
    let error = new(|c| {
        c.certificate = Recipe {
            name: "a b",
            ..Recipe::server()
        }
        .certificate();
    });
    assert_eq!(error, HostError::Name("a b".to_owned()));
    let error = new(|c| {
        let key = PrivateKey::generate(256, &mut ChaCha20Rng::from_seed([1; 32]));
        c.sign_key = Some(std::mem::replace(&mut c.host_key, key.unwrap()));
    });
    assert_eq!(error, HostError::HostKeyTooSmall { bits: 256 });
}

#[test]
fn a_bare_request_with_a_foreign_cookie_is_told_so() {
    let mut host = iff_host();
    let (verdict, reply) = ask(&mut host, &seal(header(3))).unwrap();
    assert_eq!(
        verdict,
        Reply::CryptoNak {
            restart: Some(KEY_ID)
        }
    );
    assert_eq!(Packet::parse(&reply).unwrap().trailer(), Trailer::CryptoNak);

    let mut error = header(4);
    host.session_keys()
        .seal_restart(SERVER, CLIENT, KEY_ID, &mut error);
    let packet = Packet::parse(&error).unwrap();
    let field = packet.extensions().next().unwrap();
    assert_eq!((field.kind, field.body), (0xc201, &[0; 4][..]));
    let key = SessionKey::new(DigestAlgorithm::Md5, SERVER, CLIENT, KEY_ID, Cookie::PUBLIC);
    let Trailer::Mac { digest, .. } = packet.trailer() else {
        panic!("no MAC");
    };
    assert!(key.verify(packet.authenticated(), digest));
}

#[test]
fn a_wrong_clock_calls_no_cookie_wrong() {
    let mut host = iff_host();
    let packet = seal(header(3));
    let packet = Packet::parse(&packet).unwrap();
    let unsure = Exchange {
        synchronised: false,
        ..exchange()
    };
    let refusal = host.respond_at_once(&unsure, &packet, &mut header(4));
    assert_eq!(refusal, Err(Refusal::NotSynchronised));
}

#[test]
fn a_challenge_out_of_range_costs_no_work() {
    let mut host = iff_host();
    for challenge in [&[0; 20][..], &[0xff; 20], &[]] {
        let packet = request(Opcode::Iff, challenge);
        let packet = Packet::parse(&packet).unwrap();
        let refusal = host.respond(&exchange(), &packet, &mut header(4));
        let error = Refusal::Identity {
            scheme: IdentityScheme::Iff,
            error: crate::IdentityError::BadChallenge,
        };
        assert_eq!(refusal.unwrap_err(), error, "{challenge:?}");
    }
}

#[test]
fn a_wrong_mac_over_fields_is_not_worth_two_answers() {
    let mut packet = request(Opcode::Association, b"client");
    *packet.last_mut().unwrap() ^= 1;
    let (verdict, reply) = ask(&mut iff_host(), &packet).unwrap();
    assert_eq!(verdict, Reply::CryptoNak { restart: None });
    assert_eq!(reply.len(), 52);
}

#[test]
fn packets_without_an_autokey_mac_are_none_of_ours() {
    let mut symmetric = header(3);
    symmetric.extend([0, 0, 0, 1]);
    symmetric.extend([0; 16]);
    let mut nak = header(3);
    nak.extend([0; 4]);
    for packet in [header(3), nak, symmetric] {
        assert_eq!(ask(&mut iff_host(), &packet), Err(Refusal::NoMac));
    }
}

#[test]
fn requests_with_hostile_values_are_refused() {
    let mut host = iff_host();
    let foreign = Recipe {
        key: 2,
        ..Recipe::client()
    }
    .certificate();
    let ours = Recipe {
        key: 2,
        ..Recipe::server()
    }
    .certificate();
    let private = Recipe {
        trust: CertificateTrust::Private,
        ..Recipe::client()
    }
    .certificate();
    let mut damaged = foreign.der().to_vec();
    *damaged.last_mut().unwrap() ^= 1;
    let small = PrivateKey::generate(256, &mut ChaCha20Rng::from_seed([1; 32]));
    let small = small.unwrap().public().to_pkcs1_der();
    let big = [
        &[0x30, 0x82, 0x08, 0x0a, 0x02, 0x82, 0x08, 0x01, 0x00][..],
        &[0xff; 2053],
    ]
    .concat();
    let cases: [(Opcode, &[u8]); 22] = [
        (Opcode::Null, b""),
        (Opcode::Association, b""),
        (Opcode::Association, b"a\0b"),
        (Opcode::Association, &[b'a'; 300]),
        (Opcode::Certificate, b""),
        (Opcode::Certificate, b"a\r\n"),
        (Opcode::Cookie, b""),
        (Opcode::Cookie, b"\x30\x06\x02\x01\x00\x02\x01\x00"),
        (Opcode::Cookie, b"\x30\x06\x02\x01\x01\x02\x01\x01"),
        (Opcode::Cookie, &small),
        (Opcode::Cookie, &big),
        (Opcode::Autokey, b""),
        (Opcode::Sign, b""),
        (Opcode::Sign, &[0x30; 400]),
        (Opcode::Sign, ours.der()),
        (Opcode::Sign, private.der()),
        (Opcode::Sign, &damaged),
        (Opcode::Iff, b""),
        (Opcode::Iff, &[0; 20]),
        (Opcode::Iff, &[0xff; 1900]),
        (Opcode::Gq, &[1; 64]),
        (Opcode::Mv, &[1; 32]),
    ];
    for (opcode, octets) in cases {
        let refusal = ask(&mut host, &request(opcode, octets)).unwrap_err();
        assert!(!matches!(refusal, Refusal::TooMuchWork(_)), "{refusal}");
    }
    assert!(ask(&mut host, &request(Opcode::Sign, foreign.der())).is_ok());
}

#[test]
fn responses_and_errors_are_not_answered() {
    for kind in [0x82u8, 0xc2, 0x42] {
        for octet in 0..12u8 {
            let mut packet = header(3);
            packet.extend([kind, octet, 0, 8, 0, 0, 0, 7]);
            assert!(ask(&mut iff_host(), &seal(packet)).is_err());
        }
    }
}

#[test]
fn a_server_without_iff_does_not_offer_it() {
    let mut host = Recipe::server().host();
    assert!(!host.status().contains(StatusWord::IFF));
    let refusal = ask(&mut host, &request(Opcode::Iff, &[1; 20]));
    assert_eq!(refusal, Err(Refusal::NotOffered(Opcode::Iff)));
}

#[test]
fn an_unsynchronised_server_signs_nothing() {
    let mut host = iff_host();
    for opcode in [
        Opcode::Certificate,
        Opcode::Cookie,
        Opcode::Leap,
        Opcode::Sign,
        Opcode::Iff,
    ] {
        let packet = request(opcode, &[1; 20]);
        let mut reply = header(4);
        let exchange = Exchange {
            synchronised: false,
            ..exchange()
        };
        let packet = Packet::parse(&packet).unwrap();
        host.respond_at_once(&exchange, &packet, &mut reply)
            .unwrap();
        let reply = Packet::parse(&reply).unwrap();
        let field = reply.extensions().next().unwrap();
        assert_eq!(
            (field.kind, field.body),
            (0x8200 | u16::from(opcode.octet()), &[0, 0, 0, 7][..])
        );
    }
    assert_eq!(host.status().bits(), 0x8_0021);
    assert_eq!(host.last_update(), None);
    host.set_synchronised(start(), true);
    assert_eq!(host.status().bits(), 0x8_0023);
    assert_eq!(host.last_update(), Some(start()));
}

#[test]
fn private_certificates_are_never_given_away() {
    let mut host = Recipe {
        trust: CertificateTrust::Private,
        ..Recipe::server()
    }
    .host();
    let (_, reply) = ask(&mut host, &request(Opcode::Certificate, b"server")).unwrap();
    assert_eq!(reply.len(), 48 + 8 + 20);
}

#[test]
fn expired_certificates_sign_nothing_and_are_not_signed() {
    let certificate = Recipe {
        key: 1,
        days: 1,
        ..Recipe::client()
    }
    .certificate();
    let refusal = ask(&mut iff_host(), &request(Opcode::Sign, certificate.der()));
    // It expired at the start, and a second later is later.
    assert!(refusal.is_ok());
    let certificate = Recipe {
        days: 0,
        ..Recipe::client()
    }
    .certificate();
    let refusal = ask(&mut iff_host(), &request(Opcode::Sign, certificate.der()));
    assert_eq!(
        refusal,
        Err(Refusal::CertificateExpired("client".to_owned()))
    );
    let mut host = Recipe {
        days: 0,
        ..Recipe::server()
    }
    .host();
    let certificate = Recipe::client().certificate();
    let refusal = ask(&mut host, &request(Opcode::Sign, certificate.der()));
    assert_eq!(refusal, Err(Refusal::OwnCertificateExpired));
}

#[test]
fn public_key_work_is_limited() {
    let limits = WorkLimits {
        all_work_at_once: std::time::Duration::from_millis(20),
        ..WorkLimits::default()
    };
    let options = HostOptions {
        limits,
        ..HostOptions::default()
    };
    let mut host = Host::new(Recipe::server().credentials(), options, [0; 32]).unwrap();
    let key = Strength::Of2008.key(1).public().to_pkcs1_der();
    let packet = request(Opcode::Cookie, &key);
    let count = (0..200).filter(|_| ask(&mut host, &packet).is_ok()).count();
    assert_eq!(count, usize::from(limits.each_at_once));
    assert_eq!(ask(&mut host, &packet), Err(Refusal::TooMuchWork(CLIENT)));
    // All sources together.
    let mut work = std::time::Duration::ZERO;
    let mut answered = 0;
    for n in 0..2000u32 {
        let remote = IpAddr::V4(Ipv4Addr::from_bits(0x0b00_0000 + n));
        let mut packet = packet.clone();
        packet.truncate(packet.len() - 20);
        SessionKey::new(DigestAlgorithm::Md5, remote, SERVER, KEY_ID, Cookie::PUBLIC)
            .seal(KEY_ID, &mut packet);
        let packet = Packet::parse(&packet).unwrap();
        let exchange = Exchange {
            remote,
            ..exchange()
        };
        let mut reply = header(4);
        match host.respond(&exchange, &packet, &mut reply) {
            Ok(Response::Work(job)) => {
                assert_eq!(reply.len(), 48, "nothing is sent before it is done");
                work = job.cost();
                answered += 1;
            }
            other => assert!(
                matches!(other, Err(Refusal::TooMuchWork(_))),
                "{remote} {other:?}"
            ),
        }
    }
    // The one source asked the same again and again: that is work once.
    let all = work * (answered + 1);
    assert!(all <= limits.all_work_at_once && all + work > limits.all_work_at_once);
    // Time is not touched by that.
    let cookie = host.session_keys().cookie(SERVER, CLIENT);
    let mut bare = header(3);
    SessionKey::new(DigestAlgorithm::Md5, CLIENT, SERVER, KEY_ID, cookie).seal(KEY_ID, &mut bare);
    assert_eq!(ask(&mut host, &bare).unwrap().0, Reply::Sealed);
}

#[test]
fn strangers_cannot_fill_the_cache() {
    let mut host = iff_host();
    for n in 0..1000 {
        let name = format!("client{n}");
        let _ = ask(&mut host, &request(Opcode::Association, name.as_bytes()));
        let certificate = Recipe {
            name: "client",
            ..Recipe::client()
        }
        .certificate();
        let _ = ask(&mut host, &request(Opcode::Sign, certificate.der()));
    }
    assert_eq!(host.certificates().count(), 1);
}

#[test]
fn signatures_are_reused_for_a_day_and_not_longer() {
    let mut world = World::new(&Recipe::server(), &Recipe::client(), None);
    let mut timestamps = Vec::new();
    for _ in 0..3 {
        let (_, reply) = world
            .respond(&request(Opcode::Certificate, b"server"))
            .unwrap();
        let packet = Packet::parse(&reply).unwrap();
        let field = packet.extensions().next().unwrap();
        timestamps.push(Message::parse(&field).unwrap().value.unwrap().timestamp);
        world.pass(50_000);
    }
    assert_eq!(timestamps[0], timestamps[1]);
    assert!(timestamps[1].is_before(timestamps[2]));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_request_makes_it_panic(kind: u16, body in prop::collection::vec(any::<u8>(), 0..200), bytes: Vec<u8>) {
        let mut host = iff_host();
        let mut packet = header(3);
        packet.extend_from_slice(&bytes);
        if let Ok(packet) = Packet::parse(&packet) {
            let _ = host.respond_at_once(&exchange(), &packet, &mut header(4));
        }
        let mut packet = header(3);
        let length = (body.len() + 4).next_multiple_of(4).max(28);
        packet.extend(kind.to_be_bytes());
        packet.extend((length as u16).to_be_bytes());
        packet.extend(&body);
        packet.resize(48 + length, 0);
        let packet = seal(packet);
        if let Ok(packet) = Packet::parse(&packet) {
            let _ = host.respond_at_once(&exchange(), &packet, &mut header(4));
        }
    }

    #[test]
    fn mutated_requests_are_answered_in_kind_or_not_at_all(step in 0usize..6, at in 0usize..400, octet: u8) {
        let key = Strength::Of2008.key(1).public().to_pkcs1_der();
        let certificate = Recipe::client().certificate();
        let (opcode, octets): (_, &[u8]) = [
            (Opcode::Association, &b"client"[..]),
            (Opcode::Certificate, b"server"),
            (Opcode::Cookie, &key),
            (Opcode::Sign, certificate.der()),
            (Opcode::Iff, &[1; 20]),
            (Opcode::Leap, b""),
        ][step];
        let packet = request(opcode, octets);
        let mut body = packet[..packet.len() - 20].to_vec();
        let at = 48 + at % (body.len() - 48);
        body[at] = octet;
        let packet = seal(body);
        if Packet::parse(&packet).is_ok()
            && let Ok((Reply::Sealed, reply)) = ask(&mut iff_host(), &packet)
        {
            let reply = Packet::parse(&reply).unwrap();
            let field = reply.extensions().next();
            prop_assert!(field.is_none_or(|field| field.kind & 0xff00 == 0x8200));
        }
    }
}

#[test]
fn the_cookie_is_for_the_key_that_was_sent() {
    let key = Strength::Of2008.key(1);
    let mut host = iff_host();
    let packet = request(Opcode::Cookie, &key.public().to_pkcs1_der());
    let (_, reply) = ask(&mut host, &packet).unwrap();
    let reply = Packet::parse(&reply).unwrap();
    let field = reply.extensions().next().unwrap();
    let message = Message::parse(&field).unwrap();
    let value = message.value.unwrap();
    let public = Strength::Of2008.key(0).public().clone();
    let public: &PublicKey = &public;
    value.verify(public, SignatureScheme::RsaMd5).unwrap();
    let cookie = host.session_keys().cookie(SERVER, CLIENT).value();
    assert_eq!(
        key.decrypt_oaep(value.octets).unwrap()[..],
        cookie.to_be_bytes()
    );
    assert!(Strength::Of2008.key(2).decrypt_oaep(value.octets).is_err());
}

#[test]
fn cookies_are_not_encrypted_for_keys_that_are_none() {
    let mut host = iff_host();
    let modulus = |last: u8, octets: usize| {
        let mut modulus = vec![0xc5; octets];
        modulus[octets - 1] = last;
        modulus
    };
    let three = &[1, 0, 1][..];
    let cases: [(&str, Vec<u8>, &[u8]); 9] = [
        ("even", modulus(0x10, 64), three),
        ("zero", vec![0], three),
        ("one", vec![1], three),
        ("of 16384 bits", modulus(1, 2000), three),
        ("of 8 bits", vec![0xc5], three),
        ("exponent 0", modulus(1, 64), &[0]),
        ("exponent 1", modulus(1, 64), &[1]),
        ("even exponent", modulus(1, 64), &[2]),
        ("endless exponent", modulus(1, 64), &[0xff; 64]),
    ];
    for (what, modulus, exponent) in cases {
        let der = crate::der::write_integers(&[&modulus, exponent]);
        let refusal = ask(&mut host, &request(Opcode::Cookie, &der));
        assert_eq!(refusal, Err(Refusal::Malformed(Opcode::Cookie)), "{what}");
    }
}

#[test]
fn new_files_take_the_place_of_old_ones_and_cookies_stay() {
    let mut world = World::new(&Recipe::server(), &Recipe::client(), None);
    world.dance().unwrap();
    let given = world.server.session_keys().cookie(SERVER, CLIENT);
    // The same again is nothing new.
    let same = Recipe::server().credentials();
    assert_eq!(world.server.renew(world.now, same), Ok(false));
    // A new certificate for the same key, and IFF.
    let renewed = Recipe {
        days: 500,
        identity: vec![iff_key(1, 4_000_000_000).into()],
        ..Recipe::server()
    };
    let renew = world.server.renew(world.now, renewed.credentials());
    assert_eq!(renew, Ok(true));
    assert_eq!(world.server.expires(), renewed.certificate().not_after());
    assert_eq!(world.server.status().bits(), 0x8_0023);
    assert_eq!(world.server.session_keys().cookie(SERVER, CLIENT), given);
    assert!(world.poll().unwrap().time_usable);
    // Another host key.
    let other = Recipe {
        key: 3,
        ..Recipe::server()
    };
    assert_eq!(world.server.renew(world.now, other.credentials()), Ok(true));
    assert_ne!(world.server.session_keys().cookie(SERVER, CLIENT), given);
    assert!(
        world.poll().unwrap().time_usable,
        "the old cookie is honoured"
    );
    let mut stranger = World::new(
        &other,
        &Recipe {
            key: 2,
            ..Recipe::client()
        },
        None,
    );
    stranger.pass(60);
    std::mem::swap(&mut stranger.server, &mut world.server);
    stranger.dance().unwrap();
    assert_eq!(stranger.flags(), 0x87f03);
}

#[test]
fn files_that_do_not_fit_change_nothing() {
    let mut host = Recipe::server().host();
    let mut credentials = Recipe {
        key: 3,
        ..Recipe::server()
    }
    .credentials();
    credentials.certificate = Recipe {
        days: 9,
        ..Recipe::server()
    }
    .certificate();
    let before = (host.expires(), host.session_keys().cookie(SERVER, CLIENT));
    assert_eq!(
        host.renew(start(), credentials),
        Err(HostError::ForeignCertificate("server".to_owned()))
    );
    assert_eq!(
        before,
        (host.expires(), host.session_keys().cookie(SERVER, CLIENT))
    );
}

#[test]
fn what_others_signed_for_the_old_key_is_forgotten_and_asked_for_anew() {
    let mut world = World::new(&Recipe::server(), &Recipe::client(), None);
    world.dance().unwrap();
    assert!(
        world
            .certificates()
            .contains(&"client server 0x4".to_owned())
    );
    let renewed = Recipe {
        key: 2,
        ..Recipe::client()
    };
    world
        .client
        .renew(world.now, renewed.credentials())
        .unwrap();
    world.association.host_renewed(&world.client);
    assert!(
        !world
            .certificates()
            .iter()
            .any(|line| line.starts_with("client server"))
    );
    assert!(world.association.is_proventic());
    world.dance().unwrap();
    assert_eq!(world.flags(), 0x87f03);
    assert!(
        world
            .certificates()
            .contains(&"client server 0x4".to_owned())
    );
}

#[test]
fn a_signature_that_was_under_way_is_not_kept() {
    let mut host = Recipe::server().host();
    let packet = request(Opcode::Leap, b"");
    let packet = Packet::parse(&packet).unwrap();
    let Ok(Response::Work(job)) = host.respond(&exchange(), &packet, &mut header(4)) else {
        panic!("it is signed already");
    };
    let other = Recipe {
        key: 3,
        ..Recipe::server()
    };
    host.renew(start(), other.credentials()).unwrap();
    host.finish(job.run(), &mut header(4)).unwrap();
    let again = host.respond(&exchange(), &packet, &mut header(4));
    assert!(matches!(again, Ok(Response::Work(_))), "{again:?}");
}

#[test]
fn who_asks_again_gets_the_answer_again_without_work() {
    let mut host = iff_host();
    let key = Strength::Of2008.key(1).public().to_pkcs1_der();
    let certificate = Recipe::client().certificate();
    for (opcode, octets) in [
        (Opcode::Cookie, &key[..]),
        (Opcode::Sign, certificate.der()),
    ] {
        let packet = request(opcode, octets);
        let (_, first) = ask(&mut host, &packet).unwrap();
        let mut again = header(4);
        let packet = Packet::parse(&packet).unwrap();
        let response = host.respond(&exchange(), &packet, &mut again);
        assert!(matches!(response, Ok(Response::Reply(Reply::Sealed))));
        assert_eq!(again, first);
    }
    // A challenge is answered each time.
    let packet = request(Opcode::Iff, &[1; 20]);
    let first = ask(&mut host, &packet).unwrap();
    assert_ne!(first, ask(&mut host, &packet).unwrap());
}
