use proptest::prelude::*;

use super::*;

#[test]
fn a_request_of_ntpdc_is_read() {
    // `ntpdc -c sysinfo`, as it is sent by ntpdc 4.2.8p15: the rest is zero.
    let mut octets = [0; PrivateMessage::REQUEST_LENGTH];
    octets[..4].copy_from_slice(&[0x17, 0x00, 0x03, 0x04]);
    let message = PrivateMessage::parse(&octets).unwrap();
    let expected = PrivateHeader::request(RequestCode::SYSTEM_INFORMATION);
    assert_eq!(*message.header(), expected);
    assert_eq!(expected.to_bytes(), octets[..8]);
    assert_eq!(message.items().count(), 0);
}

#[test]
fn who_announces_more_than_he_sends_is_told() {
    let header = PrivateHeader {
        items: 3,
        item_size: 72,
        ..PrivateHeader::request(RequestCode::PEER_LIST)
    };
    let mut octets = header.to_bytes().to_vec();
    octets.resize(8 + 3 * 72 - 1, 0);
    let error = PrivateMessage::parse(&octets).unwrap_err();
    assert_eq!(
        error.to_string(),
        "3 items of 72 octets are announced, and 215 octets follow"
    );
    octets.push(9);
    let message = PrivateMessage::parse(&octets).unwrap();
    assert_eq!(message.items().last().and_then(<[u8]>::last), Some(&9));
}

#[test]
fn the_tail_is_found_from_the_end() {
    let header = PrivateHeader {
        authenticated: true,
        items: 1,
        item_size: 4,
        ..PrivateHeader::request(RequestCode(26))
    };
    let mut octets = header.to_bytes().to_vec();
    octets.resize(184, 0);
    let time = Timestamp::from_unix(1_795_393_189, 0);
    octets.extend(time.to_wire().to_bits().to_be_bytes());
    octets.extend(7_u32.to_be_bytes());
    octets.extend([0xab; 16]);
    let message = PrivateMessage::parse(&octets).unwrap();
    let tail = message.tail(16).unwrap();
    assert_eq!((tail.key_id, tail.mac), (KeyId::new(7), &[0xab; 16][..]));
    assert_eq!(tail.covered.len(), 192);
    for (late, is_fresh) in [
        (0, true),
        (10, true),
        (-10, true),
        (11, false),
        (-11, false),
    ] {
        let now = time + crate::Duration::from_seconds(late);
        assert_eq!(tail.is_fresh(now), is_fresh, "{late}");
    }
    assert_eq!(message.tail(200), None);
}

proptest! {
    #[test]
    fn a_header_that_is_read_is_written_the_same(octets in any::<[u8; 8]>()) {
        if let Some(header) = PrivateHeader::parse(&octets) {
            prop_assert_eq!(header.to_bytes(), octets);
        }
    }

    #[test]
    fn any_octets_are_read_or_not(
        octets in prop::collection::vec(any::<u8>(), 0..600), mac in 0_usize..40,
    ) {
        if let Ok(message) = PrivateMessage::parse(&octets) {
            let items = message.items().map(<[u8]>::len).sum::<usize>();
            prop_assert!(items <= octets.len());
            let _ = message.tail(mac);
        }
    }
}

/// What ntpd 4.2.8p15 answered, without the header.
fn octets(hexadecimal: &str) -> Vec<u8> {
    let digits: Vec<_> = hexadecimal.bytes().filter(u8::is_ascii_hexdigit).collect();
    let pair = |pair: &[u8]| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(pair).collect()
}

#[test]
fn records_of_ntpd_are_read_and_written_the_same() {
    let summary = octets(
        "7f000001 7f7f0100 007b 01 03 03 01 9b 03 00000000 0000000000000000 0002d13e 00000000 \
         00000000 00000000000000000000000000000000 00000000000000000000000000000000",
    );
    let read = PeerSummary::parse(&summary).unwrap();
    assert_eq!(read.remote().to_string(), "127.127.1.0");
    assert_eq!(read.local().to_string(), "127.0.0.1");
    assert_eq!(
        (read.stratum, read.host_poll, read.reach, read.host_mode),
        (1, 3, 1, 3)
    );
    let flags = SourceFlags(read.flags.into());
    assert!(flags.contains(SourceFlags::SYSTEM_PEER) && flags.contains(SourceFlags::PREFER));
    assert_eq!(read.dispersion.to_bits(), 0x2d13e);
    assert_eq!(read.to_bytes()[..], summary);
    let entry = octets("00000000 007b 03 01 01000000 00000000 20010db8000000000000000000000007");
    let read = PeerListEntry::parse(&entry).unwrap();
    assert_eq!(
        (read.remote().to_string(), read.port),
        ("2001:db8::7".into(), 123)
    );
    assert_eq!(read.to_bytes()[..], entry);
    let kernel = octets(
        "00000000 00000000 00f42400 00f42400 0041 0000 00000003 00000001 01f40000 00000000 \
         00000000 00000000 00000000 00000000 00000000 00000000",
    );
    let read = KernelInformation::parse(&kernel).unwrap();
    assert_eq!((read.status, read.maximum_error), (0x41, 16_000_000));
    assert_eq!(read.tolerance.to_f64(), 500.0);
    assert_eq!(read.to_bytes()[..], kernel);
    assert_eq!(KernelInformation::parse(&kernel[1..]), None);
}

#[test]
fn an_address_is_of_either_family() {
    let mut entry = PeerListEntry::default();
    for address in ["192.0.2.7", "2001:db8::7", "0.0.0.0", "::"] {
        let address = address.parse().unwrap();
        entry.set_remote(address);
        let again = PeerListEntry::parse(&entry.to_bytes()).unwrap();
        assert_eq!(again.remote(), address);
    }
    let mut interface = InterfaceRecord::default();
    let [address, mask] = ["127.0.0.1", "255.0.0.0"].map(|text| text.parse().unwrap());
    interface.set_addresses(address, [0; 4].into(), mask);
    let again = InterfaceRecord::parse(&interface.to_bytes()).unwrap();
    assert_eq!((again.address(), again.mask()), (address, mask));
}

proptest! {
    #[test]
    fn a_record_that_is_written_is_read_the_same(octets in prop::collection::vec(any::<u8>(), 280)) {
        macro_rules! check {
            ($($record:ident)*) => {$(
                let read = $record::parse(&octets[..$record::LENGTH]).unwrap();
                prop_assert_eq!($record::parse(&read.to_bytes()), Some(read));
                prop_assert_eq!($record::default().to_bytes(), [0; $record::LENGTH]);
            )*};
        }
        check! {
            PeerListEntry PeerSummary PeerInformation PeerStatistics SystemInformation
            SystemStatistics IoStatistics MemoryStatistics LoopInformation TimerStatistics
            AuthenticationInformation ControlStatistics KernelInformation RestrictionRecord
            ClockInformation InterfaceRecord PeerChange AddressRecord FlagsRecord
            RestrictionChange FudgeRecord ClientRecord
        }
    }
}
