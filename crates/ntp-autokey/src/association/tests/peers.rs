//! Peers that prove each other.

use std::time::Duration as Elapsed;

use ntp_wire::{AssociationId, Duration, Monotonic, Timestamp};

use super::*;
use crate::{
    AssociationOptions, Exchange, IdentityGroups, Refusal, Relation, test_material::start,
};

/// A host and what it knows of the other one.
struct Side {
    host: Host,
    association: Association,
    groups: IdentityGroups,
    synchronised: bool,
}

/// Two hosts that are each other's peers; the first has the address of the server.
struct Peers {
    sides: [Side; 2],
    now: Timestamp,
    monotonic: Monotonic,
}

fn side(recipe: &Recipe, number: u16) -> Side {
    Side {
        host: recipe.host(),
        association: Association::new(AssociationOptions {
            association: AssociationId::new(number),
            relation: Relation::Peer,
            ident: None,
        }),
        groups: IdentityGroups::new(),
        synchronised: true,
    }
}

impl Peers {
    fn new(one: &Recipe, other: &Recipe) -> Self {
        Self {
            sides: [side(one, 100), side(other, 200)],
            now: start(),
            monotonic: Monotonic::START,
        }
    }

    /// Both have certificates that are trusted.
    fn trusted() -> Self {
        Self::new(&Recipe::server(), &trusted_client())
    }

    fn exchange(&self, from: usize) -> Exchange {
        let (local, remote) = [(SERVER, CLIENT), (CLIENT, SERVER)][from];
        Exchange {
            local,
            remote,
            now: self.now,
            monotonic: self.monotonic,
            synchronised: self.sides[from].synchronised,
        }
    }

    fn pass(&mut self, seconds: u64) {
        self.now += Duration::from_seconds(seconds as i32);
        self.monotonic += Elapsed::from_secs(seconds);
        for side in &mut self.sides {
            side.host.set_synchronised(self.now, side.synchronised);
        }
    }

    fn send(&mut self, from: usize) -> Vec<u8> {
        let exchange = self.exchange(from);
        let mut packet = header(1);
        let side = &mut self.sides[from];
        side.association
            .seal_request(&mut side.host, &exchange, &side.groups, &mut packet);
        packet
    }

    fn take(&mut self, at: usize, packet: &[u8], answers: bool) -> Result<Received, ReceiveError> {
        let exchange = self.exchange(at);
        let Side {
            host,
            association,
            groups,
            ..
        } = &mut self.sides[at];
        let packet = Packet::parse(packet).unwrap();
        let taken = association.receive_from_peer(host, &exchange, groups, &packet, answers);
        while let Some(job) = association.take_job() {
            association.finish(host, job.run());
        }
        taken
    }

    /// A packet each way, with the pause of a step.
    fn round(&mut self) -> [Result<Received, ReceiveError>; 2] {
        self.pass(1);
        let packet = self.send(0);
        let at_second = self.take(1, &packet, true);
        let packet = self.send(1);
        [self.take(0, &packet, true), at_second]
    }

    /// Rounds until both have come so far.
    fn dance(&mut self, flags: [u32; 2]) {
        for _ in 0..40 {
            let _ = self.round();
            if self.flags() == flags {
                return;
            }
        }
        panic!("{:x?}", self.flags());
    }

    fn flags(&self) -> [u32; 2] {
        [0, 1].map(|side| self.sides[side].association.status().bits())
    }

    fn usable(&mut self) -> [bool; 2] {
        self.round()
            .map(|taken| taken.is_ok_and(|received| received.time_usable))
    }
}

fn trusted_client() -> Recipe {
    Recipe {
        trust: CertificateTrust::Trusted,
        ..Recipe::client()
    }
}

#[test]
fn peers_prove_each_other_and_then_send_bare_packets() {
    let mut peers = Peers::trusted();
    peers.dance([0x87f03, 0x87f03]);
    let _ = peers.round();
    for side in [0, 1] {
        let packet = peers.send(side);
        assert!(
            Packet::parse(&packet)
                .unwrap()
                .extensions()
                .next()
                .is_none()
        );
        let received = peers.take(1 - side, &packet, true).unwrap();
        assert!(received.time_usable && !received.progress);
    }
    // Bare packets are made with a cookie that the two alone know.
    let cookies = [0, 1].map(|side| peers.sides[side].association.cookie());
    assert_eq!(cookies[0], cookies[1]);
    assert_ne!(cookies[0], Cookie::PUBLIC);
    let given = peers.sides[0].host.keys().cookie(SERVER, CLIENT);
    assert_ne!(cookies[0], given, "a client's cookie is another");
}

#[test]
fn every_step_is_taken_by_both_within_some_seconds() {
    let mut peers = Peers::trusted();
    let before = peers.monotonic;
    peers.dance([0x87f03, 0x87f03]);
    assert!(peers.monotonic.since(before) <= Elapsed::from_secs(16));
    let lines: Vec<String> = std::iter::from_fn(|| peers.sides[0].association.poll_event())
        .map(|event| event.to_string())
        .collect();
    let starts = [
        "assoc",
        "cert",
        "cook",
        "proventic",
        "auto seq",
        "sign",
        "leap",
    ];
    assert_eq!(lines.len(), starts.len(), "{lines:#?}");
    for (line, start) in lines.iter().zip(starts) {
        assert!(line.starts_with(start), "{line}");
    }
}

