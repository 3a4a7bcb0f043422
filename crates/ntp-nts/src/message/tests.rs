use proptest::prelude::*;

use super::*;

fn records(bytes: &[u8]) -> Records<'_> {
    Records::find(bytes).unwrap().unwrap()
}

/// The octets that RFC 8915 asks for, written down by hand.
#[test]
fn the_request_of_a_client() {
    let bytes = [
        0x80, 1, 0, 2, 0, 0, // NTPv4
        0x80, 4, 0, 2, 0, 15, // AES-SIV-CMAC-256
        0x80, 0, 0, 0,
    ];
    assert_eq!(KeyRequest::ntp(None, None).write(), bytes);
    let parsed = KeyRequest::parse(records(&bytes)).unwrap();
    assert_eq!(parsed, KeyRequest::ntp(None, None));
    for length in 0..bytes.len() {
        assert!(
            Records::find(&bytes[..length]).unwrap().is_none(),
            "{length}"
        );
    }
}

#[test]
fn a_request_must_be_understood() {
    let with = |extra: &[u8]| {
        let mut bytes = KeyRequest::ntp(None, None).write();
        let end = bytes.split_off(bytes.len() - 4);
        bytes.extend_from_slice(extra);
        bytes.extend_from_slice(&end);
        KeyRequest::parse(records(&bytes))
    };
    assert!(with(&[0x7f, 0xff, 0, 1, 9]).is_ok(), "not critical");
    let unknown = with(&[0xff, 0xff, 0, 1, 9]).unwrap_err();
    assert_eq!(
        (unknown, unknown.code()),
        (MessageError::Unknown(0x7fff), 0)
    );
    assert_eq!(with(&[0x80, 1, 0, 2, 0, 0]).unwrap_err().code(), 1);
    assert!(with(&[0x80, 4, 0, 2, 0, 15]).is_err());
    assert!(with(&[0, 5, 0, 0]).is_err());
    assert!(with(&[0, 6, 0, 2, b'a', b'\n']).is_err());
    assert!(with(&[0, 7, 0, 2, 0, 0]).is_err());
    assert_eq!(with(&[0, 7, 0, 2, 1, 0]).unwrap().port, Some(256));
    let none = KeyRequest::parse(records(&[0x80, 0, 0, 0])).unwrap_err();
    assert_eq!(none, MessageError::Missing("protocol"));
    // The algorithms may be missing only where NTP is not wanted.
    let other = [0x80, 1, 0, 2, 0, 9, 0x80, 0, 0, 0];
    assert_eq!(KeyRequest::parse(records(&other)).unwrap().protocols, [9]);
    let ntp = [0x80, 1, 0, 2, 0, 0, 0x80, 0, 0, 0];
    assert!(KeyRequest::parse(records(&ntp)).is_err());
}

#[test]
fn a_response_must_make_sense() {
    let parse = |bytes: &[u8]| KeyResponse::parse(records(bytes));
    let odd = [0x80, 1, 0, 1, 0, 0x80, 0, 0, 0];
    assert!(matches!(parse(&odd), Err(MessageError::Record(_))));
    assert!(
        Records::find(&[0x80, 0, 0, 1, 0]).is_err(),
        "an end that goes on"
    );
    let wrong = [0x80, 1, 0, 2, 0, 0, 0x80, 4, 0, 2, 0, 17, 0x80, 0, 0, 0];
    assert_eq!(parse(&wrong), Err(MessageError::UnwantedAlgorithm(17)));
    let cookieless = [0x80, 1, 0, 2, 0, 0, 0x80, 4, 0, 2, 0, 15, 0x80, 0, 0, 0];
    assert_eq!(parse(&cookieless), Err(MessageError::Missing("cookie")));
    for response in [
        KeyResponse::NoProtocol,
        KeyResponse::NoAlgorithm,
        KeyResponse::Refused(1),
    ] {
        assert_eq!(parse(&response.write()), Ok(response));
    }
}

proptest! {
    #[test]
    fn a_request_is_read_as_it_was_written(
        protocols in prop::collection::vec(any::<u16>(), 0..9),
        algorithms in prop::collection::vec(any::<u16>(), 0..9),
        server in prop::option::of("[!-~]{1,255}"),
        port in prop::option::of(1u16..),
    ) {
        let request = KeyRequest { protocols, algorithms, server, port };
        prop_assert_eq!(KeyRequest::parse(records(&request.write())).unwrap(), request);
    }

    #[test]
    fn a_response_is_read_as_it_was_written(
        cookies in prop::collection::vec(any::<Vec<u8>>(), 1..10),
        server in prop::option::of("[!-~]{1,255}"),
        port in prop::option::of(1u16..),
    ) {
        let response = KeyResponse::Granted { cookies, server, port };
        prop_assert_eq!(KeyResponse::parse(records(&response.write())).unwrap(), response);
    }

    #[test]
    fn no_octets_are_too_strange(bytes: Vec<u8>) {
        if let Ok(Some(records)) = Records::find(&bytes) {
            prop_assert!(records.length() <= bytes.len());
            let _ = (KeyRequest::parse(records), KeyResponse::parse(records));
        }
    }
}
