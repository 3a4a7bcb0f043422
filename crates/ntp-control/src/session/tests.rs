use ntp_keys::KeyAlgorithm;
use ntp_wire::{Leap, control::Fragments};
use proptest::prelude::*;

use super::*;

const START: Monotonic = Monotonic::START;

fn request() -> Request {
    Request::read_variables(AssociationId::new(7), "offset")
}

fn asked(session: &mut Session) -> ControlHeader {
    let datagram = session.ask(&request(), None, START).unwrap();
    ControlHeader::parse(&datagram).unwrap()
}

fn reply(header: ControlHeader, offset: u16, more: bool, data: &[u8]) -> Vec<u8> {
    let header = ControlHeader {
        offset,
        more,
        ..header.respond(Leap::None, 0x961a)
    };
    let mut datagram = vec![0; 480];
    let length = header.emit_message(data, &mut datagram).unwrap();
    datagram.truncate(length);
    datagram
}

fn ignored(progress: Progress) -> Ignored {
    match progress {
        Progress::Waiting(Some(why)) => why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn fragments_come_in_any_order() {
    let mut session = Session::new(100);
    let header = asked(&mut session);
    assert_eq!(header.sequence, 100);
    assert_eq!(header.version, Version::V2);
    assert_eq!(header.association.value(), 7);
    let late = START + Duration::from_secs(4);
    assert_eq!(
        session.handle(&reply(header, 3, false, b"def"), late),
        Progress::Waiting(None)
    );
    assert_eq!(session.next_deadline(), Some(late + Duration::from_secs(3)));
    let Progress::Done(response) = session.handle(&reply(header, 0, true, b"abc"), late) else {
        panic!()
    };
    assert_eq!(response.data, b"abcdef");
    assert_eq!(response.status, 0x961a);
    assert_eq!(response.fragments, 2);
    assert!(!response.authentic);
    assert_eq!(session.next_deadline(), None);
}

#[test]
fn what_does_not_belong_is_ignored_and_buys_no_time() {
    let mut session = Session::new(0xffff);
    let header = asked(&mut session);
    let second = asked(&mut session);
    assert_eq!((header.sequence, second.sequence), (0xffff, 0));
    let now = START + Duration::from_secs(1);
    let stale = ignored(session.handle(&reply(header, 0, false, b"a"), now));
    assert_eq!(
        stale,
        Ignored::OtherSequence {
            received: 0xffff,
            expected: 0
        }
    );
    let other = ControlHeader {
        association: AssociationId::new(8),
        ..second
    };
    assert_eq!(
        ignored(session.handle(&reply(other, 0, false, b"a"), now)),
        Ignored::OtherAssociation(AssociationId::new(8))
    );
    assert_eq!(
        ignored(session.handle(&reply(second, 0, true, b""), now)),
        Ignored::EmptyFragment
    );
    let mut request = reply(second, 0, false, b"a");
    request[1] &= 0x7f;
    assert_eq!(ignored(session.handle(&request, now)), Ignored::NoResponse);
    assert!(matches!(
        ignored(session.handle(&[0x16; 11], now)),
        Ignored::Malformed(_)
    ));
    assert_eq!(
        session.next_deadline(),
        Some(START + Duration::from_secs(5))
    );
    session.handle(&reply(second, 0, true, b"a"), now);
    let deadline = session.next_deadline();
    let again = session.handle(&reply(second, 0, true, b"a"), now + Duration::from_secs(1));
    assert_eq!(ignored(again), Ignored::Duplicate);
    assert_eq!(session.next_deadline(), deadline);
    assert_eq!(
        Session::new(1).handle(&[], now),
        Progress::Waiting(Some(Ignored::NothingAsked))
    );
}

#[test]
fn silence_is_asked_twice() {
    let mut session = Session::new(5);
    let first = session.ask(&request(), None, START).unwrap();
    assert_eq!(
        session.handle_deadline(START + Duration::from_millis(4999)),
        Overdue::NotYet
    );
    let five = START + Duration::from_secs(5);
    assert_eq!(session.handle_deadline(five), Overdue::Resend(first));
    assert_eq!(
        session.handle_deadline(five + Duration::from_secs(5)),
        Overdue::Failed(QueryError::TimedOut)
    );
    assert_eq!(session.next_deadline(), None);
    assert_eq!(
        session.handle_deadline(five + Duration::from_secs(9)),
        Overdue::NotYet
    );
}

#[test]
fn half_an_answer_is_asked_for_again_under_another_number() {
    let mut session = Session::new(5);
    let header = asked(&mut session);
    session.handle(&reply(header, 0, true, b"half"), START);
    let three = START + Duration::from_secs(3);
    let Overdue::Resend(again) = session.handle_deadline(three) else {
        panic!()
    };
    let again = ControlHeader::parse(&again).unwrap();
    assert_eq!(again.sequence, 6);
    assert!(matches!(
        session.handle(&reply(header, 4, false, b"rest"), three),
        Progress::Waiting(Some(Ignored::OtherSequence { .. }))
    ));
    session.handle(&reply(again, 0, true, b"half"), three);
    assert_eq!(
        session.handle_deadline(three + Duration::from_secs(3)),
        Overdue::Failed(QueryError::Incomplete)
    );
}

#[test]
fn a_server_that_never_ends_is_left() {
    let mut session = Session::new(5);
    let header = asked(&mut session);
    let mut progress = Progress::Waiting(None);
    let mut sent = 0;
    for fragment in 0..1000u16 {
        progress = session.handle(&reply(header, fragment * 300, true, &[b'x'; 300]), START);
        sent += 1;
        if progress != Progress::Waiting(None) {
            break;
        }
    }
    assert_eq!(
        progress,
        Progress::Failed(QueryError::Reassembly(ReassemblyError::TooLong))
    );
    assert_eq!(sent, 110);
    let header = asked(&mut session);
    session.handle(&reply(header, 0, true, b"0123456789"), START);
    assert_eq!(
        session.handle(&reply(header, 5, false, b"0123456789"), START),
        Progress::Failed(QueryError::Reassembly(ReassemblyError::Overlap {
            offset: 5
        }))
    );
}

#[test]
fn refusals_have_the_text_of_ntpq() {
    let refusals = [
        (0, "Server returned an unspecified error"),
        (1, "Server disallowed request (authentication?)"),
        (2, "Server reports a bad format request packet"),
        (3, "Server reports a bad opcode in request"),
        (4, "Association ID 7 unknown to server"),
        (5, "A request variable unknown to the server"),
        (6, "Server indicates a request variable was bad"),
        (7, "Server returns unknown error code 7"),
    ];
    for (code, text) in refusals {
        let mut session = Session::new(5);
        let refusal = asked(&mut session).refuse(Leap::None, ErrorCode::from_status(code << 8));
        let mut datagram = [0; 12];
        refusal.emit(&mut datagram);
        let Progress::Failed(error) = session.handle(&datagram, START) else {
            panic!()
        };
        assert_eq!(error.to_string(), text);
    }
}

#[test]
fn a_signed_request_ends_with_a_mac_that_verifies() {
    let credentials = Credentials {
        id: KeyId::new(3),
        key: SymmetricKey::new(KeyAlgorithm::SHA1, &[0x42; 20]).unwrap(),
    };
    let mut session = Session::new(5);
    let datagram = session.ask(&request(), Some(&credentials), START).unwrap();
    // 12 + 6 octets, padded to 24; four of key number, twenty of SHA-1.
    assert_eq!(datagram.len(), 24 + 4 + 20);
    let message = ControlMessage::parse(&datagram).unwrap();
    let mac = message.macs().next().unwrap();
    assert_eq!(mac.key_id.value(), 3);
    assert!(credentials.key.verify(mac.message, mac.digest));

    // The same bytes with the response bit: signed for something else, so not authentic.
    let mut forged = datagram.clone();
    forged[1] |= 0x80;
    let Progress::Done(response) = session.handle(&forged, START) else {
        panic!()
    };
    assert!(!response.authentic);
    session.sequence = 4;
    session.ask(&request(), Some(&credentials), START).unwrap();
    let mut signed = forged[..24].to_vec();
    let mut buffer = MacBuffer::new();
    let digest = credentials.key.mac(&signed, &mut buffer).to_vec();
    signed.extend_from_slice(&[0, 0, 0, 3]);
    signed.extend_from_slice(&digest);
    let Progress::Done(response) = session.handle(&signed, START) else {
        panic!()
    };
    assert!(response.authentic);
}

#[test]
fn long_requests_are_refused() {
    let mut session = Session::new(5);
    let long = Request {
        data: vec![b'x'; 469],
        ..request()
    };
    assert!(session.ask(&long, None, START).is_err());
    assert_eq!(session.next_deadline(), None);
}

proptest! {
    #[test]
    fn no_sequence_of_datagrams_panics_or_lasts(datagrams in prop::collection::vec((any::<u16>(), any::<bool>(), 0usize..400, prop::collection::vec(any::<u8>(), 0..40)), 0..60)) {
        let mut session = Session::new(5);
        let header = asked(&mut session);
        let mut now = START;
        for (offset, more, length, noise) in datagrams {
            now += Duration::from_secs(1);
            let mut datagram = reply(header, offset % 4096, more, &vec![b'x'; length]);
            for (octet, noise) in datagram.iter_mut().zip(noise) {
                *octet ^= noise & noise << 1 & noise << 3;
            }
            session.handle(&datagram, now);
            session.handle_deadline(now);
        }
        // Silence ends every request: after two deadlines at most.
        session.handle_deadline(now + Duration::from_secs(5));
        session.handle_deadline(now + Duration::from_secs(10));
        prop_assert_eq!(session.next_deadline(), None);
    }

    #[test]
    fn shuffled_fragments_make_the_response(response in prop::collection::vec(any::<u8>(), 0..4000), rotation in 0usize..9) {
        let mut session = Session::new(5);
        let header = asked(&mut session);
        let mut datagrams: Vec<_> = Fragments::new(&response).unwrap().map(|fragment| reply(header, fragment.offset, fragment.more, fragment.data)).collect();
        let length = datagrams.len();
        datagrams.rotate_left(rotation % length);
        let last = datagrams.pop().unwrap();
        for datagram in datagrams {
            prop_assert_eq!(session.handle(&datagram, START), Progress::Waiting(None));
        }
        let Progress::Done(whole) = session.handle(&last, START) else { panic!() };
        prop_assert_eq!(whole.data, response);
    }
}

/// Sends a fragment just before each deadline, for as long as that puts the deadline off.
fn trickle(session: &mut Session, header: ControlHeader) -> Monotonic {
    for offset in 0.. {
        let deadline = session.next_deadline().unwrap();
        let before = START + (deadline.since(START) - Duration::from_nanos(1));
        let piece = reply(header, offset, true, b"x");
        assert_eq!(session.handle(&piece, before), Progress::Waiting(None));
        if session.next_deadline() == Some(deadline) {
            return deadline;
        }
    }
    unreachable!("there are no more offsets")
}

#[test]
fn fragments_that_trickle_are_not_waited_for_for_ever() {
    for milliseconds in [100, 5000] {
        let timeout = Duration::from_millis(milliseconds);
        let mut session = Session::new(1);
        session.set_timeout(timeout);
        let header = asked(&mut session);
        let end = trickle(&mut session, header);
        assert_eq!(end, START + 8 * timeout);
        let Overdue::Resend(datagram) = session.handle_deadline(end) else {
            panic!("it is due")
        };
        let end = trickle(&mut session, ControlHeader::parse(&datagram).unwrap());
        assert_eq!(end, START + 16 * timeout);
        let failed = Overdue::Failed(QueryError::Incomplete);
        assert_eq!(session.handle_deadline(end), failed);
    }
}

/// Whoever does not wait long for the first fragment does not wait three seconds for the next.
#[test]
fn a_short_timeout_is_one_for_every_fragment() {
    let mut session = Session::new(1);
    session.set_timeout(Duration::from_millis(200));
    let header = asked(&mut session);
    session.handle(&reply(header, 0, true, b"x"), START);
    assert_eq!(
        session.next_deadline(),
        Some(START + Duration::from_millis(200))
    );
}
