use std::vec::Vec;

use proptest::prelude::*;

use super::*;
use crate::KeyId;

/// The first response of a real ntpd 4.2.8p15 to `readstat`: two associations.
const ASSOCIATIONS: [u8; 20] = [
    0x16, 0x81, 0x00, 0x01, 0x05, 0x14, 0x00, 0x00, 0x00, 0x00, 0x00, 0x08, //
    0x6e, 0x2b, 0x96, 0x1a, 0x6e, 0x2c, 0x74, 0x14,
];

#[test]
fn a_real_response_is_understood() {
    let message = ControlMessage::parse(&ASSOCIATIONS).unwrap();
    let header = message.header();
    assert_eq!(header.version, Version::V2);
    assert!(header.response && !header.error && !header.more);
    assert_eq!(header.opcode, Opcode::READ_STATUS);
    assert_eq!(header.sequence, 1);
    let system = SystemStatus::from_bits(header.status);
    assert_eq!(system.leap_word(), "leap_none");
    assert_eq!(system.source_word(), Some("sync_local"));
    assert_eq!(
        (system.event_count(), system.event_word()),
        (1, "freq_mode")
    );
    let peer = PeerStatus::from_bits(0x961a);
    assert_eq!(peer.flag_words().collect::<Vec<_>>(), ["conf", "reach"]);
    assert_eq!(peer.selection(), Selection::SystemPeer);
    assert_eq!(peer.event_word(), Some("sys_peer"));
    assert_eq!(message.macs().count(), 0);
}

#[test]
fn status_words_are_made_of_their_parts() {
    assert_eq!(SystemStatus::new(Leap::None, 5, 1, 4).to_bits(), 0x0514);
    assert_eq!(
        SystemStatus::new(Leap::Unsynchronised, 0xff, 200, 0xff).to_bits(),
        0xffff
    );
    let status = PeerStatus::new(Selection::SystemPeer, 1, 10)
        .with_configured(true)
        .with_reachable(true);
    assert_eq!(status.to_bits(), 0x961a);
    assert_eq!(status.with_configured(false).to_bits(), 0x161a);
    assert_eq!(ClockStatus::new(16, 6).to_bits(), 0xf6);
    assert_eq!(ErrorCode::BAD_ASSOCIATION.to_status(), 0x0400);
}

#[test]
fn refusals_answer_the_request() {
    let request = ControlHeader {
        association: AssociationId::new(9),
        count: 7,
        ..ControlHeader::request(Opcode::from_bits(30), 77)
    };
    let refusal = request.refuse(Leap::Unsynchronised, ErrorCode::BAD_OPCODE);
    assert!(refusal.response && refusal.error);
    assert_eq!((refusal.sequence, refusal.count), (77, 0));
    assert_eq!(refusal.opcode.value(), 30);
    assert_eq!(
        ErrorCode::from_status(refusal.status),
        ErrorCode::BAD_OPCODE
    );
}

#[test]
fn what_is_no_message_is_refused() {
    assert_eq!(
        ControlMessage::parse(&ASSOCIATIONS[..11]),
        Err(ControlError::TooShort { length: 11 })
    );
    assert_eq!(
        ControlMessage::parse(&ASSOCIATIONS[..19]),
        Err(ControlError::CountBeyondEnd { count: 8, left: 7 })
    );
    let mut time = ASSOCIATIONS;
    time[0] = 0x1c;
    assert_eq!(
        ControlMessage::parse(&time),
        Err(ControlError::NotControl { mode: 4 })
    );
}

#[test]
fn a_mac_begins_at_a_multiple_of_eight_or_of_four() {
    let mut buffer = [0xff; 64];
    // 12 + 3 octets: four-aligned at 16, which is eight-aligned too.
    let request = ControlHeader::request(Opcode::READ_VARIABLES, 1);
    let length = request.emit_message(b"tai", &mut buffer).unwrap();
    assert_eq!(pad_for_mac(&mut buffer, length), Ok(16));
    let message = ControlMessage::parse(&buffer[..16 + 20]).unwrap();
    let macs: Vec<_> = message.macs().collect();
    assert_eq!(macs.len(), 1);
    assert_eq!(macs[0].key_id, KeyId::new(0xffff_ffff));
    assert_eq!(macs[0].digest.len(), 16);
    assert_eq!(macs[0].message, &buffer[..16]);
    // 12 + 7: four-aligned at 20, eight-aligned at 24.
    let length = request.emit_message(b"stratum", &mut buffer).unwrap();
    assert_eq!(length, 20);
    assert_eq!(pad_for_mac(&mut buffer, length), Ok(24));
    assert_eq!(buffer[20..24], [0; 4]);
    let message = ControlMessage::parse(&buffer[..24 + 20]).unwrap();
    let starts: Vec<_> = message.macs().map(|mac| mac.message.len()).collect();
    assert_eq!(starts, [24, 20]);
    // Longer than any MAC: there is none.
    let message = ControlMessage::parse(&buffer[..64]).unwrap();
    assert_eq!(message.macs().count(), 0);
    assert_eq!(
        pad_for_mac(&mut buffer[..21], 20),
        Err(ControlError::BufferTooShort { needed: 24 })
    );
}

#[test]
fn messages_that_do_not_fit_are_not_written() {
    let request = ControlHeader::request(Opcode::CONFIGURE, 1);
    let mut buffer = [0; 480];
    assert_eq!(request.emit_message(&[0; 468], &mut buffer), Ok(480));
    assert_eq!(
        request.emit_message(&[0; 469], &mut buffer),
        Err(ControlError::DataTooLong {
            length: 469,
            limit: 468
        })
    );
    assert_eq!(
        request.emit_message(&[0; 1], &mut buffer[..15]),
        Err(ControlError::BufferTooShort { needed: 16 })
    );
    assert!(Fragments::new(&[0; 65536]).is_err());
}

proptest! {
    #[test]
    fn every_message_is_written_as_it_was_read(mut bytes in prop::collection::vec(any::<u8>(), 12..500)) {
        bytes[0] = bytes[0] & !7 | 6;
        let header = ControlHeader::parse(&bytes).unwrap();
        let mut again = [0; ControlHeader::LENGTH];
        header.emit(&mut again);
        prop_assert_eq!(&again, &bytes[..12]);
        match ControlMessage::parse(&bytes) {
            Ok(message) => {
                prop_assert_eq!(message.data().len(), usize::from(header.count));
                for mac in message.macs() {
                    prop_assert!(mac.message.len() >= 12 + message.data().len());
                    prop_assert_eq!(mac.message.len() + 4 + mac.digest.len(), bytes.len());
                }
            }
            Err(error) => prop_assert_eq!(error, ControlError::CountBeyondEnd { count: header.count, left: bytes.len() - 12 }),
        }
    }

    #[test]
    fn fragments_put_together_are_the_response(response in prop::collection::vec(any::<u8>(), 0..2000)) {
        let fragments: Vec<_> = Fragments::new(&response).unwrap().collect();
        let mut together = Vec::new();
        for fragment in &fragments {
            prop_assert_eq!(usize::from(fragment.offset), together.len());
            prop_assert!(fragment.data.len() <= Fragment::LONGEST);
            together.extend_from_slice(fragment.data);
        }
        prop_assert_eq!(&together, &response);
        let more: Vec<_> = fragments.iter().map(|fragment| fragment.more).collect();
        prop_assert!(more.split_last().is_some_and(|(last, rest)| !last && rest.iter().all(|&more| more)));
    }
}
