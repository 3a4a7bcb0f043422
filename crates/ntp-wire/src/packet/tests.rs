use proptest::prelude::*;

use super::*;

fn packet(rest: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; Header::LENGTH];
    bytes[0] = 0xe3;
    bytes.extend_from_slice(rest);
    bytes
}

fn field(kind: u16, length: usize) -> Vec<u8> {
    let mut field = vec![0x5a; length];
    field[..2].copy_from_slice(&kind.to_be_bytes());
    field[2..4].copy_from_slice(&(length as u16).to_be_bytes());
    field
}

#[test]
fn a_bare_packet_has_no_trailer() {
    let bytes = packet(&[]);
    let parsed = Packet::parse(&bytes).unwrap();
    assert_eq!(parsed.trailer(), Trailer::None);
    assert_eq!(parsed.extensions().count(), 0);
    assert_eq!(parsed.authenticated(), &bytes[..]);
}

#[test]
fn macs_have_the_lengths_that_digests_have() {
    for length in 1..=24 {
        let mut rest = vec![0; length];
        if let Some(first) = rest.first_mut() {
            *first = 1;
        }
        let expected = matches!(length, 4 | 12 | 16 | 20 | 24);
        assert_eq!(Packet::parse(&packet(&rest)).is_ok(), expected, "{length}");
    }
    let bytes = packet(&[
        0, 0, 0, 7, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16,
    ]);
    assert_eq!(
        Packet::parse(&bytes).unwrap().trailer(),
        Trailer::Mac {
            key_id: KeyId::new(7),
            digest: &bytes[52..]
        }
    );
}

#[test]
fn four_zero_octets_are_a_crypto_nak() {
    assert_eq!(
        Packet::parse(&packet(&[0; 4])).unwrap().trailer(),
        Trailer::CryptoNak
    );
    let bytes = packet(&[0, 0, 0, 1]);
    let trailer = Packet::parse(&bytes).unwrap().trailer();
    assert_eq!(
        trailer,
        Trailer::Mac {
            key_id: KeyId::new(1),
            digest: &[]
        }
    );
}

#[test]
fn fields_end_where_a_mac_begins() {
    let mut rest = field(0x0201, 8);
    rest.extend(field(0x8202, 40));
    rest.extend([0xab; 20]);
    let bytes = packet(&rest);
    let parsed = Packet::parse(&bytes).unwrap();
    let kinds: Vec<_> = parsed
        .extensions()
        .map(|field| (field.kind, field.length()))
        .collect();
    assert_eq!(kinds, [(0x0201, 8), (0x8202, 40)]);
    assert_eq!(parsed.authenticated().len(), 96);
    assert!(matches!(parsed.trailer(), Trailer::Mac { digest, .. } if digest.len() == 16));
}

#[test]
fn the_last_field_may_end_the_packet() {
    let bytes = packet(&field(0x0404, 28));
    let parsed = Packet::parse(&bytes).unwrap();
    assert_eq!(parsed.extensions().count(), 1);
    assert_eq!(parsed.trailer(), Trailer::None);
}

#[test]
fn bad_fields_are_refused_with_their_place() {
    let mut odd = field(0x0201, 40);
    odd[3] = 41;
    assert_eq!(
        Packet::parse(&packet(&odd)).unwrap_err(),
        PacketError::BadExtensionLength {
            offset: 48,
            length: 41
        }
    );
    let mut short = field(0x0201, 40);
    short[3] = 4;
    assert_eq!(
        Packet::parse(&packet(&short)).unwrap_err(),
        PacketError::BadExtensionLength {
            offset: 48,
            length: 4
        }
    );
    let mut long = field(0x0201, 40);
    long[3] = 44;
    assert_eq!(
        Packet::parse(&packet(&long)).unwrap_err(),
        PacketError::ExtensionBeyondEnd {
            offset: 48,
            length: 44,
            left: 40
        }
    );
    assert_eq!(
        Packet::parse(&[0; 47]).unwrap_err(),
        PacketError::TooShort { length: 47 }
    );
}

proptest! {
    #[test]
    fn the_parts_make_the_whole(rest in proptest::collection::vec(any::<u8>(), 0..120)) {
        let bytes = packet(&rest);
        if let Ok(parsed) = Packet::parse(&bytes) {
            let fields: usize = parsed.extensions().map(|field| field.length()).sum();
            prop_assert_eq!(Header::LENGTH + fields, parsed.authenticated().len());
            let trailer = match parsed.trailer() {
                Trailer::None => 0,
                Trailer::CryptoNak => 4,
                Trailer::Mac { digest, .. } => 4 + digest.len(),
            };
            prop_assert_eq!(parsed.authenticated().len() + trailer, bytes.len());
        }
    }
}
