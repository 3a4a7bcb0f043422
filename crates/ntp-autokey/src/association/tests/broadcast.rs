//! A server that tells many, and one of those who listen.

use std::net::IpAddr;

use ntp_wire::AssociationId;

use super::*;
use crate::{Announcer, AssociationOptions, Exchange, Relation};

const MANY: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 255));

/// A server that announces itself, and a client that asks it and listens.
struct Radio {
    world: World,
    announcer: Announcer,
}

impl Radio {
    fn new(server: &Recipe) -> Self {
        let mut world = World::new(server, &Recipe::client(), None);
        world.association = Association::new(AssociationOptions {
            association: AssociationId::new(64_374),
            relation: Relation::Listener,
            ident: None,
        });
        Self {
            world,
            announcer: Announcer::new(AssociationId::new(48_219)),
        }
    }

    /// What the server tells everybody.
    fn announcement(&mut self) -> Vec<u8> {
        self.world.pass(8);
        let exchange = Exchange {
            remote: MANY,
            ..self.world.at_server()
        };
        let now = self.world.now;
        self.world.server.set_synchronised(now, true);
        let mut packet = header(5);
        self.announcer
            .seal(&mut self.world.server, &exchange, &mut packet)
            .unwrap();
        packet
    }

    fn hear(&mut self, packet: &[u8]) -> Result<Received, ReceiveError> {
        let exchange = Exchange {
            local: MANY,
            ..self.world.at_client()
        };
        let packet = Packet::parse(packet).unwrap();
        self.world
            .association
            .hear(&mut self.world.client, &exchange, &packet)
    }

    /// Whether the time of the next announcement can be used.
    fn usable(&mut self) -> bool {
        let packet = self.announcement();
        self.hear(&packet)
            .is_ok_and(|received| received.time_usable)
    }

    /// Asks until nothing is left to ask.
    fn volley(&mut self) {
        self.world.dance().unwrap();
    }
}

fn is_about(packet: &[u8], opcode: Opcode) -> bool {
    let packet = Packet::parse(packet).unwrap();
    let field = packet.extensions().next().unwrap();
    Message::parse(&field).unwrap().opcode == opcode
}

#[test]
fn a_listener_asks_once_and_then_follows_the_list() {
    let mut radio = Radio::new(&Recipe::server());
    let first = radio.announcement();
    assert!(is_about(&first, Opcode::Autokey));
    assert!(!radio.hear(&first).unwrap().time_usable && radio.world.association.wants_to_ask());
    let second = radio.announcement();
    assert!(is_about(&second, Opcode::Association));
    radio.hear(&second).unwrap();
    radio.volley();
    assert_eq!(radio.world.flags(), 0x87f03);
    assert!(!radio.world.association.wants_to_ask());
    let events = radio.world.events();
    assert!(
        events
            .iter()
            .any(|line| line.starts_with("auto seq 99 key ")),
        "{events:?}"
    );
    // The rest of this list, and two more: each begins with its values.
    assert!((0..250).all(|_| radio.usable()));
}

#[test]
fn lost_packets_do_no_harm_but_a_lost_beginning_is_asked_for() {
    let mut radio = Radio::new(&Recipe::server());
    let first = radio.announcement();
    radio.hear(&first).unwrap();
    radio.volley();
    for _ in 0..20 {
        radio.announcement();
    }
    assert!(radio.usable());
    // To the end of the list, and the first of the next one is lost.
    while !is_about(&radio.announcement(), Opcode::Autokey) {}
    assert!(!radio.usable() && !radio.world.association.wants_to_ask());
    assert!(!radio.usable() && radio.world.association.wants_to_ask());
    assert!(radio.world.association.take_soon().is_some());
    radio.world.poll().unwrap();
    assert!(!radio.world.association.wants_to_ask());
    assert!(radio.usable());
}

#[test]
fn copies_and_forgeries_are_not_taken() {
    let mut radio = Radio::new(&Recipe::server());
    let first = radio.announcement();
    radio.hear(&first).unwrap();
    radio.volley();
    let old: Vec<_> = (0..3).map(|_| radio.announcement()).collect();
    for packet in &old {
        assert!(radio.hear(packet).unwrap().time_usable);
    }
    assert_eq!(radio.hear(&old[2]), Err(ReceiveError::Older));
    assert_eq!(radio.hear(&old[1]), Err(ReceiveError::NotInList));
    // The beginning once more does not bring back what was used.
    assert_eq!(radio.hear(&first), Err(ReceiveError::NotInList));
    assert_eq!(radio.hear(&old[0]), Err(ReceiveError::NotInList));
    let mut forged = radio.announcement();
    forged[40] ^= 1;
    assert_eq!(radio.hear(&forged), Err(ReceiveError::BadMac));
    // A list of somebody who has not the server's key.
    let mut other = Radio::new(&Recipe {
        strength: Strength::Today,
        ..Recipe::server()
    });
    other.world.pass(10_000);
    let forged = other.announcement();
    assert!(is_about(&forged, Opcode::Autokey));
    radio.world.pass(2);
    assert!(matches!(
        radio.hear(&forged),
        Err(ReceiveError::Signature | ReceiveError::SignatureLength { .. })
    ));
    assert!(radio.usable());
}

#[test]
fn who_forges_makes_us_ask_no_more_than_once_a_minute() {
    let mut radio = Radio::new(&Recipe::server());
    let first = radio.announcement();
    radio.hear(&first).unwrap();
    radio.volley();
    let mut other = Radio::new(&Recipe::server());
    // Another list.
    for _ in 0..101 {
        other.announcement();
    }
    let mut asked = 0;
    for _ in 0..50 {
        let forged = other.announcement();
        for _ in 0..5 {
            let _ = radio.hear(&forged);
        }
        radio.world.pass(1);
        if radio.world.association.wants_to_ask() {
            asked += 1;
            radio.world.poll().unwrap();
        }
    }
    assert_eq!(asked, 1);
    assert!(radio.usable());
}

#[test]
fn a_server_that_was_restarted_is_followed_again() {
    let mut radio = Radio::new(&Recipe::server());
    let first = radio.announcement();
    radio.hear(&first).unwrap();
    radio.volley();
    radio.world.server = Recipe::server().host();
    radio.announcer = Announcer::new(AssociationId::new(17));
    // Its first packet has the values of its new list, signed with the key that is known.
    assert!(radio.usable());
    assert!(radio.usable());
}

#[test]
fn renewed_keys_begin_a_list_that_those_who_know_them_can_verify() {
    let mut radio = Radio::new(&Recipe::server());
    assert!(is_about(&radio.announcement(), Opcode::Autokey));
    assert!(is_about(&radio.announcement(), Opcode::Association));
    let renewed = Recipe {
        strength: Strength::Today,
        ..Recipe::server()
    };
    let now = radio.world.now;
    assert_eq!(
        radio.world.server.renew(now, renewed.credentials()),
        Ok(true)
    );
    assert!(is_about(&radio.announcement(), Opcode::Autokey));
}
