use ntp_wire::Packet;
use proptest::prelude::*;

use super::*;

fn parse(kind: u16, body: &[u8]) -> Result<Message<'_>, MessageError> {
    Message::parse(&ExtensionField { kind, body })
}

/// A value field's body with these lengths, and `rest` octets after the head.
fn body(value_length: u32, rest: &[u8]) -> Vec<u8> {
    let mut body = vec![0; 12];
    body.extend_from_slice(&value_length.to_be_bytes());
    body.extend_from_slice(rest);
    body
}

#[test]
fn every_opcode_and_direction_with_hostile_lengths() {
    for octet in [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 63, 255] {
        for direction in [0x0200, 0x8200, 0xc200, 0x4200] {
            let kind = direction | octet;
            for length in [0, 4, 8, 12, 16, 19, 20, 24, 64] {
                let _ = parse(kind, &vec![0xff; length]);
                let _ = parse(kind, &vec![0; length]);
            }
            if octet > 9 {
                assert!(parse(kind, &[0; 64]).is_err());
                continue;
            }
            assert!(parse(kind, &[]).is_err());
            assert_eq!(parse(kind, &[0; 4]).map(|message| message.value), Ok(None));
            assert!(parse(kind, &[0; 12]).is_err());
            for length in [45, 44, 65535, 1 << 31, u32::MAX - 3, u32::MAX] {
                let result = parse(kind, &body(length, &[0; 40])).map(|_| ());
                assert!(result.is_err(), "value of {length}");
                let mut rest = length.to_be_bytes().to_vec();
                rest.resize(40, 0);
                let result = parse(kind, &body(0, &rest)).map(|_| ());
                assert!(result.is_err(), "signature of {length}");
            }
        }
    }
}

#[test]
fn other_versions_and_protocols_are_not_autokey() {
    for kind in [0x0104, 0x0204 ^ 0x0300, 0x0304, 0x0404, 0x8301, 0x3f01] {
        assert_eq!(
            parse(kind, &[0; 24]),
            Err(MessageError::NotAutokey { kind })
        );
    }
}

#[test]
fn what_is_too_long_for_a_field_goes_without_its_value() {
    let mut packet = Vec::new();
    Message {
        direction: Direction::Response,
        opcode: Opcode::Certificate,
        association: 7,
        value: Some(Value {
            timestamp: Stamp::new(1),
            filestamp: Stamp::new(1),
            octets: &[1; 70_000],
            signature: &[],
        }),
    }
    .emit(&mut packet);
    assert_eq!(packet, [0x82, 2, 0, 8, 0, 0, 0, 7]);
}

proptest! {
    #[test]
    fn what_is_written_can_be_read(
        opcode in 0u8..=9,
        direction in 0usize..3,
        association: u32,
        stamps: (u32, u32),
        octets in prop::collection::vec(any::<u8>(), 0..200),
        signature in prop::collection::vec(any::<u8>(), 0..200),
        with_value: bool,
    ) {
        let message = Message {
            direction: [Direction::Request, Direction::Response, Direction::Error][direction],
            opcode: Opcode::from_octet(opcode).unwrap(),
            association,
            value: with_value.then_some(Value {
                timestamp: Stamp::new(stamps.0),
                filestamp: Stamp::new(stamps.1),
                octets: &octets,
                signature: &signature,
            }),
        };
        let mut packet = vec![0; 48];
        message.emit(&mut packet);
        packet.extend([0; 20]);
        let packet = Packet::parse(&packet).unwrap();
        let mut fields = packet.extensions();
        prop_assert_eq!(Message::parse(&fields.next().unwrap()), Ok(message));
        prop_assert!(fields.next().is_none());
    }

    #[test]
    fn any_field_is_read_without_panic(kind: u16, body: Vec<u8>) {
        let _ = parse(kind, &body);
    }
}
