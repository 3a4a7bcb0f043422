use ntp_keys::ReissueTerms;
use ntp_wire::KeyId;

use super::*;
use crate::{certificate_cache::VALID, test_material::start};

/// A world whose dance is done.
fn settled(server: &Recipe) -> World {
    let mut world = World::new(server, &Recipe::client(), None);
    world.dance().unwrap();
    world.association.take_soon();
    world.events();
    world
}

/// Polls as an engine does, `wait` seconds apart or sooner where the association wants that, until
/// time can be used. Says how many whole polls and how many packets that took.
fn until_time(world: &mut World, wait: u64) -> (u32, u32) {
    let (mut polls, mut packets) = (0, 0);
    for _ in 0..100 {
        match world.association.take_soon() {
            Some(soon) => world.pass(soon.as_secs().saturating_sub(2)),
            None => {
                polls += 1;
                world.pass(wait - 2);
            }
        }
        packets += 1;
        assert!(world.association.is_proventic(), "nothing is ever lost");
        if world.poll().is_ok_and(|received| received.time_usable) {
            return (polls, packets);
        }
    }
    panic!("no time any more: {:#x}", world.flags());
}

/// Whether the request carries a field.
fn is_step(request: &[u8]) -> bool {
    request.len() > 68
}

fn key_id_of(request: &[u8]) -> KeyId {
    match Packet::parse(request).unwrap().trailer() {
        Trailer::Mac { key_id, .. } => key_id,
        _ => panic!("no MAC"),
    }
}

/// All that who sees a request can answer: crypto-NAK, error field, wrong MAC.
fn forgeries(request: &[u8]) -> [Vec<u8>; 3] {
    let key_id = key_id_of(request);
    let mut nak = header(4);
    nak.extend([0; 4]);
    let mut error = header(4);
    SessionKeys::new(DigestAlgorithm::Md5, [&[0; 32]])
        .seal_restart(SERVER, CLIENT, key_id, &mut error);
    let mut wrong = header(4);
    wrong.extend(key_id.value().to_be_bytes());
    wrong.extend([0x5a; 16]);
    [nak, error, wrong]
}

#[test]
fn a_server_with_new_keys_is_back_within_two_polls() {
    for strength in [Strength::Of2008, Strength::Today] {
        let old = Recipe {
            strength,
            ..Recipe::server()
        };
        let mut world = settled(&old);
        world.server = Recipe {
            key: 1,
            ..old.clone()
        }
        .host();
        let (polls, packets) = until_time(&mut world, 64);
        // One that is refused, and in quick succession ASSOC, CERT, COOKIE, time.
        assert_eq!((polls, packets), (1, 5));
        assert_eq!(
            world.association.last_error(),
            None,
            "what was wrong is mended"
        );
        world.dance().unwrap();
        assert_eq!(world.flags() & 0x7fff, 0x7f03, "it signs for us again");
        // And once more, at once.
        world.association.take_soon();
        world.server = old.host();
        assert_eq!(until_time(&mut world, 64), (1, 5));
    }
}

#[test]
fn a_server_that_lost_its_secret_is_back_within_two_polls() {
    let mut world = settled(&Recipe::server());
    let flags = world.flags();
    world.server = Recipe::server().host_with_secret(7);
    assert_eq!(until_time(&mut world, 1024), (1, 5));
    assert_eq!(world.flags(), flags, "the signature is of the same key");
    let events = world.events();
    assert!(
        events.contains(&"renewal: the server has refused a request".to_owned()),
        "{events:?}"
    );
}

#[test]
fn a_lost_packet_on_the_way_back_costs_one_poll() {
    for lost in 1..5 {
        let mut world = settled(&Recipe::server());
        world.server = Recipe::server().host_with_secret(7);
        for _ in 0..lost {
            world.association.take_soon();
            let _ = world.poll();
        }
        world.association.take_soon();
        world.request(); // is lost
        let (polls, _) = until_time(&mut world, 64);
        assert!(polls <= 2, "{lost} {polls}");
    }
}