#[test]
fn peers_of_a_group_challenge_each_other() {
    let group = iff_key(5, 4_000_000_000);
    let with = |recipe: Recipe| Recipe {
        identity: vec![group.clone().into()],
        ..recipe
    };
    let mut peers = Peers::new(&with(Recipe::server()), &with(trusted_client()));
    for side in &mut peers.sides {
        side.groups.insert("server", clients_half(&group));
        side.groups.insert("client", clients_half(&group));
    }
    peers.dance([0x87f23, 0x87f23]);
}

#[test]
fn who_is_not_synchronised_follows_by_the_list_and_has_a_secret_later() {
    let mut peers = Peers::new(&Recipe::server(), &Recipe::client());
    peers.sides[1].synchronised = false;
    for _ in 0..12 {
        let _ = peers.round();
    }
    let flags = peers.sides[1].association.status();
    assert!(
        flags.contains(StatusWord::PROVENTIC | StatusWord::AUTOKEY),
        "{flags}"
    );
    assert!(!flags.contains(StatusWord::COOKIE));
    // One whose packets are made with the cookie that everybody knows; the place in the list tells.
    assert!(peers.usable()[1]);
    let packet = peers.send(0);
    assert!(peers.take(1, &packet, true).unwrap().time_usable);
    let again = peers
        .take(1, &packet, true)
        .map(|received| received.time_usable);
    assert_ne!(again, Ok(true), "a packet counts once");
    // A list is used up, and the next one asked for.
    let lost = (0..150).filter(|_| !peers.usable()[1]).count();
    assert!(lost <= 4, "{lost}");
    // Now it can sign. The other one can't follow it, since nobody trusted has signed for it.
    peers.sides[1].synchronised = true;
    for _ in 0..20 {
        let _ = peers.round();
    }
    let flags = peers.sides[1].association.status();
    assert_eq!(flags.bits() & 0x7f00, 0x7f00, "{flags}");
    assert!(!peers.sides[0].association.is_proventic());
    // That must not keep it from following: not every packet asks in vain.
    let usable = (0..60).filter(|_| peers.usable()[1]).count();
    assert!(usable >= 30, "{usable}");
}

#[test]
fn a_packet_of_somebody_else_is_not_taken_for_the_peers() {
    let mut peers = Peers::trusted();
    peers.dance([0x87f03, 0x87f03]);
    let mut packet = peers.send(0);
    packet[40] ^= 1;
    assert_eq!(peers.take(1, &packet, true), Err(ReceiveError::BadMac));
    // Who sees no packets can do no more than ask.
    let mut world = Peers::trusted();
    let question = world.send(0);
    assert_eq!(
        peers
            .take(1, &question, false)
            .map(|received| received.time_usable),
        Ok(false)
    );
    assert_eq!(
        peers.sides[1].association.last_error(),
        Some(&ReceiveError::BadMac)
    );
    assert_eq!(peers.flags(), [0x87f03, 0x87f03]);
    let answered = peers.send(1);
    assert!(
        Packet::parse(&answered)
            .unwrap()
            .extensions()
            .next()
            .is_some()
    );
}

#[test]
fn no_more_is_owed_than_a_peer_can_ask() {
    let mut peers = Peers::trusted();
    let mut other = Peers::trusted();
    for _ in 0..20 {
        let question = other.send(0);
        let _ = peers.take(1, &question, false);
    }
    let mut answers = 0;
    for _ in 0..20 {
        let packet = peers.send(1);
        let fields = Packet::parse(&packet).unwrap().extensions();
        answers += fields
            .filter(|field| Message::parse(field).unwrap().direction == Direction::Response)
            .count();
    }
    assert!((1..=4).contains(&answers), "{answers}");
}

#[test]
fn a_peer_that_was_restarted_is_back_soon_and_time_goes_on_meanwhile() {
    let mut peers = Peers::trusted();
    peers.dance([0x87f03, 0x87f03]);
    peers.sides[0] = side(&Recipe::server(), 100);
    let mut rounds = 0;
    while !peers.usable().iter().all(|usable| *usable) {
        rounds += 1;
        assert!(rounds < 30, "{:x?}", peers.flags());
    }
    peers.dance([0x87f03, 0x87f03]);
}

#[test]
fn a_client_is_not_given_a_peers_half_nor_a_peer_a_clients_cookie() {
    let mut world = World::new(&Recipe::server(), &Recipe::client(), None);
    world.dance().unwrap();
    let mut peers = Peers::trusted();
    peers.dance([0x87f03, 0x87f03]);
    // AUTO is for peers and listeners.
    let request = {
        let mut packet = header(3);
        Message {
            direction: Direction::Request,
            opcode: Opcode::Autokey,
            association: 100,
            value: None,
        }
        .emit(&mut packet);
        let key_id = KeyId::new(70_000);
        SessionKeys::new(DigestAlgorithm::Md5, [&[0; 32]]).seal_public(
            CLIENT,
            SERVER,
            key_id,
            &mut packet,
        );
        packet
    };
    assert_eq!(
        world.respond(&request).map(|(reply, _)| reply),
        Err(Refusal::NotOffered(Opcode::Autokey))
    );
}
