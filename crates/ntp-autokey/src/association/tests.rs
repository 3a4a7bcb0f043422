use ntp_keys::{
    Certificate, CertificateRequest, CertificateTrust, DigestAlgorithm, PrivateKey, SignatureScheme,
};
use ntp_wire::{Packet, Trailer};
use proptest::prelude::*;
use rand::{SeedableRng, rngs::ChaCha20Rng};

use super::*;
use crate::{
    Credentials, Direction, Host, HostError, HostOptions, IdentityError, IffKey, Message, Reply,
    SessionKeys, Value,
    test_material::{
        CLIENT, Failure, Recipe, SERVER, Strength, World, clients_half, header, iff_key,
    },
};

mod broadcast;
mod hostile;
mod peers;
mod renewal;
mod schemes;

/// A world whose server is of an IFF group, and the group.
fn iff_world(ident: Option<&str>) -> (World, IffKey) {
    let key = iff_key(1, 4_000_000_000);
    let server = Recipe {
        identity: vec![key.clone().into()],
        ..Recipe::server()
    };
    (World::new(&server, &Recipe::client(), ident), key)
}

fn dropped(result: Result<Received, Failure>) -> ReceiveError {
    match result {
        Err(Failure::Dropped(error)) => error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_dance_with_trusted_certificates() {
    for strength in [Strength::Of2008, Strength::Today] {
        let mut world = World::new(
            &Recipe {
                strength,
                ..Recipe::server()
            },
            &Recipe {
                strength,
                ..Recipe::client()
            },
            None,
        );
        // ASSOC and CERT come before the server is synchronised, in vain.
        world.dance().unwrap();
        let nid = u32::from(strength.scheme().nid()) << 16;
        assert_eq!(world.flags(), nid | 0x7f03, "{strength:?}");
        assert!(world.association.is_proventic());
        assert_eq!(world.association.server_name(), Some("server"));
        assert_eq!(
            world.association.signature_name(),
            Some(strength.scheme().long_name())
        );
        assert_eq!(
            world.certificates(),
            [
                "client server 0x4",
                "server server 0x5",
                "client client 0x0"
            ]
        );
        assert_eq!(world.association.last_error(), None);
    }
}

#[test]
fn the_log_has_the_lines_of_cryptostats() {
    let (mut world, key) = iff_world(None);
    world.groups.insert("server", clients_half(&key));
    world.dance().unwrap();
    let lines = world.events();
    let starts = [
        "assoc 64374 64374 host server md5WithRSAEncryption",
        "cert server server 0x5 md5WithRSAEncryption (8) fs 4004301989",
        "iff server fs 4000000000",
        "cook - ts 40043883",
        "proventic",
        "sign client server 0x4 md5WithRSAEncryption (8) fs 4004301989",
        "leap TAI offset 0 at 0 expire 0 fs 4004301989",
    ];
    assert_eq!(lines.len(), starts.len(), "{lines:#?}");
    for (line, start) in lines.iter().zip(starts) {
        assert!(line.starts_with(start), "{line}");
    }
    let lines: Vec<_> = std::iter::from_fn(|| world.client.poll_event())
        .map(|event| event.to_string())
        .collect();
    assert_eq!(lines[0], "setup 0x80001 host client md5WithRSAEncryption");
    assert!(
        lines[1].starts_with("signature update ts 40043"),
        "{lines:?}"
    );
}

#[test]
fn identity_is_run_whenever_parameters_are_at_hand() {
    for (ident, file) in [
        (Some("group"), "group"),
        (None, "server"), // the server's own name, and its certificate's issuer
        (None, "client"), // the link of 2008 under our own name
    ] {
        let (mut world, key) = iff_world(ident);
        world.groups.insert(file, clients_half(&key));
        world.dance().unwrap();
        assert_eq!(world.flags(), 0x87f23, "{ident:?} {file}");
        assert!(
            world
                .events()
                .contains(&format!("iff {file} fs 4000000000"))
        );
    }
}

#[test]
fn a_member_of_a_group_follows_nobody_untested_who_names_none() {
    let key = iff_key(1, 4_000_000_000);
    let member = Recipe {
        name: "client@group",
        ..Recipe::client()
    };
    let mut world = World::new(&Recipe::server(), &member, None);
    world.groups.insert("group", clients_half(&key));
    let error = world.dance().unwrap_err();
    let group = "group".to_owned();
    let wanted = Failure::Dropped(ReceiveError::NotOffered { group });
    assert_eq!(error, wanted);
    let server = Recipe {
        identity: vec![key.clone().into()],
        ..Recipe::server()
    };
    let mut world = World::new(&server, &member, None);
    world.groups.insert("group", clients_half(&key));
    world.dance().unwrap();
    assert_eq!(world.flags(), 0x87f23);
}

#[test]
fn the_group_in_a_name_finds_the_parameters() {
    let key = iff_key(1, 4_000_000_000);
    let server = Recipe {
        name: "server@group",
        identity: vec![key.clone().into()],
        ..Recipe::server()
    };
    let mut world = World::new(&server, &Recipe::client(), None);
    world.groups.insert("group", clients_half(&key));
    world.dance().unwrap();
    assert_eq!(world.flags(), 0x87f23);
}

#[test]
fn a_file_that_cannot_be_used_is_no_leave_to_go_without() {
    for file in ["server", "client"] {
        let (mut world, _) = iff_world(None);
        world.groups.insert_unusable(file);
        for _ in 0..6 {
            let error = dropped(world.poll());
            assert_eq!(
                error,
                ReceiveError::UnusableGroup {
                    group: file.to_owned()
                }
            );
            assert_eq!(error.code(), 0x10e);
        }
        assert!(!world.association.is_proventic());
    }
    // That of another group is no hindrance.
    let (mut world, _) = iff_world(None);
    world.groups.insert_unusable("elsewhere");
    world.dance().unwrap();
    assert_eq!(world.flags(), 0x87d03);
}

#[test]
fn the_key_of_the_last_packet_is_known() {
    let (mut world, _) = iff_world(None);
    assert_eq!(world.association.session_key_id(), None);
    let mut keys = Vec::new();
    for _ in 0..3 {
        let request = world.request();
        // The MAC is that of MD5: the number, then 16 octets.
        let number = request[request.len() - 20..].first_chunk().unwrap();
        let id = KeyId::new(u32::from_be_bytes(*number));
        assert_eq!(world.association.session_key_id(), Some(id));
        keys.push(id);
    }
    keys.dedup();
    assert_eq!(keys.len(), 3);
}

#[test]
fn flags_tell_the_truth_when_identity_was_not_run() {
    let (mut world, _) = iff_world(None);
    world.dance().unwrap();
    assert_eq!(world.flags(), 0x87d03);
    assert!(world.association.is_complete(true));
    let said = world
        .events()
        .iter()
        .any(|line| line.starts_with("identity of server not verified: it offers IFF"));
    assert!(said);
}

#[test]
fn a_server_of_another_group_is_refused() {
    let (mut world, _) = iff_world(Some("group"));
    let stranger = iff_key(2, 4_000_000_000);
    world.groups.insert("group", clients_half(&stranger));
    world.poll().unwrap();
    world.poll().unwrap();
    for _ in 0..10 {
        let error = dropped(world.poll());
        assert_eq!(
            error,
            ReceiveError::Identity {
                group: "group".to_owned(),
                error: IdentityError::NotVerified
            }
        );
        assert_eq!(error.code(), 0x10e);
        assert_eq!(world.flags(), 0x81123);
        assert!(!world.association.is_proventic());
    }
    assert_eq!(world.certificates(), ["client client 0x0"]);
}

#[test]
fn a_wrong_file_can_be_replaced_while_the_dance_waits() {
    let (mut world, key) = iff_world(Some("group"));
    let stranger = iff_key(2, 4_000_000_000);
    world.groups.insert("group", clients_half(&stranger));
    assert!(world.dance().is_err());
    world.groups.insert("group", clients_half(&key));
    world.dance().unwrap();
    assert_eq!(world.flags(), 0x87f23);
}

#[test]
fn parameters_of_another_time_are_refused() {
    let (mut world, key) = iff_world(Some("group"));
    let older = IffKey::new(key.group().without_secret(), Stamp::new(3_999_999_999));
    world.groups.insert("group", older);
    world.poll().unwrap();
    world.poll().unwrap();
    let error = dropped(world.poll());
    assert!(matches!(error, ReceiveError::GroupFilestamp { .. }));
    assert_eq!(error.code(), 0x103);
}

#[test]
fn a_server_without_iff_is_refused_if_it_should_have_it() {
    for (ident, file) in [(Some("group"), "group"), (None, "server"), (None, "client")] {
        let mut world = World::new(&Recipe::server(), &Recipe::client(), ident);
        world.groups.insert(file, clients_half(&iff_key(1, 1)));
        for _ in 0..6 {
            let error = dropped(world.poll());
            assert_eq!(
                error,
                ReceiveError::NotOffered {
                    group: file.to_owned()
                }
            );
            assert_eq!(world.flags(), 0);
        }
        assert_eq!(world.association.last_error().unwrap().code(), 0x106);
    }
}

#[test]
fn ident_without_parameters_is_refused() {
    let (mut world, _) = iff_world(Some("group"));
    let error = dropped(world.poll());
    assert_eq!(
        (error.code(), error.words()),
        (0x10e, "bad_or_missing_group key")
    );
}

#[test]
fn an_expired_certificate_is_refused() {
    let expired = Recipe {
        days: 1,
        ..Recipe::server()
    };
    let mut world = World::new(&expired, &Recipe::client(), None);
    world.poll().unwrap();
    for _ in 0..5 {
        let error = dropped(world.poll());
        assert!(matches!(&error, ReceiveError::Expired { subject, .. } if subject == "server"));
        assert!(
            error.to_string().contains("expired (2026-11-23)"),
            "{error}"
        );
        assert_eq!(error.words(), "host_certificate_expired");
        assert!(!world.association.is_proventic());
    }
}

#[test]
fn a_certificate_that_expires_later_ends_the_association() {
    let short = Recipe {
        days: 2,
        ..Recipe::server()
    };
    let mut world = World::new(&short, &Recipe::client(), None);
    world.dance().unwrap();
    assert!(world.association.is_proventic());
    world.pass(86_400);
    let request = world.request();
    assert!(!world.association.is_proventic());
    assert!(matches!(
        world.association.last_error(),
        Some(ReceiveError::Expired { .. })
    ));
    assert!(request.len() > 68, "it asks ASSOC again");
}

#[test]
fn a_server_that_is_not_trusted_is_asked_again() {
    let ordinary = Recipe {
        trust: CertificateTrust::Ordinary,
        ..Recipe::server()
    };
    let mut world = World::new(&ordinary, &Recipe::client(), None);
    world.poll().unwrap();
    for _ in 0..3 {
        let error = dropped(world.poll());
        assert_eq!(error, ReceiveError::NoValue(Opcode::Certificate));
    }
}

#[test]
fn an_unsynchronised_server_is_asked_again() {
    let mut world = World::new(&Recipe::server(), &Recipe::client(), None);
    world.server_synchronised = false;
    assert!(world.poll().unwrap().progress);
    assert_eq!(
        dropped(world.poll()),
        ReceiveError::NoValue(Opcode::Certificate)
    );
    world.server_synchronised = true;
    world.dance().unwrap();
    // As it had no leap second values at ASSOC, LEAP is not asked.
    assert_eq!(world.flags(), 0x87f01);
}

#[test]
fn a_trail_over_three_hosts() {
    let mut first = World::new(
        &Recipe {
            name: "alpha",
            ..Recipe::server()
        },
        &Recipe {
            name: "bravo",
            ..Recipe::client()
        },
        None,
    );
    first.dance().unwrap();
    assert_eq!(
        first.certificates(),
        ["bravo alpha 0x4", "alpha alpha 0x5", "bravo bravo 0x0"]
    );
    let mut second = World::new(
        &Recipe::server(),
        &Recipe {
            name: "charlie",
            key: 2,
            ..Recipe::client()
        },
        None,
    );
    second.server = first.client;
    second.pass(60);
    second.dance().unwrap();
    assert_eq!(second.flags(), 0x87f03);
    assert_eq!(
        second.certificates(),
        [
            "charlie bravo 0x4",
            "alpha alpha 0x5",
            "bravo alpha 0x6",
            "charlie charlie 0x0"
        ]
    );
}

#[test]
fn strengths_and_digests_may_differ_as_they_should() {
    for digest in [DigestAlgorithm::Sha1, DigestAlgorithm::Sha256] {
        let server = Recipe {
            strength: Strength::Today,
            digest,
            ..Recipe::server()
        };
        let client = Recipe {
            digest,
            ..Recipe::client()
        };
        let mut world = World::new(&server, &client, None);
        world.dance().unwrap();
        assert_eq!(world.flags(), 0x29c_7f03);
    }
    let other = Recipe {
        digest: DigestAlgorithm::Sha1,
        ..Recipe::server()
    };
    let mut world = World::new(&other, &Recipe::client(), None);
    // The server takes the MAC for wrong, and says so.
    assert_eq!(dropped(world.poll()), ReceiveError::CryptoNak);
}

#[test]
fn a_separate_sign_key_signs() {
    let mut world = World::new(&Recipe::server(), &Recipe::client(), None);
    let mut credentials = Recipe::server().credentials();
    credentials.sign_key = Some(credentials.host_key);
    credentials.host_key = Strength::Of2008.key(3);
    world.server = Host::new(credentials, HostOptions::default(), [3; 32]).unwrap();
    world.dance().unwrap();
    assert_eq!(world.flags(), 0x87f03);
}

/// A server and a client whose certificates are DSA's; cookies still travel under RSA.
#[test]
fn dsa_keys_sign_at_both_ends() {
    let with_dsa = |recipe: &Recipe, seed: u8| {
        let mut random = ChaCha20Rng::from_seed([seed; 32]);
        let key = PrivateKey::generate_dsa(512, &mut random).unwrap();
        let mut credentials = recipe.credentials();
        let request = CertificateRequest {
            subject: recipe.name,
            issuer: recipe.name,
            serial: 1,
            not_before: credentials.certificate.not_before(),
            not_after: credentials.certificate.not_after(),
            trust: recipe.trust,
            public_key: key.public(),
            group_key: None,
        };
        let scheme = SignatureScheme::DsaSha1;
        credentials.certificate = Certificate::issue(&request, &key, scheme).unwrap();
        credentials.sign_key = Some(key);
        credentials
    };
    let mut world = World::new(&Recipe::server(), &Recipe::client(), None);
    let server = with_dsa(&Recipe::server(), 1);
    let of_rsa = Credentials {
        host_key: server.sign_key.clone().unwrap(),
        ..server.clone()
    };
    assert!(matches!(
        Host::new(of_rsa, HostOptions::default(), [3; 32]),
        Err(HostError::Sign(_))
    ));
    world.server = Host::new(server, HostOptions::default(), [3; 32]).unwrap();
    let client = with_dsa(&Recipe::client(), 2);
    world.client = Host::new(client, HostOptions::default(), [4; 32]).unwrap();
    world.dance().unwrap();
    assert_eq!(world.flags(), 0x71_7f03);
}

#[test]
fn only_bare_replies_give_time() {
    let mut world = World::new(&Recipe::server(), &Recipe::client(), None);
    for _ in 0..3 {
        let received = world.poll().unwrap();
        assert!(received.progress && !received.time_usable);
    }
    assert!(world.association.is_proventic());
    let received = world.poll().unwrap();
    assert!(received.time_usable && !received.progress);
}

#[test]
fn a_server_that_does_not_sign_still_gives_time() {
    let mut world = World::new(&Recipe::server(), &Recipe::client(), None);
    for _ in 0..4 {
        world.poll().unwrap();
    }
    world.client_synchronised = true;
    world.client.set_synchronised(world.now, true);
    let (mut asked, mut bare) = (0, 0);
    for _ in 0..200 {
        let request = world.request();
        if request.len() > 68 {
            asked += 1; // and no answer comes
        } else {
            let (_, reply) = world.respond(&request).unwrap();
            assert!(world.receive(&reply).unwrap().time_usable);
            bare += 1;
        }
    }
    assert!(asked >= 5 && bare > 180, "{asked} {bare}");
    assert!(world.association.is_proventic());
}

#[test]
fn a_server_that_restarts_with_its_keys_is_not_noticed() {
    let mut world = World::new(&Recipe::server(), &Recipe::client(), None);
    world.dance().unwrap();
    let mut credentials = Recipe::server().credentials();
    credentials.certificate_filestamp = Stamp::new(5);
    world.server = Host::new(credentials, HostOptions::default(), [99; 32]).unwrap();
    assert!(world.poll().unwrap().time_usable);
}

#[test]
fn replayed_and_duplicated_replies_are_refused() {
    let mut world = World::new(&Recipe::server(), &Recipe::client(), None);
    let mut old: Vec<Vec<u8>> = Vec::new();
    for _ in 0..8 {
        let request = world.request();
        let (_, reply) = world.respond(&request).unwrap();
        for old in &old {
            assert!(world.receive(old).is_err());
        }
        world.receive(&reply).unwrap();
        assert_eq!(world.receive(&reply), Err(ReceiveError::Unexpected));
        old.push(reply);
        if world.association.is_proventic() {
            world.client_synchronised = true;
        }
    }
    assert_eq!(world.flags(), 0x87f03);
}

#[test]
fn the_answer_to_another_question_is_refused() {
    let mut world = World::new(&Recipe::server(), &Recipe::client(), None);
    world.poll().unwrap();
    let request = world.request();
    let (_, reply) = world.respond(&request).unwrap();
    // The right answer to a CERT request, to an association that waits for ASSOC.
    let sent = world.association.sent.unwrap();
    world.association.sent = Some(Sent {
        opcode: Some(Opcode::Association),
        ..sent
    });
    assert_eq!(world.receive(&reply), Err(ReceiveError::Unexpected));
}

#[test]
fn a_server_that_bears_our_name_is_refused() {
    let mut world = World::new(
        &Recipe::server(),
        &Recipe {
            name: "server",
            ..Recipe::client()
        },
        None,
    );
    assert_eq!(
        dropped(world.poll()),
        ReceiveError::OwnName("server".to_owned())
    );
}