#[test]
fn forged_refusals_that_come_first_do_nothing() {
    let mut world = settled(&Recipe::server());
    let flags = world.flags();
    for _ in 0..200 {
        let request = world.request();
        assert!(!is_step(&request));
        let (_, good) = world.respond(&request).unwrap();
        for forged in forgeries(&request) {
            assert!(world.receive(&forged).is_err());
        }
        assert!(world.receive(&good).unwrap().time_usable);
        assert_eq!(world.flags(), flags);
    }
    assert!(world.events().len() <= 10, "the log is not flooded");
}

#[test]
fn who_sees_requests_and_stops_replies_gains_nothing_beyond_that() {
    let mut world = settled(&Recipe::server());
    let flags = world.flags();
    let mut steps = 0;
    for _ in 0..2000 {
        world.pass(62);
        let request = world.request();
        steps += u32::from(is_step(&request));
        for forged in forgeries(&request) {
            assert!(world.receive(&forged).is_err());
        }
        assert_eq!(world.flags(), flags);
    }
    // Ever fewer: at last three steps in 4096 s.
    assert!(steps < 2000 * 64 / 4096 * 3 + 30, "{steps}");
    assert!(
        until_time(&mut world, 64).0 <= 2,
        "when it ends, time is back"
    );
    assert_eq!(world.flags(), flags);
}

#[test]
fn a_new_dance_that_is_forged_changes_nothing() {
    // Who sees requests answers them as another server would, with keys of his own.
    let mut world = settled(&Recipe::server());
    let flags = world.flags();
    let key = iff_key(1, 4_000_000_000);
    world.groups.insert("server", clients_half(&key));
    world.server = Recipe {
        key: 3,
        ..Recipe::server()
    }
    .host();
    for _ in 0..100 {
        let _ = world.poll();
        assert_eq!(world.flags(), flags);
        assert!(world.association.is_proventic());
    }
    world.server = Recipe::server().host();
    assert!(until_time(&mut world, 64).0 <= 2);
}

#[test]
fn a_new_dance_must_prove_the_group_that_the_old_one_proved() {
    // Who sees requests has the dance done once more, and answers under a name of which we have no
    // parameters, with a trusted certificate of his own.
    let (mut world, key) = iff_world(None);
    world.groups.insert("server", clients_half(&key));
    world.dance().unwrap();
    let flags = world.flags();
    let liar = Recipe {
        name: "liar",
        key: 3,
        ..Recipe::server()
    };
    world.server = liar.host();
    for _ in 0..100 {
        world.association.take_soon();
        let _ = world.poll();
        assert_eq!(world.flags(), flags);
        assert_eq!(world.association.server_name(), Some("server"));
    }
    let server = Recipe {
        identity: vec![key.into()],
        ..Recipe::server()
    };
    world.server = server.host();
    assert!(until_time(&mut world, 64).0 <= 2);
}

#[test]
fn a_new_dance_that_ends_at_the_wrong_group_changes_nothing() {
    // The parameters are found by the issuer of the certificate, so only when the trail is complete.
    let mut world = settled(&Recipe::server());
    let key = iff_key(1, 4_000_000_000);
    world.groups.insert("root", clients_half(&key));
    let flags = world.flags();
    let liar = Recipe {
        name: "liar",
        key: 3,
        trust: CertificateTrust::Ordinary,
        ..Recipe::server()
    };
    let root = Recipe {
        name: "root",
        key: 2,
        ..Recipe::server()
    };
    world.server = liar.host();
    let signed = liar.certificate().reissue(
        &ReissueTerms {
            issuer: "root",
            serial: 2,
            not_before: start(),
            not_after: start() + ntp_wire::Duration::from_seconds(86_400 * 300),
        },
        &root.strength.key(root.key),
        root.strength.scheme(),
    );
    let made = Stamp::of(start() - ntp_wire::Duration::from_seconds(86_400));
    let trail = [signed.unwrap(), root.certificate()];
    let trail = trail.iter().map(|certificate| (certificate, made, VALID));
    world.server.install(start(), trail);
    for _ in 0..100 {
        world.association.take_soon();
        let _ = world.poll();
        assert_eq!(world.flags(), flags);
        assert!(world.association.is_proventic());
    }
    world.server = Recipe::server().host();
    assert!(until_time(&mut world, 64).0 <= 2);
}

