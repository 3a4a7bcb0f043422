//! The identity schemes GQ, MV and PC in the dance.

use ntp_keys::{GqGroup, MvKeys};
use rand::{SeedableRng, rngs::ChaCha20Rng};

use super::*;
use crate::{GqKey, IdentityKey, MvClientKey, MvServerKey};

const MADE: Stamp = Stamp::new(4_000_000_000);

fn gq_key(seed: u8) -> GqKey {
    let group = GqGroup::generate(512, &mut ChaCha20Rng::from_seed([seed; 32])).unwrap();
    GqKey::new(group, MADE)
}

/// A world whose server is of these groups.
fn world(identity: Vec<IdentityKey>) -> World {
    let server = Recipe {
        identity,
        ..Recipe::server()
    };
    World::new(&server, &Recipe::client(), Some("group"))
}

fn identity_error(world: &mut World) -> IdentityError {
    loop {
        match world.poll() {
            Ok(received) => assert!(received.progress && !received.time_usable),
            Err(Failure::Dropped(ReceiveError::Identity { group, error })) => {
                assert_eq!(group, "group");
                assert!(!world.association.is_proventic());
                return error;
            }
            Err(other) => panic!("{other:?}"),
        }
    }
}

#[test]
fn gq_with_the_key_in_the_servers_certificate() {
    let key = gq_key(1);
    let mut world = world(vec![key.clone().into()]);
    let clients = GqKey::new(key.group().without_secret(), MADE);
    world.groups.insert("group", clients);
    world.dance().unwrap();
    assert_eq!(world.flags(), 0x87f43);
    assert!(
        world
            .events()
            .contains(&"gq group fs 4000000000".to_owned())
    );
}

#[test]
fn gq_of_another_group_or_without_a_certified_key_is_refused() {
    let clients = || GqKey::new(gq_key(1).group().without_secret(), MADE);
    let mut other = world(vec![gq_key(2).into()]);
    other.groups.insert("group", clients());
    // Numbers below one modulus may not be below the other.
    let error = identity_error(&mut other);
    assert!(matches!(
        error,
        IdentityError::NotVerified | IdentityError::NotCertified | IdentityError::BadResponse
    ));
}

#[test]
fn a_gq_key_may_be_newer_than_the_parameters_and_no_older() {
    for (made, accepted) in [
        (MADE, true),
        (Stamp::new(3_999_999_999), true),
        (Stamp::new(4_000_000_001), false),
    ] {
        let key = gq_key(1);
        let mut world = world(vec![key.clone().into()]);
        let clients = GqKey::new(key.group().without_secret(), made);
        world.groups.insert("group", clients);
        let outcome = world.dance();
        assert_eq!(outcome.is_ok(), accepted, "{made}: {outcome:?}");
    }
}

#[test]
fn mv_and_a_client_that_was_revoked() {
    let keys = MvKeys::generate(3, 512, &mut ChaCha20Rng::from_seed([3; 32])).unwrap();
    let server = MvServerKey::new(keys.server.clone(), MADE);
    for number in [0, 1] {
        let mut world = world(vec![server.clone().into()]);
        let client = MvClientKey::new(keys.clients[number].clone(), MADE);
        world.groups.insert("group", client);
        world.dance().unwrap();
        assert_eq!(world.flags(), 0x87f83);
        assert!(
            world
                .events()
                .contains(&"mv group fs 4000000000".to_owned())
        );
    }
    let mut world = world(vec![server.into()]);
    let revoked = MvClientKey::new(keys.clients[2].clone(), MADE);
    world.groups.insert("group", revoked);
    assert_eq!(identity_error(&mut world), IdentityError::NotVerified);
}

#[test]
fn a_server_of_several_schemes_is_asked_for_the_one_that_the_client_knows() {
    let (gq, iff) = (gq_key(1), iff_key(1, MADE.value()));
    let both = || vec![gq.clone().into(), iff.clone().into()];
    let mut only_gq = world(both());
    let clients = GqKey::new(gq.group().without_secret(), MADE);
    only_gq.groups.insert("group", clients.clone());
    only_gq.dance().unwrap();
    assert_eq!(only_gq.flags(), 0x87f43);
    // IFF first, where there is a choice.
    let mut two = world(both());
    two.groups.insert("group", clients.clone());
    two.groups.insert("group", clients_half(&iff));
    two.dance().unwrap();
    assert_eq!(two.flags(), 0x87f23);
    // Parameters of a scheme that the server does not offer are no leave to go without.
    let mut neither = world(vec![iff.clone().into()]);
    neither.groups.insert("group", clients);
    let error = dropped(neither.poll());
    assert_eq!(
        error,
        ReceiveError::NotOffered {
            group: "group".to_owned()
        }
    );
}

fn private(name: &'static str, key: usize) -> Recipe {
    Recipe {
        name,
        key,
        trust: CertificateTrust::Private,
        ..Recipe::server()
    }
}

#[test]
fn private_certificates_need_no_trail() {
    let mut world = World::new(&private("group", 0), &private("group", 0), None);
    world.dance().unwrap();
    assert_eq!(world.flags(), 0x87f13);
    let asked: Vec<String> = world.events();
    assert!(
        asked.iter().all(|line| !line.starts_with("cert ")),
        "{asked:?}"
    );
    // The private certificate never travels.
    assert_eq!(world.certificates(), ["group group 0x8"]);
}

#[test]
fn private_and_other_certificates_do_not_mix() {
    let mut stranger = World::new(&private("group", 0), &Recipe::client(), None);
    let error = dropped(stranger.poll());
    assert!(matches!(error, ReceiveError::Private { .. }), "{error}");
    assert_eq!(error.code(), 0x106);
    let mut open = World::new(&Recipe::server(), &private("group", 0), None);
    let error = dropped(open.poll());
    assert!(matches!(error, ReceiveError::NotPrivate { .. }), "{error}");
    // The same name, another key: the cookie's signature tells.
    let mut impostor = World::new(&private("group", 1), &private("group", 0), None);
    impostor.poll().unwrap();
    assert_eq!(dropped(impostor.poll()), ReceiveError::Signature);
    assert!(!impostor.association.is_proventic());
}

#[test]
fn a_private_certificate_stays_at_home_when_it_is_renewed() {
    let mut world = World::new(&private("group", 0), &private("group", 0), None);
    world.dance().unwrap();
    let newer = Recipe {
        days: 400,
        ..private("group", 0)
    };
    assert_eq!(world.client.renew(world.now, newer.credentials()), Ok(true));
    world.association.host_renewed(&world.client);
    assert_stays_at_home(&mut world);
    // It was an ordinary one before: what was proven with it is no longer enough.
    let mut world = World::new(&Recipe::server(), &Recipe::client(), None);
    world.dance().unwrap();
    let renewed = world
        .client
        .renew(world.now, private("group", 0).credentials());
    assert_eq!(renewed, Ok(true));
    world.association.host_renewed(&world.client);
    assert!(!world.association.is_proventic());
    assert_stays_at_home(&mut world);
}

/// No request has the host's own certificate in it.
fn assert_stays_at_home(world: &mut World) {
    for _ in 0..200 {
        let request = world.request();
        let packet = Packet::parse(&request).unwrap();
        for field in packet.extensions() {
            assert_ne!(Message::parse(&field).unwrap().opcode, Opcode::Sign);
        }
        if let Ok((_, reply)) = world.respond(&request) {
            let _ = world.receive(&reply);
        }
    }
}
