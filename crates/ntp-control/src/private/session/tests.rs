use ntp_keys::{KeyAlgorithm, SymmetricKey};
use ntp_wire::KeyId;
use proptest::prelude::*;

use super::*;

const NOW: Monotonic = Monotonic::START;

fn asked() -> (PrivateSession, PrivateHeader) {
    let mut session = PrivateSession::default();
    let request = PrivateRequest::new(RequestCode::PEER_LIST);
    let question = session.ask(&request, None, NOW).unwrap();
    (session, PrivateHeader::parse(&question).unwrap())
}

/// A packet of two items of four octets, all with the packet's number.
fn packet(question: &PrivateHeader, sequence: u8, more: bool) -> Vec<u8> {
    let header = PrivateHeader {
        response: true,
        more,
        sequence,
        items: 2,
        item_size: 4,
        ..*question
    };
    [&header.to_bytes()[..], &[sequence; 8]].concat()
}

#[test]
fn packets_come_in_any_order_and_twice() {
    let (mut session, question) = asked();
    for (sequence, more) in [(2, false), (0, true), (0, true), (2, false)] {
        let progress = session.handle(&packet(&question, sequence, more), NOW);
        assert_eq!(progress, PrivateProgress::Waiting);
    }
    let progress = session.handle(&packet(&question, 1, true), NOW);
    let PrivateProgress::Done(response) = progress else {
        panic!("{progress:?}");
    };
    assert_eq!(response.packets, 3);
    let items: Vec<_> = response.items().map(|item| item[0]).collect();
    assert_eq!(items, [0, 0, 1, 1, 2, 2]);
    assert_eq!(session.next_deadline(), None);
}

#[test]
fn what_is_no_part_of_the_answer_is_passed_over() {
    let (mut session, question) = asked();
    let whole = packet(&question, 0, false);
    let with = |change: &dyn Fn(&mut PrivateHeader)| {
        let mut header = PrivateHeader::parse(&whole).unwrap();
        change(&mut header);
        [&header.to_bytes()[..], &whole[8..]].concat()
    };
    for strange in [
        with(&|header| header.response = false),
        with(&|header| header.authenticated = true),
        with(&|header| header.implementation = 2),
        with(&|header| header.version = 0),
        with(&|header| header.request = RequestCode::PEER_LIST_SUMMARY),
        with(&|header| header.items = 3),
        whole[..7].to_vec(),
        Vec::new(),
    ] {
        assert_eq!(session.handle(&strange, NOW), PrivateProgress::Waiting);
    }
    let refused = with(&|header| header.error = ResponseCode::AUTHENTICATION);
    let progress = session.handle(&refused, NOW);
    let PrivateProgress::Failed(error) = progress else {
        panic!("{progress:?}");
    };
    assert_eq!(error.to_string(), "Permission denied");
}

#[test]
fn items_of_another_size_do_not_mix() {
    let (mut session, question) = asked();
    session.handle(&packet(&question, 0, true), NOW);
    let other = PrivateHeader {
        response: true,
        sequence: 1,
        items: 1,
        item_size: 8,
        ..question
    };
    let other = [&other.to_bytes()[..], &[0; 8]].concat();
    assert_eq!(session.handle(&other, NOW), PrivateProgress::Waiting);
}

#[test]
fn nobody_keeps_a_session_waiting_for_ever() {
    let (mut session, question) = asked();
    assert_eq!(session.handle_deadline(NOW), Ok(()));
    let late = NOW + Duration::from_secs(5);
    assert_eq!(
        session.handle_deadline(late),
        Err(PrivateQueryError::TimedOut)
    );
    let (mut session, _) = asked();
    let mut now = NOW;
    for sequence in 0..128 {
        session.handle(&packet(&question, sequence, true), now);
        now += Duration::from_secs(1);
        if session.handle_deadline(now) == Err(PrivateQueryError::Incomplete) {
            assert!(now <= NOW + Duration::from_secs(36));
            return;
        }
    }
    panic!("it still waits");
}

#[test]
fn signed_requests_are_laid_out_as_the_reference_does() {
    let key = |algorithm| Credentials {
        id: KeyId::new(7),
        key: SymmetricKey::new(algorithm, b"secret").unwrap(),
    };
    let request = PrivateRequest::with_items(RequestCode::TRUST_KEY, [5_u64.to_le_bytes()]);
    let time = Timestamp::from_unix(1_795_393_189, 0);
    let ask = |credentials: &Credentials| {
        let signature = Signature { credentials, time };
        PrivateSession::default().ask(&request, Some(signature), NOW)
    };
    for (algorithm, length, mac) in [(KeyAlgorithm::MD5, 212, 16), (KeyAlgorithm::SHA1, 48, 20)] {
        let datagram = ask(&key(algorithm)).unwrap();
        assert_eq!(datagram.len(), length);
        let message = PrivateMessage::parse(&datagram).unwrap();
        assert!(message.header().authenticated);
        let tail = message.tail(mac).unwrap();
        assert_eq!(tail.key_id, KeyId::new(7));
        assert!(tail.is_fresh(time));
        assert!(key(algorithm).key.verify(tail.covered, tail.mac));
    }
    let long = PrivateRequest::with_items(RequestCode::TRUST_KEY, [[0; 8]; 23]);
    let error = PrivateSession::default().ask(&long, None, NOW);
    assert_eq!(error, Err(PrivateRequestError::TooLong));
}

proptest! {
    #[test]
    fn any_datagrams_end(datagrams in prop::collection::vec(
        prop::collection::vec(any::<u8>(), 0..80), 0..20), sequences in any::<[u8; 20]>(),
    ) {
        let (mut session, question) = asked();
        for (datagram, sequence) in datagrams.iter().zip(sequences) {
            session.handle(datagram, NOW);
            session.handle(&packet(&question, sequence & 0x7f, sequence & 0x80 != 0), NOW);
        }
        prop_assert!(session.next_deadline() <= Some(NOW + Duration::from_secs(5)));
    }
}