#[test]
fn who_lets_the_dance_through_and_stops_time_gains_nothing_beyond_that() {
    let mut world = settled(&Recipe::server());
    let flags = world.flags();
    let mut steps = 0;
    for _ in 0..2000 {
        world.pass(62);
        let request = world.request();
        if is_step(&request) {
            steps += 1;
            let (_, reply) = world.respond(&request).unwrap();
            assert!(world.receive(&reply).unwrap().progress);
        } else {
            let [nak, ..] = forgeries(&request);
            assert!(world.receive(&nak).is_err());
        }
        assert_eq!(world.flags(), flags);
    }
    // Each of these dances shows only what was known, so the next one waits, at last 4096 s. But
    // twice the server has a new secret.
    assert!(steps < 2000 * 64 / 4096 * 3 + 60, "{steps}");
}

#[test]
fn a_cookie_older_than_the_one_at_hand_is_refused() {
    let mut world = settled(&Recipe::server());
    let mut signed_at = |now| {
        world.pass(1 << 16);
        let mut request = world.request();
        while !is_step(&request) {
            request = world.request();
        }
        let exchange = crate::Exchange {
            now,
            ..world.at_server()
        };
        let packet = Packet::parse(&request).unwrap();
        let mut reply = header(4);
        let mut server = Recipe::server().host();
        let answer = server.respond_at_once(&exchange, &packet, &mut reply);
        assert_eq!(answer, Ok(Reply::Sealed));
        world.receive(&reply)
    };
    let before = start() - ntp_wire::Duration::from_seconds(60);
    assert_eq!(signed_at(before), Err(ReceiveError::Older));
    let after = start() + ntp_wire::Duration::from_seconds(60);
    assert!(signed_at(after).unwrap().progress);
    let events = world.events();
    assert!(!events.contains(&"proventic".to_owned()), "{events:?}");
}

#[test]
fn a_wrong_answer_to_what_can_be_spared_begins_nothing() {
    let mut world = settled(&Recipe::server());
    world.association.host_renewed(&world.client);
    let request = world.request();
    let mut other = Recipe {
        key: 3,
        ..Recipe::server()
    }
    .host();
    std::mem::swap(&mut world.server, &mut other);
    let (_, forged) = world.respond(&request).unwrap();
    assert_eq!(world.receive(&forged), Err(ReceiveError::Signature));
    std::mem::swap(&mut world.server, &mut other);
    world.poll().unwrap();
    let events = world.events();
    let is_renewal = |line: &String| line.starts_with("renewal");
    assert!(!events.iter().any(is_renewal), "{events:?}");
}

#[test]
fn after_six_days_all_is_asked_anew_without_a_gap() {
    let mut world = settled(&Recipe::server());
    world.pass((1 << 19) - (1 << 15));
    world.poll().unwrap();
    world.pass(1 << 15);
    world.association.take_soon();
    let (polls, _) = until_time(&mut world, 64);
    assert_eq!(polls, 1);
    assert_eq!(world.flags(), 0x87f03);
    assert!(
        world
            .events()
            .contains(&"renewal: the association is six days old".to_owned())
    );
    // Not again at once, nor as soon as it may.
    world.association.take_soon();
    assert!(world.poll().unwrap().time_usable);
    world.pass(1 << 13);
    assert!(world.poll().unwrap().time_usable);
}

#[test]
fn the_cookie_is_asked_for_anew_every_eighteen_hours() {
    let mut world = settled(&Recipe::server());
    let mut cookies = 0;
    for _ in 0..3 * 1350 {
        world.pass(62);
        let request = world.request();
        cookies += u32::from(is_step(&request));
        let (_, reply) = world.respond(&request).unwrap();
        let received = world.receive(&reply).unwrap();
        assert!(received.time_usable || received.progress);
    }
    assert_eq!(cookies, 3);
    assert_eq!(world.flags(), 0x87f03);
}

#[test]
fn a_certificate_is_renewed_before_it_expires() {
    let short = Recipe {
        days: 3,
        ..Recipe::server()
    };
    let mut world = settled(&short);
    world.pass(86_400 + 7200);
    // ntp-keygen was run again there, with the same key.
    world.server = Recipe::server().host();
    assert_eq!(until_time(&mut world, 64), (1, 4));
    world.pass(2 * 86_400);
    assert_eq!(until_time(&mut world, 64), (1, 2), "a cookie, then time");
}

#[test]
fn before_anything_is_proven_two_refusals_begin_anew() {
    let mut world = World::new(&Recipe::server(), &Recipe::client(), None);
    world.poll().unwrap();
    world.poll().unwrap();
    assert_eq!(world.flags(), 0x80103 | 0x1000 | 0x200);
    world.server = Recipe {
        key: 3,
        ..Recipe::server()
    }
    .host();
    assert_eq!(dropped(world.poll()), ReceiveError::Signature);
    assert_eq!(dropped(world.poll()), ReceiveError::Signature);
    world.dance().unwrap();
    assert_eq!(world.flags(), 0x87f03);
}

#[test]
fn a_forged_value_does_not_shut_out_the_true_one() {
    let mut world = World::new(&Recipe::server(), &Recipe::client(), None);
    let mut other = World::new(
        &Recipe {
            key: 3,
            ..Recipe::server()
        },
        &Recipe::client(),
        None,
    );
    for _ in 0..3 {
        let request = world.request();
        let (_, forged) = other.respond(&request).unwrap();
        let (_, good) = world.respond(&request).unwrap();
        if world.flags() & 0x100 != 0 {
            assert_eq!(world.receive(&forged), Err(ReceiveError::Signature));
        }
        assert!(world.receive(&good).unwrap().progress);
    }
    assert!(world.association.is_proventic());
}

#[test]
fn a_poisoned_beginning_is_not_for_ever() {
    let mut world = World::new(&Recipe::server(), &Recipe::client(), None);
    let mut other = World::new(
        &Recipe {
            name: "liar",
            ..Recipe::server()
        },
        &Recipe::client(),
        None,
    );
    let request = world.request();
    let (_, forged) = other.respond(&request).unwrap();
    world.receive(&forged).unwrap();
    // The true server has no certificate of that name.
    for _ in 0..60 {
        if world.poll().is_ok() {
            return;
        }
    }
    panic!("still asking for the liar");
}

#[test]
fn a_server_that_cannot_answer_yet_is_asked_again_soon_and_within_bounds() {
    let mut world = World::new(&Recipe::server(), &Recipe::client(), None);
    world.server_synchronised = false;
    world.poll().unwrap();
    let mut waits = Vec::new();
    for _ in 0..60 {
        if let Err(Failure::Dropped(error)) = world.poll() {
            assert_eq!(error, ReceiveError::NoValue(Opcode::Certificate));
            waits.push(world.association.take_soon().map(|wait| wait.as_secs()));
        }
    }
    let soon = waits.iter().flatten();
    assert_eq!(waits[..6], [2, 4, 8, 16, 16, 16].map(Some));
    assert!(
        soon.sum::<u64>() < 900 && waits.contains(&None),
        "{waits:?}"
    );
}
